"""Compiled inner loops of the search for groups (`scan`): climbs, and strengths without a group.

All of them let go of the interpreter's lock, so that surrogate cohorts are searched side by side.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

Array = np.ndarray[Any, Any]


@nb.njit(cache=True, nogil=True)
def climb_groups(values: Array, observed: Array, inside: Array, largest: int, steps: int) -> Array:
    """Let groups gain and lose one node after the other while their statistic grows.

    Parameters
    ----------
    values : float64 (N, N)
        Standardised weights, symmetric, 0 on the diagonal and where not observed.
    observed : float64 (N, N)
        1 where a pair was observed, else 0; 0 on the diagonal.
    inside : bool (group, N)
        Where to begin, changed in place; two nodes or more each.
    largest : int
        Nodes up to which a group grows.
    steps : int
        Nodes that may come and go in one climb.

    Returns
    -------
    float64 (group,)
        Statistics at the end.
    """
    groups, n = inside.shape
    ends = np.zeros(groups)
    pull = np.empty(n)
    links = np.empty(n)
    for g in range(groups):
        size = 0
        total = 0.0
        pairs = 0.0
        pull[:] = 0.0
        links[:] = 0.0
        for u in range(n):
            if inside[g, u]:
                size += 1
                for v in range(n):
                    pull[v] += values[u, v]
                    links[v] += observed[u, v]
        for u in range(n):
            if inside[g, u]:
                total += pull[u] / 2
                pairs += links[u] / 2
        for _ in range(steps):
            best = -np.inf
            node = -1
            for u in range(n):
                if inside[g, u]:
                    left = pairs - links[u]
                    if size <= 2 or left <= 0:
                        continue
                    score = (total - pull[u]) / np.sqrt(max(left, 1.0))
                else:
                    if size >= largest or links[u] <= 0:
                        continue
                    score = (total + pull[u]) / np.sqrt(max(pairs + links[u], 1.0))
                if score > best:
                    best = score
                    node = u
            if node < 0 or best <= total / np.sqrt(max(pairs, 1.0)) + 1e-9:
                break
            sign = -1.0 if inside[g, node] else 1.0
            total += sign * pull[node]
            pairs += sign * links[node]
            size += int(sign)
            inside[g, node] = not inside[g, node]
            for v in range(n):
                pull[v] += sign * values[node, v]
                links[v] += sign * observed[node, v]
        ends[g] = total / np.sqrt(max(pairs, 1.0))
    return ends
