"""Partialling out behaviour: what is left is what least squares leaves, piece by piece, and never reaches across a break."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import linalg

from napari_dynamic_connectome.comparison.confounds import (
    confound_report,
    partial_out,
    partial_out_cohort,
    regress,
)
from napari_dynamic_connectome.comparison.settings import ConfoundSettings
from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.recording import Recording

RATE = 4.0


def worm(traces, behaviour=None, *, name="w", kind="continuous", **more) -> Recording:
    time = np.arange(len(traces)) / RATE
    channels = {k: ("time", v, {"kind": kind}) for k, v in (behaviour or {}).items()}
    return Recording.from_arrays(
        np.asarray(traces, float),
        name=name,
        time_s=more.pop("time_s", time),
        names=[f"N{i}" for i in range(np.shape(traces)[1])],
        behaviour=xr.Dataset(channels),
        **more,
    )


def slow(rng, n: int) -> np.ndarray:
    return np.convolve(rng.standard_normal(n + 20), np.ones(20) / 20, mode="valid")[:n]


def test_residuals_are_those_of_ordinary_least_squares() -> None:
    rng = np.random.default_rng(0)
    n = 300
    speed, bend = slow(rng, n), slow(rng, n)
    traces = np.stack([3 * speed + rng.standard_normal(n), np.roll(bend, 4) + 5, rng.standard_normal(n)], axis=1)
    traces[50:60, 0] = np.nan
    speed[100] = np.nan
    recording = worm(traces, {"speed": speed, "bend": bend})
    found = regress(recording, ConfoundSettings(channels=("speed", "bend"), first_lag_s=0, last_lag_s=2, lag_step_s=1))
    # by hand: columns at lags of 0, 4 and 8 samples, the intercept, and only rows where everything is there
    design = np.full((n, 7), np.nan)
    for k, (series, lag) in enumerate([(s, lag) for s in (speed, bend) for lag in (0, 4, 8)]):
        design[lag:, k] = series[: n - lag]
    design[:, 6] = 1
    for neuron in range(3):
        keep = np.isfinite(design).all(axis=1) & np.isfinite(traces[:, neuron])
        beta = linalg.lstsq(design[keep], traces[keep, neuron])[0]
        rest = traces[keep, neuron] - design[keep] @ beta
        np.testing.assert_allclose(found.residual[keep, neuron], rest + traces[keep, neuron].mean(), atol=1e-9)
        assert np.isnan(found.residual[~keep, neuron]).all() and found.samples[neuron] == keep.sum()
        assert found.explained[neuron] == pytest.approx(1 - rest.var() / traces[keep, neuron].var())
    assert found.explained[1] > 0.99 and found.explained[2] < 0.1


@pytest.mark.parametrize("break_by", ["break", "gap"])
def test_lags_and_levels_end_at_breaks(break_by) -> None:
    rng = np.random.default_rng(1)
    n, half = 400, 200
    speed = slow(rng, n)
    speed[half:] += 50  # behaviour and trace jump where the recording was interrupted
    trace = 2 * slow(rng, n)
    trace[half:] += 7
    time = np.arange(n) / RATE
    if break_by == "gap":
        time[half:] += 100
        recording = worm(trace[:, None], {"speed": speed}, time_s=time)
    else:
        recording = worm(trace[:, None], {"speed": speed}, breaks=(time[half],))
    found = regress(recording, ConfoundSettings(channels=("speed",), first_lag_s=0, last_lag_s=2, lag_step_s=2))
    assert np.isnan(found.residual[half : half + 8, 0]).all() and np.isfinite(found.residual[half + 8 :, 0]).all()
    # the jump is no covariance: each piece keeps its own level
    for part in (slice(8, half), slice(half + 8, n)):
        assert found.residual[part, 0].mean() == pytest.approx(trace[part].mean())
    other = recording.replace(
        behaviour=xr.Dataset({"speed": ("time", speed - 50 * (np.arange(n) >= half), {"kind": "continuous"})})
    )
    np.testing.assert_allclose(
        regress(other, ConfoundSettings(channels=("speed",), first_lag_s=0, last_lag_s=2, lag_step_s=2)).residual,
        found.residual,
        atol=1e-9,
    )


def test_a_lag_follows_or_precedes() -> None:
    rng = np.random.default_rng(2)
    speed = slow(rng, 400)
    late, early = np.roll(speed, 8), np.roll(speed, -8)
    late[:8], early[-8:] = np.nan, np.nan
    recording = worm(np.stack([late, early], axis=1), {"speed": speed})
    follows = regress(recording, ConfoundSettings(channels=("speed",), first_lag_s=2, last_lag_s=2)).explained
    precedes = regress(recording, ConfoundSettings(channels=("speed",), first_lag_s=-2, last_lag_s=-2)).explained
    assert follows[0] == pytest.approx(1) and follows[1] < 0.9
    assert precedes[1] == pytest.approx(1) and precedes[0] < 0.9


def test_movement_is_taken_out_of_each_neuron_by_its_own() -> None:
    rng = np.random.default_rng(3)
    n = 300
    track = rng.standard_normal((n, 2))
    recording = worm(10 + track * [2, 0.0] + 0.01 * rng.standard_normal((n, 2)))
    traces = recording.traces.assign_coords(track_z=(("time", "neuron"), track))
    found = regress(recording.replace(traces=traces), ConfoundSettings(motion=True))
    assert found.explained[0] > 0.99 and found.explained[1] < 0.1 and found.regressors == 1
    with pytest.raises(InputError, match="movement of its neurons is not known"):
        partial_out(recording, motion=True)


def test_it_is_recorded_and_done_once() -> None:
    rng = np.random.default_rng(4)
    speed = slow(rng, 200)
    recording = worm(np.stack([speed + rng.random(200), rng.random(200)], axis=1), {"speed": speed})
    once = partial_out(recording, channels=("speed",))
    entry = once.provenance["history"][-1]
    assert entry["operation"] == "partial out" and entry["settings"]["channels"] == ["speed"]
    assert partial_out(once, channels=("speed",)) is once
    assert partial_out(recording) is recording
    left = once.traces.values[:, 0]
    keep = np.isfinite(left)
    assert abs(np.corrcoef(left[keep], speed[keep])[0, 1]) < 1e-6


def test_what_is_explained_stands_beside_chance() -> None:
    rng = np.random.default_rng(5)
    speed = slow(rng, 600)
    recording = worm(np.stack([speed + 0.1 * slow(rng, 600), slow(rng, 600)], axis=1), {"speed": speed})
    table = confound_report(Cohort([recording]), channels=("speed",)).set_index("neuron")
    assert table.loc["N0", "explained"] > 0.9 > 3 * table.loc["N0", "by_chance"]
    assert table.loc["N1", "explained"] < 5 * table.loc["N1", "by_chance"] + 0.05


def test_bad_input_in_words() -> None:
    rng = np.random.default_rng(6)
    traces, speed = rng.random((200, 2)), slow(rng, 200)
    has, lacks = worm(traces, {"speed": speed}, name="a"), worm(traces, name="b")
    cohort = Cohort([has, lacks, lacks.replace(name="c")])
    with pytest.raises(InputError, match=r"'speed' was not measured in 2 of 3 worms \(b, c\)"):
        partial_out_cohort(cohort, channels=("speed",))
    with pytest.raises(InputError, match=r"no behaviour 'nose'.*Known: speed"):
        partial_out(has, channels=("nose",))
    with pytest.raises(InputError, match="never measured"):
        partial_out(worm(traces, {"speed": np.full(200, np.nan)}), channels=("speed",))
    with pytest.raises(InputError, match="24 samples are too few for 5 regressors"):
        partial_out(worm(traces[:40], {"speed": speed[:40]}), channels=("speed",))
    with pytest.raises(InputError, match="last_lag_s"):
        partial_out(has, channels=("speed",), first_lag_s=5)
    assert partial_out_cohort(cohort) is cohort
