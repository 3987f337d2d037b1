"""Covariates that make pairs alike without any wiring: cell bodies that are close, and being the left and right of one pair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..model.cohort import Cohort
from ..model.errors import InputError
from ..model.neurons import left_right_pairs

Array = np.ndarray

AXES = ["x_um", "y_um", "z_um"]
SCHEMATIC = "schematic places of the cell bodies (not measured)"


def left_right_matrix(neurons: Sequence[str]) -> Array:
    """Return 1 for the two neurons of a left/right pair, else 0; (neuron, neuron)."""
    place = {n: i for i, n in enumerate(neurons)}
    matrix = np.zeros((len(place), len(place)))
    for left, right in left_right_pairs(neurons):
        matrix[place[left], place[right]] = matrix[place[right], place[left]] = 1.0
    return matrix


def distance_matrix(neurons: Sequence[str], positions_um: pd.DataFrame | Array) -> Array:
    """Distances between cell bodies.

    Parameters
    ----------
    neurons : sequence of str
    positions_um : pandas.DataFrame or array
        A table with name and x_um, y_um, z_um, or an array (neuron, 3).

    Returns
    -------
    array (neuron, neuron)
        Micrometres; NaN where a position is not known.
    """
    if isinstance(positions_um, pd.DataFrame):
        rows = positions_um[AXES].to_numpy(float)
        found = {str(n): row for n, row in zip(positions_um["name"], rows, strict=True)}
        places = np.array([found.get(n, np.full(3, np.nan)) for n in neurons], float).reshape(-1, 3)
    else:
        places = np.asarray(positions_um, float)
        if places.shape != (len(neurons), 3):
            raise InputError(f"{len(neurons)} neurons, positions of shape {places.shape}", fix="Give (neuron, 3).")
    return np.asarray(np.sqrt(((places[:, None] - places[None]) ** 2).sum(axis=2)))


def cohort_distances(cohort: Cohort, neurons: Sequence[str]) -> Array:
    """Median over worms of the distance between each two cell bodies, where both were measured; (neuron, neuron) in um."""
    lines = []
    for recording in cohort.recordings:
        index = {str(n): i for i, n in enumerate(recording.neurons["name"]) if str(n)}
        measured = np.asarray(recording.positions_um, float)
        places = np.array([measured[index[n]] if n in index else (np.nan,) * 3 for n in neurons], float)
        lines.append(distance_matrix(neurons, places.reshape(-1, 3)))
    if not lines:
        return np.full((len(neurons), len(neurons)), np.nan)
    stacked = np.stack(lines)
    known = np.isfinite(stacked).any(axis=0)
    return np.where(known, np.nanmedian(np.where(known, stacked, 0.0), axis=0), np.nan)


def distances(
    neurons: Sequence[str], *, cohort: Cohort | None = None, table: pd.DataFrame | None = None
) -> tuple[Array, str]:
    """Distances between cell bodies from the best source there is.

    Parameters
    ----------
    neurons : sequence of str
    cohort : Cohort, optional
        Used if it measured at least half of the pairs.
    table : pandas.DataFrame, optional
        name, x_um, y_um, z_um; goes before the cohort.

    Returns
    -------
    matrix : array (neuron, neuron)
        Micrometres.
    source : str
        Where they come from, in words.
    """
    if table is not None:
        return distance_matrix(neurons, table), "the table of positions"
    if cohort is not None:
        measured = cohort_distances(cohort, neurons)
        off = ~np.eye(len(neurons), dtype=bool)
        if off.any() and np.isfinite(measured[off]).mean() >= 0.5:
            return measured, "positions measured in the worms"
    from ..simulation.positions import atlas_positions

    return distance_matrix(neurons, atlas_positions(list(neurons))), SCHEMATIC
