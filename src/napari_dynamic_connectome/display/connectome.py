"""A connectome as napari layer data: its neurons at their places, its connections as lines between them. No napari, no Qt.

In: a table of edges, and the positions of a recording where there is one. Out: a vectors and a points layer in micrometres.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..io.wiring import SYNAPSES, weight_column
from ..model.neurons import CANONICAL, is_canonical
from ..model.recording import Recording

LayerData = tuple[Any, dict[str, Any], str]
COLOURS = {"chemical": "#e8a33d", "electrical": "#56b4e9"}
OTHER = "#9a9a9a"


def connectome_layers(edges: pd.DataFrame, name: str, recording: Recording | None = None) -> list[LayerData]:
    """Return the layers of a connectome.

    Parameters
    ----------
    edges : pandas.DataFrame
        pre, post, type, and synapses or weight; see `io.formats.connectome.read_connectome`. Cells that are no neurons (muscles) are left out.
    name : str
        Of the layers.
    recording : Recording, optional
        Where its named neurons have positions, the connections of these neurons are drawn there; otherwise all neurons are
        at their schematic places, by ganglion.

    Returns
    -------
    list of (data, dict, str)
        "vectors" with the features pre, post, type and synapses (or weight), and "points" with name.
    """
    places = _places(edges, recording)
    kept = edges[edges["pre"].isin(places) & edges["post"].isin(places) & (edges["pre"] != edges["post"])]
    start = np.array([places[n] for n in kept["pre"]]).reshape(-1, 3)
    stop = np.array([places[n] for n in kept["post"]]).reshape(-1, 3)
    column = weight_column(edges)
    weight = np.abs(kept[column].to_numpy(float))
    largest = float(weight.max(initial=0.0))
    # numbers of synapses below one have no thicker lines than one synapse; other quantities have a scale of their own
    top = max(largest, 1.0) if column == SYNAPSES else (largest or 1.0)
    width = 0.1 + 0.5 * np.sqrt(weight / top)
    names = sorted(set(kept["pre"]) | set(kept["post"]))
    common: dict[str, Any] = {"units": ("um", "um", "um"), "metadata": {"dynamic_connectome": {"connectome": edges}}}
    lines = {
        "name": f"{name} connections",
        "features": kept[["pre", "post", "type", column]].reset_index(drop=True),
        "edge_color": [COLOURS.get(t, OTHER) for t in kept["type"]] or "white",
        "edge_width": float(np.median(width)) if len(width) else 0.3,
        "vector_style": "line",
        "opacity": 0.4,
    }
    cells = {"name": f"{name} neurons", "features": pd.DataFrame({"name": names}), "size": 2.0, "face_color": "#c8c8c8"}
    points = np.array([places[n] for n in names]).reshape(-1, 3)
    return [(np.stack([start, stop - start], axis=1), lines | common, "vectors"), (points, cells | common, "points")]


def _places(edges: pd.DataFrame, recording: Recording | None) -> dict[str, np.ndarray]:
    """Return the place of every neuron of the connectome that can be drawn."""
    from ..simulation.positions import atlas_positions

    neurons = [n for n in sorted(set(edges["pre"]) | set(edges["post"])) if is_canonical(n)]
    if recording is not None:
        found = {
            str(name): place
            for name, place in zip(recording.neurons["name"], recording.positions_um, strict=True)
            if str(name) in CANONICAL and np.isfinite(place).all()
        }
        if found.keys() & set(neurons):
            return {n: found[n] for n in neurons if n in found}
    if not neurons:
        return {}
    return dict(zip(neurons, atlas_positions(neurons), strict=True))
