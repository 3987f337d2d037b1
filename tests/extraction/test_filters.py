"""Filters and stretches are what their definitions say, with gaps, breaks and missing samples."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_dynamic_connectome.extraction.filters import (
    odd,
    resample,
    resample_times,
    rolling_percentile,
    rolling_percentile_rows,
    smooth,
)
from napari_dynamic_connectome.extraction.segments import gap_limit, interval, runs, stretches
from napari_dynamic_connectome.model.errors import Cancelled

TIMES = np.array([0.0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14])


def test_samples_belong_together_up_to_a_break_or_a_gap() -> None:
    def of(breaks: tuple[float, ...], limit_s: float) -> list[tuple[int, int]]:
        return [(s.start, s.stop) for s in stretches(TIMES, breaks, limit_s)]

    assert of((), 4.0) == [(0, 12)] and of((), 3.9) == [(0, 5), (5, 12)]
    assert of((8.0,), 4.0) == of((4.5,), 4.0) == [(0, 5), (5, 12)]
    assert of((0.0, -1.0, 14.5, 99.0), 4.0) == [(0, 12)]
    assert of((14.0, 0.5), 4.0) == [(0, 1), (1, 11), (11, 12)]
    assert interval(TIMES) == 1.0 and interval(TIMES[:1]) == 1.0 and interval(np.array([0.0, 3.0])) == 3.0
    assert gap_limit(TIMES, 0.0) == 2.5 and gap_limit(TIMES, 0.5) == 0.5 and gap_limit(TIMES, -1.0) == 2.5


@pytest.mark.parametrize("seed", range(30))
def test_runs_cover_what_is_there_and_end_where_too_much_is_missing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(12, 6))
    hidden = rng.random(values.shape) < 0.4
    hidden[:, rng.random(6) < 0.5] = False
    hidden[:, 5] |= seed % 4 == 0
    values[hidden] = np.nan
    breaks = ((), (11.0,), (2.0, 11.0))[seed % 3]
    got = np.zeros(values.shape, int)
    for number, (rows, columns) in enumerate(runs(TIMES, values, breaks, 2.0), 1):
        assert (got[rows, columns] == 0).all()
        got[rows, columns] = number
    for column in range(6):
        seen = np.flatnonzero(~hidden[:, column])
        for one, other in itertools.pairwise(seen):
            broken = TIMES[other] - TIMES[one] > 2.0 or any(TIMES[one] < b <= TIMES[other] for b in breaks)
            assert (got[one, column] != got[other, column]) == broken
        if len(seen):
            assert (got[seen, column] > 0).all()
            assert not got[: seen[0], column].any() and not got[seen[-1] + 1 :, column].any()
        else:
            assert not got[:, column].any()
    complete = ~hidden.any(axis=0)
    for one in range(5):
        if complete[one] and complete[one + 1]:
            np.testing.assert_array_equal(got[:, one], got[:, one + 1])  # they come together


@pytest.mark.parametrize("q", [0.0, 20.0, 50.0, 100.0])
def test_percentiles_roll_over_what_is_there(q: float) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 35))
    values[rng.random(values.shape) < 0.2] = np.nan
    values[10:20, 3] = np.nan
    time_s = 0.5 * np.arange(40)
    time_s[25:] += 10.0
    for breaks, limit in (((8.0,), 0.0), ((), 2.0), ((), 0.0)):
        got = rolling_percentile(values, time_s, 2.5, q, breaks, limit)
        ends = [0, *([16] if breaks else []), *([25] if limit else []), 40]
        for first, last in itertools.pairwise(ends):
            for row in range(first, last):
                around = values[max(first, row - 2) : min(last, row + 3)]
                for column in (0, 3, 31, 34):
                    known = around[np.isfinite(around[:, column]), column]
                    expected = np.percentile(known, q) if len(known) else np.nan
                    np.testing.assert_allclose(got[row, column], expected)
    with pytest.raises(Cancelled):
        rolling_percentile(values, time_s, 2.5, q, (), 0.0, lambda: True)
    assert rolling_percentile_rows(np.array([[1.0], [5.0]]), 3, q).shape == (2, 1)


def test_windows_are_odd() -> None:
    assert [odd(x) for x in (-3, 0, 0.4, 1, 1.9, 2.1, 3, 3.9, 4.1, 5)] == [1, 1, 1, 1, 1, 3, 3, 3, 5, 5]


@pytest.mark.parametrize("method", ["gaussian", "median", "savitzky-golay"])
def test_nothing_is_smoothed_over_gaps_and_missing_samples_stay_missing(method: str) -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(12, 2)) + 50.0
    values[[3, 9], 1] = np.nan
    got = smooth(values, TIMES, method, 3.0, (12.0,), 2.0)
    assert (np.isnan(got) == np.isnan(values)).all()
    for rows in (slice(0, 5), slice(5, 9), slice(9, 12)):
        part = values[rows, 0]
        at = np.arange(len(part))
        for i in at:
            if method == "gaussian":
                near = np.exp(-0.5 * ((at - i) / 3.0) ** 2)
                expected = (near * part).sum() / near.sum()
            elif method == "median":
                expected = np.median(part[max(i - 1, 0) : i + 2])
            else:
                expected = part[i]  # a parabola through three samples
            np.testing.assert_allclose(got[rows, 0][i], expected, rtol=1e-6)
    wide = smooth(values, TIMES, method, 5.0, (12.0,), 2.0)
    if method == "savitzky-golay":
        first = np.polyval(np.polyfit(np.arange(5.0), values[:5, 0], 2), np.arange(5.0))
        np.testing.assert_allclose(wide[:5, 0], first)
        np.testing.assert_allclose(wide[9:, 0], values[9:, 0])  # three samples
        filled = values[:5, 1].copy()
        filled[3] = (filled[2] + filled[4]) / 2
        other = np.polyval(np.polyfit(np.arange(5.0), filled, 2), np.arange(5.0))
        np.testing.assert_allclose(wide[[0, 1, 2, 4], 1], other[[0, 1, 2, 4]])
    if method == "gaussian":
        known = np.array([0, 1, 2, 4])
        near = np.exp(-0.5 * ((known - 2) / 3.0) ** 2)
        np.testing.assert_allclose(got[2, 1], (near * values[known, 1]).sum() / near.sum(), rtol=1e-6)
        np.testing.assert_array_equal(smooth(values, TIMES, method, 0.0, (), 2.0), values)
    two = smooth(values[:2], TIMES[:2], method, 1.0, (), 2.0)
    assert np.isfinite(two).all()


def test_new_times_go_from_the_first_sample_to_the_last() -> None:
    np.testing.assert_allclose(resample_times(np.array([2.0, 3.0, 5.0]), 2.0), [2, 2.5, 3, 3.5, 4, 4.5, 5])
    np.testing.assert_allclose(resample_times(np.array([2.0, 2.9]), 2.0), [2, 2.5])
    assert len(resample_times(np.array([0.0, 0.1 * 3]), 10.0)) == 4


def test_resampling_is_linear_with_half_an_interval_of_grace_that_ends_at_breaks() -> None:
    values = np.column_stack([TIMES * 2, TIMES * 2])
    values[2, 1] = np.nan
    new = np.arange(-1.0, 16.0, 0.25)
    got = resample(values, TIMES, new, (10.2,), 2.0)
    for row, t in enumerate(new):
        for column in range(2):
            inside = -0.5 <= t <= 4.5 or 7.5 <= t <= 14.5
            lost = t < 10.2 and t > 10.0 + 0.5  # no sample of this side is that near
            lost |= 10.2 <= t < 10.5
            expected = np.interp(t, [0, 4], [0, 8]) if t < 5 else (np.interp(t, [8, 14], [16, 28]))
            if 10.0 < t < 10.2:
                expected = 20.0
            if 10.2 <= t < 11.0:
                expected = 22.0
            np.testing.assert_allclose(got[row, column], expected if inside and not lost else np.nan)
    same = resample(values, TIMES, TIMES, (), 5.0)
    np.testing.assert_allclose(same[:, 0], values[:, 0])
    noisy = np.random.default_rng(0).normal(size=(60, 1))
    times = np.arange(60.0)
    np.testing.assert_allclose(
        resample(noisy, times, 1.5 * np.arange(40), (), 5.0),
        np.interp(1.5 * np.arange(40), times, noisy[:, 0])[:, None],
    )
    slower = resample(noisy, times, 2.0 * np.arange(30), (), 5.0)
    np.testing.assert_allclose(slower, smooth(noisy, times, "gaussian", 1.0, (), 5.0)[::2])
