"""Which communities are beyond chance, how strong they are, and what every neuron is: member, overlapping, unsure, background.

A neuron's pull towards a community is the mean weight of its observed pairs with the members, on a scale that is 0 at the mean of
the members' pairs with everyone else and 1 at the mean inside. A member has a pull of at least one half; who has one half towards
two communities overlaps; who is inside with less or outside with more is unsure, and so is who changes sides in a second run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..model.results import Communities
from .levels import match_labels, number_levels
from .scan import LEAST, Standardised, beyond_pairs, beyond_strength, climb, default_largest, standardise
from .tail import tail_p_value

Array = np.ndarray[Any, Any]
DRAWS = 200
HALF = 0.5
HELD = 0.8
"""Share of a core that the group around it must hold."""
ACROSS = 3.0
TIGHTER = 20
"""Rounds in which members may leave a group."""
IMPROBABLE = 0.5
"""Members that the sampled partitions put elsewhere more often than this are unsure."""
TURNS = 0.1
"""Two communities with less than this share of what each has with all others are hardly ever active together."""
FEW_PAIRS = 3


@dataclass(frozen=True)
class Candidate:
    """A group that may be claimed: its number in the labels, its statistic and its p value."""

    community: int
    statistic: float
    p_value: float


def judged_matrix(weights: Array, kind: str) -> Standardised:
    """Matrix on which groups of a kind are judged: the weights, or what they are beyond the neurons' strengths."""
    return standardise(weights) if kind == "core" else beyond_strength(weights)


def tighten(weights: Array, labels: Array) -> Array:
    """Keep of every group the nodes that hold together in the weights themselves; the others become background.

    A group that is found beyond the strengths of its nodes may hold nodes of hardly any weight, and two sets that are linked to
    each other but not inside. Members with a pull of less than one half leave. So does a set that is hardly linked more inside than
    with other nodes, and `ACROSS` times more to the rest of its group than strong and weak members of one group are (the square
    of the mean weight across is the product of the means inside then).

    Parameters
    ----------
    weights : ndarray of float
        (N, N), NaN: not observed.
    labels : ndarray of int
        (N,), -1 = background.

    Returns
    -------
    ndarray of int
        (N,), with the same numbers; a group of fewer than `LEAST` nodes is background.
    """
    labels = labels.copy()
    values = np.asarray(weights, float).copy()
    np.fill_diagonal(values, np.nan)
    for group in np.unique(labels[labels >= 0]):
        for _ in range(TIGHTER):
            inside = labels == group
            if inside.sum() < LEAST:
                break
            leaving = _bystanders(values, inside)
            if not leaving.any():
                leaving = _second_side(values, inside)
            if not leaving.any():
                break
            labels[leaving] = -1
        if (labels == group).sum() < LEAST:
            labels[labels == group] = -1
    return labels


def _bystanders(values: Array, inside: Array) -> Array:
    """Members with a pull of less than one half (N,)."""
    low, high = _mean(values[np.ix_(inside, ~inside)]), _mean(values[np.ix_(inside, inside)])
    towards = values[:, inside]
    count = np.isfinite(towards).sum(axis=1)
    mean = np.where(count > 0, np.nansum(towards, axis=1) / np.maximum(count, 1), high)
    low = 0.0 if np.isnan(low) else low
    return inside & (mean - low < HALF * (high - low)) if high > low else np.zeros(len(inside), dtype=bool)


def _second_side(values: Array, inside: Array) -> Array:
    """Members that are linked to the other members, not to each other (N,); none in most groups."""
    none = np.zeros(len(inside), dtype=bool)
    members = np.flatnonzero(inside)
    own = values[np.ix_(members, members)]
    if not np.isfinite(own).any():
        return none
    vector = np.linalg.eigh(np.where(np.isfinite(own), own, _mean(own)))[1][:, 0]
    sides = [members[vector >= 0], members[vector < 0]]
    if min(map(len, sides)) < LEAST:
        return none
    means = [_mean(values[np.ix_(side, side)]) for side in sides]
    weak = int(np.nanargmin(means))
    outside = _mean(values[np.ix_(sides[weak], np.flatnonzero(~inside))])
    outside = 0.0 if np.isnan(outside) else outside
    across = _mean(values[np.ix_(*sides)])
    apart = across**2 > ACROSS * means[0] * means[1]
    if apart and means[weak] - outside < HALF / 2 * (_mean(own) - outside):
        none[sides[weak]] = True
    return none


