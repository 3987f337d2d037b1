"""Job of an extraction: what has to be done, the `Partial` result of a block, and how partial results add up."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..model.errors import InputError
from .blocks import Block
from .regions import Regions
from .settings import ExtractionSettings
from .sources import VoxelSource


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
class ExtractionJob:
    """Everything that a worker needs to reduce any block.

    Parameters
    ----------
    volume : VoxelSource
    labels : VoxelSource or None
        Labels of every frame; None if they are static.
    reference : VoxelSource or None
    settings : ExtractionSettings
    saturation : float
        Of the volume; NaN if there is none.
    ids : array or None
        Labels of the static regions.
    neurons, annuli : dict or None
        `Regions` by box, for static labels.
    voxel_size_um : tuple of float
    """

    volume: VoxelSource
    labels: VoxelSource | None
    reference: VoxelSource | None
    settings: ExtractionSettings
    saturation: float
    ids: np.ndarray | None = None
    neurons: dict[tuple[int, ...], Regions] | None = None
    annuli: dict[tuple[int, ...], Regions] | None = None
    voxel_size_um: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def whole_frames(self) -> bool:
        """Whether all voxels of a frame are needed at once, because what is asked for cannot be added up."""
        return self.settings.statistic in ("median", "trimmed mean") or self.settings.background != "none"

    @property
    def missing(self) -> float:
        """Value of missing voxels; NaN if there is none."""
        value = self.settings.missing_value
        return float("nan") if value is None else float(value)

    def for_block(self, block: Block) -> tuple[ExtractionJob, Block]:
        """Job and block to send to another process, with only the voxels of this block where they are in memory."""
        sources = (self.volume, self.labels, self.reference)
        if not any(s is not None and s.in_memory for s in sources):
            return self, block
        whole = (slice(block.start, block.stop), *(slice(0, n) for n in self.volume.shape[1:]))

        def cut(source: VoxelSource | None) -> VoxelSource | None:
            if source is None or not source.in_memory:
                return source
            return _Window(source.array[whole], source.name, block.start)

        small = replace(self, labels=cut(self.labels), reference=cut(self.reference))
        return replace(small, volume=cut(self.volume) or self.volume), block


class _Window(VoxelSource):
    """Some frames of an array, addressed by their number in the whole."""

    def __init__(self, array: np.ndarray, name: str, start: int) -> None:
        super().__init__(np.ascontiguousarray(array), name)
        self.start = start

    def _part(self, box: tuple[slice, ...]) -> np.ndarray:
        time = slice(box[0].start - self.start, box[0].stop - self.start)
        return np.asarray(self.array[(time, *box[1:])])


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
