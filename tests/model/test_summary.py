"""Results show themselves in a few lines: everything that is counted in them, none of their numbers by the thousand."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from tests.widgets.helpers import cohort, communities, components

import napari_dynamic_connectome as ndc
from napari_dynamic_connectome.communities.find import find_communities
from napari_dynamic_connectome.model.results import RankSweep
from napari_dynamic_connectome.model.summary import WIDTH, Summary, brief, listed
from napari_dynamic_connectome.pipeline.run import AnalysisResult


@dataclass(frozen=True, eq=False, repr=False)
class Some(Summary):
    values: np.ndarray
    table: pd.DataFrame
    traces: xr.DataArray
    names: tuple[str, ...]
    nothing: str = ""


def test_a_field_is_a_line_and_what_is_empty_none() -> None:
    traces = xr.DataArray(np.zeros((3, 2)), dims=("time", "neuron"))
    one = Some(np.zeros((4000, 300)), pd.DataFrame({"a": [1, 2], "b": [3, 4]}), traces, tuple(map(str, range(80))))
    assert repr(one).splitlines() == [
        "<Some>",
        "  values   array (4000, 300) float64",
        "  table    table, 2 x a, b",
        "  traces   array (time 3, neuron 2)",
        "  names    0, 1, 2, 3, 4, ... (80)",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": np.zeros(9), "b": 1}, "a, b"),
        (pd.Series([1, 2]), "2 values"),
        (xr.Dataset({"x": ("t", [1])}), "arrays x"),
        ([np.zeros(2)] * 3, "3 of ndarray"),
        (0.5, "0.5"),
        (None, "None"),
    ],
)
def test_values_in_a_few_words(value, text) -> None:
    assert brief(value) == text


def test_six_names_are_all_named() -> None:
    assert listed(list("abcdef")) == "a, b, c, d, e, f"
    assert listed(list("abcdefg")) == "a, b, c, d, e, ... (7)"


def test_results_say_what_was_found() -> None:
    worms = cohort()
    parts, groups = components(worms), communities(worms)
    text = repr(groups)
    for community in groups.sizes().index:
        for name in groups.members(int(community)):
            assert name in text
    assert "not compared with chance" in text
    assert f"{parts.rank}, {parts.model}" in repr(parts)
    assert parts.leading(1).index[0] in repr(parts)
    assert f"of {len(worms.worms)} worms" in repr(worms)
    sweep = RankSweep(pd.DataFrame({"rank": [1, 2]}), 2, "two are beyond chance", {2: parts})
    affinity = ndc.compute_affinity(worms)
    result = AnalysisResult(affinity, sweep, parts, {(1, "core"): groups}, provenance=None)
    assert "two are beyond chance" in repr(result)
    for one in (worms, parts, groups, sweep, affinity, affinity.blocks[0], result):
        lines = repr(one).splitlines()
        assert len(lines) < 25
        assert max(map(len, lines)) <= WIDTH + 2


def test_no_public_result_shows_its_arrays() -> None:
    large = ("Array", "ndarray", "DataFrame", "DataArray", "Dataset")
    for name in ndc.__all__:
        one = getattr(ndc, name)
        if isinstance(one, type) and is_dataclass(one) and any(w in str(f.type) for f in fields(one) for w in large):
            assert issubclass(one, Summary) or "__repr__" in vars(one), name
            assert not one.__dataclass_params__.repr or name == "Recording", name


def test_a_component_alone_claims_nothing() -> None:
    parts = components(cohort())
    for found in (
        find_communities(parts, component=1, samples=0, starts=1),
        find_communities(parts.matrix(1), samples=0, starts=1),
    ):
        assert found.answer.startswith("Not compared with chance")
        assert found.table()["p_value"].isna().all()
        assert set(found.states()) <= {"unsure", "background", "not observed"}
    asked = find_communities(parts, component=1, samples=0, starts=1, null_fits=19)
    assert "said of this graph" in asked.answer
    assert set(asked.states()) & {"member", "background"}
