"""Spectral clustering (scikit-learn)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...model.errors import InputError
from ..graph import WeightedGraph

if TYPE_CHECKING:
    from ..settings import CommunitySettings

Array = np.ndarray[Any, Any]
MOST_GROUPS = 20


def spectral(graph: WeightedGraph, groups: int = 0, seed: int = 0) -> Array:
    """Spectral clustering (scikit-learn) of the weights as affinities.

    Parameters
    ----------
    groups : int
        0: by the largest gap between eigenvalues of the normalised Laplacian, 2 to 20.
    """
    from sklearn.cluster import SpectralClustering

    if graph.n < 3 or not len(graph.weights):
        return np.zeros(graph.n, dtype=np.int64)
    if graph.n > 5000:
        raise InputError("spectral clustering takes at most 5000 nodes", where="method", fix="Use the block model.")
    matrix = graph.matrix()
    if groups == 0:
        scale = 1 / np.sqrt(np.maximum(matrix.sum(axis=1), 1e-300))
        values = np.linalg.eigvalsh(matrix * scale[:, None] * scale)[::-1][: MOST_GROUPS + 1]
        groups = int(np.argmax(values[1:-1] - values[2:])) + 2 if len(values) > 3 else 2
    groups = min(groups, graph.n - 1)
    if groups == 1:
        return np.zeros(graph.n, dtype=np.int64)
    floor = matrix + 1e-9 * matrix.max()
    found = SpectralClustering(groups, affinity="precomputed", random_state=seed, assign_labels="kmeans")
    return np.asarray(found.fit_predict(floor), dtype=np.int64)


def find(graph: WeightedGraph, settings: CommunitySettings, seed: int) -> Array:
    """Labels (N,) of the groups of a graph."""
    return spectral(graph, settings.groups, seed)
