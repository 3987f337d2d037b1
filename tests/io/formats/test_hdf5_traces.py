"""Traces in HDF5 without a layout: which dataset, which axis is time, what is the clock; results of CaImAn."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.io.choice import ChoiceNeeded
from napari_dynamic_connectome.io.formats import hdf5_traces
from napari_dynamic_connectome.model.errors import InputError

VALUES = np.random.default_rng(0).normal(size=(8, 3))
NAMES = np.array(["AVAL", "AVAR", "RIML"], "S")
CLOCK = np.arange(8) / 2


def put(path: Path, **members: object) -> Path:
    with h5py.File(path, "w") as file:
        for key, value in members.items():
            file.create_dataset(key.replace("__", "/"), data=value)
    return path


@pytest.fixture
def read(tmp_path):
    """Read a file with these members; "__" is a slash."""

    def made(members: dict, **options: object):
        (found,) = hdf5_traces.read_recordings(put(tmp_path / "w.h5", **members), **options)
        return found

    return made


@pytest.mark.parametrize(
    ("members", "options", "rate"),
    [
        ({"F": VALUES, "t": CLOCK}, {}, 2.0), ({"F": VALUES.T, "t": CLOCK}, {}, 2.0), ({"g__F": VALUES, "g__time_ms": CLOCK * 1000}, {}, 2.0), ({"F": VALUES, "t": CLOCK[:, None]}, {}, 2.0),
        ({"F": VALUES, "names": NAMES}, {"rate_hz": 4.0}, 4.0), ({"F": VALUES.T, "names": NAMES}, {"rate_hz": 4.0}, 4.0), ({"F": VALUES, "fps": 3.0, "roi_names": NAMES}, {}, 3.0),
        ({"F": VALUES, "q": CLOCK}, {"fields": {"t": "/q"}}, 2.0), ({"F": VALUES, "who": NAMES}, {"fields": {"names": "who"}, "rate_hz": 2.0}, 2.0), ({"F": VALUES}, {"axes": "tn", "rate_hz": 2.0}, 2.0),
        ({"F": VALUES.T}, {"axes": "nt", "rate_hz": 2.0}, 2.0), ({"F": VALUES, "G": VALUES * 2, "t": CLOCK}, {"dataset": "/F/"}, 2.0), ({"F": VALUES, "t": CLOCK, "fs": 9.0}, {"rate_hz": 2.1, "axes": "tn"}, 2.1),
        ({"F": VALUES, "flat": VALUES[:1], "t": CLOCK}, {}, 2.0), ({"F": VALUES, "cube": np.zeros((2, 2, 2)), "t": CLOCK}, {}, 2.0),
    ],
)  # fmt: skip
def test_traces_are_turned_and_timed_by_what_lies_beside_them(read, members, options, rate) -> None:
    held = read(members, **options)
    np.testing.assert_allclose(held.traces.values, VALUES)
    assert held.rate_hz == pytest.approx(rate) and held.name == "w"
    if any(k in members for k in ("names", "roi_names", "who")):
        assert held.named == ["AVAL", "AVAR", "RIML"]
    assert held.provenance["hdf5"]["dataset"] == ("g/F" if "g__F" in members else "F")


@pytest.mark.parametrize(
    ("members", "options", "words", "choices"),
    [
        ({"F": VALUES, "G": VALUES}, {}, r"2 arrays of two axes.*F \(8, 3\), G \(8, 3\)", ("F", "G")), ({"F": VALUES, "t": CLOCK, "time": CLOCK + 1}, {}, "2 datasets could be the clock: t, time", ("t", "time")),
        ({"F": VALUES, "ids": NAMES, "names": NAMES}, {"rate_hz": 1.0}, "2 datasets could be the names: ids, names", ("ids", "names")), ({"F": VALUES}, {"rate_hz": 1.0}, r"of shape \(8, 3\) does not say which axis is time", ("tn", "nt")),
        ({"F": VALUES[:3], "t": CLOCK[:3]}, {}, r"of shape \(3, 3\) does not say", ("tn", "nt")),
    ],
)  # fmt: skip
def test_what_is_open_is_asked_about(read, members, options, words, choices) -> None:
    with pytest.raises(ChoiceNeeded, match=words) as asked:
        read(members, **options)
    assert asked.value.choices == choices
    if choices == ("tn", "nt"):
        assert asked.value.example == "tn"
        with pytest.raises(ChoiceNeeded) as other:
            read({"F": VALUES.T}, rate_hz=1.0)
        assert other.value.example == "nt"


@pytest.mark.parametrize(
    ("members", "options", "words"),
    [
        ({"t": CLOCK}, {}, "there is no array of two axes"), ({"F": VALUES.astype("S")}, {}, "there is no array of two axes"), ({"F": VALUES}, {"dataset": "G"}, "there is no dataset 'G' of two axes.*Found: F"),
        ({"F": VALUES, "t": CLOCK}, {"dataset": "t"}, "there is no dataset 't' of two axes"), ({"F": VALUES}, {"fields": {"t": "q"}}, "there is no dataset 'q'.*Found: F"),
        ({"F": VALUES, "g__x": 1}, {"fields": {"t": "g"}}, "there is no dataset 'g'"), ({"F": VALUES, "names": NAMES[:2]}, {"rate_hz": 1.0}, r"'names' has 2 names for traces of shape \(8, 3\)"),
        ({"F": VALUES}, {"axes": "xy", "rate_hz": 1.0}, "axes cannot be 'xy'"), ({"F": VALUES}, {"signal": "C"}, "holds no table, so signal= does not apply"), ({"F": VALUES}, {"worm_column": "C"}, "so worm_column= does not apply"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(read, members, options, words) -> None:
    with pytest.raises(InputError, match=words):
        read(members, **options)


def test_datasets_that_are_not_read_are_told(read) -> None:
    held = read({"F": VALUES, "t": CLOCK, "names": NAMES, "a": 1.0, "b": "text"})
    assert held.provenance["reading"] == "datasets that are not read: a, b"
    many = {f"x{i:02}": 1.0 for i in range(20)}
    assert read({"F": VALUES, "t": CLOCK} | many).provenance["reading"].endswith("x18, x19")
    assert read({"F": VALUES, "t": CLOCK} | many | {"x20": 1.0}).provenance["reading"].endswith("x18, x19 and others")
    assert "reading" not in read({"F": VALUES, "t": CLOCK}).provenance


@pytest.mark.parametrize(
    ("members", "holds"),
    [({"F": VALUES}, True), ({"x": CLOCK}, False), ({"F": VALUES, "cube": np.zeros((2, 2, 2))}, False), ({"estimates__C": VALUES, "cube": np.zeros((2, 2, 2))}, True), ({"estimates__F_dff": VALUES, "cube": np.zeros((2, 2, 2))}, True), ({"estimates__C": CLOCK}, False), ({"n": 3}, False)],
)  # fmt: skip
def test_which_files_hold_traces(tmp_path, members, holds) -> None:
    assert hdf5_traces.holds_traces(put(tmp_path / "w.h5", **members)) == holds


def test_tables_of_pandas_are_read_as_tables(tmp_path) -> None:
    pytest.importorskip("tables")
    path = tmp_path / "t.h5"
    pd.DataFrame({"time_s": CLOCK, "AVAL": VALUES[:, 0]}).to_hdf(path, key="d")
    assert hdf5_traces.holds_traces(path) and hdf5_traces.read_recordings(path)[0].named == ["AVAL"]


def caiman(**change: object) -> dict:
    tree = {
        "estimates__F_dff": VALUES.T,
        "estimates__C": 2 * VALUES.T,
        "estimates__YrA": VALUES.T,
        "estimates__S": 5 * VALUES.T,
        "estimates__idx_components": np.array([2, 0]),
        "params__data__fr": 4.0,
    }
    return {k: v for k, v in (tree | change).items() if v is not None}


@pytest.mark.parametrize(
    ("change", "signal", "factor", "said"),
    [
        ({}, None, 1, "F_dff of CaImAn read; not read: C, C + YrA, S"), ({}, "C", 2, ""), ({}, "C + YrA", 3, ""), ({}, "S", 5, ""), ({"estimates__F_dff": None}, None, 2, "C of CaImAn read; not read: C + YrA, S"),
        ({"estimates__F_dff": CLOCK, "estimates__YrA": None, "estimates__S": None}, None, 2, ""),
    ],
)  # fmt: skip
def test_results_of_caiman(read, change, signal, factor, said) -> None:
    held = read(caiman(**change), signal=signal)
    np.testing.assert_allclose(held.traces.values, factor * VALUES)
    assert held.rate_hz == pytest.approx(4.0) and held.neurons["rejected"].tolist() == [False, True, False]
    assert held.provenance.get("reading", "") == said


def test_results_of_caiman_without_rate_selection_or_signal(read) -> None:
    held = read(caiman(params__data__fr=30.0, estimates__idx_components=None), signal="C")
    assert (
        held.provenance["reading"] == "30 frames per second, which CaImAn writes where nobody says: check it"
        and not held.neurons["rejected"].any()
    )
    assert "reading" not in read(caiman(params__data__fr=30.0), signal="C", rate_hz=5.0).provenance
    assert read(caiman(params__data__fr=None), rate_hz=5.0).rate_hz == pytest.approx(5.0)
    with pytest.raises(InputError, match=r"there is no signal 'q'.*Found: F_dff, C, C \+ YrA, S"):
        read(caiman(), signal="q")
    with pytest.raises(InputError, match=r"there is no signal 'C \+ YrA'"):
        read(caiman(estimates__YrA=None), signal="C + YrA")
    only = read({"estimates__S": VALUES.T}, rate_hz=1.0, axes="nt")
    np.testing.assert_allclose(only.traces.values, VALUES)  # deconvolved activity alone is no result
    chosen = read(caiman(), dataset="estimates/S", axes="nt", rate_hz=1.0)
    np.testing.assert_allclose(chosen.traces.values, 5 * VALUES)


def test_how_much_and_how_deep_is_looked_at(tmp_path, monkeypatch) -> None:
    path = put(tmp_path / "w.h5", a__b__F=VALUES, a__x=1.0, y=2.0, cube=np.zeros((2, 2, 2)))
    with h5py.File(path) as file:
        assert list(hdf5_traces._arrays(file)) == ["a/b/F", "a/x", "y"]
        monkeypatch.setattr(hdf5_traces.limits, "MAX_NESTING", 1)
        assert list(hdf5_traces._arrays(file)) == ["a/x", "y"]
