"""A connectome beside the communities: half of the matrix, lines on the worm, and one sentence with effect, p and n."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QCheckBox, QComboBox, QFileDialog

from ...io.choice import ChoiceNeeded
from ..qt.controls import Panel, button, label, row

FILES = "Connectomes (*.csv *.tsv *.graphml *.xml);;All files (*)"
ASK = "Compare the communities and components with a connectome, such as a CSV with pre, post, type and synapses."


class ConnectomePanel(Panel):
    """Reads a connectome, shows one of its networks, and compares all components with all of them in the background.

    Parameters
    ----------
    work : Workspace
    """

    def __init__(self, work: Any) -> None:
        super().__init__(work)
        self.networks: list[Any] = []
        self.found: Any = None
        """`SessionStructure` of the components `of`; None before."""
        self.of: Any = None
        self.open_button = button("Beside a connectome…", self.ask, ASK)
        self.choice = QComboBox()
        self.choice.setAccessibleName("network")
        self.choice.setToolTip(
            "Which network takes the half of the matrix below the diagonal, and the lines. Default: the first."
        )
        # names of files are long; the dock keeps its width
        self.choice.setMinimumContentsLength(8)
        self.choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.choice.activated.connect(lambda *_: self._show(self.choice.currentIndex()))
        self.synapses = QCheckBox("lines: synapses")
        self.synapses.setToolTip(
            "Lines on the worm are the strongest connections of the network from and to the chosen community: in its colour "
            "inside, neutral to others. Default: no (strongest pairs of the component)."
        )
        self.synapses.toggled.connect(lambda on: self.work.view.set(synapses=on))
        self.sentence = label(ASK, "secondary", wrap=True)
        self.stack(row(self.open_button, self.synapses, None), self.choice, self.sentence, self.bar)

    def ask(self) -> None:
        """Ask for a file."""
        path, _ = QFileDialog.getOpenFileName(self, "Connectome", "", FILES)
        if path:
            self.open(Path(path))

    def open(self, path: Path, **said: str) -> Any | None:
        """Read a connectome in the background and show its first network; then compare. What the file leaves open is asked.

        Parameters
        ----------
        path : Path
        **said : str
            Answers: `weight`, `rows`.
        """
        if self.bar.job is not None:
            return None

        def run(progress: Any, cancel: Any) -> Any:
            from ...comparison.settings import StructureSettings
            from ...comparison.sources import read_networks

            try:
                return read_networks(StructureSettings.parse({"connectome": (str(path),), **said}))
            except ChoiceNeeded as question:
                return question

        def done(found: Any) -> None:
            if isinstance(found, ChoiceNeeded):
                self._ask_about(path)
            else:
                self._opened(found)

        self.asked()
        job = self.work.jobs.start(f"Read {path.name}", run, done)
        self.bar.watch(job)
        return job

    def _ask_about(self, path: Path) -> None:
        """Show the import sheet for a file that leaves something open, and open it with the answer."""
        from ..workspace.import_sheet import import_files
        from ..workspace.open_files import read_items

        found = import_files([path], read_items, viewer=self.work.viewer, answers=self.work.answers)
        if found:
            QTimer.singleShot(0, partial(self.open, path, **found[0].options))

    def _opened(self, networks: Any) -> None:
        self.networks = list(networks)
        self.found = self.of = None
        self.choice.clear()
        self.choice.addItems([n.title for n in self.networks])
        self._show(0)
        self.compare()

    def _show(self, index: int) -> None:
        self.work.view.set(network=self.networks[index] if 0 <= index < len(self.networks) else None)

    def compare(self) -> Any | None:
        """Compare the components and communities of the session with the networks, in the background."""
        session = self.work.session
        components, values = session.components, session.settings.get("comparison")
        if components is None or not self.networks or self.of is components:
            return None
        networks, snapshot = tuple(self.networks), session.snapshot()
        self.of = components

        def run(progress: Any, cancel: Any) -> Any:
            from ...comparison.settings import StructureSettings
            from ...pipeline.structure import compare_session

            settings = StructureSettings.parse(values if isinstance(values, dict) else {})
            return compare_session(snapshot, settings, networks=networks, progress=progress, cancel=cancel)

        def done(found: Any) -> None:
            if self.of is components and tuple(self.networks) == networks:
                self.found = found
                self.work.view.changed.emit("network")

        job = self.work.jobs.start("Compare with the connectome", run, done)
        self.bar.watch(job)
        return job

    def show_for(self, components: Any, component: int) -> str:
        """Show what there is for a component; return it in short."""
        some = bool(self.networks)
        self.choice.setVisible(some)
        self.synapses.setVisible(some)
        if not some:
            self.sentence.setText(ASK)
            self.sentence.setToolTip("")
            return "none"
        network = self.work.view.network
        if self.found is None or self.of is not components:
            self.sentence.setText("Compared when the computation is done.")
            self.compare()
            return str(network.kind)
        lines = self.found.comparison.component_sentences(component, network)
        self.sentence.setText("\n".join(lines))
        self.sentence.setToolTip("\n".join(self.found.comparison.notes))
        self.answered()
        return str(network.kind)
