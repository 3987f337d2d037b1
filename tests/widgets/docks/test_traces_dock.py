"""The Traces dock: order, raw and corrected, behaviour, rows chosen with a box, linked zoom, and what is drawn of many points."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from qtpy.QtCore import QPoint, QPointF, Qt
from tests.widgets.helpers import NAMES, fill, recording

from .test_neurons_dock import move

pytestmark = pytest.mark.gui


def behaving():
    one = recording()
    time = one.time_s
    channels = {"reversal": ((time % 20) < 4).astype(float), "velocity": np.sin(time / 5)}
    return one.replace(
        behaviour=xr.Dataset({k: xr.DataArray(v, dims=("time",), coords={"time": time}) for k, v in channels.items()})
    )


@pytest.fixture
def opened(opened):
    if not opened.recordings:
        opened.add(behaving())
    return opened


@pytest.fixture
def viewer(reused_viewer):
    return reused_viewer


@pytest.fixture
def dock(add_dock, qtbot):
    from napari_dynamic_connectome.widgets.docks.traces_dock import TracesDock

    made = add_dock(TracesDock, "bottom")
    qtbot.wait(40)
    made.flush()
    return made


def order(dock) -> list[str]:
    return [str(dock.session.recording.neurons.index[i]) for i in dock.order]


def test_rows_are_sorted_as_asked(dock) -> None:
    dock.sort.setCurrentIndex(dock.sort.findData("name"))
    dock.flush()
    assert order(dock)[: len(NAMES)] == sorted(NAMES)
    dock.sort.setCurrentIndex(dock.sort.findData("class"))
    dock.flush()
    assert order(dock)[:2] == ["AIBL", "AIBR"]
    dock.sort.setCurrentIndex(dock.sort.findData("similarity"))
    dock.flush()
    z = dock._z[:, dock.order]
    nearby = np.mean([np.mean(z[:, i] * z[:, i + 1]) for i in range(z.shape[1] - 1)])
    assert nearby > 0.6


def test_naming_does_not_sort_by_similarity_again(dock, work, monkeypatch) -> None:
    from napari_dynamic_connectome.display import order as module

    dock.sort.setCurrentIndex(dock.sort.findData("similarity"))
    dock.flush()
    calls = []
    monkeypatch.setattr(module, "similarity_order", lambda traces: calls.append(1))
    work.session.edit(work.session.current, {13: {"note": "faint"}})
    work.session.select(neurons=("AVAL",))
    dock.flush()
    assert calls == []


def test_raw_traces_of_a_saved_recording_can_be_shown(dock, work) -> None:
    from napari_dynamic_connectome.extraction.correct import correct_traces

    one = work.session.recording
    bright = one.replace(traces=one.traces * 10 + 100)
    new = correct_traces(bright, baseline="rolling percentile", smoothing="gaussian", smoothing_s=2.0)
    work.session.add(new, replace=True)
    dock.scale.setCurrentText("values")
    dock.flush()
    assert dock.raw.isVisible()
    before = dock._values.copy()
    dock.raw.setChecked(True)
    dock.flush()
    assert not np.allclose(before, dock._values)
    assert dock.remembered("scale") == "values"


def test_behaviour_is_chosen_and_shaded(dock, work) -> None:
    from napari_dynamic_connectome.widgets.qt.plots import Bands, Marks

    assert dock.behaviour.isVisible() and dock.behaviour.currentText() == "reversal"
    marks = [i for _, i in dock.strip_items if isinstance(i, Marks)]
    bands = [i for p, i in dock.strip_items if isinstance(i, Bands) and p is dock.stack_plot]
    assert [len(m.spans) for m in marks] == [2, 3, 2, 3]  # stimuli and reversals over both plots
    assert [len(b.spans) for b in bands] == [2, 3]
    dock.behaviour.setCurrentText("velocity")
    dock.behaviour.activated.emit(1)
    dock.flush()
    assert len([i for _, i in dock.strip_items if isinstance(i, Marks)]) == 2


def test_a_box_of_rows_chooses_neurons(dock, qtbot) -> None:
    view, widget = dock.rows_view, dock.heat.viewport()
    rect = view.mapRectToScene(view.boundingRect())
    top, height = rect.top(), rect.height()
    rows = len(dock.order)
    x = int(rect.left() + 20)
    start, stop = (int(top + height * (r + 0.5) / rows) for r in (2, 5))
    shift = Qt.KeyboardModifier.ShiftModifier
    qtbot.mousePress(widget, Qt.MouseButton.LeftButton, shift, QPoint(x, start))
    for y in np.linspace(start, stop, 6)[1:]:
        qtbot.wait(12)
        move(widget, QPoint(x + 10, int(y)), shift)
    qtbot.mouseRelease(widget, Qt.MouseButton.LeftButton, shift, QPoint(x + 10, stop))
    assert list(dock.session.selection.neurons) == order(dock)[2:6]


def test_a_click_sets_time_and_neuron_and_the_slider_follows(viewer, dock, work, qtbot) -> None:
    work.scene.flush()
    view, widget = dock.rows_view, dock.heat.viewport()
    rect = view.mapRectToScene(view.boundingRect())
    x = int(rect.left() + rect.width() * 0.5)
    y = int(rect.top() + rect.height() * 4.5 / len(dock.order))
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton, pos=QPoint(x, y))
    assert dock.session.selection.neurons == (order(dock)[4],)
    time = dock.session.selection.time_s
    assert time == pytest.approx(30, abs=1)
    assert viewer.dims.current_step[0] == round(time * 2)


def test_curves_and_names_are_those_of_the_present_choice(dock, work) -> None:
    work.session.remove("worm A")
    fill(work.session)
    work.session.set_current("worm A")
    work.session.select(component=1, kind="core", community=0)
    dock.flush()

    def seen() -> list[str]:
        names = work.session.recording.neurons.index
        with_points = [c for c in dock._curves if c.getData()[0] is not None and len(c.getData()[0])]
        assert len(with_points) == len(dock.curves)
        for curve, neuron, offset in dock.curves:
            wanted = dock._z[:, neuron] + offset
            assert (curve.yData.min(), curve.yData.max()) == pytest.approx((wanted.min(), wanted.max()))
        return [str(names[neuron]) for _, neuron, _ in dock.curves]

    of_community = seen()
    assert set(of_community) == set(work.session.shown_communities.members(0, 0))
    texts = [t.textItem.toPlainText() for t in dock.bar_texts if t.isVisible()]
    assert texts == [*dict.fromkeys(work.scene.drawn.styles[c].label for c in (0, 1, 2)), "–"]
    work.session.select(community=None, neurons=())
    dock.flush()
    assert len(seen()) > len(of_community)
    dock.sort.setCurrentIndex(dock.sort.findData("name"))
    dock.flush()
    assert seen() == order(dock)[: len(dock.curves)]
    assert not any(t.isVisible() for t in dock.bar_texts)


def test_zoom_is_linked(dock, qtbot) -> None:
    dock.heat_plot.setXRange(10, 20, padding=0)
    qtbot.wait(10)
    assert dock.stack_plot.getViewBox().viewRange()[0] == pytest.approx([10, 20], abs=0.5)
    assert dock.heat_strip.getViewBox().viewRange()[0] == pytest.approx([10, 20], abs=0.5)
    shown = dock.image.boundingRect()
    assert shown.width() < 30  # only what is seen is drawn


def test_what_is_drawn_keeps_the_extremes() -> None:
    from napari_dynamic_connectome.widgets.qt.plots import envelope
    from napari_dynamic_connectome.widgets.views.heatmap import window

    rng = np.random.default_rng(0)
    time = np.arange(4000) / 4
    values = rng.normal(size=(4000, 3))
    values[1234, 1] = 50.0
    values[2000:2100, 2] = np.nan
    shown_time, shown = envelope(time, values, 0, 1000, 400)
    assert len(shown_time) <= 800 and (np.diff(shown_time) >= 0).all()
    assert shown[:, 1].max() == 50.0 and np.isnan(shown[:, 2]).any()
    near = int(np.argmax(shown[:, 1]))
    assert shown_time[near] == pytest.approx(time[1234], abs=3)
    few_time, few = envelope(time, values, 100, 110, 400)
    assert few_time[0] <= 100 <= 110 <= few_time[-1] and len(few) < 60
    image = rng.integers(0, 256, (5, 1000)).astype(np.uint8)
    part = window(image, 100, 900, 100)
    assert part.shape == (5, 100)
    np.testing.assert_allclose(part[:, 0], image[:, 100:108].mean(axis=1), atol=1)
    assert window(image, 0, 50, 100).shape == (5, 50)


@pytest.mark.filled
def test_the_chosen_neuron_is_seen_in_all_worms_and_around_events(dock, work, qtbot, wait_for) -> None:
    from napari_dynamic_connectome.comparison.onsets import average_onsets
    from napari_dynamic_connectome.display.community_names import community_names

    work.session.set_current("worm A")
    work.session.select(neurons=("AVAR",), community=None)
    dock.stack_mode.setCurrentText("All worms")
    dock.flush()
    page = dock.page
    assert page.isVisible() and not dock.stack.isVisible()
    assert page.worms == ["worm A", "worm B"]
    assert "AVAR in 2 of 2 worms" in page.text.text() and "partners in component 1" in page.text.text()
    spot = page.view.mapFromScene(page.plot.getViewBox().mapViewToScene(QPointF(20, -5.0)))
    qtbot.mouseClick(page.view.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    qtbot.wait(30)
    assert work.session.current == "worm B"
    dock.stack_mode.setCurrentText("Around events")
    dock.flush()
    assert [page.event_choice.itemText(i) for i in range(page.event_choice.count())] == ["NaCl", "butanone"]
    wait_for(page._job)
    assert page.signal.currentText() == "AVAR"
    wanted = average_onsets(work.session.cohort, "NaCl", neurons=["AVAR"], surrogates=199)
    np.testing.assert_allclose(page.found.mean.sel(signal="AVAR"), wanted.mean.sel(signal="AVAR"))
    assert page.text.text().startswith("AVAR around NaCl: 2 worms, 2 events; p ")
    assert page.image.image.shape[0] == 2
    # communities are called as in the window, not by their numbers from 0
    held = [str(page.signal.itemData(i)) for i in range(page.signal.count())]
    place = next(i for i, one in enumerate(held) if " core " in one or " modules " in one)
    component, kind, number = held[place].split()[1:]
    called = community_names(work.session.communities, int(component), kind)[int(number)]
    page.signal.setCurrentIndex(place)
    page.signal.activated.emit(place)
    assert page.text.text().startswith(f"community {called} of component {component} ({kind}) around NaCl")
    # names of worms do not lie on each other
    for height, count in ((400, 2), (60, 1)):
        page.view.setFixedHeight(height)
        qtbot.wait(60)
        shown = page.heat.getAxis("left")._tickLevels[0]
        assert len(shown) == count and len(shown) * 13 <= max(page.heat.getViewBox().height(), 13)
    # without such a neuron, and without a worm that has an event
    work.session.select(neurons=())
    dock.stack_mode.setCurrentText("All worms")
    dock.flush()
    assert page.text.text().startswith("Choose a named neuron") and page.worms == []
