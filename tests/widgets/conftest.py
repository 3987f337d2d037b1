from __future__ import annotations

import os
import shutil
import sys
import time

import pytest

from napari_dynamic_connectome.model.places import state_folder


@pytest.fixture(autouse=True)
def _settings_stay_in_memory(monkeypatch) -> None:
    """Every reset of napari's settings, two a test, would write their file for every field, a tenth of the time of a short test."""
    from napari.settings._base import EventedConfigFileSettings

    monkeypatch.setattr(EventedConfigFileSettings, "save", lambda self, *args, **options: None)


@pytest.fixture(autouse=True)
def _gui(request: pytest.FixtureRequest, _own_cache, tmp_path_factory, monkeypatch) -> None:
    if "gui" in request.keywords and sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        pytest.skip("no X display: run under xvfb-run")
    monkeypatch.setenv("DYNAMIC_CONNECTOME_CONFIG", str(tmp_path_factory.mktemp("config")))
    # what another test left unsaved must not be offered in this one
    shutil.rmtree(state_folder() / "journals", ignore_errors=True)


@pytest.fixture
def qtbot(qtbot, monkeypatch):
    """pytest-qt's, but a wait goes on until nothing waits to be drawn: how many turns that takes depends on the machine."""
    from napari_dynamic_connectome.widgets.workspace.workspace import _workspaces

    plain = qtbot.wait

    def wait(milliseconds: int) -> None:
        plain(milliseconds)
        end = time.monotonic() + 20
        while any(work.scheduler.busy for work in list(_workspaces.values())) and time.monotonic() < end:
            plain(5)

    monkeypatch.setattr(qtbot, "wait", wait)
    return qtbot


@pytest.fixture
def viewer(make_napari_viewer, qtbot):
    from napari_dynamic_connectome.widgets.workspace.workspace import workspace_of

    made = make_napari_viewer(show=True)
    made.window.resize(1280, 800)
    yield made
    workspace_of(made).close()


@pytest.fixture
def work(viewer):
    from napari_dynamic_connectome.widgets.workspace.workspace import workspace_of

    return workspace_of(viewer)


@pytest.fixture
def wait_for(qtbot):
    def wait(job, seconds: float = 60.0):
        assert job is not None
        end = time.monotonic() + seconds
        while job.running and time.monotonic() < end:
            qtbot.wait(20)
        assert not job.running
        return job

    return wait
