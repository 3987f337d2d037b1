"""The tutorial of the README as a user does it, with mouse and keyboard events, and what the GUI thread needed for every step.

`Watch` sums the CPU time of the main thread in every turn of the event loop and in every action, so that a busy machine does
not count; the time in which the canvas is drawn is kept apart: on a machine without a graphics card that is the driver's.
"""

from __future__ import annotations

import gc
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QAbstractEventDispatcher, QEventLoop, QPoint, QPointF, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

LEFT = Qt.MouseButton.LeftButton


class Watch:
    """CPU time of the main thread from one wait of the event loop to the next.

    Without the drawing of the canvas, and without the interpreter's collections of all garbage: these take a third of a second for
    what napari and the tests hold, and come in whatever step, and thread, happens to make the next object.
    """

    def __init__(self, viewer: Any) -> None:
        self.turns: list[tuple[float, str]] = []
        """Milliseconds and the step of the tour in which they were used."""
        self.drawing: list[float] = []
        self.step = "start"
        self._begin: float | None = None
        self._drawn = 0.0
        self._draw_begin: float | None = None
        self._collect_begin: float | None = None
        self._dispatcher = QAbstractEventDispatcher.instance()
        # Waiting costs no CPU time; timers run after the wait, before the loop says that it is awake.
        self._dispatcher.aboutToBlock.connect(self._next)
        self._canvas = viewer.window._qt_viewer.canvas._scene_canvas
        self._canvas.events.draw.connect(self._before_draw, position="first")
        self._canvas.events.draw.connect(self._after_draw, position="last")
        gc.callbacks.append(self._collecting)

    def stop(self) -> None:
        """Let go."""
        self._dispatcher.aboutToBlock.disconnect(self._next)
        self._canvas.events.draw.disconnect(self._before_draw)
        self._canvas.events.draw.disconnect(self._after_draw)
        gc.callbacks.remove(self._collecting)

    def _collecting(self, phase: str, about: dict[str, int]) -> None:
        """A collection begins or ends; one of the young objects, as our own steps ask for, counts, and what is drawn is out already."""
        if about["generation"] < 2 or threading.current_thread() is not threading.main_thread():
            return
        if phase == "start":
            self._collect_begin = time.thread_time() if self._draw_begin is None else None
        elif self._collect_begin is not None:
            self._drawn += (time.thread_time() - self._collect_begin) * 1e3
            self._collect_begin = None

    def _next(self) -> None:
        """One turn ends, another begins."""
        if self._begin is not None:
            now = time.thread_time()
            self.turns.append(((now - self._begin) * 1e3 - self._drawn, self.step))
            self._begin, self._drawn = now, 0.0

    def _before_draw(self, event: Any = None) -> None:
        self._draw_begin = time.thread_time()

    def _after_draw(self, event: Any = None) -> None:
        if self._draw_begin is None:
            return
        used = (time.thread_time() - self._draw_begin) * 1e3
        self._draw_begin = None
        self._drawn += used
        self.drawing.append(used)

    @contextmanager
    def _watched(self) -> Any:
        """What is done here counts; what a test itself does in between does not."""
        self._begin, self._drawn = time.thread_time(), 0.0
        try:
            yield
        finally:
            self._next()
            self._begin = None

    @contextmanager
    def act(self, step: str) -> Any:
        """An action of the user: what it does at once counts like a turn."""
        self.step = step
        with self._watched():
            yield

    def wait(self, seconds: float) -> None:
        """Run the event loop for a time; one that may wait, so that it says where a turn ends."""
        loop = QEventLoop()
        QTimer.singleShot(int(seconds * 1000), loop.quit)
        with self._watched():
            loop.exec()

    def worst(self) -> dict[str, float]:
        """Longest turn of every step, in milliseconds."""
        found: dict[str, float] = {}
        for used, step in self.turns:
            found[step] = max(found.get(step, 0.0), used)
        return found


