"""TIFF volumes from other writers."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from napari_dynamic_connectome.extraction.extract import extract_traces
from napari_dynamic_connectome.io.choice import ChoiceNeeded
from napari_dynamic_connectome.io.registry import open_labels, open_volume
from napari_dynamic_connectome.io.volumes import tiff
from napari_dynamic_connectome.model.errors import FormatError, InputError

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


def test_imagej_says_the_unit_of_z_where_it_is_another(tmp_path, voxels) -> None:
    said = {"axes": "TZYX", "unit": "um", "zunit": "nm", "spacing": 1500}
    path = save(tmp_path / "a.tif", voxels, imagej=True, resolution=(4, 2), metadata=said)
    assert open_volume(path).voxel_size_um == pytest.approx((1.5, 0.5, 0.25))


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


BOXES: tuple = (
    (), 1, -1, slice(None), slice(1, 3), (slice(None), 0), (2, slice(1, None)), (0, 1, 2), (slice(0, 2), slice(None), slice(2, 9, 3)),
    (1, 0, slice(None), 4), (slice(0, 0),), (slice(None, None, 2), -1, slice(3), slice(1, 2)),
)  # fmt: skip


def pages_of(path: Path, kind: str, data: np.ndarray) -> object:
    """A stack of one of the three kinds that holds these voxels (t, z, y, x)."""
    if kind == "pages":
        return tiff.TiffStack(str(save(path, data, compression="zlib", metadata={"axes": "TZYX"})), 0)
    if kind == "images":
        with tifffile.TiffWriter(path) as writer:
            for image in data:
                writer.write(image, photometric="minisblack", contiguous=False)
        return tiff.PageStack(str(path), len(data), data.shape[1:], data.dtype)
    save(path, data, metadata={"axes": "TZYX"})
    with tifffile.TiffFile(path) as file:
        offset = file.series[0].dataoffset
    return tiff.MappedStack(str(path), offset, data.dtype.str, data.shape)


@pytest.mark.parametrize("kind", ["pages", "images", "mapped"])
def test_every_box_of_every_kind_of_stack_is_that_of_the_array(tmp_path, kind: str) -> None:
    data = np.random.default_rng(0).integers(0, 999, (4, 3, 6, 8)).astype(np.uint16)
    stack = pages_of(tmp_path / "a.tif", kind, data)
    for stored in (stack, pickle.loads(pickle.dumps(stack))):
        assert stored.shape == data.shape and stored.dtype == data.dtype and stored.ndim == 4
        for box in BOXES:
            if kind != "mapped" and box in ((), (slice(0, 0),)):
                continue
            got = stored[box]
            assert got.shape == data[box].shape, box
            np.testing.assert_array_equal(got, data[box])
    if kind == "pages":
        assert stack.chunks == (1, 3, 6, 8) and stack.n_pages == 12 and stack.page_shape == (6, 8)
        flat = tiff.TiffStack(str(save(tmp_path / "f.tif", data[0], compression="zlib", metadata={"axes": "ZYX"})), 0)
        assert flat.chunks == (1, 6, 8)
        one = tiff.TiffStack(str(save(tmp_path / "o.tif", data[0, 0], compression="zlib", metadata={"axes": "YX"})), 0)
        assert one.chunks == (6, 8)
        np.testing.assert_array_equal(one[1:3, 2], data[0, 0, 1:3, 2])
        stack.page_shape, stack.shape = (1000, 1000), (2, 32, 1000, 1000)
        assert stack.chunks == (1, 32, 1000, 1000)  # 64 MB
        stack.shape = (2, 33, 1000, 1000)
        assert stack.chunks == (1, 1, 1000, 1000)
    if kind == "images":
        assert stack.chunks == (1, 3, 6, 8)
        with pytest.raises(FormatError, match="12 planes for 5 images"):
            tiff.PageStack(str(tmp_path / "a.tif"), 5, (3, 6, 8), data.dtype)


def images(path: Path, *data: np.ndarray, **options: object) -> Path:
    with tifffile.TiffWriter(path, **options) as writer:
        for image in data:
            writer.write(image, photometric="minisblack", contiguous=False)
    return path


def test_images_of_one_shape_are_frames_where_the_axes_say_so(tmp_path) -> None:
    data = np.arange(4 * 3 * 5 * 6, dtype=np.uint16).reshape(4, 3, 5, 6)
    path = images(tmp_path / "a.tif", *data)
    with pytest.raises(
        ChoiceNeeded, match=r"4 images of shape \(3, 5, 6\), .*\(4, 3, 5, 6\), are: .*axes='tzyx'"
    ) as asked:
        open_volume(path)
    assert asked.value.option == "axes" and asked.value.example == "tzyx"
    for axes in ("tzyx", "zyx"):
        np.testing.assert_array_equal(open_volume(path, axes=axes).data.compute(), data)
    np.testing.assert_array_equal(np.squeeze(open_volume(path, dataset="2", axes="zyx").data.compute()), data[2])
    flat = images(tmp_path / "b.tif", *data[:, 0])
    with pytest.raises(ChoiceNeeded, match="axes='zyx'"):
        open_volume(flat)
    assert np.squeeze(open_volume(flat, axes="zyx").data.compute()).shape == (4, 5, 6)
    assert np.squeeze(open_volume(flat, axes="tyx").data.compute()).shape == (4, 5, 6)
    deep = images(tmp_path / "c.tif", *[np.stack([data, data])] * 2)
    with pytest.raises(ChoiceNeeded, match="axes='tczyx'"):
        open_volume(deep)


@pytest.mark.parametrize("other", [np.ones((3, 5, 7), np.uint16), np.ones((3, 5, 6), np.uint8)])
def test_images_that_differ_are_to_be_chosen_from(tmp_path, other: np.ndarray) -> None:
    first = np.ones((3, 5, 6), np.uint16)
    with pytest.raises(ChoiceNeeded, match=r"holds 2 images.*dataset= one of 0 \(3, 5, 6\), 1 \(3, 5, .\)\.") as asked:
        open_volume(images(tmp_path / "a.tif", first, other))
    assert asked.value.choices == ("0", "1") and asked.value.option == "dataset"
    many = images(tmp_path / "b.tif", *[first] * 10, other)
    with pytest.raises(ChoiceNeeded, match=r"9 \(3, 5, 6\), \.\.\.\."):
        open_volume(many)
    with pytest.raises(ChoiceNeeded, match=r"9 \(3, 5, .\)\.$|9 \(3, 5, .\)\. "):
        open_volume(images(tmp_path / "c.tif", *[first] * 9, other))
    assert open_volume(many, dataset="10", axes="zyx").data.dtype == other.dtype
    for wrong in (11, -1):
        with pytest.raises(InputError, match=f"there is no image {wrong}. There are 11"):
            tiff.open_stored(many, wrong, {})


def test_a_list_of_pages_that_leads_back_or_is_too_long_is_refused(tmp_path, monkeypatch) -> None:
    path = images(tmp_path / "a.tif", *np.ones((5, 4, 4), np.uint8))
    with tifffile.TiffFile(path) as file:
        tiff._check_pages(file, "here")
        offsets = [page.offset for page in file.pages]
        tags = [len(page.tags) for page in file.pages]
        monkeypatch.setattr(tiff.limits, "MAX_PAGES", 5)
        tiff._check_pages(file, "here")
        monkeypatch.setattr(tiff.limits, "MAX_PAGES", 4)
        with pytest.raises(FormatError, match="the list of pages is longer than 4"):
            tiff._check_pages(file, "here")
    monkeypatch.setattr(tiff.limits, "MAX_PAGES", 1000)
    content = bytearray(path.read_bytes())
    at = offsets[4] + 2 + 12 * tags[4]
    content[at : at + 4] = offsets[1].to_bytes(4, "little")
    path.write_bytes(content)
    with tifffile.TiffFile(path) as file, pytest.raises(FormatError, match="the list of pages leads back to itself"):
        tiff._check_pages(file, "here")
    content[at : at + 4] = (len(content) + 100).to_bytes(4, "little")  # beyond the end: nothing follows
    path.write_bytes(content)
    with tifffile.TiffFile(path) as file:
        tiff._check_pages(file, "here")


def test_cut_off_and_empty_files_are_refused(tmp_path) -> None:
    data = np.ones((4, 3, 64, 64), np.uint16)
    path = save(tmp_path / "a.tif", data, metadata={"axes": "TZYX"})
    whole = path.read_bytes()
    with tifffile.TiffFile(path) as file:
        end = file.series[0].dataoffset + data.nbytes
    path.write_bytes(whole[:end])
    assert open_volume(path).data.shape[-1] == 64
    path.write_bytes(whole[: end - 1])
    with pytest.raises(FormatError, match=r"the file is cut off: 98\.3 kB of 98\.3 kB are there"):
        open_volume(path)


def ome(*files: str, planes: str = "", pixels: str = "") -> str:
    tiffs = "".join(f'<TiffData><UUID FileName="{f}">u</UUID></TiffData>' for f in files)
    return f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image><Pixels {pixels}>{tiffs}{planes}</Pixels></Image></OME>'


def test_files_that_an_image_goes_on_in_must_be_there_and_in_its_folder(tmp_path) -> None:
    path = tmp_path / "a.ome.tif"
    path.write_bytes(b"x")
    (tmp_path / "b.ome.tif").write_bytes(b"x")
    for text in (
        None,
        "",
        ome(),
        ome("a.ome.tif", "b.ome.tif"),
        ome("gone.tif"),
        ome("", "a.ome.tif"),
        ome("a.ome.tif", "sub/c.tif"),
    ):
        tiff._check_companions(text, path)
    with pytest.raises(FormatError, match=r"1 of the 2 files of this image are not there: c\.tif\."):
        tiff._check_companions(ome("a.ome.tif", "c.tif"), path)
    five = [f"c{i}.tif" for i in range(5)]
    with pytest.raises(FormatError, match=r"5 of the 6 files .*: c0\.tif, c1\.tif, c2\.tif, c3\.tif, c4\.tif\. Copy"):
        tiff._check_companions(ome("a.ome.tif", *five), path)
    with pytest.raises(FormatError, match=r"6 of the 7 files .*c4\.tif, \.\.\.\."):
        tiff._check_companions(ome("a.ome.tif", *five, "c5.tif"), path)
    for fine in (ome("a.ome.tif"), ome("sub/c.tif"), ome("gone.tif")):
        tiff._check_named(fine, path)
    for outside in ("../x.tif", "/etc/passwd", "//server/share/x.tif"):
        with pytest.raises(FormatError, match="goes on in a file outside of its folder"):
            tiff._check_named(ome(outside), path)
    os.mkfifo(tmp_path / "pipe.tif")
    with pytest.raises(FormatError, match="neither a file nor a folder"):
        tiff._check_named(ome("pipe.tif"), path)


def states(kind: str, asked: dict | None = None, **change: object) -> dict:
    """What is said of a file that calls itself OME, ImageJ or tifffile's own."""
    made = SimpleNamespace(is_ome=kind == "ome", is_imagej=kind == "imagej", is_shaped=kind == "shaped", **change)
    return tiff._metadata(made, "here", asked or {})


