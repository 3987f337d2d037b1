"""Camera on the worm: its axes on the screen, the home view, flying to a neuron, the neuron under the mouse."""

from __future__ import annotations

import weakref
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import numpy as np

from ...display.scene import Drawn

if TYPE_CHECKING:
    from .scene_view import SceneView

LEGEND_PX = 56.0
MARGIN_UM = 6.0
"""Room for the spheres themselves."""
DRAG_PX = 4


def screen_axes(viewer: Any) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """Directions of screen x and y in world space, pixels per micrometre, world point at the centre of the canvas."""
    camera = viewer.scene.camera
    if viewer.dims.ndisplay == 3:
        view, up = np.asarray(camera.view_direction, float), np.asarray(camera.up_direction, float)
        right = np.cross(view, up)
        centre = np.asarray(camera.center, float)[-3:]
    else:
        right, up = np.array([0.0, 0.0, 1.0]), np.array([0.0, -1.0, 0.0])
        centre = np.array([viewer.dims.point[-3], *np.asarray(camera.center, float)[-2:]])
    return right, up, float(camera.zoom), centre


def note_view_direction(viewer: Any) -> None:
    """Tell napari's cursor where the camera looks.

    The cursor knows it only after the mouse has moved over the canvas in 3D; until then the status line of a Labels layer with
    features fails (napari 0.9.2), whatever it is that updates it.
    """
    dims = viewer.dims
    if dims.ndisplay == 3:
        direction = viewer.scene.camera.calculate_nd_view_direction(dims.ndim, dims.displayed)
        viewer.cursor._view_direction = direction


def go_home(viewer: Any, points: np.ndarray, *, legend: bool) -> None:
    """Nose left, turned a little so that the head comes forward, fitted to the canvas.

    Parameters
    ----------
    viewer : napari.Viewer
    points : ndarray
        (N, 3) what is to be seen, micrometres; none: napari's own view.
    legend : bool
        Leave room for the legend on the right.
    """
    if not len(points):
        viewer.reset_view()
        return
    camera = viewer.scene.camera
    if viewer.dims.ndisplay == 3:
        camera.angles = (0.0, -18.0, 12.0)
        camera.center = tuple(points.mean(axis=0))
    right, up, _, _ = screen_axes(viewer)
    across, along = points @ right, points @ up
    middle_x, middle_y = (across.min() + across.max()) / 2, (along.min() + along.max()) / 2
    depth = np.cross(right, up)
    centre = right * middle_x + up * middle_y + depth * float((points @ depth).mean())
    height, width = viewer.canvas.size
    key = LEGEND_PX if legend else 0.0
    zoom = 0.93 * min((width - key) / (np.ptp(across) + MARGIN_UM), height / (np.ptp(along) + MARGIN_UM))
    centre = centre + right * key / 2 / zoom
    camera.center = tuple(centre) if viewer.dims.ndisplay == 3 else (0.0, *centre[1:])
    camera.zoom = zoom


def fly_to(viewer: Any, point: np.ndarray) -> None:
    """Bring a place (z, y, x; micrometres) to the centre of the canvas."""
    if viewer.dims.ndisplay == 3:
        viewer.scene.camera.center = tuple(point)
    else:
        viewer.dims.set_point(viewer.dims.ndim - 3, float(point[0]))
        viewer.scene.camera.center = (0.0, float(point[1]), float(point[2]))


