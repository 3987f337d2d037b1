"""Parts that fold away: what is opened with a click is seen."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QScrollArea, QVBoxLayout, QWidget

from napari_dynamic_connectome.widgets.qt.controls import Fold

pytestmark = pytest.mark.gui


@pytest.mark.parametrize("height", [120, 900])
def test_a_part_that_is_opened_with_a_click_scrolls_into_view(qtbot, height: int) -> None:
    page, area = QWidget(), QScrollArea()
    layout = QVBoxLayout(page)
    above, content = QLabel("above"), QLabel("content")
    above.setFixedHeight(250)
    content.setFixedHeight(height)
    fold = Fold("Part", content)
    layout.addWidget(above)
    layout.addWidget(fold)
    area.setWidget(page)
    area.setWidgetResizable(True)
    area.resize(300, 300)
    qtbot.addWidget(area)
    area.show()
    assert area.verticalScrollBar().value() == 0
    qtbot.mouseClick(fold.head, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: area.verticalScrollBar().value() > 0)
    top = fold.mapTo(area.viewport(), fold.rect().topLeft()).y()
    bottom = fold.mapTo(area.viewport(), fold.rect().bottomLeft()).y()
    assert top >= 0  # its title stays
    assert bottom <= area.viewport().height() or top <= 1  # all of it, or as much as fits
    place = area.verticalScrollBar().value()
    qtbot.mouseClick(fold.head, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(above, Qt.MouseButton.LeftButton)
    assert area.verticalScrollBar().value() <= place
