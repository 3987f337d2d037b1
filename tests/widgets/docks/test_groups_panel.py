"""What a named group shares with communities and classes: computed with a click, chosen with another, written with the tables."""

from __future__ import annotations

import pandas as pd
import pytest
from qtpy.QtCore import Qt
from tests.widgets.helpers import NAMES

pytestmark = [pytest.mark.gui, pytest.mark.filled]


@pytest.fixture
def viewer(reused_viewer):
    return reused_viewer


def test_a_group_is_compared_with_a_click(add_dock, qtbot, work, tmp_path) -> None:
    from napari_dynamic_connectome.report.tables import write_tables
    from napari_dynamic_connectome.widgets.docks.neurons_dock import NeuronsDock

    dock, session = add_dock(NeuronsDock), work.session
    session.set_current("worm A")
    qtbot.wait(20)
    panel = dock.groups
    session.set_group("command", NAMES[:4])
    session.set_group("few", NAMES[:1])
    qtbot.mouseClick(dock.groups_fold.head, Qt.MouseButton.LeftButton)
    qtbot.wait(20)
    dock.flush()
    assert panel.compare_button.isVisible() and not panel.table.isVisible()
    panel.list.setCurrentText("command")
    qtbot.mouseClick(panel.compare_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.table.isVisible(), timeout=20_000)
    rows = panel.table.rows_model.rows
    assert {"community 1 (component 1, core)", "class AVA", "lateral ganglion", "left side"} <= {
        r["words"] for r in rows
    }
    assert rows[0]["words"].startswith("community 1") and rows[0]["shared"] == 4 and rows[0]["members"] == 4
    # two whole pairs of six, in a set of two pairs: one of the 15 choices
    first = next(r for r in rows if r["words"] == "community 1 (component 1, core)")
    assert first["p_value"] == pytest.approx(1 / 15) and first["expected"] == pytest.approx(4 / 3)
    assert panel.answer.text() == "shares more than chance gives with 0 of 22 (q \u2264 0.05)"
    assert "AVAL; AVAR; RIML; RIMR" in panel.table.rows_model.row_tip(rows[0])

    session.select(neurons=("OLQDL",))
    dock.flush()
    place = next(i for i, r in enumerate(rows) if r["words"] == "class AVA")
    panel.table.scrollTo(panel.table.model().index(place, 0))
    spot = panel.table.visualRect(panel.table.model().index(place, 0)).center()
    qtbot.mouseClick(panel.table.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    assert set(session.selection.neurons) == {"AVAL", "AVAR"}
    panel.list.setCurrentText("few")
    panel.show_groups()
    assert "fewer than two" in panel.answer.text()

    # what changed since is not shown as if it held
    session.set_group("command", NAMES[:3])
    dock.flush()
    assert not panel.table.isVisible()
    written = {p.name: p for p in write_tables(session, tmp_path / "tables")}
    table = pd.read_csv(written["groups_shared.csv"])
    row = table[(table["beside"] == "core") & (table["component"] == 2) & (table["community"] == 0)].iloc[0]
    assert (row["group"], row["shared"], row["members"], str(row["community_name"])) == ("command", 3, 3, "1")
    assert table[table["beside"] == "class"]["component"].isna().all()
