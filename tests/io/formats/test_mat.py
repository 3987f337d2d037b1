"""MATLAB files of both versions, with our names and those of NeuroPAL."""

from __future__ import annotations

import itertools
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from napari_dynamic_connectome.io.formats import mat
from napari_dynamic_connectome.io.registry import all_formats, identify, read_recording, read_recordings
from napari_dynamic_connectome.model.errors import FormatError, InputError


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


def element(kind: int, payload: bytes, order: str = "little", declared: int | None = None) -> bytes:
    """One element of a version 5 file, without padding."""
    length = len(payload) if declared is None else declared
    return kind.to_bytes(4, order) + length.to_bytes(4, order) + payload  # type: ignore[arg-type]


def header(mark: bytes = b"IM") -> bytes:
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1" + mark


@pytest.mark.parametrize(("mark", "order"), [(b"IM", "little"), (b"MI", "big")])
def test_elements_of_version_5_are_measured_before_they_are_read(tmp_path, monkeypatch, mark, order) -> None:
    path = tmp_path / "w.mat"
    packed = zlib.compress(bytes(5000))

    def size(*elements: bytes) -> int:
        """Smallest limit at which a file of these elements is read on."""
        path.write_bytes(header(mark) + b"".join(elements))
        checked = []
        monkeypatch.setattr(mat.limits, "check_size", lambda total, *_: checked.append(total))
        mat._scan_5(path)
        return checked[-1] if checked else 0

    assert size() == 0
    assert size(b"\0" * 7) == 0  # no room for another tag
    assert size(element(14, b"", order)) == 0
    path.write_bytes(header(mark) + element(14, b"", order, 1))
    with pytest.raises(FormatError, match="declares 1 bytes, 0 bytes are left"):
        mat._scan_5(path)
    assert size(element(14, b"x" * 8, order), element(9, b"y" * 16, order)) == 24
    assert size(element(14, b"x" * 11, order) + bytes(5), element(9, b"y" * 16, order)) == 27  # padded to eight
    assert size(element(15, packed, order), element(14, b"x" * 8, order)) == 5008  # packed ones are not padded
    assert len(packed) % 8
    for extra in (1, 1000):
        path.write_bytes(header(mark) + element(14, b"x" * 8, order, 8 + extra))
        with pytest.raises(FormatError, match=f"declares {8 + extra if extra == 1 else '1.01 k'}.* 8 bytes are left"):
            mat._scan_5(path)
    for damaged in (header(mark)[:127], header(b"XX")):
        path.write_bytes(damaged)
        with pytest.raises(FormatError, match="header of this MATLAB file is damaged"):
            mat._scan_5(path)


def test_limits_of_what_a_file_may_unpack_to(tmp_path, monkeypatch) -> None:
    path = tmp_path / "w.mat"
    packed = zlib.compress(bytes(5 << 20))
    monkeypatch.setattr(mat.limits, "FREE_BYTES", 5 << 20)
    assert mat._unpacked(packed, "here") == 5 << 20
    monkeypatch.setattr(mat.limits, "FREE_BYTES", 4 << 20)
    with pytest.raises(FormatError, match=r"would expand to 5\.24 MB"):
        mat._unpacked(packed, "here")
    path.write_bytes(header() + element(14, b"x" * 24))
    monkeypatch.setattr(mat.limits, "MAX_RECORDING_BYTES", 23)
    with pytest.raises(FormatError, match="would take 24 bytes"):
        mat._load_5(path)


