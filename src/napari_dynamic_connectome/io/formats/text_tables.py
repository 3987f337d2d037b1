"""Tables as text: safe reading and writing of CSV and what is like it.

Columns are found by name (case and spaces do not matter); times may be in s, ms or min if the column says so.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...model.errors import FormatError, InputError
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
