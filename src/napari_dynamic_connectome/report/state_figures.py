"""Figures of switching states: states of every worm over time, traces under them, dwell times, transitions, means, held-out scores."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..display.short_names import short_names
from ..display.states import state_color
from ..model.cohort import Cohort
from ..model.state_results import StatesResult
from .figure_style import (
    INK,
    LEAST_PT,
    MUTED,
    clock_label,
    grey_ramp,
    name_size,
    new_figure,
    styled,
    value_bar,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, TALLEST = 7.2, 9.6
"""Inches: a journal's page."""
MOST_TRACES = 3
"""Worms whose traces are drawn under their states."""
TRACES_HIGH, LOWER_HIGH = 1.25, 1.9
NAME_LIMIT, NEURON_LIMIT = 26, 12
"""Characters of names of worms and neurons."""
ROWS_BESIDE = 64
"""Neurons below each other; more go on in the next column."""


def state_colors(states: StatesResult) -> list[str]:
    """One colour a state, in order."""
    return [state_color(int(state), dark=False) for state in states.posterior["state"].values]


def plot_states(states: StatesResult, cohort: Cohort | None = None, *, behaviour: str | None = None) -> Figure:
    """States of all worms over time, the traces of some under them, and what the states are like.

    Parameters
    ----------
    states : StatesResult
    cohort : Cohort, optional
        Its traces stand under the states of up to three worms, neurons in the order of their most active state; without it the
        probabilities of the states.
    behaviour : str, optional
        Binary channel that is marked under the traces; the first one by default.
    """
    worms, colors = states.worms, state_colors(states)
    rows_high = min(max(0.125 * len(worms), 0.3), 5.0)
    room = int((TALLEST - 0.9 - rows_high - LOWER_HIGH) / TRACES_HIGH)
    shown = worms[: max(min(room, MOST_TRACES, len(worms)), 1)]
    heights = [rows_high + 0.75, TRACES_HIGH * len(shown) + 0.15, LOWER_HIGH]
    with styled():
        figure = new_figure(WIDTH, sum(heights))
        parts: Any = figure.subfigures(3, 1, height_ratios=heights)
        upper, middle, lower = parts
        _ribbons(upper, upper.subplots(), states, rows_high)
        grid = middle.subplots(2 * len(shown), 1, squeeze=False, gridspec_kw={"height_ratios": [1, 9] * len(shown)})
        for number, worm in enumerate(shown):
            ribbon, below = grid[2 * number, 0], grid[2 * number + 1, 0]
            measured = cohort is not None and worm in cohort.worms
            _ribbon(ribbon, states, worm, colors, cohort.traces_of(worm).shape[1] if measured and cohort else 0)
            _below(middle, below, states, worm, cohort, behaviour, colors)
            below.set_xlim(ribbon.get_xlim())
        below.set_xlabel(clock_label(own=True) if len(shown) > 1 else clock_label(True, shown[0]))
        left, centre, right = lower.subplots(1, 3, gridspec_kw={"width_ratios": [1.0, 1.0, 1.1]})
        _dwell(left, states, colors)
        _transitions(lower, centre, states, colors)
        _held_out(right, states)
    return figure


def _ribbons(part: Any, axes: Axes, states: StatesResult, high: float) -> None:
    """A row a worm; the key of the states above."""
    from matplotlib.patches import Patch

    from .name_column import NameColumn

    worms, colors, visits = states.worms, state_colors(states), states.visits()
    for row, worm in enumerate(worms):
        mine = visits[visits["worm"] == worm]
        axes.broken_barh(
            list(zip(mine["start_s"], mine["seconds"], strict=True)),
            (row - 0.44, 0.88),
            facecolors=[colors[state - 1] for state in mine["state"]],
            lw=0,
            antialiased=False,
        )
    axes.set(xlim=(visits["start_s"].min(), visits["stop_s"].max()), ylim=(len(worms) - 0.5, -0.5), yticks=[])
    axes.set_xlabel(clock_label(own=True))
    axes.spines["left"].set_visible(False)
    size = name_size(len(worms), high)
    if size:
        NameColumn(axes, short_names(worms, NAME_LIMIT), size, pad=3)
    else:
        axes.set_ylabel(f"{len(worms)} worms")
    handles = [Patch(fc=color, label=str(number)) for number, color in enumerate(colors, start=1)]
    part.legend(
        handles=handles,
        loc="outside upper right",
        ncols=len(handles),
        title="state",
        alignment="right",
        columnspacing=0.9,
        handlelength=1.0,
        handletextpad=0.4,
        borderpad=0,
    )


