"""The panel of static baselines: every method's partition of the neurons, and how far they agree with the main result.

All methods see the same traces: each worm on the common clock, standardised; what a worm says about a pair is averaged over the worms that
have both neurons (the consensus), and the consensus is cut into groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from ..affinity.sampling import complete_part, natural_rate, sample_worm
from ..communities.find import find_communities
from ..model.cohort import Cohort
from ..model.errors import InputError
from ..model.opinions import BaselinePanel
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, report
from ..model.provenance import record_of
from ..model.results import Communities, Components
from ..model.text import counted
from .partition import consensus, cut_order, sort_neurons, ward
from .settings import BaselineSettings
from .similarity import absolute_correlation, edge_profile_similarity, loading_similarity, shape_distance

Array = np.ndarray
DEFAULT_GROUPS = 6


def static_baselines(
    cohort: Cohort,
    main: Mapping[str, Communities] | Components | Communities | None = None,
    settings: BaselineSettings | dict[str, Any] | None = None,
    *,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
    **options: Any,
) -> BaselinePanel:
    """Group the neurons by static methods and compare with the main result.

    Parameters
    ----------
    cohort : Cohort
    main : Communities, mapping of name to Communities, or Components, optional
        What to compare with: communities at their chosen level, or, for components, the component in which each neuron is
        strongest.
    settings : BaselineSettings or dict, optional
    seed : int
    progress, cancel : callable, optional
    **options
        Fields of `BaselineSettings`.

    Returns
    -------
    BaselinePanel

    Raises
    ------
    InputError
        Too few neurons or samples; a main result of other neurons.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_dynamic_connectome import Cohort, Recording
    >>> rng = np.random.default_rng(0)
    >>> drive = rng.standard_normal((300, 2)).cumsum(axis=0)
    >>> x = drive[:, [0, 0, 0, 1, 1, 1]] + 0.3 * rng.standard_normal((300, 6))
    >>> worm = Recording.from_arrays(x, name="w", rate_hz=2, names=["AVAL", "AVAR", "AVEL", "RIBL", "RIBR", "AVBL"])
    >>> panel = static_baselines(Cohort([worm]), groups=2, methods=("shape distance", "leiden"))
    >>> float(panel.agreement("ari").loc["shape distance", "leiden"])
    1.0
    """
    chosen = BaselineSettings.parse(settings, where="baseline settings", **options)
    worms, members, used, notes, rate = _traces(cohort, chosen, cancel)
    known = _main_labels(main, cohort)
    groups = chosen.groups or _groups_of(known) or DEFAULT_GROUPS
    if groups > len(used):
        raise InputError(f"{groups} groups of {len(used)} neurons", where="baselines", fix="Ask for fewer groups.")
    partitions: dict[str, Array] = {}
    similarity: dict[str, Array] = {}
    order: Array = np.empty(0, int)
    for number, method in enumerate(chosen.methods):
        check_cancel(cancel)
        report(progress, number / len(chosen.methods), method)
        made = []
        for w, traces in enumerate(worms):
            check_cancel(cancel)
            made.append(_one_worm(method, traces, chosen, rate, seed + w))
        together = consensus(made, members, len(used))
        if method == "shape distance":  # what is alike is kept, distances are cut
            partitions[method], together = ward(together, groups), 1 - together
        elif method == "sorting":
            order = sort_neurons(together)
            partitions[method] = cut_order(together, order, groups)
        else:
            partitions[method] = _cut(method, together, groups, used, chosen, seed)
        np.fill_diagonal(together, 1.0)
        similarity[method] = together
    report(progress, 1.0, "compared")
    names = np.asarray(used, dtype=object)
    frame = pd.DataFrame(
        {**{k: _on(used, v) for k, v in known.items()}, **partitions}, index=pd.Index(used, name="neuron")
    )
    return BaselinePanel(
        partitions=frame,
        main=tuple(known),
        similarity={
            k: xr.DataArray(v, dims=("neuron", "neuron_b"), coords={"neuron": names, "neuron_b": names}, name=k)
            for k, v in similarity.items()
        },
        order=tuple(used[i] for i in order),
        notes=tuple(notes),
        provenance=record_of(chosen, seed, cohort.recordings, step="baselines", groups=groups),
    )


def _cut(method: str, together: Array, groups: int, names: list[str], settings: BaselineSettings, seed: int) -> Array:
    """Groups of a consensus by similarity, (n,) labels from 0."""
    if method == "nmf":
        return ward(1 - together, groups)
    way: Literal["louvain", "leiden"] = "louvain" if method == "louvain" else "leiden"
    found = find_communities(together, method=way, names=names, seed=seed, resolution=settings.resolution)
    return np.asarray(found.labels.values[0])


def _one_worm(method: str, traces: Array, settings: BaselineSettings, rate: float, seed: int) -> Array:
    if method == "shape distance":
        lag = None if settings.max_lag_s is None else round(settings.max_lag_s * rate)
        return shape_distance(traces, lag)
    if method == "edge time series":
        return edge_profile_similarity(traces, settings.edge_clusters, seed)
    if method == "nmf":
        return loading_similarity(traces, settings.nmf_rank, seed)
    return absolute_correlation(traces)


def _traces(
    cohort: Cohort, settings: BaselineSettings, cancel: CancelCallback | None
) -> tuple[list[Array], list[Array], list[str], list[str], float]:
    """Every worm's complete, standardised traces and which neurons they are; names of the neurons that take part; notes."""
    rate = settings.rate_hz or min((natural_rate(r.time_s) for r in cohort.recordings if r.n_times > 2), default=1.0)
    least = min(settings.min_worms, len(cohort.worms))
    coverage = cohort.coverage()
    wanted = {str(n) for n in coverage.index[coverage >= least]}
    found, names, notes = [], [], list(cohort.notes)
    if least < settings.min_worms and not notes:
        notes.append(f"min_worms is {settings.min_worms}, but there are only {least} worms: {least} is taken.")
    for number, recording in enumerate(cohort.recordings):
        check_cancel(cancel)
        traces = cohort.traces_of(number)
        here = [str(n) for n in traces["neuron"].values]
        if recording.n_times < 10:
            raise InputError(
                f"{recording.n_times} samples are too few",
                where=f"recording '{recording.name}'",
                fix="Leave this worm out.",
            )
        sampling = sample_worm(recording.time_s, traces.values, recording.breaks, rate, settings.gap_s)
        values = np.where(sampling.valid, sampling.levels(), np.nan)
        with np.errstate(invalid="ignore"):
            changing = np.array([np.isfinite(v).any() and np.nanmax(v) > np.nanmin(v) for v in values], bool)
        usable = changing & np.array([n in wanted for n in here], bool)
        keep, times = complete_part(sampling.valid & usable[:, None])
        if (usable & ~keep).any() or (~changing).any():
            out = [n for n, k, c, u in zip(here, keep, changing, usable, strict=True) if not c or (u and not k)]
            notes.append(
                f"{recording.name}: {', '.join(out[:6])} left out (constant, or not measured for part of the time)"
            )
        if keep.sum() < 3:
            raise InputError(
                f"{counted(int(keep.sum()), 'neuron')} can be compared, and 3 are the least (constant traces and long gaps are left out)",
                where=f"recording '{recording.name}'",
                fix="Leave this worm out.",
            )
        level = values[np.ix_(keep, times)].T
        found.append((level - level.mean(axis=0)) / level.std(axis=0))
        names.append([n for n, k in zip(here, keep, strict=True) if k])
    used = [n for n in cohort.neurons if any(n in mine for mine in map(set, names))]
    index = {n: i for i, n in enumerate(used)}
    return found, [np.array([index[n] for n in mine]) for mine in names], used, notes, rate


