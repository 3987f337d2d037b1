"""Tables of traces, wide (a column a neuron) and long (a row a sample), to and from recordings; shared by CSV and Parquet.

Wide: a time column, one column a neuron ("#7" or "unnamed_7" is the unnamed neuron with label 7), columns beh_<channel> for behaviour.
Long: columns time, neuron, value. Both may hold several animals, and columns about them; see `worm_columns`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ...model.attributes import with_attributes
from ...model.errors import InputError
from ...model.neurons import read_name
from ...model.recording import NEURON_COLUMNS, Recording
from .. import limits
from ..choice import ChoiceNeeded
from ..clock import with_unit_said, without_unit_said
from .fields import BEHAVIOUR_PREFIX
from .text_tables import (
    check_columns,
    clock_texts,
    find_column,
    find_time,
    plain_cell,
    says_unit,
    time_unit,
    to_numbers,
)
from .worm_columns import Layout, Part, parts_of

NEURON_COLUMN = ("neuron", "neuron_id", "roi", "cell")
VALUE_COLUMN = ("value", "trace", "dff", "df/f", "dff0", "f", "activity", "calcium", "signal", "intensity")
FRAME_COLUMN = (
    "frame", "frames", "volume", "index", "sample", "unnamed: 0", "", "frame #", "frame#", "#frame", "frame no", "frame no.", "frame nr",
    "frame nr.", "frame number", "frame_number", "frame index", "frame_index", "frame_idx", "frame id", "frame_id", "slice", "volume number",
    "volume_number", "volume index", "volume_index",
)  # fmt: skip

_UNNAMED = re.compile(r"^(?:#|unnamed_)(\d+)$")


def is_long(table: pd.DataFrame) -> bool:
    """Whether a table has a row a sample."""
    return find_column(table, *NEURON_COLUMN) is not None and find_column(table, *VALUE_COLUMN) is not None


def recordings_from_table(
    table: pd.DataFrame,
    where: str,
    *,
    name: str,
    rate_hz: float | None = None,
    time_column: str | None = None,
    worm_column: str | None = None,
    other_columns: str | None = None,
    neurons: Collection[str] = (),
) -> list[Recording]:
    """Return the recordings of a wide or long table.

    Parameters
    ----------
    table : pandas.DataFrame
        Cells may be texts or numbers.
    where : str
    name : str
        For a table that names no worm.
    rate_hz : float, optional
        Needed if there is a frame column (or none) instead of times.
    time_column : str, optional
        The column that holds the times, where its name does not tell.
    worm_column : str, optional
        The column that tells worms (or trials) apart, where its name does not tell; "none" if all rows are of one.
    other_columns : {"behaviour", "left out", "neurons"}, optional
        What becomes of columns that are no neurons by name or content, and change in the course of a worm.
    neurons : collection of str
        Headers that are known to be neurons, whatever they are called: what a table of neurons beside it lists.
    """
    columns: dict[str, Any] = {"worm_column": worm_column, "other_columns": other_columns, "neurons": neurons}
    if time_column is not None:
        table, left = _with_clock(table, time_column, where, rate_hz)
        found = recordings_from_table(table, where, name=name, rate_hz=rate_hz, **columns)
        if not says_unit(time_column):
            found = [without_unit_said(r) for r in found]  # it is called time_s by now
        return (
            [_with_remark(r, f"other columns of time, not read: {', '.join(left)}") for r in found] if left else found
        )
    check_columns(len(table.columns), where)
    nameless = np.flatnonzero(table.columns == "")
    if len(nameless) > 1 and any(not _counts(table.iloc[:, [k]], "", where) for k in nameless[1:]):
        raise InputError(f"column {nameless[1] + 1} has no name", where=where, fix="Name every column, or remove it.")
    if not len(table):
        raise InputError("the table has no rows", where=where, fix="Give a row for every time point.")
    long = is_long(table)
    layout = Layout(
        used=sorted(_needed(table, long)),
        restarts=lambda rows: _restarts(rows, where, long),
        neurons=neurons,
        as_neurons=not long,
        floats=None if long else lambda rows, names: _with_floats(rows, names, where),
    )
    parts = parts_of(table, where, layout, name=name, worm_column=worm_column, other_columns=other_columns)
    found = []
    for part in parts:
        one = _from_long(part, where, rate_hz) if long else _from_wide(part, where, rate_hz, neurons)
        one = with_attributes(one, part.attributes) if part.attributes else one
        found.append(_with_remark(one, "; ".join(part.said)) if part.said else one)
    clock = find_time(table, where)
    return found if clock is None or not says_unit(clock[0]) else [with_unit_said(r) for r in found]


def _needed(table: pd.DataFrame, long: bool) -> set[str]:
    """Return the columns that a table needs: its clock, and in a long table the neuron, its value and what belongs to it."""
    found = {c for c in map(str, table.columns) if time_unit(c) is not None or c.strip().lower() in FRAME_COLUMN}
    if long:
        columns = (NEURON_COLUMN, VALUE_COLUMN, *((a, f"{a}_um") for a in _LONG_NUMBERS))
        found |= {c for names in columns if (c := find_column(table, *names)) is not None}
    return found


def _with_floats(table: pd.DataFrame, names: list[str], where: str) -> pd.DataFrame:
    """Return a table in which these columns are numbers."""
    if not names or not table.columns.is_unique:
        return table
    floats = pd.DataFrame(_columns(table, names, where), columns=pd.Index(names), index=table.index)
    return pd.concat([table.drop(columns=names), floats], axis=1)[table.columns]


_LONG_NUMBERS = ("z", "y", "x", "label", "confidence")


def _restarts(rows: pd.DataFrame, where: str, long: bool) -> bool:
    """Whether rows cannot be one recording: the clock goes back, or in a long table a neuron has two values at a time."""
    clock = next((c for c in map(str, rows.columns) if time_unit(c) is not None), None)
    clock = clock or find_column(rows, *FRAME_COLUMN)
    if clock is None:
        return False
    if long:
        neuron = find_column(rows, *NEURON_COLUMN)
        return bool(rows.duplicated([clock, neuron]).any())
    try:
        return bool((np.diff(_column(rows, clock, where)) <= 0).any())
    except InputError:
        return False


def _column(table: pd.DataFrame, column: str, where: str, *, missing: bool = True) -> np.ndarray:
    values = table[column]
    if values.dtype.kind in "fiub":
        array: np.ndarray = values.to_numpy(np.float32 if values.dtype == np.float32 else float)
        if not missing and np.isnan(array).any():
            raise InputError(
                f"column '{column}' is empty in row {int(np.flatnonzero(np.isnan(array))[0]) + 2}",
                where=where,
                fix="Fill it in, or remove the row.",
            )
        return array
    return to_numbers(values.tolist(), column, where, missing=missing)


def _columns(table: pd.DataFrame, columns: list[str], where: str) -> np.ndarray:
    """Return columns side by side, shape (rows, columns)."""
    if all(table[c].dtype.kind == "O" for c in columns):
        # all texts at once: of a column alone, the fixed part of the work is larger than its cells
        try:
            cells = np.concatenate([table[c].to_numpy(object) for c in columns])
            return to_numbers(cells.tolist(), columns[0], where).reshape(len(columns), len(table)).T.copy()
        except InputError:
            pass  # which column it is, is said below
    return np.stack([_column(table, c, where) for c in columns], axis=1)


def _with_remark(recording: Recording, remark: str) -> Recording:
    said = [str(recording.provenance.get("reading", "")), remark]
    return recording.replace(provenance={**recording.provenance, "reading": "; ".join(s for s in said if s)})


def _with_clock(table: pd.DataFrame, column: str, where: str, rate_hz: float | None) -> tuple[pd.DataFrame, list[str]]:
    """Return the table in which this column is the time, and the others of time; whole numbers beside a rate count frames."""
    found = find_column(table, column.strip().lower())
    if found is None:
        listed = ", ".join(str(c) for c in table.columns[:12])
        raise InputError(f"there is no column '{column}'", where=where, fix=f"The table has: {listed}.")
    values = _times(table, found, 1.0, where)
    frames = rate_hz is not None and (values == np.round(values)).all()
    others = [str(c) for c in table.columns if str(c) != found and time_unit(str(c)) is not None]
    kept = table.drop(columns=[*others, found]).copy()
    kept.insert(0, "frame" if frames else "time_s", values if frames else values * (time_unit(found) or 1.0))
    return kept, others


def _clock(table: pd.DataFrame, where: str, rate_hz: float | None) -> tuple[np.ndarray, set[str], list[str]]:
    """Return the times, the columns that are used up by them, and what was read in another way than its place suggests."""
    found = find_time(table, where)
    frame = find_column(table, *FRAME_COLUMN)
    if frame == "" and found is not None and not _counts(table, frame, where):
        frame = None  # a column without a name is an index only if it counts
    used = {c for c in (frame, found[0] if found else None) if c is not None}
    if rate_hz is not None and not (rate_hz > 0 and np.isfinite(rate_hz)):
        raise InputError(f"the sampling rate {rate_hz:g} Hz is not positive", where=where, fix="Give rate_hz in Hz.")
    if found is not None:
        times = _times(table, found[0], found[1], where)
        _check_rate(times, rate_hz, f"column '{found[0]}'", where)
        return times, used, []
    if rate_hz is not None and frame is not None:
        index = _column(table, frame, where, missing=False).astype(float)
        if (index == np.round(index)).all():
            return index / rate_hz, used, []
        # fractions are no frames: an index of times, as pandas writes it
        _check_rate(index, rate_hz, f"column '{frame}', which holds fractions and so no frame numbers,", where)
        return index, used, [f"column '{frame}' holds fractions: read as seconds, not as frames"]
    if rate_hz is not None:
        return np.arange(len(table)) / rate_hz, used, []
    _ask_for_a_clock(table, where)
    columns = ", ".join(str(c) or "one without a name" for c in table.columns[:6])
    raise ChoiceNeeded(
        f"there is no time column (the first columns are {columns})",
        where=where,
        fix="Call it time_s (or time_ms, time_min), or pass rate_hz=.",
        option="rate_hz",
    )


def _times(table: pd.DataFrame, column: str, unit: float, where: str) -> np.ndarray:
    """Return a column of times in seconds; hours, minutes and seconds ("0:01:30.5") and dates are read as such."""
    texts = table[column].tolist()
    if len(texts) and isinstance(texts[0], str) and ":" in texts[0]:
        stamps = clock_texts(texts)
        if stamps is None:
            raise InputError(
                f"column '{column}' begins with '{texts[0][:40]}', and not all of it is a time of day (h:mm:ss) or a date",
                where=where,
                fix="Give seconds (time_s), or h:mm:ss in every row.",
            )
        return stamps
    return _column(table, column, where, missing=False).astype(float) * unit


def _ask_for_a_clock(table: pd.DataFrame, where: str) -> None:
    """Ask about a first column that rises evenly and by fractions, in a table that has no time column."""
    first = str(table.columns[0])
    if not first or not table.columns.is_unique:
        return
    try:
        values = _column(table, first, where)
    except InputError:
        return
    if (values != np.round(values)).any():
        _check_is_no_clock(values, first, where)


def _counts(table: pd.DataFrame, column: str, where: str) -> bool:
    """Whether what stands under a header, once or several times, is empty or the number of the row."""
    for at in np.flatnonzero(table.columns == column):
        try:
            values = to_numbers(table.iloc[:, at].astype(str).tolist(), column, where)
        except InputError:
            return False
        if not (np.isnan(values).all() or (np.diff(values) == 1).all()):
            return False
    return True


def _check_rate(times: np.ndarray, rate_hz: float | None, what: str, where: str) -> None:
    """Refuse a rate that contradicts the times of the file by more than a tenth."""
    steps = np.diff(np.unique(times))
    if rate_hz is None or not len(steps) or not np.median(steps) > 0:
        return
    own = 1.0 / float(np.median(steps))
    if abs(own - rate_hz) > 0.1 * rate_hz:
        raise InputError(
            f"read as seconds, {what} says {own:.4g} Hz, but rate_hz is {rate_hz:.4g}",
            where=where,
            fix="Leave out rate_hz, or correct the unit in the header (time_ms, time_min).",
        )


def _check_is_no_clock(values: np.ndarray, header: str, where: str) -> None:
    """Ask about a column that counts evenly upwards, as clocks do and no neuron does, under a name that is no neuron's."""
    if len(values) < 5 or read_name(header).kind in ("canonical", "spelling", "no side"):
        return
    steps = np.diff(values)
    if np.isfinite(steps).all() and steps.min() > 0 and steps.max() <= 1.02 * steps.min():
        raise ChoiceNeeded(
            f"column '{header[:40]}' rises by the same step ({steps.mean():.4g}) in every row, as a clock does, not a neuron",
            where=where,
            fix=f'Pass time_column="{header[:40]}" if these are the times in seconds (or frames, where a rate is given); or call '
            "it time_s (time_ms, time_min, frame); otherwise leave it out of the file.",
            option="time_column",
            choices=(header,),
        )


