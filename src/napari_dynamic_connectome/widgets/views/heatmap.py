"""Heatmap of many rows over time that is drawn at the resolution of the screen, so that it pans smoothly."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QRectF


def window(index: np.ndarray, first: int, last: int, columns: int) -> np.ndarray:
    """Columns [first, last) of an image (row, time) of bytes, averaged to about one a pixel."""
    part = index[:, first:last]
    if part.shape[1] <= columns * 1.5 or columns < 1:
        return part
    edges = np.unique(np.linspace(0, part.shape[1], columns + 1).astype(int)[:-1])
    counts = np.diff(np.append(edges, part.shape[1]))
    return np.asarray(np.add.reduceat(part, edges, axis=1, dtype=np.uint32) // counts, np.uint8)


class Heatmap(pg.ImageItem):
    """Rows of bytes, each coloured by its own ramp; only what is seen is coloured and drawn."""

    def __init__(self) -> None:
        super().__init__()
        self._index = np.zeros((0, 0), np.uint8)
        self._ramps = np.zeros((1, 256), np.uint32)
        self._which = np.zeros(0, int)
        self._start, self._step = 0.0, 1.0
        self._drawn: tuple[int, int, int] | None = None

    def set_rows(self, index: np.ndarray, start: float, step: float, ramps: np.ndarray, which: np.ndarray) -> None:
        """Show these rows (row, time); row i has the ramp `which[i]` of `ramps` (ramp, 256, RGBA)."""
        self._index, self._start, self._step = np.ascontiguousarray(index), start, step
        # Four bytes as one number: looked up four times as fast.
        self._ramps = np.ascontiguousarray(ramps, np.uint8).view(np.uint32)[..., 0]
        self._which = np.asarray(which, int)
        self._drawn = None

    def draw(self, low: float, high: float, width: int) -> None:
        """Colour what lies between two times for so many pixels."""
        rows, n = self._index.shape
        if not rows or not n:
            self.clear()
            return
        first = int(np.clip(np.floor((low - self._start) / self._step), 0, n - 1))
        last = int(np.clip(np.ceil((high - self._start) / self._step), first + 1, n))
        wanted = (first, last, int(width))
        if wanted == self._drawn:
            return
        self._drawn = wanted
        part = window(self._index, first, last, int(width))
        colours = self._ramps[self._which[:, None], part].view(np.uint8).reshape(*part.shape, 4)
        self.setImage(colours, autoLevels=False, levels=None)
        self.setRect(QRectF(self._start + first * self._step, 0, (last - first) * self._step, rows))
