"""Stretches between interruptions of a recording: nothing is filtered or interpolated across a break or a gap.

In: times, breaks and arrays with NaN. Out: stretches of samples that belong together.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np


def gap_limit(time_s: np.ndarray, max_gap_s: float) -> float:
    """Longest time between two samples that still belong together; by default two and a half sampling intervals."""
    if max_gap_s > 0:
        return max_gap_s
    return 2.5 * interval(time_s)


def interval(time_s: np.ndarray) -> float:
    """Median sampling interval in seconds; 1 for a single sample."""
    return float(np.median(np.diff(time_s))) if len(time_s) > 1 else 1.0


def stretches(time_s: np.ndarray, breaks: Sequence[float], limit_s: float) -> list[slice]:
    """Cut the samples at breaks and wherever the time between two samples exceeds `limit_s`.

    Parameters
    ----------
    time_s : array (time,)
    breaks : sequence of float
        A break lies before the first sample at or after its time.
    limit_s : float

    Returns
    -------
    list of slice
        In order; together they cover all samples.
    """
    n = len(time_s)
    cuts = set(np.searchsorted(time_s, np.asarray(breaks, float), side="left").tolist()) if len(breaks) else set()
    cuts |= set((np.flatnonzero(np.diff(time_s) > limit_s) + 1).tolist())
    borders = [0, *sorted(c for c in cuts if 0 < c < n), n]
    return [slice(a, b) for a, b in itertools.pairwise(borders)]


def runs(
    time_s: np.ndarray, values: np.ndarray, breaks: Sequence[float], limit_s: float
) -> Iterator[tuple[slice, slice]]:
    """Stretches of samples with the columns they hold for.

    Columns without a missing value share their stretches and come together; in the others, a stretch also ends where
    values are missing for longer than `limit_s`.

    Yields
    ------
    (samples, columns)
    """
    whole = stretches(time_s, breaks, limit_s)
    complete = np.isfinite(values).all(axis=0)
    column = 0
    n = values.shape[1]
    while column < n:
        if complete[column]:
            stop = column
            while stop < n and complete[stop]:
                stop += 1
            for part in whole:
                yield part, slice(column, stop)
            column = stop
            continue
        seen = np.flatnonzero(np.isfinite(values[:, column]))
        for part in whole:
            mine = seen[(seen >= part.start) & (seen < part.stop)]
            if len(mine):
                cut = np.flatnonzero(np.diff(time_s[mine]) > limit_s) + 1
                for piece in np.split(mine, cut):
                    yield slice(int(piece[0]), int(piece[-1]) + 1), slice(column, column + 1)
        column += 1
