"""Static methods, signed loadings and what to test next as panels: computed on demand, shown for these components alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from tests.widgets.helpers import components

from napari_dynamic_connectome.session.save_load import load_session, save_session

pytestmark = [pytest.mark.gui, pytest.mark.filled]


@pytest.fixture
def viewer(reused_viewer):
    return reused_viewer


@pytest.fixture
def docks(add_dock, qtbot):
    from napari_dynamic_connectome.widgets.docks.communities_dock import CommunitiesDock
    from napari_dynamic_connectome.widgets.docks.components_dock import ComponentsDock

    made = add_dock(ComponentsDock), add_dock(CommunitiesDock)
    qtbot.wait(100)
    return made


def test_static_methods_and_signed_loadings_are_kept_and_say_what_they_are_older_than(
    docks, work, wait_for, qtbot, tmp_path
):
    dock = docks[0]
    dock.opinions_fold.head.setChecked(True)
    panel = dock.opinions
    assert dock.opinions_fold.summary.text() == "not computed"
    qtbot.mouseClick(panel.baselines_button, Qt.MouseButton.LeftButton)
    wait_for(panel.bar.job)
    qtbot.wait(50)
    table = work.session.baselines.agreement("ari")
    assert list(panel.matrix.table.columns) == list(table.columns) and "component 1 core" in table.columns
    assert panel.answer.text().startswith("Most alike: ")
    # a cell is as bright as its value is large
    image = panel.matrix.grab().toImage()
    ramp = dock.colours.ramp()
    row, column = 0, 1
    corner = panel.matrix.cell(row, column).topLeft()
    got = image.pixelColor(int(corner.x()) + 3, int(corner.y()) + 3)
    wanted = ramp[int(np.clip(table.to_numpy()[row, column], 0, 1) * 200)][:3]
    np.testing.assert_allclose([got.red(), got.green(), got.blue()], wanted, atol=3)
    qtbot.mouseClick(panel.signed_button, Qt.MouseButton.LeftButton)
    wait_for(panel.bar.job)
    qtbot.wait(50)
    assert "non-negativity loses" in panel.signed.text() and panel.signed.isVisible()
    assert work.session.history[-1].text == "signed loadings" and work.session.history[-1].action == "results"
    path = save_session(work.session, tmp_path / "s.zarr")
    loaded = load_session(path)
    said = {k: loaded.provenance[k] for k in ("baselines", "signed")}
    assert {k: v["command"] for k, v in said.items()} == {
        "baselines": "napari: Static methods",
        "signed": "napari: Signed loadings",
    }
    assert [len(v["inputs"]) for v in said.values()] == [len(work.session.recordings)] * 2
    assert loaded.settings["baselines"] == said["baselines"]["settings"]
    assert loaded.signed.line == panel.signed.text() and loaded.baselines.agreement("ari").equals(table)
    work.session.set_components(components(work.session.cohort, rank=1))  # others: what is known is of the ones before
    qtbot.wait(50)
    assert panel.matrix.isVisible() and "Older than the components and communities." in panel.answer.text()
    assert "Older than the choice of 1 component." in panel.signed.text()
    assert dock.opinions_fold.summary.text().endswith("not up to date") and dock.strip.isVisible()
    assert work.up_to_date.state.stale == ("baselines", "signed")
    wait_for(work.up_to_date.redo())
    qtbot.waitUntil(lambda: not work.up_to_date.state.stale, timeout=20_000)
    assert work.session.signed.signed.rank == 1 and "strongest component" in work.session.baselines.partitions
    assert (
        work.session.baselines.provenance["settings"]["nmf_rank"] == loaded.baselines.provenance["settings"]["nmf_rank"]
    )
    assert not dock.strip.isVisible() and "Older" not in panel.answer.text() + panel.signed.text()


def test_what_to_test_next_is_ranked_chosen_and_saved(docks, work, wait_for, qtbot, tmp_path):
    dock = docks[1]
    dock.tests_fold.head.setChecked(True)
    panel = dock.tests
    (tmp_path / "access.csv").write_text("neuron,access,how\nRIML,yes,a line\n")
    panel.access = tmp_path / "access.csv"
    qtbot.mouseClick(panel.run_button, Qt.MouseButton.LeftButton)
    wait_for(panel.bar.job)
    qtbot.wait(50)
    rows = panel.table.rows_model.rows
    assert [r["rank"] for r in rows] == list(range(1, len(rows) + 1)) and "predicts" in panel.answer.text()
    assert dock.tests_fold.summary.text() == f"{len(rows)} targets"
    panel.table.selectRow(0)
    qtbot.wait(50)
    assert set(work.session.selection.neurons) == set(rows[0]["target"].split(" + "))
    panel.what.setCurrentIndex(1)
    panel.what.activated.emit(1)
    assert "record" in panel.table.rows_model.rows[0]
    panel.save(tmp_path / "pairs.csv")
    assert len(pd.read_csv(tmp_path / "pairs.csv")) == len(panel.found.pairs)
    panel.access = tmp_path / "absent.csv"
    job = wait_for(panel.suggest())
    assert "absent.csv" in str(job.error)
