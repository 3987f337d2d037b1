"""The search for strong groups, against all groups of small matrices, and p values from few surrogates."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from napari_dynamic_connectome.communities.scan import (
    _seeds,
    beyond_strength,
    climb,
    default_largest,
    scan_groups,
    standardise,
    strength_residuals,
    strongest_group,
)
from napari_dynamic_connectome.communities.tail import counted_p_value, false_discovery, share_interval, tail_p_value


def planted(n: int, members: list[int], rng: np.random.Generator, strength: float = 3.0) -> np.ndarray:
    weights = np.triu(rng.exponential(size=(n, n)), 1)
    inside = np.zeros((n, n), bool)
    inside[np.ix_(members, members)] = True
    weights[inside] *= strength
    return weights + weights.T


@pytest.mark.parametrize("seed", range(5))
def test_the_search_finds_the_best_of_all_groups(seed):
    rng = np.random.default_rng(seed)
    weights = planted(10, [1, 3, 5, 8], rng, 8.0)
    weights[0, 3] = weights[3, 0] = weights[2, 5] = weights[5, 2] = np.nan
    matrix = standardise(weights)
    every = [g for size in (3, 4, 5) for g in combinations(range(10), size)]
    best = max(every, key=lambda g: matrix.statistic(list(g)))
    assert scan_groups(matrix)[0].members == best


@pytest.mark.parametrize("seed", range(6))
def test_the_strongest_group_is_the_first_of_all_that_are_found(seed):
    rng = np.random.default_rng(seed)
    weights = np.triu(rng.exponential(size=(30, 30)), 1)
    weights = weights + weights.T
    weights[rng.random(weights.shape) < 0.1] = np.nan
    weights = np.minimum(weights, weights.T)
    matrix = standardise(weights)
    best, found = strongest_group(matrix), scan_groups(matrix)
    assert best is not None and best.members == found[0].members and best.statistic == pytest.approx(found[0].statistic)
    assert strongest_group(standardise(np.ones((8, 8)))) is None


def test_the_statistic_is_that_of_the_definition():
    weights = planted(12, [0, 1, 2, 3], np.random.default_rng(1))
    weights[0, 1] = weights[1, 0] = np.nan
    pairs = weights[np.triu_indices(12, 1)]
    mean, spread = np.nanmean(pairs), np.nanstd(pairs)
    inside = [weights[i, j] for i, j in combinations([0, 1, 2, 3], 2) if (i, j) != (0, 1)]
    expected = sum((w - mean) / spread for w in inside) / np.sqrt(5)
    assert standardise(weights).statistic([0, 1, 2, 3]) == pytest.approx(expected)


def test_a_climb_never_lowers_the_statistic_and_keeps_to_the_limit():
    matrix = standardise(planted(30, list(range(9)), np.random.default_rng(2)))
    begin = np.zeros((2, 30), bool)
    begin[0, :3] = begin[1, 20:23] = True
    for group, row in zip(climb(matrix, begin, 6), begin, strict=True):
        assert group.statistic >= matrix.statistic(np.flatnonzero(row)) and len(group.members) <= 6
        assert group.statistic == pytest.approx(matrix.statistic(group.members))


def test_units_and_the_order_of_the_nodes_change_nothing():
    rng = np.random.default_rng(3)
    weights = planted(25, [2, 4, 6, 8, 10, 12], rng)
    order = rng.permutation(25)
    plain, other = (
        scan_groups(standardise(weights))[0],
        scan_groups(standardise(1e-6 * weights[np.ix_(order, order)]))[0],
    )
    assert {int(order[i]) for i in other.members} == set(plain.members)
    assert other.statistic == pytest.approx(plain.statistic)


def test_strengths_leave_no_group_in_a_product_of_strengths():
    strength = np.linspace(1, 5, 20)
    residual = strength_residuals(np.outer(strength, strength))
    np.fill_diagonal(residual, 0)
    assert np.abs(residual).max() < 1e-3


def test_others_do_not_seem_to_hold_together_because_one_group_does():
    weights = np.full((40, 40), 1.0) * np.random.default_rng(4).uniform(0.8, 1.2, (40, 40))
    weights = np.triu(weights, 1) + np.triu(weights, 1).T
    weights[:10, :10] *= 8
    rest = np.arange(10, 40)
    careless, careful = standardise(strength_residuals(weights)), beyond_strength(weights)
    assert careless.statistic(rest) > 3
    assert careful.statistic(rest) < 0


def test_constant_and_empty_matrices_have_no_groups():
    for weights in (np.ones((6, 6)), np.zeros((6, 6)), np.full((6, 6), np.nan), np.ones((1, 1))):
        assert scan_groups(standardise(weights)) == []


@pytest.mark.parametrize("count", [9, 29])
def test_p_values_have_the_right_size_on_fresh_draws(count):
    rng = np.random.default_rng(5)
    for draws in (rng.normal(20, 1, size=(3000, count + 1)), rng.gamma(6.0, 1.0, size=(3000, count + 1))):
        p = np.array([tail_p_value(row[0], row[1:]) for row in draws])
        assert abs((p <= 0.05).mean() - 0.05) < 0.01
        assert abs((p <= 0.01).mean() - 0.01) < 0.005


def test_few_or_equal_surrogates_are_counted():
    assert tail_p_value(5.0, [1, 2, 3]) == 0.25
    assert tail_p_value(5.0, [1.0] * 19) == counted_p_value(5.0, [1.0] * 19) == pytest.approx(0.05)
    assert np.isnan(tail_p_value(5.0, []))


def test_correction_and_interval_against_known_values():
    assert false_discovery([0.01, np.nan, 0.02, 0.03])[[0, 2, 3]] == pytest.approx([0.03, 0.03, 0.03])
    low, high = share_interval(8, 10)  # Wilson's interval of 8 in 10
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-3)


@pytest.mark.parametrize(("n", "starts"), [(4, 32), (9, 3), (12, 5), (12, 100)])
@pytest.mark.parametrize("few", [False, True])
def test_climbs_begin_at_the_strongest_pairs_with_every_node_in_three_at_most(n: int, starts: int, few: bool) -> None:
    rng = np.random.default_rng(n + starts)
    values = np.triu(rng.integers(0, 6, (n, n)).astype(float), 1)  # many are alike
    observed = np.triu(rng.random((n, n)) < (0.2 if few else 0.9), 1)
    observed |= observed.T
    pairs = sorted(((-values[i, j], i, j) for i, j in combinations(range(n), 2) if observed[i, j]))
    expected: list[tuple[int, int]] = []
    for _, i, j in pairs:
        ends = [node for pair in expected for node in pair]
        if len(expected) < starts and ends.count(i) < 3 and ends.count(j) < 3:
            expected.append((i, j))
    assert [tuple(pair) for pair in _seeds(values + values.T, observed, starts)] == expected


def test_pairs_to_begin_with_are_looked_for_among_the_strongest_only() -> None:
    values = np.zeros((44, 44))
    values[0, 1:] = np.arange(100, 57, -1)  # the strongest all share a node
    values[1, 2] = 50.0
    observed = values > 0
    assert len(_seeds(values, observed | observed.T, 2)) == 2  # of the first 40 pairs
    assert len(_seeds(values, observed | observed.T, 3)) == 3
    assert _seeds(values, np.zeros((44, 44), bool), 3).shape == (0, 2)


def test_a_group_takes_half_of_the_nodes_that_anything_is_known_about() -> None:
    for n, unknown in ((1, 0), (2, 0), (5, 0), (9, 2), (10, 1), (12, 2)):
        weights = np.random.default_rng(n).random((n, n))
        weights += weights.T
        weights[:unknown] = weights[:, :unknown] = np.nan
        assert default_largest(standardise(weights)) == max((n - unknown) // 2, 2)
    weights = np.random.default_rng(0).uniform(0.9, 1.1, (16, 16))
    weights[:7, :7] *= 20
    weights = np.triu(weights, 1) + np.triu(weights, 1).T
    assert strongest_group(standardise(weights)).members == tuple(range(7))
    weights[:, 13:] = weights[13:] = np.nan  # of 13 nodes, 7 are more than half
    assert len(strongest_group(standardise(weights)).members) == 6
    for largest in (2, 3, 4):
        found = scan_groups(standardise(weights), largest=largest)
        assert (found == []) if largest < 3 else all(3 <= len(g.members) <= largest for g in found)


@pytest.mark.parametrize("seed", range(3))
def test_a_climb_ends_where_no_single_node_improves_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = planted(14, [0, 2, 4, 6, 8], rng, 3.0)
    weights[rng.random(weights.shape) < 0.15] = np.nan
    matrix = standardise(np.minimum(weights, weights.T))
    begin = np.zeros((6, 14), bool)
    for row in begin:
        row[rng.choice(14, rng.integers(2, 10), replace=False)] = True
    before = begin.copy()
    for group in climb(matrix, begin, 6):
        inside = set(group.members)
        assert group.statistic == pytest.approx(matrix.statistic(sorted(inside)))
        for node in range(14):
            other = inside ^ {node}
            left = len(other) >= 2 if node in inside else len(inside) < 6
            if left and matrix.observed[np.ix_(sorted(other), sorted(other))].any():
                assert matrix.statistic(sorted(other)) <= group.statistic + 1e-6
    np.testing.assert_array_equal(begin, before)
