"""The shape of a text table: which lines are the table, what separates its columns, where its header is, what its decimal sign is.

In: the lines of a file. Out: the lines of the table alone, their separator, and what was left out, in words. Spreadsheets and programs
of microscopes write titles, comments and units above their numbers, decimal commas, and separators at the end of a line.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ...model.errors import FormatError
from ...model.neurons import read_name

SEPARATORS = (",", ";", "\t", "|")
SAMPLE = 40
"""Lines that are looked at to find the separator and the header."""
MOST_TITLES = 12
"""Lines above a table that may be a title."""
NO_HEADER = "column "
"""What the columns of a table without a header are called, before their number."""

ROW_WORDS = ("neuron", "neurons", "neuron_id", "cell", "cells", "cell_id", "roi", "roi_id", "id", "label", "name")
"""Headers of a first column that says which neuron a row is of."""

_GROUP = "[ \u00a0\u202f']"
_COMMENT = re.compile(r"\s*(?:#(?!\d)|%|//)\s?")
_EXPONENT = r"(?:[eE][-+]?\d+)?"
_COMMA = re.compile(rf"[-+]?\d*,\d+{_EXPONENT}")
_POINT_GROUPS = re.compile(rf"[-+]?\d{{1,3}}(?:\.\d{{3}})+(?:,\d+)?{_EXPONENT}")
_COMMA_GROUPS = re.compile(rf"[-+]?\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?{_EXPONENT}")
_SPACE_GROUPS = re.compile(rf"[-+]?\d{{1,3}}(?:{_GROUP}\d{{3}})+(?:[.,]\d+)?{_EXPONENT}")


@dataclass(frozen=True)
class Shape:
    """Lines of a table without what stands around it.

    Parameters
    ----------
    lines : tuple of str
        The header (where there is one) and the rows.
    separator : str
    said : tuple of str
        What was left out or read in another way, for people.
    corner : str
        What a row of the header that is not read says about the first column: its name, or its unit.
    """

    lines: tuple[str, ...]
    separator: str
    said: tuple[str, ...] = ()
    corner: str = ""


def table_lines(text: str) -> list[str]:
    """Return the lines of a text that are not blank.

    Parameters
    ----------
    text : str
    """
    return [line for line in re.split(r"\r\n|\n|\r", text.lstrip("\ufeff")) if line.strip()]


def is_number(text: str, *, comma: bool = False) -> bool:
    """Whether a cell holds a number.

    Parameters
    ----------
    text : str
    comma : bool
        The decimal sign may be a comma, and there may be signs between thousands.

    Examples
    --------
    >>> is_number("1.5e3"), is_number("1,5"), is_number("1,5", comma=True), is_number("AVAL")
    (True, False, True, False)
    """
    try:
        float(text)
    except ValueError:
        text = text.strip()
        return comma and any(p.fullmatch(text) for p in (_COMMA, _COMMA_GROUPS, _POINT_GROUPS, _SPACE_GROUPS))
    return True


def cells_of(line: str, separator: str) -> list[str]:
    """Return the cells of a line, without blanks around them.

    Parameters
    ----------
    line, separator : str
    """
    return [c.strip() for c in next(csv.reader([line], delimiter=separator, skipinitialspace=separator != "\t"), [])]


def shape_of(lines: Sequence[str]) -> Shape:
    """Find the table in the lines of a file.

    Parameters
    ----------
    lines : sequence of str
        Lines that are not blank, or the first of them.
    """
    rest, said = list(lines), []
    declared = re.fullmatch(r'"?sep=(.)"?[;,\t]*', rest[0].strip("\ufeff "), re.IGNORECASE) if rest else None
    if declared:
        rest = rest[1:]
    comments = next((i for i, line in enumerate(rest) if not _COMMENT.match(line)), len(rest))
    if comments == len(rest):
        comments = 0
    named = _COMMENT.sub("", rest[comments - 1], count=1) if comments else ""
    rest = rest[comments:]
    if by_spaces(rest):
        joined = "," if not any("," in line for line in rest[:SAMPLE]) else ";"
        rest = [joined.join(line.split()) for line in rest]
        separator, named_cells = joined, named.split()
        named = joined.join(named_cells)
    else:
        separator = declared[1] if declared else separator_of(rest)
    first, last = 0, len(rest)
    while first < last - 1 and not _has_cells(rest[first], separator):
        first += 1
    while last > first + 1 and not _has_cells(rest[last - 1], separator):
        last -= 1
    rest = rest[first:last]
    width = _width(rest, separator)
    titles = _titles(rest, separator, width)
    rest = rest[titles:]
    if (
        comments
        and len(rest) > 1
        and len(cells_of(named, separator)) == width
        and is_data_row(rest[0], rest[1], separator)
    ):
        rest.insert(0, named)
        comments -= 1
    if above := comments + titles:
        said.append(f"{above} line{'s' if above > 1 else ''} above the table left out")
    return _without_second_row(Shape(tuple(rest), separator, tuple(said)))


def _has_cells(line: str, separator: str) -> bool:
    return bool(line.replace(separator, "").replace('"', "").strip())


def separator_of(lines: Sequence[str]) -> str:
    r"""Return what separates the columns: what gives equally many cells in most lines, and most numbers.

    Parameters
    ----------
    lines : sequence of str

    Examples
    --------
    >>> separator_of(["0,5;1,5", "0,6;2,5"]), separator_of(["a,b", '"1;2",3']), separator_of(["a\tb", "1,5\t2,5"])
    (';', ',', '\t')
    """
    if not lines:
        return ","
    best, found = 0.0, max(SEPARATORS[:3], key=lines[0].count)
    sample = list(lines[:SAMPLE])
    for separator in sorted(SEPARATORS, key=lambda s: (s != found, SEPARATORS.index(s))):
        if not any(separator in line for line in sample):
            continue
        rows = [cells_of(line, separator) for line in sample]
        width, times = Counter(map(len, rows)).most_common(1)[0]
        if width < 2:
            continue
        cells = [c for row in rows if len(row) == width for c in row if c]
        numbers = sum(is_number(c, comma=separator != ",") for c in cells) / max(len(cells), 1)
        score = times / len(rows) * (0.05 + numbers)
        if score > best + 1e-9:
            best, found = score, separator
    return found


def by_spaces(lines: Sequence[str]) -> bool:
    """Whether the columns of a table are set apart by spaces: words above as many numbers, or numbers alone; no other separator.

    Parameters
    ----------
    lines : sequence of str
        At least the first two lines that are not blank.

    Examples
    --------
    >>> by_spaces(["ID t x y", "1.0 0.0 3.5 4.5"]), by_spaces(["t,a b", "1,2"]), by_spaces(["AVA L", "AVA R"])
    (True, False, False)
    >>> by_spaces(["0.0 1.5", "0.5 1.7"]), by_spaces(["0,0 1,5", "0,5 1,7"])
    (True, True)
    """
    if len(lines) < 2 or any(c in line for line in lines[:2] for c in ';|\t"'):
        return False
    head, row = lines[0].split(), lines[1].split()
    if len(head) != len(row) or len(row) < 2 or not all(is_number(c, comma=True) for c in row):
        return False
    if all(is_number(c, comma=True) for c in head):
        return True
    return len(row) > 2 and "," not in lines[0] and not any(map(is_number, head))


def _width(lines: Sequence[str], separator: str) -> int:
    """Return how many cells most lines have."""
    counts = Counter(len(cells_of(line, separator)) for line in lines[:SAMPLE])
    return max(counts, key=lambda width: (counts[width], width), default=0)


def _titles(lines: Sequence[str], separator: str, width: int) -> int:
    """Return how many lines stand above the header: a text in the first cell alone, or fewer cells than the table has."""
    if width < 2:
        return 0
    for at, line in enumerate(lines[: MOST_TITLES + 1]):
        cells = cells_of(line, separator)
        short = len(cells) < width
        if cells[0] and (short or not any(cells[1:])):
            continue
        if not any(cells):
            continue
        below = cells_of(lines[at + 1], separator) if at + 1 < len(lines) else []
        words = [c for c in cells if c and not is_number(c, comma=separator != ",")]
        whole = len(cells) == width and len(words) >= max(2, width - 1)
        return at if whole and any(is_number(c, comma=separator != ",") for c in below) else 0
    return 0


def _without_second_row(shape: Shape) -> Shape:
    """Leave out what stands under the names of a header, or above them: units, classes, numbers of the columns."""
    if len(shape.lines) < 3:
        return shape
    comma = shape.separator != ","
    top, second, third = (cells_of(line, shape.separator) for line in shape.lines[:3])
    if not len(top) == len(second) == len(third) > 1 or not any(is_number(c, comma=comma) for c in third):
        return shape
    names, others = top[1:], second[1:]
    words = [not any(is_number(c, comma=comma) for c in row) for row in (names, others)]
    if is_number(second[0], comma=comma) or (len(set(filter(None, names))) < len(names) and words[0]):
        return shape  # a sample; or names that repeat, a header of several rows
    left: list[str] | None = None
    kept = shape.lines[0]
    if words[0] and not any(second):
        left = []
    elif (all(words) and len(set(others)) < max(len(others), 2)) or (
        words[0] and _are_counts(others) and not second[0]
    ):
        left = second
    elif words[1] and _are_counts(names) and len(set(others)) == len(others) and all(others):
        left, kept = top, shape.lines[1]
    elif all(words):
        known = [sum(_is_neuron(c) for c in row) for row in (names, others)]
        if known[0] == known[1]:
            return shape
        left, kept = (second, shape.lines[0]) if known[0] > known[1] else (top, shape.lines[1])
    if left is None:
        return shape
    about = ", ".join(c for c in left[:4] if c) + (", ..." if len(left) > 4 else "")
    said = (f"a second row of the header ({about}) is not read",) if left else ()
    return replace(shape, lines=(kept, *shape.lines[2:]), said=(*shape.said, *said), corner=left[0] if left else "")


def _is_neuron(text: str) -> bool:
    return read_name(text).kind in ("canonical", "spelling", "no side", "unsure")


def _are_counts(cells: Sequence[str]) -> bool:
    """Whether these are different whole numbers."""
    return all(re.fullmatch(r"\d{1,6}", c) for c in cells) and len(set(cells)) == len(cells)


def is_data_row(first: str, second: str, separator: str) -> bool:
    """Whether the first line of a table holds values, not names: numbers that do not count columns.

    A word before numbers, in both lines, is a table of a row a neuron, if those numbers do not rise.

    Parameters
    ----------
    first, second : str
        The first two lines.
    separator : str

    Examples
    --------
    >>> is_data_row("0.1,0.2", "0.2,0.4", ","), is_data_row("1,2,3", "0.2,0.4,.1", ","), is_data_row("t,AVAL", "0,1", ",")
    (True, False, False)
    >>> is_data_row("AVAL,1.5,1.2,1.7", "AVAR,2.1,2.5,2.2", ","), is_data_row("neuron,0,0.5,1", "AVAR,2.1,2.5,2.2", ",")
    (True, False)
    """
    cells = [numeral(c) for c in cells_of(first, separator)]
    while cells and not cells[-1]:
        cells.pop()  # a separator at the end
    if not second or not cells or not cells[0]:
        return False  # a header without a name for its index
    below = cells_of(second, separator)
    turned = (
        len(cells) > 3 and len(below) >= len(cells) and not any(is_number(r[0], comma=True) for r in (cells, below))
    )
    turned = turned and bool(below[0]) and cells[0].lower() not in ROW_WORDS
    values = cells[1:] if turned else cells
    numbers = [float(c) for c in values if is_number(c)]
    blank = sum(not c for c in values)
    if not numbers or len(numbers) + blank < len(values) or (blank and all(n == int(n) for n in numbers)):
        return False
    if turned:
        return bool((np.diff(numbers) < 0).any()) and all(is_number(c, comma=True) or not c for c in below[1:])
    start = numbers[0]
    counting = start in (0, 1) and numbers == [start + i for i in range(len(numbers))]
    return not (counting and len(numbers) > 1)


def numeral(text: str) -> str:
    """Return a number with a decimal comma, or with signs between thousands, as one with a point alone; other texts as they are.

    Parameters
    ----------
    text : str

    Examples
    --------
    >>> numeral("0,5"), numeral("1.234,5"), numeral("1,234.5"), numeral("AVAL")
    ('0.5', '1234.5', '1234.5', 'AVAL')
    """
    if is_number(text) or not is_number(text, comma=True):
        return text
    number = re.sub(_GROUP, "", text.strip())
    if number.rfind(".") > number.rfind(",") >= 0:
        return number.replace(",", "")
    return number.replace(".", "").replace(",", ".") if "," in number else number


def with_points(frame: pd.DataFrame, separator: str, where: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return a table whose numbers have decimal points and no signs between their thousands.

    Parameters
    ----------
    frame : pandas.DataFrame of str
    separator : str
        Where it is a comma, only columns that hold nothing but numbers are changed: a comma may be part of a text.
    where : str

    Returns
    -------
    table : pandas.DataFrame
    said : tuple of str
        What was read so.

    Raises
    ------
    FormatError
        A comma could be a decimal sign or stand between thousands, and nothing in the table tells.
    """
    texts = {k: frame.iloc[:, k].tolist() for k in range(frame.shape[1])}
    signs = re.compile(rf"^\s*[-+]?[\d.]*(?:,|{_GROUP}\d{{3}}|\d\.\d{{3}}[.,])")
    marked = {k: cells for k, cells in texts.items() if any(signs.match(c) for c in cells)}
    if separator == ",":
        marked = {k: c for k, c in marked.items() if all(is_number(v, comma=True) or not v.strip() for v in c)}
    if not marked:
        return frame, ()
    numbers = [c.strip() for cells in marked.values() for c in cells if signs.match(c)]
    kind = _decimal_sign(numbers, separator, where)
    if any("," in c and "." in c for c in numbers) and kind == ",":
        marked = texts  # points stand between thousands, in columns of whole numbers, too
    result = frame.copy()
    for k, cells in marked.items():
        points = [_with_point(c, kind, marked is texts) for c in cells]
        result.isetitem(k, pd.Series(points, index=frame.index, dtype=frame.dtypes.iloc[k]))
    said = {",": ("decimal commas read as such",), ".": ("commas between thousands left out",)}
    return result, said.get(kind, ())


