"""Groups of neurons that are linked more strongly inside than a matrix is on average: one statistic for claims and for chance.

The statistic of a group is the sum of the standardised weights of its observed pairs over the root of their number (that of a
large average submatrix; Shabalin et al. 2009, Annals of Applied Statistics 3, 985). The search climbs from the strongest pairs,
one node in or out at a time. It is cheap, so that what it finds in surrogates tells how far chance gets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .scan_kernels import climb_groups

Array = np.ndarray[Any, Any]
STARTS = 32
"""Pairs from which the search climbs, the strongest of those that lie apart."""
LEAST = 3
"""Nodes of the smallest group."""
SHARED = 0.8
"""Share of a group's mean weight that is left without the strongest pair of every member; below it, the group is one of pairs."""
STEPS = 4
"""Nodes may come and go this many times, on average, before a climb is stopped."""


@dataclass(frozen=True)
class Group:
    """A group that no single node improves: its statistic and its members (sorted indices)."""

    statistic: float
    members: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Standardised:
    """Weights of observed pairs less their mean, over their standard deviation.

    Parameters
    ----------
    values : ndarray of float
        (N, N), symmetric, 0 on the diagonal and where a pair was not observed.
    observed : ndarray of bool
        (N, N), False on the diagonal.
    mean, spread : float
        Of the weights.
    """

    values: Array
    observed: Array
    mean: float
    spread: float

    @property
    def n(self) -> int:
        """Number of nodes."""
        return len(self.values)

    def statistic(self, members: Sequence[int] | Array) -> float:
        """Sum of the standardised weights inside a group over the root of its observed pairs; 0 without a pair."""
        inside = np.asarray(members)
        pairs = self.observed[np.ix_(inside, inside)].sum() / 2
        return float(self.values[np.ix_(inside, inside)].sum() / 2 / np.sqrt(pairs)) if pairs else 0.0


def standardise(weights: Array) -> Standardised:
    """Standardise a symmetric matrix (N, N); NaN: not observed; the diagonal does not count."""
    observed = np.isfinite(weights)
    np.fill_diagonal(observed, False)
    known = weights[observed]
    if not len(known):
        return Standardised(np.zeros(weights.shape), observed, float("nan"), 0.0)
    mean, spread = float(known.mean()), float(known.std())
    scale = spread if spread > 1e-12 * max(abs(mean), 1e-300) else np.inf
    return Standardised(np.where(observed, (weights - mean) / scale, 0.0), observed, mean, spread)


def beyond_pairs(matrix: Standardised, members: Sequence[int] | Array, statistic: float | None = None) -> float:
    """Statistic of a group, less what it has from single pairs.

    Two neurons that share a signal (the left and the right one, or neighbours whose images overlap) have a weight that outdoes chance in
    any group that holds both, and a group may be made of such pairs. The strongest pair of every member is set aside: the share of
    the mean weight that is left is near 1 in a group, and where it is below `SHARED` the statistic counts with this share.

    Parameters
    ----------
    matrix : Standardised
    members : sequence of int
    statistic : float, optional
        That of the group (or of a larger one around it); its own by default.
    """
    inside = np.asarray(members, int)
    statistic = matrix.statistic(inside) if statistic is None else statistic
    seen = matrix.observed[np.ix_(inside, inside)]
    values = np.where(seen, matrix.values[np.ix_(inside, inside)], -np.inf)
    if not seen.any() or statistic <= 0:
        return statistic
    rows = np.flatnonzero(seen.any(axis=1))
    left = seen.copy()
    strongest = values[rows].argmax(axis=1)
    left[rows, strongest] = left[strongest, rows] = False
    rest = float(values[left].mean()) if left.any() else 0.0
    share = rest / max(float(values[seen].mean()), 1e-300)
    return statistic * max(share, 0.0) if share < SHARED else statistic


def strength_residuals(weights: Array, apart: Sequence[int] = (), steps: int = 30) -> Array:
    """Weights less what the strengths of their two neurons explain, over the root of that.

    The expectation theta_i theta_j keeps the sum of every neuron's observed weights, but for pairs inside of the group `apart`: a
    strong group would raise the strengths of its members, so that all pairs of others seemed to hold together. The root makes
    strong and weak neurons comparable where a weight is a sum of many small events.

    Parameters
    ----------
    weights : ndarray of float
        (N, N), not negative; NaN: not observed.
    apart : sequence of int
        Members of a group whose inside has no say in the strengths, such as the strongest one.
    steps : int
        Iterations for the strengths theta.

    Returns
    -------
    ndarray of float
        (N, N), NaN where not observed, or where a neuron has no weight at all.
    """
    observed = np.isfinite(weights)
    np.fill_diagonal(observed, False)
    filled = np.where(observed, weights, 0.0)
    used = observed.copy()
    used[np.ix_(apart, apart)] = False
    strength = (filled * used).sum(axis=1)
    theta = strength / np.sqrt(max(float(strength.sum()), 1e-300))
    for _ in range(steps):
        reach = used @ theta
        theta = np.sqrt(theta * (strength / np.where(reach > 0, reach, 1.0)))  # no reach: no strength
    expected = np.outer(theta, theta)
    known = observed & (expected > 1e-12 * max(float(expected.max()), 1e-300))
    return np.where(known, (filled - expected) / np.sqrt(np.where(known, expected, 1.0)), np.nan)


