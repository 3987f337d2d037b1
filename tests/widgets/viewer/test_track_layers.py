"""Tracks layers of other plugins become centres where they are seen."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dynamic_connectome import InputError
from napari_dynamic_connectome.widgets.viewer.track_layers import centres_of_tracks

ROWS = np.array([[0, 0, 1, 4, 5], [0, 1, 1, 4, 6], [3, 1, 2, 8, 8]], float)


def layers(rows, scale, image_scale=(0.5, 2.0, 0.5, 0.5), **more):
    from napari.layers import Image, Tracks

    tracks = Tracks(rows, scale=scale, name="tracked", **more)
    return tracks, Image(np.zeros((3, 4, 16, 16), np.uint8), scale=image_scale)


def test_tracks_of_the_scale_of_the_image_are_its_voxels() -> None:
    table = centres_of_tracks(*layers(ROWS, (0.5, 2.0, 0.5, 0.5)))
    np.testing.assert_allclose(table[["frame", "z", "y", "x"]], ROWS[:, 1:])
    assert table["id"].tolist() == [1, 1, 4]  # labels count from 1


def test_tracks_in_micrometres_and_seconds_are_where_they_are_seen() -> None:
    rows = ROWS * [1, 0.5, 2.0, 0.5, 0.5]
    np.testing.assert_allclose(centres_of_tracks(*layers(rows, (1, 1, 1, 1)))[["frame", "z", "y", "x"]], ROWS[:, 1:])


def test_other_times_and_divisions_are_refused() -> None:
    with pytest.raises(InputError, match="no frames of the image"):
        centres_of_tracks(*layers(ROWS, (1, 1, 1, 1), image_scale=(0.7, 2, 0.5, 0.5)))
    with pytest.raises(InputError, match="divides"):
        centres_of_tracks(*layers(ROWS, (0.5, 2, 0.5, 0.5), graph={3: [0]}))
