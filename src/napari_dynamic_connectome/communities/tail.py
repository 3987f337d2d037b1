"""P values from few surrogates: counting, refined by a distribution (gamma, Student) that is fitted to them.

Counting K surrogates cannot give less than 1 / (1 + K). A gamma distribution with the mean and the variance of the surrogates'
statistics resolves smaller values; its tail is widened for having been estimated, so that few surrogates are not too bold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

Array = np.ndarray[Any, Any]
FEWEST = 9
"""Surrogates from which a tail is fitted; fewer are counted."""
FLOOR = 1e-3
"""No smaller p value is given: the tail is not known further out."""


def counted_p_value(statistic: float, nulls: Sequence[float] | Array) -> float:
    """(1 + surrogates that reach the statistic) / (1 + surrogates); NaN without any."""
    known = _finite(nulls)
    return float((1 + (known >= statistic).sum()) / (1 + len(known))) if len(known) else float("nan")


def tail_p_value(statistic: float, nulls: Sequence[float] | Array) -> float:
    """P value of a statistic of which large values speak against chance.

    Parameters
    ----------
    statistic : float
    nulls : sequence of float
        The same statistic of every surrogate, not negative. NaN is left out.

    Returns
    -------
    float
        Not below `FLOOR`; counted with fewer than `FEWEST` surrogates, or where all are alike. NaN without surrogates.

    Notes
    -----
    The survival function of a gamma distribution with the surrogates' mean and variance (Winkler et al. 2016, NeuroImage 141, 502,
    compare such tails) says how far out the statistic lies. As mean and variance are estimates from K surrogates, the tail is
    that of the prediction of one more draw: the normal deviate of equal probability, over sqrt(1 + 1 / K), in Student's
    distribution with K - 1 degrees of freedom (our definition; exact for normal statistics).
    """
    known = _finite(nulls)
    count = len(known)
    if count < FEWEST or not np.isfinite(statistic):
        return counted_p_value(statistic, known)
    mean, variance = float(known.mean()), float(known.var(ddof=1))
    if mean <= 0 or variance <= 1e-12 * mean**2:
        return counted_p_value(statistic, known)
    outside = max(float(stats.gamma.sf(statistic, mean**2 / variance, scale=variance / mean)), 1e-300)
    return _one_more_draw(float(stats.norm.isf(outside)), count)


def student_p_value(statistic: float, nulls: Sequence[float] | Array) -> float:
    """P value of a statistic that is normally distributed by chance, such as a mean over many pairs; large values speak against it.

    Parameters
    ----------
    statistic : float
    nulls : sequence of float
        The same statistic of every surrogate, of either sign. NaN is left out.

    Returns
    -------
    float
        Not below `FLOOR`; counted with fewer than `FEWEST` surrogates, or where all are alike. NaN without surrogates.

    Notes
    -----
    Student's prediction of one more draw: the distance from the mean over s sqrt(1 + 1 / K), with K - 1 degrees of freedom.
    """
    known = _finite(nulls)
    count = len(known)
    if count < FEWEST or not np.isfinite(statistic) or not known.std() > 1e-12 * np.abs(known).max():
        return counted_p_value(statistic, known)
    return _one_more_draw(float((statistic - known.mean()) / known.std(ddof=1)), count)


def _finite(nulls: Sequence[float] | Array) -> Array:
    known = np.asarray(nulls, float)
    return np.asarray(known[np.isfinite(known)])


def _one_more_draw(deviate: float, count: int) -> float:
    """P value of a normal deviate from a mean and a spread that were estimated from `count` draws."""
    return float(np.clip(stats.t.sf(deviate / np.sqrt(1 + 1 / count), count - 1), FLOOR, 1.0))


def false_discovery(p_values: Sequence[float] | Array) -> Array:
    """Benjamini and Hochberg's corrected p values; NaN stays NaN and is not counted."""
    p = np.asarray(p_values, float)
    out = np.full(p.shape, np.nan)
    known = np.isfinite(p)
    if known.any():
        out[known] = stats.false_discovery_control(p[known])
    return out


def share_interval(count: float, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; (NaN, NaN) of nothing."""
    if total <= 0:
        return float("nan"), float("nan")
    z = 1.959964
    share, scale = count / total, 1 + z**2 / total
    centre = (share + z**2 / (2 * total)) / scale
    half = z * np.sqrt(share * (1 - share) / total + z**2 / (4 * total**2)) / scale
    return max(float(centre - half), 0.0), min(float(centre + half), 1.0)
