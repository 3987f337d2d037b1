"""The viewer's time slider: brought along where no image has one, and kept in step with the session's time."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...display import scene as resolve
from .layers import TIME, OverlayLayers

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
    data, options, _ = time_layer(recording, places, overlay.units())
    layer = overlay.layers.get(TIME) or next((x for x in viewer.layers if x.metadata.get(TIME_KEY)), None)
    if layer is not None and layer in viewer.layers:
        overlay.layers[TIME] = layer
        if not np.array_equal(layer.data, data) or tuple(layer.scale) != options["scale"]:
            layer.data, layer.scale = data, options["scale"]
            layer.translate = options["translate"]
        if viewer.layers.index(layer):
            viewer.layers.move(viewer.layers.index(layer), 0)
        return
    from napari.layers import Points

    overlay.layers[TIME] = Points(data, **options)
    overlay.insert(0, overlay.layers[TIME])


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
