"""Recovery of work that was not saved: the journal of a viewer's session, what a crash left behind, images that moved.

Every viewer has one `Recovery`. It attaches a journal as soon as there is something to lose, offers the edits of a crashed
program back, says when another window has the session, and looks whether the images are where they were.
"""

from __future__ import annotations

import hashlib
import logging
import weakref
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtCore import QTimer

from ...model.errors import DynamicConnectomeError
from ..qt.dialogs import open_dialogs, show
from ..qt.notify import show_actions, show_failure, show_info, show_warning

if TYPE_CHECKING:
    from ...model.recording import Recording
    from ...session.edits import Edit
    from ...session.journal import Journal, Lost, Recoverable
    from ...session.relink import ReferenceProblem
    from ...session.session import Session
    from .workspace import Workspace

log = logging.getLogger("napari_dynamic_connectome")
LOOK_MS = 3000
"""How often it is looked whether camera or colours were changed: a turn of the worm is not noted at every step."""
MOST_ALLOWED = 2000
"""Images that are remembered as allowed."""


@dataclass(frozen=True)
class Results:
    """Results that are on disk, and not shown yet.

    before, state : Session
        The results before and after. change : what puts the new ones into a session. kept : name of the file.
    """

    before: Session
    state: Session
    change: Callable[[Session], None]
    kept: str


@dataclass(frozen=True)
class Foreign:
    """Images outside of a session's folder that the user has not said may be opened.

    all : of any kind; there : those on this machine that are there.
    """

    all: tuple[str, ...]
    there: tuple[str, ...]


def _key_of(uid: str, path: str) -> str:
    return hashlib.sha256(f"{uid}\0{path}".encode("utf-8", "surrogatepass")).hexdigest()[:20]


def _changed(before: Session, change: Callable[[Session], None]) -> Session:
    state = before.results()
    change(state)
    return state


class _FirstEdit:
    """Stands in for the journal until there is something to lose: the first edit makes the real one and goes into it."""

    def __init__(self, recovery: Recovery) -> None:
        self._recovery = weakref.ref(recovery)

    def __call__(self, edit: Edit, recording: Recording | None = None, /, **brought: Any) -> None:
        found = self._recovery()
        if found is not None and found.may_attach:
            found.attach()
            if found.journal is not None:
                found.journal(edit, recording, **brought)

    @property
    def read_only(self) -> bool:
        """Whether nothing could be kept."""
        found = self._recovery()
        return found is None or found.journal is None


