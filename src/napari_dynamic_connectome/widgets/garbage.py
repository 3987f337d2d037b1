"""Keep Python's garbage collections short while the docks are open.

With napari and the libraries loaded, a collection of everything visits about a million objects that never go: some 100 ms in
which the window stands still. They are set aside for as long as a workspace is open; what the work itself leaves behind is
collected as ever, in a few milliseconds. With the last workspace they come back, so that a closed viewer can go.
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


def take_back(workspace: Any) -> None:
    """A workspace is closed: with the last one, all objects are collected as ever."""
    _open.discard(workspace)
    if not _open:
        gc.unfreeze()
