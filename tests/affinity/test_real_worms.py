"""The left/right positive control: the two neurons of a pair are more alike than most pairs, and more than correlation says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

from napari_dynamic_connectome import Cohort, Recording
from napari_dynamic_connectome.affinity.compute import compute_affinity
from napari_dynamic_connectome.affinity.surrogates import surrogate_cohort
from napari_dynamic_connectome.model.neurons import is_canonical, left_right_pairs

WORMS = ("2022-07-26-31", "2022-07-26-38", "2022-07-27-31", "2022-08-02-31")


@pytest.fixture(scope="module")
def worms(shared_data):
    recordings = []
    for uid in WORMS:
        with np.load(shared_data / "traces" / f"dag2023_{uid}.npz", allow_pickle=False) as data:
            names = [str(n) for n in data["names"]]
            keep = [n if is_canonical(n) and names.index(n) == k else "" for k, n in enumerate(names)]
            recordings.append(
                Recording.from_arrays(
                    data["traces"], name=uid, time_s=data["t"], names=keep, confidence=data["label_confidence"]
                )
            )
    return Cohort(recordings, min_worms=3, min_confidence=3)


def left_right_percentile(matrix, neurons):
    """Mean percentile of the left/right pairs among all observed pairs."""
    rows, columns = np.triu_indices(len(neurons), 1)
    values = matrix[rows, columns]
    seen = np.isfinite(values)
    percentile = (rankdata(values[seen]) - 0.5) / seen.sum()
    wanted = {frozenset(p) for p in left_right_pairs(neurons)}
    is_pair = [frozenset((neurons[i], neurons[j])) in wanted for i, j in zip(rows[seen], columns[seen], strict=True)]
    assert sum(is_pair) >= 20
    return float(percentile[is_pair].mean())


def mean_correlation(cohort):
    total = np.zeros((len(cohort.neurons),) * 2)
    count = total.copy()
    for worm in range(len(cohort.worms)):
        traces = cohort.traces_of(worm)
        at = [cohort.neurons.index(n) for n in traces["neuron"].values]
        total[np.ix_(at, at)] += np.abs(np.corrcoef(traces.values.T))
        count[np.ix_(at, at)] += 1
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


@pytest.mark.data
def test_the_default_beats_plain_correlation_on_left_right_pairs(worms):
    spec = compute_affinity(worms)
    assert spec.model == "unaligned"
    plain = left_right_percentile(mean_correlation(worms), list(worms.neurons))
    ours = left_right_percentile(spec.mean_affinity().values, list(spec.neurons))
    assert plain == pytest.approx(0.82, abs=0.01)
    assert ours > plain + 0.02
    absolute = compute_affinity(worms, sign="absolute")
    assert left_right_percentile(absolute.mean_affinity().values, list(spec.neurons)) > plain


@pytest.mark.data
def test_shifting_neurons_against_each_other_loses_the_control(worms):
    """What is left is that left and right neurons are about equally active, which no timing can take away."""
    real = compute_affinity(worms)
    shifted = compute_affinity(surrogate_cohort(worms, seed=0))
    assert (
        left_right_percentile(shifted.mean_affinity().values, list(shifted.neurons))
        < left_right_percentile(real.mean_affinity().values, list(real.neurons)) - 0.1
    )
