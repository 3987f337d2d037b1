"""
Spontaneous activity and behaviour
==================================

Worms without a common clock, components that follow behaviour, and a test that respects time. In the shell:
``python examples/spontaneous_behaviour.py [FOLDER [RECORDING ...]]``.

Without recordings, four worms are simulated. With your own (any format that can be read, with a binary channel "reversal"), the same
lines ask whether the reversal circuit is among their components; docs/pages/real_worms.md shows what comes out for four real worms.
"""

from __future__ import annotations

import sys
from pathlib import Path

import napari_dynamic_connectome as ndc
from napari_dynamic_connectome.comparison import behaviour_correlations
from napari_dynamic_connectome.report import plot_components, strongest_neurons

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("example-output")
folder.mkdir(parents=True, exist_ok=True)
recordings = [Path(argument) for argument in sys.argv[2:]]

# %%
# Worms
# -----

if recordings:
    cohort = ndc.Cohort([ndc.read_recording(path) for path in recordings], min_confidence=3)
else:
    cohort, _ = ndc.simulate_cohort(n_worms=4, n_neurons=50, duration_s=240, stimuli=False, seed=5)

# %%
# A time course of its own for every worm
# ---------------------------------------
# Without stimuli time zero means nothing, so the model is "unaligned".

affinity = ndc.compute_affinity(cohort)
print(affinity.model, "-", affinity.model_reason)
sweep = ndc.sweep_ranks(affinity, range(2, 6), starts=6, folds=3, seed=0)
components = sweep.components[sweep.suggested]
print(f"rank {sweep.suggested}:", sweep.reason)
print("lowest agreement of a start with the best:", round(min(components.diagnostics["restart_similarity"]), 3))

# %%
# Which component follows reversals?
# ----------------------------------
# The null shifts the behaviour in time, so that its own slowness is not taken for a relation.

table = behaviour_correlations(components, cohort, channels=("reversal",), seed=0)
table.to_csv(folder / "behaviour.csv", index=False)
reversal = table[table["worm"] == "all"].set_index("component")
print(reversal.round(3).to_string())
best = int(reversal["r"].idxmax())
print(f"component {best} follows reversals (r = {reversal['r'][best]:.2f}):", *strongest_neurons(components, best))
plot_components(components, cohort, behaviour="reversal").savefig(folder / "spontaneous_behaviour.png", dpi=120)
