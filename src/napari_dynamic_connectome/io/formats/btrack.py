"""Tracks that btrack stored in HDF5: which objects belong to which track, and the points between that it made up.

In: a file. Out: a table of centres, as `centres.read_centres` returns it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...model.errors import FormatError, InputError
from ..files import existing
from ..volumes.hdf5 import member, opened, read_all
from .geff import UNITS_KEY


def is_btrack(path: str | Path) -> bool:
    """Whether an HDF5 file holds tracks of btrack.

    Parameters
    ----------
    path : str or Path
    """
    with opened(existing(path)) as file:
        return bool(_types(file, str(path)))


def read_btrack(path: str | Path) -> pd.DataFrame:
    """Read the tracks of a file; points that btrack put between two objects are among them.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    pandas.DataFrame
        frame, id (number of the track, from 1), z, y, x in voxels, name ("").
    """
    path = existing(path)
    where = str(path)
    with opened(path) as file:
        found = _types(file, where)
        if len(found) != 1:
            raise InputError(
                f"there are tracks of {len(found)} types of objects", where=where, fix="Export the neurons alone."
            )
        (kind,) = found
        objects = read_all(file[f"objects/{kind}/coords"], where)
        tracks = file[f"tracks/{kind}"]
        order = read_all(tracks["tracks"], where).astype(np.int64)
        spans = read_all(tracks["map"], where).astype(np.int64)
        made_up = read_all(tracks["dummies"], where) if "dummies" in tracks else np.empty((0, 4))
        tree = read_all(tracks["LBEPR"], where).astype(np.int64) if "LBEPR" in tracks else None
    if spans.ndim != 2 or spans.shape[1] != 2 or (spans < 0).any() or spans.max(initial=0) > len(order):
        raise _damaged(where)
    numbers = np.arange(1, len(spans) + 1) if tree is None or len(tree) != len(spans) else tree[:, 0]
    known = tree if tree is not None and len(tree) == len(spans) else np.empty((0, 6), np.int64)
    children = known[(known[:, 3] != known[:, 0]) & (known[:, 3] > 0)]
    if len(children):
        divided = children[0]
        raise InputError(
            f"track {divided[3]} divides (into {divided[0]})",
            where=where,
            fix="Neurons do not divide: correct the tracks.",
        )
    ids = np.repeat(numbers, spans[:, 1] - spans[:, 0])
    places = np.concatenate([order[a:b] for a, b in spans.tolist()]) if len(spans) else order[:0]
    if places.max(initial=-1) >= len(objects) or -places.min(initial=0) > len(made_up):
        raise _damaged(where)
    rows = np.where((places >= 0)[:, None], objects[np.maximum(places, 0), :4], 0.0)
    if len(made_up):
        rows = np.where((places < 0)[:, None], made_up[np.maximum(-places - 1, 0), :4], rows)
    t, x, y, z = rows.T
    if not len(rows) or (t != np.round(t)).any():
        raise _damaged(where)
    found_table = pd.DataFrame({"frame": t.astype(np.int64), "id": ids, "z": z, "y": y, "x": x})
    found_table = found_table.assign(name="")
    found_table.attrs[UNITS_KEY] = "voxel"
    return found_table


def _types(file: Any, where: str) -> list[str]:
    tracks, objects = member(file, "tracks", where), member(file, "objects", where)
    if tracks is None or objects is None or not hasattr(tracks, "keys") or not hasattr(objects, "keys"):
        return []
    return [
        str(k)
        for k in tracks
        if member(tracks, f"{k}/map", where) is not None
        and member(tracks, f"{k}/tracks", where) is not None
        and member(objects, f"{k}/coords", where) is not None
    ]


def _damaged(where: str) -> FormatError:
    return FormatError("the tracks do not fit their objects", where=where, fix="Export them again from btrack.")
