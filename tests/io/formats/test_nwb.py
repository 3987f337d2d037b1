"""NWB: files that pynwb wrote in the WormID layout are read; what we write is valid and comes back the same."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.extraction.extract import extract_recording
from napari_dynamic_connectome.io.registry import identify, open_labels, open_volume, read_recording, write_recording
from napari_dynamic_connectome.model.attributes import attributes_of
from napari_dynamic_connectome.model.errors import InputError
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
