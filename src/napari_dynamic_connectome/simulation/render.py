"""A 4D OME-Zarr volume and its labels from traces and positions, frame by frame, at any size.

The layout of the folder is described in `layout`.
"""

from __future__ import annotations

import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..model import execution
from ..model.errors import InputError
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, report
from ..model.recording import Recording, VolumeReference
from ..model.summary import Summary
from ..model.system import replace
from ..model.text import check_seed
from .layout import LABELS_NAME, image_attributes, label_attributes, write_tables
from .placement import place_nuclei
from .settings import RenderSettings

Array = np.ndarray

# A worm between slide and cover slip drifts and crawls in the plane; along z it hardly moves.
_DRIFT_AXES = np.array([0.2, 1.0, 1.0])


@dataclass(frozen=True, repr=False)
class RenderedRecording(Summary):
    """A rendered volume.

    Parameters
    ----------
    path : pathlib.Path
        The OME-Zarr folder.
    volume, labels : VolumeReference
    recording : Recording
        The recording that was drawn, with the labels and positions that the nuclei really have, and both references.
    """

    path: Path
    volume: VolumeReference
    labels: VolumeReference
    recording: Recording

    @property
    def names(self) -> dict[int, str]:
        """Label -> name of the named neurons."""
        table = self.recording.neurons
        return {int(label): name for label, name in zip(table["label"], table["name"], strict=True) if name}


@dataclass(frozen=True)
class _Scene:
    """Everything that a frame is made from."""

    shape: tuple[int, int, int]
    voxel: Array
    centres: Array  # (neuron, 3) at rest
    amplitudes: Array  # (time, neuron), counts
    shift: Array  # (time, 3) of the whole volume
    bend: Array  # (time, 2): amplitude and phase of the bend
    ids: Array
    radius: float
    blur: Array
    settings: RenderSettings
    seed: int

    def centres_at(self, t: int) -> Array:
        """Centres (neuron, 3) in frame t, kept inside the volume."""
        moved = self.centres + self.shift[t]
        length = self.shape[2] * self.voxel[2]
        moved[:, 1] += self.bend[t, 0] * np.sin(np.pi * self.centres[:, 2] / length + self.bend[t, 1])
        return np.asarray(np.clip(moved, 0.0, (np.array(self.shape) - 1) * self.voxel))


