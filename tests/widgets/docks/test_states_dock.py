"""The States dock: ribbons, dwell times, networks as communities in 3D; found in the background, kept, redone, cancelled."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPointF, Qt
from tests.session.session_sample import make_states
from tests.states.conftest import plant

from napari_dynamic_connectome.display.palette import rgb
from napari_dynamic_connectome.display.states import state_color

pytestmark = pytest.mark.gui

QUICK = {
    "states": 2, "starts": 2, "iterations": 20, "state_sd": 0.5, "weight_sd": 0.5, "held_out": "blocks", "folds": 2,
    "held_out_starts": 1, "threads": 1,
}  # fmt: skip


@pytest.fixture
def viewer(reused_viewer):
    return reused_viewer


@pytest.fixture
def dock(add_dock, qtbot):
    from napari_dynamic_connectome.widgets.docks.states_dock import StatesDock

    made = add_dock(StatesDock)
    qtbot.wait(50)
    return made


@pytest.fixture
def filled(dock, work, qtbot):
    work.session.set_states(make_states(work.session.cohort, 0, n_time=120), work.session.cohort)
    qtbot.wait(100)
    return dock


def pixels_of(widget, colour: str) -> int:
    """Pixels of a widget that have just this colour."""
    image = widget.grab().toImage()
    wanted = np.round(rgb(colour) * 255).astype(int)
    count = 0
    for y in range(0, image.height(), 2):
        for x in range(0, image.width(), 2):
            got = image.pixelColor(x, y)
            count += abs(got.red() - wanted[0]) + abs(got.green() - wanted[1]) + abs(got.blue() - wanted[2]) < 6
    return count


@pytest.mark.filled
def test_ribbons_dwell_times_and_sentences_are_shown(filled, work, qtbot):
    assert "They predict held-out frames better" in filled.answer.text()
    assert filled.notes.text() == "a note"
    assert [r["state"] for r in filled.table.rows_model.rows] == [1, 2]
    assert filled.table.rows_model.rows[0]["with"] == "reversal +0.60"
    assert "r +0.60, p" in filled.table.rows_model.rows[0]["tip"]
    assert len(filled.dwell.curves) == 2 and len(filled.held_out.rows_model.rows) == 4
    assert [r["state"] for r in filled.agreement.rows_model.rows] == [1, 2]
    for state in (1, 2):
        assert pixels_of(filled.ribbons, state_color(state)) > 50
    assert "1 of 2 beyond chance" in filled.folds["agreement"].summary.text()


@pytest.mark.filled
def test_a_click_in_the_ribbon_shows_that_worm_at_that_time(filled, work, qtbot):
    plot = filled.ribbons.plot
    view = plot.getViewBox()
    spot = plot.mapFromScene(view.mapViewToScene(QPointF(30.0, 1.5)))
    qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    qtbot.wait(50)
    assert work.session.current == "worm B"
    assert work.session.selection.time_s == pytest.approx(30.0, abs=1.0)
    state = int(work.session.states.of_worm("worm B").sel(time=work.session.selection.time_s, method="nearest"))
    assert filled.now.text().startswith(f"state {state} at")


@pytest.mark.filled
def test_the_network_of_a_state_is_coloured_in_3d_by_its_communities(filled, work, qtbot):
    from napari_dynamic_connectome.display.states import communities_of, group_styles
    from napari_dynamic_connectome.widgets.viewer.layers import EDGES, NEURONS

    work.session.select(community=0)
    qtbot.wait(50)
    filled.table.selectRow(1)
    qtbot.wait(100)
    work.scene.flush()
    found, look = communities_of(work.session, 2), group_styles(work.session, 2)
    drawn = work.scene.drawn
    row = found.labels.isel(level=found.chosen_level)
    for neuron in ("AVAL", "RIML", "SMDVR"):
        group = int(row.sel(neuron=neuron))
        place = drawn.ids.index(neuron)
        assert drawn.community[place] == group
        if group >= 0:
            wanted = rgb(look[group].color)
            np.testing.assert_allclose(work.scene.layers[NEURONS].face_color[place][:3], wanted, atol=0.35)
    assert work.session.selection.community is None
    group = filled.groups.rows_model.rows[0]["community"]
    filled.groups.selectRow(0)
    qtbot.wait(100)
    work.scene.flush()
    assert work.view.state_group == group
    np.testing.assert_array_equal(work.scene.drawn.lit, work.scene.drawn.community == group)
    assert (int((work.scene.drawn.community == group).sum()) > 1) == bool(
        EDGES in work.scene.layers and work.scene.layers[EDGES].visible
    )
    qtbot.mouseClick(filled.off, Qt.MouseButton.LeftButton)
    qtbot.wait(50)
    assert work.view.color_by == "community" and work.view.state == 0


def test_states_are_found_in_the_background_kept_and_brought_back(dock, work, wait_for, qtbot, tmp_path):
    from napari_dynamic_connectome.session.journal import Journal
    from napari_dynamic_connectome.session.save_load import load_session, save_session
    from napari_dynamic_connectome.session.session import Session

    cohort, sequences, _ = plant(neurons=8, frames=200, worms=2, dwell=30, seed=1)
    for one in cohort.recordings:
        work.session.add(one, make_current=False, made=f"open {one.name}", action="open")
    qtbot.wait(50)
    assert "No states yet" in dock.empty.text()
    dock.form.set_value(dock.form.model(**QUICK))
    dock._edited()
    qtbot.mouseClick(dock.run_button, Qt.MouseButton.LeftButton)
    wait_for(dock.bar.job)
    qtbot.wait(50)
    states = work.session.states
    assert states is not None and states.held_out is not None and set(states.communities) == {1, 2}
    agree = np.mean((states.sequence.values == 1) == (np.concatenate(sequences) == 0))
    assert max(agree, 1 - agree) > 0.9
    assert work.session.history[-1].text == "find 2 states of 2 worms" and work.session.history[-1].action == "results"
    # kept in the session's file, and as long as it is not saved in the journal
    loaded = load_session(save_session(work.session, tmp_path / "s.zarr"))
    np.testing.assert_array_equal(loaded.states.weights.values, states.weights.values)
    journalled = Session()
    folder = tmp_path / "journal"
    journal = Journal.attach(journalled, folder=folder)
    for one in cohort.recordings:
        journalled.add(one, make_current=False, made=f"open {one.name}", action="open")
    after = work.session.results()
    journalled.keep_results(after, "find 2 states")
    journal._file.close()
    journal.lock.release()
    again = Session()
    back = Journal.attach(again, folder=folder)
    assert back.recover() == []
    np.testing.assert_array_equal(again.states.posterior.values, states.posterior.values)
    back.close()
    # a name makes them older; Redo does them again, and nothing else
    work.session.name_neuron(1, "ASEL", recording="worm 0")
    qtbot.wait(50)
    assert work.up_to_date.state.stale == ("states",) and dock.strip.isVisible()
    assert "States are older than 1 name of worm 0" in dock.strip.text.text()
    qtbot.mouseClick(dock.strip.redo, Qt.MouseButton.LeftButton)
    wait_for(work.up_to_date.job)
    qtbot.wait(50)
    assert work.up_to_date.state.stale == () and work.session.states is not states
    assert "ASEL" in work.session.states.neurons and work.session.states.provenance["settings"]["starts"] == 2


def test_a_fit_is_cancelled_and_leaves_the_session_as_it_was(dock, work, wait_for, qtbot):
    cohort, _, _ = plant(neurons=12, frames=400, worms=2, seed=2)
    for one in cohort.recordings:
        work.session.add(one, make_current=False)
    qtbot.wait(50)
    dock.form.set_value(dock.form.model(**{**QUICK, "starts": 500, "iterations": 5000, "tolerance": 1e-9}))
    job = dock.find_states()
    qtbot.waitUntil(lambda: "start" in dock.bar.text.text(), timeout=60_000)
    qtbot.mouseClick(dock.bar.cancel, Qt.MouseButton.LeftButton)
    wait_for(job, 10)
    assert work.session.states is None and not dock.bar.isVisible()
    assert not [e for e in work.session.history if e.action == "results"]


@pytest.mark.filled
def test_other_components_ask_only_for_the_agreement_again(filled, work, wait_for, qtbot):
    from tests.widgets.helpers import components

    states = work.session.states
    work.session.set_components(components(work.session.cohort, rank=1))
    qtbot.wait(50)
    assert [c.what for c in work.up_to_date.state.states] == ["components"]
    job = work.up_to_date.redo(only_results=True)
    wait_for(job)
    qtbot.wait(50)
    now = work.session.states
    assert now is not states and now.sequence is states.sequence
    assert set(now.agreement.loc[now.agreement["kind"] == "component", "name"]) == {"1"}
    assert work.up_to_date.state.stale == ()


def test_what_cannot_be_fitted_is_said(dock, work, wait_for, qtbot, tmp_path):
    from tests.widgets.helpers import recording

    from napari_dynamic_connectome.model.errors import InputError

    work.session.add(recording("worm A", 0).replace(name="worm A"), make_current=True)
    qtbot.wait(50)
    dock.use_connectome(tmp_path / "absent.csv")
    with qtbot.captureExceptions() as raised:
        job = wait_for(dock.find_states())
    assert isinstance(job.error, InputError) and "absent.csv" in str(job.error) and not raised
    assert work.session.states is None
