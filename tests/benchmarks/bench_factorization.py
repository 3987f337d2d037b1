"""Factorization against TensorLy (HALS; MU with mask) and tensortools (HALS with mask), on the same data, one after the other.

Run alone: python tests/benchmarks/bench_factorization.py [--quick] [--sizes S M L] [--memory M L XL] [--sweep] [--scaling] [--json FILE].
tensortools is compared where it can be imported (pip install tensortools munkres). Peak memory is that of a process of its own a case.
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
from importlib.util import find_spec
from pathlib import Path

import numpy as np

SIZES = {"S": (60, 300, 6), "M": (120, 600, 12), "L": (190, 960, 21), "XL": (190, 4000, 40)}
RANK = 6
HELD_OUT = 0.02


def make_cohort(neurons, times, worms, *, model="aligned", seed=0):
    """Simulated traces: shared motifs, own noise, 60 to 90 % of the neurons in each worm."""
    from scipy.ndimage import gaussian_filter1d

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
    return Cohort(recordings)


def make_affinity(neurons, times, worms, *, model="aligned", seed=0):
    """Affinities of a simulated cohort."""
    from napari_dynamic_connectome.affinity.compute import compute_affinity

    cohort = make_cohort(neurons, times, worms, model=model, seed=seed)
    return compute_affinity(cohort, alignment="absolute" if model == "aligned" else "none")


def clock():
    """CPU seconds of this process, wall seconds."""
    return time.process_time(), time.perf_counter()


def since(begin):
    """CPU and wall seconds since `begin`."""
    return tuple(b - a for a, b in zip(begin, clock(), strict=True))


class HoldOut:
    """Held-out fibres, and (once asked for) a dense copy of the tensor (worm, time, pair), which the peers need."""

    def __init__(self, affinity, seed=0):
        from napari_dynamic_connectome.factorization.folds import draw_folds
        from napari_dynamic_connectome.factorization.problem import build_problem
        from napari_dynamic_connectome.factorization.settings import FactorizationSettings

        self.problem = build_problem(affinity, FactorizationSettings())
        self.keep = draw_folds(self.problem, 2, HELD_OUT, seed)[0]

    def make_dense(self):
        """Build the tensor and the masks."""
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


def peak_mb():
    """Peak memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def run_ours(size, compression, starts=10):
    """Fit with held-out fibres; one row of the table."""
    from napari_dynamic_connectome.factorization.prepare import prepare
    from napari_dynamic_connectome.factorization.settings import FactorizationSettings
    from napari_dynamic_connectome.factorization.starts import fit_starts
    from napari_dynamic_connectome.model.execution import workers

    settings = FactorizationSettings(compression=compression)
    for warm_up, affinity in ((True, make_affinity(*SIZES["S"])), (False, make_affinity(*SIZES[size]))):
        hold = HoldOut(affinity)
        begin = clock()
        with workers(0) as pool:
            prepared = prepare(affinity, RANK, settings, pool, starts=starts, seed=0)
            fits = fit_starts(prepared, RANK, range(starts), 0, pool, keep=hold.keep)
            cpu, wall = since(begin)
        if warm_up:
            continue
        peak = peak_mb()
        hold.make_dense()
        f, chosen = fits.factors, fits.best
        parts = f.worm[chosen].T, f.time[chosen].T, f.pair[chosen].T
        return {
            "starts": starts,
            "cpu_per_start": cpu / starts,
            "wall_per_start": wall / starts,
            "sweeps": float(np.mean(fits.sweeps)),
            "cpu_per_sweep": cpu / sum(fits.sweeps),
            "error": hold.error(*parts, hold.fitted),
            "held_out": hold.error(*parts, hold.tested),
            "cpu_to_equal": cpu / starts,
            "peak_mb": peak,
        }


class Enough(Exception):
    """The peer has reached the held-out error, stands still, or ran out of its time."""


class Course:
    """CPU and wall seconds of a peer, with the time for judging it left out, until there is reason to stop."""

    def __init__(self, hold, target, budget):
        self.hold, self.target, self.budget = hold, target, budget
        self.sweeps, self.cpu, self.wall, self.to_equal = 0, 0.0, 0.0, None
        self.errors = []
        self.begin = clock()

    def look(self, sweeps, worm, times, pair):
        """Judge the factors after some more sweeps."""
        cpu, wall = since(self.begin)
        self.cpu, self.wall, self.sweeps = self.cpu + cpu, self.wall + wall, self.sweeps + sweeps
        self.factors = [np.array(f) for f in (worm, times, pair)]
        self.errors.append((self.sweeps, self.hold.error(*self.factors, self.hold.fitted)))
        held_out = self.hold.error(*self.factors, self.hold.tested)
        if held_out <= self.target:
            self.to_equal = self.cpu
        moved = abs(self.errors[-2][1] - self.errors[-1][1]) / sweeps if len(self.errors) > 1 else 1.0
        if self.to_equal is not None or moved < STANDS_STILL or self.cpu > self.budget:
            raise Enough
        self.begin = clock()

    def row(self):
        """One row of the table."""
        return {
            "starts": 1,
            "cpu_per_start": self.cpu,
            "wall_per_start": self.wall,
            "sweeps": self.sweeps,
            "cpu_per_sweep": self.cpu / self.sweeps,
            "error": self.errors[-1][1],
            "held_out": self.hold.error(*self.factors, self.hold.tested),
            "cpu_to_equal": self.to_equal,
        }


