"""The samples that the plugin ships: made on first use, kept in a cache folder.

The folder is the user's cache folder, or the one named by the environment variable DYNAMIC_CONNECTOME_CACHE.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from ..model import places
from ..model.cohort import Cohort
from ..model.errors import InputError
from ..model.progress import CancelCallback, ProgressCallback
from ..model.truth import Truth
from .simulate import simulate_cohort, simulate_recording

# Small enough to be made in a few seconds, large enough to look like a worm.
_WORM: dict[str, Any] = {"n_neurons": 110, "missing": 0.0, "duration_s": 120.0, "rate_hz": 2.0, "stimulus_s": 15.0}
_VOLUME: dict[str, Any] = {
    "n_z": 24,
    "n_y": 128,
    "n_x": 280,
    "voxel_z_um": 1.6,
    "voxel_y_um": 0.5,
    "voxel_x_um": 0.5,
    "label_size": 0.9,
}
_COHORT: dict[str, Any] = {"n_worms": 8}
_SEED = 7


def cache_folder() -> Path:
    """Folder for generated samples; made if it is not there."""
    folder = places.cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"the cache folder cannot be made ({error.strerror})",
            where=str(folder),
            fix=f"Set the environment variable {places.VARIABLE} to a folder that can be written.",
        ) from error
    return folder


def sample_worm(*, progress: ProgressCallback | None = None, cancel: CancelCallback | None = None) -> Path:
    """Return the OME-Zarr folder of the sample worm (volume, labels, names, stimuli); rendered on first use.

    The name of the folder holds a hash of the settings, so that another version of the package makes its own.
    """
    from .render import render_recording

    key = hashlib.sha256(json.dumps([_WORM, _VOLUME, _SEED, 1], sort_keys=True).encode()).hexdigest()[:8]
    path = cache_folder() / f"sample-worm-{key}.ome.zarr"
    if not path.is_dir():
        recording, _ = simulate_recording(_WORM, seed=_SEED, name="sample worm")
        try:
            render_recording(recording, path, _VOLUME, seed=_SEED, progress=progress, cancel=cancel)
        except (InputError, OSError):
            # Another process may have finished the same sample meanwhile.
            if not path.is_dir():
                raise
    return path


def sample_worm_truth() -> Truth:
    """Return the truth behind `sample_worm`."""
    return simulate_recording(_WORM, seed=_SEED, name="sample worm")[1]


def sample_cohort(
    *, progress: ProgressCallback | None = None, cancel: CancelCallback | None = None
) -> tuple[Cohort, Truth]:
    """Return the sample cohort and its truth. It takes a fraction of a second, so it is not kept on disk."""
    return simulate_cohort(_COHORT, seed=_SEED, progress=progress, cancel=cancel)
