"""Sampling against the exact posterior of a graph small enough to list all partitions; alignment; nulls brought along."""

from __future__ import annotations

import importlib.util
import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from napari_dynamic_connectome.communities import moves
from napari_dynamic_connectome.communities.description_length import description_length
from napari_dynamic_connectome.communities.find import find_communities
from napari_dynamic_connectome.communities.graph import graph_from_matrix
from napari_dynamic_connectome.communities.kernels import total_cost
from napari_dynamic_connectome.communities.levels import expand
from napari_dynamic_connectome.communities.moves import draw
from napari_dynamic_connectome.communities.null import shuffle_weights
from napari_dynamic_connectome.communities.posterior import align, sample_posterior
from napari_dynamic_connectome.communities.search import Fit
from napari_dynamic_connectome.communities.state import build_problem, build_state
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.progress import Cancelled
from napari_dynamic_connectome.model.results import Components

spec = importlib.util.spec_from_file_location("community_graphs", Path(__file__).parent / "graphs.py")
graphs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(graphs)


def canonical(labels: np.ndarray) -> tuple[int, ...]:
    seen: dict[int, int] = {}
    return tuple(seen.setdefault(int(x), len(seen)) for x in labels)


@pytest.mark.parametrize("counts", [True, False])
def test_samples_follow_the_exact_posterior(counts):
    n = 5
    weights = np.array([5.0, 4.0, 0.3, 0.2, 6.0, 0.2, 0.4, 0.1, 0.3, 3.0])
    edges = np.stack(np.triu_indices(n, 1), axis=1)
    cost = {}
    for labels in itertools.product(range(n), repeat=n):
        if canonical(np.array(labels)) == labels:
            levels = [np.array(labels), np.zeros(max(labels) + 1, dtype=int)]
            cost[labels] = description_length(edges, weights, levels, counts=counts)["total"]
    assert len(cost) == 52
    # neighbouring modes exchange rarely, hence many samples and a tolerance of 0.03
    odds = {k: np.exp(min(cost.values()) - v) for k, v in cost.items()}
    total = sum(odds.values())
    problem = build_problem(edges, weights, n, slots=n + 1, counts=counts)
    state = build_state(problem, [np.array([0, 0, 0, 1, 1]), np.zeros(2, dtype=int)], slots=n + 1, seed=1)
    out = np.zeros((100_000, 2, n), dtype=np.int64)
    draw(problem, state, len(out), out)
    drawn = Counter(canonical(row) for row in out[:, 0])
    for labels, odd in odds.items():
        assert abs(drawn[labels] / len(out) - odd / total) < 0.03


def test_alignment_renames_groups_and_marks_new_ones():
    reference = np.array([0, 0, 0, 1, 1, 1, 1])
    labels = np.array([7, 7, 7, 2, 2, 2, 5])
    np.testing.assert_array_equal(align(labels, reference, 2), [0, 0, 0, 1, 1, 1, -1])


def test_a_group_that_shares_no_node_with_what_is_left_is_a_new_one():
    assert align(np.array([5, 5, 7]), np.array([0, 0, 0]), 2).tolist() == [0, 0, -1]
    assert align(np.array([1, 1, 1]), np.array([0, 1, 1]), 3).tolist() == [1, 1, 1]


def test_shuffled_weights_stay_the_same_numbers_on_observed_pairs():
    weights, _ = graphs.planted(0, n=20)
    weights[0, 5] = weights[5, 0] = np.nan
    weights[1, 2] = weights[2, 1] = 0
    graph = graph_from_matrix(weights)
    shuffled = shuffle_weights(graph, np.random.default_rng(0))
    np.testing.assert_allclose(np.sort(shuffled.weights), np.sort(graph.weights))
    assert (shuffled.edges[:, 0] < shuffled.edges[:, 1]).all()
    assert not any((e == [0, 5]).all() for e in shuffled.edges)
    assert len(np.unique(shuffled.edges, axis=0)) == len(graph.edges)


def test_nulls_that_hold_the_same_structure_make_it_insignificant():
    weights, _ = graphs.planted(1, n=50)
    same = [graphs.planted(seed, n=50, ratio=12.0)[0] for seed in range(20, 24)]
    found = find_communities(weights, samples=0, starts=1, null_graphs=same)
    assert found.significance.attrs["p_more_than_one"] == 1.0
    assert found.chosen_level == found.n_levels - 1
    with pytest.raises(InputError, match="null graph"):
        find_communities(weights, samples=0, starts=1, null_graphs=[np.ones((4, 4)) - np.eye(4)])


def test_a_component_is_read_by_its_number():
    weights, _ = graphs.planted(2, n=40)
    a, b = np.triu_indices(40, 1)
    values = np.stack([np.ones(len(a)), weights[a, b]], axis=1)
    names = tuple(f"N{i}" for i in range(40))
    number = {"component": [1, 2]}
    components = Components(
        model="unaligned",
        time=xr.DataArray(np.ones((3, 2)), dims=("sample", "component"), coords=number),
        worm=xr.DataArray(np.ones((1, 2)), dims=("worm", "component"), coords=number | {"worm": ["w"]}),
        pair=xr.DataArray(
            values,
            dims=("pair", "component"),
            coords=number
            | {
                "neuron_a": ("pair", np.array(names, dtype=object)[a]),
                "neuron_b": ("pair", np.array(names, dtype=object)[b]),
                "sign": ("pair", np.full(len(a), "any", dtype=object)),
            },
        ),
        weight=xr.DataArray([2.0, 1.0], dims=("component",), coords=number),
        neurons=names,
        pair_worms=xr.DataArray(np.ones(len(a)), dims=("pair",)),
        error=0.1,
        stimuli=pd.DataFrame(),
    )
    found = find_communities(components, component=2, samples=0, null_fits=0, starts=1)
    assert found.neurons == names
    assert len(found.sizes(0)) == 3
    assert find_communities(components, component=1, samples=0, null_fits=0, starts=1).labels.values.max() == 0
    with pytest.raises(InputError, match="which component"):
        find_communities(components)


