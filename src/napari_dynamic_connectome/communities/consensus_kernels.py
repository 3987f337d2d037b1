"""Compiled annealing of partitions under the assortative model of `consensus.py`."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from __future__ import annotations

import math

import numpy as np
from numba import njit

from .kernels import INNER, KEEP, ZERO, choose, uniform


@njit(**INNER)
def evidence(table, prior, links, weight):
    """Ln of the weights' probability, up to a constant, when they share one rate (integrated over its prior)."""
    return table[links] - (prior[2] * links + prior[0]) * math.log(max(weight, 0.0) + prior[1])


@njit(**KEEP)
def anneal(pointer, neighbour, weight, complete, slots, table, prior, betas, out, energy, random):
    """Heat bath over partitions, one sweep for every inverse temperature; the last ones are kept.

    Parameters
    ----------
    pointer, neighbour, weight : ndarray
        Links in compressed rows, every link twice; weights of mean 1, times the shape of their distribution.
    complete : bool
        Every pair is linked (then numbers of links need no counting).
    slots : int
        Groups that may be occupied.
    table : ndarray
        Ln Gamma(shape c + prior[0]) for c = 0, 1, ... links, less that of c = 0 and with the prior's constant.
    prior : ndarray
        Shape and rate of the prior of a rate, shape of the weights, weight of an empty group in the partition's prior.
    betas : ndarray
        (T,) inverse temperatures; 0 draws from the prior of partitions.
    out : ndarray of int64
        (keep, N), filled with the last partitions.
    energy : ndarray
        (T,), filled with the log likelihood after each sweep, less that of one group.
    random : ndarray of uint64
    """
    n = len(pointer) - 1
    empty = prior[3]
    zero = evidence(table, prior, ZERO, 0.0)
    label = np.empty(n, dtype=np.int64)
    size = np.zeros(slots, dtype=np.int64)
    for i in range(n):
        hit = uniform(random) * (i + empty * slots)
        r = slots - 1
        for q in range(slots):
            hit -= size[q] + empty
            if hit < 0.0:
                r = q
                break
        label[i] = r
        size[r] += 1
    toward = np.zeros((slots, n))
    number = np.zeros((slots if not complete else 0, n), dtype=np.int64)
    links = np.zeros(slots, dtype=np.int64)
    total = np.zeros(slots)
    all_links, all_weight = 0, 0.0
    for i in range(n):
        for e in range(pointer[i], pointer[i + 1]):
            j = neighbour[e]
            toward[label[j], i] += weight[e]
            if not complete:
                number[label[j], i] += 1
            if j < i:
                all_links += 1
                all_weight += weight[e]
                if label[i] == label[j]:
                    links[label[i]] += 1
                    total[label[i]] += weight[e]
    outside, outside_weight = all_links - links.sum(), all_weight - total.sum()
    one = evidence(table, prior, all_links, all_weight)
    own = np.empty(slots)
    for q in range(slots):
        own[q] = evidence(table, prior, links[q], total[q])
    log_size = np.log(np.arange(n + 1) + empty)
    logs = np.empty(slots)
    joined = np.empty(slots)
    first = len(betas) - len(out)
    for step in range(len(betas)):
        beta = betas[step]
        for _ in range(n):
            i = choose(random, n)
            r = label[i]
            c = size[r] - 1 if complete else number[r, i]
            x = toward[r, i]
            links[r] -= c
            total[r] -= x
            outside += c
            outside_weight += x
            size[r] -= 1
            own[r] = evidence(table, prior, links[r], total[r])
            apart = evidence(table, prior, outside, outside_weight)
            high = -math.inf
            for q in range(slots):
                c = size[q] if complete else number[q, i]
                x = toward[q, i]
                joined[q] = evidence(table, prior, links[q] + c, total[q] + x)
                gain = evidence(table, prior, outside - c, outside_weight - x) - apart + joined[q] - own[q]
                logs[q] = beta * gain + log_size[size[q]]
                high = max(high, logs[q])
            whole = 0.0
            for q in range(slots):
                logs[q] = math.exp(logs[q] - high)
                whole += logs[q]
            hit = uniform(random) * whole
            s = slots - 1
            for q in range(slots):
                hit -= logs[q]
                if hit < 0.0:
                    s = q
                    break
            c = size[s] if complete else number[s, i]
            x = toward[s, i]
            links[s] += c
            total[s] += x
            outside -= c
            outside_weight -= x
            size[s] += 1
            own[s] = joined[s]
            if s != r:
                label[i] = s
                if complete:
                    row = weight[pointer[i] : pointer[i + 1]]
                    for j in range(i):
                        toward[r, j] -= row[j]
                        toward[s, j] += row[j]
                    for j in range(i + 1, n):
                        toward[r, j] -= row[j - 1]
                        toward[s, j] += row[j - 1]
                else:
                    for e in range(pointer[i], pointer[i + 1]):
                        j = neighbour[e]
                        toward[r, j] -= weight[e]
                        toward[s, j] += weight[e]
                        number[r, j] -= 1
                        number[s, j] += 1
        likelihood = evidence(table, prior, outside, outside_weight) - one
        for q in range(slots):
            likelihood += own[q] - zero
        energy[step] = likelihood
        if step >= first:
            out[step - first] = label


@njit(**KEEP)
def count_pairs(samples, out):
    """Add to `out` (N, N), for every sample (S, N), one for each pair of nodes that shares a group."""
    n = samples.shape[1]
    for k in range(samples.shape[0]):
        for i in range(n):
            for j in range(n):
                if samples[k, i] == samples[k, j]:
                    out[i, j] += 1.0
