"""Colours and style sheet of the docks, derived from napari's theme. Hue belongs to communities; one accent means "now"."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPen, QPixmap
from qtpy.QtWidgets import QApplication

from ...display.palette import hex_color, mix, rgb

NAME = "dynamicConnectome"


@dataclass(frozen=True)
class Colours:
    """The colours in use."""

    dark: bool
    background: str
    foreground: str
    primary: str
    text: str
    secondary: str
    hairline: str
    well: str
    canvas: str
    accent: str
    chosen: str
    warning: str
    bar: str
    track: str

    def ramp(self, colour: str | None = None) -> np.ndarray:
        """Return 256 colours (uint8 RGBA) from the plot well to near-white (dark), near-black (light), or a community's colour."""
        return _ramp(self.well, colour or ("#f6f7f9" if self.dark else "#131417"))


@lru_cache(maxsize=256)
def _ramp(start: str, end: str) -> np.ndarray:
    colours = mix(rgb(start), rgb(end), np.linspace(0, 1, 256))
    ramp: np.ndarray = np.concatenate([np.round(colours * 255), np.full((256, 1), 255)], axis=1).astype(np.uint8)
    ramp.setflags(write=False)
    return ramp


def colours_of(viewer: Any) -> Colours:
    """Colours for the viewer's present theme."""
    from napari.utils.theme import get_theme

    theme = get_theme(viewer.theme)
    background, text, canvas = (rgb(_hex(c)) for c in (theme.background, theme.text, theme.canvas))
    dark = str(getattr(theme, "type", "")) != "light" and float(background.mean()) < 0.5
    return Colours(
        dark=dark,
        background=hex_color(background),
        foreground=_hex(theme.foreground),
        primary=_hex(theme.primary),
        text=hex_color(text),
        secondary=hex_color(mix(text, background, 0.32)),
        hairline=hex_color(mix(text, background, 0.84)),
        well=hex_color(mix(background, canvas, 0.45)) if dark else "#f7f5f4",
        canvas=hex_color(canvas),
        accent="#7aa2ff" if dark else "#2f56c8",
        chosen=hex_color(mix(rgb(_hex(theme.current)), background, 0.5)) if dark else "#ccd8fb",
        warning="#e69f00" if dark else "#a86500",
        bar="#b9bec7" if dark else "#55585f",
        track=hex_color(mix(text, background, 0.8)),
    )


def _hex(color: Any) -> str:
    """Return "#rrggbb" of a pydantic colour, whose own text may be a name or three digits."""
    red, green, blue = color.as_rgb_tuple()[:3]
    return f"#{red:02x}{green:02x}{blue:02x}"


