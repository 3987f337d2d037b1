"""Lock of a session: a file with process, host and start time; locks of dead processes do not count.

Two windows on one session would undo each other's work. The first one that asks gets the lock; the second opens read-only.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from ..model.errors import InputError

LOCK_NAME = "lock"
_held: set[str] = set()
_guard = threading.Lock()


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

    def acquire(self) -> str:
        """Take the lock; return "" on success, else who has it."""
        with _guard, _one_at_a_time(self.folder):
            owner = read_owner(self.file)
            if owner and is_alive(owner):
                return describe(owner)
            data = json.dumps({**_me(), "token": self.token}).encode()
            temporary = self.folder / f".{LOCK_NAME}.{self.token}"
            temporary.write_bytes(data)
            os.replace(temporary, self.file)
            _held.add(self.token)
            self.held = True
            return ""

    def release(self) -> None:
        """Give the lock back."""
        if not self.held:
            return
        with _guard:
            _held.discard(self.token)
            self.held = False
            owner = read_owner(self.file)
            if owner and owner.get("token") == self.token:
                with contextlib.suppress(OSError):
                    self.file.unlink()

    def still_mine(self) -> bool:
        """False if someone removed or took the lock."""
        owner = read_owner(self.file)
        return bool(self.held and owner and owner.get("token") == self.token)


def busy_elsewhere(path: Path, journal: Any = None) -> str:
    """Return who else has the session at `path` open; "" if nobody has, or `journal` holds the lock itself."""
    owner = read_owner(journal_folder(path) / LOCK_NAME)
    if not owner or not is_alive(owner):
        return ""
    lock = getattr(journal, "lock", None)
    return "" if lock is not None and owner.get("token") == lock.token else describe(owner)


def read_owner(file: Path) -> dict[str, Any]:
    """Return what the lock file says; empty if there is none or it is damaged."""
    try:
        with file.open("rb") as stream:
            owner = json.loads(stream.read(4096))
    except (OSError, ValueError, RecursionError):
        return {}
    return owner if isinstance(owner, dict) else {}


def is_alive(owner: dict[str, Any]) -> bool:
    """False if the process that wrote a lock is gone; a process on another machine counts as alive."""
    if owner.get("host") != socket.gethostname():
        return True
    pid = owner.get("pid")
    if not isinstance(pid, int) or pid <= 0:
        return False
    if pid == os.getpid():
        return owner.get("token") in _held
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OSError, OverflowError):
        return True
    # process numbers are used again: the same number with another start is another process
    return owner.get("started") in (None, "", start_of(pid))


def describe(owner: dict[str, Any]) -> str:
    """Say who holds a lock."""
    return f"process {owner.get('pid')} on {str(owner.get('host'))[:100]}"


def start_of(pid: int) -> str:
    """When a process was started, in the kernel's ticks since the start of the machine; "" where that is not known."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        return text.rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _me() -> dict[str, Any]:
    return {"pid": os.getpid(), "host": socket.gethostname(), "started": start_of(os.getpid())}


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Let only one process of this machine look at the lock and take it."""
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
    finally:
        os.close(descriptor)


def _open_guard(folder: Path) -> int:
    name = folder / f".{LOCK_NAME}.guard"
    while True:
        folder.mkdir(exist_ok=True)
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT, 0o644)
        with contextlib.suppress(ImportError):  # no flock on this system: taking the lock still is one rename
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX)
        # the last owner may have removed the folder while we waited
        with contextlib.suppress(FileNotFoundError):
            if name.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        os.close(descriptor)
