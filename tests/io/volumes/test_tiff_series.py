"""A recording in many TIFF files: a frame a file, some frames a file, a plane a file."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_dynamic_connectome.extraction.extract import extract_recording, extract_traces
from napari_dynamic_connectome.io.choice import ChoiceNeeded
from napari_dynamic_connectome.io.registry import identify, open_labels, open_volume
from napari_dynamic_connectome.io.volumes import tiff_series
from napari_dynamic_connectome.model.errors import FormatError, InputError

SHAPE = (12, 3, 16, 20)


@pytest.fixture
def voxels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4000, SHAPE, dtype=np.uint16)


def save(path: Path, data: np.ndarray, axes: str | None, **options: object) -> None:
    path.parent.mkdir(exist_ok=True)
    tifffile.imwrite(path, data, photometric="minisblack", metadata={"axes": axes} if axes else None, **options)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_frame_a_file_in_the_order_of_the_numbers(tmp_path, voxels, compression) -> None:
    for t in range(12):  # names that sort wrongly as text: 8, 9, 10, 11, ...
        save(tmp_path / "worm" / f"run_{t + 8}.tif", voxels[t], "ZYX", compression=compression)
    (tmp_path / "worm" / "readme.txt").write_text("x")
    assert identify(tmp_path / "worm").key == "tiffs"
    for path in (tmp_path / "worm", str(tmp_path / "worm" / "run_*.tif")):
        volume = open_volume(path)
        assert (volume.data.compute() == voxels).all()
        again = pickle.loads(pickle.dumps(volume.data))
        assert (again[-1, ::2, 3:9].compute() == voxels[-1, ::2, 3:9]).all()
        assert len(pickle.dumps(volume.array)) < 20_000
    one = open_volume(str(tmp_path / "worm" / "run_1?.tif"))
    assert (one.data.compute() == voxels[2:]).all()
    with pytest.raises(InputError, match="no TIFF file fits"):
        open_volume(str(tmp_path / "worm" / "walk_*.tif"))


def test_labels_of_every_frame_in_files_of_their_own_give_the_traces_of_the_arrays(tmp_path, voxels) -> None:
    labels = np.random.default_rng(1).integers(0, 4, SHAPE).astype(np.uint16)
    for t in range(12):
        save(tmp_path / "image" / f"{t}.tif", voxels[t], "ZYX", compression="zlib")
        save(tmp_path / "labels" / f"{t}.tif", labels[t], "ZYX")
    units = {"voxel_size_um": (2, 1, 1), "frame_rate_hz": 3}
    found = extract_recording(tmp_path / "image", tmp_path / "labels", name="w", **units)
    np.testing.assert_array_equal(found.traces.values, extract_traces(voxels, labels, **units).values)
    assert open_labels(tmp_path / "labels").shape == SHAPE


def test_files_of_several_frames_are_joined(tmp_path, voxels) -> None:
    about = {"unit": "um", "spacing": 2.0, "finterval": 0.5}
    for part, frames in enumerate((slice(0, 5), slice(5, 10), slice(10, 12))):
        tifffile.imwrite(
            tmp_path / f"part{part}.tif", voxels[frames], imagej=True, resolution=(4, 4), metadata={"axes": "TZYX"} | about
        )  # fmt: skip
    volume = open_volume(tmp_path)
    assert (volume.data.compute() == voxels).all()
    assert (np.asarray(volume.array[3:11, 1]) == voxels[3:11, 1]).all()
    assert volume.voxel_size_um == pytest.approx((2.0, 0.25, 0.25)) and volume.frame_rate_hz == 2.0


def test_planes_are_placed_by_the_marks_in_their_names(tmp_path, voxels) -> None:
    for t in range(12):
        for z in range(3):
            save(tmp_path / "worm" / f"W2_z{z:02d}_t{t + 1:03d}.tif", voxels[t, z], "YX")
    assert (open_volume(tmp_path / "worm").data.compute() == voxels).all()
    (tmp_path / "worm" / "W2_z01_t004.tif").unlink()
    with pytest.raises(FormatError, match="t = 4, z = 1 is not there"):
        open_volume(tmp_path / "worm")


def test_what_files_are_is_asked_for_and_not_guessed(tmp_path, voxels) -> None:
    for t in range(12):
        save(tmp_path / "plain" / f"{t}.tif", voxels[t], None)
        save(tmp_path / "planes" / f"{t}.tif", voxels[t, 0], "YX")
    with pytest.raises(ChoiceNeeded, match="axes='tzyx'") as caught:
        open_volume(tmp_path / "plain")
    assert caught.value.example == "tzyx"
    assert (open_volume(tmp_path / "plain", axes="tzyx").data.compute() == voxels).all()
    with pytest.raises(ChoiceNeeded, match="planes or frames"):
        open_volume(tmp_path / "planes")
    assert open_volume(tmp_path / "planes", axes="tyx").shape == (12, 1, 16, 20)
    assert open_volume(tmp_path / "planes", axes="zyx").shape == (1, 12, 16, 20)


def test_a_file_that_is_not_like_the_others_is_named(tmp_path, voxels) -> None:
    for t in range(4):
        save(tmp_path / "a" / f"{t}.tif", voxels[t, : 2 if t == 2 else 3], "ZYX")
        save(tmp_path / "b" / f"{t}.tif", voxels[t : t + 2, :, : 8 if t == 2 else 16], "TZYX")
    with pytest.raises(FormatError, match=r"2\.tif: this file holds"):
        open_volume(tmp_path / "a").data.compute()
    with pytest.raises(FormatError, match=r"2\.tif: this file holds"):
        open_volume(tmp_path / "b")


def test_an_ome_tiff_in_several_files_is_one_image(tmp_path, voxels) -> None:
    import uuid

    # as Bio-Formats writes it: every file holds the description of all
    ids = [f"urn:uuid:{uuid.UUID(int=t)}" for t in range(4)]
    planes = "".join(
        f'<TiffData IFD="{z}" FirstT="{t}" FirstZ="{z}" PlaneCount="1"><UUID FileName="{t}.ome.tif">{ids[t]}</UUID></TiffData>'
        for t in range(4) for z in range(3)
    )  # fmt: skip
    for t in range(4):
        text = (
            '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="{ids[t]}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZTC" Type="uint16" SizeX="20" '
            f'SizeY="16" SizeZ="3" SizeC="1" SizeT="4"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>{planes}</Pixels></Image></OME>'
        )
        tifffile.imwrite(
            tmp_path / f"{t}.ome.tif", voxels[t], photometric="minisblack", description=text, metadata=None
        )
    assert (open_volume(tmp_path).data.compute() == voxels[:4]).all()


BOXES: tuple = (
    0, -1, slice(None), slice(1, 4), (slice(None), 0), (1, slice(1, None)), (0, 1, 2), (slice(0, 3), slice(None), slice(2, 5, 2)), ([2, 0, 3], 1), (slice(None, None, -1), 0), (slice(None, None, 2), -1, slice(3), slice(1, 2)),
)  # fmt: skip


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_every_box_of_files_is_that_of_the_array(tmp_path, compression, monkeypatch) -> None:
    monkeypatch.setattr(tiff_series, "OPEN_FILES", 2)
    data = np.random.default_rng(0).integers(0, 999, (5, 3, 6, 7)).astype(np.uint16)
    names = []
    for t in range(5):
        names.append(str(tmp_path / f"f{t}.tif"))
        tifffile.imwrite(
            names[-1], data[t], photometric="minisblack", compression=compression, metadata={"axes": "ZYX"}
        )
    stack = tiff_series.TiffFiles(names, (5,), (3, 6, 7), data.dtype)
    assert stack.shape == data.shape and stack.ndim == 4 and stack.chunks == (1, 3, 6, 7)
    for stored in (stack, pickle.loads(pickle.dumps(stack))):
        for box in BOXES:
            np.testing.assert_array_equal(stored[box], data[box])
        assert len(stored._open) == 2
    deep = tiff_series.TiffFiles([*names, names[0]], (2, 3), (3, 6, 7), data.dtype)
    whole = np.concatenate([data, data[:1]]).reshape(2, 3, 3, 6, 7)
    for box in ((1, 0), (slice(None), 1), (0, slice(0, 2), slice(None), 3), 1):
        np.testing.assert_array_equal(deep[box], whole[box])
    joined = tiff_series.JoinedFiles([data[:2], data[2:3], data[3:]])
    assert joined.shape == data.shape and joined.chunks == (1, 3, 6, 7) and joined.starts.tolist() == [0, 2, 3, 5]
    for box in (*BOXES, (slice(0, 0),), [1, 2, 2], slice(1, 5)):
        np.testing.assert_array_equal(joined[box], data[box])
    wrong = tiff_series.TiffFiles(names, (5,), (3, 6, 8), data.dtype)
    with pytest.raises(FormatError, match=r"holds uint16 of shape \(3, 6, 7\), the first uint16 of shape \(3, 6, 8\)"):
        wrong[0]
    with pytest.raises(FormatError, match="the first int32"):
        tiff_series.TiffFiles(names, (5,), (3, 6, 7), np.int32)[0]


@pytest.mark.parametrize(
    ("names", "own", "axes", "order"),
    [
        (["t1_z1", "t1_z2", "t2_z1", "t2_z2"], "yx", [("t", [1, 2]), ("z", [1, 2])], [0, 1, 2, 3]), (["z1_t1", "z1_t2", "z3_t1", "z3_t2"], "yx", [("t", [1, 2]), ("z", [1, 3])], [0, 2, 1, 3]),
        (["t1", "t2", "t10"], "zyx", [("t", [1, 2, 10])], [0, 1, 2]), (["time_1_ch0", "time_1_ch1"], "zyx", [("c", [0, 1])], [0, 1]), (["frame1", "frame2"], "tyx", None, None), (["a1", "a2"], "yx", None, None),
        (["t1_a", "t1_b"], "yx", None, None), (["Slice-3", "slice 4"], "yx", [("z", [3, 4])], [0, 1]), (["cat1", "cat2"], "yx", None, None), (["t1", "x"], "yx", None, None), (["t1z1", "t1z2", "t1z2b"], "yx", None, None),
    ],
)  # fmt: skip
def test_marks_in_names_count_axes(names, own, axes, order) -> None:
    got, ordered = tiff_series._marks([Path(f"{n}.tif") for n in names], own, "here")
    assert got == (axes or []) and ordered == [f"{names[i]}.tif" for i in order or []]


def test_files_that_are_missing_and_too_many_channels_are_told() -> None:
    with pytest.raises(FormatError, match="the file of t = 2, z = 1 is not there"):
        tiff_series._marks([Path(f"{n}.tif") for n in ("t1_z1", "t1_z2", "t2_z2")], "yx", "here")
    six = [Path(f"c{i}.tif") for i in range(6)]
    assert tiff_series._marks(six, "zyx", "here")[0] == [("c", list(range(6)))]
    for own, example in (("yx", "zyx"), ("zyx", "tzyx")):
        with pytest.raises(ChoiceNeeded, match="count 7 channels") as asked:
            tiff_series._marks([*six, Path("c6.tif")], own, "here")
        assert asked.value.example == example and asked.value.option == "axes"


def test_files_are_found_and_sorted_by_their_numbers(tmp_path) -> None:
    for name in ("a10.tif", "a9.TIFF", "a1.btf", ".a2.tif", "b.png", "a02.tif"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "d.tif").mkdir()
    assert [p.name for p in tiff_series.tiff_files(tmp_path)] == ["a1.btf", "a02.tif", "a9.TIFF", "a10.tif"]
    assert [p.name for p in tiff_series.tiff_files(tmp_path / "a?.*")] == ["a1.btf", "a9.TIFF"]
    assert tiff_series.is_pattern("x*.tif") and tiff_series.is_pattern("x?.tif") and not tiff_series.is_pattern("x.tif")
    (tmp_path / "real*.tif").write_bytes(b"")
    assert not tiff_series.is_pattern(tmp_path / "real*.tif")
    with pytest.raises(InputError, match="there is no TIFF file here"):
        tiff_series.open_volume(tmp_path / "nothing*")


def test_how_many_files_there_may_be(tmp_path, monkeypatch) -> None:
    for t in range(3):
        tifffile.imwrite(
            tmp_path / f"t{t}.tif", np.full((2, 4, 5), t, np.uint8), photometric="minisblack", metadata={"axes": "ZYX"}
        )
    monkeypatch.setattr(tiff_series.limits, "MAX_DASK_CHUNKS", 3)
    held = tiff_series.open_volume(tmp_path)
    np.testing.assert_array_equal(held.data[:, 0, 0, 0].compute(), [0, 1, 2])
    monkeypatch.setattr(tiff_series.limits, "MAX_DASK_CHUNKS", 2)
    with pytest.raises(InputError, match="there are 3 files"):
        tiff_series.open_volume(tmp_path)
