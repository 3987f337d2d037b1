"""Every key of the table under `?` is pressed, in one window, and does what the table says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPointF, Qt
from qtpy.QtWidgets import QApplication, QDialog
from tests.widgets.docks.test_neurons_dock import move
from tests.widgets.helpers import NAMES, fill

from napari_dynamic_connectome.widgets.app.shortcuts import SHORTCUTS, bind

pytestmark = pytest.mark.gui
CONTROL, SHIFT, ALT = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
)


def at(widget: Any) -> bool:
    """Whether a widget has the focus of its window."""
    return widget.window().focusWidget() is widget


class Window:
    """A filled session with all docks, and what the keys are pressed on."""

    def __init__(self, viewer: Any, work: Any, qtbot: Any) -> None:
        from napari_dynamic_connectome.widgets.app.arrange import arrange_windows

        self.viewer, self.work, self.session, self.qtbot = viewer, work, work.session, qtbot
        self.docks = arrange_windows(viewer)
        fill(self.session)
        self.session.set_current("worm A")
        bind(viewer)
        bind(viewer)  # as every dock that is opened does
        viewer.window._qt_window.activateWindow()
        qtbot.waitUntil(viewer.window._qt_window.isActiveWindow, timeout=5000)
        self.canvas = viewer.window._qt_viewer.canvas.native
        self.rest()

    def rest(self) -> None:
        self.qtbot.wait(20)
        self.work.scene.flush()
        for dock in self.docks.values():
            dock.flush()

    def press(self, widget: Any, key: Any, modifier: Any = Qt.KeyboardModifier.NoModifier) -> None:
        widget.setFocus()
        self.qtbot.keyClick(widget, key, modifier)
        self.rest()

    def show(self, title: str) -> Any:
        from napari_dynamic_connectome.widgets.app.arrange import raise_dock

        raise_dock(self.docks[title])
        self.rest()
        return self.docks[title]

    def name_of(self, label: int) -> str:
        table = self.session.recording.neurons
        return str(table.loc[table["label"] == label, "name"].iloc[0])

    # --- the viewer's keys ------------------------------------------------------------------------------------------

    def help(self) -> None:
        # as Qt delivers it: the character with Shift
        self.press(self.canvas, Qt.Key.Key_Question, SHIFT)
        found = [w for w in QApplication.topLevelWidgets() if isinstance(w, QDialog) and w.isVisible()]
        assert [w.windowTitle() for w in found] == ["Keys of Dynamic connectome"]
        self.press(found[0], Qt.Key.Key_Escape)
        assert not found[0].isVisible()

    def arrange(self) -> None:
        self.docks["Traces"].parentWidget().hide()
        self.press(self.canvas, Qt.Key.Key_A, ALT)
        self.qtbot.waitUntil(lambda: not self.work.arranging, timeout=20_000)
        assert self.docks["Traces"].isVisible()

    def name(self) -> None:
        self.session.select(neurons=("AVAL",))
        self.press(self.canvas, Qt.Key.Key_N)
        dock = self.docks["Neurons"]
        assert dock.isVisible() and at(dock.edit) and dock.edit.selectedText() == "AVAL"

    def undo(self) -> None:
        self.session.name_neuron(13, "RIS")
        self.press(self.canvas, Qt.Key.Key_Z, CONTROL)
        assert self.name_of(13) == ""

    def redo(self) -> None:
        self.press(self.canvas, Qt.Key.Key_Z, CONTROL | SHIFT)
        assert self.name_of(13) == "RIS"
        dock = self.show("Neurons")  # the dock's own
        self.press(dock.table, Qt.Key.Key_Z, CONTROL)
        assert self.name_of(13) == ""
        self.press(dock.table, Qt.Key.Key_Z, CONTROL | SHIFT)
        assert self.name_of(13) == "RIS"
        self.session.undo()

    def home(self) -> None:
        self.viewer.dims.ndisplay = 3
        self.work.scene.home()
        wanted = np.asarray(self.viewer.scene.camera.center)
        self.viewer.scene.camera.center = (500.0, 500.0, 500.0)
        self.press(self.canvas, Qt.Key.Key_H)
        np.testing.assert_allclose(self.viewer.scene.camera.center, wanted, atol=1e-6)

    def fly(self) -> None:
        self.session.select(neurons=("RIML",))
        self.press(self.canvas, Qt.Key.Key_F)
        drawn = self.work.scene.drawn
        np.testing.assert_allclose(self.viewer.scene.camera.center, drawn.positions[drawn.ids.index("RIML")], atol=1e-5)

    def colour(self) -> None:
        self.work.view.set(color_by="community")
        self.press(self.canvas, Qt.Key.Key_C)
        assert self.work.view.color_by == "strength"
        self.work.view.set(color_by="community")

    def names(self) -> None:
        for wanted in (False, True):
            self.press(self.canvas, Qt.Key.Key_N, ALT)
            assert self.work.view.names is wanted

    def edges(self) -> None:
        for wanted in (False, True):
            self.press(self.canvas, Qt.Key.Key_E, ALT)
            assert self.work.view.edges is wanted

    def next_community(self) -> None:
        self.session.select(community=None)
        self.press(self.canvas, Qt.Key.Key_J)
        self.press(self.canvas, Qt.Key.Key_J)
        assert self.session.selection.community == 1

    def community_before(self) -> None:
        self.press(self.canvas, Qt.Key.Key_K)
        assert self.session.selection.community == 0

    def component(self) -> None:
        self.press(self.canvas, Qt.Key.Key_J, ALT)
        assert self.session.selection.component == 2
        self.press(self.canvas, Qt.Key.Key_J, ALT)
        assert self.session.selection.component == 1

    def nothing(self) -> None:
        self.session.select(community=1, neurons=("AVAL",))
        self.press(self.canvas, Qt.Key.Key_X, ALT)
        assert (self.session.selection.community, self.session.selection.neurons) == (None, ())

    # --- keys of docks ----------------------------------------------------------------------------------------------

    def letter(self) -> None:
        dock = self.show("Neurons")
        self.session.select(neurons=("#13",))
        self.rest()
        self.press(dock.table, Qt.Key.Key_A)
        assert at(dock.edit) and dock.edit.text().lower() == "a" and dock.options.count() > 1

    def up_down(self) -> None:
        dock = self.docks["Neurons"]
        first = dock.options.currentRow()
        self.press(dock.edit, Qt.Key.Key_Down)
        assert dock.options.currentRow() == first + 1
        self.press(dock.edit, Qt.Key.Key_Up)
        assert dock.options.currentRow() == first

    def escape_name(self) -> None:
        dock = self.docks["Neurons"]
        self.press(dock.edit, Qt.Key.Key_Escape)
        assert at(dock.table) and dock.edit.text() == "" and self.name_of(13) == ""

    def digit(self) -> None:
        self.letter()
        dock = self.docks["Neurons"]
        for key in (Qt.Key.Key_V, Qt.Key.Key_B):  # a digit after fewer letters may be part of a name
            self.press(dock.edit, key)
        wanted = dock.options.item(1).text()
        self.press(dock.edit, Qt.Key.Key_2)
        assert self.name_of(13) == wanted
        assert self.session.selection.neurons == ("#14",)
        self.session.undo()

    def enter_name(self) -> None:
        self.letter()
        dock = self.docks["Neurons"]
        wanted = dock.options.item(0).text()
        self.press(dock.edit, Qt.Key.Key_Return)
        assert self.name_of(13) == wanted and self.session.selection.neurons == ("#14",)
        self.session.undo()

    def swap(self) -> None:
        self.session.select(neurons=("AVAL",))
        self.rest()
        self.press(self.docks["Neurons"].table, Qt.Key.Key_B, CONTROL)
        assert (self.name_of(1), self.name_of(2)) == ("AVAR", "AVAL")
        self.session.undo()

    def reject(self) -> None:
        self.session.select(neurons=("AVAL",))
        self.rest()
        self.press(self.docks["Neurons"].table, Qt.Key.Key_K, CONTROL)
        assert bool(self.session.recording.neurons.loc["AVAL", "rejected"])
        self.session.undo()

    def run(self) -> None:
        started = []
        for title, widget in (("Recording", "extract_button"), ("Cohort", "run_button")):
            dock = self.show(title)
            main = getattr(dock, widget)
            main.clicked.disconnect()
            main.clicked.connect(lambda *_, title=title: started.append(title))
            main.setVisible(True)
            main.setEnabled(True)
            dock.setFocus()
            self.press(main, Qt.Key.Key_Return, CONTROL)
        assert started == ["Recording", "Cohort"]

    def cohort_list(self) -> None:
        dock = self.show("Cohort")
        places = [i for i in range(dock.list.count()) if dock.list.item(i).text().startswith("worm B")]
        dock.list.setCurrentRow(places[0])
        self.press(dock.list, Qt.Key.Key_Return)
        assert self.session.current == "worm B" and at(dock.list)
        self.session.set_current("worm A")
        self.rest()

    def rows(self) -> None:
        dock = self.show("Traces")
        view, widget = dock.heat_plot.getViewBox(), dock.heat.viewport()
        spots = [dock.heat.mapFromScene(view.mapViewToScene(QPointF(20.0, y))) for y in (0.5, 1.5, 2.5)]
        self.qtbot.mousePress(widget, Qt.MouseButton.LeftButton, SHIFT, spots[0])
        for spot in spots[1:]:
            move(widget, spot, SHIFT)
        self.qtbot.mouseRelease(widget, Qt.MouseButton.LeftButton, SHIFT, spots[-1])
        self.rest()
        wanted = [str(self.session.recording.neurons.index[i]) for i in dock.order[:3]]
        assert list(self.session.selection.neurons) == wanted

    def limits(self) -> None:
        dock = self.show("Neurons")
        self.session.select(neurons=("AVAL",))
        self.work.view.set(column="correlation with the chosen neuron", color_by="column")
        self.rest()
        low, high = dock.limits.low, dock.limits.high
        self.press(dock.limits, Qt.Key.Key_Right)
        assert dock.limits.low > low and dock.limits.high == high
        self.press(dock.limits, Qt.Key.Key_Left, SHIFT)
        assert dock.limits.high < high
        self.press(dock.limits, Qt.Key.Key_Home)
        assert (dock.limits.low, dock.limits.high) == (low, high)
        self.work.view.set(color_by="community")

    def escape_communities(self) -> None:
        dock = self.show("Communities")
        self.session.select(community=1)
        self.rest()
        self.press(dock.table, Qt.Key.Key_Escape)
        assert self.session.selection.community is None


DONE = {
    "show this table": Window.help,
    "arrange windows": Window.arrange,
    "name the chosen neuron": Window.name,
    "take the last change of a name back": Window.undo,
    "do it again": Window.redo,
    "home view: fit the worm": Window.home,
    "fly to the chosen neuron": Window.fly,
    "next way to colour": Window.colour,
    "names on and off": Window.names,
    "edges on and off": Window.edges,
    "next community": Window.next_community,
    "community before": Window.community_before,
    "next component": Window.component,
    "choose nothing": Window.nothing,
    "begin to type a name": Window.letter,
    "choose among the names that fit": Window.up_down,
    "assign the name with this number and go on": Window.digit,
    "assign and go on to the next neuron": Window.enter_name,
    "leave the name as it was": Window.escape_name,
    "swap left and right": Window.swap,
    "mark as not a neuron": Window.reject,
    "extract traces; analyze": Window.run,
    "show a worm in the viewer": Window.cohort_list,
    "choose neurons by their rows": Window.rows,
    "move the lower limit, with Shift the upper one; Home puts both back": Window.limits,
    "show all communities": Window.escape_communities,
}


def test_every_key_of_the_table_does_what_it_says(viewer, work, qtbot) -> None:
    assert NAMES[:2] == ["AVAL", "AVAR"]
    assert sorted(DONE) == sorted(s.does for s in SHORTCUTS)
    window = Window(viewer, work, qtbot)
    # typing a name goes on from one key to the next: a letter, the arrows, Escape
    order = [s.does for s in SHORTCUTS]
    order.remove("leave the name as it was")
    order.insert(order.index("choose among the names that fit") + 1, "leave the name as it was")
    wrong = []
    for does in order:
        try:
            DONE[does](window)
        except AssertionError as error:
            wrong.append((does, str(error)[:300]))
    assert not wrong, "\n".join(f"{d}: {t}" for d, t in wrong)
