"""CSV from elsewhere, with and without what lies beside it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.io.formats.samples import make

from napari_dynamic_connectome.io.registry import read_recording, read_recordings, write_recording


def test_csv_of_pandas_without_sidecars(tmp_path) -> None:
    frame = pd.DataFrame(
        {"AVAL": [1.0, 2.0, np.nan], "#7": [0.0, 1.0, 2.0], "beh_velocity": [0.1, 0.2, 0.3]},
        index=pd.Index([0.0, 0.5, 1.0], name="time_s"),
    )
    frame.to_csv(tmp_path / "worm7.csv")
    held = read_recording(tmp_path / "worm7.csv")
    assert held.name == "worm7"
    assert held.named == ["AVAL"]
    assert held.neurons.loc["#7", "label"] == 7
    assert held.behaviour["velocity"].values.tolist() == [0.1, 0.2, 0.3]


def test_csv_takes_what_lies_beside_it(tmp_path) -> None:
    (tmp_path / "w.csv").write_text("time_s,AVAL\n0,1\n1,2\n2,3\n")
    (tmp_path / "w_stimuli.csv").write_text("name,onset,duration\nNaCl,1,0.5\n")
    (tmp_path / "w_behaviour.csv").write_text("time_s,speed,reversal\n0,0,0\n2,4,1\n")
    held = read_recording(tmp_path / "w.csv")
    assert held.stimuli.to_dict("list") == {"name": ["NaCl"], "onset": [1.0], "offset": [1.5]}
    assert held.behaviour["speed"].values.tolist() == [0, 2, 4]
    assert held.behaviour["reversal"].attrs["kind"] == "binary"
    assert set(np.unique(held.behaviour["reversal"])) == {0.0, 1.0}


def test_formulas_in_names_are_neutralised_in_csv(tmp_path) -> None:
    names = ['=HYPERLINK("http://x")', "+A1", "-2+3", "@x", "AVAL"]
    recording = make(names=names)
    path = write_recording(recording, tmp_path / "a.csv")
    for file in tmp_path.iterdir():
        cells = [c.strip('"') for line in file.read_text().splitlines() for c in line.split(",")]
        assert not [c for c in cells if c[:1] in "=+@" and c]
    assert list(read_recording(path).neurons["name"]) == names


def test_several_worms_in_one_long_table(tmp_path) -> None:
    rows = [(w, t / 2, n, t) for w in ("a", "b") for t in range(4) for n in ("AVAL", "AVAR")]
    pd.DataFrame(rows, columns=["worm", "time_s", "neuron", "value"]).to_csv(tmp_path / "all.csv", index=False)
    assert [r.name for r in read_recordings(tmp_path / "all.csv")] == ["a", "b"]
    assert read_recording(tmp_path / "all.csv", worm="b").traces.shape == (4, 2)


SAID = {
    "label": [7.0, 3.0],
    "confidence": [0.5, 1.0],
    "z": [1.0, 2.0],
    "y": [3.0, 4.0],
    "x": [5.0, 6.0],
    "name": ["RIS", ""],
    "note": ["bright", ""],
    "rejected": [True, False],
}


@pytest.mark.parametrize("column", SAID)
def test_each_column_of_the_table_beside_the_traces_counts_by_itself(tmp_path, column) -> None:
    (tmp_path / "w.csv").write_text("time_s,AVAL,AVAR\n" + "".join(f"{i / 2},{i % 3},{i % 5}\n" for i in range(9)))
    plain = read_recording(tmp_path / "w.csv").neurons
    pd.DataFrame({"neuron": ["AVAR", "AVAL"], column: SAID[column][::-1]}).to_csv(
        tmp_path / "w_neurons.csv", index=False
    )
    found = read_recording(tmp_path / "w.csv").neurons
    assert found[column].tolist() == SAID[column]
    for other in set(SAID) - {column}:
        pd.testing.assert_series_equal(found[other], plain[other], check_index=False)
