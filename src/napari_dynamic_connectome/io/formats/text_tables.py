"""Tables as text: safe reading and writing of CSV and what is like it.

Columns are found by name (case and spaces do not matter); times may be in s, ms or min if the column says so.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...model.errors import FormatError, InputError
from ...model.text import clean_text
from .. import limits
from ..choice import ChoiceNeeded
from ..files import atomic_file, existing, head, reading
from ..units import time_factor

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_TIME_WORDS = ("time", "times", "t", "timestamp", "timestamps", "elapsed", "clock")
_TIME_ASIDES = ("frame", "acquisition", "recording", "trace", "volume", "vector", "axis", "imaging")


def time_unit(header: str) -> float | None:
    """Return how many seconds one unit of a time column is; None for a header that is not one of time.

    A header of time is a word for it, a unit of time, or both, however they are put together: "time", "t_s", "Time (sec)",
    "timestamps", "time [ms]", "Elapsed time / min", "seconds", "time_in_seconds". A word without a unit means seconds.

    Parameters
    ----------
    header : str

    Examples
    --------
    >>> time_unit("Time (sec)"), time_unit("t_ms"), time_unit("AVAL"), time_unit("Elapsed time/min")
    (1.0, 0.001, None, 60.0)
    """
    words = re.findall(r"[^\W\d_]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", header.strip()).lower())
    if not words or any(c.isdigit() for c in header):
        return None
    words = [w for w in words if w not in ("in", "since", "start", "from", "of", "the", "stamp", "stamps")]
    units = [w for w in words if time_factor(w) is not None]
    names = [w for w in words if time_factor(w) is None]
    if len(units) > 1 or any(n not in _TIME_WORDS and n not in _TIME_ASIDES for n in names):
        return None
    if names:
        return (time_factor(units[0]) if units else 1.0) if any(n in _TIME_WORDS for n in names) else None
    return time_factor(units[0]) if units and (len(units[0]) > 1 or header.strip() == "s") else None


def says_unit(header: str) -> bool:
    """Whether a header of time says its unit ("time_s", "t [min]"), rather than leaving it to be taken for seconds ("time", "t").

    Parameters
    ----------
    header : str

    Examples
    --------
    >>> says_unit("time_s"), says_unit("timeVectorSeconds"), says_unit("Time"), says_unit("t")
    (True, True, False, False)
    """
    words = re.findall(r"[^\W\d_]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", header.strip()).lower())
    return time_unit(header) is not None and any(time_factor(w) is not None for w in words)


def safe_cell(value: Any) -> Any:
    """Return text that no spreadsheet runs as a formula (a leading apostrophe is put before = + - @)."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS) and not _is_number(value):
        return "'" + value
    return value


def plain_cell(text: str) -> str:
    """Undo `safe_cell`."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA_STARTS) else text


def _cell(value: Any) -> Any:
    return str(bool(value)).upper() if isinstance(value, bool | np.bool_) else safe_cell(value)


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
        True and False become `TRUE` and `FALSE`: read.csv of R takes other ways of writing them for text.
    path : str or Path
        Ending in `.gz`, it is compressed.
    index : bool
    """
    table = table.reset_index() if index else table
    table = table.copy(deep=False)
    for column in table.columns:
        if table[column].dtype.kind not in "fiu":
            table[column] = [_cell(v) for v in table[column].tolist()]
    table.columns = pd.Index([safe_cell(str(c)) for c in table.columns])
    with atomic_file(path) as temporary:
        text = clean_text(table.to_csv(index=False, lineterminator="\n"))
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
    if by_spaces(lines):
        lines, separator = [",".join(line.split()) for line in lines], ","
        first = lines[0]
    if re.match(rf'"?scorer"?{separator}{separator}', first):
        raise labelled_frames(where)
    levels = header_levels(lines, separator)
    if levels is not None:
        first = _one_header(levels, separator, where)
        lines = [first, *lines[levels.n_rows :]]
    elif is_data_row(first, lines[1] if len(lines) > 1 else "", separator):
        # the first line is a sample, not a header
        count = len(next(csv.reader([first], delimiter=separator)))
        first = separator.join(f"{NO_HEADER}{i + 1}" for i in range(count))
        lines.insert(0, first)
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
    if levels is not None:
        frame.attrs[LEVELS] = levels
    short = [i for i, line in enumerate(lines) if line.count(separator) < len(header) - 1]
    if short:
        frame.attrs[SHORT] = short
    if separator == ";" and not frame.empty:
        # where ; separates, the decimal sign may be a comma
        frame = frame.map(lambda v: re.sub(r"^\s*([-+]?\d+),(\d+)\s*$", r"\1.\2", v))
    return frame


