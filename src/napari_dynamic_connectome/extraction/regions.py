"""Which voxels belong to which neuron, and to the background around it, for labels that hold for all frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

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
    """

    index: np.ndarray
    offsets: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Voxels of every region in this box."""
        return np.diff(self.offsets)


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

    @classmethod
    def of_labels(cls, labels: np.ndarray, ids: np.ndarray) -> VoxelSets:
        """Voxels of every label in `ids` (sorted)."""
        flat = labels.reshape(-1)
        voxels = np.flatnonzero(flat)
        region = np.searchsorted(ids, flat[voxels])
        order = np.argsort(region, kind="stable")
        return cls(labels.shape, voxels[order], region[order], len(ids))

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
            result[box_key(box)] = Regions(index.astype(np.int64), offsets.astype(np.int64))
        return result


def box_key(box: Box) -> tuple[int, ...]:
    """Return the borders of a box as a tuple that can be a dictionary key."""
    return tuple(int(b) for s in box for b in (s.start, s.stop))
