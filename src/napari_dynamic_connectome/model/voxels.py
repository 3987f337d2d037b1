"""Reading of pieces of arrays, in any thread."""

from __future__ import annotations

from typing import Any

import numpy as np


def read_voxels(part: Any, **options: Any) -> np.ndarray:
    """Read a piece of an array; where dask makes it, without dask's global callbacks.

    napari keeps a cache of slices as such a callback, whose notes of a running computation are shared by all threads: a piece that
    is read in a worker while the window draws a slice makes one of the two fail (KeyError in dask.cache).

    Parameters
    ----------
    part : array
        numpy, dask, zarr, h5py.
    **options
        Of dask's `compute`, such as `scheduler`.
    """
    if hasattr(part, "compute"):
        return np.asarray(part.compute(callbacks=(), **options))
    return np.asarray(part)
