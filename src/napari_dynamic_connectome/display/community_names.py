"""Names of communities, the same in the window, the report and every table: 1, 2a, ..."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from .palette import hue_numbers, styles

if TYPE_CHECKING:
    from ..model.results import Communities, CommunityKind

Found = Mapping[tuple[int, "CommunityKind"], "Communities"]


def community_names(every: Found, component: int, kind: CommunityKind, level: int | None = None) -> dict[int, str]:
    """Name of every community of a component, as it is shown.

    Parameters
    ----------
    every : mapping of (component, kind) to Communities
        All that a session holds: names agree over components.
    component, kind
    level : int, optional
        The one that is shown by default.

    Returns
    -------
    dict
        Number (from 0) -> name.
    """
    communities = every.get((component, kind))
    if communities is None:
        return {}
    at = communities.chosen_level if level is None else level
    return {n: one.label for n, one in styles(communities, at, numbers=hue_numbers(every, communities)).items()}


def with_names(table: pd.DataFrame, every: Found, *, kind: CommunityKind | None = None) -> pd.DataFrame:
    """Copy of a table with the column `community_name` behind `community`.

    Parameters
    ----------
    table : pandas.DataFrame
        With `component`, `community` (-1: none) and, where `kind` is not given, `kind`; where there is a column `level`, of that level.
    every : mapping of (component, kind) to Communities
    kind : {"modules", "core"}, optional

    Returns
    -------
    pandas.DataFrame
        Names as text, "" for none.
    """
    table = table.copy()
    if "community" not in table.columns or "component" not in table.columns:
        return table
    count = len(table)
    kinds = [kind] * count if kind is not None else list(table["kind"])
    levels = list(table["level"]) if "level" in table.columns else [None] * count
    known: dict[tuple[int, CommunityKind, int | None], dict[int, str]] = {}
    names = []
    for component, own, level, community in zip(table["component"], kinds, levels, table["community"], strict=True):
        key = (int(component), own, None if level is None else int(level))
        if key not in known:
            known[key] = community_names(every, *key)
        names.append(known[key].get(int(community), ""))
    table.insert(
        table.columns.get_loc("community") + 1, "community_name", pd.Series(names, index=table.index, dtype=object)
    )
    return table
