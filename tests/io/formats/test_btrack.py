"""Tracks of btrack in HDF5: points in the order of the tracks, points that it put there, damaged files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from napari_dynamic_connectome.io.formats.btrack import is_btrack, read_btrack
from napari_dynamic_connectome.model.errors import FormatError, InputError

OBJECTS = [[t, 10.0 * k + t, 20.0 + k, 30.0 - t, 5] for k in range(2) for t in range(3)]  # t, x, y, z and a class
MADE_UP = [[3, 1.0, 2.0, 3.0], [4, 4.0, 5.0, 6.0]]
TRACKS: dict[str, Any] = {
    "tracks": [0, 1, 2, -1, 3, 4, 5, -2], "map": [[0, 4], [4, 8]],
    "LBEPR": [[7, 0, 3, 7, 7, 0], [9, 0, 4, 0, 9, 0]], "dummies": MADE_UP,
}  # fmt: skip


def file(path: Path, objects: Any = OBJECTS, kinds: tuple[str, ...] = ("cell",), **change: Any) -> Path:
    with h5py.File(path, "w") as held:
        for kind in kinds:
            held[f"objects/{kind}/coords"] = np.asarray(objects, np.float32)
            for name, values in (TRACKS | change).items():
                if values is not None:
                    held[f"tracks/{kind}/{name}"] = np.asarray(values)
    return path


def test_points_are_in_the_order_of_the_tracks_with_those_that_btrack_put_there(tmp_path: Path) -> None:
    path = file(tmp_path / "t.h5")
    assert is_btrack(path)
    table = read_btrack(path)
    rows = [OBJECTS[0], OBJECTS[1], OBJECTS[2], MADE_UP[0], OBJECTS[3], OBJECTS[4], OBJECTS[5], MADE_UP[1]]
    assert table["frame"].tolist() == [row[0] for row in rows] and table["frame"].dtype == np.int64
    assert table["id"].tolist() == [7] * 4 + [9] * 4
    for axis, column in (("x", 1), ("y", 2), ("z", 3)):
        assert table[axis].tolist() == [row[column] for row in rows]
    assert list(table.columns) == ["frame", "id", "z", "y", "x", "name"] and set(table["name"]) == {""}
    for tree in (None, TRACKS["LBEPR"][:1]):  # without numbers of the tracks, or with too few: from 1
        assert read_btrack(file(path, LBEPR=tree))["id"].tolist() == [1] * 4 + [2] * 4
    single = file(path, tracks=[0, 1, 2], map=[[0, 3]], LBEPR=None, dummies=None)
    assert read_btrack(single)["z"].tolist() == [30, 29, 28]
    gone = file(path, tracks=[5, 0], map=[[0, 1], [1, 2]], LBEPR=None)
    assert read_btrack(gone)["frame"].tolist() == [2, 0]


@pytest.mark.parametrize(
    "change",
    [
        {"tracks": [0, 1, 2, -1, 3, 4, 6, -2]}, {"tracks": [0, 1, 2, -1, 3, 4, 5, -3]}, {"dummies": None}, {"map": [[0, 4], [4, 9]]},
        {"map": [[-1, 4], [4, 8]]}, {"map": [0, 4]}, {"map": [[0, 4, 1], [4, 8, 1]]}, {"map": np.zeros((0, 2), int), "LBEPR": None},
        {"objects": [[t + 0.5, 1, 1, 1, 5] for t in range(6)]},
    ],
)  # fmt: skip
def test_tracks_that_do_not_fit_their_objects_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(FormatError, match="the tracks do not fit their objects"):
        read_btrack(file(tmp_path / "t.h5", **change))


def test_divisions_several_types_and_other_files(tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    with pytest.raises(InputError, match=r"track 7 divides \(into 9\)"):
        read_btrack(file(path, LBEPR=[[7, 0, 3, 7, 7, 0], [9, 0, 4, 7, 7, 1]]))
    with pytest.raises(InputError, match="there are tracks of 2 types of objects"):
        read_btrack(file(path, kinds=("cell", "other")))
    for name in ("map", "tracks"):
        assert not is_btrack(file(path, **{name: None}))
    with h5py.File(path, "w") as held:
        held["objects/cell/coords"] = np.zeros((2, 5))
    assert not is_btrack(path)
    with h5py.File(path, "w") as held:
        held["tracks"], held["objects"] = 1, 2
    assert not is_btrack(path)
