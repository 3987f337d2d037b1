"""Two worms or two components side by side: one selection and time, linked cameras."""

from __future__ import annotations

import numpy as np
import pytest
from tests.widgets.helpers import fill

pytestmark = pytest.mark.gui


def test_two_worms_side_by_side(viewer, qtbot) -> None:
    from napari_dynamic_connectome.widgets.workspace.compare import open_compare
    from napari_dynamic_connectome.widgets.workspace.workspace import workspace_of

    work = workspace_of(viewer)
    fill(work.session)
    work.session.set_current("worm A")
    viewer.dims.ndisplay = 3
    work.scene.flush()
    other = open_compare(work)
    qtbot.wait(60)
    assert other.worm.currentText() == "worm B"
    np.testing.assert_allclose(other.layer.data, work.session.recordings["worm B"].positions_um, atol=1e-5)
    assert "worm B" in other.model.canvas.overlays.text.text

    viewer.scene.camera.angles = (10, 40, -25)
    np.testing.assert_allclose(other.model.scene.camera.angles, (10, 40, -25))
    other.model.scene.camera.angles = (0, 15, 5)
    np.testing.assert_allclose(viewer.scene.camera.angles, (0, 15, 5))
    other.model.scene.camera.zoom = 7.5
    assert viewer.scene.camera.zoom == pytest.approx(7.5)

    work.session.select(community=1)
    assert other.drawn.lit.sum() == 4
    work.view.set(color_by="strength")
    before = np.asarray(other.layer.face_color).copy()
    work.session.select(time_s=12.0)
    at_peak = np.asarray(other.layer.face_color).copy()
    assert np.abs(at_peak - before).max() > 0.05
    other.component.setCurrentIndex(2)
    other.component.activated.emit(2)
    assert np.abs(np.asarray(other.layer.face_color) - at_peak).max() > 0.05  # the second component rests at 12 s

    viewer.window.remove_dock_widget(other)
    qtbot.wait(30)
    viewer.scene.camera.angles = (1, 2, 3)  # nobody listens any more
    work.session.select(time_s=20.0)
