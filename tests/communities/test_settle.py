"""Nodes of a graph in groups or the background: the likelihoods against scipy's, and planted groups among noise."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from napari_dynamic_connectome import find_communities
from napari_dynamic_connectome.communities import settle as module
from napari_dynamic_connectome.communities.null import NullResult
from napari_dynamic_connectome.communities.scan import LEAST
from napari_dynamic_connectome.communities.settle import _ratios, _shape, _statistics, assign, group_statistics, settle
from napari_dynamic_connectome.communities.tail import counted_p_value, false_discovery
from napari_dynamic_connectome.model.results import Communities


def likeliest(
    weights: np.ndarray, observed: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Ratios, log odds, best labels and probabilities of these by scipy's distributions, pair by pair."""
    n = len(labels)
    together = np.array([[labels[i] == labels[j] >= 0 for j in range(n)] for i in range(n)])
    ratios = _ratios(weights, observed, observed & ~together)
    apart = ratios[observed & ~together]
    shape = min(1 / stats.variation(apart) ** 2, 20.0)
    sizes = {g: int((labels == g).sum()) for g in sorted(set(labels) - {-1})}
    groups = [g for g, size in sizes.items() if size >= 3]
    odds = np.zeros((n, len(groups) + 1))
    for column, g in enumerate(groups):
        pairs = [(i, j) for i in range(n) for j in range(i) if labels[i] == labels[j] == g and observed[i, j]]
        rate = np.mean([ratios[pair] for pair in pairs]) if pairs else 1.0
        for i in range(n):
            mine = [ratios[i, j] for j in range(n) if observed[i, j] and labels[j] == g]
            inside = stats.gamma.logpdf(mine, shape, scale=rate / shape).sum()
            odds[i, column] = inside - stats.gamma.logpdf(mine, shape, scale=1 / shape).sum() - 1.0
            if rate <= 1:
                odds[i, column] = -np.inf
    best = np.array([int(np.argmax(row)) if observed[i].any() else -1 for i, row in enumerate(odds)])
    best[best == len(groups)] = -1
    best = np.array([g if g >= 0 and (best == g).sum() >= 3 else -1 for g in best])
    share = np.exp(odds - odds.max(axis=1, keepdims=True))
    return ratios, odds, best, share / share.sum(axis=1, keepdims=True)


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


