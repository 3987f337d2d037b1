"""
One recording, from voxels to named traces
==========================================

A simulated worm is drawn into a 4D volume with labels, extracted again, and compared with what went in. In the shell:
``python examples/one_recording.py [FOLDER]``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import napari_dynamic_connectome as ndc
from napari_dynamic_connectome.extraction import extract_recording
from napari_dynamic_connectome.io import open_labels, open_volume

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("example-output")
folder.mkdir(parents=True, exist_ok=True)

# %%
# A volume with labels
# --------------------
# Your own would be OME-Zarr, TIFF, HDF5 or NWB.

worm, _ = ndc.simulate_recording(n_neurons=40, missing=0.0, unnamed=0.1, duration_s=60, seed=2, name="worm")
image = folder / "worm.ome.zarr"
ndc.render_recording(worm, image, n_z=16, n_y=128, n_x=256, voxel_y_um=0.5, voxel_x_um=0.5, seed=2, overwrite=True)

# %%
# Traces
# ------
# Opening reads nothing but metadata. The labels know the names, the volume knows the stimuli.

volume, labels = open_volume(image), open_labels(image)
recording = extract_recording(volume, labels, name="worm", names=labels.names, stimuli=volume.stimuli)
ndc.write_recording(recording, folder / "worm.npz")
print(f"{recording.n_neurons} neurons ({len(recording.named)} named), {recording.n_times} frames")
print(recording.neurons[["label", "name", "z", "y", "x"]].head())

# %%
# Are they right?
# ---------------

given = worm.traces.sel(neuron=recording.traces["neuron"].values).values
found = recording.traces.values
agreement = np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(given.T, found.T, strict=True)])
print(f"correlation with the traces that were drawn: median {np.median(agreement):.3f}, least {agreement.min():.3f}")

# %%
# The first twelve
# ----------------

figure = Figure(figsize=(8, 5), layout="constrained")
axes = figure.subplots()
for place, name in enumerate(recording.named[:12]):
    values = recording.traces.sel(neuron=name)
    axes.plot(recording.time_s, (values - values.min()) / (values.max() - values.min()) - 1.1 * place, lw=0.8)
    axes.text(-0.5, 0.4 - 1.1 * place, name, ha="right", fontsize=8)
for name, onset, offset in recording.stimuli.itertuples(index=False):
    axes.axvspan(onset, offset, color="0.9", zorder=0)
    axes.text(onset, 1.1, name, fontsize=8)
axes.set(xlabel="s", yticks=[], xlim=(0, recording.time_s[-1]))
figure.savefig(folder / "one_recording.png", dpi=120)
