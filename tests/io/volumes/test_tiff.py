"""TIFF volumes from other writers."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_dynamic_connectome.extraction.extract import extract_traces
from napari_dynamic_connectome.io.registry import open_volume

SHAPE = (4, 3, 16, 20)


def save(path: Path, data: np.ndarray, **options: object) -> Path:
    tifffile.imwrite(path, data, photometric="minisblack", **options)
    return path


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
def test_ome_tiff(tmp_path, voxels, compression) -> None:
    about = {
        "axes": "TZYX",
        "PhysicalSizeX": 0.5,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": 500,
        "PhysicalSizeYUnit": "nm",
        "PhysicalSizeZ": 2.0,
        "TimeIncrement": 250,
        "TimeIncrementUnit": "ms",
    }
    path = save(tmp_path / "a.ome.tif", voxels, ome=True, metadata=about, compression=compression)
    volume = open_volume(path)
    assert (volume.data.compute() == voxels).all()
    assert volume.voxel_size_um == pytest.approx((2.0, 0.5, 0.5))
    assert volume.frame_rate_hz == pytest.approx(4.0)


def test_ome_tiff_with_a_time_a_plane(tmp_path, voxels) -> None:
    begun = [0.0, 300.0, 550.0, 900.0]  # ms; the planes of a frame follow each other
    about = {
        "axes": "TZYX",
        "Plane": {"DeltaT": [t + 20 * z for t in begun for z in range(3)], "DeltaTUnit": ["ms"] * 12},
    }
    path = save(tmp_path / "a.ome.tif", voxels, ome=True, metadata=about)
    volume = open_volume(path)
    np.testing.assert_allclose(volume.time_s, [0.0, 0.3, 0.55, 0.9])
    assert volume.frame_rate_hz == pytest.approx(1 / 0.3)
    labels = (voxels[0] > 2000).astype(np.uint16)
    traces = extract_traces(volume, labels, voxel_size_um=(1, 1, 1))
    np.testing.assert_allclose(traces["time"].values, [0.0, 0.3, 0.55, 0.9])
    assert open_volume(path, frame_rate_hz=5).time_s is None  # what is said wins
    about["Plane"]["DeltaT"] = [1.0] * 12  # a microscope that does not know
    assert open_volume(save(tmp_path / "b.ome.tif", voxels, ome=True, metadata=about)).time_s is None


def test_ome_tiff_channels_by_name(tmp_path, voxels) -> None:
    both = np.stack([voxels, voxels + 1], axis=1)
    path = save(
        tmp_path / "a.ome.tif",
        both,
        ome=True,
        metadata={"axes": "TCZYX", "Channel": {"Name": ["GCaMP", "RFP"]}},
        compression="zlib",
    )
    volume = open_volume(path, channel="RFP")
    assert volume.channels == ("GCaMP", "RFP")
    assert (volume.data.compute() == voxels + 1).all()


def test_imagej_hyperstack(tmp_path, voxels) -> None:
    both = np.stack([voxels, voxels + 1], axis=2)
    path = save(
        tmp_path / "a.tif",
        both,
        imagej=True,
        resolution=(4, 2),  # of x and of y, pixels a micrometre
        metadata={"axes": "TZCYX", "unit": "um", "spacing": 1.5, "finterval": 0.5},
    )
    volume = open_volume(path, channel=1)
    assert (volume.data.compute() == voxels + 1).all()
    assert volume.voxel_size_um == pytest.approx((1.5, 0.5, 0.25))
    assert volume.frame_rate_hz == pytest.approx(2.0)


def test_contiguous_tiff_is_mapped_not_loaded(tmp_path, voxels) -> None:
    path = save(tmp_path / "a.tif", voxels, metadata={"axes": "TZYX"})
    volume = open_volume(path)
    again = pickle.loads(pickle.dumps(volume.data))
    assert (again[1, 2].compute() == voxels[1, 2]).all()
    assert len(pickle.dumps(volume.data)) < 20_000
    assert volume.data.chunks[0] == (1, 1, 1, 1)


def test_compressed_tiff_can_be_sliced_and_pickled(tmp_path, voxels) -> None:
    path = save(tmp_path / "a.tif", voxels, metadata={"axes": "TZYX"}, compression="zlib")
    data = pickle.loads(pickle.dumps(open_volume(path).data))
    assert (data[1:3, ::2, 3:9, -4:].compute() == voxels[1:3, ::2, 3:9, -4:]).all()


def test_compressed_tiff_is_read_by_many_threads(tmp_path) -> None:
    data = np.random.default_rng(0).integers(0, 4000, (40, 3, 64, 64), dtype=np.uint16)
    path = save(tmp_path / "a.tif", data, metadata={"axes": "TZYX"}, compression="zlib")
    lazy = open_volume(path).data
    for _ in range(3):
        assert (lazy.compute(scheduler="threads", num_workers=8) == data).all()
