"""Fits of bleaching: amplitudes are those of scipy's non-negative least squares, time constants the best that were tried."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls

from napari_dynamic_connectome.extraction.bleaching import _falling, _positive, _refine, _search, _solve, fit_bleaching
from napari_dynamic_connectome.model.errors import Cancelled


def problem(seed: int, n_t: int = 14, n: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Data (time, neuron) that needs one, the other, both or none of two shapes; weights, times."""
    rng = np.random.default_rng(seed)
    data = rng.normal(rng.choice([-1.0, 0.0, 1.0], n), 1.0, (n_t, n))
    weights = rng.random((n_t, n)) * (rng.random((n_t, n)) < 0.8)
    return data, weights, np.linspace(0.0, 10.0, n_t)


def cost_of(data: np.ndarray, weights: np.ndarray, shapes: np.ndarray) -> tuple[np.ndarray, float]:
    """Best amplitudes (2,) that are not negative and the weighted squared error, of one neuron."""
    root = np.sqrt(weights)
    amplitudes, norm = nnls(shapes * root[:, None], data * root)
    return amplitudes, norm**2


@pytest.mark.parametrize("seed", range(12))
def test_amplitudes_and_costs_are_those_of_non_negative_least_squares(seed: int) -> None:
    data, weights, time = problem(seed)
    taus = np.random.default_rng(seed).uniform(1, 20, (2, 6))
    taus[1, :3] = np.inf
    shapes = np.exp(-time[:, None, None] / taus[None])
    amplitudes, cost = _solve(data, weights, shapes)
    for k in range(6):
        expected, error = cost_of(data[:, k], weights[:, k], shapes[:, :, k])
        np.testing.assert_allclose(amplitudes[:, k], expected, atol=1e-7)
        assert cost[k] == pytest.approx(error, abs=1e-9)


def test_shapes_that_are_alike_or_nothing_get_one_amplitude() -> None:
    ones = np.ones(1)
    np.testing.assert_array_equal(_positive(ones, ones, ones, 3 * ones, 3 * ones)[:, 0], [0.0, 3.0])
    np.testing.assert_array_equal(_positive(ones, ones, ones, -3 * ones, -3 * ones)[:, 0], [0.0, 0.0])
    zeros = np.zeros(1)
    np.testing.assert_array_equal(_positive(ones, zeros, zeros, 2 * ones, zeros)[:, 0], [2.0, 0.0])
    np.testing.assert_array_equal(_positive(zeros, zeros, 4 * ones, zeros, 2 * ones)[:, 0], [0.0, 0.5])
    np.testing.assert_array_equal(_positive(zeros, zeros, zeros, zeros, zeros)[:, 0], [0.0, 0.0])
    # orthogonal: each by itself; the second is exactly nothing
    np.testing.assert_array_equal(_positive(2 * ones, zeros, ones, 4 * ones, zeros)[:, 0], [2.0, 0.0])
    np.testing.assert_array_equal(_positive(ones, zeros, ones, -ones, 2 * ones)[:, 0], [0.0, 2.0])
    # the first alone explains more than the second alone, and both would need a negative one
    np.testing.assert_allclose(_positive(ones, 0.9 * ones, ones, 2 * ones, ones)[:, 0], [2.0, 0.0])
    np.testing.assert_allclose(_positive(ones, 0.9 * ones, ones, ones, 2 * ones)[:, 0], [0.0, 2.0])


@pytest.mark.parametrize("seed", range(6))
def test_the_search_takes_the_best_pair_of_the_grid(seed: int) -> None:
    data, weights, time = problem(seed)
    pairs = [(a, b) for a in (0.5, 1.0, 2.0, 5.0) for b in (8.0, 30.0, np.inf)]
    got = _search(data, weights, time, pairs, None)
    for k in range(6):
        costs = [cost_of(data[:, k], weights[:, k], np.exp(-time[:, None] / np.array(p)))[1] for p in pairs]
        assert costs[pairs.index(tuple(got[:, k]))] == pytest.approx(min(costs), abs=1e-9)
    with pytest.raises(Cancelled):
        _search(data, weights, time, pairs, lambda: True)


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_refining_takes_the_best_of_shorter_and_longer_time_constants(seed: int, double: bool) -> None:
    data, weights, time = problem(seed)
    taus = np.random.default_rng(seed + 50).uniform(1, 20, (2, 6))
    got = _refine(data, weights, time, taus, 1.3, double, None)
    for k in range(6):
        tried = {
            (taus[0, k] * 1.3**i, taus[1, k] * 1.3**j) for i in (-1, 0, 1) for j in ((-1, 0, 1) if double else (0,))
        }
        costs = {t: cost_of(data[:, k], weights[:, k], np.exp(-time[:, None] / np.array(t)))[1] for t in tried}
        own = min(tried, key=lambda t: np.abs(np.log(t) - np.log(got[:, k])).sum())
        np.testing.assert_allclose(own, got[:, k])
        assert costs[own] == pytest.approx(min(costs.values()), rel=1e-9, abs=1e-9)
    flat = _refine(np.zeros((14, 6)), weights, time, taus, 1.3, double, None)
    np.testing.assert_array_equal(flat, taus)  # nothing is better than to stay
    with pytest.raises(Cancelled):
        _refine(data, weights, time, taus, 1.3, double, lambda: True)


