"""Named groups of a session beside its communities, by the names that results know; and the command."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from tests.widgets.helpers import NAMES, fill

from napari_dynamic_connectome import enrich_groups, save_session
from napari_dynamic_connectome.cli import main
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.pipeline.groups import enrichment_lines
from napari_dynamic_connectome.session.session import Session


@pytest.fixture
def session() -> Session:
    made = Session()
    fill(made)
    made.set_current("worm A")
    made.set_group("command", NAMES[:4])
    made.set_group("mixed", ["AVAL", "OLQDL", "worm A #13"])
    return made


def test_all_kinds_of_sets_are_compared_and_corrected_by_kind(session) -> None:
    table = enrich_groups(session)
    assert list(dict.fromkeys(table["group"])) == ["command", "mixed"]
    own = table[table["group"] == "command"]
    assert own.groupby("beside").size().to_dict() == {
        "class": 6, "core": 6, "ganglion": 2, "group": 1, "modules": 6, "side": 2,
    }  # fmt: skip
    core = own[own["beside"] == "core"]
    hit = core[(core["component"] == 1) & (core["community"] == 0)].iloc[0]
    assert hit["shared"] == 4 and hit["p_value"] == pytest.approx(1 / 15)
    # the same community in two components: Benjamini and Hochberg over all six
    assert hit["q_value"] == pytest.approx(6 / 15 / 2)
    assert (own.loc[own["beside"] == "side", "p_value"] == 1).all()  # whole pairs say nothing of sides
    assert own.loc[own["beside"] == "group", "shared"].tolist() == [1]
    one = enrich_groups(session, ["mixed"])
    assert set(one["group"]) == {"mixed"} and (one["members"] == 2).all()
    said = enrichment_lines(table, alpha=0.25)
    assert said[0].startswith("command shares with: community 0 (component 1, core) (4 of 4, 1.3 expected, p 0.067")
    assert said[1] == "mixed shares with: nothing beyond chance."


def test_cells_that_were_renamed_are_found_in_results(session) -> None:
    before = enrich_groups(session, ["command"])
    for worm in session.recordings:
        label = int(session.recordings[worm].neurons.loc["AVAL", "label"])
        session.edit(worm, {label: {"name": "AVEL"}})
    session.set_group("command", ["AVEL", *NAMES[1:4]])
    after = enrich_groups(session, ["command"])
    same = before["beside"] == "core"
    assert before[same].reset_index(drop=True).equals(after[after["beside"] == "core"].reset_index(drop=True))


def test_what_is_not_there_is_said(session) -> None:
    with pytest.raises(InputError, match="no group 'x'"):
        enrich_groups(session, ["x"])
    with pytest.raises(InputError, match="no named groups"):
        enrich_groups(Session())


def test_the_command_says_it_in_words_json_and_a_table(session, tmp_path, capsys) -> None:
    path = str(save_session(session, tmp_path / "s.zarr"))
    folder = tmp_path / "out"
    assert main(["groups", path, "--group", "command", "-o", str(folder)]) == 0
    assert capsys.readouterr().out.startswith("command shares with: nothing beyond chance.")
    table = pd.read_csv(folder / "groups_shared.csv")
    assert set(table["group"]) == {"command"} and "community_name" in table
    assert json.loads((folder / "provenance.json").read_text())["settings"]["groups"]["command"] == NAMES[:4]
    assert main(["groups", path, "--members", "new=aval,AVAR", "--group", "new", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {r["group"] for r in found["groups"]} == {"new"} and {r["members"] for r in found["groups"]} == {2}
    assert main(["groups", path, "--members", "new"]) == 2
    assert main(["groups", path, "--group", "none"]) == 2
    session.set_group("command", [])
    session.set_group("mixed", [])
    bare = str(save_session(session, tmp_path / "bare.zarr"))
    capsys.readouterr()
    assert main(["groups", bare]) == 2
    assert "no named groups. Give them with --members NAME=NEURON" in " ".join(capsys.readouterr().err.split())
    assert main(["groups", bare, "--members", "new=AVAL,AVAR"]) == 0
