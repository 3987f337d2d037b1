"""Figures of components: time courses over stimuli or behaviour, worm loadings, strongest neurons; the rank sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..display.short_names import short_names
from ..factorization.sweep import AGREE
from ..model.cohort import Cohort
from ..model.evidence import NOTHING, Chance
from ..model.results import Components
from .figure_style import (
    ACCENT,
    HAIRLINE,
    INK,
    LEAST_PT,
    MUTED,
    clock_label,
    new_figure,
    shade_binary,
    shade_stimuli,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def strongest_neurons(components: Components, component: int, count: int = 8) -> list[str]:
    """Names of the neurons with the largest mean pair factor in a component, drawn to the mean for those few worms show."""
    return [str(n) for n in components.leading(component).index[:count]]


def strongest_pairs(components: Components, component: int, count: int = 10) -> pd.DataFrame:
    """Strongest pairs of a component: neuron_a, neuron_b, sign, weight, worms (that observed the pair)."""
    factor = components.pair.sel(component=component).values * float(components.weight.sel(component=component))
    order = np.argsort(-np.nan_to_num(factor, nan=-np.inf), kind="stable")[:count]
    return pd.DataFrame(
        {
            "neuron_a": components.pair["neuron_a"].values[order],
            "neuron_b": components.pair["neuron_b"].values[order],
            "sign": components.pair["sign"].values[order],
            "weight": factor[order],
            "worms": components.pair_worms.values[order],
        }
    )


def plot_components(components: Components, cohort: Cohort | None = None, *, behaviour: str | None = None) -> Figure:
    """One row a component: time course (common, or one line a worm), worm loadings, strongest neurons.

    Parameters
    ----------
    components : Components
    cohort : Cohort, optional
        Needed for shading a behaviour channel in unaligned components.
    behaviour : str, optional
        Binary behaviour channel to shade, such as "reversal"; the first binary channel by default.
    """
    rank = components.rank
    worms = [str(w) for w in components.worm["worm"].values]
    shown = [worms[: 1 if clock == "common" else min(len(worms), 4)] for clock in components.clocks]
    with styled():
        heights = [
            0.95 if c == "common" else 0.42 * len(s) + 0.45 for c, s in zip(components.clocks, shown, strict=True)
        ]
        heights[-1] += 0.45  # names of worms
        figure = new_figure(7.2, 0.55 + sum(heights))
        rows = figure.subfigures(rank, 1, squeeze=False, height_ratios=heights)[:, 0]
        share = components.diagnostics.get("explained")
        for r, row in enumerate(rows, start=1):
            lines = shown[r - 1]
            grid = row.subplots(len(lines), 2, squeeze=False, sharex="col", gridspec_kw={"width_ratios": [4.2, 1]})
            for line, worm in enumerate(lines):
                _course(grid[line, 0], components, r, worm, cohort, behaviour, names=r == 1 and line == 0)
            names = ", ".join(strongest_neurons(components, r))
            part = (
                f"  ·  explains {100 * float(np.asarray(share)[r - 1]):.0f} % of the data" if share is not None else ""
            )
            clock = "  ·  clock of its own in every worm" if components.model == "mixed" and len(lines) > 1 else ""
            row.suptitle(f"Component {r}{part}{clock}  ·  {names}", x=0.01, ha="left", fontsize=8, fontweight="bold")
            own = components.clock(r) == "own"
            if r == rank or components.clock(r) != components.clock(r + 1):
                grid[-1, 0].set_xlabel(clock_label(own))
            _bars(grid[-1, 1], components, r, worms, names=r == rank)
            for extra in grid[:-1, 1]:
                extra.axis("off")
        return figure


def _course(
    axes: Any,
    components: Components,
    component: int,
    worm: str,
    cohort: Cohort | None,
    behaviour: str | None,
    *,
    names: bool,
) -> None:
    """One time course: the common one, or that of a worm with its name; stimuli on the common clock, else the worm's own."""
    own = components.clock(component) == "own"
    course = components.time_course(component, worm if own else None)
    axes.plot(course["time"].values, course.values, color=INK, lw=0.8)
    if components.has_common_clock:
        shade_stimuli(axes, components.stimuli, names=names)
    elif cohort is not None:
        recording = cohort.recordings[cohort.worms.index(worm)]
        shade_stimuli(axes, recording.stimuli, names=names)
        channel = _binary_channel(recording.behaviour, behaviour)
        if channel is not None:
            shade_binary(axes, recording.time_s, recording.behaviour[channel].values)
    axes.margins(x=0)
    _from_zero(axes, course.values)
    if own:
        worms = [str(w) for w in components.worm["worm"].values]
        short = short_names(worms, 12)[worms.index(worm)]
        axes.set_ylabel(short, rotation=0, ha="right", va="center", fontsize=LEAST_PT + 1, color=MUTED, labelpad=2)


def _from_zero(axes: Any, values: np.ndarray) -> None:
    """Give an axis that begins at 0 two ticks: 0 and about the largest value."""
    finite = np.asarray(values, float)[np.isfinite(values)]
    most = float(finite.max()) if len(finite) and finite.max() > 0 else 1.0
    mark = float(f"{most:.1g}")
    mark = mark if mark <= most else float(f"{0.9 * most:.1g}")
    axes.set_ylim(0, 1.08 * most)
    axes.set_yticks([0, mark], ["0", f"{mark:g}"])


