"""Docks that are empty, and docks that show much in little room: no gaps, nothing cut without a sign, names apart."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QFontMetrics
from qtpy.QtWidgets import QStyleOptionViewItem
from tests.widgets.helpers import recording

from napari_dynamic_connectome.widgets.app.arrange import arrange_windows, raise_dock
from napari_dynamic_connectome.widgets.docks.base import PageArea
from napari_dynamic_connectome.widgets.views.worm_list import BETWEEN, NAME_GAP, fitted

pytestmark = pytest.mark.gui

LONG = "strain_OH15500_day_2_of_adulthood_worm_{:02d}"
SETTLE_MS = 250


@pytest.fixture
def docks(viewer, work, qtbot):
    viewer.window.resize(1280, 800)
    found = arrange_windows(viewer)
    qtbot.wait(SETTLE_MS)
    return found


def front(dock, qtbot):
    raise_dock(dock)
    dock.flush()
    qtbot.wait(SETTLE_MS)
    return dock


@pytest.mark.parametrize("title", ["Cohort", "States", "Segmentation", "Neurons", "Communities", "Components"])
def test_an_empty_dock_has_no_gaps(docks, qtbot, title) -> None:
    dock = front(docks[title], qtbot)
    page = next(a for a in dock.findChildren(PageArea)).widget()
    layout = page.layout()
    items = [layout.itemAt(i).geometry() for i in range(layout.count()) if not layout.itemAt(i).isEmpty()]
    ends = [0, *(one.bottom() for one in items[:-1])]
    gaps = [one.top() - end for one, end in zip(items, ends, strict=True)]
    assert max(gaps) <= 16, gaps
    assert dock.empty.alignment() & Qt.AlignmentFlag.AlignTop  # and its words stand at the top of what is left


def test_a_worm_in_the_list_keeps_its_name_and_what_has_room(docks, work, qtbot) -> None:
    for place in range(12):
        work.session.add(recording(LONG.format(place), place), make_current=place == 0)
    dock = front(docks["Cohort"], qtbot)
    assert dock.list.height() >= 6 * dock.list.sizeHintForRow(0)
    for row in range(dock.list.count()):
        option = QStyleOptionViewItem()
        option.rect = dock.list.visualItemRect(dock.list.item(row))
        option.widget = dock.list
        option.fontMetrics = dock.list.fontMetrics()
        dock.list.itemDelegate().initStyleOption(option, dock.list.model().index(row, 0))
        name, _, rest = option.text.partition(NAME_GAP)
        assert name.endswith(f"{row:02d}") and rest.startswith("12 of 15")
        assert option.fontMetrics.horizontalAdvance(option.text) <= option.rect.width()
        assert dock.list.item(row).text().startswith(LONG.format(row) + NAME_GAP)  # the whole is kept
    shown = [text for _, text in dock.plot.getPlotItem().getAxis("left")._tickLevels[0]]
    assert len(set(shown)) == len(shown) >= 2 and all(len(one) <= 12 for one in shown)


def test_parts_of_a_row_give_way_from_the_end(qtbot, viewer) -> None:
    from qtpy.QtWidgets import QApplication

    metrics = QFontMetrics(QApplication.font())
    whole = f"worm with a name{NAME_GAP}12 of 15{BETWEEN}5.0 min{BETWEEN}4 Hz"
    seen = []
    for width in range(metrics.horizontalAdvance(whole) + 20, 100, -5):
        text = fitted(whole, metrics, width)
        assert metrics.horizontalAdvance(text) <= width
        parts = text.partition(NAME_GAP)[2].split(BETWEEN)
        assert parts == whole.partition(NAME_GAP)[2].split(BETWEEN)[: len(parts)] or parts == [""]
        seen.append(text.count(BETWEEN))
    assert seen[0] == 2 and seen[-1] == 0 and sorted(seen, reverse=True) == seen


def test_a_box_says_in_its_middle_that_its_name_is_cut(docks, work, qtbot) -> None:
    dock = front(docks["Recording"], qtbot)
    assert not dock.worm.count() and dock.worm.grab().toImage() != _without_text(dock.worm)
    work.session.add(recording(LONG.format(7)))
    dock.flush()
    qtbot.wait(50)
    cut = dock.worm.elided
    assert cut != LONG.format(7) and cut.endswith("7") and "…" in cut
    dock.worm.showPopup()
    qtbot.wait(50)
    view = dock.worm.view()
    assert view.width() >= view.fontMetrics().horizontalAdvance(LONG.format(7))
    dock.worm.hidePopup()


def _without_text(box):
    """How a box would look if it said nothing."""
    said = box.placeholderText()
    box.setPlaceholderText("")
    picture = box.grab().toImage()
    box.setPlaceholderText(said)
    return picture


def test_no_page_is_behind_its_scroll_bar(docks, work, viewer, qtbot) -> None:
    from tests.widgets import helpers

    viewer.window.resize(1600, 1000)
    helpers.fill(work.session)
    work.session.set_current("worm A")
    work.session.select(community=0)
    for title in ("Cohort", "Components", "Recording", "Communities", "Cohort", "Components"):
        front(docks[title], qtbot)
        for dock in docks.values():
            for area in dock.findChildren(PageArea) if dock.is_seen else ():
                bar = area.verticalScrollBar()
                assert area.widget().width() <= area.viewport().width(), (title, dock.title)
                assert bar.isVisible() == (bar.maximum() > bar.minimum()), (title, dock.title)


def test_names_beside_heatmap_and_traces_are_apart_in_a_low_dock(docks, work, viewer, qtbot) -> None:
    from dataclasses import replace

    import xarray as xr
    from tests.widgets import helpers

    helpers.fill(work.session)
    work.session.set_current("worm A")
    names = work.session.cohort.neurons
    labels = np.arange(len(names))[None]  # everyone alone
    for found in work.session.communities.values():
        array = xr.DataArray(
            labels, dims=("level", "neuron"), coords={"neuron": np.asarray(names, dtype=object), "level": [0]}
        )
        object.__setattr__(found, "labels", array)
        object.__setattr__(found, "probability", array * 0.0 + 0.9)
    work.session.set_communities({k: replace(v) for k, v in work.session.communities.items()})
    dock = docks["Traces"]
    holder = dock.parentWidget()
    while not hasattr(holder, "setFloating"):
        holder = holder.parentWidget()
    holder.setFloating(True)
    holder.resize(900, 230)
    holder.show()
    qtbot.wait(SETTLE_MS)
    dock.flush()
    qtbot.wait(SETTLE_MS)
    view = dock.heat_plot.getViewBox()  # the bar beside it reaches further down, past the time axis
    assert view.viewRange()[1] == [0, len(dock.order)]
    pixel = len(dock.order) / view.height()
    heights = sorted(one.pos().y() for one in dock.bar_texts if one.isVisible())
    assert 1 < len(heights) < len(names) and min(np.diff(heights)) / pixel >= 12
    ends = heights[0] / pixel, (len(dock.order) - heights[-1]) / pixel
    assert min(ends) >= 6  # none is cut in half by the edge
    stack = dock.stack_plot.getViewBox()
    ticks = dock.stack_plot.getAxis("left")._tickLevels[0]
    places = [stack.mapViewToScene(QPointF(0, at)).y() for at, _ in ticks]
    assert len(ticks) >= 2 and min(np.diff(sorted(places))) >= 11
    chosen = sorted(work.scene.drawn.styles)[1]
    work.session.select(community=chosen)
    dock.flush()
    said = [one.toPlainText() for one in dock.bar_texts if one.isVisible()]
    assert work.scene.drawn.styles[chosen].label in said  # whoever has to go, it is not the chosen one


def test_who_is_chosen_has_the_room_that_the_toolbar_of_the_traces_has(docks, work, viewer, qtbot) -> None:
    from tests.widgets import helpers

    viewer.window.resize(1600, 1000)
    helpers.fill(work.session)
    work.session.set_current("worm A")
    work.session.select(community=0)
    dock = docks["Traces"]
    qtbot.wait(SETTLE_MS)
    dock.flush()
    qtbot.wait(SETTLE_MS)
    assert dock.count.isVisible() and dock.frame.isVisible()
    for one in (dock.chosen, dock.count, dock.frame):
        assert one.text() and one.elided == one.text()
    assert dock.chosen.width() > dock.count.width()


def test_of_forty_worms_as_many_are_named_as_have_room(docks, work, viewer, qtbot) -> None:
    from napari_dynamic_connectome.model.cohort import Cohort

    worms = [recording(LONG.format(place), place) for place in range(40)]
    for one in worms:
        work.session.add(one, make_current=one is worms[0])
    work.session.set_cohort(Cohort(worms))
    work.session.select(neurons=("AVAL",))
    dock = docks["Traces"]
    dock.stack_mode.setCurrentText("All worms")
    qtbot.wait(SETTLE_MS)
    dock.flush()
    qtbot.wait(SETTLE_MS)
    page = dock.page
    assert len(page.worms) == 40
    named = page.plot.getAxis("left")._tickLevels[0]
    view = page.plot.getViewBox()
    places = sorted(view.mapViewToScene(QPointF(0, at)).y() for at, _ in named)
    assert 2 <= len(named) < 40 and min(np.diff(places)) >= 10
