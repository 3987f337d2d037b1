"""Robust fits of the loss of fluorescence over a recording, for all neurons at once.

In: traces (time, neuron). Out: the fitted curve of every neuron, its time constant and the share that is lost.

The curves are sums of a few exponentials with positive amplitudes. For given time constants the amplitudes follow from
linear least squares (Golub & Pereyra 1973, variable projection), so that only the time constants are searched: on a
logarithmic grid, then finer around the best. Activity stands out of the curve: residuals are re-weighted by Tukey's
biweight (Huber & Ronchetti 2009, chapter 7) with the median absolute deviation as their scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..model.progress import CancelCallback, check_cancel

TUKEY = 4.685
REWEIGHTINGS = 10
MIN_SAMPLES = 10


@dataclass(frozen=True, eq=False)
class BleachingFit:
    """Fitted curves.

    Parameters
    ----------
    curve : array (time, neuron)
        NaN for neurons that could not be fitted.
    tau_s : array (neuron,)
        Time constant of the (larger) falling exponential; infinite where nothing falls.
    lost : array (neuron,)
        1 - curve at the end / curve at the beginning.
    """

    curve: np.ndarray
    tau_s: np.ndarray
    lost: np.ndarray


def fit_bleaching(
    values: np.ndarray, time_s: np.ndarray, *, double: bool = False, cancel: CancelCallback | None = None
) -> BleachingFit:
    """Fit `a + b exp(-t / tau)`, or `b exp(-t / tau_1) + c exp(-t / tau_2)`, to every column.

    Parameters
    ----------
    values : array (time, neuron)
        NaN where missing.
    time_s : array (time,)
    double : bool
        Two exponentials; the slower one may be nearly constant.
    cancel : callable, optional

    Returns
    -------
    BleachingFit
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    n_t, n = values.shape
    time = time_s - time_s[0]
    length = max(float(time[-1]), 1e-12)
    curve = np.full((n_t, n), np.nan)
    tau = np.full(n, np.nan)
    good = np.isfinite(values)
    fitted = np.flatnonzero(good.sum(axis=0) >= MIN_SAMPLES)
    if len(fitted):
        data = np.where(good, values, 0.0)[:, fitted]
        scale = np.maximum(np.abs(data).sum(axis=0) / good[:, fitted].sum(axis=0), 1e-300)
        # one BLAS thread: the products are small, and their last digits must not depend on how many there are
        with threadpool_limits(limits=1, user_api="blas"):
            taus, amplitudes = _fit(data / scale, good[:, fitted], time, length, double, cancel)
        shapes = np.exp(-time[:, None, None] / taus[None])
        curve[:, fitted] = (shapes * amplitudes[None]).sum(axis=1) * scale
        tau[fitted] = _falling(taus, amplitudes, length)
    with np.errstate(invalid="ignore", divide="ignore"):
        bad = ~(curve > 0).all(axis=0)
        curve[:, bad] = np.nan
        lost = 1.0 - curve[-1] / curve[0]
    tau[bad] = np.nan
    return BleachingFit(curve, tau, lost)


def _falling(taus: np.ndarray, amplitudes: np.ndarray, length: float) -> np.ndarray:
    """Time constant of the exponential that loses most over the recording."""
    with np.errstate(invalid="ignore"):
        lost = amplitudes * (1.0 - np.exp(-length / taus))
    pick = np.argmax(lost, axis=0)
    columns = np.arange(taus.shape[1])
    result = taus[pick, columns]
    return np.where(lost[pick, columns] > 1e-9, result, np.inf)


