"""Compiled loops over pairs of neurons: correlation under permutations, regression under permutations, rewiring.

Unordered pairs are given as two lists of places with the values of the matrix that stays; the matrix that moves is looked up
at the permuted places. NaN is a pair that was not measured: it is left out wherever the permutation brings it. Nothing here
draws permutations, so that each can be checked one by one.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from __future__ import annotations

import math

import numpy as np
from numba import njit

from ..communities.kernels import choose, uniform

KEEP = {"cache": True, "nogil": True, "error_model": "numpy"}
BEFORE_FIRST = 5
"""So many times the exchanges between two networks are tried before the first one, which starts at the measured network."""


@njit(**KEEP)
def permuted_correlations(rows, columns, fixed, moving, orders, out):
    """Correlate the values of the fixed matrix with those of the moving one, for every order of its neurons.

    Parameters
    ----------
    rows, columns : ndarray of int
        (P,) places of the pairs.
    fixed : ndarray
        (P,) finite values, preferably centred.
    moving : ndarray
        (N, N), preferably centred; NaN = not measured.
    orders : ndarray of int
        (K, N), neuron i takes the place of neuron `orders[k, i]`.
    out : ndarray
        (K,), filled with Pearson's r over the pairs that are known in both; NaN without variation.
    """
    for k in range(len(orders)):
        order = orders[k]
        n = 0
        x = y = xx = yy = xy = 0.0
        for p in range(len(fixed)):
            b = moving[order[rows[p]], order[columns[p]]]
            if b == b:
                a = fixed[p]
                n += 1
                x += a
                y += b
                xx += a * a
                yy += b * b
                xy += a * b
        out[k] = _r(n, x, y, xx, yy, xy)


@njit(**KEEP)
def _r(n, x, y, xx, yy, xy):
    """Pearson's r from sums."""
    if n < 3:
        return math.nan
    one, two = xx - x * x / n, yy - y * y / n
    if one <= 1e-12 * xx or two <= 1e-12 * yy:
        return math.nan
    return (xy - x * y / n) / math.sqrt(one * two)


@njit(**KEEP)
def permuted_products(rows, columns, fixed, moving, orders, out):
    """Sum of products alone, for matrices of which every pair is known (then the other sums stay as they are)."""
    for k in range(len(orders)):
        order = orders[k]
        total = 0.0
        for p in range(len(fixed)):
            total += fixed[p] * moving[order[rows[p]], order[columns[p]]]
        out[k] = total


@njit(**KEEP)
def permuted_t(rows, columns, design, response, moving, orders, out):
    """Value of t of a permuted predictor in a regression, its other predictors staying where they are.

    The Cholesky factor of the cross products of (design, predictor, response) holds all that is needed: its last row ends with
    the part of the response along the predictor's own part, and with the root of the residual sum of squares.

    Parameters
    ----------
    rows, columns : ndarray of int
        (P,) places of the pairs.
    design : ndarray
        (P, m), the constant and the other predictors, finite.
    response : ndarray
        (P,), finite.
    moving : ndarray
        (N, N), the predictor that moves (in double semi-partialling: what the others do not explain of it).
    orders : ndarray of int
        (K, N)
    out : ndarray
        (K,), t values; NaN where the predictor is a combination of the others.
    """
    m = design.shape[1]
    size = m + 2
    product = np.empty((size, size))
    value = np.empty(size)
    for k in range(len(orders)):
        order = orders[k]
        product[:] = 0.0
        n = 0
        for p in range(len(response)):
            e = moving[order[rows[p]], order[columns[p]]]
            if e == e:
                n += 1
                for c in range(m):
                    value[c] = design[p, c]
                value[m] = e
                value[m + 1] = response[p]
                for c in range(size):
                    for d in range(c + 1):
                        product[c, d] += value[c] * value[d]
        out[k] = _last_t(product, n)


@njit(**KEEP)
def permuted_t_complete(rows, columns, design, response, moving, known, orders, out):
    """`permuted_t` where every pair is known; `known` holds the cross products that no permutation changes."""
    m = design.shape[1]
    size = m + 2
    product = np.empty((size, size))
    own = np.empty(size)
    for k in range(len(orders)):
        order = orders[k]
        own[:] = 0.0
        for p in range(len(response)):
            e = moving[order[rows[p]], order[columns[p]]]
            for c in range(m):
                own[c] += design[p, c] * e
            own[m] += e * e
            own[m + 1] += response[p] * e
        product[:] = known
        for c in range(m + 1):
            product[m, c] = own[c]
        product[m + 1, m] = own[m + 1]
        out[k] = _last_t(product, len(response))


