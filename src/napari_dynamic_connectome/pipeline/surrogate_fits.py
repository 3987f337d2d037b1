"""Surrogate cohorts, factorized like the data: how much each rank explains, and how strong the best groups get by chance.

Fitted on affinities that are averaged over short bins of time (`affinity.coarse`), data and surrogates alike, many at a time on
threads; every surrogate has a seed of its own, so that the number of threads changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..affinity.coarse import coarse_affinity
from ..affinity.shift import Shifter
from ..communities.scan import beyond_strength, largest_statistic, standardise
from ..factorization.build import build_components
from ..factorization.folds import draw_folds
from ..factorization.jobs import FitJob, run_job
from ..factorization.prepare import prepare
from ..factorization.settings import FactorizationSettings
from ..factorization.starts import fit_starts
from ..model.execution import InlineWorkers, workers
from ..model.progress import CancelCallback, ProgressCallback, report
from ..model.results import Components

if TYPE_CHECKING:
    from threading import Event

    from ..affinity.spec import AffinitySpec

Array = np.ndarray
TOLERANCE = 1e-5
"""Surrogates differ by more than their last digits."""
FIRST_SEED = 1000


@dataclass(frozen=True, eq=False)
class RankFit:
    """What one cohort gives at one rank.

    Parameters
    ----------
    explained : float
        Share of the squared norm.
    held_out : float
        Relative error on held-out fibres; NaN if none were held out.
    top, top_modules : float
        Largest statistic of a group of any component; see `communities.scan`.
    components : Components
        On the bins.
    """

    explained: float
    held_out: float
    top: float
    top_modules: float
    components: Components


def fit_ranks(
    affinity: AffinitySpec,
    ranks: Sequence[int],
    settings: FactorizationSettings,
    *,
    seed: int,
    stop: Event,
    held_out: bool = False,
    statistics: bool = True,
) -> dict[int, RankFit]:
    """Fit some ranks to one cohort's affinity, averaged over bins, from one start each.

    Parameters
    ----------
    affinity : AffinitySpec
    ranks : sequence of int
        Those that the bins can hold are fitted; the others are left out.
    settings : FactorizationSettings
    seed : int
    stop : threading.Event
        Ends the fit with `Cancelled` when it is set.
    held_out, statistics : bool
        Whether fibres are held out and predicted, and whether groups are searched.
    """
    own = settings.model_copy(
        update={"compression": "off", "tolerance": max(settings.tolerance, TOLERANCE), "threads": 1}
    )
    pool = InlineWorkers(stop)
    coarse = coarse_affinity(affinity)
    smallest = min(ranks)
    prepared = prepare(coarse, smallest, own, pool, starts=1, seed=seed)
    problem = prepared.problem
    most = int(min(problem.seen_slots.sum(), max(w.n_times for w in problem.worms)))
    masks = draw_folds(problem, 2, 0.1, seed) if held_out and len(problem.worms) > 1 else []
    found: dict[int, RankFit] = {}
    for rank in sorted(r for r in ranks if r <= most):
        fits = fit_starts(prepared, rank, range(1), seed, pool)
        components = build_components(prepared, fits, pool, provenance={})
        error = float("nan")
        if masks:
            error = run_job(prepared, FitJob(rank, (0,), seed + 1, 0, tuple(masks[0])), pool).held_out
        top = tops(components) if statistics else (float("nan"), float("nan"))
        found[rank] = RankFit(1 - components.error**2, error, *top, components)
    return found


def tops(components: Components) -> tuple[float, float]:
    """Largest statistic of a group of any component: as it is, and with the neurons' strengths taken out."""
    core, modules = 0.0, 0.0
    for number in range(1, components.rank + 1):
        weights = components.matrix(number).values
        core = max(core, largest_statistic(standardise(weights)))
        modules = max(modules, largest_statistic(beyond_strength(weights)))
    return core, modules


@dataclass(frozen=True, eq=False)
class SurrogateFits:
    """Tables (surrogate, rank) of what surrogate cohorts gave, as in `model.evidence.Chance`."""

    explained: pd.DataFrame
    held_out: pd.DataFrame
    top: pd.DataFrame
    top_modules: pd.DataFrame

    def joined(self, other: SurrogateFits) -> SurrogateFits:
        """Both, the values of `other` where this one has none."""
        names = ("explained", "held_out", "top", "top_modules")
        return SurrogateFits(*(getattr(self, n).combine_first(getattr(other, n)) for n in names))


def fit_surrogates(
    shifter: Shifter,
    ranks: Sequence[int],
    numbers: Sequence[int],
    settings: FactorizationSettings,
    *,
    seed: int = 0,
    held_out: int = 0,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> SurrogateFits:
    """Make and fit surrogate cohorts.

    Parameters
    ----------
    shifter : Shifter
    ranks : sequence of int
    numbers : sequence of int
        Which surrogates; one with the same number and seed is the same one.
    settings : FactorizationSettings
    held_out : int
        Of so many of them, the first ones, fibres are held out, too.
    progress, cancel : callable, optional
    """
    rows: dict[int, dict[int, RankFit]] = {}
    with workers(settings.threads, cancel) as pool:

        def one(number: int) -> dict[int, RankFit]:
            own = FIRST_SEED * (seed + 1) + number
            return fit_ranks(shifter.make(own), ranks, settings, seed=own, stop=pool.stop, held_out=number < held_out)

        for first in range(0, len(numbers), pool.threads):
            batch = numbers[first : first + pool.threads]
            report(progress, first / len(numbers), f"surrogate cohort {batch[0] + 1}")
            rows.update(zip(batch, pool.map(one, batch), strict=True))

    def table(field: str) -> pd.DataFrame:
        values: dict[int, Any] = {n: {r: getattr(f, field) for r, f in row.items()} for n, row in rows.items()}
        made = pd.DataFrame.from_dict(values, orient="index", columns=None).reindex(columns=sorted(ranks))
        made.index.name = "surrogate"
        return made.astype(float)

    return SurrogateFits(*(table(f) for f in ("explained", "held_out", "top", "top_modules")))
