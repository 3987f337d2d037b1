"""Left/right pairs as a positive control: they should be together more often than other pairs of the same neurons.

The null keeps all neurons and their strengths, and only shuffles which right neuron is called the partner of which left one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from ..model.neurons import left_right_pairs
from ..model.results import Communities, Components
from .functional import time_average
from .measures import percentile_ranks, permutation_p

Array = np.ndarray

COLUMNS = (
    "component",
    "pairs",
    "percentile",
    "percentile_chance",
    "p_percentile",
    "strength_ratio",
    "p_strength",
    "pairs_in_communities",
    "together",
    "together_chance",
    "p_together",
)


def left_right_report(
    components: Components | None,
    communities: Mapping[int, Communities] | None = None,
    *,
    mean_affinity: xr.DataArray | None = None,
    permutations: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare left/right pairs with mismatched pairs, component by component.

    Parameters
    ----------
    components : Components, optional
    communities : dict of component -> Communities, optional
        At their chosen level.
    mean_affinity : xarray.DataArray (neuron, neuron_b), optional
        Adds a row "affinity" for the time-averaged affinity.
    permutations : int
    seed : int

    Returns
    -------
    pandas.DataFrame
        One row a component, and a row "all" for their sum (every component times its mean over time and worms):

        * `pairs`: number of left/right pairs that were observed;
        * `percentile`: their mean percentile (0 to 1) by strength among all observed pairs, `percentile_chance` the same
          for mismatched pairs, `p_percentile` a one-sided p value;
        * `strength_ratio`: their mean strength over that of mismatched pairs, with `p_strength`. In a single component
          this says more than the percentile, as most pairs take no part in it;
        * `pairs_in_communities`: pairs with at least one neuron in a community; `together`: the share of them whose
          neurons are in the same one, with chance and p value.

        Fields that cannot be computed are NaN.
    """
    rows = []
    if mean_affinity is not None:
        rows.append({"component": "affinity"} | _strength(mean_affinity, permutations, seed))
    if components is not None:
        rows.append({"component": "all"} | _strength(time_average(components), permutations, seed))
    for component in range(1, components.rank + 1) if components is not None else ():
        row: dict[str, object] = {"component": str(component)}
        if components is not None:
            row |= _strength(components.matrix(component), permutations, seed)
        partition = (communities or {}).get(component)
        if partition is not None:
            row |= _together(partition, permutations, seed)
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _matchings(n: int, permutations: int, seed: int) -> Array:
    """Random reassignments of n right neurons to n left ones, (permutations, n)."""
    rng = np.random.default_rng(seed)
    return np.asarray(rng.permuted(np.tile(np.arange(n), (permutations, 1)), axis=1))


def _strength(matrix: xr.DataArray, permutations: int, seed: int) -> dict[str, object]:
    names = [str(n) for n in matrix["neuron"].values]
    index = {n: i for i, n in enumerate(names)}
    values = matrix.values.astype(float).copy()
    np.fill_diagonal(values, np.nan)
    upper = np.triu_indices(len(names), 1)
    ranks = np.full(values.shape, np.nan)
    ranks[upper] = percentile_ranks(values[upper])
    ranks.T[upper] = ranks[upper]
    pairs = [(index[a], index[b]) for a, b in left_right_pairs(names) if np.isfinite(values[index[a], index[b]])]
    result: dict[str, object] = {"pairs": len(pairs)}
    if len(pairs) < 2:
        return result
    left, right = np.array(pairs).T
    shuffled = _matchings(len(pairs), permutations, seed)
    rows = np.arange(len(pairs))
    # Mismatched pairs that no worm has seen are left out of the means.
    percentile, strength = float(ranks[left, right].mean()), float(values[left, right].mean())
    null_percentile = np.nanmean(ranks[np.ix_(left, right)][rows, shuffled], axis=1)
    null_strength = np.nanmean(values[np.ix_(left, right)][rows, shuffled], axis=1)
    chance = float(null_strength.mean())
    return result | {
        "percentile": percentile,
        "percentile_chance": float(null_percentile.mean()),
        "p_percentile": permutation_p(percentile, null_percentile),
        "strength_ratio": strength / chance if chance > 0 else float("nan"),
        "p_strength": permutation_p(strength, null_strength),
    }


def _together(partition: Communities, permutations: int, seed: int) -> dict[str, object]:
    names = list(partition.neurons)
    index = {n: i for i, n in enumerate(names)}
    labels = partition.labels.isel(level=partition.chosen_level).values
    pairs = [(index[a], index[b]) for a, b in left_right_pairs(names)]
    pairs = [(a, b) for a, b in pairs if labels[a] >= 0 or labels[b] >= 0]
    result: dict[str, object] = {"pairs_in_communities": len(pairs)}
    if len(pairs) < 2:
        return result
    left, right = labels[np.array(pairs)].T

    def share(partner: Array) -> Array:
        return np.asarray(((left == partner) & (left >= 0)).mean(axis=-1))

    observed = float(share(right))
    null = share(right[_matchings(len(pairs), permutations, seed)])
    return result | {
        "together": observed,
        "together_chance": float(null.mean()),
        "p_together": permutation_p(observed, null),
    }
