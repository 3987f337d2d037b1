"""Histogram of what neurons are coloured by, in these colours; the two limits are dragged, or moved with keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from ...display.features import GROUPS, column_colours, column_values, limits
from ...display.palette import hex_color

if TYPE_CHECKING:
    from ..workspace.workspace import Workspace

BINS = 48
GRIP_PX = 7
EDGE = 8
"""Room at the sides in pixels, so that a limit at the end can be taken hold of."""
KEY_STEP = 0.01
"""Share of the range that a key moves a limit by."""


class ColumnLimits(QWidget):
    """Shown where neurons are coloured by a column of numbers, hidden otherwise.

    Parameters
    ----------
    work : Workspace
    """

    def __init__(self, work: Workspace) -> None:
        super().__init__()
        self._work = work
        self.colours: Any = None
        self.counts, self.edges = np.zeros(0), np.zeros(0)
        self.low, self.high = 0.0, 1.0
        self._held = ""
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("limits of the colours")
        self.setToolTip(
            "Values of the neurons, in their colours. Drag a line to set where the colours begin or end; Left and Right move the "
            "lower limit, with Shift the upper one; a double click or Home puts them back. Default: percentiles 2 and 98; of "
            "correlations the largest, around 0."
        )
        self.hide()

    def sizeHint(self) -> QSize:
        return QSize(160, 58)

    def show_column(self, colours: Any) -> None:
        """Show the column that neurons are coloured by now."""
        self.colours, view = colours, self._work.view
        shown = view.color_by == "column" and view.column != GROUPS
        values = column_values(self._work.session, view.column) if shown else np.zeros(0)
        values = values[np.isfinite(values)]
        self.setVisible(len(values) > 0)
        if not len(values):
            return
        self.low, self.high = limits(view.column, values, view.limits.get(view.column))
        first, last = min(values.min(), self.low), max(values.max(), self.high)
        self.counts, self.edges = np.histogram(values, BINS, (float(first), float(last if last > first else first + 1)))
        self.update()

    # --- places -----------------------------------------------------------------------------------------------------

    def x_of(self, value: float) -> float:
        """Pixel of a value."""
        first, last = self.edges[0], self.edges[-1]
        return float(EDGE + (value - first) / (last - first) * (self.width() - 2 * EDGE))

    def value_at(self, x: float) -> float:
        """Value at a pixel, within the range."""
        first, last = self.edges[0], self.edges[-1]
        share = (x - EDGE) / max(self.width() - 2 * EDGE, 1)
        return float(np.clip(first + share * (last - first), first, last))

    # --- moving -----------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: Any) -> None:
        x = event.position().x()
        gaps = {"low": abs(x - self.x_of(self.low)), "high": abs(x - self.x_of(self.high))}
        nearest = min(gaps, key=lambda k: gaps[k])
        self._held = nearest if gaps[nearest] <= GRIP_PX else ""

    def mouseMoveEvent(self, event: Any) -> None:
        if self._held:
            self.move_limit(self._held, self.value_at(event.position().x()))

    def mouseReleaseEvent(self, event: Any) -> None:
        self._held = ""

    def mouseDoubleClickEvent(self, event: Any) -> None:
        self.reset()

    def keyPressEvent(self, event: Any) -> None:
        way = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(event.key())
        if way is not None and len(self.edges):
            which = "high" if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else "low"
            self.move_limit(which, getattr(self, which) + way * KEY_STEP * float(self.edges[-1] - self.edges[0]))
        elif event.key() == Qt.Key.Key_Home:
            self.reset()
        else:
            super().keyPressEvent(event)

    def move_limit(self, which: str, value: float) -> None:
        """Move a limit ("low" or "high") to a value; it does not pass the other one."""
        least = 1e-3 * float(self.edges[-1] - self.edges[0])
        first, last = float(self.edges[0]), float(self.edges[-1])
        low, high = self.low, self.high
        if which == "low":
            low = float(np.clip(value, first, high - least))
        else:
            high = float(np.clip(value, low + least, last))
        view = self._work.view
        view.set(limits=view.limits | {view.column: (low, high)})
        self.low, self.high = low, high
        self.update()

    def reset(self) -> None:
        """Put the limits back to where they are by default."""
        view = self._work.view
        view.set(limits={k: v for k, v in view.limits.items() if k != view.column})

    # --- painting ---------------------------------------------------------------------------------------------------

    def paintEvent(self, event: Any) -> None:
        c = self.colours
        if c is None or not len(self.counts):
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(0, 0, self.width(), self.height() - 14)
        painter.fillRect(area, QColor(c.well))
        middles = (self.edges[1:] + self.edges[:-1]) / 2
        fills = column_colours(middles, self.low, self.high, c.dark, np.zeros(3))
        top = float(np.sqrt(max(self.counts.max(), 1)))
        painter.setPen(Qt.PenStyle.NoPen)
        for count, left, right, fill in zip(self.counts, self.edges[:-1], self.edges[1:], fills, strict=True):
            if count:
                height = float(np.sqrt(count)) / top * (area.height() - 6)
                painter.setBrush(QColor(hex_color(fill)))
                x = self.x_of(float(left))
                painter.drawRect(QRectF(x, area.bottom() - height, max(self.x_of(float(right)) - x - 0.5, 1), height))
        font = painter.font()
        font.setPointSizeF(7.5)
        painter.setFont(font)
        for value, side in ((self.low, Qt.AlignmentFlag.AlignLeft), (self.high, Qt.AlignmentFlag.AlignRight)):
            x = self.x_of(value)
            painter.setPen(QPen(QColor(c.accent), 2))
            painter.drawLine(round(x), 0, round(x), round(area.bottom()))
            painter.setPen(QColor(c.secondary))
            painter.drawText(QRectF(2, area.bottom(), self.width() - 4, 14), int(side), f"{value:.3g}")
        if self.hasFocus():
            painter.setPen(QPen(QColor(c.accent), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(area.adjusted(0.5, 0.5, -0.5, -0.5))
        painter.end()
