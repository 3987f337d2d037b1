"""Communities as networkx node attributes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..model.results import Communities
from .graph import WeightedGraph, read_graph


def communities_to_graph(communities: Communities, weights: Any = None, *, component: int | None = None) -> Any:
    """Graph whose nodes carry their communities.

    Parameters
    ----------
    communities : Communities
    weights : array, DataArray, sparse matrix, networkx.Graph or Components, optional
        Links with their weights; without: nodes only.
    component : int, optional
        If `weights` are Components.

    Returns
    -------
    networkx.Graph
        Node attributes `community` and `probability` (of the chosen level), `community_level_<l>` for every level; graph
        attributes `chosen_level`, `kind`, `method`, `rule`. Names are the nodes.
    """
    import networkx as nx

    graph = nx.Graph(
        chosen_level=int(communities.chosen_level),
        kind=str(communities.kind),
        method=str(communities.method),
        rule=str(communities.rule),
    )
    labels = communities.labels.values
    sure = communities.probability.values[communities.chosen_level]
    for i, name in enumerate(communities.neurons):
        values: dict[str, Any] = {f"community_level_{level}": int(row[i]) for level, row in enumerate(labels)}
        values["community"] = int(labels[communities.chosen_level, i])
        if np.isfinite(sure[i]):
            values["probability"] = float(sure[i])
        graph.add_node(name, **values)
    if weights is not None:
        found: WeightedGraph = read_graph(
            weights, component, communities.neurons if not hasattr(weights, "nodes") else None
        )
        graph.add_weighted_edges_from(
            (found.names[a], found.names[b], float(w)) for (a, b), w in zip(found.edges, found.weights)
        )
    return graph
