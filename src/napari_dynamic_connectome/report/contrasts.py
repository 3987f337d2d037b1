"""The page of contrasts: averages around events beside moved events, differences between groups with their null and effect size."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..comparison.groups import GroupDifference
from ..comparison.onsets import OnsetAverages
from ..io.files import atomic_file, output_folder, safe_file_name
from ..io.formats.text_tables import write_csv
from ..io.ownership import OurFiles, our_files
from ..pipeline.contrasts import Contrasts
from .figure_style import ACCENT, HAIRLINE, INK, MUTED, SHADE, new_figure, save_figure, styled
from .html import figure_image, figure_png, html_table, page, provenance_html

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 24


def plot_onsets(found: OnsetAverages, count: int = MOST) -> Figure:
    """Averages around an event, components and communities first, then the surest neurons; grey: around moved events."""
    table = found.table()
    first = table[table["kind"] != "neuron"]["signal"].tolist()
    names = [*first, *(n for n in table[table["kind"] == "neuron"]["signal"])][:count]
    columns = min(6, len(names))
    rows = -(-len(names) // columns)
    table = table.set_index("signal")
    with styled():
        figure = new_figure(1.6 * columns + 0.4, 1.25 * rows + 0.3)
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
        time = found.mean["time"].values
        for axes, name in zip(grid.ravel(), names, strict=False):
            band = [c.sel(signal=name).values for c in (found.chance_low, found.chance_high)]
            axes.fill_between(time, *band, color=SHADE, lw=0)
            low, high, mean = (c.sel(signal=name).values for c in (found.low, found.high, found.mean))
            sure = bool(table.loc[name, "q_value"] <= 0.05)
            axes.fill_between(time, low, high, color=ACCENT if sure else MUTED, alpha=0.25, lw=0)
            axes.plot(time, mean, color=ACCENT if sure else INK, lw=1.0)
            axes.axvline(0, color=HAIRLINE, lw=0.8, zorder=0)
            axes.set_title(f"{name}  q {table.loc[name, 'q_value']:.2g}", fontsize=7, fontweight="normal")
            axes.margins(x=0)
        for axes in grid.ravel()[len(names) :]:
            axes.axis("off")
        grid[-1, 0].set_xlabel(f"s from {found.event}")
    return figure


def plot_groups(found: GroupDifference) -> Figure:
    """Every worm's value for every component by group, and effect sizes with intervals; pairs as effect against p."""
    components, pairs = found.components, found.pairs
    (a, in_a), (b, in_b) = found.groups.items()
    with styled():
        figure = new_figure(7.6, 2.6)
        left, middle, right = figure.subplots(1, 3, gridspec_kw={"width_ratios": [1.4, 1, 1.2]})
        x = np.arange(len(components))
        for offset, members, color, name in ((-0.15, in_a, MUTED, a), (0.15, in_b, ACCENT, b)):
            for k, number in zip(x, components["component"] if len(components) else [], strict=True):
                values = found.values.loc[[w for w in members if w in found.values.index], number].to_numpy(float)
                scale = np.nanmax(found.values[number].to_numpy(float)) or 1.0
                axes_x = np.full(len(values), k + offset)
                left.plot(axes_x, values / scale, "o", color=color, ms=3, label=name if k == 0 else "_")
        left.set_xticks(x, components["component"].astype(str) if len(components) else [])
        left.set_xlabel("component")
        left.set_ylabel("of the largest")
        left.set_title("Strength in every worm")
        left.set_ylim(0, 1.05)
        if len(components):
            left.legend()
            middle.vlines(x, components["effect_low"], components["effect_high"], color=HAIRLINE, lw=3)
            sure = (components["q_value"] <= 0.05).to_numpy()
            middle.plot(x[~sure], components["effect"][~sure], "o", color=INK, ms=4)
            middle.plot(x[sure], components["effect"][sure], "o", color=ACCENT, ms=4)
            middle.set_xticks(x, components["component"].astype(str))
            middle.set_xlabel("component (blue: q ≤ .05)")
        middle.axhline(0, color=HAIRLINE, lw=0.8, zorder=0)
        middle.set_ylabel(f"{b} - {a}")
        middle.set_title("Hedges' g")
        if len(pairs):
            sure = (pairs["q_value"] <= 0.05).to_numpy()
            for mask, color in ((~sure, MUTED), (sure, ACCENT)):
                right.plot(pairs["effect"][mask], pairs["p_value"][mask], "o", color=color, ms=2, alpha=0.5, mew=0)
            right.axhline(pairs["p_smallest"].min(), color=HAIRLINE, lw=1, label="smallest p that is possible")
            right.set_yscale("log")
            right.yaxis.set_major_formatter(lambda value, _: f"{value:g}")  # matplotlib's own writes formulas
            right.yaxis.set_minor_formatter(lambda *_: "")
            right.invert_yaxis()
            right.set_xlabel("Hedges' g")
            right.set_ylabel("p")
            right.legend()
        right.set_title(f"{len(pairs)} pairs")
    return figure


def write_contrasts(found: Contrasts, folder: str | Path, *, title: str = "Contrasts") -> list[Path]:
    """Write tables as CSV, figures as PNG and SVG, and contrasts.html; return the paths."""
    with our_files(output_folder(folder), part="contrasts") as mine:
        return _write(found, mine, title)


def _write(found: Contrasts, mine: OurFiles, title: str) -> list[Path]:
    paths = [write_csv(t, mine.path(f"{safe_file_name(name)}.csv")) for name, t in found.tables().items()]
    parts = [
        f"<h1>{html.escape(title)}</h1><ul>{''.join(f'<li>{html.escape(s)}</li>' for s in found.sentences())}</ul>"
    ]
    sections: list[tuple[str, str, Figure | None, pd.DataFrame, tuple[str, ...]]] = []
    for one in found.onsets:
        caption = (
            "Mean over worms with its bootstrap interval; grey: averages around moved events; blue: q of .05 or less. "
            "Traces in standard deviations."
        )
        sections.append((f"Around '{one.event}'", caption, plot_onsets(one), one.table(), one.notes))
    if found.groups is not None:
        caption = "Every worm, effect sizes with intervals, and all pairs; p from exchanging worms between the groups."
        table = found.groups.components if len(found.groups.components) else found.groups.pairs
        sections.append(
            (f"Groups by {found.groups.column}", caption, plot_groups(found.groups), table, found.groups.notes)
        )
    if found.confounds is not None:
        sections.append(("Confounds", "", None, found.confounds, ()))
    for heading, caption, figure, table, notes in sections:
        parts.append(f"<h2>{html.escape(heading)}</h2>")
        if notes:
            parts.append(f"<ul>{''.join(f'<li>{html.escape(n)}</li>' for n in notes)}</ul>")
        if figure is not None:
            parts.append(figure_image(figure_png(figure), caption, heading))
            for suffix in ("png", "svg"):
                path = mine.path(f"{safe_file_name(heading)}.{suffix}")
                with atomic_file(path) as temporary:
                    save_figure(figure, temporary, suffix)
                paths.append(path)
        parts.append(html_table(table))
    if found.groups is not None and len(found.groups.pairs) and len(found.groups.components):
        parts.append("<h3>Pairs</h3>" + html_table(found.groups.pairs))
    if found.provenance:
        parts.append(provenance_html(found.provenance))
    path = mine.path("contrasts.html")
    with atomic_file(path) as temporary:
        temporary.write_text(page(title, "\n".join(parts)), encoding="utf-8")
    return [*paths, path]