def scan_groups(matrix: Standardised, *, largest: int | None = None, starts: int = STARTS) -> list[Group]:
    """Search the groups of highest statistic, the best first; equal ones once.

    Parameters
    ----------
    matrix : Standardised
    largest : int, optional
        Nodes of the largest group; half of the nodes with an observed pair by default: what takes in more than half is not a
        group beside a background.
    starts : int
        Climbs.

    Returns
    -------
    list of Group
        Of `LEAST` nodes or more and a positive statistic; may be empty.
    """
    ends, inside = _climbed(matrix, largest, starts)
    found = {g.members: g for g in map(_group, ends, inside)}
    return sorted(found.values(), key=lambda g: (-g.statistic, g.members))


def strongest_group(matrix: Standardised, *, largest: int | None = None, starts: int = STARTS) -> Group | None:
    """The first of `scan_groups` without the others, None where there is none."""
    ends, inside = _climbed(matrix, largest, starts)
    if not len(ends):
        return None
    best = [_group(ends[k], inside[k]) for k in np.flatnonzero(ends == ends.max())]
    return min(best, key=lambda g: g.members)


def _climbed(matrix: Standardised, largest: int | None, starts: int) -> tuple[Array, Array]:
    """Statistics (group,) and members (group, N) of what climbs end at, large enough and positive; equal ones more than once."""
    largest = default_largest(matrix) if largest is None else largest
    begin = _seeds(matrix.values, matrix.observed, starts)
    inside = np.zeros((len(begin), matrix.n), dtype=bool)
    rows = np.arange(len(begin))
    inside[rows, begin[:, 0]] = inside[rows, begin[:, 1]] = True
    ends = _climb(matrix, inside, largest)
    good = (inside.sum(axis=1) >= LEAST) & (ends > 0)
    return ends[good], inside[good]


def _group(end: float, row: Array) -> Group:
    return Group(float(end), tuple(np.flatnonzero(row).tolist()))


def default_largest(matrix: Standardised) -> int:
    """Half of the nodes with an observed pair, at least 2."""
    return max(int(matrix.observed.any(axis=1).sum()) // 2, 2)


def climb(matrix: Standardised, inside: Array, largest: int) -> list[Group]:
    """Let groups gain and lose one node after the other while their statistic grows.

    Parameters
    ----------
    matrix : Standardised
    inside : ndarray of bool
        (group, N), where to begin; two nodes or more each.
    largest : int
        Nodes of the largest group; larger ones only lose nodes.

    Returns
    -------
    list of Group
        One for each row of `inside`.
    """
    inside = np.array(inside, dtype=bool, order="C")
    return list(map(_group, _climb(matrix, inside, largest), inside))


def _climb(matrix: Standardised, inside: Array, largest: int) -> Array:
    """Statistics (group,) where climbs end; `inside` is changed in place."""
    return np.asarray(climb_groups(matrix.values, matrix.observed.astype(float), inside, largest, STEPS * largest))


def beyond_strength(weights: Array, best: Sequence[Group] | None = None) -> Standardised:
    """Standardised residuals of the strengths that neurons have outside of the strongest group; see `strength_residuals`.

    The groups of the weights themselves, the best first, are searched unless they are given.
    """
    if best is None:
        found = strongest_group(standardise(weights))
        best = [] if found is None else [found]
    return standardise(strength_residuals(weights, best[0].members if best else ()))


def largest_statistic(matrix: Standardised, **options: Any) -> float:
    """Statistic of the best group, 0 without one."""
    found = strongest_group(matrix, **options)
    return 0.0 if found is None else found.statistic


def _seeds(values: Array, observed: Array, starts: int) -> Array:
    """Pairs to climb from: strong ones, every node in at most three of them, so that they do not all lie in one place."""
    a, b = np.nonzero(np.triu(observed, 1))
    if not len(a):
        return np.zeros((0, 2), dtype=int)
    order = np.argsort(-values[a, b], kind="stable")[: 20 * starts]
    used = np.zeros(len(values), dtype=int)
    chosen = []
    for k in order:
        i, j = int(a[k]), int(b[k])
        if used[i] < 3 and used[j] < 3:
            used[i] += 1
            used[j] += 1
            chosen.append((i, j))
            if len(chosen) == starts:
                break
    return np.asarray(chosen, dtype=int)
