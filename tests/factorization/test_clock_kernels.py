"""Kernels of the `mixed` model against the same in numpy, with samples that lie apart on the clock."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dynamic_connectome.factorization.clock_kernels import (
    add_moments,
    fill_courses,
    loading_moments,
    update_own_courses,
    without_own,
)
from napari_dynamic_connectome.factorization.kernels import update_shared

STARTS, RANK, COMMON, SAMPLES = 3, 5, 700, 600


@pytest.fixture
def worm():
    """Factors with columns of the common clock and of one worm, its moments and Gram matrices."""
    rng = np.random.default_rng(7)
    time = rng.random((STARTS, RANK, COMMON + SAMPLES + 20))
    columns = np.sort(rng.permutation(COMMON)[:SAMPLES])
    own_columns = COMMON + 10 + np.arange(SAMPLES)
    own = rng.random((STARTS, RANK)) < 0.5
    own[0], own[1] = True, False
    time[:, :, COMMON:][~own] = 0.0
    time[:, :, :COMMON][own] = 0.0
    rows = rng.random((STARTS, RANK, 12))
    gram = rows @ rows.transpose(0, 2, 1)
    gram[2, 3] = gram[2, :, 3] = 0.0  # a component that is nowhere in this worm
    loading = np.where(own, 0.0, rng.random((STARTS, RANK)))
    return time, columns, own_columns, own, rng.random((STARTS, RANK, SAMPLES)) * 4, gram, loading


def test_courses_of_both_clocks(worm) -> None:
    time, columns, own_columns, own, _, _, loading = worm
    out = np.empty((STARTS, RANK, SAMPLES), np.float32)
    shares = np.where(own, 1.0, loading)
    fill_courses(time, shares, columns, own_columns, out)
    np.testing.assert_allclose(out, time[:, :, columns] * shares[:, :, None] + time[:, :, own_columns], rtol=1e-6)
    fill_courses(time, shares, columns, own_columns[:0], out)
    np.testing.assert_allclose(out, time[:, :, columns] * shares[:, :, None], rtol=1e-6)


def test_moments_that_the_own_clocks_leave(worm) -> None:
    time, _, own_columns, own, moment, gram, _ = worm
    out = np.empty_like(moment)
    without_own(moment, gram, time, own, own_columns, out)
    expected = np.where(own[:, :, None], 0.0, moment - gram @ time[:, :, own_columns])
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("l1", [0.0, 0.8])
def test_updates_of_own_courses_are_those_of_a_copy_without_the_others(worm, l1: float) -> None:
    time, columns, own_columns, own, moment, gram, loading = worm
    weight, before = 1.7, time.copy()
    rest = moment - gram @ (time[:, :, columns] * loading[:, :, None])
    part = np.ascontiguousarray(time[:, :, own_columns])
    numerator = weight * np.where(own[:, :, None], rest, 0.0)
    update_shared(part, numerator, weight * np.where(own[:, :, None] & own[:, None, :], gram, 0.0), 4, l1)
    update_own_courses(time, moment, gram, loading, own, columns, own_columns, weight, 4, l1)
    np.testing.assert_allclose(time[:, :, own_columns], part, rtol=1e-10, atol=1e-12)
    others = np.setdiff1d(np.arange(time.shape[2]), own_columns)
    np.testing.assert_array_equal(time[:, :, others], before[:, :, others])
    assert not (time[own] == before[own]).all()


def test_sums_of_a_group_of_samples(worm) -> None:
    _, _, _, _, moment, _, loading = worm
    rng = np.random.default_rng(1)
    place = np.sort(rng.permutation(SAMPLES)[:250])
    total = rng.random((STARTS, RANK, 250))
    expected = total + loading[:, :, None] * moment[:, :, place]
    add_moments(total, moment, loading, place)
    np.testing.assert_allclose(total, expected, rtol=1e-12)


def test_what_loadings_are_fitted_to(worm) -> None:
    time, columns, _, _, moment, gram, _ = worm
    cross, square = np.full((STARTS, RANK, 1), np.nan), np.full_like(gram, np.nan)
    loading_moments(time, moment, columns, cross, square)
    course = time[:, :, columns]
    np.testing.assert_allclose(cross[:, :, 0], np.einsum("krt,krt->kr", moment, course), rtol=1e-10)
    np.testing.assert_allclose(square, course @ course.transpose(0, 2, 1), rtol=1e-10)
