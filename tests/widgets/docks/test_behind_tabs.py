"""Docks behind a tab, and closed ones: nothing is drawn for them, and they are right when they come to the front."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QApplication, QComboBox, QLabel, QLineEdit, QTableView, QWidget
from tests.widgets.helpers import fill

from napari_dynamic_connectome.widgets.app.arrange import DOCKS, arrange_windows, raise_dock
from napari_dynamic_connectome.widgets.docks.base import ALL
from napari_dynamic_connectome.widgets.workspace.workspace import workspace_of

pytestmark = pytest.mark.gui


@pytest.fixture
def docks(viewer, qtbot) -> dict[str, Any]:
    session = workspace_of(viewer).session
    fill(session)
    session.set_current("worm A")
    viewer.dims.ndisplay = 3
    found = arrange_windows(viewer)
    qtbot.wait(400)
    return found


def seen(dock: QWidget) -> dict[str, Any]:
    """What a dock says: texts, fields, choices and tables that can be seen in it, its plots as pictures."""
    from pyqtgraph import GraphicsView

    QApplication.sendPostedEvents()
    said: dict[str, Any] = {"texts": [], "tables": [], "plots": []}
    for one in dock.findChildren(QWidget):
        if not one.isVisibleTo(dock):
            continue
        if isinstance(one, QLabel):
            said["texts"].append((one.text(), one.toolTip()))
        elif isinstance(one, QLineEdit):
            said["texts"].append(one.text())
        elif isinstance(one, QComboBox):
            said["texts"].append(one.currentText())
        elif isinstance(one, QTableView):
            model = one.model()
            cells = [(r, c) for r in range(model.rowCount()) for c in range(model.columnCount())]
            chosen = sorted({i.row() for i in one.selectionModel().selectedRows()})
            said["tables"].append(([model.index(r, c).data() for r, c in cells], chosen))
        elif isinstance(one, GraphicsView):
            picture = one.grab().toImage().convertToFormat(QImage.Format.Format_RGBA8888)
            bits = picture.constBits()
            bits.setsize(picture.sizeInBytes())
            shape = picture.height(), picture.bytesPerLine() // 4, 4
            said["plots"].append(np.frombuffer(bytes(bits), np.uint8).reshape(shape))
    return said


def switch(work: Any) -> None:
    """Another of everything that can be switched."""
    session = work.session
    session.set_current("worm B")
    session.select(component=2)
    session.select(community=1, neurons=())
    session.select(time_s=12.0)
    work.view.set(color_by="strength")
    session.select(neurons=(session.recording.neurons.index[2],))


@pytest.mark.parametrize("title", [kind.title for kind in DOCKS])
def test_a_dock_behind_a_tab_waits_and_is_right_when_it_is_shown(title, docks, viewer, qtbot, monkeypatch) -> None:
    work, dock = workspace_of(viewer), docks[title]
    if dock.place == "bottom":  # it has the room below the canvas alone
        dock.parentWidget().hide()
    else:
        group = [one for one in docks.values() if one.place != "bottom" and one is not dock]
        for one in group:
            raise_dock(one)
    qtbot.wait(300)
    assert not dock.is_seen
    calls: list[set[str]] = []
    refresh = dock.refresh
    monkeypatch.setattr(dock, "refresh", lambda topics: (calls.append(set(topics)), refresh(topics))[1])
    switch(work)
    qtbot.wait(400)
    assert not calls
    if dock.place == "bottom":
        dock.parentWidget().show()
    raise_dock(dock)
    qtbot.wait(400)
    assert dock.is_seen and calls
    shown = seen(dock)
    for topic in ALL:
        dock.mark(topic)
    qtbot.wait(400)
    anew = seen(dock)
    assert shown["texts"] == anew["texts"]
    assert shown["tables"] == anew["tables"]
    assert len(shown["plots"]) == len(anew["plots"])
    for one, other in zip(shown["plots"], anew["plots"], strict=True):
        # the same but for ticks that Qt placed a pixel aside
        assert one.shape == other.shape and np.mean(np.any(one != other, axis=-1)) < 0.05


def test_a_closed_dock_is_right_when_it_is_opened_again(docks, viewer, qtbot) -> None:
    work, dock = workspace_of(viewer), docks["Communities"]
    before = seen(dock)
    dock.parentWidget().hide()
    switch(work)
    qtbot.wait(300)
    assert not dock.is_seen
    dock.parentWidget().show()
    raise_dock(dock)
    qtbot.wait(300)
    assert dock.who.text() == work.scene.drawn.styles[1].label
    assert [r["chosen"] for r in dock._rows].index(True) == 1
    assert seen(dock)["tables"] != before["tables"]


def test_what_a_dock_behind_a_tab_saves_is_of_now(docks, viewer, qtbot, tmp_path) -> None:
    import imageio.v3 as imageio

    work, export = workspace_of(viewer), docks["Export"]
    raise_dock(docks["Neurons"])
    raise_dock(docks["Communities"])
    qtbot.wait(300)
    assert not export.is_seen
    switch(work)  # and at once
    behind = imageio.imread(export.save_picture(tmp_path / "behind.png")).astype(int)
    report = export.export("report", tmp_path / "behind.html")
    qtbot.waitUntil(lambda: not work.jobs.running, timeout=60000)
    assert report is not None
    raise_dock(export)
    qtbot.wait(400)
    front = imageio.imread(export.save_picture(tmp_path / "front.png"))
    export.export("report", tmp_path / "front.html")
    qtbot.waitUntil(lambda: not work.jobs.running, timeout=60000)
    # the canvas may be a pixel higher for another dock: the same colours, as often
    assert abs(behind.shape[0] - front.shape[0]) <= 8 and behind.shape[1] == front.shape[1]
    counts = [
        np.bincount((p[..., :3] // 32 @ [64, 8, 1]).ravel(), minlength=512) / p[..., 0].size for p in (behind, front)
    ]
    np.testing.assert_allclose(counts[0], counts[1], atol=2e-3)
    assert (tmp_path / "behind.html").read_text() == (tmp_path / "front.html").read_text()


def test_what_is_new_is_there_before_the_dock_is_shown(viewer, qtbot) -> None:
    work = workspace_of(viewer)
    docks = arrange_windows(viewer)
    raise_dock(docks["Communities"])
    qtbot.wait(300)
    assert not docks["Components"].is_seen
    fill(work.session)
    work.session.set_current("worm A")
    qtbot.wait(400)
    cards = docks["Components"].cards
    assert len(cards) == 2 and docks["Export"].buttons["Report…"].isEnabled()
    raise_dock(docks["Components"])
    qtbot.wait(400)
    box = docks["Components"].grid_box
    assert all(box.rect().contains(card.geometry()) for card in cards)  # none is cut
