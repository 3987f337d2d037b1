"""Compiled loops over voxels. They release the interpreter lock, so that blocks run in parallel on threads.

Every kernel sums in float64 and in a fixed order: the result does not depend on the number of threads. NaN and infinite
voxels, and voxels of the "missing" value, are counted and left out.
"""

from __future__ import annotations

import numpy as np
from numba import njit

NEGATIVE = -2
"""Status of `sum_labels` where a label is negative."""


@njit(nogil=True, cache=True)
def sum_regions(
    frames: np.ndarray, index: np.ndarray, offsets: np.ndarray, saturation: float, missing: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sum fixed sets of voxels in every frame.

    Parameters
    ----------
    frames : array (t, voxel)
    index : array of int
        Voxels of region 0, then of region 1, ...
    offsets : array (region + 1,)
        Where each region starts in `index`.
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
            for k in range(offsets[r], offsets[r + 1]):
                value = np.float64(row[index[k]])
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
    status = 0
    plane = n_x * n_y
    for t in range(n_t):
        line = words[t]
        w = 0
        while w < n_words:
            # whole stretches of background first: the compiler turns this into wide loads
            while w + 8 <= n_words:
                if (
                    line[w]
                    | line[w + 1]
                    | line[w + 2]
                    | line[w + 3]
                    | line[w + 4]
                    | line[w + 5]
                    | line[w + 6]
                    | line[w + 7]
                ) != 0:
                    break
                w += 8
            if w >= n_words:
                break
            stop = min(w + 8, n_words)
            while w < stop:
                if line[w] != 0:
                    for k in range(w * per_word, (w + 1) * per_word):
                        label = np.int64(labels[t, k])
                        if label == 0:
                            continue
                        if label < 0:
                            return NEGATIVE, real, whole
                        if label >= size:
                            status = max(status, int(label))
                            continue
                        value = np.float64(frames[t, k])
                        cell = whole[t, label]
                        cell[1] += 1
                        z = k // plane
                        rest = k - z * plane
                        y = rest // n_x
                        cell[3] += z
                        cell[4] += y
                        cell[5] += rest - y * n_x
                        if value - value == 0.0 and value != missing:
                            real[t, label, 0] += value
                            cell[0] += 1
                            if value >= saturation:
                                cell[2] += 1
                w += 1
        for k in range(n_words * per_word, n):
            label = np.int64(labels[t, k])
            if label == 0:
                continue
            if label < 0:
                return NEGATIVE, real, whole
            if label >= size:
                status = max(status, int(label))
                continue
            value = np.float64(frames[t, k])
            cell = whole[t, label]
            cell[1] += 1
            z = k // plane
            rest = k - z * plane
            y = rest // n_x
            cell[3] += z
            cell[4] += y
            cell[5] += rest - y * n_x
            if value - value == 0.0 and value != missing:
                real[t, label, 0] += value
                cell[0] += 1
                if value >= saturation:
                    cell[2] += 1
    return status, real, whole
