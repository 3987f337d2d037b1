"""Averages around stimuli and behaviour onsets: of neurons, components and communities, with intervals and what chance would give.

Goes in: a cohort, the name of a stimulus or of a binary behaviour channel, what is averaged. Comes out: mean courses around the onsets,
bootstrap intervals over worms, and the band of courses around onsets that were moved elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..affinity.align import event_times, nearest
from ..affinity.sampling import natural_rate, pieces
from ..affinity.settings import AffinitySettings
from ..model.cohort import Cohort
from ..model.errors import InputError
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, report
from ..model.recording import Recording
from ..model.results import Communities, CommunityKind, Components
from ..model.summary import Summary
from .measures import false_discovery_rate
from .settings import ContrastSettings

Array = np.ndarray
Key = tuple[int, CommunityKind]
LEAST_SHIFT_S = 5.0
"""Events are moved by at least this much, or by a fifth of the recording if that is less."""


@dataclass(frozen=True, eq=False, repr=False)
class OnsetAverages(Summary):
    """Mean courses around the onsets of one stimulus or behaviour.

    Parameters
    ----------
    event : str
    mean, low, high : xarray.DataArray
        (signal, time): mean over worms of each worm's mean over events, and its bootstrap interval; `time` in seconds from the onset.
    chance_low, chance_high : xarray.DataArray
        (signal, time): the band in which averages around moved events lie.
    signals : pandas.DataFrame
        One row a signal: signal, kind ("neuron", "component", "community"), worms, events, peak (largest deviation, by chance's standard
        deviation), peak_s, value, low, high (there), p_value (of so large a deviation anywhere in the window), q_value (false discovery
        rate over signals of the same kind).
    notes : tuple of str
    settings : dict
    """

    event: str
    mean: xr.DataArray
    low: xr.DataArray
    high: xr.DataArray
    chance_low: xr.DataArray
    chance_high: xr.DataArray
    signals: pd.DataFrame
    notes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    trials: Mapping[str, xr.DataArray] = field(default_factory=dict)
    """(event, time, signal) of every worm, if they were asked for; `event` in seconds of the worm's clock."""

    def table(self) -> pd.DataFrame:
        """One row a signal, the surest first."""
        return self.signals.sort_values(["p_value", "peak"], ascending=[True, False], kind="stable", ignore_index=True)


@dataclass(frozen=True, eq=False)
class _Worm:
    """Signals of one worm on its own clock, and its events."""

    name: str
    time: Array
    values: Array
    piece: Array
    events: Array
    rate_hz: float


