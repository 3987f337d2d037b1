"""Nearly complete graphs that stand alone: which groups are beyond chance, and who is background.

Our definition. A weight has the mean theta_i theta_j, times r_g inside group g. The strengths theta come from pairs that lie in no
group together, so that a group does not raise its members' strengths. Every node is put where its weights are likeliest (gamma
distributed about their means), or into the background, where no rate is its own. The null keeps every node's strength and what
was observed and destroys who with whom: the weights over theta_i theta_j are shuffled among the observed pairs, and the same search
and the same rule put nodes into groups there. Two questions follow each other. Is there any group? The nats that sampled partitions
save over one group and those that the rates of all groups save, together, against the nulls. Which? The nats that the group's own rate saves, against those of all groups of the nulls,
corrected for the number of groups. Where no group passes the second question, all are shown as unsure.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..model.results import Communities
from .judge import Candidate, Tested, claim
from .null import NullResult
from .scan import LEAST
from .seen import split_unseen, with_parts
from .tail import counted_p_value, false_discovery

Array = np.ndarray[Any, Any]
ROUNDS = 6
STEPS = 30
TINY = 1e-12
LARGEST_SHAPE = 20.0
PRIOR_NATS = 1.0
"""A node must be this much likelier inside a group than in the background."""


def settle(found: Communities, weights: Array, null: NullResult, *, alpha: float, chance: str) -> Communities:
    """Put every node into a group or the background, and keep the groups that are beyond chance.

    Parameters
    ----------
    found : Communities
        Its finest level is where this begins.
    weights : ndarray of float
        (N, N), NaN: not observed.
    null : NullResult
        With `group_statistics` of every null graph.
    alpha : float
    chance : str
        What the nulls are, in words.

    Returns
    -------
    Communities
        Two levels, groups and everyone; the second is shown where nothing is beyond chance.
    """
    observed = np.isfinite(weights)
    np.fill_diagonal(observed, False)
    used = found.labels.values[-1] >= 0
    labels, ratios, support = assign(weights, observed, found.labels.values[0])
    ratios = np.where(observed, ratios, np.nan)
    whole, (labels, of) = labels, split_unseen(ratios, labels)
    groups = [int(g) for g in np.unique(labels[labels >= 0])]
    own = _statistics(ratios, labels)
    pool = np.array([s for one in null.null_groups for s in (one or (0.0,))])
    p_values = [counted_p_value(s, pool) for s in own]
    listed = [Candidate(g, s, p) for g, s, p in zip(groups, own, p_values)]
    q_values = dict(zip(groups, np.maximum(false_discovery(p_values), null.p_value).tolist() if groups else []))
    levels = np.stack([whole, np.where(used, 0, -1)])
    coords = {"level": [0, 1], "neuron": found.labels["neuron"].values}
    probability = np.stack([support, np.where(used, 1.0, np.nan)])
    base = replace(
        found,
        labels=xr.DataArray(levels, dims=("level", "neuron"), coords=coords, name="community"),
        probability=xr.DataArray(probability, dims=("level", "neuron"), coords=coords, name="probability"),
        chosen_level=0,
    )
    base = with_parts(base, labels, of) if of else base
    something = null.p_value <= alpha
    none_alone = min(q_values.values(), default=1.0) > alpha
    kept = claim(
        base,
        ratios,
        Tested(listed if something else [], q_values, alpha, chance),
        where="this graph",
        undecided=groups if none_alone else (),
    )
    assert kept.claims is not None
    if not len(kept.claims):
        return _nobody(kept, levels, null, chance, alpha)
    assert kept.significance is not None
    kept.significance.attrs["p_more_than_one"] = null.p_value
    return kept


def group_statistics(weights: Array, labels: Array) -> list[float]:
    """Statistic of every group of a graph after its nodes were put into groups or the background.

    Parameters
    ----------
    weights : ndarray of float
        (N, N), NaN: not observed.
    labels : ndarray of int
        (N,), -1 = background.
    """
    observed = np.isfinite(weights)
    np.fill_diagonal(observed, False)
    labels, ratios, _ = assign(weights, observed, labels)
    ratios = np.where(observed, ratios, np.nan)
    return _statistics(ratios, split_unseen(ratios, labels)[0])


def _statistics(ratios: Array, labels: Array) -> list[float]:
    """Nats that the own rate of every group saves over the rate of pairs that lie in no group together, which is 1.

    The log-likelihood ratio of gamma distributed weights, shape n (r - 1 - ln r) for n pairs of mean r; 0 where r is below 1.
    """
    together = (labels[:, None] == labels) & (labels[:, None] >= 0)
    shape = _shape(ratios[np.isfinite(ratios) & ~together])
    gains = []
    for group in np.unique(labels[labels >= 0]):
        member = labels == group
        inside = ratios[np.ix_(member, member)]
        inside = inside[np.isfinite(inside)]
        rate = max(float(inside.mean()), 1.0) if len(inside) else 1.0
        gains.append(shape * len(inside) / 2 * (rate - 1 - float(np.log(rate))))
    return gains


def _shape(apart: Array) -> float:
    """Shape of the gamma distribution of the ratios of pairs that lie in no group together."""
    return 1 / max(float(apart.var() / max(apart.mean(), TINY) ** 2), 1 / LARGEST_SHAPE) if len(apart) else 1.0


def assign(weights: Array, observed: Array, labels: Array) -> tuple[Array, Array, Array]:
    """Nodes to groups or background by likelihood, from a first partition on.

    Returns
    -------
    labels : ndarray of int
        (N,), -1 = background.
    ratios : ndarray of float
        (N, N), weights over the product of the strengths.
    support : ndarray of float
        (N,), probability of the group that a node is in, against the background and all other groups.
    """
    for _ in range(ROUNDS):
        new, ratios, odds = _likeliest(weights, observed, labels)
        if np.array_equal(new, labels):
            break
        labels = new
    spread = np.exp(odds - odds.max(axis=1, keepdims=True))
    spread /= spread.sum(axis=1, keepdims=True)
    return labels, ratios, spread[np.arange(len(labels)), labels]  # -1: the last column


def _likeliest(weights: Array, observed: Array, labels: Array) -> tuple[Array, Array, Array]:
    """Labels where every node is likeliest, given the groups of a partition; ratios; log odds (N, group + 1), background last."""
    together = (labels[:, None] == labels) & (labels[:, None] >= 0)
    ratios = _ratios(weights, observed, observed & ~together)
    shape = _shape(ratios[observed & ~together])
    groups = [int(g) for g in np.unique(labels[labels >= 0]) if (labels == g).sum() >= LEAST]
    odds = np.zeros((len(labels), len(groups) + 1))
    for column, group in enumerate(groups):
        member = labels == group
        inside = ratios[np.ix_(member, member)][observed[np.ix_(member, member)]]
        rate = float(inside.mean()) if len(inside) else 1.0
        if rate <= 1:
            odds[:, column] = -np.inf
            continue
        count = observed @ member.astype(float)
        total = ratios @ member.astype(float)
        odds[:, column] = shape * (total * (1 - 1 / rate) - count * np.log(rate)) - PRIOR_NATS
    best = odds.argmax(axis=1)
    new = np.where(best < len(groups), best, -1)
    new[~observed.any(axis=1)] = -1
    small = [g for g in range(len(groups)) if (new == g).sum() < LEAST]
    new[np.isin(new, small)] = -1
    return new, ratios, odds


def _ratios(weights: Array, observed: Array, used: Array) -> Array:
    """Weights over theta_i theta_j, of which the sums over the pairs that are used are kept; 1 on average there.

    A node without such a pair has the strength of all its pairs. 0 where a pair was not observed.
    """
    filled = np.where(observed, weights, 0.0)
    some = used.sum(axis=1) > 0
    used = np.where(np.logical_and.outer(some, some), used, observed)
    strength = (filled * used).sum(axis=1)
    theta = np.ones(len(weights))
    for _ in range(STEPS):
        reach = used @ theta
        theta = np.sqrt(theta * (strength / np.where(reach > 0, reach, 1.0))) + TINY  # no reach: no strength
    return np.where(observed, filled / np.outer(theta, theta), 0.0)


def _nobody(kept: Communities, levels: Array, null: NullResult, chance: str, alpha: float) -> Communities:
    """Nothing is beyond chance: one group of everyone is shown, all of them background."""
    table = pd.DataFrame({"gain": [0.0], "p_value": [1.0]}, index=pd.Index([0], name="community"))
    table.attrs["p_more_than_one"] = null.p_value
    if null.p_value > alpha:
        rule = (
            f"one group: p = {null.p_value:.2g} against {chance} (above {alpha:g}); "
            "finer levels are not distinguished from chance"
        )
    else:
        rule = (
            f"one group: the weights depart from chance (p = {null.p_value:.2g} against {chance}), but no group is more strongly "
            "linked inside than to the others"
        )
    shown = levels.copy()
    shown[0] = levels[1]
    return replace(
        kept,
        labels=kept.labels.copy(data=shown),
        probability=kept.probability.copy(data=np.where(shown >= 0, 1.0, np.nan)),
        chosen_level=1,
        significance=table,
        claims=None,
        rule=rule,
    )
