"""Figures of communities: the affinity matrix sorted by community, and traces sorted the same way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..display.palette import UNASSIGNED, Style, styles
from ..display.scene import cohort_names
from ..model.recording import Recording
from ..model.results import Communities, Components
from .figure_style import LEAST_PT, clock_label, grey_ramp, name_size, new_figure, shade_stimuli, styled, value_bar

if TYPE_CHECKING:
    from matplotlib.figure import Figure


UNSEEN = "#a9abb1"
"""Hatching of what was not observed: neutral, no community has it."""
TALLEST = 9.2
"""Inches: the height of a journal's page."""


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
    """Pair factor of a component, sorted by community; one grey scale for all pairs, communities as strips and frames in colour.

    Pairs that no worm shows are hatched. `numbers` are those of `display.palette.hue_numbers`, for equal colours in several
    components.
    """
    level = communities.chosen_level if level is None else level
    order = community_order(communities, level)
    labels = communities.labels.isel(level=level).values[order]
    names = np.asarray(communities.neurons, dtype=object)[order]
    matrix = components.matrix(component).sel(neuron=list(names), neuron_b=list(names)).values.astype(float)
    shown = styles(communities, level, dark=False, numbers=numbers)
    top = float(np.nanpercentile(matrix[np.isfinite(matrix)], 99)) if np.isfinite(matrix).any() else 1.0
    top = top if top > 0 else 1.0
    with styled():
        from matplotlib.colors import to_rgba
        from matplotlib.patches import Patch, Rectangle

        from .name_column import NameColumn

        figure = new_figure(6.6, 5.8)
        axes = figure.subplots()
        n, ramp = len(names), grey_ramp(matrix)
        unseen = ~np.isfinite(matrix)
        np.fill_diagonal(unseen, False)
        if unseen.any():
            axes.add_patch(Rectangle((-0.5, -0.5), n, n, fc="white", ec=UNSEEN, hatch="////////", lw=0, zorder=0))
        # a neuron has no pair with itself: the diagonal is blank
        axes.imshow(
            matrix,
            interpolation="nearest",
            aspect="equal",
            cmap=ramp,
            vmin=0,
            vmax=top,
            zorder=1,
        )
        for place in range(n):
            axes.add_patch(Rectangle((place - 0.5, place - 0.5), 1, 1, fc="white", lw=0, zorder=2))
        strip = np.array([to_rgba(_color(shown, int(c))) for c in labels])
        side, above = axes.inset_axes((-0.035, 0, 0.022, 1)), axes.inset_axes((0, 1.013, 1, 0.022))
        side.imshow(strip[:, None, :], aspect="auto", interpolation="nearest")
        above.imshow(strip[None], aspect="auto", interpolation="nearest")
        least = 9.0 / (0.8 * 72 * 5.8) * n  # rows that a number needs
        for community in np.unique(labels[labels >= 0]).tolist():
            rows = np.flatnonzero(labels == community)
            first, size = rows[0] - 0.5, len(rows)
            axes.add_patch(
                Rectangle(
                    (first, first), size, size, fill=False, ec=_color(shown, community), lw=1.4, zorder=3, clip_on=False
                )
            )
            if size >= least:
                above.text(
                    first + size / 2, -0.8, shown[community].label, ha="center", va="bottom", fontsize=7, clip_on=False
                )
        text_size = name_size(n, 0.8 * 5.8)
        if text_size:
            NameColumn(side, names, text_size)
        for one in (axes, side, above):
            one.set_xticks([])
            one.set_yticks([])
            for spine in one.spines.values():
                spine.set_visible(False)
        if not text_size:
            side.set_ylabel(f"{n} neurons")
        value_bar(figure, axes, ramp, 0, top, f"pair factor of component {component}", "max")
        if unseen.any():
            patch = Patch(fc="white", ec=UNSEEN, hatch="////////", lw=0.4, label="not observed together in any worm")
            axes.legend(handles=[patch], loc="upper left", bbox_to_anchor=(0, -0.01), borderpad=0)
        count = len(np.unique(labels[labels >= 0]))
        figure.suptitle(
            f"Component {component}: {count} {'community' if count == 1 else 'communities'} "
            f"({communities.kind}, level {level})",
            x=0.02,
            ha="left",
            fontsize=9,
            fontweight="bold",
        )
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
    n = len(names)
    height = float(np.clip(n * LEAST_PT / (0.92 * 72) + 0.8, 3.6, TALLEST))
    with styled():
        from matplotlib.colors import to_rgba

        from .name_column import NameColumn

        figure = new_figure(7.2, height)
        bar, axes = figure.subplots(1, 2, gridspec_kw={"width_ratios": [0.015, 1]})
        time, ramp = recording.time_s, grey_ramp(values)
        axes.set_facecolor("white")
        axes.imshow(
            values,
            aspect="auto",
            interpolation="nearest",
            cmap=ramp,
            vmin=-1,
            vmax=4,
            extent=(time[0], time[-1], n - 0.5, -0.5),
        )
        axes.set_yticks([])
        axes.set_xlabel(clock_label(True, recording.name))
        if strip_colors:
            bar.imshow(np.array([to_rgba(c) for c in strip_colors])[:, None, :], aspect="auto")
        else:
            bar.set_ylim(n - 0.5, -0.5)
        bar.set_xticks([])
        bar.set_yticks([])
        size = name_size(n, height - 0.8)
        if size:
            NameColumn(bar, [str(one) for one in names], size)
        bar.set_ylabel(f"{n} neurons", labelpad=6 + (size * 3.6 if size else 0))
        for spine in bar.spines.values():
            spine.set_visible(False)
        value_bar(figure, axes, ramp, -1, 4, "z-score", "both")
        shade = recording.stimuli
        if len(shade):
            top = axes.inset_axes((0, 1.005, 1, 0.1 / height), sharex=axes)
            shade_stimuli(top, shade)
            top.axis("off")
        axes.set_title(f"{recording.name}: traces", pad=16 if len(shade) else 4)
        return figure
