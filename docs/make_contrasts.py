"""Make docs/pages/contrasts.md and its figures: python docs/make_contrasts.py (about two minutes of CPU).

The simulated cohort needs nothing; the four real worms are taken from the environment variable DYNAMIC_CONNECTOME_DATA, or from
`shared/data` beside the project.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
from make_robustness import WORMS, processor, table

from napari_dynamic_connectome import (
    Cohort,
    PipelineSettings,
    compute_affinity,
    factorize,
    read_recording,
    simulate_cohort,
)
from napari_dynamic_connectome.comparison import (
    average_onsets,
    behaviour_correlations,
    compare_groups,
    confound_report,
    partial_out_cohort,
    recovery_scores,
)
from napari_dynamic_connectome.model import with_attributes
from napari_dynamic_connectome.pipeline import decompose
from napari_dynamic_connectome.report import plot_groups, plot_onsets, strongest_neurons

HERE = Path(__file__).parent
SEED = 212
ONSETS = ["signal", "worms", "events", "peak", "peak_s", "value", "low", "high", "p_value", "q_value"]
GROUPS = ["component", "worms_a", "worms_b", "difference", "effect", "effect_low", "effect_high", "p_value", "q_value"]


def real_worms(parts: dict[str, str]) -> None:
    """Reversals: onsets, and what is left when the velocity is partialled out."""
    data = Path(os.environ.get("DYNAMIC_CONNECTOME_DATA", HERE.parents[1] / "shared" / "data")) / "traces"
    worms = Cohort([read_recording(data / f"dag2023_{w}.npz") for w in WORMS], min_confidence=3)
    components = factorize(compute_affinity(worms), 3, starts=6)
    found = average_onsets(worms, "reversal", components=components)
    plot_onsets(found).savefig(HERE / "images" / "contrasts_reversal.png", dpi=110)
    rows = found.table()
    parts["reversal_components"] = table(rows[rows["kind"] == "component"][ONSETS])
    neurons = rows[rows["kind"] == "neuron"]
    parts["reversal_neurons"] = table(neurons.head(12)[ONSETS])
    sure = neurons[neurons["q_value"] <= 0.05]
    parts["reversal_sure"] = f"{len(sure)} of {len(neurons)}"
    explained = confound_report(worms, channels=("velocity",))
    parts["explained"] = table(explained.groupby("worm", as_index=False)[["explained", "by_chance"]].median())
    parts["explained_top"] = ", ".join(
        f"{n} {v:.2f}"
        for n, v in explained.groupby("neuron")["explained"].mean().nlargest(10).items()
        if not n.startswith("#")
    )
    clean = partial_out_cohort(worms, channels=("velocity",))
    after = factorize(compute_affinity(clean), 3, starts=6)
    for name, fit, cohort in (("before", components, worms), ("after", after, clean)):
        r = behaviour_correlations(fit, cohort, channels=("reversal",))
        r = r[r["worm"] == "all"].set_index("component")
        best = int(r["r"].idxmax())
        parts[f"reversal_{name}"] = (
            f"r = {r.loc[best, 'r']:.2f} (p = {r.loc[best, 'p_value']:.3f}), led by {', '.join(strongest_neurons(fit, best, 8))}"
        )


def simulated_worms(parts: dict[str, str]) -> None:
    """Worms with and without one planted motif."""
    cohort, truth = simulate_cohort(n_worms=12, seed=SEED)
    presence = truth.extra["presence"]
    motifs = truth.motifs["motif"].tolist()
    counts = {m: sum(m in presence[w] for w in cohort.worms) for m in motifs}
    motif = min(motifs, key=lambda m: abs(counts[m] - len(cohort.worms) / 2))
    worms = Cohort(
        [with_attributes(r, {"strain": "with" if motif in presence[r.name] else "without"}) for r in cohort.recordings]
    )
    settings = PipelineSettings()
    affinity, _, components = decompose(worms, settings)
    found = compare_groups(worms, "strain", components=components, affinity=affinity, groups=("without", "with"))
    plot_groups(found).savefig(HERE / "images" / "contrasts_groups.png", dpi=110)
    matched = recovery_scores(components, None, truth).dropna(subset=["component"]).set_index("motif")
    parts["motif_component"] = str(int(matched.loc[motif, "component"]))
    parts["groups_components"] = table(found.components[GROUPS])
    parts["groups_said"] = "\n".join(f"* {s}" for s in [*found.sentences(), *found.notes])
    members = set(truth.members[truth.members["motif"] == motif]["neuron"])
    pairs = found.pairs
    inside = np.array(
        [a in members and b in members for a, b in zip(pairs["neuron_a"], pairs["neuron_b"], strict=True)]
    )
    sure = (pairs["q_value"] <= 0.05).to_numpy()
    parts["pairs_said"] = (
        f"{int(sure.sum())} of {len(pairs)} pairs at a false discovery rate of .05, {int((sure & inside).sum())} of them within the "
        f"motif ({int(inside.sum())} pairs within it were compared)"
    )


def main() -> None:
    """Write page and figures."""
    begun = time.process_time()
    parts: dict[str, str] = {"seed": str(SEED), "processor": processor()}
    real_worms(parts)
    simulated_worms(parts)
    parts["cpu"] = f"{time.process_time() - begun:.0f}"
    page = (HERE / "contrasts_template.md").read_text(encoding="utf-8")
    for key, text in parts.items():
        page = page.replace("{{" + key + "}}", text)
    (HERE / "pages" / "contrasts.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