def _split_ids(ids: list[str], where: str) -> tuple[list[str], list[int]]:
    """Return names and labels: '#7' (or 'unnamed_7') is label 7 without a name; named neurons take the labels that are left."""
    taken = {int(m[1]) for i in ids if (m := _UNNAMED.match(i))}
    names, labels, free = [], [], 1
    for item in ids:
        if unnamed := _UNNAMED.match(item):
            names.append("")
            labels.append(int(unnamed[1]))
            continue
        while free in taken:
            free += 1
        taken.add(free)
        names.append(item)
        labels.append(free)
    if len(ids) > limits.MAX_NEURONS:
        raise InputError(f"{len(ids)} neurons", where=where, fix="A wide table has a column a neuron and a row a time.")
    return names, labels


def _from_wide(part: Part, where: str, rate_hz: float | None, known: Collection[str]) -> Recording:
    table = part.table
    time, used, remarks = _clock(table, where, rate_hz)
    channels = dict(part.channels)  # put together at once: one by one, a data set is copied every time
    columns = []
    for column in map(str, table.columns):
        if column in used:
            continue
        if column.lower().startswith(BEHAVIOUR_PREFIX):
            channels[column[len(BEHAVIOUR_PREFIX) :]] = xr.DataArray(_column(table, column, where), dims="time")
        else:
            columns.append(column)
    if not columns:
        raise InputError(
            "there is no column of a neuron", where=where, fix="Give a time column and one column a neuron."
        )
    ids = [c.strip() for c in columns]
    blank = next((i for i, c in enumerate(ids) if not c), None)
    if blank is not None:
        raise InputError(
            f"column {blank + 1} of the neurons has no name", where=where, fix="Call unnamed neurons #1, #2, ..."
        )
    names, labels = _split_ids(ids, where)
    values = _columns(table, columns, where)
    for at, header in enumerate(ids):
        if header not in known:
            _check_is_no_clock(values[:, at], header, where)
    return Recording.from_arrays(
        values,
        name=part.name,
        time_s=time,
        names=names,
        labels=labels,
        behaviour=xr.Dataset(channels),
        provenance={"reading": "; ".join(remarks)} if remarks else {},
    )


