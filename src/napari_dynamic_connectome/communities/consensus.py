"""Consensus of many sampled partitions: the default way to find modules.

The model is assortative: pairs inside a group share a rate of their own, all other pairs share one rate. Weights, with strengths
divided out beforehand, are gamma distributed with the shape that their spread asks for (1 is the exponential distribution).
Partitions are annealed in independent chains from the prior to an inverse temperature of `COLD`, and sampled there: the share of
these samples in which two neurons are together is clustered into the consensus. Then they melt and are annealed again, to 1, the
posterior, from which probabilities are counted. A single partition of lowest description length pays for every label that it states, so it
sees nothing where groups are weak; an average over many partitions does not (Peixoto, Phys. Rev. X 11, 021003, 2021, on consensus;
Zhang & Peixoto, Phys. Rev. Research 2, 043271, 2020, on assortative priors). At 1 the many ways to place unsure neurons
outweigh weak groups, a little colder they do not. The choices of this module are our own and were made by measurement.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import linear_sum_assignment
from scipy.special import gammaln

from ..model.execution import workers
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, part, report
from .graph import WeightedGraph
from .methods.leiden import leiden_of
from .posterior import Posterior
from .state import compress

Array = np.ndarray[Any, Any]
RATE_PRIOR = (8.0, 11.0)
"""Shape and rate of the gamma prior of a rate, for weights of mean 1: mean weights of about 1.6, give or take a third."""
COLD = 1.3
"""Inverse temperature at which the partitions of the consensus are drawn."""
TESTED_FROM = 2 / 3
"""The test statistic is the mean gain over the inverse temperatures from this fraction of `COLD` on."""
RAMP = 150
MELTED = 0.5
"""Where chains begin again for the posterior: those that just warm up from the cold are too sure of its groups."""
AGAIN = 75
KEPT = 100
TESTED_CHAINS = 4
DENSE_PAIRS = 3000
SHAPES = (0.05, 100.0)
SHARPER = 1.1
CLEARLY = 0.05
RESOLUTIONS = (1.0, 1.5, 2.0)


@dataclass(frozen=True)
class Samples:
    """Partitions that independent chains drew, and the nats by which they explain the weights better than one group.

    cold: (chain, `KEPT`, N) drawn at `COLD`. posterior: (chain, kept, N) drawn at 1. cold_gain, gain: (chain,) means over these
    (gain is nan where none were kept). tested: (chain,) means over the late part of the ramp and the cold samples.
    """

    cold: Array
    posterior: Array
    cold_gain: Array
    gain: Array
    tested: Array


@dataclass(frozen=True)
class Consensus:
    """Sampled partitions and what they agree on.

    labels: (N,) groups of the consensus, -1 = background. samples: (sample, N) of the posterior; may be none. agreeing: number
    of the colder samples that the consensus is made of. gain: nats by which partitions explain the weights better than one
    group, mean over the late temperatures of the first chains (the test statistic). group_gain: nats that every group's own
    rate is worth. chain_gain: (chain,) nats over one group of the colder samples. shape: of the distribution of the
    weights. stands_out: the largest eigenvalue of the centred weights, in units of the edge of the bulk that random weights
    would have.
    """

    labels: Array
    samples: Array
    agreeing: int
    gain: float
    group_gain: Array
    chain_gain: Array
    shape: float
    stands_out: float


def slots_for(n: int, max_groups: int) -> int:
    """Groups that may be occupied: about sqrt(N), as more cannot be told apart in a dense graph."""
    return int(min(max(max_groups, 1), np.clip(round(math.sqrt(n)) + 2, 8, 48), max(n, 1)))


def rate_evidence(links: Any, weight: Any, shape: float = 1.0) -> Any:
    """Ln probability of gamma distributed weights with a common rate, integrated over `RATE_PRIOR`.

    Factors that depend on the single weights, but not on how they are grouped, are left out.

    Parameters
    ----------
    links, weight : array
        Number of weights and their sum.
    shape : float
        Of the weights' distribution; 1: exponential.
    """
    a, b = RATE_PRIOR
    links, weight = shape * np.asarray(links), shape * np.asarray(weight)
    return gammaln(links + a) - gammaln(a) + a * np.log(b) - (links + a) * np.log(weight + b)


def weight_shape(edges: Array, weights: Array, labels: Array | None = None) -> float:
    """Shape of the weights' distribution, 1 / (squared coefficient of variation), about the means of a partition."""
    if labels is None:
        spread = float(weights.var()) / float(weights.mean()) ** 2
    else:
        a, b = labels[edges[:, 0]], labels[edges[:, 1]]
        group = np.where(a == b, a, int(labels.max()) + 1)
        links = np.bincount(group)
        mean = np.bincount(group, weights) / np.maximum(links, 1)
        spread = float(((weights / mean[group] - 1) ** 2).mean())
    return float(np.clip(1 / max(spread, 1e-9), *SHAPES))


