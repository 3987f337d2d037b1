"""Labels from tables of centres (frame, id, z, y, x) and a radius, drawn when they are asked for.

In: a CSV or Parquet table, in voxels or micrometres. Out: lazy labels (t, z, y, x), one frame a block; an id that has no row
in a frame has no voxel there. Where balls overlap, a voxel belongs to the nearest centre (ties: the smaller id).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...model.errors import FormatError, InputError
from ...model.recording import VolumeReference
from .. import limits
from ..files import existing, head
from ..volumes.volume import Volume, as_dask
from .btrack import read_btrack
from .geff import UNITS_KEY, is_geff, read_tracks
from .text_tables import find_column, plain_cell, read_table, to_numbers

UNITS = {
    "voxel": "voxel",
    "voxels": "voxel",
    "pixel": "voxel",
    "pixels": "voxel",
    "um": "um",
    "µm": "um",
    "micrometer": "um",
}
"""Spellings of what z, y, x may be given in."""


class BallLabels:
    """Labels (t, z, y, x) that are drawn frame by frame from centres; small to pickle.

    Parameters
    ----------
    shape : tuple of int
        (t, z, y, x).
    frames, ids : array of shape (n,)
        Sorted by frame.
    centres : array of shape (n, 3)
        (z, y, x) in voxels.
    radius : array of shape (3,)
        (z, y, x) in voxels.
    """

    def __init__(
        self, shape: Sequence[int], frames: np.ndarray, ids: np.ndarray, centres: np.ndarray, radius: np.ndarray
    ) -> None:
        self.shape = tuple(int(n) for n in shape)
        self.ndim = 4
        self.chunks = (1, *self.shape[1:])
        self.dtype = np.dtype(np.uint16 if len(ids) == 0 or ids.max() < 65_536 else np.uint32)
        order = np.lexsort((ids, frames))
        self.frames, self.ids, self.centres = frames[order], ids[order], centres[order]
        self.radius = np.maximum(np.asarray(radius, float), 0.5)
        self.starts = np.searchsorted(self.frames, np.arange(self.shape[0] + 1))

    def __getitem__(self, box: Any) -> np.ndarray:
        box = box if isinstance(box, tuple) else (box,)
        full = [*box, *[slice(None)] * (4 - len(box))]
        times = np.arange(self.shape[0])[full[0]]
        if np.ndim(times) == 0:
            one: np.ndarray = self.frame(int(times))[tuple(full[1:])]
            return one
        return np.stack([self.frame(int(t))[tuple(full[1:])] for t in times])

    def frame(self, t: int) -> np.ndarray:
        """Return the labels (z, y, x) of one frame."""
        labels = np.zeros(self.shape[1:], self.dtype)
        distance = np.full(self.shape[1:], np.inf)
        for row in range(self.starts[t], self.starts[t + 1]):
            centre = self.centres[row]
            low = np.maximum(np.ceil(centre - self.radius), 0).astype(int)
            high = np.minimum(np.floor(centre + self.radius) + 1, self.shape[1:]).astype(int)
            if (high <= low).any():
                continue
            part = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
            squared = np.zeros(tuple(high - low))
            for axis in range(3):
                offset = ((np.arange(low[axis], high[axis]) - centre[axis]) / self.radius[axis]) ** 2
                squared += offset.reshape([-1 if a == axis else 1 for a in range(3)])
            # a voxel on the surface, or as far from two centres, must not depend on rounding
            mine = (squared <= 1 + 1e-9) & (squared < distance[part] - 1e-9)
            labels[part][mine] = self.ids[row]
            distance[part][mine] = squared[mine]
        return labels


def _identity(table: pd.DataFrame, where: str) -> str | None:
    """Return the column that says which neuron a row is: in tables of tracks, not the id of the single point."""
    names = (
        "track_id",
        "trackid",
        "track",
        "tracklet_id",
        "lineage_id",
        "neuron_id",
        "cell_id",
        "label",
        "particle",
        "id",
    )
    found = [c for n in names if (c := find_column(table, n)) is not None]
    frame = find_column(table, "frame", "t", "timepoint", "time_index")
    if len(found) < 2 or frame is None:
        return found[0] if found else None
    moments = table[frame].nunique()
    # an id that no two frames share names points, not neurons
    lasting = [c for c in found if moments < 2 or table[c].nunique() < len(table)]
    if not lasting:
        return found[0]
    other = next((c for c in lasting[1:] if not _one_to_one(table, lasting[0], c)), None)
    if other is not None and lasting[0].strip().lower() not in ("track_id", "trackid", "track"):
        raise InputError(
            f"both '{lasting[0]}' and '{other}' could say which neuron a row is, and they differ",
            where=where,
            fix="Keep one of them, called id.",
        )
    return lasting[0]


def _one_to_one(table: pd.DataFrame, a: str, b: str) -> bool:
    pairs = table[[a, b]].drop_duplicates()
    return bool(len(pairs) == table[a].nunique() == table[b].nunique())


def is_napari_points(columns: Sequence[Any]) -> bool:
    """Whether a table is a layer of points (or tracks) that napari saved: index, axis-0, axis-1, ...

    Parameters
    ----------
    columns : sequence of str
    """
    named = {str(c).strip().lower() for c in columns}
    return {"index", "axis-0", "axis-1"} <= named


def _of_napari(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return a saved layer of points with our names of columns; who is who has to be a feature of the points."""
    count = sum(bool(re.fullmatch(r"axis-\d+", str(c).strip().lower())) for c in table.columns)
    if count not in (3, 4):
        raise InputError(
            f"points that napari saved, of {count} axes", where=where, fix="Centres have t, z, y, x, or z, y, x."
        )
    axes = ("frame", "z", "y", "x")[4 - count :]
    found = table.rename(columns={f"axis-{i}": axis for i, axis in enumerate(axes)}).drop(columns=["index"])
    if "frame" not in found:
        found["frame"] = "0"
    if _identity(found, where) is None:
        name = find_column(found, "name", "neuron_name", "neuron")
        if name is None or (found[name].map(lambda v: not str(v).strip())).any():
            raise InputError(
                "points that napari saved, without a feature that says which neuron each of them is",
                where=where,
                fix="Give the layer a feature id (whole numbers from 1, the same for a neuron in every frame) and save it again.",
            )
        order = {text: i + 1 for i, text in enumerate(dict.fromkeys(found[name].tolist()))}
        found["id"] = [str(order[v]) for v in found[name].tolist()]
    return found


