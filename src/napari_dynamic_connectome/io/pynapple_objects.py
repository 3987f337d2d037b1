"""Recordings as objects of pynapple, which nemos takes as they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..model.errors import MissingExtraError
from ..model.neurons import info
from ..model.recording import Recording

COLUMNS = ("label", "name", "confidence", "rejected", "z_um", "y_um", "x_um")


def to_pynapple(recording: Recording) -> dict[str, Any]:
    """Traces, behaviour and stimuli of a worm as pynapple objects, times in seconds.

    Parameters
    ----------
    recording : Recording

    Returns
    -------
    dict
        `traces`: pynapple.TsdFrame (time, neuron); its metadata hold label, name, class, confidence, rejected and the position
        z_um, y_um, x_um of every neuron. NaN where a neuron was not measured. Its `time_support` has one interval for every
        part between two breaks of the recording.
        `behaviour`: pynapple.TsdFrame (time, channel), only if there is any.
        `stimuli`: dict of the stimuli's names to a pynapple.IntervalSet, or to a pynapple.Ts of onsets where none of a name
        lasts (an IntervalSet leaves out what has no duration). Repeats of a name that overlap are joined.

    Raises
    ------
    MissingExtraError
        pynapple is not installed.
    """
    try:
        import pynapple as nap
    except ImportError as error:
        raise MissingExtraError("pynapple", "pynapple", "Objects of pynapple") from error
    time = recording.time_s
    parts = nap.IntervalSet(*_parts(time, recording.breaks))
    neurons = recording.neurons.rename(columns={"z": "z_um", "y": "y_um", "x": "x_um"})
    metadata: dict[str, Any] = {column: neurons[column].to_numpy() for column in COLUMNS}
    known = [info(name) for name in neurons["name"]]
    metadata["class"] = np.asarray(["" if one is None else one.neuron_class for one in known])
    metadata["name"] = metadata["name"].astype(str)
    found: dict[str, Any] = {
        "traces": nap.TsdFrame(
            t=time,
            d=recording.traces.values,
            time_support=parts,
            columns=[str(i) for i in neurons.index],
            metadata=metadata,
        )
    }
    channels = {str(k): v.values for k, v in recording.behaviour.data_vars.items() if v.dims == ("time",)}
    if channels:
        found["behaviour"] = nap.TsdFrame(
            t=time, d=np.column_stack(list(channels.values())).astype(float), time_support=parts, columns=list(channels)
        )
    found["stimuli"] = {}
    for name, rows in recording.stimuli.groupby("name", sort=False):
        start, end = _joined(rows["onset"].to_numpy(float), rows["offset"].to_numpy(float))
        lasting = end > start
        found["stimuli"][str(name)] = (
            nap.IntervalSet(start[lasting], end[lasting]) if lasting.any() else nap.Ts(np.unique(start))
        )
    return found


def _parts(time: np.ndarray, breaks: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """First and last time of every part between breaks; a part of one sample lasts a microsecond, since others are left out."""
    first = sorted({0, *(int(k) for k in np.searchsorted(time, breaks) if 0 < k < len(time))})
    last = [*(k - 1 for k in first[1:]), len(time) - 1]
    return time[first], np.maximum(time[last], time[first] + 1e-6)


def _joined(start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Intervals in order of time, those that overlap as one."""
    end = np.where(np.isfinite(end), end, start)
    order = np.argsort(start, kind="stable")
    merged: list[list[float]] = []
    for a, b in zip(start[order], end[order], strict=True):
        if merged and a < merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], b)
        else:
            merged.append([a, b])
    both = np.asarray(merged, float).reshape(-1, 2)
    return both[:, 0], both[:, 1]
