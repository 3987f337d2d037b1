"""Figure of the static baselines: agreement of every two methods, and each method's groups in the sorted order of the neurons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..display.palette import LIGHT, UNASSIGNED
from ..model.opinions import BaselinePanel
from .figure_style import INK, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_baselines(panel: BaselinePanel) -> Figure:
    """Agreement (ARI below, AMI above the diagonal) and the groups of every method.

    Parameters
    ----------
    panel : BaselinePanel
    """
    from matplotlib.colors import ListedColormap

    columns = list(panel.partitions.columns)
    ari, ami = panel.agreement("ari").to_numpy(), panel.agreement("ami").to_numpy()
    shown = np.where(np.tri(len(columns), k=-1, dtype=bool), ari, ami)
    np.fill_diagonal(shown, np.nan)
    with styled():
        figure = new_figure(10, 1.4 + 0.36 * len(columns) + 1.2)
        left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1, 1.5]})
        left.imshow(shown, cmap="Greys", vmin=0, vmax=1)
        ticks = np.arange(len(columns))
        left.set(xticks=ticks, yticks=ticks, title="Agreement: ARI below, AMI above the diagonal")
        left.set_xticklabels(columns, rotation=45, ha="right")
        left.set_yticklabels(columns)
        for i in ticks:
            for j in ticks:
                if np.isfinite(shown[i, j]):
                    color = "white" if shown[i, j] > 0.55 else INK
                    left.text(j, i, f"{shown[i, j]:.2f}", ha="center", va="center", fontsize=6.5, color=color)
        names = list(panel.order) or sorted(panel.partitions.index)
        labels = panel.partitions.loc[names].to_numpy().T
        groups = max(int(labels.max()) + 1, 1)
        colors = [UNASSIGNED[False], *[LIGHT[g % len(LIGHT)] for g in range(groups)]]
        right.imshow(labels + 1, aspect="auto", interpolation="none", cmap=ListedColormap(colors), vmin=0, vmax=groups)
        right.set(
            yticks=ticks,
            xlabel="neurons, sorted so that neighbours are alike",
            title="Groups (colours of each row are its own)",
        )
        right.set_yticklabels(columns)
        right.set_xticks([])
    return figure
