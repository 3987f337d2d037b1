"""Modularity by Louvain's method (networkx)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import WeightedGraph

if TYPE_CHECKING:
    from ..settings import CommunitySettings

Array = np.ndarray[Any, Any]


def louvain(graph: WeightedGraph, resolution: float = 1.0, seed: int = 0) -> Array:
    """Modularity by Louvain's method (networkx)."""
    import networkx as nx

    made = nx.Graph()
    made.add_nodes_from(range(graph.n))
    made.add_weighted_edges_from((int(a), int(b), float(w)) for (a, b), w in zip(graph.edges, graph.weights))
    labels = np.zeros(graph.n, dtype=np.int64)
    for number, group in enumerate(nx.community.louvain_communities(made, resolution=resolution, seed=seed)):
        labels[list(group)] = number
    return labels


def find(graph: WeightedGraph, settings: CommunitySettings, seed: int) -> Array:
    """Labels (N,) of the groups of a graph."""
    return louvain(graph, settings.resolution, seed)
