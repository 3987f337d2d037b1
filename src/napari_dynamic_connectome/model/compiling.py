"""Say so while kernels are compiled: the first use on a machine takes longer than all later ones, and a user wants to know why.

Meanwhile Python looks for garbage less often: a compiler makes so many objects that the search through them is an eighth of its time.
"""

from __future__ import annotations

import gc
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, get_ident, local
from typing import Any

from .progress import ProgressCallback

COMPILING = "compiling, once on this machine"


SELDOM = (50_000, 20, 50)
"""New objects, and searches of the next younger kind, after which Python looks for garbage meanwhile (700, 10, 10 as a rule). Compiling the kernels of
the communities takes 25 instead of 28 CPU s and a peak of 490 MB instead of 440; without any search it is as quick and takes 620."""


class _Garbage:
    """Python searches for garbage seldom while somebody who asked for it compiles; then as often as before."""

    def __init__(self) -> None:
        self._lock, self._resting, self._before = Lock(), set[tuple[int, int]](), gc.get_threshold()

    def rest(self, who: int) -> None:
        """Until `go_on` from the same thread, or `end`."""
        with self._lock:
            if not self._resting:
                self._before = gc.get_threshold()
                if self._before[0]:  # 0: never, as somebody wants it
                    gc.set_threshold(*SELDOM)
            self._resting.add((who, get_ident()))

    def go_on(self, who: int) -> None:
        self._leave({(who, get_ident())})

    def end(self, who: int) -> None:
        """In all threads: what still compiles elsewhere is not told any more when it has ended."""
        self._leave({one for one in tuple(self._resting) if one[0] == who})

    def _leave(self, those: set[tuple[int, int]]) -> None:
        with self._lock:
            rested = bool(self._resting)
            self._resting -= those
            if rested and not self._resting and gc.get_threshold() == SELDOM:  # nobody else has said how often since
                gc.set_threshold(*self._before)


_garbage = _Garbage()


@contextmanager
def compiling_told(progress: ProgressCallback | None) -> Iterator[Any]:
    """Let a progress callback tell of kernels that numba compiles meanwhile; the fraction stays where it was.

    Parameters
    ----------
    progress : callable, optional
        Also called from the threads of the step, as kernels are compiled where they are needed first.

    Yields
    ------
    callable or None
        To be used in place of `progress`.
    """
    if progress is None:
        yield None
        return
    event = importlib.import_module("numba.core.event")
    say: ProgressCallback = progress
    depth = local()
    last: tuple[float, str] = (0.0, "")
    count = 0

    def tell(fraction: float, message: str = "", /) -> None:
        nonlocal last
        last = (fraction, message or last[1])
        say(fraction, message)

    def tell_of_it() -> None:
        say(last[0], f"{COMPILING} ({count} kernels so far)")

    class Compiled(event.Listener):  # type: ignore[name-defined, misc]
        def on_start(self, _: Any) -> None:
            depth.now = getattr(depth, "now", 0) + 1
            if depth.now == 1:
                _garbage.rest(id(self))
                tell_of_it()

        def on_end(self, _: Any) -> None:
            nonlocal count
            depth.now = getattr(depth, "now", 1) - 1
            count += 1
            if depth.now == 0:
                _garbage.go_on(id(self))
                say(*last)
            elif count % 10 == 0:
                tell_of_it()

    listener = Compiled()
    try:
        with event.install_listener("numba:compile", listener):
            yield tell
    finally:
        _garbage.end(id(listener))
