"""Communities of a weighted graph or of one component: the one entry point for every method."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from threading import RLock
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..model.errors import InputError, SettingsError
from ..model.execution import limited_threads
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, part, report
from ..model.provenance import graph_of, record_of
from ..model.results import Communities, CommunityKind, Components
from .consensus import KEPT, Consensus, find_consensus, posterior_of
from .graph import DENSE_LIMIT, WeightedGraph, apply_threshold, normalize_strength, read_graph
from .judge import untested
from .levels import expand, number_levels
from .model import NEARLY_COMPLETE, BlockModel, consensus_fit, fit_model, prepare
from .null import NullResult, compare_consensus, compare_with_null
from .posterior import Posterior, sample_posterior
from .search import Fit, one_group
from .settings import CommunitySettings
from .settle import group_statistics, settle

Array = np.ndarray[Any, Any]
NESTED = "nested sbm"
CHAINS_PER_START = 2
NO_LINKS = "there are no links, so nobody is in a community"
NOT_SHOWN = "a component alone does not show what chance gives, and shuffling its weights does not either; analyze compares with surrogate cohorts"
ONLY_GRAPH = (
    "That is said of this graph; whether chance gives such components, analyze finds out from surrogate cohorts."
)


def find_communities(
    weights: Any,
    settings: CommunitySettings | dict[str, Any] | None = None,
    *,
    component: int | None = None,
    kind: CommunityKind = "modules",
    names: Sequence[str] | None = None,
    seed: int = 0,
    null_graphs: Iterable[Any] | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
    **options: Any,
) -> Communities:
    """Find nested communities.

    Parameters
    ----------
    weights : array, DataArray, sparse matrix, networkx.Graph or Components
        Weights of the pairs; NaN: never observed (left out of the likelihood), 0: observed, no link.
    settings : CommunitySettings or dict, optional
    component : int, optional
        Which component, if `weights` are Components.
    kind : {"modules", "core"}
        modules: structure beyond strength. core: who takes part and how strongly (the paper's model).
    names : sequence of str, optional
    seed : int
    null_graphs : iterable, optional
        Graphs to compare with (anything that `weights` may be, such as components of circularly shifted affinities); by
        default, `settings.null_fits` graphs with shuffled weights. Components are compared with those only if `null_fits` is given:
        shuffled weights say whether this graph has structure, and the factors of noise have it, too. `analyze` and
        `partition` compare with surrogate cohorts.
    progress, cancel : callable, optional
    **options
        Fields of `CommunitySettings` that override `settings`, such as `method="leiden"`.

    Returns
    -------
    Communities
        Level 0 is the finest; the last level is one single group. Neurons without an observed pair, and for a likelihood
        of the weights only those without a link, are -1. A graph without links: everyone -1.

    Raises
    ------
    InputError
        The weights cannot be used (see `graph_from_matrix`).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> group = np.arange(40) // 20
    >>> weights = np.triu(rng.exponential(np.where(group[:, None] == group, 4.0, 1.0)), 1)
    >>> found = find_communities(weights + weights.T, kind="core", likelihood="weights", null_fits=0, samples=0)
    >>> found.sizes(0).tolist()
    [20, 20]
    """
    own = CommunitySettings.parse(settings, where="communities", **options)
    of_component = own.method == "sbm" and null_graphs is None and _is_component(weights)
    if of_component and "null_fits" not in own.model_fields_set:
        own = own.model_copy(update={"null_fits": 0})
    found = fit_communities(
        weights,
        own,
        component=component,
        kind=kind,
        names=names,
        seed=seed,
        null_graphs=null_graphs,
        progress=progress,
        cancel=cancel,
    )
    if not of_component or found.rule == NO_LINKS:
        return found
    if own.null_fits:
        return replace(found, answer=f"{found.answer} {ONLY_GRAPH}".strip())
    if component is not None:  # of Components
        weights = weights.matrix(component)
    return untested(found, np.asarray(weights.values, float), NOT_SHOWN)


def _is_component(weights: Any) -> bool:
    """Whether a graph is a component of a cohort: of Components, or what their `matrix` gives."""
    return isinstance(weights, Components) or (isinstance(weights, xr.DataArray) and "component" in weights.attrs)


def fit_communities(
    weights: Any,
    settings: CommunitySettings,
    *,
    component: int | None = None,
    kind: CommunityKind = "modules",
    names: Sequence[str] | None = None,
    seed: int = 0,
    null_graphs: Iterable[Any] | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> Communities:
    """Find nested communities, as `find_communities` does, and say nothing of whether recordings give them by chance."""
    method = settings.method
    if kind not in ("modules", "core"):
        raise SettingsError(f"kind '{kind}' is unknown", where="find_communities", fix="Kinds: modules, core.")
    if settings.null != "weights" and null_graphs is None and settings.null_fits and method == "sbm":
        raise SettingsError(
            f"chance by '{settings.null}' needs null graphs, which a single graph cannot give",
            where="communities.null",
            fix="Run the pipeline or the docks, pass null_graphs=, or set null to 'weights'.",
        )
    report(progress, 0.0, "reading the graph")
    check_cancel(cancel)
    graph = apply_threshold(read_graph(weights, component, names), settings.threshold)
    provenance = record_of(
        settings,
        seed,
        [*_inputs_of(weights), graph_of(graph.names, graph.edges, graph.weights)],
        step="communities",
        method=method,
        kind=kind,
        component=component,
    )
    if not len(graph.weights):
        return _assemble(
            graph.names,
            np.full((1, graph.n), -1),
            kind,
            NESTED if method == "sbm" else method,
            rule=NO_LINKS,
            provenance=provenance,
        )
    if method != "sbm":
        return _other_method(graph, settings, kind, method, seed, provenance)
    _FIRST_USE.of(kind)
    used = graph.observed.copy()
    inner, model = prepare(graph.subset(used), settings, kind)
    if not model.counts:
        linked = np.bincount(inner.edges.ravel(), minlength=inner.n) > 0
        used[np.flatnonzero(used)[~linked]] = False
        inner = inner.subset(linked)
    if model.consensus:
        task = _Task(graph, used, inner, model, settings, kind, seed, provenance)
        return _by_consensus(task, null_graphs, progress, cancel)
    fits, model, inner, settings = _best_weights(
        graph.subset(used), inner, model, settings, kind, seed, part(progress, 0.02, 0.6), cancel
    )
    best = fits[0]
    posterior = None
    if settings.samples:
        posterior = sample_posterior(
            best, settings.samples, seed + 1, progress=part(progress, 0.6, 0.75), cancel=cancel
        )
    null = None
    if null_graphs is not None or settings.null_fits:
        brought = None if null_graphs is None else (_prepared(one, settings, kind, used) for one in null_graphs)
        null = compare_with_null(
            inner,
            model,
            best,
            best.levels[0],
            settings,
            seed + 2,
            brought,
            progress=part(progress, 0.75, 1.0),
            cancel=cancel,
        )
    check_cancel(cancel)
    task = _Task(graph, used, inner, model, settings, kind, seed, provenance)
    return _result(task, fits, posterior, null)


@dataclass(frozen=True, eq=False)
class _Task:
    """A graph whose communities are looked for, and how.

    Parameters
    ----------
    graph : WeightedGraph
    used : ndarray of bool
        (N,), nodes that take part.
    inner : WeightedGraph
        Graph of these, as the model takes it.
    model : BlockModel
    settings : CommunitySettings
    kind : str
    seed : int
    provenance : dict
        Of the result.
    """

    graph: WeightedGraph
    used: Array
    inner: WeightedGraph
    model: BlockModel
    settings: CommunitySettings
    kind: CommunityKind
    seed: int
    provenance: dict[str, Any]


def _inputs_of(weights: Any) -> list[dict[str, Any]]:
    """What components were made from; nothing is known of another graph."""
    return list(weights.provenance.get("inputs", ())) if isinstance(weights, Components) else []


def _by_consensus(
    task: _Task, null_graphs: Iterable[Any] | None, progress: ProgressCallback | None, cancel: CancelCallback | None
) -> Communities:
    """Consensus of sampled partitions, the levels above it, and its nulls."""
    graph, used, inner = task.graph, task.used, task.inner
    model, settings, seed = task.model, task.settings, task.seed
    chains = CHAINS_PER_START * settings.starts
    found = find_consensus(
        inner,
        chains=chains,
        kept=max(KEPT, -(-settings.samples // chains)) if settings.samples else 0,
        max_groups=settings.max_groups,
        seed=seed,
        progress=part(progress, 0.02, 0.5),
        cancel=cancel,
    )
    fit = consensus_fit(inner, model, settings, found.labels, seed)
    labels = expand(fit.levels)
    labels[:-1, found.labels < 0] = -1
    posterior = posterior_of(found, fit.levels[1:], labels) if settings.samples else None
    null = None
    alone = null_graphs is None and settings.level == "auto"
    alone = alone and graph.subset(used).density >= NEARLY_COMPLETE and graph.n <= DENSE_LIMIT
    if null_graphs is not None or settings.null_fits:
        brought = None if null_graphs is None else (_prepared(one, settings, task.kind, used) for one in null_graphs)
        null = compare_consensus(
            inner,
            model,
            found,
            settings,
            seed + 2,
            brought,
            progress=part(progress, 0.5, 1.0),
            cancel=cancel,
            groups=(lambda one, row: group_statistics(_observed_matrix(one), row)) if alone else None,
        )
    check_cancel(cancel)
    result = _result(task, [fit], posterior, null, labels, found)
    if alone and null is not None and null.fits and len(labels) > 1:
        chance = f"{null.fits} graphs with the same strengths and shuffled pairs"
        return settle(result, _observed_matrix(graph), null, alpha=settings.alpha, chance=chance)
    return result


def _observed_matrix(graph: WeightedGraph) -> Array:
    """Weights (N, N), 0 without a link, NaN where a pair was not observed."""
    matrix = graph.matrix()
    a, b = graph.unobserved[:, 0], graph.unobserved[:, 1]
    matrix[a, b] = matrix[b, a] = np.nan
    return matrix


def _best_weights(
    graph: WeightedGraph,
    inner: WeightedGraph,
    model: BlockModel,
    settings: CommunitySettings,
    kind: CommunityKind,
    seed: int,
    progress: ProgressCallback | None,
    cancel: CancelCallback | None,
) -> tuple[list[Fit], BlockModel, WeightedGraph, CommunitySettings]:
    """Fit; with weights `auto`, exponential and lognormal, and keep the lower description length.

    The settings that are returned say which: null graphs are prepared by them, too.
    Nearly complete graphs are fitted with exponential weights alone: most of their links hardly count, and a lognormal
    distribution tells these apart by their logarithms, into groups that nobody asked for.
    """
    if settings.weight_model != "auto" or graph.density >= NEARLY_COMPLETE:
        return fit_model(inner, model, settings, seed=seed, progress=progress, cancel=cancel), model, inner, settings
    tried = []
    for number, name in enumerate(("exponential", "lognormal")):
        own = settings.model_copy(update={"weight_model": name})
        one, variant = prepare(graph, own, kind)
        fits = fit_model(
            one, variant, own, seed=seed, progress=part(progress, number / 2, (number + 1) / 2), cancel=cancel
        )
        tried.append((fits[0].cost + variant.offset + variant.scale_cost, fits, variant, one, own))
    _, fits, variant, one, own = min(tried, key=lambda item: item[0])
    return fits, variant, one, own


def _prepared(
    weights: Any, settings: CommunitySettings, kind: CommunityKind, used: Array
) -> Callable[[], WeightedGraph]:
    """Read and prepare a graph that the caller brings as a null."""

    def make() -> WeightedGraph:
        graph = apply_threshold(read_graph(weights), settings.threshold)
        if graph.n != len(used):
            raise InputError(f"a null graph has {graph.n} nodes, the graph {len(used)}", where="null_graphs")
        return prepare(graph.subset(used), settings, kind)[0]

    return make


def _assemble(
    names: tuple[str, ...],
    labels: Array,
    kind: CommunityKind,
    method: str,
    *,
    probability: Array | None = None,
    **more: Any,
) -> Communities:
    """Communities from labels (level, neuron), numbered so that children are beside their parent."""
    coords = {"level": np.arange(len(labels)), "neuron": np.asarray(names, dtype=object)}
    dims = ("level", "neuron")
    probability = np.full(labels.shape, np.nan) if probability is None else probability
    return Communities(
        labels=xr.DataArray(labels, dims=dims, coords=coords, name="community"),
        chosen_level=more.pop("chosen_level", 0),
        probability=xr.DataArray(probability, dims=dims, coords=coords, name="probability"),
        kind=kind,
        method=method,
        **more,
    )


def _other_method(
    graph: WeightedGraph,
    settings: CommunitySettings,
    kind: CommunityKind,
    method: str,
    seed: int,
    provenance: dict[str, Any],
) -> Communities:
    """One level of labels by Louvain, Leiden or spectral clustering."""
    linked = np.bincount(graph.edges.ravel(), minlength=graph.n) > 0
    inner = graph.subset(linked)
    if settings.normalize_strength == "yes":
        inner = normalize_strength(inner)
    module = import_module(f".methods.{method.replace(' ', '_')}", __package__)
    found = module.find(inner, settings, seed)
    labels = np.full((1, graph.n), -1, dtype=np.int64)
    labels[0, linked] = found
    rule = f"{method} gives one level and no test against chance"
    return _assemble(graph.names, number_levels(labels), kind, method, rule=rule, provenance=provenance)


def _result(
    task: _Task,
    fits: list[Fit],
    posterior: Posterior | None,
    null: NullResult | None,
    inner: Array | None = None,
    found: Consensus | None = None,
) -> Communities:
    """Put fit, samples and p values together, under the final numbers of the communities."""
    graph, used, model, settings = task.graph, task.used, task.model, task.settings
    best = fits[0]
    inner = expand(best.levels) if inner is None else inner
    raw = np.full((len(inner), graph.n), -1, dtype=np.int64)
    raw[:, used] = inner
    labels = number_levels(raw)
    chosen, rule = _level(len(labels), null, settings, found)
    names = np.asarray(graph.names, dtype=object)
    renamed = {level: _renaming(raw[level], labels[level]) for level in {0, chosen}}
    probability, extra = None, {}
    if posterior is not None:
        probability = np.full(labels.shape, np.nan)
        probability[:, used] = posterior.probability
        extra = _sampled(posterior, chosen, renamed[chosen], used, names)
    if null is not None:
        table = pd.DataFrame({"gain": null.community_gain, "p_value": null.community_p})
        table.index = pd.Index([renamed[0][g] for g in range(len(table))], name="community")
        if chosen != 0:
            table = pd.DataFrame({"gain": [0.0], "p_value": [1.0]}, index=pd.Index([0], name="community"))
        table = table.sort_index()
        table.attrs["p_more_than_one"] = null.p_value
        extra["significance"] = table
    variants = {("degree-corrected" if f.degree_corrected else "plain"): f.cost + model.offset for f in fits}
    diagnostics: dict[str, Any] = {
        "model": model.description + (", degree-corrected" if best.degree_corrected else ""),
        "description_length_nats": variants,
        "gain_over_one_group_nats": one_group(best.problem).cost - best.cost if found is None else found.gain,
        "groups_per_level": [int(row.max()) + 1 for row in labels],
        "unobserved": [n for n, k in zip(graph.names, graph.observed) if not k],
    }
    if found is not None:
        diagnostics["largest_eigenvalue_over_random"] = found.stands_out
        diagnostics["weight_shape"] = found.shape
        diagnostics["chain_gain_nats"] = found.chain_gain.tolist()
    if null is not None:
        diagnostics["null_fits"], diagnostics["null_gain_nats"] = null.fits, null.null_gain.tolist()
    if posterior is not None:
        entropy = -np.where((m := posterior.membership[chosen]) > 0, m * np.log(np.maximum(m, 1e-300)), 0.0).sum(axis=1)
        uncertainty = np.full(graph.n, np.nan)
        uncertainty[used] = entropy
        consensus = np.full(graph.n, -1, dtype=np.int64)
        sure = posterior.membership[chosen][:, :-1].argmax(axis=1)
        consensus[used] = np.array([renamed[chosen][g] for g in range(len(renamed[chosen]))])[sure]
        diagnostics["uncertainty_nats"], diagnostics["consensus"] = uncertainty, consensus
    return _assemble(
        graph.names,
        labels,
        task.kind,
        "nested sbm",
        probability=probability,
        chosen_level=chosen,
        description_length=float(best.cost + model.offset),
        rule=rule,
        diagnostics=diagnostics,
        provenance=task.provenance,
        **extra,
    )


def _level(
    n_levels: int, null: NullResult | None, settings: CommunitySettings, found: Consensus | None
) -> tuple[int, str]:
    """Which level is shown first, and why, in words."""
    chosen, rule = 0, "the finest level of the partition of lowest description length"
    if found is not None:
        rule = f"the finest level: what {found.agreeing} sampled partitions agree on"
    if found is not None and n_levels == 1 and null is not None and null.p_value <= settings.alpha:
        rule = (
            f"one group: the weights depart from chance (p = {null.p_value:.2g} against {null.fits} fits to {null.what}), but no "
            "group is more strongly linked inside than to the others"
        )
    elif settings.level == "auto" and null is not None and null.p_value > settings.alpha and n_levels > 1:
        chosen = n_levels - 1
        rule = (
            f"one group: p = {null.p_value:.2g} against {null.fits} fits to {null.what} (above {settings.alpha:g}); "
            "finer levels are not distinguished from chance"
        )
    elif null is not None and n_levels > 1:
        rule += f" (p = {null.p_value:.2g} against {null.fits} fits to {null.what})"
    elif found is not None and n_levels > 1:
        if settings.level == "auto" and found.stands_out <= 1:
            chosen = n_levels - 1
            rule = (
                "one group: no eigenvalue of the weights stands out of those of random ones (finer levels not tested)"
            )
        else:
            rule += " (not tested against chance)"
    return chosen, rule


def _renaming(raw: Array, labels: Array) -> dict[int, int]:
    """Group of the search -> number that the user sees."""
    return {int(g): int(labels[np.flatnonzero(raw == g)[0]]) for g in np.unique(raw[raw >= 0])}


def _sampled(posterior: Posterior, level: int, renamed: dict[int, int], used: Array, names: Array) -> dict[str, Any]:
    """Membership, co-membership and number of groups as labelled arrays."""
    shares = posterior.membership[level]
    groups = shares.shape[1] - 1
    order = np.argsort([renamed[g] for g in range(groups)])
    columns, numbers = shares[:, order], np.arange(groups)
    if shares[:, -1].any():
        columns, numbers = np.concatenate([columns, shares[:, -1:]], axis=1), np.append(numbers, -1)
    mine = names[used]
    counts = pd.Series(posterior.n_groups).value_counts(normalize=True).sort_index()
    counts.index.name, counts.name = "groups", "probability"
    return {
        "membership": xr.DataArray(
            columns, dims=("neuron", "community"), coords={"neuron": mine, "community": numbers}, name="membership"
        ),
        "co_membership": xr.DataArray(
            posterior.co_membership(level),
            dims=("neuron", "neuron_b"),
            coords={"neuron": mine, "neuron_b": mine},
            name="co-membership",
        ),
        "n_groups": counts,
    }


class _FirstUse:
    """Compile (or load from the disk cache) the kernels of a kind in one thread, while the others wait.

    Numba guards its compiler, not all of what several threads do that meet a kernel for the first time at once.
    """

    def __init__(self) -> None:
        self.lock = RLock()
        self.done: set[str] = set()
        self.running = False

    def of(self, kind: CommunityKind) -> None:
        """Return when the kernels of a kind are there."""
        if kind in self.done:
            return
        with self.lock:
            if kind in self.done or self.running:
                return
            self.running = True
            try:
                weights = np.triu(np.random.default_rng(0).exponential(size=(12, 12)), 1)
                tiny = CommunitySettings(starts=2, rounds=2, samples=2, null_fits=1)
                with limited_threads(1):
                    find_communities(weights + weights.T, tiny, kind=kind)
                self.done.add(kind)
            finally:
                self.running = False


_FIRST_USE = _FirstUse()


def precompile() -> None:
    """Compile (or load from the disk cache) all that `find_communities` needs, on a tiny graph.

    Meant for a background thread: the first time takes tens of seconds, later ones about one.
    """
    _FIRST_USE.of("core")
    _FIRST_USE.of("modules")
