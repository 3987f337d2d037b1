"""Planted faults are found, named in words, and put first; clean neurons are left alone."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import signal, stats

from napari_dynamic_connectome.extraction.correct import correct_traces
from napari_dynamic_connectome.extraction.extract import extract_recording
from napari_dynamic_connectome.extraction.measures import (
    correlations,
    drift_um,
    intervals,
    level_swaps,
    noise_of,
    snr_of,
)
from napari_dynamic_connectome.extraction.quality import assess_quality, recording_quality, worst_first
from napari_dynamic_connectome.model.recording import Recording

RATE = 4.0
N_T, N = 1200, 16


def fluorescence(seed: int = 0, noise: float = 3.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    events = (rng.random((N_T, N)) < 0.02) * rng.gamma(4.0, 0.2, (N_T, N))
    t = np.arange(0, 15, 1 / RATE)
    kernel = (1 - np.exp(-t / 0.8)) * np.exp(-t / 2.0)
    active = signal.fftconvolve(events, kernel[:, None], axes=0)[:N_T]
    return np.linspace(80, 400, N) * (1 + active) + rng.normal(0, noise, (N_T, N))


def positions() -> np.ndarray:
    return np.stack([np.zeros(N), np.zeros(N), 10.0 * np.arange(N)], axis=1)


def worm(values: np.ndarray, where: np.ndarray | None = None, **planes: np.ndarray) -> Recording:
    made = Recording.from_arrays(
        values.astype(np.float32), name="w", rate_hz=RATE, positions_um=positions() if where is None else where
    )
    coords = {k: (("time", "neuron"), np.asarray(v, np.float32)) for k, v in planes.items()}
    return made.replace(traces=made.traces.assign_coords(coords)) if coords else made


def tracks(where: np.ndarray, seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    moved = where[None] + np.cumsum(rng.normal(0, 0.02, (N_T, 1, 3)), axis=0) + rng.normal(0, 0.05, (N_T, N, 3))
    return {f"track_{a}": moved[:, :, i] for i, a in enumerate("zyx")}


def flagged(recording: Recording, **options) -> dict[str, str]:
    table = assess_quality(recording, **options).quality
    return {str(i): str(r) for i, r in table["reason"].items() if r}


def test_clean_neurons_are_not_flagged():
    assert flagged(worm(fluorescence(), saturated=np.zeros((N_T, N)), **tracks(positions()))) == {}


def test_noise_and_snr_are_what_was_planted():
    rng = np.random.default_rng(2)
    clean = np.cumsum(rng.normal(0, 1, (5000, 3)), axis=0)
    clean = signal.filtfilt(*signal.butter(2, 0.02), clean, axis=0)
    planted = np.array([0.5, 1.0, 2.0])
    values = clean / clean.std(axis=0) + rng.normal(0, 1, clean.shape) * planted
    noise = noise_of(values, np.arange(5000) / RATE, (), 1.0)
    np.testing.assert_allclose(noise, planted, rtol=0.06)
    np.testing.assert_allclose(snr_of(values, noise), 1 / planted, rtol=0.12)


def test_correlations_with_missing_samples_equal_scipys():
    rng = np.random.default_rng(3)
    a, b = rng.normal(100, 1, (200, 4)), rng.normal(5, 2, (200, 3))
    b[:, 0] += a[:, 1]
    a[rng.random(a.shape) < 0.2] = np.nan
    b[rng.random(b.shape) < 0.2] = np.nan
    b[:, 2] = 3.0
    found = correlations(a, b)
    for i in range(4):
        for j in range(2):
            good = np.isfinite(a[:, i]) & np.isfinite(b[:, j])
            assert found[i, j] == pytest.approx(stats.pearsonr(a[good, i], b[good, j]).statistic, abs=1e-9)
    assert np.isnan(found[:, 2]).all()


def test_a_neuron_of_noise_is_flagged():
    values = fluorescence()
    values[:, 3] = 100 + np.random.default_rng(4).normal(0, 10, N_T)
    found = flagged(worm(values))
    assert list(found) == ["#4"]
    assert "signal to noise" in found["#4"]


def test_bleaching_is_measured_on_the_traces_before_correction():
    values = fluorescence()
    t = np.arange(N_T) / RATE
    values[:, 5] *= 0.2 + 0.8 * np.exp(-t / 60.0)
    for recording in (worm(values), correct_traces(worm(values), bleaching="single exponential")):
        table = assess_quality(recording).quality
        assert table.loc["#6", "bleaching"] == pytest.approx(0.8, abs=0.05)
        assert table.loc["#6", "bleaching_tau_s"] == pytest.approx(60.0, rel=0.2)
        assert "bleaches by" in table.loc["#6", "reason"]
        assert table["flagged"].sum() == 1


def test_saturated_and_missing_voxels_and_frames_are_flagged():
    values, saturated = fluorescence(), np.zeros((N_T, N))
    saturated[:300, 2] = 0.5
    values[::2, 7] = np.nan
    found = flagged(worm(values, saturated=saturated))
    assert set(found) == {"#3", "#8"}
    assert "12.5% of its voxels are saturated" in found["#3"]
    assert "missing in 50% of the frames" in found["#8"]


def test_two_labels_on_one_neuron_and_light_from_a_neighbour_are_told_apart():
    values, where = fluorescence(), positions()
    rng = np.random.default_rng(5)
    values[:, 1] = 0.9 * values[:, 0] + rng.normal(0, 1, N_T)
    where[1] = where[0] + [0, 1.0, 0]
    values[:, 9] = 0.4 * values[:, 9] + values[:, 8]
    where[9] = where[8] + [0, 0, 4.0]
    table = assess_quality(worm(values, where)).quality
    assert table.loc["#1", "duplicate_of"] == "#2"
    assert table.loc["#2", "duplicate_of"] == "#1"
    assert table.loc["#10", "duplicate_of"] == ""
    assert table.loc["#10", "neighbour"] == "#9"
    assert "moves with its neighbour #9" in table.loc["#10", "reason"]
    assert set(table.index[table["flagged"]]) == {"#1", "#2", "#9", "#10"}


def test_alike_neurons_that_are_far_apart_are_not_suspected():
    values = fluorescence()
    values[:, 12] = 2 * values[:, 2]
    assert flagged(worm(values)) == {}


def test_movement_is_found_by_the_track_or_the_reference():
    values, track = fluorescence(), tracks(positions())
    wobble = np.sin(np.arange(N_T) / 3.0)
    track["track_y"][:, 4] += wobble
    values[:, 4] = values[:, 4] * (1 + 0.8 * wobble)
    found = flagged(worm(values, **track))
    assert list(found) == ["#5"]
    assert "movement" in found["#5"]
    reference = np.random.default_rng(6).normal(100, 1, (N_T, N))
    reference[:, 4] *= 1 + 0.8 * wobble
    assert list(flagged(worm(values, reference=reference))) == ["#5"]


def test_swapped_identities_are_found_in_the_levels():
    values = fluorescence()
    values[700:, [3, 12]] = values[700:, [12, 3]]
    table = assess_quality(worm(values)).quality
    assert table["jumps"].to_dict() == {f"#{i + 1}": int(i in (3, 12)) for i in range(N)}
    assert "sudden jumps" in table.loc["#4", "reason"]


def test_swapped_identities_are_found_in_the_tracks():
    track = tracks(positions())
    for plane in track.values():
        plane[700:, [3, 12]] = plane[700:, [12, 3]]
    track["track_z"][400:] += 8.0  # the whole worm moves: nobody jumps
    table = assess_quality(worm(fluorescence(), **track)).quality
    assert set(table.index[table["jumps"] > 0]) == {"#4", "#13"}


def test_the_worst_comes_first_and_a_settings_change_changes_the_verdict():
    values, saturated = fluorescence(), np.zeros((N_T, N))
    for i, share in ((2, 0.02), (6, 0.5), (11, 0.1)):
        saturated[:, i] = share
    table = assess_quality(worm(values, saturated=saturated)).quality
    assert worst_first(table).index[:3].tolist() == ["#7", "#12", "#3"]
    assert list(table.index) == [f"#{i + 1}" for i in range(N)]
    assert list(flagged(worm(values, saturated=saturated), max_saturated=0.2)) == ["#7"]


def test_recording_wide_faults():
    rng = np.random.default_rng(7)
    steps = np.full(N_T - 1, 0.25)
    steps[100], steps[300], steps[600] = 2.5, 5.0, 100.0
    t = np.concatenate([[0], np.cumsum(steps)])
    track = tracks(positions())
    track["track_x"] += np.linspace(0, 12.0, N_T)[:, None]
    recording = Recording.from_arrays(fluorescence().astype(np.float32), name="w", time_s=t, breaks=(t[601],))
    coords = {k: (("time", "neuron"), v) for k, v in track.items()}
    recording = recording.replace(traces=recording.traces.assign_coords(coords))
    table = recording_quality(recording).set_index("measure")
    assert table.loc["drift", "value"] == pytest.approx(11.0, abs=1.5)
    assert table.loc["dropped frames", "value"] == pytest.approx(28 / (N_T + 28))
    assert table.loc["uneven times", "value"] == pytest.approx(0.0, abs=1e-6)
    assert "drift by" in table.loc["drift", "reason"]
    assert table["flagged"].to_dict() == {
        "drift": True, "dropped frames": True, "uneven times": False, "empty frames": False,
    }  # fmt: skip
    uneven = Recording.from_arrays(np.ones((500, 2)), name="w", time_s=np.cumsum(rng.uniform(0.15, 0.35, 500)))
    whole = recording_quality(uneven)
    assert whole.loc[0, "measure"] == "uneven times"
    assert whole.loc[0, "flagged"]


def test_the_verdict_on_the_recording_is_kept_as_plain_values():
    kept = assess_quality(worm(fluorescence())).provenance["quality"]
    assert {r["measure"] for r in kept} == {"drift", "dropped frames", "uneven times", "empty frames"}
    json.dumps(kept)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("n_t", [1, 2, 3, 12])
def test_short_recordings_and_missing_neurons_make_no_fuss(n_t):
    values = np.full((n_t, 3), np.nan, np.float32)
    values[:, 1] = 5.0
    values[0, 2] = 1.0
    recording = Recording.from_arrays(values, name="w", time_s=np.arange(n_t) * 1.0)
    table = assess_quality(recording).quality
    assert table.loc["#1", "flagged"]
    assert isinstance(table, pd.DataFrame)


def test_extraction_counts_reach_the_quality_table():
    rng = np.random.default_rng(8)
    image = rng.integers(100, 200, (40, 3, 12, 12)).astype(np.uint16)
    labels = np.zeros((3, 12, 12), np.uint16)
    labels[:, 1:4, 1:4], labels[:, 7:10, 7:10] = 1, 2
    image[:, 1, 7:10, 7:10] = 4095
    recording = extract_recording(
        image, labels, name="w", voxel_size_um=(1, 1, 1), frame_rate_hz=2, settings={"saturation_value": 4095}
    )
    table = assess_quality(recording).quality
    assert table.loc["#2", "saturated"] == pytest.approx(1 / 3)
    assert table.loc["#1", "saturated"] == 0


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e4])
def test_labels_that_change_places_are_counted_in_any_unit(unit: float) -> None:
    rng = np.random.default_rng(0)
    values = np.array([1.0, 5.0, 9.0, 9.0]) + rng.normal(scale=0.05, size=(200, 4))
    values[120:, [0, 1]] = values[120:, [1, 0]]  # exchanged
    values[60:, 2] += 3.0  # a step of its own, with no partner
    time_s = np.arange(200) / 2
    noise = np.full(4, 0.05 * unit)
    assert swapped(values * unit, noise, time_s).tolist() == [1, 1, 0, 0]
    assert swapped(values * unit, noise, time_s, breaks=(59.75,)).tolist() == [0, 0, 0, 0]
    assert swapped(values[:, ::-1] * unit, noise, time_s).tolist() == [0, 0, 1, 1]
    for at in (5, 195):  # the first and the last moment with enough samples on either side
        late = np.tile([1.0, 5.0], (200, 1)) + rng.normal(scale=0.05, size=(200, 2))
        late[at:] = late[at:, ::-1]
        assert swapped(late * unit, noise[:2], time_s).tolist() == [1, 1]


def swapped(values: np.ndarray, noise: np.ndarray, time_s: np.ndarray, breaks: tuple[float, ...] = ()) -> np.ndarray:
    return level_swaps(values, noise, time_s, breaks, np.inf, 5.0)


def test_drift_is_the_way_from_the_first_to_the_last_minute() -> None:
    for n, step, length in ((2001, 0.5, 60.0), (101, 1.0, 10.0)):
        time_s = 5 + np.arange(n) * step
        track = np.zeros((n, 3, 3))
        track[time_s <= 5 + length] = (1.0, 2.0, 3.0)
        track[time_s >= time_s[-1] - length] = (1.0, 5.0, 7.0)
        track[:, 2] = np.nan
        assert drift_um(track, time_s) == pytest.approx(5.0)
    assert np.isnan(drift_um(track[:, 2:], time_s))


@pytest.mark.parametrize("dropped", [0, 1, 2, 5])
def test_dropped_frames_are_counted_and_not_across_a_break(dropped: int) -> None:
    time_s = np.arange(40) * 0.5
    time_s[20:] += dropped * 0.5
    assert intervals(time_s, ()) == pytest.approx((dropped / (40 + dropped), 0.0))
    assert intervals(time_s, (9.6,)) == pytest.approx((0.0, 0.0))
    uneven = np.array([0.0, 1.0, 2.5, 3.0, 4.0])  # 1.5 times the median is not long
    assert intervals(uneven, ()) == pytest.approx((0.0, np.std([1.0, 1.5, 0.5, 1.0]) / 1.0))
    assert np.isnan(intervals(np.array([1.0]), ())).all()
