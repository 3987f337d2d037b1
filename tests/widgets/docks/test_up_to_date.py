"""The strip above the results, and the button that does only what is older again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from tests.widgets.helpers import fill, recording

from napari_dynamic_connectome.pipeline.settings import PipelineSettings
from napari_dynamic_connectome.widgets.docks.components_dock import support_words

pytestmark = pytest.mark.gui

QUICK = {
    "rank": {"rank": 1, "starts": 1},
    "chance": {"surrogates": 9},
    "communities": {"null_fits": 0, "samples": 10, "starts": 1},
    "kinds": ["core"],
}


@pytest.fixture
def opened(opened):
    opened.settings = PipelineSettings.parse(QUICK).model_dump(mode="json")
    fill(opened)
    opened.set_current("worm A")
    return opened


@pytest.fixture
def viewer(reused_viewer):
    return reused_viewer


@pytest.fixture
def docks(add_dock, qtbot):
    from napari_dynamic_connectome.widgets.docks.cohort_dock import CohortDock
    from napari_dynamic_connectome.widgets.docks.communities_dock import CommunitiesDock
    from napari_dynamic_connectome.widgets.docks.components_dock import ComponentsDock

    made = [add_dock(kind) for kind in (CohortDock, ComponentsDock, CommunitiesDock)]
    qtbot.wait(20)
    return made


def shown(docks, qtbot) -> set[str]:
    qtbot.wait(30)
    for one in docks:
        one.flush()
    assert len({one.strip.isVisible() for one in docks}) == 1
    return {one.strip.text.text() for one in docks if one.strip.isVisible()}


def test_the_strip_appears_with_an_edit_and_goes_with_its_undo(docks, work, qtbot) -> None:
    assert shown(docks, qtbot) == set()
    work.session.edit("worm B", {1: {"name": ""}, 2: {"name": "RIS"}})
    assert shown(docks, qtbot) == {"Components and communities are older than 2 names of worm B."}
    assert docks[0].strip.redo.isVisible() and docks[0].strip.height() < 60
    work.session.undo()
    assert shown(docks, qtbot) == set()
    docks[0].list.item(1).setCheckState(docks[0].list.item(1).checkState().Unchecked)
    assert shown(docks, qtbot) == {"Components and communities are older than the choice to leave out worm B."}


def test_redo_after_names_analyzes_the_traces_that_are_there(docks, work, qtbot, wait_for, monkeypatch) -> None:
    from napari_dynamic_connectome.extraction import extract

    monkeypatch.setattr(extract, "extract_recording", lambda *a, **k: pytest.fail("nothing is extracted again"))
    work.session.edit("worm B", {1: {"name": ""}, 13: {"name": "RIS"}})
    shown(docks, qtbot)
    before = work.session.components
    qtbot.mouseClick(docks[1].strip.redo, Qt.MouseButton.LeftButton)
    job = work.up_to_date.job
    qtbot.wait(30)
    assert not docks[1].strip.redo.isVisible()
    wait_for(job)
    assert work.session.components is not before and "RIS" in work.session.components.neurons
    assert shown(docks, qtbot) == set()
    assert work.session.settings["rank"]["rank"] == 1 and work.session.settings["chance"]["surrogates"] == 9


def test_claims_of_an_earlier_version_say_what_was_not_asked_until_redo(docks, work, qtbot, wait_for) -> None:
    qtbot.wait(20)
    session, (_, of_components, of_communities) = work.session, docks
    session.edit("worm B", {13: {"name": "RIS"}})
    qtbot.mouseClick(of_components.strip.redo, Qt.MouseButton.LeftButton)
    wait_for(work.up_to_date.job)
    assert shown(docks, qtbot) == set()
    asked = session.components
    chance = {k: v for k, v in asked.diagnostics["chance"].items() if not k.startswith("together")}
    older = replace(asked, diagnostics={**asked.diagnostics, "chance": chance})
    support = older.support.assign(background=False, p_value=0.01, q_value=0.01)
    communities = session.communities[1, "core"]
    claims = pd.DataFrame({"q_value": [0.01]}, index=pd.Index([0], name="community"))
    session.set_components(replace(older, support=support))
    session.set_communities({(1, "core"): replace(communities, claims=claims, answer="Some act together.")})
    (said,) = shown(docks, qtbot)
    assert said.startswith("Components and communities are older than the question whether the neurons are more")
    question = session.components.unasked
    assert of_components.strip.text.toolTip().endswith("Analyze again to ask it.") and question
    short, spoken = support_words(session.components, 1)
    assert short == "p .010 !" and f"Not asked: {question}." in spoken
    assert of_communities.answer.text() == f"Some act together. Not asked: {question}."
    qtbot.mouseClick(of_communities.strip.redo, Qt.MouseButton.LeftButton)
    wait_for(work.up_to_date.job)
    assert shown(docks, qtbot) == set() and session.components.unasked == ""
    assert "Not asked" not in of_communities.answer.text()


def test_settings_of_communities_alone_leave_the_components(docks, work, qtbot, wait_for, monkeypatch) -> None:
    from napari_dynamic_connectome.pipeline import run

    monkeypatch.setattr(run, "decompose", lambda *a, **k: pytest.fail("components are as they were"))
    before = work.session.components
    form = docks[0].forms["communities"]
    form.controls["samples"].value = 30
    assert shown(docks, qtbot) == {"Communities are older than the settings of communities."}
    qtbot.mouseClick(docks[2].strip.redo, Qt.MouseButton.LeftButton)
    wait_for(work.up_to_date.job)
    assert work.session.components is before
    assert {key[1] for key in work.session.communities} == {"core"}
    assert work.session.settings["communities"]["samples"] == 30
    assert shown(docks, qtbot) == set()
    form.controls["method"].native.setCurrentText("leiden")
    assert shown(docks, qtbot) == {"Communities are older than the settings of communities."}
    qtbot.mouseClick(docks[2].strip.redo, Qt.MouseButton.LeftButton)
    wait_for(work.up_to_date.job)
    assert work.session.settings["communities"]["method"] == "leiden"
    assert {found.method for found in work.session.communities.values()} == {"leiden"}


def test_settings_that_nobody_edited_are_not_called_changed(docks, work, qtbot) -> None:
    """The forms keep the last settings of the user; those of a session that was opened are others."""
    assert docks[0].settings().rank.rank != work.session.settings["rank"]["rank"]
    assert shown(docks, qtbot) == set()
    docks[0].forms["affinity"].set_value(docks[0].forms["affinity"].model(sigma_s=9.0))
    docks[0]._edited("affinity")
    assert shown(docks, qtbot) == {"Components and communities are older than the affinity settings."}


def test_a_name_that_moves_keeps_the_colours_of_the_cells(viewer, docks, add_dock, work, qtbot) -> None:
    from napari_dynamic_connectome.widgets.docks.neurons_dock import NeuronsDock

    dock = add_dock(NeuronsDock)
    work.view.set(color_by="community")
    qtbot.wait(50)

    def colours() -> np.ndarray:
        qtbot.wait(50)
        work.scene.flush()
        return np.array(work.scene.layers["neurons"].face_color)

    before = colours()
    table = work.session.recording.neurons
    first, second = (int(np.flatnonzero(table.index == n)[0]) for n in ("AVAL", "SMDVL"))
    assert not np.allclose(before[first], before[second])
    # the name AVAL goes from its cell to the one that was SMDVL
    work.session.select(neurons=("AVAL",))
    dock.flush()
    for label_id, text in ((int(table["label"].iloc[first]), ""), (int(table["label"].iloc[second]), "AVAL")):
        work.session.name_neuron(label_id, text)
    after = colours()
    assert work.scene.drawn.ids[second] == "AVAL"
    np.testing.assert_array_equal(after, before)
    assert shown(docks, qtbot) == {"Components and communities are older than 2 names of worm A."}
    assert "not up to date" in viewer.canvas.overlays.text.text


def test_a_name_typed_after_the_analysis_is_followed_everywhere(viewer, docks, add_dock, work, qtbot, wait_for) -> None:
    from napari_dynamic_connectome.widgets.docks.neurons_dock import NeuronsDock

    dock = add_dock(NeuronsDock)
    work.view.set(color_by="community")
    communities = docks[2]

    def colours() -> dict[str, tuple[float, ...]]:
        qtbot.wait(50)
        work.scene.flush()
        rows = np.array(work.scene.layers["neurons"].face_color)
        return dict(zip(work.scene.drawn.ids, map(tuple, rows.round(3).tolist()), strict=True))

    def members() -> str:
        communities.flush()
        return " ".join(row["all"] for row in communities.table.rows_model.rows)

    before = colours()
    assert "RIML" in members().split()
    for worm in ("worm B", "worm A"):  # the cell that was called RIML is RID, in both worms
        work.session.set_current(worm)
        work.session.select(neurons=("RIML",))
        dock.flush()
        dock.table.setFocus()
        qtbot.keyClick(dock.table, "r")
        for key in "id":
            qtbot.keyClick(dock.edit, key)
        qtbot.keyClick(dock.edit, Qt.Key.Key_Return)
        assert "RID" in work.session.recording.neurons["name"].tolist()
    # at once: the cell keeps its colour under the new name, and everything says what it is older than
    typed = colours()
    assert typed["RID"] == before["RIML"] and "RIML" not in typed
    assert {k: v for k, v in typed.items() if k != "RID"} == {k: v for k, v in before.items() if k != "RIML"}
    text = "Components and communities are older than 1 name of worm A and 1 name of worm B."
    assert shown(docks, qtbot) == {text}
    qtbot.mouseClick(communities.strip.redo, Qt.MouseButton.LeftButton)
    wait_for(work.up_to_date.job)
    # afterwards: tables, colours and strip are those of the new names
    assert shown(docks, qtbot) == set() and "not up to date" not in viewer.canvas.overlays.text.text
    assert "RIML" not in members().split() and "RIML" not in work.session.components.neurons
    found = work.session.communities[(1, "core")]
    assert "RID" in found.neurons and "RIML" not in found.neurons
    after = colours()
    labels = dict(zip(found.neurons, found.labels.values[found.chosen_level].tolist(), strict=True))
    for label in set(labels.values()):
        assert len({after[n] for n, one in labels.items() if one == label}) == 1


def test_a_worm_that_comes_later_is_named(docks, work, qtbot) -> None:
    work.session.add(recording("worm C", 5))
    assert shown(docks, qtbot) == {"Components and communities are older than worm C, which takes part now."}