@pytest.mark.parametrize(
    ("pixels", "size", "rate"),
    [
        ("", (np.nan, np.nan, np.nan), np.nan),
        ('PhysicalSizeZ="2" PhysicalSizeY="500" PhysicalSizeYUnit="nm" PhysicalSizeX="0.25"', (2, 0.5, 0.25), np.nan),
        ('PhysicalSizeX="3" PhysicalSizeXUnit="pixel"', (np.nan, np.nan, np.nan), np.nan),
        ('TimeIncrement="250" TimeIncrementUnit="ms"', (np.nan, np.nan, np.nan), 4.0),
        ('TimeIncrement="0.5"', (np.nan, np.nan, np.nan), 2.0),
        ('TimeIncrement="0"', (np.nan, np.nan, np.nan), np.nan),
        ('TimeIncrement="1" TimeIncrementUnit="frame"', (np.nan, np.nan, np.nan), np.nan),
    ],
)
def test_sizes_and_rates_of_ome(pixels: str, size: tuple, rate: float) -> None:
    known = states("ome", ome_metadata=ome(pixels=pixels, planes='<Channel Name="red"/><Channel/>'))
    np.testing.assert_allclose(known["voxel_size_um"], size)
    np.testing.assert_allclose(known["frame_rate_hz"], rate)
    assert known["channels"] == ["red", "1"] and known["time_s"] is None


