"""Results that say what speaks for them: neurons ranked by coverage, communities with their state and claims."""

import numpy as np
import pandas as pd
import xarray as xr

from napari_dynamic_connectome.model.results import Communities, Components


def _components(pair: list[float], worms: list[int]) -> Components:
    names = ["AVAL", "AVAR", "RIML", "RIMR"]
    a, b = np.triu_indices(4, 1)
    along = {
        "neuron_a": ("pair", [names[i] for i in a]),
        "neuron_b": ("pair", [names[i] for i in b]),
        "sign": ("pair", ["any"] * 6),
    }
    number = {"component": [1]}
    return Components(
        model="unaligned",
        time=xr.DataArray(
            np.ones((3, 1)),
            dims=("sample", "component"),
            coords={"worm": ("sample", ["w"] * 3), "time": ("sample", [0, 1, 2])} | number,
        ),
        worm=xr.DataArray(np.ones((1, 1)), dims=("worm", "component"), coords={"worm": ["w"]} | number),
        pair=xr.DataArray(np.array(pair)[:, None], dims=("pair", "component"), coords=along | number),
        weight=xr.DataArray([1.0], dims=("component",), coords=number),
        neurons=tuple(names),
        pair_worms=xr.DataArray(worms, dims=("pair",), coords=along),
        error=0.5,
    )


def test_a_neuron_of_one_worm_does_not_lead_one_of_many_worms_that_is_nearly_as_strong():
    # RIMR has the strongest pairs, but one worm shows it; AVAL and AVAR are seen in eight
    found = _components([0.6, 0.2, 0.52, 0.2, 0.52, 0.3], [8, 8, 1, 8, 1, 1]).leading(1)
    assert found["strength"].idxmax() == "RIMR"
    assert found.index[0] in ("AVAL", "AVAR")
    assert found.loc["RIMR", "worms"] == 1 and found.loc["AVAL", "worms"] == 8


def test_a_neuron_without_an_observed_pair_does_not_lead():
    found = _components([0.5, 0.2, np.nan, 0.2, np.nan, np.nan], [2, 2, 0, 2, 0, 0]).leading(1)
    assert "RIMR" not in found.index and len(found) == 3


def test_the_table_of_communities_says_what_speaks_for_each_and_leaves_the_background_out():
    names = ["a", "b", "c", "d", "e"]
    labels = xr.DataArray([[0, 0, 0, -1, -1]], dims=("level", "neuron"), coords={"level": [0], "neuron": names})
    state = labels.copy(data=np.array([["member", "unsure", "overlapping", "background", "background"]], dtype=object))
    claims = pd.DataFrame(
        {
            "p_value": [0.001],
            "q_value": [0.004],
            "inside": [3.0],
            "outside": [1.0],
            "ratio": [3.0],
            "ratio_low": [2.0],
            "ratio_high": [4.0],
        },
        index=pd.Index([0], name="community"),
    )
    found = Communities(labels, 0, labels.astype(float), state=state, claims=claims)
    (row,) = found.table().to_dict("records")
    assert (row["q_value"], row["ratio"], row["unsure"], row["overlapping"], row["size"]) == (0.004, 3.0, 1, 1, 3)
    assert found.states().tolist() == ["member", "unsure", "overlapping", "background", "background"]


def test_communities_that_were_not_tested_have_two_states():
    labels = xr.DataArray([[0, 0, -1]], dims=("level", "neuron"), coords={"level": [0], "neuron": ["a", "b", "c"]})
    assert Communities(labels, 0, labels.astype(float)).states().tolist() == ["member", "member", "background"]
