"""Figures of communities: the affinity matrix sorted by community, and traces sorted the same way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..display.palette import UNASSIGNED, Style, styles
from ..display.scene import cohort_names
from ..model.recording import Recording
from ..model.results import Communities, Components
from .figure_style import MUTED, grey_ramp, new_figure, ramp_to, shade_stimuli, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def community_order(communities: Communities, level: int | None = None) -> np.ndarray:
    """Indices of the neurons sorted by community (background last), the surest first inside each."""
    level = communities.chosen_level if level is None else level
    labels = communities.labels.isel(level=level).values
    sure = np.nan_to_num(communities.probability.isel(level=level).values, nan=0.0)
    order: np.ndarray = np.lexsort((-sure, np.where(labels < 0, np.iinfo(np.int64).max, labels)))
    return order


def _color(shown: dict[int, Style], community: int) -> str:
    return shown[community].color if community in shown else UNASSIGNED[False]


def plot_matrix(
    components: Components,
    component: int,
    communities: Communities,
    level: int | None = None,
    numbers: Mapping[int, int] | None = None,
) -> Figure:
    """Pair factor of a component, sorted by community; blocks of a community run to its colour, the rest is grey.

    `numbers` are those of `display.palette.hue_numbers`, for equal colours in several components.
    """
    level = communities.chosen_level if level is None else level
    order = community_order(communities, level)
    labels = communities.labels.isel(level=level).values[order]
    names = np.asarray(communities.neurons, dtype=object)[order]
    matrix = components.matrix(component).sel(neuron=list(names), neuron_b=list(names)).values
    shown = styles(communities, level, dark=False, numbers=numbers)
    top = float(np.nanpercentile(matrix[np.isfinite(matrix)], 99)) if np.isfinite(matrix).any() else 1.0
    scaled = np.clip(matrix / (top or 1.0), 0, 1)
    with styled():
        import matplotlib

        from .name_column import NameColumn

        picture = np.asarray(grey_ramp(scaled)(np.nan_to_num(scaled)))
        for community in np.unique(labels[labels >= 0]):
            inside = labels == community
            block = np.ix_(inside, inside)
            picture[block] = ramp_to(shown[int(community)].color)(np.nan_to_num(scaled[block]))
        picture[~np.isfinite(scaled)] = (0.93, 0.93, 0.95, 1.0)
        figure = new_figure(6.0, 5.6)
        axes = figure.subplots()
        bar = axes.inset_axes((-0.035, 0, 0.022, 1))
        axes.imshow(picture, interpolation="nearest", aspect="equal")
        strip = np.array([matplotlib.colors.to_rgba(_color(shown, int(c))) for c in labels])[:, None, :]
        bar.imshow(strip, aspect="auto", interpolation="nearest")
        bar.set_xticks([])
        size = max(2.2, min(7.0, 330 / max(len(names), 1)))
        bar.set_yticks([])
        NameColumn(bar, names, size)
        axes.set_yticks([])
        axes.set_xticks([])
        for spine in (*bar.spines.values(), *axes.spines.values()):
            spine.set_visible(False)
        count = len(np.unique(labels[labels >= 0]))
        axes.set_title(
            f"Component {component}: {count} {'community' if count == 1 else 'communities'} "
            f"({communities.kind}, level {level})"
        )
        axes.set_xlabel("affinity in this component, white to dark; lilac: pair observed in no worm", color=MUTED)
        return figure


def plot_traces(
    recording: Recording,
    communities: Communities | None = None,
    level: int | None = None,
    numbers: Mapping[int, int] | None = None,
    then: Recording | None = None,
) -> Figure:
    """Heatmap of z-scored traces of one worm, sorted by community where one is given.

    `then` is the worm as it was analyzed: a cell that was renamed since keeps the community of its label.
    """
    names = list(recording.traces["neuron"].values)
    strip_colors: list[object] = []
    if communities is not None:
        level = communities.chosen_level if level is None else level
        known = {n: i for i, n in enumerate(communities.neurons)}
        place = {communities.neurons[i]: rank for rank, i in enumerate(community_order(communities, level))}
        keys = cohort_names(recording, set(known), then)
        order = sorted(range(len(names)), key=lambda i: (place.get(keys[i], len(place)), i))
        names = [names[i] for i in order]
        shown = styles(communities, level, dark=False, numbers=numbers)
        labels = communities.labels.isel(level=level).values
        strip_colors = [
            _color(shown, int(labels[known[keys[i]]])) if keys[i] in known else UNASSIGNED[False] for i in order
        ]
    values = recording.traces.sel(neuron=names).values.T.astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = (values - np.nanmean(values, axis=1, keepdims=True)) / np.nanstd(values, axis=1, keepdims=True)
    with styled():
        import matplotlib

        figure = new_figure(9.2, 4.2)
        bar, axes = figure.subplots(1, 2, gridspec_kw={"width_ratios": [0.012, 1]})
        time = recording.time_s
        axes.imshow(
            np.nan_to_num(values, nan=-1.0),
            aspect="auto",
            interpolation="nearest",
            cmap=grey_ramp(values),
            vmin=-1,
            vmax=4,
            extent=(time[0], time[-1], len(names) - 0.5, -0.5),
        )
        axes.set_yticks([])
        axes.set_xlabel("time (s)")
        if strip_colors:
            bar.imshow(np.array([matplotlib.colors.to_rgba(c) for c in strip_colors])[:, None, :], aspect="auto")
        bar.set_xticks([])
        bar.set_yticks([])
        bar.set_ylabel(f"{len(names)} neurons")
        for spine in bar.spines.values():
            spine.set_visible(False)
        shade = recording.stimuli
        if len(shade):
            top = axes.inset_axes((0, 1.005, 1, 0.03), sharex=axes)
            shade_stimuli(top, shade)
            top.axis("off")
        axes.set_title(f"{recording.name}: z-scored traces (−1 white to 4 black)", pad=16 if len(shade) else 4)
        return figure