def test_sizes_of_ome_that_cannot_be_are_refused() -> None:
    for value in ("0", "-1", "inf"):
        with pytest.raises(FormatError, match=f"the pixel size {value} is not positive"):
            states("ome", ome_metadata=ome(pixels=f'PhysicalSizeX="{value}"'))
    odd = ome(pixels='PhysicalSizeX="1" PhysicalSizeXUnit="stone" TimeIncrement="1" TimeIncrementUnit="moon"')
    with pytest.raises(InputError, match="'stone'"):
        states("ome", ome_metadata=odd, asked={"frame_rate_hz": 1.0})
    with pytest.raises(InputError, match="'moon'"):
        states("ome", ome_metadata=odd, asked={"voxel_size_um": (1, 1, 1)})
    assert np.isnan(states("ome", ome_metadata=odd, asked={"voxel_size_um": 1, "frame_rate_hz": 1})["frame_rate_hz"])
    for nothing in (None, "<OME/>"):
        assert states("ome", ome_metadata=nothing)["channels"] == []


@pytest.mark.parametrize(
    ("planes", "times"),
    [
        ([(0, 0.0), (1, 2.0), (2, 3.0)], [0, 2, 3]),
        ([(0, 0.5), (0, 0.1), (1, 2.0), (1, 2.5)], [0.1, 2.0]),  # the first plane of a frame
        ([(1, 2.0), (0, 0.0)], [0, 2]), ([(0, 0.0)], None), ([], None), ([(0, 0.0), (2, 3.0)], None), ([(1, 0.0), (2, 3.0)], None),
        ([(0, 1.0), (1, 1.0)], None), ([(0, 2.0), (1, 1.0)], None), ([(0, 0.0), (1, None)], None),
    ],
)  # fmt: skip
def test_times_of_frames_are_those_of_their_first_planes(planes: list, times: list | None) -> None:
    for unit, factor in ((None, 1.0), ("ms", 1e-3)):
        given = [
            {"TheT": str(t)} | ({} if at is None else {"DeltaT": str(at)}) | ({"DeltaTUnit": unit} if unit else {})
            for t, at in planes
        ]
        got = tiff._plane_times(given, "here", None)
        assert (got is None) == (times is None)
        if times is not None:
            np.testing.assert_allclose(got, np.array(times) * factor)
    assert tiff._plane_times([{"DeltaT": "1", "DeltaTUnit": "frame"}] * 2, "here", None) is None
    text = "".join(f'<Plane TheT="{t}" DeltaT="{at}"/>' for t, at in ((0, 0), (1, 0.5), (2, 1.0), (3, 9.0)))
    known = states("ome", ome_metadata=ome(planes=text))
    assert known["frame_rate_hz"] == 2.0 and known["time_s"].tolist() == [0, 0.5, 1, 9]
    given = states("ome", ome_metadata=ome(planes=text, pixels='TimeIncrement="1"'))
    assert given["frame_rate_hz"] == 1.0


