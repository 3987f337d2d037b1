"""Null graphs for the communities: components of surrogate cohorts in which neurons know nothing of each other's timing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..model.cohort import Cohort
from ..model.errors import InputError
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, part, report
from ..model.results import Components

if TYPE_CHECKING:
    from ..affinity.surrogates import Method
    from .settings import PipelineSettings


def surrogate_components(
    cohort: Cohort | None,
    components: Components,
    settings: PipelineSettings,
    *,
    null: Method = "circular shift",
    count: int = 10,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> list[Components]:
    """Components of `count` surrogate cohorts, of the same rank, one start each.

    Parameters
    ----------
    cohort : Cohort
        That the components were made from.
    components : Components
    settings : PipelineSettings
        Affinity, factorization and seed are used.
    null : {"circular shift", "phase randomisation"}
        What is done to the traces; see `affinity.surrogates.surrogate_cohort`.
    count : int

    Raises
    ------
    InputError
        The cohort is not that of the components.
    """
    from ..affinity.compute import compute_affinity
    from ..affinity.surrogates import surrogate_cohort
    from ..comparison.confounds import partial_out_cohort
    from ..factorization.factorize import factorize

    if cohort is None or tuple(cohort.neurons) != tuple(components.neurons):
        raise InputError(
            f"chance by '{null}' needs the traces that the components were made from",
            where="surrogates",
            fix="Open the cohort of these components, or let communities.null be 'weights'.",
        )
    cohort = partial_out_cohort(cohort, settings.confounds, cancel=cancel)
    found: list[Components] = []
    for number in range(count):
        check_cancel(cancel)
        step = part(progress, number / count, (number + 1) / count)
        report(step, 0, f"surrogate cohort {number + 1} of {count} ({null})")
        other = surrogate_cohort(cohort, null, seed=settings.seed + number)
        affinity = compute_affinity(other, settings.affinity, cancel=cancel)
        found.append(
            factorize(
                affinity,
                components.rank,
                settings.factorization,
                starts=1,
                seed=settings.seed + number,
                progress=step,
                cancel=cancel,
            )
        )
    return found


def surrogate_graphs(
    cohort: Cohort | None,
    components: Components,
    settings: PipelineSettings,
    *,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> list[Any]:
    """Pair matrices of the components of `settings.communities.surrogates` surrogate cohorts, of the same rank.

    A component of a surrogate has no partner among the real ones, so all of them are null graphs for every component.

    Parameters
    ----------
    cohort : Cohort
        That the components were made from.
    components : Components
    settings : PipelineSettings

    Returns
    -------
    list of xarray.DataArray
        (neuron, neuron_b), `surrogates` times rank of them.
    """
    own = settings.communities
    if own.null == "weights":
        return []
    nulls = surrogate_components(
        cohort, components, settings, null=own.null, count=own.surrogates, progress=progress, cancel=cancel
    )
    return [null.matrix(r) for null in nulls for r in range(1, null.rank + 1)]
