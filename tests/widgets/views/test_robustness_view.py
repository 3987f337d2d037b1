"""The button that asks what stays: it runs in the background, can be cancelled, fills the table and the session."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dynamic_connectome.affinity.compute import compute_affinity
from napari_dynamic_connectome.factorization.factorize import factorize
from napari_dynamic_connectome.pipeline.settings import PipelineSettings
from napari_dynamic_connectome.simulation.simulate import simulate_cohort

pytestmark = pytest.mark.gui


@pytest.fixture
def analysed(work):
    cohort, _ = simulate_cohort(n_worms=3, n_neurons=14, duration_s=60, n_motifs=2, motif_size=5, seed=2)
    few = {"parts": ("bootstrap", "left-out worms"), "rank_bootstraps": 0, "starts": 1}
    settings = PipelineSettings.parse({"rank": {"rank": 2, "starts": 1}, "robustness": few})
    for recording in cohort.recordings:
        work.session.add(recording)
    work.session.set_cohort(cohort)
    work.session.settings = settings.model_dump(mode="json")
    work.session.set_components(factorize(compute_affinity(cohort), 2, starts=1))
    return work


@pytest.fixture
def dock(viewer, qtbot):
    from napari_dynamic_connectome.widgets.docks.components_dock import ComponentsDock

    made = ComponentsDock(viewer)
    viewer.window.add_dock_widget(made, name="Components", area="right", add_vertical_stretch=False)
    qtbot.wait(30)
    return made


def test_the_table_says_what_comes_back_and_the_session_keeps_it(analysed, dock, qtbot, tmp_path) -> None:
    work, view = analysed, dock.robustness
    dock.robustness_fold.head.setChecked(True)
    dock.flush()
    assert dock.robustness_fold.summary.text() == "not computed" and not view.page_button.isVisible()
    view.count.setValue(2)
    view.run()
    qtbot.waitUntil(lambda: not work.jobs.running, timeout=120_000)
    dock.flush()
    rows = view.table.rows_model.rows
    assert [r["component"] for r in rows] == [1, 2] and rows[0]["bootstrap_of"] == 2
    assert "come back in 80 % of bootstraps" in dock.robustness_fold.summary.text()
    support = work.session.components.support
    assert support.loc[1, "left_out"] == rows[0]["left_out"]
    view.table.selectRow(1)
    assert work.session.selection.component == 2
    view.write(tmp_path)
    qtbot.waitUntil(lambda: not work.jobs.running, timeout=60_000)
    assert (tmp_path / "robustness.html").is_file()
    # a session that is opened again still shows the shares
    view.result = None
    assert "come back" in view.show_for(work.session.components, dock.colours)
    assert np.isfinite(view.table.rows_model.rows[0]["bootstrap"])


def test_it_can_be_cancelled(analysed, dock, qtbot) -> None:
    work, view = analysed, dock.robustness
    dock.flush()
    view.count.setValue(500)
    job = view.run()
    assert view.run() is None  # one at a time
    qtbot.wait(500)
    job.cancel()
    qtbot.waitUntil(lambda: not work.jobs.running, timeout=60_000)
    assert view.result is None and work.session.components.support is None
