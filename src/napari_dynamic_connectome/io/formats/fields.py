"""Recordings from named arrays: the field names that npz and mat files share.

Our own names are written by `recording_fields`; other spellings that are common in the field are read too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ...model.attributes import KEY
from ...model.errors import FormatError, InputError
from ...model.recording import Recording, VolumeReference, empty_stimuli
from .. import limits
from ..choice import ChoiceNeeded
from ..clock import FASTEST_HZ, SLOWEST_HZ, UNIT_SAID
from .text_tables import says_unit

ALIASES: dict[str, tuple[str, ...]] = {
    "traces": ("traces", "trace_array", "dff", "dFF", "deltaFOverF", "calcium"),
    "names": (
        "names",
        "neuron_names",
        "neuronNames",
        "NeuronNames",
        "neurons",
        "IDs",
        "neuron_ids",
        "NeuronIDs",
        "ID_labels",
    ),
    "t": ("t", "time_s", "time", "tv", "timestamps", "timeVectorSeconds"),
    "fs": ("fs", "rate_hz", "fps", "frame_rate_hz", "volume_rate"),
    "label_confidence": ("label_confidence", "confidence"),
    "labels": ("labels", "label_ids"),
    "worm": ("worm", "name", "uid"),
}
"""Field -> spellings that are understood, ours first."""

BEHAVIOUR_PREFIX = "beh_"
FORMAT_VERSION = 1


def recording_fields(recording: Recording) -> dict[str, Any]:
    """Return a recording as named arrays and texts, none of which needs pickle.

    Parameters
    ----------
    recording : Recording
    """
    table = recording.neurons
    fields: dict[str, Any] = {
        "format_version": np.int64(FORMAT_VERSION),
        "worm": _text([recording.name])[0],
        "traces": np.asarray(recording.traces.values),
        "units": _text([str(recording.traces.attrs.get("units", ""))])[0],
        "t": recording.time_s,
        "names": _text(table["name"]),
        "labels": table["label"].to_numpy(np.int64),
        "label_confidence": table["confidence"].to_numpy(float),
        "positions_um": recording.positions_um,
        "rejected": table["rejected"].to_numpy(bool),
        "note": _text(table["note"]),
        "stim_name": _text(recording.stimuli["name"]),
        "stim_onset": recording.stimuli["onset"].to_numpy(float),
        "stim_offset": recording.stimuli["offset"].to_numpy(float),
        "breaks_s": np.asarray(recording.breaks, float),
        "provenance": _text([json.dumps(dict(recording.provenance), default=str)])[0],
    }
    about: dict[str, Any] = {}
    for channel, values in recording.behaviour.data_vars.items():
        fields[f"{BEHAVIOUR_PREFIX}{channel}"] = values.values
        about[str(channel)] = {k: values.attrs.get(k, "") for k in ("kind", "units")}
    fields["behaviour_about"] = _text([json.dumps(about)])[0]
    for role in ("volume", "labels"):
        reference = getattr(recording, role)
        if reference is not None:
            fields[f"{role}_reference"] = _text([json.dumps(_reference_to_dict(reference))])[0]
    if recording.quality is not None:
        fields["quality"] = _text([recording.quality.to_json(orient="split", double_precision=15)])[0]
    return fields


def mapped(fields: Mapping[str, Any], mapping: Mapping[str, str] | None, where: str) -> dict[str, Any]:
    """Return the fields with those that the user names under our names.

    Parameters
    ----------
    fields : mapping of str to array
    mapping : mapping of str to str, optional
        Our name ("traces", "names", "t", "fs", ...) -> name in the file.
    where : str
    """
    found = dict(fields)
    for ours, theirs in (mapping or {}).items():
        if ours not in ALIASES:
            raise InputError(f"there is no field '{ours}' to map", where=where, fix=f"Known: {', '.join(ALIASES)}.")
        if theirs not in fields:
            raise InputError(
                f"there is no field '{theirs}'", where=where, fix=f"The file has: {', '.join(map(str, fields))[:200]}."
            )
        for alias in ALIASES[ours]:
            found.pop(alias, None)
        found[ours] = fields[theirs]
    return found


def _check_left_over(fields: Mapping[str, Any], shape: tuple[int, int], where: str) -> str:
    """Ask about texts that fit the neurons where no names were found; return the names of the fields that are not read."""
    known = {alias for aliases in ALIASES.values() for alias in aliases} | _OTHER_FIELDS
    known |= set(_attributes(fields))
    rest = {str(k): v for k, v in fields.items() if str(k) not in known and not str(k).startswith(BEHAVIOUR_PREFIX)}
    if _find(fields, "names") is None:
        fitting = [k for k, v in rest.items() if (held := texts(v)) is not None and len(held) == shape[1] > 1]
        if fitting:
            raise ChoiceNeeded(
                f"the field '{fitting[0]}' holds a text for each of the {shape[1]} neurons, and no field is called names",
                where=where,
                fix=f'Pass fields={{"names": "{fitting[0]}"}} if these are their names, or rename the field.',
                option="fields",
                choices=tuple(fitting),
            )
    return ", ".join(sorted(rest))


ATTRIBUTES = ("strain", "genotype", "sex", "condition", "treatment", "stage", "dataset")
"""Fields that hold one text about the whole worm; they become its attributes (`model.attributes`)."""


def _attributes(fields: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for key in ATTRIBUTES:
        held = texts(fields[key]) if key in fields else None
        if held is not None and len(held) == 1 and held[0].strip():
            found[key] = held[0].strip()
    return found


_OTHER_FIELDS = {
    "format_version", "units", "positions", "positions_um", "rejected", "note", "stim_name", "stim_onset", "stim_offset", "stimuli",
    "breaks_s", "breaks", "provenance", "behaviour_about", "volume_reference", "labels_reference", "quality", "idx_splits",
}  # fmt: skip


def recording_from_fields(
    fields: Mapping[str, Any],
    where: str,
    *,
    name: str = "",
    rate_hz: float | None = None,
    mapping: Mapping[str, str] | None = None,
) -> Recording:
    """Build a recording from named arrays.

    Parameters
    ----------
    fields : mapping of str to array
        See `ALIASES`; also positions_um (neuron, 3: z, y, x) or positions (neuron, 3: x, y, z), stimuli (structured: name,
        t_on, t_off) or stim_name, stim_onset, stim_offset, beh_<channel>, idx_splits (2, segments; 1-based first and last).
    where : str
        The file, for messages.
    name : str
        Used where the fields hold none.
    rate_hz : float, optional
        Wins over the file's rate; needed if it has neither times nor a rate.
    mapping : mapping of str to str, optional
        See `mapped`.
    """
    fields = mapped(fields, mapping, where)
    _check_agree(fields, where, clock=rate_hz is None)
    traces = _traces(fields, where)
    names = texts(_find(fields, "names"))
    time, notes = _times(fields, traces, where, rate_hz)
    if (
        names is not None
        and len(names) == traces.shape[0] != traces.shape[1]
        and (time is None or len(time) == traces.shape[1] or rate_hz is not None or _find(fields, "t") is None)
    ):
        traces = traces.T  # saved as (neuron, time): names and times tell which axis is which
        time, notes = _times(fields, traces, where, rate_hz)
    if traces.shape[1] > limits.MAX_NEURONS:
        raise InputError(f"{traces.shape[1]} neurons", where=where, fix="Save the traces as (time, neuron).")
    if time is None:
        raise ChoiceNeeded(
            "neither times nor a sampling rate are given",
            where=where,
            fix="Add a field 't' (s) or 'fs' (Hz), or pass rate_hz=.",
            option="rate_hz",
        )
    n_neurons = traces.shape[1]
    behaviour = _behaviour(fields, len(time), where)
    confidence, labels = _find(fields, "label_confidence"), _find(fields, "labels")
    title = texts(_find(fields, "worm"))
    provenance = _json(fields.get("provenance"))
    about_worm = _attributes(fields)
    if about_worm:
        provenance[KEY] = about_worm | dict(provenance.get(KEY) or {})
    left = _check_left_over(fields, (traces.shape[0], n_neurons), where)
    if left and "format_version" not in fields:
        notes = "; ".join(n for n in (notes, f"fields that are not read: {left}") if n)
    if notes:
        provenance["reading"] = notes
    if "format_version" in fields:
        provenance["names_decided"] = True
    provenance.pop(UNIT_SAID, None)
    if _says_unit(fields):
        provenance[UNIT_SAID] = True
    recording = Recording.from_arrays(
        traces,
        name=name or (title[0] if title and title[0] else ""),
        time_s=time,
        names=_fit(names, n_neurons, "names", where),
        labels=None if labels is None else numbers(labels, "labels", where).ravel().tolist(),
        positions_um=_positions(fields, n_neurons, where),
        confidence=None
        if confidence is None
        else _fit(numbers(confidence, "confidence", where).ravel(), n_neurons, "confidences", where),
        stimuli=_stimuli(fields, where),
        behaviour=behaviour,
        breaks=_breaks(fields, time, where),
        provenance=provenance,
    )
    return _with_details(recording, fields, where)


def _traces(fields: Mapping[str, Any], where: str) -> np.ndarray:
    """Traces as they are in the file: two axes, neither of them empty."""
    values = _find(fields, "traces")
    if values is None:
        known = ", ".join(sorted(map(str, fields))[:12])
        fitting = [str(k) for k, v in fields.items() if _may_be_traces(v)]
        if fitting:
            raise ChoiceNeeded(
                f"there is no field 'traces'; of two axes {'is' if len(fitting) == 1 else 'are'} {', '.join(fitting[:12])}",
                where=where,
                fix='Pass fields={"traces": ...} with the name of the one that holds them.',
                option="fields",
                choices=tuple(fitting),
            )
        raise FormatError(
            "there is no field 'traces'",
            where=where,
            fix=f'The file has: {known or "nothing"}. Pass fields={{"traces": ...}} with the name of the one that holds them.',
        )
    traces = numbers(values, "traces", where)
    if traces.ndim != 2:
        raise InputError(
            f"traces have {traces.ndim} dimensions, not 2", where=where, fix="Save them as (time, neuron)."
        )
    if 0 in traces.shape:
        raise InputError(
            f"traces are empty: shape {traces.shape}", where=where, fix="Give at least one time point and one neuron."
        )
    return traces


def _may_be_traces(values: Any) -> bool:
    array = np.asarray(values)
    return array.dtype.kind in "fiu" and array.ndim == 2 and min(array.shape) > 1


def _behaviour(fields: Mapping[str, Any], n_times: int, where: str) -> xr.Dataset:
    """Channels of behaviour, with what the file says about them."""
    about = _json(fields.get("behaviour_about"))
    channels: dict[str, xr.DataArray] = {}  # put together at once: one by one, a data set is copied every time
    for key in fields:
        if str(key).startswith(BEHAVIOUR_PREFIX):
            channel = str(key).removeprefix(BEHAVIOUR_PREFIX)
            course = numbers(fields[key], str(key), where).ravel()
            if len(course) != n_times:
                raise InputError(
                    f"behaviour '{channel}' has {len(course)} values for {n_times} times",
                    where=where,
                    fix="Give a value for every time point.",
                )
            details = about.get(channel)
            attrs = {k: v for k, v in (details if isinstance(details, dict) else {}).items() if v}
            channels[channel] = xr.DataArray(course, dims="time", attrs=attrs)
    return xr.Dataset(channels)


def _with_details(recording: Recording, fields: Mapping[str, Any], where: str) -> Recording:
    table = recording.neurons.copy()
    n = len(table)
    if "rejected" in fields:
        table["rejected"] = _fit(np.asarray(fields["rejected"]).ravel().astype(bool), n, "rejected", where)
    if "note" in fields:
        table["note"] = _fit(texts(fields["note"]), n, "notes", where)
    units = texts(fields.get("units"))
    if units and units[0]:
        recording.traces.attrs["units"] = units[0]
    quality = None
    held = texts(fields.get("quality"))
    if held and held[0]:
        try:
            content = json.loads(held[0])
            if len(content["data"]) != n:
                raise ValueError(f"{len(content['data'])} rows for {n} neurons")
            quality = pd.DataFrame(
                content["data"], columns=content["columns"], index=pd.Index(table.index, name="neuron")
            )
        except (ValueError, KeyError, TypeError) as error:
            raise FormatError(
                "the quality table cannot be read",
                where=where,
                fix="It may be damaged or cut off; copy or export it again.",
            ) from error
    references = {
        role: _reference_from_dict(_json(fields.get(f"{role}_reference")), where) for role in ("volume", "labels")
    }
    return recording.replace(neurons=table, quality=quality, **references)


def _check_agree(fields: Mapping[str, Any], where: str, *, clock: bool) -> None:
    """Ask where a file has traces, times or rates under two names that do not say the same."""
    for key in ("traces", "t", "fs") if clock else ("traces",):
        held = {a: np.asarray(fields[a]) for a in ALIASES[key] if a in fields}
        first = next(iter(held), "")
        for other in list(held)[1:]:
            if not _say_the_same(held[first], held[other], clock=key == "t"):
                raise ChoiceNeeded(
                    f"'{first}' and '{other}' do not say the same",
                    where=where,
                    fix=f'Pass fields={{"{key}": "{first}"}} or "{other}".',
                    option="fields",
                    choices=tuple(held),
                )


def _say_the_same(one: np.ndarray, other: np.ndarray, *, clock: bool) -> bool:
    if one.dtype.kind not in "fiub" or other.dtype.kind not in "fiub" or one.size != other.size:
        return True  # a text, or something else of that name; what is taken is checked by itself
    a, b = one.ravel().astype(float), other.ravel().astype(float)
    if one.ndim == 2 and one.shape == other.shape[::-1] != other.shape:
        b = other.T.ravel().astype(float)
    if clock:
        a, b = np.diff(a), np.diff(b)  # a clock may begin elsewhere
    return bool(np.allclose(a, b, rtol=1e-3, atol=1e-9, equal_nan=True))


def _check_rate(times: np.ndarray, fields: Mapping[str, Any], where: str) -> None:
    """Refuse a rate that contradicts the times by more than a tenth, unless the times cannot be seconds, which is asked about later."""
    rate = _rate(fields, where)
    steps = np.diff(np.unique(times[np.isfinite(times)]))
    if rate is None or not len(steps) or not rate > 0:
        return
    own = 1.0 / float(np.median(steps))
    if SLOWEST_HZ <= own <= FASTEST_HZ and abs(own - rate) > 0.1 * rate:
        raise InputError(
            f"read as seconds, the times say {own:.4g} Hz, and the rate in the file is {rate:.4g}",
            where=where,
            fix="Correct one of them, or pass rate_hz=, which is taken instead of both.",
        )


def _rate(fields: Mapping[str, Any], where: str) -> float | None:
    found = _find(fields, "fs")
    if found is None:
        return None
    rates = numbers(found, "fs", where).ravel()
    if not rates.size:
        return None
    if not np.allclose(rates, rates[0], rtol=1e-3, equal_nan=True):
        raise InputError(f"the file has {len(rates)} rates that differ", where=where, fix="Pass rate_hz=.")
    return float(rates[0])


def _find(fields: Mapping[str, Any], key: str) -> Any:
    for alias in ALIASES[key]:
        if alias in fields:
            return fields[alias]
    return None


def numbers(values: Any, what: str, where: str) -> np.ndarray:
    """Return real numbers in native byte order, or raise `InputError`."""
    array = np.asarray(values)
    if array.dtype.kind == "c":
        raise InputError(f"'{what}' holds complex numbers", where=where, fix="Save real numbers.")
    if array.dtype.kind not in "fiub":
        raise InputError(f"'{what}' is of type {array.dtype}, not numbers", where=where, fix="Save numbers.")
    if array.dtype == np.float16 or array.dtype.itemsize > 8:
        return array.astype(np.float64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def texts(values: Any) -> list[str] | None:
    """Return a list of texts from a text, bytes, or an array of them; None for None."""
    if values is None:
        return None
    array = np.asarray(values)
    if array.dtype.kind not in "USOT":
        return None
    return [_one_text(v) for v in array.ravel().tolist()]


def _one_text(value: Any) -> str:
    if isinstance(value, bytes):
        value = _decoded(value)
    while isinstance(value, np.ndarray) and value.size == 1:
        value = value.ravel()[0]
    if value is None or (isinstance(value, float) and math.isnan(value)) or isinstance(value, np.ndarray):
        return ""
    text = str(value).replace("\0", "").strip()
    return "" if text.lower() in ("nan", "none", "[]") else text


def _decoded(value: bytes) -> str:
    """Return the text of bytes: UTF-8, UTF-16 where it says so, else what Western Windows writes."""
    if value[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return (value + b"\0" * (len(value) % 2)).decode(
            "utf-16", errors="replace"
        )  # arrays of bytes drop the last zeros
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("cp1252", errors="replace")


def _text(values: Any) -> np.ndarray:
    items = [str(v) for v in values]
    return np.asarray(items, dtype=f"<U{max([len(i) for i in items], default=1) or 1}")


def _json(value: Any) -> dict[str, Any]:
    text = texts(value)
    if not text or not text[0]:
        return {}
    try:
        content = json.loads(text[0])
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _fit(values: Any, n: int, what: str, where: str) -> Any:
    if values is not None and len(values) != n:
        raise InputError(
            f"{len(values)} {what} for {n} neurons",
            where=where,
            fix="Give one for every neuron, in the order of the traces.",
        )
    return values


def _times(
    fields: Mapping[str, Any], traces: np.ndarray, where: str, rate_hz: float | None
) -> tuple[np.ndarray | None, str]:
    n = traces.shape[0]
    given = _find(fields, "t")
    if rate_hz is None and given is not None:
        time = numbers(given, "t", where).ravel().astype(float)
        if len(time) == n:
            _check_rate(time, fields, where)
            return time, ""
        splits = _splits(fields, n, where)
        if len(time) > n and splits is not None and splits.min() == 1 and splits.max() == n:
            # the file says that only the first n of the times were measured
            return time[:n], f"{len(time)} times for {n} samples; the segments say that the first {n} are meant"
        if len(time) not in traces.shape:
            raise InputError(
                f"{len(time)} times for traces of shape {traces.shape}",
                where=where,
                fix="There must be a time for every sample.",
            )
        return time, ""
    rate = _rate(fields, where) if rate_hz is None else rate_hz
    if rate is None:
        return None, ""
    if not (rate > 0 and math.isfinite(rate)):
        raise InputError(f"the sampling rate {rate:g} Hz is not positive", where=where, fix="Pass rate_hz=.")
    return np.arange(n) / rate, ""


def _says_unit(fields: Mapping[str, Any]) -> bool:
    """Whether the times are known to be seconds: the name says so, the file is ours, or it has a rate, which agrees with them."""
    key = next((alias for alias in ALIASES["t"] if alias in fields), "")
    return "format_version" in fields or _find(fields, "fs") is not None or says_unit(key)


def _splits(fields: Mapping[str, Any], n: int, where: str) -> np.ndarray | None:
    if "idx_splits" not in fields:
        return None
    splits = np.asarray(fields["idx_splits"])
    if splits.dtype.kind not in "iuf" or splits.size == 0:
        return None
    if splits.ndim == 2 and splits.shape[0] != 2 and splits.shape[1] == 2:
        splits = splits.T  # a row a segment
    if splits.size % 2:
        raise InputError(
            f"'idx_splits' has {splits.size} numbers, not a first and a last sample for every segment",
            where=where,
            fix="Give it as (2, segments): the first samples, then the last ones.",
        )
    splits = splits.reshape(2, -1).astype(np.int64)
    if splits.shape == (2, 2) and splits.max() <= n and _overlap(splits) is not None and _overlap(splits.T) is None:
        splits = splits.T
    return splits


def _overlap(splits: np.ndarray) -> tuple[int, int] | None:
    """Return the end of a segment and the start of the next where the second is not after the first."""
    first, last = splits[:, np.argsort(splits[0], kind="stable")]
    wrong = np.flatnonzero(last[:-1] >= first[1:])
    return (int(last[wrong[0]]), int(first[wrong[0] + 1])) if len(wrong) else None


def _breaks(fields: Mapping[str, Any], time: np.ndarray, where: str) -> tuple[float, ...]:
    if "breaks_s" in fields:
        return tuple(float(v) for v in numbers(fields["breaks_s"], "breaks_s", where).ravel())
    splits = _splits(fields, len(time), where)
    if splits is None or (splits[0] == splits[1]).all():
        return ()  # a list of frames, not of segments
    starts = np.sort(splits[0])[1:]
    if len(starts) and (starts.min() < 2 or starts.max() > len(time)):
        raise InputError(
            f"segment starts {starts.min()}..{starts.max()} lie outside the {len(time)} samples",
            where=where,
            fix="Segments are first and last samples, counted from 1.",
        )
    overlap = _overlap(splits)
    if overlap is not None:
        raise InputError(
            f"a segment ends at sample {overlap[0]}, the next begins at {overlap[1]}",
            where=where,
            fix="Segments are first and last samples, counted from 1, as (2, segments).",
        )
    return tuple(float(time[s - 1]) for s in starts)


def _positions(fields: Mapping[str, Any], n: int, where: str) -> np.ndarray | None:
    for key, order in (("positions_um", (0, 1, 2)), ("positions", (2, 1, 0))):
        if key in fields:
            positions = numbers(fields[key], key, where).astype(float)
            if positions.shape != (n, 3):
                raise InputError(
                    f"'{key}' has shape {positions.shape}, not ({n}, 3)", where=where, fix="Give one row a neuron."
                )
            return positions[:, order]
    return None


def _stimuli(fields: Mapping[str, Any], where: str) -> pd.DataFrame:
    if "stim_name" in fields:
        names = texts(fields["stim_name"]) or []
        onset = numbers(fields.get("stim_onset", []), "stim_onset", where).ravel()
        offset = numbers(fields.get("stim_offset", onset), "stim_offset", where).ravel()
        if not len(names) == len(onset) == len(offset):
            raise InputError(
                f"{len(names)} stimulus names, {len(onset)} onsets and {len(offset)} offsets",
                where=where,
                fix="Give one of each for every stimulus.",
            )
        return stimulus_table(names, onset, offset)
    held = fields.get("stimuli")
    if held is None:
        return empty_stimuli()
    held = np.asarray(held)
    columns = held.dtype.names or ()
    if not columns:
        if held.size == 0:
            return empty_stimuli()
        raise InputError(
            "'stimuli' is not a table of name, t_on, t_off", where=where, fix="Use stim_name, stim_onset, stim_offset."
        )
    on = next((c for c in ("t_on", "onset", "start") if c in columns), None)
    off = next((c for c in ("t_off", "offset", "stop") if c in columns), None)
    if "name" not in columns or on is None:
        raise InputError(
            f"'stimuli' has the columns {', '.join(columns)}", where=where, fix="Needed: name, t_on, t_off."
        )
    held = held.ravel()
    onset = numbers(held[on], on, where)
    return stimulus_table(texts(held["name"]) or [], onset, numbers(held[off], off, where) if off else onset)


def stimulus_table(names: Any, onset: Any, offset: Any) -> pd.DataFrame:
    """Return a stimulus table; an offset that is not known (NaN) becomes the onset: an event."""
    onset, offset = np.asarray(onset, float), np.asarray(offset, float)
    if len(onset) == 0:
        return empty_stimuli()
    return pd.DataFrame({"name": list(names), "onset": onset, "offset": np.where(np.isnan(offset), onset, offset)})


def _reference_to_dict(reference: VolumeReference) -> dict[str, Any]:
    return {
        "path": reference.path,
        "shape": list(reference.shape),
        "axes": reference.axes,
        "voxel_size_um": list(reference.voxel_size_um),
        "frame_rate_hz": reference.frame_rate_hz,
    }


def _reference_from_dict(held: dict[str, Any], where: str) -> VolumeReference | None:
    if not held:
        return None
    try:
        z, y, x = (float(v) for v in held["voxel_size_um"])
        return VolumeReference(
            str(held["path"]),
            tuple(int(n) for n in held["shape"]),
            str(held["axes"]),
            (z, y, x),
            float(held["frame_rate_hz"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(
            "a reference to an image cannot be read",
            where=where,
            fix="It may be damaged or cut off; copy or export it again.",
        ) from error
