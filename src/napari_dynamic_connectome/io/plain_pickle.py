"""Plain values out of pickles: numbers, texts, lists, dicts and NumPy arrays of them; anything else is refused.

suite2p keeps its regions and settings in such files. A pickle is a program that names what it calls: here it can name the five
functions of NumPy that put an array together, dates and paths (as texts), and nothing else, so that no code of a file is ever run.
"""

from __future__ import annotations

import datetime
import io
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..model.errors import FormatError
from . import limits
from .files import existing

_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray", "numpy", "numpy._core.numeric", "numpy.core.numeric")


def _empty(kind: Any, shape: Any, code: Any) -> np.ndarray:
    """Stand in for `_reconstruct`: an array without items, which its state fills."""
    if kind is not np.ndarray or tuple(shape) != (0,):
        raise pickle.UnpicklingError("an array that is none")
    return np.ndarray((0,), np.int8)


def _scalar(kind: Any, content: Any = None) -> Any:
    """Stand in for `scalar`: one number, or one text."""
    if not isinstance(kind, np.dtype) or kind.hasobject or not isinstance(content, (bytes, str)):
        raise pickle.UnpicklingError("a number that is none")
    raw = content.encode("latin-1") if isinstance(content, str) else content
    return np.frombuffer(raw, kind, count=1)[0]


def _from_buffer(content: Any, kind: Any, shape: Any, order: Any = "C") -> np.ndarray:
    """Stand in for `_frombuffer`, which newer versions of NumPy write."""
    if not isinstance(kind, np.dtype) or kind.hasobject or math.prod(shape) * kind.itemsize > len(content):
        raise pickle.UnpicklingError("an array that is none")
    return np.frombuffer(content, kind, count=math.prod(shape)).reshape(shape, order="F" if order == "F" else "C")


def _kind(name: Any, *rest: Any) -> np.dtype[Any]:
    if not isinstance(name, str):
        raise pickle.UnpicklingError("a type that is none")
    return np.dtype(name, copy=True)  # type: ignore[call-overload]  # its state sets the byte order


class _Plain(pickle.Unpickler):
    """Unpickler that knows no other name than those of arrays and numbers of NumPy."""

    def find_class(self, module: str, name: str) -> Any:
        known: dict[str, Callable[..., Any] | type] = {
            "_reconstruct": _empty,
            "scalar": _scalar,
            "_frombuffer": _from_buffer,
            "dtype": _kind,
            "ndarray": np.ndarray,
        }
        if module in _MODULES and name in known:
            return known[name]
        if (module, name) in _OTHERS:
            return _OTHERS[module, name]
        raise pickle.UnpicklingError(f"{module}.{name}")


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """Stand in for `codecs.encode`, by which pickles of Python 2 hold bytes."""
    if not isinstance(text, str) or str(encoding).replace("-", "").replace("_", "") not in ("latin1", "utf8"):
        raise pickle.UnpicklingError("bytes that are none")
    return text.encode(str(encoding))


def _no_bytes() -> bytes:
    """Stand in for `bytes`, which older protocols call for an array without items."""
    return b""


def _path(*parts: Any) -> str:
    return "/".join(str(p) for p in parts)


_OTHERS: dict[tuple[str, str], Any] = {
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _no_bytes,
    ("datetime", "datetime"): datetime.datetime,
    ("datetime", "date"): datetime.date,
    ("datetime", "timedelta"): datetime.timedelta,
    ("datetime", "timezone"): datetime.timezone,
    # Python 3.13 names its paths by the module that they are made in; each version reads the files of the other's.
    **{(module, name): _path for module in ("pathlib", "pathlib._local") for name in ("PosixPath", "WindowsPath")},
}
"""What else suite2p keeps: when it ran, and where; paths come back as texts."""


def plain_value(content: bytes, where: str) -> Any:
    """Return what a pickle holds, if these are plain values.

    Parameters
    ----------
    content : bytes
    where : str
        For messages.

    Raises
    ------
    FormatError
        If it holds anything else, or is damaged.
    """
    limits.check_size(len(content), limits.MAX_RECORDING_BYTES, where)
    try:
        return _Plain(io.BytesIO(bytes(content))).load()
    except Exception as error:  # a damaged pickle can raise anything
        raise FormatError(
            f"this holds more than numbers, texts, lists and arrays, or is damaged ({str(error)[:80]})",
            where=where,
            fix="It is not read, since such files can run programs. Store the table as CSV or Parquet.",
        ) from error


def plain_npy(path: str | Path) -> Any:
    """Return what an npy of objects holds; an array of no axes is what it holds.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    FormatError
        If the file holds anything but numbers, texts, lists, dicts and arrays of them, or is damaged.
    """
    from numpy.lib import format as layout

    npy: Any = layout
    path = existing(path)
    where = str(path)
    limits.check_size(path.stat().st_size, limits.MAX_RECORDING_BYTES, where)
    content = io.BytesIO(path.read_bytes())
    try:
        version = npy.read_magic(content)
        reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, by_columns, dtype = reader(content)
        if not dtype.hasobject:
            count = math.prod(shape)
            return np.frombuffer(content.read(), dtype, count=count).reshape(shape, order="F" if by_columns else "C")
        held = _Plain(content).load()
        if not isinstance(held, np.ndarray) or held.shape != tuple(shape):
            raise pickle.UnpicklingError("no array")
    except Exception as error:  # a damaged pickle can raise anything
        raise FormatError(
            f"this file holds more than numbers, texts, lists and arrays, or is damaged ({str(error)[:80]})",
            where=where,
            fix="It is not read, since such files can run programs. Save it again with suite2p, or export the traces as CSV.",
        ) from error
    return held.item() if held.shape == () else held
