"""The long form: hundreds of kills, every fault, minutes of fuzzing and of random clicks; prints a table.

python tests/soak/soak.py [--kills 300] [--run-kills 60] [--fuzz-minutes 3] [--stress-minutes 3] [--mutants 60] [--seed 0]

Ends with 1 if anything was lost, half-written, unreadable, stuck or stale, or if a reader raised anything but our own errors.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import fuzz
import kill_runs
import kills
import memory
import mutants
import odd
import paths
import stress

BAD = (
    "edits lost",
    "unreadable",
    "half-written",
    "shown but not kept",
    "silent failures",
    "edits invented",
    "results that differ",
    "done twice",
    "failed",
    "stuck",
    "crashed",
    "errors",
    "stale",
    "overwritten",
    *odd.BAD,
)


def main() -> int:
    """Run everything; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--run-kills", type=int, default=60)
    parser.add_argument("--fuzz-minutes", type=float, default=3)
    parser.add_argument("--stress-minutes", type=float, default=3)
    parser.add_argument("--mutants", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", help="write the table into this page, between its marks")
    asked = parser.parse_args()
    system = f"{platform.system()}, Python {platform.python_version()}, {os.cpu_count()} cores"
    options = {k: v for k, v in vars(asked).items() if k != "page"}
    command = "make soak ARGS='" + " ".join(f"--{k.replace('_', '-')} {v:g}" for k, v in options.items()) + "'"
    said = f"{time.strftime('%Y-%m-%d')}, {system}: `{command}`"
    print(said, flush=True)
    rows: list[tuple[str, str, float]] = []
    bad: Counter[str] = Counter()

    def do(title: str, step) -> None:
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            Path(folder).chmod(0o755)
            os.environ["DYNAMIC_CONNECTOME_CACHE"] = str(Path(folder) / "cache")
            counts = step(Path(folder))
        if isinstance(counts, str):
            rows.append((title, f"not tried: {counts}", time.monotonic() - start))
            return
        bad.update({k: n for k, n in counts.items() if n and (k in BAD or k.startswith(("crash", "slow ")))})
        if counts.get("mutants") and counts["percent"] < 90:
            bad["survived"] += counts["survived"]
        words = ", ".join(f"{k} {n}" for k, n in counts.items() if ": " not in k)
        rows.append((title, words, time.monotonic() - start))
        print(f"{title}: {words}", flush=True)

    half = asked.kills // 2
    do("SIGKILL, folder", lambda f: kills.kill_while_editing(f, asked.kills - half, 2 * asked.seed))
    do("SIGKILL, zip", lambda f: kills.kill_while_editing(f, half, 2 * asked.seed + 1))
    do("SIGKILL, runs", lambda f: kill_runs.kill_runs(f, asked.run_kills, asked.seed))
    do("SIGKILL, never saved", lambda f: paths.kill_never_saved(f, half, asked.seed))
    do("SIGKILL, runs over edits", lambda f: paths.kill_edited_runs(f, max(asked.run_kills // 3, 1), asked.seed))
    do("copies while it writes", lambda f: paths.snapshots(f, half, asked.seed))
    do("full disk, exports", paths.full_disk_exports)
    do("foreign files, exports", paths.foreign_folders)
    do("two at one place", paths.two_at_once)
    do("torn journal", lambda f: kills.torn_journals(f, asked.kills, asked.seed))
    do("full disk", kills.full_disk)
    do("read-only folder", kills.no_permission)
    do("folder renamed", kills.folder_renamed)
    do("out of memory", kills.out_of_memory)
    do("out of memory, runs", memory.lack_of_memory)
    do("random clicks", lambda f: stress.stress(f, 60 * asked.stress_minutes, asked.seed))
    do("corpus", lambda f: fuzz.replay_corpus())
    do("odd inputs", lambda f: odd.odd_inputs(asked.seed))
    do("fuzzing", lambda f: fuzz.fuzz_all(f, 60 * asked.fuzz_minutes, asked.seed, keep=True))
    if asked.mutants:
        do("mutants", lambda f: mutants.mutate(asked.mutants, asked.seed))
    table = ["| what | counts | s |", "| --- | --- | --- |"]
    table += [f"| {title} | {words} | {seconds:.0f} |" for title, words, seconds in rows]
    print("\n" + "\n".join(table))
    if asked.page:
        page = Path(asked.page)
        before, _, rest = page.read_text(encoding="utf-8").partition("% begin soak\n")
        end = "Nothing was lost." if not bad else f"**Lost: {dict(bad)}**"
        text = f"{before}% begin soak\n\n{said}\n\n" + "\n".join(table) + f"\n\n{end}\n\n% end soak\n"
        page.write_text(text + rest.partition("% end soak\n")[2], encoding="utf-8")
    print("\nNothing lost." if not bad else f"\nLOST: {dict(bad)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
