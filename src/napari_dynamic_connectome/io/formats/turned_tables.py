"""Tables of traces with a row a neuron and a column a time, turned into a row a time."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...model.errors import InputError
from .table_shape import NO_HEADER, ROW_WORDS, clock_header, is_number
from .text_tables import plain_cell, time_unit, to_numbers


def turned_columns(header: Sequence[str], first: Sequence[str]) -> bool:
    """Whether a table has a row a neuron and a column a time, by its header and the row below.

    Parameters
    ----------
    header, first : sequence of str

    Examples
    --------
    >>> turned_columns(["neuron", "0", "0.5", "1"], ["AVAL", "1.5", "1.4", "1.7"])
    True
    >>> turned_columns(["time", "1", "2", "3"], ["0", "1.5", "1.4", "1.7"])
    False
    """
    if len(first) != len(header) or len(header) < 4 or clock_header(header) is None:
        return False
    called = header[0].strip().lower() in ROW_WORDS
    row = first[0].strip()
    values = [c for c in first[1:] if c.strip()]
    return bool(row) and (called or not is_number(row)) and ":" not in row and all(map(is_number, values))


def turned(table: pd.DataFrame, where: str) -> tuple[pd.DataFrame, str] | None:
    """Return a table with a row a time, and what is said about it; None for a table that has a row a time already.

    Parameters
    ----------
    table : pandas.DataFrame of str
        Header, and rows of texts.
    where : str

    Raises
    ------
    InputError
        A neuron that has two rows.
    """
    columns = [str(c) for c in table.columns]
    if len(columns) < 4 or not len(table) or any(table.dtypes.iloc[k].kind in "fiub" for k in range(table.shape[1])):
        return None
    names = [str(v).strip() for v in table.iloc[:, 0]]
    headless = columns[0] == f"{NO_HEADER}1" and not any(map(is_number, names))
    if headless and not all(names):
        return None
    if not headless and not turned_columns(columns, [str(v) for v in table.iloc[0]]):
        return None
    called = columns[0].strip().lower() in ROW_WORDS
    if not called and (any(is_number(n) or ":" in n or not n for n in names) or 2 * len(set(names)) <= len(names)):
        return None
    try:
        values = np.stack([to_numbers(table.iloc[:, k].tolist(), columns[k], where) for k in range(1, len(columns))])
    except InputError:
        return None
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise InputError(f"the row '{twice}' is there twice", where=where, fix="Rename or remove one of them.")
    clock = None if headless else clock_header(columns)
    result = pd.DataFrame(values, columns=pd.Index([plain_cell(n) for n in names]))
    if clock is not None:
        result.insert(0, _clock_name(columns[0], clock), clock)
    result.attrs.update(table.attrs)
    return result, "a row a neuron: turned"


def _clock_name(corner: str, clock: list[float]) -> str:
    parts = [p.strip() for p in re.split(r"[/\\|]", corner)]
    named = next((p for p in parts if time_unit(p) is not None), None)
    if named is not None:
        return named
    return "frame" if bool((np.diff(clock) == 1).all()) else ""