def run_peer(name, size, target, budget):
    """Fit one start of a peer until it predicts as well as `target`, stands still, or has used `budget` CPU seconds."""
    hold = HoldOut(make_affinity(*SIZES[size]))
    hold.make_dense()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Enough):
        warnings.simplefilter("ignore")
        course = Course(hold, target, budget)
        (tensortools_hals if name == PEERS[1] else tensorly_solver)(name, hold, course)
    return course.row() | {"peak_mb": peak_mb()}


def tensortools_hals(name, hold, course):
    """Look at the factors after every sweep: the solver tells its result object, which holds them."""
    from tensortools.optimize import ncp_hals

    class Told(ncp_hals.__globals__["FitResult"]):
        def update(self, value):
            super().update(value)
            course.look(1, *self.factors.factors)

    ncp_hals(np.random.default_rng(0).random((3, 4, 5)), 2, max_iter=2, verbose=False)  # compiles
    ncp_hals.__globals__["FitResult"] = Told
    mask = np.broadcast_to(hold.fitted, hold.tensor.shape).copy()
    dense = hold.tensor.astype(float)
    course.begin = clock()
    ncp_hals(dense, RANK, mask=mask, random_state=0, max_iter=10_000, tol=0, verbose=False)


def tensorly_solver(name, hold, course):
    """Look at the factors after every few sweeps, and go on from there."""
    import tensorly.decomposition as decomposition
    from tensorly.cp_tensor import CPTensor

    few = 2 if hold.tensor.size > 1e8 else 5
    known = np.where(hold.fitted, hold.tensor, 0).astype(np.float32)
    options = {"n_iter_max": few, "tol": 0, "random_state": 0}
    if name == PEERS[0]:
        solve = decomposition.non_negative_parafac_hals
    else:
        solve = decomposition.non_negative_parafac
        options["mask"] = np.broadcast_to(hold.fitted, hold.tensor.shape).astype(np.float32)
    course.begin = clock()
    init = "random"
    while True:
        cp = solve(known, RANK, init=init, **options)
        course.look(few, *(f * (cp.weights if i == 0 else 1) for i, f in enumerate(cp.factors)))
        init = CPTensor(
            (np.ones(RANK, np.float32), [f * (cp.weights if i == 0 else 1) for i, f in enumerate(cp.factors)])
        )


PEERS = ("TensorLy HALS (no mask)", "tensortools HALS with mask", "TensorLy MU with mask")
OURS = {"off": "this package, exact", "on": "this package, compressed, then exact"}
STANDS_STILL = 2e-6
"""A peer whose error moves by less than this a sweep has converged, as ours have below 1e-6."""
EQUAL = 1.001
"""A held-out error at most this many times ours counts as equal."""
BUDGETS = {"S": (30, 30, 30), "M": (60, 150, 0), "L": (40, 0, 0)}
"""CPU seconds for each peer; 0: would take hours, or more memory than the machine has."""


def solver_case(size, name, target, budget):
    """One solver on one size, in this process, as JSON."""
    own = {v: k for k, v in OURS.items()}
    row = run_ours(size, own[name]) if name in own else run_peer(name, size, float(target), float(budget))
    print(json.dumps({"size": size, "solver": name, **row}))


def compare(size, *, quick=False):
    """Rows of the table of one size, each from a process of its own."""
    rows = [alone("--solver-case", size, name, 0, 0)[0] for name in OURS.values()]
    target = EQUAL * rows[-1]["held_out"]
    for name, budget in zip(PEERS, BUDGETS[size], strict=True):
        with contextlib.suppress(subprocess.CalledProcessError):
            if budget and (name != PEERS[1] or find_spec("tensortools")):
                rows += alone("--solver-case", size, name, target, 5 if quick else budget)
    return rows


