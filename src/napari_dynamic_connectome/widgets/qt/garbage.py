"""Garbage collections of Python, kept short while docks are open.

With napari and the libraries loaded, a collection of everything visits about a million objects that hardly ever go: some 100 ms in
which the window stands still. They are set aside while a dock is open; what the work itself leaves behind is collected as
ever, in a few milliseconds. What was set aside and is no longer needed, as a layer that was removed, goes when `renew` is
called; with the last workspace everything is collected as ever, so that a closed viewer can go.
"""

from __future__ import annotations

import gc
import weakref
from typing import Any

_open: weakref.WeakSet[Any] = weakref.WeakSet()


def set_aside(workspace: Any) -> None:
    """Set aside all objects that are there now, until this workspace and all others are closed."""
    _open.add(workspace)
    gc.freeze()


def set_aside_again() -> None:
    """Set aside what was loaded since, if a workspace is open."""
    if _open:
        gc.freeze()


def renew() -> None:
    """Collect everything, also what was set aside, and set the rest aside again; takes some 100 ms."""
    gc.unfreeze()
    gc.collect()
    set_aside_again()


def take_back(workspace: Any) -> None:
    """A workspace is closed: with the last one, all objects are collected as ever; else what it leaves goes now."""
    known = workspace in _open
    _open.discard(workspace)
    if not _open:
        gc.unfreeze()
    elif known:
        renew()
