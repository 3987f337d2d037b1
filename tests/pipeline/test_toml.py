"""Settings files: what is written is read back as the same settings; mistakes are one clear sentence."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_dynamic_connectome.model.errors import FormatError, InputError, SettingsError
from napari_dynamic_connectome.pipeline.settings import InputSettings, PipelineSettings, VolumeInput
from napari_dynamic_connectome.pipeline.toml import merge, parse_overrides, read_toml, to_toml, toml_key, toml_value


@pytest.mark.parametrize("comments", [True, False])
@pytest.mark.parametrize("only_set", [True, False])
def test_settings_survive_a_round_trip(comments: bool, only_set: bool) -> None:
    settings = PipelineSettings.parse(
        {"title": 'worms "of" July', "rank": {"rank": 5}, "cohort": {"min_worms": 3}, "kinds": ["core"]}
    )
    settings = settings.model_copy(
        update={"input": InputSettings(recordings=("a b.npz",), volumes=(VolumeInput(name="w", volume="w.zarr"),))}
    )
    text = to_toml(settings, comments=comments, only_set=only_set)
    assert PipelineSettings.parse(tomllib.loads(text)) == settings


def test_every_default_is_documented_in_the_written_file() -> None:
    text = to_toml(PipelineSettings())
    assert "[affinity]" in text and "[communities]" in text
    assert PipelineSettings.parse(tomllib.loads(text)) == PipelineSettings()


@given(
    st.dictionaries(
        st.text(max_size=8),
        st.one_of(st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False), st.text()),
    )
)
def test_any_value_and_key_is_valid_toml(values: dict[str, object]) -> None:
    text = "\n".join(f"{toml_key(k)} = {toml_value(v)}" for k, v in values.items())
    assert tomllib.loads(text) == values


def test_relative_paths_are_resolved_against_the_settings_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[input]\nrecordings = ["worms/*.npz", "/data/x.npz"]\n')
    settings = PipelineSettings.from_file(file)
    assert settings.input.recordings == (str(tmp_path / "worms/*.npz"), "/data/x.npz")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[cohort]\nmin_wurms = 2", ["min_wurms", "min_worms"]),
        ("[cohort]\nmin_worms = 0", ["cohort.min_worms", "greater than or equal to 1"]),
        ("[rank]\nsmallest = 5\nlargest = 3", ["largest (3)", "smallest (5)"]),
        ("seed = 'x'", ["seed"]),
        ("[nonsense]\na = 1", ["nonsense"]),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, text: str, words: list[str]) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        PipelineSettings.from_file(file)
    for word in [*words, str(file)]:
        assert word in str(caught.value)


def test_broken_files_are_one_message(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_toml(tmp_path / "absent.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("a = [1,")
    with pytest.raises(FormatError, match="not valid TOML"):
        read_toml(broken)
    broken.write_bytes(b"a = '\xff'")
    with pytest.raises(FormatError, match="UTF-8"):
        read_toml(broken)
    broken.write_bytes(b"#" * (2 << 20))
    with pytest.raises(FormatError, match="1 MiB"):
        read_toml(broken)


def test_overrides() -> None:
    assert parse_overrides(["rank.rank=4", "affinity.mode=same", "kinds=['core']", "seed=3"]) == {
        "rank": {"rank": 4},
        "affinity": {"mode": "same"},
        "kinds": ["core"],
        "seed": 3,
    }
    with pytest.raises(InputError, match=r"TABLE\.FIELD=VALUE"):
        parse_overrides(["rank"])
    assert merge({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}, "d": 4}) == {"a": {"b": 3, "c": 2}, "d": 4}
