"""Figures of structure against function: one matrix, functional above and structural below the diagonal; correlations with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from ..comparison.structure import aligned
from ..display.palette import UNASSIGNED, Style, styles
from ..model.network import Network
from ..model.results import Communities
from .community_figures import community_order
from .figure_style import ACCENT, HAIRLINE, INK, MUTED, grey_ramp, new_figure, ramp_to, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNKNOWN = (0.93, 0.93, 0.95, 1.0)
STRUCTURE = "#b0642a"


def split_matrix(
    function: xr.DataArray, network: Network, communities: Communities | None = None
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Bring function and structure into one order of neurons.

    Parameters
    ----------
    function : xarray.DataArray (neuron, neuron_b)
    network : Network
    communities : Communities, optional
        Neurons are sorted by them (background last, the surest first inside each); without, they stay as they are.

    Returns
    -------
    function, structure : array (neuron, neuron)
        Symmetric, both 0 to 1 of their 99th percentile, NaN = not measured; structure by the root of its weight, as few pairs have
        most synapses.
    neurons : list of str
        Those that both hold.
    """
    values, weight, names = aligned(function, network)
    if communities is not None:
        place = {
            n: k for k, n in enumerate(np.asarray(communities.neurons, dtype=object)[community_order(communities)])
        }
        order = sorted(range(len(names)), key=lambda i: place.get(names[i], len(place)))
        values, weight, names = values[np.ix_(order, order)], weight[np.ix_(order, order)], [names[i] for i in order]
    return _scaled(values), _scaled(np.sqrt(np.abs(weight))), names


def _scaled(values: np.ndarray) -> np.ndarray:
    finite = values[np.isfinite(values)]
    top = float(np.percentile(finite, 99)) if len(finite) else 1.0
    if top <= 0:
        top = float(finite.max(initial=0.0)) or 1.0
    return np.asarray(np.clip(values / top, 0, 1))


def plot_split_matrix(
    function: xr.DataArray,
    network: Network,
    communities: Communities | None = None,
    *,
    title: str = "",
    numbers: Mapping[int, int] | None = None,
) -> Figure:
    """Draw one matrix: functional above the diagonal, structural below; blocks of communities are framed in their colour.

    Parameters
    ----------
    function : xarray.DataArray (neuron, neuron_b)
    network : Network
    communities : Communities, optional
    title : str
    numbers : dict, optional
        Of `display.palette.hue_numbers`, for equal colours in several figures.
    """
    above, below, names = split_matrix(function, network, communities)
    n = len(names)
    upper = np.triu(np.ones((n, n), bool), 1)
    labels = np.full(n, -1)
    shown: dict[int, Style] = {}
    if communities is not None:
        row = communities.labels.isel(level=communities.chosen_level).values
        held = dict(zip(communities.neurons, row.tolist(), strict=True))
        labels = np.array([held.get(name, -1) for name in names])
        shown = styles(communities, communities.chosen_level, dark=False, numbers=numbers)
    with styled():
        import matplotlib
        from matplotlib.patches import Rectangle

        picture = np.ones((n, n, 4))
        picture[upper] = np.asarray(grey_ramp(above)(np.nan_to_num(above)))[upper]
        picture[upper.T] = np.asarray(ramp_to(STRUCTURE)(np.nan_to_num(below)))[upper.T]
        picture[upper & ~np.isfinite(above)] = UNKNOWN
        picture[upper.T & ~np.isfinite(below)] = UNKNOWN
        figure = new_figure(6.4, 6.0)
        axes = figure.subplots()
        axes.imshow(picture, interpolation="nearest", aspect="equal")
        axes.plot([-0.5, n - 0.5], [-0.5, n - 0.5], color=MUTED, lw=0.6)
        for community in np.unique(labels[labels >= 0]):
            inside = np.flatnonzero(labels == community)
            color = shown[int(community)].color if int(community) in shown else UNASSIGNED[False]
            frame = Rectangle(
                (inside[0] - 0.5, inside[0] - 0.5), len(inside), len(inside), fill=False, ec=color, lw=1.4
            )
            axes.add_patch(frame)
        size = max(2.0, min(7.0, 340 / max(n, 1)))
        axes.set_yticks(np.arange(n), names, fontsize=size)
        axes.tick_params(length=0, pad=1)
        axes.set_xticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)
        colors = [matplotlib.colors.to_hex(c) for c in (INK, STRUCTURE)]
        axes.text(1.0, 1.005, "above: functional", transform=axes.transAxes, ha="right", color=colors[0], fontsize=7)
        axes.text(
            0.0, -0.012, f"below: {network.title}", transform=axes.transAxes, va="top", color=colors[1], fontsize=7
        )
        axes.set_title(title or "Function and structure")
        return figure


def plot_correlations(tests: pd.DataFrame) -> Figure:
    """Correlation of every functional matrix with every network, with interval; hollow where chance explains it.

    Parameters
    ----------
    tests : pandas.DataFrame
        Of a `StructureComparison`.
    """
    networks = list(dict.fromkeys(zip(tests["kind"], tests["network"], strict=True)))
    functions = list(dict.fromkeys(tests["function"]))
    with styled():
        figure = new_figure(6.4, 0.6 + 0.24 * max(len(functions), 2) * max(1, -(-len(networks) // 3)))
        columns = min(len(networks), 3)
        rows = -(-len(networks) // columns)
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes in grid.ravel()[len(networks) :]:
            axes.set_visible(False)
        for axes, (kind, name) in zip(grid.ravel(), networks, strict=False):
            part = tests[(tests["kind"] == kind) & (tests["network"] == name)].set_index("function")
            axes.axvline(0, color=HAIRLINE, lw=0.8)
            for k, function in enumerate(functions):
                if function not in part.index:
                    continue
                row = part.loc[function]
                sure = row["q_value"] <= 0.05
                axes.plot([row["low"], row["high"]], [k, k], color=ACCENT if sure else MUTED, lw=1.2)
                axes.plot(row["r"], k, "o", ms=4, mfc=ACCENT if sure else "white", mec=ACCENT if sure else MUTED)
            ceiling = part["ceiling"].max()
            if np.isfinite(ceiling):
                axes.axvline(ceiling, color=STRUCTURE, lw=0.8, ls="--")
            axes.set_yticks(range(len(functions)), functions)
            axes.invert_yaxis() if axes is grid.ravel()[0] else None
            axes.set_title(f"{kind}\n{name}", fontsize=7)
        figure.supxlabel("correlation; dashed: two such networks with each other", fontsize=7, color=MUTED)
        return figure
