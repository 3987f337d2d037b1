"""Plain values come out of pickles as they went in, and nothing of what a file says is called."""

from __future__ import annotations

import collections
import datetime
import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_dynamic_connectome.io.plain_pickle import plain_npy, plain_value
from napari_dynamic_connectome.model.errors import FormatError

VALUES: list[Any] = [
    None, True, 3, -2.5, 2**70, "é", b"\xff", [1, [2, "x"]], (1, 2), {"a": {1: None}},
    np.float32(1.5), np.int64(-3), np.bool_(True), np.str_("né"), np.bytes_(b"ab"), np.datetime64("2026-01-02"),
    np.arange(6).reshape(2, 3), np.arange(6, dtype=">i2").reshape(2, 3), np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.zeros((0, 3)), np.array("text"), np.array(["a", "bcd"]), np.array([1, "a", None, [2]], dtype=object),
    np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]), np.arange(12).reshape(3, 4)[:, ::2],
    datetime.datetime(2026, 1, 2, 3, 4), datetime.date(2026, 1, 2), datetime.timedelta(seconds=5),
]  # fmt: skip


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tolist() == other.tolist()
    return type(one) is type(other) and bool(one == other)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("value", VALUES, ids=lambda v: f"{type(v).__name__} {v!s:.20}")
def test_values_come_out_as_they_went_in(value: Any, protocol: int) -> None:
    value = pickle.loads(pickle.dumps(value, protocol))  # NumPy turns bytes round
    assert same(plain_value(pickle.dumps(value, protocol), "here"), value)
    nested = plain_value(pickle.dumps({"k": [value, value]}, protocol), "here")
    assert same(nested["k"][0], value) and same(nested["k"][1], value)


def test_paths_come_out_as_texts() -> None:
    assert Path(plain_value(pickle.dumps(Path("a/b.tif")), "here")) == Path("a/b.tif")


@pytest.mark.parametrize("module", ["pathlib", "pathlib._local"])
@pytest.mark.parametrize("kind", ["PosixPath", "WindowsPath"])
def test_paths_of_every_python_come_out_as_texts(module: str, kind: str) -> None:
    """As 3.13 pickles them, and the others."""
    written = b"c" + f"{module}\n{kind}\n".encode() + b"(Va\nVb.tif\ntR."
    assert Path(plain_value(written, "here")) == Path("a/b.tif")


class Calls:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.made = function, arguments

    def __reduce__(self) -> Any:
        return self.made


class Array(np.ndarray):
    pass


def numpy_function(name: str) -> Any:
    return getattr(np._core.multiarray, name)


HOSTILE = {
    "system": Calls(os.system, "echo hit > hit"),
    "eval": Calls(eval, "1"),
    "getattr": Calls(getattr, "a", "upper"),
    "numpy.load": Calls(np.load, "x"),
    "an object of ours": Calls(collections.OrderedDict),
    "another kind of array": np.zeros(2).view(Array),
    "an array of another shape": Calls(numpy_function("_reconstruct"), np.ndarray, (3,), b"b"),
    "an array that is no array": Calls(numpy_function("_reconstruct"), np.dtype, (0,), b"b"),
    "a number of objects": Calls(numpy_function("scalar"), np.dtype(object), b"12345678"),
    "a number of no type": Calls(numpy_function("scalar"), "i4", b"1234"),
    "a number of a list": Calls(numpy_function("scalar"), np.dtype("i4"), [1, 2, 3, 4]),
    "a number cut off": Calls(numpy_function("scalar"), np.dtype("i8"), b"1234"),
    "a type that is no text": Calls(np.dtype, 3),
    "bytes of another code": Calls(__import__("codecs").encode, "a", "rot13"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_else_is_made_or_called(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for value in (HOSTILE[name], [HOSTILE[name]]):
        with pytest.raises(FormatError, match="holds more than numbers, texts, lists and arrays, or is damaged"):
            plain_value(pickle.dumps(value), "here")
    array = np.empty((), object)
    array[()] = HOSTILE[name]
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(FormatError, match="holds more than numbers"):
        plain_npy(tmp_path / "a.npy")
    assert [p.name for p in tmp_path.iterdir()] == ["a.npy"]


@pytest.mark.parametrize("content", [b"", b"\x80\x04", b"no pickle", pickle.dumps([1, 2])[:-3]])
def test_damage_is_said(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="or is damaged"):
        plain_value(content, "here")
    (tmp_path / "a.npy").write_bytes(content or b"x")
    with pytest.raises(FormatError, match="or is damaged"):
        plain_npy(tmp_path / "a.npy")


ARRAYS = [v for v in VALUES if isinstance(v, np.ndarray)]


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype} {a.shape}")
def test_npy_files_are_read_as_numpy_reads_them(array: np.ndarray, version: tuple[int, int], tmp_path: Path) -> None:
    for number, one in enumerate((array, np.asfortranarray(array), array.T)):
        path = tmp_path / f"{number}.npy"
        with path.open("wb") as stream:
            np.lib.format.write_array(stream, one, version)
        expected = np.load(path, allow_pickle=True)
        got = plain_npy(path)
        assert same(np.asarray(expected), got) if one.ndim or not one.dtype.hasobject else got == expected.item()


def test_an_npy_without_axes_is_what_it_holds_and_one_that_lies_is_refused(tmp_path: Path) -> None:
    array = np.empty((), object)
    array[()] = {"Ly": 3, "meanImg": np.ones((2, 2))}
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    held = plain_npy(tmp_path / "a.npy")
    assert held["Ly"] == 3 and held["meanImg"].shape == (2, 2)
    for value in (np.array([1, None], object), [1, None, 3]):
        with io.BytesIO() as stream:
            np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": (3,)})
            pickle.dump(value, stream)
            (tmp_path / "b.npy").write_bytes(stream.getvalue())
        with pytest.raises(FormatError, match="no array"):
            plain_npy(tmp_path / "b.npy")
