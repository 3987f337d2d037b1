"""Real docks in a real viewer: one session, shown the same way everywhere. The tests share the window with its docks."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from tests.widgets.helpers import NAMES, recording

from napari_dynamic_connectome.display import scene as resolve
from napari_dynamic_connectome.display.palette import rgb
from napari_dynamic_connectome.model.errors import Cancelled

pytestmark = pytest.mark.gui


@pytest.fixture
def viewer(reused_viewer):
    return reused_viewer


@pytest.fixture
def docks(module_docks, viewer, qtbot):
    for one in ("Communities", "Recording"):  # in front of their groups, as after the docks were arranged
        show(module_docks[one], qtbot)
    return module_docks


def show(dock, qtbot):
    from napari_dynamic_connectome.widgets.app.arrange import raise_dock

    raise_dock(dock)
    qtbot.wait(30)
    dock.flush()
    return dock


def test_every_dock_opens_and_says_what_to_do_next(docks, qtbot) -> None:
    assert set(docks) == {
        "Recording",
        "Neurons",
        "Traces",
        "Cohort",
        "Components",
        "Communities",
        "States",
        "Segmentation",
        "Export",
    }
    for dock in docks.values():
        show(dock, qtbot)
        assert len({id(d.session) for d in docks.values()}) == 1
        if dock.title == "Recording":
            assert not dock.start.isHidden() and not dock.start.sample.isHidden()
            continue
        assert not dock.empty.isHidden()
        assert len(dock.empty.text()) > 20


def test_every_control_has_a_tooltip(docks) -> None:
    from qtpy.QtWidgets import QAbstractSpinBox, QComboBox, QLineEdit, QPushButton

    for dock in docks.values():
        for kind in (QComboBox, QPushButton, QAbstractSpinBox):
            for control in dock.findChildren(kind):
                assert control.toolTip(), (dock.title, control)
        for line in dock.findChildren(QLineEdit):
            inside = isinstance(line.parent(), (QAbstractSpinBox, QComboBox))
            assert inside or line.toolTip(), (dock.title, line.placeholderText())


def test_fewer_points_can_be_drawn_into_a_hidden_layer(viewer, work) -> None:
    work.session.add(recording())
    work.scene.flush()
    viewer.dims.ndisplay = 3  # all of them are in view
    ids = list(work.session.recording.neurons.index)
    work.session.select(neurons=tuple(ids[:3]))
    work.scene.flush()
    work.session.select(neurons=())
    work.scene.flush()
    work.session.select(neurons=(ids[0],))
    work.scene.flush()
    current, neurons = work.scene.layers["current"], work.scene.layers["neurons"]
    assert current.visible and len(current.data) == 1
    neurons.visible = False
    work.session.add(recording("small", unnamed=0))
    work.scene.flush()
    neurons.visible = True
    assert len(neurons.data) == len(ids) - 3


def test_a_cancelled_job_changes_nothing(work, wait_for) -> None:
    import time

    def slow(progress, cancel):
        while not cancel():
            progress(0.5, "half")
            time.sleep(0.01)
        raise Cancelled

    done = []
    job = work.jobs.start("slow", slow, done.append)
    job.cancel()
    wait_for(job, 5)
    assert done == []
    assert not work.jobs.running


def test_a_failure_is_one_notification_with_details(work, wait_for) -> None:
    from napari.utils.notifications import notification_manager

    from napari_dynamic_connectome.model.errors import InputError

    def bad(progress, cancel):
        raise InputError("the labels are empty", where="layer", fix="Choose another layer.")

    wait_for(work.jobs.start("bad", bad), 5)
    last = notification_manager.records[-1]
    assert "the labels are empty" in str(last.message)
    assert last.actions[0][0] == "Details"


def test_shortcuts_are_in_the_docs() -> None:
    from pathlib import Path

    from napari_dynamic_connectome.widgets.app.shortcuts import markdown

    assert markdown() in (Path(__file__).parents[3] / "docs" / "pages" / "napari.md").read_text(encoding="utf-8")


def test_settings_are_remembered(viewer, docks, work, qtbot) -> None:
    from napari_dynamic_connectome.widgets.docks.cohort_dock import CohortDock
    from napari_dynamic_connectome.widgets.workspace.preferences import load

    control = docks["Cohort"].forms["rank"].controls["largest"]
    before = control.value
    control.value = 5
    assert load()["Cohort"]["rank"] == {"largest": 5}
    again = CohortDock(viewer)
    assert again.forms["rank"].value().largest == 5
    again.deleteLater()
    control.value = before
    assert load()["Cohort"]["rank"] == {}


@pytest.mark.filled
def test_naming_by_keyboard_undo_and_refusal(docks, work, qtbot) -> None:
    work.session.set_current("worm A")
    dock = show(docks["Neurons"], qtbot)
    unnamed = [n for n in work.session.recording.neurons.index if n.startswith("#")]
    work.session.select(neurons=(unnamed[0],))
    dock.flush()
    dock.edit.setFocus()
    qtbot.keyClicks(dock.edit, "rid")
    qtbot.keyClick(dock.edit, Qt.Key.Key_Return)
    assert "RID" in work.session.recording.neurons.index
    assert work.session.selection.neurons == (unnamed[1],)  # it goes on to the next
    dock.edit.clear()
    qtbot.keyClicks(dock.edit, "ava l")
    qtbot.keyClick(dock.edit, Qt.Key.Key_Return)
    assert "AVAL already" in dock.refusal.text()
    dock.jump.click()
    assert work.session.selection.neurons == ("AVAL",)
    dock.flush()
    dock.undo_button.click()
    assert "RID" not in work.session.recording.neurons.index
    dock.flush()
    dock.redo_button.click()
    assert "RID" in work.session.recording.neurons.index


@pytest.mark.filled
def test_swapping_sides_exchanges_two_names(docks, work, qtbot) -> None:
    work.session.set_current("worm A")
    dock = show(docks["Neurons"], qtbot)
    work.session.select(neurons=("AVAL",))
    dock.flush()
    before = int(work.session.recording.neurons.loc["AVAL", "label"])
    dock.swap_button.click()
    assert int(work.session.recording.neurons.loc["AVAR", "label"]) == before


@pytest.mark.filled
def test_colours_of_the_moment_reach_the_canvas_from_cursor_and_slider(viewer, docks, work, qtbot) -> None:
    work.view.set(color_by="activity")
    viewer.dims.ndisplay = 3
    work.scene.flush()
    layer = work.scene.layers["neurons"]
    visual = viewer.window._qt_viewer.canvas.layer_to_visual[layer]
    times = work.session.recording.time_s

    def drawn() -> np.ndarray:
        return np.asarray(visual.node.points_markers._data["a_bg_color"])[:, :3]

    seen = []
    for frame, move in [
        (5, lambda k: work.session.select(time_s=float(times[k]))),
        (40, lambda k: viewer.dims.set_current_step(viewer.dims.ndim - 4, k)),
        (7, lambda k: work.session.select(time_s=float(times[k]))),
        (7, lambda k: work.session.select(time_s=float(times[k]) + 1e-6)),
    ]:
        move(frame)
        wanted = resolve.colors_at(work.scene.drawn, float(times[frame]))[work.scene.drawn.shown]
        np.testing.assert_allclose(drawn(), wanted[:, :3], atol=2e-3)
        seen.append(drawn())
    assert np.abs(seen[0] - seen[1]).max() > 0.02
    viewer.layers.remove("time")  # without a slider nothing is sliced again
    work.session.select(time_s=float(times[60]))
    wanted = resolve.colors_at(work.scene.drawn, float(times[60]))[work.scene.drawn.shown]
    np.testing.assert_allclose(drawn(), wanted[:, :3], atol=2e-3)
    assert np.abs(drawn() - seen[-1]).max() > 0.02


@pytest.mark.filled
def test_pixels_of_a_neuron_have_its_communitys_colour(viewer, work, qtbot) -> None:
    work.session.set_current("worm A")
    work.view.set(names=False, edges=False)
    viewer.dims.ndisplay = 3
    work.scene.flush()
    work.scene.home()
    work.scene.layers["neurons"].shading = "none"
    qtbot.wait(60)
    picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(float) / 255
    drawn = work.scene.drawn
    for community in (0, 1, 2):
        wanted = rgb(drawn.styles[community].color)
        close = np.abs(picture - wanted).max(axis=2) < 0.03
        assert close.sum() > 60, community


@pytest.mark.filled
def test_a_removed_overlay_layer_stays_away_until_asked_for(viewer, work) -> None:
    work.session.set_current("worm A")
    work.scene.flush()
    viewer.layers.remove("neurons")
    work.session.select(neurons=("AVAL",))
    work.scene.flush()
    assert "neurons" not in viewer.layers
    work.scene.show_again()
    assert "neurons" in viewer.layers


@pytest.mark.filled
def test_an_image_opened_later_does_not_cover_the_neurons(viewer, work) -> None:
    work.session.select(community=1)
    work.scene.flush()
    viewer.add_image(np.zeros((4, 20, 30)), name="late")
    work.scene.flush()
    names = [layer.name for layer in viewer.layers]
    assert names.index("late") < names.index("edges") < names.index("neurons") < names.index("names")
    viewer.layers.move(names.index("late"), len(names))  # the user's own order stays
    work.session.select(community=0)
    work.scene.flush()
    assert viewer.layers[-1].name == "late"


@pytest.mark.filled
def test_every_worm_is_written_as_nwb(docks, work, qtbot, tmp_path, wait_for, monkeypatch) -> None:
    pytest.importorskip("pynwb")
    from napari_dynamic_connectome.io.formats import nwb_write
    from napari_dynamic_connectome.io.registry import read_recording

    export = show(docks["Export"], qtbot)
    wait_for(export.export("nwb", tmp_path))
    assert sorted(p.name for p in tmp_path.glob("*.nwb")) == ["worm_A.nwb", "worm_B.nwb"]
    worm = work.session.recordings["worm B"]
    again = read_recording(tmp_path / "worm_B.nwb")
    assert again.named == worm.named
    np.testing.assert_array_equal(again.traces.values, worm.traces.values)
    monkeypatch.setattr(nwb_write, "find_spec", lambda name: None)
    assert export.export("nwb", tmp_path / "no") is None
    assert "napari-dynamic-connectome[nwb]" in export.bar.failure.text() and not (tmp_path / "no").exists()


@pytest.mark.filled
def test_what_nwb_wants_to_know_is_asked_once_and_kept(docks, work, qtbot, tmp_path, wait_for, monkeypatch) -> None:
    pytest.importorskip("pynwb")
    from qtpy.QtWidgets import QDialogButtonBox

    from napari_dynamic_connectome.io.registry import read_recording
    from napari_dynamic_connectome.model.attributes import attributes_of, with_attributes
    from napari_dynamic_connectome.session.save_load import load_session, save_session
    from napari_dynamic_connectome.widgets.docks.about_worms import AboutDialog
    from napari_dynamic_connectome.widgets.workspace.preferences import load

    for name, strain in (("worm A", "N2"), ("worm B", "CB1")):
        worm = with_attributes(work.session.recordings[name], {"condition": f"in {name}", "genotype": strain})
        work.session.add(worm, replace=True, make_current=False)
    export = show(docks["Export"], qtbot)
    shown: list[AboutDialog] = []

    def run(dialog: AboutDialog):
        dialog.show()
        shown.append(dialog)
        controls = dialog.form.controls
        if len(shown) == 1:
            assert controls["genotype"].native.placeholderText() == "differs: CB1, N2"
            for field, text in (("strain", "OH16230"), ("age", "two days"), ("lab", "Example lab")):
                qtbot.keyClicks(controls[field].native, text)
            ok = next(b for b in dialog.buttons.buttons() if b.text() == "Go on")
            qtbot.mouseClick(ok, Qt.MouseButton.LeftButton)
            assert dialog.result() == 0 and "'two days' is no duration" in dialog.refusal.text()
            controls["age"].native.clear()
            qtbot.keyClicks(controls["age"].native, "P3D")
            qtbot.mouseClick(ok, Qt.MouseButton.LeftButton)
        else:
            qtbot.mouseClick(dialog.buttons.button(QDialogButtonBox.StandardButton.Cancel), Qt.MouseButton.LeftButton)
        return dialog.result()

    monkeypatch.setattr(AboutDialog, "exec", run)
    monkeypatch.setattr(type(export), "_ask_folder", lambda self, *_: tmp_path / "nwb")
    qtbot.mouseClick(export.buttons["NWB…"], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: (tmp_path / "nwb" / "worm_B.nwb").is_file() and not work.jobs.running, timeout=60_000)
    assert len(shown) == 1
    said = {"strain": "OH16230", "age": "P3D", "lab": "Example lab"}
    for name, strain in (("worm A", "N2"), ("worm B", "CB1")):  # what differs is not touched
        assert attributes_of(work.session.recordings[name]) == said | {"condition": f"in {name}", "genotype": strain}
    assert attributes_of(read_recording(tmp_path / "nwb" / "worm_B.nwb"))["strain"] == "OH16230"
    assert load()["Export"]["about"] == {"strain": "OH16230", "lab": "Example lab"}  # for the next cohort
    kept = load_session(save_session(work.session, tmp_path / "s.zarr"))
    assert attributes_of(kept.recordings["worm A"])["age"] == "P3D"
    assert export._about_is_said() and len(shown) == 1  # not asked again
    qtbot.mouseClick(export.about_button, Qt.MouseButton.LeftButton)
    assert len(shown) == 2 and shown[1].said["strain"] == "OH16230"


@pytest.mark.filled
def test_graph_and_movie_are_written(viewer, docks, work, qtbot, tmp_path, wait_for) -> None:
    import networkx as nx

    work.session.set_current("worm A")
    work.scene.flush()
    export = show(docks["Export"], qtbot)
    wait_for(export.export("graph", tmp_path / "g.graphml"))
    graph = nx.read_graphml(tmp_path / "g.graphml")
    assert graph.number_of_nodes() == len(NAMES)
    assert "older" not in export.said.text() and not export.strip.isVisible()
    work.session.name_neuron(13, "RIS")  # the window says what is older, as the command line does
    export.flush()
    assert export.strip.isVisible()
    wait_for(export.export("graph", tmp_path / "later.graphml"))
    assert "Components and communities are older than" in export.said.text()
    work.session.undo()
    pytest.importorskip("imageio")
    wait_for(export.save_movie(tmp_path / "m.gif") if export.seconds.setValue(0.5) is None else None)
    assert (tmp_path / "m.gif").stat().st_size > 1000
    assert not list(tmp_path.glob(".*m.gif"))


@pytest.mark.filled
def test_a_theme_change_keeps_the_colours_readable(viewer, docks, work, qtbot) -> None:
    dark = work.scene.drawn
    work.scene.flush()
    dark = work.scene.drawn.base.copy()
    viewer.theme = "light"
    work.scene.flush()
    assert not np.allclose(dark, work.scene.drawn.base)
    assert work.scene.drawn.base.max() < 0.99
