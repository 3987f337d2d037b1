"""Small tables beside a recording: names of labels, stimuli, behaviour, lists of neurons; CSV or Parquet."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ...model.errors import InputError
from ...model.neurons import normalize
from ...model.recording import check_stimuli
from ..files import existing, head
from ..volumes.hdf5 import opened
from .fields import stimulus_table
from .pandas_hdf5 import read_stored_table
from .parquet import is_parquet, read_frame
from .text_tables import (
    LEVELS,
    find_column,
    find_time,
    labelled_frames,
    parse_table,
    plain_cell,
    read_table,
    read_text,
    to_numbers,
)


def read_texts(source: str | Path) -> pd.DataFrame:
    """Read a CSV or Parquet as a table of texts.

    Parameters
    ----------
    source : str or Path
    """
    return _load(source)[0]


def _load(source: str | Path) -> tuple[pd.DataFrame, str]:
    path = existing(source)
    if is_parquet(path):
        frame = read_frame(path)
        return frame.map(lambda v: "" if v is None or (isinstance(v, float) and math.isnan(v)) else str(v)), str(path)
    if head(path, 8) == b"\x89HDF\r\n\x1a\n":
        with opened(path) as file:
            stored = read_stored_table(file, str(path))
        if stored is None:
            raise InputError("this HDF5 file holds no table of pandas", where=str(path), fix="Save the table as CSV.")
        return stored, str(path)
    return read_table(path), str(path)


def read_names(path: str | Path) -> dict[int, str]:
    """Read the names of labels from a CSV (or Parquet) with the columns label and name.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict of int to str
        Only labels that have a name.
    """
    table, where = _load(path)
    label = find_column(table, "label", "label-value", "id", "roi", "index")
    name = find_column(table, "name", "neuron", "neuron_name")
    if label is None or name is None:
        raise InputError(
            f"the columns are {', '.join(map(str, table.columns))[:100]}", where=where, fix="Needed: label, name."
        )
    labels = to_numbers(table[label].tolist(), label, where, missing=False)
    if (labels != np.round(labels)).any() or (labels < 0).any():
        raise InputError(
            "a label is not a positive whole number", where=where, fix="Labels are those of the image: 1, 2, ..."
        )
    names: dict[int, str] = {}
    for number, text in zip(labels.astype(np.int64).tolist(), table[name].tolist(), strict=True):
        if number in names:
            raise InputError(f"label {number} is there twice", where=where, fix="Give every label one row.")
        names[number] = plain_cell(text.strip())
    given = [n for n in names.values() if n]
    twice = next((n for n in given if given.count(n) > 1), None)
    if twice is not None:
        raise InputError(
            f"the name '{twice}' is given twice", where=where, fix="Keep the surer one and leave the other empty."
        )
    return {k: v for k, v in names.items() if v}


def read_stimuli(path: str | Path) -> pd.DataFrame:
    """Read stimuli from a CSV (or Parquet) with the columns name, onset, offset (s; or duration instead of offset).

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    pandas.DataFrame
        name, onset, offset in seconds, sorted by onset.
    """
    table, where = _load(path)
    if not len(table):
        from ...model.recording import empty_stimuli

        return empty_stimuli()
    name = find_column(table, "name", "stimulus", "stim", "odor", "odour")
    onset, scale = _time_column(table, "onset", "t_on", "start", "start_time", "on")
    offset, scale_off = _time_column(table, "offset", "t_off", "stop", "stop_time", "end", "off")
    length, scale_length = _time_column(table, "duration", "length")
    if name is None or onset is None:
        raise InputError(
            f"the columns are {', '.join(map(str, table.columns))[:100]}",
            where=where,
            fix="Needed: name, onset, offset (s).",
        )
    start = to_numbers(table[onset].tolist(), onset, where, missing=False) * scale
    if offset is not None:
        stop = to_numbers(table[offset].tolist(), offset, where) * scale_off
    elif length is not None:
        stop = start + to_numbers(table[length].tolist(), length, where) * scale_length
    else:
        stop = start
    return check_stimuli(
        stimulus_table([plain_cell(n.strip()) for n in table[name].tolist()], start, stop), where=where
    )


def _time_column(table: pd.DataFrame, *stems: str) -> tuple[str | None, float]:
    for ending, factor in (
        ("", 1.0),
        ("_s", 1.0),
        (" (s)", 1.0),
        ("_ms", 1e-3),
        (" (ms)", 1e-3),
        ("_min", 60.0),
        (" (min)", 60.0),
    ):
        column = find_column(table, *[stem + ending for stem in stems])
        if column is not None:
            return column, factor
    return None, 1.0


def read_behaviour(path: str | Path, time_s: np.ndarray | None = None) -> xr.Dataset:
    """Read behaviour from a CSV (or Parquet, or a table that pandas stored in HDF5): a time column and one column a channel.

    Tracked points in the layout of DeepLabCut are read too, a channel a coordinate, where there is a row for every sample.

    Parameters
    ----------
    path : str or Path
    time_s : array of shape (time,), optional
        Clock of the traces. Continuous channels are interpolated to it, binary ones take the nearest sample; outside the
        table, and where neighbours are missing, the result is NaN. Without it the table's own clock is kept.

    Returns
    -------
    xarray.Dataset
        One variable (time,) a channel, with `kind`.
    """
    table, where = _load(path)
    column, own = _behaviour_clock(table, time_s, where)
    if len(own) < 1 or (np.diff(own) <= 0).any():
        raise InputError("time does not increase", where=where, fix="Sort the rows; every time once.")
    clock = own if time_s is None else np.asarray(time_s, float)
    channels: dict[str, xr.DataArray] = {}  # put together at once: one by one, a data set is copied every time
    for name in table.columns:
        if name == column:
            continue
        values = to_numbers(table[name].tolist(), str(name), where)
        finite = values[np.isfinite(values)]
        binary = len(finite) > 0 and bool(np.isin(finite, (0.0, 1.0)).all())
        course = values if time_s is None else onto_clock(clock, own, values, binary)
        label = str(name).strip().removeprefix("beh_")
        channels[label] = xr.DataArray(course, dims="time", attrs={"kind": "binary" if binary else "continuous"})
    return xr.Dataset(channels, coords={"time": clock})


def _behaviour_clock(table: pd.DataFrame, time_s: np.ndarray | None, where: str) -> tuple[str, np.ndarray]:
    """Return the column of times, or of frames where there is one row for every sample of the traces, and the times."""
    levels = table.attrs.get(LEVELS)
    found = None if levels is not None and levels.is_pose else find_time(table, where)
    if found is not None:
        column, factor = found
        return column, to_numbers(table[column].tolist(), column, where, missing=False) * factor
    frame = find_column(table, "frame", "frames", "index", "unnamed: 0", "")
    if frame is not None and found is None and levels is not None and levels.is_pose:
        first = str(table[frame].iloc[0]) if len(table) else "0"
        if not first.replace(".", "", 1).isdigit():
            raise labelled_frames(where)
    if frame is None or time_s is None or len(time_s) != len(table):
        about = (
            ""
            if frame is None
            else f"; {len(table)} frames" + ("" if time_s is None else f" for {len(time_s)} samples of the traces")
        )
        raise InputError(
            f"there is no time column{about}",
            where=where,
            fix="Add one called time_s (or time_ms, time_min); frames do where there is one for every sample.",
        )
    return frame, np.asarray(time_s, float)


def onto_clock(clock: np.ndarray, own: np.ndarray, values: np.ndarray, binary: bool) -> np.ndarray:
    """Return a channel on another clock: interpolated, or the nearest sample if binary; NaN outside its own times.

    Parameters
    ----------
    clock : array of shape (time,)
        Times that are asked for.
    own, values : array of shape (n,)
        Times (increasing) and values of the channel.
    binary : bool
    """
    if len(own) == 1:
        return np.where(clock == own[0], values[0], np.nan)
    after = np.clip(np.searchsorted(own, clock), 1, len(own) - 1)
    left, right = values[after - 1], values[after]
    share = (clock - own[after - 1]) / (own[after] - own[after - 1])
    if binary:
        course = np.where(share < 0.5, left, right)
    else:
        # a sample that is hit exactly does not depend on its neighbour
        course = np.where(share == 0, left, np.where(share == 1, right, left + share * (right - left)))
    return np.where((clock < own[0]) | (clock > own[-1]), np.nan, course)


def read_neuron_list(path: str | Path) -> list[str]:
    """Read a list of neurons: a CSV with a column name (or neuron), or one name a line.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    list of str
        Canonical names; others as written.
    """
    path = existing(path)
    text = read_text(path)
    table = parse_table(text, str(path))
    column = find_column(table, "name", "neuron", "neuron_name")
    if column is not None:
        items = table[column].tolist()
    else:
        items = [cell for line in text.splitlines() for cell in re.split(r"[,;\t]", line)]
    names = [plain_cell(i.strip().strip('"')) for i in items]
    names = [normalize(n) or n for n in names if n]
    if not names:
        raise InputError("there is no neuron in this list", where=str(path), fix="Give one name a line.")
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise InputError(f"'{twice}' is there twice", where=str(path), fix="Name every neuron once.")
    return names


def read_positions(path: str | Path) -> pd.DataFrame:
    """Read the places of cell bodies.

    Parameters
    ----------
    path : str or Path
        CSV with name and x_um, y_um, z_um.

    Returns
    -------
    pandas.DataFrame
        name (canonical where it is one), x_um, y_um, z_um.
    """
    table, where = _load(path)
    name = find_column(table, "name", "neuron", "neuron_name")
    axes = {axis: find_column(table, axis) for axis in ("x_um", "y_um", "z_um")}
    absent = [a for a, c in axes.items() if c is None]
    if name is None or absent:
        raise InputError(
            f"the columns are {', '.join(map(str, table.columns))[:100]}",
            where=where,
            fix="Needed: name, x_um, y_um, z_um (micrometres).",
        )
    found = pd.DataFrame({"name": [normalize(n.strip()) or n.strip() for n in table[name]]})
    for axis, column in axes.items():
        found[axis] = to_numbers(table[str(column)].tolist(), str(column), where)
    return found


ACCESS_WORDS = {
    "yes": 1.0,
    "true": 1.0,
    "specific": 1.0,
    "no": 0.0,
    "false": 0.0,
    "none": 0.0,
    "partial": 0.5,
    "broad": 0.5,
}


def read_access(path: str | Path) -> pd.DataFrame:
    """Read which neurons an experiment can reach, such as by published driver lines.

    Parameters
    ----------
    path : str or Path
        CSV with neuron, access (0 to 1, or yes, partial, no) and, where wanted, how (a line, a promoter, a reference).

    Returns
    -------
    pandas.DataFrame
        neuron (canonical where it is one), access, how; the best row of a neuron that is there several times.
    """
    table, where = _load(path)
    name = find_column(table, "neuron", "name", "cell")
    level = find_column(table, "access", "accessible", "accessibility")
    how = find_column(table, "how", "line", "driver", "promoter", "source", "note")
    if name is None or level is None:
        raise InputError(
            f"the columns are {', '.join(map(str, table.columns))[:100]}",
            where=where,
            fix="Needed: neuron, access (0 to 1, or yes, partial, no) and, where wanted, how.",
        )
    texts = [str(v).strip().lower() for v in table[level]]
    values = to_numbers([str(ACCESS_WORDS.get(t, t)) for t in texts], level, where)
    wrong = np.flatnonzero(np.isfinite(values) & ((values < 0) | (values > 1)))
    if len(wrong):
        raise InputError(
            f"access {values[wrong[0]]:g} of {table[name].iloc[int(wrong[0])]} is not between 0 and 1",
            where=where,
            fix="Give 0 (cannot be reached) to 1 (a specific line).",
        )
    found = pd.DataFrame(
        {
            "neuron": [normalize(str(n).strip()) or str(n).strip() for n in table[name]],
            "access": values,
            "how": [plain_cell(str(h).strip()) for h in table[how]] if how else "",
        }
    )
    best = found.sort_values("access", ascending=False, kind="stable", na_position="last")
    return best.drop_duplicates("neuron").sort_index().reset_index(drop=True)