def _from_long(part: Part, where: str, rate_hz: float | None) -> Recording:
    table = part.table
    neuron, value = find_column(table, *NEURON_COLUMN), find_column(table, *VALUE_COLUMN)
    assert neuron is not None and value is not None
    time, _, _ = _clock(table, where, rate_hz)
    plain = pd.DataFrame(
        {
            "time": time,
            "neuron": table[neuron].map(lambda v: plain_cell(str(v).strip())).to_numpy(object),
            "value": _column(table, value, where),
        }
    )
    if (plain["neuron"] == "").any():
        raise InputError(
            f"column '{neuron}' is empty in row {int(np.flatnonzero(plain['neuron'] == '')[0]) + 2}",
            where=where,
            fix="Call unnamed neurons #1, #2, ...",
        )
    for axis in _LONG_NUMBERS:
        column = find_column(table, axis, f"{axis}_um")
        if column is not None:
            plain[axis] = _column(table, column, where)
    return _one_long(plain, where, part.name)


def _one_long(plain: pd.DataFrame, where: str, name: str) -> Recording:
    twice = plain.duplicated(["time", "neuron"])
    if twice.any():
        row = plain[twice].iloc[0]
        raise InputError(
            f"neuron '{row['neuron']}' has two values at {row['time']:g} s",
            where=where,
            fix="Keep one row a neuron and time.",
        )
    ids = list(dict.fromkeys(plain["neuron"].tolist()))
    clock = np.unique(plain["time"].to_numpy(float))
    values = np.full((len(clock), len(ids)), np.nan)
    place = {n: i for i, n in enumerate(ids)}
    values[np.searchsorted(clock, plain["time"].to_numpy(float)), [place[n] for n in plain["neuron"]]] = plain[
        "value"
    ].to_numpy(float)
    names, labels = _split_ids(ids, where)
    first = plain.groupby("neuron", sort=False).first()
    positions = first[["z", "y", "x"]].to_numpy(float) if {"z", "y", "x"} <= set(first) else None
    if "label" in first and first["label"].notna().all():
        for neuron, given in plain.groupby("neuron", sort=False)["label"]:
            if given.nunique() > 1:
                raise InputError(
                    f"neuron '{neuron}' has several labels", where=where, fix="Give every neuron one label."
                )
        labels = first["label"].tolist()
    confidence = first["confidence"].to_numpy(float) if "confidence" in first else None
    return Recording.from_arrays(
        values, name=name, time_s=clock, names=names, labels=labels, positions_um=positions, confidence=confidence
    )  # fmt: skip


