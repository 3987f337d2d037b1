"""Ceiling of agreement: how well two connectomes agree with each other, which nothing else can be expected to exceed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from ..model.network import Network
from .pairs import Measure
from .permutation import mantel_test

COLUMNS = (
    "kind",
    "first",
    "second",
    "n_neurons",
    "connections_first",
    "connections_second",
    "shared",
    "share_of_first",
    "share_of_second",
    "jaccard",
    "r",
    "low",
    "high",
)


def agreement_of_networks(networks: Sequence[Network], *, measure: Measure = "spearman") -> pd.DataFrame:
    """Compare every two networks of the same kind on the neurons that both hold.

    Parameters
    ----------
    networks : sequence of Network
    measure : {"spearman", "pearson"}

    Returns
    -------
    pandas.DataFrame
        One row a pair: kind, first, second, n_neurons, connections of each and those that are in both (ordered pairs where both
        have a direction), their share of each, jaccard (shared over either), r of the weights without direction, with its 95 %
        interval: the ceiling for a functional matrix, which has no direction. Pairs that share fewer than four neurons are left
        out.
    """
    rows = []
    for one, two in combinations(networks, 2):
        if one.kind != two.kind:
            continue
        shared = [n for n in one.neurons if n in set(two.neurons)]
        if len(shared) < 4:
            continue
        a, b = one.between(shared), two.between(shared)
        if not (a.directed and b.directed):
            a, b = a.symmetric(), b.symmetric()
        known = np.isfinite(a.weight.values) & np.isfinite(b.weight.values)
        if not a.directed:
            known = np.triu(known)
        first, second = a.weight.values[known] != 0, b.weight.values[known] != 0
        both, either = int((first & second).sum()), int((first | second).sum())
        test = None
        if first.any() and second.any():
            test = mantel_test(
                a.symmetric().weight.values, b.symmetric().weight.values, measure=measure, permutations=1
            )
        rows.append(
            (
                one.kind, one.name, two.name, len(shared), int(first.sum()), int(second.sum()), both,
                _share(both, int(first.sum())), _share(both, int(second.sum())), _share(both, either),
                *((test.r, test.low, test.high) if test else (float("nan"),) * 3),
            )
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
