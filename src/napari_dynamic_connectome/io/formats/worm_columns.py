"""Columns of a table of traces that are no neurons: which worm a row is of, what is said about the worm, and what was measured beside.

In: a table, wide or long. Out: one table a worm, its attributes, and the columns that go to its behaviour or are left out. One
rule for every table: a column called like a worm splits it; what is the same in every row of a worm is an attribute; what
changes and is no neuron is asked about.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pandas as pd
import xarray as xr

from ...model.errors import InputError
from ...model.neurons import read_name
from ..choice import ChoiceNeeded
from .fields import ATTRIBUTES, BEHAVIOUR_PREFIX
from .text_tables import find_column, plain_cell, to_numbers

WORM_COLUMN = ("worm", "recording", "animal", "worm_id", "animal_id", "worm_name")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TRIAL_WORDS = _words(
    "trial session run repeat replicate epoch block plate experiment subject specimen sample_id individual fov movie video "
    "file filename"
)
"""Headers of what a table may hold several of: each may be a recording of its own."""
ABOUT_WORDS = frozenset(ATTRIBUTES) | _words(
    "group batch day date age experimenter lab rig line allele food diet species institution temperature temp"
)
"""Headers of what is said about a whole worm."""
MEASURE_WORDS = _words(
    "speed velocity curvature pumping reversal reversals forward backward turn omega stimulus stimuli stim odor odour light "
    "led laser pressure angle heading head_angle behavior behaviour state posture x y z x_um y_um z_um distance direction "
    "quiescence motion background"
)
"""Headers of what is measured beside the neurons."""
NONE = "none"
"""The answer to "which column tells the worms apart": none, all rows are of one."""
CHOICES = ("behaviour", "left out", "neurons")
MOST_VALUES = 20
"""Different texts of a column that become a channel each."""


@dataclass
class Part:
    """The rows of one worm.

    Parameters
    ----------
    name : str
    table : pandas.DataFrame
        Without the columns that tell the worms apart.
    attributes : dict of str to str
        What is said about the worm.
    channels : dict of str to xarray.DataArray
        Behaviour (time,).
    said : list of str
        Remarks.
    """

    name: str
    table: pd.DataFrame
    attributes: dict[str, str] = field(default_factory=dict)
    channels: dict[str, xr.DataArray] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Layout:
    """How a table of traces is laid out.

    Parameters
    ----------
    used : sequence of str
        Columns that the table needs: times, and in a long table neuron, value and what belongs to them.
    restarts : callable
        Whether rows cannot be one recording: the clock starts again, or a neuron has two values at a time.
    neurons : collection of str
        Headers that are known to be neurons, whatever they are called.
    as_neurons : bool
        Whether columns that are not known are neurons (wide); they are left as they are.
    floats : callable, optional
        Makes numbers of columns of a table with several worms before it is split, so that messages count the rows of the file.
    """

    used: Sequence[str]
    restarts: Callable[[pd.DataFrame], bool]
    neurons: Collection[str] = ()
    as_neurons: bool = True
    floats: Callable[[pd.DataFrame, list[str]], pd.DataFrame] | None = None


def parts_of(
    table: pd.DataFrame,
    where: str,
    layout: Layout,
    *,
    name: str,
    worm_column: str | None = None,
    other_columns: str | None = None,
) -> list[Part]:
    """Return the rows of every worm, with the columns that are no neurons taken out and explained.

    Parameters
    ----------
    table : pandas.DataFrame
        Cells may be texts or numbers.
    where : str
    layout : Layout
    name : str
        Of the worm, where no column tells.
    worm_column : str, optional
        The column that tells the worms (or trials) apart; "none" if all rows are of one.
    other_columns : {"behaviour", "left out", "neurons"}, optional
        What becomes of columns that are no neurons and change in the course of a worm.

    Raises
    ------
    ChoiceNeeded
        Which column tells the worms apart; what other columns are.
    """
    if other_columns is not None and other_columns not in CHOICES:
        raise InputError(
            f"other_columns cannot be '{other_columns}'", where=where, fix=f"Choose one of: {', '.join(CHOICES)}."
        )
    left = [
        str(c) for c in table.columns if str(c) not in layout.used and not str(c).lower().startswith(BEHAVIOUR_PREFIX)
    ]
    left = [c for c in left if c.strip() not in layout.neurons]
    kinds = {c: kind for c in left if (kind := _kind(table, c, where, asked=worm_column))}
    by = _worms_by(table, where, kinds, worm_column, layout.restarts)
    if by and layout.floats is not None:
        sure = [str(c) for c in table.columns if str(c).strip() in layout.neurons]
        table = layout.floats(table, [*sure, *(c for c in left if c not in kinds)])
    parts = []
    for title, rows in _split(table, by, where, name):
        part = Part(title, rows.drop(columns=by) if by else rows)
        _explain(part, {c: k for c, k in kinds.items() if c not in by}, where, other_columns, layout.as_neurons)
        parts.append(part)
    return parts


@lru_cache(maxsize=4096)
def _word(header: str) -> str:
    """Return a header without its unit, in small letters: "Speed (mm/s)" is "speed"."""
    plain = re.sub(r"[(\[].*?[)\]]", "", header).strip().lower()
    return re.sub(r"[\s\-]+", "_", plain)


def _kind(table: pd.DataFrame, column: str, where: str, *, asked: str | None) -> str:
    """Return what a column is that is no neuron: "worm", "trial", "about", "measure" or "text"; "" for a neuron."""
    word = _word(column)
    if word in WORM_COLUMN:
        return "worm"
    if asked is not None and column.strip().lower() == asked.strip().lower():
        return "trial"
    for kind, words in (("trial", TRIAL_WORDS), ("about", ABOUT_WORDS), ("measure", MEASURE_WORDS)):
        if word in words:
            return kind
    return "text" if _is_text(table[column], column) else ""


def _is_text(values: pd.Series, header: str) -> bool:
    """Whether a column holds texts and no number, under a name that is no neuron's."""
    if values.dtype.kind in "fiubmM":
        return False
    first = [v for v in _texts(values[:50]) if v and v.lower() not in _MISSING]
    if any(_number(v) for v in first) or read_name(header).kind in ("canonical", "spelling", "no side"):
        return False
    distinct = _distinct(values)
    return bool(distinct) and not any(_number(v) for v in distinct)


