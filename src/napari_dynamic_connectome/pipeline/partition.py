"""Communities of all components and kinds, judged together against chance."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import xarray as xr

from ..communities.judge import Candidate, Tested, candidates, claim, judged_matrix, tighten, untested
from ..communities.scan import beyond_pairs, strongest_group
from ..communities.seen import split_unseen, with_seen
from ..communities.tail import false_discovery, tail_p_value
from ..model.cluster import on_cluster
from ..model.cohort import Cohort
from ..model.execution import one_blas_thread, workers
from ..model.memory import check_room
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, part, report
from ..model.results import Communities, CommunityKind, Components
from .evidence import CARRIED, Standing, compared_matrix, component_groups, spreads, standings, worm_power
from .halves import split_alike, take_apart
from .opposed import with_opposed
from .settings import PipelineSettings
from .sides import with_sides
from .together import Together

Array = np.ndarray
T = TypeVar("T")
Key = tuple[int, CommunityKind]
STRONGEST = "strongest group"
"""Method of communities that are the strongest group itself, or nobody."""
UNKNOWN = "the components were not compared with chance"


def partition(
    components: Components,
    settings: PipelineSettings,
    *,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
    known: Mapping[Key, Communities] | None = None,
    keep: Callable[[dict[Key, Communities]], None] | None = None,
    cohort: Cohort | None = None,
    client: Any = None,
) -> dict[Key, Communities]:
    """Communities of every component and kind; those in `known` are taken, `keep` is told after each new one.

    Where the components were compared with surrogate cohorts (`Components.diagnostics["chance"]`), a community is kept if its
    statistic exceeds theirs, corrected over all components, kinds and communities (false discovery rate); everyone else is
    background. Components that are not beyond chance themselves, the background, and components that are others at the times at
    which these are active together, are not searched.
    Components and kinds are searched side by side, with the same result for any number of threads.

    Parameters
    ----------
    components : Components
    settings : PipelineSettings
    known : mapping, optional
        Communities of an interrupted call.
    keep : callable, optional
    cohort : Cohort, optional
        That the components were made from: communities that are hardly ever active together are asked whether they are two sides
        of one group (`sides`).
    client : dask.distributed.Client, optional
        Components and kinds are searched there; the result is the same.
    """
    chance = dict(components.diagnostics.get("chance", {}))
    jobs: list[Key] = [(c, k) for c in range(1, components.rank + 1) for k in settings.kinds]
    beside = _beside(components, chance, settings.chance.alpha)
    found: dict[Key, Communities] = {}
    listed: dict[Key, list[Candidate]] = {}
    report(progress, 0.0, "communities")

    def take(key: Key, one: Communities, own: list[Candidate]) -> None:
        found[key], listed[key] = one, own
        report(progress, 0.9 * len(found) / len(jobs), f"communities of component {key[0]} ({key[1]})")
        if keep is not None:
            keep(found)

    for key in jobs:
        old = None if known is None else known.get(key)
        if old is not None and old.state is None and old.method != STRONGEST:
            take(key, old, _listed(components, key, old, chance) if chance.get("surrogates") else [])
    task = _Task(components, settings, chance, beside)
    searched = _everywhere(client, _searched_alone, _Task.searched, task, [k for k in jobs if k not in found], cancel)
    with closing(searched):
        for key, (one, own) in searched:
            take(key, one, own)
    found = {key: found[key] for key in jobs}
    listed = {key: listed[key] for key in jobs}
    if not chance.get("surrogates"):
        why = str(chance.get("note") or UNKNOWN)
        return {key: untested(one, _weights(components, key), why) for key, one in found.items()}
    before, said = found, dict[Key, list[str]]()
    if cohort is not None:
        alpha = settings.chance.alpha
        sure = {
            key: [c.community for c in some if c.community >= 0 and c.p_value <= alpha] for key, some in listed.items()
        }
        found, said = take_apart(found, sure, components, cohort, settings, cancel)
        listed |= {key: _listed(components, key, found[key], chance) for key in said}
    judged = _claimed(task, found, listed, before, part(progress, 0.9, 0.95), cancel, client)
    alone = _in_one_worm(components)
    for key, one in judged.items():
        more = [
            *said.get(key, []),
            *([alone[key[0]]] if key[0] in alone and one.claims is not None and len(one.claims) else []),
        ]
        answer = " ".join([one.answer, *more])
        judged[key] = replace(one, answer=answer, rule=one.rule.replace(one.answer, answer, 1)) if more else one
    for key, one in judged.items():
        if beside[key[0] - 1].what == "joint":
            others = " and ".join(str(k + 1) for k in beside[key[0] - 1].of)
            answer = (
                f"Component {key[0]} is components {others} at the times at which they are active together; see these."
            )
            judged[key] = replace(one, answer=answer, rule=answer)
    if cohort is None:
        return judged
    sided = with_sides(judged, components, cohort, settings, cancel)
    return with_opposed(sided, components, cohort, settings, cancel, part(progress, 0.95, 1))


def _in_one_worm(components: Components) -> dict[int, str]:
    """Which components one of several worms carries, in words."""
    power, found = worm_power(components), {}
    for number, share in enumerate(power.max(axis=0) if len(power) > 1 else (), start=1):
        if share >= CARRIED:
            worm = components.worm["worm"].values[int(power[:, number - 1].argmax())]
            found[number] = (
                f"Mind that this is of one worm: {share:.0%} of the power of component {number} is in {worm}."
            )
    return found


def _beside(components: Components, chance: Mapping[str, Any], alpha: float) -> list[Standing]:
    """What every component is beside the others, where they were compared with surrogates."""
    if not chance.get("surrogates"):
        return [Standing("own")] * components.rank
    groups, together = component_groups(components), Together.of(components)
    return standings(groups, spreads(components), _tops(chance, "core"), alpha, together)


@dataclass(frozen=True, eq=False)
class _Task:
    """What is needed to search one component and kind, wherever that is done."""

    components: Components
    settings: PipelineSettings
    chance: Mapping[str, Any]
    beside: list[Standing]

    def searched(self, key: Key, cancel: CancelCallback | None) -> tuple[Communities, list[Candidate]]:
        """Communities that may be claimed, and what their p values are of."""
        components, settings, chance = self.components, self.settings, self.chance
        if not chance.get("surrogates"):
            return _find(components, key, settings, settings.seed, None, cancel), []
        one, own = _search(components, key, settings, chance, self.beside[key[0] - 1], None, cancel)
        return one, own if one.method == STRONGEST else _listed(components, key, one, chance)

    def again(self, key: Key, cancel: CancelCallback | None) -> Communities:
        """The same once more with another seed, without samples."""
        own = self.settings.communities.model_copy(update={"samples": 0, "null_fits": 0})
        settings = self.settings.model_copy(update={"communities": own})
        second = _find(self.components, key, settings, settings.seed + 1, None, cancel)
        return _level(second, _weights(self.components, key))


def _searched_alone(task: _Task, key: Key) -> tuple[Communities, list[Candidate]]:
    """One component and kind in a process of its own."""
    with one_blas_thread():
        return task.searched(key, None)


def _again_alone(task: _Task, key: Key) -> Communities:
    """A second run in a process of its own."""
    with one_blas_thread():
        return task.again(key, None)


def _everywhere(
    client: Any,
    alone: Callable[[_Task, Key], T],
    here: Callable[[_Task, Key, CancelCallback | None], T],
    task: _Task,
    keys: list[Key],
    cancel: CancelCallback | None,
) -> Generator[tuple[Key, T]]:
    """Keys with what was found: on a cluster as they are finished, or on threads in their order."""
    if client is not None and keys:
        yield from on_cluster(client, alone, task, keys, cancel=cancel)
        return
    with workers(cancel=cancel) as pool:

        def one(key: Key) -> T:
            check_cancel(pool.stopped)
            return here(task, key, pool.stopped)

        yield from pool.stream(one, keys)


def _claimed(
    task: _Task,
    found: Mapping[Key, Communities],
    listed: Mapping[Key, list[Candidate]],
    before: Mapping[Key, Communities],
    progress: ProgressCallback | None,
    cancel: CancelCallback | None,
    client: Any,
) -> dict[Key, Communities]:
    """Correct all p values together and keep what is beyond chance; with a second run where something is.

    before: what was found before groups were taken apart; those of the second run are, in the same way.
    """
    components, settings, chance = task.components, task.settings, task.chance
    alpha = settings.chance.alpha
    family = [(key, c) for key, some in listed.items() for c in some]
    corrected = false_discovery([c.p_value for _, c in family])
    values: dict[Key, dict[int, float]] = {key: {} for key in found}
    for (key, candidate), q in zip(family, corrected, strict=True):
        values[key][candidate.community] = float(q)
    what = f"{chance['surrogates']} surrogate cohorts ({chance['method']})"
    claimed = [
        k for k, one in found.items() if one.method == "nested sbm" and min(values[k].values(), default=1.0) <= alpha
    ]
    seconds: dict[Key, Communities] = {}
    with closing(_everywhere(client, _again_alone, _Task.again, task, claimed, cancel)) as runs:
        for key, second in runs:
            seconds[key] = split_alike(second, found[key], before[key])
            report(progress, len(seconds) / len(claimed), "a second run, to see what depends on chance")
    judged = {}
    for key, one in found.items():
        check_cancel(cancel)
        judged[key] = claim(
            one,
            _weights(components, key),
            Tested(listed[key], values[key], alpha, what),
            where=f"component {key[0]}",
            second=seconds.get(key),
            co_activity=settings.affinity.sign == "same",
        )
    return judged


def _search(
    components: Components,
    key: Key,
    settings: PipelineSettings,
    chance: Mapping[str, Any],
    beside: Standing,
    progress: ProgressCallback | None,
    cancel: CancelCallback | None,
) -> tuple[Communities, list[Candidate]]:
    """Communities of one component and kind that may be claimed, and their p values; nobody where none can be."""
    alpha = settings.chance.alpha
    matrix = judged_matrix(compared_matrix(components, key[0]), key[1])
    best = strongest_group(matrix)
    statistic = 0.0 if best is None else beyond_pairs(matrix, best.members)
    p_value = 1.0 if best is None else tail_p_value(statistic, _tops(chance, key[1]))
    together = Together.of(components)
    if beside.what in ("background", "joint", "chance") or best is None or p_value > alpha:
        nobody = _plain(components, key, np.full(len(components.neurons), -1))
        asked = key[1] == "core" if beside.what == "chance" else beside.what in ("own", "same")
        return nobody, [Candidate(-1, statistic, p_value)] if asked else []
    found = _level(_find(components, key, settings, settings.seed, progress, cancel), _weights(components, key))
    also = None if together is None else together.p_value
    listed = candidates(found, matrix, _tops(chance, key[1]), also)
    if any(c.p_value <= alpha for c in listed):
        return found, listed
    if key[1] == "modules":
        # What is densest once strengths are divided out need not hold together, if the block model does not find it: of three such
        # claims on planted cohorts none matched a motif. The question was asked and counts in the correction.
        return found, listed or [Candidate(-1, statistic, 1.0)]
    labels = np.full(len(components.neurons), -1)
    labels[list(best.members)] = 0
    labels, _ = split_unseen(_weights(components, key), labels)
    plain = _plain(components, key, labels)
    return plain, candidates(plain, matrix, _tops(chance, key[1]), also)


def _listed(components: Components, key: Key, found: Communities, chance: Mapping[str, Any]) -> list[Candidate]:
    together = Together.of(components)
    matrix = judged_matrix(compared_matrix(components, key[0]), key[1])
    return candidates(found, matrix, _tops(chance, key[1]), None if together is None else together.p_value)


def _find(
    components: Components,
    key: Key,
    settings: PipelineSettings,
    seed: int,
    progress: ProgressCallback | None,
    cancel: CancelCallback | None,
) -> Communities:
    """The block model's communities, not compared with shuffled weights."""
    from ..communities.find import fit_communities

    check_room("the search for communities")
    own = settings.communities.model_copy(update={"null_fits": 0, "null": "weights"})
    return fit_communities(components, own, component=key[0], kind=key[1], seed=seed, progress=progress, cancel=cancel)


