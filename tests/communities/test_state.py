"""Arrays of the compiled search against dense matrices: the graph, the tables, all sums of a nested partition."""

from __future__ import annotations

import importlib.util
import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import njit
from scipy.special import gammaln

from napari_dynamic_connectome.communities import kernels, state
from napari_dynamic_connectome.communities.description_length import (
    NORMAL_PRIOR,
    description_length,
    log_partition_curve,
    log_partition_table,
)

spec = importlib.util.spec_from_file_location("community_graphs", Path(__file__).parent / "graphs.py")
graphs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(graphs)


@njit
def log_q(f, table, curve, m, n):
    return kernels.log_q(f, table, curve, m, n)


def hidden_pairs(edges: np.ndarray, n: int, seed: int = 0) -> np.ndarray:
    taken = {tuple(e) for e in edges.tolist()}
    free = [p for p in itertools.combinations(range(n), 2) if p not in taken]
    rng = np.random.default_rng(seed)
    return np.array([p for p in free if rng.random() < 0.5], dtype=np.int64).reshape(-1, 2)


def dense(pointer: np.ndarray, neighbour: np.ndarray, values: np.ndarray | None = None) -> np.ndarray:
    n = len(pointer) - 1
    full = np.zeros((n, n))
    for i in range(n):
        own = slice(pointer[i], pointer[i + 1])
        assert (np.diff(neighbour[own]) > 0).all()  # in order, each once
        full[i, neighbour[own]] = 1.0 if values is None else values[own]
    return full


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize("corrected", [True, False])
@pytest.mark.parametrize("model", ["none", "exponential", "normal"])
@pytest.mark.parametrize("hide", [True, False])
def test_a_problem_holds_the_graph_and_what_is_asked_of_it(
    counts: bool, corrected: bool, model: str, hide: bool
) -> None:
    edges, weights, _ = graphs.random_case(3, 12, 0.4, 4)
    edges = edges[(edges != 5).all(axis=1)]  # a node without links
    weights = weights[: len(edges)]
    turned = edges[:, ::-1].copy()[::-1]  # in whatever order
    hidden = hidden_pairs(edges, 12) if hide else None
    options: dict[str, Any] = {
        "counts": counts,
        "degree_corrected": corrected,
        "weight_model": model,
        "unobserved": hidden,
    }
    got = state.build_problem(turned, weights[::-1], 12, slots=5, **options)
    full = np.zeros((12, 12))
    full[edges[:, 0], edges[:, 1]] = weights
    np.testing.assert_array_equal(dense(got.pointer, got.neighbour, got.weight), full + full.T)
    degree = (full + full.T > 0).sum(axis=0)
    np.testing.assert_array_equal(got.degree, degree)
    values = sorted(set(degree.tolist()))
    assert got.degree_class.tolist() == [values.index(k) for k in degree]
    unseen = np.zeros((12, 12))
    if hide:
        unseen[hidden[:, 0], hidden[:, 1]] = 1
    np.testing.assert_array_equal(dense(got.hidden_pointer, got.hidden), unseen + unseen.T)
    number = {"none": 0, "exponential": 1, "normal": 2}[model]
    assert got.options.tolist() == [counts, corrected and counts, number, hide and counts]
    needed = max(2 * len(edges), len(edges) + 5 * 6 // 2, 12)  # half-edges of a group; placements of links; nodes
    assert len(got.log_factorial) > needed
    np.testing.assert_allclose(got.log_factorial, [math.lgamma(k + 1) for k in range(len(got.log_factorial))])
    if corrected and counts:
        np.testing.assert_array_equal(got.log_q, log_partition_table(2 * len(edges), 12))
    else:
        assert got.log_q.size == 0
    assert got.log_q_curve.shape == (3, 2) and not got.log_q_curve.any()
    assert tuple(got.prior) == NORMAL_PRIOR


def test_the_table_of_partitions_gives_way_to_the_curve_where_it_would_be_too_large(monkeypatch: Any) -> None:
    edges, weights, _ = graphs.random_case(3, 12, 0.4, 4)
    size = (2 * len(edges) + 1) * 13
    assert log_partition_table(2 * len(edges), 12).size == size
    for limit, table in ((size, True), (size - 1, False)):
        monkeypatch.setattr(state, "TABLE_LIMIT", limit)
        got = state.build_problem(edges, weights, 12, slots=12, degree_corrected=True)
        assert (got.log_q.size == size) == table
        if not table:
            assert got.log_q.shape == (0, 0)
            np.testing.assert_array_equal(got.log_q_curve, log_partition_curve())
        else:
            assert got.log_q_curve.shape == (3, 2)


@pytest.mark.parametrize("case", [(0, 0, 3), (1, 1, 1), (4, 2, 30), (6, 40, 3)])
def test_factorials_reach_as_far_as_any_move_asks(case: tuple[int, int, int]) -> None:
    n, links, slots = case
    pairs = list(itertools.combinations(range(max(n, 10)), 2))[:links]
    n = max(n, max((b for _, b in pairs), default=0) + 1)
    got = state.build_problem(np.array(pairs), np.ones(len(pairs)), n, slots=slots)
    places = slots * (slots + 1)  # of a pair of groups with half of the slots each it is fewer
    assert len(got.log_factorial) > max(2 * links, places + links, n)


def test_links_are_taken_in_any_shape_and_none_at_all() -> None:
    got = state.build_problem(np.array([]), np.array([]), 3, slots=3, degree_corrected=True)
    assert got.pointer.tolist() == [0, 0, 0, 0] and got.degree.tolist() == [0, 0, 0] and got.neighbour.dtype == np.int64
    made = state.build_state(got, [np.array([0, 0, 1]), np.array([0, 0])], slots=3)
    assert kernels.total_cost(got, made) == pytest.approx(
        description_length(
            np.zeros((0, 2), int), np.zeros(0), [np.array([0, 0, 1]), np.array([0, 0])], degree_corrected=True
        )["total"]
    )
    one = state.build_problem([0, 1], [2.0], 2, slots=2)
    assert one.neighbour.tolist() == [1, 0] and one.weight.tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    "options", [{}, {"degree_corrected": True}, {"weight_model": "normal"}, {"counts": False}], ids=str
)
@pytest.mark.parametrize("seed", range(4))
def test_the_sums_of_a_state_are_those_of_dense_matrices(options: dict[str, Any], seed: int) -> None:
    n, slots = 14, 16
    edges, weights, _ = graphs.random_case(seed, n, 0.35, 5)
    hidden = hidden_pairs(edges, n, seed)
    rng = np.random.default_rng(seed)
    first = rng.choice([1, 2, 5, 7, 8], n)  # slots 0, 3, 4 and 6 are empty
    second, third = rng.choice([0, 3], 9), np.zeros(4, int)
    problem = state.build_problem(edges, weights, n, slots=slots, unobserved=hidden, **options)
    got = state.build_state(problem, [first, second, third], slots=slots)
    link, weight, unseen = (np.zeros((n, n)) for _ in range(3))
    link[edges[:, 0], edges[:, 1]], weight[edges[:, 0], edges[:, 1]], unseen[hidden[:, 0], hidden[:, 1]] = 1, weights, 1
    counted = options.get("counts", True)
    square = weight**2 if options.get("weight_model") == "normal" else 0 * weight
    items = link
    below = np.arange(n)
    for level, labels in enumerate((first, second, third)):
        alive = np.unique(below)
        member = np.zeros((len(link), slots))
        member[alive, labels[alive]] = 1
        assert got.size[level].tolist() == member.sum(axis=0).tolist()
        assert got.top[level] == labels.max() + 1 and got.nodes[level] == len(alive)
        assert got.groups[level] == len(set(labels[alive]))
        np.testing.assert_array_equal(got.label[level, : len(labels)], labels)
        sums = []
        for one in (
            link,
            weight,
            items,
            square if level == 0 else 0 * link,
            unseen if counted and level == 0 else 0 * link,
        ):
            between = member.T @ np.triu(one) @ member
            sums.append(np.triu(between + between.T - np.diag(np.diag(between))))
        for k, one in enumerate(sums):
            np.testing.assert_allclose(np.triu(got.pair[level, :, :, k]), one, err_msg=str((level, k)))
            np.testing.assert_array_equal(got.pair[level, :, :, k], got.pair[level, :, :, k].T)
        link, weight, items = sums[0], sums[1], (sums[0] > 0).astype(float)
        below = labels[alive]
    degree = np.bincount(edges.ravel(), minlength=n)
    np.testing.assert_array_equal(got.ends, np.bincount(first, degree, minlength=slots))
    if options.get("degree_corrected"):
        values = np.unique(degree)
        assert got.classes.shape == (slots, len(values))
        for r, (k, value) in itertools.product(range(slots), enumerate(values)):
            assert got.classes[r, k] == ((first == r) & (degree == value)).sum()
    else:
        assert got.classes.shape == (0, 0)
    levels = state.read_levels(got)
    total = description_length(edges, weights, levels, unobserved=hidden, **options)["total"]
    assert kernels.total_cost(problem, got) == pytest.approx(total, abs=1e-8)
    # group by group, in the order of their slots
    assert levels[0].tolist() == [sorted(set(first)).index(r) for r in first]
    assert levels[1].tolist() == [sorted(set(second[np.unique(first)])).index(r) for r in second[np.unique(first)]]
    assert set(levels[2].tolist()) == {0} and [len(one) for one in levels] == list(got.nodes)


