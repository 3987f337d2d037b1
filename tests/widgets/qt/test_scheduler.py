"""What keeps turns of the event loop short: steps in turns, imports and grey levels beforehand."""

from __future__ import annotations

import gc
import sys
import threading
import time
import types
import weakref

import numpy as np
import pytest
from qtpy.QtGui import QMovie
from qtpy.QtWidgets import QWidget
from tests.widgets.helpers import NAMES, recording

from napari_dynamic_connectome.widgets.qt import scheduler as turns
from napari_dynamic_connectome.widgets.qt.scheduler import Scheduler
from napari_dynamic_connectome.widgets.viewer import grey_levels
from napari_dynamic_connectome.widgets.workspace import preload

pytestmark = pytest.mark.gui


def test_steps_take_turns_with_other_work(qtbot) -> None:
    class Owner:
        def work(self) -> None:
            seen.append("other")

    seen, ended = [], []
    owner, scheduler = Owner(), Scheduler()
    other = scheduler.later(owner.work)

    def steps():
        seen.append(1)
        other.start()
        yield
        seen.append(2)
        yield
        seen.append(3)

    scheduler.run_steps(steps(), ended.append)
    assert scheduler.busy and not seen
    qtbot.waitUntil(lambda: bool(ended))
    assert seen == [1, "other", 2, 3] and ended == [None]


def test_the_wheel_of_napari_takes_no_time_from_a_step(viewer, work, wait_for) -> None:
    go_on = threading.Event()
    job = work.jobs.start("a step", lambda **_: go_on.wait(20))
    wheel = viewer.window._qt_window._activity_dialog._toggleButton._inProgressIndicator
    assert not wheel.isHidden() and wheel.movie().state() == QMovie.MovieState.NotRunning
    go_on.set()
    wait_for(job)


def test_an_error_in_a_step_is_told_and_ends_the_others(qtbot) -> None:
    def steps():
        yield
        raise ValueError("no")

    ended = []
    scheduler = Scheduler()
    scheduler.run_steps(steps(), ended.append)
    qtbot.waitUntil(lambda: bool(ended))
    assert isinstance(ended[0], ValueError) and not scheduler.busy


def test_a_job_runs_until_all_its_steps_are_done(work, wait_for, qtbot) -> None:
    done = []

    def finish(result):
        for place in range(3):
            done.append(result + place)
            assert job.running
            yield

    job = work.jobs.start("steps", lambda progress, cancel: 5, finish)
    wait_for(job)
    assert done == [5, 6, 7]

    def fail(result):
        yield
        raise ValueError("the second step")

    job = wait_for(work.jobs.start("fails", lambda progress, cancel: 5, fail))
    assert isinstance(job.error, ValueError) and "the second step" in job.details
    assert not work.jobs.running


def test_closing_ends_a_job_whose_steps_still_wait(work) -> None:
    def finish(result):
        yield
        raise AssertionError("nothing is done after the end")

    job = work.jobs.start("steps", lambda progress, cancel: 5, finish)
    job.wait()
    job._finish()
    assert job.running
    work.close()
    assert not job.running


def test_the_canvas_is_drawn_when_nothing_waits_or_after_a_while(qtbot, monkeypatch) -> None:
    from napari_dynamic_connectome.widgets.qt import scheduler as module

    drawn, ended = [], []

    class Canvas(QWidget):
        def paintEvent(self, event) -> None:
            drawn.append(len(ended) if not taken else taken[-1])

    taken: list[int] = []
    window = QWidget()
    window.resize(200, 200)
    canvas = Canvas(window)
    canvas.resize(100, 100)
    qtbot.addWidget(window)
    with qtbot.waitExposed(window):
        window.show()
    qtbot.wait(50)

    def steps(count: int):
        for number in range(count):
            taken.append(number)
            canvas.update()
            time.sleep(0.03)
            yield

    monkeypatch.setattr(module, "HELD_S", 60.0)
    scheduler = Scheduler(lambda: canvas)
    drawn.clear()
    scheduler.run_steps(steps(6), ended.append)
    qtbot.waitUntil(lambda: bool(ended))
    qtbot.waitUntil(lambda: bool(drawn) and drawn[-1] == 5)
    assert set(drawn) <= {0, 5}  # at the end, and at most once before it began to wait
    assert canvas.updatesEnabled()

    monkeypatch.setattr(module, "HELD_S", 0.05)
    taken.clear()
    drawn.clear()
    ended.clear()
    scheduler.run_steps(steps(12), ended.append)
    qtbot.waitUntil(lambda: bool(ended))
    assert 2 <= len([one for one in drawn if one < 11]) < 11  # now and then in between
    time.sleep(module.FREE_S)
    scheduler.run_steps(steps(3))
    scheduler._next()
    assert not canvas.updatesEnabled()
    scheduler.close()
    assert canvas.updatesEnabled()