_MISSING = ("nan", "na", "n/a", "null", "none", "<na>")


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.lower() not in _MISSING


def _texts(values: pd.Series) -> list[str]:
    codes, distinct = pd.factorize(values, use_na_sentinel=False)
    read = np.asarray([plain_cell("" if v is None or v != v else _short(v)) for v in list(distinct)], dtype=object)
    found: list[str] = read[codes].tolist()
    return found


def _distinct(values: pd.Series) -> list[str]:
    """Return the different texts of a column in the order in which they come, without what is missing."""
    found = dict.fromkeys(_texts(pd.Series(pd.unique(values), dtype=object)))
    return [v for v in found if v and v.lower() not in _MISSING]


def _short(value: object) -> str:
    """Return a cell as a text: a whole number without a point."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _worms_by(
    table: pd.DataFrame,
    where: str,
    kinds: dict[str, str],
    worm_column: str | None,
    restarts: Callable[[pd.DataFrame], bool],
) -> list[str]:
    """Return the columns that tell the worms apart."""
    if worm_column is not None and worm_column.strip().lower() == NONE:
        return []
    named = find_column(table, *WORM_COLUMN)
    by = [named] if named is not None and kinds.get(named) == "worm" else []
    if worm_column is not None:
        found = find_column(table, worm_column.strip().lower())
        if found is None:
            listed = ", ".join(str(c) for c in table.columns[:12])
            raise InputError(f"there is no column '{worm_column}'", where=where, fix=f"The table has: {listed}.")
        return [*by, *([found] if found not in by else [])]
    keys = [] if not by else [_texts(table[by[0]])]
    changing = [c for c, k in kinds.items() if c not in by and k != "measure" and _changes(table, c, keys)]
    trials = [c for c in changing if kinds[c] == "trial"]
    starts_again = bool(changing) and any(restarts(rows) for _, rows in _split(table, by, where, ""))
    if not trials and not starts_again:
        return by
    choices = tuple(trials or changing)
    shown = ", ".join(f"'{c}' ({', '.join(_distinct(table[c]))[:60]})" for c in choices[:4])
    why = "the clock starts again, and " if starts_again else ""
    raise ChoiceNeeded(
        f"{why}the rows differ in {shown}: they may be recordings of their own",
        where=where,
        fix=f'Pass worm_column="{choices[0]}" if every value is a recording'
        + (", worm_column=none if all rows are of one." if not starts_again else "; or keep one recording a file."),
        option="worm_column",
        choices=choices if starts_again else (*choices, NONE),
    )


def _changes(table: pd.DataFrame, column: str, keys: list[list[str]]) -> bool:
    """Whether a column has several values in one worm."""
    if not keys:
        return len(_distinct(table[column])) > 1
    pairs = pd.DataFrame({"worm": keys[0], "value": _texts(table[column])}).drop_duplicates()
    return bool(pairs.loc[pairs["value"] != "", "worm"].duplicated().any())


def _split(table: pd.DataFrame, by: list[str], where: str, name: str) -> list[tuple[str, pd.DataFrame]]:
    if not by:
        return [(name, table)]
    columns = [_texts(table[c]) for c in by]
    for column, values in zip(by, columns, strict=True):
        if "" in values:
            raise InputError(
                f"column '{column}' is empty in row {values.index('') + 2}", where=where, fix="Fill it in in every row."
            )
    named = _word(by[0]) in WORM_COLUMN
    keys = [" ".join(cells) if named else " ".join([name, *cells]).strip() for cells in zip(*columns, strict=True)]
    marks = np.asarray(keys, dtype=object)
    return [(key, table[marks == key]) for key in dict.fromkeys(keys)]


def _explain(part: Part, kinds: dict[str, str], where: str, other_columns: str | None, as_neurons: bool) -> None:
    """Take attributes and measures out of a table."""
    open_still: list[str] = []
    gone: list[str] = []
    for column, kind in kinds.items():
        values = _distinct(part.table[column])
        measured = kind == "measure" and not _is_text(part.table[column], column)
        if measured or len(values) > 1:
            open_still.append(column)
        else:
            gone.append(column)
            if values:
                part.attributes[_attribute(column)] = values[0]
    if part.attributes:
        part.said.append("about the worm: " + ", ".join(f"{k} {v}" for k, v in part.attributes.items()))
    numeric = [c for c in open_still if not _is_text(part.table[c], c)]
    if not as_neurons:  # a long table: what is not needed was never part of the traces
        gone += open_still
        if open_still:
            part.said.append(f"columns that are not read: {', '.join(open_still)}")
    elif open_still and other_columns is None:
        listed = ", ".join(f"'{c}'" for c in open_still[:6])
        choices = CHOICES if len(numeric) == len(open_still) else CHOICES[:2]
        raise ChoiceNeeded(
            f"{listed} {'is' if len(open_still) == 1 else 'are'} no neuron{'' if len(open_still) == 1 else 's'} by name "
            "or content",
            where=where,
            fix=f"Pass other_columns= one of: {', '.join(choices)}; columns of behaviour may be called beh_..., too.",
            option="other_columns",
            choices=choices,
        )
    elif other_columns == "behaviour":
        for column in open_still:
            part.channels |= _channels(part.table[column], column, where)
        gone += open_still
    elif other_columns == "left out":
        gone += open_still
        if open_still:
            part.said.append(f"columns left out: {', '.join(open_still)}")
    elif set(open_still) - set(numeric):
        wrong = next(c for c in open_still if c not in numeric)
        raise InputError(
            f"column '{wrong}' holds texts, so it is no neuron",
            where=where,
            fix='Pass other_columns="behaviour" or other_columns="left out".',
        )
    part.table = part.table.drop(columns=gone)


def _attribute(column: str) -> str:
    word = _word(column)
    return "stimulus" if word == "stimuli" else word or column.strip()


def _channels(values: pd.Series, column: str, where: str) -> dict[str, xr.DataArray]:
    """Return a column as channels of behaviour: its numbers, or of texts one a value, 1 where it stands."""
    if not _is_text(values, column):
        numbers = to_numbers(values.tolist(), column, where)
        return {column.strip(): xr.DataArray(numbers, dims="time")}
    cells = np.asarray(_texts(values), dtype=object)
    kinds = [v for v in dict.fromkeys(cells.tolist()) if v and v.lower() not in _MISSING]
    if len(kinds) > MOST_VALUES:
        raise InputError(
            f"column '{column}' holds {len(kinds)} different texts, too many for channels of behaviour",
            where=where,
            fix='Pass other_columns="left out".',
        )
    return {
        f"{column.strip()} {kind}": xr.DataArray((cells == kind).astype(float), dims="time", attrs={"kind": "binary"})
        for kind in kinds
    }
