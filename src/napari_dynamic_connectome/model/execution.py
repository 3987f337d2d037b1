"""Pieces of a long step on threads: the one way in which any step uses more than one core.

Results come in the order of the items and are the same for any number of threads; progress is told and cancel is polled in the
caller's thread. Every piece has one BLAS thread to itself, and a piece that asks for threads itself gets one: pools within pools
would only compete for the cores.

How many threads: what the step's settings ask for, else `limited_threads`, else DYNAMIC_CONNECTOME_THREADS, else one a core.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event, Lock, local
from typing import Any, TypeVar

from .errors import Cancelled, SettingsError
from .progress import CancelCallback, check_cancel

T = TypeVar("T")
S = TypeVar("S")
POLL_S = 0.1
VARIABLE = "DYNAMIC_CONNECTOME_THREADS"
_limit: ContextVar[int] = ContextVar("threads", default=0)
_here = local()
_blas_lock = Lock()
_blas_users = 0
_blas_limits: Any = None


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_count(asked: int = 0) -> int:
    """Threads that a step gets.

    Parameters
    ----------
    asked : int
        What its settings say; 0: `limited_threads`, else the environment, else one a core.
    """
    if getattr(_here, "working", False):
        return 1
    if asked or _limit.get():
        return asked or _limit.get()
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return cores()
    if not text.isdecimal():
        raise SettingsError(f"'{text}' is not a number of threads", where=VARIABLE, fix="Use 1, 2, 3 ... or unset it.")
    return int(text) or cores()


@contextmanager
def limited_threads(threads: int) -> Iterator[None]:
    """Let the steps inside use at most so many threads, where their own settings do not say (0: as outside)."""
    token = _limit.set(threads or _limit.get())
    try:
        yield
    finally:
        _limit.reset(token)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """One BLAS thread for the whole process until the last one inside has left."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    global _blas_users, _blas_limits
    with _blas_lock:
        if _blas_users == 0:
            _blas_limits = threadpool_limits(limits=1, user_api="blas")
        _blas_users += 1
    try:
        yield
    finally:
        with _blas_lock:
            _blas_users -= 1
            if _blas_users == 0:
                _blas_limits.restore_original_limits()


def _mark() -> None:
    _here.working = True


class Workers:
    """A small pool of threads.

    Parameters
    ----------
    threads : int
        As for `thread_count`.
    cancel : callable, optional
        Polled every tenth of a second; then `stop` is set, the running pieces give up, and `Cancelled` is raised.
    """

    def __init__(self, threads: int = 0, cancel: CancelCallback | None = None) -> None:
        self.threads = thread_count(threads)
        self.cancel = cancel
        self.stop = Event()
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="dynamic-connectome", initializer=_mark)

    def stopped(self) -> bool:
        """Whether a piece shall give up: to be asked from the pieces (`cancel` is then asked from their threads, too)."""
        return self.stop.is_set() or (self.cancel is not None and self.cancel())

    def map(self, function: Callable[[Any], T], items: Iterable[Any]) -> list[T]:
        """Results in the order of the items; all of them are under way at once."""
        futures = [self._pool.submit(function, item) for item in items]
        pending = set(futures)
        try:
            while pending:
                done, pending = wait(pending, timeout=POLL_S, return_when=FIRST_EXCEPTION)
                if self.cancel is not None and self.cancel():
                    raise Cancelled
                if any(f.exception() is not None for f in done):
                    break
            return [f.result() for f in futures]
        except BaseException:
            self.stop.set()
            for future in futures:
                future.cancel()
            wait(futures)
            raise

    def stream(self, function: Callable[[S], T], items: Iterable[S], *, ordered: bool = True) -> Iterator[tuple[S, T]]:
        """Items and their results, one by one; few are under way, so memory does not grow with their number.

        Parameters
        ----------
        function : callable
        items : iterable
            Taken in this thread, one more than there are threads at a time.
        ordered : bool
            In the order of the items, else those that are finished first.

        Notes
        -----
        When the caller stops taking results or cancels, `stop` is set, and what still runs is thrown away.
        """
        waiting = iter(items)
        running: dict[Future[T], S] = {}
        try:
            while True:
                while len(running) <= self.threads:
                    check_cancel(self.cancel)
                    try:
                        item = next(waiting)
                    except StopIteration:
                        break
                    running[self._pool.submit(function, item)] = item
                if not running:
                    return
                check_cancel(self.cancel)
                first = next(iter(running))
                wait([first] if ordered else list(running), timeout=POLL_S, return_when=FIRST_COMPLETED)
                for future in list(running):
                    if future.done():
                        yield running.pop(future), future.result()
                    elif ordered:
                        break
        except BaseException:
            self.stop.set()
            for future in running:
                future.cancel()
            raise

    def close(self, *, patient: bool = True) -> None:
        """Stop the threads; `patient`: return when the last piece has ended."""
        self._pool.shutdown(wait=patient, cancel_futures=True)


class InlineWorkers(Workers):
    """Runs pieces one after the other in the thread that asks: for fits of which many run side by side.

    Parameters
    ----------
    stop : threading.Event
        Set by whoever started this thread; looked at before every piece.
    cancel : callable, optional
        Likewise.
    """

    def __init__(self, stop: Event, cancel: CancelCallback | None = None) -> None:
        self.threads = 1
        self.cancel = cancel
        self.stop = stop

    def map(self, function: Callable[[Any], T], items: Iterable[Any]) -> list[T]:
        """Results in the order of the items."""
        return [result for _, result in self.stream(function, items)]

    def stream(self, function: Callable[[S], T], items: Iterable[S], *, ordered: bool = True) -> Iterator[tuple[S, T]]:
        """Items and their results, one by one."""
        for item in items:
            if self.stop.is_set():
                raise Cancelled
            check_cancel(self.cancel)
            yield item, function(item)

    def close(self, *, patient: bool = True) -> None:
        """Nothing to stop."""


@contextmanager
def workers(threads: int = 0, cancel: CancelCallback | None = None, *, patient: bool = True) -> Iterator[Workers]:
    """Threads with one BLAS thread each, so that the result does not depend on how many there are.

    Parameters
    ----------
    threads, cancel
        As for `Workers`.
    patient : bool
        After a cancel or an error, wait for the pieces that run; without, whatever they return later is thrown away.
    """
    inside = getattr(_here, "working", False)
    pool = InlineWorkers(Event(), cancel) if inside else Workers(threads, cancel)
    try:
        with one_blas_thread():
            yield pool
    except BaseException:
        pool.stop.set()
        raise
    finally:
        pool.close(patient=patient or not pool.stop.is_set())


def stream(
    function: Callable[[S], T],
    items: Iterable[S],
    *,
    threads: int = 0,
    cancel: CancelCallback | None = None,
) -> Iterator[tuple[S, T]]:
    """Items with their results, in the order of the items; see `Workers.stream`."""
    with workers(threads, cancel) as pool:
        yield from pool.stream(function, items)
