"""What differs between Linux, macOS and Windows: flushing, replacing and locking files, processes, memory, names of files.

All other code calls these and asks for no system itself.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

from .errors import InputError

WINDOWS = os.name == "nt"
PROC = Path("/proc")
RETRY_S = 2.0
"""How long a file that another program holds open is waited for: virus scanners and search indexes look at every new file."""
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')


# --- files ------------------------------------------------------------------------------------------------------------


FOLDER_VARIABLE = "DYNAMIC_CONNECTOME_CONFIG"


def config_folder() -> Path:
    """Return the folder of what is remembered for this user; the environment variable DYNAMIC_CONNECTOME_CONFIG sets another."""
    asked = os.environ.get(FOLDER_VARIABLE)
    if asked:
        return Path(asked)
    from platformdirs import user_config_path

    return user_config_path("napari-dynamic-connectome", appauthor=False)


def flush(path: str | Path) -> None:
    """Flush a file, or the entries of a folder, to disk.

    Windows opens no folders, and some file systems flush none: they are let be. There the rename itself is what counts.
    """
    folder = Path(path).is_dir()
    # Windows flushes only what is open for writing
    access = os.O_RDWR if WINDOWS and not folder else os.O_RDONLY
    try:
        descriptor = os.open(path, access | getattr(os, "O_BINARY", 0))
    except PermissionError:
        if folder:
            return
        raise
    try:
        os.fsync(descriptor)
    except OSError as error:
        quiet = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, *((errno.EACCES, errno.EPERM) if folder else ()))
        if error.errno not in quiet:
            raise
    finally:
        os.close(descriptor)


def replace(source: str | Path, target: str | Path) -> None:
    """Rename a file or an absent folder's name, replacing what is there.

    Windows refuses while any program holds one of the two open; this waits for up to `RETRY_S` seconds.

    Raises
    ------
    InputError
        Another program still holds it open.
    OSError
        Any other failure.
    """
    _retried(lambda: os.replace(source, target), Path(target))


def remove_file(path: str | Path) -> None:
    """Remove a file, if it is there; waits as `replace` does."""
    _retried(lambda: Path(path).unlink(missing_ok=True), Path(path))


def _retried(work: Any, path: Path) -> None:
    pause, waited = 0.01, 0.0
    while True:
        try:
            work()
        except PermissionError as error:
            if not WINDOWS:
                raise
            if waited >= RETRY_S:
                raise InputError(
                    "another program holds this open, so it cannot be replaced",
                    where=str(path),
                    fix="Close it there (a spreadsheet, a viewer, another napari), then try again.",
                ) from error
            time.sleep(pause)
            waited, pause = waited + pause, min(2 * pause, 0.2)
        else:
            return


def unusable_name(name: str) -> str:
    """Say why Windows cannot have a file of this name; "" where it can."""
    found = _FORBIDDEN.search(name)
    if found:
        return f"Windows allows no {found.group()!r} in names of files"
    if is_reserved(name):
        return f"Windows keeps the name '{name.split('.')[0]}' for a device"
    if name.endswith((" ", ".")) and name not in (".", ".."):
        return "Windows drops a dot or space at the end of a name"
    return ""


def is_reserved(name: str) -> bool:
    """True for names that mean a device on Windows, with any ending: CON, nul.csv, Aux.tar.gz."""
    return _RESERVED.fullmatch(name.split(".")[0].rstrip(" ")) is not None


def check_name(path: Path) -> None:
    """Raise `InputError` before a file is written whose name this system cannot have."""
    why = unusable_name(path.name) if WINDOWS else ""
    if why:
        raise InputError(why, where=str(path), fix="Choose another name.")


def lock_file(descriptor: int, *, wait: bool = True) -> bool:
    """Hold an open file for this process alone until `unlock_file`.

    Where the system has neither `flock` nor `msvcrt`, nothing is held.

    Parameters
    ----------
    descriptor : int
    wait : bool
        Wait for others that hold it.

    Returns
    -------
    bool
        False if another one holds it and is not waited for.
    """
    with contextlib.suppress(ImportError):
        fcntl = importlib.import_module("fcntl")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
    with contextlib.suppress(ImportError):
        msvcrt = importlib.import_module("msvcrt")
        while True:
            os.lseek(descriptor, 0, os.SEEK_SET)
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EDEADLK):
                    raise
                if not wait:
                    return False
                time.sleep(0.02)
            else:
                return True
    return True


def unlock_file(descriptor: int) -> None:
    """Give back what `lock_file` holds; to be called before the file is closed."""
    with contextlib.suppress(ImportError):
        fcntl = importlib.import_module("fcntl")
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        return
    with contextlib.suppress(ImportError):
        msvcrt = importlib.import_module("msvcrt")
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)


# --- processes --------------------------------------------------------------------------------------------------------


def is_running(pid: int) -> bool:
    """Whether there is a process with this number; one that may not be asked about counts."""
    if pid <= 0:
        return False
    if WINDOWS:  # there, signal 0 would be Ctrl-C
        import psutil  # type: ignore[import-untyped]

        return bool(psutil.pid_exists(pid))
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def start_of(pid: int) -> str:
    """When a process was started, as a text that never changes while it runs; "" where that is not known.

    Numbers of processes are used again: the same number with another start is another process.
    """
    if (PROC / "self").exists():  # in the kernel's ticks since the start of the machine
        try:
            text = (PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
            return text.rpartition(")")[2].split()[19]
        except (OSError, IndexError):
            return ""
    import psutil

    try:
        return f"{psutil.Process(pid).create_time():.2f}"
    except (psutil.Error, OSError, OverflowError, ValueError):
        return ""


def peak_memory_mb() -> float:
    """Most memory that this process has had so far, in MiB; NaN where the system does not tell."""
    with contextlib.suppress(ImportError):
        resource = importlib.import_module("resource")
        most = float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        return most / (2**20 if sys.platform == "darwin" else 2**10)  # bytes on macOS, KiB elsewhere
    import psutil

    found = psutil.Process().memory_info()
    return float(getattr(found, "peak_wset", float("nan"))) / 2**20


def can_print_anything() -> None:
    """Let output take any character: one that the console or a pipe's encoding lacks is written as an escape, not an error."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
