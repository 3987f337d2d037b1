"""Rendered volumes: readable as OME-Zarr, faithful to the traces, atomic, independent of threads, bounded in memory."""

from __future__ import annotations

import csv
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_dynamic_connectome.extraction.extract import extract_recording, extract_traces
from napari_dynamic_connectome.io.registry import open_labels, open_volume, read_recording
from napari_dynamic_connectome.model.errors import Cancelled, InputError
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.simulation import optics
from napari_dynamic_connectome.simulation.placement import place_nuclei
from napari_dynamic_connectome.simulation.render import render_recording
from napari_dynamic_connectome.simulation.simulate import simulate_recording

SMALL = {"n_z": 12, "n_y": 96, "n_x": 200, "voxel_z_um": 3.0, "voxel_y_um": 0.7, "voxel_x_um": 0.7}


@pytest.fixture(scope="module")
def worm() -> Recording:
    return simulate_recording(n_neurons=30, missing=0.0, unnamed=0.1, duration_s=15, seed=1)[0]


@pytest.fixture(scope="module")
def rendered(worm, tmp_path_factory):
    return render_recording(worm, tmp_path_factory.mktemp("render") / "worm.ome.zarr", SMALL, seed=2)


def correlations(result, frames: int | None = None) -> np.ndarray:
    """Correlation of extracted and given traces, matched by label."""
    volume = zarr.open_array(str(Path(result.volume.path) / "0"), mode="r")
    labels = zarr.open_array(str(Path(result.labels.path) / "0"), mode="r")
    found = extract_traces(
        volume,
        labels if labels.ndim == 4 else labels[...],
        voxel_size_um=result.volume.voxel_size_um,
        frame_rate_hz=result.volume.frame_rate_hz,
    )
    column = {int(label): i for i, label in enumerate(found["label"].values)}
    wanted = result.recording
    return np.array(
        [
            np.corrcoef(found.values[:, column[label]], wanted.traces.values[:, i])[0, 1]
            for i, label in enumerate(wanted.neurons["label"])
        ]
    )


def test_layout_is_ome_zarr_with_names_and_stimuli(worm, rendered) -> None:
    root = zarr.open_group(str(rendered.path), mode="r")
    scales = root.attrs["multiscales"][0]
    assert [a["name"] for a in scales["axes"]] == list("tzyx")
    assert [a.get("unit") for a in scales["axes"]] == ["second", "micrometer", "micrometer", "micrometer"]
    assert scales["datasets"][0]["coordinateTransformations"][0]["scale"] == pytest.approx([0.25, 3.0, 0.7, 0.7])
    assert root["0"].shape == (60, 12, 96, 200) and root["0"].dtype == np.uint16
    assert root["0"].chunks == (1, 12, 96, 200)
    assert root["labels"].attrs["labels"] == ["neurons"]
    properties = root["labels/neurons"].attrs["image-label"]["properties"]
    names = {p["label-value"]: p["name"] for p in properties}
    assert names == dict(zip(worm.neurons["label"], worm.neurons["name"], strict=True))
    labels = root["labels/neurons/0"][...]
    assert set(np.unique(labels)) == {0, *names}
    about = root.attrs["dynamic_connectome"]
    assert about["recording"] == worm.name and about["frame_rate_hz"] == pytest.approx(4.0)
    assert [s["name"] for s in about["stimuli"]] == list(worm.stimuli["name"])
    with (rendered.path / "neurons.csv").open() as file:
        assert {row["name"] for row in csv.DictReader(file)} == set(worm.neurons["name"])
    assert rendered.names == {k: v for k, v in names.items() if v}
    assert rendered.volume.shape == (60, 12, 96, 200) and rendered.labels.axes == "zyx"


def test_labels_lie_where_the_table_says(rendered) -> None:
    labels = zarr.open_array(str(Path(rendered.labels.path) / "0"), mode="r")[...]
    for label, z, y, x in rendered.recording.neurons[["label", "z", "y", "x"]].to_numpy():
        centre = np.argwhere(labels == int(label)).mean(axis=0) * [3.0, 0.7, 0.7]
        assert (np.abs(centre - [z, y, x]) <= [1.6, 0.4, 0.4]).all()


def test_extraction_gives_the_traces_back(worm, tmp_path) -> None:
    fine = {"n_z": 20, "n_y": 160, "n_x": 320, "voxel_y_um": 0.45, "voxel_x_um": 0.45}
    found = correlations(render_recording(worm, tmp_path / "fine.ome.zarr", fine, seed=2))
    assert np.mean(found >= 0.99) >= 0.95


