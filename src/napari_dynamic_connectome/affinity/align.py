"""Alignment of worms in time: a common clock made of stimulus blocks or event windows, or every worm its own.

Goes in: the worms' clocks, stimuli and behaviour. Comes out: for each worm (or event) which of its samples stands at each time
of the common clock. Samples are taken to the nearest one; values are never interpolated here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..model.cohort import Alignment
from ..model.errors import InputError
from ..model.recording import Recording, empty_stimuli
from ..model.text import counted
from .sampling import pieces
from .settings import AffinitySettings

Array = np.ndarray
BASELINE = ""
"""Name of the block before a worm's first stimulus."""


@dataclass(frozen=True, eq=False)
class AlignedSegment:
    """One worm or event on the common clock.

    Parameters
    ----------
    name : str
    worm : int
        Which recording.
    samples : int array (T,)
        Index into the worm's own clock, -1 where there is none.
    """

    name: str
    worm: int
    samples: Array


@dataclass(frozen=True, eq=False)
class Timeline:
    """Result of an alignment; `time_s` is None where the worms share no clock."""

    alignment: Alignment
    reason: str
    segments: tuple[AlignedSegment, ...]
    time_s: Array | None = None
    stimuli: pd.DataFrame = field(default_factory=empty_stimuli)
    breaks_s: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()


def align(
    recordings: tuple[Recording, ...], clocks: list[Array], rate_hz: float, settings: AffinitySettings
) -> Timeline:
    """Put the worms on a common clock.

    Parameters
    ----------
    recordings : tuple of Recording
    clocks : list of float array (T_w,)
        Each worm's own even clock.
    rate_hz : float
        Rate of all clocks.
    settings : AffinitySettings

    Raises
    ------
    InputError
        The cohort has no stimuli, events or overlap that the alignment asked for needs.
    """
    kind, reason = settings.alignment, "asked for"
    if kind == "auto":
        kind, reason = choose(recordings)
    if kind == "none":
        segments = tuple(
            AlignedSegment(r.name, w, np.arange(len(c)))
            for w, (r, c) in enumerate(zip(recordings, clocks, strict=True))
        )
        return Timeline("none", f"every worm has its own time course ({reason})", segments)
    if kind == "events":
        return _events(recordings, clocks, rate_hz, settings)
    if kind == "stimulus identity":
        return _identity(recordings, clocks, rate_hz, reason)
    if kind == "stimulus onset":
        zeros, notes = _first_onsets(recordings, settings.stimulus)
        what = f"the first onset of '{settings.stimulus}'" if settings.stimulus else "each worm's first stimulus"
        return _shifted(recordings, clocks, rate_hz, zeros, "stimulus onset", f"time zero is {what} ({reason})", notes)
    return _shifted(
        recordings, clocks, rate_hz, [0.0] * len(recordings), "absolute", f"the recordings' own clocks ({reason})", ()
    )


def choose(recordings: tuple[Recording, ...]) -> tuple[Alignment, str]:
    """Pick stimulus identity if every worm has a stimulus that another worm has too, else no alignment; with the reason."""
    if len(recordings) == 1:
        return "none", "auto: there is one worm"
    given = [set(r.stimuli["name"]) for r in recordings]
    counts = pd.Series([n for names in given for n in names], dtype=object).value_counts()
    shared = set(counts.index[counts >= 2])
    if not shared:
        return "none", "auto: the worms share no stimulus"
    without = [r.name for r, names in zip(recordings, given, strict=True) if not names & shared]
    if without:
        return "none", f"auto: {len(without)} of {len(recordings)} worms have no stimulus in common with another worm"
    return "stimulus identity", f"auto: the worms share the stimuli {', '.join(sorted(shared))}"


def nearest(clock: Array, wanted: Array, rate_hz: float) -> Array:
    """Index of the clock time nearest to each wanted time, -1 where none is within half a sampling interval.

    Halfway between two, it is the earlier one, whatever the last digits say: otherwise some samples would be taken twice and their
    neighbours not at all.
    """
    after = np.clip(np.searchsorted(clock, wanted), 1, len(clock) - 1) if len(clock) > 1 else np.zeros(len(wanted), int)
    before = np.maximum(after - 1, 0)
    index = np.where(np.abs(clock[before] - wanted) <= np.abs(clock[after] - wanted) + 1e-6 / rate_hz, before, after)
    return np.where(np.abs(clock[index] - wanted) <= (0.5 + 1e-6) / rate_hz, index, -1)


