"""Positions of neurons in a frame, computed in a thread, one frame at a time, and only the last one asked for."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from ...display.moving import MovingPlaces


class _Bell(QObject):
    """Carries the news to the GUI thread."""

    arrived = Signal(object, int)


class Follower:
    """Asks for frames in the background.

    Parameters
    ----------
    arrived : bound method (places, frame)
        Called on the GUI thread once a frame's positions are known; not kept alive by this object.
    """

    def __init__(self, arrived: Callable[[MovingPlaces, int], None]) -> None:
        self._arrived = weakref.WeakMethod(arrived)
        self._bell = _Bell()
        self._bell.arrived.connect(self._ring)
        self._wanted: tuple[MovingPlaces, int] | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self.closed = False

    def ask(self, places: MovingPlaces, frame: int) -> None:
        """Ask for a frame; an earlier wish that was not begun is forgotten."""
        with self._lock:
            if self.closed:
                return
            self._wanted = (places, frame)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="dynamic-connectome-follow", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            with self._lock:
                wanted, self._wanted = self._wanted, None
                if wanted is None or self.closed:
                    self._thread = None
                    return
            places, frame = wanted
            try:
                places.compute(frame)
            except Exception:  # a file that went away: the neurons stay where they were
                with self._lock:
                    self._thread = None
                return
            if not self.closed:
                self._bell.arrived.emit(places, frame)

    def _ring(self, places: Any, frame: int) -> None:
        arrived = self._arrived()
        if arrived is not None and not self.closed:
            arrived(places, frame)

    def close(self) -> None:
        """Forget what is wanted and wait for the frame that is being read."""
        with self._lock:
            self.closed, self._wanted = True, None
            thread = self._thread
        if thread is not None:
            thread.join(5.0)


def frame_of(times_s: np.ndarray, time_s: float, layer: Any, frames: int) -> int:
    """Frame of a 4D labels layer at a time (s): the nearest of the recording's times, or by the layer's own scale."""
    if frames == len(times_s):
        return int(np.argmin(np.abs(times_s - time_s)))
    return int(np.clip(round((time_s - layer.translate[0]) / layer.scale[0]), 0, frames - 1))
