"""Extraction: volume and labels in, one trace per neuron out.

`extract_traces` returns the traces with what was counted on the way as extra coordinates; `extract_recording` adds names,
stimuli and the description of the files and returns a `Recording`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..io.checkpoint import CheckpointFolder
from ..io.choice import ChoiceNeeded
from ..io.clock import FASTEST_HZ, SLOWEST_HZ
from ..model.errors import InputError
from ..model.execution import thread_count
from ..model.memory import budget_mb, check_fits, check_room
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, part, report
from ..model.recording import Recording, VolumeReference, empty_stimuli, neuron_ids
from .assemble import Assembly
from .blocks import Block, plan_blocks
from .job import ExtractionJob, too_many
from .regions import VoxelSets, box_key, find_annuli, labelled_voxels
from .run import Checkpoint, run_blocks
from .settings import ExtractionSettings
from .sources import VoxelSource, check_labels, check_volume, open_source


def extract_traces(
    volume: Any,
    labels: Any,
    settings: ExtractionSettings | dict[str, Any] | None = None,
    *,
    voxel_size_um: tuple[float, float, float] | None = None,
    frame_rate_hz: float | None = None,
    time_s: np.ndarray | None = None,
    reference: Any = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
    checkpoint: str | Path | CheckpointFolder | None = None,
    client: Any = None,
    **options: Any,
) -> xr.DataArray:
    """Reduce a labelled time series of volumes to one trace per neuron.

    Every stored chunk is read once, several at a time, and memory does not grow with the length of the series.

    Parameters
    ----------
    volume : array (t, z, y, x), Volume, or path
        numpy, memory map, dask, zarr, HDF5 dataset; one channel.
    labels : array (z, y, x) or (t, z, y, x), Volume, or path
        0 is background, each positive whole number a neuron; 3D labels hold for all frames. A neuron that is absent from a
        frame has no value there (NaN).
    settings : ExtractionSettings or dict, optional
    voxel_size_um : tuple of float, optional
        (z, y, x); needed unless the volume tells it.
    frame_rate_hz : float, optional
        Needed unless the volume tells it or `time_s` is given.
    time_s : array (t,), optional
        Times of the frames in seconds.
    reference : array, Volume or path, optional
        Second channel of the same shape as the volume, which does not respond to calcium.
    progress, cancel : callable, optional
        Cancelling raises `Cancelled` within a second.
    checkpoint : path or CheckpointFolder, optional
        Folder in which finished blocks are kept: after a crash, the same call goes on from there.
    client : distributed.Client or str, optional
        Run on this dask cluster (or the scheduler at this address) instead of on threads.
    **options
        Fields of `ExtractionSettings`.

    Returns
    -------
    xarray.DataArray
        (time, neuron), float32. Coordinates along `neuron`: `label`, `z`, `y`, `x` (centroid in um; for labels of every frame
        the median over frames), `n_voxels` (median over the frames where present). Coordinates (time, neuron): `saturated`
        and `missing` (share of the voxels), `voxels`, and where they apply `background`, `reference`, `track_z`, `track_y`,
        `track_x` (um). Attributes: `units`, `settings`, `voxel_size_um`.

    Raises
    ------
    InputError
        Arrays that do not fit each other, labels that are no labels, unknown voxel size or frame rate.
    Cancelled

    Examples
    --------
    >>> import numpy as np
    >>> volume = np.ones((4, 2, 8, 8), np.uint16)
    >>> labels = np.zeros((2, 8, 8), np.uint16)
    >>> labels[:, 2:4, 2:4] = 7
    >>> traces = extract_traces(volume, labels, voxel_size_um=(1, 0.5, 0.5), frame_rate_hz=2)
    >>> traces.sizes["neuron"], int(traces["label"][0]), float(traces[0, 0])
    (1, 7, 1.0)
    """
    parsed = ExtractionSettings.parse(settings, where="extraction", **options)
    report(progress, 0.0, "opening")
    check_room("an extraction")
    job, static = _open_job(volume, labels, reference, parsed, voxel_size_um)
    times = _times(job.volume, time_s, frame_rate_hz)
    blocks = _blocks(job)
    sets = None
    if static is not None:
        check_cancel(cancel)
        report(progress, 0.0, "reading the labels")
        image, ids, sets = _read_static(static, parsed)
        job = _with_static_regions(job, image, ids, sets, blocks)
    kept = None if checkpoint is None else _checkpoint(checkpoint, _plan(parsed, _sources(job), sets, job, len(blocks)))
    assembly = Assembly(job, blocks)
    steps = part(progress, 0.01, 0.99)
    at_once = _at_once(job, blocks)
    run_blocks(
        job, blocks, assembly.take, threads=at_once, progress=steps, cancel=cancel, checkpoint=kept, client=client
    )
    traces = assembly.finish(times, sets)
    report(progress, 1.0, f"{traces.sizes['neuron']} neurons, {traces.sizes['time']} frames")
    return traces


def _open_job(
    volume: Any,
    labels: Any,
    reference: Any,
    settings: ExtractionSettings,
    voxel_size_um: tuple[float, float, float] | None,
) -> tuple[ExtractionJob, VoxelSource | None]:
    """Open and check what is read; the labels apart where they hold for all frames."""
    source = open_source(volume, "volume")
    check_volume(source)
    label_source = open_source(labels, "labels", labels=True)
    static = check_labels(label_source, source)
    reference_source = None if reference is None else _open_reference(reference, source)
    size = _voxel_size(voxel_size_um, source.about, source.name)
    job = ExtractionJob(
        volume=source,
        labels=None if static else label_source,
        reference=reference_source,
        settings=settings,
        saturation=_saturation(settings, source),
        voxel_size_um=size,
    )
    return job, label_source if static else None


def _times(source: VoxelSource, time_s: np.ndarray | None, frame_rate_hz: float | None) -> np.ndarray:
    """Times of the frames (s): those given, or those of the volume."""
    if time_s is None and frame_rate_hz is None:
        time_s = source.time_s
    return frame_times(source.shape[0], time_s, frame_rate_hz, source.about, where=source.name)


def _sources(job: ExtractionJob) -> list[VoxelSource]:
    return [one for one in (job.volume, job.labels, job.reference) if one is not None]


def _blocks(job: ExtractionJob) -> list[Block]:
    return plan_blocks(
        _sources(job),
        block_bytes=job.settings.block_mb * 1e6,
        whole_frames=job.whole_frames,
        max_bytes=job.settings.memory_mb * 1e6 / 2,
    )


def _checkpoint(place: str | Path | CheckpointFolder, plan: dict[str, Any]) -> Checkpoint | None:
    folder = place.folder(plan) if isinstance(place, CheckpointFolder) else place
    return None if folder is None else Checkpoint(folder, plan)


def _open_reference(reference: Any, source: VoxelSource) -> VoxelSource:
    """Reference channel, of the shape of the volume."""
    found = open_source(reference, "reference")
    check_volume(found)
    if found.shape != source.shape:
        raise InputError(
            f"the reference channel has shape {found.shape}, the volume {source.shape}",
            where=found.name,
        )
    return found


def _at_once(job: ExtractionJob, blocks: Sequence[Block]) -> int:
    """How many blocks are worked on at the same time, within threads and memory."""
    largest = max(_block_bytes(job, block) for block in blocks)
    check_fits(
        largest / 1e6,
        "the largest block of this image",
        where=job.volume.name,
        fix="Close other programs, or store the image in smaller chunks.",
    )
    room = int(budget_mb(job.settings.memory_mb) * 1e6 // max(largest, 1))
    return max(1, min(thread_count(job.settings.threads), room, len(blocks)))


def extract_recording(
    volume: Any,
    labels: Any,
    *,
    name: str,
    names: Mapping[int, str] | None = None,
    stimuli: pd.DataFrame | None = None,
    behaviour: xr.Dataset | None = None,
    settings: ExtractionSettings | dict[str, Any] | None = None,
    voxel_size_um: tuple[float, float, float] | None = None,
    frame_rate_hz: float | None = None,
    time_s: np.ndarray | None = None,
    **more: Any,
) -> Recording:
    """Extract traces and put them together with names and stimuli as a `Recording`.

    Parameters
    ----------
    volume, labels, settings, voxel_size_um, frame_rate_hz, time_s
        As for `extract_traces`.
    name : str
        Of the animal.
    names : mapping of int to str, optional
        Label id -> neuron name; those in the file of the labels by default.
    stimuli : pandas.DataFrame, optional
        name, onset, offset (s); those in the file of the volume by default.
    behaviour : xarray.Dataset, optional
        One variable (time,) a channel.
    **more
        Further arguments of `extract_traces`.

    Returns
    -------
    Recording
    """
    source = open_source(volume, "volume")
    label_source = open_source(labels, "labels", labels=True)
    traces = extract_traces(
        source, label_source, settings, voxel_size_um=voxel_size_um, frame_rate_hz=frame_rate_hz, time_s=time_s, **more
    )
    known = [int(i) for i in traces["label"].values]
    if names is None:  # a file may name labels that no voxel has; a user who does has made a mistake
        names = {k: v for k, v in label_source.names.items() if int(k) in set(known)}
    if stimuli is None:
        stimuli = source.stimuli
    given = {int(k): str(v).strip() for k, v in names.items() if str(v).strip()}
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise InputError(
            f"no voxel has the label {', '.join(map(str, unknown[:5]))}{' ...' if len(unknown) > 5 else ''}",
            where=f"recording '{name}'",
            fix="Leave out the names of labels that are not in the image.",
        )
    table = pd.DataFrame({"label": known, "name": [given.get(i, "") for i in known]})
    for axis in "zyx":
        table[axis] = traces[axis].values
    ids = neuron_ids(table["name"].tolist(), known, where=f"recording '{name}'")
    table.index = pd.Index(ids, name="neuron")
    return Recording(
        name=name,
        traces=traces.assign_coords(neuron=ids),
        neurons=table,
        stimuli=empty_stimuli() if stimuli is None else stimuli,
        behaviour=xr.Dataset() if behaviour is None else behaviour,
        volume=_described(source, traces),
        labels=_described(label_source, traces),
        provenance={
            "version": _version(),
            "inputs": {"volume": source.name, "labels": label_source.name},
            "history": [{"operation": "extract", "settings": json.loads(traces.attrs["settings"])}],
        },
    )


def frame_times(
    n: int,
    time_s: np.ndarray | None,
    frame_rate_hz: float | None,
    about: VolumeReference | None = None,
    *,
    where: str = "volume",
) -> np.ndarray:
    """Return the times of `n` frames in seconds, from times, a rate, or what the file says; never guessed."""
    if time_s is not None:
        times = np.asarray(time_s, float)
        if times.shape != (n,):
            raise InputError(
                f"{times.size} times for {n} frames", where=where, fix="Give one time a frame, in seconds."
            )
        if not np.isfinite(times).all():
            raise InputError("some times are not finite", where=where)
        back = np.flatnonzero(np.diff(times) <= 0)
        if len(back):
            at = int(back[0])
            raise InputError(
                f"time does not increase at frame {at + 2} ({times[at]:g} s, then {times[at + 1]:g} s)", where=where
            )
        return times
    rate = frame_rate_hz
    if rate is None and about is not None:
        rate = about.frame_rate_hz
    if rate is None or rate != rate:
        raise InputError(
            "the frame rate is not known", where=where, fix="Pass frame_rate_hz (volumes a second) or time_s."
        )
    if not 0 < rate < 1e6:
        raise InputError(f"a frame rate of {rate:g} Hz is not possible", where=where)
    if frame_rate_hz is None and n > 2 and not SLOWEST_HZ <= rate <= FASTEST_HZ:
        raise ChoiceNeeded(
            f"the file says {rate:.3g} frames a second, which no recording has; its unit of time may be wrong",
            where=where,
            fix="Pass frame_rate_hz (volumes a second).",
            option="frame_rate_hz",
        )
    return np.asarray(np.arange(n) / rate)


def _read_static(source: VoxelSource, settings: ExtractionSettings) -> tuple[np.ndarray, np.ndarray, VoxelSets]:
    """Read static labels (z, y, x) and check them; return them, the sorted ids, and the voxels of each."""
    labels = source.read(tuple(slice(0, n) for n in source.shape))
    labels = labels.reshape(labels.shape[-3:])
    voxels = labelled_voxels(labels.reshape(-1))
    found = labels.reshape(-1)[voxels]
    if not len(found):
        raise InputError(
            "there is no label: every voxel is 0", where=source.name, fix="Choose the labels' layer or file."
        )
    if found.min() < 0:
        raise InputError(
            "there are negative labels", where=source.name, fix="0 is background, neurons are positive numbers."
        )
    ids = np.unique(found).astype(np.int64)
    too_many(len(ids), settings, source.name)
    region = np.searchsorted(ids, found)
    order = np.argsort(region, kind="stable")
    return labels, ids, VoxelSets(labels.shape, voxels[order], region[order], len(ids))


def _with_static_regions(
    job: ExtractionJob, labels: np.ndarray, ids: np.ndarray, sets: VoxelSets, blocks: list[Block]
) -> ExtractionJob:
    boxes = list({box_key(box): box for block in blocks for box in block.boxes}.values())
    annuli = None
    if job.settings.background == "annulus":
        annuli = find_annuli(labels, ids, job.voxel_size_um, job.settings).in_boxes(boxes)
    return replace(job, ids=ids, neurons=sets.in_boxes(boxes), annuli=annuli)


def _voxel_size(
    given: tuple[float, float, float] | None, about: VolumeReference | None, where: str
) -> tuple[float, float, float]:
    if given is None and about is not None and np.isfinite(about.voxel_size_um).all():
        given = about.voxel_size_um
    if given is None:
        raise InputError("the voxel size is not known", where=where, fix="Pass voxel_size_um=(z, y, x) in micrometres.")
    size = tuple(float(v) for v in given)
    if len(size) != 3 or not all(np.isfinite(size)) or min(size) <= 0:
        raise InputError(f"the voxel size {size} is not possible", where=where, fix="Give (z, y, x) in micrometres.")
    return size[0], size[1], size[2]


def _saturation(settings: ExtractionSettings, source: VoxelSource) -> float:
    if settings.saturation_value is not None:
        return float(settings.saturation_value)
    return float(np.iinfo(source.dtype).max) if source.dtype.kind in "ui" else float("nan")


def _block_bytes(job: ExtractionJob, block: Block) -> float:
    """Memory that one block in work needs: all sources, twice (compressed and not)."""
    sources = [s for s in (job.volume, job.labels, job.reference) if s is not None]
    voxel = sum(s.dtype.itemsize for s in sources)
    sizes = [float(np.prod([s.stop - s.start for s in box])) for box in block.boxes]
    # with labels of every frame, whole frames are put together from the boxes
    largest = sum(sizes) if job.whole_frames and job.labels is not None else max(sizes)
    return 2.0 * float(voxel) * largest * (block.stop - block.start)


def _plan(
    settings: ExtractionSettings, sources: list[VoxelSource], sets: VoxelSets | None, job: ExtractionJob, n_blocks: int
) -> dict[str, Any]:
    """Describe an extraction so that a checkpoint of another one is not mistaken for it."""
    plan: dict[str, Any] = {
        "format": 1,
        "settings": settings.model_dump(exclude={"threads", "memory_mb", "max_neurons"}),
        "inputs": [source.fingerprint() for source in sources],
        "voxel_size_um": list(job.voxel_size_um),
        "blocks": n_blocks,
    }
    if sets is not None:
        digest = hashlib.sha256(sets.voxels.tobytes() + sets.region.tobytes())
        plan["labels"] = digest.hexdigest()[:16]
    return plan


def _described(source: VoxelSource, traces: xr.DataArray) -> VolumeReference | None:
    """Describe where voxels come from; None for arrays that live in memory only."""
    if source.about is not None:
        return source.about
    path = getattr(source.array, "filename", None)
    if path is None:
        return None
    size = traces.attrs["voxel_size_um"]
    rate = 1.0 / float(np.median(np.diff(traces["time"].values))) if traces.sizes["time"] > 1 else float("nan")
    return VolumeReference(str(path), source.shape, "tzyx"[-source.ndim :], (size[0], size[1], size[2]), rate)


def _version() -> str:
    from .. import __version__

    return str(__version__)