class Recovery:
    """Keeps the session of one viewer safe.

    Signals
    -------
    changed()
        The banner says something else.
    """

    changed = Signal()

    def __init__(self, work: Workspace) -> None:
        self._work = weakref.ref(work)
        self.enabled = True
        """False: look only, write no journal and take no lock (pictures made without a user)."""
        self.journal: Journal | None = None
        self.problems: list[ReferenceProblem] = []
        self._failed = False
        self._unasked: frozenset[str] = frozenset()
        self._foreign: frozenset[str] = frozenset()
        self._closed = False
        self._opening = False
        work.session.recordings_changed.connect(self._watch)
        work.session.not_kept.connect(self._not_kept)
        self._noted: dict[str, Any] = {}
        self._looking = QTimer()
        self._looking.setInterval(LOOK_MS)
        me = weakref.ref(self)

        def look() -> None:
            found = me()
            if found is not None:
                found.note_view()

        self._looking.timeout.connect(look)
        self._looking.start()
        self._first = _FirstEdit(self)
        work.session.journal = self._first

    @property
    def session(self) -> Session:
        """The session of this viewer."""
        work = self._work()
        assert work is not None
        return work.session

    @property
    def viewer(self) -> Any:
        """The viewer, or None."""
        work = self._work()
        return None if work is None else work.viewer

    @property
    def banner(self) -> str:
        """What docks that edit show at their top; "" as a rule."""
        journal = self.journal
        if journal is not None and journal.can_take_over:
            return (
                f"Read-only: this session was opened in another window ({journal.owner}), which is closed or shows no sign of "
                "life. If it is gone, press Take over to edit here."
            )
        if journal is not None and journal.read_only:
            return (
                f"Read-only: this session is open in another window ({journal.owner}). "
                "Look at everything; to edit, close the other one, or save this under another name."
            )
        if self._failed:
            return "Edits are not kept on disk until the session is saved: the journal cannot be written."
        return ""

    # --- the journal ------------------------------------------------------------------------------------------------

    @property
    def may_attach(self) -> bool:
        """Whether a journal is to be made with the first edit."""
        idle = self.journal is None and not self._failed and not self._opening
        return idle and self.enabled and not self._closed

    def _watch(self) -> None:
        if self.session.recordings and self.may_attach:
            self.attach()

    def _not_kept(self, what: str, why: str) -> None:
        show_warning(f"Shown, but not kept on disk: {what} ({why}). Save the session.")

    def attach(self, folder: Path | None = None) -> None:
        """Journal all edits from now on."""
        if not self.enabled or self._closed:
            return
        from ...session.journal import Journal

        self._failed = False
        try:
            # what a crashed program left in the state folder is taken because the user chose it
            self.journal = Journal.attach(self.session, folder=folder, take_over=folder is not None)
        except (DynamicConnectomeError, OSError) as error:
            self._failed = True
            log.warning("no journal: %s", error)
            show_warning(f"{self.banner} ({error})")
        self.changed.emit()

    def note_view(self) -> None:
        """Put camera, colours and contrast on disk, if they are others than before."""
        from ..viewer.view_state import capture

        work, journal = self._work(), self.journal
        if work is None or work.viewer is None or journal is None or journal.read_only or self._opening or self._closed:
            return
        if work.scene.opening is not None and work.scene.opening.running:
            return  # what is on its way has not been looked at yet
        now = capture(work)
        if now != self._noted:
            if self._noted or not self.session.view:
                journal.note_view(now)
            self._noted = now

    def detach(self) -> None:
        """Close the journal; edits that no session file holds stay on disk and are offered again."""
        if self.journal is not None:
            try:
                self.journal.close()
            except (DynamicConnectomeError, OSError) as error:
                log.warning("closing the journal: %s", error)
        self.journal = None
        self._failed = False
        if not self._closed:
            self.session.journal = self._first
        self.changed.emit()

    def close(self) -> None:
        """The viewer closes."""
        self.note_view()
        self._closed = True
        self._looking.stop()
        for dialog in [d for d in open_dialogs if getattr(d, "recovery", None) is self]:
            dialog.close()
        self.detach()

    def before_open(self) -> None:
        """Another session is about to be opened in this viewer."""
        self.detach()
        self._opening = True

    def after_open(self, folder: Path | None = None) -> None:
        """Another session was opened: lock it, offer edits that it does not hold, look for its images.

        Parameters
        ----------
        folder : path, optional
            Journal of a crashed program, whose edits are done again without asking.
        """
        self._opening = False
        self.attach(folder)
        journal = self.journal
        self._noted = {}
        if journal is not None and journal.view:
            self.session.view = journal.view
        if journal is not None and folder is not None and not journal.read_only:
            self.bring_back()
            return
        if journal is not None and journal.can_take_over:
            show_actions(self.banner, (("Take over", self.take_over),))
        elif journal is not None and journal.read_only:
            show_warning(self.banner)
        elif journal is not None and journal.pending:
            self.offer()
        elif journal is not None:
            journal.show_again()  # looking elsewhere changed nothing, so nothing is asked
        self.check_images()

    # --- after a crash ----------------------------------------------------------------------------------------------

    def take_over(self) -> None:
        """Take the session from a window that is closed or shows no sign of life, and offer its edits."""
        journal = self.journal
        if journal is None or not journal.can_take_over:
            return
        try:
            owner = journal.take_over()
        except (DynamicConnectomeError, OSError) as error:
            show_failure(self.viewer, "Take over", error)
            return
        if owner:
            show_warning(f"It is open there after all ({owner}).")
        elif journal.pending:
            self.offer()
        self.changed.emit()

    def offer(self) -> Any:
        """Show the edits that the opened session does not hold."""
        from .recovery_dialogs import PendingDialog

        return show(PendingDialog(self)) if self.journal is not None and self.journal.pending else None

    def bring_back(self) -> list[tuple[Lost, str]]:
        """Do the pending edits again; those that do not fit are told."""
        if self.journal is None:
            return []
        number = len(self.journal.pending)
        try:
            refused = self.journal.recover()
        except DynamicConnectomeError as error:
            show_failure(self.viewer, "Bring edits back", error)
            return []
        if refused:
            show_warning(f"{len(refused)} of {number} edits do not fit the session; they are kept beside it.")
        else:
            show_info(f"{number} edits are back." if number != 1 else "1 edit is back.")
        self.changed.emit()
        return refused

    def leave_out(self) -> None:
        """Go on without the pending edits; their logs are kept aside."""
        if self.journal is not None:
            self.journal.discard()
        self.changed.emit()

    def look_for_lost_work(self) -> Any:
        """Offer the work of crashed programs that was never saved; None if there is none."""
        from ...session.journal import find_recoverable

        if not self.enabled or self._closed or self.viewer is None:
            return None
        try:
            found = find_recoverable()
        except OSError as error:
            log.warning("journals: %s", error)
            return None
        if not found:
            return None
        from .recovery_dialogs import LostWorkDialog

        return show(LostWorkDialog(self, found))

    def look_soon(self) -> None:
        """As `look_for_lost_work`, once the window is there."""
        me = weakref.ref(self)

        def look() -> None:
            recovery = me()
            if recovery is not None:
                recovery.look_for_lost_work()

        QTimer.singleShot(0, look)

    def reopen(self, found: Recoverable) -> None:
        """Open what a crashed program left behind, its edits included."""
        from ...session.journal import base_session
        from .open_files import adopt

        work = self._work()
        if work is None:
            return
        try:
            loaded = base_session(found)
        except DynamicConnectomeError as error:
            show_failure(self.viewer, "Open earlier work", error)
            return
        adopt(work, loaded, folder=found.folder)

    # --- results ----------------------------------------------------------------------------------------------------

    def write_results(self, change: Callable[[Session], None]) -> Results:
        """Put results on disk that are about to be shown; in the worker that made them.

        Parameters
        ----------
        change : callable
            What puts them into a session.
        """
        before = self.session.results()
        state = _changed(before, change)
        name = ""
        if self.journal is not None:
            try:
                name = self.journal.write_results(state)
            except (DynamicConnectomeError, OSError) as error:
                log.warning("results are not kept: %s", error)
        return Results(before, state, change, name)

    def show_results(self, found: Results, made: str) -> bool:
        """Say in the journal that there are these results, then show them; False if they are in memory only.

        Parameters
        ----------
        found : Results
            From `write_results`.
        made : str
            What was done ("analyze 8 worms").
        """
        session = self.session
        now, state, kept = session.results(), found.state, found.kept
        if not now.same_results(found.before):
            state, kept = _changed(now, found.change), ""  # others were made meanwhile
        safe = session.keep_results(state, made, kept=kept)
        found.change(session)
        return safe

    # --- images -----------------------------------------------------------------------------------------------------

    def check_images(self) -> Any:
        """Look in the background whether the images are where they were, and as they were."""
        work = self._work()
        if work is None or not any(r.volume or r.labels for r in self.session.recordings.values()):
            self.problems = []
            return None
        state = self.session.snapshot()
        may_be_opened = self.sorter()

        def run(progress: Any, cancel: Any) -> list[ReferenceProblem]:
            from ...io.files import is_network
            from ...session.relink import check_references

            # those that are not to be opened are not even looked into; that one is gone can be seen from outside
            foreign = may_be_opened(state)
            left = {path for path in foreign.all if is_network(path)} | set(foreign.there)
            for name, one in state.recordings.items():
                if {str(r.path) for r in (one.volume, one.labels) if r is not None} & left:
                    state.recordings[name] = one.replace(volume=None, labels=None)
            return check_references(state, cancel=cancel)

        def done(found: list[ReferenceProblem]) -> None:
            self.problems = found
            self.changed.emit()
            if found:
                text = str(found[0]) + (f", and {len(found) - 1} more" if len(found) > 1 else "")
                show_actions(f"{text}.", (("Find images…", self.find_images),))

        return work.jobs.start("Check images", run, done)

    def sorter(self) -> Callable[[Session], Foreign]:
        """Return what tells, of a session, which images the user has not said may be opened; it looks at files: for a worker."""
        allowed, uid = frozenset(self._allowed()), self.session.uid

        def look(state: Session) -> Foreign:
            from ...session.relink import foreign_images, is_there

            found = [path for path in foreign_images(state) if _key_of(uid, path) not in allowed]
            return Foreign(tuple(found), tuple(path for path in found if is_there(Path(path))))

        return look

    def allow_images(self, but: Collection[str] = ()) -> None:
        """The images that the session names may be opened, now and the next time: the user said so, or saved it here.

        Parameters
        ----------
        but : collection of str
            Those that nothing was said about.
        """
        from .preferences import save

        work = self._work()
        if work is None:
            return
        named = [
            str(one.path)
            for recording in self.session.recordings.values()
            for one in (recording.volume, recording.labels)
            if one is not None
        ]
        # by their names alone: looking where they lead is for a worker, and was done
        home = Path(self.session.path).parent if self.session.path else None
        outside = [p for p in named if p in self._foreign or (home is not None and not Path(p).is_relative_to(home))]
        new = [_key_of(self.session.uid, path) for path in dict.fromkeys(outside) if path not in but]
        if new:
            kept = [key for key in self._allowed() if key not in new]
            work.remembered["images"] = {"allowed": [*kept, *new][-MOST_ALLOWED:]}
            save(work.remembered)

    def _allowed(self) -> list[str]:
        work = self._work()
        held = work.remembered.get("images", {}) if work is not None else {}
        found = held.get("allowed", []) if isinstance(held, dict) else []
        return [str(key) for key in found] if isinstance(found, list) else []

    def ask_for_images(self, foreign: Foreign) -> None:
        """Say that the session names images elsewhere, and offer to open them."""
        self._unasked = self._foreign = frozenset(foreign.all)
        left = foreign.there
        if not left:
            return
        more = f" and {len(left) - 1} more" if len(left) > 1 else ""
        uid = self.session.uid

        def open_them() -> None:
            if self.session.uid != uid:
                return  # the message of a session that is closed
            self._unasked = frozenset()
            self.relinked()
            self.check_images()

        show_actions(
            f"This session names images outside of its folder: {left[0]}{more}. They are opened only if you say so.",
            (("Open them", open_them),),
        )

    def find_images(self) -> Any:
        """Open the dialog that finds moved images again."""
        from .recovery_dialogs import ImagesDialog

        return show(ImagesDialog(self))

    def relinked(self) -> None:
        """Show the images that were found."""
        from .open_files import show_images

        self.allow_images(but=self._unasked)  # the user chose the others just now
        work = self._work()
        if work is not None:
            show_images(work)
