from __future__ import annotations

import gc
import os
import shutil
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace
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


@pytest.fixture(scope="module", autouse=True)
def _modules_imported_since_are_none_either(_modules_are_no_garbage) -> None:
    """What earlier modules of tests have imported stays, too."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _a_removed_layer_is_collected_with_the_rest() -> Iterator[None]:
    """napari goes through all objects whenever a layer is removed, for drivers of Windows: a tenth of the time of these tests."""
    if sys.platform == "win32":
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari._vispy.canvas.gc", SimpleNamespace(collect=lambda: 0))
        yield


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


@pytest.fixture(scope="module")
def module_docks(module_viewer) -> dict[str, Any]:
    """All docks, laid out once in the window of the module."""
    from napari_dynamic_connectome.widgets.app.arrange import arrange_windows

    return arrange_windows(module_viewer)


def begin_again(viewer, session: Any) -> None:
    """Open a session in a window that tests share, with the first way to look at it, as if it were the first one there.

    What the docks themselves hold stays: what is unfolded, and how a table is sorted.
    """
    from qtpy.QtTest import QTest

    from napari_dynamic_connectome.session.session import Selection
    from napari_dynamic_connectome.widgets.viewer.layers import OURS
    from napari_dynamic_connectome.widgets.workspace.open_files import adopt
    from napari_dynamic_connectome.widgets.workspace.workspace import ViewState, workspace_of

    work = workspace_of(viewer)
    end = time.monotonic() + 20
    while work.jobs.running and time.monotonic() < end:
        QTest.qWait(5)
    assert not work.jobs.running, "a job of the test before this one does not end"
    for layer in [one for one in viewer.layers if one.name not in OURS]:
        viewer.layers.remove(layer)
    adopt(work, session)
    work.session.select(**vars(Selection()))
    work.view.set(**vars(ViewState()))
    work.remembered.clear()
    viewer.theme = "dark"
    viewer.dims.ndisplay = 2
    work.scene.show_again()
    assert list(work.session.recordings) == list(session.recordings)
    assert work.session.components is session.components and work.session.communities == session.communities
    assert not work.session.history and not work.session.done


@pytest.fixture
def opened(request: pytest.FixtureRequest) -> Any:
    """The session with which a test begins in a shared window: empty, or as `helpers.fill` makes it with the mark `filled`.

    From one session with worms to the next the layers stay: to make them is most of what such a test costs.
    """
    from napari_dynamic_connectome.session.session import Session

    from .helpers import fill

    session = Session()
    if request.node.get_closest_marker("filled"):
        fill(session)
    return session


@pytest.fixture
def reused_viewer(module_viewer, opened, qtbot):
    """The window of the module, in which a session was opened."""
    begin_again(module_viewer, opened)
    qtbot.wait(10)
    return module_viewer


@pytest.fixture
def add_dock(viewer):
    """Add a dock of a kind to the window; it goes after the test."""
    made: list[Any] = []

    def add(kind: type, area: str = "right") -> Any:
        made.append(kind(viewer))
        viewer.window.add_dock_widget(made[-1], name=kind.title, area=area, add_vertical_stretch=False)
        return made[-1]

    yield add
    for one in made:
        viewer.window.remove_dock_widget(one)
        one.deleteLater()


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
