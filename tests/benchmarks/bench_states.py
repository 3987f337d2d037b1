"""Switching states: CPU seconds, memory and recovery on planted worms, on seeds that nothing was chosen on.

Run alone: OPENBLAS_NUM_THREADS=1 python tests/benchmarks/bench_states.py [--quick] [--seeds 101 102] [--json FILE]. Each case runs in
a process of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

SIZES = {"quick": (40, 400, 3), "full": (130, 1600, 7)}
STATES = 4


def make_worms(neurons, frames, worms, seed, *, seen=0.85, dwell=40):
    """Worms that switch between sparse networks; returns the cohort, its sequences and the networks (state, to, from)."""
    from napari_dynamic_connectome import Cohort, Recording

    rng = np.random.default_rng(seed)
    networks = []
    for _ in range(STATES):
        links = (rng.random((neurons, neurons)) < 0.08) * rng.standard_normal((neurons, neurons)) * 0.25
        np.fill_diagonal(links, 0.8)
        networks.append(links * min(1, 0.97 / np.abs(np.linalg.eigvals(links)).max()))
    recordings, sequences = [], []
    for worm in range(worms):
        z = np.empty(frames, int)
        z[0] = rng.integers(STATES)
        for t in range(1, frames):
            z[t] = z[t - 1] if rng.random() > 1 / dwell else rng.integers(STATES)
        x = np.zeros((frames, neurons))
        for t in range(1, frames):
            x[t] = networks[z[t]] @ x[t - 1] + 0.5 * rng.standard_normal(neurons)
        mine = np.sort(rng.permutation(neurons)[: round(seen * neurons)])
        recordings.append(
            Recording.from_arrays(x[:, mine], name=f"worm {worm}", rate_hz=2.66, names=[f"N{i:03d}" for i in mine])
        )
        sequences.append(z)
    return Cohort(recordings), np.concatenate(sequences), np.stack(networks)


def network_agreement(found, truth, networks):
    """Mean correlation of each planted network with the state that covers it most, pairs that some worm has."""
    index = [int(n[1:]) for n in found.neurons]
    off = ~np.eye(len(index), dtype=bool)
    scores = []
    for z, network in enumerate(networks):
        mine = np.bincount(found.sequence.values[truth == z]).argmax()
        weights = found.weights.sel(state=mine, lag=1).values
        seen = off & np.isfinite(weights)
        scores.append(np.corrcoef(weights[seen], network[np.ix_(index, index)][seen])[0, 1])
    return float(np.mean(scores))


def run_case(size, seed, prior):
    """One fit; a row of the table."""
    from sklearn.metrics import adjusted_rand_score

    from napari_dynamic_connectome import fit_states

    cohort, truth, networks = make_worms(*SIZES[size], seed)
    fit_states(make_worms(8, 60, 2, 0)[0], starts=1, iterations=2, prior=prior)  # compile
    before = time.process_time()
    found = fit_states(
        cohort,
        states=STATES,
        starts=10,
        prior=prior,
        weight_sd=0.1,
        state_sd=0.05,
        level_sd=1.0,
        dwell_weight=100.0,
        threads=1,
    )
    return {
        "size": size,
        "seed": seed,
        "prior": prior,
        "cpu_s": time.process_time() - before,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        "states_ari": float(adjusted_rand_score(truth, found.sequence.values)),
        "networks_r": network_agreement(found, truth, networks),
        "starts_that_agree": int((found.starts["agreement"] > 0.9).sum()),
    }


def main():
    """Print one line a case."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="*", default=[101, 102, 103])
    parser.add_argument("--priors", nargs="*", default=["gaussian", "one-hot"])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--case", nargs=3, metavar=("SIZE", "SEED", "PRIOR"))
    options = parser.parse_args()
    if options.case:
        size, seed, prior = options.case
        print(json.dumps(run_case(size, int(seed), prior)))
        return
    rows = []
    for prior in options.priors:
        for seed in options.seeds:
            size = "quick" if options.quick else "full"
            command = [sys.executable, __file__, "--case", size, str(seed), prior]
            rows.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
            print({k: round(v, 3) if isinstance(v, float) else v for k, v in rows[-1].items()}, flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
