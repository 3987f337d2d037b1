"""Movies: mp4 and gif of the right length, the view comes back, a cancelled one leaves nothing."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = [pytest.mark.gui, pytest.mark.filled]


@pytest.fixture
def viewer(reused_viewer):
    return reused_viewer


@pytest.fixture
def export(viewer, add_dock, qtbot):
    from napari_dynamic_connectome.widgets.docks.export_dock import ExportDock
    from napari_dynamic_connectome.widgets.workspace.workspace import workspace_of

    dock = add_dock(ExportDock)
    work = workspace_of(viewer)
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


@pytest.mark.parametrize("name", ["worm.mp4", "worm.gif"])
@pytest.mark.parametrize("failure", ["cut off", "error at the end", "error in a frame"])
def test_a_movie_on_a_full_disk_leaves_the_older_one(export, tmp_path, wait_for, monkeypatch, name, failure) -> None:
    pytest.importorskip("imageio")
    if name.endswith("mp4"):
        pytest.importorskip("imageio_ffmpeg")
    from napari_dynamic_connectome.widgets.viewer import movie as module

    older, said = tmp_path / name, []
    older.write_bytes(b"an older movie")
    monkeypatch.setattr(module, "show_failure", lambda viewer, doing, error: said.append(str(error)))
    made = export.save_movie(older)
    writer, close = made.writer, made.writer.close

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    def cut_off():
        close()
        with made.temporary.open("r+b") as stream:
            stream.truncate(made.temporary.stat().st_size * 2 // 3)

    def fail():
        close()
        full()

    if failure == "error in a frame":
        made.writer = type("Full", (), {"append_data": full, "close": lambda self: writer.close()})()
    else:
        made.writer.close = cut_off if failure == "cut off" else fail
    wait_for(made)
    assert older.read_bytes() == b"an older movie"
    assert [p.name for p in tmp_path.iterdir()] == [name]
    why = "cannot be played" if failure == "cut off" else "No space left on device"
    assert len(said) == 1 and why in said[0] and "What was there before is unchanged" in said[0]
    assert "nothing was written" in export.said.text() and export.bar.isHidden()


def test_a_movie_into_a_folder_that_cannot_be_is_refused(export, tmp_path) -> None:
    pytest.importorskip("imageio")
    (tmp_path / "file").write_text("no folder")
    assert export.save_movie(tmp_path / "file" / "worm.gif") is None
    assert "the movie could not be written" in export.bar.failure.text()