def candidates(
    found: Communities,
    matrix: Standardised,
    tops: Sequence[float] | Array,
    also: Callable[[Collection[int]], float] | None = None,
) -> list[Candidate]:
    """Groups of the chosen level with their p values; groups of more than half of the observed neurons are left out.

    Parameters
    ----------
    found : Communities
    matrix : Standardised
        See `judged_matrix`.
    tops : sequence of float
        Statistic of the best group of every surrogate.
    also : callable, optional
        P value of the members of a group by another question; both have to be answered, so the larger one counts.
    """
    labels = found.labels.values[found.chosen_level]
    seen = int(matrix.observed.any(axis=1).sum())
    listed = []
    for community in np.unique(labels[labels >= 0]):
        members = np.flatnonzero(labels == community)
        if len(members) < LEAST or len(members) > seen / 2:
            continue
        statistic = beyond_pairs(matrix, members, statistic_of(matrix, members))
        p_value = tail_p_value(statistic, tops)
        listed.append(
            Candidate(int(community), statistic, p_value if also is None else max(p_value, also(members.tolist())))
        )
    return listed


def statistic_of(matrix: Standardised, members: Array) -> float:
    """Statistic of a group: its own, or that of the larger group around it if it is the core of that one.

    The core is where the larger group, which is reached by climbing from it, is densest: it holds most of the core, and the mean
    inside is not above that of the core. So the core of a graded group counts with all the evidence that there is for the group.
    """
    own = matrix.statistic(members)
    inside = np.zeros((1, matrix.n), dtype=bool)
    inside[0, members] = True
    (around,) = climb(matrix, inside, max(default_largest(matrix), len(members)))
    larger = np.asarray(around.members)
    held = len(np.intersect1d(larger, members)) >= HELD * len(members)
    if around.statistic <= own or not held or len(larger) < LEAST:
        return own
    return around.statistic if _density(matrix, members) >= _density(matrix, larger) else own


def _density(matrix: Standardised, members: Array) -> float:
    pairs = matrix.observed[np.ix_(members, members)].sum()
    return float(matrix.values[np.ix_(members, members)].sum() / pairs) if pairs else -np.inf


@dataclass(frozen=True)
class Tested:
    """What a comparison with chance said of some communities.

    Parameters
    ----------
    listed : sequence of Candidate
    q_values : mapping
        Community -> p value corrected over all that was tested.
    alpha : float
        What counts as beyond chance.
    chance : str
        What was compared with, in words.
    """

    listed: Sequence[Candidate]
    q_values: Mapping[int, float]
    alpha: float
    chance: str


def claim(
    found: Communities,
    weights: Array,
    tested: Tested,
    *,
    where: str,
    second: Communities | None = None,
    undecided: Collection[int] = (),
    co_activity: bool = False,
) -> Communities:
    """Keep the communities that are beyond chance; everyone else is background.

    Parameters
    ----------
    found : Communities
    weights : ndarray of float
        (N, N), NaN: not observed.
    tested : Tested
    where : str
        Where these communities are, for the answer ("component 3").
    co_activity : bool
        Whether the weights say who moves the same way at the same time: then it is said which communities take turns. In a graph
        of another kind groups without links are nothing special.
    second : Communities, optional
        Of an independent run: neurons on which it differs are unsure.
    undecided : collection of int, optional
        Communities that stay although chance explains each by itself, because together they are beyond chance: all of their
        neurons are unsure.
    """
    listed, q_values, alpha = tested.listed, tested.q_values, tested.alpha
    chosen = found.chosen_level
    old = found.labels.values
    passed = [c for c in listed if q_values.get(c.community, 1.0) <= alpha or c.community in undecided]
    kept = [c for c in passed if stronger_inside(weights, old[chosen], c)]
    background = ~np.isin(old[chosen], [c.community for c in kept])
    raw = old.copy()
    raw[:, background] = -1
    labels = number_levels(raw)
    renamed = {c.community: int(labels[chosen, np.flatnonzero(old[chosen] == c.community)[0]]) for c in kept}
    row = labels[chosen]
    observed = np.isfinite(weights)
    np.fill_diagonal(observed, False)
    claims = [
        {
            "community": renamed[c.community],
            "p_value": c.p_value,
            "q_value": q_values[c.community],
            "statistic": c.statistic,
        }
        | effect(weights, row == renamed[c.community])
        for c in kept
    ]
    columns = ["p_value", "q_value", "statistic", "inside", "outside", "ratio", "ratio_low", "ratio_high"]
    table = pd.DataFrame(claims, columns=["community", *columns]).set_index("community").sort_index()
    towards = pulls(weights, row, table)
    unsure = _unsure(found, chosen, row, towards, second, background)
    unsure |= np.isin(row, [renamed[c.community] for c in kept if q_values.get(c.community, 1.0) > alpha])
    overlaps = _overlaps(found.neurons, row, towards)
    states = np.full(labels.shape, "background", dtype=object)
    for level in range(len(labels)):
        states[level, labels[level] >= 0] = "member"
        states[level, [found.neurons.index(n) for n in overlaps["neuron"]]] = "overlapping"
        states[level, unsure] = "unsure"
        states[level, ~observed.any(axis=1)] = "not observed"
    significance = table[["statistic", "p_value"]].rename(columns={"statistic": "gain"})
    significance.attrs["p_more_than_one"] = float(min((c.p_value for c in listed), default=1.0))
    answer = sentence(found.kind, row, table, states[chosen], where, alpha)
    if co_activity:
        answer = " ".join([answer, *taking_turns(weights, row, table[table["q_value"] <= alpha])])
    return replace(
        found,
        labels=found.labels.copy(data=labels),
        probability=found.probability.copy(data=np.where(labels >= 0, found.probability.values, np.nan)),
        membership=_membership(found.membership, renamed),
        significance=significance,
        state=xr.DataArray(states, dims=found.labels.dims, coords=found.labels.coords, name="state"),
        claims=table,
        overlaps=overlaps,
        rule=f"{answer} Compared with {tested.chance}; corrected over all components, kinds and communities.",
        answer=answer,
    )


