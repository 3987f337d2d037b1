"""Ribbons of states: one row a worm, coloured by the state that it is in; and how long visits last."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QRectF, Qt, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ...display.short_names import short_names
from ...display.states import ribbon, state_color
from ...model.state_results import StatesResult
from ..qt import plots
from ..qt.theme import Colours

NAME_LETTERS = 12
ROW_PX, AXIS_PX, MOST_PX = 15, 34, 190
BINS = 14


class _Rows(pg.GraphicsObject):
    """All visits of one state, drawn as one item."""

    def __init__(self, boxes: list[tuple[float, float, int]], colour: str, width: float, rows: int) -> None:
        super().__init__()
        self.boxes, self._brush, self._bounds = boxes, pg.mkBrush(colour), QRectF(0, 0, width, rows)

    def boundingRect(self) -> QRectF:
        return self._bounds

    def paint(self, painter: Any, *_: Any) -> None:
        painter.setRenderHint(painter.RenderHint.Antialiasing, False)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._brush)
        for start, stop, row in self.boxes:
            painter.drawRect(QRectF(start, row + 0.08, stop - start, 0.84))


class StateRibbons(QWidget):
    """Worms in rows, time across; a click chooses worm and time.

    Signals
    -------
    clicked(worm, seconds)
    """

    clicked = Signal(str, float)

    def __init__(self) -> None:
        super().__init__()
        self.plot = plots.plot_widget()
        self.plot.setMouseEnabled(True, False)
        self.plot.getPlotItem().invertY(True)
        self._names = plots.RowNames(self.plot.getPlotItem())
        self.plot.setToolTip(
            "The state of every worm over time. A click shows that worm at that time; the wheel zooms."
        )
        self.time_line: Any = None
        self.worms: tuple[str, ...] = ()
        self._items: list[Any] = []
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot)
        self.plot.scene().sigMouseClicked.connect(self._click)

    def show_states(self, states: StatesResult, current: str | None, colours: Colours) -> None:
        """Draw all worms."""
        for item in self._items:
            self.plot.removeItem(item)
        self.plot.setBackground(colours.background)
        plots.paint_axes(self.plot.getPlotItem(), colours)
        self.worms = states.worms
        boxes: dict[int, list[tuple[float, float, int]]] = {}
        last = 0.0
        for row, worm in enumerate(self.worms):
            for state, spans in ribbon(states, worm):
                boxes.setdefault(state, []).extend((a, b, row) for a, b in spans)
                last = max([last, *(b for _, b in spans)])
        self._items = [
            _Rows(found, state_color(state, colours.dark), last, len(self.worms)) for state, found in boxes.items()
        ]
        self.time_line = plots.cursor(colours, movable=False)
        self._items.append(self.time_line)
        for item in self._items:
            self.plot.addItem(item, ignoreBounds=True)
        self.plot.getViewBox().setLimits(xMin=0, xMax=last, yMin=0, yMax=len(self.worms))
        self.plot.setXRange(0, last, padding=0)
        self.plot.setYRange(0, len(self.worms), padding=0)
        short = short_names(self.worms, NAME_LETTERS)
        marks = [(i + 0.5, ("▸ " if w == current else "") + short[i]) for i, w in enumerate(self.worms)]
        axis = self.plot.getAxis("left")
        axis.setStyle(tickLength=0)
        self._names.show(marks)
        self.plot.getAxis("bottom").setLabel("time (s)", color=colours.secondary, **{"font-size": "8pt"})
        self.plot.setFixedHeight(min(ROW_PX * len(self.worms) + AXIS_PX, MOST_PX))

    def show_time(self, time_s: float) -> None:
        """Move the line of the shown time."""
        if self.time_line is not None:
            self.time_line.setValue(time_s)

    def _click(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton or not self.worms:
            return
        point = self.plot.getViewBox().mapSceneToView(event.scenePos())
        row = int(np.floor(point.y()))
        if 0 <= row < len(self.worms):
            self.clicked.emit(self.worms[row], float(point.x()))


class DwellPlot(QWidget):
    """How long visits of every state last, as steps on a logarithmic axis."""

    def __init__(self) -> None:
        super().__init__()
        self.plot = plots.plot_widget()
        self.plot.setMouseEnabled(False, False)
        self.plot.setFixedHeight(110)
        self.plot.setLogMode(True, False)
        self.plot.setToolTip("Number of visits by their duration, in the colours of the states.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot)
        self.curves: list[Any] = []

    def show_states(self, states: StatesResult, colours: Colours) -> None:
        """Draw the visits of all worms."""
        for item in self.curves:
            self.plot.removeItem(item)
        self.plot.setBackground(colours.background)
        plots.paint_axes(self.plot.getPlotItem(), colours)
        visits = states.visits()
        longest = max(float(visits["seconds"].max()), 2 / states.rate_hz)
        edges = np.geomspace(0.9 / states.rate_hz, longest * 1.01, BINS + 1)
        self.curves, most = [], 1
        for state in states.posterior["state"].values.tolist():
            count = np.histogram(visits.loc[visits["state"] == state, "seconds"], edges)[0]
            most = max(most, int(count.max()))
            curve = pg.PlotDataItem(
                edges, count, stepMode="center", pen=pg.mkPen(state_color(int(state), colours.dark), width=1.5)
            )
            self.plot.addItem(curve)
            self.curves.append(curve)
        self.plot.setXRange(float(np.log10(edges[0])), float(np.log10(edges[-1])), padding=0.01)
        self.plot.setYRange(0, most * 1.05, padding=0)
        for name, text in (("bottom", "duration of a visit (s)"), ("left", "visits")):
            self.plot.getAxis(name).setLabel(text, color=colours.secondary, **{"font-size": "8pt"})
