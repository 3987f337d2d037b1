"""Say so while kernels are compiled: the first use on a machine takes longer than all later ones, and a user wants to know why."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from threading import local
from typing import Any

from .progress import ProgressCallback

COMPILING = "compiling, once on this machine"


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
                tell_of_it()

        def on_end(self, _: Any) -> None:
            nonlocal count
            depth.now = getattr(depth, "now", 1) - 1
            count += 1
            if depth.now == 0:
                say(*last)
            elif count % 10 == 0:
                tell_of_it()

    with event.install_listener("numba:compile", Compiled()):
        yield tell
