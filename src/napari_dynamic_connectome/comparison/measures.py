"""Small measures shared by the comparisons: ranking quality, p values from nulls, false discovery rate."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray


def auroc(positive: Any, score: Any) -> float:
    """Area under the ROC curve: the chance that a positive scores higher than a negative, ties counting half.

    Parameters
    ----------
    positive : bool array (n,)
    score : float array (n,)
        Entries that are NaN are left out.

    Returns
    -------
    float
        NaN without positives or without negatives.
    """
    from scipy.stats import rankdata

    mark, values = _finite(positive, score)
    n_positive, n_negative = int(mark.sum()), int((~mark).sum())
    if not n_positive or not n_negative:
        return float("nan")
    ranks = rankdata(values)
    return float((ranks[mark].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def average_precision(positive: Any, score: Any) -> float:
    """Average precision of a ranking, tied scores taken together; NaN without positives.

    Its value for a random ranking is the share of positives.
    """
    mark, values = _finite(positive, score)
    if not mark.any():
        return float("nan")
    order = np.argsort(-values, kind="stable")
    hits = np.cumsum(mark[order])
    last = np.r_[np.flatnonzero(np.diff(values[order])), len(order) - 1]
    found = hits[last]
    gained = np.diff(np.r_[0, found])
    return float((gained * found / (last + 1)).sum() / mark.sum())


def cosine(a: Any, b: Any) -> float:
    """Cosine of two vectors over the entries that are finite in both; 0 if one of them is zero."""
    x, y = np.asarray(a, float), np.asarray(b, float)
    both = np.isfinite(x) & np.isfinite(y)
    x, y = x[both], y[both]
    size = np.linalg.norm(x) * np.linalg.norm(y)
    return float(x @ y / size) if size > 0 else 0.0


def percentile_ranks(values: Any) -> Array:
    """Share of the other finite values that each value exceeds, ties counting half; NaN stays NaN."""
    from scipy.stats import rankdata

    given = np.asarray(values, float)
    finite = np.isfinite(given)
    ranks = np.full(given.shape, np.nan)
    count = int(finite.sum())
    if count:
        ranks[finite] = (rankdata(given[finite]) - 1) / max(count - 1, 1)
    return ranks


def permutation_p(observed: float, null: Any) -> float:
    """One-sided p value (1 + number of null values at least as large) / (1 + number); NaN without an observed value."""
    values = np.asarray(null, float)
    values = values[np.isfinite(values)]
    if not np.isfinite(observed) or not len(values):
        return float("nan")
    return float((1 + np.sum(values >= observed - 1e-12)) / (1 + len(values)))


def false_discovery_rate(p_values: Any) -> Array:
    """Adjusted p values of Benjamini & Hochberg (1995); NaN stays NaN."""
    p = np.asarray(p_values, float)
    q = np.full(p.shape, np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


def _finite(positive: Any, score: Any) -> tuple[Array, Array]:
    values = np.asarray(score, float).ravel()
    keep = np.isfinite(values)
    return np.asarray(positive, bool).ravel()[keep], values[keep]
