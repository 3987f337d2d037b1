"""The band of surrogate components, and the p value of a pair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.widgets.helpers import cohort, components, mixed_components

from napari_dynamic_connectome.display.chance import chance_band, pair_p_value, strongest_by_chance


def test_band_lies_between_percentiles_and_is_zero_where_no_worm_shows_anything() -> None:
    one = components(cohort())
    values = one.time.values.copy()
    values[3:6] = np.nan
    nulls = [replace(one, time=one.time.copy(data=values * scale)) for scale in (1.0, 2.0, 5.0)]
    band = chance_band(nulls, None)
    assert band.count == 6
    courses = np.hstack([np.nan_to_num(values) * one.weight.values * scale for scale in (1.0, 2.0, 5.0)])
    np.testing.assert_allclose(band.low, np.percentile(courses, 5, axis=1))
    np.testing.assert_allclose(band.high, np.percentile(courses, 95, axis=1))
    assert not band.high[3:6].any()
    assert chance_band([], None) is None


def test_p_value_counts_components_with_a_pair_as_strong() -> None:
    one = components(cohort())
    tops = strongest_by_chance([one, one])
    assert tops == pytest.approx([np.nanmax(one.matrix(r).values) for r in (1, 2, 1, 2)])
    assert pair_p_value(tops.max(), tops) == 3 / 5
    assert pair_p_value(tops.max() * 1.01, tops) == 1 / 5


def test_band_beside_one_clock_brings_courses_of_the_other_to_its_scale() -> None:
    null = mixed_components(cohort())
    weight, loading = null.weight.values, null.worm.values[0]
    common, own = null.time_course(1).values, null.time_course(2, "worm A").values
    assert np.nanmax(own) < weight[1] * np.nanmax(null.own_time.values) * 1.001
    for clock, courses in (("common", [common, own / loading[1]]), ("own", [common * loading[0], own])):
        band = chance_band([null], "worm A", clock)
        np.testing.assert_allclose(band.high, np.percentile(courses, 95, axis=0))
