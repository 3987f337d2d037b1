"""Two communities that are the two sides of one group: asked of opposite changes, and said where it is so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.pipeline.test_surrogates import QUICK

from napari_dynamic_connectome import Cohort, Communities, Recording, analyze, load_session, save_session
from napari_dynamic_connectome.affinity.compute import compute_affinity
from napari_dynamic_connectome.affinity.shift import Shifter
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.neurons import CANONICAL
from napari_dynamic_connectome.pipeline.partition import partition
from napari_dynamic_connectome.pipeline.run import AnalysisResult
from napari_dynamic_connectome.pipeline.settings import PipelineSettings
from napari_dynamic_connectome.pipeline.sides import opposite_mean, sides_p_value, with_sides
from napari_dynamic_connectome.report.html import build_report
from napari_dynamic_connectome.session.session import Session

NAMES = list(CANONICAL[:40])
UP, DOWN = NAMES[:7], NAMES[7:13]
SETTINGS = PipelineSettings.parse(QUICK)


def following(seed: int, groups: Sequence[tuple[slice, int, float]], *, courses: int = 1, seen: int = 36) -> Cohort:
    """Four worms of 40 neurons, of which some follow courses and the others nothing.

    groups: neurons, the number of their course, and 1 or -1 (its opposite). seen: neurons that each worm shows.
    """
    rng = np.random.default_rng(seed)
    kernel = np.exp(-0.5 * (np.arange(-12, 13) / 4) ** 2)
    recordings = []
    for worm in range(4):
        traces = np.apply_along_axis(np.convolve, 0, rng.normal(size=(500, 40)), kernel, "same")
        course = [np.convolve(rng.normal(size=500), kernel, "same") for _ in range(courses)]
        for members, number, sign in groups:
            traces[:, members] = 0.5 * traces[:, members] + sign * course[number][:, None]
        keep = np.sort(rng.permutation(40)[:seen])
        names = [NAMES[i] for i in keep]
        recordings.append(Recording.from_arrays(traces[:, keep], name=f"w{worm}", rate_hz=4, names=names))
    return Cohort(recordings)


def two_sided(seed: int, *, independent: bool = False) -> Cohort:
    """Seven neurons that follow a course, six that follow its opposite (or a course of their own), and 27 others."""
    other = (slice(7, 13), 1, 1.0) if independent else (slice(7, 13), 0, -1.0)
    return following(seed, [(slice(0, 7), 0, 1.0), other], courses=2)


def numbers(affinity, names: list[str]) -> list[int]:
    return [affinity.neurons.index(n) for n in names]


@pytest.fixture(scope="module")
def worms() -> Cohort:
    return two_sided(2)


@pytest.fixture(scope="module")
def result(worms: Cohort) -> AnalysisResult:
    return analyze(worms, SETTINGS)


def test_the_mean_of_opposite_changes_is_that_of_all_values(worms):
    affinity = compute_affinity(worms, sign="opposite")
    one, other = numbers(affinity, UP), numbers(affinity, DOWN)
    values = []
    for block in affinity.blocks:
        for row, tile in zip(block.rows, block.dense()[0], strict=True):
            ends = set(affinity.pairs[row].tolist())
            if len(ends & set(one)) == 1 and len(ends & set(other)) == 1:
                values.append(tile[block.observed])
    assert opposite_mean(affinity, one, other) == pytest.approx(np.concatenate(values).mean(), rel=1e-5)
    assert np.isnan(opposite_mean(affinity, one, []))


def test_one_side_is_shifted_as_one_and_everyone_else_stays(worms):
    affinity = compute_affinity(worms, sign="opposite")
    other = numbers(affinity, DOWN)
    shifter = Shifter(affinity, worms)
    recordings = {r.name: r for r in worms.recordings}
    for block, moved in zip(affinity.blocks, shifter.make(3, as_one=other).blocks, strict=True):
        mine = np.isin(block.neurons, other)
        before, after = block.features.size, moved.features.size
        np.testing.assert_array_equal(after[~mine], before[~mine])
        inner = np.flatnonzero(shifter._blocks(block, recordings) == 0)  # nothing is shifted near the ends
        (shift,) = {
            next(k for k in range(1, len(inner)) if np.array_equal(np.roll(b[inner], k), a[inner]))
            for b, a in zip(before[mine], after[mine], strict=True)
        }
        assert 20 <= shift <= len(inner) - 20  # five seconds or more in either direction
    products = compute_affinity(worms, kind="sliding correlation")
    with pytest.raises(InputError, match="cannot be shifted"):
        Shifter(products, worms).make(3, as_one=other)


def test_some_neurons_alone_are_shifted_as_they_are_among_all(worms):
    affinity = compute_affinity(worms, sign="opposite")
    one, other = numbers(affinity, UP), numbers(affinity, DOWN)
    shifter = Shifter(affinity, worms)
    some = shifter.of_neurons([*one, *other])
    for block in some.affinity.blocks:
        assert set(block.neurons) <= {*one, *other} and len(block.features.size) == len(block.neurons)
        assert np.isin(affinity.pairs[block.rows], [*one, *other]).all()
    assert opposite_mean(some.affinity, one, other) == opposite_mean(affinity, one, other)
    shifted = [opposite_mean(each.make(5, as_one=other), one, other) for each in (shifter, some)]
    assert shifted[0] == shifted[1] != opposite_mean(affinity, one, other)
    assert shifter.of_neurons([]).affinity.blocks[0].n_rows == 0


def test_sides_are_told_from_groups_that_know_nothing_of_each_other():
    p_values = []
    for seed in range(10):
        worms = two_sided(100 + seed, independent=seed < 8)
        affinity = compute_affinity(worms, sign="opposite")
        p_values.append(sides_p_value(Shifter(affinity, worms), numbers(affinity, UP), numbers(affinity, DOWN), seed))
    assert np.mean(np.array(p_values[:8]) <= 0.05) <= 1 / 8 and np.median(p_values[:8]) > 0.2
    assert max(p_values[8:]) <= 0.001


def test_two_sides_are_said_to_be_one_group(result, worms, tmp_path):
    (one,) = (c for c in result.communities.values() if len(c.table()) == 2)
    table = one.table()
    assert [set(m.split()) for m in table["members"]] == [set(UP), set(DOWN)]
    assert table["side_of"].tolist() == [1, 0] and table["side_in"].tolist() == ["core", "core"]
    assert (table["p_sides"] <= 0.01).all()
    said = "The groups of 7 and 6 neurons are two sides of one group of 13: when the neurons of one rise, those of the other fall"
    assert said in one.answer and said in one.rule and "may be" not in one.answer
    session = Session()
    result.put_into(session, worms)
    save_session(session, tmp_path / "session.zarr")
    again = load_session(tmp_path / "session.zarr")
    for key, communities in result.communities.items():
        pd.testing.assert_frame_equal(again.communities[key].table(), communities.table())
    report = build_report(again)
    assert said in report and "side of" in report
    assert all("side_of" not in c.table() for c in result.communities.values() if c is not one)


def test_groups_that_are_never_together_for_another_reason_are_not_called_sides(result):
    bare = partition(result.components, SETTINGS)  # without the cohort it is not asked
    (key,) = (k for k, c in bare.items() if len(c.table()) == 2)
    assert "may be one circuit whose sides take turns" in bare[key].answer
    assert "side_of" not in bare[key].table()
    other = with_sides(bare, result.components, two_sided(2, independent=True), SETTINGS)[key]
    assert other.table()["side_of"].isna().all() and (other.table()["p_sides"] > 0.05).all()
    assert "do not move against each other more than by chance" in other.answer and "two sides" not in other.rule
    longer = SETTINGS.model_copy(update={"chance": SETTINGS.chance.model_copy(update={"min_shift_s": 200.0})})
    assert with_sides(bare, result.components, two_sided(2), longer)[key] is bare[key]  # cannot be shifted


def only(one: Communities, community: int, kind: str) -> Communities:
    """Communities of a kind of which one alone is claimed."""
    labels = one.labels.where(one.labels.values == community, -1)
    answer = f"Some of {kind}."
    return replace(
        one, labels=labels, claims=one.claims.loc[[community]], kind=kind, answer=answer, rule=f"{answer} So."
    )


def test_a_side_may_be_claimed_as_another_kind(result):
    bare = partition(result.components, SETTINGS)
    ((number, _), one) = next((k, c) for k, c in bare.items() if len(c.table()) == 2)
    up, down = only(one, 0, "core"), only(one, 1, "modules")
    found = {(number, "core"): up, (number, "modules"): down}
    told = with_sides(found, result.components, two_sided(2), SETTINGS)
    said = "The groups of 7 (core) and 6 (modules) neurons are two sides of one group of 13"
    for kind, other, community in (("core", "modules", 1), ("modules", "core", 0)):
        communities = told[number, kind]
        row = communities.table().iloc[0]
        assert (row["side_of"], row["side_in"]) == (community, other) and row["p_sides"] <= 0.01
        assert communities.answer.startswith(f"Some of {kind}. {said}") and communities.rule.endswith("). So.")
    told = with_sides(found, result.components, two_sided(2, independent=True), SETTINGS)
    assert [c.answer for c in told.values()] == ["Some of core.", "Some of modules."]
    assert all(c.table()["side_of"].isna().all() for c in told.values())
    apart = {(number, "core"): up, (number + 1, "modules"): down}  # of two components: not asked
    assert with_sides(apart, result.components, two_sided(2), SETTINGS) == apart
