"""The figure of many worms is drawn from the lines in the repository, and what was not run is left out and said."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location(
    "make_benchmarks_collection", ROOT / "docs" / "make_benchmarks_collection.py"
)
assert spec is not None and spec.loader is not None
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)


def test_the_page_has_the_numbers_of_the_lines(tmp_path: Path) -> None:
    runs = made.read_lines()
    page = (ROOT / "docs" / "pages" / "benchmarks.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith("| all |") and line.count("|") > 8)
    now = sorted((r for r in runs if r["stages"]), key=lambda r: (r["worms"], r["workers"]))
    assert [int(cell) for cell in row.strip("| ").split(" | ")[1:]] == [round(r["cpu_s"]) for r in now]
    for size in (10, 50, 200):
        assert len({r["error"] for r in now if r["worms"] == size}) == 1  # threads and workers, to the last bit
    made.draw(runs, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_what_was_not_run_is_said() -> None:
    runs = made.read_lines()
    assert made.missing(runs, "cpu_s") == ["900, 1 worker"]
    assert "900 worms with one worker" in (ROOT / "docs" / "pages" / "benchmarks.md").read_text("utf-8")
    assert "| 900 | 2,150 (earlier build) | not run | 2,796, 3706 |" in made.table(runs)
