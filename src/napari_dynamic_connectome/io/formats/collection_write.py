"""Worms in the layout of the homogenized collection (Simeon et al. 2024), for programs that read it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...model.errors import InputError
from ...model.neurons import CANONICAL
from ...model.progress import CancelCallback, ProgressCallback, check_cancel, report
from ...model.recording import Recording
from ..files import atomic_file
from ..ownership import our_file
from .parquet import load_pyarrow

RESAMPLED_S = 1 / 3
"""Step (s) of the collection's common clock."""
SLOTS = {name: slot for slot, name in enumerate(sorted(CANONICAL))}
"""Place of every neuron among the 302: in the order of the alphabet, as in the collection."""


def write_collection(
    recordings: Iterable[Recording],
    path: str | Path,
    *,
    source: str = "",
    step_s: float = RESAMPLED_S,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> Path:
    """Write worms as one Parquet file with one row a neuron, as the homogenized collection has them.

    Every column of the collection is there: traces as recorded (`original_...`) and on an even clock, as values, smoothed (which
    here is the same: `smooth_method` is "none") and as derivatives (`residual`), all in float32. As in the collection, values are
    standardised: mean 0 and standard deviation 1 over the observed samples of a trace. A sample that was not measured is NaN. Neurons
    that were rejected or never measured are left out; a neuron without a name, or with one that is not of the 302, gets a free slot and its number as name.
    A row group is a worm.

    Parameters
    ----------
    recordings : iterable of Recording
    path : str or Path
    source : str
        `source_dataset` of the rows. Worms that came from a collection keep theirs, and their names in it, unless it is given;
        of others it is "own".
    step_s : float
        Step of the even clock in seconds; values are interpolated linearly, not over missing samples or breaks.
    overwrite : bool
        A file that this program did not write, or that was changed since, may be replaced; it is refused otherwise.
    progress, cancel : callable, optional

    Returns
    -------
    Path

    Raises
    ------
    InputError
        There is no worm, two have one name, one has more than 302 neurons, or the step is no positive number.
    MissingExtraError
        pyarrow is not installed.
    """
    pa = load_pyarrow()
    worms = list(recordings)
    names = [_about(one, source) for one in worms]
    if not worms:
        raise InputError("there is no worm to write", where="collection")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"two worms are called '{' '.join(twice[:2])}'", where="collection", fix="Rename one.")
    if not (step_s > 0 and math.isfinite(step_s)):
        raise InputError(f"a step of {step_s} s is no step", where="step_s", fix="Give seconds, such as 0.333.")
    for one in worms:
        if len(kept_neurons(one)) > len(SLOTS):
            raise InputError(
                f"{one.name} has {len(kept_neurons(one))} neurons; the collection has {len(SLOTS)} slots a worm",
                where="collection",
                fix="Reject what is no neuron.",
            )
    with our_file(path, overwrite=overwrite) as place, atomic_file(place) as temporary:
        writer: Any = None
        try:
            for number, one in enumerate(worms):
                check_cancel(cancel)
                report(progress, number / len(worms), one.name)
                table = pa.Table.from_pylist(list(_rows(one, source, step_s)), schema=_schema(pa))
                writer = writer or pa.parquet.ParquetWriter(temporary, table.schema, compression="zstd")
                writer.write_table(table, row_group_size=max(1, len(table)))
        finally:
            if writer is not None:
                writer.close()
    report(progress, 1.0, f"{len(worms)} worms")
    return Path(path)


def _about(recording: Recording, source: str) -> tuple[str, str, str]:
    """Source, worm and raw file: those of the collection that it came from, if it did and no other source is said."""
    held = recording.provenance.get("collection")
    if isinstance(held, Mapping) and not source:
        return tuple(str(held.get(key) or recording.name) for key in ("source_dataset", "worm", "raw_data_file"))  # type: ignore[return-value]
    return source or "own", recording.name, recording.name


def kept_neurons(recording: Recording) -> np.ndarray:
    """Places of the neurons that were measured at some time and not rejected."""
    measured = np.isfinite(recording.traces.values).any(axis=0)
    return np.flatnonzero(measured & ~recording.neurons["rejected"].to_numpy(bool))


