"""Every measure of quality is what its definition says, on small numbers with ties, gaps and breaks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_dynamic_connectome.extraction.measures import (
    correlations,
    distances_um,
    drift_um,
    fast_part,
    intervals,
    level_swaps,
    noise_of,
    position_jumps,
    snr_of,
)


def pieces(time_s: np.ndarray, breaks: tuple[float, ...], limit_s: float) -> list[list[int]]:
    """Rows that belong together, found one after another."""
    found = [[0]]
    for i in range(1, len(time_s)):
        broken = any(time_s[i - 1] < b <= time_s[i] for b in breaks) or time_s[i] - time_s[i - 1] > limit_s
        if broken:
            found.append([])
        found[-1].append(i)
    return found


def gappy(seed: int, n: int = 12, columns: int = 4, most: int = 5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, most, (n, columns)).astype(float)
    values[rng.random(values.shape) < 0.15] = np.nan
    return values


TIMES = np.array([0.0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14])  # a gap after 4 s


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_the_spread_of_second_differences_within_stretches(seed: int) -> None:
    values, breaks = gappy(seed), ((10.5,), (), (4.0, 11.0))[seed % 3]
    got = noise_of(values, TIMES, breaks, 2.0)
    for column in range(4):
        seconds = []
        for rows in pieces(TIMES, breaks, 2.0):
            x = values[rows, column]
            seconds += [x[i] - 2 * x[i + 1] + x[i + 2] for i in range(len(x) - 2)]
        known = [s for s in seconds if np.isfinite(s)]
        if len(known) < 3:
            assert np.isnan(got[column])
        else:
            spread = np.median([abs(s - np.median(known)) for s in known])
            assert got[column] == pytest.approx(1.4826 * spread / np.sqrt(6))
    three = noise_of(np.array([[0.0], [1], [0], [5], [0]]), np.arange(5.0), (), 2.0)  # exactly three differences
    assert three[0] == pytest.approx(1.4826 * 8.0 / np.sqrt(6))
    assert np.isnan(noise_of(np.ones((4, 1)), np.arange(4.0), (), 2.0)[0])


def test_signal_to_noise_of_any_variance_and_noise() -> None:
    values = np.array([[0.0, 1, 0, 0, np.nan], [2, 1, 2, np.nan, 1], [4, 1, 4, 4, 3], [6, 1, 6, np.nan, np.nan]])
    got = snr_of(values, np.array([1.0, 0, 0, 1.0, 1.0]))
    np.testing.assert_allclose(got, [2.0, 0.0, np.inf, np.nan, np.nan])  # variances 5, 0, 5, and too few samples
    three = snr_of(np.array([[0.0], [3], [6]]), np.array([1.0]))
    assert three[0] == pytest.approx(np.sqrt(5.0))
    assert snr_of(values[:, :1], np.array([3.0]))[0] == 0.0  # all of it is noise


@pytest.mark.parametrize("step", [1.0, 10.0])
def test_the_fast_part_is_beyond_the_median_of_a_minute_or_of_ten_samples(step: float) -> None:
    time_s = step * np.arange(150)
    values = np.random.default_rng(0).integers(0, 50, (150, 2)).astype(float)
    breaks = (time_s[70],)
    half = 30 if step == 1 else 5
    got = fast_part(values, time_s, breaks)
    window = 2 * round((max(60.0, 10 * step) / step - 1) / 2) + 1
    assert half in (window // 2, window // 2 + 1)
    for row in range(150):
        first, last = (0, 70) if row < 70 else (70, 150)
        around = values[max(first, row - window // 2) : min(last, row + window // 2 + 1)]
        np.testing.assert_allclose(got[row], values[row] - np.median(around, axis=0))
    assert np.isnan(fast_part(values[:2], time_s[:2], ())).all()
    np.testing.assert_array_equal(fast_part(np.array([[1.0], [5], [3]]), time_s[:3], ()), [[-2], [2], [0]])


def test_correlations_need_ten_common_samples_and_some_variation() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(1e4, 1, (12, 2)), rng.normal(-3, 1, (12, 2))
    a[:2, 0] = np.nan  # ten are left
    b[2:3, 1] = np.nan  # nine with the first
    got = correlations(a, b)
    assert got[0, 0] == pytest.approx(np.corrcoef(a[2:, 0], b[2:, 0])[0, 1])
    assert np.isnan(got[0, 1]) and np.isfinite(got[1, 1])
    assert got[1, 1] == pytest.approx(np.corrcoef(np.delete(a[:, 1], 2), np.delete(b[:, 1], 2))[0, 1])
    flat = np.column_stack([np.zeros(12), np.full(12, 7.0), a[:, 1]])
    same = correlations(flat, flat)
    assert np.isnan(same[:2]).all() and np.isnan(same[:, :2]).all() and same[2, 2] == pytest.approx(1.0)
    nothing = correlations(np.full((12, 1), np.nan), a)
    assert np.isnan(nothing).all()


def test_distances_are_those_between_positions_and_nobody_is_near_itself() -> None:
    got = distances_um(np.array([[0.0, 0, 0], [1, 2, 2], [np.nan, 0, 0]]))
    np.testing.assert_array_equal(got, [[np.inf, 3, np.nan], [3, np.inf, np.nan], [np.nan, np.nan, np.inf]])


@pytest.mark.parametrize("seed", range(20))
def test_jumps_are_steps_that_the_others_do_not_make(seed: int) -> None:
    rng = np.random.default_rng(seed)
    track = rng.integers(0, 4, (12, 5, 3)).astype(float) * [1, 0, 0] + rng.integers(0, 2, (12, 1, 3)) * 10.0
    track[rng.random((12, 5)) < 0.25] = np.nan
    breaks = ((), (9.5,))[seed % 2]
    expected = np.zeros(5, int)
    for rows in pieces(TIMES, breaks, 2.0):
        for before, after in itertools.pairwise(rows):
            steps = track[after] - track[before]
            known = [s for s in steps if np.isfinite(s).all()]
            common = np.median(known, axis=0) if len(known) >= 3 else np.zeros(3)
            for neuron in range(5):
                length = np.linalg.norm(steps[neuron] - common)
                expected[neuron] += bool(length > 2.0)
    np.testing.assert_array_equal(position_jumps(track, TIMES, breaks, 2.0, 2.0), expected)
    assert expected.sum() > 0
    alone = position_jumps(track[[0, 1]], np.array([0.0, 5.0]), (), 2.0, 2.0)
    np.testing.assert_array_equal(alone, np.zeros(5))


def swaps(
    values: np.ndarray, noise: np.ndarray, time_s: np.ndarray, breaks: tuple[float, ...], jump: float
) -> list[int]:
    """Definition of an exchange, one moment and one pair at a time; medians of five samples, before and after."""
    counts = [0] * values.shape[1]
    for rows in pieces(time_s, breaks, 2.0):
        part = values[rows]
        for at in range(5, len(part) - 4):
            before, after = np.median(part[at - 5 : at], axis=0), np.median(part[at : at + 5], axis=0)
            step, sudden = after - before, part[at] - part[at - 1]
            high = [
                abs(s) > jump * e and abs(d) > 0.6 * abs(s) and s * d > 0
                for s, d, e in zip(step, sudden, noise, strict=True)
            ]
            for i, j in itertools.permutations(range(len(counts)), 2):
                if high[i] and high[j] and step[i] > 0 > step[j]:
                    size = 0.25 * min(abs(step[i]), abs(step[j]))
                    if abs(after[i] - before[j]) < size and abs(after[j] - before[i]) < size:
                        counts[i] += 1
                        counts[j] += 1
    return counts


def test_two_neurons_that_exchange_their_levels_are_counted_at_every_moment() -> None:
    found = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        values = rng.integers(0, 2, (22, 4)) + 8.0 * np.arange(4)
        for at in ((5, 17), (6, 16), (11, 11))[seed % 3]:  # soonest and latest, too
            one, other = rng.permutation(4)[:2]
            values[at:, [one, other]] = values[at:, [other, one]]
        if seed % 4 == 0:
            values[at, one] = values[at - 1, one] + rng.integers(-5, 6)  # not sudden any more
        noise = rng.integers(1, 5, 4).astype(float)
        time_s, breaks = np.arange(22.0), ((), (11.0,), (12.0,))[seed % 3]
        expected = swaps(values, noise, time_s, breaks, 4.0)
        np.testing.assert_array_equal(level_swaps(values, noise, time_s, breaks, 2.0, 4.0), expected)
        found += sum(expected)
    assert found > 20


def test_an_exchange_of_levels_must_fit_to_a_quarter_of_the_step() -> None:
    def of(first: float, second: float, sudden: float = 8.0) -> list[int]:
        values = np.zeros((10, 2))
        values[5:, 0], values[:5, 1], values[5:, 1] = first, second, 0.0
        values[5, 0] = sudden
        return list(level_swaps(values, np.ones(2), np.arange(10.0), (), 2.0, 4.0))

    assert of(8.0, 8.0) == [1, 1]
    assert (
        of(8.0, 9.9) == [1, 1]
        and of(8.0, 10.0) == [0, 0]
        and of(9.9, 8.0, 9.9) == [1, 1]
        and of(10.0, 8.0, 10.0) == [0, 0]
    )
    assert of(5.0, 5.0, 3.1) == [1, 1] and of(5.0, 5.0, 3.0) == [0, 0]
    assert of(4.0, 4.0, 4.0) == [0, 0] and of(4.1, 4.1, 4.1) == [1, 1]


def test_drift_is_between_the_first_and_the_last_minute_or_tenth() -> None:
    time_s = np.arange(0.0, 1001.0, 10.0)  # a minute is 7 samples at each end
    track = np.zeros((101, 3, 3))
    track[:, 1] = 100.0
    track[:7, :, 0], track[-7:, :, 0] = np.arange(7)[:, None], 3.0 + 10 * np.arange(7)[:, None]
    assert drift_um(track, time_s) == pytest.approx(30.0)
    short = time_s[:11]  # 100 s: 10 s are two samples
    track = np.zeros((11, 3, 3))
    track[0, :, 1], track[1, :, 1], track[9, :, 1], track[10, :, 1] = 1.0, 2.0, 5.0, 10.0
    assert drift_um(track, short) == pytest.approx(6.0)
    track[:5, 0] = np.nan
    track[9:, 1] = np.nan
    track[9:, 2, 2] += 8.0  # the only one that is seen at both ends
    assert drift_um(track, short) == pytest.approx(10.0)
    track[:2, 2, 0] = np.nan
    assert np.isnan(drift_um(track, short))


def test_intervals_longer_than_one_and_a_half_hold_dropped_frames() -> None:
    share, spread = intervals(np.array([0.0, 2, 4, 7, 9, 15, 100, 102, 104]), (100.0,))
    assert share == pytest.approx(2 / 11)  # 6 s hold two frames; 3 s are not longer than one and a half
    assert spread == pytest.approx(np.std([2, 2, 3, 2, 2, 2]) / 2)
    assert all(np.isnan(intervals(np.array([1.0]), ())))
    assert intervals(np.array([0.0, 1.0]), ()) == (0.0, 0.0)
