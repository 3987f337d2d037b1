"""The legend's chips: what napari draws of them after they changed, and how often it is told."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dynamic_connectome.widgets.viewer.legend import KEY, Legend

pytestmark = pytest.mark.gui


def test_chips_that_change_are_drawn_as_new_ones_would_be(viewer) -> None:
    from napari.components.overlays import TextOverlay

    legend = Legend()
    legend.show(viewer, [("1", "#56b4e9"), ("2", "#e69f00")], "#ffffff", most=9)
    legend.show(viewer, [("1a", "#f0e442"), ("plain", "")], "#ffffff", most=9)
    legend.settle(viewer)
    visuals = viewer.window._qt_viewer.canvas._viewer_overlay_to_visual
    for place, colour in enumerate(["#f0e442", ""]):
        changed = viewer.canvas.overlays[f"{KEY}{place}"]
        values = {name: getattr(changed, name) for name in ("text", "color", "box", "box_color")}
        viewer.canvas.overlays.pop("reference", None)
        viewer.canvas.overlays["reference"] = reference = TextOverlay(
            position="top_left", font_size=7.5, visible=True, **values
        )
        one, other = (visuals[o][0] for o in (changed, reference))
        assert one.node.text == other.node.text == changed.text
        np.testing.assert_allclose(one.node.color.rgba, other.node.color.rgba, atol=1e-6)
        assert (one.x_size, one.y_size) == pytest.approx((other.x_size, other.y_size))
        np.testing.assert_allclose(one.box.color.rgba, other.box.color.rgba, atol=1e-6)
        assert (one.box.width, one.box.height) == pytest.approx((other.box.width, other.box.height))
        assert one.box.color.rgba[3] == (
            1 if colour else pytest.approx(0, abs=1e-3)
        )  # plain text has no box to be seen


def test_chips_that_change_need_no_new_program(viewer, monkeypatch) -> None:
    from vispy.visuals.shaders.program import ModularProgram

    built = []
    build = ModularProgram._build
    monkeypatch.setattr(ModularProgram, "_build", lambda program: (built.append(program), build(program))[1])
    legend = Legend()
    lines = [("1a", "#ff0000"), ("1b", "#00ff00"), ("plain", "")]
    legend.show(viewer, lines, "#ffffff", most=9)
    viewer.screenshot(canvas_only=True, flash=False)
    assert built  # the first time
    built.clear()
    for wanted in (lines[:1], [("23", "#0000ff"), ("plain", ""), ("2", "#ffff00")], lines):
        legend.show(viewer, wanted, "#ffffff")
        legend.settle(viewer)
        viewer.screenshot(canvas_only=True, flash=False)
    assert not built


def test_chips_that_come_and_go_stand_below_each_other(viewer, qtbot) -> None:
    legend, colours = Legend(), {"1": "#ff0000", "2": "#00ff00", "3": "#0000ff"}

    def rows() -> list[float]:
        """Middle row on the canvas of every chip, by its colour; NaN where it is not seen."""
        picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
        found = []
        for colour in colours.values():
            wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
            place = np.argwhere((np.abs(picture - wanted) < 30).all(axis=-1))
            found.append(float(place[:, 0].mean()) if len(place) else np.nan)
        return found

    lines = list(colours.items())
    legend.show(viewer, lines, "#ffffff", most=9)
    first = rows()
    assert np.isfinite(first).all() and (np.diff(first) > 8).all()
    assert legend.show(viewer, lines[1:2], "#ffffff") is False  # all that are there change at once
    fewer = rows()
    assert np.isnan(fewer[0]) and np.isnan(fewer[2]) and fewer[1] == pytest.approx(first[0], abs=1)
    assert legend.show(viewer, lines, "#ffffff") is False
    np.testing.assert_allclose(rows(), first, atol=1)
    # napari's own switch still places them
    viewer.canvas.overlays[f"{KEY}0"].visible = False
    assert rows()[1] == pytest.approx(first[0], abs=1)
