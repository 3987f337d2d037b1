"""Lock of a session: a file that says who has it since when, and is touched while its owner lives.

Two windows on one session would undo each other's work. The first one that asks gets the lock; the second opens read-only. A lock whose
process is known to be gone does not count. Whether a process of another machine or container lives cannot be asked: its lock counts as
long as it is touched, and can be taken over after that.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from ..model.errors import InputError
from ..model.system import is_running, lock_file, start_of, unlock_file

LOCK_NAME = "lock"
BEAT_S = 20.0
"""The owner touches its lock this often."""
STALE_S = 180.0
"""A lock that was not touched for this long shows no sign of life."""
TRIES = 20
REMOVING_S = 10.0
"""Who removes a lock that does not count needs no longer than this, if it lives."""
_held: dict[str, Path] = {}
_guard = threading.Lock()
_beating: list[threading.Thread] = []

State = Literal["free", "held", "silent"]
"""Of a lock: nobody has it; its owner lives, or did a moment ago; its owner may live, but has not been heard of for long."""


def journal_folder(path: str | Path) -> Path:
    """Folder beside a session that holds its journal and its lock."""
    path = Path(path)
    return path.with_name(path.name + ".journal")


class SessionLock:
    """The right to change one session.

    Parameters
    ----------
    folder : path
        Folder of the journal.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / LOCK_NAME
        self.token = uuid4().hex
        self.held = False

    @property
    def state(self) -> State:
        """Whether somebody has it now."""
        return state_of(self.file, read_owner(self.file))

    def acquire(self, *, take_over: bool = False) -> str:
        """Take the lock; return "" on success, else who has it.

        Parameters
        ----------
        take_over : bool
            Take it from an owner that shows no sign of life; never from one that does.
        """
        with _guard, _one_at_a_time(self.folder):
            for _ in range(TRIES):
                owner = _read_patiently(self.file)
                state = state_of(self.file, owner)
                if state == "held" or (state == "silent" and not take_over):
                    return describe(owner, self.file)
                if self._make(owner):
                    self.held = True
                    _held[self.token] = self.file
                    _keep_beating()
                    return ""
            return describe(read_owner(self.file), self.file)

    def _make(self, before: dict[str, Any]) -> bool:
        """Put our lock in the place of `before` ({}: of none); False if somebody else was faster."""
        data = json.dumps({**_me(), "token": self.token}).encode()
        temporary = self.folder / f".{LOCK_NAME}.{self.token}"
        temporary.write_bytes(data)
        try:
            if _place(temporary, self.file):
                return True
            with _removing(self.folder) as allowed:
                if not allowed or _read_patiently(self.file) != before:
                    return False  # somebody else is about it, or was faster
                self.file.unlink(missing_ok=True)
                return _place(temporary, self.file)
        finally:
            temporary.unlink(missing_ok=True)

    def release(self) -> None:
        """Give the lock back."""
        if not self.held:
            return
        with _guard:
            _held.pop(self.token, None)
            self.held = False
            owner = read_owner(self.file)
            if owner and owner.get("token") == self.token:
                with contextlib.suppress(OSError):
                    self.file.unlink()

    def still_mine(self) -> bool:
        """False if someone removed or took the lock."""
        owner = read_owner(self.file)
        return bool(self.held and owner and owner.get("token") == self.token)


@contextlib.contextmanager
def writing_alone(place: str | Path, *, take_over: bool = False) -> Iterator[None]:
    """Let one process at a time write a file or a folder of results.

    The lock lies beside the place (inside of a folder whose own folder cannot be written), and is gone afterwards.

    Parameters
    ----------
    place : str or Path
        What is going to be written; it need not be there yet. Links to one place are that place.
    take_over : bool
        Take the lock of a machine that shows no sign of life; never of one that does.

    Raises
    ------
    InputError
        Another process is writing there.
    """
    place = Path(place).expanduser().absolute()
    lock, folder, other = None, place, ""
    try:
        place = place.resolve()
        place.parent.mkdir(parents=True, exist_ok=True)
        outside = bool(place.name) and os.access(place.parent, os.W_OK)
        folder = place.with_name(f".{place.name}.writing") if outside else place / ".writing"
        lock = SessionLock(folder)
        other = lock.acquire(take_over=take_over)
    except (InputError, OSError, ValueError):  # what is wrong with the place is for its writer to say
        if lock is not None:
            remove_lock_folder(folder)
        lock = None
    if other and lock is not None:
        raise InputError(
            f"another program is writing here ({other})",
            where=str(place),
            fix="If that program is gone, take its lock over (--take-over)."
            if lock.state == "silent"
            else "Wait until it is done.",
        )
    try:
        yield
    finally:
        if lock is not None:
            lock.release()
            remove_lock_folder(folder)


