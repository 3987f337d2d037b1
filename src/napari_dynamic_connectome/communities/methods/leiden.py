"""Modularity by the Leiden method: our own implementation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from ..graph import WeightedGraph

if TYPE_CHECKING:
    from ..settings import CommunitySettings

Array = np.ndarray[Any, Any]


def _links(graph: WeightedGraph) -> sparse.csr_array:
    rows, columns = graph.edges[:, 0], graph.edges[:, 1]
    half = sparse.coo_array((graph.weights, (rows, columns)), shape=(graph.n, graph.n))
    return sparse.csr_array(half + half.T)


def modularity(links: Any, labels: Array, resolution: float = 1.0) -> float:
    """Modularity of a partition of a weighted graph, given as a symmetric sparse matrix."""
    strength = np.asarray(links.sum(axis=1)).ravel()
    whole = strength.sum()
    if whole == 0:
        return 0.0
    groups = int(labels.max()) + 1
    table = sparse.coo_array(links)
    rows, columns = table.coords
    inside = table.data[labels[rows] == labels[columns]].sum()
    return float(inside / whole - resolution * (np.bincount(labels, strength, groups) ** 2).sum() / whole**2)


def _move(
    links: Any, strength: Array, labels: Array, resolution: float, random: Array, within: Array | None = None
) -> Array:
    """Local moving; with `within`, only single nodes merge, and only inside the same group of `within`."""
    from ..leiden_kernels import local_moves

    moved = labels.astype(np.int64)
    inside = np.zeros(0, dtype=np.int64) if within is None else within
    pointer, neighbour = links.indptr.astype(np.int64), links.indices.astype(np.int64)
    local_moves(pointer, neighbour, links.data, strength, moved, inside, float(resolution), random)
    return np.unique(moved, return_inverse=True)[1].reshape(-1)


def leiden(graph: WeightedGraph, resolution: float = 1.0, seed: int = 0) -> Array:
    """Modularity by the Leiden method (Traag, Waltman & van Eck 2019): move, refine inside groups, aggregate.

    Our own implementation: networkx only forwards this method to other packages.
    """
    return leiden_of(_links(graph), resolution, seed)


def leiden_of(links: Any, resolution: float = 1.0, seed: int = 0) -> Array:
    """As `leiden`, for a symmetric sparse matrix of weights."""
    random = np.array([np.random.default_rng(seed).integers(1, 2**63)], dtype=np.uint64)
    member = np.arange(links.shape[0])
    labels = np.arange(links.shape[0])
    strength = np.asarray(links.sum(axis=1)).ravel()
    if strength.sum() == 0:
        return labels
    for _ in range(50):
        moved = _move(links, strength, labels, resolution, random)
        if int(moved.max()) + 1 == len(moved):
            return np.asarray(moved[member])
        refined = _move(links, strength, np.arange(len(moved)), resolution, random, within=moved)
        if int(refined.max()) + 1 == len(refined):
            return np.asarray(moved[member])
        groups = int(refined.max()) + 1
        join = sparse.csr_array(
            (np.ones(len(refined)), (np.arange(len(refined)), refined)), shape=(len(refined), groups)
        )
        links = sparse.csr_array(join.T @ links @ join)
        strength = np.bincount(refined, strength, groups)
        labels = np.zeros(groups, dtype=np.int64)
        labels[refined] = moved
        member = refined[member]
    return np.asarray(labels[member])


def find(graph: WeightedGraph, settings: CommunitySettings, seed: int) -> Array:
    """Labels (N,) of the groups of a graph."""
    return leiden(graph, settings.resolution, seed)
