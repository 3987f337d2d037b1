"""Surrogates keep what one neuron does alone and destroy what two do together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome import Cohort, InputError, Recording
from napari_dynamic_connectome.affinity.compute import compute_affinity
from napari_dynamic_connectome.affinity.shift import Shifter
from napari_dynamic_connectome.affinity.surrogates import phase_randomised, surrogate_cohort

METHODS = ["circular shift", "phase randomisation"]


def cohort(seed=0, **more):
    rng = np.random.default_rng(seed)
    common = rng.standard_normal(400).cumsum()
    x = common[:, None] + 0.5 * rng.standard_normal((400, 6))
    return Cohort(
        [
            Recording.from_arrays(
                x, name="w", rate_hz=4.0, names=["AVAL", "AVAR", "AVEL", "AVER", "RIBL", "RIBR"], **more
            )
        ]
    )


@pytest.mark.parametrize("method", METHODS)
def test_common_changes_lose_their_affinity(method):
    real = cohort()
    strong = compute_affinity(real).mean_affinity().values.sum()
    weak = compute_affinity(surrogate_cohort(real, method, seed=1)).mean_affinity().values.sum()
    assert weak < 0.6 * strong


def test_a_shift_keeps_the_values_of_every_block_in_cyclic_order():
    breaks = (30.0, 70.0)
    real = cohort(breaks=breaks)
    made = surrogate_cohort(real, seed=2)
    for first, last in ((0, 120), (120, 280), (280, 400)):
        for neuron in range(6):
            before = real.recordings[0].traces.values[first:last, neuron]
            after = made.recordings[0].traces.values[first:last, neuron]
            shift = int(np.flatnonzero(after == before[0])[0])
            np.testing.assert_array_equal(after, np.roll(before, shift))
            assert 20 <= shift <= last - first - 20


def test_stimulus_blocks_are_not_mixed():
    stimuli = pd.DataFrame({"name": ["NaCl"], "onset": [50.0], "offset": [60.0]})
    real = cohort(stimuli=stimuli)
    cut = surrogate_cohort(real, seed=3).recordings[0].traces.values
    np.testing.assert_array_equal(np.sort(cut[:200], axis=0), np.sort(real.recordings[0].traces.values[:200], axis=0))
    whole = surrogate_cohort(real, seed=3, cut_at_stimuli=False).recordings[0].traces.values
    assert not np.array_equal(np.sort(whole[:200], axis=0), np.sort(cut[:200], axis=0))


@pytest.mark.parametrize("n", [63, 64])
def test_phase_randomisation_keeps_mean_and_spectrum(n):
    x = np.random.default_rng(4).standard_normal(n).cumsum() + 5
    y = phase_randomised(x, np.random.default_rng(5))
    np.testing.assert_allclose(np.abs(np.fft.rfft(y)), np.abs(np.fft.rfft(x)), atol=1e-9)
    assert y.mean() == pytest.approx(x.mean())
    assert np.abs(y - x).max() > 0.1


@pytest.mark.parametrize("method", METHODS)
def test_missing_samples_stay_where_they_are(method):
    real = cohort()
    x = real.recordings[0].traces.copy()
    x[40:90, 2] = np.nan
    holed = Cohort([real.recordings[0].replace(traces=x)])
    made = surrogate_cohort(holed, method, seed=6).recordings[0].traces.values
    np.testing.assert_array_equal(np.isnan(made), np.isnan(x.values))


@pytest.mark.parametrize("method", METHODS)
def test_same_seed_same_surrogate(method):
    one, two, other = (surrogate_cohort(cohort(), method, seed=s).recordings[0].traces.values for s in (7, 7, 8))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_unknown_method():
    with pytest.raises(InputError, match="no surrogate 'shuffle'"):
        surrogate_cohort(cohort(), "shuffle")


@pytest.mark.parametrize(("breaks", "possible"), [((), True), ((50.0,), True), (tuple(np.arange(8.0, 100, 8)), False)])
def test_a_recording_in_short_pieces_cannot_be_shifted_and_that_is_said(breaks, possible):
    worms = cohort(breaks=breaks)
    why = Shifter(compute_affinity(worms), worms).why_not()
    assert (why == "") == possible
    if not possible:
        assert why.startswith("only 0 of 100 s lie in blocks of 10 s or more")
    assert Shifter(compute_affinity(worms), worms, "phase randomisation").why_not() == ""


def test_half_of_the_time_in_long_pieces_is_enough():
    # of 100 s, 46 and 62 s lie in one long piece, less 2 s at each end where nothing is shifted
    for cut, possible in ((46.0, False), (62.0, True)):
        worms = cohort(breaks=(cut, *np.arange(cut + 6, 100, 6)))
        assert (Shifter(compute_affinity(worms), worms).why_not() == "") == possible


def columns_of(features) -> list[np.ndarray]:
    return [features.size, features.code] if hasattr(features, "size") else [features.value]


@pytest.mark.parametrize("kind", ["differential", "edge time series"])
def test_shifted_slopes_keep_their_order_in_every_block_and_stay_in_place_near_its_ends(kind: str) -> None:
    breaks, onset = (30.0, 70.0), 50.0
    worms = cohort(breaks=breaks, stimuli=pd.DataFrame({"name": ["NaCl"], "onset": [onset], "offset": [60.0]}))
    real = compute_affinity(worms, kind=kind)
    shifter = Shifter(real, worms, min_shift_s=5.0)
    made, again, other = (shifter.make(seed) for seed in (3, 3, 4))
    block, changed = real.blocks[0], made.blocks[0]
    time = block.source_time_s
    edge = 2.0 * real.settings.sigma_s
    ends = np.array([time[0], time[-1], *breaks])
    still = (np.abs(time[:, None] - ends) <= edge + 1e-9).any(axis=1)
    free = (np.abs(time[:, None] - ends) > edge + 0.3).all(axis=1)
    for before, after, same, differs in zip(
        *(columns_of(b.features) for b in (block, changed, again.blocks[0], other.blocks[0])), strict=True
    ):
        np.testing.assert_array_equal(after, same)
        assert not np.array_equal(after, differs)
        np.testing.assert_array_equal(after[:, still], before[:, still])
        for first, last in ((0, 30), (30, 50), (50, 70), (70, 101)):
            inside = (time >= first) & (time < last) & ~still
            assert free[inside].mean() > 0.9
            for row, moved in zip(before[:, inside], after[:, inside], strict=True):
                shifts = [k for k in range(len(row)) if np.array_equal(np.roll(row, k), moved)]
                assert len(shifts) == 1 or len(set(row.tolist())) == 1
                least = min(20, len(row) // 4)
                assert all(least <= k <= len(row) - least for k in shifts)
    assert made.rate_hz == real.rate_hz and made.pairs is real.pairs


def test_what_cannot_be_shifted_column_by_column_is_computed_from_shifted_traces() -> None:
    worms = cohort()
    for method, more in (("phase randomisation", {}), ("circular shift", {"kind": "sliding correlation"})):
        real = compute_affinity(worms, **more)
        got = Shifter(real, worms, method).make(5)
        expected = compute_affinity(surrogate_cohort(worms, method, seed=5, min_shift_s=5.0), **more)
        np.testing.assert_array_equal(got.blocks[0].dense(), expected.blocks[0].dense())


def test_recordings_of_one_worm_are_shifted_alike():
    """What chance gives in one of them it gives in the other, in surrogates as in the data."""
    rng = np.random.default_rng(8)
    names = ["AVAL", "AVAR", "AVEL", "AVER", "RIBL", "RIBR"]
    traces = rng.standard_normal((400, 6)).cumsum(axis=0)
    one = Recording.from_arrays(traces, name="a", rate_hz=4.0, names=names)
    again = Recording.from_arrays(traces[:, 1:], name="b", rate_hz=4.0, names=names[1:])
    other = Recording.from_arrays(rng.standard_normal((400, 6)).cumsum(axis=0), name="c", rate_hz=4.0, names=names)
    cohort = Cohort([one, other, again])
    affinity = compute_affinity(cohort)
    for seed in range(3):
        first, second, third = (block.features.size for block in Shifter(affinity, cohort).make(seed).blocks)
        np.testing.assert_array_equal(first[1:], third)
        before = affinity.blocks[0].features.size
        assert not np.array_equal(first, before)
        inner = np.flatnonzero(
            Shifter(affinity, cohort)._blocks(affinity.blocks[0], {r.name: r for r in cohort.recordings}) == 0
        )
        shifts = [
            next(k for k in range(len(inner)) if np.array_equal(np.roll(b[inner], k), a[inner]))
            for b, a in zip(before, first, strict=True)
        ]
        assert len(set(shifts)) > 1 and min(shifts) >= 20 and max(shifts) <= len(inner) - 20
        assert not np.array_equal(second[1:], third)
    moved = [block.features.size for block in Shifter(affinity, cohort).make(1, as_one=[1, 2]).blocks]
    np.testing.assert_array_equal(moved[0][1:], moved[2])
