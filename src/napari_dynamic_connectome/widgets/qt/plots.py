"""Plots in the style of the docks (pyqtgraph), and the marks that all plots over time share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QFont

from ...model.recording import Recording
from .theme import Colours

pg.setConfigOptions(antialias=True, imageAxisOrder="row-major")

ROW_NAME_PX = 13
"""Height that the name of a row needs."""


def tick_font() -> QFont:
    font = QFont()
    font.setPointSizeF(7.5)
    return font


def plot_widget(**options: Any) -> pg.PlotWidget:
    """Plot without menu, buttons and frame."""
    widget = pg.PlotWidget(enableMenu=False, **options)  # menus would be made and switched off
    quiet(widget.getPlotItem())
    widget.setFrameShape(widget.Shape.NoFrame)
    widget.setMinimumSize(60, 40)
    return widget


def quiet(item: pg.PlotItem) -> pg.PlotItem:
    """Switch off menus and buttons; no padding."""
    item.setMenuEnabled(False)
    item.hideButtons()
    item.getViewBox().setDefaultPadding(0)
    for name in ("left", "bottom"):
        axis = item.getAxis(name)
        axis.setStyle(tickFont=tick_font(), tickLength=-3, maxTickLevel=0)
    return item


def paint_axes(item: pg.PlotItem, colours: Colours) -> None:
    """Give axes the theme's colours."""
    for name in ("left", "bottom"):
        axis = item.getAxis(name)
        axis.setPen(pg.mkPen(colours.hairline))
        axis.setTextPen(pg.mkPen(colours.secondary))
    item.getViewBox().setBackgroundColor(QColor(colours.well))


def cursor(colours: Colours, movable: bool = True) -> pg.InfiniteLine:
    """Vertical line of the shown time."""
    line = pg.InfiniteLine(angle=90, movable=movable, pen=pg.mkPen(colours.accent, width=1.5))
    line.setZValue(50)
    if movable:
        line.setCursor(Qt.CursorShape.SplitHCursor)
    return line


def intervals(values: np.ndarray, time: np.ndarray) -> list[tuple[float, float]]:
    """Return (start, stop) in seconds where a binary channel is on."""
    on = np.nan_to_num(np.asarray(values, float)) > 0.5
    edges = np.flatnonzero(np.diff(np.concatenate(([0], on.astype(int), [0]))))
    step = float(np.median(np.diff(time))) if len(time) > 1 else 1.0
    return [(float(time[a]), float(time[b - 1] + step)) for a, b in edges.reshape(-1, 2)]


class Bands(pg.GraphicsObject):
    """Vertical bands over the whole height of a plot, drawn as one item."""

    def __init__(self, spans: list[tuple[float, float]], colour: str, alpha: int) -> None:
        super().__init__()
        self._alpha, self._colour = alpha, ""
        self.spans: list[tuple[float, float]] = []
        self.setZValue(-20)
        self.set_spans(spans, colour)

    def set_spans(self, spans: list[tuple[float, float]], colour: str) -> None:
        """Show other times, or another colour."""
        wanted = [(float(a), float(b)) for a, b in spans]
        if (wanted, colour) == (self.spans, self._colour):
            return
        self.prepareGeometryChange()
        fill = QColor(colour)
        fill.setAlpha(self._alpha)
        self.spans, self._colour, self._brush = wanted, colour, pg.mkBrush(fill)
        self.update()

    def boundingRect(self) -> QRectF:
        if not self.spans or self.getViewBox() is None:
            return QRectF()
        view = self.viewRect()
        left, right = min(a for a, _ in self.spans), max(b for _, b in self.spans)
        return QRectF(left, view.top(), max(right - left, 1e-9), view.height())

    def viewRangeChanged(self, *_: Any) -> None:
        self.prepareGeometryChange()
        self.update()

    def paint(self, painter: Any, *_: Any) -> None:
        view = self.viewRect()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._brush)
        for start, stop in self.spans:
            if stop >= view.left() and start <= view.right():
                painter.drawRect(QRectF(start, view.top(), max(stop - start, 1e-9), view.height()))


