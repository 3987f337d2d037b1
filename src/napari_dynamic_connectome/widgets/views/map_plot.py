"""Map of the neurons as dots in a plane, to choose several with a lasso or a box."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from ...model.recording import Recording
from ..qt import plots
from ..qt.controls import label, row
from ..qt.theme import Colours

PLANES = ("x, y", "x, z", "y, z", "SNR, size")
FEWEST = 3


def inside(points: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """Which points (n, 2) lie inside a closed outline (m, 2); even-odd rule."""
    if len(outline) < FEWEST:
        return np.zeros(len(points), bool)
    x, y = points[:, :1], points[:, 1:]
    x0, y0 = outline.T
    x1, y1 = np.roll(outline, -1, axis=0).T
    crosses = (y0 > y) != (y1 > y)
    with np.errstate(divide="ignore", invalid="ignore"):
        at = x0 + (y - y0) * (x1 - x0) / (y1 - y0)
    return np.asarray((crosses & (x < at)).sum(axis=1) % 2 == 1)


class _Draw(pg.ViewBox):
    """View in which the left button draws an outline instead of moving the view."""

    def __init__(self, owner: MapPlot) -> None:
        super().__init__(enableMenu=False, defaultPadding=0.06)
        self.owner = owner

    def mouseDragEvent(self, event: Any, axis: Any = None) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            super().mouseDragEvent(event, axis)
            return
        event.accept()
        start = self.mapToView(event.buttonDownPos())
        here = self.mapToView(event.pos())
        more = bool(event.modifiers() & (Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.ControlModifier))
        self.owner.drag((start.x(), start.y()), (here.x(), here.y()), event.isStart(), event.isFinish(), more)

    def mouseClickEvent(self, event: Any) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            point = self.mapToView(event.pos())
            more = bool(event.modifiers() & (Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.ControlModifier))
            self.owner.click((point.x(), point.y()), more)
            event.accept()


class MapPlot(QWidget):
    """Scatter plot of the neurons.

    Parameters
    ----------
    choose : callable (neuron ids, add)
        Called when neurons were chosen; `add`: to those that are chosen already.
    """

    def __init__(self, choose: Callable[[list[str], bool], Any]) -> None:
        super().__init__()
        self._choose = choose
        self.plane = QComboBox()
        self.plane.addItems(PLANES)
        self.plane.setToolTip(
            "What the dots show: positions in µm seen from a side, or signal-to-noise ratio against size in voxels. Default: x, y."
        )
        self.plane.currentIndexChanged.connect(lambda *_: self._draw())
        self.shape = QComboBox()
        self.shape.addItems(["lasso", "box"])
        self.shape.setToolTip(
            "Dragging in the plot draws a lasso or a box; the neurons inside are chosen. With Shift they are added. Default: lasso."
        )
        self.text = label("drag to choose, Shift adds", "secondary")
        self.view = _Draw(self)
        self.plot = pg.PlotWidget(viewBox=self.view, enableMenu=False)
        plots.quiet(self.plot.getPlotItem())
        self.plot.setFrameShape(self.plot.Shape.NoFrame)
        self.plot.setFixedHeight(150)
        self.plot.setToolTip("Every dot is a neuron. Drag: lasso or box. Click: one neuron. Wheel: zoom.")
        self.dots = pg.ScatterPlotItem(size=7, pen=None)
        self.outline = pg.PlotCurveItem()
        self.plot.addItem(self.dots)
        self.plot.addItem(self.outline, ignoreBounds=True)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(3)
        box.addLayout(row(self.plane, self.shape, self.text))
        box.addWidget(self.plot)
        self.points = np.zeros((0, 2))
        self._recording: Recording | None = None
        self._path: list[tuple[float, float]] = []
        self._colours: Colours | None = None
        self._shown: Any = None
        self._chosen: set[str] = set()
        self._fills: Any = None

    def show_recording(self, recording: Recording, chosen: set[str], fills: Any, colours: Colours) -> None:
        """Draw the neurons; `fills` are colours (neuron, 3) or None."""
        self._recording, self._chosen, self._fills, self._colours = recording, chosen, fills, colours
        if self.isVisible():
            self._draw()

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self._draw()

    def _values(self, recording: Recording) -> tuple[np.ndarray, tuple[str, str]]:
        names = self.plane.currentText().split(", ")
        if names[0] == "SNR":
            table = recording.quality
            n = np.full(recording.n_neurons, np.nan)
            snr = n if table is None or "snr" not in table else table["snr"].to_numpy(float)
            size = recording.traces.coords["n_voxels"].values if "n_voxels" in recording.traces.coords else n
            return np.column_stack([snr, np.asarray(size, float)]), ("SNR", "voxels")
        table = recording.neurons
        return table[names].to_numpy(float), (f"{names[0]} (µm)", f"{names[1]} (µm)")

    def _draw(self) -> None:
        recording, c = self._recording, self._colours
        if recording is None or c is None:
            return
        self.points, titles = self._values(recording)
        item = self.plot.getPlotItem()
        self.plot.setBackground(c.well)
        plots.paint_axes(item, c)
        for side, title in zip(("bottom", "left"), titles, strict=True):
            item.getAxis(side).setLabel(title, color=c.secondary, **{"font-size": "8pt"})
        good = np.isfinite(self.points).all(axis=1)
        ids = [str(i) for i in recording.neurons.index]
        picked = np.array([i in self._chosen for i in ids])
        fills = np.tile([0.6, 0.62, 0.66], (len(ids), 1)) if self._fills is None else np.asarray(self._fills)[:, :3]
        order = np.concatenate([np.flatnonzero(good & ~picked), np.flatnonzero(good & picked)])
        self.dots.setData(
            x=self.points[order, 0],
            y=self.points[order, 1],
            brush=[pg.mkBrush(*(np.clip(fills[i], 0, 1) * 255).astype(int)) for i in order],
            pen=[pg.mkPen(c.accent, width=2) if picked[i] else pg.mkPen(None) for i in order],
            size=[10 if picked[i] else 7 for i in order],
        )
        self.outline.setPen(pg.mkPen(c.accent, width=1.5))
        self.text.setText(
            "no values to show here"
            if not good.any()
            else (f"{int(picked.sum())} chosen" if picked.any() else "drag to choose, Shift adds")
        )
        key = (recording.name, self.plane.currentText(), recording.n_neurons)
        if good.any() and key != self._shown:
            self._shown = key
            item.getViewBox().invertY(self.plane.currentText() == "x, y")
            self.view.autoRange()

    # --- choosing ---------------------------------------------------------------------------------------------------

    def drag(self, start: tuple[float, float], here: tuple[float, float], first: bool, last: bool, more: bool) -> None:
        """Draw the outline; at the end choose what is inside."""
        if self.shape.currentIndex() == 1:
            self._path = [start, (here[0], start[1]), here, (start[0], here[1])]
        else:
            self._path = [start, here] if first else [*self._path, here]
        closed = np.array([*self._path, self._path[0]])
        self.outline.setData(closed[:, 0], closed[:, 1])
        if last:
            self.outline.setData([], [])
            found = inside(self.points, np.array(self._path))
            self._path = []
            self._tell(found, more)

    def click(self, point: tuple[float, float], more: bool) -> None:
        """Choose the neuron at a point, if there is one within eight pixels."""
        width, height = self.view.viewPixelSize()
        gap = (self.points - point) / [max(width, 1e-12), max(height, 1e-12)]
        distance = np.nan_to_num(np.hypot(*gap.T), nan=np.inf)
        if len(distance) and distance.min() <= 8:
            found = np.zeros(len(distance), bool)
            found[int(distance.argmin())] = True
            self._tell(found, more)

    def _tell(self, found: np.ndarray, more: bool) -> None:
        if self._recording is not None and found.any():
            self._choose([str(i) for i in self._recording.neurons.index[found]], more)
