"""The card of a neuron under the mouse, painted: a window that takes neither focus nor clicks."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QPoint, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QGuiApplication, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QWidget

from ...display.neuron_card import NeuronCard

WIDTH, EDGE, TRACE, LINE = 268, 9, 34, 15
"""Pixels: width, margin, height of the small trace, height of a line of text."""
MOST_NOTES = 5
GAP = QPoint(16, 18)
"""From the mouse to the card."""


class HoverCard(QWidget):
    """Shows one `NeuronCard` beside the mouse."""

    def __init__(self, parent: QWidget | None = None) -> None:
        flags = (
            Qt.WindowType.ToolTip
            | Qt.WindowType.FramelessWindowHint
            | Qt.WindowType.WindowDoesNotAcceptFocus
            | Qt.WindowType.WindowTransparentForInput
        )
        super().__init__(parent, flags)
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.card: NeuronCard | None = None
        self.colours: Any = None

    def show_card(self, card: NeuronCard, colours: Any, place: QPoint) -> None:
        """Show a card beside a place on the screen."""
        self.card, self.colours = card, colours
        size = self.sizeHint()
        if size != self.size():
            self.resize(size)
        self.move(beside(place, size, _room_at(place)))
        self.setAccessibleDescription(card_text(card))
        self.show()
        self.update()

    def lines(self) -> list[str]:
        """Lines below the trace."""
        card = self.card
        if card is None:
            return []
        found = []
        if card.other and card.correlation == card.correlation:
            found.append(f"correlation {card.correlation:.2f} with {card.other}")
        return [*found, *card.notes[:MOST_NOTES]]

    def sizeHint(self) -> QSize:
        card = self.card
        height = 2 * EDGE + 2 * LINE + 2 + LINE * len(self.lines())
        return QSize(WIDTH, height + (TRACE + 6 if card is not None and len(card.trace) else 0))

    def paintEvent(self, event: Any) -> None:
        card, c = self.card, self.colours
        if card is None or c is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(c.background))
        painter.setPen(QPen(QColor(c.secondary), 1))
        painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))
        area = QRectF(self.rect()).adjusted(EDGE, EDGE, -EDGE, -EDGE)
        plain, bold = QFont(self.font()), QFont(self.font())
        plain.setPointSizeF(8.5)
        bold.setPointSizeF(10)
        bold.setBold(True)
        top = area.top()
        right = area.right()
        if card.community:
            text = f"community {card.community}" if card.community != "none" else "in no community"
            text = QFontMetricsF(plain).elidedText(text, Qt.TextElideMode.ElideRight, area.width() * 0.55)
            wide = QFontMetricsF(plain).horizontalAdvance(text)
            _write(painter, plain, c.text, QRectF(right - wide - 1, top, wide + 2, LINE), text)
            chip = QRectF(right - wide - 15, top + 2.5, 10, 10)
            painter.setPen(Qt.PenStyle.NoPen if c.dark else QPen(QColor(0, 0, 0, 90), 1))
            painter.setBrush(QColor(card.colour))
            painter.drawRoundedRect(chip, 2.5, 2.5)
            right = chip.left() - 6
        _write(painter, bold, c.text, QRectF(area.left(), top, right - area.left(), LINE), card.title)
        top += LINE + 2
        _write(painter, plain, c.secondary, QRectF(area.left(), top, area.width(), LINE), card.about)
        top += LINE
        if len(card.trace):
            self._paint_trace(painter, QRectF(area.left(), top + 3, area.width(), TRACE), card)
            top += TRACE + 6
        for text in self.lines():
            _write(painter, plain, c.text, QRectF(area.left(), top, area.width(), LINE), text)
            top += LINE
        painter.end()

    def _paint_trace(self, painter: QPainter, area: QRectF, card: NeuronCard) -> None:
        c = self.colours
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(c.well))
        painter.drawRect(area)
        painter.setBrush(QColor(c.track))
        for start, stop in card.spans:
            painter.drawRect(
                QRectF(
                    area.left() + start * area.width(), area.top(), max((stop - start) * area.width(), 1), area.height()
                )
            )
        painter.setPen(QPen(QColor(c.text), 1.1))
        n = len(card.trace)
        inner = area.adjusted(0, 3, 0, -3)
        line: list[QPointF] = []
        for column, (low, high) in enumerate(card.trace.tolist()):
            x = inner.left() + (column + 0.5) / n * inner.width()
            if low != low:
                painter.drawPolyline(QPolygonF(line))
                line = []
                continue
            ends = [QPointF(x, inner.bottom() - v * inner.height()) for v in (low, high)]
            # the order that goes on from the column before, so that the line does not cross itself
            if line and abs(line[-1].y() - ends[1].y()) < abs(line[-1].y() - ends[0].y()):
                ends.reverse()
            line += ends
        painter.drawPolyline(QPolygonF(line))
        if 0 <= card.now <= 1:
            x = area.left() + card.now * area.width()
            painter.setPen(QPen(QColor(c.accent), 1.2))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))


def card_text(card: NeuronCard) -> str:
    """What a card says, in one line; for programs that read the screen aloud."""
    parts = [card.title, card.about]
    if card.community:
        parts.append(f"community {card.community}")
    if card.other and np.isfinite(card.correlation):
        parts.append(f"correlation {card.correlation:.2f} with {card.other}")
    return ", ".join([*parts, *card.notes])


def beside(place: QPoint, size: QSize, room: Any) -> QPoint:
    """Corner of a card of a size beside a place: right and below of it, or on the other side where the screen ends."""
    x, y = place.x() + GAP.x(), place.y() + GAP.y()
    if room is not None:
        if x + size.width() > room.right():
            x = max(place.x() - GAP.x() - size.width(), room.left())
        if y + size.height() > room.bottom():
            y = max(place.y() - GAP.y() - size.height(), room.top())
    return QPoint(x, y)


def _room_at(place: QPoint) -> Any:
    screen = QGuiApplication.screenAt(place) or QGuiApplication.primaryScreen()
    return None if screen is None else screen.availableGeometry()


def _write(painter: QPainter, font: QFont, colour: str, area: QRectF, text: str) -> None:
    """Write one line, elided where it is too long."""
    painter.setFont(font)
    painter.setPen(QColor(colour))
    shown = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, area.width())
    painter.drawText(area, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), shown)
