"""Compiled inner loops: coordinate updates of one factor (HALS), gathering and scattering of pair rows.

Layout: factors are (start, component, row) float64, so that all loops run along contiguous rows. HALS: Cichocki & Phan 2009;
several passes over one factor for each matrix product: Gillis & Glineur 2012.
"""

from __future__ import annotations

import numba as nb
import numpy as np

Array = np.ndarray
CHUNK = 256
OWN = 64


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
    grams : float64 (component * (component + 1) / 2, n)
        Upper triangle (row by row) of the Gram matrix of each of the n rows.
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
    part = np.empty(OWN)
    values = np.empty((rank, OWN))
    inverse = np.empty((rank, OWN))
    block = np.empty((grams.shape[0], OWN))
    cross = 0.0
    square = 0.0
    for c0 in range(0, total, OWN):
        n = min(OWN, total - c0)
        at = row0 + c0
        wanted = numerator[:, at : at + n]
        result = factor[:, at : at + n]
        for q in range(block.shape[0]):
            # a block in one piece is read several times as fast as rows that lie far apart
            source, copy = grams[q, c0 : c0 + n], block[q]
            for i in range(n):
                copy[i] = source[i]
        for r in range(rank):
            diagonal = block[r * rank - r * (r - 1) // 2]
            value, inv, old = values[r], inverse[r], result[r]
            for i in range(n):
                value[i] = old[i]
                inv[i] = 1.0 / diagonal[i] if diagonal[i] > 0.0 else 0.0
        for _ in range(inner if update else 0):
            for r in range(rank):
                row = wanted[r]
                for i in range(n):
                    part[i] = row[i]
                for j in range(rank):
                    if j != r:
                        low, high = min(r, j), max(r, j)
                        gram, other = block[low * rank - low * (low - 1) // 2 + high - low], values[j]
                        for i in range(n):
                            part[i] -= gram[i] * other[i]
                value, inv = values[r], inverse[r]
                for i in range(n):
                    found = max(part[i] * inv[i], 0.0)
                    value[i] = found if inv[i] > 0.0 else value[i]
        for r in range(rank):
            for i in range(n):
                part[i] = 0.0
            for j in range(r, rank):
                gram, other = block[r * rank - r * (r - 1) // 2 + j - r], values[j]
                twice = 1.0 if j == r else 2.0
                for i in range(n):
                    part[i] += twice * gram[i] * other[i]
            value, row, new = values[r], wanted[r], result[r]
            for i in range(n):
                cross += row[i] * value[i]
                square += part[i] * value[i]
                new[i] = value[i]
    return cross, square


@nb.njit(cache=True, nogil=True)
def update_grouped(
    factor: Array, numerator: Array, grams: Array, start: Array, slots: Array, inner: int, update: bool
) -> tuple[float, float]:
    """As `update_own`, where many rows share a Gram matrix because the same worms observe them.

    Parameters
    ----------
    factor, numerator : float64 (component, row)
    grams : float64 (group, component, component)
    start : int array (group + 1,)
        Where each group begins in `slots`.
    slots : int array (n,)
        Rows, group after group.
    inner : int
    update : bool
    """
    rank = factor.shape[0]
    part = np.empty(OWN)
    values = np.empty((rank, OWN))
    wanted = np.empty((rank, OWN))
    cross = 0.0
    square = 0.0
    for g in range(grams.shape[0]):
        gram = grams[g]
        for c0 in range(start[g], start[g + 1], OWN):
            n = min(OWN, start[g + 1] - c0)
            for r in range(rank):
                for i in range(n):
                    values[r, i] = factor[r, slots[c0 + i]]
                    wanted[r, i] = numerator[r, slots[c0 + i]]
            for _ in range(inner if update else 0):
                for r in range(rank):
                    if gram[r, r] <= 0.0:
                        continue
                    for i in range(n):
                        part[i] = wanted[r, i]
                    for j in range(rank):
                        weight = gram[r, j]
                        if j != r and weight != 0.0:
                            for i in range(n):
                                part[i] -= weight * values[j, i]
                    scale = 1.0 / gram[r, r]
                    for i in range(n):
                        values[r, i] = max(part[i] * scale, 0.0)
            for r in range(rank):
                for i in range(n):
                    part[i] = 0.0
                for j in range(rank):
                    weight = gram[r, j]
                    for i in range(n):
                        part[i] += weight * values[j, i]
                for i in range(n):
                    cross += wanted[r, i] * values[r, i]
                    square += part[i] * values[r, i]
                    factor[r, slots[c0 + i]] = values[r, i]
    return cross, square


@nb.njit(cache=True, nogil=True)
def extrapolate(now: Array, before: Array, step: Array) -> None:
    """Move on by a step a start, in place: now + step (now - before), at least 0; `before` becomes the old `now`."""
    starts, rank, rows = now.shape
    for k in range(starts):
        for r in range(rank):
            for i in range(rows):
                value = now[k, r, i]
                now[k, r, i] = max(value + step[k] * (value - before[k, r, i]), 0.0)
                before[k, r, i] = value


@nb.njit(cache=True, nogil=True)
def gather(factor: Array, slots: Array, keep: Array, out: Array) -> None:
    """out[c, i] = factor[c, slots[i]] where keep[i], else 0, as float32."""
    for c in range(factor.shape[0]):
        for i in range(slots.shape[0]):
            out[c, i] = factor[c, slots[i]] if keep[i] else 0.0


@nb.njit(cache=True, nogil=True)
def scatter_add(total: Array, slots: Array, keep: Array, values: Array, weight: float) -> None:
    """total[c, slots[i]] += weight * values[i, c] where keep[i]; slots are unique."""
    rows, columns = values.shape
    for i0 in range(0, rows, OWN):
        for c in range(columns):
            for i in range(i0, min(i0 + OWN, rows)):
                if keep[i]:
                    total[c, slots[i]] += weight * values[i, c]


@nb.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def row_grams(rows: Array, gram: Array) -> None:
    """gram[k, r, s] = sum_i rows[k, r, i] rows[k, s, i], in float64.

    Parameters
    ----------
    rows : float32 (start, component, row)
    gram : float64 (start, component, component)
        Filled.
    """
    starts, rank, count = rows.shape
    for k in range(starts):
        gram[k] = 0.0
        for i0 in range(0, count, 4 * CHUNK):
            i1 = min(i0 + 4 * CHUNK, count)
            for r in range(rank):
                for s in range(r, rank):
                    total = 0.0
                    for i in range(i0, i1):
                        total += np.float64(rows[k, r, i]) * np.float64(rows[k, s, i])
                    gram[k, r, s] += total
        for r in range(rank):
            for s in range(r):
                gram[k, r, s] = gram[k, s, r]


@nb.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def row_squares(tile: Array, total: Array) -> float:
    """Add each row's sum of squares to `total` (float64); return the lowest value."""
    lowest = np.float32(0.0)
    for p in range(tile.shape[0]):
        square = 0.0
        for t in range(tile.shape[1]):
            v = tile[p, t]
            square += np.float64(v) * np.float64(v)
            lowest = min(lowest, v)
        total[p] += square
    return float(lowest)


@nb.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def squared_distance(a: Array, b: Array) -> float:
    """Sum of squared differences of two float32 arrays of the same shape, in float64."""
    total = 0.0
    for p in range(a.shape[0]):
        for t in range(a.shape[1]):
            d = np.float64(a[p, t]) - np.float64(b[p, t])
            total += d * d
    return total
