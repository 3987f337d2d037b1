"""The journal: every edit of a neuron table is on disk before it shows; after a crash the edits are offered back.

The journal of a saved session lies beside it, in `<session>.journal/`; that of a session that was never saved (or whose folder
cannot be written) in the user's state folder. It holds the lock of the session, numbered logs of edits, a copy of each recording
that the saved session does not have as it was before its first edit, and the results of the last analysis. What is looked at
(worm, component, kind, level, community) is noted in the same logs. Saving the session empties it.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..model.cohort import Cohort
from ..model.errors import DynamicConnectomeError, InputError
from ..model.places import state_folder
from ..model.recording import Recording
from ..model.system import flush
from .codec import Decoder, Encoder
from .edits import WHOLE, Edit, plain
from .journal_file import JournalFile, read_records
from .lock import LOCK_NAME, SessionLock, journal_folder, read_owner, state_of
from .session import Session
from .store import ArrayPool, ArrayReader

LOG = re.compile(r"edits-(\d{6})\.log")
BASE = re.compile(r"(?:base|results)-(\d{1,9})\.zip")
SHOWN = ("component", "kind", "level", "community")
"""Fields of the selection that are noted."""
LIGHT = frozenset({"open", "close"})
"""What is not offered again after a window that was closed as usual: the files are still there."""
log = logging.getLogger("napari_dynamic_connectome")


@dataclass(frozen=True)
class Lost:
    """An edit of an earlier run that the session does not hold.

    Parameters
    ----------
    edit : Edit
    position : int
        Where in the history it was.
    base : str
        File with the recording as it was before; "" if the saved session has it.
    results : str
        File with the results that it brought; "" if it brought none, or a later analysis replaced them.
    """

    edit: Edit
    position: int
    base: str = ""
    results: str = ""


@dataclass(frozen=True)
class Recoverable:
    """A journal in the state folder whose program is gone.

    Parameters
    ----------
    folder : pathlib.Path
    session : str
        Path of the session it belongs to; "" if that was never saved.
    edits : int
    recordings : tuple of str
    when : str
        Time of the last edit, ISO 8601, UTC.
    """

    folder: Path
    session: str
    edits: int
    recordings: tuple[str, ...]
    when: str


class Journal:
    """Writes the edits of one session to disk; made with `Journal.attach`.

    Attributes
    ----------
    pending : list of Lost
        Edits of an earlier run that the session does not hold: call `recover` or `discard`.
    read_only : bool
        Another window has the session open; edits are refused.
    owner : str
        Who has it open, in words.
    left_out : int
        Bytes at the end of the earlier logs that were torn; they were never acknowledged.
    shown : dict
        What an earlier run that did not end well looked at last: worm, component, kind, level, community. `show_again` puts it
        back.
    touched : dict
        What it had noted as corrected since the traces were extracted; `show_again` puts it back, too.
    view : dict
        What its viewer showed last: camera, colours, contrast; {} if that is not known.
    """

    def __init__(self, session: Session, folder: Path) -> None:
        self.session, self.folder = session, folder
        self.lock = SessionLock(folder)
        self.pending: list[Lost] = []
        self.read_only = False
        self.owner = ""
        self.left_out = 0
        self._file: JournalFile | None = None
        self._old: list[Path] = []
        self._covered: dict[str, Recording] = {}
        self._bases = 0
        self._counting = threading.Lock()
        self._results = ""
        self.shown: dict[str, Any] = {}
        self.touched: dict[str, dict[str, Any]] = {}
        self.view: dict[str, Any] = {}

    @classmethod
    def attach(cls, session: Session, *, folder: str | Path | None = None, take_over: bool = False) -> Journal:
        """Journal all further edits of a session.

        Parameters
        ----------
        session : Session
            Loaded with `load_session`, or new.
        folder : path, optional
            Where to keep the journal; by default beside the session.
        take_over : bool
            Take the lock of a machine that shows no sign of life; never of one that does.

        Returns
        -------
        Journal
            Look at `pending` and `read_only`.
        """
        if folder is not None:
            journal = cls(session, Path(folder))
            Path(folder).mkdir(parents=True, exist_ok=True)
            journal._start(take_over)
        else:
            journal = cls(session, _default_folder(session))
            try:
                journal._start(take_over)
            except InputError:
                if not session.path:
                    raise
                # the session's folder cannot be written: its edits are kept at home until it is saved elsewhere
                journal = cls(session, _home(_key(session)))
                journal._start()
        session.journal = journal
        session.neurons_changed.connect(journal._on_edited)
        session.selection_changed.connect(journal._on_selected)
        session.current_changed.connect(journal._on_current)
        session.touched_changed.connect(journal._on_touched)
        return journal

    def _start(self, take_over: bool = False) -> None:
        self.owner = self.lock.acquire(take_over=take_over)
        self.read_only = bool(self.owner)
        self._covered = dict(self.session.stored)  # what is in the file needs no copy
        if self.read_only:
            return
        try:
            self._old = _logs(self.folder)
            self.pending, self.left_out = _read_logs(self._old, self.session)
            self.shown = _read_noted(self._old, self.session, "shown")
            self.touched = _read_noted(self._old, self.session, "touched")
            self.view = _read_noted(self._old, self.session, "view")
            names = [BASE.fullmatch(p.name) for p in self.folder.glob("*.zip")]
            self._bases = max([int(m[1]) for m in names if m] + [0])
            self._open_log()
        except BaseException:
            self.lock.release()
            raise
        if not self.pending:
            self._remove_old()

    @property
    def can_take_over(self) -> bool:
        """Whether who had the session open has closed it since, or shows no sign of life."""
        return self.read_only and self.lock.state != "held"

    def take_over(self) -> str:
        """Take the lock of a window that shows no sign of life; its edits are `pending` then.

        Returns
        -------
        str
            "" on success, else who has it.

        Raises
        ------
        InputError
            Another window saved the session since it was opened here.
        """
        from .save_load import read_revision

        if not self.read_only:
            return ""
        last = self.session.revisions[-1] if self.session.revisions else ""
        if self.session.path and read_revision(Path(self.session.path)) not in ("", last):
            raise InputError(
                "the session was saved by another window since it was opened here",
                where=self.session.path,
                fix="Open it again, then take it over.",
            )
        self._start(take_over=True)
        return self.owner

    def _open_log(self) -> None:
        names = [LOG.match(p.name) for p in self.folder.glob("edits-*")]
        last = max([int(m[1]) for m in names if m] + [0])
        self._file = JournalFile(self.folder / f"edits-{last + 1:06d}.log")
        self._file.append({"journal": 1, "uid": self.session.uid, "session": self.session.path or ""})

    # --- while it runs ------------------------------------------------------------------------------------------------

    def __call__(
        self, edit: Edit, recording: Recording | None = None, /, *, results: Session | None = None, kept: str = ""
    ) -> None:
        """Put an edit on disk, with what it brings (a recording, results); the session calls this before it applies it."""
        if self.read_only and edit.action in WHOLE:
            return  # it changes nothing of the session that is open elsewhere, and this window says that it is read-only
        if self.read_only or self._file is None:
            raise InputError(
                f"the session is open in another window ({self.owner or 'closed here'}); here it can only be looked at",
                fix="Edit it there, or save it here under another name.",
            )
        if not self.lock.still_mine() and (other := self.lock.acquire()):
            self.read_only, self.owner = True, other
            raise InputError(f"another window took the session over ({other})", fix="Save it here under another name.")
        record: dict[str, Any] = {"n": len(self.session.history), "edit": Encoder(ArrayPool()).record(edit)}
        if results is not None:
            place = self.folder / Path(kept).name
            record["results"] = place.name if kept and place.is_file() else Path(self.write_results(results)).name
            self._file.append(record)
            before, self._results = self._results, str(record["results"])
            if before and before != self._results:
                (self.folder / before).unlink(missing_ok=True)
            return
        if (edit.action in WHOLE or edit.of_groups) and recording is None:
            self._file.append(record)
            return
        known = self._covered.get(edit.recording) if recording is None else None
        recording = self.session.recordings[edit.recording] if recording is None else recording
        if known is not recording:
            record["base"] = self._keep_base(recording)
        self._file.append(record)
        self._covered[edit.recording] = recording

    def write_results(self, results: Session) -> str:
        """Write results into the journal's folder, for `Session.keep_results`; takes long, safe in a worker thread.

        Parameters
        ----------
        results : Session
            As `Session.results` gives it.

        Returns
        -------
        str
            Name of the file; "" where the session cannot be changed here.
        """
        from .save_load import save_session

        if self.read_only or self._file is None:
            return ""
        name = self._next("results")
        save_session(results, self.folder / name, overwrite=True)
        return name

    def _next(self, kind: str) -> str:
        with self._counting:
            self._bases += 1
            return f"{kind}-{self._bases}.zip"

    def _on_selected(self, _: Any, changed: frozenset[str]) -> None:
        if changed & set(SHOWN):
            self._note()

    def _on_current(self, _: str) -> None:
        self._note()

    def _on_touched(self, _: str) -> None:
        self._note(touched=self.session.touched)

    def note_view(self, view: dict[str, Any]) -> None:
        """Note what the viewer shows: camera, colours, contrast.

        Parameters
        ----------
        view : dict
            Plain values, as the session keeps them.
        """
        self._note(view=view)

    def _note(self, **what: Any) -> None:
        """Note what is looked at, or what is given; that this fails stops nobody from looking."""
        if self.read_only or self._file is None:
            return
        now = _shown_now(self.session)
        try:
            self._file.append(
                {"n": len(self.session.history), **(what | {"revision": now["revision"]} if what else now)}
            )
        except (InputError, ValueError, TypeError) as error:
            log.warning("what is shown is not kept: %s", error)

    def _on_edited(self, name: str) -> None:
        if name in self._covered:
            self._covered[name] = self.session.recordings[name]

    def _keep_base(self, recording: Recording) -> str:
        from .save_load import save_session

        name = self._next("base")
        alone = Session()
        alone.add(recording)
        alone.raw = {k: v for k, v in self.session.raw.items() if k == recording.name}
        save_session(alone, self.folder / name, overwrite=True)
        return name

    def saved(self, path: Path, state: Session) -> None:
        """Start afresh: the file at `path` holds `state` now; edits made since go on to the new log.

        `save_session` calls this, with the session's lock held.
        """
        folder = journal_folder(path)
        newer = self._records_from(len(state.history))
        if self.read_only or folder != self.folder:
            moved = Journal(self.session, folder)
            try:
                moved._start()
            except InputError:
                return  # a folder that can hold the session but no journal: stay where we are
            if moved.read_only:
                return
            moved._carry_on(newer, self.folder)
            unresolved, mine = bool(self.pending), self.lock.held
            if self._file is not None:
                self._file.close()
            self.lock.release()
            if mine and not unresolved:
                _remove_if_ours(self.folder)
            self.folder, self.lock, self._file = moved.folder, moved.lock, moved._file
            self.read_only, self.owner, self._bases = False, "", moved._bases
            self.pending, self._old = moved.pending, moved._old
        else:
            current = self._file
            self._open_log()
            self._carry_on(newer, self.folder)
            if current is not None:
                current.close()
                current.path.unlink(missing_ok=True)
        if not self.pending:
            self._remove_old()
        self._results = next((str(r["results"]) for r in reversed(self._records_from(0)) if r.get("results")), "")
        if _shown_now(self.session)["shown"] != _shown_now(state)["shown"]:
            self._note()
        if self.session.touched != state.touched:
            self._note(touched=self.session.touched)
        edited = {str(r["edit"]["recording"]) for r in newer}
        self._covered = dict(state.recordings) | {
            name: recording for name, recording in self.session.recordings.items() if name in edited
        }

    def _records_from(self, position: int) -> list[dict[str, Any]]:
        """Records of this run's log from a place in the history on."""
        if self._file is None or not self._file.path.exists():
            return []
        records, _ = read_records(self._file.path)
        return [r for r in records if "edit" in r and int(r["n"]) >= position]

    def _carry_on(self, records: list[dict[str, Any]], folder: Path) -> None:
        """Write to the new log what was edited while the session was saved; `folder` holds the bases of these records."""
        assert self._file is not None
        for record in records:
            for kind in ("base", "results"):
                file = folder / str(record.get(kind, ""))
                if record.get(kind) and folder != self.folder and file.is_file():
                    place = self.folder / self._next(kind)
                    shutil.copyfile(file, place)
                    flush(place)
                    record = record | {kind: place.name}
            self._file.append(record)

    def close(self) -> None:
        """Stop journalling and give the lock back; nothing stays on disk if all edits were saved, or files only opened."""
        if self._file is not None:
            self._file.close()
            records, _ = read_records(self._file.path) if self._file.path.exists() else ([], 0)
            if not any(r["edit"].get("action") not in LIGHT for r in records if "edit" in r):
                self._file.path.unlink(missing_ok=True)
                if not self._old:
                    self._remove_old()
            self._file = None
        for signal, slot in (
            (self.session.neurons_changed, self._on_edited),
            (self.session.selection_changed, self._on_selected),
            (self.session.current_changed, self._on_current),
            (self.session.touched_changed, self._on_touched),
        ):
            with contextlib.suppress(ValueError, TypeError):
                signal.disconnect(slot)
        if self.session.journal is self:
            self.session.journal = None
        held = self.lock.held
        self.lock.release()
        if held and not _logs(self.folder):
            _remove_if_ours(self.folder)

    # --- after a crash ------------------------------------------------------------------------------------------------

    def recover(self) -> list[tuple[Lost, str]]:
        """Do the pending edits again, in order.

        Returns
        -------
        list of (Lost, str)
            Those that did not fit, and why; empty as a rule.
        """
        from .save_load import load_session

        refused: list[tuple[Lost, str]] = []
        last = max((n for n, lost in enumerate(self.pending) if lost.results), default=-1)
        for number, lost in enumerate(self.pending):
            try:
                if _in_trail(self.session, lost):
                    continue
                if lost.results and number == last and BASE.fullmatch(lost.results):
                    self._bring_results(lost)
                    continue
                if lost.base and BASE.fullmatch(lost.base):
                    kept = load_session(self.folder / lost.base)
                    for name, recording in kept.recordings.items():
                        current = self.session.current is None
                        self.session.add(recording, replace=True, make_current=current, raw=kept.raw.get(name))
                self.session.replay(lost.edit)
            except DynamicConnectomeError as error:
                if self._file is not None and self._file.failed:
                    self.pending = self.pending[number:]  # the disk is at fault, not the edit: the logs stay
                    raise
                refused.append((lost, str(error)))
        self.pending = []
        self.show_again()
        if refused:
            self._set_aside()
        else:
            self._remove_old()
        return refused

    def _bring_results(self, lost: Lost) -> None:
        from .save_load import load_session

        kept = load_session(self.folder / lost.results)
        if kept.cohort is not None:
            # worms that are as they were are the same objects, as they were
            own = self.session.recordings
            members = [own[r.name] if r.name in own and _alike(own[r.name], r) else r for r in kept.cohort.recordings]
            kept.cohort = Cohort(members, kept.cohort.settings)
        with self.session.lock:
            self.session._keep(lost.edit, results=kept)
        self.session.take_results(kept)

    def show_again(self) -> None:
        """Look at what the earlier run looked at last, where it is there."""
        shown, self.shown = self.shown, {}
        touched, self.touched = self.touched, {}
        session = self.session
        for name in dict.fromkeys((*touched, *session.touched)) if touched else ():
            notes = _notes(touched.get(name, {}))
            if notes is not None and name in session.recordings:
                session.touch(name, **{"labels": None, "voxel_size": None, "rate": None} | notes)
        if shown.get("current") in session.recordings and shown["current"] != session.current:
            session.set_current(shown["current"])
        wanted = {k: shown[k] for k in SHOWN if k in shown}
        if session.components is None or not _is_place(wanted) or wanted["component"] > session.components.rank:
            return
        session.select(component=wanted["component"], kind=wanted["kind"])
        found = session.shown_communities
        if found is not None and wanted["level"] < found.n_levels:
            session.select(level=wanted["level"], community=wanted["community"])

    def discard(self) -> None:
        """Leave the pending edits out; their logs are kept as `*.discarded`."""
        self.pending, self.shown, self.touched = [], {}, {}
        self._set_aside()

    def _set_aside(self) -> None:
        for log in self._old:
            log.rename(log.with_suffix(".discarded"))
        self._old = []

    def _remove_old(self) -> None:
        records = [r for log in _logs(self.folder) if log not in self._old for r in read_records(log)[0]]
        used = {str(r.get(kind)) for r in records for kind in ("base", "results")}
        for log in self._old:
            log.unlink(missing_ok=True)
        self._old = []
        for base in self.folder.glob("*.zip"):
            if BASE.fullmatch(base.name) and base.name not in used:
                base.unlink(missing_ok=True)


