"""Layers of the overlay: made before they are needed, in an order by meaning, above the user's."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from napari.layers import Points, Surface
from napari.layers.base import ActionType

from .spared import keep_program_of_layer, keep_scene

NEURONS, EDGES, LEADERS, NAMES, CURRENT, TIME = "neurons", "edges", "leaders", "names", "current", "time"
OURS = (EDGES, NEURONS, LEADERS, NAMES, CURRENT, TIME)
_MESH: dict[str, Any] = {"shading": "none"}  # thin lines: shading would only darken them
_POINTS: dict[str, Any] = {"face_color": np.zeros(4), "projection_mode": "all"}
LOOKS: dict[str, dict[str, Any]] = {
    EDGES: _MESH,
    LEADERS: _MESH,
    NAMES: _POINTS | {"size": 0.001, "border_width": 0, "canvas_size_limits": (0, 10000)},
    CURRENT: _POINTS
    | {
        "size": 8.0,
        "symbol": "disc",
        "border_width": 0.12,
        "blending": "translucent_no_depth",
        "canvas_size_limits": (18, 10000),
    },
}
"""Layers that are made before they are needed, hidden, and how they look."""


class _Nowhere:
    """A layer that takes up no room: names and lines around the worm must not widen the viewer's world.

    Each change of the world's bounds makes napari read and cut all layers again, and it lengthens the sliders.
    """

    ndim: int

    @property
    def _extent_data(self) -> np.ndarray:
        return np.full((2, self.ndim), np.nan)

    @property
    def _extent_data_augmented(self) -> np.ndarray:
        return self._extent_data

    def _update_thumbnail(self) -> None:
        """Leave it empty: it is drawn within the extent."""


class Marks(_Nowhere, Points):
    """Points without an extent."""

    @property
    def _type_string(self) -> str:
        return "points"


class Lines(_Nowhere, Surface):
    """A surface without an extent."""

    @property
    def _type_string(self) -> str:
        return "surface"


class OverlayLayers:
    """The layers by name.

    Parameters
    ----------
    viewer : callable
        Returns the viewer, or None once it is closed.
    """

    def __init__(self, viewer: Callable[[], Any]) -> None:
        self._viewer = viewer
        self.layers: dict[str, Any] = {}
        self.dismissed: set[str] = set()
        """Layers that the user removed: they stay away until the overlay is asked for again."""

    def units(self) -> tuple[str, str, str]:
        """Spatial units of the images that are there, so that all layers agree; micrometres without any."""
        for layer in self._viewer().layers:
            if layer not in self.layers.values() and layer.ndim >= 3:
                z, y, x = (str(u) for u in layer.units[-3:])
                return z, y, x
        return ("um", "um", "um")

    def shown(self, name: str) -> Any | None:
        """The layer, if it is in the viewer."""
        layer, viewer = self.layers.get(name), self._viewer()
        return layer if layer is not None and viewer is not None and layer in viewer.layers else None

    def add(self, name: str, layer: Any) -> None:
        """Add a layer where it belongs among the others: every move costs napari a new order of everything."""
        self.layers[name] = layer
        self.insert(self._place(name), layer)

    def prepared(self, name: str, place: np.ndarray) -> Any | None:
        """Return one of `LOOKS`, made hidden and nearly empty if it is not there: adding a layer takes napari long.

        Parameters
        ----------
        name : str
        place : ndarray
            (3,) any place inside the worm.

        Returns
        -------
        layer or None
            None if the user has removed it.
        """
        found = self.shown(name)
        if found is not None or name in self.dismissed:
            return found
        look: dict[str, Any] = LOOKS[name] | {"name": name, "units": self.units(), "visible": False}
        if LOOKS[name] is _MESH:
            layer: Any = Lines((np.tile(place, (3, 1)), np.array([[0, 1, 2]])), **look)
        else:
            layer = Marks(np.asarray(place, float)[None], **look)
        self.add(name, layer)
        keep_scene(self._viewer(), layer)
        if isinstance(layer, Lines):
            keep_program_of_layer(self._viewer(), layer)
        return layer

    def insert(self, place: int, layer: Any) -> None:
        """Insert a layer; those that are selected stay selected.

        napari makes a new layer the active one. That and going back cost it a third of the insertion, and it looks for a value
        under the cursor, which fails in 3D on Labels before the mouse has moved. As nothing changes in the end, nobody is told.
        """
        viewer = self._viewer()
        selection = viewer.layers.selection
        selected, active = set(selection), selection.active
        with selection.events.blocker_all():
            viewer.layers.insert(place, layer)
            if isinstance(layer, _Nowhere):
                _keep_world(viewer, layer)
            if active is not None:
                selection.active = active
            else:
                selection.clear()
                selection.update(selected)

    def _place(self, name: str) -> int:
        """Index at which a layer belongs: above the user's and above those of ours that come before it."""
        above = [self.shown(n) for n in OURS[OURS.index(name) + 1 :] if n != TIME]
        layers = self._viewer().layers
        return min((layers.index(layer) for layer in above if layer is not None), default=len(layers))

    def to_the_top(self) -> None:
        """Bring our layers above the user's."""
        layers = self._viewer().layers
        ours = [layer for n in OURS if n != TIME and (layer := self.shown(n)) is not None]
        if ours and list(layers)[-len(ours) :] != ours:
            layers.move_multiple([layers.index(layer) for layer in ours], len(layers))

    def surface(self, name: str, vertices: np.ndarray, faces: np.ndarray, colours: np.ndarray) -> None:
        """Show a mesh with a colour for each vertex."""
        layer = self.prepared(name, vertices[0])
        if layer is None:
            return
        old = layer.vertices
        moved = old.shape != vertices.shape or not np.array_equal(old, vertices)
        if moved or layer.vertex_colors is None or not np.array_equal(layer.vertex_colors, colours):
            with drawn_once(layer):
                if moved:
                    # Colours of another number of vertices must not meet the new mesh.
                    layer.vertex_colors = None
                    layer.data = (vertices, faces)
                layer.vertex_colors = colours
        show(layer)

    def hide(self, name: str) -> None:
        """Hide a layer, if it is there."""
        layer = self.layers.get(name)
        if layer is not None and layer.visible:
            layer.visible = False

    def remove(self, name: str) -> None:
        """Take a layer out of the viewer."""
        layer = self.shown(name)
        self.layers.pop(name, None)
        if layer is not None:
            self._viewer().layers.remove(layer)


