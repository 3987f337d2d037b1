"""A cohort, from traces to communities: affinities, components, communities, and how well they match the planted truth.

Run: python examples/cohort.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

import napari_dynamic_connectome as ndc
from napari_dynamic_connectome.comparison import left_right_report, recovery_scores
from napari_dynamic_connectome.report import plot_components, plot_matrix


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)

    # With your own files: ndc.Cohort([ndc.read_recording(path) for path in paths], min_worms=2)
    cohort, truth = ndc.simulate_cohort(n_worms=6, n_neurons=50, duration_s=240, seed=3)
    print(f"{len(cohort.worms)} worms, {len(cohort.neurons)} neurons, stimuli: {', '.join(cohort.common_stimuli)}")

    # The affinity is lazy: it describes the tensor, and the solver makes the tiles it needs.
    affinity = ndc.compute_affinity(cohort)
    print(affinity.model, "-", affinity.model_reason)

    # Four motifs were planted. Where nobody knows the number, ndc.sweep_ranks suggests one.
    components = ndc.factorize(affinity, 4, starts=4, seed=0)
    communities = {
        r: ndc.find_communities(components, component=r, samples=50, null_fits=0, seed=0) for r in (1, 2, 3, 4)
    }

    scores = recovery_scores(components, communities, truth)
    scores.to_csv(folder / "recovery.csv", index=False)
    print(scores.round(2).to_string(index=False))
    print(left_right_report(components, communities).round(3).to_string(index=False))
    for number, found in communities.items():
        found.table().to_csv(folder / f"communities_{number}.csv", index=False)

    plot_components(components, cohort).savefig(folder / "cohort_components.png", dpi=120)
    best = int(scores.loc[scores["average_precision"].idxmax(), "component"])
    plot_matrix(components, best, communities[best]).savefig(folder / "cohort_matrix.png", dpi=120)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("example-output"))
