"""Numbering of communities and choice of the level that is shown first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


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
    for level in range(len(labels) - 1, -1, -1):
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
