"""Settings refuse what they cannot hold, in one sentence that names the field."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from napari_dynamic_connectome.model.errors import InputError, SettingsError
from napari_dynamic_connectome.model.progress import check_cancel, part, report
from napari_dynamic_connectome.model.settings import StepSettings, setting
from napari_dynamic_connectome.model.text import check_seed, clean_text, counted


class Inner(StepSettings):
    depth: int = setting(3, "Depth.", ge=1)


class Outer(StepSettings):
    rank: int = setting(2, "Rank.", ge=1, le=9)
    rate: float | None = setting(None, "Rate.", unit="Hz", gt=0)
    on: bool = setting(True, "On.")
    either: Literal["auto"] | bool = setting("auto", "Either.")
    names: list[str] = setting([], "Names.")
    flags: tuple[bool, ...] = setting((), "Flags.")
    inner: Inner = setting(Inner(), "Inner.")
    deep: Inner | None = setting(None, "Deep.")


def test_defaults_helps_units_and_bounds_are_written_once() -> None:
    first, second = Outer(), Outer()
    assert first == second and first.names is not second.names
    schema = Outer.model_json_schema()["properties"]
    assert schema["rate"]["unit"] == "Hz" and "unit" not in schema["rank"]
    assert schema["rank"]["description"] == "Rank." and schema["rank"]["maximum"] == 9


def test_values_may_come_from_settings_and_none_leaves_a_field_as_it_is() -> None:
    made = Outer.parse({"rank": 4, "names": ["a"]}, rank=None, on=False)
    assert (made.rank, made.on, made.names) == (4, False, ["a"])
    assert Outer.parse(made, rank=5) == Outer.parse({"rank": 5, "names": ["a"], "on": False})
    assert Outer.parse() == Outer.parse(None) == Outer()
    with pytest.raises(ValueError, match="frozen"):
        made.rank = 3


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"rank": True}, "'rank' = True: true and false are not among its values"),
        ({"rate": False}, "'rate' = False: true and false"),
        ({"names": ["a", True]}, "'names' = .*true and false"),
        ({"rank": 0}, "'rank' = 0: input should be greater than or equal to 1"),
        ({"rank": "many"}, "'rank' = 'many': input should be a valid integer"),
        ({"ranks": 3}, r"unknown setting 'ranks' \(known: rank, rate, on, either, names, flags, inner, deep\)"),
        ({"inner": {"depths": 3}}, r"unknown setting 'inner.depths' \(known: depth\)"),
        ({"deep": {"depths": 3}}, r"unknown setting 'deep.depths' \(known: depth\)"),
        ({"inner": {"depth": 0}}, "'inner.depth' = 0: "),
        ({"rank": 0, "ranks": 3}, "'rank' = 0: .*; unknown setting 'ranks'"),
    ],
)
def test_what_does_not_fit_is_named(values: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=f"here.*{said}|{said}.*here"):
        Outer.parse(values, where="here")


def test_true_and_false_go_where_they_may() -> None:
    made = Outer.parse({"on": False, "either": True, "flags": [True, False]})
    assert (made.on, made.either, made.flags) == (False, True, (True, False))


@pytest.mark.parametrize(
    "character", ["\x00", "\x08", "\x0b", "\x0c", "\x0e", "\x1f", "\x7f", "\ud800", "\udfff", "\ufffe", "\uffff"]
)
def test_characters_that_no_file_can_hold_are_replaced(character: str) -> None:
    assert clean_text(f"a{character}b{character}") == "a\ufffdb\ufffd"


def test_all_other_characters_stay() -> None:
    for text in ("a\tb\r\nc", " \x7e\x80", "\ud7ff\ue000\ufffd", "µ☃😀", ""):
        assert clean_text(text) == text


def test_counts_agree_with_their_nouns() -> None:
    assert [counted(n, "name") for n in (0, 1, 2)] == ["0 names", "1 name", "2 names"]


def test_seeds_are_whole_numbers_from_0_up() -> None:
    assert [check_seed(s) for s in (0, 3, 4.0, 2**40)] == [0, 3, 4, 2**40]
    for seed in (-1, 1.5, True, False):
        with pytest.raises(InputError, match="not a whole number from 0 up"):
            check_seed(seed)


def test_progress_of_a_part_is_a_share_of_the_whole() -> None:
    told: list[tuple[float, str]] = []
    inner = part(lambda share, text="", /: told.append((share, text)), 0.2, 0.6)
    for share in (-1.0, 0.0, 0.5, 1.0, 7.0):
        inner(share, "x")  # type: ignore[misc]
    assert told == [(pytest.approx(v), "x") for v in (0.2, 0.2, 0.4, 0.6, 0.6)]
    told.clear()
    for share in (-1.0, 0.25, 2.0):
        report(lambda share, text="", /: told.append((share, text)), share, "y")
    assert told == [(0.0, "y"), (0.25, "y"), (1.0, "y")]
    report(None, 0.5)
    check_cancel(None)
    check_cancel(lambda: False)
    assert part(None, 0, 1) is None
