"""Evidence for components: which are beyond chance, which one is the background, and how many there are.

A component is beyond chance if it holds a group of neurons that is linked more strongly than the strongest group of any
component of most surrogate cohorts. The background takes in nearly everyone, evenly. The rank that is suggested is the smallest
one that shows all components which are beyond chance and not others once more: where two motifs are at times active together, a
fit with components to spare gives one to these times.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..communities.scan import LEAST, beyond_pairs, standardise, strongest_group
from ..communities.tail import false_discovery, share_interval, tail_p_value
from ..model.evidence import EVENLY, NOTHING, SUPPORT
from ..model.results import Components
from .together import Together

TAKES_PART = 0.5
"""A worm takes part in a component if its loading is at least this share of the root mean square of the worms' loadings."""
CARRIED = 0.6
"""Share of a component's power in one worm from which on a warning is given."""
ALIKE = 0.5
"""Components whose strongest groups share at least this much of the neurons of either are the same."""


def compared_matrix(components: Components, component: int) -> np.ndarray:
    """Matrix (N, N) of one component that is compared with surrogates; NaN on the diagonal and where not observed.

    The pair factor as it is on the bins to which surrogates are fitted; the component itself if it was not compared with any.
    """
    pair = components.diagnostics.get("chance", {}).get("pair")
    if pair is None:
        weights = np.array(components.matrix(component).values, float)
    else:
        factor, weight = np.asarray(pair, float)[:, component - 1], float(components.weight.values[component - 1])
        weights = components.symmetric(factor * weight)
    np.fill_diagonal(weights, np.nan)
    return weights


def component_groups(components: Components) -> list[tuple[float, frozenset[int]]]:
    """Statistic and members of the strongest group of every component; (0, nobody) where there is none."""
    return [strongest_of(compared_matrix(components, number)) for number in range(1, components.rank + 1)]


def strongest_of(weights: np.ndarray) -> tuple[float, frozenset[int]]:
    """Statistic and members of the strongest group of a matrix (N, N); (0, nobody) where there is none.

    What a group has from single pairs does not count.
    """
    matrix = standardise(weights)
    best = strongest_group(matrix)
    return (0.0, frozenset[int]()) if best is None else (beyond_pairs(matrix, best.members), frozenset(best.members))


def spreads(components: Components) -> np.ndarray:
    """Coefficient of variation of the neurons' strengths, one a component."""
    found = []
    for number in range(1, components.rank + 1):
        strength = components.strength(number).values
        mean = float(np.nanmean(strength))
        found.append(float(np.nanstd(strength)) / mean if mean > 0 else 0.0)
    return np.array(found)


def worm_power(components: Components) -> np.ndarray:
    """Share of every component's power in each worm, (worm, component)."""
    power = np.asarray(components.worm.values, float) ** 2
    total = power.sum(axis=0, keepdims=True)
    return np.asarray(power / np.where(total > 0, total, 1.0))


def component_support(components: Components, tops: Sequence[float] | np.ndarray, alpha: float = 0.05) -> pd.DataFrame:
    """What speaks for each component, columns `model.evidence.SUPPORT`, index component.

    Parameters
    ----------
    components : Components
    tops : sequence of float
        Largest statistic of each surrogate cohort at this rank; empty: not tested (p values are NaN).
    alpha : float
        From which p value on a component counts as beyond chance.
    """
    spread, power = spreads(components), worm_power(components)
    groups = component_groups(components)
    n_worms = len(power)
    loading = np.sqrt(power)
    usual = np.sqrt((loading**2).mean(axis=0, keepdims=True))
    part = (loading >= TAKES_PART * usual) & (loading > 0)
    table = pd.DataFrame(
        index=pd.RangeIndex(1, components.rank + 1, name="component"), columns=list(SUPPORT), dtype=float
    )
    together = Together.of(components)
    beside = standings(groups, spread, tops, alpha, together) if len(tops) else [Standing("")] * components.rank
    table["background"] = (spread <= EVENLY) | [one.what == "background" for one in beside]
    table["spread"] = spread
    table["statistic"] = [s for s, _ in groups]
    p_values = np.array([tail_p_value(s, tops) for s, _ in groups])
    table["p_value"] = np.where(table["background"], np.nan, p_values)
    table["q_value"] = false_discovery(table["p_value"].to_numpy(float))
    table["worms"] = part.sum(axis=0)
    table["worms_in_all"] = n_worms
    intervals = [share_interval(int(k), n_worms) for k in part.sum(axis=0)]
    table["worms_low"], table["worms_high"] = (np.array([i[side] for i in intervals]) for side in (0, 1))
    table["largest_worm_share"] = power.max(axis=0)
    table["warning"] = [
        _warning(components, number, power[:, number - 1], beside[number - 1]) for number in table.index
    ]
    return table[list(SUPPORT)]


