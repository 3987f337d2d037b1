"""Null graphs for the communities: components of surrogate cohorts in which neurons know nothing of each other's timing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..model.cohort import Cohort
from ..model.errors import InputError
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, part, report
from ..model.results import Components

if TYPE_CHECKING:
    from .settings import PipelineSettings


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
    from ..affinity.compute import compute_affinity
    from ..affinity.surrogates import surrogate_cohort
    from ..factorization.factorize import factorize

    own = settings.communities
    if own.null == "weights":
        return []
    if cohort is None or tuple(cohort.neurons) != tuple(components.neurons):
        raise InputError(
            f"chance by '{own.null}' needs the traces that the components were made from",
            where="communities.null",
            fix="Open the cohort of these components, or set null to 'weights'.",
        )
    found: list[Any] = []
    for number in range(own.surrogates):
        check_cancel(cancel)
        step = part(progress, number / own.surrogates, (number + 1) / own.surrogates)
        report(step, 0, f"surrogate cohort {number + 1} ({own.null})")
        other = surrogate_cohort(cohort, own.null, seed=settings.seed + number)
        affinity = compute_affinity(other, settings.affinity, cancel=cancel)
        null = factorize(
            affinity,
            components.rank,
            settings.factorization,
            starts=1,
            seed=settings.seed + number,
            progress=step,
            cancel=cancel,
        )
        found.extend(null.matrix(r) for r in range(1, null.rank + 1))
    return found
