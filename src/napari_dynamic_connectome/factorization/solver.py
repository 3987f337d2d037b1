"""Masked hierarchical alternating least squares for all starts at once.

Minimises sum over observed entries of weight_w (X_w(p, t) - sum_r pair_r(p) worm_r(w) time_r(t))^2 with factors >= 0. Since a
worm observes a pair at all of its samples or not at all, the normal equations are exact without a mask array: those of the time
and worm factors are sums of one Gram matrix a worm, those of a pair depend only on which worms observe it.

In the `mixed` model some components have a course of their own in every worm instead, worm_r(w) time_r(t) -> time_r^w(t): behind
the columns of the common clock the time factor has those of each worm, and a component is zero in the ones that are not its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..model.execution import Workers
from .clock_kernels import add_moments, fill_courses, loading_moments, update_own_courses, without_own
from .clocks import span, worm_courses
from .kernels import (
    columns_first,
    extrapolate,
    gather,
    row_grams,
    rows_first,
    scatter_add,
    thin_grams,
    update_grouped,
    update_own,
    update_shared,
    update_smooth,
)
from .problem import Problem
from .scratch import Scratch
from .settings import FactorizationSettings
from .sources import RowSource

Array = np.ndarray
ROUND = 8
"""Worms whose products are in memory together, more where they are small. Not the number of threads: how many starts fit must not
depend on that, because the last digits of a product depend on how many starts share it."""
LARGE = 20_000
"""Rows and samples of a worm that is not small."""
OnSweep = Callable[[int, "Factors"], None]


@dataclass
class Factors:
    """Factors of several starts, (start, component, row) float64.

    Parameters
    ----------
    time : array (start, component, n_times)
        Carries the scale between sweeps; the two others have unit norm.
    worm : array (start, component, worm)
        All ones where the model is `unaligned`, and for components with clocks of their own.
    pair : array (start, component, n_slots)
    own : bool array (start, component)
        Components with a clock of their own in every worm (`mixed`).
    """

    time: Array
    worm: Array
    pair: Array
    own: Array = field(default_factory=lambda: np.empty(0, bool))

    def __post_init__(self) -> None:
        if not self.own.size:
            self.own = np.zeros(self.pair.shape[:2], bool)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of starts, rank."""
        return self.pair.shape[0], self.pair.shape[1]

    def take(self, starts: Sequence[int] | Array) -> Factors:
        """Copy of some starts."""
        chosen = np.asarray(starts, int)
        return Factors(self.time[chosen], self.worm[chosen], self.pair[chosen], self.own[chosen])

    def put(self, starts: Array, other: Factors) -> None:
        """Write some starts back."""
        self.time[starts], self.worm[starts], self.pair[starts] = other.time, other.worm, other.pair
        self.own[starts] = other.own


@dataclass
class Fit:
    """What `Solver.run` returns.

    Parameters
    ----------
    factors : Factors
    errors : list of list of float
        What was minimised, relative, after every sweep of every start: with weights and ridge.
    final : float array (start,)
        Relative error at the end, with weights but without the ridge.
    sweeps : list of int
    converged : list of bool
    """

    factors: Factors
    errors: list[list[float]]
    final: Array
    sweeps: list[int]
    converged: list[bool]


class _Pace:
    """Length of the extrapolation of every start: grows while the error falls, shrinks when it rises.

    The rule and its constants are those of Ang & Gillis (2019), Neural Computation 31, 417, algorithm 2.
    """

    GROW, GROW_LIMIT, SHRINK = 1.05, 1.01, 1.5

    def __init__(self, starts: int) -> None:
        self.step = np.full(starts, 0.5)
        self.limit = np.ones(starts)

    def next(self, active: Array, better: Array) -> Array:
        """Steps of the active starts; zero for those whose error rose (they go back and try a plain sweep)."""
        steps = np.where(better, self.step[active], 0.0)
        worse, good = active[~better], active[better]
        self.limit[worse] = self.step[worse]
        self.step[worse] /= self.SHRINK
        self.limit[good] = np.minimum(1.0, self.GROW_LIMIT * self.limit[good])
        self.step[good] = np.minimum(self.limit[good], self.GROW * self.step[good])
        return steps


