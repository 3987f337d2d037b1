"""Compiled loops of the factorization against what they say, in numpy; rounds of worms change nothing."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from napari_dynamic_connectome.affinity.kernels import bin_means
from napari_dynamic_connectome.factorization import solver
from napari_dynamic_connectome.factorization.clocks import span
from napari_dynamic_connectome.factorization.factorize import factorize
from napari_dynamic_connectome.factorization.kernels import (
    PIECE,
    columns_first,
    gather,
    row_grams,
    rows_first,
    scatter_add,
    update_shared,
)
from napari_dynamic_connectome.factorization.problem import ArrayAffinity

RNG = np.random.default_rng(0)


def test_rows_are_gathered_and_added_as_numpy_would() -> None:
    factor, slots = RNG.random((9, 200)), RNG.permutation(200)[:150]
    keep, columns = RNG.random(150) < 0.8, np.array([0, 2, 3, 7])
    wide = np.empty((200, 4), np.float32)
    rows_first(factor, columns, wide)
    np.testing.assert_array_equal(wide, factor[columns].T.astype(np.float32))
    rows = np.empty((4, 150), np.float32)
    gather(wide, slots, keep, rows)
    np.testing.assert_array_equal(rows, np.where(keep, factor[columns][:, slots], 0).astype(np.float32))
    for chosen in (columns, np.arange(9)):
        total, values = RNG.random((200, 9)), RNG.random((150, len(chosen)), dtype=np.float32)
        expected = total.copy()
        expected[np.ix_(slots[keep], chosen)] += 2.5 * values[keep].astype(float)
        scatter_add(total, slots, keep, values, chosen, 2.5)
        np.testing.assert_array_equal(total, expected)
    turned = np.empty((9, 200))
    columns_first(total, turned)
    np.testing.assert_array_equal(turned, total.T)
    place = np.array([[0, -1, 1], [2, 3, -1]])
    grams = np.zeros((2, 3, 3))
    row_grams(rows, place, grams)
    full = np.where(place[:, :, None] >= 0, rows.astype(float)[place], 0.0)
    np.testing.assert_allclose(grams, full @ full.transpose(0, 2, 1), rtol=1e-6)
    for count in (PIECE, 5 * PIECE + 3):
        long = RNG.random((4, count), dtype=np.float32)
        grams[:] = 0.0
        for piece in np.split(long, [PIECE, max(PIECE, count - 1)], axis=1):  # what they are cut into changes nothing
            row_grams(np.ascontiguousarray(piece), place, grams)
        full = np.where(place[:, :, None] >= 0, long.astype(float)[place], 0.0)
        np.testing.assert_allclose(grams, full @ full.transpose(0, 2, 1), rtol=1e-6)


def test_coordinate_updates_are_those_of_one_row_after_the_other() -> None:
    for rank in (1, 4, 5, 9, 10):
        base = RNG.random((2, rank, rank + 3))
        gram, numerator = base @ base.transpose(0, 2, 1), RNG.random((2, rank, 300)) * 4
        gram[1, 0, :] = gram[1, :, 0] = 0.0  # a component that is zero elsewhere stays as it is
        if rank > 2:
            gram[0, 1, 2] = gram[0, 2, 1] = 0.0
        factor = RNG.random((2, rank, 300))
        expected = factor.copy()
        for k in range(2):
            for _ in range(3):
                for r in range(rank):
                    if gram[k, r, r] > 0:
                        rest = numerator[k, r] - 0.1 - np.delete(gram[k, r], r) @ np.delete(expected[k], r, axis=0)
                        expected[k, r] = np.maximum(rest / gram[k, r, r], 0)
        update_shared(factor, numerator, gram, 3, 0.1)
        np.testing.assert_allclose(factor, expected, rtol=1e-9, atol=1e-12)


def test_means_over_bins_are_those_of_numpy() -> None:
    tile, edges, found = RNG.random((7, 50), dtype=np.float32), np.array([0, 1, 9, 30, 50]), np.empty((7, 4), "f4")
    bin_means(tile, edges, found)
    expected = [tile[:, a:b].mean(axis=1) for a, b in pairwise(edges)]
    np.testing.assert_allclose(found.T, expected, rtol=1e-5)


def test_columns_that_follow_each_other_are_a_slice() -> None:
    assert span(np.arange(3, 9)) == slice(3, 9) and span(np.array([4])) == slice(4, 5)
    for at in (np.array([1, 2, 4]), np.empty(0, int)):
        np.testing.assert_array_equal(span(at), at)


def test_how_many_worms_are_worked_on_together_changes_nothing(monkeypatch) -> None:
    worms = [(np.sort(RNG.permutation(28)[:20]), RNG.random((20, 30)), None) for _ in range(20)]
    affinity = ArrayAffinity.from_arrays(worms, n_pairs=28)
    found = []
    for large in (1, 20_000):  # rounds of 8, and all at once
        monkeypatch.setattr(solver, "LARGE", large)
        found.append(factorize(affinity, 2, starts=2, min_worms=1))
    np.testing.assert_array_equal(found[0].pair.values, found[1].pair.values)
    np.testing.assert_array_equal(found[0].time.values, found[1].time.values)
