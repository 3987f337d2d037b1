"""The neuron table against published counts, and the functions on names."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_dynamic_connectome.model.neurons import (
    CANONICAL,
    GANGLIA,
    complete,
    info,
    is_canonical,
    left_right_pairs,
    mirror,
    normalize,
    read_name,
    read_names,
)


def test_counts_match_the_literature() -> None:
    """302 neurons in 118 classes (White et al. 1986); sizes of the ganglia as in WormAtlas."""
    assert len(CANONICAL) == len(set(CANONICAL)) == 302
    entries = [info(n) for n in CANONICAL]
    assert len({e.neuron_class for e in entries}) == 118
    sizes = Counter(e.ganglion for e in entries)
    assert set(sizes) == set(GANGLIA)
    known = {
        "pharynx": 20,
        "dorsal": 6,
        "ventral": 32,
        "retrovesicular": 20,
        "preanal": 12,
        "dorsorectal": 3,
        "lumbar": 24,
    }
    assert {g: sizes[g] for g in known} == known


@pytest.mark.data
def test_names_are_those_of_the_published_connectome(shared_data) -> None:
    """Every neuron is in Cook et al. 2019, and what is not a neuron there (muscles, glia) is not canonical."""
    table = pd.read_csv(shared_data / "connectome" / "cook_2019_hermaphrodite.csv")
    cells = set(table["pre"]) | set(table["post"])
    assert set(CANONICAL) <= cells
    atlas = set(pd.read_csv(shared_data / "positions" / "whole_body_skuhersky2022.csv")["name"])
    assert len(atlas - set(CANONICAL)) == 0


def test_sides_and_classes() -> None:
    assert info("RMDVL").neuron_class == "RMD"
    assert info("RMDVL").pair_name == "RMDV"
    assert info("IL1L").pair_name == "IL1"
    for single in ("AVL", "RIR", "AQR", "PQR", "PVR", "AVG", "VB2", "RMED", "SABD"):
        assert info(single).side == "" and mirror(single) is None
        assert info(single).pair_name == single
    assert info("SDQL").side == "L" and mirror("SDQL") == "SDQR"
    assert info("nonsense") is None and mirror("nonsense") is None


@given(st.sampled_from(CANONICAL))
def test_mirror_is_an_involution_within_the_class(name: str) -> None:
    other = mirror(name)
    if other is None:
        assert info(name).side == ""
    else:
        assert other != name and mirror(other) == name
        assert info(other).neuron_class == info(name).neuron_class


@given(st.sampled_from(CANONICAL), st.sampled_from(["", " ", "_", "-"]), st.booleans())
def test_normalize_forgives_spelling(name: str, gap: str, lower: bool) -> None:
    written = gap.join((name[:-1], name[-1]))
    assert normalize(written.lower() if lower else written) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("left AVA", "AVAL"),
        ("AVA (R)", "AVAR"),
        ("VB01", "VB1"),
        ("va 10", "VA10"),
        ("AVA", None),
        ("AVAL?", None),
        ("RIS left", None),
        ("", None),
        ("☃", None),
        ("x" * 10_000, None),
        ("AVA" + 36 * " " + "L", "AVAL"),
        ("AVA" + 37 * " " + "L", None),  # no name is that long
        ("AVAL AVAR", None),
    ],
)
def test_normalize_guesses_nothing(text: str, name: str | None) -> None:
    assert normalize(text) == name


@given(st.text(max_size=60))
def test_normalize_and_complete_take_any_text(text: str) -> None:
    found = normalize(text)
    assert found is None or is_canonical(found)
    assert all(is_canonical(n) for n in complete(text, 5)) and len(complete(text, 5)) <= 5


def test_complete_puts_beginnings_first() -> None:
    assert complete("ava", 10) == ["AVAL", "AVAR"]
    assert complete("va1", 10)[:4] == ["VA1", "VA10", "VA11", "VA12"]
    assert "SAADL" in complete("aad", 10)
    assert complete("AV", 3) == [n for n in CANONICAL if n.startswith("AV")][:3]
    assert complete("ava", 0) == []


def test_left_right_pairs() -> None:
    assert left_right_pairs(["AVAR", "RIS", "AVAL", "AVBL", "#3"]) == [("AVAL", "AVAR")]
    pairs = left_right_pairs(CANONICAL)
    paired = {n for pair in pairs for n in pair}
    assert paired == {n for n in CANONICAL if info(n).side}


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        ("VB01", "VB1", "spelling"),
        ("avb_l", "AVBL", "spelling"),
        ("RMED", "RMED", "canonical"),
        ("AWCON", "AWCON", "no side"),
        ("AWC-OFF", "AWCOFF", "no side"),
        ("AWCOF", "AWCOFF", "no side"),
        ("AWCL(ON)", "AWCL", "spelling"),
        ("AVA", "AVA", "no side"),
        ("AVAL?", "", "unsure"),
        ("RIML (?)", "", "unsure"),
        ("AVAL or AVEL", "", "unsure"),
        ("AVL-alt", "", "unsure"),
        ("1", "", "placeholder"),
        ("n12", "", "placeholder"),
        ("neuron_3", "", "placeholder"),
        ("Unnamed 5", "", "placeholder"),
        ("cell7", "", "placeholder"),
        ("X6", "", "placeholder"),
        ("ROI #3", "", "placeholder"),
        ("0.25", "", "placeholder"),
        ("", "", "empty"),
        ("hmc", "hmc", "other"),
        ("CEPshDL", "CEPshDL", "other"),
        ("pm4VL", "pm4VL", "other"),
    ],
)
def test_a_text_from_a_file_is_read_as_a_name_by_one_rule(text, name, kind):
    reading = read_name(text)
    assert (reading.name, reading.kind) == (name, kind)
    if text:
        assert (f'"{text}"' in reading.note) == (name != text)


def test_every_canonical_name_survives_padding_and_case():
    for name in CANONICAL:
        assert read_name(name).kind == "canonical"
        assert read_name(name.lower()).name == name
    assert read_name("DA09").name == "DA9"


def test_a_numbered_series_is_no_set_of_neurons_even_where_some_are():
    names = [r.name for r in read_names([f"M{i}" for i in range(1, 9)])]
    assert names == [""] * 8
    assert [r.name for r in read_names(["M1", "M4", "AVAL"])] == ["M1", "M4", "AVAL"]
    assert [r.name for r in read_names([f"VB{i:02d}" for i in range(1, 12)])] == [f"VB{i}" for i in range(1, 12)]
