"""Make docs/pages/structure.md, docs/pages/what_to_test.md and their figures from four real worms: python docs/make_structure.py.

The recordings and connectomes are not part of the project: their folder is taken from the environment variable
DYNAMIC_CONNECTOME_DATA, or is `shared/data` beside the project.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
from make_real_worms import HERE, recordings

from napari_dynamic_connectome import (
    Cohort,
    compare_structure,
    compute_affinity,
    factorize,
    find_communities,
    functional_matrices,
    suggest_tests,
)
from napari_dynamic_connectome.comparison import StructureSettings, read_networks
from napari_dynamic_connectome.io import read_positions
from napari_dynamic_connectome.report import plot_correlations, plot_split_matrix

RANK = 3
TEXTS = HERE / "structure"


def markdown(table: pd.DataFrame) -> str:
    """A table for MyST, numbers to three digits."""

    def cell(value: object) -> str:
        if isinstance(value, (float, np.floating)):
            return "" if not np.isfinite(value) else f"{value:.3g}"
        return str(value)

    head = "| " + " | ".join(str(c).replace("_", " ") for c in table.columns) + " |"
    body = ["| " + " | ".join(cell(v) for v in row) + " |" for row in table.itertuples(index=False)]
    return "\n".join([head, "| " + " | ".join("---" for _ in table.columns) + " |", *body])


def main() -> None:
    """Fit, compare, draw, write."""
    folder = Path(os.environ.get("DYNAMIC_CONNECTOME_DATA", HERE.parents[1] / "shared" / "data"))
    cohort = Cohort(recordings(folder))
    components = factorize(compute_affinity(cohort), RANK)
    communities = {c: find_communities(components, component=c, kind="core") for c in range(1, RANK + 1)}
    settings = StructureSettings(
        connectome=tuple(str(folder / "connectome" / f"{n}.csv") for n in ("white_1986_whole", "witvliet_2020_8")),
        propagation=str(folder / "connectome" / "randi2023_signal_propagation.npz"),
    )
    networks = read_networks(settings)
    positions = read_positions(folder / "positions" / "head_atlas_median.csv")
    matrices = functional_matrices(components)
    start = time.process_time()
    found = compare_structure(matrices, networks, settings, communities=communities, cohort=cohort, positions=positions)
    seconds = time.process_time() - start
    images = HERE / "images"
    plot_correlations(found.tests).savefig(images / "structure_correlations.png", dpi=130, bbox_inches="tight")
    reversal = max(range(1, RANK + 1), key=lambda c: float(components.strength(c).sel(neuron="AVAL")))
    chemical = next(n for n in networks if n.kind == "chemical")
    title = f"Component {reversal} (reversals) above, chemical synapses below"
    figure = plot_split_matrix(matrices[f"component {reversal}"], chemical, communities[reversal], title=title)
    figure.savefig(images / "structure_split.png", dpi=130, bbox_inches="tight")
    shown = [
        "function",
        "kind",
        "network",
        "r",
        "low",
        "high",
        "p_value",
        "q_value",
        "p_degrees",
        "r_partial",
        "p_partial",
        "n_neurons",
    ]
    whole = found.enrichment[found.enrichment["community"] == "all"]
    inside = [
        "communities",
        "kind",
        "network",
        "inside",
        "outside",
        "odds_ratio",
        "low",
        "high",
        "p_value",
        "p_degrees",
        "p_partial",
    ]
    side = ["function", "predictor", "coefficient", "partial_r", "p_value", "n_pairs"]
    ceiling = ["kind", "first", "second", "n_neurons", "share_of_first", "share_of_second", "r", "low", "high"]
    suggested = suggest_tests(components, communities, networks=networks)
    columns = [
        "rank",
        "target",
        "component",
        "purpose",
        "predicted_drop",
        "low",
        "high",
        "fair_share",
        "membership",
        "coverage",
        "connections",
    ]
    values = {
        "reversal": reversal,
        "tests": markdown(found.tests[shown]),
        "enrichment": markdown(whole[inside]),
        "side": markdown(found.regression[side]),
        "ceiling": markdown(found.ceiling[ceiling]),
        "sentences": "\n".join(
            f"* {s}" for s in found.sentences() if s.startswith(("All components", f"Component {reversal} "))
        ),
        "count": len(found.tests),
        "seconds": f"{seconds:.0f}",
        "first": suggested.sentence(),
        "targets": markdown(suggested.neurons[columns].head(8)),
        "reasons": "\n".join(f"* **{r.target}**: {r.reasons}" for r in suggested.neurons.head(4).itertuples()),
        "pairs": markdown(
            suggested.pairs[["rank", "silence", "record", "percentile", "together", "direct", "propagation"]].head(6)
        ),
    }
    for name in ("structure", "what_to_test"):
        text = (TEXTS / f"{name}.md").read_text(encoding="utf-8")
        for key, value in values.items():
            text = text.replace("{{" + key + "}}", str(value))
        (HERE / "pages" / f"{name}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
