"""What results say about themselves."""

from __future__ import annotations

import numpy as np
import xarray as xr

from napari_dynamic_connectome.model.results import Communities


def test_members_come_surest_first_and_the_unknown_last() -> None:
    coords = {"level": [0], "neuron": np.array(["AVAL", "AVAR", "RIML", "AIBL", "ASEL"], dtype=object)}
    labels = xr.DataArray([[0, 0, 1, 0, -1]], dims=("level", "neuron"), coords=coords)
    sure = xr.DataArray([[0.4, 0.9, 0.8, np.nan, 0.7]], dims=("level", "neuron"), coords=coords)
    found = Communities(labels=labels, chosen_level=0, probability=sure)
    assert found.members(0) == ["AVAR", "AVAL", "AIBL"]
    assert found.members(1) == ["RIML"]
    assert found.members(7) == []
    assert found.sizes().to_dict() == {0: 3, 1: 1}


def test_a_community_has_the_parent_that_holds_it_and_the_last_level_none() -> None:
    coords = {"level": [0, 1, 2], "neuron": np.array(["AVAL", "AVAR", "RIML", "AIBL", "ASEL"], dtype=object)}
    rows = [[0, 1, 2, 2, -1], [0, 0, 1, 1, -1], [0, 0, 0, 0, -1]]
    labels = xr.DataArray(rows, dims=("level", "neuron"), coords=coords)
    found = Communities(labels=labels, chosen_level=0, probability=labels * 0.0 + 0.9)
    assert found.parents(0) == {0: 0, 1: 0, 2: 1}
    assert found.parents(1) == {0: 0, 1: 0}
    assert found.parents(2) == found.parents(3) == found.parents(-1) == {}