def style_sheet(c: Colours) -> str:
    """Style sheet of one dock, scoped to it, so that napari's own widgets keep their look."""
    return f"""
#{NAME}, #{NAME} QWidget#page, #{NAME} QScrollArea {{ background: {c.background}; border: none; }}
#{NAME} QLabel {{ background: transparent; font-size: 9pt; color: {c.text}; }}
#{NAME} QLabel#secondary {{ color: {c.secondary}; font-size: 8pt; }}
#{NAME} QLabel#head {{ font-weight: bold; }}
#{NAME} QLabel#warning {{ color: {c.warning}; font-size: 8pt; }}
#{NAME} QLabel#empty {{ color: {c.secondary}; font-size: 9pt; padding: 14px; }}
#{NAME} QPushButton, #{NAME} QToolButton {{ min-height: 18px; padding: 2px 8px; border-radius: 3px; font-size: 9pt;
    background: {c.primary}; color: {c.text}; border: 1px solid transparent; }}
#{NAME} QPushButton:focus, #{NAME} QToolButton:focus {{ border: 1px solid {c.accent}; }}
#{NAME} QPushButton:checked, #{NAME} QToolButton:checked {{ background: {c.chosen}; }}
#{NAME} QPushButton#main {{ background: {c.accent}; color: {"#0c0f16" if c.dark else "#ffffff"}; font-weight: bold; }}
#{NAME} QPushButton:disabled, #{NAME} QToolButton:disabled, #{NAME} QPushButton#main:disabled {{
    background: {c.foreground}; color: {c.secondary}; }}
#{NAME} QPushButton#tight {{ padding: 2px 5px; }}
#{NAME} QToolButton#fold {{ background: transparent; padding: 2px 0px; text-align: left; font-weight: bold; border: none; }}
#{NAME} QToolButton#fold:focus {{ color: {c.accent}; }}
#{NAME} QLineEdit, #{NAME} QComboBox, #{NAME} QAbstractSpinBox, #{NAME} QPlainTextEdit {{ font-size: 9pt; min-height: 18px;
    border-radius: 3px; background: {c.foreground}; color: {c.text}; border: 1px solid transparent; padding: 1px 4px; }}
#{NAME} QLineEdit:focus, #{NAME} QComboBox:focus, #{NAME} QAbstractSpinBox:focus {{ border: 1px solid {c.accent}; }}
#{NAME} QCheckBox {{ font-size: 9pt; background: transparent; color: {c.text}; }}
#{NAME} QTableView {{ background: {c.well}; alternate-background-color: {c.well}; color: {c.text}; border: none;
    font-size: 9pt; gridline-color: transparent; selection-background-color: {c.chosen}; selection-color: {c.text}; }}
#{NAME} QTableView::item {{ padding: 0px 3px; border: none; }}
#{NAME} QTableView::item:selected {{ background: {c.chosen}; color: {c.text}; }}
#{NAME} QHeaderView {{ background: {c.well}; border: none; }}
#{NAME} QHeaderView::section {{ background: {c.well}; color: {c.secondary}; border: none; padding: 2px 3px; font-size: 8pt; }}
#{NAME} QFrame#strip {{ background: {c.well}; border: none; border-left: 3px solid {c.warning}; }}
#{NAME} QFrame#card {{ background: {c.well}; border: 1px solid {c.hairline}; border-radius: 4px; }}
#{NAME} QFrame#card QWidget {{ background: transparent; }}
#{NAME} QFrame#card QLineEdit {{ background: {c.foreground}; }}
#{NAME} QFrame#card QPushButton {{ background: {c.primary}; }}
#{NAME} QFrame#card QPushButton#tight {{ padding: 2px 5px; }}
#{NAME} QFrame#card QPushButton#main {{ background: {c.accent}; }}
#{NAME} QFrame#card QPushButton#main:disabled {{ background: {c.foreground}; color: {c.secondary}; }}
#{NAME} QListView {{ background: {c.well}; color: {c.text}; border: none; font-size: 9pt; }}
#{NAME} QListView::item:selected {{ background: {c.chosen}; color: {c.text}; }}
#{NAME} QProgressBar {{ border: none; border-radius: 2px; background: {c.track}; max-height: 4px; min-height: 4px; }}
#{NAME} QProgressBar::chunk {{ background: {c.accent}; border-radius: 2px; }}
#{NAME} QSplitter::handle {{ background: {c.background}; }}
"""


def swatch(colour: str, dark: bool, size: int = 11) -> QIcon:
    """Return a small rounded square; on light themes with a thin dark outline, because yellow is hard to see on white.

    The same one for the same colour: rows of tables that hold it are equal then. They go with the application.
    """
    app = QApplication.instance()
    made: dict[tuple[str, bool, int], QIcon] = vars(app).setdefault("_dynamic_connectome_swatches", {}) if app else {}
    key = (colour, dark, size)
    if key not in made:
        made[key] = _swatch(*key)
    return made[key]


def _swatch(colour: str, dark: bool, size: int) -> QIcon:
    pixmap = QPixmap(size, size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(QColor(colour))
    painter.setPen(Qt.PenStyle.NoPen if dark else QPen(QColor(0, 0, 0, 90), 1))
    painter.drawRoundedRect(0, 0, size - 1, size - 1, 2.5, 2.5)
    painter.end()
    icon = QIcon(pixmap)
    # Qt would tint the icon of a selected row: the swatch would no longer be the colour of the neurons.
    icon.addPixmap(pixmap, QIcon.Mode.Selected)
    return icon
