"""Names suggested by an atlas of positions, or by another program's table: loaded on demand, never applied by themselves.

The atlas is laid over the neurons again with every name that is given; a table is kept for every worm that it was loaded for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QFileDialog, QWidget

from ...model.errors import DynamicConnectomeError
from ...model.recording import Recording
from ...naming.atlas import LANDMARKS, Suggestion
from ..qt.controls import button, label, row
from ..qt.notify import show_failure

AGAIN_MS = 400


class AtlasNames(QWidget):
    """Loads an atlas and holds what it suggests for the open worm.

    Parameters
    ----------
    work : Workspace
    """

    found = Signal()
    """There are other suggestions."""

    def __init__(self, work: Any) -> None:
        super().__init__()
        self.work = work
        self.names: dict[str, list[Suggestion]] = {}
        """Suggestions by neuron, the likeliest first."""
        self.fitted: Any = None
        """Worm, names and rejected neurons that the suggestions were made for."""
        self._table: Any = None
        self.tables: dict[str, tuple[str, dict[str, list[Suggestion]]]] = {}
        """What was loaded from another program, by worm: name of the file, suggestions by label or id."""
        self._job: Any = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(AGAIN_MS)
        self._timer.timeout.connect(self._suggest_again)
        self.text = label("no suggestions yet", "secondary")
        self.load_button = button(
            "Load atlas…",
            self.load,
            "CSV with columns name, x, y, z in µm (or x_um …, and sd_x … if known): names are then suggested by position, with "
            "their probability. Nothing is applied by itself. Default: none.",
        )
        self.candidates_button = button(
            "Candidates…",
            self.load_candidates,
            "Ranked names of another program for this worm, a CSV: label, name, probability; or label, name_1, probability_1, "
            "name_2, …; or label and a column a name. Nothing is applied by itself. Default: none.",
        )
        self.setLayout(row(self.text, self.load_button, self.candidates_button))

    def forget(self) -> None:
        """Another worm is shown."""
        self.names = {}
        self.fitted = None

    def suggest_soon(self) -> None:
        """Names were given, or another worm is shown: look into its table, or lay the atlas again, if there is one."""
        recording = self.work.session.recording
        if recording is not None and recording.name in self.tables:
            self._show_candidates(recording)
        elif self._table is not None:
            self._timer.start()

    def load_candidates(self, path: str | None = None) -> None:
        """Ask for ranked names of another program, and suggest them for this worm."""
        from ...io.formats.candidates import read_candidates
        from ...naming.candidates import candidates_for

        recording = self.work.session.recording
        if recording is None:
            return
        if path is None:
            path, _ = QFileDialog.getOpenFileName(self, "Ranked names", filter="Tables (*.csv *.tsv *.txt *.parquet)")
        if not path:
            return
        try:
            found = read_candidates(path)
            candidates_for(recording, found)  # of this worm
        except (DynamicConnectomeError, OSError) as error:
            show_failure(self.work.viewer, "Load ranked names", error)
            return
        self.tables[recording.name] = (Path(path).name, found)
        self._show_candidates(recording)

    def _show_candidates(self, recording: Recording) -> None:
        from ...naming.candidates import candidates_for

        name, found = self.tables[recording.name]
        try:
            self.names = candidates_for(recording, found)
        except DynamicConnectomeError:  # the neurons it was about are gone
            self.names = {}
        self.fitted = _state(recording)
        self.text.setText(f"{name}: names for {len(self.names)} neurons")
        self.text.setToolTip("Names are suggested in the list of the chosen neuron, with their probability.")
        self.found.emit()

    def load(self, path: str | None = None) -> Any | None:
        """Ask for an atlas of positions and suggest names by it; returns the running job."""
        recording = self.work.session.recording
        if recording is None:
            return None
        if path is None:
            path, _ = QFileDialog.getOpenFileName(self, "Atlas of positions", filter="CSV (*.csv)")
        if not path:
            return None
        source = path

        def run(progress: Any, cancel: Any) -> tuple[Any, dict[str, list[Suggestion]]]:
            from ...naming.atlas import read_atlas, suggest

            atlas = read_atlas(source)
            return atlas, suggest(recording, atlas, progress=progress, cancel=cancel)

        def done(result: tuple[Any, dict[str, list[Suggestion]]]) -> None:
            self._table = result[0]
            self.tables.pop(recording.name, None)  # what was asked for last is shown
            self._suggested(recording, result[1])

        return self.work.jobs.start("Suggest names", run, done)

    def _suggest_again(self) -> None:
        """Lay the neurons over the atlas again: every new name makes it fit better."""
        recording, atlas = self.work.session.recording, self._table
        if (
            recording is None
            or recording.name in self.tables
            or atlas is None
            or not self.isVisible()
            or _state(recording) == self.fitted
        ):
            return

        def run(progress: Any, cancel: Any) -> dict[str, list[Suggestion]]:
            from ...naming.atlas import suggest

            return suggest(recording, atlas, progress=progress, cancel=cancel)

        if self._job is not None and self._job.running:
            self._job.cancel()  # it was for fewer names
        self._job = self.work.jobs.start("Suggest names", run, lambda found: self._suggested(recording, found))

    def _suggested(self, recording: Recording, found: dict[str, list[Suggestion]]) -> None:
        current = self.work.session.recording
        if current is None or current.name != recording.name:
            return
        self.fitted = _state(recording)
        now = dict(zip(recording.neurons["label"], current.neurons.index, strict=False))
        labels = dict(zip(recording.neurons.index, recording.neurons["label"], strict=True))
        self.names = {str(now.get(labels[n], n)): s for n, s in found.items()}
        named = len(set(recording.neurons["name"]) & set(self._table.index))
        self.text.setText(
            f"atlas laid over {named} names"
            if named >= LANDMARKS
            else f"atlas laid without names: a guess; name {LANDMARKS} or more first"
        )
        self.text.setToolTip(
            "Names are suggested in the list of the chosen neuron, with their probability. Every name you give improves the fit."
        )
        self.found.emit()


def _state(recording: Recording) -> tuple[Any, ...]:
    return (recording.name, tuple(recording.neurons["name"]), tuple(recording.neurons["rejected"]))
