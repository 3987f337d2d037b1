"""Table of stimuli that can be edited and loaded."""

from __future__ import annotations

import pandas as pd
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget

from ...model.errors import InputError
from ...model.recording import check_stimuli, empty_stimuli
from ..qt.controls import button, label, row

HEADS = ("stimulus", "onset (s)", "offset (s)")
COLUMNS = ("name", "onset", "offset")


class StimuliTable(QWidget):
    """Name, onset and offset of every stimulus.

    Signals
    -------
    edited()
        The table was changed by the user and is valid.
    loading(what)
        The user wants to load "stimuli" or "behaviour" from a file.
    """

    edited = Signal()
    loading = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.table = QTableWidget(0, 3)
        self.table.setHorizontalHeaderLabels(HEADS)
        self.table.setToolTip(
            "Stimuli: name, onset and offset in seconds. Double click or F2 edits a cell. Default: none."
        )
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(20)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setTabKeyNavigation(False)
        self.table.setShowGrid(False)
        header = self.table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)
            self.table.setColumnWidth(column, 82)
        self.table.setFixedHeight(124)
        self.table.itemChanged.connect(lambda *_: self._changed())
        self.load_button = button(
            "Load…", lambda: self.loading.emit("stimuli"), "Stimuli from a CSV with columns name, onset, offset (s)."
        )
        self.behaviour_button = button(
            "Behaviour…",
            lambda: self.loading.emit("behaviour"),
            "Behaviour of the open worm from a CSV: time (s) and one column a channel; 0/1 columns are shaded in the plots.",
        )
        self.add_button = button("Add", self.add, "Add a stimulus after the last one.")
        self.remove_button = button("Remove", self.remove, "Remove the chosen stimuli.")
        for one in (self.load_button, self.behaviour_button, self.add_button, self.remove_button):
            one.setObjectName("tight")
        self.trouble = label("", "warning", wrap=True)
        self.trouble.hide()
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(4)
        box.addWidget(self.table)
        box.addWidget(self.trouble)
        box.addLayout(
            row(self.add_button, self.remove_button, None, self.load_button, self.behaviour_button, spacing=4)
        )
        self._quiet = False

    def set_value(self, stimuli: pd.DataFrame | None) -> None:
        """Show these stimuli."""
        stimuli = empty_stimuli() if stimuli is None else stimuli
        self._quiet = True
        self.table.setRowCount(len(stimuli))
        for place, one in enumerate(stimuli.itertuples()):
            self._fill(place, str(one.name), float(one.onset), float(one.offset))
        self._quiet = False
        self.trouble.hide()

    def value(self) -> pd.DataFrame:
        """Stimuli as they stand in the table; raises `InputError` if they cannot be."""
        rows = []
        for place in range(self.table.rowCount()):
            items = [self.table.item(place, c) for c in range(3)]
            texts = [item.text().strip() if item is not None else "" for item in items]
            if not any(texts):
                continue
            try:
                rows.append((texts[0], _number(items[1]), _number(items[2])))
            except ValueError:
                raise InputError(
                    f"stimulus {place + 1} has no number as onset or offset", fix="Give both in seconds."
                ) from None
        return check_stimuli(pd.DataFrame(rows, columns=list(COLUMNS))) if rows else empty_stimuli()

    def add(self) -> None:
        """Add a stimulus after the last one, and edit its name."""
        try:
            old = self.value()
        except InputError:
            old = empty_stimuli()
        start = float(old["offset"].max()) + 10.0 if len(old) else 10.0
        length = float((old["offset"] - old["onset"]).iloc[-1]) if len(old) else 10.0
        self._quiet = True
        place = self.table.rowCount()
        self.table.setRowCount(place + 1)
        self._fill(place, f"stimulus {place + 1}", start, start + length)
        self._quiet = False
        self._changed()
        self.table.setCurrentCell(place, 0)
        self.table.setFocus()

    def remove(self) -> None:
        """Remove the chosen stimuli."""
        places = sorted({i.row() for i in self.table.selectedIndexes()}, reverse=True)
        self._quiet = True
        for place in places:
            self.table.removeRow(place)
        self._quiet = False
        if places:
            self._changed()

    def _fill(self, place: int, name: str, onset: float, offset: float) -> None:
        values: tuple[str | float, ...] = (name, onset, offset)
        for column, value in enumerate(values):
            item = QTableWidgetItem(_text(value))
            if column:
                item.setData(Qt.ItemDataRole.UserRole, value)
                item.setTextAlignment(int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter))
            self.table.setItem(place, column, item)

    def _changed(self) -> None:
        if self._quiet:
            return
        try:
            self.value()
        except InputError as error:
            self.trouble.setText(str(error))
            self.trouble.show()
            return
        self.trouble.hide()
        self.edited.emit()


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.3f}".rstrip("0").rstrip(".")


def _number(item: QTableWidgetItem | None) -> float:
    """Number of a cell: the exact one where the text was not edited."""
    text = "" if item is None else item.text().strip()
    exact = None if item is None else item.data(Qt.ItemDataRole.UserRole)
    return float(exact) if exact is not None and _text(float(exact)) == text else float(text.replace(",", "."))
