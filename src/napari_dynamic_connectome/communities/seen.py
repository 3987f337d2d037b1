"""Groups whose members were hardly ever observed together: as many groups as there are sets that were.

A pair that no worm observed has no say in a block model, so two groups that were never seen in the same worms may share a block: nothing
speaks for it, nothing against it. What is claimed as one group has to have been seen as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from ..model.results import Communities
from .scan import LEAST

Array = np.ndarray[Any, Any]
SEEN = 0.25
"""Two sets of which more than this share of the pairs was observed stay as the block model has them."""
LINKED = 0.25
"""Pull (0: that of members with others, 1: inside) between two sets that belong together."""


def split_unseen(weights: Array, labels: Array) -> tuple[Array, dict[int, int]]:
    """Give sets of a group that were not observed together labels of their own.

    Members are joined, the pair of sets with the strongest evidence first (sum of the pulls of observed pairs over the root of their
    number), as long as the mean pull between the two is `LINKED` or more, then wherever more than `SEEN` of their pairs were
    observed. Sets of fewer than `LEAST` nodes go to the set that they are linked to most. A group that was seen stays as it is.

    Parameters
    ----------
    weights : ndarray of float
        (N, N), symmetric; NaN: not observed.
    labels : ndarray of int
        (N,), -1 = background.

    Returns
    -------
    labels : ndarray of int
        (N,); the largest set of a group keeps its number, others get new ones.
    of : dict
        New number -> number of the group that it was in.
    """
    labels = labels.copy()
    values = np.asarray(weights, float).copy()
    np.fill_diagonal(values, np.nan)
    of: dict[int, int] = {}
    for group in np.unique(labels[labels >= 0]).tolist():
        members = np.flatnonzero(labels == group)
        sets = _sets(values, members, labels == group)
        for part in sorted(sets, key=lambda s: (-len(s), s.tolist()))[1:]:
            number = int(labels.max()) + 1
            labels[members[part]], of[number] = number, int(group)
    return labels, of


def with_seen(found: Communities, weights: Array) -> Communities:
    """Split groups of the finest level whose members were not observed together; all else as it was."""
    labels, of = split_unseen(weights, found.labels.values[0])
    return with_parts(found, labels, of) if of else found


def with_parts(found: Communities, finest: Array, of: Mapping[int, int]) -> Communities:
    """Communities with parts of groups as groups of their own at the finest level.

    The share of partitions in which a neuron is in the group is that in the part that it is in now; neurons outside keep theirs in the
    part that kept the number.

    Parameters
    ----------
    found : Communities
    finest : ndarray of int
        (N,), labels of level 0.
    of : mapping
        New number -> number of the group that it was in.
    """
    labels = found.labels.values.copy()
    labels[0] = finest
    return replace(found, labels=found.labels.copy(data=labels), membership=_membership(found, finest, of))


def _membership(found: Communities, labels: Array, of: Mapping[int, int]) -> xr.DataArray | None:
    shares = found.membership
    if shares is None:
        return None
    row = dict(zip(found.neurons, labels.tolist(), strict=True))
    labels = np.array([row[str(n)] for n in shares["neuron"].values], int)
    names = [int(c) for c in shares["community"].values]
    columns = {name: shares.values[:, k].copy() for k, name in enumerate(names)}
    for number, group in of.items():
        if group in columns:
            mine = labels == number
            columns[number] = np.where(mine, shares.sel(community=group).values, 0.0)
            columns[group][mine] = 0.0
    order = [*sorted(c for c in columns if c >= 0), *(c for c in names if c < 0)]
    return xr.DataArray(
        np.stack([columns[c] for c in order], axis=1),
        dims=("neuron", "community"),
        coords={"neuron": shares["neuron"].values, "community": order},
        name="membership",
    )


def _sets(values: Array, members: Array, inside: Array) -> list[Array]:
    """Sets (places among the members) that were seen as one; a single one where nothing is to be split."""
    own = values[np.ix_(members, members)]
    seen = np.isfinite(own)
    whole = [np.arange(len(members))]
    if len(members) < 2 * LEAST or not seen.any() or seen.sum() == len(members) * (len(members) - 1):
        return whole
    across = values[np.ix_(members, np.flatnonzero(~inside))]
    low = float(across[np.isfinite(across)].mean()) if np.isfinite(across).any() else 0.0
    high = float(own[seen].mean())
    if high <= low:
        return whole
    total = np.where(seen, (own - low) / (high - low), 0.0)
    count = seen.astype(float)
    sets = [[k] for k in range(len(members))]
    _join(sets, total, count, seen_at_least=0.0, linked=LINKED)
    _join(sets, total, count, seen_at_least=SEEN, linked=-np.inf)
    large = [k for k, one in enumerate(sets) if len(one) >= LEAST]
    if len(large) < 2:
        return whole
    evidence = _evidence(total, count)
    joined = {k: list(sets[k]) for k in large}
    for k, one in enumerate(sets):
        if k not in joined:
            joined[max(large, key=lambda other: (evidence[k, other], len(sets[other])))] += one
    return [np.sort(one) for one in joined.values()]


def _evidence(total: Array, count: Array) -> Array:
    """Sum of the pulls of the observed pairs of two sets over the root of their number; 0 without any."""
    return np.asarray(total / np.sqrt(np.maximum(count, 1.0)))


def _join(sets: list[list[int]], total: Array, count: Array, *, seen_at_least: float, linked: float) -> None:
    """Join sets, the strongest evidence first; `sets` and the leading rows and columns of the two matrices are changed in place.

    Parameters
    ----------
    sets : list of list of int
    total, count : ndarray of float
        Sum of the pulls of the observed pairs of two sets, and the number of these.
    seen_at_least, linked : float
        Sets are joined if more than this share of their pairs was observed, and their mean pull is this or more.
    """
    gone = np.zeros(len(total), dtype=bool)
    size = np.zeros(len(total))
    size[: len(sets)] = [len(one) for one in sets]
    gone[len(sets) :] = True
    while True:
        share = count / np.maximum(np.outer(size, size), 1.0)
        mean = np.where(count > 0, total / np.maximum(count, 1.0), -np.inf)
        able = (count > 0) & (share > seen_at_least) & (mean >= linked) & ~gone[:, None] & ~gone
        np.fill_diagonal(able, False)
        if not able.any():
            break
        evidence = np.where(able, _evidence(total, count), -np.inf)
        a, b = sorted(divmod(int(evidence.argmax()), len(total)))
        sets[a] += sets[b]
        size[a] += size[b]
        for matrix in (total, count):
            matrix[a] += matrix[b]
            matrix[:, a] += matrix[:, b]
        gone[b] = True
    kept = np.flatnonzero(~gone)
    sets[:] = [sets[k] for k in kept]
    for matrix in (total, count):
        matrix[: len(kept), : len(kept)] = matrix[np.ix_(kept, kept)]
