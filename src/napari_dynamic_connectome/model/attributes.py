"""Attributes of a whole worm: strain, condition, sex, day, and whatever else a table of worms has columns for.

Attributes are texts that travel with the recording (in `provenance["attributes"]`), so that files and sessions keep them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from .errors import InputError
from .recording import Recording

KEY = "attributes"
STIMULI = "stimuli"
"""Column made from the recordings: the different stimuli that a worm received."""
RECEIVED = "received "
"""Columns made from the recordings begin like this: whether a worm received a stimulus, yes or no."""


def attributes_of(recording: Recording) -> dict[str, str]:
    """Attributes of one worm, column -> value."""
    known = recording.provenance.get(KEY) or {}
    return {str(k): str(v) for k, v in dict(known).items()}


def with_attributes(recording: Recording, values: Mapping[str, object]) -> Recording:
    """Copy with some attributes set; an empty value removes one."""
    for name in values:
        if not str(name).strip() or str(name) == STIMULI or str(name).startswith(RECEIVED):
            raise InputError(f"an attribute cannot be called '{name}'", where=f"recording '{recording.name}'")
    merged = attributes_of(recording) | {str(k).strip(): str(v).strip() for k, v in values.items()}
    kept = {k: v for k, v in merged.items() if v not in ("", "nan", "None")}
    return recording.replace(provenance=dict(recording.provenance) | {KEY: kept})


def worm_table(recordings: Iterable[Recording]) -> pd.DataFrame:
    """One row a worm: its attributes, "stimuli", and "received X" for every stimulus X that some worm received.

    Returns
    -------
    pandas.DataFrame
        Index `worm`, all columns text; "" where an attribute is not known.
    """
    chosen = list(recordings)
    given = [attributes_of(r) for r in chosen]
    columns = list(dict.fromkeys(name for one in given for name in one))
    table = pd.DataFrame(
        {name: [one.get(name, "") for one in given] for name in columns},
        index=pd.Index([r.name for r in chosen], name="worm"),
    )
    received = [sorted({str(n) for n in r.stimuli["name"]}) for r in chosen]
    table[STIMULI] = ["+".join(names) or "none" for names in received]
    for stimulus in sorted({n for names in received for n in names}):
        table[f"{RECEIVED}{stimulus}"] = ["yes" if stimulus in names else "no" for names in received]
    return table


def apply_table(
    recordings: Iterable[Recording], table: pd.DataFrame, *, where: str = "worm attributes"
) -> list[Recording]:
    """Give worms the attributes of a table with a column `worm` (other columns: attributes).

    Worms without a row stay as they are, rows without a worm are ignored.

    Raises
    ------
    InputError
        No column `worm`, a worm twice, or no row that fits any worm.
    """
    chosen = list(recordings)
    if "worm" not in table.columns:
        raise InputError(
            "there is no column 'worm'", where=where, fix=f"Columns: {', '.join(map(str, table.columns))}."
        )
    names = [str(n).strip() for n in table["worm"]]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise InputError(f"the worm '{twice}' has two rows", where=where, fix="Keep one of them.")
    others = table.drop(columns="worm")
    # pandas 2 gives no records of a table without columns
    records = others.to_dict(orient="records") if len(others.columns) else [{} for _ in names]
    rows = dict(zip(names, records, strict=True))
    if chosen and not any(r.name in rows for r in chosen):
        known = ", ".join(r.name for r in chosen[:5])
        raise InputError("no row has the name of a worm", where=where, fix=f"The worms are called {known}.")
    return [with_attributes(r, {str(k): v for k, v in rows[r.name].items()}) if r.name in rows else r for r in chosen]
