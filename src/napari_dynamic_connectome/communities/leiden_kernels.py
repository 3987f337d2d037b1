"""Compiled local moving of the Leiden method (see `methods.leiden`)."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from __future__ import annotations

import math

import numpy as np
from numba import njit

from .kernels import KEEP, choose, uniform


@njit(**KEEP)
def local_moves(pointer, neighbour, weight, strength, labels, within, resolution, random):
    """Move nodes to neighbouring groups, by a queue, as long as modularity grows; changes `labels` in place.

    Parameters
    ----------
    pointer, neighbour, weight : ndarray
        Links in compressed rows, every link twice; self-links do not matter here.
    strength : ndarray
        (N,) of every node, with its self-link.
    labels : ndarray of int64
        (N,), below N.
    within : ndarray of int64
        (N,) or empty. With it, only single nodes merge, inside the same group of `within`, into a group drawn at random among
        those that gain, the more likely the more it gains (the refinement).
    resolution : float
    random : ndarray of uint64
        State of the generator.
    """
    n = len(labels)
    refining = len(within) > 0
    whole = 0.0
    total, size, queue = np.zeros(n), np.zeros(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    waiting, seen = np.empty(n, dtype=np.bool_), np.empty(n, dtype=np.bool_)
    for u in range(n):
        whole += strength[u]
        total[labels[u]] += strength[u]
        size[labels[u]] += 1
        queue[u], waiting[u], seen[u] = u, True, False
    for k in range(n - 1, 0, -1):
        other = choose(random, k + 1)
        queue[k], queue[other] = queue[other], queue[k]
    first, left = 0, n  # a ring: taken at the end, those that wait again come to the front
    toward, gain = np.zeros(n), np.empty(n)
    near = np.empty(n, dtype=np.int64)
    while left > 0:
        left -= 1
        u = queue[(first + left) % n]
        waiting[u] = False
        here = labels[u]
        if refining and size[here] > 1:
            continue
        count = 0
        for e in range(pointer[u], pointer[u + 1]):
            v = neighbour[e]
            if v == u or (refining and within[v] != within[u]):
                continue
            g = labels[v]
            if not seen[g]:
                seen[g] = True
                near[count] = g
                count += 1
            toward[g] += weight[e]
        if count == 0:
            continue
        stay = -resolution * strength[u] * (total[here] - strength[u]) / whole
        high = 0.0
        best = 0
        for k in range(count):
            g = near[k]
            lost = total[g] - (strength[u] if g == here else 0.0)
            gain[k] = toward[g] - resolution * strength[u] * lost / whole
            if g == here:
                stay = gain[k]
            if k == 0 or gain[k] > high or (gain[k] == high and g < near[best]):
                high, best = gain[k], k
            toward[g] = 0.0
            seen[g] = False
        if refining:
            floor = max(stay, 0.0)
            if high < floor:
                continue
            scale = max(high, 1e-300)
            odds = 0.0
            for k in range(count):
                if gain[k] >= floor:
                    odds += math.exp((gain[k] - scale) / (0.1 * scale))
            hit = uniform(random) * odds
            for k in range(count):
                if gain[k] >= floor:
                    best = k
                    hit -= math.exp((gain[k] - scale) / (0.1 * scale))
                    if hit < 0.0:
                        break
        there = near[best]
        if there == here or gain[best] <= stay + 1e-12 * whole:
            continue
        labels[u] = there
        total[here] -= strength[u]
        total[there] += strength[u]
        size[here] -= 1
        size[there] += 1
        if refining:
            continue
        for e in range(pointer[u], pointer[u + 1]):
            v = neighbour[e]
            if v != u and labels[v] != there and not waiting[v]:
                waiting[v] = True
                first = (first - 1) % n
                queue[first] = v
                left += 1