def _decimal_sign(cells: Sequence[str], separator: str, where: str) -> str:
    """Return "," or "." ; "" where no cell holds a comma as part of a number."""
    plain = [re.sub(_GROUP, "", c) for c in cells]
    numbers = [c for c in plain if "," in c and is_number(c, comma=True)]
    if not numbers:
        return ""
    comma = [c for c in numbers if _COMMA.fullmatch(c) or _POINT_GROUPS.fullmatch(c)]
    point = [c for c in numbers if _COMMA_GROUPS.fullmatch(c)]
    only_comma = [c for c in comma if not _COMMA_GROUPS.fullmatch(c) or re.match(r"[-+]?0", c)]
    only_point = [c for c in point if not _COMMA.fullmatch(c)]
    if only_comma and only_point:
        raise FormatError(
            f"'{only_comma[0]}' and '{only_point[0]}' have different decimal signs",
            where=where,
            fix="Save the table with one decimal sign, and without signs between thousands.",
        )
    if not only_comma and not only_point and separator != ";":
        raise FormatError(
            f"'{numbers[0]}' could be {numbers[0].replace(',', '.')} or {numbers[0].replace(',', '')}",
            where=where,
            fix="Save the table with decimal points, and without signs between thousands.",
        )
    return "." if only_point else ","


