"""How much groups are active together over whole recordings, beside surrogates; and what is left by others is no group."""

from __future__ import annotations

import sys
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from scipy import stats

from napari_dynamic_connectome import analyze, simulate_cohort
from napari_dynamic_connectome.affinity.compute import compute_affinity
from napari_dynamic_connectome.communities.tail import FLOOR, student_p_value
from napari_dynamic_connectome.factorization.settings import FactorizationSettings
from napari_dynamic_connectome.model.evidence import background_words
from napari_dynamic_connectome.pipeline.evidence import believable, standings
from napari_dynamic_connectome.pipeline.settings import PipelineSettings
from napari_dynamic_connectome.pipeline.surrogate_fits import Bins
from napari_dynamic_connectome.pipeline.together import Together

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from other_cohorts import latent

PAIRS = np.stack(np.triu_indices(6, 1), axis=1)


def made(shift: float = 1.0) -> Together:
    rng = np.random.default_rng(0)
    data = rng.random(15)
    data[2] = np.nan
    member = np.isin(PAIRS, [1, 3, 4]).all(axis=1)
    return Together(PAIRS, data + shift * member, rng.random((12, 15)))


def test_the_excess_is_the_mean_inside_less_that_with_others():
    one = made()
    own, chance = one.excess([4, 1, 3])
    for value, row in zip([own, *chance], [one.data, *one.chance], strict=True):
        matrix = np.full((6, 6), np.nan)
        matrix[PAIRS[:, 0], PAIRS[:, 1]] = np.where(np.isnan(one.data), np.nan, row)
        inside = [matrix[a, b] for a in (1, 3, 4) for b in (1, 3, 4) if a < b]
        across = [matrix[min(a, b), max(a, b)] for a in (1, 3, 4) for b in (0, 2, 5)]
        assert value == pytest.approx(np.nanmean(inside) - np.nanmean(across))
    t = (own - chance.mean()) / (chance.std(ddof=1) * np.sqrt(1 + 1 / 12))
    assert one.p_value({1, 3, 4}) == pytest.approx(max(stats.t.sf(t, 11), FLOOR))
    assert made(0.0).p_value([1, 3, 4]) > 0.05 > made(5.0).p_value([1, 3, 4])


def test_of_everybody_and_of_pairs_that_nobody_saw_what_is_known_counts():
    one = made()
    assert one.excess(range(6))[0] == pytest.approx(np.nanmean(one.data))
    hidden = Together(PAIRS, np.where(np.isin(PAIRS, [0, 1]).all(axis=1), np.nan, one.data), one.chance)
    assert hidden.excess([0, 1])[0] < 0


def test_the_size_of_students_p_value_is_right():
    rng = np.random.default_rng(1)
    drawn = rng.normal(size=(4000, 10)) - 3
    p = np.array([student_p_value(row[0], row[1:]) for row in drawn])
    for level in (0.01, 0.05, 0.5):
        assert abs((p <= level).mean() - level) < 3 * np.sqrt(level * (1 - level) / len(p))
    assert student_p_value(1.0, [0.0] * 20) == pytest.approx(1 / 21)
    assert student_p_value(1.0, [0.0, 2.0]) == pytest.approx(2 / 3)
    assert np.isnan(student_p_value(1.0, []))


def test_means_of_bins_are_those_of_the_affinity():
    cohort, _ = simulate_cohort(n_worms=3, n_neurons=14, duration_s=60, missing=0.3, seed=3)
    for sign in ("same", "signed"):
        affinity = compute_affinity(cohort, sign=sign)
        bins = Bins(affinity, 1, FactorizationSettings(), seed=0, stop=Event())
        means = bins.together()
        total, count = np.zeros(len(affinity.pairs)), np.zeros(len(affinity.pairs))
        for worm in bins.prepared.problem.worms:
            values = np.stack(
                [
                    worm.block.tile(int(row), int(row) + 1, 0, len(worm.block.observed), s)[0, worm.samples]
                    for s in range(len(affinity.signs))
                    for row in worm.kept
                ]
            ).reshape(len(affinity.signs), len(worm.kept), -1)
            rows = np.asarray(worm.block.rows)[worm.kept]
            total[rows] += values.sum(axis=(0, 2))
            count[rows] += worm.n_times
        np.testing.assert_allclose(means, total / np.where(count > 0, count, np.nan), rtol=1e-5)


def test_a_group_that_is_no_more_together_than_by_chance_is_what_others_leave():
    groups = [(40.0, frozenset([1, 3, 4])), (39.0, frozenset([0, 2, 5]))]
    tops = np.linspace(19, 21, 12)
    found = standings(groups, np.ones(2), tops, 0.05, made(5.0))
    assert [(one.what, one.rest) for one in found] == [("own", False), ("background", True)]
    assert believable(groups, np.ones(2), tops, 0.05, (), made(5.0)) == 1
    assert believable(groups, np.ones(2), tops, 0.05) == 2


def test_neurons_in_no_group_are_not_claimed_where_groups_take_half_of_all():
    cohort, truth = latent(2, sizes=(10,) * 5, neurons=100, count=700, missing=0.4)
    result = analyze(cohort, PipelineSettings.parse({"rank": {"rank": 6}}))
    support = result.components.support
    assert support is not None
    claims = [
        set(row["members"].split()) for found in result.communities.values() for _, row in found.table().iterrows()
    ]
    assert len(claims) >= 5
    assert all(max(len(c & m) / len(c | m) for m in truth) >= 0.5 for c in claims)
    left = support[support["background"].astype(bool) & (support["spread"] > 1 / 3)]
    assert len(left)
    assert {background_words(row) for _, row in left.iterrows()} == {
        "those whom other components leave, no more active together than in shifted cohorts"
    }
