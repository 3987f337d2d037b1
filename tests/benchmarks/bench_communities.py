"""Communities against graph-tool, Louvain, Leiden and spectral clustering; prints markdown tables.

Run: python tests/benchmarks/bench_communities.py [--quick] [--live] [--only lfr dense chance calibration large]

graph-tool's figures on the weighted LFR graphs are those of graph_tool_reference.csv beside the graphs (version 2.45,
recs_dl=False and as called by the paper), unless `--live` runs it in turn with ours, as a subprocess of /usr/bin/python3
(Debian: python3-graph-tool); everything else runs here. Compilation is excluded from all times and printed.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score

from napari_dynamic_connectome.communities.find import find_communities, precompile

SEED = 20_261_124
PLANTED_SEED = 20_261_127
"""Of the planted graphs; no choice in the code was made on them."""


def data_folder() -> Path | None:
    """Folder of the LFR graphs, or None."""
    asked = os.environ.get("DYNAMIC_CONNECTOME_DATA")
    folder = Path(asked) if asked else Path(__file__).resolve().parents[3] / "shared" / "data"
    return folder / "lfr" if (folder / "lfr").is_dir() else None


def table(header: list[str], rows: list[list[Any]]) -> None:
    """Print a markdown table."""
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(f"{v:.2f}" if isinstance(v, float) else str(v) for v in row) + " |")
    print(flush=True)


def lfr_matrix(folder: Path, setting: int, graph: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights and true groups of one LFR graph."""
    with np.load(folder / f"setting{setting}.npz", allow_pickle=False) as file:
        edges, weights, truth = file[f"g{graph}_edges"], file[f"g{graph}_w"], file[f"g{graph}_labels"]
    matrix = np.zeros((len(truth),) * 2)
    matrix[edges[:, 0], edges[:, 1]] = weights
    return np.maximum(matrix, matrix.T), truth


GRAPH_TOOL = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np
import graph_tool.all as gt
data = np.load(sys.argv[1])
gt.seed_rng(1); np.random.seed(1)
graph = gt.Graph(directed=False)
graph.add_vertex(int(data["n"])); graph.add_edge_list(data["edges"])
weight = graph.new_ep("double", vals=data["weights"])
for paper in (False, True):
    more = {} if paper else {"multilevel_mcmc_args": {"entropy_args": {"recs_dl": False}}}
    found, start = {}, time.process_time()
    for corrected in (True, False):
        how = {"deg_corr": corrected, "recs": [weight], "rec_types": ["real-exponential"]}
        state = gt.minimize_nested_blockmodel_dl(graph, state_args=how, **more)
        found[state.entropy() if paper else state.entropy(recs_dl=False)] = corrected, state
    seconds = time.process_time() - start
    groups, levels = np.arange(int(data["n"])), []
    for level in found[min(found)][1].get_levels():
        groups = level.b.a[groups]
        levels.append(groups.tolist())
    nats = {("dl_degree_corrected_nats" if c else "dl_not_degree_corrected_nats"): d for d, (c, _) in found.items()}
    print(json.dumps({"paper": paper, "seconds_both_models": seconds, "levels": levels, **nats}))
"""


def graph_tool_live(matrix: np.ndarray, truth: np.ndarray) -> dict[str, dict[str, Any]]:
    """Rows as in graph_tool_reference.csv, from graph-tool as a subprocess: recs_dl=False ("gt") and the paper's call."""
    edges = np.argwhere(np.triu(matrix) > 0)
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "graph.npz"
        np.savez(file, edges=edges, weights=matrix[edges[:, 0], edges[:, 1]], n=len(matrix))
        done = subprocess.run(
            ["/usr/bin/python3", "-c", GRAPH_TOOL, str(file)], capture_output=True, text=True, check=True
        )
    for line in done.stdout.splitlines():
        row = json.loads(line)
        nmi = [normalized_mutual_info_score(truth, level) for level in row["levels"]]
        best = int(np.argmax(nmi))
        row["nmi_best_level"] = nmi[best]
        row["ami_best_level"] = adjusted_mutual_info_score(truth, row["levels"][best])
        row["groups_at_best_level"] = len(set(row["levels"][best]))
        found["paper" if row["paper"] else "gt"] = row
    return found


