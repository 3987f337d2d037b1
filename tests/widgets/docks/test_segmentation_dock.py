"""The Segmentation dock: labels beside a reference, worst first, a click flies there, errors in colour; cancel and bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt

from napari_dynamic_connectome.display.palette import rgb
from napari_dynamic_connectome.widgets.viewer.label_errors import COLOURS, ERRORS, MISSED

pytestmark = pytest.mark.gui
SPLIT, JOINED_A, JOINED_B, LOST, GOOD = 1, 2, 3, 4, 5


def pair() -> tuple[np.ndarray, np.ndarray]:
    """Labels and reference (t, z, y, x): a neuron in two parts, two in one, one missed, one label too many, one that changes."""
    reference = np.zeros((3, 4, 40, 60), np.uint16)
    for number, x in ((SPLIT, 2), (JOINED_A, 14), (JOINED_B, 22), (LOST, 34), (GOOD, 44)):
        reference[:, 1:3, 4:14, x : x + 8] = number
    labels = np.zeros_like(reference)
    labels[:, 1:3, 4:9, 2:10], labels[:, 1:3, 9:14, 2:10] = 11, 12
    labels[:, 1:3, 4:14, 14:30] = 13
    labels[:, 1:3, 4:14, 44:52] = 14
    labels[2][labels[2] == 14] = 15
    labels[:, 0:2, 30:36, 50:58] = 16
    return labels, reference


@pytest.fixture
def viewer(reused_viewer):
    return reused_viewer


@pytest.fixture
def dock(add_dock, qtbot):
    from napari_dynamic_connectome.widgets.docks.segmentation_dock import SegmentationDock

    made = add_dock(SegmentationDock)
    qtbot.wait(50)
    return made


@pytest.fixture
def compared(dock, viewer, wait_for, qtbot):
    labels, reference = pair()
    scale = (0.5, 2.0, 0.5, 0.5)
    viewer.add_labels(labels, name="mine", scale=scale)
    viewer.add_labels(
        reference, name="by hand", scale=scale, metadata={"dynamic_connectome": {"names": {GOOD: "AVAL"}}}
    )
    qtbot.wait(50)
    assert (dock.tested.currentText(), dock.reference.currentText()) == ("mine", "by hand")
    qtbot.mouseClick(dock.run_button, Qt.MouseButton.LeftButton)
    wait_for(dock.bar.job)
    qtbot.wait(50)
    return dock


def colours_of(layer, ids) -> np.ndarray:
    return np.array([layer.get_color(int(i))[:3] for i in ids])


def test_neurons_are_listed_worst_first_with_scores_and_switches(compared):
    rows = compared.table.rows_model.rows
    assert {r["reference"] for r in rows[:2]} == {JOINED_B, LOST} and rows[-1]["reference"] == GOOD
    assert compared.table.rows_model.columns[0].text(rows[-1]) == "AVAL (5)"
    assert "3 false splits, 3 false merges, 1 identity switches, 0 gaps" in compared.answer.text()
    assert [r["reference"] for r in compared.tracks.rows_model.rows] == [GOOD]
    assert [r["label"] for r in compared.extra.rows_model.rows] == [16]
    x, y = compared.curve.curves[0].getData()
    np.testing.assert_allclose(y, compared.found.scores["f1"])
    assert len(x) == 9


def test_errors_have_their_colours_and_follow_the_frame(compared, viewer, qtbot):
    labels, missed = viewer.layers[ERRORS], viewer.layers[MISSED]
    assert labels.data is viewer.layers["mine"].data
    wanted = [rgb(COLOURS[k][True]) for k in ("split", "split", "merge", "matched", "extra")]
    np.testing.assert_allclose(colours_of(labels, (11, 12, 13, 14, 16)), wanted, atol=0.01)
    assert missed.get_color(LOST)[3] == 1 and missed.get_color(GOOD)[3] == 0
    assert compared.key_texts["split"].text() == "split 2" and compared.key_texts["merge"].text() == "merge 1"
    for kind, icon in compared.key_icons.items():  # a swatch is whole, and its text stands beside it
        assert icon.width() >= icon.pixmap().width() / icon.pixmap().devicePixelRatio()
        assert icon.geometry().right() < compared.key_texts[kind].geometry().left()
    viewer.dims.set_point(0, 1.0)  # the last frame: another label for the good one, which is no error by itself
    qtbot.wait(50)
    np.testing.assert_allclose(colours_of(labels, (15,)), [rgb(COLOURS["matched"][True])], atol=0.01)
    qtbot.mouseClick(compared.colour_button, Qt.MouseButton.LeftButton)
    assert ERRORS not in viewer.layers and MISSED not in viewer.layers
    assert compared.tested.count() == 2


def test_a_click_flies_to_the_neuron_in_its_worst_frame_and_chooses_it(compared, viewer, qtbot):
    place = [r["reference"] for r in compared.table.rows_model.rows].index(SPLIT)
    index = compared.table.rows_model.index(place, 0)
    qtbot.mouseClick(
        compared.table.viewport(), Qt.MouseButton.LeftButton, pos=compared.table.visualRect(index).center()
    )
    qtbot.wait(50)
    world = np.array([1.5, 8.5, 5.5]) * (2.0, 0.5, 0.5)
    np.testing.assert_allclose(viewer.scene.camera.center[1:], world[1:])
    assert viewer.dims.point[-3] == pytest.approx(world[0], abs=1.01)
    assert viewer.layers["by hand"].selected_label == SPLIT
    compared.tracks.selectRow(0)
    qtbot.wait(50)
    assert viewer.dims.point[0] == pytest.approx(2 * 0.5)
    assert viewer.layers["by hand"].selected_label == GOOD


def test_the_neuron_of_the_worm_is_selected_in_the_session(dock, viewer, work, wait_for, qtbot):
    from napari_dynamic_connectome.model.recording import Recording

    labels, reference = pair()
    viewer.add_labels(labels[0], name="mine")
    layer = viewer.add_labels(reference[0], name="by hand")
    rng = np.random.default_rng(0)
    recording = Recording.from_arrays(
        rng.normal(size=(20, 5)),
        name="w",
        rate_hz=2,
        names=["AVAL", "AVAR", "", "RIML", "RIMR"],
        labels=[SPLIT, JOINED_A, JOINED_B, LOST, GOOD],
        positions_um=rng.normal(size=(5, 3)),
    )
    work.session.add(recording)
    work.scene.attach("w", [], layer)
    qtbot.wait(50)
    wait_for(dock.compare())
    qtbot.wait(50)
    work.scene.flush()
    place = [r["name"] for r in dock.table.rows_model.rows].index("RIML")
    dock.table.selectRow(place)
    qtbot.wait(50)
    assert work.session.selection.neurons == ("RIML",)


def test_tables_are_written(compared, tmp_path):
    compared.save(tmp_path / "q")
    errors = pd.read_csv(tmp_path / "q" / "errors.csv")
    assert set(errors["kind"]) == {"split", "merge", "missed", "extra"}
    assert len(pd.read_csv(tmp_path / "q" / "neurons.csv")) == 5
    (tmp_path / "q" / "neurons.csv").write_text("mine\n")
    compared.save(tmp_path / "q")  # a file that was changed stays
    assert (tmp_path / "q" / "neurons.csv").read_text() == "mine\n"


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (np.ones((3, 4, 40, 50), np.uint16), "voxels"),
        (np.ones((4, 40, 60), np.uint16), "series of 3 frames"),
        (np.zeros((3, 4, 40, 60), np.uint16), "no object"),
    ],
)
def test_another_shape_and_an_empty_reference_are_said(dock, viewer, wait_for, qtbot, other, words):
    viewer.add_labels(pair()[0], name="mine")
    viewer.add_labels(other, name="by hand")
    qtbot.wait(50)
    job = wait_for(dock.compare())
    assert words in str(job.error)
    assert dock.found is None and dock.run_button.isEnabled()


def test_a_comparison_is_cancelled_and_one_layer_is_not_compared_with_itself(dock, viewer, wait_for, qtbot):
    import dask.array as da

    labels, reference = pair()
    many = da.concatenate([da.from_array(labels[:1], chunks=(1, 4, 40, 60))] * 4000)
    viewer.add_labels(many, name="mine")
    viewer.add_labels(da.concatenate([da.from_array(reference[:1], chunks=(1, 4, 40, 60))] * 4000), name="by hand")
    qtbot.wait(50)
    job = dock.compare()
    qtbot.waitUntil(lambda: "frame" in dock.bar.text.text(), timeout=30_000)
    qtbot.mouseClick(dock.bar.cancel, Qt.MouseButton.LeftButton)
    wait_for(job, 5)
    assert dock.found is None
    dock.reference.setCurrentText("mine")
    dock.reference.activated.emit(0)
    qtbot.wait(50)
    assert not dock.run_button.isEnabled() and dock.state.text() == "choose two layers"


@pytest.mark.parametrize("largest", [9, 70_000], ids=["folded", "direct"])
def test_wide_labels_have_their_colours_in_3d(viewer, qtbot, largest: int) -> None:
    from napari_dynamic_connectome.widgets.viewer.label_errors import ErrorLayers

    labels = np.zeros((6, 12, 12), np.int64)
    labels[1:3, 2:5, 2:5], labels[3:5, 6:9, 6:9] = 4, largest
    reference = np.where(labels == 4, 2, 0)
    viewer.dims.ndisplay = 3
    layers = [viewer.add_labels(a, name=n) for a, n in ((labels, "mine"), (reference, "by hand"))]
    errors = pd.DataFrame({"frame": [0], "kind": ["extra"], "label": [4], "reference": [0]})
    shown = ErrorLayers(viewer)
    shown.show(*layers, errors, dark=True)
    qtbot.wait(20)
    wanted = [rgb(COLOURS[kind][True]) for kind in ("extra", "matched")]
    np.testing.assert_allclose(colours_of(viewer.layers[ERRORS], (4, largest)), wanted, atol=0.01)
    viewer.dims.ndisplay = 2  # napari asks for the colours of another slice
    qtbot.wait(20)
    shown.hide()
