"""Legend of the colours, in the canvas itself, so that screenshots and movies have it: one chip a community."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.components.overlays import TextOverlay

from ...display.palette import hex_color, rgb, to_oklab

KEY = "dynamic_connectome_legend"


class LegendOverlay(TextOverlay):
    """Lines of text on chips of colour. Its `text` is what a version of napari shows that cannot be told how to draw chips.

    Attributes
    ----------
    lines : tuple of (str, str, str)
        Text, colour of its chip ("": none) and colour of the text, as "#rrggbb".
    """

    lines: tuple[tuple[str, str, str], ...] = ()


class Legend:
    """Chips in the upper right corner of the canvas."""

    def __init__(self) -> None:
        self._overlay: LegendOverlay | None = None

    def show(self, viewer: Any, lines: Sequence[tuple[str, str]], plain: str) -> None:
        """Show these lines of (text, "#rrggbb"), drawn as chips; lines without a colour are plain text in `plain`.

        Parameters
        ----------
        viewer : napari.Viewer
        lines : sequence of (str, str)
        plain : str
            Colour of plain text.
        """
        wanted = tuple((text, colour, hex_color(readable_on(colour)) if colour else plain) for text, colour in lines)
        overlay = self._overlay
        if overlay is None:
            if not wanted:
                return
            with contextlib.suppress(ImportError):
                from .legend_visual import register

                register(LegendOverlay)
            overlay = self._overlay = LegendOverlay(position="top_right", font_size=8, box=False)
            viewer.canvas.overlays[KEY] = overlay
        if wanted and overlay.lines != wanted:
            overlay.text = "\n".join(text for text, _, _ in wanted)
            overlay.lines = wanted
        if overlay.visible != bool(wanted):
            overlay.visible = bool(wanted)


def readable_on(colour: str) -> np.ndarray:
    """Black or white, whichever is read better on a colour."""
    return np.full(3, 0.04) if to_oklab(rgb(colour))[0] > 0.6 else np.full(3, 1.0)
