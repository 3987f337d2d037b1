"""Tables as text: safe CSV reading and writing, and the small tables beside a recording (names, stimuli, behaviour).

Columns are found by name (case and spaces do not matter); times may be in s, ms or min if the column says so.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ...model.errors import FormatError, InputError
from ...model.recording import check_stimuli
from .. import limits
from ..files import atomic_file, existing, head, reading

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
TIME_COLUMNS = {
    "time": 1.0, "time_s": 1.0, "t": 1.0, "t_s": 1.0, "time (s)": 1.0, "time_in_seconds": 1.0, "seconds": 1.0, "time [s]": 1.0,
    "time_ms": 1e-3, "time (ms)": 1e-3, "ms": 1e-3, "time_min": 60.0, "time (min)": 60.0, "minutes": 60.0,
}  # fmt: skip
"""Names of a time column and the seconds that one unit of it is."""


def safe_cell(value: Any) -> Any:
    """Return text that no spreadsheet runs as a formula (a leading apostrophe is put before = + - @)."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS) and not _is_number(value):
        return "'" + value
    return value


def plain_cell(text: str) -> str:
    """Undo `safe_cell`."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA_STARTS) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def write_csv(table: pd.DataFrame, path: str | Path, *, index: bool = False) -> Path:
    """Write a table as UTF-8 CSV, formulas neutralised, in place only when complete.

    Parameters
    ----------
    table : pandas.DataFrame
    path : str or Path
        Ending in `.gz`, it is compressed.
    index : bool
    """
    table = table.reset_index() if index else table
    table = table.copy(deep=False)
    for column in table.columns:
        if table[column].dtype.kind not in "fiub":
            table[column] = [safe_cell(v) for v in table[column].tolist()]
    table.columns = pd.Index([safe_cell(str(c)) for c in table.columns])
    with atomic_file(path) as temporary:
        text = table.to_csv(index=False, lineterminator="\n")
        if str(path).endswith(".gz"):
            temporary.write_bytes(gzip.compress(text.encode("utf-8"), mtime=0))
        else:
            temporary.write_text(text, encoding="utf-8", newline="")
    return Path(path)


def read_text(path: Path) -> str:
    """Return the text of a file (UTF-8, UTF-16 with mark, gzip), refusing bombs and binary content."""
    where = str(path)
    start = head(path, 4)
    if start[:2] == b"\x1f\x8b":
        packed, parts, total = path.stat().st_size, [], 0
        with reading(where, "gzip file"), gzip.open(path, "rb") as stream:
            while block := stream.read(1 << 20):
                total += len(block)
                limits.check_size(total, limits.MAX_TABLE_BYTES, where, "the table")
                limits.check_expansion(packed, total, where)
                parts.append(block)
        content = b"".join(parts)
    else:
        limits.check_size(path.stat().st_size, limits.MAX_TABLE_BYTES, where, "the table")
        content = path.read_bytes()
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise FormatError(
            f"this is not UTF-8 text (byte {error.start + 1})", where=where, fix="Save it as CSV UTF-8."
        ) from error
    if "\0" in text:
        raise FormatError("this is not a text table (it holds zero bytes)", where=where, fix="Choose a CSV file.")
    return text


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV (comma, semicolon or tab) as a table of texts, column names as written.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    pandas.DataFrame of str
        Empty cells are "". Numbers are made by `to_numbers`, which can say where one is wrong.
    """
    path = existing(path)
    return parse_table(read_text(path), str(path))


