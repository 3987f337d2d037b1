"""The Cohort dock: presence, coverage, pairs, a worm opened from list and matrix, forty worms, real worms."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from tests.widgets.helpers import NAMES, recording

from napari_dynamic_connectome.display.palette import rgb
from napari_dynamic_connectome.model.neurons import CANONICAL
from napari_dynamic_connectome.model.recording import Recording

pytestmark = pytest.mark.gui


@pytest.fixture
def opened(opened):
    """Two worms, of which the second has another neuron."""
    if not opened.recordings:
        opened.add(recording("worm A", 0))
        opened.add(recording("worm B", 1).with_names({1: "", 2: "RIS"}), make_current=False)
    return opened


@pytest.fixture
def viewer(reused_viewer):
    return reused_viewer


@pytest.fixture
def dock(add_dock, qtbot):
    from napari_dynamic_connectome.widgets.docks.cohort_dock import CohortDock

    made = add_dock(CohortDock)
    qtbot.wait(20)
    made.flush()
    return made


def remove_worms(work) -> None:
    for name in list(work.session.recordings):
        work.session.remove(name)


def test_presence_follows_ticks_coverage_and_pairs(dock, qtbot) -> None:
    presence, neurons, worms = dock._presence
    assert worms == ("worm A", "worm B") and set(neurons) == {*NAMES, "RIS"}
    assert presence[1, neurons.index("RIS")] and not presence[0, neurons.index("RIS")]
    dock.forms["cohort"].controls["min_worms"].value = 2
    assert set(dock._presence[1]) == set(NAMES) - {"AVAL", "AVAR"}
    dock.forms["cohort"].controls["min_worms"].value = 1
    dock.forms["cohort"].controls["merge_left_right"].value = True
    assert set(dock._presence[1]) == {n[:-1] for n in NAMES} | {"RIS"}
    dock.list.item(1).setCheckState(Qt.CheckState.Unchecked)
    qtbot.wait(10)
    assert dock._presence[2] == ("worm A",)
    assert [r.name for r in dock.chosen()] == ["worm A"]
    dock.none_button.click()
    qtbot.wait(10)
    assert dock._presence is None and "no worm is ticked" in dock.presence_text.text()
    dock.all_button.click()
    qtbot.wait(10)
    assert len(dock.chosen()) == 2


def test_a_double_click_opens_a_worm(dock, work, qtbot) -> None:
    item = dock.list.item(1)
    place = dock.list.visualItemRect(item).center()
    qtbot.mouseClick(dock.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseDClick(dock.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert work.session.current == "worm B"
    work.scene.flush()
    assert len(work.scene.drawn.ids) == len(NAMES) + 3 and "RIS" in work.scene.drawn.ids
    dock.flush()
    view, widget = dock.plot.getPlotItem().getViewBox(), dock.plot.viewport()
    _presence, neurons, _ = dock._presence
    import pyqtgraph as pg

    column = neurons.index("RIML")
    at = dock.plot.mapFromScene(view.mapViewToScene(pg.Point(column + 0.5, 0.5)))
    spot = QPoint(int(at.x()), int(at.y()))
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton, pos=spot)
    qtbot.mouseDClick(widget, Qt.MouseButton.LeftButton, pos=spot)
    qtbot.mouseRelease(widget, Qt.MouseButton.LeftButton, pos=spot)
    assert work.session.current == "worm A"
    assert work.session.selection.neurons == ("RIML",)


def test_a_worm_is_closed(dock, work, qtbot) -> None:
    dock.list.setCurrentRow(0)
    dock.close_button.click()
    qtbot.wait(10)
    dock.flush()
    assert list(work.session.recordings) == ["worm B"] and work.session.current == "worm B"
    assert dock.list.count() == 1


def test_forty_worms_of_302_neurons(dock, work, qtbot) -> None:
    remove_worms(work)
    rng = np.random.default_rng(0)
    base = rng.normal(size=(30, len(CANONICAL)))
    for i in range(40):
        names = [n if rng.random() < 0.7 else "" for n in CANONICAL]
        work.session.recordings[f"worm {i:02}"] = Recording.from_arrays(
            base, name=f"worm {i:02}", rate_hz=2, names=names
        )
    work.session.recordings_changed.emit()
    qtbot.wait(20)
    dock.flush()
    presence, _neurons, _worms = dock._presence
    assert presence.shape == (40, 302) and 0.65 < presence.mean() < 0.75
    assert presence.sum(axis=0).tolist() == sorted(presence.sum(axis=0).tolist(), reverse=True)
    assert dock.image.image.shape[:2] == (40, 302)


def test_real_worms(dock, work, qtbot, shared_data) -> None:
    from napari_dynamic_connectome.widgets.workspace.open_files import open_paths

    remove_worms(work)
    paths = sorted((shared_data / "traces").glob("dag2023_*.npz"))
    open_paths(work, paths)
    qtbot.waitUntil(lambda: not work.jobs.running, timeout=60000)
    qtbot.wait(20)
    dock.flush()
    assert len(work.session.recordings) == len(paths)
    presence, neurons, _ = dock._presence
    assert "AVAL" in neurons and presence.shape[1] > 100
    assert "no stimuli in common" in dock.summary.text()


def test_a_cancelled_analysis_goes_on_where_it_was(dock, qtbot, wait_for, monkeypatch) -> None:
    from napari_dynamic_connectome.factorization import jobs
    from napari_dynamic_connectome.model.places import cache_folder

    dock.forms["rank"].set_value(dock.forms["rank"].model(smallest=2, largest=3, starts=2, folds=2))
    dock.forms["communities"].set_value(dock.forms["communities"].model(samples=20, null_fits=0, starts=1))
    ran: list[str] = []
    cancelling = True

    def count(kind: type) -> None:
        run = kind.run

        def counted(job, prepared, pool, progress=None):
            result = run(job, prepared, pool, progress)
            ran.append(job.name)
            if cancelling and len(ran) == 2:
                running.cancel()
            return result

        monkeypatch.setattr(kind, "run", counted)

    # only the jobs of the sweep are kept and counted; surrogate cohorts are fitted in batches of their own
    count(jobs.FitJob)
    count(jobs.FoldJob)
    running = dock.analyze()
    wait_for(running)
    assert dock.session.components is None and len(ran) <= 3
    (folder,) = (cache_folder() / "checkpoints").glob("analyze-*")
    before, cancelling = set(ran[:2]), False
    ran.clear()
    wait_for(dock.analyze())
    assert dock.session.components is not None and dock.session.sweep is not None
    assert not before & set(ran) and len(ran) == 4
    made = dock.session.provenance
    assert made["command"].startswith("napari, Cohort dock: ") and "numpy" in made["versions"]
    assert [one["worm"] for one in made["inputs"]] == list(dock.session.cohort.worms)
    qtbot.waitUntil(lambda: not folder.exists())


def test_affinity_tried_out_in_the_preview_is_the_one_that_is_analyzed(dock, add_dock, qtbot) -> None:
    from napari_dynamic_connectome.widgets.docks.components_dock import ComponentsDock

    other = add_dock(ComponentsDock)
    qtbot.wait(20)
    tried = other.preview.form.value().model_copy(update={"sigma_s": 2.5, "sign": "absolute"})
    other.preview.form.set_value(tried)
    other.preview.form.edited.emit()
    qtbot.wait(20)
    dock.flush()
    assert dock.settings().affinity == tried
    assert "2.5" in dock.folds["affinity"].summary.text()
    dock.forms["affinity"].set_value(tried.model_copy(update={"sigma_s": 0.5}))
    dock.forms["affinity"].edited.emit()
    qtbot.wait(20)
    other.flush()
    assert other.preview.form.value().sigma_s == 0.5


@pytest.mark.filled
def test_choosing_a_community_marks_its_worms(dock, work, qtbot) -> None:
    work.session.add(recording("worm C", 2).with_names({i + 1: "" for i in range(4)}), make_current=False)
    qtbot.wait(10)
    plain = [dock.list.item(i).text() for i in range(3)]
    work.session.select(community=0)
    qtbot.wait(10)
    items = [dock.list.item(i) for i in range(3)]
    assert [i.text().split("   ")[1].split("  ·  ")[0] for i in items[:2]] == ["4 of 4 members"] * 2
    assert "members" not in items[2].text()  # no part of the cohort that was analyzed
    shown = items[0].icon().pixmap(11, 11).toImage().pixelColor(5, 5).getRgbF()[:3]
    np.testing.assert_allclose(shown, rgb(work.scene.drawn.styles[0].color), atol=0.01)
    assert items[2].icon().isNull()
    assert "100% as strong" in items[0].toolTip()
    colour = items[0].icon().pixmap(11, 11).toImage()
    work.view.set(color_by="naming")  # the worm is coloured by its names then, the list still by the community
    work.session.select(community=1)
    work.session.select(community=0)
    qtbot.wait(10)
    assert not work.scene.drawn.styles and items[0].icon().pixmap(11, 11).toImage() == colour
    work.session.select(community=None)
    qtbot.wait(10)
    assert items[0].icon().isNull() and [i.text() for i in items] == plain