def labelled_frames(where: str) -> InputError:
    """Return the refusal of what DeepLabCut was trained on.

    Parameters
    ----------
    where : str
    """
    return InputError(
        "these are labelled pictures that DeepLabCut was trained on, not points that it tracked",
        where=where,
        fix="Choose the file that it wrote beside the video (...DLC_....h5 or .csv).",
    )


SHORT = "short"
"""Attribute of a table with lines of fewer cells than its header: their numbers, the header's is 0."""


def by_spaces(lines: Sequence[str]) -> bool:
    """Whether the columns of a table are set apart by spaces: words above as many numbers, and no other separator.

    Parameters
    ----------
    lines : sequence of str
        At least the first two lines that are not blank.

    Examples
    --------
    >>> by_spaces(["ID t x y", "1.0 0.0 3.5 4.5"]), by_spaces(["t,a b", "1,2"]), by_spaces(["AVA L", "AVA R"])
    (True, False, False)
    """
    if len(lines) < 2 or any(c in line for line in lines[:2] for c in ',;\t"'):
        return False
    head, row = lines[0].split(), lines[1].split()
    return len(head) == len(row) > 2 and all(map(_is_number, row)) and not any(map(_is_number, head))


_POSE = {"x", "y", "z", "likelihood", "length", "orientation"}
"""What is known of a tracked point, and of a line between two."""
LEVELS = "levels"
"""Attribute of a table with a header of several rows: its `Levels`."""


@dataclass(frozen=True)
class Levels:
    """Header of several rows, as pandas writes columns of several levels, and DeepLabCut its points.

    Parameters
    ----------
    n_rows : int
        Lines of the file that it takes.
    names : tuple of str
        What every row is called, such as "bodyparts".
    index : str
        What the first column is called; "" if nothing.
    rows : tuple of tuple of str
        A text for every column after the first, a row of the header each.
    """

    n_rows: int
    names: tuple[str, ...]
    index: str
    rows: tuple[tuple[str, ...], ...]

    @property
    def varying(self) -> tuple[int, ...]:
        """Rows in which columns differ."""
        return tuple(i for i, row in enumerate(self.rows) if len(set(row)) > 1)

    @property
    def is_pose(self) -> bool:
        """Whether these are points of DeepLabCut or of a program that writes the same, or lines between its points."""
        called = {n.strip().lower() for n in self.names}
        measured = any("likelihood" in row and len(set(row)) > 1 and set(row) <= _POSE for row in self.rows)
        return measured or "scorer" in called or {"bodyparts", "coords"} <= called

    def columns(self) -> list[str]:
        """Names of the columns after the first: what varies, with spaces between."""
        kept = self.varying or (len(self.rows) - 1,)
        return [" ".join(t for i in kept if (t := self.rows[i][at])) for at in range(len(self.rows[0]))]


