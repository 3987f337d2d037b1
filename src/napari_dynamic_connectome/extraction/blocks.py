"""Blocks of a series, cut so that every stored chunk is read once, and small chunks are read together."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .sources import Box, VoxelSource


@dataclass(frozen=True)
class Block:
    """One unit of work: some frames, and the boxes (z, y, x) of them that are read one after the other.

    Parameters
    ----------
    number : int
        Order of the block; partial sums are added in this order.
    start, stop : int
        Frames.
    boxes : tuple of Box
        Boxes in space.
    slab : int
        Which stretch of frames this is; the blocks of one slab are added up.
    """

    number: int
    start: int
    stop: int
    boxes: tuple[Box, ...]
    slab: int

    def full(self, box: Box) -> Box:
        """Box (t, z, y, x) of one of the boxes in space."""
        return (slice(self.start, self.stop), *box)


def plan_blocks(
    sources: Sequence[VoxelSource], *, block_bytes: float, whole_frames: bool, max_bytes: float
) -> list[Block]:
    """Cut a series into blocks along borders that all sources share.

    Parameters
    ----------
    sources : sequence of VoxelSource
        The volume first, then whatever is read beside it (labels of every frame, a reference channel).
    block_bytes : float
        Neighbouring cells are joined up to this size.
    whole_frames : bool
        All boxes of a stretch of frames form one block (for medians, which cannot be added up).
    max_bytes : float
        If the shared cells are larger than this although the volume's own chunks are not, the volume's are used, and
        what lies across them in the other sources is read twice.

    Returns
    -------
    list of Block
    """
    shape = sources[0].shape
    voxel = sum(s.dtype.itemsize for s in sources)
    edges = [_common([s.edges(axis) for s in sources], shape[axis], free=axis == 0) for axis in range(4)]
    if _cell_bytes(edges, voxel) > max_bytes:
        own = [_common([sources[0].edges(axis)], shape[axis], free=axis == 0) for axis in range(4)]
        if _cell_bytes(own, voxel) < _cell_bytes(edges, voxel):
            edges = own
    for axis in (3, 2, 1, 0):
        if axis == 0 and any(len(edges[a]) > 2 for a in (1, 2, 3)) and not whole_frames:
            break
        frame_bytes = voxel * float(np.prod(shape[1:])) if axis == 0 else None
        edges[axis] = _join(edges, axis, voxel, block_bytes, frame_bytes)
    boxes = [
        (slice(int(z0), int(z1)), slice(int(y0), int(y1)), slice(int(x0), int(x1)))
        for z0, z1 in _pairs(edges[1])
        for y0, y1 in _pairs(edges[2])
        for x0, x1 in _pairs(edges[3])
    ]
    blocks: list[Block] = []
    for slab, (start, stop) in enumerate(_pairs(edges[0])):
        for group in [tuple(boxes)] if whole_frames else [(box,) for box in boxes]:
            blocks.append(Block(len(blocks), int(start), int(stop), group, slab))
    return blocks


def _common(lists: Sequence[np.ndarray | None], n: int, *, free: bool) -> np.ndarray:
    known = [e for e in lists if e is not None]
    if not known:
        # nothing is stored in chunks: any frame can be read alone, and a frame is read whole
        return np.arange(n + 1) if free else np.array([0, n])
    shared = known[0]
    for other in known[1:]:
        shared = np.intersect1d(shared, other)
    return np.asarray(np.unique(shared), np.int64)


def _pairs(edges: np.ndarray) -> list[tuple[int, int]]:
    return [(int(a), int(b)) for a, b in itertools.pairwise(edges)]


def _cell_bytes(edges: Sequence[np.ndarray], voxel: int) -> float:
    return float(voxel * np.prod([float(np.diff(e).max()) for e in edges]))


def _join(
    edges: Sequence[np.ndarray], axis: int, voxel: int, block_bytes: float, frame_bytes: float | None
) -> np.ndarray:
    """Join neighbouring cells along an axis as long as the largest cell stays within `block_bytes`."""
    mine = edges[axis]
    others = float(np.prod([float(np.diff(e).max()) for a, e in enumerate(edges) if a != axis])) * voxel
    if frame_bytes is not None:
        others = frame_bytes
    kept = [int(mine[0])]
    for i in range(1, len(mine) - 1):
        if (int(mine[i + 1]) - kept[-1]) * others > block_bytes:
            kept.append(int(mine[i]))
    kept.append(int(mine[-1]))
    return np.asarray(kept, np.int64)
