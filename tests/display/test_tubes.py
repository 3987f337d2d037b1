"""Tubes that draw lines."""

from __future__ import annotations

import numpy as np

from napari_dynamic_connectome.display.tubes import tubes


def test_tubes_lie_at_their_radius() -> None:
    vertices, faces, line = tubes(np.array([[0.0, 0, 0], [1, 1, 1]]), np.array([[0.0, 0, 5], [1, 1, 1]]), 0.5)
    assert set(line) == {0}  # the second has no length
    np.testing.assert_allclose(np.hypot(vertices[:, 0], vertices[:, 1]), 0.5)
    assert faces.max() < len(vertices)
