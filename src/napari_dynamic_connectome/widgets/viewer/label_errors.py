"""Layers that colour the errors of a segmentation: splits, merges and labels too many, and the neurons that were missed."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pandas as pd
from napari.layers import Labels

from ...display.palette import rgb

ERRORS, MISSED = "label errors", "missed neurons"
COLOURS: dict[str, dict[bool, str]] = {
    "matched": {True: "#6d727c", False: "#b4b3b2"},
    "split": {True: "#e69f00", False: "#c48200"},
    "merge": {True: "#d55e00", False: "#b94900"},
    "extra": {True: "#cc79a7", False: "#b0618e"},
    "missed": {True: "#56b4e9", False: "#3397cb"},
}
"""By kind of error and dark theme."""
MEANS = {
    "matched": "a label for one neuron",
    "split": "one of several labels in one neuron",
    "merge": "one label for several neurons",
    "extra": "a label without a neuron",
    "missed": "a neuron without a label of its own",
}
MOST = 65535


def errors_of(errors: pd.DataFrame, frame: int) -> dict[str, dict[int, str]]:
    """Return the kind of error of every label ("label") and every missed neuron ("reference") of a frame."""
    here = errors[errors["frame"] == frame]
    found: dict[str, dict[int, str]] = {"label": {}, "reference": {}}
    for kind in ("extra", "split", "merge"):  # a label that is both is a merge
        mine = here[here["kind"] == kind]
        found["label"] |= dict.fromkeys((int(v) for v in mine["label"]), kind)
    missed = here.loc[here["kind"] == "missed", "reference"]
    found["reference"] = dict.fromkeys((int(v) for v in missed), "missed")
    return found


class ErrorLayers:
    """Two layers over the compared ones, which share their voxels and stay as they are.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = weakref.ref(viewer)
        self.layers: dict[str, Labels] = {}
        self.errors = pd.DataFrame()
        self._frame: int | None = None
        self._dark = True

    def show(self, tested: Labels, reference: Labels, errors: pd.DataFrame, dark: bool) -> None:
        """Colour the errors of a comparison; the layers that were there are replaced."""
        self.hide()
        viewer = self._viewer()
        if viewer is None:
            return
        self.errors, self._dark, self._frame = errors, dark, None
        for name, source in ((ERRORS, tested), (MISSED, reference)):
            layer = Labels(
                source.data,
                name=name,
                multiscale=source.multiscale,
                scale=source.scale,
                translate=source.translate,
                units=source.units,
                axis_labels=source.axis_labels,
                opacity=0.75,
            )
            layer.editable = False
            self.layers[name] = viewer.add_layer(layer)
        self.layers[MISSED].contour = 2
        self.show_frame()

    def hide(self) -> None:
        """Remove the layers."""
        viewer = self._viewer()
        for layer in self.layers.values():
            if viewer is not None and layer in viewer.layers:
                viewer.layers.remove(layer)
        self.layers.clear()

    @property
    def shown(self) -> bool:
        """Whether both layers are there."""
        viewer = self._viewer()
        return viewer is not None and len(self.layers) == 2 and all(x in viewer.layers for x in self.layers.values())

    def frame(self) -> int:
        """Frame that the viewer shows; 0 for a single volume."""
        layer, viewer = self.layers.get(ERRORS), self._viewer()
        return 0 if layer is None or viewer is None else frame_at(viewer, layer)

    def show_frame(self) -> None:
        """Colour the errors of the frame that the viewer shows."""
        if not self.shown:
            return
        frame = self.frame()
        if frame == self._frame:
            return
        self._frame = frame
        kinds = errors_of(self.errors, frame)
        self.layers[ERRORS].colormap = _colormap(self.layers[ERRORS], kinds["label"], "matched", self._dark, frame)
        self.layers[MISSED].colormap = _colormap(self.layers[MISSED], kinds["reference"], "", self._dark, frame)

    def counts(self) -> dict[str, int]:
        """Return how many errors of each kind the shown frame has."""
        kinds = errors_of(self.errors, self.frame()) if len(self.errors) else {"label": {}, "reference": {}}
        listed = [*kinds["label"].values(), *kinds["reference"].values()]
        return {kind: listed.count(kind) for kind in COLOURS if kind != "matched"}


def frame_at(viewer: Any, layer: Labels) -> int:
    """Frame of a layer that the viewer shows; 0 for one without time."""
    if layer.ndim < 4:
        return 0
    point = np.asarray(viewer.dims.point, float)[-layer.ndim :]
    frames = int((layer.data[0] if layer.multiscale else layer.data).shape[0])
    return int(np.clip(round(float(layer.world_to_data(point)[0])), 0, frames - 1))


def fly_to_voxel(viewer: Any, layer: Labels, frame: int, place: tuple[float, float, float]) -> None:
    """Show a place (z, y, x, in voxels) of a layer in one of its frames."""
    from . import camera

    voxel = np.asarray([float(frame), *place])[-layer.ndim :]
    world = np.asarray(layer.data_to_world(voxel), float)
    if layer.ndim == 4:
        viewer.dims.set_point(viewer.dims.ndim - 4, world[0])
    point = np.zeros(3)
    point[3 - min(len(world), 3) :] = world[-3:]
    camera.fly_to(viewer, point)


def _largest(layer: Labels, frame: int) -> int:
    """Largest label of a frame of a layer whose labels can be wider than colours are folded, where it is in memory."""
    if np.dtype(layer.dtype).itemsize <= 2 or layer.multiscale or not isinstance(layer.data, np.ndarray):
        return 0
    return int((layer.data[frame] if layer.ndim == 4 else layer.data).max(initial=0))


def _colormap(layer: Labels, kinds: dict[int, str], rest: str, dark: bool, frame: int) -> Any:
    """Colours of the labels of a frame: by kind, and for all others that of `rest` ("": transparent).

    A cyclic map as long as the labels' range is what the layer uses anyway; a direct one makes napari compile when it is first used.
    """
    from napari.utils.colormaps import CyclicLabelColormap, DirectLabelColormap

    def colour(kind: str) -> np.ndarray:
        return np.array([*rgb(COLOURS[kind][dark]), 1.0], np.float32) if kind else np.zeros(4, np.float32)

    size = np.dtype(layer.dtype).itemsize
    most = 255 if size == 1 else MOST if size == 2 else MOST - 1  # of wider labels napari folds 65,535 colours at most
    if max(kinds, default=0) <= most and _largest(layer, frame) <= most:
        table = np.tile(colour(rest), (most + 1, 1))
        table[0] = 0.0
        for label, kind in kinds.items():
            table[label] = colour(kind)
        return CyclicLabelColormap(colors=table)
    direct: dict[Any, np.ndarray] = {None: colour(rest), 0: np.zeros(4, np.float32)}
    return DirectLabelColormap(color_dict=direct | {label: colour(kind) for label, kind in kinds.items()})