def imagej(tags: dict[str, tuple[int, int]], **info: object) -> dict:
    page = SimpleNamespace(tags={k: SimpleNamespace(value=v) for k, v in tags.items()})
    return states("imagej", imagej_metadata=info or None, pages=[page])


@pytest.mark.parametrize(
    ("tags", "info", "size", "rate"),
    [
        ({}, {}, (np.nan,) * 3, np.nan),
        ({"XResolution": (4, 1), "YResolution": (2, 1)}, {"unit": "um"}, (np.nan, 0.5, 0.25), np.nan),
        ({"XResolution": (4, 1), "YResolution": (2, 1)}, {}, (np.nan,) * 3, np.nan),
        ({"XResolution": (4, 1), "YResolution": (2, 1)}, {"unit": "pixel", "spacing": 2}, (np.nan,) * 3, np.nan),
        ({"XResolution": (4, 2)}, {"unit": "mm", "spacing": 0.003}, (3, np.nan, 500), np.nan),
        ({"XResolution": (4, 1), "YResolution": (2, 1)}, {"unit": "um", "zunit": "nm", "spacing": 1500}, (1.5, 0.5, 0.25), np.nan),
        ({"XResolution": (4, 1), "YResolution": (2, 1)}, {"unit": "um", "zunit": "pixel", "spacing": 1}, (np.nan, 0.5, 0.25), np.nan),
        ({"XResolution": (4, 1), "YResolution": (2, 1)}, {"unit": "um", "yunit": "mm", "spacing": 2}, (2, 500, 0.25), np.nan),
        ({"XResolution": (0, 1), "YResolution": (2, 3)}, {"unit": "um", "spacing": 0}, (np.nan, 1.5, np.nan), np.nan),
        ({}, {"unit": "um", "spacing": "2", "finterval": "x"}, (np.nan,) * 3, np.nan),
        ({}, {"finterval": 0.5}, (np.nan,) * 3, 2.0), ({}, {"finterval": 250, "tunit": "ms"}, (np.nan,) * 3, 4.0),
        ({}, {"finterval": 0}, (np.nan,) * 3, np.nan), ({}, {"finterval": 1, "tunit": "frames"}, (np.nan,) * 3, np.nan),
    ],
)  # fmt: skip
def test_sizes_and_rates_of_imagej(tags: dict, info: dict, size: tuple, rate: float) -> None:
    known = imagej(tags, **info)
    np.testing.assert_allclose(known["voxel_size_um"], size)
    np.testing.assert_allclose(known["frame_rate_hz"], rate)


