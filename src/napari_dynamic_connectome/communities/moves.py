"""Compiled moves on a nested partition: sweeps (greedy or heat-bath), greedy merging, splits, merge-and-split.

All of them change the state in place and return the change of description length in nats.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from __future__ import annotations

import math

import numpy as np
from numba import njit

from ..model.sort_kernels import order_of
from .kernels import APPLY, ASK, INNER, KEEP, NONE, ONCE, ONE, THREE, WEIGHT, ZERO, choose, uniform
from .shift import (
    free_slot,
    gather,
    leave,
    merge_groups,
    merge_into,
    move_node,
    node_degree,
    shift,
    start_merging,
)
from .state import Problem, State

MANY = 24
STAY = np.bool_(False)
SETTLE, BETWEEN = np.int64(20), np.int64(12)
TRIED = 10
TO_SETTLE, TO_MERGE, TO_IMPROVE, TO_DRAW = range(4)
NO_SAMPLES = np.empty((0, 0, 0), dtype=np.int64)


@njit(**INNER)
def node_limit(st, level):
    """Number of node slots of a level."""
    return st.nodes[0] if level == 0 else st.top[level - 1]


@njit(**INNER)
def group_list(st, level):
    """Slots of a level that hold nodes."""
    found = np.empty(st.groups[level], dtype=np.int64)
    k = 0
    for r in range(st.top[level]):
        if st.size[level, r] > 0:
            found[k] = r
            k += 1
    return found


@njit(**INNER)
def shuffled_nodes(st, level):
    """Nodes of a level in random order."""
    limit = node_limit(st, level)
    order = np.empty(limit, dtype=np.int64)
    k = 0
    for u in range(limit):
        if level == 0 or st.size[level - 1, u] > 0:
            order[k] = u
            k += 1
    order = order[:k]
    for i in range(k - 1, 0, -1):
        j = choose(st.random, i + 1)
        order[i], order[j] = order[j], order[i]
    return order


@njit(**ONCE)
def place_node(p, st, level, u, beta, allow_new, targets, parents, costs):
    """Move one node to the group that a heat bath at `beta` (inf: the best) picks; returns the change.

    A node never leaves a group of which it is the last member, unless `allow_new` (then groups may be born and die, as
    sampling needs). With many groups only some are tried (greedy only).
    """
    r = st.label[level, u]
    alone = st.size[level, r] == 1
    has_parent = level + 1 < st.size.shape[0]
    if alone:
        if not allow_new:
            return 0.0
        if has_parent and st.size[level + 1, st.label[level + 1, r]] == 1:
            return 0.0
    own = gather(p, st, level, u)
    leave(p, st, level, r, ONE)
    ends, degree_class = node_degree(p, level, u)
    n = 1
    targets[0] = r
    parents[0] = 0
    costs[0] = 0.0
    if st.groups[level] > MANY and beta == math.inf:
        for _ in range(TRIED):
            s = choose(st.random, st.top[level])
            if level == 0 and p.pointer[u + 1] > p.pointer[u] and uniform(st.random) < 0.7:
                e = p.pointer[u] + choose(st.random, p.pointer[u + 1] - p.pointer[u])
                s = st.label[0, p.neighbour[e]]
            if s != r and st.size[level, s] > 0:
                targets[n] = s
                parents[n] = 0
                n += 1
    else:
        for s in range(st.top[level]):
            if s != r and st.size[level, s] > 0:
                targets[n] = s
                parents[n] = 0
                n += 1
    if allow_new and has_parent:
        slot = free_slot(st, level)
        if slot >= 0:
            here = st.label[level + 1, r]
            for g in range(st.top[level + 1]):
                if st.size[level + 1, g] > 0 and not (alone and g == here):
                    targets[n] = slot
                    parents[n] = g
                    n += 1
    best = 0
    for k in range(1, n):
        costs[k] = shift(p, st, level, r, targets[k], ONE, own, ends, degree_class, parents[k], ASK)
        if costs[k] < costs[best]:
            best = k
    if beta == math.inf:
        if costs[best] > -1e-9:
            return 0.0
    else:
        low = costs[best]
        total = 0.0
        for k in range(n):
            total += math.exp(-beta * (costs[k] - low))
        level_hit = uniform(st.random) * total
        best = n - 1
        for k in range(n):
            level_hit -= math.exp(-beta * (costs[k] - low))
            if level_hit <= 0.0:
                best = k
                break
    if best == 0:
        return 0.0
    change = shift(p, st, level, r, targets[best], ONE, own, ends, degree_class, parents[best], APPLY)
    st.label[level, u] = targets[best]
    return change


@njit(**INNER)
def sweep(p, st, level, beta, allow_new):
    """Visit every node of a level once, in random order; returns the change."""
    room = 2 * st.size.shape[1]  # every group, and every parent of a new one
    targets = np.empty(room, dtype=np.int64)
    parents = np.empty(room, dtype=np.int64)
    costs = np.empty(room)
    change = 0.0
    for u in shuffled_nodes(st, level):
        if level > 0 and st.size[level - 1, u] == 0:
            continue
        change += place_node(p, st, level, u, beta, allow_new, targets, parents, costs)
    return change


@njit(**ONCE)
def settling(p, st, level, most):
    """See `settle`."""
    change = 0.0
    for _ in range(most):
        step = sweep(p, st, level, math.inf, STAY)
        change += step
        if step > -1e-9:
            break
    return change


@njit(**ONCE)
def drawing(p, st, sweeps, out):
    """See `draw`."""
    depth = st.size.shape[0]
    for k in range(sweeps):
        for level in range(max(depth - 1, 1)):
            sweep(p, st, level, 1.0, level == 0)
        for i in range(st.nodes[0]):
            u = i
            for level in range(depth):
                u = st.label[level, u]
                out[k, level, i] = u


@njit(**KEEP)
def merge_costs(p, st):
    """For every slot of level 0: the least change of description length if its group joined another one."""
    cost = np.full(st.top[0], np.inf)
    alive = group_list(st, ZERO)
    for r in alive:
        own = start_merging(p, st, ZERO, r)
        for s in alive:
            if s != r:
                cost[r] = min(cost[r], merge_into(p, st, ZERO, r, s, own))
    return cost


@njit(**ONCE)
def merging(p, st, level, target):
    """See `merge_down`."""
    change = 0.0
    while st.groups[level] > target:
        alive = group_list(st, level)
        n = len(alive)
        tries = n - 1 if n <= 2 * MANY else 16
        best_cost, best_to = np.empty(n), np.empty(n, dtype=np.int64)
        for a in range(n):
            r = alive[a]
            best_cost[a], best_to[a] = math.inf, ZERO
            own = start_merging(p, st, level, r)
            for k in range(tries):
                if n <= 2 * MANY:
                    b = k if k < a else k + 1
                    if b < a:
                        continue
                else:
                    b = choose(st.random, n)
                    if b == a:
                        continue
                s = alive[b]
                cost = merge_into(p, st, level, r, s, own)
                if cost < best_cost[a]:
                    best_cost[a] = cost
                    best_to[a] = s
        used = np.empty(st.size.shape[1], dtype=np.bool_)
        for r in range(st.size.shape[1]):
            used[r] = STAY
        done = 0
        allowed = max((n - target + 1) // 2, 1) if n > 8 else 1
        for a in order_of(best_cost):
            if st.groups[level] <= target or done >= allowed:
                break
            r, s = alive[a], best_to[a]
            if used[r] or used[s] or not math.isfinite(best_cost[a]):
                continue
            used[r] = True
            used[s] = True
            change += merge_groups(p, st, level, r, s)
            done += 1
        if done == 0:
            break
    return change


@njit(**ONCE)
def merge_better(p, st, level):
    """Merge the best pair of groups as long as that lowers the description length."""
    change = 0.0
    while st.groups[level] > 1:
        alive = group_list(st, level)
        best, best_r, best_s = -1e-9, NONE, NONE
        siblings = level + 1 < st.size.shape[0] and len(alive) > MANY
        for a in range(len(alive) - 1):
            r = alive[a]
            own = start_merging(p, st, level, r)
            for s in alive[a + 1 :]:
                if siblings and st.label[level + 1, r] != st.label[level + 1, s]:
                    continue
                cost = merge_into(p, st, level, r, s, own)
                if cost < best:
                    best, best_r, best_s = cost, r, s
        if best_r < 0:
            break
        change += merge_groups(p, st, level, best_r, best_s)
    return change


@njit(**ONCE)
def between(p, st, level, members, r, s, most):
    """Greedy sweeps of `members` between two groups only."""
    change = 0.0
    for _ in range(most):
        moved = False
        for u in members:
            here = st.label[level, u]
            there = s if here == r else r
            if st.size[level, here] == 1:
                continue
            own = gather(p, st, level, u)
            leave(p, st, level, here, ONE)
            ends, degree_class = node_degree(p, level, u)
            step = shift(p, st, level, here, there, ONE, own, ends, degree_class, ZERO, ASK)
            if step < -1e-9:
                shift(p, st, level, here, there, ONE, own, ends, degree_class, ZERO, APPLY)
                st.label[level, u] = there
                change += step
                moved = True
        if not moved:
            break
    return change


@njit(**INNER)
def mean_link(p, st, level, u):
    """Total weight of a node (level 0) or its links (above), to split by strength."""
    if level > 0:
        out = 0.0
        for v in range(st.top[level - 1]):
            out += st.pair[level - 1, u, v, WEIGHT]
        return out
    out = 0.0
    for e in range(p.pointer[u], p.pointer[u + 1]):
        out += p.weight[e]
    return out


@njit(**INNER)
def split_group(p, st, level, r, style):
    """Divide group r in two and keep it if that lowers the description length; returns the change (0 if undone).

    `style` 0: at random; 1: by strength; 2: by the links to two random members.
    """
    n = st.size[level, r]
    slot = free_slot(st, level)
    if n < 2 or slot < 0:
        return 0.0
    members = np.empty(n, dtype=np.int64)
    k = 0
    for u in shuffled_nodes(st, level):
        if st.label[level, u] == r:
            members[k] = u
            k += 1
    parent = st.label[level + 1, r] if level + 1 < st.size.shape[0] else 0
    score = np.empty(n)
    if style == 1:
        for k in range(n):
            score[k] = mean_link(p, st, level, members[k])
    elif style == 2 and level == 0:
        for k in range(n):
            score[k] = 1e-9 * uniform(st.random)
        place = np.empty(st.nodes[0], dtype=np.int64)
        for u in range(st.nodes[0]):
            place[u] = NONE
        for k in range(n):
            place[members[k]] = k
        for seed in range(2):
            u = members[seed]
            for e in range(p.pointer[u], p.pointer[u + 1]):
                k = place[p.neighbour[e]]
                if k >= 0:
                    score[k] += p.weight[e] if seed == 0 else -p.weight[e]
    else:
        for k in range(n):
            score[k] = uniform(st.random)
    share = 0.5 if style != 1 else 0.15 + 0.7 * uniform(st.random)
    take = min(max(int(n * share), 1), n - 1)
    order = order_of(score)
    change = 0.0
    for k in order[:take]:
        change += move_node(p, st, level, members[k], slot, parent, APPLY)
    change += between(p, st, level, members, r, slot, BETWEEN)
    if change < -1e-9:
        return change
    for u in members:
        if st.label[level, u] == slot:
            move_node(p, st, level, u, r, ZERO, APPLY)
    return 0.0


@njit(**ONCE)
def remerge(p, st, level, r, s, style):
    """Merge s into r and divide the result again; keep it if that lowers the description length."""
    limit = node_limit(st, level)
    before = st.label[level, :limit].copy()
    parent = st.label[level + 1, s] if level + 1 < st.size.shape[0] else 0
    if level + 1 < st.size.shape[0] and st.size[level + 1, parent] == 1 and st.label[level + 1, r] != parent:
        return 0.0
    change = merge_groups(p, st, level, s, r)
    if change < -1e-9:
        return change
    change += split_group(p, st, level, r, style)
    if change < -1e-9:
        return change
    # undo: the slot that split_group took is where the members of s go, if it kept its split
    home = -1
    for u in range(limit):
        if before[u] == s and (level == 0 or st.size[level - 1, u] > 0):
            home = s
            break
    if home < 0:
        return change
    for u in range(limit):
        there = level == 0 or st.size[level - 1, u] > 0
        if there and before[u] in (r, s) and st.label[level, u] != r:
            move_node(p, st, level, u, r, ZERO, APPLY)
    for u in range(limit):
        if before[u] == s and (level == 0 or st.size[level - 1, u] > 0):
            move_node(p, st, level, u, s, parent, APPLY)
    return 0.0


@njit(**ONCE)
def improving(p, st, level, tries):
    """See `improve`."""
    change = settling(p, st, level, SETTLE)
    change += merge_better(p, st, level)
    for _ in range(tries):
        for r in group_list(st, level):
            if st.size[level, r] > 1:
                change += split_group(p, st, level, r, choose(st.random, THREE))
    for _ in range(tries * min(st.groups[level], 2 * MANY)):
        alive = group_list(st, level)
        if len(alive) < 2:
            break
        a = choose(st.random, len(alive))
        b = choose(st.random, len(alive) - 1)
        if b >= a:
            b += 1
        change += remerge(p, st, level, alive[a], alive[b], choose(st.random, THREE))
    return change + settling(p, st, level, SETTLE)


@njit(**KEEP)
def act(p, st, what, level, number, out):
    """Any of the four below: compiled together, what they share is compiled once, and so is what turns arrays into arguments."""
    if what == TO_SETTLE:
        return settling(p, st, level, number)
    if what == TO_MERGE:
        return merging(p, st, level, number)
    if what == TO_IMPROVE:
        return improving(p, st, level, number)
    drawing(p, st, number, out)
    return 0.0


def settle(p: Problem, st: State, level: int, most: int) -> float:
    """Greedy sweeps until nothing changes, at most `most`; returns the change."""
    return float(act(p, st, TO_SETTLE, level, most, NO_SAMPLES))


def merge_down(p: Problem, st: State, level: int, target: int) -> float:
    """Merge groups, the cheapest first, until `target` are left; returns the change."""
    return float(act(p, st, TO_MERGE, level, target, NO_SAMPLES))


def improve(p: Problem, st: State, level: int, tries: int) -> float:
    """One round of greedy moves at a level: sweeps, merges, splits, merge-and-splits; returns the change."""
    return float(act(p, st, TO_IMPROVE, level, tries, NO_SAMPLES))


def draw(p: Problem, st: State, sweeps: int, out: np.ndarray) -> None:
    """Sample nested partitions at beta = 1, one a sweep, into `out` (sample, level, node) as slots.

    Nodes of level 0 may found and close groups; groups of higher levels change their parents.
    """
    act(p, st, TO_DRAW, 0, sweeps, out)
