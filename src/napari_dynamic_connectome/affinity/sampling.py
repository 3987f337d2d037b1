"""One worm on an even clock: where it was measured, and local fits that never reach across a break or a gap.

Goes in: traces with their own time stamps, breaks and NaN. Comes out: a `Sampling` with a common rate, which neuron was measured
at which time, and slopes or levels there. Nothing is interpolated over a gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

Array = np.ndarray
MAD_TO_SD = 1.4826
MIN_PIECE = 3
"""Samples that a piece between two gaps must have to be used."""


def natural_rate(time_s: Array) -> float:
    """Samples per second of a recording, gaps left out."""
    steps = np.diff(time_s)
    return float(1.0 / np.mean(steps[steps <= 1.5 * np.median(steps)]))


def even_clock(time_s: Array, rate_hz: float) -> Array:
    """Times with an even rate that cover a recording; its own time stamps where they are (nearly) even already."""
    place = (time_s - time_s[0]) * rate_hz
    # The first sample may be off like any other: count from the middle of all of them.
    place -= np.median(place - np.rint(place))
    nearest = np.rint(place).astype(np.int64)
    nearest -= nearest[0]
    if np.abs(place - np.rint(place)).max() < 0.25 and (np.diff(nearest) > 0).all():
        start = float(np.median(time_s - nearest / rate_hz))
        clock = start + np.arange(nearest[-1] + 1) / rate_hz
        clock[nearest] = time_s
        return np.asarray(clock)
    last = (time_s[-1] - time_s[0]) * rate_hz
    return np.asarray(time_s[0] + np.arange(int(np.floor(last + 1e-6)) + 1) / rate_hz)


def pieces(time_s: Array, breaks: tuple[float, ...], limit_s: float) -> list[tuple[int, int]]:
    """Ranges [first, last) of samples between which there is neither a break nor a step longer than `limit_s`."""
    part = np.searchsorted(np.asarray(breaks, float), time_s, side="right")
    cut = np.flatnonzero((np.diff(part) != 0) | (np.diff(time_s) > limit_s)) + 1
    edges = [0, *cut.tolist(), len(time_s)]
    return [(a, b) for a, b in pairwise(edges) if b > a]


@dataclass(frozen=True, eq=False)
class Piece:
    """A stretch of samples of some neurons without break or gap, and the clock times [first, last) that lie in it."""

    neurons: Array
    samples: Array
    first: int
    last: int


@dataclass(frozen=True, eq=False)
class Sampling:
    """One worm's traces and its even clock.

    Parameters
    ----------
    time_s : float array (T,)
        The clock.
    rate_hz : float
    source_time_s : float array (samples,)
    values : float64 array (samples, n)
        NaN where not measured.
    parts : tuple of Piece
    valid : bool array (n, T)
        Whether the neuron was measured around that time.
    neuron_breaks : bool array (n, T)
        Where a neuron's clock time does not follow its predecessor.
    breaks : bool array (T,)
        The same, for breaks and gaps of the whole recording.
    is_own : bool
        Whether the clock is the recording's own.
    """

    time_s: Array
    rate_hz: float
    source_time_s: Array
    values: Array
    parts: tuple[Piece, ...]
    valid: Array
    neuron_breaks: Array
    breaks: Array
    is_own: bool

    def fit(self, sigma_s: float, order: int) -> tuple[Array, Array]:
        """Local linear fit with Gaussian weights at every clock time.

        Parameters
        ----------
        sigma_s : float
            At least half a sampling interval is used.
        order : {0, 1}
            Level or slope (per second).

        Returns
        -------
        fit : float64 array (n, T)
            Zero where not valid.
        gain : float64 array (n, T)
            Standard deviation of the fit for white noise of standard deviation 1 in the samples.
        """
        from .kernels import local_fit

        fit, gain = np.zeros(self.valid.shape), np.zeros(self.valid.shape)
        sigma = max(sigma_s, 0.5 * float(np.median(np.diff(self.source_time_s))))
        for part in self.parts:
            at = self.time_s[part.first : part.last]
            values = np.ascontiguousarray(self.values[np.ix_(part.samples, part.neurons)])
            # Slopes do not see the baseline; without it, a large one costs no digits.
            base = values.mean(axis=0)
            out, own = np.empty((len(at), len(part.neurons))), np.empty(len(at))
            local_fit(self.source_time_s[part.samples], values - base, at, sigma, order, out, own)
            fit[part.neurons, part.first : part.last] = (out + base if order == 0 else out).T
            gain[part.neurons, part.first : part.last] = own
        return fit, gain

    def levels(self) -> Array:
        """Traces on the clock, (n, T) float64; the samples themselves where the clock is the recording's own."""
        if not self.is_own:
            return self.fit(0.5 / self.rate_hz, 0)[0]
        levels = np.zeros(self.valid.shape)
        for part in self.parts:
            at = self.time_s[part.first : part.last]
            for neuron in part.neurons:
                levels[neuron, part.first : part.last] = np.interp(
                    at, self.source_time_s[part.samples], self.values[part.samples, neuron]
                )
        return levels

    def noise(self) -> Array:
        """Standard deviation of every neuron's white noise, (n,).

        From how far each sample lies off the line through its two neighbours: 1.4826 times the median absolute deviation,
        which for even sampling is 1.4826 MAD(second differences) / sqrt(6).
        """
        found: list[list[Array]] = [[] for _ in range(self.values.shape[1])]
        for part in self.parts:
            t = self.source_time_s[part.samples]
            before = (t[2:] - t[1:-1]) / (t[2:] - t[:-2])
            x = self.values[np.ix_(part.samples, part.neurons)]
            off = x[1:-1] - before[:, None] * x[:-2] - (1 - before)[:, None] * x[2:]
            off /= np.sqrt(1 + before**2 + (1 - before) ** 2)[:, None]
            for column, neuron in enumerate(part.neurons):
                found[neuron].append(off[:, column])
        noise = np.zeros(len(found))
        for neuron, parts in enumerate(found):
            if parts:
                all_off = np.concatenate(parts)
                noise[neuron] = MAD_TO_SD * np.median(np.abs(all_off - np.median(all_off)))
        return noise


