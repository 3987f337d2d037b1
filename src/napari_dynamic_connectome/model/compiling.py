"""Say so while kernels are compiled: the first use on a machine takes longer than all later ones, and a user wants to know why.

Meanwhile Python looks for no garbage: a compiler makes so many objects that the search through them is an eighth of its time.
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


class _Garbage:
    """Python's search for garbage rests while somebody who asked for it compiles; where it was off before, it stays off."""

    def __init__(self) -> None:
        self._lock, self._resting, self._searched = Lock(), set[tuple[int, int]](), False

    def rest(self, who: int) -> None:
        """Until `go_on` from the same thread, or `end`."""
        with self._lock:
            if not self._resting:
                self._searched = gc.isenabled()
                gc.disable()
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
            if rested and not self._resting and self._searched:
                gc.enable()


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
