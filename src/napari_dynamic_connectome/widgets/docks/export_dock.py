"""Export: session, tables, graph, figures, movie, report, and text that reproduces the result."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QGridLayout,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ...model.errors import InputError, MissingExtraError
from ...report.exporter import check, nothing
from ...report.exporters import all_exporters
from ..qt.controls import Fold, button, label, row
from ..qt.notify import report_problem, show_info
from ..workspace.preferences import note_session
from .about_worms import OF_THE_LAB, AboutDialog, is_said
from .base import Dock

ORDER = 90


class ExportDock(Dock):
    """Write results."""

    title = "Export"
    place = "lower"
    shows_results = True

    def build(self, layout: QVBoxLayout) -> None:
        self._asked_about: frozenset[str] | None = None
        self.empty = label("Nothing to keep yet. Open or extract a recording first.", "empty")
        layout.addWidget(self.empty)
        self.body = self._build_files()
        layout.addWidget(self.body)
        self.movie_fold = Fold("Movie", self._build_movie(), summary="mp4 or gif", is_open=True)
        layout.addWidget(self.movie_fold)
        self.python_button = button(
            "Copy as Python", self.copy_python, "A script that makes this result again from the saved session."
        )
        self.command_button = button(
            "Copy as command…",
            self.copy_command,
            "Writes recordings and settings.toml into a folder and copies the command that runs them.",
        )
        self.reproduce = QWidget()
        self.reproduce.setLayout(row(self.python_button, self.command_button, None))
        self.reproduce_head = label("Reproduce", "head")
        layout.addWidget(self.reproduce_head)
        layout.addWidget(self.reproduce)
        self.images_button = button(
            "Find images…", lambda: self.work.recovery.find_images(), "Say where images are that were moved or renamed."
        )
        self.problem_button = button(
            "Report a problem…",
            lambda: report_problem(self.viewer),
            "Collect log, versions and settings into one file, private paths removed. Nothing is sent.",
        )
        layout.addWidget(label("Help", "head"))
        layout.addLayout(row(self.images_button, self.problem_button, None))
        self.said = label("", "secondary", wrap=True)
        layout.addWidget(self.said)
        layout.addStretch(1)

    def _build_files(self) -> QWidget:
        """A button for each thing that can be written, and what it is."""
        grid = QGridLayout()
        grid.setSpacing(6)
        grid.setContentsMargins(0, 0, 0, 0)
        self.buttons: dict[str, Any] = {}
        everything = "Everything: recordings, names, results, history. Opens again by drag and drop."
        self._add(grid, button("Session…", self.save_session, everything, main=True), "everything, opens again")
        for key, one in all_exporters().items():
            says = one.EXPORTER
            if says.button:
                self._add(grid, button(says.button, partial(self.export, key), says.tip), says.words)
        picture = "The canvas as it is now, as PNG, twice the size."
        self._add(grid, button("Picture…", self.save_picture, picture), "PNG of the canvas")
        grid.setColumnStretch(1, 1)
        self.about_button = button(
            "About the worms…",
            self.ask_about,
            "Strain, sex, age, start of the session, who recorded and where, of all worms at once: attributes of the worms, which "
            "NWB files name. Asked once before NWB is written.",
        )
        grid.addWidget(self.about_button, len(self.buttons), 0)
        grid.addWidget(label("strain, age, session, for NWB", "secondary"), len(self.buttons), 1)
        body = QWidget()
        body.setLayout(grid)
        return body

    def _add(self, grid: QGridLayout, one: QPushButton, words: str) -> None:
        one.setMinimumWidth(84)
        place = len(self.buttons)
        self.buttons[one.text()] = one
        grid.addWidget(one, place, 0)
        grid.addWidget(label(words, "secondary"), place, 1)

    def _build_movie(self) -> QWidget:
        """What moves in a movie, for how long."""
        self.movement = QComboBox()
        for text, key in (("time passes", "time"), ("camera turns", "turn"), ("both", "both")):
            self.movement.addItem(text, key)
        self.movement.setToolTip("What moves. Default: time passes.")
        self.seconds = QDoubleSpinBox()
        self.seconds.setRange(0.5, 600)
        self.seconds.setValue(10)
        self.seconds.setSuffix(" s")
        self.seconds.setToolTip("Length of the movie in seconds. Default: 10 s.")
        self.fps = QSpinBox()
        self.fps.setRange(1, 60)
        self.fps.setValue(20)
        self.fps.setSuffix(" fps")
        self.fps.setToolTip("Frames a second. Default: 20.")
        self.movie_button = button("Movie…", self.save_movie, "mp4 or gif, by the ending of the file name.")
        movie = QWidget()
        lines = QVBoxLayout(movie)
        lines.setContentsMargins(0, 0, 0, 0)
        lines.addLayout(row(self.movement, None, self.movie_button))
        lines.addLayout(row(self.seconds, self.fps, None))
        return movie

    def refresh(self, topics: set[str]) -> None:
        some = bool(self.session.recordings)
        results = self.session.components is not None
        self.empty.setVisible(not some)
        for widget in (self.body, self.movie_fold, self.reproduce, self.reproduce_head):
            widget.setVisible(some)
        for one in all_exporters().values():
            if one.EXPORTER.button and one.EXPORTER.needs_results:
                self.buttons[one.EXPORTER.button].setEnabled(results)
        self.python_button.setEnabled(results)
        self.command_button.setEnabled(results)

    # --- writing ----------------------------------------------------------------------------------------------------

    def _start(self, title: str, function: Any, path: Path) -> Any:
        older = self._older()  # as it is written, whatever is corrected meanwhile

        def done(_: Any) -> None:
            self.said.setText("\n".join([f"wrote {path}", *older]))
            show_info(f"Wrote {path.name}." + (f" {older[0]}" if older else ""))
            if title == "Save session":
                note_session(self.work.remembered, path)

        job = self.work.jobs.start(title, function, done)
        self.bar.watch(job)
        return job

    def _older(self) -> list[str]:
        """What is written now and is older than what it was made from, a sentence each, as the command line says it."""
        return list(self.work.up_to_date.state.lines)

    def _ask(self, title: str, name: str, filters: str = "") -> Path | None:
        start = str(Path(self.remembered("folder", str(Path.home()))) / name)
        path, _ = QFileDialog.getSaveFileName(self, title, start, filters)
        if not path:
            return None
        self.remember("folder", str(Path(path).parent))
        return Path(path)

    def _ask_folder(self, title: str) -> Path | None:
        path = QFileDialog.getExistingDirectory(self, title, self.remembered("folder", str(Path.home())))
        if not path:
            return None
        self.remember("folder", path)
        return Path(path)

    def save_session(self, path: Path | None = None) -> Any:
        """Save the session."""
        path = path or self._ask("Save the session", "session.zarr", "Session (*.zarr *.zip)")
        if path is None:
            return None
        from ..viewer.view_state import capture

        session = self.session
        session.view = capture(self.work)
        self.work.recovery.allow_images()  # whoever saves them here has seen them

        def run(progress: Any, cancel: Any) -> None:
            from ...session.save_load import save_session

            save_session(session, path, cancel=cancel)

        return self._start("Save session", run, path)

    def export(self, key: str, place: Path | None = None) -> Any:
        """Write what a file of `report/exporters` writes; without its extra, say how to get it before anything is asked."""
        exporter = all_exporters()[key]
        says = exporter.EXPORTER
        try:
            check(exporter)
        except MissingExtraError as error:
            self.failed(says.title, error)
            return None
        empty = nothing(exporter, self.session)
        if empty:
            show_info(empty)
            return None
        if place is None and says.asks_about and not self._about_is_said():
            return None
        place = place or (self._ask(says.asks, says.file, says.filters) if says.file else self._ask_folder(says.asks))
        if place is None:
            return None
        session = self.session.snapshot()
        write = exporter.write_one if says.file else exporter.write
        target = place

        def run(progress: Any, cancel: Any) -> None:
            write(session, target, progress=progress, cancel=cancel)

        return self._start(says.title, run, target)

    def _about_is_said(self) -> bool:
        """Ask for strain, age, session and the like, once for these worms; False if the user gave up."""
        worms = frozenset(self.session.recordings)
        return worms == self._asked_about or is_said(self.session) or self.ask_about()

    def ask_about(self) -> bool:
        """Show the form about the worms; whether it was accepted."""
        dialog = AboutDialog(self.viewer, self.session, self.remembered("about", {}))
        accepted = bool(dialog.exec() == AboutDialog.DialogCode.Accepted)
        if accepted:
            said = dialog.said
            self.remember("about", {k: said[k] for k in OF_THE_LAB if said[k]})
            self._asked_about = frozenset(self.session.recordings)
        dialog.deleteLater()
        return accepted

    def save_picture(self, path: Path | None = None) -> Path | None:
        """Save the canvas."""
        path = path or self._ask("Save the picture", "worm.png", "PNG (*.png)")
        if path is None:
            return None
        self.work.scene.flush()
        self.viewer.screenshot(str(path), canvas_only=True, flash=False, scale=2)
        self.said.setText("\n".join([f"wrote {path}", *self._older()]))
        return path

    def save_movie(self, path: Path | None = None) -> Any:
        """Write a movie; frames are drawn one by one between events, so that the window stays alive."""
        path = path or self._ask("Save the movie", "worm.mp4", "Movie (*.mp4 *.gif)")
        if path is None:
            return None
        from ..viewer.movie import Movie

        try:
            movie = Movie(self.work, path, self.movement.currentData(), self.seconds.value(), self.fps.value())
        except (InputError, ImportError) as error:
            self.failed("Movie", error)
            return None
        self.bar.watch(movie)
        older = self._older()
        movie.ended.connect(lambda: self.said.setText("\n".join([movie.said, *older])))
        movie.start()
        self._movie = movie
        return movie

    # --- reproducing ------------------------------------------------------------------------------------------------

    def copy_python(self) -> str:
        """Copy a script."""
        from ...report.reproduce import as_python

        path = self.session.path or "session.zarr"
        try:
            text = as_python(self.session, str(path))
        except InputError as error:
            self.failed("Copy as Python", error)
            return ""
        QApplication.clipboard().setText(text)
        self.said.setText("Copied." if self.session.path else "Copied; save the session as session.zarr first.")
        return text

    def copy_command(self, folder: Path | None = None) -> Any | None:
        """Write what the command needs in the background, then copy the command."""
        chosen = folder or self._ask_folder("Folder for recordings and settings")
        if chosen is None:
            return None
        state = self.session.snapshot()

        def run(progress: Any, cancel: Any) -> str:
            from ...report.reproduce import as_command, write_run_files

            return as_command(state, write_run_files(state, chosen))

        def done(text: str) -> None:
            QApplication.clipboard().setText(text)
            self.said.setText(f"Copied: {text}")

        job = self.work.jobs.start("Copy as command", run, done)
        self.bar.watch(job)
        return job