@pytest.mark.parametrize("seed", range(8))
def test_every_node_ends_where_its_weights_are_likeliest_by_the_gamma_distribution(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights, truth = noisy(22, [[7, 5], [3, 6], [4, 3, 3], [8]][seed % 4], [1.6, 2.2, 3.5][seed % 3], seed)
    holes = np.triu(rng.random((22, 22)) < 0.15, 1)
    weights[holes | holes.T] = np.nan
    observed = np.isfinite(weights)
    labels, ratios, support = assign(weights, observed, np.where(rng.random(22) < 0.15, -1, truth))
    exact, _, best, share = likeliest(weights, observed, labels)
    np.testing.assert_array_equal(labels, best)
    np.testing.assert_allclose(ratios, exact)
    for node in range(22):
        assert support[node] == pytest.approx(share[node, labels[node]], abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("rounds", [1, 2])
def test_each_round_puts_every_node_where_it_was_likeliest_before(
    seed: int, rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(100 + seed)
    weights, _ = noisy(18, [6, 4], 2.0, seed)
    weights[4, 9] = weights[9, 4] = np.nan
    weights[17] = weights[:, 17] = np.nan
    labels = rng.choice([-1, 1, 4, 6], 18, p=[0.3, 0.3, 0.25, 0.15])
    labels[:3] = 1
    observed = np.isfinite(weights)
    monkeypatch.setattr(module, "ROUNDS", rounds)
    got, ratios, support = assign(weights, observed, labels)
    expected = labels
    for _ in range(rounds):
        exact, _, best, share = likeliest(weights, observed, expected)
        if np.array_equal(best, expected):
            break
        expected = best
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_allclose(ratios, exact)
    np.testing.assert_allclose(support, [row[g] for row, g in zip(share, expected, strict=True)], atol=1e-9)


def test_a_group_of_three_is_a_group_and_one_of_two_is_not() -> None:
    weights = np.ones((12, 12)) + np.triu(np.random.default_rng(0).uniform(-0.2, 0.2, (12, 12)), 1)
    weights = np.triu(weights, 1)
    weights[:3, :3] *= 9
    weights[3:5, 3:5] *= 9
    weights += weights.T
    observed = ~np.eye(12, dtype=bool)
    labels, _, support = assign(weights, observed, np.r_[[0] * 3, [1] * 2, [-1] * 7])
    assert labels.tolist() == [0, 0, 0] + [-1] * 9 and (support > 0.5).all()
    assert len(group_statistics(weights, np.r_[[0] * 3, [1] * 2, [-1] * 7])) == 1  # the diagonal does not count
    labels, _, support = assign(weights, observed, np.full(12, -1))
    assert (labels == -1).all() and (support == 1).all()


def test_a_group_without_an_observed_pair_is_none() -> None:
    weights, _ = noisy(14, [], 1.0, 2)
    weights[:4, :4] = np.nan
    labels, _, _ = assign(weights, np.isfinite(weights), np.r_[[0] * 4, [-1] * 10])
    assert (labels == -1).all()
    assert _statistics(np.where(np.isfinite(weights), 3.0, np.nan), np.r_[[0] * 4, [-1] * 10]) == [0.0]


@pytest.mark.parametrize("seed", range(4))
def test_strengths_come_from_the_pairs_that_are_used_however_many_these_are(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 13
    theta = rng.uniform(0.5, 3.0, n)
    weights = np.outer(theta, theta)
    used = np.zeros((n, n), bool)
    for i in range(n):  # numbers of pairs from 3 to 12: whatever their binary digits are
        used[i, rng.choice(np.delete(np.arange(n), i), 2 + rng.integers(1, 4), replace=False)] = True
    used |= used.T
    others = ~used & ~np.eye(n, dtype=bool)
    weights[others] *= 20.0
    ratios = _ratios(weights, ~np.eye(n, dtype=bool), used)
    np.testing.assert_allclose(ratios[used], 1.0, rtol=2e-2)
    np.testing.assert_allclose(ratios[others], 20.0, rtol=4e-2)


def test_who_has_no_pair_apart_gets_the_strength_of_all_pairs_and_no_ratio_is_negative() -> None:
    weights = np.array([[0, 4, 4, 2], [4, 0, 4, 2], [4, 4, 0, 2], [2, 2, 2, 0]], float)
    observed = ~np.eye(4, dtype=bool)
    used = observed.copy()
    used[0] = used[:, 0] = False  # nobody apart from node 0
    ratios = _ratios(weights, observed, used)
    np.testing.assert_allclose(ratios[observed], 1.0, rtol=1e-6)
    weights[1, 2:] = weights[2:, 1] = 0.0
    alone = _ratios(weights, observed, used)
    assert (alone >= 0).all() and alone[1, 0] >= 0 and np.isfinite(alone).all()
    weights[:] = 0
    assert (_ratios(weights, observed, observed) == 0).all()
    weights = np.array([[0, 5, 0, 0], [5, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0]], float)
    used = observed.copy()
    used[0, 1] = used[1, 0] = False  # all that node 0 has
    assert _ratios(weights, observed, used)[0, 1] > 1e3
    weights = np.array([[0, 2, 8, 8], [2, 0, 8, 8], [8, 8, 0, 8], [8, 8, 8, 0]], float)
    used[:] = False
    used[0, 1] = used[1, 0] = used[2, 3] = used[3, 2] = True  # one pair of each
    for unit in (1e-6, 1.0, 1e6):
        ratios = _ratios(unit * weights, observed, used)
        assert ratios[0, 1] == pytest.approx(1, rel=1e-3) and ratios[0, 2] == pytest.approx(2, rel=1e-3)


def test_members_of_a_very_strong_group_are_sure() -> None:
    weights, truth = noisy(80, [40], 60.0, 0)
    labels, _, support = assign(weights, np.isfinite(weights), truth)
    np.testing.assert_array_equal(labels, truth)
    assert support[:40] == pytest.approx(1.0) and support[40:] == pytest.approx(1.0)


def result(weights: np.ndarray, labels: np.ndarray) -> Communities:
    """Communities that a search found, the unobserved left out."""
    n = len(labels)
    rows = np.stack([labels, np.where(np.isfinite(weights).sum(axis=1) > 0, 0, -1)])
    rows[0, rows[1] < 0] = -1
    coords = {"level": [0, 1], "neuron": [f"N{k:02d}" for k in range(n)]}
    data = xr.DataArray(rows, dims=("level", "neuron"), coords=coords)
    return Communities(labels=data, chosen_level=1, probability=data * np.nan, rule="before")


def nulls(p_value: float, groups: list[tuple[float, ...]]) -> NullResult:
    return NullResult(
        5.0, p_value, np.zeros(2), np.ones(2), len(groups), np.zeros(len(groups)), null_groups=tuple(groups)
    )


@pytest.mark.parametrize("p_value", [0.01, 0.05, 0.06])
def test_groups_are_compared_with_those_of_all_nulls_and_none_is_more_certain_than_any(p_value: float) -> None:
    weights, truth = noisy(40, [10, 8], 3.0, 5)
    weights[39] = weights[:, 39] = np.nan
    pool = [(3.0, 1.0), (), (2.0,), (0.5, 0.25, 0.1)] * 12
    got = settle(result(weights, truth), weights, nulls(p_value, pool), alpha=0.05, chance="such graphs")
    observed = np.isfinite(weights)
    labels, ratios, support = assign(weights, observed, truth)
    own = _statistics(np.where(observed, ratios, np.nan), labels)
    flat = [s for one in pool for s in one or (0.0,)]
    filled = weights.copy()
    np.fill_diagonal(filled, 50.0)  # does not count
    assert group_statistics(filled, truth) == group_statistics(weights, truth) == own
    again = settle(result(weights, truth), filled, nulls(p_value, pool), alpha=0.05, chance="such graphs")
    assert again.probability.identical(got.probability) and again.rule == got.rule
    assert len(flat) == 12 * 7 and set(labels) == {-1, 0, 1}
    expected = [counted_p_value(s, flat) for s in own]
    if p_value > 0.05:
        assert (got.chosen_level, got.claims) == (1, None)
        assert got.rule == (
            "one group: p = 0.06 against such graphs (above 0.05); finer levels are not distinguished from chance"
        )
        assert (got.labels.values[:, :39] == 0).all() and (got.labels.values[:, 39] == -1).all()
        np.testing.assert_array_equal(got.probability.values, [[1.0] * 39 + [np.nan]] * 2)
        assert got.significance.to_dict("list") == {"gain": [0.0], "p_value": [1.0]}
        assert got.significance.index.name == "community" and got.significance.index.tolist() == [0]
        assert got.significance.attrs["p_more_than_one"] == p_value
        return
    assert got.chosen_level == 0 and got.claims["p_value"].tolist() == pytest.approx(expected)
    assert got.claims["q_value"].tolist() == pytest.approx(np.maximum(false_discovery(expected), p_value).tolist())
    assert got.claims["statistic"].tolist() == pytest.approx(own)
    np.testing.assert_array_equal(got.labels.values[0], labels)
    np.testing.assert_array_equal(got.labels.values[1], np.where(labels >= 0, 0, -1))
    np.testing.assert_allclose(got.probability.values, np.where(labels >= 0, [support, np.ones(40)], np.nan))
    assert got.significance.attrs["p_more_than_one"] == p_value
    assert got.state.values[0, 39] == "not observed" and got.state.values[0, 38] == "background"
    assert list(got.labels["neuron"].values) == [f"N{k:02d}" for k in range(40)]
    assert got.labels["level"].values.tolist() == [0, 1]


def test_where_only_all_together_are_beyond_chance_all_stay_and_are_unsure() -> None:
    weights, truth = noisy(40, [10, 8], 3.0, 5)
    strong = [(1e9, 1e9)] * 30
    got = settle(result(weights, truth), weights, nulls(0.02, strong), alpha=0.05, chance="such graphs")
    assert len(got.claims) == 2 and (got.claims["q_value"] > 0.9).all()
    assert (got.state.values[0, :18] == "unsure").all() and (got.state.values[0, 18:] == "background").all()
    # one of two passes: the other one is background
    own = group_statistics(weights, truth)
    between = [(float(np.mean(own)),)] + [(0.0,)] * 99
    assert own[0] > own[1] + 1
    got = settle(result(weights, truth), weights, nulls(0.02, between), alpha=0.015, chance="such graphs")
    assert got.claims is None and "above 0.015" in got.rule
    many = [(float(np.mean(own)),)] * 40 + [(0.0,)] * 60
    got = settle(result(weights, truth), weights, nulls(0.02, many), alpha=0.05, chance="such graphs")
    assert len(got.claims) == 1 and (got.labels.values[0] >= 0).sum() == 10
    exact = float(got.claims["q_value"].iloc[0])  # counts as beyond chance
    got = settle(result(weights, truth), weights, nulls(0.02, many), alpha=exact, chance="such graphs")
    assert 0.02 <= exact < 0.05 and len(got.claims) == 1


def test_without_any_group_that_is_stronger_inside_it_is_one_group_and_says_why() -> None:
    weights, _ = noisy(30, [], 1.0, 3)
    labels = np.r_[np.zeros(8, int), np.full(22, -1)]
    weights[:8, :8] *= 0.3  # weaker inside
    got = settle(result(weights, labels), weights, nulls(0.02, [(0.0,)] * 30), alpha=0.05, chance="such graphs")
    assert got.chosen_level == 1 and (got.labels.values == 0).all()
    assert got.rule == (
        "one group: the weights depart from chance (p = 0.02 against such graphs), but no group is more strongly linked inside than "
        "to the others"
    )
    assert got.significance.attrs["p_more_than_one"] == 0.02
    np.fill_diagonal(weights, 1.0)  # does not count
    again = settle(result(weights, labels), weights, nulls(0.05, [(0.0,)] * 30), alpha=0.05, chance="such graphs")
    assert again.rule.startswith("one group: the weights depart from chance (p = 0.05 ")


@pytest.mark.parametrize("seed", range(2))
def test_groups_that_were_never_observed_together_are_not_one(seed):
    rng = np.random.default_rng([seed, 21])
    group = np.repeat([0, 1, 2, -1], [12, 12, 12, 44])
    same = (group[:, None] == group) & (group[:, None] >= 0)
    weights = np.triu(rng.gamma(2, np.where(same, 3.0, 0.5)), 1)
    weights += weights.T
    weights[:12, 12:24] = weights[12:24, :12] = np.nan
    found = find_communities(weights, seed=seed)
    labels = found.labels.values[found.chosen_level]
    claimed = found.claims.index[found.claims["q_value"] <= 0.05]
    assert len(claimed) == 3
    for one in claimed:
        assert len(np.unique(group[labels == one])) == 1
