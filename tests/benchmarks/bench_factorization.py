"""Factorization against TensorLy (HALS; MU with mask) and tensortools (HALS with mask), both sides in one process.

Run alone: python tests/benchmarks/bench_factorization.py [--quick] [--sizes S M L XL] [--sweep] [--json FILE]. tensortools is
compared where it can be imported (pip install tensortools munkres). Peak memory is that of a process of its own a case.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np

SIZES = {"S": (60, 300, 6), "M": (120, 600, 12), "L": (190, 960, 21), "XL": (190, 4000, 40)}
RANK = 6
HELD_OUT = 0.02


def make_affinity(neurons, times, worms, *, model="aligned", seed=0):
    """Affinities of simulated traces: shared motifs, own noise, 60 to 90 % of the neurons in each worm."""
    from scipy.ndimage import gaussian_filter1d

    from napari_dynamic_connectome.affinity.compute import compute_affinity
    from napari_dynamic_connectome.model.cohort import Cohort
    from napari_dynamic_connectome.model.recording import Recording

    rng = np.random.default_rng(seed)
    rate = 2.66
    motifs = 8
    loading = (rng.random((motifs, neurons)) < 0.15) * rng.uniform(0.3, 1, (motifs, neurons))
    drive = gaussian_filter1d((rng.random((motifs, times)) < 0.02) * 1.0, 6, axis=1) * 15
    recordings = []
    for worm in range(worms):
        own = (
            drive
            if model == "aligned"
            else gaussian_filter1d((rng.random((motifs, times)) < 0.02) * 1.0, 6, axis=1) * 15
        )
        traces = (loading * rng.uniform(0.3, 1, (motifs, 1))).T @ own
        traces += 0.1 * gaussian_filter1d(rng.standard_normal(traces.shape), 2, axis=1)
        traces += 0.02 * rng.standard_normal(traces.shape)
        mine = np.sort(rng.permutation(neurons)[: int(neurons * rng.uniform(0.6, 0.9))])
        recordings.append(
            Recording.from_arrays(traces[mine].T, name=f"worm {worm}", rate_hz=rate, names=[f"N{i:03d}" for i in mine])
        )
    return compute_affinity(Cohort(recordings), alignment="absolute" if model == "aligned" else "none")


def clock():
    """CPU seconds of this process, wall seconds."""
    return time.process_time(), time.perf_counter()


def since(begin):
    """CPU and wall seconds since `begin`."""
    return tuple(b - a for a, b in zip(begin, clock(), strict=True))


class HoldOut:
    """A dense copy of the tensor (worm, time, pair), what is observed in it, and held-out fibres; for the peers."""

    def __init__(self, affinity, seed=0):
        from napari_dynamic_connectome.factorization.folds import draw_folds
        from napari_dynamic_connectome.factorization.problem import build_problem
        from napari_dynamic_connectome.factorization.settings import FactorizationSettings

        self.problem = build_problem(affinity, FactorizationSettings())
        self.keep = draw_folds(self.problem, 2, HELD_OUT, seed)[0]
        shape = (len(self.problem.worms), self.problem.n_times, self.problem.n_slots)
        self.tensor = np.zeros(shape, np.float32)
        self.fitted = np.zeros((shape[0], 1, shape[2]), bool)
        self.tested = np.zeros_like(self.fitted)
        for w, (worm, keep) in enumerate(zip(self.problem.worms, self.keep, strict=True)):
            self.tensor[w][:, worm.slots] = worm.block.dense()[0].T
            self.fitted[w, 0, worm.slots[keep]] = True
            self.tested[w, 0, worm.slots[~keep]] = True

    def error(self, worm, times, pair, mask):
        """Relative error of factors (entry, component) on the masked fibres."""
        rest = total = 0.0
        for w in range(len(worm)):
            chosen = mask[w, 0]
            if chosen.any():
                data = self.tensor[w][:, chosen]
                model = (times * worm[w]) @ pair[chosen].T
                rest += float(((data - model) ** 2).sum(dtype=np.float64))
                total += float((data.astype(np.float32) ** 2).sum(dtype=np.float64))
        return (rest / total) ** 0.5


def run_ours(affinity, hold, starts, compression):
    """Fit with held-out fibres; one row of the table."""
    from napari_dynamic_connectome.factorization.parallel import workers
    from napari_dynamic_connectome.factorization.prepare import prepare
    from napari_dynamic_connectome.factorization.settings import FactorizationSettings
    from napari_dynamic_connectome.factorization.starts import fit_starts

    begin = clock()
    with workers(0) as pool:
        settings = FactorizationSettings(compression=compression)
        prepared = prepare(affinity, RANK, settings, pool, starts=starts, seed=0)
        fits = fit_starts(prepared, RANK, range(starts), 0, pool, keep=hold.keep)
        cpu, wall = since(begin)
        chosen = fits.best
        f = fits.factors
        parts = f.worm[chosen].T, f.time[chosen].T, f.pair[chosen].T
    name = "this package, " + ("exact" if compression == "off" else "compressed, then exact")
    return {
        "solver": name,
        "starts": starts,
        "cpu_per_start": cpu / starts,
        "wall_per_start": wall / starts,
        "sweeps": float(np.mean(fits.sweeps)),
        "cpu_per_sweep": cpu / sum(fits.sweeps),
        "error": hold.error(*parts, hold.fitted),
        "held_out": hold.error(*parts, hold.tested),
    }


def run_peer(name, hold, sweeps):
    """Fit one start of a peer for a number of sweeps; None if it is not installed."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        if name == "tensortools HALS with mask":
            try:
                from tensortools.optimize import ncp_hals
            except ImportError:
                return None
            mask = np.broadcast_to(hold.fitted, hold.tensor.shape).copy()
            begin = clock()
            fit = ncp_hals(
                hold.tensor.astype(float), RANK, mask=mask, random_state=0, max_iter=sweeps, tol=0, verbose=False
            )
            used = since(begin)
            worm, times, pair = fit.factors.factors
        else:
            import tensorly.decomposition as decomposition

            known = np.where(hold.fitted, hold.tensor, 0).astype(np.float32)
            begin = clock()
            if name == "TensorLy HALS (no mask)":
                cp = decomposition.non_negative_parafac_hals(
                    known, RANK, n_iter_max=sweeps, init="random", random_state=0, tol=0
                )
            else:
                mask = np.broadcast_to(hold.fitted, hold.tensor.shape).astype(np.float32)
                cp = decomposition.non_negative_parafac(
                    known, RANK, n_iter_max=sweeps, init="random", random_state=0, tol=0, mask=mask
                )
            used = since(begin)
            worm, times, pair = (f * (cp.weights if i == 0 else 1) for i, f in enumerate(cp.factors))
    return {
        "solver": name,
        "starts": 1,
        "cpu_per_start": used[0],
        "wall_per_start": used[1],
        "sweeps": sweeps,
        "cpu_per_sweep": used[0] / sweeps,
        "error": hold.error(worm, times, pair, hold.fitted),
        "held_out": hold.error(worm, times, pair, hold.tested),
    }


