"""What runs while the window closes."""

from __future__ import annotations

import time

import pytest

from napari_dynamic_connectome.model.errors import Cancelled

pytestmark = pytest.mark.gui


def test_closing_ends_running_jobs(work) -> None:
    def slow(progress, cancel):
        while not cancel():
            time.sleep(0.01)
        raise Cancelled

    job = work.jobs.start("slow", slow)
    work.close()
    assert not job.running
    assert job._thread.isFinished()


def test_a_step_that_ends_while_the_window_closes_touches_nothing(viewer, work, qtbot) -> None:
    from napari_dynamic_connectome.widgets.app.arrange import arrange_windows

    arrange_windows(viewer)
    reached: list[int] = []
    job = work.jobs.start("quick", lambda progress, cancel: 1, reached.append)
    job.wait()  # it has ended; the GUI thread does not know yet
    viewer.close()
    qtbot.waitUntil(lambda: not job.running)
    assert work.scene.closed and reached == []
