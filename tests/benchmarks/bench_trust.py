"""What the program claims where the truth is known: planted cohorts, noise, planted graphs, size of the p values.

    python tests/benchmarks/bench_trust.py claims --seeds 100 101      planted cohorts: false and found communities, rank
    python tests/benchmarks/bench_trust.py noise --seeds 100 --kinds white 5 --aligned both
    python tests/benchmarks/bench_trust.py background --seeds 100 101  planted graphs with background, and N = 60, r = 2
    python tests/benchmarks/bench_trust.py seeds --seeds 100           the same cohort with two seeds
    python tests/benchmarks/bench_trust.py size --seeds 100 101        size of p on fresh noise cohorts
    python tests/benchmarks/bench_trust.py baselines --seeds 100 101   static methods on the cohorts of `claims`, and time-shifted
    python tests/benchmarks/bench_trust.py others --seeds 100          cohorts of other generators, planted and with nothing in them
    python tests/benchmarks/bench_trust.py reversals --seeds 0         four real worms, each left out once (see docs/make_real_worms.py)
    python tests/benchmarks/bench_trust.py speed --seeds 100           CPU and wall time of one analysis

Seeds from 100 on were never used to choose anything (figures in docs/pages/believe.md: from 400 on). Every line is printed as soon as it is known.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pandas as pd
from scipy.signal import lfilter
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from napari_dynamic_connectome import Cohort, Components, Recording, find_communities, simulate_cohort
from napari_dynamic_connectome.affinity.compute import compute_affinity
from napari_dynamic_connectome.affinity.shift import Shifter
from napari_dynamic_connectome.affinity.surrogates import surrogate_cohort
from napari_dynamic_connectome.baselines.panel import static_baselines
from napari_dynamic_connectome.communities.tail import tail_p_value
from napari_dynamic_connectome.pipeline.project import project_recordings
from napari_dynamic_connectome.pipeline.run import AnalysisResult, analyze
from napari_dynamic_connectome.pipeline.settings import PipelineSettings
from napari_dynamic_connectome.pipeline.surrogate_fits import fit_ranks

sys.path.insert(0, str(Path(__file__).parent))

NAMES = [
    c + s
    for c in [
        "AVA",
        "AVE",
        "AIB",
        "RIM",
        "AVB",
        "RIB",
        "RMD",
        "SMD",
        "SMB",
        "RIA",
        "RIV",
        "AIY",
        "AIZ",
        "AIA",
        "AWA",
        "AWB",
        "AWC",
        "ASE",
        "ASH",
        "ASK",
        "ASI",
        "ADL",
        "ADF",
        "AFD",
        "URX",
        "URY",
        "OLL",
        "IL1",
        "BAG",
        "NSM",
    ]
    for s in "LR"
]


def overlap(a: set[str], b: set[str]) -> float:
    """Jaccard index."""
    return len(a & b) / len(a | b)


def noise_cohort(seed: int, kind: str, *, aligned: bool, worms: int = 10, missing: float = 0.4) -> Cohort:
    """Independent noise: white, or autoregressive with a time constant in seconds."""
    rng = np.random.default_rng(seed)
    rate, count, burn = 2.5, 600, 400
    recordings = []
    for worm in range(worms):
        keep = [n for n in NAMES if rng.random() >= missing]
        traces = rng.normal(size=(count, len(keep)))
        if kind != "white":
            phi = float(np.exp(-1 / (float(kind) * rate)))
            slow = lfilter([np.sqrt(1 - phi**2)], [1, -phi], rng.normal(size=(count + burn, len(keep))), axis=0)
            traces = slow[burn:] + 0.1 * traces
        onset = 15 + 28.0 * np.arange(8)
        stimuli = pd.DataFrame(
            {"name": rng.permutation(["a", "b", "c", "d"] * 2), "onset": onset, "offset": onset + 10}
        )
        more = {"stimuli": stimuli} if aligned else {}
        recordings.append(
            Recording.from_arrays(1 + 0.2 * traces, name=f"w{worm}", time_s=np.arange(count) / rate, names=keep, **more)
        )
    return Cohort(recordings)


def claims_of(result: AnalysisResult) -> list[tuple[int, str, set[str], float]]:
    """Component, kind, members and corrected p of every community that is claimed."""
    return [
        (component, kind, set(row["members"].split()), float(row["q_value"]))
        for (component, kind), communities in result.communities.items()
        for _, row in communities.table().iterrows()
    ]


def with_other_side(result: AnalysisResult) -> dict[tuple[int, str, frozenset[str]], set[str]]:
    """Members of both sides, of every community that is said to be one of two sides of a group."""
    tables = {key: communities.table().set_index("community") for key, communities in result.communities.items()}
    found = {}
    for (component, kind), table in tables.items():
        for _, row in table.iterrows():
            if np.isfinite(row.get("side_of", np.nan)):
                members = set(row["members"].split())
                other = tables[component, row["side_in"]].loc[int(row["side_of"]), "members"].split()
                found[component, kind, frozenset(members)] = members | set(other)
    return found


def bench_claims(options: argparse.Namespace) -> None:
    """Planted cohorts of ten worms, default settings."""
    total: dict[str, list[int]] = {k: [0, 0, 0, 0] for k in ("core", "modules", "all")}
    sides: list[float] = []
    found: dict[str, list[float]] = {"core": [], "all": []}
    ranks = []
    for seed in options.seeds:
        cohort, truth = simulate_cohort(n_worms=options.worms, seed=seed)
        motifs = {m: set(g) for m, g in truth.members.groupby("motif")["neuron"]}
        # neurons of a motif that fall while the others rise move together, and never with the others
        halves = [set(g) for _, g in truth.members.groupby(["motif", "sign"])["neuron"]]
        start = time.process_time()
        result = analyze(cohort, PipelineSettings())
        claims, both = claims_of(result), with_other_side(result)
        sides += [max(overlap(group, m) for m in motifs.values()) for group in both.values()]
        for component, kind, members, _ in claims:
            whole = max(overlap(members, m) for m in motifs.values())
            either = max(whole, *(overlap(members, m) for m in halves))
            # what is said to be one side of a group claims the group
            said = both.get((component, kind, frozenset(members)), members)
            for key in (kind, "all"):
                total[key][0] += 1
                total[key][1] += int(whole < 0.5)
                total[key][2] += int(either < 0.5)
                total[key][3] += int(max(overlap(said, m) for m in motifs.values()) < 0.5)
        for m in motifs.values():
            for key in found:
                own = [c[2] for c in claims if key in ("all", c[1])]
                found[key].append(max((overlap(c, m) for c in own), default=0.0))
        support = result.components.support
        shown = 0 if support is None else int((~support["background"].astype(bool)).sum())
        ranks.append(shown)
        print(
            f"seed {seed}: rank {result.components.rank}, {shown} beside the background, {len(claims)} claims; motifs found "
            f"{[round(f, 2) for f in found['all'][-len(motifs) :]]}; {time.process_time() - start:.0f} CPU s",
            flush=True,
        )
    for key, (count, whole_false, either_false, said_false) in total.items():
        print(
            f"{key}: {count} claims, {whole_false} match no motif, {either_false} nor its neurons of one sign; taken with the other "
            f"side where they are said to be one of two, {said_false} match no motif"
        )
    print(
        f"{len(sides)} claims said to be one of two sides; both together match a motif with {[round(s, 2) for s in sides]}"
    )
    for key, values in found.items():
        print(f"{key}: {np.mean([v >= 0.7 for v in values]):.0%} of {len(values)} planted motifs found at .7")
    print(f"components beside the background: {ranks} (4 planted)")


def bench_noise(options: argparse.Namespace) -> None:
    """Noise cohorts: is 'nothing' said, and nothing claimed?"""
    said = claimed = count = 0
    for seed in options.seeds:
        for kind in options.kinds:
            for aligned in {"yes": [True], "no": [False], "both": [True, False]}[options.aligned]:
                result = analyze(noise_cohort(seed, kind, aligned=aligned, worms=options.worms), PipelineSettings())
                count += 1
                said += int(result.components.rank == 0)
                claimed += int(len(claims_of(result)) > 0)
                print(f"seed {seed} {kind} aligned={aligned}: rank {result.components.rank}", flush=True)
    print(f"{count} noise cohorts: 'no structure beyond chance' in {said}, a community claimed in {claimed}")


def bench_background(options: argparse.Namespace) -> None:
    """Planted graphs: background called background, and what is shown of dense graphs of 60 nodes."""
    from bench_communities import planted

    hits: list[float] = []
    shown: list[bool] = []
    for seed in options.seeds:
        for ratio in (2.5, 4.0):
            rng = np.random.default_rng(seed)
            truth = np.repeat([0, 1, 2, -1], [32, 32, 32, 24])
            inside = (truth[:, None] == truth) & (truth[:, None] >= 0)
            weights = np.triu(rng.exponential(np.where(inside, ratio, 1.0)), 1)
            found = find_communities(weights + weights.T, seed=0, samples=50)
            labels, out = found.labels.values[found.chosen_level], truth < 0
            hits += (labels[out] < 0).tolist()
            table = found.table()
            sure = table[table["q_value"] <= 0.05]["community"] if "q_value" in table else []
            shown.append(any((out & (labels == g)).sum() > 0.5 * (labels == g).sum() for g in sure))
    print(
        f"background called background {np.mean(hits):.1%}; shown as a significant community in {sum(shown)} of {len(shown)} graphs"
    )
    scores: dict[str, list[float]] = {"shown": [], "Louvain": [], "Leiden": []}
    for seed in options.seeds:
        weights, truth = planted(60, 2.0, np.random.default_rng([77, seed]), unequal=bool(seed % 2))
        real = truth >= 0
        for name, more in (
            ("shown", {"samples": 0}),
            ("Louvain", {"method": "louvain"}),
            ("Leiden", {"method": "leiden"}),
        ):
            found = find_communities(weights, seed=seed, **more)
            scores[name].append(adjusted_mutual_info_score(truth[real], found.labels.values[found.chosen_level][real]))
    print("N = 60, r = 2, AMI on planted nodes: " + ", ".join(f"{k} {np.mean(v):.2f}" for k, v in scores.items()))


def bench_seeds(options: argparse.Namespace) -> None:
    """The same cohort with two seeds: adjusted Rand index of the communities, neurons that are marked unsure left out."""
    for seed in options.seeds:
        cohort, _ = simulate_cohort(n_worms=options.worms, seed=seed)
        one, two = (analyze(cohort, PipelineSettings.parse({"seed": s})) for s in (0, 1))
        print(f"cohort {seed}: ranks {one.components.rank}, {two.components.rank}", flush=True)
        for key, first in one.communities.items():
            if key[1] != "core" or not len(first.table()):
                continue
            others = [c for k, c in two.communities.items() if k[1] == "core" and len(c.table())]
            best = max(
                ((adjusted_rand_score(*_sure(first, c)), adjusted_rand_score(*_all(first, c))) for c in others),
                default=(0.0, 0.0),
            )
            print(
                f"  component {key[0]}: adjusted Rand {best[1]:.2f}, without unsure neurons {best[0]:.2f}", flush=True
            )


def _all(a: Any, b: Any) -> tuple[np.ndarray, np.ndarray]:
    return a.labels.values[a.chosen_level], b.labels.values[b.chosen_level]


def _sure(a: Any, b: Any) -> tuple[np.ndarray, np.ndarray]:
    keep = ((a.states() != "unsure") & (b.states() != "unsure")).to_numpy()
    first, second = _all(a, b)
    return first[keep], second[keep]


def bench_size(options: argparse.Namespace) -> None:
    """P values of fresh noise cohorts of four worms against 14 surrogates each, rank 2."""
    p_core, p_modules, p_gain = [], [], []
    settings = PipelineSettings().factorization
    for seed in options.seeds:
        cohort = noise_cohort(seed, "1", aligned=False, worms=4)
        affinity = compute_affinity(cohort)
        shifter = Shifter(affinity, cohort)
        rows = []
        for k in range(15):
            fits = fit_ranks(affinity if k == 0 else shifter.make(k), (1, 2), settings, seed=k, stop=Event())
            rows.append((fits[2].top, fits[2].top_modules, fits[2].explained - fits[1].explained))
        table = np.array(rows)
        for column, out in enumerate((p_core, p_modules, p_gain)):
            out.append(tail_p_value(table[0, column], table[1:, column]))
    for name, p in (("core", p_core), ("modules", p_modules), ("rank 2", p_gain)):
        shares = [float(np.mean(np.array(p) <= level)) for level in (0.01, 0.05, 0.1, 0.5)]
        print(f"{name}: share of {len(p)} cohorts with p <= .01, .05, .1, .5: {shares}")


STATIC = ("shape distance", "louvain", "leiden", "nmf")
GRAPH_TOOL = """
import sys, numpy as np, graph_tool.all as gt
w = np.load(sys.argv[1]); np.random.seed(0); gt.seed_rng(1)
a, b = np.triu_indices(len(w), 1); known = np.isfinite(w[a, b]) & (w[a, b] > 0)
g = gt.Graph(directed=False); g.add_vertex(len(w)); g.add_edge_list(np.stack([a[known], b[known]], 1))
e = g.new_edge_property("double"); e.a = w[a, b][known]
s = gt.minimize_nested_blockmodel_dl(g, state_args=dict(recs=[e], rec_types=["real-exponential"]))
print(*s.get_levels()[0].get_blocks().a)
"""


def static_groups(cohort: Cohort, groups: int) -> dict[str, list[set[str]]]:
    """Groups of three neurons or more of every static method; those that ask for a number of groups are told the right one."""
    panel = static_baselines(cohort, methods=STATIC, groups=groups)
    labels = {name: panel.partitions[name].to_numpy() for name in STATIC}
    names = np.array(panel.partitions.index)
    python = "/usr/bin/python3"  # graph-tool is a package of the system, not of an environment
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/w.npy", panel.similarity["leiden"].values - np.eye(len(names)))
        try:
            made = subprocess.run(
                [python, "-c", GRAPH_TOOL, f"{folder}/w.npy"], capture_output=True, text=True, timeout=600
            )
            labels["graph-tool"] = np.array([int(g) for g in made.stdout.split()])
        except (OSError, subprocess.TimeoutExpired):
            labels["graph-tool"] = np.empty(0, int)
    found = {}
    for name, row in labels.items():
        if len(row) == len(names):
            found[name] = [set(names[row == g]) for g in np.unique(row[row >= 0]) if (row == g).sum() >= 3]
    return found


def bench_baselines(options: argparse.Namespace) -> None:
    """Every group that a static method makes of planted cohorts counts as claimed; so do those of time-shifted cohorts."""
    rows: dict[tuple[str, str], list[tuple[int, int, float]]] = {}
    for seed in options.seeds:
        cohort, truth = simulate_cohort(n_worms=options.worms, seed=seed)
        motifs = [set(g) for _, g in truth.members.groupby("motif")["neuron"]]
        shifted = surrogate_cohort(cohort, "circular shift", seed=seed)
        for what, one in (("planted", cohort), ("time-shifted", shifted)):
            for name, groups in static_groups(one, len(motifs) + 1).items():
                true = [] if what == "time-shifted" else motifs
                false = sum(max((overlap(g, m) for m in true), default=0.0) < 0.5 for g in groups)
                hits = float(np.mean([max((overlap(g, m) for g in groups), default=0.0) >= 0.7 for m in motifs]))
                rows.setdefault((what, name), []).append((len(groups), false, hits))
        print(f"seed {seed} done", flush=True)
    for (what, name), found in rows.items():
        total, false = (sum(r[k] for r in found) for k in (0, 1))
        text = f"{what}, {name}: {total} groups, {false} match no motif"
        print(text + (f"; {np.mean([r[2] for r in found]):.0%} of the motifs found" if what == "planted" else ""))


def bench_others(options: argparse.Namespace) -> None:
    """Cohorts of other generators: false and found groups, and whether anything is claimed where nothing is."""
    from other_cohorts import NOTHING, PLANTED

    for name, make in {**PLANTED, **NOTHING}.items():
        if options.only and not any(word in name for word in options.only):
            continue
        claimed = false = 0
        found: list[float] = []
        for seed in options.seeds:
            cohort, truth = make(seed)
            claims = [c[2] for c in claims_of(analyze(cohort, PipelineSettings()))]
            claimed += len(claims)
            false += sum(max((overlap(c, m) for m in truth), default=0.0) < 0.5 for c in claims)
            found += [max((overlap(c, m) for c in claims), default=0.0) for m in truth]
        hits = [sum(f >= least for f in found) for least in (0.5, 0.7)]
        more = f"; {len(found)} groups, found at .5 {hits[0]}, at .7 {hits[1]}" if found else ""
        print(f"{name}, {len(options.seeds)} cohorts: {claimed} claims, {false} match no group{more}", flush=True)


def bench_reversals(options: argparse.Namespace) -> None:
    """Component that follows the reversals of three real worms best, projected on the fourth; and that of the fourth worm alone."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
    from make_real_worms import recordings

    default = Path(__file__).parents[3] / "shared" / "data"
    worms = recordings(Path(os.environ.get("DYNAMIC_CONNECTOME_DATA", default)))

    def follows(times: np.ndarray, course: np.ndarray, worm: Recording) -> float:
        known = np.isfinite(course)
        on = np.interp(times[known], worm.time_s, worm.behaviour["reversal"].values)
        return float(np.corrcoef(on, course[known])[0, 1])

    def best(components: Components, among: list[Recording]) -> tuple[int, float]:
        found = {}
        for number in range(1, components.rank + 1):
            courses = [components.time_course(number, w.name) for w in among]
            found[number] = float(np.mean([follows(c["time"].values, c.values, w) for c, w in zip(courses, among)]))
        number = max(found, key=found.__getitem__)
        return number, found[number]

    for seed in options.seeds:
        rows = []
        for left_out in worms:
            others = [w for w in worms if w is not left_out]
            cohort, alone = Cohort(others), Cohort([left_out])
            settings = PipelineSettings.parse({"seed": seed})
            together, single = analyze(cohort, settings).components, analyze(alone, settings).components
            number, trained = best(together, others)
            (projected,) = project_recordings([left_out], together, cohort=cohort)
            course = projected.courses.sel(component=number)
            held_out = follows(projected.courses["time"].values, course.values, left_out)
            own = best(single, [left_out])[1] if single.rank else float("nan")
            rows.append((trained, held_out, own))
            print(
                f"seed {seed}, without {left_out.name}: rank {together.rank}, r {trained:.2f} on three worms, {held_out:.2f} projected; "
                f"alone rank {single.rank}, r {own:.2f}",
                flush=True,
            )
        means = np.nanmean(rows, axis=0)
        print(f"seed {seed}: mean r {means[0]:.2f} on three worms, {means[1]:.2f} projected, {means[2]:.2f} alone")


