"""Matrices from a table of connections: which way a row points, and how often a connection without direction is listed.

Chemical synapses and neuropeptides point from `pre` to `post`. Gap junctions and contacts have no direction, but tables list
them in two ways: once for each pair, or once for each of both neurons. Both must give the same symmetric matrix.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..model.errors import InputError
from ..model.network import Network, network

Array = np.ndarray

WITHOUT_DIRECTION = ("electrical", "contact")
"""Types of connections that have no direction."""
SYNAPSES = "synapses"


def weight_column(edges: pd.DataFrame) -> str:
    """Name of the column that holds the weights: "synapses" where they are numbers of synapses, else "weight"."""
    for column in (SYNAPSES, "weight"):
        if column in edges.columns:
            return column
    raise InputError(
        f"the columns are {', '.join(map(str, edges.columns))[:100]}",
        where="table of connections",
        fix="Needed: pre, post, type, and synapses or weight.",
    )


def quantity_of(edges: pd.DataFrame) -> str:
    """What the weights of these rows are; several quantities are named one after the other."""
    if weight_column(edges) == SYNAPSES:
        return SYNAPSES
    if "quantity" in edges.columns and len(edges):
        return " and ".join(dict.fromkeys(str(q) for q in edges["quantity"]))
    return "weight"


def fold(edges: pd.DataFrame, neurons: Sequence[str], kind: str) -> tuple[Array, tuple[str, ...]]:
    """Sum the connections of one type between these neurons.

    Parameters
    ----------
    edges : pandas.DataFrame
        pre, post, type, and synapses or weight.
    neurons : sequence of str
        Rows and columns; connections of others are left out.
    kind : str
        The type. Rows of the same pair and direction are summed. Where the type has no direction, a pair that is listed in both
        directions with equal weights is one connection listed twice; with different weights, the larger one is taken, and
        a note says how many pairs that concerns.

    Returns
    -------
    matrix : array (neuron, neuron)
        Row: pre, column: post; 0 where there is no connection. The diagonal is left as it is in the table.
    notes : tuple of str
    """
    place = {n: i for i, n in enumerate(neurons)}
    chosen = edges[edges["type"] == kind]
    keep = (chosen["pre"].isin(place) & chosen["post"].isin(place)).to_numpy(bool)
    matrix = np.zeros((len(place), len(place)))
    rows = chosen["pre"][keep].map(place).to_numpy(int)
    columns = chosen["post"][keep].map(place).to_numpy(int)
    np.add.at(matrix, (rows, columns), chosen[weight_column(edges)][keep].to_numpy(float))
    if kind not in WITHOUT_DIRECTION:
        return matrix, ()
    upper = np.triu(np.ones(matrix.shape, bool), 1)
    one, other = matrix[upper], matrix.T[upper]
    twice = (one != 0) & (other != 0)
    unlike = int((twice & ~np.isclose(one, other)).sum())
    linked = int(((one != 0) | (other != 0)).sum())
    both = int(twice.sum())
    notes = (
        [f"{kind}: {linked} pairs, {both} of them listed in both directions, {linked - both} in one"] if linked else []
    )
    if unlike:
        notes.append(f"{kind}: {unlike} pairs are listed in both directions with different weights; the larger is used")
    return np.maximum(matrix, matrix.T), tuple(notes)


def networks_of(edges: pd.DataFrame, name: str, *, kinds: Sequence[str] | None = None) -> dict[str, Network]:
    """Make one `Network` of each type of connection in a table.

    Parameters
    ----------
    edges : pandas.DataFrame
        From `read_connectome` or `read_cect`.
    name : str
        Of the source, for tables and sentences.
    kinds : sequence of str, optional
        Types to keep; all by default.

    Returns
    -------
    dict of str -> Network
        By type. The neurons are those with at least one connection of any type to a neuron that has a canonical name: a neuron
        that the source never met is unknown, not unconnected. Connections of a neuron with itself are left out and counted.

    Raises
    ------
    InputError
        A type that is not there, or no connection between two neurons.
    """
    from ..model.neurons import is_canonical, natural_key

    there = list(dict.fromkeys(str(t) for t in edges["type"]))
    wanted = list(kinds) if kinds is not None else there
    absent = [k for k in wanted if k not in there]
    if absent:
        raise InputError(
            f"there are no connections of type '{absent[0]}'", where=name, fix=f"Known: {', '.join(there)}."
        )
    inside = edges[[is_canonical(a) and is_canonical(b) for a, b in zip(edges["pre"], edges["post"], strict=True)]]
    neurons = sorted(set(inside["pre"]) | set(inside["post"]), key=natural_key)
    if not neurons:
        raise InputError(
            "no row connects two neurons with canonical names",
            where=name,
            fix="Write names such as AVAL; muscles and other cells are left out.",
        )
    outside = len(edges) - len(inside)
    found = {}
    for kind in wanted:
        rows = inside[inside["type"] == kind]
        if not len(rows):
            continue
        matrix, notes = fold(inside, neurons, kind)
        own = int((rows["pre"] == rows["post"]).sum())
        more = [f"{own} connections of a neuron with itself left out"] if own else []
        more += [f"{outside} rows with muscles or other cells left out"] if outside else []
        found[kind] = network(
            name,
            kind,
            neurons,
            matrix,
            directed=kind not in WITHOUT_DIRECTION,
            quantity=quantity_of(rows),
            notes=(*notes, *more),
        )
    return found


def connectome_matrix(
    edges: pd.DataFrame, neurons: list[str] | tuple[str, ...], *, kind: str | None = None
) -> np.ndarray:
    """Return weights (pre, post) between these neurons; edges to others are left out.

    Parameters
    ----------
    edges : pandas.DataFrame
        From `read_connectome`.
    neurons : sequence of str
    kind : str, optional
        Such as "chemical" or "electrical"; the sum of all types by default, if their weights are the same quantity.

    Returns
    -------
    array (neuron, neuron)
        Row: pre, column: post. Gap junctions and contacts, which have no direction, stand at both places of a pair, whether the
        table lists them once or twice.

    Raises
    ------
    InputError
        All types are asked for, but their weights are different quantities.
    """
    kinds = list(dict.fromkeys(str(t) for t in edges["type"])) if kind is None else [kind]
    if kind is None and "quantity" in edges.columns and edges["quantity"].nunique() > 1:
        raise InputError(
            f"the weights are {quantity_of(edges)}, which do not add up",
            where="table of connections",
            fix=f"Say kind=: {', '.join(kinds)}.",
        )
    matrix = np.zeros((len(neurons), len(neurons)))
    for one in kinds:
        matrix += fold(edges, neurons, one)[0]
    return matrix