def _shifted(
    recordings: tuple[Recording, ...],
    clocks: list[Array],
    rate_hz: float,
    zeros: list[float],
    kind: Alignment,
    reason: str,
    notes: tuple[str, ...],
) -> Timeline:
    """One clock for all, on which every worm is moved as a whole; NaN as zero: the worm is not on it."""
    spans = [(c[0] - z, c[-1] - z) for c, z in zip(clocks, zeros, strict=True) if np.isfinite(z)]
    first, last = min(a for a, _ in spans), max(b for _, b in spans)
    length = int(np.floor((last - first) * rate_hz + 1e-6)) + 1
    if length > 2 * sum(len(c) for c in clocks):
        raise InputError(
            f"the worms' times do not overlap (from {first:g} to {last:g} s)",
            where="alignment",
            fix="Let every recording begin at zero, or align by stimulus, by events, or not at all.",
        )
    time = first + np.arange(length) / rate_hz
    segments = [
        AlignedSegment(r.name, w, nearest(c, time + z, rate_hz) if np.isfinite(z) else np.full(length, -1))
        for w, (r, c, z) in enumerate(zip(recordings, clocks, zeros, strict=True))
    ]
    tables = [
        r.stimuli[["name", "onset", "offset"]].assign(
            worm=r.name, onset=r.stimuli["onset"] - z, offset=r.stimuli["offset"] - z
        )
        for r, z in zip(recordings, zeros, strict=True)
        if np.isfinite(z)
    ]
    return Timeline(kind, reason, tuple(segments), time, _common_stimuli(tables, len(spans)), (), notes)


def _common_stimuli(tables: list[pd.DataFrame], n_worms: int) -> pd.DataFrame:
    """Stimuli that at least half of the worms have at about the same time (within 2 s of the median)."""
    rows = []
    numbered = [t.assign(repeat=t.groupby("name").cumcount()) for t in tables if len(t)]
    if not numbered:
        return empty_stimuli()
    for (name, _), group in pd.concat(numbered).groupby(["name", "repeat"], sort=False):
        onset = float(group["onset"].median())
        if ((group["onset"] - onset).abs() <= 2.0).sum() * 2 >= n_worms:
            rows.append(
                {"name": name, "onset": onset, "offset": onset + float((group["offset"] - group["onset"]).median())}
            )
    return pd.DataFrame(rows, columns=["name", "onset", "offset"]).sort_values("onset", ignore_index=True)


def _first_onsets(recordings: tuple[Recording, ...], stimulus: str) -> tuple[list[float], tuple[str, ...]]:
    zeros, notes = [], []
    for recording in recordings:
        table = recording.stimuli
        table = table[table["name"] == stimulus] if stimulus else table
        zeros.append(float(table["onset"].iloc[0]) if len(table) else float("nan"))
        if not len(table):
            notes.append(f"{recording.name} is not observed: it has no stimulus{f' {stimulus!r}' if stimulus else ''}")
    if not np.isfinite(zeros).any():
        known = sorted({n for r in recordings for n in r.stimuli["name"]})
        raise InputError(
            f"no worm has the stimulus '{stimulus}'" if stimulus and known else "no worm has a stimulus",
            where="alignment",
            fix=f"Known: {', '.join(known)}." if known else "Load a stimulus table, or choose another alignment.",
        )
    return zeros, tuple(notes)


def _identity(recordings: tuple[Recording, ...], clocks: list[Array], rate_hz: float, reason: str) -> Timeline:
    """Cut every worm at its stimulus onsets and put the blocks of the same stimulus (and repeat) side by side."""
    cuts: dict[tuple[str, int], dict[int, tuple[float, float, float]]] = {}
    notes = []
    for w, (recording, clock) in enumerate(zip(recordings, clocks, strict=True)):
        table = recording.stimuli
        table = table[(table["onset"] >= clock[0]) & (table["onset"] <= clock[-1])]
        if not len(table):
            notes.append(f"{recording.name} is not observed: it has no stimulus")
            continue
        onsets = table["onset"].tolist()
        cuts.setdefault((BASELINE, 0), {})[w] = (float(clock[0]), onsets[0], onsets[0])
        seen: dict[str, int] = {}
        for name, onset, offset, end in zip(
            table["name"], onsets, table["offset"], [*onsets[1:], float(clock[-1]) + 1 / rate_hz], strict=True
        ):
            seen[name] = seen.get(name, 0) + 1
            cuts.setdefault((name, seen[name]), {})[w] = (onset, end, min(offset, end))
    if not cuts:
        raise InputError(
            "no worm has a stimulus", where="alignment", fix="Load a stimulus table, or choose another alignment."
        )
    order = sorted(
        cuts, key=lambda key: (key[0] != BASELINE, float(np.median([c[0] for c in cuts[key].values()])), key)
    )
    columns: list[list[Array]] = [[] for _ in recordings]
    rows, breaks, at = [], [], 0
    for key in order:
        length = int(np.floor(np.median([(b - a) * rate_hz for a, b, _ in cuts[key].values()]) + 1e-6))
        if length < 1:
            continue
        if at:
            breaks.append(at / rate_hz)
        if key[0] != BASELINE:
            lasting = float(np.median([stop - a for a, _, stop in cuts[key].values()]))
            rows.append(
                {"name": key[0], "onset": at / rate_hz, "offset": min(at + lasting * rate_hz, at + length) / rate_hz}
            )
        for w, clock in enumerate(clocks):
            columns[w].append(_block(clock, cuts[key].get(w), length, key[0] == BASELINE, rate_hz))
        at += length
    segments = tuple(AlignedSegment(r.name, w, np.concatenate(columns[w])) for w, r in enumerate(recordings))
    stimuli = pd.DataFrame(rows, columns=["name", "onset", "offset"])
    text = f"blocks of the same stimulus stand side by side ({reason})"
    return Timeline("stimulus identity", text, segments, np.arange(at) / rate_hz, stimuli, tuple(breaks), tuple(notes))


