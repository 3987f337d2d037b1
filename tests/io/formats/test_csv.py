"""CSV from elsewhere, with and without what lies beside it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.io.formats.samples import make

from napari_dynamic_connectome.io.choice import ChoiceNeeded
from napari_dynamic_connectome.io.formats import csv
from napari_dynamic_connectome.io.registry import read_recording, read_recordings, write_recording
from napari_dynamic_connectome.model.errors import InputError


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


def levelled(*signals: str, twice: bool = False) -> str:
    """A table with a header of two rows: neurons, and signals below."""
    names = ["AVAL", "AVAL" if twice else "AVAR"]
    head = ["k", *[n for n in names for _ in signals]], ["time_s", *[s for _ in names for s in signals]]
    rows = [[str(t), *[str(10 * t + i) for i in range(len(names) * len(signals))]] for t in range(4)]
    return "\n".join(",".join(r) for r in (*head, *rows)) + "\n"


def test_of_several_signals_one_is_chosen(tmp_path) -> None:
    path = tmp_path / "w.csv"
    path.write_text(levelled("raw", "dff", "z"))
    with pytest.raises(ChoiceNeeded, match=r"3 signals for the neurons \(raw, dff, z\)") as asked:
        read_recording(path)
    assert asked.value.choices == ("raw", "dff", "z") and asked.value.option == "signal"
    held = read_recording(path, signal="dff")
    assert held.named == ["AVAL", "AVAR"]
    np.testing.assert_array_equal(held.traces.values, [[10 * t + 1, 10 * t + 4] for t in range(4)])
    assert held.provenance["reading"] == "header of 2 rows: 'dff' read, raw, z not"
    with pytest.raises(InputError, match=r"there is no signal 'q'.*Found: raw, dff, z"):
        read_recording(path, signal="q")
    path.write_text(levelled("raw", "dff", twice=True))
    with pytest.raises(InputError, match="is there twice"):
        read_recording(path, signal="raw")
    path.write_text("time_s,AVAL\n0,1\n1,2\n")
    with pytest.raises(InputError, match=r"there is no signal 'raw'.*has one"):
        read_recording(path, signal="raw")
    many = [f"s{i}" for i in range(9)]
    path.write_text(levelled(*many))
    with pytest.raises(ChoiceNeeded, match=r"9 signals for the neurons \(s0, s1, s2, s3, s4, s5, s6, s7\)") as asked:
        read_recording(path)
    assert len(asked.value.choices) == 9


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("1,2\n", "row 3 has fewer cells than the header: what"),
        ("1,2\n2\n3\n", "row 3 has fewer cells than the header, as 2 others: what"),
    ],
)
def test_rows_of_fewer_cells_are_told(tmp_path, rows, said) -> None:
    path = tmp_path / "w.csv"
    path.write_text("time_s,AVAL,AVAR\n0,1,2\n" + rows)
    held = read_recording(path)
    assert said in held.provenance["reading"] and np.isnan(held.traces.values[1:, 1]).all()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("w.csv", "scorer,m,m\nbodyparts,n,n\ncoords,x,y\n0,1,2\n", "tracked points of the body"), ("w.csv", "index,axis-0,axis-1,axis-2\n0,1,2,3\n", "points that napari saved"),
        ("w_neurons.csv", "neuron,label\nA,1\n", "these are neurons, not traces"), ("w_stimuli.csv", "name,onset\na,1\n", "these are stimuli, not traces"),
        ("w.csv", "pre,post,weight\nA,B,1\n", "this is a connectome"),
    ],
)  # fmt: skip
def test_tables_of_something_else_are_no_traces(tmp_path, name, text, words) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        csv.read_recordings(path)


def test_names_of_tables_beside_traces_do_not_hide_traces(tmp_path) -> None:
    for name in ("w_neurons.csv", "w_stimuli.csv", "w_behaviour.csv"):
        (tmp_path / name).write_text("time_s,AVAL\n0,1\n1,2\n")
        (held,) = csv.read_recordings(tmp_path / name)
        assert held.named == ["AVAL"] and held.name == name.removesuffix(".csv")
    assert csv.sidecar(tmp_path / "a.b.csv.gz", "stimuli").name == "a_stimuli.csv"
    assert csv.sidecar(tmp_path / "a.b.csv", "stimuli").name == "a.b_stimuli.csv"
    (tmp_path / "m.csv").write_text("worm,time_s,AVAL\na,0,1\na,1,2\nb,0,1\nb,1,3\n")
    (tmp_path / "m_stimuli.csv").write_text("name,onset\nx,1\n")
    assert [r.stimuli.empty for r in csv.read_recordings(tmp_path / "m.csv")] == [True, True]


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_what_is_written_beside_traces_comes_back_and_goes_with_them(tmp_path, ending) -> None:
    held = make()
    stimuli = pd.DataFrame({"name": ["a"], "onset": [1.0], "offset": [2.0]})
    path = tmp_path / f"w{ending}"
    csv.write_recording(held.replace(stimuli=stimuli), path)
    assert sorted(p.name for p in tmp_path.glob("w*")) == sorted([path.name, "w_neurons.csv", "w_stimuli.csv"])
    (back,) = csv.read_recordings(path)
    assert back.stimuli["name"].tolist() == ["a"] and back.name == "w"
    csv.write_recording(held.replace(stimuli=stimuli[:0]), path)
    assert not (tmp_path / "w_stimuli.csv").exists() and csv.read_recordings(path)[0].stimuli.empty
    (tmp_path / "w_stimuli.csv").write_text("name,onset\nby hand,1\n")
    with pytest.raises(InputError):
        csv.write_recording(held.replace(stimuli=stimuli[:0]), path)
    assert "by hand" in (tmp_path / "w_stimuli.csv").read_text()
    csv.write_recording(held.replace(stimuli=stimuli), path, overwrite=True)
    assert csv.read_recordings(path)[0].stimuli["name"].tolist() == ["a"]
    (tmp_path / "v_neurons.csv").write_text("mine\n")
    with pytest.raises(InputError):
        csv.write_recording(held, tmp_path / "v.csv")
    csv.write_recording(held, tmp_path / "l.csv", layout="long")
    assert sorted(p.name for p in tmp_path.glob("l*")) == ["l.csv"]
    with pytest.raises(InputError, match="there is no layout 'odd'"):
        csv.write_recording(held, tmp_path / "o.csv", layout="odd")


@pytest.mark.parametrize(
    ("name", "start", "table"),
    [
        ("a.csv", b"anything", True), ("a.TXT", b"one line", True), ("a.tsv", b"x", True), ("a.out", b"a,b\n1,2\n", True), ("a.out", b"a;b\n1;2\n3;4", True), ("a.out", b"a\tb\n1\t2\n", True),
        ("a.out", b"a,b\n", False), ("a.out", b"a,b\n1\n", False), ("a.out", b"a\n1\n", False), ("a.out", b"a,b\n1,2\n3,4\n5\n", True), ("a.out", b"a,b\n\n1,2\n", True), ("a.csv", b"<xml>", False),
        ("a.csv", b"\xef\xbb\xbf<xml>", False), ("a.csv", b"\0\1\2\3", False), ("a.out", b'{"a": 1}', False),
    ],
)  # fmt: skip
def test_what_may_be_a_table(tmp_path, name, start, table) -> None:
    path = tmp_path / name
    path.write_bytes(start)
    assert csv.is_table(path, start) == table
    assert not csv.is_table(tmp_path, b"a,b\n1,2\n")
