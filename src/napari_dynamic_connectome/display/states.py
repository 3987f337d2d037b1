"""Switching states as they are drawn: colours of states, who was whom when they were found, visits on a worm's clock.

Goes in: a session and the number of a state. Comes out: the communities of its network, their styles, the network itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pandas as pd

from ..model.recording import Recording, neuron_ids
from ..model.results import Communities
from ..model.state_results import StatesResult
from ..session.session import Session
from .palette import Style, category, styles

COLOURS = (26, 14, 15, 17, 18, 28, 7, 20, 19, 23, 29, 6, 22, 8, 21, 9, 13, 10, 11, 25, 12, 16, 27, 24)
"""Numbers of the colours of states, each the farthest from those before it (OKLab, on dark and light); the first six are left to
communities, which are no states."""


def state_color(state: int, dark: bool = True) -> str:
    """Colour of a state in ribbons, tables and figures, by its number from 1."""
    return category(COLOURS[(state - 1) % len(COLOURS)], dark)


def communities_of(session: Session, state: int) -> Communities | None:
    """Communities of the network of a state; None where there are none."""
    return None if session.states is None else session.states.communities.get(state)


def group_styles(session: Session, state: int, dark: bool = True) -> dict[int, Style]:
    """Names and colours of the communities of a state's network, at the level that the rule picks."""
    found = communities_of(session, state)
    return {} if found is None else styles(found, found.chosen_level, dark)


def at_states(session: Session, recording: Recording) -> Recording | None:
    """Return a worm with the names that it had when the states were found; None if it took no part."""
    prints = (session.made.get("states") or {}).get("worms", {}).get(recording.name)
    if prints is None:
        return None
    then = dict(zip(prints["labels"], prints["names"], strict=True))
    table = recording.neurons.copy()
    names = [str(then.get(int(label), "")) for label in table["label"]]
    if names == table["name"].astype(str).tolist():
        return recording
    table["name"] = names
    ids = neuron_ids(names, table["label"].to_numpy(), where=f"recording '{recording.name}'")
    table.index = pd.Index(ids, name="neuron")
    quality = None if recording.quality is None else recording.quality.set_axis(table.index, axis=0)
    return recording.replace(traces=recording.traces.assign_coords(neuron=ids), neurons=table, quality=quality)


def ribbon(states: StatesResult, worm: str) -> Iterator[tuple[int, list[tuple[float, float]]]]:
    """Yield every state with its visits (start, stop) in one worm, in seconds; nothing for a worm that took no part."""
    if worm not in states.worms:
        return
    one = states.of_worm(worm)
    time, path = np.asarray(one["time"].values, float), one.values
    edges = np.concatenate([[0], np.flatnonzero(np.diff(path)) + 1, [len(path)]])
    step = 1 / states.rate_hz
    spans: dict[int, list[tuple[float, float]]] = {int(s): [] for s in states.posterior["state"].values}
    for first, last in pairwise(edges.tolist()):
        spans[int(path[first])].append((float(time[first]), float(time[last - 1]) + step))
    yield from spans.items()


def state_at(states: StatesResult, worm: str, time_s: float) -> int | None:
    """State of a worm at a time; None for a worm that took no part, and outside of its recording."""
    if worm not in states.worms:
        return None
    one = states.of_worm(worm)
    time = np.asarray(one["time"].values, float)
    place = int(np.abs(time - time_s).argmin())
    return int(one.values[place]) if abs(time[place] - time_s) <= 1.5 / states.rate_hz else None
