"""What is said beside a comparison with chance: one worm that was loaded twice, whoever chose the rank."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from napari_dynamic_connectome import Cohort, PipelineSettings, analyze, simulate_cohort


@pytest.mark.parametrize("rank", [{"rank": 2}, {"smallest": 1, "largest": 2, "starts": 2, "folds": 0}])
def test_every_component_warns_of_a_worm_that_was_loaded_twice(rank: dict[str, Any]) -> None:
    worms = list(simulate_cohort(n_worms=3, n_neurons=24, duration_s=100, seed=3)[0].recordings)
    settings = PipelineSettings.parse({"rank": rank, "chance": {"surrogates": 9, "sweep_surrogates": 9}}, where="test")
    for more, expected in (([], False), ([replace(worms[0], name="again")], True)):
        found = analyze(Cohort([*worms, *more]), settings)
        components = found.components if found.sweep is None else found.sweep.components[2]
        assert components.support is not None
        real = components.support[~components.support["background"].astype(bool)]
        assert len(real)
        said = [f"again is {worms[0].name} once more" in text for text in real["warning"]]
        assert said == [expected] * len(real)
        assert (f"again is {worms[0].name} once more" in components.beware(int(real.index[0]))) is expected