def remove_lock_folder(folder: Path) -> None:
    """Remove a folder that holds nothing but what is left of a lock; whoever waits for it makes it again."""
    with contextlib.suppress(OSError, ValueError, InputError), _guard, _one_at_a_time(folder):
        if all(p.name.startswith(f".{LOCK_NAME}.") for p in folder.iterdir()):
            for one in folder.iterdir():
                one.unlink(missing_ok=True)
            folder.rmdir()


def busy_elsewhere(path: Path, journal: Any = None) -> str:
    """Return who else has the session at `path` open; "" if nobody has, or `journal` holds the lock itself."""
    file = journal_folder(path) / LOCK_NAME
    owner = read_owner(file)
    if not owner or state_of(file, owner) == "free":
        return ""
    lock = getattr(journal, "lock", None)
    return "" if lock is not None and owner.get("token") == lock.token else describe(owner, file)


def is_silent(path: Path) -> bool:
    """Whether the session at `path` is locked by a program that cannot be asked and gave no sign of life for minutes."""
    file = journal_folder(path) / LOCK_NAME
    owner = read_owner(file)
    return bool(owner) and state_of(file, owner) == "silent"


def read_owner(file: Path) -> dict[str, Any]:
    """Return what the lock file says; empty if there is none or it is damaged."""
    try:
        with file.open("rb") as stream:
            owner = json.loads(stream.read(4096))
    except (OSError, ValueError, RecursionError):
        return {}
    return owner if isinstance(owner, dict) else {}


def state_of(file: Path, owner: dict[str, Any]) -> State:
    """Say whether the owner of a lock lives, as far as that can be known.

    Parameters
    ----------
    file : Path
        The lock.
    owner : dict
        What it says.
    """
    if not owner:
        return "free"
    if _here(owner):
        return "held" if _runs(owner) else "free"
    return "held" if silence_s(file) < STALE_S else "silent"


def silence_s(file: Path) -> float:
    """Seconds since a lock was touched; by the clock of the disk, which machines share, where that can be asked."""
    try:
        touched = file.stat().st_mtime
    except OSError:
        return float("inf")
    return max(_disk_time(file.parent) - touched, 0.0)


def describe(owner: dict[str, Any], file: Path | None = None) -> str:
    """Say who holds a lock, since when, and when it was heard of last."""

    def said(key: str) -> str:
        return "".join(c for c in str(owner.get(key) or "")[:100] if c.isprintable())

    who = f"{said('user')}, " if said("user") else ""
    text = f"{who}process {said('pid')} on {said('host')}"
    if said("since"):
        text += f" since {said('since')[:16].replace('T', ' ')} UTC"
    if file is not None and not _here(owner):
        silence = silence_s(file)
        if STALE_S <= silence < float("inf"):
            text += f", no sign of life for {_duration(silence)}"
    return text


def _me() -> dict[str, Any]:
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):
        user = ""
    pid = os.getpid()
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        "pid": pid,
        "host": socket.gethostname(),
        "started": start_of(pid),
        "place": _place_of_processes(),
        "machine": _machine(),
        "user": user,
        "since": since,
    }


