"""Tables, arrays and results to and from JSON plus named arrays, exactly: floats keep every bit, nothing is pickled."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..model.errors import FormatError

Arrays = dict[str, np.ndarray]


def plain(value: Any) -> Any:
    """Return JSON-able data; non-finite floats become {"float": "nan"}, tuples lists, other objects their text."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, np.integer)) and not isinstance(value, np.bool_):
        return int(value)
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return number if math.isfinite(number) else {"float": str(number)}
    if isinstance(value, Mapping):
        return (
            {"map": [[plain(k), plain(v)] for k, v in value.items()]}
            if _odd_keys(value)
            else {str(k): plain(v) for k, v in value.items()}
        )
    if isinstance(value, np.ndarray):
        return [plain(v) for v in value.tolist()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(v) for v in value]
    if isinstance(value, pd.DataFrame):
        return {"table": encode_table(value)}
    if isinstance(value, pd.Series):
        return {"table": encode_table(value.to_frame("value"))}
    return str(value)


def _odd_keys(value: Mapping[Any, Any]) -> bool:
    reserved = {"float", "map", "table"}
    return any(not isinstance(k, str) for k in value) or bool(reserved & set(value))


def unplain(value: Any) -> Any:
    """Inverse of `plain` (lists stay lists)."""
    if isinstance(value, list):
        return [unplain(v) for v in value]
    if isinstance(value, dict):
        if set(value) == {"float"}:
            return float(value["float"])
        if set(value) == {"map"}:
            return {unplain(k): unplain(v) for k, v in value["map"]}
        if set(value) == {"table"}:
            return decode_table(value["table"])
        return {k: unplain(v) for k, v in value.items()}
    return value


def encode_table(table: pd.DataFrame) -> dict[str, Any]:
    """Return a table as JSON: index and columns with their kinds."""
    return {
        "index": _encode_column(table.index.tolist(), table.index.dtype),
        "index_name": table.index.name if isinstance(table.index.name, str) else None,
        "columns": [[plain(name), _encode_column(table[name].tolist(), table[name].dtype)] for name in table.columns],
    }


def _encode_column(values: list[Any], dtype: Any) -> dict[str, Any]:
    kind = {"f": "float64", "i": "int64", "u": "int64", "b": "bool"}.get(getattr(dtype, "kind", "O"), "text")
    if kind == "text":
        values = [None if v is None or (isinstance(v, float) and math.isnan(v)) else v for v in values]
    return {"kind": kind, "values": [plain(v) for v in values]}


def decode_table(data: Any) -> pd.DataFrame:
    """Inverse of `encode_table`."""
    try:
        columns = [(unplain(name), _decode_column(column)) for name, column in data["columns"]]
        index = _decode_column(data["index"])
        lengths = {len(index), *(len(c) for _, c in columns)}
        if len(lengths) > 1:
            raise FormatError("the columns of a table differ in length")
        table = pd.DataFrame({i: c for i, (_, c) in enumerate(columns)}, index=range(len(index)))
        table.columns = pd.Index([name for name, _ in columns], dtype=object)
        table.index = pd.Index(index, name=data.get("index_name"))
        return table
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"a table is damaged ({error})") from error


def _decode_column(column: Mapping[str, Any]) -> np.ndarray:
    values = [unplain(v) for v in column["values"]]
    kind = column["kind"]
    if kind == "text":
        array = np.empty(len(values), dtype=object)
        array[:] = values
        return array
    if kind not in ("float64", "int64", "bool"):
        raise FormatError(f"a table has a column of unknown kind '{kind}'")
    return np.asarray(values, dtype=kind)


def encode_array(array: xr.DataArray, key: str, arrays: Arrays) -> dict[str, Any]:
    """Put the values of a labelled array into `arrays` under `key`; return its labels as JSON."""
    arrays[key] = np.asarray(array.values)
    coords = {}
    for name, coord in array.coords.items():
        values = np.asarray(coord.values)
        if values.dtype.kind in "fiub":
            slot = f"{key}.{name}"
            arrays[slot] = values
            coords[str(name)] = {"dims": list(coord.dims), "array": slot, "attrs": plain(dict(coord.attrs))}
        else:
            flat = [plain(v) for v in values.ravel().tolist()]
            coords[str(name)] = {
                "dims": list(coord.dims),
                "values": flat,
                "shape": list(values.shape),
                "attrs": plain(dict(coord.attrs)),
            }
    return {
        "array": key,
        "dims": list(array.dims),
        "name": array.name,
        "attrs": plain(dict(array.attrs)),
        "coords": coords,
    }


def decode_array(data: Any, arrays: Mapping[str, np.ndarray]) -> xr.DataArray:
    """Inverse of `encode_array`."""
    try:
        coords = {}
        for name, coord in data["coords"].items():
            if "array" in coord:
                values = arrays[coord["array"]]
            else:
                flat = [unplain(v) for v in coord["values"]]
                values = np.empty(len(flat), dtype=object)
                values[:] = flat
                values = values.reshape(coord["shape"])
            coords[name] = (tuple(coord["dims"]), values, unplain(coord["attrs"]))
        return xr.DataArray(
            arrays[data["array"]],
            dims=tuple(data["dims"]),
            coords=coords,
            name=data["name"],
            attrs=unplain(data["attrs"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"a labelled array is damaged ({error})") from error
