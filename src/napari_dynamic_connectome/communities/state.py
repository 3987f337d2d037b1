"""State of a nested partition as flat arrays that compiled code can change in place.

`Problem` is what stays (graph, model, tables), `State` what moves. Both are named tuples of arrays, because numba caches
functions over those on disk. `build_state` computes everything from labels; `kernels.py` keeps it up to date.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaln

from .description_length import NORMAL_PRIOR, log_partition_curve, log_partition_table

Array = np.ndarray[Any, Any]
TABLE_LIMIT = 6_000_000
WEIGHTS = {"none": 0, "exponential": 1, "normal": 2}


class Problem(NamedTuple):
    """Graph, model and tables.

    pointer, neighbour, weight: links in compressed rows, every link twice. hidden_pointer, hidden: the same for pairs that
    were never observed. degree, degree_class: k_i and the index of its value among the distinct values. options:
    (counts, degree corrected, weight model, has hidden pairs). log_factorial: ln n!. log_q: ln q(m, n), or (0, 0) if too
    large; then log_q_curve serves. prior: of the normal weights.
    """

    pointer: Array
    neighbour: Array
    weight: Array
    hidden_pointer: Array
    hidden: Array
    degree: Array
    degree_class: Array
    options: Array
    log_factorial: Array
    log_q: Array
    log_q_curve: Array
    prior: Array


class State(NamedTuple):
    """A nested partition and its sums.

    label: (L, N) int64, label[l, u] = group of node u of level l (nodes of level l > 0 are the groups of l - 1). size: (L, K)
    nodes of the level in each group. top: (L,) slots in use; groups: (L,) non-empty ones; nodes: (L,) nodes of each level.
    pair: (L, K, K, 6) what two groups have in common: links, their weight, weighted items, squared weights, unobserved pairs
    (the last two at level 0 only), and the cost of all that. ends: (K,) e_r. classes: (K, D) nodes of each degree. flow (3, 6,
    K), rows (3, 2, K): scratch of a move. random: state of the random generator.
    """

    label: Array
    size: Array
    top: Array
    groups: Array
    nodes: Array
    pair: Array
    ends: Array
    classes: Array
    flow: Array
    rows: Array
    random: Array


def compress(edges: Array, values: Array, n: int) -> tuple[Array, Array, Array]:
    """Links as compressed rows, both directions."""
    rows = np.concatenate([edges[:, 0], edges[:, 1]])
    columns = np.concatenate([edges[:, 1], edges[:, 0]])
    order = np.lexsort((columns, rows))
    pointer = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=n), out=pointer[1:])
    return pointer, columns[order].astype(np.int64), np.concatenate([values, values])[order].astype(np.float64)


def build_problem(
    edges: Array,
    weights: Array,
    n: int,
    *,
    slots: int,
    counts: bool = True,
    degree_corrected: bool = False,
    weight_model: str = "exponential",
    unobserved: Array | None = None,
) -> Problem:
    """Arrangement of a graph for the compiled search.

    Parameters
    ----------
    edges : ndarray of int
        (E, 2), every link once.
    weights : ndarray of float
        (E,), of mean about 1 (or standardised, for normal weights).
    n : int
        Number of nodes.
    slots : int
        Largest number of groups that a state of this problem will have.
    """
    edges = np.asarray(edges, dtype=np.int64).reshape(-1, 2)
    pointer, neighbour, values = compress(edges, np.asarray(weights, dtype=np.float64), n)
    hidden_pairs = np.zeros((0, 2), dtype=np.int64) if unobserved is None else np.asarray(unobserved, dtype=np.int64)
    hidden_pairs = hidden_pairs.reshape(-1, 2)
    has_hidden = counts and len(hidden_pairs) > 0
    hidden_pointer, hidden, _ = compress(hidden_pairs, np.zeros(len(hidden_pairs)), n)
    degree = np.diff(pointer).astype(np.int64)
    _, degree_class = np.unique(degree, return_inverse=True)
    corrected = counts and degree_corrected
    log_q = np.zeros((0, 0))
    if corrected and (2 * len(edges) + 1) * (n + 1) <= TABLE_LIMIT:
        log_q = np.array(log_partition_table(2 * len(edges), n))
    options = np.array([counts, corrected, WEIGHTS[weight_model], has_hidden], dtype=np.int64)
    reach = 2 * len(edges) + max(slots * (slots + 1), n) + n + 16
    return Problem(
        pointer,
        neighbour,
        values,
        hidden_pointer,
        hidden,
        degree,
        degree_class.astype(np.int64).reshape(-1),
        options,
        gammaln(np.arange(reach, dtype=np.float64) + 1.0),
        log_q,
        log_partition_curve() if corrected and log_q.size == 0 else np.zeros((3, 2)),
        np.array(NORMAL_PRIOR),
    )


def empty_state(problem: Problem, n: int, slots: int, depth: int, seed: int) -> State:
    """State with room for `slots` groups and `depth` levels; `fill_state` makes it valid."""
    corrected = int(problem.options[1])
    classes = int(problem.degree_class.max()) + 1 if corrected and n else 0
    width = max(slots, n)
    return State(
        label=np.zeros((depth, width), dtype=np.int64),
        size=np.zeros((depth, slots), dtype=np.int64),
        top=np.zeros(depth, dtype=np.int64),
        groups=np.zeros(depth, dtype=np.int64),
        nodes=np.zeros(depth, dtype=np.int64),
        pair=np.zeros((depth, slots, slots, 6)),
        ends=np.zeros(slots, dtype=np.int64),
        classes=np.zeros((slots if corrected else 0, classes), dtype=np.int64),
        flow=np.zeros((3, 6, slots)),
        rows=np.zeros((3, 2, slots)),
        random=np.array([np.random.default_rng(seed).integers(1, 2**63)], dtype=np.uint64),
    )


def build_state(problem: Problem, levels: Sequence[Array], *, slots: int, seed: int = 0) -> State:
    """State of given labels.

    Parameters
    ----------
    problem : Problem
    levels : sequence of ndarray of int
        levels[0] (N,), levels[l] (groups of level l - 1,); the last one all zeros. Labels are used as they are.
    slots : int
        Room for this many groups.
    seed : int
        Of the random moves.
    """
    from .kernels import fill_state

    n = len(problem.degree)
    state = empty_state(problem, n, slots, len(levels), seed)
    for level, labels in enumerate(levels):
        state.label[level, : len(labels)] = labels
        state.top[level] = int(np.max(labels)) + 1 if len(labels) else 1
        state.nodes[level] = len(labels)
    fill_state(problem, state)
    return state


def read_levels(state: State) -> list[Array]:
    """Labels of every level, groups numbered without gaps (in order of their slots)."""
    out: list[Array] = []
    alive = np.arange(int(state.nodes[0]))
    for level in range(len(state.top)):
        raw = state.label[level, alive]
        alive, labels = np.unique(raw, return_inverse=True)
        out.append(labels.astype(np.int64).reshape(-1))
    return out
