"""The two matrix products of a sweep over values that are in memory, cut into pieces that the machine's BLAS takes quickly.

OpenBLAS has kernels of their own for products of up to a million multiply-adds on processors with AVX-512. For the few columns that
a fit has (components times starts) they take half to three quarters of the time of the usual ones of version 0.3.30, which copy the
values first (as much with NumPy 2.4.6); on other processors small pieces only cost time. Sums run in float32 over a piece of rows and
in float64 over the pieces.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

Array = np.ndarray
SMALL = 1_000_000
"""Multiply-adds up to which a product is small (kernels of OpenBLAS 0.3.17 and later for AVX-512)."""
WIDE_VECTORS = frozenset({"skylakex", "cooperlake", "sapphirerapids"})
"""What OpenBLAS calls the kernels that have such products; newer processors of AMD use the first ones, too."""
MOST_ROWS = 2048
"""Rows of a piece where products are as usual."""
RIGHT_ROWS = 512
"""The same for the other product of long rows."""
SPLIT_ROWS = 128
FEWEST_ROWS = 20
"""Pieces of fewer rows take longer than usual ones."""


@cache
def takes_small_products() -> bool:
    """Whether the BLAS in use has kernels for small products on this machine."""
    from threadpoolctl import threadpool_info  # type: ignore[import-untyped]

    return any(
        found.get("internal_api") == "openblas" and str(found.get("architecture", "")).lower() in WIDE_VECTORS
        for found in threadpool_info()
    )


def add_left_product(rows_factor: Array, values: Array, look: Callable[[], None], total: Array) -> None:
    """Add `rows_factor` @ `values` to `total`.

    Parameters
    ----------
    rows_factor : float32 array (column, row)
    values : float32 array (row, time)
    look : callable
        Called between the pieces; raises if the user has cancelled.
    total : float64 array (column, time)
    """
    count, length = values.shape
    rows, times = _left_piece(len(rows_factor), length)
    for r0 in range(0, count, rows):
        if r0 % MOST_ROWS == 0:
            look()
        factor, some = rows_factor[:, r0 : r0 + rows], values[r0 : r0 + rows]
        if times >= length:
            total += factor @ some
            continue
        for t0 in range(0, length, times):
            total[:, t0 : t0 + times] += factor @ some[:, t0 : t0 + times]


def right_product(values: Array, time_factor: Array, look: Callable[[], None], room: Array | None = None) -> Array:
    """`values` @ `time_factor`.T.

    Parameters
    ----------
    values : float32 array (row, time)
    time_factor : float32 array (column, time)
    look : callable
        As in `add_left_product`.
    room : float32 array (row, column), optional
        Where the result is written.

    Returns
    -------
    float32 array (row, column)
    """
    across = np.ascontiguousarray(time_factor.T)
    found = np.empty((len(values), len(time_factor)), np.float32) if room is None else room
    rows = _right_piece(len(time_factor), values.shape[1])
    for number, r0 in enumerate(range(0, len(values), rows)):
        if number % 16 == 0:
            look()
        np.matmul(values[r0 : r0 + rows], across, out=found[r0 : r0 + rows])
    return found


def _left_piece(columns: int, length: int) -> tuple[int, int]:
    """Rows and times of a piece."""
    if not takes_small_products() or not columns or not length:
        return MOST_ROWS, length
    rows = SMALL // (columns * length)
    if rows >= SPLIT_ROWS:
        return min(_power_of_two(rows), MOST_ROWS), length
    times = SMALL // (columns * SPLIT_ROWS) // 16 * 16
    return (SPLIT_ROWS, min(times, length)) if times >= SPLIT_ROWS else (MOST_ROWS, length)


def _right_piece(columns: int, length: int) -> int:
    """Rows of a piece."""
    rows = SMALL // max(columns * length, 1) if takes_small_products() else 0
    return min(rows, MOST_ROWS) if rows >= FEWEST_ROWS else RIGHT_ROWS


def _power_of_two(number: int) -> int:
    return 1 << (number.bit_length() - 1)
