"""State of the view, kept with a session: camera, sliders, colours, image layers; opening it gives the same picture."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..workspace.workspace import Workspace

CAMERA_FIELDS = ("center", "zoom", "angles", "perspective")
LAYER_FIELDS = ("visible", "opacity", "gamma", "contrast_limits", "blending", "rendering")


def capture(work: Workspace) -> dict[str, Any]:
    """Describe what the viewer shows, in plain values."""
    viewer = work.viewer
    if viewer is None:
        return {}
    camera = {name: _plain(getattr(viewer.scene.camera, name)) for name in CAMERA_FIELDS}
    images = {}
    for recording, layers in work.scene.images.items():
        images[recording] = [
            {name: _plain(getattr(layer, name)) for name in LAYER_FIELDS if hasattr(layer, name)}
            | {"colormap": str(layer.colormap.name)}
            for layer in layers
        ]
    return {
        "docks": _fields(work.view),
        "camera": camera,
        "ndisplay": int(viewer.dims.ndisplay),
        "step": [int(n) for n in viewer.dims.current_step],
        "images": images,
        "labels": {recording: bool(layer.visible) for recording, layer in work.scene.labels.items()},
    }


def restore(work: Workspace, look: dict[str, Any]) -> None:
    """Show a session as it was described; what this version or this viewer does not know is left as it is."""
    viewer = work.viewer
    if viewer is None or not isinstance(look, dict):
        return
    _set(work.view.set, {k: v for k, v in _dict(look.get("docks")).items() if k in _fields(work.view)}, each=True)
    if look.get("ndisplay") in (2, 3):
        viewer.dims.ndisplay = look["ndisplay"]
    restore_images(work, look)
    work.scene.flush()
    step = look.get("step")
    if isinstance(step, list) and len(step) == viewer.dims.ndim:
        _set(lambda step: setattr(viewer.dims, "current_step", tuple(step)), {"step": step})
    for name in CAMERA_FIELDS:
        if name in _dict(look.get("camera")):
            _set(partial(_set_fields, viewer.scene.camera), {name: look["camera"][name]})
    work.scene.flush()


def restore_images(work: Workspace, look: dict[str, Any], only: Collection[str] | None = None) -> None:
    """Give the layers of images the colours and contrast that are described; of some recordings, or of all."""
    if not isinstance(look, dict):
        return
    for recording, described in _dict(look.get("images")).items():
        if only is not None and recording not in only:
            continue
        for layer, values in zip(work.scene.images.get(recording, []), described, strict=False):
            for name, value in _dict(values).items():
                if name in (*LAYER_FIELDS, "colormap"):
                    _set(partial(_set_fields, layer), {name: value})
    for recording, visible in _dict(look.get("labels")).items():
        if recording in work.scene.labels and (only is None or recording in only):
            work.scene.labels[recording].visible = bool(visible)


def _fields(view: Any) -> dict[str, Any]:
    return {k: v for k, v in vars(view).items() if not k.startswith("_") and isinstance(v, (bool, int, str))}


def _set_fields(target: Any, /, **values: Any) -> None:
    for name, value in values.items():
        setattr(target, name, value)


def _set(setter: Any, values: dict[str, Any], *, each: bool = False) -> None:
    """Call a setter with values from a file; one that does not fit is left out."""
    for part in [{k: v} for k, v in values.items()] if each else [values]:
        try:
            setter(**part)
        except (TypeError, ValueError, KeyError, AttributeError):
            continue


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _plain(value: Any) -> Any:
    if isinstance(value, (bool, int, float, str)) or value is None:
        return str(value) if isinstance(value, str) else value
    if isinstance(value, (tuple, list, np.ndarray)):
        return tuple(float(v) for v in value)
    return float(value) if isinstance(value, np.floating) else str(value)