def average_onsets(
    cohort: Cohort,
    event: str,
    settings: ContrastSettings | dict[str, Any] | None = None,
    *,
    components: Components | None = None,
    courses: Mapping[str, xr.DataArray] | None = None,
    communities: Mapping[Key, Communities] | None = None,
    neurons: bool | Sequence[str] = True,
    trials: bool = False,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
    **options: Any,
) -> OnsetAverages:
    """Average neurons, components and communities around the onsets of a stimulus or behaviour.

    Traces are z-scored in every worm. Windows end at breaks and gaps. Every worm's mean over its events counts once. Intervals draw worms
    with replacement (events, if there is one worm). For chance, all events of a worm are moved together, by a random amount and around the
    end of the recording, which keeps their spacing and the course of every signal; p is the share of such averages that deviate as much
    anywhere in the window, measured by chance's standard deviation at each time. Our definition.

    Parameters
    ----------
    cohort : Cohort
    event : str
        A stimulus or a binary behaviour channel.
    settings : ContrastSettings or dict, optional
        `edge`, `before_s`, `after_s`, `rest_s`, `baseline`, `bootstraps`, `surrogates`, `confidence`.
    components : Components, optional
        Their time courses are averaged too.
    courses : mapping of worm to xarray.DataArray, optional
        (time, component) of every worm, in place of the components' own: see `factorization.project.own_courses`. Of use where
        components are aligned, as all worms then have the same course.
    communities : mapping of (component, kind) to Communities, optional
        The mean trace of each community's members is averaged too.
    neurons : bool or sequence of str
        Average every neuron, none, or these.
    trials : bool
        Keep the single events, too.
    seed : int
    progress, cancel : callable, optional
    **options
        Fields of the settings.

    Raises
    ------
    InputError
        No worm has such an event, no event leaves room for a window, or there is nothing to average.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from napari_dynamic_connectome import Cohort, Recording
    >>> time = np.arange(400) / 4
    >>> on = (time % 20 > 10).astype(float)
    >>> traces = np.stack([on, np.random.default_rng(0).random(400)], axis=1)
    >>> channel = xr.Dataset({"turn": ("time", on, {"kind": "binary"})})
    >>> worm = Recording.from_arrays(traces, name="w", rate_hz=4, names=["AVAL", "AVBL"], behaviour=channel)
    >>> found = average_onsets(Cohort([worm]), "turn", before_s=4, after_s=4, surrogates=99)
    >>> found.table()["signal"].iloc[0]
    'AVAL'
    """
    chosen = ContrastSettings.parse(settings, where="contrasts", **options)
    rate = min(natural_rate(r.time_s) if r.n_times > 2 else np.inf for r in cohort.recordings)
    if not np.isfinite(rate):
        raise InputError("no recording has three samples", where="onsets", fix="Load longer recordings.")
    signals = Signals(cohort, components, courses or {}, communities or {}, neurons)
    if not signals.names:
        raise InputError("there is nothing to average", where="onsets", fix="Pass neurons=True or components.")
    worms, notes = _worms(signals, event, chosen)
    first, last = int(np.ceil(-chosen.before_s * rate - 1e-6)), int(np.floor(chosen.after_s * rate + 1e-6))
    window = np.arange(first, last + 1) / rate
    worms, counts, each = _usable(worms, window, chosen, notes, event)
    mean = _over_worms([_over_events(e) for e in each])
    report(progress, 0.1, f"{event}: intervals")
    low, high = _interval(each, chosen, np.random.default_rng([seed, 1]), cancel)
    null = _moved(worms, window, chosen, np.random.default_rng([seed, 2]), progress, cancel)
    tail = (1 - chosen.confidence) / 2
    with np.errstate(invalid="ignore"):
        band = np.nanquantile(null, [tail, 1 - tail], axis=0)
    table = _judged(signals.names, mean, low, high, null, window, counts, each)
    coords = {"signal": np.asarray([n for n, _ in signals.names], dtype=object), "time": window}

    def labelled(values: Array) -> xr.DataArray:
        array = xr.DataArray(values.T, dims=("signal", "time"), coords=coords)
        array["time"].attrs["units"] = "s"
        return array

    report(progress, 1, event)
    return OnsetAverages(
        event,
        labelled(mean),
        labelled(low),
        labelled(high),
        labelled(band[0]),
        labelled(band[1]),
        table,
        tuple(notes),
        chosen.model_dump(mode="json") | {"event": event, "seed": seed},
        {w.name: _trials(w, e, coords) for w, e in zip(worms, each, strict=True)} if trials else {},
    )


def _trials(worm: _Worm, cut: Array, coords: Mapping[str, Any]) -> xr.DataArray:
    return xr.DataArray(cut, dims=("event", "time", "signal"), coords={**coords, "event": worm.events})


# --- what is averaged ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Signals:
    """What is averaged, and how to get it for one worm."""

    cohort: Cohort
    components: Components | None
    courses: Mapping[str, xr.DataArray]
    communities: Mapping[Key, Communities]
    neurons: bool | Sequence[str]

    @cached_property
    def listed(self) -> list[str]:
        """Neurons that are averaged, those that no worm of the cohort has left out."""
        if isinstance(self.neurons, bool):
            return list(self.cohort.neurons) if self.neurons else []
        return [n for n in self.neurons if n in self.cohort.neurons]

    @cached_property
    def names(self) -> list[tuple[str, str]]:
        """Name and kind of every signal."""
        found: list[tuple[str, str]] = []
        found += [(n, "neuron") for n in self.listed]
        if self.components is not None:
            found += [(f"component {c}", "component") for c in self.components.weight["component"].values.tolist()]
        for (component, kind), groups in sorted(self.communities.items()):
            found += [(f"component {component} {kind} {c}", "community") for c in groups.sizes().index.tolist()]
        return found

    def of(self, recording: Recording) -> Array:
        """Values (time, signal) of one worm on its own clock; NaN where there are none."""
        traces = self.cohort.traces_of(recording.name)
        values = np.asarray(traces.values, float)
        with np.errstate(invalid="ignore", divide="ignore"):
            sd = np.nanstd(values, axis=0)
            scaled = (values - np.nanmean(values, axis=0)) / np.where(sd > 0, sd, np.nan)
        at = {str(n): i for i, n in enumerate(traces["neuron"].values)}
        columns: list[Array] = []
        absent = np.full(recording.n_times, np.nan)
        columns += [scaled[:, at[n]] if n in at else absent for n in self.listed]
        if self.components is not None:
            columns += [self._course(recording, int(c)) for c in self.components.weight["component"].values.tolist()]
        for _, groups in sorted(self.communities.items()):
            for community in groups.sizes().index.tolist():
                members = [at[n] for n in groups.members(community) if n in at]
                columns.append(_mean(scaled[:, members], axis=1) if members else absent)
        return np.stack(columns, axis=1)

    def _course(self, recording: Recording, component: int) -> Array:
        assert self.components is not None
        if recording.name in self.courses:
            course = self.courses[recording.name].sel(component=component)
            time, value = np.asarray(course["time"].values, float), np.asarray(course.values, float)
            known = np.isfinite(time) & np.isfinite(value)
            time, value = time[known], value[known]
        else:
            own = self.components.recording_course(component, recording.name)
            time, value = np.asarray(own["time"].values, float), np.asarray(own.values, float)
        if len(time) < 2:
            return np.full(recording.n_times, np.nan)
        place = nearest(time, recording.time_s, 1.0 / float(np.median(np.diff(time))))
        return np.where(place >= 0, value[place], np.nan)