def _level(found: Communities, weights: Array) -> Communities:
    """The finest level as the one that is shown, modules tightened: what is not beyond chance will be background.

    Sets of neurons that were hardly ever observed together are groups of their own.
    """
    if found.kind == "core":
        return with_seen(replace(found, chosen_level=0), weights)
    kept = tighten(weights, found.labels.values[0])
    labels = found.labels.values.copy()
    labels[0] = kept
    labels[1:-1, kept < 0] = -1
    return with_seen(replace(found, labels=found.labels.copy(data=labels), chosen_level=0), weights)


def _plain(components: Components, key: Key, labels: Array) -> Communities:
    """Communities of one level, without samples."""
    coords = {"level": [0], "neuron": np.asarray(components.neurons, dtype=object)}
    shape = (1, len(labels))
    return Communities(
        labels=xr.DataArray(labels.reshape(shape), dims=("level", "neuron"), coords=coords, name="community"),
        chosen_level=0,
        probability=xr.DataArray(np.full(shape, np.nan), dims=("level", "neuron"), coords=coords, name="probability"),
        kind=key[1],
        method=STRONGEST,
        provenance={"component": key[0], "kind": key[1]},
    )


def _weights(components: Components, key: Key) -> Array:
    return np.asarray(components.matrix(key[0]).values)


def _tops(chance: Mapping[str, Any], kind: str) -> Array:
    return np.asarray(chance["top" if kind == "core" else "top_modules"], float)
