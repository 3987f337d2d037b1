"""Labels that are edited by hand: which ids changed since their traces were extracted, and which are new."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
from qtpy.QtCore import QTimer

REST_MS = 150
MOST_BYTES = 256 << 20
"""Labels up to this size are kept as they were, to tell what an undo took back."""


class LabelEdits:
    """Watches one layer of labels.

    Parameters
    ----------
    layer : napari Labels layer
        Not kept alive.
    changed : callable
        Called with the ids that differ from how the labels were at first, when the painting rests.
    seen : callable
        Called at once when an id is painted or chosen for painting.
    before : ndarray, optional
        The labels as they were at first, if that was not just now.
    """

    def __init__(
        self,
        layer: Any,
        changed: Callable[[set[int]], None],
        seen: Callable[[], None],
        before: np.ndarray | None = None,
    ) -> None:
        self._layer = weakref.ref(layer)
        self._changed, self._seen = changed, seen
        self.touched: set[int] = set()
        self.chosen: set[int] = set()
        """Ids that were chosen for painting."""
        self._before = before if before is not None else kept_copy(layer.data)
        self._edited = False
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST_MS)
        self._timer.timeout.connect(self.look)
        self._events = (
            (layer.events.paint, self._painted),
            (layer.events.set_data, self._drawn),
            (layer.events.data, self._replaced),
            (layer.events.selected_label, self._picked),
        )
        for event, slot in self._events:
            event.connect(slot)

    def close(self) -> None:
        """Stop watching."""
        self._timer.stop()
        for event, slot in self._events:
            event.disconnect(slot)

    def _painted(self, event: Any) -> None:
        self._edited = True
        for atom in event.value:
            old, new = (atom.old_values, atom.new_value) if hasattr(atom, "new_value") else atom[1:]
            self.touched |= {int(i) for part in (old, new) for i in np.unique(np.asarray(part))} - {0}
        self._seen()
        self._timer.start()

    def _replaced(self, *_: Any) -> None:
        self._edited = True
        self._timer.start()

    def _drawn(self, *_: Any) -> None:
        if self._edited:  # an undo says nothing else
            self._timer.start()

    def _picked(self, *_: Any) -> None:
        layer = self._layer()
        if layer is not None and int(layer.selected_label) > 0 and int(layer.selected_label) not in self.chosen:
            self.chosen.add(int(layer.selected_label))
            self._seen()

    def look(self) -> None:
        """Compare the labels with how they were."""
        layer = self._layer()
        if layer is None:
            return
        before = self._before
        if before is not None and isinstance(layer.data, np.ndarray) and layer.data.shape == before.shape:
            differs = before != layer.data
            self.touched = {int(i) for part in (before, layer.data) for i in np.unique(part[differs])} - {0}
        self._changed(self.touched)


def kept_copy(data: Any) -> np.ndarray | None:
    """Return a copy of labels as they are; None for those that are too large, of every frame, or not in memory."""
    small = isinstance(data, np.ndarray) and data.nbytes <= MOST_BYTES and data.ndim <= 3
    return data.copy() if small else None
