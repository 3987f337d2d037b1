"""Parquet files, and the collection of many worms in one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.io.formats import parquet
from napari_dynamic_connectome.io.registry import read_recordings
from napari_dynamic_connectome.model.errors import InputError, MissingExtraError


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
