"""Chance by surrogate cohorts: components of shifted traces are the null graphs of the communities."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dynamic_connectome import Cohort, Recording
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.pipeline.run import decompose, partition
from napari_dynamic_connectome.pipeline.settings import PipelineSettings


def test_shifted_traces_give_the_null_of_communities():
    rng = np.random.default_rng(0)
    shared = np.cumsum(rng.normal(size=(600, 2)), axis=0)
    traces = shared[:, np.arange(12) // 6] + 0.5 * rng.normal(size=(600, 12))
    names = [f"AV{letter}{side}" for letter in "ABDEFG" for side in "LR"]
    cohort = Cohort([Recording.from_arrays(traces, name="w", rate_hz=4, names=names)])
    settings = PipelineSettings.parse(
        {
            "kinds": ["modules"],
            "rank": {"rank": 2, "starts": 1},
            "communities": {"null": "circular shift", "surrogates": 3, "samples": 0, "starts": 1},
        }
    )
    _, _, components = decompose(cohort, settings)
    found = partition(components, settings, cohort=cohort)
    assert set(found) == {(1, "modules"), (2, "modules")}
    for communities in found.values():
        assert len(communities.diagnostics["null_gain_nats"]) <= 6
        assert 0 < communities.significance.attrs["p_more_than_one"] <= 1
        if communities.n_levels > 1:
            assert "circular shift" in communities.rule
    with pytest.raises(InputError, match="needs the traces"):
        partition(components, settings)
