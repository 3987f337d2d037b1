"""The search for the partition of lowest description length, against all partitions of small graphs and planted groups of larger ones."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path

import numpy as np
import pytest

from napari_dynamic_connectome.communities import moves
from napari_dynamic_connectome.communities import search as module
from napari_dynamic_connectome.communities.description_length import description_length
from napari_dynamic_connectome.communities.search import (
    Fit,
    agglomerate,
    build_hierarchy,
    flat,
    kick,
    one_group,
    refine,
    search,
    state_cost,
    trim,
)
from napari_dynamic_connectome.communities.state import Problem, build_problem, build_state
from napari_dynamic_connectome.model.progress import Cancelled

spec = importlib.util.spec_from_file_location("community_graphs", Path(__file__).parent / "graphs.py")
graphs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(graphs)


def cost_of(edges: np.ndarray, weights: np.ndarray, labels: np.ndarray) -> float:
    return description_length(edges, weights, flat(labels))["total"]


def planted(seed: int, n: int, groups: int, ratio: float = 12.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges, weights and groups of a complete graph."""
    weights, labels = graphs.planted(seed, n=n, groups=groups, ratio=ratio)
    edges = np.stack(np.triu_indices(n, 1), axis=1)
    values = weights[edges[:, 0], edges[:, 1]]
    return edges, values / values.mean(), labels


