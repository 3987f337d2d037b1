"""Values, tables, labelled arrays and results to and from JSON plus arrays, exactly; nothing is pickled.

JSON holds what it can as it is. What it cannot is an object with one reserved key: {"float": "nan"}, {"tuple": [...]},
{"map": [[key, value], ...]} for keys that are not text, {"array": ...}, {"table": ...}, {"series": ...}, {"labelled": ...},
{"dataset": ...}.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import PurePath
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import BaseModel

from ..model.errors import FormatError
from .store import ArrayPool, ArrayReader

RESERVED = frozenset({"float", "tuple", "map", "array", "table", "series", "labelled", "dataset"})
INLINE = 1000
"""Lists of texts longer than this are stored as numbers of the distinct texts."""
MAX_WIDTH = 4096
NUMERIC = frozenset(
    ["float64", "float32", "float16", "bool"] + [f"{u}int{b}" for u in ("", "u") for b in (8, 16, 32, 64)]
)
T = TypeVar("T")


class Encoder:
    """Turns values into JSON, putting arrays into a pool."""

    def __init__(self, pool: ArrayPool) -> None:
        self.pool = pool

    def value(self, value: Any) -> Any:
        """Return JSON for any value; numpy scalars become numbers, settings mappings, unknown objects their text."""
        if value is None or isinstance(value, (bool, np.bool_)):
            return None if value is None else bool(value)
        if isinstance(value, str):
            return str(value)
        if isinstance(value, (int, np.integer)):
            return int(value)
        if isinstance(value, (float, np.floating)):
            number = float(value)
            return number if math.isfinite(number) else {"float": str(number)}
        if isinstance(value, BaseModel):
            return self.value(value.model_dump(mode="python"))
        if isinstance(value, xr.Dataset):  # a mapping, too
            return {"dataset": self.dataset(value)}
        if isinstance(value, Mapping):
            if any(not isinstance(k, str) for k in value) or (len(value) == 1 and RESERVED & set(value)):
                return {"map": [[self.value(k), self.value(v)] for k, v in value.items()]}
            return {str(k): self.value(v) for k, v in value.items()}
        if isinstance(value, np.ndarray):
            return {"array": self.array(value)}
        if isinstance(value, tuple):
            return {"tuple": [self.value(v) for v in value]}
        if isinstance(value, (list, set, frozenset)):
            return [self.value(v) for v in (value if isinstance(value, list) else sorted(value, key=str))]
        if isinstance(value, pd.DataFrame):
            return {"table": self.table(value)}
        if isinstance(value, pd.Series):
            return {"series": self.table(value.to_frame("values")) | {"name": self.value(value.name)}}
        if isinstance(value, xr.DataArray):
            return {"labelled": self.labelled(value)}
        if is_dataclass(value) and not isinstance(value, type):
            return self.record(value)
        return value.as_posix() if isinstance(value, PurePath) else str(value)

    def record(self, item: Any, **given: Any) -> dict[str, Any]:
        """Return the fields of a result; `given` are encoded already."""
        names = [f.name for f in fields(item) if f.init]
        return {name: given[name] if name in given else self.value(getattr(item, name)) for name in names}

    def array(self, values: np.ndarray) -> dict[str, Any]:
        """Return the entry of an array of numbers or texts."""
        if values.dtype.kind in "fiubc":
            return self.pool.put(values)
        if values.dtype.kind in "mM":
            return self.pool.put(values.view("i8")) | {"time": values.dtype.str}
        kind = "text" if values.dtype.kind == "U" else "object"
        more = {"width": values.dtype.itemsize // 4} if kind == "text" else {}
        flat = values.reshape(-1).tolist()
        if len(flat) > INLINE and all(isinstance(v, str) for v in flat):
            codes, texts = pd.factorize(np.asarray(flat, dtype=object))
            return self.pool.put(codes.astype(np.int32).reshape(values.shape)) | {kind: list(texts)} | more
        return {"array": None, "shape": list(values.shape), kind: [self.value(v) for v in flat]} | more

    def table(self, table: pd.DataFrame) -> dict[str, Any]:
        """Return a table: index and columns with their types."""
        return {
            "index": self._index(table.index),
            "columns": [
                [self.value(name), self._column(table.iloc[:, i])] for i, name in enumerate(table.columns.tolist())
            ],
            "attrs": self.value(dict(table.attrs)),
        }

    def _index(self, index: pd.Index) -> dict[str, Any]:
        if isinstance(index, pd.RangeIndex):
            return {"range": [index.start, index.stop, index.step], "name": self.value(index.name)}
        return self._column(pd.Series(index.tolist(), dtype=object), index.dtype) | {"name": self.value(index.name)}

    def _column(self, column: pd.Series, dtype: Any = None) -> dict[str, Any]:
        name = str(column.dtype if dtype is None else dtype)
        values = column.tolist()
        if name in NUMERIC:
            return {"type": name, "values": [_number(v) for v in values]}
        if name in ("str", "string"):
            return {"type": "str", "values": [v if isinstance(v, str) else None for v in values]}
        return {"type": "object", "values": [self.value(v) for v in values]}

    def labelled(self, array: xr.DataArray) -> dict[str, Any]:
        """Return a labelled array: dimensions, coordinates, attributes, values."""
        return {"name": self.value(array.name), "coords": self._coords(array), **self._variable(array)}

    def dataset(self, data: xr.Dataset) -> dict[str, Any]:
        """Return a set of labelled arrays that share coordinates."""
        return {
            "coords": self._coords(data),
            "variables": [[self.value(k), self._variable(v)] for k, v in data.data_vars.items()],
            "attrs": self.value(dict(data.attrs)),
        }

    def _coords(self, item: xr.DataArray | xr.Dataset) -> list[Any]:
        return [[self.value(name), self._variable(coord)] for name, coord in item.coords.items()]

    def _variable(self, array: xr.DataArray) -> dict[str, Any]:
        values = self.array(np.asarray(array.values))
        return {"dims": list(array.dims), "attrs": self.value(dict(array.attrs)), "values": values}


class Decoder:
    """The inverse of `Encoder`; anything that does not fit is a `FormatError`."""

    def __init__(self, arrays: ArrayReader) -> None:
        self.arrays = arrays

    def value(self, data: Any) -> Any:
        """Return the value that was encoded."""
        if isinstance(data, list):
            return [self.value(v) for v in data]
        if not isinstance(data, dict):
            return data
        if len(data) != 1 or not RESERVED & set(data):
            return {k: self.value(v) for k, v in data.items()}
        (tag, inner), *_ = data.items()
        if tag == "float":
            return float(inner)
        if tag == "array":
            return self.array(inner)
        if tag == "tuple":
            return tuple(self.value(v) for v in inner)
        if tag == "map":
            return {self.value(k): self.value(v) for k, v in inner}
        if tag == "table":
            return self.table(inner)
        if tag == "series":
            column = self.table(inner)["values"]
            column.name = self.value(inner.get("name"))
            return column
        return self.labelled(inner) if tag == "labelled" else self.dataset(inner)

    def record(self, kind: type[T], data: Mapping[str, Any], **given: Any) -> T:
        """Build a result from its fields; fields that this version does not know are left out."""
        values = dict(given)
        for item in fields(kind):  # type: ignore[arg-type]
            if not item.init or item.name in values:
                continue
            if item.name in data:
                values[item.name] = self.value(data[item.name])
            elif item.default is MISSING and item.default_factory is MISSING:
                raise FormatError(f"a {kind.__name__} has no '{item.name}'")
        return kind(**values)

    def array(self, data: Mapping[str, Any]) -> np.ndarray:
        """Return an array of numbers or texts."""
        if "time" in data:
            return self.arrays.get(data).astype("i8").view(_time_type(data["time"]))
        kind = next((k for k in ("text", "object") if k in data), None)
        if kind is None:
            return self.arrays.get(data)
        values: np.ndarray
        if data["array"] is None:
            flat = [self.value(v) for v in data[kind]]
            values = np.empty(len(flat), dtype=object)
            values[:] = flat
            values = values.reshape([int(n) for n in data["shape"]])
        else:
            texts = np.asarray([str(t) for t in data[kind]], dtype=object)
            codes = self.arrays.get(data)
            if codes.size and (codes.min() < 0 or codes.max() >= len(texts)):
                raise FormatError("an array of texts points beyond its list")
            values = texts[codes]
        if kind == "object":
            return values
        width = max((len(str(t)) for t in data[kind]), default=0)
        declared = int(data.get("width", width))
        return values.astype(f"<U{max(1, declared if width <= declared <= MAX_WIDTH else width)}")

    def table(self, data: Mapping[str, Any]) -> pd.DataFrame:
        """Return a table."""
        columns = [(self.value(name), self._column(column)) for name, column in data["columns"]]
        index = self._index(data["index"])
        if any(len(c) != len(index) for _, c in columns):
            raise FormatError("the columns of a table differ in length")
        table = pd.DataFrame({i: c.set_axis(index) for i, (_, c) in enumerate(columns)}, index=index)
        table.columns = pd.Index([name for name, _ in columns]) if columns else pd.RangeIndex(0)
        table.attrs.update(self.value(data.get("attrs", {})))
        return table

    def _index(self, data: Mapping[str, Any]) -> pd.Index:
        name = self.value(data.get("name"))
        if "range" in data:
            start, stop, step = (int(n) for n in data["range"])
            if step == 0 or max(map(abs, (start, stop, step))) > 2**40:
                raise FormatError("the index of a table is damaged")
            return pd.RangeIndex(start, stop, step, name=name)
        column = self._column(data)
        if any(isinstance(v, tuple) for v in column):
            return pd.MultiIndex.from_tuples(column.tolist())
        return pd.Index(column, name=name, dtype=column.dtype)

    def _column(self, data: Mapping[str, Any]) -> pd.Series:
        kind, values = data["type"], data["values"]
        if not isinstance(values, list):
            raise FormatError("a column of a table is damaged")
        if kind in NUMERIC:
            return pd.Series(np.asarray([float(v) if isinstance(v, str) else v for v in values], dtype=kind))
        decoded = [self.value(v) for v in values]
        column = np.empty(len(decoded), dtype=object)
        column[:] = decoded
        series = pd.Series(column, dtype=object)
        if kind == "str" and str(pd.Series(["a"]).dtype) == "str":
            return series.astype("str")
        return series

    def labelled(self, data: Mapping[str, Any]) -> xr.DataArray:
        """Return a labelled array."""
        dims, attrs, values = self._variable(data)
        return xr.DataArray(
            values, dims=dims, coords=self._coords(data["coords"]), name=self.value(data["name"]), attrs=attrs
        )

    def dataset(self, data: Mapping[str, Any]) -> xr.Dataset:
        """Return a set of labelled arrays."""
        variables = {}
        for name, variable in data["variables"]:
            dims, attrs, values = self._variable(variable)
            variables[self.value(name)] = (dims, values, attrs)
        return xr.Dataset(variables, coords=self._coords(data["coords"]), attrs=self.value(data["attrs"]))

    def _coords(self, data: list[Any]) -> dict[Any, Any]:
        found = {}
        for name, coord in data:
            dims, attrs, values = self._variable(coord)
            found[self.value(name)] = (dims, values, attrs)
        return found

    def _variable(self, data: Mapping[str, Any]) -> tuple[tuple[str, ...], dict[str, Any], np.ndarray]:
        return tuple(data["dims"]), self.value(data["attrs"]), self.array(data["values"])


def _number(value: Any) -> Any:
    if isinstance(value, (bool, int)):
        return value
    number = float(value)
    return number if math.isfinite(number) else str(number)


def _time_type(text: Any) -> np.dtype:
    kind = np.dtype(str(text))
    if kind.kind not in "mM" or kind.itemsize != 8:
        raise FormatError("an array of times is damaged")
    return kind
