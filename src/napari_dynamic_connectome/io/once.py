"""What is found out about a file while it is opened, each thing once: its first bytes, its format, what it holds.

Inside of `opening`, functions marked with `once` remember what they found; outside they look again, because a file may change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

P = TypeVar("P", bound=str | Path)
T = TypeVar("T")
Known = dict[tuple[str, str], Any]

_known: ContextVar[Known | None] = ContextVar("known", default=None)


@contextmanager
def opening(known: Known | None = None) -> Iterator[None]:
    """In this block (or function, as a decorator) a file is looked at once; inside of another such block it does nothing.

    Parameters
    ----------
    known : dict, optional
        What was found out a moment ago, for a block that goes on with the same files.
    """
    if _known.get() is not None:
        yield
        return
    token = _known.set({} if known is None else known)
    try:
        yield
    finally:
        _known.reset(token)


def once(function: Callable[[P], T]) -> Callable[[P], T]:
    """Mark what finds out one thing about a path; a failure is not remembered."""
    name = f"{function.__module__}.{function.__qualname__}"

    @wraps(function)
    def found(path: P) -> T:
        known = _known.get()
        if known is None:
            return function(path)
        key = (name, str(path))
        if key not in known:
            known[key] = function(path)
        value: T = known[key]
        return value

    return found