@pytest.mark.parametrize(
    ("said", "size"),
    [
        ([1, 2, 3], (1, 2, 3)),
        ([1, 2], (np.nan,) * 3),
        ([1, 2, "a"], (np.nan,) * 3),
        ("abc", (np.nan,) * 3),
        (None, (np.nan,) * 3),
    ],
)
def test_sizes_of_our_own_files(said: object, size: tuple) -> None:
    np.testing.assert_array_equal(states("shaped", shaped_metadata=[{"voxel_size_um": said}])["voxel_size_um"], size)
    assert np.isnan(states("shaped", shaped_metadata=None)["frame_rate_hz"])
    np.testing.assert_array_equal(states("none")["voxel_size_um"], (np.nan,) * 3)


def test_a_single_plane_gets_a_depth_and_labels_have_no_colours(tmp_path) -> None:
    assert tiff.flat_size([np.nan, 0.5, 0.25]) == [1.0, 0.5, 0.25]
    assert np.isnan(tiff.flat_size([np.nan, np.nan, 0.25])[0])
    colours = tmp_path / "rgb.tif"
    tifffile.imwrite(colours, np.zeros((4, 5, 3), np.uint8), photometric="rgb")
    with pytest.raises(ChoiceNeeded, match="the samples of a colour, which labels have not") as asked:
        open_labels(colours)
    assert asked.value.example == "zyx"
    tifffile.imwrite(colours, np.zeros((2, 4, 5, 3), np.uint8), photometric="rgb")
    with pytest.raises(ChoiceNeeded) as asked:
        open_labels(colours)
    assert asked.value.example == "tzyx"