def show(layer: Any) -> None:
    """Show a layer; setting what is set costs napari a refresh."""
    if not layer.visible:
        layer.visible = True


def move_points(layer: Any, data: np.ndarray) -> None:
    """Give a points layer other points, also while it is hidden: napari would go on drawing by the numbers of the old ones."""
    layer.data = data
    if not layer.visible:
        layer.set_view_slice()


@contextlib.contextmanager
def drawn_once(layer: Any, *, moved: bool = False, thumbnail: bool = True) -> Iterator[None]:
    """Change several values of a layer at once: napari slices and draws it after the last of them, and not for each.

    A hidden one is sliced; it is drawn when it is shown.

    Parameters
    ----------
    layer : napari layer
    moved : bool
        Its data takes up another room: the viewer measures its world again, once.
    thumbnail : bool
        Make its picture in the list of layers anew; all of the list is painted again for it.
    """
    inner = [part for name in ("_face", "_border", "text") if (part := getattr(layer, name, None)) is not None]
    hold = getattr(layer, "_block_refresh", contextlib.nullcontext)
    with contextlib.ExitStack() as stack:
        for group in (layer.events, *(part.events for part in inner)):
            stack.enter_context(group.blocker_all())
        stack.enter_context(hold())
        yield
    if moved:
        drawn = _say_moved(layer)
    else:
        drawn = False
    if not layer.visible:
        layer.set_view_slice()
    elif not drawn:
        layer.refresh(extent=False, thumbnail=thumbnail)


def _say_moved(layer: Any) -> bool:
    """Say that a layer has other data; whether napari has drawn it for that: it does where its world became another one."""
    drawn: list[bool] = []

    def seen(event: Any = None) -> None:
        drawn.append(True)

    layer.refresh(data_displayed=False, thumbnail=False, highlight=False)  # measures it anew
    layer.events.set_data.connect(seen)
    try:
        layer.events.data(
            value=layer.data,
            action=ActionType.CHANGED,
            data_indices=tuple(range(len(layer.data))),
            vertex_indices=((),),
        )
    finally:
        layer.events.set_data.disconnect(seen)
    return bool(drawn)


def _keep_world(viewer: Any, layer: Any) -> None:
    """Spare napari measuring its world again after each change of a layer that takes up no room: 4 ms, ten times a click."""
    measure = getattr(viewer, "_on_layers_change", None)
    if measure is not None:
        with contextlib.suppress(ValueError, RuntimeError):
            layer.events.data.disconnect(measure)
