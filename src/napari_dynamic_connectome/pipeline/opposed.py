"""Neurons that move against a claimed group: its other side, where that is too small or too weak to be a group of its own.

A single neuron that falls whenever a group rises is in no group: it is never active with them. Whether it goes against them is asked of the
affinity of opposite changes, beside shifts of the whole group by the same amount: the group stays as coherent as it is, and so does
everybody else; only when the group moves, seen from the others, is broken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..affinity.compute import compute_affinity
from ..affinity.shift import Shifter
from ..communities.scan import LEAST
from ..communities.tail import tail_p_value
from ..comparison.confounds import partial_out_cohort
from ..model.cohort import Cohort
from ..model.execution import Workers, workers
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, report
from ..model.results import Communities, CommunityKind, Components
from .halves import HARDLY, weakest_halves
from .settings import PipelineSettings
from .together import Together

if TYPE_CHECKING:
    from ..affinity.spec import AffinitySpec

Array = np.ndarray
Key = tuple[int, CommunityKind]
SHIFTS = 19
FIRST_SEED = 700_000
WEAK = 0.25
"""A member that is with the others less than this share of what members are on average is none of those who are asked about."""
ALIKE = 0.75
"""Groups that share this much of the neurons of either are asked about once."""
NAMED = 12
"""Neurons that are named in a sentence."""
ROWS = 256


def core_of(together: Together, members: Array) -> Array:
    """Members of a group that move together (sorted indices): the larger set where it has two that do not, less who is with nobody."""
    inside = np.sort(np.asarray(members, int))
    halves = weakest_halves(together, inside.tolist())
    if halves is not None and halves.pull < HARDLY:
        inside = np.array(max((halves.one, halves.other), key=len))
    above = together.above_chance(int(inside.max()) + 1)[np.ix_(inside, inside)]
    seen = np.isfinite(above)
    mean = np.nansum(above, axis=1) / np.maximum(seen.sum(axis=1), 1)
    kept = inside[(mean >= WEAK * np.median(mean)) & (mean > 0)]
    return kept if len(kept) >= LEAST else inside


def means_with(affinity: AffinitySpec, core: Array) -> tuple[Array, Array]:
    """Mean affinity (neuron,) of every neuron with a group, over all times and worms, and how much was seen.

    Means are NaN for members of the group and who was not seen with any; what was seen is in shares of the most (pairs and times).
    """
    count = len(affinity.neurons)
    total, number = np.zeros(count), np.zeros(count)
    for block in affinity.blocks:
        ends = np.asarray(block.neurons)[np.asarray(block.columns, int)]
        inside = np.isin(ends, core)
        pairs = np.flatnonzero(inside[:, 0] != inside[:, 1])
        if not len(pairs):
            continue
        # a few rows at a time stay in the processor's cache
        watched = block.observed.astype(np.float32)
        room = np.empty((ROWS, block.n_times), np.float32)
        sums = np.empty(len(pairs))
        for first in range(0, len(pairs), ROWS):
            some = pairs[first : first + ROWS]
            values = room[: len(some)]
            block.features.fill(values, np.ascontiguousarray(block.columns[some]), 0, block.layers[0])
            sums[first : first + len(some)] = values @ watched
        other = np.where(inside[pairs, 0], ends[pairs, 1], ends[pairs, 0])
        np.add.at(total, other, sums)
        np.add.at(number, other, float(block.observed.sum()))
    means = np.divide(total, number, out=np.full(count, np.nan), where=number > 0)
    return np.asarray(means), number / max(float(number.max()), 1.0)


def opposed_p_values(shifter: Shifter, core: Array, seed: int, pool: Workers | None = None) -> tuple[Array, Array]:
    """How far every neuron goes against a group, beside shifts of the group, and its p value.

    Parameters
    ----------
    shifter : Shifter
        Of an affinity of opposite changes.
    core : ndarray of int
        Neurons of the affinity that move together.
    seed : int
    pool : Workers, optional
        Shifts are looked at side by side there.

    Returns
    -------
    deviate, p_value : ndarray of float
        (neuron,), NaN for members and who was not seen with them. Deviations are relative to the mean of the shifts, in standard
        deviations that all neurons have in common (over the root of the share of the time in which one was seen). The p value is that
        the largest deviation of any neuron is as large by chance, so it holds for all neurons at once.

    Notes
    -----
    A spread of one's own, from `SHIFTS` shifts, is too bold: of 140 cohorts in which nobody moves against the group .079 had p below .05, and .036
    below .01; with the common one .064 and .014 (seeds 500 to 639 of `tests/pipeline/test_opposed.py`'s cohorts, on which it was chosen).
    """
    own, seen = means_with(shifter.affinity, core)
    seeds = [FIRST_SEED + SHIFTS * seed + k for k in range(SHIFTS)]

    def shifted(number: int) -> Array:
        return means_with(shifter.make(number, as_one=core.tolist()), core)[0]

    chance = np.stack([shifted(k) for k in seeds] if pool is None else pool.map(shifted, seeds))
    usual = chance.mean(axis=0)
    known = np.isfinite(own) & (usual > 0)
    own, chance, usual, seen = own[known], chance[:, known], usual[known], seen[known]
    deviate, p_value = np.full(len(known), np.nan), np.full(len(known), np.nan)
    if not len(own):
        return deviate, p_value
    # the spread of the shifts, relative to their mean, as it would be of a neuron that is seen all the time
    spread = np.sqrt(np.mean(chance.var(axis=0, ddof=1) / usual**2 * seen))
    scale = np.sqrt(seen) / (spread if spread > 0 else np.inf)
    found = (own / usual - 1) * scale
    tops = []
    for k in range(SHIFTS):
        others = (usual * SHIFTS - chance[k]) / (SHIFTS - 1)
        tops.append(float(max(np.max((chance[k] / np.where(others > 0, others, np.inf) - 1) * scale), 0.0)))
    deviate[known], p_value[known] = found, [tail_p_value(one, tops) for one in found]
    return deviate, p_value


def with_opposed(
    found: Mapping[Key, Communities],
    components: Components,
    cohort: Cohort,
    settings: PipelineSettings,
    cancel: CancelCallback | None = None,
    progress: ProgressCallback | None = None,
) -> dict[Key, Communities]:
    """Say which neurons move against claimed communities.

    Parameters
    ----------
    found : mapping
        Communities that were compared with chance.
    components : Components
    cohort : Cohort
        That the components were made from.
    settings : PipelineSettings
    cancel, progress : callable, optional

    Returns
    -------
    dict
        `claims` has the columns opposed (names of the neurons that move against the community, the surest first) and p_opposed (of
        the least sure of them, or the smallest of all neurons where it is none; corrected over the neurons and communities that were
        asked), and the answer says it. All else as it was, and everything where neurons cannot be shifted. A community whose other
        side is claimed is not asked.
    """
    judged = dict(found)
    together = Together.of(components)
    asked = _asked(judged, together, settings)
    if together is None or not asked:
        return judged
    chosen = settings.affinity.model_copy(update={"sign": "opposite"})
    cohort = partial_out_cohort(cohort, settings.confounds, cancel=cancel)
    affinity = compute_affinity(cohort, chosen, cancel=cancel)
    shifter = Shifter(affinity, cohort, "circular shift", settings.chance.min_shift_s)
    if shifter.why_not() or not shifter.simple:
        return judged
    place = {name: k for k, name in enumerate(affinity.neurons)}
    done: list[tuple[frozenset[str], Array, Array]] = []
    family = len({core for _, _, core in asked})
    for number, (key, group, core) in enumerate(asked):
        check_cancel(cancel)
        report(progress, number / len(asked), "neurons that move against claimed groups")
        known = next((one for one in done if len(one[0] & core) >= ALIKE * len(one[0] | core)), None)
        if known is None:
            with workers(settings.factorization.threads, cancel) as pool:
                known = (
                    core,
                    *opposed_p_values(shifter, np.array(sorted(place[n] for n in core)), settings.seed, pool),
                )
            done.append(known)
        _, deviate, p_value = known
        p_value = np.minimum(p_value * family, 1.0)
        sure = np.flatnonzero((p_value <= settings.chance.alpha) & (deviate > 0))
        names = [affinity.neurons[k] for k in sure[np.argsort(-deviate[sure], kind="stable")]]
        names = [n for n in names if n not in core]
        p = float(max(p_value[place[n]] for n in names)) if names else float(np.nanmin(p_value, initial=1.0))
        judged[key] = _told(judged[key], group, names, p)
    return judged


def _asked(
    found: Mapping[Key, Communities], together: Together | None, settings: PipelineSettings
) -> list[tuple[Key, int, frozenset[str]]]:
    """Claimed communities whose other side is not claimed, and those of their members that move together."""
    asked = []
    for key, one in found.items():
        if together is None or settings.affinity.sign != "same" or one.claims is None:
            continue
        for group, row in one.claims.iterrows():
            if row["q_value"] <= settings.chance.alpha and not np.isfinite(row.get("side_of", np.nan)):
                members = np.flatnonzero(one.labels.values[one.chosen_level] == group)
                core = frozenset(one.neurons[k] for k in core_of(together, members))
                asked.append((key, int(str(group)), core))
    return asked


def _told(one: Communities, group: int, names: list[str], p_value: float) -> Communities:
    """Communities with what was found of one of them in claims, answer and rule."""
    assert one.claims is not None
    claims = one.claims.copy()
    for column, empty in (("opposed", ""), ("p_opposed", np.nan)):
        if column not in claims:
            claims[column] = empty
    claims.loc[group, "opposed"], claims.loc[group, "p_opposed"] = " ".join(names), p_value
    members = set(one.members(group))
    said = []
    own, others = [n for n in names if n in members], [n for n in names if n not in members]
    if own:
        said.append(f"Of the group of {len(members)}, {_listed(own)} move{'s' * (len(own) == 1)} against the rest")
    if others:
        more = f"{_listed(others)}, not in it, move{'s' * (len(others) == 1)} against the group of {len(members)}"
        said.append(more if not own else f"so do{'es' * (len(others) == 1)} {_listed(others)}, not in it")
    if not said:
        return replace(one, claims=claims)
    answer = f"{one.answer} {'; '.join(said)}: when one rises, the other falls (p = {p_value:.2g})."
    return replace(one, claims=claims, answer=answer, rule=one.rule.replace(one.answer, answer, 1))


def _listed(names: list[str]) -> str:
    few = names[:NAMED]
    more = [f"{len(names) - len(few)} more"] if len(names) > len(few) else []
    words = [*few, *more]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
