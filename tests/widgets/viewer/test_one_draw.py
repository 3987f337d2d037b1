"""One switch is one change of a layer: what napari holds and draws afterwards is what the single changes gave."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.widgets.helpers import fill

from napari_dynamic_connectome.widgets.viewer.layers import CURRENT, EDGES, NAMES, NEURONS, drawn_once
from napari_dynamic_connectome.widgets.workspace.workspace import workspace_of

pytestmark = pytest.mark.gui


@pytest.fixture
def work(viewer, qtbot) -> Any:
    made = workspace_of(viewer)
    fill(made.session)
    made.session.set_current("worm A")
    viewer.dims.ndisplay = 3
    made.scene.flush()
    qtbot.wait(300)
    return made


def picture(viewer: Any) -> np.ndarray:
    return np.asarray(viewer.screenshot(canvas_only=True, flash=False))


def test_several_values_of_a_layer_are_drawn_once_and_as_one_by_one(viewer, qtbot) -> None:
    from napari.layers import Points

    rng = np.random.default_rng(0)
    first, second = rng.uniform(0, 50, (8, 3)), rng.uniform(0, 50, (5, 3))
    colours = np.column_stack([rng.random((5, 3)), np.ones(5)])
    plain, batched = (viewer.add_layer(Points(first, size=6, name=n)) for n in ("plain", "batched"))
    viewer.dims.ndisplay = 3
    visual = viewer.window._qt_viewer.canvas.layer_to_visual[batched]
    drawn, seen = [], []
    batched.events.set_data.connect(lambda e: drawn.append(1))
    batched.events.data.connect(lambda e: seen.append(e.action))
    for layer in (plain, batched):
        context = drawn_once(batched, moved=True) if layer is batched else None
        if context is not None:
            context.__enter__()
        layer.data, layer.size, layer.face_color = second, 9.0, colours
        layer.border_width_is_relative = True
        layer.border_width, layer.border_color = 0.2, colours[::-1]
        if context is not None:
            context.__exit__(None, None, None)
    assert len(drawn) == 1 and len(seen) == 1
    other = viewer.window._qt_viewer.canvas.layer_to_visual[plain]
    a, b = (v.node.points_markers._data for v in (visual, other))
    assert a.dtype == b.dtype
    for name in a.dtype.names:
        np.testing.assert_array_equal(a[name], b[name])
    np.testing.assert_array_equal(batched.extent.data, plain.extent.data)
    viewer.layers.remove(plain)
    np.testing.assert_allclose(viewer.layers.extent.world[0], second.min(axis=0))  # the world is measured anew


@pytest.mark.parametrize("what", ["worm", "component", "community", "level", "colour", "neuron"])
def test_a_switch_draws_each_layer_once_and_what_a_new_viewer_would(
    what, work, viewer, make_napari_viewer, qtbot
) -> None:
    session = work.session
    session.select(community=0)
    work.scene.flush()
    qtbot.wait(300)
    changes = {
        "worm": lambda s, v: s.set_current("worm B"),
        "component": lambda s, v: s.select(component=2),
        "community": lambda s, v: s.select(community=1, neurons=()),
        "level": lambda s, v: s.select(level=1),
        "colour": lambda s, v: v.set(color_by="strength"),
        "neuron": lambda s, v: s.select(neurons=(s.recording.neurons.index[3],)),
    }
    times: dict[str, int] = {}
    for name, layer in work.scene.layers.items():
        layer.events.set_data.connect(lambda e, name=name: times.__setitem__(name, times.get(name, 0) + 1))
    changes[what](session, work.view)
    while work.scheduler.busy:
        qtbot.wait(1)
    # napari draws all layers once more where its world became another one
    assert times.get(NEURONS, 0) <= 1
    assert max(times.get(name, 0) for name in (CURRENT, EDGES, NAMES)) <= (2 if what == "worm" else 1)
    qtbot.wait(500)
    work.scene.flush()

    fresh = make_napari_viewer(show=True)
    fresh.window.resize(1280, 800)
    try:
        other = workspace_of(fresh)
        fill(other.session)
        other.session.set_current("worm A")
        fresh.dims.ndisplay = 3
        other.session.select(community=0)
        changes[what](other.session, other.view)
        other.scene.flush()
        qtbot.wait(500)
        fresh.scene.camera.zoom, fresh.scene.camera.center = viewer.scene.camera.zoom, viewer.scene.camera.center
        fresh.scene.camera.angles = viewer.scene.camera.angles
        other.scene.flush()
        qtbot.wait(300)
        for name in (NEURONS, CURRENT, NAMES):
            one, new = work.scene.layers[name], other.scene.layers[name]
            assert one.visible == new.visible, name
            if not one.visible:
                continue
            np.testing.assert_allclose(one.data, new.data, rtol=1e-5, atol=0.5, err_msg=name)
            for field in ("face_color", "size", "border_color", "border_width"):
                np.testing.assert_allclose(
                    getattr(one, field), getattr(new, field), rtol=0.11, atol=1e-6, err_msg=f"{name} {field}"
                )
        left, right = work.scene.layers[NEURONS].features, other.scene.layers[NEURONS].features
        assert left.equals(right) and (left.dtypes == right.dtypes).all()
        if work.scene.layers[NAMES].visible:
            called = [list(one.scene.layers[NAMES].features["name"]) for one in (work, other)]
            assert called[0] == called[1]
        edges, new = work.scene.layers[EDGES], other.scene.layers[EDGES]
        assert edges.visible == new.visible
        if edges.visible:
            np.testing.assert_allclose(edges.vertex_colors, new.vertex_colors)
    finally:
        workspace_of(fresh).close()


def test_edges_that_change_need_no_new_program(work, viewer, monkeypatch, qtbot) -> None:
    from vispy.visuals.shaders.program import ModularProgram

    for community in (0, 1, 0):
        work.session.select(community=community)
        work.scene.flush()
        picture(viewer)
    built = []
    build = ModularProgram._build
    monkeypatch.setattr(ModularProgram, "_build", lambda program: (built.append(program), build(program))[1])
    before = picture(viewer)
    work.session.select(community=1)
    work.scene.flush()
    assert (picture(viewer) != before).any()
    assert not built


def test_the_time_axis_stays_where_another_worm_has_the_same_times(work, viewer, qtbot) -> None:
    axis = work.scene.layers["time"]
    moved = []
    axis.events.data.connect(lambda e: moved.append(1))
    assert viewer.dims.range[0].stop == pytest.approx(work.session.recording.time_s[-1])
    work.session.set_current("worm B")
    work.scene.flush()
    assert not moved and viewer.dims.range[0].stop == pytest.approx(work.session.recording.time_s[-1])
    neurons = work.scene.layers[NEURONS]
    np.testing.assert_allclose(viewer.layers.extent.world[:, 1:], neurons.extent.world, atol=1e-6)


def test_labels_in_the_same_colours_are_not_mapped_again(work, viewer, qtbot) -> None:
    recording = work.session.recording
    labels = np.zeros((4, 40, 100), np.uint8)
    labels[1, 3, : recording.n_neurons] = recording.neurons["label"].to_numpy()
    layer = viewer.add_labels(labels, name="cells")
    work.scene.attach("worm A", [], layer)
    work.scene.flush()
    layer.visible = True
    work.scene.recolour_labels()
    first = layer.colormap
    work.scene.recolour_labels()
    assert layer.colormap is first
    work.session.select(community=1)
    work.scene.flush()
    assert layer.colormap is not first
    drawn = work.scene.drawn
    np.testing.assert_allclose(
        layer.colormap.colors[drawn.labels], np.column_stack([drawn.base, drawn.alpha]), atol=1e-6
    )


def test_layers_of_the_overlay_come_and_go_without_a_new_scene(work, viewer, monkeypatch, qtbot) -> None:
    canvas = viewer.window._qt_viewer.canvas
    rebuilt = []
    monkeypatch.setattr(type(canvas), "_update_viewer_overlays", lambda self: rebuilt.append(1))
    edges = work.scene.layers[EDGES]
    assert not edges.visible
    empty = picture(viewer)
    work.session.select(community=0)
    work.scene.flush()
    assert edges.visible and canvas.layer_to_visual[edges].node.visible
    assert (picture(viewer) != empty).any()
    work.session.select(community=None)
    work.scene.flush()
    assert not edges.visible and not canvas.layer_to_visual[edges].node.visible
    assert not rebuilt
    viewer.canvas.grid.enabled = True  # every layer has a place of its own there
    rebuilt.clear()
    edges.visible = True
    assert rebuilt
    viewer.canvas.grid.enabled = False
