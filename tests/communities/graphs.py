"""Small graphs and nested partitions for the tests."""

from __future__ import annotations

import numpy as np


def random_case(seed: int, n: int, density: float, groups: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Edges, weights and nested labels (two or three levels, the last with one group)."""
    rng = np.random.default_rng(seed)
    pairs = np.stack(np.triu_indices(n, 1), axis=1)
    edges = pairs[rng.random(len(pairs)) < density]
    levels = [rng.permutation(np.r_[np.arange(groups), rng.integers(0, groups, n - groups)])]
    if groups > 3:
        levels.append(np.r_[np.arange(2), rng.integers(0, 2, groups - 2)])
    levels.append(np.zeros(int(levels[-1].max()) + 1, dtype=int))
    return edges, rng.exponential(size=len(edges)), levels


def planted(seed: int, n: int = 80, groups: int = 3, ratio: float = 6.0) -> tuple[np.ndarray, np.ndarray]:
    """Complete graph with planted groups; weights and labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % groups
    weights = np.triu(rng.exponential(np.where(labels[:, None] == labels, ratio, 1.0)), 1)
    return weights + weights.T, labels
