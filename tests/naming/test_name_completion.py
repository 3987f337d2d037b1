"""Names that are offered while typing."""

from __future__ import annotations

import itertools

import pytest

from napari_dynamic_connectome.model.neurons import CANONICAL
from napari_dynamic_connectome.naming.name_completion import completions, goes_on


def names(typed: str, holders: dict[str, int] | None = None, probability: dict[str, float] | None = None) -> list[str]:
    return [o.name for o in completions(typed, holders or {}, 1, probability)]


def keystrokes(name: str) -> int:
    """Fewest keys that give this name: letters of it, then Enter, a digit, or Down and Enter."""
    fewest = 99
    for length in range(1, 4):
        for places in itertools.combinations(range(len(name)), length):
            typed = "".join(name[i] for i in places)
            if any(c.isdigit() and not goes_on(typed[:i], c) for i, c in enumerate(typed)):
                continue
            found = names(typed)
            if name in found:
                place = found.index(name)
                by_digit = not goes_on(typed, str(place + 1))
                fewest = min(fewest, length + (1 if place == 0 or by_digit else place + 1))
    return fewest


def test_every_name_takes_at_most_four_keystrokes() -> None:
    assert max(keystrokes(n) for n in CANONICAL) <= 4


@pytest.mark.parametrize("typed", ["AVA", "ava", "a va", " av-a "])
def test_a_class_offers_both_sides(typed: str) -> None:
    assert names(typed)[:2] == ["AVAL", "AVAR"]


def test_what_is_typed_in_full_comes_first_even_if_taken() -> None:
    assert names("ava l", {"AVAL": 7})[0] == "AVAL"
    assert completions("AVAL", {"AVAL": 7}, 1)[0].why == "already neuron 7"
    assert names("ava", {"AVAL": 7})[:2] == ["AVAR", "AVAL"]
    assert completions("ava", {"AVAL": 7}, 1)[0].why == "mirror of AVAL"
    assert completions("ava", {"AVAL": 1}, 1)[0].taken_by is None  # its own name


def test_letters_in_order_are_enough() -> None:
    assert "SMDVL" in names("sml")
    assert names("qqq") == []


def test_an_atlas_orders_the_offers_and_offers_by_itself() -> None:
    chance = {"AVBR": 0.6, "AVAR": 0.3}
    assert names("", None, chance) == ["AVBR", "AVAR"]
    assert names("av", None, chance)[:2] == ["AVBR", "AVAR"]
    assert names("") == []


def test_a_digit_is_text_only_where_a_name_goes_on_with_it() -> None:
    assert goes_on("va", "1") and goes_on("il", "2") and goes_on("VA1", "2")
    assert not goes_on("ava", "1") and not goes_on("smd", "3") and not goes_on("", "1")
