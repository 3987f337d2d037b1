"""Surrogate cohorts, factorized like the data: how much each rank explains, and how strong the best groups get by chance.

Fitted on affinities that are averaged over short bins of time (`affinity.coarse`), data and surrogates alike, many at a time on
threads; every surrogate has a seed of its own, so that the number of threads changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..affinity.coarse import coarse_affinity
from ..affinity.shift import Shifter
from ..communities.scan import beyond_strength, largest_statistic, standardise, strongest_group
from ..factorization.clocks import worm_shares
from ..factorization.folds import draw_folds
from ..factorization.prepare import prepare
from ..factorization.problem import Problem
from ..factorization.settings import FactorizationSettings
from ..factorization.solver import Factors, Solver, random_factors, random_ranks
from ..factorization.starts import fit_factors
from ..model.cluster import on_cluster
from ..model.execution import InlineWorkers, Workers, one_blas_thread, workers
from ..model.progress import CancelCallback, ProgressCallback, report
from .kept import KeptPieces

if TYPE_CHECKING:
    from ..affinity.spec import AffinitySpec

Array = np.ndarray
TOLERANCE = 1e-4
"""Surrogates differ by more than their last digits."""
FIRST_SEED = 1000
FIELDS = ("explained", "held_out", "top", "top_modules")
DATA = -1
"""Stands for the cohort itself among the numbers of surrogates."""
COURSES = 8
"""Sweeps in which courses and loadings follow pair factors that stay as they are."""


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
    matrices : list of ndarray
        Pair factor of every component (N, N), fitted on the bins; NaN where no worm observed a pair.
    power : ndarray of float
        (worm, component), share of every component's power in each worm.
    """

    explained: float
    held_out: float
    top: float
    top_modules: float
    matrices: list[Array]
    power: Array = field(default_factory=lambda: np.empty((0, 0)))


class Bins:
    """One cohort's affinity, averaged over bins and read once, to be fitted at several ranks; data and surrogates alike.

    Parameters
    ----------
    affinity : AffinitySpec
    rank : int
        The smallest that will be fitted.
    settings : FactorizationSettings
    seed : int
    stop : threading.Event
        Ends a fit with `Cancelled` when it is set.
    """

    def __init__(
        self, affinity: AffinitySpec, rank: int, settings: FactorizationSettings, *, seed: int, stop: Event
    ) -> None:
        own = settings.model_copy(
            update={"compression": "off", "tolerance": max(settings.tolerance, TOLERANCE), "threads": 1}
        )
        self.pool, self.seed = InlineWorkers(stop), seed
        self.prepared = prepare(coarse_affinity(affinity), rank, own, self.pool, starts=1, seed=seed)

    def bind(self, pool: Workers) -> None:
        """Give up when this pool is asked to stop."""
        self.pool = InlineWorkers(pool.stop)
        self.prepared.bind(pool)

    @property
    def most(self) -> int:
        """The largest rank that the bins can hold."""
        problem = self.prepared.problem
        return int(min(problem.seen_slots.sum(), max(w.n_times for w in problem.worms)))

    def together(self) -> Array:
        """Mean affinity (pair,) of every pair over all bins of all worms that observe it, signs added up; NaN without any."""
        problem, source = self.prepared.problem, self.prepared.exact
        total, count = np.zeros(problem.n_slots), np.zeros(problem.n_slots)
        for number, worm in enumerate(problem.worms):
            total[worm.slots] += source.right(number, np.ones((1, worm.n_times), np.float32))[:, 0]
            count[worm.slots] += worm.n_times
        means = np.divide(total, count, out=np.full(problem.n_slots, np.nan), where=count > 0)
        return np.asarray(means.reshape(-1, len(problem.affinity.pairs)).sum(axis=0))

    def fit(self, ranks: Sequence[int]) -> tuple[Array, Array, Array]:
        """Fit all of these ranks together, from one start each.

        Returns
        -------
        explained : ndarray of float
            (rank,), share of the squared norm.
        pair : ndarray of float
            (rank, component, slot); components beyond the rank are zero.
        power : ndarray of float
            (rank, component, worm), share of every component's power in each worm.
        """
        fits = fit_factors(self.prepared, self._random(ranks, self.seed), self.pool)
        return 1 - fits.errors**2, fits.factors.pair, worm_shares(self.prepared.problem, fits.factors)

    def held_out(self, ranks: Sequence[int]) -> Array:
        """Relative errors (rank,) on fibres that were not fitted; NaN if none can be held out."""
        prepared = self.prepared
        masks = draw_folds(prepared.problem, 2, 0.1, self.seed) if len(prepared.problem.worms) > 1 else []
        if not masks:
            return np.full(len(ranks), np.nan)
        keep = list(masks[0])
        fits = fit_factors(prepared, self._random(ranks, self.seed + 1), self.pool, keep=keep)
        solver = Solver(prepared.problem, prepared.exact, prepared.settings, self.pool, keep=keep)
        return solver.error_on(fits.factors, [~k for k in keep])

    def _random(self, ranks: Sequence[int], seed: int) -> Factors:
        return random_ranks(self.prepared.problem, ranks, [0], seed)

    def refit(self, pair: Array, own: Array) -> Array:
        """Pair factors that fit the bins best, near given ones.

        What was fitted to the affinity itself is not to be compared with surrogates that were fitted on bins: the strongest group
        of noise has a larger statistic there. First courses and loadings follow the given pair factors, then all are free.

        Parameters
        ----------
        pair : ndarray of float
            (start, component, slot), not negative.
        own : ndarray of bool
            (start, component), components with a clock of their own in every worm (`mixed`).
        """
        prepared = self.prepared
        problem, settings = prepared.problem, prepared.settings
        factors = random_factors(problem, pair.shape[1], range(len(pair)), self.seed)
        factors.pair[:] = np.where(problem.seen_slots, pair, 0.0)
        if problem.model == "mixed":
            factors.own[:] = own
            length = problem.n_common
            common = random_factors(replace(problem, model="aligned"), pair.shape[1], range(len(pair)), self.seed)
            factors.time[~own] = common.time[~own]
            factors.time[~own, length:] = 0.0
            factors.worm[~own] = common.worm[~own]
        Solver(problem, prepared.exact, settings, self.pool, fixed=("pair",)).follow(factors, COURSES)
        solver = Solver(problem, prepared.exact, settings, self.pool)
        solver.run(factors, max_sweeps=settings.max_sweeps, tolerance=settings.tolerance, rescale=False)
        return factors.pair


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
    return fit_bins(
        Bins(affinity, min(ranks), settings, seed=seed, stop=stop), ranks, held_out=held_out, statistics=statistics
    )


