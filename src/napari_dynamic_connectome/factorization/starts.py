"""Starts of a fit of one rank: compressed sweeps, exact sweeps, in batches that fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..model.execution import Workers
from ..model.progress import ProgressCallback, part, report
from .clocks import choose_clocks, pair_energy, worm_courses
from .match import factor_match
from .prepare import Prepared
from .settings import FactorizationSettings
from .solver import Factors, Solver, Watched, random_factors, random_ranks
from .sources import RowSource

Array = np.ndarray
CHOICE_TOLERANCE = 1e-5
"""Clocks are chosen when the error falls by less than this per sweep: the worms' courses hardly change any more."""
COMPARE_TOLERANCE = 1e-5
"""Starts are compared when their errors fall by less than this per sweep."""
CLOSE, SAME = 2e-4, 0.98
"""Starts whose errors differ by less may change places when they are fitted to the end, unless they match each other so well."""
FOLD_TOLERANCE = 1e-5
"""Held-out errors differ between folds in the third digit: their fits need not converge to the sixth. 1e-4 would take two thirds
of the time, but stops at ranks above the true one before they fit noise: four real worms were given rank 4 instead of 3."""


@dataclass
class Starts:
    """Fits of one rank from several starts.

    Parameters
    ----------
    factors : Factors
    errors : float array (start,)
        Relative error over the observed entries that were fitted, without weights or penalties.
    histories : list of list of float
        What was minimised, after every sweep: with weights and penalties, relative to the norm of the data.
    sweeps : list of int
    converged : list of bool
    predicted : float array (start, component)
        `mixed`: how well the course of a left-out worm was predicted by the others when the clocks were chosen; else NaN.
    """

    factors: Factors
    errors: Array
    histories: list[list[float]]
    sweeps: list[int]
    converged: list[bool]
    predicted: Array = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        if not self.predicted.size:
            self.predicted = np.full(self.factors.shape, np.nan)

    @property
    def best(self) -> int:
        """Start with the lowest error; the first of equals.

        Clocks of one's own always lower the error, so only starts count that have as many of them as most starts have (the
        smaller number where two are as frequent).
        """
        return int(np.argmin(np.where(self.usual, self.errors, np.inf)))

    @property
    def usual(self) -> Array:
        """Starts (start,) bool that have as many clocks of their own as most have."""
        numbers = self.factors.own.sum(axis=1)
        return np.asarray(numbers == int(np.argmax(np.bincount(numbers))))

    def similarity(self, prepared: Prepared) -> Array:
        """Factor match score (start,) of every start with the best one."""
        others = range(len(self.errors))
        if prepared.problem.model == "mixed":
            # courses worm by worm, so that two starts can agree on a component without agreeing on its clock
            worms = range(len(prepared.problem.worms))
            courses = np.concatenate([worm_courses(prepared.problem, self.factors, w) for w in worms], axis=2)
            pairs = self.factors.pair
            best = [courses[self.best], pairs[self.best]]
            return np.array([factor_match(best, [courses[k], pairs[k]])[0] for k in others])
        modes = ("time", "pair") if prepared.problem.model == "unaligned" else ("time", "worm", "pair")
        best = [getattr(self.factors, m)[self.best] for m in modes]
        return np.array([factor_match(best, [getattr(self.factors, m)[k] for m in modes])[0] for k in others])


