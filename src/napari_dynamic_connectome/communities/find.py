"""Find the communities of a weighted graph or of one component: the one entry point for every method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from ..model.progress import CancelCallback, ProgressCallback, check_cancel, part, report
from ..model.results import Communities, Kind
from .graph import apply_threshold, read_graph
from .levels import expand, number_levels
from .model import fit_model, prepare
from .settings import CommunitySettings

Method = Literal["sbm", "louvain", "leiden", "spectral"]
Array = np.ndarray[Any, Any]


def find_communities(
    weights: Any,
    settings: CommunitySettings | dict[str, Any] | None = None,
    *,
    component: int | None = None,
    kind: Kind = "modules",
    method: Method = "sbm",
    names: Sequence[str] | None = None,
    seed: int = 0,
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
    method : {"sbm", "louvain", "leiden", "spectral"}
    names : sequence of str, optional
    seed : int
    progress, cancel : callable, optional
    **options
        Fields of `CommunitySettings` that override `settings`.

    Returns
    -------
    Communities

    Raises
    ------
    InputError
        The weights cannot be used (see `graph_from_matrix`).
    """
    settings = CommunitySettings.parse(settings, where="communities", **options)
    graph = apply_threshold(read_graph(weights, component, names), settings.threshold)
    report(progress, 0.0, "reading the graph")
    check_cancel(cancel)
    used = graph.observed
    inner, model = prepare(graph.subset(used), settings, kind)
    fits = fit_model(inner, model, settings, seed=seed, progress=part(progress, 0.02, 0.98), cancel=cancel)
    best = fits[0]
    levels = expand(best.levels)
    labels = np.full((len(levels), graph.n), -1, dtype=np.int64)
    labels[:, used] = levels
    labels = number_levels(labels)
    names_array = np.asarray(graph.names, dtype=object)
    coords = {"level": np.arange(len(labels)), "neuron": names_array}
    return Communities(
        labels=xr.DataArray(labels, dims=("level", "neuron"), coords=coords, name="community"),
        chosen_level=0,
        probability=xr.DataArray(np.full(labels.shape, np.nan), dims=("level", "neuron"), coords=coords),
        kind=kind,
        method="nested sbm",
        description_length=best.cost + model.offset,
        rule="the finest level of the partition of lowest description length",
        provenance={"settings": settings.model_dump(), "seed": seed},
    )
