"""Traces: all neurons as a heatmap, the selection as stacked traces; the time cursor is napari's time slider."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QCheckBox, QComboBox, QSizePolicy, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from ...display.highlights import selected_windows
from ...display.order import SortBy, neuron_order, zscore
from ...display.palette import UNASSIGNED, painted_by, rgb
from ...display.states import ribbon, state_color
from ..qt import plots
from ..qt.controls import label, row
from ..qt.theme import swatch
from ..views.across_worms import AcrossWorms
from ..views.heatmap import Heatmap
from ..views.row_box import RowBox
from ..workspace.hover import watch
from ..workspace.raw_traces import raw_of, scaled
from .base import Dock

SORTS: tuple[SortBy, ...] = ("community", "name", "class", "similarity", "quality")

ORDER = 40
STACKED_MOST, STACKED_LEAST = 14, 4
MODES = ("Stacked", "Overlaid", "All worms", "Around events")
STACK_GAP = 4.0
STACK_ABOVE, STACK_BELOW = 2.5, 3.0
"""Room above and below the stacked traces, as `STACK_GAP`."""


class TracesDock(Dock):
    """Heatmap and stacked traces over one time axis."""

    title = "Traces"
    place = "bottom"
    shows_results = True
    only_traces = True
    scrolls = False

    def build(self, layout: QVBoxLayout) -> None:
        self.empty = label("No traces yet. Extract them in the Recording dock, or open a recording.", "empty")
        layout.addWidget(self.empty)
        self.body = QWidget()
        layout.addWidget(self.body, 1)
        inner = QVBoxLayout(self.body)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(4)
        self._build_controls(inner)
        self._build_plots(inner)
        self.image = Heatmap()
        self.heat_plot.addItem(self.image)
        self.community_bar = pg.ImageItem()
        self.bar_plot.addItem(self.community_bar)
        self.cursors = [plots.cursor(self.colours) for _ in range(2)]
        self.heat_plot.addItem(self.cursors[0])
        self.stack_plot.addItem(self.cursors[1])
        for line in self.cursors:
            line.sigPositionChanged.connect(self._dragged)
        self.box = pg.PlotCurveItem()
        self.heat_plot.addItem(self.box)
        for signal in (self.rows_view.sigXRangeChanged, self.rows_view.sigResized):
            signal.connect(lambda *_: self._draw_image())
        stack_view = self.stack_plot.getViewBox()
        for signal in (stack_view.sigXRangeChanged, stack_view.sigResized):
            signal.connect(lambda *_: self._draw_curves())
        self._stack_names = plots.RowNames(self.stack_plot)
        stack_view.sigResized.connect(self._resized)
        self.curves: list[tuple[Any, int, float]] = []
        self.bar_texts: list[Any] = []
        self._curves: list[Any] = []
        """All there are, those that show nothing now among them."""
        self.stack_scale, self.stack_unit = pg.PlotCurveItem(), pg.TextItem("2 z", anchor=(1.15, 0))
        """A bar of two standard deviations instead of one y axis per trace."""
        self.stack_unit.setFont(plots.tick_font())
        for item in (self.stack_scale, self.stack_unit):
            self.stack_plot.addItem(item, ignoreBounds=True)
        self.strip_items: list[tuple[Any, Any]] = []
        self.heat.scene().sigMouseClicked.connect(self._clicked)
        self.hovered = pg.PlotCurveItem()
        self.hovered.setZValue(40)
        self.heat_plot.addItem(self.hovered, ignoreBounds=True)
        self._watch_mouse()
        self.order = np.zeros(0, int)
        self._moving = False
        self._orders: dict[Any, np.ndarray] = {}
        self._values: np.ndarray | None = None
        self._values_of: Any = None
        self._source: np.ndarray | None = None
        self._number = 0  # of the traces that are shown
        self._times = np.zeros(0)
        self._bar_key: Any = None
        self._stack_key: Any = None
        self._strip_key: tuple[Any, ...] = ()
        self._windows: list[plots.Marks] = []
        self._window_band: Any = None

    def _build_controls(self, inner: QVBoxLayout) -> None:
        """The row above the plots: order, scale, what is shown."""
        self.sort = QComboBox()
        for name in SORTS:
            self.sort.addItem(f"Sort: {name}", name)
        self.sort.setToolTip(
            "Order of the neurons in the heatmap. Default: community (similarity before there are any)."
        )
        self.sort.setCurrentIndex(max(self.sort.findData(self.remembered("sort", "community")), 0))
        self.sort.currentIndexChanged.connect(lambda *_: self._sorted())
        self.scale = QComboBox()
        self.scale.addItems(["z-score", "values"])
        self.scale.setToolTip(
            "z-score: every neuron scaled by its own spread, -1 to 4. values: as they are. Default: z-score."
        )
        self.scale.setCurrentText(self.remembered("scale", "z-score"))
        self.scale.currentIndexChanged.connect(lambda *_: self._toggled("scale", self.scale.currentText(), "neurons"))
        self.raw = QCheckBox("raw")
        self.raw.setToolTip("Show the traces before correction. Default: no.")
        self.raw.toggled.connect(
            lambda *_: self.mark("neurons")
        )  # not remembered: nobody should take raw for corrected
        self.snr = QCheckBox("SNR")
        self.snr.setToolTip(
            "Show the signal-to-noise ratio (no unit) beside the names of the stacked traces; it is measured in the Recording dock. "
            "Default: no."
        )
        self.snr.setChecked(bool(self.remembered("snr", False)))
        self.snr.toggled.connect(lambda on: self._toggled("snr", on, "selection"))
        self.count = label("", "secondary")
        self.time = label("t = 0.0 s", "head")
        self.frame = label("", "secondary")
        self.chosen_icon = label("")
        self.chosen_icon.setFixedWidth(13)
        self.chosen = label("", "secondary")
        self.stack_mode = QComboBox()
        self.stack_mode.addItems(MODES)
        self.stack_mode.setToolTip(
            "Stacked: one line above the other. Overlaid: all on one baseline. All worms: the chosen neuron in every worm. Around "
            "events: averages around a stimulus or behaviour, beside chance. Default: stacked."
        )
        self.stack_mode.setCurrentText(self.remembered("stack", "Stacked"))
        self.stack_mode.currentIndexChanged.connect(
            lambda *_: self._toggled("stack", self.stack_mode.currentText(), "selection")
        )
        self.behaviour = QComboBox()
        self.behaviour.setToolTip(
            "Behaviour channel under the stimuli: a yes/no channel as marks, shaded in the stacked traces, any other as a line. "
            "Default: reversals, or the first yes/no channel."
        )
        self.behaviour.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.behaviour.setMinimumContentsLength(7)
        self.behaviour.activated.connect(
            lambda *_: self._toggled("behaviour", self.behaviour.currentData(), "selection")
        )
        tools = row(
            self.sort,
            self.scale,
            self.raw,
            self.snr,
            self.behaviour,
            self.count,
            self.time,
            self.frame,
            self.chosen_icon,
            self.chosen,
            self.stack_mode,
        )
        for one in (self.count, self.frame):  # as wide as they are: who is chosen takes the rest
            one.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
            tools.setStretchFactor(one, 0)
        inner.addLayout(tools)

    def _build_plots(self, inner: QVBoxLayout) -> None:
        """Heatmap on the left, chosen traces on the right, stimuli above both, all on one time axis."""
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.setChildrenCollapsible(False)
        inner.addWidget(self.split, 1)
        self.heat = pg.GraphicsLayoutWidget()
        self.heat.setMinimumSize(160, 90)
        self.stack = pg.GraphicsLayoutWidget()
        self.stack.setMinimumSize(120, 90)
        self.split.addWidget(self.heat)
        self.page = AcrossWorms(self.work)
        self.right = QStackedWidget()
        self.right.addWidget(self.stack)
        self.right.addWidget(self.page)
        self.split.addWidget(self.right)
        self.split.setSizes([620, 380])
        for widget in (self.heat, self.stack):
            widget.ci.layout.setContentsMargins(0, 0, 4, 5)
            widget.ci.layout.setSpacing(0)
        self.heat_strip = plots.quiet(self.heat.addPlot(row=0, col=1, enableMenu=False))
        self.bar_plot = plots.quiet(self.heat.addPlot(row=1, col=0, enableMenu=False))
        self.rows_view = RowBox(self._rows_chosen)
        self.heat_plot = plots.quiet(self.heat.addPlot(row=1, col=1, enableMenu=False, viewBox=self.rows_view))
        self.heat.ci.layout.setRowFixedHeight(0, 26)
        self.heat.ci.layout.setColumnFixedWidth(0, 34)
        self.stack_strip = plots.quiet(self.stack.addPlot(row=0, col=0, enableMenu=False))
        self.stack_plot = plots.quiet(self.stack.addPlot(row=1, col=0, enableMenu=False))
        self.stack.ci.layout.setRowFixedHeight(0, 26)
        for strip in (self.heat_strip, self.stack_strip):
            strip.hideAxis("bottom")
            strip.setMouseEnabled(False, False)
            strip.setYRange(0, 2, padding=0)
            strip.getAxis("left").setStyle(showValues=False, tickLength=0)
            strip.getAxis("left").setTicks([[]])
        self.heat_strip.hideAxis("left")
        self.heat_plot.hideAxis("left")
        self.bar_plot.hideAxis("left")
        self.bar_plot.hideAxis("bottom")
        self.bar_plot.setMouseEnabled(False, False)
        self.stack_plot.setMouseEnabled(True, False)
        self.heat_plot.setLabel("bottom", "time (s)")
        self.stack_plot.setLabel("bottom", "time (s)")
        for plot in (self.stack_strip, self.stack_plot):
            plot.getAxis("left").setWidth(54)
        for plot in (self.heat_strip, self.stack_strip, self.stack_plot):
            plot.setXLink(self.heat_plot)
        self.bar_plot.setYLink(self.heat_plot)
        self.heat_plot.invertY(True)
        self.bar_plot.invertY(True)

    def _watch_mouse(self) -> None:
        """Card of the neuron whose row or trace is under the mouse; its row is marked when it is under the mouse elsewhere."""
        me, hover = weakref.ref(self), self.work.hover

        def on(which: str) -> Any:
            def find(place: Any) -> Any:
                dock = me()
                neuron = None if dock is None else dock.neuron_at(which, place)
                return None if neuron is None else (neuron, "", ())

            return find

        for which, view in (("heat", self.heat), ("stack", self.stack)):
            watch(hover, view.viewport(), on(which))
        hover.follow(self, lambda dock, neuron: dock.mark_row(neuron))

    def neuron_at(self, which: str, place: Any) -> str | None:
        """Neuron at a place of the heatmap ("heat") or of the stacked traces ("stack"); None where there is none."""
        recording = self.session.recording
        view, plot = (self.heat, self.heat_plot) if which == "heat" else (self.stack, self.stack_plot)
        point = view.mapToScene(place.toPoint())
        box = plot.getViewBox()
        if recording is None or not box.sceneBoundingRect().contains(point):
            return None
        height = box.mapSceneToView(point).y()
        if which == "heat":
            index = int(self.order[int(height)]) if 0 <= height < len(self.order) else -1
        else:
            near = min(self.curves, key=lambda c: abs(c[2] - height), default=None)
            stacked = self.stack_mode.currentIndex() == 0
            index = near[1] if stacked and near is not None and abs(near[2] - height) < STACK_GAP / 2 else -1
        return str(recording.neurons.index[index]) if 0 <= index < recording.n_neurons else None

    def mark_row(self, neuron: str) -> None:
        """Mark the row of a neuron; "": none."""
        recording = self.session.recording
        place = -1 if recording is None or not neuron else int(recording.neurons.index.get_indexer([neuron])[0])
        rows = np.flatnonzero(self.order == place) if place >= 0 else np.zeros(0, int)
        if not len(rows) or not len(self._times):
            self.hovered.setData([], [])
            return
        low, (start, stop) = int(rows[0]), (float(self._times[0]), float(self._times[-1]))
        self.hovered.setData([start, stop, stop, start, start], [low, low, low + 1, low + 1, low])
        self.hovered.setPen(pg.mkPen(self.colours.text, width=1.2))

    # --- showing ----------------------------------------------------------------------------------------------------

    def refresh(self, topics: set[str]) -> None:
        recording = self.session.recording
        self.empty.setVisible(recording is None)
        self.body.setVisible(recording is not None)
        if topics & {"theme"}:
            self._paint()
        if recording is None:
            return
        if topics - {"time", "history", "jobs", "cohort", "sweep"}:
            self._show_heat(recording)
            self._show_stack(recording)
            self._show_page()
            self._show_strips(recording)
        self._show_time(recording)

    def _show_page(self) -> None:
        """Show the chosen neuron in all worms instead of the stacked traces, if that is wanted."""
        mode = self.stack_mode.currentText()
        across = mode in MODES[2:]
        self.right.setCurrentWidget(self.page if across else self.stack)
        if across:
            self.page.around = mode == MODES[3]
            self.page.show_selection(self.colours)

    def _paint(self) -> None:
        c = self.colours
        for widget in (self.heat, self.stack):
            widget.setBackground(c.background)
        for plot in (self.heat_plot, self.stack_plot, self.heat_strip, self.stack_strip, self.bar_plot):
            plots.paint_axes(plot, c)
        self.stack_strip.getAxis("left").setTicks([[]])
        for plot in (self.heat_strip, self.stack_strip, self.bar_plot):
            plot.getViewBox().setBackgroundColor(QColor(c.background))
        for plot in (self.heat_plot, self.stack_plot):
            plot.getAxis("bottom").setLabel("time (s)", color=c.secondary, **{"font-size": "8pt"})
        for line in self.cursors:
            line.setPen(pg.mkPen(c.accent, width=1.5))

    def _scaled(self, recording: Any) -> np.ndarray:
        """Values (time, neuron) from 0 to 1."""
        raw = raw_of(self.work, recording) if self.raw.isChecked() else None
        z = self.scale.currentIndex() == 0
        source = recording.traces.values if raw is None else raw.values
        key = (raw is not None, z)
        # The array, not the recording: a recording is a new one after every change of a name.
        if self._values is None or self._source is not source or self._values_of != key:
            self._source = source
            self._number += 1
            self.curves = []  # of other traces; they are made anew
            self._times = recording.time_s if raw is None else np.asarray(raw["time"].values, float)
            self._z = zscore(source)
            if z:
                self._values = np.nan_to_num(np.clip((self._z + 1) / 5, 0, 1))
            else:
                finite = source[np.isfinite(source)]
                low, high = np.percentile(finite, [1, 99.5]) if len(finite) else (0.0, 1.0)
                self._values = np.nan_to_num(np.clip((source - low) / max(high - low, 1e-12), 0, 1))
            self._values_of = key
            self._index = np.round(self._values.T * 255).astype(np.uint8)
        return self._values

    def _show_heat(self, recording: Any) -> None:
        drawn = self.work.scene.drawn
        community = drawn.community if drawn is not None and len(drawn.ids) == recording.n_neurons else None
        by = self.sort.currentData()
        self._scaled(recording)
        grouped = by == "community" and community is not None and bool((community >= 0).any())
        key = (
            recording.name,
            by,
            # Similarity and quality do not depend on names; finding the order of similarity takes a while.
            tuple(recording.neurons["name"]) if by in ("name", "class") or grouped else recording.n_neurons,
            self._number if by == "similarity" or (by == "community" and not grouped) else None,
            community.tobytes() if grouped and community is not None else None,
            id(recording.quality) if by == "quality" else None,
        )
        if key not in self._orders:
            self._orders = {key: neuron_order(recording, by, community)}
        self.order = self._orders[key]
        self.raw.setVisible(raw_of(self.work, recording) is not None)
        self.count.setText(f"{recording.n_neurons} neurons")
        lit = self._lit(recording)
        ramps = [self.colours.ramp()]
        which = np.zeros(len(self.order), int)
        if lit.any() and drawn is not None:
            styles = drawn.styles
            place_of: dict[str, int] = {}
            for place in np.flatnonzero(lit[self.order]):
                style = styles.get(int(drawn.community[self.order[place]]))
                colour = style.color if style else self.colours.accent
                if colour not in place_of:
                    place_of[colour] = len(ramps)
                    ramps.append(self._community_ramp(colour))
                which[place] = place_of[colour]
        start, stop = float(self._times[0]), float(self._times[-1])
        step = (stop - start) / max(len(self._times) - 1, 1) or 1.0
        self.image.set_rows(self._index[self.order], start, step, np.stack(ramps), which)
        self.heat_plot.getViewBox().setLimits(xMin=start, xMax=stop + step, yMin=0, yMax=len(self.order))
        if getattr(self, "_shown", None) != (recording.name, len(self.order), start, stop):
            self._shown = (recording.name, len(self.order), start, stop)
            self.heat_plot.setXRange(start, stop + step, padding=0)
            self.heat_plot.setYRange(0, len(self.order), padding=0)
        self._draw_image()
        self._show_bar(drawn, community)
        self._show_box(lit, start, stop + step)

    def _draw_image(self) -> None:
        """Colour the part of the heatmap that is seen."""
        (low, high), _ = self.rows_view.viewRange()
        self.image.draw(low, high, max(int(self.rows_view.width() * self.devicePixelRatioF()), 1))

    def _community_ramp(self, colour: str) -> np.ndarray:
        cache = self.__dict__.setdefault("_ramps", {})
        key = (colour, self.colours.well)
        if key not in cache:
            cache[key] = self.colours.ramp(colour)
        ramp: np.ndarray = cache[key]
        return ramp

    def _group(self) -> int | None:
        """Return the chosen community: of the component, or of the network of the state that is shown."""
        view = self.work.view
        if view.by_state:
            return view.state_group if view.state_group >= 0 else None
        return self.session.selection.community

    def _lit(self, recording: Any) -> np.ndarray:
        """Rows in colour: the selected community, or the selected neurons."""
        drawn = self.work.scene.drawn
        group = self._group()
        if drawn is not None and group is not None and len(drawn.ids) == recording.n_neurons:
            return np.asarray(drawn.community == group)
        chosen = set(self.session.selection.neurons)
        return np.array([str(n) in chosen for n in recording.neurons.index])

    def _show_bar(self, drawn: Any, community: np.ndarray | None) -> None:
        none = community is None or not drawn.styles
        self.heat.ci.layout.setColumnFixedWidth(0, 6 if none else 34)
        if community is None or none:
            self.community_bar.clear()
            self._show_bar_texts([])
            self._bar_key = None
            return
        rows = community[self.order]
        colours = painted_by(rows, drawn.styles, rgb(UNASSIGNED[self.colours.dark]))
        texts: list[tuple[str, float]] = []
        if self.sort.currentData() == "community":
            edges = np.flatnonzero(np.diff(np.concatenate(([-9], rows, [-9]))))
            found, group = [], self._group()
            line = plots.ROW_NAME_PX * len(rows) / max(self.heat_plot.getViewBox().height(), 1.0)
            ends = line / 2, max(len(rows) - line / 2, line / 2)  # a text nearer to the edge would be cut
            for start, stop in itertools.pairwise(edges.tolist()):
                style = drawn.styles.get(int(rows[start]))
                height = min(max((start + stop) / 2, ends[0]), ends[1])
                found.append((style.label if style else "–", height, int(rows[start]) == group))
            texts = _apart(found, line)
        key = (colours.tobytes(), tuple(texts), self.colours.secondary)
        if key == self._bar_key:
            return
        self._bar_key = key
        self.community_bar.setImage((colours[:, None] * 255).astype(np.uint8), levels=(0, 255))
        self.community_bar.setRect(QRectF(26, 0, 8, len(rows)))
        self.bar_plot.setXRange(0, 34, padding=0)
        self._show_bar_texts(texts)

    def _show_bar_texts(self, texts: Sequence[tuple[str, float]]) -> None:
        """Names of the groups at these heights; the items of a moment ago are used again."""
        while len(self.bar_texts) < len(texts):
            item = pg.TextItem("", anchor=(1, 0.5))
            item.setFont(plots.tick_font())
            self.bar_plot.addItem(item, ignoreBounds=True)
            self.bar_texts.append(item)
        for item, (text, height) in zip(self.bar_texts, texts, strict=False):
            item.setText(text, color=self.colours.secondary)
            item.setPos(24, height)
        for place, item in enumerate(self.bar_texts):
            item.setVisible(place < len(texts))

    def _most_stacked(self) -> int:
        """How many stacked traces have room for their names."""
        height = self.stack_plot.getViewBox().height()
        room = (height / plots.ROW_NAME_PX - (STACK_ABOVE + STACK_BELOW) / STACK_GAP) if height > 1 else STACKED_MOST
        return int(np.clip(room, STACKED_LEAST, STACKED_MOST))

    def _resized(self, *_: Any) -> None:
        """Show as many names as have room now."""
        self.mark("view")

    def _show_box(self, lit: np.ndarray, start: float, stop: float) -> None:
        places = np.flatnonzero(lit[self.order])
        if not len(places) or places[-1] - places[0] + 1 != len(places):
            self.box.setData([], [])
            return
        low, high = places[0], places[-1] + 1
        self.box.setData([start, stop, stop, start, start], [low, low, high, high, low])
        self.box.setPen(pg.mkPen(self._chosen_colour(), width=1.2))

    def stacked(self, recording: Any) -> list[int]:
        """Neurons in the stacked plot: the selected neurons, those of the selected community, or the first rows."""
        ids = [str(n) for n in recording.neurons.index]
        chosen = [ids.index(n) for n in self.session.selection.neurons if n in ids]
        lit = self._lit(recording)
        others = [int(i) for i in self.order if lit[i] and int(i) not in chosen]
        if chosen and not others:
            others = [i for i in self._similar(chosen[0]) if i not in chosen]
        found = [*chosen, *others] or [int(i) for i in self.order]
        # of a community all are shown, where there is little room with every second name
        return found[: STACKED_MOST if lit.any() and not chosen else self._most_stacked()]

    def _similar(self, neuron: int) -> list[int]:
        """Neurons whose traces are most similar to one."""
        z = np.nan_to_num(self._z)
        return [int(i) for i in np.argsort(-(z.T @ z[:, neuron]), kind="stable") if i != neuron][:10]

    def _show_stack(self, recording: Any) -> None:
        drawn = self.work.scene.drawn
        chosen = self.stacked(recording)
        overlaid = self.stack_mode.currentIndex() == 1
        c = self.colours
        selected = set(self.session.selection.neurons)
        snr = recording.quality["snr"] if recording.quality is not None and "snr" in recording.quality else None
        self.snr.setEnabled(snr is not None)
        wanted = []
        for place, neuron in enumerate(chosen):
            colour = c.bar
            if drawn is not None and len(drawn.ids) == recording.n_neurons:
                style = drawn.styles.get(int(drawn.community[neuron]))
                if style is not None and self._group() == int(drawn.community[neuron]):
                    colour = style.color
            name = str(recording.neurons.index[neuron])
            if name in selected:
                colour = c.accent
            text = f"{name} {snr.iloc[neuron]:.0f}" if self.snr.isChecked() and snr is not None else name
            wanted.append((neuron, 0.0 if overlaid else -place * STACK_GAP, colour, text))
        self._show_curves(wanted, overlaid)
        community = self._group()
        if community is not None and drawn is not None and community in drawn.styles:
            style = drawn.styles[community]
            self.chosen_icon.setPixmap(swatch(style.color, c.dark).pixmap(11, 11))
            self.chosen.setText(f"Community {style.label}  ·  {int((drawn.community == community).sum())} neurons")
        elif selected:
            self.chosen_icon.clear()
            names = ", ".join(list(self.session.selection.neurons)[:3])
            self.chosen.setText(names + (" and the most similar" if len(selected) == 1 else ""))
        else:
            self.chosen_icon.clear()
            self.chosen.setText(f"first {len(chosen)} rows")

    def _show_curves(self, wanted: Sequence[tuple[int, float, str, str]], overlaid: bool) -> None:
        """Stack these (neuron, offset, colour, name); the curves of a moment ago are used again."""
        end, c = float(self._times[-1]), self.colours
        key = (tuple(wanted), overlaid, end, c.text, c.secondary, self._number)
        if key == self._stack_key:
            return
        self._stack_key = key
        while len(self._curves) < len(wanted):
            curve = pg.PlotCurveItem(connect="finite", skipFiniteCheck=False)
            self.stack_plot.addItem(curve)
            self._curves.append(curve)
        self.curves = []
        for curve, (neuron, offset, colour, _) in zip(self._curves, wanted, strict=False):
            curve.setPen(pg.mkPen(colour, width=1))
            self.curves.append((curve, neuron, offset))
        for curve in self._curves[len(wanted) :]:
            curve.setData([], [])  # a hidden one would still count for "view all"
        self._stack_names.show([] if overlaid else [(one[1], one[3]) for one in wanted])
        low = -3.0 if overlaid else -(len(wanted) - 1) * STACK_GAP - STACK_BELOW
        self.stack_plot.setYRange(low, 6 if overlaid else STACK_GAP + STACK_ABOVE, padding=0)
        self._draw_curves()
        self.stack_scale.setData([end, end], [STACK_GAP - 0.2, STACK_GAP + 1.8])
        self.stack_scale.setPen(pg.mkPen(c.text, width=2.5))
        self.stack_unit.setText("2 z", color=c.secondary)
        self.stack_unit.setPos(end, 6.0 if overlaid else STACK_GAP + STACK_ABOVE)  # the upper border: never cut

    def _draw_curves(self) -> None:
        """Give the stacked curves the points that can be seen."""
        if not self.curves or self._values is None:
            return
        view = self.stack_plot.getViewBox()
        (low, high), _ = view.viewRange()
        neurons = [n for _, n, _ in self.curves]
        columns = max(int(view.width() * self.devicePixelRatioF()), 1)
        time, values = plots.envelope(self._times, self._z[:, neurons], low, high, columns)
        for place, (curve, _, offset) in enumerate(self.curves):
            curve.setData(time, values[:, place] + offset)

    def _show_strips(self, recording: Any) -> None:
        c = self.colours
        channel = self._channel(recording)
        windows = [] if self.work.view.by_state else selected_windows(self.session)
        room = max(int(self.heat.width() / max(len(recording.stimuli), 1) / 8), 0)
        self._show_windows(windows)
        key = (recording, self.session.states, channel, c, room)
        if len(key) == len(self._strip_key) and all(
            a is b or (i > 1 and a == b) for i, (a, b) in enumerate(zip(key, self._strip_key, strict=True))
        ):
            return
        self._strip_key = key
        for plot, item in self.strip_items:
            plot.removeItem(item)
        self.strip_items = []
        spans = plots.stimulus_spans(recording)
        values = recording.behaviour[channel] if channel else None
        binary = values is not None and values.attrs.get("kind") == "binary"
        moves = plots.intervals(np.asarray(values), recording.time_s) if binary else []
        for plot in (self.heat_strip, self.stack_strip):
            # Above the stimuli, below the behaviour, between them when the selected community is active, in its colour.
            for marks in (
                plots.Marks(spans, 1.15, 1.85, c.track),
                plots.Marks(moves, 0.15, 0.8, c.secondary),
            ):
                if marks.spans:
                    plot.addItem(marks, ignoreBounds=True)
                    self.strip_items.append((plot, marks))
            if values is not None and not binary:
                line = pg.PlotCurveItem(
                    recording.time_s,
                    0.1 + 0.8 * scaled(values.values),
                    pen=pg.mkPen(c.secondary, width=1),
                    connect="finite",
                )
                plot.addItem(line, ignoreBounds=True)
                self.strip_items.append((plot, line))
        self._show_states(recording)
        for (start, _), name in zip(spans, recording.stimuli["name"].tolist(), strict=True):
            most = max(room - 3, 3)
            short = str(name) if len(str(name)) <= most else f"{str(name)[: most - 1]}…"
            text = pg.TextItem(short, color=c.text, anchor=(0, 0.5))
            text.setFont(plots.tick_font())
            text.setPos(start, 1.5)
            self.heat_strip.addItem(text, ignoreBounds=True)
            self.strip_items.append((self.heat_strip, text))
        for band in plots.shade(self.stack_plot, spans, c.track, 110):
            self.strip_items.append((self.stack_plot, band))
        for band in plots.shade(self.stack_plot, moves, c.secondary, 26):
            self.strip_items.append((self.stack_plot, band))
        states = "; switching states at the bottom" if self.session.states is not None else ""
        self.heat_strip.setToolTip((f"stimuli above, {channel} below" if channel else "stimuli") + states)

    def _show_windows(self, windows: list[tuple[float, float]]) -> None:
        """Mark when the selected community is active, in its colour: the marks of a moment ago get other times."""
        colour = self._chosen_colour()
        if not self._windows:
            self._windows = [plots.Marks([], 0.9, 1.06, colour) for _ in range(2)]
            for plot, marks in zip((self.heat_strip, self.stack_strip), self._windows, strict=True):
                plot.addItem(marks, ignoreBounds=True)
            self._window_band = plots.Bands([], colour, 26)
            self.stack_plot.addItem(self._window_band, ignoreBounds=True)
        for one in (*self._windows, self._window_band):
            one.set_spans(windows, colour)

    def _show_states(self, recording: Any) -> None:
        """Show the state of the worm at every time under stimuli and behaviour, where states were found."""
        states = self.session.states
        spans = dict(ribbon(states, recording.name)) if states is not None else {}
        for view, plot in ((self.heat, self.heat_strip), (self.stack, self.stack_strip)):
            view.ci.layout.setRowFixedHeight(0, 36 if spans else 26)
            plot.setYRange(-0.8 if spans else 0, 2, padding=0)
            for state, visits in spans.items():
                marks = plots.Marks(visits, -0.7, -0.05, state_color(state, self.colours.dark))
                if visits:
                    plot.addItem(marks, ignoreBounds=True)
                    self.strip_items.append((plot, marks))

    def _chosen_colour(self) -> str:
        drawn, group = self.work.scene.drawn, self._group()
        style = drawn.styles.get(group) if drawn is not None and group is not None else None
        return style.color if style else self.colours.accent

    def _channel(self, recording: Any) -> str | None:
        """Return the behaviour channel that is shown; the choice follows the recording's channels."""
        names = [str(n) for n in recording.behaviour.data_vars]
        listed = [self.behaviour.itemData(i) for i in range(self.behaviour.count())]
        if listed != [*names, ""]:
            self.behaviour.clear()
            for name in names:
                self.behaviour.addItem(name, name)
            self.behaviour.addItem("no behaviour", "")
            wanted = self.remembered("behaviour")
            if wanted not in [*names, ""]:
                wanted = plots.binary_channel(recording) or ""
            self.behaviour.setCurrentIndex(max(self.behaviour.findData(wanted), 0))
        self.behaviour.setVisible(bool(names))
        return self.behaviour.currentData() or None

    # --- time -------------------------------------------------------------------------------------------------------

    def _show_time(self, recording: Any) -> None:
        time = self.session.selection.time_s
        self._moving = True
        try:
            for line in self.cursors:
                line.setValue(time)
        finally:
            self._moving = False
        frame = int(np.argmin(np.abs(recording.time_s - time)))
        self.time.setText(f"t = {time:.1f} s")
        self.frame.setText(f"frame {frame + 1} of {recording.n_times}")

    def _dragged(self, line: Any) -> None:
        recording = self.session.recording
        if self._moving or recording is None:
            return
        times = recording.time_s
        self.session.select(time_s=float(times[int(np.argmin(np.abs(times - line.value())))]))

    def _rows_chosen(self, low: float, high: float, more: bool) -> None:
        """Choose the neurons of the rows between two heights."""
        recording = self.session.recording
        if recording is None:
            return
        first, last = max(int(np.floor(low)), 0), min(int(np.floor(high)) + 1, len(self.order))
        found = [str(recording.neurons.index[i]) for i in self.order[first:last]]
        if found:
            self.session.select(neurons=(*self.session.selection.neurons, *found) if more else tuple(found))

    def _clicked(self, event: Any) -> None:
        """A click in the heatmap sets the time and picks the neuron of that row."""
        recording = self.session.recording
        view = self.heat_plot.getViewBox()
        if recording is None or not view.sceneBoundingRect().contains(event.scenePos()):
            return
        point = view.mapSceneToView(event.scenePos())
        place = int(point.y())
        times = recording.time_s
        if 0 <= place < len(self.order):
            neuron = str(recording.neurons.index[self.order[place]])
            more = event.modifiers() & (Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.ControlModifier)
            neurons = (*self.session.selection.neurons, neuron) if more else (neuron,)
            self.session.select(time_s=float(times[int(np.argmin(np.abs(times - point.x())))]), neurons=neurons)

    def _toggled(self, key: str, value: Any, topic: str) -> None:
        self.remember(key, value)
        self.mark(topic)

    def _sorted(self) -> None:
        self.remember("sort", self.sort.currentData())
        self.mark("neurons")

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        wide = self.width() > 930
        self.frame.setVisible(wide)
        self.count.setVisible(wide)


def _apart(texts: Sequence[tuple[str, float, bool]], room: float) -> list[tuple[str, float]]:
    """Texts with their heights that are at least so far apart: those that must be there (True) first, then from the top."""
    kept: list[tuple[str, float]] = []
    for text, height, _ in sorted(texts, key=lambda one: not one[2]):
        if all(abs(height - other) >= room for _, other in kept):
            kept.append((text, height))
    return kept
