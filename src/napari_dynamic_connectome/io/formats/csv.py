"""Recordings as CSV: wide or long traces, with neuron table, stimuli and behaviour in files beside them.

`worm1.csv` may have `worm1_neurons.csv`, `worm1_stimuli.csv` and `worm1_behaviour.csv` next to it; they are read and written
along with it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ...model.errors import InputError
from ...model.neurons import read_name
from ...model.recording import Recording
from ...model.system import remove_file
from ..choice import ChoiceNeeded
from ..files import existing
from ..format import Format, as_text, is_binary, is_json, without_mark
from ..ownership import OurFiles
from .centres import is_napari_points
from .side_tables import read_behaviour, read_stimuli
from .text_tables import LEVELS, READ_AS, SHORT, Levels, find_column, read_table, time_unit, write_csv
from .trace_tables import listed_ids, long_table, recordings_from_table, wide_table, with_sidecar
from .turned_tables import turned

ORDER = 80
ENDINGS = (".csv", ".tsv", ".txt", ".tab", ".dat", ".gz", "")
"""Text under such a name is taken for a table, whatever its first lines look like."""


SIDECARS = ("neurons", "stimuli", "behaviour")


def sidecar(path: Path, what: str) -> Path:
    """Return the path of a file beside `path` ("worm1_stimuli.csv")."""
    stem = path.name.split(".")[0] if path.name.endswith(".csv.gz") else path.stem
    return path.with_name(f"{stem}_{what}.csv")


def read_recordings(
    path: str | Path,
    *,
    name: str = "",
    rate_hz: float | None = None,
    signal: str | None = None,
    time_column: str | None = None,
    worm_column: str | None = None,
    other_columns: str | None = None,
) -> list[Recording]:
    """Read the recordings of a CSV.

    Parameters
    ----------
    path : str or Path
    name : str
        Instead of the file's name; for a file of one animal.
    rate_hz : float, optional
        Where there is no time column.
    signal : str, optional
        Of a header of several rows, which of its signals ("dff"), where there are several.
    time_column : str, optional
        The column that holds the times, where its name does not tell.
    worm_column : str, optional
        The column that tells worms (or trials) apart, where its name does not tell; "none" if all rows are of one.
    other_columns : {"behaviour", "left out", "neurons"}, optional
        What becomes of columns that are no neurons by name or content, and change in the course of a worm.

    Raises
    ------
    ChoiceNeeded
        Which signal; the rate; which column tells the worms apart; what other columns are.
    """
    path = existing(path)
    stem = path.name.split(".")[0] if path.name.endswith(".csv.gz") else path.stem
    more: dict[str, Any] = {"rate_hz": rate_hz, "signal": signal, "time_column": time_column}
    more |= {"worm_column": worm_column, "other_columns": other_columns}
    neurons, stimuli, behaviour = (sidecar(path, what) for what in SIDECARS)
    listed = read_table(neurons) if neurons.is_file() else None
    recordings = recordings_of_frame(read_table(path), path, name=name or stem, neurons=listed_ids(listed), **more)
    if len(recordings) > 1:
        return recordings
    recording = recordings[0]
    return [
        with_sidecar(
            recording,
            listed,
            read_stimuli(stimuli) if stimuli.is_file() else None,
            read_behaviour(behaviour, recording.time_s) if behaviour.is_file() else None,
            str(neurons),
        )
    ]


def recordings_of_frame(
    table: pd.DataFrame,
    path: Path,
    *,
    name: str,
    rate_hz: float | None = None,
    signal: str | None = None,
    time_column: str | None = None,
    worm_column: str | None = None,
    other_columns: str | None = None,
    neurons: Collection[str] = (),
) -> list[Recording]:
    """Return the recordings of a table that was read, refusing what is no table of traces.

    Parameters
    ----------
    table : pandas.DataFrame
        As `read_table` returns it; numbers may be numbers.
    path : Path
    name : str
    rate_hz, signal, time_column, worm_column, other_columns
        See `read_recordings`.
    neurons : collection of str
        Headers that are known to be neurons: what a table of neurons beside it lists.
    """
    _check_is_traces(table, path)
    short = table.attrs.get(SHORT, ())
    read_as = list(table.attrs.get(READ_AS, ()))
    if (rows_of_neurons := turned(table, str(path))) is not None:
        table, how = rows_of_neurons
        read_as.append(how)
    table, said = one_signal(table, signal, str(path))
    said = "; ".join([*read_as, *filter(None, [said])])
    if short:
        missing = f"row {short[0] + 1} has fewer cells than the header" + (
            f", as {len(short) - 1} others" if short[1:] else ""
        )
        said = "; ".join(x for x in (said, f"{missing}: what is not there is missing (NaN)") if x)
    columns: dict[str, Any] = {"time_column": time_column, "worm_column": worm_column, "other_columns": other_columns}
    columns["neurons"] = neurons
    found = recordings_from_table(table, str(path), name=name, rate_hz=rate_hz, **columns)
    return [_with_reading(r, said) for r in found]


def _with_reading(recording: Recording, said: str) -> Recording:
    lines = [line for line in (str(recording.provenance.get("reading", "")), said) if line]
    return recording.replace(provenance={**recording.provenance, "reading": "; ".join(lines)}) if said else recording


def one_signal(table: pd.DataFrame, signal: str | None, where: str) -> tuple[pd.DataFrame, str]:
    """Return a table of one signal, from one whose header has several rows, and what is said about it.

    Parameters
    ----------
    table : pandas.DataFrame
        As `read_table` returns it.
    signal : str, optional
    where : str

    Raises
    ------
    ChoiceNeeded
        There are several signals.
    """
    levels: Levels | None = table.attrs.get(LEVELS)
    if levels is None or len(levels.varying) < 2:
        if signal is not None:
            raise InputError(f"there is no signal '{signal}'", where=where, fix="The table has one: leave out signal=.")
        return table, ""
    names = max(levels.varying, key=lambda i: _neuron_names(levels.rows[i]))
    others = [i for i in levels.varying if i != names]
    kinds = [" ".join(levels.rows[i][at] for i in others) for at in range(len(levels.rows[0]))]
    choices = tuple(dict.fromkeys(kinds))
    if signal is None:
        raise ChoiceNeeded(
            f"the header has several rows, and {len(choices)} signals for the neurons ({', '.join(choices[:8])})",
            where=where,
            fix=f"Pass signal= one of: {', '.join(choices[:8])}.",
            option="signal",
            choices=choices,
        )
    if signal not in choices:
        raise InputError(f"there is no signal '{signal}'", where=where, fix=f"Found: {', '.join(choices[:8])}.")
    kept = [at for at, kind in enumerate(kinds) if kind == signal]
    chosen = table.iloc[:, [0, *[at + 1 for at in kept]]].copy()
    chosen.columns = pd.Index([table.columns[0], *[levels.rows[names][at] for at in kept]])
    twice = chosen.columns[chosen.columns.duplicated()]
    if len(twice):
        raise InputError(f"the column '{twice[0]}' is there twice", where=where, fix="Rename or remove one of them.")
    left = ", ".join(c for c in choices if c != signal)
    return chosen, f"header of {len(levels.rows)} rows: '{signal}' read, {left} not"


def _neuron_names(cells: Sequence[str]) -> tuple[int, int]:
    """Return how many different names of neurons a row of a header has, and how many different texts."""
    distinct = set(cells)
    known = sum(read_name(c).kind in ("canonical", "spelling", "no side", "unsure") for c in distinct)
    return known, len(distinct)


def _has_time(table: pd.DataFrame) -> bool:
    return any(time_unit(str(c)) is not None for c in table.columns)


def _check_is_traces(table: object, path: Path) -> None:
    assert isinstance(table, pd.DataFrame)
    levels = table.attrs.get(LEVELS)
    if levels is not None and levels.is_pose:
        raise InputError(
            "these are tracked points of the body (DeepLabCut), not traces",
            where=str(path),
            fix="Read them as behaviour: call the file <worm>_behaviour.csv beside the traces, or load it as behaviour.",
        )
    if is_napari_points(table.columns):
        raise InputError(
            "these are points that napari saved, not traces",
            where=str(path),
            fix="Use them as centres of the labels, with an image and a radius.",
        )
    for what in SIDECARS:
        if path.stem.endswith(f"_{what}") and what != "behaviour" and not _has_time(table):
            raise InputError(
                f"these are {what}, not traces",
                where=str(path),
                fix="Read the recording they lie beside; they are taken along.",
            )
    if find_column(table, "pre") and find_column(table, "post"):
        raise InputError("this is a connectome, not traces", where=str(path), fix="Open it as a connectome.")


def write_recording(recording: Recording, path: str | Path, *, layout: str = "wide", overwrite: bool = False) -> Path:
    """Write a recording as CSV with its tables beside it.

    Parameters
    ----------
    recording : Recording
    path : str or Path
        Ending in `.csv` or `.csv.gz`.
    layout : str
        "wide" or "long".
    overwrite : bool
        Tables beside it (`*_neurons.csv`, `*_stimuli.csv`) that this program did not write, or that were changed since, may be
        replaced. Without it they are refused: people make such tables by hand.
    """
    path = Path(path)
    if layout not in ("wide", "long"):
        raise InputError(f"there is no layout '{layout}'", fix="Choose wide or long.")
    if layout == "long":
        return write_csv(long_table(recording), path)
    neurons, stimuli = sidecar(path, "neurons"), sidecar(path, "stimuli")
    mine = OurFiles(path.parent)
    mine.path(neurons.name, overwrite=overwrite)
    if len(recording.stimuli) or stimuli.exists():
        mine.path(stimuli.name, overwrite=overwrite)
    # the tables come first: once the traces are there, the recording is whole
    write_csv(recording.neurons, neurons, index=True)
    if len(recording.stimuli):
        write_csv(recording.stimuli, stimuli)
    else:
        remove_file(stimuli)  # of an earlier recording of ours under this name, or given up by the user
    written = write_csv(wide_table(recording), path)
    mine.handed[path.name] = path
    mine.finish(stale=False)
    return written


def is_table(path: Path, start: bytes) -> bool:
    """Whether a file is text that may be a table: by its name, or because its first lines have equally many separators.

    Parameters
    ----------
    path : Path
    start : bytes
        Its first bytes.
    """
    if path.is_dir() or without_mark(start).startswith(b"<") or is_json(path, start) or is_binary(start):
        return False
    return path.suffix.lower() in ENDINGS or _like_a_table(as_text(start))


def _like_a_table(text: bytes) -> bool:
    lines = [line for line in text.splitlines() if line.strip()][:3]
    counts = [{line.count(sign) for line in lines} for sign in (b",", b";", b"\t")]
    return len(lines) > 1 and any(len(found) == 1 and min(found) > 0 for found in counts)


FORMAT = Format(
    key="csv",
    title="CSV",
    patterns=("*.csv", "*.tsv", "*.csv.gz", "*.txt"),
    holds=("recording", "labels", "connectome", "table"),
    writes=("recording",),
    endings=(".csv", ".csv.gz"),
    note="Traces wide or long; tables of centres become labels; names, stimuli, behaviour, neuron lists, connectomes.",
    starts=(b"\x1f\x8b",),
    knows=is_table,
    asked_last=True,
    centres=lambda path: True,
)
