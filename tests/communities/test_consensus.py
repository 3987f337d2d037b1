"""The consensus of sampled partitions: its terms by brute force, what it finds, what it says about chance and the unsure."""

from __future__ import annotations

import importlib.util
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse, stats
from scipy.integrate import quad
from scipy.special import gammaln
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from napari_dynamic_connectome.communities import consensus, consensus_kernels
from napari_dynamic_connectome.communities.find import find_communities
from napari_dynamic_connectome.communities.graph import WeightedGraph, graph_from_matrix, normalize_strength
from napari_dynamic_connectome.communities.methods.leiden import leiden_of
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


# --- terms and choices, by loops ----------------------------------------------------------------------------------------


def small(seed: int, n: int = 9, density: float = 0.7) -> WeightedGraph:
    edges, weights, _ = graphs.random_case(seed, n, density, 2)
    return WeightedGraph(tuple(map(str, range(n))), edges, 3.0 * weights, np.zeros((0, 2), int), np.ones(n, bool))


def test_about_as_many_groups_as_the_root_of_the_nodes_may_be_occupied() -> None:
    for n, most, expected in (
        (100, 120, 12), (90, 120, 11), (91, 120, 12), (400, 120, 22), (4000, 120, 48), (30, 120, 8), (36, 120, 8), (49, 120, 9),
        (100, 5, 5), (100, 0, 1), (5, 120, 5), (2, 120, 2), (0, 120, 1),
    ):  # fmt: skip
        assert consensus.slots_for(n, most) == expected


@pytest.mark.parametrize("shape", [0.7, 1.0, 3.0])
@pytest.mark.parametrize(("links", "weight"), [(0, 0.0), (1, 0.4), (6, 9.0)])
def test_the_evidence_of_a_rate_is_the_integral_over_its_prior(links: int, weight: float, shape: float) -> None:
    a, b = consensus.RATE_PRIOR

    def integrand(rate: float) -> float:  # of the factors that depend on the sum of the weights
        return stats.gamma.pdf(rate, a, scale=1 / b) * rate ** (shape * links) * np.exp(-rate * shape * weight)

    exact = np.log(quad(integrand, 0, 10, epsabs=0, limit=200)[0])
    assert consensus.rate_evidence(links, weight, shape) == pytest.approx(exact, abs=1e-7)
    if shape == 1.0:
        assert consensus.rate_evidence(links, weight) == consensus.rate_evidence(links, weight, 1.0)


@pytest.mark.parametrize("seed", range(6))
def test_gains_of_groups_are_what_the_likelihood_loses_without_their_rates(seed: int) -> None:
    graph = small(seed)
    weights = graph.weights / graph.weights.mean()
    labels = np.random.default_rng(seed).choice([0, 1, 2, 3], 9, p=[0.4, 0.3, 0.2, 0.1])
    labels[0] = 3
    got = consensus.group_gains(graph.edges, weights, labels, 1.7)
    pairs = list(zip(graph.edges.tolist(), weights, strict=True))
    rest = [w for (i, j), w in pairs if labels[i] != labels[j]]
    assert len(got) == 4
    for g in range(4):
        own = [w for (i, j), w in pairs if labels[i] == labels[j] == g]
        apart = consensus.rate_evidence(len(own), sum(own), 1.7) + consensus.rate_evidence(len(rest), sum(rest), 1.7)
        together = consensus.rate_evidence(len(own + rest), sum(own + rest), 1.7)
        expected = apart - together if own and np.mean(own) > np.mean(rest) else -np.inf
        assert got[g] == pytest.approx(expected, abs=1e-9)
    every = [[w for (i, j), w in pairs if labels[i] == labels[j] == g] for g in range(4)]
    likelihood = sum(consensus.rate_evidence(len(own), sum(own), 1.7) for own in [*every, rest])
    assert consensus.log_likelihood(graph.edges, weights, labels, 1.7) == pytest.approx(likelihood)
    all_in_one = consensus.group_gains(graph.edges, weights, np.zeros(9, int))
    assert all_in_one == pytest.approx([0.0]) and np.isfinite(all_in_one).all()


