from __future__ import annotations

import gc
import os
import shutil
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from napari_dynamic_connectome.model.places import state_folder


@pytest.fixture(scope="session", autouse=True)
def _modules_are_no_garbage() -> None:
    """What importing napari and the docks leaves behind stays to the end: garbage collection need not go through it each time."""
    from napari.utils._testsupport import make_napari_viewer  # noqa: F401

    import napari_dynamic_connectome.widgets.app.arrange  # noqa: F401

    gc.collect()
    gc.freeze()


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


@pytest.fixture(scope="module")
def module_viewer(qapp, tmp_path_factory) -> Iterator[Any]:
    """One viewer for all tests of a module that only look and choose; not beside `viewer` in the same module."""
    import napari
    from app_model import Application
    from napari._app_model._app import NapariApplication, _napari_names
    from napari._qt._qapp_model.qactions import init_qactions
    from napari._qt.qt_viewer import QtViewer
    from napari.plugins import _initialize_plugins
    from napari.settings import get_settings
    from qtpy.QtTest import QTest

    from napari_dynamic_connectome.widgets.workspace.workspace import workspace_of

    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        pytest.skip("no X display: run under xvfb-run")
    application = NapariApplication("module_test_app")
    application.injection_store.namespace = _napari_names
    with pytest.MonkeyPatch.context() as patch:
        for what, place in (("CONFIG", "config"), ("CACHE", "cache")):
            patch.setenv(f"DYNAMIC_CONNECTOME_{what}", str(tmp_path_factory.mktemp(place)))
        # as napari's own fixture does it: its settings, actions and plugins new, no thread that asks for the status
        patch.setattr("napari.settings._base.EventedConfigFileSettings.save", lambda self, *args, **options: None)
        patch.setattr("napari._qt.threads.status_checker.StatusChecker.start", lambda *_: None)
        patch.setattr(NapariApplication, "get_app_model", lambda: application)
        get_settings().reset()
        for cached in (_initialize_plugins, init_qactions):
            cached.cache_clear()
        made = napari.Viewer(show=True, show_welcome_screen=False)
        QTest.qWaitForWindowExposed(made.window._qt_window, 5000)
        made.window.resize(1280, 800)
        yield made
        workspace_of(made).close()
        patch.setattr(made.window._qt_window, "_save_current_window_settings", lambda: None)
        made.close()
        del made
        patch.undo()
    Application.destroy("module_test_app")
    for cached in (_initialize_plugins, init_qactions):
        cached.cache_clear()
    gc.collect()
    left = len(QtViewer._instances)
    QtViewer._instances.clear()  # not the fault of the next module
    assert left == 0, "the window is still there"


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
