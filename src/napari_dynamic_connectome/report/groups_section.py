"""The report's section on named groups of neurons: how large they are, and what they share beyond chance."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd

from ..model.progress import CancelCallback
from ..pipeline.groups import enrich_groups, enrichment_lines, set_words
from .named_suggestions import name_groups

if TYPE_CHECKING:
    from ..session.session import Session

ALPHA = 0.05
"""Largest corrected p of what is listed."""
LEAST = 3
"""Rows of a group that are listed in any case, the least surprising by chance first, so that its p are seen."""
CHANCE = (
    "Chance: neurons exchange places, the left and the right neuron of a pair together, left to left ({orders:,} orders); for the sides of "
    "a group, the two neurons of each pair by a coin. p: chance shares as many or more; q: corrected over everything of its kind that the "
    "group was compared with (Benjamini and Hochberg)."
)


def groups_html(
    session: Session,
    *,
    table: Callable[[pd.DataFrame], str],
    permutations: int = 10_000,
    seed: int = 0,
    cancel: CancelCallback | None = None,
) -> str:
    """Return the section as HTML; "" for a session without named groups.

    Parameters
    ----------
    session : Session
    table : callable
        DataFrame -> HTML.
    permutations, seed : int
        See `pipeline.groups.enrich_groups`.
    cancel : callable, optional
    """
    if not session.groups:
        return ""
    found = name_groups(enrich_groups(session, permutations=permutations, seed=seed, cancel=cancel), session)
    parts = ["<h2>Named groups</h2>", table(_sizes(session, found))]
    if not len(found):
        return "".join([*parts, "<p>No group has two neurons that could be compared with anything.</p>"])
    parts += [f"<p>{html.escape(line)}</p>" for line in enrichment_lines(found, ALPHA)]
    parts.append(table(_listed(found)))
    compared = counts_of(found)
    parts.append(f"<p>{html.escape(CHANCE.format(orders=permutations))} Compared: {html.escape(compared)}.</p>")
    return "".join(parts)


def _sizes(session: Session, found: pd.DataFrame) -> pd.DataFrame:
    """One row a group: how many members it has, how many of them were compared, and who they are."""
    compared = found.groupby("group")["members"].max() if len(found) else pd.Series(dtype=int)
    rows = [
        {
            "group": name,
            "members": len(members),
            "compared": int(compared.get(name, 0)),
            "neurons": " ".join(map(str, members[:24])) + (" …" if len(members) > 24 else ""),
        }
        for name, members in session.groups.items()
    ]
    return pd.DataFrame(rows)


def _listed(found: pd.DataFrame) -> pd.DataFrame:
    """Rows that are beyond chance, and of every group the first few, in the order of their p."""
    kept = []
    for _, rows in found.groupby("group", sort=False):
        ordered = rows.sort_values(["q_value", "p_value", "shared"], ascending=[True, True, False], kind="stable")
        sure = int((ordered["q_value"] <= ALPHA).sum())
        kept.append(ordered.head(max(sure, LEAST)))
    whole = pd.concat(kept, ignore_index=True)
    return pd.DataFrame(
        {
            "group": whole["group"],
            "beside": [set_words(row) for _, row in whole.iterrows()],
            "members": whole["members"],
            "members of the other": whole["set_members"],
            "shared": whole["shared"],
            "expected": whole["expected"],
            "p": whole["p_value"],
            "q": whole["q_value"],
            "of neurons": whole["n_neurons"],
            "shared neurons": whole["shared_neurons"],
        }
    )


def counts_of(found: pd.DataFrame) -> str:
    """With how many sets of each kind groups were compared, in words: "4 of core, 12 of class"."""
    sets = found.groupby("beside", sort=False)[["component", "set"]].apply(lambda rows: len(rows.drop_duplicates()))
    return ", ".join(f"{count} of {kind}" for kind, count in sets.items())