class Tour:
    """Drives the docks of a viewer.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Any) -> None:
        from napari_dynamic_connectome.widgets.workspace.workspace import workspace_of

        self.viewer = viewer
        self.work = workspace_of(viewer)
        self.session = self.work.session
        self.docks: dict[str, Any] = {}
        self.watch = Watch(viewer)
        self.clicks = 0

    def cost_of_a_layer(self) -> float:
        """CPU time (ms) in which napari adds a small layer of points with texts; median of three, after a first one."""
        used = []
        for number in range(4):
            begin = time.thread_time()
            layer = self.viewer.add_points(np.zeros((30, 3)), text={"string": ["name"] * 30}, name="cost")
            used.append((time.thread_time() - begin) * 1e3)
            self.viewer.layers.remove(layer)
            if number == 0:
                used.clear()
        return float(np.median(used))

    # --- events -----------------------------------------------------------------------------------------------------

    def rest(self, seconds: float = 0.15) -> None:
        """Let the event loop run for a time, and until nothing waits to be drawn."""
        self.watch.wait(seconds)
        end = time.monotonic() + 20
        while self.work.scheduler.busy and time.monotonic() < end:
            self.watch.wait(0.01)

    def until(self, what: Any, seconds: float = 240.0) -> None:
        """Run the event loop until something holds."""
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, f"waited {seconds:.0f} s in step '{self.watch.step}'"
            self.watch.wait(0.02)
        self.rest()

    def finish(self) -> None:
        """Wait for what runs in the background."""
        self.until(lambda: not self.work.jobs.running)

    def click(self, widget: Any, step: str, place: QPoint | None = None, *, double: bool = False) -> None:
        """Click on a widget."""
        self.clicks += 1
        with self.watch.act(step):
            target = widget.viewport() if hasattr(widget, "viewport") else widget
            act = QTest.mouseDClick if double else QTest.mouseClick
            if place is None:
                act(target, LEFT)
            else:
                act(target, LEFT, Qt.KeyboardModifier.NoModifier, place)
        self.rest()

    def tab(self, title: str) -> Any:
        """Click on the tab of a dock."""
        from qtpy.QtWidgets import QTabBar

        dock = self.docks[title]
        for bar in dock.window().findChildren(QTabBar):
            names = [bar.tabText(i) for i in range(bar.count())]
            if title in names and bar.currentIndex() == names.index(title):
                return dock  # in front already
            if title in names:
                self.click(bar, f"tab {title}", bar.tabRect(names.index(title)).center())
                return dock
        return dock

    def row(self, table: Any, place: int, step: str) -> None:
        """Click on a row of a table."""
        index = table.model().index(place, 1)
        table.scrollTo(index)
        self.click(table, step, table.visualRect(index).center())

    def keys(self, widget: Any, text: str, step: str) -> None:
        """Type; a trailing newline is Enter."""
        with self.watch.act(step):
            QTest.keyClicks(widget, text.rstrip("\n"))
            if text.endswith("\n"):
                QTest.keyClick(widget, Qt.Key.Key_Return)
        self.rest()

    def key(self, widget: Any, key: Any, step: str, modifier: Any = Qt.KeyboardModifier.NoModifier) -> None:
        """Press one key."""
        with self.watch.act(step):
            QTest.keyClick(widget, key, modifier)
        self.rest()

    # --- the tutorial -----------------------------------------------------------------------------------------------

    def arrange(self) -> None:
        """Plugins > Dynamic connectome > Arrange windows: all docks."""
        from napari_dynamic_connectome.widgets.app.arrange import open_docks
        from napari_dynamic_connectome.widgets.app.contributions import arrange

        with self.watch.act("arrange windows"):
            arrange(self.viewer)
        self.rest()
        self.docks = open_docks(self.viewer)

    def open_sample(self) -> None:
        """File > Open Sample > Simulated worm."""
        with self.watch.act("open the sample"):
            self.viewer.open_sample("napari-dynamic-connectome", "simulated_worm")
        self.finish()

    def extract(self) -> Any:
        """Press Extract traces."""
        dock = self.tab("Recording")
        self.until(lambda: dock.image.count() and dock.labels.count(), 30)
        self.click(dock.extract_button, "extract")
        self.finish()
        return self.session.recording

    def name_neurons(self, names: list[str]) -> list[int]:
        """Click rows of the table and type names; return the labels of the neurons."""
        dock = self.tab("Neurons")
        labels = []
        for place, name in enumerate(names):
            self.row(dock.table, place, "choose a neuron")
            labels.append(int(self.session.recording.neurons.loc[self.session.selection.neurons[0], "label"]))
            dock.edit.setFocus()
            dock.edit.selectAll()
            self.keys(dock.edit, f"{name}\n", "name a neuron")
        return labels

    def undo(self) -> None:
        """Ctrl+Z in the Neurons dock."""
        dock = self.docks["Neurons"]
        dock.table.setFocus()
        self.key(dock.table, Qt.Key.Key_Z, "undo", Qt.KeyboardModifier.ControlModifier)

    def add_sample_cohort(self) -> None:
        """Press Add sample cohort."""
        dock = self.tab("Cohort")
        self.click(dock.add_sample, "add the sample cohort")
        self.finish()

    def analyze(self) -> None:
        """Press Analyze."""
        dock = self.tab("Cohort")
        self.click(dock.run_button, "analyze")
        self.finish()

    def pick_rank(self, rank: int) -> None:
        """Click a rank in the plot of the sweep."""
        dock = self.tab("Components")
        if not dock.sweep_fold.head.isChecked():
            self.click(dock.sweep_fold.head, "open the sweep")
        plot = dock.sweep_view.errors
        area = _scroll_area(dock)
        area.ensureWidgetVisible(plot)
        self.rest()
        box = plot.getViewBox()
        low, high = box.viewRange()[1]
        spot = plot.mapFromScene(box.mapViewToScene(QPointF(rank, (low + high) / 2)))
        self.click(plot, "pick a rank", QPoint(int(spot.x()), int(spot.y())))
        self.finish()

    def pick_component(self, number: int) -> None:
        """Click a card."""
        dock = self.tab("Components")
        card = dock.cards[number - 1]
        _scroll_area(dock).ensureWidgetVisible(card)
        self.rest()
        self.click(card, "pick a component")

    def pick_community(self, place: int = 0) -> int:
        """Click a row of the communities' table; return the community."""
        dock = self.tab("Communities")
        self.row(dock.table, place, "pick a community")
        return int(self.session.selection.community)

    def change_level(self, key: Any = Qt.Key.Key_Left) -> None:
        """Move the level slider by a key."""
        slider = self.docks["Communities"].level
        slider.setFocus()
        self.key(slider, key, "change the level")

    def scrub(self, shares: tuple[float, ...] = (0.1, 0.35, 0.6, 0.85)) -> list[np.ndarray]:
        """Drag napari's time slider; return the neurons' colours at every stop."""
        slider = self.time_slider()
        colours = []
        for share in shares:
            with self.watch.act("scrub the time"):
                slider.setSliderPosition(int(share * slider.maximum()))
            self.rest(0.05)
            colours.append(np.asarray(self.work.scene.layers["neurons"].face_color).copy())
        self.rest(0.4)
        return colours

    def time_slider(self) -> Any:
        """napari's own slider of the first axis."""
        from qtpy.QtWidgets import QScrollBar

        found = [
            w
            for w in self.docks["Traces"].window().findChildren(QScrollBar)
            if type(w).__name__ == "_ModifiedScrollBar"
        ]
        shown = [w for w in found if w.isVisible() and w.maximum() > 0]
        return max(shown, key=lambda w: w.maximum())

    def export(self, button: str, path: Path, dialog: Any) -> Path:
        """Press a button of the Export dock; `dialog(path)` makes the file dialogs answer with this path."""
        dialog(path)
        dock = self.tab("Export")
        _scroll_area(dock).ensureWidgetVisible(dock.buttons[button])
        self.rest()
        self.click(dock.buttons[button], f"export {button}")
        self.finish()
        return path

    def close(self) -> None:
        """End the watch."""
        self.watch.stop()

    # --- looking ----------------------------------------------------------------------------------------------------

    def pixels_of(self, neuron: str) -> np.ndarray:
        """Colour at the place of a neuron in a screenshot of the canvas, median of the 3 x 3 pixels around it."""
        scene, viewer = self.work.scene, self.viewer
        picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(float) / 255
        x, y = self.screen_place(neuron)
        height, width = viewer.canvas.size
        column = round(x / width * picture.shape[1])
        line = round(y / height * picture.shape[0])
        assert scene.drawn is not None
        return np.median(picture[line - 1 : line + 2, column - 1 : column + 2].reshape(9, 3), axis=0)

    def screen_place(self, neuron: str) -> tuple[float, float]:
        """Pixel (x, y) of a neuron on the canvas."""
        from napari_dynamic_connectome.widgets.viewer.camera import screen_axes

        scene = self.work.scene
        right, up, zoom, centre = screen_axes(self.viewer)
        height, width = self.viewer.canvas.size
        gap = scene.drawn.positions[scene.drawn.ids.index(neuron)] - centre
        return float(gap @ right * zoom + width / 2), float(height / 2 - gap @ up * zoom)

    def uncovered(self, community: int | None = None, *, bare: bool = False) -> list[str]:
        """Neurons (of a community) that no other neuron, name or line covers on the canvas, by their places on it.

        With `bare`, names and lines are off: then only discs can cover each other, and those are as wide as they are drawn.
        """
        drawn = self.work.scene.drawn
        places = {n: np.array(self.screen_place(n)) for n, s in zip(drawn.ids, drawn.shown, strict=True) if s}
        zoom = float(self.viewer.scene.camera.zoom)
        radius = dict(zip(drawn.ids, np.asarray(self.work.scene.layers["neurons"].size) / 2, strict=True))
        found = []
        for index, neuron in enumerate(drawn.ids):
            if not drawn.shown[index] or (community is not None and drawn.community[index] != community):
                continue
            others = [n for n in places if n != neuron]
            gaps = np.array([np.hypot(*(places[neuron] - places[n])) for n in others])
            needed = (radius[neuron] + np.array([radius[n] for n in others])) * zoom + 3 if bare else 5.5 * zoom
            if (gaps > needed).all():
                found.append(neuron)
        return found


