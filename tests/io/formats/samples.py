"""A recording that has everything a file can hold, and what says that two are the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from napari_dynamic_connectome.model.recording import Recording


def make(**changes: object) -> Recording:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(20, 5))
    values[3:6, 1] = np.nan
    time = np.cumsum(rng.uniform(0.2, 0.4, 20))
    positions = rng.uniform(0, 50, (5, 3))
    positions[2] = np.nan
    options: dict = {
        "name": "worm 1",
        "time_s": time,
        "names": ["AVAL", "AVAR", "", "RIML", "Ω"],
        "labels": [4, 9, 2, 7, 5],
        "positions_um": positions,
        "confidence": [5, 4, np.nan, 3, 1],
        "stimuli": pd.DataFrame({"name": ["NaCl", "butanone"], "onset": [1.0, 3.0], "offset": [2.0, 3.0]}),
        "behaviour": xr.Dataset(
            {
                "velocity": ("time", rng.normal(size=20), {"units": "mm/s", "kind": "continuous"}),
                "reversal": ("time", (rng.random(20) > 0.5).astype(float)),
            }
        ),
        "breaks": (2.5,),
        "provenance": {"history": [{"step": "extract"}]},
    }
    recording = Recording.from_arrays(values, **(options | changes))
    table = recording.neurons.copy()
    table.iloc[3, table.columns.get_loc("note")] = "faint"
    table.iloc[2, table.columns.get_loc("rejected")] = True
    return recording.replace(neurons=table)


def assert_same(a: Recording, b: Recording) -> None:
    np.testing.assert_allclose(a.traces.values, b.traces.values, rtol=1e-12)
    np.testing.assert_allclose(a.time_s, b.time_s, rtol=1e-12)
    assert list(a.traces["neuron"].values) == list(b.traces["neuron"].values)
    pd.testing.assert_frame_equal(a.neurons, b.neurons)
    pd.testing.assert_frame_equal(a.stimuli, b.stimuli, check_dtype=False)
    assert set(a.behaviour.data_vars) == set(b.behaviour.data_vars)
    for channel in a.behaviour.data_vars:
        np.testing.assert_allclose(a.behaviour[channel].values, b.behaviour[channel].values)
        assert a.behaviour[channel].attrs["kind"] == b.behaviour[channel].attrs["kind"]