def render_recording(
    recording: Recording,
    path: str | os.PathLike[str],
    settings: RenderSettings | dict[str, Any] | None = None,
    *,
    seed: int = 0,
    overwrite: bool = False,
    workers: int | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
    **options: Any,
) -> RenderedRecording:
    """Draw a 4D volume and its labels from traces and positions.

    Every neuron is a ball of even brightness, blurred by the point spread; its brightness follows its trace (the trace
    over its mean; traces with values of zero and below are shifted and scaled to stay positive). Bleaching, drift, movement
    and camera noise are added. Memory does not grow with the number of frames.

    Parameters
    ----------
    recording : Recording
        Simulated or real. Neurons without a position are put among the others, close ones are moved apart; missing samples
        are interpolated.
    path : path
        Folder to write, best with the ending `.ome.zarr`. It appears only when it is complete.
    settings : RenderSettings or dict, optional
    seed : int
    overwrite : bool
        Replace an OME-Zarr folder that is there already.
    workers : int, optional
        Threads; the number of cores, at most 8, by default. The result does not depend on it.
    progress, cancel : callable, optional
    **options
        Override fields of the settings.

    Returns
    -------
    RenderedRecording

    Raises
    ------
    InputError
        The folder exists or cannot be written, the disk is too full, or the nuclei do not fit into the volume.
    Cancelled
        Nothing is left behind.
    """
    chosen = RenderSettings.parse(settings, where="render settings", **options)
    target = Path(path)
    _check_target(target, overwrite)
    scene, drawn = _build_scene(recording, chosen, check_seed(seed))
    per_frame = chosen.labels == "per frame" or (chosen.labels == "auto" and chosen.motion_um > 0.5)
    temporary = target.parent / f".{target.name}.{uuid.uuid4().hex[:8]}.partial"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _check_space(target.parent, scene)
        _write(temporary, scene, drawn, per_frame, workers, progress, cancel)
        check_cancel(cancel)
        _move_into_place(temporary, target)
    except OSError as error:
        raise InputError(
            f"cannot be written ({error.strerror or error})", where=str(target), fix="Choose another folder."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    voxel = (chosen.voxel_z_um, chosen.voxel_y_um, chosen.voxel_x_um)
    n_times = len(scene.amplitudes)
    volume = VolumeReference(str(target), (n_times, *scene.shape), "tzyx", voxel, _rate(drawn))
    labels = VolumeReference(
        str(target / "labels" / LABELS_NAME),
        (n_times, *scene.shape) if per_frame else scene.shape,
        "tzyx" if per_frame else "zyx",
        voxel,
        _rate(drawn) if per_frame else float("nan"),
    )
    report(progress, 1.0, "rendered")
    return RenderedRecording(target, volume, labels, drawn.replace(volume=volume, labels=labels))


# --- the scene -------------------------------------------------------------------------------------------------------


def _build_scene(recording: Recording, settings: RenderSettings, seed: int) -> tuple[_Scene, Recording]:
    placing, lighting, moving = np.random.default_rng(seed).spawn(3)
    shape = (settings.n_z, settings.n_y, settings.n_x)
    voxel = np.array([settings.voxel_z_um, settings.voxel_y_um, settings.voxel_x_um])
    radius = settings.nucleus_um / 2
    # A voxel is the mean over its box, which widens the point spread by the box's variance, width^2 / 12.
    psf = np.array([settings.psf_z_um, settings.psf_xy_um, settings.psf_xy_um])
    blur = np.sqrt(psf**2 + voxel**2 / 12)
    sway = _DRIFT_AXES * settings.drift_um + np.array([0.03, 1.2, 1.0]) * settings.motion_um
    # Blur is wider along z, so nuclei need more space there than in the plane.
    apart = settings.nucleus_um + settings.spacing_um + 2.0 * np.maximum(blur - blur.min(), 0)
    field = (np.array(shape) - 1) * voxel
    margin = radius + blur + 2.0 * sway
    centres = place_nuclei(recording.positions_um, tuple(field), tuple(apart), tuple(margin), placing)
    table = recording.neurons.copy()
    labels = table["label"].to_numpy()
    if (labels <= 0).any() or len(set(labels.tolist())) != len(labels) or labels.max() > np.iinfo(np.uint32).max:
        labels = np.arange(1, len(table) + 1)
    n_times = recording.n_times
    shift = _smooth_walk(moving, n_times, 3, 0.15 * n_times) * _DRIFT_AXES * settings.drift_um
    shift += _smooth_walk(moving, n_times, 3, 8.0) * np.array([0.03, 0.6, 1.0]) * settings.motion_um
    bend = np.stack(
        [
            _smooth_walk(moving, n_times, 1, 10.0)[:, 0] * settings.motion_um,
            np.cumsum(0.1 * _smooth_walk(moving, n_times, 1, 10.0)[:, 0]) if settings.motion_um else np.zeros(n_times),
        ],
        axis=1,
    )
    amplitudes = _amplitudes(recording.traces.values, settings, lighting)
    dtype = np.uint16 if labels.max() <= np.iinfo(np.uint16).max else np.uint32
    scene = _Scene(shape, voxel, centres, amplitudes, shift, bend, labels.astype(dtype), radius, blur, settings, seed)
    table["label"] = labels
    table["z"], table["y"], table["x"] = centres.T
    if (recording.neurons["label"].to_numpy() != labels).any():
        ids = [n if n else f"#{label}" for n, label in zip(table["name"], labels, strict=True)]
        table.index = pd.Index(ids, name="neuron")
        traces = recording.traces.assign_coords(neuron=ids)
        return scene, recording.replace(neurons=table, traces=traces, quality=None)
    return scene, recording.replace(neurons=table)


def _amplitudes(traces: Array, settings: RenderSettings, rng: np.random.Generator) -> Array:
    """Counts (time, neuron) of every nucleus: brightness times trace over its mean, bleaching included."""
    values = pd.DataFrame(np.asarray(traces, float)).interpolate(limit_direction="both").fillna(1.0).to_numpy()
    mean, least = values.mean(axis=0), values.min(axis=0)
    ratio = np.empty_like(values)
    positive = least > 0
    ratio[:, positive] = values[:, positive] / mean[positive]
    if (~positive).any():
        centred = values[:, ~positive] - mean[~positive]
        depth = -centred.min(axis=0)
        ratio[:, ~positive] = 1 + centred * np.where(depth > 0, 0.8 / np.maximum(depth, 1e-30), 0.0)
    brightness = settings.brightness * np.exp(rng.normal(0, settings.brightness_spread, values.shape[1]))
    # A neuron that would saturate the camera is made darker as a whole, so that its shape is kept.
    peak = ratio.max(axis=0) * brightness
    brightness = brightness * np.minimum(1.0, 0.8 * (65_535 - settings.background) / np.maximum(peak, 1e-9))
    t = np.linspace(0.0, 1.0, len(values))
    bleach = 1 - settings.bleaching * (1 - np.exp(-2 * t)) / (1 - np.exp(-2.0))
    return np.asarray(ratio * brightness * bleach[:, None], np.float32)


def _smooth_walk(rng: np.random.Generator, n: int, k: int, frames: float) -> Array:
    """Smooth random course (n, k) with mean 0 and standard deviation 1, correlated over some frames."""
    from scipy.ndimage import gaussian_filter1d

    noise = rng.standard_normal((n, k))
    if n < 3:
        return np.zeros((n, k))
    course = gaussian_filter1d(noise, max(frames, 1.0), axis=0, mode="wrap")
    course -= course.mean(axis=0)
    return np.asarray(course / np.maximum(course.std(axis=0), 1e-12))


def _rate(recording: Recording) -> float:
    return recording.rate_hz if recording.n_times > 1 else float("nan")


# --- the files -------------------------------------------------------------------------------------------------------


def _check_target(target: Path, overwrite: bool) -> None:
    if not target.exists():
        return
    if not overwrite:
        raise InputError(
            "there is something already", where=str(target), fix="Choose another name, or pass overwrite=True."
        )
    if not ((target / ".zgroup").is_file() or (target / "zarr.json").is_file()):
        raise InputError(
            "is not an OME-Zarr folder and is not overwritten", where=str(target), fix="Choose another name."
        )


def _check_space(folder: Path, scene: _Scene) -> None:
    # Camera noise leaves about half of the 16 bits after compression.
    needed = len(scene.amplitudes) * int(np.prod(scene.shape))
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"the volume needs about {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free",
            where=str(folder),
            fix="Choose another disk, or make fewer or smaller frames.",
        )