def _scroll_area(dock: Any) -> Any:
    from qtpy.QtWidgets import QScrollArea

    return dock.findChild(QScrollArea)


def small_samples(monkeypatch: Any) -> None:
    """Samples of the same kind as the shipped ones, but small, and settings that are quick."""
    from napari_dynamic_connectome.simulation import samples

    monkeypatch.setattr(
        samples,
        "_WORM",
        {"n_neurons": 30, "missing": 0.0, "unnamed": 0.2, "duration_s": 60.0, "rate_hz": 2.0, "stimulus_s": 10.0},
    )
    monkeypatch.setattr(
        samples,
        "_VOLUME",
        {"n_z": 12, "n_y": 72, "n_x": 160, "voxel_z_um": 3.0, "voxel_y_um": 0.9, "voxel_x_um": 0.9, "label_size": 0.9},
    )
    monkeypatch.setattr(samples, "_COHORT", {"n_worms": 3, "n_neurons": 36, "duration_s": 80.0, "rate_hz": 2.0})


def quick_settings(docks: dict[str, Any]) -> None:
    """Settings of the analysis for a test of seconds."""
    from napari_dynamic_connectome.communities.settings import CommunitySettings
    from napari_dynamic_connectome.pipeline.settings import RankSettings

    forms = docks["Cohort"].forms
    forms["rank"].set_value(RankSettings(smallest=1, largest=3, starts=2, folds=2))
    forms["communities"].set_value(CommunitySettings(samples=10, null_fits=0, starts=1, rounds=2))


def end(application: QApplication | None = None) -> None:
    """Let deferred deletions happen."""
    for _ in range(3):
        QTest.qWait(10)