def bench_lfr(quick: bool, live: bool = False) -> None:
    """Weighted LFR graphs with more than one true group."""
    folder = data_folder()
    if folder is None:
        print("LFR graphs not found (set DYNAMIC_CONNECTOME_DATA): left out\n")
        return
    reference: dict[tuple[int, int], dict[str, dict[str, str]]] = defaultdict(dict)
    with (folder / "graph_tool_reference.csv").open() as stream:
        for row in csv.DictReader(stream):
            which = "gt" if "recs_dl=False" in row["method"] else "paper"
            reference[int(row["setting"]), int(row["graph"])][which] = row
    cases = sorted(reference)[:: 6 if quick else 1]
    ours = {
        "ours, core": {"kind": "core"},
        "ours, core, exponential weights (the paper's model)": {"kind": "core", "weight_model": "exponential"},
        "ours, modules, counts+weights": {"kind": "modules", "likelihood": "counts+weights"},
        "Louvain": {"method": "louvain"},
        "Leiden": {"method": "leiden"},
        "spectral": {"method": "spectral"},
    }
    scores: dict[tuple[str, int], list[tuple[float, ...]]] = defaultdict(list)
    differences = []
    for setting, graph in cases:
        matrix, truth = lfr_matrix(folder, setting, graph)
        if live:
            reference[setting, graph] = graph_tool_live(matrix, truth)
        for name, options in ours.items():
            cpu, wall = time.process_time(), time.perf_counter()
            found = find_communities(matrix, samples=0, null_fits=0, seed=SEED, **options)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            levels = found.labels.values
            nmi = [normalized_mutual_info_score(truth, row) for row in levels]
            ami = [adjusted_mutual_info_score(truth, row) for row in levels]
            chosen = found.chosen_level
            groups = float(levels[chosen].max() + 1)
            scores[name, setting].append((nmi[chosen], max(nmi), ami[chosen], max(ami), groups, cpu, wall))
            if name == "ours, core, exponential weights (the paper's model)":
                row = reference[setting, graph]["gt"]
                low = min(float(row["dl_degree_corrected_nats"]), float(row["dl_not_degree_corrected_nats"]))
                differences.append((found.description_length - low, cpu, float(row["seconds_both_models"])))
        for which, name in (("gt", "graph-tool, recs_dl=False"), ("paper", "graph-tool, the paper's call")):
            row = reference[setting, graph].get(which)
            if row is not None:
                best = (float(row["nmi_best_level"]), float(row["ami_best_level"]), float(row["groups_at_best_level"]))
                seconds = float(row["seconds_both_models"])
                scores[name, setting].append((np.nan, best[0], np.nan, best[1], best[2], seconds, seconds))
    settings = sorted({setting for setting, _ in cases})
    names = [*ours, "graph-tool, recs_dl=False", "graph-tool, the paper's call"]
    print(f"## Weighted LFR graphs with more than one true group ({len(cases)} graphs)\n")
    rows = []
    for name in names:
        every = np.array([one for setting in settings for one in scores[name, setting]])
        mean = every.mean(axis=0)
        rows.append([name, *(float(v) for v in mean[:5]), float(np.median(every[:, 5]))])
    table(
        ["method", "NMI, shown level", "NMI, best level", "AMI, shown", "AMI, best", "groups", "CPU s (median)"], rows
    )
    print("NMI per setting: at the level shown (graph-tool: at the best level, chosen with the truth)\n")
    rows = []
    for name in names:
        column = 1 if name.startswith("graph-tool") else 0
        rows.append([name, *(float(np.mean([one[column] for one in scores[name, s]])) for s in settings)])
    table(["method", *(f"setting {s}" for s in settings)], rows)
    d = np.array(differences)
    print(
        f"Description length, ours minus graph-tool's (recs_dl=False), nats: median {np.median(d[:, 0]):.1f}, worst "
        f"{d[:, 0].max():.2f}; within 0.5 or lower on {100 * (d[:, 0] <= 0.5).mean():.0f} %; lower by more than 0.5 on "
        f"{int((d[:, 0] < -0.5).sum())}, equal on {int((abs(d[:, 0]) <= 0.5).sum())}, higher on {int((d[:, 0] > 0.5).sum())} "
        f"of {len(d)}. Seconds, median: ours {np.median(d[:, 1]):.2f} CPU, graph-tool {np.median(d[:, 2]):.2f}.\n",
        flush=True,
    )


