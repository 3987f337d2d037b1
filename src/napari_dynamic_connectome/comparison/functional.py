"""Results as matrices over neurons, to be compared with other networks: affinity, components, communities."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from ..model.results import Communities, Components

ALL = "all components"
AFFINITY = "affinity"


def functional_matrices(
    components: Components | None = None,
    *,
    affinity: xr.DataArray | None = None,
) -> dict[str, xr.DataArray]:
    """Return the symmetric matrices of an analysis by name.

    Parameters
    ----------
    components : Components, optional
        Gives "all components" (the time-averaged affinity of the model: the sum of all components, each with its mean over time
        and worms) and "component 1", "component 2", ...
    affinity : xarray.DataArray (neuron, neuron_b), optional
        Gives "affinity", such as the mean over time and worms.

    Returns
    -------
    dict of str -> xarray.DataArray
        (neuron, neuron_b), NaN for pairs that no worm observed together.
    """
    found: dict[str, xr.DataArray] = {}
    if affinity is not None:
        found[AFFINITY] = affinity
    if components is not None:
        if components.rank > 1:
            found[ALL] = time_average(components)
        for component in range(1, components.rank + 1):
            found[f"component {component}"] = components.matrix(component)
    return found


def time_average(components: Components) -> xr.DataArray:
    """Time-averaged affinity of the model: all components, each with its mean over time and worms."""
    total = None
    for component in range(1, components.rank + 1):
        if components.own_time is not None and components.clock(component) == "own":
            scale = float(components.own_time.sel(component=component).mean())
        else:
            scale = float(components.time.sel(component=component).mean())
        if components.clock(component) == "common":
            scale *= float(components.worm.sel(component=component).mean())
        matrix = components.matrix(component) * scale
        total = matrix if total is None else total + matrix
    assert total is not None
    return total


def together(communities: Communities, level: int | None = None) -> xr.DataArray:
    """Which pairs are in one community.

    Parameters
    ----------
    communities : Communities
    level : int, optional
        The chosen one by default.

    Returns
    -------
    xarray.DataArray
        (neuron, neuron_b): 1 = both in the same community; 0 = in different ones, or one in a community and one in the
        background; NaN = both in the background, and the diagonal.
    """
    labels = communities.labels.isel(level=communities.chosen_level if level is None else level).values
    member = labels >= 0
    same = (labels[:, None] == labels[None, :]) & member[:, None]
    values = np.where(member[:, None] | member[None, :], same.astype(float), np.nan)
    np.fill_diagonal(values, np.nan)
    names = np.asarray(communities.neurons, dtype=object)
    return xr.DataArray(values, dims=("neuron", "neuron_b"), coords={"neuron": names, "neuron_b": names})


def partitions(
    communities: Mapping[int, Communities] | Communities | None,
) -> dict[str, Communities]:
    """Name partitions: "communities of component 1", ..., or "communities" for a single one."""
    if communities is None:
        return {}
    if isinstance(communities, Communities):
        return {"communities": communities}
    return {f"communities of component {number}": one for number, one in communities.items()}