def read_centres(path: str | Path) -> pd.DataFrame:
    """Read a table of centres.

    Parameters
    ----------
    path : str or Path
        CSV or Parquet with the columns frame (or t; from 0), id (or label, track_id), z, y, x, and optionally name, radius; points
        that napari saved with a feature id (or name); a GEFF folder of tracks; tracks of btrack in HDF5.

    Returns
    -------
    pandas.DataFrame
        frame, id, z, y, x as numbers, name as text; `attrs["units"]` where the file says what z, y, x are in.
    """
    path = existing(path)
    where = str(path)
    if path.is_dir() and is_geff(path):
        return read_tracks(path)
    from .parquet import is_parquet, read_frame

    if head(path, 8) == b"\x89HDF\r\n\x1a\n":
        return read_btrack(path)
    table = read_frame(path) if is_parquet(path) else read_table(path)
    if is_napari_points(table.columns):
        table = _of_napari(table, where)
    columns = {
        "frame": find_column(table, "frame", "t", "timepoint", "time_index"),
        "id": _identity(table, where),
        "z": find_column(table, "z"),
        "y": find_column(table, "y"),
        "x": find_column(table, "x"),
    }
    absent = [k for k, v in columns.items() if v is None]
    if absent:
        raise InputError(f"the columns {', '.join(absent)} are missing", where=where, fix="Needed: frame, id, z, y, x.")
    if not len(table):
        raise InputError("the table has no rows", where=where, fix="Give a row a neuron and frame.")
    found = pd.DataFrame({k: to_numbers(table[v].tolist(), str(v), where, missing=False) for k, v in columns.items()})
    if not np.isfinite(found.to_numpy()).all():
        raise InputError("a centre is infinite", where=where, fix="Leave out what was not found.")
    for column, least in (("frame", 0), ("id", 1)):
        values = found[column].to_numpy()
        wrong = (values != np.round(values)) | (values < least) | (values > 2**31 - 1)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise InputError(
                f"{column} {values[row]:g} in row {row + 2} is not a whole number from {least}",
                where=where,
                fix="Give whole numbers: frames from 0, ids from 1.",
            )
        found[column] = values.astype(np.int64)
    _check_no_division(table, str(columns["id"]), where)
    twice = found.duplicated(["frame", "id"])
    if twice.any():
        row = found[twice].iloc[0]
        raise InputError(
            f"id {int(row['id'])} has two centres in frame {int(row['frame'])}", where=where, fix="Keep one of them."
        )
    name = find_column(table, "name", "neuron_name")
    found["name"] = [plain_cell(str(n).strip()) for n in table[name].tolist()] if name is not None else ""
    return found