def test_a_group_of_one_pair_beside_one_pair_has_a_gain() -> None:
    edges = np.array([[0, 1], [1, 2]])
    assert consensus.group_gains(edges, np.array([3.0, 1.0]), np.array([0, 0, 1]))[0] > -1
    assert consensus.group_gains(edges, np.array([1.0, 3.0]), np.array([0, 0, 1])).tolist() == [-np.inf, -np.inf]
    assert consensus.group_gains(edges[:1], np.array([2.0]), np.array([0, 0, 1]))[1] == -np.inf  # of nothing
    assert consensus.group_gains(edges, np.array([2.0, 2.0]), np.array([0, 0, 1])).tolist() == [-np.inf, -np.inf]


@pytest.mark.parametrize("seed", range(3))
def test_the_shape_is_one_over_the_squared_variation_about_the_means(seed: int) -> None:
    graph = small(seed, 14)
    labels = np.random.default_rng(seed).integers(0, 3, 14)
    groups: dict[int, list[float]] = {}
    for (i, j), w in zip(graph.edges.tolist(), graph.weights, strict=True):
        groups.setdefault(int(labels[i]) if labels[i] == labels[j] else -1, []).append(w)
    ratios = np.concatenate([np.array(one) / np.mean(one) for one in groups.values()])
    assert consensus.weight_shape(graph.edges, graph.weights, labels) == pytest.approx(1 / ratios.var())
    assert consensus.weight_shape(graph.edges, graph.weights) == pytest.approx(1 / stats.variation(graph.weights) ** 2)
    assert consensus.weight_shape(graph.edges, np.ones(len(graph.edges))) == 100.0
    alone = np.full(len(graph.edges), 1e-9)
    alone[0] = 1.0
    assert consensus.weight_shape(graph.edges, alone) == 0.05


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_the_largest_eigenvalue_is_compared_with_the_bulk_of_random_weights(
    seed: int, dense: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = small(seed, 15)
    monkeypatch.setattr(consensus, "DENSE_PAIRS", 15 if dense else 14)
    seen: list[int] = []
    eigsh = sparse.linalg.eigsh
    monkeypatch.setattr(sparse.linalg, "eigsh", lambda *a, **k: seen.append(1) or eigsh(*a, **k))
    centred = graph.matrix() - np.where(graph.matrix() > 0, graph.weights.mean(), 0.0)
    edge = 2 * np.sqrt((centred**2).sum(axis=1).mean())
    expected = np.linalg.eigvalsh(centred).max() / edge
    assert consensus.stands_out(graph) == pytest.approx(expected, rel=1e-4) and bool(seen) != dense


def test_shares_are_counted_pair_by_pair() -> None:
    samples = np.array([[0, 0, 1, 2], [1, 1, 1, 0], [3, 0, 3, 0]])
    expected = np.zeros((4, 4))
    for row, i, j in itertools.product(samples, range(4), range(4)):
        expected[i, j] += (i != j and row[i] == row[j]) / 3
    np.testing.assert_allclose(consensus.shares_together(samples), expected)


@pytest.mark.parametrize("seed", range(10))
def test_the_expected_index_follows_its_formula(seed: int) -> None:
    rng = np.random.default_rng(seed)
    together = np.triu(rng.random((7, 7)), 1)
    together += together.T
    labels = rng.integers(0, 3, 7)
    pairs = list(itertools.combinations(range(7), 2))
    same = {(i, j) for i, j in pairs if labels[i] == labels[j]}
    shared = sum(together[pair] for pair in pairs)
    both = sum(together[pair] for pair in same)
    chance = len(same) * shared / 21
    expected = (both - chance) / (0.5 * (len(same) + shared) - chance)
    assert consensus.expected_rand(together, labels) == pytest.approx(expected)
    assert consensus.expected_rand(np.ones((7, 7)) - np.eye(7), np.zeros(7, int)) == 0.0  # nothing to tell apart
    assert consensus.expected_rand(np.zeros((7, 7)), np.arange(7)) == 0.0


@pytest.mark.parametrize("seed", range(8))
def test_samples_take_the_names_of_the_groups_that_they_overlap_most(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, 3, 12)
    labels[:3] = [0, 1, 2]
    samples = rng.choice([0, 1, 3, 4], (5, 12))
    got = consensus.align_samples(samples, labels)
    for row, renamed in zip(samples, got, strict=True):
        names = sorted(set(row))
        new = {g: int(renamed[row == g][0]) for g in names}
        assert all(renamed[k] == new[g] for k, g in enumerate(row))
        used = [g for g in new.values() if g >= 0]
        assert len(set(used)) == len(used)
        assert all(g < 0 or ((row == old) & (labels == g)).any() for old, g in new.items())
        best = max(
            sum(((row == old) & (labels == g)).sum() for old, g in zip(names, order, strict=True) if g < 3)
            for order in itertools.permutations(range(3 + len(names)), len(names))
        )
        assert ((renamed == labels) & (labels >= 0)).sum() == best


def consensus_of(samples: np.ndarray, labels: np.ndarray) -> consensus.Consensus:
    return consensus.Consensus(labels, samples, 1, 0.0, np.zeros(1), np.zeros(1), 1.0, 0.0)


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("up", [[], [[0, 0, 0]], [[0, 1, 0], [0, 0]], [[1, 0, 0], [0, 1]]])
def test_what_samples_say_of_nested_groups_is_counted(background: bool, up: list[list[int]]) -> None:
    rng = np.random.default_rng(4)
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, -1 if background else 2])
    samples = np.where(rng.random((9, 10)) < 0.25, rng.integers(0, 5, (9, 10)), np.maximum(labels, 0))
    rows = [labels]
    for level in up:
        rows.append(np.where(rows[-1] >= 0, np.array(level)[np.maximum(rows[-1], 0)], -1))
    if up and rows[-1].max() == 0:
        rows[-1] = np.zeros(10, int)  # everyone, as `find_communities` says it
    found = consensus_of(samples, labels)
    got = consensus.posterior_of(found, [np.array(level) for level in up], np.stack(rows))
    below = consensus.align_samples(samples, labels)
    for level, row in enumerate(rows):
        if level:
            below = np.array([[up[level - 1][g] if g >= 0 else -1 for g in one] for one in below])
        seen = np.tile(row, (9, 1)) if level == len(rows) - 1 and row.max() == 0 else below
        np.testing.assert_array_equal(got.samples[:, level], seen)
        groups = row.max() + 1
        assert got.membership[level].shape == (10, groups + 1)
        for node in range(10):
            shares = [np.mean([one[node] == g for one in seen]) for g in [*range(groups), -1]]
            assert got.membership[level][node] == pytest.approx(shares)
            assert got.probability[level, node] == pytest.approx(shares[row[node]])
    assert got.n_groups.tolist() == [len(set(one)) for one in samples.tolist()]
    np.testing.assert_allclose(got.together, consensus.shares_together(samples) + np.eye(10))