def ratios(rows):
    """How many times as long each peer takes to predict as well as ours, by CPU seconds."""
    found = []
    for row in rows:
        if row["starts"] > 1:
            continue
        ours = next(r for r in rows if r["size"] == row["size"] and r["solver"] == OURS["on"])
        took = row["cpu_to_equal"] or row["cpu_per_start"]
        found.append(
            {
                "size": row["size"],
                "solver": row["solver"],
                "reached": "yes" if row["cpu_to_equal"] else f"no: {row['held_out']:.3f}, not {ours['held_out']:.3f}",
                "cpu_to_equal": took,
                "ours_one": ours["cpu_per_start"],
                "ratio": took / ours["cpu_per_start"],
                "ours_all": ours["cpu_per_start"] * ours["starts"],
                "ratio_all": took / (ours["cpu_per_start"] * ours["starts"]),
            }
        )
    return found


def memory_case(size, rank, starts):
    """Fit once in this process and print seconds, sweeps and peak memory as JSON."""
    from napari_dynamic_connectome.factorization.factorize import factorize

    affinity = make_affinity(*SIZES[size], model="aligned")
    factorize(make_affinity(*SIZES["S"]), 2, starts=1)
    begin = clock()
    components = factorize(affinity, rank, starts=starts, model="aligned")
    cpu, wall = since(begin)
    found = components.diagnostics
    print(
        json.dumps(
            {
                "size": size, "rank": rank, "starts": starts, "cpu": cpu, "wall": wall, "error": components.error,
                "sweeps": sum(found["start_sweeps"]) / starts, "storage": found["storage"],
                "entries": found["n_entries"],
                "peak_mb": peak_mb(),
            }
        )
    )  # fmt: skip


def cost_case(size, starts):
    """CPU milliseconds of one sweep and start in a batch, over the data and over the compressed copy, as JSON."""
    from napari_dynamic_connectome.factorization.prepare import prepare
    from napari_dynamic_connectome.factorization.settings import FactorizationSettings
    from napari_dynamic_connectome.factorization.solver import Solver, random_factors
    from napari_dynamic_connectome.model.execution import workers

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


def sweep_case(size, top, folds):
    """Rank sweep 2..top in this process, as JSON."""
    from napari_dynamic_connectome.factorization.sweep import sweep_ranks

    sweep_ranks(make_affinity(*SIZES["S"]), [2], starts=1, folds=0)
    affinity = make_affinity(*SIZES[size], model="aligned")
    begin = clock()
    sweep = sweep_ranks(affinity, range(2, top + 1), starts=10, folds=folds, model="aligned")
    cpu, wall = since(begin)
    row = {"size": size, "top": top, "folds": folds, "cpu": cpu, "wall": wall, "peak_mb": peak_mb()}
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
            components = factorize(
                affinity, case["rank"], starts=case["starts"], max_sweeps=20, tolerance=0.0, model="aligned"
            )
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
    parser.add_argument("--sweep-case", nargs=3)
    parser.add_argument("--solver-case", nargs=4)
    parser.add_argument("--cost-case", nargs=2)
    chosen = parser.parse_args()
    if chosen.memory_case:
        return memory_case(chosen.memory_case[0], int(chosen.memory_case[1]), int(chosen.memory_case[2]))
    if chosen.cost_case:
        return cost_case(chosen.cost_case[0], int(chosen.cost_case[1]))
    if chosen.sweep_case:
        return sweep_case(chosen.sweep_case[0], *map(int, chosen.sweep_case[1:]))
    if chosen.solver_case:
        return solver_case(*chosen.solver_case)
    results = {}

    def add(key, rows):
        results[key] = [*results.get(key, []), *rows]
        if chosen.json:
            # after every part, so that a run that is stopped keeps what it has
            chosen.json.write_text(json.dumps(results, indent=1))

    for size in ["S"] if chosen.quick else chosen.sizes:
        add("compare", compare(size, quick=chosen.quick))
    if results:
        print(table(results["compare"]), flush=True)
        add("ratios", ratios(results["compare"]))
        print("\n" + table(results["ratios"]), flush=True)
    for size in ["S"] if chosen.quick else chosen.memory:
        add("cost", alone("--cost-case", size, 8))
        add("memory", alone("--memory-case", size, RANK, 8))
        if size == "L":
            add("memory", alone("--memory-case", size, 20, 10))
    if "memory" in results:
        print("\n" + table(results["cost"]), flush=True)
        print("\n" + table(results["memory"]), flush=True)
    if chosen.sweep:
        for folds in (0, 5):
            add("sweep", alone("--sweep-case", "L", 20, folds))
        print("\n" + table(results["sweep"]), flush=True)
    if chosen.scaling:
        add("scaling", scaling())
        print("\n" + table(results["scaling"]), flush=True)
    return None


if __name__ == "__main__":
    main()
