"""View of a heatmap: dragging moves it, dragging with Shift chooses rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGraphicsRectItem


class RowBox(pg.ViewBox):
    """A view with a box for rows.

    Parameters
    ----------
    chosen : callable (low, high, add)
        Called with the heights of the box when the button is let go; `add` if Ctrl was held too.
    """

    def __init__(self, chosen: Callable[[float, float, bool], Any]) -> None:
        super().__init__(enableMenu=False, defaultPadding=0)
        self._chosen = chosen
        self._frame = QGraphicsRectItem()
        self._frame.setPen(pg.mkPen("#7aa2ff", width=1))
        self._frame.setBrush(pg.mkBrush(122, 162, 255, 50))
        self._frame.setZValue(1e6)
        self._frame.hide()
        self.addItem(self._frame, ignoreBounds=True)

    def mouseDragEvent(self, event: Any, axis: Any = None) -> None:
        shift = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        if event.button() != Qt.MouseButton.LeftButton or not (shift or self._frame.isVisible()):
            super().mouseDragEvent(event, axis)
            return
        event.accept()
        start, here = self.mapToView(event.buttonDownPos()), self.mapToView(event.pos())
        low, high = sorted((start.y(), here.y()))
        left, right = sorted((start.x(), here.x()))
        self._frame.setRect(left, low, right - left, high - low)
        self._frame.show()
        if event.isFinish():
            self._frame.hide()
            self._chosen(low, high, bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier))
