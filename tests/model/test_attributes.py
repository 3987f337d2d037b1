"""Attributes of worms: what is kept, what is refused, and the table of all worms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.model.attributes import apply_table, attributes_of, with_attributes, worm_table
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.recording import Recording


def worm(name: str, stimuli: tuple[str, ...] = (), **provenance: object) -> Recording:
    table = pd.DataFrame(
        {"name": list(stimuli), "onset": np.arange(len(stimuli)), "offset": np.arange(len(stimuli)) + 0.5}
    )
    return Recording.from_arrays(
        np.zeros((8, 1)), name=name, rate_hz=1.0, names=["AVAL"], stimuli=table, provenance=provenance
    )


def test_attributes_are_added_replaced_and_taken_away_as_text() -> None:
    first = worm("w", source="file")
    assert attributes_of(first) == {} and attributes_of(worm("w", attributes=None)) == {}
    second = with_attributes(first, {" strain ": " N2 ", "day": 1, "sex": "h"})
    assert attributes_of(second) == {"strain": "N2", "day": "1", "sex": "h"}
    third = with_attributes(second, {"day": 2, "sex": ""})
    assert attributes_of(third) == {"strain": "N2", "day": "2"}
    assert attributes_of(with_attributes(third, {"strain": float("nan"), "day": None})) == {}
    assert third.provenance["source"] == "file" and attributes_of(first) == {}


@pytest.mark.parametrize("name", ["", "  ", "stimuli", "received NaCl"])
def test_names_of_columns_that_are_made_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="cannot be called"):
        with_attributes(worm("w"), {"strain": "N2", name: "x"})
    assert attributes_of(with_attributes(worm("w"), {"stimuli given": "x"})) == {"stimuli given": "x"}


def test_the_table_has_every_attribute_of_any_worm_and_who_received_what() -> None:
    worms = [
        with_attributes(worm("a", ("salt", "light", "salt")), {"strain": "N2"}),
        with_attributes(worm("b"), {"day": 1}),
        worm("c", ("light",)),
    ]
    table = worm_table(iter(worms))
    assert table.index.name == "worm" and table.index.tolist() == ["a", "b", "c"]
    assert table.to_dict("list") == {
        "strain": ["N2", "", ""],
        "day": ["", "1", ""],
        "stimuli": ["light+salt", "none", "light"],
        "received light": ["yes", "no", "yes"],
        "received salt": ["yes", "no", "no"],
    }
    assert worm_table([]).columns.tolist() == ["stimuli"]


def test_a_table_gives_its_worms_what_it_says_and_leaves_the_others() -> None:
    worms = [with_attributes(worm("a"), {"sex": "h", "day": 1}), worm("b")]
    table = pd.DataFrame({"worm": [" a ", "z"], "strain": ["N2", "CB1"], "day": ["", "3"]})
    got = apply_table(worms, table)
    assert [attributes_of(r) for r in got] == [{"sex": "h", "strain": "N2"}, {}]
    assert got[1] is worms[1]
    assert apply_table([], table) == []
    with pytest.raises(InputError, match=r"no column 'worm'.*Columns: strain, day"):
        apply_table(worms, table[["strain", "day"]])
    with pytest.raises(InputError, match="the worm 'a' has two rows"):
        apply_table(worms, pd.DataFrame({"worm": ["a", "b", "a "]}))
    with pytest.raises(InputError, match=r"no row has the name of a worm.*called a, b"):
        apply_table(worms, pd.DataFrame({"worm": ["y", "z"]}))
