"""Tables that pandas stored in HDF5, against the tables themselves: types, names, levels, gaps, and which table is meant."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.io import limits
from napari_dynamic_connectome.io.choice import ChoiceNeeded
from napari_dynamic_connectome.io.formats.pandas_hdf5 import _seconds, read_stored_table, stored_pose, stored_tables
from napari_dynamic_connectome.io.formats.text_tables import LEVELS
from napari_dynamic_connectome.model.errors import FormatError, InputError

pytest.importorskip("tables")
RNG = np.random.default_rng(0)
LAYOUTS = ("fixed", "table")


def put(frame: pd.DataFrame | pd.Series, path: Path, layout: str, key: str = "df") -> Path:
    frame.to_hdf(path, key=key, format=layout)
    return path


def get(path: Path, dataset: str | None = None) -> pd.DataFrame | None:
    with h5py.File(path) as file:
        return read_stored_table(file, "here", dataset)


MIXED = {
    "a": [1.5, 2.5, np.nan],
    "n": [3, 4, 5],
    "b": [0.5, 0.25, 0.125],
    "word": ["AVAL", "AVAR", ""],
    "m": [7, 8, 9],
    "other": ["x", "yy", "zzz"],
    "flag": [True, False, True],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", [None, "time_s", "place"])
@pytest.mark.parametrize("index", [[0.0, 0.5, 1.25], [4, 7, 9], ["one", "two", "three"]], ids=["float", "int", "text"])
def test_index_and_columns_come_back_in_their_order_with_their_names(tmp_path, layout, name, index) -> None:
    frame = pd.DataFrame(MIXED, index=pd.Index(index, name=name))
    got = get(put(frame, tmp_path / "a.h5", layout))
    assert list(got.columns) == [name or "", *MIXED] and LEVELS not in got.attrs
    assert got[name or ""].tolist() == index
    for column, values in MIXED.items():
        if column == "a":
            np.testing.assert_array_equal(got["a"].to_numpy(float), values)
        else:
            assert got[column].tolist() == values


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_single_column_and_a_series_are_tables(tmp_path, layout) -> None:
    frame = pd.DataFrame({"AVAL": RNG.random(5)})
    pd.testing.assert_frame_equal(get(put(frame, tmp_path / "a.h5", layout))[["AVAL"]], frame)
    series = pd.Series(RNG.random(5), index=pd.Index(np.arange(5) / 2, name="time_s"), name="AVAR")
    got = get(put(series, tmp_path / "s.h5", layout))
    assert got["time_s"].tolist() == [0, 0.5, 1, 1.5, 2] and got.iloc[:, 1].tolist() == series.tolist()
    assert got.columns.tolist()[0] == "time_s" and len(got.columns) == 2
    if layout == "fixed":
        assert got.columns[1] == "AVAR"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_dates_count_from_the_first_and_durations_are_seconds_with_gaps(tmp_path, layout) -> None:
    dates = pd.to_datetime(["2024-01-01 00:00:02.0", "2024-01-01 00:00:01.5", None, "2024-01-01 00:01:00.0"])
    spans = pd.to_timedelta([1.5, None, 0.25, -2.0], unit="s")
    frame = pd.DataFrame({"when": dates, "long": spans, "AVAL": np.arange(4.0)})
    got = get(put(frame, tmp_path / "a.h5", layout))
    np.testing.assert_allclose(got["when"], [0.5, 0.0, np.nan, 58.5])
    np.testing.assert_allclose(got["long"], [1.5, np.nan, 0.25, -2.0])
    frame = pd.DataFrame({"AVAL": np.arange(4.0)}, index=dates.fillna(dates[0]))
    assert get(put(frame, tmp_path / "b.h5", layout))["time_s"].tolist() == [0.5, 0.0, 0.5, 58.5]


@pytest.mark.parametrize(("unit", "size"), [("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9)])
def test_seconds_of_every_unit(unit: str, size: float) -> None:
    values = np.array([5, 3, np.iinfo(np.int64).min, 9])
    np.testing.assert_allclose(_seconds(values, f"datetime64[{unit}]"), np.array([2, 0, np.nan, 6]) * size)
    np.testing.assert_allclose(_seconds(values, f"timedelta64[{unit}]"), np.array([5, 3, np.nan, 9]) * size)
    np.testing.assert_allclose(_seconds(values, f"datetime64[{unit}, UTC]"), np.array([2, 0, np.nan, 6]) * size)
    assert _seconds(values, "int64") is values
    assert _seconds(np.array([58_500_000_000]), "timedelta64[ns]").tolist() == [58.5]  # to the last digit
    nothing = np.full(2, np.iinfo(np.int64).min)
    assert np.isnan(_seconds(nothing, "datetime64")).all()
    np.testing.assert_allclose(_seconds(values, "datetime64"), np.array([2, 0, np.nan, 6]) * 1e-9)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("named", [True, False])
def test_columns_of_several_levels_keep_their_rows_and_names(tmp_path, layout, named) -> None:
    columns = pd.MultiIndex.from_product(
        [["AVAL", "RIML"], ["raw", "dff"], ["x", "y"]], names=["neuron", "signal", "axis"] if named else [None] * 3
    )
    frame = pd.DataFrame(RNG.random((4, 8)), columns=columns, index=pd.Index(np.arange(4) / 4, name="time_s"))
    got = get(put(frame, tmp_path / "a.h5", layout))
    held = got.attrs[LEVELS]
    assert held.n_rows == 3 and held.rows == tuple(zip(*columns, strict=True))
    assert held.names == (("neuron", "signal", "axis") if named else ("", "", "")) and held.index == "time_s"
    np.testing.assert_array_equal(got.iloc[:, 1:].to_numpy(), frame.to_numpy())
    assert got["time_s"].tolist() == [0, 0.25, 0.5, 0.75] and list(got.columns) == ["time_s", *held.columns()]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_index_of_several_levels_becomes_columns(tmp_path, layout) -> None:
    index = pd.MultiIndex.from_tuples([(0.0, "AVAL"), (0.0, "AVAR"), (0.5, "AVAL")], names=["time_s", "neuron"])
    frame = pd.DataFrame({"value": [1.0, 2.0, 3.0], "more": [4, 5, 6]}, index=index)
    got = get(put(frame, tmp_path / "a.h5", layout))
    assert sorted(got.columns) == ["more", "neuron", "time_s", "value"] and list(got.columns)[2:] == ["value", "more"]
    assert got["time_s"].tolist() == [0.0, 0.0, 0.5] and got["neuron"].tolist() == ["AVAL", "AVAR", "AVAL"]
    assert got["value"].tolist() == [1.0, 2.0, 3.0] and got["more"].tolist() == [4, 5, 6]


def test_categories_are_their_texts_and_none_where_there_is_none(tmp_path) -> None:
    words = pd.Categorical(["b", "a", None, "c", "a"], categories=["c", "b", "a"])
    frame = pd.DataFrame({"word": words, "value": np.arange(5.0)})
    got = get(put(frame, tmp_path / "a.h5", "table"))
    assert got["word"].tolist() == ["b", "a", "", "c", "a"] and got["value"].tolist() == frame["value"].tolist()


def test_which_table_is_meant(tmp_path) -> None:
    path = tmp_path / "a.h5"
    first, second = pd.DataFrame({"x": [1.0]}), pd.DataFrame({"y": [2.0]})
    put(first, path, "fixed", "b/one")
    with h5py.File(path) as file:
        assert stored_tables(file) == {"b/one": "frame"}
    assert get(path)["x"].tolist() == [1.0] and get(path, "/b/one/")["x"].tolist() == [1.0]
    assert get(path, "b") is None
    put(pd.Series([5.0]), path, "fixed", "alone")  # a whole table goes before a column
    with h5py.File(path) as file:
        assert stored_tables(file) == {"b/one": "frame"}
    put(second, path, "table", "a")
    with h5py.File(path) as file:
        assert list(stored_tables(file).items()) == [("a", "frame_table"), ("b/one", "frame")]
    with pytest.raises(ChoiceNeeded, match="2 tables of pandas") as caught:
        get(path)
    assert (caught.value.option, caught.value.choices) == ("dataset", ("a", "b/one"))
    assert get(path, "a")["y"].tolist() == [2.0] and get(path, "c") is None
    put(pd.Series([5.0], name="s"), tmp_path / "s.h5", "fixed", "alone")
    with h5py.File(tmp_path / "s.h5") as file:
        assert stored_tables(file) == {"alone": "series"}
    with h5py.File(tmp_path / "none.h5", "w") as file:
        file.create_group("a/b")["x"] = [1.0]
        assert stored_tables(file) == {} and read_stored_table(file, "here") is None


def test_as_many_members_as_allowed_are_looked_at_and_as_deep(tmp_path, monkeypatch) -> None:
    path = put(pd.DataFrame({"x": [1.0]}), tmp_path / "a.h5", "fixed", "a/b/c")
    for nesting, found in ((1, False), (2, True)):
        monkeypatch.setattr(limits, "MAX_NESTING", nesting)
        with h5py.File(path) as file:
            assert bool(stored_tables(file)) == found
    for members, found in ((2, False), (3, True)):
        monkeypatch.setattr(limits, "MAX_MEMBERS", members)
        with h5py.File(path) as file:
            assert bool(stored_tables(file)) == found


@pytest.mark.parametrize("layout", LAYOUTS)
def test_tracked_points_are_told_by_their_header(tmp_path, layout) -> None:
    names = ["scorer", "bodyparts", "coords"]
    columns = pd.MultiIndex.from_product([["model"], ["nose", "tail"], ["x", "y", "likelihood"]], names=names)
    points = pd.DataFrame(RNG.random((3, 6)), columns=columns)
    assert stored_pose(put(points, tmp_path / "a.h5", layout))
    assert not stored_pose(put(pd.DataFrame({"x": [1.0]}), tmp_path / "b.h5", layout))
    assert not stored_pose(put(pd.Series([1.0]), tmp_path / "c.h5", layout))
    other = points.set_axis(columns.set_names(["a", "b", "c"]).set_levels(["p", "q", "r"], level=2), axis=1)
    assert not stored_pose(put(other, tmp_path / "d.h5", layout))
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file["df"].attrs["non_index_axes" if layout == "table" else "axis0_variety"]
    assert not stored_pose(tmp_path / "a.h5")


def test_what_is_damaged_or_named_twice_is_said(tmp_path) -> None:
    path = put(pd.DataFrame({"x": [1.0], "y": [2.0]}), tmp_path / "a.h5", "table")
    with h5py.File(path, "a") as file:
        del file["df/table"].attrs["values_block_0_kind"]
    with pytest.raises(FormatError, match="this table of pandas cannot be read") as caught:
        get(path)
    assert caught.value.where == "here:df" and "CSV or Parquet" in caught.value.fix
    twice = pd.DataFrame([[1.0]], columns=["time_s"], index=pd.Index([0.5], name="time_s"))
    with pytest.raises(InputError, match="'time_s' is there twice"):
        get(put(twice, tmp_path / "b.h5", "fixed"))
    periods = pd.DataFrame({"x": [1.0]}, index=pd.period_range("2024", periods=1, freq="Y"))
    with pytest.raises(FormatError, match="an index of periods"):
        get(put(periods, tmp_path / "c.h5", "fixed"))
