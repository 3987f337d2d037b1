"""What is said of one neuron where the mouse rests on it: name, class, community, its trace in small, a correlation.

Goes in: a session, a neuron, and what is drawn of it. Comes out: a `NeuronCard`, made in a millisecond.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..model.neurons import info
from ..session.freshness import at_analysis
from ..session.session import Session
from .features import correlations
from .palette import UNASSIGNED
from .scene import Drawn, community_of, shown_styles

COLUMNS = 96
"""Columns of the small trace."""


@dataclass(frozen=True, eq=False)
class NeuronCard:
    """What a card says.

    Parameters
    ----------
    neuron : str
        Its id.
    title : str
        Its name, or its number.
    about : str
        Class, ganglion and label, in words; the worm of a neuron without a name.
    community : str
        Name of its community; "" where there are no communities.
    colour : str
        Of the community, "#rrggbb"; "" where there is none.
    trace : array (column, 2)
        Least and largest value of the trace in equal parts of the recording, 0 to 1; NaN where nothing was measured. Empty: no trace.
    spans : list of (float, float)
        Stimuli, as shares of the recording's time.
    now : float
        The shown time, as a share of the recording's.
    correlation : float
        Pearson's with `other` over the samples that both have; NaN without one.
    other : str
        Neuron that it is correlated with; "": none.
    notes : tuple of str
        Further lines.
    """

    neuron: str
    title: str
    about: str
    community: str = ""
    colour: str = ""
    trace: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    spans: tuple[tuple[float, float], ...] = ()
    now: float = float("nan")
    correlation: float = float("nan")
    other: str = ""
    notes: tuple[str, ...] = ()


def neuron_card(
    session: Session,
    neuron: str,
    *,
    drawn: Drawn | None = None,
    dark: bool = True,
    other: str = "",
    notes: tuple[str, ...] = (),
) -> NeuronCard | None:
    """Say what is known of a neuron.

    Parameters
    ----------
    session : Session
    neuron : str
        Id in the current recording, or a name of the analysis that this worm does not show.
    drawn : Drawn, optional
        What is drawn of the recording; resolved again without it.
    dark : bool
        Of the theme, for the colour of the community.
    other : str
        Neuron to correlate with; "": the one that is chosen.
    notes : tuple of str
        Further lines.

    Returns
    -------
    NeuronCard or None
        None if nothing is open, or the neuron is known nowhere.
    """
    recording, communities = session.recording, session.shown_communities
    place = -1 if recording is None else int(recording.neurons.index.get_indexer([neuron])[0])
    if recording is None or place < 0:
        return _elsewhere(session, neuron, dark, notes)
    row = recording.neurons.iloc[place]
    name = str(row["name"])
    entry = info(name) if name else None
    words = [_class_words(name)] if entry is not None else []
    if name:
        words.append(f"neuron {int(row['label'])}")
    words = words or [recording.name]
    known = drawn is not None and drawn.ids == tuple(map(str, recording.neurons.index))
    community, colour = "", ""
    if communities is not None:
        if drawn is not None and known and drawn.styles:
            number, styles = int(drawn.community[place]), drawn.styles
        else:
            then = at_analysis(session, recording)
            number = int(community_of(recording, communities, session.selection.level, then)[place])
            styles = shown_styles(session, dark)
        community, colour = (
            (styles[number].label, styles[number].color) if number in styles else ("none", UNASSIGNED[dark])
        )
    values = recording.traces.values
    first, last = float(recording.time_s[0]), float(recording.time_s[-1])
    length = max(last - first, 1e-9)
    chosen = other or next((n for n in session.selection.neurons if n in recording.neurons.index), "")
    beside = -1 if not chosen or chosen == neuron else int(recording.neurons.index.get_indexer([chosen])[0])
    found = correlations(values[:, [place]], values[:, beside])[0] if beside >= 0 else np.nan
    return NeuronCard(
        neuron,
        name or f"neuron {int(row['label'])}",
        "  ·  ".join(words),
        community,
        colour,
        small_trace(values[:, place]),
        tuple(
            (float(np.clip((a - first) / length, 0, 1)), float(np.clip((max(b, a) - first) / length, 0, 1)))
            for a, b in zip(recording.stimuli["onset"], recording.stimuli["offset"], strict=True)
        ),
        (session.selection.time_s - first) / length,
        float(found),
        chosen if beside >= 0 else "",
        (*(["not a neuron: left out of the analysis"] if bool(row["rejected"]) else []), *notes),
    )


def small_trace(values: np.ndarray, columns: int = COLUMNS) -> np.ndarray:
    """Least and largest value (column, 2) of a trace in equal parts of its samples, scaled to 0 to 1.

    Parameters
    ----------
    values : array (time,)
        NaN where nothing was measured.
    columns : int
        At most so many parts.

    Returns
    -------
    array (column, 2)
        NaN for parts without a sample; a trace that does not vary lies at 0.5. Empty if nothing was measured.
    """
    values = np.asarray(values, float)
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros((0, 2))
    edges = np.unique(np.linspace(0, len(values), min(columns, len(values)) + 1).astype(int)[:-1])
    least, most = np.fmin.reduceat(values, edges), np.fmax.reduceat(values, edges)
    low, high = float(values[finite].min()), float(values[finite].max())
    pairs = np.stack([least, most], axis=1)
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        return np.where(np.isfinite(pairs), 0.5, np.nan)
    return np.asarray((pairs - low) / (high - low))


def _class_words(name: str) -> str:
    entry = info(name)
    if entry is None:
        return ""
    where = f", {entry.ganglion} ganglion" if entry.ganglion else ""
    return f"class {entry.neuron_class}{where}"


def _elsewhere(session: Session, neuron: str, dark: bool, notes: tuple[str, ...]) -> NeuronCard | None:
    """A neuron of the analysis that the current worm does not show under this name."""
    communities = session.shown_communities
    if communities is None or neuron not in communities.neurons:
        return None
    level = min(session.selection.level, communities.n_levels - 1)
    number = int(communities.labels.isel(level=level).values[communities.neurons.index(neuron)])
    styles = shown_styles(session, dark)
    label, colour = (styles[number].label, styles[number].color) if number in styles else ("none", UNASSIGNED[dark])
    about = "  ·  ".join(w for w in (_class_words(neuron), f"not seen in {session.current}") if w)
    return NeuronCard(neuron, neuron, about, label, colour, notes=notes)
