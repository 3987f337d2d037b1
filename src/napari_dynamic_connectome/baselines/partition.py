"""From one matrix over all worms to a partition or an order of the neurons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Array = np.ndarray
TURNS = 200


def consensus(matrices: Sequence[Array], neurons: Sequence[Array], n: int) -> Array:
    """Mean over the worms that have both neurons, (n, n); NaN where none has.

    Parameters
    ----------
    matrices : sequence of float array (n_w, n_w)
    neurons : sequence of int array (n_w,)
        Indices of a worm's neurons.
    n : int
    """
    total, count = np.zeros((n, n)), np.zeros((n, n))
    for matrix, index in zip(matrices, neurons, strict=True):
        total[np.ix_(index, index)] += matrix
        count[np.ix_(index, index)] += 1
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def ward(distance: Array, groups: int) -> Array:
    """Ward's hierarchical clustering cut into groups; distances of pairs that no worm has are the mean of the others.

    Parameters
    ----------
    distance : float array (n, n)
    groups : int

    Returns
    -------
    int array (n,)
        Labels from 0.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    filled = np.where(np.isfinite(distance), distance, np.nanmean(distance[~np.eye(len(distance), dtype=bool)]))
    np.fill_diagonal(filled, 0.0)
    tree = linkage(squareform(filled, checks=False), "ward")
    return np.asarray(fcluster(tree, min(groups, len(distance)), "maxclust") - 1)


def sort_neurons(similarity: Array) -> Array:
    """Order of the neurons in which neighbours are alike, (n,): indices.

    Spectral seriation (Atkins et al. 1998: the order of the Fiedler vector), then pieces of the order are turned round as long as that
    makes neighbours more alike (2-opt). In the spirit of rastermap (Stringer et al. 2024), not its algorithm.

    Parameters
    ----------
    similarity : float array (n, n)
        Non-negative; NaN counts as the mean.
    """
    n = len(similarity)
    if n < 3:
        return np.arange(n)
    off = ~np.eye(n, dtype=bool)
    weights = np.where(np.isfinite(similarity), similarity, np.nanmean(similarity[off]))
    np.fill_diagonal(weights, 0.0)
    # of the normalised Laplacian: that of the plain one tells apart a few weak neurons and all others
    root = np.sqrt(np.maximum(weights.sum(axis=1), 1e-300))
    vector = np.linalg.eigh(weights / np.outer(root, root))[1][:, -2] / root
    vector = vector * (1.0 if vector[np.argmax(np.abs(vector))] > 0 else -1.0)
    order = np.argsort(vector, kind="stable")
    for _ in range(TURNS):
        w = weights[np.ix_(order, order)]
        pairs = np.diag(w, 1)
        # turning positions i..j round exchanges the links (i-1, i) and (j, j+1) for (i-1, j) and (i, j+1)
        before = np.concatenate([[0.0], pairs])
        after = np.concatenate([pairs, [0.0]])
        left = np.vstack([np.zeros(n), w[:-1]])
        right = np.hstack([w[:, 1:], np.zeros((n, 1))])
        gain = np.triu(left + right - before[:, None] - after[None, :], 1)
        i, j = np.unravel_index(int(gain.argmax()), gain.shape)
        if gain[i, j] <= 1e-12:
            break
        order[i : j + 1] = order[i : j + 1][::-1]
    return order


def cut_order(similarity: Array, order: Array, groups: int) -> Array:
    """Cut an order into contiguous groups that are most alike inside, (n,) labels from 0, exactly (dynamic programming).

    Maximised is what modularity counts: the similarities between members of a group, each minus what the total similarities of the two
    neurons let expect.
    """
    n = len(order)
    w = similarity[np.ix_(order, order)].copy()
    off = ~np.eye(n, dtype=bool)
    w = np.where(np.isfinite(w), w, np.nanmean(w[off]))
    np.fill_diagonal(w, 0.0)
    strength = w.sum(axis=0)
    w -= np.outer(strength, strength) / max(strength.sum(), 1e-300)
    np.fill_diagonal(w, 0.0)
    grown = np.zeros((n + 1, n + 1))
    grown[1:, 1:] = w.cumsum(axis=0).cumsum(axis=1)
    inside = np.array(
        [
            [(grown[j, j] - grown[i, j] - grown[j, i] + grown[i, i]) / 2 if j > i else 0.0 for j in range(n + 1)]
            for i in range(n + 1)
        ]
    )
    groups = min(groups, n)
    best = np.full((groups + 1, n + 1), -np.inf)
    came = np.zeros((groups + 1, n + 1), int)
    best[0, 0] = 0.0
    for g in range(1, groups + 1):
        for j in range(g, n + 1):
            scores = best[g - 1, g - 1 : j] + inside[g - 1 : j, j]
            came[g, j] = int(scores.argmax()) + g - 1
            best[g, j] = scores.max()
    labels, end = np.empty(n, int), n
    for g in range(groups, 0, -1):
        labels[order[came[g, end] : end]] = g - 1
        end = came[g, end]
    return labels
