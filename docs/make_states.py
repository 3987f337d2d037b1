"""Make docs/pages/states.md, docs/pages/baselines.md and their figures from four real worms: python docs/make_states.py (minutes).

The recordings and the connectome are not part of the project: their folder is taken from the environment variable
DYNAMIC_CONNECTOME_DATA, or is `shared/data` beside the project.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from napari_dynamic_connectome import Cohort, compare_held_out, compute_affinity, factorize, fit_states, state_agreement
from napari_dynamic_connectome.baselines import static_baselines
from napari_dynamic_connectome.factorization import compare_signed
from napari_dynamic_connectome.io import read_connectome
from napari_dynamic_connectome.model.state_results import StatesResult
from napari_dynamic_connectome.report import plot_baselines, plot_states

sys.path.insert(0, str(Path(__file__).parent))
from make_real_worms import recordings

HERE = Path(__file__).parent
STATES, FOLDS, STARTS = 3, 3, 2

STATES_REAL = """\
<!-- made by docs/make_states.py -->

Three states in four freely moving worms on food (Dag et al. 2023; about 800 frames at 1.67 Hz, labels of confidence 3 and up), default
settings, connectome of Witvliet et al. (2021, adult):

```python
states = fit_states(cohort, states=3, structure=read_connectome("witvliet_2020_8.csv"))
held_out = compare_held_out(cohort, states=3, structure=..., folds=3)
```

![States over the traces of four worms](../images/states_real.png)

{table}

{verdict} State {state} follows the reversals best: mean correlation over the worms {r:.2f} (p = {p:.3g} against {shifts} circular shifts).
The behaviour was not used in the fit.

{held}

Read the table before the ribbons. A line below zero says that its states are worse than none on frames that they have not seen. {wiring}
Visits are short (median {shortest:.1f} to {longest:.1f} s), and where the other starts find other sequences, as here, not every border between
states is to be trusted. The default of `state_sd` was chosen on these worms.
"""

BASELINES_REAL = """\
<!-- made by docs/make_states.py -->

Four real worms (Dag et al. 2023), compared with the component in which each neuron is strongest (rank {rank}, default settings). ARI:

{table}

{summary}

![Agreement of every two methods and their groups](../images/baselines_real.png)

Signed loadings on the same worms: {line}
"""


def markdown(table: pd.DataFrame, digits: int = 4) -> str:
    """Return a table as Markdown."""
    head = "| " + " | ".join(str(c).replace("_", " ") for c in table.columns) + " |"
    rule = "| " + " | ".join("---" for _ in table.columns) + " |"
    body = [
        "| " + " | ".join(f"{v:.{digits}f}" if isinstance(v, float) else str(v) for v in row) + " |"
        for row in table.itertuples(index=False, name=None)
    ]
    return "\n".join([head, rule, *body])


def about_wiring(held: pd.DataFrame) -> str:
    """Say whether the connectome helped, beside the same one with its neurons exchanged."""
    line = held.set_index("model")
    gain, error = (line.loc["states, shuffled connectome", c] for c in ("over_one_state", "over_one_state_se"))
    real = line.loc["states", "over_one_state"]
    if real - gain > 2 * (error**2 + line.loc["states", "over_one_state_se"] ** 2) ** 0.5:
        return f"The wiring itself helps: with its neurons exchanged the gain is {gain:+.4f}."
    return (
        f"The wiring itself does not help: with its neurons exchanged the gain is as large ({gain:+.4f}), so what the prior brings is that "
        "weights have several sizes, not which pairs are connected."
    )


def about_baselines(ari: pd.DataFrame) -> str:
    """Say which methods agree with the components, and with each other."""
    main = ari.iloc[0, 1:].sort_values(ascending=False)
    rest = ari.iloc[1:, 1:].where(~np.eye(len(ari) - 1, dtype=bool)).stack()
    pair = rest.idxmax()
    others = rest[[set(p) != set(pair) for p in rest.index]]
    return (
        f"The components agree most with {main.index[0]} (ARI {main.iloc[0]:.2f}) and {main.index[1]} ({main.iloc[1]:.2f}). Of the static "
        f"methods {pair[0]} and {pair[1]} agree with each other ({rest.max():.2f}), every other two at most {others.max():.2f}: on these worms "
        "there is no one static partition that all would find."
    )


def put(page: str, text: str) -> None:
    """Replace what stands after the heading "On real worms" of a page."""
    path = HERE / "pages" / page
    before = path.read_text(encoding="utf-8").split("## On real worms")[0]
    path.write_text(before + "## On real worms\n\n" + text, encoding="utf-8")


def draw_states(states: StatesResult, cohort: Cohort) -> None:
    """Draw the picture of the page."""
    figure = plot_states(states, cohort, behaviour="reversal")
    figure.savefig(HERE / "images" / "states_real.png", dpi=110, bbox_inches="tight")


def make_states(cohort: Cohort, folder: Path) -> None:
    """Fit, score, draw, write."""
    structure = read_connectome(folder / "connectome" / "witvliet_2020_8.csv")
    states = fit_states(cohort, states=STATES, structure=structure)
    held = compare_held_out(cohort, states=STATES, structure=structure, folds=FOLDS, starts=STARTS)
    agreement = state_agreement(states, cohort, shifts=999)
    states = replace(states, held_out=held, agreement=agreement)
    draw_states(states, cohort)
    whole = agreement[(agreement["worm"] == "all") & (agreement["name"] == "reversal")]
    best = whole.loc[whole["r"].idxmax()]
    put(
        "states.md",
        STATES_REAL.format(
            table=markdown(states.table(), 2),
            verdict=states.verdict(),
            state=int(best["state"]),
            r=float(best["r"]),
            p=float(best["p_value"]),
            shifts=999,
            held=markdown(held),
            wiring=about_wiring(held),
            shortest=states.table()["dwell_median_s"].min(),
            longest=states.table()["dwell_median_s"].max(),
        ),
    )


def make_baselines(cohort: Cohort) -> None:
    """Compare, draw, write."""
    rank = 4
    components = factorize(compute_affinity(cohort), rank, starts=5)
    panel = static_baselines(cohort, components)
    plot_baselines(panel).savefig(HERE / "images" / "baselines_real.png", dpi=110, bbox_inches="tight")
    signed = compare_signed(compute_affinity(cohort, sign="signed"), rank, starts=3)
    ari = panel.agreement("ari")
    table = markdown(ari.reset_index(names="method"), 2)
    text = BASELINES_REAL.format(rank=rank, table=table, line=signed.line, summary=about_baselines(ari))
    put("baselines.md", text)


def main() -> None:
    """Make both pages, or only the picture of the states."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--picture", action="store_true", help="only images/states_real.png")
    options = parser.parse_args()
    folder = Path(os.environ.get("DYNAMIC_CONNECTOME_DATA", HERE.parents[1] / "shared" / "data"))
    cohort = Cohort(recordings(folder))
    if options.picture:
        structure = read_connectome(folder / "connectome" / "witvliet_2020_8.csv")
        draw_states(fit_states(cohort, states=STATES, structure=structure), cohort)
        return
    make_baselines(cohort)
    make_states(cohort, folder)


if __name__ == "__main__":
    main()
