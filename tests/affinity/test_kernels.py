"""Compiled loops of the affinities against plain ones, on small numbers with zeros, ties, breaks and short windows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_dynamic_connectome.affinity import kernels
from napari_dynamic_connectome.affinity.kernels import ANY, OPPOSITE, SAME

PAIRS = np.array(list(itertools.combinations(range(5), 2)), np.int32)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("seed", range(5))
def test_local_fits_are_weighted_least_squares(order: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    times = np.unique(np.round(rng.uniform(0, 12, 18), 1))
    values = rng.normal(size=(len(times), 3))
    at = np.unique(np.r_[np.round(rng.uniform(-2, 14, 20), 1), times[:3]])
    sigma = (0.25, 0.5, 1.0, 0.02, 0.5)[seed]
    out, gain = np.full((len(at), 3), 9.0), np.full(len(at), 9.0)
    kernels.local_fit(times, values, at, sigma, order, out, gain)
    for a, now in enumerate(at):
        near = np.abs(times - now) <= 4 * sigma * (1 + 1e-6)
        if near.sum() < 2:
            np.testing.assert_array_equal(out[a], 0.0)
            assert gain[a] == 0.0
            continue
        lag = times[near] - now
        weight = np.exp(-0.5 * (lag / sigma) ** 2)
        design = np.stack([np.ones(len(lag)), lag], axis=1)
        if np.linalg.matrix_rank(design * np.sqrt(weight)[:, None]) < 2 or (
            weight.min() < 1e-3 * weight.max() and near.sum() < 3
        ):
            continue  # one of two samples hardly counts: rounding decides
        solve = np.linalg.solve(design.T @ (weight[:, None] * design), design.T * weight)
        np.testing.assert_allclose(out[a], (solve @ values[near])[order], rtol=1e-6, atol=1e-7)
        assert gain[a] == pytest.approx(np.linalg.norm(solve[order]), rel=1e-6)
    exact = 4 * sigma
    edge, own = np.zeros((1, 1)), np.zeros(1)
    kernels.local_fit(np.array([0.0, exact]), np.array([[1.0], [5.0]]), np.array([0.0]), sigma, 0, edge, own)
    assert own[0] > 0  # a sample exactly at the cut counts


def signed(seed: int, n: int = 5, length: int = 14) -> tuple[np.ndarray, np.ndarray]:
    """Strengths in stretches of one sign, with zeros, and breaks (n, T)."""
    rng = np.random.default_rng(seed)
    value = rng.choice([-1.0, 1.0], (n, length)).cumsum(axis=1)
    value = np.sign(np.round(value / 2)) * rng.choice([0.25, 0.5, 1.0], (n, length))
    return value.astype(np.float32), rng.random((n, length)) < 0.12


def run_around(value: np.ndarray, breaks: np.ndarray, t: int) -> tuple[int, int]:
    """First and last sample of the run of one sign around a time."""
    first = last = t
    while first > 0 and not breaks[first] and value[first - 1] * value[t] > 0:
        first -= 1
    while last + 1 < len(value) and not breaks[last + 1] and value[last + 1] * value[t] > 0:
        last += 1
    return first, last


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("limit", [2, 5, 100])
def test_lengths_of_runs_end_at_zeros_signs_and_breaks(seed: int, limit: int) -> None:
    value, breaks = signed(seed)
    ahead, behind = np.full(value.shape, 77, np.uint8), np.full(value.shape, 77, np.uint8)
    kernels.run_lengths(value, breaks, limit, ahead, behind)
    for i, t in np.ndindex(*value.shape):
        if value[i, t] == 0:
            assert ahead[i, t] == behind[i, t] == 0
            continue
        first, last = run_around(value[i], breaks[i], t)
        assert (ahead[i, t], behind[i, t]) == (min(last - t + 1, limit), min(t - first, limit))


def joint(value: np.ndarray, breaks: np.ndarray, i: int, j: int, t: int, min_run: int, signs: int) -> float:
    """Smaller strength where both neurons keep their sign long enough together, as asked."""
    if value[i, t] == 0 or value[j, t] == 0:
        return 0.0
    alike = value[i, t] * value[j, t] > 0
    if (signs == SAME and not alike) or (signs == OPPOSITE and alike):
        return 0.0
    (a, b), (c, d) = run_around(value[i], breaks[i], t), run_around(value[j], breaks[j], t)
    long_enough = min(b, d) - max(a, c) + 1 >= min_run
    return float(min(abs(value[i, t]), abs(value[j, t]))) if long_enough else 0.0


@pytest.mark.parametrize("signs", [ANY, SAME, OPPOSITE])
@pytest.mark.parametrize("min_run", [1, 2, 3, 4])
@pytest.mark.parametrize("t0", [0, 3])
def test_joint_runs_are_counted_by_codes_and_by_lengths(signs: int, min_run: int, t0: int) -> None:
    width = 14 - t0 - (t0 > 0)
    for seed in range(4):
        value, breaks = signed(seed)
        ahead, behind = np.zeros(value.shape, np.uint8), np.zeros(value.shape, np.uint8)
        kernels.run_lengths(value, breaks, min_run, ahead, behind)
        code = np.zeros(value.shape, (np.uint8, np.uint32)[seed % 2])
        kernels.run_codes(value, ahead, behind, min_run, code)
        expected = [[joint(value, breaks, i, j, t, min_run, signs) for t in range(t0, t0 + width)] for i, j in PAIRS]
        out = np.full((len(PAIRS), width), 9, np.float32)
        kernels.fill_coded_runs(out, np.abs(value), code, PAIRS, t0, min_run, signs)
        np.testing.assert_array_equal(out, expected)
        out[:] = 9
        kernels.fill_long_runs(out, value, ahead, behind, PAIRS, t0, min_run, signs)
        np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("signs", [ANY, SAME, OPPOSITE])
@pytest.mark.parametrize("t0", [0, 4])
def test_products_keep_the_sign_that_is_asked_for(signs: int, t0: int) -> None:
    value, _ = signed(3)
    out = np.full((len(PAIRS), 14 - t0), 9, np.float32)
    kernels.fill_products(out, value, PAIRS, t0, signs)
    product = value[PAIRS[:, 0], t0:] * value[PAIRS[:, 1], t0:]
    expected = {ANY: np.abs(product), SAME: np.maximum(product, 0), OPPOSITE: np.maximum(-product, 0)}[signs]
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("signs", [ANY, SAME, OPPOSITE])
@pytest.mark.parametrize("t0", [0, 5])
@pytest.mark.parametrize("kind", ["sliding", "jumping", "own"])
def test_correlations_in_windows_of_any_kind(signs: int, t0: int, kind: str) -> None:
    rng = np.random.default_rng(0)
    trace = (rng.normal(size=(5, 30)) + 100).astype(np.float32)
    trace[4] = trace[3] * 2
    times = np.arange(12)
    if kind == "sliding":
        lo, hi = np.maximum(times - 2, 0) * 2, np.minimum(2 * times + 6, 30)
    elif kind == "jumping":
        lo, hi = np.repeat([0, 10, 22], 4), np.repeat([10, 22, 30], 4)
    else:
        lo, hi = rng.integers(0, 20, 12), np.zeros(12, int)
        hi = np.minimum(lo + rng.integers(3, 12, 12), 30)
    mean, inverse = np.zeros((5, 12)), np.zeros((5, 12))
    for t in times:
        part = trace[:, lo[t] : hi[t]].astype(float)
        mean[:, t] = part.mean(axis=1)
        inverse[:, t] = 1 / np.sqrt(((part - mean[:, t, None]) ** 2).sum(axis=1))
    inverse[2, 6] = 0.0
    out = np.full((len(PAIRS), 12 - t0), 9, np.float32)
    kernels.fill_correlations(out, trace, mean, inverse, lo.astype(np.int32), hi.astype(np.int32), PAIRS, t0, signs)
    for p, (i, j) in enumerate(PAIRS):
        for t in range(t0, 12):
            r = np.corrcoef(trace[i, lo[t] : hi[t]].astype(float), trace[j, lo[t] : hi[t]].astype(float))[0, 1]
            r = {ANY: abs(r), SAME: max(r, 0), OPPOSITE: max(-r, 0)}[signs] if inverse[i, t] * inverse[j, t] else 0.0
            assert out[p, t - t0] == pytest.approx(r, abs=1e-6)
    assert out.max() <= 1.0


def test_means_over_bins() -> None:
    tile = np.random.default_rng(0).normal(size=(3, 12)).astype(np.float32)
    edges = np.array([1, 2, 6, 12])
    out = np.full((3, 3), 9, np.float32)
    kernels.bin_means(tile, edges, out)
    expected = [[row[a:b].mean() for a, b in itertools.pairwise(edges)] for row in tile]
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)
