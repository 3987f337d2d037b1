"""Arrangement of all docks: an explicit command, because it is the user's window."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from qtpy.compat import isalive
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QTabBar, QTabWidget

from ..docks.cohort_dock import CohortDock
from ..docks.communities_dock import CommunitiesDock
from ..docks.components_dock import ComponentsDock
from ..docks.export_dock import ExportDock
from ..docks.neurons_dock import NeuronsDock
from ..docks.recording_dock import RecordingDock
from ..docks.segmentation_dock import SegmentationDock
from ..docks.states_dock import StatesDock
from ..docks.traces_dock import TracesDock
from ..qt.dialogs import real_viewer
from ..viewer.grey_levels import LEVELS, empty_and_bright
from ..workspace.workspace import workspace_of

log = logging.getLogger("napari_dynamic_connectome")
UPPER = (RecordingDock, NeuronsDock, CohortDock, ComponentsDock)
LOWER = (CommunitiesDock, StatesDock, SegmentationDock, ExportDock)
DOCKS = (RecordingDock, NeuronsDock, TracesDock, CohortDock, ComponentsDock, *LOWER)


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
        area = "bottom" if kind is TracesDock else "right"
        viewer.window.add_dock_widget(dock, name=kind.title, area=area, add_vertical_stretch=False)
        yield
    found.update(_there(viewer))


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
    holder = {title: _holder(dock) for title, dock in docks.items()}
    window.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
    window.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.BottomDockWidgetArea)
    first, second = holder["Recording"], holder["Communities"]
    for title, one in holder.items():
        window.removeDockWidget(one)
        area = Qt.DockWidgetArea.BottomDockWidgetArea if title == "Traces" else Qt.DockWidgetArea.RightDockWidgetArea
        if title in ("Recording", "Traces"):
            window.addDockWidget(area, one)
    # Two groups: split before tabs are added, a tabbed dock does not split.
    window.splitDockWidget(first, second, Qt.Orientation.Vertical)
    for kind in UPPER[1:]:
        window.tabifyDockWidget(first, holder[kind.title])
    for kind in LOWER[1:]:
        window.tabifyDockWidget(second, holder[kind.title])
    for one in holder.values():
        one.show()
    _tab_layer_docks(window)
    window.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
    for bar in window.findChildren(QTabBar):
        bar.setDrawBase(False)
    width, height = window.width(), window.height()
    small = width < 1500
    # Before there are results, recording and naming get the room; then components and communities share it.
    found = work.session.components is not None or work.session.states is not None
    upper = 0.27 if found else 0.6
    window.resizeDocks([first, second], [366 if small else 470] * 2, Qt.Orientation.Horizontal)
    window.resizeDocks([first, second], [int(height * upper), int(height * (0.9 - upper))], Qt.Orientation.Vertical)
    window.resizeDocks([holder["Traces"]], [int(height * (0.34 if small else 0.36))], Qt.Orientation.Vertical)
    raise_dock(docks["Components"] if work.session.components is not None else docks["Recording"])
    raise_dock(docks["States" if work.session.communities == {} and work.session.states is not None else "Communities"])


def show_overlay(viewer: Any) -> None:
    """Switch to 3D, seen from the side, labels off: they are slow to draw in 3D, the neurons are shown as spheres."""
    viewer = real_viewer(viewer)
    work = workspace_of(viewer)
    work.scene.catch_up()
    viewer.dims.ndisplay = 3
    for layer in work.scene.labels.values():
        layer.visible = False
    dark = work.scene.colours.dark if hasattr(work.scene, "colours") else True
    for images in work.scene.images.values():
        for layer in images:
            layer.rendering = "mip"
            layer.colormap = "gray" if dark else "gray_r"
            layer.blending = "translucent_no_depth" if dark else "minimum"
            layer.opacity = 0.34 if dark else 0.17
            _dim_background(layer, dark)
    work.scene.home()


def _dim_background(layer: Any, dark: bool) -> None:
    """Set the contrast by one frame, so that the empty part of the volume does not cover the canvas."""
    low, high = layer.metadata.get(LEVELS) or empty_and_bright(layer.data)
    if not dark:
        high = low + 5 * (high - low)  # black halos would drown the colours on white
    if high > low:
        layer.contrast_limits = (low, high)


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


def _tab_layer_docks(window: QMainWindow) -> None:
    """Layer controls behind the layer list: one above the other they would be taller than the room over the traces."""
    found = {d.windowTitle().lower(): d for d in window.findChildren(QDockWidget)}
    found |= {d.objectName().lower(): d for d in window.findChildren(QDockWidget) if d.objectName()}
    layers, controls = found.get("layer list"), found.get("layer controls")
    if layers is not None and controls is not None:
        window.tabifyDockWidget(controls, layers)
        layers.raise_()
