"""Chance: the same fit on graphs whose weights were shuffled, or on graphs that the caller brings (shifted affinities)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..model.execution import workers
from ..model.progress import CancelCallback, ProgressCallback, report
from .consensus import TESTED_CHAINS, Consensus, find_consensus
from .graph import WeightedGraph, normalize_strength
from .model import BlockModel, quick_fit
from .search import Fit, flat, one_group
from .settings import CommunitySettings
from .state import build_state

Array = np.ndarray[Any, Any]
Statistics = tuple[float, float, tuple[float, ...]]
ENUMERATED = 3000
ENOUGH = 8
SHUFFLED = "shuffled weights"
BROUGHT = "null graphs of the caller"
SURROGATE = "components of surrogate cohorts ({})"


@dataclass(frozen=True)
class NullResult:
    """Gains and p values.

    gain: nats that the fit saves over one group. p_value: of 'more than one group'. community_gain, community_p: per
    group, nats lost if it joined its nearest other group. fits: null fits that ran; null_gain: their gains. what: what the
    nulls are. null_groups: of every null, what `groups` said of its groups (see `compare_consensus`).
    """

    gain: float
    p_value: float
    community_gain: Array
    community_p: Array
    fits: int
    null_gain: Array
    what: str = SHUFFLED
    null_groups: tuple[tuple[float, ...], ...] = ()


def _what(settings: CommunitySettings, null_graphs: Any) -> str:
    """What the nulls are, in words."""
    if null_graphs is None:
        return SHUFFLED
    return BROUGHT if settings.null == "weights" else SURROGATE.format(settings.null)


def shuffle_weights(graph: WeightedGraph, rng: np.random.Generator) -> WeightedGraph:
    """Spread the weights (and with them the links) at random over the observed pairs."""
    n = graph.n
    if n <= ENUMERATED:
        free = np.ones((n, n), dtype=bool)
        free[graph.unobserved[:, 0], graph.unobserved[:, 1]] = False
        pairs = np.argwhere(np.triu(free, 1))
        chosen = rng.permutation(len(pairs))[: len(graph.weights)]
        edges = pairs[chosen]
    else:
        hidden = graph.unobserved.min(axis=1) * n + graph.unobserved.max(axis=1)
        code = np.zeros(0, dtype=np.int64)
        while len(code) < len(graph.weights):
            a, b = rng.integers(0, n, (2, 2 * len(graph.weights)))
            more = np.minimum(a, b)[a != b] * n + np.maximum(a, b)[a != b]
            code = np.setdiff1d(np.concatenate([code, more]), hidden)
        code = rng.permutation(code)[: len(graph.weights)]
        edges = np.stack([code // n, code % n], axis=1)
    return replace(graph, edges=edges.astype(np.int64), weights=rng.permutation(graph.weights))


def community_gains(fit: Fit, labels: Array) -> Array:
    """Nats lost, for every group of a partition, if it joined the group that suits it best (flat partition)."""
    from .moves import merge_costs

    groups = int(labels.max()) + 1
    if groups < 2:
        return np.zeros(groups)
    state = build_state(fit.problem, flat(labels), slots=groups)
    return np.asarray(merge_costs(fit.problem, state))[:groups]


def compare_with_null(
    graph: WeightedGraph,
    model: BlockModel,
    fit: Fit,
    labels: Array,
    settings: CommunitySettings,
    seed: int,
    null_graphs: Iterable[Callable[[], WeightedGraph]] | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> NullResult:
    """P values of a fit: (1 + nulls with at least its gain) / (1 + nulls).

    Nulls stop early once `ENOUGH` of them reach the gain (Besag & Clifford 1991), when p is far from small anyway.

    Parameters
    ----------
    graph : WeightedGraph
        Prepared (weights transformed).
    labels : ndarray of int
        (N,) groups to test, of the level that is shown.
    null_graphs : iterable of callables, optional
        Each returns one prepared null graph; shuffled weights by default.
    """
    gain = one_group(fit.problem).cost - fit.cost
    community = community_gains(fit, labels)
    if fit.n_groups < 2:
        return NullResult(0.0, 1.0, community, np.ones(len(community)), 0, np.zeros(0))
    variant = replace(model, degree_corrected=(fit.degree_corrected,))

    def statistics(null_graph: WeightedGraph, own_seed: int, stop: CancelCallback) -> Statistics:
        null, null_gain = quick_fit(null_graph, variant, settings, own_seed, stop)
        return max(null_gain, 0.0), float(community_gains(null, null.levels[0]).max()), ()

    nulls = _graphs(graph, model, settings, seed, null_graphs)
    null = _p_values(
        gain,
        community,
        nulls,
        statistics,
        settings,
        seed,
        progress=progress,
        cancel=cancel,
    )
    return replace(null, what=_what(settings, null_graphs))


def compare_consensus(
    graph: WeightedGraph,
    model: BlockModel,
    found: Consensus,
    settings: CommunitySettings,
    seed: int,
    null_graphs: Iterable[Callable[[], WeightedGraph]] | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
    groups: Callable[[WeightedGraph, Array], Sequence[float]] | None = None,
) -> NullResult:
    """P values of a consensus: the same sampling on null graphs.

    The statistic of 'more than one group' is the mean gain of the first chains at late temperatures, of as many chains in the nulls;
    that of a community is the gain of its own rate, compared with the best community of every null. `groups` gives the statistics
    of all groups of a graph and the (N,) labels of its consensus; then their sum has the same say in 'more than one group' as the
    gain, of the graph sampled as quickly as its nulls, and those of the nulls are kept. All nulls are fitted then.
    """
    if not np.ptp(graph.weights) > 1e-9 * graph.weights.max():
        one = np.ones(len(found.group_gain))
        return NullResult(0.0, 1.0, found.group_gain, one, 0, np.zeros(0))

    def statistics(null_graph: WeightedGraph, own_seed: int, stop: CancelCallback) -> Statistics:
        null = find_consensus(
            null_graph,
            chains=min(TESTED_CHAINS, len(found.chain_gain)),
            kept=0,
            max_groups=settings.max_groups,
            seed=own_seed,
            quick=True,
            cancel=stop,
        )
        more = () if groups is None else tuple(groups(null_graph, null.labels))
        return null.gain, float(null.group_gain.max()), more

    nulls = _graphs(graph, model, settings, seed, null_graphs)
    how: dict[str, Any] = {"progress": progress, "cancel": cancel, "early": groups is None}
    null = _p_values(found.gain, found.group_gain, nulls, statistics, settings, seed, **how)
    null = replace(null, what=_what(settings, null_graphs))
    if groups is None or not null.fits:
        return null
    gain, _, own = statistics(graph, seed - 1, cancel or (lambda: False))
    gains = np.array([gain, *null.null_gain])
    sums = np.array([sum(one) for one in (own, *null.null_groups)])
    return replace(null, p_value=joint_p_value(np.stack([gains, sums])))


def joint_p_value(statistics: Array) -> float:
    """Share of graphs, the first of all among them, whose statistics are together as large as those of the first.

    Parameters
    ----------
    statistics : ndarray of float
        (statistic, graph), the first graph is the one in question. Every statistic is standardised over all graphs alike, so that
        the p value holds whatever they are, if the graphs can be exchanged.
    """
    spread = statistics.std(axis=1, keepdims=True)
    scaled = (statistics - statistics.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
    together = scaled.sum(axis=0)
    return float((together >= together[0] - 1e-9).mean())


def _graphs(
    graph: WeightedGraph,
    model: BlockModel,
    settings: CommunitySettings,
    seed: int,
    brought: Iterable[Callable[[], WeightedGraph]] | None,
) -> Iterable[Callable[[], WeightedGraph]]:
    """Null graphs that the caller brings, or those with shuffled weights."""
    if brought is not None:
        return brought
    return (_shuffled(graph, model, seed + 7919 * (k + 1)) for k in range(settings.null_fits))


def _p_values(
    gain: float,
    community: Array,
    nulls: Iterable[Callable[[], WeightedGraph]],
    statistics: Callable[[WeightedGraph, int, CancelCallback], Statistics],
    settings: CommunitySettings,
    seed: int,
    *,
    progress: ProgressCallback | None,
    cancel: CancelCallback | None,
    early: bool = True,
) -> NullResult:
    """Compare gains with those of nulls; `statistics` gives a null's gain, that of its best community, and more.

    Nulls have seeds of their own and run side by side; they are counted in their order, so the result does not depend on how many
    run at once. With `early`, they stop once `ENOUGH` of them reach the gain.
    """
    gains: list[float] = []
    tops: list[float] = []
    others: list[tuple[float, ...]] = []
    with workers(cancel=cancel) as pool:

        def fitted(item: tuple[int, Callable[[], WeightedGraph]]) -> Statistics:
            number, make = item
            return statistics(make(), seed + number, pool.stopped)

        for (number, _), (one, top, more) in pool.stream(fitted, enumerate(nulls)):
            report(progress, (number + 1) / max(settings.null_fits, number + 1), f"null {number + 1}")
            gains.append(one)
            tops.append(top)
            others.append(more)
            if early and sum(g >= gain for g in gains) >= ENOUGH:
                break
    total = 1 + len(gains)
    p_value = (1 + sum(g >= gain for g in gains)) / total if gains else float("nan")
    each = np.array([(1 + sum(t >= c for t in tops)) / total if gains else np.nan for c in community])
    return NullResult(gain, p_value, community, each, len(gains), np.array(gains), null_groups=tuple(others))


def _shuffled(graph: WeightedGraph, model: BlockModel, seed: int) -> Callable[[], WeightedGraph]:
    def make() -> WeightedGraph:
        shuffled = shuffle_weights(graph, np.random.default_rng(seed))
        return normalize_strength(shuffled) if model.normalized and model.weight_model == "exponential" else shuffled

    return make
