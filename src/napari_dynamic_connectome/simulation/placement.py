"""Placement of nuclei in a rendered volume: inside the field of view, apart from each other, neurons without position too.

Goes in: positions in micrometres, in any frame, NaN where not known. Comes out: centres in the frame of the image (voxel
index times voxel size), moved as little as need be.
"""

from __future__ import annotations

import numpy as np

from ..model.errors import InputError

Array = np.ndarray


def place_nuclei(
    positions_um: Array,
    field_um: tuple[float, float, float],
    apart_um: tuple[float, float, float],
    margin_um: tuple[float, float, float],
    rng: np.random.Generator,
) -> Array:
    """Choose the centres of nuclei.

    The whole worm is centred in the field; if it does not fit, it is turned by 90 degrees, and if that is not enough made
    smaller. Neurons without a position are put among the others. Then nuclei that are too close push each other apart.

    Parameters
    ----------
    positions_um : array of shape (neuron, 3)
        (z, y, x); NaN where not known.
    field_um : tuple of float
        Extent of the volume (z, y, x).
    apart_um : tuple of float
        Semi-axes of the ellipsoid around a centre in which no other centre may lie.
    margin_um : tuple of float
        Least distance of a centre from the borders.
    rng : numpy.random.Generator

    Returns
    -------
    array of shape (neuron, 3)

    Raises
    ------
    InputError
        The nuclei do not fit.
    """
    positions = np.array(positions_um, float)
    field, apart, margin = (np.asarray(v, float) for v in (field_um, apart_um, margin_um))
    # A volume thinner than its margins (a single slice) has all centres in its middle.
    margin = np.minimum(margin, 0.5 * field)
    low, high = margin, field - margin
    room = high - low
    known = np.isfinite(positions).all(axis=1)
    positions[~known] = np.nan
    if known.any():
        positions[known] = _fit(positions[known], low, high)
    _place_unknown(positions, known, low, high, apart, rng)
    free_axes = room > 1e-9
    # The random close packing of ellipsoids fills about 64 % of space; half of that is still found quickly.
    share = len(positions) * np.prod(apart[free_axes]) * 0.52 / max(np.prod((room + apart)[free_axes]), 1e-12)
    if share > 0.6:
        raise InputError(
            f"{len(positions)} nuclei do not fit into {' x '.join(f'{f:.0f}' for f in field)} um",
            where="rendering",
            fix="Use a larger volume, smaller nuclei, or less space between them.",
        )
    return _push_apart(positions, low, high, apart, rng)


def _fit(points: Array, low: Array, high: Array) -> Array:
    room = high - low
    extent = np.ptp(points, axis=0)
    if (extent > room + 1e-9).any():
        order = np.empty(3, int)
        order[np.argsort(room, kind="stable")] = np.argsort(extent, kind="stable")
        points, extent = points[:, order], extent[order]
    # Along an axis without room (one slice), everything is projected.
    fits = [r / e for r, e in zip(room, extent, strict=True) if e > r > 1e-9]
    scale = min([1.0, *fits])
    middle = 0.5 * (points.max(axis=0) + points.min(axis=0))
    return np.asarray(np.clip((points - middle) * scale + 0.5 * (low + high), low, high))


def _place_unknown(
    positions: Array, known: Array, low: Array, high: Array, apart: Array, rng: np.random.Generator
) -> None:
    """Put every neuron without a position where, of 40 places near the others, it is farthest from its neighbours."""
    filled = list(np.flatnonzero(known))
    for row in np.flatnonzero(~known):
        if len(filled) >= 2:
            near = positions[rng.choice(filled, 40)] + rng.normal(0.0, 1.5, (40, 3)) * apart
        else:
            near = rng.uniform(low, high, (40, 3))
        near = np.clip(near, low, high)
        if filled:
            gaps = np.linalg.norm((near[:, None] - positions[filled][None]) / apart, axis=2).min(axis=1)
            positions[row] = near[np.argmax(gaps)]
        else:
            positions[row] = near[0]
        filled.append(row)


def _push_apart(positions: Array, low: Array, high: Array, apart: Array, rng: np.random.Generator) -> Array:
    from scipy.spatial import cKDTree

    points = positions / apart
    bottom, top = low / apart, high / apart
    for sweep in range(2000):
        pairs = cKDTree(points).query_pairs(1.0, output_type="ndarray")
        if not len(pairs):
            return np.asarray(points * apart)
        a, b = pairs.T
        away = points[a] - points[b]
        distance = np.linalg.norm(away, axis=1)
        same = distance < 1e-6
        away[same] = rng.normal(0, 1, (int(same.sum()), 3))
        away[:, top - bottom < 1e-9] = 0.0
        length = np.maximum(np.linalg.norm(away, axis=1), 1e-9)
        step = 0.5 * (1.02 - np.minimum(distance, 1.0)) / length
        move = away * step[:, None]
        np.add.at(points, a, move)
        np.add.at(points, b, -move)
        if sweep % 20 == 19:
            # A little shaking frees nuclei that hold each other.
            points += rng.normal(0, 0.02, points.shape) * (top - bottom > 1e-9)
        np.clip(points, bottom, top, out=points)
    raise InputError(
        f"{len(points)} nuclei could not be placed without overlap",
        where="rendering",
        fix="Use a larger volume, smaller nuclei, or less space between them.",
    )
