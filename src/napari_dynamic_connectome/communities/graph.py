"""Validated weighted graphs, from whatever the caller has (matrix, DataArray, networkx graph, component).

Three states of a pair are kept apart: linked (weight > 0), observed without weight (0), and never observed (NaN).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from scipy import sparse

from ..model.errors import InputError
from ..model.results import Components

Array = np.ndarray[Any, Any]
DENSE_LIMIT = 6000
LINK_LIMIT = 20_000_000
WEAK = 1e-3
BALANCE_STEPS = 200


@dataclass(frozen=True, eq=False)
class WeightedGraph:
    """Undirected graph with positive weights.

    Parameters
    ----------
    names : tuple of str
        (N,) names of all nodes.
    edges : ndarray of int64
        (E, 2), i < j.
    weights : ndarray of float64
        (E,), positive.
    unobserved : ndarray of int64
        (U, 2), pairs never observed.
    observed : ndarray of bool
        (N,), nodes with an observed pair.
    """

    names: tuple[str, ...]
    edges: Array
    weights: Array
    unobserved: Array
    observed: Array

    @property
    def n(self) -> int:
        """Number of nodes."""
        return len(self.names)

    @property
    def density(self) -> float:
        """Links per observed pair."""
        n = int(self.observed.sum())
        absent = n * (n - 1) // 2 - int((self.observed[self.unobserved].all(axis=1)).sum())
        return len(self.weights) / absent if absent > 0 else 0.0

    def matrix(self) -> Array:
        """Weights as a dense (N, N) matrix: 0 without a link or observation."""
        out = np.zeros((self.n, self.n))
        out[self.edges[:, 0], self.edges[:, 1]] = self.weights
        return out + out.T

    def subset(self, keep: Array) -> WeightedGraph:
        """Graph of the nodes in `keep` (bool mask)."""
        place = np.cumsum(keep) - 1
        inside, hidden = keep[self.edges].all(axis=1), keep[self.unobserved].all(axis=1)
        return WeightedGraph(
            tuple(n for n, k in zip(self.names, keep) if k),
            place[self.edges[inside]],
            self.weights[inside],
            place[self.unobserved[hidden]],
            self.observed[keep],
        )


def _check_names(names: Sequence[str] | None, n: int) -> tuple[str, ...]:
    if names is None:
        return tuple(f"node {i}" for i in range(n))
    found = tuple(str(name) for name in names)
    if len(found) != n:
        raise InputError(f"{len(found)} names for {n} nodes", where="names")
    if len(set(found)) != n:
        twice = next(name for name in found if found.count(name) > 1)
        raise InputError(
            f"the name '{twice}' occurs more than once", where="names", fix="Give every neuron its own name."
        )
    return found


def _check_values(values: Array, where: str) -> None:
    if np.isinf(values).any():
        raise InputError("there are infinite weights", where=where, fix="Mark pairs that were not observed as NaN.")
    if (values < 0).any():
        raise InputError(
            "there are negative weights",
            where=where,
            fix="The block model needs weights of zero or more; split signed affinities into same and opposite.",
        )


def graph_from_matrix(matrix: Any, names: Sequence[str] | None = None, where: str = "weights") -> WeightedGraph:
    """Graph of a symmetric matrix; NaN = never observed, 0 = no link; the diagonal must be 0 or NaN.

    Raises
    ------
    InputError
        Not square, not numbers, empty, too large, asymmetric, negative, infinite, or with self-loops.
    """
    shape = np.shape(matrix)
    if len(shape) != 2 or shape[0] != shape[1]:
        raise InputError(f"the weights have shape {shape}, not (N, N)", where=where)
    n = shape[0]
    if n == 0:
        raise InputError("the graph has no nodes", where=where)
    if n > DENSE_LIMIT:
        raise InputError(
            f"a dense matrix of {n} nodes is too large (limit {DENSE_LIMIT})",
            where=where,
            fix="Pass a sparse matrix or a networkx graph that holds only the links.",
        )
    try:
        values = np.asarray(matrix, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError("the weights are not numbers", where=where) from error
    _check_values(values, where)
    diagonal = np.diag(values)
    if (np.nan_to_num(diagonal) != 0).any():
        raise InputError(
            "there are links of a neuron with itself (the diagonal is not zero)", where=where, fix="Set it to zero."
        )
    missing = np.isnan(values)
    if (missing != missing.T).any():
        raise InputError("pairs (i, j) and (j, i) differ in being observed (NaN)", where=where)
    filled = np.where(missing, 0.0, values)
    if not np.allclose(filled, filled.T, rtol=1e-6, atol=1e-9 * max(float(filled.max()), 0.0)):
        raise InputError("the weights are not symmetric", where=where, fix="Average the matrix with its transpose.")
    upper = np.triu_indices(n, 1)
    flat, absent = 0.5 * (filled + filled.T)[upper], missing[upper]
    linked = flat > 0
    pairs = np.stack(upper, axis=1).astype(np.int64)
    np.fill_diagonal(missing, True)
    observed: Array = np.asarray(~missing.all(axis=1)) if n > 1 else np.ones(1, dtype=bool)
    return WeightedGraph(_check_names(names, n), pairs[linked], flat[linked], pairs[absent], observed)


def graph_from_links(rows: Array, columns: Array, values: Array, names: tuple[str, ...], where: str) -> WeightedGraph:
    """Graph of a list of links, each given once; all other pairs are observed without a link."""
    if not len(names):
        raise InputError("the graph has no nodes", where=where)
    if len(values) > LINK_LIMIT:
        raise InputError(
            f"{len(values)} links are too many (limit {LINK_LIMIT})", where=where, fix="Raise the threshold."
        )
    if np.isnan(values).any():
        raise InputError(
            "there are weights that are NaN", where=where, fix="Remove these links, or pass a dense matrix."
        )
    _check_values(values, where)
    if (rows == columns).any():
        raise InputError("there are links of a neuron with itself", where=where, fix="Remove the self-loops.")
    keep = values > 0
    edges = (
        np.stack([np.minimum(rows, columns), np.maximum(rows, columns)], axis=1)[keep].astype(np.int64).reshape(-1, 2)
    )
    code = edges[:, 0] * len(names) + edges[:, 1]
    if len(np.unique(code)) != len(code):
        raise InputError("some pairs have more than one link", where=where, fix="Sum their weights into one.")
    order = np.argsort(code)
    empty = np.zeros((0, 2), dtype=np.int64)
    return WeightedGraph(names, edges[order], values[keep][order], empty, np.ones(len(names), dtype=bool))


def graph_from_sparse(matrix: Any, names: Sequence[str] | None = None, where: str = "weights") -> WeightedGraph:
    """Graph of a symmetric scipy sparse matrix; what is not stored is no link."""
    if matrix.shape[0] != matrix.shape[1]:
        raise InputError(f"the weights have shape {matrix.shape}, not (N, N)", where=where)
    table = sparse.coo_array(matrix)
    table.sum_duplicates()
    values = table.data.astype(np.float64)
    if np.isnan(values).any():
        raise InputError(
            "there are weights that are NaN", where=where, fix="Remove these links, or pass a dense matrix."
        )
    difference = abs(table - table.T)
    if difference.nnz and difference.max() > 1e-6 * float(np.abs(values).max()):
        raise InputError("the weights are not symmetric", where=where, fix="Average the matrix with its transpose.")
    rows, columns = (np.asarray(c) for c in table.coords)
    upper = rows <= columns
    upper &= values != 0
    return graph_from_links(rows[upper], columns[upper], values[upper], _check_names(names, matrix.shape[0]), where)


def graph_from_networkx(graph: Any, where: str = "graph") -> WeightedGraph:
    """Graph of an undirected networkx graph; the edge attribute `weight` counts 1 where absent."""
    if graph.is_directed() or graph.is_multigraph():
        raise InputError("the graph is directed or has parallel links", where=where, fix="Use graph.to_undirected().")
    nodes = list(graph.nodes)
    place = {node: i for i, node in enumerate(nodes)}
    links = [(place[a], place[b], w) for a, b, w in graph.edges(data="weight", default=1.0)]
    try:
        values = np.array([link[2] for link in links], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError("the weights are not numbers", where=where) from error
    ends = np.array([link[:2] for link in links], dtype=np.int64).reshape(-1, 2)
    return graph_from_links(ends[:, 0], ends[:, 1], values, _check_names([str(n) for n in nodes], len(nodes)), where)


def read_graph(weights: Any, component: int | None = None, names: Sequence[str] | None = None) -> WeightedGraph:
    """Graph of a matrix, DataArray, scipy sparse matrix, networkx graph, or one component.

    Parameters
    ----------
    weights : array, DataArray, sparse matrix, networkx.Graph or Components
    component : int, optional
        Number of the component (from 1); needed for Components, refused otherwise.
    names : sequence of str, optional
        Names of the nodes of an array.
    """
    if isinstance(weights, Components):
        if component is None:
            raise InputError("say which component", where="find_communities", fix="Pass component=1, for example.")
        matrix = weights.matrix(component)
        return graph_from_matrix(matrix.values, weights.neurons, f"component {component}")
    if component is not None:
        raise InputError("component= goes with Components only", where="find_communities")
    if isinstance(weights, xr.DataArray):
        if names is None and weights.ndim == 2 and weights.dims[0] in weights.coords:
            names = [str(n) for n in weights[weights.dims[0]].values]
        return graph_from_matrix(weights.values, names, str(weights.name or "weights"))
    if sparse.issparse(weights):
        return graph_from_sparse(weights, names)
    if hasattr(weights, "is_multigraph") and hasattr(weights, "edges"):
        return graph_from_networkx(weights)
    return graph_from_matrix(weights, names)


def apply_threshold(graph: WeightedGraph, threshold: float) -> WeightedGraph:
    """Set weights up to `threshold` times the largest one to zero."""
    if threshold <= 0 or not len(graph.weights):
        return graph
    keep = graph.weights > threshold * graph.weights.max()
    return replace(graph, edges=graph.edges[keep], weights=graph.weights[keep])


def fill_zeros(graph: WeightedGraph) -> WeightedGraph:
    """Give observed pairs without weight a link of `WEAK` times the mean observed weight."""
    n = graph.n
    if n > DENSE_LIMIT:
        raise InputError(f"zeros cannot count as weights in a graph of {n} nodes", where="zeros", fix="Use 'absent'.")
    values = graph.matrix()
    values[graph.unobserved[:, 0], graph.unobserved[:, 1]] = np.nan
    values = values[np.triu_indices(n, 1)]
    pairs = np.stack(np.triu_indices(n, 1), axis=1).astype(np.int64)
    keep = ~np.isnan(values)
    values, pairs = values[keep], pairs[keep]
    return replace(graph, edges=pairs, weights=np.maximum(values, WEAK * values.mean()))


def node_strengths(n: int, edges: Array, weights: Array) -> Array:
    """Strengths theta (N,) such that the mean of w_ij / (theta_i theta_j) over every node's links is 1.

    This is the maximum-likelihood strength of exponential weights of mean theta_i theta_j; on a complete graph it is close
    to s_i / sqrt(sum s), but it stays right where pairs are missing. Nodes without links get 1.
    """
    data = sparse.coo_array((weights, (edges[:, 0], edges[:, 1])), shape=(n, n)).tocsr()
    data = data + data.T
    links = np.bincount(edges.ravel(), minlength=n)
    theta = np.where(links > 0, np.asarray(data.sum(axis=1)).ravel() / np.maximum(links, 1), 1.0)
    theta = np.maximum(theta, 1e-300) / np.sqrt(max(float(weights.mean()), 1e-300))
    has = links > 0
    for _ in range(BALANCE_STEPS):
        ratio = np.ones(n)
        ratio[has] = (data @ (1 / theta))[has] / (theta[has] * links[has])
        theta = theta * np.sqrt(np.clip(ratio, 1e-3, 1e3))
        if np.abs(ratio - 1).max() < 1e-9:
            break
    return np.where(has, theta, 1.0)


def normalize_strength(graph: WeightedGraph) -> WeightedGraph:
    """Weights divided by the strengths of their two nodes (see `node_strengths`)."""
    if not len(graph.weights):
        return graph
    theta = node_strengths(graph.n, graph.edges, graph.weights)
    weights = graph.weights / (theta[graph.edges[:, 0]] * theta[graph.edges[:, 1]])
    return replace(graph, weights=np.maximum(weights, 1e-12 * weights.mean()))
