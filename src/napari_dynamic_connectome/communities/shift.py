"""Compiled kernel of every move: how the description length changes when nodes go from one group to another.

A move shifts some nodes of one level from group r to group s. All that changes are the rows r and s of that level's sums; at the
next level the same links move from the parent of r to the parent of s, and so on until both share a parent. So one function,
`shift`, serves single nodes, whole groups (merges) and every level, exactly.

In use: `gather` or `gather_group` writes what the moving nodes share with every group, `leave` what it costs group r to lose
them (the same for every s), and then `shift` is asked about one s after another, or told to apply the move.

Rows of a flow: `LINKS`, `WEIGHT`, `SQUARE` and `HIDDEN` that the moving nodes share with each group, and the change of the
numbers of items of (r, t) and (s, t), `LOST` and `WON`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from __future__ import annotations

from numba import njit

from .kernels import (
    APPLY,
    ASK,
    HIDDEN,
    INNER,
    ITEMS,
    LINKS,
    NONE,
    ONE,
    SQUARE,
    TERM,
    WEIGHT,
    ZERO,
    group_cost,
    level_cost,
    pair_cost,
)

LOST, WON = 2, 5


@njit(**INNER)
def clear(flow, top):
    """Set a flow to zero."""
    for row in range(flow.shape[0]):
        for t in range(top):
            flow[row, t] = 0.0


@njit(**INNER)
def gather(p, st, level, u):
    """Write what one node shares with every group of its level into the first flow.

    Returns
    -------
    tuple of 5 float
        Links, weight, items, squares, hidden pairs of the node with itself.
    """
    flow, label, pair = st.flow[0], st.label[level], st.pair
    top = min(st.top[level] + 1, flow.shape[1])  # and the first slot that is free
    clear(flow, top)
    if level == 0:
        normal = p.options[2] == 2
        for e in range(p.pointer[u], p.pointer[u + 1]):
            t = label[p.neighbour[e]]
            w = p.weight[e]
            flow[LINKS, t] += 1.0
            flow[WEIGHT, t] += w
            if normal:
                flow[SQUARE, t] += w * w
        for t in range(top):
            flow[WON, t] = flow[LINKS, t]
            flow[LOST, t] = -flow[LINKS, t]
        if p.options[3] == 1:
            for e in range(p.hidden_pointer[u], p.hidden_pointer[u + 1]):
                flow[HIDDEN, label[p.hidden[e]]] += 1.0
        return 0.0, 0.0, 0.0, 0.0, 0.0
    below = level - 1
    for v in range(st.top[below]):
        if v != u and st.size[below, v] > 0 and pair[below, u, v, LINKS] > 0:
            t = label[v]
            flow[LINKS, t] += pair[below, u, v, LINKS]
            flow[WEIGHT, t] += pair[below, u, v, WEIGHT]
            flow[WON, t] += 1.0
            flow[LOST, t] -= 1.0
    links = pair[below, u, u, LINKS]
    return links, pair[below, u, u, WEIGHT], 1.0 if links > 0 else 0.0, 0.0, 0.0


@njit(**INNER)
def gather_group(st, level, r):
    """As `gather`, for all nodes of group r at once."""
    flow, row = st.flow[0], st.pair[level, r]
    top = st.top[level]
    clear(flow, min(top + 1, flow.shape[1]))
    for t in range(top):
        if t == r:
            continue
        flow[LINKS, t] = row[t, LINKS]
        flow[WEIGHT, t] = row[t, WEIGHT]
        flow[WON, t] = row[t, ITEMS]
        flow[LOST, t] = -row[t, ITEMS]
        flow[SQUARE, t] = row[t, SQUARE]
        flow[HIDDEN, t] = row[t, HIDDEN]
    return row[r, LINKS], row[r, WEIGHT], row[r, ITEMS], row[r, SQUARE], row[r, HIDDEN]


@njit(**INNER)
def pair_change(f, prior, options, pair, level, a, b, size_a, size_b, links, weight, items, square, hidden, apply):
    """Change of the cost of one pair of groups whose sums change; with `apply`, also of the sums.

    Returns
    -------
    change : float
        Nats.
    linked : float
        1: the pair has links now and had none; -1: it had; 0: as before.
    """
    here = pair[level, a, b]
    before = here[LINKS]
    count, number = before + links, here[ITEMS] + items
    total = here[WEIGHT] + weight if number > 0 else 0.0
    q, h = here[SQUARE] + square, here[HIDDEN] + hidden
    term = pair_cost(f, prior, options, level, a == b, size_a, size_b, count, total, number, q, h)
    change = term - here[TERM]
    if apply:
        for way in range(2):
            here = pair[level, a, b] if way == 0 else pair[level, b, a]
            here[LINKS] = count
            here[WEIGHT] = total
            here[ITEMS] = number
            here[SQUARE] = q
            here[HIDDEN] = h
            here[TERM] = term
    return change, (1.0 if count > 0 else 0.0) - (1.0 if before > 0 else 0.0)


@njit(**INNER)
def row_changes(f, prior, options, pair, size, top, level, g, other, new, flow, side, out, apply):
    """Changes of the pairs of group g with all groups but itself and `other`, into `out` (change and linked, group).

    `side` 0: g loses the flow; 1: it gets it. `new` is the size that g will have.
    """
    sign, items = (1.0, flow[WON]) if side == 1 else (-1.0, flow[LOST])
    same_size = new == size[level, g]
    for t in range(top):
        out[0, t] = 0.0
        out[1, t] = 0.0
        if t in (g, other) or size[level, t] == 0:
            continue
        links, hidden = flow[LINKS, t], flow[HIDDEN, t]
        still = links == 0.0 and items[t] == 0.0 and hidden == 0.0
        if still and (same_size or options[0] == 0 or pair[level, g, t, LINKS] == 0.0):
            continue  # an unlinked pair costs nothing, and where links are not counted its size does not matter
        weight, square = sign * flow[WEIGHT, t], sign * flow[SQUARE, t]
        out[0, t], out[1, t] = pair_change(
            f,
            prior,
            options,
            pair,
            level,
            g,
            t,
            new,
            size[level, t],
            sign * links,
            weight,
            items[t],
            square,
            sign * hidden,
            apply,
        )


@njit(**INNER)
def leave(p, st, level, r, moved):
    """What it changes at this level that r loses the gathered nodes, apart from its pairs with itself and the other group."""
    top, new = st.top[level], st.size[level, r] - moved
    f, prior, options = p.log_factorial, p.prior, p.options
    row_changes(f, prior, options, st.pair, st.size, top, level, r, r, new, st.flow[0], ZERO, st.rows[0], ASK)


@njit(**INNER)
def note_items(up, up_r, up_s, a, b, linked):
    """Count an item that the pair (a, b) of the level above gets or loses; a is `up_r` or `up_s`."""
    if a == up_r:
        up[LOST, b] += linked
    elif b == up_r:
        up[LOST, a] += linked
    else:
        up[WON, b] += linked


@njit(**INNER)
def add_rows(parents, size, top, level, r, s, up_r, up_s, leaving, joining, up, change):
    """Add up two rows of changes, group by group; returns the sum, and whether items change at the level above."""
    any_item = False
    for t in range(top):
        if t in (r, s) or size[level, t] == 0:
            continue
        change += leaving[0, t]
        change += joining[0, t]
        if leaving[1, t] != 0.0 or joining[1, t] != 0.0:
            any_item = True
            note_items(up, up_r, up_s, up_r, parents[t], leaving[1, t])
            note_items(up, up_r, up_s, up_s, parents[t], joining[1, t])
    return change, any_item


@njit(**INNER)
def own_pairs(f, prior, options, pair, level, r, s, new_r, new_s, up_r, up_s, flow, items, own, up, apply, change):
    """Add what the pairs (r, r), (s, s) and (r, s) change; `items` are the changes of their numbers of items."""
    any_item = False
    for which in range(3):
        if which < 2:
            g, sign = (s, 1.0) if which == 1 else (r, -1.0)
            a, b = g, g
            links, weight = sign * (flow[LINKS, g] + own[0]), sign * (flow[WEIGHT, g] + own[1])
            square, hidden = sign * (flow[SQUARE, g] + own[3]), sign * (flow[HIDDEN, g] + own[4])
        else:
            a, b = r, s
            links, weight = flow[LINKS, r] - flow[LINKS, s], flow[WEIGHT, r] - flow[WEIGHT, s]
            square, hidden = flow[SQUARE, r] - flow[SQUARE, s], flow[HIDDEN, r] - flow[HIDDEN, s]
        size_a, size_b = new_r if a == r else new_s, new_r if b == r else new_s
        more, linked = pair_change(
            f, prior, options, pair, level, a, b, size_a, size_b, links, weight, items[which], square, hidden, apply
        )
        change += more
        if linked != 0.0:
            any_item = True
            note_items(up, up_r, up_s, up_r if a == r else up_s, up_r if b == r else up_s, linked)
    return change, any_item


@njit(**INNER)
def inside_parent(f, prior, options, pair, size, top, level, r, new, flow, apply, change):
    """Add what changes where both groups below share the parent r: its size, and the items that it shares."""
    same_size = new == size[level, r]
    for t in range(top):
        if size[level, t] == 0:
            continue
        items = flow[LOST, t]
        if items == 0.0 and (same_size or options[0] == 0):
            continue
        size_t = new if t == r else size[level, t]
        more, _ = pair_change(f, prior, options, pair, level, r, t, new, size_t, 0.0, 0.0, items, 0.0, 0.0, apply)
        change += more
    return change


@njit(**INNER)
def group_changes(p, st, level, r, s, new_r, new_s, ends, change):
    """Add what the sizes and degree sums of r and s change."""
    f, options = p.log_factorial, p.options
    for side in range(2 if r != s else 1):
        g, new, more = (s, new_s, ends) if side == 1 else (r, new_r, -ends)
        size = st.size[level, g]
        if r == s and new == size:
            continue
        now = st.ends[g] if level == 0 else 0
        after = group_cost(f, p.log_q, p.log_q_curve, options, level, new, now + more)
        change += after - group_cost(f, p.log_q, p.log_q_curve, options, level, size, now)
    return change


@njit(**INNER)
def class_changes(f, classes, r, s, degree_class, apply, change):
    """Add what the numbers of nodes of each degree in r and s change; `degree_class` of the one node, -1: all of r move."""
    if degree_class >= 0:
        kr, ks = classes[r, degree_class], classes[s, degree_class]
        change += f[kr] - f[kr - 1] + f[ks] - f[ks + 1]
        if apply:
            classes[r, degree_class] -= 1
            classes[s, degree_class] += 1
        return change
    for k in range(classes.shape[1]):
        kr, ks = classes[r, k], classes[s, k]
        if kr > 0:
            change += f[kr] + f[ks] - f[kr + ks]
            if apply:
                classes[r, k] = 0
                classes[s, k] = kr + ks
    return change


@njit(**INNER)
def lift(size, parents, top, level, r, s, up_r, up_s, flow, up):
    """Add up the links of a flow for the level above, where they go from the parent of r to the parent of s."""
    for t in range(top):
        if t in (r, s) or (flow[LINKS, t] != 0.0 and size[level, t] > 0):
            up_t = up_r if t == r else (up_s if t == s else parents[t])
            up[LINKS, up_t] += flow[LINKS, t]
            up[WEIGHT, up_t] += flow[WEIGHT, t]


@njit(**INNER)
def resize(st, level, r, s, new_r, new_s, ends, parent):
    """Write the new sizes of r and s; s may be born here, then `parent` is its parent."""
    if st.size[level, s] == 0 and level + 1 < st.size.shape[0]:
        st.label[level + 1, s] = parent
    st.size[level, r] = new_r
    if r != s:
        st.size[level, s] = new_s
    if level == 0:
        st.ends[r] -= ends
        st.ends[s] += ends
    st.top[level] = max(st.top[level], s + 1)


@njit(**INNER)
def shift(p, st, first, r, s, moved, own, ends, degree_class, parent, apply):
    """Change of description length (nats) when the gathered nodes go from group r to group s.

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
        Also change the state (labels of the moved nodes are the caller's). Without, `leave` comes before.
    """
    f, prior, options = p.log_factorial, p.prior, p.options
    pair, size = st.pair, st.size
    depth = size.shape[0]
    flow = st.flow[0]
    items = (-(flow[WON, r] + own[2]), flow[WON, s] + own[2], flow[WON, r] - flow[WON, s])
    lost, won, more_nodes = -moved, moved, 0
    change = 0.0
    for level in range(first, depth):
        above = level + 1 < depth
        top = max(st.top[level], s + 1)
        new_r = size[level, r] + lost + (won if r == s else 0)
        new_s = size[level, s] + won
        gone = 1 if r != s and new_r == 0 and size[level, r] > 0 else 0
        born = 1 if r != s and new_s > 0 and size[level, s] == 0 else 0
        here, up = level + 1 if above else level, st.flow[1 + (level - first) % 2]
        parents = st.label[here]
        up_r = parents[r] if above else 0
        up_s = (parent if size[level, s] == 0 else parents[s]) if above else 0
        clear(up, st.top[here])
        any_item = False
        shifted = ends if level == 0 else 0
        if r != s:
            leaving = st.rows[0 if level == first else 1]
            if apply or level > first:
                row_changes(f, prior, options, pair, size, top, level, r, s, new_r, flow, ZERO, leaving, apply)
            row_changes(f, prior, options, pair, size, top, level, s, r, new_s, flow, ONE, st.rows[2], apply)
            change, more = add_rows(parents, size, top, level, r, s, up_r, up_s, leaving, st.rows[2], up, change)
            change, any_item = own_pairs(
                f, prior, options, pair, level, r, s, new_r, new_s, up_r, up_s, flow, items, own, up, apply, change
            )
            any_item |= more
        else:
            change = inside_parent(f, prior, options, pair, size, top, level, r, new_r, flow, apply, change)
        change = group_changes(p, st, level, r, s, new_r, new_s, shifted, change)
        if level == 0 and options[1] == 1:
            change = class_changes(f, st.classes, r, s, degree_class, apply, change)
        groups, nodes = st.groups[level], st.nodes[level]
        if more_nodes != 0 or gone + born != 0:
            change += level_cost(f, nodes + more_nodes, groups - gone + born) - level_cost(f, nodes, groups)
        if apply:
            st.nodes[level] = nodes + more_nodes
            st.groups[level] = groups - gone + born
            resize(st, level, r, s, new_r, new_s, shifted, parent)
        if not above or r == s or (up_r == up_s and not (any_item or gone or born)):
            break
        if up_r != up_s:
            lift(size, parents, top, level, r, s, up_r, up_s, flow, up)
        more_nodes, lost, won = born - gone, -gone, born
        items = (up[LOST, up_r], up[WON, up_s], up[LOST, up_s])
        own = (own[0], own[1], own[2], 0.0, 0.0)  # squares and hidden pairs count at level 0 only
        r, s, flow = up_r, up_s, up
    return change


@njit(**INNER)
def node_degree(p, level, u):
    """Degree of a node and its class, as `shift` wants them."""
    if level > 0:
        return 0, 0
    return p.degree[u], p.degree_class[u] if p.options[1] == 1 else 0


@njit(**INNER)
def move_node(p, st, level, u, s, parent, apply):
    """Change of description length when node u of a level goes to group s."""
    r = st.label[level, u]
    if r == s:
        return 0.0
    own = gather(p, st, level, u)
    if not apply:
        leave(p, st, level, r, ONE)
    ends, degree_class = node_degree(p, level, u)
    change = shift(p, st, level, r, s, ONE, own, ends, degree_class, parent, apply)
    if apply:
        st.label[level, u] = s
    return change


@njit(**INNER)
def start_merging(p, st, level, r):
    """Gather group r, so that `merge_into` can be asked where it may go."""
    own = gather_group(st, level, r)
    leave(p, st, level, r, st.size[level, r])
    return own


@njit(**INNER)
def merge_into(p, st, level, r, s, own):
    """Change of description length if group r, gathered before, were absorbed by group s."""
    ends = st.ends[r] if level == 0 else 0
    return shift(p, st, level, r, s, st.size[level, r], own, ends, NONE, ZERO, ASK)


@njit(**INNER)
def merge_groups(p, st, level, r, s):
    """Let group s of a level absorb group r; returns the change of description length."""
    own = gather_group(st, level, r)
    ends = st.ends[r] if level == 0 else 0
    change = shift(p, st, level, r, s, st.size[level, r], own, ends, NONE, ZERO, APPLY)
    n = st.nodes[0] if level == 0 else st.top[level - 1]
    for u in range(n):
        if st.label[level, u] == r:
            st.label[level, u] = s
    return change


@njit(**INNER)
def free_slot(st, level):
    """First empty slot of a level, or -1."""
    for s in range(st.size.shape[1]):
        if st.size[level, s] == 0:
            return s
    return -1
