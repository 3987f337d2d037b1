"""The consensus of sampled partitions: its terms by brute force, what it finds, what it says about chance and the unsure."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy.special import gammaln
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from napari_dynamic_connectome.communities import consensus, consensus_kernels
from napari_dynamic_connectome.communities.find import find_communities
from napari_dynamic_connectome.communities.graph import graph_from_matrix, normalize_strength
from napari_dynamic_connectome.model.errors import SettingsError

spec = importlib.util.spec_from_file_location("community_graphs", Path(__file__).parent / "graphs.py")
graphs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(graphs)


def prepared(weights):
    return normalize_strength(graph_from_matrix(weights))


def partitions(n, slots):
    return np.array(list(itertools.product(range(slots), repeat=n)))


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("shape", [1.0, 2.5])
def test_samples_follow_the_exact_posterior(missing, shape, monkeypatch):
    n, slots = 5, 3
    rng = np.random.default_rng(3)
    weights = np.triu(rng.exponential(np.where(np.add.outer(np.arange(n) > 2, np.arange(n) > 2) == 1, 0.3, 2.0)), 1)
    if missing:
        weights[0, 3] = weights[1, 4] = np.nan
    graph = graph_from_matrix(np.where(np.isnan(weights + weights.T), np.nan, weights + weights.T))
    monkeypatch.setattr(consensus, "slots_for", lambda n, most: slots)
    drawn = consensus.sample_partitions(graph, chains=1, kept=60_000, max_groups=9, seed=0, shape=shape).posterior
    scaled = graph.weights / graph.weights.mean()
    every = partitions(n, slots)
    sizes = np.stack([(every == q).sum(axis=1) for q in range(slots)], axis=1)
    log = np.array([consensus.log_likelihood(graph.edges, scaled, row, shape) for row in every])
    log += gammaln(sizes + 1).sum(axis=1)
    share = np.exp(log - log.max())
    share /= share.sum()
    same = every[:, :, None] == every[:, None, :]
    exact = np.einsum("k,kij->ij", share, same)
    found = (drawn[0][:, :, None] == drawn[0][:, None, :]).mean(axis=0)
    np.testing.assert_allclose(found, exact, atol=0.015)


def test_gain_of_samples_is_the_likelihood_ratio():
    weights, _ = graphs.planted(0, n=40)
    graph = prepared(weights)
    drawn = consensus.sample_partitions(graph, chains=2, kept=30, max_groups=9, seed=1, shape=1.3)
    scaled = graph.weights / graph.weights.mean()
    one = consensus.log_likelihood(graph.edges, scaled, np.zeros(40, dtype=int), 1.3)
    # an empty class of pairs counts nothing in either sum
    for samples, gains in ((drawn.cold, drawn.cold_gain), (drawn.posterior, drawn.gain)):
        for rows, gain in zip(samples, gains):
            ours = np.mean([consensus.log_likelihood(graph.edges, scaled, row, 1.3) for row in rows]) - one
            assert gain == pytest.approx(ours, abs=1e-6)


def test_what_is_tested_is_the_gain_from_two_thirds_of_the_coldest_on(monkeypatch):
    graph = prepared(graphs.planted(0, n=40, ratio=2.5)[0])
    seen = []
    anneal = consensus_kernels.anneal

    def noted(*arguments):
        anneal(*arguments)
        seen.append((arguments[7].copy(), arguments[9].copy()))

    monkeypatch.setattr(consensus_kernels, "anneal", noted)
    drawn = consensus.sample_partitions(graph, chains=2, kept=10, max_groups=9, seed=1)
    expected = []
    for betas, energy in seen:
        coldest = int(np.flatnonzero(betas == betas.max())[-1])
        late = np.flatnonzero(betas[: coldest + 1] >= betas.max() * 2 / 3)
        expected.append(energy[late].mean())
    # the chains run side by side: which was noted first is open
    assert sorted(drawn.tested) == pytest.approx(sorted(expected)) and len(set(expected)) == 2


def test_expected_rand_index_is_close_to_its_definition():
    rng = np.random.default_rng(0)
    base = np.arange(40) % 4
    samples = np.array([np.where(rng.random(40) < 0.2, rng.integers(0, 4, 40), base) for _ in range(300)])
    together = consensus.shares_together(samples)
    mean = np.mean([adjusted_rand_score(row, base) for row in samples])
    assert consensus.expected_rand(together, base) == pytest.approx(mean, abs=0.02)


def test_shape_of_gamma_weights_about_their_groups():
    rng = np.random.default_rng(1)
    labels = np.arange(80) % 2
    pairs = np.stack(np.triu_indices(80, 1), axis=1)
    same = labels[pairs[:, 0]] == labels[pairs[:, 1]]
    weights = rng.gamma(3.0, np.where(same, 5.0, 1.0))
    assert consensus.weight_shape(pairs, weights, labels) == pytest.approx(3.0, rel=0.1)
    assert consensus.weight_shape(pairs, weights) < 1.7


def test_weak_groups_are_found_that_the_shortest_description_misses():
    rng = np.random.default_rng(7)
    truth = np.arange(120) % 5
    weights = np.triu(rng.exponential(np.where(truth[:, None] == truth, 1.75, 1.0)), 1)
    weights = weights + weights.T
    scores = {}
    for partition in ("consensus", "shortest"):
        found = find_communities(weights, partition=partition, samples=0, seed=1)
        scores[partition] = adjusted_mutual_info_score(truth, found.labels.values[found.chosen_level])
    assert scores["consensus"] > 0.3
    assert scores["consensus"] > scores["shortest"] + 0.2


def test_background_is_less_sure_than_members():
    rng = np.random.default_rng(8)
    truth = np.r_[np.arange(75) % 3, np.full(25, -1)]
    inside = (truth[:, None] == truth) & (truth[:, None] >= 0)
    weights = np.triu(rng.exponential(np.where(inside, 3.0, 1.0)), 1)
    found = find_communities(weights + weights.T, null_fits=0)
    sure = found.probability.values[0]
    assert np.median(sure[truth >= 0]) > 0.95
    assert np.median(sure[truth < 0]) < np.median(sure[truth >= 0]) - 0.1
    uncertain = found.diagnostics["uncertainty_nats"]
    assert np.median(uncertain[truth < 0]) > 3 * np.median(uncertain[truth >= 0])


def test_without_nulls_one_group_unless_an_eigenvalue_stands_out():
    rng = np.random.default_rng(9)
    nothing = np.triu(rng.exponential(size=(80, 80)), 1)
    found = find_communities(nothing + nothing.T, null_fits=0, samples=0)
    assert found.labels.values[found.chosen_level].max() == 0
    assert "eigenvalue" in found.rule
    weights, truth = graphs.planted(1)
    found = find_communities(weights, null_fits=0, samples=0)
    assert adjusted_mutual_info_score(truth, found.labels.values[found.chosen_level]) > 0.95
    assert found.diagnostics["largest_eigenvalue_over_random"] > 1.2


def test_neurons_may_come_in_any_order():
    weights, _ = graphs.planted(2, n=60, ratio=2.0)
    order = np.random.default_rng(0).permutation(60)
    a = find_communities(weights, null_fits=0, samples=50)
    b = find_communities(weights[np.ix_(order, order)], null_fits=0, samples=50)
    np.testing.assert_allclose(a.probability.values[0][order], b.probability.values[0], atol=1e-9)


def test_levels_are_nested_and_background_stays_out():
    weights, _ = graphs.planted(3, n=90, groups=6, ratio=5.0)
    found = find_communities(weights, null_fits=0, samples=0)
    labels = found.labels.values
    for fine, coarse in itertools.pairwise(labels):
        for group in range(fine.max() + 1):
            assert len(np.unique(coarse[fine == group])) == 1
    assert (labels[-1] == 0).all()


def test_a_consensus_of_links_is_refused():
    weights, _ = graphs.planted(4, n=20)
    with pytest.raises(SettingsError, match="consensus"):
        find_communities(weights, partition="consensus", likelihood="counts+weights")
    with pytest.raises(SettingsError, match="null graphs"):
        find_communities(weights, null="circular shift")


def test_null_graphs_of_the_caller_decide():
    weights, _ = graphs.planted(5, n=50)
    as_strong = [graphs.planted(k, n=50)[0] for k in range(20, 26)]
    found = find_communities(weights, null_graphs=as_strong, samples=0)
    assert found.significance.attrs["p_more_than_one"] > 0.05
    assert "null graphs of the caller" in found.rule


def test_structure_without_groups_that_prefer_each_other_is_one_group_and_says_so() -> None:
    rng = np.random.default_rng(5)
    group = np.arange(60) % 2
    weights = np.triu(rng.gamma(20, np.where(group[:, None] == group, 0.5, 1.5)), 1)  # weaker inside
    found = find_communities(weights + weights.T, samples=0, null_fits=19, seed=0)
    assert found.n_levels == 1
    assert found.significance.attrs["p_more_than_one"] <= 0.05
    assert "depart from chance" in found.rule
