"""Dialogs of the recovery: edits after a crash, work that was never saved, images that moved."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog

from ...model.errors import DynamicConnectomeError
from ..qt.dialogs import TableDialog, open_dialogs
from ..qt.notify import show_failure, show_info
from ..qt.table_view import Column

if TYPE_CHECKING:
    from ...session.journal import Recoverable
    from .recovery import Recovery


def _when(text: str) -> str:
    return text[:16].replace("T", " ")


class PendingDialog(TableDialog):
    """Edits that were made and put on disk, but never saved in the session."""

    def __init__(self, recovery: Recovery) -> None:
        pending = recovery.journal.pending if recovery.journal is not None else []
        count = "1 edit" if len(pending) == 1 else f"{len(pending)} edits"
        super().__init__(
            recovery.viewer,
            "Bring edits back",
            f"napari ended before {count} of this session could be saved. Bring back?",
        )
        self.recovery = recovery
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
        self.recovery.bring_back()
        self.close()

    def _out(self) -> None:
        self.recovery.leave_out()
        self.close()


class LostWorkDialog(TableDialog):
    """Work of programs that ended before anything was saved."""

    def __init__(self, recovery: Recovery, found: list[Recoverable]) -> None:
        super().__init__(
            recovery.viewer,
            "Earlier work",
            "Edits of earlier windows that were never saved were found on this computer.",
        )
        self.recovery, self.found = recovery, list(found)
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
            self.recovery.reopen(chosen[0])
            self.close()

    def _away(self) -> None:
        from ...session.journal import throw_away

        for one in self.list.chosen():
            try:
                throw_away(one)
            except OSError as error:
                show_failure(self.recovery.viewer, "Throw away", error)
                return
            self.found.remove(one)
        self.list.rows_model.set_rows(self.found)
        if not self.found:
            self.close()


class ImagesDialog(TableDialog):
    """Images that are not where they were, or not as they were."""

    def __init__(self, recovery: Recovery) -> None:
        super().__init__(recovery.viewer, "Find images", "")
        self.recovery = recovery
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
        problems = self.recovery.problems
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
        self.search.setEnabled(any(p.problem == "missing" for p in self.recovery.problems))
        for one in (self.choose, self.choose_file):
            one.setEnabled(bool(chosen))
        self.accept_button.setEnabled(bool(chosen) and chosen[0].problem == "changed")

    def look(self, folder: str | Path | None = None) -> Any:
        """Search a folder in the background."""
        folder = folder or QFileDialog.getExistingDirectory(self, "Look for the images in")
        if not folder:
            return None
        recovery = self.recovery
        work = recovery._work()
        missing = [p for p in recovery.problems if p.problem == "missing"]
        state = recovery.session.snapshot()
        me = weakref.ref(self)

        def run(progress: Any, cancel: Any) -> list[tuple[Any, dict[str, Any]]]:
            from ...model.progress import report
            from ...session.relink import checked_place, find_moved

            found = []
            for number, problem in enumerate(missing):
                report(progress, number / len(missing), problem.path)
                place = find_moved(problem, state, folder, cancel=cancel)
                if place is not None:
                    found.append((problem, checked_place(state, problem.recording, problem.which, place)))
            return found

        def done(found: list[tuple[Any, dict[str, Any]]]) -> None:
            for problem, place in found:
                relink_image(recovery, problem, place)
            show_info(f"{len(found)} of {len(missing)} images found.")
            recovery.relinked()
            dialog = me()
            if dialog is not None and dialog in open_dialogs:
                dialog.refill()

        return None if work is None else work.jobs.start("Look for images", run, done)

    def take(self, path: str | Path, *, accept_changed: bool = False) -> Any:
        """Take a place for the chosen image; it is looked at in the background."""
        recovery = self.recovery
        chosen, work = self.list.chosen(), recovery._work()
        if not chosen or not path or work is None:
            return None
        problem, state = chosen[0], recovery.session.snapshot()
        me = weakref.ref(self)

        def run(progress: Any, cancel: Any) -> dict[str, Any]:
            from ...session.relink import checked_place

            return checked_place(state, problem.recording, problem.which, path, accept_changed=accept_changed)

        def done(place: dict[str, Any]) -> None:
            relink_image(recovery, problem, place)
            recovery.relinked()
            dialog = me()
            if dialog is not None and dialog in open_dialogs:
                dialog.refill()

        return work.jobs.start("Find images", run, done)

    def _folder(self) -> None:
        self.take(QFileDialog.getExistingDirectory(self, "The image is now"))

    def _file(self) -> None:
        self.take(QFileDialog.getOpenFileName(self, "The image is now")[0])

    def _accept(self) -> None:
        chosen = self.list.chosen()
        if chosen:
            self.take(chosen[0].path, accept_changed=True)


def relink_image(recovery: Recovery, problem: Any, place: dict[str, Any]) -> None:
    """Put a place that was looked at into the session; a message, if that fails."""
    from ...session.relink import relink

    try:
        relink(recovery.session, problem.recording, problem.which, place["path"], checked=place)
    except (DynamicConnectomeError, OSError) as error:
        show_failure(recovery.viewer, "Find images", error)
        return
    recovery.problems = [p for p in recovery.problems if p != problem]