def main_results(
    components: Components | None, communities: Mapping[tuple[int, Any], Communities]
) -> Components | dict[str, Communities] | None:
    """What a session's baselines are compared with: communities of every component that has more than one, else components.

    Parameters
    ----------
    components : Components, optional
    communities : mapping of (component, kind) to Communities
    """
    found = {
        f"component {component} {kind}": one
        for (component, kind), one in sorted(communities.items())
        if len(one.sizes()) > 1
    }
    return found or components


def _main_labels(main: Any, cohort: Cohort) -> dict[str, dict[str, int]]:
    """Name -> neuron -> label."""
    if main is None:
        return {}
    if isinstance(main, Components):
        strength = np.stack([main.strength(c).values for c in range(1, main.rank + 1)])
        placed = np.isfinite(strength).all(axis=0) & (np.nan_to_num(strength).max(axis=0) > 0)
        labels = np.where(placed, np.nan_to_num(strength).argmax(axis=0), -1)
        return {"strongest component": dict(zip(main.neurons, labels.tolist(), strict=True))}
    given = {"communities": main} if isinstance(main, Communities) else dict(main)
    found = {}
    for name, communities in given.items():
        row = communities.labels.values[communities.chosen_level]
        found[str(name)] = dict(zip(communities.neurons, row.tolist(), strict=True))
        if not set(communities.neurons) & set(cohort.neurons):
            raise InputError(
                f"'{name}' has none of the cohort's neurons", where="baselines", fix="Pass communities of this cohort."
            )
    return found


def _groups_of(known: dict[str, dict[str, int]]) -> int:
    """Number of groups of the first main result that has more than one."""
    for labels in known.values():
        count = len({v for v in labels.values() if v >= 0})
        if count > 1:
            return count
    return 0


def _on(used: list[str], labels: dict[str, int]) -> Array:
    return np.array([labels.get(n, -1) for n in used], int)