def _worms(signals: Signals, event: str, settings: ContrastSettings) -> tuple[list[_Worm], list[str]]:
    """Worms that have the event, with their signals; the others are noted."""
    how = AffinitySettings(event=event, event_edge=settings.edge, rest_s=settings.rest_s)
    found, notes = [], []
    for recording in signals.cohort.recordings:
        times = event_times(recording, event, how) if recording.n_times > 2 else None
        if times is None:
            notes.append(f"{recording.name} has no '{event}'")
            continue
        limit = max(how.gap_s, 2.5 * float(np.median(np.diff(recording.time_s))))
        piece = np.zeros(recording.n_times, int)
        for number, (first, last) in enumerate(pieces(recording.time_s, recording.breaks, limit)):
            piece[first:last] = number
        found.append(
            _Worm(
                recording.name,
                recording.time_s,
                signals.of(recording),
                piece,
                np.asarray(times, float),
                natural_rate(recording.time_s),
            )
        )
    if not found:
        stimuli = sorted({str(n) for r in signals.cohort.recordings for n in r.stimuli["name"]})
        binary = sorted(
            {
                str(n)
                for r in signals.cohort.recordings
                for n, v in r.behaviour.data_vars.items()
                if v.attrs.get("kind") == "binary"
            }
        )
        raise InputError(
            f"no worm has a stimulus or a behaviour channel called '{event}'",
            where="onsets",
            fix=f"Stimuli: {', '.join(stimuli) or 'none'}; binary channels: {', '.join(binary) or 'none'}.",
        )
    return found, notes


# --- averages --------------------------------------------------------------------------------------------------------


def windows(worm: _Worm, events: Array, window: Array, baseline: bool) -> Array:
    """Signals around events, (event, time, signal): the nearest sample, NaN outside the event's piece of the recording."""
    wanted = events[:, None] + window[None, :]
    index = nearest(worm.time, wanted.ravel(), worm.rate_hz).reshape(wanted.shape)
    at = np.clip(np.searchsorted(worm.time, events + 1e-9, "right") - 1, 0, len(worm.time) - 1)
    inside = (index >= 0) & (worm.piece[index] == worm.piece[at][:, None])
    cut = np.where(inside[:, :, None], worm.values[index], np.nan)
    if baseline and (window < 0).any():
        cut = cut - _mean(cut[:, window < 0], axis=1)[:, None, :]
    return np.asarray(cut)


def _usable(
    worms: list[_Worm], window: Array, settings: ContrastSettings, notes: list[str], event: str
) -> tuple[list[_Worm], list[int], list[Array]]:
    """Leave out events of which less than half of the window was recorded, and worms without any other."""
    kept, counts, each = [], [], []
    for worm in worms:
        cut = windows(worm, worm.events, window, settings.baseline)
        good = np.isfinite(cut).any(axis=2).mean(axis=1) >= 0.5 if len(cut) else np.zeros(0, bool)
        if (~good).any():
            notes.append(f"{worm.name}: {int((~good).sum())} of {len(good)} events lie too near an end or a gap")
        if not good.any():
            notes.append(f"{worm.name} is left out: it has no usable '{event}'")
            continue
        kept.append(replace(worm, events=worm.events[good]))
        counts.append(int(good.sum()))
        each.append(cut[good])
    if not kept:
        raise InputError(
            f"no onset of '{event}' leaves room for {settings.before_s:g} s before and {settings.after_s:g} s after",
            where="onsets",
            fix="Shorten before_s, after_s or rest_s.",
        )
    if len(kept) == 1:
        notes.append("one worm: intervals are over its events and say nothing about other worms")
    elif len(kept) < 5:
        notes.append(f"{len(kept)} worms: intervals over so few are too short")
    return kept, counts, each


