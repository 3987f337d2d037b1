"""Compiled kernels: random numbers, the terms of the description length, and the sums of a state.

How a move changes these sums is in `shift.py`; `description_length.py` has the definition that the tests compare with.

Numba compiles a function again for every combination of argument types, and constants in a call are types of their own
(`Literal[int](0)`). So that each kernel is compiled once, constants that are passed on are the typed ones below. `INNER` is for
kernels that only other kernels call: it leaves out the wrappers that Python would need, which take longer to compile than most
kernels. Kernels that are called once for every pair of groups get the arrays that they use, not the whole problem and state:
LLVM copies a function into its callers the sooner the more arguments it has. `ONCE` is for large kernels with one caller: they are
compiled as a part of it, not by themselves before.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from __future__ import annotations

import math

import numpy as np
from numba import njit

LOG2 = math.log(2.0)
KEEP = {"cache": True, "nogil": True, "error_model": "numpy"}
INNER = {**KEEP, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
ONCE = {**INNER, "inline": "always"}

ASK, APPLY = np.bool_(False), np.bool_(True)
NONE, ZERO, ONE, THREE = np.int64(-1), np.int64(0), np.int64(1), np.int64(3)

LINKS, WEIGHT, ITEMS, SQUARE, HIDDEN, TERM = range(6)
"""What `State.pair` holds of two groups: links, their weight, weighted items, squared weights, hidden pairs, cost."""


@njit(**KEEP)
def uniform(random):
    """Uniform number in [0, 1) (splitmix64)."""
    random[0] += np.uint64(0x9E3779B97F4A7C15)
    z = random[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return float(z >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(**KEEP)
def choose(random, n):
    """Uniform integer in [0, n)."""
    return min(int(uniform(random) * n), n - 1)


@njit(**INNER)
def log_q(f, table, curve, m, n):
    """Ln of the number of ways to write m as a sum of at most n positive integers."""
    if m == 0 or n <= 0:
        return 0.0 if m == 0 else -math.inf
    if n > m:
        n = m
    if table.size > 0:
        return table[m, n]
    if n * n * n * n < m:
        return f[m - 1] - f[n - 1] - f[m - n] - f[n]
    root = math.sqrt(m)
    step = curve[0, 1] - curve[0, 0]
    place = (math.log(n / root) - curve[0, 0]) / step
    i = min(max(int(place), 0), curve.shape[1] - 2)
    w = place - i
    shape = curve[1, i] * (1 - w) + curve[1, i + 1] * w
    g = curve[2, i] * (1 - w) + curve[2, i + 1] * w
    return shape - math.log(m) + root * g


@njit(**INNER)
def normal_cost(prior, number, total, square):
    """Cost of normal weights given their number, sum and sum of squares."""
    mean0, kappa0, alpha0, beta0 = prior[0], prior[1], prior[2], prior[3]
    kappa, alpha = kappa0 + number, alpha0 + 0.5 * number
    mean = total / number
    beta = beta0 + 0.5 * max(square - total * mean, 0.0) + 0.5 * kappa0 * number * (mean - mean0) ** 2 / kappa
    gain = math.lgamma(alpha) - math.lgamma(alpha0) + alpha0 * math.log(beta0) - alpha * math.log(beta)
    return gain, 0.5 * math.log(kappa0 / kappa) - 0.5 * number * math.log(2 * math.pi)


@njit(**INNER)
def pair_cost(f, prior, options, level, same, size_r, size_s, links, total, items, square, hidden):
    """Cost of one pair of groups at a level."""
    cost = 0.0
    count, number = int(links), int(items)
    if options[0] == 1 and count > 0:
        if level == 0:
            cost -= f[count]
            if same:
                cost -= count * LOG2
            if hidden > 0:
                share = hidden / (size_r * size_s)
                cost += count * math.log(1.0 - (2.0 * share if same else share))
        else:
            places = size_r * (size_r + 1) // 2 if same else size_r * size_s
            cost += f[places + count - 1] - f[count] - f[places - 1]
    if options[2] == 1:
        if number > 1:
            cost += (number - 1) * math.log(max(total, 1e-300)) - f[number - 1]
    elif options[2] == 2 and level == 0 and number > 0:
        gain, rest = normal_cost(prior, number, total, square)
        cost -= gain
        cost -= rest
    return cost


@njit(**INNER)
def group_cost(f, table, curve, options, level, size, ends):
    """Cost of one group at a level; of the degrees, the part that depends on e_r and n_r only."""
    if size == 0:
        return 0.0
    cost = -f[size]
    if level == 0 and options[0] == 1:
        if options[1] == 1:
            cost += f[ends] + log_q(f, table, curve, ends, size) + f[size]
        else:
            cost += ends * math.log(size)
    return cost


@njit(**INNER)
def level_cost(f, nodes, groups):
    """Cost of a level's partition that depends on its numbers of nodes and groups only."""
    return f[nodes - 1] - f[groups - 1] - f[nodes - groups] + f[nodes] + math.log(nodes)


