"""Programs of the graphics card: those of the overlay's meshes are compiled once, and not whenever a mesh changes."""

from __future__ import annotations

import contextlib
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


def of_layer(viewer: Any, layer: Any) -> None:
    """Let the mesh of a surface layer keep its program."""
    with contextlib.suppress(AttributeError, KeyError):
        keep_program(_canvas(viewer).layer_to_visual[layer].node)


def of_overlay(viewer: Any, overlay: Any) -> None:
    """Let the box behind a text on the canvas keep its program."""
    with contextlib.suppress(AttributeError, KeyError):
        for one in _canvas(viewer)._viewer_overlay_to_visual[overlay]:
            keep_program(one.box.mesh)


def _canvas(viewer: Any) -> Any:
    return viewer.window._qt_viewer.canvas
