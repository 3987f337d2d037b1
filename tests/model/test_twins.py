"""Recordings that are the same worm once more are found, and told from others."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dynamic_connectome import Cohort, Recording, simulate_cohort
from napari_dynamic_connectome.model.neurons import CANONICAL
from napari_dynamic_connectome.model.twins import _correlations, twins, twins_said

NAMES = list(CANONICAL[:12])


def worm(seed: int, name: str, *, names: list[str] = NAMES, rate_hz: float = 4.0) -> Recording:
    traces = np.random.default_rng(seed).normal(size=(300, 12)).cumsum(axis=0)
    columns = [NAMES.index(n) for n in names]
    return Recording.from_arrays(traces[:, columns], name=name, rate_hz=rate_hz, names=names)


def test_the_same_worm_is_found_though_it_was_processed_otherwise():
    one = worm(0, "a")
    other = np.random.default_rng(9).normal(size=(150, 8)) + 3 * one.traces.values[::2, 2:10] + 100
    again = Recording.from_arrays(
        other, name="b", rate_hz=2, names=NAMES[2:10]
    )  # fewer samples and neurons, other units, noise
    cohort = Cohort([one, worm(1, "c"), again, worm(0, "d")])
    assert twins(cohort) == {"b": "a", "d": "a"}
    assert twins_said(cohort).startswith("Mind that b is a once more, d is a once more")
    assert "a cohort of 2 worms" in twins_said(cohort)


def test_worms_of_their_own_are_not_taken_as_one():
    assert twins(Cohort([worm(seed, f"w{seed}") for seed in range(4)])) == {}
    assert twins(simulate_cohort(n_worms=6, n_neurons=30, duration_s=120, seed=3)[0]) == {}  # with stimuli in common
    few = [worm(0, "a", names=NAMES[:6]), worm(0, "b", names=NAMES[4:])]  # two neurons in common
    assert twins(Cohort(few)) == {} and twins_said(Cohort(few)) == ""
    one = worm(0, "a")
    later = Recording.from_arrays(one.traces.values, name="b", time_s=one.time_s + 1000, names=NAMES)
    assert twins(Cohort([worm(0, "a"), later])) == {}


@pytest.mark.parametrize("constant", [0.0, np.nan])
def test_traces_that_say_nothing_are_left_out(constant):
    one = worm(0, "a")
    values = one.traces.values.copy()
    values[:, :3] = constant
    assert twins(Cohort([one, Recording.from_arrays(values, name="b", rate_hz=4, names=NAMES)])) == {"b": "a"}


def test_correlations_of_all_pairs_are_those_of_numpy():
    rng = np.random.default_rng(5)
    values = rng.normal(size=(6, 80)).cumsum(axis=1) + 1e4
    values[1, 30:], values[2, :20], values[3] = np.nan, np.nan, 7.0
    values[4, 8:] = np.nan  # hardly anything
    found = _correlations(values)
    for a in range(6):
        for b in range(6):
            both = np.isfinite(values[a]) & np.isfinite(values[b])
            if {a, b} & {3, 4}:
                assert np.isnan(found[a, b])
            else:
                assert found[a, b] == pytest.approx(np.corrcoef(values[a, both], values[b, both])[0, 1], abs=1e-9)


def test_pairs_are_found_among_many_recordings_of_all_lengths():
    rng, worms = np.random.default_rng(6), []
    for k in range(30):
        names, count = [CANONICAL[i] for i in rng.permutation(60)[:25]], int(rng.integers(400, 1500))
        traces = rng.normal(size=(count, 25)).cumsum(axis=0)
        worms.append(Recording.from_arrays(traces, name=f"w{k}", rate_hz=rng.uniform(2, 4), names=names))
    part, other = worms[3].traces.values[:300, 4:20], worms[11].traces.values[::2]
    names = [str(n) for n in worms[3].neurons["name"]][4:20]
    worms.append(Recording.from_arrays(part, name="part", time_s=worms[3].time_s[:300], names=names))
    names = [str(n) for n in worms[11].neurons["name"]]
    worms.append(Recording.from_arrays(-2 + other, name="half", time_s=worms[11].time_s[::2], names=names))
    assert twins(Cohort(worms)) == {"part": "w3", "half": "w11"}
