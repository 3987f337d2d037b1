"""Highlights of the selected community: the times at which its component is active, and the worms that show it.

Goes in: a session. Comes out: windows in seconds on the current worm's clock, and for each worm what it has of the community.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..model.recording import Recording
from ..model.results import CommunityKind, Components
from ..session.freshness import at_analysis
from ..session.session import Session
from .scene import cohort_names

ACTIVE_SHARE = 0.5
"""A component counts as active above this share of its peak."""


@dataclass(frozen=True)
class WormHighlight:
    """What one worm has of the selected community.

    Parameters
    ----------
    worm : str
    present : int
        Members that this worm has.
    members : int
        Members of the community that any worm has.
    loading : float
        Strength of the component in this worm, 1 = the strongest worm.
    takes_part : bool
        At least half of the members are there.
    """

    worm: str
    present: int
    members: int
    loading: float
    takes_part: bool


def course_of(components: Components, component: int, worm: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Times and values of a component's time course: the common one, or where worms have their own that of a worm, the first if not known."""
    worms = [str(w) for w in components.worm["worm"].values]
    own = (worm if worm in worms else worms[0]) if components.clock(component) == "own" else None
    course = components.time_course(component, own)
    return np.asarray(course["time"].values, float), np.nan_to_num(np.asarray(course.values, float))


def active_windows(time: np.ndarray, values: np.ndarray, share: float = ACTIVE_SHARE) -> list[tuple[float, float]]:
    """Intervals (start, stop) in seconds in which a course is above a share of its peak, the one with most area first."""
    if len(values) < 2 or values.max() <= 0:
        return []
    on = values > values.max() * share
    edges = np.flatnonzero(np.diff(np.concatenate(([0], on.astype(int), [0])))).reshape(-1, 2)
    # Short dips do not end a window: courses are noisy.
    gap = max(0.04 * (time[-1] - time[0]), 2.5 * float(np.median(np.diff(time))))
    joined: list[list[int]] = []
    for start, stop in edges.tolist():
        if joined and time[start] - time[joined[-1][1] - 1] <= gap:
            joined[-1][1] = stop
        else:
            joined.append([start, stop])
    order = sorted(joined, key=lambda w: -float(values[w[0] : w[1]].sum()))
    return [(float(time[a]), float(time[b - 1])) for a, b in order]


def selected_windows(session: Session, most: int = 6) -> list[tuple[float, float]]:
    """Windows of the selected community's component on the current worm's own clock; empty if none is selected."""
    if session.selection.community is None:
        return []
    return component_windows(session, session.selection.component)[:most]


def component_windows(session: Session, component: int) -> list[tuple[float, float]]:
    """Windows in which a component is active in the current worm, on that worm's own clock; empty for a worm it does not know."""
    components = session.components
    if components is None or not components.rank or session.current is None:
        return []
    course = components.recording_course(min(component, components.rank), session.current)
    return active_windows(np.asarray(course["time"].values, float), np.asarray(course.values, float))


def selected_worms(session: Session) -> list[WormHighlight]:
    """What every worm of the cohort has of the selected community; empty if none is selected."""
    communities, components, cohort = session.shown_communities, session.components, session.cohort
    chosen = session.selection.community
    if communities is None or components is None or cohort is None or chosen is None:
        return []
    level = min(session.selection.level, communities.n_levels - 1)
    known = set(cohort.neurons)
    members = [m for m in communities.members(chosen, level) if m in known]
    if not members:
        return []
    here = cohort.presence.sel(neuron=members).values.sum(axis=1)
    number = min(session.selection.component, components.rank)
    column = components.worm.sel(component=number)
    loading = dict(zip((str(w) for w in components.worm["worm"].values), column.values.tolist(), strict=True))
    top = max((v for v in loading.values() if np.isfinite(v)), default=0.0) or 1.0
    return [
        WormHighlight(
            worm=str(worm),
            present=int(count),
            members=len(members),
            loading=float(np.nan_to_num(loading.get(str(worm), 0.0))) / top,
            takes_part=bool(count >= 0.5 * len(members)),
        )
        for worm, count in zip(cohort.worms, here.tolist(), strict=True)
    ]


def telling(session: Session, recording: Recording | None = None) -> tuple[int, CommunityKind, int] | None:
    """Component, kind and community to show first: the one whose neurons work together most, beside all others.

    The mean weight of its pairs over that of all pairs of the component, times the root of its size. Communities of which the
    worm shows fewer than three neurons, and partitions of one group or of more than twenty, do not count; those that are
    separate from the others by their own p value come first. The other kind of communities is looked at where the chosen one has
    nothing to show. None if none counts.

    Parameters
    ----------
    session : Session
    recording : Recording, optional
        The worm on which it would be shown; the current one by default.
    """
    components, recording = session.components, recording or session.recording
    if components is None:
        return None
    shown = set(components.neurons)
    if recording is not None:
        shown = set(cohort_names(recording, shown, at_analysis(session, recording)))
    first = session.selection.kind
    kinds: tuple[CommunityKind, ...] = (first, "modules" if first == "core" else "core")
    return next((one for kind in kinds if (one := _most_telling(session, components, shown, kind)) is not None), None)


def _most_telling(
    session: Session, components: Components, shown: set[str], wanted: CommunityKind
) -> tuple[int, CommunityKind, int] | None:
    best: tuple[tuple[bool, float], int, CommunityKind, int] | None = None
    for (component, kind), found in session.communities.items():
        sizes = found.sizes(found.chosen_level)
        matrix = components.matrix(component)
        mean = float(np.nanmean(matrix.values))
        least = 1 if found.claims is not None else 2  # one group beside the background is an answer
        if kind != wanted or not least <= len(sizes) <= 20 or mean <= 0:
            continue
        table = found.significance
        for community in (int(c) for c in sizes.index):
            members = [n for n in found.members(community, found.chosen_level) if n in components.neurons]
            inside = matrix.loc[members, members].values[np.triu_indices(len(members), 1)]
            if len(shown.intersection(members)) < 3 or not np.isfinite(inside).any():
                continue
            separate = table is not None and community in table.index and table.loc[community, "p_value"] <= 0.05
            score = (bool(separate), float(np.nanmean(inside)) / mean * len(members) ** 0.5)
            if best is None or score > best[0]:
                best = (score, component, kind, community)
    return None if best is None else best[1:]
