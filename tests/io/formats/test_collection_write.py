"""Worms written in the layout of the homogenized collection."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome import Recording, list_worms, read_recordings
from napari_dynamic_connectome.io.formats.collection_write import SLOTS, write_collection
from napari_dynamic_connectome.io.formats.parquet import is_collection
from napari_dynamic_connectome.model.errors import Cancelled, InputError

pa = pytest.importorskip("pyarrow")
RNG = np.random.default_rng(3)
COLUMNS = {
    "source_dataset", "raw_data_file", "worm", "neuron", "slot", "is_labeled_neuron", "is_unlabeled_neuron",
    "original_calcium_data", "calcium_data", "original_smooth_calcium_data", "smooth_calcium_data",
    "original_residual_calcium", "residual_calcium", "original_smooth_residual_calcium", "smooth_residual_calcium",
    "smooth_method", "interpolate_method", "original_time_in_seconds", "time_in_seconds", "original_dt", "dt",
    "original_median_dt", "median_dt", "original_max_timesteps", "max_timesteps",
}  # fmt: skip


def worm(name: str = "w1", **more) -> Recording:
    time = 2.0 + np.cumsum(RNG.uniform(0.3, 0.5, 40))
    names = more.pop("names", ["AVAL", "", "RIS", "mystery"])
    values = RNG.normal(5, 2, (40, len(names)))
    return Recording.from_arrays(values, name=name, time_s=time, names=names, **more)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    worms = [worm("w1"), worm("w2")]
    path = write_collection(worms, tmp_path / "c.parquet", source="Us2026")
    assert is_collection(path)
    listed = list_worms(path, lengths=True)
    assert listed[["source_dataset", "worm", "neurons", "named", "samples"]].values.tolist() == [
        ["Us2026", "w1", 4, 2, 40],
        ["Us2026", "w2", 4, 2, 40],
    ]
    read = read_recordings(path, dataset="Us2026")
    for before, after in zip(worms, read, strict=True):
        assert after.named == ["AVAL", "RIS"]
        np.testing.assert_allclose(after.time_s, before.time_s - before.time_s[0], atol=1e-5)
        wanted = before.traces.values - before.traces.values.mean(axis=0)
        np.testing.assert_allclose(after.traces.values[:, [0, 2]], (wanted / wanted.std(axis=0))[:, [0, 2]], atol=1e-5)


def test_every_column_of_the_collection_is_there_and_means_the_same(tmp_path: Path) -> None:
    recording = worm()
    table = pd.read_parquet(write_collection([recording], tmp_path / "c.parquet", step_s=0.25))
    assert set(table.columns) == COLUMNS
    first = table[table["neuron"] == "AVAL"].iloc[0]
    assert first["slot"] == sorted(SLOTS).index("AVAL") and first["is_labeled_neuron"]
    time = np.asarray(first["original_time_in_seconds"], float)
    np.testing.assert_allclose(
        first["original_residual_calcium"], np.gradient(first["original_calcium_data"], time), atol=2e-4
    )
    even = np.asarray(first["time_in_seconds"], float)
    np.testing.assert_allclose(np.diff(even), 0.25, atol=1e-5)
    np.testing.assert_allclose(first["calcium_data"], np.interp(even, time, first["original_calcium_data"]), atol=1e-4)
    assert first["max_timesteps"] == len(even) and first["original_max_timesteps"] == 40
    assert len(first["original_dt"]) == 40 and first["original_dt"][0] == 0
    unnamed = table[table["is_unlabeled_neuron"]]
    assert len(unnamed) == 2 and unnamed["neuron"].tolist() == unnamed["slot"].astype(str).tolist()
    assert table["slot"].is_unique


def test_missing_samples_breaks_and_rejected_neurons(tmp_path: Path) -> None:
    recording = worm(names=["AVAL", "AVAR", "RIS", "AIBL"])
    values = recording.traces.values.copy()
    values[10:13, 0], values[:, 3] = np.nan, np.nan
    table = recording.neurons.copy()
    table.loc["RIS", "rejected"] = True
    middle = float(recording.time_s[20])
    recording = recording.replace(traces=recording.traces.copy(data=values), neurons=table, breaks=(middle,))
    found = pd.read_parquet(write_collection([recording], tmp_path / "c.parquet", step_s=0.1)).set_index("neuron")
    assert list(found.index) == ["AVAL", "AVAR"]  # not what was rejected, nor what was never measured
    time, even = recording.time_s - recording.time_s[0], np.asarray(found.loc["AVAR", "time_in_seconds"])
    inside = (even > time[19] + 1e-6) & (even < time[20] - 1e-6)
    assert inside.any() and np.isnan(found.loc["AVAR", "calcium_data"][inside]).all()
    gap = (even > time[9] + 1e-6) & (even < time[13] - 1e-6)
    assert np.isnan(found.loc["AVAL", "calcium_data"][gap]).all()
    assert np.isfinite(found.loc["AVAR", "calcium_data"][~inside]).all()


def test_worms_of_a_collection_keep_their_source(tmp_path: Path) -> None:
    first = write_collection([worm("a")], tmp_path / "1.parquet", source="Kato2015")
    (read,) = read_recordings(first)
    again = list_worms(write_collection([read, worm("b")], tmp_path / "2.parquet"))
    assert again[["source_dataset", "worm"]].values.tolist() == [["Kato2015", "a"], ["own", "b"]]


@pytest.mark.parametrize(
    ("worms", "more", "message"),
    [
        ([], {}, "no worm"),
        ([worm("a"), worm("a")], {}, "two worms"),
        ([worm("a")], {"step_s": 0.0}, "no step"),
        ([worm("a", names=[""] * 303)], {}, "303 neurons"),
    ],
)
def test_what_cannot_be_written_is_said_and_nothing_is_written(worms, more, message, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        write_collection(worms, tmp_path / "c.parquet", **more)
    assert list(tmp_path.iterdir()) == []


def test_cancel_leaves_what_was_there(tmp_path: Path) -> None:
    path = write_collection([worm("a")], tmp_path / "c.parquet")
    before = path.read_bytes()
    asked = iter([False, True])
    with pytest.raises(Cancelled):
        write_collection([worm("b"), worm("c")], path, cancel=lambda: next(asked))
    assert path.read_bytes() == before and len(list(tmp_path.glob("[!.]*"))) == 1
