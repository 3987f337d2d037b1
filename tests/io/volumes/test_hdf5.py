"""HDF5 volumes."""

from __future__ import annotations

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from napari_dynamic_connectome.io import limits
from napari_dynamic_connectome.io.choice import ChoiceNeeded
from napari_dynamic_connectome.io.registry import open_volume
from napari_dynamic_connectome.io.volumes import hdf5
from napari_dynamic_connectome.io.volumes.hdf5 import image_datasets
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


def test_images_are_the_datasets_of_numbers_with_three_or_more_axes_that_lie_in_the_file(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(limits, "MAX_NESTING", 3)
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for n_axes in range(6):
            file[f"axes/{n_axes}"] = np.zeros((2,) * n_axes, np.uint8)
        for kind in ("?", "i2", ">u4", "f4", "c8", "S3"):
            file[f"kind/{np.dtype(kind).name}"] = np.zeros((1, 2, 3), kind)
        file["kind/compound"] = np.zeros((1, 2, 3), [("a", "f4")])
        file["empty"] = h5py.Empty("f4")
        file["z"] = np.zeros((0, 4, 4), np.int8)
        file["b/c/d/kept"] = file["b/c/d/e/too deep"] = np.zeros((3, 2, 1), np.uint16)
        file["soft"] = h5py.SoftLink("/z")
        file["outside"] = h5py.ExternalLink("other.h5", "/x")
    with h5py.File(path) as file:
        found = image_datasets(file)
    assert found == {
        "axes/3": (2, 2, 2),
        "axes/4": (2, 2, 2, 2),
        "axes/5": (2, 2, 2, 2, 2),
        "b/c/d/kept": (3, 2, 1),
        "kind/bool": (1, 2, 3),
        "kind/float32": (1, 2, 3),
        "kind/int16": (1, 2, 3),
        "kind/uint32": (1, 2, 3),
        "z": (0, 4, 4),
    }
    assert list(found) == sorted(found)


def test_one_image_is_found_among_tables_and_several_are_asked_about(tmp_path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["table"] = np.zeros((4, 5))
        file["group/stack"] = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    volume = open_volume(path, axes="zyx")
    assert volume.data.compute().ravel().tolist() == list(range(24))
    path = tmp_path / "b.h5"
    with h5py.File(path, "w") as file:
        file["group/stack"] = np.zeros((2, 3, 4), np.uint8)
        file["more"] = np.ones((2, 3, 4), np.uint8)
    with pytest.raises(ChoiceNeeded) as asked:
        open_volume(path, axes="zyx")
    assert asked.value.option == "dataset" and asked.value.choices == ("group/stack", "more")
    assert open_volume(path, axes="zyx", dataset="more").data.compute().all()
    path = tmp_path / "c.h5"
    with h5py.File(path, "w") as file:
        file["table"] = np.zeros((4, 5))
    with pytest.raises(InputError, match="0 datasets of 3 or more axes"):
        open_volume(path, axes="zyx")


TAGS = '{"axes": [{"key": "t"}, {"key": "y"}, {"key": "x"}]}'


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ({}, None),
        ({"axes": "tyx"}, ["t", "y", "x"]),
        ({"axes": b"tyx"}, ["t", "y", "x"]),
        ({"axis_order": ["t", "y", "x"]}, ["t", "y", "x"]),
        ({"DIMENSION_LABELS": ["t", "y", "x"]}, ["t", "y", "x"]),
        ({"DIMENSION_LABELS": ["", "y", ""], "axes": "zyx"}, ["?", "y", "?"]),
        ({"DIMENSION_LABELS": ["", "", ""], "axes": "zyx"}, ["z", "y", "x"]),
        ({"axes": "zyx", "axis_order": "tyx"}, ["z", "y", "x"]),
        ({"axistags": TAGS}, ["t", "y", "x"]),
        ({"axistags": TAGS.encode()}, ["t", "y", "x"]),
        ({"axistags": TAGS, "axes": "zyx"}, ["z", "y", "x"]),
        ({"axistags": "{"}, None),
        ({"axistags": "[3]"}, None),
        ({"axistags": '{"axes": [{}]}'}, None),
        ({"axistags": 3}, None),
    ],
)
def test_axes_stand_in_attributes_unless_the_dimensions_are_labelled(tmp_path, held, expected) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.zeros((2, 2, 2), np.uint8)
        file["x"].attrs.update(held)
        assert hdf5._axes(file["x"]) == expected
        if "DIMENSION_LABELS" not in held:
            file["x"].dims[1].label = "y"
            assert hdf5._axes(file["x"]) == ["?", "y", "?"]


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ({}, None),
        ({"element_size_um": (2.0, 0.5, 0.25)}, [2.0, 0.5, 0.25]),
        ({"element_size_um": (2.0, 0.5)}, None),
        ({"voxel_size": (2000, 500, 250), "unit": "nm"}, [2.0, 0.5, 0.25]),
        ({"voxel_size": (2000, 500, 250), "unit": b"nm"}, [2.0, 0.5, 0.25]),
        ({"voxel_size": (2.0, 0.5, 0.25)}, None),
        ({"voxel_size": (2.0, 0.5), "unit": "um"}, None),
        ({"unit": "um"}, None),
        ({"voxel_size": (9, 9, 9), "unit": "um", "element_size_um": (2.0, 0.5, 0.25)}, [2.0, 0.5, 0.25]),
    ],
)
def test_sizes_of_voxels_are_taken_where_number_and_unit_are_known(tmp_path, held, expected) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.zeros((2, 2, 2), np.uint8)
        file["x"].attrs.update(held)
        got = hdf5._element_size(file["x"], "here", None)
    np.testing.assert_allclose(got, [np.nan] * 3 if expected is None else expected)


@pytest.mark.parametrize("name", ["scalar", "texts", "complex", "compound", "group", "none", "empty"])
def test_a_dataset_that_is_asked_for_and_holds_no_voxels_is_refused(tmp_path, name: str) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["image"] = np.zeros((2, 3, 4), np.uint8)
        file["scalar"] = 3
        file["texts"] = np.zeros((2, 3, 4), "S2")
        file["complex"] = np.zeros((2, 3, 4), complex)
        file["compound"] = np.zeros((2, 3, 4), [("a", "f4")])
        file["group/x"] = np.zeros((2, 3, 4))
        file["empty"] = h5py.Empty("f4")
    said = f"there is no dataset '{name}'" if name in ("group", "none") else f"'{name}' is of type .*, not voxels"
    with pytest.raises(InputError, match=said):
        open_volume(tmp_path / "a.h5", dataset=name, axes="zyx")