def find_recoverable() -> list[Recoverable]:
    """Return the journals in the state folder that a crash left behind, the newest first."""
    found = []
    for folder in (state_folder() / "journals").glob("*"):
        owner = read_owner(folder / LOCK_NAME)
        if not folder.is_dir() or state_of(folder / LOCK_NAME, owner) == "held":
            continue
        with contextlib.suppress(DynamicConnectomeError):
            records = [r for log in _logs(folder) for r in read_records(log)[0]]
            edits = [r["edit"] for r in records if isinstance(r.get("edit"), dict)]
            if edits:
                heads = [r for r in records if "journal" in r]
                names = tuple(dict.fromkeys(str(e.get("recording")) for e in edits if e.get("recording")))
                path = str(heads[-1].get("session", "")) if heads else ""
                found.append(Recoverable(folder, path, len(edits), names, str(edits[-1].get("when", ""))))
            elif owner and not list(folder.glob("*.discarded")):
                _remove_if_ours(folder)  # that program had nothing to lose
    return sorted(found, key=lambda r: r.when, reverse=True)


def reopen(found: Recoverable) -> tuple[Session, Journal, list[tuple[Lost, str]]]:
    """Make the session of a crashed program again, from its journal and, if it was saved once, its file.

    Returns
    -------
    session : Session
    journal : Journal
        Attached; the edits are journalled again.
    refused : list of (Lost, str)
        Edits that did not fit.
    """
    session = base_session(found)
    journal = Journal.attach(session, folder=found.folder, take_over=True)
    return session, journal, journal.recover()


