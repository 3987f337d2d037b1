"""Compiled inner loops: local slopes and levels of traces, run lengths, and the tiles of pair affinities.

All of them release the interpreter lock and touch only the memory they are given, so that threads may fill tiles at once.
"""

from __future__ import annotations

import numba as nb
import numpy as np

Array = np.ndarray

ANY, SAME, OPPOSITE = 0, 1, 2
"""Which pairs of signs a tile keeps."""


@nb.njit(cache=True, nogil=True)
def local_fit(times: Array, values: Array, at: Array, sigma: float, order: int, out: Array, gain: Array) -> None:
    """Local linear fit with Gaussian weights: its level (`order` 0) or slope (`order` 1) at given times.

    Away from the ends of evenly sampled times, the slope is the convolution with the derivative of a Gaussian.

    Parameters
    ----------
    times : float64 (T,)
        Increasing, seconds.
    values : float64 (T, n)
        No NaN.
    at : float64 (A,)
        Increasing, seconds.
    sigma : float
        Seconds; weights are cut at 4 sigma.
    order : int
    out : float64 (A, n)
        Receives the fit.
    gain : float64 (A,)
        Receives the 2-norm of the coefficients: how white noise of the samples is carried to `out`.
    """
    n = values.shape[1]
    lo = 0
    hi = 0
    # A sample exactly at the cut must count on either side, whatever the rounding of its time.
    reach = 4.0 * sigma * (1.0 + 1e-6)
    for a in range(at.shape[0]):
        now = at[a]
        while lo < times.shape[0] and times[lo] < now - reach:
            lo += 1
        hi = max(hi, lo)
        while hi < times.shape[0] and times[hi] <= now + reach:
            hi += 1
        s0 = s1 = s2 = 0.0
        for k in range(lo, hi):
            lag = (times[k] - now) / sigma
            weight = np.exp(-0.5 * lag * lag)
            s0 += weight
            s1 += weight * lag
            s2 += weight * lag * lag
        determinant = s0 * s2 - s1 * s1
        for i in range(n):
            out[a, i] = 0.0
        square = 0.0
        if hi - lo >= 2 and determinant > 0.0:
            for k in range(lo, hi):
                lag = (times[k] - now) / sigma
                weight = np.exp(-0.5 * lag * lag)
                if order == 1:
                    c = weight * (s0 * lag - s1) / determinant / sigma
                else:
                    c = weight * (s2 - s1 * lag) / determinant
                square += c * c
                for i in range(n):
                    out[a, i] += c * values[k, i]
        gain[a] = np.sqrt(square)


@nb.njit(cache=True, nogil=True)
def run_lengths(value: Array, breaks: Array, limit: int, ahead: Array, behind: Array) -> None:
    """Samples of the same non-zero sign from here on (`ahead`, this one included) and before (`behind`), cut at `limit`.

    Parameters
    ----------
    value : float32 (n, T)
        Only the sign counts.
    breaks : bool (n, T)
        True where a neuron's sample does not follow its predecessor.
    limit : int
    ahead, behind : unsigned integer (n, T)
        Filled; zero where the value is zero.
    """
    n, length = value.shape
    for i in range(n):
        count = 0
        for t in range(length):
            v = value[i, t]
            if v == 0.0:
                behind[i, t] = 0
                count = 0
                continue
            if t == 0 or breaks[i, t] or (value[i, t - 1] > 0.0) != (v > 0.0):
                count = 0
            behind[i, t] = min(count, limit)
            count += 1
        count = 0
        for t in range(length - 1, -1, -1):
            v = value[i, t]
            if v == 0.0:
                ahead[i, t] = 0
                count = 0
                continue
            if t + 1 < length and (breaks[i, t + 1] or (value[i, t + 1] > 0.0) != (v > 0.0)):
                count = 0
            count += 1
            ahead[i, t] = min(count, limit)


