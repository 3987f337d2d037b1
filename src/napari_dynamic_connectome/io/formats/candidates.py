"""Names that another program suggests, ranked, with their probabilities: its tables, long, wide, or a column a name.

In: CSV or Parquet. Out: suggestions by what the table calls a neuron (its label, or its id); `naming.candidates` gives them to
the neurons of a worm.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ...model.errors import InputError
from ...model.neurons import read_name
from ...naming.atlas import Suggestion
from .side_tables import read_texts
from .text_tables import find_column, to_numbers

WHOM = ("label", "label_id", "neuron_id", "roi", "roi_id", "segment", "cell_id", "track_id", "id", "index", "neuron")
NAME = (
    "name",
    "candidate",
    "candidate_name",
    "neuron_name",
    "predicted_name",
    "prediction",
    "identity",
    "id_name",
    "neuron",
)
CHANCE = ("probability", "prob", "p", "confidence", "score", "posterior", "likelihood", "conf")
RANK = ("rank", "order", "candidate_rank")
_ORDINAL = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "most_likely": 1}
_PLACE = re.compile(
    r"(?P<what>[a-z_ .\-]*?)[ _.\-]*(?P<rank>\d+)(?:st|nd|rd|th)?[ _.\-]*(?P<more>[a-z_ .\-]*)", re.IGNORECASE
)
TOLERANCE = 0.02
"""How far probabilities of one neuron may add up to more than 1, for rounding."""


def read_candidates(path: str | Path) -> dict[str, list[Suggestion]]:
    """Read ranked candidates of names.

    Parameters
    ----------
    path : str or Path
        CSV or Parquet. Long: label, name, probability (and rank). Wide: label, name_1, probability_1, name_2, ... . Matrix:
        label, then a column of probabilities a name (AVAL, AVAR, ...). Percentages are divided by 100.

    Returns
    -------
    dict
        What the table calls a neuron (a label, or an id) -> suggestions, most probable first. Names that are none of a neuron
        of C. elegans are left out.

    Raises
    ------
    InputError
        The columns are not understood, or the values are no probabilities.
    """
    table = read_texts(path)
    where = str(path)
    whom = find_column(table, *WHOM)
    if whom is None:
        raise InputError(
            f"no column says which neuron a row is about (the columns are {_listed(table)})",
            where=where,
            fix="Call it label: the number in the segmentation.",
        )
    name, chance = find_column(table, *(n for n in NAME if n != whom)), find_column(table, *CHANCE)
    places = _wide(table, whom)
    if name is not None and chance is not None:
        rows = _long(table, whom, name, chance, where)
    elif places:
        rows = _wide_rows(table, whom, places, where)
    else:
        rows = _matrix(table, whom, where)
    return _ranked(rows, where)


def _listed(table: pd.DataFrame) -> str:
    return ", ".join(map(str, table.columns))[:100]


Rows = list[tuple[str, str, float]]
"""(neuron, name as written, value)."""


def _numbers(table: pd.DataFrame, column: str, where: str) -> np.ndarray:
    texts = [str(v).strip() for v in table[column].tolist()]
    percent = [t.endswith("%") for t in texts]
    values = to_numbers([t.removesuffix("%") for t in texts], column, where)
    return np.where(percent, values / 100, values)


def _long(table: pd.DataFrame, whom: str, name: str, chance: str, where: str) -> Rows:
    values = _numbers(table, chance, where)
    return list(zip(_keys(table, whom), [str(n) for n in table[name]], values.tolist(), strict=True))


def _keys(table: pd.DataFrame, whom: str) -> list[str]:
    texts = [str(v).strip() for v in table[whom]]
    return [t[:-2] if re.fullmatch(r"\d+\.0", t) else t for t in texts]


def _wide(table: pd.DataFrame, whom: str) -> dict[int, tuple[str, str]]:
    """Return rank -> (column of the name, column of its probability)."""
    names: dict[int, str] = {}
    chances: dict[int, str] = {}
    for column in map(str, table.columns):
        if column == whom:
            continue
        text = column.strip().lower()
        for word, number in _ORDINAL.items():
            text = re.sub(rf"\b{word}\b|^{word}(?=_)", str(number), text)
        match = _PLACE.fullmatch(text)
        if match is None:
            continue
        words = f"{match['what']} {match['more']}".replace("_", " ").replace("-", " ").replace(".", " ").split()
        target = chances if any(w in CHANCE or w.startswith("prob") for w in words) else names
        if (
            target is names
            and words
            and not any(w in (*NAME, "id", "rank", "top", "neuron", "best", "guess") for w in words)
        ):
            continue
        target.setdefault(int(match["rank"]), column)
    return {rank: (names[rank], chances[rank]) for rank in sorted(names) if rank in chances}


def _wide_rows(table: pd.DataFrame, whom: str, places: Mapping[int, tuple[str, str]], where: str) -> Rows:
    keys, rows = _keys(table, whom), []
    for name, chance in places.values():
        values = _numbers(table, chance, where)
        rows += list(zip(keys, [str(n) for n in table[name]], values.tolist(), strict=True))
    return rows


def _matrix(table: pd.DataFrame, whom: str, where: str) -> Rows:
    columns = [c for c in map(str, table.columns) if c != whom and _canonical(c)]
    if not columns:
        raise InputError(
            f"the columns are {_listed(table)}",
            where=where,
            fix="Needed: label, name, probability; or label, name_1, probability_1, ...; or label and a column a name.",
        )
    keys, rows = _keys(table, whom), []
    for column in columns:
        rows += list(zip(keys, [column] * len(keys), _numbers(table, column, where).tolist(), strict=True))
    return rows


def _canonical(text: str) -> str:
    """Return the canonical name of a neuron; "" for anything else."""
    found = read_name(text)
    return found.name if found.kind in ("canonical", "spelling", "no side") else ""


def _ranked(rows: Rows, where: str) -> dict[str, list[Suggestion]]:
    given = [value for _, _, value in rows if np.isfinite(value)]
    if not given:
        raise InputError("there is no probability in this table", where=where, fix="Give one for every name.")
    if min(given) < 0 or max(given) > 100:
        raise InputError(
            f"values from {min(given):g} to {max(given):g} are no probabilities",
            where=where,
            fix="Give probabilities from 0 to 1, or percent; log-likelihoods and distances are neither.",
        )
    scale = 100.0 if max(given) > 1 + TOLERANCE else 1.0
    found: dict[str, dict[str, float]] = {}
    for key, text, value in rows:
        name = _canonical(text.strip())
        if name and np.isfinite(value):
            one = found.setdefault(key, {})
            one[name] = max(one.get(name, 0.0), float(value) / scale)
    for key, one in found.items():
        total = sum(one.values())
        if total > 1 + TOLERANCE * max(len(one), 1):
            raise InputError(
                f"the values of neuron {key} add up to {total:.3g}, which probabilities do not",
                where=where,
                fix="Give probabilities that add up to at most 1 a neuron.",
            )
    return {
        key: [Suggestion(n, min(p, 1.0)) for n, p in sorted(one.items(), key=lambda item: -item[1]) if p > 0]
        for key, one in found.items()
    }
