"""A claimed group that is two: taken apart where its sets are together no more than by chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.pipeline.test_sides import NAMES, following
from tests.pipeline.test_surrogates import QUICK

from napari_dynamic_connectome import Cohort, Recording, analyze
from napari_dynamic_connectome.pipeline.halves import HARDLY, split_alike, take_apart, weakest_halves
from napari_dynamic_connectome.pipeline.partition import partition
from napari_dynamic_connectome.pipeline.run import AnalysisResult
from napari_dynamic_connectome.pipeline.settings import PipelineSettings
from napari_dynamic_connectome.pipeline.together import Together

SETTINGS = PipelineSettings.parse(QUICK)


def two_groups(seed: int) -> Cohort:
    """Seven and six neurons that follow courses of their own, and 27 others; four worms."""
    return following(seed, [(slice(0, 7), 0, 1.0), (slice(7, 13), 1, 1.0)], courses=2, seen=40)


@pytest.fixture(scope="module")
def worms() -> Cohort:
    return two_groups(1)


@pytest.fixture(scope="module")
def result(worms: Cohort) -> AnalysisResult:
    return analyze(worms, SETTINGS)


def test_a_group_is_weakest_between_two_groups(result):
    together = Together.of(result.components)
    both = weakest_halves(together, range(13))
    assert {frozenset(both.one), frozenset(both.other)} == {frozenset(range(7)), frozenset(range(7, 13))}
    assert abs(both.pull) < HARDLY / 2
    assert weakest_halves(together, range(7)).pull > 2 * HARDLY
    assert weakest_halves(together, range(3)) is None  # too few for two sets


def test_two_groups_in_one_are_taken_apart_and_one_is_not(result, worms):
    key, own = next((k, c) for k, c in result.communities.items() if len(c.table()))
    row = np.full(40, -1)
    row[:13], row[20:27] = 0, 1
    merged = replace(own, labels=own.labels.isel(level=[0]).copy(data=row[None]), chosen_level=0, membership=None)
    found, said = take_apart({key: merged}, {key: [0]}, result.components, worms, SETTINGS)
    np.testing.assert_array_equal(found[key].labels.values[0][:13], [0] * 7 + [2] * 6)
    np.testing.assert_array_equal(found[key].labels.values[0][13:], row[13:])
    (one,) = said[key]
    assert one.startswith(
        "A group of 13 was taken apart into 7 and 6 neurons, which are active together no more than by chance"
    )
    row[13:16] = 0  # and three that know nothing of them, nor of each other: none of these is beyond chance with anyone
    many = replace(merged, labels=merged.labels.copy(data=row[None]))
    found, said = take_apart({key: many}, {key: [0]}, result.components, worms, SETTINGS)
    assert (
        len(np.unique(found[key].labels.values[0][:7])) == 1 and len(np.unique(found[key].labels.values[0][7:13])) == 1
    )
    row[13:16] = -1
    untouched, nothing = take_apart({key: merged}, {key: []}, result.components, worms, SETTINGS)
    assert untouched[key] is merged and not nothing
    row[7:13] = -1
    alone = replace(merged, labels=merged.labels.copy(data=row[None]))
    kept, nothing = take_apart({key: alone}, {key: [0]}, result.components, worms, SETTINGS)
    assert kept[key] is alone and not nothing


def test_sets_that_move_together_stay_one_group(result, worms):
    """The same members, of which all follow one course, or its opposite: the affinities that are asked are those of these worms."""
    key, own = next((k, c) for k, c in result.communities.items() if len(c.table()))
    row = np.full(40, -1)
    row[:13] = 0
    merged = replace(own, labels=own.labels.isel(level=[0]).copy(data=row[None]), chosen_level=0, membership=None)
    for sign in (1, -1):
        shared = []
        for recording in worms.recordings:
            traces = recording.traces.values.copy()
            traces[:, 7:13] = 0.5 * traces[:, 7:13] + sign * traces[:, :1]
            shared.append(Recording.from_arrays(traces, name=recording.name, rate_hz=4, names=NAMES))
        found, said = take_apart({key: merged}, {key: [0]}, result.components, Cohort(shared), SETTINGS)
        assert found[key] is merged and not said


def test_a_second_run_is_taken_apart_alike(result):
    own = next(c for c in result.communities.values() if len(c.table()))
    row = np.full(40, -1)
    row[:13] = 0
    before = replace(own, labels=own.labels.isel(level=[0]).copy(data=row[None]), chosen_level=0, membership=None)
    row = row.copy()
    row[7:13] = 1
    first = replace(before, labels=before.labels.copy(data=row[None]))
    other = np.full(40, -1)
    other[:12], other[20:25] = 4, 5  # the same group less one neuron, and one of others
    second = replace(before, labels=before.labels.copy(data=other[None]))
    alike = split_alike(second, first, before).labels.values[0]
    np.testing.assert_array_equal(alike[:13], [4] * 7 + [6] * 5 + [-1])
    np.testing.assert_array_equal(alike[13:], other[13:])
    assert split_alike(second, before, before) is second
    row[9:13] = -1  # too small a set
    left = split_alike(second, replace(before, labels=before.labels.copy(data=row[None])), before).labels.values[0]
    assert (left[9:13] == -1).all() and (left[:9] >= 0).all()


def test_claims_are_made_of_what_was_taken_apart(result, worms, monkeypatch):
    """A component of the times at which both are active has them as one group: with the cohort that is not claimed, and it is said."""
    import napari_dynamic_connectome.pipeline.partition as module

    real = module._find

    def merging(components, key, *rest):
        found = real(components, key, *rest)
        labels = found.labels.values.copy()
        labels[0, :13] = labels[0].max() + 1
        return replace(found, labels=found.labels.copy(data=labels), membership=None)

    monkeypatch.setattr(module, "_find", merging)
    key = next(k for k, c in result.communities.items() if k[1] == "core" and len(c.table()))
    components = result.components
    chance = components.diagnostics["chance"]
    both = np.isin(np.stack([components.pair[n].values for n in ("neuron_a", "neuron_b")]), NAMES[:13]).all(axis=0)
    pair, binned = components.pair.values.copy(), np.array(chance["pair"], float)
    for one in (pair, binned):
        one[both, key[0] - 1] = np.nanquantile(one[both, key[0] - 1], 0.9)
    diagnostics = {**components.diagnostics, "chance": {**chance, "pair": binned}}
    components = replace(components, pair=components.pair.copy(data=pair), diagnostics=diagnostics)
    without = partition(components, SETTINGS)[key]
    assert without.table()["size"].tolist() == [13]
    told = partition(components, SETTINGS, cohort=worms)[key]
    assert set(told.table()["size"]) <= {6, 7}
    assert "taken apart into 7 and 6 neurons" in told.answer and told.answer in told.rule