PEERS = ("TensorLy HALS (no mask)", "tensortools HALS with mask", "TensorLy MU with mask")


def compare(size, *, quick=False):
    """Rows of the table of one size."""
    affinity = make_affinity(*SIZES[size])
    hold = HoldOut(affinity)
    run_ours(make_affinity(*SIZES["S"]), HoldOut(make_affinity(*SIZES["S"])), 2, "on")
    rows = [run_ours(affinity, hold, 10, c) for c in ("off", "on")]
    sweeps = {"S": (60, 60, 60), "M": (30, 15, 0), "L": (2, 0, 0)}[size]
    if quick:
        sweeps = tuple(min(s, 5) for s in sweeps)
    for name, count in zip(PEERS, sweeps, strict=True):
        row = run_peer(name, hold, count) if count else None
        if row:
            rows.append(row)
    return [{"size": size, **r} for r in rows]


def memory_case(size, rank, starts):
    """Fit once in this process and print seconds, sweeps and peak memory as JSON."""
    from napari_dynamic_connectome.factorization.factorize import factorize

    affinity = make_affinity(*SIZES[size], model="aligned")
    factorize(make_affinity(*SIZES["S"]), 2, starts=1)
    begin = clock()
    components = factorize(affinity, rank, starts=starts)
    cpu, wall = since(begin)
    found = components.diagnostics
    print(
        json.dumps(
            {
                "size": size, "rank": rank, "starts": starts, "cpu": cpu, "wall": wall, "error": components.error,
                "sweeps": sum(found["start_sweeps"]) / starts, "storage": found["storage"],
                "entries": found["n_entries"],
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
            }
        )
    )  # fmt: skip


def cost_case(size, starts):
    """CPU milliseconds of one sweep and start in a batch, over the data and over the compressed copy, as JSON."""
    from napari_dynamic_connectome.factorization.parallel import workers
    from napari_dynamic_connectome.factorization.prepare import prepare
    from napari_dynamic_connectome.factorization.settings import FactorizationSettings
    from napari_dynamic_connectome.factorization.solver import Solver, random_factors

    affinity = make_affinity(*SIZES[size])
    settings = FactorizationSettings(compression="on")
    with workers(0) as pool:
        prepared = prepare(affinity, RANK, settings, pool, starts=starts, seed=0)
        factors = random_factors(prepared.problem, RANK, range(starts), 0)
        row = {"size": size, "starts": starts, "storage": prepared.exact.storage}
        for name, source in (("compressed_ms", prepared.compressed), ("exact_ms", prepared.exact)):
            solver = Solver(prepared.problem, source, settings, pool)
            solver.sweep(factors)
            begin = clock()
            for _ in range(3):
                solver.sweep(factors)
            row[name] = since(begin)[0] / 3 / starts * 1e3
    print(json.dumps(row))


