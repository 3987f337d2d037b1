"""Tables as text: safe reading and writing of CSV and what is like it.

Columns are found by name (case and spaces do not matter); times may be in s, ms or min if the column says so.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
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
from .table_shape import NO_HEADER, Shape, cells_of, is_data_row, is_number, numeral, shape_of, table_lines, with_points

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_TIME_WORDS = ("time", "times", "t", "timestamp", "timestamps", "elapsed", "clock", "zeit", "temps", "tiempo", "tempo")
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
    if isinstance(value, str) and value.startswith(FORMULA_STARTS) and not is_number(value):
        return "'" + value
    return value


def plain_cell(text: str) -> str:
    """Undo `safe_cell`."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA_STARTS) else text


def _cell(value: Any) -> Any:
    return str(bool(value)).upper() if isinstance(value, bool | np.bool_) else safe_cell(value)


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
    """Read a CSV (comma, semicolon, tab, bar or spaces) as a table of texts, column names as written.

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
    if not table_lines(text):
        raise FormatError("the table is empty", where=where, fix="Give a header and rows.")
    shape = shape_of(table_lines(text))
    lines, separator, said = list(shape.lines), shape.separator, list(shape.said)
    first = lines[0]
    if re.match(rf'"?scorer"?{re.escape(separator)}{re.escape(separator)}', first):
        raise labelled_frames(where)
    levels = header_levels(lines, separator)
    if levels is not None:
        first = _one_header(levels, separator, where)
        lines = [first, *lines[levels.n_rows :]]
    elif is_data_row(first, lines[1] if len(lines) > 1 else "", separator):
        # the first line is a sample, not a header
        first = separator.join(f"{NO_HEADER}{i + 1}" if c else "" for i, c in enumerate(cells_of(first, separator)))
        lines.insert(0, first)
    header = header_of(shape, first)
    check_columns(len(header), where)
    wrong = next((i for i, h in enumerate(header) if h in _SPREADSHEET_ERRORS), None)
    if wrong is not None:
        raise InputError(
            f"the header of column {wrong + 1} is '{header[wrong]}', an error of a spreadsheet",
            where=where,
            fix="Correct the cell and save the table again.",
        )
    frame = _body(lines[1:], separator, len(header), where)
    if header[0] == f"{NO_HEADER}1":
        _check_commas(frame, separator, where)
    header, frame = _fitted(header, frame, where)
    twice = sorted(h for h, times in Counter(header).items() if h and times > 1)
    if twice:
        raise InputError(f"the column '{twice[0]}' is there twice", where=where, fix="Rename or remove one of them.")
    frame.columns = pd.Index(header)
    if levels is not None:
        frame.attrs[LEVELS] = levels
    short = [i for i, line in enumerate(lines) if i and line.count(separator) < len(header) - 1]
    if short:
        frame.attrs[SHORT] = short
    if not frame.empty and (separator != "," or any('"' in line for line in lines[1:])):
        kept = dict(frame.attrs)
        frame, signs = with_points(frame, separator, where)
        frame.attrs.update(kept)
        said += signs
    if said:
        frame.attrs[READ_AS] = tuple(said)
    return frame


def header_of(shape: Shape, first: str) -> list[str]:
    """Return the names of the columns in the line of a header, its numbers with decimal points.

    Parameters
    ----------
    shape : Shape
    first : str
        The line.
    """
    header = [plain_cell(c if shape.separator == "," else numeral(c)) for c in cells_of(first, shape.separator)]
    if shape.corner and time_unit(header[0]) is None and _is_word_of_time(shape.corner):
        header[0] = shape.corner
    elif time_factor(shape.corner) is not None and time_unit(header[0]) is not None and not says_unit(header[0]):
        header[0] = f"{header[0]} ({shape.corner})"
    return header


def _body(lines: Sequence[str], separator: str, n_columns: int, where: str) -> pd.DataFrame:
    """Return the rows below a header as texts; their columns are numbered."""
    if not lines:
        return pd.DataFrame(columns=range(n_columns), dtype=str)
    with reading(where, "CSV file"):
        csv.field_size_limit(1 << 24)
        try:
            return pd.read_csv(
                io.StringIO("\n".join(lines)), sep=separator, header=None, dtype=str, keep_default_na=False, na_filter=False,
                quotechar='"', skip_blank_lines=True, skipinitialspace=separator != "\t",
            )  # fmt: skip
        except pd.errors.ParserError as error:
            longer = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
            if longer is None:
                raise
            raise FormatError(
                f"the first row has {longer[1]} cells, row {int(longer[2]) + 1} has {longer[3]}",
                where=where,
                fix="Check the separator, and that the file holds one table.",
            ) from error


def _check_commas(frame: pd.DataFrame, separator: str, where: str) -> None:
    """Refuse a table without a header whose commas seem to be decimal signs, too: whole numbers, every second one begins with 0."""
    if (
        separator != ","
        or frame.shape[1] % 2
        or not frame.map(lambda v: v.strip().lstrip("+-").isdigit()).all(axis=None)
    ):
        return
    if frame.iloc[:, 1::2].map(lambda v: re.match(r"\s*0\d", v) is not None).any(axis=None):
        raise FormatError(
            "commas seem to be decimal signs and to separate columns, too",
            where=where,
            fix="Save it with semicolons or tabs between the columns, or with decimal points.",
        )


def _is_blank(frame: pd.DataFrame, column: int) -> bool:
    return bool(len(frame)) and not any(v.strip() for v in frame.iloc[:, column])


def _fitted(header: list[str], frame: pd.DataFrame, where: str) -> tuple[list[str], pd.DataFrame]:
    """Bring header and rows together: without empty columns, and with one for row names that the header leaves out (as R writes)."""
    while frame.shape[1] > len(header) and _is_blank(frame, frame.shape[1] - 1):
        frame = frame.iloc[:, :-1]
    if frame.shape[1] == len(header):
        kept = [k for k, h in enumerate(header) if h or not _is_blank(frame, k)]
        return ([header[k] for k in kept], frame.iloc[:, kept]) if len(kept) < len(header) else (header, frame)
    if frame.shape[1] == len(header) + 1 and len(frame) > 1:
        rows = pd.to_numeric(frame[0], errors="coerce").to_numpy(float)
        named = [h for h in header if h and not is_number(h)]
        if bool((np.diff(rows) > 0).all()) and len(named) == len(header) and not any(map(_is_word_of_time, header)):
            return ["", *header], frame
    if frame.shape[1] == 2 * len(header) and not frame.map(lambda v: not re.fullmatch(r"\s*[-+]?\d+\s*", v)).any(
        axis=None
    ):
        raise FormatError(
            f"the header names {len(header)} columns, the rows have twice as many: commas seem to be decimal signs and to "
            "separate columns, too",
            where=where,
            fix="Save it with semicolons or tabs between the columns, or with decimal points.",
        )
    raise FormatError(
        f"the header names {len(header)} columns, the rows have {frame.shape[1]}",
        where=where,
        fix="Check the separator and the first line.",
    )


def check_columns(count: int, where: str) -> None:
    """Raise where a table has more columns than any: before its rows are read.

    Parameters
    ----------
    count : int
    where : str
    """
    if count > limits.MAX_COLUMNS:
        raise InputError(
            f"the table has {count} columns (limit {limits.MAX_COLUMNS})",
            where=where,
            fix="A wide table has a column a neuron and a row a time.",
        )


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
READ_AS = "read as"
"""Attribute of a table of which something was left out or read in another way than it stands: sentences."""


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
    return any(is_number(c.replace(",", ".")) and c.strip().lower() not in ("nan", "inf") for c in cells)


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
    twice = next((n for n, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        raise InputError(f"the column '{twice}' is there twice", where=where, fix="Rename or remove one of them.")
    stream = io.StringIO()
    csv.writer(stream, delimiter=separator, lineterminator="").writerow([levels.index, *names])
    return stream.getvalue()


_SPREADSHEET_ERRORS = ("#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#N/A", "#NULL!", "#NUM!")
_NOTHING = ("", "nan", "na", "n/a", "null", "none", "#n/a", "#nv")


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


def clock_texts(texts: Sequence[str]) -> np.ndarray | None:
    """Return times of day in seconds, or dates in seconds since the first; None where a text is neither, or they are of both kinds.

    Parameters
    ----------
    texts : sequence of str
        "0:01:30.5" and "100:00:00", or "2024-03-01T10:00:00".

    Examples
    --------
    >>> clock_texts(["0:00:59.5", "0:01:30"]), clock_texts(["2024-03-01 23:59:59", "2024-03-02 00:00:01"]), clock_texts(["1:30"])
    (array([59.5, 90. ]), array([0., 2.]), None)
    """
    parts = [re.fullmatch(r"\s*(\d+):(\d\d?):(\d\d?(?:[.,]\d+)?)\s*", t) for t in texts]
    if all(p is not None for p in parts):
        return np.array([3600.0 * int(p[1]) + 60.0 * int(p[2]) + float(p[3].replace(",", ".")) for p in parts if p])
    try:
        dates = [datetime.fromisoformat(t.strip()) for t in texts]
        return np.array([(d - dates[0]).total_seconds() for d in dates])
    except (ValueError, TypeError):
        return None


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
