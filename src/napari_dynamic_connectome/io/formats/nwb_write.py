"""Recordings as NWB with pynwb alone: the places and names of the WormID layout, the types of NWB itself.

Written: `CalciumActivity/SignalDFoF` (or `SignalRawFluor`, by the units of the traces) with `SignalCalciumImResponseSeries`,
`CalciumSeriesSegmentation` (a voxel at every centre, names in `ID_labels`, our columns beside them), `NeuronIDs`,
`NeuroPAL/NeuroPALSegmentation/NeuroPALNeurons`, stimuli as time intervals, behaviour as time series. `CalciumImageSeries` is
an external link to the image, if the recording knows where it is. No extension is needed, neither to write the file nor to
read it with any version of pynwb.
"""

from __future__ import annotations

import json
import math
import os
import uuid
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ...model.attributes import attributes_of
from ...model.errors import MissingExtraError
from ...model.recording import Recording
from ..files import atomic_file
from .nwb_about import ABOUT, checked_about

UNKNOWN_SPACING_UM = (1.0, 1.0, 1.0)


def check_extra() -> None:
    """Raise `MissingExtraError` if the extra `nwb` is not installed; nothing is imported, so it is quick."""
    if find_spec("pynwb") is None:
        raise MissingExtraError("pynwb", "nwb", "Writing NWB files")


def _library() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pynwb
            import pynwb.behavior
            import pynwb.epoch
            import pynwb.ophys
    except ImportError as error:
        raise MissingExtraError("pynwb", "nwb", "Writing NWB files") from error
    return pynwb


def write_recording(
    recording: Recording,
    path: str | Path,
    *,
    session_start: datetime | None = None,
    strain: str = "",
    notes: str = "",
    about: Mapping[str, str] | None = None,
) -> Path:
    """Write a recording as NWB; it appears only when complete.

    Parameters
    ----------
    recording : Recording
    path : str or Path
    session_start : datetime, optional
        When the recording began. NWB demands a date; 1 January 1970 is written where it is not known.
    strain : str
        Of the worm.
    about : mapping of str to str, optional
        What is known of the worm and its session, by the names of `ABOUT`: goes before its attributes of these names (see
        `with_attributes`), which are taken otherwise.
    notes : str
        What else has to be known about the session.

    Raises
    ------
    InputError
        A session start that is no date, an age that is no duration, or a sex that NWB does not know.
    """
    pynwb = _library()
    given = {k: v for k, v in attributes_of(recording).items() if k in ABOUT} | dict(about or {})
    given |= {"strain": strain} if strain else {}
    said = checked_about(given, f"recording '{recording.name}'")
    file = _file(recording, pynwb, session_start or said.pop("session_start", None), said, Path(path).absolute().parent)
    if notes:
        file.notes = notes
    with atomic_file(path) as temporary:
        temporary.write_bytes(_as_hdf5(file, pynwb))
    return Path(path)


def _as_hdf5(file: Any, pynwb: Any) -> bytes:
    """Return a file's bytes. HDF5 makes them in memory: on a full disk it would end the program instead of failing."""
    import h5py

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (
            h5py.File(f"{uuid.uuid4().hex}.nwb", "w", driver="core", backing_store=False) as content,
            pynwb.NWBHDF5IO(file=content, mode="w") as io,
        ):
            io.write(file)
            content.flush()
            image: bytes = content.id.get_file_image()
    return image


