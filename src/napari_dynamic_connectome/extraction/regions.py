"""Regions of voxels that belong to each neuron, and to the background around it, for labels that hold for all frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from .settings import ExtractionSettings
from .sources import Box


@dataclass(frozen=True, eq=False)
class Regions:
    """Sets of voxels of one box.

    Parameters
    ----------
    index : int64 array
        Flat voxel numbers within the box, region after region.
    offsets : int64 array (region + 1,)
        Where each region starts in `index`.
    place : int64 array
        Where each voxel stands in the list of all boxes.
    """

    index: np.ndarray
    offsets: np.ndarray
    place: np.ndarray
    _runs: dict[tuple[int, ...], tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=dict, repr=False)

    @property
    def sizes(self) -> np.ndarray:
        """Voxels of every region in this box."""
        return np.diff(self.offsets)

    def runs(self, order: tuple[int, ...], shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the voxels as runs of neighbours in memory: starts, lengths, and where each region's runs begin.

        Parameters
        ----------
        order : tuple of int
            Order of the axes z, y, x in memory, slowest first.
        shape : tuple of int
            Of the box (z, y, x).
        """
        if order not in self._runs:
            index = self.index
            region = np.repeat(np.arange(len(self.sizes)), self.sizes)
            if order != (0, 1, 2):
                parts = np.unravel_index(index, shape)
                index = np.ravel_multi_index([parts[axis] for axis in order], [shape[axis] for axis in order])
            index = index[np.lexsort((index, region))]
            first = np.ones(len(index), bool)
            first[1:] = (np.diff(index) != 1) | (np.diff(region) != 0)
            begin = np.flatnonzero(first)
            lengths = np.diff(np.append(begin, len(index)))
            offsets = np.searchsorted(begin, self.offsets).astype(np.int64)
            self._runs[order] = index[begin].astype(np.int64), lengths.astype(np.int64), offsets
        return self._runs[order]


@dataclass(frozen=True, eq=False)
class VoxelSets:
    """Sets of voxels of a whole volume, as (voxel, region) lists sorted by region, then voxel.

    Parameters
    ----------
    shape : tuple of int
        (z, y, x).
    voxels : int64 array
        Flat voxel numbers.
    region : int64 array
        Region of each, from 0.
    n_regions : int
    """

    shape: tuple[int, ...]
    voxels: np.ndarray
    region: np.ndarray
    n_regions: int

    @property
    def sizes(self) -> np.ndarray:
        """Voxels of every region."""
        return np.bincount(self.region, minlength=self.n_regions)

    def centroids(self) -> np.ndarray:
        """Mean voxel position (region, 3) as (z, y, x), in voxels."""
        sizes = np.maximum(self.sizes, 1)
        parts = np.unravel_index(self.voxels, self.shape)
        return np.stack([np.bincount(self.region, weights=p, minlength=self.n_regions) / sizes for p in parts], axis=1)

    def in_boxes(self, boxes: Iterable[Box]) -> dict[tuple[int, ...], Regions]:
        """Cut the sets into boxes; the key of a box is its six borders."""
        z, y, x = np.unravel_index(self.voxels, self.shape)
        result = {}
        for box in boxes:
            zs, ys, xs = box
            inside = (z >= zs.start) & (z < zs.stop) & (y >= ys.start) & (y < ys.stop) & (x >= xs.start) & (x < xs.stop)
            n_y, n_x = ys.stop - ys.start, xs.stop - xs.start
            index = ((z[inside] - zs.start) * n_y + (y[inside] - ys.start)) * n_x + (x[inside] - xs.start)
            offsets = np.concatenate([[0], np.cumsum(np.bincount(self.region[inside], minlength=self.n_regions))])
            result[box_key(box)] = Regions(index.astype(np.int64), offsets.astype(np.int64), np.flatnonzero(inside))
        return result


def labelled_voxels(flat: np.ndarray) -> np.ndarray:
    """Return the positions of the labels that are not 0, as numpy.flatnonzero does, in a tenth of its time."""
    from .kernels import find_labels

    line, per = as_words(flat[None])[0], 1
    if len(line):
        per = len(flat) // len(line)
    else:
        line = flat
    found = np.empty(len(line), np.int64)
    found = found[: find_labels(line, found)]
    if per == 1:
        return found
    voxels = (found[:, None] * per + np.arange(per)).reshape(-1)
    return np.asarray(voxels[flat[voxels] != 0])


def as_words(rows: np.ndarray) -> np.ndarray:
    """View the rows of a contiguous array as 8-byte words, or as rows without words if their length does not allow it."""
    if rows.shape[1] * rows.itemsize % 8:
        return np.zeros((len(rows), 0), np.uint64)
    return rows.view(np.uint64)


def find_annuli(
    labels: np.ndarray, ids: np.ndarray, voxel_size_um: tuple[float, float, float], settings: ExtractionSettings
) -> VoxelSets:
    """Voxels of background around every neuron.

    A voxel belongs to the annulus of a neuron if its distance to the nearest voxel of the neuron is more than
    `annulus_inner_um` and at most `annulus_outer_um`, if no neuron holds it, and if every other neuron is at least
    `annulus_gap_um` away. Distances are Euclidean, between voxel centres.

    Parameters
    ----------
    labels : array (z, y, x)
    ids : array of int
        Sorted.
    voxel_size_um : tuple of float
    settings : ExtractionSettings

    Returns
    -------
    VoxelSets
        A neuron without free voxels around it has none: its background is then not known (NaN).
    """
    from .kernels import annulus_voxels

    numbers = np.zeros(labels.shape, np.int32)
    inside = np.nonzero(labels)
    numbers[inside] = np.searchsorted(ids, labels[inside]) + 1
    voxels, sizes = annulus_voxels(
        numbers,
        len(ids),
        np.asarray(voxel_size_um, float),
        settings.annulus_inner_um,
        settings.annulus_outer_um,
        settings.annulus_gap_um,
    )
    return VoxelSets(labels.shape, voxels, np.repeat(np.arange(len(ids)), sizes), len(ids))


def box_key(box: Box) -> tuple[int, ...]:
    """Return the borders of a box as a tuple that can be a dictionary key."""
    return tuple(int(b) for s in box for b in (s.start, s.stop))
