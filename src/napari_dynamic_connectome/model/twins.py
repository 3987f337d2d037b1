"""Recordings of a cohort that are the same worm once more: loaded twice, or processed in two ways.

What chance gives in one of them it gives in the other, too, so that it looks as if two worms agreed.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np

from .cohort import Cohort
from .text import counted

Array = np.ndarray
ALIKE = 0.9
"""Correlation of the traces of one neuron in two recordings, in the middle of all neurons, from which on they are the same worm."""
FEWEST = 4
"""Neurons that two recordings have to share."""
GRID, FEW_TIMES = 400, 10
"""Times of the coarse grid, and how many of them two traces have to share."""
LIKELY = 0.6
"""Correlation on the grid from which on half of the neurons make a pair one to be looked at closely: frames may lie between those of the other."""
SAMPLES = 20


def twins(cohort: Cohort) -> dict[str, str]:
    """Recordings that are an earlier one once more.

    Parameters
    ----------
    cohort : Cohort

    Returns
    -------
    dict
        Name -> name of the first recording of the same worm. Recordings with fewer than `FEWEST` common neurons, or hardly any common
        time, are taken as different.
    """
    if cohort not in _known:
        _known[cohort] = _found(cohort)
    return _known[cohort]


def twins_said(cohort: Cohort) -> str:
    """Which recordings are the same worm, in words; empty if none are."""
    found = twins(cohort)
    if not found:
        return ""
    pairs = twins_named(cohort)
    left = len(cohort.recordings) - len(found)
    return (
        f"Mind that {pairs} (the same neurons have the same traces): this is a cohort of {counted(left, 'worm')}, and how many worms "
        "show something is counted too high."
    )


def twins_named(cohort: Cohort) -> str:
    """Which recordings are the same worm, as a list of a few words each; empty if none are."""
    return ", ".join(f"{later} is {first} once more" for later, first in twins(cohort).items())


def _found(cohort: Cohort) -> dict[str, str]:
    tables = [cohort.traces_of(k) for k in range(len(cohort.recordings))] if len(cohort.recordings) > 1 else []
    names = [[str(n) for n in table["neuron"].values] for table in tables]
    times = [np.asarray(recording.time_s, float) for recording in cohort.recordings]
    found: dict[str, str] = {}
    for first, later in _suspects([np.asarray(t.values) for t in tables], names, times):
        if cohort.worms[first] in found or cohort.worms[later] in found:
            continue
        columns = {n: k for k, n in enumerate(names[first])}
        shared = [(columns[n], k) for k, n in enumerate(names[later]) if n in columns]
        how = tables[first].values, times[first], tables[later].values, times[later]
        if _alike(*how, shared) >= ALIKE:
            found[cohort.worms[later]] = cohort.worms[first]
    return found


def _suspects(traces: list[Array], names: list[list[str]], times: list[Array]) -> list[tuple[int, int]]:
    """Pairs of recordings (first, later) that have much the same traces on a coarse grid of time, in the order of the later ones.

    All pairs at once, neuron by neuron: of 900 recordings 404,550 pairs, which one by one take minutes.
    """
    if not traces:
        return []
    count = len(traces)
    low, high = min(t[0] for t in times), max(t[-1] for t in times)
    grid = np.linspace(low, high, GRID)
    where: dict[str, list[tuple[int, int]]] = {}
    for worm, own in enumerate(names):
        for column, name in enumerate(own):
            where.setdefault(name, []).append((worm, column))
    shared, alike = np.zeros((count, count), np.int32), np.zeros((count, count), np.int32)
    for places in where.values():
        if len(places) < 2:
            continue
        worms = np.array([worm for worm, _ in places])
        values = np.stack([np.interp(grid, times[w], traces[w][:, c], np.nan, np.nan) for w, c in places])
        found = _correlations(values)
        at = np.ix_(worms, worms)
        shared[at] += np.isfinite(found)
        alike[at] += found >= LIKELY
    likely = np.triu((shared >= FEWEST) & (2 * alike >= shared), 1)
    return [(int(first), int(later)) for later, first in np.argwhere(likely.T)]


def _correlations(values: Array) -> Array:
    """Correlation of every two rows where both are known; NaN where hardly anything is, or a row does not change."""
    known = np.isfinite(values)
    seen = known.astype(float)
    filled = np.where(known, values, 0.0)
    filled = np.where(
        known, filled - filled.sum(axis=1, keepdims=True) / np.maximum(seen.sum(axis=1, keepdims=True), 1), 0.0
    )
    number = seen @ seen.T
    total, square = filled @ seen.T, filled**2 @ seen.T
    with np.errstate(invalid="ignore", divide="ignore"):
        cross = filled @ filled.T - total * total.T / number
        spread = square - total**2 / number
        found = cross / np.sqrt(spread * spread.T)
    scale = (filled**2).sum(axis=1)[:, None]
    changes = spread > 1e-9 * np.where(scale > 0, scale, 1.0)
    return np.where((number >= FEW_TIMES) & changes & changes.T, found, np.nan)


def _alike(one: Array, one_s: Array, other: Array, other_s: Array, columns: list[tuple[int, int]]) -> float:
    """Median correlation of some columns of two recordings at the times of the first; -1 without common times."""
    inside = (one_s >= other_s[0]) & (one_s <= other_s[-1])
    if inside.sum() < max(SAMPLES, min(len(one_s), len(other_s)) // 2):
        return -1.0
    found = []
    for a, b in columns:
        first = one[inside, a]
        same = len(one_s) == len(other_s) and np.array_equal(one_s, other_s)
        second = other[inside, b] if same else np.interp(one_s[inside], other_s, other[:, b])
        known = np.isfinite(first) & np.isfinite(second)
        first, second = first[known], second[known]
        if len(first) >= SAMPLES and first.std() > 0 and second.std() > 0:
            found.append(float(np.corrcoef(first, second)[0, 1]))
    return float(np.median(found)) if found else -1.0


_known: WeakKeyDictionary[Cohort, dict[str, str]] = WeakKeyDictionary()
