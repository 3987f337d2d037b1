"""Communities of all components and kinds, judged together against chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from ..communities.judge import Candidate, Tested, candidates, claim, judged_matrix, tighten, untested
from ..communities.scan import strongest_group
from ..communities.tail import false_discovery, tail_p_value
from ..model.cohort import Cohort
from ..model.execution import workers
from ..model.memory import check_room
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, part, report
from ..model.results import Communities, CommunityKind, Components
from .evidence import Standing, compared_matrix, component_groups, spreads, standings
from .settings import PipelineSettings

Array = np.ndarray
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
        Not needed any more: the surrogates are known from the components.
    """
    del cohort
    chance = dict(components.diagnostics.get("chance", {}))
    jobs: list[Key] = [(c, k) for c in range(1, components.rank + 1) for k in settings.kinds]
    found: dict[Key, Communities] = {}
    listed: dict[Key, list[Candidate]] = {}
    beside = _beside(components, chance, settings.chance.alpha)
    report(progress, 0.0, "communities")
    with workers(cancel=cancel) as pool:

        def searched(key: Key) -> tuple[Communities, list[Candidate]]:
            check_cancel(pool.stopped)
            own: list[Candidate] = []
            if known is not None and key in known and known[key].state is None and known[key].method != STRONGEST:
                one = known[key]
            elif chance.get("surrogates"):
                one, own = _search(components, key, settings, chance, beside[key[0] - 1], None, pool.stopped)
            else:
                one = _find(components, key, settings, settings.seed, None, pool.stopped)
            if chance.get("surrogates") and one.method != STRONGEST:
                own = _listed(components, key, one, chance)
            return one, own

        for done, (key, (one, own)) in enumerate(pool.stream(searched, jobs), start=1):
            found[key], listed[key] = one, own
            report(progress, 0.9 * done / len(jobs), f"communities of component {key[0]} ({key[1]})")
            if keep is not None:
                keep(found)
    if not chance.get("surrogates"):
        why = str(chance.get("note") or UNKNOWN)
        return {key: untested(one, _weights(components, key), why) for key, one in found.items()}
    judged = _claimed(components, settings, chance, found, listed, part(progress, 0.9, 1), cancel)
    for key, one in judged.items():
        if beside[key[0] - 1].what == "joint":
            others = " and ".join(str(k + 1) for k in beside[key[0] - 1].of)
            answer = (
                f"Component {key[0]} is components {others} at the times at which they are active together; see these."
            )
            judged[key] = replace(one, answer=answer, rule=answer)
    return judged


def _beside(components: Components, chance: Mapping[str, Any], alpha: float) -> list[Standing]:
    """What every component is beside the others, where they were compared with surrogates."""
    if not chance.get("surrogates"):
        return [Standing("own")] * components.rank
    return standings(component_groups(components), spreads(components), _tops(chance, "core"), alpha)


def _claimed(
    components: Components,
    settings: PipelineSettings,
    chance: Mapping[str, Any],
    found: Mapping[Key, Communities],
    listed: Mapping[Key, list[Candidate]],
    progress: ProgressCallback | None,
    cancel: CancelCallback | None,
) -> dict[Key, Communities]:
    """Correct all p values together and keep what is beyond chance; with a second run where something is."""
    alpha = settings.chance.alpha
    family = [(key, c) for key, some in listed.items() for c in some]
    corrected = false_discovery([c.p_value for _, c in family])
    values: dict[Key, dict[int, float]] = {key: {} for key in found}
    for (key, candidate), q in zip(family, corrected, strict=True):
        values[key][candidate.community] = float(q)
    what = f"{chance['surrogates']} surrogate cohorts ({chance['method']})"
    again = settings.communities.model_copy(update={"samples": 0, "null_fits": 0})
    again_settings = settings.model_copy(update={"communities": again})
    claimed = [
        k for k, one in found.items() if one.method == "nested sbm" and min(values[k].values(), default=1.0) <= alpha
    ]
    seconds: dict[Key, Communities] = {}
    with workers(cancel=cancel) as pool:

        def other(key: Key) -> Communities:
            second = _find(components, key, again_settings, settings.seed + 1, None, pool.stopped)
            return _level(second, _weights(components, key))

        for done, (key, second) in enumerate(pool.stream(other, claimed), start=1):
            seconds[key] = second
            report(progress, done / len(claimed), "a second run, to see what depends on chance")
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
    p_value = 1.0 if best is None else tail_p_value(best.statistic, _tops(chance, key[1]))
    if beside.what in ("background", "joint", "chance") or best is None or p_value > alpha:
        nobody = _plain(components, key, np.full(len(components.neurons), -1))
        asked = key[1] == "core" if beside.what == "chance" else beside.what in ("own", "same")
        return nobody, [Candidate(-1, 0.0 if best is None else best.statistic, p_value)] if asked else []
    found = _level(_find(components, key, settings, settings.seed, progress, cancel), _weights(components, key))
    listed = candidates(found, matrix, _tops(chance, key[1]))
    if any(c.p_value <= alpha for c in listed):
        return found, listed
    if key[1] == "modules":
        # What is densest once strengths are divided out need not hold together, if the block model does not find it: of three such
        # claims on planted cohorts none matched a motif. The question was asked and counts in the correction.
        return found, listed or [Candidate(-1, best.statistic, 1.0)]
    labels = np.full(len(components.neurons), -1)
    labels[list(best.members)] = 0
    return _plain(components, key, labels), [Candidate(0, best.statistic, p_value)]


def _listed(components: Components, key: Key, found: Communities, chance: Mapping[str, Any]) -> list[Candidate]:
    return candidates(found, judged_matrix(compared_matrix(components, key[0]), key[1]), _tops(chance, key[1]))


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
    """The finest level as the one that is shown, modules tightened: what is not beyond chance will be background."""
    if found.kind == "core":
        return replace(found, chosen_level=0)
    kept = tighten(weights, found.labels.values[0])
    labels = found.labels.values.copy()
    labels[0] = kept
    labels[1:-1, kept < 0] = -1
    return replace(found, labels=found.labels.copy(data=labels), chosen_level=0)


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
