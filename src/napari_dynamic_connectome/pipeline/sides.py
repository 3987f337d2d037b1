"""Two communities that are the two sides of one group: when the neurons of one rise, those of the other fall.

An affinity of changes that go together is zero between neurons that rise and neurons that fall meanwhile, so one group with both
comes out as two communities that are hardly ever active together. Whether they are sides of one group is asked of the affinity of
opposite changes: is it larger between the two than where all neurons of one are shifted in time by the same amount? Each side stays
as coherent as it is; only when it moves, seen from the other, is broken.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from ..affinity.compute import compute_affinity
from ..affinity.shift import Shifter
from ..communities.judge import apart, hardly_together, taking_turns
from ..communities.tail import false_discovery, student_p_value
from ..comparison.confounds import partial_out_cohort
from ..model.cohort import Cohort
from ..model.progress import CancelCallback, check_cancel
from ..model.results import Communities, CommunityKind, Components
from .settings import PipelineSettings

if TYPE_CHECKING:
    from ..affinity.spec import AffinitySpec

Array = np.ndarray
Key = tuple[int, CommunityKind]
Group = tuple[Key, int]
Pair = tuple[Group, Group]
SHIFTS = 29
"""How often one side is shifted against the other."""
FIRST_SEED = 500_000


def opposite_mean(affinity: AffinitySpec, one: Collection[int], other: Collection[int]) -> float:
    """Mean affinity of all observed pairs of a neuron of one group with one of another, over all times and worms; NaN without any."""
    total = count = 0.0
    for block in affinity.blocks:
        neuron = np.asarray(block.neurons)[np.asarray(block.columns, int)]
        first, second = np.isin(neuron, list(one)), np.isin(neuron, list(other))
        pairs = (first[:, 0] & second[:, 1]) | (first[:, 1] & second[:, 0])
        if pairs.any():
            values = np.empty((int(pairs.sum()), block.n_times), np.float32)
            block.features.fill(values, np.ascontiguousarray(block.columns[pairs]), 0, block.layers[0])
            seen = values[:, block.observed]
            total, count = total + float(seen.sum(dtype=float)), count + seen.size
    return total / count if count else float("nan")


def sides_p_value(shifter: Shifter, one: Sequence[int], other: Sequence[int], seed: int) -> float:
    """P value of 'two groups move against each other': the second is shifted as one, against the first.

    Parameters
    ----------
    shifter : Shifter
        Of an affinity of opposite changes.
    one, other : sequence of int
        Neurons of the affinity.
    seed : int
    """
    shifter = shifter.of_neurons([*one, *other])
    own = opposite_mean(shifter.affinity, one, other)
    shifts = (shifter.make(FIRST_SEED + SHIFTS * seed + k, as_one=other) for k in range(SHIFTS))
    return student_p_value(own, [opposite_mean(shifted, one, other) for shifted in shifts])


def with_sides(
    found: Mapping[Key, Communities],
    components: Components,
    cohort: Cohort,
    settings: PipelineSettings,
    cancel: CancelCallback | None = None,
) -> dict[Key, Communities]:
    """Say which claimed communities are the two sides of one group.

    Parameters
    ----------
    found : mapping
        Communities that were compared with chance.
    components : Components
    cohort : Cohort
        That the components were made from.
    settings : PipelineSettings
    cancel : callable, optional

    Returns
    -------
    dict
        Where two communities of a component are hardly ever active together, `claims` has the columns side_of (the community that is
        the other side; NaN: none), side_in (its kind) and p_sides (corrected over all that were asked), and the answer says it. All
        else as it was, and everything where neurons cannot be shifted.
    """
    judged = dict(found)
    asked = _candidates(judged, components, settings)
    if not asked:
        return judged
    chosen = settings.affinity.model_copy(update={"sign": "opposite"})
    cohort = partial_out_cohort(cohort, settings.confounds, cancel=cancel)
    affinity = compute_affinity(cohort, chosen, cancel=cancel)
    shifter = Shifter(affinity, cohort, "circular shift", settings.chance.min_shift_s)
    if shifter.why_not() or not shifter.simple:
        return judged
    index = {name: k for k, name in enumerate(affinity.neurons)}
    p_values = []
    for one, other in asked:
        check_cancel(cancel)
        members = [[index[n] for n in judged[key].members(group) if n in index] for key, group in (one, other)]
        p_values.append(sides_p_value(shifter, members[0], members[1], settings.seed))
    for (one, other), p_value in zip(asked, false_discovery(p_values), strict=True):
        sure = float(p_value) <= settings.chance.alpha
        for own, its in ((one, other), (other, one)):
            judged[own[0]] = _noted(judged[own[0]], own, its, float(p_value), sure)
        for key in dict.fromkeys((one[0], other[0])):
            judged[key] = _told(judged[key], components, found, (one, other), float(p_value), sure, key)
    return judged


def _candidates(found: Mapping[Key, Communities], components: Components, settings: PipelineSettings) -> list[Pair]:
    """Claimed communities of one component that are hardly ever together: of one kind, or of two where a kind has no such pair."""
    if settings.affinity.sign != "same":
        return []
    sure = {}
    for key, one in found.items():
        if one.claims is not None and len(one.claims):
            sure[key] = one.claims[one.claims["q_value"] <= settings.chance.alpha]
    asked: list[Pair] = []
    for key, table in sure.items():
        labels = found[key].labels.values[found[key].chosen_level]
        pairs = hardly_together(_weights(components, key), labels, table)
        asked += [((key, a), (key, b)) for a, b in pairs]
    within = {group for pair in asked for group in pair}
    for core, modules in ((k, (k[0], "modules")) for k in sure if k[1] == "core"):
        if modules not in sure:
            continue
        other: Key = (core[0], "modules")
        for a, b in product(sure[core].index, sure[other].index):
            mine, theirs = (found[k].labels.values[found[k].chosen_level] == c for k, c in ((core, a), (other, b)))
            outside = min(float(sure[core].loc[a, "outside"]), float(sure[other].loc[b, "outside"]))
            pair = ((core, int(a)), (other, int(b)))
            if not within & set(pair) and apart(_weights(components, core), mine, theirs, outside):
                asked.append(pair)
    return asked


def _noted(one: Communities, own: Group, other: Group, p_value: float, sure: bool) -> Communities:
    """Communities with what was found of one of them in the claims."""
    assert one.claims is not None
    claims = one.claims.copy()
    for column, empty in (("side_of", np.nan), ("side_in", ""), ("p_sides", np.nan)):
        if column not in claims:
            claims[column] = empty
    known = float(claims.loc[own[1], "p_sides"])
    if not known <= p_value:
        claims.loc[own[1], "p_sides"] = p_value
        if sure:
            claims.loc[own[1], "side_of"], claims.loc[own[1], "side_in"] = float(other[1]), other[0][1]
    return replace(one, claims=claims)


def _told(
    one: Communities,
    components: Components,
    found: Mapping[Key, Communities],
    pair: Pair,
    p_value: float,
    sure: bool,
    key: Key,
) -> Communities:
    """Communities with what was found of two groups in their answer and rule."""
    sizes = [len(found[k].members(group)) for k, group in pair]
    kinds = [f" ({k[1]})" if pair[0][0] != pair[1][0] else "" for k, _ in pair]
    groups = f"The groups of {sizes[0]}{kinds[0]} and {sizes[1]}{kinds[1]} neurons"
    if sure:
        now = (
            f"{groups} are two sides of one group of {sum(sizes)}: when the neurons of one rise, those of the other fall "
            f"(p = {p_value:.2g})."
        )
    else:
        now = (
            f"{groups} are hardly ever active together, and do not move against each other more than by chance "
            f"(p = {p_value:.2g})."
        )
    if pair[0][0] == pair[1][0]:
        assert one.claims is not None
        labels = one.labels.values[one.chosen_level]
        (before,) = taking_turns(_weights(components, key), labels, one.claims.loc[[group for _, group in pair]])
    elif sure:
        before, now = one.answer, f"{one.answer} {now}"
    else:
        return one
    return replace(one, answer=one.answer.replace(before, now, 1), rule=one.rule.replace(before, now, 1))


def _weights(components: Components, key: Key) -> Array:
    return np.asarray(components.matrix(key[0]).values)
