"""Named groups of neurons: kept from what is chosen, chosen again with one click, coloured by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QLineEdit

from ...display.features import GROUPS
from ...display.scene import community_of, shown_styles
from ...model.errors import InputError
from ...session.freshness import at_analysis
from ...session.groups import keep_group, members_here
from ..qt.controls import Panel, button, label, row


class GroupsPanel(Panel):
    """Keeps, chooses, changes and removes groups.

    Parameters
    ----------
    work : Workspace
    """

    def __init__(self, work: Any) -> None:
        super().__init__(work)
        self.list = QComboBox()
        self.list.setToolTip("Groups that are kept with the session. Choosing one chooses its neurons. Default: none.")
        self.list.setAccessibleName("group")
        self.list.setPlaceholderText("no group yet")
        self.list.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.list.setMinimumContentsLength(8)
        self.list.activated.connect(lambda *_: self.choose())
        self.name = QLineEdit()
        self.name.setPlaceholderText("name of a group")
        self.name.setToolTip(
            "Name under which the chosen neurons are kept; that of a group changes it. Enter keeps them. Default: empty."
        )
        self.name.setAccessibleName("name of a group")
        self.name.returnPressed.connect(self.keep)
        self.keep_button = button("Keep chosen", self.keep, "Keep the chosen neurons as a group of this name.")
        self.rename_button = button(
            "Rename", self.rename, "Give the group that is shown the name that was typed; its colour stays."
        )
        self.choose_button = button("Choose", self.choose, "Choose the neurons of the group, in all views.")
        self.remove_button = button(
            "Remove", self.remove, "Remove the group; its neurons stay as they are. Undo brings it back."
        )
        self.colour_button = button(
            "Colour",
            self.colour,
            "Colour neurons by their groups; the key is in the canvas. Default: no.",
            checkable=True,
        )
        for one in (self.keep_button, self.rename_button, self.choose_button, self.remove_button, self.colour_button):
            one.setObjectName("tight")
        self.text = label("", "secondary", wrap=True)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        first, second = row(spacing=4), row(spacing=4)
        first.addWidget(self.list, 1)
        for one in (self.choose_button, self.remove_button, self.colour_button):
            first.addWidget(one)
        second.addWidget(self.name, 1)
        second.addWidget(self.keep_button)
        second.addWidget(self.rename_button)
        self.stack(first, second, self.text, self.bar)

    def show_groups(self) -> str:
        """Show what there is; return it in a few words."""
        session, chosen = self.work.session, self.list.currentText()
        names = list(session.groups)
        place = self.list.currentIndex() if self.list.count() == len(names) else len(names) - 1
        if [self.list.itemText(i) for i in range(self.list.count())] != names:
            self.list.clear()
            self.list.addItems(names)
        self.list.setCurrentIndex(names.index(chosen) if chosen in names else place)
        here = bool(names)
        for one in (self.list, self.choose_button, self.remove_button, self.rename_button):
            one.setEnabled(here)
        self.keep_button.setEnabled(bool(session.selection.neurons))
        view = self.work.view
        self.colour_button.setChecked(view.color_by == "column" and view.column == GROUPS)
        self.colour_button.setEnabled(here or self.colour_button.isChecked())
        self.text.setText(self._about(self.list.currentText()))
        self.text.setVisible(bool(self.text.text()))
        return f"{len(names)} kept" if names else "none kept"

    def _about(self, name: str) -> str:
        """Who belongs to a group, here and in all, and in which communities these are."""
        session = self.work.session
        recording = session.recording
        held = session.groups.get(name, ())
        if recording is None or not held:
            return ""
        here = members_here(session, name, recording)
        words = [
            f"{len(here)} of {len(held)} in {recording.name}: {', '.join(here[:12])}{' …' if len(here) > 12 else ''}"
        ]
        communities = session.shown_communities
        if communities is not None and here:
            then = at_analysis(session, recording)
            places = recording.neurons.index.get_indexer(list(here))
            found = community_of(recording, communities, session.selection.level, then)[places]
            look = shown_styles(session)
            counts = [
                f"{int((found == c).sum())} in {look[c].label if c in look else 'none'}"
                for c in sorted(np.unique(found).tolist(), key=lambda c: (c < 0, c))
            ]
            words.append("communities: " + ", ".join(counts))
        return "\n".join(words)

    def keep(self) -> None:
        """Keep the chosen neurons under the name that was typed, or that of the group that is shown."""
        session = self.work.session
        name = self.name.text().strip() or self.list.currentText()
        if not session.selection.neurons:
            return
        if self._done(lambda: keep_group(session, name, session.selection.neurons)):
            self._show(name)

    def rename(self) -> None:
        """Give the group that is shown the name that was typed."""
        new = self.name.text().strip()
        if self._done(lambda: self.work.session.rename_group(self.list.currentText(), new)):
            self._show(new)

    def _done(self, change: Callable[[], None]) -> bool:
        """Change groups; what refuses it stays beside the buttons."""
        self.bar.clear()
        try:
            change()
        except InputError as error:
            self.bar.fail(str(error))
            return False
        return True

    def _show(self, name: str) -> None:
        self.name.clear()
        self.show_groups()
        self.list.setCurrentText(name)
        self.show_groups()

    def choose(self) -> None:
        """Choose the neurons of the group."""
        session = self.work.session
        recording = session.recording
        if recording is not None and self.list.currentText():
            session.select(neurons=members_here(session, self.list.currentText(), recording))
        self.show_groups()

    def remove(self) -> None:
        """Remove the group."""
        name = self.list.currentText()
        if name:
            self._done(lambda: self.work.session.set_group(name, ()))
        if not self.work.session.groups and self.work.view.column == GROUPS:
            self.work.view.set(color_by="community")

    def colour(self) -> None:
        """Colour by groups, or by communities again."""
        if self.colour_button.isChecked():
            self.work.view.set(column=GROUPS, color_by="column")
        else:
            self.work.view.set(color_by="community")