def test_structs_cells_and_texts_of_version_5_become_plain_things(tmp_path) -> None:
    pair = np.array([[("a", 1.0)], [("b", 2.0)]], dtype=[("name", "O"), ("v", "O")])
    scipy.io.savemat(
        tmp_path / "w.mat",
        {
            "one": {"k": np.array([[1.0, 2], [3, 4]])},
            "many": pair,
            "cells": cell("x ", np.array([[5.0]]), cell("deep")),
            "grid": np.array([[1, 2], [3, 4]], dtype=object),
            "text": "hello ",
            "lines": np.array(["ab", "c "]),
            "nothing": "",
        },
    )
    held = mat.load(tmp_path / "w.mat")
    assert set(held) == {"one", "many", "cells", "grid", "text", "lines", "nothing"}
    np.testing.assert_array_equal(held["one"]["k"], [[1, 2], [3, 4]])
    assert [row["name"] for row in held["many"]] == ["a", "b"] and float(held["many"][1]["v"][0, 0]) == 2
    assert held["cells"][0] == "x" and held["cells"][1].tolist() == [[5.0]] and held["cells"][2] == ["deep"]
    assert [int(v[0, 0]) for v in held["grid"]] == [1, 3, 2, 4]  # by columns
    assert held["text"] == "hello" and held["lines"] == ["ab", "c"] and held["nothing"] == ""


@pytest.mark.parametrize("kind", ["MatlabOpaque", "MatlabFunction", "MatlabObject"])
def test_objects_of_matlab_are_refused(kind: str) -> None:
    odd = type(kind, (np.ndarray,), {})
    with pytest.raises(FormatError, match="MATLAB objects or function handles"):
        mat._simplify(np.zeros(1).view(odd), "here", 0)
    deep: np.ndarray = np.zeros(1)
    for _ in range(64):
        deep = cell(deep)
    mat._simplify(deep, "here", 0)
    struct: object = np.zeros(1)
    for _ in range(65):
        level = np.empty(1, dtype=[("a", "O")])
        level["a"][0] = struct
        struct = level
    with pytest.raises(FormatError, match="nested more than 64 deep"):
        mat._simplify(struct, "here", 0)
    mat._simplify(struct["a"][0], "here", 0)
    with pytest.raises(FormatError, match="nested more than 64 deep"):
        mat._simplify(cell(deep), "here", 0)


def test_structs_cells_and_texts_of_version_73_become_plain_things(tmp_path) -> None:
    path = tmp_path / "w.mat"
    save_73(path, {"traces": np.array([[1.0, 2, 3], [4, 5, 6]]), "cells": cell("ab", np.array([[7.0]]))})
    with h5py.File(path, "r+") as file:
        group = file.create_group("inner")
        flags = group.create_dataset("flags", data=np.array([[1], [0]], np.uint8))
        flags.attrs["MATLAB_class"] = np.bytes_("logical")
        lines = group.create_dataset("lines", data=np.array([[97, 99], [98, 32]], np.uint16))
        lines.attrs["MATLAB_class"] = "char"
        for name, kind in (("no text", "char"), ("no cell", "cell"), ("no number", "double")):
            empty = group.create_dataset(name, data=np.zeros(2, np.uint64))
            empty.attrs["MATLAB_class"], empty.attrs["MATLAB_empty"] = np.bytes_(kind), 1
        rows = group.create_dataset("rows", (1, 2), dtype=h5py.ref_dtype)
        rows[0, 0] = file["traces"].ref
        alone = group.create_dataset("alone", (1, 1), dtype=h5py.ref_dtype)
        alone[0, 0] = file["traces"].ref
    held = mat.load(path)
    assert set(held) == {"traces", "cells", "inner"}
    np.testing.assert_array_equal(held["traces"], [[1, 2, 3], [4, 5, 6]])
    assert held["cells"][0] == "ab" and held["cells"][1].tolist() == [[7.0]]
    inner = held["inner"]
    assert inner["flags"].dtype == bool and inner["flags"].tolist() == [[True, False]]
    assert inner["lines"] == ["ab", "c"] and inner["no text"] == "" and inner["no cell"] == []
    assert inner["no number"].shape == (0, 0)
    np.testing.assert_array_equal(inner["rows"][0], held["traces"])
    assert inner["rows"][1].shape == (0, 0)  # refers to nothing
    np.testing.assert_array_equal(inner["alone"], held["traces"])


