"""Writes that are there whole or not at all: a temporary sibling, flushed to disk, then renamed into place."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import shutil
import socket
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from glob import escape as glob_escape
from pathlib import Path

from ..model.errors import InputError
from ..model.progress import CancelCallback, check_cancel
from ..model.system import check_name, flush, is_running, remove_file, replace

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def fsync_tree(folder: Path, cancel: CancelCallback | None = None) -> None:
    """Flush every file and folder below `folder`."""

    def one(path: Path) -> None:
        check_cancel(cancel)
        flush(path)

    paths = [*folder.rglob("*"), folder]
    try:
        # several at a time: the system writes them together
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(one, paths))
    except RuntimeError:  # no room for threads: what was computed is saved all the same
        for path in paths:
            one(path)


def exchange(first: Path, second: Path) -> bool:
    """Swap two paths in one step (Linux); False where the system or the file system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    return bool(renameat2(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE) == 0)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        remove_file(path)


@contextlib.contextmanager
def writing(path: Path, cancel: CancelCallback | None = None) -> Iterator[Path]:
    """Give a temporary sibling to write a file or folder to; it takes the place of `path` when the block ends well.

    On any error, and when `cancel` says so while it is flushed to disk, the temporary is removed, and what was at `path` before
    stays.
    """
    check_name(path)
    parent = path.parent
    if parent.exists() and not parent.is_dir():
        raise InputError("this is a file, not a folder", where=str(parent), fix="Choose another place.")
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the folder cannot be made ({error.strerror})", where=str(parent)) from error
    remove_leftovers(path)
    temporary = parent / f".{path.name}.{_machine()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.partial"
    try:
        yield temporary
        if temporary.is_dir():
            fsync_tree(temporary, cancel)
        else:
            flush(temporary)
        check_cancel(cancel)
        put_in_place(temporary, path)
    except UnicodeEncodeError as error:
        remove(temporary)
        raise InputError(
            f"a name that is no UTF-8 cannot be written ({error.object[max(error.start - 40, 0) : error.end]!a})",
            where=str(path),
            fix="Rename the file or folder that it comes from.",
        ) from error
    except OSError as error:
        remove(temporary)
        raise InputError(
            f"writing failed ({error.strerror or error})",
            where=str(path),
            fix="What was there before is unchanged. Check the space on the disk and your permission to write.",
        ) from error
    except BaseException:
        remove(temporary)
        raise


def remove_leftovers(path: Path) -> None:
    """Remove temporaries of `path` that processes of this machine left when they were killed."""
    for item in path.parent.glob(f".{glob_escape(path.name)}.{_machine()}-*.partial"):
        pid = item.name.split("-")[-2]
        if pid.isdigit() and int(pid) != os.getpid() and not is_running(int(pid)):
            remove(item)


def _machine() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]


def put_in_place(temporary: Path, path: Path) -> None:
    """Move a finished temporary to its name, replacing what is there in one step where the system can."""
    if temporary.is_dir() and path.exists():
        if not exchange(temporary, path):
            aside = path.with_name(f".{path.name}.previous")
            remove(aside)
            replace(path, aside)
            try:
                replace(temporary, path)
            except BaseException:
                aside.rename(path)
                raise
            remove(aside)
        else:
            remove(temporary)
    else:
        replace(temporary, path)
    flush(path.parent)


def recover(path: Path) -> None:
    """Clean up after a process that was killed while it replaced `path`.

    A replacement that was cut off between its two renames (systems without `exchange`) is undone, temporaries are removed.
    """
    aside = path.with_name(f".{path.name}.previous")
    with contextlib.suppress(OSError):
        if not path.exists() and aside.exists():
            aside.rename(path)
        remove_leftovers(path)
