"""Compiled kernels: description length of a state, its change by a move, and the moves themselves.

A move shifts some nodes of one level from group r to group s. All that changes are the rows r and s of that level's sums;
at the next level the same links move from the parent of r to the parent of s, and so on until both share a parent. So one
function, `shift`, serves single nodes, whole groups (merges) and every level, exactly (see `description_length.py` for the
definition that the tests compare with).
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from __future__ import annotations

import math

import numpy as np
from numba import njit

LOG2 = math.log(2.0)
KEEP = {"cache": True, "nogil": True, "error_model": "numpy"}


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


@njit(**KEEP)
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


@njit(**KEEP)
def pair_cost(f, prior, counts, model, level, same, size_r, size_s, count, total, number, square, hidden):
    """Cost of one pair of groups at a level."""
    cost = 0.0
    if counts == 1 and count > 0:
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
    if model == 1:
        if number > 1:
            cost += (number - 1) * math.log(max(total, 1e-300)) - f[number - 1]
    elif model == 2 and level == 0 and number > 0:
        mean0, kappa0, alpha0, beta0 = prior[0], prior[1], prior[2], prior[3]
        kappa, alpha = kappa0 + number, alpha0 + 0.5 * number
        mean = total / number
        beta = beta0 + 0.5 * max(square - total * mean, 0.0) + 0.5 * kappa0 * number * (mean - mean0) ** 2 / kappa
        cost -= math.lgamma(alpha) - math.lgamma(alpha0) + alpha0 * math.log(beta0) - alpha * math.log(beta)
        cost -= 0.5 * math.log(kappa0 / kappa) - 0.5 * number * math.log(2 * math.pi)
    return cost


@njit(**KEEP)
def group_cost(f, table, curve, counts, corrected, level, size, ends):
    """Cost of one group at a level; of the degrees, the part that depends on e_r and n_r only."""
    if size == 0:
        return 0.0
    cost = -f[size]
    if level == 0 and counts == 1:
        if corrected == 1:
            cost += f[ends] + log_q(f, table, curve, ends, size) + f[size]
        else:
            cost += ends * math.log(size)
    return cost


@njit(**KEEP)
def level_cost(f, nodes, groups):
    """Cost of a level's partition that depends on its numbers of nodes and groups only."""
    return f[nodes - 1] - f[groups - 1] - f[nodes - groups] + f[nodes] + math.log(nodes)


@njit(**KEEP)
def cell(p, st, level, r, s):
    """Cost of the pair (r, s) from the sums in the state."""
    square = st.square[r, s] if level == 0 and p.options[2] == 2 else 0.0
    hidden = st.hidden[r, s] if level == 0 and p.options[3] == 1 else 0
    return pair_cost(
        p.log_factorial,
        p.prior,
        p.options[0],
        p.options[2],
        level,
        r == s,
        st.size[level, r],
        st.size[level, s],
        st.count[level, r, s],
        st.total[level, r, s],
        st.number[level, r, s],
        square,
        hidden,
    )


