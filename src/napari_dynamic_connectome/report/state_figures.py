"""Figures of switching states: a ribbon of states over every worm's traces, dwell times, transitions, held-out scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..display.states import state_color
from ..model.cohort import Cohort
from ..model.state_results import StatesResult
from .figure_style import INK, MUTED, new_figure, shade_binary, shade_stimuli, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_WORMS = 8
BINS = 15


def state_colors(states: StatesResult) -> list[str]:
    """One colour a state, in order."""
    return [state_color(int(state), dark=False) for state in states.posterior["state"].values]


def plot_states(states: StatesResult, cohort: Cohort | None = None, *, behaviour: str | None = None) -> Figure:
    """Ribbons of states over the traces, and what the states are like.

    Parameters
    ----------
    states : StatesResult
    cohort : Cohort, optional
        Its traces stand under the ribbons, neurons in the order of their most active state.
    behaviour : str, optional
        Binary channel shaded over the ribbons; the first one by default.
    """
    worms = states.worms[:MOST_WORMS]
    colors = state_colors(states)
    with styled():
        figure = new_figure(10, 1.1 + (1.5 if cohort is not None else 0.6) * len(worms) + 2.0)
        parts: Any = figure.subfigures(2, 1, height_ratios=[len(worms) * (1.5 if cohort is not None else 0.6), 2.0])
        upper, lower = parts
        rows = upper.subplots(
            2 * len(worms), 1, gridspec_kw={"height_ratios": [1, 4 if cohort is not None else 1] * len(worms)}
        )
        for number, worm in enumerate(worms):
            ribbon, below = rows[2 * number], rows[2 * number + 1]
            _ribbon(ribbon, states, worm, colors)
            _below(below, states, worm, cohort, behaviour, colors)
            if number == len(worms) - 1:
                below.set_xlabel("time (s)")
        left, middle, right = lower.subplots(1, 3)
        _dwell(left, states, colors)
        _transitions(middle, states, colors)
        _held_out(right, states)
    return figure


def _ribbon(axes: Axes, states: StatesResult, worm: str, colors: list[str]) -> None:
    visits = states.visits()
    for row in visits[visits["worm"] == worm].itertuples():
        axes.axvspan(row.start_s, row.stop_s, color=colors[row.state - 1], lw=0, antialiased=False)
    time = states.of_worm(worm)["time"].values
    axes.set(xlim=(time[0], time[-1]), yticks=[], xticks=[])
    axes.set_ylabel(worm, rotation=0, ha="right", va="center", fontsize=7)
    for side in axes.spines.values():
        side.set_visible(False)


def _below(
    axes: Axes, states: StatesResult, worm: str, cohort: Cohort | None, behaviour: str | None, colors: list[str]
) -> None:
    """The traces as a heat map, or the probabilities of the states."""
    time = states.of_worm(worm)["time"].values
    if cohort is None or worm not in cohort.worms:
        probability = states.probability(worm)
        axes.stackplot(time, probability.values.T, colors=colors, lw=0)
        axes.set(xlim=(time[0], time[-1]), ylim=(0, 1), yticks=[0, 1])
        return
    recording = cohort.recordings[cohort.worms.index(worm)]
    traces = cohort.traces_of(worm)
    values = traces.values
    with np.errstate(invalid="ignore", divide="ignore"):
        values = (values - np.nanmean(values, axis=0)) / np.nanstd(values, axis=0)
    level = states.level.sel(neuron=[n for n in traces["neuron"].values if n in set(states.neurons)]).values
    order = np.lexsort((-np.nan_to_num(level.max(axis=0)), np.nan_to_num(level).argmax(axis=0)))
    own = recording.time_s
    axes.imshow(
        values.T[order],
        aspect="auto",
        cmap="Greys",
        vmin=-1.5,
        vmax=3,
        interpolation="none",
        extent=(own[0], own[-1], len(order), 0),
    )
    axes.set(xlim=(time[0], time[-1]), yticks=[])
    shade_stimuli(axes, recording.stimuli, names=False)
    channel = behaviour or next(
        (str(c) for c, v in recording.behaviour.data_vars.items() if v.attrs.get("kind") == "binary"), None
    )
    if channel is not None and channel in recording.behaviour:
        marks = axes.inset_axes((0.0, -0.09, 1.0, 0.07), sharex=axes)
        shade_binary(marks, own, recording.behaviour[channel].values, color=INK)
        marks.set(yticks=[])
        marks.axis("off")
        axes.text(-0.005, -0.06, channel, transform=axes.transAxes, ha="right", va="center", fontsize=6, color=MUTED)
    axes.tick_params(axis="x", pad=7)


def _dwell(axes: Axes, states: StatesResult, colors: list[str]) -> None:
    visits = states.visits()
    longest = max(float(visits["seconds"].max()), 1e-9)
    edges = np.geomspace(1 / states.rate_hz * 0.9, longest * 1.01, BINS + 1)
    for state, color in enumerate(colors, start=1):
        seconds = visits.loc[visits["state"] == state, "seconds"]
        axes.stairs(np.histogram(seconds, edges)[0], edges, color=color, lw=1.2, label=str(state))
    axes.set(xscale="log", xlabel="dwell time (s)", ylabel="visits", title="Dwell times")
    axes.legend(title="state", ncols=2)


def _transitions(axes: Axes, states: StatesResult, colors: list[str]) -> None:
    """Where a state goes when it ends: the transition matrix without staying."""
    away = states.transition.values.copy()
    np.fill_diagonal(away, 0.0)
    away /= np.maximum(away.sum(axis=1, keepdims=True), 1e-12)
    axes.imshow(away, cmap="Greys", vmin=0, vmax=1)
    ticks = list(range(states.n_states))
    axes.set(xticks=ticks, yticks=ticks, xlabel="next state", ylabel="state", title="Where a state goes")
    axes.set_xticklabels([str(t + 1) for t in ticks])
    axes.set_yticklabels([str(t + 1) for t in ticks])
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        for label, color in zip(labels, colors, strict=True):
            label.set_color(color)
            label.set_fontweight("bold")
    for i in ticks:
        for j in ticks:
            if i != j:
                axes.text(
                    j,
                    i,
                    f"{away[i, j]:.2f}",
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="white" if away[i, j] > 0.55 else INK,
                )


def _held_out(axes: Axes, states: StatesResult) -> None:
    """Held-out gain over one state, or the share of time where nothing was held out."""
    if states.held_out is None:
        table = states.table()
        axes.bar(table["state"], table["share"], color=state_colors(states))
        axes.set(xlabel="state", ylabel="share of time", title="Share of time", xticks=table["state"])
        return
    table = states.held_out[states.held_out["states"] > 1].iloc[::-1]
    places = np.arange(len(table))
    axes.errorbar(table["over_one_state"], places, xerr=table["over_one_state_se"], fmt="o", color=INK, ms=3, lw=0.8)
    axes.axvline(0, color=MUTED, lw=0.6)
    axes.set(yticks=places, xlabel="nats a value over one state", title="Held-out frames")
    axes.set_yticklabels(table["model"])
