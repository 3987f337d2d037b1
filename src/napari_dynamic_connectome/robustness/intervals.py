"""Intervals: of a share that was counted, and of a value that was drawn many times."""

from __future__ import annotations

from typing import Literal

import numpy as np

Interval = Literal["wilson", "clopper-pearson"]


def share_interval(
    hits: int, of: int, confidence: float = 0.95, method: Interval = "wilson"
) -> tuple[float, float, float]:
    """Share, lower and upper bound of `hits` among `of` independent trials.

    Wilson (1927) score interval, or Clopper & Pearson (1934), as scipy computes them; NaN without trials.
    """
    if of < 1:
        return float("nan"), float("nan"), float("nan")
    from scipy.stats import binomtest

    found = binomtest(int(hits), int(of)).proportion_ci(
        confidence_level=confidence, method="exact" if method == "clopper-pearson" else "wilson"
    )
    return hits / of, float(found.low), float(found.high)


def percentile_interval(values: np.ndarray, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Percentile bootstrap interval (Efron 1979) along the first axis, NaN left out; NaN with fewer than two values."""
    values = np.asarray(values, float)
    low, high = (np.full(values.shape[1:], np.nan) for _ in range(2))
    enough = np.isfinite(values).sum(axis=0) > 1
    if enough.any():
        tail = (1 - confidence) / 2
        low[enough], high[enough] = np.nanquantile(values[:, enough], [tail, 1 - tail], axis=0)
    return low, high