class Marks(pg.GraphicsObject):
    """Rectangles of given height, drawn as one item."""

    def __init__(self, spans: list[tuple[float, float]], low: float, high: float, colour: str) -> None:
        super().__init__()
        self.spans, self.low, self.high = spans, low, high
        self._colour, self._brush = colour, pg.mkBrush(colour)

    def set_spans(self, spans: list[tuple[float, float]], colour: str) -> None:
        """Show other times, or another colour."""
        if (spans, colour) == (self.spans, self._colour):
            return
        self.prepareGeometryChange()
        self.spans, self._colour, self._brush = spans, colour, pg.mkBrush(colour)
        self.update()

    def boundingRect(self) -> QRectF:
        if not self.spans:
            return QRectF()
        left, right = min(a for a, _ in self.spans), max(b for _, b in self.spans)
        return QRectF(left, self.low, max(right - left, 1e-9), self.high - self.low)

    def paint(self, painter: Any, *_: Any) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._brush)
        for start, stop in self.spans:
            painter.drawRect(QRectF(start, self.low, max(stop - start, 1e-9), self.high - self.low))


def shade(item: pg.PlotItem, spans: list[tuple[float, float]], colour: str, alpha: int = 90) -> list[Any]:
    """Vertical bands behind a plot."""
    if not spans:
        return []
    bands = Bands(spans, colour, alpha)
    item.addItem(bands, ignoreBounds=True)
    return [bands]


def envelope(
    time: np.ndarray, values: np.ndarray, low: float, high: float, columns: int
) -> tuple[np.ndarray, np.ndarray]:
    """Curves (time, curve) between two times, at most two points a pixel column: the least and the largest value there.

    The drawn line is the same as with all points, but takes a fraction of the time.
    """
    first = max(int(np.searchsorted(time, low)) - 1, 0)
    last = min(int(np.searchsorted(time, high)) + 1, len(time))
    time, values = time[first:last], values[first:last]
    if len(time) <= 2 * columns or columns < 1:
        return time, values
    edges = np.unique(np.linspace(0, len(time), columns + 1).astype(int)[:-1])
    least, most = np.fmin.reduceat(values, edges, axis=0), np.fmax.reduceat(values, edges, axis=0)
    rises = values[np.append(edges[1:], len(time)) - 1] >= values[edges]
    pairs = np.stack([np.where(rises, least, most), np.where(rises, most, least)], axis=1)
    return np.repeat(time[edges], 2), pairs.reshape(-1, values.shape[1])


def stimulus_spans(recording: Recording) -> list[tuple[float, float]]:
    """Return (onset, offset) of every stimulus."""
    return [(float(r.onset), float(max(r.offset, r.onset))) for r in recording.stimuli.itertuples()]


def binary_channel(recording: Recording) -> str | None:
    """Name of the binary behaviour channel to shade: reversals if there are any, else the first."""
    names = [str(n) for n, v in recording.behaviour.data_vars.items() if v.attrs.get("kind") == "binary"]
    return next((n for n in names if "rev" in n.lower()), names[0] if names else None)


class RowNames:
    """Names of rows at the left of a plot: as many as have room, now and whenever its height changes.

    Parameters
    ----------
    item : pyqtgraph.PlotItem
        Its rows fill its height.
    """

    def __init__(self, item: Any) -> None:
        self._item = item
        self._ticks: list[tuple[float, str]] = []
        item.getViewBox().sigResized.connect(self._place)

    def show(self, ticks: Sequence[tuple[float, str]]) -> None:
        """Name rows.

        Parameters
        ----------
        ticks : sequence of (float, str)
            Middle of every row, and its name, in their order.
        """
        self._ticks = list(ticks)
        self._place()

    def _place(self, *_: Any) -> None:
        every = max(1, math.ceil(len(self._ticks) * ROW_NAME_PX / max(self._item.getViewBox().height(), ROW_NAME_PX)))
        self._item.getAxis("left").setTicks([self._ticks[every // 2 :: every]])  # the first has room above it, too
