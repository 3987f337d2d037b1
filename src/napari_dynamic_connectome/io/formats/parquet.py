"""Parquet: traces wide and long, small tables, and the homogenized C. elegans collection (Simeon et al. 2024).

The collection has one row a neuron, with the whole trace in a list column, and hundreds of worms in one file or folder. Rows
are filtered while reading, so that one worm costs the memory of one worm.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...model.errors import FormatError, InputError, MissingExtraError
from ...model.progress import CancelCallback, ProgressCallback, check_cancel, report
from ...model.recording import Recording
from .. import limits
from ..files import atomic_file, existing, head, reading
from ..format import Format
from ..once import once
from .fields import BEHAVIOUR_PREFIX, recording_fields, recording_from_fields
from .text_tables import time_unit
from .trace_tables import long_table, recordings_from_table, wide_table

ORDER = 90


COLLECTION_COLUMNS = ("source_dataset", "worm", "neuron")
TRACE_COLUMNS = (
    "original_calcium_data", "calcium_data", "smooth_calcium_data", "original_smooth_calcium_data", "residual_calcium",
    "original_residual_calcium", "smooth_residual_calcium", "original_smooth_residual_calcium",
)  # fmt: skip
COLLECTION_OPTIONS = ("dataset", "column", "min_named", "min_neurons", "min_duration_s")
"""Options of `read_recordings` that apply to collections alone."""
META_KEY = b"dynamic_connectome"
ROWS_AT_ONCE = 256
"""Rows of a collection that are decoded together."""


def is_parquet(path: Path) -> bool:
    """Whether a file begins as Parquet."""
    return path.is_file() and head(path, 4) == b"PAR1"


def load_pyarrow() -> Any:
    """Return pyarrow, or say which extra has it."""
    try:
        import pyarrow
        import pyarrow.dataset
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", "parquet", "Reading and writing Parquet") from error
    return pyarrow


def _schema(path: Path) -> Any:
    pa = load_pyarrow()
    with reading(path, "Parquet file"):
        if path.is_dir():
            return pa.dataset.dataset(path, format="parquet").schema
        file = pa.parquet.ParquetFile(path)
        groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
        for group in groups:
            for column in range(group.num_columns):
                part = group.column(column)
                limits.check_expansion(part.total_compressed_size, part.total_uncompressed_size, str(path))
        return file.schema_arrow


def column_names(path: Path) -> list[str]:
    """Return the names of the columns of a file or folder of files."""
    return [str(n) for n in _schema(path).names]


@once
def is_collection(path: str | Path) -> bool:
    """Whether this is a homogenized collection: one row a neuron with list columns."""
    path = existing(path)
    if path.is_dir():
        if next(path.rglob("*.parquet"), None) is None:
            return False
    elif not is_parquet(path):
        return False
    names = set(_schema(path).names)
    return set(COLLECTION_COLUMNS) <= names and any(c in names for c in TRACE_COLUMNS)


def read_frame(path: str | Path) -> pd.DataFrame:
    """Read a whole Parquet table.

    Parameters
    ----------
    path : str or Path
    """
    path = existing(path)
    pa = load_pyarrow()
    _schema(path)
    with reading(path, "Parquet file"):
        file = pa.parquet.ParquetFile(path)
        size = sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
        limits.check_size(size, limits.MAX_RECORDING_BYTES, str(path))
        nested = [f.name for f in file.schema_arrow if pa.types.is_nested(f.type)]
        if nested:
            raise FormatError(
                f"column '{nested[0][:40]}' holds lists or structures, not a number or a text a row",
                where=str(path),
                fix="Leave it out, or write a column for each.",
            )
        return _in_seconds(file.read(use_pandas_metadata=False).to_pandas(ignore_metadata=True))


def _in_seconds(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose dates are times since the first and whose durations are numbers, in the unit that the header says."""
    for column in frame.columns:
        kind = frame[column].dtype.kind
        if kind in "mM":
            values = frame[column] - frame[column].min() if kind == "M" else frame[column]
            frame[column] = values.dt.total_seconds() / (time_unit(str(column)) or 1.0)
    return frame