def test_moving_worm_has_labels_for_every_frame(worm, tmp_path) -> None:
    result = render_recording(worm, tmp_path / "moving.ome.zarr", SMALL, seed=2, motion_um=4.0)
    labels = zarr.open_array(str(Path(result.labels.path) / "0"), mode="r")[...]
    assert labels.shape == (60, 12, 96, 200) and result.labels.axes == "tzyx"
    ids = set(worm.neurons["label"])
    assert all(set(np.unique(frame)) == {0, *ids} for frame in labels)
    some = int(worm.neurons["label"].iloc[0])
    course = np.array([np.argwhere(frame == some)[:, 2].mean() for frame in labels]) * 0.7
    assert np.ptp(course) > 4.0
    moving = correlations(result)
    assert np.median(moving) > 0.9
    # Labels that stay behind lose the neurons, so that following them is worth it.
    still = render_recording(worm, tmp_path / "still.ome.zarr", SMALL, seed=2, motion_um=4.0, labels="static")
    assert np.median(correlations(still)) < np.median(moving) - 0.1


def test_result_does_not_depend_on_threads(worm, tmp_path) -> None:
    short = worm.replace(traces=worm.traces.isel(time=slice(0, 8)), behaviour=worm.behaviour.isel(time=slice(0, 8)))
    images = []
    for workers in (1, 3):
        result = render_recording(short, tmp_path / f"{workers}.zarr", SMALL, seed=5, workers=workers)
        images.append(zarr.open_array(str(result.path / "0"), mode="r")[...])
    np.testing.assert_array_equal(*images)
    other = render_recording(short, tmp_path / "other.zarr", SMALL, seed=6)
    assert (zarr.open_array(str(other.path / "0"), mode="r")[...] != images[0]).mean() > 0.5


def exposed(
    frame: np.ndarray, counts: np.ndarray, gain: float, noise: float, background: float, *, looked_up: bool = True
) -> None:
    normals = optics.normal_table()
    plain = optics.plain_table(background, gain, noise, normals)
    one = np.float32(background if looked_up else np.nan)  # no voxel equals NaN
    optics.expose(frame, counts, gain, noise, np.uint64(7), normals, one, plain)


def test_background_that_is_looked_up_is_the_same_as_worked_out() -> None:
    """Rows whose length four does not divide, counts at both ends of the range."""
    rng = np.random.default_rng(0)
    for background, noise in ((110.0, 3.0), (0.0, 6.0), (65_500.0, 90.0)):
        frame = np.full((5, 40, 47), background, np.float32)
        frame[rng.random(frame.shape) < 0.1] += 300
        found, wanted, given = np.empty(frame.shape, np.uint16), np.empty(frame.shape, np.uint16), frame.copy()
        exposed(frame, found, 0.5, noise, background)
        exposed(given, wanted, 0.5, noise, background, looked_up=False)
        np.testing.assert_array_equal(found, wanted)
        assert len(np.unique(found)) > 5 and (frame == background).all()  # ready for the next frame


def test_noise_has_the_stated_variance() -> None:
    frame = np.full((8, 128, 256), 200.0, np.float32)
    frame[4:] = 1000.0
    counts = np.empty(frame.shape, np.uint16)
    exposed(frame, counts, 0.5, 4.0, 200.0)
    for half, mean in ((counts[:4], 200.0), (counts[4:], 1000.0)):
        # Rounding adds 1/12.
        assert half.mean() == pytest.approx(mean, abs=5 * np.sqrt(0.5 * mean / half.size) + 0.05)
        assert half.var() == pytest.approx(0.5 * mean + 16 + 1 / 12, rel=0.03)
    flat = counts[0].astype(float) - counts[0].mean()
    assert abs((flat[:, 1:] * flat[:, :-1]).mean() / flat.var()) < 0.03
    assert abs((flat[1:] * flat[:-1]).mean() / flat.var()) < 0.03


def test_nucleus_is_a_blurred_ball() -> None:
    """Against a finely sampled ball convolved with a Gaussian."""
    from scipy.ndimage import gaussian_filter

    voxel, radius, blur = np.array([0.25] * 3), 2.0, np.array([0.5, 0.3, 0.3])
    frame = np.zeros((41, 41, 41), np.float32)
    centre = np.array([[5.0, 5.0, 5.0]])
    optics.draw_nuclei(frame, centre, np.array([100.0], np.float32), voxel, radius, blur, optics.edge_table())
    grid = np.stack(np.meshgrid(*[np.arange(41) * 0.25 - 5.0] * 3, indexing="ij"))
    ball = gaussian_filter((np.sqrt((grid**2).sum(axis=0)) <= radius) * 100.0, blur / voxel)
    assert np.abs(frame - ball).max() < 12.0
    assert frame.sum() == pytest.approx(ball.sum(), rel=0.05)
    assert frame[20, 20, 20] == pytest.approx(100.0, abs=0.5) and frame[0].max() == 0.0


