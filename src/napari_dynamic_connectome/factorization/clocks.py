"""Clocks of components: one for all worms, or one of their own in every worm (the `mixed` model).

A start begins with courses of its own for every component, so that one motif is one component whatever its clock. Then every
component is asked whether the worms' courses say the same: the course of each worm is predicted from those of all others. Where
that works the component gets a common course. The rule is our definition.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .problem import Problem
    from .solver import Factors

Array = np.ndarray
PREDICTED = 0.25
"""Share of the changes of a left-out worm's course that the other worms must predict for a clock to be common.

Locked motifs of simulated cohorts reach .45 to .91, spontaneous ones -.3 to 0 (what is predicted then is worse than a constant)."""
FLAT = 0.75
"""A course of which a constant is so much (in power) hardly changes, so that it needs no clock of its own."""


def span(at: Array) -> Array | slice:
    """Increasing columns as a slice where they follow each other, which is read in place."""
    if len(at) and int(at[-1]) - int(at[0]) == len(at) - 1:
        return slice(int(at[0]), int(at[-1]) + 1)
    return at


def worm_courses(problem: Problem, factors: Factors, worm: int) -> Array:
    """Course of every component in one worm, loading included: (start, component, observed sample)."""
    item = problem.worms[worm]
    courses = factors.time[:, :, span(item.times)] * factors.worm[:, :, worm : worm + 1]
    # a component is zero in the columns of the clock that it does not have
    return np.asarray(courses + factors.time[:, :, span(item.own)] if problem.model == "mixed" else courses)


def worm_shares(problem: Problem, factors: Factors) -> Array:
    """Share of every component's power in each worm (start, component, worm); zero for components that are zero."""
    power = factors.worm.astype(float) ** 2
    if problem.model != "aligned":
        own = factors.own if problem.model == "mixed" else np.ones_like(factors.own)
        for w, item in enumerate(problem.worms):
            mine = span(item.own if problem.model == "mixed" else item.times)
            course = np.einsum("krt,krt->kr", factors.time[:, :, mine], factors.time[:, :, mine])
            power[:, :, w] = np.where(own, course, power[:, :, w])
    total = power.sum(axis=2, keepdims=True)
    return np.asarray(power / np.where(total > 0, total, 1.0))


def pair_energy(problem: Problem, factors: Factors, keep: Sequence[Array], weights: Array) -> Array:
    """What an error in a worm's course costs: the squared norm of the pair factor in that worm (start, component, worm)."""
    energy = np.zeros((*factors.shape, len(problem.worms)))
    for w, item in enumerate(problem.worms):
        rows = factors.pair[:, :, item.slots[keep[w]]]
        energy[:, :, w] = weights[w] * np.einsum("krp,krp->kr", rows, rows)
    return energy


def predicted_shares(courses: Array, observed: Array, energy: Array) -> tuple[Array, Array]:
    """How well the courses of left-out worms are predicted by the others, and by a constant.

    The common course of the others is the energy-weighted mean of their courses, each scaled by its norm; it is scaled to the
    left-out worm by least squares, with a factor of at least 0.

    Parameters
    ----------
    courses : array (component, worm, time)
        Each worm's own course on the common clock, 0 where it was not observed.
    observed : bool array (worm, time)
    energy : array (component, worm)
        Weight of a worm's squared errors (`pair_energy`).

    Returns
    -------
    predicted : array (component,)
        1 - squared error of the prediction / squared deviation from the worm's own mean; below 0 where a constant does better.
        NaN where there is nothing to predict.
    flat : array (component,)
        Share of the courses' power that the worms' own means account for.
    """
    norm = np.linalg.norm(courses, axis=2)
    top = ((energy * norm)[:, :, None] * courses).sum(axis=1)
    bottom = (energy * norm**2) @ observed
    rest, spread, power = (np.zeros(len(courses)) for _ in range(3))
    for w in range(courses.shape[1]):
        here = observed[w]
        own = courses[:, w, here]
        below = bottom[:, here] - (energy[:, w] * norm[:, w] ** 2)[:, None]
        above = np.maximum(top[:, here] - (energy[:, w] * norm[:, w])[:, None] * own, 0.0)
        others = np.where(below > 1e-12 * bottom[:, here], above / np.where(below > 0, below, 1.0), 0.0)
        square = (others**2).sum(axis=1)
        scale = (others * own).sum(axis=1) / np.where(square > 0, square, 1.0)
        rest += energy[:, w] * ((own - scale[:, None] * others) ** 2).sum(axis=1)
        spread += energy[:, w] * ((own - own.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
        power += energy[:, w] * (own**2).sum(axis=1)
    some = np.where(power > 0, power, 1.0)
    moves = spread > 1e-12 * power
    predicted = np.where(moves, 1.0 - rest / np.where(moves, spread, 1.0), np.nan)
    return predicted, np.where(power > 0, 1.0 - spread / some, np.nan)


def choose_clocks(problem: Problem, factors: Factors, energy: Array) -> Array:
    """Give the components that need no clock of their own a common one, in place.

    A component keeps its own clocks if less than `PREDICTED` of the changes in left-out worms is predicted by the others and
    the course does change (a constant is less than `FLAT` of it).

    Parameters
    ----------
    problem : Problem
        Of the model `mixed`.
    factors : Factors
        All components with clocks of their own.
    energy : array (start, component, worm)

    Returns
    -------
    array (start, component)
        What was predicted (`predicted_shares`).
    """
    starts, rank = factors.shape
    length = problem.n_common
    observed = np.zeros((len(problem.worms), length), bool)
    for w, item in enumerate(problem.worms):
        observed[w, item.times] = True
    shares = np.full((starts, rank), np.nan)
    for k in range(starts):
        courses = np.zeros((rank, len(problem.worms), length))
        for w, item in enumerate(problem.worms):
            courses[:, w, item.times] = factors.time[k][:, item.own]
        shares[k], flat = predicted_shares(courses, observed, energy[k])
        factors.own[k] = (np.nan_to_num(shares[k], nan=1.0) < PREDICTED) & (np.nan_to_num(flat, nan=1.0) < FLAT)
        for r in np.flatnonzero(~factors.own[k]):
            time, worm = common_course(courses[r], observed, energy[k, r])
            factors.time[k, r, :length], factors.time[k, r, length:] = time, 0.0
            factors.worm[k, r] = worm
    return shares


def common_course(courses: Array, observed: Array, energy: Array) -> tuple[Array, Array]:
    """One course (time,) and a loading for every worm (worm,) that stand for courses (worm, time) of their own."""
    norm = np.linalg.norm(courses, axis=1)
    below = (energy * norm**2) @ observed
    time = np.where(below > 0, (energy * norm) @ courses / np.where(below > 0, below, 1.0), 0.0)
    square = observed @ time**2
    return time, courses @ time / np.where(square > 0, square, 1.0)
