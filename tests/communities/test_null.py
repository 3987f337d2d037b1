"""Chance: what shuffling keeps, how nulls are counted, and what merging groups costs."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from napari_dynamic_connectome.communities import null as module
from napari_dynamic_connectome.communities.description_length import description_length
from napari_dynamic_connectome.communities.graph import graph_from_matrix
from napari_dynamic_connectome.communities.null import (
    ENOUGH,
    _p_values,
    community_gains,
    joint_p_value,
    shuffle_weights,
)
from napari_dynamic_connectome.communities.search import flat
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


def compared(gain: float, gains: list[float], community: list[float], tops: list[float], **more):
    """Nulls whose gains and best communities are given."""
    taken: list[int] = []

    def statistics(made: int, seed: int, stop: object) -> tuple[float, float, tuple[float, ...]]:
        assert seed == 70 + made
        taken.append(made)
        return gains[made], tops[made], (gains[made], 1.0)

    told: list[tuple[float, str]] = []
    result = _p_values(
        gain, np.array(community), [lambda k=k: k for k in range(len(gains))], statistics,
        SimpleNamespace(null_fits=len(gains)), 70,
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


def test_counting_ends_early_once_enough_nulls_reach_the_gain_unless_all_are_asked_for() -> None:
    gains = [0.0] + [7.0] * 20
    early, _ = compared(5.0, gains, [1.0], [0.0] * 21)
    assert early.fits == ENOUGH + 1 and early.p_value == (ENOUGH + 1) / (ENOUGH + 2)
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