@pytest.mark.parametrize(
    ("kind", "extra"), [("function_handle", ""), ("FileWrapper__", ""), ("double", "MATLAB_object_decode")]
)
def test_objects_of_version_73_are_refused(tmp_path, kind: str, extra: str) -> None:
    path = tmp_path / "w.mat"
    save_73(path, {"traces": np.ones((3, 2))})
    with h5py.File(path, "r+") as file:
        file["traces"].attrs["MATLAB_class"] = np.bytes_(kind)
        if extra:
            file["traces"].attrs[extra] = 3
    with pytest.raises(FormatError, match="MATLAB objects or function handles"):
        mat.load(path)


def test_limits_of_version_73(tmp_path, monkeypatch) -> None:
    path = tmp_path / "w.mat"
    save_73(path, {"a": np.ones((3, 2)), "b": np.ones((4, 1))})
    monkeypatch.setattr(mat.limits, "MAX_RECORDING_BYTES", 80)
    mat.load(path)
    monkeypatch.setattr(mat.limits, "MAX_RECORDING_BYTES", 79)
    with pytest.raises(FormatError, match="would take 80 bytes"):
        mat.load(path)
    monkeypatch.setattr(mat.limits, "MAX_RECORDING_BYTES", 10**6)
    deep = tmp_path / "deep.mat"
    save_73(deep, {})
    with h5py.File(deep, "r+") as file:
        group = file
        for _ in range(3):
            group = group.create_group("g")
        group["x"] = np.ones((1, 1))
    monkeypatch.setattr(mat.limits, "MAX_NESTING", 3)
    assert mat.load(deep)["g"]["g"]["g"]["x"].tolist() == [[1.0]]
    monkeypatch.setattr(mat.limits, "MAX_NESTING", 2)
    with pytest.raises(FormatError, match="nested too deep, or in a circle"):
        mat.load(deep)
    refs = tmp_path / "refs.mat"
    save_73(refs, {"cells": cell(cell(cell(np.ones(1))))})
    with pytest.raises(FormatError, match="nested too deep, or in a circle"):
        mat.load(refs)
    monkeypatch.setattr(mat.limits, "MAX_NESTING", 3)
    assert mat.load(refs)["cells"][0][0][0].tolist() == [[1.0]]
    monkeypatch.setattr(mat.limits, "MAX_NESTING", 64)
    many = tmp_path / "many.mat"
    save_73(many, {"cells": cell(*np.ones(299))})
    monkeypatch.setattr(mat.limits, "MAX_MEMBERS", 3)
    assert len(mat.load(many)["cells"]) == 299
    save_73(many, {"cells": cell(*np.ones(300))})
    with pytest.raises(FormatError, match="nested too deep, or in a circle"):
        mat.load(many)


def test_fields_of_a_file_are_arrays_of_numbers_or_texts() -> None:
    row, column, square = np.ones((1, 3)), np.ones((3, 1)), np.ones((2, 3))
    got = mat._plain_fields(
        {
            "stimuli": "none", "t": row, "fs": column, "speed": square, "traces": column, "positions": row, "positions_um": row, "idx_splits": row,
            "names": ["AVAL", np.array([[3.0]]), np.array([[np.nan]]), np.ones(2), 5.0], "inner": {"a": 1}, "worm": "w",
        },
        "here",
    )  # fmt: skip
    shapes = {k: v.shape for k, v in got.items()}
    assert shapes == {
        "t": (3,), "fs": (3,), "speed": (2, 3), "traces": (3, 1), "positions": (1, 3), "positions_um": (1, 3),
        "idx_splits": (1, 3), "names": (5,), "worm": (),
    }  # fmt: skip
    assert got["names"].tolist() == ["AVAL", "3", "", "", ""]


