"""The rank sweep: errors, agreement of the restarts, and which rank is suggested; a click on a rank uses it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ..qt import plots
from ..qt.controls import label
from ..qt.table_view import Column, Table


class SweepView(QWidget):
    """Plots and table of a sweep.

    Signals
    -------
    chosen(rank)
        A rank was clicked in a plot or double-clicked in the table.
    """

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.reason = label("", "secondary", wrap=True)
        self.errors, self.restarts = plots.plot_widget(), plots.plot_widget()
        self.errors.setFixedHeight(112)
        self.restarts.setFixedHeight(74)
        self.errors.setToolTip(
            "Relative error over observed entries (grey) and on fibres that were not fitted (bright, with its standard "
            "error). Dashed, shaded: the same of time-shifted cohorts, which hold no structure. Line: the suggested rank. Click a "
            "rank to use it."
        )
        self.restarts.setToolTip(
            "How alike the restarts are to the best start, 0 to 1: low means that the components depend on the start. "
            "Dashed: 0.9. Click a rank to use it."
        )
        for plot, title in ((self.errors, "error"), (self.restarts, "restarts")):
            plot.getAxis("left").setWidth(46)
            plot.setMouseEnabled(False, False)
            plot.setAccessibleName(f"{title} by rank")
            plot.scene().sigMouseClicked.connect(lambda event, plot=plot: self._clicked(plot, event))
        self.table = Table(
            [
                Column("rank", lambda r: f"{int(r['rank'])}", 44, right=True),
                Column(
                    "error",
                    lambda r: _or_dash(r["error"]),
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
        self.table.setToolTip("Double click or Enter uses a rank.")
        self.table.activated.connect(
            lambda index: self.chosen.emit(int(self.table.rows_model.rows[index.row()]["rank"]))
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (self.reason, self.errors, self.restarts, self.table):
            layout.addWidget(widget)

    def show_sweep(self, sweep: Any, rank: int, colours: Any) -> None:
        """Show a sweep; `rank` is the one in use."""
        table = sweep.table
        self.reason.setText(" ".join(x for x in (sweep.reason, often_text(sweep)) if x))
        ranks = table["rank"].to_numpy(float)
        error, held = table["error"].to_numpy(float), table["held_out"].to_numpy(float)
        alike = table["similarity"].to_numpy(float)
        for plot in (self.errors, self.restarts):
            plot.getPlotItem().clear()
            plots.paint_axes(plot.getPlotItem(), colours)
            plot.setBackground(colours.background)
            if sweep.suggested:
                line = pg.InfiniteLine(sweep.suggested, angle=90, pen=pg.mkPen(colours.accent, width=1.2))
                plot.addItem(line)
            plot.getAxis("bottom").setTicks([[(r, str(int(r))) for r in ranks]])
            plot.setXRange(ranks.min() - 0.4, ranks.max() + 0.4, padding=0)
        self.errors.getAxis("bottom").setStyle(showValues=False)
        self.errors.getAxis("bottom").setHeight(5)
        self.restarts.setLabel("bottom", "components", color=colours.secondary, **{"font-size": "7.5pt"})
        self._curve(self.errors, ranks, error, colours.secondary, 1.0)
        good = np.isfinite(held)
        if good.any():
            spread = np.nan_to_num(table["held_out_se"].to_numpy(float)[good])
            pen = pg.mkPen(colours.text)
            self.errors.addItem(
                pg.ErrorBarItem(x=ranks[good], y=held[good], top=spread, bottom=spread, beam=0.15, pen=pen)
            )
            self._curve(self.errors, ranks[good], held[good], colours.text, 1.4)
        values = np.concatenate([error, held[good], self._show_chance(sweep, colours)])
        pad = 0.08 * (np.ptp(values) or 1.0)
        self.errors.setYRange(values.min() - pad, values.max() + pad, padding=0)
        sure = np.isfinite(alike)
        self.restarts.setVisible(bool(sure.any()))
        dashed = pg.mkPen(colours.hairline, style=Qt.PenStyle.DashLine)
        self.restarts.addItem(pg.InfiniteLine(0.9, angle=0, pen=dashed))
        self._curve(self.restarts, ranks[sure], alike[sure], colours.text, 1.4)
        self.restarts.setYRange(min(0.5, float(alike[sure].min()) - 0.05 if sure.any() else 0.5), 1.05, padding=0)
        self.restarts.getAxis("left").setTicks([[(0.5, "0.5"), (1.0, "1")]])
        self.table.set_colours(colours)
        self.table.rows_model.set_rows(table.to_dict("records"))
        self.table.setFixedHeight(min(len(table), 8) * 20 + 28)
        self.table.choose([i for i, r in enumerate(ranks) if int(r) == rank])

    def _show_chance(self, sweep: Any, colours: Any) -> np.ndarray:
        """Draw the held-out errors of time-shifted cohorts; return what is drawn."""
        table = None if sweep.chance is None else sweep.chance.table
        if table is None or not len(table) or "chance_held_out" not in table:
            return np.zeros(0)
        table = table[np.isfinite(table["chance_held_out"].to_numpy(float))]
        if not len(table):
            return np.zeros(0)
        x = table["rank"].to_numpy(float)
        mean, low, high = (
            table[c].to_numpy(float) for c in ("chance_held_out", "chance_held_out_low", "chance_held_out_high")
        )
        pen = pg.mkPen(colours.secondary, width=1.2, style=Qt.PenStyle.DashLine)
        self.errors.plot(x, mean, pen=pen, symbol="o", symbolSize=4, symbolBrush=None, symbolPen=colours.secondary)
        edges = [pg.PlotDataItem(x, y, pen=None) for y in (low, high)]
        fill = pg.mkColor(colours.secondary)
        fill.setAlpha(60)
        for edge in edges:
            self.errors.addItem(edge)
        self.errors.addItem(pg.FillBetweenItem(*edges, brush=fill))
        return np.concatenate([mean, low, high])

    def _curve(self, plot: Any, x: np.ndarray, y: np.ndarray, colour: str, width: float) -> None:
        plot.plot(
            x,
            y,
            pen=pg.mkPen(colour, width=width),
            symbol="o",
            symbolSize=5,
            symbolBrush=colour,
            symbolPen=None,
        )

    def _clicked(self, plot: Any, event: Any) -> None:
        view = plot.getViewBox()
        if view.sceneBoundingRect().contains(event.scenePos()):
            self.chosen.emit(round(view.mapSceneToView(event.scenePos()).x()))


def often_text(sweep: Any) -> str:
    """How often each rank is suggested over random starts and with worms left out, in words."""
    choices = sweep.choices
    if choices is None or not len(choices):
        return ""
    parts = []
    for varied, rows in choices.groupby("varied", sort=False):
        counts = rows["rank"].value_counts()
        told = ", ".join(f"{int(n)} x {int(rank)}" for rank, n in counts.items())
        parts.append(f"{'over starts' if varied == 'start' else 'leaving a worm out'}: {told}")
    return f"Suggested {'; '.join(parts)}."


def _or_dash(value: Any, digits: int = 3) -> str:
    return "–" if value is None or not np.isfinite(value) else f"{value:.{digits}f}"
