"""
A cohort, from traces to communities
====================================

Affinities of every pair of neurons in several worms, components of the (time x worm x pair) tensor, communities in each, and how well
they match the truth that was planted. In the shell: ``python examples/cohort.py [FOLDER]``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import napari_dynamic_connectome as ndc
from napari_dynamic_connectome.comparison import left_right_report, recovery_scores
from napari_dynamic_connectome.report import plot_components, plot_matrix

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("example-output")
folder.mkdir(parents=True, exist_ok=True)

# %%
# Worms
# -----
# Six simulated worms; every one lacks other neurons. With your own files it is
# ``ndc.Cohort([ndc.read_recording(path) for path in paths], min_worms=2)``.

cohort, truth = ndc.simulate_cohort(n_worms=6, n_neurons=50, duration_s=240, seed=3)
print(f"{len(cohort.worms)} worms, {len(cohort.neurons)} neurons, stimuli: {', '.join(cohort.common_stimuli)}")

# %%
# Affinities
# ----------
# The affinity is lazy: it describes the tensor, and the solver makes the tiles it needs.

affinity = ndc.compute_affinity(cohort)
print(affinity.model, "-", affinity.model_reason)

# %%
# Components and communities
# --------------------------
# Four motifs were planted. ``ndc.analyze`` factorizes, looks for communities, and compares both with surrogate cohorts, whose neurons
# were shifted in time. Where nobody knows the number of components, leave ``rank`` out: it is suggested then.

result = ndc.analyze(cohort, ndc.PipelineSettings.parse({"rank": {"rank": 4, "starts": 4}, "kinds": ["core"]}))
print(result)
components = result.components
communities = {number: found for (number, kind), found in result.communities.items()}
plot_components(components, cohort).savefig(folder / "cohort_components.png", dpi=120)

# %%
# Was it found?
# -------------

scores = recovery_scores(components, communities, truth)
scores.to_csv(folder / "recovery.csv", index=False)
print(scores.round(2).to_string(index=False))
print(left_right_report(components, communities).round(3).to_string(index=False))
for number, found in communities.items():
    found.table().to_csv(folder / f"communities_{number}.csv", index=False)

best = int(scores.loc[scores["average_precision"].idxmax(), "component"])
plot_matrix(components, best, communities[best]).savefig(folder / "cohort_matrix.png", dpi=120)

# sphinx_gallery_thumbnail_number = -1
