"""Memory maps of which only small parts are read: without the system reading ahead, which fetches many times what is wanted."""

from __future__ import annotations

import mmap
import os

import numpy as np

FEW = 0.25
"""Up to this share of the rows between the first and the last voxel, little of what would be read ahead is wanted."""


def without_ahead(array: np.memmap) -> np.memmap:
    """Tell the system not to read ahead in a map of its own; return it.

    Cold, a box of 5 x 20 x 20 voxels in each of 1,000 frames took 19 s with it and 0.3 s without (a virtual disk).
    """
    held = getattr(array, "_mmap", None)
    if held is not None and hasattr(held, "madvise") and hasattr(mmap, "MADV_RANDOM"):
        held.madvise(mmap.MADV_RANDOM)
    return array


def own_map(array: np.memmap) -> np.memmap:
    """Map the file of a memory map once more, for reading small parts of it."""
    made: np.memmap = np.memmap(
        os.fspath(array.filename or ""), dtype=array.dtype, mode="r", offset=array.offset, shape=array.shape
    )
    return without_ahead(made)


def is_sparse(shape: tuple[int, ...], box: object) -> bool:
    """Whether a box (a tuple of slices, as long as the shape) holds few of the voxels that lie between its ends."""
    if not isinstance(box, tuple) or len(box) != len(shape) or not all(isinstance(s, slice) for s in box):
        return False
    ranges = [range(*s.indices(n)) for s, n in zip(box, shape, strict=True)]
    if not all(ranges):
        return False
    strides = np.cumprod([1, *shape[:0:-1]])[::-1]
    span = sum(int(s) * (r[-1] - r[0]) for s, r in zip(strides, ranges, strict=True)) + 1
    return bool(int(np.prod([len(r) for r in ranges])) <= FEW * span)
