"""Statistics that need all voxels of a frame at once: medians, trimmed means, annuli and frame percentiles.

In: a `ExtractionJob` and a `Block` that holds all boxes of its frames. Out: a `Partial` with final values. Boxes are still read one
after the other, each once; of static labels only the voxels that are needed are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..model.errors import Cancelled, InputError
from .blocks import Block
from .job import ExtractionJob, Partial, too_many
from .regions import Regions, box_key, find_annuli, labelled_voxels
from .sources import VoxelSource

KINDS = {"mean": 0, "median": 1, "trimmed mean": 2, "sum": 3}
Stop = Callable[[], bool] | None


def gather_static(job: ExtractionJob, block: Block, stop: Stop) -> Partial:
    """Reduce a block of whole frames with labels that hold for all frames."""
    assert job.ids is not None and job.neurons is not None
    partial = Partial(block.start, block.stop, job.ids)
    n_t = block.stop - block.start
    for prefix, source, saturation in _channels(job):
        dtype = _kept_type(source)
        inside = _Buffer(n_t, job.neurons, dtype)
        around = _Buffer(n_t, job.annuli, dtype) if job.annuli is not None else None
        whole = _Percentile(job, source, n_t) if job.settings.background == "frame percentile" else None
        for box in block.boxes:
            key = box_key(box)
            wanted = len(job.neurons[key].index) or (job.annuli is not None and len(job.annuli[key].index))
            if not wanted and whole is None:
                continue
            _ask(stop)
            frames = source.read(block.full(box)).reshape(n_t, -1)
            inside.add(key, frames)
            if around is not None:
                around.add(key, frames)
            if whole is not None:
                whole.add(frames)
        _reduce(partial, prefix, job, inside.values, inside.offsets, saturation, (n_t, len(job.ids)))
        if around is not None:
            _reduce_around(partial, prefix, job, around.values, around.offsets, (n_t, len(job.ids)))
        if whole is not None:
            partial.values[prefix + "background"] = whole.result()
    partial.sums["voxels"] = np.zeros((n_t, len(job.ids)), np.int64) + sum(
        job.neurons[box_key(b)].sizes for b in block.boxes
    )
    return partial


def gather_moving(job: ExtractionJob, block: Block, stop: Stop) -> Partial:
    """Reduce a block of whole frames with labels of every frame."""
    assert job.labels is not None
    shape = job.volume.shape[1:]
    n_t = block.stop - block.start
    labels = _read_frames(job.labels, block, stop)
    flat = labels.reshape(-1)
    where = labelled_voxels(flat)
    found = flat[where].astype(np.int64)
    if len(found) and found.min() < 0:
        raise InputError(
            "there are negative labels", where=job.labels.name, fix="0 is background, neurons are positive numbers."
        )
    ids = np.unique(found)
    too_many(len(ids), job.settings, job.labels.name)
    n = len(ids)
    partial = Partial(block.start, block.stop, ids)
    if not n:
        return partial
    size = int(np.prod(shape))
    region = np.searchsorted(ids, found)
    group = (where // size) * n + region
    order = np.argsort(group, kind="stable")
    where, group = where[order], group[order]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(group, minlength=n_t * n))]).astype(np.int64)
    around = None
    if job.settings.background == "annulus":
        around = _moving_annuli(job, labels, ids, stop)
    del labels, flat
    for prefix, source, saturation in _channels(job):
        _ask(stop)
        frames = _read_frames(source, block, stop).reshape(-1)
        _reduce(partial, prefix, job, frames[where][None], offsets, saturation, (n_t, n))
        if around is not None:
            _reduce_around(partial, prefix, job, frames[around[0]][None], around[1], (n_t, n))
        if job.settings.background == "frame percentile":
            whole = _Percentile(job, source, n_t)
            whole.add(frames.reshape(n_t, -1))
            partial.values[prefix + "background"] = whole.result()
    voxels = np.diff(offsets).reshape(n_t, n)
    partial.sums["voxels"] = voxels
    coordinates = np.unravel_index(where % size, shape)
    for name, values in zip("zyx", coordinates, strict=True):
        total = np.bincount(group, weights=values, minlength=n_t * n)
        partial.sums[name] = np.rint(total).astype(np.int64).reshape(n_t, n)
    return partial


def _moving_annuli(
    job: ExtractionJob, labels: np.ndarray, ids: np.ndarray, stop: Stop
) -> tuple[np.ndarray, np.ndarray]:
    voxels, sizes = [], []
    for t, frame in enumerate(labels):
        _ask(stop)
        sets = find_annuli(frame, ids, job.voxel_size_um, job.settings)
        voxels.append(sets.voxels + t * frame.size)
        sizes.append(sets.sizes)
    return np.concatenate(voxels), np.concatenate([[0], np.cumsum(np.concatenate(sizes))]).astype(np.int64)


def _channels(job: ExtractionJob) -> Iterator[tuple[str, VoxelSource, float]]:
    yield "", job.volume, job.saturation
    if job.reference is not None:
        yield "reference_", job.reference, float("nan")


def _ask(stop: Stop) -> None:
    if stop is not None and stop():
        raise Cancelled


def _kept_type(source: VoxelSource) -> np.dtype:
    """Return the type in which voxels are kept: that in which `VoxelSource.read` hands them out."""
    if source.dtype.kind == "b":
        return np.dtype(np.uint8)
    if source.dtype.kind == "f":
        return np.dtype(np.float32 if source.dtype.itemsize <= 4 else np.float64)
    kept: np.dtype = np.dtype(source.dtype.newbyteorder("="))
    return kept


def _read_frames(source: VoxelSource, block: Block, stop: Stop) -> np.ndarray:
    """Read the boxes of a block, one after the other, into whole frames."""
    if len(block.boxes) == 1:
        return source.read(block.full(block.boxes[0]))
    frames = np.empty((block.stop - block.start, *source.shape[1:]), _kept_type(source))
    for box in block.boxes:
        _ask(stop)
        frames[(slice(None), *box)] = source.read(block.full(box))
    return frames


class _Buffer:
    """The voxels of all regions, in the order of the regions, collected box by box."""

    def __init__(self, n_t: int, regions: dict[tuple[int, ...], Regions], dtype: np.dtype) -> None:
        self.regions = regions
        sizes = sum(r.sizes for r in regions.values())
        self.offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.values = np.empty((n_t, int(self.offsets[-1])), dtype)

    def add(self, key: tuple[int, ...], frames: np.ndarray) -> None:
        mine = self.regions[key]
        self.values[:, mine.place] = frames[:, mine.index]


def _reduce(
    partial: Partial,
    prefix: str,
    job: ExtractionJob,
    values: np.ndarray,
    offsets: np.ndarray,
    saturation: float,
    shape: tuple[int, int],
) -> None:
    from .kernels import reduce_regions

    settings = job.settings
    kind = "mean" if prefix and settings.statistic == "sum" else settings.statistic
    results, counts, saturated = reduce_regions(values, offsets, KINDS[kind], settings.trim, saturation, job.missing)
    partial.values[prefix + "trace"] = results.reshape(shape)
    partial.sums[prefix + "count"] = counts.reshape(shape)
    if not prefix:
        partial.sums["saturated"] = saturated.reshape(shape)


def _reduce_around(
    partial: Partial, prefix: str, job: ExtractionJob, values: np.ndarray, offsets: np.ndarray, shape: tuple[int, int]
) -> None:
    from .kernels import reduce_regions

    kind = KINDS[job.settings.background_statistic]
    results, _, _ = reduce_regions(values, offsets, kind, 0.0, float("nan"), job.missing)
    partial.values[prefix + "background"] = results.reshape(shape)


class _Percentile:
    """A percentile of all voxels of each frame; by histogram for integers of up to 16 bits, exact in both cases."""

    def __init__(self, job: ExtractionJob, source: VoxelSource, n_t: int) -> None:
        self.q = job.settings.background_percentile
        self.missing = job.missing
        dtype = _kept_type(source)
        self.counts: np.ndarray | None = None
        self.values: list[np.ndarray] = []
        if dtype.kind in "ui" and dtype.itemsize <= 2:
            self.low = int(np.iinfo(dtype).min)
            self.counts = np.zeros((n_t, int(np.iinfo(dtype).max) - self.low + 1), np.int64)

    def add(self, frames: np.ndarray) -> None:
        if self.counts is None:
            self.values.append(frames)
            return
        from .kernels import count_values

        count_values(frames, self.low, self.counts)

    def result(self) -> np.ndarray:
        if self.counts is None:
            return np.array([self._of_values([part[t] for part in self.values]) for t in range(len(self.values[0]))])
        return np.array([self._of_counts(row) for row in self.counts])

    def _of_values(self, parts: list[np.ndarray]) -> float:
        values = np.concatenate(parts).astype(float)
        values = values[np.isfinite(values) & (values != self.missing)]
        return float(np.percentile(values, self.q)) if len(values) else float("nan")

    def _of_counts(self, counts: np.ndarray) -> float:
        at = self.missing - self.low
        if np.isfinite(at) and at == int(at) and 0 <= at < len(counts):
            counts[int(at)] = 0
        total = np.cumsum(counts)
        if not total[-1]:
            return float("nan")
        rank = (total[-1] - 1) * self.q / 100.0
        below = int(np.floor(rank))
        above = min(below + 1, int(total[-1]) - 1)
        first = int(np.searchsorted(total, below, side="right")) + self.low
        second = int(np.searchsorted(total, above, side="right")) + self.low
        return float(first + (second - first) * (rank - below))
