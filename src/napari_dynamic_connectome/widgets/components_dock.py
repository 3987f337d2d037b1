"""Dock 5: how many components, what each one is: time course over the stimuli, worms, strongest pairs."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QComboBox, QGridLayout, QSizePolicy, QVBoxLayout, QWidget

from ..model.results import Components
from . import plots
from .base import Dock, Fold, button, label, row
from .tables import Column, Table


class Card(QWidget):
    """One component, painted: number, share, time course over stimuli, worm loadings, strongest pair."""

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.component = 0
        self.course: tuple[np.ndarray, np.ndarray] | None = None
        self.spans: list[tuple[float, float]] = []
        self.worms = np.zeros(0)
        self.worm_at = -1
        self.share = 0.0
        self.pair = ""
        self.time: float | None = None
        self.is_chosen = False
        self.colours: Any = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(84)

    def sizeHint(self) -> QSize:
        return QSize(132, 84)

    def mousePressEvent(self, event: Any) -> None:
        self.chosen.emit(self.component)

    def keyPressEvent(self, event: Any) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Space, Qt.Key.Key_Enter):
            self.chosen.emit(self.component)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: Any) -> None:
        c = self.colours
        if c is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setBrush(QColor(c.well))
        painter.setPen(
            QPen(
                QColor(c.accent if self.is_chosen else c.secondary if self.hasFocus() else c.hairline),
                1.2 if self.is_chosen else 1,
            )
        )
        painter.drawRoundedRect(area, 4, 4)
        inner = area.adjusted(8, 4, -8, -4)
        font = painter.font()
        font.setPointSizeF(9)
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(QColor(c.text))
        painter.drawText(inner, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop), str(self.component))
        font.setBold(False)
        font.setPointSizeF(8)
        painter.setFont(font)
        painter.setPen(QColor(c.secondary))
        painter.drawText(inner, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop), f"{self.share:.0%}")
        full = self.height() > 72
        bottom = inner.bottom() - (32 if full else 0)
        self._paint_course(painter, QRectF(inner.left(), inner.top() + 15, inner.width(), bottom - inner.top() - 15))
        if full:
            self._paint_worms(painter, QRectF(inner.left(), bottom + 3, inner.width(), 12))
            painter.setPen(QColor(c.secondary))
            painter.drawText(
                QRectF(inner.left(), inner.bottom() - 14, inner.width(), 14),
                int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter),
                self.pair,
            )
        painter.end()

    def _paint_course(self, painter: QPainter, area: QRectF) -> None:
        c = self.colours
        if self.course is None or len(self.course[0]) < 2:
            return
        time, values = self.course
        start, stop = float(time[0]), float(time[-1])
        scale = area.width() / max(stop - start, 1e-9)
        top = float(np.nanmax(values)) or 1.0
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(c.track))
        for a, b in self.spans:
            x = area.left() + (max(a, start) - start) * scale
            width = (min(b, stop) - max(a, start)) * scale
            if width > 0:
                painter.drawRect(QRectF(x, area.top(), max(width, 1), area.height()))
        # No more points than pixels: the largest of each bin, so that peaks stay.
        bins = max(int(area.width()), 2)
        if len(values) > 2 * bins:
            edges = np.linspace(0, len(values), bins + 1).astype(int)
            values = np.array([np.nanmax(values[a:b]) if b > a else np.nan for a, b in itertools.pairwise(edges)])
            time = np.linspace(start, stop, bins)
        line = QPolygonF(
            [
                QPointF(area.left() + (t - start) * scale, area.bottom() - 1 - (v / top) * (area.height() - 3))
                for t, v in zip(time, np.nan_to_num(values), strict=True)
            ]
        )
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(c.text if self.is_chosen else c.bar), 1.1))
        painter.drawPolyline(line)
        if self.time is not None and start <= self.time <= stop:
            x = area.left() + (self.time - start) * scale
            painter.setPen(QPen(QColor(c.accent), 1.2))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))

    def _paint_worms(self, painter: QPainter, area: QRectF) -> None:
        if not len(self.worms):
            return
        c = self.colours
        top = float(self.worms.max()) or 1.0
        step = min(area.width() / len(self.worms), 12.0)
        painter.setPen(Qt.PenStyle.NoPen)
        for place, value in enumerate(self.worms):
            height = max(value / top * area.height(), 1)
            painter.setBrush(QColor(c.accent if place == self.worm_at else c.bar))
            painter.drawRect(QRectF(area.left() + place * step, area.bottom() - height, max(step - 1.5, 1), height))


class ComponentsDock(Dock):
    """Rank and components."""

    title = "Components"

    def build(self, layout: QVBoxLayout) -> None:
        self.empty = label("No components yet. Press Analyze in the Cohort dock.", "empty")
        layout.addWidget(self.empty)
        self.body = QWidget()
        inner = QVBoxLayout(self.body)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(6)
        layout.addWidget(self.body)
        layout.addStretch(1)
        self.rank = QComboBox()
        self.rank.setToolTip("Number of components. Default: the one that the sweep suggests.")
        self.rank.setMinimumContentsLength(13)
        self.rank.activated.connect(lambda *_: self.choose_rank(self.rank.currentData()))
        self.stats = label("", "secondary")
        inner.addLayout(row(label("Rank", "head"), self.rank, self.stats))
        self.grid_box = QWidget()
        self.grid = QGridLayout(self.grid_box)
        self.grid.setContentsMargins(0, 0, 0, 0)
        self.grid.setSpacing(6)
        inner.addWidget(self.grid_box)
        self.legend = label("", "secondary")
        inner.addWidget(self.legend)
        self.cards: list[Card] = []
        self.sweep_plot = plots.plot_widget()
        self.sweep_plot.setFixedHeight(120)
        self.sweep_plot.setToolTip(
            "Relative error over observed entries (dots), held-out error (line with error bars); click a rank to use it."
        )
        self.sweep_plot.scene().sigMouseClicked.connect(self._sweep_clicked)
        self.sweep_table = Table(
            [
                Column("rank", lambda r: f"{int(r['rank'])}", 44, right=True),
                Column(
                    "error",
                    lambda r: f"{r['error']:.3f}",
                    58,
                    right=True,
                    tip="Relative error over observed entries, median of starts.",
                ),
                Column(
                    "held out",
                    lambda r: _or_dash(r.get("held_out")),
                    66,
                    right=True,
                    tip="Error on fibres that were not fitted.",
                ),
                Column(
                    "restarts",
                    lambda r: _or_dash(r.get("similarity")),
                    62,
                    right=True,
                    tip="Median similarity of the restarts with the best start.",
                ),
                Column(
                    "core",
                    lambda r: _or_dash(r.get("core_consistency"), 0),
                    0,
                    right=True,
                    tip="Core consistency in percent.",
                ),
            ]
        )
        self.sweep_table.setFixedHeight(150)
        self.sweep_table.doubleClicked.connect(
            lambda index: self.choose_rank(int(self.sweep_table.rows_model.rows[index.row()]["rank"]))
        )
        self.reason = label("", "secondary", wrap=True)
        box = QWidget()
        sweep_layout = QVBoxLayout(box)
        sweep_layout.setContentsMargins(0, 0, 0, 0)
        sweep_layout.setSpacing(4)
        for widget in (self.reason, self.sweep_plot, self.sweep_table):
            sweep_layout.addWidget(widget)
        self.sweep_fold = Fold("Rank sweep", box)
        inner.addWidget(self.sweep_fold)

        self.first, self.second = QComboBox(), QComboBox()
        for one in (self.first, self.second):
            one.setToolTip("Neuron of the preview.")
            one.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            one.setMinimumContentsLength(6)
            one.activated.connect(lambda *_: self._preview())
        self.preview = plots.plot_widget()
        self.preview.setFixedHeight(110)
        preview_box = QWidget()
        preview_layout = QVBoxLayout(preview_box)
        preview_layout.setContentsMargins(0, 0, 0, 0)
        preview_layout.setSpacing(4)
        preview_layout.addLayout(row(self.first, self.second, None))
        preview_layout.addWidget(self.preview)
        self.preview_fold = Fold("Affinity of two neurons", preview_box)
        self.preview_fold.head.toggled.connect(lambda on: self._preview() if on else None)
        inner.addWidget(self.preview_fold)

        self.pairs = Table(
            [
                Column("pair", lambda r: f"{r['a']} – {r['b']}", 0),
                Column("strength", lambda r: f"{r['value']:.3f}", 110, bar=lambda r: r["relative"]),
            ]
        )
        self.pairs.setFixedHeight(150)
        self.pairs.selectionModel().selectionChanged.connect(lambda *_: self._pair_chosen())
        self.pairs_fold = Fold("Strongest pairs", self.pairs)
        inner.addWidget(self.pairs_fold)
        self.match_text = label("", "secondary", wrap=True)
        self.match_button = button(
            "Match to a session…",
            self.match_to,
            "Compare with the components of another session: which belong together, and how similar they are.",
        )
        match_box = QWidget()
        match_box.setLayout(row(self.match_text, self.match_button))
        self.match_fold = Fold("Compare with another fit", match_box)
        inner.addWidget(self.match_fold)

    # --- showing ----------------------------------------------------------------------------------------------------

    def refresh(self, topics: set[str]) -> None:
        components = self.session.components
        self.empty.setVisible(components is None)
        self.body.setVisible(components is not None)
        if components is None:
            return
        if topics & {"components", "sweep", "current", "theme", "recordings"}:
            self._show_rank(components)
            self._show_cards(components)
            self._show_sweep()
            self._fill_preview()
        if topics & {"selection", "components", "time", "current", "theme"}:
            selected = self.session.selection
            for card in self.cards:
                card.is_chosen = card.component == selected.component
                card.time = selected.time_s if self._on_clock(components) else None
                card.update()
        if topics & {"selection", "components", "theme"}:
            self._show_pairs(components)
            if self.preview_fold.head.isChecked():
                self._preview()

    def _on_clock(self, components: Components) -> bool:
        """Whether the viewer's time is the components' clock (aligned worms share one that may differ from the worm's own)."""
        recording = self.session.recording
        if recording is None or components.model == "unaligned":
            return True
        own = recording.stimuli["onset"].to_numpy(float)
        common = components.stimuli["onset"].to_numpy(float) if "onset" in components.stimuli else own
        return len(own) == len(common) and bool(np.allclose(own, common, atol=1.0))

    def _show_rank(self, components: Components) -> None:
        sweep = self.session.sweep
        self.rank.blockSignals(True)
        self.rank.clear()
        ranks = sorted(sweep.components) if sweep is not None else [components.rank]
        for one in ranks:
            self.rank.addItem(f"{one} (suggested)" if sweep is not None and one == sweep.suggested else str(one), one)
        self.rank.setCurrentIndex(max(self.rank.findData(components.rank), 0))
        self.rank.blockSignals(False)
        parts = [f"error {components.error:.2f}"]
        if sweep is not None:
            line = sweep.table[sweep.table["rank"] == components.rank]
            if len(line):
                if np.isfinite(line["held_out"].iloc[0]):
                    parts.append(f"held-out {line['held_out'].iloc[0]:.2f}")
                if np.isfinite(line["similarity"].iloc[0]):
                    parts.append(f"restarts {line['similarity'].iloc[0]:.2f}")
        self.stats.setText("  ·  ".join(parts))
        self.stats.setToolTip(self.stats.text())

    def _show_cards(self, components: Components) -> None:
        while len(self.cards) < components.rank:
            card = Card()
            card.chosen.connect(lambda number: self.session.select(component=number))
            self.cards.append(card)
        while len(self.cards) > components.rank:
            card = self.cards.pop()
            card.setParent(None)
            card.deleteLater()
        columns = 3 if components.rank > 2 else max(components.rank, 1)
        worms = [str(w) for w in components.worm["worm"].values]
        current = self.session.current
        worm = current if current in worms else worms[0]
        weight = components.weight.values**2
        total = float(weight.sum()) or 1.0
        for place, card in enumerate(self.cards):
            number = place + 1
            self.grid.addWidget(card, place // columns, place % columns)
            course = components.time_course(number, worm if components.model == "unaligned" else None)
            card.component = number
            card.course = (np.asarray(course["time"].values, float), np.asarray(course.values, float))
            card.spans = self._spans(components)
            card.worms = np.asarray(components.worm.sel(component=number).values, float)
            card.worm_at = worms.index(current) if current in worms else -1
            card.share = float(weight[place] / total)
            card.pair = _strongest(components, number)
            card.colours = self.colours
            card.setToolTip(f"Component {number}: {card.share:.0%} of the weight. Click to choose.")
            card.setAccessibleName(f"component {number}")
        clock = "own clock of " + worm if components.model == "unaligned" else "common clock"
        self.legend.setText(f"time course ({clock}) over stimuli  ·  bars: {len(worms)} worms")
        self._fit()

    def _spans(self, components: Components) -> list[tuple[float, float]]:
        table = components.stimuli
        if components.model == "unaligned":
            return plots.stimulus_spans(self.session.recording) if self.session.recording is not None else []
        if "onset" not in table or "offset" not in table:
            return []
        return [(float(a), float(b)) for a, b in zip(table["onset"], table["offset"], strict=True)]

    def _fit(self) -> None:
        """Small docks keep only the time courses."""
        lines = max((len(self.cards) + 2) // 3, 1)
        height = 84 if self.height() >= 62 + 90 * min(lines, 2) else 56
        for card in self.cards:
            card.setFixedHeight(height)
        self.legend.setVisible(height > 60)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self._fit()

    def _show_sweep(self) -> None:
        sweep = self.session.sweep
        self.sweep_fold.setVisible(sweep is not None)
        if sweep is None:
            return
        c = self.colours
        table = sweep.table
        self.sweep_fold.summary.setText(f"{len(table)} ranks, {sweep.suggested} suggested")
        self.reason.setText(sweep.reason)
        item = self.sweep_plot.getPlotItem()
        item.clear()
        plots.paint_axes(item, c)
        self.sweep_plot.setBackground(c.well)
        ranks = table["rank"].to_numpy(float)
        held, error = table["held_out"].to_numpy(float), table["error"].to_numpy(float)
        item.plot(
            ranks,
            error,
            pen=plots.pg.mkPen(c.secondary, width=1),
            symbol="o",
            symbolSize=5,
            symbolBrush=c.secondary,
            symbolPen=None,
        )
        good = np.isfinite(held)
        if good.any():
            spread = np.nan_to_num(table["held_out_se"].to_numpy(float)[good])
            item.addItem(
                plots.pg.ErrorBarItem(
                    x=ranks[good], y=held[good], top=spread, bottom=spread, beam=0.15, pen=plots.pg.mkPen(c.text)
                )
            )
            item.plot(
                ranks[good],
                held[good],
                pen=plots.pg.mkPen(c.text, width=1.4),
                symbol="o",
                symbolSize=5,
                symbolBrush=c.text,
                symbolPen=None,
            )
        line = plots.pg.InfiniteLine(sweep.suggested, angle=90, pen=plots.pg.mkPen(c.accent, width=1.2))
        item.addItem(line)
        item.getAxis("bottom").setTicks([[(r, str(int(r))) for r in ranks]])
        values = np.concatenate([error, held[good]])
        pad = 0.08 * (values.max() - values.min() or 1.0)
        item.setXRange(ranks.min() - 0.4, ranks.max() + 0.4, padding=0)
        item.setYRange(values.min() - pad, values.max() + pad, padding=0)
        self.sweep_table.set_colours(c)
        self.sweep_table.rows_model.set_rows(table.to_dict("records"))

    def _sweep_clicked(self, event: Any) -> None:
        view = self.sweep_plot.getViewBox()
        if view.sceneBoundingRect().contains(event.scenePos()):
            self.choose_rank(round(view.mapSceneToView(event.scenePos()).x()))

    def _show_pairs(self, components: Components) -> None:
        from ..figures.components import strongest_pairs

        number = min(self.session.selection.component, components.rank)
        table = strongest_pairs(components, number, 12)
        names = [c for c in table.columns if table[c].dtype == object or str(table[c].dtype).startswith("str")][:2]
        values = next(c for c in table.columns if c not in names and table[c].dtype.kind == "f")
        top = float(table[values].max()) if len(table) else 1.0
        rows = [
            {"a": str(a), "b": str(b), "value": float(v), "relative": float(v) / (top or 1.0)}
            for a, b, v in zip(table[names[0]], table[names[1]], table[values], strict=True)
        ]
        self.pairs.set_colours(self.colours)
        self.pairs.rows_model.set_rows(rows)
        self.pairs_fold.summary.setText(f"{rows[0]['a']} – {rows[0]['b']}" if rows else "none")

    def _pair_chosen(self) -> None:
        rows = self.pairs.chosen()
        if rows and not self.pairs.quiet:
            self.session.select(neurons=(rows[0]["a"], rows[0]["b"]))

    # --- affinity preview -------------------------------------------------------------------------------------------

    def _fill_preview(self) -> None:
        recording = self.session.recording
        names = recording.named if recording is not None else []
        for place, box in enumerate((self.first, self.second)):
            old = box.currentText()
            box.clear()
            box.addItems(names)
            if old in names:
                box.setCurrentText(old)
            elif len(names) > place:
                box.setCurrentIndex(place)

    def _preview(self) -> None:
        """Traces of two neurons and their affinity over time, with the settings of the last analysis."""
        recording = self.session.recording
        first, second = self.first.currentText(), self.second.currentText()
        item = self.preview.getPlotItem()
        item.clear()
        if recording is None or not first or first == second:
            return
        from ..affinity.compute import compute_affinity
        from ..model.cohort import Cohort
        from ..model.errors import DynamicConnectomeError
        from ..overlay.order import zscore

        c = self.colours
        plots.paint_axes(item, c)
        self.preview.setBackground(c.well)
        two = recording.replace(
            traces=recording.traces.sel(neuron=[first, second]),
            neurons=recording.neurons.loc[[first, second]],
            quality=None,
        )
        values = zscore(two.traces.values)
        for column, shift in ((0, 3.2), (1, 0.0)):
            item.plot(two.time_s, values[:, column] + shift, pen=plots.pg.mkPen(c.bar, width=1.1), connect="finite")
        try:
            settings = dict(self.session.settings.get("affinity", {})) | {"alignment": "none"}
            spec = compute_affinity(Cohort([two]), settings)
            block = spec.blocks[0]
            tile = block.dense()[0, 0]
            item.plot(
                np.asarray(block.time_s, float),
                np.asarray(tile, float) * 2.5 - 5.2,
                pen=plots.pg.mkPen(c.accent, width=1.4),
            )
            self.preview_fold.summary.setText(f"{first} – {second}: mean affinity {float(np.nanmean(tile)):.2f}")
        except DynamicConnectomeError as error:
            self.preview_fold.summary.setText(str(error))
        item.getAxis("left").setTicks([[(3.2, first), (0.0, second), (-4.0, "affinity")]])
        item.getAxis("left").setWidth(52)

    # --- actions ----------------------------------------------------------------------------------------------------

    def choose_rank(self, rank: int) -> Any | None:
        """Use another rank of the sweep; communities are found for it in the background."""
        sweep, old = self.session.sweep, self.session.components
        if sweep is None or rank not in sweep.components or old is None or rank == old.rank:
            return None
        components = sweep.components[rank]
        self.session.set_components(components)
        if rank in self.work.by_rank:
            self.session.set_communities(self.work.by_rank[rank])
            return None
        values = self.session.settings

        def run(progress: Any, cancel: Any) -> Any:
            from ..pipeline.run import partition
            from ..pipeline.settings import PipelineSettings

            return partition(components, PipelineSettings.parse(values), progress=progress, cancel=cancel)

        def done(found: Any) -> None:
            self.work.by_rank[rank] = dict(found)
            if self.session.components is components:
                self.session.set_communities(found)

        return self.work.jobs.start(f"Communities of rank {rank}", run, done)

    def match_to(self, path: str | None = None) -> None:
        """Ask for another session and match its components to these."""
        if path is None:
            from qtpy.QtWidgets import QFileDialog

            path = QFileDialog.getExistingDirectory(self, "Session to compare with")
        if not path:
            return
        mine, source = self.session.components, path

        def run(progress: Any, cancel: Any) -> Any:
            from ..factorization.match import match_components
            from ..io.session import load_session

            other = load_session(source).components
            return match_components(mine, other)

        def done(found: Any) -> None:
            self.match_text.setText(str(getattr(found, "table", found)))
            self.match_fold.head.setChecked(True)

        self.work.jobs.start("Match components", run, done)


def _strongest(components: Components, number: int) -> str:
    matrix = np.nan_to_num(components.matrix(number).values)
    place = np.unravel_index(int(np.argmax(np.triu(matrix, 1))), matrix.shape)
    return f"{components.neurons[place[0]]}–{components.neurons[place[1]]}"


def _or_dash(value: Any, digits: int = 3) -> str:
    return "–" if value is None or not np.isfinite(value) else f"{value:.{digits}f}"
