"""Answers to what files leave open, kept in the user's folder: whole or not at all, shared by programs, forgotten on request."""

from __future__ import annotations

import json

import pytest

from napari_dynamic_connectome.io import answers as module
from napari_dynamic_connectome.io.answers import Answer, Answers, Asked, answers_path

RATE = Asked("csv", "rate_hz")
AXES = Asked("npz", "axes", "", ("tn", "nt"), "tn")


def test_an_answer_comes_back_with_its_file_and_day(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("DYNAMIC_CONNECTOME_CONFIG", str(tmp_path / "made"))
    assert answers_path() == tmp_path / "made" / "answers.json"
    Answers(answers_path()).keep({RATE: 2.5, AXES: "tn"}, "a.csv")
    held = Answers(answers_path())
    assert held.get(RATE).value == 2.5 and held.get(RATE).said == "as for a.csv"
    assert held.get(AXES).value == "tn" and held.get(Asked("csv", "signal")) is None
    assert Answer(2.5, "a.csv", "2024-05-07").said == "as for a.csv on 2024-05-07"
    assert [p.name for p in (tmp_path / "made").iterdir()] == ["answers.json"]  # no temporary is left


def test_two_programs_keep_and_forget_without_losing_the_others(tmp_path) -> None:
    first, second = Answers(tmp_path / "a.json"), Answers(tmp_path / "a.json")
    first.keep({RATE: 2.5}, "a.csv")
    second.keep({AXES: "tn"}, "b.npy")
    assert set(Answers(tmp_path / "a.json").held) == {RATE, AXES}
    first.forget(RATE)
    assert set(Answers(tmp_path / "a.json").held) == {AXES}
    second.keep({Asked("mat", "fields", "t", ("x",)): "x"}, "c.mat")
    assert second.get(RATE) is None  # what another program forgot is not brought back
    second.forget()
    assert len(Answers(tmp_path / "a.json")) == 0


def test_only_the_last_ones_are_kept(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    held = Answers(tmp_path / "a.json")
    for n in range(5):
        held.keep({Asked("csv", f"o{n}"): n}, "a.csv")
    held.keep({Asked("csv", "o2"): 7}, "b.csv")
    assert [(a.option, b.value) for a, b in Answers(tmp_path / "a.json").held.items()] == [
        ("o3", 3),
        ("o4", 4),
        ("o2", 7),
    ]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"answers": [{}]}', '{"answers": [{"asked": {}, "value": [1]}]}'])
def test_a_damaged_file_holds_no_answers_and_is_replaced(tmp_path, text) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    held = Answers(path)
    assert not len(held)
    held.keep({RATE: 2.5}, "a.csv")
    assert json.loads(path.read_text())["answers"][0]["value"] == 2.5


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    held = Answers(tmp_path / "file" / "answers.json")
    held.keep({RATE: 2.5}, "a.csv")
    assert held.get(RATE).value == 2.5
