"""Named groups of neurons: kept from what is chosen, chosen again with one click, coloured by, compared with communities and classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QLineEdit

from ...display.features import GROUPS
from ...display.scene import community_of, shown_styles
from ...model.errors import InputError
from ...pipeline.groups import set_words
from ...session.freshness import at_analysis, present_neurons
from ...session.groups import keep_group, members_here
from ..qt.controls import Choice, Panel, button, label, row
from ..qt.table_view import Column, Table

ALPHA = 0.05
"""Largest q of what is printed in bold."""
COMPARE = (
    "How many neurons the group shares with communities, classes, ganglia, sides and other groups, and how many chance gives: neurons "
    "exchange places, left and right of a pair together (for sides: left and right exchange places)."
)


class GroupsPanel(Panel):
    """Keeps, chooses, changes, removes and compares groups.

    Parameters
    ----------
    work : Workspace
    """

    def __init__(self, work: Any) -> None:
        super().__init__(work)
        self.found: Any = None
        """What groups share, as `report.named_suggestions.name_groups` gives it; None before."""
        self._of: tuple[Any, ...] = ()
        self.list = Choice()
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
        self.compare_button = button("Compare", self.compare, COMPARE)
        self.compare_button.setObjectName("tight")
        self.answer = label("", "secondary", wrap=True)
        self.answer.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.table = Table(
            [
                Column("shares with", _short, 0, bold=lambda r: r["q_value"] <= ALPHA),
                Column("neurons", lambda r: f"{r['shared']} of {r['members']}", 46, right=True),
                Column("chance", lambda r: f"{r['expected']:.1f}", 44, right=True, tip="mean number that chance gives"),
                Column("p", lambda r: _p(r["p_value"]), 48, right=True, tip="chance of as many or more"),
                Column("q", lambda r: _p(r["q_value"]), 48, right=True, tip="p corrected for all sets of this kind"),
            ]
        )
        self.table.setFixedHeight(128)
        self.table.rows_model.row_tip = _tip
        self.table.setToolTip("What the group shares, the least likely first. A click chooses the shared neurons.")
        self.table.setAccessibleName("what the group shares")
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._chosen())
        first, second, third = row(spacing=4), row(spacing=4), row(spacing=4)
        first.addWidget(self.list, 1)
        for one in (self.choose_button, self.remove_button, self.colour_button):
            first.addWidget(one)
        second.addWidget(self.name, 1)
        second.addWidget(self.keep_button)
        second.addWidget(self.rename_button)
        third.addWidget(self.compare_button)
        third.addWidget(self.answer, 1)
        self.stack(first, second, self.text, third, self.bar, self.table)

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
        self._show_compared(self.list.currentText())
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

    def _show_compared(self, name: str) -> None:
        """Show what the group shares, if that was computed and nothing changed since."""
        current = self.found is not None and self._same(self._basis())
        self.compare_button.setVisible(bool(name))
        self.answer.setVisible(bool(name))
        self.table.setVisible(bool(name) and current)
        if not current:
            self.answer.setText("with communities, classes, ganglia, sides" if name else "")
            return
        own = self.found[self.found["group"] == name]
        shown = own[own["shared"] > 0].sort_values(["q_value", "p_value", "ratio"], ascending=[True, True, False])
        rows = [r | {"words": set_words(pd.Series(r))} for r in shown.to_dict("records")]
        sure = sum(r["q_value"] <= ALPHA for r in rows)
        if not len(own):
            words = f"{name} has fewer than two named neurons"
        else:
            words = f"shares more than chance gives with {sure} of {len(own)} (q ≤ {ALPHA:g})"
        self.answer.setText(words)
        self.table.set_colours(self.work.scene.colours)
        self.table.rows_model.set_rows(rows)
        self.answered()

    def _basis(self) -> tuple[Any, ...]:
        """What a comparison is made of; the same objects as long as nothing changed."""
        session = self.work.session
        return (session.groups, session.left_out, *session.recordings.values(), *session.communities.values())

    def _same(self, basis: tuple[Any, ...]) -> bool:
        return len(basis) == len(self._of) and all(a is b for a, b in zip(basis, self._of, strict=True))

    def compare(self) -> Any | None:
        """Compare all groups in the background."""
        session = self.work.session
        if not session.groups or self.bar.job is not None:
            return None
        snapshot, basis = session.snapshot(), self._basis()

        def run(progress: Any, cancel: Any) -> Any:
            from ...pipeline.groups import enrich_groups
            from ...report.named_suggestions import name_groups

            return name_groups(enrich_groups(snapshot, progress=progress, cancel=cancel), snapshot)

        def done(found: Any) -> None:
            self.found, self._of = found, basis
            self.show_groups()

        self.asked()
        job = self.work.jobs.start("Compare groups", run, done)
        self.bar.watch(job)
        return job

    def _chosen(self) -> None:
        rows, recording = self.table.chosen(), self.work.session.recording
        if self.table.quiet or not rows or recording is None:
            return
        here = recording.neurons.index
        shared = tuple(str(rows[0]["shared_neurons"]).split("; "))
        if rows[0]["beside"] in ("core", "modules"):
            shared = present_neurons(self.work.session, shared)  # results call them as they did then
        self.work.session.select(neurons=tuple(n for n in shared if n in here))

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


def _short(line: dict[str, Any]) -> str:
    """Name of a set where there is little room."""
    if line["beside"] in ("core", "modules"):
        return f"{line['community_name']} (comp. {line['component']}, {line['beside']})"
    return str(line["words"])


def _p(value: float) -> str:
    return f"{value:.2g}" if value >= 0.001 else f"{value:.0e}"


def _tip(line: dict[str, Any]) -> str:
    return (
        f"{line['words']}: {line['shared']} of {line['members']} members of the group, of {line['set_members']} in it, among "
        f"{line['n_neurons']} neurons.\nChance gives {line['expected']:.2f}, as many or more with p {line['p_value']:.2g}; q "
        f"{line['q_value']:.2g} over all sets of this kind.\n{line['shared_neurons']}"
    )