@njit(**KEEP)
def _last_t(product, n):
    """Value of t of the last predictor, from the lower triangle of cross products (overwritten)."""
    size = len(product)
    free = n - size + 1
    if free < 1:
        return math.nan
    for c in range(size):
        before = product[c, c]
        for d in range(c):
            before -= product[c, d] * product[c, d]
        if c == size - 1:
            residual = max(before, 0.0)
            if residual <= 1e-14 * product[c, c]:
                return math.nan
            return product[c, c - 1] / math.sqrt(residual / free)
        if before <= 1e-10 * product[c, c] or product[c, c] == 0.0:
            return math.nan
        root = math.sqrt(before)
        product[c, c] = root
        for e in range(c + 1, size):
            rest = product[e, c]
            for d in range(c):
                rest -= product[e, d] * product[c, d]
            product[e, c] = rest / root
    return math.nan


@njit(**KEEP)
def rewired_products(source, target, weight, value, allowed, directed, rounds, seed, start, out):
    """Sum of (weight x value) over the links of rewired networks, in which every neuron keeps its number of links.

    Two links (a, b) and (c, d) become (a, d) and (c, b) unless a link is there already, the pair was not measured or a neuron would
    be linked to itself (Maslov & Sneppen 2002). Weights go with their sources; undirected links are turned at random first.

    Parameters
    ----------
    source, target : ndarray of int
        (E,) links; each undirected one once.
    weight : ndarray
        (E,)
    value : ndarray
        (N, N), what is summed over the links.
    allowed : ndarray of bool
        (N, N), pairs that can hold a link.
    directed : bool
    rounds : float
        Swaps that are tried, per link.
    seed, start : int
        The network number `start + k` has a random stream of its own.
    out : ndarray
        (K,)
    """
    n_links = len(source)
    n = len(value)
    random = np.empty(1, np.uint64)
    linked = np.zeros((n, n), np.bool_)
    u, v = source.copy(), target.copy()
    for k in range(len(out)):
        random[0] = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(start + k + 1) * np.uint64(
            0xD1B54A32D192ED03
        )
        uniform(random)
        linked[:] = False
        for e in range(n_links):
            u[e], v[e] = source[e], target[e]
            linked[u[e], v[e]] = True
            if not directed:
                linked[v[e], u[e]] = True
        for _ in range(int(rounds * n_links)):
            e, f = choose(random, n_links), choose(random, n_links)
            if e == f:
                continue
            if not directed and uniform(random) < 0.5:
                u[f], v[f] = v[f], u[f]
            a, b, c, d = u[e], v[e], u[f], v[f]
            if a == d or c == b or linked[a, d] or linked[c, b] or not allowed[a, d] or not allowed[c, b]:
                continue
            linked[a, b] = linked[c, d] = False
            linked[a, d] = linked[c, b] = True
            if not directed:
                linked[b, a] = linked[d, c] = False
                linked[d, a] = linked[b, c] = True
            v[e], v[f] = d, b
        total = 0.0
        for e in range(n_links):
            total += weight[e] * value[u[e], v[e]]
        out[k] = total


