"""Attributes and tables of a rendered OME-Zarr folder.

Layout of the folder (OME-NGFF 0.4, so that napari, Fiji and others open it as it is):

* `0/`: uint16 (t, z, y, x), a chunk a frame; `multiscales` gives axes, units (second, micrometer) and scale; voxel index
  times voxel size is the position in micrometres.
* `labels/neurons/0/`: the labels, (z, y, x) if the nuclei stay where they are, otherwise (t, z, y, x);
  `image-label.properties` lists `label-value`, `name` ("" without one), `confidence` and centre of every neuron.
* attribute `dynamic_connectome` of the root: `recording` (name), `frame_rate_hz`, `time_start_s`, `time_s` (only where the
  times are not evenly spaced), `stimuli` (name, onset, offset in s), and settings and seed of the rendering.
* `neurons.csv`, `stimuli.csv`, `behaviour.csv` (if there is any): the same for eyes and spreadsheets;
  `truth_traces.csv`: the traces that were drawn.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..io.formats.text_tables import write_csv
from ..model.recording import Recording

Array = np.ndarray

LABELS_NAME = "neurons"
ATTRIBUTE = "dynamic_connectome"


def frame_interval_s(recording: Recording) -> float:
    """Seconds from one frame to the next; 1 for a single frame."""
    return 1.0 / recording.rate_hz if recording.n_times > 1 else 1.0


def image_attributes(
    recording: Recording, voxel_um: Array, window: tuple[float, float], about: dict[str, Any]
) -> dict[str, Any]:
    """Return the attributes of the root group.

    Parameters
    ----------
    recording : Recording
    voxel_um : array of shape (3,)
    window : tuple of float
        Contrast limits, in counts.
    about : dict
        Added to our own attribute.
    """
    time, step = recording.time_s, frame_interval_s(recording)
    mine: dict[str, Any] = {
        "recording": recording.name,
        "frame_rate_hz": None if len(time) < 2 else 1.0 / step,
        "time_start_s": float(time[0]),
        "stimuli": recording.stimuli[["name", "onset", "offset"]].to_dict("records"),
    }
    if len(time) > 1 and not np.allclose(np.diff(time), step, rtol=1e-3):
        mine["time_s"] = [float(t) for t in time]
    limits = {"min": 0, "max": 65_535, "start": float(window[0]), "end": float(min(window[1], 65_535))}
    return {
        "multiscales": _multiscales(recording.name, [step, *map(float, voxel_um)], True),
        "omero": {
            "name": recording.name,
            "channels": [{"label": "GCaMP", "color": "FFFFFF", "active": True, "window": limits}],
        },
        ATTRIBUTE: mine | about,
    }


def label_attributes(recording: Recording, voxel_um: Array, per_frame: bool) -> dict[str, Any]:
    """Return the attributes of the group of labels: axes, scale, and what is known about every label."""
    table = recording.neurons
    numbers = table[["confidence", "z", "y", "x"]].to_numpy(float)
    properties = []
    for label, name, (sure, *centre) in zip(table["label"].tolist(), table["name"].tolist(), numbers, strict=True):
        place = {f"{axis}_um": round(float(value), 4) for axis, value in zip("zyx", centre, strict=True)}
        confidence = float(sure) if np.isfinite(sure) else None
        properties.append({"label-value": int(label), "name": str(name), "confidence": confidence} | place)
    voxel = [float(v) for v in voxel_um]
    scale = [frame_interval_s(recording), *voxel] if per_frame else voxel
    return {
        "multiscales": _multiscales(LABELS_NAME, scale, per_frame),
        "image-label": {"version": "0.4", "properties": properties, "source": {"image": "../../"}},
    }


def _multiscales(name: str, scale: list[float], time: bool) -> list[dict[str, Any]]:
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]
    if time:
        axes.insert(0, {"name": "t", "type": "time", "unit": "second"})
    dataset = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
    return [{"version": "0.4", "name": name, "axes": axes, "datasets": [dataset]}]


def write_tables(folder: Path, recording: Recording) -> None:
    """Write the neuron table, stimuli, behaviour and the traces that were drawn as CSV files."""
    write_csv(recording.neurons.rename_axis("neuron"), folder / "neurons.csv", index=True)
    write_csv(recording.stimuli, folder / "stimuli.csv")
    if len(recording.behaviour.data_vars):
        write_csv(recording.behaviour.to_dataframe().rename_axis("time"), folder / "behaviour.csv", index=True)
    columns = list(recording.traces["neuron"].values)
    traces = pd.DataFrame(recording.traces.values, index=recording.time_s, columns=columns)
    write_csv(traces.rename_axis("time"), folder / "truth_traces.csv", index=True)
