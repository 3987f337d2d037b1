"""Folders in which every file is one choice of a setting: a new file is a new choice."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable


def modules_in(path: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the modules of a folder, "_" as a space, in order; none is loaded.

    Parameters
    ----------
    path : iterable of str
        `__path__` of the folder.
    """
    return tuple(sorted(m.name.replace("_", " ") for m in pkgutil.iter_modules(path) if not m.name.startswith("_")))
