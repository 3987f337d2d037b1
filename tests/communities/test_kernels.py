"""The compiled state against the plain definition: totals, and the change by every kind of move."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numba import njit

from napari_dynamic_connectome.communities import shift
from napari_dynamic_connectome.communities.description_length import description_length
from napari_dynamic_connectome.communities.kernels import total_cost
from napari_dynamic_connectome.communities.moves import improve
from napari_dynamic_connectome.communities.state import build_problem, build_state, read_levels

spec = importlib.util.spec_from_file_location("community_graphs", Path(__file__).parent / "graphs.py")
graphs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(graphs)


# kernels that only kernels call have no way in from Python
@njit
def move_node(p, state, level, u, s, parent, apply):
    return shift.move_node(p, state, level, u, s, parent, apply)


@njit
def merge_groups(p, state, level, r, s, apply):
    if apply:
        return shift.merge_groups(p, state, level, r, s)
    return shift.merge_into(p, state, level, r, s, shift.start_merging(p, state, level, r))


@njit
def free_slot(state, level):
    return shift.free_slot(state, level)


MODELS = [
    (True, False, "exponential"),
    (True, True, "exponential"),
    (False, False, "exponential"),
    (True, False, "normal"),
    (False, False, "normal"),
    (True, True, "none"),
]


@pytest.mark.parametrize("model", MODELS, ids=str)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(7, 18),
    density=st.floats(0.2, 1.0),
    groups=st.integers(2, 6),
    hide=st.booleans(),
)
def test_every_move_changes_the_total_by_what_it_says(model, seed, n, density, groups, hide):
    edges, weights, levels = graphs.random_case(seed, n, density, groups)
    if len(edges) < 2:
        return
    rng = np.random.default_rng(seed)
    taken = {tuple(e) for e in edges.tolist()}
    free = [p for p in zip(*np.triu_indices(n, 1)) if (int(p[0]), int(p[1])) not in taken]
    hidden = np.array([p for p in free if rng.random() < 0.5], dtype=np.int64).reshape(-1, 2) if hide else None
    counts, corrected, weight_model = model
    options = {"counts": counts, "degree_corrected": corrected, "weight_model": weight_model, "unobserved": hidden}
    problem = build_problem(edges, weights, n, slots=n, **options)
    state = build_state(problem, levels, slots=n, seed=seed)

    def exact() -> float:
        return description_length(edges, weights, read_levels(state), **options)["total"]

    before = exact()
    assert abs(total_cost(problem, state) - before) < 1e-8
    for _ in range(12):
        level = int(rng.integers(0, len(levels)))
        alive = [g for g in range(state.top[level]) if state.size[level, g] > 0]
        if rng.random() < 0.3 and len(alive) > 1:
            r, s = (int(g) for g in rng.choice(alive, 2, replace=False))
            asked = merge_groups(problem, state, level, r, s, False)
            done = merge_groups(problem, state, level, r, s, True)
        else:
            limit = n if level == 0 else int(state.top[level - 1])
            u = int(rng.choice([u for u in range(limit) if level == 0 or state.size[level - 1, u] > 0]))
            s, parent = int(rng.choice(alive)), 0
            if level + 1 < len(levels) and rng.random() < 0.5 and state.size[level, state.label[level, u]] > 1:
                s = int(free_slot(state, level))
                parent = int(rng.choice([g for g in range(state.top[level + 1]) if state.size[level + 1, g] > 0]))
            if s < 0:
                continue
            asked = move_node(problem, state, level, u, s, parent, False)
            done = move_node(problem, state, level, u, s, parent, True)
        after = exact()
        assert abs(asked - done) < 1e-8
        assert abs(after - before - done) < 1e-8
        assert abs(total_cost(problem, state) - after) < 1e-8
        before = after


def test_improving_moves_report_their_change_and_never_make_it_worse():
    edges, weights, levels = graphs.random_case(5, 40, 0.6, 6)
    problem = build_problem(edges, weights, 40, slots=40)
    state = build_state(problem, levels, slots=40, seed=3)
    before = description_length(edges, weights, levels)["total"]
    for level in range(len(levels) - 1):
        change = improve(problem, state, level, 2)
        after = description_length(edges, weights, read_levels(state))["total"]
        assert change < 1e-9
        assert abs(after - before - change) < 1e-7
        before = after


@pytest.mark.parametrize("options", [{}, {"degree_corrected": True}, {"counts": False}], ids=str)
@pytest.mark.parametrize("seed", range(6))
def test_all_single_moves_and_merges_of_sparse_graphs_with_three_levels_cost_what_the_definition_says(options, seed):
    rng = np.random.default_rng(seed)
    n = 10
    pairs = np.stack(np.triu_indices(n, 1), axis=1)
    edges = pairs[rng.random(len(pairs)) < 0.3]  # many pairs of groups have one link or none
    weights = rng.exponential(size=len(edges))
    levels = [rng.permutation(np.arange(n) % 5), np.array([0, 0, 1, 1, 0]), np.zeros(2, dtype=int)]
    problem = build_problem(edges, weights, n, slots=n, **options)

    def exact(state) -> float:
        return description_length(edges, weights, read_levels(state), **options)["total"]

    before = exact(build_state(problem, levels, slots=n))
    for level, nodes, groups in ((0, n, 5), (1, 5, 2)):
        for u in range(nodes):
            for s in range(groups):
                state = build_state(problem, levels, slots=n)
                asked = move_node(problem, state, level, u, s, 0, False)
                assert abs(total_cost(problem, state) - before) < 1e-9  # asking changes nothing
                done = move_node(problem, state, level, u, s, 0, True)
                assert abs(exact(state) - before - done) < 1e-8 and abs(asked - done) < 1e-9
                assert abs(total_cost(problem, state) - before - done) < 1e-8
        for r in range(groups):
            for s in range(groups):
                if r != s:
                    state = build_state(problem, levels, slots=n)
                    asked = merge_groups(problem, state, level, r, s, False)
                    done = merge_groups(problem, state, level, r, s, True)
                    assert abs(exact(state) - before - done) < 1e-8 and abs(asked - done) < 1e-9
                    assert abs(total_cost(problem, state) - before - done) < 1e-8
