"""Direction, symmetry and names of the connectome that the prior uses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from napari_dynamic_connectome.states.settings import StatesSettings
from napari_dynamic_connectome.states.structure import structure_matrix

NEURONS = ("AVAL", "AVAR", "RIML")
EDGES = pd.DataFrame(
    [
        ("AVAL", "AVAR", "chemical", 4.0),
        ("AVAL", "AVAR", "electrical", 2.0),
        ("RIML", "AVAL", "chemical", 3.0),
        ("RIML", "MDL01", "chemical", 9.0),
        ("AVAR", "AVAR", "chemical", 5.0),
    ],
    columns=["pre", "post", "type", "synapses"],
)


def test_rows_are_post_columns_pre_and_autapses_and_others_are_left_out():
    found = structure_matrix(EDGES, NEURONS, StatesSettings())
    wanted = np.zeros((3, 3))
    wanted[1, 0] = 4.0 + 2.0
    wanted[0, 1] = 2.0  # the gap junction has no direction
    wanted[0, 2] = 3.0
    np.testing.assert_array_equal(found, wanted)


def test_kinds_and_directions():
    only = structure_matrix(EDGES, NEURONS, StatesSettings(synapses="electrical"))
    np.testing.assert_array_equal(only[:2, :2], [[0, 2], [2, 0]])
    both = structure_matrix(EDGES, NEURONS, StatesSettings(direction="undirected"))
    np.testing.assert_array_equal(both, both.T)
    assert both[0, 1] == (4.0 + 2.0 + 2.0) / 2


def test_a_matrix_says_the_same_as_its_table_in_any_order():
    order = ["RIML", "AVAR", "AVAL", "MDL01"]
    values = pd.DataFrame(0.0, index=order, columns=order[::-1])
    for row in EDGES[EDGES["type"] == "chemical"].itertuples():
        values.loc[row.post, row.pre] += row.synapses
    array = xr.DataArray(values.to_numpy(), dims=("post", "pre"), coords={"post": order, "pre": order[::-1]})
    wanted = structure_matrix(EDGES, NEURONS, StatesSettings(synapses="chemical"))
    np.testing.assert_array_equal(structure_matrix(values, NEURONS, StatesSettings()), wanted)
    np.testing.assert_array_equal(structure_matrix(array, NEURONS, StatesSettings()), wanted)


def test_merged_pairs_add_up():
    names = ("AVA", "RIM")
    found = structure_matrix(EDGES, names, StatesSettings(), merged=True)
    np.testing.assert_array_equal(found, [[0.0, 3.0], [0.0, 0.0]])
