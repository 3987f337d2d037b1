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

from napari_dynamic_connectome.communities.description_length import description_length
from napari_dynamic_connectome.communities.find import find_communities
from napari_dynamic_connectome.communities.graph import graph_from_matrix
from napari_dynamic_connectome.communities.moves import draw
from napari_dynamic_connectome.communities.null import shuffle_weights
from napari_dynamic_connectome.communities.posterior import align
from napari_dynamic_connectome.communities.state import build_problem, build_state
from napari_dynamic_connectome.model.errors import InputError
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
