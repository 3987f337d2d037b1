"""Opening and closing the viewer with all docks again and again leaves nothing behind: no Qt objects, threads, layers, memory.

Twice here; DYNAMIC_CONNECTOME_REPEATS=50 (`make soak`) does it fifty times.
"""

from __future__ import annotations

import gc
import os
import threading
import weakref

import psutil
import pytest
from qtpy.QtCore import QEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from .helpers import fill

pytestmark = pytest.mark.gui
REPEATS = int(os.environ.get("DYNAMIC_CONNECTOME_REPEATS", "2"))
WARM_UP = 2
"""First openings fill caches of napari, Qt and the fonts."""
GROWTH_MB = 1.5
"""Allowed growth of memory for each repeat: napari alone grows by up to a megabyte."""


def open_use_and_close() -> dict[str, weakref.ref]:
    """One session of a user; return weak references to what must go."""
    import napari

    from napari_dynamic_connectome.widgets.app.arrange import arrange_windows, show_overlay
    from napari_dynamic_connectome.widgets.workspace.compare import open_compare
    from napari_dynamic_connectome.widgets.workspace.workspace import workspace_of

    viewer = napari.Viewer(show=True)
    work = workspace_of(viewer)
    docks = arrange_windows(viewer)
    fill(work.session)
    work.session.set_current("worm A")
    show_overlay(viewer)
    work.session.select(community=1)
    work.scene.flush()
    open_compare(work)
    QTest.qWait(60)
    work.view.set(color_by="strength")
    viewer.dims.set_current_step(0, 30)
    viewer.layers.remove("edges")
    QTest.qWait(60)
    refs = {title: weakref.ref(dock) for title, dock in docks.items()}
    refs |= {"workspace": weakref.ref(work), "session": weakref.ref(work.session), "scene": weakref.ref(work.scene)}
    refs |= {f"layer {layer.name}": weakref.ref(layer) for layer in viewer.layers}
    viewer.close()
    QTest.qWait(30)
    assert work.scene.closed  # closing the window is enough
    return refs


def settle() -> None:
    for _ in range(3):
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        QTest.qWait(20)
        gc.collect()


def counts() -> dict[str, int]:
    return {"widgets": len(QApplication.allWidgets()), "threads": threading.active_count()}


@pytest.mark.timeout(3000)
def test_repeats_leave_nothing_behind(qapp, monkeypatch) -> None:
    from napari_dynamic_connectome.widgets.workspace import workspace

    for _ in range(WARM_UP):
        open_use_and_close()
    settle()
    before = counts()
    refs: list[dict[str, weakref.ref]] = []
    process = psutil.Process()

    def grown() -> float:
        """Growth of the memory in MB while that is repeated."""
        memory = process.memory_info().rss
        for _ in range(REPEATS):
            refs.append(open_use_and_close())
            settle()
        return (process.memory_info().rss - memory) / 2**20

    limit = GROWTH_MB * REPEATS + 12
    # what is left behind is left behind again; a cache or a larger heap that came with what ran before is not
    rounds = [grown()]
    if rounds[0] >= limit:
        rounds.append(grown())
    after = counts()
    alive = [f"{number}: {name}" for number, one in enumerate(refs) for name, ref in one.items() if ref() is not None]
    assert not alive, alive
    assert len(workspace._workspaces) == 0
    assert after["threads"] <= before["threads"]
    assert after["widgets"] <= before["widgets"] + 2
    assert rounds[-1] < limit, f"{rounds} MB in {REPEATS} repeats each"