def _warning(components: Components, component: int, power: np.ndarray, beside: Standing) -> str:
    """What a reader should know before trusting a component."""
    said = []
    if beside.of:
        others = " and ".join(str(k + 1) for k in beside.of)
        said.append(f"its neurons are those of component{'s' * (len(beside.of) > 1)} {others}")
    if len(power) > 1 and power.max() >= CARRIED:
        worm = str(components.worm["worm"].values[int(power.argmax())])
        said.append(f"{power.max():.0%} of its power is in one worm ({worm})")
    leading = components.leading(component).head(5)
    few = [str(n) for n, seen in leading["worms"].items() if seen == 1]
    if len(power) > 2 and len(few) >= 3:
        said.append(f"{len(few)} of its 5 leading neurons were seen in one worm ({', '.join(few)})")
    return "; ".join(said)


@dataclass(frozen=True)
class Standing:
    """What a component is beside the others of its fit.

    Parameters
    ----------
    what : {"own", "background", "chance", "joint", "same"}
        Own: beyond chance, and not one of the others. Joint: its strongest group is made of the groups of several other components,
        which are at times active together. Same: its group is that of a stronger component.
    of : tuple of int
        The other components (from 0) of which it is made, or that it is the same as.
    rest : bool
        A background that is not even: its strongest group is what is left where others have taken their neurons out.
    """

    what: str
    of: tuple[int, ...] = ()
    rest: bool = False


def standings(
    groups: Sequence[tuple[float, frozenset[int]]],
    spread: np.ndarray,
    tops: Sequence[float] | np.ndarray,
    alpha: float,
    together: Together | None = None,
) -> list[Standing]:
    """What every component is, from the statistics and members of the strongest groups and the spread of the strengths.

    A group that is no more active together, beyond what its members are with others, than the same neurons of surrogate cohorts is what is
    left where other components have taken their neurons out, and so is its component: background.
    """
    found = []
    for (statistic, members), even in zip(groups, spread, strict=True):
        beyond = len(members) >= LEAST and tail_p_value(statistic, tops) <= alpha
        rest = bool(beyond and even > EVENLY and together is not None and together.p_value(members) > alpha)
        found.append(Standing("background" if even <= EVENLY or rest else "own" if beyond else "chance", rest=rest))
    sets = {k: groups[k][1] for k, one in enumerate(found) if one.what == "own"}
    for k in sorted(sets, key=lambda k: (len(sets[k]), k)):
        parts = _parts(sets[k], {i: other for i, other in sets.items() if i != k and found[i].what == "own"})
        if parts:
            found[k] = Standing("joint", parts)
    kept: list[int] = []
    for k in sorted((k for k in sets if found[k].what == "own"), key=lambda k: -groups[k][0]):
        same = [i for i in kept if _shared(sets[k], sets[i]) >= ALIKE]
        if same:
            found[k] = Standing("same", (same[0],))
        else:
            kept.append(k)
    return found


