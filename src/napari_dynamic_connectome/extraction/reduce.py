"""Reduction of one block to a few sums per frame and neuron."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..model.errors import Cancelled, InputError
from .blocks import Block
from .job import ExtractionJob, Partial, add_partials, too_many
from .regions import as_words, box_key

LARGEST_TABLE = 1 << 17
"""Labels up to this are counted in a table; larger ones are renumbered first."""


Stop = Callable[[], bool] | None


def run_block(job: ExtractionJob, block: Block, stop: Stop = None) -> Partial:
    """Read and reduce one block; `stop` is asked between reads.

    Raises
    ------
    Cancelled
        When `stop` returned True.
    InputError
        Labels that are no labels.
    """
    if job.whole_frames:
        from .gather import gather_moving, gather_static

        return gather_static(job, block, stop) if job.labels is None else gather_moving(job, block, stop)
    return _static(job, block, stop) if job.labels is None else _moving(job, block, stop)


def _static(job: ExtractionJob, block: Block, stop: Stop) -> Partial:
    assert job.ids is not None and job.neurons is not None
    partial = Partial(block.start, block.stop, job.ids)
    for box in block.boxes:
        regions = job.neurons[box_key(box)]
        if not len(regions.index):
            continue  # nothing to see here: the chunk need not be read at all
        _ask(stop)
        shape = tuple(part.stop - part.start for part in box)
        frames, order = job.volume.read_rows(block.full(box))
        _add_static(partial, frames, regions.runs(order, shape), "", job.saturation, job.missing)
        if job.reference is not None:
            _ask(stop)
            frames, order = job.reference.read_rows(block.full(box))
            _add_static(partial, frames, regions.runs(order, shape), "reference_", float("nan"), job.missing)
    size = (block.stop - block.start, len(job.ids))
    for name in ("sum", "count", "saturated"):
        partial.sums.setdefault(name, np.zeros(size, float if name == "sum" else np.int64))
    partial.sums["voxels"] = np.zeros(size, np.int64) + sum(job.neurons[box_key(box)].sizes for box in block.boxes)
    if job.reference is not None:
        partial.sums.setdefault("reference_sum", np.zeros(size))
        partial.sums.setdefault("reference_count", np.zeros(size, np.int64))
    return partial


def _moving(job: ExtractionJob, block: Block, stop: Stop) -> Partial:
    from .kernels import any_label

    assert job.labels is not None
    parts = []
    for box in block.boxes:
        _ask(stop)
        labels = job.labels.read(block.full(box))
        flat = labels.reshape(1, -1)
        words = as_words(flat)
        if not any_label(words[0] if words.size else flat[0]):
            continue
        frames = job.volume.read(block.full(box))
        part = _sum_moving(frames, labels, box, block, job, "", job.saturation)
        if job.reference is not None:
            _ask(stop)
            frames = job.reference.read(block.full(box))
            more = _sum_moving(frames, labels, box, block, job, "reference_", float("nan"))
            part.sums |= {k: more.sums[k] for k in ("reference_sum", "reference_count")}
        parts.append(part)
    if not parts:
        return Partial(block.start, block.stop, np.zeros(0, np.int64))
    return add_partials(parts)


def _ask(stop: Stop) -> None:
    if stop is not None and stop():
        raise Cancelled


def _flat(frames: np.ndarray) -> np.ndarray:
    return frames.reshape(len(frames), -1)


def _add_static(
    partial: Partial,
    frames: np.ndarray,
    runs: tuple[np.ndarray, np.ndarray, np.ndarray],
    prefix: str,
    saturation: float,
    missing: float,
) -> None:
    from .kernels import sum_runs

    plain = frames.dtype.kind in "ui" and frames.dtype.itemsize <= 4 and missing != missing
    sums, counts, saturated = sum_runs(frames, *runs, plain, saturation, missing)
    fields = {"sum": sums, "count": counts}
    if not prefix:
        fields["saturated"] = saturated
    for name, values in fields.items():
        key = prefix + name
        partial.sums[key] = partial.sums[key] + values if key in partial.sums else values


def _sum_moving(
    frames: np.ndarray,
    labels: np.ndarray,
    box: tuple[slice, ...],
    block: Block,
    job: ExtractionJob,
    prefix: str,
    saturation: float,
) -> Partial:
    from .kernels import NEGATIVE, sum_labels

    where = "labels" if job.labels is None else job.labels.name
    n_y, n_x = labels.shape[2:]
    flat = _flat(labels)
    known = None
    size = 1024
    while True:
        status, real, whole = sum_labels(_flat(frames), flat, as_words(flat), n_x, n_y, size, saturation, job.missing)
        if status == NEGATIVE:
            raise InputError(
                "there are negative labels", where=where, fix="0 is background, neurons are positive numbers."
            )
        if status == 0:
            break
        if status < LARGEST_TABLE:
            size = status + 1
        else:
            known = np.unique(flat[flat != 0])
            too_many(len(known), job.settings, where)
            numbers = np.searchsorted(known, flat).astype(np.uint32) + 1
            numbers[flat == 0] = 0
            flat, size = numbers, len(known) + 1
    present = np.flatnonzero(whole[:, :, 1].any(axis=0))
    too_many(len(present), job.settings, where)
    ids = present.astype(np.int64) if known is None else known[present - 1].astype(np.int64)
    whole, real = whole[:, present], real[:, present]
    voxels = whole[:, :, 1]
    sums = {prefix + "sum": real[:, :, 0], prefix + "count": whole[:, :, 0]}
    if not prefix:
        sums |= {"saturated": whole[:, :, 2], "voxels": voxels}
        for axis, name in enumerate("zyx"):
            sums[name] = whole[:, :, 3 + axis] + voxels * int(box[axis].start)
    return Partial(block.start, block.stop, ids, sums)