@njit(**KEEP)
def rewired_block_products(members, source, target, mask, weight, value, allowed, directed, rounds, seed, start, out):
    """Sum of (weight x value) over the links of networks that are rewired block by block, left with left.

    A unit is a pair of neurons (left, right) or a neuron without partner; a block holds the links between two units, or none. For four
    units A, B, C, D the blocks (A, B) and (A, D) exchange their links, and so do (C, B) and (C, D), if that leaves every neuron its number
    of links: the members of B have as many in both of its blocks as those of D. With one member each, these are the swaps of
    `rewired_products`.

    Parameters
    ----------
    members : ndarray of int
        (U, 2) neurons of each unit; -1 for none.
    source, target : ndarray of int
        (B,) units of each block with a link, different ones; each undirected block once.
    mask : ndarray of bool
        (B, 2, 2), which member of the source is linked with which of the target.
    weight : ndarray
        (B, 2, 2)
    value : ndarray
        (N, N), what is summed over the links.
    allowed : ndarray of bool
        (N, N), pairs that can hold a link.
    directed : bool
    rounds : float
        Exchanges that are tried from one network to the next, per block with a link; `BEFORE_FIRST` times as many before the first.
    seed, start : int
        The networks that begin with number `start` have a random stream of their own.
    out : ndarray
        (K,)
    """
    count, n_units = len(source), len(members)
    random = np.empty(1, np.uint64)
    # which member is linked with which, as four bits a block: all blocks of 302 neurons fit into the nearest cache
    turn, ends = np.empty(16, np.uint8), np.empty(16, np.int64)
    for code in range(16):
        turn[code] = (code & 9) | ((code & 2) << 1) | ((code & 4) >> 1)
        ends[code] = (code & 1) + ((code >> 2) & 1) + 8 * (((code >> 1) & 1) + ((code >> 3) & 1))
    single = members[:, 1] < 0
    barred = np.zeros((n_units, n_units), np.uint8)
    for a in range(n_units):
        for b in range(n_units):
            barred[a, b] = 15 ^ _code(allowed, members[a], members[b])
    links = np.zeros((n_units, n_units), np.uint8)
    place = np.empty((n_units, n_units), np.int32)
    first = np.zeros(count, np.uint8)
    for e in range(count):
        for i in range(2):
            for j in range(2):
                if mask[e, i, j]:
                    first[e] |= np.uint8(1 << (2 * i + j))
    ends_of = np.empty((count, 2), np.int32)
    turned = np.zeros(count, np.bool_)
    flip = np.uint64(0 if directed else 1)
    random[0] = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(start + 1) * np.uint64(0xD1B54A32D192ED03)
    links[:], place[:] = 0, -1
    for e in range(count):
        a, b = source[e], target[e]
        ends_of[e, 0], ends_of[e, 1] = a, b
        links[a, b], place[a, b] = first[e], e
        if not directed:
            links[b, a], place[b, a] = turn[first[e]], e
    for k in range(len(out)):
        for _ in range(int((rounds if k else BEFORE_FIRST * rounds) * count)):
            # two random numbers a try, no branch that is taken at random: half of the time went into guessing those
            z = bits(random)
            e = (z >> np.uint64(32)) * np.uint64(count) >> np.uint64(32)
            w = bits(random)
            high, low = w >> np.uint64(32), w & np.uint64(0xFFFFFFFF)
            f = high * np.uint64(count) >> np.uint64(32)
            one = z & np.uint64(1) & flip
            two = (z >> np.uint64(1)) & np.uint64(1) & flip
            linked = (z >> np.uint64(2)) & np.uint64(1)
            a, b = ends_of[e, one], ends_of[e, np.uint64(1) - one]
            near, far = ends_of[f, two], ends_of[f, np.uint64(1) - two]
            some = np.int32(high * np.uint64(n_units) >> np.uint64(32))
            other = np.int32(low * np.uint64(n_units) >> np.uint64(32))
            c, d = near if linked else some, far if linked else other
            if (a == c) | (a == d) | (b == c) | (b == d) | (c == d) | (single[b] != single[d]):
                continue
            ab, ad, cb, cd = links[a, b], links[a, d], links[c, b], links[c, d]
            if ends[ab] + ends[cb] != ends[ad] + ends[cd]:
                continue
            if (ab & barred[a, d]) | (ad & barred[a, b]) | (cb & barred[c, d]) | (cd & barred[c, b]):
                continue
            for row in (a, c):
                p, q = place[row, b], place[row, d]
                links[row, b], links[row, d] = links[row, d], links[row, b]
                place[row, b], place[row, d] = q, p
                if not directed:
                    links[b, row], links[d, row] = links[d, row], links[b, row]
                    place[b, row], place[d, row] = q, p
                if q >= 0:
                    turned[q] ^= ends_of[q, 0] != row
                    ends_of[q, 0], ends_of[q, 1] = row, b
                if p >= 0:
                    turned[p] ^= ends_of[p, 0] != row
                    ends_of[p, 0], ends_of[p, 1] = row, d
        total = 0.0
        for e in range(count):
            for i in range(2):
                for j in range(2):
                    one, two = (j, i) if turned[e] else (i, j)
                    if mask[e, one, two]:
                        total += weight[e, one, two] * value[members[ends_of[e, 0], i], members[ends_of[e, 1], j]]
        out[k] = total


@njit(**KEEP)
def bits(random):
    """64 random bits (splitmix64)."""
    random[0] += np.uint64(0x9E3779B97F4A7C15)
    z = random[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(**KEEP)
def _code(table, source, target):
    """Which member of one unit may be, or is, linked with which of another: bit 2 i + j for members i and j."""
    code = 0
    for i in range(2):
        for j in range(2):
            if source[i] >= 0 and target[j] >= 0 and table[source[i], target[j]]:
                code |= 1 << (2 * i + j)
    return np.uint8(code)
