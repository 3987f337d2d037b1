"""Tables: one model for rows of plain values, and a delegate that paints bars and fills selected cells alike."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QItemSelectionModel, QModelIndex, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QPainter
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QStyle, QStyledItemDelegate, QTableView

BAR = int(Qt.ItemDataRole.UserRole) + 1
# As numbers: Qt asks for eight of them whenever it paints a cell.
DISPLAY, DECORATION, ALIGNMENT, FOREGROUND, FONT, TOOL_TIP = (
    int(getattr(Qt.ItemDataRole, name))
    for name in ("DisplayRole", "DecorationRole", "TextAlignmentRole", "ForegroundRole", "FontRole", "ToolTipRole")
)
FEW = 24
"""Up to so many rows that changed, Qt is told cell by cell: it paints all that is seen of them anyway."""
LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)


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

    def look(self, row: Any) -> tuple[Any, ...]:
        """What is seen of a row in this column, to be compared; values that are missing are equal."""
        value = self.bar(row) if self.bar else None
        icon = id(self.icon(row)) if self.icon else 0
        return self.text(row), None if value != value else value, icon, self.bold(row), self.strike(row)


def _same(old: Any, new: Any) -> bool:
    """Whether two rows are known to hold the same: not where they cannot be compared."""
    if old is new or not isinstance(old, dict) or not isinstance(new, dict):
        return False
    try:
        return bool(old == new)
    except ValueError:  # they hold arrays
        return False


class Rows(QAbstractTableModel):
    """Rows of any objects, shown through columns."""

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__()
        self.columns = list(columns)
        self.rows: list[Any] = []
        self.muted = QColor("#888888")
        self.row_tip: Callable[[Any], str] | None = None
        self._fonts: dict[tuple[bool, bool], QFont] = {}

    def set_rows(self, rows: Sequence[Any]) -> None:
        """Replace the rows; keeps selection and scroll position where the number of rows is the same.

        Only the cells that look otherwise than before are said to be changed.
        """
        if len(rows) == len(self.rows):
            before, self.rows = self.rows, list(rows)
            for first, last, left, right in self._changed(before, self.rows):
                self.dataChanged.emit(self.index(first, left), self.index(last, right))
            return
        self.beginResetModel()
        self.rows = list(rows)
        self.endResetModel()

    def _changed(self, before: Sequence[Any], after: Sequence[Any]) -> list[tuple[int, int, int, int]]:
        """Blocks of cells that look different: first and last row, first and last column."""
        places = [i for i, (old, new) in enumerate(zip(before, after, strict=True)) if not _same(old, new)]
        if len(places) > FEW:
            return [(places[0], places[-1], 0, len(self.columns) - 1)]
        found: list[tuple[int, int, int, int]] = []
        for place in places:
            old, new = before[place], after[place]
            # the same row may have been changed in place
            here = [i for i, c in enumerate(self.columns) if old is new or c.look(old) != c.look(new)]
            if here:
                found.append((place, place, here[0], here[-1]))
        return found

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
        if role == DISPLAY:
            return column.text(row)
        if role == BAR:
            return column.bar(row) if column.bar else None
        if role == DECORATION:
            return column.icon(row) if column.icon else None
        if role == ALIGNMENT:
            return RIGHT if column.right else LEFT
        if role == FOREGROUND and column.muted:
            return self.muted
        if role == FONT:
            bold, strike = bool(column.bold(row)), bool(column.strike(row))
            return self._font(bold, strike) if bold or strike else None
        if role == TOOL_TIP:
            return (self.row_tip(row) if self.row_tip else column.tip) or None
        return None

    def _font(self, bold: bool, strike: bool) -> QFont:
        if (bold, strike) not in self._fonts:
            font = self._fonts[bold, strike] = QFont()
            font.setPointSizeF(9)
            font.setBold(bold)
            font.setStrikeOut(strike)
        return self._fonts[bold, strike]


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
        self._colours: Any = None

    def set_colours(self, colours: Any) -> None:
        """Colours of bars and secondary text."""
        if colours == self._colours:
            return
        self._colours = colours
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
