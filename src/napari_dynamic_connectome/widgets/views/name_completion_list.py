"""List of the names that fit what is typed: the digit that takes it, the name, a bar for its probability, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QModelIndex, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QStyle, QStyledItemDelegate

from ...naming.name_completion import Completion, goes_on, plain
from ..qt.theme import Colours

COMPLETION = int(Qt.ItemDataRole.UserRole)
DIGIT = COMPLETION + 1
ROW = 20


class CompletionList(QListWidget):
    """Names that fit, best first; none is highlighted until something was typed or Down was pressed."""

    def __init__(self, chosen: Callable[[str], Any]) -> None:
        super().__init__()
        self.painter = _Painter(self)
        self.setItemDelegate(self.painter)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setUniformItemSizes(True)
        self.setToolTip(
            "Names that fit: Enter takes the highlighted one, its digit takes one at once, a click too. Struck out: another "
            "neuron has it. Bar: probability (0 to 1) by position, if an atlas is loaded. Nothing is applied by itself."
        )
        self.setAccessibleName("names that fit")
        self.itemClicked.connect(lambda item: chosen(item.data(COMPLETION).name))

    def show_completions(self, found: list[Completion], typed: str, *, highlight: bool, rows: int = 5) -> None:
        """Show these completions."""
        self.painter.typed = plain(typed)
        self.clear()
        for place, completion in enumerate(found):
            item = QListWidgetItem(completion.name)
            item.setData(COMPLETION, completion)
            item.setData(DIGIT, "" if goes_on(typed, str(place + 1)) else str(place + 1))
            item.setToolTip(f"{completion.name}: {completion.why}" + _percent(completion))
            self.addItem(item)
        self.setVisible(bool(found))
        if found:
            self.setFixedHeight(min(len(found), rows) * ROW + 2)
            self.setCurrentRow(0 if highlight else -1)

    def current_name(self) -> str | None:
        """Highlighted name."""
        item = self.currentItem()
        return None if item is None else str(item.data(COMPLETION).name)

    def by_digit(self, typed: str, digit: str) -> str | None:
        """Name that a digit takes; None if the digit is text or there is no such completion."""
        if digit not in "12345678" or goes_on(typed, digit) or int(digit) > self.count():
            return None
        return str(self.item(int(digit) - 1).data(COMPLETION).name)

    def step(self, by: int) -> None:
        """Highlight the next one, round and round."""
        if self.count():
            row = self.currentRow()
            self.setCurrentRow((row + by) % self.count() if row >= 0 else (0 if by > 0 else self.count() - 1))


def _percent(completion: Completion) -> str:
    return (
        f"; probability by position {completion.probability:.2f}"
        if completion.probability == completion.probability
        else ""
    )


class _Painter(QStyledItemDelegate):
    """Paints one completion."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        self.typed = ""
        self.colours: Colours | None = None

    def sizeHint(self, option: Any, index: QModelIndex) -> QSize:
        return QSize(80, ROW)

    def paint(self, painter: QPainter, option: Any, index: QModelIndex) -> None:
        c, completion = self.colours, index.data(COMPLETION)
        if c is None or completion is None:
            super().paint(painter, option, index)
            return
        area = QRectF(option.rect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, QColor(c.chosen))
        middle = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        small = painter.font()
        small.setPointSizeF(8)
        painter.setFont(small)
        painter.setPen(QColor(c.secondary))
        painter.drawText(area.adjusted(5, 0, 0, 0), middle, index.data(DIGIT) or "")
        # The name: what was typed in bold.
        font = painter.font()
        font.setPointSizeF(9)
        font.setStrikeOut(completion.taken_by is not None)
        left = area.left() + 20
        painter.setPen(QColor(c.secondary if completion.taken_by is not None else c.text))
        split = len(self.typed) if self.typed and completion.name.startswith(self.typed) else 0
        for part, bold in ((completion.name[:split], True), (completion.name[split:], False)):
            if part:
                font.setBold(bold)
                painter.setFont(font)
                painter.drawText(QRectF(left, area.top(), 70, area.height()), middle, part)
                left += painter.fontMetrics().horizontalAdvance(part)
        x = area.left() + 78
        if completion.probability == completion.probability:
            wide = area.width() > 300
            bar = 70 if wide else 36
            track = QRectF(x, area.center().y() - 2, bar, 4)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(c.track))
            painter.drawRoundedRect(track, 2, 2)
            painter.setBrush(QColor(c.bar if completion.taken_by is not None else c.accent))
            painter.drawRoundedRect(QRectF(x, track.top(), bar * min(max(completion.probability, 0.0), 1.0), 4), 2, 2)
            small.setPointSizeF(9)
            painter.setFont(small)
            painter.setPen(QColor(c.text))
            painter.drawText(
                QRectF(x + bar + 7, area.top(), 34, area.height()), middle, f"{completion.probability:.2f}"
            )
            x += bar + 42
        small.setPointSizeF(8)
        painter.setFont(small)
        painter.setPen(QColor(c.secondary))
        room = QRectF(x, area.top(), max(area.right() - x - 4, 10), area.height())
        text = painter.fontMetrics().elidedText(completion.why, Qt.TextElideMode.ElideRight, int(room.width()))
        painter.drawText(room, middle, text)
        painter.restore()
