"""Make docs/pages/robustness.md and its figures: python docs/make_robustness.py [FOLDER FOR PIECES] (about 15 minutes of CPU).

The simulated cohort needs nothing; the four real worms are taken from the environment variable DYNAMIC_CONNECTOME_DATA, or from
`shared/data` beside the project.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from pathlib import Path

import pandas as pd

from napari_dynamic_connectome import Cohort, PipelineSettings, read_recording, simulate_cohort
from napari_dynamic_connectome.model import Truth
from napari_dynamic_connectome.pipeline import decompose
from napari_dynamic_connectome.report import plot_neurons, plot_robustness
from napari_dynamic_connectome.robustness import Robustness, assess_robustness

HERE = Path(__file__).parent
WORMS = ("2022-07-26-31", "2022-07-26-38", "2022-07-27-31", "2022-08-02-31")
SEED = 101
SIMULATED = {"factorization": {"model": "aligned"}, "rank": {"smallest": 2}}
REAL = {"rank": {"smallest": 2}}
SHOWN = ["component", "bootstrap", "left_out", "seeds", "foretold", "match", "chance_match", "largest_worm_share"]


def processor() -> str:
    """Name of the processor."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def table(frame: pd.DataFrame) -> str:
    """Markdown table."""
    head = "| " + " | ".join(str(c).replace("_", " ") for c in frame.columns) + " |"
    rule = "|" + " --- |" * len(frame.columns)

    def cell(value: object) -> str:
        if isinstance(value, float):
            return "" if value != value else f"{value:.3g}"
        return str(value)

    rows = ["| " + " | ".join(cell(v) for v in row) + " |" for row in frame.itertuples(index=False, name=None)]
    return "\n".join([head, rule, *rows])


def run(name: str, cohort: Cohort, values: dict, pieces: Path | None) -> tuple[Robustness, float]:
    """Analyse, do everything again, save the figures."""
    begun = time.process_time()
    settings = PipelineSettings.parse(values)
    folder = None if pieces is None else pieces / name
    _, _, components = decompose(cohort, settings, checkpoint=None if folder is None else folder / "analysis")
    result = assess_robustness(cohort, settings, components=components, checkpoint=folder)
    spent = time.process_time() - begun
    plot_robustness(result).savefig(HERE / "images" / f"robustness_{name}.png", dpi=110)
    plot_neurons(result).savefig(HERE / "images" / f"robustness_{name}_neurons.png", dpi=110)
    return result, spent


def planted_motifs(neurons: pd.DataFrame, truth: Truth) -> dict[int, str]:
    """Motif whose members are most of a component's strongest neurons (as many as the motif has), where they are half or more."""
    found = {}
    for number, table in neurons.groupby("component"):
        best = (0.0, "none")
        for motif, members in truth.members.groupby("motif")["neuron"]:
            leading = set(table["neuron"].head(len(members)))
            share = len(leading & set(members)) / len(members)
            best = max(best, (share, f"motif {motif} ({100 * share:.0f} % of its neurons lead)"))
        found[int(number)] = best[1] if best[0] >= 0.5 else "none"
    return found


def main() -> None:
    """Write page and figures."""
    pieces = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    cohort, truth = simulate_cohort(n_worms=10, seed=SEED)
    result, spent = run("simulated", cohort, SIMULATED, pieces)
    planted = planted_motifs(result.neurons, truth)
    simulated = result.support[SHOWN].assign(planted=[planted.get(c, "none") for c in result.support["component"]])
    parts = {
        "simulated_table": table(simulated),
        "simulated_said": "\n".join(f"* {s}" for s in result.sentences()),
        "simulated_cpu": f"{spent:.0f}",
        "pieces": str(result.refits.groupby(["part", "name", "field"]).ngroups),
        "seed": str(SEED),
        "processor": processor(),
    }
    data = Path(os.environ.get("DYNAMIC_CONNECTOME_DATA", HERE.parents[1] / "shared" / "data")) / "traces"
    worms = Cohort([read_recording(data / f"dag2023_{w}.npz") for w in WORMS])
    result, spent = run("real", worms, REAL, pieces)
    held_out = result.held_out.groupby("rank", as_index=False)[["error", "cross_error"]].mean()
    parts |= {
        "real_table": table(result.support[SHOWN]),
        "real_said": "\n".join(f"* {s}" for s in result.sentences()),
        "real_cpu": f"{spent:.0f}",
        "held_out": table(held_out.assign(rank=held_out["rank"].astype(int)).round(4).astype({"rank": str})),
        "best": str(int(held_out.loc[held_out["cross_error"].idxmin(), "rank"])),
        "ranks": table(result.ranks[["source", "rank", "count", "of", "low", "high"]]),
    }
    page = (HERE / "robustness_template.md").read_text(encoding="utf-8")
    for key, text in parts.items():
        page = page.replace("{{" + key + "}}", text)
    (HERE / "pages" / "robustness.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