def test_stimuli_may_be_rows_or_columns() -> None:
    def of(value: object) -> list[list[object]] | None:
        got = mat._stimulus_rows(value)
        return None if got is None else [got[k].tolist() for k in ("stim_name", "stim_onset", "stim_offset")]

    assert of({"name": ["a", "b"], "t_on": np.array([[1.0, 2]]), "t_off": np.array([[3.0], [4]])}) == [
        ["a", "b"],
        [1, 2],
        [3, 4],
    ]
    assert of({"name": ["a"], "onset": np.array([1.0])}) == [["a"], [1], [1]]
    assert of({"name": ["a"], "onset": np.array([1.0]), "offset": np.array([2.5])}) == [["a"], [1], [2.5]]
    assert of({"name": "a", "t_on": np.array([[1.0]])}) == [["a"], [1], [1]]
    one = {"name": "a", "onset": np.array([[1.0, 9]]), "offset": np.array([[2.0, 9]])}
    assert of([one, {"name": "b", "t_on": 3.0, "t_off": 4.0}]) == [["a", "b"], [1, 3], [2, 4]]
    unknown = of([{"name": "a"}])
    assert unknown is not None and np.isnan(unknown[1][0]) and np.isnan(unknown[2][0])
    for odd in ([], [one, {"onset": 1.0}], ["a"], np.ones(3), [one, "b"]):
        assert of(odd) is None


def test_lists_sides_and_names_of_neuropal_files() -> None:
    matrix = np.arange(6.0).reshape(2, 3)
    assert [row.tolist() for row in mat._as_list(matrix)] == [[0, 1, 2], [3, 4, 5]]
    assert mat._as_list(["a"]) == ["a"] and mat._as_list("a") == ["a"]
    for alone in (np.zeros((0, 3)), np.ones(3), np.array([["a"]])):
        assert len(mat._as_list(alone)) == 1
    np.testing.assert_array_equal(mat._sides([np.array([[1.0]]), 0.0, np.zeros((0, 0))], 3), [1, 0, np.nan])
    np.testing.assert_array_equal(mat._sides(np.array([[1.0, 0]]), 2), [1, 0])
    np.testing.assert_array_equal(mat._sides(np.array([[1.0, 0]]), 3), [np.nan] * 3)
    for n in (1, 2):
        np.testing.assert_array_equal(mat._sides("left", n), [np.nan] * n)
    files = ["a\\b\\1.mat", "x/1.mat/", "x/1.mat/", "  ", ".mat"]
    assert [mat._worm_name(f, i, files) for i, f in enumerate(files)] == ["1", "1 2", "1 3", "worm 4", "worm 5"]


def neuropal(path: Path, **change: object) -> Path:
    content: dict[str, object] = {
        "fps": 2.0,
        "files": cell("one", "two", "three"),
        "neurons": cell("AVA", "AVG", "RIM"),
        "is_L": cell(np.array([np.nan] * 6), np.array([np.nan] * 3), np.array([1.0, 0, np.nan])),
        "norm_traces": cell(
            cell(np.ones(4), np.zeros((0, 0)), 2 * np.ones(3), 3 * np.ones(2), np.full(3, np.nan), 4 * np.ones(3)),
            cell("none", "none", "none"),
            cell(5 * np.ones(2), np.zeros((0, 0)), 6 * np.ones(3)),
        ),
    } | change  # fmt: skip
    scipy.io.savemat(path, {k: v for k, v in content.items() if v is not None})
    return path


