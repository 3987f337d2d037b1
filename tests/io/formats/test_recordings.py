"""Recordings from files of other libraries, and what we write comes back the same."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.io.formats.samples import assert_same, make

from napari_dynamic_connectome.io.choice import ChoiceNeeded
from napari_dynamic_connectome.io.ownership import MARKER
from napari_dynamic_connectome.io.registry import read_recording, write_recording
from napari_dynamic_connectome.model.errors import FormatError, InputError
from napari_dynamic_connectome.model.recording import Recording, VolumeReference


@pytest.mark.parametrize("ending", [".npz", ".csv", ".csv.gz", ".parquet"])
def test_written_recording_comes_back(tmp_path, ending) -> None:
    recording = make()
    path = write_recording(recording, tmp_path / f"worm 1{ending}")
    held = read_recording(path)
    assert_same(held, recording)
    assert held.name == "worm 1"
    if ending in (".npz", ".parquet"):
        assert held.breaks == recording.breaks
        assert held.behaviour["velocity"].attrs["units"] == "mm/s"
        assert held.provenance["history"] == [{"step": "extract"}]


def test_npz_keeps_references_and_quality(tmp_path) -> None:
    quality = pd.DataFrame({"snr": np.arange(5.0), "reason": ["", "a", "b", "c", "d"]}, index=make().neurons.index)
    reference = VolumeReference("a.zarr", (3, 2, 4, 4), "tzyx", (2.0, 0.5, 0.5))
    recording = make().replace(quality=quality, volume=reference)
    held = read_recording(write_recording(recording, tmp_path / "a.npz"))
    assert held.quality is not None
    pd.testing.assert_frame_equal(held.quality, quality, check_names=False)
    assert held.volume is not None and held.volume.path == "a.zarr" and np.isnan(held.volume.frame_rate_hz)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_long_layout(tmp_path, ending) -> None:
    recording = make()
    held = read_recording(write_recording(recording, tmp_path / f"a{ending}", layout="long"))
    np.testing.assert_allclose(held.traces.sel(neuron=recording.traces["neuron"]).values, recording.traces.values)
    np.testing.assert_allclose(held.neurons.loc[recording.neurons.index, "label"], recording.neurons["label"])
    np.testing.assert_allclose(held.positions_um, recording.positions_um)


@given(
    st.lists(
        st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="#"), min_size=1, max_size=12),
        min_size=1,
        max_size=5,
        unique=True,
    ),
    st.integers(1, 6),
    st.floats(-1e9, 1e9),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_names_survive_npz_and_csv(tmp_path, names, n_times, value) -> None:
    names = [n.strip() for n in names]
    taken = {"time", "time_s", "t", "frame", "neuron", "value", "worm"}
    if len({n.lower() for n in names}) < len(names) or any(
        not n
        or n.lower() in ("nan", "none", "[]")
        or n.lower() in taken
        or n.lower().startswith("beh_")
        or n.startswith("'")
        for n in names
    ):
        return
    if any(len(n.splitlines()) != 1 for n in names):
        return
    recording = Recording.from_arrays(np.full((n_times, len(names)), value), name="w", rate_hz=2, names=names)
    for ending in (".npz", ".csv"):
        held = read_recording(write_recording(recording, tmp_path / f"a{ending}"))
        assert list(held.neurons["name"]) == names
        np.testing.assert_allclose(held.traces.values, recording.traces.values, rtol=1e-12)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_neurons_called_like_a_measure_or_an_attribute_come_back(tmp_path, ending) -> None:
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    names = ["X", "speed", "Light (mW)", "strain", "worm", "trial", "day", "AVAL"]
    values = np.random.default_rng(0).normal(size=(5, len(names)))
    values[:, 6] = np.arange(5)  # counts like a clock
    recording = Recording.from_arrays(values, name="w", rate_hz=2, names=names)
    path = write_recording(recording, tmp_path / f"a{ending}")
    held = read_recording(path)
    assert list(held.neurons["name"]) == names
    np.testing.assert_allclose(held.traces.values, values)
    if ending == ".csv":  # without the table of neurons nobody can tell
        (tmp_path / "a_neurons.csv").unlink()
        with pytest.raises(ChoiceNeeded):
            read_recording(path)


def test_interrupted_write_keeps_the_old_file(tmp_path, monkeypatch) -> None:
    path = write_recording(make(), tmp_path / "a.npz")
    before = path.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(InputError, match="No space left"):
        write_recording(make(name="other"), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if p.name != MARKER] == ["a.npz"]


def test_quality_that_is_damaged(tmp_path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, traces=np.ones((3, 1)), t=np.arange(3.0), quality=json.dumps({"no": 1}))
    with pytest.raises(FormatError, match="quality"):
        read_recording(path)


@pytest.mark.data
@pytest.mark.parametrize("uid", ["2022-07-26-31", "2022-07-26-38", "2022-07-27-31", "2022-08-02-31"])
def test_real_worm(shared_data, uid) -> None:
    path = shared_data / "traces" / f"dag2023_{uid}.npz"
    recording = read_recording(path)
    with np.load(path, allow_pickle=False) as held:
        assert recording.name == uid
        np.testing.assert_array_equal(recording.traces.values, held["traces"])
        known = np.flatnonzero(held["names"] != "")
        assert [recording.traces["neuron"].values[i] for i in known] == held["names"][known].tolist()
        np.testing.assert_array_equal(recording.positions_um, held["positions"][:, ::-1])
        assert recording.behaviour["reversal"].attrs["kind"] == "binary"
    assert 87 <= len(recording.named) <= 107
    left, right = recording.traces.sel(neuron="AVAL"), recording.traces.sel(neuron="AVAR")
    assert np.corrcoef(left, right)[0, 1] > 0.9


@pytest.mark.data
def test_real_worm_with_more_times_than_samples(shared_data) -> None:
    recording = read_recording(shared_data / "traces" / "dag2023_2022-05-02-01.npz")
    assert recording.traces.shape == (1137, 136)
    assert recording.time_s[-1] < 800
    assert recording.stimuli.to_dict("list") == {
        "name": ["food_encounter"],
        "onset": [pytest.approx(188.88, abs=0.01)],
        "offset": [pytest.approx(188.88, abs=0.01)],
    }
    assert "1600 times" in recording.provenance["reading"]


@pytest.mark.data
@pytest.mark.parametrize("ending", [".csv", ".parquet", ".npz"])
def test_real_worm_through_other_formats(shared_data, tmp_path, ending) -> None:
    recording = read_recording(shared_data / "traces" / "dag2023_2022-07-26-31.npz")
    held = read_recording(write_recording(recording, tmp_path / f"a{ending}"))
    np.testing.assert_allclose(held.traces.values, recording.traces.values, rtol=1e-6)
    pd.testing.assert_frame_equal(held.neurons, recording.neurons)


@pytest.mark.data
def test_real_volumes_ask_for_their_axes(shared_data) -> None:
    from napari_dynamic_connectome.io.registry import open_labels, open_volume

    folder = shared_data / "volumes"
    with pytest.raises(InputError, match="axes='zyx'"):
        open_volume(folder / "cells3d_nuclei.tif")
    volume = open_volume(folder / "cells3d_nuclei.tif", axes="zyx")
    labels = open_labels(folder / "cells3d_nuclei_label.tif", axes="zyx")
    assert volume.data.shape == (1, 60, 256, 256) and labels.data.shape == (60, 256, 256)
    assert len(np.unique(labels.data.compute())) == 21
    tracked = open_labels(folder / "tgmm_mini_labels.npz")
    assert tracked.data.shape == (31, 29, 101, 151)
    assert len(np.unique(tracked.data.compute())) == 213


def test_texts_about_the_whole_worm_become_its_attributes(tmp_path) -> None:
    from napari_dynamic_connectome.model.attributes import attributes_of

    np.savez(
        tmp_path / "w.npz", traces=np.random.default_rng(0).random((30, 2)), fs=4.0, strain="N2", sex=["male"], stage=3
    )
    worm = read_recording(tmp_path / "w.npz")
    assert attributes_of(worm) == {"strain": "N2", "sex": "male"}
    assert "strain" not in worm.provenance["reading"] and "stage" in worm.provenance["reading"]
    write_recording(worm, tmp_path / "again.npz")
    assert attributes_of(read_recording(tmp_path / "again.npz")) == attributes_of(worm)
