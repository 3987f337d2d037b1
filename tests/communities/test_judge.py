"""Who stays in a group: those who hold together in the weights themselves."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import xarray as xr

from napari_dynamic_connectome.communities.judge import LEAST, _membership, candidates, tighten
from napari_dynamic_connectome.communities.scan import standardise


def graded(n: int, strengths: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Weights around 1, plus the product of the strengths of the first nodes."""
    weights = rng.gamma(8, 1 / 8, (n, n))
    own = np.zeros(n)
    own[: len(strengths)] = strengths
    weights = np.triu(weights * (1 + np.outer(own, own)), 1)
    return weights + weights.T


@pytest.mark.parametrize("seed", range(5))
def test_nodes_without_weight_leave_and_the_others_stay(seed):
    rng = np.random.default_rng(seed)
    weights = graded(60, np.full(12, 2.0), rng)
    labels = np.full(60, -1)
    labels[:20] = 3  # twelve that hold together, eight bystanders
    np.testing.assert_array_equal(np.flatnonzero(tighten(weights, labels) == 3), np.arange(12))


@pytest.mark.parametrize("seed", range(5))
def test_a_set_that_is_only_linked_to_the_rest_leaves(seed):
    rng = np.random.default_rng(seed)
    weights = graded(60, np.full(10, 2.0), rng)
    weights[:10, 10:20] *= 6.0
    weights[10:20, :10] = weights[:10, 10:20].T
    labels = np.full(60, -1)
    labels[:20] = 0
    left = np.flatnonzero(tighten(weights, labels) == 0)
    assert left.max() < 10 and len(left) >= 9


@pytest.mark.parametrize("seed", range(5))
def test_alike_members_stay_whatever_is_missing_and_whatever_the_unit(seed):
    rng = np.random.default_rng(seed)
    weights = graded(50, np.full(14, 2.5), rng) * 1e-6
    hidden = np.triu(rng.random(weights.shape) < 0.3, 1)
    weights[hidden | hidden.T] = np.nan
    labels = np.full(50, -1)
    labels[:14] = 1
    np.testing.assert_array_equal(tighten(weights, labels), labels)


@pytest.mark.parametrize("seed", range(5))
def test_strong_and_less_strong_members_stay_together(seed):
    rng = np.random.default_rng(seed)
    weights = graded(60, np.r_[np.full(8, 3.5), np.full(7, 2.6)], rng)
    labels = np.full(60, -1)
    labels[:15] = 0
    np.testing.assert_array_equal(tighten(weights, labels), labels)


def test_a_group_of_everyone_and_groups_too_small_have_documented_results():
    everyone = np.zeros(6, dtype=int)
    alike = np.ones((6, 6))
    np.testing.assert_array_equal(tighten(alike, everyone), everyone)
    np.testing.assert_array_equal(tighten(alike, np.array([0, 0, -1, -1, -1, -1])), np.full(6, -1))
    np.testing.assert_array_equal(tighten(np.full((6, 6), np.nan), everyone), everyone)


def test_groups_too_small_or_larger_than_half_are_no_candidates() -> None:
    from types import SimpleNamespace

    rng = np.random.default_rng(0)
    values = rng.normal(size=(12, 12))
    values = np.triu(values, 1) + np.triu(values, 1).T
    seen = np.ones((12, 12), bool) & ~np.eye(12, dtype=bool)
    seen[10:], seen[:, 10:] = False, False  # two neurons that nothing is known about
    matrix = standardise(np.where(seen, values, np.nan))
    for sizes in itertools.product(range(1, 8), repeat=2):
        if sum(sizes) > 10:
            continue
        labels = np.full(12, -1)
        labels[: sizes[0]], labels[sizes[0] : sum(sizes)] = 3, 5
        found = SimpleNamespace(labels=SimpleNamespace(values=np.stack([labels * 0, labels])), chosen_level=1)
        listed = [c.community for c in candidates(found, matrix, [0.0])]
        assert listed == [name for name, size in zip((3, 5), sizes, strict=True) if LEAST <= size <= 5]


@pytest.mark.parametrize("renamed", [{}, {4: 0}, {2: 1, 7: 0}, {7: 2, 2: 0, 4: 1}])
def test_shares_go_to_the_communities_that_are_claimed_and_the_rest_to_the_background(renamed: dict[int, int]) -> None:
    shares = np.array([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0], [0.2, 0.1, 0.3], [0.0, 0.0, 0.0], [0.4, 0.4, 0.2 + 1e-9]])
    names = list("ABCDE")
    given = xr.DataArray(
        shares, dims=("neuron", "community"), coords={"neuron": names, "community": [2, 4, 7]}, name="membership"
    )
    got = _membership(given, renamed)
    assert got is not None and got.dims == ("neuron", "community") and got.neuron.values.tolist() == names
    assert got.community.values.tolist() == [*range(len(renamed)), -1]
    for row, neuron in enumerate(names):
        kept = {new: shares[row, [2, 4, 7].index(old)] for old, new in renamed.items()}
        for community, share in kept.items():
            assert got.sel(neuron=neuron, community=community) == share
        assert got.sel(neuron=neuron, community=-1) == pytest.approx(1 - sum(kept.values()), abs=1e-8)
    assert ((got >= 0) & (got <= 1)).all()
    assert _membership(None, renamed) is None
