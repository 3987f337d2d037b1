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
PIECE = 512


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
    others, weights = np.empty((rank, rank), np.int64), np.empty((rank, rank))
    count = np.empty(rank, np.int64)
    for k in range(starts):
        for r in range(rank):
            count[r] = 0
            for j in range(rank):
                if j != r and gram[k, r, j] != 0.0:
                    others[r, count[r]], weights[r, count[r]] = j, gram[k, r, j]
                    count[r] += 1
        for c0 in range(0, rows, CHUNK):
            n = min(CHUNK, rows - c0)
            for _ in range(inner):
                for r in range(rank):
                    diagonal = gram[k, r, r]
                    if diagonal <= 0.0:
                        continue
                    wanted = numerator[k, r, c0 : c0 + n]
                    for i in range(n):
                        part[i] = wanted[i] - l1
                    j = 0
                    while (
                        j + 4 <= count[r]
                    ):  # four at a time, in the same order: `part` is read and written once for them
                        a, b = factor[k, others[r, j], c0 : c0 + n], factor[k, others[r, j + 1], c0 : c0 + n]
                        c, d = factor[k, others[r, j + 2], c0 : c0 + n], factor[k, others[r, j + 3], c0 : c0 + n]
                        wa, wb, wc, wd = weights[r, j], weights[r, j + 1], weights[r, j + 2], weights[r, j + 3]
                        for i in range(n):
                            part[i] = (((part[i] - wa * a[i]) - wb * b[i]) - wc * c[i]) - wd * d[i]
                        j += 4
                    while j < count[r]:
                        a, wa = factor[k, others[r, j], c0 : c0 + n], weights[r, j]
                        for i in range(n):
                            part[i] -= wa * a[i]
                        j += 1
                    scale = 1.0 / diagonal
                    result = factor[k, r, c0 : c0 + n]
                    for i in range(n):
                        result[i] = max(part[i] * scale, 0.0)


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
def thin_grams(starts: Array, columns: Array, weights: Array, triangle: Array, row0: int, out: Array) -> None:
    """Gram matrices of some pairs, each the weighted sum of those of the worms that observe it: a table without its zeros times a matrix.

    Parameters
    ----------
    starts, columns, weights : array
        The table (pair, worm) row by row, as in `scipy.sparse.csr_array`.
    triangle : float64 (worm, component * (component + 1) / 2)
        Upper triangle of the Gram matrix of every worm.
    row0 : int
        First pair.
    out : float64 (component * (component + 1) / 2, n)
        Filled with those of n pairs, as `update_own` takes them.
    """
    size = triangle.shape[1]
    total = np.empty(size)
    for i in range(out.shape[1]):
        total[:] = 0.0
        for k in range(starts[row0 + i], starts[row0 + i + 1]):
            weight, gram = weights[k], triangle[columns[k]]
            for q in range(size):
                total[q] += weight * gram[q]
        for q in range(size):
            out[q, i] = total[q]


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
def rows_first(factor: Array, columns: Array, out: Array) -> None:
    """out[i, c] = factor[columns[c], i], as float32: rows in one piece each, for `gather`."""
    for i0 in range(0, factor.shape[1], OWN):
        i1 = min(i0 + OWN, factor.shape[1])
        for c in range(columns.shape[0]):
            source = factor[columns[c]]
            for i in range(i0, i1):
                out[i, c] = source[i]


@nb.njit(cache=True, nogil=True)
def columns_first(total: Array, out: Array) -> None:
    """out[c, i] = total[i, c]."""
    for i0 in range(0, total.shape[0], OWN):
        i1 = min(i0 + OWN, total.shape[0])
        for c in range(total.shape[1]):
            target = out[c]
            for i in range(i0, i1):
                target[i] = total[i, c]


@nb.njit(cache=True, nogil=True)
def gather(wide: Array, slots: Array, keep: Array, out: Array) -> None:
    """out[c, i] = wide[slots[i], c] where keep[i], else 0; float32."""
    for i0 in range(0, slots.shape[0], OWN):
        for i in range(i0, min(i0 + OWN, slots.shape[0])):
            source = wide[slots[i]]
            if keep[i]:
                for c in range(out.shape[0]):
                    out[c, i] = source[c]
            else:
                for c in range(out.shape[0]):
                    out[c, i] = 0.0


@nb.njit(cache=True, nogil=True)
def scatter_add(total: Array, slots: Array, keep: Array, values: Array, columns: Array, weight: float) -> None:
    """total[slots[i], columns[c]] += weight * values[i, c] where keep[i]; slots are unique."""
    together = columns.shape[0] == total.shape[1]
    for i in range(values.shape[0]):
        if keep[i]:
            target, source = total[slots[i]], values[i]
            if together:
                for c in range(source.shape[0]):
                    target[c] += weight * source[c]
            else:
                for c in range(source.shape[0]):
                    target[columns[c]] += weight * source[c]


@nb.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def row_grams(rows: Array, place: Array, gram: Array) -> None:
    """gram[k, r, s] += sum_i rows[place[k, r], i] rows[place[k, s], i].

    Sums run in float32 over `PIECE` rows (as in the matrix products beside them, of factors that are not negative) and in float64
    over the pieces: converting every value first takes twenty times as long.

    Parameters
    ----------
    rows : float32 (column, row)
    place : int (start, component)
        Column of each component; -1 where it is zero.
    gram : float64 (start, component, component)
        Symmetric; added to.
    """
    starts, rank = place.shape
    count = rows.shape[1]
    for k in range(starts):
        for i0 in range(0, count, PIECE):
            n = min(PIECE, count - i0)
            for r in range(rank):
                if place[k, r] < 0:
                    continue
                one = rows[place[k, r], i0 : i0 + n]
                for s in range(r, rank):
                    if place[k, s] < 0:
                        continue
                    two = rows[place[k, s], i0 : i0 + n]
                    total = np.float32(0.0)
                    for i in range(n):
                        total += one[i] * two[i]
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
    """Sum of squared differences of two float32 arrays of the same shape, in float32 over a row and in float64 over the rows."""
    total = 0.0
    for p in range(a.shape[0]):
        one, two = a[p], b[p]
        square = np.float32(0.0)
        for t in range(a.shape[1]):
            d = one[t] - two[t]
            square += d * d
        total += np.float64(square)
    return float(total)
