"""What must hold for any data: range, symmetry, indifference to units and sign, and how much noise gets through."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_dynamic_connectome import Cohort, Recording
from napari_dynamic_connectome.affinity.compute import compute_affinity
from napari_dynamic_connectome.affinity.measures import KINDS

NAMES = ["AVAL", "AVAR", "AVEL", "RIBL"]
SIGNS = ["absolute", "same", "opposite", "signed"]
some = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 10_000)


def traces(seed, n_times=60, n=4):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n_times, n)).cumsum(axis=0) + rng.standard_normal((n_times, n))


def dense(x, names=None, rate_hz=3.0, **options):
    worm = Recording.from_arrays(x, name="w", rate_hz=rate_hz, names=names or NAMES[: x.shape[1]])
    return compute_affinity(Cohort([worm]), **options).blocks[0].dense()


@some
@given(
    seeds,
    st.sampled_from(KINDS),
    st.sampled_from(SIGNS),
    st.floats(0.3, 4),
    st.floats(0, 3),
    st.sampled_from([1.5, 4.0, 10.0]),
)
def test_affinities_lie_between_zero_and_one(seed, kind, sign, sigma_s, kappa, rate_hz):
    values = dense(traces(seed), kind=kind, sign=sign, sigma_s=sigma_s, kappa=kappa, rate_hz=rate_hz)
    assert np.isfinite(values).all()
    assert values.min() >= 0
    assert values.max() <= 1


@some
@given(seeds, st.sampled_from(KINDS), st.sampled_from(SIGNS))
def test_the_order_of_neurons_does_not_matter(seed, kind, sign):
    x = traces(seed)
    forward = dense(x, kind=kind, sign=sign)
    # Names sort as AVAL, AVAR, AVEL, RIBL: giving them backwards turns the neurons of every pair round.
    backward = dense(x, names=NAMES[::-1], kind=kind, sign=sign)
    pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
    turned = [pairs.index((3 - j, 3 - i)) for i, j in pairs]
    np.testing.assert_allclose(backward[:, turned], forward, atol=1e-6)


@some
@given(
    seeds,
    st.sampled_from(KINDS),
    st.sampled_from(SIGNS),
    st.lists(st.floats(0.01, 100), min_size=4, max_size=4),
    st.lists(st.floats(-1000, 1000), min_size=4, max_size=4),
)
def test_gain_and_offset_do_not_matter(seed, kind, sign, gains, offsets):
    x = traces(seed)
    np.testing.assert_allclose(
        dense(x * gains + offsets, kind=kind, sign=sign), dense(x, kind=kind, sign=sign), atol=2e-5
    )


@some
@given(seeds, st.sampled_from(KINDS), st.lists(st.sampled_from([-1.0, 1.0]), min_size=4, max_size=4))
def test_sign_flips_do_not_matter_to_absolute_and_swap_the_signed_layers(seed, kind, flips):
    x = traces(seed)
    flipped = x * flips
    np.testing.assert_allclose(
        dense(flipped, kind=kind, sign="absolute"), dense(x, kind=kind, sign="absolute"), atol=1e-6
    )
    same, opposite = dense(x, kind=kind, sign="signed")
    new_same, new_opposite = dense(flipped, kind=kind, sign="signed")
    row = 0
    for i in range(4):
        for j in range(i + 1, 4):
            pair = (same[row], opposite[row]) if flips[i] == flips[j] else (opposite[row], same[row])
            np.testing.assert_allclose((new_same[row], new_opposite[row]), pair, atol=1e-6)
            row += 1


@some
@given(seeds, st.sampled_from(KINDS))
def test_time_reversal_reverses_the_affinity(seed, kind):
    """Odd windows are centred, slopes change sign together: nothing prefers the past to the future."""
    x = traces(seed, n_times=61)
    options = {"kind": kind, "window_s": 7.0}
    np.testing.assert_allclose(dense(x[::-1], **options), dense(x, **options)[:, :, ::-1], atol=2e-5)


@pytest.mark.parametrize(("kappa", "most"), [(1.0, 0.05), (2.0, 0.005)])
def test_white_noise_has_little_affinity_at_kappa_one_and_next_to_none_at_two(kappa, most):
    x = np.random.default_rng(0).standard_normal((3000, 4))
    for sign in ("absolute", "same"):
        values = dense(x, kappa=kappa, sign=sign, scale="peak", exponent=1.0)
        assert 0 < (values > 0.1).mean() < most


def test_a_common_signal_stands_out_from_noise_with_the_defaults():
    rng = np.random.default_rng(1)
    common = np.convolve(rng.standard_normal(1000), np.ones(9) / 3, mode="same")
    x = rng.standard_normal((1000, 4)) * 0.5
    x[:, :2] += common[:, None]
    mean = dense(x)[0].mean(axis=1)
    assert mean[0] > 3 * mean[1:].max()


def test_two_silent_neurons_have_no_affinity():
    x = traces(3)
    x[:, :2] = [1.0, -7.3]
    for kind in KINDS:
        values = dense(x, kind=kind, sign="absolute")[0]
        # Pairs in order: 01, 02, 03, 12, 13, 23.
        assert not values[:5].any()
        assert values[5].any()
