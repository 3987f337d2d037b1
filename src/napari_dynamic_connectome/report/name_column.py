"""Names beside the rows of a picture, drawn straight by the renderer.

Tick labels do the same, but each of them is laid out and drawn as a tick with lines, paddings and boxes of its own: for two hundred
neurons that is most of the work on a figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist, allow_rasterization
from matplotlib.axes import Axes
from matplotlib.text import Text
from matplotlib.transforms import Bbox, IdentityTransform

from .figure_style import INK

MIDDLE = 0.36
"""Height of the middle of a small letter over the baseline, in font sizes."""


class NameColumn(Artist):
    """Right-aligned names at the left of the axes, the i-th at y = i in data coordinates.

    Parameters
    ----------
    axes : matplotlib Axes
        They get the column.
    names : sequence of str
    size : float
        Of the font, in points.
    pad : float
        Distance from the axes, in points.
    """

    def __init__(self, axes: Axes, names: Sequence[str], size: float, pad: float = 1.0) -> None:
        super().__init__()
        self.names = [str(n) for n in names]
        self.size, self.pad = size, pad
        self.text = Text(0, 0, "", fontsize=size, color=INK, ha="right", va="baseline", parse_math=False)
        self.text.set_transform(IdentityTransform())
        self.set_clip_on(False)
        self.set_zorder(3)
        axes.add_artist(self)
        self.text.set_figure(axes.figure)
        self._width: tuple[float, float] | None = None

    def _edge(self) -> float:
        assert self.axes is not None
        return float(self.axes.bbox.x0) - self.pad * self._dpi() / 72

    def _dpi(self) -> float:
        figure = self.get_figure(root=True)
        assert figure is not None
        return float(figure.dpi)

    def get_window_extent(self, renderer: Any = None) -> Bbox:
        """Box of all names in pixels."""
        assert self.axes is not None
        if not self.names:
            return Bbox.null()
        dpi = self._dpi()
        if self._width is None or self._width[0] != dpi:
            figure = self.get_figure(root=True)
            assert figure is not None
            pen = renderer if renderer is not None else figure._get_renderer()  # type: ignore[attr-defined]
            font = self.text.get_fontproperties()
            width = max(pen.get_text_width_height_descent(n, font, ismath=False)[0] for n in self.names)
            self._width = (dpi, width)
        edge, box = self._edge(), self.axes.bbox
        return Bbox.from_extents(edge - self._width[1], box.y0, edge, box.y1)

    def get_tightbbox(self, renderer: Any = None) -> Bbox:
        """Box of all names in pixels."""
        return self.get_window_extent(renderer)

    @allow_rasterization
    def draw(self, renderer: Any) -> None:
        """Draw the names."""
        if not self.get_visible() or not self.names:
            return
        assert self.axes is not None
        text, font = self.text, self.text.get_fontproperties()
        context = renderer.new_gc()
        context.set_foreground(text.get_color())
        rows = np.stack([np.zeros(len(self.names)), np.arange(len(self.names))], axis=1)
        middle = MIDDLE * renderer.points_to_pixels(self.size)
        heights = self.axes.transData.transform(rows)[:, 1] - middle
        edge = self._edge()
        _, canvas_height = renderer.get_canvas_width_height()
        renderer.open_group("names", self.get_gid())
        for name, y in zip(self.names, heights):
            width = renderer.get_text_width_height_descent(name, font, ismath=False)[0]
            text.set_position((edge, y))
            down = canvas_height - y if renderer.flipy() else y
            renderer.draw_text(context, edge - width, down, name, font, 0, ismath=False, mtext=text)
        renderer.close_group("names")
        context.restore()
        self.stale = False