@njit(**KEEP)
def fill_state(p, st):
    """Compute all sums from the labels (empty slots allowed); groups of a level are nodes of the next one."""
    depth, slots = st.size.shape
    n = st.nodes[0]
    st.size[:] = 0
    st.count[:] = 0
    st.total[:] = 0.0
    st.number[:] = 0
    st.square[:] = 0.0
    st.hidden[:] = 0
    st.ends[:] = 0
    st.classes[:] = 0
    for i in range(n):
        r = st.label[0, i]
        st.size[0, r] += 1
        st.ends[r] += p.degree[i]
        if p.options[1] == 1:
            st.classes[r, p.degree_class[i]] += 1
        for e in range(p.pointer[i], p.pointer[i + 1]):
            j = p.neighbour[e]
            if j > i:
                s = st.label[0, j]
                w = p.weight[e]
                st.count[0, r, s] += 1
                st.total[0, r, s] += w
                if p.options[2] == 2:
                    st.square[r, s] += w * w
                if r != s:
                    st.count[0, s, r] += 1
                    st.total[0, s, r] += w
                    if p.options[2] == 2:
                        st.square[s, r] += w * w
        if p.options[3] == 1:
            for e in range(p.hidden_pointer[i], p.hidden_pointer[i + 1]):
                j = p.hidden[e]
                if j > i:
                    s = st.label[0, j]
                    st.hidden[r, s] += 1
                    if r != s:
                        st.hidden[s, r] += 1
    for r in range(st.top[0]):
        for s in range(st.top[0]):
            st.number[0, r, s] = st.count[0, r, s]
    for level in range(1, depth):
        below = level - 1
        nodes = 0
        for u in range(st.top[below]):
            if st.size[below, u] == 0:
                continue
            nodes += 1
            r = st.label[level, u]
            st.size[level, r] += 1
            for v in range(u, st.top[below]):
                if st.size[below, v] == 0:
                    continue
                s = st.label[level, v]
                c = st.count[below, u, v]
                x = st.total[below, u, v]
                m = 1 if c > 0 else 0
                st.count[level, r, s] += c
                st.total[level, r, s] += x
                st.number[level, r, s] += m
                if r != s:
                    st.count[level, s, r] += c
                    st.total[level, s, r] += x
                    st.number[level, s, r] += m
        st.nodes[level] = nodes
    for level in range(depth):
        groups = 0
        for r in range(slots):
            if st.size[level, r] > 0:
                groups += 1
        st.groups[level] = groups
        for r in range(st.top[level]):
            for s in range(st.top[level]):
                st.term[level, r, s] = cell(p, st, level, r, s)


@njit(**KEEP)
def total_cost(p, st):
    """Description length of the state in nats, from its sums."""
    cost = 0.0
    for level in range(st.size.shape[0]):
        cost += level_cost(p.log_factorial, st.nodes[level], st.groups[level])
        for r in range(st.top[level]):
            if st.size[level, r] == 0:
                continue
            cost += group_cost(
                p.log_factorial,
                p.log_q,
                p.log_q_curve,
                p.options[0],
                p.options[1],
                level,
                st.size[level, r],
                st.ends[r],
            )
            for s in range(r, st.top[level]):
                if st.size[level, s] > 0:
                    cost += cell(p, st, level, r, s)
    if p.options[0] == 1 and p.options[1] == 1:
        for i in range(st.nodes[0]):
            cost -= p.log_factorial[p.degree[i]]
        for r in range(st.top[0]):
            for k in range(st.classes.shape[1]):
                cost -= p.log_factorial[st.classes[r, k]]
    return cost


@njit(**KEEP)
def gather(p, st, level, u):
    """Links, weight, items, squares and hidden pairs of one node to every group of its level, into `st.base`.

    Returns those of the node with itself (links, weight, items).
    """
    base = st.base
    top = st.top[level]
    for row in range(5):
        for t in range(top):
            base[row, t] = 0.0
    if level == 0:
        normal = p.options[2] == 2
        for e in range(p.pointer[u], p.pointer[u + 1]):
            t = st.label[0, p.neighbour[e]]
            w = p.weight[e]
            base[0, t] += 1.0
            base[1, t] += w
            if normal:
                base[3, t] += w * w
        for t in range(top):
            base[2, t] = base[0, t]
        if p.options[3] == 1:
            for e in range(p.hidden_pointer[u], p.hidden_pointer[u + 1]):
                base[4, st.label[0, p.hidden[e]]] += 1.0
        return 0.0, 0.0, 0.0
    below = level - 1
    for v in range(st.top[below]):
        if v != u and st.size[below, v] > 0:
            c = st.count[below, u, v]
            if c > 0:
                t = st.label[level, v]
                base[0, t] += c
                base[1, t] += st.total[below, u, v]
                base[2, t] += 1.0
    own = float(st.count[below, u, u])
    return own, st.total[below, u, u], 1.0 if own > 0 else 0.0


@njit(**KEEP)
def gather_group(p, st, level, r):
    """As `gather`, for all nodes of group r at once; returns (own links, weight, items, squares, hidden)."""
    base = st.base
    for t in range(st.top[level]):
        base[0, t] = st.count[level, r, t]
        base[1, t] = st.total[level, r, t]
        base[2, t] = st.number[level, r, t]
        base[3, t] = st.square[r, t] if level == 0 and p.options[2] == 2 else 0.0
        base[4, t] = st.hidden[r, t] if level == 0 and p.options[3] == 1 else 0.0
    own = (base[0, r], base[1, r], base[2, r], base[3, r], base[4, r])
    for row in range(5):
        base[row, r] = 0.0
    return own


