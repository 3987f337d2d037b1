"""Naming by mouse and keyboard: four keystrokes, several at once, lasso and box, atlas, history."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from tests.widgets.helpers import NAMES, recording

pytestmark = pytest.mark.gui


@pytest.fixture
def opened(opened):
    opened.add(recording(unnamed=4))
    return opened


@pytest.fixture
def viewer(reused_viewer):
    return reused_viewer


@pytest.fixture
def dock(add_dock, qtbot):
    from napari_dynamic_connectome.widgets.docks.neurons_dock import NeuronsDock

    made = add_dock(NeuronsDock)
    qtbot.wait(20)
    made.flush()
    return made


def select(dock, *neurons: str) -> None:
    dock.session.select(neurons=neurons)
    dock.flush()


def cell(dock, label: int, column: str):
    table = dock.session.recording.neurons
    return table.loc[table["label"] == label, column].iloc[0]


def test_four_keystrokes_from_the_table(dock, qtbot) -> None:
    label = len(NAMES) + 1
    select(dock, f"#{label}")
    dock.table.setFocus()
    qtbot.keyClick(dock.table, "a")
    for key in "vb":
        qtbot.keyClick(dock.edit, key)
    assert dock.options.item(1).text() == "AVBR"
    qtbot.keyClick(dock.edit, "2")
    assert cell(dock, label, "name") == "AVBR"
    assert dock.session.selection.neurons == (f"#{label + 1}",)  # ready for the next one
    # A digit that belongs to a name is text.
    for key in "va12":
        qtbot.keyClick(dock.edit, key)
    assert dock.edit.text() == "va12"
    qtbot.keyClick(dock.edit, Qt.Key.Key_Return)
    assert cell(dock, label + 1, "name") == "VA12"


def test_enter_without_typing_applies_nothing(dock, qtbot) -> None:
    from napari_dynamic_connectome.naming.atlas import Suggestion

    label = len(NAMES) + 1
    dock.atlas.names = {f"#{label}": [Suggestion("RIS", 0.7), Suggestion("RID", 0.2)]}
    select(dock, f"#{label}")
    assert [dock.options.item(i).text() for i in range(dock.options.count())] == ["RIS", "RID"]
    qtbot.keyClick(dock.edit, Qt.Key.Key_Return)
    assert cell(dock, label, "name") == ""
    select(dock, f"#{label}")
    qtbot.keyClick(dock.edit, Qt.Key.Key_Down)
    qtbot.keyClick(dock.edit, Qt.Key.Key_Return)
    assert cell(dock, label, "name") == "RIS"


def test_a_taken_name_is_refused_and_leads_to_its_neuron(dock, qtbot) -> None:
    select(dock, f"#{len(NAMES) + 1}")
    for key in "aval":
        qtbot.keyClick(dock.edit, key)
    qtbot.keyClick(dock.edit, Qt.Key.Key_Return)
    assert "AVAL already" in dock.refusal.text()
    assert dock.refusal_row.isVisible()
    qtbot.mouseClick(dock.jump, Qt.MouseButton.LeftButton)
    assert dock.session.selection.neurons == ("AVAL",)


def test_confidence_and_flag_of_several_are_one_step(dock, qtbot) -> None:
    select(dock, "AVAL", "AVAR", f"#{len(NAMES) + 1}")
    assert dock.head.text().startswith("3 neurons")
    dock.confidence.setValue(0.3)
    qtbot.waitUntil(lambda: cell(dock, 2, "confidence") == 0.3, timeout=3000)
    assert cell(dock, 1, "confidence") == 0.3
    assert np.isnan(cell(dock, len(NAMES) + 1, "confidence"))  # has no name
    qtbot.mouseClick(dock.reject_button, Qt.MouseButton.LeftButton)
    assert [bool(cell(dock, i, "rejected")) for i in (1, 2, len(NAMES) + 1)] == [True] * 3
    assert len(dock.session.done) == 2
    dock.undo()
    dock.undo()
    assert not cell(dock, 1, "rejected") and np.isnan(cell(dock, 1, "confidence"))


def test_looking_at_a_neuron_changes_nothing(dock, qtbot) -> None:
    dock.session.edit(dock.session.current, {1: {"confidence": 0.4}})
    before = len(dock.session.done)
    for neuron in ("AVAL", "AVAR", "AVAL"):
        select(dock, neuron)
        dock.confidence.editingFinished.emit()
        dock.note.editingFinished.emit()
        qtbot.wait(5)
    qtbot.wait(600)
    assert len(dock.session.done) == before


def test_a_note_stays_with_its_neuron(dock, qtbot) -> None:
    select(dock, "RIML")
    dock.note.setFocus()
    qtbot.keyClicks(dock.note, "faint")
    qtbot.keyClick(dock.note, Qt.Key.Key_Return)
    assert cell(dock, NAMES.index("RIML") + 1, "note") == "faint"
    dock.search.setText("faint")
    dock.flush()
    assert [r["name"] for r in dock.table.rows_model.rows] == ["RIML"]


def drag(plot, points, qtbot, modifier=Qt.KeyboardModifier.NoModifier) -> None:
    """Drag in a plot along points in view coordinates, with real mouse events."""
    view, widget = plot.getPlotItem().getViewBox(), plot.viewport()
    pixels = [plot.mapFromScene(view.mapViewToScene(plot_point)) for plot_point in points]
    pixels = [QPoint(int(p.x()), int(p.y())) for p in pixels]
    qtbot.mousePress(widget, Qt.MouseButton.LeftButton, modifier, pixels[0])
    for a, b in itertools.pairwise(pixels):
        for share in np.linspace(0.2, 1, 5):
            at = QPoint(int(a.x() + share * (b.x() - a.x())), int(a.y() + share * (b.y() - a.y())))
            qtbot.wait(12)  # pyqtgraph takes at most a hundred moves a second
            move(widget, at, modifier)
    qtbot.mouseRelease(widget, Qt.MouseButton.LeftButton, modifier, pixels[-1])


def move(widget, at: QPoint, modifier) -> None:
    """Move with the button held, which QTest cannot."""
    from qtpy.QtCore import QEvent, QPointF
    from qtpy.QtGui import QMouseEvent
    from qtpy.QtWidgets import QApplication

    place = QPointF(at)
    button = Qt.MouseButton.LeftButton
    event = QMouseEvent(QEvent.Type.MouseMove, place, widget.mapToGlobal(place), button, button, modifier)
    QApplication.sendEvent(widget, event)


def test_lasso_and_box_choose_several(dock, qtbot) -> None:
    import pyqtgraph as pg

    dock.map_fold.head.setChecked(True)
    qtbot.wait(50)
    dock.findChildren(type(dock.map))[0].plot.getPlotItem().getViewBox().autoRange()
    qtbot.wait(20)
    points = dock.map.points
    order = np.argsort(points[:, 0])
    first = points[order[:3]]
    low, high = first[:, 0].min() - 1, (first[:, 0].max() + points[order[3], 0]) / 2
    bottom, top = points[:, 1].min() - 1, points[:, 1].max() + 1
    outline = [pg.Point(*p) for p in ((low, bottom), (high, bottom), (high, top), (low, top), (low, bottom))]
    drag(dock.map.plot, outline, qtbot)
    ids = [str(i) for i in dock.session.recording.neurons.index]
    assert set(dock.session.selection.neurons) == {ids[i] for i in order[:3]}
    dock.flush()
    assert {r["id"] for r in dock.table.chosen()} == {ids[i] for i in order[:3]}
    dock.map.shape.setCurrentText("box")
    last = points[order[-2:]]
    left = (points[order[-3], 0] + last[:, 0].min()) / 2
    corners = [pg.Point(left, bottom), pg.Point(last[:, 0].max() + 1, top)]
    drag(dock.map.plot, corners, qtbot, Qt.KeyboardModifier.ShiftModifier)
    assert set(dock.session.selection.neurons) == {ids[i] for i in (*order[:3], *order[-2:])}


def test_a_name_still_to_find_is_offered_by_a_click(dock) -> None:
    assert 'href="AVBL"' in dock.missing.text() and 'href="AVAL"' not in dock.missing.text()
    select(dock, f"#{len(NAMES) + 1}")
    dock._missing_chosen("AVBL")
    assert dock.options.current_name() == "AVBL"
    dock.assign_button.click()
    assert cell(dock, len(NAMES) + 1, "name") == "AVBL"
    assert 'href="AVBL"' not in dock.missing.text()


def test_the_history_says_who_and_when_and_leads_back(dock, qtbot) -> None:
    dock.session.name_neuron(len(NAMES) + 1, "RIS")
    dock.session.undo()
    dock.flush()
    from napari_dynamic_connectome.session.edits import user

    assert "undo" in dock.history.item(0).text() and user() in dock.history.item(1).text()
    assert "RIS" in dock.history.item(1).toolTip()
    dock.history.itemActivated.emit(dock.history.item(1))
    assert dock.session.selection.neurons == (f"#{len(NAMES) + 1}",)
    assert "2 changes" in dock.history_fold.summary.text()


def test_an_atlas_suggests_and_follows_the_names(dock, qtbot, wait_for, tmp_path) -> None:
    table = dock.session.recording.neurons
    extra = {"#13": "RIS", "#14": "RID", "#15": "AVBL", "#16": "AVBR"}
    with (tmp_path / "atlas.csv").open("w") as file:
        file.write("name,x_um,y_um,z_um\n")
        for neuron, row in table.iterrows():
            file.write(f"{row['name'] or extra[neuron]},{row['x']},{row['y']},{row['z']}\n")
    wait_for(dock.atlas.load(str(tmp_path / "atlas.csv")))
    qtbot.wait(50)
    select(dock, "#15")
    select(dock, "#14")
    assert dock.options.item(0).text() == "RID"
    assert cell(dock, 14, "name") == ""
    before = dock.atlas.fitted
    dock.session.name_neuron(13, "RIS")
    qtbot.waitUntil(lambda: dock.atlas.fitted != before, timeout=8000)
    assert all(s.name != "RIS" for s in dock.atlas.names["#14"])
    dock.session.add(dock.session.recording, replace=True, made="correct traces again")  # the names are the same
    dock.flush()
    assert not dock.atlas.names
    qtbot.waitUntil(lambda: bool(dock.atlas.names), timeout=8000)
    qtbot.wait(50)
    select(dock, "#15")
    select(dock, "#14")
    assert dock.options.item(0).text() == "RID"


def test_a_click_in_the_canvas_chooses_the_row(viewer, dock, work, qtbot) -> None:
    from qtpy.QtWidgets import QApplication

    from napari_dynamic_connectome.widgets.viewer.camera import screen_axes

    viewer.dims.ndisplay = 3
    work.scene.flush()
    work.scene.home()
    qtbot.wait(60)
    drawn = work.scene.drawn
    right, up, zoom, centre = screen_axes(viewer)
    gap = drawn.positions - centre
    height, width = viewer.canvas.size
    place = np.stack([gap @ right * zoom + width / 2, height / 2 - gap @ up * zoom], axis=1)
    alone = np.linalg.norm(place[:, None] - place[None], axis=2) + 1e9 * np.eye(len(place))
    chosen = int(alone.min(axis=1).argmax())
    native = viewer.window._qt_viewer.canvas.native
    x, y = (round(v) for v in place[chosen])
    qtbot.mouseClick(native, Qt.MouseButton.LeftButton, pos=QPoint(x, y))
    QApplication.processEvents()
    dock.flush()
    assert work.session.selection.neurons == (drawn.ids[chosen],)
    assert [r["id"] for r in dock.table.chosen()] == [drawn.ids[chosen]]


def test_confidence_from_one_to_five_stays_as_it_is(dock, qtbot) -> None:
    name = dock.session.current
    dock.session.edit(name, {1: {"confidence": 4.0}, 2: {"confidence": 2.0}, 3: {"confidence": 5.0}})
    select(dock, "AVAL")
    assert dock.confidence.value() == 4.0 and dock.confidence.maximum() == 5.0
    dock.confidence.editingFinished.emit()
    assert len(dock.session.done) == 1
    assert "1 low confidence" in dock.count_more.text()
    bars = {r["name"]: r["sure"] for r in dock.table.rows_model.rows}
    assert bars["AVAL"] == pytest.approx(0.8)


def test_ranked_names_of_another_program_are_suggested_with_their_probability(dock, qtbot, tmp_path) -> None:
    label = len(NAMES) + 1
    (tmp_path / "other.csv").write_text(
        f"label,name_1,p_1,name_2,p_2\n{label},RIS,0.7,RID,0.2\n{label + 1},RIS,0.4,,\n"
    )
    dock.atlas.load_candidates(str(tmp_path / "other.csv"))
    assert "names for 2 neurons" in dock.atlas.text.text()
    select(dock, f"#{label}")
    assert [dock.options.item(i).text() for i in range(dock.options.count())] == ["RIS", "RID"]
    assert cell(dock, label, "name") == ""  # nothing is applied by itself
    qtbot.keyClick(dock.edit, Qt.Key.Key_Down)
    qtbot.keyClick(dock.edit, Qt.Key.Key_Return)
    dock.flush()
    assert cell(dock, label, "name") == "RIS" and dock.atlas.names[f"#{label + 1}"] == []  # given elsewhere by now
    (tmp_path / "wrong.csv").write_text("label,name,p\n99999,RIS,0.7\n")
    dock.atlas.load_candidates(str(tmp_path / "wrong.csv"))
    assert "other.csv" in dock.atlas.text.text()  # refused: what was there stays


def test_groups_are_kept_chosen_again_and_coloured(viewer, work, dock, qtbot) -> None:
    from napari_dynamic_connectome.display.palette import category

    panel, session = dock.groups, work.session
    qtbot.mouseClick(dock.groups_fold.head, Qt.MouseButton.LeftButton)
    names = [n for n in session.recording.neurons.index if not n.startswith("#")][:3]
    session.select(neurons=tuple(names[:2]))
    dock.flush()
    panel.name.setFocus()
    qtbot.keyClicks(panel.name, "command")
    qtbot.keyClick(panel.name, Qt.Key.Key_Return)
    assert session.groups == {"command": tuple(names[:2])}
    session.select(neurons=(names[2],))
    dock.flush()
    qtbot.mouseClick(panel.choose_button, Qt.MouseButton.LeftButton)
    assert set(session.selection.neurons) == set(names[:2])
    qtbot.mouseClick(panel.colour_button, Qt.MouseButton.LeftButton)
    work.scene.flush()
    assert work.scene.colour_of(names[0]) == category(0, work.scene.colours.dark)
    assert work.scene.colour_of(names[2]) != category(0, work.scene.colours.dark)
    qtbot.keyClicks(panel.name, "motor")
    qtbot.mouseClick(panel.rename_button, Qt.MouseButton.LeftButton)
    assert list(session.groups) == ["motor"] and panel.list.currentText() == "motor" and panel.name.text() == ""
    qtbot.mouseClick(panel.remove_button, Qt.MouseButton.LeftButton)
    assert session.groups == {} and work.view.color_by == "community"

    # undone and done again with the buttons and the keys of names
    dock.flush()
    assert dock.undo_button.toolTip() == "Take back: remove group motor (Ctrl+Z)."
    qtbot.mouseClick(dock.undo_button, Qt.MouseButton.LeftButton)
    dock.flush()
    assert list(session.groups) == ["motor"] and panel.list.currentText() == "motor"
    qtbot.keyClick(dock.table, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    dock.flush()
    assert list(session.groups) == ["command"] and panel.list.currentText() == "command"
    assert "rename group command to motor" in dock.history.item(0).text()
    session.select(neurons=(names[2],))
    qtbot.mouseClick(dock.history_fold.head, Qt.MouseButton.LeftButton)
    qtbot.wait(20)
    place = dock.history.visualItemRect(dock.history.item(0)).center()
    for press in (qtbot.mouseClick, qtbot.mouseDClick):
        press(dock.history.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert set(session.selection.neurons) == set(names[:2])
    qtbot.mouseClick(dock.redo_button, Qt.MouseButton.LeftButton)
    dock.flush()
    assert "motor" in session.groups
    session.set_group("other", (names[2],))
    dock.flush()
    qtbot.keyClicks(panel.name, "motor")
    panel.list.setCurrentText("other")
    qtbot.mouseClick(panel.rename_button, Qt.MouseButton.LeftButton)
    assert "already" in panel.bar.failure.text() and list(session.groups) == ["motor", "other"]
    panel.name.clear()

    # the limits of a column are dragged, moved with keys and put back
    from napari_dynamic_connectome.display.features import column_values

    session.select(neurons=(names[0],))
    work.view.set(column="correlation with the chosen neuron", color_by="column")
    work.scene.flush()
    dock.flush()
    qtbot.wait(20)
    bars, place = dock.limits, list(session.recording.neurons.index).index(names[1])
    assert bars.isVisible() and bars.counts.sum() == np.isfinite(column_values(session, work.view.column)).sum()
    before = work.scene.drawn.base[place].copy()
    y = bars.height() // 2
    grip = QPoint(round(bars.x_of(bars.high)), y)
    qtbot.mousePress(bars, Qt.MouseButton.LeftButton, pos=grip)
    pull(bars, QPoint(bars.width() // 2, y))
    qtbot.mouseRelease(bars, Qt.MouseButton.LeftButton, pos=QPoint(bars.width() // 2, y))
    work.scene.flush()
    assert work.view.limits[work.view.column][1] == pytest.approx(bars.value_at(bars.width() // 2))
    assert not np.allclose(work.scene.drawn.base[place], before)
    assert f"\u2265 {bars.high:.3g}" in [text for text, _ in work.scene._legend_lines()]
    low = bars.low
    bars.setFocus()
    qtbot.keyClick(bars, Qt.Key.Key_Right)
    qtbot.keyClick(bars, Qt.Key.Key_Right)
    assert low < bars.low < bars.high
    qtbot.keyClick(bars, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(bars, Qt.Key.Key_Home)
    work.scene.flush()
    assert work.view.limits == {}
    np.testing.assert_allclose(work.scene.drawn.base[place], before)


def pull(widget, place: QPoint) -> None:
    """Move the mouse with its button down."""
    from qtpy.QtCore import QEvent, QPointF
    from qtpy.QtGui import QMouseEvent
    from qtpy.QtWidgets import QApplication

    spot, left = QPointF(place), Qt.MouseButton.LeftButton
    move = QMouseEvent(
        QEvent.Type.MouseMove, spot, widget.mapToGlobal(spot), left, left, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(widget, move)
