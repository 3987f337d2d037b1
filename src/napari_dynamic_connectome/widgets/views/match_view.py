"""Match of components with those of another fit: another rank of the same sweep, or another session."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from ..qt.controls import button, label, row
from ..qt.table_view import Column, Table

MODES = ("pair", "time", "worm")


class MatchView(QWidget):
    """Choice of the other fit and the table of partners.

    Signals
    -------
    chosen(component)
        A row was chosen: the component of this fit.
    """

    chosen = Signal(int)

    def __init__(self, work: Any) -> None:
        super().__init__()
        self.work = work
        self.rank = QComboBox()
        self.rank.setToolTip("Match to another rank of the same sweep. Default: none.")
        self.rank.setAccessibleName("rank to compare with")
        self.rank.activated.connect(lambda *_: self._to_rank(self.rank.currentData()))
        self.session_button = button(
            "Session…", self.ask, "Match to the components of a saved session: which belong together, and how alike."
        )
        self.note = label("Choose a rank of the sweep, or a saved session.", "secondary", wrap=True)
        self.table = Table(
            [
                Column("here", lambda r: str(int(r["component_a"])), 44, right=True),
                Column("there", lambda r: str(int(r["component_b"])), 48, right=True),
                Column(
                    "similarity",
                    lambda r: _two(r["similarity"]),
                    96,
                    bar=lambda r: max(float(r["similarity"]), 0.0),
                    tip="Product of the cosines, 1 = the same.",
                ),
                *(
                    Column(mode, partial(_cosine, mode), 46, right=True, tip=f"Cosine of the {mode} factors.")
                    for mode in MODES
                ),
            ]
        )
        self.table.setToolTip("Components of this fit and of the other that match best. Choosing a row shows both.")
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._picked())
        self.table.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row(self.rank, self.session_button, None))
        layout.addWidget(self.note)
        layout.addWidget(self.table)

    def fill(self, sweep: Any, rank: int) -> None:
        """Offer the other ranks of a sweep; what was matched before no longer holds."""
        self.rank.clear()
        self.rank.addItem("another rank", 0)
        for one in sorted(sweep.components) if sweep is not None else ():
            if one != rank:
                self.rank.addItem(f"rank {one}", one)
        self.rank.setEnabled(self.rank.count() > 1)
        self.table.hide()
        self.note.setText("Choose a rank of the sweep, or a saved session.")

    def _to_rank(self, rank: int) -> None:
        sweep = self.work.session.sweep
        if rank and sweep is not None and rank in sweep.components:
            other = sweep.components[rank]
            self._start(f"rank {rank}", lambda: other)

    def ask(self, path: str | None = None) -> Any | None:
        """Ask for a session and match to its components."""
        if path is None:
            from qtpy.QtWidgets import QFileDialog

            path = QFileDialog.getExistingDirectory(self, "Session to compare with")
        if not path:
            return None
        source = Path(path)

        def load() -> Any:
            from ...model.errors import InputError
            from ...session.save_load import find_session, load_session

            other = load_session(find_session(source)).components
            if other is None:
                raise InputError("this session has no components", where=str(source), fix="Analyze its cohort first.")
            return other

        return self._start(source.name, load)

    def _start(self, words: str, load: Any) -> Any:
        mine = self.work.session.components

        def run(progress: Any, cancel: Any) -> Any:
            from ...factorization.match import match_components

            return match_components(mine, load())

        def done(found: Any) -> None:
            if self.work.session.components is mine:
                self.show_match(words, found)

        return self.work.jobs.start("Match components", run, done)

    def show_match(self, words: str, found: Any) -> None:
        """Show a matching."""
        self.note.setText(
            f"{words}: score {found.score:.2f} over {len(found.table)} components, {found.n_pairs} pairs in common "
            f"(compared: {', '.join(found.modes)})"
        )
        self.table.rows_model.set_rows(found.table.to_dict("records"))
        for place, mode in enumerate(MODES):
            self.table.setColumnHidden(3 + place, bool(found.table[mode].isna().all()))
        self.table.setFixedHeight(min(len(found.table), 8) * 20 + 28)
        self.table.show()

    def _picked(self) -> None:
        rows = self.table.chosen()
        if rows and not self.table.quiet:
            self.chosen.emit(int(rows[0]["component_a"]))


def _cosine(mode: str, values: Any) -> str:
    return _two(values[mode])


def _two(value: Any) -> str:
    return "–" if value is None or value != value else f"{value:.2f}"
