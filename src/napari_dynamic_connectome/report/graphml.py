"""Graph file of one component, for other programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..io.files import atomic_file
from ..model.results import Communities, Components
from ..model.text import clean_text


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
    names = [clean_text(str(name)) for name in components.neurons]
    for index, name in enumerate(components.neurons):
        graph.add_node(
            names[index], strength=float(np.nan_to_num(strength[index])), community=int(labels.get(name, -1))
        )
    for i, j in zip(*np.nonzero(np.triu(np.nan_to_num(matrix), 1)), strict=True):
        graph.add_edge(names[i], names[j], weight=float(matrix[i, j]))
    with atomic_file(path) as temporary:
        nx.write_graphml(graph, temporary)
    return path
