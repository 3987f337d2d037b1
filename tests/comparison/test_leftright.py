"""The left/right control: significant where pairs are together, not where they are shuffled."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from napari_dynamic_connectome.comparison.leftright import left_right_report

from .conftest import NEURONS

N = len(NEURONS)


def paired_matrix(rng: np.random.Generator, bonus: float) -> np.ndarray:
    matrix = rng.random((N, N))
    matrix = matrix + matrix.T
    for i in range(0, 10, 2):
        matrix[i, i + 1] += bonus
        matrix[i + 1, i] += bonus
    np.fill_diagonal(matrix, 0.0)
    return matrix


def test_pairs_that_are_together(make_components, make_communities) -> None:
    rng = np.random.default_rng(0)
    components = make_components([paired_matrix(rng, 3.0), paired_matrix(rng, 0.0)], np.ones((10, 2)))
    communities = {
        1: make_communities([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, -1, -1]),
        2: make_communities([0, 1] * 5 + [-1, 0]),
    }
    table = left_right_report(components, communities).set_index("component")
    assert list(table.index) == ["all", "1", "2"]
    strong, weak = table.loc["1"], table.loc["2"]
    assert strong["pairs"] == 5 and strong["percentile"] > 0.9 and strong["strength_ratio"] > 1.5
    # Five pairs can be matched in 120 ways, so that no p value is far below 1/120.
    assert strong["p_percentile"] < 0.03 and strong["p_strength"] < 0.03 and strong["p_together"] < 0.03
    assert strong["together"] == 1.0 and strong["together_chance"] == pytest.approx(0.2, abs=0.05)
    assert weak["together"] == 0.0 and weak["p_together"] == 1.0
    assert weak["p_strength"] > 0.03


def test_percentile_against_brute_force(make_components) -> None:
    matrix = paired_matrix(np.random.default_rng(3), 0.5)
    table = left_right_report(make_components([matrix], np.ones((10, 1))), permutations=10)
    values = matrix[np.triu_indices(N, 1)]
    ranks = [(values < matrix[i, i + 1]).sum() / (len(values) - 1) for i in range(0, 10, 2)]
    assert table.set_index("component").loc["1", "percentile"] == pytest.approx(np.mean(ranks))


def test_background_is_not_together(make_components, make_communities) -> None:
    components = make_components([paired_matrix(np.random.default_rng(0), 0.0)], np.ones((10, 1)))
    row = left_right_report(components, {1: make_communities([0, -1, 0, 0, -1, -1, -1, -1, 0, 0, 0, 0])}).iloc[-1]
    assert row["pairs_in_communities"] == 3 and row["together"] == pytest.approx(2 / 3)
    nobody = left_right_report(components, {1: make_communities([-1] * N)}).iloc[-1]
    assert nobody["pairs_in_communities"] == 0 and np.isnan(nobody["together"])


def test_affinity_row_and_no_pairs() -> None:
    names = ["RIS", "ALA", "AVL"]
    matrix = xr.DataArray(np.ones((3, 3)), dims=("neuron", "neuron_b"), coords={"neuron": names, "neuron_b": names})
    table = left_right_report(None, mean_affinity=matrix)
    assert table["component"].tolist() == ["affinity"] and table["pairs"].tolist() == [0]
    assert table["p_strength"].isna().all()