def bench_speed(options: argparse.Namespace) -> None:
    """One analysis after the kernels are compiled; runs on builds before the comparison with chance, too."""
    analyze(simulate_cohort(n_worms=3, n_neurons=24, duration_s=80, seed=0)[0], PipelineSettings())
    for seed in options.seeds:
        cohort, _ = simulate_cohort(n_worms=options.worms, seed=seed)
        wall, cpu = time.perf_counter(), time.process_time()
        result = analyze(cohort, PipelineSettings())
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(f"seed {seed}: {cpu:.1f} CPU s, {wall:.1f} s, rank {result.components.rank}", flush=True)


def main() -> None:
    """Run one of the benches."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    benches = {
        "claims": bench_claims,
        "noise": bench_noise,
        "background": bench_background,
        "seeds": bench_seeds,
        "size": bench_size,
        "baselines": bench_baselines,
        "others": bench_others,
        "reversals": bench_reversals,
        "speed": bench_speed,
    }
    parser.add_argument("bench", choices=benches)
    parser.add_argument("--seeds", nargs="+", type=int, default=[100])
    parser.add_argument("--worms", type=int, default=10)
    parser.add_argument("--kinds", nargs="+", default=["white", "1", "5", "15"])
    parser.add_argument("--aligned", choices=("yes", "no", "both"), default="both")
    parser.add_argument("--only", nargs="+", default=[], help="others: cohorts that have one of these in their name")
    options = parser.parse_args()
    benches[options.bench](options)


if __name__ == "__main__":
    main()
