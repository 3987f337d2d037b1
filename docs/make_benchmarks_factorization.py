"""Make docs/pages/benchmarks_factorization.md from the results of tests/benchmarks/bench_factorization.py --json FILE.

python docs/make_benchmarks_factorization.py FILE [FILE ...] "what the machine was, and how busy"

Several files (parts of the benchmark that were run apart) are put together.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
UNITS = {
    "cpu_per_start": "CPU s a start", "wall_per_start": "wall s a start", "cpu_per_sweep": "CPU s a sweep and start",
    "held_out": "held-out error", "peak_mb": "peak MB", "cpu": "CPU s", "wall": "wall s", "top": "up to rank",
    "compressed_ms": "compressed sweep, CPU ms a start", "exact_ms": "exact sweep, CPU ms a start", "entries": "observed entries",
    "cpu_to_equal": "CPU s to equal held-out error", "ours_one": "ours, one start of ten", "ratio": "times as long",
    "ours_all": "ours, all ten starts", "ratio_all": "times as long as all ten", "solver": "solver",
}  # fmt: skip

PAGE = """\
# Factorization: speed and memory

Made by `docs/make_benchmarks_factorization.py` from a run of `tests/benchmarks/bench_factorization.py`. {machine} CPU seconds count
what was computed, whatever else the machine was doing; wall seconds depend on it. Sizes are neurons x time points x worms: S 60 x 300 x 6,
M 120 x 600 x 12, L 190 x 960 x 21, XL 190 x 4000 x 40, with 60 to 90 % of the neurons in each worm; rank 6 unless said.

{sections}
"""

SECTIONS = {
    "targets": ("Targets and what was reached", "Figures of this run; the tables below show where they come from."),
    "compare": (
        "With others",
        "The same data, with 2 % of the (pair, worm) fibres held out, for everyone, each solver in a process of its own. TensorLy's HALS "
        "has no mask and fits missing pairs as zeros; its MU has one; tensortools fills in missing entries again after every sweep. The "
        "others ran one start, until they predicted held-out fibres as well as ours (within 0.1 %), stood still, or had used up their "
        "seconds; ours ran ten starts to convergence, start-up included. Errors are relative, over observed entries. Peak memory counts the "
        "whole process; the others need the dense tensor, ours makes it as it goes.",
    ),
    "ratios": (
        "To the same held-out error",
        "CPU seconds of one start of each peer beside ours. Where the peer never predicted as well, its seconds until it stood still or was "
        "stopped count, so that the ratio is a lower bound.",
    ),
    "exactness": (
        "Compressed, then exact",
        "Iterating on 64 time patterns of each worm and finishing with two exact sweeps, beside exact sweeps throughout, from the same "
        "starts: error of the best one.",
    ),
    "cost": ("One sweep", "Eight starts together."),
    "memory": ("Whole fits", "To convergence, in a process of its own, start-up and reading included."),
    "sweep": ("Rank sweep", "Ranks 2 to the top, 10 starts each; with folds, 2 more starts for each fold."),
    "scaling": ("Scaling", "CPU seconds for 20 sweeps of 10 starts at size M, one number changed at a time."),
}


def exactness(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Errors of exact and of compressed fits side by side."""
    rows = []
    for size in dict.fromkeys(r["size"] for r in results["compare"]):
        exact, both = (r["error"] for r in results["compare"] if r["size"] == size and r["starts"] > 1)
        rows.append(
            {
                "size": size,
                "exact": f"{exact:.7f}",
                "compressed, then exact": f"{both:.7f}",
                "difference": f"{both - exact:+.0e}",
            }
        )
    return rows