@nb.njit(cache=True, nogil=True)
def run_codes(value: Array, ahead: Array, behind: Array, min_run: int, code: Array) -> None:
    """Write a run's windows as bits, so that one AND tells whether two neurons run together for long enough.

    A joint run of `min_run` samples or more holds a window of exactly that many around t; bit k stands for the window that
    begins k samples before t, and is set where the neuron keeps its sign throughout. Rising neurons use the lower `min_run`
    bits, falling ones the next, so that neurons of different sign have no bit in common.

    Parameters
    ----------
    value : float32 (n, T)
        Only the sign counts.
    ahead, behind : unsigned integer (n, T)
        See `run_lengths`, cut at `min_run` or later.
    min_run : int
    code : unsigned integer (n, T) of 2 x `min_run` bits or more
        Filled.
    """
    for i in range(value.shape[0]):
        for t in range(value.shape[1]):
            bits = nb.uint64(0)
            for k in range(min_run):
                if behind[i, t] >= k and ahead[i, t] >= min_run - k:
                    bits |= nb.uint64(1) << nb.uint64(k)
            code[i, t] = bits << nb.uint64(min_run) if value[i, t] < 0.0 else bits


@nb.njit(cache=True, nogil=True)
def fill_coded_runs(out: Array, size: Array, code: Array, columns: Array, t0: int, min_run: int, signs: int) -> None:
    """Differential affinity of some pairs at some times, from codes.

    Where two neurons run together for `min_run` samples or more, the affinity is the smaller of the two strengths.

    Parameters
    ----------
    out : float32 (pairs, times)
        Filled.
    size : float32 (n, T)
        Strength of change, 0 to 1.
    code : unsigned integer (n, T)
        See `run_codes`.
    columns : int32 (pairs, 2)
        Rows of `size`.
    t0 : int
        Time of the first column of `out`.
    min_run : int
    signs : {ANY, SAME, OPPOSITE}
    """
    width = out.shape[1]
    mine = np.empty(width, code.dtype)
    low = (nb.uint64(1) << nb.uint64(min_run)) - nb.uint64(1)
    last = -1
    for p in range(out.shape[0]):
        i, j = columns[p, 0], columns[p, 1]
        if i != last:
            # the first neuron stays the same over many pairs: turn its code into what the second one must share
            for t in range(width):
                own = nb.uint64(code[i, t0 + t])
                turned = (own >> nb.uint64(min_run)) | ((own & low) << nb.uint64(min_run))
                mine[t] = own if signs == SAME else turned if signs == OPPOSITE else own | turned
            last = i
        si, sj, theirs = size[i, t0 : t0 + width], size[j, t0 : t0 + width], code[j, t0 : t0 + width]
        row = out[p]
        for t in range(width):
            both = min(si[t], sj[t])
            row[t] = both if (mine[t] & theirs[t]) != 0 else np.float32(0.0)


@nb.njit(cache=True, nogil=True)
def fill_long_runs(
    out: Array, value: Array, ahead: Array, behind: Array, columns: Array, t0: int, min_run: int, signs: int
) -> None:
    """Differential affinity of some pairs at some times, for runs too long for `run_codes`.

    The joint run around t lasts min(ahead_i, ahead_j) + min(behind_i, behind_j) samples, because a run of the pair ends where
    the first of the two ends. Where that is at least `min_run`, the affinity is the smaller of the two strengths.

    Parameters
    ----------
    out : float32 (pairs, times)
        Filled.
    value : float32 (n, T)
        Strength of change with its sign, -1 to 1.
    ahead, behind : unsigned integer (n, T)
        See `run_lengths`, cut at `min_run` or later.
    columns : int32 (pairs, 2)
        Rows of `value`.
    t0 : int
        Time of the first column of `out`.
    min_run : int
    signs : {ANY, SAME, OPPOSITE}
    """
    width = out.shape[1]
    for p in range(out.shape[0]):
        i, j = columns[p, 0], columns[p, 1]
        vi, vj = value[i, t0 : t0 + width], value[j, t0 : t0 + width]
        ai, aj = ahead[i, t0 : t0 + width], ahead[j, t0 : t0 + width]
        bi, bj = behind[i, t0 : t0 + width], behind[j, t0 : t0 + width]
        row = out[p]
        if signs == ANY:
            for t in range(width):
                run = min(ai[t], aj[t]) + min(bi[t], bj[t])
                both = min(abs(vi[t]), abs(vj[t]))
                row[t] = both if run >= min_run else np.float32(0.0)
        elif signs == SAME:
            for t in range(width):
                run = min(ai[t], aj[t]) + min(bi[t], bj[t])
                both = min(abs(vi[t]), abs(vj[t]))
                row[t] = both if (run >= min_run) & ((vi[t] > 0.0) == (vj[t] > 0.0)) else np.float32(0.0)
        else:
            for t in range(width):
                run = min(ai[t], aj[t]) + min(bi[t], bj[t])
                both = min(abs(vi[t]), abs(vj[t]))
                row[t] = both if (run >= min_run) & ((vi[t] > 0.0) != (vj[t] > 0.0)) else np.float32(0.0)


