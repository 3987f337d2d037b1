"""Compiled loops over voxels. They release the interpreter lock, so that blocks run in parallel on threads.

Every kernel sums in float64 and in a fixed order: the result does not depend on the number of threads. NaN and infinite
voxels, and voxels of the "missing" value, are counted and left out.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..model.sort_kernels import sort_values

NEGATIVE = -2
"""Status of `sum_labels` where a label is negative."""
PIECE = 1 << 13
"""Words that are searched for labels at a time: 64 kB, which stay in a core's own cache."""


@njit(nogil=True, cache=True)
def sum_runs(
    frames: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    offsets: np.ndarray,
    plain: bool,
    saturation: float,
    missing: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sum fixed sets of voxels in every frame.

    Parameters
    ----------
    frames : array (t, voxel)
    starts, lengths : array of int (run,)
        Voxels that lie side by side: the runs of region 0, then those of region 1, ...
    offsets : array (region + 1,)
        Where the runs of each region begin.
    plain : bool
        Whole numbers of at most four bytes without a missing value: nothing has to be left out.
    saturation, missing : float
        NaN where there is none.

    Returns
    -------
    sums : float64 (t, region)
    counts : int64 (t, region)
        Voxels that were summed.
    saturated : int64 (t, region)
    """
    n_t = frames.shape[0]
    n_regions = len(offsets) - 1
    sums = np.zeros((n_t, n_regions))
    counts = np.zeros((n_t, n_regions), np.int64)
    saturated = np.zeros((n_t, n_regions), np.int64)
    for t in range(n_t):
        row = frames[t]
        for r in range(n_regions):
            total = 0.0
            count = 0
            high = 0
            if plain:
                whole = np.int64(0)
                for i in range(offsets[r], offsets[r + 1]):
                    for k in range(starts[i], starts[i] + lengths[i]):
                        whole += np.int64(row[k])
                        high += row[k] >= saturation
                    count += lengths[i]
                total = float(whole)
            else:
                for i in range(offsets[r], offsets[r + 1]):
                    for k in range(starts[i], starts[i] + lengths[i]):
                        value = np.float64(row[k])
                        # written so that NaN and infinity fail the comparison
                        if value - value == 0.0 and value != missing:
                            total += value
                            count += 1
                            if value >= saturation:
                                high += 1
            sums[t, r] = total
            counts[t, r] = count
            saturated[t, r] = high
    return sums, counts, saturated


@njit(nogil=True, cache=True)
def find_labels(line: np.ndarray, found: np.ndarray) -> int:
    """Write the positions of the values that are not zero to `found`; return how many there are."""
    n = len(line)
    count = 0
    zero = line[0] & np.uint8(0)
    for first in range(0, n - 15, 16):
        # most of a volume is background: with a fixed length the compiler turns this into wide loads
        some = zero
        for k in range(16):
            some |= line[first + k]
        if some == 0:
            continue
        for k in range(first, first + 16):
            if line[k] != 0:
                found[count] = k
                count += 1
    for k in range(n - n % 16, n):
        if line[k] != 0:
            found[count] = k
            count += 1
    return count


@njit(nogil=True, cache=True)
def sum_labels(
    frames: np.ndarray,
    labels: np.ndarray,
    words: np.ndarray,
    n_x: int,
    n_y: int,
    size: int,
    saturation: float,
    missing: float,
) -> tuple[int, np.ndarray, np.ndarray]:
    """Sum the voxels of every label in every frame, in one pass.

    Labels are mostly background: they are looked at eight bytes at a time, and the image only where a label is.

    Parameters
    ----------
    frames, labels : array (t, voxel)
    words : uint64 array (t, voxel * label bytes // 8)
        The same memory as `labels`.
    n_x, n_y : int
        Length of a row, and rows of a plane.
    size : int
        Labels must be smaller.
    saturation, missing : float
        NaN where there is none.

    Returns
    -------
    status : int
        0; the largest label if it does not fit into `size`; NEGATIVE.
    real : float64 (t, size, 1)
        Sum of the image.
    whole : int64 (t, size, 6)
        Voxels summed, voxels of the label, saturated voxels, sums of z, y and x.
    """
    n_t, n = labels.shape
    real = np.zeros((n_t, size, 1))
    whole = np.zeros((n_t, size, 6), np.int64)
    n_words = words.shape[1]
    per_word = n // n_words if n_words else 1
    n_units = n_words if n_words else n
    # piece by piece, so that labels are still in the cache when their voxels are summed
    found = np.empty(min(PIECE, n_units), np.int64)
    status = 0
    for t in range(n_t):
        image, ids = frames[t], labels[t]
        for begin in range(0, n_units, PIECE):
            end = min(begin + PIECE, n_units)
            n_found = find_labels(words[t, begin:end], found) if n_words else find_labels(ids[begin:end], found)
            i = 0
            while i < n_found:
                k = (begin + found[i]) * per_word
                i += 1
                while i < n_found and found[i] == found[i - 1] + 1:
                    i += 1
                last = (begin + found[i - 1] + 1) * per_word
                while k < last:
                    label = np.int64(ids[k])
                    if label == 0:
                        k += 1
                        continue
                    if label < 0:
                        return NEGATIVE, real, whole
                    # voxels of one label stand side by side: position and cell are worked out once a run within a row
                    start = k
                    row = k // n_x
                    x = k - row * n_x
                    stop = min(last, k + n_x - x)
                    total, count, high = 0.0, 0, 0
                    while k < stop and ids[k] == label:
                        value = np.float64(image[k])
                        # written so that NaN and infinity fail the comparison
                        if value - value == 0.0 and value != missing:
                            total += value
                            count += 1
                            if value >= saturation:
                                high += 1
                        k += 1
                    if label >= size:
                        status = max(status, int(label))
                        continue
                    length = k - start
                    z = row // n_y
                    real[t, label, 0] += total
                    cell = whole[t, label]
                    cell[0] += count
                    cell[1] += length
                    cell[2] += high
                    cell[3] += z * length
                    cell[4] += (row - z * n_y) * length
                    cell[5] += x * length + length * (length - 1) // 2
    return status, real, whole


TILE = 16
"""Voxels along x and y that are turned together: what is read and what is written both fit into the cache."""


@njit(nogil=True, cache=True)
def turn(stored: np.ndarray) -> np.ndarray:
    """Turn (t, x, y, z) into a contiguous (t, z, y, x), tile by tile: three times as fast as numpy's copy."""
    n_t, n_x, n_y, n_z = stored.shape
    result = np.empty((n_t, n_z, n_y, n_x), stored.dtype)
    for t in range(n_t):
        for y0 in range(0, n_y, TILE):
            y1 = min(y0 + TILE, n_y)
            for x0 in range(0, n_x, TILE):
                x1 = min(x0 + TILE, n_x)
                for z in range(n_z):
                    for y in range(y0, y1):
                        for x in range(x0, x1):
                            result[t, z, y, x] = stored[t, x, y, z]
    return result


@njit(nogil=True, cache=True)
def any_label(flat: np.ndarray) -> bool:
    """Whether any value is not zero; stops at the first."""
    for value in flat:  # noqa: SIM110 (numba compiles the loop, not any())
        if value != 0:
            return True
    return False


@njit(nogil=True, cache=True)
def reduce_regions(
    frames: np.ndarray, offsets: np.ndarray, kind: int, trim: float, saturation: float, missing: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reduce voxels that already stand in the order of their regions.

    Parameters
    ----------
    frames : array (t, voxel)
    offsets : array (region + 1,)
    kind : int
        0 mean, 1 median, 2 trimmed mean, 3 sum.
    trim : float
        Share cut from either end for kind 2; `int(trim * n)` voxels, as scipy.stats.trim_mean does.
    saturation, missing : float
        NaN where there is none.

    Returns
    -------
    results : float64 (t, region)
        NaN for regions without voxels.
    counts, saturated : int64 (t, region)
    """
    n_t = frames.shape[0]
    n_regions = len(offsets) - 1
    results = np.full((n_t, n_regions), np.nan)
    counts = np.zeros((n_t, n_regions), np.int64)
    saturated = np.zeros((n_t, n_regions), np.int64)
    largest = 0
    for r in range(n_regions):
        largest = max(largest, offsets[r + 1] - offsets[r])
    good = np.empty(largest)
    other = np.empty(largest)
    for t in range(n_t):
        for r in range(n_regions):
            n = 0
            for k in range(offsets[r], offsets[r + 1]):
                value = np.float64(frames[t, k])
                if value - value == 0.0 and value != missing:
                    good[n] = value
                    n += 1
                    if value >= saturation:
                        saturated[t, r] += 1
            counts[t, r] = n
            if n == 0:
                continue
            first = 0
            last = n
            if kind == 1:
                sort_values(good[:n], other)
                results[t, r] = 0.5 * (good[(n - 1) // 2] + good[n // 2])
                continue
            if kind == 2:
                sort_values(good[:n], other)
                first = int(trim * n)
                last = n - first
            total = 0.0
            for k in range(first, last):
                total += good[k]
            results[t, r] = total if kind == 3 else total / (last - first)
    return results, counts, saturated


@njit(nogil=True, cache=True)
def count_values(frames: np.ndarray, low: int, counts: np.ndarray) -> None:
    """Add the histogram of every frame (t, voxel) to `counts` (t, value - low)."""
    for t in range(frames.shape[0]):
        row = counts[t]
        for value in frames[t]:
            row[np.int64(value) - low] += 1


@njit(nogil=True, cache=True)
def _spread(square: np.ndarray, axis: int, reach: int, step: float) -> np.ndarray:
    """One axis of a squared distance transform that looks `reach` voxels far."""
    n_z, n_y, n_x = square.shape
    result = square.copy()
    for z in range(n_z):
        for y in range(n_y):
            for x in range(n_x):
                at = z if axis == 0 else (y if axis == 1 else x)
                n = n_z if axis == 0 else (n_y if axis == 1 else n_x)
                best = square[z, y, x]
                for other in range(max(at - reach, 0), min(at + reach + 1, n)):
                    if axis == 0:
                        value = square[other, y, x]
                    elif axis == 1:
                        value = square[z, other, x]
                    else:
                        value = square[z, y, other]
                    if value < best:
                        value += ((other - at) * step) ** 2
                        best = min(best, value)
                result[z, y, x] = best
    return result


@njit(nogil=True, cache=True)
def _squared_distance(inside: np.ndarray, size: np.ndarray, reach: float) -> np.ndarray:
    """Squared distance to the nearest True voxel; right up to `reach`, infinite or too large beyond."""
    square = np.where(inside, 0.0, np.inf)
    for axis in range(2, -1, -1):
        square = _spread(square, axis, int(np.ceil(reach / size[axis])), size[axis])
    return square


@njit(nogil=True, cache=True)
def annulus_voxels(
    numbers: np.ndarray, n: int, size: np.ndarray, inner: float, outer: float, gap: float
) -> tuple[np.ndarray, np.ndarray]:
    """Voxels around each of the neurons 1..n of `numbers` (z, y, x); see `regions.find_annuli`.

    Returns
    -------
    voxels : int64 array
        Flat voxel numbers, neuron after neuron.
    sizes : int64 array (n,)
    """
    n_z, n_y, n_x = numbers.shape
    low = np.full((n, 3), 1 << 60, np.int64)
    high = np.full((n, 3), -1, np.int64)
    for z in range(n_z):
        for y in range(n_y):
            for x in range(n_x):
                number = numbers[z, y, x]
                if number:
                    at = (z, y, x)
                    for axis in range(3):
                        low[number - 1, axis] = min(low[number - 1, axis], at[axis])
                        high[number - 1, axis] = max(high[number - 1, axis], at[axis])
    # a hair of tolerance: 3 voxels of 0.1 um are not to fall short of 0.3 um by rounding
    inner2 = inner * inner * (1 + 1e-9)
    outer2 = outer * outer * (1 + 1e-9)
    gap2 = gap * gap * (1 - 1e-9)
    # another neuron that matters lies within the gap of a voxel of the annulus
    reach = outer + gap
    found = np.empty(1024, np.int64)
    total = 0
    sizes = np.zeros(n, np.int64)
    for i in range(n):
        if high[i, 0] < 0:
            continue
        start = np.zeros(3, np.int64)
        stop = np.zeros(3, np.int64)
        for axis in range(3):
            margin = int(np.ceil(reach / size[axis]))
            start[axis] = max(low[i, axis] - margin, 0)
            stop[axis] = min(high[i, axis] + margin + 1, numbers.shape[axis])
        part = numbers[start[0] : stop[0], start[1] : stop[1], start[2] : stop[2]]
        mine = _squared_distance(part == i + 1, size, outer)
        others = _squared_distance((part != 0) & (part != i + 1), size, gap)
        for z in range(part.shape[0]):
            for y in range(part.shape[1]):
                for x in range(part.shape[2]):
                    d2 = mine[z, y, x]
                    if part[z, y, x] == 0 and inner2 < d2 <= outer2 and others[z, y, x] >= gap2:
                        if total == len(found):
                            bigger = np.empty(2 * total, np.int64)
                            bigger[:total] = found
                            found = bigger
                        found[total] = ((z + start[0]) * n_y + (y + start[1])) * n_x + (x + start[2])
                        total += 1
                        sizes[i] += 1
    return found[:total].copy(), sizes
