"""Posterior of partitions: samples around the best one (beta = 1), and how sure every membership is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..model.progress import CancelCallback, ProgressCallback, check_cancel, report
from .levels import expand
from .search import Fit
from .state import build_state

Array = np.ndarray[Any, Any]
CHUNK = 10
SPARE = 8


@dataclass(frozen=True)
class Posterior:
    """What the samples say.

    probability: (level, node), share of samples in which the node is in the group that the best partition puts it in.
    membership: per level (node, group + 1), shares of the groups of the best partition, the last column: any other group.
    samples: (sample, level, node) labels aligned to the best partition (-1: another group). n_groups: number of groups at
    the finest level of every sample. together: share of samples in which two nodes share a group of the finest level, if
    counted before aligning.
    """

    probability: Array
    membership: tuple[Array, ...]
    samples: Array
    n_groups: Array
    together: Array | None = None

    def co_membership(self, level: int, raw: Array | None = None) -> Array:
        """Probability (node, node) that two nodes share a group at a level."""
        if level == 0 and raw is None and self.together is not None:
            return self.together
        labels = self.samples[:, level] if raw is None else raw[:, level]
        out = np.zeros((labels.shape[1],) * 2)
        for row in labels:
            out += (row[:, None] == row) & (row[:, None] >= 0)
        out /= len(labels)
        np.fill_diagonal(out, 1.0)
        return out


def align(labels: Array, reference: Array, groups: int) -> Array:
    """Rename groups to those of a reference partition that they overlap most (one to one); others become -1.

    Parameters
    ----------
    labels, reference : ndarray of int
        (N,), 0 and up.
    groups : int
        Groups of the reference.
    """
    names, compact = np.unique(labels, return_inverse=True)
    overlap = np.zeros((len(names), groups))
    np.add.at(overlap, (compact, reference), 1.0)
    rows, columns = linear_sum_assignment(-overlap)
    rename = np.full(len(names), -1, dtype=np.int64)
    good = overlap[rows, columns] > 0
    rename[rows[good]] = columns[good]
    return rename[compact]


def sample_posterior(
    fit: Fit,
    samples: int,
    seed: int,
    *,
    burn_in: int = 20,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> Posterior:
    """Draw nested partitions at beta = 1 from the best one on.

    Parameters
    ----------
    fit : Fit
    samples : int
        Number of sweeps that are kept, after `burn_in` that are not.
    seed : int
    """
    from .kernels import fill_state
    from .moves import draw

    n = len(fit.problem.degree)
    levels = list(fit.levels)
    if len(levels) == 1:
        levels.append(np.zeros(fit.n_groups, dtype=np.int64))
    slots = min(fit.n_groups + SPARE, n)
    state = build_state(fit.problem, levels, slots=slots, seed=seed)
    raw = np.zeros((burn_in + samples, len(levels), n), dtype=np.int64)
    for first in range(0, len(raw), CHUNK):
        check_cancel(cancel)
        report(progress, first / len(raw), "sampling partitions")
        block = raw[first : first + CHUNK]
        draw(fit.problem, state, len(block), block)
        fill_state(fit.problem, state)
    raw = raw[burn_in:, : len(fit.levels)]
    reference = expand(fit.levels)
    aligned = np.empty_like(raw)
    membership = []
    probability = np.empty(reference.shape)
    for level, row in enumerate(reference):
        groups = int(row.max()) + 1
        for k in range(samples):
            aligned[k, level] = align(raw[k, level], row, groups)
        shares = np.stack([(aligned[:, level] == g).mean(axis=0) for g in (*range(groups), -1)], axis=1)
        membership.append(shares)
        probability[level] = shares[np.arange(n), row]
    n_groups = np.array([len(np.unique(one)) for one in raw[:, 0]])
    return Posterior(probability, tuple(membership), aligned, n_groups)
