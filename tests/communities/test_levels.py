"""Numbers of communities, matches between partitions, and alignment of samples, against all possibilities of small cases."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from napari_dynamic_connectome.communities.levels import (
    expand,
    match_communities,
    match_labels,
    number_levels,
    shared_numbers,
)
from napari_dynamic_connectome.communities.posterior import Posterior, align
from napari_dynamic_connectome.communities.tail import counted_p_value, false_discovery, share_interval, tail_p_value


def test_nested_labels_become_labels_of_the_nodes() -> None:
    levels = [np.array([0, 2, 1, 2, 3]), np.array([1, 0, 1, 0]), np.array([0, 0])]
    assert expand(levels).tolist() == [[0, 2, 1, 2, 3], [1, 1, 0, 1, 0], [0, 0, 0, 0, 0]]


def test_communities_are_numbered_by_parent_then_size_then_first_member() -> None:
    labels = np.array(
        [
            [9, 4, 4, 7, 7, 7, 2, 2, -1, 5],
            [3, 3, 3, 8, 8, 8, 8, 8, -1, 3],
            [0, 0, 0, 0, 0, 0, 0, 0, -1, 0],
        ]
    )
    assert number_levels(labels).tolist() == [
        [3, 2, 2, 0, 0, 0, 1, 1, -1, 4],  # the children of the larger parent first
        [1, 1, 1, 0, 0, 0, 0, 0, -1, 1],
        [0, 0, 0, 0, 0, 0, 0, 0, -1, 0],
    ]
    two = np.array([[3, 5, 5, 4, 4, 4, -1], [1, 2, 2, 1, 1, 1, -1]])
    assert number_levels(two).tolist() == [[1, 2, 2, 0, 0, 0, -1], [0, 1, 1, 0, 0, 0, -1]]
    np.testing.assert_array_equal(number_levels(number_levels(labels)), number_levels(labels))


def score(pairs: dict[int, int], first: np.ndarray, second: np.ndarray) -> float:
    """Shared nodes of all matched groups, and shared over those of either."""
    total = 0.0
    both = (first >= 0) & (second >= 0)
    for b, a in pairs.items():
        mine, yours = (second == b) & both, (first == a) & both
        total += (mine & yours).sum() + (mine & yours).sum() / (mine | yours).sum()
    return total


@pytest.mark.parametrize("seed", range(80))
def test_groups_are_matched_so_that_as_many_nodes_as_possible_are_shared(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 14 if seed < 12 else 9  # of few nodes many pairs of groups share as many
    first, second = rng.integers(-1, 3, n), 5 + rng.integers(0, 4, n)
    second[rng.random(n) < 0.2] = -1
    got = match_labels(first, second)
    assert len(set(got.values())) == len(got)
    for b, a in got.items():
        assert ((second == b) & (first == a)).any()
    names_a, names_b = np.unique(first[first >= 0]), np.unique(second[second >= 0])
    best = 0.0
    for chosen in itertools.permutations([*names_a, *[None] * len(names_b)], len(names_b)):
        pairs = {int(b): int(a) for b, a in zip(names_b, chosen, strict=True) if a is not None}
        best = max(best, score(pairs, first, second))
    assert score(got, first, second) == pytest.approx(best)


def test_partitions_that_share_no_node_have_no_match() -> None:
    assert match_labels(np.array([0, 1, -1]), np.array([-1, -1, 3])) == {}
    assert match_labels(np.array([0, 0, 1]), np.array([7, 7, -1])) == {7: 0}


def test_of_pairs_of_groups_that_share_as_many_nodes_those_with_fewer_others_are_matched() -> None:
    first, second = np.array([1, 1, 2, 1, 0, 2, 0, 1]), np.array([0, 0, 2, 2, 2, 0, 1, 2])
    assert match_labels(first, second) == {0: 1, 1: 0, 2: 2}


def test_one_community_of_everybody_is_number_0_and_others_keep_their_number_where_they_are_alike() -> None:
    names = list("ABCDEFGH")
    partitions = [
        (names, np.array([0, 0, 0, 1, 1, 1, -1, -1])),
        (names, np.array([4, 4, 4, 4, 4, 4, 4, 4])),  # everybody
        (names, np.array([2, 2, 2, 2, 0, 0, 0, -1])),  # the first two, exchanged
        (names[::-1], np.array([0, 0, 1, 1, 1, -1, -1, -1])),  # HG are new, FED the second
        (names, np.full(8, -1)),
    ]
    assert shared_numbers(partitions) == [{0: 0, 1: 1}, {4: 0}, {2: 0, 0: 1}, {1: 1, 0: 2}, {}]


def test_a_third_of_the_neurons_makes_two_communities_the_same() -> None:
    names = [f"N{k}" for k in range(12)]
    first = np.array([0, 0, 0, 0, 1, 1, 1, 1, -1, -1, -1, -1])
    third = np.array([5, 5, -1, -1, -1, -1, -1, -1, 5, 5, 6, 6])  # 2 of 6 neurons
    less = np.array([5, -1, -1, -1, -1, -1, -1, -1, 5, 5, 6, 6])  # 1 of 6
    assert shared_numbers([(names, first), (names, third)])[1] == {5: 0, 6: 2}
    assert shared_numbers([(names, first), (names, less)])[1] == {5: 2, 6: 3}
    turned = np.array([-1, -1, -1, -1, 5, 5, -1, -1, 5, 5, 6, 6])
    assert shared_numbers([(names, first), (names, turned)])[1] == {5: 1, 6: 2}


def test_numbers_run_out_before_two_of_one_partition_are_the_same_and_close_colours_are_avoided() -> None:
    names = list("ABCDEF")
    two = [(names, np.array([0, 0, 1, 1, -1, -1])), (names, np.array([-1, -1, -1, 3, 4, 4]))]
    assert shared_numbers(two, most=3) == [{0: 0, 1: 1}, {3: 1, 4: 2}]
    new = [(names, np.array([0, 0, 0, 1, 1, 1])), (names, np.array([0, 1, 2, 0, 1, 2]))]
    assert shared_numbers(new, most=3) == [{0: 0, 1: 1}, {0: 2, 1: 0, 2: 1}]
    assert shared_numbers(new, most=2)[1] == {0: 0, 1: 1, 2: 2}
    assert shared_numbers(new[:1], near={(0, 1)}) == [{0: 0, 1: 2}]
    assert shared_numbers(new[:1], near={(1, 0)}) == [{0: 0, 1: 2}]
    assert shared_numbers(new[:1], most=2, near={(0, 1)}) == [{0: 0, 1: 1}]  # there is no other


def communities(neurons: str, levels: list[list[int]], chosen: int) -> SimpleNamespace:
    labels = xr.DataArray(np.array(levels), dims=("level", "neuron"), coords={"neuron": list(neurons)})
    return SimpleNamespace(neurons=tuple(neurons), labels=labels, chosen_level=chosen)


def test_communities_of_two_results_are_matched_by_the_names_of_their_neurons() -> None:
    first = communities("ABCDE", [[0, 0, 1, 1, 2], [0, 0, 0, 0, 1]], 0)
    second = communities("XEDCB", [[0, 1, 2, 2, 3], [0, 0, 1, 1, 1]], 0)
    assert match_communities(first, second) == {1: 2, 2: 1, 3: 0}
    assert match_communities(first, second, level=1) == {0: 1, 1: 0}
    theirs = communities("CBAZ", [[0, 1, 1, 0]], 0)
    assert match_communities(theirs, communities("CAQB", [[4, 7, 7, 7]], 0)) == {4: 0, 7: 1}
    assert match_communities(theirs, communities("QRS", [[0, 1, 1]], 0)) == {}
    second.chosen_level = 1
    assert match_communities(first, second) == {0: 2, 1: 1}
    assert match_communities(first, communities("", [[], []], 0)) == {}


@pytest.mark.parametrize("seed", range(8))
def test_samples_are_aligned_to_share_as_many_nodes_as_possible(seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference, labels = rng.integers(0, 3, 12), rng.choice([2, 5, 7, 8], 12)
    got = align(labels, reference, 3)
    for group in np.unique(labels):
        assert len(set(got[labels == group])) == 1
    used = [got[labels == g][0] for g in np.unique(labels)]
    assert len([u for u in used if u >= 0]) == len({u for u in used if u >= 0})
    best = 0
    names = np.unique(labels)
    for chosen in itertools.permutations([0, 1, 2, -1, -2, -3, -4], len(names)):
        rename = dict(zip(names, chosen, strict=True))
        best = max(best, sum(rename[one] == r for one, r in zip(labels, reference, strict=True)))
    assert (got == reference).sum() == best


def test_co_membership_is_the_share_of_samples_and_a_node_is_always_with_itself() -> None:
    samples = np.array([[[0, 0, 1, -1]], [[0, 1, 1, -1]], [[2, 2, 2, 2]], [[0, 0, -1, -1]]])
    posterior = Posterior(np.zeros((1, 4)), (), samples, np.zeros(4))
    expected = np.array([[4, 3, 1, 1], [3, 4, 2, 1], [1, 2, 4, 1], [1, 1, 1, 4]]) / 4
    np.testing.assert_array_equal(posterior.co_membership(0), expected)
    raw = np.array([[[0, 0, 0, 1]], [[1, 1, 2, 2]]])
    np.testing.assert_array_equal(posterior.co_membership(0, raw)[0], [1, 1, 0.5, 0])
    counted = Posterior(np.zeros((1, 4)), (), samples, np.zeros(4), together=np.eye(4) * 7)
    assert counted.co_membership(0) is counted.together
    np.testing.assert_array_equal(counted.co_membership(0, samples), expected)


# --- p values -----------------------------------------------------------------------------------------------------------


def test_surrogates_are_counted_where_they_are_few_or_alike_and_missing_ones_left_out() -> None:
    nan = float("nan")
    assert counted_p_value(3.0, [1, 3, 5, nan, np.inf]) == 3 / 4
    eight, nine = list(np.arange(1.0, 9.0)), list(np.arange(1.0, 10.0))
    assert tail_p_value(4.5, [*eight, nan]) == counted_p_value(4.5, eight) == 5 / 9
    assert tail_p_value(4.5, nine) != counted_p_value(4.5, nine)
    assert tail_p_value(4.5, [*nine, nan, np.inf]) == tail_p_value(4.5, nine)
    assert tail_p_value(0.0, [0.0] * 20) == 1.0 and tail_p_value(1.0, [0.0] * 20) == pytest.approx(1 / 21)
    assert tail_p_value(nan, nine) == pytest.approx(1 / 10)
    assert np.isnan(counted_p_value(1.0, [nan]))


def test_the_tail_falls_with_the_statistic_to_its_floor_and_widens_with_fewer_surrogates() -> None:
    draws = np.random.default_rng(0).gamma(9.0, 1.0, 29)
    p = [tail_p_value(s, draws) for s in np.linspace(0, 60, 25)]
    assert p == sorted(p, reverse=True) and p[0] > 0.95 and p[-1] == 1e-3
    assert tail_p_value(float(np.median(draws)), draws) == pytest.approx(0.5, abs=0.1)
    nine = np.quantile(draws, np.linspace(0.05, 0.95, 9))
    nine = (nine - nine.mean()) / nine.std(ddof=1) * draws.std(ddof=1) + draws.mean()  # the same mean and variance
    assert tail_p_value(20.0, nine) > 1.5 * tail_p_value(20.0, draws)


@pytest.mark.parametrize(("count", "total"), [(0, 10), (10, 10), (5, 10), (3, 7), (0.5, 2), (1, 1)])
def test_intervals_of_shares_are_wilsons(count: float, total: int) -> None:
    low, high = share_interval(count, total)
    z = 1.959964
    for bound in (low, high):  # where the share lies z standard errors away
        error = np.sqrt(bound * (1 - bound) / total)
        assert abs(count / total - bound) == pytest.approx(z * error, abs=1e-7)
    assert 0 <= low < high <= 1 and low - 1e-9 <= count / total <= high + 1e-9


def test_nothing_has_no_interval_and_corrections_leave_gaps() -> None:
    assert np.isnan(share_interval(0, 0)).all()
    assert np.isnan(false_discovery([float("nan")] * 2)).all() and false_discovery([]).shape == (0,)