def test_a_state_has_room_for_slots_levels_and_nodes_and_its_own_random_numbers() -> None:
    edges, weights, _ = graphs.random_case(1, 9, 0.5, 3)
    problem = state.build_problem(edges, weights, 9, slots=20, degree_corrected=True)
    wide, narrow = state.empty_state(problem, 9, 20, 3, 5), state.empty_state(problem, 9, 4, 2, 5)
    assert wide.label.shape == (3, 20) and narrow.label.shape == (2, 9)
    for made, slots, depth in ((wide, 20, 3), (narrow, 4, 2)):
        assert made.size.shape == (depth, slots) and made.pair.shape == (depth, slots, slots, 6)
        assert made.ends.shape == (slots,) and made.classes.shape[0] == slots
        assert made.flow.shape == (3, 6, slots) and made.rows.shape == (3, 2, slots)
        assert made.top.shape == made.groups.shape == made.nodes.shape == (depth,)
    labels = [np.zeros(9, int)]
    assert (
        state.build_state(problem, labels, slots=20).random
        == state.build_state(problem, labels, slots=20, seed=0).random
    )
    seen = {int(state.empty_state(problem, 9, 4, 1, seed).random[0]) for seed in range(50)}
    assert len(seen) == 50 and min(seen) > 0 and max(seen) > 2**60
    nobody = state.build_problem(np.zeros((0, 2)), np.zeros(0), 0, slots=2, degree_corrected=True)
    assert state.empty_state(nobody, 0, 2, 1, 0).classes.shape == (2, 0)


