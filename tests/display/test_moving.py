"""Positions in a moving worm are the centres of each frame's own labels."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_dynamic_connectome.display.moving import MovingPlaces, label_centres


def test_centres_are_those_of_scipy() -> None:
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 9, (6, 30, 40)).astype(np.uint16) * (rng.random((6, 30, 40)) < 0.2)
    labels = np.array([7, 2, 99, 5])
    found = label_centres(frame.astype(np.uint16), labels)
    for row, label in zip(found, labels, strict=True):
        if label == 99:
            assert np.isnan(row).all()
        else:
            np.testing.assert_allclose(row, ndimage.center_of_mass(frame == label))


def test_an_empty_frame_has_no_places() -> None:
    assert np.isnan(label_centres(np.zeros((2, 3, 4), np.uint8), np.array([1, 2]))).all()


def test_places_follow_the_frames_and_are_micrometres() -> None:
    data = np.zeros((3, 4, 10, 20), np.uint16)
    for t in range(3):
        data[t, 1, 5, 2 + 4 * t] = 3
    places = MovingPlaces(data, np.array([3]), np.array([2.0, 0.5, 0.25]), np.zeros(3))
    np.testing.assert_allclose(
        [places.compute(t)[0] for t in range(3)], [[2, 2.5, 0.25 * (2 + 4 * t)] for t in range(3)]
    )
    assert sorted(places.known) == [0, 1, 2]
