"""States beside what else is known: behaviour, components, communities; every agreement with a null of shifted times."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..communities.find import find_communities
from ..comparison.behaviour import ALL_WORMS, _at, _correlate
from ..comparison.measures import false_discovery_rate
from ..model.cohort import Cohort
from ..model.progress import CancelCallback, check_cancel
from ..model.results import Communities, Components
from ..model.state_results import Part, StatesResult

Array = np.ndarray
COLUMNS = ("kind", "name", "state", "worm", "r", "p_value", "q_value", "seconds")


def state_agreement(
    states: StatesResult,
    cohort: Cohort,
    components: Components | None = None,
    *,
    smallest_shift_s: float = 10.0,
    shifts: int = 1000,
    seed: int = 0,
    cancel: CancelCallback | None = None,
) -> pd.DataFrame:
    """Correlate the posterior of every state with behaviour channels and with the time courses of components.

    The null shifts the other series circularly against the states by a random amount, which keeps the autocorrelation of both; the p
    value is two-sided. A row `worm` = "all" holds the mean over worms; its null draws a shift for every worm.

    Parameters
    ----------
    states : StatesResult
    cohort : Cohort
        The cohort that the states were found in.
    components : Components, optional
    smallest_shift_s : float
        Shorter shifts are not drawn; a fifth of the recording if that is less.
    shifts : int
    seed : int
    cancel : callable, optional

    Returns
    -------
    pandas.DataFrame
        Columns kind ("behaviour" or "component"), name, state, worm, r, p_value, q_value (false discovery rate, over the worms' rows
        and over the "all" rows), seconds compared.
    """
    rng = np.random.default_rng(seed)
    draws = {worm: rng.random(shifts) for worm in states.worms}
    others = _others(states, cohort, components)
    step = 1 / states.rate_hz
    rows: list[dict[str, Any]] = []
    for kind, name in dict.fromkeys((k, n) for k, n, _ in others):
        for state in states.posterior["state"].values:
            check_cancel(cancel)
            found = []
            for worm in states.worms:
                series = others.get((kind, name, worm))
                if series is None:
                    continue
                mine = states.probability(worm).sel(state=state).values
                r, null, count = _correlate(mine, series, step, smallest_shift_s, draws[worm])
                if np.isfinite(r):
                    found.append((worm, r, null, count * step))
            for worm, r, null, seconds in found:
                rows.append(_row(kind, name, int(state), worm, r, null, seconds))
            if len(found) > 1:
                null = np.mean([n for _, _, n, _ in found], axis=0)
                r = float(np.mean([r for _, r, _, _ in found]))
                rows.append(_row(kind, name, int(state), ALL_WORMS, r, null, sum(s for *_, s in found)))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    for _, part in table.groupby(table["worm"] == ALL_WORMS):
        table.loc[part.index, "q_value"] = false_discovery_rate(part["p_value"])
    return table


def _row(kind: str, name: str, state: int, worm: str, r: float, null: Array, seconds: float) -> dict[str, Any]:
    usable = null[np.isfinite(null)]
    p = (1 + int((np.abs(usable) >= abs(r) - 1e-12).sum())) / (1 + len(usable)) if len(usable) else float("nan")
    return {"kind": kind, "name": name, "state": state, "worm": worm, "r": r, "p_value": p, "seconds": seconds}


def _others(states: StatesResult, cohort: Cohort, components: Components | None) -> dict[tuple[str, str, str], Array]:
    """(kind, name, worm) -> series at the worm's clock times, NaN where unknown."""
    found: dict[tuple[str, str, str], Array] = {}
    for recording in cohort.recordings:
        if recording.name not in states.worms:
            continue
        times = np.asarray(states.of_worm(recording.name)["time"].values, float)
        for channel in recording.behaviour.data_vars:
            found["behaviour", str(channel), recording.name] = _at(recording, str(channel), times)
        for number in range(1, components.rank + 1) if components is not None else ():
            course = components.recording_course(number, recording.name)  # type: ignore[union-attr]
            if course.sizes["time"] > 1:
                values = np.interp(times, course["time"].values, course.values, left=np.nan, right=np.nan)
                found["component", str(number), recording.name] = values
    return found


def state_communities(states: StatesResult, state: int, part: Part = "absolute", **options: Any) -> Communities:
    """Communities of the network of one state (`find_communities`, which the options go to)."""
    return find_communities(states.network(state, part), **options)
