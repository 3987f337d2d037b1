"""Recordings as pynapple objects, with the real pynapple."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from napari_dynamic_connectome import Recording, to_pynapple
from napari_dynamic_connectome.model.errors import MissingExtraError

nap = pytest.importorskip("pynapple")


def worm(**more) -> Recording:
    time = np.arange(20) * 0.5 + 3.0
    values = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    values[4, 1] = np.nan
    stimuli = pd.DataFrame(
        {"name": ["NaCl", "tap", "NaCl", "NaCl"], "onset": [8.0, 5.0, 4.0, 8.5], "offset": [9.0, 5.0, 6.0, 10.0]}
    )
    behaviour = xr.Dataset({"reversal": ("time", np.arange(20) % 2)}, coords={"time": time})
    more = {"stimuli": stimuli, "behaviour": behaviour, "breaks": (7.0,)} | more
    return Recording.from_arrays(
        values, name="w", time_s=time, names=["AVAL", "", "RIS"], labels=[4, 7, 9], positions_um=np.arange(9.0).reshape(3, 3), **more
    )  # fmt: skip


def test_traces_keep_values_times_gaps_and_what_is_known_of_neurons() -> None:
    recording = worm()
    traces = to_pynapple(recording)["traces"]
    np.testing.assert_array_equal(traces.d, recording.traces.values)
    np.testing.assert_allclose(traces.t, recording.time_s)
    assert list(traces.columns) == ["AVAL", "#7", "RIS"]
    assert traces.metadata["label"].tolist() == [4, 7, 9]
    assert traces.metadata["class"].tolist()[::2] == ["AVA", "RIS"]
    assert traces.metadata[["z_um", "y_um", "x_um"]].to_numpy().tolist() == np.arange(9.0).reshape(3, 3).tolist()
    # nothing lies between the last sample before a break and the first after it
    assert traces.time_support.values.tolist() == [[3.0, 6.5], [7.0, 12.5]]


def test_no_sample_is_lost_beside_breaks() -> None:
    parted = to_pynapple(worm(breaks=(3.5, 4.0, 12.5, 99.0)))["traces"]
    assert len(parted) == 20 and len(parted.time_support) == 4


def test_stimuli_with_and_without_duration() -> None:
    stimuli = to_pynapple(worm())["stimuli"]
    assert isinstance(stimuli["NaCl"], nap.IntervalSet) and isinstance(stimuli["tap"], nap.Ts)
    assert stimuli["NaCl"].values.tolist() == [[4.0, 6.0], [8.0, 10.0]]  # two that overlap are one
    assert stimuli["tap"].t.tolist() == [5.0]
    none = to_pynapple(worm(stimuli=pd.DataFrame({"name": [], "onset": [], "offset": []}), behaviour=xr.Dataset()))
    assert none["stimuli"] == {} and "behaviour" not in none


def test_behaviour_has_the_clock_of_the_traces() -> None:
    found = to_pynapple(worm())
    assert found["behaviour"]["reversal"].d.tolist() == [float(k % 2) for k in range(20)]
    np.testing.assert_array_equal(found["behaviour"].t, found["traces"].t)


def test_pynapple_takes_the_samples_during_stimuli() -> None:
    found = to_pynapple(worm())
    during = found["traces"].restrict(found["stimuli"]["NaCl"])
    assert during.t.tolist() == [4.0, 4.5, 5.0, 5.5, 6.0, 8.0, 8.5, 9.0, 9.5, 10.0]


def test_without_pynapple_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynapple", None)
    with pytest.raises(MissingExtraError, match=r"napari-dynamic-connectome\[pynapple\]"):
        to_pynapple(worm())
