"""Frames of a movie: times and camera angles, computed before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Movement = Literal["time", "turn", "both"]


@dataclass(frozen=True)
class Frame:
    """One frame: the time to show (None = as it is) and how far the camera has turned (degrees)."""

    time_s: float | None
    turn: float


def movie_frames(
    movement: Movement, seconds: float, fps: int, time_s: np.ndarray, *, turn: float = 360.0
) -> list[Frame]:
    """Return the frames of a movie; a full turn ends one step before it began, so that the movie loops."""
    count = max(round(seconds * fps), 1)
    times = (
        np.linspace(time_s[0], time_s[-1], count) if movement in ("time", "both") and len(time_s) else [None] * count
    )
    angles = np.arange(count) * turn / count if movement in ("turn", "both") else np.zeros(count)
    return [Frame(None if t is None else float(t), float(a)) for t, a in zip(times, angles, strict=True)]
