"""Choice of what neurons are coloured by: results, names, activity, a correlation, or any column of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QComboBox, QSizePolicy

from ...display.features import columns
from ...display.scene import COLOR_BY

if TYPE_CHECKING:
    from ..workspace.workspace import Workspace

WORDS = {
    "community": "Community",
    "strength": "Strength",
    "probability": "Probability",
    "activity": "Activity",
    "naming": "Names",
}


class ColourBy(QComboBox):
    """Drop-down list of everything that the neurons can be coloured by.

    Parameters
    ----------
    work : Workspace
    """

    def __init__(self, work: Workspace) -> None:
        super().__init__()
        self._work = work
        self.setToolTip(
            "What the neurons are coloured by. A correlation is Pearson's with the chosen neuron or a behaviour; a column begins and "
            "ends at its percentiles 2 and 98. Default: community."
        )
        self.setAccessibleName("colour by")
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(10)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.activated.connect(lambda *_: self._chosen())
        self.fill()

    def fill(self) -> None:
        """Show what is chosen; what else there is, is listed when somebody is about to choose."""
        view = self._work.view
        chosen = (view.color_by, view.column if view.color_by == "column" else "")
        if not self.count() or (view.color_by == "column" and self._place(chosen) < 0):
            self._list()
        self.setCurrentIndex(self._place(chosen))

    def showPopup(self) -> None:
        self._list()
        super().showPopup()

    def focusInEvent(self, event: Any) -> None:
        self._list()
        super().focusInEvent(event)

    def _place(self, chosen: tuple[str, str]) -> int:
        """Place of an entry in the list, -1 if it is not there."""
        return next((i for i in range(self.count()) if tuple(self.itemData(i)) == chosen), -1)

    def _list(self) -> None:
        """List what there is now."""
        wanted = [(WORDS[key], key, "") for key in COLOR_BY]
        wanted += [(name, "column", name) for name in columns(self._work.session)]
        if [self.itemText(i) for i in range(self.count())] == [text for text, _, _ in wanted]:
            return
        self.clear()
        for text, key, name in wanted:
            self.addItem(text, (key, name))
        view = self._work.view
        self.setCurrentIndex(self._place((view.color_by, view.column if view.color_by == "column" else "")))

    def _chosen(self) -> None:
        key, name = self.currentData()
        if key == "column":
            self._work.view.set(column=name, color_by=key)
        else:
            self._work.view.set(color_by=key)