def _ribbon(axes: Axes, states: StatesResult, worm: str, colors: list[str], neurons: int = 0) -> None:
    visits = states.visits()
    for row in visits[visits["worm"] == worm].itertuples():
        axes.axvspan(row.start_s, row.stop_s, color=colors[row.state - 1], lw=0, antialiased=False)
    time = states.of_worm(worm)["time"].values
    axes.set(xlim=(time[0], time[-1]), yticks=[], xticks=[])
    axes.set_title(
        short_names([worm], 60)[0] + (f"  ·  {neurons} neurons" if neurons else ""),
        fontsize=7,
        fontweight="normal",
        pad=2,
    )
    for side in axes.spines.values():
        side.set_visible(False)


def _below(
    part: Any,
    axes: Axes,
    states: StatesResult,
    worm: str,
    cohort: Cohort | None,
    behaviour: str | None,
    colors: list[str],
) -> None:
    """The traces as a heat map, or the probabilities of the states."""
    if cohort is None or worm not in cohort.worms:
        probability = states.probability(worm)
        axes.stackplot(probability["time"].values, probability.values.T, colors=colors, lw=0)
        axes.set(ylim=(0, 1), yticks=[0, 1], ylabel="probability")
        return
    recording = cohort.recordings[cohort.worms.index(worm)]
    traces = cohort.traces_of(worm)
    values = _z_scores(traces.values)
    level = states.level.sel(neuron=[n for n in traces["neuron"].values if n in set(states.neurons)]).values
    order = np.lexsort((-np.nan_to_num(level.max(axis=0)), np.nan_to_num(level).argmax(axis=0)))
    own = recording.time_s
    ramp = grey_ramp(values)
    axes.imshow(
        values.T[order],
        aspect="auto",
        cmap=ramp,
        vmin=-1,
        vmax=3,
        interpolation="none",
        extent=(own[0], own[-1], len(order), 0),
    )
    axes.set_yticks([])
    value_bar(part, axes, ramp, -1, 3, "z-score", "both")
    marks = _marks(recording, behaviour)
    for place, (name, spans) in enumerate(marks):
        y = -0.08 - 0.1 * place
        axes.broken_barh(spans, (y - 0.035, 0.07), transform=axes.get_xaxis_transform(), fc=INK, lw=0, clip_on=False)
        axes.text(
            -0.004, y, name, transform=axes.transAxes, ha="right", va="center", fontsize=LEAST_PT + 0.5, color=MUTED
        )
    axes.tick_params(axis="x", pad=2 + 8 * len(marks))


def _marks(recording: Any, behaviour: str | None) -> list[tuple[str, list[tuple[float, float]]]]:
    """What is marked under the traces: stimuli, and a binary channel of behaviour; name, and begin and length in seconds."""
    found: list[tuple[str, list[tuple[float, float]]]] = []
    if len(recording.stimuli):
        spans = [(float(r.onset), max(float(r.offset - r.onset), 0.0)) for r in recording.stimuli.itertuples()]
        names = list(dict.fromkeys(map(str, recording.stimuli["name"])))
        found.append((short_names(names, 14)[0] if len(names) == 1 else "stimuli", spans))
    channel = behaviour or next(
        (str(c) for c, v in recording.behaviour.data_vars.items() if v.attrs.get("kind") == "binary"), None
    )
    if channel is not None and channel in recording.behaviour:
        on = np.nan_to_num(recording.behaviour[channel].values.astype(float)) > 0.5
        edges = np.flatnonzero(np.diff(np.concatenate(([0], on.astype(int), [0])))).reshape(-1, 2)
        time = recording.time_s
        step = float(np.median(np.diff(time))) if len(time) > 1 else 1.0
        spans = [(float(time[a]), float(time[b - 1] - time[a]) + step) for a, b in edges]
        found.append((short_names([channel], 14)[0], spans))
    return found


