"""Small tables beside a recording: names, stimuli, behaviour, lists of neurons."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.io.formats import side_tables
from napari_dynamic_connectome.model.errors import FormatError, InputError


def test_names(tmp_path) -> None:
    (tmp_path / "n.csv").write_text("Label,Name\n3,AVAL\n4,\n5,'=1+1\n")
    assert side_tables.read_names(tmp_path / "n.csv") == {3: "AVAL", 5: "=1+1"}
    pd.DataFrame({"label": [3, 4], "name": ["AVAL", None]}).to_parquet(tmp_path / "n.parquet")
    assert side_tables.read_names(tmp_path / "n.parquet") == {3: "AVAL"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name,onset,offset\nb,5,6\na,1,2\n", [("a", 1, 2), ("b", 5, 6)]),
        ("stimulus;start_ms;stop_ms\na;1000;2000\n", [("a", 1, 2)]),
        ("name\tt_on\na\t3\n", [("a", 3, 3)]),
        ("name,onset,duration\na,1,0.5\n", [("a", 1, 1.5)]),
        ("name,onset,offset\na,1,\n", [("a", 1, 1)]),
    ],
)
def test_stimuli(tmp_path, text, expected) -> None:
    (tmp_path / "s.csv").write_text(text)
    found = side_tables.read_stimuli(tmp_path / "s.csv")
    assert list(found[["name", "onset", "offset"]].itertuples(index=False, name=None)) == expected


def test_behaviour_is_put_on_the_clock_of_the_traces(tmp_path) -> None:
    own = np.arange(0, 10, 0.25)
    pd.DataFrame({"time_s": own, "speed": 3 * own, "turn": (own > 5).astype(int)}).to_csv(
        tmp_path / "b.csv", index=False
    )
    clock = np.array([-1.0, 0.0, 1.1, 5.3, 9.75, 11.0])
    found = side_tables.read_behaviour(tmp_path / "b.csv", clock)
    np.testing.assert_allclose(found["speed"].values, [np.nan, 0, 3.3, 15.9, 29.25, np.nan])
    np.testing.assert_array_equal(found["turn"].values, [np.nan, 0, 0, 1, 1, np.nan])
    assert (found["speed"].attrs["kind"], found["turn"].attrs["kind"]) == ("continuous", "binary")


def test_gaps_in_behaviour_stay_gaps(tmp_path) -> None:
    (tmp_path / "b.csv").write_text("time_s,speed\n0,0.5\n1,\n2,2.5\n3,3.5\n")
    found = side_tables.read_behaviour(tmp_path / "b.csv", np.array([0.0, 0.5, 1.5, 2.0, 2.5]))
    np.testing.assert_array_equal(np.isnan(found["speed"].values), [False, True, True, False, False])


def test_neuron_lists(tmp_path) -> None:
    (tmp_path / "a.csv").write_text("name,note\navaL,x\nRIM R,\n")
    assert side_tables.read_neuron_list(tmp_path / "a.csv") == ["AVAL", "RIMR"]
    (tmp_path / "b.txt").write_text("AVAL\nAVAR\nglia7\n")
    assert side_tables.read_neuron_list(tmp_path / "b.txt") == ["AVAL", "AVAR", "glia7"]


@pytest.mark.parametrize("n", [1, 2, 3, 7])
@pytest.mark.parametrize("binary", [False, True])
def test_a_channel_on_another_clock_is_interpolated_or_the_nearest_sample(n: int, binary: bool) -> None:
    from napari_dynamic_connectome.io.formats.side_tables import onto_clock

    own = np.array([0.5, 1.0, 2.5, 3.0, 3.5, 6.0, 6.5])[:n]
    values = np.array([0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0])[:n]
    clock = np.linspace(0, 7, 57)
    nearest = values[
        np.abs(clock[:, None] - own[None, ::-1]).argmin(axis=1) * -1 + n - 1
    ]  # the later one of two as near
    wanted = nearest if binary else np.interp(clock, own, values)
    outside = (clock < own[0]) | (clock > own[-1])
    np.testing.assert_allclose(onto_clock(clock, own, values, binary), np.where(outside, np.nan, wanted))
    values[0] = np.nan
    at_ends = onto_clock(own[[0, -1]], own, values, False)
    assert np.isnan(at_ends[0]) and (n == 1 or at_ends[1] == values[-1])


def put(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "t.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("label,what\n1,A\n", "the columns are label, what"), ("name\nA\n", "the columns are name"), ("label,name\n1.5,A\n", "not a positive whole number"),
        ("label,name\n-1,A\n", "not a positive whole number"), ("label,name\n1,A\n1,B\n", "label 1 is there twice"), ("label,name\n1,A\n2, A\n", "the name 'A' is given twice"),
        ("label,name\n,A\n", "column 'label' is empty in row 2"), ("x" * 200 + ",b\n1,2\n", f"the columns are {'x' * 100}\\. "),
    ],
)  # fmt: skip
def test_names_of_labels_that_are_wrong_are_refused(tmp_path, text, words) -> None:
    with pytest.raises(InputError, match=words):
        side_tables.read_names(put(tmp_path, text))


@pytest.mark.parametrize("header", ["label", "label-value", "ID", "roi", "index"])
def test_label_0_and_every_word_for_label_are_read(tmp_path, header) -> None:
    assert side_tables.read_names(put(tmp_path, f"{header},neuron\n0,A\n7,\n8, \n9,'=B\n")) == {0: "A", 9: "=B"}


@pytest.mark.parametrize("ending", ["", "_s", " (s)", "_ms", " (ms)", "_min", " (min)"])
def test_times_of_stimuli_are_in_the_unit_of_their_header(tmp_path, ending) -> None:
    factor = 1e-3 if "ms" in ending else 60.0 if "min" in ending else 1.0
    for on, off in (
        ("onset", "offset"),
        ("t_on", "t_off"),
        ("start", "stop"),
        ("start_time", "stop_time"),
        ("on", "end"),
        ("on", "off"),
    ):
        table = side_tables.read_stimuli(put(tmp_path, f"odor,{on}{ending},{off}{ending}\n'=b,30,\na,10,20\n"))
        assert table["name"].tolist() == ["a", "=b"]
        np.testing.assert_allclose(table[["onset", "offset"]], np.array([[10, 20], [30, 30]]) * factor)
    for length in ("duration", "length"):
        table = side_tables.read_stimuli(put(tmp_path, f"stim,onset,{length}{ending}\na,10,20\n"))
        np.testing.assert_allclose(table["offset"], 10 + 20 * factor)
    both = side_tables.read_stimuli(put(tmp_path, f"name,onset,offset{ending},duration\na,0,20,5\n"))
    np.testing.assert_allclose(both["offset"], 20 * factor)


def test_tables_of_stimuli_that_say_too_little(tmp_path) -> None:
    assert side_tables.read_stimuli(put(tmp_path, "name,onset\n")).empty
    for text in ("onset\n1\n", "name,when\na,1\n"):
        with pytest.raises(InputError, match="Needed: name, onset, offset"):
            side_tables.read_stimuli(put(tmp_path, text))
    with pytest.raises(InputError, match="column 'onset' is empty in row 3"):
        side_tables.read_stimuli(put(tmp_path, "name,onset\na,1\nb,\n"))


def test_channels_have_kinds_and_their_own_clock_or_that_of_the_traces(tmp_path) -> None:
    path = put(tmp_path, "t_ms,beh_speed, turn ,nothing\n0,0.5,0,\n1000,1.5,1,\n3000,2.5,0,\n")
    own = side_tables.read_behaviour(path)
    assert own["time"].values.tolist() == [0, 1, 3] and own["speed"].values.tolist() == [0.5, 1.5, 2.5]
    assert {k: v.attrs["kind"] for k, v in own.items()} == {
        "speed": "continuous",
        "turn": "binary",
        "nothing": "continuous",
    }
    other = side_tables.read_behaviour(path, np.array([-1.0, 0, 0.4, 0.5, 2, 3, 3.1]))
    np.testing.assert_allclose(other["speed"], [np.nan, 0.5, 0.9, 1, 2, 2.5, np.nan])
    np.testing.assert_array_equal(other["turn"], [np.nan, 0, 0, 1, 0, 0, np.nan])
    assert other["time"].values[0] == -1


@pytest.mark.parametrize(
    ("text", "samples", "words"),
    [
        ("time,a\n0,1\n0,1\n", None, "time does not increase"), ("time,a\n1,1\n0,1\n", None, "time does not increase"), ("time,a\n", None, "time does not increase"),
        ("a,b\n1,2\n", 1, r"there is no time column\. Add"), ("frame,b\n1,2\n", None, r"there is no time column; 1 frames\. Add"),
        ("frame,b\n1,2\n", 2, "there is no time column; 1 frames for 2 samples of the traces"),
    ],
)  # fmt: skip
def test_behaviour_without_a_clock_is_refused(tmp_path, text, samples, words) -> None:
    with pytest.raises(InputError, match=words):
        side_tables.read_behaviour(put(tmp_path, text), None if samples is None else np.arange(float(samples)))


@pytest.mark.parametrize("header", ["frame", "Frames", "index", "Unnamed: 0", ""])
def test_a_row_for_every_sample_needs_no_times(tmp_path, header) -> None:
    held = side_tables.read_behaviour(put(tmp_path, f"{header},speed\n5,1\n6,2\n7,4\n"), np.array([0.0, 0.5, 2.0]))
    assert list(held) == ["speed"] and held["speed"].values.tolist() == [1, 2, 4]


POSE = "scorer,m,m,m\nbodyparts,nose,nose,nose\ncoords,x,y,likelihood\n"


def test_tracked_points_are_channels(tmp_path) -> None:
    held = side_tables.read_behaviour(put(tmp_path, POSE + "0,1,2,0.9\n1,3,4,0.8\n"), np.array([0.0, 0.5]))
    assert [c.split()[-1] for c in held] == ["x", "y", "likelihood"] and held[next(iter(held))].values.tolist() == [
        1,
        3,
    ]
    with pytest.raises(InputError, match="labelled pictures"):
        side_tables.read_behaviour(put(tmp_path, POSE + "img01.png,1,2,0.9\n"), np.array([0.0]))


@pytest.mark.parametrize(
    ("text", "names"),
    [("name\nvb01\nXYZ\n", ["VB1", "XYZ"]), ("a,Neuron\n1,AVAL\n2,\n", ["AVAL"]), ("AVAL\nAVAR\n", ["AVAL", "AVAR"]), ("AVAL,AVAR;RIML\nvb2\tRIMR,,\n", ["AVAL", "AVAR", "RIML", "VB2", "RIMR"]), ("AVAL,AVAR\nRIML,RIMR,VB2\n", None), ("AVAL,AVAR\nRIML,\n", ["AVAL", "AVAR", "RIML"]), ("'=a\n", ["=a"])],
)  # fmt: skip
def test_lists_of_neurons_of_every_shape(tmp_path, text, names) -> None:
    if names is None:
        with pytest.raises((InputError, FormatError)):
            side_tables.read_neuron_list(put(tmp_path, text))
    else:
        assert side_tables.read_neuron_list(put(tmp_path, text)) == names
    with pytest.raises(InputError, match="'VB1' is there twice"):
        side_tables.read_neuron_list(put(tmp_path, "name\nVB1\nvb01\n"))
    with pytest.raises(InputError, match="there is no neuron in this list"):
        side_tables.read_neuron_list(put(tmp_path, "name\n\n"))


def test_places_of_cell_bodies(tmp_path) -> None:
    held = side_tables.read_positions(put(tmp_path, "Neuron,z_um,x_um,y_um\n vb01,3,1,2\nQ ,6,4,\n"))
    assert held.columns.tolist() == ["name", "x_um", "y_um", "z_um"] and held["name"].tolist() == ["VB1", "Q"]
    np.testing.assert_array_equal(held[["x_um", "y_um", "z_um"]], [[1, 2, 3], [4, np.nan, 6]])
    for text in ("name,x_um,y_um\nA,1,2\n", "x_um,y_um,z_um\n1,2,3\n"):
        with pytest.raises(InputError, match="Needed: name, x_um, y_um, z_um"):
            side_tables.read_positions(put(tmp_path, text))


def test_what_an_experiment_can_reach(tmp_path) -> None:
    text = "cell,accessible,line\nvb01,Partial,a\nAVAL,1,b\nVB1,yes,'=c\nRIML,,d\nRIML,0,e\nAVAR,no,f\nAVAR,none,g\nRIMR,0.25,\n"
    held = side_tables.read_access(put(tmp_path, text))
    assert held["neuron"].tolist() == ["AVAL", "VB1", "RIML", "AVAR", "RIMR"]
    assert held["access"].tolist() == [1, 1, 0, 0, 0.25] and held["how"].tolist() == ["b", "=c", "e", "f", ""]
    assert side_tables.read_access(put(tmp_path, "neuron,access\nA,true\nB,specific\nC,broad\nD,false\n"))[
        "access"
    ].tolist() == [1, 1, 0.5, 0]
    assert side_tables.read_access(put(tmp_path, "neuron,access\nA,1\n"))["how"].tolist() == [""]
    for value in ("1.01", "-0.01"):
        with pytest.raises(InputError, match=f"access {value} of A is not between 0 and 1"):
            side_tables.read_access(put(tmp_path, f"neuron,access\nB,1\nA,{value}\n"))
    for text in ("neuron\nA\n", "access\n1\n"):
        with pytest.raises(InputError, match="Needed: neuron, access"):
            side_tables.read_access(put(tmp_path, text))


def test_tables_of_texts_from_every_kind_of_file(tmp_path) -> None:
    table = pd.DataFrame({"name": ["a", None], "v": [1.5, np.nan]})
    table.to_parquet(tmp_path / "t.parquet")
    assert side_tables.read_texts(tmp_path / "t.parquet").to_numpy().tolist() == [["a", "1.5"], ["", ""]]
    assert side_tables.read_texts(put(tmp_path, "name,v\na,1.5\n")).to_numpy().tolist() == [["a", "1.5"]]
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(InputError, match="holds no table of pandas"):
        side_tables.read_texts(tmp_path / "t.h5")
