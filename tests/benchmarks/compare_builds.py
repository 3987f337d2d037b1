"""Two checkouts side by side, stage by stage: CPU, wall time and peak memory, as ratios.

Run: python tests/benchmarks/compare_builds.py OLD NEW --scenario demo|real|paper|cold [--stages NAME ...] [--repeats N]

OLD and NEW are checkouts (folders with `src`); both run in the interpreter that runs this script, so they share its packages. Every
stage runs in a process of its own, alternately in the old and the new checkout, with one BLAS thread; of several repeats the median
counts. Kernels are compiled, and loaded, before a stage is measured, in a cache of each checkout's own; `cold` measures just that, in
an empty cache. The two must find their way to the same functions: where a module moved, both places are tried.

demo: 10 simulated worms of 80 neurons and 1,200 frames; paper: 21 of 188 neurons and 960 frames; real: the recordings in the
development data (or in DYNAMIC_CONNECTOME_DATA).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

SIZES = {"demo": (10, 80, 1200), "paper": (21, 188, 960)}
STAGES = ("sweep", "core", "core, 29 nulls", "modules", "modules, 29 nulls", "figures and report", "analysis")
RANK = 4
CHILD = """
import importlib, json, os, resource, sys, time
import numpy as np
stage, data = sys.argv[1:]
P = "napari_dynamic_connectome."


def load(name, *places):
    for place in places:
        try:
            return getattr(importlib.import_module(P + place), name)
        except (ImportError, AttributeError):
            continue
    raise SystemExit(f"{name} is in none of {places}")


Cohort = load("Cohort", "model.cohort")
Recording = load("Recording", "model.recording")


def cohort(worms=None, neurons=None, times=None):
    with np.load(data, allow_pickle=False) as stored:
        names = stored["names"]
        made = []
        for key in list(k for k in stored.files if k.startswith("worm"))[:worms]:
            seen = np.flatnonzero(np.isfinite(stored[key]).all(axis=0))[:neurons]
            values = stored[key][:times, seen]
            made.append(Recording.from_arrays(values, name=key, rate_hz=4, names=[str(n) for n in names[seen]]))
    return Cohort(made)


def settings(**more):
    own = {"affinity": {"alignment": "absolute"}, **more}
    return load("PipelineSettings", "pipeline.settings")(**own)


def analyzed(one, **more):
    return load("analyze", "pipeline.run")(one, settings(**more))


def sweep(one, ranks, starts):
    affinity = load("compute_affinity", "affinity.compute")(one, alignment="absolute")
    return load("sweep_ranks", "factorization.sweep")(affinity, ranks, starts=starts, folds=3)


def session_of(one, result):
    session = load("Session", "session.session", "model.session")()
    for recording in one.recordings:
        session.add(recording, make_current=False)
    result.put_into(session, one)
    return session


def pictures(session, folder):
    import inspect
    from pathlib import Path
    write_figures = load("write_figures", "report.html", "figures.report")
    write_report = load("write_report", "report.html", "figures.report")
    build_report = load("build_report", "report.html", "figures.report")
    paths = write_figures(session, Path(folder) / "figures")
    more = {}
    if "drawn" in inspect.signature(build_report).parameters:
        more["drawn"] = {p.stem: p for p in paths if p.suffix == ".png"}
    write_report(session, Path(folder) / "report.html", **more)


QUICK = {"communities": {"starts": 1, "rounds": 1, "samples": 0, "null_fits": 0}, "rank": {"rank": 2, "starts": 1}}
find = load("find_communities", "communities.find")
if stage == "cold":
    def work():
        load("precompile", "communities.find")() if hasattr(importlib.import_module(P + "communities.find"), "precompile") \\
            else load("warm_up", "communities.find")()
elif stage == "sweep":
    sweep(cohort(3, 12, 60), (2, 3), 1)
    whole = cohort()
    work = lambda: sweep(whole, range(2, 9), 6)
elif stage in ("core", "modules", "core, 29 nulls", "modules, 29 nulls"):
    kind = stage.split(",")[0]
    with np.load(data, allow_pickle=False) as stored:
        matrices = stored["matrices"]
    small = np.where(np.eye(16), 0, 1.0) * np.random.default_rng(0).exponential(size=(16, 16))
    find(small + small.T, kind=kind, starts=2, rounds=2, samples=2, null_fits=1)
    def work():
        for matrix in matrices:
            find(matrix, kind=kind, null_fits=29 if "29" in stage else 0)
elif stage == "figures and report":
    import tempfile
    result = analyzed(cohort(), **{**QUICK, "rank": {"rank": int(os.environ["RANK"]), "starts": 1}})
    session = session_of(cohort(), result)
    work = lambda: pictures(session, tempfile.mkdtemp())
else:
    analyzed(cohort(4, 12, 80), **QUICK)
    whole = cohort()
    work = lambda: analyzed(whole)
