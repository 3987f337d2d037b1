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


def extract_files(
    volume: str | Path,
    labels: str | Path = "",
    *,
    name: str = "",
    names: str | Path = "",
    stimuli: str | Path = "",
    behaviour: str | Path = "",
    channel: str | int | None = None,
    reference: str | Path | int | None = None,
    axes: str = "",
    label_axes: str = "",
    dataset: str = "",
    label_dataset: str = "",
    label_channel: str | int | None = None,
    radius_um: float | None = None,
    units: str = "",
    voxel_size_um: tuple[float, float, float] | None = None,
    frame_rate_hz: float | None = None,
    settings: ExtractionSettings | None = None,
    checkpoint: Path | None = None,
    client: Any = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
    **options: Any,
) -> Recording:
    """Extract the traces of one worm from files.

    Parameters
    ----------
    volume : path
        4D image.
    labels : path, optional
        By default the labels inside the image's OME-Zarr.
    name : str
        Of the worm; the image's file name by default.
    names, stimuli, behaviour : path, optional
        CSV tables. By default what lies inside the image's folder: names stored with the labels, `stimuli.csv`,
        `behaviour.csv`.
    channel : str or int, optional
        Which channel of the image holds the activity.
    reference : path, str or int, optional
        Reference channel: another image, or a channel of this one.
    axes, label_axes : str
        Axes of image and labels, such as "tzyx", where a file does not name them.
    dataset, label_dataset : str
        HDF5: path of the image and of the labels inside the file.
    label_channel : str or int, optional
        Which channel holds the labels, where there are several.
    radius_um, units : float and str, optional
        Labels given as a table of centres: radius of a neuron, and "um" or "voxels".
    voxel_size_um, frame_rate_hz, settings, checkpoint, client, progress, cancel, **options
        As in `extract_recording`.

    Returns
    -------
    Recording
    """
    _check_there(volume, labels, (names, stimuli, behaviour))
    opening: dict[str, Any] = {"voxel_size_um": voxel_size_um, "frame_rate_hz": frame_rate_hz}
    image = open_volume(volume, **_given(channel=_channel(channel), axes=axes, dataset=dataset, **opening))
    within = _given(axes=label_axes, dataset=label_dataset, channel=_channel(label_channel))
    label_image = _open_labels(labels or volume, image, _given(radius_um=radius_um, units=units), within)
    given = read_names(names) if names else dict(label_image.names)
    stimulus_file = Path(stimuli) if stimuli else _inside(volume, "stimuli.csv")
    behaviour_file = Path(behaviour) if behaviour else _inside(volume, "behaviour.csv")
    if reference is not None and reference != "":
        options["reference"] = _open_reference(reference, volume, opening, {"axes": axes, "dataset": dataset})
    if image.time_s is not None and frame_rate_hz is None:
        options.setdefault("time_s", image.time_s)
    recording = extract_recording(
        image,
        label_image,
        name=name or (Path(volume).parent if is_pattern(volume) else Path(volume)).name.split(".")[0],
        names=given or None,
        stimuli=read_stimuli(stimulus_file) if stimulus_file is not None else image.stimuli,
        settings=settings,
        voxel_size_um=voxel_size_um,
        frame_rate_hz=frame_rate_hz,
        checkpoint=checkpoint,
        client=client,
        progress=progress,
        cancel=cancel,
        **options,
    )
    if image.remark:
        recording = recording.replace(provenance={**recording.provenance, "reading": image.remark})
    if behaviour_file is not None:
        recording = recording.replace(behaviour=read_behaviour(behaviour_file, recording.time_s))
    return recording


def _open_labels(path: str | Path, image: Volume, centres: dict[str, Any], within: dict[str, Any]) -> Volume:
    """Labels of the image; from a table of centres in the shape of the image."""
    if holds_centres(path):
        within = {"like": image, **centres, **within}
    with options_called({"axes": "label_axes", "dataset": "label_dataset", "channel": "label_channel"}):
        return open_labels(path, **within)


def _open_reference(
    reference: str | Path | int, volume: str | Path, opening: dict[str, Any], within: dict[str, Any]
) -> Volume:
    """Reference channel: a file of its own, or a channel of the volume's."""
    if Path(str(reference)).exists():
        return open_volume(str(reference), **_given(**opening))
    return open_volume(volume, **_given(channel=_channel(reference), **within, **opening))


def _check_there(volume: str | Path, labels: str | Path, tables: Iterable[str | Path]) -> None:
    """Refuse files that are not there, and images whose labels are in a file of their own that was not given."""
    for path in (volume, labels, *tables):
        if path and not Path(path).exists() and not is_pattern(path):
            raise InputError("there is no such file or folder", where=str(path))
    if not labels and identify(volume).key not in ("omezarr", "nwb"):
        # other formats hold one image a file: its intensities must not be taken for labels
        raise InputError("there are no labels", where=str(volume), fix="Give the file of the labels too.")


def _inside(volume: str | Path, name: str) -> Path | None:
    path = Path(volume) / name
    return path if path.is_file() else None


def _channel(value: str | Path | int | None) -> str | int | None:
    text = str(value) if value is not None else ""
    return int(text) if text.isdigit() else (text or None)


def _given(**options: Any) -> dict[str, Any]:
    """Keep the options that were given."""
    return {k: v for k, v in options.items() if v is not None and v != ""}
