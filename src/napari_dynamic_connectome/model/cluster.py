"""Pieces of a long step on a dask cluster, beside `execution`, which has the threads of this process."""

from __future__ import annotations

import os
import socket
import time
import warnings
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import Any, TypeVar

from .errors import Cancelled, DynamicConnectomeError, MissingExtraError
from .memory import PROCESSES, limits_mb, machine_mb
from .progress import CancelCallback

S = TypeVar("S")
T = TypeVar("T")
C = TypeVar("C")
POLL_S = 0.1
RETRIES = 2
KEEPS_NOTHING = "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_"
SHARED_BY = f"distributed.nanny.environ.{PROCESSES}"
"""Of the worker alone: what is set before it is spawned comes into the environment of this process, too, whenever a worker is started again."""
WAITING = 4
"""Pieces with data of their own that wait at the scheduler, for each thread of the workers."""
_lent: ContextVar[Any] = ContextVar("cluster", default=None)


@contextmanager
def lent(client: Any) -> Iterator[None]:
    """Let what runs inside find the cluster with `borrowed`: preparations that are not told of one."""
    token = _lent.set(client)
    try:
        yield
    finally:
        _lent.reset(token)


def borrowed() -> Any:
    """Client of the cluster that was lent to this block, or None; threads that were started in it have none."""
    return _lent.get()


def on_cluster(
    client: Any,
    function: Callable[[C, S], T],
    common: C,
    items: Sequence[S],
    *,
    cancel: CancelCallback | None = None,
    tell: Callable[[int], None] | None = None,
    heavy: bool = False,
) -> Generator[tuple[S, T]]:
    """Items with `function(common, item)`, one by one as they are finished.

    A piece that is lost with its worker is run again by the scheduler.

    Parameters
    ----------
    client : dask.distributed.Client
    function : callable
        Of a module, so that workers find it.
    common : object
        Sent once.
    items : sequence
    cancel : callable, optional
    tell : callable, optional
        Told how many are finished.
    heavy : bool
        Items hold data: only a few are given to the scheduler before others are finished.

    Raises
    ------
    Cancelled
        Within a second of `cancel()` returning True.
    DynamicConnectomeError
        Workers died again and again.
    """
    try:
        from distributed import KilledWorker
    except ImportError as error:
        raise MissingExtraError("distributed", "cluster", "running on a dask cluster") from error
    shared = sent(client, common)
    queue = iter(items)
    waiting: dict[Any, S] = {}
    finished = 0
    try:
        while True:
            room = len(items) if not heavy else WAITING * max(sum(client.nthreads().values()), 1)
            for item in islice(queue, max(room - len(waiting), 0)):
                waiting[client.submit(function, shared, item, pure=False, retries=RETRIES)] = item
            if not waiting:
                return
            done = [future for future in waiting if future.done()]
            for future in done:
                item = waiting.pop(future)
                yield item, future.result()
                finished += 1
                if tell is not None:
                    tell(finished)
            if cancel is not None and cancel():
                raise Cancelled
            if not done:
                time.sleep(POLL_S)
    except KilledWorker as error:
        raise DynamicConnectomeError(
            "workers of the cluster died again and again, probably for lack of memory"
        ) from error
    finally:
        client.cancel([shared, *waiting])


def sent(client: Any, common: Any) -> Any:
    """Return a future of what all pieces need, sent once.

    It is part of the graph: data that was scattered to a worker that dies is lost for good. That it is large is meant so.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sending large graph")
        return client.submit(_identity, common, pure=False)


def free_mb_each(client: Any) -> float:
    """Memory in MB that every process of a cluster can have, this one and all workers, if each takes as much: the least.

    Workers on one machine share what is free there, with this process if it runs there, too; limits of a worker are its own.
    """
    rooms = [*client.run(_room, on_error="ignore").values(), _room()]
    sharing = Counter(machine for machine, _, _ in rooms)
    return float(min(min(free / sharing[machine], limit) for machine, free, limit in rooms))


def _room(dask_worker: Any = None) -> tuple[str, float, float]:
    """Name of this machine, what is free there in MB, and what the limits of this process leave; dask fills in the worker."""
    return socket.gethostname(), machine_mb(), limits_mb(dask_worker)


def local_client(workers: int) -> Any:
    """Start a cluster of so many processes of one thread each on this machine; it ends when the client is closed.

    Workers of dask give the memory of every temporary array back to the system at once (`MALLOC_TRIM_THRESHOLD_`), which doubled
    the CPU time of a factorization; these keep it. The environment of this process stays as it is.
    """
    try:
        import dask
        from distributed import Client
    except ImportError as error:
        raise MissingExtraError("distributed", "cluster", "running on a dask cluster") from error
    before = dict(os.environ)
    try:
        with dask.config.set({KEEPS_NOTHING: None, SHARED_BY: str(workers + 1)}):
            # each step watches its own memory, and knows with how many others it shares the machine's
            return Client(n_workers=workers, threads_per_worker=1, dashboard_address=None, memory_limit=0)
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]


def _identity(common: C) -> C:
    return common
