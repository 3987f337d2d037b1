"""Memory of the machine, and one plain message before something is started that cannot fit into it."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path
from typing import Any

from .errors import InputError

SHARE = 0.5
"""Share of the free memory that one step may take."""
PROCESSES = "DYNAMIC_CONNECTOME_PROCESSES"
"""Environment variable of the workers of a local cluster: how many processes share the memory of the machine."""


ADDRESS_MB = 700.0
"""Address space that a step needs where that is limited: a thread alone may reserve 130 MB, and libraries end the process, without
a message, where they get none."""
START_MB = 2500.0
"""Address space that the program needs at its start: most of it is reserved and never used."""


def free_mb() -> float:
    """Memory that can still be taken, in MB: this process's part of the machine and the container, and the limits of the process.

    Returns
    -------
    float
        Infinity where the system does not tell.
    """
    return min(machine_mb() / _sharing(), limits_mb())


def machine_mb() -> float:
    """Memory in MB that is free on the machine or in the container, whoever takes it; infinity where the system does not tell."""
    found = [float("inf")]
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                found.append(int(line.split()[1]) * 1024)
    with contextlib.suppress(OSError, ValueError):
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        if limit != "max":
            found.append(int(limit) - int(Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii")))
    if len(found) == 1:  # not Linux
        with contextlib.suppress(ImportError):
            import psutil  # type: ignore[import-untyped]

            found.append(psutil.virtual_memory().available)
    if len(found) == 1:
        with contextlib.suppress(ValueError, OSError, AttributeError):
            found.append(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return max(min(found), 0.0) / 1e6


def limits_mb(worker: Any = None) -> float:
    """Memory in MB that the limits of this process leave: its address space, and what a worker of a dask cluster may take.

    Parameters
    ----------
    worker : distributed.Worker, optional
        The one that runs here, where `distributed.get_worker` does not know it.

    Returns
    -------
    float
        Infinity without limits.
    """
    found = (address_mb(), worker_mb(worker))
    return max(min((left for left in found if left is not None), default=float("inf")), 0.0)


def _sharing() -> int:
    """Processes that share the memory of this machine."""
    text = os.environ.get(PROCESSES, "")
    return max(int(text), 1) if text.isdigit() else 1


def worker_mb(worker: Any = None) -> float | None:
    """Memory in MB that the limit of this worker of a dask cluster leaves; None elsewhere, or without a limit."""
    if "distributed" not in sys.modules:
        return None
    from distributed import get_worker

    try:
        limit = (worker or get_worker()).memory_manager.memory_limit
    except (ValueError, AttributeError):  # not on a worker
        return None
    if not limit:
        return None
    import psutil

    return float(max(limit - psutil.Process().memory_info().rss, 0) / 1e6)


def address_mb() -> float | None:
    """Address space in MB that the limit of this process (ulimit -v) leaves; None if there is no limit or it is not told."""
    with contextlib.suppress(ImportError, OSError, ValueError, IndexError):
        import resource

        most = resource.getrlimit(resource.RLIMIT_AS)[0]
        if most != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            return (most - pages * resource.getpagesize()) / 1e6
    return None


def check_room(what: str, *, address: float = ADDRESS_MB) -> None:
    """Raise `InputError` before a step if a limit of this process leaves less address space than it needs without any data.

    Parameters
    ----------
    what : str
    address : float
        In MB.
    """
    left = address_mb()
    if left is not None and left < address:
        raise InputError(
            f"{what} may reserve {_words(address)} of address space; the limit of this process leaves {_words(max(left, 0))}",
            fix="Raise the limit (ulimit -v).",
        )


def explained(error: BaseException, what: str) -> InputError | None:
    """Return a message for an error that comes from a lack of memory; None for other errors."""
    text = str(error)
    if not (
        isinstance(error, MemoryError)
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or (isinstance(error, RuntimeError) and "can't start new thread" in text)
        or (isinstance(error, ImportError) and ("failed to map segment" in text or "Cannot allocate memory" in text))
    ):
        return None
    return InputError(
        f"{what}: there is not enough memory ({_words(free_mb())} are free)",
        fix="Close other programs, lower memory_mb in the settings, raise a limit (ulimit -v), or use a computer with more memory.",
    )


def budget_mb(asked: float) -> float:
    """Memory in MB that a step may take: what was asked for, and never more than half of what is free."""
    return min(asked, SHARE * free_mb())


def check_fits(need_mb: float, what: str, *, where: str = "", fix: str = "") -> None:
    """Raise `InputError` before a step is started that needs more memory than is free."""
    free = free_mb()
    if need_mb > free:
        raise InputError(
            f"{what} would need {_words(need_mb)} of memory; {_words(free)} are free",
            where=where,
            fix=fix or "Close other programs, or use a computer with more memory.",
        )


def _words(megabytes: float) -> str:
    return f"{megabytes / 1000:.3g} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"
