"""Files of images -> a recording: opens volume and labels, finds the names and stimuli that lie with them, extracts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..extraction.extract import extract_recording
from ..extraction.settings import ExtractionSettings
from ..io.registry import identify, open_labels, open_volume
from ..io.tables import read_behaviour, read_names, read_stimuli
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
    settings, checkpoint, client, progress, cancel, **options
        As in `extract_recording` (voxel_size_um, frame_rate_hz, ...).

    Returns
    -------
    Recording
    """
    for path in (volume, labels, names, stimuli, behaviour):
        if path and not Path(path).exists():
            raise InputError("there is no such file or folder", where=str(path))
    if not labels and identify(volume).key not in ("omezarr", "nwb"):
        # other formats hold one image a file: its intensities must not be taken for labels
        raise InputError("there are no labels", where=str(volume), fix="Give the file of the labels too.")
    label_image = open_labels(labels or volume)
    given = read_names(names) if names else dict(label_image.names)
    stimulus_file = Path(stimuli) if stimuli else _inside(volume, "stimuli.csv")
    behaviour_file = Path(behaviour) if behaviour else _inside(volume, "behaviour.csv")
    recording = extract_recording(
        open_volume(volume),
        label_image,
        name=name or Path(volume).name.split(".")[0],
        names=given or None,
        stimuli=read_stimuli(stimulus_file) if stimulus_file is not None else None,
        settings=settings,
        checkpoint=checkpoint,
        client=client,
        progress=progress,
        cancel=cancel,
        **options,
    )
    if behaviour_file is not None:
        recording = recording.replace(behaviour=read_behaviour(behaviour_file, recording.time_s))
    return recording


def _inside(volume: str | Path, name: str) -> Path | None:
    path = Path(volume) / name
    return path if path.is_file() else None
