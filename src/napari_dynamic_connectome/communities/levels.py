"""Numbering of communities and choice of the level that is shown first."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..model.results import Communities

Array = np.ndarray[Any, Any]
ALIKE = 1 / 3
"""Communities of two partitions count as the same if they share at least this much of the neurons that either has."""


def expand(levels: Sequence[Array]) -> Array:
    """Nested labels (each level's groups of the groups below) to labels (level, node) of the nodes."""
    rows = [np.asarray(levels[0])]
    for labels in levels[1:]:
        rows.append(np.asarray(labels)[rows[-1]])
    return np.stack(rows)


def number_levels(labels: Array) -> Array:
    """Number communities from 0 at every level so that the children of one community are next to each other.

    From the coarsest level down: larger communities first, equal ones by their first member; the children follow the order
    of their parents. Nodes with -1 stay -1.

    Parameters
    ----------
    labels : ndarray of int
        (level, node), level 0 the finest; nested.
    """
    out = np.full_like(labels, -1)
    order = np.zeros(labels.shape[1], dtype=np.int64)
    for level in reversed(range(len(labels))):
        row = labels[level]
        known = np.unique(row[row >= 0])
        keys = []
        for group in known:
            inside = np.flatnonzero(row == group)
            keys.append((order[inside[0]], -len(inside), inside[0], group))
        for number, key in enumerate(sorted(keys)):
            out[level, row == key[3]] = number
        order = out[level].copy()
    return out


def match_labels(first: Array, second: Array) -> dict[int, int]:
    """Match groups of two labelings of the same nodes one to one, so that they share as many nodes as possible.

    Parameters
    ----------
    first, second : ndarray of int
        (N,), -1 = none.

    Returns
    -------
    dict
        Group of `second` -> group of `first`; groups without a partner are left out.
    """
    both = (first >= 0) & (second >= 0)
    if not both.any():
        return {}
    names_a, a = np.unique(first[both], return_inverse=True)
    names_b, b = np.unique(second[both], return_inverse=True)
    overlap = np.zeros((len(names_b), len(names_a)))
    np.add.at(overlap, (b, a), 1.0)
    union = overlap.sum(axis=1, keepdims=True) + overlap.sum(axis=0) - overlap
    rows, columns = linear_sum_assignment(-(overlap + overlap / union))
    return {int(names_b[r]): int(names_a[c]) for r, c in zip(rows, columns) if overlap[r, c] > 0}


def shared_numbers(
    partitions: Sequence[tuple[Sequence[str], Array]], most: int = 30, near: Collection[tuple[int, int]] = ()
) -> list[dict[int, int]]:
    """Number the communities of several partitions so that one with the same neurons has the same number everywhere.

    Partitions are taken in turn; their communities are paired one to one with those that already have a number, by shared
    neurons over neurons of either (at least `ALIKE`). Others get the first number that nobody has; from `most` on, the first that
    their own partition does not have. A single community of everybody is number 0 and is not compared.

    Parameters
    ----------
    partitions : sequence of (names, labels)
        Names and community (-1: none) of the neurons of each, both (N,).
    most : int
        Numbers that can be told apart (colours).
    near : collection of (int, int)
        Pairs of numbers whose colours are close: a new number is none that is close to another one of its own partition, as long
        as there are others.

    Returns
    -------
    list of dict
        Community -> number from 0, one dict a partition.
    """
    known: dict[int, list[set[str]]] = {}
    result: list[dict[int, int]] = []
    for names, labels in partitions:
        groups = [int(g) for g in np.unique(labels[labels >= 0])]
        if len(groups) < 2:
            result.append(dict.fromkeys(groups, 0))
            continue
        members = [{names[i] for i in np.flatnonzero(labels == g)} for g in groups]
        numbers = sorted(known)
        likeness = np.zeros((len(groups), len(numbers)))
        for row, own in enumerate(members):
            for column, number in enumerate(numbers):
                likeness[row, column] = max(len(own & other) / len(own | other) for other in known[number])
        rows, columns = linear_sum_assignment(-np.where(likeness >= ALIKE, likeness, 0.0))
        mine = {groups[r]: numbers[c] for r, c in zip(rows, columns) if likeness[r, c] >= ALIKE}
        for group in groups:
            if group not in mine:
                taken = set(mine.values())
                mine[group] = _new_number(taken, known, most, near)
        for group, own in zip(groups, members):
            known.setdefault(mine[group], []).append(own)
        result.append({g: mine[g] for g in groups})
    return result


def _new_number(own: Collection[int], known: Collection[int], most: int, near: Collection[tuple[int, int]]) -> int:
    """First number that nobody has, else that its own partition does not have; far from its own partition's if possible."""
    mine = [k for k in range(most) if k not in own]
    for choice in ([k for k in mine if k not in known], mine):
        clear = [k for k in choice if not any((k, o) in near or (o, k) in near for o in own)]
        if clear or choice:
            return (clear or choice)[0]
    return next(k for k in itertools.count(most) if k not in own)


def match_communities(first: Communities, second: Communities, level: int | None = None) -> dict[int, int]:
    """Which community of `second` is which community of `first`, by shared neurons (for equal colours).

    Parameters
    ----------
    first, second : Communities
        Of two components, kinds or methods; neurons are matched by name.
    level : int, optional
        The chosen level of each by default.

    Returns
    -------
    dict
        Community of `second` -> community of `first`; those without a partner are left out.
    """
    a = first.labels.isel(level=first.chosen_level if level is None else level).values
    b = second.labels.isel(level=second.chosen_level if level is None else level).values
    theirs = dict(zip(second.neurons, b.tolist()))
    shared = [name in theirs for name in first.neurons]
    other = [theirs[name] for name in first.neurons if name in theirs]
    return match_labels(a[shared], np.array(other, dtype=np.int64))
