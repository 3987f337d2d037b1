"""HDF5 volumes."""

from __future__ import annotations

import pickle

import h5py
import pytest

from napari_dynamic_connectome.io.registry import open_volume
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
