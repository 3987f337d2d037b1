"""Block model of one graph: the settings resolved for it, and the fit itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ..model.errors import SettingsError
from ..model.execution import workers
from ..model.progress import CancelCallback, ProgressCallback, report
from ..model.results import CommunityKind
from .graph import WeightedGraph, fill_zeros, normalize_strength
from .search import SINGLETON_LIMIT, Fit, build_hierarchy, one_group, search, state_cost
from .settings import CommunitySettings
from .state import Problem, build_problem, build_state

Array = np.ndarray[Any, Any]
NEARLY_COMPLETE = 0.5
CLOSE = 40.0


@dataclass(frozen=True)
class BlockModel:
    """One block model: what it explains, of which weights.

    `unit` is the mean weight; costs are in units of it, and `offset` nats lead back to the caller's unit;
    `scale_cost` is that of the sum of all weights under a scale-free prior, which makes different models comparable.
    """

    counts: bool
    weight_model: Literal["exponential", "normal", "none"]
    normalized: bool
    weak_zeros: bool
    degree_corrected: tuple[bool, ...]
    offset: float = 0.0
    scale_cost: float = 0.0
    consensus: bool = False
    logarithm: bool = False

    @property
    def description(self) -> str:
        """The model in words."""
        if self.consensus:
            parts = ["weights only, one rate inside each group and one between all", "exponential weights"]
        else:
            parts = [
                "counts and weights" if self.counts else "weights only",
                f"{'log' * self.logarithm}{self.weight_model} weights",
            ]
        if self.normalized:
            parts.append("strengths divided out")
        if self.weak_zeros:
            parts.append("zeros as weak links")
        return ", ".join(parts)


def prepare(graph: WeightedGraph, settings: CommunitySettings, kind: CommunityKind) -> tuple[WeightedGraph, BlockModel]:
    """Resolve the settings for a graph; returns the graph with transformed weights and the model."""
    likelihood = settings.likelihood
    if likelihood == "auto":
        likelihood = "counts+weights" if kind == "core" or settings.weight_model == "none" else "weights"
    counts = likelihood == "counts+weights"
    weak = settings.zeros == "weak" or (settings.zeros == "auto" and not counts and graph.density >= NEARLY_COMPLETE)
    normalized = settings.normalize_strength == "yes" or (settings.normalize_strength == "auto" and kind == "modules")
    if weak:
        graph = fill_zeros(graph)
    if normalized:
        graph = normalize_strength(graph)
    corrected: tuple[bool, ...] = (False,)
    if counts:
        corrected = {"auto": (True, False), "yes": (True,), "no": (False,)}[settings.degree_correction]
    weights, offset, scale_cost = graph.weights, 0.0, 0.0
    weight_model: Literal["exponential", "normal", "none"] = "exponential"
    if settings.weight_model == "none":
        weight_model = "none"
    elif settings.weight_model in ("exponential", "auto") and len(weights):
        unit = float(weights.mean())
        weights, offset = weights / unit, (len(weights) - 1) * float(np.log(unit))
        scale_cost = float(np.log(graph.weights.sum()))
    elif len(weights):
        weight_model = "normal"
        if settings.weight_model == "lognormal":
            offset += float(np.log(weights).sum())
            weights = np.log(weights)
        spread = float(weights.std()) or 1.0
        weights = (weights - weights.mean()) / spread
        offset += len(weights) * float(np.log(spread))
    able = not counts and weight_model == "exponential"
    if settings.partition == "consensus" and not able:
        raise SettingsError(
            "a consensus is only found for exponential weights without counts",
            where="partition",
            fix="Use partition='shortest', or likelihood='weights' with weight_model='exponential'.",
        )
    consensus = able and (settings.partition == "consensus" or (settings.partition == "auto" and kind == "modules"))
    logarithm = settings.weight_model == "lognormal"
    model = BlockModel(
        counts, weight_model, normalized, weak, corrected, offset, scale_cost, consensus, logarithm=logarithm
    )
    return replace(graph, weights=weights), model


def problem_of(graph: WeightedGraph, model: BlockModel, corrected: bool, slots: int) -> Problem:
    """Compiled search's arrangement of a prepared graph."""
    return build_problem(
        graph.edges,
        graph.weights,
        graph.n,
        slots=slots,
        counts=model.counts,
        degree_corrected=corrected,
        weight_model=model.weight_model,
        unobserved=graph.unobserved,
    )


def fit_model(
    graph: WeightedGraph,
    model: BlockModel,
    settings: CommunitySettings,
    *,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> list[Fit]:
    """Best fit of every variant (degree-corrected or not), the best one first.

    Every variant gets one start; the rest go to those within `CLOSE` nats of the best. Variants run side by side.
    """
    slots = max(settings.max_groups, min(graph.n, SINGLETON_LIMIT), 2)
    more: dict[str, Any] = {"rounds": settings.rounds, "max_groups": settings.max_groups}
    fits: list[Fit] = []
    share = 1 / settings.starts
    with workers(cancel=cancel) as pool:
        more["cancel"] = pool.stopped

        def first(corrected: bool) -> Fit:
            fit = search(problem_of(graph, model, corrected, slots), starts=1, seed=seed, **more)
            return replace(fit, degree_corrected=corrected)

        for _, fit in pool.stream(first, model.degree_corrected):
            fits.append(fit)
            report(progress, share * len(fits) / len(model.degree_corrected), "start 1")
        low = min(fit.cost for fit in fits)

        def rest(number: int) -> Fit:
            fit = fits[number]
            better = search(fit.problem, starts=settings.starts - 1, first=1, seed=seed, best=fit, **more)
            return replace(better, degree_corrected=fit.degree_corrected)

        if settings.starts > 1:
            close = [number for number, fit in enumerate(fits) if fit.cost < low + CLOSE]
            for done, (number, fit) in enumerate(list(pool.stream(rest, close)), start=1):
                fits[number] = fit
                report(progress, share + (1 - share) * done / len(close), "more starts")
    return sorted(fits, key=lambda fit: fit.cost)


def consensus_fit(
    graph: WeightedGraph, model: BlockModel, settings: CommunitySettings, labels: Array, seed: int
) -> Fit:
    """Levels above a consensus (-1 = background, which becomes one more group, the last) and their description length."""
    whole = np.where(labels >= 0, labels, labels.max() + 1)
    slots = max(int(whole.max()) + 2, 2)
    problem = problem_of(graph, model, False, slots)
    levels = build_hierarchy(problem, whole, slots, seed)
    return Fit(tuple(levels), state_cost(problem, build_state(problem, levels, slots=slots)), problem)


def quick_fit(
    graph: WeightedGraph,
    model: BlockModel,
    settings: CommunitySettings,
    seed: int,
    cancel: CancelCallback | None = None,
) -> tuple[Fit, float]:
    """Cheap fit from few groups, for nulls; returns the fit and its gain over one group in nats."""
    best: tuple[Fit, float] | None = None
    for corrected in model.degree_corrected:
        slots = max(min(settings.max_groups, 24), 2)
        problem = problem_of(graph, model, corrected, max(slots, 2))
        fit = search(problem, starts=2, rounds=2, max_groups=slots, seed=seed, initial=10, cancel=cancel)
        if best is None or fit.cost < best[0].cost:
            best = (fit, one_group(problem).cost - fit.cost)
    assert best is not None
    return best
