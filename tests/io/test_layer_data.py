"""Every format can be dropped on napari: a path becomes layer data, without napari being imported."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import tifffile
import zarr

from napari_dynamic_connectome.io import layer_data
from napari_dynamic_connectome.io.layer_data import read_layers
from napari_dynamic_connectome.io.registry import all_formats, write_recording
from napari_dynamic_connectome.io.volumes import omezarr_write
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.recording import Recording

SHAPE = (3, 2, 8, 8)


def recording() -> Recording:
    positions = np.arange(6.0).reshape(2, 3)
    return Recording.from_arrays(np.ones((4, 2)), name="w", rate_hz=2, names=["AVAL", ""], positions_um=positions)


@pytest.fixture
def zarr_path(tmp_path):
    path = tmp_path / "a.ome.zarr"
    omezarr_write.create_volume(path, SHAPE, voxel_size_um=(2, 1, 1), frame_rate_hz=4)[...] = 5
    omezarr_write.create_labels(
        path, SHAPE[1:], "zyx", voxel_size_um=(2, 1, 1), properties=[{"label-value": 3, "name": "AVAL"}]
    )[...] = 3
    return path


def test_image_with_labels(zarr_path) -> None:
    (image, about, kind), (labels, label_about, label_kind) = read_layers(zarr_path)
    assert (kind, label_kind) == ("image", "labels")
    assert image.shape == SHAPE and labels.shape == SHAPE[1:]
    assert about["scale"] == (0.25, 2.0, 1.0, 1.0) and about["units"] == ("s", "um", "um", "um")
    assert label_about["scale"] == (2.0, 1.0, 1.0)
    assert label_about["features"].to_dict("list") == {"index": [0, 3], "name": ["", "AVAL"]}
    assert label_about["metadata"]["dynamic_connectome"]["names"] == {3: "AVAL"}
    assert about["metadata"]["dynamic_connectome"]["frame_rate_hz"] == 4.0


def test_layers_are_what_napari_takes(zarr_path) -> None:
    components = pytest.importorskip("napari.components")
    viewer = components.ViewerModel()
    for data, options, kind in [*read_layers(zarr_path), layer_data.recording_layer(recording())]:
        getattr(viewer, f"add_{kind}")(data, **options)
    assert [type(layer).__name__ for layer in viewer.layers] == ["Image", "Labels", "Points"]


def test_channels_become_layers(tmp_path) -> None:
    data = np.zeros((3, 2, 2, 8, 8), np.uint16)
    data[:, 1] = 7
    about = {"axes": "TCZYX", "Channel": {"Name": ["GCaMP", "RFP"]}}
    tifffile.imwrite(tmp_path / "a.ome.tif", data, ome=True, photometric="minisblack", metadata=about)
    found = read_layers(tmp_path / "a.ome.tif")
    assert [o["name"] for _, o, _ in found] == ["a GCaMP", "a RFP"]
    assert int(found[1][0].max().compute()) == 7


def test_unknown_size_is_shown_in_pixels(tmp_path) -> None:
    tifffile.imwrite(
        tmp_path / "my_labels.tif", np.ones(SHAPE[1:], np.uint16), photometric="minisblack", metadata={"axes": "ZYX"}
    )
    data, about, kind = read_layers(tmp_path / "my_labels.tif")[0]
    assert kind == "labels" and data.shape == SHAPE[1:]
    assert about["units"] == ("pixel",) * 3


def make(key: str, folder):
    path = {
        "omezarr": "a.zarr",
        "tiff": "a.tif",
        "tiffs": "frames",
        "hdf5": "a.h5",
        "npz": "a.npz",
        "csv": "a.csv",
        "parquet": "a.parquet",
        "nwb": "a.nwb",
        "mat": "a.mat",
        "suite2p": "a/suite2p",
        "geff": "a.geff",
    }[key]
    path = folder / path
    if key == "omezarr":
        omezarr_write.create_volume(path, SHAPE)
    elif key == "tiff":
        tifffile.imwrite(path, np.zeros(SHAPE, np.uint16), photometric="minisblack", metadata={"axes": "TZYX"})
    elif key == "tiffs":
        path.mkdir()
        for t in range(SHAPE[0]):
            tifffile.imwrite(
                path / f"{t}.tif", np.zeros(SHAPE[1:], np.uint16), photometric="minisblack", metadata={"axes": "ZYX"}
            )
    elif key == "hdf5":
        with h5py.File(path, "w") as file:
            file["v"] = np.zeros(SHAPE, np.uint16)
            file["v"].attrs["axes"] = "tzyx"
    elif key == "suite2p":
        (path / "plane0").mkdir(parents=True)
        np.save(path / "plane0" / "F.npy", np.ones((2, 4), np.float32))
        np.save(path / "plane0" / "ops.npy", np.array({"fs": 2.0}, dtype=object))
    elif key == "geff":
        root = zarr.open_group(path, mode="w")
        root.attrs["geff"] = {"axes": [{"name": n, "type": "time" if n == "t" else "space"} for n in "tyx"]}
        for name, values in (
            ("ids", [1, 2]),
            ("props/t/values", [0, 1]),
            ("props/y/values", [3, 4]),
            ("props/x/values", [3, 4]),
        ):
            root.create_array(f"nodes/{name}", data=np.array(values))
        root.create_array("edges/ids", data=np.array([[1, 2]]))
    elif key == "mat":
        scipy.io.savemat(path, {"traces": np.ones((4, 2)), "fs": 2.0})
    else:
        write_recording(recording(), path)
    return path


@pytest.mark.parametrize("key", [f.key for f in all_formats() if f.key != "graphml"])
def test_every_format_opens(tmp_path, key) -> None:
    path = make(key, tmp_path)
    form = next(f for f in all_formats() if f.key == key)
    assert path.is_dir() or any(path.match(p) for p in form.patterns)
    assert layer_data.reader(str(path)) is layer_data.read_layers
    found = read_layers([str(path)])
    assert found and all(kind in ("image", "labels", "points") for _, _, kind in found)
    if found[0][2] == "points" and key != "geff":  # tracks are places, not traces
        held = found[0][1]["metadata"]["dynamic_connectome"]["recording"]
        assert held.traces.shape == (4, 2)


def test_homogenized_collection_gives_one_layer_a_worm(tmp_path) -> None:
    rows = [
        {
            "source_dataset": "K",
            "worm": f"worm{w}",
            "neuron": n,
            "calcium_data": [1.0, 2.0],
            "time_in_seconds": [0.0, 1.0],
        }
        for w in range(2)
        for n in ("AVAL", "AVAR")
    ]
    pd.DataFrame(rows).to_parquet(tmp_path / "a.parquet")
    assert [o["name"] for _, o, _ in read_layers(tmp_path / "a.parquet")] == ["K worm0", "K worm1"]


def test_what_is_no_layer(tmp_path) -> None:
    (tmp_path / "a.graphml").write_text("<graphml><graph/></graphml>")
    with pytest.raises(InputError, match="holds a connectome, which is no layer"):
        read_layers(tmp_path / "a.graphml")
    (tmp_path / "b.bin").write_bytes(bytes(range(256)))
    assert layer_data.reader(str(tmp_path / "b.bin")) is None
    assert "*.zarr" in layer_data.patterns()


def test_a_rate_given_for_several_files_is_that_of_frames_for_an_image(tmp_path) -> None:
    np.save(tmp_path / "v.npy", np.zeros((3, 4, 8, 8), np.uint8))
    write_recording(recording(), tmp_path / "t.npz")
    given = {"rate_hz": 2.5, "axes": "tzyx", "voxel_size_um": (2.0, 1.0, 1.0), "names": "as written"}
    image = {"axes": "tzyx", "voxel_size_um": (2.0, 1.0, 1.0)}
    assert layer_data.fitting(tmp_path / "v.npy", given) == image | {"frame_rate_hz": 2.5}
    assert layer_data.fitting(tmp_path / "v.npy", given | {"frame_rate_hz": 4.0}) == image | {"frame_rate_hz": 4.0}
    assert layer_data.fitting(tmp_path / "t.npz", given) == {"rate_hz": 2.5, "names": "as written"}
