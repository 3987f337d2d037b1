"""Table of what is known of every neuron that is drawn, for napari's features and for colours: names, results, quality, correlations."""

from __future__ import annotations

import weakref

import numpy as np
import pandas as pd

from ..model.neurons import info
from ..model.recording import Recording
from ..session.freshness import at_analysis
from ..session.groups import first_group, groups_of
from ..session.session import Session
from .palette import UNASSIGNED, category, hex_color, mix, rgb
from .scene import cohort_places, community_of, state_of, strengths

CHOSEN = "correlation with the chosen neuron"
GROUPS = "named groups"
"""Colours by named groups instead of by a column of numbers."""
WITH = "correlation with "
LOW, HIGH = 2.0, 98.0
"""Percentiles at which the colours of a column begin and end."""
NOT_SHOWN = ("z", "y", "x", "label", "name", "note")
RAMPS = {True: ("#2b2f77", "#8f4fa8", "#ffd17a"), False: ("#c9d3f2", "#a05aa8", "#5a2a00")}
"""Low, middle and high of a column's colours on dark and on light."""


def neuron_features(session: Session) -> pd.DataFrame | None:
    """Features of the neurons of the current recording.

    Returns
    -------
    DataFrame or None
        One row a neuron, in the recording's order: `neuron`, `label`, `name`, `class`, `side`, `community`, `state`, `probability`
        (of the shown kind), `core`, `modules` (communities of both kinds at their chosen levels, -1: none), `strength` (in the
        chosen component), and what the recording holds of them (SNR, size, ...). None if nothing is open. Not to be changed: it is kept.
    """
    recording = session.recording
    if recording is None:
        return None
    then = at_analysis(session, recording)
    selection = session.selection
    kinds = [session.communities.get((selection.component, kind)) for kind in ("core", "modules")]
    made_of = (recording, then, session.shown_communities, session.components, *kinds)
    key = (selection.level, selection.component, tuple(session.groups.items()))
    before = _tables.get(session)
    if before is None or before[1] != key or any(a is not b for a, b in zip(before[0], made_of, strict=True)):
        before = _tables[session] = (made_of, key, _features(session, recording, then))
    return before[2]


_tables: weakref.WeakKeyDictionary[Session, tuple[tuple[object, ...], tuple[object, ...], pd.DataFrame]]
_tables = weakref.WeakKeyDictionary()
"""The table of every session that was made last, and what it was made of: it is asked for at every click."""


def _features(session: Session, recording: Recording, then: Recording | None) -> pd.DataFrame:
    """Make the table of `neuron_features`."""
    table, own = _of_recording(recording)
    if session.groups:
        table["groups"] = [", ".join(own) for own in groups_of(session, recording)]
    shown, selection, components = session.shown_communities, session.selection, session.components
    if shown is not None:
        table["community"] = community_of(recording, shown, selection.level, then)
        table["state"] = state_of(recording, shown, selection.level, then)
        table["probability"] = _by_name(
            recording,
            shown.neurons,
            shown.probability.isel(level=min(selection.level, shown.n_levels - 1)).values,
            then,
        )
        for kind in ("core", "modules"):
            one = session.communities.get((selection.component, kind))
            if one is not None:
                table[kind] = community_of(recording, one, one.chosen_level, then)
    if components is not None and components.rank:
        values = strengths(components, min(max(selection.component, 1), components.rank))
        table["strength"] = _by_name(recording, components.neurons, values, then)
    return pd.DataFrame(table | {k: v for k, v in own.items() if k not in table})


def _of_recording(recording: Recording) -> tuple[dict[str, object], dict[str, object]]:
    """First and last columns of the features: who the neurons are, and what the recording holds of them."""
    cells = [recording.neurons[c].tolist() for c in ("name", "label")]
    before = _recordings.get(recording)
    if before is None or before[0] is not recording.neurons or before[1] != cells:
        entries = [info(str(n)) if n else None for n in cells[0]]
        first = pd.DataFrame(
            {
                "neuron": [str(i) for i in recording.neurons.index],
                "label": np.array(cells[1], np.int64),
                "name": [str(n) for n in cells[0]],
                "class": [e.neuron_class if e is not None else "" for e in entries],
                "side": [e.side if e is not None else "" for e in entries],
            }
        )
        before = _recordings[recording] = (recording.neurons, cells, first)
    own = {str(k): v.to_numpy() for k, v in recording.neurons.items() if k not in NOT_SHOWN}
    return {str(k): v.array for k, v in before[2].items()}, own


_recordings: weakref.WeakKeyDictionary[Recording, tuple[pd.DataFrame, list[list[object]], pd.DataFrame]]
_recordings = weakref.WeakKeyDictionary()


def columns(session: Session) -> list[str]:
    """What neurons can be coloured by beside the results: correlations, and columns of numbers that differ between neurons."""
    recording, table = session.recording, neuron_features(session)
    if recording is None or table is None:
        return []
    found = (
        [CHOSEN]
        + ([GROUPS] if session.groups else [])
        + [f"{WITH}{name}" for name in map(str, recording.behaviour.data_vars)]
    )
    for name, values in table.items():
        if name not in ("community", "core", "modules") and pd.api.types.is_numeric_dtype(values):
            numbers = values.to_numpy(float)
            if name != "label" and np.isfinite(numbers).any() and np.nanmax(numbers) > np.nanmin(numbers):
                found.append(str(name))
    return found


