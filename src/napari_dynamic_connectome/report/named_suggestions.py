"""What to test next, with communities called as they are shown."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from ..comparison.next_tests import NextTests
from ..display.community_names import with_names
from ..pipeline.structure import shown_communities
from ..session.session import Session


def name_suggestions(found: NextTests, session: Session) -> NextTests:
    """Copy of suggestions whose tables have the column `community_name`.

    Parameters
    ----------
    found : NextTests
        Of the communities of this session.
    session : Session
    """
    shown = shown_communities(session)
    kinds = {number: kind for (number, kind), one in session.communities.items() if shown.get(number) is one}

    def named(table: pd.DataFrame) -> pd.DataFrame:
        if not len(table):
            return table
        own = table.assign(kind=[kinds.get(int(c), "core") for c in table["component"]])
        return with_names(own, session.communities).drop(columns="kind")

    return replace(found, neurons=named(found.neurons), pairs=named(found.pairs))