def _block(
    clock: Array, cut: tuple[float, float, float] | None, length: int, is_baseline: bool, rate_hz: float
) -> Array:
    if cut is None:
        return np.full(length, -1)
    start, end, _ = cut
    # The baseline ends where the first stimulus begins; all other blocks begin where theirs does.
    wanted = (end - length / rate_hz if is_baseline else start) + np.arange(length) / rate_hz
    inside = (wanted >= start - 1e-9) & (wanted < end - 1e-9)
    return np.where(inside, nearest(clock, wanted, rate_hz), -1)


def _events(
    recordings: tuple[Recording, ...], clocks: list[Array], rate_hz: float, settings: AffinitySettings
) -> Timeline:
    """Windows around events of all worms; every event takes a worm's place."""
    name = settings.event or _only_channel(recordings)
    first, last = int(np.ceil(-settings.before_s * rate_hz - 1e-6)), int(np.floor(settings.after_s * rate_hz + 1e-6))
    time = np.arange(first, last + 1) / rate_hz
    segments, notes = [], []
    known = False
    for w, (recording, clock) in enumerate(zip(recordings, clocks, strict=True)):
        times = event_times(recording, name, settings)
        if times is None:
            notes.append(f"{recording.name} has no '{name}'")
            continue
        known = True
        short = 0
        for number, at in enumerate(times, start=1):
            samples = nearest(clock, at + time, rate_hz)
            if (samples >= 0).mean() < 0.5:
                short += 1
            else:
                segments.append(AlignedSegment(f"{recording.name} {name} {number}", w, samples))
        if short:
            notes.append(f"{recording.name}: {short} of {len(times)} events lie too near the recording's ends")
    if not known:
        raise InputError(
            f"no worm has a behaviour channel or a stimulus called '{name}'",
            where="events",
            fix=_known_events(recordings),
        )
    if not segments:
        raise InputError(
            f"'{name}' has no event",
            where="events",
            fix="Shorten before_s, after_s or rest_s, or choose another channel.",
        )
    edge = "end" if settings.event_edge == "offset" else "onset"
    worms = len({segment.worm for segment in segments})
    reason = f"{counted(len(segments), 'event')} in {counted(worms, 'worm')}, time zero is the {edge} of '{name}'"
    return Timeline("events", reason, tuple(segments), time, empty_stimuli(), (), tuple(notes))


def event_times(recording: Recording, name: str, settings: AffinitySettings) -> Array | None:
    """Onsets (or ends) of a stimulus or of a binary behaviour channel in seconds; None if the worm has neither."""
    if name in recording.behaviour:
        channel = recording.behaviour[name]
        if channel.attrs.get("kind") != "binary":
            raise InputError(
                f"behaviour '{name}' is {channel.attrs.get('kind')}, not binary",
                where=f"recording '{recording.name}'",
                fix=_known_events((recording,)),
            )
        values = np.asarray(channel.values, float)
        if settings.event_edge == "offset":
            values = 1 - values
        return _onsets(recording.time_s, values > 0.5, np.isfinite(values), recording.breaks, settings)
    table = recording.stimuli[recording.stimuli["name"] == name]
    if not len(table):
        return None
    return np.asarray(table["offset" if settings.event_edge == "offset" else "onset"], float)


def _onsets(time: Array, on: Array, known: Array, breaks: tuple[float, ...], settings: AffinitySettings) -> Array:
    found = []
    limit = max(settings.gap_s, 2.5 * float(np.median(np.diff(time)))) if len(time) > 1 else np.inf
    for first, last in pieces(time, breaks, limit):
        quiet_since = np.nan
        for k in range(first, last):
            if not known[k]:
                quiet_since = np.nan
            elif not on[k]:
                quiet_since = time[k] if np.isnan(quiet_since) else quiet_since
            else:
                if time[k] - quiet_since >= settings.rest_s:
                    found.append(time[k])
                quiet_since = np.nan
    return np.asarray(found, float)


def _binary(recordings: tuple[Recording, ...]) -> list[str]:
    return sorted(
        {str(n) for r in recordings for n, v in r.behaviour.data_vars.items() if v.attrs.get("kind") == "binary"}
    )


def _only_channel(recordings: tuple[Recording, ...]) -> str:
    found = _binary(recordings)
    if len(found) == 1:
        return found[0]
    raise InputError("which events?", where="events", fix=f"Set 'event'. {_known_events(recordings)}")


def _known_events(recordings: tuple[Recording, ...]) -> str:
    stimuli = sorted({n for r in recordings for n in r.stimuli["name"]})
    return f"Binary channels: {', '.join(_binary(recordings)) or 'none'}; stimuli: {', '.join(stimuli) or 'none'}."
