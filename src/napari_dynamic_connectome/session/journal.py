"""The journal: every edit of a neuron table is on disk before it shows; after a crash the edits are offered back.

The journal of a saved session lies beside it, in `<session>.journal/`; that of a session that was never saved (or whose folder
cannot be written) in the user's state folder. It holds the lock of the session, numbered logs of edits, and, for recordings that
the saved session does not have, a copy of each recording as it was before its first edit. Saving the session empties it.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..io.atomic import fsync_path
from ..model.errors import DynamicConnectomeError, InputError
from ..model.places import state_folder
from ..model.recording import Recording
from .codec import Decoder, Encoder
from .journal_file import JournalFile, read_records
from .lock import LOCK_NAME, SessionLock, is_alive, journal_folder, read_owner
from .session import Edit, Session
from .store import ArrayPool, ArrayReader

LOG = re.compile(r"edits-(\d{6})\.log")
BASE = re.compile(r"base-(\d{1,9})\.zip")


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
    """

    edit: Edit
    position: int
    base: str = ""


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

    @classmethod
    def attach(cls, session: Session, *, folder: str | Path | None = None) -> Journal:
        """Journal all further edits of a session.

        Parameters
        ----------
        session : Session
            Loaded with `load_session`, or new.
        folder : path, optional
            Where to keep the journal; by default beside the session.

        Returns
        -------
        Journal
            Look at `pending` and `read_only`.
        """
        if folder is not None:
            journal = cls(session, Path(folder))
            Path(folder).mkdir(parents=True, exist_ok=True)
            journal._start()
        else:
            journal = cls(session, _default_folder(session))
            try:
                journal._start()
            except InputError:
                if not session.path:
                    raise
                # the session's folder cannot be written: its edits are kept at home until it is saved elsewhere
                journal = cls(session, _home(_key(session)))
                journal._start()
        session.journal = journal
        session.neurons_changed.connect(journal._on_edited)
        return journal

    def _start(self) -> None:
        self.owner = self.lock.acquire()
        self.read_only = bool(self.owner)
        self._covered = dict(self.session.stored)  # what is in the file needs no copy
        if self.read_only:
            return
        try:
            self._old = _logs(self.folder)
            self.pending, self.left_out = _read_logs(self._old, self.session)
            names = [BASE.fullmatch(p.name) for p in self.folder.glob("base-*.zip")]
            self._bases = max([int(m[1]) for m in names if m] + [0])
            self._open_log()
        except BaseException:
            self.lock.release()
            raise
        if not self.pending:
            self._remove_old()

    def _open_log(self) -> None:
        names = [LOG.match(p.name) for p in self.folder.glob("edits-*")]
        last = max([int(m[1]) for m in names if m] + [0])
        self._file = JournalFile(self.folder / f"edits-{last + 1:06d}.log")
        self._file.append({"journal": 1, "uid": self.session.uid, "session": self.session.path or ""})

    # --- while it runs ------------------------------------------------------------------------------------------------

    def __call__(self, edit: Edit, recording: Recording | None = None) -> None:
        """Put an edit on disk, with the recording that it brings; the session calls this before it applies it."""
        if self.read_only or self._file is None:
            raise InputError(
                f"the session is open in another window ({self.owner or 'closed here'}); here it can only be looked at",
                fix="Edit it there, or save it here under another name.",
            )
        if not self.lock.still_mine() and self.lock.acquire():
            self.read_only = True
            raise InputError("another window took the session over", fix="Save it here under another name.")
        known = self._covered.get(edit.recording) if recording is None else None
        recording = self.session.recordings[edit.recording] if recording is None else recording
        record: dict[str, Any] = {"n": len(self.session.history), "edit": Encoder(ArrayPool()).record(edit)}
        if known is not recording:
            record["base"] = self._keep_base(recording)
        self._file.append(record)
        self._covered[edit.recording] = recording

    def _on_edited(self, name: str) -> None:
        if name in self._covered:
            self._covered[name] = self.session.recordings[name]

    def _keep_base(self, recording: Recording) -> str:
        from .save_load import save_session

        self._bases += 1
        name = f"base-{self._bases}.zip"
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
            base = str(record.get("base", ""))
            if base and folder != self.folder:
                self._bases += 1
                shutil.copyfile(folder / base, self.folder / f"base-{self._bases}.zip")
                fsync_path(self.folder / f"base-{self._bases}.zip")
                record = record | {"base": f"base-{self._bases}.zip"}
            self._file.append(record)

    def close(self) -> None:
        """Stop journalling and give the lock back; nothing stays on disk if all edits were saved."""
        if self._file is not None:
            self._file.close()
            records, _ = read_records(self._file.path) if self._file.path.exists() else ([], 0)
            if not any("edit" in r for r in records):
                self._file.path.unlink(missing_ok=True)
            self._file = None
        with contextlib.suppress(ValueError, TypeError):
            self.session.neurons_changed.disconnect(self._on_edited)
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
        for number, lost in enumerate(self.pending):
            try:
                if _in_trail(self.session, lost):
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
        if refused:
            self._set_aside()
        else:
            self._remove_old()
        return refused

    def discard(self) -> None:
        """Leave the pending edits out; their logs are kept as `*.discarded`."""
        self.pending = []
        self._set_aside()

    def _set_aside(self) -> None:
        for log in self._old:
            log.rename(log.with_suffix(".discarded"))
        self._old = []

    def _remove_old(self) -> None:
        used = {str(r.get("base")) for log in _logs(self.folder) if log not in self._old for r in read_records(log)[0]}
        for log in self._old:
            log.unlink(missing_ok=True)
        self._old = []
        for base in self.folder.glob("base-*.zip"):
            if base.name not in used:
                base.unlink(missing_ok=True)


def find_recoverable() -> list[Recoverable]:
    """Return the journals in the state folder that a crash left behind, the newest first."""
    found = []
    for folder in (state_folder() / "journals").glob("*"):
        owner = read_owner(folder / LOCK_NAME)
        if not folder.is_dir() or (owner and is_alive(owner)):
            continue
        with contextlib.suppress(DynamicConnectomeError):
            records = [r for log in _logs(folder) for r in read_records(log)[0]]
            edits = [r["edit"] for r in records if isinstance(r.get("edit"), dict)]
            if edits:
                heads = [r for r in records if "journal" in r]
                names = tuple(dict.fromkeys(str(e.get("recording")) for e in edits))
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
    journal = Journal.attach(session, folder=found.folder)
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
                lost = Lost(edit, int(record["n"]), str(record.get("base", "")))
                if not isinstance(edit.recording, str) or any(len(c) != 4 for c in edit.changes):
                    raise TypeError
            except (KeyError, TypeError, ValueError, AttributeError, DynamicConnectomeError):
                left_out += 1
                continue
            if not _in_trail(session, lost):
                found.append(lost)
    return found, left_out


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
    ours = re.compile(r"(edits-\d{6}\.log|base-\d+\.zip|lock|\.lock\..*|\..*\.partial)")
    if folder.is_dir() and all(ours.fullmatch(p.name) for p in folder.iterdir()):
        shutil.rmtree(folder, ignore_errors=True)
