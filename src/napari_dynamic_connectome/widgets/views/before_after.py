"""Plot of one neuron before and after correction, redrawn at once when a setting changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ...extraction.settings import CorrectionSettings
from ...model.errors import DynamicConnectomeError
from ...model.recording import Recording
from ..qt import plots
from ..qt.controls import label, row
from ..qt.theme import Colours
from ..workspace.raw_traces import one_neuron, raw_of, scaled, uncorrected


class BeforeAfter(QWidget):
    """Raw trace in grey, corrected trace bright, each scaled to its own range."""

    def __init__(self) -> None:
        super().__init__()
        self.text = label("", "secondary")
        self.plot = plots.plot_widget()
        self.plot.setFixedHeight(96)
        self.plot.setToolTip(
            "The chosen neuron before correction (grey) and after it with the settings above (bright), each scaled to its own "
            "range; time in seconds. Changing a setting shows at once; “Correct all” applies it."
        )
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(2)
        box.addLayout(row(label("Before and after", "head"), self.text))
        box.addWidget(self.plot)
        self.before = np.zeros(0)
        self.after = np.zeros(0)

    def show_neuron(
        self, work: Any, recording: Recording, settings: CorrectionSettings | None, colours: Colours
    ) -> None:
        """Draw the chosen neuron (or the first one); with settings, corrected by them now, else as it is in the recording."""
        ids = [str(i) for i in recording.neurons.index]
        neuron = next((n for n in work.session.selection.neurons if n in ids), ids[0])
        place = ids.index(neuron)
        raw = raw_of(work, recording)
        time, values = recording.time_s, recording.traces.values[:, place]
        trouble = ""
        if settings is not None:
            from ...extraction.correct import correct_traces

            try:
                new = correct_traces(one_neuron(uncorrected(work, recording), place), settings)
                time, values = new.time_s, new.traces.values[:, 0]
            except DynamicConnectomeError as error:
                trouble = str(error)
        self.after = np.asarray(values, float)
        self.before = self.after if raw is None else np.asarray(raw.values[:, place], float)
        item = self.plot.getPlotItem()
        item.clear()
        plots.paint_axes(item, colours)
        self.plot.setBackground(colours.well)
        if raw is not None:
            item.plot(np.asarray(raw["time"].values), scaled(self.before), pen=pg.mkPen(colours.secondary, width=1))
        item.plot(time, scaled(self.after), pen=pg.mkPen(colours.text, width=1.2))
        item.getAxis("left").setTicks([])
        item.getAxis("left").setWidth(6)
        plots.shade(item, plots.stimulus_spans(recording), colours.track)
        state = (
            "preview, not applied yet"
            if settings is not None
            else ("as read" if raw is None else "grey raw, bright now")
        )
        self.text.setText(trouble or f"{neuron}  ·  {state}")
        self.text.setToolTip(trouble)
