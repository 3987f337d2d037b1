"""Two results beside each other: which components and communities of one are in the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..factorization.match import ComponentMatch, match_components
from ..model.results import Communities, CommunityKind, Components
from ..model.summary import Summary
from ..model.text import counted

Array = np.ndarray
Found = Mapping[tuple[int, CommunityKind], Communities]


@dataclass(frozen=True, eq=False, repr=False)
class ResultComparison(Summary):
    """Two results, matched.

    Parameters
    ----------
    match : ComponentMatch
        Components of the first result and their partners in the second.
    partitions : pandas.DataFrame
        One row a matched component and kind that both have: component_a, component_b, kind, neurons (observed by both),
        communities_a, communities_b, ami (adjusted mutual information of the two partitions over these neurons, those outside all
        communities as one group; NaN where neither has a community).
    communities : pandas.DataFrame
        One row a community of the first result: component_a, component_b, kind, community_a, community_b (the one with the
        largest overlap; <NA> for none), jaccard, shared, only_a, only_b (neurons).
    """

    match: ComponentMatch
    partitions: pd.DataFrame
    communities: pd.DataFrame

    @property
    def lines(self) -> list[str]:
        """What was found, in sentences."""
        matched = self.match.table
        said = [
            f"{counted(len(matched), 'component')} matched over {', '.join(self.match.modes)} "
            f"({self.match.n_pairs} pairs of neurons in both), mean similarity {self.match.score:.2f}"
        ]
        for row in matched.itertuples():
            said.append(
                f"component {row.component_a} is {row.component_b} of the other, similarity {row.similarity:.2f}"
            )
            mine = self.partitions[self.partitions["component_a"] == row.component_a]
            for one in mine.itertuples():
                alike = "neither has a community" if np.isnan(one.ami) else f"AMI {one.ami:.2f}"
                said.append(
                    f"  {one.kind}: {one.communities_a} and {one.communities_b} communities over {one.neurons} neurons, {alike}"
                )
        return said


def compare_results(
    components_a: Components, communities_a: Found, components_b: Components, communities_b: Found
) -> ResultComparison:
    """Match two results of the same neurons, whatever the settings, seeds or worms behind them.

    Parameters
    ----------
    components_a, components_b : Components
    communities_a, communities_b : mapping of (component, kind) to Communities
        As a session holds them.

    Returns
    -------
    ResultComparison

    Raises
    ------
    InputError
        The two have no pair of neurons in common.

    Notes
    -----
    Components are matched one to one by the product of cosines (`match_components`); partitions are compared by adjusted mutual
    information (Vinh, Epps and Bailey 2010) at the level that each result shows.
    """
    match = match_components(components_a, components_b)
    partitions, groups = [], []
    for row in match.table.itertuples():
        for kind in ("core", "modules"):
            first = communities_a.get((int(row.component_a), kind))
            second = communities_b.get((int(row.component_b), kind))
            if first is None or second is None:
                continue
            about = {"component_a": int(row.component_a), "component_b": int(row.component_b), "kind": kind}
            of_a, of_b, names = _shared(first, second)
            partitions.append(
                {
                    **about,
                    "neurons": len(names),
                    "communities_a": len(set(of_a[of_a >= 0])),
                    "communities_b": len(set(of_b[of_b >= 0])),
                    "ami": _ami(of_a, of_b),
                }
            )
            groups += [{**about, **one} for one in _overlaps(of_a, of_b)]
    columns = ["component_a", "component_b", "kind", "neurons", "communities_a", "communities_b", "ami"]
    more = ["component_a", "component_b", "kind", "community_a", "community_b", "jaccard", "shared", "only_a", "only_b"]
    found = pd.DataFrame(groups, columns=more).astype({"community_b": "Int64"})
    return ResultComparison(match, pd.DataFrame(partitions, columns=columns), found)


def _shared(first: Communities, second: Communities) -> tuple[Array, Array, list[str]]:
    """Communities of the neurons that both observed, -1 for none."""
    held = []
    for one in (first, second):
        labels = one.labels.isel(level=one.chosen_level)
        groups = dict(zip((str(n) for n in labels["neuron"].values), labels.values.astype(int), strict=True))
        if one.state is not None:
            states = one.state.isel(level=one.chosen_level).values
            groups = {n: g for (n, g), s in zip(groups.items(), states, strict=True) if s != "not observed"}
        held.append(groups)
    names = [n for n in held[0] if n in held[1]]
    return np.array([held[0][n] for n in names], int), np.array([held[1][n] for n in names], int), names


def _ami(a: Array, b: Array) -> float:
    from sklearn.metrics import adjusted_mutual_info_score

    if not len(a) or ((a < 0).all() and (b < 0).all()):
        return float("nan")
    return float(adjusted_mutual_info_score(a, b))


def _overlaps(a: Array, b: Array) -> list[dict[str, object]]:
    """Best partner of every community of the first."""
    found = []
    for group in sorted(set(a[a >= 0])):
        mine = a == group
        best: tuple[float, int | None, Array] = (0.0, None, np.zeros(len(b), bool))
        for other in sorted(set(b[b >= 0])):
            theirs = b == other
            score = float((mine & theirs).sum() / (mine | theirs).sum())
            if score > best[0]:
                best = (score, int(other), theirs)
        score, partner, theirs = best
        found.append(
            {
                "community_a": int(group), "community_b": pd.NA if partner is None else partner, "jaccard": score,
                "shared": int((mine & theirs).sum()), "only_a": int((mine & ~theirs).sum()),
                "only_b": int((theirs & ~mine).sum()),
            }
        )  # fmt: skip
    return found
