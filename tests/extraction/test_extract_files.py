"""Extraction from files and from real images."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from scipy import ndimage
from skimage.measure import regionprops_table

from napari_dynamic_connectome.extraction.correct import correct_traces
from napari_dynamic_connectome.extraction.extract import extract_recording, extract_traces
from napari_dynamic_connectome.extraction.quality import assess_quality
from napari_dynamic_connectome.io.registry import open_labels, open_volume
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.simulation.render import render_recording
from napari_dynamic_connectome.simulation.simulate import simulate_recording

UNITS = {"voxel_size_um": (1.0, 0.5, 0.5), "frame_rate_hz": 2.0}


def test_paths_and_opened_volumes_give_the_same_as_arrays(tmp_path):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 900, (6, 3, 16, 20)).astype(np.uint16)
    labels = np.zeros((3, 16, 20), np.uint16)
    labels[1, 2:6, 3:9], labels[:, 9:12, 12:18] = 4, 7
    tifffile.imwrite(tmp_path / "image.ome.tif", image, metadata={"axes": "TZYX"})
    tifffile.imwrite(tmp_path / "labels.ome.tif", labels, metadata={"axes": "ZYX"})
    expected = extract_traces(image, labels, **UNITS)
    found = extract_traces(tmp_path / "image.ome.tif", tmp_path / "labels.ome.tif", **UNITS)
    np.testing.assert_array_equal(found.values, expected.values)
    opened = extract_traces(open_volume(tmp_path / "image.ome.tif"), open_labels(tmp_path / "labels.ome.tif"), **UNITS)
    np.testing.assert_array_equal(opened.values, expected.values)
    recording = extract_recording(tmp_path / "image.ome.tif", tmp_path / "labels.ome.tif", name="w", **UNITS)
    assert recording.volume is not None
    assert recording.volume.path.endswith("image.ome.tif")


def test_the_channel_of_an_image_with_several_is_never_guessed(tmp_path):
    rng = np.random.default_rng(0)
    image = rng.integers(1, 900, (6, 2, 3, 16, 20)).astype(np.uint16)
    labels = np.zeros((3, 16, 20), np.uint16)
    labels[1, 2:6, 3:9] = 4
    about = {"axes": "TCZYX", "Channel": {"Name": ["RFP", "GCaMP"]}}
    tifffile.imwrite(tmp_path / "image.ome.tif", image, ome=True, photometric="minisblack", metadata=about)
    for volume in (tmp_path / "image.ome.tif", open_volume(tmp_path / "image.ome.tif")):
        with pytest.raises(InputError, match=r"2 channels.*0 \(RFP\), 1 \(GCaMP\)"):
            extract_traces(volume, labels, **UNITS)
    signal = open_volume(tmp_path / "image.ome.tif", channel="GCaMP")
    reference = open_volume(tmp_path / "image.ome.tif", channel=0)
    found = extract_traces(signal, labels, reference=reference, **UNITS)
    expected = extract_traces(image[:, 1], labels, reference=image[:, 0], **UNITS)
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found["reference"].values, expected["reference"].values)


@pytest.mark.parametrize("labels", ["static", "per frame"])
def test_a_rendered_worm_comes_back_with_its_activity_and_places(tmp_path, labels):
    worm, _ = simulate_recording(n_neurons=16, duration_s=20, rate_hz=2, noise=0.0, artefacts_per_min=0.0, seed=3)
    rendered = render_recording(
        worm, tmp_path / "worm", seed=3, n_z=12, n_y=96, n_x=192, voxel_y_um=0.6, voxel_x_um=0.6, labels=labels
    )
    found = extract_recording(rendered.volume.path, rendered.labels.path, name="back", names=None)
    assert found.rate_hz == pytest.approx(2.0)
    assert found.n_times == worm.n_times
    drawn = rendered.recording
    true = dict(zip(drawn.neurons["label"], drawn.traces.values.T))
    places = dict(zip(drawn.neurons["label"], drawn.positions_um))
    matched = [
        np.corrcoef(found.traces.values[:, i], true[label])[0, 1]
        for i, label in enumerate(found.neurons["label"]) if label in true and np.std(true[label]) > 0
    ]  # fmt: skip
    assert len(matched) > 5
    assert np.median(matched) > 0.8
    away = np.array([found.positions_um[i] - places[label] for i, label in enumerate(found.neurons["label"])])
    assert np.abs(away).max() < 1.0  # half a slice


@pytest.mark.data
@pytest.mark.parametrize("background", ["none", "annulus"])
def test_real_nuclei_equal_regionprops(shared_data, background):
    image = tifffile.imread(shared_data / "volumes" / "cells3d_nuclei.tif")
    labels = tifffile.imread(shared_data / "volumes" / "cells3d_nuclei_label.tif").astype(np.uint16)
    series = np.stack([image, image // 2, np.roll(image, 3, axis=1)])
    traces = extract_traces(series, labels, voxel_size_um=(0.29, 0.26, 0.26), frame_rate_hz=1.0, background=background)
    assert traces.sizes["neuron"] == len(np.unique(labels)) - 1
    for t, frame in enumerate(series):
        table = regionprops_table(labels, frame, properties=("label", "intensity_mean"))
        plus = traces["background"].values[t] if background == "annulus" else 0.0
        np.testing.assert_allclose(traces.values[t] + plus, table["intensity_mean"], rtol=1e-5)
    if background == "annulus":  # around a bright nucleus it is darker
        assert (traces["background"].values[0] < traces.values[0] + traces["background"].values[0]).mean() > 0.9


@pytest.mark.data
def test_real_tracked_labels_that_appear_and_vanish(shared_data):
    with np.load(shared_data / "volumes" / "tgmm_mini_labels.npz") as data:
        labels = data[data.files[0]]
    assert labels.ndim == 4
    labels = labels.astype(np.uint16)
    image = np.random.default_rng(0).poisson(100 + labels % 50).astype(np.uint16)
    traces = extract_traces(image, labels, **UNITS)
    ids = traces["label"].values
    assert len(ids) == len(np.unique(labels[labels > 0]))
    for t in range(0, len(labels), 7):
        with np.errstate(invalid="ignore", divide="ignore"):
            expected = ndimage.mean(image[t].astype(float), labels[t], ids)
        np.testing.assert_allclose(traces.values[t], expected, rtol=3e-7)
    present = np.array([[(frame == i).any() for i in ids[:40]] for frame in labels])
    np.testing.assert_array_equal(np.isfinite(traces.values[:, :40]), present)
    assert not present.all()


@pytest.mark.data
def test_real_traces_can_be_corrected_and_judged(shared_data):
    with np.load(shared_data / "traces" / "dag2023_2022-07-26-31.npz", allow_pickle=False) as data:
        worm = Recording.from_arrays(data["traces_raw"].astype(np.float32), name="dag", time_s=data["t"])
        names = data["names"]
    corrected = correct_traces(worm, bleaching="double exponential", smoothing="gaussian", smoothing_s=0.6)
    judged = assess_quality(corrected).quality
    assert np.isfinite(corrected.traces.values).mean() > 0.99
    assert judged["snr"].median() > 1.0
    left, right = (corrected.traces.values[:, list(names).index(n)] for n in ("AVAL", "AVAR"))
    assert np.corrcoef(left, right)[0, 1] > 0.85  # the two command neurons fire together
    assert set(judged["reason"][~judged["flagged"]]) == {""}
    assert 0 < judged["flagged"].sum() < worm.n_neurons


@pytest.mark.parametrize("frame", [0, 4, 8])
@pytest.mark.parametrize("chunks", [None, (1, 2, 8, 8)])
def test_the_fingerprint_of_an_image_sees_first_middle_and_last_frame(frame, chunks):
    import dask.array as da

    from napari_dynamic_connectome.extraction.sources import open_source

    image = np.random.default_rng(0).integers(0, 900, (9, 2, 16, 16)).astype(np.uint16)
    other = image.copy()
    other[frame, 1, 9, 9] += 1

    def hashed(array):
        return open_source(array if chunks is None else da.from_array(array, chunks=chunks), "volume").fingerprint()

    assert hashed(image) == hashed(image.copy()) != hashed(other)
    assert hashed(image.astype(np.float32)) != hashed(image) != hashed(image[:8])


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_a_mapped_array_is_remembered_with_its_rate(tmp_path, frames):
    image = np.lib.format.open_memmap(tmp_path / "v.npy", "w+", np.uint16, (frames, 2, 8, 8))
    image[...] = np.random.default_rng(0).integers(1, 900, image.shape)
    labels = np.zeros((2, 8, 8), np.uint16)
    labels[:, 2:5, 2:5] = 1
    found = extract_recording(image, labels, name="w", voxel_size_um=(2, 0.5, 0.4), frame_rate_hz=2.5).volume
    assert found is not None and found.path == str(tmp_path / "v.npy") and found.axes == "tzyx"
    assert found.shape == image.shape and found.voxel_size_um == (2, 0.5, 0.4)
    np.testing.assert_allclose(found.frame_rate_hz, np.nan if frames == 1 else 2.5)
