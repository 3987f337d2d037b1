"""Plots of the docks: names of rows do not lie on each other, at any height."""

from __future__ import annotations

import pytest

from napari_dynamic_connectome.widgets.qt import plots

pytestmark = pytest.mark.gui


def test_as_many_rows_are_named_as_have_room(qtbot) -> None:
    widget = plots.plot_widget()
    qtbot.addWidget(widget)
    names = plots.RowNames(widget.getPlotItem())
    widget.show()
    for height in (400, 60, 150):
        widget.setFixedHeight(height)
        names.show([(row + 0.5, f"worm{row}") for row in range(20)])
        for again in (height, height // 2, height):  # also when the window changes, without being told
            widget.setFixedHeight(again)
            qtbot.waitUntil(lambda again=again: widget.height() == again)
            room = widget.getPlotItem().getViewBox().height()
            shown = widget.getPlotItem().getAxis("left")._tickLevels[0]
            gap = shown[1][0] - shown[0][0] if len(shown) > 1 else 20
            assert shown[0][0] - 0.5 <= gap / 2  # the first rows are named, with room above
            assert shown[0][0] * room / 20 >= plots.ROW_NAME_PX / 2 - 1 or len(shown) in (1, 20)
            assert len(shown) * plots.ROW_NAME_PX <= max(room, plots.ROW_NAME_PX) + plots.ROW_NAME_PX
            assert len(shown) >= min(20, room / plots.ROW_NAME_PX) / 2 - 1  # and not far fewer
