"""What to test next: neurons to silence, the best first, with the reasons; a click shows the neuron, the table is for the bench."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QComboBox, QFileDialog

from ...model.errors import DynamicConnectomeError
from ..qt.controls import Panel, button, label, row
from ..qt.notify import show_failure, show_info
from ..qt.table_view import Column, Table
from ..qt.theme import Colours
from ..workspace.hover import watch_table

ASK = "Ranks neurons and pairs by how much an experiment on them would tell. What it says are predictions to be tested."


class TestsPanel(Panel):
    """Ranks on demand, in the background.

    Parameters
    ----------
    work : Workspace
    networks : callable
        Gives the connectomes that are open.
    """

    __test__ = False

    def __init__(self, work: Any, networks: Any) -> None:
        super().__init__(work)
        self.networks = networks
        self.found: Any = None
        self.of: Any = None
        self.access: Path | None = None
        self.run_button = button(
            "Suggest", self.suggest, "Rank what to silence, from components, communities and connectomes."
        )
        self.access_button = button(
            "Access…",
            self._ask_access,
            "CSV with neuron, access (0 to 1, or yes, partial, no) and how it is reached. Default: none.",
        )
        self.what = QComboBox()
        self.what.addItems(["neurons", "pairs"])
        self.what.setToolTip("Neurons to silence, or pairs: one to silence, one to record. Default: neurons.")
        self.what.activated.connect(lambda *_: self._fill())
        self.save_button = button("Save…", self._ask_save, "The whole table as CSV, for the bench.")
        self.answer = label(ASK, "secondary", wrap=True)
        self.table = Table(
            [
                Column("", lambda r: str(r["rank"]), 28, right=True),
                Column("silence", lambda r: str(r.get("target", r.get("silence"))), 0),
                Column(
                    "tells",
                    _tells,
                    148,
                    muted=True,
                    tip="confirm: the predicted drop of its community's strength, and of a member like all others. decide: the drop, "
                    "where membership is open. Pairs: which neuron to record.",
                ),
                Column("score", lambda r: f"{r['score']:.3f}", 48, right=True),
            ]
        )
        self.table.setMinimumHeight(130)
        self.table.rows_model.row_tip = lambda r: str(r["reasons"])
        self.table.setToolTip("The best first; the reasons are in the tooltip. A click flies to the neuron.")
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._chosen())
        hover = work.hover
        watch_table(hover, self.table, lambda r: found_of(r, hover))
        buttons = row(self.run_button, self.access_button, None, self.what, self.save_button)
        self.stack(buttons, self.bar, self.answer, self.table)

    def suggest(self) -> Any | None:
        """Rank in the background."""
        session = self.work.session
        components, snapshot = session.components, session.snapshot()
        if components is None or self.bar.job is not None:
            return None
        networks, access = tuple(self.networks()), self.access

        def run(progress: Any, cancel: Any) -> Any:
            from ...io.formats.side_tables import read_access
            from ...pipeline.structure import suggest_for_session
            from ...report.named_suggestions import name_suggestions

            table = None if access is None else read_access(access)
            found = suggest_for_session(snapshot, networks=networks, access=table, progress=progress, cancel=cancel)
            return name_suggestions(found, snapshot)

        def done(found: Any) -> None:
            if session.components is components:
                self.found, self.of = found, components
                self.work.view.changed.emit("tests")

        self.asked()
        job = self.work.jobs.start("What to test next", run, done)
        self.bar.watch(job)
        return job

    def show_for(self, components: Any, colours: Colours) -> str:
        """Show what is suggested for these components; return it in short."""
        current = self.found is not None and self.of is components
        for widget in (self.table, self.what, self.save_button):
            widget.setVisible(current)
        self.table.set_colours(colours)
        if not current:
            self.answer.setText(ASK)
            return "not ranked"
        self.answer.setText("\n".join([self.found.sentence(), *self.found.notes]))
        self._fill()
        self.answered()
        return f"{len(self.found.neurons)} targets"

    def _fill(self) -> None:
        table = self.found.neurons if self.what.currentIndex() == 0 else self.found.pairs
        self.table.rows_model.set_rows(table.to_dict("records"))

    def _chosen(self) -> None:
        rows = self.table.chosen()
        recording = self.work.session.recording
        if self.table.quiet or not rows or recording is None:
            return
        here = set(recording.neurons.index.astype(str))
        wanted = [n for one in named_in(rows[0]) for n in (one, f"{one}L", f"{one}R") if n in here]
        if wanted:
            self.work.session.select(neurons=tuple(wanted))
            self.work.scene.fly_to(wanted[0])

    def _ask_access(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "What can be reached", "", "Tables (*.csv *.tsv);;All files (*)")
        if path:
            self.access = Path(path)
            self.suggest()

    def _ask_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save table", "what_to_test.csv", "CSV (*.csv)")
        if path:
            self.save(Path(path))

    def save(self, path: Path) -> None:
        """Write the table that is shown."""
        from ...io.formats.text_tables import write_csv

        table = self.found.neurons if self.what.currentIndex() == 0 else self.found.pairs
        try:
            write_csv(table, path)
        except (DynamicConnectomeError, OSError) as error:
            show_failure(self.work.viewer, "Save table", error)
            return
        show_info(f"{len(table)} rows in {path.name}")


def _tells(line: dict[str, Any]) -> str:
    if "record" in line:
        return f"record {line['record']}"
    return f"{line['purpose']} {line['predicted_drop']:.0%} / {line['fair_share']:.0%}"


def named_in(line: dict[str, Any]) -> list[str]:
    """Neurons that a row names: to silence, and of a pair to record."""
    named = str(line.get("target", line.get("silence"))).split(" + ")
    return named + ([str(line["record"])] if "record" in line else [])


def found_of(line: dict[str, Any], hover: Any) -> tuple[str, str, tuple[str, ...]]:
    """What the card of a row says: of its first neuron, beside the second, with the reasons."""
    named = [hover.here(n) for n in named_in(line)]
    return named[0], named[1] if len(named) > 1 else "", tuple(str(line["reasons"]).splitlines())
