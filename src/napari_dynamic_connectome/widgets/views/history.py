"""History of the open worm: who changed what, and when, the last edit first."""

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
    """Edits as lines; Enter or a double click goes to the neuron."""

    def __init__(self, go: Callable[[int], Any]) -> None:
        super().__init__()
        self.setFixedHeight(120)
        self.setToolTip(
            "Every change of a name, confidence, flag or note: when, who, what; the last one first. Undo takes the last one back; "
            "taking back is a line of its own, nothing is erased. Enter or a double click goes to the neuron."
        )
        self.setAccessibleName("changes")
        self.itemActivated.connect(lambda item: go(item.data(Qt.ItemDataRole.UserRole)))
        self._shown: Any = None

    def show_history(self, session: Any) -> str:
        """Show the edits of the current recording; returns a summary."""
        key = (session.current, len(session.history))
        edits = [e for e in session.history if e.recording == session.current and e.changes]
        if key != self._shown:
            self._shown = key
            self.clear()
            for edit in reversed(edits[-MOST:]):
                item = QListWidgetItem(f"{local(edit.when)}   {edit.who}   {edit.text}")
                item.setData(Qt.ItemDataRole.UserRole, int(edit.changes[0][0]))
                item.setToolTip(
                    "\n".join(f"neuron {n}, {c}: {_text(old)} → {_text(new)}" for n, c, old, new in edit.changes)
                )
                self.addItem(item)
        if not edits:
            return "nothing changed yet"
        return f"{len(edits)} changes, last by {edits[-1].who} on {local(edits[-1].when)}"


def _text(value: Any) -> str:
    return "empty" if value == "" or value != value else str(value)