# --- sampling, with draws that are given -----------------------------------------------------------------------------------


def drawn(monkeypatch: pytest.MonkeyPatch, levels: list[np.ndarray], n: int, samples: int, **how):
    """What is made of random labels that stand for draws: the fit, the draws, the result, what was told, and the states."""
    rng = np.random.default_rng(3)
    edges, weights, _ = graphs.random_case(1, n, 0.6, 3)
    problem = build_problem(edges, weights, n, slots=n)
    fit = Fit(tuple(levels), 0.0, problem)
    every: list[np.ndarray] = []
    states: list[tuple[int, tuple[int, ...], int]] = []
    expected = build_state(
        problem, levels if len(levels) > 1 else [*levels, np.zeros(levels[0].max() + 1, int)], slots=n
    )

    def fake(given, state, sweeps, out) -> None:
        assert given is problem and out.shape == (sweeps, max(len(levels), 2), n)
        assert total_cost(problem, state) == pytest.approx(total_cost(problem, expected))  # sums without drift
        states.append((sweeps, state.size.shape, int(state.random[0])))
        for row in range(sweeps):
            for level in range(out.shape[1]):
                out[row, level] = rng.choice([0, 2, 3, 5, 8][level:], n)
        every.append(out.copy())
        state.pair[:] = 7.0
        state.size[:] += 1

    monkeypatch.setattr(moves, "draw", fake)
    told: list[tuple[float, str]] = []
    got = sample_posterior(fit, samples, 11, progress=lambda share, text="": told.append((share, text)), **how)
    return fit, np.concatenate(every), got, told, states


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize(("burn_in", "samples"), [(0, 4), (7, 16), (20, 10), (3, 7)])
def test_shares_are_counted_in_the_samples_that_are_kept(
    depth: int, burn_in: int, samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    n = 14
    levels = [np.arange(n) % 4, np.array([0, 1, 1, 0]), np.zeros(2, int)][:depth]
    levels = [np.zeros(n, int)] if depth == 1 else levels
    if depth == 2:
        levels[1] = np.zeros(4, int)
    fit, raw, got, told, states = drawn(monkeypatch, levels, n, samples, burn_in=burn_in)
    assert len(raw) == burn_in + samples
    assert [one[0] for one in states] == [10] * (len(raw) // 10) + [len(raw) % 10] * (len(raw) % 10 > 0)
    assert told == [(k / len(raw), "sampling partitions") for k in range(0, len(raw), 10)]
    reference = expand(levels)
    kept = raw[burn_in:, :depth]
    assert got.samples.shape == (samples, depth, n) and got.probability.shape == (depth, n)
    for level, row in enumerate(reference):
        groups = row.max() + 1
        assert got.membership[level].shape == (n, groups + 1)
        for k in range(samples):
            np.testing.assert_array_equal(got.samples[k, level], align(kept[k, level], row, groups))
        for node in range(n):
            mine = [int(one) for one in got.samples[:, level, node]]
            for g in range(groups):
                assert got.membership[level][node, g] == pytest.approx(mine.count(g) / samples)
            assert got.membership[level][node, -1] == pytest.approx(mine.count(-1) / samples)
            assert got.probability[level, node] == pytest.approx(mine.count(int(row[node])) / samples)
    assert got.n_groups.tolist() == [len(set(one)) for one in kept[:, 0].tolist()]
    assert got.together is None and fit.n_groups == levels[0].max() + 1


def test_twenty_sweeps_are_left_out_and_there_is_room_for_eight_more_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    _, raw, got, _, states = drawn(monkeypatch, [np.arange(30) % 4, np.zeros(4, int)], 30, 5)
    assert len(raw) == 25 and len(got.samples) == 5
    assert {one[1] for one in states} == {(2, 12)}
    assert states[0][2] == int(
        build_state(build_problem([], [], 3, slots=3), [np.zeros(3, int)], slots=3, seed=11).random[0]
    )
    _, _, _, _, states = drawn(monkeypatch, [np.arange(9) % 4, np.zeros(4, int)], 9, 5)
    assert {one[1] for one in states} == {(2, 9)}


def test_sampling_can_be_cancelled_between_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def cancel() -> bool:
        asked.append(1)
        return len(asked) == 3

    with pytest.raises(Cancelled):
        drawn(monkeypatch, [np.arange(9) % 4, np.zeros(4, int)], 9, 30, cancel=cancel)
    assert len(asked) == 3


def test_samples_of_two_nodes_that_are_linked_are_drawn() -> None:
    problem = build_problem(np.array([[0, 1]]), np.ones(1), 2, slots=4)
    got = sample_posterior(Fit((np.zeros(2, int),), 0.0, problem), 40, 0)
    assert got.samples.shape == (40, 1, 2) and set(got.n_groups) <= {1, 2}
    assert got.probability[0] == pytest.approx(got.membership[0][:, 0])
