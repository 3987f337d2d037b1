"""Assembly of what the blocks yield into one array of traces.

In: a `Partial` per block, in any order. Out: an xarray.DataArray (time, neuron) with everything that was counted as
coordinates. The blocks of one slab are added in their order, so that the result does not depend on who finished first.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import numpy as np
import xarray as xr

from ..model.errors import InputError
from .blocks import Block
from .job import ExtractionJob, Partial, add_partials
from .regions import VoxelSets

Columns = dict[str, np.ndarray]


class Assembly:
    """Collects partial results; slabs are finished, and their sums dropped, as soon as their last block is in.

    Parameters
    ----------
    job : ExtractionJob
    blocks : sequence of Block
    """

    def __init__(self, job: ExtractionJob, blocks: Sequence[Block]) -> None:
        self.job = job
        self.n_frames = job.volume.shape[0]
        self._expected = Counter(block.slab for block in blocks)
        self._open: dict[int, dict[int, Partial]] = {}
        self._done: list[tuple[int, int, np.ndarray, Columns]] = []

    def take(self, block: Block, partial: Partial) -> None:
        """Add the result of one block."""
        parts = self._open.setdefault(block.slab, {})
        parts[block.number] = partial
        if len(parts) == self._expected[block.slab]:
            del self._open[block.slab]
            total = add_partials([parts[number] for number in sorted(parts)])
            self._done.append((total.start, total.stop, total.ids, columns_of(total, self.job)))

    def finish(self, times: np.ndarray, sets: VoxelSets | None) -> xr.DataArray:
        """Return all traces; raise if no frame has any label."""
        job = self.job
        ids = np.unique(np.concatenate([d[2] for d in self._done]))
        if not len(ids):
            where = "labels" if job.labels is None else job.labels.name
            raise InputError("there is no label: every voxel of every frame is 0", where=where)
        columns: Columns = {}
        for start, stop, mine, parts in self._done:
            at = np.searchsorted(ids, mine)
            for name, values in parts.items():
                if name not in columns:
                    absent = 0.0 if name == "voxels" else np.nan
                    columns[name] = np.full((self.n_frames, len(ids)), absent, np.float32)
                columns[name][start:stop, at] = values
        voxels = columns["voxels"]
        with np.errstate(invalid="ignore"):
            if sets is not None:
                positions = sets.centroids() * np.asarray(job.voxel_size_um)
                n_voxels = sets.sizes.astype(float)
            else:
                present = voxels > 0
                positions = np.stack([_median(columns[f"track_{a}"], present) for a in "zyx"], axis=1)
                n_voxels = _median(voxels, present)
        traces = columns.pop("trace")
        coords: dict[str, object] = {
            "time": ("time", times, {"units": "s"}),
            "neuron": [f"#{i}" for i in ids],
            "label": ("neuron", ids),
            "n_voxels": ("neuron", n_voxels),
        }
        for axis, name in enumerate("zyx"):
            coords[name] = ("neuron", positions[:, axis], {"units": "um"})
        for name, values in sorted(columns.items()):
            attrs = {"units": "um"} if name.startswith("track_") else {}
            coords[name] = (("time", "neuron"), values, attrs)
        ratio = job.reference is not None and job.settings.reference_use == "ratio"
        units = "ratio" if ratio else ("counts x voxels" if job.settings.statistic == "sum" else "counts")
        return xr.DataArray(
            traces,
            dims=("time", "neuron"),
            coords=coords,
            name="traces",
            attrs={
                "units": units,
                "settings": json.dumps(job.settings.model_dump()),
                "voxel_size_um": list(job.voxel_size_um),
            },
        )


def columns_of(total: Partial, job: ExtractionJob) -> Columns:
    """Turn the sums of a slab into traces and what belongs to them, arrays (t, neuron)."""
    sums = total.sums
    shape = (total.stop - total.start, len(total.ids))
    if not len(total.ids):
        return {}
    count = sums["count"].astype(float)
    voxels = sums["voxels"].astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        if "trace" in total.values:
            signal = total.values["trace"]
        elif job.settings.statistic == "sum":
            signal = np.where(count > 0, sums["sum"], np.nan)
        else:
            signal = sums["sum"] / count
        columns: Columns = {
            "voxels": voxels,
            "saturated": sums["saturated"] / count,
            "missing": 1.0 - count / voxels,
        }
        if "z" in sums:
            for axis, name in enumerate("zyx"):
                columns[f"track_{name}"] = sums[name] / voxels * job.voxel_size_um[axis]
        background = _background(total, "", shape)
        if background is not None:
            columns["background"] = np.where(voxels > 0, background, np.nan)
            signal = signal - background * (count if job.settings.statistic == "sum" else 1.0)
        if job.reference is not None:
            if "reference_trace" in total.values:
                reference = total.values["reference_trace"]
            else:
                reference = sums["reference_sum"] / sums["reference_count"]
            below = _background(total, "reference_", shape)
            if below is not None:
                reference = reference - below
            columns["reference"] = reference
            if job.settings.reference_use == "ratio":
                if job.settings.statistic == "sum":
                    signal = signal / count
                signal = np.where(reference > 0, signal / reference, np.nan)
        columns["trace"] = np.where(count > 0, signal, np.nan)
    return columns


def _background(total: Partial, prefix: str, shape: tuple[int, int]) -> np.ndarray | None:
    if f"{prefix}background" in total.values:
        values = np.asarray(total.values[f"{prefix}background"], float)
        return np.broadcast_to(values[:, None], shape) if values.ndim == 1 else values
    if f"{prefix}background_sum" in total.sums:
        return np.asarray(total.sums[f"{prefix}background_sum"] / total.sums[f"{prefix}background_count"])
    return None


def _median(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Median over frames of each column where present; NaN where it never is."""
    masked = np.where(present, values, np.nan).astype(float)
    result = np.full(values.shape[1], np.nan)
    some = present.any(axis=0)
    result[some] = np.nanmedian(masked[:, some], axis=0)
    return result
