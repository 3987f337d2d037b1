"""Correlation with behaviour: finds what follows it, stays calm where only the time scales agree."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from napari_dynamic_connectome.affinity.compute import compute_affinity
from napari_dynamic_connectome.comparison.behaviour import behaviour_correlations
from napari_dynamic_connectome.factorization.factorize import factorize
from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.simulation.simulate import simulate_cohort

from .conftest import NEURONS, block


def slow(rng: np.random.Generator, n: int) -> np.ndarray:
    """Noise with an autocorrelation of several seconds."""
    return np.convolve(rng.standard_normal(n + 20), np.ones(20) / 20, mode="valid")[:n]


def cohort_with(behaviour: list[np.ndarray], rate_hz: float = 2.0) -> Cohort:
    recordings = []
    for i, values in enumerate(behaviour):
        time = np.arange(len(values)) / rate_hz
        channel = xr.Dataset({"speed": ("time", values)}, coords={"time": time})
        traces = np.random.default_rng(i).random((len(values), len(NEURONS)))
        recordings.append(
            Recording.from_arrays(traces, name=f"w{i + 1}", time_s=time, names=NEURONS, behaviour=channel)
        )
    return Cohort(recordings)


def test_correlation_is_pearson_and_significant(make_components) -> None:
    rng = np.random.default_rng(0)
    speed = [slow(rng, 400), slow(rng, 400)]
    course = np.concatenate([np.maximum(s + 0.3 * slow(rng, 400), 0) for s in speed])[:, None]
    components = make_components([block(NEURONS[:4])], course, model="unaligned")
    table = behaviour_correlations(components, cohort_with(speed))
    assert table["worm"].tolist() == ["w1", "w2", "all"]
    for i in (0, 1):
        expected = np.corrcoef(course[400 * i : 400 * (i + 1), 0], speed[i])[0, 1]
        assert table["r"].iloc[i] == pytest.approx(expected)
    assert table["r"].iloc[2] == pytest.approx(table["r"].iloc[:2].mean())
    assert (table["p_value"] < 0.01).all() and (table["seconds"] == [200, 200, 400]).all()


def test_unrelated_slow_signals_are_rarely_significant(make_components) -> None:
    """A naive test of these autocorrelated signals would call most of them significant."""
    rng = np.random.default_rng(1)
    p = []
    for _ in range(30):
        speed = [slow(rng, 300), slow(rng, 300)]
        course = np.abs(np.concatenate([slow(rng, 300), slow(rng, 300)]))[:, None]
        components = make_components([block(NEURONS[:4])], course, model="unaligned")
        p += behaviour_correlations(components, cohort_with(speed), shifts=200)["p_value"].tolist()
    assert np.mean(np.array(p) < 0.05) < 0.15


def test_gaps_and_other_rates_are_handled(make_components) -> None:
    rng = np.random.default_rng(2)
    fine = [slow(rng, 1600), slow(rng, 1600)]
    course = np.concatenate([f.reshape(400, 4).mean(axis=1) + 1 for f in fine])[:, None]
    for f in fine:
        f[100:300] = np.nan
    components = make_components([block(NEURONS[:4])], course, model="unaligned")
    table = behaviour_correlations(components, cohort_with(fine, rate_hz=8.0))
    assert (table["r"] > 0.8).all()
    assert table["seconds"].iloc[0] == pytest.approx(200 - 25, abs=2)


def test_constant_or_missing_behaviour_gives_no_row(make_components) -> None:
    course = np.abs(np.random.default_rng(0).random((80, 1)))
    components = make_components([block(NEURONS[:4])], course, model="unaligned")
    constant = behaviour_correlations(components, cohort_with([np.ones(40), np.full(40, np.nan)]))
    assert len(constant) == 0 and "q_value" in constant
    assert len(behaviour_correlations(components, cohort_with([np.ones(40)] * 2), channels=("nose",))) == 0


def test_simulated_reversals_are_found_by_one_component() -> None:
    """The first motif drives reversals, so the component that holds it, and only that, correlates strongly."""
    cohort, _ = simulate_cohort(n_worms=4, n_neurons=50, stimuli=False, seed=5)
    components = factorize(compute_affinity(cohort), 4, starts=4, seed=0)
    table = behaviour_correlations(components, cohort, shifts=300)
    together = table[(table["worm"] == "all") & (table["channel"] == "reversal")].set_index("component")
    best = together["r"].idxmax()
    assert together.loc[best, "r"] > 0.25 and together.loc[best, "p_value"] < 0.02
    assert (together["r"].drop(best) < 0.5 * together.loc[best, "r"]).all()
    members = set(components.strength(best).to_series().nlargest(12).index)
    assert len({"AVAL", "AVAR", "AVEL", "AVER", "RIML", "RIMR", "AIBL", "AIBR"} & members) >= 5


def test_aligned_components_use_the_common_clock() -> None:
    cohort, _ = simulate_cohort(n_worms=3, n_neurons=30, duration_s=120, seed=5)
    components = factorize(compute_affinity(cohort), 2, starts=2, seed=0)
    assert components.model == "aligned"
    table = behaviour_correlations(components, cohort, shifts=50)
    assert set(table["worm"]) == {*cohort.worms, "all"} and table["r"].between(-1, 1).all()