def test_every_trace_of_a_neuropal_file_goes_to_its_worm_and_side(tmp_path) -> None:
    first, third = read_recordings(neuropal(tmp_path / "n.mat"))
    assert (first.name, third.name) == ("one", "three")  # nothing is known of the second worm
    assert list(first.traces["neuron"].values) == ["AVAL", "AVAR", "RIML"]
    np.testing.assert_array_equal(first.traces.values, [[1, 3, 5], [1, 3, 5], [1, np.nan, np.nan], [1, np.nan, np.nan]])
    assert third.neurons["name"].tolist() == ["AVAL", "AVAR", "RIM"]
    np.testing.assert_array_equal(third.traces.values, [[2, 4, 6]] * 3)
    assert first.rate_hz == 2.0 and first.provenance["neuropal"] == {"file": "one"} and first.stimuli.empty
    assert read_recordings(tmp_path / "n.mat", rate_hz=5.0)[0].rate_hz == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fps": 0.0}, "fps is 0"),
        ({"fps": np.inf}, "fps is inf"),
        ({"fps": -1.0}, "fps is -1"),
        ({"neurons": cell("AVA", "AVG")}, "2 neurons, 3 norm_traces and 3 is_L"),
        ({"is_L": cell(1.0, 1.0)}, "3 neurons, 3 norm_traces and 2 is_L"),
        ({"files": cell("one", "two")}, "neuron AVA has 6 traces for 2 files"),
        ({"norm_traces": cell(*[cell("", "", "")] * 3)}, "no worm of this file has a trace"),
        ({"stim_times": np.ones((3, 3))}, r"stim_times has shape \(3, 3\)"),
    ],
)
def test_neuropal_files_that_do_not_fit_are_refused(tmp_path, change, words) -> None:
    with pytest.raises((InputError, FormatError), match=words):
        read_recordings(neuropal(tmp_path / "n.mat", **change))


@pytest.mark.parametrize(
    ("times", "known", "order", "names"),
    [
        ([[1, 2], [3, 4]], ["a", "b"], None, [["a", "b"]] * 3),
        ([[1, 2], [3, 4]], ["a"], None, [["a", "stimulus 2"]] * 3),
        ([[1, 3, 5], [2, 4, 6]], None, None, [["stimulus 1", "stimulus 2", "stimulus 3"]] * 3),
        ([[1, 2], [3, 4], [5, 6]], ["a", "b"], ["x", "y", "z"], [["x", "y", "z"]] * 3),
        ([[1, 3], [2, 4]], None, None, [["stimulus 1", "stimulus 2"]] * 3),
        ([[1, 2], [3, 4]], ["a", "b"], np.array([[1.0, 2], [2, 1], [2, 2]]), [["a", "b"], ["b", "a"], ["b", "b"]]),
        ([[1, 2], [3, 4]], ["a", "b"], np.array([[1.0, 2, 2], [2, 1, 2]]), [["a", "b"], ["b", "a"], ["b", "b"]]),
        ([[1, 2], [3, 4]], ["a", "b"], np.array([[0.0, 2], [3, 1], [np.nan, 1]]), [["a", "b"]] * 3),
        ([[1, 2], [3, 4]], ["a", "b"], np.array([[2.0, 2], [2, 1]]), [["a", "b"]] * 3),
        ([[1, 2], [3, 4]], ["a", "b"], ["x", "y"], [["x", "y"]] * 3),
        ([[1, 2], [3, 4]], ["a", "b"], ["1", "2", "3", "4", "5", "6"], [["1", "4"], ["2", "5"], ["3", "6"]]),
        ([[1, 2], [3, 4]], ["a", "b"], [["k", "l"], ["m", "n"], ["o"]], [["k", "l"], ["m", "n"], ["a", "b"]]),
        ([[1, 2], [3, 4]], ["a", "b"], ["x", 1.0], [["a", "b"]] * 3),
        ([[1, 2], [3, 4]], ["a", "b"], ["x", "y", "z"], [["a", "b"]] * 3),
        ([[1, 2], [3, 4]], [], np.array([[1.0, 1], [1, 1], [1, 1]]), [["stimulus 1", "stimulus 2"]] * 3),
    ],
)
def test_stimuli_of_neuropal_files_in_every_worm(times, known, order, names) -> None:
    content = {"stim_times": np.array(times, float), "stim_names": known, "stims": order}
    content = {k: v for k, v in content.items() if v is not None}
    for index in range(3):
        table = mat._neuropal_stimuli(content, index, 3, "here")
        assert table["name"].tolist() == names[index]
        pairs = np.array(times).T if len(times[0]) == 3 else np.array(times)  # a row of onsets and one of offsets
        assert table[["onset", "offset"]].to_numpy().tolist() == pairs.tolist()
    assert mat._neuropal_stimuli({"stim_times": np.zeros((0, 2))}, 0, 3, "here").empty


