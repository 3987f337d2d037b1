"""Extraction of some neurons again, after their labels were edited; all other traces stay as they are."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..model.recording import Recording, neuron_ids
from .extract import extract_recording
from .settings import ExtractionSettings


def extract_again(
    before: Recording,
    volume: Any,
    labels: Any,
    touched: Collection[int],
    *,
    settings: ExtractionSettings | dict[str, Any] | None = None,
    **options: Any,
) -> Recording:
    """Extract the neurons of some labels again.

    Parameters
    ----------
    before : Recording
        With uncorrected traces, as `extract_recording` made them with the same settings.
    volume, labels : arrays
        As for `extract_recording`.
    touched : collection of int
        Labels that were edited: those that are gone leave, new ones come.
    settings : ExtractionSettings or dict, optional
        With a background around every neuron all of them are extracted: neighbours share voxels.
    **options
        Further arguments of `extract_recording`, without names.

    Returns
    -------
    Recording
        Neurons in the order of their labels; the names of those that were there stay, new ones have none.
    """
    parsed = ExtractionSettings.parse(settings, where="extraction")
    known = before.neurons["label"].to_numpy()
    kept = [i for i, label in enumerate(known) if int(label) not in touched]
    if parsed.background != "none" or not kept or "n_voxels" not in before.traces.coords:
        return extract_recording(volume, labels, name=before.name, settings=parsed, **options)
    witness = int(known[kept[0]])  # there is always a label, whatever was erased
    chosen = only_labels(labels, [*touched, witness])
    options.pop("names", None)
    part = extract_recording(volume, chosen, name=before.name, settings=parsed, names={}, **options)
    new = [i for i, label in enumerate(part.neurons["label"]) if int(label) != witness]
    names = dict(zip(known.tolist(), before.neurons["name"].tolist(), strict=True))
    return _joined(before, kept, part, new, names)


def only_labels(labels: Any, ids: Collection[int]) -> Any:
    """Return labels in which only some ids are left; labels of every frame are read frame by frame, when they are needed."""
    wanted = np.unique(np.fromiter(ids, np.int64))
    if isinstance(labels, np.ndarray) and labels.ndim <= 3:
        return np.where(np.isin(labels, wanted), labels, 0).astype(labels.dtype)
    import dask.array as da

    lazy = labels if isinstance(labels, da.Array) else da.from_array(labels, chunks=(1, *labels.shape[1:]))
    return lazy.map_blocks(lambda b: np.where(np.isin(b, wanted), b, 0).astype(b.dtype), dtype=lazy.dtype)


def _joined(before: Recording, kept: list[int], part: Recording, new: list[int], names: dict[int, str]) -> Recording:
    """Some neurons of one recording and some of another, by label."""
    pieces = [before.traces.isel(neuron=kept), part.traces.isel(neuron=new)]
    shared = set(pieces[0].coords) & set(pieces[1].coords)
    pieces = [p.drop_vars([c for c in p.coords if c not in shared]).assign_coords(time=part.time_s) for p in pieces]
    labels = np.concatenate([before.neurons["label"].to_numpy()[kept], part.neurons["label"].to_numpy()[new]]).astype(
        np.int64
    )
    order = np.argsort(labels, kind="stable")
    traces = xr.concat(pieces, dim="neuron", combine_attrs="override", join="override").isel(neuron=order)
    table = pd.concat([before.neurons.iloc[kept], part.neurons.iloc[new]], ignore_index=True).iloc[order]
    table["name"] = [names.get(int(label), "") for label in table["label"]]
    ids = neuron_ids(table["name"].tolist(), table["label"].to_numpy(), where=f"recording '{before.name}'")
    table.index = pd.Index(ids, name="neuron", dtype=object)
    return before.replace(traces=traces.assign_coords(neuron=ids), neurons=table, quality=None)
