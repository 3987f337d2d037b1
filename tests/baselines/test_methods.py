"""Each static method against brute force or another library."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_dynamic_connectome.baselines.partition import consensus, cut_order, sort_neurons, ward
from napari_dynamic_connectome.baselines.similarity import (
    absolute_correlation,
    edge_profile_similarity,
    loading_similarity,
    shape_distance,
)


def traces(frames=40, n=5, seed=0):
    x = np.random.default_rng(seed).standard_normal((frames, n)).cumsum(axis=0)
    return (x - x.mean(axis=0)) / x.std(axis=0)


@pytest.mark.parametrize("max_lag", [None, 0, 3])
def test_shape_distance_is_the_best_of_all_shifts(max_lag):
    x = traces()
    found = shape_distance(x, max_lag)
    reach = len(x) - 1 if max_lag is None else max_lag
    for i, j in itertools.combinations(range(5), 2):
        best = 0.0
        for lag in range(-reach, reach + 1):
            a, b = (x[lag:, i], x[: len(x) - lag, j]) if lag >= 0 else (x[:lag, i], x[-lag:, j])
            best = max(best, abs(a @ b))
        wanted = 1 - best / np.linalg.norm(x[:, i]) / np.linalg.norm(x[:, j])
        assert found[i, j] == pytest.approx(wanted, abs=1e-10)
        assert found[j, i] == found[i, j]
    assert (np.diag(found) == 0).all()


def test_shape_distance_forgives_sign_and_delay():
    wave = np.zeros(200)
    wave[60:80] = np.hanning(20)
    x = np.stack([wave, -np.roll(wave, 40), np.random.default_rng(0).standard_normal(200)], axis=1)
    found = shape_distance(x)
    assert found[0, 1] < 1e-9
    assert found[0, 2] > 0.3


def test_absolute_correlation_is_numpys():
    x = traces()
    found = absolute_correlation(x)
    assert found[1, 3] == pytest.approx(abs(np.corrcoef(x[:, 1], x[:, 3])[0, 1]))
    assert (np.diag(found) == 0).all()


def test_edge_profiles_count_third_neurons_in_the_same_cluster(monkeypatch):
    import sklearn.cluster

    x = traces(n=6)
    labels = np.random.default_rng(0).integers(0, 3, 15)

    class Fixed:
        def __init__(self, *args, **options): ...

        def fit_predict(self, values):
            assert values.shape[0] == 15
            return labels

    monkeypatch.setattr(sklearn.cluster, "KMeans", Fixed)
    found = edge_profile_similarity(x, 3, 0)
    cluster = {frozenset(p): c for p, c in zip(itertools.combinations(range(6), 2), labels, strict=True)}
    for i, j in itertools.combinations(range(6), 2):
        third = [u for u in range(6) if u not in (i, j)]
        wanted = np.mean([cluster[frozenset((i, u))] == cluster[frozenset((j, u))] for u in third])
        assert found[i, j] == pytest.approx(wanted)


def groups_of_traces(seed=0, flip=False):
    rng = np.random.default_rng(seed)
    drive = rng.standard_normal((400, 2)).cumsum(axis=0)
    sign = rng.choice([-1, 1], 12) if flip else np.ones(12)
    x = drive[:, np.arange(12) // 6] * sign + 0.5 * rng.standard_normal((400, 12))
    return (x - x.mean(axis=0)) / x.std(axis=0)


@pytest.mark.parametrize("method", [lambda x: edge_profile_similarity(x, 6, 0), lambda x: loading_similarity(x, 3, 0)])
def test_neurons_of_one_drive_are_more_alike(method):
    found = method(groups_of_traces())
    group = np.arange(12) // 6
    off = ~np.eye(12, dtype=bool)
    assert found[off & (group[:, None] == group)].mean() > found[group[:, None] != group].mean() + 0.1


def test_ward_is_scikit_learns_on_euclidean_distances():
    from sklearn.cluster import AgglomerativeClustering
    from sklearn.metrics import adjusted_rand_score

    points = np.random.default_rng(2).standard_normal((25, 3))
    distance = np.linalg.norm(points[:, None] - points, axis=2)
    theirs = AgglomerativeClustering(4, linkage="ward").fit_predict(points)
    assert adjusted_rand_score(theirs, ward(distance, 4)) == 1.0


def test_consensus_is_the_mean_over_worms_that_have_both():
    one, two = np.array([[0, 1.0], [1.0, 0]]), np.array([[0, 3.0, 5], [3.0, 0, 7], [5, 7, 0]])
    found = consensus([one, two], [np.array([0, 1]), np.array([0, 1, 3])], 4)
    assert found[0, 1] == 2.0
    assert found[1, 3] == 7.0
    assert np.isnan(found[0, 2])


def test_sorting_recovers_a_line_and_comes_near_the_best_of_all_orders():
    rng = np.random.default_rng(0)
    place = rng.permutation(20)
    line = np.exp(-np.abs(place[:, None] - place) / 4.0)
    found = place[sort_neurons(line)]
    assert (np.diff(found) == 1).all() or (np.diff(found) == -1).all()
    for seed in range(5):
        w = np.random.default_rng(seed).random((7, 7))
        w = (w + w.T) / 2
        best = max(sum(w[a, b] for a, b in itertools.pairwise(p)) for p in itertools.permutations(range(7)))
        ours = sum(w[a, b] for a, b in itertools.pairwise(sort_neurons(w)))
        assert ours > 0.85 * best


def test_cutting_an_order_is_exact():
    rng = np.random.default_rng(3)
    w = rng.random((8, 8))
    w = (w + w.T) / 2
    order = rng.permutation(8)
    np.fill_diagonal(w, 0.0)
    strength = w.sum(axis=0)

    def score(labels):
        return sum(
            w[i, j] - strength[i] * strength[j] / strength.sum()
            for i, j in itertools.combinations(range(8), 2)
            if labels[i] == labels[j]
        )

    for groups in (2, 3):
        best = -np.inf
        for cuts in itertools.combinations(range(1, 8), groups - 1):
            labels = np.empty(8, int)
            labels[order] = np.searchsorted(cuts, np.arange(8), side="right")
            best = max(best, score(labels))
        found = cut_order(w, order, groups)
        assert len(np.unique(found)) == groups
        assert score(found) == pytest.approx(best)
        assert (np.diff(found[order]) >= 0).all()
