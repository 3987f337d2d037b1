"""Recursions against the enumeration of all paths, and against hmmlearn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_dynamic_connectome.states.kernels import best_path, forward, smooth


def chain(k=3, frames=6, seed=0, begins=(0,), unseen=()):
    rng = np.random.default_rng(seed)
    emission = 2 * rng.standard_normal((frames, k))
    emission[list(unseen)] = 0.0
    mark = np.zeros(frames, bool)
    mark[list(begins)] = True
    initial = np.log(rng.dirichlet(np.ones(k)))
    transition = np.log(rng.dirichlet(np.ones(k), k))
    return emission, mark, initial, transition


def enumerate_paths(emission, begins, initial, transition):
    """Log probability of every path with the data."""
    frames, k = emission.shape
    paths = list(itertools.product(range(k), repeat=frames))
    logs = []
    for path in paths:
        total = 0.0
        for t, z in enumerate(path):
            total += emission[t, z] + (initial[z] if begins[t] else transition[path[t - 1], z])
        logs.append(total)
    return np.array(paths), np.array(logs)


@pytest.mark.parametrize(
    ("begins", "unseen"), [((0,), ()), ((0, 3), ()), ((0,), (2, 3)), ((0, 2, 5), (5,)), ((0, 1), (0,))]
)
def test_all_sums_equal_those_over_all_paths(begins, unseen):
    emission, mark, initial, transition = chain(begins=begins, unseen=unseen)
    k = emission.shape[1]
    paths, logs = enumerate_paths(emission, mark, initial, transition)
    share = np.exp(logs - np.logaddexp.reduce(logs))
    gamma, visits, firsts = np.empty_like(emission), np.zeros((k, k)), np.zeros(k)
    total = smooth(emission, mark, initial, transition, gamma, visits, firsts)
    assert total == pytest.approx(np.logaddexp.reduce(logs), abs=1e-10)
    for t, z in itertools.product(range(len(emission)), range(k)):
        assert gamma[t, z] == pytest.approx(share[paths[:, t] == z].sum(), abs=1e-12)
    steps = [t for t in range(1, len(emission)) if not mark[t]]
    for i, j in itertools.product(range(k), range(k)):
        wanted = sum(share[(paths[:, t - 1] == i) & (paths[:, t] == j)].sum() for t in steps)
        assert visits[i, j] == pytest.approx(wanted, abs=1e-12)
    wanted = [sum(share[paths[:, t] == z].sum() for t in np.flatnonzero(mark)) for z in range(k)]
    np.testing.assert_allclose(firsts, wanted, atol=1e-12)
    path = np.empty(len(emission), np.int64)
    best = best_path(emission, mark, initial, transition, path)
    assert best == pytest.approx(logs.max(), abs=1e-10)
    np.testing.assert_array_equal(path, paths[np.argmax(logs)])


def test_prediction_of_a_frame_uses_only_the_frames_before():
    emission, mark, initial, transition = chain(seed=3)
    alpha, predicted = np.empty_like(emission), np.empty(len(emission))
    forward(emission, mark, initial, transition, alpha, predicted)
    before = 0.0
    for t in range(len(emission)):
        _, logs = enumerate_paths(emission[: t + 1], mark[: t + 1], initial, transition)
        now = np.logaddexp.reduce(logs)
        assert predicted[t] == pytest.approx(now - before, abs=1e-10)
        before = now


def test_a_thousand_nats_between_states_do_not_underflow():
    emission, mark, initial, transition = chain(frames=40)
    emission[::2, 0] += 1e4
    emission[1::2, 1] += 1e4
    gamma, visits, firsts = np.empty_like(emission), np.zeros((3, 3)), np.zeros(3)
    total = smooth(emission, mark, initial, transition, gamma, visits, firsts)
    assert np.isfinite(total)
    np.testing.assert_array_equal(gamma.argmax(axis=1), np.arange(40) % 2)
    np.testing.assert_allclose(gamma.sum(axis=1), 1.0, atol=1e-9)


def test_agrees_with_hmmlearn():
    hmm = pytest.importorskip("hmmlearn.hmm", reason="hmmlearn is not installed (it is in the extra 'test')")
    rng = np.random.default_rng(1)
    means, variances = rng.standard_normal((3, 4)), rng.uniform(0.5, 2, (3, 4))
    model = hmm.GaussianHMM(3, covariance_type="diag")
    model.startprob_, model.transmat_ = rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(3), 3)
    model.means_, model.covars_ = means, variances
    x = rng.standard_normal((120, 4)) * 2
    emission = np.stack(
        [
            (-0.5 * (x - m) ** 2 / v - 0.5 * np.log(2 * np.pi * v)).sum(axis=1)
            for m, v in zip(means, variances, strict=True)
        ],
        axis=1,
    )
    mark = np.zeros(120, bool)
    mark[[0, 50]] = True
    gamma, visits, firsts = np.empty_like(emission), np.zeros((3, 3)), np.zeros(3)
    logs = np.log(model.startprob_), np.log(model.transmat_)
    total = smooth(emission, mark, *logs, gamma, visits, firsts)
    assert total == pytest.approx(model.score(x, [50, 70]), abs=1e-8)
    np.testing.assert_allclose(gamma, model.predict_proba(x, [50, 70]), atol=1e-9)
    path = np.empty(120, np.int64)
    best = best_path(emission, mark, *logs, path)
    theirs, wanted = model.decode(x, [50, 70])
    assert best == pytest.approx(theirs, abs=1e-8)
    np.testing.assert_array_equal(path, wanted)
