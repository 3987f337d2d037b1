"""Communities are called the same in the window, the report and the tables."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from tests.widgets.helpers import fill

from napari_dynamic_connectome.display.community_names import community_names, with_names
from napari_dynamic_connectome.display.palette import hue_numbers, styles
from napari_dynamic_connectome.pipeline.structure import suggest_for_session
from napari_dynamic_connectome.report.named_suggestions import name_suggestions
from napari_dynamic_connectome.report.tables import claim_table, community_table
from napari_dynamic_connectome.session.session import Session


@pytest.fixture(scope="module")
def session() -> Session:
    made = Session()
    fill(made)
    return made


def test_names_are_those_of_the_window(session: Session) -> None:
    for (component, kind), one in session.communities.items():
        shown = styles(one, one.chosen_level, numbers=hue_numbers(session.communities, one))
        assert community_names(session.communities, component, kind) == {n: s.label for n, s in shown.items()}
    assert community_names(session.communities, 99, "core") == {}


def test_tables_say_them(session: Session) -> None:
    table = community_table(session)
    assert (table["community_name"][table["community"] < 0] == "").all()
    inside = table[table["community"] >= 0]
    assert len(inside) and (inside["community_name"] != "").all()
    for row in inside.itertuples():
        assert (
            row.community_name
            == community_names(session.communities, row.component, row.kind, row.level)[row.community]
        )
    claims = claim_table(session)
    assert list(claims.columns[:4]) == ["component", "kind", "community", "community_name"]
    assert (claims["community_name"] != "").all()


def test_what_to_test_says_them(session: Session) -> None:
    found = name_suggestions(suggest_for_session(session), session)
    assert len(found.neurons)
    row = found.neurons.iloc[0]
    assert f"of community {row['community_name']} in component {row['component']}" in found.sentence()
    assert re.fullmatch(r"\d+[a-z]*", row["community_name"])


def test_a_table_without_communities_stays(session: Session) -> None:
    plain = pd.DataFrame({"a": np.arange(3)})
    assert with_names(plain, session.communities).equals(plain)
