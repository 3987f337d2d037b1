"""Text over the canvas: the title and the scale bar, so that screenshots and movies have them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...display.palette import rgb


class CanvasText:
    """Title and scale bar of one viewer."""

    def __init__(self) -> None:
        self._titled = False
        self._colour = ""
        self._has_bar = False

    def title(self, viewer: Any, text: str, colour: str) -> None:
        """Show a title, or none. Each change costs napari an event, even where nothing differs."""
        overlay = viewer.canvas.overlays.text
        if not self._titled:
            if not text:
                return
            overlay.position = "top_left"
            overlay.font_size = 9
            overlay.box = False
            self._titled = True
        if self._colour != colour:
            overlay.color = np.append(rgb(colour), 1.0)
            self._colour = colour
        if overlay.text != text:
            overlay.text = text
        if overlay.visible != bool(text):
            overlay.visible = bool(text)

    def scale_bar(self, viewer: Any) -> None:
        """Show the scale bar, once: from then on it is the user's."""
        if self._has_bar:
            return
        self._has_bar = True
        bar = viewer.canvas.overlays.scale_bar
        bar.box = False
        bar.ticks = True
        bar.font_size = 8
        bar.visible = True
