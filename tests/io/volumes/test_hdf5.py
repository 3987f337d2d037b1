"""HDF5 volumes."""

from __future__ import annotations

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from napari_dynamic_connectome.io.registry import open_volume
from napari_dynamic_connectome.io.volumes import hdf5
from napari_dynamic_connectome.model.errors import InputError

SHAPE = (4, 3, 16, 20)


def test_hdf5_by_labels_attributes_or_asked(tmp_path, voxels) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset(
            "images/raw", data=voxels.transpose(0, 3, 2, 1), chunks=(1, 20, 16, 3), compression="gzip"
        )
        for dim, name in zip(data.dims, "txyz", strict=True):
            dim.label = name
        data.attrs["element_size_um"] = [2.0, 0.5, 0.5]
    volume = open_volume(path)
    assert (volume.data.compute() == voxels).all()
    assert volume.voxel_size_um == (2.0, 0.5, 0.5)
    assert (pickle.loads(pickle.dumps(volume.data))[2].compute() == voxels[2]).all()
    path = tmp_path / "b.h5"
    with h5py.File(path, "w") as file:
        file["raw"], file["other"] = voxels, voxels
    with pytest.raises(InputError, match="dataset="):
        open_volume(path)
    assert (open_volume(path, dataset="other", axes="tzyx").data.compute() == voxels).all()


@pytest.mark.parametrize("mode", ["r", "r+"])
@pytest.mark.parametrize("locking", [None, False, True])
def test_a_file_that_is_open_elsewhere_in_the_process_is_read(tmp_path: Path, mode: str, locking: bool | None) -> None:
    path = tmp_path / "shared.h5"
    voxels = np.arange(2 * 3 * 4 * 5, dtype=np.uint16).reshape(2, 3, 4, 5)
    with h5py.File(path, "w") as file:
        file["voxels"] = voxels
    with h5py.File(path, mode, locking=locking), hdf5.opened(path) as file:
        np.testing.assert_array_equal(file["voxels"][()], voxels)
