"""Recordings from files of images: opens volume and labels, finds the names and stimuli that lie with them, extracts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..extraction.extract import extract_recording
from ..extraction.settings import ExtractionSettings
from ..io.choice import options_called
from ..io.formats.side_tables import read_behaviour, read_names, read_stimuli
from ..io.registry import holds_centres, identify, open_labels, open_volume
from ..io.volumes.tiff_series import is_pattern
from ..io.volumes.volume import Volume
from ..model.errors import InputError
from ..model.progress import CancelCallback, ProgressCallback
from ..model.recording import Recording
from .settings import VolumeInput


def extract_files(
    given: VolumeInput,
    settings: ExtractionSettings | None = None,
    *,
    checkpoint: Path | None = None,
    client: Any = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> Recording:
    """Extract the traces of one worm from files.

    Parameters
    ----------
    given : VolumeInput
        The files of the worm, and what they do not say themselves. Without labels, those inside the image's OME-Zarr; without
        tables, what lies inside the image's folder: names stored with the labels, `stimuli.csv`, `behaviour.csv`.
    settings, checkpoint, client, progress, cancel
        As in `extract_recording`.

    Returns
    -------
    Recording
    """
    volume = given.volume
    _check_there(volume, given.labels, (given.names, given.stimuli, given.behaviour))
    opening: dict[str, Any] = {"voxel_size_um": given.voxel_size_um, "frame_rate_hz": given.frame_rate_hz}
    within = {"axes": given.axes, "dataset": given.dataset}
    image = open_volume(volume, **_given(channel=_channel(given.channel), **within, **opening))
    label_image = _open_labels(given, image)
    names = read_names(given.names) if given.names else dict(label_image.names)
    stimuli = given.stimuli or _inside(volume, "stimuli.csv")
    behaviour = given.behaviour or _inside(volume, "behaviour.csv")
    recording = extract_recording(
        image,
        label_image,
        name=given.name or (Path(volume).parent if is_pattern(volume) else Path(volume)).name.split(".")[0],
        names=names or None,
        stimuli=read_stimuli(stimuli) if stimuli else image.stimuli,
        settings=settings,
        checkpoint=checkpoint,
        client=client,
        progress=progress,
        cancel=cancel,
        time_s=image.time_s if given.frame_rate_hz is None else None,
        reference=_open_reference(given.reference, volume, opening, within) if given.reference else None,
        **opening,
    )
    if image.remark:
        recording = recording.replace(provenance={**recording.provenance, "reading": image.remark})
    if behaviour:
        recording = recording.replace(behaviour=read_behaviour(behaviour, recording.time_s))
    return recording


def _open_labels(given: VolumeInput, image: Volume) -> Volume:
    """Labels of the image; from a table of centres in the shape of the image."""
    path = given.labels or given.volume
    within = _given(axes=given.label_axes, dataset=given.label_dataset, channel=_channel(given.label_channel))
    if holds_centres(path):
        within = {"like": image, **_given(radius_um=given.radius_um, units=given.units), **within}
    with options_called({"axes": "label_axes", "dataset": "label_dataset", "channel": "label_channel"}):
        return open_labels(path, **within)


def _open_reference(reference: str, volume: str, opening: dict[str, Any], within: dict[str, Any]) -> Volume:
    """Reference channel: a file of its own, or a channel of the volume's."""
    if Path(reference).exists():
        return open_volume(reference, **_given(**opening))
    return open_volume(volume, **_given(channel=_channel(reference), **within, **opening))


def _check_there(volume: str, labels: str, tables: Iterable[str]) -> None:
    """Refuse files that are not there, and images whose labels are in a file of their own that was not given."""
    for path in (volume, labels, *tables):
        if path and not Path(path).exists() and not is_pattern(path):
            raise InputError("there is no such file or folder", where=str(path))
    if not labels and not identify(volume).labels_inside:
        # other formats hold one image a file: its intensities must not be taken for labels
        raise InputError("there are no labels", where=str(volume), fix="Give the file of the labels too.")


def _inside(volume: str, name: str) -> Path | None:
    path = Path(volume) / name
    return path if path.is_file() else None


def _channel(text: str) -> str | int | None:
    return int(text) if text.isdigit() else (text or None)


def _given(**options: Any) -> dict[str, Any]:
    """Keep the options that were given."""
    return {k: v for k, v in options.items() if v is not None and v != ""}
