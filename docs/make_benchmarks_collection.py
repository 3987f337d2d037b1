"""Draw docs/images/benchmarks_collection.png, and print the table beside it: CPU and wall seconds of an analysis against its worms.

    python docs/make_benchmarks_collection.py

The numbers are the lines of docs/benchmarks_collection.jsonl, as `tests/benchmarks/bench_collection.py N FOLDER --json FILE` adds them; a line
with `earlier` is of an earlier build. What was not run is left out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LINES = HERE / "benchmarks_collection.jsonl"
PICTURE = HERE / "images" / "benchmarks_collection.png"
SIZES = (10, 50, 200, 900)
WAYS = {0: ("2 threads", "o", "-"), 1: ("1 worker", "s", "--"), 2: ("2 workers", "^", ":")}
"""Workers of a cluster (0: threads of the process itself), and how they are drawn."""
WHAT = {"cpu_s": "CPU seconds", "wall_s": "wall seconds"}


def read_lines(path: Path = LINES) -> list[dict[str, Any]]:
    """Runs, one a line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def missing(runs: Sequence[dict[str, Any]], what: str) -> list[str]:
    """Sizes and ways that were not run, in words."""
    there = {(run["worms"], run["workers"]) for run in runs if run[what] is not None}
    return [f"{size}, {WAYS[way][0]}" for size in SIZES for way in WAYS if (size, way) not in there]


def table(runs: Sequence[dict[str, Any]]) -> str:
    """CPU / wall seconds of every size (row) and way (column), as Markdown."""
    found = {(run["worms"], run["workers"]): run for run in runs}
    rows = [["worms", *(f"{WAYS[way][0]}: CPU, wall s" for way in WAYS)], ["---"] * (1 + len(WAYS))]
    for size in SIZES:
        cells = []
        for way in WAYS:
            run = found.get((size, way))
            wall = "" if run is None or run["wall_s"] is None else f", {run['wall_s']:.0f}"
            cells.append(
                "not run" if run is None else f"{run['cpu_s']:,.0f}{wall}{' (earlier build)' * ('earlier' in run)}"
            )
        rows.append([str(size), *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def draw(runs: Sequence[dict[str, Any]], path: Path = PICTURE) -> None:
    """One panel a quantity, both axes logarithmic; open marks are of an earlier build."""
    from napari_dynamic_connectome.report.figure_style import INK, new_figure, styled

    with styled():
        figure = new_figure(7.2, 2.6)
        for axes, (what, title) in zip(figure.subplots(1, 2, sharex=True, sharey=True), WHAT.items(), strict=True):
            for way, (name, mark, line) in WAYS.items():
                mine = [run for run in runs if run["workers"] == way and run[what] is not None]
                mine.sort(key=lambda run: run["worms"])
                now = [run for run in mine if "earlier" not in run]
                axes.loglog(
                    [run["worms"] for run in now], [run[what] for run in now], mark + line, color=INK, ms=4, label=name
                )
                for run in mine:
                    if "earlier" in run:
                        axes.loglog(run["worms"], run[what], mark, color=INK, ms=5, mfc="none")
            axes.set_xticks(SIZES, [str(size) for size in SIZES])
            axes.set_xticks([], minor=True)
            axes.set_xlabel("worms")
            axes.set_title(title)
        seconds = (30, 100, 300, 1000, 3000)
        figure.axes[0].set_yticks(seconds, [f"{s:,}" for s in seconds])
        figure.axes[0].set_yticks([], minor=True)
        figure.axes[0].legend(frameon=False)
        figure.savefig(path, dpi=130, bbox_inches="tight")


if __name__ == "__main__":
    lines = read_lines()
    draw(lines)
    print(table(lines))
    for key, words in WHAT.items():
        print(f"not run ({words}): {'; '.join(missing(lines, key))}")
