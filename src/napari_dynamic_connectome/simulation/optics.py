"""Compiled kernels that draw nuclei, labels and camera noise into one frame. The same bits for any number of threads."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

Array = np.ndarray

_EDGE_STEPS = 2048
_EDGE_RANGE = 4.0


def edge_table() -> Array:
    """Profile of a sharp edge seen through a Gaussian blur: 0.5 erfc(q / sqrt 2) for q from -4 to 4."""
    from scipy.special import erfc

    q = np.linspace(-_EDGE_RANGE, _EDGE_RANGE, _EDGE_STEPS + 1)
    return np.asarray(0.5 * erfc(q / np.sqrt(2.0)), np.float32)


def normal_table() -> Array:
    """Quantiles of the standard normal distribution at 65,536 evenly spaced probabilities, scaled to variance 1."""
    from scipy.special import ndtri

    table = ndtri((np.arange(65_536) + 0.5) / 65_536)
    return np.asarray(table / table.std(), np.float32)


def plain_table(background: float, counts_per_photon: float, read_noise: float, normals: Array) -> Array:
    """Camera counts (uint16) of a voxel of the background for every entry of `normal_table`, worked out as in `expose`."""
    mean, variance = np.float32(background), np.float32(read_noise * read_noise)
    counts = mean + np.sqrt(np.float32(counts_per_photon) * mean + variance) * normals + np.float32(0.5)
    return np.asarray(np.clip(counts, 0, 65535), np.uint16)


@numba.njit(cache=True, nogil=True)
def draw_nuclei(
    frame: Any, centres: Any, amplitudes: Any, voxel: Any, radius: float, blur: Any, table: Any
) -> None:  # pragma: no cover
    """Add blurred balls to a frame.

    Parameters
    ----------
    frame : float32 array (z, y, x), changed in place
    centres : float64 array (neuron, 3), micrometres
    amplitudes : float32 array (neuron,), counts
    voxel : float64 array (3,), micrometres
    radius : float, micrometres
    blur : float64 array (3,)
        Standard deviation of the blur along each axis. The edge is blurred with the deviation along its normal.
    table : float32 array from `edge_table`
    """
    steps = table.shape[0] - 1
    per = steps / (2.0 * 4.0)
    sz, sy, sx = blur[0] ** 2, blur[1] ** 2, blur[2] ** 2
    for i in range(centres.shape[0]):
        cz, cy, cx = centres[i, 0], centres[i, 1], centres[i, 2]
        z0 = max(0, int(np.ceil((cz - radius - 4.0 * blur[0]) / voxel[0])))
        z1 = min(frame.shape[0] - 1, int(np.floor((cz + radius + 4.0 * blur[0]) / voxel[0])))
        y0 = max(0, int(np.ceil((cy - radius - 4.0 * blur[1]) / voxel[1])))
        y1 = min(frame.shape[1] - 1, int(np.floor((cy + radius + 4.0 * blur[1]) / voxel[1])))
        x0 = max(0, int(np.ceil((cx - radius - 4.0 * blur[2]) / voxel[2])))
        x1 = min(frame.shape[2] - 1, int(np.floor((cx + radius + 4.0 * blur[2]) / voxel[2])))
        for z in range(z0, z1 + 1):
            dz = (z * voxel[0] - cz) ** 2
            for y in range(y0, y1 + 1):
                dy = (y * voxel[1] - cy) ** 2
                for x in range(x0, x1 + 1):
                    dx = (x * voxel[2] - cx) ** 2
                    squared = dz + dy + dx + 1e-12
                    distance = np.sqrt(squared)
                    sigma = np.sqrt((dz * sz + dy * sy + dx * sx) / squared + 1e-12)
                    # Blurring moves the edge of a ball inwards by about sigma^2 / radius, as it is curved.
                    q = ((distance - radius + sigma * sigma / radius) / sigma + 4.0) * per
                    if q < steps:
                        if q <= 0.0:
                            frame[z, y, x] += amplitudes[i]
                        else:
                            k = int(q)
                            part = q - k
                            frame[z, y, x] += amplitudes[i] * (table[k] * (1.0 - part) + table[k + 1] * part)


@numba.njit(cache=True, nogil=True)
def draw_labels(
    labels: Any, nearest: Any, centres: Any, ids: Any, voxel: Any, radius: float
) -> None:  # pragma: no cover
    """Write label ids into a zeroed frame; where two balls overlap, the nearer centre wins; each has a voxel at least.

    Parameters
    ----------
    labels : unsigned integer array (z, y, x), changed in place
    nearest : float32 array (z, y, x), scratch
    centres, ids, voxel, radius
        As in `draw_nuclei`; `ids` has the dtype of `labels`.
    """
    for i in range(centres.shape[0]):
        cz, cy, cx = centres[i, 0], centres[i, 1], centres[i, 2]
        z0 = max(0, int(np.ceil((cz - radius) / voxel[0])))
        z1 = min(labels.shape[0] - 1, int(np.floor((cz + radius) / voxel[0])))
        y0 = max(0, int(np.ceil((cy - radius) / voxel[1])))
        y1 = min(labels.shape[1] - 1, int(np.floor((cy + radius) / voxel[1])))
        x0 = max(0, int(np.ceil((cx - radius) / voxel[2])))
        x1 = min(labels.shape[2] - 1, int(np.floor((cx + radius) / voxel[2])))
        for z in range(z0, z1 + 1):
            for y in range(y0, y1 + 1):
                for x in range(x0, x1 + 1):
                    squared = (z * voxel[0] - cz) ** 2 + (y * voxel[1] - cy) ** 2 + (x * voxel[2] - cx) ** 2
                    if squared <= radius * radius and (labels[z, y, x] == 0 or squared < nearest[z, y, x]):
                        labels[z, y, x] = ids[i]
                        nearest[z, y, x] = squared
    for i in range(centres.shape[0]):
        z = min(max(int(np.round(centres[i, 0] / voxel[0])), 0), labels.shape[0] - 1)
        y = min(max(int(np.round(centres[i, 1] / voxel[1])), 0), labels.shape[1] - 1)
        x = min(max(int(np.round(centres[i, 2] / voxel[2])), 0), labels.shape[2] - 1)
        labels[z, y, x] = ids[i]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def expose(
    frame: Any,
    out: Any,
    counts_per_photon: float,
    read_noise: float,
    seed: Any,
    table: Any,
    background: Any,
    plain: Any,
) -> None:  # pragma: no cover
    """Turn mean counts into camera counts: photon noise (its normal limit), read noise, rounding, saturation.

    Each row of voxels has a random stream of its own (SplitMix64; Steele, Lea & Flood 2014) that depends on `seed` and on
    the row only, so that frames can be drawn in any order. Every number of a stream has the noise of four voxels.

    Parameters
    ----------
    frame : float32 array (z, y, x)
        Changed in place: background everywhere afterwards, for the next frame to be drawn into.
    out : uint16 array (z, y, x), written
    counts_per_photon, read_noise : float
        The variance of a voxel is counts_per_photon x mean + read_noise^2.
    seed : uint64
    table : float32 array from `normal_table`
    background : float32
        Mean counts where no nucleus is: nearly everywhere.
    plain : uint16 array from `plain_table`
    """
    rows, columns = frame.shape[0] * frame.shape[1], frame.shape[2]
    means, counts = frame.reshape(rows, columns), out.reshape(rows, columns)
    gain, variance = np.float32(counts_per_photon), np.float32(read_noise * read_noise)
    golden, low = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xFFFF)
    for row in range(rows):
        state = (seed ^ (np.uint64(row + 1) * np.uint64(0xD1342543DE82EF95))) * np.uint64(0xBF58476D1CE4E5B9)
        for start in range(0, columns, 4):
            state += golden
            bits = state
            bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            bits = bits ^ (bits >> np.uint64(31))
            if (
                start + 4 <= columns
                and means[row, start] == background
                and means[row, start + 1] == background
                and means[row, start + 2] == background
                and means[row, start + 3] == background
            ):
                counts[row, start] = plain[bits & low]
                counts[row, start + 1] = plain[(bits >> np.uint64(16)) & low]
                counts[row, start + 2] = plain[(bits >> np.uint64(32)) & low]
                counts[row, start + 3] = plain[bits >> np.uint64(48)]
                continue
            for column in range(start, min(start + 4, columns)):
                mean = means[row, column]
                value = mean + np.sqrt(gain * mean + variance) * table[bits & low] + np.float32(0.5)
                bits = bits >> np.uint64(16)
                counts[row, column] = np.uint16(min(max(value, np.float32(0.0)), np.float32(65535.0)))
                means[row, column] = background
