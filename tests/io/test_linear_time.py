"""Tables of many columns and NWB files of many groups: the work grows with their size, no faster; too many are refused at once.

Counted are calls of functions, which do not depend on how busy the machine is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.io import limits
from napari_dynamic_connectome.io.registry import read_recordings
from napari_dynamic_connectome.model.errors import FormatError, InputError

SIZES = (30, 60, 120)


def calls(work: Callable[[], object]) -> int:
    """Count the calls of functions."""
    seen = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal seen
        seen += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return seen


def wide(path: Path, n: int) -> Path:
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(4, n)), columns=[f"#{i + 1}" for i in range(n)])
    table.insert(0, "time_s", np.arange(4.0))
    return save(table, path)


def behaviour(path: Path, n: int) -> Path:
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(4, n)), columns=[f"beh_{i}" for i in range(n)])
    table.insert(0, "time_s", np.arange(4.0))
    table.insert(1, "AVAL", np.arange(4.0) ** 2)
    return save(table, path)


def save(table: pd.DataFrame, path: Path) -> Path:
    table.to_parquet(path) if path.suffix == ".parquet" else table.to_csv(path, index=False)
    return path


def groups(path: Path, n: int) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.5"
        for i in range(n):
            file.create_group(f"acquisition/a{i}").attrs["neurodata_type"] = "ImageSeries"
            one = file.create_group(f"processing/behavior/b{i}")
            one["data"], one["timestamps"] = np.sin(np.arange(6.0) + i), np.arange(6.0)
            one = file.create_group(f"intervals/i{i}")
            one["start_time"], one["stop_time"] = np.arange(2.0), np.arange(2.0) + 1
        roi = file.create_group("processing/x/roi")
        roi.attrs["neurodata_type"] = "RoiResponseSeries"
        roi["data"], roi["timestamps"], roi["rois"] = (
            np.random.default_rng(0).random((6, 5)),
            np.arange(6.0),
            np.arange(5),
        )
    return path


@pytest.mark.parametrize(
    ("make", "name"),
    [(wide, "a.csv"), (behaviour, "a.csv"), (wide, "a.parquet"), (behaviour, "a.parquet"), (groups, "a.nwb")],
)
def test_the_work_grows_with_the_size_and_no_faster(tmp_path: Path, make: Callable[..., Path], name: str) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    read_recordings(make(tmp_path / name, 3))  # imports are no work of the reader
    found = []
    for n in SIZES:
        path = make(tmp_path / name, n)
        found.append(calls(lambda path=path: read_recordings(path)))
    first, second = found[1] - found[0], found[2] - found[1]
    assert 0 < second < 2.3 * first + 300, found  # twice as many more: twice the work; four times if it were quadratic
    assert first < 5000 * (SIZES[1] - SIZES[0])  # at most 4321 a column, with Python 3.13


def test_the_columns_of_texts_are_read_together_and_a_bad_cell_is_still_named(tmp_path: Path) -> None:
    table = pd.read_csv(wide(tmp_path / "a.csv", 6)).astype(object)
    (recording,) = read_recordings(tmp_path / "a.csv")
    np.testing.assert_allclose(recording.traces.values, table.iloc[:, 1:].to_numpy(float))
    table.iloc[2, 4] = "x1"
    table.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(InputError, match=r"'x1' is not a number \(column '#4', row 4\)"):
        read_recordings(tmp_path / "a.csv")


def test_limits_are_checked_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_dynamic_connectome.io.formats import nwb, trace_tables

    monkeypatch.setattr(limits, "MAX_COLUMNS", 20)
    monkeypatch.setattr(limits, "MAX_NWB_MEMBERS", 20)
    read: list[object] = []
    monkeypatch.setattr(trace_tables, "to_numbers", lambda *a, **k: read.append(a))
    with pytest.raises(InputError, match=r"31 columns \(limit 20\)"):
        read_recordings(wide(tmp_path / "a.csv", 30))
    assert not read
    monkeypatch.setattr(nwb, "is_local", lambda *a: read.append(a) or True)
    with pytest.raises(FormatError, match="more than 20 members"):
        read_recordings(groups(tmp_path / "a.nwb", 30))
    assert len(read) < 25


def test_an_interval_with_as_many_ends_as_starts_only_is_read(tmp_path: Path) -> None:
    path = groups(tmp_path / "a.nwb", 3)
    (recording,) = read_recordings(path)
    np.testing.assert_allclose(recording.stimuli["offset"] - recording.stimuli["onset"], 1)
    assert list(recording.stimuli["name"]) == ["i0", "i1", "i2"] * 2
    assert list(recording.behaviour.data_vars) == ["b0", "b1", "b2"]
    with h5py.File(path, "a") as file:
        for name, n in (("i0", 3), ("i1", 1)):
            del file[f"intervals/{name}/stop_time"]
            file[f"intervals/{name}/stop_time"] = np.arange(n) + 1.0
    with pytest.raises(FormatError, match="2 starts and 3 ends"):
        read_recordings(path)