def _file(recording: Recording, pynwb: Any, start: datetime | None, said: Mapping[str, Any], folder: Path) -> Any:
    provenance = json.dumps({"dynamic_connectome": dict(recording.provenance)}, default=str)
    start = start or datetime(1970, 1, 1, tzinfo=UTC)
    file = pynwb.NWBFile(
        session_description=f"Whole-brain calcium imaging of {recording.name}",
        identifier=f"{recording.name} {uuid.uuid5(uuid.NAMESPACE_URL, recording.name + provenance)}",
        session_start_time=start,
        session_id=recording.name.replace("/", "-"),
        experimenter=said.get("experimenter"),
        lab=said.get("lab"),
        experiment_description="Calcium activity of identified neurons",
        institution=said.get("institution", "not stated"),
        keywords=["C. elegans", "calcium imaging", "whole-brain imaging"],
        data_collection=provenance,
    )
    file.subject = pynwb.file.Subject(
        subject_id=recording.name.replace("/", "-"),
        species="Caenorhabditis elegans",
        sex=said.get("sex", "XX"),
        age=said.get("age", "P2D"),
        strain=said.get("strain", "not stated"),
        genotype=said.get("genotype"),
        description="Young adult hermaphrodite; age, sex and stage are the usual ones, not measured"
        if not {"sex", "age"} <= set(said)
        else "C. elegans",
    )
    volume = _imaging_volume(file, recording, pynwb)
    calcium = file.create_processing_module("CalciumActivity", "Calcium traces and their segmentation")
    neuropal = file.create_processing_module("NeuroPAL", "Identities of the neurons")
    spacing = _spacing(recording)
    table = _segmentation(
        recording, volume, spacing, pynwb, "Aligned_neuron_coordinates", "Centre of every neuron", ours=True
    )
    segmentation = pynwb.ophys.ImageSegmentation(name="CalciumSeriesSegmentation")
    segmentation.add_plane_segmentation(table)
    calcium.add(segmentation)
    named = _segmentation(recording, volume, spacing, pynwb, "NeuroPALNeurons", "Neurons and their names", ours=False)
    identities = pynwb.ophys.ImageSegmentation(name="NeuroPALSegmentation")
    identities.add_plane_segmentation(named)
    neuropal.add(identities)
    calcium.add(_series(recording, table, pynwb))
    listed = pynwb.core.DynamicTable(name="NeuronIDs", description="Names of the neurons, in the order of the traces")
    listed.add_column(name="labels", description="Name; empty if unnamed", data=[])
    for name in recording.neurons["name"]:
        listed.add_row(labels=str(name))
    calcium.add(listed)
    _add_image(file, recording, volume, pynwb, folder)
    _add_stimuli(file, recording, pynwb)
    _add_behaviour(file, recording, pynwb)
    for break_s in recording.breaks:
        # NWB has no breaks; an interval without length that is marked invalid says the same
        file.add_invalid_time_interval(start_time=float(break_s), stop_time=float(break_s) + 1e-6)
    return file


def _imaging_volume(file: Any, recording: Recording, pynwb: Any) -> Any:
    device = file.create_device(name="Microscope", description="Not stated", manufacturer="not stated")
    channel = pynwb.ophys.OpticalChannel(name="GCaMP", description="Calcium indicator", emission_lambda=510.0)
    known = recording.volume is not None and all(math.isfinite(v) for v in recording.volume.voxel_size_um)
    return file.create_imaging_plane(
        name="CalciumImVol",
        description="Volume in which calcium was imaged"
        + ("" if known else "; voxel size not known, 1 um stands for it"),
        device=device,
        optical_channel=channel,
        excitation_lambda=488.0,
        indicator="GCaMP",
        location="Worm head",
        grid_spacing=[float(v) * 1e-6 for v in _spacing(recording)[::-1]],
        grid_spacing_unit="meters",
        reference_frame="Image axes x, y, z",
    )


def _spacing(recording: Recording) -> tuple[float, float, float]:
    """Return the voxel size (z, y, x) in um."""
    if recording.volume is not None and all(math.isfinite(v) and v > 0 for v in recording.volume.voxel_size_um):
        return recording.volume.voxel_size_um
    return UNKNOWN_SPACING_UM


def _segmentation(
    recording: Recording, volume: Any, spacing: Any, pynwb: Any, name: str, description: str, *, ours: bool
) -> Any:
    table = pynwb.ophys.PlaneSegmentation(name=name, description=description, imaging_plane=volume)
    positions = recording.positions_um
    low = np.nanmin(positions, axis=0) if np.isfinite(positions).any() else np.zeros(3)
    shift = np.minimum(np.where(np.isfinite(low), low, 0.0), 0.0)  # voxels are unsigned: negative positions are moved
    for position in positions:
        if np.isfinite(position).all():
            z, y, x = np.rint((position - shift) / np.asarray(spacing)).astype(int)
            voxels = [(int(x), int(y), int(z), 1.0)]
        else:
            voxels = [(0, 0, 0, 0.0)]  # weight 0: the position is not known
        table.add_roi(voxel_mask=voxels)
    neurons = recording.neurons
    table.add_column(
        name="ID_labels", description="Name of the neuron; empty if unnamed", data=[str(n) for n in neurons["name"]]
    )
    if ours:
        table.add_column(name="label", description="Label in the segmented image", data=neurons["label"].tolist())
        table.add_column(name="confidence", description="Confidence of the name", data=neurons["confidence"].tolist())
        table.add_column(name="rejected", description="Left out of analyses", data=neurons["rejected"].tolist())
        table.add_column(name="note", description="Remark", data=[str(n) for n in neurons["note"]])
        for axis in "zyx":
            table.add_column(
                name=f"{axis}_um", description=f"Position along {axis} in micrometres", data=neurons[axis].tolist()
            )
    return table


