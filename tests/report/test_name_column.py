"""Names beside a picture's rows: each at its row, ending at the same edge, inside the box that the layout is told of."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest

from napari_dynamic_connectome.report.figure_style import new_figure, styled
from napari_dynamic_connectome.report.name_column import NameColumn

NAMES = ["AVAL", "AVAR", "RIML", "i", "WWWWWW", "$x_1$"]


def drawn(names: list[str]):
    with styled():
        figure = new_figure(3, 2)
        axes = figure.subplots()
        axes.imshow(np.zeros((len(names), 4)), aspect="auto")
        axes.set_xticks([])
        axes.set_yticks([])
        column = NameColumn(axes, names, 6)
        figure.canvas.draw()
    return figure, axes, column


def test_names_stand_at_their_rows_and_end_at_the_same_edge():
    figure, axes, _ = drawn(NAMES)
    stream = io.StringIO()
    with styled():
        figure.savefig(stream, format="svg")
    found = re.findall(r'<text style="([^"]*)" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>', stream.getvalue())
    assert [name for *_, name in found] == NAMES
    assert len({x for _, x, _, _ in found}) == 1
    assert all("text-anchor: end" in style for style, *_ in found)
    box = axes.get_position()
    height = 2 * 72
    rows = height * (1 - box.y1) + box.height * height * (np.arange(len(NAMES)) + 0.5) / len(NAMES)
    below = np.array([float(y) for _, _, y, _ in found]) - rows
    np.testing.assert_allclose(below, 0.36 * 6, atol=0.5)  # the baseline is below the middle of the row


def test_the_layout_leaves_room_for_the_longest_name_and_no_ink_is_outside_the_box():
    figure, axes, column = drawn(NAMES)
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].min(axis=2)
    left = pixels[:, : int(axes.bbox.x0) - 1]
    inked = np.flatnonzero((left < 128).any(axis=0))
    box = column.get_window_extent(figure.canvas.get_renderer())
    assert inked.min() >= box.x0 - 1 and inked.max() <= box.x1 + 1
    assert inked.min() <= box.x0 + 4 and box.x0 >= 0


def test_no_names_take_no_room():
    figure, _, column = drawn(["a"])
    column.names = []
    assert column.get_window_extent().width <= 0 or not np.isfinite(column.get_window_extent().x0)
    figure.canvas.draw()


@pytest.mark.parametrize("count", [1, 200])
def test_a_row_has_a_name_however_many_there_are(count):
    names = [f"N{k:03d}" for k in range(count)]
    figure, _, _ = drawn(names)
    stream = io.StringIO()
    with styled():
        figure.savefig(stream, format="svg")
    assert re.findall(r">(N\d{3})<", stream.getvalue()) == names