def test_the_time_constant_told_is_that_of_what_loses_most() -> None:
    taus = np.array([[2.0, 2.0, np.inf, 2.0, 5.0], [9.0, 9.0, 8.0, np.inf, np.inf]])
    amplitudes = np.array([[1.0, 0.1, 1.0, 0.0, 1e-9], [1.0, 1.0, 0.5, 3.0, 1.0]])
    np.testing.assert_array_equal(_falling(taus, amplitudes, 4.0), [2.0, 9.0, 8.0, np.inf, np.inf])


TIME = 30.0 + np.arange(200.0)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_planted_curves_come_back_whatever_the_unit_and_the_first_time(scale: float) -> None:
    t = TIME - 30.0
    values = scale * np.column_stack([2 + np.exp(-t / 40), 5 * np.exp(-t / 150), np.full(200, 3.0), 1 + t / 100])
    fit = fit_bleaching(values, TIME)
    np.testing.assert_allclose(fit.curve[:, :3], values[:, :3], rtol=2e-3)
    np.testing.assert_allclose(fit.tau_s[:2], [40, 150], rtol=0.03)
    assert np.isinf(fit.tau_s[2:]).all()
    np.testing.assert_allclose(fit.lost[:3], 1 - values[-1, :3] / values[0, :3], atol=3e-3)
    assert np.ptp(fit.curve[:, 3]) < 1e-9 * scale  # what rises is not bleaching
    two = scale * (3 * np.exp(-t / 8) + 5 * np.exp(-t / 300))
    both = fit_bleaching(two[:, None], TIME, double=True)
    np.testing.assert_allclose(both.curve[:, 0], two, rtol=5e-3)
    assert both.tau_s[0] == pytest.approx(8 if 5 * (1 - np.exp(-199 / 300)) < 3 else 300, rel=0.1)


def test_what_cannot_be_fitted_has_no_curve() -> None:
    values = np.full((200, 4), np.nan)
    values[::20, 0] = 2.0  # ten samples are enough
    values[::23, 1] = 2.0  # nine are not
    values[:, 2] = -1.0
    values[:, 3] = 0.0
    fit = fit_bleaching(values, TIME)
    np.testing.assert_allclose(fit.curve[:, 0], 2.0)
    assert fit.lost[0] == pytest.approx(0.0) and np.isinf(fit.tau_s[0])
    for one in (fit.curve[:, 1:], fit.tau_s[1:], fit.lost[1:]):
        assert np.isnan(one).all()
    nothing = fit_bleaching(values[:, 1:2], TIME)
    assert np.isnan(nothing.curve).all() and nothing.curve.shape == (200, 1)


def test_bright_events_do_not_pull_the_curve_up() -> None:
    t = TIME - 30.0
    rng = np.random.default_rng(0)
    clean = 4 * np.exp(-t / 60) + 2
    values = clean + rng.normal(0, 0.02, 200)
    event = (t % 50 >= 30) & (t % 50 < 36)
    values[event] += 3.0
    values[::7] = np.nan
    fit = fit_bleaching(values[:, None], TIME)
    np.testing.assert_allclose(fit.curve[:, 0], clean, rtol=0.02)
    quiet = ~event & np.isfinite(values)
    least = fit_bleaching(np.where(quiet, values, np.nan)[:, None], TIME)
    np.testing.assert_allclose(fit.curve, least.curve, rtol=1e-4)  # as if they had not been there
