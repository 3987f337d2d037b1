"""The report's section on structure against function, and the list of what to test next."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd

from ..comparison.functional import functional_matrices
from ..comparison.structure import COLUMNS
from ..model.progress import CancelCallback, check_cancel
from ..pipeline.structure import SessionStructure, shown_communities
from .structure_figures import plot_correlations, plot_split_matrix

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..comparison.next_tests import NextTests
    from ..session.session import Session

TEST_COLUMNS = [c for c in COLUMNS if c not in ("n_neurons", "n_pairs")]


def split_figures(session: Session, structure: SessionStructure) -> dict[str, Callable[[], Figure]]:
    """Figures by file name: the split matrix of each component with the first network, and all correlations."""
    if session.components is None or not structure.networks:
        return {}
    first = structure.networks[0]
    matrices = functional_matrices(session.components)
    shown = shown_communities(session)

    def draw(component: int) -> Callable[[], Figure]:
        title = f"Component {component} above, {first.kind} below"
        return lambda: plot_split_matrix(matrices[f"component {component}"], first, shown.get(component), title=title)

    figures = {f"structure_component{c}": draw(c) for c in range(1, session.components.rank + 1)}
    figures["structure_correlations"] = lambda: plot_correlations(structure.comparison.tests)
    return figures


def structure_html(
    session: Session,
    structure: SessionStructure,
    *,
    picture: Callable[[Figure], bytes],
    table: Callable[[pd.DataFrame], str],
    cancel: CancelCallback | None = None,
) -> str:
    """HTML of the section.

    Parameters
    ----------
    session : Session
    structure : SessionStructure
    picture : callable
        Figure -> PNG.
    table : callable
        DataFrame -> HTML.
    cancel : callable, optional
    """
    found = structure.comparison
    parts = ["<h2>Structure and function</h2>"]
    parts += [f"<p>{html.escape(line)}</p>" for line in _leading(structure)]
    for name, draw in split_figures(session, structure).items():
        check_cancel(cancel)
        data = base64.b64encode(picture(draw())).decode("ascii")
        parts.append(f'<figure><img alt="{html.escape(name)}" src="data:image/png;base64,{data}"></figure>')
    parts.append(table(found.tests[TEST_COLUMNS]))
    enriched = found.enrichment
    if "community_name" in enriched:
        enriched = enriched.drop(columns="community").rename(columns={"community_name": "community"})
    for heading, one in (
        ("Communities and connections", enriched),
        ("All kinds of connections side by side", found.regression),
        ("How well connectomes agree with each other", found.ceiling),
    ):
        if len(one):
            parts.append(f"<h3>{heading}</h3>" + table(one))
    notes = "".join(f"<li>{html.escape(n)}</li>" for n in found.notes)
    parts.append("<details><summary>All sentences and notes</summary><ul>")
    parts.append("".join(f"<li>{html.escape(s)}</li>" for s in found.sentences()) + notes + "</ul></details>")
    return "".join(parts)


def next_tests_html(found: NextTests, *, table: Callable[[pd.DataFrame], str], rows: int = 12) -> str:
    """HTML of the list of what to test next."""
    if not len(found.neurons):
        return ""
    shown = "community_name" if "community_name" in found.neurons else "community"
    columns = [
        "rank",
        "target",
        "component",
        shown,
        "purpose",
        "predicted_drop",
        "low",
        "high",
        "membership",
        "coverage",
        "reasons",
    ]
    neurons = found.neurons[columns].rename(columns={shown: "of community"}).head(rows)
    pairs = found.pairs[["rank", "silence", "record", "component", "reasons"]].head(rows)
    notes = "; ".join(found.notes)
    return (
        f"<h2>What to test next</h2><p>{html.escape(found.sentence())}</p>{table(neurons)}"
        f"<details><summary>Pairs</summary>{table(pairs)}</details><p>{html.escape(notes)}.</p>"
    )


def _leading(structure: SessionStructure) -> list[str]:
    """Sentences of the first functional matrix with every network."""
    tests = structure.comparison.tests
    if not len(tests):
        return []
    first = tests["function"].iloc[0]
    return structure.comparison.sentences()[: int((tests["function"] == first).sum())]
