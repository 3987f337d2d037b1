"""Checkpoints of the steps that docks run, and what they are recognised by."""

from __future__ import annotations

from typing import Any

from ...io.checkpoint import CheckpointFolder
from ...model.cohort import Cohort
from ...model.places import cache_folder
from ...model.progress import CancelCallback

FOLDER = "checkpoints"
STEPS = ("seed", "cohort", "confounds", "affinity", "rank", "factorization")


def stored_in(layer: Any) -> dict[str, Any] | None:
    """Say which file a layer's voxels are in, as they are there; None for what was drawn, computed or opened otherwise."""
    about = layer.metadata.get("dynamic_connectome", {})
    data = layer.data[0] if getattr(layer, "multiscale", False) else layer.data
    name = getattr(data, "name", None)  # dask gives every array another one
    if not about.get("path") or name is None or about.get("array") != name:
        return None
    return {"path": str(about["path"]), "name": about.get("name"), "channel": about.get("channel")}


def extraction_inputs(image: Any, labels: Any, reference: Any) -> list[dict[str, Any]] | None:
    """Describe the files that an extraction reads; None if blocks of it could not be told from those of other voxels.

    Labels of one set for all frames need no file: the extraction compares every voxel of them.
    """
    layers = [image, *([labels] if labels.ndim >= 4 else []), *([reference] if reference is not None else [])]
    found = [stored_in(layer) for layer in layers]
    return None if None in found else [one for one in found if one is not None]


def extraction_checkpoint(inputs: list[dict[str, Any]], cancel: CancelCallback) -> CheckpointFolder:
    """Place for the blocks of an extraction; any change of a file makes it another one. Not on the GUI thread."""
    from ...io.fingerprint import state_of
    from ...model.provenance import versions

    files = [one | {"state": state_of(one["path"], cancel=cancel)} for one in inputs]
    return CheckpointFolder(cache_folder() / FOLDER, "extract", {"files": files, "versions": versions()})


def analysis_checkpoint(cohort: Cohort, settings: dict[str, Any]) -> CheckpointFolder:
    """Place for the fits of an analysis. Not on the GUI thread."""
    from ...model.provenance import versions
    from ...session.save_load import cohort_hash

    about = {"cohort": cohort_hash(cohort), "settings": {k: settings[k] for k in STEPS}, "versions": versions()}
    return CheckpointFolder(cache_folder() / FOLDER, "analyze", about)


def robustness_checkpoint() -> CheckpointFolder:
    """Place for the pieces of robustness runs; the pieces know which cohort and settings they belong to."""
    return CheckpointFolder(cache_folder() / FOLDER, "robustness", {})
