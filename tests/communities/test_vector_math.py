"""Logarithms and exponentials of many numbers against numpy's."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from napari_dynamic_connectome.communities import vector_math


@njit
def log_all(values, bits, scratch, scratch_bits):
    vector_math.log_all(values, bits, scratch, scratch_bits, len(values))


@njit
def exp_all(values, scratch, scratch_bits):
    vector_math.exp_all(values, scratch, scratch_bits, len(values))


@pytest.mark.parametrize("low, high", [(1.0, 1.001), (1.0, 3.0), (11.0, 1e5), (1e5, 1e300)])
def test_logarithms(low, high):
    rng = np.random.default_rng(0)
    values = np.r_[low, high, 2.0 ** np.arange(np.ceil(np.log2(low)), np.log2(high)), rng.uniform(low, high, 5000)]
    expected = np.log(values)
    scratch = np.empty_like(values)
    log_all(values, values.view(np.uint64), scratch, scratch.view(np.uint64))
    np.testing.assert_allclose(values, expected, rtol=1e-13, atol=1e-13)


def test_exponentials():
    rng = np.random.default_rng(1)
    values = np.r_[0.0, -0.0, 1.0, -699.0, 700.0, rng.uniform(-690, 690, 5000), rng.normal(size=5000)]
    expected = np.exp(values)
    scratch = np.empty_like(values)
    exp_all(values, scratch, scratch.view(np.uint64))
    np.testing.assert_allclose(values, expected, rtol=1e-13)


def test_exponentials_of_very_low_numbers_are_nearly_nothing():
    values = np.array([-800.0, -1e9, -np.inf])
    scratch = np.empty_like(values)
    exp_all(values, scratch, scratch.view(np.uint64))
    assert (values >= 0).all() and (values < 1e-300).all()