def _tally(edges: Array, weights: Array, labels: Array) -> tuple[Array, Array, int, float]:
    """Links and weight inside every group, and of all pairs between groups."""
    a, b = labels[edges[:, 0]], labels[edges[:, 1]]
    inside = a == b
    groups = int(labels.max()) + 1
    links = np.bincount(a[inside], minlength=groups)
    total = np.bincount(a[inside], weights[inside], minlength=groups)
    return links, total, int((~inside).sum()), float(weights[~inside].sum())


def log_likelihood(edges: Array, weights: Array, labels: Array, shape: float = 1.0) -> float:
    """Ln probability of the weights given a partition: every group's inside its own rate, all the rest one rate."""
    links, total, rest, rest_weight = _tally(edges, weights, labels)
    return float(rate_evidence(links, total, shape).sum() + rate_evidence(rest, rest_weight, shape))


def group_gains(edges: Array, weights: Array, labels: Array, shape: float = 1.0) -> Array:
    """Nats that each group's own rate explains better than the rate between groups; negative where it is not higher."""
    links, total, rest, rest_weight = _tally(edges, weights, labels)
    gain = (
        rate_evidence(links, total, shape)
        + rate_evidence(rest, rest_weight, shape)
        - rate_evidence(rest + links, rest_weight + total, shape)
    )
    heavier = total * max(rest, 1) > links * max(rest_weight, 1e-300)
    return np.where((links > 0) & (heavier | (rest == 0)), gain, -np.inf)


def stands_out(graph: WeightedGraph) -> float:
    """Largest eigenvalue of the weights less their mean, over the edge of the bulk (2 sqrt of a row's mean square)."""
    centred = graph.weights - graph.weights.mean()
    rows, columns = graph.edges[:, 0], graph.edges[:, 1]
    half = sparse.coo_array((centred, (rows, columns)), shape=(graph.n, graph.n))
    matrix = sparse.csr_array(half + half.T)
    edge = 2 * math.sqrt(max(float(2 * (centred**2).sum() / graph.n), 1e-300))
    if graph.n <= DENSE_PAIRS:
        from scipy.linalg import eigvalsh

        top = eigvalsh(matrix.toarray(), subset_by_index=[graph.n - 1, graph.n - 1])[0]
    else:
        start = np.random.default_rng(0).normal(size=graph.n)
        top = sparse.linalg.eigsh(matrix, k=1, which="LA", v0=start, return_eigenvectors=False, tol=1e-4)[0]
    return float(top) / edge


