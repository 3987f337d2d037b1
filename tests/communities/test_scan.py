"""The search for strong groups, against all groups of small matrices, and p values from few surrogates."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from napari_dynamic_connectome.communities.scan import (
    Group,
    Standardised,
    _seeds,
    beyond_pairs,
    beyond_strength,
    climb,
    default_largest,
    largest_statistic,
    scan_groups,
    standardise,
    strength_residuals,
    strongest_group,
)
from napari_dynamic_connectome.communities.scan_kernels import climb_groups
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


def climbed(matrix: Standardised, inside: set[int], largest: int, steps: int) -> tuple[set[int], float]:
    """The best change of one node after the other, by the statistic of the definition."""
    inside = set(inside)
    for _ in range(steps):
        best, node = -np.inf, None
        for u in range(matrix.n):
            other = inside ^ {u}
            pairs = [(i, j) for i, j in combinations(sorted(other), 2) if matrix.observed[i, j]]
            linked = any(matrix.observed[u, v] for v in inside)
            if (len(inside) <= 2 or not pairs) if u in inside else (len(inside) >= largest or not linked):
                continue
            if (score := sum(matrix.values[i, j] for i, j in pairs) / np.sqrt(len(pairs))) > best + 1e-12:
                best, node = score, u
        if node is None or best <= matrix.statistic(sorted(inside)) + 1e-9:
            break
        inside ^= {node}
    return inside, matrix.statistic(sorted(inside))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("sparse", [0.1, 0.6])
@pytest.mark.parametrize(("largest", "steps"), [(4, 40), (7, 3), (7, 40), (2, 40)])
def test_a_climb_takes_the_best_single_change_each_time(seed: int, sparse: float, largest: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    weights = planted(9, [0, 2, 4, 6], rng, 3.0)
    weights[rng.random(weights.shape) < sparse / 2] = np.nan
    matrix = standardise(np.minimum(weights, weights.T))
    inside = np.zeros((5, 9), bool)
    for row in inside:
        row[rng.choice(9, rng.integers(2, 8), replace=False)] = True
    before = inside.copy()
    ends = climb_groups(matrix.values, matrix.observed.astype(float), inside, largest, steps)
    for begin, found, end in zip(before, inside, ends, strict=True):
        members, statistic = climbed(matrix, set(np.flatnonzero(begin)), largest, steps)
        assert set(np.flatnonzero(found)) == members and end == pytest.approx(statistic)


@pytest.mark.parametrize("apart", [(), (0, 3, 4)])
@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("steps", [0, 1, 30])
def test_residuals_are_what_the_products_of_strengths_leave(apart: tuple[int, ...], unit: float, steps: int) -> None:
    rng = np.random.default_rng(1)
    n = 9
    weights = np.triu(rng.exponential(size=(n, n)), 1)
    weights = unit * (weights + weights.T)
    weights[1, 2] = weights[2, 1] = np.nan
    weights[8] = weights[:, 8] = 0.0  # no weight at all
    np.fill_diagonal(weights, 5.0 * unit)  # does not count
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j and np.isfinite(weights[i, j])]
    used = [(i, j) for i, j in pairs if not (i in apart and j in apart)]
    strength = [sum(weights[i, j] for i, j in used if i == k) for k in range(n)]
    theta = [s / sum(strength) ** 0.5 for s in strength]
    for _ in range(steps):
        reach = [sum(theta[j] for i, j in used if i == k) for k in range(n)]
        theta = [(t * s / r) ** 0.5 if r else 0.0 for t, s, r in zip(theta, strength, reach, strict=True)]
    expected = np.full((n, n), np.nan)
    for i, j in pairs:
        if theta[i] * theta[j] > 0:
            expected[i, j] = (weights[i, j] - theta[i] * theta[j]) / (theta[i] * theta[j]) ** 0.5
    got = strength_residuals(weights, apart, steps)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9 * unit**0.5)
    assert np.isnan(got[8]).all() and np.isfinite(got[0, 1:8]).all()
    if steps == 30:
        np.testing.assert_array_equal(strength_residuals(weights, apart), got)
        sums = [sum(theta[i] * theta[j] for i, j in used if i == k) for k in range(n)]
        assert sums == pytest.approx(strength, rel=1e-3)


def test_nothing_is_left_where_there_is_no_weight() -> None:
    assert np.isnan(strength_residuals(np.zeros((4, 4)))).all()
    assert np.isnan(strength_residuals(np.full((4, 4), np.nan))).all()
    weights = np.random.default_rng(0).uniform(1, 2, (6, 6))
    weights += weights.T
    weights[5] = weights[:, 5] = np.nan  # says nothing of the others
    got = strength_residuals(weights)
    np.testing.assert_array_equal(got[:5, :5], strength_residuals(weights[:5, :5]))
    assert np.isfinite(got[0, 1:5]).all() and np.isnan(got[5]).all()


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_standardised_weights_have_a_mean_of_0_and_a_deviation_of_1_in_any_unit(unit: float) -> None:
    weights = unit * planted(9, [0, 1, 2], np.random.default_rng(5))
    weights[0, 1] = weights[1, 0] = np.nan
    np.fill_diagonal(weights, 1e3 * unit)
    matrix = standardise(weights)
    known = matrix.values[matrix.observed]
    assert len(known) == 9 * 8 - 2 and known.mean() == pytest.approx(0, abs=1e-12) and known.std() == pytest.approx(1)
    assert (matrix.values[~matrix.observed] == 0).all() and not matrix.observed.diagonal().any() and matrix.n == 9
    assert matrix.mean == pytest.approx(np.nanmean(weights[np.triu_indices(9, 1)]))
    assert matrix.spread == pytest.approx(np.nanstd(weights[np.triu_indices(9, 1)]))
    assert matrix.statistic([0, 1]) == 0.0 and matrix.statistic([4]) == 0.0
    alike = standardise(np.full((5, 5), unit) * (1 + 1e-14 * np.arange(5)))
    assert (alike.values == 0).all()
    nothing = standardise(np.full((3, 3), np.nan))
    assert np.isnan(nothing.mean) and nothing.spread == 0 and (nothing.values == 0).all()


def test_a_group_has_three_members_or_more_and_a_positive_statistic() -> None:
    observed = ~np.eye(3, dtype=bool)
    nought = Standardised(np.array([[0, -1, 0.5], [-1, 0, 0.5], [0.5, 0.5, 0]]), observed, 0.0, 1.0)
    assert scan_groups(nought, largest=3) == [] and strongest_group(nought, largest=3) is None
    assert largest_statistic(nought, largest=3) == 0.0
    weak = Standardised(np.array([[0, 0.3, 0.2], [0.3, 0, 0.25], [0.2, 0.25, 0]]), observed, 0.0, 1.0)
    (only,) = scan_groups(weak, largest=3)
    assert only.members == (0, 1, 2) and only.statistic == pytest.approx(0.75 / np.sqrt(3))
    assert strongest_group(weak, largest=3) == only and largest_statistic(weak, largest=3) == only.statistic
    for largest in (0, 1, 2, None):  # by default half of the nodes
        assert scan_groups(weak, largest=largest) == [] and strongest_group(weak, largest=largest) is None


def test_what_is_beyond_strength_leaves_out_the_strongest_group_or_the_one_that_is_given() -> None:
    weights = planted(24, list(range(7)), np.random.default_rng(6), 6.0)
    best = scan_groups(standardise(weights))
    expected = standardise(strength_residuals(weights, best[0].members))
    np.testing.assert_array_equal(beyond_strength(weights).values, expected.values)
    other = standardise(strength_residuals(weights, (1, 9, 12)))
    np.testing.assert_array_equal(beyond_strength(weights, [Group(2.0, (1, 9, 12)), *best]).values, other.values)
    np.testing.assert_array_equal(beyond_strength(weights, []).values, standardise(strength_residuals(weights)).values)
    alike = np.ones((6, 6))
    np.testing.assert_array_equal(beyond_strength(alike).values, standardise(strength_residuals(alike)).values)


def test_of_the_strongest_pairs_twenty_for_each_start_are_looked_at() -> None:
    for hub in (79, 80):  # pairs of node 0 before the first other one; four starts
        values = np.zeros((hub + 1, hub + 1))
        values[0, 1:] = np.arange(200, 200 - hub, -1)
        values[1, 2] = 50.0
        observed = values > 0
        assert len(_seeds(values, observed | observed.T, 4)) == (4 if hub == 79 else 3)


def test_equal_groups_are_listed_once_the_best_first() -> None:
    found = scan_groups(standardise(planted(24, list(range(6)), np.random.default_rng(8), 4.0)))
    assert len({g.members for g in found}) == len(found) > 1
    assert [g.statistic for g in found] == sorted((g.statistic for g in found), reverse=True)
    assert all(list(g.members) == sorted(set(g.members)) for g in found)


def test_a_group_of_pairs_does_not_count_with_its_pairs():
    rng = np.random.default_rng(3)
    weights = np.triu(rng.gamma(8, 1 / 8, (40, 40)), 1)
    weights += weights.T
    for k in range(0, 12, 2):
        weights[k, k + 1] = weights[k + 1, k] = 12.0  # six pairs, such as a left and a right neuron
    grouped = weights.copy()
    grouped[20:26, 20:26] += 4.0
    one, other = standardise(weights), standardise(grouped)
    assert beyond_pairs(one, range(12)) < 0.2 * one.statistic(range(12))
    assert beyond_pairs(other, range(20, 26)) == other.statistic(range(20, 26))
    assert beyond_pairs(other, range(20, 26), 7.5) == 7.5
    assert beyond_pairs(one, [0, 1, 13]) < 0.2 * one.statistic([0, 1, 13])
    # by hand: of four nodes the strongest pairs of all are 0-1 and 2-3
    values = np.zeros((8, 8))
    values[:4, :4] = [[0, 9, 2, 3], [9, 0, 1, 2], [2, 1, 0, 8], [3, 2, 8, 0]]
    matrix = Standardised(values, ~np.eye(8, dtype=bool), 0.0, 1.0)
    whole = (9 + 2 + 3 + 1 + 2 + 8) / np.sqrt(6)
    assert beyond_pairs(matrix, range(4)) == pytest.approx(
        whole * ((2 + 3 + 1 + 2) / 4) / ((9 + 2 + 3 + 1 + 2 + 8) / 6)
    )
    assert beyond_pairs(matrix, [5]) == 0.0
