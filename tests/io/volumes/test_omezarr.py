"""OME-Zarr volumes and labels, beside the reference library."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import zarr
from tests.io.ngff import ome_writer

from napari_dynamic_connectome.io.registry import identify, open_labels, open_volume
from napari_dynamic_connectome.io.volumes import omezarr_write
from napari_dynamic_connectome.io.volumes.omezarr import ZarrArray, missing_chunks
from napari_dynamic_connectome.model.errors import FormatError, InputError

SHAPE = (4, 3, 16, 20)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr_of_the_reference_library(tmp_path, voxels, version) -> None:
    path = tmp_path / "a.zarr"
    ome_writer(path, voxels, "tzyx", version)
    assert identify(path).key == "omezarr"
    volume = open_volume(path)
    assert (volume.data.compute() == voxels).all()
    assert volume.voxel_size_um == (2.0, 0.5, 0.5)
    assert volume.frame_rate_hz == 4.0
    assert volume.reference.axes == "tzyx"
    assert [level.shape for level in volume.levels] == [(4, 3, 8, 10)]
    assert isinstance(volume.data, da.Array)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr_channels(tmp_path, voxels, version) -> None:
    both = np.stack([voxels, voxels[::-1]], axis=1)
    path = tmp_path / "a.zarr"
    ome_writer(path, both, "tczyx", version, levels=1)
    assert open_volume(path).channels == ("0", "1")
    assert (open_volume(path, channel=1).data.compute() == voxels[::-1]).all()
    with pytest.raises(InputError, match="no channel '2'"):
        open_volume(path, channel=2)


def test_ome_zarr_without_units_does_not_invent_a_size(tmp_path, voxels) -> None:
    path = tmp_path / "a.zarr"
    ome_writer(path, voxels, "tzyx", "0.4", units=False)
    volume = open_volume(path)
    assert np.isnan(volume.voxel_size_um).all() and np.isnan(volume.frame_rate_hz)
    assert open_volume(path, voxel_size_um=(1, 2, 3), frame_rate_hz=5).voxel_size_um == (1, 2, 3)


def test_ome_zarr_zip_and_plain_array(tmp_path, voxels) -> None:
    import shutil

    path = tmp_path / "a.zarr"
    ome_writer(path, voxels, "tzyx", "0.5")
    packed = shutil.make_archive(str(tmp_path / "b.zarr"), "zip", path)
    assert (open_volume(packed).data.compute() == voxels).all()
    zarr.create_array(str(tmp_path / "c.zarr"), data=voxels, dimension_names=["t", "z", "y", "x"])
    assert (open_volume(tmp_path / "c.zarr").data.compute() == voxels).all()
    zarr.create_array(str(tmp_path / "d.zarr"), data=voxels)
    with pytest.raises(InputError, match="axes='tzyx'"):
        open_volume(tmp_path / "d.zarr")
    assert (open_volume(tmp_path / "d.zarr", axes="tzyx").data.compute() == voxels).all()


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_what_we_write_is_read_by_the_reference_library(tmp_path, voxels, version) -> None:
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader

    path = tmp_path / "a.zarr"
    array = omezarr_write.create_volume(
        path, SHAPE, voxel_size_um=(2, 0.5, 0.5), frame_rate_hz=4, version=version, channels=()
    )
    array[...] = voxels
    labels = omezarr_write.create_labels(
        path,
        SHAPE[1:],
        "zyx",
        voxel_size_um=(2, 0.5, 0.5),
        version=version,
        properties=[{"label-value": 3, "name": "AVAL"}],
    )
    labels[...] = 3
    nodes = list(Reader(parse_url(path))())
    assert (np.asarray(nodes[0].data[0]) == voxels).all()
    assert [a["name"] for a in nodes[0].metadata["axes"]] == list("tzyx")
    assert nodes[0].metadata["coordinateTransformations"][0][0]["scale"] == [0.25, 2.0, 0.5, 0.5]
    assert any("labels" in str(n.zarr) and (np.asarray(n.data[0]) == 3).all() for n in nodes[1:] if n.data)
    held = open_labels(path)
    assert held.names == {3: "AVAL"} and held.data.shape == SHAPE[1:]
    assert held.voxel_size_um == (2.0, 0.5, 0.5)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("static", [True, False])
def test_labels_round_trip(tmp_path, version, static) -> None:
    labels = np.random.default_rng(1).integers(0, 9, SHAPE[1:] if static else SHAPE).astype(np.int32)
    path = omezarr_write.write_labels(
        tmp_path / "l.zarr", labels, voxel_size_um=(2, 1, 1), names={2: "AVAL"}, version=version
    )
    held = open_labels(path)
    assert (held.data.compute() == labels).all()
    assert held.dtype == np.uint32
    assert held.names == {2: "AVAL"}
    assert held.properties is not None and set(held.properties["label"]) == set(range(1, 9))
    with pytest.raises(InputError, match="already"):
        omezarr_write.write_labels(path, labels)
    omezarr_write.write_labels(path, labels * 2, overwrite=True)
    assert (open_labels(path).data.compute() == labels * 2).all()


def test_an_image_is_not_taken_for_labels(tmp_path, voxels) -> None:
    ome_writer(tmp_path / "worm.zarr", voxels, "tzyx", "0.4")
    with pytest.raises(InputError, match="no labels"):
        open_labels(tmp_path / "worm.zarr")
    assert open_labels(tmp_path / "worm.zarr", group="").data.shape == SHAPE
    ome_writer(tmp_path / "worm_labels.zarr", voxels, "tzyx", "0.4")
    assert open_labels(tmp_path / "worm_labels.zarr").data.shape == SHAPE


def test_labels_that_cannot_be_written_leave_nothing(tmp_path) -> None:
    labels = np.zeros(SHAPE, np.int16)
    labels[3, 0, 0, 0] = -1
    with pytest.raises(InputError, match="negative"):
        omezarr_write.write_labels(tmp_path / "l.zarr", labels)
    assert list(tmp_path.iterdir()) == []


def test_attributes_of_the_rendered_volume(tmp_path, voxels) -> None:
    path = tmp_path / "a.zarr"
    ome_writer(path, voxels, "tzyx", "0.4")
    held = json.loads((path / ".zattrs").read_text())
    held["dynamic_connectome"] = {"time_s": [0, 1, 2, 4], "stimuli": [{"name": "NaCl", "onset": 1, "offset": 2}]}
    (path / ".zattrs").write_text(json.dumps(held))
    volume = open_volume(path)
    assert volume.time_s.tolist() == [0, 1, 2, 4]
    assert volume.stimuli["name"].tolist() == ["NaCl"]


@pytest.mark.parametrize(
    ("place", "value", "what"),
    [
        (("multiscales", 0, "axes"), -1, "axes in the metadata"),
        (("multiscales", 0, "axes"), {"name": "t"}, "axes in the metadata"),
        (("multiscales", 0, "coordinateTransformations"), 3.5, "coordinateTransformations in the metadata"),
        (("multiscales", 0, "datasets", 0, "coordinateTransformations"), True, "coordinateTransformations in the"),
        (("multiscales", 0, "datasets", 0, "coordinateTransformations", 0, "scale", 0), 10**400, "does not fit 4 axes"),
        (("multiscales", 0, "datasets", 0, "path"), "0\0", "no path"),
        (("dynamic_connectome",), {"time_s": [0, 1, "late", 3]}, "'late' of a frame"),
        (("dynamic_connectome",), {"time_s": [0, 1, None, 3]}, "'None' of a frame"),
        (
            ("dynamic_connectome",),
            {"stimuli": [{"name": "a", "onset": "soon", "offset": 1}]},
            "an onset of a stimulus is not a number",
        ),
    ],
)
def test_metadata_of_another_kind_than_expected_is_refused(tmp_path, place, value, what) -> None:
    path = tmp_path / "a.zarr"
    omezarr_write.create_volume(path, SHAPE, "tzyx", voxel_size_um=(2, 1, 1), frame_rate_hz=2, version="0.4")
    _set(path / ".zattrs", place, value)
    with pytest.raises(InputError, match=what) as caught:
        open_volume(path)
    assert str(path) in caught.value.where and caught.value.fix


@pytest.mark.parametrize(
    ("place", "value"),
    [(("omero",), {"channels": 7}), (("image-label",), {"properties": [[[]], {"label-value": "1"}]})],
)
def test_metadata_that_only_describes_is_left_out_if_it_is_of_another_kind(tmp_path, place, value) -> None:
    path = tmp_path / "a.zarr"
    omezarr_write.create_labels(path, SHAPE[1:], "zyx", voxel_size_um=(2, 1, 1), version="0.4", image=False)
    _set(path / ".zattrs", place, value)
    assert open_labels(path, group="").data.shape == SHAPE[1:]


def _set(file, place, value) -> None:
    """Put a value into JSON."""
    body = json.loads(file.read_text())
    holder = body
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    file.write_text(json.dumps(body))


def as_06(path: Path, steps: list[dict]) -> Path:
    """An image in the metadata of NGFF 0.6, as ngff-zarr 0.50 writes it."""
    import zarr

    root = zarr.open_group(path, mode="w", zarr_format=3)
    root.create_array("scale0/worm", data=np.arange(2 * 3 * 4 * 5, dtype=np.uint16).reshape(2, 3, 4, 5))
    axes = [{"name": "t", "type": "time", "unit": "second"}]
    axes += [{"name": n, "type": "space", "unit": "micrometer"} for n in "zyx"]
    place = {"path": "scale0/worm"}
    step = {"input": place, "output": {"name": "intrinsic"}, "type": "sequence", "transformations": steps}
    systems = [{"name": "other", "axes": axes[::-1]}, {"name": "intrinsic", "axes": axes}]
    datasets = [{**place, "coordinateTransformations": [step]}]
    root.attrs["ome"] = {"version": "0.6", "multiscales": [{"coordinateSystems": systems, "datasets": datasets}]}
    return path


def test_images_of_ngff_06_have_axes_scale_and_units(tmp_path) -> None:
    moved = [{"type": "scale", "scale": [0.5, 2.0, 0.4, 0.3]}, {"type": "translation", "translation": [0, 1, 0, 5]}]
    volume = open_volume(as_06(tmp_path / "a.zarr", moved))
    assert volume.reference.axes == "tzyx" and volume.voxel_size_um == (2.0, 0.4, 0.3)
    assert volume.frame_rate_hz == 2.0 and volume.shape == (2, 3, 4, 5)
    turned = [*moved, {"type": "rotation", "rotation": np.eye(4).tolist()}]
    with pytest.raises(FormatError, match="type 'rotation'"):
        open_volume(as_06(tmp_path / "b.zarr", turned))


BOXES = [
    (),
    ...,
    2,
    -1,
    slice(1, 4),
    (slice(None), 3),
    (..., 5),
    (1, ..., slice(2, 6)),
    (slice(0, 5, 2), ..., slice(None)),
    (4, 6, 5),
    (slice(None), slice(1, 7, 3), slice(0, 1)),
    (0, ...),
    (slice(2, 2), 0),
    (slice(None), slice(None), slice(None)),
    (slice(None), slice(None), slice(None), ...),
]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "float32"])
@pytest.mark.parametrize("kind", ["v2", "v3", "shards", "zip"])
def test_any_part_of_an_array_has_no_values_where_its_chunks_are_lost(tmp_path, kind: str, dtype: str) -> None:
    path = tmp_path / "a"
    values = (1 + np.arange(5 * 7 * 6).reshape(5, 7, 6) % 200).astype(dtype)
    stored = (2, 6, 4) if kind == "shards" else (2, 3, 4)
    root = zarr.open_group(path, mode="w", zarr_format=2 if kind == "v2" else 3)
    more = {"shards": stored} if kind == "shards" else {}
    array = root.create_array("0", shape=values.shape, chunks=(2, 3, 4), dtype=dtype, **more)
    array[...] = values
    assert missing_chunks(path, ZarrArray(str(path), "0")).shape == (0, 3)
    lost = [(0, 0, 0), (1, 1, 1), (2, 0, 1)]
    expected = values.astype(np.float32 if values.itemsize <= 2 else np.float64)
    for place in lost:
        (path / "0" / array.metadata.encode_chunk_key(place)).unlink()
        expected[tuple(slice(p * s, (p + 1) * s) for p, s in zip(place, stored, strict=True))] = np.nan
    if kind == "zip":
        import shutil

        path = Path(shutil.make_archive(str(tmp_path / "b.zarr"), "zip", path))
    plain = ZarrArray(str(path), "0")
    holes = missing_chunks(path, plain)
    assert [tuple(h) for h in holes.tolist()] == lost
    got = pickle.loads(pickle.dumps(ZarrArray(str(path), "0", holes)))
    assert got.dtype == expected.dtype and got.shape == (5, 7, 6)
    for box in BOXES:
        np.testing.assert_array_equal(got[box], expected[box], err_msg=str(box))
        np.testing.assert_array_equal(plain[box], np.where(np.isnan(expected), 0, values)[box], err_msg=str(box))