def sample_partitions(
    graph: WeightedGraph,
    *,
    chains: int,
    kept: int,
    max_groups: int,
    seed: int,
    progress: ProgressCallback | None = None,
    shape: float = 1.0,
    cancel: CancelCallback | None = None,
) -> Samples:
    """Anneal from the prior to `COLD`, sample, anneal again to 1 and keep `kept` samples of the posterior (0: leave that out).

    Nodes are visited in an order that does not depend on how they are numbered, so the result does not either.
    """
    from .consensus_kernels import anneal

    n = graph.n
    strength = np.bincount(graph.edges.ravel(), np.repeat(graph.weights, 2), n)
    order = np.argsort(strength, kind="stable")
    place = np.empty(n, dtype=np.int64)
    place[order] = np.arange(n)
    pointer, neighbour, weight = compress(place[graph.edges], shape * graph.weights / graph.weights.mean(), n)
    slots = slots_for(n, max_groups)
    a, b = RATE_PRIOR
    table = gammaln(shape * np.arange(len(graph.weights) + 1) + a) - gammaln(a) + a * math.log(b)
    prior = np.array([a, b, shape, 1.0])
    betas = [np.linspace(0, COLD, RAMP), np.full(KEPT, COLD)]
    late = int(np.searchsorted(betas[0], TESTED_FROM * COLD))
    cold, end = RAMP + KEPT, RAMP + KEPT
    if kept:
        betas += [np.linspace(MELTED, 1, AGAIN), np.ones(kept)]
        end += AGAIN
    betas = np.concatenate(betas)
    complete = len(graph.weights) == n * (n - 1) // 2
    drawn = np.empty((chains, len(betas) - RAMP, n), dtype=np.int64)
    energy = np.empty((chains, len(betas)))

    def one_chain(chain: int) -> None:
        check_cancel(pool.stopped)
        random = np.array([np.random.default_rng([seed, chain]).integers(1, 2**63)], dtype=np.uint64)
        out = np.empty(drawn.shape[1:], dtype=np.int64)
        anneal(pointer, neighbour, weight, complete, slots, table, prior, betas, out, energy[chain], random)
        drawn[chain] = out[:, place]

    report(progress, 0.0, "sampling partitions")
    with workers(cancel=cancel) as pool:
        for chain, _ in pool.stream(one_chain, range(chains)):
            report(progress, (chain + 1) / chains, f"sampling partitions, chain {chain + 1}")
    return Samples(
        drawn[:, :KEPT],
        drawn[:, end - RAMP :],
        energy[:, RAMP:cold].mean(axis=1),
        energy[:, end:].mean(axis=1) if kept else np.full(chains, np.nan),
        energy[:, late:cold].mean(axis=1),
    )


def shares_together(samples: Array) -> Array:
    """Share of samples (sample, node) in which two nodes are in one group; the diagonal is 0."""
    out = np.zeros((samples.shape[1],) * 2)
    for sample in samples:
        out += sample[:, None] == sample
    out /= len(samples)
    np.fill_diagonal(out, 0.0)
    return out


