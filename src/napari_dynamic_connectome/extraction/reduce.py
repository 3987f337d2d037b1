"""What is done with one block: read it, and reduce it to a few numbers per frame and neuron.

In: a `Job` (what to read and how to reduce; it can be pickled and sent to a worker) and a `Block`. Out: a `Partial`, whose
`sums` are added up over the blocks of a slab and whose `values` are final.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from ..model.errors import Cancelled, InputError
from .blocks import Block
from .regions import Regions, box_key
from .settings import ExtractionSettings
from .sources import Source, native

LARGEST_TABLE = 1 << 17
"""Labels up to this are counted in a table; larger ones are renumbered first."""


@dataclass
class Partial:
    """What a block yields.

    Parameters
    ----------
    start, stop : int
        Frames.
    ids : int64 array
        Labels, sorted.
    sums : dict
        Arrays (t, neuron) that are added over the blocks of a slab.
    values : dict
        Arrays (t, neuron) or (t,) that are final (medians; only from blocks of whole frames).
    """

    start: int
    stop: int
    ids: np.ndarray
    sums: dict[str, np.ndarray] = field(default_factory=dict)
    values: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Job:
    """Everything that a worker needs to reduce any block.

    Parameters
    ----------
    volume : Source
    labels : Source or None
        Labels of every frame; None if they are static.
    reference : Source or None
    settings : ExtractionSettings
    saturation : float
        Of the volume; NaN if there is none.
    ids : array or None
        Labels of the static regions.
    neurons, annuli : dict or None
        `Regions` by box, for static labels.
    voxel_size_um : tuple of float
    """

    volume: Source
    labels: Source | None
    reference: Source | None
    settings: ExtractionSettings
    saturation: float
    ids: np.ndarray | None = None
    neurons: dict[tuple[int, ...], Regions] | None = None
    annuli: dict[tuple[int, ...], Regions] | None = None
    voxel_size_um: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def missing(self) -> float:
        """Value of missing voxels; NaN if there is none."""
        value = self.settings.missing_value
        return float("nan") if value is None else float(value)

    def for_block(self, block: Block) -> tuple[Job, Block]:
        """Job and block to send to another process, with only the voxels of this block where they are in memory."""
        sources = (self.volume, self.labels, self.reference)
        if not any(s is not None and s.in_memory for s in sources):
            return self, block
        whole = (slice(block.start, block.stop), *(slice(0, n) for n in self.volume.shape[1:]))

        def cut(source: Source | None) -> Source | None:
            if source is None or not source.in_memory:
                return source
            return _Window(source.array[whole], source.name, block.start)

        small = replace(self, labels=cut(self.labels), reference=cut(self.reference))
        return replace(small, volume=cut(self.volume) or self.volume), block

    def run(self, block: Block, stop: Callable[[], bool] | None = None) -> Partial:
        """Read and reduce one block; `stop` is asked between reads."""
        if self.labels is None:
            return self._static(block, stop)
        return self._moving(block, stop)

    def _static(self, block: Block, stop: Callable[[], bool] | None) -> Partial:
        assert self.ids is not None and self.neurons is not None
        partial = Partial(block.start, block.stop, self.ids)
        for box in block.boxes:
            _ask(stop)
            regions = self.neurons[box_key(box)]
            if not len(regions.index):
                continue  # nothing to see here: the chunk need not be read at all
            frames = _flat(self.volume.read(block.full(box)))
            _add_static(partial, frames, regions, "", self.saturation, self.missing)
            if self.reference is not None:
                _ask(stop)
                frames = _flat(self.reference.read(block.full(box)))
                _add_static(partial, frames, regions, "reference_", float("nan"), self.missing)
        shape = (block.stop - block.start, len(self.ids))
        for name in ("sum", "count", "saturated"):
            partial.sums.setdefault(name, np.zeros(shape, float if name == "sum" else np.int64))
        partial.sums["voxels"] = np.zeros(shape, np.int64) + sum(
            self.neurons[box_key(box)].sizes for box in block.boxes
        )
        if self.reference is not None:
            partial.sums.setdefault("reference_sum", np.zeros(shape))
            partial.sums.setdefault("reference_count", np.zeros(shape, np.int64))
        return partial

    def _moving(self, block: Block, stop: Callable[[], bool] | None) -> Partial:
        assert self.labels is not None
        parts = []
        for box in block.boxes:
            _ask(stop)
            labels = self.labels.read(block.full(box))
            if not labels.any():
                continue
            frames = self.volume.read(block.full(box))
            part = _sum_moving(frames, labels, box, block, self, self.labels.name, "", self.saturation)
            if self.reference is not None:
                _ask(stop)
                frames = self.reference.read(block.full(box))
                more = _sum_moving(frames, labels, box, block, self, self.labels.name, "reference_", float("nan"))
                part.sums |= {k: more.sums[k] for k in ("reference_sum", "reference_count")}
            parts.append(part)
        if not parts:
            return Partial(block.start, block.stop, np.zeros(0, np.int64))
        return add_partials(parts)


class _Window(Source):
    """Some frames of an array, addressed by their number in the whole."""

    def __init__(self, array: np.ndarray, name: str, start: int) -> None:
        super().__init__(np.ascontiguousarray(array), name)
        self.start = start

    def read(self, box: tuple[slice, ...]) -> np.ndarray:
        time = slice(box[0].start - self.start, box[0].stop - self.start)
        return native(np.asarray(self.array[(time, *box[1:])]))


def _ask(stop: Callable[[], bool] | None) -> None:
    if stop is not None and stop():
        raise Cancelled


def _flat(frames: np.ndarray) -> np.ndarray:
    return frames.reshape(len(frames), -1)


def _add_static(
    partial: Partial, frames: np.ndarray, regions: Regions, prefix: str, saturation: float, missing: float
) -> None:
    from .kernels import sum_regions

    sums, counts, saturated = sum_regions(frames, regions.index, regions.offsets, saturation, missing)
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
    job: Job,
    where: str,
    prefix: str,
    saturation: float,
) -> Partial:
    from .kernels import NEGATIVE, sum_labels

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


def as_words(flat: np.ndarray) -> np.ndarray:
    """View the rows of a contiguous array as 8-byte words, or as rows without words if their length does not allow it."""
    row = flat.shape[1] * flat.itemsize
    if row % 8 or flat.itemsize > 8:
        return np.zeros((len(flat), 0), np.uint64)
    return flat.view(np.uint64)


def too_many(n: int, settings: ExtractionSettings, where: str) -> None:
    """Raise if there are more labels than any labelled worm has."""
    if n > settings.max_neurons:
        raise InputError(
            f"there are {n} labels",
            where=where,
            fix=f"Is this a label image? Up to {settings.max_neurons} labels are taken (setting max_neurons).",
        )


def add_partials(parts: list[Partial]) -> Partial:
    """Add up what the blocks of one slab yield, in the order given."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    ids = np.unique(np.concatenate([p.ids for p in parts]))
    total = Partial(first.start, first.stop, ids)
    shape = (first.stop - first.start, len(ids))
    for part in parts:
        at = np.searchsorted(ids, part.ids)
        for name, values in part.sums.items():
            if name not in total.sums:
                total.sums[name] = np.zeros(shape, values.dtype)
            total.sums[name][:, at] += values
        total.values |= part.values
    return total
