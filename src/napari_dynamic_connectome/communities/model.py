"""Which block model is fitted to a graph: the settings resolved for one graph, and the fit itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ..model.progress import CancelCallback, ProgressCallback, part
from ..model.results import Kind
from .graph import WeightedGraph, fill_zeros, normalize_strength
from .search import SINGLETON_LIMIT, Fit, search
from .settings import CommunitySettings
from .state import build_problem

Array = np.ndarray[Any, Any]
NEARLY_COMPLETE = 0.5


@dataclass(frozen=True)
class BlockModel:
    """One block model: what it explains, of which weights.

    `unit` is the mean weight; costs are in units of it, and `offset` nats lead back to the caller's unit.
    """

    counts: bool
    weight_model: Literal["exponential", "normal", "none"]
    normalized: bool
    weak_zeros: bool
    degree_corrected: tuple[bool, ...]
    offset: float = 0.0

    @property
    def description(self) -> str:
        """The model in words."""
        parts = ["counts and weights" if self.counts else "weights only", f"{self.weight_model} weights"]
        if self.normalized:
            parts.append("strengths divided out")
        if self.weak_zeros:
            parts.append("zeros as weak links")
        return ", ".join(parts)


def prepare(graph: WeightedGraph, settings: CommunitySettings, kind: Kind) -> tuple[WeightedGraph, BlockModel]:
    """Resolve the settings for a graph; returns the graph with transformed weights and the model."""
    likelihood = settings.likelihood
    if likelihood == "auto":
        likelihood = "counts+weights" if kind == "core" or settings.weights == "none" else "weights"
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
    weights, offset = graph.weights, 0.0
    weight_model: Literal["exponential", "normal", "none"] = "exponential"
    if settings.weights == "none":
        weight_model = "none"
    elif settings.weights == "exponential" and len(weights):
        unit = float(weights.mean())
        weights, offset = weights / unit, (len(weights) - 1) * float(np.log(unit))
    elif len(weights):
        weight_model = "normal"
        if settings.weights == "lognormal":
            offset += float(np.log(weights).sum())
            weights = np.log(weights)
        spread = float(weights.std()) or 1.0
        weights = (weights - weights.mean()) / spread
        offset += len(weights) * float(np.log(spread))
    model = BlockModel(counts, weight_model, normalized, weak, corrected, offset)
    return replace(graph, weights=weights), model


def fit_model(
    graph: WeightedGraph,
    model: BlockModel,
    settings: CommunitySettings,
    *,
    starts: int | None = None,
    rounds: int | None = None,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> list[Fit]:
    """Best fit of every variant (degree-corrected or not), the best one first."""
    fits = []
    slots = max(settings.max_groups, min(graph.n, SINGLETON_LIMIT), 2)
    for number, corrected in enumerate(model.degree_corrected):
        problem = build_problem(
            graph.edges,
            graph.weights,
            graph.n,
            slots=slots,
            counts=model.counts,
            degree_corrected=corrected,
            weight_model=model.weight_model,
            unobserved=graph.unobserved,
        )
        fit = search(
            problem,
            starts=settings.starts if starts is None else starts,
            rounds=settings.rounds if rounds is None else rounds,
            max_groups=settings.max_groups,
            seed=seed,
            progress=part(progress, number / len(model.degree_corrected), (number + 1) / len(model.degree_corrected)),
            cancel=cancel,
        )
        fits.append(replace(fit, degree_corrected=corrected))
    return sorted(fits, key=lambda fit: fit.cost)
