"""The report's section on other methods: static groupings beside the main result, signed beside non-negative loadings."""

from __future__ import annotations

import html
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from .baseline_figures import plot_baselines

if TYPE_CHECKING:
    from ..session.session import Session


def opinions_html(
    session: Session, *, picture: Callable[[str, Any, str], str], table: Callable[[pd.DataFrame], str]
) -> str:
    """Return the section as HTML; "" where neither was computed.

    Parameters
    ----------
    session : Session
    picture : callable
        Name, drawing and caption of a figure -> HTML.
    table : callable
        DataFrame -> HTML.
    """
    panel, signed = session.baselines, session.signed
    parts = ["<h2>Other methods</h2>"]
    if panel is not None:
        parts.append(f"<p>{html.escape(panel.verdict())}</p>")
        parts += [f"<p>{html.escape(note)}</p>" for note in panel.notes]
        caption = "Agreement of static groupings with each other and with the main result; their groups."
        parts.append(picture("baselines", partial(plot_baselines, panel), caption))
        parts.append(table(panel.table()))
    if signed is not None:
        parts.append(f"<p>{html.escape(signed.line)}</p>")
    return "".join(parts) if len(parts) > 1 else ""
