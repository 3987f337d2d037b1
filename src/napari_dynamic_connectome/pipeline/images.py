"""Recordings from files of images: opens volume and labels, finds the names and stimuli that lie with them, extracts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..extraction.extract import extract_recording
from ..extraction.settings import ExtractionSettings
from ..io.choice import options_called
from ..io.formats.side_tables import read_behaviour, read_names, read_stimuli
from ..io.registry import identify, open_labels, open_volume
from ..io.volumes.tiff_series import is_pattern
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
    for path in (volume, labels, names, stimuli, behaviour):
        if path and not Path(path).exists() and not is_pattern(path):
            raise InputError("there is no such file or folder", where=str(path))
    if not labels and identify(volume).key not in ("omezarr", "nwb"):
        # other formats hold one image a file: its intensities must not be taken for labels
        raise InputError("there are no labels", where=str(volume), fix="Give the file of the labels too.")
    opening: dict[str, Any] = {"voxel_size_um": voxel_size_um, "frame_rate_hz": frame_rate_hz}
    image = open_volume(volume, **_given(channel=_channel(channel), axes=axes, dataset=dataset, **opening))
    shape_source: dict[str, Any] = {}
    if labels and identify(labels).key in ("csv", "parquet", "geff"):
        shape_source = {"like": image, **_given(radius_um=radius_um, units=units)}
    with options_called({"axes": "label_axes", "dataset": "label_dataset", "channel": "label_channel"}):
        label_image = open_labels(
            labels or volume,
            **shape_source,
            **_given(axes=label_axes, dataset=label_dataset, channel=_channel(label_channel)),
        )
    given = read_names(names) if names else dict(label_image.names)
    stimulus_file = Path(stimuli) if stimuli else _inside(volume, "stimuli.csv")
    behaviour_file = Path(behaviour) if behaviour else _inside(volume, "behaviour.csv")
    if reference is not None and reference != "":
        if Path(str(reference)).exists():
            options["reference"] = open_volume(str(reference), **_given(**opening))
        else:
            options["reference"] = open_volume(
                volume, **_given(channel=_channel(reference), axes=axes, dataset=dataset, **opening)
            )
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


def _inside(volume: str | Path, name: str) -> Path | None:
    path = Path(volume) / name
    return path if path.is_file() else None


def _channel(value: str | Path | int | None) -> str | int | None:
    text = str(value) if value is not None else ""
    return int(text) if text.isdigit() else (text or None)


def _given(**options: Any) -> dict[str, Any]:
    """Keep the options that were given."""
    return {k: v for k, v in options.items() if v is not None and v != ""}
