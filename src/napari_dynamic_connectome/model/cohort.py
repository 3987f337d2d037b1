"""Cohort of recordings: the union of their neurons and which worm has which."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
import xarray as xr

from .errors import InputError
from .recording import Recording
from .settings import StepSettings, setting
from .summary import Summary, listed
from .text import counted

Alignment = Literal["auto", "absolute", "stimulus onset", "stimulus identity", "events", "none"]


class CohortSettings(StepSettings):
    """Which worms and neurons take part."""

    min_worms: int = setting(1, "A neuron takes part if at least this many worms have it.", ge=1)
    min_confidence: float = setting(0.0, "Names given with less confidence than this count as unnamed.", ge=0)
    merge_left_right: bool = setting(False, "Average the left and right neuron of a pair into one.")
    include_unnamed: bool = setting(False, "Keep unnamed neurons too (only of use with one worm).")


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Cohort(Summary):
    """Recordings of several worms, compared neuron by neuron.

    Parameters
    ----------
    recordings : sequence of Recording
        Names must be unique. One recording is allowed.
    settings : CohortSettings, optional

    Attributes
    ----------
    neurons : tuple of str
        Union of the neurons that take part, sorted.
    worms : tuple of str
    presence : xarray.DataArray of bool, dims (worm, neuron)
        Which worm has a trace of which neuron (with at least one finite value).
    """

    recordings: tuple[Recording, ...]
    settings: CohortSettings
    neurons: tuple[str, ...] = field(init=False)
    worms: tuple[str, ...] = field(init=False)
    presence: xr.DataArray = field(init=False)
    _trace_ids: tuple[dict[str, list[str]], ...] = field(init=False, repr=False)

    def _head(self) -> str:
        return f" of {counted(len(self.recordings), 'worm')}"

    def _lines(self) -> list[str]:
        shared = int(self.presence.all("worm").sum())
        return [
            f"worms    {listed(self.worms)}",
            f"neurons  {listed(self.neurons)}; {shared} in every worm",
            f"times    {min(r.n_times for r in self.recordings)} to {max(r.n_times for r in self.recordings)} a worm",
        ]

    def __init__(
        self, recordings: Iterable[Recording], settings: CohortSettings | dict[str, Any] | None = None, **options: Any
    ) -> None:
        object.__setattr__(self, "recordings", tuple(recordings))
        object.__setattr__(self, "settings", CohortSettings.parse(settings, where="cohort settings", **options))
        self._build()

    def _build(self) -> None:
        if not self.recordings:
            raise InputError("a cohort needs at least one recording", where="cohort", fix="Load a recording first.")
        names = [r.name for r in self.recordings]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise InputError(f"two recordings are called '{twice[0]}'", where="cohort", fix="Rename one of them.")
        members = [self._members_of(r) for r in self.recordings]
        counts: dict[str, int] = {}
        for table in members:
            for neuron in table:
                counts[neuron] = counts.get(neuron, 0) + 1
        least = self.least_worms
        union = sorted((n for n, c in counts.items() if c >= least), key=_sort_key)
        if len(union) < 2:
            named = sum(bool(m) for m in members)
            raise InputError(
                f"{'no neuron is' if not union else 'only 1 neuron is'} seen in {counted(least, 'worm')} or more "
                f"({named} of {counted(len(names), 'worm')} {'has' if len(names) == 1 else 'have'} named neurons)",
                where="cohort",
                fix="Name more neurons, lower the number of worms or the confidence asked for, or include unnamed neurons.",
            )
        presence = np.array([[n in table for n in union] for table in members], dtype=bool)
        object.__setattr__(self, "neurons", tuple(union))
        object.__setattr__(self, "worms", tuple(names))
        object.__setattr__(
            self,
            "presence",
            xr.DataArray(
                presence, dims=("worm", "neuron"), coords={"worm": names, "neuron": np.asarray(union, object)}
            ),
        )
        object.__setattr__(self, "_trace_ids", tuple(members))

    @property
    def least_worms(self) -> int:
        """In how many worms a neuron must be seen: `min_worms`, or all where there are fewer worms than that."""
        return min(self.settings.min_worms, len(self.recordings))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done otherwise than the settings say, in words; empty as a rule."""
        asked, least = self.settings.min_worms, self.least_worms
        if least == asked:
            return ()
        return (
            f"Neurons were to be seen in {asked} worms, but there are only {least}: those that are seen in "
            f"{'both' if least == 2 else 'it' if least == 1 else f'all {least}'} take part.",
        )

    def _members_of(self, recording: Recording) -> dict[str, list[str]]:
        """As `_members`, remembered as long as the recording is there: both never change."""
        s = self.settings
        key = (s.min_confidence, s.include_unnamed, s.merge_left_right, len(self.recordings) == 1)
        found = _known_members.setdefault(recording, {})
        if key not in found:
            found[key] = self._members(recording)
        return found[key]

    def _members(self, recording: Recording) -> dict[str, list[str]]:
        """Cohort name -> trace ids of one worm (two ids where left and right are merged)."""
        from .neurons import info

        table = recording.neurons
        found: dict[str, list[str]] = {}
        values = recording.traces.values
        finite = np.isfinite(values[0])
        finite[~finite] = np.isfinite(values[:, ~finite]).any(
            axis=0
        )  # most neurons have a first value: look no further
        cells = (table[c].tolist() for c in ("name", "label", "confidence", "rejected"))
        for keep, neuron, given, label, confidence, rejected in zip(finite, table.index, *cells, strict=True):
            if not keep or rejected:
                continue
            name = given if not (confidence < self.settings.min_confidence) else ""
            if not name:
                if self.settings.include_unnamed:
                    key = f"#{label}" if len(self.recordings) == 1 else f"{recording.name}#{label}"
                    found.setdefault(key, []).append(str(neuron))
                continue
            if self.settings.merge_left_right:
                entry = info(name)
                if entry is not None and entry.side in ("L", "R"):
                    name = entry.pair_name
            found.setdefault(name, []).append(str(neuron))
        return found

    def traces_of(self, worm: int | str) -> xr.DataArray:
        """Traces (time, neuron) of one worm in its own time; only the cohort neurons that it has, in cohort order.

        With `merge_left_right`, the mean of the z-scored left and right trace.
        """
        index = self.worms.index(worm) if isinstance(worm, str) else int(worm)
        recording, members = self.recordings[index], self._trace_ids[index]
        chosen = [n for n in self.neurons if n in members]
        at = {str(n): k for k, n in enumerate(recording.traces["neuron"].values)}
        traces = recording.traces.values
        columns = []
        for neuron in chosen:
            values = traces[:, [at[n] for n in members[neuron]]].astype(float)
            if values.shape[1] > 1:
                with np.errstate(invalid="ignore", divide="ignore"):
                    values = (values - np.nanmean(values, axis=0)) / np.nanstd(values, axis=0)
                values = np.where(np.isfinite(values).any(axis=1, keepdims=True), values, np.nan)
                counts = np.isfinite(values).sum(axis=1)
                total = np.nansum(values, axis=1)
                columns.append(np.where(counts > 0, total / np.maximum(counts, 1), np.nan))
            else:
                columns.append(values[:, 0])
        return xr.DataArray(
            np.stack(columns, axis=1) if columns else np.zeros((recording.n_times, 0)),
            dims=("time", "neuron"),
            coords={"time": recording.time_s, "neuron": np.asarray(chosen, dtype=object)},
        )

    @property
    def common_stimuli(self) -> tuple[str, ...]:
        """Names of the stimuli that every worm received, sorted."""
        sets = [set(r.stimuli["name"]) for r in self.recordings]
        return tuple(sorted(set.intersection(*sets)))

    def subset(self, worms: Sequence[str]) -> Cohort:
        """Cohort of some of the worms, same settings."""
        unknown = [w for w in worms if w not in self.worms]
        if unknown:
            raise InputError(f"there is no worm '{unknown[0]}'", where="cohort", fix=f"Known: {', '.join(self.worms)}.")
        return Cohort([r for r in self.recordings if r.name in set(worms)], self.settings)

    def coverage(self) -> pd.Series:
        """Number of worms that have each neuron."""
        return pd.Series(self.presence.values.sum(axis=0), index=list(self.neurons), name="worms")


_known_members: WeakKeyDictionary[Recording, dict[tuple[Any, ...], dict[str, list[str]]]] = WeakKeyDictionary()


def _sort_key(name: str) -> tuple[bool, str, int, str]:
    prefix, _, digits = name.rpartition("#")
    return ("#" in name, prefix, int(digits) if digits.isdigit() and "#" in name else 0, name)