def test_overlapping_labels_go_to_the_nearer_centre() -> None:
    labels = np.zeros((5, 20, 20), np.uint16)
    centres = np.array([[2.0, 10.0, 7.0], [2.0, 10.0, 12.0]])
    optics.draw_labels(
        labels, np.empty(labels.shape, np.float32), centres, np.array([3, 9], np.uint16), np.ones(3), 4.0
    )
    for z, y, x in np.argwhere(labels):
        distance = np.linalg.norm(centres - [z, y, x], axis=1)
        assert labels[z, y, x] == (3, 9)[int(np.argmin(distance))] and distance.min() <= 4.0
    tiny = np.zeros((5, 20, 20), np.uint16)
    optics.draw_labels(
        tiny, np.empty(tiny.shape, np.float32), centres + 0.4, np.array([3, 9], np.uint16), np.ones(3), 0.1
    )
    assert (tiny == 3).sum() == (tiny == 9).sum() == 1


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(0, 2**32 - 1), st.floats(0.0, 1.0), st.floats(0.1, 300.0))
def test_nuclei_are_apart_and_inside(n: int, seed: int, unknown: float, spread: float) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(0, spread, (n, 3)) + 1000
    points[rng.random(n) < unknown] = np.nan
    field, apart, margin = np.array([40.0, 76.0, 150.0]), np.array([7.0, 5.0, 5.0]), np.array([3.0, 2.5, 2.5])
    placed = place_nuclei(points, tuple(field), tuple(apart), tuple(margin), rng)
    assert (placed >= margin - 1e-9).all() and (placed <= field - margin + 1e-9).all()
    gaps = np.linalg.norm((placed[:, None] - placed[None]) / apart, axis=2)[np.triu_indices(n, 1)]
    assert n < 2 or gaps.min() >= 1.0 - 1e-6


def test_positions_that_fit_are_only_shifted() -> None:
    points = np.array([[0.0, 0.0, 0.0], [10.0, 5.0, 60.0], [3.0, 20.0, 30.0]])
    placed = place_nuclei(points, (40.0, 76.0, 150.0), (7.0, 5.0, 5.0), (3.0,) * 3, np.random.default_rng(0))
    np.testing.assert_allclose(placed - placed[0], points - points[0], atol=1e-9)


def test_a_single_slice_and_a_single_neuron(tmp_path) -> None:
    traces = np.abs(np.random.default_rng(0).normal(1, 0.2, (5, 3)))
    recording = Recording.from_arrays(traces, name="flat", rate_hz=1.0)
    result = render_recording(recording, tmp_path / "flat.zarr", n_z=1, n_y=64, n_x=64)
    assert result.volume.shape == (5, 1, 64, 64)
    one = Recording.from_arrays(traces[:1, :1], name="one", rate_hz=1.0)
    assert render_recording(one, tmp_path / "one.zarr", n_z=4, n_y=64, n_x=64).volume.shape == (1, 4, 64, 64)


def test_traces_of_any_kind_are_drawn(tmp_path) -> None:
    """Z-scores, a flat trace, gaps, an empty trace, huge values, unknown labels, uneven times."""
    rng = np.random.default_rng(0)
    traces = rng.normal(0, 1, (80, 6)).cumsum(axis=0)
    traces[:, 1] = 0.0
    traces[20:30, 2] = np.nan
    traces[:, 3] = np.nan
    traces[:, 4] = 1e9 * (2 + np.sin(np.arange(80)))
    times = np.arange(80) + rng.uniform(0, 0.4, 80)
    recording = Recording.from_arrays(traces, name="odd", time_s=times, labels=[0, 1, 2, 3, 4, 5])
    result = render_recording(recording, tmp_path / "odd.zarr", SMALL, drift_um=0.0, bleaching=0.0)
    assert list(result.recording.neurons["label"]) == [1, 2, 3, 4, 5, 6]
    images = zarr.open_array(str(result.path / "0"), mode="r")[...]
    assert images.max() < 65_535
    labels = zarr.open_array(str(Path(result.labels.path) / "0"), mode="r")[...]
    for column in (0, 2, 4, 5):
        values = images[:, labels == column + 1].mean(axis=1)
        finite = np.isfinite(traces[:, column])
        assert np.corrcoef(values[finite], traces[finite, column])[0, 1] > 0.99
    about = zarr.open_group(str(result.path), mode="r").attrs["dynamic_connectome"]
    np.testing.assert_allclose(about["time_s"], times)


