"""NWB files in the WormID layout (and close to it): traces, names, positions, stimuli, behaviour, images, labels.

Files are read with h5py, so no extension has to be installed and files of any version of it can be read. Expected, where
present (first found wins):

* `processing/CalciumActivity/{SignalDFoF, ProcessedDFoF, SignalRawFluor, ...}/<RoiResponseSeries>`, or the series itself;
* names: column `ID_labels` of the segmentation that the traces point to, `CalciumActivity/NeuronIDs/labels`, or
  `NeuroPAL/NeuroPALSegmentation/NeuroPALNeurons`;
* positions: mean of the voxel masks times `grid_spacing` of the imaging volume;
* stimuli: `intervals/*` and `stimulus/presentation/*`; behaviour: series below `processing/Behavior`;
* images: `acquisition/CalciumImageSeries` (frame, x, y, z[, channel]).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ...model.attributes import KEY as ATTRIBUTES
from ...model.errors import FormatError, InputError
from ...model.recording import Recording, empty_stimuli
from .. import limits
from ..choice import ChoiceNeeded
from ..clock import UNIT_SAID
from ..files import existing
from ..format import Format, is_hdf5
from ..units import micrometres
from ..volumes.hdf5 import Hdf5Array, check_dataset, is_local, is_nwb, member, opened, read_all
from ..volumes.volume import Stored, Volume, build_volume
from .fields import recording_from_fields, stimulus_table, texts
from .nwb_about import about_in, our_provenance
from .side_tables import onto_clock

ORDER = 40


SIGNALS = (
    "SignalDFoF",
    "ProcessedDFoF",
    "SignalRawFluor",
    "SignalFluorescence",
    "ProcessedRawFluor",
    "SignalCalciumImResponseSeries",
)
"""Containers of traces in the order of preference; anything with "Reference" in its path comes last."""
NAME_COLUMNS = ("ID_labels", "video_ID_labels", "labels", "neuron_name", "name", "names")
STIMULUS_COLUMNS = (
    "stimulus",
    "stimulus_name",
    "stim_name",
    "name",
    "label",
    "odor",
    "chemical",
    "stimulus_type",
    "tags",
)
MOMENT_S = 1e-5
"""An invalid interval that is no longer than this marks an interruption, not missing samples."""


def write_recording(recording: Recording, path: str | Path) -> Path:
    """Write a recording in the WormID layout; see `nwb_write`.

    Parameters
    ----------
    recording : Recording
    path : str or Path
    """
    from .nwb_write import write_recording as write

    return write(recording, path)


def read_recordings(path: str | Path, *, name: str = "", signal: str | None = None) -> list[Recording]:
    """Read the recording of an NWB file.

    Parameters
    ----------
    path : str or Path
    name : str
        Instead of the subject's id.
    signal : str, optional
        Path of the traces, or a part of it, where there are several ("SignalRawFluor").

    Raises
    ------
    ChoiceNeeded
        If there are several sets of traces, none of which is the one that the WormID layout puts first.
    """
    path = existing(path)
    where = str(path)
    with opened(path, "NWB file") as file:
        notes: list[str] = []
        series_path, series = _choose_series(file, where, signal, notes)
        spot = f"{where}:{series_path}"
        traces, time, units = _series_values(series, spot)
        table, rows = _segmentation(file, series, spot)
        n = traces.shape[1]
        fields: dict[str, Any] = {"traces": traces, "t": time, "units": np.asarray(units)}
        names = _names(file, series, table, rows, n, spot)
        if names is not None:
            fields["names"] = np.asarray(names, dtype=str)
        positions = _positions(file, table, rows, n, where, notes)
        if positions is not None:
            fields["positions_um"] = positions
        fields |= _our_columns(table, rows, n, where)
        fields |= _curated(table, rows, fields, where, notes)
        gaps = _invalid_times(file, where)
        fields["traces"] = _without_invalid(traces, time, gaps, notes)
        if "labels" not in fields and table is not None and rows is not None:
            fields["labels"] = _label_ids(table, rows, where)
        if not name:
            name = _animal(file) or path.stem
        recording = recording_from_fields(fields, spot, name=name)
        ours = our_provenance(file)
        provenance: dict[str, Any] = {"nwb": {"file": path.name, "series": series_path, "units": units}} | ours
        if notes:
            provenance["reading"] = "; ".join(notes)
        provenance.pop(UNIT_SAID, None)
        if ours or "timestamps" not in series:  # ours, or a rate in Hz; any timestamps are called seconds
            provenance[UNIT_SAID] = True
        if ours:
            provenance["names_decided"] = True
        elif about := about_in(file):
            provenance[ATTRIBUTES] = about
        return [
            recording.replace(
                stimuli=_stimuli(file, where),
                behaviour=_behaviour(file, time, where),
                breaks=tuple(
                    dict.fromkeys(s for gap in gaps for s in gap if gap[1] - gap[0] > MOMENT_S or s == gap[0])
                ),
                provenance=provenance,
            )
        ]


# --- finding things --------------------------------------------------------------------------------------------------


def _kind(node: Any) -> str:
    value = node.attrs.get("neurodata_type", "")
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _walk(group: Any, prefix: str, depth: int = 0, seen: list[int] | None = None) -> Iterator[tuple[str, Any]]:
    """Yield (path, group) of all groups below, without links to other files; how many there are is checked before they are read."""
    import h5py

    if depth > 8 or not isinstance(group, h5py.Group):
        return
    seen = [0] if seen is None else seen
    seen[0] += len(group)
    if seen[0] > limits.MAX_NWB_MEMBERS:
        raise FormatError(
            f"'{prefix}' of this NWB file has more than {limits.MAX_NWB_MEMBERS} members",
            where=str(group.file.filename),
            fix="Hold less in one file.",
        )
    for name in group:
        if not is_local(group, name):
            continue
        node = group.get(name)
        if isinstance(node, h5py.Group):
            yield f"{prefix}/{name}", node
            yield from _walk(node, f"{prefix}/{name}", depth + 1, seen)


def _choose_series(file: Any, where: str, signal: str | None, notes: list[str]) -> tuple[str, Any]:
    found: dict[str, Any] = {}
    for top in ("processing", "acquisition"):
        group = member(file, top, where)
        if group is None:
            continue
        nodes = _walk(group, top)
        found |= {p: n for p, n in nodes if _kind(n) == "RoiResponseSeries" or ("rois" in n and "data" in n)}
    if not found:
        raise InputError(
            "there are no traces (no RoiResponseSeries) in this NWB file",
            where=where,
            fix="If it holds images, open them and extract the traces.",
        )
    if signal is not None:
        exact = {p: n for p, n in found.items() if p.strip("/") == signal.strip("/")}
        found = exact or {p: n for p, n in found.items() if signal.lower() in p.lower()} or _none(signal, found, where)
    if len(found) == 1:
        return next(iter(found.items()))

    def rank(path: str) -> tuple[bool, int]:
        first = next((i for i, s in enumerate(SIGNALS) if f"/{s}" in path), len(SIGNALS))
        return ("reference" in path.lower(), first)

    ranked = sorted(found, key=rank)
    best = rank(ranked[0])
    if best[1] < len(SIGNALS) and rank(ranked[1]) != best:
        notes.append(f"traces taken from {ranked[0]} (others: {', '.join(ranked[1:])}; signal= chooses)")
        return ranked[0], found[ranked[0]]
    raise ChoiceNeeded(
        f"there are {len(found)} sets of traces in this NWB file",
        where=where,
        fix=f"Pass signal= one of: {', '.join(ranked)}.",
        option="signal",
        choices=tuple(ranked),
    )


def _none(signal: str, found: dict[str, Any], where: str) -> dict[str, Any]:
    raise InputError(f"no traces are called '{signal}'", where=where, fix=f"Found: {', '.join(found)}.")


def _series_values(series: Any, spot: str) -> tuple[np.ndarray, np.ndarray, str]:
    if "data" not in series:
        raise FormatError(
            "the traces have no data", where=spot, fix="It may be damaged or cut off; copy or export it again."
        )
    data = series["data"]
    values = read_all(data, spot)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or 0 in values.shape:
        raise FormatError(f"the traces have shape {values.shape}", where=spot, fix="Traces must be (time, neuron).")
    n_rois = series["rois"].shape[0] if "rois" in series else values.shape[1]
    stamps = read_all(series["timestamps"], spot).astype(float).ravel() if "timestamps" in series else None
    if values.shape[1] != n_rois and values.shape[0] == n_rois and (stamps is None or len(stamps) == values.shape[1]):
        values = values.T  # some files hold (neuron, time), against the standard; the number of ROIs tells
    factor = float(data.attrs.get("conversion", 1.0))
    shift = float(data.attrs.get("offset", 0.0))
    if not (math.isfinite(factor) and factor != 0 and math.isfinite(shift)):
        raise FormatError(
            f"the values are to be multiplied by {factor:g} and shifted by {shift:g}, which leaves no signal",
            where=spot,
            fix="Write the file again with the right conversion and offset.",
        )
    if factor != 1.0 or shift != 0.0:
        values = values * factor + shift
    if stamps is None:
        if "starting_time" not in series:
            raise FormatError(
                "the traces have neither timestamps nor a starting time",
                where=spot,
                fix="Write the file again with timestamps.",
            )
        start = series["starting_time"]
        rate = float(start.attrs.get("rate", math.nan))
        if not rate > 0:
            raise FormatError(
                f"the sampling rate is {rate:g}", where=spot, fix="Write the file again with the rate in Hz."
            )
        stamps = float(start[()]) + np.arange(len(values)) / rate
    if len(stamps) != len(values):
        raise FormatError(
            f"{len(stamps)} time stamps for {len(values)} samples",
            where=spot,
            fix="There must be a time for every sample.",
        )
    units = data.attrs.get("unit", "")
    return values, stamps, units.decode(errors="replace") if isinstance(units, bytes) else str(units)


def _segmentation(file: Any, series: Any, spot: str) -> tuple[Any, np.ndarray | None]:
    """Return the table of regions that the traces point to, and its row for every trace."""
    if "rois" not in series:
        return None, None
    rois = series["rois"]
    rows = read_all(rois, spot).ravel().astype(int)
    reference = rois.attrs.get("table")
    if reference is None or not reference:
        return None, rows
    table = file[reference]
    n_rows = table["id"].shape[0] if "id" in table else int(rows.max()) + 1
    if len(rows) and (rows.min() < 0 or rows.max() >= n_rows):
        raise FormatError(
            f"the traces point to row {int(rows.max())} of a table of {n_rows}",
            where=spot,
            fix="Write the file again with all regions in the table.",
        )
    return table, rows


def _ragged(table: Any, column: str, where: str) -> list[Any]:
    """Return the values of a column of a DynamicTable, one item a row, whether it is indexed or not."""
    values = read_all(table[column], where)
    if f"{column}_index" not in table:
        return list(values)
    ends = read_all(table[f"{column}_index"], where).astype(int)
    starts = np.concatenate([[0], ends])[:-1]
    if (np.diff(ends) < 0).any() or (len(ends) and ends[-1] > len(values)):
        raise FormatError(
            f"the index of column '{column}' is damaged",
            where=where,
            fix="It may be damaged or cut off; copy or export it again.",
        )
    return [values[a:b] for a, b in zip(starts, ends, strict=True)]


def _column_texts(table: Any, column: str, where: str) -> list[str] | None:
    if column not in table or not hasattr(table[column], "shape"):
        return None
    items = _ragged(table, column, where)
    # indexed name columns hold a name's letters one by one, or one name a row
    joined = ["".join(texts(i) or []) if isinstance(i, np.ndarray) else (texts([i]) or [""])[0] for i in items]
    return joined if any(joined) or column == "ID_labels" else None


def _names(file: Any, series: Any, table: Any, rows: np.ndarray | None, n: int, where: str) -> list[str] | None:
    if table is not None and rows is not None:
        for column in NAME_COLUMNS:
            found = _column_texts(table, column, where)
            if found is not None and len(found) > int(rows.max(initial=-1)):
                return [found[r].strip() for r in rows]
    module = series.parent
    for _ in range(3):
        for key in ("NeuronIDs", "NeuronID", "SegmentationLabels"):
            node = module.get(key) if key in module and is_local(module, key) else None
            if node is not None and "labels" in node:
                found = texts(read_all(node["labels"], where)) or []
                if len(found) == n:
                    return [n.strip() for n in found]
                if rows is not None and len(found) > int(rows.max(initial=-1)):
                    return [found[r].strip() for r in rows]
        module = module.parent
    neuropal = member(file, "processing/NeuroPAL/NeuroPALSegmentation/NeuroPALNeurons", where)
    if neuropal is not None:
        found = _column_texts(neuropal, "ID_labels", where)
        if found is not None and len(found) == n:
            return [n.strip() for n in found]
    return None


def _positions(
    file: Any, table: Any, rows: np.ndarray | None, n: int, where: str, notes: list[str]
) -> np.ndarray | None:
    if table is None or rows is None or "voxel_mask" not in table:
        return None
    mask = table["voxel_mask"]
    if mask.dtype.names is None or not {"x", "y", "z"} <= set(mask.dtype.names):
        return None
    spacing = _grid_spacing(table, notes)
    if spacing is None:
        return None
    regions = _ragged(table, "voxel_mask", where)
    positions = np.full((n, 3), np.nan)
    for index, row in enumerate(rows):
        region = np.atleast_1d(regions[row])
        if len(region):
            centre = np.array([np.mean(region[a].astype(float)) for a in "zyx"])
            positions[index] = centre * spacing
    return positions


def _grid_spacing(table: Any, notes: list[str]) -> np.ndarray | None:
    """Return the voxel size (z, y, x) in um of the imaging volume that a table or series links to."""
    for key in ("imaging_plane", "imaging_volume"):
        plane = table.get(key) if key in table and is_local(table, key) else None
        if plane is not None and "grid_spacing" in plane:
            values = np.asarray(plane["grid_spacing"][()], float).ravel()
            if len(values) != 3 or not (np.isfinite(values).all() and (values > 0).all()):
                return None
            unit = plane["grid_spacing"].attrs.get("unit", "meters")
            unit = unit.decode() if isinstance(unit, bytes) else str(unit)
            factor = micrometres(unit, str(plane.name), asked=values)
            if factor is None:
                notes.append(
                    f"grid spacing {values.tolist()} has the unit '{unit}', which is no length: positions left out"
                )
                return None
            if factor == 1e6 and values.max() > 1e-3:
                # files exist that call micrometres "meters": no microscope has voxels of over a millimetre
                factor = 1.0
                notes.append(f"grid spacing {values.tolist()} '{unit}' was read as micrometres")
            spacing: np.ndarray = values[::-1] * factor
            return spacing
    return None


def _label_ids(table: Any, rows: np.ndarray, where: str) -> np.ndarray:
    ids = read_all(table["id"], where).astype(np.int64).ravel() if "id" in table else np.arange(rows.max() + 1)
    chosen: np.ndarray = ids[rows]
    if len(np.unique(chosen)) != len(chosen):
        chosen = rows.astype(np.int64)
    return chosen if chosen.min(initial=1) >= 1 else chosen + 1


def _our_columns(table: Any, rows: np.ndarray | None, n: int, where: str) -> dict[str, Any]:
    """Return the columns that only files written by this package have."""
    fields: dict[str, Any] = {}
    if table is None or rows is None:
        return fields
    for column, key in (("label", "labels"), ("confidence", "label_confidence"), ("rejected", "rejected")):
        if column in table and hasattr(table[column], "shape") and table[column].shape == (table["id"].shape[0],):
            fields[key] = read_all(table[column], where)[rows]
    if {"z_um", "y_um", "x_um"} <= set(table):
        fields["positions_um"] = np.stack([read_all(table[f"{a}_um"], where)[rows] for a in "zyx"], axis=1)
    if "note" in table:
        note = _column_texts(table, "note", where)
        if note is not None and len(note) > int(rows.max(initial=-1)):
            fields["note"] = np.asarray([note[r] for r in rows], dtype=str)
    return fields


def _animal(file: Any) -> str:
    for key in ("general/subject/subject_id", "general/session_id", "identifier"):
        node = member(file, key, "")
        if node is not None and hasattr(node, "shape"):
            found = texts(node[()])
            if found and found[0]:
                return found[0]
    return ""


def _invalid_times(file: Any, where: str) -> list[tuple[float, float]]:
    """Return start and stop (s) of what the file marks as invalid; a moment without length is a place of interruption."""
    node = member(file, "intervals/invalid_times", where)
    if node is None or "start_time" not in node:
        return []
    start = read_all(node["start_time"], where).astype(float).ravel()
    stop = read_all(node["stop_time"], where).astype(float).ravel() if "stop_time" in node else start
    if len(stop) != len(start):
        raise FormatError(
            f"invalid_times has {len(start)} starts and {len(stop)} stops",
            where=where,
            fix="It may be damaged or cut off; copy or export it again.",
        )
    return sorted((float(a), float(b)) for a, b in zip(start, stop, strict=True) if math.isfinite(a) and b >= a)


def _without_invalid(
    traces: np.ndarray, time: np.ndarray, gaps: list[tuple[float, float]], notes: list[str]
) -> np.ndarray:
    """Return the traces with NaN in the intervals that the file marks as invalid."""
    outside = np.ones(len(time), dtype=bool)
    for start, stop in gaps:
        if stop - start > MOMENT_S:
            outside &= (time < start) | (time > stop)
    if outside.all():
        return traces
    notes.append(f"{int((~outside).sum())} of {len(time)} samples lie in times that the file marks as invalid: missing")
    return np.where(outside[:, None], traces.astype(float, copy=False), np.nan)


CURATED = (
    ("iscell", True),
    ("is_cell", True),
    ("accepted", True),
    ("is_accepted", True),
    ("rejected", False),
    ("is_rejected", False),
)
"""Columns by which programs say what is a cell (suite2p, CaImAn, older and newer NeuroConv)."""


def _curated(
    table: Any, rows: np.ndarray | None, fields: dict[str, Any], where: str, notes: list[str]
) -> dict[str, Any]:
    """Return which regions the segmentation program or its user found to be no cells (suite2p, CaImAn, NeuroConv)."""
    if table is None or rows is None or "rejected" in fields:
        return {}
    columns = {str(k).lower(): str(k) for k in table}
    for key, means_cell in CURATED:
        if key not in columns or not hasattr(table[columns[key]], "shape"):
            continue
        values = read_all(table[columns[key]], where)
        values = values[:, 0] if values.ndim == 2 else values
        if values.ndim != 1 or len(values) <= int(rows.max(initial=-1)) or values.dtype.kind not in "fiub":
            continue
        cell = (values[rows] > 0.5) == means_cell
        if not cell.all():
            notes.append(f"{int((~cell).sum())} of {len(cell)} regions are rejected by column '{columns[key]}'")
        return {"rejected": ~cell}
    return {}


def _stimuli(file: Any, where: str) -> pd.DataFrame:
    labels: list[str] = []
    starts: list[np.ndarray] = []
    stops: list[np.ndarray] = []
    intervals = member(file, "intervals", where)
    for name in intervals or ():
        node = intervals.get(name) if is_local(intervals, name) else None
        if node is None or name == "invalid_times" or "start_time" not in node:
            continue
        start = read_all(node["start_time"], where).astype(float).ravel()
        stop = read_all(node["stop_time"], where).astype(float).ravel() if "stop_time" in node else start
        if len(start) != len(stop):
            raise FormatError(
                f"interval '{name[:40]}' has {len(start)} starts and {len(stop)} ends",
                where=where,
                fix="It may be damaged or cut off; copy or export it again.",
            )
        label = next((t for c in STIMULUS_COLUMNS if (t := _column_texts(node, c, where)) is not None), None)
        if label is None or len(label) != len(start):
            label = [name] * len(start)
        labels += [v or name for v in label]
        starts.append(start)
        stops.append(stop)
    presented = member(file, "stimulus/presentation", where)
    for name in presented or ():
        node = presented.get(name) if is_local(presented, name) else None
        if node is not None and _kind(node) == "AnnotationSeries" and "timestamps" in node:
            at = read_all(node["timestamps"], where).astype(float).ravel()
            label = texts(read_all(node["data"], where)) or []
            if len(label) == len(at):
                labels += label
                starts.append(at)
                stops.append(at)
    return stimulus_table(labels, np.concatenate(starts), np.concatenate(stops)) if labels else empty_stimuli()


def _behaviour(file: Any, time: np.ndarray, where: str) -> xr.Dataset:
    channels: dict[str, xr.DataArray] = {}  # put together at once: one by one, a data set is copied every time
    processing = member(file, "processing", where)
    for module in processing or ():
        if "behavio" not in module.lower() or not is_local(processing, module):
            continue
        for path, node in _walk(processing[module], module):
            if "data" not in node or not hasattr(node["data"], "shape") or len(node["data"].shape) != 1:
                continue
            if node["data"].dtype.kind not in "fiub":
                continue
            spot = f"{where}:{path}"
            values = read_all(node["data"], spot).astype(float)
            if "timestamps" in node:
                own = read_all(node["timestamps"], spot).astype(float).ravel()
            elif "starting_time" in node and float(node["starting_time"].attrs.get("rate", 0)) > 0:
                start = node["starting_time"]
                own = float(start[()]) + np.arange(len(values)) / float(start.attrs["rate"])
            else:
                continue
            if len(own) != len(values) or len(own) < 1 or (np.diff(own) <= 0).any():
                continue
            finite = values[np.isfinite(values)]
            binary = len(finite) > 0 and bool(np.isin(finite, (0.0, 1.0)).all())
            same = len(own) == len(time) and np.allclose(own, time, rtol=0, atol=1e-6)
            course = values if same else onto_clock(time, own, values, binary)
            units = node["data"].attrs.get("unit", "")
            units = units.decode(errors="replace") if isinstance(units, bytes) else str(units)
            name = path.rsplit("/", 1)[-1]
            channels[name] = xr.DataArray(
                course, dims="time", attrs={"kind": "binary" if binary else "continuous", "units": units}
            )
    return xr.Dataset(channels)


# --- images and labels -----------------------------------------------------------------------------------------------


def image_series(file: Any, where: str) -> dict[str, tuple[int, ...]]:
    """Return path and shape of the image series of an NWB file, calcium first."""
    found: dict[str, tuple[int, ...]] = {}
    for top in ("acquisition", "processing"):
        group = member(file, top, where)
        if group is None:
            continue
        for path, node in _walk(group, top):
            data = node.get("data") if "data" in node and is_local(node, "data") else None
            if data is None or len(getattr(data, "shape", ())) not in (3, 4, 5) or data.dtype.kind not in "uif":
                continue
            if any(word in _kind(node) for word in ("Image", "Volume", "PhotonSeries")) or "imaging_volume" in node:
                found[path] = tuple(int(v) for v in data.shape)
    return dict(sorted(found.items(), key=lambda kv: ("CalciumImageSeries" not in kv[0], kv[0])))


def open_volume(path: str | Path, *, dataset: str | None = None, labels: bool = False, **options: Any) -> Volume:
    """Open an image series lazily.

    Parameters
    ----------
    path : str or Path
    dataset : str, optional
        Path of the series, where there are several ("acquisition/CalciumImageSeries").
    labels : bool
    **options
        axes, channel, voxel_size_um, frame_rate_hz: see `build_volume`.
    """
    path = existing(path)
    where = str(path)
    with opened(path, "NWB file") as file:
        known = image_series(file, where)
        calcium = [k for k in known if "CalciumImageSeries" in k and "acquisition" in k]
        if dataset is None:
            if len(calcium) == 1:
                dataset = calcium[0]
            elif len(known) == 1:
                dataset = next(iter(known))
            else:
                if not known:
                    raise InputError("this NWB file has no image series", where=where, fix="Choose a file with images.")
                raise ChoiceNeeded(
                    f"this NWB file has {len(known)} image series",
                    where=where,
                    fix=f"Pass dataset= one of: {', '.join(known)}.",
                    option="dataset",
                    choices=tuple(known),
                )
        dataset = dataset.strip("/").removesuffix("/data")
        node = member(file, dataset, where)
        if node is None or "data" not in node:
            raise InputError(f"there is no image series '{dataset}'", where=where, fix=f"Found: {', '.join(known)}.")
        data = member(node, "data", where)
        check_dataset(data, where)
        kind, n_axes = _kind(node), len(data.shape)
        if kind == "MultiChannelVolume":
            axes = "xyzc"
        elif kind == "MultiChannelVolumeSeries":
            axes = {4: "txyz", 5: "txyzc"}.get(n_axes, "")
        else:
            axes = {3: "txy", 4: "txyz"}.get(n_axes, "")
        notes: list[str] = []
        size = _grid_spacing(node, notes)
        rate, times = _rate(node, where), _frame_times(node, int(data.shape[0]), where)
        stimuli = _stimuli(file, where)
    array = Hdf5Array(where, f"{dataset}/data")
    volume = build_volume(
        Stored(array, list(axes) or None, (math.nan,) * 3 if size is None else size.tolist(), rate), where, labels=labels,
        stimuli=stimuli if len(stimuli) else None, time_s=times, **options,
    )  # fmt: skip
    if labels:
        from ..volumes.omezarr import check_first_frame

        check_first_frame(volume, where)
    return volume


def _rate(node: Any, where: str) -> float:
    if "starting_time" in node:
        rate = float(node["starting_time"].attrs.get("rate", math.nan))
        return rate if rate > 0 else math.nan
    if "timestamps" in node:
        stamps = read_all(node["timestamps"], where).astype(float).ravel()
        step = float(np.median(np.diff(stamps))) if len(stamps) > 1 else math.nan
        return 1.0 / step if step > 0 else math.nan
    return math.nan


def _frame_times(node: Any, n: int, where: str) -> np.ndarray | None:
    """Return the times of the frames on the clock of the file, which stimuli and behaviour share; None where that is 0, 1, ..."""
    if "timestamps" in node:
        stamps = read_all(node["timestamps"], where).astype(float).ravel()
        fits = len(stamps) == n and bool(np.isfinite(stamps).all()) and bool((np.diff(stamps) > 0).all())
        return stamps if fits else None
    rate = _rate(node, where)
    start = float(node["starting_time"][()]) if "starting_time" in node else 0.0
    return start + np.arange(n) / rate if start != 0 and math.isfinite(start) and math.isfinite(rate) else None


def open_labels(
    path: str | Path, *, dataset: str | None = None, radius_um: float | None = None, **options: Any
) -> Volume:
    """Open the segmentation of an NWB file as labels.

    Parameters
    ----------
    path : str or Path
    dataset : str, optional
        An image series of labels, or a table with voxel masks; by default the table that the traces point to.
    radius_um : float, optional
        Radius of the neurons, where the masks hold only centres.
    **options
        See `build_volume`.
    """
    path = existing(path)
    where = str(path)
    with opened(path, "NWB file") as file:
        node = member(file, dataset, where) if dataset is not None else None
        if dataset is None:
            series = [k for k in image_series(file, where) if "Segmentation" in k]
            tables = (
                {p: n for p, n in _walk(file["processing"], "processing") if "voxel_mask" in n}
                if "processing" in file
                else {}
            )
            if len(series) == 1 and not tables:
                return open_volume(path, dataset=series[0], labels=True, **options)
            ranked = sorted(tables, key=lambda p: ("CalciumSeriesSegmentation" not in p, p))
            if not ranked:
                raise InputError(
                    "there is no segmentation in this NWB file", where=where, fix="Give the labels' own file."
                )
            dataset, node = ranked[0], tables[ranked[0]]
        if node is None:
            raise InputError(
                f"there is no '{dataset}'", where=where, fix="Pass the path of a table or an image series in the file."
            )
        if "voxel_mask" not in node:
            return open_volume(path, dataset=dataset, labels=True, **options)
        masks = _ragged(node, "voxel_mask", f"{where}:{dataset}")
        names = _column_texts(node, "ID_labels", where) or [""] * len(masks)
        shape, size, rate = _mask_space(file, node, where)
    if shape is None:
        raise InputError(
            "the size of the volume is not known",
            where=where,
            fix="The file has no image series; give labels of their own.",
        )
    if options:
        raise InputError(f"{next(iter(options))}= does not apply to voxel masks", where=where, fix="Leave it out.")
    return _labels_from_masks(masks, names, shape, size, rate, f"{where}:{dataset}", radius_um)


def _mask_space(file: Any, table: Any, where: str) -> tuple[tuple[int, int, int, int] | None, np.ndarray | None, float]:
    notes: list[str] = []
    size = _grid_spacing(table, notes)
    for key in image_series(file, where):
        node = member(file, key, where)
        shape = tuple(int(v) for v in node["data"].shape)
        if len(shape) >= 4 and _kind(node) != "MultiChannelVolume":
            return (shape[0], shape[3], shape[2], shape[1]), size, _rate(node, where)
    return None, size, math.nan


def _labels_from_masks(
    masks: list[Any],
    names: list[str],
    shape: tuple[int, int, int, int],
    size: Any,
    rate: float,
    where: str,
    radius_um: float | None,
) -> Volume:
    import dask.array as da

    from ...model.recording import VolumeReference

    known = {i + 1: n for i, n in enumerate(names) if n}
    spacing = tuple(float(v) for v in size) if size is not None else (math.nan,) * 3
    regions = [np.atleast_1d(m) for m in masks]
    if all(len(r) <= 1 for r in regions):
        from .centres import labels_from_centres

        if radius_um is None or size is None:
            raise InputError(
                "the segmentation holds only centres", where=where, fix="Pass radius_um= (and voxel_size_um=)."
            )
        rows = [(i + 1, *(float(r[a][0]) for a in "zyx")) for i, r in enumerate(regions) if len(r)]
        table = np.asarray(rows, float)
        n = len(table)
        # centres hold for all frames: draw them once and repeat
        one = labels_from_centres(
            np.zeros(n, int),
            table[:, 0].astype(int),
            table[:, 1:],
            (1, *shape[1:]),
            radius_um / np.asarray(spacing),
            where=where,
        )
        data = one.data[0]
    else:
        limits.check_size(math.prod(shape[1:]) * 4, limits.MAX_CHUNK_BYTES, where, "the labels")
        labels = np.zeros(shape[1:], np.uint16 if len(regions) < 65_535 else np.uint32)
        for index, region in enumerate(regions):
            place = tuple(region[a].astype(np.int64) for a in "zyx")
            if any((p < 0).any() or (p >= s).any() for p, s in zip(place, shape[1:], strict=True)):
                raise FormatError(
                    f"a voxel of region {index + 1} lies outside the volume",
                    where=where,
                    fix="The masks belong to another image.",
                )
            labels[place] = index + 1
        data = da.from_array(labels, chunks=labels.shape, name=False)
    reference = VolumeReference(where, shape[1:], "zyx", (spacing[0], spacing[1], spacing[2]), rate)
    return Volume(data, reference, names=known)


FORMAT = Format(
    key="nwb",
    title="NWB (WormID layout)",
    patterns=("*.nwb",),
    holds=("recording", "volume", "labels"),
    writes=("recording",),
    endings=(".nwb",),
    extra="nwb",
    note="Reading needs nothing extra; writing needs the extra.",
    knows=lambda path, start: is_hdf5(start) and not start.startswith(b"MATLAB") and is_nwb(path),
    labels_inside=True,
)
