"""Wide and long tables of traces: which column is the clock, what a neuron, what is refused, and what lies beside the table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from napari_dynamic_connectome import FormatError, InputError, Recording
from napari_dynamic_connectome.io.choice import ChoiceNeeded
from napari_dynamic_connectome.io.clock import UNIT_SAID
from napari_dynamic_connectome.io.formats import trace_tables
from napari_dynamic_connectome.io.formats.trace_tables import (
    listed_ids,
    long_table,
    recordings_from_table,
    wide_table,
    with_sidecar,
)

VALUES = np.random.default_rng(0).normal(size=(8, 3))


def wide(texts: bool = True, **columns: object) -> pd.DataFrame:
    table = pd.DataFrame({"time_s": np.arange(8) / 2, "AVAL": VALUES[:, 0], "AVAR": VALUES[:, 1]} | columns)
    table = table[[c for c in table if columns.get(c, 0) is not None]]
    return table.map(repr).replace({"'": ""}, regex=True) if texts else table


def read(table: pd.DataFrame, **options: object) -> Recording:
    (found,) = recordings_from_table(table, "here", name="w", **options)  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("texts", [True, False])
@pytest.mark.parametrize(
    ("column", "values", "options", "times", "said"),
    [
        ("time_s", np.arange(8) / 2, {}, np.arange(8) / 2, True), ("time", np.arange(8) / 2, {}, np.arange(8) / 2, False),
        ("t_ms", np.arange(8) * 500, {}, np.arange(8) / 2, True), ("t_min", np.arange(8) / 120, {}, np.arange(8) / 2, True),
        ("frame", np.arange(8), {"rate_hz": 2.0}, np.arange(8) / 2, False), ("Volume", np.arange(8) + 3, {"rate_hz": 2.0}, (np.arange(8) + 3) / 2, False),
        ("frame", np.arange(8) / 2, {"rate_hz": 2.0}, np.arange(8) / 2, False), ("other", None, {"rate_hz": 2.0}, np.arange(8) / 2, False),
        ("time_s", np.arange(8) / 2, {"rate_hz": 2.1}, np.arange(8) / 2, True), ("t0", np.arange(8) / 2, {"time_column": "T0 "}, np.arange(8) / 2, False),
        ("t0", np.arange(8), {"time_column": "t0", "rate_hz": 2.0}, np.arange(8) / 2, False), ("t_ms", np.arange(8) * 500.0, {"time_column": "t_ms"}, np.arange(8) / 2, True),
        ("t0", np.arange(8) / 2 + 0.25, {"time_column": "t0", "rate_hz": 2.0}, np.arange(8) / 2 + 0.25, False),
    ],
)  # fmt: skip
def test_the_clock_of_a_wide_table(texts, column, values, options, times, said) -> None:
    change = {"time_s": None} | ({column: values} if values is not None else {})
    held = read(wide(texts, **change), **options)
    np.testing.assert_allclose(held.time_s, times)
    assert held.named == ["AVAL", "AVAR"] and held.name == "w"
    np.testing.assert_allclose(held.traces.values, VALUES[:, :2])
    assert (UNIT_SAID in held.provenance) == said
    fractions = column == "frame" and values is not None and values[1] == 0.5
    assert held.provenance.get("reading", "") == (
        "column 'frame' holds fractions: read as seconds, not as frames" if fractions else ""
    )


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({"time_s": None}, {}, r"there is no time column \(the first columns are AVAL, AVAR\)"), ({"time_s": None, "": 1.0}, {}, "AVAL, AVAR, one without a name"),
        ({}, {"rate_hz": 0.0}, "the sampling rate 0 Hz is not positive"), ({}, {"rate_hz": np.inf}, "the sampling rate inf Hz is not positive"),
        ({}, {"rate_hz": 2.3}, r"column 'time_s' says 2 Hz, but rate_hz is 2\.3"), ({}, {"rate_hz": 1.8}, "says 2 Hz"),
        ({"time_s": None, "frame": np.arange(8) / 2}, {"rate_hz": 1.0}, "column 'frame', which holds fractions and so no frame numbers, says 2 Hz"),
        ({}, {"time_column": "q"}, "there is no column 'q'.*The table has: time_s, AVAL, AVAR"), ({"t_ms": 1.0, "time_s": None, "t_min": 2.0}, {}, "2 columns are called like a time"),
        ({"AVAL": None, "AVAR": None}, {}, "there is no column of a neuron"), ({"": 0.5}, {}, "column 3 of the neurons has no name"),
        ({"x1": 3 + 2.0 * np.arange(8)}, {"other_columns": "neurons"}, r"column 'x1' rises by the same step \(2\) in every row"),
    ],
)  # fmt: skip
def test_what_no_wide_table_holds_is_asked_about_or_refused(change, options, words) -> None:
    with pytest.raises((InputError, FormatError), match=words):
        read(wide(**change), **options)


def test_limits_of_tables(monkeypatch) -> None:
    monkeypatch.setattr(trace_tables.limits, "MAX_COLUMNS", 3)
    read(wide())
    monkeypatch.setattr(trace_tables.limits, "MAX_COLUMNS", 2)
    with pytest.raises(InputError, match=r"has 3 columns \(limit 2\)"):
        read(wide())
    monkeypatch.setattr(trace_tables.limits, "MAX_COLUMNS", 99)
    monkeypatch.setattr(trace_tables.limits, "MAX_NEURONS", 2)
    read(wide())
    monkeypatch.setattr(trace_tables.limits, "MAX_NEURONS", 1)
    with pytest.raises(InputError, match="2 neurons"):
        read(wide())
    with pytest.raises(InputError, match="the table has no rows"):
        read(wide().iloc[:0])


def test_columns_of_time_beside_the_chosen_one_are_told() -> None:
    held = read(wide(t_ms=np.arange(8) * 500.0, elapsed=9.0), time_column="t_ms")
    assert held.provenance["reading"] == "other columns of time, not read: time_s, elapsed" and held.named == [
        "AVAL",
        "AVAR",
    ]


@pytest.mark.parametrize(
    ("values", "frame"),
    [(np.arange(8), True), (np.arange(8) + 5, True), ([""] * 8, True), (2 * np.arange(8), False), (["a"] * 8, False)],
)
def test_a_column_without_a_name_is_an_index_only_if_it_counts(values, frame: bool) -> None:
    table = wide().assign(**{"": [str(v) for v in values]})
    assert trace_tables._counts(table, "", "here") == frame
    if frame:
        assert read(table).named == ["AVAL", "AVAR"]
    else:
        with pytest.raises(InputError):
            read(table)


@pytest.mark.parametrize(
    ("values", "header", "asked"),
    [
        (np.arange(5.0), "n1", True), (np.arange(4.0), "n1", False), (np.arange(5.0), "AVAL", False), (np.arange(5.0), "vb01", False), (np.arange(5.0), "AVA", False),
        (-np.arange(5.0), "n1", False), (np.zeros(5), "n1", False), (np.cumsum([0, 1, 1.019, 1, 1]), "n1", True), (np.cumsum([0, 1, 1.03, 1, 1]), "n1", False),
        (np.array([0, 1, np.nan, 3, 4]), "n1", False), (np.array([0.0, 1, 1, 2, 3]), "n1", False),
    ],
)  # fmt: skip
def test_which_columns_look_like_a_clock(values, header: str, asked: bool) -> None:
    if not asked:
        trace_tables._check_is_no_clock(values, header, "here")
        return
    with pytest.raises(ChoiceNeeded, match="rises by the same step") as error:
        trace_tables._check_is_no_clock(values, header, "here")
    assert error.value.option == "time_column" and error.value.choices == (header,)


def test_unnamed_neurons_keep_their_labels_and_named_ones_take_what_is_left() -> None:
    names, labels = trace_tables._split_ids(["#2", "A", "unnamed_1", "B", "#x", "C", "#5"], "here")
    assert names == ["", "A", "", "B", "#x", "C", ""] and labels == [2, 3, 1, 4, 6, 7, 5]
    held = read(wide(**{"#7": VALUES[:, 2]}))
    assert list(held.traces["neuron"].values) == ["AVAL", "AVAR", "#7"]


def test_columns_of_behaviour_are_told_by_their_prefix() -> None:
    held = read(wide(BEH_speed=VALUES[:, 2], beh_turn=[0, 1] * 4))
    np.testing.assert_allclose(held.behaviour["speed"], VALUES[:, 2])
    assert held.behaviour["turn"].attrs["kind"] == "binary" and held.named == ["AVAL", "AVAR"]


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64, object])
def test_columns_of_every_type_are_numbers(kind) -> None:
    whole = np.array([3, 1, 2, 9, 4, 4, 7, 0])
    table = pd.DataFrame({"AVAL": whole.astype(kind), "AVAR": whole[::-1].astype(kind)})
    if kind is object:
        table = table.map(str)
    got = trace_tables._columns(table, ["AVAL", "AVAR"], "here")
    np.testing.assert_array_equal(got, np.stack([whole, whole[::-1]], axis=1))
    assert got.dtype == (np.float32 if kind is np.float32 else np.float64)
    mixed = table.assign(text=[str(v) for v in whole])
    np.testing.assert_array_equal(
        trace_tables._columns(mixed, ["text", "AVAL"], "here"), np.stack([whole, whole], axis=1)
    )


def test_a_wrong_cell_is_named_with_its_column_and_row() -> None:
    table = pd.DataFrame({"a": ["1", "2", "3"], "b": ["1", "x", "3"], "c": [1.0, np.nan, 2.0]})
    with pytest.raises(InputError, match=r"'x' is not a number \(column 'b', row 3\)"):
        trace_tables._columns(table, ["a", "b"], "here")
    np.testing.assert_array_equal(trace_tables._column(table, "c", "here"), [1, np.nan, 2])
    with pytest.raises(InputError, match="column 'c' is empty in row 3"):
        trace_tables._column(table, "c", "here", missing=False)
    np.testing.assert_array_equal(trace_tables._column(table, "a", "here", missing=False), [1, 2, 3])


@pytest.mark.parametrize(
    ("rows", "long", "expected"),
    [
        ({"time": [0, 1, 2]}, False, False), ({"time": [0, 1, 1]}, False, True), ({"time": [0, 2, 1]}, False, True), ({"frame": [0, 1, 0]}, False, True),
        ({"x": [0, 1, 0]}, False, False), ({"time": ["0", "a", "0"]}, False, False), ({"time": [0, 0, 1], "neuron": ["a", "b", "a"]}, True, False),
        ({"time": [0, 1, 0], "neuron": ["a", "b", "a"]}, True, True), ({"time": [1, 0, 1], "neuron": ["a", "a", "b"]}, True, False),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_one_recording(rows, long, expected) -> None:
    assert trace_tables._restarts(pd.DataFrame(rows), "here", long) == expected


def long_rows(**change: object) -> pd.DataFrame:
    rows = [(t, n, 10 * t + i) for i, n in enumerate(["AVAL", "#4", "RIML"]) for t in (0.0, 1.0, 2.0)]
    table = pd.DataFrame(rows, columns=["time_s", "neuron", "value"])
    return table.assign(**change).sample(frac=1, random_state=0)  # type: ignore[arg-type]


def test_a_long_table_in_any_order_becomes_one_recording() -> None:
    label = np.repeat([5, 4, 9], 3)
    held = read(long_rows(label=label, z_um=label * 1.0, y=label * 2.0, x=label * 3.0, confidence=label / 10))
    held = held.replace(neurons=held.neurons)
    for i, (n, number) in enumerate(zip(["AVAL", "#4", "RIML"], (5, 4, 9), strict=True)):
        np.testing.assert_array_equal(held.traces.sel(neuron=n), [i, 10 + i, 20 + i])
        row = held.neurons.loc[n]
        assert row[["label", "z", "y", "x", "confidence"]].tolist() == [
            number,
            number,
            2 * number,
            3 * number,
            number / 10,
        ]
    gappy = read(long_rows().query("not (neuron == 'AVAL' and time_s == 1)"))
    np.testing.assert_array_equal(gappy.traces.sel(neuron="AVAL"), [0, np.nan, 20])
    assert sorted(gappy.neurons["label"].tolist()) == [1, 2, 4] and gappy.positions_um.shape == (3, 3)
    some = read(long_rows(label=[5.0, 5, 5, np.nan, np.nan, np.nan, 9, 9, 9]))
    assert some.neurons.loc["#4", "label"] == 4
    flat = read(long_rows(z=1.0, y=1.0))
    assert np.isnan(flat.positions_um).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"neuron": ["AVAL", "", "RIML"] * 3}, "column 'neuron' is empty in row"), ({"label": [1, 1, 2, 3, 3, 3, 4, 4, 4]}, "neuron 'AVAL' has several labels"),
        ({"time_s": 1.0}, "has two values at 1 s|cannot be one|worm"), ({"value": ["a"] * 9}, "'a' is not a number"),
    ],
)  # fmt: skip
def test_what_no_long_table_holds_is_refused(change, words) -> None:
    with pytest.raises((InputError, FormatError), match=words):
        read(long_rows(**change))


def full() -> Recording:
    made = Recording.from_arrays(
        VALUES, name="w", rate_hz=2.0, names=["AVAL", "", "RIML"], labels=[3, 9, 1], positions_um=np.arange(9.0).reshape(3, 3), confidence=[0.5, np.nan, 1],
        behaviour=xr.Dataset({"speed": ("time", np.arange(8.0) % 3)}),
    )  # fmt: skip
    return made.replace(neurons=made.neurons.assign(note=["=x", "", "b"], rejected=[False, True, False]))


def test_written_tables_come_back() -> None:
    held = full()
    back = read(wide_table(held))
    np.testing.assert_allclose(back.traces.values, held.traces.values)
    np.testing.assert_allclose(back.behaviour["speed"], held.behaviour["speed"])
    assert list(back.traces["neuron"].values) == list(held.traces["neuron"].values)
    table = long_table(held)
    assert (
        list(table.columns) == ["worm", "time_s", "neuron", "value", "label", "confidence", "z", "y", "x"]
        and len(table) == 24
    )
    (again,) = recordings_from_table(table.drop(columns="worm"), "here", name="w")
    np.testing.assert_allclose(again.traces.values, held.traces.values)
    pd.testing.assert_frame_equal(
        again.neurons.drop(columns=["note", "rejected"]), held.neurons.drop(columns=["note", "rejected"])
    )


def beside(**change: object) -> pd.DataFrame:
    rows = {
        "neuron": ["RIML", " AVAL", "#9"], "label": ["1", "3", "9"], "name": ["RIML", "AVAL", ""], "note": ["'=1", "", "n"], "z": ["7", "8", ""], "y": ["1", "2", "3"],
        "x": ["4", "5", "6"], "confidence": ["", "0.25", "1"], "rejected": ["True", "0", " YES "],
    }  # fmt: skip
    return pd.DataFrame({k: v for k, v in (rows | change).items() if v is not None})


def test_the_table_of_neurons_beside_traces_says_more_of_them() -> None:
    held = with_sidecar(full(), beside(), None, None, "here")
    table = held.neurons.loc[["AVAL", "#9", "RIML"]]
    assert table["note"].tolist() == ["", "n", "=1"] and table["rejected"].tolist() == [False, True, True]
    np.testing.assert_array_equal(
        table[["z", "y", "x", "confidence"]].to_numpy(float), [[8, 2, 5, 0.25], [np.nan, 3, 6, 1], [7, 1, 4, np.nan]]
    )
    assert held.provenance["names_decided"] is True
    part = with_sidecar(full(), beside(note=None, rejected=None, z=None), None, None, "here")
    assert part.neurons["note"].tolist() == ["=x", "", "b"] and part.neurons["rejected"].tolist() == [
        False,
        True,
        False,
    ]
    assert "names_decided" not in part.provenance and part.neurons["z"].tolist() == full().neurons["z"].tolist()
    for change, words in (
        ({"neuron": None}, "there is no column 'neuron'"),
        ({"neuron": ["RIML", "AVAL", "#8"]}, "neuron '#9' is not there once"),
        ({"neuron": ["RIML", "AVAL", "AVAL"]}, "neuron '#9' is not there once"),
    ):
        with pytest.raises(InputError, match=words):
            with_sidecar(full(), beside(**change), None, None, "here")
    with pytest.raises(InputError, match="neuron 'AVAL' is not there once"):
        with_sidecar(full(), pd.concat([beside(), beside().iloc[1:2]]), None, None, "here")
    assert (
        listed_ids(beside()) == {"RIML", "AVAL", "#9"}
        and listed_ids(None) == frozenset()
        and listed_ids(beside(neuron=None)) == frozenset()
    )
    assert listed_ids(pd.DataFrame({"id": ["'=a"]})) == {"=a"}


def test_stimuli_and_behaviour_beside_traces_are_added() -> None:
    stimuli = pd.DataFrame({"name": ["a"], "onset": [1.0], "offset": [2.0]})
    more = xr.Dataset({"turn": ("time", np.arange(8.0) % 2), "speed": ("time", np.zeros(8))})
    held = with_sidecar(full(), None, stimuli, more, "here")
    assert held.stimuli["name"].tolist() == ["a"] and set(held.behaviour) == {"turn", "speed"}
    np.testing.assert_array_equal(held.behaviour["speed"], np.arange(8.0) % 3)  # what the traces' own file says
    plain = full()
    assert with_sidecar(plain, None, None, None, "here") is plain


def test_a_frame_without_a_number_is_refused() -> None:
    table = pd.DataFrame({"frame": ["0", "1", "", "3"], "AVAL": ["1", "2", "3", "4"]})
    with pytest.raises(InputError, match="column 'frame' is empty in row 4"):
        recordings_from_table(table, "here", name="w", rate_hz=2.0)
    whole = table.assign(frame=["0", "1", "2", "4"])
    np.testing.assert_array_equal(recordings_from_table(whole, "here", name="w", rate_hz=2.0)[0].time_s, [0, 0.5, 1, 2])
