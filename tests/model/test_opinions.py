"""Agreement of groupings against scikit-learn on the neurons that both place, and what is said about it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.opinions import BaselinePanel, SignedComparison


@pytest.fixture
def panel() -> BaselinePanel:
    partitions = pd.DataFrame(
        {
            "main": [0, 0, 0, 1, 1, 1, -1, 2],
            "other": [0, 0, 1, 1, 2, 2, 0, -1],
            "like main": [1, 1, 1, 0, 0, 0, 0, -1],
            "one neuron": [-1, -1, -1, -1, -1, -1, -1, 0],
            "two neurons": [3, 3, -1, -1, -1, -1, -1, -1],
        },
        index=list("ABCDEFGH"),
    )
    return BaselinePanel(partitions, ("main",), {})


@pytest.mark.parametrize(("measure", "score"), [("ari", adjusted_rand_score), ("ami", adjusted_mutual_info_score)])
def test_agreement_is_over_neurons_that_both_place(panel: BaselinePanel, measure, score) -> None:
    table = panel.agreement(measure)
    for a in panel.partitions:
        for b in panel.partitions:
            one, two = panel.partitions[a].to_numpy(), panel.partitions[b].to_numpy()
            both = (one != -1) & (two != -1)
            expected = score(one[both], two[both]) if both.sum() > 1 else np.nan
            np.testing.assert_allclose(table.loc[a, b], expected)
    assert table.loc["two neurons", "two neurons"] == 1.0 and np.isnan(table.loc["one neuron", "main"])
    with pytest.raises(InputError, match="no measure 'rand'"):
        panel.agreement("rand")


def test_the_method_most_alike_is_named(panel: BaselinePanel) -> None:
    assert panel.verdict() == "Most alike: like main and main, adjusted Rand index 1.00."
    part = panel.partitions
    assert BaselinePanel(part, (), {}).verdict() == "There is no result to compare with."
    assert BaselinePanel(part[["main"]], ("main",), {}).verdict() == "There is no result to compare with."
    alone = BaselinePanel(part[["main", "one neuron"]], ("main",), {})
    assert alone.verdict() == "No method places the same neurons."


def test_the_table_has_a_row_a_method_and_its_agreement_with_each_main_result(panel: BaselinePanel) -> None:
    two = BaselinePanel(panel.partitions, ("main", "like main"), {})
    table = two.table().set_index("method")
    assert table.index.tolist() == ["other", "one neuron", "two neurons"]
    assert table["groups"].tolist() == [3, 1, 1] and table["neurons"].tolist() == [7, 1, 2]
    for measure in ("ari", "ami"):
        for main in ("main", "like main"):
            np.testing.assert_allclose(
                table[f"{measure.upper()} with {main}"], two.agreement(measure).loc[table.index, main]
            )


def test_what_non_negative_loadings_lose_is_said_in_points() -> None:
    comparison = SignedComparison(SimpleNamespace(rank=4), SimpleNamespace(), 0.5125, 0.42)  # type: ignore[arg-type]
    assert comparison.line == (
        "At rank 4, signed loadings explain 51.2% of the net affinity (same minus opposite), "
        "non-negative ones 42.0%: non-negativity loses 9.2 points."
    )
