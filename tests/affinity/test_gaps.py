"""Breaks, gaps, missing neurons and uneven time stamps: nothing reaches across, nothing is made up."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dynamic_connectome import Cohort, Recording
from napari_dynamic_connectome.affinity.compute import compute_affinity
from napari_dynamic_connectome.affinity.measures import KINDS
from napari_dynamic_connectome.affinity.sampling import complete_part, even_clock, sample_worm

NAMES = ["AVAL", "AVAR", "AVEL", "RIBL"]
RATE = 4.0


def traces(seed=0, n_times=120, n=4):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n_times, n)).cumsum(axis=0)


def spec_of(x, time_s=None, breaks=(), **options):
    time_s = np.arange(len(x)) / RATE if time_s is None else time_s
    worm = Recording.from_arrays(x, name="w", time_s=time_s, names=NAMES[: x.shape[1]], breaks=breaks)
    return compute_affinity(Cohort([worm]), **options)


@pytest.mark.parametrize("kind", KINDS)
def test_a_jump_at_a_break_changes_nothing(kind):
    x = traces()
    jumped = x.copy()
    jumped[50:] += [100.0, 300.0, -50.0, 20.0]
    breaks = (50 / RATE,)
    options = {"kind": kind, "window_s": 5.0}
    # A correlation is of the trace scaled as a whole, which costs digits here.
    np.testing.assert_allclose(
        spec_of(jumped, breaks=breaks, **options).blocks[0].dense(),
        spec_of(x, breaks=breaks, **options).blocks[0].dense(),
        atol=1e-3 if kind == "sliding correlation" else 1e-5,
    )
    without = spec_of(jumped, **options).blocks[0].dense()
    assert np.abs(without - spec_of(x, **options).blocks[0].dense()).max() > 0.1


def test_slopes_beside_a_break_see_one_side_only():
    x = traces()[:, :1]
    whole = sample_worm(np.arange(120) / RATE, x, (50 / RATE,), RATE, 1.0).fit(1.0, 1)[0][0]
    left = sample_worm(np.arange(50) / RATE, x[:50], (), RATE, 1.0).fit(1.0, 1)[0][0]
    right = sample_worm(np.arange(70) / RATE, x[50:], (), RATE, 1.0).fit(1.0, 1)[0][0]
    np.testing.assert_allclose(whole, np.concatenate([left, right]), atol=1e-12)


def test_a_run_ends_at_a_break():
    # A ramp never changes its sign; with a break after every third sample no run lasts longer than 0.75 s.
    ramp = np.arange(81.0)[:, None] * [1.0, 2.0]
    assert spec_of(ramp).blocks[0].dense().min() > 0
    breaks = tuple(np.arange(3, 81, 3) / RATE)
    assert spec_of(ramp, breaks=breaks, min_run_s=0.75).blocks[0].dense().min() > 0
    assert not spec_of(ramp, breaks=breaks, min_run_s=1.0).blocks[0].dense().any()


@pytest.mark.parametrize("kind", KINDS)
def test_times_in_a_gap_of_the_recording_are_not_observed(kind):
    x = traces()
    time = np.arange(120) / RATE
    time[60:] += 10.0
    block = spec_of(x, time_s=time, kind=kind).blocks[0]
    inside = (block.time_s > time[59] + 1e-9) & (block.time_s < time[60] - 1e-9)
    assert inside.sum() == 40
    np.testing.assert_array_equal(block.observed, ~inside)
    assert not block.dense()[:, :, inside].any()


@pytest.mark.parametrize("kind", KINDS)
def test_nan_everywhere_is_a_gap_like_any_other(kind):
    x = traces()
    x[60:80] = np.nan
    block = spec_of(x, kind=kind).blocks[0]
    expected = np.ones(120, bool)
    expected[60:80] = False
    np.testing.assert_array_equal(block.observed, expected)
    values = block.dense()
    assert np.isfinite(values).all()
    assert not values[:, :, 60:80].any()


def test_single_missing_samples_are_bridged():
    x = traces(n_times=200)
    holed = x.copy()
    rng = np.random.default_rng(2)
    for neuron in range(4):
        holed[rng.choice(np.arange(5, 195, 3), 8, replace=False), neuron] = np.nan
    block = spec_of(holed).blocks[0]
    assert block.observed.all()
    assert np.corrcoef(block.dense().ravel(), spec_of(x).blocks[0].dense().ravel())[0, 1] > 0.9


def test_a_neuron_missing_for_long_is_left_out_rather_than_the_others_cut():
    x = traces(n_times=200)
    x[:150, 3] = np.nan
    spec = spec_of(x)
    assert spec.pairs.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert spec.blocks[0].observed.all()
    assert "RIBL left out" in spec.notes[0]


def test_a_neuron_missing_briefly_costs_those_times():
    x = traces(n_times=200)
    x[40:60, 3] = np.nan
    spec = spec_of(x)
    assert len(spec.pairs) == 6
    assert spec.blocks[0].observed.sum() == 180
    assert not spec.blocks[0].observed[40:60].any()
    assert "5.0 s left out" in spec.notes[0]


@pytest.mark.parametrize("kind", KINDS)
def test_counting_a_gap_as_zero_keeps_all_neurons_and_times(kind):
    x = traces(n_times=200)
    x[40:60, 3] = np.nan
    spec = spec_of(x, missing="zero", kind=kind, window_s=5.0)
    block = spec.blocks[0]
    assert len(spec.pairs) == 6
    assert block.observed.all()
    values = block.dense()[0]
    with_missing = [r for r in range(6) if 3 in spec.pairs[block.rows[r]]]
    assert not values[with_missing, 40:60].any()
    assert np.isfinite(values).all()
    assert all(values[r, 40:60].any() for r in range(6) if r not in with_missing)


def test_neurons_without_any_value_are_left_out():
    x = traces()
    x[:, 1] = np.nan
    spec = spec_of(x)
    assert spec.neurons == ("AVAL", "AVEL", "RIBL")
    assert len(spec.pairs) == 3


def test_uneven_time_stamps_give_nearly_the_same_affinity():
    rng = np.random.default_rng(3)
    even = np.arange(0, 120, 0.25)
    uneven = np.sort(np.concatenate([[0.0, even[-1]], even[1:-1] + rng.uniform(-0.12, 0.12, len(even) - 2)]))

    def smooth(t):
        return np.stack([np.sin(t / 2), np.sin(t / 2 + 0.4), np.cos(t / 3), np.sin(t / 5)], axis=1)

    made = spec_of(smooth(uneven), time_s=uneven, rate_hz=4.0)
    wanted = spec_of(smooth(even), time_s=even, rate_hz=4.0)
    assert made.blocks[0].n_times == wanted.blocks[0].n_times
    assert np.abs(made.blocks[0].dense() - wanted.blocks[0].dense()).mean() < 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_worms_of_different_rates_share_the_slowest(kind):
    def record(rate, name):
        t = np.arange(0, 60, 1 / rate)
        x = np.stack([np.sin(t), np.sin(t + 0.3), np.cos(t)], axis=1)
        return Recording.from_arrays(x, name=name, time_s=t, names=NAMES[:3])

    spec = compute_affinity(Cohort([record(2.0, "slow"), record(7.0, "fast")]), kind=kind)
    assert spec.rate_hz == pytest.approx(2.0)
    slow, fast = (b.dense()[0] for b in spec.blocks)
    assert abs(slow.shape[1] - fast.shape[1]) <= 1
    np.testing.assert_allclose(slow[:, 10:110].mean(axis=1), fast[:, 10:110].mean(axis=1), atol=0.03)


def test_the_clock_keeps_the_samples_of_a_nearly_even_recording():
    jittered = np.arange(50) / 4 + np.random.default_rng(4).uniform(-0.05, 0.05, 50)
    np.testing.assert_array_equal(even_clock(jittered, 4.0), jittered)
    dropped = np.delete(np.arange(50) / 4, 20)
    clock = even_clock(dropped, 4.0)
    np.testing.assert_allclose(clock, np.arange(50) / 4)


def test_the_complete_part_is_the_best_of_all_prefixes_and_never_holds_a_missing_value():
    rng = np.random.default_rng(5)
    for _ in range(50):
        valid = rng.random((6, 40)) < rng.uniform(0.5, 1.0, 6)[:, None]
        neurons, times = complete_part(valid)
        assert valid[np.ix_(neurons, times)].all()
        kept = neurons.sum() * (neurons.sum() - 1) * times.sum()
        assert kept >= 6 * 5 * valid.all(axis=0).sum()
