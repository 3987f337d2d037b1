"""A card of the Components dock: one component at a glance, painted."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from ...display.chance import Band

ELIDE = Qt.TextElideMode.ElideRight


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
        self.own: tuple[np.ndarray, np.ndarray] | None = None
        """Time course of the current worm alone, where it is known besides the common one."""
        self.marked: frozenset[int] | None = None
        """Worms that have the selected community; None if none is selected."""
        self.band: Band | None = None
        """What time courses are like by chance; None where that was not computed."""
        self.clock = ""
        """"own" or "common" where the components have both clocks."""
        self.share = 0.0
        self.note = ""
        """What speaks for it, in a word: its p value, or that it is background."""
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
        share, widths = f"w {self.share:.0%}", painter.fontMetrics()
        painter.drawText(inner, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop), share)
        middle = inner.adjusted(14, 1, -4 - widths.horizontalAdvance(share), 0)
        full = self.height() > 72
        # a note that has no room above stands below, where the strongest pair is said otherwise
        fits = widths.horizontalAdvance(self.note) <= middle.width()
        note = self.note if fits else "" if full else widths.elidedText(self.note, ELIDE, int(middle.width()))
        painter.drawText(middle, int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop), note)
        bottom = inner.bottom() - (32 if full else 0)
        self._paint_course(painter, QRectF(inner.left(), inner.top() + 15, inner.width(), bottom - inner.top() - 15))
        if full:
            self._paint_worms(painter, QRectF(inner.left(), bottom + 3, inner.width(), 12))
            painter.setPen(QColor(c.secondary))
            below = QRectF(inner.left(), inner.bottom() - 14, inner.width(), 14)
            clock = "own clock" if self.clock == "own" else ""
            said = self.pair if fits else self.note
            if clock and widths.horizontalAdvance(f"{said}  {clock}") > below.width():
                clock = "own"
            room = int(below.width()) - widths.horizontalAdvance(f"  {clock}" if clock else "")
            said = widths.elidedText(said, ELIDE, room)
            painter.drawText(below, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), said)
            painter.drawText(below, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), clock)
        painter.end()

    def _paint_course(self, painter: QPainter, area: QRectF) -> None:
        c = self.colours
        if self.course is None or len(self.course[0]) < 2:
            return
        time = self.course[0]
        start, stop = float(time[0]), float(time[-1])
        scale = area.width() / max(stop - start, 1e-9)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(c.track))
        for a, b in self.spans:
            x = area.left() + (max(a, start) - start) * scale
            width = (min(b, stop) - max(a, start)) * scale
            if width > 0:
                painter.drawRect(QRectF(x, area.top(), max(width, 1), area.height()))
        top = float(np.nanmax(self.course[1]))
        if self.band is not None:
            top = max(top, float(self.band.high.max()))
            self._paint_band(painter, area, start, stop, top or 1.0)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self.own is not None:
            self._line(painter, area, self.own, start, stop, QColor(c.accent), 0.9)
        line = QColor(c.secondary if self.note.startswith("background") else c.text if self.is_chosen else c.bar)
        self._line(painter, area, self.course, start, stop, line, 1.1, top)
        if self.time is not None and start <= self.time <= stop:
            x = area.left() + (self.time - start) * scale
            painter.setPen(QPen(QColor(c.accent), 1.2))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))

    def _paint_band(self, painter: QPainter, area: QRectF, start: float, stop: float, top: float) -> None:
        """Where surrogate components lie; at most a point for every two pixels."""
        band = self.band
        if band is None:
            return
        step = max(int(len(band.time) // max(area.width() / 2, 1)), 1)
        time, low, high = band.time[::step], band.low[::step], band.high[::step]
        scale = area.width() / max(stop - start, 1e-9)
        edge = [*zip(time, high, strict=True), *zip(time[::-1], low[::-1], strict=True)]
        points = [
            QPointF(area.left() + (t - start) * scale, area.bottom() - 1 - (v / top) * (area.height() - 3))
            for t, v in edge
            if start <= t <= stop
        ]
        fill = QColor(self.colours.secondary)
        fill.setAlpha(90)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(fill)
        painter.drawPolygon(QPolygonF(points))

    def _line(
        self,
        painter: QPainter,
        area: QRectF,
        course: Any,
        start: float,
        stop: float,
        colour: QColor,
        width: float,
        top: float = 0.0,
    ) -> None:
        """One course, scaled to `top`, or to its own peak; no more points than pixels: the largest of each bin, so that peaks stay."""
        time, values = course
        top = top or float(np.nanmax(values)) or 1.0
        bins = max(int(area.width()), 2)
        if len(values) > 2 * bins:
            edges = np.linspace(0, len(values), bins + 1).astype(int)
            values = np.array([np.nanmax(values[a:b]) if b > a else np.nan for a, b in itertools.pairwise(edges)])
            time = np.linspace(time[0], time[-1], bins)
        scale = area.width() / max(stop - start, 1e-9)
        points = [
            QPointF(area.left() + (t - start) * scale, area.bottom() - 1 - (v / top) * (area.height() - 3))
            for t, v in zip(time, np.nan_to_num(values), strict=True)
            if start <= t <= stop
        ]
        painter.setPen(QPen(colour, width))
        painter.drawPolyline(QPolygonF(points))

    def _paint_worms(self, painter: QPainter, area: QRectF) -> None:
        if not len(self.worms):
            return
        c = self.colours
        top = float(self.worms.max()) or 1.0
        step = min(area.width() / len(self.worms), 12.0)
        painter.setPen(Qt.PenStyle.NoPen)
        for place, value in enumerate(self.worms):
            height = max(value / top * area.height(), 1)
            faint = self.marked is not None and place not in self.marked
            painter.setBrush(QColor(c.accent if place == self.worm_at else c.track if faint else c.bar))
            painter.drawRect(QRectF(area.left() + place * step, area.bottom() - height, max(step - 1.5, 1), height))
