"""Run pieces of a step on threads: order of the results fixed, cancel polled by the caller's thread, one BLAS thread each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Event
from typing import Any, TypeVar

from ..model.errors import Cancelled
from ..model.progress import CancelCallback

T = TypeVar("T")
POLL_S = 0.1


class Workers:
    """A small pool of threads.

    Parameters
    ----------
    threads : int
        0: one a core.
    cancel : callable, optional
        Polled every tenth of a second; then `stop` is set, the running pieces give up, and `Cancelled` is raised.
    """

    def __init__(self, threads: int = 0, cancel: CancelCallback | None = None) -> None:
        self.threads = threads or len(
            os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
        )
        self.cancel = cancel
        self.stop = Event()
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="factorize")

    def map(self, function: Callable[[Any], T], items: Iterable[Any]) -> list[T]:
        """Results in the order of the items."""
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

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def workers(threads: int = 0, cancel: CancelCallback | None = None) -> Iterator[Workers]:
    """Threads with one BLAS thread each, so that the result does not depend on how many there are."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    pool = Workers(threads, cancel)
    try:
        with threadpool_limits(limits=1, user_api="blas"):
            yield pool
    finally:
        pool.close()
