"""Connectomes as matrices: which way they point is asked, and the same connections come out as from a list of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.cli import main
from napari_dynamic_connectome.io.choice import ChoiceNeeded
from napari_dynamic_connectome.io.formats.connectome import read_connectome
from napari_dynamic_connectome.io.sniffing import table_kind
from napari_dynamic_connectome.io.wiring import connectome_matrix
from napari_dynamic_connectome.model.errors import InputError

NAMES = ["AVAL", "AVAR", "RIML", "AIBR", "ASEL"]
RNG = np.random.default_rng(8)
DIRECTED = RNG.integers(0, 4, (5, 5)) * (1 - np.eye(5, dtype=int))
DIRECTED[0, 1], DIRECTED[1, 0] = 3, 0
SYMMETRIC = np.maximum(DIRECTED, DIRECTED.T)


def saved(folder: Path, values: np.ndarray, *, corner: str = "", sep: str = ",", columns=NAMES) -> Path:
    path = folder / "wiring.csv"
    pd.DataFrame(values, index=pd.Index(NAMES, name=corner), columns=columns).to_csv(path, sep=sep)
    return path


@pytest.mark.parametrize("sep", [",", ";", "\t"])
@pytest.mark.parametrize("corner", ["", "neuron", "Row"])
def test_the_direction_is_asked_and_turns_the_matrix(tmp_path, sep, corner) -> None:
    path = saved(tmp_path, DIRECTED, corner=corner, sep=sep)
    assert table_kind(path) == "connectome"
    with pytest.raises(ChoiceNeeded, match="does not say which way it points") as asked:
        read_connectome(path)
    assert (asked.value.option, asked.value.choices) == ("rows", ("pre", "post"))
    np.testing.assert_array_equal(connectome_matrix(read_connectome(path, rows="pre"), NAMES), DIRECTED)
    np.testing.assert_array_equal(connectome_matrix(read_connectome(path, rows="post"), NAMES), DIRECTED.T)
    assert set(read_connectome(path, rows="pre")["type"]) == {"chemical"}


@pytest.mark.parametrize(
    ("rows", "kind"), [("gap junctions", "electrical"), ("contact", "contact"), ("pre", "chemical")]
)
def test_a_symmetric_matrix_asks_what_it_counts(tmp_path, rows, kind) -> None:
    order = [3, 1, 0, 4, 2]  # columns in another order than rows
    path = saved(tmp_path, SYMMETRIC[:, order], columns=[NAMES[i] for i in order])
    with pytest.raises(ChoiceNeeded, match="symmetric: what its numbers count") as asked:
        read_connectome(path)
    assert asked.value.choices == ("gap junctions", "contact", "pre")
    edges = read_connectome(path, rows=rows)
    assert set(edges["type"]) == {kind}
    np.testing.assert_array_equal(connectome_matrix(edges, NAMES), SYMMETRIC)


def test_a_rectangle_gaps_and_fractions(tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(",RIML,MDL01\nAVAL,0.5,\nAVAR,,2\n")
    edges = read_connectome(path, rows="pre")
    assert edges[["pre", "post", "weight"]].values.tolist() == [["AVAL", "RIML", 0.5], ["AVAR", "MDL01", 2.0]]
    assert set(edges["quantity"]) == {"weight"}  # half a synapse is none


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (",AVAL,AVAR\nAVAL,0,1\nAVAL,2,0\n", "the row 'AVAL' is there twice"),
        (",AVAL,AVAR\nAVAL,0,x\nAVAR,2,0\n", "'x' is not a number"),
        (",AVAL,AVAR\nAVAL,0,-1\nAVAR,2,0\n", "the weight -1 of AVAL -> AVAR"),
        (",AVAL,AVAR\nAVAL,0,0\nAVAR,0,0\n", "no edges"),
    ],
)
def test_bad_matrices_are_refused_in_one_message(tmp_path, text, said) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=said) as error:
        read_connectome(path, rows="pre")
    assert "\n" not in str(error.value)


def test_an_option_without_use_is_refused(tmp_path) -> None:
    path = saved(tmp_path, DIRECTED)
    with pytest.raises(InputError, match="this is a matrix, so weight= does not apply"):
        read_connectome(path, rows="pre", weight="synapses")
    path.write_text("pre,post,synapses\nAVAL,AVAR,3\n")
    with pytest.raises(InputError, match="this is no matrix, so rows= does not apply"):
        read_connectome(path, rows="pre")


def test_what_has_no_direction_is_symmetric(tmp_path) -> None:
    path = saved(tmp_path, DIRECTED)
    with pytest.raises(InputError, match="not symmetric, and gap junctions have no direction"):
        read_connectome(path, rows="gap junctions")
    with pytest.raises(InputError, match="rows cannot be 'across'"):
        read_connectome(path, rows="across")


@pytest.mark.parametrize(
    "text", ["time_s,AVAL,AVAR\n0,1,2\n1,2,3\n", "neuron,0,1\nAVAL,1,2\nAVAR,2,3\n", ",AVAL,AVAR\n0,1,2\n1,2,3\n"]
)
def test_traces_are_no_matrix(tmp_path, text) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    assert table_kind(path) != "connectome"


def test_the_command_line_says_what_it_is_and_names_its_flag(tmp_path, capsys) -> None:
    path = saved(tmp_path, DIRECTED)
    assert main(["validate", str(path)]) == 0
    assert "a connectome; a matrix of 5 rows and 5 columns does not say which way it points" in capsys.readouterr().out
