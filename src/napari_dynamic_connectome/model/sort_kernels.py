"""Sorting inside compiled kernels.

Kernels are kept on disk, and may be compiled in one process and used in another beside kernels of a third. numba tells its own helpers
apart by name, types of their arguments and a number that begins anew in every process; `np.sort` and `np.argsort` are made from one
helper of one name. Where the numbers agree, one kernel gets the helper of the other: orders become values, and memory that is not its
own is read. So no kernel of ours calls `np.sort`, `np.argsort` or what is made in the same way (`np.median`, `np.percentile`,
`np.partition`, `sorted`); a test looks for them.
"""

from __future__ import annotations

import numpy as np
from numba import njit

FEW = 12
"""Runs of this many are sorted by insertion, then merged."""


@njit(cache=True, nogil=True, error_model="numpy")
def order_of(values: np.ndarray) -> np.ndarray:
    """Places of values in rising order, int64 (n,); equal ones stay as they stand.

    Parameters
    ----------
    values : float64 array (n,)
        Without NaN.
    """
    n = len(values)
    order = np.empty(n, dtype=np.int64)
    for k in range(n):
        order[k] = k
    for start in range(0, n, FEW):
        for k in range(start + 1, min(start + FEW, n)):
            place = order[k]
            at = k
            while at > start and values[order[at - 1]] > values[place]:
                order[at] = order[at - 1]
                at -= 1
            order[at] = place
    other = np.empty(n, dtype=np.int64)
    width = FEW
    while width < n:
        for start in range(0, n, 2 * width):
            middle, stop = min(start + width, n), min(start + 2 * width, n)
            a, b = start, middle
            for k in range(start, stop):
                if a < middle and (b >= stop or not values[order[b]] < values[order[a]]):
                    other[k] = order[a]
                    a += 1
                else:
                    other[k] = order[b]
                    b += 1
        order, other = other, order
        width *= 2
    return order


@njit(cache=True, nogil=True, error_model="numpy")
def sort_values(values: np.ndarray, other: np.ndarray) -> None:
    """Sort values in place, rising.

    Parameters
    ----------
    values : float64 array (n,)
        Without NaN.
    other : float64 array (at least n,)
        Room to work in.
    """
    n = len(values)
    for start in range(0, n, FEW):
        for k in range(start + 1, min(start + FEW, n)):
            value = values[k]
            at = k
            while at > start and values[at - 1] > value:
                values[at] = values[at - 1]
                at -= 1
            values[at] = value
    width = FEW
    while width < n:
        for start in range(0, n - width, 2 * width):
            middle, stop = start + width, min(start + 2 * width, n)
            if values[middle - 1] <= values[middle]:
                continue
            for k in range(start, middle):
                other[k] = values[k]
            a, b = start, middle
            for k in range(start, stop):
                if a >= middle:
                    break
                if b >= stop or other[a] <= values[b]:
                    values[k] = other[a]
                    a += 1
                else:
                    values[k] = values[b]
                    b += 1
        width *= 2