class Solver:
    """One problem, one source of its values, one set of rows that count.

    Parameters
    ----------
    problem : Problem
    source : RowSource
    settings : FactorizationSettings
    pool : Workers
    keep : list of bool array (n_rows,), optional
        Rows of each worm that count; the others are held out.
    fixed : collection of {"time", "worm", "pair"}
        Factors that stay as they are.
    """

    def __init__(
        self,
        problem: Problem,
        source: RowSource,
        settings: FactorizationSettings,
        pool: Workers,
        *,
        keep: list[Array] | None = None,
        fixed: Sequence[str] = (),
    ) -> None:
        self.problem, self.source, self.settings, self.pool = problem, source, settings, pool
        self.keep = keep or [np.ones(w.n_rows, bool) for w in problem.worms]
        self.fixed = frozenset(fixed)
        self.scratch = Scratch()
        norms = np.array([float(n[k].sum()) for n, k in zip(source.row_norms, self.keep, strict=True)])
        self.weights = worm_weights(problem, settings, norms)
        self.norm2 = float((norms * self.weights).sum())
        self.counts, self.shrunk = _counts(problem, self.keep, self.weights, settings.ridge)
        seen, common = problem.seen_times, problem.n_common or problem.n_times
        self.l1 = settings.sparsity * float(np.sqrt(self.norm2 / seen[:common].sum()))
        self.l1_own = settings.sparsity * float(np.sqrt(self.norm2 / max(seen[common:].sum(), 1)))
        self.patterns = _patterns(self.counts)
        self.round = worms_together(problem)
        self.small = 2 * max(w.n_rows + w.n_times for w in problem.worms) <= LARGE
        self._where = {}
        for index, worm in enumerate(problem.worms):
            inverse = np.full(problem.n_times, -1)
            inverse[worm.times] = np.arange(worm.n_times)
            self._where[index] = inverse if problem.model != "unaligned" else None

    def run(
        self, factors: Factors, *, max_sweeps: int, tolerance: float, rescale: bool, on_sweep: OnSweep | None = None
    ) -> Fit:
        """Sweep until every start has converged.

        Parameters
        ----------
        factors : Factors
            Changed in place.
        max_sweeps : int
        tolerance : float
        rescale : bool
            Give random starts the scale that fits the data best before the first update.
        on_sweep : callable, optional
            Told the sweep's number after each sweep.
        """
        starts = factors.shape[0]
        fit = Fit(factors, [[] for _ in range(starts)], np.full(starts, np.nan), [0] * starts, [False] * starts)
        accelerate = not (self.fixed or self.l1 > 0 or self.settings.smoothness > 0)
        active = np.arange(starts)
        part, before = factors.take(active), factors.take(active)
        pace, steps = _Pace(starts), np.zeros(starts)
        for sweep in range(max_sweeps):
            errors, plain = self.sweep(part, rescale=rescale and sweep == 0)
            self._normalise(part)
            going, better = [], np.ones(len(active), bool)
            for position, start in enumerate(active):
                history = fit.errors[start]
                fit.sweeps[start] += 1
                better[position] = not (accelerate and history and errors[position] > history[-1])
                if better[position]:
                    history.append(float(errors[position]))
                    fit.final[start] = plain[position]
                # a plain sweep that raises the error (by its last digits, or the ridge) would do so again and again
                ended = not better[position] and steps[position] == 0
                if ended or (better[position] and len(history) > 1 and abs(history[-2] - history[-1]) < tolerance):
                    fit.converged[start] = True
                    factors.put(np.array([start]), (before if ended else part).take([position]))
                else:
                    going.append(position)
            worse = np.flatnonzero(~better)
            part.put(worse, before.take(worse))
            steps = pace.next(active, better) if accelerate and sweep > 0 else np.zeros(len(active))
            if len(going) < len(active):
                active, steps = active[going], steps[going]
                part, before = part.take(going), before.take(going)
            if on_sweep is not None:
                on_sweep(sweep, factors)
            if not len(active):
                break
            for name in ("time", "worm", "pair"):
                extrapolate(getattr(part, name), getattr(before, name), steps)
        if len(active):
            factors.put(active, before)
        return fit

    def sweep(self, factors: Factors, *, rescale: bool = False, watched: Watched | None = None) -> tuple[Array, Array]:
        """Update every factor once; return the relative error of each start with and without the ridge.

        watched: other rows, of which the products are noted.
        """
        problem = self.problem
        self._normalise(factors)
        if not {"time", "worm"} <= self.fixed and not (problem.model == "unaligned" and "time" in self.fixed):
            self._update_courses(factors, *self._left_products(factors), rescale=rescale)
        return self._update_pair(factors, update="pair" not in self.fixed, watched=watched)

    def follow(self, factors: Factors, sweeps: int) -> None:
        """Fit courses and loadings to pair factors that stay as they are, in place; the data are multiplied with them only once.

        As so many sweeps of a solver for which the pair factor is `fixed`, which this one has to be.
        """
        products = self._left_products(factors)
        for sweep in range(sweeps):
            self._normalise(factors)
            self._update_courses(factors, *products, rescale=sweep == 0)

    # --- parts of a sweep -------------------------------------------------------------------------------------------

    def _left_products(self, factors: Factors) -> tuple[list[Array], list[Array]]:
        """X_w^T A_w and A_w^T A_w of every worm."""
        alive = np.flatnonzero(factors.pair.any(axis=2).ravel())
        wide = np.empty((self.problem.n_slots, len(alive)), np.float32)
        rows_first(factors.pair.reshape(-1, self.problem.n_slots), alive, wide)
        products = [
            p for batch in self._rounds() for p in self._each(lambda w: self._left(w, factors, wide, alive), batch)
        ]
        return [p[0] for p in products], [p[1] for p in products]

    def _update_courses(self, factors: Factors, moments: list[Array], grams: list[Array], *, rescale: bool) -> None:
        """Time and worm factors."""
        if rescale:
            self._rescale(factors, moments, grams)
        if self.problem.model == "mixed":
            self._update_clocks(factors, moments, grams)
        elif "time" not in self.fixed:
            self._update_time(factors, moments, grams)
        if self.problem.model == "aligned" and "worm" not in self.fixed:
            self._update_worm(factors, moments, grams)

    def _normalise(self, factors: Factors) -> None:
        """Give the pair and worm factors unit norm; the time factor takes the scale (fixed factors stay)."""
        for name in ("pair", "worm"):
            if name in self.fixed or "time" in self.fixed or (name == "worm" and self.problem.model == "unaligned"):
                continue
            factor = getattr(factors, name)
            norm = np.linalg.norm(factor, axis=2, keepdims=True)
            if name == "worm" and self.problem.model == "mixed":
                norm[factors.own] = 1.0
            safe = np.where(norm > 0, norm, 1.0)
            factor /= safe
            factors.time *= safe

    def _rounds(self) -> list[range]:
        """Worms whose products are in memory together."""
        count = len(self.problem.worms)
        return [range(a, min(a + self.round, count)) for a in range(0, count, self.round)]

    def _each(self, function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        """Results in the order of the items; small ones are dealt out once, as waking a thread costs as much as they do."""
        turns = 1 if self.small else 4
        size = max(-(-len(items) // (turns * self.pool.threads)), 1) if self.small or len(items) > ROUND else 1
        pieces = [items[a : a + size] for a in range(0, len(items), size)]
        return [r for piece in self.pool.map(lambda piece: [function(i) for i in piece], pieces) for r in piece]

    def _left(self, worm: int, factors: Factors, wide: Array, alive: Array) -> tuple[Array, Array]:
        """X_w^T A_w (start, component, time) and A_w^T A_w (start, component, component).

        Parameters
        ----------
        worm : int
        factors : Factors
        wide : float32 array (n_slots, column)
            Pair factors that are not zero: starts of a smaller rank have components that stay zero.
        alive : int array (column,)
            Which of (start x component) they are.
        """
        starts, rank = factors.shape
        item = self.problem.worms[worm]
        flat = np.full(starts * rank, -1)
        flat[alive] = np.arange(len(alive))
        place, gram = flat.reshape(starts, rank), np.zeros((starts, rank, rank))
        product = self.source.left_sum(worm, len(alive))
        for r0, r1 in self.source.row_pieces(worm):  # a piece stays in the processor's cache from one step to the next
            rows = self.scratch.take((len(alive), r1 - r0), np.float32)
            gather(wide, item.slots[r0:r1], self.keep[worm][r0:r1], rows)
            self.source.add_left(worm, r0, rows, product)
            row_grams(rows, place, gram)
            self.scratch.give(rows)
        found = self.source.end_left(worm, product)
        if len(alive) == place.size:
            moment = found
        else:
            moment = np.zeros((place.size, item.n_times))
            moment[alive] = found
        return moment.reshape(starts, rank, -1), gram

    def _group_sums(
        self, group: tuple[Array, Array], factors: Factors, moments: list[Array], grams: list[Array]
    ) -> tuple[Array, Array]:
        """Numerator and Gram matrix of the time factor for one group of samples."""
        times, members = group
        numerator = np.zeros((*factors.shape, len(times)))
        gram = np.zeros((*factors.shape, factors.shape[1]))
        for w in members:
            loading = factors.worm[:, :, w]
            inverse = self._where[int(w)]
            place = np.arange(len(times)) if inverse is None else inverse[times]
            add_moments(numerator, moments[w], self.weights[w] * loading, place)
            gram += self.weights[w] * grams[w] * loading[:, :, None] * loading[:, None, :]
        return numerator, gram

    def _rescale(self, factors: Factors, moments: list[Array], grams: list[Array]) -> None:
        cross = np.zeros(factors.shape[0])
        square = np.zeros(factors.shape[0])
        for w in range(len(self.problem.worms)) if self.problem.model == "mixed" else ():
            time = worm_courses(self.problem, factors, w)
            cross += self.weights[w] * np.einsum("krt,krt->k", moments[w], time)
            square += self.weights[w] * np.einsum("krt,krt->k", grams[w] @ time, time)
        for group in self.problem.groups if self.problem.model != "mixed" else ():
            numerator, gram = self._group_sums(group, factors, moments, grams)
            time = factors.time[:, :, span(group[0])]
            cross += np.einsum("krt,krt->k", numerator, time)
            square += np.einsum("krt,kst,krs->k", time, time, gram, optimize=True)
        factors.time *= np.where(square > 0, cross / np.where(square > 0, square, 1.0), 1.0)[:, None, None]

    def _update_time(self, factors: Factors, moments: list[Array], grams: list[Array]) -> None:
        settings, problem = self.settings, self.problem

        def one(group: tuple[Array, Array]) -> None:
            numerator, gram = self._group_sums(group, factors, moments, grams)
            times = group[0]
            at = span(times)
            part = np.ascontiguousarray(factors.time[:, :, at])
            if settings.smoothness > 0:
                linked = problem.linked[times] & np.r_[False, np.diff(times) == 1]
                update_smooth(part, numerator, gram, settings.inner, self.l1, settings.smoothness, linked)
            else:
                update_shared(part, numerator, gram, settings.inner, self.l1)
            factors.time[:, :, at] = part

        self._each(one, problem.groups)

    def _update_worm(self, factors: Factors, moments: list[Array], grams: list[Array]) -> None:
        for w, item in enumerate(self.problem.worms):
            numerator, square = np.empty((*factors.shape, 1)), np.empty_like(grams[w])
            loading_moments(factors.time, moments[w], item.times, numerator, square)
            gram = grams[w] * square
            loading = factors.worm[:, :, w : w + 1].copy()
            update_shared(loading, numerator, gram, self.settings.inner, 0.0)
            factors.worm[:, :, w : w + 1] = loading

    def _update_clocks(self, factors: Factors, moments: list[Array], grams: list[Array]) -> None:
        """Time and worm factors of the `mixed` model: common components on what the others leave, then the other way round."""
        own, worms = factors.own, self.problem.worms
        loading = np.where(own[:, :, None], 0.0, factors.worm)
        if not own.all():
            rest = moments
            if own.any():

                def left_over(w: int) -> Array:
                    out = np.empty_like(moments[w])
                    without_own(moments[w], grams[w], factors.time, own, worms[w].own, out)
                    return out

                rest = self._each(left_over, range(len(worms)))
            if "time" not in self.fixed:
                self._update_time(Factors(factors.time, loading, factors.pair, own), rest, grams)
            if "worm" not in self.fixed:
                self._update_worm(factors, rest, grams)
                loading = np.where(own[:, :, None], 0.0, factors.worm)
        if own.any() and "time" not in self.fixed:
            self._update_own(factors, loading, moments, grams)

    def _update_own(self, factors: Factors, loading: Array, moments: list[Array], grams: list[Array]) -> None:
        settings, own, worms = self.settings, factors.own, self.problem.worms

        def one(w: int) -> None:
            if settings.smoothness > 0:
                self._update_own_smooth(w, factors, loading, moments[w], grams[w])
                return
            item = worms[w]
            near = (np.ascontiguousarray(loading[:, :, w]), own, item.times, item.own, float(self.weights[w]))
            update_own_courses(factors.time, moments[w], grams[w], *near, settings.inner, self.l1_own)

        self._each(one, range(len(worms)))

    def _update_own_smooth(self, w: int, factors: Factors, loading: Array, moment: Array, gram: Array) -> None:
        settings, own, item, weight = self.settings, factors.own, self.problem.worms[w], self.weights[w]
        common = factors.time[:, :, span(item.times)] * loading[:, :, w : w + 1]
        # components with a common clock have no numerator and no Gram matrix here, so that they stay zero
        numerator = weight * np.where(own[:, :, None], moment - gram @ common, 0.0)
        shared = weight * np.where(own[:, :, None] & own[:, None, :], gram, 0.0)
        at = span(item.own)
        part = np.ascontiguousarray(factors.time[:, :, at])
        linked = self.problem.linked[item.own]
        update_smooth(part, numerator, shared, settings.inner, self.l1_own, settings.smoothness, linked)
        factors.time[:, :, at] = part

    def _worm_time(self, worm: int, factors: Factors) -> Array:
        """Courses (start, component, sample) float32 of one worm."""
        item = self.problem.worms[worm]
        out = self.scratch.take((*factors.shape, item.n_times), np.float32)
        fill_courses(factors.time, np.ascontiguousarray(factors.worm[:, :, worm]), item.times, item.own, out)
        return out

    def _right(self, worm: int, factors: Factors) -> tuple[Array, Array, Array]:
        """X_w T_w (row, column), which of (start x component) the columns are, and T_w^T T_w; columns that are zero are left out.

        The first may be `scratch`, to be given back.
        """
        starts, rank = factors.shape
        flat = self._worm_time(worm, factors).reshape(starts * rank, -1)
        alive = np.flatnonzero(flat.any(axis=1))
        room = self.scratch.take((self.problem.worms[worm].n_rows, len(alive)), np.float32)
        moment = self.source.right(worm, flat if len(alive) == len(flat) else flat[alive], room)
        if moment is not room:
            self.scratch.give(room)
        place = np.full(starts * rank, -1)
        place[alive] = alive
        gram = np.zeros((starts, rank, rank))
        row_grams(flat, place.reshape(starts, rank), gram)
        self.scratch.give(flat)
        return moment, alive, gram

    def right(self, worm: int, factors: Factors) -> tuple[Array, Array]:
        """X_w T_w (row, start * component) and T_w^T T_w (start, component, component)."""
        moment, columns, gram = self._right(worm, factors)
        whole = np.zeros((len(moment), gram.shape[0] * gram.shape[1]), moment.dtype)
        whole[:, columns] = moment
        self.scratch.give(moment)
        return whole, gram

    def _update_pair(self, factors: Factors, *, update: bool, watched: Watched | None = None) -> tuple[Array, Array]:
        starts, rank = factors.shape
        flat = self.scratch.take((self.problem.n_slots, starts * rank))
        flat[:] = 0.0
        count = len(self.problem.worms)
        grams = np.zeros((starts, rank * rank, self.counts.shape[1]))
        for batch in self._rounds():
            found = self._each(lambda w: self._right(w, factors), batch)
            for w, (moment, columns, gram) in zip(batch, found, strict=True):
                scatter_add(flat, self.problem.worms[w].slots, self.keep[w], moment, columns, self.weights[w])
                grams[:, :, w] = gram.reshape(starts, -1)
                if watched is not None:
                    watched.note(w, moment, columns, gram)
                self.scratch.give(moment)
        if self.settings.ridge > 0:
            each = np.arange(rank) * (rank + 1)
            grams[:, each, -1] = grams[:, each, :count].mean(axis=2)
        numerator = self.scratch.take((starts, rank, self.problem.n_slots))
        columns_first(flat, numerator.reshape(starts * rank, -1))
        self.scratch.give(flat)
        one = self._grouped_rows if self.patterns is not None else self._own_rows
        jobs = [(factors.pair[k], numerator[k], grams[k], update) for k in range(starts)]
        sums = np.array(self.pool.map(one, jobs))
        self.scratch.give(numerator)
        rest = self.norm2 - 2 * sums[:, 0] + sums[:, 1]
        shrunk = self._ridge(factors, grams)
        return tuple(np.sqrt(np.maximum(r, 0.0) / self.norm2) for r in (rest, rest - shrunk))

    def _ridge(self, factors: Factors, grams: Array) -> Array:
        """Share of the ridge in what is minimised, for each start."""
        starts, rank = factors.shape
        rows = self.shrunk
        if not len(rows):
            return np.zeros(starts)
        each = grams[:, np.arange(rank) * (rank + 1), -1]
        squares = np.stack([np.einsum("rp,rp->r", p, p) for p in (factors.pair[k][:, rows] for k in range(starts))])
        return np.asarray(self.settings.ridge * (each * squares).sum(axis=1))

    def _own_rows(self, job: tuple[Array, Array, Array, bool]) -> tuple[float, float]:
        """Update the pair factor of one start where hardly two pairs are seen by the same worms."""
        pair, numerator, grams, update = job
        rank = len(pair)
        triangle = grams[np.flatnonzero(np.triu(np.ones((rank, rank), bool)).ravel())]
        chunk = max(CHUNK_ENTRIES // len(triangle), 64)
        cross = square = 0.0
        table = self.counts
        wide = None if isinstance(table, np.ndarray) else np.ascontiguousarray(triangle.T)
        for p0 in range(0, self.problem.n_slots, chunk):
            if wide is None:
                own = triangle @ table[p0 : p0 + chunk].T
            else:
                own = np.empty((len(triangle), min(chunk, self.problem.n_slots - p0)))
                thin_grams(table.indptr, table.indices, table.data, wide, p0, own)
            part = update_own(pair, numerator, own, p0, self.settings.inner, update)
            cross, square = cross + part[0], square + part[1]
        return cross, square

    def _grouped_rows(self, job: tuple[Array, Array, Array, bool]) -> tuple[float, float]:
        """Update the pair factor of one start where many pairs are seen by the same worms."""
        pair, numerator, grams, update = job
        assert self.patterns is not None
        worms, start, slots = self.patterns
        shared = (worms @ grams.T).reshape(len(worms), len(pair), len(pair))
        cross, square = update_grouped(pair, numerator, shared, start, slots, self.settings.inner, update)
        return float(cross), float(square)

    # --- judging a fit ----------------------------------------------------------------------------------------------

    @property
    def is_weighted(self) -> bool:
        """Whether some worm counts more than another."""
        return bool((self.weights != 1).any())

    def error_on(self, factors: Factors, rows: list[Array]) -> Array:
        """Relative, unweighted error of each start on some rows of each worm (bool masks)."""
        watched = Watched(rows)
        for batch in self._rounds():
            wanted = [w for w in batch if rows[w].any()]
            for w, found in zip(wanted, self._each(lambda w: self._right(w, factors), wanted), strict=True):
                watched.note(w, *found)
                self.scratch.give(found[0])
        return watched.errors(self.problem, self.source.row_norms, factors)


class Watched:
    """Rows of which a sweep notes the products with the courses, so that the error on them is known without reading them again.

    Parameters
    ----------
    rows : list of bool array (n_rows,)
        Of each worm.
    """

    def __init__(self, rows: list[Array]) -> None:
        self.rows = rows
        self._noted: dict[int, tuple[Array, Array, Array]] = {}

    def note(self, worm: int, moment: Array, columns: Array, gram: Array) -> None:
        """X_w T_w (row, column), which of (start x component) the columns are, T_w^T T_w (start, component, component)."""
        self._noted[worm] = (moment[self.rows[worm]], columns, gram)

    def errors(self, problem: Problem, row_norms: list[Array], factors: Factors) -> Array:
        """Relative, unweighted error (start,) of pair factors with the courses that were noted; NaN without rows."""
        starts, rank = factors.shape
        rest, total = np.zeros(starts), 0.0
        for worm, (moment, columns, gram) in self._noted.items():
            mask = self.rows[worm]
            norm = float(row_norms[worm][mask].sum())
            pair = factors.pair[:, :, problem.worms[worm].slots[mask]]
            cross = np.zeros(starts * rank)
            flat = pair.reshape(starts * rank, -1)[columns]
            cross[columns] = np.einsum("pc,cp->c", moment, flat, dtype=np.float64)
            rest += norm - 2 * cross.reshape(starts, rank).sum(axis=1) + np.einsum("krp,krp->k", gram @ pair, pair)
            total += norm
        return np.asarray(np.sqrt(np.maximum(rest, 0.0) / total)) if total > 0 else np.full(starts, np.nan)


CHUNK_ENTRIES = 1 << 16
ROWS_A_PATTERN = 16


MANY_WORMS = 64
THIN = 0.2
"""Share of pairs that a worm observes below which their table is kept without its zeros, where there are many worms."""


def worms_together(problem: Problem) -> int:
    """Number of worms whose products are in memory together."""
    largest = max(w.n_rows + w.n_times for w in problem.worms)
    return min(ROUND * max(1, min(LARGE // largest, 8)), max(len(problem.worms), ROUND))


def thin(problem: Problem) -> bool:
    """Whether most pairs are unobserved in most of many worms."""
    count = len(problem.worms)
    return count >= MANY_WORMS and sum(w.n_rows for w in problem.worms) < THIN * problem.n_slots * count


def _counts(problem: Problem, keep: list[Array], weights: Array, ridge: float) -> tuple[Any, Array]:
    """Weight of every worm (column) in every slot, and the slots that are shrunk.

    The ridge enters as one more worm, whose Gram matrix is the diagonal of the mean of the others'.
    """
    count = len(problem.worms)
    shape = (problem.n_slots, count + (ridge > 0))
    slots = [w.slots[k] for w, k in zip(problem.worms, keep, strict=True)]
    seen = np.zeros(problem.n_slots, int)
    for one, weight in zip(slots, weights, strict=True):
        seen[one] += weight > 0
    shrunk = np.flatnonzero((seen > 0) & (seen < count)) if ridge > 0 else np.empty(0, int)
    if thin(problem):
        from scipy.sparse import csr_array

        rows = np.concatenate([*slots, shrunk])
        columns = np.repeat(np.arange(count + 1), [*map(len, slots), len(shrunk)])
        values = np.repeat(np.r_[weights, ridge], [*map(len, slots), len(shrunk)])
        return csr_array((values, (rows, columns)), shape=shape), shrunk
    table = np.zeros(shape)
    for index, one in enumerate(slots):
        table[one, index] = weights[index]
    table[shrunk, -1 if ridge > 0 else 0] = ridge
    return table, shrunk


def _patterns(counts: Any) -> tuple[Array, Array, Array] | None:
    """Distinct rows of `counts` with the slots that have them, where there are few; else None."""
    rng = np.random.default_rng(0)
    if isinstance(counts, np.ndarray):  # sums of integers, which wrap around, are exact: equal rows have equal marks
        bits = np.ascontiguousarray(counts, float).view(np.uint64)
        mixed = (bits >> np.uint64(52)) | (
            bits << np.uint64(12)
        )  # a weight like 1.0 has its bits at the upper end only
        marks = mixed @ rng.integers(1, 2**64, counts.shape[1], np.uint64)
    else:  # rows that differ have other products with random numbers
        marks = counts @ rng.random(counts.shape[1])
    _, first, which, sizes = np.unique(marks, return_index=True, return_inverse=True, return_counts=True)
    if len(first) * ROWS_A_PATTERN > counts.shape[0] and len(first) > 1:
        return None
    worms = counts[first] if isinstance(counts, np.ndarray) else counts[first].toarray()
    order = np.lexsort(worms.T[::-1])  # by the worms' weights, the first worm before the others
    place = np.empty(len(order), int)
    place[order] = np.arange(len(order))
    worms, sizes, which = worms[order], sizes[order], place[which.ravel()]
    slots = np.argsort(which, kind="stable")
    return worms, np.concatenate([[0], np.cumsum(sizes)]), slots


def worm_weights(problem: Problem, settings: FactorizationSettings, norms: Array) -> Array:
    """Weight of each worm's squared errors; with `equal`, one over its squared norm, scaled to a mean of one."""
    weights = np.array([w.weight for w in problem.worms])
    if settings.worm_weighting == "equal":
        inverse = np.where(norms > 0, 1.0 / np.where(norms > 0, norms, 1.0), 0.0)
        weights = weights * inverse / inverse.mean() if inverse.any() else weights
    return weights


def random_factors(problem: Problem, rank: int, starts: Sequence[int], seed: int) -> Factors:
    """Draw starts uniformly; start k depends on the seed and k alone, not on how many starts there are.

    In the `mixed` model every component begins with courses of its own.
    """
    seen = problem.seen_slots
    parts = []
    for start in starts:
        rng = np.random.default_rng([seed, start])
        pair = rng.random((rank, problem.n_slots)) * seen
        worm = (
            rng.random((rank, len(problem.worms)))
            if problem.model == "aligned"
            else np.ones((rank, len(problem.worms)))
        )
        time = rng.random((rank, problem.n_times))
        time[:, ~problem.seen_times] = 0.0
        if problem.model == "mixed":
            time[:, : problem.n_common] = 0.0
        parts.append((time, worm, pair))
    own = np.full((len(parts), rank), problem.model != "aligned")
    time, worm, pair = (np.stack([p[i] for p in parts]) for i in range(3))
    return Factors(time, worm, pair, own)


def random_ranks(problem: Problem, ranks: Sequence[int], starts: Sequence[int], seed: int) -> Factors:
    """Starts of several ranks, rank after rank, all with as many components as the largest; those beyond a rank are zero."""
    most, parts = max(ranks), []
    for rank in ranks:
        drawn = random_factors(problem, rank, starts, seed)
        wide = [(0, 0), (0, most - rank), (0, 0)]
        factors = (np.pad(getattr(drawn, name), wide) for name in ("time", "worm", "pair"))
        parts.append((*factors, np.pad(drawn.own, wide[:2])))
    return Factors(*(np.concatenate(some) for some in zip(*parts, strict=True)))
