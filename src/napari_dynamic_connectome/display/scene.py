"""Scene on the worm: positions, colours and sizes of neurons, resolved from a session without napari or Qt.

Goes in: recording, components, communities, selection, theme. Comes out: a `Drawn`, from which `colors_at(drawn, time)` makes
the colours of one time point in a fraction of a millisecond.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..model.network import Network
from ..model.neurons import info
from ..model.recording import Recording
from ..model.results import Communities, Components
from ..model.summary import Summary
from ..naming.confidence import doubtful
from ..session.freshness import at_analysis, freshness
from ..session.session import Session
from .order import zscore
from .palette import UNASSIGNED, Style, hue_numbers, mix, painted_by, rgb, styles
from .states import at_states, communities_of, group_styles

ColorBy = Literal["community", "strength", "probability", "activity", "naming", "state", "column"]
COLOR_BY: tuple[ColorBy, ...] = ("community", "strength", "probability", "activity", "naming")
"""What can be chosen beside the communities of components; the communities of a state's network are chosen with the state."""

SIZE_SELECTED, SIZE, SIZE_UNASSIGNED = 4.5, 2.8, 2.2
RING_OVERLAP, RING_UNSURE = 0.45, 0.18
PALE = 0.6
"""Share of grey in the colour of an unsure neuron."""


@dataclass(frozen=True, eq=False, repr=False)
class Drawn(Summary):
    """Everything that is drawn for one recording.

    Parameters
    ----------
    ids : tuple of str
        Neurons in the recording's order.
    labels : array of int (neuron,)
    positions : array (neuron, 3)
        Micrometres (z, y, x); see `schematic`.
    schematic : bool
        True if the recording has no positions, and places from the literature by ganglion are shown instead.
    shown : array of bool (neuron,)
        Has a place.
    community : array of int (neuron,)
        At the shown level; -1 = none.
    styles : dict of int to Style
    base : array (neuron, 3)
        Colour without time.
    alpha : array (neuron,)
    size : array (neuron,)
    lit : array of bool (neuron,)
        Selected: the members of the selected community, or all of them if none is.
    ring : array (neuron, 3)
        Colour of the ring around a neuron: of the other community of one that overlaps, neutral around an unsure one.
    ring_width : array (neuron,)
        Share of the neuron's size; 0 for all others.
    weight : array (time, neuron) or None
        0..1, the share of the base colour at every time point; None where colours don't depend on time.
    time_s : array (time,)
        Clock of `weight`.
    dim : array (3,)
        Colour of weight 0.
    older : bool
        The results are older than what they were made from.
    """

    ids: tuple[str, ...]
    labels: np.ndarray
    positions: np.ndarray
    schematic: bool
    shown: np.ndarray
    community: np.ndarray
    styles: dict[int, Style]
    base: np.ndarray
    alpha: np.ndarray
    size: np.ndarray
    lit: np.ndarray
    ring: np.ndarray
    ring_width: np.ndarray
    weight: np.ndarray | None
    time_s: np.ndarray
    dim: np.ndarray
    older: bool = False

    def frame(self, time_s: float) -> int:
        """Index of the sample nearest to a time."""
        if len(self.time_s) == 0:
            return 0
        after = int(np.searchsorted(self.time_s, time_s))
        before = max(after - 1, 0)
        after = min(after, len(self.time_s) - 1)
        return before if abs(self.time_s[before] - time_s) <= abs(self.time_s[after] - time_s) else after


def colors_at(drawn: Drawn, time_s: float) -> np.ndarray:
    """Colours (neuron, 4), float32, at a time."""
    result = np.empty((len(drawn.ids), 4), np.float32)
    if drawn.weight is None:
        result[:, :3] = drawn.base
    else:
        weight = drawn.weight[drawn.frame(time_s)][:, None]
        result[:, :3] = drawn.dim * (1 - weight) + drawn.base * weight
    result[:, 3] = drawn.alpha
    return result


