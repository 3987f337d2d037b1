"""Recordings as CSV: wide or long traces, with neuron table, stimuli and behaviour in files beside them.

`worm1.csv` may have `worm1_neurons.csv`, `worm1_stimuli.csv` and `worm1_behaviour.csv` next to it; they are read and written
along with it.
"""

from __future__ import annotations

from pathlib import Path

from ...model.errors import InputError
from ...model.recording import Recording
from ...model.system import remove_file
from ..files import existing
from ..ownership import OurFiles
from .side_tables import read_behaviour, read_stimuli
from .text_tables import find_column, find_time, read_table, write_csv
from .trace_tables import long_table, recordings_from_table, wide_table, with_sidecar

SIDECARS = ("neurons", "stimuli", "behaviour")


def sidecar(path: Path, what: str) -> Path:
    """Return the path of a file beside `path` ("worm1_stimuli.csv")."""
    stem = path.name.split(".")[0] if path.name.endswith(".csv.gz") else path.stem
    return path.with_name(f"{stem}_{what}.csv")


def read_recordings(path: str | Path, *, name: str = "", rate_hz: float | None = None) -> list[Recording]:
    """Read the recordings of a CSV.

    Parameters
    ----------
    path : str or Path
    name : str
        Instead of the file's name; for a file of one animal.
    rate_hz : float, optional
        Where there is no time column.
    """
    path = existing(path)
    table = read_table(path)
    _check_is_traces(table, path)
    stem = path.name.split(".")[0] if path.name.endswith(".csv.gz") else path.stem
    recordings = recordings_from_table(table, str(path), name=name or stem, rate_hz=rate_hz)
    if len(recordings) > 1:
        return recordings
    recording = recordings[0]
    neurons, stimuli, behaviour = (sidecar(path, what) for what in SIDECARS)
    return [
        with_sidecar(
            recording,
            read_table(neurons) if neurons.is_file() else None,
            read_stimuli(stimuli) if stimuli.is_file() else None,
            read_behaviour(behaviour, recording.time_s) if behaviour.is_file() else None,
            str(neurons),
        )
    ]


def _check_is_traces(table: object, path: Path) -> None:
    import pandas as pd

    assert isinstance(table, pd.DataFrame)
    for what in SIDECARS:
        if path.stem.endswith(f"_{what}") and what != "behaviour" and find_time(table) is None:
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
