"""A connectome as the prior of the model sees it: a matrix (post, pre) over the cohort's neurons.

In: a table of edges, or a labelled square matrix. Out: synapse numbers (N, N), row = post, column = pre.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..io.wiring import connectome_matrix, weight_column
from ..model.errors import InputError
from ..model.neurons import info
from .settings import StatesSettings

Array = np.ndarray
FIX = "Pass the table of `read_connectome`, or a square matrix (post, pre) labelled with neuron names."


def structure_matrix(
    structure: Any, neurons: Sequence[str], settings: StatesSettings, *, merged: bool = False
) -> Array | None:
    """Synapse numbers between the cohort's neurons.

    Parameters
    ----------
    structure : DataFrame, DataArray or None
        Edges with columns pre, post, type, synapses; or a square labelled matrix, rows post, columns pre.
    neurons : sequence of str
    settings : StatesSettings
        `synapses` (of a table) and `direction`.
    merged : bool
        The cohort's neurons are left/right pairs: the connectome's cells are added up likewise.

    Returns
    -------
    float array (N, N)
        [i, j]: synapses from j to i; zero diagonal.

    Raises
    ------
    InputError
        No structure of this kind, other names, negative numbers.
    """
    if structure is None:
        return None
    if isinstance(structure, pd.DataFrame) and {"pre", "post"} <= set(structure.columns):
        edges = structure if "type" in structure else structure.assign(type="chemical")
        matrix = _between(_checked(edges, settings), neurons, merged, settings.synapses)
    else:
        matrix = _between(_from_matrix(structure, settings), neurons, merged, "all")
    np.fill_diagonal(matrix, 0.0)
    if settings.direction == "undirected":
        matrix = (matrix + matrix.T) / 2
    if not matrix.any():
        raise InputError("the connectome links none of the cohort's neurons", where="structure", fix=FIX)
    return matrix


def _between(edges: pd.DataFrame, neurons: Sequence[str], merged: bool, kind: str) -> Array:
    """Weights (post, pre) between the cohort's neurons."""
    if merged:
        edges = edges.assign(pre=[_pair(n) for n in edges["pre"]], post=[_pair(n) for n in edges["post"]])
    known = {n for n in neurons if not n.startswith("#")}
    named = set(edges["pre"]) | set(edges["post"])
    if len(known & named) < 2:
        raise InputError(
            f"{len(known & named)} of the {len(neurons)} neurons occur in the connectome ({', '.join(sorted(named)[:4])}, ...)",
            where="structure",
            fix="Check that both use the same neuron names.",
        )
    return connectome_matrix(edges, tuple(neurons), kind=None if kind == "all" else kind).T.copy()


def _checked(edges: pd.DataFrame, settings: StatesSettings) -> pd.DataFrame:
    weights = edges[weight_column(edges)].to_numpy(float)
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise InputError("there are negative or infinite weights", where="structure", fix=FIX)
    kinds = sorted(map(str, edges["type"].unique()))
    if settings.synapses != "all" and settings.synapses not in kinds:
        raise InputError(
            f"the connectome has no {settings.synapses} synapses",
            where="structure",
            fix=f"Its types: {', '.join(kinds)}.",
        )
    return edges


def _from_matrix(structure: Any, settings: StatesSettings) -> pd.DataFrame:
    if (
        isinstance(structure, xr.DataArray)
        and structure.ndim == 2
        and all(d in structure.coords for d in structure.dims)
    ):
        rows, columns = (structure[d].values for d in structure.dims)
        values = np.asarray(structure.values, float)
    elif isinstance(structure, pd.DataFrame) and structure.shape[0] == structure.shape[1]:
        rows, columns = structure.index, structure.columns
        values = structure.to_numpy(float)
    else:
        raise InputError(f"a {type(structure).__name__} is no connectome", where="structure", fix=FIX)
    post, pre = [str(n) for n in rows], [str(n) for n in columns]
    if set(post) != set(pre):
        other = sorted(set(post) ^ set(pre))[0]
        raise InputError(f"rows and columns name different neurons ('{other}')", where="structure", fix=FIX)
    if np.isinf(values).any() or (values < 0).any():
        raise InputError("there are negative or infinite weights", where="structure", fix=FIX)
    if settings.synapses != "all":
        raise InputError(
            f"{settings.synapses} synapses are asked for, but a matrix does not say which are which",
            where="structure",
            fix="Set synapses to 'all', or pass the table of edges.",
        )
    at = np.argwhere(np.nan_to_num(values) > 0)
    return pd.DataFrame(
        {
            "pre": [pre[j] for _, j in at],
            "post": [post[i] for i, _ in at],
            "type": "chemical",
            "synapses": values[tuple(at.T)],
        }
    )


def _pair(name: str) -> str:
    entry = info(name)
    return entry.pair_name if entry is not None and entry.side in ("L", "R") else name
