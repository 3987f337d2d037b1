"""Compiled annealing of partitions under the assortative model of `consensus.py`."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from __future__ import annotations

import math

import numpy as np
from numba import njit

from .kernels import INNER, KEEP, ZERO, choose, uniform
from .vector_math import exp_all, log_all


@njit(**INNER)
def evidence(table, prior, links, weight):
    """Ln of the weights' probability, up to a constant, when they share one rate (integrated over its prior)."""
    return table[links] - (prior[2] * links + prior[0]) * math.log(max(weight, 0.0) + prior[1])


@njit(**INNER)
def first_partition(n, slots, empty, random):
    """Labels drawn from the prior of partitions, and the sizes of the groups."""
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
    return label, size


@njit(**INNER)
def pick(odds, n, random):
    """Draw one of n, with probabilities in proportion to `odds`."""
    whole = 0.0
    for q in range(n):
        whole += odds[q]
    hit = uniform(random) * whole
    for q in range(n):
        hit -= odds[q]
        if hit < 0.0:
            return q
    return n - 1


@njit(**INNER)
def move_links(pointer, neighbour, weight, complete, i, from_r, to_s):
    """Take the weights of node i from what all nodes have toward its old group, and add them to those toward its new one."""
    row = weight[pointer[i] : pointer[i + 1]]
    if complete:
        for j in range(i):
            from_r[j] -= row[j]
            to_s[j] += row[j]
        for j in range(i + 1, len(from_r)):
            from_r[j] -= row[j - 1]
            to_s[j] += row[j - 1]
        return
    for e in range(len(row)):
        j = neighbour[pointer[i] + e]
        from_r[j] -= row[e]
        to_s[j] += row[e]


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
    label, size = first_partition(n, slots, empty, random)
    toward = np.zeros((slots, n))
    number = np.zeros((slots if not complete else 0, n), dtype=np.int64)
    links = np.zeros(slots, dtype=np.int64)
    total = np.zeros(slots)
    all_links, all_weight = ZERO, 0.0
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
    inside_links, inside_weight = ZERO, 0.0
    for q in range(slots):
        inside_links += links[q]
        inside_weight += total[q]
    outside, outside_weight = all_links - inside_links, all_weight - inside_weight
    one = evidence(table, prior, all_links, all_weight)
    own = np.empty(slots)
    for q in range(slots):
        own[q] = evidence(table, prior, links[q], total[q])
    log_size = np.empty(n + 1)
    for k in range(n + 1):
        log_size[k] = math.log(k + empty)
    # of every group: log odds, evidence with the node, links and weight of the node toward it; scratch of the logarithms
    odds, joined, near, far = np.empty(slots), np.empty(slots), np.empty(slots, dtype=np.int64), np.empty(slots)
    logs, exponent = np.empty(2 * slots + 2), np.empty(2 * slots + 2)
    log_bits, exponent_bits = logs.view(np.uint64), exponent.view(np.uint64)
    a, b, shape = prior[0], prior[1], prior[2]
    first = len(betas) - len(out)
    for step in range(len(betas)):
        beta = betas[step]
        for _ in range(n):
            i = choose(random, n)
            r = label[i]
            size[r] -= 1
            for q in range(slots):
                near[q] = size[q] if complete else number[q, i]
                far[q] = toward[q, i]
            links[r] -= near[r]
            total[r] -= far[r]
            outside += near[r]
            outside_weight += far[r]
            for q in range(slots):
                logs[q] = max(total[q] + far[q], 0.0) + b
                logs[slots + q] = max(outside_weight - far[q], 0.0) + b
            logs[2 * slots], logs[2 * slots + 1] = max(total[r], 0.0) + b, max(outside_weight, 0.0) + b
            log_all(logs, log_bits, exponent, exponent_bits, 2 * slots + 2)
            own[r] = table[links[r]] - (shape * links[r] + a) * logs[2 * slots]
            apart = table[outside] - (shape * outside + a) * logs[2 * slots + 1]
            high = -math.inf
            for q in range(slots):
                inside, rest = links[q] + near[q], outside - near[q]
                joined[q] = table[inside] - (shape * inside + a) * logs[q]
                gain = table[rest] - (shape * rest + a) * logs[slots + q] - apart + joined[q] - own[q]
                odds[q] = beta * gain + log_size[size[q]]
                high = max(high, odds[q])
            for q in range(slots):
                odds[q] -= high
            exp_all(odds, exponent, exponent_bits, slots)
            s = pick(odds, slots, random)
            links[s] += near[s]
            total[s] += far[s]
            outside -= near[s]
            outside_weight -= far[s]
            size[s] += 1
            own[s] = joined[s]
            if s != r:
                label[i] = s
                move_links(pointer, neighbour, weight, complete, i, toward[r], toward[s])
                if not complete:
                    for e in range(pointer[i], pointer[i + 1]):
                        number[r, neighbour[e]] -= 1
                        number[s, neighbour[e]] += 1
        likelihood = evidence(table, prior, outside, outside_weight) - one
        for q in range(slots):
            likelihood += own[q]  # nothing for an empty group
        energy[step] = likelihood
        if step >= first:
            for i in range(n):
                out[step - first, i] = label[i]
