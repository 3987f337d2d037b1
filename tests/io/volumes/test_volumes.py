"""Volumes and labels written by other libraries come back voxel for voxel, with axes, scale and units."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
from tests.io.formats.test_centres import brute_force

from napari_dynamic_connectome.extraction.extract import extract_traces
from napari_dynamic_connectome.io.registry import open_labels, open_volume
from napari_dynamic_connectome.io.volumes import omezarr_write
from napari_dynamic_connectome.io.volumes.volume import as_dask

SHAPE = (4, 3, 16, 20)


def save(path: Path, data: np.ndarray, **options: object) -> Path:
    tifffile.imwrite(path, data, photometric="minisblack", **options)
    return path


def test_axes_are_mapped_by_name_in_any_order(tmp_path, voxels) -> None:
    path = save(tmp_path / "a.tif", np.ascontiguousarray(voxels.transpose(1, 0, 3, 2)), metadata={"axes": "ZTXY"})
    assert (open_volume(path).data.compute() == voxels).all()
    plane = save(tmp_path / "b.tif", voxels[:, 0], metadata={"axes": "TYX"})
    assert open_volume(plane).data.shape == (4, 1, 16, 20)


def test_npy_is_mapped(tmp_path, voxels) -> None:
    np.save(tmp_path / "a.npy", np.asfortranarray(voxels))
    assert (open_volume(tmp_path / "a.npy", axes="tzyx").data.compute() == voxels).all()


@pytest.mark.parametrize("form", ["ome-zarr", "tiff", "zlib tiff", "hdf5", "npy", "centres"])
def test_traces_extracted_from_files_equal_those_of_arrays(tmp_path, voxels, form) -> None:
    labels = np.random.default_rng(3).integers(0, 4, SHAPE[1:]).astype(np.uint16)
    options = {"voxel_size_um": (2, 1, 1), "frame_rate_hz": 2}
    volume_path, label_path = tmp_path / "v", tmp_path / "l"
    if form == "ome-zarr":
        omezarr_write.create_volume(tmp_path / "v", SHAPE)[...] = voxels
        omezarr_write.create_labels(tmp_path / "v", SHAPE[1:], "zyx")[...] = labels
        label_path = volume_path
    elif form.endswith("tiff"):
        packing = "zlib" if form.startswith("zlib") else None
        save(volume_path, voxels, metadata={"axes": "TZYX"}, compression=packing)
        save(label_path, labels, metadata={"axes": "ZYX"}, compression=packing)
    elif form == "hdf5":
        for path, data, axes in ((volume_path, voxels, "tzyx"), (label_path, labels, "zyx")):
            with h5py.File(path, "w") as file:
                file.create_dataset("d", data=data, chunks=True, compression="gzip").attrs["axes"] = axes
    if form in ("npy", "centres"):
        np.save(tmp_path / "v.npy", voxels)
        volume = open_volume(tmp_path / "v.npy", axes="tzyx", **options)
        if form == "npy":
            np.save(tmp_path / "l.npy", labels)
            held = open_labels(tmp_path / "l.npy", axes="zyx")
        else:
            rows = [(t, 1 + i, 1, 5 + i * 3, 6 + t) for t in range(4) for i in range(3)]
            pd.DataFrame(rows, columns=["frame", "id", "z", "y", "x"]).to_csv(tmp_path / "c.csv", index=False)
            held = open_labels(tmp_path / "c.csv", like=volume, radius_um=2.0)
            labels = brute_force(SHAPE, rows, (1, 2, 2)).astype(np.uint16)
        found = extract_traces(volume, held)
    else:
        found = extract_traces(volume_path, label_path, **options)
    expected = extract_traces(voxels, labels, **options)
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found["label"], expected["label"])


def test_many_small_chunks_are_joined() -> None:
    class Big:
        shape, dtype, ndim = (2000, 20, 1024, 1024), np.dtype("uint16"), 4

        def __getitem__(self, box: object) -> np.ndarray:
            raise AssertionError("nothing may be read")

    assert as_dask(Big(), (1, 1, 32, 32)).npartitions <= 200_000
