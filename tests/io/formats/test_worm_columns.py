"""Columns of tables of traces that are no neurons: several worms in one table, attributes, behaviour."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.io.choice import ChoiceNeeded
from napari_dynamic_connectome.io.registry import read_recording, read_recordings
from napari_dynamic_connectome.model.attributes import attributes_of
from napari_dynamic_connectome.model.errors import InputError

TIMES = np.arange(6) / 2
VALUES = np.random.default_rng(5).normal(size=(12, 2))


def two(**columns) -> pd.DataFrame:
    """Two worms, one after the other: AVAL, AVAR at the same times."""
    table = pd.DataFrame({"time_s": np.tile(TIMES, 2), "AVAL": VALUES[:, 0], "AVAR": VALUES[:, 1]})
    return table.assign(**{k: list(v) for k, v in columns.items()})


def long(table: pd.DataFrame) -> pd.DataFrame:
    rest = [c for c in table.columns if c not in ("AVAL", "AVAR")]
    return table.melt(id_vars=rest, var_name="neuron", value_name="value")


def saved(folder, table: pd.DataFrame, kind: str = "csv"):
    path = folder / f"all.{kind}"
    if kind == "parquet":
        table.to_parquet(path, index=False)
    else:
        table.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("layout", [lambda t: t, long], ids=["wide", "long"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_column_of_worms_splits_wide_and_long_tables_alike(tmp_path, layout, kind) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    table = two(worm=["a"] * 6 + ["b"] * 6, condition=["mutant"] * 6 + ["N2"] * 6, sex=["male"] * 12)
    found = read_recordings(saved(tmp_path, layout(table), kind))
    assert [r.name for r in found] == ["a", "b"]
    assert [attributes_of(r) for r in found] == [
        {"condition": "mutant", "sex": "male"},
        {"condition": "N2", "sex": "male"},
    ]
    for place, one in enumerate(found):
        assert list(one.neurons.index) == ["AVAL", "AVAR"]
        np.testing.assert_allclose(one.time_s, TIMES)
        np.testing.assert_allclose(one.traces.values, VALUES[6 * place : 6 * place + 6])
    assert any("about the worm: condition mutant, sex male" in line for line in found[0].remarks)
    assert read_recording(saved(tmp_path, layout(table)), worm="b").name == "b"


def test_one_worm_in_the_table_gives_its_name_and_numbers_may_be_names(tmp_path) -> None:
    worm = read_recording(saved(tmp_path, two(Animal=["w7"] * 12)[:6]))
    assert worm.name == "w7" and worm.n_neurons == 2
    assert [r.name for r in read_recordings(saved(tmp_path, two(worm_id=[3] * 6 + [4] * 6)))] == ["3", "4"]
    rate_only = two(worm=["a"] * 6 + ["b"] * 6).drop(columns="time_s")
    assert [r.time_s[-1] for r in read_recordings(saved(tmp_path, rate_only), rate_hz=2)] == [2.5, 2.5]


@pytest.mark.parametrize("layout", [lambda t: t, long], ids=["wide", "long"])
def test_trials_are_asked_about_and_a_clock_that_starts_again_cannot_be_one_recording(tmp_path, layout) -> None:
    path = saved(tmp_path, layout(two(trial=[1] * 6 + [2] * 6)))
    with pytest.raises(ChoiceNeeded, match=r"the clock starts again.*'trial' \(1, 2\).*worm_column=\"trial\"") as asked:
        read_recordings(path)
    assert asked.value.option == "worm_column" and asked.value.choices == ("trial",)
    assert [r.name for r in read_recordings(path, worm_column="trial")] == ["all 1", "all 2"]
    both = saved(tmp_path, layout(two(worm=["a"] * 12, trial=["x"] * 6 + ["y"] * 6)))
    assert [r.name for r in read_recordings(both, worm_column="trial")] == ["a x", "a y"]
    unknown = saved(tmp_path, layout(two(plate_name=["x"] * 6 + ["y"] * 6)))
    with pytest.raises(ChoiceNeeded, match="plate_name"):
        read_recordings(unknown)
    assert len(read_recordings(unknown, worm_column="plate_name")) == 2
    with pytest.raises(InputError, match="there is no column 'dish'"):
        read_recordings(unknown, worm_column="dish")


def test_trials_on_one_clock_may_be_one_recording(tmp_path) -> None:
    table = two(trial=[1] * 6 + [2] * 6).assign(time_s=np.arange(12) / 2)
    path = saved(tmp_path, table)
    with pytest.raises(ChoiceNeeded) as asked:
        read_recordings(path)
    assert asked.value.choices == ("trial", "none")
    worm = read_recording(path, worm_column="none", other_columns="left out")
    assert worm.n_times == 12 and worm.n_neurons == 2
    assert any("left out: trial" in line for line in worm.remarks)


@pytest.mark.parametrize("header", ["speed", "Speed (mm/s)", "temperature", "LED", "stimulus"])
def test_numbers_that_are_no_neuron_by_name_are_asked_about(tmp_path, header) -> None:
    table = two()[:6].assign(**{header: [0.0, 1, 2, 1, 0, 0]})
    path = saved(tmp_path, table)
    with pytest.raises(ChoiceNeeded, match="no neuron by name") as asked:
        read_recording(path)
    assert asked.value.option == "other_columns" and asked.value.choices == ("behaviour", "left out", "neurons")
    as_behaviour = read_recording(path, other_columns="behaviour")
    assert as_behaviour.behaviour[header].values.tolist() == [0, 1, 2, 1, 0, 0] and as_behaviour.n_neurons == 2
    assert read_recording(path, other_columns="left out").n_neurons == 2
    assert read_recording(path, other_columns="neurons").n_neurons == 3


def test_texts_that_change_become_channels_or_are_left_out_never_neurons(tmp_path) -> None:
    path = saved(tmp_path, two()[:6].assign(act=["roam"] * 2 + ["dwell"] * 4))
    with pytest.raises(ChoiceNeeded) as asked:
        read_recording(path)
    assert asked.value.choices == ("behaviour", "left out")
    worm = read_recording(path, other_columns="behaviour")
    assert worm.behaviour["act roam"].values.tolist() == [1, 1, 0, 0, 0, 0]
    assert worm.behaviour["act dwell"].attrs["kind"] == "binary"
    with pytest.raises(InputError, match="holds texts, so it is no neuron"):
        read_recording(path, other_columns="neurons")
    one_value = read_recording(saved(tmp_path, two()[:6].assign(act="roam", strain="N2", age=2)))
    assert attributes_of(one_value) == {"act": "roam", "strain": "N2", "age": "2"}


def test_attributes_are_called_by_their_plain_words(tmp_path) -> None:
    table = two()[:6].assign(
        **{"Strain (line)": "N2", "Rearing-Temperature [C]": "20 C", "Stimuli": "odour", "(note)": "x"}
    )
    assert attributes_of(read_recording(saved(tmp_path, table))) == {
        "strain": "N2", "rearing_temperature": "20 C", "stimulus": "odour", "(note)": "x",
    }  # fmt: skip


def test_a_wrong_cell_is_named_by_its_row_in_the_file(tmp_path) -> None:
    table = two(worm=["a"] * 6 + ["b"] * 6).astype(object)
    table.loc[8, "AVAR"] = "?"
    with pytest.raises(InputError, match=r"'\?' is not a number \(column 'AVAR', row 10\)"):
        read_recordings(saved(tmp_path, table))
    table.loc[8, "AVAR"], table.loc[7, "worm"] = 1.0, ""
    with pytest.raises(InputError, match="column 'worm' is empty in row 9"):
        read_recordings(saved(tmp_path, table))
