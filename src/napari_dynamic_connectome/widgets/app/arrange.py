"""Arrangement of all docks: an explicit command, because it is the user's window."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from qtpy.compat import isalive
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QTabBar, QTabWidget

from ...model.folders import load_modules
from .. import docks as dock_files
from ..docks.base import Dock
from ..qt.dialogs import real_viewer
from ..viewer.first_look import show_worm
from ..workspace.workspace import workspace_of
from .layout import LOW, Layout, lower_controls

log = logging.getLogger("napari_dynamic_connectome")


def find_docks() -> tuple[type[Dock], ...]:
    """Return the docks: the class with a title of every file of `widgets/docks` that is called `..._dock`, in their order."""
    modules = load_modules(dock_files.__name__, dock_files.__path__, "_dock")
    return tuple(
        one
        for module in modules
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Dock) and one.title and one.__module__ == module.__name__
    )


DOCKS = find_docks()
LEAST_SIZE, FULL_SIZE = (1280, 800), (1600, 1000)
"""A window that is smaller than the first is made as large as the second, where the screen allows it."""


def open_docks(viewer: Any) -> dict[str, Any]:
    """Return the docks by title; those that are not open yet are opened."""
    found: dict[str, Any] = {}
    for _ in _opening(real_viewer(viewer), found):
        pass
    return found


def _opening(viewer: Any, found: dict[str, Any]) -> Iterator[None]:
    """Open the docks that are not open yet, in short steps, and put all into `found`."""
    for kind in DOCKS:
        if kind.title in _there(viewer):
            continue
        dock = kind(viewer)
        yield
        if kind.title in _there(viewer):  # it was opened in another way in the meantime
            dock.deleteLater()
            continue
        area = "bottom" if kind.place == "bottom" else "right"
        # one above the other, until they are laid out, they would push the window beyond its screen
        viewer.window.add_dock_widget(dock, name=kind.title, area=area, add_vertical_stretch=False, tabify=True)
        yield
    found.update(_there(viewer))


def groups(height: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Titles of the two groups of docks on the right: in a low window components share the room of the communities."""
    upper, lower = (tuple(k.title for k in DOCKS if k.place == place) for place in ("upper", "lower"))
    return (upper[:-1], (upper[-1], *lower)) if height < LOW else (upper, lower)


def _enlarge(window: QMainWindow) -> None:
    """Give a small window a useful size, unless it fills its screen already."""
    screen = window.screen()
    if screen is None or window.isMaximized() or window.isFullScreen():
        return
    if window.width() >= LEAST_SIZE[0] and window.height() >= LEAST_SIZE[1]:
        return
    room = screen.availableGeometry()
    window.resize(min(FULL_SIZE[0], room.width()), min(FULL_SIZE[1], room.height()))


def _there(viewer: Any) -> dict[str, Any]:
    """The docks that are open, by title."""
    found: dict[str, Any] = {}
    for widget in viewer.window.dock_widgets.values():
        if isinstance(widget, DOCKS) and isalive(widget):
            found.setdefault(type(widget).title, widget)
    return found


def arrange_windows(viewer: Any) -> dict[str, Any]:
    """Open all docks and lay them out: work from top to bottom on the right, time at the bottom, the worm in the middle."""
    docks: dict[str, Any] = {}
    for _ in _arranging(real_viewer(viewer), docks):
        pass
    for dock in docks.values():
        dock.flush()
    return docks


def arrange_in_steps(viewer: Any) -> None:
    """Open and lay out the docks in turns of the event loop, so that the window goes on answering."""
    viewer = real_viewer(viewer)
    work = workspace_of(viewer)
    if work.arranging:
        return
    work.arranging = True

    def ended(error: BaseException | None) -> None:
        work.arranging = False
        if error is not None:  # a dock or the window was closed in the middle of it
            log.info("the windows were not arranged: %s", error)

    work.scheduler.run_steps(_arranging(viewer, {}), ended)


def _arranging(viewer: Any, docks: dict[str, Any]) -> Iterator[None]:
    yield from _opening(viewer, docks)
    if len(docks) < len(DOCKS):
        return  # one was closed in the meantime: its place is the user's
    work = workspace_of(viewer)
    window = next(iter(docks.values())).window()
    if not isinstance(window, QMainWindow):
        return
    _enlarge(window)
    holder = {title: _holder(dock) for title, dock in docks.items()}
    window.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
    window.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.BottomDockWidgetArea)
    upper, lower = groups(window.height())
    if window.height() < LOW:
        lower_controls(window)
    first, second = holder[upper[0]], holder[lower[0]]
    for title, one in holder.items():
        window.removeDockWidget(one)
        below = docks[title].place == "bottom"
        area = Qt.DockWidgetArea.BottomDockWidgetArea if below else Qt.DockWidgetArea.RightDockWidgetArea
        # removing hands a dock to Python, which would collect it: adding it gives it back to the window
        window.addDockWidget(area, one)
    # Two groups: split before tabs are added, a tabbed dock does not split.
    window.splitDockWidget(first, second, Qt.Orientation.Vertical)
    for title in upper[1:]:
        window.tabifyDockWidget(first, holder[title])
    for title in lower[1:]:
        window.tabifyDockWidget(second, holder[title])
    for one in holder.values():
        one.show()
    _tab_layer_docks(window)
    window.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
    for bar in window.findChildren(QTabBar):
        bar.setDrawBase(False)
    for old in window.findChildren(Layout):
        old.end()
    layout = Layout(window, holder, upper, lower, work)
    raise_dock(docks["Components"] if work.session.components is not None else docks["Recording"])
    only_states = work.session.states is not None and not work.session.communities
    results = work.session.components is not None or only_states
    raise_dock(docks["States" if only_states else "Communities" if results else upper[0]])
    layout.fit()
    layout.later()


def show_overlay(viewer: Any) -> None:
    """Switch to 3D, seen from the side, labels off: they are slow to draw in 3D, the neurons are shown as spheres."""
    show_worm(workspace_of(real_viewer(viewer)))


def _holder(dock: Any) -> QDockWidget:
    """The QDockWidget around a dock."""
    widget = dock
    while widget is not None and not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
    return widget


def raise_dock(dock: Any) -> None:
    """Bring a dock to the front of its tabs."""
    holder = _holder(dock)
    if holder is not None:
        holder.show()
        holder.raise_()
        window = dock.window()
        layout = window.findChild(Layout) if isinstance(window, QMainWindow) else None
        if layout is not None:
            layout.bring(dock.title)


def _tab_layer_docks(window: QMainWindow) -> None:
    """Layer controls behind the layer list: one above the other they would be taller than the room over the traces."""
    found = {d.windowTitle().lower(): d for d in window.findChildren(QDockWidget)}
    found |= {d.objectName().lower(): d for d in window.findChildren(QDockWidget) if d.objectName()}
    layers, controls = found.get("layer list"), found.get("layer controls")
    if layers is not None and controls is not None:
        window.tabifyDockWidget(controls, layers)
        layers.raise_()