def find_consensus(
    graph: WeightedGraph,
    *,
    chains: int = TESTED_CHAINS,
    kept: int = KEPT,
    max_groups: int = 120,
    seed: int = 0,
    quick: bool = False,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> Consensus:
    """Sample partitions of a prepared graph (strengths divided out, every node linked) and find their consensus.

    `kept` samples of the posterior a chain; 0: none. `quick`, for nulls, tries one candidate for the consensus; the gain of the
    samples does not depend on that.
    """
    n = graph.n
    if n < 3 or not len(graph.weights) or max_groups == 1 or np.ptp(graph.weights) <= 1e-9 * graph.weights.max():
        labels = np.zeros((chains * kept, n), dtype=np.int64)
        one = np.zeros(n, dtype=np.int64)
        return Consensus(one, labels, chains * KEPT, 0.0, np.zeros(1), np.zeros(chains), SHAPES[1], 0.0)
    weights = graph.weights / graph.weights.mean()
    shape = weight_shape(graph.edges, weights)
    report(progress, 0.0, "sampling partitions")
    more: dict[str, Any] = {"chains": chains, "kept": kept, "max_groups": max_groups, "seed": seed, "cancel": cancel}
    samples = sample_partitions(graph, shape=shape, progress=part(progress, 0, 0.5), **more)
    tested = float(samples.tested[:TESTED_CHAINS].mean())
    labels = _agreed(graph, samples, seed, quick)
    narrower = weight_shape(graph.edges, weights, labels)
    if narrower > SHARPER * shape:
        # the groups themselves spread the weights: sample again with the spread that remains
        shape = narrower
        samples = sample_partitions(graph, shape=shape, progress=part(progress, 0.5, 1), **more)
        labels = _agreed(graph, samples, seed, quick)
    gain = group_gains(graph.edges, weights, labels, shape)
    kept_groups = gain > 0
    rename = np.where(kept_groups, np.cumsum(kept_groups) - 1, -1)
    if not kept_groups.any():
        rename, gain, kept_groups = np.zeros(len(gain), dtype=np.int64), np.zeros(1), np.ones(1, dtype=bool)
    return Consensus(
        rename[labels],
        samples.posterior.reshape(-1, n),
        samples.cold.shape[0] * KEPT,
        tested,
        gain[kept_groups],
        samples.cold_gain,
        shape,
        math.nan if quick else stands_out(graph),
    )


def _agreed(graph: WeightedGraph, samples: Samples, seed: int, quick: bool) -> Array:
    """The candidate that agrees with the cold samples, the coarser one unless a finer one is `CLEARLY` better."""
    together = shares_together(samples.cold.reshape(-1, graph.n))
    candidates = _candidates(graph, together, samples.cold[int(np.argmax(samples.cold_gain))], seed, quick)
    best, score = candidates[0], expected_rand(together, candidates[0])
    for one in candidates[1:]:
        if (other := expected_rand(together, one)) > score + CLEARLY:
            best, score = one, other
    return best


def _candidates(graph: WeightedGraph, together: Array, best: Array, seed: int, quick: bool) -> list[Array]:
    """Partitions among which the consensus is chosen: clusterings of `together`, and the chain that explains most."""
    strength = np.bincount(graph.edges.ravel(), np.repeat(graph.weights, 2), graph.n)
    order = np.argsort(strength, kind="stable")
    links = sparse.csr_array(together[np.ix_(order, order)])
    found = []
    for resolution in RESOLUTIONS[:1] if quick else RESOLUTIONS:
        labels = np.empty(graph.n, dtype=np.int64)
        labels[order] = leiden_of(links, resolution, seed)
        found.append(labels)
    if quick:
        return found
    aligned = align_samples(best, np.unique(best[-1], return_inverse=True)[1].reshape(-1))
    groups = int(aligned.max()) + 1
    votes = np.stack([(aligned == g).sum(axis=0) for g in range(groups)], axis=1)
    found.append(np.unique(votes.argmax(axis=1), return_inverse=True)[1].reshape(-1))
    return found


def expected_rand(together: Array, labels: Array) -> float:
    """Adjusted Rand index that a partition has with a sample, on average (Fritsch & Ickstadt 2009, approximately)."""
    n = len(labels)
    pairs = n * (n - 1) / 2
    joined = float(sum(k * (k - 1) / 2 for k in np.bincount(labels)))
    shared = float(together.sum()) / 2
    groups = np.zeros((n, int(labels.max()) + 1))
    groups[np.arange(n), labels] = 1.0
    both = float(np.einsum("ig,ig->", together @ groups, groups)) / 2
    chance = joined * shared / pairs
    scale = 0.5 * (joined + shared) - chance
    return (both - chance) / scale if scale > 1e-12 else 0.0


def align_samples(samples: Array, labels: Array) -> Array:
    """Rename the groups of every sample to those of `labels` that they overlap most (one to one); others become -1.

    Parameters
    ----------
    samples : ndarray of int
        (sample, N).
    labels : ndarray of int
        (N,), -1 = none.
    """
    groups = int(labels.max()) + 1
    out = np.empty_like(samples)
    member = labels >= 0
    for k, row in enumerate(samples):
        overlap = np.zeros((int(row.max()) + 1, groups))
        np.add.at(overlap, (row[member], labels[member]), 1.0)
        rows, columns = linear_sum_assignment(-overlap)
        rename = np.full(len(overlap), -1, dtype=np.int64)
        good = overlap[rows, columns] > 0
        rename[rows[good]] = columns[good]
        out[k] = rename[row]
    return out


def posterior_of(found: Consensus, levels: Sequence[Array], labels: Array) -> Posterior:
    """What the samples say about nested labels (level, N) of which the finest is the consensus.

    Parameters
    ----------
    found : Consensus
    levels : sequence of ndarray of int
        Group of every group of the level below, from the second level up.
    labels : ndarray of int
        (level, N), -1 = background.
    """
    aligned = np.empty((len(found.samples), *labels.shape), dtype=np.int64)
    aligned[:, 0] = align_samples(found.samples, found.labels)
    for level, up in enumerate(levels, start=1):
        below = aligned[:, level - 1]
        aligned[:, level] = np.where(below >= 0, np.asarray(up)[np.maximum(below, 0)], -1)
    if labels[-1].max() <= 0:
        aligned[:, -1] = labels[-1]
    membership = []
    probability = np.empty(labels.shape)
    for level, row in enumerate(labels):
        groups = int(row.max()) + 1
        shares = np.stack([(aligned[:, level] == g).mean(axis=0) for g in (*range(groups), -1)], axis=1)
        membership.append(shares)
        probability[level] = shares[np.arange(len(row)), row]
    counts = np.array([len(np.unique(one)) for one in found.samples])
    together = shares_together(found.samples)
    np.fill_diagonal(together, 1.0)
    return Posterior(probability, tuple(membership), aligned, counts, together)
