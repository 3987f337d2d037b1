"""NWB: files that pynwb wrote in the WormID layout are read; what we write is valid and comes back the same."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.extraction.extract import extract_recording
from napari_dynamic_connectome.io.choice import ChoiceNeeded
from napari_dynamic_connectome.io.formats import nwb
from napari_dynamic_connectome.io.registry import identify, open_labels, open_volume, read_recording, write_recording
from napari_dynamic_connectome.model.attributes import attributes_of
from napari_dynamic_connectome.model.errors import FormatError, InputError
from napari_dynamic_connectome.model.recording import Recording, VolumeReference

warnings.filterwarnings("ignore", module="hdmf")
pynwb = pytest.importorskip("pynwb")

SHAPE = (6, 20, 16, 5)  # frame, x, y, z
NAMES = ["AVAL", "", "RIML"]
VOXELS = [[(3, 4, 1), (4, 4, 1)], [(10, 11, 2)], [(15, 2, 4), (15, 3, 4)]]


def wormid(path: Path, *, indexed_names: bool = False, raw: bool = False, transposed: bool = False) -> np.ndarray:
    """Write a small file as the labs of the WormID consortium do; return the image (t, x, y, z).

    Their extension does not go with current versions of pynwb: what it adds is put in afterwards (its types are called so, and
    the plane of an image series is its `imaging_volume`).
    """
    file = pynwb.NWBFile("whole brain", "some-id", datetime(2022, 1, 2, tzinfo=UTC))
    file.subject = pynwb.file.Subject(
        subject_id="2022-01-02-w3", species="Caenorhabditis elegans", sex="XX", age="P2D/P4D", strain="OH16230", genotype="unknown"
    )  # fmt: skip
    device = file.create_device(name="scope")
    channel = pynwb.ophys.OpticalChannel(name="GCaMP", description="d", emission_lambda=510.0)
    volume = file.create_imaging_plane(
        name="CalciumImVol", description="d", device=device, location="head", grid_spacing=[0.5, 0.5, 2.0], grid_spacing_unit="um",
        reference_frame="r", optical_channel=channel, excitation_lambda=488.0, indicator="GCaMP",
    )  # fmt: skip
    image = np.random.default_rng(0).integers(0, 4000, SHAPE, dtype=np.uint16)
    file.add_acquisition(
        pynwb.ophys.TwoPhotonSeries(
            name="CalciumImageSeries",
            description="d",
            data=image,
            unit="n.a.",
            rate=2.5,
            starting_time=0.0,
            dimension=list(SHAPE[1:]),
            imaging_plane=volume,
        )
    )
    calcium = file.create_processing_module("CalciumActivity", "d")
    table = pynwb.ophys.PlaneSegmentation(name="Aligned_neuron_coordinates", description="d", imaging_plane=volume)
    for voxels in VOXELS:
        table.add_roi(voxel_mask=[(*v, 1.0) for v in voxels])
    if indexed_names:
        table.add_column(name="ID_labels", description="d", data=[list(n) for n in NAMES], index=True)
    else:
        table.add_column(name="ID_labels", description="d", data=NAMES)
    segmentation = pynwb.ophys.ImageSegmentation(name="CalciumSeriesSegmentation")
    segmentation.add_plane_segmentation(table)
    calcium.add(segmentation)
    traces = np.arange(18.0).reshape(6, 3)
    for name, kind, factor in (
        ("SignalDFoF", pynwb.ophys.DfOverF, 1.0),
        ("SignalRawFluor", pynwb.ophys.Fluorescence, 100.0),
    ):
        if raw and name == "SignalDFoF":
            continue
        rois = table.create_roi_table_region(description="all", region=[0, 1, 2])
        values = traces * factor
        series = pynwb.ophys.RoiResponseSeries(
            name="SignalCalciumImResponseSeries",
            description="d",
            data=values,
            rois=rois,
            unit="lumens",
            timestamps=np.arange(6) * 0.4 + 1,
        )
        calcium.add(kind(name=name, roi_response_series=series))
    stimuli = pynwb.epoch.TimeIntervals(name="chemical_stimuli", description="d")
    stimuli.add_column(name="stimulus_name", description="d")
    stimuli.add_interval(start_time=1.5, stop_time=2.0, stimulus_name="butanone")
    file.add_time_intervals(stimuli)
    behaviour = file.create_processing_module("Behavior", "d")
    velocity = pynwb.behavior.BehavioralTimeSeries(name="velocity")
    velocity.create_timeseries(name="velocity", data=np.arange(31.0) / 10, unit="mm/s", rate=10.0, starting_time=0.5)
    behaviour.add(velocity)
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(file)
    with h5py.File(path, "r+") as content:
        series = content["acquisition/CalciumImageSeries"]
        series.move("imaging_plane", "imaging_volume")
        if transposed:  # which pynwb refuses to write by now
            held = content["processing/CalciumActivity/SignalRawFluor/SignalCalciumImResponseSeries"]
            attributes = dict(held["data"].attrs)
            del held["data"]
            held.create_dataset("data", data=(traces * 100).T).attrs.update(attributes)
        plane = content["general/optophysiology/CalciumImVol"]
        for node, kind in ((series, "MultiChannelVolumeSeries"), (plane, "ImagingVolume")):
            node.attrs["neurodata_type"], node.attrs["namespace"] = kind, "ndx-multichannel-volume"
    return image


@pytest.mark.parametrize("indexed", [False, True])
def test_wormid_recording(tmp_path, indexed) -> None:
    wormid(tmp_path / "w.nwb", indexed_names=indexed)
    assert identify(tmp_path / "w.nwb").key == "nwb"
    held = read_recording(tmp_path / "w.nwb")
    assert held.name == "2022-01-02-w3"
    assert list(held.neurons["name"]) == NAMES
    np.testing.assert_allclose(held.traces.values, np.arange(18.0).reshape(6, 3))
    np.testing.assert_allclose(held.time_s, np.arange(6) * 0.4 + 1)
    np.testing.assert_allclose(held.positions_um, [[2, 2, 1.75], [4, 5.5, 5], [8, 1.25, 7.5]])
    assert held.stimuli.to_dict("list") == {"name": ["butanone"], "onset": [1.5], "offset": [2.0]}
    # velocity is t - 0.5 on its own clock, from 0.5 to 3.5 s
    np.testing.assert_allclose(held.behaviour["velocity"].values, held.time_s - 0.5)
    assert held.behaviour["velocity"].attrs["units"] == "mm/s"


def test_what_others_say_of_the_worm_becomes_its_attributes_and_is_written_again(tmp_path) -> None:
    wormid(tmp_path / "w.nwb")
    held = read_recording(tmp_path / "w.nwb")
    known = {"strain": "OH16230", "sex": "XX", "age": "P2D/P4D", "session_start": "2022-01-02T00:00:00+00:00"}
    assert attributes_of(held) == known  # the genotype is "unknown"
    again = read_recording(write_recording(held, tmp_path / "v.nwb"))
    assert attributes_of(again) == known
    with h5py.File(tmp_path / "v.nwb") as file:
        subject = file["general/subject"]
        assert (subject["strain"][()], subject["age"][()]) == (b"OH16230", b"P2D/P4D")
    with h5py.File(tmp_path / "w.nwb", "a") as file:  # what our own export would refuse is no attribute
        del file["general/subject/sex"], file["general/subject/age"]
        file["general/subject/sex"], file["general/subject/age"] = "H", "young adult"
    assert set(attributes_of(read_recording(tmp_path / "w.nwb"))) == {"strain", "session_start"}


def test_signal_is_chosen_by_name(tmp_path) -> None:
    wormid(tmp_path / "w.nwb")
    held = read_recording(tmp_path / "w.nwb", signal="SignalRawFluor")
    assert held.traces.values[5, 2] == 1700
    with pytest.raises(InputError, match="SignalDFoF"):
        read_recording(tmp_path / "w.nwb", signal="Nothing")


def test_transposed_traces_are_told_by_the_number_of_regions(tmp_path) -> None:
    wormid(tmp_path / "w.nwb", raw=True, transposed=True)
    assert read_recording(tmp_path / "w.nwb").traces.shape == (6, 3)


def test_wormid_images_and_labels(tmp_path) -> None:
    image = wormid(tmp_path / "w.nwb")
    volume = open_volume(tmp_path / "w.nwb")
    assert (volume.data.compute() == image.transpose(0, 3, 2, 1)).all()
    assert volume.voxel_size_um == (2.0, 0.5, 0.5)
    assert volume.frame_rate_hz == 2.5
    labels = open_labels(tmp_path / "w.nwb")
    expected = np.zeros(volume.shape[1:], int)
    for number, voxels in enumerate(VOXELS, start=1):
        for x, y, z in voxels:
            expected[z, y, x] = number
    assert (labels.data.compute() == expected).all()
    assert labels.names == {1: "AVAL", 3: "RIML"}


@pytest.mark.parametrize("stamps", [False, True])
def test_frames_are_on_the_clock_of_the_stimuli(tmp_path, stamps) -> None:
    wormid(tmp_path / "w.nwb")
    times = 10 + np.array([0.0, 0.4, 0.9, 1.2, 1.6, 2.0]) if stamps else 10 + np.arange(6) / 2.5
    with h5py.File(tmp_path / "w.nwb", "r+") as file:
        series = file["acquisition/CalciumImageSeries"]
        if stamps:
            del series["starting_time"]
            series.create_dataset("timestamps", data=times).attrs["unit"] = "seconds"
        else:
            series["starting_time"][()] = 10.0
    volume = open_volume(tmp_path / "w.nwb")
    np.testing.assert_allclose(volume.time_s, times)
    worm = extract_recording(volume, open_labels(tmp_path / "w.nwb"), name="w")
    np.testing.assert_allclose(worm.time_s, times)
    assert worm.stimuli["onset"].tolist() == [1.5]


def recording() -> Recording:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(30, 4))
    values[3:6, 1] = np.nan
    import xarray as xr

    positions = rng.uniform(-10, 50, (4, 3))
    positions[3] = np.nan
    return Recording.from_arrays(
        values,
        name="worm/7",
        time_s=np.cumsum(rng.uniform(0.2, 0.4, 30)),
        names=["AVAL", "AVAR", "", "RIML"],
        labels=[4, 9, 2, 7],
        positions_um=positions,
        confidence=[5, 4, np.nan, 3],
        stimuli=pd.DataFrame({"name": ["NaCl", "flash"], "onset": [1.0, 3.0], "offset": [2.0, 3.0]}),
        behaviour=xr.Dataset({"velocity": ("time", rng.normal(size=30), {"units": "mm/s"})}),
        breaks=(2.5,),
        volume=VolumeReference("w.ome.zarr", (30, 5, 16, 20), "tzyx", (2.0, 0.5, 0.5), 3.3),
        provenance={"history": [{"step": "extract"}]},
    )


def test_written_file_comes_back(tmp_path) -> None:
    worm = recording()
    held = read_recording(write_recording(worm, tmp_path / "w.nwb"))
    np.testing.assert_array_equal(held.traces.values, worm.traces.values)
    np.testing.assert_array_equal(held.time_s, worm.time_s)
    pd.testing.assert_frame_equal(held.neurons, worm.neurons)
    pd.testing.assert_frame_equal(held.stimuli, worm.stimuli)
    np.testing.assert_array_equal(held.behaviour["velocity"].values, worm.behaviour["velocity"].values)
    assert held.breaks == worm.breaks
    assert held.provenance["history"] == [{"step": "extract"}]


def test_written_file_is_laid_out_as_wormid(tmp_path) -> None:
    worm = recording()
    path = write_recording(worm, tmp_path / "w.nwb")
    with pynwb.NWBHDF5IO(str(path), "r", load_namespaces=True) as io:
        file = io.read()
        series = file.processing["CalciumActivity"]["SignalDFoF"]["SignalCalciumImResponseSeries"]
        np.testing.assert_array_equal(series.data[:], worm.traces.values)
        neurons = file.processing["NeuroPAL"]["NeuroPALSegmentation"]["NeuroPALNeurons"]
        assert list(neurons["ID_labels"][:]) == list(worm.neurons["name"])
        assert file.processing["CalciumActivity"]["CalciumSeriesSegmentation"] is not None
        assert list(file.processing["CalciumActivity"]["NeuronIDs"]["labels"][:]) == list(worm.neurons["name"])
        assert list(file.acquisition["CalciumImageSeries"].external_file) == ["w.ome.zarr"]
        np.testing.assert_allclose(file.imaging_planes["CalciumImVol"].grid_spacing[:], [0.5e-6, 0.5e-6, 2e-6])


@pytest.mark.parametrize(("image", "named"), [("images/w.ome.zarr", "../images/w.ome.zarr"), ("nwb/w.tif", "w.tif")])
def test_an_image_is_named_from_the_folder_of_the_file_so_that_both_can_be_moved(tmp_path, image, named) -> None:
    worm = recording()
    worm = worm.replace(volume=replace(worm.volume, path=str(tmp_path / image)))
    (tmp_path / "nwb").mkdir()
    path = write_recording(worm, tmp_path / "nwb" / "w.nwb")
    with h5py.File(path) as file:
        found = file["acquisition/CalciumImageSeries/external_file"][0].decode()
    assert found == named and (path.parent / found).resolve() == (tmp_path / image).resolve()


def test_nothing_but_nwb_itself_is_in_a_written_file(tmp_path) -> None:
    path = write_recording(recording(), tmp_path / "w.nwb")
    with h5py.File(path) as file:
        kinds: set[str] = set()
        file.visititems(lambda _, node: kinds.add(str(node.attrs.get("namespace", "core"))))
        assert kinds == {"core", "hdmf-common"}
        assert not [k for k in file["specifications"] if k.startswith("ndx")]


def test_the_inspector_finds_nothing_critical(tmp_path) -> None:
    command = Path(sys.executable).with_name("nwbinspector")
    if not command.exists():
        pytest.skip("nwbinspector is not installed")
    (tmp_path / "w.ome.zarr").mkdir()  # the image that the recording came from
    path = write_recording(recording(), tmp_path / "w.nwb")
    said = subprocess.run(
        [command, path, "--levels", "importance", "--json-file-path", tmp_path / "found.json"],
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0, said.stderr
    messages = json.loads((tmp_path / "found.json").read_text())["messages"]
    assert messages  # it did look: age, sex and laboratory are not known to us
    serious = ("ERROR", "PYNWB_VALIDATION", "CRITICAL")
    assert [m["message"] for m in messages if m["importance"] in serious] == []


def test_micrometres_called_metres(tmp_path) -> None:
    wormid(tmp_path / "w.nwb")
    with h5py.File(tmp_path / "w.nwb", "r+") as file:
        file["general/optophysiology/CalciumImVol/grid_spacing"].attrs["unit"] = "meters"
    held = read_recording(tmp_path / "w.nwb")
    assert held.positions_um[1].tolist() == [4, 5.5, 5]
    assert "micrometres" in held.provenance["reading"]


def test_only_image_series_are_offered_as_images(tmp_path: Path) -> None:
    from napari_dynamic_connectome.io.formats.nwb import image_series

    shapes = {
        "Pose": (5, 6, 2),
        "Photons": (5, 6, 7),
        "Calcium": (5, 6, 7, 8),
        "Placed": (5, 6, 7),
        "Texts": (5, 6, 7),
        "Flat": (5, 6),
    }
    kinds = {
        "Photons": "OnePhotonSeries",
        "Calcium": "MultiChannelVolumeSeries",
        "Flat": "ImageSeries",
        "Texts": "ImageSeries",
    }
    with h5py.File(tmp_path / "w.nwb", "w") as file:
        for name, shape in shapes.items():
            group = file.create_group(f"acquisition/{name}")
            group.attrs["neurodata_type"] = kinds.get(name, "TimeSeries")
            group["data"] = np.zeros(shape, "S1" if name == "Texts" else "u2")
        file["acquisition/Placed/imaging_volume"] = 1
        file["acquisition/CalciumImageSeries"] = file["acquisition/Calcium"]
        found = image_series(file, "w.nwb")
    assert list(found) == [
        "acquisition/CalciumImageSeries", "acquisition/Calcium", "acquisition/Photons", "acquisition/Placed",
    ]  # fmt: skip
    assert found["acquisition/Calcium"] == (5, 6, 7, 8)


class With:
    """A data set with attributes."""

    def __init__(self, values: object, **attributes: object) -> None:
        self.values, self.attributes = values, attributes


def put(group: h5py.Group, tree: dict) -> None:
    """Groups and data sets of a file; "@key" is an attribute, a path that begins with "->" a reference."""
    for key, value in tree.items():
        attributes = value.attributes if isinstance(value, With) else {}
        value = value.values if isinstance(value, With) else value
        if key.startswith("@"):
            group.attrs[key[1:]] = value
        elif isinstance(value, dict):
            put(group.create_group(key), value)
        else:
            kind = (
                {"dtype": h5py.string_dtype()}
                if isinstance(value, list) and value and isinstance(value[0], str)
                else {}
            )
            group.create_dataset(key, data=value, **kind)
        for name, what in attributes.items():
            refers = isinstance(what, str) and what.startswith("->")
            group[key].attrs[name] = group.file[what[2:]].ref if refers else what


@pytest.fixture
def made(tmp_path):
    """Make a file from a tree and leave it open for reading."""
    opened = []

    def make(tree: dict) -> h5py.File:
        path = tmp_path / f"n{len(opened)}.nwb"
        with h5py.File(path, "w") as file:
            put(file, tree)
        opened.append(h5py.File(path, "r"))
        return opened[-1]

    yield make
    for file in opened:
        file.close()


def series(**change: object) -> dict:
    tree = {
        "data": With(np.arange(8.0).reshape(4, 2), unit="a.u."),
        "rois": np.arange(2),
        "timestamps": np.arange(4.0) / 2,
    }
    return {k: v for k, v in (tree | change).items() if v is not None}


@pytest.mark.parametrize(
    ("change", "values", "stamps", "unit"),
    [
        ({}, np.arange(8.0).reshape(4, 2), np.arange(4) / 2, "a.u."),
        ({"data": np.arange(4.0), "rois": np.arange(1)}, np.arange(4.0)[:, None], np.arange(4) / 2, ""),
        ({"data": np.arange(8.0).reshape(2, 4)}, np.arange(8.0).reshape(2, 4).T, np.arange(4) / 2, ""),
        ({"data": np.arange(9.0).reshape(3, 3), "rois": np.arange(3), "timestamps": np.arange(3.0)}, np.arange(9.0).reshape(3, 3), np.arange(3), ""),
        ({"data": np.arange(8.0).reshape(2, 4), "timestamps": None, "starting_time": With(3.0, rate=2.0)}, np.arange(8.0).reshape(2, 4).T, 3 + np.arange(4) / 2, ""),
        ({"rois": None}, np.arange(8.0).reshape(4, 2), np.arange(4) / 2, "a.u."),
        ({"data": With(np.arange(8.0).reshape(4, 2), conversion=2.0)}, 2 * np.arange(8.0).reshape(4, 2), np.arange(4) / 2, ""),
        ({"data": With(np.arange(8.0).reshape(4, 2), offset=-1.0, unit=b"V")}, np.arange(8.0).reshape(4, 2) - 1, np.arange(4) / 2, "V"),
    ],
)  # fmt: skip
def test_values_times_and_units_of_traces(made, change, values, stamps, unit) -> None:
    got = nwb._series_values(made(series(**change)), "here")
    np.testing.assert_array_equal(got[0], values)
    np.testing.assert_array_equal(got[1], stamps)
    assert got[2] == unit


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": None}, "the traces have no data"), ({"data": np.zeros((4, 0))}, r"the traces have shape \(4, 0\)"),
        ({"data": np.zeros((4, 2, 1))}, "the traces have shape"), ({"data": With(np.ones((4, 2)), conversion=0.0)}, "multiplied by 0 and shifted by 0"),
        ({"data": With(np.ones((4, 2)), conversion=np.nan)}, "leaves no signal"), ({"data": With(np.ones((4, 2)), offset=np.inf)}, "shifted by inf"),
        ({"timestamps": None}, "neither timestamps nor a starting time"), ({"timestamps": None, "starting_time": With(0.0, rate=0.0)}, "the sampling rate is 0"),
        ({"timestamps": None, "starting_time": 0.0}, "the sampling rate is nan"), ({"timestamps": np.arange(3.0)}, "3 time stamps for 4 samples"),
        ({"data": np.zeros((2, 4)), "timestamps": np.arange(3.0)}, "3 time stamps for 2 samples"),
    ],
)  # fmt: skip
def test_traces_that_cannot_be_right_are_refused(made, change, words) -> None:
    with pytest.raises(FormatError, match=words):
        nwb._series_values(made(series(**change)), "here")


def test_sets_of_traces_are_ranked_and_chosen(made) -> None:
    def chosen(*paths: str, signal: str | None = None, **more: dict) -> tuple[str, list[str]]:
        tree: dict = {}
        for path in paths:
            at = tree
            for part in path.split("/")[:-1]:
                at = at.setdefault(part, {})
            at[path.split("/")[-1]] = {"@neurodata_type": "RoiResponseSeries"}
        notes: list[str] = []
        path, node = nwb._choose_series(made(tree | more), "here", signal, notes)
        assert node.name == f"/{path}"
        return path, notes

    raw, ratio, reference = (
        "processing/C/SignalRawFluor/S",
        "processing/C/SignalDFoF/S",
        "processing/C/SignalDFoF/Reference",
    )
    assert chosen(raw) == (raw, [])
    path, notes = chosen(raw, ratio, reference)
    assert path == ratio and notes == [f"traces taken from {ratio} (others: {raw}, {reference}; signal= chooses)"]
    assert chosen(raw, reference)[0] == raw
    assert chosen(raw, ratio, signal="raw")[0] == raw and chosen(raw, ratio, signal=f"/{ratio}/")[0] == ratio
    assert chosen("processing/A/x", "processing/A/xy", signal="processing/A/x")[0] == "processing/A/x"
    assert chosen("acquisition/A/x", "processing/A/y", signal="X") == ("acquisition/A/x", [])
    with pytest.raises(InputError, match=f"no traces are called 'q'.*Found: {ratio}"):
        chosen(ratio, signal="q")
    for many in (
        ("processing/A/x", "processing/A/y"),
        (ratio, "processing/D/SignalDFoF/T"),
        (reference, "processing/C/SignalDFoF/Reference2"),
    ):
        with pytest.raises(ChoiceNeeded, match="there are 2 sets of traces") as asked:
            chosen(*many)
        assert set(asked.value.choices) == set(many) and asked.value.option == "signal"
    last = "processing/C/SignalCalciumImResponseSeries/S"
    assert chosen(last, "processing/A/x")[0] == last
    assert (
        chosen(processing={"A": {"x": {"rois": np.arange(2), "data": np.ones(2)}, "y": {"data": np.ones(2)}}})[0]
        == "processing/A/x"
    )
    with pytest.raises(InputError, match="there are no traces"):
        chosen(processing={"A": {"y": {"data": np.ones(2)}, "z": {"rois": np.ones(2)}}})


def test_how_deep_and_how_much_is_looked_at(made, monkeypatch) -> None:
    tree: dict = {"end": {}}
    for _ in range(10):
        tree = {"g": tree}
    found = [path for path, _ in nwb._walk(made(tree), "top")]
    assert found == ["top" + "/g" * i for i in range(1, 10)]
    file = made({"a": {"x": 1, "y": 2}, "b": {}})
    monkeypatch.setattr(nwb.limits, "MAX_NWB_MEMBERS", 4)
    assert [p for p, _ in nwb._walk(file, "top")] == ["top/a", "top/b"]
    monkeypatch.setattr(nwb.limits, "MAX_NWB_MEMBERS", 3)
    with pytest.raises(FormatError, match="'top/a' of this NWB file has more than 3 members"):
        list(nwb._walk(file, "top"))


def test_rows_of_the_table_that_traces_point_to(made) -> None:
    table = {"id": np.arange(5), "label": np.arange(5)}
    file = made(
        {
            "t": table,
            "bare": {"x": 1},
            "s": {"rois": With([1, 4], table="->t")},
            "b": {"rois": With([0, 9], table="->bare")},
            "n": {"rois": [2]},
            "o": {},
        }
    )
    node, rows = nwb._segmentation(file, file["s"], "here")
    assert node.name == "/t" and rows.tolist() == [1, 4]
    assert nwb._segmentation(file, file["b"], "here")[1].tolist() == [0, 9]
    assert nwb._segmentation(file, file["n"], "here")[0] is None and nwb._segmentation(file, file["n"], "here")[
        1
    ].tolist() == [2]
    assert nwb._segmentation(file, file["o"], "here") == (None, None)
    for rois, row in (([1, 5], 5), ([-1, 2], 2)):
        wrong = made({"t": table, "s": {"rois": With(rois, table="->t")}})
        with pytest.raises(FormatError, match=f"point to row {row} of a table of 5"):
            nwb._segmentation(wrong, wrong["s"], "here")


def test_columns_of_many_values_a_row(made) -> None:
    file = made(
        {
            "a": np.arange(6.0),
            "a_index": [2, 2, 6],
            "b": ["x", "yy"],
            "c": ["A", "V", "A", "L"],
            "c_index": [0, 4],
            "d": ["", ""],
            "ID_labels": ["", ""],
            "g": {},
        }
    )
    assert [v.tolist() for v in nwb._ragged(file, "a", "here")] == [[0, 1], [], [2, 3, 4, 5]]
    assert nwb._column_texts(file, "b", "here") == ["x", "yy"] and nwb._column_texts(file, "c", "here") == ["", "AVAL"]
    assert nwb._column_texts(file, "d", "here") is None and nwb._column_texts(file, "ID_labels", "here") == ["", ""]
    assert nwb._column_texts(file, "g", "here") is None and nwb._column_texts(file, "q", "here") is None
    for index in ([2, 1, 6], [2, 7]):
        with pytest.raises(FormatError, match="the index of column 'a' is damaged"):
            nwb._ragged(made({"a": np.arange(6.0), "a_index": index}), "a", "here")
    assert nwb._ragged(made({"a": np.arange(6.0), "a_index": np.zeros(0, int)}), "a", "here") == []


def names_in(
    made, tree: dict, rows: list[int] | None, n: int, at: str = "processing/M/F/S", table: str = "t"
) -> list[str] | None:
    base = {"processing": {"M": {"F": {"S": {}}}}}
    for key, value in tree.items():
        here = base
        for part in key.split("/")[:-1]:
            here = here.setdefault(part, {})
        here[key.split("/")[-1]] = value
    file = made(base)
    return nwb._names(file, file[at], file.get(table), None if rows is None else np.array(rows, int), n, "here")


def test_names_are_in_the_table_or_beside_the_traces(made) -> None:
    two = {"label": ["k", "l"], "ID_labels": [" AVAL", "AVAR", "RIML "]}
    assert names_in(made, {"t": two}, [2, 0], 2) == ["RIML", "AVAL"]
    assert names_in(made, {"t": {"ID_labels": ["a", "b"], "name": ["x", "y", "z"]}}, [2, 0], 2) == ["z", "x"]
    assert (
        names_in(made, {"t": {"q": ["a"]}}, [0], 1) is None and names_in(made, {"t": {"names": ["a"]}}, None, 1) is None
    )
    for place in ("processing/M/F", "processing/M", "processing"):
        for key in ("NeuronIDs", "NeuronID", "SegmentationLabels"):
            held = {f"{place}/{key}": {"labels": [" A", "B "]}}
            assert names_in(made, held, None, 2) == ["A", "B"]
            assert (
                names_in(made, held, None, 3) is None
                and names_in(made, held, [1], 1) == ["B"]
                and names_in(made, held, [2], 1) is None
            )
    assert names_in(made, {"NeuronIDs": {"labels": ["A", "B"]}}, None, 2) is None  # too far away
    pal = {"processing/NeuroPAL/NeuroPALSegmentation/NeuroPALNeurons": {"ID_labels": ["A ", "B"]}}
    assert names_in(made, pal, None, 2) == ["A", "B"] and names_in(made, pal, None, 3) is None


@pytest.mark.parametrize(
    ("spacing", "unit", "expected", "note"),
    [
        ([0.5, 0.4, 2.0], "um", [2, 0.4, 0.5], 0), ([5e-7, 4e-7, 2e-6], "meters", [2, 0.4, 0.5], 0), ([0.5, 0.4, 2.0], "meters", [2, 0.4, 0.5], 1),
        ([0.001, 0.001, 0.0005], "meters", [500, 1000, 1000], 0), ([1.0, 2.0, 3.0], b"um", [3, 2, 1], 0), ([1.0, 2, 3], "pixels", None, 1),
        ([1.0, 2.0], "um", None, 0), ([1.0, 0.0, 1.0], "um", None, 0), ([1.0, np.nan, 1.0], "um", None, 0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("key", ["imaging_plane", "imaging_volume"])
def test_the_size_of_voxels(made, key, spacing, unit, expected, note) -> None:
    notes: list[str] = []
    got = nwb._grid_spacing(made({key: {"grid_spacing": With(np.array(spacing), unit=unit)}}), notes)
    assert (got is None) == (expected is None) and len(notes) == note
    if expected is not None:
        np.testing.assert_allclose(got, expected)
    assert nwb._grid_spacing(made({key: {}, "other": {"grid_spacing": [1.0, 1, 1]}}), notes) is None


def test_positions_are_the_middles_of_regions(made) -> None:
    voxels = np.array(
        [(1, 2, 3, 1.0), (3, 2, 5, 1.0), (7, 7, 7, 1.0)],
        dtype=[("x", "i4"), ("y", "i4"), ("z", "i4"), ("weight", "f4")],
    )
    plane = {"imaging_plane": {"grid_spacing": With(np.array([0.5, 1.0, 2.0]), unit="um")}}
    table = made({"voxel_mask": voxels, "voxel_mask_index": [2, 2, 3]} | plane)
    got = nwb._positions(None, table, np.array([2, 0, 1]), 3, "here", [])
    np.testing.assert_allclose(got, [[14, 7, 3.5], [8, 2, 1], [np.nan] * 3])
    assert (
        nwb._positions(None, None, np.array([0]), 1, "here", []) is None
        and nwb._positions(None, table, None, 1, "here", []) is None
    )
    for other in (
        {"voxel_mask": np.ones(3)} | plane,
        {"voxel_mask": voxels[["x", "y"]]} | plane,
        {"voxel_mask": voxels},
        plane,
    ):
        assert nwb._positions(None, made(other), np.array([0]), 1, "here", []) is None


def test_label_ids_begin_at_one_and_are_each_there_once(made) -> None:
    for ids, rows, expected in (
        ([5, 7, 9], [2, 0], [9, 5]),
        ([0, 1, 2], [1, 0], [2, 1]),
        ([4, 4, 4], [1, 2], [1, 2]),
        ([4, 4, 4], [0, 2], [1, 3]),
        (None, [1, 3], [1, 3]),
        (None, [0, 3], [1, 4]),
    ):
        table = made({"id": np.array(ids)} if ids else {"x": 1})
        assert nwb._label_ids(table, np.array(rows), "here").tolist() == expected


def test_columns_of_our_own_files(made) -> None:
    own = {
        "id": [0, 1, 2],
        "label": [4, 5, 6],
        "confidence": [0.1, 0.2, 0.3],
        "rejected": [0, 1, 0],
        "note": ["a", "b", "c"],
        "z_um": [1.0, 2, 3],
        "y_um": [4.0, 5, 6],
        "x_um": [7.0, 8, 9],
    }
    got = nwb._our_columns(made(own), np.array([2, 0]), 2, "here")
    assert {k: v.tolist() for k, v in got.items()} == {
        "labels": [6, 4], "label_confidence": [0.3, 0.1], "rejected": [0, 0], "note": ["c", "a"], "positions_um": [[3, 6, 9], [1, 4, 7]],
    }  # fmt: skip
    assert nwb._our_columns(None, np.array([0]), 1, "here") == {} and nwb._our_columns(made(own), None, 1, "here") == {}
    short = made({"id": [0, 1, 2], "label": [4, 5], "note": ["a", "b"], "z_um": [1.0], "confidence": {}})
    assert nwb._our_columns(short, np.array([2, 0]), 2, "here") == {}


@pytest.mark.parametrize(
    ("columns", "rejected", "note"),
    [
        ({"iscell": [[1, 0.9], [0, 0.1], [1, 0.5]]}, [False, True], "1 of 2 regions are rejected by column 'iscell'"), ({"Accepted": [1.0, 1, 1]}, [False, False], None),
        ({"is_rejected": [0, 1, 0]}, [False, True], "1 of 2 regions are rejected by column 'is_rejected'"), ({"rejected": [0.5, 0.6, 0]}, [False, True], "1 of 2 .* 'rejected'"),
        ({"iscell": [1], "accepted": [0, 1, 1]}, [True, False], "'accepted'"), ({"iscell": ["a", "b", "c"]}, None, None), ({"iscell": np.ones((3, 2, 1))}, None, None),
        ({"iscell": [1, 0]}, [False, True], "'iscell'"), ({"iscell": {}}, None, None), ({}, None, None),
    ],
)  # fmt: skip
def test_regions_that_other_programs_reject(made, columns, rejected, note) -> None:
    notes: list[str] = []
    got = nwb._curated(made(columns), np.array([0, 1]), {}, "here", notes)
    assert (got == {}) == (rejected is None)
    if rejected is not None:
        assert got["rejected"].tolist() == rejected
    assert (notes == []) == (note is None) and (note is None or re.search(note, notes[0]))
    assert nwb._curated(made(columns), np.array([0, 1]), {"rejected": 1}, "here", []) == {}
    assert (
        nwb._curated(None, np.array([0]), {}, "here", []) == {}
        and nwb._curated(made(columns), None, {}, "here", []) == {}
    )


def test_invalid_times_are_missing_samples_or_interruptions(made) -> None:
    file = made(
        {
            "intervals": {
                "invalid_times": {"start_time": [5.0, 1.0, np.nan, 9.0, 7.0], "stop_time": [6.0, 1.0, 3.0, 8.0, 7.5]}
            }
        }
    )
    assert nwb._invalid_times(file, "here") == [(1.0, 1.0), (5.0, 6.0), (7.0, 7.5)]
    assert nwb._invalid_times(made({"intervals": {"invalid_times": {"start_time": [2.0]}}}), "here") == [(2.0, 2.0)]
    assert (
        nwb._invalid_times(made({"intervals": {"invalid_times": {}}}), "here") == []
        and nwb._invalid_times(made({}), "here") == []
    )
    with pytest.raises(FormatError, match="invalid_times has 2 starts and 1 stops"):
        nwb._invalid_times(made({"intervals": {"invalid_times": {"start_time": [2.0, 3], "stop_time": [2.0]}}}), "here")
    traces, time, notes = np.ones((10, 2), np.float32), np.arange(10.0), []
    same = nwb._without_invalid(traces, time, [(1.0, 1.0), (3.0, 3.0 + 8e-6), (3.2, 3.8)], notes)
    assert same is traces and notes == []
    got = nwb._without_invalid(traces, time, [(2.0, 4.0), (3.5, 5.5), (8.0, 8.1)], notes)
    assert (
        np.flatnonzero(np.isnan(got[:, 0])).tolist() == np.flatnonzero(np.isnan(got[:, 1])).tolist() == [2, 3, 4, 5, 8]
    )
    assert notes == ["5 of 10 samples lie in times that the file marks as invalid: missing"]


def test_what_the_animal_is_called(made) -> None:
    tree = {"general": {"subject": {"subject_id": "w1"}, "session_id": "s1"}, "identifier": "i1"}
    assert nwb._animal(made(tree)) == "w1" and nwb._animal(made(tree | {"general": {"session_id": "s1"}})) == "s1"
    assert nwb._animal(made({"general": {"subject": {"subject_id": ""}, "session_id": {}}, "identifier": "i1"})) == "i1"
    assert nwb._animal(made({})) == ""


def test_stimuli_are_intervals_and_annotations(made) -> None:
    intervals = {
        "epochs": {"start_time": [1.0, 4.0], "stop_time": [2.0, 5.0], "tags": ["a", ""]}, "flash": {"start_time": [7.0]},
        "invalid_times": {"start_time": [0.0]}, "odd": {"start_time": [8.0, 9.0], "stop_time": [8.5, 9.5], "odor": ["x"]}, "none": {},
    }  # fmt: skip
    presented = {
        "note": {"@neurodata_type": "AnnotationSeries", "timestamps": [3.0], "data": ["n"]},
        "short": {"@neurodata_type": "AnnotationSeries", "timestamps": [3.0, 4.0], "data": ["n"]},
        "other": {"timestamps": [1.0], "data": ["n"]},
    }
    table = nwb._stimuli(made({"intervals": intervals, "stimulus": {"presentation": presented}}), "here")
    assert table.to_numpy().tolist() == [
        ["a", 1, 2],
        ["epochs", 4, 5],
        ["flash", 7, 7],
        ["odd", 8, 8.5],
        ["odd", 9, 9.5],
        ["n", 3, 3],
    ]
    assert (
        nwb._stimuli(made({"stimulus": {"presentation": {"other": presented["other"]}}}), "here").empty
        and nwb._stimuli(made({}), "here").empty
    )
    with pytest.raises(FormatError, match="interval 'epochs' has 2 starts and 1 ends"):
        nwb._stimuli(made({"intervals": {"epochs": {"start_time": [1.0, 2], "stop_time": [3.0]}}}), "here")


def test_channels_of_behaviour_are_put_on_the_clock_of_the_traces(made) -> None:
    clock = np.arange(5.0)
    channels = {
        "same": {"data": With([0.0, 0.5, 1, 2, 3], unit="mm/s"), "timestamps": clock}, "events": {"data": With(np.array([0, 1, 1, 0]), unit=b"x"), "starting_time": With(0.6, rate=1.0)},
        "text": {"data": ["a", "b"], "timestamps": [0.0, 1]}, "flat": {"data": np.ones((5, 1)), "timestamps": clock}, "short": {"data": np.ones(4), "timestamps": clock},
        "back": {"data": np.ones(5), "timestamps": [0.0, 1, 1, 2, 3]}, "clockless": {"data": np.ones(5)}, "rateless": {"data": np.ones(5), "starting_time": With(0.0, rate=0.0)},
        "empty": {"data": np.zeros(0), "timestamps": np.zeros(0)}, "unknown": {"data": [np.nan] * 5, "timestamps": clock}, "one": {"data": [4.0], "timestamps": [2.0]},
        "deep": {"data": {}, "timestamps": clock}, "late": {"data": [0.0, 2, 4], "timestamps": [1.0, 2.0, 3.5]},
    }  # fmt: skip
    file = made({"processing": {"Behavior": {"B": channels}, "Other": {"B": {"x": channels["same"]}}, "behaviour": 3}})
    got = nwb._behaviour(file, clock, "here")
    nan = np.nan
    expected = {
        "same": [0, 0.5, 1, 2, 3],
        "events": [nan, 0, 1, 1, nan],
        "unknown": [nan] * 5,
        "one": [nan, nan, 4, nan, nan],
        "late": [nan, 0, 2, 2 + 2 / 1.5, nan],
    }
    assert set(got) == set(expected)
    for name, course in expected.items():
        np.testing.assert_allclose(got[name], course)
    assert {n: v.attrs for n, v in got.items()} == {
        "same": {"kind": "continuous", "units": "mm/s"}, "events": {"kind": "binary", "units": "x"}, "unknown": {"kind": "continuous", "units": ""},
        "one": {"kind": "continuous", "units": ""}, "late": {"kind": "continuous", "units": ""},
    }  # fmt: skip
    assert not nwb._behaviour(made({}), clock, "here")


def image(shape: tuple[int, ...], **more: object) -> dict:
    return {"@neurodata_type": "TwoPhotonSeries", "data": np.zeros(shape, np.uint8)} | more


def test_image_series_are_those_of_images_calcium_first(made) -> None:
    series_ = {
        "b": image((2, 3, 4)), "CalciumImageSeries": image((2, 3, 4, 5)), "flat": image((2, 3)), "six": image((1,) * 6), "text": {"@neurodata_type": "ImageSeries", "data": ["a"]},
        "trace": {"@neurodata_type": "TimeSeries", "data": np.zeros((2, 3, 4), np.uint8)}, "volume": {"data": np.zeros((2, 3, 4), np.int8), "imaging_volume": {}}, "none": {},
    }  # fmt: skip
    file = made({"acquisition": series_, "processing": {"M": {"five": image((1, 2, 3, 4, 5))}}})
    assert list(nwb.image_series(file, "here").items()) == [
        ("acquisition/CalciumImageSeries", (2, 3, 4, 5)), ("acquisition/b", (2, 3, 4)), ("acquisition/volume", (2, 3, 4)), ("processing/M/five", (1, 2, 3, 4, 5)),
    ]  # fmt: skip
    assert nwb.image_series(made({}), "here") == {}


@pytest.mark.parametrize(
    ("tree", "rate", "times"),
    [
        ({}, np.nan, None), ({"starting_time": With(0.0, rate=2.0)}, 2.0, None), ({"starting_time": With(3.0, rate=2.0)}, 2.0, [3, 3.5, 4]), ({"starting_time": With(3.0, rate=-1.0)}, np.nan, None),
        ({"starting_time": 3.0}, np.nan, None), ({"starting_time": With(np.inf, rate=2.0)}, 2.0, None), ({"timestamps": [1.0, 1.5, 2.5]}, 1 / 0.75, [1, 1.5, 2.5]),
        ({"timestamps": [1.0, 1.5]}, 2.0, None), ({"timestamps": [1.0, 1.0, 2.0]}, 2.0, None), ({"timestamps": [1.0, 1.0, 1.0]}, np.nan, None),
        ({"timestamps": [1.0, np.nan, 2.0]}, np.nan, None), ({"timestamps": [5.0]}, np.nan, None),
    ],
)  # fmt: skip
def test_rates_and_times_of_frames(made, tree, rate, times) -> None:
    node = made(tree)
    np.testing.assert_allclose(nwb._rate(node, "here"), rate)
    got = nwb._frame_times(node, 3, "here")
    assert (None if got is None else got.tolist()) == times


def test_images_are_chosen_and_their_axes_known(made) -> None:
    def path(acquisition: dict) -> str:
        file = made({"@nwb_version": "2.0", "acquisition": acquisition})
        name = file.filename
        file.close()
        return name

    with pytest.raises(InputError, match="has no image series"):
        nwb.open_volume(path({}))
    two = path({"a": image((2, 3, 4)), "b": image((2, 3, 4, 5))})
    with pytest.raises(ChoiceNeeded, match="has 2 image series") as asked:
        nwb.open_volume(two)
    assert asked.value.choices == ("acquisition/a", "acquisition/b") and asked.value.option == "dataset"
    with pytest.raises(InputError, match=r"there is no image series 'acquisition/c'\. Found: acquisition/a"):
        nwb.open_volume(two, dataset="/acquisition/c")
    assert nwb.open_volume(two, dataset="/acquisition/b/data").data.shape == (2, 5, 4, 3)
    assert nwb.open_volume(two, dataset="acquisition/a").data.shape == (2, 1, 4, 3)
    calcium = path({"a": image((2, 3, 4)), "CalciumImageSeries": image((2, 3, 4, 5))})
    assert nwb.open_volume(calcium).data.shape == (2, 5, 4, 3)
    still = path({"a": {"@neurodata_type": "MultiChannelVolume", "data": np.zeros((3, 4, 5, 2), np.uint8)}})
    assert nwb.open_volume(still, channel=0).data.shape[-3:] == (5, 4, 3)
    moving = path({"a": {"@neurodata_type": "MultiChannelVolumeSeries", "data": np.zeros((6, 3, 4, 5, 2), np.uint8)}})
    assert nwb.open_volume(moving, channel=1).data.shape == (6, 5, 4, 3)


MASK = [("x", "i4"), ("y", "i4"), ("z", "i4")]


def test_labels_are_drawn_from_masks_or_around_centres() -> None:
    masks = [np.array([(1, 2, 0), (0, 0, 0)], MASK), np.zeros(0, MASK), np.array([(3, 4, 1)], MASK)]
    shape = (7, 2, 5, 4)
    made = nwb._labels_from_masks(masks, ["A", "", "C"], shape, np.array([2.0, 1, 0.5]), 3.0, "here", None)
    expected = np.zeros(shape[1:], int)
    expected[0, 2, 1] = expected[0, 0, 0] = 1
    expected[1, 4, 3] = 3
    np.testing.assert_array_equal(made.data.compute(), expected)
    assert (
        made.names == {1: "A", 3: "C"}
        and made.reference.voxel_size_um == (2, 1, 0.5)
        and made.reference.frame_rate_hz == 3.0
    )
    assert made.reference.axes == "zyx" and made.reference.shape == (2, 5, 4) and made.data.dtype == np.uint16
    for wrong in ((4, 0, 0), (0, 5, 0), (0, 0, 2), (-1, 0, 0)):
        with pytest.raises(FormatError, match="a voxel of region 2 lies outside the volume"):
            nwb._labels_from_masks([masks[0], np.array([wrong], MASK)], ["", ""], shape, None, 3.0, "here", None)
    centres = [np.array([(1, 2, 0)], MASK), np.zeros(0, MASK), np.array([(3, 4, 1)], MASK)]
    made = nwb._labels_from_masks(centres, ["", "", ""], shape, np.array([1.0, 1, 0.5]), 3.0, "here", 0.5)
    balls = np.argwhere(made.data.compute())
    assert {tuple(b): int(made.data[tuple(b)]) for b in balls} == {
        (0, 2, 1): 1, (0, 2, 0): 1, (0, 2, 2): 1, (1, 4, 3): 3, (1, 4, 2): 3,
    }  # fmt: skip
    for size, radius in ((None, 0.5), (np.ones(3), None)):
        with pytest.raises(InputError, match="the segmentation holds only centres"):
            nwb._labels_from_masks(centres, ["", "", ""], shape, size, 3.0, "here", radius)
    with pytest.raises(FormatError, match="the labels would take"):
        nwb._labels_from_masks(masks, ["", "", ""], (1, 1 << 13, 1 << 14, 5), None, 3.0, "here", None)


def test_the_volume_of_a_segmentation_is_that_of_an_image_with_frames(made) -> None:
    still = {"@neurodata_type": "MultiChannelVolume", "data": np.zeros((3, 4, 5, 2), np.uint8)}
    file = made(
        {
            "acquisition": {
                "a": still,
                "b": image((2, 3, 4)),
                "c": image((6, 3, 4, 5), starting_time=With(0.0, rate=2.0)),
            },
            "t": {},
        }
    )
    assert nwb._mask_space(file, file["t"], "here") == ((6, 5, 4, 3), None, 2.0)
    bare = made({"acquisition": {"a": still}, "t": {"imaging_plane": {"grid_spacing": With([1.0, 1, 1], unit="um")}}})
    shape, size, rate = nwb._mask_space(bare, bare["t"], "here")
    assert shape is None and size.tolist() == [1, 1, 1] and np.isnan(rate)


def table(place: tuple[int, int, int], **more: object) -> dict:
    """A segmentation of two regions: one voxel (x, y, z) and its neighbour along x; one at the origin."""
    x, y, z = place
    voxels = np.array([(x, y, z), (x + 1, y, z), (0, 0, 0)], MASK)
    return {"voxel_mask": voxels, "voxel_mask_index": [2, 3]} | more


def closed(made, tree: dict) -> str:
    file = made({"@nwb_version": "2.0"} | tree)
    name = file.filename
    file.close()
    return name


def test_the_segmentation_is_a_table_of_masks_or_a_series_of_labels(made) -> None:
    moving = image((6, 3, 4, 5), starting_time=With(0.0, rate=2.0))
    values = np.zeros((6, 3, 4, 5), np.uint8)
    values[:, 1, 2, 3], values[:, 0, 0, 0] = 1, 2
    drawn = moving | {"data": values}

    def places(labels) -> dict[tuple[int, ...], int]:
        found = labels.data.compute()
        return {tuple(int(v) for v in p): int(found[tuple(p)]) for p in np.argwhere(found)}

    here = {(1, 1, 0): 1, (1, 1, 1): 1, (0, 0, 0): 2}
    one = closed(
        made, {"acquisition": {"a": moving}, "processing": {"m": {"T": table((0, 1, 1), ID_labels=["", "AVAL"])}}}
    )
    got = nwb.open_labels(one)
    assert places(got) == here and got.names == {2: "AVAL"} and got.reference.frame_rate_hz == 2.0
    assert got.data.shape == (5, 4, 3)
    unnamed = nwb.open_labels(
        closed(made, {"acquisition": {"a": moving}, "processing": {"m": {"T": table((0, 1, 1))}}})
    )
    assert places(unnamed) == here and unnamed.names == {}
    for option in ({"channel": 0}, {"axes": "tzyx"}):
        with pytest.raises(InputError, match=f"{next(iter(option))}= does not apply to voxel masks"):
            nwb.open_labels(one, **option)
    # of several tables that of the calcium series, or the first by name; a table goes before a series
    tables = {"m": {"B": table((0, 2, 2)), "A": table((0, 1, 1))}}
    series_ = {"acquisition": {"a": moving, "Segmentation": drawn}}
    assert places(nwb.open_labels(closed(made, series_ | {"processing": tables}))) == here
    calcium = {"m": {"A": table((0, 2, 2)), "CalciumSeriesSegmentation": table((0, 1, 1))}}
    both = closed(made, series_ | {"processing": calcium})
    assert places(nwb.open_labels(both)) == here
    assert places(nwb.open_labels(both, dataset="processing/m/A")) == {(2, 2, 0): 1, (2, 2, 1): 1, (0, 0, 0): 2}
    # a series alone, or one that is asked for
    for path, options in ((both, {"dataset": "acquisition/Segmentation"}), (closed(made, series_), {})):
        labels = nwb.open_labels(path, **options)
        assert labels.data.shape == (6, 5, 4, 3)
        assert places(labels) == {(t, 3, 2, 1): 1 for t in range(6)} | {(t, 0, 0, 0): 2 for t in range(6)}
    floats = {"acquisition": {"a": moving, "Segmentation": moving | {"data": values + 0.5}}}
    for options in ({}, {"dataset": "acquisition/Segmentation"}):
        with pytest.raises(InputError, match="whole numbers"):
            nwb.open_labels(closed(made, floats), **options)
    with pytest.raises(InputError, match="there is no 'processing/m/Z'"):
        nwb.open_labels(both, dataset="processing/m/Z")
    two = {"acquisition": {"Segmentation1": drawn, "Segmentation2": drawn}}
    for tree in (two, {"acquisition": {"a": moving}}, two | {"processing": {"m": {}}}):
        with pytest.raises(InputError, match="there is no segmentation in this NWB file"):
            nwb.open_labels(closed(made, tree))
    with pytest.raises(InputError, match="the size of the volume is not known"):
        nwb.open_labels(closed(made, {"processing": {"m": {"T": table((0, 1, 1))}}}))
