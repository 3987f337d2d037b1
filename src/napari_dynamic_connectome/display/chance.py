"""Chance beside components: the band of surrogate time courses, and how often a pair is as strong.

Goes in: components of surrogate cohorts (`pipeline.surrogates.surrogate_components`), weights included as everywhere. A surrogate
component has no partner among the real ones, so all of them are chance for every component.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..model.results import Clock, Components
from .highlights import course_of

LOW, HIGH = 5.0, 95.0
"""Percentiles between which the band lies."""


@dataclass(frozen=True, eq=False)
class Band:
    """Between what values the time courses of surrogate components lie.

    Parameters
    ----------
    time : array (time,)
        Seconds, the clock of `course_of`.
    low, high : array (time,)
        5th and 95th percentile over `count` components.
    count : int
    """

    time: np.ndarray
    low: np.ndarray
    high: np.ndarray
    count: int


def chance_band(nulls: Sequence[Components], worm: str | None, clock: Clock | None = None) -> Band | None:
    """Band of the time courses of all components of all surrogates; None without any.

    Parameters
    ----------
    nulls : sequence of Components
    worm : str, optional
        Whose time course, where every worm has its own; else it makes no difference.
    clock : {"common", "own"}, optional
        Clock of the course beside which the band is drawn. Surrogate components with the other one are brought to its scale by the
        worm's loading. As they are by default.
    """
    courses = [_course_like(null, number, worm, clock) for null in nulls for number in range(1, null.rank + 1)]
    if not courses:
        return None
    time = courses[0][0]
    values = np.stack([v if np.array_equal(t, time) else np.interp(time, t, v) for t, v in courses])
    low, high = np.percentile(values, [LOW, HIGH], axis=0)
    return Band(time, low, high, len(courses))


def _course_like(null: Components, number: int, worm: str | None, clock: Clock | None) -> tuple[np.ndarray, np.ndarray]:
    time, values = course_of(null, number, worm)
    own = null.clock(number)
    if clock in (None, own):
        return time, values
    worms = [str(w) for w in null.worm["worm"].values]
    loading = float(null.worm.sel(component=number, worm=worm if worm in worms else worms[0]))
    if clock == "own":
        return time, values * loading
    return time, values / loading if loading > 0 else values


def strongest_by_chance(nulls: Sequence[Components]) -> np.ndarray:
    """Largest pair factor (component,) of every surrogate component."""
    tops = [np.nanmax(null.matrix(number).values) for null in nulls for number in range(1, null.rank + 1)]
    return np.asarray(tops, float)


def pair_p_value(strength: float, tops: np.ndarray) -> float:
    """(1 + surrogate components with a pair at least as strong) / (1 + surrogate components); it holds for all pairs at once."""
    return float((1 + np.count_nonzero(tops >= strength)) / (1 + len(tops)))
