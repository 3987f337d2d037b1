"""Nodes of a graph in groups or the background: the likelihoods against scipy's, and planted groups among noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from napari_dynamic_connectome.communities.scan import LEAST
from napari_dynamic_connectome.communities.settle import _ratios, _shape, _statistics, assign, group_statistics


def noisy(n: int, sizes: list[int], ratio: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights of a complete graph with groups and strengths; labels."""
    rng = np.random.default_rng(seed)
    labels = np.r_[np.repeat(np.arange(len(sizes)), sizes), np.full(n - sum(sizes), -1)]
    strength = rng.uniform(0.5, 2.0, n)
    together = (labels[:, None] == labels) & (labels >= 0)
    weights = np.triu(rng.gamma(4.0, 0.25, (n, n)) * np.outer(strength, strength) * np.where(together, ratio, 1.0), 1)
    weights += weights.T
    np.fill_diagonal(weights, np.nan)
    return weights, labels


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("start", ["truth", "with bystanders", "too few", "other numbers"])
def test_nodes_come_to_their_group_from_a_partition_nearby(seed: int, start: str) -> None:
    weights, truth = noisy(50, [12, 10], 4.0, seed)
    weights[0, 5] = weights[5, 0] = weights[20, 40] = weights[40, 20] = np.nan
    begin = {
        "truth": truth,
        "with bystanders": np.r_[truth[:22], np.zeros(5, int), np.full(23, -1)],
        "too few": np.where(np.isin(np.arange(50), [0, 1, 15]), -1, truth),
        "other numbers": np.where(truth >= 0, 3 * truth + 2, -1),
    }[start]
    observed = np.isfinite(weights)
    labels, ratios, support = assign(weights, observed, begin)
    np.testing.assert_array_equal(labels, truth)
    assert ((support > 0) & (support <= 1)).all() and support[:22].mean() > 0.95
    together = (labels[:, None] == labels) & (labels >= 0)
    apart = np.where(observed & ~together, ratios, 0.0)
    np.testing.assert_allclose(apart.sum(), (observed & ~together).sum(), rtol=1e-2)
    assert ratios[observed & together].mean() > 3
    before = begin.copy()
    assign(weights, observed, begin)
    np.testing.assert_array_equal(begin, before)


def test_groups_that_are_not_stronger_or_too_small_are_background_and_so_is_who_was_not_observed() -> None:
    weights, truth = noisy(40, [12], 5.0, 4)
    labels = truth.copy()
    labels[20:28] = 1  # of no strength
    labels[30:32] = 2  # too few
    weights[3] = weights[:, 3] = np.nan
    got, _, _ = assign(weights, np.isfinite(weights), labels)
    assert set(np.flatnonzero(got >= 0)) == set(range(12)) - {3}
    assert LEAST == 3


@pytest.mark.parametrize("seed", range(3))
def test_ratios_keep_the_sum_of_every_node_over_the_pairs_that_are_used(seed: int) -> None:
    weights, truth = noisy(20, [6], 3.0, seed)
    observed = np.isfinite(weights)
    used = observed & ~((truth[:, None] == truth) & (truth >= 0))
    ratios = _ratios(weights, observed, used)
    assert (ratios[~observed] == 0).all()
    theta = np.sqrt(np.where(observed, weights / np.where(ratios > 0, ratios, 1.0), 0.0))
    expected = theta**2 * used
    np.testing.assert_allclose(expected.sum(axis=1), np.where(used, weights, 0).sum(axis=1), rtol=1e-3)


@pytest.mark.parametrize("rate", [0.5, 1.0, 1.7, 4.0])
def test_the_statistic_is_the_log_likelihood_ratio_of_the_gamma_distribution(rate: float) -> None:
    rng = np.random.default_rng(0)
    ratios = np.triu(rng.gamma(4.0, 0.25, (30, 30)), 1)
    labels = np.r_[np.zeros(9, int), np.full(21, -1)]
    inside = np.ix_(labels == 0, labels == 0)
    ratios[inside] *= rate / ratios[inside][np.triu_indices(9, 1)].mean()
    ratios += ratios.T
    np.fill_diagonal(ratios, np.nan)
    (got,) = _statistics(ratios, labels)
    outside = ratios[np.isfinite(ratios) & ~((labels[:, None] == labels) & (labels >= 0))]
    shape = outside.mean() ** 2 / outside.var()
    values = ratios[inside][np.triu_indices(9, 1)]
    best = max(rate, 1.0)
    likelihood = stats.gamma.logpdf(values, shape, scale=best / shape) - stats.gamma.logpdf(
        values, shape, scale=1 / shape
    )
    assert got == pytest.approx(likelihood.sum(), abs=1e-9)


def test_shapes_are_bounded_and_nothing_to_compare_with_has_that_of_an_exponential() -> None:
    assert _shape(np.array([])) == 1.0
    assert _shape(np.array([2.0, 2.0])) == 20.0
    assert _shape(np.array([1.0, 3.0])) == pytest.approx(4.0)


def test_a_stronger_group_has_a_larger_statistic_and_no_group_has_none() -> None:
    own = [group_statistics(*noisy(40, [10, 8], ratio, 7)) for ratio in (2.5, 5.0)]
    assert all(len(one) == 2 for one in own) and min(own[1]) > max(own[0]) * 0.9
    assert sum(own[1]) > 1.5 * sum(own[0]) > 0
    weights, _ = noisy(40, [], 1.0, 8)
    assert group_statistics(weights, np.full(40, -1)) == []