def _parts(members: frozenset[int], others: Mapping[int, frozenset[int]]) -> tuple[int, ...]:
    """Smaller groups, two or more different ones, that a group is made of; none if one of them is as close to it as all together."""
    inside: dict[int, frozenset[int]] = {}
    for i, other in sorted(others.items(), key=lambda item: (-len(item[1]), item[0])):
        part = len(other) < len(members) and len(other & members) >= ALIKE * len(other)
        if part and all(_shared(other, one) < ALIKE for one in inside.values()):
            inside[i] = other
    if len(inside) < 2:
        return ()
    together = _shared(members, frozenset().union(*inside.values()))
    closest = max(_shared(members, other) for other in inside.values())
    return tuple(sorted(inside)) if together >= ALIKE and together > closest else ()


def _shared(one: frozenset[int], other: frozenset[int]) -> float:
    """Jaccard index."""
    return len(one & other) / max(len(one | other), 1)


def believable(
    groups: Sequence[tuple[float, frozenset[int]]],
    spread: np.ndarray,
    tops: Sequence[float] | np.ndarray,
    alpha: float,
    apart: Collection[int] = (),
    together: Together | None = None,
) -> int:
    """Number of components beyond chance that are no background, not others once more, alone or together, and not set apart."""
    return sum(
        one.what == "own" and k not in apart for k, one in enumerate(standings(groups, spread, tops, alpha, together))
    )


def carried_by_one(components: Components) -> frozenset[int]:
    """Components (from 0) of which one worm has most of the power, in a cohort of three worms or more."""
    return carried(worm_power(components))


def carried(power: np.ndarray) -> frozenset[int]:
    """As `carried_by_one`, from the share of every component's power in each worm (worm, component)."""
    return frozenset(np.flatnonzero(power.max(axis=0) >= CARRIED).tolist()) if len(power) >= 3 else frozenset()


def choose_rank(counts: Mapping[int, int], any_p: float, first_p: float, alpha: float) -> int:
    """Rank to suggest: the smallest one with the largest number of believable components, 0 for nothing.

    Parameters
    ----------
    counts : mapping
        Rank -> believable components, of the ranks that were tried.
    any_p : float
        P value of 'the first ranks explain more than chance'.
    first_p : float
        The same of rank 1 alone: where nothing else stands out, everybody moving together is one component, or as few as were
        tried.
    alpha : float
    """
    most = max(counts.values(), default=0)
    if not any_p <= alpha:
        return 0
    if most == 0:
        return min(counts, default=1) if first_p <= alpha else 0
    return min(rank for rank, count in counts.items() if count == most)


def reason_for(
    rank: int, count: int, table: pd.DataFrame, surrogates: int, any_p: float, *, set_apart: bool = False
) -> str:
    """Why a rank is suggested, in words; `set_apart`: components that one worm carries were not counted."""
    if rank == 0:
        return (
            f"{NOTHING}: the cohort is explained no better than {surrogates} cohorts whose neurons were shifted in time "
            f"(p = {any_p:.2g})" + ("." if any_p > 0.05 else ", or no component stands out of theirs.")
        )
    rows = table.set_index("rank")
    row: Any = rows.loc[1 if count == 0 else rank]
    if count == 0:
        tried = "" if rank == 1 else " is the smallest rank that was tried"
        return (
            f"{rank}{tried}: all neurons together explain {row['gain']:.1%} of the affinities, time-shifted cohorts "
            f"{row['chance_gain']:.1%} (p = {row['p_gain']:.2g}); no group stands out."
        )
    which = "1 component" if count == 1 else f"{count} different components"
    left_out = "the background and what one worm carries" if set_apart else "the background"
    return (
        f"{rank} is the smallest rank with {which} beyond chance ({left_out} not counted) in most random starts; more ranks "
        "show no further one. "
        f"Its last component explains {row['gain']:.2%} of the affinities, time-shifted cohorts {row['chance_gain']:.2%} "
        f"(p = {row['p_gain']:.2g})."
    )
