"""Local moves of the Leiden method: each goes where modularity gains the most, and calls its neighbours."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

from napari_dynamic_connectome.communities.kernels import choose
from napari_dynamic_connectome.communities.leiden_kernels import local_moves


def graph(seed: int, n: int = 40, density: float = 0.15) -> np.ndarray:
    rng = np.random.default_rng(seed)
    weights = np.triu(rng.exponential(size=(n, n)) * (rng.random((n, n)) < density), 1)
    return weights + weights.T + np.diag(rng.random(n) * (rng.random(n) < 0.3))


def rows(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    pointer, neighbour, values = [0], [], []
    for row in weights:
        near = np.flatnonzero(row)
        neighbour += near.tolist()
        values += row[near].tolist()
        pointer.append(len(neighbour))
    return np.array(pointer), np.array(neighbour), np.array(values)


def quality(weights: np.ndarray, labels: np.ndarray, resolution: float) -> float:
    """Modularity times the whole strength."""
    strength = weights.sum(axis=0) + np.diag(weights)  # both ends of a self-link
    expected = resolution * np.outer(strength, strength) / strength.sum()
    return float(((weights + np.diag(np.diag(weights)) - expected) * (labels[:, None] == labels)).sum())


def moved(weights: np.ndarray, start: np.ndarray, within: np.ndarray, resolution: float, seed: int) -> np.ndarray:
    strength = weights.sum(axis=0) + np.diag(weights)
    labels = start.astype(np.int64)
    random = np.array([seed * 2 + 12345], dtype=np.uint64)
    local_moves(*rows(weights), strength, labels, within.astype(np.int64), resolution, random)
    return labels


def plainly(weights: np.ndarray, start: np.ndarray, resolution: float, seed: int) -> np.ndarray:
    """The same by whole modularities: nodes wait in one line, and the neighbours of who moved join its end."""
    random = np.array([seed * 2 + 12345], dtype=np.uint64)
    n, labels = len(start), start.copy()
    order = list(range(n))
    for k in range(n - 1, 0, -1):
        other = choose(random, k + 1)
        order[k], order[other] = order[other], order[k]
    waiting = deque(reversed(order))
    while waiting:
        u = waiting.popleft()
        near = sorted(set(labels[(weights[u] > 0) & (np.arange(n) != u)].tolist()))
        trials = {group: np.where(np.arange(n) == u, group, labels) for group in near}
        gains = {group: quality(weights, one, resolution) for group, one in trials.items()}
        if gains and max(gains.values()) > quality(weights, labels, resolution) + 1e-9:
            labels = trials[max(gains, key=lambda group: gains[group])]
            for v in np.flatnonzero(weights[u]):
                if v != u and labels[v] != labels[u] and v not in waiting:
                    waiting.append(v)
    return labels


@pytest.mark.parametrize("resolution", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("seed", range(6))
def test_nodes_go_where_they_gain_the_most_and_call_their_neighbours(seed: int, resolution: float) -> None:
    weights = graph(seed)
    rng = np.random.default_rng(seed)
    for start in (np.arange(40), rng.integers(0, 6, 40), np.zeros(40, int)):
        labels = moved(weights, start, np.zeros(0), resolution, seed)
        np.testing.assert_array_equal(labels, plainly(weights, start, resolution, seed))


@pytest.mark.parametrize("seed", range(4))
def test_where_nothing_moves_any_more_no_node_gains_by_going_to_a_neighbour(seed: int) -> None:
    weights = graph(seed)
    labels = np.arange(40)
    while (labels != (labels := moved(weights, labels, np.zeros(0), 1.0, seed))).any():
        pass
    best = quality(weights, labels, 1.0)
    for u in range(40):
        for group in set(labels[weights[u] > 0]) - {labels[u]}:
            trial = np.where(np.arange(40) == u, group, labels)
            assert quality(weights, trial, 1.0) <= best + 1e-9


@pytest.mark.parametrize("seed", range(8))
def test_refining_merges_nodes_inside_their_group_only_where_that_gains(seed: int) -> None:
    weights = graph(seed, density=0.3)
    within = np.random.default_rng(seed).integers(0, 3, 40)
    labels = moved(weights, np.arange(40), within, 1.0, seed)
    for group in set(labels):
        assert len(set(within[labels == group])) == 1
    assert len(set(within)) <= len(set(labels)) < 40
    assert quality(weights, labels, 1.0) > quality(weights, np.arange(40), 1.0)
    again = moved(weights, np.arange(40), within, 1.0, seed)
    np.testing.assert_array_equal(labels, again)
    others = [moved(weights, np.arange(40), within, 1.0, s) for s in range(20, 30)]
    assert any((one != labels).any() for one in others)  # groups are drawn


def test_refining_prefers_the_larger_gain_by_its_exponential() -> None:
    # node 0 may join 1 (weight 1) or 2 (weight 0.9), which are too strong for each other
    weights = np.zeros((6, 6))
    for a, b, w in ((0, 1, 1.0), (0, 2, 0.9), (1, 3, 4.0), (2, 4, 4.0), (5, 3, 3.0)):
        weights[a, b] = weights[b, a] = w
    within = np.array([0, 0, 0, 1, 2, 3])
    strength = weights.sum(axis=0)
    gains = [weights[0, g] - strength[0] * strength[g] / strength.sum() for g in (1, 2)]
    odds = np.exp((np.array(gains) - max(gains)) / (0.1 * max(gains)))
    share = odds[0] / odds.sum()
    first = 0
    runs = 4000
    for seed in range(runs):
        labels = moved(weights, np.arange(6), within, 1.0, seed)
        joined = [g for g in (1, 2) if labels[g] == labels[0]]
        assert len(joined) == 1
        first += joined[0] == 1
    # each of the three is the first in the queue as often: 1 and 2 can only go to 0
    expected = (1 + 0 + share) / 3
    assert abs(first / runs - expected) < 4 * np.sqrt(expected * (1 - expected) / runs)