def neuron_at(drawn: Drawn, position: np.ndarray, direction: np.ndarray | None, zoom: float) -> str | None:
    """Neuron at a place in world coordinates; with a view direction, the nearest to the eye along it."""
    point = np.asarray(position, float)[-3:]
    radius = np.maximum(drawn.size / 2 * 1.15, 4.0 / zoom)
    gap = drawn.positions - point
    if direction is not None:
        way = np.asarray(direction, float)[-3:]
        along = gap @ way
        gap = gap - along[:, None] * way
        distance = np.linalg.norm(gap, axis=1)
    else:
        along = np.abs(gap[:, 0])
        distance = np.hypot(gap[:, 1], gap[:, 2])
        distance = np.where(along < np.maximum(radius * 1.6, 2.0), distance, np.inf)
    inside = np.flatnonzero((distance < radius) & drawn.shown)
    if not len(inside):
        return None
    # Inside a crowd, the neuron nearest to the click wins unless another one clearly covers it.
    best = inside[np.lexsort((along[inside], np.round(distance[inside] / radius[inside], 1)))[0]]
    return drawn.ids[int(best)]


def neuron_under(scene: SceneView, viewer: Any, event: Any, *, quick: bool = False) -> str | None:
    """Neuron under the mouse: one that is drawn, else that of a label.

    Parameters
    ----------
    scene : SceneView
    viewer : napari.Viewer
    event
        Of napari's mouse callbacks.
    quick : bool
        Leave out what takes long: labels in 3D, through which napari sends a ray.
    """
    work = scene.work
    in_3d = viewer.dims.ndisplay == 3
    neuron = scene.pick(event.position, event.view_direction if in_3d else None)
    labels = None if work is None else scene.labels.get(work.session.current or "")
    if neuron is not None or labels is None or not labels.visible or (quick and in_3d):
        return neuron
    value = labels.get_value(
        event.position, view_direction=event.view_direction, dims_displayed=event.dims_displayed, world=True
    )
    value = value[1] if isinstance(value, tuple) else value  # of a multiscale layer with its level
    return scene.neuron_of_label(int(value)) if isinstance(value, (int, np.integer)) and value else None


class Over:
    """Mouse callback: the neuron under the mouse gets a card and is marked in all views."""

    def __init__(self, scene: SceneView) -> None:
        self._scene = weakref.ref(scene)
        self._watched: Any = None

    def __call__(self, viewer: Any, event: Any) -> None:
        scene = self._scene()
        work = None if scene is None else scene.work
        if scene is None or scene.closed or work is None or not work.hover.on:
            return
        shown = getattr(getattr(viewer, "window", None), "_qt_viewer", None)
        if shown is None:
            return
        canvas = shown.canvas.native
        if self._watched is None or self._watched() is not canvas:
            self._watched = weakref.ref(canvas)
            work.hover.watch_leaving(canvas)
        active = viewer.layers.selection.active
        busy = active is not None and str(getattr(active, "mode", "pan_zoom")) not in ("pan_zoom", "select", "pick")
        neuron = None if busy else neuron_under(scene, viewer, event, quick=True)
        work.hover.over((neuron, "", ()) if neuron else None, canvas, event.pos)


def stays(event: Any) -> Generator[None, None, bool]:
    """Wait, in a mouse callback, until the button is let go; True for a click, False for a drag, which is not waited for."""
    start = np.asarray(event.pos, float)
    yield
    while event.type == "mouse_move":
        if np.hypot(*(np.asarray(event.pos, float) - start)) > DRAG_PX:
            return False
        yield
    return True


class Click:
    """Mouse callback: a click without a drag picks a neuron; with Shift or Control it is added to the selection."""

    def __init__(self, scene: SceneView) -> None:
        self._scene = weakref.ref(scene)

    def __call__(self, viewer: Any, event: Any) -> Any:
        scene = self._scene()
        if scene is None or scene.closed or not scene.picks or event.button != 1:
            return
        active = viewer.layers.selection.active
        if active is not None and str(getattr(active, "mode", "pan_zoom")) not in ("pan_zoom", "select"):
            return
        if not (yield from stays(event)):
            return
        work = scene.work
        if work is None:  # closed while the button was down
            return
        neuron, session = neuron_under(scene, viewer, event), work.session
        if neuron is None:
            return
        more = {str(m).lower() for m in event.modifiers} & {"shift", "control"}
        session.select(neurons=(*session.selection.neurons, neuron) if more else (neuron,))
