"""Per-neuron features of each kind of affinity, from one worm's sampling."""

from __future__ import annotations

import numpy as np

from .features import CODED, Features, LongRunFeatures, ProductFeatures, RunFeatures, WindowFeatures
from .sampling import Sampling
from .settings import AffinitySettings

Array = np.ndarray
PEAK = 99.0
"""Percentile of a neuron's slopes that counts as full strength where `scale` is "peak"."""
MEANS = 3.0
"""Full strength in units of the neuron's mean slope where `scale` is "mean"."""
FLOOR = 3.0
"""Full strength is at least this many standard deviations of the slope's noise, so that noise never saturates."""


def worm_features(sampling: Sampling, neurons: Array, times: Array, settings: AffinitySettings) -> Features:
    """Features of one worm on its own clock.

    Parameters
    ----------
    sampling : Sampling
    neurons : int array
        Which of its neurons take part.
    times : bool array (T,)
        Observed times; elsewhere every affinity is zero.
    settings : AffinitySettings
    """
    usable = sampling.valid[neurons] & times
    if settings.kind == "differential":
        return _runs(sampling, neurons, usable, settings)
    if settings.kind == "edge time series":
        return _products(sampling, neurons, usable, settings)
    return _windows(sampling, neurons, times, usable, settings)


def strengths(sampling: Sampling, settings: AffinitySettings) -> Array:
    """Signed strength of change r_i(t) of every neuron, float64 (n, T), -1 to 1 (our definition).

    1. d_i: slope by a local linear fit with Gaussian weights of width `sigma_s` (inside a piece, the trace convolved with the
       derivative of a Gaussian).
    2. u_i: d_i, soft threshold at `kappa` standard deviations of its noise.
    3. r_i = min(|u_i| / s_i, 1) ** exponent with the sign of u_i, where s_i is three times the mean of |u_i| (or its 99th
       percentile), and at least three standard deviations of the noise of d_i.
    """
    slope, gain = sampling.fit(settings.sigma_s, 1)
    slope[_still(sampling)] = 0.0
    noise = sampling.noise()[:, None] * gain
    size = np.maximum(np.abs(slope) - settings.kappa * noise, 0.0)
    out = np.zeros(slope.shape)
    for neuron, ok in enumerate(sampling.valid):
        if not ok.any():
            continue
        mine = size[neuron, ok]
        full = float(np.percentile(mine, PEAK)) if settings.scale == "peak" else MEANS * float(mine.mean())
        full = max(full, FLOOR * float(np.median(noise[neuron, ok])))
        if full > 0:
            out[neuron, ok] = np.sign(slope[neuron, ok]) * np.minimum(mine / full, 1.0) ** settings.exponent
    return out


def _still(sampling: Sampling) -> Array:
    """Neurons whose trace is constant up to rounding: their slopes are rounding errors."""
    still = np.ones(sampling.values.shape[1], bool)
    for neuron, trace in enumerate(sampling.values.T):
        seen = trace[np.isfinite(trace)]
        if len(seen):
            still[neuron] = np.ptp(seen) <= 1e-7 * np.abs(seen).max()
    return still


def _runs(sampling: Sampling, neurons: Array, usable: Array, settings: AffinitySettings) -> Features:
    value = np.where(usable, strengths(sampling, settings)[neurons], 0.0).astype(np.float32)
    min_run = max(1, int(np.ceil(settings.min_run_s * sampling.rate_hz - 1e-6)))
    return run_features(value, np.ascontiguousarray(sampling.neuron_breaks[neurons]), min_run)


def run_features(value: Array, breaks: Array, min_run: int) -> RunFeatures | LongRunFeatures:
    """Features of the differential affinity.

    Parameters
    ----------
    value : float32 array (n, T)
        Strength of change with its sign.
    breaks : bool array (n, T)
        Where a neuron's sample does not follow its predecessor.
    min_run : int
        Samples that a joint run must last.
    """
    from .kernels import run_codes, run_lengths

    dtype = np.uint8 if min_run < 128 else np.uint16 if min_run < 32_768 else np.uint32
    ahead, behind = np.empty(value.shape, dtype), np.empty(value.shape, dtype)
    run_lengths(value, breaks, min_run, ahead, behind)
    if min_run > CODED:
        return LongRunFeatures(value, ahead, behind, min_run)
    code = np.empty(value.shape, np.min_scalar_type(2 ** (2 * min_run) - 1))
    run_codes(value, ahead, behind, min_run, code)
    return RunFeatures(np.abs(value), code, min_run)


def _products(sampling: Sampling, neurons: Array, usable: Array, settings: AffinitySettings) -> ProductFeatures:
    slope = sampling.fit(settings.sigma_s, 1)[0]
    slope[_still(sampling)] = 0.0
    value = np.zeros(usable.shape, np.float32)
    for row, neuron in enumerate(neurons):
        ok = usable[row]
        spread = float(slope[neuron, ok].std()) if ok.any() else 0.0
        if spread > 0:
            z = (slope[neuron, ok] - slope[neuron, ok].mean()) / spread
            value[row, ok] = np.clip(z / settings.z_limit, -1.0, 1.0)
    return ProductFeatures(value)


def _windows(
    sampling: Sampling, neurons: Array, times: Array, usable: Array, settings: AffinitySettings
) -> WindowFeatures:
    trace = np.zeros(usable.shape, np.float32)
    levels, still = sampling.levels(), _still(sampling)
    for row, neuron in enumerate(neurons):
        ok = usable[row]
        spread = float(levels[neuron, ok].std()) if ok.any() else 0.0
        if spread > 0 and not still[neuron]:
            trace[row, ok] = (levels[neuron, ok] - levels[neuron, ok].mean()) / spread
    width = max(MIN_WINDOW, round(settings.window_s * sampling.rate_hz))
    lo, hi = _window_bounds(times, sampling.breaks, width)
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


MIN_WINDOW = 3
"""Two samples always correlate perfectly."""


def _window_bounds(times: Array, breaks: Array, width: int) -> tuple[Array, Array]:
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
