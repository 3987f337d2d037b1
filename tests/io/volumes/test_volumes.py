"""Volumes and labels written by other libraries come back voxel for voxel, with axes, scale and units."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path

import dask.array as da
import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_dynamic_connectome.extraction.extract import extract_traces
from napari_dynamic_connectome.io.axes import OrderedArray
from napari_dynamic_connectome.io.formats import centres
from napari_dynamic_connectome.io.registry import identify, open_labels, open_volume
from napari_dynamic_connectome.io.units import micrometres, seconds
from napari_dynamic_connectome.io.volumes import omezarr_write
from napari_dynamic_connectome.io.volumes.volume import as_dask
from napari_dynamic_connectome.model.errors import InputError

sys.path.insert(0, str(Path(__file__).parents[1]))
from ngff import write_multiscale

SHAPE = (4, 3, 16, 20)


@pytest.fixture
def voxels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4000, SHAPE, dtype=np.uint16)


def ome_writer(path: Path, data: np.ndarray, axes: str, version: str, levels: int = 2, units: bool = True) -> None:
    """Write with the ome-zarr library."""
    from ome_zarr.format import FormatV04, FormatV05

    form = FormatV04() if version == "0.4" else FormatV05()
    kinds = {
        "t": ("time", "second"),
        "c": ("channel", None),
        "z": ("space", "micrometer"),
        "y": ("space", "micrometer"),
        "x": ("space", "micrometer"),
    }
    described = []
    for axis in axes:
        kind, unit = kinds[axis]
        described.append({"name": axis, "type": kind} | ({"unit": unit} if unit and units else {}))
    size = {"t": 0.25, "c": 1.0, "z": 2.0, "y": 0.5, "x": 0.5}
    pyramid, scales = [data], [[size[a] for a in axes]]
    for level in range(1, levels):
        step = 2**level
        pyramid.append(data[..., ::step, ::step])
        scales.append([size[a] * (step if a in "yx" else 1) for a in axes])
    group = zarr.open_group(str(path), mode="w", zarr_format=2 if version == "0.4" else 3)
    write_multiscale(pyramid, group, fmt=form, axes=described, scales=scales)


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
        resolution=(4, 4),
        metadata={"axes": "TZCYX", "unit": "um", "spacing": 1.5, "finterval": 0.5},
    )
    volume = open_volume(path, channel=1)
    assert (volume.data.compute() == voxels + 1).all()
    assert volume.voxel_size_um == pytest.approx((1.5, 0.25, 0.25))
    assert volume.frame_rate_hz == pytest.approx(2.0)


def test_axes_are_mapped_by_name_in_any_order(tmp_path, voxels) -> None:
    path = save(tmp_path / "a.tif", np.ascontiguousarray(voxels.transpose(1, 0, 3, 2)), metadata={"axes": "ZTXY"})
    assert (open_volume(path).data.compute() == voxels).all()
    plane = save(tmp_path / "b.tif", voxels[:, 0], metadata={"axes": "TYX"})
    assert open_volume(plane).data.shape == (4, 1, 16, 20)


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


def test_npy_is_mapped(tmp_path, voxels) -> None:
    np.save(tmp_path / "a.npy", np.asfortranarray(voxels))
    assert (open_volume(tmp_path / "a.npy", axes="tzyx").data.compute() == voxels).all()


@given(st.permutations("tczyx"), st.integers(2, 5), st.data())
@settings(max_examples=80, deadline=None)
def test_reordered_array_equals_numpy(order, n_axes, draw) -> None:
    axes = [a for a in order if a in "yx" or a in "tcz"[: n_axes - 2]]
    stored = np.random.default_rng(0).integers(0, 99, [2 + "tczyx".index(a) for a in axes])
    fixed = {"c": 1} if "c" in axes else {}
    seen = OrderedArray(stored, "".join(axes), "tzyx", fixed)
    kept = [a for a in axes if a != "c"]
    picked = stored[tuple(1 if a == "c" else slice(None) for a in axes)]
    plain = picked.transpose([kept.index(a) for a in "tzyx" if a in kept])
    plain = plain[tuple(slice(None) if a in kept else None for a in "tzyx")]
    assert seen.shape == plain.shape
    box = tuple(
        draw.draw(st.one_of(st.integers(-n, n - 1), st.builds(slice, st.integers(0, n), st.integers(0, n))))
        for n in plain.shape
    )
    np.testing.assert_array_equal(seen[box], plain[box])
    np.testing.assert_array_equal(seen[..., box[-1]], plain[..., box[-1]])


@pytest.mark.parametrize("form", ["ome-zarr", "tiff", "zlib tiff", "hdf5", "npy", "centres"])
def test_traces_extracted_from_files_equal_those_of_arrays(tmp_path, voxels, form) -> None:
    labels = np.random.default_rng(3).integers(0, 4, SHAPE[1:]).astype(np.uint16)
    options = {"voxel_size_um": (2, 1, 1), "frame_rate_hz": 2}
    volume_path, label_path = tmp_path / "v", tmp_path / "l"
    if form == "ome-zarr":
        omezarr_write.create_volume(tmp_path / "v", SHAPE)[...] = voxels
        omezarr_write.create_labels(tmp_path / "v", SHAPE[1:], "zyx")[...] = labels
        label_path = volume_path
    elif form.endswith("tiff"):
        packing = "zlib" if form.startswith("zlib") else None
        save(volume_path, voxels, metadata={"axes": "TZYX"}, compression=packing)
        save(label_path, labels, metadata={"axes": "ZYX"}, compression=packing)
    elif form == "hdf5":
        for path, data, axes in ((volume_path, voxels, "tzyx"), (label_path, labels, "zyx")):
            with h5py.File(path, "w") as file:
                file.create_dataset("d", data=data, chunks=True, compression="gzip").attrs["axes"] = axes
    if form in ("npy", "centres"):
        np.save(tmp_path / "v.npy", voxels)
        volume = open_volume(tmp_path / "v.npy", axes="tzyx", **options)
        if form == "npy":
            np.save(tmp_path / "l.npy", labels)
            held = open_labels(tmp_path / "l.npy", axes="zyx")
        else:
            rows = [(t, 1 + i, 1, 5 + i * 3, 6 + t) for t in range(4) for i in range(3)]
            pd.DataFrame(rows, columns=["frame", "id", "z", "y", "x"]).to_csv(tmp_path / "c.csv", index=False)
            held = open_labels(tmp_path / "c.csv", like=volume, radius_um=2.0)
            labels = brute_force(SHAPE, rows, (1, 2, 2)).astype(np.uint16)
        found = extract_traces(volume, held)
    else:
        found = extract_traces(volume_path, label_path, **options)
    expected = extract_traces(voxels, labels, **options)
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found["label"], expected["label"])


def test_many_small_chunks_are_joined() -> None:
    class Big:
        shape, dtype, ndim = (2000, 20, 1024, 1024), np.dtype("uint16"), 4

        def __getitem__(self, box: object) -> np.ndarray:
            raise AssertionError("nothing may be read")

    assert as_dask(Big(), (1, 1, 32, 32)).npartitions <= 200_000


@pytest.mark.parametrize(
    ("text", "factor"), [("µm", 1), ("nanometer", 1e-3), ("mm", 1e3), ("micron", 1), ("pixel", None), ("", None)]
)
def test_units_of_length(text, factor) -> None:
    assert micrometres(text, "f") == factor


def test_unknown_unit_is_an_error() -> None:
    assert seconds("ms", "f") == 1e-3
    with pytest.raises(InputError, match="voxel_size_um"):
        micrometres("second", "f")


# --- centres ---------------------------------------------------------------------------------------------------------


def brute_force(shape, rows, radius) -> np.ndarray:
    """Every voxel by itself: the nearest centre of the frame whose ball holds it, ties to the smaller id."""
    labels = np.zeros(shape, int)
    for t, z, y, x in np.ndindex(*shape):
        best = None
        for frame, label, cz, cy, cx in sorted(rows, key=lambda r: r[1]):
            d = sum(((a - b) / r) ** 2 for a, b, r in zip((z, y, x), (cz, cy, cx), radius, strict=True))
            if frame == t and d <= 1 + 1e-9 and (best is None or d < best[0] - 1e-9):
                best = (d, label)
        labels[t, z, y, x] = best[1] if best else 0
    return labels


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_centres_become_labels(tmp_path, suffix) -> None:
    rows = [(0, 5, 1.0, 4.0, 4.0), (0, 2, 1.0, 4.0, 7.0), (2, 5, 2.0, 8.0, 8.0), (2, 900, 0.0, -0.4, 0.0)]
    table = pd.DataFrame(rows, columns=["frame", "id", "z", "y", "x"]).assign(name=["AVAL", "", "AVAL", ""])
    path = tmp_path / f"centres{suffix}"
    table.to_csv(path, index=False) if suffix == ".csv" else table.to_parquet(path)
    volume = open_labels(path, shape=(3, 4, 12, 12), radius_um=3.0, voxel_size_um=(2, 1, 1))
    expected = brute_force((3, 4, 12, 12), rows, (1.5, 3, 3))
    assert (volume.data.compute() == expected).all()
    assert (volume.data[2, :, 3:9].compute() == expected[2, :, 3:9]).all()
    assert not volume.data[1].any().compute()  # absent in a frame: no voxel there
    assert volume.names == {5: "AVAL"}


def test_centres_in_micrometres_and_like_a_volume(tmp_path, voxels) -> None:
    path = tmp_path / "a.zarr"
    ome_writer(path, voxels, "tzyx", "0.4")
    table = tmp_path / "c.csv"
    table.write_text("t,track_id,z_um,z,y,x\n0,1,9,2.0,4.0,5.0\n")
    volume = open_volume(path)
    labels = open_labels(table, like=volume, radius_um=1.0, units="um")
    where = np.argwhere(labels.data[0].compute() == 1)
    assert where.mean(axis=0) == pytest.approx([1, 8, 10])
    assert labels.reference.frame_rate_hz == 4.0


def test_centres_can_be_sent_to_another_process(tmp_path) -> None:
    (tmp_path / "c.csv").write_text("frame,id,z,y,x\n0,1,1,2,3\n")
    volume = open_labels(tmp_path / "c.csv", shape=(1000, 4, 64, 64), radius_voxels=2)
    assert isinstance(volume.data, da.Array)
    assert (
        len(
            pickle.dumps(
                centres.BallLabels((9, 4, 8, 8), np.zeros(1, int), np.ones(1, int), np.ones((1, 3)), np.ones(3))
            )
        )
        < 2000
    )


def test_attributes_of_the_rendered_volume(tmp_path, voxels) -> None:
    path = tmp_path / "a.zarr"
    ome_writer(path, voxels, "tzyx", "0.4")
    held = json.loads((path / ".zattrs").read_text())
    held["dynamic_connectome"] = {"time_s": [0, 1, 2, 4], "stimuli": [{"name": "NaCl", "onset": 1, "offset": 2}]}
    (path / ".zattrs").write_text(json.dumps(held))
    volume = open_volume(path)
    assert volume.time_s.tolist() == [0, 1, 2, 4]
    assert volume.stimuli["name"].tolist() == ["NaCl"]
