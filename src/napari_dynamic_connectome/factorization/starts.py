"""Starts of a fit of one rank: compressed sweeps, exact sweeps, in batches that fit into memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..model.execution import Workers
from ..model.progress import ProgressCallback, report
from .clocks import choose_clocks, pair_energy, worm_courses
from .match import factor_match
from .prepare import Prepared
from .solver import Factors, Solver, random_factors
from .sources import RowSource

Array = np.ndarray
CHOICE_TOLERANCE = 1e-5
"""Clocks are chosen when the error falls by less than this per sweep: the worms' courses hardly change any more."""


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
        numbers = self.factors.own.sum(axis=1)
        usual = int(np.argmax(np.bincount(numbers)))
        return int(np.argmin(np.where(numbers == usual, self.errors, np.inf)))

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
        parts.append(_fit_batch(prepared, factors, pool, keep, fixed, given, begin, share, progress))
        done += len(some)
    return join_starts(parts)


def fit_factors(prepared: Prepared, factors: Factors, pool: Workers, *, keep: list[Array] | None = None) -> Starts:
    """Fit all of these starts together, in place; a start may have a smaller rank than others: components that are zero stay so."""
    prepared.bind(pool)
    return _fit_batch(prepared, factors, pool, keep, (), False, 0.0, 1.0, None)


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


def _fit_batch(
    prepared: Prepared,
    factors: Factors,
    pool: Workers,
    keep: list[Array] | None,
    fixed: Sequence[str],
    given: bool,
    begin: float,
    share: float,
    progress: ProgressCallback | None,
) -> Starts:
    settings = prepared.settings
    starts = factors.shape[0]
    histories: list[list[float]] = [[] for _ in range(starts)]
    sweeps = [0] * starts

    def tell(sweep: int, _: Factors) -> None:
        part = (sweep + 1) / settings.max_sweeps
        report(
            progress,
            begin + share * min(part * (2 - part), 0.95),
            f"sweep {sweep + 1} of at most {settings.max_sweeps}",
        )

    rescale = not given and "time" not in fixed
    stages: list[tuple[RowSource, int]] = [(prepared.exact, settings.max_sweeps)]
    if prepared.compressed is not None:
        stages = [(prepared.compressed, settings.max_sweeps), (prepared.exact, settings.exact_sweeps)]
    predicted = np.full(factors.shape, np.nan)
    if prepared.problem.model == "mixed" and not {"time", "worm"} & set(fixed):
        drawn = np.arange(int(given), starts)
        chosen, predicted[drawn], sweeps[int(given) :] = _choose(
            prepared, factors.take(drawn), pool, keep, fixed, rescale
        )
        factors.put(drawn, chosen)
        rescale = False
    for number, (source, most) in enumerate(stages):
        solver = Solver(prepared.problem, source, settings, pool, keep=keep, fixed=fixed)
        fit = solver.run(
            factors,
            max_sweeps=most,
            tolerance=settings.tolerance,
            rescale=rescale and number == 0,
            on_sweep=tell if number == 0 else None,
        )
        if number == 0:
            converged = fit.converged
        for k in range(starts):
            histories[k] += fit.errors[k]
            sweeps[k] += fit.sweeps[k]
    report(progress, begin + share, f"{starts} starts done")
    errors = solver.error_on(factors, solver.keep) if solver.is_weighted else fit.final
    return Starts(factors, errors, histories, sweeps, converged, predicted)


def _choose(
    prepared: Prepared,
    factors: Factors,
    pool: Workers,
    keep: list[Array] | None,
    fixed: Sequence[str],
    rescale: bool,
) -> tuple[Factors, Array, list[int]]:
    """Fit with courses of their own for all components, then choose the clocks; what was predicted, and the sweeps it took."""
    if not factors.shape[0]:
        return factors, np.empty(factors.shape), []
    settings, source = prepared.settings, prepared.compressed or prepared.exact
    solver = Solver(prepared.problem, source, settings, pool, keep=keep, fixed=fixed)
    tolerance = max(settings.tolerance, CHOICE_TOLERANCE)
    fit = solver.run(factors, max_sweeps=settings.max_sweeps, tolerance=tolerance, rescale=rescale)
    energy = pair_energy(prepared.problem, factors, solver.keep, solver.weights)
    return factors, choose_clocks(prepared.problem, factors, energy), fit.sweeps
