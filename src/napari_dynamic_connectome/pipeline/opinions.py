"""Other methods as steps: static groupings beside the communities, and signed beside non-negative loadings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..baselines.panel import main_results, static_baselines
from ..model.cohort import Cohort
from ..model.opinions import BaselinePanel, SignedComparison
from ..model.progress import CancelCallback, ProgressCallback
from ..model.provenance import record_of
from ..model.results import Communities, Components
from ..session.fingerprints import main_print
from .baselines_settings import BaselinesStepSettings

if TYPE_CHECKING:
    from .settings import PipelineSettings


def find_baselines(
    cohort: Cohort,
    settings: BaselinesStepSettings | None = None,
    *,
    components: Components | None = None,
    communities: Mapping[tuple[int, Any], Communities] | None = None,
    seed: int = 0,
    command: str = "",
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> BaselinePanel:
    """Group the neurons by static methods and compare with the communities, or the components where there are none.

    Parameters
    ----------
    cohort : Cohort
    settings : BaselinesStepSettings, optional
    components, communities : optional
        The main result.
    seed : int
    command : str
        What was called, for the provenance; the command line of this program by default.
    progress, cancel : callable, optional
    """
    chosen = settings or BaselinesStepSettings()
    main = main_results(components, communities or {})
    panel = static_baselines(cohort, main, chosen.model, seed=seed, progress=progress, cancel=cancel)
    return replace(
        panel,
        provenance={
            **panel.provenance,
            "settings": chosen.model_dump(mode="json"),
            "command": command or panel.provenance["command"],
            "main": main_print(components, communities or {}),
        },
    )


def find_signed(
    cohort: Cohort,
    rank: int,
    settings: PipelineSettings,
    *,
    command: str = "",
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> SignedComparison:
    """Fit signed and non-negative loadings to the net affinity of the cohort.

    Parameters
    ----------
    cohort : Cohort
    rank : int
        Number of components of both.
    settings : PipelineSettings
        `affinity` (its sign apart), `confounds`, `factorization.threads` and `seed` are used.
    command : str
        As in `find_baselines`.
    progress, cancel : callable, optional
    """
    from ..affinity.compute import compute_affinity
    from ..comparison.confounds import partial_out_cohort
    from ..factorization.signed import compare_signed

    whole = cohort
    cohort = partial_out_cohort(cohort, settings.confounds, cancel=cancel)
    affinity = compute_affinity(cohort, settings.affinity.model_copy(update={"sign": "signed"}), cancel=cancel)
    found = compare_signed(
        affinity, rank, seed=settings.seed, threads=settings.factorization.threads, progress=progress, cancel=cancel
    )
    made = {name: getattr(settings, name).model_dump(mode="json") for name in ("affinity", "confounds")}
    return replace(
        found, provenance=record_of(made, settings.seed, whole.recordings, command=command, step="signed loadings")
    )
