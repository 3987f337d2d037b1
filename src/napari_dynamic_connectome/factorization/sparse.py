"""One worm's rows without their zeros, and the products of a sweep over them.

Most affinities are exactly zero (below the noise threshold, or outside a joint run), so that products over the non-zero ones
are several times quicker than dense ones. Sums run in float32 over blocks of rows and in float64 over the blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numba as nb
import numpy as np

Array = np.ndarray
BLOCK = 256


@dataclass(frozen=True, eq=False)
class SparseRows:
    """Non-zero values of the rows of one worm, row after row.

    Parameters
    ----------
    start : int64 array (n_rows + 1,)
        Where each row begins.
    at : unsigned integer array (n,)
        Time index of each value.
    value : float32 array (n,)
    n_times : int
    """

    start: Array
    at: Array
    value: Array
    n_times: int

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.start) - 1

    def left(self, rows_factor: Array) -> Array:
        """(columns, n_rows) float32 -> (columns, n_times) float64."""
        total = np.zeros((self.n_times, len(rows_factor)))
        part = np.zeros((self.n_times, len(rows_factor)), np.float32)
        _left(self.start, self.at, self.value, np.ascontiguousarray(rows_factor.T), part, total)
        return np.ascontiguousarray(total.T)

    def right(self, time_factor: Array, room: Array | None = None) -> Array:
        """(columns, n_times) float32 -> (n_rows, columns) float32, written to `room` if it is given."""
        total = np.empty((self.n_rows, len(time_factor)), np.float32) if room is None else room
        _right(self.start, self.at, self.value, np.ascontiguousarray(time_factor.T), total)
        return total

    def residual(self, rows_factor: Array, time_factor: Array, keep: Array) -> float:
        """Sum of squared differences from rows_factor^T time_factor over the rows to keep, in float64."""
        from tensorly.cp_tensor import cp_norm

        rows = np.ascontiguousarray(rows_factor.T, np.float64)
        time = np.ascontiguousarray(time_factor.T, np.float64)
        model = cp_norm((None, [rows[keep], time])) ** 2
        return float(_excess(self.start, self.at, self.value, rows, time, keep) + model)


def sparse_rows(chunks: Iterator[Array], n_times: int, expected: int) -> SparseRows:
    """Collect rows, given as dense float32 arrays (some rows, n_times).

    Parameters
    ----------
    expected : int
        Guess of the number of non-zero values.
    """
    kind = np.uint16 if n_times <= np.iinfo(np.uint16).max else np.uint32
    at = np.empty(max(expected, 1), kind)
    value = np.empty(len(at), np.float32)
    counts: list[Array] = []
    used = 0
    for chunk in chunks:
        need = used + int(np.count_nonzero(chunk))
        if need > len(at):
            longer = max(need, len(at) + len(at) // 8)
            at, value = np.resize(at, longer), np.resize(value, longer)
        each = np.zeros(len(chunk), np.int64)
        used = _append(chunk, at, value, used, each)
        counts.append(each)
    start = np.zeros(sum(len(c) for c in counts) + 1, np.int64)
    np.cumsum(np.concatenate(counts), out=start[1:])
    return SparseRows(start, at[:used].copy(), value[:used].copy(), n_times)


@nb.njit(cache=True, nogil=True)
def _append(chunk: Array, at: Array, value: Array, used: int, each: Array) -> int:
    for p in range(chunk.shape[0]):
        begin = used
        for t in range(chunk.shape[1]):
            v = chunk[p, t]
            if v != 0.0:
                at[used] = t
                value[used] = v
                used += 1
        each[p] = used - begin
    return used


@nb.njit(cache=True, nogil=True)
def _left(start: Array, at: Array, value: Array, rows: Array, part: Array, total: Array) -> None:
    columns = rows.shape[1]
    count = rows.shape[0]
    for p0 in range(0, count, BLOCK):
        part[:] = 0.0
        for p in range(p0, min(p0 + BLOCK, count)):
            row = rows[p]
            for e in range(start[p], start[p + 1]):
                v = value[e]
                out = part[at[e]]
                for c in range(columns):
                    out[c] += v * row[c]
        for t in range(total.shape[0]):
            for c in range(columns):
                total[t, c] += part[t, c]


@nb.njit(cache=True, nogil=True)
def _right(start: Array, at: Array, value: Array, time: Array, total: Array) -> None:
    columns = time.shape[1]
    for p in range(total.shape[0]):
        out = total[p]
        for c in range(columns):
            out[c] = 0.0
        e, end = start[p], start[p + 1]
        # four values at a time: the sums stay in registers longer
        while e + 4 <= end:
            v0, v1, v2, v3 = value[e], value[e + 1], value[e + 2], value[e + 3]
            t0, t1, t2, t3 = time[at[e]], time[at[e + 1]], time[at[e + 2]], time[at[e + 3]]
            for c in range(columns):
                out[c] += v0 * t0[c] + v1 * t1[c] + v2 * t2[c] + v3 * t3[c]
            e += 4
        while e < end:
            v = value[e]
            t0 = time[at[e]]
            for c in range(columns):
                out[c] += v * t0[c]
            e += 1


@nb.njit(cache=True, nogil=True)
def _excess(start: Array, at: Array, value: Array, rows: Array, time: Array, keep: Array) -> float:
    total = 0.0
    for p in range(rows.shape[0]):
        if not keep[p]:
            continue
        for e in range(start[p], start[p + 1]):
            model = 0.0
            for r in range(rows.shape[1]):
                model += rows[p, r] * time[at[e], r]
            v = np.float64(value[e])
            total += v * (v - 2.0 * model)
    return total
