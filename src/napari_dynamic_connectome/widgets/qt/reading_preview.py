"""Small preview of what was read: the traces of a few neurons, or a plane of an image; nothing that takes long."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QWidget

from ...io.limits import human
from ...model.recording import Recording
from .plots import envelope, paint_axes, plot_widget
from .theme import Colours

HEIGHT = 130
MOST_NEURONS, COLUMNS = 6, 300
MOST_BYTES = 64 << 20
"""A plane that lies in larger chunks is not read for a preview."""


class ReadingPreview(QWidget):
    """Traces over time, scaled to one height each, or a plane of an image.

    Parameters
    ----------
    colours : Colours, optional
    """

    def __init__(self, colours: Colours | None = None) -> None:
        super().__init__()
        self.setFixedHeight(HEIGHT)
        self.plot = plot_widget()
        self.plot.setMouseEnabled(False, False)
        self.plot.getPlotItem().getAxis("left").setWidth(70)
        self.pen = pg.mkPen("#8aa0c0" if colours is None else colours.text, width=1)
        if colours is not None:
            self.plot.setBackground(colours.well)
            paint_axes(self.plot.getPlotItem(), colours)
        self.picture = QLabel()
        self.picture.setAccessibleName("preview of the image")
        self.caption = QLabel()
        self.caption.setWordWrap(True)
        self.caption.setObjectName("secondary")
        box = QHBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.plot, 1)
        box.addWidget(self.picture)
        box.addWidget(self.caption)
        self.curves: list[str] = []
        """Neurons whose traces are shown."""
        self.show_read([], [])

    def show_read(self, recordings: Sequence[Recording], layers: Sequence[Any]) -> None:
        """Show the first recording; without one, the first image.

        Parameters
        ----------
        recordings : sequence of Recording
        layers : sequence of (data, options, kind)
        """
        self.plot.clear()
        self.curves = []
        self.picture.clear()
        plane, said = (None, "") if recordings or not layers else plane_of(layers[0])
        if recordings:
            self._traces(recordings[0])
            more = recordings[0].n_neurons - len(self.curves)
            said = f"{recordings[0].name}, s: {len(self.curves)} of {more + len(self.curves)} neurons" if more else "s"
        elif plane is not None:
            self.picture.setPixmap(_pixmap(plane, layers[0][2] == "labels"))
        self.plot.setVisible(bool(recordings))
        self.picture.setVisible(plane is not None)
        self.caption.setText(said)
        self.caption.setVisible(bool(said))
        self.setVisible(bool(recordings or said or plane is not None))

    def _traces(self, recording: Recording) -> None:
        """Draw the first traces below each other."""
        time = np.asarray(recording.time_s)
        chosen = _few(recording)
        values = np.asarray(recording.traces.values[:, chosen], float)
        short, curves = envelope(time, values, float(time[0]), float(time[-1]), COLUMNS)
        names = [str(recording.neurons.index[i]) for i in chosen]
        for row in range(len(chosen)):
            one = curves[:, row]
            finite = one[np.isfinite(one)]
            low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
            scaled = (one - low) / ((high - low) or 1.0) * 0.8 - row
            self.plot.plot(short, scaled, pen=self.pen, connect="finite")
        self.plot.getPlotItem().getAxis("left").setTicks([[(0.4 - row, name) for row, name in enumerate(names)]])
        self.plot.setYRange(1.0 - len(names), 0.9)
        self.plot.setXRange(float(time[0]), float(time[-1]) or 1.0)
        self.curves = names


def _few(recording: Recording) -> list[int]:
    """Return the places of a few neurons: those with a name first."""
    named = (recording.neurons["name"] != "").to_numpy()
    order = [*np.flatnonzero(named).tolist(), *np.flatnonzero(~named).tolist()]
    return sorted(order[:MOST_NEURONS])


def plane_of(layer: Any) -> tuple[np.ndarray | None, str]:
    """Return a plane of layer data, every n-th pixel of it, and what it shows; None where reading it would take long.

    Parameters
    ----------
    layer : (data, options, kind)
    """
    data, _, kind = layer
    data = data[-1] if isinstance(data, (list, tuple)) else data
    shape = tuple(int(n) for n in getattr(data, "shape", ()))
    if kind not in ("image", "labels") or len(shape) < 3 or 0 in shape:
        return None, ""
    if kind == "image" and not np.issubdtype(data.dtype, np.number):
        return None, ""
    cost = _cost(data, shape)
    if cost > MOST_BYTES:
        return None, f"no preview: a plane takes {human(cost)} to read"
    place = (0,) * (len(shape) - 3) + (shape[-3] // 2,)
    try:
        plane = np.asarray(data[place])
    except Exception as error:  # of any library; what is wrong is said when the image is shown
        return None, f"no preview: {str(error)[:80]}"
    step = max(1, math.ceil(max(plane.shape) / (2 * HEIGHT)))
    where = f"plane {place[-1]} of {shape[-3]}" + (", first frame" if len(shape) > 3 else "")
    return plane[::step, ::step], f"{where}: y {shape[-2]}, x {shape[-1]}"


def _cost(data: Any, shape: tuple[int, ...]) -> int:
    """Return how many bytes are read for one plane: whole chunks."""
    chunks = getattr(data, "chunks", None)
    sizes = [max(c) if isinstance(c, tuple) else int(c) for c in chunks] if chunks else [1] * (len(shape) - 2)
    inner = math.prod(sizes[: len(shape) - 2]) if len(sizes) == len(shape) else math.prod(sizes)
    return int(inner * shape[-1] * shape[-2] * np.dtype(data.dtype).itemsize)


def _pixmap(plane: np.ndarray, labels: bool) -> QPixmap:
    if labels:
        grey = np.where(plane > 0, 80 + (plane.astype(np.int64) * 53) % 176, 0).astype(np.uint8)
    else:
        finite = plane[np.isfinite(plane)].astype(float)
        low, high = np.percentile(finite, (1.0, 99.8)) if finite.size else (0.0, 1.0)
        scaled = (np.nan_to_num(plane.astype(float)) - low) / ((high - low) or 1.0)
        grey = (np.clip(scaled, 0, 1) * 255).astype(np.uint8)
    grey = np.ascontiguousarray(grey)
    image = QImage(grey.data, grey.shape[1], grey.shape[0], grey.shape[1], QImage.Format.Format_Grayscale8).copy()
    keep = Qt.AspectRatioMode.KeepAspectRatio
    return QPixmap.fromImage(image.scaled(2 * HEIGHT, HEIGHT, keep, Qt.TransformationMode.FastTransformation))
