"""Graphs of matrices, links and networkx: what is a link, what was never observed, what is refused; strengths of nodes."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import xarray as xr
from scipy import sparse

from napari_dynamic_connectome.communities import graph as graph_module
from napari_dynamic_connectome.communities.graph import (
    apply_threshold,
    fill_zeros,
    graph_from_links,
    graph_from_matrix,
    node_strengths,
    normalize_strength,
    read_graph,
)
from napari_dynamic_connectome.model.errors import InputError

NAN = float("nan")


def matrix(seed: int = 0, n: int = 7) -> np.ndarray:
    """Symmetric weights with zeros and pairs that were never observed; nothing is known of the last node."""
    rng = np.random.default_rng(seed)
    values = np.triu(rng.integers(0, 4, (n, n)).astype(float), 1)
    values[np.triu(rng.random((n, n)) < 0.2, 1)] = np.nan
    values[:, n - 1] = np.nan
    values = np.triu(values, 1)
    return values + values.T


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("diagonal", [0.0, NAN])
def test_a_matrix_becomes_links_and_pairs_that_were_not_observed(seed: int, diagonal: float) -> None:
    values = matrix(seed)
    np.fill_diagonal(values, diagonal)
    got = graph_from_matrix(values)
    links = [(i, j) for i in range(7) for j in range(i + 1, 7) if values[i, j] > 0]
    absent = [(i, j) for i in range(7) for j in range(i + 1, 7) if np.isnan(values[i, j])]
    assert list(map(tuple, got.edges)) == links and list(map(tuple, got.unobserved)) == absent
    assert got.weights.tolist() == [values[p] for p in links] and got.names == tuple(f"node {i}" for i in range(7))
    known = [any(np.isfinite(values[i, j]) for j in range(7) if i != j) for i in range(7)]
    assert got.observed.tolist() == known and not known[6] and got.n == 7
    np.testing.assert_array_equal(got.matrix(), np.where(np.isnan(values) | np.eye(7, dtype=bool), 0.0, values))
    pairs = sum(known) * (sum(known) - 1) // 2 - sum(known[i] and known[j] for i, j in absent)
    assert got.density == pytest.approx(len(links) / pairs)
    keep = np.arange(7) % 3 != 0
    part = got.subset(keep)
    again = graph_from_matrix(values[np.ix_(keep, keep)], [n for n, k in zip(got.names, keep, strict=True) if k])
    for name in ("names", "edges", "weights", "unobserved"):
        np.testing.assert_array_equal(getattr(part, name), getattr(again, name))
    assert part.observed.tolist() == got.observed[keep].tolist()


def test_a_single_node_and_nodes_that_were_never_seen() -> None:
    one = graph_from_matrix([[NAN]])
    assert one.n == 1 and one.observed.tolist() == [True] and one.density == 0.0 and one.edges.shape == (0, 2)
    none = graph_from_matrix(np.full((3, 3), NAN))
    assert none.observed.tolist() == [False] * 3 and none.density == 0.0
    assert graph_from_matrix(np.zeros((2, 2))).density == 0.0


def changed(place: tuple[int, int], value: float, mirror: bool = True) -> np.ndarray:
    values = np.ones((4, 4)) - np.eye(4)
    values[place] = value
    if mirror:
        values[place[::-1]] = value
    return values


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.ones((2, 3)), r"the weights have shape \(2, 3\), not \(N, N\)"), (np.ones(3), "have shape"), (np.zeros((0, 0)), "the graph has no nodes"), ([["a", "b"], ["c", "d"]], "the weights are not numbers"),
        (changed((0, 1), np.inf), "there are infinite weights"), (changed((0, 1), -1), "there are negative weights"), (changed((2, 2), 1), "the diagonal is not zero"), (changed((0, 1), NAN, False), "differ in being observed"),
        (changed((0, 1), 1.00001, False), "the weights are not symmetric"),
    ],
)  # fmt: skip
def test_matrices_that_are_no_graphs_are_refused(values, words) -> None:
    with pytest.raises(InputError, match=words):
        graph_from_matrix(values)


def test_nearly_symmetric_weights_are_averaged_and_names_checked(monkeypatch) -> None:
    got = graph_from_matrix(changed((0, 1), 1 + 1e-7, False))
    assert got.weights[0] == pytest.approx(1 + 0.5e-7, rel=1e-12)
    for names, words in (
        (["a"] * 4, "the name 'a' occurs more than once"),
        (["a", "b"], "2 names for 4 nodes"),
        (["a", "b", "c", "b"], "the name 'b' occurs"),
    ):
        with pytest.raises(InputError, match=words):
            graph_from_matrix(changed((0, 1), 1), names)
    assert graph_from_matrix(changed((0, 1), 1), [1, 2, 3, 4]).names == ("1", "2", "3", "4")
    monkeypatch.setattr(graph_module, "DENSE_LIMIT", 4)
    graph_from_matrix(changed((0, 1), 1))
    monkeypatch.setattr(graph_module, "DENSE_LIMIT", 3)
    with pytest.raises(InputError, match=r"a dense matrix of 4 nodes is too large \(limit 3\)"):
        graph_from_matrix(changed((0, 1), 1))


@pytest.mark.parametrize("kind", ["sparse", "networkx", "xarray", "array"])
def test_every_kind_of_graph_is_the_same_graph(kind: str) -> None:
    values = np.nan_to_num(matrix(2))
    names = tuple("abcdefg")
    given = {
        "sparse": lambda: read_graph(sparse.csr_array(values), names=names), "array": lambda: read_graph(values, names=names),
        "networkx": lambda: read_graph(nx.relabel_nodes(nx.from_numpy_array(values), dict(enumerate(names)))),
        "xarray": lambda: read_graph(xr.DataArray(values, dims=("n", "m"), coords={"n": list(names)}, name="w")),
    }  # fmt: skip
    got, plain = given[kind](), graph_from_matrix(values, names)
    for name in ("names", "edges", "weights", "unobserved", "observed"):
        np.testing.assert_array_equal(getattr(got, name), getattr(plain, name))
    assert got.names == names
    with pytest.raises(InputError, match="component= goes with Components only"):
        read_graph(values, component=1)


def test_links_of_a_list_each_once(monkeypatch) -> None:
    rows, columns, weights = np.array([3, 0, 2]), np.array([1, 2, 3]), np.array([2.0, 0.0, 1.0])
    got = graph_from_links(rows, columns, weights, tuple("abcd"), "here")
    assert (
        got.edges.tolist() == [[1, 3], [2, 3]]
        and got.weights.tolist() == [2.0, 1.0]
        and got.observed.all()
        and got.density == pytest.approx(1 / 3)
    )
    for change, words in (
        ({"values": np.array([1.0, NAN, 1])}, "weights that are NaN"), ({"values": np.array([1.0, -1, 1])}, "negative weights"), ({"values": np.array([1.0, np.inf, 1])}, "infinite weights"),
        ({"columns": np.array([3, 2, 3])}, "links of a neuron with itself"), ({"rows": np.array([3, 1, 2]), "columns": np.array([1, 3, 3]), "values": np.ones(3)}, "some pairs have more than one link"), ({"names": ()}, "the graph has no nodes"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=words):
            graph_from_links(
                **(
                    {"rows": rows, "columns": columns, "values": weights, "names": tuple("abcd"), "where": "here"}
                    | change
                )
            )
    monkeypatch.setattr(graph_module, "LINK_LIMIT", 3)
    graph_from_links(rows, columns, weights, tuple("abcd"), "here")
    monkeypatch.setattr(graph_module, "LINK_LIMIT", 2)
    with pytest.raises(InputError, match=r"3 links are too many \(limit 2\)"):
        graph_from_links(rows, columns, weights, tuple("abcd"), "here")


def test_sparse_and_networkx_graphs_that_are_refused() -> None:
    for values, words in (
        (sparse.coo_array(np.ones((2, 3))), "have shape"), (sparse.coo_array([[0, NAN], [NAN, 0]]), "that are NaN"), (sparse.coo_array([[0, 1.0], [1.1, 0]]), "not symmetric"), (sparse.coo_array([[1.0, 1], [1, 0]]), "with itself"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=words):
            read_graph(values)
    fine = read_graph(sparse.coo_array([[0, 1.0], [1.0 + 1e-8, 0]]))
    assert fine.edges.tolist() == [[0, 1]]
    doubled = sparse.coo_array((np.ones(4), ([0, 0, 1, 1], [1, 1, 0, 0])), shape=(2, 2))
    assert read_graph(doubled).weights.tolist() == [2.0]
    directed, parallel, odd = nx.DiGraph([(0, 1)]), nx.MultiGraph([(0, 1)]), nx.Graph()
    odd.add_edge(0, 1, weight="a")
    for given, words in (
        (directed, "directed or has parallel links"),
        (parallel, "directed or has"),
        (odd, "not numbers"),
    ):
        with pytest.raises(InputError, match=words):
            read_graph(given)
    plain = read_graph(nx.Graph([("b", "a"), ("b", "c")]))
    assert (
        plain.names == ("b", "a", "c")
        and plain.edges.tolist() == [[0, 1], [0, 2]]
        and plain.weights.tolist() == [1.0, 1.0]
    )


@pytest.mark.parametrize(
    ("threshold", "kept"), [(0.0, 3), (-1.0, 3), (0.24, 3), (0.25, 2), (0.49, 2), (0.5, 1), (1.0, 0)]
)
def test_weights_up_to_a_share_of_the_largest_are_no_links(threshold: float, kept: int) -> None:
    given = graph_from_links(np.array([0, 1, 2]), np.array([1, 2, 3]), np.array([1.0, 2, 4]), tuple("abcd"), "here")
    got = apply_threshold(given, threshold)
    assert len(got.weights) == len(got.edges) == kept and (threshold > 0 or got is given)
    empty = graph_from_matrix(np.zeros((3, 3)))
    assert apply_threshold(empty, 0.5) is empty and normalize_strength(empty) is empty


def test_zeros_become_weak_links_of_observed_pairs(monkeypatch) -> None:
    values = matrix(3)
    got = fill_zeros(graph_from_matrix(values))
    pairs = [(i, j) for i in range(7) for j in range(i + 1, 7) if np.isfinite(values[i, j])]
    mean = np.mean([values[p] for p in pairs])
    assert list(map(tuple, got.edges)) == pairs
    np.testing.assert_allclose(got.weights, [max(values[p], 1e-3 * mean) for p in pairs])
    assert got.density == 1.0
    monkeypatch.setattr(graph_module, "DENSE_LIMIT", 6)
    with pytest.raises(InputError, match="in a graph of 7 nodes"):
        fill_zeros(got)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e6])
def test_weights_over_strengths_are_one_on_average_at_every_node(scale: float) -> None:
    rng = np.random.default_rng(0)
    n = 12
    edges = np.stack(np.triu_indices(n - 1, 1), axis=1)
    edges = edges[rng.random(len(edges)) < 0.7]
    planted = rng.uniform(0.2, 3, n)
    weights = scale * planted[edges[:, 0]] * planted[edges[:, 1]] * rng.exponential(size=len(edges))
    theta = node_strengths(n, edges, weights)
    ratio = weights / (theta[edges[:, 0]] * theta[edges[:, 1]])
    for node in range(n - 1):
        mine = (edges == node).any(axis=1)
        assert not mine.any() or ratio[mine].mean() == pytest.approx(1.0, abs=1e-6)
    assert theta[n - 1] == 1.0  # without links
    exact = scale * planted[edges[:, 0]] * planted[edges[:, 1]]
    found = node_strengths(n, edges, exact)
    np.testing.assert_allclose(found[edges[:, 0]] * found[edges[:, 1]], exact, rtol=1e-6)
    given = graph_from_links(edges[:, 0], edges[:, 1], weights, tuple(f"n{i}" for i in range(n)), "here")
    np.testing.assert_allclose(normalize_strength(given).weights, ratio, rtol=1e-6)