def parse_table(text: str, where: str) -> pd.DataFrame:
    """Parse the text of a CSV; see `read_table`."""
    lines = re.split(r"\r\n|\n|\r", text.lstrip("\ufeff"))
    lines = [line for line in lines if line.strip()]
    if not lines:
        raise FormatError("the table is empty", where=where, fix="Give a header and rows.")
    first = lines[0]
    separator = max((",", ";", "\t"), key=first.count)
    with reading(where, "CSV file"):
        csv.field_size_limit(1 << 24)
        header = [plain_cell(c.strip()) for c in next(csv.reader([first], delimiter=separator))]
        body = "\n".join(lines[1:])
        if body:
            frame = pd.read_csv(
                io.StringIO(body), sep=separator, header=None, dtype=str, keep_default_na=False, na_filter=False,
                quotechar='"', skip_blank_lines=True,
            )  # fmt: skip
        else:
            frame = pd.DataFrame(columns=range(len(header)), dtype=str)
    if frame.shape[1] != len(header):
        raise FormatError(
            f"the header names {len(header)} columns, the rows have {frame.shape[1]}",
            where=where,
            fix="Check the separator and the first line.",
        )
    twice = sorted({h for h in header if h and header.count(h) > 1})
    if twice:
        raise InputError(f"the column '{twice[0]}' is there twice", where=where, fix="Rename or remove one of them.")
    frame.columns = pd.Index(header)
    if separator == ";" and not frame.empty:
        # where ; separates, the decimal sign may be a comma
        frame = frame.map(lambda v: re.sub(r"^\s*([-+]?\d+),(\d+)\s*$", r"\1.\2", v))
    return frame


def to_numbers(values: Sequence[str], column: str, where: str, *, missing: bool = True) -> np.ndarray:
    """Turn a column of texts into float64; empty cells are NaN.

    Raises
    ------
    InputError
        That names column, row and text of the first cell that is no number (or is empty, if `missing` is False).
    """
    series = pd.Series(values, dtype=object).map(lambda v: v.strip() if isinstance(v, str) else v)
    blank = series.map(
        lambda v: v is None or (isinstance(v, str) and v.lower() in ("", "nan", "na", "n/a", "null", "none"))
    )
    result: np.ndarray = pd.to_numeric(series.where(~blank, np.nan), errors="coerce").to_numpy(float)
    bad = np.flatnonzero(np.isnan(result) & ~blank.to_numpy(bool))
    if len(bad):
        raise InputError(
            f"'{str(series.iloc[bad[0]])[:40]}' is not a number (column '{column}', row {bad[0] + 2})",
            where=where,
            fix="Correct the cell, or leave it empty.",
        )
    if not missing and blank.any():
        raise InputError(
            f"column '{column}' is empty in row {int(np.flatnonzero(blank)[0]) + 2}",
            where=where,
            fix="Fill it in, or remove the row.",
        )
    return result


def find_column(table: pd.DataFrame, *names: str) -> str | None:
    """Return the column that has one of these names, ignoring case and spaces at the ends."""
    lower = {str(c).strip().lower(): str(c) for c in table.columns}
    return next((lower[n] for n in names if n in lower), None)


def find_time(table: pd.DataFrame) -> tuple[str, float] | None:
    """Return the time column and what one unit of it is in seconds."""
    for column in table.columns:
        factor = TIME_COLUMNS.get(str(column).strip().lower())
        if factor is not None:
            return str(column), factor
    return None


def _load(source: str | Path) -> tuple[pd.DataFrame, str]:
    path = existing(source)
    from .parquet import is_parquet, read_frame

    if is_parquet(path):
        frame = read_frame(path)
        return frame.map(lambda v: "" if v is None or (isinstance(v, float) and math.isnan(v)) else str(v)), str(path)
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
    from .fields import stimulus_table

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
    """Read behaviour from a CSV (or Parquet): a time column and one column a channel.

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
    found = find_time(table)
    if found is None:
        raise InputError("there is no time column", where=where, fix="Call it time_s (or time_ms, time_min).")
    column, factor = found
    own = to_numbers(table[column].tolist(), column, where, missing=False) * factor
    if len(own) < 1 or (np.diff(own) <= 0).any():
        raise InputError("time does not increase", where=where, fix="Sort the rows; every time once.")
    clock = own if time_s is None else np.asarray(time_s, float)
    channels = xr.Dataset(coords={"time": clock})
    for name in table.columns:
        if name == column:
            continue
        values = to_numbers(table[name].tolist(), str(name), where)
        finite = values[np.isfinite(values)]
        binary = len(finite) > 0 and bool(np.isin(finite, (0.0, 1.0)).all())
        course = values if time_s is None else onto_clock(clock, own, values, binary)
        label = str(name).strip().removeprefix("beh_")
        channels[label] = xr.DataArray(course, dims="time", attrs={"kind": "binary" if binary else "continuous"})
    return channels


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
    from ...model.neurons import normalize

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