def wide_table(recording: Recording) -> pd.DataFrame:
    """Return traces and behaviour as a wide table.

    Parameters
    ----------
    recording : Recording
    """
    columns: dict[str, Any] = {"time_s": recording.time_s}
    for index, neuron in enumerate(recording.traces["neuron"].values.tolist()):
        columns[str(neuron)] = recording.traces.values[:, index]
    for channel, values in recording.behaviour.data_vars.items():
        columns[f"{BEHAVIOUR_PREFIX}{channel}"] = values.values
    return pd.DataFrame(columns)


def long_table(recording: Recording) -> pd.DataFrame:
    """Return a row a sample with worm, time_s, neuron, value, label, confidence, z, y, x.

    Parameters
    ----------
    recording : Recording
    """
    n_times, n_neurons = recording.traces.shape
    table = recording.neurons
    repeat: Callable[[Any], np.ndarray] = lambda values: np.repeat(np.asarray(values), n_times)  # noqa: E731
    columns: dict[str, Any] = {
        "worm": np.full(n_times * n_neurons, recording.name, dtype=object),
        "time_s": np.tile(recording.time_s, n_neurons),
        "neuron": repeat(table.index.to_numpy(object)),
        "value": recording.traces.values.T.ravel(),
    }
    for column in ("label", "confidence", "z", "y", "x"):
        columns[column] = repeat(table[column].to_numpy())
    return pd.DataFrame(columns)


