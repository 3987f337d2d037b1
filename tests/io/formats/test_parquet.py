"""Parquet files, and the collection of many worms in one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.io.formats import parquet
from napari_dynamic_connectome.io.registry import read_recordings
from napari_dynamic_connectome.model.errors import Cancelled, FormatError, InputError, MissingExtraError
from napari_dynamic_connectome.model.recording import Recording


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

        def scanner(self, **options: object) -> object:
            scanned = self.inner.scanner(**options)
            asked.append((options.get("columns"), scanned.count_rows()))
            return scanned

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


def rows_of(*worms: tuple[str, str, list[tuple[str, bool, int]]], length: int = 4, **change: object) -> pd.DataFrame:
    """A collection of these worms: source, name, and neurons with whether they are named and their slot."""
    rows = []
    for number, (source, worm, neurons) in enumerate(worms):
        for neuron, labeled, slot in neurons:
            rows.append(
                {
                    "source_dataset": source, "worm": worm, "neuron": neuron, "is_labeled_neuron": labeled, "slot": slot, "raw_data_file": "f",
                    "original_calcium_data": np.arange(length) + 10.0 * number + slot, "original_time_in_seconds": np.arange(length) / (number + 1),
                    "calcium_data": np.zeros(length), "time_in_seconds": np.arange(length) * 1.0, "original_median_dt": 1 / (number + 1), "original_max_timesteps": length,
                }
            )  # fmt: skip
    table = pd.DataFrame(rows)
    for key, value in change.items():
        table = table.drop(columns=key) if value is None else table.assign(**{key: value})
    return table


THREE = (
    ("A", "w1", [("AVAL", True, 0), ("x", False, 1), ("AVAR", True, 2)]), ("A", "w2", [("RIML", True, 4)]), ("B", "w1", [("q", False, 0), ("r", False, 0)]),
)  # fmt: skip


@pytest.mark.parametrize("shuffled", [False, True])
def test_every_worm_of_a_collection_is_whole_whatever_the_order_of_rows(tmp_path, shuffled) -> None:
    path = tmp_path / "c.parquet"
    table = rows_of(*THREE)
    (table.iloc[[3, 0, 4, 1, 5, 2]] if shuffled else table).to_parquet(path, index=False)
    found = {r.name: r for r in read_recordings(path)}
    assert set(found) == {"A w1", "A w2", "B w1"}
    first = found["A w1"]
    assert list(first.traces["neuron"].values) == ["AVAL", "#2", "AVAR"] and first.time_s.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(first.traces.sel(neuron="#2"), np.arange(4) + 1)
    np.testing.assert_array_equal(found["A w2"].time_s, np.arange(4) / 2)
    assert found["A w2"].neurons["label"].tolist() == [5] and found["B w1"].neurons["label"].tolist() == [1, 2]
    assert first.provenance["collection"] == {
        "source_dataset": "A",
        "worm": "w1",
        "column": "original_calcium_data",
        "raw_data_file": "f",
    }
    told: list[tuple[float, str]] = []
    read_recordings(path, progress=lambda share, text="": told.append((round(share, 3), text)))
    assert (
        told[0] == (0.0, "3 worms")
        and [t[0] for t in told[1:]] == [0.333, 0.667, 1.0]
        and told[-1][1].endswith(", 3 of 3")
    )
    with pytest.raises(Cancelled):
        read_recordings(path, cancel=lambda: True)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"dataset": "A"}, ["w1", "w2"]), ({"dataset": ["A", "B"]}, ["A w1", "A w2", "B w1"]), ({"worm": "w1"}, ["A w1", "B w1"]), ({"dataset": "A", "worm": ["w2"]}, ["w2"]),
        ({"min_named": 1}, ["A w1", "A w2"]), ({"min_named": 2}, ["A w1"]), ({"min_neurons": 2}, ["A w1", "B w1"]), ({"min_duration_s": 1.5}, ["A w1", "A w2"]), ({"min_duration_s": 1.6}, ["A w1"]),
        ({"labeled_only": True, "min_named": 1}, ["A w1", "A w2"]), ({"column": "calcium_data", "dataset": "B"}, ["w1"]),
    ],
)  # fmt: skip
def test_worms_are_chosen_by_source_name_size_and_length(tmp_path, options, names) -> None:
    path = tmp_path / "c.parquet"
    rows_of(*THREE).to_parquet(path, index=False)
    found = read_recordings(path, **options)
    assert sorted(r.name for r in found) == names
    if options.get("labeled_only"):
        assert [r.n_neurons for r in found] == [2, 1]
    if options.get("column"):
        assert found[0].time_s.tolist() == [0, 1, 2, 3] and not found[0].traces.any()


def test_what_a_collection_holds_is_listed_without_its_traces(tmp_path) -> None:
    path = tmp_path / "c.parquet"
    for change in ({}, {"original_median_dt": None}, {"original_max_timesteps": None}):
        rows_of(*THREE, **change).to_parquet(path, index=False)
        listed = parquet.list_worms(path, lengths=True)
        assert listed[["source_dataset", "worm", "neurons", "named"]].to_numpy().tolist() == [
            ["A", "w1", 3, 2],
            ["A", "w2", 1, 1],
            ["B", "w1", 2, 0],
        ]
        assert listed["samples"].tolist() == [4, 4, 4]
        np.testing.assert_allclose(listed["duration_s"], [3, 1.5, 1.0])
        assert list(listed.columns) == ["source_dataset", "worm", "neurons", "named", "samples", "duration_s"]
    assert list(parquet.list_worms(path).columns) == ["source_dataset", "worm", "neurons", "named"]
    rows_of(*THREE, is_labeled_neuron=None).to_parquet(path, index=False)
    assert parquet.list_worms(path)["named"].tolist() == [3, 1, 2]
    rows_of(*THREE, original_median_dt=None, original_time_in_seconds=None, time_in_seconds=None).to_parquet(
        path, index=False
    )
    bare = parquet.list_worms(path, lengths=True)
    assert bare["samples"].isna().all() and bare["duration_s"].isna().all()
    for options, words in (
        ({"dataset": "C"}, "there is no source_dataset 'C'.*Known: A, B"), ({"worm": ["w1", "w9"]}, "there is no worm 'w9'"),
        ({"min_named": 3}, "no worm has at least 3 named neurons, 0 neurons and 0 s"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=words):
            parquet.list_worms(path, **options)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"original_time_in_seconds": None, "original_median_dt": None, "time_in_seconds": None}, "neither a fitting time_in_seconds nor median_dt"),
        ({"original_time_in_seconds": [np.arange(3.0)] * 6, "original_median_dt": 0.0}, "neither a fitting original_time_in_seconds nor original_median_dt"),
        ({"original_calcium_data": [np.arange(4.0)] * 5 + [np.arange(3.0)]}, r"different lengths \(3 to 4\)"), ({"original_calcium_data": [None] * 6}, r"different lengths \(0 to 0\)"),
    ],
)  # fmt: skip
def test_worms_without_a_clock_or_of_uneven_traces_are_refused(tmp_path, change, words) -> None:
    path = tmp_path / "c.parquet"
    rows_of(*THREE, **change).to_parquet(path, index=False)
    with pytest.raises((InputError, FormatError), match=words):
        read_recordings(path, dataset="B")
    with pytest.raises(InputError, match=r"there is no column 'q'.*Known: original_calcium_data, calcium_data"):
        read_recordings(path, column="q")


def test_a_clock_that_does_not_fit_is_replaced_by_the_step(tmp_path) -> None:
    path = tmp_path / "c.parquet"
    rows_of(*THREE, original_time_in_seconds=[np.arange(3.0)] * 6).to_parquet(path, index=False)
    held = read_recordings(path, dataset="A", worm="w2")[0]
    np.testing.assert_allclose(held.time_s, np.arange(4) / 2)
    rows_of(*THREE, slot=None, raw_data_file=None).to_parquet(path, index=False)
    held = read_recordings(path, dataset="A", worm="w1")[0]
    assert held.neurons["label"].tolist() == [1, 2, 3] and "raw_data_file" not in held.provenance["collection"]


def test_only_some_pairs_of_a_collection(tmp_path) -> None:
    path = tmp_path / "c.parquet"
    rows_of(*THREE).to_parquet(path, index=False)
    found = list(parquet.iterate_collection(path, only=[("A", "w2"), ("B", "w1"), ("B", "w2")]))
    assert [r.name for r in found] == ["A w2", "B w1"]
    folder = tmp_path / "f"
    folder.mkdir()
    assert not parquet.is_collection(folder)
    rows_of(THREE[0]).to_parquet(folder / "a.parquet", index=False)
    rows_of(THREE[1]).to_parquet(folder / "b.parquet", index=False)
    assert parquet.is_collection(folder) and {r.name for r in read_recordings(folder)} == {"A w1", "A w2"}
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "t.parquet")
    assert not parquet.is_collection(tmp_path / "t.parquet")


@pytest.mark.parametrize("layout", ["wide", "long"])
def test_a_recording_in_parquet_comes_back(tmp_path, layout) -> None:
    made = Recording.from_arrays(
        np.random.default_rng(0).normal(size=(6, 3)), name="w", rate_hz=2.0, names=["AVAL", "odd name", ""], positions_um=np.array([[1.0, 2, 3], [np.nan] * 3, [4, 5, 6]]),
        stimuli=pd.DataFrame({"name": ["a"], "onset": [1.0], "offset": [2.0]}), breaks=(1.2,),
    )  # fmt: skip
    path = parquet.write_recording(made, tmp_path / "r.parquet", layout=layout)
    (back,) = parquet.read_recordings(path)
    np.testing.assert_allclose(back.traces.values, made.traces.values)
    np.testing.assert_array_equal(back.positions_um, made.positions_um)
    assert back.named[:1] == ["AVAL"] and back.name == "w"
    if layout == "wide":
        assert back.breaks == (1.2,) and back.stimuli["name"].tolist() == ["a"] and back.named == ["AVAL", "odd name"]
        assert parquet.read_recordings(path, name="mine")[0].name == "mine"
        faster = parquet.read_recordings(path, rate_hz=2.1)[0]
        assert faster.stimuli.empty  # what is asked for beats what was written
    with pytest.raises(InputError, match="there is no layout 'odd'"):
        parquet.write_recording(made, path, layout="odd")


@pytest.mark.parametrize("header", ["time_s", "time_ms", "time (min)"])
@pytest.mark.parametrize("kind", ["dates", "dates of a place", "durations"])
def test_dates_are_seconds_since_the_first_and_durations_seconds(tmp_path, header: str, kind: str) -> None:
    pytest.importorskip("pyarrow")
    times = np.arange(5) * 0.5
    stamps = pd.to_timedelta(times + 0.25, unit="s")
    if kind != "durations":
        stamps = pd.Timestamp("2026-10-25 00:59:59", tz="UTC") + stamps  # the clocks are put back
    if kind == "dates of a place":
        stamps = stamps.tz_convert("Europe/Vienna")
    pd.DataFrame({header: stamps, "AVAL": np.arange(5.0)}).to_parquet(tmp_path / "w.parquet")
    held = read_recordings(tmp_path / "w.parquet")[0]
    np.testing.assert_allclose(held.time_s, times + 0.25 * (kind == "durations"))
    assert held.neurons["name"].tolist() == ["AVAL"]


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}])
def test_columns_of_lists_are_refused_by_name(tmp_path, value: object) -> None:
    pytest.importorskip("pyarrow")
    table = pd.DataFrame({"time_s": np.arange(3.0), "AVAL": np.arange(3.0), "odd": [value] * 3})
    table.to_parquet(tmp_path / "w.parquet")
    with pytest.raises(FormatError, match="column 'odd' holds lists or structures"):
        read_recordings(tmp_path / "w.parquet")
