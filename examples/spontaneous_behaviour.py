"""Spontaneous activity: worms without a common clock, components that follow behaviour, and a test that respects time.

Run: python examples/spontaneous_behaviour.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

import napari_dynamic_connectome as ndc
from napari_dynamic_connectome.comparison.behaviour import behaviour_correlations
from napari_dynamic_connectome.figures.components import plot_components, strongest_neurons


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    cohort, _ = ndc.simulate_cohort(n_worms=4, n_neurons=50, duration_s=240, stimuli=False, seed=5)

    # Without stimuli time zero means nothing, so every worm keeps a time course of its own ("unaligned").
    affinity = ndc.compute_affinity(cohort)
    components = ndc.factorize(affinity, 4, starts=4, seed=0)
    table = behaviour_correlations(components, cohort, seed=0)
    table.to_csv(folder / "behaviour.csv", index=False)
    print(affinity.model, "-", affinity.model_reason)
    print(table[table["worm"] == "all"].round(3).to_string(index=False))

    reversal = table[(table["worm"] == "all") & (table["channel"] == "reversal")].set_index("component")["r"]
    best = int(reversal.idxmax())
    print(f"component {best} follows reversals (r = {reversal[best]:.2f}):", *strongest_neurons(components, best))
    plot_components(components, cohort, behaviour="reversal").savefig(folder / "spontaneous_behaviour.png", dpi=120)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("example-output"))
