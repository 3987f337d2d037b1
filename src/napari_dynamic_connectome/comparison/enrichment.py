"""Enrichment of connections inside communities: shares, odds ratio with interval, three kinds of chance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..model.errors import InputError
from ..model.network import Network
from ..model.progress import CancelCallback
from ..model.results import Communities
from .functional import together
from .measures import false_discovery_rate
from .pairs import dyadic_error, side_pairs
from .permutation import degree_test, mantel_test
from .regression import matrix_regression

Array = np.ndarray

COLUMNS = (
    "communities",
    "community",
    "network",
    "kind",
    "members",
    "inside",
    "outside",
    "odds_ratio",
    "low",
    "high",
    "weight_ratio",
    "p_value",
    "p_degrees",
    "p_partial",
    "n_neurons",
    "n_pairs",
)
ALL = "all"


def enrichment(
    communities: Communities,
    network: Network,
    *,
    name: str = "communities",
    covariates: Mapping[str, Array] | None = None,
    permutations: int = 10_000,
    rewired: int = 1000,
    seed: int = 0,
    pairs_together: bool = True,
    cancel: CancelCallback | None = None,
) -> pd.DataFrame:
    """Compare connections inside communities with those that lead out of them.

    Parameters
    ----------
    communities : Communities
        At the chosen level.
    network : Network
        Links are the pairs with a weight other than 0; direction is left out (a pair is linked if it is in one direction).
    name : str
        Of the partition, for the table.
    covariates : dict of name -> array (neuron, neuron), optional
        In the order of `communities.neurons`: distance, left/right pairs.
    permutations, rewired, seed : int
        See `structure.compare_structure`; 0 rewired networks: none.
    pairs_together : bool
        Left and right neuron of a pair change places together.

    Returns
    -------
    pandas.DataFrame
        A row "all" for all communities together, and one a community of at least two shared neurons. `inside`: share of the pairs
        inside that are linked; `outside`: share of the pairs with exactly one neuron in the community (row "all": in different
        communities, or one in a community and one in the background). `odds_ratio` with its 95 % interval (half a pair is added to
        each of the four counts; the error of its logarithm allows for pairs that share a neuron), `weight_ratio`
        of the mean weights. `p_value`: community labels exchange neurons. `p_degrees`: number of links inside in rewired networks,
        in which all known pairs take part. `p_partial`: beside the covariates (row "all" only). All two-sided. Values that cannot be computed are NaN.

    Raises
    ------
    InputError
        Fewer than four shared neurons.
    """
    shared = [n for n in communities.neurons if n in set(network.neurons)]
    if len(shared) < 4:
        raise InputError(
            f"{network.title} and the communities share {len(shared)} neurons",
            where=name,
            fix="At least 4 are needed; check that the names are canonical.",
        )
    weights = network.symmetric("sum").between(shared).weight.values
    place = [communities.neurons.index(n) for n in shared]
    labels = communities.labels.isel(level=communities.chosen_level).values[place]
    inside_all = together(communities).values[np.ix_(place, place)]
    kept = {k: np.asarray(v, float)[np.ix_(place, place)] for k, v in (covariates or {}).items()}
    sides = side_pairs(shared) if pairs_together else None
    about = {"communities": name, "network": network.name, "kind": network.kind}
    rows = [
        about
        | {"community": ALL, "members": int((labels >= 0).sum())}
        | _one(weights, inside_all, kept, permutations, rewired, seed, sides, cancel)
    ]
    for community in np.unique(labels[labels >= 0]):
        mine = labels == community
        if mine.sum() < 2:
            continue
        values = np.where(mine[:, None] & mine[None], 1.0, np.where(mine[:, None] | mine[None], 0.0, np.nan))
        one = _one(weights, values, {}, permutations, rewired, seed, sides, cancel)
        rows.append(about | {"community": str(int(community)), "members": int(mine.sum())} | one)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def with_q(table: pd.DataFrame) -> pd.DataFrame:
    """Add q_value: false discovery rate over the rows "all", and apart from them over the single communities."""
    table = table.copy()
    table["q_value"] = np.nan
    for _, part in table.groupby(table["community"] == ALL):
        table.loc[part.index, "q_value"] = false_discovery_rate(part["p_value"])
    return table


def _one(
    weights: Array,
    inside: Array,
    covariates: Mapping[str, Array],
    permutations: int,
    rewired: int,
    seed: int,
    sides: Array | None,
    cancel: CancelCallback | None,
) -> dict[str, Any]:
    link = np.where(np.isfinite(weights), (np.nan_to_num(weights) != 0).astype(float), np.nan)
    known = np.isfinite(link) & np.isfinite(inside)
    np.fill_diagonal(known, False)
    upper = np.triu(known)
    rows, columns = np.nonzero(upper)
    own, linked = inside[upper] == 1, link[upper] == 1
    ratio, low, high = odds_ratio(rows, columns, own, linked, len(weights))
    mean_out = float(weights[upper][~own].mean()) if (~own).any() else float("nan")
    mean_in = float(weights[upper][own].mean()) if own.any() else float("nan")
    result: dict[str, Any] = {
        "inside": float(linked[own].mean()) if own.any() else float("nan"),
        "outside": float(linked[~own].mean()) if (~own).any() else float("nan"),
        "odds_ratio": ratio,
        "low": low,
        "high": high,
        "weight_ratio": mean_in / mean_out if mean_out else float("nan"),
        "n_neurons": len(np.unique(np.r_[rows, columns])),
        "n_pairs": len(rows),
    }
    common: dict[str, Any] = {"measure": "pearson", "directed": False, "seed": seed, "cancel": cancel}
    try:
        # the correlation of linked (0/1) and inside (0/1) rises with the odds ratio: same test, no logarithm of zero
        result["p_value"] = mantel_test(link, inside, permutations=permutations, sides=sides, **common).p_value
    except InputError:
        return result
    if rewired:
        # links between background neurons are exchanged, too: without them the links of a single community inside and outside add
        # up to its neurons' numbers of links, and no network with these numbers has others
        among = np.where(np.isfinite(inside), inside, 0.0)
        result["p_degrees"] = degree_test(among, link, networks=rewired, sides=sides, **common).p_value
    if covariates:
        try:
            found = matrix_regression(
                link,
                {"together": inside} | dict(covariates),
                tested=("together",),
                permutations=permutations,
                sides=sides,
                **common,
            )
            result["p_partial"] = float(found.loc[0, "p_value"])
        except InputError:
            result["p_partial"] = float("nan")
    return result


def odds_ratio(rows: Array, columns: Array, inside: Array, linked: Array, n: int) -> tuple[float, float, float]:
    """Odds of a link inside over those outside, with a 95 % interval.

    Parameters
    ----------
    rows, columns : array of int (pair,)
    inside, linked : array of bool (pair,)
    n : int
        Number of neurons.

    Returns
    -------
    ratio, low, high : float
        Half a pair is added to every count (Haldane 1956; Anscombe 1956). The standard error of the logarithm allows for
        pairs that share a neuron (`pairs.dyadic_error`); NaN for fewer than 10 neurons.
    """
    kind = 2 * inside.astype(int) + linked.astype(int)
    counts = np.bincount(kind, minlength=4).astype(float)
    if counts[2:].sum() == 0 or counts[:2].sum() == 0:
        return float("nan"), float("nan"), float("nan")
    value = _log_odds(counts)
    sign = np.array([1.0, -1.0, -1.0, 1.0])
    error = dyadic_error(rows, columns, (sign / (counts + 0.5))[kind], n)
    return math.exp(value), math.exp(value - 1.96 * error), math.exp(value + 1.96 * error)


def _log_odds(counts: Array) -> Any:
    none_out, link_out, none_in, link_in = counts + 0.5
    return np.log(link_in * none_out / (none_in * link_out))
