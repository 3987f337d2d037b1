"""What a group of neurons and a set (a community, a class, a ganglion, a side) share, beside what chance gives them.

Goes in: groups and sets, as names, and all neurons that could have been members. Comes out: how many they share, how many chance
gives, and the chance of as many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from ..model.errors import InputError
from ..model.neurons import info
from ..model.progress import CancelCallback, check_cancel
from .measures import false_discovery_rate
from .pairs import orders_of, side_pairs

COLUMNS = (
    "group",
    "set",
    "members",
    "set_members",
    "shared",
    "expected",
    "ratio",
    "p_value",
    "q_value",
    "n_neurons",
    "shared_neurons",
)
FEWEST = 2
"""Members among the neurons that a group needs to be compared, and a set to be compared with."""
SIDES = {"L": "left", "R": "right"}


def shared_members(
    groups: Mapping[str, Collection[str]],
    sets: Mapping[str, Collection[str]],
    neurons: Sequence[str],
    *,
    permutations: int = 10_000,
    seed: int = 0,
    cancel: CancelCallback | None = None,
) -> pd.DataFrame:
    """Count what groups and sets share, and compare it with chance.

    Parameters
    ----------
    groups, sets : mapping of str to collection of str
        Members by name; those that are not among `neurons` do not count. Of either kind those with fewer than two are left out.
    neurons : sequence of str
        All that could be members, each once.
    permutations, seed : int
        Chance: neurons exchange places, the left and the right neuron of a pair together, left to left. So many orders are drawn;
        all of them where there are no more.
    cancel : callable, optional

    Returns
    -------
    pandas.DataFrame
        A row a group and set: group, set, members and set_members (among the neurons), shared, expected (mean under chance), ratio
        of the two, p_value (one-sided: chance shares as many or more), q_value (Benjamini and Hochberg, over all sets of one group),
        n_neurons, shared_neurons (names).

    Raises
    ------
    InputError
        A neuron is listed twice.
    """
    names = _once(neurons)
    mine, theirs = _large_enough(groups, names), _large_enough(sets, names)
    if not mine or not theirs:
        return pd.DataFrame(columns=list(COLUMNS))
    expected, p_values = _orders(mine, theirs, names, permutations, seed, cancel)
    return _table(mine, theirs, names, expected, p_values)


def shared_sides(groups: Mapping[str, Collection[str]], neurons: Sequence[str]) -> pd.DataFrame:
    """Count the left and the right neurons of groups, and compare them with chance.

    Parameters
    ----------
    groups : mapping of str to collection of str
    neurons : sequence of str
        As in `shared_members`.

    Returns
    -------
    pandas.DataFrame
        As `shared_members`, the sets being "left" and "right". Chance: the left and the right neuron of every pair exchange places
        by a coin of its own; a group that holds both of a pair holds one of either side whatever it shows. Computed exactly.
    """
    from scipy.stats import binom

    names = _once(neurons)
    entries = {n: info(n) for n in names}
    sided = {n: (e.pair_name, SIDES[e.side]) for n, e in entries.items() if e is not None and e.side}
    mine = _large_enough(groups, names)
    theirs = {side: frozenset(n for n, (_, own) in sided.items() if own == side) for side in SIDES.values()}
    theirs = {side: held for side, held in theirs.items() if len(held) >= FEWEST}
    if not mine or not theirs:
        return pd.DataFrame(columns=list(COLUMNS))
    expected = np.zeros((len(mine), len(theirs)))
    p_values = np.ones((len(mine), len(theirs)))
    for i, members in enumerate(mine.values()):
        counts = Counter(sided[n][0] for n in members if n in sided)
        whole, single = sum(n == 2 for n in counts.values()), sum(n == 1 for n in counts.values())
        expected[i] = whole + single / 2
        for j, others in enumerate(theirs.values()):
            p_values[i, j] = binom.sf(len(members & others) - whole - 1, single, 0.5)
    return _table(mine, theirs, names, expected, p_values)


def _once(neurons: Sequence[str]) -> list[str]:
    names = [str(n) for n in neurons]
    if len(set(names)) < len(names):
        raise InputError("a neuron is listed twice", where="groups and what they share", fix="List each once.")
    return names


def _large_enough(held: Mapping[str, Collection[str]], names: list[str]) -> dict[str, frozenset[str]]:
    known = set(names)
    within = {str(name): frozenset(map(str, members)) & known for name, members in held.items()}
    return {name: members for name, members in within.items() if len(members) >= FEWEST}


def _table(
    groups: Mapping[str, frozenset[str]],
    sets: Mapping[str, frozenset[str]],
    names: list[str],
    expected: np.ndarray,
    p_values: np.ndarray,
) -> pd.DataFrame:
    rows = []
    for i, (group, members) in enumerate(groups.items()):
        q_values = false_discovery_rate(p_values[i])
        for j, (one, others) in enumerate(sets.items()):
            both = [n for n in names if n in members and n in others]
            mean = float(expected[i, j])
            rows.append(
                {
                    "group": group,
                    "set": one,
                    "members": len(members),
                    "set_members": len(others),
                    "shared": len(both),
                    "expected": mean,
                    "ratio": len(both) / mean if mean > 0 else float("nan"),
                    "p_value": float(p_values[i, j]),
                    "q_value": float(q_values[j]),
                    "n_neurons": len(names),
                    "shared_neurons": "; ".join(both),
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _orders(
    groups: Mapping[str, frozenset[str]],
    sets: Mapping[str, frozenset[str]],
    names: list[str],
    permutations: int,
    seed: int,
    cancel: CancelCallback | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean of what is shared (group, set) when neurons exchange places, and the chance of as much as there is."""
    mine = np.array([[n in members for n in names] for members in groups.values()], np.float32)
    theirs = np.array([[n in members for n in names] for members in sets.values()], np.float32).T
    observed = mine @ theirs
    orders = orders_of(len(names), permutations, seed, side_pairs(names))
    total = np.zeros(observed.shape)
    hits = np.zeros(observed.shape, np.int64)
    count = 0
    for block in orders.blocks():
        check_cancel(cancel)
        count += len(block)
        for i in range(len(mine)):
            shared = mine[i][block] @ theirs
            total[i] += shared.sum(axis=0)
            hits[i] += (shared >= observed[i] - 0.5).sum(axis=0)
    p_values = hits / count if orders.exact else (1 + hits) / (1 + count)
    return total / count, p_values
