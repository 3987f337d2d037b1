"""Recovery scores: perfect where the components are the truth, at chance where they are noise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.affinity.compute import compute_affinity
from napari_dynamic_connectome.comparison.recovery import recovery_scores
from napari_dynamic_connectome.factorization.factorize import factorize
from napari_dynamic_connectome.simulation.simulate import simulate_cohort

from .conftest import NEURONS, block

FIRST, SECOND = NEURONS[:4], NEURONS[4:8]


def test_perfect_components(make_components, make_communities, truth) -> None:
    """The second component is the first motif: matching finds that; the opposite neuron is no partner in `same`."""
    time = np.zeros((40, 2))
    time[10:17, 0] = 1.0
    components = make_components(
        [block(SECOND), block(FIRST)],
        time,
        worm=np.array([[1.0, 0.7], [0.0, 0.7]]),
        stimuli=pd.DataFrame({"name": ["salt", "sugar"], "onset": [5.0, 12.0], "offset": [8.0, 14.0]}),
    )
    communities = {
        1: make_communities([-1] * 4 + [0] * 4 + [-1] * 4),
        2: make_communities([0] * 4 + [-1] * 6 + [1, -1]),
    }
    table = recovery_scores(components, communities, truth).set_index("motif")
    assert table["component"].tolist() == [2, 1]
    for column in ("similarity", "auroc", "average_precision", "ami", "jaccard"):
        np.testing.assert_allclose(table[column], 1.0, err_msg=column)
    assert table.loc[1, "chance"] == pytest.approx(6 / 66) and table.loc[1, "members"] == 5
    assert np.isnan(table.loc[1, "time_auroc"]) and table.loc[2, "time_auroc"] == 1.0
    assert np.isnan(table.loc[1, "worm_auroc"]) and table.loc[2, "worm_auroc"] == 1.0


def test_sign_decides_which_pairs_are_planted(make_components, truth) -> None:
    with_ris = block((*FIRST, "RIS"))
    for mode, pairs in (("same", 6), ("absolute", 10), ("opposite", 4)):
        components = make_components(
            [with_ris], np.ones((10, 1)), provenance={"affinity": {"settings": {"sign": mode}}}
        )
        auto = recovery_scores(components, None, truth).iloc[0]
        asked = recovery_scores(components, None, truth, sign=mode).iloc[0]
        assert auto["chance"] == asked["chance"] == pytest.approx(pairs / 66)
    assert recovery_scores(components, None, truth, sign="absolute").iloc[0]["auroc"] == 1.0


def test_fewer_components_than_motifs(make_components, truth) -> None:
    table = recovery_scores(make_components([block(SECOND)], np.ones((10, 1))), None, truth).set_index("motif")
    assert table.loc[2, "component"] == 1 and table.loc[1, "component"] is pd.NA
    assert np.isnan(table.loc[1, "auroc"]) and np.isnan(table.loc[2, "ami"])


def test_unobserved_pairs_do_not_count(make_components, truth) -> None:
    matrix = block(FIRST)
    matrix[0, 1] = matrix[1, 0] = np.nan
    table = recovery_scores(make_components([matrix], np.ones((10, 1))), None, truth)
    row = table[table["motif"] == 1].iloc[0]
    assert row["auroc"] == 1.0 and row["chance"] == pytest.approx(5 / 65)


def test_own_clocks(make_components, truth) -> None:
    """Unaligned: each worm's windows are compared with its own time course."""
    time = np.zeros((60, 1))
    time[4:9] = 1.0
    time[30 + 20 : 30 + 25] = 1.0
    components = make_components([block(FIRST)], time, model="unaligned")
    row = recovery_scores(components, None, truth).iloc[0]
    assert row["time_auroc"] == 1.0
    swapped = make_components([block(FIRST)], np.roll(time, 30, axis=0), model="unaligned")
    assert recovery_scores(swapped, None, truth).iloc[0]["time_auroc"] < 0.5


def test_one_group_of_all_neurons_scores_nothing(make_components, make_communities, truth) -> None:
    components = make_components([block(FIRST)], np.ones((10, 1)))
    row = recovery_scores(components, {1: make_communities([0] * 12)}, truth).iloc[0]
    assert row["ami"] == pytest.approx(0.0, abs=1e-9) and row["jaccard"] == pytest.approx(4 / 12)
    none = recovery_scores(components, {1: make_communities([-1] * 12)}, truth).iloc[0]
    assert none["ami"] == pytest.approx(0.0, abs=1e-9) and np.isnan(none["jaccard"])


@pytest.mark.parametrize("stimuli", [True, False])
def test_planted_motifs_are_recovered_and_shuffled_names_are_not(stimuli: bool) -> None:
    cohort, truth = simulate_cohort(n_worms=6, n_neurons=50, duration_s=240, stimuli=stimuli, seed=11)
    components = factorize(compute_affinity(cohort), 4, starts=4, seed=0)
    table = recovery_scores(components, None, truth)
    assert (table["auroc"] > 0.85).all() and table["average_precision"].mean() > 0.7
    renamed = truth.members.copy()
    names = np.array(truth.extra["neurons"])
    other = dict(zip(names, np.random.default_rng(0).permutation(names), strict=True))
    renamed["neuron"] = renamed["neuron"].map(other)
    chance = recovery_scores(components, None, type(truth)(truth.motifs, renamed, truth.windows))
    assert chance["average_precision"].mean() < 0.3
