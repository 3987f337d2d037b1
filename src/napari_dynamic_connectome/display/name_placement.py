"""Placement of names in a 3D view so that they neither overlap nor hide neurons: greedy, in screen space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RINGS_PX = np.array([9.0, 20.0, 34.0, 52.0, 76.0, 104.0])
"""Distances from the edge of the neuron at which a name is tried."""


@dataclass(frozen=True)
class Placed:
    """One name: its text, the point it belongs to (index), its centre in pixels, and whether a leader line is needed."""

    text: str
    index: int
    x: float
    y: float
    leader: bool


def merge_pairs(points: np.ndarray, names: Sequence[str], nearer_px: float = 30.0) -> list[tuple[str, int]]:
    """Merge a left and a right neuron that lie closer than this on the screen: AVAL and AVAR become "AVAL/R"."""
    by_name = {n: i for i, n in enumerate(names)}
    merged: list[tuple[str, int]] = []
    for name, index in by_name.items():
        if name.endswith("R") and name[:-1] + "L" in by_name:
            partner = by_name[name[:-1] + "L"]
            if np.hypot(*(points[index] - points[partner])) < nearer_px:
                continue
        text = name
        if name.endswith("L") and name[:-1] + "R" in by_name:
            partner = by_name[name[:-1] + "R"]
            if np.hypot(*(points[index] - points[partner])) < nearer_px:
                text = f"{name}/R"
        merged.append((text, index))
    return merged


def place_names(
    points: np.ndarray,
    names: Sequence[str],
    obstacles: np.ndarray,
    *,
    char_px: float = 7.6,
    height_px: float = 14.0,
    size: tuple[float, float] | None = None,
    clear_px: float = 8.0,
) -> list[Placed]:
    """Place names around their points.

    Parameters
    ----------
    points : array (name, 2)
        Screen positions (x, y) in pixels, y downwards.
    names : sequence of str
    obstacles : array (other, 2)
        Other neurons that should stay visible.
    char_px, height_px : float
        Size of the text.
    size : (width, height), optional
        Canvas size: names are kept inside.
    clear_px : float
        Radius of the neurons on the screen: names begin outside.

    Returns
    -------
    list of Placed
        One a name (a close pair has one), in the order in which they were placed: those in the crowd last.
    """
    points = np.asarray(points, float).reshape(-1, 2)
    obstacles = np.asarray(obstacles, float).reshape(-1, 2)
    items = merge_pairs(points, names)
    if not items:
        return []
    middle = points.mean(axis=0)
    items.sort(key=lambda item: -float(np.hypot(*(points[item[1]] - middle))))
    angles = np.tile(np.deg2rad(np.arange(0, 360, 22.5)), len(RINGS_PX))
    radii = clear_px + np.repeat(RINGS_PX, 16)
    cosines, sines = np.cos(angles), np.sin(angles)
    boxes = np.zeros((0, 4))
    placed: list[Placed] = []
    near = 0.7 * clear_px
    for text, index in items:
        half_w, half_h = len(text) * char_px / 2 + 2, height_px / 2
        outward = points[index] - middle
        x = points[index][0] + cosines * (radii + half_w * 0.8)
        y = points[index][1] + sines * radii
        cost = radii * 0.6 - 0.08 * (outward[0] * cosines + outward[1] * sines)
        dx = half_w + boxes[:, 2] - np.abs(x[:, None] - boxes[:, 0])
        dy = half_h + boxes[:, 3] - np.abs(y[:, None] - boxes[:, 1])
        cost += np.where((dx > 0) & (dy > 0), 60.0 + 0.3 * dx * dx, 0.0).sum(axis=1)
        hidden = (np.abs(obstacles[:, 0] - x[:, None]) < half_w + near) & (
            np.abs(obstacles[:, 1] - y[:, None]) < half_h + near
        )
        cost += 9.0 * hidden.sum(axis=1)
        if size is not None:
            out = np.maximum.reduce([half_w - x, x + half_w - size[0], half_h - y, y + half_h - size[1], 0 * x])
            cost += 5.0 * out
        best = int(np.argmin(cost))
        boxes = np.vstack([boxes, (x[best], y[best], half_w, half_h)])
        placed.append(Placed(text, index, float(x[best]), float(y[best]), bool(radii[best] > clear_px + 10.0)))
    return placed