def _z_scores(values: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((values - np.nanmean(values, axis=0)) / np.nanstd(values, axis=0))


def _numbered(axis: Any, colors: list[str]) -> None:
    """Numbers of the states along an axis, in their colours."""
    axis.set_ticks(range(len(colors)), [str(n) for n in range(1, len(colors) + 1)])
    for label, color in zip(axis.get_ticklabels(), colors, strict=True):
        label.set_color(color)
        label.set_fontweight("bold")
    axis.set_tick_params(length=0)


def _dwell(axes: Axes, states: StatesResult, colors: list[str]) -> None:
    """How long visits last: median, the middle half, and from the tenth to the ninetieth in a hundred."""
    visits = states.visits()
    for place, color in enumerate(colors):
        seconds = visits.loc[visits["state"] == place + 1, "seconds"].to_numpy(float)
        if not len(seconds):
            continue
        low, quarter, middle, three, high = np.quantile(seconds, [0.1, 0.25, 0.5, 0.75, 0.9])
        axes.plot([low, high], [place, place], color=color, lw=1)
        axes.plot([quarter, three], [place, place], color=color, lw=4, solid_capstyle="butt")
        axes.plot(middle, place, "o", color="white", mec=color, ms=4, mew=1)
        axes.text(
            1.02, place, str(len(seconds)), transform=axes.get_yaxis_transform(), va="center", fontsize=6, color=MUTED
        )
    axes.text(1.02, 1.0, "visits", transform=axes.transAxes, va="bottom", ha="left", fontsize=6, color=MUTED)
    axes.set(xscale="log", xlabel="dwell time (s)", ylabel="state", ylim=(len(colors) - 0.5, -0.5))
    axes.set_title("Dwell times")
    _plain_log(axes)
    _numbered(axes.yaxis, colors)


def _plain_log(axes: Axes) -> None:
    """Ticks of a logarithmic axis as plain numbers: 1, 2, 5, 10."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(10, subs=(1.0,) if high / low > 300 else (1.0, 2.0, 5.0)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _transitions(part: Any, axes: Axes, states: StatesResult, colors: list[str]) -> None:
    """Where a state goes when it ends: the transition matrix without staying."""
    away = states.transition.values.copy()
    np.fill_diagonal(away, 0.0)
    away /= np.maximum(away.sum(axis=1, keepdims=True), 1e-12)
    np.fill_diagonal(away, np.nan)
    ramp = grey_ramp(away)
    axes.imshow(away, cmap=ramp, vmin=0, vmax=1)
    axes.set(xlabel="next state", ylabel="state", title="Where a state goes")
    _numbered(axes.xaxis, colors)
    _numbered(axes.yaxis, colors)
    for side in axes.spines.values():
        side.set_visible(False)
    value_bar(part, axes, ramp, 0, 1, "probability")
    for i, j in np.ndindex(away.shape):
        if i != j and states.n_states <= 5:
            shade = "white" if away[i, j] > 0.55 else INK
            axes.text(j, i, f"{away[i, j]:.2f}", ha="center", va="center", fontsize=6, color=shade)


def _held_out(axes: Axes, states: StatesResult) -> None:
    """Held-out gain over one state, or the share of time where nothing was held out."""
    if states.held_out is None:
        table = states.table()
        places = np.arange(len(table))
        axes.barh(places, table["share"], color=state_colors(states), height=0.7)
        axes.set(xlabel="share of time", ylabel="state", title="Share of time", ylim=(len(table) - 0.5, -0.5))
        _numbered(axes.yaxis, state_colors(states))
        return
    table = states.held_out[states.held_out["states"] > 1].iloc[::-1]
    places = np.arange(len(table))
    axes.errorbar(table["over_one_state"], places, xerr=table["over_one_state_se"], fmt="o", color=INK, ms=3, lw=0.8)
    axes.axvline(0, color=MUTED, lw=0.6)
    axes.set(yticks=places, xlabel="nats a value over one state", title="Held-out frames (± s.e.)")
    axes.set_yticklabels(["\n".join(wrap(str(m), 18)[:3]) for m in table["model"]], fontsize=6)
    axes.set_ylim(-0.6, len(table) - 0.4)
    axes.locator_params(axis="x", nbins=4)


def state_means(states: StatesResult, cohort: Cohort | None = None) -> pd.DataFrame:
    """Mean activity of every neuron in every state.

    Parameters
    ----------
    states : StatesResult
    cohort : Cohort, optional
        Its traces are averaged, as z-scores: over the frames in the state, then over the worms. Without it, or without one of the
        worms: the constants of the model, in standard deviations of the traces.

    Returns
    -------
    pandas.DataFrame
        (neuron, state); NaN where no worm with the neuron visits the state.
    """
    numbers = [int(n) for n in states.posterior["state"].values]
    if cohort is None or not set(states.worms) <= set(cohort.worms):
        return pd.DataFrame(states.level.values.T, index=list(states.neurons), columns=numbers)
    total = pd.DataFrame(0.0, index=list(states.neurons), columns=numbers)
    count = total.copy()
    for worm in states.worms:
        traces, sequence = cohort.traces_of(worm), states.of_worm(worm)
        values = pd.DataFrame(_z_scores(traces.values), columns=[str(n) for n in traces["neuron"].values])
        values = values[[n for n in values.columns if n in total.index]]
        clock = sequence["time"].values
        own = cohort.recordings[cohort.worms.index(worm)].time_s
        place = np.clip(np.searchsorted(clock, own - 0.5 / states.rate_hz), 0, len(clock) - 1)
        near = np.abs(clock[place] - own) <= 0.75 / states.rate_hz
        for state in numbers:
            inside = near & (sequence.values[place] == state)
            if inside.any():
                mean = values[inside].mean()
                known = mean.index[mean.notna()]
                total.loc[known, state] += mean[known]
                count.loc[known, state] += 1
    return total / count.where(count > 0)


def plot_state_means(states: StatesResult, cohort: Cohort | None = None) -> Figure:
    """Mean activity of every neuron in every state, with names: neurons below each other, in the order of their most active state.

    Parameters
    ----------
    states : StatesResult
    cohort : Cohort, optional
        See `state_means`.
    """
    from .name_column import NameColumn

    means = state_means(states, cohort)
    values = means.to_numpy()
    order = np.lexsort((-np.nan_to_num(values.max(axis=1)), np.nan_to_num(values).argmax(axis=1)))
    names, values = short_names([str(means.index[i]) for i in order], NEURON_LIMIT), values[order]
    columns = max(int(np.ceil(len(names) / ROWS_BESIDE)), 1)
    rows = int(np.ceil(len(names) / columns))
    finite = np.abs(values[np.isfinite(values)])
    top = float(np.quantile(finite, 0.99)) if len(finite) and finite.max() > 0 else 1.0
    colors = state_colors(states)
    measured = cohort is not None and set(states.worms) <= set(cohort.worms)
    with styled():
        from matplotlib import colormaps

        high = max(0.094 * rows, 1.0)
        width = min(WIDTH, 1.6 + columns * (0.65 + 0.13 * len(colors)))
        figure = new_figure(width, high + 1.0)
        grid = figure.subplots(1, columns, squeeze=False)[0]
        for number, axes in enumerate(grid):
            here = slice(number * rows, (number + 1) * rows)
            part = np.full((rows, len(colors)), np.nan)
            part[: len(values[here])] = values[here]
            axes.imshow(part, aspect="auto", cmap=colormaps["RdBu_r"], vmin=-top, vmax=top, interpolation="nearest")
            NameColumn(axes, names[here], min(name_size(rows, high) or LEAST_PT, 6.5), pad=2)
            axes.set_yticks([])
            _numbered(axes.xaxis, colors)
            for side in axes.spines.values():
                side.set_visible(False)
        grid[0].set_xlabel("state")
        said = "mean z-score" if measured else "constant of the model (s.d.)"
        value_bar(figure, list(grid), colormaps["RdBu_r"], -top, top, said, "both")
        figure.suptitle(
            f"{len(names)} neurons in {len(colors)} states", x=0.02, ha="left", fontsize=9, fontweight="bold"
        )
    return figure