@njit(**INNER)
def cell(f, prior, options, pair, size, level, r, s):
    """Cost of the pair (r, s) from the sums in the state."""
    here = pair[level, r, s]
    return pair_cost(
        f,
        prior,
        options,
        level,
        r == s,
        size[level, r],
        size[level, s],
        here[LINKS],
        here[WEIGHT],
        here[ITEMS],
        here[SQUARE],
        here[HIDDEN],
    )


@njit(**INNER)
def add_links(pair, r, s, links, weight, items, square, hidden):
    """Add to what groups r and s of a level (whose sums `pair` are) have in common, once if they are the same."""
    for way in range(1 if r == s else 2):
        here = pair[r, s] if way == 0 else pair[s, r]
        here[LINKS] += links
        here[WEIGHT] += weight
        here[ITEMS] += items
        here[SQUARE] += square
        here[HIDDEN] += hidden


@njit(**INNER)
def fill_first(p, st):
    """Sums of the groups of nodes."""
    pair, label = st.pair[0], st.label[0]
    normal = p.options[2] == 2
    for i in range(st.nodes[0]):
        r = label[i]
        st.size[0, r] += 1
        st.ends[r] += p.degree[i]
        if p.options[1] == 1:
            st.classes[r, p.degree_class[i]] += 1
        for e in range(p.pointer[i], p.pointer[i + 1]):
            j = p.neighbour[e]
            if j > i:
                w = p.weight[e]
                add_links(pair, r, label[j], 1.0, w, 1.0, w * w if normal else 0.0, 0.0)
        if p.options[3] == 1:
            for e in range(p.hidden_pointer[i], p.hidden_pointer[i + 1]):
                j = p.hidden[e]
                if j > i:
                    add_links(pair, r, label[j], 0.0, 0.0, 0.0, 0.0, 1.0)


@njit(**INNER)
def fill_above(pair, size, label, tops, level):
    """Sums of the groups of a higher level, whose nodes are the groups below; returns how many nodes there are."""
    below, nodes = level - 1, 0
    for u in range(tops[below]):
        if size[below, u] == 0:
            continue
        nodes += 1
        r = label[level, u]
        size[level, r] += 1
        for v in range(u, tops[below]):
            if size[below, v] > 0:
                links, weight = pair[below, u, v, LINKS], pair[below, u, v, WEIGHT]
                add_links(pair[level], r, label[level, v], links, weight, 1.0 if links > 0 else 0.0, 0.0, 0.0)
    return nodes


@njit(**KEEP)
def fill_state(p, st):
    """Compute all sums from the labels (empty slots allowed); groups of a level are nodes of the next one."""
    depth, slots = st.size.shape
    st.size[:] = 0
    st.pair[:] = 0.0
    st.ends[:] = 0
    st.classes[:] = 0
    fill_first(p, st)
    for level in range(1, depth):
        st.nodes[level] = fill_above(st.pair, st.size, st.label, st.top, level)
    for level in range(depth):
        groups = 0
        for r in range(slots):
            if st.size[level, r] > 0:
                groups += 1
        st.groups[level] = groups
        for r in range(st.top[level]):
            for s in range(st.top[level]):
                st.pair[level, r, s, TERM] = cell(p.log_factorial, p.prior, p.options, st.pair, st.size, level, r, s)


@njit(**KEEP)
def total_cost(p, st):
    """Description length of the state in nats, from its sums."""
    f, options = p.log_factorial, p.options
    cost = 0.0
    for level in range(st.size.shape[0]):
        cost += level_cost(f, st.nodes[level], st.groups[level])
        for r in range(st.top[level]):
            if st.size[level, r] == 0:
                continue
            cost += group_cost(f, p.log_q, p.log_q_curve, options, level, st.size[level, r], st.ends[r])
            for s in range(r, st.top[level]):
                if st.size[level, s] > 0:
                    cost += cell(f, p.prior, options, st.pair, st.size, level, r, s)
    if options[0] == 1 and options[1] == 1:
        for i in range(st.nodes[0]):
            cost -= f[p.degree[i]]
        for r in range(st.top[0]):
            for k in range(st.classes.shape[1]):
                cost -= f[st.classes[r, k]]
    return cost
