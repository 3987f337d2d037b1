"""Labels corrected in the window, by buttons and clicks on the canvas: the touched ones have new traces, undo gives back the old."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from tests.widgets.docks.test_recording_dock import SIZE, add, extract, volume

from napari_dynamic_connectome.display.palette import rgb

pytestmark = pytest.mark.gui
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def docks(viewer, qtbot):
    from napari_dynamic_connectome.widgets.docks.recording_dock import RecordingDock
    from napari_dynamic_connectome.widgets.docks.segmentation_dock import SegmentationDock

    made = [RecordingDock(viewer), SegmentationDock(viewer)]
    for one in made:
        viewer.window.add_dock_widget(one, name=one.title, area="right", add_vertical_stretch=False)
    qtbot.wait(20)
    return made


def test_labels_are_corrected_where_they_are_seen(viewer, work, docks, qtbot, wait_for) -> None:
    image, labels, _ = volume()
    add(viewer, qtbot, image, labels[0], names={1: "AVAL"})
    first = extract(docks[0], wait_for, qtbot)
    session, layer, panel = work.session, viewer.layers["cells"], docks[1].proofread
    viewer.dims.ndisplay = 2
    viewer.dims.set_point(1, 1 * SIZE[0])
    viewer.reset_view()
    qtbot.wait(60)
    before = layer.data.copy()

    def press(name: str) -> None:
        docks[1].flush()
        assert panel.buttons[name].isEnabled()
        qtbot.mouseClick(panel.buttons[name], LEFT)
        if work.up_to_date.job is not None:
            wait_for(work.up_to_date.job)
        qtbot.wait(10)

    def click(y: float, x: float) -> None:
        """Click on the canvas, at a voxel of the plane that is shown."""
        camera, (height, width) = viewer.scene.camera, viewer.canvas.size
        gap = np.array([y, x]) * SIZE[1:] - np.asarray(camera.center)[-2:]
        place = QPoint(round(width / 2 + gap[1] * camera.zoom), round(height / 2 + gap[0] * camera.zoom))
        qtbot.mouseClick(viewer.window._qt_viewer.canvas.native, LEFT, pos=place)
        if work.up_to_date.job is not None:
            wait_for(work.up_to_date.job)
        qtbot.wait(10)

    def raw(label: int) -> np.ndarray:
        table = session.recording.neurons
        return np.asarray(work.raw[first.name].values[:, list(table["label"]).index(label)])

    def mean(label: int) -> np.ndarray:
        return image[:, layer.data == label].mean(axis=1)

    # grow: the trace of this label is new, all others are as they were; undo and redo
    docks[1].flush()
    assert panel.what.text().startswith("Choose a neuron") or panel.what.text().startswith("Label")
    session.select(neurons=("AVAL",))
    docks[1].flush()
    assert panel.what.text() == "Label 1: what is wrong?"
    old = {label: raw(label) for label in range(1, 6)}
    press("grow")
    assert (layer.data == 1).sum() > (before == 1).sum() and (layer.data[before != 0] == before[before != 0]).all()
    np.testing.assert_allclose(raw(1), mean(1), rtol=1e-5)
    assert not np.allclose(raw(1), old[1])
    for label in range(2, 6):
        np.testing.assert_array_equal(raw(label), old[label])
    assert session.selection.neurons == ("AVAL",) and work.up_to_date.state.stale == ()
    press("undo")
    np.testing.assert_array_equal(layer.data, before)
    np.testing.assert_array_equal(raw(1), old[1])
    press("redo")
    np.testing.assert_allclose(raw(1), mean(1), rtol=1e-5)
    press("undo")

    # merge with a click on the other one, and split again with two
    press("merge")
    assert panel.waiting == "merge" and "AVAL" in session.selection.neurons
    click(0, 20)
    assert panel.waiting == "merge" and "beside a label" in panel.what.text()
    click(8, 20)
    assert panel.waiting == "" and set(np.unique(layer.data)) == {0, 1, 2, 4, 5}
    assert session.recording.neurons["label"].tolist() == [1, 2, 4, 5]
    np.testing.assert_allclose(raw(1), mean(1), rtol=1e-5)
    session.select(neurons=("AVAL",))
    press("split")
    click(4, 5)
    assert panel.waiting == "split again"
    click(8, 20)
    np.testing.assert_array_equal(layer.data, np.where(before == 3, 6, before))
    assert session.recording.neurons["label"].tolist() == [1, 2, 4, 5, 6]
    np.testing.assert_array_equal(raw(1), old[1])
    np.testing.assert_array_equal(raw(6), old[3])

    # without new traces at once they say what they are older than
    qtbot.mouseClick(panel.at_once, LEFT, pos=QPoint(8, panel.at_once.height() // 2))
    assert not panel.at_once.isChecked()
    session.select(neurons=("#6",))
    press("delete")
    assert session.recording.neurons["label"].tolist() == [1, 2, 4, 5, 6]
    qtbot.wait(20)
    docks[1].flush()
    assert "older than the labels of 1 neuron" in docks[1].strip.text.toolTip()
    press("undo")
    assert work.up_to_date.state.stale == ()

    # what cannot be done is said beside the buttons; the next suspicious neuron is chosen and shown
    session.select(neurons=("AVAL",))
    press("shrink")
    press("shrink")
    assert "nothing would be left of label 1" in panel.bar.failure.text()
    press("undo")
    for neuron in ("#4", "#5"):
        quality = session.recording.quality.copy()
        quality.loc[neuron, ["flagged", "reason"]] = [True, "too dim"]
        session.add(session.recording.replace(quality=quality), replace=True)
    press("next")
    assert session.selection.neurons[0] in ("#4", "#5") and "too dim" in panel.what.text()
    chosen = session.selection.neurons
    press("next")
    assert session.selection.neurons != chosen


def test_a_label_is_split_in_3d_where_it_is_clicked(viewer, work, docks, qtbot, wait_for) -> None:
    image, labels, _ = volume()
    both = np.where(labels[0] == 3, 1, labels[0])  # two neurons in one label
    add(viewer, qtbot, image, both.copy(), names={1: "AVAL"})
    extract(docks[0], wait_for, qtbot)
    session, layer, panel = work.session, viewer.layers["cells"], docks[1].proofread
    viewer.dims.ndisplay = 3
    work.scene.home()
    qtbot.wait(60)
    layer.visible = False  # as when a result is looked at
    work.scene.flush()
    neurons = work.scene.layers["neurons"]
    assert neurons.visible
    canvas = viewer.window._qt_viewer.canvas

    def press(name: str) -> None:
        docks[1].flush()
        qtbot.mouseClick(panel.buttons[name], LEFT)
        if work.up_to_date.job is not None:
            wait_for(work.up_to_date.job)
        qtbot.wait(10)

    def click(*voxel: int) -> None:
        """Click on the canvas where a voxel (z, y, x) is drawn, through whatever lies before it."""
        node = canvas.layer_to_visual[layer].node
        x, y, _, w = node.get_transform("visual", "canvas").map([*(v + 0.5 for v in voxel[::-1]), 1])
        place = QPoint(round(x / w), round(y / w))
        assert canvas.native.rect().contains(place)
        qtbot.mouseClick(canvas.native, LEFT, pos=place)
        if work.up_to_date.job is not None:
            wait_for(work.up_to_date.job)
        qtbot.wait(10)

    session.select(neurons=("AVAL",))
    press("split")
    # the label alone, without the spheres that cover it; pressed again it is as before
    assert layer.visible and layer.show_selected_label and layer.selected_label == 1 and not neurons.visible
    work.scene.recolour_labels()  # new colours keep it so
    assert layer.colormap.use_selection and layer.colormap.selection == 1
    press("split")
    assert not layer.visible and not layer.show_selected_label and neurons.visible and panel.waiting == ""
    press("split")
    viewer.dims.ndisplay = 2
    assert neurons.visible and panel.waiting == "split"
    viewer.dims.ndisplay = 3
    assert not neurons.visible
    work.scene.home()
    qtbot.wait(60)

    (z, y, x), other = (np.argwhere(labels[0] == one).mean(axis=0).round().astype(int) for one in (1, 3))
    click(z, y + 8, x)
    assert panel.waiting == "split" and "beside label 1" in panel.what.text()
    click(z, y, x)
    assert panel.waiting == "split again" and session.selection.neurons == ("AVAL",)
    # a cross where it was clicked, until Escape
    current = work.scene.layers["current"]
    marked = [str(s) == "cross" for s in current.symbol]
    assert current.visible and marked == [False, True]
    there = np.asarray(layer.data_to_world(panel._first), float)
    np.testing.assert_allclose(current.data[1], there)
    assert both[panel._first] == 1 and np.linalg.norm(there - layer.data_to_world((z, y, x))) < 12
    assert current.border_color[1] == pytest.approx([*rgb(work.scene.colours.warning), 1], abs=0.01)
    canvas.native.setFocus()
    qtbot.keyClick(canvas.native, Qt.Key.Key_Escape)
    qtbot.wait(20)
    assert panel.waiting == "" and neurons.visible and [str(s) for s in current.symbol] == ["disc"]
    press("split")
    click(z, y, x)
    assert [str(s) for s in current.symbol] == ["disc", "cross"]
    click(*other)
    assert panel.waiting == "" and not layer.visible and neurons.visible
    assert [str(s) for s in current.symbol] == ["disc"]
    new = int(both.max()) + 1
    np.testing.assert_array_equal(layer.data, np.where(labels[0] == 3, new, both))
    assert session.recording.neurons["label"].tolist() == [1, 2, 4, 5, new]
    raw = work.raw[session.recording.name].values
    np.testing.assert_allclose(raw[:, 4], image[:, labels[0] == 3].mean(axis=1), rtol=1e-5)
    press("undo")
    np.testing.assert_array_equal(layer.data, both)
    assert session.recording.neurons["label"].tolist() == [1, 2, 4, 5]
    press("redo")
    assert (layer.data == new).sum() == (labels[0] == 3).sum()

    # a click chooses neurons again
    session.select(neurons=())
    press("next")
    click(z, y, x)
    assert session.selection.neurons == ("AVAL",)
