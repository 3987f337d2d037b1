"""Folders in which every file is one choice of a setting, a command, a format: a new file is a new one, listed nowhere else."""

from __future__ import annotations

import pkgutil
import re
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
        Those with an `ORDER`, a number, by it; those without are parts of others, and are not loaded.
    """
    found = []
    for one in pkgutil.iter_modules(path):
        if one.name.endswith(ending) and not one.name.startswith("_") and _has_order(one):
            found.append(import_module(f"{package}.{one.name}"))
    return sorted(found, key=lambda module: (module.ORDER, module.__name__))


def _has_order(module: pkgutil.ModuleInfo) -> bool:
    """Whether a module has an `ORDER`, by its text: one that is part of others may take long to load."""
    spec = module.module_finder.find_spec(module.name, None)
    source = getattr(spec.loader, "get_source", None) if spec is not None else None
    text = source(module.name) if source is not None else None
    return text is not None and re.search(r"^ORDER = ", text, flags=re.MULTILINE) is not None