def column_values(session: Session, column: str) -> np.ndarray:
    """Values of a column (neuron,), NaN where there is none; correlations are Pearson's over the samples that both have."""
    recording = session.recording
    if recording is None:
        return np.zeros(0)
    if column == CHOSEN:
        chosen = [n for n in session.selection.neurons if n in recording.neurons.index]
        if not chosen:
            return np.full(recording.n_neurons, np.nan)
        return correlations(recording.traces.values, recording.traces.sel(neuron=chosen[0]).values)
    name = column.removeprefix(WITH)
    if column.startswith(WITH) and name in recording.behaviour.data_vars:
        other = recording.behaviour[name]
        values = np.interp(recording.time_s, other["time"].values, other.values.astype(float), np.nan, np.nan)
        return correlations(recording.traces.values, values)
    table = neuron_features(session)
    if table is None or column not in table or not pd.api.types.is_numeric_dtype(table[column]):
        return np.full(recording.n_neurons, np.nan)
    return np.asarray(table[column], float)


def correlations(traces: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Pearson's correlation of every trace with another one.

    Parameters
    ----------
    traces : array (time, neuron)
    other : array (time,)

    Returns
    -------
    array (neuron,)
        NaN where fewer than three samples are common, or one of them does not vary there.
    """
    both = np.isfinite(traces) & np.isfinite(other)[:, None]
    count = both.sum(axis=0)
    a, b = np.where(both, traces, 0.0), np.where(both, other[:, None], 0.0)
    n = np.maximum(count, 1)
    a, b = np.where(both, a - a.sum(axis=0) / n, 0.0), np.where(both, b - b.sum(axis=0) / n, 0.0)
    spread = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    enough = (count >= 3) & (spread > 1e-12 * np.maximum(np.abs(traces).max(initial=0, where=both) ** 2, 1e-300))
    return np.where(enough, (a * b).sum(axis=0) / np.where(enough, spread, 1.0), np.nan)


Limits = tuple[float, float]


def limits(column: str, values: np.ndarray, chosen: Limits | None = None) -> Limits:
    """Values at which the colours begin and end: those that were chosen; else percentiles 2 and 98, around 0 for correlations."""
    if chosen is not None and np.isfinite(chosen).all() and chosen[1] > chosen[0]:
        return float(chosen[0]), float(chosen[1])
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    if column.startswith(WITH):
        others = finite[finite < 1 - 1e-9]  # the chosen neuron itself
        most = float(np.abs(others).max()) if len(others) else 1.0
        return -most, most
    low, high = np.percentile(finite, (LOW, HIGH))
    return float(low), float(high if high > low else low + 1)


def column_colours(values: np.ndarray, low: float, high: float, dark: bool, missing: np.ndarray) -> np.ndarray:
    """Colours (neuron, 3) of values; those that are missing get the colour `missing`."""
    start, middle, end = (rgb(c) for c in RAMPS[dark])
    share = np.clip((np.nan_to_num(values, nan=low) - low) / max(high - low, 1e-12), 0, 1)
    below = mix(start, middle, np.minimum(share * 2, 1))
    colours = np.where((share > 0.5)[:, None], mix(middle, end, np.clip(share * 2 - 1, 0, 1)), below)
    return np.asarray(np.where(np.isfinite(values)[:, None], colours, missing))


def painted(session: Session, column: str, dark: bool, chosen: Limits | None = None) -> np.ndarray:
    """Colours (neuron, 3) of the current recording's neurons by a column; `chosen` as in `limits`."""
    if column == GROUPS:
        return _group_colours(session, dark)
    values = column_values(session, column)
    return column_colours(values, *limits(column, values, chosen), dark, rgb(UNASSIGNED[dark]))


def _group_colours(session: Session, dark: bool) -> np.ndarray:
    """Colours (neuron, 3) by the first group of each neuron."""
    recording = session.recording
    places = first_group(session, recording) if recording is not None else np.zeros(0, int)
    colours = np.array([rgb(UNASSIGNED[dark] if p < 0 else category(p, dark)) for p in places.tolist()])
    return colours.reshape(-1, 3)


def group_legend(session: Session, dark: bool) -> list[tuple[str, str]]:
    """Key of the named groups as (text, "#rrggbb"); those that the current recording shows."""
    recording = session.recording
    here = set(first_group(session, recording).tolist()) if recording is not None else set()
    lines = [(name, category(p, dark)) for p, name in enumerate(session.groups) if p in here]
    return [*lines, ("in no group", UNASSIGNED[dark])] if -1 in here else lines


def column_legend(column: str, values: np.ndarray, dark: bool, chosen: Limits | None = None) -> list[tuple[str, str]]:
    """Key of a column's colours as (text, "#rrggbb"), from high to low; `chosen` as in `limits`."""
    low, high = limits(column, values, chosen)
    if not np.isfinite(values).any():
        return [("choose a neuron" if column == CHOSEN else "no values here", "")]
    steps = np.linspace(high, low, 5)
    colours = column_colours(steps, low, high, dark, np.zeros(3))
    edge = ["\u2265 ", "", "", "", "\u2264 "]
    lines = [(f"{mark}{step:.3g}", hex_color(colour)) for mark, step, colour in zip(edge, steps, colours, strict=True)]
    return [(column, ""), *lines]


def _by_name(recording: Recording, names: tuple[str, ...], values: np.ndarray, then: Recording | None) -> np.ndarray:
    return np.asarray(np.append(values.astype(float), np.nan)[cohort_places(recording, names, then)])
