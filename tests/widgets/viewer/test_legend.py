"""The legend's chips: what is seen of them on the canvas after they changed, and what that costs."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dynamic_connectome.widgets.viewer import legend_visual
from napari_dynamic_connectome.widgets.viewer.legend import KEY, Legend

pytestmark = pytest.mark.gui

COLOURS = {"1": "#ff0000", "2": "#00ff00", "3": "#0000ff"}


def seen(viewer) -> np.ndarray:
    """What is on the canvas."""
    return viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)


def where(picture: np.ndarray, colour: str) -> np.ndarray:
    """Rows and columns (n, 2) of a picture that have a colour."""
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return np.argwhere((np.abs(picture - wanted) < 30).all(axis=-1))


def rows(viewer) -> list[float]:
    """Middle row on the canvas of every chip, by its colour; NaN where it is not seen."""
    picture = seen(viewer)
    found = [where(picture, colour) for colour in COLOURS.values()]
    return [float(place[:, 0].mean()) if len(place) else np.nan for place in found]


def test_chips_that_change_are_drawn_as_new_ones_would_be(viewer) -> None:
    lines = [("1a", "#f0e442"), ("background", "#8a8f98"), ("plain", "")]
    legend = Legend()
    legend.show(viewer, [("1", "#56b4e9")], "#ffffff")
    seen(viewer)
    legend.show(viewer, lines, "#ffffff")
    changed = seen(viewer)
    del viewer.canvas.overlays[KEY]
    assert not len(where(seen(viewer), "#f0e442"))
    Legend().show(viewer, lines, "#ffffff")
    np.testing.assert_array_equal(seen(viewer), changed)
    for colour in ("#f0e442", "#8a8f98", "#ffffff"):
        assert len(where(changed, colour))
    legend = Legend()
    legend.show(viewer, [], "#ffffff")
    assert viewer.canvas.overlays[KEY].visible  # nothing was shown by this one, so nothing is taken away


def test_a_text_has_the_same_room_on_both_sides(viewer) -> None:
    Legend().show(viewer, [("background", "#00ff00"), ("12", "#ff0000")], "#ffffff")
    picture = seen(viewer)
    for colour in ("#00ff00", "#ff0000"):
        chip = where(picture, colour)
        top, bottom = chip[:, 0].min(), chip[:, 0].max()
        left, right = chip[:, 1].min(), chip[:, 1].max()
        box = picture[top : bottom + 1, left : right + 1]
        wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        middle = np.abs(box[4:-4] - wanted).max(axis=-1) > 60  # corners are round
        text = np.flatnonzero(middle.any(axis=0))
        assert text[0] >= 3 and middle.shape[1] - 1 - text[-1] >= 3
        assert abs(text[0] - (middle.shape[1] - 1 - text[-1])) <= 2
        assert right > picture.shape[1] - 20  # both end where the canvas does


def test_chips_that_change_need_no_new_program(viewer, monkeypatch) -> None:
    from vispy.visuals.shaders.program import ModularProgram

    built = []
    build = ModularProgram._build
    monkeypatch.setattr(ModularProgram, "_build", lambda program: (built.append(program), build(program))[1])
    legend = Legend()
    lines = [("1a", "#ff0000"), ("1b", "#00ff00"), ("plain", "")]
    legend.show(viewer, lines, "#ffffff")
    seen(viewer)
    assert built  # the first time
    built.clear()
    for wanted in (lines[:1], [], [("23", "#0000ff"), ("plain", ""), ("2", "#ffff00")], lines):
        legend.show(viewer, wanted, "#ffffff")
        seen(viewer)
    assert not built


def test_all_chips_are_one_picture_that_is_painted_once_a_change(viewer, monkeypatch) -> None:
    legend = Legend()
    lines = [(f"{i}", "#56b4e9") for i in range(13)]
    legend.show(viewer, lines, "#ffffff")
    painted = []
    paint = legend_visual.paint
    monkeypatch.setattr(legend_visual, "paint", lambda *a: (painted.append(a), paint(*a))[1])
    legend.show(viewer, [(f"{text}a", "#e69f00") for text, _ in lines], "#ffffff")
    assert len(painted) == 1
    legend.show(viewer, [(f"{text}a", "#e69f00") for text, _ in lines], "#ffffff")
    seen(viewer)
    assert len(painted) == 1


def test_chips_that_come_and_go_stand_below_each_other(viewer) -> None:
    legend = Legend()
    lines = list(COLOURS.items())
    legend.show(viewer, lines, "#ffffff")
    first = rows(viewer)
    assert np.isfinite(first).all() and (np.diff(first) > 8).all()
    legend.show(viewer, lines[1:2], "#ffffff")
    fewer = rows(viewer)
    assert np.isnan(fewer[0]) and np.isnan(fewer[2]) and fewer[1] == pytest.approx(first[0], abs=1)
    legend.show(viewer, [], "#ffffff")
    assert np.isnan(rows(viewer)).all()
    legend.show(viewer, lines, "#ffffff")
    np.testing.assert_allclose(rows(viewer), first, atol=1)
    viewer.canvas.overlays[KEY].visible = False  # napari's own switch
    assert np.isnan(rows(viewer)).all()


def test_other_texts_of_the_corner_keep_their_place(viewer) -> None:
    from napari.components.overlays import TextOverlay

    Legend().show(viewer, [("1", "#ff0000")], "#ffffff")
    alone = rows(viewer)[0]
    viewer.canvas.overlay_tiling.top_right = "vertical"
    viewer.canvas.overlays["theirs"] = TextOverlay(text="theirs", position="top_right", visible=True, box=False)
    seen(viewer)
    visuals = viewer.window._qt_viewer.canvas._viewer_overlay_to_visual
    ours, theirs = (visuals[viewer.canvas.overlays[key]][0] for key in (KEY, "theirs"))
    upper, lower = sorted((one.node.transform.translate[1], one.y_size) for one in (ours, theirs))
    assert upper[0] + upper[1] < lower[0]
    del viewer.canvas.overlays["theirs"]
    assert rows(viewer)[0] == pytest.approx(alone, abs=1)


def test_long_texts_are_elided_and_a_finer_screen_gets_finer_chips(viewer) -> None:
    line = ("a named group of forty characters or more", "#ff0000", "#ffffff")
    one, two = (legend_visual.paint([line], 8, scale) for scale in (1.0, 2.0))
    assert one.shape[1] <= legend_visual.WIDEST
    assert two.shape[:2] == (2 * one.shape[0], 2 * one.shape[1])
    assert (one[one.shape[0] // 2, 2] == [255, 0, 0, 255]).all() and one[0, 0, 3] < 255  # a chip with round corners
    assert legend_visual.paint([], 8).shape == (1, 1, 4)


def test_a_napari_that_cannot_be_told_shows_the_texts(viewer, monkeypatch) -> None:
    from napari._vispy.overlays.text import VispyTextOverlay

    monkeypatch.setattr(legend_visual, "overlay_to_visual", {})
    monkeypatch.setattr("napari._vispy.utils.visual.overlay_to_visual", _without_ours())
    Legend().show(viewer, [("1", "#ff0000"), ("plain", "")], "#ffffff")
    (drawn,) = viewer.window._qt_viewer.canvas._viewer_overlay_to_visual[viewer.canvas.overlays[KEY]]
    assert isinstance(drawn, VispyTextOverlay) and drawn.node.text == "1\nplain"


def _without_ours() -> dict:
    from napari._vispy.utils.visual import overlay_to_visual

    return {k: v for k, v in overlay_to_visual.items() if v is not legend_visual.VispyLegend}