@nb.njit(cache=True, nogil=True)
def fill_products(out: Array, value: Array, columns: Array, t0: int, signs: int) -> None:
    """Product of two neurons' values: its size (ANY), positive part (SAME) or negative part (OPPOSITE).

    Parameters
    ----------
    out : float32 (pairs, times)
        Filled.
    value : float32 (n, T)
    columns : int32 (pairs, 2)
    t0, signs : int
    """
    width = out.shape[1]
    for p in range(out.shape[0]):
        vi = value[columns[p, 0], t0 : t0 + width]
        vj = value[columns[p, 1], t0 : t0 + width]
        row = out[p]
        if signs == ANY:
            for t in range(width):
                row[t] = abs(vi[t] * vj[t])
        elif signs == SAME:
            for t in range(width):
                row[t] = max(vi[t] * vj[t], np.float32(0.0))
        else:
            for t in range(width):
                row[t] = max(-(vi[t] * vj[t]), np.float32(0.0))


@nb.njit(cache=True, nogil=True)
def fill_correlations(
    out: Array, trace: Array, mean: Array, inverse: Array, lo: Array, hi: Array, columns: Array, t0: int, signs: int
) -> None:
    """Pearson correlation in a window around each time, from a running sum of products.

    Parameters
    ----------
    out : float32 (pairs, times)
        Filled.
    trace : float32 (n, samples)
        On the worm's own time; finite.
    mean, inverse : float64 (n, T)
        Mean of each neuron in the window of each time, and one over the root of its sum of squares there (0: no affinity).
    lo, hi : int32 (T,)
        The window [lo, hi) of each time, in samples.
    columns : int32 (pairs, 2)
    t0, signs : int
    """
    width = out.shape[1]
    for p in range(out.shape[0]):
        i, j = columns[p, 0], columns[p, 1]
        first, last = 0, 0
        total = 0.0
        for t in range(width):
            a, b = lo[t0 + t], hi[t0 + t]
            if a < first or b < last or a >= last:
                first, last = a, a
                total = 0.0
            while last < b:
                total += np.float64(trace[i, last]) * trace[j, last]
                last += 1
            while first < a:
                total -= np.float64(trace[i, first]) * trace[j, first]
                first += 1
            r = (total - (b - a) * mean[i, t0 + t] * mean[j, t0 + t]) * inverse[i, t0 + t] * inverse[j, t0 + t]
            if signs == ANY:
                r = abs(r)
            elif signs == OPPOSITE:
                r = -r
            out[p, t] = min(max(r, 0.0), 1.0)


@nb.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def bin_means(tile: Array, edges: Array, out: Array) -> None:
    """Means of a tile over bins of time.

    Parameters
    ----------
    tile : float32 (row, time)
    edges : int (bin + 1,)
        Columns at which bins begin, and the end.
    out : float32 (row, bin)
        Filled.
    """
    for row in range(tile.shape[0]):
        source, target = tile[row], out[row]
        for k in range(target.shape[0]):
            total = np.float32(0.0)
            for t in range(edges[k], edges[k + 1]):
                total += source[t]
            target[k] = total / np.float32(edges[k + 1] - edges[k])
