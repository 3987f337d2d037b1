"""Speed of the affinity tiles beside plain NumPy, and memory beside a dense tensor.

Run alone: python tests/benchmarks/bench_affinity.py [--quick]. Both sides take turns in one process; the best of the rounds counts.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np

from napari_dynamic_connectome import Cohort, Recording
from napari_dynamic_connectome.affinity.compute import compute_affinity
from napari_dynamic_connectome.affinity.measures.differential import strengths
from napari_dynamic_connectome.affinity.sampling import sample_worm

SIZES = {"S": (60, 300, 6), "M": (120, 600, 12), "L": (190, 960, 21), "XL": (190, 4000, 40)}
KINDS = ("differential", "edge time series", "sliding correlation")


def make_cohort(n_neurons: int, n_times: int, n_worms: int, seed: int = 0) -> Cohort:
    rng = np.random.default_rng(seed)
    names = [f"N{i:03d}" for i in range(n_neurons)]
    worms = []
    for w in range(n_worms):
        seen = np.sort(rng.choice(n_neurons, round(0.75 * n_neurons), replace=False))
        x = rng.standard_normal((n_times, len(seen)), dtype=np.float32).cumsum(axis=0)
        worms.append(Recording.from_arrays(x, name=f"w{w}", rate_hz=2.0, names=[names[i] for i in seen]))
    return Cohort(worms)


def numpy_tile(value, first, last, columns, min_run):
    """The same differential affinity with array expressions; run bounds are known for both sides."""
    i, j = columns[:, 0], columns[:, 1]
    run = np.minimum(last[i], last[j]) - np.maximum(first[i], first[j])
    strength = np.minimum(np.abs(value[i]), np.abs(value[j]))
    return np.where((run >= min_run) & ((value[i] > 0) == (value[j] > 0)), strength, np.float32(0))


def run_bounds(value):
    """First and one-past-last sample of the run of constant sign around every sample."""
    n, length = value.shape
    sign = np.sign(value)
    new = np.concatenate([np.ones((n, 1), bool), sign[:, 1:] != sign[:, :-1]], axis=1)
    index = np.arange(length)
    first = np.maximum.accumulate(np.where(new, index, 0), axis=1)
    ends = np.where(np.concatenate([new[:, 1:], np.ones((n, 1), bool)], axis=1), index + 1, length)
    last = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
    return first.astype(np.int32), last.astype(np.int32)


def timed(function: Callable[[], object]) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    function()
    return time.process_time() - cpu, time.perf_counter() - wall


def compare_with_numpy(rounds: int) -> str:
    lines = [
        "| size | entries, one worm | tiles CPU s | NumPy CPU s | times faster | largest difference |",
        "|---|---|---|---|---|---|",
    ]
    for name in ("S", "M", "L"):
        n_neurons, n_times, _ = SIZES[name]
        cohort = make_cohort(n_neurons, n_times, 1)
        spec = compute_affinity(cohort)
        block, worm = spec.blocks[0], cohort.recordings[0]
        features = block.features
        sampling = sample_worm(worm.time_s, cohort.traces_of(0).values, worm.breaks, spec.rate_hz, spec.settings.gap_s)
        value = strengths(sampling, spec.settings).astype(np.float32)
        first, last = run_bounds(value)
        out = np.empty((block.n_rows, block.n_times), np.float32)

        def ours(block=block, out=out):
            # The sizes in which a fit asks for tiles: small enough for the cache.
            for row in range(0, block.n_rows, 256):
                end = min(row + 256, block.n_rows)
                block.tile(row, end, 0, block.n_times, 0, out[row:end])

        def theirs(value=value, features=features, first=first, last=last, block=block):
            return numpy_tile(value, first, last, block.columns, features.min_run)

        ours()
        difference = float(np.abs(out - theirs()).max())
        mine = other = np.inf
        for _ in range(rounds):
            mine = min(mine, timed(ours)[0])
            other = min(other, timed(theirs)[0])
        lines.append(
            f"| {name} | {out.size / 1e6:.2f} M | {mine:.4f} | {other:.4f} | {other / mine:.1f} | {difference:.0e} |"
        )
    return "\n".join(lines)


def whole_cohorts(sizes: tuple[str, ...]) -> str:
    lines = [
        "| size | kind | describe, CPU s | features MB | dense float32 MB | all tiles once, CPU s | ns an entry |",
        "|---|---|---|---|---|---|---|",
    ]
    for size in sizes:
        cohort = make_cohort(*SIZES[size])
        for kind in KINDS:
            if size == "XL" and kind == "sliding correlation":
                continue
            compute_affinity(cohort.subset(cohort.worms[:1]), kind=kind).mean_affinity()
            made = []
            describe = timed(
                lambda kind=kind, cohort=cohort, made=made: made.append(compute_affinity(cohort, kind=kind))
            )[0]
            spec = made[0]
            entries = sum(b.n_rows * b.n_times for b in spec.blocks)
            mean = timed(spec.mean_affinity)[0]
            lines.append(
                f"| {size} | {kind} | {describe:.2f} | {spec.nbytes / 1e6:.1f} | {entries * 4 / 1e6:.0f} | {mean:.2f} | "
                f"{mean / entries * 1e9:.2f} |"
            )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes only")
    quick = parser.parse_args(arguments).quick
    print("## Affinity tiles against NumPy expressions (differential, same sign, one worm)\n")
    print(compare_with_numpy(3 if quick else 7))
    print("\n## Whole cohorts: features kept, tensor never built\n")
    print(whole_cohorts(("S", "M") if quick else ("S", "M", "L", "XL")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