def _move_into_place(temporary: Path, target: Path) -> None:
    if target.exists():
        old = target.parent / f".{target.name}.{uuid.uuid4().hex[:8]}.old"
        replace(target, old)
        replace(temporary, target)
        shutil.rmtree(old, ignore_errors=True)
    else:
        replace(temporary, target)


def _write(
    folder: Path,
    scene: _Scene,
    recording: Recording,
    per_frame: bool,
    workers: int | None,
    progress: ProgressCallback | None,
    cancel: CancelCallback | None,
) -> None:
    import zarr
    from numcodecs import Blosc

    from . import optics

    n_times = len(scene.amplitudes)
    root = zarr.open_group(str(folder), mode="w", zarr_format=2)
    peak = scene.settings.background + float(np.percentile(scene.amplitudes, 99.5))
    about = {"seed": scene.seed, "settings": scene.settings.model_dump(), "rendered": True}
    root.attrs.update(image_attributes(recording, scene.voxel, (scene.settings.background, peak), about))
    images = root.create_array(
        "0",
        shape=(n_times, *scene.shape),
        chunks=(1, *scene.shape),
        dtype="uint16",
        compressors=Blosc(cname="lz4", clevel=1, shuffle=Blosc.BITSHUFFLE),
        chunk_key_encoding={"name": "v2", "separator": "/"},
        # else every frame is compared with the fill value, a third of the time of writing it
        config={"write_empty_chunks": True},
    )
    holder = root.create_group("labels")
    holder.attrs["labels"] = [LABELS_NAME]
    group = holder.create_group(LABELS_NAME)
    group.attrs.update(label_attributes(recording, scene.voxel, per_frame))
    masks = group.create_array(
        "0",
        shape=(n_times, *scene.shape) if per_frame else scene.shape,
        chunks=(1, *scene.shape) if per_frame else scene.shape,
        dtype=scene.ids.dtype,
        compressors=Blosc(cname="zstd", clevel=3, shuffle=Blosc.SHUFFLE),
        chunk_key_encoding={"name": "v2", "separator": "/"},
    )
    settings = scene.settings
    edges, normals = optics.edge_table(), optics.normal_table()
    background, camera = np.float32(settings.background), (settings.counts_per_photon, settings.read_noise)
    plain = optics.plain_table(settings.background, *camera, normals)
    idle: list[tuple[Array, Array]] = []  # frames of threads that are done with theirs: mean counts, counts
    label_radius = scene.radius * settings.label_size

    def label_frame(centres: Array) -> Array:
        labels = np.zeros(scene.shape, scene.ids.dtype)
        optics.draw_labels(labels, np.empty(scene.shape, np.float32), centres, scene.ids, scene.voxel, label_radius)
        return labels

    def frame(t: int) -> None:
        try:
            mean, counts = idle.pop()
        except IndexError:
            mean, counts = np.full(scene.shape, background, np.float32), np.empty(scene.shape, np.uint16)
        centres = scene.centres_at(t)
        optics.draw_nuclei(mean, centres, scene.amplitudes[t], scene.voxel, scene.radius, scene.blur, edges)
        stream = np.random.SeedSequence((scene.seed, t)).generate_state(1, np.uint64)[0]
        optics.expose(mean, counts, *camera, stream, normals, background, plain)
        images[t] = counts
        idle.append((mean, counts))
        if per_frame:
            masks[t] = label_frame(centres)

    if not per_frame:
        masks[...] = label_frame(scene.centres)
    _run(frame, n_times, workers, progress, cancel)
    write_tables(folder, recording)


def _run(
    frame: Any, n_times: int, workers: int | None, progress: ProgressCallback | None, cancel: CancelCallback | None
) -> None:
    """Draw all frames with a few threads; never more than two frames a thread are in memory."""
    with execution.workers(workers or min(execution.thread_count(), 8), cancel) as pool:
        for done, _ in enumerate(pool.stream(frame, range(n_times)), start=1):
            report(progress, done / n_times, f"frame {done} of {n_times}")
