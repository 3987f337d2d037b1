"""One session, chosen in one place and shown everywhere: tests that only look and choose share one filled window."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from tests.widgets.docks.test_docks import show
from tests.widgets.helpers import NAMES, fill

from napari_dynamic_connectome.display.palette import rgb
from napari_dynamic_connectome.session.session import Selection

pytestmark = pytest.mark.gui


@pytest.fixture(scope="module")
def filled(module_viewer):
    from napari_dynamic_connectome.widgets.app.arrange import arrange_windows
    from napari_dynamic_connectome.widgets.workspace.workspace import workspace_of

    found = arrange_windows(module_viewer)
    fill(workspace_of(module_viewer).session)
    QTest.qWait(30)
    return found


@pytest.fixture
def viewer(module_viewer):
    return module_viewer


@pytest.fixture
def work(viewer):
    from napari_dynamic_connectome.widgets.workspace.workspace import workspace_of

    return workspace_of(viewer)


@pytest.fixture(autouse=True)
def docks(filled, viewer, work, qtbot):
    """The docks, with nothing chosen."""
    from napari_dynamic_connectome.widgets.workspace.workspace import ViewState

    plain, session = ViewState(), work.session
    work.view.set(**{name: getattr(plain, name) for name in ("color_by", "names", "edges", "legend", "edge_count")})
    session.set_current("worm A")
    session.select(**vars(Selection()))
    viewer.dims.ndisplay = 2
    work.scene.flush()
    qtbot.wait(10)
    assert session.selection == Selection() and not session.history and len(session.recordings) == 2
    return filled


def test_selection_is_one_in_table_traces_and_scene(docks, work, qtbot) -> None:
    work.scene.flush()
    dock = show(docks["Neurons"], qtbot)
    place = next(i for i, r in enumerate(dock.table.rows_model.rows) if r["name"] == "RIMR")
    dock.table.selectRow(place)
    assert work.session.selection.neurons == ("RIMR",)
    work.scene.flush()
    ring = work.scene.layers["current"]
    expected = work.session.recording.positions_um[list(work.session.recording.neurons.index).index("RIMR")]
    np.testing.assert_allclose(ring.data, [expected])
    work.session.select(neurons=("AVAR",))
    dock.flush()
    assert [r["name"] for r in dock.table.chosen()] == ["AVAR"]
    traces = show(docks["Traces"], qtbot)
    assert traces.stacked(work.session.recording)[0] == list(work.session.recording.neurons.index).index("AVAR")


def test_time_slider_and_cursor_are_one(viewer, docks, work, qtbot) -> None:
    traces = show(docks["Traces"], qtbot)
    assert viewer.dims.ndim == 4
    viewer.dims.set_current_step(0, 40)
    assert work.session.selection.time_s == pytest.approx(20.0)
    traces.flush()
    assert traces.cursors[0].value() == pytest.approx(20.0)
    traces.cursors[1].setValue(30.1)
    assert viewer.dims.current_step[0] == 60


def test_a_community_lights_up_everywhere(docks, work, qtbot) -> None:
    dock = show(docks["Communities"], qtbot)
    assert dock.table.rows_model.rowCount() == 3
    dock.table.selectRow(1)
    chosen = work.session.selection.community
    assert chosen == dock._rows[1]["community"]
    work.scene.flush()
    drawn = work.scene.drawn
    members = {n for n, lit in zip(drawn.ids, drawn.lit, strict=True) if lit}
    assert members == set(NAMES[4 * chosen : 4 * chosen + 4])
    colours = np.asarray(work.scene.layers["neurons"].face_color)[drawn.lit]
    np.testing.assert_allclose(colours[:, :3], np.tile(rgb(drawn.styles[chosen].color), (4, 1)), atol=0.01)
    assert work.scene.layers["edges"].visible
    assert set("".join(work.scene.layers["names"].features["name"])) <= set("".join(members) + "/")
    traces = show(docks["Traces"], qtbot)
    assert set(traces.stacked(work.session.recording)) == set(np.flatnonzero(drawn.lit))


def test_a_click_on_the_community_that_is_chosen_puts_its_neurons_first_again(docks, work, qtbot) -> None:
    dock = show(docks["Communities"], qtbot)
    place = dock.table.visualRect(dock.table.model().index(1, 0)).center()
    qtbot.mouseClick(dock.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    chosen = work.session.selection.community
    assert chosen == dock._rows[1]["community"]
    work.session.select(neurons=(work.session.recording.neurons.index[-1],))
    qtbot.wait(30)
    qtbot.mouseClick(dock.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert work.session.selection.community == chosen and work.session.selection.neurons == ()


def test_the_level_slider_joins_children(docks, work, qtbot) -> None:
    dock = show(docks["Communities"], qtbot)
    work.session.select(community=2)
    dock.flush()
    dock.level.setValue(0)  # coarse
    assert work.session.selection.level == 1
    assert work.session.selection.community == 1
    dock.flush()
    assert dock.table.rows_model.rowCount() == 2


def test_components_cards_choose(docks, work, qtbot) -> None:
    dock = show(docks["Components"], qtbot)
    assert len(dock.cards) == 2
    qtbot.mouseClick(dock.cards[1], Qt.MouseButton.LeftButton)
    assert work.session.selection.component == 2


def test_click_picks_the_neuron_under_it(viewer, work) -> None:
    place = work.session.recording.positions_um[5]
    assert work.scene.pick(place + [30, 0.1, 0.1], np.array([-1.0, 0, 0])) == work.session.recording.neurons.index[5]
    assert work.scene.pick([0, 900, 900], None) is None


def test_names_and_lines_do_not_make_napari_measure_its_world_again(viewer, work, monkeypatch) -> None:
    from napari.components.layerlist import LayerList

    measured, plain = [], LayerList._ranges.fget
    monkeypatch.setattr(LayerList, "_ranges", property(lambda layers: measured.append(1) or plain(layers)))
    for community in (0, 1, 2):
        work.session.select(community=community, neurons=(NAMES[4 * community],))
        work.scene.flush()
        assert work.scene.layers["edges"].visible and len(work.scene.layers["current"].data) == 1
    assert measured == []


def test_switching_worms_moves_the_neurons(work) -> None:
    first = work.scene.layers["neurons"].data.copy()
    work.session.set_current("worm B")
    work.scene.flush()
    assert not np.allclose(first, work.scene.layers["neurons"].data)