def targets(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Each target with what this run reached."""
    rows: list[dict[str, Any]] = []

    def add(what: str, wanted: str, reached: str) -> None:
        rows.append({"what": what, "target": wanted, "reached": reached})

    for row in results.get("ratios", []):
        if row["size"] == "M":
            wanted = {"tensortools HALS with mask": "50 times", "TensorLy HALS (no mask)": "10 times"}.get(
                row["solver"]
            )
            more = "" if row["reached"] == "yes" else " or more: it was not there when it stopped"
            if wanted:
                add(f"M, to the same held-out error as {row['solver']}", wanted, f"{row['ratio']:.0f} times{more}")
    for row in results.get("exactness", []):
        add(f"{row['size']}, compressed and exact against exact", "within 5e-6", row["difference"])
    for row in results.get("cost", []):
        if row["size"] == "L":
            add("L, one exact sweep and start, in a batch", "115 ms CPU; stretch 90", f"{row['exact_ms']:.0f} ms")
    for row in results.get("sweep", []):
        judged = "without held-out folds" if row["folds"] == 0 else f"with {row['folds']} held-out folds"
        add(
            f"L, ranks 2 to {row['top']}, 10 starts, {judged}",
            "8 min on 2 cores; stretch 4",
            f"{row['cpu'] / 120:.1f} min of 2 cores ({row['cpu']:.0f} CPU s); {row['wall'] / 60:.0f} min on this busy machine",
        )
        add(f"L, the same, {judged}: peak memory", "1 GB", f"{row['peak_mb'] / 1000:.2f} GB")
    for row in results.get("memory", []):
        if row["size"] == "XL":
            add(
                "XL, rank 6, 8 starts",
                "80 s CPU, 1.5 GB; stretch 30 s",
                f"{row['cpu']:.0f} s CPU, {row['peak_mb'] / 1000:.2f} GB",
            )
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as a markdown table."""
    columns = list(dict.fromkeys(k for r in rows for k in r))
    lines = [
        "| " + " | ".join(UNITS.get(c, c) for c in columns) + " |",
        "| " + " | ".join("---" for _ in columns) + " |",
    ]
    for row in rows:
        cells = [
            f"{row[c]:.3g}"
            if isinstance(row.get(c), float)
            else "never"
            if row.get(c, "") is None
            else str(row.get(c, ""))
            for c in columns
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw_scaling(rows: list[dict[str, Any]]) -> None:
    """Curves of CPU seconds, one panel a quantity."""
    from napari_dynamic_connectome.report.figure_style import INK, new_figure, styled

    names = list(dict.fromkeys(r["what"] for r in rows))
    with styled():
        figure = new_figure(9.2, 2.1)
        for axes, name in zip(figure.subplots(1, len(names), sharey=True), names, strict=True):
            mine = [r for r in rows if r["what"] == name]
            values = [r["value"] for r in mine]
            axes.loglog(values, [r["cpu"] for r in mine], "o-", color=INK, ms=3)
            axes.set_xticks(values, [str(v) for v in values], fontsize=7)
            axes.set_xticks([], minor=True)
            axes.set_xlabel(name)
        figure.axes[0].set_ylabel("CPU seconds")
        seconds = (1, 2, 5, 10)
        figure.axes[0].set_yticks(seconds, [str(v) for v in seconds])
        figure.axes[0].set_yticks([], minor=True)
        figure.savefig(HERE / "images" / "benchmarks_factorization.png", dpi=130, bbox_inches="tight")


def main() -> None:
    """Write the page."""
    *files, machine = sys.argv[1:]
    results: dict[str, Any] = {}
    for file in files:
        for key, rows in json.loads(Path(file).read_text(encoding="utf-8")).items():
            results[key] = results.get(key, []) + rows
    if results.get("compare") and not results.get("exactness"):
        results["exactness"] = exactness(results)
    results["targets"] = targets(results)
    parts = []
    for key, (title, text) in SECTIONS.items():
        rows = results.get(key)
        if not rows:
            continue
        parts.append(f"## {title}\n\n{text}\n\n{table(rows)}")
        if key == "scaling":
            draw_scaling(rows)
            parts.append("![CPU seconds against each size](../images/benchmarks_factorization.png)")
    page = PAGE.format(machine=machine, sections="\n\n".join(parts))
    (HERE / "pages" / "benchmarks_factorization.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