def listed_ids(neurons: pd.DataFrame | None) -> frozenset[str]:
    """Return the ids that a table of neurons lists; none without a table, or without such a column.

    Parameters
    ----------
    neurons : pandas.DataFrame, optional
        Texts; column "neuron" (or "id") holds the ids of the traces.
    """
    key = None if neurons is None else find_column(neurons, "neuron", "id")
    if neurons is None or key is None:
        return frozenset()
    return frozenset(plain_cell(v.strip()) for v in neurons[key])


def with_sidecar(
    recording: Recording,
    neurons: pd.DataFrame | None,
    stimuli: pd.DataFrame | None,
    behaviour: xr.Dataset | None,
    where: str,
) -> Recording:
    """Return the recording with what lies beside it: neuron table, stimuli, behaviour.

    Parameters
    ----------
    recording : Recording
    neurons : pandas.DataFrame, optional
        Texts; column "neuron" holds the ids of the traces; label, name, confidence, z, y, x (um), rejected, note.
    stimuli : pandas.DataFrame, optional
    behaviour : xarray.Dataset, optional
        On the clock of the traces.
    where : str
    """
    if neurons is not None:
        key = find_column(neurons, "neuron", "id")
        if key is None:
            raise InputError(
                "there is no column 'neuron'",
                where=where,
                fix="It holds the neurons' ids, as in the header of the traces.",
            )
        rows = neurons.set_index(pd.Index([plain_cell(v.strip()) for v in neurons[key]]))
        ids = list(recording.neurons.index)
        absent = [i for i in ids if i not in rows.index]
        if absent or rows.index.has_duplicates:
            raise InputError(
                f"neuron '{absent[0] if absent else rows.index[rows.index.duplicated()][0]}' is not there once",
                where=where,
                fix="Give every neuron of the traces one row.",
            )
        rows = rows.loc[ids]
        table = recording.neurons.copy()
        for column in ("label", "confidence", "z", "y", "x"):
            if column in rows:
                table[column] = to_numbers(rows[column].tolist(), column, where)
        for column in ("name", "note"):
            if column in rows:
                table[column] = [plain_cell(v) for v in rows[column]]
        if "rejected" in rows:
            table["rejected"] = rows["rejected"].str.strip().str.lower().isin(("true", "1", "yes")).tolist()
        decided = {"names_decided": True} if set(NEURON_COLUMNS) <= set(rows) else {}
        recording = recording.replace(neurons=table, provenance={**recording.provenance, **decided})
    if stimuli is not None:
        recording = recording.replace(stimuli=stimuli)
    if behaviour is not None:
        recording = recording.replace(behaviour=behaviour.assign(dict(recording.behaviour.data_vars)))
    return recording
