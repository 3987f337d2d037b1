"""Recordings from files of other libraries, and what we write comes back the same."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_dynamic_connectome.io.formats import parquet
from napari_dynamic_connectome.io.registry import FORMATS, identify, read_recording, read_recordings, write_recording
from napari_dynamic_connectome.model.errors import FormatError, InputError, MissingExtraError
from napari_dynamic_connectome.model.recording import Recording, VolumeReference


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


def test_unknown_ending_and_option(tmp_path) -> None:
    with pytest.raises(InputError, match=r"\.npz"):
        write_recording(make(), tmp_path / "a.xlsx")
    path = write_recording(make(), tmp_path / "a.npz")
    with pytest.raises(InputError, match="does not apply"):
        read_recordings(path, sheet=1)
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


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


def test_csv_of_pandas_without_sidecars(tmp_path) -> None:
    frame = pd.DataFrame(
        {"AVAL": [1.0, 2.0, np.nan], "#7": [0.0, 1.0, 2.0], "beh_velocity": [0.1, 0.2, 0.3]},
        index=pd.Index([0.0, 0.5, 1.0], name="time_s"),
    )
    frame.to_csv(tmp_path / "worm7.csv")
    held = read_recording(tmp_path / "worm7.csv")
    assert held.name == "worm7"
    assert held.named == ["AVAL"]
    assert held.neurons.loc["#7", "label"] == 7
    assert held.behaviour["velocity"].values.tolist() == [0.1, 0.2, 0.3]


def test_csv_takes_what_lies_beside_it(tmp_path) -> None:
    (tmp_path / "w.csv").write_text("time_s,AVAL\n0,1\n1,2\n2,3\n")
    (tmp_path / "w_stimuli.csv").write_text("name,onset,duration\nNaCl,1,0.5\n")
    (tmp_path / "w_behaviour.csv").write_text("time_s,speed,reversal\n0,0,0\n2,4,1\n")
    held = read_recording(tmp_path / "w.csv")
    assert held.stimuli.to_dict("list") == {"name": ["NaCl"], "onset": [1.0], "offset": [1.5]}
    assert held.behaviour["speed"].values.tolist() == [0, 2, 4]
    assert held.behaviour["reversal"].attrs["kind"] == "binary"
    assert set(np.unique(held.behaviour["reversal"])) == {0.0, 1.0}


def test_formulas_in_names_are_neutralised_in_csv(tmp_path) -> None:
    names = ['=HYPERLINK("http://x")', "+A1", "-2+3", "@x", "AVAL"]
    recording = make(names=names)
    path = write_recording(recording, tmp_path / "a.csv")
    for file in tmp_path.iterdir():
        cells = [c.strip('"') for line in file.read_text().splitlines() for c in line.split(",")]
        assert not [c for c in cells if c[:1] in "=+@" and c]
    assert list(read_recording(path).neurons["name"]) == names


def test_several_worms_in_one_long_table(tmp_path) -> None:
    rows = [(w, t / 2, n, t) for w in ("a", "b") for t in range(4) for n in ("AVAL", "AVAR")]
    pd.DataFrame(rows, columns=["worm", "time_s", "neuron", "value"]).to_csv(tmp_path / "all.csv", index=False)
    assert [r.name for r in read_recordings(tmp_path / "all.csv")] == ["a", "b"]
    assert read_recording(tmp_path / "all.csv", worm="b").traces.shape == (4, 2)


# --- MATLAB ----------------------------------------------------------------------------------------------------------


def cell(*items: object) -> np.ndarray:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def test_mat_v5_with_our_names(tmp_path) -> None:
    traces = np.random.default_rng(0).normal(size=(12, 3))
    stimuli = np.array([("NaCl", 1.0, 2.0), ("KCl", 3.0, 4.0)], dtype=[("name", "O"), ("t_on", "f8"), ("t_off", "f8")])
    content = {
        "traces": traces,
        "names": cell("AVAL", "", "RIML"),
        "t": np.arange(12.0),
        "worm": "w3",
        "beh_velocity": np.ones(12),
        "stimuli": stimuli,
        "label_confidence": np.array([3, np.nan, 2]),
    }
    scipy.io.savemat(tmp_path / "w.mat", content, do_compression=True)
    held = read_recording(tmp_path / "w.mat")
    np.testing.assert_allclose(held.traces.values, traces)
    assert list(held.neurons["name"]) == ["AVAL", "", "RIML"]
    assert held.name == "w3"
    assert held.stimuli["name"].tolist() == ["NaCl", "KCl"] and held.stimuli["offset"].tolist() == [2, 4]
    assert "velocity" in held.behaviour


def test_mat_v5_in_one_struct_and_char_matrix(tmp_path) -> None:
    inner = {"traces": np.ones((6, 2)), "names": np.array(["AVAL", "AVA"]), "fs": 2.0}
    scipy.io.savemat(tmp_path / "w.mat", {"data": inner})
    held = read_recording(tmp_path / "w.mat")
    assert list(held.neurons["name"]) == ["AVAL", "AVA"]
    assert held.rate_hz == 2.0


def save_73(path: Path, content: dict) -> None:
    """Write as MATLAB does with -v7.3: user block, transposed arrays, cells as references, classes as attributes."""
    with h5py.File(path, "w", userblock_size=512) as file:
        refs, number = file.create_group("#refs#"), itertools.count()

        def put(group: h5py.Group, name: str, value: object) -> h5py.Dataset:
            if isinstance(value, str):
                data = group.create_dataset(
                    name, data=np.array([[ord(c)] for c in value], np.uint16) if value else np.zeros(2, np.uint64)
                )
                data.attrs["MATLAB_class"] = np.bytes_("char")
                if not value:
                    data.attrs["MATLAB_empty"] = 1
            elif isinstance(value, np.ndarray) and value.dtype == object:
                items = [put(refs, f"r{next(number)}", v).ref for v in value.ravel(order="F")]
                data = group.create_dataset(name, (1, len(items)), dtype=h5py.ref_dtype)
                data[0, :] = items
                data.attrs["MATLAB_class"] = np.bytes_("cell")
            else:
                array = np.atleast_2d(np.asarray(value, float))
                data = group.create_dataset(name, data=array.T)
                data.attrs["MATLAB_class"] = np.bytes_("double")
            return data

        for key, value in content.items():
            put(file, key, value)
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64, HDF5 schema 1.00 .".ljust(124) + b"\0\2IM")


def test_mat_v73_with_our_names(tmp_path) -> None:
    traces = np.random.default_rng(0).normal(size=(12, 3))
    save_73(tmp_path / "w.mat", {"traces": traces, "names": cell("AVAL", "", "RIML"), "fs": 2.0, "worm": "w3"})
    assert identify(tmp_path / "w.mat").key == "mat"
    held = read_recording(tmp_path / "w.mat")
    np.testing.assert_allclose(held.traces.values, traces)
    assert list(held.neurons["name"]) == ["AVAL", "", "RIML"]
    assert held.name == "w3"


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_neuropal_trace_file(tmp_path, version) -> None:
    course = {k: np.linspace(0, i + 1, 8) for i, k in enumerate(("L0", "L1", "R0", "R1", "G0"))}
    content = {
        "fps": 4.0,
        "files": cell("C:\\data\\1_head.mat", "C:\\data\\2_head.mat"),
        "neurons": cell("AVA", "AVG"),
        "is_L": cell(np.array([1.0, 1, 0, 0]), np.array([np.nan, np.nan])),
        "norm_traces": cell(
            cell(course["L0"], course["L1"], course["R0"], course["R1"]), cell(course["G0"], np.full(8, np.nan))
        ),
        "stim_names": cell("butanone", "NaCl"),
        "stim_times": np.array([[0.5, 1.0], [1.25, 1.75]]),
        "stims": np.array([[1.0, 2], [2, 1]]),
    }
    path = tmp_path / "Head_Activity.mat"
    scipy.io.savemat(path, content) if version == "5" else save_73(path, content)
    worms = read_recordings(path)
    assert [w.name for w in worms] == ["1_head", "2_head"]
    assert worms[0].named == ["AVAL", "AVAR", "AVG"]
    assert worms[1].named == ["AVAL", "AVAR"]
    np.testing.assert_allclose(worms[1].traces.sel(neuron="AVAR"), course["R1"])
    assert worms[0].rate_hz == pytest.approx(4.0)
    assert worms[0].stimuli["name"].tolist() == ["butanone", "NaCl"]
    assert worms[1].stimuli["name"].tolist() == ["NaCl", "butanone"]
    assert worms[1].stimuli["onset"].tolist() == [0.5, 1.25]


# --- the homogenized collection --------------------------------------------------------------------------------------


def collection(path: Path, worms: int = 6, length: int = 10) -> pd.DataFrame:
    rows = []
    for dataset in ("Kato2015", "Yemini2021"):
        for w in range(worms):
            for slot, neuron in enumerate(("AVAL", "AVAR", "17")):
                trace = np.full(length, w + slot / 10, np.float32)
                rows.append(
                    {
                        "source_dataset": dataset, "raw_data_file": f"{dataset}.mat", "worm": f"worm{w}", "neuron": neuron,
                        "slot": slot, "is_labeled_neuron": neuron != "17", "smooth_method": "none",
                        "original_calcium_data": trace[: length // 2], "calcium_data": trace,
                        "original_time_in_seconds": np.arange(length // 2) * 2.0, "time_in_seconds": np.arange(length) * 1.0,
                        "max_timesteps": length, "median_dt": 1.0,
                    }
                )  # fmt: skip
    frame = pd.DataFrame(rows)
    frame.to_parquet(path, row_group_size=3)
    return frame


def test_collection_is_filtered_by_dataset_and_worm(tmp_path) -> None:
    path = tmp_path / "all.parquet"
    collection(path)
    listed = parquet.list_worms(path)
    assert len(listed) == 12 and set(listed["neurons"]) == {3} and set(listed["named"]) == {2}
    assert len(read_recordings(path)) == 12
    found = read_recordings(path, dataset="Yemini2021", worm=["worm2", "worm4"])
    assert [r.name for r in found] == ["worm2", "worm4"]
    assert found[1].named == ["AVAL", "AVAR"]
    np.testing.assert_allclose(found[1].traces.values[0], [4.0, 4.1, 4.2], rtol=1e-6)
    assert found[1].time_s.tolist() == [0, 2, 4, 6, 8]  # the original clock
    resampled = read_recordings(path, dataset="Kato2015", worm="worm1", column="calcium_data", labeled_only=True)[0]
    assert resampled.traces.shape == (10, 2)
    with pytest.raises(InputError, match="Known: Kato2015"):
        read_recordings(path, dataset="Nobody2020")


def test_collection_reads_only_the_rows_it_needs(tmp_path, monkeypatch) -> None:
    import pyarrow.dataset as ds

    path = tmp_path / "all.parquet"
    collection(path, worms=8)
    asked = []
    original = ds.Dataset.to_table

    class Spy:
        def __init__(self, inner: object) -> None:
            self.inner = inner

        def to_table(self, **options: object) -> object:
            table = original(self.inner, **options)
            asked.append((options.get("columns"), len(table)))
            return table

    make_dataset = ds.dataset
    monkeypatch.setattr(ds, "dataset", lambda *a, **k: Spy(make_dataset(*a, **k)))
    list(parquet.iterate_collection(path, dataset="Kato2015", worm="worm3"))
    with_traces = [n for columns, n in asked if "original_calcium_data" in columns]
    assert with_traces == [3]


def test_missing_extra_is_named(tmp_path, monkeypatch) -> None:
    import builtins

    path = tmp_path / "all.parquet"
    collection(path)
    real = builtins.__import__

    def without(name: str, *rest: object, **more: object) -> object:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"napari-dynamic-connectome\[parquet\]"):
        read_recordings(path)


def test_interrupted_write_keeps_the_old_file(tmp_path, monkeypatch) -> None:
    path = write_recording(make(), tmp_path / "a.npz")
    before = path.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(InputError, match="No space left"):
        write_recording(make(name="other"), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_every_format_is_listed_once() -> None:
    assert len({f.key for f in FORMATS}) == len(FORMATS)
    assert all(f.patterns and f.holds and f.note for f in FORMATS)


def test_image_is_no_recording(tmp_path) -> None:
    from napari_dynamic_connectome.io.volumes import omezarr_write

    omezarr_write.create_volume(tmp_path / "a.zarr", (2, 2, 4, 4))
    with pytest.raises(InputError, match="Extract its traces first"):
        read_recording(tmp_path / "a.zarr")


def test_quality_that_is_damaged(tmp_path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, traces=np.ones((3, 1)), t=np.arange(3.0), quality=json.dumps({"no": 1}))
    with pytest.raises(FormatError, match="quality"):
        read_recording(path)


# --- real recordings -------------------------------------------------------------------------------------------------


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