def chosen(scores: list[float], monkeypatch: pytest.MonkeyPatch) -> int:
    """Which candidate is chosen if they agree as well as this with the samples."""
    made = [np.array([k]) for k in range(len(scores))]
    asked: list[np.ndarray] = []

    def candidates(graph, together, best, seed, quick):
        asked.append(best)
        return made

    monkeypatch.setattr(consensus, "_candidates", candidates)
    monkeypatch.setattr(consensus, "expected_rand", lambda together, labels: scores[labels[0]])
    cold = np.arange(2 * 3 * 9).reshape(2, 3, 9) % 4
    samples = consensus.Samples(cold, cold, np.array([1.0, 2.0]), np.zeros(2), np.zeros(2))
    got = consensus._agreed(small(0), samples, 5, False)
    np.testing.assert_array_equal(asked[0], cold[1])  # of the chain that explains most
    return int(got[0])


def test_a_later_candidate_is_chosen_only_where_it_is_clearly_better(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen([0.5, 0.54, 0.54], monkeypatch) == 0
    assert chosen([0.5, 0.56, 0.6], monkeypatch) == 1
    assert chosen([0.5, 0.56, 0.62], monkeypatch) == 2
    assert chosen([0.5, 0.5 + consensus.CLEARLY], monkeypatch) == 0
    assert chosen([0.9, 0.2], monkeypatch) == 0


@pytest.mark.parametrize("quick", [False, True])
def test_candidates_are_clusterings_at_three_resolutions_and_the_vote_of_the_best_chain(quick: bool) -> None:
    graph = small(2, 12)
    truth = np.arange(12) % 3
    rng = np.random.default_rng(0)
    best = np.where(rng.random((40, 12)) < 0.2, rng.integers(0, 5, (40, 12)), 2 * truth)
    best[-1] = 2 * truth
    together = consensus.shares_together(best)
    got = consensus._candidates(graph, together, best, 3, quick)
    assert len(got) == (1 if quick else 4)
    strength = graph.matrix().sum(axis=1)
    order = np.argsort(strength)
    links = sparse.csr_array(together[np.ix_(order, order)])
    for labels, resolution in zip(got, (1.0, 1.5, 2.0), strict=False):
        np.testing.assert_array_equal(labels[order], leiden_of(links, resolution, 3))
    if not quick:
        np.testing.assert_array_equal(got[3], truth)
        # a group of the last sample that gets no vote leaves no gap
        odd = np.tile(2 * truth, (40, 1))
        odd[-1, 0] = 1
        last = consensus._candidates(graph, together, odd, 3, False)[3]
        assert set(last) == {0, 1, 2} and (last[:, None] == last).tolist() == (truth[:, None] == truth).tolist()


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("sharper", [1.0, 1.09, 1.11])
def test_partitions_are_sampled_again_where_groups_explain_the_spread(
    quick: bool, sharper: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = small(1, 9, 1.0)
    first = consensus.weight_shape(graph.edges, graph.weights)
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2])
    calls: list[dict] = []
    told: list[float] = []

    def sample(given, **how):
        if how["progress"]:
            how["progress"](0.0, "")
            how["progress"](1.0, "")
        calls.append(how)
        cold = np.zeros((6, 100, 9), int)
        return consensus.Samples(
            cold, np.full((6, 7, 9), len(calls)), np.arange(6.0) + len(calls), np.zeros(6), np.arange(6.0) * 10
        )

    def gains(edges, weights, own, shape):
        assert edges is graph.edges and own is labels
        np.testing.assert_allclose(weights, graph.weights / graph.weights.mean())
        return np.array([3.0, 0.0, 0.2]) * shape

    agreed: list[tuple] = []
    monkeypatch.setattr(consensus, "sample_partitions", sample)
    monkeypatch.setattr(consensus, "_agreed", lambda given, samples, seed, fast: agreed.append((seed, fast)) or labels)
    monkeypatch.setattr(consensus, "weight_shape", lambda e, w, own=None: first if own is None else sharper * first)
    monkeypatch.setattr(consensus, "group_gains", gains)
    got = consensus.find_consensus(
        graph, chains=6, kept=7, max_groups=11, seed=4, quick=quick, progress=lambda share, text="": told.append(share)
    )
    again = sharper > 1.1
    assert [one["shape"] for one in calls] == [first] + [sharper * first] * again
    for one in calls:
        assert (one["chains"], one["kept"], one["max_groups"], one["seed"]) == (6, 7, 11, 4)
    assert told == [0.0, 0.0, 0.5] + [0.5, 1.0] * again and agreed == [(4, quick)] * (1 + again)
    assert got.labels.tolist() == [0, 0, 0, -1, -1, -1, 1, 1, 1]
    shape = sharper * first if again else first
    assert got.group_gain.tolist() == pytest.approx([3 * shape, 0.2 * shape]) and got.shape == shape
    assert got.gain == 15.0  # of the first four chains, of the first time
    assert got.agreeing == 600 and got.samples.shape == (42, 9) and (got.samples == 1 + again).all()
    assert got.chain_gain.tolist() == [1 + again + k for k in range(6)]
    assert np.isnan(got.stands_out) if quick else got.stands_out == consensus.stands_out(graph)
    monkeypatch.setattr(consensus, "group_gains", lambda *_: np.array([-1.0, -np.inf, 0.0]))
    none = consensus.find_consensus(graph, chains=6, kept=7)
    assert none.labels.tolist() == [0] * 9 and none.group_gain.tolist() == [0.0]


