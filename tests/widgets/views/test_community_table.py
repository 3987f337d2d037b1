"""The table of communities: who belongs to one can be read, however long the names and however narrow the dock."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from tests.widgets.helpers import NAMES, cohort, communities, components

from napari_dynamic_connectome.widgets.views.community_table import FEWEST_LINES, ROW, broken

pytestmark = pytest.mark.gui

LONG = {n: f"neuron {n} of a ganglion that is far back"[:40] for n in NAMES}


@pytest.fixture
def viewer(reused_viewer):
    return reused_viewer


@pytest.mark.parametrize(
    ("words", "room", "most", "lines"),
    [
        ("AVA AVE RIM", 11, None, ["AVA AVE RIM"]),
        ("AVA AVE RIM", 10, None, ["AVA AVE", "RIM"]),
        ("AVA AVE RIM RIB", 7, 1, ["AVA +3"]),
        ("AVA AVE RIM RIB", 7, 2, ["AVA AVE", "RIM RIB"]),
        ("AVA AVE RIM RIB RIS", 7, 2, ["AVA AVE", "RIM +2"]),
        ("AVA AVE", 3, 1, ["+2"]),
        ("abcdefghij k", 4, None, ["abcd", "efgh", "ij k"]),
        ("abcdefghij k", 4, 2, ["abcd", "+2"]),
        ("AVA", 1, None, ["A", "V", "A"]),
        ("", 4, 1, []),
    ],
)
def test_names_are_broken_into_lines(words: str, room: int, most: int | None, lines: list[str]) -> None:
    assert broken(words.split(), len, room, most) == lines


@pytest.fixture
def table(add_dock, work, qtbot):
    """The table of a dock of a window of 1280 x 800 pixels, with two communities of four and eight neurons of 40 letters."""
    from napari_dynamic_connectome.widgets.docks.communities_dock import CommunitiesDock

    worms = cohort()
    parts, found = components(worms), communities(worms)
    pair = {k: ("pair", np.array([LONG[n] for n in parts.pair[k].values], object)) for k in ("neuron_a", "neuron_b")}
    parts = replace(parts, neurons=tuple(LONG[n] for n in parts.neurons), pair=parts.pair.assign_coords(pair))
    called = [LONG[n] for n in found.neurons]
    found = replace(
        found,
        labels=found.labels.assign_coords(neuron=called),
        probability=found.probability.assign_coords(neuron=called),
    )
    dock = add_dock(CommunitiesDock)
    dock.table.setMinimumHeight(300)  # all of the chosen community is in sight, in a low dock, too
    for one in worms.recordings:
        work.session.add(one, make_current=False)
    work.session.set_cohort(worms)
    work.session.set_components(parts)
    work.session.set_communities({(1, "core"): found})
    work.session.select(component=1, kind="core", level=1)
    qtbot.wait(50)
    dock.flush()
    yield dock.table
    work.session.select(community=None)


def ink(table, row: int) -> np.ndarray:
    """How many pixels of each line of members of a row differ from the ground beside them."""
    table.scrollTo(table.model().index(row, 0), table.ScrollHint.PositionAtTop)
    image = table.viewport().grab().toImage()
    top, ratio = table.rowViewportPosition(row) + ROW, image.devicePixelRatio()
    width = table.viewport().width()
    step = (table.rowHeight(row) - ROW) // len(table.below[row])
    found = []
    for line in range(len(table.below[row])):
        ys = range(int((top + line * step) * ratio), int((top + (line + 1) * step) * ratio))
        ground = image.pixel(int(4 * ratio), ys[0])
        found.append(sum(image.pixel(x, y) != ground for y in ys for x in range(int(20 * ratio), int(width * ratio))))
    return np.array(found)


def test_long_names_stand_below_the_numbers_and_all_of_the_chosen_community(table, work, qtbot) -> None:
    rows = table.rows_model.rows
    assert [r["size"] for r in rows] == [4, 8] and set(table.below) == {0, 1}
    for place, lines in table.below.items():
        assert 0 < len(lines) <= FEWEST_LINES
        assert table.rowHeight(place) > ROW + 10 * len(lines)
        assert max(map(table.fontMetrics().horizontalAdvance, lines)) <= table.viewport().width()
    assert table.below[1][-1].split(" +")[-1].isdigit()  # not all eight fit into three lines
    work.session.select(community=1)
    qtbot.wait(50)
    whole = " ".join(table.below[1])
    assert [
        name for name in rows[1]["all"].split("neuron ") if name and name.strip() not in whole.replace(",", "")
    ] == []
    assert whole.count("neuron") == 8 and "+" not in whole
    assert (ink(table, 0) > 100).all() and (ink(table, 1) > 100).all()
    under = table.visualRect(table.model().index(0, 2)).bottom() - 4
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(30, under))
    qtbot.wait(20)
    assert work.session.selection.community == 0


def test_short_names_stay_beside_the_numbers(add_dock, work, qtbot) -> None:
    from napari_dynamic_connectome.widgets.docks.communities_dock import CommunitiesDock

    dock = add_dock(CommunitiesDock)
    worms = cohort()
    for one in worms.recordings:
        work.session.add(one, make_current=False)
    work.session.set_cohort(worms)
    work.session.set_components(components(worms))
    work.session.set_communities({(1, "core"): communities(worms)})
    work.session.select(component=1, kind="core", level=0)
    dock.setMinimumWidth(600)
    qtbot.wait(100)
    dock.flush()
    table = dock.table
    assert table.below == {} and {table.rowHeight(i) for i in range(3)} == {ROW}
    assert table.wanted_height == 26 + 3 * ROW


@pytest.mark.parametrize("width", [366, 470])
def test_no_number_is_cut(qtbot, width: int) -> None:
    from qtpy.QtWidgets import QStyle, QStyleOptionViewItem

    from napari_dynamic_connectome.widgets.views.community_table import CommunityTable

    row = {
        "community": 1, "label": "10b ⇄ 12a", "icon": None, "members": ["AVA"], "all": "AVA", "size": 25, "probability": 0.98,
        "p": 0.0001, "lr": "12/12", "chosen": True, "side": None, "tip": "",
    }  # fmt: skip
    table = CommunityTable()
    qtbot.addWidget(table)
    table.resize(width, 200)
    table.show()
    for size in (25, 107, 1234):
        table.set_rows([row, row | {"size": size, "chosen": False}])
        table.fit(width)
        for column in (0, 2, 4, 5):
            index = table.model().index(1, column)
            option = QStyleOptionViewItem()
            option.rect, option.widget = table.visualRect(index), table
            table.itemDelegate().initStyleOption(option, index)
            room = table.style().subElementRect(QStyle.SubElement.SE_ItemViewItemText, option, table).width()
            assert table.fontMetrics().horizontalAdvance(index.data()) <= room - 4, (size, index.data())


def test_members_that_have_no_room_beside_a_wide_label_stand_below(qtbot) -> None:
    from napari_dynamic_connectome.widgets.views.community_table import CommunityTable

    row = {
        "community": 1, "label": "1", "icon": None, "members": ["DA", "DB", "DD"], "all": "", "size": 15, "probability": 0.9,
        "p": float("nan"), "lr": "", "chosen": False, "side": None, "tip": "",
    }  # fmt: skip
    table = CommunityTable()
    qtbot.addWidget(table)
    table.resize(400, 200)
    table.show()
    table.fit(400)
    for label in ("1", "10b ⇄ 12a of modules"):
        table.set_rows([row, row | {"label": label}])
        known = dict(table.below)
        qtbot.wait(50)  # the columns have their widths now
        room = table.columnWidth(1) - 8
        fits = table.fontMetrics().horizontalAdvance("DA DB DD") <= room
        assert (1 not in known) == fits, (label, room)
