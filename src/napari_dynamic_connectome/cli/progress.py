"""Progress of a step in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .told import tell

if TYPE_CHECKING:
    from ..model.progress import ProgressCallback


QUIET = False
"""Show nothing (the option -q)."""


@contextmanager
def progress_bar(title: str) -> Iterator[ProgressCallback]:
    """Show one bar while a step runs (plain lines where standard error is no terminal), also while kernels are compiled."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from ..model.compiling import COMPILING, compiling_told

    if QUIET:
        with compiling_told(lambda fraction, message="", /: None) as told:
            yield told
        return
    console = Console(stderr=True)
    if not console.is_terminal:
        shown = {"twentieth": -1, "compiling": 0}

        def plain(fraction: float, message: str = "", /) -> None:
            twentieth = int(20 * fraction)
            if message.startswith(COMPILING):
                if not shown["compiling"]:
                    shown["compiling"] = 1
                    tell(f"{title}: {100 * fraction:3.0f} %  {COMPILING} (later runs start at once)")
            elif message and twentieth > shown["twentieth"]:
                shown["twentieth"] = twentieth
                tell(f"{title}: {100 * fraction:3.0f} %  {message}")

        with compiling_told(plain) as told:
            yield told
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    clock = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, *clock, console=console, transient=True) as bar:
        task = bar.add_task(title, total=1.0)

        def update(fraction: float, message: str = "", /) -> None:
            bar.update(task, completed=fraction, description=f"{title}: {message}" if message else title)

        with compiling_told(update) as told:
            yield told
