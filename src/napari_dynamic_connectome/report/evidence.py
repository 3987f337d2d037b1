"""Parts of the report that say what speaks for ranks and components: curves beside chance, support, warnings."""

from __future__ import annotations

import html
from collections.abc import Callable

import numpy as np
import pandas as pd

from ..model.evidence import NOTHING
from ..model.results import Components, RankSweep


def sweep_evidence(sweep: RankSweep, picture: str, html_table: Callable[[pd.DataFrame], str]) -> str:
    """The curves of the data beside those of surrogates (`picture`, HTML), and how often each rank is suggested."""
    parts = []
    if sweep.nothing:
        parts.append(
            f'<p class="lead">{html.escape(NOTHING[:1].upper() + NOTHING[1:])}: there are no components to show.</p>'
        )
    parts.append(picture)
    if len(sweep.choices):
        often = sweep.choices.groupby("varied")["rank"].value_counts().rename("times").reset_index()
        parts.append("<p>How often each rank is suggested when one thing is varied (0: nothing beyond chance):</p>")
        parts.append(html_table(often))
    if sweep.chance is not None and len(sweep.chance.table):
        parts.append(f"<details><summary>Beside chance</summary>{html_table(sweep.chance.table)}</details>")
    return "".join(parts)


def tested_against(components: Components) -> str:
    """What the components were compared with, in words."""
    chance = components.diagnostics.get("chance", {})
    if chance.get("surrogates"):
        return (
            f"p: how often the strongest group of any component of {chance['surrogates']} surrogate cohorts ({chance['method']}), "
            "factorized like this one, is as strong; q: corrected over the components."
        ) + (f" Not asked: {components.unasked}." if components.unasked else "")
    return f"Not compared with chance: {chance.get('note') or 'no surrogates'}."


def support_table(components: Components) -> pd.DataFrame:
    """What speaks for each component, as the report shows it."""
    assert components.support is not None
    support = components.support
    return pd.DataFrame(
        {
            "component": support.index,
            "": np.where(support["background"], "background", ""),
            "p": support["p_value"],
            "q": support["q_value"],
            "worms": [
                f"{int(r.worms)} of {int(r.worms_in_all)} ({r.worms_low:.0%} to {r.worms_high:.0%})"
                for r in support.itertuples()
            ],
            "leading neurons (worms)": [
                ", ".join(f"{n} ({w})" for n, w in components.leading(int(c)).head(6)["worms"].items())
                for c in support.index
            ],
            "note": [components.beware(int(c)) for c in support.index],
        }
    )
