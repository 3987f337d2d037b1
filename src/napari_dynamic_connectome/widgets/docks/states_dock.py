"""States: a few states that switch, over the worms' time, with the network of each and what speaks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QFileDialog, QVBoxLayout

from ...display.states import communities_of, group_styles, state_at
from ...model.errors import InputError
from ...model.state_results import StatesResult
from ...pipeline.states_settings import StatesStepSettings
from ..qt.controls import Fold, button, label, part_of, row, run_key
from ..qt.forms import SettingsForm
from ..views.community_table import CommunityTable, community_rows
from ..views.state_ribbons import DwellPlot, StateRibbons
from ..views.state_tables import AgreementTable, HeldOutTable, StateTable, overall, state_rows
from ..workspace.states import start_states
from .base import Dock
from .connectome_panel import FILES

ORDER = 80
FIELDS = tuple(name for name in StatesStepSettings.model_fields if name != "fit")


NO_WORMS = "No worms yet. Open recordings in the Cohort dock."


class StatesDock(Dock):
    """Switching states of the worms of the session."""

    title = "States"
    place = "lower"
    shows_results = True
    follows = ("Find states", "Redo")

    def build(self, layout: QVBoxLayout) -> None:
        self.run_button = button(
            "Find states",
            self.find_states,
            "Fit states that switch to the ticked worms, and judge them on frames that were kept from the fit (Ctrl+Enter).",
            main=True,
        )
        run_key(self, self.run_button)
        self.wires = button(
            "Connectome…",
            self.ask_connectome,
            "CSV or GraphML of synapses for the prior of the weights. Default: none.",
        )
        self.now = label("", "secondary")
        self.foot.addLayout(row(self.now, self.wires, self.run_button))
        self.form = SettingsForm(StatesStepSettings, fields=FIELDS)
        self.restore(self.form, "states")
        self.fold = Fold("Settings", self.form, summary=self.form.summary())
        self.form.edited.connect(self._edited)
        layout.addWidget(self.fold)
        self.empty = label(NO_WORMS, "empty")
        layout.addWidget(self.empty, 1)
        self.body, inner = part_of(layout)
        self.answer = label("", "", wrap=True)
        self.answer.setAccessibleName("what speaks for the states")
        inner.addWidget(self.answer)
        self.notes = label("", "warning", wrap=True)
        inner.addWidget(self.notes)
        self.ribbons = StateRibbons()
        self.ribbons.clicked.connect(self._go)
        inner.addWidget(self.ribbons)
        self.table = StateTable()
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._state_chosen())
        inner.addWidget(self.table)
        self.group_head, self.group_count = label("", "head"), label("", "secondary")
        self.off = button("Leave", self._leave, "Colour by the communities of the component again.")
        self.off.setObjectName("tight")
        inner.addLayout(row(self.group_head, self.group_count, self.off))
        self.groups = CommunityTable()
        self.groups.setToolTip("Communities of the network of the chosen state. Choose one: it lights up in 3D.")
        self.groups.selectionModel().selectionChanged.connect(lambda *_: self._group_chosen())
        inner.addWidget(self.groups)
        self.dwell, self.held_out, self.agreement = DwellPlot(), HeldOutTable(), AgreementTable()
        self.folds = {
            "dwell": Fold("Dwell times", self.dwell),
            "held out": Fold("Held-out frames", self.held_out),
            "agreement": Fold("Behaviour and components", self.agreement),
        }
        for fold in self.folds.values():
            inner.addWidget(fold)
        inner.addStretch(1)
        self._shown: tuple[Any, ...] = ()
        self._rows: list[dict[str, Any]] = []

    # --- showing ----------------------------------------------------------------------------------------------------

    def refresh(self, topics: set[str]) -> None:
        states, recordings = self.session.states, self.session.recordings
        self.run_button.setEnabled(bool(recordings) and not self.is_running("Find states", "Redo"))
        self.body.setVisible(states is not None)
        self.empty.setVisible(states is None)
        self.empty.setText(
            NO_WORMS
            if not recordings
            else "No states yet. “Find states” explains the ticked worms by a few states that switch, each with its own network."
        )
        self.now.setText("")
        if states is None:
            return
        current, view = self.session.current, self.work.view
        key = (id(states), current, self.colours, view.color_by, view.state, view.state_group)
        if key != self._shown:
            anew = not self._shown or self._shown[:3] != key[:3]
            self._shown = key
            if anew:
                self._show(states, current)
            self._show_state(states)
        time_s = self.session.selection.time_s
        self.ribbons.show_time(time_s)
        here = None if current is None else state_at(states, current, time_s)
        if here is not None:
            self.now.setText(f"state {here} at {time_s:.1f} s")

    def _show(self, states: StatesResult, current: str | None) -> None:
        c = self.colours
        self.answer.setText(states.verdict())
        self.notes.setText(" ".join(states.notes))
        self.notes.setVisible(bool(states.notes))
        self.ribbons.show_states(states, current, c)
        for table in (self.table, self.groups, self.held_out, self.agreement):
            table.set_colours(c)
        self._rows = state_rows(states, c.dark)
        self.table.rows_model.set_rows(self._rows)
        self.table.setFixedHeight(26 + 20 * min(len(self._rows), 8) + 4)
        self.dwell.show_states(states, c)
        median = states.visits()["seconds"].median()
        self.folds["dwell"].summary.setText(f"median {median:.1f} s")
        self.held_out.show_states(states)
        self.folds["held out"].summary.setText(_gain(states))
        if states.agreement is not None and len(states.agreement):
            self.agreement.show_states(states, c.dark)
            found = overall(states)
            sure = int((found["q_value"] < 0.05).sum())
            self.folds["agreement"].summary.setToolTip("Correlations with q below 0.05.")
            self.folds["agreement"].summary.setText(f"{sure} of {len(found)} beyond chance")
        else:
            self.agreement.rows_model.set_rows([])
            self.folds["agreement"].summary.setText("no behaviour, no components")

    def _show_state(self, states: StatesResult) -> None:
        """Show the communities of the chosen state's network."""
        view = self.work.view
        state = view.state if view.by_state else 0
        self.table.choose([i for i, r in enumerate(self._rows) if r["state"] == state])
        found = communities_of(self.session, state)
        self.off.setVisible(bool(state))
        if found is None:
            self.group_head.setText("Network")
            self.group_count.setText("choose a state")
            self._show_groups([])
            return
        look = group_styles(self.session, state, self.colours.dark)
        chosen = view.state_group if view.state_group >= 0 else None
        rows = community_rows(found, found.chosen_level, look, chosen, self.colours.dark)
        self._show_groups(rows)
        self.groups.choose([i for i, r in enumerate(rows) if r["chosen"]])
        self.group_head.setText(f"Network of state {state}")
        self.group_count.setText(found.answer or f"{len(look)} communities")
        self.group_count.setToolTip(found.answer)

    def _show_groups(self, rows: list[dict[str, Any]]) -> None:
        self.groups.set_rows(rows)
        self.groups.setVisible(bool(rows))
        self._fit_groups()

    def _fit_groups(self) -> None:
        self.groups.fit(self.width())
        height = min(self.groups.wanted_height, 26 + 20 * 12) + 4
        if self.groups.height() != height:
            self.groups.setFixedHeight(height)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        if hasattr(self, "groups"):
            self._fit_groups()

    # --- actions ----------------------------------------------------------------------------------------------------

    def _state_chosen(self) -> None:
        rows = self.table.chosen()
        if self.table.quiet or not rows:
            return
        self.session.select(community=None, neurons=())
        self.work.view.set(color_by="state", state=int(rows[0]["state"]), state_group=-1)

    def _group_chosen(self) -> None:
        rows = self.groups.chosen()
        if self.groups.quiet or not rows:
            return
        group = rows[0]["community"]
        self.session.select(community=None, neurons=())
        self.work.view.set(state_group=-1 if group is None else int(group))

    def _leave(self) -> None:
        self.session.select(neurons=())
        self.work.view.set(color_by="community", state=0, state_group=-1)

    def _go(self, worm: str, time_s: float) -> None:
        """Show a worm at a time."""
        if worm in self.session.recordings:
            if worm != self.session.current:
                self.session.set_current(worm)
            times = self.session.recordings[worm].time_s
            self.session.select(time_s=float(times[abs(times - time_s).argmin()]))

    def ask_connectome(self) -> None:
        """Ask for the connectome of the prior."""
        path, _ = QFileDialog.getOpenFileName(self, "Connectome", "", FILES)
        if path:
            self.use_connectome(Path(path))

    def use_connectome(self, path: Path) -> None:
        """Take a connectome for the prior."""
        value = self.form.value()
        self.form.set_value(value.model_copy(update={"connectome": str(path)}))
        self._edited()

    def _edited(self) -> None:
        self.fold.summary.setText(self.form.summary())
        try:
            value = self.form.value()
        except InputError:
            return
        default = StatesStepSettings()
        values = value.model_dump(mode="json")
        self.remember("states", {k: v for k, v in values.items() if v != getattr(default, k)})
        self.work.up_to_date.want("states", values)

    def find_states(self) -> Any | None:
        """Find states in the background; they appear when they are on disk."""
        try:
            settings = self.work.up_to_date.settings().model_copy(update={"states": self.form.value()})
            job = start_states(self.work, settings)
        except InputError as error:
            self.failed("Find states", error)
            return None
        self.bar.watch(job)
        self.run_button.setEnabled(False)
        job.ended.connect(lambda: self.mark("jobs"))
        return job


def _gain(states: StatesResult) -> str:
    """Gain over one state in short."""
    if states.held_out is None:
        return "not tested"
    line = states.held_out[states.held_out["model"] == "states"].iloc[0]
    return f"{line['over_one_state']:+.4f} ± {line['over_one_state_se']:.4f} over one state"