def _check_no_division(table: pd.DataFrame, identity: str, where: str) -> None:
    """Refuse tracks that come from another one: two tracks of one parent, or a parent of one, are no neurons of their own."""
    column = find_column(table, "parent_track_id", "parent_track", "parent")
    if column is None:
        return
    pairs = table[[identity, column]].drop_duplicates()
    own = to_numbers(pairs[identity].tolist(), identity, where)
    parents = to_numbers(pairs[column].tolist(), column, where)
    divided = np.flatnonzero((parents > 0) & (parents != own) & np.isin(parents, own))
    if len(divided):
        raise InputError(
            f"track {own[divided[0]]:.0f} comes from track {parents[divided[0]]:.0f}: it divides, which neurons do not",
            where=where,
            fix="Cut the track there, or remove the wrong link.",
        )


def open_labels(
    path: str | Path,
    *,
    shape: Sequence[int] | None = None,
    like: Any = None,
    radius_um: float | Sequence[float] | None = None,
    radius_voxels: float | Sequence[float] | None = None,
    voxel_size_um: Sequence[float] | None = None,
    frame_rate_hz: float | None = None,
    units: str = "",
) -> Volume:
    """Open a table of centres as labels.

    Parameters
    ----------
    path : str or Path
    shape : sequence of int, optional
        (t, z, y, x) of the volume they belong to; or give `like`.
    like : Volume, optional
        The volume: its shape and voxel size are taken.
    radius_um, radius_voxels : float or (z, y, x)
        Radius of the balls.
    voxel_size_um : sequence of float, optional
    frame_rate_hz : float, optional
    units : str
        "voxels" or "um": what z, y, x are given in; by default what the file says, else voxels.
    """
    table = read_centres(path)
    return labels_of_table(
        table, where=str(path), shape=shape, like=like, radius_um=radius_um, radius_voxels=radius_voxels,
        voxel_size_um=voxel_size_um, frame_rate_hz=frame_rate_hz, units=units,
    )  # fmt: skip