def label_colors(
    drawn: Drawn,
    time_s: float,
    *,
    background_alpha: float = 0.0,
    new: Iterable[int] = (),
    new_color: str = "#f2f2f2",
) -> dict[int | None, np.ndarray]:
    """Colour of every label for a direct label colormap; None is what other labels get, `new` as in `label_palette`."""
    colors = colors_at(drawn, time_s)
    table: dict[int | None, np.ndarray] = {None: np.array([0.5, 0.5, 0.5, background_alpha], np.float32)}
    table[0] = np.zeros(4, np.float32)
    table |= {int(label): np.array([*rgb(new_color), 1.0], np.float32) for label in new if label > 0}
    for label, color in zip(drawn.labels, colors, strict=True):
        table[int(label)] = color
    return table


def label_palette(
    drawn: Drawn, time_s: float, most: int, new: Iterable[int] = (), new_color: str = "#f2f2f2"
) -> np.ndarray:
    """Colours (most + 1, 4) by label id, float32; ids without a neuron are transparent, and so is the background.

    `new` are ids that were painted after the extraction: they are seen at once.
    """
    table = np.zeros((most + 1, 4), np.float32)
    for label in new:
        if 0 < label <= most:
            table[label] = (*rgb(new_color), 1.0)
    table[drawn.labels] = colors_at(drawn, time_s)
    table[0] = 0.0
    return table


def community_of(
    recording: Recording, communities: Communities | None, level: int, then: Recording | None = None
) -> np.ndarray:
    """Community of every neuron of a recording at a level, -1 = none; pairs that were merged are found by their common name.

    Parameters
    ----------
    recording : Recording
    communities : Communities or None
    level : int
    then : Recording, optional
        The worm as it was analyzed: a cell that was renamed since keeps the community of its label.
    """
    if communities is None:
        return np.full(recording.n_neurons, -1, int)
    level = min(max(level, 0), communities.n_levels - 1)
    places = cohort_places(recording, communities.neurons, then)
    return np.asarray(np.append(communities.labels.isel(level=level).values.astype(int), -1)[places])


def state_of(
    recording: Recording, communities: Communities | None, level: int, then: Recording | None = None
) -> np.ndarray:
    """What every neuron of a recording is at a level: "member", "overlapping", "unsure", "background", "not observed", or ""."""
    if communities is None or communities.state is None:
        return np.full(recording.n_neurons, "", dtype=object)
    level = min(max(level, 0), communities.n_levels - 1)
    places = cohort_places(recording, communities.neurons, then)
    return np.asarray(np.append(communities.state.isel(level=level).values.astype(object), "")[places])