def fit_starts(
    prepared: Prepared,
    rank: int,
    numbers: Sequence[int],
    seed: int,
    pool: Workers,
    *,
    keep: list[Array] | None = None,
    fixed: Sequence[str] = (),
    initial: Factors | None = None,
    progress: ProgressCallback | None = None,
    exact: bool = True,
) -> Starts:
    """Fit one rank from the starts with these numbers.

    Parameters
    ----------
    prepared : Prepared
    rank : int
    numbers : sequence of int
        A start's random factors depend on `seed` and its number only.
    keep : list of bool array, optional
        Rows that count (see `Solver`).
    fixed : sequence of str
        Factors that stay as they are.
    initial : Factors, optional
        Used instead of random factors for the first of the starts.
    exact : bool
        Whether exact sweeps follow compressed ones; without them errors are those of the compressed copy.
    """
    prepared.bind(pool)
    parts = []
    done = 0
    for first in range(0, len(numbers), prepared.batch):
        some = list(numbers[first : first + prepared.batch])
        factors = random_factors(prepared.problem, rank, some, seed)
        given = initial is not None and first == 0
        if given and initial is not None:
            factors.put(np.array([0]), initial)
        begin, share = done / len(numbers), len(some) / len(numbers)
        parts.append(_fit_batch(prepared, factors, _How(pool, keep, fixed, exact), given, begin, share, progress))
        done += len(some)
    return join_starts(parts)


def fit_factors(prepared: Prepared, factors: Factors, pool: Workers, *, keep: list[Array] | None = None) -> Starts:
    """Fit all of these starts together, in place; a start may have a smaller rank than others: components that are zero stay so."""
    prepared.bind(pool)
    return _fit_batch(prepared, factors, _How(pool, keep), False, 0.0, 1.0, None)


def fit_and_compare(
    prepared: Prepared,
    rank: int,
    numbers: Sequence[int],
    seed: int,
    pool: Workers,
    *,
    progress: ProgressCallback | None = None,
) -> Starts:
    """As `fit_starts`, but only starts that may be the best one are fitted to the end.

    The others end when their errors fall by less than `COMPARE_TOLERANCE` a sweep. Where a start leads to the same components as
    the best one, it need not get there, too.
    """
    settings = prepared.settings
    rough = replace(prepared, settings=_rougher(settings, COMPARE_TOLERANCE))
    if settings.tolerance >= COMPARE_TOLERANCE:
        return fit_starts(rough, rank, numbers, seed, pool, progress=progress)
    how = _How(pool)
    fits = fit_starts(rough, rank, numbers, seed, pool, progress=part(progress, 0, 0.8), exact=False)
    # a start that leads where the best one does need not get there, too
    ends = fits.usual & (fits.errors <= fits.errors[fits.best] + CLOSE) & (fits.similarity(prepared) < SAME)
    ends[fits.best] = True
    _go_on(prepared, fits, ends, lambda some: _fit(prepared, some, how))
    if prepared.compressed is not None:  # all starts share the first pass over the values themselves
        _go_on(prepared, fits, np.ones(len(ends), bool), lambda some: _finish(prepared, some, how, 1))
        _go_on(prepared, fits, ends, lambda some: _finish(prepared, some, how, settings.exact_sweeps - 1))
    while not ends[fits.best]:
        last = np.arange(len(ends)) == fits.best
        _go_on(prepared, fits, last, lambda some: _fit(prepared, some, how))
        _go_on(prepared, fits, last, lambda some: _finish(prepared, some, how))
        ends |= last
    report(progress, 1.0, f"{len(numbers)} starts done")
    return fits


def _go_on(prepared: Prepared, fits: Starts, which: Array, do: Callable[[_Fitted], None]) -> None:
    """Fit some of the starts (bool mask) further, as many together as fit into memory."""
    chosen = np.flatnonzero(which)
    for first in range(0, len(chosen), prepared.batch):
        some = chosen[first : first + prepared.batch]
        more = _Fitted(fits.factors.take(some))
        more.errors[:] = fits.errors[some]
        do(more)
        fits.factors.put(some, more.factors)
        fits.errors[some] = more.errors
        for k, start in enumerate(some):
            fits.histories[start] += more.histories[k]
            fits.sweeps[start] += more.sweeps[k]
            if more.converged:
                fits.converged[start] = more.converged[k]


