"""One neuron, community or component in all worms: its traces one above the other, or averaged around a stimulus or behaviour."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QRectF
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from ...display.community_names import community_names
from ...display.order import zscore
from ...display.scene import cohort_names
from ...display.short_names import short_names
from ...model.cohort import Cohort
from ...model.errors import InputError
from ...session.freshness import at_analysis
from ..qt import plots
from ..qt.controls import Choice, label, row

if TYPE_CHECKING:
    from ..workspace.workspace import Workspace

MOST_WORMS = 40
NAME_LETTERS = 9
GAP = 5.0
SURROGATES = 199
CHANCE_ALPHA, INTERVAL_ALPHA = 60, 80
_COMMUNITY = re.compile(r"component (\d+) (core|modules) (\d+)")


class AcrossWorms(QWidget):
    """Traces of one neuron in all worms, or averages around events with interval, chance band and single events.

    Parameters
    ----------
    work : Workspace
    """

    def __init__(self, work: Workspace) -> None:
        super().__init__()
        self._work = work
        self.around = False
        self.found: Any = None
        """`OnsetAverages` that is shown."""
        self._key: tuple[Any, ...] = ()
        self._job: Any = None
        self._items: list[Any] = []
        self.event_choice = Choice()
        self.event_choice.setToolTip(
            "Stimulus or yes/no behaviour whose onsets are averaged around. Default: the first one that most worms have."
        )
        self.event_choice.setAccessibleName("event")
        self.event_choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.event_choice.setMinimumContentsLength(7)
        self.event_choice.activated.connect(lambda *_: self.show_selection(self._colours))
        self.signal = Choice()
        self.signal.setToolTip(
            "What is averaged: the chosen neuron, the chosen community or the component. Default: what was chosen last."
        )
        self.signal.setAccessibleName("what is averaged")
        self.signal.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.signal.setMinimumContentsLength(12)
        self.signal.activated.connect(lambda *_: self._draw_average())
        self.text = label("", "secondary", wrap=True)
        self.view = pg.GraphicsLayoutWidget()
        self.view.setMinimumSize(120, 60)
        self.view.ci.layout.setContentsMargins(0, 0, 4, 2)
        self.view.ci.layout.setSpacing(0)
        self.plot = plots.quiet(self.view.addPlot(row=0, col=0, enableMenu=False))
        self.heat = plots.quiet(self.view.addPlot(row=1, col=0, enableMenu=False))
        self.image = pg.ImageItem()
        self.heat.addItem(self.image)
        self.heat.invertY(True)
        self._names = plots.RowNames(self.heat)
        self._worm_names = plots.RowNames(self.plot)
        self.heat.setXLink(self.plot)
        for plot in (self.plot, self.heat):
            plot.getAxis("left").setWidth(64)
            plot.setMouseEnabled(False, False)
        self.view.scene().sigMouseClicked.connect(self._clicked)
        self.worms: list[str] = []
        """Worms whose traces are shown, from the top."""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        self.choice = QWidget()
        self.choice.setLayout(row(self.event_choice, self.signal, None))
        layout.addWidget(self.choice)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.text)
        self._colours: Any = None

    def show_selection(self, colours: Any) -> None:
        """Show what is chosen in the session."""
        self._colours = colours
        self.view.setBackground(colours.background)
        for plot in (self.plot, self.heat):
            plots.paint_axes(plot, colours)
        self.choice.setVisible(self.around)
        self.heat.setVisible(self.around)
        if self.around:
            self._average()
        else:
            self._show_traces()

    def chosen_neuron(self) -> str:
        """Name of the chosen neuron as the cohort knows it; "" if none is chosen or it has no name."""
        session = self._work.session
        recording = session.recording
        if recording is None or not session.selection.neurons:
            return ""
        neuron = session.selection.neurons[-1]
        if neuron not in recording.neurons.index:
            return ""
        if session.components is not None:
            known = set(session.components.neurons)
            place = list(recording.neurons.index).index(neuron)
            name = cohort_names(recording, known, at_analysis(session, recording))[place]
            if name:
                return name
        return str(recording.neurons.loc[neuron, "name"])

    # --- traces -----------------------------------------------------------------------------------------------------

    def _clear(self) -> None:
        for item in self._items:
            self.plot.removeItem(item)
        self._items = []

    def _add(self, item: Any) -> None:
        self.plot.addItem(item, ignoreBounds=True)
        self._items.append(item)

    def _show_traces(self) -> None:
        """The chosen neuron's trace in every worm that has it, z-scored, one above the other."""
        self._clear()
        name, session, c = self.chosen_neuron(), self._work.session, self._colours
        self.worms, missing = [], []
        end = 1.0
        if name:
            for worm, recording in session.recordings.items():
                rows = _rows_of(recording, name)
                if not len(rows):
                    missing.append(worm)
                    continue
                if len(self.worms) >= MOST_WORMS:
                    continue
                base = -len(self.worms) * GAP
                z = zscore(recording.traces.values[:, rows]).mean(axis=1)
                time, values = plots.envelope(
                    recording.time_s, z[:, None], recording.time_s[0], recording.time_s[-1], max(self.view.width(), 200)
                )
                colour = c.accent if worm == session.current else c.bar
                pen = pg.mkPen(colour, width=1)
                self._add(pg.PlotCurveItem(time, values[:, 0] + base, pen=pen, connect="finite"))
                self._add(plots.Marks(plots.stimulus_spans(recording), base - 1.9, base - 1.5, c.track))
                end = max(end, float(recording.time_s[-1]))
                self.worms.append(worm)
        self._worm_names.show([(-i * GAP, w) for i, w in enumerate(short_names(self.worms, NAME_LETTERS))])
        self.plot.setXRange(0, end, padding=0)
        self.plot.setYRange(-(max(len(self.worms), 1) - 1) * GAP - 3, 4.5, padding=0)
        self.plot.getAxis("bottom").setLabel("time (s)", color=c.secondary, **{"font-size": "8pt"})
        if not name:
            self.text.setText("Choose a named neuron to see it in every worm.")
            return
        parts = [f"{name} in {len(self.worms)} of {len(session.recordings)} worms (z-scored; marks: stimuli)"]
        if missing:
            parts.append(f"not in {', '.join(missing[:6])}{' ...' if len(missing) > 6 else ''}")
        partners = self._partners(name)
        if partners:
            parts.append(f"strongest partners in component {session.selection.component}: {partners}")
        self.text.setText("; ".join(parts) + ".")

    def _partners(self, name: str, most: int = 3) -> str:
        session = self._work.session
        components = session.components
        if components is None or not components.rank or name not in components.neurons:
            return ""
        matrix = components.matrix(min(session.selection.component, components.rank))
        values = matrix.loc[name].to_series().drop(name).dropna()
        return ", ".join(str(n) for n in values.nlargest(most).index)

    def _clicked(self, event: Any) -> None:
        """A click on a trace shows its worm."""
        box = self.plot.getViewBox()
        if self.around or not box.sceneBoundingRect().contains(event.scenePos()):
            return
        place = round(-box.mapSceneToView(event.scenePos()).y() / GAP)
        if 0 <= place < len(self.worms):
            self._work.session.set_current(self.worms[place])

    # --- around events ----------------------------------------------------------------------------------------------

    def _average(self) -> None:
        """Average in the background, if something changed."""
        session = self._work.session
        recordings = [r for n, r in session.recordings.items() if n not in session.left_out]
        self._fill_events(recordings)
        event, name = self.event_choice.currentText(), self.chosen_neuron()
        shown = session.shown_communities
        key = (tuple(id(r) for r in recordings), id(session.components), id(shown), event, name)
        if key == self._key:
            self._draw_average()
            return
        self._key, self.found = key, None
        self._clear()
        self.image.clear()
        if not event or not recordings:
            self.text.setText("No worm has a stimulus or a yes/no behaviour.")
            return
        components, selection = session.components, session.selection
        communities = {} if shown is None else {(selection.component, selection.kind): shown}
        cohort = session.cohort

        def run(progress: Any, cancel: Any) -> Any:
            from ...comparison.onsets import average_onsets

            settings = cohort.settings if cohort is not None else None
            return average_onsets(
                Cohort(recordings, settings),
                event,
                components=components if components is not None and components.rank else None,
                communities=communities,
                neurons=[name] if name else [],
                trials=True,
                surrogates=SURROGATES,
                progress=progress,
                cancel=cancel,
            )

        def done(found: Any) -> None:
            if self._key == key:
                self.found = found
                self._fill_signals(name)
                self._draw_average()

        if self._job is not None and self._job.running:
            self._job.cancel()
        self.text.setText("averaging ...")
        self._job = self._work.jobs.start("Average around events", run, done, quiet=True)

        def ended(job: Any = self._job) -> None:
            if isinstance(job.error, InputError) and self._key == key:
                self.text.setText(str(job.error))

        self._job.ended.connect(ended)

    def _fill_events(self, recordings: list[Any]) -> None:
        count: dict[str, int] = {}
        for recording in recordings:
            channels = [str(n) for n, v in recording.behaviour.data_vars.items() if v.attrs.get("kind") == "binary"]
            for name in {*map(str, recording.stimuli["name"]), *channels}:
                count[name] = count.get(name, 0) + 1
        events = sorted(count, key=lambda n: (-count[n], n))
        if [self.event_choice.itemText(i) for i in range(self.event_choice.count())] != events:
            before = self.event_choice.currentText()
            self.event_choice.clear()
            self.event_choice.addItems(events)
            self.event_choice.setCurrentIndex(max(self.event_choice.findText(before), 0) if events else -1)

    def _fill_signals(self, neuron: str) -> None:
        session = self._work.session
        names = [str(n) for n in self.found.mean["signal"].values]
        chosen, selection = session.selection.community, session.selection
        wanted = f"component {selection.component} {selection.kind} {chosen}" if chosen is not None else ""
        best = next((n for n in (neuron, wanted, f"component {selection.component}") if n and n in names), names[0])
        self.signal.clear()
        for one in names:
            self.signal.addItem(self._called(one), one)
        self.signal.setCurrentIndex(names.index(best))

    def _called(self, signal: str) -> str:
        """What a signal is called here: communities by the names that the window shows."""
        parts = _COMMUNITY.fullmatch(signal)
        if parts is None:
            return signal
        component, kind, number = int(parts[1]), parts[2], int(parts[3])
        names = community_names(self._work.session.communities, component, "core" if kind == "core" else "modules")
        return f"community {names.get(number, number)} of component {component} ({kind})"

    def _draw_average(self) -> None:
        self._clear()
        found, name, c = self.found, str(self.signal.currentData() or ""), self._colours
        if found is None or name not in found.mean["signal"].values:
            return
        time = found.mean["time"].values
        mean, low, high, least, most = (
            array.sel(signal=name).values
            for array in (found.mean, found.low, found.high, found.chance_low, found.chance_high)
        )
        for lower, upper, colour, alpha in (
            (least, most, c.secondary, CHANCE_ALPHA),
            (low, high, c.accent, INTERVAL_ALPHA),
        ):
            known = np.isfinite(lower) & np.isfinite(upper)
            if known.any():
                fill = QColor(colour)
                fill.setAlpha(alpha)
                a, b = (pg.PlotCurveItem(time[known], v[known], pen=None) for v in (lower, upper))
                for curve in (a, b):
                    self._add(curve)
                self._add(pg.FillBetweenItem(a, b, brush=pg.mkBrush(fill)))
        self._add(pg.PlotCurveItem(time, mean, pen=pg.mkPen(c.accent, width=2), connect="finite"))
        self._add(pg.InfiniteLine(0.0, angle=90, pen=pg.mkPen(c.text, width=1)))
        values = np.concatenate([v[np.isfinite(v)] for v in (mean, low, high, least, most)])
        bottom, top = (values.min(), values.max()) if len(values) else (-1.0, 1.0)
        self.plot.setYRange(float(bottom), float(top), padding=0.06)
        self.plot.setXRange(float(time[0]), float(time[-1]), padding=0)
        self.plot.getAxis("left").setTicks(None)
        self.plot.getAxis("bottom").showLabel(False)
        self._draw_trials(name, time)
        table = found.table().set_index("signal").loc[name]
        self.text.setText(
            f"{self._called(name)} around {found.event}: {int(table['worms'])} worms, {int(table['events'])} events; p {_p(table['p_value'])} "
            f"(q {_p(table['q_value'])}) against the same events moved in time. Blue: mean and its 95 % interval over worms; "
            "grey: chance; below: every event, worm by worm."
        )
        self.text.setToolTip("\n".join(found.notes))

    def _draw_trials(self, name: str, time: np.ndarray) -> None:
        """Every event as a row, worm by worm."""
        rows, ticks, place = [], [], 0
        short = dict(zip(self.found.trials, short_names(tuple(self.found.trials), NAME_LETTERS), strict=True))
        for worm, trials in self.found.trials.items():
            cut = trials.sel(signal=name).values
            cut = cut[np.isfinite(cut).any(axis=1)]
            if len(cut):
                ticks.append((place + len(cut) / 2, short[worm]))
                rows.append(cut)
                place += len(cut)
        if not rows:
            self.image.clear()
            return
        values = np.concatenate(rows)
        finite = values[np.isfinite(values)]
        low, high = np.percentile(finite, (2, 98))
        index = np.round(np.clip((np.nan_to_num(values, nan=low) - low) / max(high - low, 1e-12), 0, 1) * 255)
        self.image.setImage(self._colours.ramp()[index.astype(np.uint8)])
        step = float(time[1] - time[0]) if len(time) > 1 else 1.0
        self.image.setRect(QRectF(float(time[0]), 0, step * len(time), len(values)))
        self.heat.setYRange(0, len(values), padding=0)
        self._names.show(ticks)
        self.heat.getAxis("bottom").setLabel(
            f"time from {self.found.event} (s)", color=self._colours.secondary, **{"font-size": "8pt"}
        )


def _rows_of(recording: Any, name: str) -> np.ndarray:
    """Rows of a recording that a cohort knows by this name: the neuron, or both sides of a merged pair."""
    return np.flatnonzero([n == name for n in cohort_names(recording, {name})])


def _p(value: float) -> str:
    return "not known" if not np.isfinite(value) else f"{value:.2g}"