def _schema(pa: Any) -> Any:
    text, flag, whole, real, reals = pa.string(), pa.bool_(), pa.int32(), pa.float32(), pa.list_(pa.float32())
    kinds = [
        ("source_dataset", text), ("raw_data_file", text), ("worm", text), ("neuron", text), ("slot", whole),
        ("is_labeled_neuron", flag), ("is_unlabeled_neuron", flag), ("original_calcium_data", reals), ("calcium_data", reals),
        ("original_smooth_calcium_data", reals), ("smooth_calcium_data", reals), ("original_residual_calcium", reals),
        ("residual_calcium", reals), ("original_smooth_residual_calcium", reals), ("smooth_residual_calcium", reals),
        ("smooth_method", text), ("interpolate_method", text), ("original_time_in_seconds", reals), ("time_in_seconds", reals),
        ("original_dt", reals), ("dt", reals), ("original_median_dt", real), ("median_dt", real),
        ("original_max_timesteps", whole), ("max_timesteps", whole),
    ]  # fmt: skip
    return pa.schema(kinds)


def _rows(recording: Recording, source: str, step_s: float) -> Iterator[dict[str, Any]]:
    """Yield one row a neuron."""
    kept = kept_neurons(recording)
    time = recording.time_s - recording.time_s[0]
    values = _standardised(recording.traces.values[:, kept].astype(float))
    pieces = _pieces(recording, len(time))
    slopes = np.full_like(values, np.nan)
    for first, last in pieces:
        if last - first > 1:
            slopes[first:last] = np.gradient(values[first:last], time[first:last], axis=0)
    even = np.arange(0.0, time[-1] + step_s / 1e6, step_s)
    names = recording.neurons["name"].to_numpy()[kept]
    free = iter(sorted(set(range(len(SLOTS))) - {SLOTS[n] for n in names if n in SLOTS}))
    dataset, worm, raw = _about(recording, source)
    shared = {
        "source_dataset": dataset,
        "raw_data_file": raw,
        "worm": worm,
        "smooth_method": "none",
        "interpolate_method": "linear",
        "original_time_in_seconds": time.astype(np.float32),
        "time_in_seconds": even.astype(np.float32),
        "original_dt": np.diff(time, prepend=time[0]).astype(np.float32),
        "dt": np.diff(even, prepend=even[0]).astype(np.float32),
        "original_median_dt": float(np.median(np.diff(time))),
        "median_dt": step_s,
        "original_max_timesteps": len(time),
        "max_timesteps": len(even),
    }
    for k, name in enumerate(names):
        known = name in SLOTS
        slot = SLOTS[name] if known else next(free)
        own = {"calcium_data": values[:, k], "residual_calcium": slopes[:, k]}
        row = {**shared, "neuron": name if known else str(slot), "slot": slot}
        row |= {"is_labeled_neuron": known, "is_unlabeled_neuron": not known}
        for key, course in own.items():
            resampled = _resampled(time, course, pieces, even)
            for prefix, data in (("original_", course), ("", resampled)):
                row[f"{prefix}{key}"] = row[f"{prefix}smooth_{key}"] = data.astype(np.float32)
        yield row


def _pieces(recording: Recording, n_times: int) -> list[tuple[int, int]]:
    """First sample, and the one after the last, of every part between two breaks."""
    starts = [int(k) for k in np.searchsorted(recording.time_s, recording.breaks) if 0 < k < n_times]
    edges = sorted({0, *starts, n_times})
    return list(itertools.pairwise(edges))


def _standardised(values: np.ndarray) -> np.ndarray:
    """Every column with mean 0 and standard deviation 1 over its finite values; a constant one is zero."""
    finite = np.where(np.isfinite(values), values, np.nan)
    held = np.isfinite(finite).any(axis=0)
    centred = np.full_like(finite, np.nan)
    centred[:, held] = finite[:, held] - np.nanmean(finite[:, held], axis=0)
    spread = np.ones(finite.shape[1])
    spread[held] = np.nanstd(finite[:, held], axis=0)
    scaled: np.ndarray = centred / np.where(spread > 0, spread, 1.0)
    return scaled


def _resampled(time: np.ndarray, course: np.ndarray, pieces: list[tuple[int, int]], even: np.ndarray) -> np.ndarray:
    """Linear interpolation; NaN beside a missing sample and between two parts."""
    found = np.full(len(even), np.nan)
    for first, last in pieces:
        inside = (even >= time[first]) & (even <= time[last - 1] + 1e-9)
        found[inside] = np.interp(even[inside], time[first:last], course[first:last])
    return found