def predict_held_out(
    prepared: Prepared,
    ranks: Sequence[int],
    numbers: Sequence[int],
    seed: int,
    pool: Workers,
    keep: list[Array],
    *,
    progress: ProgressCallback | None = None,
) -> Array:
    """Fit some ranks together to the rows that count and predict the others from the best start of each rank.

    Parameters
    ----------
    prepared : Prepared
    ranks : sequence of int
    numbers : sequence of int
        Of the starts of every rank.
    seed : int
    pool : Workers
    keep : list of bool array (n_rows,)
        Rows of each worm that are fitted.
    progress : callable, optional

    Returns
    -------
    ndarray of float
        (rank,), relative error on the rows that were held out, NaN if there are none.
    """
    prepared.bind(pool)
    settings = _rougher(prepared.settings, FOLD_TOLERANCE)
    quick = replace(prepared, settings=settings)
    fitted = _Fitted(random_ranks(prepared.problem, ranks, numbers, seed))
    how = _How(pool, keep, exact=False)
    rescale = _choose(quick, fitted, how, np.arange(fitted.factors.shape[0]), rescale=True)
    _fit(quick, fitted, how, rescale=rescale, tell=_told(settings, progress, 0.0, 1.0))
    best = []
    for first in range(0, len(ranks) * len(numbers), len(numbers)):
        mine = list(range(first, first + len(numbers)))
        best.append(first + fitted.starts(mine).best)
    factors, others = fitted.factors.take(best), [~k for k in keep]
    solver = how.solver(quick, prepared.exact)
    if prepared.compressed is None:
        return solver.error_on(factors, others)
    watched = Watched(others)
    solver.sweep(factors, watched=watched)
    return watched.errors(prepared.problem, prepared.exact.row_norms, factors)


def join_starts(parts: Sequence[Starts]) -> Starts:
    """Put batches of starts of the same rank together."""
    if len(parts) == 1:
        return parts[0]
    joined = Factors(*(np.concatenate([getattr(p.factors, m) for p in parts]) for m in ("time", "worm", "pair", "own")))
    return Starts(
        joined,
        np.concatenate([p.errors for p in parts]),
        [h for p in parts for h in p.histories],
        [s for p in parts for s in p.sweeps],
        [c for p in parts for c in p.converged],
        np.concatenate([p.predicted for p in parts]),
    )


@dataclass
class _Fitted:
    """Factors that are fitted in place, and what is known about that so far."""

    factors: Factors
    predicted: Array = field(default_factory=lambda: np.empty(0))
    errors: Array = field(default_factory=lambda: np.empty(0))
    histories: list[list[float]] = field(default_factory=list)
    sweeps: list[int] = field(default_factory=list)
    converged: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        starts = self.factors.shape[0]
        self.predicted = np.full(self.factors.shape, np.nan)
        self.errors = np.full(starts, np.nan)
        self.histories, self.sweeps = [[] for _ in range(starts)], [0] * starts

    def starts(self, which: Sequence[int] | None = None) -> Starts:
        """All of them, or copies of some."""
        if which is None:
            return Starts(self.factors, self.errors, self.histories, self.sweeps, self.converged, self.predicted)
        chosen = np.asarray(which, int)
        return Starts(
            self.factors.take(chosen),
            self.errors[chosen],
            [self.histories[k] for k in which],
            [self.sweeps[k] for k in which],
            [self.converged[k] for k in which],
            self.predicted[chosen],
        )


@dataclass(frozen=True)
class _How:
    """What counts and what stays.

    Parameters
    ----------
    pool : Workers
    keep : list of bool array (n_rows,), optional
    fixed : sequence of str
    exact : bool
        Whether exact sweeps follow compressed ones.
    """

    pool: Workers
    keep: list[Array] | None = None
    fixed: Sequence[str] = ()
    exact: bool = True

    def solver(self, prepared: Prepared, source: RowSource) -> Solver:
        """For one source of the values."""
        return Solver(prepared.problem, source, prepared.settings, self.pool, keep=self.keep, fixed=self.fixed)