def _place_of_processes() -> str:
    """What tells one numbering of processes from another: the run of the machine and the container; "" where not known."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 (not a path)
    except (OSError, ValueError):
        return ""


def _machine() -> str:
    """What stays of a machine over its restarts; "" where not known."""
    try:
        text = Path("/etc/machine-id").read_bytes().strip()
    except OSError:
        return ""
    return hashlib.sha256(text).hexdigest()[:16] if text else ""


def _here(owner: dict[str, Any]) -> bool:
    """Whether the owner's process number means something here; the name of the machine may have changed meanwhile."""
    place, own = owner.get("place"), _place_of_processes()
    if not place or not own:
        return owner.get("host") == socket.gethostname()
    if place == own:
        return True
    # the same machine, started again: the process is gone
    machine = _machine()
    again = machine != "" and owner.get("machine") == machine and str(place).split()[-1:] == own.split()[-1:]
    return again and owner.get("host") == socket.gethostname()


def _runs(owner: dict[str, Any]) -> bool:
    pid, place, own = owner.get("pid"), owner.get("place"), _place_of_processes()
    if not isinstance(pid, int) or isinstance(pid, bool) or pid <= 0 or (place and own and place != own):
        return False
    if pid == os.getpid():
        return owner.get("token") in _held
    if not is_running(pid):
        return False
    # process numbers are used again: the same number with another start is another process
    return owner.get("started") in (None, "", start_of(pid))


def _duration(seconds: float) -> str:
    for size, word in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {word}"
    return f"{int(seconds)} s"


def _disk_time(folder: Path) -> float:
    guard = folder / f".{LOCK_NAME}.guard"
    try:
        os.utime(guard)
        return guard.stat().st_mtime
    except OSError:
        return time.time()


def _read_patiently(file: Path) -> dict[str, Any]:
    """As `read_owner`; a lock that is just being written where no link can be made is waited for."""
    for _ in range(20):
        owner = read_owner(file)
        if owner or not file.exists():
            return owner
        time.sleep(0.02)
    return {}


def _place(temporary: Path, file: Path) -> bool:
    """Give a written file its name, only if nothing has it; False if something has."""
    try:
        os.link(temporary, file)
        return True
    except FileExistsError:
        return False
    except OSError:
        pass  # no links on this file system
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(temporary.read_bytes())
    return True


@contextlib.contextmanager
def _removing(folder: Path) -> Iterator[bool]:
    """Let only one process at a time remove a lock that does not count, also where files cannot be locked; yields whether we are it.

    A lock is never moved away to be looked at: in the moment without it, a third process would take it.
    """
    mark = folder / f".{LOCK_NAME}.removing"
    try:
        os.close(os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
    except FileExistsError:
        with contextlib.suppress(OSError):
            if _disk_time(folder) - mark.stat().st_mtime > REMOVING_S:  # of a process that was ended meanwhile
                mark.unlink()
        time.sleep(0.05)
        yield False
        return
    try:
        yield True
    finally:
        mark.unlink(missing_ok=True)


def _keep_beating() -> None:
    """Touch the held locks from a thread of their own, which ends with the program."""
    if not any(t.is_alive() for t in _beating):
        _beating[:] = [threading.Thread(target=_beat, name="session locks", daemon=True)]
        _beating[0].start()


def _beat() -> None:
    while True:
        time.sleep(BEAT_S)
        with _guard:
            mine = list(_held.items())
            if not mine:
                _beating.clear()
                return
        for token, file in mine:
            with contextlib.suppress(OSError):
                if read_owner(file).get("token") == token:
                    os.utime(file)


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Let only one process look at the lock and take it, where the file system can tell; creation is exclusive anyway."""
    try:
        descriptor = _open_guard(folder)
    except OSError as error:
        raise InputError(
            f"the session's journal cannot be written ({error.strerror})",
            where=str(folder),
            fix="Save the session to a folder where you may write.",
        ) from error
    try:
        yield
    except OSError as error:
        raise InputError(
            f"the session cannot be locked ({error.strerror})",
            where=str(folder),
            fix="Save the session to a folder where you may write.",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            unlock_file(descriptor)
        os.close(descriptor)


def _open_guard(folder: Path) -> int:
    name = folder / f".{LOCK_NAME}.guard"
    while True:
        folder.mkdir(exist_ok=True)
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT, 0o644)
        with contextlib.suppress(OSError):  # not on this file system
            lock_file(descriptor)
        # the last owner may have removed the folder while we waited
        with contextlib.suppress(FileNotFoundError):
            if name.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        os.close(descriptor)
