"""Tables that pandas stored in HDF5 (`DataFrame.to_hdf`), in its fixed and its table layout, without PyTables.

In: an open file. Out: a table as `read_table` gives it of the same table in CSV: the index first, then the columns; a header of
several levels in `attrs`. Names of columns lie in pickles there; only plain values come out of them (`plain_pickle`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...model.errors import DynamicConnectomeError, FormatError, InputError
from .. import limits
from ..choice import ChoiceNeeded
from ..plain_pickle import plain_value
from ..volumes.hdf5 import is_local, opened, read_all
from .fields import texts
from .text_tables import LEVELS, Levels

KINDS = ("frame", "frame_table", "series", "series_table")


def stored_tables(file: Any) -> dict[str, str]:
    """Return path and kind of every table of pandas in a file; columns alone only where there is no whole table.

    Parameters
    ----------
    file : h5py.File
    """
    import h5py

    found: dict[str, str] = {}
    stack: list[tuple[str, Any, int]] = [("", file, 0)]
    seen = 0
    while stack and seen < limits.MAX_MEMBERS:
        prefix, group, depth = stack.pop()
        for key in group:
            seen += 1
            if not is_local(group, key) or not isinstance(node := group[key], h5py.Group):
                continue
            kind = _text(node, "pandas_type")
            if kind in KINDS:
                found[f"{prefix}{key}"] = kind
            elif depth < limits.MAX_NESTING:
                stack.append((f"{prefix}{key}/", node, depth + 1))
    whole = {k: v for k, v in found.items() if v.startswith("frame")}
    return dict(sorted((whole or found).items()))


def stored_pose(path: str | Path) -> bool:
    """Whether an HDF5 file holds a table of tracked points, as DeepLabCut stores it.

    Parameters
    ----------
    path : str or Path
    """
    with opened(path) as file:
        return any(_is_pose(file[key], kind, str(path)) for key, kind in stored_tables(file).items())


def _is_pose(group: Any, kind: str, where: str) -> bool:
    """Whether the header of a table is that of tracked points; the values are not read."""
    try:
        if kind == "frame_table":
            columns = [_label(one) for one in plain_value(group.attrs["non_index_axes"], where)[0][1]]
            names = _level_names(group, where)
        elif kind == "frame":
            axis = _axis(group, "axis0", where)
            names, columns = [n for n, _ in axis], list(zip(*(c.tolist() for _, c in axis), strict=True))
        else:
            return False
    except (DynamicConnectomeError, KeyError, ValueError, IndexError, TypeError, AttributeError):
        return False  # what is wrong is said when it is read
    rows = tuple(tuple(str(t) for t in row) for row in zip(*columns, strict=True))
    return len(rows) > 1 and Levels(len(rows), tuple(names), "", rows).is_pose


def read_stored_table(file: Any, where: str, dataset: str | None = None) -> pd.DataFrame | None:
    """Return a table that pandas stored; None where there is none.

    Parameters
    ----------
    file : h5py.File
    where : str
    dataset : str, optional
        Key of the table, where there are several.

    Raises
    ------
    ChoiceNeeded
        Which table.
    """
    found = stored_tables(file)
    if dataset is not None:
        found = {k: v for k, v in found.items() if k == dataset.strip("/")}
    if not found:
        return None
    if len(found) > 1:
        raise ChoiceNeeded(
            f"this file has {len(found)} tables of pandas",
            where=where,
            fix=f"Pass dataset= one of: {', '.join(found)[:300]}.",
            option="dataset",
            choices=tuple(found),
        )
    key, kind = next(iter(found.items()))
    place = f"{where}:{key}"
    try:
        parts = _table_layout(file[key], place) if kind.endswith("_table") else _fixed_layout(file[key], place)
        index, columns, names, values = parts
        return _as_csv(index, columns, names, values, place)
    except DynamicConnectomeError:
        raise
    except (KeyError, ValueError, IndexError, TypeError, AttributeError) as error:
        raise FormatError(
            f"this table of pandas cannot be read ({type(error).__name__}: {str(error)[:80]})",
            where=place,
            fix="Store the table as CSV or Parquet.",
        ) from error


Parts = tuple[dict[str, np.ndarray], list[tuple[str, ...]], list[str], dict[tuple[str, ...], np.ndarray]]
"""Columns of the index; names of columns, a text a level; what the levels are called; values by column."""


def _table_layout(group: Any, where: str) -> Parts:
    """`format="table"`: a row a record; blocks of columns of one type, whose names lie in attributes."""
    table = group["table"]
    rows = read_all(table, where)
    blocks: dict[tuple[str, ...], np.ndarray] = {}
    for name in rows.dtype.names or ():
        if name == "index":
            continue
        labels = [_label(one) for one in plain_value(table.attrs[f"{name}_kind"], where)]
        block = rows[name].reshape(len(rows), len(labels))
        for at, label in enumerate(labels):
            blocks[label] = _typed(block[:, at], _text(table, f"{name}_dtype"), group, name, where)
    axis, listed = plain_value(group.attrs["non_index_axes"], where)[0]
    if axis != 1:
        raise ValueError("rows and columns are exchanged")
    columns = [_label(one) for one in listed]
    index = {}
    if "multi" not in _text(group, "table_type"):  # there, the levels are columns
        kind = _text(table, "index_kind")
        index = _index(_called(group, where), rows["index"], kind)
    else:
        index = {c[0]: blocks[c] for c in columns if c[0] in plain_value(group.attrs["levels"], where)}
        columns = [c for c in columns if c[0] not in index]
    return index, columns, _level_names(group, where), blocks


def _called(group: Any, where: str) -> str:
    """Return the name of the index; texts alone are looked for, since the frequency of dates is no plain value."""
    raw = bytes(group.attrs.get("info", b""))
    try:
        found = plain_value(raw, where)["index"].get("index_name", "")
    except (FormatError, KeyError, AttributeError):
        return ""
    return found if isinstance(found, str) else ""


def _level_names(group: Any, where: str) -> list[str]:
    try:
        held = plain_value(group.attrs["info"], where)[1]["names"]
    except (FormatError, KeyError, TypeError):
        return []
    return ["" if n is None else str(n) for n in held]


def _typed(values: np.ndarray, kind: str, group: Any, name: str, where: str) -> np.ndarray:
    if f"meta/{name}/meta/table" in group:  # a category: numbers of texts
        known = texts(read_all(group[f"meta/{name}/meta/table"], where)["values"]) or []
        return np.array([known[i] if 0 <= i < len(known) else "" for i in values.tolist()], dtype=object)
    if values.dtype.kind in "SO":
        return np.array(texts(values), dtype=object)
    return _seconds(values, kind)


def _seconds(values: np.ndarray, kind: str) -> np.ndarray:
    """Return dates as seconds since the first, durations as seconds; other numbers as they are."""
    match = re.match(r"(datetime64|timedelta64)(?:\[(\w+))?", kind)
    if match is None:
        return values
    per_second = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[match[2] or "ns"]
    missing = values == np.iinfo(np.int64).min
    start = values[~missing].min() if match[1] == "datetime64" and not missing.all() else 0
    found: np.ndarray = np.where(missing, np.nan, (values - start) / per_second)
    return found


def _index(name: str, values: np.ndarray, kind: str) -> dict[str, np.ndarray]:
    if values.dtype.kind in "SO":
        return {name: np.array(texts(values), dtype=object)}
    if kind.startswith(("datetime", "timedelta")):
        return {"time_s": _seconds(values, kind)}
    return {name: values}


def _fixed_layout(group: Any, where: str) -> Parts:
    """`format="fixed"`: an axis, an index, and blocks of columns of one type."""
    if _text(group, "pandas_type") == "series":
        only: tuple[str, ...] = (_name(group),)
        return dict(_axis(group, "index", where)), [only], [""], {only: _block(group["values"], 1, where)[:, 0]}
    axis = _axis(group, "axis0", where)
    labels: list[tuple[str, ...]] = [
        tuple(str(v) for v in row) for row in zip(*(c.tolist() for _, c in axis), strict=True)
    ]
    values: dict[tuple[str, ...], np.ndarray] = {}
    for number in range(int(group.attrs.get("nblocks", 0))):
        items = _axis(group, f"block{number}_items", where)
        own = [tuple(str(v) for v in row) for row in zip(*(c.tolist() for _, c in items), strict=True)]
        block = _block(group[f"block{number}_values"], len(own), where)
        for at, label in enumerate(own):
            values[label] = block[:, at]
    return dict(_axis(group, "axis1", where)), labels, [n for n, _ in axis], values


def _block(data: Any, n_columns: int, where: str) -> np.ndarray:
    """Return a block (row, column); one of objects is a pickle."""
    if data.dtype.kind == "O":
        held = np.asarray(plain_value(np.asarray(data[0], np.uint8).tobytes(), where), dtype=object)
        held = held.reshape(-1, 1) if held.ndim == 1 else held
        if held.shape[1] != n_columns:
            held = held.T
        return held if held.dtype.kind in "fiub" else np.array(texts(held), dtype=object).reshape(held.shape)
    values = _seconds(read_all(data, where), _text(data, "value_type"))
    values = values.reshape(-1, 1) if values.ndim == 1 else values
    return values if data.attrs.get("transposed", True) else values.T


def _axis(group: Any, key: str, where: str) -> list[tuple[str, np.ndarray]]:
    """Return name and values of every level of an axis."""
    if _text(group, f"{key}_variety") != "multi":
        return list(_index(_name(group[key]), *_level(group[key], where)).items())
    found = []
    for number in range(int(group.attrs[f"{key}_nlevels"])):
        level = group[f"{key}_level{number}"]
        held = next(iter(_index(_name(level), *_level(level, where)).values()))
        codes = read_all(group[f"{key}_label{number}"], where)
        found.append((_name(level), held[codes]))
    return found


def _level(node: Any, where: str) -> tuple[np.ndarray, str]:
    if _text(node, "index_class") == "period":
        raise ValueError("an index of periods")
    if node.dtype.kind == "O":  # a pickle of texts
        held = np.asarray(plain_value(np.asarray(node[0], np.uint8).tobytes(), where), dtype=object)
        return np.array([str(v) for v in held.ravel().tolist()], dtype=object), _text(node, "kind")
    return read_all(node, where), _text(node, "kind")


def _as_csv(
    index: dict[str, np.ndarray],
    columns: list[tuple[str, ...]],
    level_names: list[str],
    values: dict[tuple[str, ...], np.ndarray],
    where: str,
) -> pd.DataFrame:
    """Put index and columns side by side; a header of several levels is told as `parse_table` tells it."""
    levels = None
    names = [" ".join(c) for c in columns]
    if columns and len(columns[0]) > 1:
        rows = tuple(tuple(c[i] for c in columns) for i in range(len(columns[0])))
        first = next(iter(index), "")
        levels = Levels(len(rows), tuple(level_names) or ("",) * len(rows), first, rows)
        names = levels.columns()
    headers = [*index, *names]
    twice = next((h for h in headers if headers.count(h) > 1), None)
    if twice is not None:
        raise InputError(f"the column '{twice}' is there twice", where=where, fix="Rename or remove one of them.")
    frame = pd.DataFrame(dict(zip(headers, [*index.values(), *(values[c] for c in columns)], strict=True)))
    if levels is not None:
        frame.attrs[LEVELS] = levels
    return frame


def _label(one: Any) -> tuple[str, ...]:
    return tuple(str(v) for v in one) if isinstance(one, tuple) else (str(one),)


def _name(node: Any) -> str:
    found = _text(node, "name")
    return "" if found == "N." else found  # a pickled None


def _text(node: Any, key: str) -> str:
    value = node.attrs.get(key, "")
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
