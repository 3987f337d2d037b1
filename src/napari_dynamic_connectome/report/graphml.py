"""Graph file of one component, for other programs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..model.results import Communities, Components


def write_graphml(
    path: str | Path, components: Components, component: int, communities: Communities | None = None, level: int = 0
) -> Path:
    """Write the pairs of a component with weight as GraphML, with each neuron's strength and community."""
    import networkx as nx

    path = Path(path)
    matrix, strength = components.matrix(component).values, components.strength(component).values
    graph = nx.Graph(component=component)
    labels: dict[str, int] = {}
    if communities is not None:
        row = communities.labels.isel(level=min(level, communities.n_levels - 1)).values
        labels = dict(zip(communities.neurons, row.tolist(), strict=True))
    for index, name in enumerate(components.neurons):
        graph.add_node(name, strength=float(np.nan_to_num(strength[index])), community=int(labels.get(name, -1)))
    for i, j in zip(*np.nonzero(np.triu(np.nan_to_num(matrix), 1)), strict=True):
        graph.add_edge(components.neurons[i], components.neurons[j], weight=float(matrix[i, j]))
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        nx.write_graphml(graph, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
