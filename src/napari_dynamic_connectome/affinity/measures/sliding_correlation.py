"""Correlation in a sliding window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..features import WindowFeatures
from ..sampling import Sampling, still

if TYPE_CHECKING:
    from ..settings import AffinitySettings

Array = np.ndarray
MIN_WINDOW = 3
"""Two samples always correlate perfectly."""


def features(
    sampling: Sampling, neurons: Array, times: Array, usable: Array, settings: AffinitySettings
) -> WindowFeatures:
    """Features of one worm; see `affinity.measures`."""
    trace = np.zeros(usable.shape, np.float32)
    levels, constant = sampling.levels(), still(sampling)
    for row, neuron in enumerate(neurons):
        ok = usable[row]
        spread = float(levels[neuron, ok].std()) if ok.any() else 0.0
        if spread > 0 and not constant[neuron]:
            trace[row, ok] = (levels[neuron, ok] - levels[neuron, ok].mean()) / spread
    width = max(MIN_WINDOW, round(settings.window_s * sampling.rate_hz))
    lo, hi = window_bounds(times, sampling.breaks, width)
    x = trace.astype(np.float64)
    zero = np.zeros((len(x), 1))
    sums, squares = np.hstack([zero, x.cumsum(axis=1)]), np.hstack([zero, (x * x).cumsum(axis=1)])
    holes = np.hstack([zero, (~usable).cumsum(axis=1)])
    count = np.maximum(hi - lo, 1)
    mean = (sums[:, hi] - sums[:, lo]) / count
    spread = squares[:, hi] - squares[:, lo] - count * mean**2
    # Below a billionth of the trace's variance, the running sums have no digits left.
    good = (spread > 1e-9 * count) & (hi - lo >= max(MIN_WINDOW, width // 2)) & (holes[:, hi] == holes[:, lo])
    inverse = np.where(good, 1 / np.sqrt(np.where(good, spread, 1.0)), 0.0)
    return WindowFeatures(trace, mean, inverse, lo, hi)


def window_bounds(times: Array, breaks: Array, width: int) -> tuple[Array, Array]:
    """Window of `width` samples around each observed time, shifted inwards at the ends of a piece, shorter in short ones."""
    length = len(times)
    lo, hi = np.zeros(length, np.int32), np.zeros(length, np.int32)
    start = np.flatnonzero(times & (breaks | ~np.concatenate([[False], times[:-1]])))
    for first, following in zip(start, [*start[1:], length], strict=True):
        last = first + int(times[first:following].sum())
        at = np.arange(first, last)
        low = np.clip(at - (width - 1) // 2, first, max(last - width, first))
        lo[first:last], hi[first:last] = low, np.minimum(low + width, last)
    return lo, hi