def sweep_case(size, top):
    """Rank sweep 2..top in this process, as JSON."""
    from napari_dynamic_connectome.factorization.sweep import sweep_ranks

    affinity = make_affinity(*SIZES[size], model="aligned")
    for folds in (0, 5):
        begin = clock()
        sweep = sweep_ranks(affinity, range(2, top + 1), starts=10, folds=folds)
        cpu, wall = since(begin)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        row = {"size": size, "top": top, "folds": folds, "cpu": cpu, "wall": wall, "peak_mb": peak}
        print(json.dumps({**row, "suggested": sweep.suggested}), flush=True)


def scaling():
    """CPU seconds a start against each size, the others as in M."""
    base = {"neurons": 120, "times": 600, "worms": 12, "rank": 6, "starts": 10}
    steps = {
        "neurons": (40, 80, 120, 190, 300), "times": (200, 400, 600, 1200, 2400), "worms": (3, 6, 12, 24, 40),
        "rank": (2, 6, 10, 15, 20), "starts": (1, 2, 5, 10, 20),
    }  # fmt: skip
    from napari_dynamic_connectome.factorization.factorize import factorize

    rows = []
    for what, values in steps.items():
        for value in values:
            case = base | {what: value}
            affinity = make_affinity(case["neurons"], case["times"], case["worms"])
            begin = clock()
            components = factorize(affinity, case["rank"], starts=case["starts"], max_sweeps=20, tolerance=0.0)
            cpu, wall = since(begin)
            rows.append({"what": what, "value": value, "cpu": cpu, "wall": wall, "error": components.error})
    return rows


def alone(*arguments):
    """Run this script in a process of its own; its JSON lines."""
    command = [sys.executable, str(Path(__file__).resolve()), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def table(rows):
    """Rows as a markdown table."""
    columns = list(dict.fromkeys(k for r in rows for k in r))
    lines = ["| " + " | ".join(columns) + " |", "| " + " | ".join("---" for _ in columns) + " |"]
    for row in rows:
        cells = [f"{row[c]:.4g}" if isinstance(row.get(c), float) else str(row.get(c, "")) for c in columns]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    """Print the tables; write everything as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="sizes S only, few sweeps of the peers")
    parser.add_argument("--sizes", nargs="*", default=["S", "M", "L"], help="sizes to compare with the peers")
    parser.add_argument("--memory", nargs="*", default=["M", "L"], help="sizes whose peak memory is measured")
    parser.add_argument("--sweep", action="store_true", help="also the rank sweep of L (minutes)")
    parser.add_argument("--scaling", action="store_true", help="also the scaling curves")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--memory-case", nargs=3)
    parser.add_argument("--sweep-case", nargs=2)
    parser.add_argument("--cost-case", nargs=2)
    chosen = parser.parse_args()
    if chosen.memory_case:
        return memory_case(chosen.memory_case[0], int(chosen.memory_case[1]), int(chosen.memory_case[2]))
    if chosen.cost_case:
        return cost_case(chosen.cost_case[0], int(chosen.cost_case[1]))
    if chosen.sweep_case:
        return sweep_case(chosen.sweep_case[0], int(chosen.sweep_case[1]))
    results = {"compare": [], "cost": [], "memory": [], "sweep": [], "scaling": []}
    for size in ["S"] if chosen.quick else chosen.sizes:
        results["compare"] += compare(size, quick=chosen.quick)
    print(table(results["compare"]), flush=True)
    for size in ["S"] if chosen.quick else chosen.memory:
        results["cost"] += alone("--cost-case", size, 8)
        results["memory"] += alone("--memory-case", size, RANK, 8)
        if size == "L":
            results["memory"] += alone("--memory-case", size, 20, 10)
    if results["memory"]:
        print("\n" + table(results["cost"]), flush=True)
        print("\n" + table(results["memory"]), flush=True)
    if chosen.sweep:
        results["sweep"] = alone("--sweep-case", "L", 20)
        print("\n" + table(results["sweep"]), flush=True)
    if chosen.scaling:
        results["scaling"] = scaling()
        print("\n" + table(results["scaling"]), flush=True)
    if chosen.json:
        chosen.json.write_text(json.dumps(results, indent=1))
    return None


if __name__ == "__main__":
    main()
