"""Ranked names of another program: three layouts, one meaning; and names from them, each once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome import InputError, Recording, read_candidates
from napari_dynamic_connectome.naming import assign_names, candidates_for

LAYOUTS = {
    "long": "label,name,probability\n1,AVAL,0.6\n1,AVEL,0.3\n2,AVAL,0.9\n2,nobody,0.05\n",
    "long with ranks": "neuron_id;rank;candidate;prob\n1;2;AVEL;0,3\n1;1;AVAL;0,6\n2;1;AVAL;0,9\n",
    "percent": "id,neuron,confidence\n1,AVAL,60\n1,AVEL,30\n2,AVAL,90\n",
    "percent signs": "roi,name,p\n1,aval,60%\n1,AVEL,30%\n2,AVAL,90%\n",
    "wide": "label,name_1,probability_1,name_2,probability_2\n1,AVAL,0.6,AVEL,0.3\n2,AVAL,0.9,,\n",
    "wide by rank": "label,rank1_name,rank1_prob,rank2_name,rank2_prob\n1,AVAL,.6,AVEL,.3\n2,AVAL,.9,,\n",
    "wide in words": "label,1st ID,1st confidence,2nd ID,2nd confidence\n1,AVAL,.6,AVEL,.3\n2,AVAL,.9,,\n",
    "wide, first second": "label,first candidate,first prob,second candidate,second prob\n1,AVAL,.6,AVEL,.3\n2,AVAL,.9,,\n",
    "matrix": "label,AVAL,AVEL,none\n1,0.6,0.3,0.1\n2,0.9,0,0.1\n",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_says_the_same(tmp_path, layout) -> None:
    (tmp_path / "c.csv").write_text(LAYOUTS[layout])
    found = read_candidates(tmp_path / "c.csv")
    assert {k: [(s.name, round(s.probability, 6)) for s in one] for k, one in found.items()} == {
        "1": [("AVAL", 0.6), ("AVEL", 0.3)],
        "2": [("AVAL", 0.9)],
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,probability\nAVAL,1\n", "which neuron a row is about"),
        ("label,name\n1,AVAL\n", "Needed: label, name, probability"),
        ("label,name,score\n1,AVAL,-3.2\n", "no probabilities"),
        ("label,name,score\n1,AVAL,0.9\n1,AVEL,0.8\n", "add up to 1.7"),
        ("label,name,p\n1,AVAL,\n", "no probability"),
    ],
)
def test_what_is_no_probability_is_refused(tmp_path, text, said) -> None:
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        read_candidates(tmp_path / "c.csv")


def worm(names: list[str]) -> Recording:
    return Recording.from_arrays(
        np.random.default_rng(0).random((20, len(names))),
        name="w",
        rate_hz=2,
        names=names,
        labels=[1, 2, 5][: len(names)],
    )


def test_candidates_meet_the_labels_and_given_names_are_left_out(tmp_path) -> None:
    (tmp_path / "c.csv").write_text(LAYOUTS["long"])
    found = read_candidates(tmp_path / "c.csv")
    both = candidates_for(worm(["", "", ""]), found)
    assert [s.name for s in both["#1"]] == ["AVAL", "AVEL"]
    named = candidates_for(worm(["", "AVAL", ""]), found)
    assert [s.name for s in named["#1"]] == ["AVEL"] and [s.name for s in named["AVAL"]] == ["AVAL"]
    with pytest.raises(InputError, match="none of the 2 neurons"):
        candidates_for(worm([""]).replace(neurons=worm([""]).neurons.assign(label=77)), found)


def test_each_name_is_given_once_where_it_is_worth_most(tmp_path) -> None:
    (tmp_path / "c.csv").write_text(LAYOUTS["long"])
    found = candidates_for(worm(["", "", ""]), read_candidates(tmp_path / "c.csv"))
    assert {n: s.name for n, s in assign_names(found, least=0.2).items()} == {"#1": "AVEL", "#2": "AVAL"}
    assert {n: s.name for n, s in assign_names(found, least=0.5).items()} == {"#2": "AVAL"}
    assert assign_names({}) == {}


def test_parquet_as_well(tmp_path) -> None:
    pd.DataFrame({"label": [1.0, 1.0], "name": ["AVAL", "AVEL"], "probability": [0.6, 0.3]}).to_parquet(
        tmp_path / "c.parquet"
    )
    assert [s.name for s in read_candidates(tmp_path / "c.parquet")["1"]] == ["AVAL", "AVEL"]