def _rings(
    recording: Recording,
    communities: Communities | None,
    state: np.ndarray,
    look: dict[int, Style],
    dark: bool,
    then: Recording | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Colours and widths of the rings that mark overlapping and unsure neurons."""
    ring = np.tile(rgb("#f2f2f2" if dark else "#202228"), (recording.n_neurons, 1))
    width = np.where(state == "unsure", RING_UNSURE, np.where(state == "overlapping", RING_OVERLAP, 0.0))
    if communities is not None and communities.overlaps is not None and len(communities.overlaps):
        other = dict(zip(communities.overlaps["neuron"], communities.overlaps["other"], strict=True))
        for index, name in enumerate(cohort_names(recording, set(other), then)):
            if name in other and int(other[name]) in look:
                ring[index] = rgb(look[int(other[name])].color)
    return ring, width.astype(float)


def cohort_names(recording: Recording, known: set[str], then: Recording | None = None) -> list[str]:
    """Name under which a cohort knows each neuron of a recording ("" if it does not).

    Parameters
    ----------
    recording : Recording
        As it is now.
    known : set of str
        Names of the cohort's neurons.
    then : Recording, optional
        The worm as it was analyzed; its names count, by label. Without it the worm took no part, and its present names count.
    """
    source = recording if then is None else then
    found = {label: next((o for o in options if o in known), "") for label, options in _known_as(source)}
    return [found.get(label, "") for label in recording.neurons["label"].tolist()]


def cohort_places(recording: Recording, names: tuple[str, ...], then: Recording | None = None) -> np.ndarray:
    """Place (neuron,) of each neuron of a recording among the names of a cohort, -1 for one that it does not know.

    Parameters
    ----------
    recording, then : Recording
        As for `cohort_names`.
    names : tuple of str
        Neurons of the cohort, or of what was found in it.

    Returns
    -------
    ndarray of int
        Not to be changed: it is kept, because everything that is drawn asks for it.
    """
    source = recording if then is None else then
    known_as, labels = _known_as(source), recording.neurons["label"].tolist()
    kept = _places.setdefault(recording, [])
    for one in kept:
        if one[0] is known_as and one[1] == labels and one[2] == names:
            return one[3]
    index = {name: place for place, name in enumerate(names)}
    by_label = {label: next((index[o] for o in options if o in index), -1) for label, options in known_as}
    found = np.array([by_label.get(label, -1) for label in labels], int)
    found.setflags(write=False)
    kept[:] = [(known_as, labels, names, found), *kept[:MOST_PLACES]]
    return found


MOST_PLACES = 7
_places: weakref.WeakKeyDictionary[Recording, list[tuple[Any, list[int], tuple[str, ...], np.ndarray]]]
_places = weakref.WeakKeyDictionary()


Known = list[tuple[int, list[str]]]
_known: weakref.WeakKeyDictionary[Recording, tuple[tuple[list[Any], ...], Known]] = weakref.WeakKeyDictionary()


def _known_as(recording: Recording) -> Known:
    """Label of every neuron of a recording, and the names that a cohort may know it by, the likeliest first; none if it is rejected.

    It is asked for some twenty times whenever something else is shown, and made again only where the table is another one.
    """
    table = recording.neurons
    cells = (table.index.tolist(), *(table[c].tolist() for c in ("label", "name", "rejected")))
    before = _known.get(recording)
    if before is not None and before[0] == cells:
        return before[1]
    found: Known = []
    for neuron, label, name, rejected in zip(*cells, strict=True):
        entry = info(str(name)) if name else None
        options = [str(name), entry.pair_name if entry else "", str(neuron), f"{recording.name}{neuron}"]
        found.append((int(label), [] if rejected else [o for o in options if o]))
    _known[recording] = cells, found
    return found


def positions(recording: Recording) -> tuple[np.ndarray, bool]:
    """Positions (neuron, 3) and whether they are schematic (from the literature, because the recording has none)."""
    own = recording.positions_um
    if np.isfinite(own).all(axis=1).any():
        return own, False
    from ..model.neurons import is_canonical
    from ..simulation.positions import atlas_positions

    places = np.full((recording.n_neurons, 3), np.nan)
    names = recording.neurons["name"].tolist()
    known = [i for i, n in enumerate(names) if is_canonical(n)]
    if known:
        places[known] = atlas_positions([names[i] for i in known])
    return places, True


def shown_styles(session: Session, dark: bool = True) -> dict[int, Style]:
    """Names and colours of the communities that are chosen: component, kind and level."""
    communities = session.shown_communities
    if communities is None:
        return {}
    level = min(session.selection.level, communities.n_levels - 1)
    made_of, key = (communities, *session.communities.values()), (level, dark, tuple(session.communities))
    before = _styles.get(session)
    same = before is not None and before[1] == key and len(before[0]) == len(made_of)
    if before is None or not same or any(a is not b for a, b in zip(before[0], made_of, strict=True)):
        numbers = hue_numbers(session.communities, communities)
        before = _styles[session] = (made_of, key, styles(communities, level, dark, numbers))
    return dict(before[2])


_styles: weakref.WeakKeyDictionary[Session, tuple[tuple[Communities, ...], tuple[Any, ...], dict[int, Style]]]
_styles = weakref.WeakKeyDictionary()
"""The names and colours of every session that were made last, and what they were made of."""


def resolve(
    session: Session,
    *,
    color_by: ColorBy = "community",
    dark: bool = True,
    state: int = 0,
    group: int = -1,
    painted: np.ndarray | None = None,
) -> Drawn | None:
    """Resolve what is drawn for the session's current recording; None if no recording is open.

    Parameters
    ----------
    session : Session
    color_by : str
        "state": by the communities of the network of a switching state.
    dark : bool
    state : int
        Which state (from 1).
    group : int
        The chosen community of its network; -1: all of them.
    painted : array (neuron, 3), optional
        Colours for "column"; see `display.features`.
    """
    recording = session.recording
    if recording is None:
        return None
    selection, communities = session.selection, session.shown_communities
    level, chosen = selection.level, selection.community
    then = at_analysis(session, recording)
    found = communities_of(session, state) if color_by == "state" else None
    if found is not None:
        communities, level, chosen = found, found.chosen_level, group if group >= 0 else None
        then = at_states(session, recording)
    elif color_by == "state":
        color_by = "community"
    places, schematic = positions(recording)
    table = recording.neurons
    rejected = table["rejected"].to_numpy(bool)
    community = community_of(recording, communities, level, then)
    membership = state_of(recording, communities, level, then)
    n = recording.n_neurons
    grey = rgb(UNASSIGNED[dark])
    canvas = np.zeros(3) if dark else np.ones(3)
    dim = mix(grey, canvas, 0.72)
    alpha = np.ones(n)
    styles: dict[int, Style] = {}
    weight: np.ndarray | None = None
    time_s = recording.time_s
    if color_by == "column" and (painted is None or len(painted) != n):
        color_by = "community"
    if communities is None and color_by not in ("naming", "activity", "column"):
        color_by = "naming"
    if color_by == "column" and painted is not None:
        base = painted
        lit = (community == selection.community) if selection.community is not None else ~rejected
    elif color_by == "naming":
        base = naming_colors(recording, dark)
        lit = ~rejected
    else:
        styles = shown_styles(session, dark) if found is None else group_styles(session, state, dark)
        base = painted_by(community, styles, grey)
        pale = (membership == "unsure") & (community >= 0)
        base = np.where(pale[:, None], mix(base, grey, PALE), base)
        lit = (community == chosen) if chosen is not None else community >= 0
        if color_by == "activity":
            weight = activity_weight(recording)
            if communities is None:
                base = np.tile(rgb("#ffffff" if dark else "#202228"), (n, 1))
                lit = ~rejected
        elif color_by == "strength" and session.components is not None and session.components.rank:
            weight, time_s = strength_weight(recording, session.components, selection.component, then)
        elif color_by == "probability" and communities is not None:
            alpha = _probability(recording, communities, min(level, communities.n_levels - 1), then)
        if chosen is not None:
            base = np.where(lit[:, None], base, mix(base, canvas, 0.45))
    alpha = np.where(rejected, 0.15, alpha)
    if communities is not None and color_by not in ("naming", "column"):
        alpha = np.where(community < 0, np.minimum(alpha, 0.4), alpha)
    by_community = communities is not None and color_by not in ("naming", "activity", "column")
    ring, ring_width = _rings(
        recording, communities, membership if by_community else np.full(n, ""), styles, dark, then
    )
    ring_width = np.where(membership == "unsure", np.where(community >= 0, ring_width, 0.0), ring_width)
    focus = lit & (chosen is not None)
    size = np.where(focus, SIZE_SELECTED, np.where((community < 0) & (communities is not None), SIZE_UNASSIGNED, SIZE))
    return Drawn(
        ids=tuple(str(i) for i in table.index),
        labels=table["label"].to_numpy(np.int64),
        positions=np.where(np.isfinite(places), places, 0.0),
        schematic=schematic,
        shown=np.isfinite(places).all(axis=1),
        community=community,
        styles=styles,
        base=base,
        alpha=alpha,
        size=size.astype(float),
        lit=lit,
        ring=ring,
        ring_width=ring_width,
        weight=weight,
        time_s=time_s,
        dim=dim,
        older=bool(freshness(session).components if found is None else freshness(session).states),
    )


def naming_colors_key(dark: bool) -> list[tuple[str, str]]:
    """What the colours of the naming view mean, in the order of `naming_state`."""
    return [
        ("unnamed", "#6d727c" if dark else "#c4c3c2"),
        ("named", "#dfe3ea" if dark else "#777b83"),
        ("doubtful", "#e69f00" if dark else "#c48200"),
    ]


def naming_state(recording: Recording) -> np.ndarray:
    """0 unnamed, 1 named, 2 named but doubtful, for every neuron."""
    table = recording.neurons
    named = (table["name"] != "").to_numpy()
    return np.asarray(np.where(doubtful(table), 2, np.where(named, 1, 0)))


def naming_colors(recording: Recording, dark: bool) -> np.ndarray:
    """Colours of the naming view: named near the text colour, doubtful amber, unnamed grey."""
    key = np.array([rgb(color) for _, color in naming_colors_key(dark)])
    return np.asarray(key[naming_state(recording)])


def activity_weight(recording: Recording) -> np.ndarray:
    """z-scored traces (time, neuron) from 0 (z <= -0.5) to 1 (z >= 3), missing = 0."""
    return np.nan_to_num(np.clip((zscore(recording.traces.values) + 0.5) / 3.5, 0, 1)).astype(np.float32)


def strength_weight(
    recording: Recording, components: Components, component: int, then: Recording | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Strength of a component at every time (time, neuron), 0 to 1, and its clock: its time course times the neuron's part in it.

    A worm that the components do not know (or whose clock they do not share) shows the neurons' parts alone.
    """
    component = min(max(component, 1), components.rank)
    part = np.append(np.nan_to_num(strengths(components, component)), 0.0)[
        cohort_places(recording, components.neurons, then)
    ]
    part = np.sqrt(part / part.max()) if part.size and part.max() > 0 else part
    found = components.recording_course(component, recording.name)
    course, times = np.ones(1), recording.time_s[:1]
    if found.size:
        own, times = np.asarray(found["time"].values, float), recording.time_s
        # Between the blocks of an alignment there is no time course, so nothing is lit.
        apart = np.abs(own[np.clip(np.searchsorted(own, times), 1, max(len(own) - 1, 1)) - 1] - times)
        apart = np.minimum(apart, np.abs(own[np.clip(np.searchsorted(own, times), 0, len(own) - 1)] - times))
        step = float(np.median(np.diff(own))) if len(own) > 1 else np.inf
        course = np.where(apart <= 1.5 * step, np.interp(times, own, found.values), 0.0)
        course = course / course.max() if course.max() > 0 else course
    return np.clip(course[:, None] * part, 0, 1).astype(np.float32), times


def _probability(recording: Recording, communities: Communities, level: int, then: Recording | None) -> np.ndarray:
    values = communities.probability.isel(level=level).values.astype(float)
    found = np.append(values, 1.0)[cohort_places(recording, communities.neurons, then)]
    return np.asarray(np.clip(np.nan_to_num(found, nan=1.0), 0.12, 1.0))


def pair_factors(components: Components, component: int) -> np.ndarray:
    """Values (N, N) of `components.matrix`, kept for the component that was asked for last; not to be changed.

    Matrix, facts and edges of what is shown ask for it at every click.
    """
    return _kept(components, "matrix", component, lambda: components.matrix(component).values)


def strengths(components: Components, component: int) -> np.ndarray:
    """Values (N,) of `components.strength`, kept like `pair_factors`."""
    return _kept(components, "strength", component, lambda: components.strength(component).values)


def _kept(components: Components, what: str, component: int, make: Callable[[], np.ndarray]) -> np.ndarray:
    held = _factors.setdefault(components, {})
    before = held.get(what)
    if before is None or before[0] != component:
        values = make().view()
        values.setflags(write=False)
        before = held[what] = component, values
    return before[1]


_factors: weakref.WeakKeyDictionary[Components, dict[str, tuple[int, np.ndarray]]] = weakref.WeakKeyDictionary()


def strongest_edges(session: Session, drawn: Drawn, count: int = 24, state: int = 0) -> list[tuple[int, int, float]]:
    """Strongest pairs of the shown component inside the selection (or anywhere): (index, index, 0..1), strongest first.

    With `state`, the strongest pairs of the network of that switching state.
    """
    components, recording, states = session.components, session.recording, session.states
    if recording is None or count <= 0:
        return []
    if state and states is not None:
        matrix, everyone, then = states.network(state).values, states.neurons, at_states(session, recording)
    elif components is None or components.rank == 0:
        return []
    else:
        matrix = pair_factors(components, min(session.selection.component, components.rank))
        everyone, then = components.neurons, at_analysis(session, recording)
    places = cohort_places(recording, tuple(everyone), then)
    chosen = np.flatnonzero(drawn.lit & drawn.shown & (places >= 0))
    if len(chosen) < 2:
        return []
    rows = places[chosen]
    sub = np.nan_to_num(matrix[np.ix_(rows, rows)])
    first, second = np.triu_indices(len(chosen), 1)
    different = rows[first] != rows[second]
    first, second = first[different], second[different]
    values = sub[first, second]
    best = np.argsort(-values, kind="stable")[:count]
    top = values[best[0]] if len(best) else 0.0
    if top <= 0:
        return []
    return [(int(chosen[first[b]]), int(chosen[second[b]]), float(values[b] / top)) for b in best if values[b] > 0]


def connections(
    session: Session, drawn: Drawn, network: Network, count: int = 24
) -> list[tuple[int, int, float, bool]]:
    """Strongest connections of a network from or to the selection: (index, index, 0..1, both ends inside), strongest first.

    Directions are added. Neurons that the network does not know have no connection here.
    """
    recording = session.recording
    if recording is None or count <= 0:
        return []
    known = set(network.neurons)
    names = cohort_names(recording, known)
    here = [i for i in np.flatnonzero(drawn.shown) if names[i] in known]
    if len(here) < 2:
        return []
    both = np.nan_to_num(network.between([names[i] for i in here]).weight.values)
    weight = np.abs(both + both.T) if network.directed else np.abs(both)
    first, second = np.triu_indices(len(here), 1)
    lit = drawn.lit[here]
    touching = (lit[first] | lit[second]) & (weight[first, second] > 0)
    first, second = first[touching], second[touching]
    values = weight[first, second]
    best = np.argsort(-values, kind="stable")[:count]
    return [
        (
            int(here[first[b]]),
            int(here[second[b]]),
            float(values[b] / values[best[0]]),
            bool(lit[first[b]] & lit[second[b]]),
        )
        for b in best
    ]


LEGEND_MOST = 14


def legend(session: Session, drawn: Drawn, color_by: ColorBy, *, dark: bool = True) -> list[tuple[str, str]]:
    """Return the key of the colours as (text, "#rrggbb"); an empty colour is a line of plain text.

    At most `LEGEND_MOST` communities are listed; a last line says how many more there are.
    """
    if color_by == "naming" or (not drawn.styles and session.shown_communities is None):
        if color_by == "activity":
            return [("bright: active at t", "")]
        found = naming_colors_key(dark)
        state = naming_state(session.recording) if session.recording is not None else np.zeros(0, int)
        return [(text, color) for place, (text, color) in enumerate(found) if (state == place).any()]
    here = [c for c in drawn.styles if (drawn.community[drawn.shown] == c).any()]
    lines = [(drawn.styles[c].label, drawn.styles[c].color) for c in here[:LEGEND_MOST]]
    if len(here) > LEGEND_MOST:
        lines.append((f"and {len(here) - LEGEND_MOST} more", ""))
    if (drawn.community[drawn.shown] < 0).any():
        lines.append(("background", UNASSIGNED[dark]))
    if (drawn.ring_width[drawn.shown] == RING_UNSURE).any():
        lines.append(("pale, ringed: unsure", ""))
    if (drawn.ring_width[drawn.shown] == RING_OVERLAP).any():
        lines.append(("ring: in a second one", ""))
    hint = {"strength": "bright: strong at t", "activity": "bright: active at t", "probability": "faint: unsure"}
    return [*lines, (hint[color_by], "")] if color_by in hint else lines


def title(session: Session, drawn: Drawn, color_by: ColorBy, state: int = 0, group: int = -1) -> str:
    """One line for the canvas: what is shown, at what time."""
    selection = session.selection
    parts: list[str] = []
    if color_by == "state" and communities_of(session, state) is not None:
        parts.append(f"Network of state {state}")
        if group in drawn.styles:
            parts.append(f"community {drawn.styles[group].label}")
        if drawn.older:
            parts.append("not up to date")
    elif color_by == "naming" or session.shown_communities is None:
        if len(selection.neurons) == 1:
            parts.append(f"neuron {selection.neurons[0]}")
        elif session.current:
            parts.append(session.current)
    else:
        parts.append(f"Component {selection.component}")
        if selection.community is not None and selection.community in drawn.styles:
            parts.append(f"community {drawn.styles[selection.community].label}")
        if drawn.older:
            parts.append("not up to date")
    parts.append(f"t = {selection.time_s:.1f} s")
    if drawn.schematic:
        parts.append("schematic positions")
    return "  ·  ".join(parts)
