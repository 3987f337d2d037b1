"""What is claimed as one group was seen as one: pairs that nobody observed hold nothing together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from napari_dynamic_connectome import find_communities
from napari_dynamic_connectome.communities.seen import split_unseen, with_seen


def two_cliques(seed: int, *, unseen: float, across: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Weights of 30 nodes, two groups of 7 and 5 with strong weights, and labels that have both as group 2.

    unseen: share of the pairs between the two that was not observed. across: mean weight of the others.
    """
    rng = np.random.default_rng(seed)
    mean = np.ones((30, 30))
    mean[:7, :7] = mean[7:12, 7:12] = 10.0
    mean[:7, 7:12] = across
    weights = np.triu(rng.gamma(8, mean / 8), 1)
    hidden = np.zeros((30, 30), bool)
    hidden[:7, 7:12] = rng.permutation(35).reshape(7, 5) < unseen * 35
    weights[hidden] = np.nan
    labels = np.full(30, -1)
    labels[:12] = 2
    labels[20:23] = 0
    return weights + weights.T, labels


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("unseen", [0.8, 1.0])
def test_two_sets_that_were_not_seen_together_are_two_groups(seed, unseen):
    weights, labels = two_cliques(seed, unseen=unseen)
    found, of = split_unseen(weights, labels)
    assert of == {3: 2}
    np.testing.assert_array_equal(found[:7], 2)
    np.testing.assert_array_equal(found[7:12], 3)
    np.testing.assert_array_equal(found[12:], labels[12:])


@pytest.mark.parametrize("seed", range(5))
def test_what_was_seen_stays_as_the_block_model_has_it(seed):
    for weights, labels in (
        two_cliques(seed, unseen=0.8, across=10.0),  # few pairs between the two, but strong ones
        two_cliques(seed, unseen=0.5),  # weak ones, but enough for the block model to tell
        two_cliques(seed, unseen=0.0),
    ):
        found, of = split_unseen(weights, labels)
        assert not of
        np.testing.assert_array_equal(found, labels)


def test_nodes_that_were_seen_with_few_go_where_they_are_linked():
    weights, labels = two_cliques(0, unseen=1.0)
    weights[:, 12] = weights[12] = np.nan
    weights[8, 12] = weights[12, 8] = 3.0  # seen with one of the second set alone, and weaker than these are
    labels[12] = 2
    found, _ = split_unseen(weights, labels)
    assert found[12] == found[7] != found[0]
    weights[8, 12] = weights[12, 8] = np.nan
    assert set(split_unseen(weights, labels)[0][:13].tolist()) == {2, 3}


def test_shares_of_sampled_partitions_follow_the_parts():
    weights, _ = two_cliques(0, unseen=1.0)
    found = find_communities(np.nan_to_num(weights), kind="core", null_fits=0, samples=20)
    names = xr.DataArray(np.asarray(found.neurons, object), dims="neuron")
    row = np.full(30, 1)
    row[:12] = 0
    labels = found.labels.isel(level=[0]).copy(data=row[None])
    shares = np.stack([np.where(row == 0, 0.9, 0.2), np.where(row == 0, 0.1, 0.8)], axis=1)
    membership = xr.DataArray(
        shares, dims=("neuron", "community"), coords={"neuron": names.values, "community": [0, 1]}
    )
    split = with_seen(replace(found, labels=labels, chosen_level=0, membership=membership), weights)
    assert split.membership["community"].values.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(split.labels.values[0][:12], [0] * 7 + [2] * 5)
    np.testing.assert_allclose(split.membership.values.sum(axis=1), 1.0)
    np.testing.assert_allclose(
        split.membership.sel(community=2).values, np.where(split.labels.values[0] == 2, 0.9, 0.0)
    )
    same = with_seen(replace(found, labels=labels, chosen_level=0, membership=membership), np.nan_to_num(weights))
    assert same.labels is labels