def test_cancel_leaves_nothing(worm, tmp_path) -> None:
    calls = []

    def cancel() -> bool:
        calls.append(time.monotonic())
        return len(calls) > 5

    with pytest.raises(Cancelled):
        render_recording(worm, tmp_path / "worm.ome.zarr", SMALL, cancel=cancel)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_frame_leaves_nothing(worm, tmp_path, monkeypatch) -> None:
    def broken(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(optics, "expose", broken)
    with pytest.raises(InputError, match="No space left"):
        render_recording(worm, tmp_path / "worm.ome.zarr", SMALL)
    assert list(tmp_path.iterdir()) == []


def test_overwriting_is_asked_for_and_never_hits_other_folders(worm, tmp_path) -> None:
    short = worm.replace(traces=worm.traces.isel(time=slice(0, 3)), behaviour=worm.behaviour.isel(time=slice(0, 3)))
    target = tmp_path / "worm.ome.zarr"
    render_recording(short, target, SMALL)
    with pytest.raises(InputError, match="something already"):
        render_recording(short, target, SMALL)
    render_recording(short, target, SMALL, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["worm.ome.zarr"]
    precious = tmp_path / "thesis"
    precious.mkdir()
    (precious / "chapter1.txt").write_text("all my work")
    with pytest.raises(InputError, match="not an OME-Zarr"):
        render_recording(short, precious, SMALL, overwrite=True)
    assert (precious / "chapter1.txt").read_text() == "all my work"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a folder that cannot be written")
def test_folder_without_permission(worm, tmp_path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(InputError, match="cannot be written"):
            render_recording(worm, tmp_path / "worm.ome.zarr", SMALL)
    finally:
        tmp_path.chmod(0o700)


def test_too_many_nuclei(tmp_path) -> None:
    recording = Recording.from_arrays(np.ones((2, 400)), name="crowd", rate_hz=1.0)
    with pytest.raises(InputError, match="do not fit"):
        render_recording(recording, tmp_path / "x.zarr", n_z=4, n_y=32, n_x=32)
    assert list(tmp_path.iterdir()) == []


def test_progress_reaches_one(worm, tmp_path) -> None:
    short = worm.replace(traces=worm.traces.isel(time=slice(0, 6)), behaviour=worm.behaviour.isel(time=slice(0, 6)))
    seen: list[float] = []
    render_recording(short, tmp_path / "x.zarr", SMALL, progress=lambda f, m="": seen.append(f))
    assert seen == sorted(seen) and seen[-1] == 1.0


@pytest.mark.data
@pytest.mark.parametrize("uid", ["2022-07-26-31"])
def test_real_worm_survives_rendering_and_extraction(shared_data, tmp_path, uid: str) -> None:
    """File to file, as a user does it: r >= .99 for 95 % of the neurons, names intact (fewer frames, to be quick)."""
    whole = read_recording(shared_data / "traces" / f"dag2023_{uid}.npz")
    frames = slice(0, 150)
    worm = whole.replace(traces=whole.traces.isel(time=frames), behaviour=whole.behaviour.isel(time=frames))
    result = render_recording(worm, tmp_path / "real.ome.zarr", seed=3)
    assert result.volume.shape == (150, 20, 256, 512)
    volume, labels = open_volume(result.path), open_labels(result.path)
    found = extract_recording(volume, labels, name="back", names=labels.names)
    assert sorted(found.named) == sorted(worm.named) and len(found.named) > 80
    column = {label: i for i, label in enumerate(found.neurons["label"].tolist())}
    agreement = []
    for i, (label, name) in enumerate(result.recording.neurons[["label", "name"]].itertuples(index=False)):
        assert found.neurons["name"].iloc[column[label]] == name
        agreement.append(np.corrcoef(found.traces.values[:, column[label]], worm.traces.values[:, i])[0, 1])
    assert np.mean(np.array(agreement) >= 0.99) >= 0.95


def test_tables_of_a_worm_hold_no_formulas(tmp_path) -> None:
    from napari_dynamic_connectome.model.recording import Recording
    from napari_dynamic_connectome.simulation.layout import write_tables

    stimuli = pd.DataFrame({"name": ["=1+1"], "onset": [0.5], "offset": [1.0]})
    worm = Recording.from_arrays(np.ones((4, 2)), name="w", rate_hz=2, names=["AVAL", ""], stimuli=stimuli)
    write_tables(tmp_path, worm)
    assert pd.read_csv(tmp_path / "stimuli.csv")["name"].tolist() == ["'=1+1"]
    assert pd.read_csv(tmp_path / "neurons.csv")["neuron"].tolist() == ["AVAL", "#2"]
