"""Components and behaviour: correlation of time courses with behaviour channels, tested by circular shifts."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..model.cohort import Cohort
from ..model.recording import Recording
from ..model.results import Components
from .measures import false_discovery_rate

Array = np.ndarray

COLUMNS = ("component", "channel", "worm", "r", "p_value", "q_value", "seconds")
ALL_WORMS = "all"


def behaviour_correlations(
    components: Components,
    cohort: Cohort,
    *,
    channels: tuple[str, ...] | None = None,
    smallest_shift_s: float = 10.0,
    shifts: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Correlate the time course of every component with every behaviour channel.

    The null shifts the behaviour circularly against the time course by a random amount, which keeps the autocorrelation of
    both; the p value is two-sided. A row `worm` = "all" holds the mean correlation over worms; its null draws a shift for
    every worm.

    Parameters
    ----------
    components : Components
        Where every worm has its own time course, that is compared; a common course is compared with each worm's behaviour,
        brought to the common clock.
    cohort : Cohort
        The cohort that the components were made from.
    channels : tuple of str, optional
        All channels by default.
    smallest_shift_s : float
        Shorter shifts are not drawn, as neighbouring samples are alike; a fifth of the recording if that is less.
    shifts : int
        Number of random shifts.
    seed : int

    Returns
    -------
    pandas.DataFrame
        Columns component, channel, worm, r, p_value, q_value (false discovery rate over all rows of the same kind: worms,
        or "all"), seconds compared. Empty without behaviour.
    """
    courses = _courses(components, cohort)
    wanted = channels or tuple(
        dict.fromkeys(str(c) for r in cohort.recordings for c, v in r.behaviour.data_vars.items() if v.size)
    )
    rng = np.random.default_rng(seed)
    draws = {worm: rng.random(shifts) for worm in courses}
    rows = []
    for channel in wanted:
        for component in range(1, components.rank + 1):
            found: list[tuple[str, float, Array, float]] = []
            for recording in cohort.recordings:
                if channel in recording.behaviour and recording.name in courses:
                    time, source, values = courses[recording.name]
                    behaviour = _at(recording, channel, source)
                    step = float(np.median(np.diff(time))) if len(time) > 1 else 1.0
                    r, null, n = _correlate(
                        values[:, component - 1], behaviour, step, smallest_shift_s, draws[recording.name]
                    )
                    if np.isfinite(r):
                        found.append((recording.name, r, null, n * step))
            rows += [_row(component, channel, worm, r, null, seconds) for worm, r, null, seconds in found]
            if len(found) > 1:
                mean = float(np.mean([r for _, r, _, _ in found]))
                null = np.mean([null for _, _, null, _ in found], axis=0)
                rows.append(_row(component, channel, ALL_WORMS, mean, null, sum(s for *_, s in found)))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    for _, part in table.groupby(table["worm"] == ALL_WORMS):
        table.loc[part.index, "q_value"] = false_discovery_rate(part["p_value"])
    return table


def _row(component: int, channel: str, worm: str, r: float, null: Array, seconds: float) -> dict[str, object]:
    usable = null[np.isfinite(null)]
    p = (1 + int((np.abs(usable) >= abs(r) - 1e-12).sum())) / (1 + len(usable)) if len(usable) else float("nan")
    return {"component": component, "channel": channel, "worm": worm, "r": r, "p_value": p, "seconds": seconds}


def _courses(components: Components, cohort: Cohort) -> dict[str, tuple[Array, Array, Array]]:
    """Worm -> (clock, time in the recording, time courses (time, component))."""
    columns = range(1, components.rank + 1)
    result: dict[str, tuple[Array, Array, Array]] = {}
    if components.model == "unaligned":
        for worm in dict.fromkeys(str(w) for w in components.time["worm"].values):
            lines = [components.time_course(c, worm) for c in columns]
            time = np.asarray(lines[0]["time"].values, float)
            result[worm] = (time, time, np.stack([line.values for line in lines], axis=1))
        return result
    clock = np.asarray(components.time["time"].values, float)
    common = {c: components.time_course(c).values for c in columns if components.clock(c) == "common"}
    known = {str(w) for w in components.worm["worm"].values}
    for worm, source in _source_times(components, cohort).items():
        if len(source) == len(clock) and worm in known:
            mixed = [common[c] if c in common else components.time_course(c, worm).values for c in columns]
            result[worm] = (clock, source, np.stack(mixed, axis=1))
    return result


def _source_times(components: Components, cohort: Cohort) -> dict[str, Array]:
    """Time in every worm's recording of the samples of the common clock; NaN where the worm has none."""
    if components.worm_time is not None:
        known = components.worm_time
        # Events take the worms' place where windows around events were cut; they are no course of a whole recording.
        return {
            str(worm): np.asarray(times, float)
            for worm, source, times in zip(known["worm"].values, known["source"].values, known.values, strict=True)
            if worm == source
        }
    from ..affinity.compute import compute_affinity

    about = components.provenance.get("affinity", {})
    affinity = compute_affinity(cohort, about.get("settings") or None)
    return {b.worm: np.asarray(b.source_time_s, float) for b in affinity.blocks if b.worm == b.source}


def _at(recording: Recording, channel: str, times: Array) -> Array:
    """Behaviour at some times: the mean over each sample's interval if behaviour is finer, else interpolated; NaN outside."""
    values, own = recording.behaviour[channel].values, recording.time_s
    finite = np.isfinite(values)
    result = np.full(len(times), np.nan)
    inside = np.isfinite(times)
    if finite.sum() < 2 or not inside.any():
        return result
    inside &= (times >= own[finite][0] - 1e-9) & (times <= own[finite][-1] + 1e-9)
    step, fine = (
        np.median(np.diff(times[np.isfinite(times)])) if np.isfinite(times).sum() > 1 else 0.0,
        np.median(np.diff(own)),
    )
    series = values
    if step > 1.5 * fine:
        width = max(1, round(step / fine))
        filled = np.interp(own, own[finite], values[finite])
        series = np.convolve(np.pad(filled, width, mode="edge"), np.ones(width) / width, mode="same")[width:-width]
    result[inside] = np.interp(times[inside], own[finite], series[finite])
    # Gaps of more than 2 s in the behaviour are not bridged.
    nearest = np.searchsorted(own[finite], times[inside]).clip(1, int(finite.sum()) - 1)
    gap = own[finite][nearest] - own[finite][nearest - 1]
    result[np.flatnonzero(inside)[gap > max(2.0, 2.5 * fine)]] = np.nan
    return result


def _correlate(
    course: Array, behaviour: Array, step: float, smallest_shift_s: float, draws: Array
) -> tuple[float, Array, int]:
    """Pearson correlation, and that of circularly shifted behaviour (found for all shifts at once by Fourier transform)."""
    keep = np.isfinite(course) & np.isfinite(behaviour)
    x, y = course[keep], behaviour[keep]
    n = len(x)
    if n < 8 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan"), np.empty(0), n
    x, y = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    every = np.fft.irfft(np.fft.rfft(x) * np.conj(np.fft.rfft(y)), n) / n
    least = min(int(np.ceil(smallest_shift_s / step)), n // 5)
    span = n - 2 * least + 1
    return float(every[0]), every[(least + np.floor(draws * span).astype(int)) % n], n
