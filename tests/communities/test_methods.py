"""Other methods: modularity against networkx, Leiden against all partitions of small graphs, spectral clustering of blocks."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest

from napari_dynamic_connectome.communities.graph import graph_from_matrix
from napari_dynamic_connectome.communities.methods.leiden import _links, leiden, leiden_of, modularity
from napari_dynamic_connectome.communities.methods.louvain import louvain
from napari_dynamic_connectome.communities.methods.spectral import spectral
from napari_dynamic_connectome.model.errors import InputError


def random_graph(n: int, seed: int, density: float = 0.5):
    rng = np.random.default_rng(seed)
    weights = np.triu(rng.exponential(size=(n, n)) * (rng.random((n, n)) < density), 1)
    return graph_from_matrix(weights + weights.T)


def blocks(sizes: list[int], between: float = 0.02, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    weights = np.where(labels[:, None] == labels, 1.0, between) * rng.uniform(0.9, 1.1, (len(labels),) * 2)
    weights = np.triu(weights, 1)
    return weights + weights.T, labels


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(((one[:, None] == one) == (other[:, None] == other)).all())


def partitions(n: int) -> list[np.ndarray]:
    found = [(0,)]
    for _ in range(n - 1):
        found = [(*one, k) for one in found for k in range(max(one) + 2)]
    return [np.array(one) for one in found]


@pytest.mark.parametrize("resolution", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_modularity_is_that_of_networkx(seed: int, resolution: float) -> None:
    graph = random_graph(14, seed)
    labels = np.random.default_rng(seed).integers(0, 4, 14)
    made = nx.from_numpy_array(graph.matrix())
    groups = [set(np.flatnonzero(labels == g)) for g in set(labels)]
    expected = nx.community.modularity(made, groups, resolution=resolution)
    assert modularity(_links(graph), labels, resolution) == pytest.approx(expected)


@pytest.mark.parametrize("resolution", [0.7, 1.0, 1.5])
@pytest.mark.parametrize("seed", range(4))
def test_leiden_finds_the_best_of_all_partitions_of_a_small_graph(seed: int, resolution: float) -> None:
    graph = random_graph(7, seed, 0.7)
    links = _links(graph)
    best = max(modularity(links, labels, resolution) for labels in partitions(7))
    found = [modularity(links, leiden(graph, resolution, k), resolution) for k in range(6)]
    assert max(found) == pytest.approx(best, abs=1e-9)
    assert max(modularity(links, louvain(graph, resolution, k), resolution) for k in range(6)) <= best + 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_no_node_gains_by_another_group_and_every_group_hangs_together(seed: int) -> None:
    graph = random_graph(40, seed, 0.12)
    links = _links(graph)
    labels = leiden(graph, 1.0, seed)
    assert set(labels) == set(range(labels.max() + 1))
    np.testing.assert_array_equal(labels, leiden_of(links, 1.0, seed))
    reached = modularity(links, labels)
    assert reached > 0.2
    made = nx.from_numpy_array(graph.matrix())
    for group in range(labels.max() + 1):
        assert nx.is_connected(made.subgraph(np.flatnonzero(labels == group)))
    for node in range(40):
        for group in range(labels.max() + 2):
            other = labels.copy()
            other[node] = group
            assert modularity(links, other) <= reached + 1e-3


@pytest.mark.parametrize("sizes", [[10, 10], [8, 12, 9], [6, 7, 8, 9, 10], [5] * 8])
def test_all_methods_find_separate_blocks(sizes: list[int]) -> None:
    weights, labels = blocks(sizes)
    graph = graph_from_matrix(weights)
    assert alike(leiden(graph), labels) and alike(louvain(graph), labels)
    assert alike(spectral(graph), labels)  # as many as the eigenvalues say
    assert alike(spectral(graph, groups=len(sizes)), labels)
    assert len(set(spectral(graph, groups=2))) == 2


def test_the_number_of_groups_is_kept_below_that_of_nodes_and_one_is_everybody() -> None:
    weights, _ = blocks([3, 3])
    graph = graph_from_matrix(weights)
    assert spectral(graph, groups=1).tolist() == [0] * 6
    assert len(set(spectral(graph, groups=5))) == len(set(spectral(graph, groups=50))) == 5
    triangle = graph_from_matrix(np.ones((3, 3)) - np.eye(3))
    assert len(set(spectral(triangle))) == 2


def test_graphs_with_nothing_to_divide() -> None:
    empty = graph_from_matrix(np.zeros((5, 5)))
    assert modularity(_links(empty), np.zeros(5, int)) == 0.0
    assert leiden(empty).tolist() == [0, 1, 2, 3, 4]
    assert spectral(empty).tolist() == [0] * 5
    pair = graph_from_matrix(np.ones((2, 2)) - np.eye(2))
    assert spectral(pair).tolist() == [0, 0] and leiden(pair).tolist() == [0, 0]
    many = graph_from_matrix(np.ones((6, 6)) - np.eye(6))
    large = replace(many, names=tuple(map(str, range(5001))))
    with pytest.raises(InputError, match="at most 5000 nodes"):
        spectral(large)
