"""Plausible positions of the neurons: our own generator, by ganglion, left/right symmetric.

Nothing here is measured. Every ganglion is a patch of a tube around the pharynx, with a length, a girth and a height
that agree with textbook drawings of the head; neurons are spread evenly over their patch. Axes are those of an image of
a worm that lies on its side: z left (low) to right (high), y dorsal (low) to ventral (high), x nose (low) to tail
(high), all in micrometres, with the midline at z = 0 and the nose at x = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..model.neurons import CANONICAL, GANGLIA, info

Array = np.ndarray


@dataclass(frozen=True)
class _Patch:
    """Where a ganglion lies: range along x; range of the angle from dorsal (0) over lateral (90) to ventral (180)."""

    x: tuple[float, float]
    angle: tuple[float, float]
    radius: tuple[float, float] = (0.7, 1.0)


_PATCHES = {
    "anterior": _Patch((26.0, 52.0), (20.0, 160.0)),
    "dorsal": _Patch((54.0, 62.0), (8.0, 40.0)),
    "lateral": _Patch((56.0, 100.0), (40.0, 125.0)),
    "ventral": _Patch((62.0, 96.0), (135.0, 172.0)),
    "retrovesicular": _Patch((98.0, 128.0), (150.0, 178.0)),
    "pharynx": _Patch((14.0, 92.0), (30.0, 150.0), (0.25, 0.5)),
    "ventral cord": _Patch((140.0, 860.0), (172.0, 179.0)),
    "mid-body": _Patch((220.0, 620.0), (70.0, 110.0)),
    "posterior-lateral": _Patch((640.0, 740.0), (60.0, 110.0)),
    "preanal": _Patch((870.0, 915.0), (150.0, 178.0)),
    "dorsorectal": _Patch((915.0, 935.0), (5.0, 30.0)),
    "lumbar": _Patch((920.0, 965.0), (60.0, 130.0)),
}


def half_width_um(x: Array) -> Array:
    """Radius of the body at a distance from the nose, shape of `x`: a tapering head, a trunk, a tapering tail."""
    x = np.asarray(x, float)
    head = np.interp(x, [0.0, 30.0, 80.0, 200.0], [5.0, 11.0, 16.0, 22.0])
    tail = np.interp(x, [800.0, 1000.0], [22.0, 4.0])
    return np.asarray(np.minimum(head, tail))


@lru_cache(maxsize=1)
def _atlas() -> Array:
    """Positions (302, 3) of all neurons, in the order of `CANONICAL`."""
    where = {name: row for row, name in enumerate(CANONICAL)}
    positions = np.full((len(CANONICAL), 3), np.nan)
    for ganglion in GANGLIA:
        units: list[str] = []
        for name in CANONICAL:
            entry = info(name)
            if entry is not None and entry.ganglion == ganglion and entry.side != "R":
                units.append(name)
        patch = _PATCHES[ganglion]
        # An additive recurrence with the plastic number fills the patch evenly, whatever the number of neurons.
        steps = np.arange(1, len(units) + 1)
        along, around, inward = (np.mod(0.5 + steps[:, None] * np.array([0.8191725, 0.6710436, 0.5497005]), 1.0)).T
        if ganglion == "ventral cord":
            order = np.argsort([_cord_place(n) for n in units])
            along[order] = (np.arange(len(units)) + 0.5) / len(units)
        for i, name in enumerate(units):
            x = patch.x[0] + along[i] * (patch.x[1] - patch.x[0])
            angle = np.deg2rad(patch.angle[0] + around[i] * (patch.angle[1] - patch.angle[0]))
            radius = half_width_um(np.array(x)) * (patch.radius[0] + inward[i] * (patch.radius[1] - patch.radius[0]))
            entry = info(name)
            assert entry is not None
            paired = entry.side == "L" and entry.ganglion == ganglion and entry.pair_name + "R" in where
            if paired:
                positions[where[name]] = (-radius * np.sin(angle), -radius * np.cos(angle), x)
                positions[where[entry.pair_name + "R"]] = (radius * np.sin(angle), -radius * np.cos(angle), x)
            else:
                height = -radius if angle < np.pi / 2 else radius
                positions[where[name]] = (0.0, height * 0.95, x)
    # SDQR lies in front of its partner, in another ganglion than SDQL.
    positions[where["SDQR"]] = (14.0, -4.0, 330.0)
    return positions


def _cord_place(name: str) -> float:
    digits = int("".join(c for c in name if c.isdigit()))
    counts = {"AS": 11, "DA": 9, "DB": 7, "DD": 6, "VA": 12, "VB": 11, "VC": 6, "VD": 13}
    return digits / counts["".join(c for c in name if c.isalpha())]


def atlas_positions(names: list[str]) -> Array:
    """Positions (len(names), 3) as (z, y, x) in micrometres of canonical neurons; NaN for other names."""
    where = {name: row for row, name in enumerate(CANONICAL)}
    table = _atlas()
    return np.array([table[where[n]] if n in where else (np.nan,) * 3 for n in names], float).reshape(len(names), 3)


def worm_positions(names: list[str], rng: np.random.Generator, noise_um: float) -> Array:
    """Positions in one worm: the atlas, a little larger or smaller, slightly turned and bent, each neuron displaced.

    Parameters
    ----------
    names : list of str
        Canonical names.
    rng : numpy.random.Generator
    noise_um : float
        Standard deviation of each neuron's own displacement along each axis.

    Returns
    -------
    array of shape (neuron, 3)
        (z, y, x) in micrometres.
    """
    positions = atlas_positions(names) * rng.normal(1.0, 0.03)
    roll = np.deg2rad(rng.normal(0.0, 6.0))
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    positions[:, :2] = positions[:, :2] @ turn.T
    span = max(np.ptp(positions[:, 2]), 1.0)
    positions[:, 1] += rng.normal(0.0, 2.0) * np.sin(np.pi * positions[:, 2] / span)
    return positions + rng.normal(0.0, noise_um, positions.shape)