def _series(recording: Recording, table: Any, pynwb: Any) -> Any:
    units = str(recording.traces.attrs.get("units", ""))
    raw = "count" in units.lower() or "raw" in units.lower() or units.lower() in ("f", "a.u.", "au")
    region = table.create_roi_table_region(
        description="All neurons", region=list(range(recording.n_neurons)), name="rois"
    )
    series = pynwb.ophys.RoiResponseSeries(
        name="SignalCalciumImResponseSeries",
        description="Traces (time, neuron); NaN where a neuron was not measured",
        data=np.asarray(recording.traces.values),
        rois=region,
        unit=units or "n.a.",
        **_clock(recording),
    )
    if raw:
        return pynwb.ophys.Fluorescence(name="SignalRawFluor", roi_response_series=series)
    return pynwb.ophys.DfOverF(name="SignalDFoF", roi_response_series=series)


def _clock(recording: Recording) -> dict[str, Any]:
    time = recording.time_s
    if len(time) > 2:
        step = (time[-1] - time[0]) / (len(time) - 1)
        if np.abs(np.diff(time) - step).max() < 1e-9 * max(1.0, abs(time[-1])):
            return {"rate": float(1.0 / step), "starting_time": float(time[0])}
    return {"timestamps": time}


def _seen_from(folder: Path, path: str) -> str:
    """A path as the file in `folder` names it, so that both can be moved together; another drive's stays as it is."""
    if not Path(path).is_absolute():
        return path
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return path


def _add_image(file: Any, recording: Recording, volume: Any, pynwb: Any, folder: Path) -> None:
    reference = recording.volume
    if reference is None or not reference.path:
        return
    dimension = [int(reference.shape[reference.axes.index(a)]) for a in "xyz" if a in reference.axes]
    rate = reference.frame_rate_hz
    about = {"voxel_size_um": list(reference.voxel_size_um), "axes": reference.axes, "shape": list(reference.shape)}
    options: dict[str, Any] = {
        "name": "CalciumImageSeries",
        "description": "The images lie in a file of their own",
        "comments": json.dumps(about),
        "external_file": [_seen_from(folder, reference.path)],
        "format": "external",
        "starting_frame": [0],
        "dimension": dimension,
        "unit": "n.a.",
        "rate": float(rate) if math.isfinite(rate) else 1.0,
        "starting_time": float(recording.time_s[0]),
        "imaging_plane": volume,
    }
    frames = int(reference.shape[reference.axes.index("t")]) if "t" in reference.axes else 1
    try:
        series = pynwb.ophys.TwoPhotonSeries(**options, num_samples=frames)
    except TypeError:  # before pynwb 4
        series = pynwb.ophys.TwoPhotonSeries(**options)
    file.add_acquisition(series)


def _add_stimuli(file: Any, recording: Recording, pynwb: Any) -> None:
    if not len(recording.stimuli):
        return
    table = pynwb.epoch.TimeIntervals(name="stimuli", description="Stimuli: onset, offset, name")
    table.add_column(name="stimulus", description="Name of the stimulus")
    for row in recording.stimuli.itertuples():
        table.add_interval(start_time=float(row.onset), stop_time=float(row.offset), stimulus=str(row.name))
    file.add_time_intervals(table)


def _add_behaviour(file: Any, recording: Recording, pynwb: Any) -> None:
    if not len(recording.behaviour.data_vars):
        return
    module = file.create_processing_module("Behavior", "Behaviour on the clock of the traces")
    series = pynwb.behavior.BehavioralTimeSeries(name="BehavioralTimeSeries")
    for channel, values in recording.behaviour.data_vars.items():
        series.create_timeseries(
            name=str(channel).replace("/", "_"), description=str(values.attrs.get("kind", "continuous")),
            data=np.asarray(values.values, float), unit=str(values.attrs.get("units") or "n.a."), **_clock(recording),
        )  # fmt: skip
    module.add(series)
