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