def base_session(found: Recoverable) -> Session:
    """Return the session that the edits of a journal belong to, without them: from its file, or empty."""
    from .save_load import load_session

    session = load_session(found.session) if found.session and Path(found.session).exists() else Session()
    if not found.session:
        heads = [r for log in _logs(found.folder) for r in read_records(log)[0] if "journal" in r]
        session.uid = str(heads[0].get("uid") or session.uid) if heads else session.uid
    return session


def throw_away(found: Recoverable) -> None:
    """Leave the edits of a journal out for good; its logs are kept as `*.discarded` until the folder is removed by hand."""
    for log in _logs(found.folder):
        log.rename(log.with_suffix(".discarded"))


def _logs(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("edits-*.log") if LOG.fullmatch(p.name))


def _read_logs(logs: list[Path], session: Session) -> tuple[list[Lost], int]:
    found: list[Lost] = []
    left_out = 0
    code = Decoder(ArrayReader(_NoFiles()))
    for log in logs:
        records, torn = read_records(log)
        left_out += torn
        for record in records:
            try:
                if "edit" not in record:
                    continue
                edit = code.record(Edit, record["edit"])
                lost = Lost(edit, int(record["n"]), str(record.get("base", "")), str(record.get("results", "")))
                if not isinstance(edit.recording, str) or any(len(c) != 4 for c in edit.changes):
                    raise TypeError
            except (KeyError, TypeError, ValueError, AttributeError, DynamicConnectomeError):
                left_out += 1
                continue
            if not _in_trail(session, lost):
                found.append(lost)
    return found, left_out


