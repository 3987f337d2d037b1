"""Compiled recursions of a hidden Markov model, in logarithms: filter, smoother, most probable path.

A chain may begin again at any frame (`begins`), as at the breaks of a recording. A frame that was not observed has log
likelihood 0 in every state. Rabiner (1989), Proc. IEEE 77, 257.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from __future__ import annotations

import math

import numpy as np
from numba import njit

KEEP = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**KEEP)
def log_sum(values):
    """Logarithm of the sum of exponentials of a vector."""
    top = values.max()
    if top == -math.inf:
        return -math.inf
    total = 0.0
    for k in range(len(values)):
        total += math.exp(values[k] - top)
    return top + math.log(total)


@njit(**KEEP)
def forward(emission, begins, log_initial, log_transition, alpha, predictive):
    """Filter: fill `alpha` (T, K), log p(state, frames so far in the chain | past), normalised at every frame.

    `predictive` (T,) becomes the log probability of each frame given all earlier ones of its chain; their sum is the log
    likelihood.
    """
    n, k = emission.shape
    work = np.empty(k)
    total = 0.0
    for t in range(n):
        for j in range(k):
            if begins[t]:
                alpha[t, j] = log_initial[j] + emission[t, j]
            else:
                for i in range(k):
                    work[i] = alpha[t - 1, i] + log_transition[i, j]
                alpha[t, j] = log_sum(work) + emission[t, j]
        norm = log_sum(alpha[t])
        predictive[t] = norm
        total += norm
        for j in range(k):
            alpha[t, j] -= norm
    return total


@njit(**KEEP)
def smooth(emission, begins, log_initial, log_transition, gamma, visits, firsts):
    """Forward-backward.

    Parameters
    ----------
    emission : float64 array (T, K)
        Log likelihood of every frame in every state.
    begins : bool array (T,)
        Frames that begin a chain; the first one must.
    log_initial : float64 array (K,)
    log_transition : float64 array (K, K)
        From row to column.
    gamma : float64 array (T, K)
        Filled with the posterior probability of every state.
    visits : float64 array (K, K)
        Expected numbers of transitions are added here.
    firsts : float64 array (K,)
        Expected numbers of first states are added here.

    Returns
    -------
    float
        Log likelihood.
    """
    n, k = emission.shape
    alpha, predictive = np.empty((n, k)), np.empty(n)
    total = forward(emission, begins, log_initial, log_transition, alpha, predictive)
    beta, before, work = np.zeros(k), np.empty(k), np.empty(k)
    for t in range(n - 1, -1, -1):
        top = log_sum(alpha[t] + beta)
        for i in range(k):
            gamma[t, i] = math.exp(alpha[t, i] + beta[i] - top)
        if begins[t]:
            for i in range(k):
                firsts[i] += gamma[t, i]
                beta[i] = 0.0
            continue
        for i in range(k):
            for j in range(k):
                work[j] = log_transition[i, j] + emission[t, j] + beta[j] - predictive[t]
                visits[i, j] += math.exp(alpha[t - 1, i] + work[j])
            before[i] = log_sum(work)
        beta[:] = before
    return total


@njit(**KEEP)
def gather(whole, rows, columns, out):
    """Copy whole[:, rows][:, :, columns] into `out`; compiled, as it is done for every product with a Gram matrix."""
    for z in range(whole.shape[0]):
        for i in range(len(rows)):
            for j in range(len(columns)):
                out[z, i, j] = whole[z, rows[i], columns[j]]


@njit(**KEEP)
def scatter(whole, rows, columns, part, scale):
    """Add scale[z, i] part[z, i, j] to whole[z, rows[i], columns[j]]."""
    for z in range(whole.shape[0]):
        for i in range(len(rows)):
            for j in range(len(columns)):
                whole[z, rows[i], columns[j]] += scale[z, i] * part[z, i, j]


@njit(**KEEP)
def best_path(emission, begins, log_initial, log_transition, path):
    """Viterbi: fill `path` (T,) with the most probable sequence of states; return its log probability with the data."""
    n, k = emission.shape
    score, came = np.empty((n, k)), np.zeros((n, k), np.int64)
    total = 0.0
    for t in range(n):
        for j in range(k):
            if begins[t]:
                score[t, j] = log_initial[j] + emission[t, j]
                continue
            best, which = -math.inf, 0
            for i in range(k):
                value = score[t - 1, i] + log_transition[i, j]
                if value > best:
                    best, which = value, i
            score[t, j] = best + emission[t, j]
            came[t, j] = which
    last = n - 1
    for t in range(n - 1, -1, -1):
        if t == last:
            path[t] = np.argmax(score[t])
            total += score[t, path[t]]
        if begins[t]:
            last = t - 1
        else:
            path[t - 1] = came[t, path[t]]
    return total
