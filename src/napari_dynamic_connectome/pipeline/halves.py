"""Groups that are two: sets of neurons that each act together, and with each other no more than by chance.

A component may hold the times at which two groups happen to be active together; the block model then has one group of both, and it is far beyond
chance because each of the two is. Whether they are one is asked of the affinities over whole recordings: where is the group weakest, is
there hardly anything between the two sets there, and is it more than where all neurons of one set are shifted by the same amount against
the other? Each set stays as coherent as it is. Sets that move against each other are the two sides of one group, and stay together.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..affinity.compute import compute_affinity
from ..affinity.shift import Shifter
from ..communities.scan import LEAST
from ..communities.seen import with_parts
from ..comparison.confounds import partial_out_cohort
from ..model.cohort import Cohort
from ..model.progress import CancelCallback, check_cancel
from ..model.results import Communities, CommunityKind, Components
from .settings import PipelineSettings
from .sides import sides_p_value
from .together import Together

Array = np.ndarray
Key = tuple[int, CommunityKind]
FEWEST = 2
"""Neurons of the smallest set that is asked about; two that share their signal may be with others by chance, too."""
HARDLY = 0.25
"""Pull between two sets (0: that of members with others, 1: as inside the two) below which it is asked whether they are one group."""


@dataclass(frozen=True)
class Halves:
    """Two sets of neurons (sorted indices) of one group where it is weakest, and the pull between them."""

    one: tuple[int, ...]
    other: tuple[int, ...]
    pull: float


def weakest_halves(together: Together, members: Collection[int]) -> Halves | None:
    """Where a group is weakest: two sets of `FEWEST` neurons or more with the smallest pull between them.

    Parameters
    ----------
    together : Together
        Mean affinities over all times; what counts is how much they are above those of surrogates.
    members : collection of int

    Returns
    -------
    Halves or None
        Of the sets that the signs of the eigenvectors of the group's affinities make, those with the smallest pull: mean across
        less that of members with others, over the root of the product of the same inside the two. None where no two sets were
        observed together, or one is not above that of members with others inside.
    """
    inside = np.array(sorted(members), int)
    if len(inside) < 2 * FEWEST:
        return None
    above = together.above_chance(int(inside.max()) + 1)
    own = above[np.ix_(inside, inside)]
    low = _mean(above[np.ix_(inside, np.setdiff1d(np.arange(len(above)), inside))])
    low = 0.0 if np.isnan(low) else low
    if not np.isfinite(own).any():
        return None
    best: Halves | None = None
    for vector in np.linalg.eigh(np.where(np.isfinite(own), own, _mean(own)))[1].T:
        first = vector >= 0
        if min(first.sum(), (~first).sum()) < FEWEST:
            continue
        within = [_mean(own[np.ix_(part, part)]) - low for part in (first, ~first)]
        across = _mean(own[np.ix_(first, ~first)]) - low
        if not min(within) > 0 or np.isnan(across):
            continue
        pull = float(across / np.sqrt(within[0] * within[1]))
        if best is None or pull < best.pull:
            sets = [tuple(inside[part].tolist()) for part in (first, ~first)]
            best = Halves(sets[0], sets[1], pull)
    return best


def take_apart(
    found: Mapping[Key, Communities],
    wanted: Mapping[Key, Sequence[int]],
    components: Components,
    cohort: Cohort,
    settings: PipelineSettings,
    cancel: CancelCallback | None = None,
) -> tuple[dict[Key, Communities], dict[Key, list[str]]]:
    """Make two groups of those whose two sets are together, or against each other, no more than by chance.

    Parameters
    ----------
    found : mapping
        Communities of components, the finest level the chosen one.
    wanted : mapping
        Which of their communities are asked.
    components : Components
        Compared with surrogate cohorts; where they were not, nothing is asked.
    cohort : Cohort
        That they were made from.
    settings : PipelineSettings
    cancel : callable, optional

    Returns
    -------
    found : dict
        Sets of a community that was taken apart are communities of their own at the chosen level, those of fewer than `LEAST`
        neurons are in none.
    said : dict
        What was taken apart, in words, where anything was.
    """
    result, said = dict(found), dict[Key, list[str]]()
    together = Together.of(components)
    if together is None:
        return result, said
    asked = []
    for key, communities in found.items():
        labels = communities.labels.values[0]  # the one that is shown
        for group in wanted.get(key, ()):
            members = np.flatnonzero(labels == group)
            if _doubtful(together, members) is not None:
                asked.append((key, group, members))
    if not asked:
        return result, said
    cohort = partial_out_cohort(cohort, settings.confounds, cancel=cancel)
    alpha, names = settings.chance.alpha, components.neurons
    signs: list[Any] = ["opposite", "same"] if settings.affinity.sign == "same" else [settings.affinity.sign]
    made: dict[str, Shifter] = {}

    def shifter_of(sign: Any) -> Shifter:
        if sign not in made:
            affinity = compute_affinity(cohort, settings.affinity.model_copy(update={"sign": sign}), cancel=cancel)
            made[sign] = Shifter(affinity, cohort, "circular shift", settings.chance.min_shift_s)
        return made[sign]

    if shifter_of(signs[0]).why_not() or not shifter_of(signs[0]).simple:
        return result, said
    place = {name: k for k, name in enumerate(shifter_of(signs[0]).affinity.neurons)}

    def p_value_of(halves: Halves) -> float:
        """Of together, and of against each other if that is asked: the first one that is beyond chance."""
        one, other = ([place[names[k]] for k in some if names[k] in place] for some in (halves.one, halves.other))
        p_value = 1.0
        for sign in signs:
            check_cancel(cancel)
            p_value = sides_p_value(shifter_of(sign), one, other, settings.seed)
            if p_value <= alpha:
                break
        return p_value

    for key, group, members in asked:
        sets, p_values = _sets(together, members, p_value_of, alpha)
        if len(sets) > 1:
            result[key] = _split(result[key], group, [[names[k] for k in one] for one in sets])
            sizes = [len(one) for one in sets]
            said.setdefault(key, []).append(
                f"A group of {sum(sizes)} was taken apart into {', '.join(map(str, sizes[:-1]))} and {sizes[-1]} neurons, which are "
                f"active together no more than by chance (p = {min(p_values):.2g})."
            )
    return result, said


def _doubtful(together: Together, members: Array) -> Halves | None:
    """The two sets of a group that there is hardly anything between, if there are."""
    halves = weakest_halves(together, members.tolist())
    return halves if halves is not None and halves.pull < HARDLY else None


def _sets(
    together: Together, members: Array, p_value_of: Callable[[Halves], float], alpha: float
) -> tuple[list[Array], list[float]]:
    """Sets of a group that are together no more than by chance, the largest first, and the p values of that."""
    open_sets, done, p_values = [np.asarray(members)], list[Array](), list[float]()
    while open_sets:
        one = open_sets.pop()
        halves = _doubtful(together, one)
        p_value = 0.0 if halves is None else p_value_of(halves)
        if halves is None or p_value <= alpha:
            done.append(one)
        else:
            open_sets += [np.array(halves.one), np.array(halves.other)]
            p_values.append(p_value)
    return sorted(done, key=lambda one: (-len(one), one.tolist())), p_values


def split_alike(second: Communities, first: Communities, before: Communities) -> Communities:
    """A second run whose groups are taken apart as those of the first were, so that neurons do not seem unsure because of that."""
    new, old = first.labels.values[0], before.labels.values[0]
    if np.array_equal(new, old):
        return second
    parts = np.where((new != old) & (old >= 0), new, -1)
    labels = second.labels.values.copy()
    row = labels[second.chosen_level]
    for part in np.unique(parts[parts >= 0]):
        whole = np.unique(old[parts == part])
        for group in np.unique(row[np.isin(old, whole) & (row >= 0)]):
            mine = (row == group) & (parts == part)
            if mine.sum() < (row == group).sum():
                row[mine] = row.max() + 1
    row[(new < 0) & (old >= 0)] = -1
    return replace(second, labels=second.labels.copy(data=labels))


def _split(one: Communities, group: int, sets: Sequence[Collection[str]]) -> Communities:
    """Communities with sets of one as groups of their own, the first with the number; those that are too small are in none."""
    row, names = one.labels.values[0].copy(), np.asarray(one.neurons, object)
    of = {}
    for number, some in enumerate(sets):
        mine = np.isin(names, list(some))
        if len(some) < LEAST:
            row[mine] = -1
        elif number:
            of[int(row.max()) + 1] = group
            row[mine] = row.max() + 1
    return with_parts(one, row, of)


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
