"""Measures against scikit-learn, statsmodels-free arithmetic and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control
from sklearn.metrics import average_precision_score, roc_auc_score

from napari_dynamic_connectome.comparison.measures import (
    auroc,
    average_precision,
    cosine,
    false_discovery_rate,
    percentile_ranks,
    permutation_p,
)

labelled = st.lists(st.tuples(st.booleans(), st.integers(-5, 5)), min_size=2, max_size=60).filter(
    lambda rows: 0 < sum(m for m, _ in rows) < len(rows)
)


@settings(deadline=None)
@given(labelled)
def test_ranking_scores_agree_with_scikit_learn(rows: list[tuple[bool, int]]) -> None:
    mark, score = (np.array(column) for column in zip(*rows, strict=True))
    assert auroc(mark, score) == pytest.approx(roc_auc_score(mark, score))
    assert average_precision(mark, score) == pytest.approx(average_precision_score(mark, score))


def test_ranking_scores_at_the_edges() -> None:
    assert np.isnan(auroc([True, True], [1, 2])) and np.isnan(average_precision([False], [1]))
    assert auroc([True, False, True], [2.0, 1.0, np.nan]) == 1.0
    assert np.isnan(auroc([], []))


def test_cosine_and_percentiles() -> None:
    assert cosine([1, 0, np.nan], [1, 0, 3]) == pytest.approx(1.0)
    assert cosine([0, 0], [1, 2]) == 0.0
    np.testing.assert_allclose(percentile_ranks([3.0, 1.0, np.nan, 2.0]), [1.0, 0.0, np.nan, 0.5])
    np.testing.assert_allclose(percentile_ranks([5.0, 5.0, 5.0]), 0.5)


def test_permutation_p_is_never_zero() -> None:
    assert permutation_p(9.0, np.zeros(99)) == pytest.approx(0.01)
    assert permutation_p(0.0, np.zeros(99)) == 1.0
    assert np.isnan(permutation_p(np.nan, [1.0])) and np.isnan(permutation_p(1.0, []))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_false_discovery_rate_agrees_with_scipy(p: list[float]) -> None:
    np.testing.assert_allclose(false_discovery_rate(p), false_discovery_control(p))
    np.testing.assert_allclose(false_discovery_rate([*p, np.nan])[:-1], false_discovery_control(p))