def untested(found: Communities, weights: Array, why: str) -> Communities:
    """Communities that could not be compared with chance: all memberships are unsure."""
    observed = np.isfinite(weights)
    np.fill_diagonal(observed, False)
    states = np.where(found.labels.values >= 0, "unsure", "background").astype(object)
    states[:, ~observed.any(axis=1)] = "not observed"
    state = xr.DataArray(states, dims=found.labels.dims, coords=found.labels.coords, name="state")
    return replace(found, state=state, answer=f"Not compared with chance: {why}.")


def stronger_inside(weights: Array, labels: Array, one: Candidate) -> bool:
    """Whether the mean weight inside a group is above that of its members' pairs with others."""
    inside = labels == one.community
    own = weights[np.ix_(inside, inside)].astype(float)
    np.fill_diagonal(own, np.nan)
    return _mean(own) > _mean(weights[np.ix_(inside, ~inside)])


def effect(weights: Array, inside: Array) -> dict[str, float]:
    """Mean weight inside, of members with others, and their ratio with its 95 % interval (bootstrap over members)."""
    members, others = np.flatnonzero(inside), np.flatnonzero(~inside)
    own = weights[np.ix_(members, members)].astype(float)
    np.fill_diagonal(own, np.nan)
    across = weights[np.ix_(members, others)]
    means = _mean(own), _mean(across)
    rng = np.random.default_rng(0)
    drawn = []
    sums, counts = np.nansum(across, axis=1), np.isfinite(across).sum(axis=1)
    filled, known = np.nan_to_num(own), np.isfinite(own).astype(float)
    for _ in range(DRAWS):
        times = np.bincount(rng.integers(len(members), size=len(members)), minlength=len(members)).astype(float)
        pairs, links = times @ known @ times, times @ counts
        if pairs > 0 and links > 0 and times @ sums > 0:
            drawn.append((times @ filled @ times / pairs) / (times @ sums / links))
    ratio = means[0] / means[1] if means[1] > 0 else float("inf")
    low, high = np.percentile(drawn, [2.5, 97.5]) if drawn else (float("nan"), float("nan"))
    return {
        "inside": means[0],
        "outside": means[1],
        "ratio": float(ratio),
        "ratio_low": float(low),
        "ratio_high": float(high),
    }


def pulls(weights: Array, labels: Array, table: pd.DataFrame) -> pd.DataFrame:
    """Pull of every node (rows) towards every claimed community (columns); NaN where no pair was observed."""
    values = np.asarray(weights, float).copy()
    np.fill_diagonal(values, np.nan)
    out = {}
    for community in table.index:
        towards = values[:, labels == community]
        count = np.isfinite(towards).sum(axis=1)
        mean = np.where(count > 0, np.nansum(towards, axis=1) / np.maximum(count, 1), np.nan)
        low, high = float(table.loc[community, "outside"]), float(table.loc[community, "inside"])
        out[community] = (mean - low) / (high - low) if high > low else np.full(len(mean), np.nan)
    return pd.DataFrame(out, index=range(len(values)))


def sentence(kind: str, labels: Array, table: pd.DataFrame, states: Array, where: str, alpha: float = 1.0) -> str:
    """What was found, in one or two sentences; communities with a corrected p above `alpha` are said to be unsure."""
    n = int((states != "not observed").sum())
    together = "act together" if kind == "core" else "hold together beyond their strengths"
    shown: dict[bool, list[int]] = {True: [], False: []}
    for community, q_value in zip(table.index, table["q_value"]):
        shown[bool(q_value <= alpha)].append(int((labels == community).sum()))
    rest = int(((labels < 0) & (states != "not observed")).sum())
    if not len(table):
        return f"No neurons {together} in {where} beyond chance; all {n} are background."
    if not shown[True]:
        groups = _groups(shown[False])
        return (
            f"Neurons {together} in {where}, but no single group is sure: {groups} are unsure, {rest} are background."
        )
    text = f"{_groups(shown[True])} {together} in {where}"
    if shown[False]:
        return f"{text}; {_groups(shown[False])} are unsure, the other {rest} are background."
    return f"{text}; the other {rest} are background."