def _shown_now(session: Session) -> dict[str, Any]:
    """What is looked at, and at which saved state."""
    shown = {k: plain(getattr(session.selection, k)) for k in SHOWN} | {"current": session.current}
    return {"shown": shown, "revision": session.revisions[-1] if session.revisions else ""}


def _read_noted(logs: list[Path], session: Session, what: str) -> dict[str, Any]:
    """Return what was noted last ("shown", "touched", "view"); nothing if the session was saved since."""
    revision = session.revisions[-1] if session.revisions else ""
    for log in reversed(logs):
        for record in reversed(read_records(log)[0]):
            if isinstance(record.get(what), dict) and record.get("revision") == revision:
                return dict(record[what])
    return {}


def _notes(held: Any) -> dict[str, Any] | None:
    """Return the notes on a recording that a log holds, as `Session.touch` takes them; None if they are none."""
    if not isinstance(held, dict):
        return None
    labels, words = held.get("labels", ()), {k: held[k] for k in ("voxel size", "rate") if k in held}
    if not isinstance(labels, (list, tuple)) or not all(type(v) is int for v in labels):
        return None
    if not all(isinstance(v, str) for v in words.values()):
        return None
    return {"labels": tuple(labels)} | {k.replace(" ", "_"): v for k, v in words.items()}


