"""The homogenized collection: worms chosen by source, names and length; its consensus connectome."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome import read_recordings
from napari_dynamic_connectome.cli import main
from napari_dynamic_connectome.io.formats.connectome import read_connectome
from napari_dynamic_connectome.io.formats.parquet import iterate_collection, list_worms
from napari_dynamic_connectome.io.wiring import networks_of
from napari_dynamic_connectome.model.errors import Cancelled, InputError
from napari_dynamic_connectome.pipeline.run import load_recordings
from napari_dynamic_connectome.pipeline.settings import PipelineSettings

pytest.importorskip("pyarrow")
WORMS = [("Kato2015", "worm0", 3, 2, 100), ("Kato2015", "worm1", 4, 4, 20), ("Flavell2023", "worm0", 2, 0, 60)]


@pytest.fixture(params=["with steps", "with clocks only"])
def collection(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Three worms: source, name, neurons, of which named, samples at 2 Hz."""
    rng = np.random.default_rng(0)
    rows = []
    for source, worm, neurons, named, samples in WORMS:
        for k in range(neurons):
            rows.append(
                {
                    "source_dataset": source,
                    "worm": worm,
                    "neuron": ["AVAL", "AVAR", "RIML", "RIS"][k] if k < named else str(k),
                    "slot": k,
                    "is_labeled_neuron": k < named,
                    "original_calcium_data": rng.random(samples).astype("f4"),
                    "original_time_in_seconds": (np.arange(samples) * 0.5).astype("f4"),
                    "original_median_dt": np.float32(0.5),
                    "original_max_timesteps": samples,
                }
            )
    table = pd.DataFrame(rows)
    if request.param == "with clocks only":
        table = table.drop(columns=["original_median_dt", "original_max_timesteps"])
    table.to_parquet(tmp_path / "worms.parquet", index=False)
    return tmp_path / "worms.parquet"


def test_worms_are_listed_with_names_and_length(collection: Path) -> None:
    table = list_worms(collection, lengths=True)
    assert table[["source_dataset", "worm", "neurons", "named"]].values.tolist() == [list(w[:4]) for w in WORMS]
    np.testing.assert_allclose(table["duration_s"], [49.5, 9.5, 29.5])
    assert table["samples"].tolist() == [100, 20, 60]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"dataset": "Kato2015"}, [0, 1]),
        ({"worm": "worm0"}, [0, 2]),
        ({"min_named": 1}, [0, 1]),
        ({"min_neurons": 3, "min_duration_s": 20}, [0]),
        ({"min_duration_s": 29}, [0, 2]),
        ({"dataset": ["Kato2015", "Flavell2023"], "min_named": 3}, [1]),
    ],
)
def test_worms_are_chosen_by_source_names_and_length(collection: Path, options: dict, expected: list[int]) -> None:
    table = list_worms(collection, **options)
    assert table[["source_dataset", "worm"]].values.tolist() == [list(WORMS[i][:2]) for i in expected]
    found = read_recordings(collection, **options)
    assert [(r.n_neurons, r.n_times) for r in found] == [(WORMS[i][2], WORMS[i][4]) for i in expected]


def test_settings_choose_the_same_worms(collection: Path) -> None:
    (collection.parent / "s.toml").write_text(
        '[input]\nrecordings = ["worms.parquet"]\n[input.collection]\ndatasets = ["Kato2015"]\nmin_duration_s = 20\nlabeled_only = true\n'
    )
    found = load_recordings(PipelineSettings.from_file(collection.parent / "s.toml"))
    assert [(r.n_neurons, r.n_times) for r in found] == [(2, 100)]


def test_the_command_lists_worms(collection: Path, tmp_path: Path, capsys) -> None:
    assert main(["worms", str(collection), "--min-named", "1"]) == 0
    said = capsys.readouterr().out
    assert "Kato2015 worm0: 3 neurons (2 named), 50 s" in said and "2 worms of 1 source\n" in said
    assert main(["worms", str(collection), "-o", str(tmp_path / "list.csv")]) == 0
    assert len(pd.read_csv(tmp_path / "list.csv")) == 3
    assert main(["worms", str(collection), "--min-named", "9"]) == 2
    assert "no worm has at least 9 named neurons" in capsys.readouterr().err
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "other.parquet")
    assert main(["worms", str(tmp_path / "other.parquet")]) == 2
    assert "no homogenized collection" in capsys.readouterr().err


def test_a_source_that_is_not_there_is_named(collection: Path) -> None:
    with pytest.raises(InputError, match=r"no source_dataset 'Kato2051'.*Kato2015"):
        list_worms(collection, dataset="Kato2051")


def test_the_consensus_connectome_has_three_kinds_of_connections(tmp_path: Path) -> None:
    text = (
        "from_neuron,to_neuron,from_type,mean_gap_weight,mean_chem_weight,functional_weight,data_sources\n"
        "AVAL,AVAR,interneuron,2.0,3.5,,\"['cook2019']\"\nAVAR,AVAL,interneuron,2.0,,0.4,\"['cook2019']\"\nAVAL,RIML,interneuron,,,-0.1,[]\n"
    )
    (tmp_path / "consensus.csv").write_text(text)
    found = networks_of(read_connectome(tmp_path / "consensus.csv"), "consensus")
    assert {k: n.n_connections for k, n in found.items()} == {"chemical": 1, "electrical": 1, "signal propagation": 2}
    assert float(found["chemical"].weight.sel(source="AVAL", target="AVAR")) == 3.5
    assert float(found["electrical"].weight.sel(source="AVAR", target="AVAL")) == 2.0
    assert float(found["signal propagation"].weight.sel(source="AVAL", target="RIML")) == -0.1
    assert found["chemical"].quantity == "mean over connectomes"


def test_single_worms_are_read_with_progress_and_cancel(collection: Path) -> None:
    said: list[str] = []
    only = [("Flavell2023", "worm0"), ("Kato2015", "worm1")]
    found = list(iterate_collection(collection, only=only, progress=lambda share, text="": said.append(text)))
    assert [(r.name, r.n_neurons) for r in found] == [("Kato2015 worm1", 4), ("Flavell2023 worm0", 2)]
    assert said == ["2 worms", "Kato2015 worm1, 1 of 2", "Flavell2023 worm0, 2 of 2"]
    with pytest.raises(Cancelled):
        list(iterate_collection(collection, cancel=lambda: True))


def test_rows_of_a_worm_need_not_stand_together_nor_be_of_one_batch(collection: Path, monkeypatch) -> None:
    from napari_dynamic_connectome.io.formats import parquet

    whole = {r.name: r for r in iterate_collection(collection)}
    table = pd.read_parquet(collection)
    table.iloc[np.random.default_rng(1).permutation(len(table))].to_parquet(collection, index=False, row_group_size=2)
    monkeypatch.setattr(parquet, "ROWS_AT_ONCE", 2)
    mixed = {r.name: r for r in iterate_collection(collection)}
    assert set(mixed) == set(whole)
    for name, one in whole.items():
        two = mixed[name]
        order = np.argsort(two.neurons["label"].to_numpy())
        np.testing.assert_array_equal(two.traces.values[:, order], one.traces.values)
        np.testing.assert_array_equal(two.time_s, one.time_s)
