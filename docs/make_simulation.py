"""Make the picture and the tables of docs/pages/simulation.md from real runs: python docs/make_simulation.py."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import zarr

from napari_dynamic_connectome import compute_affinity, factorize, render_recording, simulate_cohort, simulate_recording
from napari_dynamic_connectome.comparison import recovery_scores
from napari_dynamic_connectome.report.figure_style import ACCENT, INK, MUTED, new_figure, shade_stimuli, styled

IMAGES = Path(__file__).parent / "images"


def picture() -> None:
    """Draw one rendered frame, its labels, and the traces of one motif."""
    recording, truth = simulate_recording(n_neurons=140, missing=0.0, duration_s=150, seed=7, name="simulated worm")
    first = recording.replace(
        traces=recording.traces.isel(time=slice(0, 12)), behaviour=recording.behaviour.isel(time=slice(0, 12))
    )
    with tempfile.TemporaryDirectory() as folder:
        rendered = render_recording(first, Path(folder) / "worm.ome.zarr", seed=7)
        frame = zarr.open_array(str(rendered.path / "0"), mode="r")[10].max(axis=0)
        labels = zarr.open_array(str(rendered.path / "labels" / "neurons" / "0"), mode="r")[...].max(axis=0)
    with styled():
        figure = new_figure(9.2, 6.4)
        top, bottom = figure.subfigures(2, 1, height_ratios=[1.0, 1.25])
        left, right = top.subplots(1, 2)
        left.imshow(frame, cmap="gray", vmax=np.percentile(frame, 99.7))
        left.set_title("one frame, brightest voxel along z")
        colours = np.random.default_rng(0).permutation(int(labels.max()) + 1) % 20 + 1
        right.imshow(np.where(labels > 0, colours[labels], np.nan), cmap="tab20", interpolation="nearest")
        right.set_title("its labels")
        for axes in (left, right):
            axes.set_axis_off()
        axes = bottom.subplots()
        members = truth.members[truth.members["motif"] == 2]
        row_of = {name: i for i, name in enumerate(recording.neurons.index)}
        there = members[members["neuron"].isin(row_of)]
        some = [*there[there["sign"] > 0].head(7).itertuples(), *there[there["sign"] < 0].head(3).itertuples()]
        shown = [(m.neuron, m.sign) for m in some]
        for place, (name, sign) in enumerate(shown):
            values = recording.traces.values[:, row_of[name]]
            values = (values - np.median(values)) / (np.percentile(values, 99.5) - np.median(values) + 1e-9)
            axes.plot(recording.time_s, 0.9 * values - place, color=INK if sign > 0 else ACCENT, lw=0.8)
            axes.text(-2, -place, name, ha="right", va="center", fontsize=7, color=MUTED)
        shade_stimuli(axes, recording.stimuli)
        axes.set_yticks([])
        axes.margins(x=0)
        axes.set_xlabel("s")
        axes.set_title("members of the motif that follows NaCl; coloured: opposite sign", pad=18)
        IMAGES.mkdir(exist_ok=True)
        figure.savefig(IMAGES / "simulation.png", dpi=110)
    print(f"wrote {IMAGES / 'simulation.png'}")


def noise_table() -> None:
    """Print how recovery falls with noise (mean over three seeds)."""
    print("| noise | own activity | average precision | by chance | AUROC |\n|---|---|---|---|---|")
    for noise, independent in ((0.05, 0.35), (0.2, 0.35), (0.4, 0.35), (0.05, 1.0), (0.2, 1.0)):
        rows = []
        for seed in (1, 2, 3):
            cohort, truth = simulate_cohort(noise=noise, independent=independent, stimuli=False, seed=seed)
            components = factorize(compute_affinity(cohort), 4, starts=5, seed=0)
            rows.append(recovery_scores(components, None, truth)[["average_precision", "chance", "auroc"]].mean())
        precision, chance, area = np.mean(rows, axis=0)
        print(f"| {noise:g} | {independent:g} | {precision:.2f} | {chance:.2f} | {area:.2f} |")


if __name__ == "__main__":
    picture()
    noise_table()