def _mean(values: Array, axis: int) -> Array:
    """Mean of the finite values; NaN where there is none, without a warning."""
    seen = np.isfinite(values)
    count = seen.sum(axis=axis)
    total = np.where(seen, values, 0.0).sum(axis=axis)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def _over_events(cut: Array) -> Array:
    return _mean(cut, axis=0)


def _over_worms(means: list[Array]) -> Array:
    return _mean(np.stack(means), axis=0)


def _interval(
    each: list[Array], settings: ContrastSettings, rng: np.random.Generator, cancel: CancelCallback | None
) -> tuple[Array, Array]:
    """Percentile bootstrap interval of the mean, worms (or the events of the only worm) drawn with replacement."""
    units = np.stack([_over_events(e) for e in each]) if len(each) > 1 else each[0]
    seen, filled = np.isfinite(units), np.nan_to_num(units)
    shape = units.shape[1:]
    if len(units) < 2:
        return np.full(shape, np.nan), np.full(shape, np.nan)
    means = np.empty((settings.bootstraps, *shape))
    for draw in range(settings.bootstraps):
        if draw % 50 == 0:
            check_cancel(cancel)
        weight = np.bincount(rng.integers(len(units), size=len(units)), minlength=len(units)).astype(float)
        total = np.tensordot(weight, seen, axes=1)
        means[draw] = np.where(total > 0, np.tensordot(weight, filled, axes=1) / np.where(total > 0, total, 1), np.nan)
    tail = (1 - settings.confidence) / 2
    low, high = np.full(shape, np.nan), np.full(shape, np.nan)
    known = seen.sum(axis=0) > 1
    if known.any():
        low[known], high[known] = np.nanquantile(means[:, known], [tail, 1 - tail], axis=0)
    return low, high


def _moved(
    worms: list[_Worm],
    window: Array,
    settings: ContrastSettings,
    rng: np.random.Generator,
    progress: ProgressCallback | None,
    cancel: CancelCallback | None,
) -> Array:
    """Averages around moved events, (surrogate, time, signal)."""
    found = []
    for number in range(settings.surrogates):
        check_cancel(cancel)
        if number % 20 == 0:
            report(progress, 0.2 + 0.8 * number / settings.surrogates, "averages around moved onsets")
        means = []
        for worm in worms:
            start, span = worm.time[0], worm.time[-1] - worm.time[0]
            least = min(LEAST_SHIFT_S, span / 5)
            moved = start + (worm.events - start + rng.uniform(least, span - least)) % span
            means.append(_over_events(windows(worm, moved, window, settings.baseline)))
        found.append(_over_worms(means).astype(np.float32))
    return np.stack(found)


def _judged(
    names: list[tuple[str, str]],
    mean: Array,
    low: Array,
    high: Array,
    null: Array,
    window: Array,
    counts: list[int],
    each: list[Array],
) -> pd.DataFrame:
    """Largest deviation of every signal, and how often moved events deviate as much."""
    # The observed average is one more among the moved ones: only so are all of them alike where nothing follows the events.
    pool = np.concatenate([null, mean[None]])
    center = _mean(pool, axis=0)
    sd = np.sqrt(_mean((pool - center) ** 2, axis=0))
    safe = np.where(sd > 0, sd, np.nan)
    deviation = np.abs(mean - center) / safe
    chance = _largest(np.abs(null - center) / safe, axis=1)
    has = np.array([np.isfinite(e).any(axis=(0, 1)) for e in each])
    rows = []
    for k, (name, kind) in enumerate(names):
        known = np.isfinite(deviation[:, k]).any()
        at = int(np.nanargmax(deviation[:, k])) if known else 0
        observed = float(deviation[at, k]) if known else float("nan")
        own = chance[:, k][np.isfinite(chance[:, k])]
        rows.append(
            {
                "signal": name,
                "kind": kind,
                "worms": int(has[:, k].sum()),
                "events": int(np.dot(has[:, k], counts)),
                "peak": observed,
                "peak_s": float(window[at]) if known else float("nan"),
                "value": float(mean[at, k]) if known else float("nan"),
                "low": float(low[at, k]) if known else float("nan"),
                "high": float(high[at, k]) if known else float("nan"),
                "p_value": float((1 + (own >= observed - 1e-12).sum()) / (1 + len(own)))
                if known and len(own)
                else float("nan"),
            }
        )
    table = pd.DataFrame(rows)
    table["q_value"] = np.nan
    for _, part in table.groupby("kind"):
        table.loc[part.index, "q_value"] = false_discovery_rate(part["p_value"])
    return table


def _largest(values: Array, axis: int) -> Array:
    """Largest finite value along an axis; NaN where there is none."""
    largest = np.where(np.isfinite(values), values, -np.inf).max(axis=axis)
    return np.asarray(np.where(np.isfinite(largest), largest, np.nan))
