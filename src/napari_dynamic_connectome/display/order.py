"""Order in which neurons are listed: by name, class, community, similarity or quality."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..model.neurons import info, natural_key
from ..model.recording import Recording

SortBy = Literal["community", "name", "class", "similarity", "quality"]


def zscore(traces: np.ndarray) -> np.ndarray:
    """Return traces (time, neuron) with mean 0 and standard deviation 1 over time; constant ones become 0."""
    values = np.asarray(traces, float)
    counts = np.isfinite(values).sum(axis=0)
    mean = np.nansum(values, axis=0) / np.maximum(counts, 1)
    centred = values - mean
    deviation = np.sqrt(np.nansum(centred**2, axis=0) / np.maximum(counts, 1))
    return np.asarray(np.where(deviation > 0, centred / np.where(deviation > 0, deviation, 1), centred * 0))


def similarity_order(traces: np.ndarray) -> np.ndarray:
    """Order of neurons (columns) that puts similar traces side by side: leaves of an average-linkage tree of 1 - r."""
    from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
    from scipy.spatial.distance import squareform

    n = traces.shape[1]
    if n < 3:
        return np.arange(n)
    step = max(1, traces.shape[0] // 1000)
    values = np.nan_to_num(zscore(traces[::step]))
    distance = np.clip(1 - values.T @ values / len(values), 0, 2)
    np.fill_diagonal(distance, 0)
    pairs = squareform((distance + distance.T) / 2, checks=False)
    tree = linkage(pairs, "average")
    if n <= 150:  # cubic in n: too slow beyond
        tree = optimal_leaf_ordering(tree, pairs)
    return np.asarray(leaves_list(tree))


def neuron_order(recording: Recording, by: SortBy, community: np.ndarray | None = None) -> np.ndarray:
    """Order of a recording's neurons.

    Parameters
    ----------
    recording : Recording
    by : str
        "community" falls back to "similarity" where there are no communities.
    community : array of int (neuron,), optional
        Community of every neuron, -1 = none; these come last.
    """
    names = recording.neurons["name"].tolist()
    labels = recording.neurons["label"].tolist()
    indices = range(recording.n_neurons)
    if by == "community" and community is not None and (community >= 0).any():
        rank = np.where(community >= 0, community, community.max() + 1).tolist()
        return np.array(sorted(indices, key=lambda i: (rank[i], names[i] == "", natural_key(names[i]), labels[i])), int)
    if by == "name":
        return np.array(sorted(indices, key=lambda i: (names[i] == "", natural_key(names[i]), labels[i])), int)
    if by == "class":

        def key(i: int) -> tuple[object, ...]:
            entry = info(names[i])
            return (entry is None, entry.neuron_class if entry else "", natural_key(names[i]), labels[i])

        return np.array(sorted(indices, key=key), int)
    if by == "quality" and recording.quality is not None and "snr" in recording.quality:
        return np.argsort(-np.nan_to_num(recording.quality["snr"].to_numpy(float), nan=-1.0), kind="stable")
    return similarity_order(recording.traces.values)
