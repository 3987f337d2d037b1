"""Panning 300 neurons x 4,000 time points: heatmap and fourteen stacked traces as the dock draws them, against everything drawn.

Run on a screen: `bash tools/with_screen.sh python tests/benchmarks/bench_traces.py`. Both sides take turns in one process; CPU time
of changing the view and painting it, without napari's window (with software rendering of OpenGL that costs more than the plots).
"""

from __future__ import annotations

import time

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QRectF
from qtpy.QtWidgets import QApplication

from napari_dynamic_connectome.widgets.qt import plots
from napari_dynamic_connectome.widgets.views.heatmap import Heatmap

NEURONS, TIMES, STACKED, STEPS = 300, 4000, 14, 60
RATE = 4.0
SIZE = (900, 330)


def ramp() -> np.ndarray:
    """Return a grey ramp (256, RGBA)."""
    grey = np.arange(256, dtype=np.uint8)
    return np.stack([grey, grey, grey, np.full(256, 255, np.uint8)], axis=1)


class Window:
    """Heatmap over stacked traces with one time axis."""

    def __init__(self, index: np.ndarray, z: np.ndarray, lean: bool) -> None:
        self.lean, self.z, self.time = lean, z, np.arange(TIMES) / RATE
        self.widget = pg.GraphicsLayoutWidget()
        self.widget.resize(*SIZE)
        self.heat = plots.quiet(self.widget.addPlot(row=0, col=0))
        self.stack = plots.quiet(self.widget.addPlot(row=1, col=0))
        self.stack.setXLink(self.heat)
        self.view = self.heat.getViewBox()
        self.image = Heatmap() if lean else pg.ImageItem()
        self.heat.addItem(self.image)
        if lean:
            self.image.set_rows(index, 0.0, 1 / RATE, ramp()[None], np.zeros(len(index), int))
        else:
            self.image.setImage(ramp()[index], autoLevels=False, levels=None)
            self.image.setRect(QRectF(0, 0, TIMES / RATE, len(index)))
        width = 1.0 if lean else 1.2
        self.curves = [pg.PlotCurveItem(pen=pg.mkPen("w", width=width), connect="finite") for _ in range(STACKED)]
        for place, curve in enumerate(self.curves):
            self.stack.addItem(curve)
            if not lean:
                curve.setData(self.time, z[:, place] - 4 * place)
        self.heat.setYRange(0, len(index), padding=0)
        self.stack.setYRange(-4 * STACKED, 5, padding=0)
        self.widget.show()

    def show(self, low: float, high: float) -> float:
        """Show these times; returns CPU seconds."""
        before = time.process_time()
        self.heat.setXRange(low, high, padding=0)
        if self.lean:
            columns = int(self.view.width())
            self.image.draw(low, high, columns)
            shown, values = plots.envelope(self.time, self.z[:, :STACKED], low, high, columns)
            for place, curve in enumerate(self.curves):
                curve.setData(shown, values[:, place] - 4 * place)
        self.widget.viewport().repaint()
        return time.process_time() - before


def main() -> None:
    """Run and print."""
    app = QApplication.instance() or QApplication([])
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(size=(TIMES, NEURONS)), axis=0) * 0.1 + rng.normal(size=(TIMES, NEURONS))
    z = (walk - walk.mean(axis=0)) / walk.std(axis=0)
    index = np.ascontiguousarray(np.round(np.clip((z.T + 1) / 5, 0, 1) * 255).astype(np.uint8))
    windows = {"everything drawn": Window(index, z, False), "as the dock draws": Window(index, z, True)}
    app.processEvents()
    for title, span in (("whole recording, 1,000 s", 900.0), ("a fifth, 200 s", 200.0)):
        spent: dict[str, list[float]] = {name: [] for name in windows}
        for step in range(STEPS):
            low = (1000 - span) * step / STEPS
            for name, window in windows.items():
                spent[name].append(window.show(low, low + span))
                app.processEvents()
        for name, seconds in spent.items():
            middle, high = np.percentile(np.array(seconds) * 1e3, [50, 95])
            print(f"{title:26s} {name:18s} median {middle:6.1f} ms   95 % {high:6.1f} ms")


if __name__ == "__main__":
    main()
