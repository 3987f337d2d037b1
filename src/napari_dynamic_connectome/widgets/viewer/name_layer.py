"""Names of neurons in the worm: which are shown, and the layer and the leader lines that show them."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from ...display.name_placement import place_names
from ...display.palette import mix, rgb
from ...display.scene import Drawn
from ...display.tubes import tubes
from ...session.session import Session
from .camera import screen_axes
from .layers import LEADERS, NAMES, OverlayLayers, drawn_once, show

MOST_NAMES = 24
NEAREST = 16
"""Names around a single chosen neuron."""
LETTER_PX, LINE_PX = 3.8, 8.0
"""Half the width of a letter and half the height of a line."""

Leaders = list[tuple[np.ndarray, np.ndarray]]


def named(session: Session, drawn: Drawn, *, naming: bool, group: bool = False) -> list[int]:
    """Neurons whose names are shown: the selected community's, the selected ones', or those nearest to the selected one.

    Parameters
    ----------
    session : Session
    drawn : Drawn
    naming : bool
        Neurons are coloured by something else than communities of the component: the chosen one does not count.
    group : bool
        What is lit is chosen in another way: its names are shown.
    """
    selection, recording = session.selection, session.recording
    if recording is None or recording.n_neurons != len(drawn.ids):
        return []  # another recording was opened and is not drawn yet
    good = drawn.shown & (recording.neurons["name"].to_numpy() != "")
    picked = set(selection.neurons)
    chosen = [i for i, n in enumerate(drawn.ids) if n in picked and drawn.shown[i]]
    if group or (selection.community is not None and not naming):
        inside = [int(i) for i in np.flatnonzero(drawn.lit & good)]
        return (inside + [i for i in chosen if i not in inside])[:MOST_NAMES]
    if len(chosen) == 1:
        gap = np.linalg.norm(drawn.positions - drawn.positions[chosen[0]], axis=1)
        return [int(i) for i in np.argsort(gap, kind="stable") if good[i]][:NEAREST]
    return chosen[:MOST_NAMES]


class NameLayer:
    """The layer of names."""

    def __init__(self, overlay: OverlayLayers) -> None:
        self._overlay = overlay
        self._styled: tuple[weakref.ref[Any], str] | None = None
        """The layer that has the texts' look, and their colour."""

    def draw(self, viewer: Any, drawn: Drawn, chosen: list[int], colour: str) -> Leaders:
        """Place the names for the present camera.

        Returns
        -------
        list of (ndarray, ndarray)
            Leader lines (from, to) in micrometres.
        """
        right, up, zoom, centre = screen_axes(viewer)
        height, width = viewer.canvas.size

        def project(points: np.ndarray) -> np.ndarray:
            gap = points - centre
            return np.stack([gap @ right * zoom + width / 2, height / 2 - gap @ up * zoom], axis=1)

        points = project(drawn.positions[chosen])
        placed = place_names(
            points,
            [drawn.ids[i] for i in chosen],
            project(drawn.positions[drawn.shown]),
            size=(width, height),
            clear_px=float(drawn.size[chosen].mean()) / 2 * zoom,
        )
        anchors, leaders = [], []
        for item in placed:
            own = drawn.positions[chosen[item.index]]
            x, y = points[item.index]
            anchors.append(own + right * (item.x - x) / zoom - up * (item.y - y) / zoom)
            if item.leader:
                # From the neuron to just before the text.
                towards = np.array([item.x - x, item.y - y])
                half = np.array([len(item.text) * LETTER_PX + 3, LINE_PX])
                reach = min(half / np.maximum(np.abs(towards), 1e-6))
                share = max(1 - float(reach), 0.0)
                leaders.append((own, own + (right * towards[0] - up * towards[1]) * share / zoom))
        self._show(np.array(anchors), np.array([p.text for p in placed], dtype=object), colour)
        return leaders

    def _show(self, data: np.ndarray, texts: np.ndarray, colour: str) -> None:
        text = {
            "string": "{name}",
            "size": 8,
            "color": colour,
            "anchor": "center",
            "blending": "translucent_no_depth",
        }
        layer = self._overlay.prepared(NAMES, data[0])
        if layer is None:
            return
        same = len(layer.data) == len(data) and list(layer.features.get("name", [])) == list(texts)
        styled = self._styled is not None and self._styled[0]() is layer and self._styled[1] == colour
        if not same or not styled or not np.allclose(layer.data, data):
            with drawn_once(layer):
                layer.data = data
                if not same:
                    layer.features = {"name": texts}
                if not styled:
                    layer.text = text
            self._styled = (weakref.ref(layer), colour)
        if layer.selected_data:
            layer.selected_data = set()
        show(layer)

    def draw_leaders(self, lines: Leaders, zoom: float, text: str, canvas: str) -> None:
        """Draw the lines from names to neurons, in a colour between those of text and canvas."""
        if not lines:
            self._overlay.hide(LEADERS)
            return
        vertices, faces, line = tubes(np.array([a for a, _ in lines]), np.array([b for _, b in lines]), 0.55 / zoom)
        colour = np.append(mix(rgb(text), rgb(canvas), 0.35), 1.0)
        self._overlay.surface(LEADERS, vertices, faces, np.tile(colour, (len(line), 1)).astype(np.float32))
