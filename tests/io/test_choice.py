"""Where a file leaves something open, the reader asks and says what can be chosen; a given option settles it."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import dask.array as da
import h5py
import numpy as np
import pytest
import tifffile
import zarr
from tests.io.ngff import write_multiscale

from napari_dynamic_connectome.io.axes import layer_array
from napari_dynamic_connectome.io.choice import ChoiceNeeded
from napari_dynamic_connectome.io.layer_data import read_layers
from napari_dynamic_connectome.io.registry import open_labels, open_volume
from napari_dynamic_connectome.model.errors import InputError

SHAPE = (4, 3, 16, 20)


def write_image(group: zarr.Group, data: np.ndarray, *, unit: str = "micrometer", clock: str = "second") -> None:
    """Write one image of NGFF 0.4 with the ome-zarr library."""
    from ome_zarr.format import FormatV04

    axes = [{"name": "t", "type": "time", "unit": clock}]
    axes += [{"name": a, "type": "space", "unit": unit} for a in "zyx"]
    write_multiscale([data], group, fmt=FormatV04(), axes=axes, scales=[[0.5, 2.0, 0.25, 0.25]])


def write_plate(path: Path, voxels: np.ndarray) -> None:
    from ome_zarr.format import FormatV04
    from ome_zarr.writer import write_plate_metadata, write_well_metadata

    root = zarr.open_group(str(path), mode="w", zarr_format=2)
    write_plate_metadata(root, ["A"], ["1", "2"], ["A/1", "A/2"], fmt=FormatV04())
    for index, name in enumerate(("1", "2")):
        well = root.require_group(f"A/{name}")
        write_well_metadata(well, ["0"], fmt=FormatV04())
        write_image(well.require_group("0"), voxels + index)


def test_an_image_of_a_plate_is_chosen(tmp_path, voxels) -> None:
    write_plate(tmp_path / "plate.zarr", voxels)
    with pytest.raises(ChoiceNeeded, match="holds 2 images") as caught:
        open_volume(tmp_path / "plate.zarr")
    assert (caught.value.option, caught.value.choices) == ("dataset", ("A/1/0", "A/2/0"))
    assert (open_volume(tmp_path / "plate.zarr", dataset="A/2/0").data.compute() == voxels + 1).all()
    assert (open_volume(tmp_path / "plate.zarr", dataset="A/1").data.compute() == voxels).all()
    assert read_layers(tmp_path / "plate.zarr", dataset="A/2/0")[0][1]["name"] == "plate A/2/0"


@pytest.mark.parametrize("packed", [False, True])
def test_the_series_of_bioformats2raw(tmp_path, voxels, packed) -> None:
    from ome_zarr.format import FormatV04
    from ome_zarr.writer import write_labels

    path = tmp_path / "series.zarr"
    root = zarr.open_group(str(path), mode="w", zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    image = root.require_group("0")
    write_image(image, voxels)
    labels = (voxels[0] > 2000).astype(np.uint16)
    axes = [{"name": a, "type": "space"} for a in "zyx"]
    write_labels(labels, image, "cells", axes=axes, fmt=FormatV04(), scale_factors=[])
    where = Path(shutil.make_archive(str(path), "zip", path)) if packed else path
    volume = open_volume(where)
    assert (volume.data.compute() == voxels).all()
    assert volume.voxel_size_um == (2.0, 0.25, 0.25)
    assert (open_labels(where).data.compute() == labels).all()
    assert [kind for _, _, kind in read_layers(where)] == ["image", "labels"]
    if not packed:
        write_image(root.require_group("1"), voxels + 7)
        with pytest.raises(ChoiceNeeded, match="dataset="):
            open_volume(where)
        assert (open_volume(where, dataset="1").data.compute() == voxels + 7).all()
        assert (open_labels(where, dataset="0").data.compute() == labels).all()


def test_an_unknown_unit_is_settled_by_giving_the_size(tmp_path, voxels) -> None:
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=2)
    write_image(group, voxels)
    held = dict(group.attrs)
    for axis in held["multiscales"][0]["axes"]:
        axis["unit"] = "fortnight" if axis["name"] == "t" else "furlong"
    group.attrs.update(held)
    with pytest.raises(InputError, match="voxel_size_um"):
        open_volume(tmp_path / "a.zarr", frame_rate_hz=3)
    with pytest.raises(InputError, match="frame_rate_hz"):
        open_volume(tmp_path / "a.zarr", voxel_size_um=(1, 1, 1))
    volume = open_volume(tmp_path / "a.zarr", voxel_size_um=(1, 2, 2), frame_rate_hz=3)
    assert (volume.voxel_size_um, volume.frame_rate_hz) == ((1, 2, 2), 3)
    about = {"axes": "TZYX", "unit": "furlong", "spacing": 1.0, "finterval": 1.0, "tunit": "fortnight"}
    tifffile.imwrite(tmp_path / "a.tif", voxels, imagej=True, resolution=(1, 1), metadata=about)
    with pytest.raises(InputError, match="furlong"):
        open_volume(tmp_path / "a.tif")
    assert open_volume(tmp_path / "a.tif", voxel_size_um=(1, 2, 2), frame_rate_hz=3).frame_rate_hz == 3


@pytest.mark.parametrize(
    ("unit", "clock", "size", "rate"),
    [("nanometer", "millisecond", 0.002, 2000.0), ("millimeter", "minute", 2000.0, 1 / 30), ("angstrom", "hour", 2e-4, 1 / 1800)],
)  # fmt: skip
def test_units_of_ome_zarr_are_converted(tmp_path, voxels, unit, clock, size, rate) -> None:
    write_image(zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=2), voxels, unit=unit, clock=clock)
    volume = open_volume(tmp_path / "a.zarr")
    assert volume.voxel_size_um == pytest.approx((size, size / 8, size / 8))
    assert volume.frame_rate_hz == pytest.approx(rate)


def test_one_of_several_datasets_is_chosen_under_one_name_in_every_format(tmp_path, voxels) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name in ("raw", "mask"):
            file.create_dataset(name, data=voxels).attrs["axes"] = "tzyx"
    np.savez(tmp_path / "a.npz", raw=voxels, mask=voxels)
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        for plus in (0, 5):
            tif.write(voxels + plus, photometric="minisblack", metadata={"axes": "TZYX"})
    for name, choices in (("a.h5", ("mask", "raw")), ("a.npz", ("raw", "mask"))):
        with pytest.raises(ChoiceNeeded) as caught:
            open_volume(tmp_path / name)
        assert (caught.value.option, caught.value.choices) == ("dataset", choices)
        assert open_volume(tmp_path / name, dataset="raw", axes="tzyx").shape == SHAPE
    assert (open_volume(tmp_path / "a.tif", dataset="1").data.compute() == voxels + 5).all()
    with pytest.raises(InputError, match="numbers"):
        open_volume(tmp_path / "a.tif", dataset="second")


def test_axes_are_asked_for_with_an_example(tmp_path, voxels) -> None:
    np.save(tmp_path / "a.npy", voxels)
    with pytest.raises(ChoiceNeeded) as caught:
        open_volume(tmp_path / "a.npy")
    assert (caught.value.option, caught.value.example) == ("axes", "tzyx")
    again = pickle.loads(pickle.dumps(caught.value))  # errors of worker processes
    assert str(again) == str(caught.value)


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr"])
def test_axes_of_open_layers_are_mapped_by_name_or_asked_for(tmp_path, voxels, kind) -> None:
    def held(data: np.ndarray) -> object:
        if kind == "numpy":
            return data
        if kind == "dask":
            return da.from_array(data, chunks=2)
        return zarr.create_array(tmp_path / f"{data.ndim}.zarr", data=data, chunks=(2,) * data.ndim, overwrite=True)

    both = np.stack([voxels, voxels + 1], axis=4).transpose(3, 0, 4, 1, 2)  # x, t, c, z, y
    names = ("x", "Time", "channel", "Z", "y")
    with pytest.raises(ChoiceNeeded) as caught:
        layer_array(held(both), names, "layer")
    assert (caught.value.option, caught.value.choices) == ("channel", ("0", "1"))
    found = layer_array(held(both), names, "layer", channel="1")
    assert found.shape == SHAPE
    np.testing.assert_array_equal(np.asarray(found[1:3]), voxels[1:3] + 1)
    with pytest.raises(ChoiceNeeded, match="what its axes are"):
        layer_array(held(both), ("-5", "-4", "-3", "-2", "-1"), "layer")
    asked = layer_array(held(both), ("-5", "-4", "-3", "-2", "-1"), "layer", axes="xtczy", channel=0)
    np.testing.assert_array_equal(np.asarray(asked[...]), voxels)
    labels = layer_array(held(voxels[0].transpose(2, 0, 1)), ("x", "z", "y"), "labels")
    np.testing.assert_array_equal(np.asarray(labels[...]), voxels[0])
    flat = layer_array(held(voxels[:, 0]), ("t", "y", "x"), "layer")
    assert flat.shape == (4, 1, 16, 20)
    plain = held(voxels)
    assert layer_array(plain, ("-4", "-3", "-2", "-1"), "layer") is plain


def test_options_that_do_not_apply_are_named(tmp_path, voxels) -> None:
    np.save(tmp_path / "a.npy", voxels)
    with pytest.raises(InputError, match=r"the option colour= does not apply to NumPy\. Known: axes, channel, dataset"):
        open_volume(tmp_path / "a.npy", axes="tzyx", colour="red")
    with pytest.raises(InputError, match="radius_um"):
        open_labels(tmp_path / "a.npy", axes="tzyx", radius_um=2)
