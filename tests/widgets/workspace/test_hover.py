"""The card of the neuron under the mouse: real mouse moves over all views, marks in the others, and a switch."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication
from tests.widgets.helpers import fill

pytestmark = pytest.mark.gui


def move(widget, place: QPoint) -> None:
    """Move the mouse over a widget: with the window system's event, but wherever the real pointer is."""
    spot = QPointF(place)
    none = Qt.MouseButton.NoButton
    event = QMouseEvent(
        QEvent.Type.MouseMove, spot, widget.mapToGlobal(spot), none, none, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(widget, event)


def leave(widget) -> None:
    QApplication.sendEvent(widget, QEvent(QEvent.Type.Leave))


@pytest.fixture
def docks(viewer, work, qtbot):
    from napari_dynamic_connectome.widgets.docks.communities_dock import CommunitiesDock
    from napari_dynamic_connectome.widgets.docks.neurons_dock import NeuronsDock
    from napari_dynamic_connectome.widgets.docks.traces_dock import TracesDock

    fill(work.session)
    work.session.set_current("worm A")
    made = {}
    for kind, area in ((NeuronsDock, "right"), (CommunitiesDock, "right"), (TracesDock, "bottom")):
        made[kind.title] = kind(viewer)
        viewer.window.add_dock_widget(made[kind.title], name=kind.title, area=area, add_vertical_stretch=False)
    work.scene.flush()
    work.scene.home()
    qtbot.wait(60)
    for one in made.values():
        one.flush()
    qtbot.wait(20)
    return made


def row_place(table, row: int) -> QPoint:
    return table.visualRect(table.model().index(row, 1)).center()


def test_one_card_for_all_views_and_the_neuron_is_marked_in_the_others(viewer, work, docks, qtbot) -> None:
    hover, session = work.hover, work.session
    neurons, traces, matrix = docks["Neurons"], docks["Traces"], docks["Communities"].matrix
    session.select(neurons=("AVAL",))
    qtbot.wait(30)
    focus = QApplication.focusWidget()

    # the table of neurons
    table = neurons.table.viewport()
    move(table, row_place(neurons.table, 2))
    qtbot.waitUntil(lambda: hover.shown, timeout=3000)
    assert hover.neuron == "RIML" == hover.card.card.title
    assert hover.card.card.other == "AVAL"
    assert QApplication.focusWidget() is focus  # it takes no focus
    assert not hover.card.isActiveWindow()
    order = [str(session.recording.neurons.index[i]) for i in traces.order]
    row = order.index("RIML")
    assert np.asarray(traces.hovered.getData()[1]).tolist() == [row, row, row + 1, row + 1, row]
    i = matrix.names.index("RIML") + 0.5
    assert i in np.asarray(matrix.cross.getData()[1])
    qtbot.wait(20)
    rings = np.asarray(work.scene.layers["current"].data)
    assert len(rings) == 2  # the chosen one and that under the mouse
    leave(table)
    qtbot.wait(20)
    assert not hover.shown and hover.neuron == ""
    assert len(work.scene.layers["current"].data) == 1
    assert matrix.cross.getData()[0] is None or not len(matrix.cross.getData()[0])

    # the heatmap: its row is found again in the table
    box = traces.heat_plot.getViewBox()
    point = traces.heat.mapFromScene(box.mapViewToScene(QPointF(20.0, row + 0.5)))
    move(traces.heat.viewport(), point)
    qtbot.waitUntil(lambda: hover.neuron == "RIML", timeout=3000)
    assert neurons.table.delegate.lit == {2}
    leave(traces.heat.viewport())
    assert neurons.table.delegate.lit == frozenset()

    # a cell of the matrix: its two neurons
    a, b = matrix.names.index("RIML"), matrix.names.index("SMDVL")
    box = matrix.plot.getViewBox()
    move(matrix.plot.viewport(), matrix.plot.mapFromScene(box.mapViewToScene(QPointF(b + 0.5, a + 0.5))))
    qtbot.waitUntil(lambda: hover.neuron == "RIML", timeout=3000)
    assert hover.card.card.other == "SMDVL" and "pair factor" in hover.card.card.notes[0]
    leave(matrix.plot.viewport())

    _over_the_worm_and_switched_off(viewer, work, docks, qtbot)


def _over_the_worm_and_switched_off(viewer, work, docks, qtbot) -> None:
    from napari_dynamic_connectome.widgets.viewer.camera import screen_axes

    hover, canvas = work.hover, viewer.window._qt_viewer.canvas.native
    drawn = work.scene.drawn
    right, up, zoom, centre = screen_axes(viewer)
    height, width = viewer.canvas.size
    gap = drawn.positions[drawn.ids.index("AIBL")] - centre
    place = QPoint(round(gap @ right * zoom + width / 2), round(height / 2 - gap @ up * zoom))
    move(canvas, place)
    qtbot.waitUntil(lambda: hover.neuron == "AIBL", timeout=3000)
    picture = hover.card.grab().toImage()
    seen = {
        picture.pixelColor(x, y).name() for x in range(0, picture.width(), 2) for y in range(0, picture.height(), 2)
    }
    assert work.scene.drawn.styles[int(drawn.community[drawn.ids.index("AIBL")])].color in seen
    qtbot.keyClick(canvas, Qt.Key.Key_Shift)
    assert not hover.shown  # whatever is done ends it
    move(canvas, QPoint(3, 3))
    qtbot.wait(20)
    assert not hover.shown and hover.neuron == ""

    check = docks["Neurons"].card_check
    check.setFocus()
    qtbot.keyClick(check, Qt.Key.Key_Space)
    assert not hover.on and work.remembered["hover card"] is False
    move(canvas, place)
    qtbot.wait(30)
    assert not hover.shown and hover.neuron == ""
    qtbot.keyClick(check, Qt.Key.Key_Space)
    move(canvas, place)
    qtbot.waitUntil(lambda: hover.shown, timeout=3000)
    work.session.set_current("worm B")  # another worm: the card is of a neuron that is gone
    assert not hover.shown


def test_a_card_stays_on_the_screen() -> None:
    from qtpy.QtCore import QRect, QSize

    from napari_dynamic_connectome.widgets.qt.hover_card import beside

    room, size = QRect(0, 0, 800, 600), QSize(268, 120)
    for place in (QPoint(5, 5), QPoint(795, 5), QPoint(795, 595), QPoint(400, 590)):
        corner = beside(place, size, room)
        card = QRect(corner, size)
        assert room.contains(card) and not card.contains(place)
