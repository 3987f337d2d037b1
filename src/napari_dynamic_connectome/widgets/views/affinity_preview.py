"""Live preview of the affinity: traces of two neurons and what the chosen measure makes of them over time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from ...affinity.settings import AffinitySettings
from ..qt import plots
from ..qt.controls import label, row
from ..qt.forms import SettingsForm

FIELDS = ("kind", "sign", "sigma_s", "kappa", "window_s")


def affinity_of_two(recording: Any, first: str, second: str, settings: Any) -> tuple[np.ndarray, np.ndarray]:
    """Times (s) and affinity (0 to 1) of two neurons of one recording; both signs are added."""
    from ...affinity.compute import compute_affinity
    from ...model.cohort import Cohort

    two = recording.replace(
        traces=recording.traces.sel(neuron=[first, second]),
        neurons=recording.neurons.loc[[first, second]],
        quality=None,
    )
    spec = compute_affinity(Cohort([two]), settings.model_dump() | {"alignment": "none", "min_worms": 1})
    block = spec.blocks[0]
    return np.asarray(block.time_s, float), np.asarray(block.dense(), float)[:, 0].sum(axis=0)


class AffinityPreview(QWidget):
    """Two neurons, the settings that matter most, and the plot.

    Signals
    -------
    edited()
        The settings were changed here.
    """

    edited = Signal()

    def __init__(self, work: Any) -> None:
        super().__init__()
        self.work = work
        self.summary = ""
        self.first, self.second = QComboBox(), QComboBox()
        for one, words in ((self.first, "First"), (self.second, "Second")):
            one.setToolTip(f"{words} neuron of the preview. Default: the first named ones.")
            one.setAccessibleName(f"{words.lower()} neuron")
            one.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            one.setMinimumContentsLength(6)
            one.activated.connect(lambda *_: self.later())
        self.plot = plots.plot_widget()
        self.plot.setFixedHeight(128)
        self.plot.setMouseEnabled(True, False)
        self.time_line = pg.InfiniteLine(angle=90)
        self.form = SettingsForm(AffinitySettings, fields=FIELDS)
        self.form.edited.connect(self._edited)
        self.note = label("", "secondary", wrap=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row(self.first, self.second, None))
        layout.addWidget(self.plot)
        layout.addWidget(self.form)
        layout.addWidget(self.note)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(120)
        self._timer.timeout.connect(self.compute)
        self._wish = 0
        self.colours: Any = None

    def fill(self, recording: Any) -> None:
        """Offer the neurons of a recording: the named ones, or all of them if none has a name."""
        names = (recording.named or [str(n) for n in recording.neurons.index]) if recording is not None else []
        for place, box in enumerate((self.first, self.second)):
            old = box.currentText()
            if [box.itemText(i) for i in range(box.count())] != names:
                box.clear()
                box.addItems(names)
                if old in names:
                    box.setCurrentText(old)
                elif len(names) > place:
                    box.setCurrentIndex(place)

    def show_pair(self, first: str, second: str) -> None:
        """Preview these two."""
        for box, name in ((self.first, first), (self.second, second)):
            if box.findText(name) >= 0:
                box.setCurrentText(name)
        self.later()

    def set_time(self, time_s: float) -> None:
        """Move the cursor."""
        self.time_line.setValue(time_s)

    def later(self) -> None:
        """Compute soon: several changes at once are one computation."""
        if self.isVisible():
            self._timer.start()

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self._timer.start()

    def _edited(self) -> None:
        self.edited.emit()
        self.later()

    def compute(self) -> Any | None:
        """Compute in the background and draw."""
        recording = self.work.session.recording
        first, second = self.first.currentText(), self.second.currentText()
        if recording is None or not first or first == second or self.colours is None:
            self.plot.getPlotItem().clear()
            self.note.setText("Choose two different neurons." if recording is not None else "")
            return None
        from ...model.errors import DynamicConnectomeError

        try:
            settings = self.form.value()
        except DynamicConnectomeError as error:
            self.note.setText(str(error))
            return None
        self._wish += 1
        wish = self._wish

        def run(progress: Any, cancel: Any) -> Any:
            try:
                return affinity_of_two(recording, first, second, settings)
            except DynamicConnectomeError as error:
                return str(error)

        def done(found: Any) -> None:
            if wish == self._wish:
                self._draw(recording, first, second, found)

        return self.work.jobs.start("Affinity preview", run, done, quiet=True)

    def _draw(self, recording: Any, first: str, second: str, found: Any) -> None:
        from ...display.order import zscore

        c, item = self.colours, self.plot.getPlotItem()
        item.clear()
        plots.paint_axes(item, c)
        self.plot.setBackground(c.background)
        values = zscore(recording.traces.sel(neuron=[first, second]).values)
        for column, shift in ((0, 4.4), (1, 0.0)):
            item.plot(recording.time_s, values[:, column] + shift, pen=pg.mkPen(c.bar, width=1.1), connect="finite")
        for band in plots.shade(item, plots.stimulus_spans(recording), c.track, 110):
            band.setZValue(-20)
        if isinstance(found, str):
            self.note.setText(found)
        else:
            time, affinity = found
            top = float(np.nanmax(affinity)) if np.isfinite(affinity).any() else 0.0
            curve = pg.PlotCurveItem(
                time,
                np.nan_to_num(affinity) * (3.4 / (top or 1.0)) - 7.2,
                pen=pg.mkPen(c.accent, width=1.4),
                fillLevel=-7.2,
                brush=pg.mkBrush(*_faint(c.accent)),
            )
            item.addItem(curve)
            share = float((affinity > 0.05 * max(top, 1e-12)).mean()) if top > 0 else 0.0
            self.summary = f"{first} – {second}: mean {float(np.nanmean(affinity)):.2f}"
            self.note.setText(
                f"mean {float(np.nanmean(affinity)):.3f}, peak {top:.2f}, above zero {share:.0%} of the time"
            )
        self.time_line = pg.InfiniteLine(
            self.work.session.selection.time_s, angle=90, pen=pg.mkPen(c.accent, width=1.2)
        )
        item.addItem(self.time_line)
        item.setXRange(float(recording.time_s[0]), float(recording.time_s[-1]), padding=0)
        item.setYRange(-7.6, 8.6, padding=0)
        item.getAxis("left").setTicks([[(4.4, first), (0.0, second), (-5.6, "affinity")]])
        item.getAxis("left").setWidth(52)


def _faint(colour: str) -> tuple[int, int, int, int]:
    from qtpy.QtGui import QColor

    q = QColor(colour)
    return q.red(), q.green(), q.blue(), 60
