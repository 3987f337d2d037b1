"""Folders in which every file is one choice of a setting, a command, a format: a new file is a new one, listed nowhere else."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType


def modules_in(path: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the modules of a folder, "_" as a space, in order; none is loaded.

    Parameters
    ----------
    path : iterable of str
        `__path__` of the folder.
    """
    return tuple(sorted(m.name.replace("_", " ") for m in pkgutil.iter_modules(path) if not m.name.startswith("_")))


def load_modules(package: str, path: Iterable[str], ending: str = "") -> list[ModuleType]:
    """Load the modules of a folder that say where they stand in their list, and return them in that order.

    Parameters
    ----------
    package : str
        `__name__` of the folder.
    path : iterable of str
        `__path__` of the folder.
    ending : str
        Only modules whose names end so are loaded.

    Returns
    -------
    list of module
        Those with an `ORDER`, a number, by it; those without are parts of others.
    """
    names = [m.name for m in pkgutil.iter_modules(path) if m.name.endswith(ending) and not m.name.startswith("_")]
    found = [import_module(f"{package}.{name}") for name in names]
    return sorted((one for one in found if hasattr(one, "ORDER")), key=lambda one: (one.ORDER, one.__name__))
