"""Legend of the colours, in the canvas itself, so that screenshots and movies have it: one chip a community."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...display.palette import rgb, to_oklab
from .spared import keep_program_of_overlay

KEY = "dynamic_connectome_legend_"


class Legend:
    """Chips in the upper right corner of the canvas, made from napari's own text overlays."""

    def __init__(self) -> None:
        self._shown: dict[int, tuple[str, str, str]] = {}
        self._changed: set[int] = set()

    def show(self, viewer: Any, lines: Sequence[tuple[str, str]], plain: str, most: int = 1) -> bool:
        """Show these lines of (text, "#rrggbb"), drawn as chips; lines without a colour are plain text in `plain`.

        Parameters
        ----------
        viewer : napari.Viewer
        lines : sequence of (str, str)
        plain : str
            Colour of plain text.
        most : int
            New chips to make in one call: each costs napari some ten milliseconds. Those that are there change together.

        Returns
        -------
        bool
            There are more to change: call it again.
        """
        from napari.components.overlays import TextOverlay

        wanted = {place: (text, colour, plain) for place, (text, colour) in enumerate(lines)}
        stale = [place for place in sorted({*wanted, *self._shown}) if wanted.get(place) != self._shown.get(place)]
        overlays = viewer.canvas.overlays
        if stale and wanted:
            viewer.canvas.overlay_tiling.top_right = "vertical"
        new = [place for place in stale if f"{KEY}{place}" not in overlays]
        held = [place for place in stale if f"{KEY}{place}" in overlays]
        with placed_together(viewer, [overlays[f"{KEY}{place}"] for place in held]):
            for place in held:
                if place in wanted:
                    _change(overlays[f"{KEY}{place}"], _look(*wanted[place]))
                    self._shown[place] = wanted[place]
                    self._changed.add(place)
                else:
                    _change(overlays[f"{KEY}{place}"], SPARE)
                    del self._shown[place]
                    self._changed.discard(place)
        for place in new[:most]:  # one by one: napari stacks them in the order in which it hears of them
            overlays[f"{KEY}{place}"] = TextOverlay(position="top_right", font_size=7.5, **_look(*wanted[place]))
            keep_program_of_overlay(viewer, overlays[f"{KEY}{place}"])
            self._shown[place] = wanted[place]
            self._changed.add(place)
        return len(new) > most

    def settle(self, viewer: Any) -> None:
        """Let napari measure the texts that changed once more: at first it takes some for as wide as the one before."""
        for place in self._changed & set(self._shown):
            overlay = viewer.canvas.overlays[f"{KEY}{place}"]
            overlay.events.font_size.emit(overlay.font_size, overlay.font_size)
        self._changed.clear()


@contextmanager
def placed_together(viewer: Any, overlays: Sequence[Any]) -> Iterator[None]:
    """Let napari place all texts of the canvas when it is drawn next, and not for each of these that comes or goes."""
    canvas = getattr(getattr(getattr(viewer, "window", None), "_qt_viewer", None), "canvas", None)
    place = getattr(canvas, "_update_overlay_canvas_positions", None)
    later = getattr(viewer.canvas.events, "_overlay_positions_changed", None)
    if not overlays or place is None or later is None:  # nothing to change, or another version of napari
        yield
        return
    for one in overlays:
        one.events.visible.disconnect(place, missing_ok=True)
    try:
        yield
    finally:
        for one in overlays:
            one.events.visible.connect(place, unique=True)
        later()


NOTHING = np.array([0.0, 0.0, 0.0, 1e-4])
"""Not to be seen, but not quite transparent either: vispy leaves a box of no colour at all in the colour that it had."""
SPARE: dict[str, Any] = {"text": "", "color": NOTHING, "box_color": NOTHING, "box": True, "visible": True}
"""A chip that is not needed now. It stays there, transparent, below the others: napari takes the box of a text that is hidden out of
the canvas, and its program has to be compiled again when it comes back, which takes longer than drawing all the rest."""


def _look(text: str, colour: str, plain: str) -> dict[str, Any]:
    """Values of the overlay of one chip."""
    return {
        # napari takes longer texts for narrower than they are drawn, from the right: without it they leave their box
        "text": f" {text}" if colour and len(text) > 2 else text,
        "color": np.append(readable_on(colour) if colour else rgb(plain), 1.0),
        "box_color": np.append(rgb(colour), 1.0) if colour else NOTHING,
        "box": True,
        "visible": True,
    }


def _change(overlay: Any, values: dict[str, Any]) -> None:
    """Set what differs, and say so once all is set: napari measures and places a chip anew for every value that it hears of."""
    changed = {}
    for name, value in values.items():
        old = getattr(overlay, name)
        if (old is None) != (value is None) or not np.array_equal(old, value):
            changed[name] = old
    overlay.events.block()
    try:
        for name in changed:
            setattr(overlay, name, values[name])
    finally:
        overlay.events.unblock()
    said = set(changed)
    if said & {"visible", "text"}:  # either draws the box in its present colours as well, and the first the text
        said -= {"box", "box_color"}
    if "visible" in said:
        said.discard("text")
    for name in ("color", "visible", "text", "box", "box_color"):
        if name in said:
            getattr(overlay.events, name).emit(getattr(overlay, name), changed[name])


def readable_on(colour: str) -> np.ndarray:
    """Black or white, whichever is read better on a colour."""
    return np.full(3, 0.04) if to_oklab(rgb(colour))[0] > 0.6 else np.full(3, 1.0)
