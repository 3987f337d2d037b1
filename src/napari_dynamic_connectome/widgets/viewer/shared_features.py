"""What the rest of napari sees of the neurons: features of the Points and Labels layers, and the selection, both ways."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...display.features import neuron_features

if TYPE_CHECKING:
    from ...display.scene import Drawn
    from ..workspace.workspace import Workspace


class SharedFeatures:
    """Keeps features and selection of the layers in step with the session.

    Parameters
    ----------
    work : Workspace
    """

    def __init__(self, work: Workspace) -> None:
        self._work = weakref.ref(work)
        self._busy = False
        self._ids: tuple[str, ...] = ()
        self._labels: dict[int, str] = {}
        self._watched: list[tuple[weakref.ref[Any], Any, Any]] = []
        self._table: pd.DataFrame | None = None
        self._selected: tuple[Any, int] | None = None
        """The Labels layer and the label that it had selected: napari says "selected" whenever its colours change, too."""

    def share(self, points: Any | None, labels: Any | None, drawn: Drawn) -> None:
        """Give the layers the features of what is drawn, and select what is chosen in the session.

        Parameters
        ----------
        points, labels : napari layer or None
        drawn : Drawn
        """
        work = self._work()
        if work is None:
            return
        table = neuron_features(work.session)
        if table is None or len(table) != len(drawn.ids):
            return
        new = self._table is None or (table is not self._table and not table.equals(self._table))
        self._table = table
        self._ids = tuple(np.array(drawn.ids, dtype=object)[drawn.shown])
        self._labels = dict(zip(drawn.labels.tolist(), drawn.ids, strict=True))
        chosen = set(work.session.selection.neurons)
        self._busy = True
        try:
            if points is not None:
                if new or len(points.features.columns) == 0:
                    _give(points, table if drawn.shown.all() else table[drawn.shown].reset_index(drop=True))
                self._watch(points, points.selected_data.events.items_changed, SharedFeatures._points_selected)
                wanted = {i for i, n in enumerate(self._ids) if n in chosen}
                if set(points.selected_data) != wanted:
                    points.selected_data = wanted
            if labels is not None:
                if new or len(labels.features.columns) == 0:
                    _give(labels, table.rename(columns={"label": "index"}))
                if self._selected is None or self._selected[0]() is not labels:
                    self._selected = (weakref.ref(labels), int(labels.selected_label))
                self._watch(labels, labels.events.selected_label, SharedFeatures._label_selected)
        finally:
            self._busy = False

    def close(self) -> None:
        """Let go of the layers."""
        for reference, event, slot in self._watched:
            if reference() is not None:
                event.disconnect(slot)
        self._watched.clear()

    def _watch(self, layer: Any, event: Any, selected: Callable[[SharedFeatures, Any], None]) -> None:
        """Connect to a layer once; the layer must not keep the workspace alive."""
        self._watched = [one for one in self._watched if one[0]() is not None]
        if any(one[0]() is layer for one in self._watched):
            return
        me, source = weakref.ref(self), weakref.ref(layer)

        def slot(*_: Any) -> None:
            found, one = me(), source()
            if found is not None and one is not None and not found._busy:
                selected(found, one)

        event.connect(slot)
        self._watched.append((source, event, slot))

    def _points_selected(self, layer: Any) -> None:
        places = sorted(int(i) for i in layer.selected_data)
        if len(layer.data) == len(self._ids):
            self._choose(tuple(self._ids[i] for i in places if i < len(self._ids)))

    def _label_selected(self, layer: Any) -> None:
        before, self._selected = self._selected, (weakref.ref(layer), int(layer.selected_label))
        if before is not None and before[0]() is layer and before[1] == self._selected[1]:
            return
        neuron = self._labels.get(int(layer.selected_label))
        if neuron is not None:
            self._choose((neuron,))

    def _choose(self, neurons: tuple[str, ...]) -> None:
        work = self._work()
        if work is not None and set(neurons) != set(work.session.selection.neurons):
            work.session.select(neurons=neurons)


def _give(layer: Any, table: pd.DataFrame) -> None:
    """Give a layer features; where only some columns differ these are set, which spares napari its checks of the others."""
    held = layer.features
    by_features = any(
        str(getattr(layer, name, "direct")) != "direct" for name in ("face_color_mode", "border_color_mode")
    )
    same_columns = len(held) == len(table) and list(held.columns) == list(table.columns)
    if by_features or not same_columns or not held.dtypes.equals(table.dtypes):
        layer.features = table
        return
    changed = {
        name: new.array
        for (name, new), (_, old) in zip(table.items(), held.items(), strict=True)
        if not old.array.equals(new.array)
    }
    if "index" in changed:  # napari finds labels by it
        layer.features = table
        return
    for name, values in changed.items():
        held[name] = values.copy()
    if hasattr(layer, "refresh_text"):
        layer.refresh_text()
    layer.events.properties()
    layer.events.features()
