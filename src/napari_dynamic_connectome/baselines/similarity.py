"""How alike two neurons of one worm are, by each static method: (neuron, neuron) matrices, larger = more alike.

In: traces (time, neuron), standardised, complete. Consensus over worms is taken elsewhere.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def shape_distance(traces: Array, max_lag: int | None = None) -> Array:
    """Modified shape-based distance: 1 - max over lags |cross-correlation| / (norms).

    The shape-based distance of Paparrizos & Gravano (2015) with the absolute value of Yamazaki et al. (2023, WormTensor), so that
    neurons of opposite sign are near each other; lags run over the whole recording, ends padded with zeros.

    Parameters
    ----------
    traces : float array (T, n)
        Means removed.
    max_lag : int, optional
        Longest shift in samples.

    Returns
    -------
    float array (n, n)
        Between 0 and 1, symmetric, zero diagonal.
    """
    length, n = traces.shape
    reach = length - 1 if max_lag is None else min(max_lag, length - 1)
    size = 1 << int(2 * length - 1).bit_length()
    spectra = np.fft.rfft(traces.T, size, axis=1)
    norms = np.linalg.norm(traces, axis=0)
    lags = np.concatenate([np.arange(reach + 1), np.arange(size - reach, size)])
    largest = np.zeros((n, n))
    for i in range(n):
        products = np.fft.irfft(spectra[i:] * np.conj(spectra[i]), size, axis=1)
        largest[i, i:] = np.abs(products[:, lags]).max(axis=1)
    largest = np.maximum(largest, largest.T)
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = 1 - np.clip(largest / np.outer(norms, norms), 0, 1)
    np.fill_diagonal(distance, 0.0)
    return np.asarray(distance)


def absolute_correlation(traces: Array) -> Array:
    """|Pearson r| of every pair, zero diagonal."""
    found = np.abs(np.corrcoef(traces, rowvar=False))
    np.fill_diagonal(found, 0.0)
    return np.asarray(found)


def edge_profile_similarity(traces: Array, clusters: int, seed: int) -> Array:
    """How alike two neurons' edges are: share of third neurons to which both have an edge of the same cluster.

    Edge time series are products of two z-scored traces; edges with similar series form clusters (k-means on their leading 20 principal
    components), after Faskowitz et al. (2020), Nat. Neurosci. 23, 1644.

    Parameters
    ----------
    traces : float array (T, n)
        z-scored.
    clusters : int
    seed : int

    Returns
    -------
    float array (n, n)
        Between 0 and 1, zero diagonal.
    """
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA

    n = traces.shape[1]
    first, second = np.triu_indices(n, 1)
    edges = (traces[:, first] * traces[:, second]).T
    edges = edges / np.maximum(np.linalg.norm(edges, axis=1, keepdims=True), 1e-12)
    most = min(20, *edges.shape)
    reduced = PCA(most, random_state=seed, svd_solver="randomized").fit_transform(edges)
    labels = KMeans(min(clusters, len(edges)), n_init=4, random_state=seed).fit_predict(reduced)
    table = np.full((n, n), -1)
    table[first, second] = table[second, first] = labels
    found = np.zeros((n, n))
    for i in range(n):
        same = (table == table[i]) & (table >= 0)
        same[:, i] = False
        others = n - 2 if n > 2 else 1
        # column j of row j is its own diagonal (-1), so that only third neurons count
        found[i] = same.sum(axis=1) / others
    np.fill_diagonal(found, 0.0)
    return found


def loading_similarity(traces: Array, rank: int, seed: int) -> Array:
    """Cosine of the neurons' loadings in scikit-learn's NMF of the traces (each scaled to 0..1), zero diagonal.

    Parameters
    ----------
    traces : float array (T, n)
    rank : int
    seed : int
    """
    import warnings

    from sklearn.decomposition import NMF
    from sklearn.exceptions import ConvergenceWarning

    low, high = traces.min(axis=0), traces.max(axis=0)
    scaled = (traces - low) / np.maximum(high - low, 1e-12)
    model = NMF(min(rank, *scaled.shape), init="nndsvda", random_state=seed, max_iter=400)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(scaled)
    loadings = model.components_.T
    loadings = loadings / np.maximum(np.linalg.norm(loadings, axis=1, keepdims=True), 1e-12)
    found = loadings @ loadings.T
    np.fill_diagonal(found, 0.0)
    return np.asarray(found)