def header_levels(lines: Sequence[str], separator: str) -> Levels | None:
    """Return a header of two to four rows; None where the first line alone is the header.

    Several rows are a header if words repeat in the first (or leave cells blank, as merged cells do; or the last row names the
    index alone, as pandas writes it), no cell beside the first column is a number in any of them, and numbers begin below.

    Parameters
    ----------
    lines : sequence of str
    separator : str
    """
    read = [[plain_cell(c.strip()) for c in r] for r in csv.reader(lines[:7], delimiter=separator)]
    top = read[0][1:] if read else []
    blank = [not c for c in top]
    if len(top) < 2 or all(blank):
        return None
    count = next((i for i, cells in enumerate(read) if _has_number(cells[1:])), len(read))
    if not 2 <= count <= 5 or count == len(read) or any(len(r) != len(read[0]) for r in read[:count]):
        return None
    head, index = read[:count], ""
    if len(head) > 2 and not any(head[-1][1:]):
        index = head.pop()[0]  # pandas gives the name of the index a row of its own
    elif not any(head[-1][1:]) or not (len(set(top)) < len(top) or any(blank[1:])):
        return None
    rows = tuple(tuple(_filled(r[1:])) for r in head)
    if not index and _is_word_of_time(head[-1][0]):
        index = head[-1][0]
    return Levels(count, tuple(r[0] for r in head), index, rows)


def _has_number(cells: Sequence[str]) -> bool:
    return any(_is_number(c.replace(",", ".")) and c.strip().lower() not in ("nan", "inf") for c in cells)


def _is_word_of_time(text: str) -> bool:
    return time_unit(text) is not None or text.strip().lower() in ("frame", "frames")


def _filled(cells: Sequence[str]) -> list[str]:
    """Fill the blanks that merged cells leave with what stands before them."""
    found: list[str] = []
    for cell in cells:
        found.append(cell or (found[-1] if found else ""))
    return found


def _one_header(levels: Levels, separator: str, where: str) -> str:
    names = levels.columns()
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise InputError(f"the column '{twice}' is there twice", where=where, fix="Rename or remove one of them.")
    stream = io.StringIO()
    csv.writer(stream, delimiter=separator, lineterminator="").writerow([levels.index, *names])
    return stream.getvalue()


NO_HEADER = "column "
"""What the columns of a table without a header are called, before their number."""


def is_data_row(first: str, second: str, separator: str) -> bool:
    """Whether the first line of a table holds values, not names: numbers that do not count columns.

    Parameters
    ----------
    first, second : str
        The first two lines.
    separator : str

    Examples
    --------
    >>> is_data_row("0.1,0.2", "0.2,0.4", ","), is_data_row("1,2,3", "0.2,0.4,.1", ","), is_data_row("t,AVAL", "0,1", ",")
    (True, False, False)
    """
    cells = [c.strip().strip('"') for c in first.split(separator)]
    if separator == ";":
        cells = [c.replace(",", ".") for c in cells]
    numbers = [float(c) for c in cells if _is_number(c)]
    if len(numbers) < len(cells) or not second:
        return False
    start = numbers[0]
    counting = start in (0, 1) and numbers == [start + i for i in range(len(numbers))]
    return not (counting and len(numbers) > 1)


_NOTHING = ("", "nan", "na", "n/a", "null", "none")


def to_numbers(values: Sequence[str], column: str, where: str, *, missing: bool = True) -> np.ndarray:
    """Turn a column of texts into float64; empty cells are NaN.

    Raises
    ------
    InputError
        That names column, row and text of the first cell that is no number (or is empty, if `missing` is False).
    """
    series = pd.Series(values, dtype=object).map(lambda v: v.strip() if isinstance(v, str) else v)
    blank = series.isna() | series.map(lambda v: isinstance(v, str) and v.lower() in _NOTHING)
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


def find_time(table: pd.DataFrame, where: str = "") -> tuple[str, float] | None:
    """Return the time column and what one unit of it is in seconds.

    Parameters
    ----------
    table : pandas.DataFrame
    where : str
        The file, for messages.

    Raises
    ------
    ChoiceNeeded
        If several columns are called like one of time, and none of them exactly "time" or "time_s".
    """
    found = {str(c): unit for c in table.columns if (unit := time_unit(str(c))) is not None}
    if len(found) > 1:
        exact = [c for c in found if c.strip().lower() in ("time_s", "time")]
        if len(exact) != 1:
            raise ChoiceNeeded(
                f"{len(found)} columns are called like a time ({', '.join(found)})",
                where=where,
                fix=f"Pass time_column= one of: {', '.join(found)}; or call the right one time_s.",
                option="time_column",
                choices=tuple(found),
            )
        return exact[0], found[exact[0]]
    return next(iter(found.items()), None)