def blocks(groups: int, size: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges, weights and groups of a graph that is complete inside of its groups, which few links join."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(groups), size)
    a, b = np.triu_indices(len(labels), 1)
    kept = (labels[a] == labels[b]) | (rng.random(len(a)) < 0.02)
    edges = np.stack([a, b], axis=1)[kept]
    return edges, np.ones(len(edges)), labels


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two partitions are the same but for the numbers of their groups."""
    return bool(((one[:, None] == one) == (other[:, None] == other)).all())


def valid(levels: tuple[np.ndarray, ...] | list[np.ndarray]) -> bool:
    """Whether levels fit each other and end with one group, without a level that changes nothing."""
    for below, above in itertools.pairwise(levels):
        if len(above) != below.max() + 1 or len(set(below)) != below.max() + 1 or below.max() == 0:
            return False
    return levels[-1].max() == 0


def partitions(n: int) -> list[np.ndarray]:
    """All partitions of n nodes."""
    found = [(0,)]
    for _ in range(n - 1):
        found = [(*one, k) for one in found for k in range(max(one) + 2)]
    return [np.array(one) for one in found]


def test_flat_partitions_have_their_groups_numbered_and_one_group_above() -> None:
    for labels, expected in (
        ([5, 2, 5, 9], [[1, 0, 1, 2], [0, 0, 0]]),
        ([3, 3, 3], [[0, 0, 0]]),
        ([0, 1], [[0, 1], [0, 0]]),
    ):
        assert [level.tolist() for level in flat(np.array(labels))] == expected


def test_levels_that_say_nothing_are_left_out() -> None:
    def trimmed(*levels: list[int]) -> list[list[int]]:
        return [level.tolist() for level in trim([np.array(level) for level in levels])]

    assert trimmed([0, 0, 1, 2], [0, 1, 2], [0, 0, 1], [0, 0]) == [[0, 0, 1, 2], [0, 0, 1], [0, 0]]
    assert trimmed([0, 0, 1, 2], [0, 1, 0], [1, 0]) == [[0, 0, 1, 2], [0, 1, 0], [0, 0]]
    assert trimmed([0, 0, 0], [0], [0]) == [[0, 0, 0]]
    assert trimmed([0, 1, 1], [0, 0], [0], [0]) == [[0, 1, 1], [0, 0]]
    assert trimmed([0, 1, 2]) == [[0, 1, 2], [0, 0, 0]]


def test_one_group_costs_what_the_definition_says() -> None:
    edges, weights, _ = graphs.random_case(0, 11, 0.5, 3)
    fit = one_group(build_problem(edges, weights, 11, slots=11))
    assert fit.n_groups == 1 and [level.tolist() for level in fit.levels] == [[0] * 11]
    assert fit.cost == pytest.approx(cost_of(edges, weights, np.zeros(11, int)))


def test_a_kick_moves_about_a_quarter_of_the_nodes_to_groups_of_which_there_are_not_too_many() -> None:
    labels = np.arange(400) % 5
    sizes, moved = set(), []
    for seed in range(40):
        for most in (5, 6, 20):
            got = kick(labels, np.random.default_rng(seed), most)
            assert set(got) == set(range(got.max() + 1)) and got.max() < min(most, 8)
            sizes |= {int(got.max()) + 1} if most == 20 else set()
            together = (got[:, None] == got)[:, :5]  # with the first five nodes
            moved.append(1 - together[np.arange(400), labels].mean())
    assert sizes == {5, 6, 7, 8}
    np.testing.assert_array_equal(labels, np.arange(400) % 5)
    assert kick(np.zeros(3, int), np.random.default_rng(0), 1).tolist() == [0, 0, 0]
    one = [kick(np.zeros(1000, int), np.random.default_rng(seed), 2) for seed in range(20)]
    share = [np.bincount(labels, minlength=2).min() / 1000 for labels in one]
    assert max(share) == pytest.approx(0.125, abs=0.03) and set(np.round(share, 1)) == {0.0, 0.1}


@pytest.mark.parametrize("initial", [0, 7])
@pytest.mark.parametrize("seed", range(3))
def test_agglomeration_ends_at_groups_that_no_single_node_improves(seed: int, initial: int) -> None:
    edges, weights, _ = planted(seed, 36, 4, 4.0)
    problem = build_problem(edges, weights, 36, slots=36)
    labels, cost = agglomerate(problem, 36, 36, seed, initial)
    assert cost == pytest.approx(cost_of(edges, weights, labels))
    assert cost < cost_of(edges, weights, np.zeros(36, int)) - 1
    assert labels.max() >= 2
    for u, group in itertools.product(range(36), range(labels.max() + 1)):
        if (labels == labels[u]).sum() > 1:
            assert cost_of(edges, weights, np.r_[labels[:u], group, labels[u + 1 :]]) > cost - 1e-8


@pytest.mark.parametrize(("groups", "size", "slots", "initial"), [(3, 10, 30, 0), (6, 8, 48, 12), (5, 34, 60, 0)])
def test_agglomeration_finds_planted_groups(groups: int, size: int, slots: int, initial: int) -> None:
    edges, weights, truth = blocks(groups, size, 1)
    problem = build_problem(edges, weights, len(truth), slots=max(slots, 60))
    labels, cost = agglomerate(problem, len(truth), slots, 0, initial)
    assert alike(labels, truth)
    assert cost == pytest.approx(cost_of(edges, weights, truth))


def nested() -> tuple[Problem, np.ndarray, np.ndarray, np.ndarray]:
    """32 small groups in four large ones."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(32), 4)
    above = labels // 8
    a, b = np.triu_indices(len(labels), 1)
    chance = np.where(labels[a] == labels[b], 0.95, np.where(above[a] == above[b], 0.15, 0.002))
    edges = np.stack([a, b], axis=1)[rng.random(len(a)) < chance]
    return build_problem(edges, np.ones(len(edges)), 128, slots=40, weight_model="none"), edges, labels, above


def test_a_hierarchy_is_built_where_it_is_shorter_and_not_elsewhere() -> None:
    problem, edges, labels, above = nested()
    cost = {"weight_model": "none"}
    levels = build_hierarchy(problem, labels, 40, 0)
    assert valid(levels) and len(levels) >= 3 and alike(levels[0], labels)
    assert alike(levels[1][levels[0]], above)
    ones = np.ones(len(edges))
    assert description_length(edges, ones, levels, **cost)["total"] < (
        description_length(edges, ones, flat(labels), **cost)["total"] - 1
    )
    edges, weights, truth = planted(0, 24, 4)
    problem = build_problem(edges, weights, 24, slots=24)
    for labels in (truth, truth % 2, truth * 0):
        assert len(build_hierarchy(problem, labels, 24, 0)) == len(flat(labels))


def test_refining_finds_the_hierarchy_from_a_disturbed_start_and_says_its_cost() -> None:
    problem, edges, labels, _ = nested()
    begin = kick(labels, np.random.default_rng(1), 34)
    fit = refine(problem, begin, 40, 4, 0)
    levels = [np.asarray(level) for level in fit.levels]
    assert valid(levels) and len(levels) >= 3
    exact = description_length(edges, np.ones(len(edges)), levels, weight_model="none")["total"]
    assert fit.cost == pytest.approx(exact)
    planted = [labels, np.arange(32) // 8, np.zeros(4, int)]
    assert exact <= description_length(edges, np.ones(len(edges)), planted, weight_model="none")["total"]


def test_no_round_only_builds_the_hierarchy() -> None:
    problem, _, labels, _ = nested()
    fit = refine(problem, labels, 40, 0, 0)
    for got, expected in zip(fit.levels, build_hierarchy(problem, labels, 40, 0), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("starts", [1, 3])
def test_the_search_is_as_good_as_the_best_of_all_partitions(seed: int, starts: int) -> None:
    rng = np.random.default_rng(seed)
    n = 7
    edges = np.stack(np.triu_indices(n, 1), axis=1)
    edges = edges[rng.random(len(edges)) < 0.8]
    two = (edges[:, 0] < 3) == (edges[:, 1] < 3)
    weights = rng.exponential(np.where(two, 6.0, 0.4))
    weights /= weights.mean()
    least = min(cost_of(edges, weights, labels) for labels in partitions(n))
    fit = search(build_problem(edges, weights, n, slots=n), starts=starts, rounds=6, max_groups=n, seed=seed)
    assert valid(list(fit.levels))
    assert fit.cost == pytest.approx(description_length(edges, weights, list(fit.levels))["total"])
    assert fit.cost <= least + 1e-9


def test_further_starts_never_make_it_worse_and_go_on_from_what_was_found() -> None:
    edges, weights, _ = graphs.random_case(12, 40, 0.25, 6)
    problem = build_problem(edges, weights, 40, slots=40)
    costs = []
    best = None
    for first in range(4):
        best = search(problem, starts=1, rounds=3, max_groups=20, seed=3, first=first, best=best)
        costs.append(best.cost)
    assert costs == sorted(costs, reverse=True)
    together = search(problem, starts=4, rounds=3, max_groups=20, seed=3)
    assert together.cost == costs[-1]
    assert search(problem, starts=0, rounds=3, max_groups=20, seed=3, best=best) is best


def test_what_is_too_small_or_has_no_links_is_one_group() -> None:
    edges, weights, _ = planted(0, 12, 3)
    cases = [
        (edges, weights, 12, 1),
        (edges[:0], weights[:0], 12, 12),
        (np.array([[0, 1]]), np.ones(1), 2, 2),
    ]
    for some, values, n, most in cases:
        fit = search(build_problem(some, values, n, slots=n), starts=2, rounds=2, max_groups=most, seed=0)
        assert fit.n_groups == 1 and len(fit.levels) == 1
    triangle = np.array([[0, 1], [0, 2], [1, 2]])
    fit = search(build_problem(triangle, np.ones(3), 3, slots=3), starts=1, rounds=1, max_groups=3, seed=0)
    assert fit.cost <= cost_of(triangle, np.ones(3), np.zeros(3, int)) + 1e-9


def test_progress_is_told_per_start_and_a_search_can_be_cancelled() -> None:
    edges, weights, _ = planted(0, 16, 2)
    problem = build_problem(edges, weights, 16, slots=16)
    told: list[tuple[float, str]] = []
    options = {"starts": 4, "rounds": 2, "max_groups": 16, "seed": 0}
    search(problem, **options, first=2, progress=lambda share, text="": told.append((share, text)))
    assert told == [(0.0, "start 3"), (0.25, "start 4"), (0.5, "start 5"), (0.75, "start 6")]
    for after in (1, 3, 10):
        left = [after]

        def cancel() -> bool:
            left[0] -= 1  # noqa: B023
            return left[0] == 0  # noqa: B023

        with pytest.raises(Cancelled):
            search(problem, **options, cancel=cancel)


# --- the way of a search, step by step ------------------------------------------------------------------------------------


def schedule(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """What is asked of the moves, which are made all the same."""
    asked: list[tuple] = []
    real = moves.merge_down, moves.settle

    def merge_down(problem, state, level, target):
        asked.append(("merge", level, target))
        return real[0](problem, state, level, target)

    def settle(problem, state, level, most):
        asked.append(("settle", level, most, int(state.groups[level])))
        return real[1](problem, state, level, most)

    monkeypatch.setattr(moves, "merge_down", merge_down)
    monkeypatch.setattr(moves, "settle", settle)
    return asked


@pytest.mark.parametrize(
    ("n", "slots", "initial", "begin"),
    [
        (40, 40, 0, 40), (40, 39, 0, 39), (160, 160, 0, 160), (161, 200, 0, 60), (70, 30, 0, 30), (40, 40, 10, 10), (40, 40, 9, 9),
        (70, 70, 1, 1), (75, 80, 50, 50),
    ],
)  # fmt: skip
def test_groups_become_fewer_by_a_third_and_the_last_ones_by_a_sixth(n, slots, initial, begin, monkeypatch) -> None:
    rng = np.random.default_rng(n)
    edges = np.stack(np.triu_indices(n, 1), axis=1)
    edges = edges[rng.random(len(edges)) < 5 / n]
    problem = build_problem(edges, np.ones(len(edges)), n, slots=slots, weight_model="none")
    asked = schedule(monkeypatch)
    labels, cost = agglomerate(problem, n, slots, 3, initial)
    expected: list[tuple] = [("settle", 0, 4, begin)] if begin < n else []
    groups = begin
    while groups > 1:
        groups = min(groups - 1, int(groups / 1.5) if groups > 8 else int(groups / 1.2))
        expected += [("merge", 0, groups), ("settle", 0, 3 if groups > 24 else 8, groups)]
    assert asked == expected
    assert cost == pytest.approx(
        description_length(edges, np.ones(len(edges)), flat(labels), weight_model="none")["total"]
    )
    again = agglomerate(problem, n, slots, 3, initial)
    np.testing.assert_array_equal(again[0], labels)


def test_all_numbers_of_groups_of_a_new_level_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    edges, weights, truth = planted(0, 24, 4)
    problem = build_problem(edges, weights, 24, slots=24)
    asked = schedule(monkeypatch)
    build_hierarchy(problem, truth, 24, 0)
    assert asked == [("merge", 1, 3), ("settle", 1, 4, 3), ("merge", 1, 2), ("settle", 1, 4, 2)]
    asked.clear()
    build_hierarchy(problem, np.arange(24) % 3, 24, 0)
    assert asked == [("merge", 1, 2), ("settle", 1, 4, 2)]
    asked.clear()
    build_hierarchy(problem, np.arange(24) % 2, 24, 0)
    assert asked == []


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_rounds_end_after_two_that_change_nothing_and_go_through_all_levels(rounds: int, monkeypatch) -> None:
    problem, _, labels, _ = nested()
    asked: list[tuple] = []
    told: list[float] = []

    def improve(problem, state, level, tries):
        asked.append((level, tries, state.size.shape[1], int(state.random[0])))
        return 0.0

    monkeypatch.setattr(moves, "improve", improve)
    depth = len(build_hierarchy(problem, labels, 40, 0))
    fit = refine(problem, labels, 20, rounds, 7, lambda share, text="": told.append(share))
    assert len(fit.levels) == depth >= 3 and fit.n_groups == 32
    made = min(rounds, 2)
    assert [one[:3] for one in asked] == [(level, 2, 32) for level in range(depth - 1)] * made
    assert told == [k / rounds for k in range(made)]
    seeds = [build_state(problem, fit.levels, slots=32, seed=8 + k).random[0] for k in range(made)]
    assert [one[3] for one in asked] == [int(seed) for seed in seeds for _ in range(depth - 1)]
    asked.clear()
    refine(problem, np.zeros(128, int), 20, 1, 7)
    assert [one[:3] for one in asked] == [(0, 2, 20)]  # one group is divided


def test_the_cost_of_a_state_is_that_of_its_labels_whatever_its_sums_have_become() -> None:
    edges, weights, levels = graphs.random_case(2, 14, 0.6, 4)
    problem = build_problem(edges, weights, 14, slots=14)
    state = build_state(problem, levels, slots=14)
    state.pair[:] += 1.0
    state.ends[:] += 3
    expected = description_length(edges, weights, levels)["total"]
    assert state_cost(problem, state) == pytest.approx(expected)


@pytest.mark.parametrize("n", [160, 161])
def test_starts_begin_anew_or_disturb_what_was_found_with_room_for_more(
    n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    edges = np.stack([np.arange(n), np.r_[np.arange(1, n), 0]], axis=1)
    problem = build_problem(edges, np.ones(n), n, slots=n, weight_model="none")
    asked: list[tuple] = []
    alone = one_group(problem)

    def agglomerated(problem, n, slots, seed, initial, cancel):
        asked.append(("new", n, slots, seed, initial))
        return np.arange(n) % 6, 0.0

    def kicked(labels, rng, most):
        asked.append(("kick", int(labels.max()) + 1, int(rng.integers(1 << 30)), most))
        return np.where(np.arange(len(labels)) == len(asked), (labels + 1) % 6, labels)

    def refined(problem, labels, room, rounds, seed, progress, cancel):
        asked.append(("refine", room, rounds, seed))
        return Fit(tuple(flat(labels)), alone.cost - 5.0, problem)

    for name, fake in (("agglomerate", agglomerated), ("kick", kicked), ("refine", refined)):
        monkeypatch.setattr(module, name, fake)
    fit = search(problem, starts=10, rounds=3, max_groups=50, seed=9, initial=4)
    slots = n if n == 160 else 50
    room = min(max(50, 8), n, 4 * 6 + 16)
    expected: list[tuple] = []
    for start in range(10):
        for number in range(1 if start % 8 == 0 else 3):
            seed = 9 + 1009 * start + 101 * number
            if start % 8 == 0:
                expected.append(("new", n, slots, seed, 4))
            else:
                expected.append(("kick", 6, int(np.random.default_rng(seed).integers(1 << 30)), 50))
            if start != 8:  # what was tried is not tried again
                expected.append(("refine", room, 3, seed))
    assert asked == expected and fit.n_groups == 6
    asked.clear()
    search(problem, starts=1, rounds=3, max_groups=3, seed=9, first=8)
    assert asked[1][:2] == ("refine", 8)  # two more than there are
    asked.clear()
    search(problem, starts=1, rounds=3, max_groups=30, seed=9, first=8)
    assert asked[1][:2] == ("refine", 30)