def test_the_number_of_partitions_is_the_table_or_close_to_it() -> None:
    f, none, curve = gammaln(np.arange(6000.0) + 1), np.zeros((0, 0)), log_partition_curve()
    table = log_partition_table(
        3000, 130
    ).copy()  # one that may be written, as problems hold: no kernel is compiled twice
    for m, n in itertools.product((1, 5, 60, 700, 3000), (1, 2, 7, 55, 130)):
        exact = table[m, min(m, n)]
        assert log_q(f, table, curve, m, n) == exact
        near = log_q(f, none, curve, m, n)
        assert near == pytest.approx(exact, abs=0.5 if m < 60 else 0.12), (m, n)
        if n**4 < m:  # all orders of distinct parts, nearly
            assert near == pytest.approx(math.log(math.comb(m - 1, n - 1) / math.factorial(n)))
    for held in (table, none):
        assert log_q(f, held, curve, 0, 0) == log_q(f, held, curve, 0, 5) == 0.0
        assert log_q(f, held, curve, 3, 0) == -math.inf
    # the value at a node of the curve and half-way between two
    steps = curve[0]
    m = 2500
    for n in range(20, 300, 7):
        place = (math.log(n / math.sqrt(m)) - steps[0]) / (steps[1] - steps[0])
        shape, growth = (np.interp(place, np.arange(len(steps)), curve[k]) for k in (1, 2))
        assert log_q(f, none, curve, m, n) == pytest.approx(shape - math.log(m) + math.sqrt(m) * growth, rel=1e-12)
