"""History of the open worm and of the named groups: who changed what, and when, the last edit first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QListWidget, QListWidgetItem

MOST = 300


def local(when: str) -> str:
    """Time in the user's own zone, to the minute."""
    try:
        return datetime.fromisoformat(when).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return when[:16]


class HistoryList(QListWidget):
    """Edits as lines; Enter or a double click goes to the neuron (its label), or to the group (its name)."""

    def __init__(self, go: Callable[[int | str], Any]) -> None:
        super().__init__()
        self.setFixedHeight(120)
        self.setToolTip(
            "Every change of a name, confidence, flag, note or group: when, who, what; the last one first. Undo takes the last one "
            "back; taking back is a line of its own, nothing is erased. Enter or a double click goes to the neuron or group."
        )
        self.setAccessibleName("changes")
        self.itemActivated.connect(lambda item: go(item.data(Qt.ItemDataRole.UserRole)))
        self._shown: Any = None

    def show_history(self, session: Any) -> str:
        """Show the edits of the current recording and of groups; returns a summary."""
        key = (session.current, len(session.history))
        edits = [e for e in session.history if (e.recording == session.current or e.of_groups) and e.changes]
        if key != self._shown:
            self._shown = key
            self.clear()
            for edit in reversed(edits[-MOST:]):
                item = QListWidgetItem(f"{local(edit.when)}   {edit.who}   {edit.text}")
                label, column = edit.changes[-1][:2]
                item.setData(Qt.ItemDataRole.UserRole, str(column) if edit.of_groups else int(label))
                item.setToolTip("\n".join(_line(edit.of_groups, *change) for change in edit.changes))
                self.addItem(item)
        if not edits:
            return "nothing changed yet"
        return f"{len(edits)} changes, last by {edits[-1].who} on {local(edits[-1].when)}"


def _line(of_groups: bool, label: int, column: str, old: Any, new: Any) -> str:
    if of_groups:
        return f"group {column}: {_text(', '.join(map(str, old)))} → {_text(', '.join(map(str, new)))}"
    return f"neuron {label}, {column}: {_text(old)} → {_text(new)}"


def _text(value: Any) -> str:
    return "empty" if value == "" or value != value else str(value)
