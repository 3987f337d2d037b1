"""Filters over time that know of missing samples, gaps and breaks: smoothing, rolling percentile, resampling.

In and out: arrays (time, neuron), NaN where there is no value; a value that is missing stays missing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..model.progress import CancelCallback, check_cancel
from .segments import interval, runs, stretches

COLUMNS = 32
"""Neurons whose rolling percentiles are computed between two looks at whether to stop."""


def smooth(
    values: np.ndarray, time_s: np.ndarray, method: str, width_s: float, breaks: Sequence[float], limit_s: float
) -> np.ndarray:
    """Filter every column within its stretches.

    Parameters
    ----------
    values : array (time, neuron)
    time_s : array (time,)
    method : {"gaussian", "median", "savitzky-golay"}
        The gaussian is renormalised at the ends of a stretch and over missing samples; the polynomial is of order 2.
    width_s : float
        Standard deviation of the gaussian; window of the others.
    breaks : sequence of float
    limit_s : float
        Longest time between samples that is filtered across.
    """
    result = np.full(values.shape, np.nan)
    step = interval(time_s)
    for rows, columns in runs(time_s, values, breaks, limit_s):
        part = values[rows, columns]
        if method == "gaussian":
            done = _gaussian(part, width_s / step)
        elif method == "median":
            done = rolling_percentile_rows(part, odd(width_s / step), 50.0)
        else:
            done = _savitzky_golay(part, odd(width_s / step))
        result[rows, columns] = np.where(np.isfinite(part), done, np.nan)
    return result


def rolling_percentile(
    values: np.ndarray,
    time_s: np.ndarray,
    window_s: float,
    q: float,
    breaks: Sequence[float],
    limit_s: float,
    cancel: CancelCallback | None = None,
) -> np.ndarray:
    """Percentile of a centred window, cut off at breaks; missing values are left out of it, and do not stay missing.

    Gaps without a break do not cut the window: a baseline goes on while nobody looks.
    """
    result = np.full(values.shape, np.nan)
    window = odd(window_s / interval(time_s))
    for rows in stretches(time_s, breaks, limit_s if limit_s else np.inf):
        for first in range(0, values.shape[1], COLUMNS):
            check_cancel(cancel)
            columns = slice(first, first + COLUMNS)
            result[rows, columns] = rolling_percentile_rows(values[rows, columns], window, q)
    return result


def rolling_percentile_rows(values: np.ndarray, window: int, q: float) -> np.ndarray:
    """Percentile of a centred window of `window` samples, linearly interpolated, over what is not missing."""
    import pandas as pd

    rolling = pd.DataFrame(values).rolling(window, center=True, min_periods=1)
    return np.asarray(rolling.quantile(q / 100.0).to_numpy(float))


def odd(samples: float) -> int:
    """Nearest odd whole number, at least 1."""
    return max(2 * round((samples - 1) / 2) + 1, 1)


def _gaussian(values: np.ndarray, sigma: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter1d

    if sigma <= 0:
        return values
    good = np.isfinite(values)
    filled = np.where(good, values, 0.0)
    total = gaussian_filter1d(filled, sigma, axis=0, mode="constant")
    weight = gaussian_filter1d(good.astype(float), sigma, axis=0, mode="constant")
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / weight)


def _savitzky_golay(values: np.ndarray, window: int) -> np.ndarray:
    from scipy.signal import savgol_filter

    window = min(window, len(values) if len(values) % 2 else len(values) - 1)
    if window <= 2:
        return values
    filled = values.copy()
    at = np.arange(len(values))
    for column in filled.T:  # only short gaps are left here
        good = np.isfinite(column)
        column[~good] = np.interp(at[~good], at[good], column[good])
    return np.asarray(savgol_filter(filled, window, 2, axis=0, mode="interp"))


def resample_times(time_s: np.ndarray, rate_hz: float) -> np.ndarray:
    """Even times from the first sample to the last."""
    n = int(np.floor((time_s[-1] - time_s[0]) * rate_hz + 1e-9)) + 1
    return np.asarray(time_s[0] + np.arange(n) / rate_hz)


def resample(
    values: np.ndarray, time_s: np.ndarray, new_s: np.ndarray, breaks: Sequence[float], limit_s: float
) -> np.ndarray:
    """Interpolate linearly to new times; NaN in gaps, and across breaks.

    When the new rate is lower, the values are averaged first (gaussian of half a new interval), against aliasing. At the
    ends of a stretch the last value holds for half a sampling interval.

    Parameters
    ----------
    values : array (time, neuron)
    time_s, new_s : array
        Old and new times.
    breaks : sequence of float
    limit_s : float
        Longest time between two samples that is interpolated across.
    """
    step, new_step = interval(time_s), interval(new_s)
    if new_step > 1.5 * step:
        values = smooth(values, time_s, "gaussian", 0.5 * new_step, breaks, limit_s)
    result = np.full((len(new_s), values.shape[1]), np.nan)
    break_times = np.asarray(sorted(breaks), float)
    for rows, columns in runs(time_s, values, breaks, limit_s):
        times = time_s[rows]
        inside = (new_s >= times[0] - step / 2) & (new_s <= times[-1] + step / 2)
        # the half interval of grace does not reach over a break
        inside &= np.searchsorted(break_times, new_s, side="right") == np.searchsorted(
            break_times, times[0], side="right"
        )
        for column in range(columns.start, columns.stop):
            mine = values[rows, column]
            good = np.isfinite(mine)
            result[inside, column] = np.interp(new_s[inside], times[good], mine[good])
    return result
