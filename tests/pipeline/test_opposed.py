"""Neurons that move against a claimed group: found where they are, told from those that know nothing of it, and said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.pipeline.test_sides import NAMES, UP, following, numbers, two_sided
from tests.pipeline.test_surrogates import QUICK

from napari_dynamic_connectome import Cohort, analyze, load_session, save_session
from napari_dynamic_connectome.affinity.compute import compute_affinity
from napari_dynamic_connectome.affinity.shift import Shifter
from napari_dynamic_connectome.pipeline.opposed import core_of, means_with, opposed_p_values, with_opposed
from napari_dynamic_connectome.pipeline.run import AnalysisResult
from napari_dynamic_connectome.pipeline.settings import PipelineSettings
from napari_dynamic_connectome.pipeline.sides import opposite_mean
from napari_dynamic_connectome.pipeline.together import Together
from napari_dynamic_connectome.report.html import build_report
from napari_dynamic_connectome.session.session import Session

SETTINGS = PipelineSettings.parse(QUICK)
AGAINST = NAMES[7:9]


def eight_against_two(seed: int) -> Cohort:
    """Seven neurons that follow a course, two that follow its opposite, and 31 others; four worms that miss four neurons each."""
    return following(seed, [(slice(0, 7), 0, 1.0), (slice(7, 9), 0, -1.0)])


@pytest.fixture(scope="module")
def worms() -> Cohort:
    return eight_against_two(1)


@pytest.fixture(scope="module")
def result(worms: Cohort) -> AnalysisResult:
    return analyze(worms, SETTINGS)


def test_means_are_those_of_all_pairs_with_the_group(worms):
    affinity = compute_affinity(worms, sign="opposite")
    core = np.array(numbers(affinity, UP))
    means, seen = means_with(affinity, core)
    for name in (AGAINST[0], NAMES[20], NAMES[39]):
        (one,) = numbers(affinity, [name])
        assert means[one] == pytest.approx(opposite_mean(affinity, [one], core.tolist()), rel=1e-5)
    assert np.isnan(means[core]).all() and (seen[core] == 0).all()
    worms_with = worms.presence.values.sum(axis=0)
    others = np.setdiff1d(np.arange(40), core)
    assert seen[others].max() == 1 and np.corrcoef(seen[others], worms_with[others])[0, 1] > 0.5


def test_who_moves_against_is_told_from_who_knows_nothing_of_it():
    smallest = []
    for seed in range(960, 970):
        cohort = two_sided(seed, independent=True)
        affinity = compute_affinity(cohort, sign="opposite")
        _, p_value = opposed_p_values(Shifter(affinity, cohort), np.array(numbers(affinity, UP)), seed)
        smallest.append(np.nanmin(p_value))
    assert np.mean(np.array(smallest) <= 0.05) <= 0.2 and np.median(smallest) > 0.2
    for seed in range(3):
        cohort = eight_against_two(seed)
        affinity = compute_affinity(cohort, sign="opposite")
        deviate, p_value = opposed_p_values(Shifter(affinity, cohort), np.array(numbers(affinity, UP)), seed)
        against = numbers(affinity, AGAINST)
        assert (p_value[against] <= 0.005).all()
        assert set(np.argsort(np.nan_to_num(-deviate))[:2].tolist()) == set(against)
        assert np.isnan(p_value[numbers(affinity, UP)]).all()


def test_the_core_of_a_group_moves_together(result):
    together = Together.of(result.components)
    index = {n: k for k, n in enumerate(result.components.neurons)}
    up, against = ([index[n] for n in some] for some in (UP, AGAINST))
    assert set(core_of(together, np.array(up + against)).tolist()) == set(up)
    assert set(core_of(together, np.array(up)).tolist()) == set(up)
    assert set(core_of(together, np.array([*up, against[0]])).tolist()) == set(up)


def test_the_other_side_is_said_though_it_is_no_group(result, worms, tmp_path):
    claimed = {k: c for k, c in result.communities.items() if c.claims is not None and len(c.table())}
    assert claimed
    for one in claimed.values():
        (row,) = one.table().to_dict("records")
        assert set(row["opposed"].split()) == set(AGAINST) and row["p_opposed"] <= 0.01
        assert "move against" in one.answer and "when one rises, the other falls" in one.rule
        assert all(n in one.answer for n in AGAINST)
    session = Session()
    result.put_into(session, worms)
    save_session(session, tmp_path / "session.zarr")
    again = load_session(tmp_path / "session.zarr")
    for key, communities in result.communities.items():
        pd.testing.assert_frame_equal(again.communities[key].table(), communities.table())
    assert "move against" in build_report(again)


def test_nobody_is_named_where_nobody_moves_against(result):
    key, one = next((k, c) for k, c in result.communities.items() if c.claims is not None and len(c.table()))
    answer = f"Group of {key[0]}."
    bare = replace(one, claims=one.claims.drop(columns=["opposed", "p_opposed"]), answer=answer, rule=answer)
    other = with_opposed({key: bare}, result.components, two_sided(3, independent=True), SETTINGS)[key]
    assert other.table()["opposed"].tolist() == [""] and (other.table()["p_opposed"] > 0.05).all()
    assert other.answer == answer
    sided = replace(bare, claims=bare.claims.assign(side_of=0.0, side_in="modules", p_sides=0.001))
    assert with_opposed({key: sided}, result.components, two_sided(3), SETTINGS) == {key: sided}  # its side is claimed
    longer = SETTINGS.model_copy(update={"chance": SETTINGS.chance.model_copy(update={"min_shift_s": 200.0})})
    assert with_opposed({key: bare}, result.components, two_sided(3), longer)[key] is bare  # cannot be shifted
