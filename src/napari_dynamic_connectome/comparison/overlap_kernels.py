"""Compiled counting of which label lies on which, in one pass over two label images."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from __future__ import annotations

import numpy as np
from numba import njit

STRETCH = 32
"""Voxels that are compared together."""
KEEP = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**KEEP)
def count_overlaps(one, two):
    """Count the voxels of every pair of labels that lie on each other.

    Voxels are taken as runs along x in which both labels stay the same, and only runs are looked up in a hash table: labels may be
    any numbers, and the cost is that of reading the voxels once.

    Parameters
    ----------
    one, two : ndarray of int
        (z, y, x), the same shape; 0 = background.

    Returns
    -------
    first, second : ndarray of int64
        (n,), pairs of labels, in the order in which they were met; both 0 is left out.
    count : ndarray of int64
        (n,), their voxels.
    place : ndarray of float64
        (n, 3), sums of z, y and x over these voxels.
    """
    size = 1 << 10
    slot = np.full(size, -1, np.int64)
    room = 512
    first, second = np.empty(room, np.int64), np.empty(room, np.int64)
    count = np.zeros(room, np.int64)
    place = np.zeros((room, 3))
    n = 0
    nz, ny, nx = one.shape
    for z in range(nz):
        for y in range(ny):
            a, b = one[z, y], two[z, y]
            x = 0
            while x < nx:
                u, v = a[x], b[x]
                start = x
                x += 1
                # a stretch at a time, without a way out inside, so that the compiler compares many voxels at once
                while x + STRETCH <= nx:
                    unlike = 0
                    for k in range(STRETCH):
                        unlike |= (a[x + k] != u) | (b[x + k] != v)
                    if unlike:
                        break
                    x += STRETCH
                while x < nx and a[x] == u and b[x] == v:
                    x += 1
                if u == 0 and v == 0:
                    continue
                p, q = np.int64(u), np.int64(v)
                at = _hash(p, q) & (size - 1)
                while slot[at] >= 0 and (first[slot[at]] != p or second[slot[at]] != q):
                    at = (at + 1) & (size - 1)
                k = slot[at]
                if k < 0:
                    if n == room:
                        room *= 2
                        size *= 2
                        first, second = _longer(first, room), _longer(second, room)
                        count = _longer(count, room)
                        more = np.zeros((room, 3))
                        more[:n] = place
                        place = more
                        slot = np.full(size, -1, np.int64)
                        for i in range(n):
                            at = _hash(first[i], second[i]) & (size - 1)
                            while slot[at] >= 0:
                                at = (at + 1) & (size - 1)
                            slot[at] = i
                        at = _hash(p, q) & (size - 1)
                        while slot[at] >= 0:
                            at = (at + 1) & (size - 1)
                    k = n
                    slot[at] = k
                    first[k], second[k] = p, q
                    n += 1
                length = x - start
                count[k] += length
                place[k, 0] += z * length
                place[k, 1] += y * length
                place[k, 2] += 0.5 * length * (start + x - 1)
    return first[:n], second[:n], count[:n], place[:n]


@njit(**KEEP)
def _hash(p, q):
    """Mix two numbers (the finalizer of splitmix64)."""
    z = np.uint64(p) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(q)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = z ^ (z >> np.uint64(27))
    return np.int64(z >> np.uint64(2))


@njit(**KEEP)
def _longer(values, room):
    """Copy with room for more; what is new is zero."""
    more = np.zeros(room, values.dtype)
    more[: len(values)] = values
    return more
