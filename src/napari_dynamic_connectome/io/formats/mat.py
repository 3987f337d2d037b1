"""MATLAB files, v5 and v7.3: our field names, and NeuroPAL trace files (many worms in one file).

In: a .mat file. Out: recordings. Cells become lists, structs become dicts; objects and function handles are refused.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...model.errors import FormatError, InputError
from ...model.recording import Recording, empty_stimuli
from .. import limits
from ..files import existing, head, reading
from ..format import HDF5, Format
from .fields import ALIASES, recording_from_fields, stimulus_table

ORDER = 70


NEUROPAL_FIELDS = ("fps", "files", "neurons", "is_L", "norm_traces")


def read_recordings(
    path: str | Path, *, name: str = "", rate_hz: float | None = None, fields: Mapping[str, str] | None = None
) -> list[Recording]:
    """Read the recordings of a .mat file.

    Parameters
    ----------
    path : str or Path
    name : str
        Instead of the name in the file; for a file of one animal.
    rate_hz : float, optional
        Instead of the times in the file.
    fields : mapping of str to str, optional
        Our name of a field ("traces", "names", "t", "fs") -> its name in the file.
    """
    path = existing(path)
    content = load(path)
    if all(f in content for f in NEUROPAL_FIELDS):
        return _neuropal(content, path, rate_hz)
    structs, outer = {k: v for k, v in content.items() if isinstance(v, dict)}, ""
    asked = set((fields or {}).values())
    if not asked & set(content) and not any(alias in content for alias in ALIASES["traces"]) and len(structs) == 1:
        outer, content = next(iter(structs.items()))
    plain = _plain_fields(content, str(path))
    if not plain:
        inside = ", ".join(f"{k} (a struct)" if isinstance(v, dict) else k for k, v in list(content.items())[:12])
        inside = f"{outer} (a struct of {inside})" if outer else inside
        raise FormatError(
            f"there is no field 'traces': the file holds {inside or 'nothing'}",
            where=str(path),
            fix="Save the traces as a plain array called traces (time, neuron), with names and t.",
        )
    if not name and not any(k in plain for k in ("worm", "name", "uid")):
        name = path.stem
    return [recording_from_fields(plain, str(path), name=name, rate_hz=rate_hz, mapping=fields)]


def load(path: Path) -> dict[str, Any]:
    """Return the variables of a .mat file as arrays, texts, lists (cells) and dicts (structs).

    Parameters
    ----------
    path : Path
    """
    if head(path, 10) == b"MATLAB 7.3" or head(path, 8) == b"\x89HDF\r\n\x1a\n":
        return _load_73(path)
    return _load_5(path)


# --- version 5 -------------------------------------------------------------------------------------------------------


def _load_5(path: Path) -> dict[str, Any]:
    import scipy.io

    where = str(path)
    _scan_5(path)
    with reading(where, "MATLAB file"):
        held = scipy.io.loadmat(path, squeeze_me=False, struct_as_record=True, chars_as_strings=True)
        return {k: _simplify(v, where, 0) for k, v in held.items() if not k.startswith("__")}


def _scan_5(path: Path) -> None:
    """Check that all elements are whole and that none expands beyond reason, before anything is allocated."""
    where = str(path)
    size = path.stat().st_size
    total = 0
    with path.open("rb") as stream:
        mark = stream.read(128)[126:]
        if mark not in (b"IM", b"MI"):
            raise FormatError("the header of this MATLAB file is damaged", where=where, fix="Copy or save it again.")
        order = "little" if mark == b"IM" else "big"
        at = 128
        while at + 8 <= size:
            stream.seek(at)
            tag = stream.read(8)
            kind, length = int.from_bytes(tag[:4], order), int.from_bytes(tag[4:], order)  # type: ignore[arg-type]
            if at + 8 + length > size:
                raise FormatError(
                    f"the file is cut off: an element declares {limits.human(length)}, {limits.human(size - at - 8)} are left",
                    where=where,
                    fix="Copy or save it again.",
                )
            total += _unpacked(stream.read(length), where) if kind == 15 else length
            limits.check_size(total, limits.MAX_RECORDING_BYTES, where)
            at += 8 + length if kind == 15 else 8 + length + (-length % 8)


def _unpacked(packed: bytes, where: str) -> int:
    machine, total, block = zlib.decompressobj(), 0, packed
    with reading(where, "MATLAB file"):
        while block and not machine.eof:
            total += len(machine.decompress(block, 1 << 20))
            limits.check_expansion(len(packed), total, where)
            block = machine.unconsumed_tail
    return total


def _simplify(value: Any, where: str, depth: int) -> Any:
    if depth > limits.MAX_NESTING:
        raise FormatError(
            f"cells and structs are nested more than {limits.MAX_NESTING} deep",
            where=where,
            fix="Save plain arrays, cells and structs.",
        )
    kind = type(value).__name__
    if kind in ("MatlabOpaque", "MatlabFunction", "MatlabObject"):
        raise FormatError(
            "the file holds MATLAB objects or function handles",
            where=where,
            fix="Save plain arrays, cells and structs.",
        )
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.names:
        rows = [{n: _simplify(row[n], where, depth + 1) for n in value.dtype.names} for row in value.ravel(order="F")]
        return rows[0] if len(rows) == 1 else rows
    if value.dtype.kind == "O":
        return [_simplify(v, where, depth + 1) for v in value.ravel(order="F")]
    if value.dtype.kind in "US":
        items = [str(v).strip() for v in value.ravel()]
        return items[0] if len(items) == 1 else items if items else ""
    return value


# --- version 7.3 -----------------------------------------------------------------------------------------------------


def _load_73(path: Path) -> dict[str, Any]:
    from ..volumes.hdf5 import is_local, opened

    where = str(path)
    with opened(path, "MATLAB v7.3 file") as file:
        budget = [0, 0]
        return {
            str(k): _item_73(file, file[k], where, 0, budget)
            for k in file
            if not k.startswith("#") and is_local(file, k)
        }


def _item_73(file: Any, node: Any, where: str, depth: int, budget: list[int]) -> Any:
    import h5py

    from ..volumes.hdf5 import is_local, read_all

    budget[1] += 1
    if depth > limits.MAX_NESTING or budget[1] > 100 * limits.MAX_MEMBERS:
        raise FormatError(
            "cells and structs are nested too deep, or in a circle",
            where=where,
            fix="Save plain arrays, cells and structs.",
        )
    kind = node.attrs.get("MATLAB_class", b"")
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    if isinstance(node, h5py.Group):
        return {str(k): _item_73(file, node[k], where, depth + 1, budget) for k in node if is_local(node, k)}
    if kind in ("function_handle", "FileWrapper__") or "MATLAB_object_decode" in node.attrs:
        raise FormatError(
            "the file holds MATLAB objects or function handles",
            where=where,
            fix="Save plain arrays, cells and structs.",
        )
    if node.attrs.get("MATLAB_empty", 0):
        return "" if kind == "char" else [] if kind == "cell" else np.zeros((0, 0))
    budget[0] += math.prod(node.shape) * node.dtype.itemsize
    limits.check_size(budget[0], limits.MAX_RECORDING_BYTES, where)
    values = read_all(node, where)
    if values.dtype == object or h5py.check_ref_dtype(node.dtype) is not None:
        # MATLAB stores arrays by columns: HDF5 shows them transposed, so C order here is MATLAB's order
        found = [_item_73(file, file[r], where, depth + 1, budget) if r else np.zeros((0, 0)) for r in values.ravel()]
        return found if kind == "cell" else (_struct_array(found))
    values = values.T
    if kind == "char":
        rows = ["".join(chr(c) for c in row).strip() for row in np.atleast_2d(values).tolist()]
        return rows[0] if len(rows) == 1 else rows
    return values.astype(bool) if kind == "logical" else values


def _struct_array(found: list[Any]) -> Any:
    return found[0] if len(found) == 1 else found


# --- what is in them -------------------------------------------------------------------------------------------------


def _plain_fields(content: dict[str, Any], where: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, value in content.items():
        if key == "stimuli":
            rows = _stimulus_rows(value)
            if rows is not None:
                fields |= rows
            continue
        if isinstance(value, (list, tuple)):
            value = np.asarray([v if isinstance(v, str) else _text_of(v) for v in value], dtype=str)
        elif isinstance(value, dict):
            continue
        if (
            isinstance(value, np.ndarray)
            and key not in ("traces", "positions", "positions_um", "idx_splits")
            and 1 in value.shape
        ):
            value = value.ravel()
        fields[key] = np.asarray(value)
    return fields


def _text_of(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.size == 1 and np.isfinite(np.ravel(value)[0]):
        return f"{np.ravel(value)[0]:g}"
    return ""


def _stimulus_rows(value: Any) -> dict[str, Any] | None:
    """Return name, onset and offset from a struct array, or a struct of columns."""
    rows = value if isinstance(value, list) else [value]
    if isinstance(value, dict) and isinstance(value.get("name"), list):
        names = value["name"]
        on: Any = value.get("t_on", value.get("onset", np.nan))
        off: Any = value.get("t_off", value.get("offset"))
        return {
            "stim_name": np.asarray([str(n) for n in names]),
            "stim_onset": np.ravel(on),
            "stim_offset": np.ravel(on if off is None else off),
        }
    if not rows or not all(isinstance(r, dict) and "name" in r for r in rows):
        return None
    on = [float(np.ravel(r.get("t_on", r.get("onset", np.nan)))[0]) for r in rows]
    off = [float(np.ravel(r.get("t_off", r.get("offset", o)))[0]) for r, o in zip(rows, on, strict=True)]
    return {
        "stim_name": np.asarray([str(r["name"]) for r in rows]),
        "stim_onset": np.asarray(on),
        "stim_offset": np.asarray(off),
    }


def _neuropal(content: dict[str, Any], path: Path, rate_hz: float | None) -> list[Recording]:
    """Read a NeuroPAL trace file: for every neuron a cell of traces, first those of all L, then of all R, in file order."""
    from ...model.neurons import normalize

    where = str(path)
    rate = rate_hz if rate_hz is not None else float(np.ravel(content["fps"])[0])
    if not (rate > 0 and math.isfinite(rate)):
        raise InputError(f"fps is {rate:g}", where=where, fix="Pass rate_hz=.")
    files = [str(f) for f in _as_list(content["files"])]
    neurons = [str(n) if isinstance(n, str) else "" for n in _as_list(content["neurons"])]
    traces, sides = _as_list(content["norm_traces"]), _as_list(content["is_L"])
    if not len(neurons) == len(traces) == len(sides):
        raise FormatError(
            f"{len(neurons)} neurons, {len(traces)} norm_traces and {len(sides)} is_L",
            where=where,
            fix="There must be one of each for every neuron.",
        )
    n = len(files)
    per_worm: list[list[tuple[str, np.ndarray]]] = [[] for _ in files]
    for neuron, courses, side in zip(neurons, traces, sides, strict=True):
        items = _as_list(courses)
        if len(items) not in (n, 2 * n):
            raise FormatError(
                f"neuron {neuron} has {len(items)} traces for {n} files",
                where=where,
                fix="Give one for every file, or all left and then all right ones.",
            )
        left = _sides(side, len(items))
        for index, course in enumerate(items):
            values = np.asarray(course, float).ravel() if not isinstance(course, str) else np.empty(0)
            if not np.isfinite(values).any():
                continue
            letter = "" if math.isnan(left[index]) else "L" if left[index] else "R"
            if len(items) == 2 * n and not letter:
                letter = "L" if index < n else "R"
            name = normalize(neuron + letter) or (neuron + letter)
            per_worm[index % n].append((name, values))
    recordings = []
    for index, (file, found) in enumerate(zip(files, per_worm, strict=True)):
        if not found:
            continue
        length = max(len(v) for _, v in found)
        matrix = np.full((length, len(found)), np.nan)
        for column, (_, course) in enumerate(found):
            matrix[: len(course), column] = course
        recordings.append(
            Recording.from_arrays(
                matrix,
                name=_worm_name(file, index, files),
                rate_hz=rate,
                names=[name for name, _ in found],
                stimuli=_neuropal_stimuli(content, index, n, where),
                provenance={"neuropal": {"file": file}},
            )
        )
    if not recordings:
        raise InputError(
            "no worm of this file has a trace", where=where, fix="Choose a file with traces in norm_traces."
        )
    return recordings


def _as_list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, np.ndarray) and value.ndim == 2 and value.dtype.kind in "fiu" and value.size:
        return list(value)  # a matrix with a row a trace instead of a cell
    return [value]


def _sides(value: Any, n: int) -> np.ndarray:
    try:
        items: Any = (
            [float(np.ravel(v)[0]) if np.size(v) else math.nan for v in value]
            if isinstance(value, list)
            else np.ravel(value)
        )
        sides = np.asarray(items, float).ravel()
    except (TypeError, ValueError):
        sides = np.empty(0)
    return sides if len(sides) == n else np.full(n, np.nan)


def _worm_name(file: str, index: int, files: list[str]) -> str:
    name = file.replace("\\", "/").rstrip("/").split("/")[-1].removesuffix(".mat").strip()
    return name if name and files.count(file) == 1 else f"{name or 'worm'} {index + 1}"


def _neuropal_stimuli(content: dict[str, Any], index: int, n_files: int, where: str) -> pd.DataFrame:
    times = content.get("stim_times")
    if times is None or not np.size(times):
        return empty_stimuli()
    windows = np.asarray(times, float)
    if windows.ndim == 2 and windows.shape[1] != 2 == windows.shape[0]:
        windows = windows.T
    if windows.ndim != 2 or windows.shape[1] != 2:
        raise FormatError(
            f"stim_times has shape {np.shape(times)}, not (stimuli, 2)",
            where=where,
            fix="Give onset and offset (s) of every stimulus.",
        )
    known = [str(s) for s in _as_list(content.get("stim_names", []))]
    order = content.get("stims")
    names = [known[i] if i < len(known) else f"stimulus {i + 1}" for i in range(len(windows))]
    if isinstance(order, np.ndarray) and order.ndim == 2 and n_files in order.shape:
        row = order[index] if order.shape[0] == n_files else order[:, index]
        picks = [int(v) for v in row if math.isfinite(v)]
        if len(picks) == len(windows) and all(1 <= p <= max(len(known), 1) for p in picks) and known:
            names = [known[p - 1] for p in picks]
    elif isinstance(order, list) and order:
        if len(order) == n_files and isinstance(order[index], list) and len(order[index]) == len(windows):
            names = [str(v) for v in order[index]]
        elif len(order) == n_files * len(windows) and all(isinstance(v, str) for v in order):
            names = [
                str(order[index + n_files * k]) for k in range(len(windows))
            ]  # a cell (files, stimuli), by columns
        elif len(order) == len(windows) and all(isinstance(v, str) for v in order):
            names = [str(v) for v in order]
    return stimulus_table(names, windows[:, 0], windows[:, 1])


def _knows(path: Path, start: bytes) -> bool:
    """Version 7.3 without its header, as other programs write it."""
    from ..volumes.hdf5 import is_mat, is_nwb

    return start.startswith(HDF5) and is_mat(path) and not is_nwb(path)


FORMAT = Format(
    key="mat",
    title="MATLAB v5 and v7.3",
    patterns=("*.mat",),
    holds=("recording",),
    note="Our field names, and NeuroPAL trace files (many worms in one file).",
    starts=(b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file"),
    knows=_knows,
)
