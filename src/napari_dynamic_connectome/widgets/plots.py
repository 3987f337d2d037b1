"""pyqtgraph in the look of the docks, and the marks that all plots over time share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QFont

from ..model.recording import Recording
from .theme import Colours

pg.setConfigOptions(antialias=True, imageAxisOrder="row-major")


def tick_font() -> QFont:
    font = QFont()
    font.setPointSizeF(7.5)
    return font


def plot_widget(**options: Any) -> pg.PlotWidget:
    """Plot without menu, buttons and frame."""
    widget = pg.PlotWidget(**options)
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


def shade(item: pg.PlotItem, spans: list[tuple[float, float]], colour: str, alpha: int = 90) -> list[Any]:
    """Vertical bands behind a plot."""
    fill = QColor(colour)
    fill.setAlpha(alpha)
    added = []
    for start, stop in spans:
        region = pg.LinearRegionItem((start, stop), movable=False, brush=fill, pen=pg.mkPen(None))
        region.setZValue(-20)
        item.addItem(region, ignoreBounds=True)
        added.append(region)
    return added


def stimulus_spans(recording: Recording) -> list[tuple[float, float]]:
    """Return (onset, offset) of every stimulus."""
    return [(float(r.onset), float(max(r.offset, r.onset))) for r in recording.stimuli.itertuples()]


def binary_channel(recording: Recording) -> str | None:
    """Name of the binary behaviour channel to shade: reversals if there are any, else the first."""
    names = [str(n) for n, v in recording.behaviour.data_vars.items() if v.attrs.get("kind") == "binary"]
    return next((n for n in names if "rev" in n.lower()), names[0] if names else None)
