"""Chunks of an HDF5 dataset, decompressed on as many cores as there are threads.

The HDF5 library does one thing at a time, decompression included. Here it only hands out the stored bytes; what takes the time
is done outside its lock. Known are deflate (gzip), shuffle and fletcher32, in any combination; for others h5py reads.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

DEFLATE, SHUFFLE, FLETCHER32 = 1, 2, 3


class ChunkReader:
    """Reads boxes of one dataset chunk by chunk.

    Parameters
    ----------
    dataset : h5py.Dataset
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.chunks = tuple(int(n) for n in dataset.chunks or ())
        self.shape = tuple(int(n) for n in dataset.shape)
        self.dtype = np.dtype(dataset.dtype)
        self.n_bytes = math.prod(self.chunks) * self.dtype.itemsize
        plist = dataset.id.get_create_plist()
        self.filters = [int(plist.get_filter(i)[0]) for i in range(plist.get_nfilters())]

    @property
    def usable(self) -> bool:
        """Whether this dataset is compressed, and only with what is known here."""
        return (
            bool(self.chunks)
            and DEFLATE in self.filters
            and set(self.filters) <= {DEFLATE, SHUFFLE, FLETCHER32}
            and self.dtype.kind in "uif"
        )

    def read(self, box: tuple[slice, ...]) -> np.ndarray:
        """Return a box; slices have start, stop and no step.

        Parameters
        ----------
        box : tuple of slice
            One an axis, within the dataset.
        """
        result = np.empty([s.stop - s.start for s in box], self.dtype)
        grid = [
            range(s.start // c, -(-s.stop // c)) if s.stop > s.start else range(0) for s, c in zip(box, self.chunks)
        ]
        for place in itertools.product(*grid):
            start = tuple(p * c for p, c in zip(place, self.chunks))
            inside = [slice(max(s.start, a), min(s.stop, a + c)) for s, a, c in zip(box, start, self.chunks)]
            target = tuple(slice(i.start - s.start, i.stop - s.start) for i, s in zip(inside, box))
            try:
                skipped, packed = self.dataset.id.read_direct_chunk(start)
            except (OSError, RuntimeError):  # never written: h5py knows the value that stands for it
                result[target] = self.dataset[tuple(inside)]
                continue
            part = tuple(slice(i.start - a, i.stop - a) for i, a in zip(inside, start))
            result[target] = self._decode(packed, int(skipped))[part]
        return result

    def _decode(self, packed: bytes, skipped: int) -> np.ndarray:
        """Undo the filters, the last first; bits of `skipped` say which were left out for this chunk."""
        data: Any = packed
        for index in reversed(range(len(self.filters))):
            if skipped >> index & 1:
                continue
            code = self.filters[index]
            if code == DEFLATE:
                data = _inflate(data, self.n_bytes + 4 * (FLETCHER32 in self.filters[:index]))
            elif code == FLETCHER32:
                data = memoryview(data)[:-4]
            elif self.dtype.itemsize > 1:
                planes = np.frombuffer(data, np.uint8).reshape(self.dtype.itemsize, -1)
                data = np.ascontiguousarray(planes.T)
        if memoryview(data).nbytes != self.n_bytes:
            raise ValueError(f"a chunk holds {memoryview(data).nbytes} bytes instead of {self.n_bytes}")
        return np.frombuffer(data, self.dtype).reshape(self.chunks)


def _inflate(packed: Any, n_bytes: int) -> Any:
    """Decompress to at most `n_bytes`; more is an error."""
    import imagecodecs

    return imagecodecs.deflate_decode(packed, out=n_bytes)