Told = Callable[[int, Factors], None]


def _told(settings: FactorizationSettings, progress: ProgressCallback | None, begin: float, share: float) -> Told:
    def tell(sweep: int, _: Factors) -> None:
        part = (sweep + 1) / settings.max_sweeps
        report(
            progress,
            begin + share * min(part * (2 - part), 0.95),
            f"sweep {sweep + 1} of at most {settings.max_sweeps}",
        )

    return tell


def _rougher(settings: FactorizationSettings, tolerance: float) -> FactorizationSettings:
    return settings.model_copy(update={"tolerance": max(settings.tolerance, tolerance), "exact_sweeps": 1})


def _fit_batch(
    prepared: Prepared,
    factors: Factors,
    how: _How,
    given: bool,
    begin: float,
    share: float,
    progress: ProgressCallback | None,
) -> Starts:
    fitted = _Fitted(factors)
    rescale = not given and "time" not in how.fixed
    drawn = np.arange(int(given), factors.shape[0])
    rescale = _choose(prepared, fitted, how, drawn, rescale=rescale) and rescale
    _fit(prepared, fitted, how, rescale=rescale, tell=_told(prepared.settings, progress, begin, share))
    if how.exact:
        _finish(prepared, fitted, how)
    report(progress, begin + share, f"{factors.shape[0]} starts done")
    return fitted.starts()


def _fit(prepared: Prepared, fitted: _Fitted, how: _How, *, rescale: bool = False, tell: Told | None = None) -> None:
    """Fit with the clocks as they are, compressed where that pays."""
    source = prepared.compressed or prepared.exact
    fitted.converged = _run(prepared, fitted, source, prepared.settings.max_sweeps, how, rescale, tell)


def _finish(prepared: Prepared, fitted: _Fitted, how: _How, sweeps: int | None = None) -> None:
    """Exact sweeps after compressed ones, as many as the settings say if nothing else is said."""
    most = prepared.settings.exact_sweeps if sweeps is None else sweeps
    if prepared.compressed is not None and most > 0:
        _run(prepared, fitted, prepared.exact, most, how, False, None)


def _run(
    prepared: Prepared,
    fitted: _Fitted,
    source: RowSource,
    most: int,
    how: _How,
    rescale: bool,
    tell: Told | None,
) -> list[bool]:
    settings = prepared.settings
    solver = how.solver(prepared, source)
    fit = solver.run(fitted.factors, max_sweeps=most, tolerance=settings.tolerance, rescale=rescale, on_sweep=tell)
    for k in range(fitted.factors.shape[0]):
        fitted.histories[k] += fit.errors[k]
        fitted.sweeps[k] += fit.sweeps[k]
    fitted.errors = fit.final
    if solver.is_weighted and (source is prepared.exact or not how.exact):
        fitted.errors = solver.error_on(fitted.factors, solver.keep)
    return fit.converged


def _choose(prepared: Prepared, fitted: _Fitted, how: _How, drawn: Array, *, rescale: bool) -> bool:
    """Fit these starts with courses of their own for all components, then choose the clocks; False where there is no choice."""
    if prepared.problem.model != "mixed" or {"time", "worm"} & set(how.fixed):
        return True
    if not len(drawn):
        return False
    factors = fitted.factors.take(drawn)
    settings = prepared.settings
    solver = how.solver(prepared, prepared.compressed or prepared.exact)
    tolerance = max(settings.tolerance, CHOICE_TOLERANCE)
    fit = solver.run(factors, max_sweeps=settings.max_sweeps, tolerance=tolerance, rescale=rescale)
    energy = pair_energy(prepared.problem, factors, solver.keep, solver.weights)
    fitted.predicted[drawn] = choose_clocks(prepared.problem, factors, energy)
    fitted.factors.put(drawn, factors)
    for k, start in enumerate(drawn):
        fitted.sweeps[start] += fit.sweeps[k]
    return False