def test_garbage_collection_is_left_as_it_is(viewer, work, qtbot, monkeypatch) -> None:
    """It is the whole process's: napari and other plugins live with it, too."""
    from napari_dynamic_connectome.widgets.app.arrange import open_docks

    asked: list[str] = []
    for name in ("freeze", "unfreeze", "enable", "disable", "set_threshold"):
        monkeypatch.setattr(gc, name, lambda *_, name=name: asked.append(name))
    open_docks(viewer)
    layer = viewer.add_image(np.zeros((4, 20, 20)), name="old")
    gone = weakref.ref(layer)
    del layer
    viewer.layers.remove("old")
    viewer.add_points(np.zeros((1, 3)), name="other")  # napari remembers the last active layer
    qtbot.wait(50)
    gc.collect()
    assert gone() is None
    work.close()
    assert asked == []


def test_the_canvas_is_drawn_also_while_a_step_asks_something(qtbot, monkeypatch) -> None:
    from qtpy.QtCore import QEventLoop, QTimer

    from napari_dynamic_connectome.widgets.qt import scheduler as module

    monkeypatch.setattr(module, "HELD_S", 0.05)
    window = QWidget()
    canvas = QWidget(window)
    qtbot.addWidget(window)
    window.show()
    seen, ended = [], []

    def steps():
        time.sleep(0.03)
        yield
        seen.append(canvas.updatesEnabled())
        loop = QEventLoop()
        QTimer.singleShot(300, loop.quit)
        loop.exec()
        seen.append(canvas.updatesEnabled())
        yield

    scheduler = Scheduler(lambda: canvas)
    scheduler.run_steps(steps(), ended.append)
    qtbot.waitUntil(lambda: bool(ended))
    assert seen == [False, True]


def test_no_turn_is_taken_while_the_window_may_close_or_after_it_did(qtbot) -> None:
    seen = []

    def steps():
        try:
            for number in range(9):
                seen.append(number)
                time.sleep(0.03)
                yield
        finally:
            seen.append("forgotten")

    scheduler = Scheduler()
    scheduler.run_steps(steps())
    qtbot.waitUntil(lambda: bool(seen))
    scheduler.paused = True
    qtbot.wait(60)
    count = len(seen)
    qtbot.wait(100)
    assert len(seen) == count
    scheduler.resume()
    qtbot.waitUntil(lambda: len(seen) > count)
    scheduler.close()
    assert seen[-1] == "forgotten"
    scheduler.run_steps(steps())
    qtbot.wait(60)
    assert seen[-1] == "forgotten" and not scheduler.busy


def test_docks_open_once_however_often_they_are_asked_for(viewer, work, qtbot, monkeypatch) -> None:
    from napari_dynamic_connectome.widgets.app.arrange import DOCKS, arrange_in_steps, open_docks

    arrange_in_steps(viewer)
    arrange_in_steps(viewer)
    assert len(work.scheduler._waiting) == 1
    with monkeypatch.context() as patch:
        patch.setattr(turns, "BUDGET_S", 0.0)  # one step, however quick it is
        work.scheduler._next()  # the first dock is made and not yet in the window
    assert not viewer.window.dock_widgets
    found = open_docks(viewer)  # what a key does that needs one of them
    qtbot.waitUntil(lambda: not work.arranging, timeout=20000)
    qtbot.wait(50)
    names = sorted(found)
    assert names == sorted(kind.title for kind in DOCKS)
    made = [widget for kind in DOCKS for widget in viewer.window._qt_window.findChildren(kind)]
    assert len(made) == len(DOCKS)
    assert sorted(map(id, made)) == sorted(map(id, found.values()))
    assert open_docks(viewer) == found


def test_modules_are_imported_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    assert preload.import_modules() is None  # the tests turn it off
    monkeypatch.setenv("DYNAMIC_CONNECTOME_PRELOAD", "1")
    for name in preload.MODULES:
        __import__(name)  # they exist
    imported = []
    monkeypatch.setattr(preload, "MODULES", ("no.such.module", "this_test_only"))
    monkeypatch.setattr(preload.importlib, "import_module", lambda name: imported.append((name, __import__(name))))
    monkeypatch.setitem(sys.modules, "this_test_only", types.ModuleType("this_test_only"))
    thread = preload.import_modules()
    assert thread is not None
    thread.join(20)
    assert [name for name, _ in imported] == ["this_test_only"]  # the one before, which is not there, does not end it


