"""The Components dock: preview of the affinity, rank sweep, worm by worm, matching, and what a selection marks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from tests.widgets.helpers import cohort, components, fill, mixed_components, recording

from napari_dynamic_connectome.model.results import RankSweep

pytestmark = pytest.mark.gui


@pytest.fixture
def viewer(reused_viewer):
    return reused_viewer


@pytest.fixture
def dock(viewer, add_dock, qtbot):
    from napari_dynamic_connectome.widgets.docks.components_dock import ComponentsDock

    viewer.window.resize(1400, 900)
    made = add_dock(ComponentsDock)
    qtbot.wait(30)
    return made


def settle(work, qtbot, seconds=60):
    qtbot.wait(180)  # the preview waits for several changes at once
    qtbot.waitUntil(lambda: not work.jobs.running, timeout=seconds * 1000)


def sweep(worms) -> RankSweep:
    table = pd.DataFrame(
        {
            "rank": [1, 2, 3],
            "error": [0.5, 0.3, 0.25],
            "error_min": [0.5, 0.3, 0.25],
            "held_out": [0.55, 0.35, 0.4],
            "held_out_se": [0.01, 0.01, 0.02],
            "similarity": [1.0, 0.97, 0.6],
            "core_consistency": [100.0, 98.0, 20.0],
        }
    )
    return RankSweep(table, 2, "2 has the least held-out error.", {r: components(worms, r) for r in (1, 2, 3)})


def curves(plot) -> list:
    return [c for c in plot.getPlotItem().listDataItems() if c.getData()[0] is not None and len(c.getData()[0])]


def test_affinity_is_previewed_before_any_analysis_and_follows_the_settings(dock, work, qtbot) -> None:
    from napari_dynamic_connectome.widgets.views.affinity_preview import affinity_of_two

    work.session.add(recording())
    dock.preview_fold.head.setChecked(True)
    dock.flush()
    assert not dock.preview_fold.isHidden()
    assert dock.grid_box.isHidden()
    dock.preview.show_pair("AVAL", "AVAR")
    settle(work, qtbot)
    assert [dock.preview.first.currentText(), dock.preview.second.currentText()] == ["AVAL", "AVAR"]
    same = dock.preview.note.text()
    assert same.startswith("mean")
    dock.preview.show_pair("AVAL", "SMDVL")
    settle(work, qtbot)
    assert float(dock.preview.note.text().split()[1][:-1]) < float(same.split()[1][:-1])  # another wave: less affine
    dock.preview.show_pair("AVAL", "AVAR")
    dock.preview.form.controls["sign"].value = "opposite"
    settle(work, qtbot)
    assert dock.preview.note.text() != same
    assert work.view.affinity.sign == "opposite"
    _, values = affinity_of_two(work.session.recording, "AVAL", "AVAR", work.view.affinity)
    assert f"mean {np.nanmean(values):.3f}" in dock.preview.note.text()


def test_choosing_the_same_neuron_twice_says_so(dock, work, qtbot) -> None:
    work.session.add(recording())
    dock.preview_fold.head.setChecked(True)
    dock.flush()
    dock.preview.show_pair("AVAL", "AVAL")
    settle(work, qtbot)
    assert "two different" in dock.preview.note.text()


@pytest.mark.filled
def test_the_sweep_shows_errors_and_restarts_and_a_click_uses_a_rank(dock, work, qtbot) -> None:
    work.session.set_sweep(sweep(work.session.cohort))
    work.by_rank[3] = dict(work.session.communities)
    dock.sweep_fold.head.setChecked(True)
    dock.flush()
    qtbot.wait(50)
    view = dock.sweep_view
    np.testing.assert_allclose(curves(view.errors)[0].getData()[1], [0.5, 0.3, 0.25])
    np.testing.assert_allclose(curves(view.errors)[1].getData()[1], [0.55, 0.35, 0.4])
    np.testing.assert_allclose(curves(view.restarts)[0].getData()[1], [1.0, 0.97, 0.6])
    assert [r["rank"] for r in view.table.chosen()] == [2]
    box = view.restarts.getViewBox()
    place = view.restarts.mapFromScene(box.mapViewToScene(QPointF(3.0, 0.8)))
    qtbot.mouseClick(view.restarts.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(place.x(), place.y()))
    assert work.session.components.rank == 3
    dock.flush()
    assert len(dock.cards) == 3
    assert dock.rank.currentText() == "3"


def test_worm_by_worm_fits_every_worm_alone(dock, work, qtbot) -> None:
    from napari_dynamic_connectome.affinity.compute import compute_affinity
    from napari_dynamic_connectome.factorization.factorize import factorize

    worms = cohort()
    for one in worms.recordings:
        work.session.add(one, make_current=False)
    work.session.set_current("worm A")
    work.session.set_cohort(worms)
    fit = factorize(compute_affinity(worms), 2, starts=2, seed=0)
    work.session.set_components(fit)
    dock.worms_fold.head.setChecked(True)
    dock.flush()
    settle(work, qtbot)
    view = dock.worms_view
    assert view.own is not None
    np.testing.assert_allclose(view.own.pair.values, fit.pair.values, rtol=1e-5, atol=1e-9)  # pairs are kept
    assert {str(w) for w in view.own.worm["worm"].values} == {"worm A", "worm B"}
    assert len(curves(view.plot)) == 3  # two worms and their mean
    means = [c.getData()[1] for c in curves(view.plot)]
    np.testing.assert_allclose(means[2], (means[0] + means[1]) / 2, rtol=1e-5, atol=1e-9)
    assert [r["worm"] for r in view.table.rows_model.rows] == ["worm A", "worm B"]


def test_a_component_with_its_own_clock_shows_the_course_of_the_current_worm(dock, work, qtbot) -> None:
    worms = cohort()
    for one in worms.recordings:
        work.session.add(one, make_current=False)
    work.session.set_current("worm A")
    work.session.set_components(mixed_components(worms))
    dock.flush()
    assert [card.clock for card in dock.cards] == ["common", "own"]
    assert "own course" in dock.cards[1].toolTip() and "One course" in dock.cards[0].toolTip()
    assert "common clock or own clock of worm A" in dock.legend.text()
    peaks = {}
    for worm in ("worm A", "worm B"):
        work.session.set_current(worm)
        dock.flush()
        peaks[worm] = [float(card.course[0][card.course[1].argmax()]) for card in dock.cards]
    assert peaks["worm A"][0] == peaks["worm B"][0]
    assert peaks["worm A"][1] == pytest.approx(20, abs=1)
    assert peaks["worm B"][1] == pytest.approx(45, abs=1)
    work.session.select(component=2)
    dock.worms_fold.head.setChecked(True)
    dock.flush()
    drawn = [float(c.getData()[0][np.argmax(c.getData()[1])]) for c in curves(dock.worms_view.plot)]
    assert sorted(drawn[:2]) == pytest.approx([20, 45], abs=1)
    assert "own clock" in dock.worms_view.note.text()


@pytest.mark.filled
def test_matching_finds_the_partners_in_another_rank_and_in_a_session(dock, work, qtbot, tmp_path, wait_for) -> None:
    from napari_dynamic_connectome.session.save_load import save_session
    from napari_dynamic_connectome.session.session import Session

    work.session.set_sweep(sweep(work.session.cohort))
    dock.match_fold.head.setChecked(True)
    dock.flush()
    box = dock.match.rank
    assert [box.itemData(i) for i in range(box.count())] == [0, 1, 3]
    box.setCurrentIndex(2)
    box.activated.emit(2)
    settle(work, qtbot)
    rows = dock.match.table.rows_model.rows
    assert {(int(r["component_a"]), int(r["component_b"])) for r in rows} == {(1, 1), (2, 2)}
    assert all(r["similarity"] > 0.95 for r in rows)
    other = Session()
    fill(other)
    save_session(other, tmp_path / "other.zarr")
    wait_for(dock.match.ask(str(tmp_path / "other.zarr")))
    assert "other.zarr: score 1.00" in dock.match.note.text()
    dock.match.table.selectRow(1)
    assert work.session.selection.component == 2


@pytest.mark.filled
def test_a_pair_is_previewed_and_a_community_marks_its_worms(dock, work, qtbot) -> None:
    work.session.set_current("worm A")
    dock.pairs_fold.head.setChecked(True)
    dock.preview_fold.head.setChecked(True)
    dock.flush()
    dock.pairs.selectRow(0)
    settle(work, qtbot)
    pair = (dock.preview.first.currentText(), dock.preview.second.currentText())
    assert pair == work.session.selection.neurons
    assert dock.cards[0].marked is None
    work.session.select(component=1, community=0)
    dock.flush()
    assert dock.cards[0].marked == frozenset({0, 1})
    assert dock.cards[1].marked is None


def test_components_without_communities_offer_to_find_them(add_dock, work, qtbot) -> None:
    from napari_dynamic_connectome.widgets.docks.communities_dock import CommunitiesDock

    made = add_dock(CommunitiesDock)
    worms = cohort()
    work.session.set_cohort(worms)
    work.session.set_components(components(worms))
    work.session.settings = {"communities": {"samples": 5, "null_fits": 0, "starts": 1, "rounds": 1}}
    made.flush()
    qtbot.wait(30)
    assert not made.find_button.isHidden()
    qtbot.mouseClick(made.find_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not work.jobs.running, timeout=120_000)
    made.flush()
    assert made.find_button.isHidden()
    assert made.table.rows_model.rowCount() >= 1


@pytest.mark.filled
def test_chance_is_shown_on_demand_kept_and_only_for_its_components(dock, work, qtbot, wait_for, tmp_path) -> None:
    from napari_dynamic_connectome.pipeline.settings import PipelineSettings
    from napari_dynamic_connectome.pipeline.surrogates import surrogate_components
    from napari_dynamic_connectome.session.save_load import load_session, save_session
    from napari_dynamic_connectome.widgets.workspace.open_files import adopt

    work.session.set_current("worm A")
    qtbot.wait(30)
    assert dock.cards[0].band is None and dock.pairs.isColumnHidden(2)
    before = dock.cards[0].grab().toImage()
    dock.chance.count.setValue(2)
    wait_for(dock.chance.run())
    qtbot.wait(30)
    parts, worms = work.session.components, work.session.cohort
    nulls = surrogate_components(worms, parts, PipelineSettings(), count=2)

    def beside_a_common_course(null, r):
        if null.clock(r) == "common":
            return null.time_course(r).values
        return null.time_course(r, "worm A").values / float(null.worm.sel(component=r, worm="worm A"))

    courses = [np.nan_to_num(beside_a_common_course(n, r)) for n in nulls for r in (1, 2)]
    band = dock.cards[0].band
    assert band.count == 4
    np.testing.assert_allclose(band.high, np.percentile(courses, 95, axis=0), rtol=1e-5)
    assert dock.cards[0].grab().toImage() != before
    tops = [np.nanmax(n.matrix(r).values) for n in nulls for r in (1, 2)]
    row = dock.pairs.rows_model.rows[0]
    assert row["p"] == (1 + sum(t >= row["value"] for t in tops)) / 5
    path = tmp_path / "s.zarr"
    save_session(work.session, path)
    work.session.set_components(components(worms))  # another fit: what is known is not about it
    qtbot.wait(30)
    assert dock.cards[0].band is None and dock.chance_fold.summary.text() == "not computed"
    adopt(work, load_session(path))
    work.session.set_current("worm A")
    qtbot.wait(30)
    np.testing.assert_array_equal(dock.cards[0].band.high, band.high)
