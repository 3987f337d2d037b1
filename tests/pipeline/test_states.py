"""States as one step: what cannot be judged is said before the long fit; settings go through TOML and a run."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest
from tests.states.conftest import plant

from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.pipeline import states as step
from napari_dynamic_connectome.pipeline.settings import PipelineSettings
from napari_dynamic_connectome.pipeline.states_settings import StatesStepSettings
from napari_dynamic_connectome.pipeline.toml import to_toml


def test_blocks_that_cannot_be_held_out_are_refused_before_the_fit() -> None:
    cohort, _, _ = plant(neurons=6, frames=60, worms=2)
    said: list[float] = []
    with pytest.raises(InputError, match="folds of blocks"):
        step.find_states(cohort, {"states": 2, "folds": 4}, progress=lambda share, text="": said.append(share))
    assert max(said, default=0.0) < 0.6


def test_settings_of_states_are_a_table_whose_connectome_is_beside_the_file(tmp_path) -> None:
    (tmp_path / "s.toml").write_text('[states]\nfit = true\nstates = 3\nconnectome = "wires.csv"\nheld_out = "no"\n')
    settings = PipelineSettings.from_file(tmp_path / "s.toml")
    assert settings.states.fit and settings.states.model.states == 3
    assert settings.states.connectome == str(tmp_path / "wires.csv")
    assert settings.relative(tmp_path).states.connectome == "wires.csv"
    again = PipelineSettings.parse(tomllib.loads(to_toml(settings)))
    assert again == settings
    assert isinstance(again.states, StatesStepSettings) and not hasattr(again.states.model, "fit")


def test_one_step_gives_states_with_communities_and_no_judgement_where_none_is_asked() -> None:
    cohort, sequences, _ = plant(neurons=8, frames=160, worms=2, dwell=30, seed=3)
    wide = {"states": 2, "starts": 2, "iterations": 15, "state_sd": 0.5, "weight_sd": 0.5, "held_out": "no"}
    found = step.find_states(cohort, wide, seed=1)
    assert found.held_out is None and set(found.communities) == {1, 2} and len(found.agreement)
    assert found.provenance["settings"]["held_out"] == "no"
    agree = np.mean((found.sequence.values == 1) == (np.concatenate(sequences) == 0))
    assert max(agree, 1 - agree) > 0.8
