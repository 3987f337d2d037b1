"""One animal: traces, the neuron table, stimuli, behaviour, and where its volume and labels are.

Goes in: arrays and tables. Comes out: a validated, immutable `Recording`. No file is read or written here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import pandas as pd
import xarray as xr

from .errors import InputError
from .neurons import canonical_spelling, read_names
from .text import clean_text

NEURON_COLUMNS: dict[str, Any] = {
    "label": -1,
    "name": "",
    "confidence": np.nan,
    "z": np.nan,
    "y": np.nan,
    "x": np.nan,
    "rejected": False,
    "note": "",
}
"""Columns of every neuron table with the value that means "not known"; `z`, `y`, `x` are micrometres."""

STIMULUS_COLUMNS = ("name", "onset", "offset")
MAX_NAME_LENGTH = 200


@dataclass(frozen=True)
class VolumeReference:
    """Where a 4D image or its labels can be found, and in what units.

    Parameters
    ----------
    path : str
        File or folder; relative paths are relative to the session or settings file that holds them.
    shape : tuple of int
        Shape in the order of `axes`.
    axes : str
        One letter an axis, of "t", "c", "z", "y", "x".
    voxel_size_um : tuple of float
        Size of a voxel (z, y, x) in micrometres.
    frame_rate_hz : float
        Volumes per second; NaN for a single volume.
    """

    path: str
    shape: tuple[int, ...]
    axes: str
    voxel_size_um: tuple[float, float, float]
    frame_rate_hz: float = float("nan")


@dataclass(frozen=True, eq=False)
class Recording:
    """Traces and metadata of one animal.

    Parameters
    ----------
    name : str
        Unique name of the animal in a cohort.
    traces : xarray.DataArray
        (time, neuron), float32 or float64; coordinate `time` in seconds, strictly increasing; coordinate `neuron` holds
        unique ids: the name of a named neuron, "#<label>" of an unnamed one. NaN where a neuron was not measured.
    neurons : pandas.DataFrame
        One row a neuron, index equal to the `neuron` coordinate, columns `NEURON_COLUMNS`.
    stimuli : pandas.DataFrame
        Columns name, onset, offset (s).
    behaviour : xarray.Dataset
        One variable (time,) a channel, same `time` as the traces; attribute `kind` is "binary" or "continuous", `units`.
    breaks : tuple of float
        Times (s) at which the recording was interrupted: nothing is smoothed or differentiated across a break. A break lies
        before the first sample at or after this time.
    volume, labels : VolumeReference, optional
        The images the traces came from.
    quality : pandas.DataFrame, optional
        Measures per neuron, same index as `neurons`.
    provenance : dict
        What was done to get here: versions, settings, input hashes, a list "history" of operations.
    """

    name: str
    traces: xr.DataArray
    neurons: pd.DataFrame
    stimuli: pd.DataFrame = field(default_factory=lambda: empty_stimuli())
    behaviour: xr.Dataset = field(default_factory=xr.Dataset)
    breaks: tuple[float, ...] = ()
    volume: VolumeReference | None = None
    labels: VolumeReference | None = None
    quality: pd.DataFrame | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", clean_text(str(self.name)))
        where = f"recording '{self.name}'"
        if not str(self.name).strip():
            raise InputError("a recording needs a name", fix="Pass name='worm 1', for example.")
        object.__setattr__(self, "traces", _check_traces(self.traces, where))
        object.__setattr__(self, "neurons", _check_neurons(self.neurons, self.traces, where))
        self._spell_names(where)
        object.__setattr__(self, "stimuli", check_stimuli(self.stimuli, where))
        object.__setattr__(self, "behaviour", _check_behaviour(self.behaviour, self.traces, where))
        object.__setattr__(self, "breaks", tuple(sorted(float(s) for s in self.breaks)))

    def _spell_names(self, where: str) -> None:
        """Give every neuron the canonical spelling of its name, and the id that follows from its name and label."""
        table = self.neurons
        names = [clean_text(canonical_spelling(n)) for n in table["name"]]
        ids = neuron_ids(names, table["label"].to_numpy(), where=where, written=table["name"].tolist())
        if names == table["name"].tolist() and ids == list(table.index):
            return
        table = table.copy()
        table["note"] = [
            note or (f'written "{old}"' if old != new else "")
            for note, old, new in zip(table["note"], table["name"], names, strict=True)
        ]
        table["name"] = names
        table.index = pd.Index(ids, name="neuron", dtype=object)
        object.__setattr__(self, "neurons", table)
        object.__setattr__(self, "traces", self.traces.assign_coords(neuron=np.asarray(ids, dtype=object)))
        if self.quality is not None and len(self.quality) == len(ids):
            object.__setattr__(self, "quality", self.quality.set_axis(table.index, axis=0))

    def __repr__(self) -> str:
        """What it is in a few lines; `traces`, `neurons` and the others show themselves."""
        seconds = self.time_s[-1] - self.time_s[0]
        lines = [
            f"<Recording {self.name!r}>",
            f"  neurons    {self.n_neurons}, {len(self.named)} named, "
            f"{int(np.isfinite(self.positions_um).all(axis=1).sum())} with a position",
            f"  time       {self.n_times} points, {seconds:.4g} s, {self.rate_hz:.4g} Hz",
        ]
        stimuli = list(dict.fromkeys(self.stimuli["name"]))
        quality = [] if self.quality is None else list(self.quality.columns)
        for what, names in (
            ("stimuli", stimuli),
            ("behaviour", list(self.behaviour.data_vars)),
            ("quality", quality),
        ):
            if names:
                lines.append(f"  {what:<10} {', '.join(map(str, names[:5]))}{' …' if len(names) > 5 else ''}")
        if self.breaks:
            lines.append(f"  breaks     {len(self.breaks)}")
        return "\n".join(lines)

    @classmethod
    def from_arrays(
        cls,
        traces: np.ndarray,
        *,
        name: str,
        time_s: np.ndarray | None = None,
        rate_hz: float | None = None,
        names: Sequence[str] | None = None,
        positions_um: np.ndarray | None = None,
        labels: Sequence[int] | None = None,
        confidence: Sequence[float] | None = None,
        **more: Any,
    ) -> Self:
        """Build a recording from plain arrays.

        Parameters
        ----------
        traces : array of shape (time, neuron)
        name : str
        time_s : array of shape (time,), optional
            Seconds; or give `rate_hz` for even sampling from zero.
        rate_hz : float, optional
        names : sequence of str, optional
            '' for an unnamed neuron. Other spellings of a canonical name become the canonical one ("VB01", "avb l"); what is no
            name of the 302 is kept as written. Names that come from a file are read more strictly by `read_recording`.
        positions_um : array of shape (neuron, 3), optional
            (z, y, x) in micrometres.
        labels : sequence of int, optional
            Label ids in the image; 1, 2, ... by default.
        confidence : sequence of float, optional
        **more
            Further fields of `Recording`.
        """
        values = np.asarray(traces)
        where = f"recording '{name}'"
        if values.ndim != 2:
            raise InputError(f"traces have {values.ndim} dimensions, not 2", where=where, fix="Pass (time, neuron).")
        n_time, n_neurons = values.shape
        if time_s is None:
            if rate_hz is None or not rate_hz > 0:
                raise InputError(
                    "neither times nor a sampling rate are given", where=where, fix="Pass rate_hz= or time_s=."
                )
            time_s = np.arange(n_time) / rate_hz
        if len(np.asarray(time_s)) != n_time:
            raise InputError(f"{len(np.asarray(time_s))} times for {n_time} time points", where=where)
        label_ids = np.arange(1, n_neurons + 1) if labels is None else whole_labels(labels, where)
        given = [""] * n_neurons if names is None else [clean_text(str(n)).strip() for n in names]
        for what, items in (("names", given), ("labels", label_ids)):
            if len(items) != n_neurons:
                raise InputError(f"{len(items)} {what} for {n_neurons} neurons", where=where)
        table = pd.DataFrame({"label": label_ids.astype(np.int64), "name": given})
        if positions_um is not None:
            positions = np.asarray(positions_um, float)
            if positions.shape != (n_neurons, 3):
                raise InputError(f"positions have shape {positions.shape}, not ({n_neurons}, 3)", where=where)
            table["z"], table["y"], table["x"] = positions.T
        if confidence is not None:
            table["confidence"] = np.asarray(confidence, float)
        ids = neuron_ids([canonical_spelling(n) for n in given], label_ids, where=where, written=given)
        array = xr.DataArray(
            values, dims=("time", "neuron"), coords={"time": np.asarray(time_s, float), "neuron": ids}, name="traces"
        )
        table.index = pd.Index(ids, name="neuron")
        return cls(name=name, traces=array, neurons=table, **more)

    @property
    def n_neurons(self) -> int:
        """Number of neurons, named or not."""
        return int(self.traces.sizes["neuron"])

    @property
    def n_times(self) -> int:
        """Number of time points."""
        return int(self.traces.sizes["time"])

    @property
    def time_s(self) -> np.ndarray:
        """Times of the samples in seconds, shape (time,)."""
        return np.asarray(self.traces["time"].values, float)

    @property
    def rate_hz(self) -> float:
        """Median sampling rate; NaN for a single sample."""
        if self.n_times < 2:
            return float("nan")
        return float(1.0 / np.median(np.diff(self.time_s)))

    @property
    def named(self) -> list[str]:
        """Ids of the neurons that have a name and were not rejected, in trace order."""
        keep = (self.neurons["name"] != "") & ~self.neurons["rejected"].astype(bool)
        return [str(i) for i in self.neurons.index[keep]]

    @property
    def remarks(self) -> list[str]:
        """What the reader made of things that the file leaves open, a line each; for people."""
        held = [self.provenance.get(key) for key in ("reading", "names")]
        return [str(line) for line in held if line]

    @property
    def positions_um(self) -> np.ndarray:
        """Positions (neuron, 3) as (z, y, x) in micrometres; NaN where not known."""
        return np.column_stack([self.neurons[axis].to_numpy(float) for axis in ("z", "y", "x")])

    def replace(self, **changes: Any) -> Self:
        """Copy with some fields changed, validated again."""
        return replace(self, **changes)

    def with_names(self, names: Mapping[int, str]) -> Self:
        """Copy in which the neurons with these label ids have these names ('' removes a name)."""
        table = self.neurons.copy()
        known = set(table["label"].tolist())
        for label, new in names.items():
            if label not in known:
                raise InputError(f"there is no neuron with label {label}", where=f"recording '{self.name}'")
            table.loc[table["label"] == label, "name"] = str(new).strip()
        ids = neuron_ids(table["name"].tolist(), table["label"].to_numpy(), where=f"recording '{self.name}'")
        table.index = pd.Index(ids, name="neuron")
        quality = None if self.quality is None else self.quality.set_axis(table.index, axis=0)
        return replace(self, traces=self.traces.assign_coords(neuron=ids), neurons=table, quality=quality)


def neuron_ids(
    names: Sequence[str], labels: Sequence[int] | np.ndarray, *, where: str = "", written: Sequence[str] | None = None
) -> list[str]:
    """Return the unique id of every neuron: its name, or "#<label>" where it has none.

    Parameters
    ----------
    names : sequence of str
    labels : sequence of int
    where : str
    written : sequence of str, optional
        The names as they stand in the file, for the message of a name that is given twice.
    """
    ids = [str(n) if n else f"#{int(label)}" for n, label in zip(names, labels, strict=True)]
    seen: dict[str, int] = {}
    for position, item in enumerate(ids):
        if item in seen:
            what = f"the name '{item}' is given twice" if names[position] else f"the label {item[1:]} is given twice"
            if names[position] and written is not None and written[position] != written[seen[item]]:
                what += f", as '{written[seen[item]]}' and '{written[position]}'"
            raise InputError(
                f"{what} (rows {seen[item] + 1} and {position + 1})",
                where=where,
                fix="Keep the surer one and leave the other unnamed.",
            )
        seen[item] = position
    return ids


def whole_labels(values: Sequence[float] | np.ndarray, where: str) -> np.ndarray:
    """Return labels as whole numbers; those that are none, or are there twice, are an `InputError`."""
    try:
        given = np.asarray(values, dtype=np.float64).ravel()
    except (TypeError, ValueError) as error:
        raise InputError(
            "a label is not a number", where=where, fix="Labels are those of the image: 1, 2, ..."
        ) from error
    wrong = given[~(np.isfinite(given) & (given == np.round(given)) & (np.abs(given) < 2**53))]
    if len(wrong):
        raise InputError(
            f"label {wrong[0]:g} is no whole number", where=where, fix="Labels are those of the image: 1, 2, ..."
        )
    if len(given) and given.min() < 0:
        raise InputError(
            f"label {given.min():g} is below zero", where=where, fix="Labels are those of the image: 1, 2, ..."
        )
    labels: np.ndarray = given.astype(np.int64)
    found, counts = np.unique(labels, return_counts=True)
    if (counts > 1).any():
        raise InputError(
            f"label {found[counts > 1][0]} is there twice", where=where, fix="Give every neuron a label of its own."
        )
    return labels


def empty_stimuli() -> pd.DataFrame:
    """Return a stimulus table without rows."""
    return pd.DataFrame(
        {"name": pd.Series(dtype=object), "onset": pd.Series(dtype=float), "offset": pd.Series(dtype=float)}
    )


def _check_traces(traces: xr.DataArray, where: str) -> xr.DataArray:
    if not isinstance(traces, xr.DataArray) or tuple(traces.dims) != ("time", "neuron"):
        raise InputError("traces must be an xarray.DataArray with dims (time, neuron)", where=where)
    if traces.sizes["time"] < 1 or traces.sizes["neuron"] < 1:
        raise InputError(
            f"traces are empty: {traces.sizes['time']} times, {traces.sizes['neuron']} neurons", where=where
        )
    if traces.dtype.kind not in "fiu":
        raise InputError(f"traces are of type {traces.dtype}, not numbers", where=where)
    if traces.dtype.kind != "f":
        traces = traces.astype(np.float32)
    for coord in ("time", "neuron"):
        if coord not in traces.coords:
            raise InputError(f"traces have no coordinate '{coord}'", where=where)
    time = np.asarray(traces["time"].values, float)
    if not np.isfinite(time).all():
        raise InputError("some times are not finite", where=where, fix="Give every sample a time, or leave it out.")
    back = np.flatnonzero(np.diff(time) <= 0)
    if len(back):
        at = int(back[0])
        raise InputError(
            f"time does not increase at sample {at + 2} ({time[at]:g} s, then {time[at + 1]:g} s)",
            where=where,
            fix="Sort the samples, or mark the break and give continuous times.",
        )
    values = traces.values
    if np.isinf(values).any():
        row, column = np.argwhere(np.isinf(values))[0]
        raise InputError(
            f"infinite value at {time[row]:g} s, neuron {traces['neuron'].values[column]}",
            where=where,
            fix="Use NaN for what was not measured.",
        )
    ids = [str(i) for i in traces["neuron"].values]
    if len(set(ids)) != len(ids):
        twice = next(i for i in ids if ids.count(i) > 1)
        raise InputError(f"neuron id '{twice}' is given twice", where=where)
    long = next((i for i in ids if len(i) > MAX_NAME_LENGTH), None)
    if long is not None:
        raise InputError(
            f"a neuron name has {len(long)} characters", where=where, fix=f"The limit is {MAX_NAME_LENGTH}."
        )
    traces = traces.assign_coords(time=time, neuron=np.asarray(ids, dtype=object))
    traces["time"].attrs["units"] = "s"
    return traces


def _check_neurons(table: pd.DataFrame, traces: xr.DataArray, where: str) -> pd.DataFrame:
    ids = list(traces["neuron"].values)
    if len(table) != len(ids):
        raise InputError(f"the neuron table has {len(table)} rows for {len(ids)} traces", where=where)
    table = table.copy()
    if list(table.index) != ids:
        if set(map(str, table.index)) != set(ids):
            raise InputError("the neuron table's index is not the traces' neurons", where=where)
        table = table.loc[ids]
    for column, default in NEURON_COLUMNS.items():
        if column not in table:
            table[column] = default
    table["name"] = [("" if n is None or n != n else str(n)) for n in table["name"].tolist()]
    table["note"] = [("" if n is None or n != n else str(n)) for n in table["note"].tolist()]
    table["label"] = whole_labels(table["label"].tolist(), where)
    table["rejected"] = table["rejected"].astype(bool)
    for column in ("confidence", "z", "y", "x"):
        table[column] = pd.to_numeric(table[column]).astype(float)
    first = list(NEURON_COLUMNS)
    table.index = pd.Index(ids, name="neuron", dtype=object)
    return table[first + [c for c in table.columns if c not in first]]


def check_stimuli(table: pd.DataFrame, where: str = "stimuli") -> pd.DataFrame:
    """Validate a stimulus table and sort it by onset."""
    missing = [c for c in STIMULUS_COLUMNS if c not in table]
    if missing:
        raise InputError(
            f"the stimulus table lacks {', '.join(missing)}", where=where, fix="Needed: name, onset, offset (s)."
        )
    table = table.copy()
    for column in ("onset", "offset"):
        try:
            table[column] = pd.to_numeric(table[column]).astype(float)
        except (ValueError, TypeError, OverflowError) as error:
            raise InputError(
                f"an {column} of a stimulus is not a number",
                where=where,
                fix="Give onsets and offsets as numbers, in seconds.",
            ) from error
    table["name"] = [clean_text(str(n)) for n in table["name"]]
    if not np.isfinite(table[["onset", "offset"]].to_numpy()).all():
        raise InputError("a stimulus has no finite onset and offset", where=where)
    wrong = table["offset"] < table["onset"]
    if wrong.any():
        raise InputError(
            f"stimulus '{table['name'][wrong].iloc[0]}' ends before it begins",
            where=where,
            fix="Swap onset and offset.",
        )
    return table.sort_values("onset", kind="stable").reset_index(drop=True)


def _check_behaviour(behaviour: xr.Dataset, traces: xr.DataArray, where: str) -> xr.Dataset:
    checked: dict[Any, xr.DataArray] = {}  # put together at once: one by one, a data set is copied every time
    for channel, values in behaviour.data_vars.items():
        if values.dims != ("time",) or values.sizes["time"] != traces.sizes["time"]:
            raise InputError(
                f"behaviour '{channel}' has shape {tuple(values.shape)}, not ({traces.sizes['time']},)", where=where
            )
        array = np.asarray(values.values, float)
        finite = array[np.isfinite(array)]
        kind = values.attrs.get("kind") or (
            "binary" if len(finite) and np.isin(finite, (0.0, 1.0)).all() else "continuous"
        )
        checked[channel] = xr.DataArray(array, dims=("time",), attrs=dict(values.attrs) | {"kind": kind})
    return xr.Dataset(checked, coords={"time": traces["time"].values} if checked else None)


def with_names_read(recording: Recording, *, as_written: bool = False) -> Recording:
    """Return a recording from a file with its names read by the one rule, and with a line that says what was made of them.

    Parameters
    ----------
    recording : Recording
        Its names as the file writes them. Files of our own hold names that a person has decided on; their readers say so by
        `provenance["names_decided"]`, and these names are kept.
    as_written : bool
        Treat what is no name of a neuron ("1", "n12", "AVAL?") as a name all the same.

    Returns
    -------
    Recording
        Neurons whose text names no neuron are unnamed, keep that text as their note and, where the numbers allow it, that
        number as their label; `provenance["names"]` is the line.
    """
    if recording.provenance.get("names_decided"):
        kept = {k: v for k, v in recording.provenance.items() if k != "names_decided"}
        return recording.replace(provenance=kept)
    table = recording.neurons
    written = [note_text(n) or name for n, name in zip(table["note"], table["name"], strict=True)]
    if as_written:
        return recording
    readings = read_names(written)
    lost = [r for r in readings if r.kind in ("placeholder", "unsure")]
    unsided = [r for r in readings if r.kind == "no side"]
    parts = []
    for kind, what in (("placeholder", "headers name no neuron"), ("unsure", "names are unsure")):
        items = [r.text for r in lost if r.kind == kind]
        if items:
            shown = ", ".join(items[:6]) + (", ..." if len(items) > 6 else "")
            parts.append(f"{len(items)} of {len(readings)} {what} and stay unnamed ({shown})")
    if unsided:
        shown = ", ".join(r.name for r in unsided[:6]) + (", ..." if len(unsided) > 6 else "")
        parts.append(f"{len(unsided)} names say no side ({shown})")
    if not lost:
        return (
            recording
            if not parts
            else recording.replace(provenance={**recording.provenance, "names": "; ".join(parts)})
        )
    table = table.copy()
    names = [r.name if r.kind != "other" else n for r, n in zip(readings, table["name"], strict=True)]
    table["note"] = [n or r.note for n, r in zip(table["note"], readings, strict=True)]
    table["name"] = names
    numbers = [r.number for r in readings]
    if all(n is not None and n > 0 for n in numbers) and len(set(numbers)) == len(numbers):
        table["label"] = np.asarray(numbers, np.int64)
    parts[-1] += "; to treat them as names, choose names = as written"
    return recording.replace(neurons=table, provenance={**recording.provenance, "names": "; ".join(parts)})


def note_text(note: str) -> str:
    """Return what a note keeps as the text that was written in the file; "" for other notes."""
    found = re.match(r'written "(.*)"', note)
    return found[1] if found else ""