@pytest.mark.parametrize("case", ["two nodes", "no links", "one group", "alike", "nearly alike", "different"])
def test_what_cannot_be_divided_is_one_group(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def sample(*_, **__):
        raise LookupError

    monkeypatch.setattr(consensus, "sample_partitions", sample)
    graph = small(0, 2, 1.0) if case == "two nodes" else small(0, 3, 1.0)
    if case == "no links":
        graph = replace(graph, edges=graph.edges[:0], weights=graph.weights[:0])
    spread = {"alike": 0.0, "nearly alike": 1e-10, "different": 1e-8}.get(case)
    if spread is not None:
        graph = replace(graph, weights=1e-3 * (1 + spread * np.arange(len(graph.weights))))
    how = {"chains": 3, "kept": 5, "max_groups": 1 if case == "one group" else 2}
    if case == "different":
        with pytest.raises(LookupError):
            consensus.find_consensus(graph, **how)
        return
    got = consensus.find_consensus(graph, **how)
    assert got.labels.tolist() == [0] * graph.n and got.samples.tolist() == [[0] * graph.n] * 15
    assert (got.agreeing, got.gain, got.shape, got.stands_out) == (300, 0.0, 100.0, 0.0)
    assert got.group_gain.tolist() == [0.0] and got.chain_gain.tolist() == [0.0] * 3


@pytest.mark.parametrize("kept", [0, 30])
@pytest.mark.parametrize("density", [0.5, 1.0])
def test_chains_are_annealed_sampled_melted_and_annealed_again(
    kept: int, density: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = small(3, 16, density)
    asked: list[tuple] = []

    def anneal(pointer, neighbour, weight, complete, slots, table, prior, betas, out, energy, random):
        asked.append((weight.sum(), complete, slots, table, prior, betas, int(random[0])))
        strength = [weight[pointer[k] : pointer[k + 1]].sum() for k in range(16)]
        assert strength == sorted(strength)  # whatever the nodes' order was
        out[:] = np.arange(len(out))[:, None] * 100 + np.arange(16)
        energy[:] = betas * 1000 + len(asked)

    monkeypatch.setattr(consensus_kernels, "anneal", anneal)
    monkeypatch.setenv("DYNAMIC_CONNECTOME_THREADS", "1")
    told: list[tuple[float, str]] = []
    got = consensus.sample_partitions(
        graph, chains=2, kept=kept, max_groups=5, seed=8, shape=2.0, progress=lambda s, t="": told.append((s, t))
    )
    assert told == [(0.0, "sampling partitions")] + [(k / 2, f"sampling partitions, chain {k}") for k in (1, 2)]
    for chain, (total, complete, slots, table, prior, betas, random) in enumerate(asked):
        assert total == pytest.approx(2 * 2.0 * len(graph.weights)) and complete == (density == 1.0) and slots == 5
        assert prior.tolist() == [8.0, 11.0, 2.0, 1.0]
        links = np.arange(len(graph.weights) + 1)
        without = consensus.rate_evidence(links, 0 * links, 2.0) + (2.0 * links + 8) * np.log(11.0)
        np.testing.assert_allclose(table, without)
        expected = [*np.linspace(0, 1.3, 150), *[1.3] * 100]
        expected += [*np.linspace(0.5, 1, 75), *[1.0] * kept] if kept else []
        assert betas.tolist() == pytest.approx(expected)
        assert random == np.random.default_rng([8, chain]).integers(1, 2**63)
    order = np.argsort(graph.matrix().sum(axis=1))
    for k in (0, 99):
        assert (got.cold[:, k, order] == 100 * k + np.arange(16)).all()
    assert got.cold.shape == (2, 100, 16) and got.posterior.shape == (2, kept, 16)
    assert got.cold_gain == pytest.approx([1301, 1302])
    late = [b for b in expected[:250] if b >= 1.3 * 2 / 3]
    assert got.tested == pytest.approx(1000 * np.mean(late) + np.array([1, 2]))
    if kept:
        assert got.gain == pytest.approx([1001, 1002])
        assert (got.posterior[:, -1, order] == 100 * (100 + 75 + 30 - 1) + np.arange(16)).all()
    else:
        assert np.isnan(got.gain).all()
