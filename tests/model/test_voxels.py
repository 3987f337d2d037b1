"""Pieces of arrays are read in any thread without what others registered with dask."""

from __future__ import annotations

import threading

import dask.array as da
import numpy as np
import pytest
from dask.callbacks import Callback

from napari_dynamic_connectome.model.voxels import read_voxels


@pytest.mark.parametrize("options", [{}, {"scheduler": "synchronous"}, {"scheduler": "threads"}])
def test_global_callbacks_of_dask_are_neither_called_nor_set_aside(options: dict[str, str]) -> None:
    called, active = [], []
    begun, go = threading.Event(), threading.Event()

    def slow(block: np.ndarray) -> np.ndarray:
        begun.set()
        go.wait(10)
        return block + 1

    part = da.zeros((4, 4), chunks=2).map_blocks(slow, dtype=float, meta=np.zeros((0, 0)))
    found = []
    with Callback(start=lambda dsk: called.append(1)):
        reader = threading.Thread(target=lambda: found.append(read_voxels(part, **options)))
        reader.start()
        assert begun.wait(10)
        active.append(len(Callback.active))  # another thread still finds its callbacks
        da.ones(2, chunks=1).sum().compute(scheduler="synchronous")
        go.set()
        reader.join(20)
        active.append(len(Callback.active))
    assert called == [1] and active == [1, 1]
    np.testing.assert_array_equal(found[0], np.ones((4, 4)))


def test_other_arrays_are_read_too() -> None:
    np.testing.assert_array_equal(read_voxels([[1, 2]]), [[1, 2]])