def read_recordings(
    path: str | Path,
    *,
    name: str = "",
    rate_hz: float | None = None,
    dataset: str | Sequence[str] | None = None,
    worm: str | Sequence[str] | None = None,
    column: str | None = None,
    labeled_only: bool = False,
    min_named: int = 0,
    min_neurons: int = 0,
    min_duration_s: float = 0.0,
    time_column: str | None = None,
    worm_column: str | None = None,
    other_columns: str | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> list[Recording]:
    """Read recordings from Parquet.

    Parameters
    ----------
    path : str or Path
        A file, or a folder of files with the columns of the collection.
    name : str
    rate_hz : float, optional
    dataset : str or sequence of str, optional
        Collection only: source datasets to read ("Kato2015").
    worm : str or sequence of str, optional
        Collection only: worms to read ("worm0").
    column : str, optional
        Collection only: which list column holds the traces; original_calcium_data if it is there, on its own clock.
    labeled_only : bool
        Collection only: leave out neurons without a name.
    min_named, min_neurons, min_duration_s : int, int, float
        Collection only: leave out worms with less.
    time_column : str, optional
        Wide and long tables: the column that holds the times, where its name does not tell.
    worm_column : str, optional
        Wide and long tables: the column that tells worms (or trials) apart, where its name does not tell; "none" if all rows are of one.
    other_columns : {"behaviour", "left out", "neurons"}, optional
        Wide and long tables: what becomes of columns that are no neurons and change in the course of a worm.
    progress, cancel : callable, optional
        Collection only: told after, and asked before, every worm.
    """
    path = existing(path)
    if is_collection(path):
        found = iterate_collection(
            path,
            dataset=dataset,
            worm=worm,
            column=column,
            labeled_only=labeled_only,
            min_named=min_named,
            min_neurons=min_neurons,
            min_duration_s=min_duration_s,
            progress=progress,
            cancel=cancel,
        )
        return list(found)
    if path.is_dir():
        raise FormatError(
            "these Parquet files are not a collection of worms", where=str(path), fix="Open them one by one."
        )
    frame = read_frame(path)
    meta = (_schema(path).metadata or {}).get(META_KEY)
    title = name or path.stem
    columns: dict[str, Any] = {"time_column": time_column, "worm_column": worm_column, "other_columns": other_columns}
    if meta:  # written here: a column that is neither the clock nor behaviour is a neuron, whatever it is called
        columns["neurons"] = [str(c).strip() for c in frame.columns[1:] if not str(c).startswith(BEHAVIOUR_PREFIX)]
    recordings = recordings_from_table(frame, str(path), name=title, rate_hz=rate_hz, **columns)
    if meta and len(recordings) == 1 and rate_hz is None:
        return [_restore(recordings[0], meta, str(path), name)]
    return recordings


def list_worms(
    path: str | Path,
    *,
    dataset: str | Sequence[str] | None = None,
    worm: str | Sequence[str] | None = None,
    min_named: int = 0,
    min_neurons: int = 0,
    min_duration_s: float = 0.0,
    lengths: bool = False,
) -> pd.DataFrame:
    """Return the worms of a collection without reading any trace.

    Parameters
    ----------
    path : str or Path
    dataset, worm : str or sequence of str, optional
        Only these.
    min_named, min_neurons : int
        Only worms with at least so many neurons with a name, and in all.
    min_duration_s : float
        Only worms that were recorded at least so long.
    lengths : bool
        Also say samples and duration_s (NaN where the collection does not tell them without its traces).

    Returns
    -------
    pandas.DataFrame
        source_dataset, worm, neurons, named; with `lengths` or `min_duration_s` samples and duration_s.

    Raises
    ------
    InputError
        A source or worm that is not there, or no worm that fits.
    """
    path = existing(path)
    pa = load_pyarrow()
    names = set(_schema(path).names)
    timed = lengths or min_duration_s > 0
    original = "original_calcium_data" in names
    samples = next((c for c in (f"{'original_' * original}max_timesteps", "max_timesteps") if c in names), None)
    step = next((c for c in (f"{'original_' * original}median_dt", "median_dt") if c in names), None)
    clock = next((c for c in (f"{'original_' * original}time_in_seconds", "time_in_seconds") if c in names), None)
    wanted = [*COLLECTION_COLUMNS, "is_labeled_neuron", *((samples, step) if timed else ())]
    with reading(path, "Parquet file"):
        source = pa.dataset.dataset(path, format="parquet")
        table = source.to_table(columns=[c for c in wanted if c in names]).to_pandas()
    if "is_labeled_neuron" not in table:
        table["is_labeled_neuron"] = True
    asked: dict[str, Any] = {"neurons": ("neuron", "size"), "named": ("is_labeled_neuron", "sum")}
    if timed and samples is not None:
        asked["samples"] = (samples, "first")
    if timed and step is not None:
        asked["step"] = (step, "first")
    listed = table.groupby(["source_dataset", "worm"], sort=False).agg(**asked).reset_index()
    listed = _select(listed, "source_dataset", dataset, path)
    listed = _select(listed, "worm", worm, path)
    listed = listed[(listed["named"] >= min_named) & (listed["neurons"] >= min_neurons)]
    if timed:
        listed = _with_durations(listed, source, clock, path)
        if min_duration_s > 0:
            listed = listed[listed["duration_s"] >= min_duration_s]
    if not len(listed):
        raise InputError(
            f"no worm has at least {min_named} named neurons, {min_neurons} neurons and {min_duration_s:g} s",
            where=str(path),
            fix="Ask for less; list_worms(path, lengths=True) shows what there is.",
        )
    return listed.reset_index(drop=True)


def _with_durations(listed: pd.DataFrame, source: Any, clock: str | None, path: Path) -> pd.DataFrame:
    """Add samples and duration_s, from the columns that tell them, else from the clocks of the worms that are left."""
    listed = listed.copy()
    if {"samples", "step"} <= set(listed.columns):
        listed["duration_s"] = (listed["samples"] - 1) * listed["step"].astype(float)
        return listed.drop(columns="step")
    pa = load_pyarrow()
    field = pa.dataset.field
    samples, durations = [], []
    for row in listed.itertuples():
        chosen = (field("source_dataset") == row.source_dataset) & (field("worm") == row.worm)
        time = np.empty(0)
        if clock is not None:
            with reading(path, "Parquet file"):
                held = source.head(1, columns=[clock], filter=chosen).to_pydict()[clock]
            time = np.asarray(held[0] if held and held[0] is not None else [], float)
        samples.append(len(time) or math.nan)
        durations.append(float(time[-1] - time[0]) if len(time) > 1 else math.nan)
    listed["samples"], listed["duration_s"] = samples, durations
    return listed.drop(columns=[c for c in ("step",) if c in listed])


@dataclass(frozen=True)
class CollectionPart:
    """Worms of a collection that are read together: all that were chosen, or those of some row groups.

    Parameters
    ----------
    path : str
        The file or folder.
    counts : dict of (str, str) to int
        Source and worm, and its rows.
    columns : tuple of str
        What is read; `traces`, `clock` and `step` among them.
    traces, clock, step : str
        List columns of traces and times, and the column of the sampling interval in s.
    named_only : bool
        Rows of neurons without a name are left out.
    with_source : bool
        The source is part of a worm's name.
    groups : tuple of (int, tuple of int), optional
        Files (in the order of the folder) and their row groups, where not all of them are read.
    """

    path: str
    counts: Mapping[tuple[str, str], int]
    columns: tuple[str, ...]
    traces: str
    clock: str
    step: str
    named_only: bool
    with_source: bool
    groups: tuple[tuple[int, tuple[int, ...]], ...] | None = None


def choose_part(
    path: str | Path,
    *,
    dataset: str | Sequence[str] | None = None,
    worm: str | Sequence[str] | None = None,
    column: str | None = None,
    labeled_only: bool = False,
    min_named: int = 0,
    min_neurons: int = 0,
    min_duration_s: float = 0.0,
    only: Sequence[tuple[str, str]] | None = None,
) -> CollectionPart:
    """Which worms of a collection are read, and how, without reading any trace; parameters as in `iterate_collection`."""
    path = existing(path)
    names = _schema(path).names
    traces = column or next((c for c in TRACE_COLUMNS if c in names), "")
    if traces not in names:
        raise InputError(
            f"there is no column '{traces}'",
            where=str(path),
            fix=f"Known: {', '.join(c for c in TRACE_COLUMNS if c in names)}.",
        )
    original = traces.startswith("original_")
    clock = "original_time_in_seconds" if original and "original_time_in_seconds" in names else "time_in_seconds"
    step = "original_median_dt" if original and "original_median_dt" in names else "median_dt"
    wanted = (*COLLECTION_COLUMNS, "raw_data_file", "slot", "is_labeled_neuron", traces, clock, step)
    listed = list_worms(
        path,
        dataset=dataset,
        worm=worm,
        min_named=min_named,
        min_neurons=min_neurons,
        min_duration_s=min_duration_s,
    )
    if only is not None:
        asked = {(str(a), str(b)) for a, b in only}
        pairs = zip(listed["source_dataset"].astype(str), listed["worm"].astype(str), strict=True)
        listed = listed[[pair in asked for pair in pairs]]
    several = listed["source_dataset"].nunique() > 1
    worms = zip(listed["source_dataset"].astype(str), listed["worm"].astype(str), strict=True)
    named_only = labeled_only and "is_labeled_neuron" in names
    return CollectionPart(
        str(path),
        dict(zip(worms, listed["named" if named_only else "neurons"].astype(int).tolist(), strict=True)),
        tuple(c for c in wanted if c in names),
        traces,
        clock,
        step,
        named_only,
        several or dataset is None,
    )


def split_part(part: CollectionPart, worms: int) -> list[CollectionPart]:
    """Parts of about so many worms each, in order, which together decode every row group once; one part where that cannot be.

    Worms are in the part of their row groups, so two worms with rows in one group are in the same part.
    """
    pa = load_pyarrow()
    fragments = list(pa.dataset.dataset(part.path, format="parquet").get_fragments())
    places: list[tuple[int, int]] = []
    first: dict[tuple[str, str], int] = {}
    last: dict[tuple[str, str], int] = {}
    for number, fragment in enumerate(fragments):
        with reading(part.path, "Parquet file"):
            table = fragment.to_table(columns=["source_dataset", "worm"])
            lengths = [group.num_rows for group in fragment.row_groups]
        keys = list(zip(*(map(str, table.column(c).to_pylist()) for c in ("source_dataset", "worm")), strict=True))
        start = 0
        for group, length in enumerate(lengths):
            for key in set(keys[start : start + length]) & set(part.counts):
                first.setdefault(key, len(places))
                last[key] = len(places)
            start += length
            places.append((number, group))
    starting: dict[int, list[tuple[str, str]]] = {}
    for key, place in first.items():
        starting.setdefault(place, []).append(key)
    parts: list[CollectionPart] = []
    held: list[tuple[str, str]] = []
    begun, open_until = 0, -1
    for place in range(len(places)):
        held += starting.get(place, [])
        open_until = max([open_until, *(last[key] for key in starting.get(place, []))])
        if open_until <= place and len(held) >= worms:
            parts.append(_of_groups(part, held, places[begun : place + 1]))
            begun, held = place + 1, []
    if held:
        parts.append(_of_groups(part, held, places[begun:]))
    return parts if len(parts) > 1 else [part]


def _of_groups(
    part: CollectionPart, worms: Sequence[tuple[str, str]], places: Sequence[tuple[int, int]]
) -> CollectionPart:
    groups: dict[int, list[int]] = {}
    for number, group in places:
        groups.setdefault(number, []).append(group)
    counts = {key: part.counts[key] for key in worms}
    return replace(part, counts=counts, groups=tuple((n, tuple(some)) for n, some in groups.items()))


def iterate_collection(
    path: str | Path,
    *,
    dataset: str | Sequence[str] | None = None,
    worm: str | Sequence[str] | None = None,
    column: str | None = None,
    labeled_only: bool = False,
    min_named: int = 0,
    min_neurons: int = 0,
    min_duration_s: float = 0.0,
    only: Sequence[tuple[str, str]] | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> Iterator[Recording]:
    """Yield the worms of a collection one by one; only the one at hand is in memory.

    Parameters
    ----------
    path, dataset, worm, column, labeled_only, min_named, min_neurons, min_duration_s
        As in `read_recordings`.
    only : sequence of (str, str), optional
        Sources and worms to read, of those that the other choices leave.
    progress, cancel : callable, optional
        Told before, and asked before, every worm.
    """
    part = choose_part(
        path,
        dataset=dataset,
        worm=worm,
        column=column,
        labeled_only=labeled_only,
        min_named=min_named,
        min_neurons=min_neurons,
        min_duration_s=min_duration_s,
        only=only,
    )
    yield from iterate_part(part, progress=progress, cancel=cancel)


def iterate_part(
    part: CollectionPart, *, progress: ProgressCallback | None = None, cancel: CancelCallback | None = None
) -> Iterator[Recording]:
    """Yield the worms of a part one by one, as `iterate_collection`."""
    pa = load_pyarrow()
    field = pa.dataset.field
    sources, worms = (sorted({pair[k] for pair in part.counts}) for k in (0, 1))
    # the filter is pushed down to row groups: only those that can hold these worms are decoded, each once
    chosen = field("source_dataset").isin(sources) & field("worm").isin(worms)
    if part.named_only:
        chosen = chosen & field("is_labeled_neuron")
    held = pa.dataset.dataset(part.path, format="parquet")
    if part.groups is not None:
        files = list(held.get_fragments())
        some = [files[number].subset(row_group_ids=list(groups)) for number, groups in part.groups]
        held = pa.dataset.FileSystemDataset(some, held.schema, held.format, held.filesystem)
    scanned = held.scanner(
        columns=list(part.columns), filter=chosen, batch_size=ROWS_AT_ONCE, batch_readahead=2, fragment_readahead=1
    )
    count = len(part.counts)
    report(progress, 0.0, f"{count} worms")
    for number, ((source, name), rows) in enumerate(_worm_by_worm(scanned, part.counts, part.path, cancel)):
        where = f"{part.path}: {source}, {name}"
        title = f"{source} {name}" if part.with_source else name
        yield _one_worm(_lists(rows), where, title, part.traces, part.clock, part.step)
        report(progress, (number + 1) / count, f"{source} {name}, {number + 1} of {count}")


def _worm_by_worm(
    scanned: Any, counts: Mapping[tuple[str, str], int], where: str, cancel: CancelCallback | None
) -> Iterator[tuple[tuple[str, str], Any]]:
    """Yield the rows of every worm as soon as all of them were read; those of worms that are not asked for are left out.

    Rows of a worm are next to each other as a rule; where they are not, they wait for the others.
    """
    pa = load_pyarrow()
    parts: dict[tuple[str, str], list[Any]] = {}
    have: dict[tuple[str, str], int] = {}
    batches = iter(scanned.to_batches())
    while True:
        check_cancel(cancel)
        with reading(where, "Parquet file"):
            batch = next(batches, None)
        if batch is None:
            break
        keys = list(zip(*(map(str, batch.column(c).to_pylist()) for c in ("source_dataset", "worm")), strict=True))
        start = 0
        while start < len(keys):
            stop = start + 1
            while stop < len(keys) and keys[stop] == keys[start]:
                stop += 1
            key, start, part = keys[start], stop, batch.slice(start, stop - start)
            if key not in counts:
                continue
            parts.setdefault(key, []).append(part)
            have[key] = have.get(key, 0) + len(part)
            limits.check_size(
                sum(p.nbytes for p in parts[key]), limits.MAX_RECORDING_BYTES, f"{where}: {' '.join(key)}"
            )
            if have[key] == counts[key]:
                check_cancel(cancel)
                yield key, pa.Table.from_batches(parts.pop(key))


def _lists(rows: Any) -> dict[str, list[Any]]:
    """Columns of a table as lists; traces and clocks as arrays."""
    pa = load_pyarrow()
    found: dict[str, list[Any]] = {}
    for name in rows.column_names:
        column = rows.column(name).combine_chunks()
        if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
            found[name] = column.to_pylist()
            continue
        values, ends = column.values.to_numpy(zero_copy_only=False), column.offsets.to_numpy()
        found[name] = [
            None if empty else np.asarray(values[a:b], float)
            for a, b, empty in zip(ends[:-1], ends[1:], column.is_null().to_pylist(), strict=True)
        ]
    return found


def _select(table: pd.DataFrame, column: str, asked: str | Sequence[str] | None, path: Path) -> pd.DataFrame:
    if asked is None:
        return table
    items = [asked] if isinstance(asked, str) else [str(a) for a in asked]
    known = table[column].astype(str).unique().tolist()
    absent = [i for i in items if i not in known]
    if absent:
        raise InputError(f"there is no {column} '{absent[0]}'", where=str(path), fix=f"Known: {', '.join(known[:20])}.")
    return table[table[column].astype(str).isin(items)]


def _one_worm(rows: dict[str, list[Any]], where: str, title: str, traces: str, clock: str, step: str) -> Recording:
    columns = [np.asarray(v if v is not None else [], float) for v in rows[traces]]
    lengths = sorted({len(c) for c in columns})
    if len(lengths) != 1 or lengths[0] == 0:
        raise FormatError(
            f"the traces have different lengths ({lengths[0]} to {lengths[-1]})",
            where=where,
            fix="All traces of a worm must have the same clock.",
        )
    values = np.stack(columns, axis=1).astype(np.float32)
    held = rows.get(clock, [None])[0]
    if held is not None and len(held) == lengths[0]:
        time = np.asarray(held, float)
    else:
        interval = rows.get(step, [None])[0]
        if interval is None or not (float(interval) > 0 and math.isfinite(float(interval))):
            raise InputError(
                f"there is neither a fitting {clock} nor {step}",
                where=where,
                fix="Pass column= of traces that have a clock.",
            )
        time = np.arange(lengths[0]) * float(interval)
    labeled = rows.get("is_labeled_neuron") or [True] * len(columns)
    names = [str(n) if yes else "" for n, yes in zip(rows["neuron"], labeled, strict=True)]
    slots = rows.get("slot")
    labels = None
    if slots is not None and all(s is not None for s in slots) and len(set(slots)) == len(slots):
        labels = [int(s) + 1 for s in slots]
    about: dict[str, Any] = {"source_dataset": rows["source_dataset"][0], "worm": rows["worm"][0], "column": traces}
    if rows.get("raw_data_file"):
        about["raw_data_file"] = rows["raw_data_file"][0]
    return Recording.from_arrays(
        values, name=title, time_s=time, names=names, labels=labels, provenance={"collection": about}
    )


def write_recording(recording: Recording, path: str | Path, *, layout: str = "wide") -> Path:
    """Write a recording as Parquet; all metadata is kept with the wide layout.

    Parameters
    ----------
    recording : Recording
    path : str or Path
    layout : str
        "wide" or "long".
    """
    pa = load_pyarrow()
    if layout not in ("wide", "long"):
        raise InputError(f"there is no layout '{layout}'", fix="Choose wide or long.")
    frame = wide_table(recording) if layout == "wide" else long_table(recording)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    if layout == "wide":
        fields = {
            k: v.tolist()
            for k, v in recording_fields(recording).items()
            if k not in ("traces", "t") and not k.startswith("beh_")
        }
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), META_KEY: json.dumps(fields).encode()})
    with atomic_file(path) as temporary:
        pa.parquet.write_table(table, temporary, compression="zstd")
    return Path(path)


def _restore(recording: Recording, meta: bytes, where: str, name: str) -> Recording:
    limits.check_size(len(meta), limits.MAX_JSON_BYTES, where, "the metadata")
    with reading(where, "Parquet metadata"):
        held = json.loads(meta)
        fields: dict[str, Any] = {k: np.asarray(v) for k, v in held.items()}
    fields |= {"traces": recording.traces.values, "t": recording.time_s}
    fields |= {f"beh_{k}": v.values for k, v in recording.behaviour.data_vars.items()}
    fields["positions_um"] = np.asarray(
        [[np.nan if v is None else v for v in row] for row in held.get("positions_um", [])], float
    )
    return recording_from_fields(fields, where, name=name)


FORMAT = Format(
    key="parquet",
    title="Parquet",
    patterns=("*.parquet", "*.pq"),
    holds=("recording", "labels", "table"),
    writes=("recording",),
    endings=(".parquet",),
    extra="parquet",
    note="Wide, long, centres, or the homogenized collection, filtered by dataset and worm.",
    starts=(b"PAR1",),
    knows=lambda path, start: path.is_dir() and any(next(path.glob(p), None) for p in ("*.parquet", "*/*.parquet")),
    centres=lambda path: True,
)
