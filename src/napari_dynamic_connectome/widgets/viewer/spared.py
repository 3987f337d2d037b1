"""What napari and vispy do again and again for the layers of the overlay, and need not: compile, build the scene anew."""

from __future__ import annotations

import contextlib
import weakref
from typing import Any

import numpy as np


def keep_program(mesh: Any) -> None:
    """Let a vispy mesh keep its program when its vertices or colours change.

    vispy makes the function that its colours go through anew with every change of the data, and so has the program compiled again
    (some 5 ms each). Where colours are given as such it is always the same one.

    Parameters
    ----------
    mesh : vispy MeshVisual
    """
    make = getattr(mesh, "_build_color_transform", None)
    if make is None:  # another version of vispy
        return
    plain = make(np.zeros(4))

    def kept(colours: np.ndarray) -> Any:
        return plain if colours.shape[-1] == 4 else make(colours)

    with contextlib.suppress(AttributeError):
        mesh._build_color_transform = kept


def keep_program_of_layer(viewer: Any, layer: Any) -> None:
    """Let the mesh of a surface layer keep its program."""
    with contextlib.suppress(AttributeError, KeyError):
        keep_program(_canvas(viewer).layer_to_visual[layer].node)


def keep_scene(viewer: Any, layer: Any) -> None:
    """Let a layer be shown and hidden without napari putting the whole scene together anew, legend and all (some 15 ms each).

    It has no overlays of its own, and vispy hides what it draws by itself. Only in a grid its place depends on which layers are seen.
    """
    canvas = getattr(getattr(getattr(viewer, "window", None), "_qt_viewer", None), "canvas", None)
    build = getattr(canvas, "_update_scenegraph", None)
    if build is None:  # no window, or another version of napari
        return
    of_viewer, of_canvas = weakref.ref(viewer), weakref.ref(canvas)

    def in_a_grid(event: Any = None) -> None:
        found, drawn = of_viewer(), of_canvas()
        if found is not None and drawn is not None and found.canvas.grid.enabled:
            drawn._update_scenegraph()

    layer.events.visible.disconnect(build)
    layer.events.visible.connect(in_a_grid)


def _canvas(viewer: Any) -> Any:
    return viewer.window._qt_viewer.canvas
