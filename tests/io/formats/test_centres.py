"""Tables of centres become labels."""

from __future__ import annotations

import pickle

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from tests.io.ngff import ome_writer

from napari_dynamic_connectome.io.formats import centres
from napari_dynamic_connectome.io.registry import open_labels, open_volume

SHAPE = (4, 3, 16, 20)


def brute_force(shape, rows, radius) -> np.ndarray:
    """Every voxel by itself: the nearest centre of the frame whose ball holds it, ties to the smaller id."""
    labels = np.zeros(shape, int)
    for t, z, y, x in np.ndindex(*shape):
        best = None
        for frame, label, cz, cy, cx in sorted(rows, key=lambda r: r[1]):
            d = sum(((a - b) / r) ** 2 for a, b, r in zip((z, y, x), (cz, cy, cx), radius, strict=True))
            if frame == t and d <= 1 + 1e-9 and (best is None or d < best[0] - 1e-9):
                best = (d, label)
        labels[t, z, y, x] = best[1] if best else 0
    return labels


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_centres_become_labels(tmp_path, suffix) -> None:
    rows = [(0, 5, 1.0, 4.0, 4.0), (0, 2, 1.0, 4.0, 7.0), (2, 5, 2.0, 8.0, 8.0), (2, 900, 0.0, -0.4, 0.0)]
    table = pd.DataFrame(rows, columns=["frame", "id", "z", "y", "x"]).assign(name=["AVAL", "", "AVAL", ""])
    path = tmp_path / f"centres{suffix}"
    table.to_csv(path, index=False) if suffix == ".csv" else table.to_parquet(path)
    volume = open_labels(path, shape=(3, 4, 12, 12), radius_um=3.0, voxel_size_um=(2, 1, 1))
    expected = brute_force((3, 4, 12, 12), rows, (1.5, 3, 3))
    assert (volume.data.compute() == expected).all()
    assert (volume.data[2, :, 3:9].compute() == expected[2, :, 3:9]).all()
    assert not volume.data[1].any().compute()  # absent in a frame: no voxel there
    assert volume.names == {5: "AVAL"}


def test_centres_in_micrometres_and_like_a_volume(tmp_path, voxels) -> None:
    path = tmp_path / "a.zarr"
    ome_writer(path, voxels, "tzyx", "0.4")
    table = tmp_path / "c.csv"
    table.write_text("t,track_id,z_um,z,y,x\n0,1,9,2.0,4.0,5.0\n")
    volume = open_volume(path)
    labels = open_labels(table, like=volume, radius_um=1.0, units="um")
    where = np.argwhere(labels.data[0].compute() == 1)
    assert where.mean(axis=0) == pytest.approx([1, 8, 10])
    assert labels.reference.frame_rate_hz == 4.0


def test_centres_can_be_sent_to_another_process(tmp_path) -> None:
    (tmp_path / "c.csv").write_text("frame,id,z,y,x\n0,1,1,2,3\n")
    volume = open_labels(tmp_path / "c.csv", shape=(1000, 4, 64, 64), radius_voxels=2)
    assert isinstance(volume.data, da.Array)
    assert (
        len(
            pickle.dumps(
                centres.BallLabels((9, 4, 8, 8), np.zeros(1, int), np.ones(1, int), np.ones((1, 3)), np.ones(3))
            )
        )
        < 2000
    )
