"""OME-Zarr volumes and labels, beside the reference library."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import zarr
from tests.io.ngff import ome_writer

from napari_dynamic_connectome.io.choice import ChoiceNeeded
from napari_dynamic_connectome.io.registry import identify, open_labels, open_volume
from napari_dynamic_connectome.io.volumes import omezarr, omezarr_write
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


def scaled(
    letters: str, *steps: tuple[str, list], units: dict[str, str] | None = None, asked: dict | None = None
) -> tuple[list[float], float]:
    """What the metadata say of sizes; steps of the image ("all") and of the array ("one")."""
    holders: dict[str, dict] = {
        k: {"coordinateTransformations": [{"type": "scale", "scale": s} for w, s in steps if w == k]}
        for k in ("all", "one")
    }
    holders["all"]["axes"] = [{"name": a, "unit": (units or {}).get(a)} for a in letters]
    return omezarr._scales(holders["all"], holders["one"], letters, "here", asked or {})


UM = {"z": "micrometer", "y": "micrometer", "x": "nanometer", "t": "millisecond"}


def test_sizes_and_rates_are_the_product_of_all_scales_in_their_units() -> None:
    size, rate = scaled("tczyx", ("all", [100, 1, 2, 1, 10]), ("one", [2, 1, 1, 0.5, 50]), units=UM)
    np.testing.assert_allclose(size, [2, 0.5, 0.5])
    assert rate == pytest.approx(5.0)
    size, rate = scaled("tyx", ("one", [250, 0.5, 500]), units=UM)
    np.testing.assert_allclose([*size, rate], [1.0, 0.5, 0.5, 4.0])  # a single plane gets a depth
    size, rate = scaled("yx", ("one", [1, 500]), units={"x": "nanometer"})
    assert np.isnan(size[0]) and np.isnan(size[1]) and size[2] == 0.5 and np.isnan(rate)
    size, rate = scaled("tzyx", units=UM)
    assert np.isnan(size).all() and np.isnan(rate)
    size, rate = scaled("zyx", ("one", [1, 2, 3]))
    assert np.isnan(size).all()
    with pytest.raises(InputError, match="'stone'"):
        scaled("zyx", ("one", [1, 2, 3]), units={"z": "stone"})
    assert np.isnan(
        scaled("zyx", ("one", [1, 2, 3]), units={"z": "stone", "y": "um"}, asked={"voxel_size_um": 1})[0][0]
    )
    for wrong in (
        [1, 2],
        [1, 2, 3, 4],
        [1, 0, 1],
        [1, -1, 1],
        [1, "a", 1],
        [1, float("inf"), 1],
        "abc",
        None,
        [10**400, 1, 1],
        [],
    ):
        with pytest.raises(FormatError, match="does not fit 3 axes"):
            scaled("zyx", ("one", wrong), units=UM)  # type: ignore[arg-type]
    odd = {
        "coordinateTransformations": [
            {"type": "translation", "translation": [1]},
            "x",
            {"type": "scale", "scale": [1, 2, 3]},
        ],
        "axes": ["z"],
    }
    size, _ = omezarr._scales({}, odd, "zyx", "here", {})
    assert np.isnan(size).all()  # no axes, so no units
    with pytest.raises(FormatError, match="coordinateTransformations in the metadata is '5', not a list"):
        omezarr._scales({}, {"coordinateTransformations": 5}, "zyx", "here", {})


def test_axes_of_ngff_06_are_those_that_the_datasets_lead_to() -> None:
    systems = [{"name": "a", "axes": ["A"]}, {"name": "b", "axes": ["B"]}, "odd"]
    step = {
        "type": "sequence",
        "output": {"name": "b"},
        "transformations": [{"type": "scale", "scale": [2]}, {"type": "translation"}],
    }
    scale = {"coordinateSystems": systems, "datasets": [{"path": "0", "coordinateTransformations": [step]}, "odd"]}
    got = omezarr._with_axes(scale, "here")
    assert got["axes"] == ["B"] and got["coordinateTransformations"] == []
    assert got["datasets"] == [{"path": "0", "coordinateTransformations": step["transformations"]}]
    named = omezarr._with_axes(
        scale | {"datasets": [{"coordinateTransformations": [{"type": "scale", "scale": [3], "output": "a"}]}]}, "here"
    )
    assert named["axes"] == ["A"] and named["datasets"][0]["coordinateTransformations"][0]["scale"] == [3]
    assert omezarr._with_axes(scale | {"datasets": [{}]}, "here")["axes"] == ["A"]
    for plain in ({"datasets": []}, scale | {"axes": ["x"]}):
        assert omezarr._with_axes(plain, "here") is plain
    with pytest.raises(FormatError, match="a transformation of the type 'affine'"):
        omezarr._with_axes(scale | {"datasets": [{"coordinateTransformations": [{"type": "affine"}]}]}, "here")


@pytest.mark.parametrize(
    ("ours", "times"),
    [
        ({}, None), ({"time_s": [0, 1, 3]}, [0, 1, 3]), ({"time_s": [0, 1]}, None), ({"time_start_s": 2, "frame_rate_hz": 2}, [2, 2.5, 3]), ({"time_start_s": 0, "frame_rate_hz": 2}, None),
        ({"time_start_s": 2, "frame_rate_hz": 0}, None), ({"time_start_s": 2}, None), ({"time_start_s": "2", "frame_rate_hz": 2}, None), ({"time_s": "abc"}, None), ({"time_start_s": -1.0, "frame_rate_hz": 1}, [-1, 0, 1]),
    ],
)  # fmt: skip
def test_times_of_frames_in_our_attributes(ours, times) -> None:
    got = omezarr._times(ours, (3, 5), "tx", "here")
    assert (None if got is None else got.tolist()) == times
    assert omezarr._times(ours, (3, 5), "yx", "here") is None
    with pytest.raises(FormatError, match="the time 'a' of a frame is not a number"):
        omezarr._times({"time_s": [0, "a", None]}, (3,), "t", "here")


def test_names_of_channels_and_labels_and_stimuli() -> None:
    assert omezarr._channel_names({"omero": {"channels": [{"label": "red"}, {}, 3]}}) == ["red", "1", "2"]
    for none in ({}, {"omero": 3}, {"omero": {}}, {"omero": {"channels": "x"}}):
        assert omezarr._channel_names(none) == []
    rows = [
        {"label-value": 4, "name": "AVAL", "k": 1},
        {"label-value": 7, "name": ""},
        {"label-value": 9, "name": 3},
        {"label-value": "x"},
        5,
    ]
    held = omezarr._label_properties({"image-label": {"properties": rows}}, "here", 3)
    assert held["names"] == {4: "AVAL"} and held["properties"]["label"].tolist() == [4, 7, 9]
    assert omezarr._label_properties({"image-label": {"properties": [{"label-value": 1}]}}, "here", 1)["names"] == {}
    for none in (
        {},
        {"image-label": 3},
        {"image-label": {}},
        {"image-label": {"properties": []}},
        {"image-label": {"properties": "x"}},
        {"image-label": {"properties": [5]}},
    ):
        assert omezarr._label_properties(none, "here", 3) == {}
    with pytest.raises(FormatError, match="3 labels are described for 2 voxels"):
        omezarr._label_properties({"image-label": {"properties": rows}}, "here", 2)
    with pytest.raises(FormatError, match="label 4 is described twice"):
        omezarr._label_properties({"image-label": {"properties": [rows[0], rows[0]]}}, "here", 9)
    assert omezarr._stimuli({"stimuli": [{"name": "a", "onset": 1, "offset": 2}]}, "here")["name"].tolist() == ["a"]
    for none in ({}, {"stimuli": []}, {"stimuli": "x"}, {"stimuli": [3]}):
        assert omezarr._stimuli(none, "here") is None


def group_at(path: Path, **attributes: object) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / "zarr.json").write_text(json.dumps({"zarr_format": 3, "node_type": "group", "attributes": attributes}))
    return path


def test_images_of_plates_wells_and_series_are_listed_in_order(tmp_path) -> None:
    image = {"ome": {"multiscales": [{}]}}
    plate = group_at(tmp_path / "p.zarr", plate={"wells": [{"path": "A/1"}, {"path": "B/2"}, 3, {"path": 4}]})
    group_at(plate / "A/1", well={"images": [{"path": "0"}, {"path": "1"}]})
    group_at(plate / "B/2", well={"images": []})
    assert omezarr._images_below(plate, "", omezarr.attributes(plate)) == ["A/1/0", "A/1/1"]
    assert omezarr._images_below(plate, "A/1", omezarr.attributes(plate, "A/1")) == ["A/1/0", "A/1/1"]
    with pytest.raises(ChoiceNeeded, match=r"holds 2 images.*one of: A/1/0, A/1/1\.") as asked:
        omezarr.only_image(plate)
    assert asked.value.choices == ("A/1/0", "A/1/1") and omezarr.only_image(plate, "B/2") is None
    series = group_at(tmp_path / "s.zarr")
    for name in ("10", "9", "b", "a", "x"):
        group_at(series / name, **({} if name == "x" else image))
    (series / "no group").mkdir()
    assert omezarr._group_names(series, "") == ["9", "10", "a", "b", "x"]
    assert omezarr._images_below(series, "", {}) == ["9", "10", "a", "b"]
    group_at(series / "OME", series=["a", "x", "9"])
    assert omezarr._images_below(series, "", {}) == ["a", "9"]
    single = group_at(tmp_path / "o.zarr")
    group_at(single / "in", **image)
    assert omezarr.only_image(single) == "in" and omezarr.only_image(single, "in") is None
    many = group_at(tmp_path / "m.zarr")
    for i in range(11):
        group_at(many / str(i), **image)
    with pytest.raises(ChoiceNeeded, match=r"8, 9, \.\.\.\."):
        omezarr.only_image(many)
    packed = tmp_path / "z.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("g/10/zarr.json", "g/9/.zgroup", "g/x/other", "g/9/0/.zarray", "zarr.json", "h/1/zarr.json"):
            archive.writestr(name, "{}")
    assert omezarr._group_names(packed, "g") == ["9", "10"] and omezarr._group_names(packed, "") == []


def test_labels_below_an_image_are_found_by_name(tmp_path) -> None:
    image = {"ome": {"multiscales": [{}]}}
    path = group_at(tmp_path / "i.zarr", **image)
    with pytest.raises(InputError, match="there are no labels in this OME-Zarr"):
        omezarr._find_labels(path, None, None)
    group_at(path / "labels", labels=["a"])
    assert omezarr._find_labels(path, None, None) == "labels/a" == omezarr._find_labels(path, "a", None)
    group_at(path / "labels", labels=["a", "b", "a"])
    assert (
        omezarr._listed_labels(path, "") == ["a", "b"]
        and omezarr.has_labels(path)
        and not omezarr.has_labels(path, "labels")
    )
    with pytest.raises(ChoiceNeeded, match="there are several labels") as asked:
        omezarr._find_labels(path, None, None)
    assert tuple(asked.value.choices) == ("a", "b")
    with pytest.raises(InputError, match=r"there are no labels 'c'.*Found: a, b"):
        omezarr._find_labels(path, "c", None)
    inner = group_at(tmp_path / "c.zarr")
    group_at(inner / "0", **image)
    group_at(inner / "0/labels", labels=["q"])
    assert omezarr._find_labels(inner, None, None) == "0/labels/q"
    own = group_at(tmp_path / "l.zarr", **{"image-label": {}})
    assert omezarr._find_labels(own, None, None) == "" and omezarr.is_labels(own) and not omezarr.is_labels(path)
    for name in ("my_labels", "Mask", "seg1"):
        assert omezarr._find_labels(group_at(tmp_path / f"{name}.zarr", **image), None, None) == ""
    assert omezarr._find_labels(group_at(tmp_path / "bare.zarr"), None, None) == ""
    with pytest.raises(InputError):
        omezarr._find_labels(tmp_path / "Mask.zarr", "a", None)


def test_attributes_of_every_version_and_what_is_none(tmp_path) -> None:
    path = group_at(tmp_path / "a.zarr", k=1, ome={"k": 2, "v": 3})
    assert omezarr.attributes(path) == {"k": 2, "v": 3, "ome": {"k": 2, "v": 3}}
    old = tmp_path / "b.zarr"
    (old / "g").mkdir(parents=True)
    (old / "g/.zattrs").write_text('{"k": 5, "ome": 3}')
    assert (
        omezarr.attributes(old, "g") == {"k": 5, "ome": 3}
        and omezarr.attributes(old) == {}
        and omezarr.attributes(old, "no") == {}
    )
    (old / ".zgroup").write_text("{}")
    assert omezarr.is_zarr(old) and not omezarr.is_zarr(tmp_path)
    for text, words in (
        ("[1]", "zarr.json does not hold an object"),
        ('{"attributes": 3}', "the attributes are not an object"),
    ):
        (path / "zarr.json").write_text(text)
        with pytest.raises(FormatError, match=words):
            omezarr.attributes(path)


def test_members_and_arrays_that_lead_out_are_refused(tmp_path) -> None:
    for name in ("/abs", "../x", "a/../../x", "\\x"):
        packed = tmp_path / "z.zip"
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(zipfile.ZipInfo(name), "x")
        with pytest.raises(FormatError, match="leads out of the archive"):
            omezarr._check_zip(packed)
        with pytest.raises(FormatError, match="leads out of the archive"):
            omezarr._array_name(packed, "", {"path": name.replace("\\", "/")}, "here")
    assert omezarr._array_name(packed, "g", {"path": "0"}, "here") == "g/0"
    folder = group_at(tmp_path / "f.zarr")
    (folder / "0").mkdir()
    assert omezarr._array_name(folder, "", {"path": "0"}, "here") == "0"
    for item, words in (
        ({"path": "1"}, "the array '1' that the metadata names is not there"),
        ({"path": ""}, "has no path"),
        ({"path": 3}, "has no path"),
        ("x", "has no path"),
    ):
        with pytest.raises(FormatError, match=words):
            omezarr._array_name(folder, "", item, "here")


def test_arrays_without_metadata_of_scales(tmp_path) -> None:
    path = tmp_path / "p.zarr"
    root = zarr.open_group(path, mode="w")
    with pytest.raises(FormatError, match="this zarr group holds no image"):
        open_volume(path)
    root.create_array("a", shape=(4, 3, 5, 6), chunks=(1, 3, 5, 6), dtype="u2", dimension_names=["t", "z", "y", "x"])[
        ...
    ] = 3
    held = open_volume(path)
    assert held.data.shape == (4, 3, 5, 6) and int(held.data.max().compute()) == 3
    root.create_array("b", shape=(4, 3, 5, 6), chunks=(1, 3, 5, 6), dtype="u2")[...] = 1
    with pytest.raises(ChoiceNeeded, match=r"several arrays and no multiscales.*one of: a, b") as asked:
        open_volume(path)
    assert tuple(asked.value.choices) == ("a", "b")
    assert int(open_volume(path, dataset="b", axes="tzyx").data.max().compute()) == 1


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("static", [True, False])
def test_labels_of_a_volume_keep_its_sizes_rate_and_names_unless_others_are_given(tmp_path, version, static) -> None:
    values = np.zeros(SHAPE[1:] if static else SHAPE, np.uint8)
    values[..., 0, 0], values[..., 0, 1] = 3, 7
    sizes = {"voxel_size_um": (2.0, 0.5, 0.25), "frame_rate_hz": None if static else 5.0}
    first = omezarr_write.write_labels(
        tmp_path / "a.zarr", values, **sizes, names={3: "AVAL", 9: "RIB"}, version=version
    )
    held = open_labels(first)
    axes = "zyx" if static else "tzyx"
    again = open_labels(omezarr_write.write_labels(tmp_path / "b.zarr", held, version=version))
    assert again.voxel_size_um == held.voxel_size_um == (2.0, 0.5, 0.25) and again.names == held.names == {3: "AVAL"}
    assert again.reference.axes == held.reference.axes == axes and again.dtype == held.dtype == np.uint8
    assert static or again.frame_rate_hz == held.frame_rate_hz == 5.0
    assert (again.data.compute() == values).all()
    more = {"voxel_size_um": (1.0, 2.0, 3.0), "names": {7: "RMEV"}} | ({} if static else {"frame_rate_hz": 2.0})
    other = open_labels(omezarr_write.write_labels(tmp_path / "c.zarr", held, **more, version=version))
    assert other.voxel_size_um == (1.0, 2.0, 3.0) and other.names == {7: "RMEV"}
    assert static or other.frame_rate_hz == 2.0
    root = zarr.open_group(tmp_path / "c.zarr", mode="r")
    block = (root.attrs["ome"] if version == "0.5" else root.attrs)["image-label"]
    assert block == {
        "version": version,
        "properties": [{"label-value": 3, "name": ""}, {"label-value": 7, "name": "RMEV"}],
    }
    image = (root.attrs["ome"] if version == "0.5" else root.attrs)["multiscales"][0]
    assert [one["name"] for one in image["axes"]] == list(axes)
    assert root["0"].chunks == (values.shape if static else (1, *SHAPE[1:])) and root["0"].dtype == np.uint8


@pytest.mark.parametrize(("given", "stored"), [("int8", "uint8"), ("int32", "uint32"), ("uint64", "uint64")])
def test_labels_are_stored_without_a_sign_in_as_many_bytes(tmp_path, given: str, stored: str) -> None:
    path = omezarr_write.write_labels(tmp_path / "l.zarr", np.full(SHAPE[1:], 5, given))
    assert zarr.open_group(path, mode="r")["0"].dtype == stored and (open_labels(path).data.compute() == 5).all()


def test_labels_need_axes_that_fit(tmp_path) -> None:
    for shape, axes in (((2, 3), None), ((2, 3, 4), "xyz"), ((2, 3, 4), "tzyx"), ((1, 1, 2, 3, 4), None)):
        with pytest.raises(InputError, match="do not fit shape"):
            omezarr_write.write_labels(tmp_path / "l.zarr", np.zeros(shape, np.uint8), axes)
    assert list(tmp_path.iterdir()) == []
    path = omezarr_write.write_labels(tmp_path / "l.zarr", np.ones((2, 3, 4), np.uint8), "tyx")
    assert zarr.open_group(path, mode="r")["0"].chunks == (1, 3, 4)
