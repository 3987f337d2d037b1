"""Chance: what shuffling keeps, how nulls are counted, and what merging groups costs."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from napari_dynamic_connectome.communities import null as module
from napari_dynamic_connectome.communities.consensus import Consensus
from napari_dynamic_connectome.communities.description_length import description_length
from napari_dynamic_connectome.communities.graph import graph_from_matrix, normalize_strength
from napari_dynamic_connectome.communities.model import BlockModel
from napari_dynamic_connectome.communities.null import (
    ENOUGH,
    NullResult,
    _p_values,
    community_gains,
    compare_consensus,
    compare_with_null,
    joint_p_value,
    shuffle_weights,
)
from napari_dynamic_connectome.communities.search import Fit, flat, one_group
from napari_dynamic_connectome.communities.settings import CommunitySettings
from napari_dynamic_connectome.communities.state import build_problem
from napari_dynamic_connectome.model.errors import Cancelled


def graph(n: int, seed: int, links: int):
    rng = np.random.default_rng(seed)
    weights = np.zeros((n, n))
    a, b = np.triu_indices(n, 1)
    chosen = rng.permutation(len(a))[:links]
    weights[a[chosen], b[chosen]] = rng.exponential(size=links)
    return graph_from_matrix(weights + weights.T)


@pytest.mark.parametrize("enumerated", [True, False])
@pytest.mark.parametrize("links", [1, 20, 66])
def test_shuffling_keeps_all_weights_and_gives_every_pair_its_turn(
    enumerated: bool, links: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not enumerated:
        monkeypatch.setattr(module, "ENUMERATED", 11)
    first = graph(12, 0, links)
    count = np.zeros((12, 12))
    for seed in range(300):
        other = shuffle_weights(first, np.random.default_rng(seed))
        assert np.sort(other.weights).tolist() == np.sort(first.weights).tolist()
        assert (other.edges[:, 0] < other.edges[:, 1]).all() and other.edges.dtype == np.int64
        assert len(np.unique(other.edges, axis=0)) == links
        count[other.edges[:, 0], other.edges[:, 1]] += 1
    expected = 300 * links / 66
    pairs = count[np.triu_indices(12, 1)]
    assert abs(pairs - expected).max() <= 5 * np.sqrt(expected) and pairs.sum() == 300 * links
    if links == 20:
        assert len({shuffle_weights(first, np.random.default_rng(s)).weights[0] for s in range(40)}) > 10


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_the_gain_of_a_community_is_what_its_best_merge_would_cost(groups: int) -> None:
    rng = np.random.default_rng(groups)
    edges = np.stack(np.triu_indices(12, 1), axis=1)
    edges = edges[rng.random(len(edges)) < 0.7]
    weights = rng.exponential(size=len(edges))
    labels = np.arange(12) % groups
    fit = SimpleNamespace(problem=build_problem(edges, weights, 12, slots=12))
    got = community_gains(fit, labels)
    cost = lambda one: description_length(edges, weights, flat(one))["total"]  # noqa: E731
    for group in range(groups):
        joined = [cost(np.where(labels == group, other, labels)) for other in range(groups) if other != group]
        assert got[group] == pytest.approx(min(joined) - cost(labels) if joined else 0.0, abs=1e-8)


def compared(gain: float, gains: list[float], community: list[float], tops: list[float], fits: int = 0, **more):
    """Nulls whose gains and best communities are given."""
    taken: list[int] = []

    def statistics(made: int, seed: int, stop: object) -> tuple[float, float, tuple[float, ...]]:
        assert seed == 70 + made
        taken.append(made)
        return gains[made], tops[made], (gains[made], 1.0)

    told: list[tuple[float, str]] = []
    result = _p_values(
        gain, np.array(community), [lambda k=k: k for k in range(len(gains))], statistics,
        SimpleNamespace(null_fits=fits or len(gains)), 70,
        **{"progress": lambda share, text="": told.append((share, text)), "cancel": None} | more,
    )  # fmt: skip
    return result, told


def test_nulls_that_reach_the_gain_are_counted_and_so_are_their_best_communities() -> None:
    result, told = compared(5.0, [1.0, 5.0, 6.0, 2.0], [3.0, 9.0], [3.0, 2.0, 4.0, 1.0])
    assert result.p_value == 3 / 5 and result.community_p.tolist() == [3 / 5, 1 / 5]
    assert (result.gain, result.fits) == (5.0, 4)
    assert result.null_gain.tolist() == [1.0, 5.0, 6.0, 2.0]
    assert result.null_groups == ((1.0, 1.0), (5.0, 1.0), (6.0, 1.0), (2.0, 1.0))
    assert told == [(0.25, "null 1"), (0.5, "null 2"), (0.75, "null 3"), (1.0, "null 4")]
    _, told = compared(5.0, [1.0, 5.0, 6.0], [3.0], [3.0, 2.0, 4.0], fits=1)  # more are brought
    assert told == [(1.0, "null 1"), (1.0, "null 2"), (1.0, "null 3")]


def test_counting_ends_early_once_enough_nulls_reach_the_gain_unless_all_are_asked_for() -> None:
    gains = [0.0] + [7.0] * 20
    early, _ = compared(5.0, gains, [1.0], [0.0] * 21)
    assert early.fits == ENOUGH + 1 and early.p_value == (ENOUGH + 1) / (ENOUGH + 2)
    assert compared(7.0, gains, [1.0], [0.0] * 21)[0].fits == ENOUGH + 1  # as much is enough
    whole, _ = compared(5.0, gains, [1.0], [0.0] * 21, early=False)
    assert whole.fits == 21 and whole.p_value == 21 / 22
    few, _ = compared(5.0, [7.0] * (ENOUGH - 1) + [0.0], [1.0], [0.0] * ENOUGH)
    assert few.fits == ENOUGH


def test_without_nulls_nothing_is_known_and_a_cancel_ends_it() -> None:
    result, _ = compared(5.0, [], [1.0, 2.0], [])
    assert np.isnan(result.p_value) and np.isnan(result.community_p).all() and result.fits == 0
    with pytest.raises(Cancelled):
        compared(5.0, [1.0] * 5, [1.0], [1.0] * 5, cancel=lambda: True)


def test_statistics_count_together_on_one_scale() -> None:
    base = np.random.default_rng(0).normal(size=(2, 40))
    base[:, 0] = 9.0
    assert joint_p_value(base) == 1 / 40
    base[:, 0] = -9.0
    assert joint_p_value(base) == 1.0
    base[:, 0] = base[:, 7]
    p = joint_p_value(base)
    assert joint_p_value(base * [[1e6], [1e-6]] + [[3.0], [-5.0]]) == p
    scaled = (base - base.mean(axis=1, keepdims=True)) / base.std(axis=1, keepdims=True)
    assert p == (scaled.sum(axis=0) >= scaled.sum(axis=0)[0] - 1e-9).mean() > 1 / 40
    assert joint_p_value(np.stack([base[0], np.full(40, 2.0)])) == (base[0] >= base[0, 0]).mean()
    assert joint_p_value(np.ones((2, 5))) == 1.0


def test_shuffled_graphs_of_the_same_seed_are_the_same() -> None:
    first = graph(12, 0, 30)
    one, two, three = (module._shuffled(first, SimpleNamespace(normalized=False), s)() for s in (4, 4, 5))
    np.testing.assert_array_equal(one.edges, two.edges)
    np.testing.assert_array_equal(one.weights, two.weights)
    assert not np.array_equal(one.edges, three.edges)
    assert replace(one, edges=first.edges, weights=first.weights).names == first.names


@pytest.mark.parametrize("enumerated", [True, False])
def test_pairs_that_were_not_observed_get_no_weight(enumerated: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not enumerated:
        monkeypatch.setattr(module, "ENUMERATED", 11)
    matrix = graph(12, 0, 30).matrix()
    a, b = (one[::3] for one in np.nonzero(np.triu(matrix == 0, 1)))
    matrix[a, b] = matrix[b, a] = np.nan
    first = graph_from_matrix(matrix)
    seen = np.zeros((12, 12), int)
    for seed in range(60):
        other = shuffle_weights(first, np.random.default_rng(seed))
        seen[other.edges[:, 0], other.edges[:, 1]] += 1
        assert len(np.unique(other.edges, axis=0)) == 30
    assert (seen[a, b] == 0).all() and len(a) == 12
    assert (seen > 0).sum() == 66 - 12


def fitted(labels: list[int]) -> Fit:
    """A fit of a graph of 12 nodes that is said to save 20 nats."""
    first = graph(12, 1, 40)
    problem = build_problem(first.edges, first.weights, 12, slots=12)
    fit = Fit(tuple(flat(np.array(labels))), one_group(problem).cost - 20, problem, True)
    assert fit.n_groups == len(set(labels))
    return fit


def beside(
    fit: Fit, nulls: list[tuple[float, list[int]]], monkeypatch: pytest.MonkeyPatch, brought: bool = False, **settings
) -> tuple[NullResult, list]:
    """What is said of a fit beside nulls of given gains and groups, and how these were fitted."""
    asked: list = []
    given = iter(nulls)

    def quick_fit(null_graph, model, own, seed, cancel):
        asked.append((null_graph, model, own, seed))
        gain, labels = next(given)
        return replace(fit, levels=tuple(flat(np.array(labels)))), gain

    monkeypatch.setattr(module, "quick_fit", quick_fit)
    monkeypatch.setenv("DYNAMIC_CONNECTOME_THREADS", "1")
    own = CommunitySettings(null_fits=len(nulls), **settings)
    model = BlockModel(True, "exponential", False, False, (True, False))
    graphs = [lambda k=k: f"null {k}" for k in range(len(nulls))] if brought else None
    got = compare_with_null(graph(12, 1, 40), model, fit, fit.levels[0], own, 50, graphs)
    assert all(one[1] == replace(model, degree_corrected=(True,)) and one[2] is own for one in asked)
    return got, asked


def test_a_fit_is_compared_with_fits_of_its_own_kind_to_graphs_that_are_shuffled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit = fitted([0, 1] * 6)
    gain = one_group(fit.problem).cost - fit.cost
    alone, two, three = [0] * 12, [0, 0, 1] * 4, [0, 1, 2] * 4
    nulls = [(gain, three), (-4.0, alone), (gain + 1, two), (gain - 1, alone)]
    got, asked = beside(fit, nulls, monkeypatch)
    assert got.gain == pytest.approx(gain) and got.fits == 4 and got.what == "shuffled weights"
    assert got.p_value == 3 / 5  # a gain of as much counts
    assert got.null_gain.tolist() == pytest.approx([gain, 0.0, gain + 1, gain - 1])
    own = community_gains(fit, np.array([0, 1] * 6))
    np.testing.assert_allclose(got.community_gain, own)
    tops = [community_gains(fit, np.array(labels)).max() if max(labels) else 0.0 for _, labels in nulls]
    assert got.community_p.tolist() == [(1 + sum(t >= c for t in tops)) / 5 for c in own]
    first = graph(12, 1, 40)
    for k, (null_graph, _, _, seed) in enumerate(asked):
        expected = shuffle_weights(first, np.random.default_rng(50 + 7919 * (k + 1)))
        np.testing.assert_array_equal(null_graph.edges, expected.edges)
        np.testing.assert_array_equal(null_graph.weights, expected.weights)
        assert seed == 50 + k
    assert got.null_groups == ((),) * 4


@pytest.mark.parametrize(
    ("chance", "words"),
    [
        ("weights", "null graphs of the caller"),
        ("circular shift", "components of surrogate cohorts (circular shift)"),
        ("phase randomisation", "components of surrogate cohorts (phase randomisation)"),
    ],
)
def test_graphs_that_are_brought_are_what_chance_means(
    chance: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = fitted([0, 1, 2] * 4)
    got, asked = beside(fit, [(0.0, [0] * 12), (1e9, [0] * 12)], monkeypatch, brought=True, null=chance)
    assert [one[0] for one in asked] == ["null 0", "null 1"]
    assert (got.what, got.fits, got.p_value) == (words, 2, 2 / 3)


def test_communities_are_compared_with_the_best_one_of_each_null(monkeypatch: pytest.MonkeyPatch) -> None:
    partitions = [[0, 1] * 6, [0, 0, 1] * 4, [0, 1, 2] * 4, [0, 1, 1, 2, 2, 2] * 2]
    tops = [community_gains(fitted(labels), np.array(labels)).max() for labels in partitions]
    strongest, weakest = partitions[int(np.argmax(tops))], partitions[int(np.argmin(tops))]
    got, _ = beside(fitted(strongest), [(0.0, weakest)], monkeypatch)
    best = int(np.argmax(got.community_gain))
    assert max(tops) < 0 and got.community_p[best] == 1 / 2
    got, _ = beside(fitted(weakest), [(0.0, strongest)], monkeypatch)
    assert (got.community_p == 1.0).all()


def test_one_group_is_not_compared_with_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    got, asked = beside(fitted([0] * 12), [(9.0, [0] * 12)], monkeypatch)
    assert not asked and (got.gain, got.p_value, got.fits) == (0.0, 1.0, 0)
    assert got.community_gain.tolist() == [0.0] and got.community_p.tolist() == [1.0] and got.null_gain.tolist() == []


def agreed(gain: float, groups: list[float], chains: int, labels: list[int] | None = None) -> Consensus:
    row = np.array([0] * 12 if labels is None else labels)
    return Consensus(row, np.zeros((0, 12), int), 0, gain, np.array(groups), np.zeros(chains), 1.0, 0.0)


@pytest.mark.parametrize("chains", [2, 8])
@pytest.mark.parametrize("judged", [False, True])
def test_a_consensus_is_compared_with_those_of_shuffled_graphs(
    chains: int, judged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict] = []
    nulls = {
        -1: agreed(4.0, [1.0], 1),
        0: agreed(1.0, [0.5, 3.0], 1),
        1: agreed(6.0, [2.0], 1),
        2: agreed(4.0, [1.0], 1),
    }

    def find(null_graph, **how):
        asked.append({"graph": null_graph, **how})
        return nulls[how["seed"] - 50]

    monkeypatch.setattr(module, "find_consensus", find)
    monkeypatch.setenv("DYNAMIC_CONNECTOME_THREADS", "1")
    first = graph(12, 1, 40)
    model = BlockModel(False, "exponential", False, False, (False,))
    said: list[np.ndarray] = []

    def groups(null_graph, labels):
        said.append(labels)
        return {1: (5.0, 1.0), 2: (), 3: (0.5,), 4: (7.0,)}[len(said)]  # of three nulls, and of the graph itself

    found = agreed(4.0, [2.0, 3.5], chains)
    own = CommunitySettings(null_fits=3, max_groups=17)
    got = compare_consensus(first, model, found, own, 50, groups=groups if judged else None)
    for one in asked:
        assert one["chains"] == min(chains, 4) and one["kept"] == 0 and one["quick"] is True and one["max_groups"] == 17
    assert [one["seed"] for one in asked] == [50, 51, 52] + [49] * judged
    np.testing.assert_array_equal(
        asked[0]["graph"].weights, shuffle_weights(first, np.random.default_rng(50 + 7919)).weights
    )
    assert got.gain == 4.0 and got.fits == 3 and got.what == "shuffled weights"
    assert got.community_gain.tolist() == [2.0, 3.5] and got.community_p.tolist() == [3 / 4, 1 / 4]
    assert got.null_gain.tolist() == [1.0, 6.0, 4.0]
    if judged:
        assert asked[-1]["graph"] is first
        assert got.null_groups == ((5.0, 1.0), (), (0.5,))
        assert got.p_value == joint_p_value(np.array([[4.0, 1.0, 6.0, 4.0], [7.0, 6.0, 0.0, 0.5]]))
    else:
        assert got.p_value == 3 / 4 and got.null_groups == ((), (), ())


def test_all_nulls_are_fitted_only_where_groups_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_consensus", lambda *_, **__: agreed(9.0, [1.0], 1))
    first, model = graph(12, 1, 40), BlockModel(False, "exponential", False, False, (False,))
    own = CommunitySettings(null_fits=20)
    early = compare_consensus(first, model, agreed(1.0, [1.0], 4), own, 0)
    assert early.fits == ENOUGH
    whole = compare_consensus(first, model, agreed(1.0, [1.0], 4), own, 0, groups=lambda *_: (1.0,))
    assert whole.fits == 20 and whole.p_value == 1.0
    none = compare_consensus(
        first, model, agreed(1.0, [1.0], 4), CommunitySettings(null_fits=0), 0, groups=lambda *_: ()
    )
    assert none.fits == 0 and np.isnan(none.p_value)
    brought = compare_consensus(first, model, agreed(1.0, [1.0], 4), own, 0, [lambda: first] * 3)
    assert brought.fits == 3 and brought.what == "null graphs of the caller"
    stopped: list[bool] = []
    monkeypatch.setattr(
        module, "find_consensus", lambda *_, cancel, **__: stopped.append(cancel()) or agreed(0.0, [1.0], 1)
    )
    compare_consensus(first, model, agreed(1.0, [1.0], 4), CommunitySettings(null_fits=1), 0, groups=lambda *_: (1.0,))
    assert stopped == [False, False]


@pytest.mark.parametrize(("spread", "tested"), [(0.0, False), (1e-10, False), (1e-8, True)])
def test_weights_that_are_all_alike_are_not_compared(
    spread: float, tested: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_consensus", lambda *_, **__: agreed(0.0, [1.0], 1))
    first = graph(12, 1, 40)
    first = replace(first, weights=1e-3 * (1 + spread * np.linspace(0, 1, 40)))
    model = BlockModel(False, "exponential", False, False, (False,))
    got = compare_consensus(first, model, agreed(3.0, [1.0, 2.0], 4), CommunitySettings(null_fits=2), 0)
    assert got.fits == (2 if tested else 0)
    if not tested:
        assert (got.gain, got.p_value) == (0.0, 1.0) and got.null_gain.tolist() == []
        assert got.community_gain.tolist() == [1.0, 2.0] and got.community_p.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("weights", ["exponential", "normal"])
def test_strengths_of_shuffled_graphs_are_divided_out_where_those_of_the_graph_were(
    normalized: bool, weights: str
) -> None:
    first = graph(12, 0, 40)
    got = module._shuffled(first, BlockModel(True, weights, normalized, False, (True,)), 4)()
    plain = shuffle_weights(first, np.random.default_rng(4))
    expected = normalize_strength(plain) if normalized and weights == "exponential" else plain
    np.testing.assert_array_equal(got.weights, expected.weights)
    np.testing.assert_array_equal(got.edges, plain.edges)