def taking_turns(weights: Array, labels: Array, table: pd.DataFrame) -> list[str]:
    """Say which communities are apart from each other more than from the rest: neurons that rise, and those that fall meanwhile.

    An affinity of changes that go together is 0 between two such halves of one circuit, and each half a community of its own.

    Parameters
    ----------
    weights : array (node, node)
        Symmetric, NaN where not observed; nothing is said if there are negative ones.
    labels : array (node,)
        Communities, -1 for none.
    table : pandas.DataFrame
        Index: the communities that count; outside: mean weight of members with others.
    """
    found = []
    for pair in hardly_together(weights, labels, table):
        sizes = [int((labels == c).sum()) for c in pair]
        found.append(
            f"The groups of {sizes[0]} and {sizes[1]} neurons are hardly ever active together, less than a tenth as much as "
            "each with all others: they may be one circuit whose sides take turns."
        )
    return found


def hardly_together(weights: Array, labels: Array, table: pd.DataFrame) -> list[tuple[int, int]]:
    """Communities that are apart from each other more than from the rest, two and two; parameters as in `taking_turns`."""
    if np.nanmin(weights, initial=0.0) < 0:
        return []
    outside = table["outside"].astype(float).to_dict() if len(table) else {}
    return [
        (int(one), int(other))
        for one, other in combinations(table.index.tolist(), 2)
        if apart(weights, labels == one, labels == other, min(outside[one], outside[other]))
    ]


def apart(weights: Array, one: Array, other: Array, outside: float) -> bool:
    """Whether two groups (masks) are hardly ever together: their mean weight is below a tenth of that of members with others."""
    between = weights[np.ix_(one, other)]
    return bool(np.isfinite(between).sum() >= FEW_PAIRS and _mean(between) < TURNS * outside)


def _groups(sizes: Sequence[int]) -> str:
    """Sizes of groups in words."""
    if len(sizes) == 1:
        return f"{sizes[0]} neurons"
    return f"{len(sizes)} groups of {', '.join(map(str, sizes[:-1]))} and {sizes[-1]} neurons"


def _unsure(
    found: Communities, level: int, row: Array, towards: pd.DataFrame, second: Communities | None, background: Array
) -> Array:
    """Nodes whose side is not clear."""
    unsure = np.zeros(len(row), dtype=bool)
    if towards.shape[1]:
        best = np.nanmax(np.where(np.isfinite(towards), towards, -np.inf), axis=1)
        own = np.array([towards.loc[i, c] if c >= 0 else np.nan for i, c in enumerate(row)])
        unsure |= (row >= 0) & (own < HALF)
        unsure |= (row < 0) & (best >= HALF)
        sampled = found.probability.values[level]
        unsure |= (row >= 0) & (sampled < IMPROBABLE)
    if second is not None:
        other = second.labels.values[second.chosen_level]
        names = match_labels(row, other)
        renamed = np.array([names.get(int(g), -1) for g in other])
        unsure |= renamed != row
    return unsure


def _overlaps(neurons: Sequence[str], row: Array, towards: pd.DataFrame) -> pd.DataFrame:
    """Members whose pull towards another community is at least one half, too."""
    rows = []
    for node in np.flatnonzero(row >= 0):
        for other in towards.columns:
            if other != row[node] and towards.loc[node, other] >= HALF:
                rows.append((neurons[node], int(row[node]), int(other), float(towards.loc[node, other])))
    return pd.DataFrame(rows, columns=["neuron", "community", "other", "pull"])


def _membership(shares: xr.DataArray | None, renamed: Mapping[int, int]) -> xr.DataArray | None:
    """Membership shares of the claimed communities; the rest of every row is the background (-1)."""
    if shares is None:
        return None
    known = [int(c) for c in shares["community"].values]
    columns = {renamed[c]: shares.sel(community=c).values for c in known if c in renamed}
    order = sorted(columns)
    kept = np.stack([columns[c] for c in order], axis=1) if order else np.zeros((shares.sizes["neuron"], 0))
    rest = np.clip(1 - kept.sum(axis=1, keepdims=True), 0, 1)
    return xr.DataArray(
        np.concatenate([kept, rest], axis=1),
        dims=("neuron", "community"),
        coords={"neuron": shares["neuron"].values, "community": [*order, -1]},
        name="membership",
    )


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
