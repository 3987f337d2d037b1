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
        assert (one.box.parent is None) == (other.box.parent is None) == (not colour)
        if colour:
            np.testing.assert_allclose(one.box.color.rgba, other.box.color.rgba, atol=1e-6)
            assert (one.box.width, one.box.height) == pytest.approx((other.box.width, other.box.height))