def _with_point(text: str, kind: str, grouped: bool) -> str:
    if not is_number(text, comma=True):
        return text
    number = re.sub(_GROUP, "", text.strip())
    if kind == ".":
        return number.replace(",", "")
    groups = grouped and _POINT_GROUPS.fullmatch(number) is not None
    return number.replace(".", "").replace(",", ".") if "," in number or groups else number


def clock_header(columns: Sequence[str]) -> list[float] | None:
    """Return the times or frames that the columns after the first are called by; None where they are called otherwise.

    Parameters
    ----------
    columns : sequence of str

    Examples
    --------
    >>> clock_header(["neuron", "0", "0.5", "1"]), clock_header(["", "t0", "t1", "t2"]), clock_header(["t", "AVAL", "AVAR", "RIS"])
    ([0.0, 0.5, 1.0], [0.0, 1.0, 2.0], None)
    """
    words = [
        re.fullmatch(
            r"(?i)(?:(?:t|time|frame|f|sample|volume|column|x|v)[ _]?)?(-?[\d.]+(?:e[-+]?\d+)?)(?: ?s)?", c.strip()
        )
        for c in columns[1:]
    ]
    if len(words) < 3:
        return None
    found = [float(w[1]) for w in words if w is not None and is_number(w[1])]
    return found if len(found) == len(words) and bool((np.diff(found) > 0).all()) else None