def fit_bins(
    bins: Bins, ranks: Sequence[int], *, held_out: bool = False, statistics: bool = True
) -> dict[int, RankFit]:
    """As `fit_ranks`, of one cohort's bins."""
    fitted = sorted(r for r in ranks if r <= bins.most)
    explained, pairs, power = bins.fit(fitted)
    errors = bins.held_out(fitted) if held_out else np.full(len(fitted), np.nan)
    found: dict[int, RankFit] = {}
    for number, rank in enumerate(fitted):
        matrices = pair_matrices(bins.prepared.problem, pairs[number, :rank])
        top = tops(matrices) if statistics else (float("nan"), float("nan"))
        shares = power[number, :rank].T
        found[rank] = RankFit(float(explained[number]), float(errors[number]), *top, matrices, shares)
    return found


def pair_matrices(problem: Problem, factor: Array) -> list[Array]:
    """Pair factor (component, slot) of one start as matrices (N, N), signs added up; NaN where no worm observed a pair."""
    pairs = np.asarray(problem.affinity.pairs, int)
    count = len(problem.affinity.neurons)
    seen = problem.seen_slots.reshape(-1, len(pairs)).any(axis=0)
    matrices = []
    for row in factor.reshape(len(factor), -1, len(pairs)).sum(axis=1):
        weights = np.full((count, count), np.nan)
        weights[pairs[:, 0], pairs[:, 1]] = weights[pairs[:, 1], pairs[:, 0]] = np.where(seen, row, np.nan)
        matrices.append(weights)
    return matrices


def tops(matrices: Sequence[Array]) -> tuple[float, float]:
    """Largest statistic of a group of any component: as it is, and with the neurons' strengths taken out."""
    core, modules = 0.0, 0.0
    for weights in matrices:
        plain = strongest_group(standardise(weights))
        core = max(core, 0.0 if plain is None else plain.statistic)
        modules = max(modules, largest_statistic(beyond_strength(weights, [] if plain is None else [plain])))
    return core, modules


@dataclass(frozen=True, eq=False)
class SurrogateFits:
    """Tables (surrogate, rank) of what surrogate cohorts gave, as in `model.evidence.Chance`.

    together: surrogate -> mean affinity of every pair (pair,), see `Bins.together`. data: the cohort itself, fitted as they are, at
    every rank (without statistics and matrices), and means: its mean affinity of every pair; where they were asked for.
    """

    explained: pd.DataFrame
    held_out: pd.DataFrame
    top: pd.DataFrame
    top_modules: pd.DataFrame
    together: Mapping[int, Array] = field(default_factory=dict)
    data: Mapping[int, RankFit] = field(default_factory=dict)
    means: Array = field(default_factory=lambda: np.empty(0))

    def joined(self, other: SurrogateFits) -> SurrogateFits:
        """Both, the values of `other` where this one has none."""
        tables = {n: getattr(self, n).combine_first(getattr(other, n)) for n in FIELDS}
        return replace(self, **tables, together={**other.together, **self.together})


