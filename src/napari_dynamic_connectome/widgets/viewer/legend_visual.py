"""The legend on the canvas: its chips painted by Qt and shown by vispy as one picture, of which napari keeps the place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari._vispy.overlays.base import ViewerOverlayMixin, VispyCanvasOverlay
from napari._vispy.utils.visual import overlay_to_visual
from napari._vispy.visuals.image import Image
from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter
from qtpy.QtWidgets import QApplication

PAD_X, PAD_Y, GAP, RADIUS = 6, 2, 3, 3
WIDEST = 200
"""Pixels of the widest chip: longer texts are elided."""
Line = tuple[str, str, str]
"""Text, colour of its box ("": none) and colour of the text, as "#rrggbb"."""


class VispyLegend(ViewerOverlayMixin, VispyCanvasOverlay):
    """Picture of all chips of a legend.

    napari's texts with a box each are measured, meshed and drawn one by one, which takes about three milliseconds a chip.
    """

    def __init__(self, **kwargs: Any) -> None:
        nothing = np.zeros((1, 1, 4), np.uint8)
        node = Image(nothing, texture_format=None, clim=(0, 255), interpolation="nearest", method="subdivide")
        super().__init__(node=node, **kwargs)
        self._pixel_scale = 0.0
        self.overlay.events.lines.connect(self._on_lines_change)
        self.overlay.events.font_size.connect(self._on_lines_change)
        self.reset()

    def reset(self) -> None:
        super().reset()
        self._on_lines_change()

    def _on_lines_change(self) -> None:
        canvas = self.node.canvas
        self._pixel_scale = float(canvas.pixel_scale) if canvas is not None else 1.0
        picture = paint(self.overlay.lines, self.overlay.font_size, self._pixel_scale)
        self.node.set_data(picture)
        self.y_size, self.x_size = (n / self._pixel_scale for n in picture.shape[:2])
        self.node.transform.scale = [1 / self._pixel_scale, 1 / self._pixel_scale, 1, 1]
        self._on_position_change()


def register(overlay: type) -> None:
    """Tell napari that overlays of this type are drawn as a legend."""
    overlay_to_visual[overlay] = VispyLegend


def paint(lines: Sequence[Line], font_size: float, pixel_scale: float = 1.0) -> np.ndarray:
    """Paint lines below each other, flush right.

    Parameters
    ----------
    lines : sequence of (str, str, str)
        Text, colour of the box and colour of the text.
    font_size : float
        Points.
    pixel_scale : float
        Pixels of the screen for one of Qt.

    Returns
    -------
    ndarray
        (height, width, 4) red, green, blue and opacity, 0 to 255.
    """
    font = QFont(QApplication.font())
    font.setPointSizeF(font_size)
    measure = QFontMetricsF(font)
    texts = [measure.elidedText(text, Qt.TextElideMode.ElideMiddle, WIDEST - 2 * PAD_X) for text, _, _ in lines]
    height = int(np.ceil(measure.height())) + 2 * PAD_Y
    widths = [max(int(np.ceil(measure.horizontalAdvance(text))) + 2 * PAD_X, height) for text in texts]
    across, down = max(widths, default=1), max(len(lines) * (height + GAP) - GAP, 1)
    image = QImage(
        int(np.ceil(across * pixel_scale)), int(np.ceil(down * pixel_scale)), QImage.Format.Format_ARGB32_Premultiplied
    )
    image.setDevicePixelRatio(pixel_scale)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(font)
    for place, (text, width, (_, box, colour)) in enumerate(zip(texts, widths, lines, strict=True)):
        area = QRectF(across - width, place * (height + GAP), width, height)
        if box:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(box))
            painter.drawRoundedRect(area, RADIUS, RADIUS)
        painter.setPen(QColor(colour))
        painter.drawText(area, Qt.AlignmentFlag.AlignCenter, text)
    painter.end()
    return _as_array(image.convertToFormat(QImage.Format.Format_RGBA8888))


def _as_array(image: QImage) -> np.ndarray:
    bits = image.constBits()
    if hasattr(bits, "setsize"):  # PyQt; PySide knows the size
        bits.setsize(image.sizeInBytes())
    return np.frombuffer(bytes(bits), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
