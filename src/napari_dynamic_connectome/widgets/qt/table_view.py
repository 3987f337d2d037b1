"""Tables: one model for rows of plain values, and a delegate that paints bars and fills selected cells alike."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QItemSelectionModel, QModelIndex, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QPainter
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QStyle, QStyledItemDelegate, QTableView

BAR = int(Qt.ItemDataRole.UserRole) + 1


@dataclass(frozen=True)
class Column:
    """One column: its head, what it shows of a row, its width (0 = takes what is left)."""

    head: str
    text: Callable[[Any], str]
    width: int = 0
    right: bool = False
    tip: str = ""
    bar: Callable[[Any], float] | None = None
    icon: Callable[[Any], Any] | None = None
    muted: bool = False
    bold: Callable[[Any], bool] = field(default=lambda row: False)
    strike: Callable[[Any], bool] = field(default=lambda row: False)


class Rows(QAbstractTableModel):
    """Rows of any objects, shown through columns."""

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__()
        self.columns = list(columns)
        self.rows: list[Any] = []
        self.muted = QColor("#888888")
        self.row_tip: Callable[[Any], str] | None = None

    def set_rows(self, rows: Sequence[Any]) -> None:
        """Replace the rows; keeps selection and scroll position where the number of rows is the same."""
        if len(rows) == len(self.rows):
            self.rows = list(rows)
            if rows:
                self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(self.columns) - 1))
            return
        self.beginResetModel()
        self.rows = list(rows)
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return len(self.columns)

    def headerData(self, section: int, orientation: Any, role: int = 0) -> Any:
        if orientation == Qt.Orientation.Horizontal:
            column = self.columns[section]
            if role == Qt.ItemDataRole.DisplayRole:
                return column.head
            if role == Qt.ItemDataRole.ToolTipRole:
                return column.tip or None
            if role == Qt.ItemDataRole.TextAlignmentRole:
                side = Qt.AlignmentFlag.AlignRight if column.right else Qt.AlignmentFlag.AlignLeft
                return int(side | Qt.AlignmentFlag.AlignVCenter)
        return None

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        if not index.isValid() or index.row() >= len(self.rows):
            return None
        row, column = self.rows[index.row()], self.columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(row)
        if role == BAR:
            return column.bar(row) if column.bar else None
        if role == Qt.ItemDataRole.DecorationRole:
            return column.icon(row) if column.icon else None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column.right else Qt.AlignmentFlag.AlignLeft
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.ForegroundRole and column.muted:
            return self.muted
        if role == Qt.ItemDataRole.FontRole:
            bold, strike = column.bold(row), column.strike(row)
            if bold or strike:
                font = QFont()
                font.setPointSizeF(9)
                font.setBold(bold)
                font.setStrikeOut(strike)
                return font
        if role == Qt.ItemDataRole.ToolTipRole:
            return (self.row_tip(row) if self.row_tip else column.tip) or None
        return None


class BarDelegate(QStyledItemDelegate):
    """Paints a bar before the number, and selected cells in one colour."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.bar, self.track, self.text, self.chosen = (QColor(c) for c in ("#b9bec7", "#3a3d45", "#eeeeee", "#333366"))
        self.lit: frozenset[int] = frozenset()
        """Rows of the neuron that is under the mouse in another view."""

    def paint(self, painter: QPainter, option: Any, index: QModelIndex) -> None:
        value = index.data(BAR)
        if index.row() in self.lit and not option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, self.track)
        if value is None:
            option.state &= ~QStyle.StateFlag.State_HasFocus
            super().paint(painter, option, index)
            return
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, self.chosen)
        if value != value:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(option.rect).adjusted(4, 0, -4, 0)
        text = index.data(Qt.ItemDataRole.DisplayRole) or ""
        width = max(area.width() - 34, 8)
        track = QRectF(area.left(), area.center().y() - 2, width, 4)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.track)
        painter.drawRoundedRect(track, 2, 2)
        painter.setBrush(self.bar)
        painter.drawRoundedRect(QRectF(track.left(), track.top(), track.width() * min(max(value, 0), 1), 4), 2, 2)
        painter.setPen(self.text)
        painter.drawText(area, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), text)
        painter.restore()


class Table(QTableView):
    """A flat table with 20 px rows, whole rows selected, no grid."""

    def __init__(self, columns: Sequence[Column], *, multi: bool = False) -> None:
        super().__init__()
        self.rows_model = Rows(columns)
        self.setModel(self.rows_model)
        self.delegate = BarDelegate(self)
        self.setItemDelegate(self.delegate)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        mode = QAbstractItemView.SelectionMode
        self.setSelectionMode(mode.ExtendedSelection if multi else mode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(20)
        self.verticalHeader().setMinimumSectionSize(20)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(16)
        for place, column in enumerate(columns):
            if column.width:
                header.setSectionResizeMode(place, QHeaderView.ResizeMode.Interactive)
                self.setColumnWidth(place, column.width)
            else:
                header.setSectionResizeMode(place, QHeaderView.ResizeMode.Stretch)
        self.quiet = False

    def set_colours(self, colours: Any) -> None:
        """Colours of bars and secondary text."""
        self.delegate.bar, self.delegate.track = QColor(colours.bar), QColor(colours.track)
        self.delegate.text, self.delegate.chosen = QColor(colours.text), QColor(colours.chosen)
        self.rows_model.muted = QColor(colours.secondary)
        self.viewport().update()

    def light(self, rows: Collection[int]) -> None:
        """Mark rows, without choosing them."""
        if self.delegate.lit != frozenset(rows):
            self.delegate.lit = frozenset(rows)
            self.viewport().update()

    def chosen(self) -> list[Any]:
        """Selected rows, in order."""
        places = sorted({i.row() for i in self.selectionModel().selectedRows()})
        return [self.rows_model.rows[i] for i in places if i < len(self.rows_model.rows)]

    def choose(self, places: Sequence[int], *, scroll: bool = True) -> None:
        """Select these rows without telling anyone."""
        self.quiet = True
        try:
            model = self.selectionModel()
            now = {i.row() for i in model.selectedRows()}
            if now != set(places):
                model.clearSelection()
                flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
                for place in places:
                    model.select(self.rows_model.index(place, 0), flags)
                if places:
                    index = self.rows_model.index(places[0], 0)
                    model.setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)
                    if scroll:
                        self.scrollTo(index)
        finally:
            self.quiet = False
