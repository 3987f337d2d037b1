"""Labels of docks never cut a text without saying so."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint
from qtpy.QtGui import QHelpEvent, QImage
from qtpy.QtWidgets import QApplication, QToolTip

from napari_dynamic_connectome.widgets.qt.controls import label

pytestmark = pytest.mark.gui
LONG = "blocks of the same stimulus stand side by side"


def drawn(widget) -> np.ndarray:
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_Grayscale8)
    bits = image.constBits()
    if hasattr(bits, "setsize"):
        bits.setsize(image.sizeInBytes())
    return np.frombuffer(bits, np.uint8).reshape(image.height(), image.bytesPerLine())[:, : image.width()].copy()


def ask(widget) -> None:
    QToolTip.hideText()
    at = QPoint(3, 3)
    QApplication.sendEvent(widget, QHelpEvent(QEvent.Type.ToolTip, at, widget.mapToGlobal(at)))


def test_a_text_without_room_ends_in_dots_and_is_the_tooltip(qtbot) -> None:
    widget, dots = label(LONG, "secondary"), label("", "secondary")
    for one in (widget, dots):
        qtbot.addWidget(one)
        one.setFixedSize(120, 20)
        one.show()
    assert widget.text() == LONG and widget.elided.endswith("…") and LONG.startswith(widget.elided[:-1])
    dots.setText(widget.elided)  # what fits is drawn by Qt itself
    np.testing.assert_array_equal(drawn(widget), drawn(dots))
    ask(widget)
    assert QToolTip.text() == LONG
    widget.setToolTip("a tip of its own")
    ask(widget)
    assert QToolTip.text() == "a tip of its own"


def test_a_text_with_room_several_lines_and_rich_text_are_left_to_qt(qtbot) -> None:
    for text, wrap, width in ((LONG, False, 600), (LONG, True, 120), ("<b>" + LONG + "</b>", False, 120)):
        widget = label(text, wrap=wrap)
        qtbot.addWidget(widget)
        widget.setFixedSize(width, 60)
        widget.show()
        assert widget.elided == text
        ask(widget)
        assert QToolTip.text() == ""