def labels_of_table(
    table: pd.DataFrame,
    *,
    where: str = "tracks",
    shape: Sequence[int] | None = None,
    like: Any = None,
    radius_um: float | Sequence[float] | None = None,
    radius_voxels: float | Sequence[float] | None = None,
    voxel_size_um: Sequence[float] | None = None,
    frame_rate_hz: float | None = None,
    units: str = "",
) -> Volume:
    """Return labels from a table of centres; see `open_labels`.

    Parameters
    ----------
    table : pandas.DataFrame
        As `read_centres` returns it.
    where : str
        The file or layer, for messages.
    shape, like, radius_um, radius_voxels, voxel_size_um, frame_rate_hz, units
        As in `open_labels`.
    """
    units = units or table.attrs.get(UNITS_KEY, "voxel")
    if like is not None:
        shape = like.data.shape if shape is None else shape
        voxel_size_um = like.reference.voxel_size_um if voxel_size_um is None else voxel_size_um
        frame_rate_hz = like.reference.frame_rate_hz if frame_rate_hz is None else frame_rate_hz
    if units.lower() not in UNITS:
        raise InputError(f"units '{units}' are not known", where=where, fix="Choose voxels or um.")
    units = UNITS[units.lower()]
    if shape is None or len(tuple(shape)) != 4:
        raise InputError(
            "a table of centres does not say how large the volume is",
            where=where,
            fix="Pass like=volume or shape=(t, z, y, x).",
        )
    size = np.asarray(voxel_size_um if voxel_size_um is not None else [math.nan] * 3, float)
    known = size.shape == (3,) and bool(np.isfinite(size).all()) and bool((size > 0).all())
    if (units == "um" or radius_um is not None) and not known:
        raise InputError("the voxel size is not known", where=where, fix="Pass voxel_size_um=(z, y, x).")
    if (radius_um is None) == (radius_voxels is None):
        raise InputError("the size of the neurons is not given", where=where, fix="Pass radius_um= or radius_voxels=.")
    radius = np.broadcast_to(np.asarray(radius_um if radius_um is not None else radius_voxels, float), (3,)).copy()
    if not (np.isfinite(radius).all() and (radius > 0).all()):
        raise InputError(f"the radius {radius.tolist()} is not positive", where=where, fix="Give a positive number.")
    if radius_um is not None:
        radius = radius / size
    centres = table[["z", "y", "x"]].to_numpy(float)
    if units == "um":
        centres = centres / size
    return labels_from_centres(
        table["frame"].to_numpy(), table["id"].to_numpy(), centres, shape, radius, where=where, voxel_size_um=size, frame_rate_hz=frame_rate_hz,
        names=dict(zip(table["id"].tolist(), table["name"].tolist(), strict=True)),
    )  # fmt: skip


def labels_from_centres(
    frames: np.ndarray,
    ids: np.ndarray,
    centres: np.ndarray,
    shape: Sequence[int],
    radius: np.ndarray,
    *,
    where: str,
    voxel_size_um: Any = None,
    frame_rate_hz: float | None = None,
    names: dict[int, str] | None = None,
) -> Volume:
    """Return lazy labels from centres in voxels; see `open_labels`."""
    extent = tuple(int(n) for n in shape)
    if any(n < 1 for n in extent):
        raise InputError(f"the shape {extent} is empty", where=where, fix="Pass like=volume or shape=(t, z, y, x).")
    limits.check_size(math.prod(extent[1:]) * 4, limits.MAX_CHUNK_BYTES, where, "one frame")
    if int(frames.max()) >= extent[0]:
        raise InputError(
            f"frame {int(frames.max())} does not exist: the volume has {extent[0]} (from 0)",
            where=where,
            fix="Count frames from 0, or choose the right volume.",
        )
    outside = ((centres < -0.5) | (centres > np.asarray(extent[1:]) - 0.5)).any(axis=1)
    if outside.all():
        raise FormatError(
            "all centres lie outside the volume", where=where, fix="Check the order z, y, x and units= (voxel or um)."
        )
    labels = BallLabels(extent, frames, ids, centres, radius)
    size = tuple(float(v) for v in voxel_size_um) if voxel_size_um is not None else (math.nan,) * 3
    rate = float(frame_rate_hz) if frame_rate_hz is not None else math.nan
    reference = VolumeReference(where, extent, "tzyx", (size[0], size[1], size[2]), rate)
    held = {k: v for k, v in (names or {}).items() if v}
    return Volume(as_dask(labels, (1, *extent[1:])), reference, names=held, array=labels)