def _is_place(shown: dict[str, Any]) -> bool:
    """Whether what a log says is a place in results."""

    def number(value: Any, least: int) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= least

    return (
        set(shown) == set(SHOWN)
        and number(shown["component"], 1)
        and number(shown["level"], 0)
        and isinstance(shown["kind"], str)
        and (shown["community"] is None or number(shown["community"], 0))
    )


def _alike(a: Recording, b: Recording) -> bool:
    first, second = Encoder(ArrayPool()), Encoder(ArrayPool())
    return bool(first.record(a, volume=None, labels=None) == second.record(b, volume=None, labels=None))


def _in_trail(session: Session, lost: Lost) -> bool:
    """Whether the session holds this edit already (it was saved, or done again after an earlier crash)."""
    if not 0 <= lost.position < len(session.history):
        return False
    encode: Callable[[Any], Any] = Encoder(ArrayPool()).record
    return bool(encode(session.history[lost.position]) == encode(lost.edit))


class _NoFiles:
    """A source without files: edits hold no arrays."""

    def size(self, name: str) -> int:
        raise InputError(f"an edit cannot hold the array '{name[:40]}'")

    def read(self, name: str, limit: int) -> bytes:
        raise InputError(f"an edit cannot hold the array '{name[:40]}'")


def _default_folder(session: Session) -> Path:
    return journal_folder(session.path) if session.path else _home(_key(session))


def _key(session: Session) -> str:
    return hashlib.sha256(f"{session.uid}\0{session.path or ''}".encode()).hexdigest()[:24]


def _home(key: str) -> Path:
    folder = state_folder() / "journals" / key
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _remove_if_ours(folder: Path) -> None:
    """Remove a journal folder, unless someone put other things there."""
    ours = re.compile(r"(edits-\d{6}\.log|(base|results)-\d+\.zip|lock|\.lock\..*|\..*\.partial)")
    if folder.is_dir() and all(ours.fullmatch(p.name) for p in folder.iterdir()):
        shutil.rmtree(folder, ignore_errors=True)
