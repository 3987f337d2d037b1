"""Settings: what is wrong is said in one sentence that names the field, without the words of the library that checks it."""

from __future__ import annotations

import pytest

from napari_dynamic_connectome.model.errors import SettingsError
from napari_dynamic_connectome.pipeline.settings import PipelineSettings
from napari_dynamic_connectome.states.settings import StatesSettings


@pytest.mark.parametrize(
    ("settings", "values", "said"),
    [
        (StatesSettings, {"states": 1}, "here: one state never switches; ask for 2 or more"),
        (PipelineSettings, {"states": {"states": 1}}, "here: 'states': one state never switches; ask for 2 or more"),
        (StatesSettings, {"states": "x"}, "here: 'states' = 'x': input should be a valid integer"),
        (StatesSettings, {"nope": 1}, "here: unknown setting 'nope' (known: states, lags,"),
    ],
)
def test_what_is_wrong_is_said_without_the_words_of_the_library(settings, values, said) -> None:
    with pytest.raises(SettingsError) as error:
        settings.parse(values, where="here")
    assert str(error.value).startswith(said)
    assert "value error" not in str(error.value).lower() and "{" not in str(error.value)
