"""A connectome is drawn at the neurons' places."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.display.connectome import connectome_layers
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.simulation.positions import atlas_positions

EDGES = pd.DataFrame(
    [("AVAL", "AVAR", "electrical", 4.0), ("AVAL", "AVBL", "chemical", 9.0), ("AVBL", "AVBL", "chemical", 1.0), ("AVAR", "MDL05", "chemical", 2.0)],
    columns=["pre", "post", "type", "synapses"],
)  # fmt: skip


def test_connections_go_from_place_to_place() -> None:
    (lines, about, kind), (points, cells, _) = connectome_layers(EDGES, "white")
    places = dict(zip(("AVAL", "AVAR", "AVBL"), atlas_positions(["AVAL", "AVAR", "AVBL"]), strict=True))
    assert kind == "vectors" and about["units"] == ("um",) * 3
    assert about["features"]["post"].tolist() == ["AVAR", "AVBL"]  # no muscle, no connection to itself
    np.testing.assert_allclose(lines[:, 0], [places["AVAL"]] * 2)
    np.testing.assert_allclose(lines.sum(axis=1), [places["AVAR"], places["AVBL"]])
    assert cells["features"]["name"].tolist() == ["AVAL", "AVAR", "AVBL"]
    assert points.shape == (3, 3)


def test_measured_places_of_a_recording_come_first() -> None:
    worm = Recording.from_arrays(
        np.ones((3, 2)), name="w", rate_hz=1, names=["AVAL", "AVAR"], positions_um=np.array([[1.0, 2, 3], [4, 6, 9]])
    )
    (lines, about, _), _ = connectome_layers(EDGES, "white", worm)
    np.testing.assert_array_equal(lines, [[[1, 2, 3], [3, 4, 6]]])
    assert about["features"]["synapses"].tolist() == [4.0]


def test_layers_are_what_napari_takes() -> None:
    components = pytest.importorskip("napari.components")
    viewer = components.ViewerModel()
    for edges in (EDGES, EDGES[EDGES["post"] == "MDL05"]):
        for data, options, kind in connectome_layers(edges, "c"):
            getattr(viewer, f"add_{kind}")(data, **options)
    assert [len(layer.data) for layer in viewer.layers] == [2, 3, 0, 0]
