"""The viewer's time slider: brought along where no image has one, and kept in step with the session's time."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...display import scene as resolve
from .layers import NEURONS, TIME, OverlayLayers, drawn_once

TIME_KEY = "dynamic_connectome_time"


def time_layer(
    recording: Any, places: np.ndarray | None = None, units: tuple[str, str, str] = ("um", "um", "um")
) -> tuple[np.ndarray, dict[str, Any], str]:
    """Layer data of two invisible points that give the viewer the recording's time as its slider."""
    if places is None:
        places, _ = resolve.positions(recording)
        places = places[np.isfinite(places).all(axis=1)] if np.isfinite(places).all(axis=1).any() else np.zeros((1, 3))
    data = np.array([[0.0, *places.min(axis=0)], [recording.n_times - 1.0, *places.max(axis=0)]])
    options = {
        "name": TIME,
        "size": 0.001,
        "opacity": 0.0,
        "visible": False,  # it gives the viewer its time axis all the same, and is not cut again at every step
        "scale": (float(np.median(np.diff(recording.time_s))), 1.0, 1.0, 1.0),
        "translate": (float(recording.time_s[0]), 0.0, 0.0, 0.0),
        "units": ("s", *units),
        "canvas_size_limits": (0, 10000),
        "metadata": {TIME_KEY: True},
    }
    return data, options, "points"


def ensure_time_axis(viewer: Any, overlay: OverlayLayers, recording: Any, drawn: resolve.Drawn) -> None:
    """Give the viewer a time slider where no image brings one: two points far too small to be seen."""
    others = any(layer.ndim >= 4 and layer.visible for layer in viewer.layers if layer is not overlay.layers.get(TIME))
    if others or recording.n_times < 2:
        overlay.remove(TIME)
        return
    places = drawn.positions[drawn.shown] if drawn.shown.any() else np.zeros((1, 3))
    # Where neurons are shown they have an extent of their own: any place among them does.
    middle = places.mean(axis=0, keepdims=True) if overlay.shown(NEURONS) is not None else places
    data, options, _ = time_layer(recording, middle, overlay.units())
    layer = overlay.layers.get(TIME) or next((x for x in viewer.layers if x.metadata.get(TIME_KEY)), None)
    if layer is not None and layer in viewer.layers:
        overlay.layers[TIME] = layer
        same_clock = tuple(layer.scale) == options["scale"] and tuple(layer.translate) == options["translate"]
        if not same_clock or not _covers(layer.data, data, places if len(middle) == 1 else None):
            with drawn_once(layer, moved=True):
                layer.data, layer.scale = data, options["scale"]
                layer.translate = options["translate"]
        if viewer.layers.index(layer):
            viewer.layers.move(viewer.layers.index(layer), 0)
        return
    from napari.layers import Points

    overlay.layers[TIME] = Points(data, **options)
    overlay.insert(0, overlay.layers[TIME])


def _covers(present: np.ndarray, wanted: np.ndarray, among: np.ndarray | None) -> bool:
    """Whether two points hold the times that are wanted, and lie where they are wanted, or anywhere among these places."""
    if not np.array_equal(present[:, 0], wanted[:, 0]):
        return False
    if among is None:
        return bool(np.array_equal(present, wanted))
    inside = (present[:, 1:] >= among.min(axis=0)) & (present[:, 1:] <= among.max(axis=0))
    return bool(inside.all())


def name_axes(viewer: Any) -> None:
    """Name axes that have only numbers."""
    dims = viewer.dims
    if dims.ndim == 4 and all(str(a).lstrip("-").isdigit() for a in dims.axis_labels):
        dims.axis_labels = ("t", "z", "y", "x")


def slider_time(viewer: Any, recording: Any) -> float | None:
    """Time (s) of the viewer's slider; None if there is no time axis."""
    if viewer.dims.ndim < 4 or recording is None:
        return None
    times = recording.time_s
    axis = viewer.dims.ndim - 4
    if viewer.dims.nsteps[axis] == len(times):
        return float(times[min(viewer.dims.current_step[axis], len(times) - 1)])
    return float(viewer.dims.point[axis])


def move_slider(viewer: Any, recording: Any, time_s: float) -> None:
    """Move the viewer's slider to a time (s) of the recording, if it has one."""
    if viewer is None or viewer.dims.ndim < 4 or recording is None:
        return
    axis = viewer.dims.ndim - 4
    if viewer.dims.nsteps[axis] == recording.n_times:
        frame = int(np.argmin(np.abs(recording.time_s - time_s)))
        viewer.dims.set_current_step(axis, frame)
    else:
        viewer.dims.set_point(axis, time_s)