def _fit(
    data: np.ndarray,
    good: np.ndarray,
    time: np.ndarray,
    length: float,
    double: bool,
    cancel: CancelCallback | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Time constants and amplitudes (2, neuron); a constant is a time constant of infinity."""
    n = data.shape[1]
    weights = good.astype(float)
    grid = np.geomspace(length / 50, length * 5, 24)
    slow = np.append(np.geomspace(length / 2, length * 20, 8), np.inf)
    pairs = [(a, b) for a in grid for b in slow if b > 2 * a] if double else [(a, np.inf) for a in grid]
    pairs = list(dict.fromkeys(pairs)) or list(combinations(grid, 2))
    best_tau = np.full((2, n), np.inf)
    amplitudes = np.zeros((2, n))
    for turn in range(REWEIGHTINGS):
        if turn in (0, 2):
            best_tau = _search(data, weights, time, pairs, cancel)
        for step in (1.35, 1.12, 1.04) if turn in (0, 2) else (1.05, 1.015):
            best_tau = _refine(data, weights, time, best_tau, step, double, cancel)
        amplitudes, _ = _solve(data, weights, np.exp(-time[:, None, None] / best_tau[None]))
        residual = data - (np.exp(-time[:, None, None] / best_tau[None]) * amplitudes[None]).sum(axis=1)
        masked = np.where(good, np.abs(residual), np.nan)
        spread = 1.4826 * np.nanmedian(masked, axis=0)
        relative = residual / np.maximum(TUKEY * spread, 1e-12)
        weights = np.where(good & (np.abs(relative) < 1), (1 - relative**2) ** 2, 0.0)
    return best_tau, amplitudes


def _search(
    data: np.ndarray,
    weights: np.ndarray,
    time: np.ndarray,
    pairs: list[tuple[float, float]],
    cancel: CancelCallback | None,
) -> np.ndarray:
    """Best pair of a grid for every column; the sums are matrix products over all columns."""
    n = data.shape[1]
    best = np.full(n, np.inf)
    result = np.full((2, n), np.inf)
    weighted = weights * data
    power = (weighted * data).sum(axis=0)
    for a, b in pairs:
        check_cancel(cancel)
        one, two = np.exp(-time / a), np.exp(-time / b)
        products = np.stack([one * one, one * two, two * two]) @ weights
        targets = np.stack([one, two]) @ weighted
        amplitudes = _positive(*products, *targets)
        cost = power - 2 * (amplitudes * targets).sum(axis=0)
        cost += amplitudes[0] ** 2 * products[0] + 2 * amplitudes[0] * amplitudes[1] * products[1]
        cost += amplitudes[1] ** 2 * products[2]
        better = cost < best
        best[better] = cost[better]
        result[:, better] = np.array([[a], [b]])
    return result


def _refine(
    data: np.ndarray,
    weights: np.ndarray,
    time: np.ndarray,
    taus: np.ndarray,
    step: float,
    double: bool,
    cancel: CancelCallback | None,
) -> np.ndarray:
    """Try slightly shorter and longer time constants."""
    moves = [(i, j) for i in (-1, 0, 1) for j in ((-1, 0, 1) if double else (0,))]
    best = np.full(taus.shape[1], np.inf)
    result = taus.copy()
    for i, j in sorted(moves, key=lambda m: abs(m[0]) + abs(m[1])):
        check_cancel(cancel)
        tried = np.stack([taus[0] * step**i, taus[1] * step**j])
        _, cost = _solve(data, weights, np.exp(-time[:, None, None] / tried[None]))
        better = cost < best * (1 - 1e-12)
        best[better] = cost[better]
        result[:, better] = tried[:, better]
    return result


def _solve(data: np.ndarray, weights: np.ndarray, shapes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Amplitudes (2, neuron) for shapes (time, 2, neuron), and the weighted squared error."""
    one, two = shapes[:, 0], shapes[:, 1]
    products = [(weights * x * y).sum(axis=0) for x, y in ((one, one), (one, two), (two, two))]
    targets = [(weights * x * data).sum(axis=0) for x in (one, two)]
    amplitudes = _positive(*products, *targets)
    residual = data - one * amplitudes[0] - two * amplitudes[1]
    return amplitudes, np.asarray((weights * residual**2).sum(axis=0))


def _positive(aa: np.ndarray, ab: np.ndarray, bb: np.ndarray, ay: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Least squares in two amplitudes that must not be negative, from the sums of products."""
    with np.errstate(invalid="ignore", divide="ignore"):
        determinant = aa * bb - ab * ab
        safe = determinant > 1e-12 * aa * bb
        first = np.where(safe, (bb * ay - ab * by) / determinant, -1.0)
        second = np.where(safe, (aa * by - ab * ay) / determinant, -1.0)
        only_first = np.where(aa > 0, np.maximum(ay / aa, 0.0), 0.0)
        only_second = np.where(bb > 0, np.maximum(by / bb, 0.0), 0.0)
        gain_first = np.where(aa > 0, ay * only_first, 0.0)
        gain_second = np.where(bb > 0, by * only_second, 0.0)
    both = (first >= 0) & (second >= 0)
    use_first = gain_first > gain_second
    return np.stack(
        [
            np.where(both, first, np.where(use_first, only_first, 0.0)),
            np.where(both, second, np.where(use_first, 0.0, only_second)),
        ]
    )
