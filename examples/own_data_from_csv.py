"""
Your own data from CSV
======================

One table of traces a worm, with stimuli and neurons beside it, to first communities. In the shell:
``python examples/own_data_from_csv.py [FOLDER]``.

A worm is ``worm1.csv``: a column ``time`` in seconds and one column a neuron, named AVAL, RIS, ... Columns whose name is no neuron
stay unnamed. Optional, next to it: ``worm1_stimuli.csv`` (name, onset, offset in seconds), ``worm1_neurons.csv`` (one row a
neuron: neuron, name, z, y, x in micrometres, ...) and ``worm1_behaviour.csv`` (time and one column a channel).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

import napari_dynamic_connectome as ndc
from napari_dynamic_connectome.report import plot_components, plot_matrix

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("example-output")
folder.mkdir(parents=True, exist_ok=True)

# %%
# Tables
# ------
# Stand in for your own export: three worms, written with pandas only.


def write_tables(folder: Path) -> list[Path]:
    """Stand in for your own export: write three worms as plain tables, with pandas only."""
    rng = np.random.default_rng(0)
    time = np.arange(0, 180, 0.5)
    together = ["AVAL", "AVAR", "AVEL", "AVER", "RIML", "RIMR", "AIBL", "AIBR"]
    others = ["RIBL", "RIBR", "AVBL", "AVBR", "ASEL", "ASER", "AWCL", "AWCR", "RIS", "ALA", "OLLL", "OLLR"]
    paths = []
    for worm in ("worm1", "worm2", "worm3"):
        onset = float(rng.uniform(40, 100))
        drive = ((time > onset) & (time < onset + 40)) * (np.sin((time - onset) / 2) > 0)
        table = {"time": time}
        for name in together + others:
            if rng.random() < 0.1:
                continue  # this worm lacks the neuron: there is simply no column
            own = (np.convolve(rng.standard_normal(len(time)), np.ones(8), mode="same") > 4).astype(float)
            rises = drive + 0.2 * own if name in together else own
            calcium = np.convolve(rises, np.exp(-np.arange(20) / 5), mode="full")[: len(time)]
            table[name] = 100 * (1 + calcium) + rng.normal(0, 4, len(time))
        path = folder / f"{worm}.csv"
        pd.DataFrame(table).to_csv(path, index=False)
        pd.DataFrame({"name": ["light"], "onset": [onset], "offset": [onset + 40]}).to_csv(
            folder / f"{worm}_stimuli.csv", index=False
        )
        paths.append(path)
    return paths


paths = write_tables(folder)
print(paths[0].read_text(encoding="utf-8")[:200])

# %%
# Recordings
# ----------

recordings = [ndc.read_recording(path) for path in paths]
for recording in recordings:
    print(f"{recording.name}: {recording.n_neurons} neurons, {recording.n_times} samples at {recording.rate_hz:g} Hz")

# %%
# Components
# ----------
# Two components, each compared with cohorts whose neurons were shifted in time; so are the communities.

cohort = ndc.Cohort(recordings, min_worms=2)
result = ndc.analyze(cohort, ndc.PipelineSettings.parse({"rank": {"rank": 2, "starts": 4}, "kinds": ["core"]}))
print(result)
components = result.components
plot_components(components, cohort).savefig(folder / "own_data_components.png", dpi=120)

# %%
# Communities
# -----------

strongest = max((1, 2), key=lambda r: float(components.matrix(r).sel(neuron="AVAL", neuron_b="AVAR")))
communities = result.communities[strongest, "core"]
print(communities)
components.matrix(strongest).to_pandas().to_csv(folder / "own_data_matrix.csv")
plot_matrix(components, strongest, communities).savefig(folder / "own_data.png", dpi=120)

# sphinx_gallery_thumbnail_number = -1
