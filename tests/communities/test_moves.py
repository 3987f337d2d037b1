"""Moves of a partition against the plain definition: what they may do, what they stop at, and what they say they changed."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import njit

from napari_dynamic_connectome.communities import moves
from napari_dynamic_connectome.communities.description_length import description_length
from napari_dynamic_connectome.communities.state import build_problem, build_state, read_levels

spec = importlib.util.spec_from_file_location("community_graphs", Path(__file__).parent / "graphs.py")
graphs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(graphs)

OPTIONS: list[dict[str, Any]] = [{}, {"degree_corrected": True}, {"counts": False, "weight_model": "normal"}]


# kernels that only kernels call have no way in from Python
@njit
def mean_link(p, state, level, u):
    return moves.mean_link(p, state, level, u)


@njit
def shuffled_nodes(state, level):
    return moves.shuffled_nodes(state, level)


def cost_of(edges: np.ndarray, weights: np.ndarray, labels: np.ndarray, **options: Any) -> float:
    """Description length of groups without a hierarchy."""
    _, labels = np.unique(labels, return_inverse=True)
    levels = [labels] if labels.max() == 0 else [labels, np.zeros(labels.max() + 1, dtype=int)]
    return description_length(edges, weights, levels, **options)["total"]


def flat_state(edges: np.ndarray, weights: np.ndarray, labels: np.ndarray, slots: int, seed: int = 0, **options: Any):
    problem = build_problem(edges, weights, len(labels), slots=slots, **options)
    return problem, build_state(problem, [labels, np.zeros(slots, dtype=int)], slots=slots, seed=seed)


def test_the_strength_of_a_node_is_its_weight_or_that_of_its_links_to_groups() -> None:
    edges, weights, levels = graphs.random_case(3, 16, 0.5, 5)
    problem = build_problem(edges, weights, 16, slots=16)
    state = build_state(problem, levels, slots=16)
    full = np.zeros((16, 16))
    full[edges[:, 0], edges[:, 1]] = weights
    for level, labels in enumerate([np.arange(16), levels[0]]):
        groups = labels.max() + 1
        member = labels[:, None] == np.arange(groups)
        between = member.T @ (full + full.T) @ member
        np.fill_diagonal(between, np.diag(between) / 2)  # links inside of a group count once
        for u in range(groups):
            assert mean_link(problem, state, level, u) == pytest.approx(between[u].sum())


def test_every_node_that_is_there_is_visited_once_in_an_order_that_changes() -> None:
    edges, weights, _ = graphs.random_case(4, 12, 0.5, 3)
    labels = np.array([0, 2, 2, 5, 5, 5, 7, 7, 7, 7, 0, 0])  # groups 1, 3, 4 and 6 hold nothing
    _, state = flat_state(edges, weights, labels, 12)
    orders = [[shuffled_nodes(state, level).tolist() for _ in range(40)] for level in (0, 1)]
    for found, there in zip(orders, (list(range(12)), [0, 2, 5, 7]), strict=True):
        assert all(sorted(order) == there for order in found)
        assert {order[0] for order in found} == {order[-1] for order in found} == set(there)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_sweeps_end_where_no_node_has_a_better_group(options: dict[str, Any], seed: int) -> None:
    edges, weights, levels = graphs.random_case(seed, 14, 0.6, 4)
    labels = 2 * levels[0]  # every second slot is free
    problem, state = flat_state(edges, weights, labels, 14, seed, **options)
    before = cost_of(edges, weights, labels, **options)
    change = moves.settle(problem, state, 0, 100)
    found = state.label[0, :14].copy()
    least = cost_of(edges, weights, found, **options)
    assert change == pytest.approx(least - before, abs=1e-8) and change < -1e-9
    assert set(found) == set(labels)  # groups are neither born nor do they die
    for u, group in itertools.product(range(14), set(found)):
        if (found == found[u]).sum() > 1:
            assert cost_of(edges, weights, np.r_[found[:u], group, found[u + 1 :]], **options) > least - 1e-8
    assert moves.settle(problem, state, 0, 100) == 0.0


@pytest.mark.parametrize("most", [0, 1])
def test_no_more_sweeps_are_made_than_asked_for(most: int) -> None:
    edges, weights, levels = graphs.random_case(0, 14, 0.6, 4)
    problem, state = flat_state(edges, weights, levels[0], 14)
    assert (moves.settle(problem, state, 0, most) < 0) == (most > 0)
    if most:
        assert moves.settle(problem, state, 0, 100) < 0


def test_of_many_groups_those_of_one_node_are_tried_too_and_empty_ones_never() -> None:
    # 30 pairs of nodes that only know each other: one node of each is alone in its group, the other one in the crowd
    pairs = np.arange(60).reshape(30, 2)
    chain = np.stack([np.arange(60, 80), np.r_[np.arange(61, 80), 60]], axis=1)
    edges = np.concatenate([pairs, chain])
    labels = np.full(80, 0)
    labels[:60:2] = 2 * np.arange(1, 31)
    problem, state = flat_state(edges, np.ones(len(edges)), labels, 80, 1, weight_model="none")
    before = cost_of(edges, np.ones(len(edges)), labels, weight_model="none")
    change = moves.settle(problem, state, 0, 40)
    found = state.label[0, :80]
    assert change == pytest.approx(cost_of(edges, np.ones(len(edges)), found, weight_model="none") - before, abs=1e-7)
    assert set(found) == set(labels)
    joined = found[1:60:2] == found[:60:2]
    assert joined.sum() >= 10


def test_no_group_is_founded_by_sweeps_where_that_would_be_better() -> None:
    # three hubs of one large group, which would be better off alone; empty groups lie among 25 others
    hubs = np.array([(h, u) for h in range(3) for u in range(3, 60)])
    ring = np.stack([np.arange(60, 110), np.r_[np.arange(61, 110), 60]], axis=1)
    edges, options = np.concatenate([hubs, ring]), {"weight_model": "none"}
    labels = np.r_[np.zeros(60, int), 2 * np.repeat(np.arange(1, 26), 2)]
    ones = np.ones(len(edges))
    apart = labels.copy()
    apart[:3] = 1
    assert cost_of(edges, ones, apart, **options) < cost_of(edges, ones, labels, **options) - 50
    for seed in range(5):
        problem, state = flat_state(edges, ones, labels, 110, seed, **options)
        change = moves.settle(problem, state, 0, 10)
        found = state.label[0, :110]
        assert set(found) == set(labels) and state.groups[0] == 26
        expected = cost_of(edges, ones, found, **options) - cost_of(edges, ones, labels, **options)
        assert change == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_cost_of_the_best_merge_is_that_of_the_definition(options: dict[str, Any]) -> None:
    edges, weights, levels = graphs.random_case(7, 16, 0.5, 5)
    labels = np.array([0, 1, 3, 4, 6])[levels[0]]
    problem, state = flat_state(edges, weights, labels, 16, **options)
    before = cost_of(edges, weights, labels, **options)
    got = moves.merge_costs(problem, state)
    for r in range(7):
        joined = [
            cost_of(edges, weights, np.where(labels == r, s, labels), **options) - before
            for s in set(labels) - {r}
            if r in labels
        ]
        assert got[r] == (pytest.approx(min(joined), abs=1e-8) if joined else np.inf)
    np.testing.assert_array_equal(state.label[0, :16], labels)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("target", [1, 3, 5, 6])
def test_the_cheapest_merges_are_made_until_few_enough_are_left(options: dict[str, Any], target: int) -> None:
    edges, weights, levels = graphs.random_case(8, 18, 0.5, 6)
    labels = levels[0]
    problem, state = flat_state(edges, weights, labels, 18, **options)
    before = cost_of(edges, weights, labels, **options)
    change = moves.merge_down(problem, state, 0, target)
    while len(set(labels)) > target:
        pairs = itertools.combinations(sorted(set(labels)), 2)
        joined = [np.where(labels == r, s, labels) for r, s in pairs]
        labels = min(joined, key=lambda one: cost_of(edges, weights, one, **options))
    found = state.label[0, :18]
    assert change == pytest.approx(cost_of(edges, weights, labels, **options) - before, abs=1e-8)
    assert len(set(found)) == state.groups[0] == target
    np.testing.assert_array_equal(found[:, None] == found, labels[:, None] == labels)


@pytest.mark.parametrize(("groups", "target"), [(12, 4), (30, 29), (60, 20), (60, 1)])
def test_many_groups_are_merged_to_as_many_as_asked_for(groups: int, target: int) -> None:
    edges, weights, levels = graphs.random_case(9, 70, 0.3, groups)
    problem, state = flat_state(edges, weights, levels[0], 70)
    change = moves.merge_down(problem, state, 0, target)
    found = state.label[0, :70]
    assert len(set(found)) == state.groups[0] == target
    joined = {(int(a), int(b)) for a, b in zip(levels[0], found, strict=True)}
    assert len(joined) == groups  # whole groups were merged
    expected = cost_of(edges, weights, found) - cost_of(edges, weights, levels[0])
    assert change == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("start", ["one group", "at random", "alone"])
def test_rounds_of_moves_find_planted_groups_from_anywhere(options: dict[str, Any], start: str) -> None:
    weights, planted = graphs.planted(1, n=30, groups=3, ratio=8.0)
    edges = np.stack(np.triu_indices(30, 1), axis=1)
    values = weights[edges[:, 0], edges[:, 1]]
    if options.get("weight_model") == "normal":
        same = planted[edges[:, 0]] == planted[edges[:, 1]]
        values = 1.5 * same - 0.5 + np.random.default_rng(0).normal(0, 0.3, len(edges))
    begin = {"one group": np.zeros(30, int), "at random": np.arange(30) // 8, "alone": np.arange(30)}[start]
    problem, state = flat_state(edges, values, begin, 30, 2, **options)
    change = sum(moves.improve(problem, state, 0, 2) for _ in range(8))
    found = state.label[0, :30]
    np.testing.assert_array_equal(found[:, None] == found, planted[:, None] == planted)
    expected = cost_of(edges, values, found, **options) - cost_of(edges, values, begin, **options)
    assert change == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_moves_of_groups_keep_the_hierarchy_whole(seed: int) -> None:
    edges, weights, levels = graphs.random_case(seed, 24, 0.5, 8)
    levels = [levels[0], np.arange(8) % 4, np.arange(4) % 2, np.zeros(2, dtype=int)]
    problem = build_problem(edges, weights, 24, slots=24)
    state = build_state(problem, levels, slots=24, seed=seed)
    cost = description_length(edges, weights, levels)["total"]
    for level in (2, 1, 0, 1, 2):
        change = moves.improve(problem, state, level, 3)
        found = read_levels(state)
        after = description_length(edges, weights, found)["total"]
        assert change <= 1e-9 and after - cost == pytest.approx(change, abs=1e-7)
        cost = after
        for below, above in itertools.pairwise(found):
            assert len(above) == below.max() + 1
    assert found[-1].max() == 0


def test_samples_keep_their_hierarchy_and_go_through_several_numbers_of_groups() -> None:
    edges, weights, _ = graphs.random_case(2, 9, 0.7, 3)
    levels = [np.arange(9) // 2, np.array([0, 0, 1, 1, 1]), np.zeros(2, dtype=int)]
    problem = build_problem(edges, weights, 9, slots=10)
    state = build_state(problem, levels, slots=10, seed=5)
    out = np.zeros((400, 3, 9), dtype=np.int64)
    moves.draw(problem, state, len(out), out)
    for labels in out:
        for below, above in itertools.pairwise(labels):  # who is together stays together
            assert (above[:, None] == above)[below[:, None] == below].all()
        assert len(set(labels[2])) == 1
    assert len({len(set(labels[0])) for labels in out}) > 2
    assert len({len(set(labels[1])) for labels in out}) == 1  # only groups of nodes are founded and closed
    assert len({(labels[1][:, None] == labels[1]).tobytes() for labels in out}) > 10
    np.testing.assert_array_equal(out[-1, 0], state.label[0, :9])
    assert description_length(edges, weights, read_levels(state))["total"] > 0
