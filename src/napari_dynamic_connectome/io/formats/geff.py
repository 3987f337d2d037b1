"""Tracks in GEFF, the exchange format of tracking programs: a graph in zarr, whose nodes are cells in frames.

In: a folder. Out: a table of centres, the cell of one track in every frame under one id. Read with plain zarr, so nothing has
to be installed. Neurons do not divide: a track that does is refused.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...model.errors import FormatError, InputError
from .. import limits
from ..files import existing
from ..format import Format
from ..units import micrometres, time_factor

ORDER = 110


UNITS_KEY = "units"
"""Attribute of the table: "um" or "voxel", as the file gives its axes."""


def is_geff(path: str | Path) -> bool:
    """Whether a folder is a graph of tracks.

    Parameters
    ----------
    path : str or Path
    """
    from ..volumes.omezarr import attributes, is_zarr

    path = Path(path)
    return path.is_dir() and is_zarr(path) and isinstance(attributes(path).get("geff"), dict)


def read_tracks(path: str | Path) -> pd.DataFrame:
    """Read the tracks of a GEFF folder.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    pandas.DataFrame
        frame, id, z, y, x, name (""); `attrs["units"]` says what z, y, x are in.

    Raises
    ------
    InputError
        A track divides, or the axes are not those of time and space.
    """
    from ..volumes.omezarr import attributes

    path = existing(path)
    where = str(path)
    about = attributes(path).get("geff")
    if not isinstance(about, dict):
        raise FormatError("there is no graph of tracks in this folder", where=where, fix="Choose the .geff folder.")
    nodes, edges = _array(path, "nodes/ids", where).ravel(), _array(path, "edges/ids", where)
    if not len(nodes):
        raise InputError("the graph has no nodes", where=where, fix="Track again, or choose another file.")
    axes = _axes(about, where)
    columns = {letter: _values(path, axis, len(nodes), where) for letter, axis in axes.items()}
    places = {letter: columns.get(letter, np.zeros(len(nodes))) for letter in "zyx"}
    factor = _factor({k: a for k, a in axes.items() if k != "t"}, where)
    table = pd.DataFrame({"frame": _frames(columns["t"], axes["t"], where)})
    table["id"] = _tracks(path, about, nodes, edges, where)
    for letter, values in places.items():
        table[letter] = values * (factor.get(letter, 1.0) if factor else 1.0)
    twice = table.duplicated(["frame", "id"])
    if twice.any():
        row = table[twice].iloc[0]
        raise InputError(
            f"a track has two cells in frame {int(row['frame'])}: it divides, which neurons do not",
            where=where,
            fix="Cut the track there, or remove the wrong link.",
        )
    table["name"] = ""
    table = table.sort_values(["frame", "id"], kind="stable", ignore_index=True)
    table.attrs[UNITS_KEY] = "um" if factor else "voxel"
    return table


def _array(path: Path, name: str, where: str) -> np.ndarray:
    from ..volumes.omezarr import ZarrArray

    if not (path / name).is_dir():
        raise FormatError(
            f"the graph has no {name}", where=where, fix="It may be damaged or cut off; copy or export it again."
        )
    array = ZarrArray(str(path), name)
    limits.check_size(math.prod(array.shape) * array.dtype.itemsize, limits.MAX_RECORDING_BYTES, where)
    return np.asarray(array[...])


def _axes(about: dict[str, Any], where: str) -> dict[str, dict[str, Any]]:
    """Return the axes by letter: one of time, two or three of space, z first where their names do not say."""
    held = [a for a in about.get("axes") or [] if isinstance(a, dict) and a.get("name")]
    times = [a for a in held if a.get("type") == "time" or str(a["name"]).lower() in ("t", "time", "frame")]
    spaces = [a for a in held if a not in times and a.get("type") in ("space", None)]
    if len(times) != 1 or len(spaces) not in (2, 3):
        named = ", ".join(str(a["name"]) for a in held) or "none"
        raise InputError(
            f"the graph has the axes {named}; needed are one of time and two or three of space",
            where=where,
            fix="Write it again with axis names and types.",
        )
    letters = [str(a["name"]).lower()[:1] for a in spaces]
    if sorted(letters) not in (["x", "y"], ["x", "y", "z"]):
        letters = list("zyx"[-len(spaces) :])
    return {"t": times[0]} | dict(zip(letters, spaces, strict=True))


def _values(path: Path, axis: dict[str, Any], n: int, where: str) -> np.ndarray:
    name = str(axis["name"])
    folder = f"nodes/props/{name}"
    if "/" in name or ".." in name:
        raise FormatError(f"an axis is called '{name[:40]}'", where=where, fix="Get the file from a source you trust.")
    values = _array(path, f"{folder}/values", where).ravel()
    missing = (path / folder / "missing").is_dir() and bool(_array(path, f"{folder}/missing", where).any())
    if len(values) != n or missing or values.dtype.kind not in "fiu" or not np.isfinite(values.astype(float)).all():
        raise FormatError(
            f"axis {name} has no number for every one of the {n} nodes", where=where, fix="Write the graph again."
        )
    return values.astype(float)


def _factor(axes: dict[str, dict[str, Any]], where: str) -> dict[str, float]:
    """Return micrometres a unit by letter; empty where the axes count pixels."""
    found = {letter: micrometres(axis.get("unit"), where) for letter, axis in axes.items()}
    known = {letter: value for letter, value in found.items() if value is not None}
    if known and len(known) < len(found):
        raise InputError(
            f"some axes are in micrometres, others in pixels ({', '.join(sorted(set(found) - set(known)))})",
            where=where,
            fix="Write the graph again with the units of all axes.",
        )
    return known


def _frames(times: np.ndarray, axis: dict[str, Any], where: str) -> np.ndarray:
    """Return frame numbers: whole numbers are frames, unless they are seconds that skip; even fractions are times."""
    whole = times == np.round(times)
    timed = time_factor(str(axis.get("unit") or "")) is not None
    distinct = np.unique(times)
    if whole.all() and times.min() >= 0 and not (timed and np.gcd.reduce(distinct.astype(np.int64)) > 1):
        return times.astype(np.int64)
    steps = np.diff(distinct)
    step = float(steps.min()) if len(steps) else 0.0
    if np.count_nonzero(steps < 1.1 * step) < len(steps) / 2:
        step = 0.0  # what is seldom as short as this is no interval of frames
    frames = times / step if step > 0 else np.full(len(times), np.nan)
    if not np.isfinite(frames).all() or np.abs(frames - np.round(frames)).max() > 0.05 or times.min() < 0:
        raise InputError(
            f"axis {axis['name']} holds times that are no frames and not even ({distinct[:3].tolist()} ...)",
            where=where,
            fix="Write the graph with frames counted from 0.",
        )
    return np.round(frames).astype(np.int64)


def _tracks(path: Path, about: dict[str, Any], nodes: np.ndarray, edges: np.ndarray, where: str) -> np.ndarray:
    """Return the track of every node, from 1: what is linked is one; the file's own numbers where they say the same."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if edges.size and (edges.ndim != 2 or edges.shape[1] != 2 or not np.isin(edges, nodes).all()):
        raise FormatError("a link leads to no node", where=where, fix="Write the graph again.")
    order = np.argsort(nodes, kind="stable")
    ends = order[np.searchsorted(nodes[order], edges.reshape(-1, 2))]
    n = len(nodes)
    graph = coo_array((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), shape=(n, n))
    tracks = np.asarray(connected_components(graph, directed=False)[1], np.int64) + 1
    own = (about.get("track_node_props") or {}) if isinstance(about.get("track_node_props"), dict) else {}
    for key in ("tracklet", "lineage"):
        name = str(own.get(key) or "")
        if not name or "/" in name or not (path / "nodes" / "props" / name).is_dir():
            continue
        given = _array(path, f"nodes/props/{name}/values", where).ravel()
        pairs = {(int(a), int(b)) for a, b in zip(tracks, given, strict=False)}
        if len(given) == n and len(pairs) == len(set(tracks)) == len(set(given.tolist())):
            return given.astype(np.int64) + (1 if given.min() == 0 else 0)
    return tracks


FORMAT = Format(
    key="geff",
    title="GEFF",
    patterns=("*.geff", "*.zarr"),
    holds=("labels",),
    note="Tracks of other programs, as centres: axes and units from the metadata.",
    knows=lambda path, start: is_geff(path),
    centres=lambda path: True,
)