def planted(
    n: int, ratio: float, rng: np.random.Generator, *, unequal: bool, groups: int = 0, overlap: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Complete graph with planted groups: exponential weights, `ratio` times stronger inside; 10-30 % background.

    Returns the weights and the labels (-1 = background; a node of two groups carries its first).
    """
    groups = groups or int(rng.integers(3, max(4, min(8, n // 20)) + 1))
    share = rng.uniform(0.1, 0.3)
    labels = np.where(rng.random(n) < share, -1, rng.integers(0, groups, n))
    inside = (labels[:, None] == labels) & (labels[:, None] >= 0)
    second = np.where((rng.random(n) < overlap) & (labels >= 0), rng.integers(0, groups, n), -1)
    for a, b in ((labels, second), (second, labels), (second, second)):
        inside |= (a[:, None] == b) & (a[:, None] >= 0)
    mean = np.where(inside, ratio, 1.0)
    if unequal:
        strength = np.exp(rng.normal(0, 0.5, n))
        mean = mean * np.outer(strength, strength)
    weights = np.triu(rng.exponential(mean), 1)
    return weights + weights.T, labels


PLANTED = {"equal": (False, 0.0), "unequal": (True, 0.0), "unequal, overlapping": (True, 0.15)}
RATIOS = (1.3, 1.6, 2.0, 3.0, 4.0)


def bench_dense(
    quick: bool,
    sizes: Sequence[int] = (60, 120, 190, 300),
    repeats: int = 3,
    ratios: Sequence[float] = RATIOS,
    strengths: Sequence[str] = tuple(PLANTED),
) -> None:
    """Dense planted graphs: AMI on the nodes of planted groups, and number of groups.

    "modules" is what is shown (one group unless p <= 0.05); "untested" is the same consensus without that test, which the
    other methods do not have either; "tested" is the share of graphs that pass it.
    """
    methods: dict[str, dict[str, Any]] = {
        "modules": {"kind": "modules", "null_fits": 29},
        "modules, shortest": {"kind": "modules", "partition": "shortest"},
        "core": {"kind": "core", "degree_correction": "no", "starts": 1},
        "Louvain": {"method": "louvain"},
        "Leiden": {"method": "leiden"},
        "spectral": {"method": "spectral"},
    }
    names = ["modules", "modules, untested", *list(methods)[1:]]
    rows = []
    repeats = 1 if quick else repeats
    for kind in strengths:
        unequal, overlap = PLANTED[kind]
        for n in (60,) if quick else (sizes if overlap == 0 else sizes[-1:]):
            for ratio in ratios:
                result: dict[str, list[tuple[float, float]]] = defaultdict(list)
                passed = []
                for repeat in range(repeats):
                    rng = np.random.default_rng([PLANTED_SEED, n, int(10 * ratio), unequal, int(100 * overlap), repeat])
                    weights, truth = planted(n, ratio, rng, unequal=unequal, overlap=overlap)
                    real = truth >= 0
                    for name, options in methods.items():
                        found = find_communities(weights, seed=repeat, **{"samples": 0, "null_fits": 0, **options})
                        row = found.labels.values[found.chosen_level]
                        ami = adjusted_mutual_info_score(truth[real], row[real])
                        result[name].append((ami, float(row.max() + 1)))
                        if name == "modules":
                            passed.append(found.significance.attrs["p_more_than_one"] <= 0.05)
                            row = found.labels.values[0]
                            ami = adjusted_mutual_info_score(truth[real], row[real])
                            result["modules, untested"].append((ami, float(row.max() + 1)))
                cells = [f"{np.mean(passed):.1f}"]
                cells += [f"{np.mean(result[m], axis=0)[0]:.2f} ({np.mean(result[m], axis=0)[1]:.1f})" for m in names]
                rows.append([kind, n, ratio, *cells])
                print(*rows[-1], file=sys.stderr, flush=True)
    print(f"## Dense planted graphs: AMI (number of groups), mean of {repeats}\n")
    table(["strengths", "N", "r", "tested", *names], rows)


def bench_chance(quick: bool) -> None:
    """How often more than one group is claimed where there is nothing (r = 1)."""
    graphs = 10 if quick else 100
    claimed = 0
    for number in range(graphs):
        rng = np.random.default_rng([PLANTED_SEED, 1, number])
        n = (60, 90, 120)[number % 3]
        weights, _ = planted(n, 1.0, rng, unequal=bool(number % 2))
        found = find_communities(weights, samples=0, seed=number)
        claimed += int(found.labels.values[found.chosen_level].max() > 0)
    print(f"## Nothing to find (r = 1, {graphs} graphs, modules)\n")
    print(
        f"More than one group claimed as significant (p <= 0.05): {claimed} of {graphs}.\n",
        flush=True,
    )


def bench_calibration(quick: bool) -> None:
    """Share of right neurons among those with membership probability p."""
    sure, right = [], []
    for number in range(4 if quick else 96):
        rng = np.random.default_rng([PLANTED_SEED, 2, number])
        weights, truth = planted(120, (2.0, 2.5, 3.0)[number % 3], rng, unequal=bool(number % 2), groups=4)
        found = find_communities(weights, null_fits=0, samples=300, seed=number)
        labels, probability = found.labels.values[0], found.probability.values[0]
        known, planted_groups = np.unique(labels), np.unique(truth)
        overlap = np.array([[np.sum((labels == a) & (truth == b)) for b in planted_groups] for a in known])
        rows, columns = linear_sum_assignment(-overlap)
        partner = dict(zip(known[rows], planted_groups[columns]))
        placed = labels >= 0
        sure.append(probability[placed])
        right.append(np.array([partner.get(a, -2) for a in labels])[placed] == truth[placed])
    p, ok = np.concatenate(sure), np.concatenate(right)
    print(f"## Calibration of membership probabilities ({len(sure)} planted graphs)\n")
    rows = []
    for low, high in ((0.0, 0.5), (0.5, 0.6), (0.6, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 0.99), (0.99, 1.01)):
        inside = (p >= low) & (p < high)
        if inside.sum() >= 10:
            rows.append(
                [f"{low:.2f}-{min(high, 1):.2f}", int(inside.sum()), float(p[inside].mean()), float(ok[inside].mean())]
            )
    table(["probability", "neurons", "mean probability", "share right"], rows)


def bench_large(quick: bool) -> None:
    """Sizes beyond a worm: they must run."""
    rows = []
    rng = np.random.default_rng([SEED, 3])
    for n in (300,) if quick else (300, 2000):
        weights, truth = planted(n, 3.0, rng, unequal=True, groups=6)
        cpu = time.process_time()
        found = find_communities(weights, samples=0, null_fits=0, starts=1)
        cpu = time.process_time() - cpu
        real = truth >= 0
        score = adjusted_mutual_info_score(truth[real], found.labels.values[0][real])
        rows.append(
            [
                f"{n} nodes, dense, one start",
                len(weights) * (n - 1) // 2,
                int(found.labels.values[0].max()) + 1,
                score,
                cpu,
            ]
        )
    if not quick:
        import networkx as nx

        n, groups = 4000, 20
        truth = rng.integers(0, groups, n)
        a, b = rng.integers(0, n, (2, 1_200_000))
        keep = (a != b) & (rng.random(len(a)) < np.where(truth[a] == truth[b], 0.6, 0.057))
        graph = nx.Graph()
        graph.add_nodes_from(range(n))
        graph.add_weighted_edges_from(
            (int(x), int(y), float(w)) for x, y, w in zip(a[keep], b[keep], rng.exponential(size=len(a)))
        )
        cpu = time.process_time()
        found = find_communities(graph, kind="core", samples=0, null_fits=0, starts=1, degree_correction="no")
        cpu = time.process_time() - cpu
        score = adjusted_mutual_info_score(truth, found.labels.values[0])
        links = graph.number_of_edges()
        rows.append([f"{n} nodes, sparse, one start", links, int(found.labels.values[0].max()) + 1, score, cpu])
    print("## Large graphs\n")
    table(["graph", "links", "groups", "AMI", "CPU s"], rows)


def main() -> None:
    """Run the parts that were asked for."""
    parts: dict[str, Any] = {
        "lfr": bench_lfr,
        "dense": bench_dense,
        "chance": bench_chance,
        "calibration": bench_calibration,
        "large": bench_large,
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few graphs of each kind")
    parser.add_argument("--live", action="store_true", help="run graph-tool too, in turn with ours")
    parser.add_argument("--only", nargs="+", choices=sorted(parts), default=list(parts))
    parser.add_argument("--sizes", nargs="+", type=int, default=[60, 120, 190, 300], help="of the dense planted graphs")
    parser.add_argument("--ratios", nargs="+", type=float, default=RATIOS, help="of the mean weight inside groups")
    parser.add_argument("--strengths", nargs="+", choices=list(PLANTED), default=list(PLANTED), help="of the nodes")
    parser.add_argument("--repeats", type=int, default=3, help="dense planted graphs in each cell")
    options = parser.parse_args()
    start = time.process_time()
    precompile()
    print(
        f"Compilation or loading from the disk cache: {time.process_time() - start:.1f} CPU s (excluded below).\n",
        flush=True,
    )
    for name in options.only:
        if name == "dense":
            bench_dense(options.quick, options.sizes, options.repeats, options.ratios, options.strengths)
        elif name == "lfr":
            bench_lfr(options.quick, options.live)
        else:
            parts[name](options.quick)


if __name__ == "__main__":
    main()
