"""The key of the colours, in the canvas itself, so that screenshots and movies have it: one chip a community."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..overlay.palette import rgb, to_oklab

KEY = "dynamic_connectome_legend_"


class Legend:
    """Chips in the upper right corner of the canvas, made from napari's own text overlays."""

    def __init__(self) -> None:
        self._shown: tuple[Any, ...] = ()

    @property
    def is_shown(self) -> bool:
        """Whether there is anything in it."""
        return bool(self._shown and self._shown[0])

    def show(self, viewer: Any, lines: Sequence[tuple[str, str]], plain: str) -> None:
        """Show these lines of (text, "#rrggbb"), drawn as chips; lines without a colour are plain text in `plain`."""
        state = (tuple(lines), plain)
        if state == self._shown:
            return
        from napari.components.overlays import TextOverlay

        self._shown = state
        overlays = viewer.canvas.overlays
        if lines:
            viewer.canvas.overlay_tiling.top_right = "vertical"
        count = sum(1 for key in overlays if key.startswith(KEY))
        for place in range(count, len(lines)):
            overlays[f"{KEY}{place}"] = TextOverlay(position="top_right", font_size=7.5, visible=False)
        for place in range(max(count, len(lines))):
            overlay = overlays[f"{KEY}{place}"]
            if place >= len(lines):
                overlay.visible = False
                continue
            text, colour = lines[place]
            overlay.text = text
            overlay.color = np.append(readable_on(colour) if colour else rgb(plain), 1.0)
            overlay.box_color = np.append(rgb(colour), 1.0) if colour else None
            overlay.box = bool(colour)
            overlay.visible = True


def readable_on(colour: str) -> np.ndarray:
    """Black or white, whichever is read better on a colour."""
    return np.full(3, 0.04) if to_oklab(rgb(colour))[0] > 0.6 else np.full(3, 1.0)