cpu, wall = time.process_time(), time.perf_counter()
work()
cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
print(json.dumps({"cpu": cpu, "wall": wall, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def simulated(worms: int, neurons: int, times: int) -> dict[str, np.ndarray]:
    """Traces with four planted groups, a fifth of the neurons missing in each worm (NaN), and matrices with these groups."""
    rng = np.random.default_rng(20_261_201)
    group = np.arange(neurons) % 5
    t = np.arange(times)
    found: dict[str, np.ndarray] = {"names": np.array([f"N{k:03d}" for k in range(neurons)])}
    drives = np.stack([np.sin(t / (9 + 4 * g) + g) * (np.sin(t / (70 + 11 * g)) > 0) for g in range(4)])
    for worm in range(worms):
        own = np.vstack([drives, np.zeros(times)])[group].T
        noise = rng.normal(size=(times, neurons))
        for k in range(1, times):
            noise[k] = 0.8 * noise[k - 1] + 0.6 * noise[k]
        values = 4 + own + 0.6 * noise
        values[:, rng.random(neurons) < 0.2] = np.nan
        found[f"worm{worm:02d}"] = values
    found["matrices"] = matrices_of(neurons, group, rng)
    return found


def matrices_of(neurons: int, group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Weights of `RANK` components: one group strong, neurons of different strength, exponential weights."""
    made = []
    for k in range(RANK):
        strength = np.exp(rng.normal(0, 0.5, neurons))
        inside = (group[:, None] == group) & (group == k)
        weights = np.triu(rng.exponential(np.outer(strength, strength) * np.where(inside, 3.0, 1.0)), 1)
        made.append(weights + weights.T)
    return np.stack(made)


def recorded() -> dict[str, np.ndarray]:
    """Recordings of the development data, on the neurons of the first; matrices as in `simulated`."""
    asked = os.environ.get("DYNAMIC_CONNECTOME_DATA")
    folder = (Path(asked) if asked else Path(__file__).resolve().parents[3] / "shared" / "data") / "traces"
    files = sorted(folder.glob("*.npz"))
    if not files:
        raise SystemExit(f"no recordings in {folder}: set DYNAMIC_CONNECTOME_DATA")
    from napari_dynamic_connectome.io.registry import read_recordings

    recordings = [r for f in files for r in read_recordings(f)]
    names = sorted({str(n) for r in recordings for n in r.named})
    times = min(r.n_times for r in recordings)
    found: dict[str, np.ndarray] = {"names": np.array(names)}
    for k, recording in enumerate(recordings):
        values = np.full((times, len(names)), np.nan)
        known = [n for n in names if n in set(recording.named)]
        values[:, [names.index(n) for n in known]] = recording.traces.sel(neuron=known).values[:times]
        values[:, ~np.isfinite(values).all(axis=0)] = np.nan
        found[f"worm{k:02d}"] = values
    rng = np.random.default_rng(0)
    found["matrices"] = matrices_of(len(names), np.arange(len(names)) % 5, rng)
    return found


def measure(build: Path, stage: str, data: Path, cache: Path, threads: int) -> dict[str, float]:
    """One stage in one checkout, in a process of its own."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(build / "src"),
        "NUMBA_CACHE_DIR": str(cache),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "RANK": str(RANK),
    }
    if threads:
        environment["DYNAMIC_CONNECTOME_THREADS"] = str(threads)
    command = [sys.executable, "-c", CHILD, stage, str(data)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{build.name}, {stage}:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--scenario", choices=("demo", "real", "paper", "cold"), default="demo")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0, help="of the new checkout (default: one a core)")
    options = parser.parse_args()
    stages = ["cold"] if options.scenario == "cold" else options.stages
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.npz"
        if options.scenario != "cold":
            made = recorded() if options.scenario == "real" else simulated(*SIZES[options.scenario])
            np.savez(data, **made)  # type: ignore[arg-type]
        print(f"| {options.scenario}: stage | CPU s, old | new | CPU | wall | peak MB, old | new | peak |")
        print("|---|---|---|---|---|---|---|---|")
        for stage in stages:
            runs: dict[str, list[dict[str, float]]] = {"old": [], "new": []}
            for repeat in range(options.repeats):
                for which in ("old", "new"):
                    build = getattr(options, which).resolve()
                    cache = Path(folder) / (f"cold{repeat}{which}" if stage == "cold" else which)
                    runs[which].append(measure(build, stage, data, cache, options.threads))
            old, new = (
                {k: statistics.median(r[k] for r in runs[w]) for k in ("cpu", "wall", "peak")} for w in ("old", "new")
            )
            cells = [f"{old['cpu']:.1f}", f"{new['cpu']:.1f}", f"{new['cpu'] / old['cpu']:.2f}"]
            cells += [f"{new['wall'] / old['wall']:.2f}", f"{old['peak']:.0f}", f"{new['peak']:.0f}"]
            print(f"| {stage} | {' | '.join(cells)} | {new['peak'] / old['peak']:.2f} |", flush=True)


if __name__ == "__main__":
    main()
