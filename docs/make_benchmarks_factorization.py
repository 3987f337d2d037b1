"""Make docs/pages/benchmarks_factorization.md from the results of tests/benchmarks/bench_factorization.py --json FILE.

python docs/make_benchmarks_factorization.py FILE "what the machine was, and how busy"
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
}  # fmt: skip

PAGE = """\
# Factorization: speed and memory

Made by `docs/make_benchmarks_factorization.py` from a run of `tests/benchmarks/bench_factorization.py`. {machine} CPU seconds count
what was computed, whatever else the machine was doing; wall seconds depend on it. Sizes are neurons x time points x worms: S 60 x 300 x 6,
M 120 x 600 x 12, L 190 x 960 x 21, XL 190 x 4000 x 40, with 60 to 90 % of the neurons in each worm; rank 6 unless said.

{sections}
"""

SECTIONS = {
    "compare": (
        "With others",
        "The same data, with 2 % of the (pair, worm) fibres held out, for everyone. TensorLy's HALS has no mask and fits missing pairs as zeros; "
        "its MU has one; tensortools fills in missing entries again after every sweep. The others ran one start and a fixed number of sweeps "
        "(converged or not); ours ran to convergence, start-up included. Errors are relative, over observed entries.",
    ),
    "cost": ("One sweep", "Eight starts together."),
    "memory": ("Whole fits", "To convergence, in a process of its own, start-up and reading included."),
    "sweep": ("Rank sweep", "Ranks 2 to the top, 10 starts each; with folds, 2 more starts for each fold."),
    "scaling": ("Scaling", "CPU seconds for 20 sweeps of 10 starts at size M, one number changed at a time."),
}


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as a markdown table."""
    columns = list(dict.fromkeys(k for r in rows for k in r))
    lines = [
        "| " + " | ".join(UNITS.get(c, c) for c in columns) + " |",
        "| " + " | ".join("---" for _ in columns) + " |",
    ]
    for row in rows:
        cells = [f"{row[c]:.3g}" if isinstance(row.get(c), float) else str(row.get(c, "")) for c in columns]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw_scaling(rows: list[dict[str, Any]]) -> None:
    """Curves of CPU seconds, one panel a quantity."""
    from napari_dynamic_connectome.figures.style import INK, new_figure, styled

    names = list(dict.fromkeys(r["what"] for r in rows))
    with styled():
        figure = new_figure(9.2, 2.1)
        for axes, name in zip(figure.subplots(1, len(names)), names, strict=True):
            mine = [r for r in rows if r["what"] == name]
            axes.loglog([r["value"] for r in mine], [r["cpu"] for r in mine], "o-", color=INK, ms=3)
            axes.set_xlabel(name)
        figure.axes[0].set_ylabel("CPU seconds")
        figure.savefig(HERE / "images" / "benchmarks_factorization.png", dpi=130, bbox_inches="tight")


def main() -> None:
    """Write the page."""
    results = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    parts = []
    for key, (title, text) in SECTIONS.items():
        rows = results.get(key)
        if not rows:
            continue
        parts.append(f"## {title}\n\n{text}\n\n{table(rows)}")
        if key == "scaling":
            draw_scaling(rows)
            parts.append("![CPU seconds against each size](../images/benchmarks_factorization.png)")
    page = PAGE.format(machine=sys.argv[2] if len(sys.argv) > 2 else "", sections="\n\n".join(parts))
    (HERE / "pages" / "benchmarks_factorization.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
