"""Compiled inner loops: coordinate updates of one factor (HALS), gathering and scattering of pair rows.

Layout: factors are (start, component, row) float64, so that all loops run along contiguous rows. HALS: Cichocki & Phan 2009;
several passes over one factor for each matrix product: Gillis & Glineur 2012.
"""

from __future__ import annotations

import numba as nb
import numpy as np

Array = np.ndarray
CHUNK = 256


@nb.njit(cache=True, nogil=True)
def update_shared(factor: Array, numerator: Array, gram: Array, inner: int, l1: float) -> None:
    """Coordinate updates of rows that share one Gram matrix.

    Minimises, for every row x, x G x / 2 - n x + l1 sum(x) over x >= 0.

    Parameters
    ----------
    factor, numerator : float64 (start, component, row)
        `factor` is changed in place.
    gram : float64 (start, component, component)
    inner : int
        Passes over the components.
    l1 : float
    """
    starts, rank, rows = factor.shape
    part = np.empty(CHUNK)
    for k in range(starts):
        for c0 in range(0, rows, CHUNK):
            n = min(CHUNK, rows - c0)
            for _ in range(inner):
                for r in range(rank):
                    diagonal = gram[k, r, r]
                    if diagonal <= 0.0:
                        continue
                    for i in range(n):
                        part[i] = numerator[k, r, c0 + i] - l1
                    for j in range(rank):
                        weight = gram[k, r, j]
                        if j == r or weight == 0.0:
                            continue
                        for i in range(n):
                            part[i] -= weight * factor[k, j, c0 + i]
                    scale = 1.0 / diagonal
                    for i in range(n):
                        factor[k, r, c0 + i] = max(part[i] * scale, 0.0)


@nb.njit(cache=True, nogil=True)
def update_smooth(
    factor: Array, numerator: Array, gram: Array, inner: int, l1: float, smooth: float, linked: Array
) -> None:
    """As `update_shared`, with the penalty smooth / 2 * sum (x_t - x_(t-1))^2 over linked neighbours."""
    starts, rank, rows = factor.shape
    for k in range(starts):
        for _ in range(inner):
            for t in range(rows):
                before = t > 0 and linked[t]
                after = t + 1 < rows and linked[t + 1]
                for r in range(rank):
                    value = numerator[k, r, t] - l1
                    diagonal = gram[k, r, r]
                    for j in range(rank):
                        if j != r:
                            value -= gram[k, r, j] * factor[k, j, t]
                    if before:
                        value += smooth * factor[k, r, t - 1]
                        diagonal += smooth
                    if after:
                        value += smooth * factor[k, r, t + 1]
                        diagonal += smooth
                    if diagonal > 0.0:
                        factor[k, r, t] = max(value / diagonal, 0.0)


@nb.njit(cache=True, nogil=True)
def update_own(
    factor: Array, numerator: Array, grams: Array, row0: int, inner: int, update: bool
) -> tuple[float, float]:
    """Coordinate updates of pair rows, each with its own Gram matrix; one start.

    Parameters
    ----------
    factor, numerator : float64 (component, row)
        All rows; those from `row0` on for which `grams` are given are changed.
    grams : float64 (component * component, n)
        Gram matrix of each of the n rows.
    row0, inner : int
    update : bool
        False: leave the factor as it is and only return the sums.

    Returns
    -------
    cross, square : float
        sum_p n_p a_p and sum_p a_p G_p a_p after the update.
    """
    rank = factor.shape[0]
    total = grams.shape[1]
    part = np.empty(CHUNK)
    cross = 0.0
    square = 0.0
    for c0 in range(0, total, CHUNK):
        n = min(CHUNK, total - c0)
        at = row0 + c0
        if update:
            for _ in range(inner):
                for r in range(rank):
                    for i in range(n):
                        part[i] = numerator[r, at + i]
                    for j in range(rank):
                        if j != r:
                            for i in range(n):
                                part[i] -= grams[r * rank + j, c0 + i] * factor[j, at + i]
                    for i in range(n):
                        diagonal = grams[r * rank + r, c0 + i]
                        if diagonal > 0.0:
                            factor[r, at + i] = max(part[i] / diagonal, 0.0)
        for r in range(rank):
            for i in range(n):
                part[i] = 0.0
            for j in range(rank):
                for i in range(n):
                    part[i] += grams[r * rank + j, c0 + i] * factor[j, at + i]
            for i in range(n):
                cross += numerator[r, at + i] * factor[r, at + i]
                square += part[i] * factor[r, at + i]
    return cross, square


@nb.njit(cache=True, nogil=True)
def gather(factor: Array, slots: Array, keep: Array, out: Array) -> None:
    """out[c, i] = factor[c, slots[i]] where keep[i], else 0, as float32."""
    for c in range(factor.shape[0]):
        for i in range(slots.shape[0]):
            out[c, i] = factor[c, slots[i]] if keep[i] else 0.0


@nb.njit(cache=True, nogil=True)
def scatter_add(total: Array, slots: Array, keep: Array, values: Array, weight: float) -> None:
    """total[c, slots[i]] += weight * values[c, i] where keep[i]; slots are unique."""
    for c in range(total.shape[0]):
        for i in range(slots.shape[0]):
            if keep[i]:
                total[c, slots[i]] += weight * values[c, i]
