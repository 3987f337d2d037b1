"""What is written for others, a file each: a button of the Export dock, an option of the command `export`, or both."""

from __future__ import annotations

from functools import cache
from types import ModuleType

from ...model.folders import load_modules


@cache
def all_exporters() -> dict[str, ModuleType]:
    """Return the exporters by the names of their files, in the order of docks and commands; see `report.exporter`."""
    return {one.__name__.rpartition(".")[2]: one for one in load_modules(__name__, __path__)}