@dataclass(frozen=True, eq=False)
class _Task:
    """What is to be fitted to surrogates, wherever that is done.

    Parameters
    ----------
    shifter : Shifter
    ranks : tuple of int
    settings : FactorizationSettings
    seed : int
    held_out : int
        Of so many surrogates, the first ones, fibres are held out, too.
    """

    shifter: Shifter
    ranks: tuple[int, ...]
    settings: FactorizationSettings
    seed: int
    held_out: int

    def fit(self, number: int, stop: Event) -> dict[str, Array]:
        """Columns of numbers of one surrogate, a row a rank that its bins can hold, and the mean affinity of its pairs."""
        if number == DATA:
            affinity, own = self.shifter.affinity, self.seed
        else:
            own = FIRST_SEED * (self.seed + 1) + number
            affinity = self.shifter.make(own)
        bins = Bins(affinity, min(self.ranks), self.settings, seed=own, stop=stop)
        found = fit_bins(bins, self.ranks, held_out=self._holds_out(number), statistics=number != DATA)
        columns = {name: np.array([getattr(fit, name) for fit in found.values()], float) for name in FIELDS}
        return {"rank": np.array(list(found), int), "together": bins.together(), **columns}

    def piece(self, number: int) -> str:
        """Name of what is kept of one surrogate."""
        ranks = " ".join(map(str, self.ranks))
        name = "data" if number == DATA else f"surrogate{number}"
        return f"{name} with pairs seed {self.seed} ranks {ranks} {'held out' * self._holds_out(number)}"

    def _holds_out(self, number: int) -> bool:
        return self.held_out > 0 if number == DATA else number < self.held_out


def _fit_alone(task: _Task, number: int) -> dict[str, Array]:
    """One surrogate in a process of its own."""
    with one_blas_thread():
        return task.fit(number, Event())


def fit_surrogates(
    shifter: Shifter,
    ranks: Sequence[int],
    numbers: Sequence[int],
    settings: FactorizationSettings,
    *,
    seed: int = 0,
    held_out: int = 0,
    data: bool = False,
    kept: KeptPieces | None = None,
    client: Any = None,
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
    seed : int
    held_out : int
        Of so many of them, the first ones, fibres are held out, too.
    data : bool
        Fit the cohort itself, too, beside them.
    kept : KeptPieces, optional
        Surrogates that an interrupted run finished are taken from here.
    client : dask.distributed.Client, optional
        They are fitted there; the result is the same.
    progress, cancel : callable, optional
    """
    kept = kept or KeptPieces(None)
    task = _Task(shifter, tuple(ranks), settings, seed, held_out)
    wanted = [DATA, *numbers] if data else list(numbers)
    known = {number: kept.load(task.piece(number)) for number in wanted}
    rows = {number: found for number, found in known.items() if found is not None}
    missing = [number for number in wanted if number not in rows]

    def take(results: Iterable[tuple[int, dict[str, Array]]]) -> None:
        for number, found in results:
            rows[number] = found
            kept.save(task.piece(number), **found)

    if missing and client is not None:

        def tell(_: int) -> None:
            report(progress, len(rows) / len(wanted), f"{len(rows)} of {len(wanted)} cohorts")

        with closing(on_cluster(client, _fit_alone, task, missing, cancel=cancel, tell=tell)) as elsewhere:
            take(elsewhere)
    elif missing:
        with workers(settings.threads, cancel) as pool:
            take(_fitted_here(task, missing, pool, len(wanted), progress))

    def table(field: str) -> pd.DataFrame:
        values = {n: dict(zip(rows[n]["rank"].tolist(), rows[n][field].tolist(), strict=True)) for n in numbers}
        made = pd.DataFrame.from_dict(values, orient="index", columns=None).reindex(columns=sorted(ranks))
        made.index.name = "surrogate"
        return made.astype(float)

    together = {n: np.asarray(rows[n]["together"], float) for n in numbers}
    found = SurrogateFits(**{f: table(f) for f in FIELDS}, together=together)
    if not data:
        return found
    own, nan = rows[DATA], float("nan")
    columns = zip(*(own[name].tolist() for name in ("rank", "explained", "held_out")), strict=True)
    mine = {rank: RankFit(explained, error, nan, nan, []) for rank, explained, error in columns}
    return replace(found, data=mine, means=np.asarray(own["together"], float))


def _fitted_here(
    task: _Task, numbers: Sequence[int], pool: Workers, total: int, progress: ProgressCallback | None
) -> Iterator[tuple[int, dict[str, Array]]]:
    """Surrogates with their fits, in the order of the numbers."""
    begun = total - len(numbers)
    report(progress, begun / total, _said(numbers[0]))
    stream = pool.stream(lambda number: task.fit(number, pool.stop), numbers)
    for done, (number, found) in enumerate(stream, start=1):
        yield number, found
        if done < len(numbers):
            report(progress, (begun + done) / total, _said(numbers[done]))


def _said(number: int) -> str:
    return "the cohort as its surrogates are fitted" if number == DATA else f"surrogate cohort {number + 1}"
