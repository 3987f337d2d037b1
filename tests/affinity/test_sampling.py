"""An even clock over uneven samples, where a neuron was measured, and its noise, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dynamic_connectome.affinity.sampling import MIN_PIECE, even_clock, natural_rate, pieces, sample_worm, still


def test_the_rate_of_a_recording_leaves_gaps_out() -> None:
    assert natural_rate(np.array([0.0, 1, 2, 3, 13])) == 1.0
    assert natural_rate(np.array([0.0, 2, 4, 7, 9, 11])) == pytest.approx(1 / 2.2)  # one and a half intervals are none
    assert natural_rate(np.array([0.0, 2, 4, 7.1, 9, 11])) == pytest.approx(1 / 1.975)
    assert natural_rate(np.array([5.0, 5.5])) == 2.0


def test_a_nearly_even_recording_keeps_its_own_times() -> None:
    time = np.array([3.0, 4.1, 4.9, 6.0, 9.0, 10.05])
    clock = even_clock(time, 1.0)
    np.testing.assert_allclose(clock, [3, 4.1, 4.9, 6, 7, 8, 9, 10.05], atol=0.051)
    assert set(time) <= set(clock) and len(clock) == 8
    shifted = time.copy()
    shifted[0] += 0.2  # the first sample is off like any other
    assert set(shifted) <= set(even_clock(shifted, 1.0))
    for off, own in ((0.24, True), (0.26, False)):
        moved = np.arange(9.0)
        moved[4] += off
        assert (set(moved) <= set(even_clock(moved, 1.0))) == own
    np.testing.assert_allclose(even_clock(np.array([1.0, 1.4, 1.8, 2.2]), 1.0), [1.0, 2.0])  # two samples at one time
    np.testing.assert_allclose(even_clock(np.array([1.0, 1.4, 3.0]), 1.0), [1.0, 2.0, 3.0])


def cut(time: np.ndarray, breaks: tuple[float, ...], limit: float) -> list[tuple[int, int]]:
    edges = [0]
    for i in range(1, len(time)):
        if time[i] - time[i - 1] > limit or any(time[i - 1] < b <= time[i] for b in breaks):
            edges.append(i)
    return list(zip(edges, [*edges[1:], len(time)], strict=True)) if len(time) else []


@pytest.mark.parametrize("breaks", [(), (2.0,), (0.0, 2.5, 5.0), (-1.0, 9.0)])
@pytest.mark.parametrize("limit", [0.5, 1.0, 2.0])
def test_pieces_end_at_breaks_and_gaps(breaks: tuple[float, ...], limit: float) -> None:
    time = np.array([0.0, 1, 2, 3, 5, 5.5, 8])
    assert pieces(time, breaks, limit) == cut(time, breaks, limit)
    assert pieces(time[:1], breaks, limit) == [(0, 1)] and pieces(time[:0], breaks, limit) == []


@pytest.mark.parametrize("seed", range(12))
def test_neurons_are_valid_between_samples_that_belong_together(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rate = (1.0, 0.7)[seed % 2]  # the recording's own clock, or another one
    time = np.arange(30.0) + (8.0 if seed % 3 == 0 else 0.0) * (np.arange(30) > 14)
    values = rng.normal(size=(30, 5))
    values[rng.random(values.shape) < 0.3] = np.nan
    values[3:9, 1], values[:, 4] = np.nan, np.nan
    values[:, 3] = np.where(np.isfinite(values[:, 0]), 7.0, np.nan)  # measured when the first is
    if seed % 4 == 0:
        values[20:24] = np.nan
    breaks = ((), (12.0,), (12.5, 20.0))[seed % 3]
    gap = 3.0
    made = sample_worm(time, values, breaks, rate, gap)
    clock = made.time_s
    assert made.is_own == (rate == 1.0)
    for neuron in range(5):
        valid, starts = np.zeros(len(clock), bool), np.zeros(len(clock), bool)
        seen = time[np.isfinite(values[:, neuron])]
        for first, last in cut(seen, breaks, gap):
            inside = (clock >= seen[first] - 1e-6) & (clock <= seen[last - 1] + 1e-6)
            if last - first >= MIN_PIECE and inside.any():
                valid |= inside
                starts[np.flatnonzero(inside)[0]] = True
        np.testing.assert_array_equal(made.valid[neuron], valid)
        np.testing.assert_array_equal(made.neuron_breaks[neuron], starts)
    common = np.zeros(len(clock) + 1, bool)
    seen = time[np.isfinite(values).any(axis=1)]
    for first, last in cut(seen, breaks, gap):
        inside = np.flatnonzero((clock >= seen[first] - 1e-6) & (clock <= seen[last - 1] + 1e-6))
        if len(inside):
            common[[inside[0], inside[-1] + 1]] = True
    np.testing.assert_array_equal(made.breaks, common[:-1])
    levels = made.levels()
    assert (levels[~made.valid] == 0).all()
    if made.is_own:
        for neuron in range(5):
            seen = np.isfinite(values[:, neuron])
            at = clock[made.valid[neuron]]
            if len(at):
                np.testing.assert_allclose(
                    levels[neuron, made.valid[neuron]], np.interp(at, time[seen], values[seen, neuron])
                )
    noise = made.noise()
    for neuron in range(5):
        off = []
        seen = np.flatnonzero(np.isfinite(values[:, neuron]))
        for first, last in cut(time[seen], breaks, gap):
            rows = seen[first:last]
            inside = (clock >= time[rows[0]] - 1e-6) & (clock <= time[rows[-1]] + 1e-6)
            if len(rows) < MIN_PIECE or not inside.any():
                continue
            for a, b, c in zip(rows[:-2], rows[1:-1], rows[2:], strict=True):
                share = (time[c] - time[b]) / (time[c] - time[a])
                line = share * values[a, neuron] + (1 - share) * values[c, neuron]
                off.append((values[b, neuron] - line) / np.sqrt(1 + share**2 + (1 - share) ** 2))
        expected = 1.4826 * np.median(np.abs(off - np.median(off))) if off else 0.0
        assert noise[neuron] == pytest.approx(expected)


def test_short_steps_are_no_gaps_whatever_is_asked() -> None:
    time = np.array([0.0, 1, 2, 3, 5.5, 6.5, 7.5, 10.1, 11.1, 12.1])
    made = sample_worm(time, np.ones((10, 1)), (), 1.0, 0.0)  # two and a half intervals are none
    assert made.breaks.nonzero()[0].tolist()[:1] == [0] and made.breaks.sum() >= 2
    np.testing.assert_array_equal(made.neuron_breaks[0].sum(), 2)


def test_traces_that_are_constant_up_to_rounding_are_still() -> None:
    values = np.ones((6, 5))
    values[:, 1] += 1e-8 * np.arange(6)
    values[:, 2] += 1e-6 * np.arange(6)
    values[:, 3] = np.nan
    values[:, 4] = -1e6 + 0.01 * np.arange(6)
    values[2, 0] = np.nan
    made = sample_worm(np.arange(6.0), values, (), 1.0, 1.0)
    np.testing.assert_array_equal(still(made), [True, True, False, True, True])
