"""Movies: mp4 and gif of the right length, the view comes back, a cancelled one leaves nothing."""

from __future__ import annotations

import numpy as np
import pytest
from tests.widgets.helpers import fill

pytestmark = pytest.mark.gui


@pytest.fixture
def export(viewer, qtbot):
    from napari_dynamic_connectome.widgets.docks.export_dock import ExportDock
    from napari_dynamic_connectome.widgets.workspace.workspace import workspace_of

    dock = ExportDock(viewer)
    viewer.window.add_dock_widget(dock, name="Export", area="right", add_vertical_stretch=False)
    work = workspace_of(viewer)
    fill(work.session)
    work.session.set_current("worm A")
    viewer.dims.ndisplay = 3
    work.view.set(color_by="activity")
    work.scene.flush()
    work.scene.home()
    qtbot.wait(30)
    dock.seconds.setValue(0.5)
    dock.fps.setValue(12)
    return dock


@pytest.mark.parametrize(("name", "movement"), [("worm.mp4", "both"), ("worm.gif", "time")])
def test_a_movie_has_its_frames_and_the_view_comes_back(export, viewer, tmp_path, wait_for, name, movement) -> None:
    imageio = pytest.importorskip("imageio.v3")
    if name.endswith("mp4"):
        pytest.importorskip("imageio_ffmpeg")
    export.movement.setCurrentIndex(export.movement.findData(movement))
    angles, time_s = tuple(viewer.scene.camera.angles), export.session.selection.time_s
    movie = wait_for(export.save_movie(tmp_path / name))
    frames = imageio.imread(tmp_path / name, index=None) if name.endswith("gif") else imageio.imread(tmp_path / name)
    assert len(frames) == len(movie.frames) == 6
    assert np.abs(frames[0].astype(int) - frames[3].astype(int)).max() > 40  # something moves
    np.testing.assert_allclose(viewer.scene.camera.angles, angles, atol=1e-6)
    assert export.session.selection.time_s == time_s
    assert str(tmp_path / name) in export.said.text()


def test_a_cancelled_movie_leaves_nothing(export, viewer, qtbot, tmp_path, wait_for) -> None:
    export.seconds.setValue(60)
    movie = export.save_movie(tmp_path / "worm.gif")
    qtbot.waitUntil(lambda: movie.at > 1, timeout=20_000)
    export.bar.cancel.click()
    wait_for(movie, 10)
    assert list(tmp_path.iterdir()) == []
    assert export.bar.isHidden()
