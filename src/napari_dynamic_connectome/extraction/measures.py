"""Single measures of quality: signal to noise, jumps, likeness to neighbours, movement.

In: arrays (time, neuron) with NaN where missing. Out: one number per neuron. Nothing is judged here; see quality.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..model.progress import CancelCallback
from .filters import rolling_percentile, rolling_percentile_rows
from .segments import interval, stretches

SLOW_S = 60.0
LEVEL_SAMPLES = 5


def noise_of(values: np.ndarray, time_s: np.ndarray, breaks: Sequence[float], limit_s: float) -> np.ndarray:
    """Standard deviation of the noise of each column.

    From the median absolute deviation of second differences, which slow signals hardly enter: 1.4826 MAD / sqrt(6) for
    white noise. Differences across gaps and breaks are left out.
    """
    parts = [np.diff(values[rows], n=2, axis=0) for rows in stretches(time_s, breaks, limit_s)]
    second = np.concatenate(parts) if parts else np.zeros((0, values.shape[1]))
    result = np.full(values.shape[1], np.nan)
    some = np.isfinite(second).sum(axis=0) >= 3
    if some.any():
        part = second[:, some]
        result[some] = 1.4826 / np.sqrt(6.0) * np.nanmedian(np.abs(part - np.nanmedian(part, axis=0)), axis=0)
    return result


def snr_of(values: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Standard deviation of the signal over that of the noise: sqrt(var - noise^2) / noise."""
    variance = np.full(values.shape[1], np.nan)
    some = np.isfinite(values).sum(axis=0) >= 3
    variance[some] = np.nanvar(values[:, some], axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        snr = np.sqrt(np.maximum(variance - noise**2, 0.0)) / noise
    return np.asarray(np.where(noise > 0, snr, np.where(variance > 0, np.inf, 0.0)))


def fast_part(
    values: np.ndarray, time_s: np.ndarray, breaks: Sequence[float], cancel: CancelCallback | None = None
) -> np.ndarray:
    """Remove what changes over minutes (a rolling median), which bleaching and drift would correlate everywhere."""
    if len(values) < 3:
        return np.full(values.shape, np.nan)
    slow = rolling_percentile(values, time_s, max(SLOW_S, 10 * interval(time_s)), 50.0, breaks, 0.0, cancel)
    return np.asarray(values - slow)


def correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson correlation of every column of `a` with every column of `b` over the samples that both have; (n_a, n_b).

    NaN for fewer than ten common samples or no variation.
    """
    good_a, good_b = np.isfinite(a).astype(float), np.isfinite(b).astype(float)
    x, y = np.where(good_a > 0, a, 0.0), np.where(good_b > 0, b, 0.0)
    x = x - x.sum(axis=0) / np.maximum(good_a.sum(axis=0), 1)
    y = y - y.sum(axis=0) / np.maximum(good_b.sum(axis=0), 1)
    x, y = x * good_a, y * good_b
    n = good_a.T @ good_b
    with np.errstate(invalid="ignore", divide="ignore"):
        sum_x, sum_y = x.T @ good_b, good_a.T @ y
        cov = x.T @ y - sum_x * sum_y / n
        var_x = (x * x).T @ good_b - sum_x**2 / n
        var_y = good_a.T @ (y * y) - sum_y**2 / n
        r = cov / np.sqrt(var_x * var_y)
    tiny = (var_x <= 1e-12 * (x * x).sum(axis=0)[:, None]) | (var_y <= 1e-12 * (y * y).sum(axis=0)[None])
    r[(n < 10) | tiny] = np.nan
    return np.asarray(np.clip(r, -1.0, 1.0))


def distances_um(positions: np.ndarray) -> np.ndarray:
    """Distance between every two neurons; NaN where a position is not known, infinite on the diagonal."""
    d = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    np.fill_diagonal(d, np.inf)
    return np.asarray(d)


def position_jumps(
    track: np.ndarray, time_s: np.ndarray, breaks: Sequence[float], limit_s: float, jump_um: float
) -> np.ndarray:
    """Count steps of each neuron's position that the others do not make.

    Parameters
    ----------
    track : array (time, neuron, 3)
    """
    counts = np.zeros(track.shape[1], int)
    for rows in stretches(time_s, breaks, limit_s):
        steps = np.diff(track[rows], axis=0)
        if not len(steps):
            continue
        common = np.zeros((len(steps), 1, 3))
        some = np.isfinite(steps).all(axis=2).sum(axis=1) >= 3
        if some.any():
            common[some, 0] = np.nanmedian(steps[some], axis=1)
        length = np.linalg.norm(steps - common, axis=2)
        counts += (np.where(np.isfinite(length), length, 0.0) > jump_um).sum(axis=0)
    return counts


def level_swaps(
    values: np.ndarray,
    noise: np.ndarray,
    time_s: np.ndarray,
    breaks: Sequence[float],
    limit_s: float,
    jump_noise: float,
) -> np.ndarray:
    """Count moments at which two neurons exchange their levels from one sample to the next, for each neuron.

    The indicator cannot fall within one sample, and hardly ever do two neurons step to each other's level at the same
    time; a tracking that mixes them up does both.

    Parameters
    ----------
    values : array (time, neuron)
        Not normalised: the levels tell the neurons apart.
    noise : array (neuron,)
    jump_noise : float
        Smallest step, in units of the noise.
    """
    counts = np.zeros(values.shape[1], int)
    w = LEVEL_SAMPLES
    for rows in stretches(time_s, breaks, limit_s):
        part = values[rows]
        if len(part) < 2 * w:
            continue
        level = rolling_percentile_rows(part, w, 50.0)
        at = np.arange(w, len(part) - w + 1)
        before, after = level[at - (w + 1) // 2], level[at + w // 2]
        step = after - before
        sudden = part[at] - part[at - 1]
        with np.errstate(invalid="ignore"):
            high = (np.abs(step) > jump_noise * noise) & (np.abs(sudden) > 0.6 * np.abs(step)) & (sudden * step > 0)
        for row in np.flatnonzero(high.sum(axis=1) >= 2):
            up = np.flatnonzero(high[row] & (step[row] > 0))
            down = np.flatnonzero(high[row] & (step[row] < 0))
            for i in up:
                for j in down:
                    size = 0.25 * min(abs(step[row, i]), abs(step[row, j]))
                    if abs(after[row, i] - before[row, j]) < size and abs(after[row, j] - before[row, i]) < size:
                        counts[i] += 1
                        counts[j] += 1
    return counts


def drift_um(track: np.ndarray, time_s: np.ndarray) -> float:
    """Distance between where the neurons are in the first and in the last minute (or tenth), median over neurons."""
    length = min(60.0, (time_s[-1] - time_s[0]) / 10)
    first, last = time_s <= time_s[0] + length, time_s >= time_s[-1] - length
    some = np.isfinite(track[first]).all(axis=2).any(axis=0) & np.isfinite(track[last]).all(axis=2).any(axis=0)
    if not some.any():
        return float("nan")
    moved = np.nanmedian(track[last][:, some], axis=0) - np.nanmedian(track[first][:, some], axis=0)
    return float(np.linalg.norm(np.median(moved, axis=0)))


def intervals(time_s: np.ndarray, breaks: Sequence[float]) -> tuple[float, float]:
    """Share of frames dropped, and spread of the sampling interval relative to its median.

    Intervals across a break do not count. An interval of more than 1.5 x the median holds round(interval / median) - 1 dropped
    frames; the spread is the standard deviation of the other intervals.
    """
    parts = [np.diff(time_s[rows]) for rows in stretches(time_s, breaks, np.inf)]
    steps = np.concatenate(parts)
    if not len(steps):
        return float("nan"), float("nan")
    median = float(np.median(steps))
    long = steps > 1.5 * median
    dropped = float(np.sum(np.round(steps[long] / median) - 1))
    return dropped / (len(time_s) + dropped), float(np.std(steps[~long]) / median)
