"""The robustness page: small multiples of what came back, how sure neurons are, how the rank varies; tables, JSON, HTML."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..io.files import atomic_file, output_folder
from ..io.formats.text_tables import write_csv
from ..io.ownership import our_files
from ..model.text import clean_text
from ..robustness.result import Robustness
from .figure_style import ACCENT, HAIRLINE, INK, MUTED, SHADE, new_figure, save_figure, styled
from .html import figure_image, figure_png, html_table, page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHARES = (("bootstrap", "bootstraps", "o"), ("left_out", "left-out worms", "s"), ("seeds", "other seeds", "^"))
FIELDS = {
    "sigma_s": "smoothing sigma (s)",
    "kappa": "noise threshold kappa",
    "exponent": "exponent",
    "min_worms": "least worms a neuron",
    "rank": "number of components",
}
LEAST_NEURONS = 12


def plot_robustness(result: Robustness) -> Figure:
    """What came back in which refits, matches beside chance, ranks, worms that were not fitted, settings."""
    fields = [f for f in FIELDS if (result.refits["field"] == f).any()]
    columns = max(4, len(fields))
    with styled():
        figure = new_figure(2.35 * columns, 5.0 if fields else 2.6)
        grid = figure.subplots(2 if fields else 1, columns, squeeze=False)
        _shares(grid[0, 0], result)
        _matches(grid[0, 1], result)
        _ranks(grid[0, 2], result)
        _worms(grid[0, 3], result)
        for axes in grid[0, 4:]:
            axes.axis("off")
        for axes, name in zip(grid[1] if fields else [], fields, strict=False):
            _setting(axes, result, name)
        for axes in grid[1, len(fields) :] if fields else []:
            axes.axis("off")
    return figure


def plot_neurons(result: Robustness, count: int = LEAST_NEURONS) -> Figure:
    """Strongest neurons of every component with their intervals over the bootstraps, and how often each is leading."""
    numbers = result.support["component"].tolist()
    columns = min(len(numbers), 4)
    rows = -(-len(numbers) // columns)
    with styled():
        figure = new_figure(2.4 * columns, 0.6 + rows * (0.16 * count + 0.5))
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, number in zip(grid, numbers, strict=False):
            table = result.neurons[result.neurons["component"] == number].dropna(subset=["strength"]).head(count)
            y = np.arange(len(table))
            axes.hlines(y, table["low"], table["high"], color=HAIRLINE, lw=3)
            axes.plot(table["strength"], y, "o", color=INK, ms=3)
            axes.set_yticks(y, [f"{n}  ({w})" for n, w in zip(table["neuron"], table["worms"], strict=True)])
            axes.invert_yaxis()
            right = 1.3 * float(np.nanmax(table[["strength", "high"]].to_numpy(float), initial=0.0))
            axes.set_xlim(0, right if right > 0 else 1.0)
            for line, share in zip(y, table["leading"], strict=True):
                if np.isfinite(share):
                    axes.text(right, line, f"{100 * share:.0f} %", ha="right", va="center", fontsize=6, color=MUTED)
            axes.set_title(f"Component {number}")
        for axes in grid[len(numbers) :]:
            axes.axis("off")
        grid[0].set_xlabel("strength")
    return figure


def _shares(axes: Axes, result: Robustness) -> None:
    support = result.support
    x = np.arange(len(support))
    shown = 0
    for offset, (column, label, marker) in zip((-0.22, 0.0, 0.22), SHARES, strict=True):
        if not (support[f"{column}_of"] > 0).any():
            continue
        low, share, high = (support[c].to_numpy(float) for c in (f"{column}_low", column, f"{column}_high"))
        axes.vlines(x + offset, low, high, color=HAIRLINE, lw=2.5)
        axes.plot(x + offset, share, marker, color=INK if shown == 0 else MUTED, ms=3.5, label=label)
        shown += 1
    for k, specific in enumerate(support["specific"].tolist()):
        if specific is False:
            axes.axvspan(k - 0.4, k + 0.4, color=SHADE, lw=0, zorder=0)
    axes.set_xticks(x, support["component"].astype(str))
    axes.set_ylim(-0.03, 1.05)
    axes.set_xlabel("component (grey: so by chance)")
    axes.set_title(f"Share with match ≥ {result.settings.match:g}")
    if shown:
        axes.legend(loc="lower left")


def _matches(axes: Axes, result: Robustness) -> None:
    refits = result.refits
    numbers = result.support["component"].tolist()
    drawn = refits[(refits["part"] == "bootstrap") & (refits["chosen_rank"] < 0)]
    if not len(drawn):
        drawn = refits[refits["part"].isin(["left-out worms", "seeds"])]
    rng = np.random.default_rng(0)
    for k, number in enumerate(numbers):
        values = drawn.loc[drawn["component"] == number, "match"].to_numpy(float)
        axes.plot(k + rng.uniform(-0.18, 0.18, len(values)), values, "o", color=INK, ms=2, alpha=0.5, mew=0)
        chance = result.support["chance_match"].to_numpy(float)[k]
        if np.isfinite(chance):
            axes.hlines(chance, k - 0.35, k + 0.35, color=ACCENT, lw=1.2, label="by chance" if k == 0 else "_")
    axes.axhline(result.settings.match, color=HAIRLINE, lw=0.8, zorder=0)
    axes.set_xticks(range(len(numbers)), [str(n) for n in numbers])
    axes.set_ylim(0, 1.03)
    axes.set_xlabel("component")
    axes.set_title("Match of each refit")
    if np.isfinite(result.support["chance_match"].to_numpy(float)).any():
        axes.legend(loc="lower left")


def _ranks(axes: Axes, result: Robustness) -> None:
    ranks = result.ranks
    axes.set_title("Rank that was chosen")
    if not len(ranks):
        axes.text(0.5, 0.5, "the rank is set", ha="center", va="center", color=MUTED, transform=axes.transAxes)
        axes.set_xticks([])
        axes.set_yticks([])
        return
    known = list(range(int(ranks["rank"].min()), int(ranks["rank"].max()) + 1))
    sources = list(dict.fromkeys(ranks["source"]))
    shades = (INK, MUTED, "#b9bbc2")
    for k, source in enumerate(sources):
        part = ranks[ranks["source"] == source].set_index("rank")["share"].reindex(known).fillna(0.0)
        axes.bar(np.arange(len(known)) + (k - 1) * 0.26, part, width=0.24, color=shades[k], label=source)
    axes.axvline(known.index(own) if (own := len(result.support)) in known else -9, color=ACCENT, lw=0.8, zorder=0)
    axes.set_xlim(-0.6, len(known) - 0.4)
    axes.set_xticks(range(len(known)), [str(r) for r in known])
    axes.set_ylim(0, 1.5)
    axes.set_yticks([0, 0.5, 1])
    axes.set_xlabel("rank (line: the analysis)")
    axes.legend(loc="upper left")


def _worms(axes: Axes, result: Robustness) -> None:
    table = result.held_out
    axes.set_title("Worms that were not fitted")
    if not len(table):
        axes.text(0.5, 0.5, "none was left out", ha="center", va="center", color=MUTED, transform=axes.transAxes)
        axes.set_xticks([])
        axes.set_yticks([])
        return
    for _, one in table.groupby("worm"):
        axes.plot(one["rank"], one["cross_error"], "-", color=HAIRLINE, lw=0.7, marker="." if len(one) == 1 else "")
    mean = table.groupby("rank")[["cross_error", "error"]].mean()
    axes.plot(mean.index, mean["cross_error"], "o-", color=INK, ms=3, label="unseen neurons")
    axes.plot(mean.index, mean["error"], "s--", color=MUTED, ms=2.5, label="projected neurons")
    axes.set_xlabel("rank")
    axes.set_ylabel("relative error")
    axes.legend()


def _setting(axes: Axes, result: Robustness, name: str) -> None:
    part = result.refits[(result.refits["field"] == name) & result.refits["done"]]
    for number, one in part.groupby("component"):
        one = one.sort_values("value")
        axes.plot(one["value"], one["match"], "o-", color=MUTED, ms=2.5, lw=0.8)
        last = one.dropna(subset=["match"]).tail(1)
        if len(last):
            axes.annotate(
                str(number),
                (last["value"].iloc[0], last["match"].iloc[0]),
                xytext=(4, 0),
                textcoords="offset points",
                fontsize=6,
                va="center",
            )
    axes.axhline(result.settings.match, color=HAIRLINE, lw=0.8, zorder=0)
    axes.set_ylim(0, 1.03)
    axes.set_xlabel(FIELDS[name])
    axes.set_title("Match with the analysis" if name == next(iter(FIELDS)) else "")


def write_robustness(result: Robustness, folder: str | Path, *, title: str = "Robustness") -> list[Path]:
    """Write every table as CSV, all of them as robustness.json, the figures as PNG and SVG, and robustness.html.

    Returns
    -------
    list of Path
    """
    with our_files(output_folder(folder), part="robustness") as mine:
        paths = [write_csv(t, mine.path(f"{name}.csv")) for name, t in result.tables().items() if len(t)]
        paths.append(_text(mine.path("robustness.json"), json.dumps(as_json(result), indent=1, ensure_ascii=False)))
        figures = {"robustness": plot_robustness(result), "robustness_neurons": plot_neurons(result)}
        for name, figure in figures.items():
            for suffix in ("png", "svg"):
                path = mine.path(f"{name}.{suffix}")
                with atomic_file(path) as temporary:
                    save_figure(figure, temporary, suffix)
                paths.append(path)
        return [*paths, _text(mine.path("robustness.html"), build_page(result, figures, title))]


def as_json(result: Robustness) -> dict[str, Any]:
    """Everything that a result holds as plain values."""
    return {
        "tables": {name: json.loads(table.to_json(orient="records")) for name, table in result.tables().items()},
        "sentences": result.sentences(),
        "settings": result.settings.model_dump(mode="json"),
        "notes": list(result.notes),
        "provenance": json.loads(json.dumps(dict(result.provenance), default=str)),
    }


def build_page(result: Robustness, figures: dict[str, Figure], title: str) -> str:
    """Return the page as one self-contained HTML text."""
    said = "".join(f"<li>{html.escape(s)}</li>" for s in result.sentences())
    notes = "".join(f"<li>{html.escape(n)}</li>" for n in result.notes)
    captions = {
        "robustness": "Shares with intervals; matches beside the largest match with a component of time-shifted cohorts; the "
        "rank that was chosen again; error on worms that were not fitted; matches under other settings (numbers: components).",
        "robustness_neurons": "Strongest neurons (in brackets: worms that have them), intervals over the bootstraps in which the "
        "component came back, and the share of these in which the neuron is among the ten strongest.",
    }
    parts = [f"<h1>{html.escape(title)}</h1>", f"<ul>{said}</ul>"]
    if notes:
        parts.append(f"<h3>What was left out</h3><ul>{notes}</ul>")
    parts += [figure_image(figure_png(figure), captions[name], name) for name, figure in figures.items()]
    parts.append("<h2>Components</h2>" + html_table(_shown(result.support)))
    if len(result.ranks):
        parts.append("<h2>Rank</h2>" + html_table(result.ranks))
    record = json.dumps(dict(result.provenance), indent=1, default=str, ensure_ascii=False)
    parts.append(f"<details><summary>Versions, settings, seeds</summary><pre>{html.escape(record)}</pre></details>")
    return page(title, "\n".join(parts))


def _shown(support: pd.DataFrame) -> pd.DataFrame:
    table = support.copy()
    table["specific"] = ["" if s is None else ("yes" if s else "no") for s in table["specific"]]
    return table


def _text(path: Path, text: str) -> Path:
    with atomic_file(path) as temporary:
        temporary.write_text(clean_text(text), encoding="utf-8")
    return path
