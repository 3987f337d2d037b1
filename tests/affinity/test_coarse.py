"""Affinities over bins of time: edges of bins, means, and what is observed; the part of a worm without missing values."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_dynamic_connectome import Cohort, Recording
from napari_dynamic_connectome.affinity import compute
from napari_dynamic_connectome.affinity.coarse import _edges, coarse_affinity
from napari_dynamic_connectome.affinity.compute import compute_affinity
from napari_dynamic_connectome.affinity.sampling import _covered, complete_part
from napari_dynamic_connectome.model.errors import InputError


@given(st.integers(1, 40), st.integers(1, 12), st.lists(st.integers(-3, 43), max_size=4))
@settings(max_examples=200, deadline=None)
def test_bins_have_about_one_length_and_respect_the_cuts(count: int, step: int, cuts: list[int]) -> None:
    edges = _edges(count, step, cuts)
    assert edges[0] == 0 and edges[-1] == count and (np.diff(edges) > 0).all()
    inside = sorted({c for c in cuts if 0 < c < count})
    assert set(inside) <= set(edges.tolist())
    for start, end in itertools.pairwise([0, *inside, count]):
        part = np.diff([e for e in edges if start <= e <= end])
        assert (part[:-1] == step).all()  # all but the last
        if end - start >= step:
            assert step / 2 <= part[-1] < 1.5 * step
        else:
            assert part.tolist() == [end - start]


def worms(seed: int = 0) -> Cohort:
    rng = np.random.default_rng(seed)
    time_s = np.arange(150) / 3
    waves = np.sin(time_s[:, None] / np.array([2.0, 2.0, 3.0, 3.0]))
    made = [
        Recording.from_arrays(
            waves + 0.2 * rng.normal(size=waves.shape), name=n, time_s=time_s, names=["AVAL", "AVAR", "RIML", "RIMR"]
        )
        for n in "ab"
    ]
    return Cohort(made)


@pytest.mark.parametrize("bin_s", [None, 1.0, 0.1])
def test_a_bin_holds_the_mean_of_its_columns(bin_s: float | None) -> None:
    fine = compute_affinity(worms())
    coarse = coarse_affinity(fine, bin_s)
    step = max(1, round((2 * fine.settings.sigma_s if bin_s is None else bin_s) * fine.rate_hz))
    assert coarse.rate_hz == pytest.approx(fine.rate_hz / step)
    for one, bins in zip(fine.blocks, coarse.blocks, strict=True):
        assert (bins.worm, bins.source) == (one.worm, one.source) and bins.rows is one.rows
        whole = one.tile(0, len(one.rows), 0, one.n_times)
        pieces = [slice(a, b) for a, b in itertools.pairwise(bins.edges)]
        means = np.stack([whole[:, p].mean(axis=1) for p in pieces], axis=1)
        n = len(pieces)
        np.testing.assert_allclose(bins.tile(0, len(one.rows), 0, n), means, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(bins.tile(1, 3, 2, n - 1), means[1:3, 2 : n - 1], rtol=1e-5, atol=1e-6)
        out = np.empty((1, n), np.float32)
        assert bins.tile(0, 1, 0, n, out=out) is out
        np.testing.assert_allclose(out, means[:1], rtol=1e-5, atol=1e-6)
        assert bins.observed.tolist() == [bool(one.observed[p].all()) for p in pieces]
        assert bins.time_s.tolist() == [one.time_s[p.start] for p in pieces]


def test_memory_is_asked_for_what_pairs_and_samples_take(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def fits(need: float, what: str, **_: object) -> None:
        asked.append(need)
        raise InputError(what)

    monkeypatch.setattr(compute, "check_fits", fits)
    cohort = worms()
    with pytest.raises(InputError, match="the affinities of 4 neurons"):
        compute_affinity(cohort)
    rate = 3.0
    seconds = 149 / 3
    assert asked == [pytest.approx((16 * 4**2 + 32 * 2 * 4 * seconds * rate) / 1e6)]


@given(st.integers(0, 2**12 - 1), st.integers(1, 4))
@settings(max_examples=80, deadline=None)
def test_the_complete_part_is_the_longest_neuron_where_no_two_were_measured_together(bits: int, n: int) -> None:
    valid = np.array([(bits >> k) & 1 for k in range(12)], bool)[: n * (12 // n)].reshape(n, -1)
    neurons, times = complete_part(valid)
    assert valid[np.ix_(neurons, times)].all()
    together = max((int((valid[i] & valid[j]).sum()) for i in range(n) for j in range(i)), default=0)
    if not valid.any():
        assert not neurons.any() and not times.any()
    elif not together:
        longest = int(np.argmax(valid.sum(axis=1)))
        assert neurons.nonzero()[0].tolist() == [longest] and (times == valid[longest]).all()
    else:
        assert neurons.any() and times.any()


@pytest.mark.parametrize(
    ("start", "stop", "found"),
    [(1, 3, (1, 4)), (1 + 1e-12, 3 - 1e-12, (1, 4)), (1.1, 2.9, (2, 3)), (-5, -1, (0, 0)), (9, 10, (6, 6))],
)
def test_both_ends_of_a_range_of_times_belong_to_it(start: float, stop: float, found: tuple[int, int]) -> None:
    assert _covered(np.arange(6.0), start, stop) == found
