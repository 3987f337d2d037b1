"""Nearly complete graphs that stand alone: which groups are beyond chance, and who is background.

Our definition. A weight has the mean theta_i theta_j, times r_g inside group g. The strengths theta come from pairs that lie in no
group together, so that a group does not raise its members' strengths. Every node is put where its weights are likeliest (gamma
distributed about their means), or into the background, where no rate is its own. The null keeps every node's strength and what
was observed and destroys who with whom: the weights over theta_i theta_j are shuffled among the observed pairs. A group is kept
if its statistic (`scan`) exceeds the best group of the shuffled graphs, found by the same search; the p value holds for all groups.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..model.progress import CancelCallback, ProgressCallback, check_cancel, report
from ..model.results import Communities
from .judge import Candidate, claim
from .scan import LEAST, Standardised, largest_statistic, standardise
from .tail import tail_p_value

Array = np.ndarray[Any, Any]
ROUNDS = 6
STEPS = 30
TINY = 1e-12
PRIOR_NATS = 1.0
"""A node must be this much likelier inside a group than in the background."""


def settle(
    found: Communities,
    weights: Array,
    *,
    nulls: int,
    alpha: float,
    seed: int,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> Communities:
    """Put every node into a group or the background, and keep the groups that are beyond chance.

    Parameters
    ----------
    found : Communities
        Its finest level is where this begins.
    weights : ndarray of float
        (N, N), NaN: not observed.
    nulls : int
        Shuffled graphs.
    alpha : float
    seed : int
    progress, cancel : callable, optional

    Returns
    -------
    Communities
        Two levels, groups and everyone; the second is shown where nothing is beyond chance.
    """
    observed = np.isfinite(weights)
    np.fill_diagonal(observed, False)
    used = found.labels.values[-1] >= 0
    labels = np.where(used, found.labels.values[0], -1)
    labels, ratios, support = assign(weights, observed, labels)
    matrix = standardise(np.where(observed, ratios, np.nan))
    tops = []
    for number in range(nulls):
        check_cancel(cancel)
        report(progress, number / nulls, f"shuffled graph {number + 1} of {nulls}")
        tops.append(largest_statistic(_shuffled(ratios, observed, np.random.default_rng([seed, number]))))
    groups = [int(g) for g in np.unique(labels[labels >= 0])]
    listed = []
    for group in groups:
        statistic = matrix.statistic(np.flatnonzero(labels == group))
        listed.append(Candidate(group, statistic, tail_p_value(statistic, tops)))
    levels = np.stack([labels, np.where(used, 0, -1)])
    coords = {"level": [0, 1], "neuron": found.labels["neuron"].values}
    probability = np.stack([support, np.where(used, 1.0, np.nan)])
    base = replace(
        found,
        labels=xr.DataArray(levels, dims=("level", "neuron"), coords=coords, name="community"),
        probability=xr.DataArray(probability, dims=("level", "neuron"), coords=coords, name="probability"),
        chosen_level=0,
        membership=None,
    )
    q_values = {c.community: c.p_value for c in listed}
    kept = claim(
        base,
        np.where(observed, ratios, np.nan),
        listed,
        q_values,
        alpha=alpha,
        where="this graph",
        chance=f"{nulls} graphs with the same strengths and shuffled pairs",
    )
    return kept if kept.claims is not None and len(kept.claims) else _nobody(kept, levels, nulls, alpha)


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
    labels = labels.copy()
    ratios = weights
    odds = np.zeros((len(labels), 1))
    for _ in range(ROUNDS):
        together = (labels[:, None] == labels) & (labels[:, None] >= 0)
        ratios = _ratios(weights, observed, observed & ~together)
        apart = ratios[observed & ~together]
        shape = 1 / max(float(apart.var() / max(apart.mean(), TINY) ** 2), 1e-3) if len(apart) else 1.0
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
            total = np.where(observed, ratios, 0.0) @ member.astype(float)
            odds[:, column] = min(shape, 20.0) * (total * (1 - 1 / rate) - count * np.log(rate)) - PRIOR_NATS
        best = odds.argmax(axis=1)
        new = np.where(best < len(groups), best, -1)
        new[~observed.any(axis=1)] = -1
        sizes = np.bincount(new[new >= 0], minlength=max(len(groups), 1))
        new = np.where((new >= 0) & (sizes[np.maximum(new, 0)] >= LEAST), new, -1)
        if np.array_equal(new, labels):
            break
        labels = new
    spread = np.exp(odds - odds.max(axis=1, keepdims=True))
    spread /= spread.sum(axis=1, keepdims=True)
    support = spread[np.arange(len(labels)), np.where(labels >= 0, np.minimum(labels, odds.shape[1] - 1), -1)]
    return labels, ratios, support


def _ratios(weights: Array, observed: Array, used: Array) -> Array:
    """Weights over theta_i theta_j, of which the sums over the pairs that are used are kept; 1 on average there."""
    filled = np.where(observed, weights, 0.0)
    used = np.where(used.sum(axis=1, keepdims=True) & used.sum(axis=0, keepdims=True) > 0, used, observed)
    strength = (filled * used).sum(axis=1)
    theta = np.sqrt(strength / np.maximum(used.sum(axis=1), 1)) + TINY
    for _ in range(STEPS):
        reach = used @ theta
        theta = np.sqrt(theta * np.where(reach > 0, strength / np.where(reach > 0, reach, 1.0), 0.0)) + TINY
    return np.where(observed, filled / np.outer(theta, theta), 0.0)


def _shuffled(ratios: Array, observed: Array, rng: np.random.Generator) -> Standardised:
    """The ratios at other observed pairs, standardised after the strengths that this gives were taken out again."""
    rows, columns = np.nonzero(np.triu(observed, 1))
    moved = np.zeros(ratios.shape)
    moved[rows, columns] = rng.permutation(ratios[rows, columns])
    moved += moved.T
    return standardise(np.where(observed, _ratios(moved, observed, observed), np.nan))


def _nobody(kept: Communities, levels: Array, nulls: int, alpha: float) -> Communities:
    """Nothing is beyond chance: one group of everyone is shown, all of them background."""
    states = kept.state.copy() if kept.state is not None else None
    p_value = float(kept.significance.attrs["p_more_than_one"]) if kept.significance is not None else 1.0
    table = pd.DataFrame({"gain": [0.0], "p_value": [1.0]}, index=pd.Index([0], name="community"))
    table.attrs["p_more_than_one"] = p_value
    rule = (
        f"one group: p = {p_value:.2g} against {nulls} graphs with the same strengths and shuffled pairs (above {alpha:g}); "
        "finer levels are not distinguished from chance"
    )
    shown = levels.copy()
    shown[0] = levels[1]
    return replace(
        kept,
        labels=kept.labels.copy(data=shown),
        probability=kept.probability.copy(data=np.where(shown >= 0, 1.0, np.nan)),
        chosen_level=1,
        state=states,
        significance=table,
        claims=None,
        rule=rule,
        answer=kept.answer,
    )
