"""Extraction of some neurons again, after their labels were edited; all other traces stay as they are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..model.progress import part as partial_of
from ..model.recording import Recording, neuron_ids
from .extract import extract_recording
from .proofread import label_box
from .settings import ExtractionSettings
from .sources import VoxelSource, check_labels, check_volume, open_source

MOST_BOXES = 12
"""Up to so many labels are read each from its own box; more from the box that holds them all."""


def extract_again(
    before: Recording,
    volume: Any,
    labels: Any,
    touched: Collection[int],
    *,
    settings: ExtractionSettings | dict[str, Any] | None = None,
    **options: Any,
) -> Recording:
    """Extract the neurons of some labels again.

    Parameters
    ----------
    before : Recording
        With uncorrected traces, as `extract_recording` made them with the same settings.
    volume, labels : arrays
        As for `extract_recording`.
    touched : collection of int
        Labels that were edited: those that are gone leave, new ones come.
    settings : ExtractionSettings or dict, optional
        With a background around every neuron all of them are extracted: neighbours share voxels.
    **options
        Further arguments of `extract_recording`, without names.

    Returns
    -------
    Recording
        Neurons in the order of their labels; the names of those that were there stay, new ones have none.

    Notes
    -----
    Of labels that hold for all frames only the boxes around those that were touched are read, in every frame.
    """
    parsed = ExtractionSettings.parse(settings, where="extraction")
    known = before.neurons["label"].to_numpy()
    kept = [i for i, label in enumerate(known) if int(label) not in touched]
    if parsed.background != "none" or not kept or "n_voxels" not in before.traces.coords:
        return extract_recording(volume, labels, name=before.name, settings=parsed, **options)
    options.pop("names", None)
    names = dict(zip(known.tolist(), before.neurons["name"].tolist(), strict=True))
    source, label_source = open_source(volume, "volume"), open_source(labels, "labels", labels=True)
    check_volume(source)
    if check_labels(label_source, source):
        parts = _from_boxes(before, source, label_source, touched, parsed, options)
        return _joined(before, kept, parts, names)
    witness = int(known[kept[0]])  # there is always a label, whatever was erased
    chosen = only_labels(labels, [*touched, witness])
    part = extract_recording(volume, chosen, name=before.name, settings=parsed, names={}, **options)
    new = [i for i, label in enumerate(part.neurons["label"]) if int(label) != witness]
    return _joined(before, kept, [_only(part, new)] if new else [], names)


def _from_boxes(
    before: Recording,
    volume: VoxelSource,
    labels: VoxelSource,
    touched: Collection[int],
    settings: ExtractionSettings,
    options: dict[str, Any],
) -> list[Recording]:
    """Recordings of the touched labels that there are, read from boxes around them."""
    reference = options.pop("reference", None)
    channel = None if reference is None else open_source(reference, "reference")
    options.setdefault("voxel_size_um", None if volume.about is None else volume.about.voxel_size_um)
    whole = labels.read(tuple(slice(0, n) for n in labels.shape)).reshape(volume.shape[1:])
    boxes: dict[int, tuple[slice, ...]] = {}
    for one in sorted({int(i) for i in touched}):
        box = label_box(whole, one)
        if box is not None:
            boxes[one] = box
    if len(boxes) > MOST_BOXES:
        low = [min(b[axis].start for b in boxes.values()) for axis in range(3)]
        high = [max(b[axis].stop for b in boxes.values()) for axis in range(3)]
        groups = [(tuple(slice(a, b) for a, b in zip(low, high, strict=True)), list(boxes))]
    else:
        groups = [(box, [one]) for one, box in boxes.items()]
    found = []
    progress = options.pop("progress", None)
    for number, (box, ids) in enumerate(groups):
        inside = whole[box]
        part = extract_recording(
            volume.cut(box),
            np.where(np.isin(inside, ids), inside, 0).astype(whole.dtype),
            name=before.name,
            settings=settings,
            names={},
            reference=None if channel is None else channel.cut(box),
            progress=partial_of(progress, number / len(groups), (number + 1) / len(groups)),
            **options,
        )
        found.append(_shifted(part, [s.start for s in box]))
    return found


def _shifted(part: Recording, corner: Sequence[int]) -> Recording:
    """A recording of a box, with the places that its neurons have in the whole volume."""
    size = part.traces.attrs["voxel_size_um"]
    moved = {a: part.traces[a] + c * s for a, c, s in zip("zyx", corner, size, strict=True)}
    table = part.neurons.copy()
    for axis in "zyx":
        table[axis] = moved[axis].values
    return part.replace(traces=part.traces.assign_coords(moved), neurons=table)


def _only(part: Recording, places: list[int]) -> Recording:
    """Some neurons of a recording."""
    return part.replace(traces=part.traces.isel(neuron=places), neurons=part.neurons.iloc[places])


def only_labels(labels: Any, ids: Collection[int]) -> Any:
    """Return labels in which only some ids are left; labels of every frame are read frame by frame, when they are needed."""
    wanted = np.unique(np.fromiter(ids, np.int64))
    if isinstance(labels, np.ndarray) and labels.ndim <= 3:
        return np.where(np.isin(labels, wanted), labels, 0).astype(labels.dtype)
    import dask.array as da

    lazy = labels if isinstance(labels, da.Array) else da.from_array(labels, chunks=(1, *labels.shape[1:]))
    return lazy.map_blocks(lambda b: np.where(np.isin(b, wanted), b, 0).astype(b.dtype), dtype=lazy.dtype)


def _joined(before: Recording, kept: list[int], parts: list[Recording], names: dict[int, str]) -> Recording:
    """Some neurons of one recording and all of others, by label."""
    pieces = [before.traces.isel(neuron=kept), *(p.traces for p in parts)]
    times = parts[0].time_s if parts else before.time_s
    shared = set.intersection(*(set(map(str, p.coords)) for p in pieces))
    pieces = [p.drop_vars([c for c in p.coords if str(c) not in shared]).assign_coords(time=times) for p in pieces]
    tables = [before.neurons.iloc[kept], *(p.neurons for p in parts)]
    labels = np.concatenate([t["label"].to_numpy() for t in tables]).astype(np.int64)
    order = np.argsort(labels, kind="stable")
    traces = xr.concat(pieces, dim="neuron", combine_attrs="override", join="override").isel(neuron=order)
    table = pd.concat(tables, ignore_index=True).iloc[order]
    table["name"] = [names.get(int(label), "") for label in table["label"]]
    ids = neuron_ids(table["name"].tolist(), table["label"].to_numpy(), where=f"recording '{before.name}'")
    table.index = pd.Index(ids, name="neuron", dtype=object)
    return before.replace(traces=traces.assign_coords(neuron=ids), neurons=table, quality=None)
