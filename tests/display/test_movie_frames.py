"""Frames of a movie."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dynamic_connectome.display.movie_frames import movie_frames


def test_a_turning_movie_loops() -> None:
    frames = movie_frames("turn", 2, 10, np.arange(5.0))
    assert len(frames) == 20
    steps = np.diff([f.turn for f in frames])
    assert frames[-1].turn + steps[0] == pytest.approx(360)
    assert all(f.time_s is None for f in frames)
