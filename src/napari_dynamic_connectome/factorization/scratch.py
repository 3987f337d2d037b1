"""Arrays that are used again: new ones of some megabytes are mapped page by page by the system, a quarter of the time of a sweep."""

from __future__ import annotations

from threading import Lock
from typing import Any

import numpy as np

Array = np.ndarray
ROOMY = 2
"""A free buffer is not taken for something that needs less than one part in so many of it."""


class Scratch:
    """Buffers that are taken and given back, from any thread."""

    def __init__(self) -> None:
        self._free: list[Array] = []
        self._lock = Lock()

    def take(self, shape: tuple[int, ...], kind: Any = np.float64) -> Array:
        """Array of this shape, not filled, until it is given back; the smallest free buffer with enough room, or a new one."""
        size = int(np.prod(shape)) * np.dtype(kind).itemsize
        with self._lock:
            fitting = [k for k, one in enumerate(self._free) if size <= one.nbytes <= ROOMY * size]
            buffer = self._free.pop(min(fitting, key=lambda k: self._free[k].nbytes)) if fitting else None
        if buffer is None:
            buffer = np.empty(size, np.uint8)
        array: Array = buffer[:size].view(kind).reshape(shape)
        return array

    def give(self, array: Array) -> None:
        """Give back an array that was taken, which must not be used any more; others are left alone."""
        buffer = array
        while isinstance(buffer.base, np.ndarray):
            buffer = buffer.base
        if buffer.dtype != np.uint8 or buffer.ndim != 1:
            return
        with self._lock:
            self._free.append(buffer)
