"""Dialogs about what must not get lost: edits after a crash, work that was never saved, images that moved, problem reports."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QFileDialog, QLabel, QPlainTextEdit, QVBoxLayout, QWidget

from ...model.errors import DynamicConnectomeError
from ..qt.notify import _open, show_failure, show_info
from ..qt.table_view import Column, Table
from ..qt.theme import NAME, colours_of, style_sheet
from .workspace import real_viewer

if TYPE_CHECKING:
    from ...session.journal import Recoverable
    from .recovery import Keeper


def show(dialog: QDialog) -> QDialog:
    """Show a dialog without stopping the program, and keep it until it is closed."""
    dialog.setModal(False)
    dialog.show()
    _open.append(dialog)

    def gone(*_: Any) -> None:
        if dialog in _open:
            _open.remove(dialog)

    dialog.finished.connect(gone)
    dialog.destroyed.connect(gone)  # with its window, without being finished
    return dialog


class _Dialog(QDialog):
    """Text, a table, buttons; in the colours of the viewer."""

    def __init__(self, viewer: Any, title: str, text: str) -> None:
        super().__init__(_window(viewer))
        self.setObjectName(NAME)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.colours = colours_of(real_viewer(viewer))
        self.setStyleSheet(style_sheet(self.colours))
        self.text = QLabel(text)
        self.text.setWordWrap(True)
        self.buttons = QDialogButtonBox()
        self.box = QVBoxLayout(self)
        self.box.addWidget(self.text)

    def fill(self, *widgets: QWidget) -> None:
        for widget in widgets:
            self.box.addWidget(widget)
        self.box.addWidget(self.buttons)
        self.resize(720, 380)

    def table(self, *columns: Column, rows: Any) -> Table:
        table = Table(list(columns))
        table.set_colours(self.colours)
        table.rows_model.set_rows(list(rows))
        return table

    def add(self, text: str, tip: str, slot: Any) -> Any:
        button = self.buttons.addButton(text, QDialogButtonBox.ButtonRole.ActionRole)
        button.setToolTip(tip)
        button.clicked.connect(lambda *_: slot())
        return button


def _window(viewer: Any) -> QWidget | None:
    try:
        return real_viewer(viewer).window._qt_window
    except (AttributeError, RuntimeError):
        return None


def _when(text: str) -> str:
    return text[:16].replace("T", " ")


class PendingDialog(_Dialog):
    """Edits that were made and put on disk, but never saved in the session."""

    def __init__(self, keeper: Keeper) -> None:
        pending = keeper.journal.pending if keeper.journal is not None else []
        count = "1 edit" if len(pending) == 1 else f"{len(pending)} edits"
        super().__init__(
            keeper.viewer,
            "Bring edits back",
            f"napari ended before {count} of this session could be saved. Bring back?",
        )
        self.keeper = keeper
        self.list = self.table(
            Column("when (UTC)", lambda p: _when(p.edit.when), 120),
            Column("who", lambda p: p.edit.who, 90, muted=True),
            Column("worm", lambda p: p.edit.recording, 110, muted=True),
            Column("what", lambda p: p.edit.text),
            rows=pending,
        )
        self.back = self.add("Bring back", "Do these edits again, in this order. They can be undone.", self._back)
        self.out = self.add("Leave out", "Go on without them. They are kept in files beside the session.", self._out)
        self.later = self.add("Later", "Decide when the session is opened the next time.", self.close)
        self.back.setDefault(True)
        self.fill(self.list)

    def _back(self) -> None:
        self.keeper.bring_back()
        self.close()

    def _out(self) -> None:
        self.keeper.leave_out()
        self.close()


class LostWorkDialog(_Dialog):
    """Work of programs that ended before anything was saved."""

    def __init__(self, keeper: Keeper, found: list[Recoverable]) -> None:
        super().__init__(
            keeper.viewer, "Earlier work", "Edits of earlier windows that were never saved were found on this computer."
        )
        self.keeper, self.found = keeper, list(found)
        self.list = self.table(
            Column("last edit (UTC)", lambda f: _when(f.when), 130),
            Column("edits", lambda f: str(f.edits), 50, right=True),
            Column("worms", lambda f: ", ".join(f.recordings)),
            Column("session", lambda f: f.session or "never saved", 220, muted=True),
            rows=self.found,
        )
        self.list.selectRow(0)
        self.open_button = self.add("Open", "Open the chosen work in this window, edits included.", self._open)
        self.away = self.add("Throw away", "Do not offer the chosen work again.", self._away)
        self.later = self.add("Later", "Ask again at the next start.", self.close)
        self.open_button.setDefault(True)
        self.fill(self.list)

    def _open(self) -> None:
        chosen = self.list.chosen()
        if chosen:
            self.keeper.reopen(chosen[0])
            self.close()

    def _away(self) -> None:
        from ...session.journal import throw_away

        for one in self.list.chosen():
            try:
                throw_away(one)
            except OSError as error:
                show_failure(self.keeper.viewer, "Throw away", error)
                return
            self.found.remove(one)
        self.list.rows_model.set_rows(self.found)
        if not self.found:
            self.close()


class ImagesDialog(_Dialog):
    """Images that are not where they were, or not as they were."""

    def __init__(self, keeper: Keeper) -> None:
        super().__init__(keeper.viewer, "Find images", "")
        self.keeper = keeper
        self.list = self.table(
            Column("worm", lambda p: p.recording, 110),
            Column("image", lambda p: p.which, 60),
            Column("", lambda p: p.problem, 60),
            Column("where it was", lambda p: p.path, muted=True),
            rows=[],
        )
        self.search = self.add(
            "Look in a folder…", "Search a folder for all missing images: same name, size and hash.", self.look
        )
        self.choose = self.add(
            "Choose folder…", "Say where the chosen image is, if it is a folder (OME-Zarr).", self._folder
        )
        self.choose_file = self.add("Choose file…", "Say where the chosen image is, if it is a file.", self._file)
        self.accept_button = self.add(
            "Accept the change",
            "Take the chosen image as it is now. Its traces stay those of the old one.",
            self._accept,
        )
        self.add("Close", "Close this window.", self.close)
        self.fill(self.list)
        self.list.selectionModel().selectionChanged.connect(lambda *_: self._enable())
        self.refill()

    def refill(self) -> None:
        """Show what is still to be found."""
        problems = self.keeper.problems
        self.text.setText(
            "These images are not where they were when the session was saved, or have changed. Names, traces and results are "
            "not affected."
            if problems
            else "All images are where they were."
        )
        self.list.rows_model.set_rows(problems)
        if problems:
            self.list.selectRow(0)
        self._enable()

    def _enable(self) -> None:
        chosen = self.list.chosen()
        self.search.setEnabled(any(p.problem == "missing" for p in self.keeper.problems))
        for one in (self.choose, self.choose_file):
            one.setEnabled(bool(chosen))
        self.accept_button.setEnabled(bool(chosen) and chosen[0].problem == "changed")

    def look(self, folder: str | Path | None = None) -> Any:
        """Search a folder in the background."""
        folder = folder or QFileDialog.getExistingDirectory(self, "Look for the images in")
        if not folder:
            return None
        keeper = self.keeper
        work = keeper._work()
        missing = [p for p in keeper.problems if p.problem == "missing"]
        state = keeper.session.snapshot()
        me = weakref.ref(self)

        def run(progress: Any, cancel: Any) -> list[tuple[Any, Path]]:
            from ...model.progress import report
            from ...session.relink import find_moved

            found = []
            for number, problem in enumerate(missing):
                report(progress, number / len(missing), problem.path)
                place = find_moved(problem, state, folder, cancel=cancel)
                if place is not None:
                    found.append((problem, place))
            return found

        def done(found: list[tuple[Any, Path]]) -> None:
            for problem, place in found:
                self_relink(keeper, problem, place)
            show_info(f"{len(found)} of {len(missing)} images found.")
            keeper.relinked()
            dialog = me()
            if dialog is not None and dialog in _open:
                dialog.refill()

        return None if work is None else work.jobs.start("Look for images", run, done)

    def take(self, path: str | Path, *, accept_changed: bool = False) -> bool:
        """Take a place for the chosen image."""
        chosen = self.list.chosen()
        if not chosen or not path:
            return False
        ok = self_relink(self.keeper, chosen[0], path, accept_changed=accept_changed)
        self.keeper.relinked()
        self.refill()
        return ok

    def _folder(self) -> None:
        self.take(QFileDialog.getExistingDirectory(self, "The image is now"))

    def _file(self) -> None:
        self.take(QFileDialog.getOpenFileName(self, "The image is now")[0])

    def _accept(self) -> None:
        chosen = self.list.chosen()
        if chosen:
            self.take(chosen[0].path, accept_changed=True)


def self_relink(keeper: Keeper, problem: Any, path: str | Path, *, accept_changed: bool = False) -> bool:
    """Put a new place into the session; False, and a message, if it does not fit."""
    from ...session.relink import relink

    try:
        relink(keeper.session, problem.recording, problem.which, path, accept_changed=accept_changed)
    except (DynamicConnectomeError, OSError) as error:
        show_failure(keeper.viewer, "Find images", error)
        return False
    keeper.problems = [p for p in keeper.problems if p != problem]
    return True


class ProblemDialog(_Dialog):
    """Collects what helps to find a problem into one file."""

    def __init__(self, viewer: Any, text: str = "") -> None:
        super().__init__(
            viewer,
            "Report a problem",
            "What did you do, and what happened? Log, versions and settings are put into one file, without folders, login name "
            "and name of this computer. Nothing is sent: look into the file, then attach it to a message.",
        )
        self._viewer = weakref.ref(real_viewer(viewer)) if viewer is not None else lambda: None
        self.words = QPlainTextEdit(text)
        self.save_button = self.add("Save…", "Choose where to write the file.", self.save)
        self.add("Close", "Close this window.", self.close)
        self.fill(self.words)

    def save(self, path: str | Path | None = None) -> Path | None:
        """Write the file."""
        from ...io.files import atomic_file
        from ...model.log import problem_report
        from .workspace import workspace_of

        if path is None:
            start = str(Path.home() / "dynamic-connectome-problem.zip")
            path = QFileDialog.getSaveFileName(self, "Report a problem", start, "Zip (*.zip)")[0]
        if not path:
            return None
        viewer = self._viewer()
        settings: dict[str, Any] = {}
        if viewer is not None:
            work = workspace_of(viewer)
            settings = {"session": work.session.settings, "docks": work.remembered}
        try:
            data = problem_report(text=self.words.toPlainText(), settings=settings)
            with atomic_file(path) as temporary:
                temporary.write_bytes(data)
        except (DynamicConnectomeError, OSError) as error:
            show_failure(viewer, "Report a problem", error)
            return None
        show_info(f"Wrote {path}.")
        self.close()
        return Path(path)
