"""The window at 1280 x 800: the task at hand gets the room, nothing is pushed beyond the screen, one click to a result in 3D."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDockWidget, QLabel, QTabBar

from napari_dynamic_connectome.widgets.app.layout import Layout
from napari_dynamic_connectome.widgets.views.colour_by import ColourBy

from ..helpers import fill
from ..tour import quick_settings, small_samples

pytestmark = pytest.mark.gui


def arranged(viewer, qtbot):
    from napari_dynamic_connectome.widgets.app.arrange import arrange_windows

    docks = arrange_windows(viewer)
    qtbot.wait(400)
    return docks


def click_tab(window, title: str, qtbot) -> None:
    for bar in window.findChildren(QTabBar):
        names = [bar.tabText(i) for i in range(bar.count())]
        if title in names:
            QTest.mouseClick(
                bar,
                Qt.MouseButton.LeftButton,
                Qt.KeyboardModifier.NoModifier,
                bar.tabRect(names.index(title)).center(),
            )
    qtbot.wait(500)


def height_of(dock) -> int:
    widget = dock
    while not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
    return int(widget.height())


def test_no_tab_bar_of_an_earlier_group_is_in_a_picture_of_the_window(qapp) -> None:
    """Pictures are taken between turns of the event loop, in which Qt does not clear away what it has done with."""
    import napari

    from napari_dynamic_connectome.widgets.app.arrange import arrange_windows
    from napari_dynamic_connectome.widgets.app.screenshot import settle

    viewer = napari.Viewer(show=True)
    window = viewer.window._qt_window
    try:
        window.resize(1600, 1000)
        arrange_windows(viewer)
        settle(viewer, 3)
        bars = window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)
        seen = [bar for bar in bars if bar.isVisible() and bar.count()]
        titles = {bar.tabText(i) for bar in seen for i in range(bar.count())}
        assert {"Recording", "Components", "Communities", "Export"} <= titles
        places = {
            (title, bar.geometry().getRect()) for bar in seen for title in (bar.tabText(i) for i in range(bar.count()))
        }
        assert len(places) == len(titles), places  # nobody in two places
    finally:
        viewer.close()


def test_a_dock_may_be_higher_than_it_asks_for_whatever_napari_says(viewer, work, qtbot) -> None:
    from qtpy.QtWidgets import QSizePolicy

    from napari_dynamic_connectome.widgets.docks.communities_dock import CommunitiesDock

    dock = CommunitiesDock(viewer)
    dock.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)  # as napari 0.9.0 sets it
    holder = viewer.window.add_dock_widget(dock, name="Communities", area="right", add_vertical_stretch=False)
    qtbot.wait(50)
    window = viewer.window._qt_window

    def grown() -> bool:
        window.resizeDocks([holder], [window.height()], Qt.Orientation.Vertical)
        return dock.height() > max(dock.sizeHint().height(), 0.6 * window.height())

    qtbot.waitUntil(grown, timeout=5000)
    viewer.window.remove_dock_widget(dock)


def test_the_task_at_hand_gets_the_room_of_a_low_window(viewer, work, qtbot) -> None:
    docks = arranged(viewer, qtbot)
    window = viewer.window._qt_window
    fill(work.session)
    qtbot.wait(300)
    layer = viewer.add_labels(np.ones((4, 30, 30), np.uint16))  # its controls are the tallest
    qtbot.wait(300)
    assert (window.width(), window.height()) == (1280, 800)
    viewer.layers.remove(layer)
    for title in ("Neurons", "Communities", "Cohort", "Components"):
        click_tab(window, title, qtbot)
        assert height_of(docks[title]) > 0.6 * window.height(), title
    run = docks["Cohort"].run_button
    click_tab(window, "Cohort", qtbot)
    assert run.isVisible() and not run.visibleRegion().isEmpty()
    numbers = [one for one in window.findChildren(QLabel, "slice_label") if one.isVisible() and one.text()]
    assert numbers and all(one.width() >= one.sizeHint().width() for one in numbers)
    # a dock that grows by itself, for a strip or a message, is no separator that was moved
    docks["Communities"].setMinimumHeight(docks["Communities"].height() + 40)
    qtbot.wait(50)
    docks["Communities"].setMinimumHeight(0)
    for title in ("Components", "Cohort"):
        click_tab(window, title, qtbot)
        assert height_of(docks[title]) > 0.6 * window.height(), title
    # a separator that was moved by hand stays where it is
    (layout,) = window.findChildren(Layout)
    cohort = layout._holder("Cohort")
    begin = cohort.mapTo(window, cohort.rect().bottomLeft())
    begin.setX(begin.x() + 150)
    begin.setY(begin.y() + 3)
    LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QTest.mousePress(window, LEFT, NONE, begin)
    for step in range(1, 6):
        QTest.mouseMove(window, QPoint(begin.x(), begin.y() - 40 * step))
        qtbot.wait(60)
    QTest.mouseRelease(window, LEFT, NONE, QPoint(begin.x(), begin.y() - 200))
    qtbot.wait(300)
    before = cohort.height()
    assert before < 0.6 * window.height() and layout.by_hand
    click_tab(window, "Neurons", qtbot)
    assert abs(height_of(docks["Neurons"]) - before) < 30


def test_docks_that_are_opened_one_by_one_do_not_push_the_window(viewer, qtbot) -> None:
    from napari_dynamic_connectome.widgets.app.contributions import arrange

    window = viewer.window._qt_window
    sizes = set()
    watched = window.resizeEvent
    window.resizeEvent = lambda event: (sizes.add((event.size().width(), event.size().height())), watched(event))[1]
    before = (window.width(), window.height())
    arrange(viewer)
    qtbot.wait(1500)
    assert len(window.findChildren(Layout)) == 1
    assert (window.width(), window.height()) == before and sizes <= {before}


def test_one_click_from_the_start_card_to_a_result_in_3d(viewer, work, qtbot, monkeypatch) -> None:
    small_samples(monkeypatch)
    docks = arranged(viewer, qtbot)
    quick_settings(docks)
    for key, form in docks["Cohort"].forms.items():
        docks["Cohort"]._edited(key)
        assert form.value() is not None
    card = docks["Recording"].start
    assert card.isVisible() and not card.recent[0].isVisible()
    QTest.mouseClick(card.sample, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: docks["Recording"].bar.isVisible(), timeout=5000)
    qtbot.waitUntil(lambda: work.session.components is not None and not work.jobs.running, timeout=120_000)
    qtbot.wait(500)
    assert not card.isVisible()
    assert viewer.dims.ndisplay == 3
    assert docks["Communities"].isVisible() and not docks["Communities"].visibleRegion().isEmpty()
    assert work.session.settings["rank"]["largest"] == 3
    if work.session.components.rank and any(len(c.sizes(c.chosen_level)) for c in work.session.communities.values()):
        assert work.session.selection.community is not None or not docks["Communities"].answer.text()


def test_a_worm_without_an_image_opens_in_3d_and_napari_sees_its_neurons(viewer, work, qtbot) -> None:
    fill(work.session)
    work.session.set_current("worm A")
    work.scene.flush()
    qtbot.wait(200)
    assert viewer.dims.ndisplay == 3
    points = viewer.layers["neurons"]
    assert {"name", "class", "side", "community", "core", "modules", "probability", "strength"} <= set(points.features)
    assert points.features["name"][0] == "AVAL"
    # chosen in napari, chosen here, and the other way round
    points.selected_data = {3}
    recording = work.session.recording
    assert work.session.selection.neurons == (str(recording.neurons.index[3]),)
    work.session.select(neurons=(str(recording.neurons.index[5]), str(recording.neurons.index[6])))
    work.scene.flush()
    assert set(points.selected_data) == {5, 6}
    # coloured by a correlation
    before = np.array(points.face_color)
    work.view.set(color_by="column")
    work.scene.flush()
    assert not np.array_equal(before, points.face_color)
    # the list of columns is made when somebody is about to choose
    listed = ColourBy(work)
    qtbot.addWidget(listed)
    assert listed.currentText() == "correlation with the chosen neuron"
    work.session.select(neurons=("AVAL",))
    listed.showPopup()
    listed.hidePopup()
    assert listed.findText("strength") > 0
    listed.setCurrentIndex(listed.findText("strength"))
    listed.activated.emit(listed.currentIndex())
    assert (work.view.color_by, work.view.column) == ("column", "strength")
    # a Labels layer with features may be chosen before the mouse has moved in 3D
    labels = viewer.add_labels(np.pad(np.arange(1, 5, dtype=np.uint16).reshape(1, 2, 2), 2), name="cells")
    work.scene.attach("worm A", [], labels)
    work.scene.flush()
    viewer.mouse_over_canvas = True
    viewer.layers.selection.active = points
    viewer.layers.selection.active = labels
    assert labels.features["index"].tolist() == recording.neurons["label"].tolist()
    labels.selected_label = 2
    assert work.session.selection.neurons == (str(recording.neurons.index[recording.neurons["label"] == 2][0]),)
    chosen = work.session.selection.neurons
    work.session.select(neurons=())
    labels.visible = True
    work.scene.flush()  # napari says "selected" when the colours change
    assert work.session.selection.neurons == () and chosen


@pytest.mark.parametrize("height", [800, 1000])
def test_arranged_docks_stay_whatever_python_collects(viewer, qtbot, height) -> None:
    from napari_dynamic_connectome.widgets.app.arrange import arrange_windows

    viewer.window.resize(1280, height)
    titles = set(arrange_windows(viewer))
    qtbot.wait(100)
    gc.collect()
    qtbot.wait(50)
    window = viewer.window._qt_window
    found = {one.windowTitle() for one in window.findChildren(QDockWidget)}
    assert titles <= found and len(titles) > 7
    groups = [{b.tabText(i) for i in range(b.count())} for b in window.findChildren(QTabBar)]
    shown = [one for one in groups if one & titles]
    assert len(shown) == 2 and set.union(*shown) == titles - {"Traces"}


def test_a_result_is_shown_on_a_worm_that_has_it(work) -> None:
    from napari_dynamic_connectome.model.recording import Recording
    from napari_dynamic_connectome.widgets.viewer.first_look import choose_telling

    fill(work.session)
    traces = np.random.default_rng(0).normal(size=(60, 4))
    work.session.add(Recording.from_arrays(traces, name="nameless", rate_hz=2.0, names=[""] * 4))
    assert work.session.current == "nameless"
    assert choose_telling(work)
    assert work.session.current in ("worm A", "worm B") and work.session.selection.community is not None
    assert not choose_telling(work)  # what is chosen stays


def test_what_failed_stays_beside_the_button_until_the_next_try(viewer, work, qtbot, monkeypatch) -> None:
    docks = arranged(viewer, qtbot)
    fill(work.session)
    click_tab(viewer.window._qt_window, "Cohort", qtbot)
    dock = docks["Cohort"]
    dock._tick(False)
    qtbot.wait(100)
    QTest.mouseClick(dock.run_button, Qt.MouseButton.LeftButton)
    qtbot.wait(100)
    assert dock.bar.isVisible() and "no worm is ticked" in dock.bar.failure.text()

    def slow(progress, cancel):
        from napari_dynamic_connectome.model.errors import InputError

        raise InputError("this cannot be done", fix="Do it otherwise.")

    job = work.jobs.start("Analyze", slow)
    dock.bar.watch(job)
    qtbot.waitUntil(lambda: not job.running, timeout=5000)
    qtbot.wait(100)
    assert "this cannot be done" in dock.bar.failure.text() and not dock.bar.cancel.isVisible()
    job = work.jobs.start("Analyze", lambda progress, cancel: None)
    dock.bar.watch(job)
    assert not dock.bar.failure.isVisible()
    qtbot.waitUntil(lambda: not job.running, timeout=5000)
