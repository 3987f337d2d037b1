"""What a user of `find_communities` relies on: invariances, planted groups, chance, missing pairs, bad input."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import xarray as xr
from scipy import sparse
from sklearn.metrics import adjusted_mutual_info_score

from napari_dynamic_connectome.communities.export import communities_to_graph
from napari_dynamic_connectome.communities.find import find_communities
from napari_dynamic_connectome.communities.graph import graph_from_matrix, node_strengths
from napari_dynamic_connectome.communities.levels import match_communities, number_levels, shared_numbers
from napari_dynamic_connectome.communities.methods import METHODS
from napari_dynamic_connectome.communities.methods.leiden import _links as links_of
from napari_dynamic_connectome.communities.methods.leiden import leiden, modularity
from napari_dynamic_connectome.communities.methods.louvain import louvain
from napari_dynamic_connectome.communities.null import joint_p_value
from napari_dynamic_connectome.communities.settings import CommunitySettings
from napari_dynamic_connectome.model.errors import Cancelled, InputError, SettingsError

spec = importlib.util.spec_from_file_location("community_graphs", Path(__file__).parent / "graphs.py")
graphs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(graphs)

FAST = {"samples": 0, "null_fits": 0, "starts": 2, "rounds": 3}


def agreement(found, truth):
    return adjusted_mutual_info_score(truth, found.labels.values[found.chosen_level])


@pytest.mark.parametrize("kind", ["modules", "core"])
def test_planted_groups_are_found(kind):
    weights, truth = graphs.planted(0)
    found = find_communities(weights, kind=kind, **FAST)
    assert agreement(found, truth) > 0.95
    assert found.kind == kind
    assert found.labels.values[-1].max() == 0


@pytest.mark.parametrize("factor", [1e-6, 1e-2, 1e6])
@pytest.mark.parametrize("kind", ["modules", "core"])
def test_the_unit_of_the_weights_does_not_matter(kind, factor):
    weights, _ = graphs.planted(1, n=50, ratio=3.0)
    a, b = (find_communities(w, kind=kind, **FAST) for w in (weights, weights * factor))
    np.testing.assert_array_equal(a.labels.values, b.labels.values)
    assert a.diagnostics["gain_over_one_group_nats"] == pytest.approx(
        b.diagnostics["gain_over_one_group_nats"], abs=1e-5
    )


def test_the_order_of_the_neurons_does_not_matter():
    weights, _ = graphs.planted(2, n=60)
    order = np.random.default_rng(0).permutation(60)
    a = find_communities(weights, **FAST)
    b = find_communities(weights[np.ix_(order, order)], **FAST)
    assert a.description_length == pytest.approx(b.description_length, abs=1e-6)
    assert adjusted_mutual_info_score(a.labels.values[0][order], b.labels.values[0]) == pytest.approx(1.0)


def test_same_seed_same_result_and_samples():
    weights, _ = graphs.planted(3, n=40, ratio=2.5)
    a, b = (find_communities(weights, kind="core", samples=20, null_fits=3, starts=2, seed=4) for _ in range(2))
    np.testing.assert_array_equal(a.labels.values, b.labels.values)
    np.testing.assert_array_equal(a.probability.values, b.probability.values)
    assert a.significance.attrs == b.significance.attrs


def test_probabilities_and_p_values_of_clear_groups():
    weights, truth = graphs.planted(4, n=60)
    found = find_communities(weights, samples=60, null_fits=19, starts=2)
    assert found.significance.attrs["p_more_than_one"] == pytest.approx(0.05)
    assert (found.significance["p_value"] <= 0.05).all()
    assert found.probability.values[0].min() > 0.9
    np.testing.assert_allclose(found.membership.sum("community"), 1.0)
    together = found.co_membership.values
    assert together[truth[:, None] == truth].min() > 0.9
    assert found.n_groups.idxmax() == 3
    table = found.table()
    assert list(table.columns[:5]) == ["community", "size", "members", "probability", "p_value"]
    assert (table["q_value"] <= 0.05).all() and (table["ratio_low"] > 1.5).all()  # planted: five times stronger inside
    assert not table[["unsure", "overlapping"]].to_numpy().any()


def test_groups_that_are_only_together_beyond_chance_are_unsure():
    rng = np.random.default_rng([77, 112])
    truth = np.where(rng.random(60) < 0.2, -1, rng.integers(0, 4, 60))
    weights = np.triu(rng.exponential(np.where((truth[:, None] == truth) & (truth[:, None] >= 0), 2.0, 1.0)), 1)
    found = find_communities(weights + weights.T, samples=0, seed=112)
    table = found.table()
    assert found.significance.attrs["p_more_than_one"] <= 0.05
    assert len(table) > 1 and (table["q_value"] > 0.05).all()
    assert (table["unsure"] == table["size"]).all()
    assert "no single group is sure" in found.answer


def test_nothing_is_claimed_where_there_is_nothing():
    claimed = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        strength = np.exp(rng.normal(0, 0.5, 60))
        weights = np.triu(rng.exponential(np.outer(strength, strength)), 1)
        found = find_communities(weights + weights.T, samples=0, starts=2, seed=seed)
        claimed += int(found.labels.values[found.chosen_level].max() > 0)
    assert claimed <= 1  # the rate is alpha at most; `bench_communities.py` counts it on 100 graphs


@pytest.mark.parametrize("ratio", [2.5, 4.0])
def test_planted_background_is_background_and_no_significant_community(ratio):
    """A small form of the row in `bench_trust.py background`, on seeds of its own."""
    truth = np.repeat([0, 1, 2, -1], [32, 32, 32, 24])
    inside = (truth[:, None] == truth) & (truth[:, None] >= 0)
    weights = np.triu(np.random.default_rng(40).exponential(np.where(inside, ratio, 1.0)), 1)
    found = find_communities(weights + weights.T, samples=0, starts=2, null_fits=19)
    row, table = found.labels.values[found.chosen_level], found.table()
    assert (row[truth < 0] < 0).mean() >= 0.9
    assert len(table) and (table["q_value"] <= 0.05).all()
    assert all((truth[row == g] >= 0).mean() > 0.5 for g in table["community"])
    assert adjusted_mutual_info_score(truth[truth >= 0], row[truth >= 0]) > 0.8


def test_unobserved_pairs_are_not_zeros():
    weights, truth = graphs.planted(5, n=70)
    rng = np.random.default_rng(1)
    hidden = np.triu(rng.random(weights.shape) < 0.4, 1)
    weights[hidden | hidden.T] = np.nan
    weights[3, :] = weights[:, 3] = np.nan
    for kind in ("modules", "core"):
        found = find_communities(weights, kind=kind, **FAST)
        row = found.labels.values[0]
        assert (found.labels.values[:, 3] == -1).all()
        assert found.diagnostics["unobserved"] == ["node 3"]
        assert adjusted_mutual_info_score(np.delete(truth, 3), np.delete(row, 3)) > 0.9


def test_strengths_are_divided_out():
    rng = np.random.default_rng(0)
    theta = np.exp(rng.normal(0, 1, 30))
    pairs = np.stack(np.triu_indices(30, 1), axis=1)
    pairs = pairs[rng.random(len(pairs)) < 0.6]
    found = node_strengths(30, pairs, theta[pairs[:, 0]] * theta[pairs[:, 1]])
    np.testing.assert_allclose(found, theta, rtol=1e-4)


def test_matrix_dataarray_sparse_and_networkx_agree():
    weights, _ = graphs.planted(6, n=30)
    names = [f"n{i}" for i in range(30)]
    array = xr.DataArray(weights, dims=("neuron", "neuron_b"), coords={"neuron": names, "neuron_b": names})
    every = [weights, array, sparse.csr_array(weights), nx.from_numpy_array(weights)]
    rows = [find_communities(w, kind="core", **FAST).labels.values for w in every]
    for row in rows[1:]:
        np.testing.assert_array_equal(row, rows[0])
    assert find_communities(array, kind="core", **FAST).neurons == tuple(names)


@pytest.mark.parametrize("method", METHODS)
def test_other_methods_find_clear_groups(method):
    weights, truth = graphs.planted(7, ratio=8.0)
    found = find_communities(weights, method=method)
    assert found.method == method
    same = find_communities(weights, CommunitySettings(method=method))
    assert same.method == method and same.labels.identical(found.labels)
    assert agreement(found, truth) > 0.95


def test_leiden_reaches_the_modularity_of_louvain_and_keeps_groups_connected():
    weights, _ = graphs.planted(8, n=90, ratio=2.0)
    weights[np.random.default_rng(0).random(weights.shape) < 0.7] = 0
    graph = graph_from_matrix(np.minimum(weights, weights.T))
    links = links_of(graph)
    best = [max(modularity(links, f(graph, 1.0, seed)) for seed in range(4)) for f in (leiden, louvain)]
    assert best[0] > best[1] - 0.01
    labels = leiden(graph, 1.0, 0)
    for group in np.unique(labels):
        inside = links[labels == group][:, labels == group]
        assert sparse.csgraph.connected_components(inside)[0] == 1


def test_modularity_is_that_of_networkx():
    graph = nx.karate_club_graph()
    labels = np.array([0 if graph.nodes[u]["club"] == "Mr. Hi" else 1 for u in graph])
    groups = [set(np.flatnonzero(labels == g)) for g in (0, 1)]
    found = modularity(links_of(graph_from_matrix(nx.to_numpy_array(graph))), labels)
    assert found == pytest.approx(nx.community.modularity(graph, groups))


def test_children_stay_beside_their_parent():
    fine = np.array([4, 4, 0, 0, 0, 2, 2, 1, 1, -1])
    coarse = np.array([0, 0, 1, 1, 1, 0, 0, 1, 1, -1])
    numbered = number_levels(np.stack([fine, coarse]))
    for parent in (0, 1):
        children = np.unique(numbered[0][numbered[1] == parent])
        np.testing.assert_array_equal(children, np.arange(children[0], children[0] + len(children)))
    assert (numbered[:, -1] == -1).all()
    assert numbered[1][2] == 0


def test_communities_are_matched_by_shared_neurons():
    weights, _ = graphs.planted(9, n=60)
    a = find_communities(weights, **FAST)
    order = np.random.default_rng(3).permutation(60)
    b = find_communities(weights[np.ix_(order, order)], names=[f"node {i}" for i in order], **FAST)
    for theirs, ours in match_communities(a, b).items():
        assert set(b.members(theirs)) == set(a.members(ours))


def test_communities_with_the_same_neurons_have_the_same_number_everywhere():
    names = list("abcdefghijkl")
    first = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, -1])
    turned = np.array([1, 1, 1, 1, 2, 2, 2, -1, 0, 0, 0, 0])
    strange = np.arange(12) % 4
    found = shared_numbers([(names, first), (names, 0 * first), (names[::-1], turned[::-1]), (names, strange)])
    assert found[0] == {0: 0, 1: 1, 2: 2}
    assert found[1] == {0: 0}  # one group of all is no community
    assert found[2] == {0: 2, 1: 0, 2: 1}
    assert found[3] == {0: 3, 1: 4, 2: 5, 3: 6}
    many = [(names, np.roll(np.arange(12) // 3, k)) for k in range(3)]
    for numbers in shared_numbers(many, most=4):
        assert len(set(numbers.values())) == 4
    assert [sorted(n.values()) for n in shared_numbers([(names, strange)], most=2)] == [[0, 1, 2, 3]]


def test_new_numbers_are_not_close_to_those_of_their_own_partition():
    names = list("abcdefghijkl")
    one, other = np.arange(12) // 4, np.arange(12) % 4
    near = {(0, 1), (3, 4)}
    first, second = shared_numbers([(names, one), (names, other)], most=30, near=near)
    assert first == {0: 0, 1: 2, 2: 3}  # 1 is close to 0
    assert second == {0: 1, 1: 4, 2: 5, 3: 6}
    # where nothing else is left, close ones are taken all the same
    first, second = shared_numbers([(names, one), (names, np.arange(12) % 3)], most=3, near={(0, 1), (0, 2), (1, 2)})
    assert sorted(first.values()) == [0, 1, 2] == sorted(second.values())


def test_graph_export_carries_communities():
    weights, _ = graphs.planted(10, n=30)
    found = find_communities(weights, **FAST)
    graph = communities_to_graph(found, weights)
    assert graph.number_of_edges() == 30 * 29 // 2
    for i, name in enumerate(found.neurons):
        assert graph.nodes[name]["community"] == found.labels.values[found.chosen_level, i]


def test_small_and_degenerate_graphs_have_documented_results():
    assert find_communities(np.zeros((1, 1)), **FAST).labels.values.tolist() == [[-1]]
    assert find_communities(np.zeros((5, 5)), **FAST).labels.values.tolist() == [[-1] * 5]
    two = find_communities(np.array([[0, 1.0], [1.0, 0]]), **FAST)
    assert two.labels.values.max() == 0
    same = find_communities(np.ones((20, 20)) - np.eye(20), samples=5, null_fits=2, starts=1)
    assert same.labels.values[same.chosen_level].max() == 0
    lonely, _ = graphs.planted(11, n=31)
    lonely[30, :] = lonely[:, 30] = 0
    assert find_communities(lonely, zeros="absent", **FAST).labels.values[0, 30] == -1


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.array([[0, -1.0], [-1.0, 0]]), "negative"),
        (np.array([[0, np.inf], [np.inf, 0]]), "infinite"),
        (np.array([[0, 1.0], [2.0, 0]]), "not symmetric"),
        (np.array([[0, np.nan], [2.0, 0]]), "differ in being observed"),
        (np.array([[1.0, 1.0], [1.0, 0]]), "itself"),
        (np.zeros((0, 0)), "no nodes"),
        (np.zeros((2, 3)), "shape"),
        (np.array([["a", "b"], ["c", "d"]]), "not numbers"),
        (np.broadcast_to(0.0, (50_000, 50_000)), "too large"),
        (nx.DiGraph([(0, 1)]), "directed"),
        (nx.Graph([(0, 0)]), "itself"),
        (sparse.csr_array([[0, np.nan], [np.nan, 0]]), "NaN"),
        (sparse.csr_array([[0, 1.0], [0, 0]]), "not symmetric"),
        (sparse.csr_array([[0, -1.0], [-1.0, 0]]), "negative"),
    ],
)
def test_bad_input_is_named(weights, message):
    with pytest.raises(InputError, match=message):
        find_communities(weights)


@pytest.mark.parametrize("name", ["exponential", "lognormal"])
def test_the_weights_that_take_fewer_nats_are_the_default_of_core(name):
    rng = np.random.default_rng(4)
    group = np.arange(40) % 2
    same = group[:, None] == group
    weights = rng.exponential(size=(40, 40)) if name == "exponential" else np.exp(rng.normal(0, 0.3, (40, 40)))
    weights = np.triu(weights * np.where(same, 6.0, 1.0), 1)
    present = rng.random((40, 40)) < np.where(same, 0.6, 0.1)
    found = find_communities((weights * present) + (weights * present).T, kind="core", **FAST)
    assert f" {name} weights" in found.diagnostics["model"]
    assert agreement(found, group) > 0.9
    complete = find_communities(weights + weights.T, kind="core", **FAST)
    assert " exponential weights" in complete.diagnostics["model"]


def test_null_graphs_are_explained_by_the_weights_that_were_chosen():
    rng = np.random.default_rng(6)
    same = np.arange(40)[:, None] % 2 == np.arange(40) % 2
    weights = np.exp(rng.normal(0, 0.3, (40, 40))) * np.where(same, 6.0, 1.0)
    weights = np.triu(weights * (rng.random((40, 40)) < np.where(same, 0.6, 0.1)), 1)
    weights = weights + weights.T
    found = find_communities(weights, kind="core", null_graphs=[weights] * 19, **FAST)
    assert " lognormal weights" in found.diagnostics["model"]
    assert found.significance.attrs["p_more_than_one"] > 0.05  # the graph is as strong as itself


def test_bad_options_are_named():
    with pytest.raises(SettingsError, match="unknown setting 'levels'"):
        find_communities(np.ones((3, 3)) - np.eye(3), levels=3)
    with pytest.raises(SettingsError, match="input should be 'sbm', 'leiden', 'louvain' or 'spectral'"):
        find_communities(np.ones((3, 3)) - np.eye(3), method="infomap")
    with pytest.raises(SettingsError, match="kind 'shell' is unknown"):
        find_communities(np.ones((3, 3)) - np.eye(3), kind="shell")
    with pytest.raises(InputError, match="Components only"):
        find_communities(np.ones((3, 3)) - np.eye(3), component=1)


def test_progress_rises_and_cancel_stops():
    weights, _ = graphs.planted(12, n=40)
    seen = []
    find_communities(weights, progress=lambda f, m="": seen.append(f), samples=10, null_fits=2, starts=2)
    assert seen == sorted(seen)
    assert len(seen) > 4
    with pytest.raises(Cancelled):
        find_communities(weights, cancel=lambda: True)


@pytest.mark.parametrize("kind", ["core", "modules"])
def test_any_number_of_threads_gives_the_same(kind, monkeypatch):
    weights, _ = graphs.planted(8, n=36, ratio=2.0)
    found = []
    for threads in ("1", "3"):
        monkeypatch.setenv("DYNAMIC_CONNECTOME_THREADS", threads)
        found.append(find_communities(weights, kind=kind, samples=5, null_fits=11, starts=2, rounds=2, seed=3))
    one, three = found
    np.testing.assert_array_equal(one.labels.values, three.labels.values)
    np.testing.assert_array_equal(one.probability.values, three.probability.values)
    assert one.description_length == three.description_length
    np.testing.assert_array_equal(one.diagnostics["null_gain_nats"], three.diagnostics["null_gain_nats"])


def test_statistics_have_the_same_say_and_a_joint_p_value_is_a_share_of_all_graphs():
    rng = np.random.default_rng(0)
    weak = np.clip(rng.normal(size=(2, 30)), -1.5, 1.5)
    weak[:, 0] = 1.6  # neither is the largest of its row, both together are
    weak[0, 1] = weak[1, 2] = 1.8
    weak[0, 2] = weak[1, 1] = 0.0
    assert joint_p_value(weak) == pytest.approx(1 / 30)
    assert joint_p_value(weak * [[1e6], [1e-3]] + 5) == pytest.approx(1 / 30)
    assert joint_p_value(np.ones((2, 20))) == 1.0
    alike = [joint_p_value(rng.exponential(size=(2, 20))) for _ in range(400)]
    assert 0.02 < np.mean(np.array(alike) <= 0.05) < 0.085  # exactly .05 on average


def test_every_variant_gets_one_start_and_the_rest_go_to_those_that_are_close(monkeypatch):
    import napari_dynamic_connectome.communities.model as module

    graph = graph_from_matrix(nx.to_numpy_array(nx.planted_partition_graph(3, 10, 0.7, 0.05, seed=1)))
    settings = CommunitySettings(starts=3, weight_model="exponential")
    inner, model = module.prepare(graph, settings, "modules")
    asked, search = [], module.search

    def counted(problem, **how):
        asked.append((how["starts"], how.get("first", 0)))
        return search(problem, **how)

    monkeypatch.setattr(module, "search", counted)
    fits = module.fit_model(inner, model, settings)
    assert asked.count((1, 0)) == len(fits) == len(model.degree_corrected)
    assert set(asked) == {(1, 0), (2, 1)}
