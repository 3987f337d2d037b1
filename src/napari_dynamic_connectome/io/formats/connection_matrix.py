"""Matrices of connections in CSV: a row and a column a neuron, as laboratories and supplements of papers give them.

In: a table whose first column and header are names of neurons. Out: rows of connections. Which of them is presynaptic is not
written in such a file, so it is asked, unless the matrix is symmetric.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...model.errors import InputError
from ...model.neurons import read_name
from ..choice import ROWS, ChoiceNeeded
from .text_tables import plain_cell, to_numbers

DIRECTED = {"pre": "each row is presynaptic", "post": "each row is postsynaptic"}
UNDIRECTED = {"gap junctions": "electrical", "contact": "contact"}
"""What a symmetric matrix may hold, and the type of its connections."""
_KNOWN = ("canonical", "spelling", "no side", "unsure")


def is_matrix(header: Sequence[str], first: Sequence[str]) -> bool:
    """Whether a table with this header, and these cells in its first column, has a row and a column a neuron.

    Parameters
    ----------
    header : sequence of str
        Of all columns, the first included.
    first : sequence of str
        Some cells of the first column at least.
    """
    columns, rows = [c for c in header[1:] if c.strip()], [c for c in first if c.strip()]
    if len(columns) < 2 or not rows or read_name(header[0]).kind in ("canonical", "spelling"):
        return False
    if not any(read_name(n).kind in _KNOWN for n in columns):  # one is enough: others may be muscles
        return False
    return 2 * sum(read_name(n).kind in _KNOWN for n in rows) > len(rows)


def edges_of(table: pd.DataFrame, rows: str | None, where: str) -> pd.DataFrame:
    """Return pre, post, type and weight of every cell that is not 0 and not empty.

    Parameters
    ----------
    table : pandas.DataFrame
        Texts; the first column holds the names of the rows.
    rows : {"pre", "post", "gap junctions", "contact"}, optional
        What a row is.
    where : str

    Raises
    ------
    ChoiceNeeded
        It is not said what a row is.
    InputError
        A name that is there twice, a cell that is no number, or a matrix that is not symmetric of what has no direction.
    """
    if rows is not None and rows not in ROWS:
        raise InputError(f"rows cannot be '{rows}'", where=where, fix=f"Choose one of: {', '.join(ROWS)}.")
    down = [plain_cell(str(c).strip()) for c in table.iloc[:, 0]]
    across = [plain_cell(str(c).strip()) for c in table.columns[1:]]
    for names, what in ((down, "row"), (across, "column")):
        twice = next((n for i, n in enumerate(names) if not n or n in names[:i]), None)
        if twice is not None:
            said = f"the {what} '{twice}' is there twice" if twice else f"a {what} has no name"
            raise InputError(said, where=where, fix=f"Give every {what} of the matrix a name of its own.")
    cells = [to_numbers(table.iloc[:, at + 1].tolist(), name, where) for at, name in enumerate(across)]
    weight = np.nan_to_num(np.stack(cells, axis=1), nan=0.0, posinf=np.inf, neginf=-np.inf)
    symmetric = _is_symmetric(weight, down, across)
    if rows is None:
        choices = ("gap junctions", "contact", "pre") if symmetric else tuple(DIRECTED)
        shape = f"a matrix of {len(down)} rows and {len(across)} columns"
        raise ChoiceNeeded(
            f"{shape}, symmetric: what its numbers count" if symmetric else f"{shape} does not say which way it points",
            where=where,
            fix="Pass rows= one of: "
            + "; ".join(f"{c} ({DIRECTED.get(c, 'without direction')})" for c in choices)
            + ".",
            option="rows",
            choices=choices,
        )
    if rows in UNDIRECTED and not symmetric:
        raise InputError(
            f"the matrix is not symmetric, and {rows} have no direction" if rows != "contact"
            else "the matrix is not symmetric, and contact has no direction",
            where=where,
            fix="Correct it, or say which way it points: pre or post.",
        )  # fmt: skip
    at, to = np.nonzero(weight)
    one, other = np.asarray(down, dtype=object)[at], np.asarray(across, dtype=object)[to]
    if rows in UNDIRECTED:  # a pair is listed once
        place = {n: i for i, n in enumerate(across)}
        once = np.asarray([place.get(a, -1) <= place[b] for a, b in zip(one, other, strict=True)], dtype=bool)
        at, to, one, other = at[once], to[once], one[once], other[once]
    found = pd.DataFrame({"pre": one, "post": other, "type": UNDIRECTED.get(rows, ""), "weight": weight[at, to]})
    whole = bool((found["weight"] == np.round(found["weight"])).all())
    found["quantity"] = "" if whole else "weight"
    return (
        found[["post", "pre", "type", "weight", "quantity"]].set_axis(found.columns, axis=1)
        if rows == "post"
        else found
    )


def _is_symmetric(weight: np.ndarray, down: list[str], across: list[str]) -> bool:
    """Whether rows and columns are the same neurons, and every pair has the same number at both places."""
    if sorted(down) != sorted(across):
        return False
    order = [across.index(n) for n in down]
    square = weight[:, order]
    return bool(np.allclose(square, square.T))