def _bars(axes: Any, components: Components, component: int, worms: list[str], *, names: bool) -> None:
    """Loadings of the worms; their names below the last component, as many as can be read."""
    loadings = components.worm.sel(component=component).values
    axes.bar(np.arange(len(worms)), loadings, color=MUTED, width=0.75)
    _from_zero(axes, loadings)
    axes.set_xlim(-0.6, max(len(worms), 4) - 0.4)
    every = int(np.ceil(len(worms) * (LEAST_PT + 1) / (1.2 * 72)))
    listed = list(range(0, len(worms), every)) if names else []
    short = short_names(worms, 12)
    axes.set_xticks(listed, [short[i] for i in listed], rotation=90, fontsize=LEAST_PT + 0.5)
    axes.tick_params(axis="x", labelbottom=True, length=2 if listed else 0)
    if component == 1:
        axes.set_title(f"loading of {len(worms)} worms", fontsize=7, fontweight="normal", color=MUTED)


def _binary_channel(behaviour: object, wanted: str | None) -> str | None:
    channels = [str(c) for c, v in behaviour.data_vars.items() if v.attrs.get("kind") == "binary"]  # type: ignore[attr-defined]
    if wanted in channels:
        return wanted
    preferred = [c for c in channels if "revers" in c.lower()]
    return next(iter(preferred or channels), None)


def plot_sweep(table: pd.DataFrame, suggested: int, reason: str = "", chance: Chance | None = None) -> Figure:
    """Error, held-out error and restart similarity against the rank, with the suggestion marked.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns rank, error, held_out, held_out_se, similarity.
    suggested : int
        0: none.
    reason : str
    chance : Chance, optional
        What surrogate cohorts gave: drawn beside the data in two more panels.
    """
    beside = chance is not None and len(chance.table) > 1
    with styled():
        figure = new_figure(7.2, 4.3 if beside else 2.3)
        grid = figure.subplots(2 if beside else 1, 2, squeeze=False)
        left, right = grid[0]
        left.plot(table["rank"], table["error"], "o-", color=INK, ms=3, label="all data")
        if "held_out" in table and table["held_out"].notna().any():
            left.errorbar(
                table["rank"],
                table["held_out"],
                yerr=table.get("held_out_se"),
                fmt="s--",
                color=MUTED,
                ms=3,
                label="held out (± s.e.)",
            )
        left.set(ylabel="relative error", title="Error")
        left.legend(loc="upper right")
        if "similarity" in table:  # another program's table, or an edited one, may lack it
            right.plot(table["rank"], table["similarity"], "o-", color=INK, ms=3)
        right.axhline(AGREE, color=HAIRLINE, lw=0.8, zorder=0)
        right.set(ylim=(0, 1.05), ylabel="similarity of restarts", title="Agreement of restarts")
        right.text(
            1.0,
            AGREE - 0.02,
            f"{AGREE:g}",
            transform=right.get_yaxis_transform(),
            ha="right",
            va="top",
            fontsize=6,
            color=MUTED,
        )
        if beside and chance is not None:
            _plot_chance(list(grid[1]), chance)
        _mark_ranks(list(grid.ravel()), table["rank"].tolist(), suggested)
        for axes in grid[-1]:
            axes.set_xlabel("rank (number of components)")
        said = f"suggested: {suggested}" if suggested else NOTHING
        figure.suptitle(said, x=0.99, ha="right", color=ACCENT, fontsize=8)
        return figure


def _mark_ranks(panels: Sequence[Any], ranks: Sequence[int], suggested: int) -> None:
    """Ticks at ranks that were tried, as many as can be read, and a line at the suggested one."""
    step = int(np.ceil(len(ranks) / 14))
    for axes in panels:
        if suggested:
            axes.axvline(suggested, color=ACCENT, lw=1, zorder=0)
        axes.set_xlim(min(ranks) - 0.4, max(ranks) + 0.4)
        axes.set_xticks(list(ranks)[::step])
        axes.margins(y=0.12)


def _plot_chance(panels: Sequence[Any], chance: Chance) -> None:
    """What each rank adds, and the error on held-out fibres, of the data beside surrogate cohorts."""
    added, held = panels
    table, count = chance.table, len(chance.held_out) or len(chance.gain)
    surrogates = f"mean of {count} surrogates" if count else "mean of surrogates"
    later = table[table["rank"] > 1]
    added.fill_between(
        later["rank"], 0, 100 * later["chance_gain_high"], color=HAIRLINE, lw=0, label="95 % of surrogates"
    )
    added.plot(later["rank"], 100 * later["chance_gain"], "--", color=MUTED, lw=1, label=surrogates)
    added.plot(later["rank"], 100 * later["gain"], "o-", color=INK, ms=3, label="data")
    added.set(ylabel="added (% of the data)", title="Explained beyond the rank before")
    band = (table["chance_held_out_low"], table["chance_held_out_high"])
    held.fill_between(table["rank"], *band, color=HAIRLINE, lw=0, label="all surrogates")
    held.plot(table["rank"], table["chance_held_out"], "--", color=MUTED, lw=1, label=surrogates)
    held.plot(table["rank"], table["held_out"], "s-", color=INK, ms=3, label="data")
    held.set(ylabel="held-out error", title="Held-out error beside chance (time bins)")
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(handles[::-1], labels[::-1], loc="best")
