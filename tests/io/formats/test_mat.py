"""MATLAB files of both versions, with our names and those of NeuroPAL."""

from __future__ import annotations

import itertools
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from napari_dynamic_connectome.io.registry import all_formats, identify, read_recording, read_recordings


def cell(*items: object) -> np.ndarray:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


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


def test_every_format_is_listed_once() -> None:
    assert len({f.key for f in all_formats()}) == len(all_formats())
    assert all(f.patterns and f.holds and f.note for f in all_formats())
