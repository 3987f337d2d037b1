"""Positions in each frame of a moving worm: centres of the labels of one frame, kept once they were computed.

Goes in: labels that differ from frame to frame. Comes out: positions (neuron, 3), NaN for labels that a frame lacks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..model.voxels import read_voxels


def label_centres(frame: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the centre (label, 3) in voxels of every asked label in a frame (z, y, x); NaN where a label is absent.

    Only labelled voxels are looked at: most of a volume is background.
    """
    frame = np.asarray(frame)
    labels = np.asarray(labels, np.int64)
    flat = frame.reshape(-1)
    places = np.flatnonzero(flat)
    result = np.full((len(labels), 3), np.nan)
    if not len(places) or not len(labels):
        return result
    order = np.argsort(labels)
    values = flat[places].astype(np.int64)
    slot = np.minimum(np.searchsorted(labels, values, sorter=order), len(labels) - 1)
    row = order[slot]
    known = labels[row] == values
    row, places = row[known], places[known]
    count = np.bincount(row, minlength=len(labels)).astype(float)
    seen = count > 0
    for axis, index in enumerate(np.unravel_index(places, frame.shape)):
        total = np.bincount(row, weights=index, minlength=len(labels))
        result[seen, axis] = total[seen] / count[seen]
    return result


class MovingPlaces:
    """Positions of a recording's neurons in every frame of its labels.

    Parameters
    ----------
    data : array-like (time, z, y, x)
        Labels; one frame is read at a time.
    labels : array of int (neuron,)
    scale, translate : array (3,)
        Micrometres per voxel and offset, (z, y, x).
    """

    def __init__(self, data: Any, labels: np.ndarray, scale: np.ndarray, translate: np.ndarray) -> None:
        self.data, self.labels = data, np.asarray(labels)
        self.scale, self.translate = np.asarray(scale, float), np.asarray(translate, float)
        self.known: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return int(self.data.shape[0])

    def compute(self, frame: int) -> np.ndarray:
        """Positions (neuron, 3) in micrometres in a frame; reads the frame, so not for the GUI thread."""
        if frame not in self.known:
            centres = label_centres(read_voxels(self.data[frame]), self.labels)
            self.known[frame] = centres * self.scale + self.translate
        return self.known[frame]
