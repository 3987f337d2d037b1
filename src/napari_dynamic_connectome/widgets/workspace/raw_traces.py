"""Traces before correction, and how names outlive a second extraction or correction."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from ...model.recording import Recording, neuron_ids
from ...session.edits import EDITABLE


def raw_of(work: Any, recording: Recording) -> xr.DataArray | None:
    """Traces (time, neuron) as they were before correction, in the recording's order; None if they are not known."""
    raw: xr.DataArray | None = work.raw.get(recording.name)
    if raw is not None and raw.sizes["neuron"] == recording.n_neurons:
        return raw.assign_coords(neuron=list(recording.neurons.index))
    if "raw" in recording.traces.coords:
        kept = recording.traces["raw"]
        return xr.DataArray(kept.values, dims=("time", "neuron"), coords={"time": recording.time_s}, attrs=kept.attrs)
    return None


def uncorrected(work: Any, recording: Recording) -> Recording:
    """Recording that a correction starts from: at the sampling of the extraction where that is still at hand."""
    raw = work.raw.get(recording.name)
    if raw is None or raw.sizes["neuron"] != recording.n_neurons:
        return recording
    if recording.behaviour.data_vars and raw.sizes["time"] != recording.n_times:
        return recording  # behaviour was moved to the new sampling and cannot be had back
    return recording.replace(traces=raw.assign_coords(neuron=list(recording.neurons.index)), quality=None)


def one_neuron(recording: Recording, place: int) -> Recording:
    """Recording of one neuron, for a preview."""
    chosen = recording.traces.isel(neuron=[place])
    return recording.replace(traces=chosen, neurons=recording.neurons.iloc[[place]], quality=None, provenance={})


def keep_edits(new: Recording, old: Recording | None) -> Recording:
    """Recording with the names, confidences, flags and notes that were given in `old`, by label: nothing typed is lost.

    A name that would then be there twice stays where it was given by hand.
    """
    if old is None:
        return new
    table, before = new.neurons.copy(), old.neurons.set_index("label")
    labels = table["label"].to_numpy()
    for column in EDITABLE:
        position = table.columns.get_loc(column)
        for row, label in enumerate(labels):
            if label in before.index:
                table.iloc[row, position] = before.loc[label, column]
    seen = {n for n, label in zip(table["name"], labels, strict=True) if n and label in before.index}
    for row, label in enumerate(labels):
        if label not in before.index and table["name"].iloc[row] in seen:
            table.iloc[row, table.columns.get_loc("name")] = ""
    ids = neuron_ids(table["name"].tolist(), labels, where=f"recording '{new.name}'")
    table.index = table.index.__class__(ids, name="neuron", dtype=object)
    quality = None if new.quality is None else new.quality.set_axis(table.index, axis=0)
    return new.replace(traces=new.traces.assign_coords(neuron=ids), neurons=table, quality=quality)


def same_source(a: Recording, path: str | None) -> bool:
    """Whether a recording came from this file (unknown files count as the same)."""
    return a.volume is None or not path or str(a.volume.path) == str(path)


def scaled(values: np.ndarray) -> np.ndarray:
    """Values from 0 to 1, for comparing shapes."""
    values = np.asarray(values, float)
    finite = values[np.isfinite(values)]
    if not len(finite) or finite.max() == finite.min():
        return values * 0
    return np.asarray((values - finite.min()) / (finite.max() - finite.min()))
