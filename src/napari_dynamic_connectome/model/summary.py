"""How results show themselves in a console or a notebook: in a few lines, not with all their numbers."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

WIDTH = 120
NAMES = 5


class Summary:
    """Gives a dataclass a `repr` of a line a field; arrays and tables by their shapes.

    A subclass that says more with less overrides `_lines`, its head line `_head`. The dataclass needs `repr=False`.
    """

    def __repr__(self) -> str:
        lines = []
        for line in self._lines():
            lines += textwrap.wrap(line, WIDTH, subsequent_indent=" " * 13, break_on_hyphens=False) or [""]
        return "\n".join([f"<{type(self).__name__}{self._head()}>", *(f"  {line}" for line in lines)])

    def _head(self) -> str:
        """What follows the class's name."""
        return ""

    def _lines(self) -> list[str]:
        """Lines after the first; by default one a field that holds anything."""
        width = max((len(f.name) for f in fields(self)), default=0)  # type: ignore[arg-type]
        held = [(f.name, getattr(self, f.name)) for f in fields(self)]  # type: ignore[arg-type]
        return [f"{name:<{width}}  {brief(value)}" for name, value in held if not _is_empty(value)]


def brief(value: Any) -> str:
    """A value in a few words: arrays and tables by their shapes, collections by their first entries."""
    if isinstance(value, xr.DataArray):
        return f"array ({', '.join(f'{d} {n}' for d, n in value.sizes.items())})"
    if isinstance(value, xr.Dataset):
        return f"arrays {', '.join(map(str, value.data_vars))}"
    if isinstance(value, np.ndarray):
        return f"array {value.shape} {value.dtype}"
    if isinstance(value, pd.DataFrame):
        return f"table, {len(value)} x {', '.join(map(str, value.columns))}"
    if isinstance(value, pd.Series):
        return f"{len(value)} values"
    if isinstance(value, Mapping):
        return listed([str(key) for key in value])
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        simple = all(isinstance(one, str | int | float) for one in value)
        return listed([str(one) for one in value]) if simple else f"{len(value)} of {type(value[0]).__name__}"
    return repr(value).splitlines()[0]


def listed(names: Sequence[str], most: int = NAMES) -> str:
    """The first names of many: "AVAL, AVAR, ... (80)"."""
    if len(names) <= most + 1:
        return ", ".join(names)
    return f"{', '.join(names[:most])}, ... ({len(names)})"


def _is_empty(value: Any) -> bool:
    if isinstance(value, xr.DataArray | np.ndarray):
        return value.size == 0
    return value is None or (hasattr(value, "__len__") and len(value) == 0)
