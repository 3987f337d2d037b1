"""Size of the tests of structure against function where left and right neurons are alike: unrelated matrices, how often p is small.

Run alone: python tests/benchmarks/bench_pairs.py [repetitions]. Both matrices are of 40 neurons in 20 pairs; both sides share none, half or
nine tenths of the variance; the network links the strongest fifth of the pairs of neurons.
"""

from __future__ import annotations

import sys

import numpy as np

from napari_dynamic_connectome.comparison.permutation import degree_test, mantel_test

N, LINKED = 40, 0.2
SIDES = np.arange(N).reshape(-1, 2)


def matrix(rng: np.random.Generator, share: float, hubs: float = 0.5) -> np.ndarray:
    """A symmetric matrix with neurons that are strong everywhere, and sides that share a part of the variance."""
    pair = np.arange(N) // 2

    def symmetric(n: int) -> np.ndarray:
        made = rng.standard_normal((n, n))
        return (made + made.T) / np.sqrt(2)

    strong = np.sqrt(share) * rng.standard_normal(N // 2)[pair] + np.sqrt(1 - share) * rng.standard_normal(N)
    own = np.sqrt(share) * symmetric(N // 2)[np.ix_(pair, pair)] + np.sqrt(1 - share) * symmetric(N)
    return own + hubs * (strong[:, None] + strong[None])


def network(rng: np.random.Generator, share: float) -> np.ndarray:
    """Links (0 or 1) of the strongest pairs of neurons."""
    values = matrix(rng, share)
    return (values > np.quantile(values[np.triu_indices(N, 1)], 1 - LINKED)).astype(float)


def sizes(share: float, repetitions: int, networks: int = 199, hubs: float = 0.5) -> dict[str, np.ndarray]:
    """P values of unrelated matrices, by test."""
    rng = np.random.default_rng(int(100 * share))
    found: dict[str, list[float]] = {
        "links one by one": [],
        "blocks of both sides": [],
        "permutations, pairs together": [],
    }
    for seed in range(repetitions):
        x, y = matrix(rng, share, hubs), network(rng, share)
        found["links one by one"].append(degree_test(x, y, networks=networks, seed=seed).p_value)
        found["blocks of both sides"].append(degree_test(x, y, networks=networks, seed=seed, sides=SIDES).p_value)
        held = mantel_test(x, y, permutations=networks, seed=seed, sides=SIDES)
        found["permutations, pairs together"].append(held.p_value)
    return {name: np.array(values) for name, values in found.items()}


def main(repetitions: int) -> None:
    for hubs in (0.5,):
        for share in (0.0, 0.5, 0.9):
            for name, p in sizes(share, repetitions, hubs=hubs).items():
                text = ", ".join(f"{(p <= level).mean():.1%} at most {level}" for level in (0.05, 0.01))
                print(f"hubs {hubs}, sides share {share:.0%}, {name}: {text}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
