"""Semi-NMF: planted signed patterns, an independent implementation, what non-negativity loses, bad input."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dynamic_connectome.factorization.problem import ArrayAffinity
from napari_dynamic_connectome.factorization.signed import compare_signed, factorize_signed
from napari_dynamic_connectome.model.errors import Cancelled, InputError


def make(rank=2, pairs=45, times=60, worms=3, seen=0.8, noise=0.02, seed=0):
    rng = np.random.default_rng(seed)
    loading = rng.choice([-1, 0, 1], (pairs, rank), p=[0.3, 0.4, 0.3]) * rng.uniform(0.5, 1, (pairs, rank))
    blocks, nets = [], []
    for w in range(worms):
        rows = np.arange(pairs) if w == 0 else np.sort(rng.permutation(pairs)[: round(seen * pairs)])
        net = loading[rows] @ (rng.random((rank, times)) ** 4) + noise * rng.standard_normal((len(rows), times))
        nets.append((rows, net))
        blocks.append((rows, np.stack([np.maximum(net, 0), np.maximum(-net, 0)]), None))
    return ArrayAffinity.from_arrays(blocks, n_pairs=pairs, signs=("same", "opposite")), loading, nets


def test_planted_signed_loadings_are_found():
    affinity, loading, _ = make()
    found = factorize_signed(affinity, 2, starts=4)
    pair = found.pair.values
    match = np.abs(np.corrcoef(pair.T, loading.T)[:2, 2:])
    assert np.corrcoef(pair.T, loading.T)[:2, 2:].max(axis=1).min() > 0.98
    assert match.max(axis=0).min() > 0.98
    assert (pair < -0.05).any()
    assert (found.time.values >= 0).all()
    assert found.matrix(1).values.min() < 0


def test_error_is_that_of_the_reconstruction():
    affinity, _, nets = make(noise=0.1)
    found = factorize_signed(affinity, 2, starts=2)
    rest = norm = 0.0
    factor = found.pair.values * found.weight.values
    for (rows, net), worm in zip(nets, affinity.worms, strict=True):
        course = found.time.values[found.time["worm"].values == worm]
        rest += ((net - factor[rows] @ course.T) ** 2).sum()
        norm += (net**2).sum()
    assert found.error == pytest.approx(np.sqrt(rest / norm), rel=1e-4)


def multiplicative(x, rank, rng, rounds):
    """Semi-NMF by the multiplicative rule of its authors: x = f g', g >= 0, every entry observed."""
    g = rng.random((x.shape[1], rank)) + 0.1
    for _ in range(rounds):
        f = x @ g @ np.linalg.pinv(g.T @ g)
        a, b = x.T @ f, f.T @ f
        up, down = (np.abs(a) + a) / 2 + g @ ((np.abs(b) - b) / 2), (np.abs(a) - a) / 2 + g @ ((np.abs(b) + b) / 2)
        g *= np.sqrt(up / np.maximum(down, 1e-12))
    f = x @ g @ np.linalg.pinv(g.T @ g)
    return np.linalg.norm(x - f @ g.T) / np.linalg.norm(x)


def test_as_good_as_the_multiplicative_rule_on_complete_data():
    affinity, _, nets = make(seen=1.0, noise=0.2, rank=3)
    x = np.concatenate([net for _, net in nets], axis=1)
    theirs = min(multiplicative(x, 3, np.random.default_rng(k), 3000) for k in range(4))
    ours = factorize_signed(affinity, 3, starts=6, sweeps=2000, tolerance=1e-9).error
    assert ours <= theirs + 1e-4
    assert ours > 0.9 * theirs


def test_same_result_for_any_number_of_threads():
    affinity, _, _ = make()
    one, two = (factorize_signed(affinity, 2, starts=3, threads=t) for t in (1, 3))
    np.testing.assert_array_equal(one.pair.values, two.pair.values)


def test_what_non_negativity_loses_is_said_in_one_line():
    affinity, _, _ = make(rank=2, noise=0.02)
    both = compare_signed(affinity, 2, starts=3)
    assert both.explained_signed > 0.98
    assert both.explained_non_negative < both.explained_signed
    assert "\n" not in both.line
    assert f"{both.explained_signed:.1%}" in both.line
    # patterns of one sign only lose nothing
    rng = np.random.default_rng(1)
    net = rng.random((45, 2)) ** 3 @ rng.random((2, 80)) ** 3
    only = ArrayAffinity.from_arrays([(np.arange(45), np.stack([net, 0 * net]), None)], signs=("same", "opposite"))
    both = compare_signed(only, 2, starts=3)
    assert both.explained_signed - both.explained_non_negative < 0.01


def test_bad_input_and_cancel():
    affinity, _, _ = make()
    plain = ArrayAffinity.from_arrays([(np.arange(10), np.ones((10, 5)), None)])
    with pytest.raises(InputError, match="not same and opposite"):
        factorize_signed(plain, 2)
    with pytest.raises(InputError, match="must be 1 or more"):
        factorize_signed(affinity, 0)
    nothing = ArrayAffinity.from_arrays([(np.arange(10), np.zeros((2, 10, 5)), None)], signs=("same", "opposite"))
    with pytest.raises(InputError, match="all net affinities are zero"):
        factorize_signed(nothing, 1)
    with pytest.raises(Cancelled):
        factorize_signed(affinity, 2, cancel=lambda: True)