def sample_worm(time_s: Array, values: Array, breaks: tuple[float, ...], rate_hz: float, gap_s: float) -> Sampling:
    """Lay an even clock over a worm and find out where each neuron was measured.

    Parameters
    ----------
    time_s : float array (samples,)
        Increasing, two or more.
    values : array (samples, n)
        NaN where not measured.
    breaks : tuple of float
        Sorted times before which the recording was interrupted.
    rate_hz : float
        Rate of the clock.
    gap_s : float
        A neuron without a sample for longer than this, and than 2.5 sampling intervals, has a gap.
    """
    values = np.asarray(values, float)
    limit = max(gap_s, 2.5 * float(np.median(np.diff(time_s)))) * (1 + 1e-9)
    clock = even_clock(time_s, rate_hz)
    is_own = bool(np.isin(time_s, clock, assume_unique=True).all())
    n = values.shape[1]
    valid, neuron_breaks = np.zeros((n, len(clock)), bool), np.zeros((n, len(clock)), bool)
    parts: list[Piece] = []
    finite = np.isfinite(values)
    # eight samples a byte: columns are sorted by their patterns, which takes long where they are long
    packed = np.packbits(finite, axis=0)
    _, first_of, which = np.unique(packed, axis=1, return_index=True, return_inverse=True)
    for group, example in enumerate(first_of):
        neurons = np.flatnonzero(which.ravel() == group)
        samples = np.flatnonzero(finite[:, example])
        for first, last in pieces(time_s[samples], breaks, limit):
            inside = samples[first:last]
            low, high = _covered(clock, time_s[inside[0]], time_s[inside[-1]])
            if len(inside) < MIN_PIECE or high <= low:
                continue
            parts.append(Piece(neurons, inside, low, high))
            valid[neurons, low:high] = True
            neuron_breaks[neurons, low] = True
    common = np.zeros(len(clock), bool)
    measured = np.flatnonzero(finite.any(axis=1))
    for first, last in pieces(time_s[measured], breaks, limit):
        low, high = _covered(clock, time_s[measured[first]], time_s[measured[last - 1]])
        if high > low:
            common[low] = True
            if high < len(clock):
                common[high] = True
    return Sampling(
        clock, rate_hz, np.asarray(time_s, float), values, tuple(parts), valid, neuron_breaks, common, is_own
    )


def _covered(clock: Array, start: float, stop: float) -> tuple[int, int]:
    """Range of clock times within [start, stop]."""
    slack = 1e-9 * max(abs(start), abs(stop), 1.0)
    return int(np.searchsorted(clock, start - slack, "left")), int(np.searchsorted(clock, stop + slack, "right"))


def complete_part(valid: Array) -> tuple[Array, Array]:
    """Choose neurons and times without any missing value that together keep the most (pair, time) entries, roughly.

    Neurons are taken in the order of how long they were measured; the best number of them wins, and neurons that cost
    no time are added.

    Parameters
    ----------
    valid : bool array (n, T)

    Returns
    -------
    neurons : bool array (n,)
    times : bool array (T,)
    """
    length = valid.sum(axis=1)
    if not length.any():
        return np.zeros(len(valid), bool), np.zeros(valid.shape[1], bool)
    order = np.argsort(-length, kind="stable")
    together = np.logical_and.accumulate(valid[order], axis=0).sum(axis=1)
    count = np.arange(1, len(order) + 1)
    entries = count * (count - 1) / 2 * together
    best = int(np.argmax(entries)) if entries.any() else 0
    times = valid[order[: best + 1]].all(axis=0)
    return np.asarray(valid[:, times].all(axis=1)), np.asarray(times)


def still(sampling: Sampling) -> Array:
    """Neurons whose trace is constant up to rounding: their slopes are rounding errors."""
    still = np.ones(sampling.values.shape[1], bool)
    for neuron, trace in enumerate(sampling.values.T):
        seen = trace[np.isfinite(trace)]
        if len(seen):
            still[neuron] = np.ptp(seen) <= 1e-7 * np.abs(seen).max()
    return still
