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
FIRST_LOOK = 3
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
    pairs = ", ".join(f"{later} is {first} once more" for later, first in found.items())
    left = len(cohort.recordings) - len(found)
    return (
        f"Mind that {pairs} (the same neurons have the same traces): this is a cohort of {counted(left, 'worm')}, and how many worms "
        "show something is counted too high."
    )


def _found(cohort: Cohort) -> dict[str, str]:
    tables = [cohort.traces_of(k) for k in range(len(cohort.recordings))] if len(cohort.recordings) > 1 else []
    names = [[str(n) for n in table["neuron"].values] for table in tables]
    times = [np.asarray(recording.time_s, float) for recording in cohort.recordings]
    found: dict[str, str] = {}
    for later in range(1, len(tables)):
        for first in range(later):
            if cohort.worms[first] in found:
                continue
            columns = {n: k for k, n in enumerate(names[first])}
            shared = [(columns[n], k) for k, n in enumerate(names[later]) if n in columns]
            if len(shared) < FEWEST:
                continue
            some = [shared[k] for k in np.linspace(0, len(shared) - 1, FIRST_LOOK).astype(int)]
            how = tables[first].values, times[first], tables[later].values, times[later]
            if _alike(*how, some) >= ALIKE and _alike(*how, shared) >= ALIKE:
                found[cohort.worms[later]] = cohort.worms[first]
                break
    return found


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
