"""What to test next, connections of communities and named groups beside them, with communities called as they are shown."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from ..comparison.enrichment import ALL
from ..comparison.functional import partitions
from ..comparison.next_tests import NextTests
from ..display.community_names import with_names
from ..model.results import CommunityKind
from ..pipeline.structure import SessionStructure, shown_communities
from ..session.session import Session


def name_suggestions(found: NextTests, session: Session) -> NextTests:
    """Copy of suggestions whose tables have the column `community_name`.

    Parameters
    ----------
    found : NextTests
        Of the communities of this session.
    session : Session
    """
    kinds = _kinds(session)

    def named(table: pd.DataFrame) -> pd.DataFrame:
        if not len(table):
            return table
        own = table.assign(kind=[kinds.get(int(c), "core") for c in table["component"]])
        return with_names(own, session.communities).drop(columns="kind")

    return replace(found, neurons=named(found.neurons), pairs=named(found.pairs))


def name_connections(structure: SessionStructure, session: Session) -> SessionStructure:
    """Copy of a comparison whose table of communities has the column `community_name` ("all" for all of them together).

    Parameters
    ----------
    structure : SessionStructure
        Made with the communities of this session.
    session : Session
    """
    table = structure.comparison.enrichment
    if not len(table):
        return structure
    kinds = _kinds(session)
    whole = table["community"].astype(str) == ALL
    component = {
        name: number for number in kinds for name in partitions({number: session.communities[number, kinds[number]]})
    }
    numbers = table["communities"].map(component).fillna(-1).astype(int)
    found = pd.DataFrame(
        {
            "component": numbers,
            "kind": [kinds.get(int(n), "core") for n in numbers],
            "community": pd.to_numeric(table["community"].where(~whole, "-1")).astype(int),
        },
        index=table.index,
    )
    names = with_names(found, session.communities)["community_name"].where(~whole, ALL)
    table = table.copy()
    table.insert(table.columns.get_loc("community") + 1, "community_name", names)
    return replace(structure, comparison=replace(structure.comparison, enrichment=table))


def name_groups(table: pd.DataFrame, session: Session) -> pd.DataFrame:
    """Copy of what groups share (`pipeline.groups.enrich_groups`) with the column `community_name`, "" for what is no community.

    Parameters
    ----------
    table : pandas.DataFrame
        Made with the communities of this session.
    session : Session
    """
    named = with_names(table.assign(kind=table["beside"]), session.communities).drop(columns="kind")
    none = named["component"] == 0
    numbers = named[["component", "community"]].astype("Int64").mask(none)
    return named.assign(component=numbers["component"], community=numbers["community"])


def _kinds(session: Session) -> dict[int, CommunityKind]:
    """Which kind of communities of every component is compared."""
    shown = shown_communities(session)
    return {number: kind for (number, kind), one in session.communities.items() if shown.get(number) is one}