@pytest.mark.parametrize("pyramid", [False, True])
def test_levels_are_those_of_the_frame_in_the_middle(pyramid: bool) -> None:
    rng = np.random.default_rng(0)
    data = rng.integers(0, 100, (5, 4, 30, 40)).astype(np.uint16)
    data[2] += 500
    low, high = grey_levels.empty_and_bright([data, data[..., ::2, ::2]] if pyramid else data)
    expected = np.percentile(data[2][:, ::3, ::3], grey_levels.PERCENTILES)
    assert (low, high) == pytest.approx(tuple(expected))
    out = grey_levels.with_levels((data, {"name": "a", "metadata": {"x": 1}}, "image"))[1]
    assert out["metadata"] == {"x": 1, grey_levels.LEVELS: pytest.approx((low, high))}
    assert out["contrast_limits"] == (data[[0, -1], :, ::3, ::3].min(), data[2][:, ::3, ::3].max())


def test_levels_leave_alone_what_they_cannot_read() -> None:
    class Broken:
        ndim, shape = 3, (2, 3, 4)

        def __getitem__(self, key):
            raise OSError("torn file")

    for item in (
        (Broken(), {}, "image"),
        (np.zeros((2, 3, 3), int), {}, "labels"),
        (np.zeros((4, 4, 3)), {"rgb": True}, "image"),
    ):
        assert grey_levels.with_levels(item) is item
    flat = grey_levels.with_levels((np.zeros((2, 9, 9)), {}, "image"))[1]
    assert "contrast_limits" not in flat
    given = grey_levels.with_levels((np.arange(162.0).reshape(2, 9, 9), {"contrast_limits": (1, 2)}, "image"))[1]
    assert given["contrast_limits"] == (1, 2)


def test_names_and_lines_do_not_widen_the_world(viewer, work) -> None:
    work.session.add(recording())
    work.scene.flush()
    viewer.dims.ndisplay = 3
    work.scene.flush()
    before = viewer.dims.range
    ranges = []
    viewer.dims.events.range.connect(lambda event: ranges.append(event.value))
    work.session.select(neurons=(NAMES[0],))
    work.scene.flush()
    layers = work.scene.layers
    assert layers["names"].visible and layers["current"].visible
    far = layers["names"].data
    drawn = work.scene.drawn.positions
    assert (far < drawn.min(axis=0) - 0.5).any() or (far > drawn.max(axis=0) + 0.5).any()
    assert viewer.dims.range == before and not ranges
    assert layers["names"].as_layer_data_tuple()[2] == "points"
    assert layers["edges"].as_layer_data_tuple()[2] == "surface"


def test_layers_are_made_before_they_are_needed(viewer, work) -> None:
    work.session.add(recording())
    work.scene.flush()
    for name in ("current", "names", "edges", "leaders"):
        assert work.scene.layers[name] in viewer.layers and not work.scene.layers[name].visible
    assert viewer.layers.selection.active is work.scene.layers["neurons"]


def test_names_come_back_with_their_layer(viewer, work) -> None:
    work.session.add(recording())
    viewer.dims.ndisplay = 3
    work.session.select(neurons=(NAMES[0],))
    work.scene.flush()
    before = list(work.scene.layers["names"].text.values)
    assert NAMES[0] in " ".join(map(str, before))
    viewer.layers.remove("names")
    work.scene.flush()
    assert "names" not in viewer.layers
    work.scene.show_again()
    assert list(work.scene.layers["names"].text.values) == before


def test_what_is_selected_stays_selected_when_our_layers_come(viewer, work) -> None:
    one, two = viewer.add_points(np.zeros((1, 3))), viewer.add_points(np.ones((1, 3)))
    work.session.add(recording())
    work.scene.flush()
    viewer.layers.remove("edges")
    viewer.layers.selection = {one, two}
    assert viewer.layers.selection.active is None
    work.scene.show_again()
    assert "edges" in viewer.layers
    assert set(viewer.layers.selection) == {one, two} and viewer.layers.selection.active is None


def test_a_worker_collects_what_it_left_behind_but_not_after_a_moment(work, wait_for, monkeypatch) -> None:

    from napari_dynamic_connectome.widgets.qt import background

    collected = []
    monkeypatch.setattr(background.gc, "collect", lambda *generation: collected.append(1))
    wait_for(work.jobs.start("a preview", lambda progress, cancel: 1, quiet=True))
    assert not collected
    wait_for(work.jobs.start("a long step", lambda progress, cancel: 1))
    assert collected


def test_edits_are_kept_in_a_journal_again_when_opening_a_session_fails(work, monkeypatch, tmp_path) -> None:
    from napari_dynamic_connectome.session.save_load import load_session, save_session
    from napari_dynamic_connectome.widgets.workspace.open_files import adopt

    work.session.add(recording())
    save_session(work.session, tmp_path / "s.zarr")
    loaded = load_session(tmp_path / "s.zarr")

    def fail(current) -> None:
        raise ValueError("a fault of the program")

    monkeypatch.setattr(work.session, "set_current", fail)
    with pytest.raises(ValueError, match="a fault"):
        adopt(work, loaded)
    assert work.session.journal is not None