def test_what_a_file_without_traces_holds_is_said_and_names_come_from_the_file_or_its_path(tmp_path) -> None:
    path = tmp_path / "animal 7.mat"
    scipy.io.savemat(path, {"data": {"inner": {"a": 1.0}, "other": {"b": 2.0}}})
    with pytest.raises(
        FormatError, match=r"the file holds data \(a struct of inner \(a struct\), other \(a struct\)\)"
    ):
        read_recordings(path)
    scipy.io.savemat(path, {"x": {"a": 1.0}, "y": {"b": 2.0}})
    with pytest.raises(FormatError, match=r"the file holds x \(a struct\), y \(a struct\)"):
        read_recordings(path)
    scipy.io.savemat(path, {f"v{i:02}": {"a": 1.0} for i in range(13)})
    with pytest.raises(FormatError, match=r"v10 \(a struct\), v11 \(a struct\)\. Save"):
        read_recordings(path)
    scipy.io.savemat(path, {})
    with pytest.raises(FormatError, match="the file holds nothing"):
        read_recordings(path)
    traces = {"traces": np.ones((4, 2)), "fs": 1.0}
    for content, given, expected in (
        (traces, "", "animal 7"),
        (traces, "mine", "mine"),
        (traces | {"worm": "w"}, "", "w"),
        (traces | {"name": "n"}, "", "n"),
        (traces | {"uid": "u"}, "", "u"),
        ({"data": traces, "note": "x"}, "", "animal 7"),
        (traces | {"data": {"traces": np.ones((9, 9))}}, "", "animal 7"),
    ):
        scipy.io.savemat(path, content)
        (held,) = mat.read_recordings(path, name=given)
        assert held.name == expected and held.traces.shape == (4, 2)
    scipy.io.savemat(path, {"mine": np.ones((5, 2)), "fs": 1.0, "data": traces})
    assert mat.read_recordings(path, fields={"traces": "mine"})[0].n_times == 5
    assert mat.read_recordings(path)[0].n_times == 4


def test_hdf5_without_a_header_of_matlab_is_read_as_version_73(tmp_path) -> None:
    path = tmp_path / "w.mat"
    with h5py.File(path, "w") as file:
        file["traces"] = np.ones((2, 5))
        file["fs"] = np.array([[2.0]])
        file["traces"].attrs["MATLAB_class"] = np.bytes_("double")
    (held,) = mat.read_recordings(path)
    assert held.traces.shape == (5, 2) and held.rate_hz == 2.0


@pytest.mark.parametrize(("classes", "version", "known"), [(True, "", True), (False, "", False), (True, "2.0", False)])
def test_version_73_without_its_header_is_told_by_the_classes_of_its_arrays(
    tmp_path: Path, classes: bool, version: str, known: bool
) -> None:
    path = tmp_path / "w.mat"
    with h5py.File(path, "w") as file:
        for name, values in (("traces", np.ones((2, 5))), ("t", np.arange(5.0)[:, None] / 2)):
            file[name] = values  # MATLAB turns arrays
            if classes:
                file[name].attrs["MATLAB_class"] = np.bytes_("double")
        if version:
            file.attrs["nwb_version"] = version
    start = path.read_bytes()[:64]
    assert mat._knows(path, start) is known
    assert not mat._knows(path, b"PK\x03\x04")
    if known:
        assert read_recording(path).traces.shape == (5, 2)
    else:
        assert identify(path).key != "mat"
