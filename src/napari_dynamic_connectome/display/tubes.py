"""Lines in 3D as one surface of six-sided tubes: looks the same from every side, one layer for hundreds of lines."""

from __future__ import annotations

import numpy as np

SIDES = 6


def tubes(starts: np.ndarray, ends: np.ndarray, radii: np.ndarray | float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Build one mesh of tubes.

    Parameters
    ----------
    starts, ends : array (line, 3)
    radii : array (line,) or float

    Returns
    -------
    vertices (line * 12, 3), faces (line * 12, 3), line (line * 12,)
        `line` tells which line a vertex belongs to, for colouring. Lines without length are left out.
    """
    starts, ends = np.asarray(starts, float).reshape(-1, 3), np.asarray(ends, float).reshape(-1, 3)
    radius = np.broadcast_to(np.asarray(radii, float), (len(starts),))
    along = ends - starts
    length = np.linalg.norm(along, axis=1)
    keep = np.flatnonzero(length > 0)
    if not len(keep):
        return np.zeros((0, 3)), np.zeros((0, 3), int), np.zeros(0, int)
    along = along[keep] / length[keep, None]
    helper = np.where(np.abs(along[:, :1]) < 0.9, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    first = np.cross(along, helper)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(along, first)
    angle = np.arange(SIDES) * 2 * np.pi / SIDES
    ring = first[:, None] * np.cos(angle)[:, None] + second[:, None] * np.sin(angle)[:, None]
    ring = ring * radius[keep, None, None]
    vertices = np.concatenate([starts[keep, None] + ring, ends[keep, None] + ring], axis=1)
    here, after = np.arange(SIDES), (np.arange(SIDES) + 1) % SIDES
    one = np.concatenate([np.stack([here, after, here + SIDES], 1), np.stack([after, after + SIDES, here + SIDES], 1)])
    faces = one[None] + (np.arange(len(keep)) * 2 * SIDES)[:, None, None]
    return vertices.reshape(-1, 3), faces.reshape(-1, 3), np.repeat(keep, 2 * SIDES)
