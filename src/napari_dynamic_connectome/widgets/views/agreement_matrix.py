"""A small square table of agreements: values in cells as bright as they are large, names at the side and as numbers on top."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import QEvent, QRectF, Qt
from qtpy.QtGui import QColor, QPainter
from qtpy.QtWidgets import QToolTip, QWidget

from ..qt.theme import Colours

ROW, MOST_CELL = 20, 44


class AgreementMatrix(QWidget):
    """Shows a symmetric table from 0 (as by chance) to 1 (the same)."""

    def __init__(self) -> None:
        super().__init__()
        self.table = pd.DataFrame()
        self.colours: Colours | None = None
        self.setMouseTracking(True)
        self.setAccessibleName("agreement of methods")

    def show_table(self, table: pd.DataFrame, colours: Colours) -> None:
        """Show a square table with names."""
        self.table, self.colours = table, colours
        self.setFixedHeight(ROW * (len(table) + 1) + 4 if len(table) else 0)
        self.update()

    def cell(self, row: int, column: int) -> QRectF:
        """Place of a cell."""
        left, size = self._layout()
        return QRectF(left + column * size, ROW * (row + 1), size, ROW)

    def _layout(self) -> tuple[float, float]:
        names = [f"{i + 1}  {n}" for i, n in enumerate(self.table.columns)]
        wanted = max((self.fontMetrics().horizontalAdvance(n) for n in names), default=0) + 10
        left = min(wanted, self.width() * 0.45)
        return left, min((self.width() - left - 2) / max(len(self.table), 1), MOST_CELL)

    def paintEvent(self, event: Any) -> None:
        if self.colours is None or not len(self.table):
            return
        painter, c = QPainter(self), self.colours
        font = painter.font()
        font.setPointSizeF(8)
        painter.setFont(font)
        ramp = c.ramp()
        left, size = self._layout()
        values = self.table.to_numpy(float)
        for row, name in enumerate(self.table.columns):
            painter.setPen(QColor(c.text))
            text = painter.fontMetrics().elidedText(f"{row + 1}  {name}", Qt.TextElideMode.ElideMiddle, int(left) - 6)
            side = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(0, ROW * (row + 1), left - 6, ROW), int(side), text)
            painter.setPen(QColor(c.secondary))
            painter.drawText(QRectF(left + row * size, 0, size, ROW), int(Qt.AlignmentFlag.AlignCenter), str(row + 1))
            for column in range(len(self.table)):
                value = values[row, column]
                box = self.cell(row, column).adjusted(1, 1, -1, -1)
                shade = ramp[int(np.clip(np.nan_to_num(value), 0, 1) * 200)]
                painter.fillRect(box, QColor(*(int(v) for v in shade[:3])))
                text = "1" if value >= 0.995 else f"{value:.2f}".replace("0.", ".", 1)
                if row == column or value != value or painter.fontMetrics().horizontalAdvance(text) > box.width():
                    continue  # where cells are narrow the shade and the tooltip say it
                light = np.dot(shade[:3], [0.3, 0.6, 0.1]) > 128
                painter.setPen(QColor("#131417" if light else "#f6f7f9"))
                painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), text)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and len(self.table):
            left, size = self._layout()
            row, column = int(event.pos().y() // ROW) - 1, int((event.pos().x() - left) // size)
            if 0 <= row < len(self.table) and 0 <= column < len(self.table):
                names = self.table.columns
                value = self.table.to_numpy(float)[row, column]
                QToolTip.showText(event.globalPos(), f"{names[row]}, {names[column]}: {value:.2f}", self)
                return True
        return bool(super().event(event))