@njit(**KEEP)
def shift(p, st, first, r, s, moved, own, ends, degree_class, parent, apply):
    """Change of description length (nats) when nodes with the sums in `st.base` go from group r to group s.

    Parameters
    ----------
    first : int
        The level.
    r, s : int
        Slots; s may be empty, then `parent` is the group of the next level that it joins.
    moved : int
        Number of nodes that move.
    own : tuple of 5 float
        Links, weight, items, squares, hidden pairs among the moved nodes.
    ends : int
        Sum of their degrees (level 0).
    degree_class : int
        Class of the one moved node, or -1: all nodes of r move.
    parent : int
    apply : bool
        Also change the state (labels of the moved nodes are the caller's).
    """
    # arrays as local names: every access through the tuples would count references
    size, label, tops, term_of = st.size, st.label, st.top, st.term
    count_of, total_of, number_of, square_of, hidden_of = st.count, st.total, st.number, st.square, st.hidden
    group_number, node_number, ends_of, classes, base = st.groups, st.nodes, st.ends, st.classes, st.base
    f, table, curve, prior = p.log_factorial, p.log_q, p.log_q_curve, p.prior
    counts, corrected, model, has_hidden = p.options[0], p.options[1], p.options[2], p.options[3]
    buffer = st.buffer
    depth = size.shape[0]
    change = 0.0
    flip = 0
    flow = buffer[0]
    top = max(tops[first], s + 1)
    # rows of a buffer: 0 links, 1 weight, 2 squares, 3 hidden, 4 change of items of (r, t), 5 of (s, t)
    for t in range(top):
        inside = t < tops[first]
        flow[0, t] = base[0, t] if inside else 0.0
        flow[1, t] = base[1, t] if inside else 0.0
        flow[2, t] = base[3, t] if inside else 0.0
        flow[3, t] = base[4, t] if inside else 0.0
        items = base[2, t] if inside else 0.0
        flow[4, t] = -items
        flow[5, t] = items
    items_r, items_s = flow[5, r], flow[5, s]
    flow[4, r] = -(items_r + own[2])
    flow[5, s] = items_s + own[2]
    flow[4, s] = items_r - items_s
    flow[5, r] = 0.0
    delta_r, delta_s, delta_nodes = -moved, moved, 0
    for level in range(first, depth):
        if level > first:
            top = tops[level]
        size_r = size[level, r]
        size_s = size[level, s]
        groups = group_number[level]
        nodes = node_number[level]
        above = level + 1 < depth
        up_r = label[level + 1, r] if above else 0
        up_s = 0
        if above:
            up_s = parent if size_s == 0 else label[level + 1, s]
        up = buffer[1 - flip]
        if above:
            for t in range(tops[level + 1]):
                for row in range(6):
                    up[row, t] = 0.0
        any_item = False
        if r != s:
            new_r, new_s = size_r + delta_r, size_s + delta_s
            for t in range(top):
                if t in (r, s) or size[level, t] == 0:
                    continue
                size_t = size[level, t]
                up_t = label[level + 1, t] if above else 0
                links, weight, square, hidden = flow[0, t], flow[1, t], flow[2, t], flow[3, t]
                for side in range(2):
                    g = r if side == 0 else s
                    sign = -1.0 if side == 0 else 1.0
                    item = flow[4 + side, t]
                    new = new_r if side == 0 else new_s
                    if links == 0.0 and item == 0.0 and hidden == 0.0:
                        if (delta_r if side == 0 else delta_s) == 0 or (counts == 0):
                            continue
                        if count_of[level, g, t] == 0 and number_of[level, g, t] == 0:
                            continue
                    old_count = count_of[level, g, t]
                    count = old_count + int(sign * links)
                    number = number_of[level, g, t] + int(item)
                    total = total_of[level, g, t] + sign * weight if number > 0 else 0.0
                    q = square_of[g, t] + sign * square if level == 0 and model == 2 else 0.0
                    h = hidden_of[g, t] + int(sign * hidden) if level == 0 and has_hidden == 1 else 0
                    term = pair_cost(f, prior, counts, model, level, False, new, size_t, count, total, number, q, h)
                    change += term - term_of[level, g, t]
                    if (count > 0) != (old_count > 0) and above:
                        item_change = 1.0 if count > 0 else -1.0
                        any_item = True
                        if side == 0 or up_r == up_s:
                            up[4, up_t] += item_change
                        elif up_t == up_r:
                            up[4, up_s] += item_change
                        else:
                            up[5, up_t] += item_change
                    if apply:
                        count_of[level, g, t] = count
                        count_of[level, t, g] = count
                        total_of[level, g, t] = total
                        total_of[level, t, g] = total
                        number_of[level, g, t] = number
                        number_of[level, t, g] = number
                        if level == 0 and model == 2:
                            square_of[g, t] = q
                            square_of[t, g] = q
                        if level == 0 and has_hidden == 1:
                            hidden_of[g, t] = h
                            hidden_of[t, g] = h
                        term_of[level, g, t] = term
                        term_of[level, t, g] = term
            for which in range(3):
                # the pairs (r, r), (s, s) and (r, s)
                if which == 0:
                    a, b = r, r
                    dc, dx, dn = -(flow[0, r] + own[0]), -(flow[1, r] + own[1]), flow[4, r]
                    dq, dh = -(flow[2, r] + own[3]), -(flow[3, r] + own[4])
                    size_a, size_b = new_r, new_r
                elif which == 1:
                    a, b = s, s
                    dc, dx, dn = flow[0, s] + own[0], flow[1, s] + own[1], flow[5, s]
                    dq, dh = flow[2, s] + own[3], flow[3, s] + own[4]
                    size_a, size_b = new_s, new_s
                else:
                    a, b = r, s
                    dc, dx, dn = flow[0, r] - flow[0, s], flow[1, r] - flow[1, s], flow[4, s]
                    dq, dh = flow[2, r] - flow[2, s], flow[3, r] - flow[3, s]
                    size_a, size_b = new_r, new_s
                old_count = count_of[level, a, b]
                count = old_count + int(dc)
                number = number_of[level, a, b] + int(dn)
                total = total_of[level, a, b] + dx if number > 0 else 0.0
                q = square_of[a, b] + dq if level == 0 and model == 2 else 0.0
                h = hidden_of[a, b] + int(dh) if level == 0 and has_hidden == 1 else 0
                term = pair_cost(f, prior, counts, model, level, a == b, size_a, size_b, count, total, number, q, h)
                old = term_of[level, a, b] if (which == 0 or size_s > 0) else 0.0
                change += term - old
                if (count > 0) != (old_count > 0) and above:
                    item_change = 1.0 if count > 0 else -1.0
                    any_item = True
                    if which == 0 or up_r == up_s:
                        up[4, up_r] += item_change
                    elif which == 1:
                        up[5, up_s] += item_change
                    else:
                        up[4, up_s] += item_change
                if apply:
                    count_of[level, a, b] = count
                    count_of[level, b, a] = count
                    total_of[level, a, b] = total
                    total_of[level, b, a] = total
                    number_of[level, a, b] = number
                    number_of[level, b, a] = number
                    if level == 0 and model == 2:
                        square_of[a, b] = q
                        square_of[b, a] = q
                    if level == 0 and has_hidden == 1:
                        hidden_of[a, b] = h
                        hidden_of[b, a] = h
                    term_of[level, a, b] = term
                    term_of[level, b, a] = term
            ends_r = ends_of[r] if level == 0 else 0
            ends_s = ends_of[s] if level == 0 else 0
            shifted = ends if level == 0 else 0
            change += group_cost(f, table, curve, counts, corrected, level, new_r, ends_r - shifted) - group_cost(
                f, table, curve, counts, corrected, level, size_r, ends_r
            )
            change += group_cost(f, table, curve, counts, corrected, level, new_s, ends_s + shifted) - group_cost(
                f, table, curve, counts, corrected, level, size_s, ends_s
            )
            if level == 0 and corrected == 1:
                if degree_class >= 0:
                    kr, ks = classes[r, degree_class], classes[s, degree_class]
                    change += f[kr] - f[kr - 1] + f[ks] - f[ks + 1]
                    if apply:
                        classes[r, degree_class] -= 1
                        classes[s, degree_class] += 1
                else:
                    for k in range(classes.shape[1]):
                        kr, ks = classes[r, k], classes[s, k]
                        if kr > 0:
                            change += f[kr] + f[ks] - f[kr + ks]
                            if apply:
                                classes[r, k] = 0
                                classes[s, k] = kr + ks
            gone = 1 if (new_r == 0 and size_r > 0) else 0
            born = 1 if (size_s == 0 and new_s > 0) else 0
            if apply:
                size[level, r] = new_r
                size[level, s] = new_s
                if level == 0:
                    ends_of[r] -= ends
                    ends_of[s] += ends
                tops[level] = max(tops[level], s + 1)
                if born == 1 and above:
                    label[level + 1, s] = parent
        else:
            delta = delta_r + delta_s
            new_r = size_r + delta
            for t in range(top):
                if size[level, t] == 0:
                    continue
                item = flow[4, t]
                if item == 0.0 and (delta == 0 or counts == 0):
                    continue
                size_t = new_r if t == r else size[level, t]
                number = number_of[level, r, t] + int(item)
                total = total_of[level, r, t]
                count = count_of[level, r, t]
                term = pair_cost(f, prior, counts, model, level, t == r, new_r, size_t, count, total, number, 0.0, 0)
                change += term - term_of[level, r, t]
                if apply:
                    count_of[level, r, t] = count
                    count_of[level, t, r] = count
                    total_of[level, r, t] = total
                    total_of[level, t, r] = total
                    number_of[level, r, t] = number
                    number_of[level, t, r] = number
                    term_of[level, r, t] = term
                    term_of[level, t, r] = term
            if delta != 0:
                change += group_cost(f, table, curve, counts, corrected, level, new_r, 0) - group_cost(
                    f, table, curve, counts, corrected, level, size_r, 0
                )
            gone, born = 0, 0
            if apply:
                size[level, r] = new_r
        new_groups = groups - gone + born
        if delta_nodes != 0 or gone + born != 0:
            change += level_cost(f, nodes + delta_nodes, new_groups) - level_cost(f, nodes, groups)
            if apply:
                node_number[level] = nodes + delta_nodes
                group_number[level] = new_groups
        if not above:
            break
        if up_r == up_s:
            if gone == 0 and born == 0 and not any_item:
                break
        elif r != s:
            for t in range(top):
                if t in (r, s) or (flow[0, t] != 0.0 and size[level, t] > 0):
                    # links to t move, at the level above, from the parent of r to the parent of s
                    up_t = up_r if t == r else (up_s if t == s else label[level + 1, t])
                    up[0, up_t] += flow[0, t]
                    up[1, up_t] += flow[1, t]
        delta_nodes = born - gone
        delta_r, delta_s = -gone, born
        if up_r == up_s:
            delta_r, delta_s = born - gone, 0
        r, s = up_r, up_s
        flip = 1 - flip
        flow = buffer[flip]
    return change


@njit(**KEEP)
def move_node(p, st, level, u, s, parent, apply):
    """Change of description length when node u of a level goes to group s; call `gather` semantics are included."""
    links, weight, items = gather(p, st, level, u)
    r = st.label[level, u]
    if r == s:
        return 0.0
    own = (links, weight, items, 0.0, 0.0)
    ends = p.degree[u] if level == 0 else 0
    kind = p.degree_class[u] if level == 0 and p.options[1] == 1 else 0
    change = shift(p, st, level, r, s, 1, own, ends, kind, parent, apply)
    if apply:
        st.label[level, u] = s
    return change


@njit(**KEEP)
def merge_groups(p, st, level, r, s, apply):
    """Change of description length when group r of a level is absorbed by group s."""
    own = gather_group(p, st, level, r)
    ends = st.ends[r] if level == 0 else 0
    change = shift(p, st, level, r, s, st.size[level, r], own, ends, -1, 0, apply)
    if apply:
        n = st.nodes[0] if level == 0 else st.top[level - 1]
        for u in range(n):
            if st.label[level, u] == r:
                st.label[level, u] = s
    return change


@njit(**KEEP)
def free_slot(st, level):
    """First empty slot of a level, or -1."""
    for s in range(st.size.shape[1]):
        if st.size[level, s] == 0:
            return s
    return -1
