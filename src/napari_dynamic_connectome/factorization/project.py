"""Worms that took no part in a fit: their time courses and loadings for known pair factors, and how well these predict them.

Goes in: an affinity and components of other worms. Comes out: the exact non-negative least-squares solution for one worm over the
pairs that it observes, and its error, also on pairs of neurons that were kept from the projection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from ..model.errors import InputError
from ..model.progress import CancelCallback, check_cancel
from ..model.results import Components
from ..model.summary import Summary
from .match import pair_keys

Array = np.ndarray
ROUNDS = 500
SETTLED = 1e-9
"""With both clocks, loadings and own courses are solved for in turn until no loading changes by more than this (relative)."""
SPLITS = 4
"""Random halves of a worm's neurons over which the error on other neurons is averaged."""


@dataclass(frozen=True, eq=False, repr=False)
class WormProjection(Summary):
    """One worm, projected on pair factors that it had no part in.

    Parameters
    ----------
    worm : str
    courses : xarray.DataArray
        (time, component), weight included, on the clock of the affinity; NaN where the worm was not observed. For components with
        a common clock the common course times the worm's loading.
    loading : xarray.DataArray
        (component,), on the scale of `Components.worm`: the worm's loading for components with a common clock, else the norm of its
        course without the weight.
    error : float
        Relative error ||X - model|| / ||X|| over all pairs that were projected.
    cross_error : float
        The same on pairs of neurons of one half, for courses found from the pairs of the other half alone, over random halves and
        both ways; NaN with fewer than four neurons.
    cross_without : xarray.DataArray
        (component,): `cross_error` if the component is left out of both steps. What it lies above `cross_error` is what the
        component foretells about neurons that were not looked at.
    n_pairs : int
        Rows (pairs and signs) that the components know and the worm observes.
    notes : tuple of str
        What was left out.
    """

    worm: str
    courses: xr.DataArray
    loading: xr.DataArray
    error: float
    cross_error: float
    cross_without: xr.DataArray
    n_pairs: int
    notes: tuple[str, ...] = ()


def project_worm(
    affinity: Any,
    components: Components,
    worm: str,
    *,
    splits: int = SPLITS,
    seed: int = 0,
    cancel: CancelCallback | None = None,
) -> WormProjection:
    """Project one worm on known pair factors by exact non-negative least squares over the pairs that it observes.

    For components with their own clock the course is solved for at every sample, min_t>=0 ||x - A t||; for those with a common
    clock the course is known and one loading a component is solved for. With both (`mixed`) this is one convex problem, solved by
    turns. All of it is our definition of what it means to predict a new worm.

    Parameters
    ----------
    affinity : AffinitySpec or ArrayAffinity
        Must hold the worm; for components with a common clock on this clock.
    components : Components
        Of other worms. Pairs that they do not know are left out.
    worm : str
    splits : int
        Random halves of the neurons for `cross_error`; 0 leaves it out.
    seed : int
        Of the halves.
    cancel : callable, optional

    Raises
    ------
    InputError
        There is no such worm, it shares no pair with the components, or it is not on their clock.
    """
    block = next((b for b in affinity.blocks if b.worm == worm), None)
    if block is None:
        raise InputError(
            f"there is no worm '{worm}'", where="affinity", fix=f"Known: {', '.join(b.worm for b in affinity.blocks)}."
        )
    observed = np.asarray(block.observed, bool)
    factors, neurons, missing = _known_rows(affinity, components, block)
    if not np.isfinite(factors).all(axis=2).any():
        raise InputError(
            "it shares no pair of neurons with the components", where=worm, fix="Name more of its neurons."
        )
    common = _common_course(affinity, components, worm, observed)
    halves = _halves(neurons, splits, seed)
    parts = [np.ones(len(neurons), bool), *[m for pair in halves for m in pair]]
    sums = _sums(block, factors, parts, observed, cancel)
    solved = [_solve(s, common) for s in sums]
    error = float(np.sqrt(max(_rest(sums[0], solved[0]), 0.0) / sums[0].norm)) if sums[0].norm > 0 else np.nan
    rank = components.rank
    everything = np.arange(rank)
    crossed = _cross(sums[1:], common, everything, cancel)
    without = [_cross(sums[1:], common, np.delete(everything, r), cancel) for r in range(rank)]
    number = components.weight["component"].values
    courses = np.full((len(observed), rank), np.nan)
    courses[observed] = solved[0].T * components.weight.values
    loading = np.linalg.norm(solved[0], axis=1)
    shared = _shared(common, rank)
    if common is not None and shared.any():
        # the common course has unit norm over all worms' times, not over those of this one
        square = (common[shared] ** 2).sum(axis=1)
        loading[shared] = (solved[0][shared] * common[shared]).sum(axis=1) / np.maximum(square, np.finfo(float).tiny)
    notes = (f"{missing} pairs that the components do not know are left out",) if missing else ()
    return WormProjection(
        worm,
        xr.DataArray(
            courses,
            dims=("time", "component"),
            coords={"time": np.asarray(block.time_s, float), "component": number},
            name=f"time courses of {worm}",
        ),
        xr.DataArray(loading, dims=("component",), coords={"component": number}, name=f"loadings of {worm}"),
        error,
        crossed,
        xr.DataArray(np.asarray(without), dims=("component",), coords={"component": number}),
        int(np.isfinite(factors).all(axis=2).sum()),
        notes,
    )


def nnls_columns(gram: Array, moment: Array) -> Array:
    """Solve min_x>=0 x'Gx / 2 - m'x for every column m: exact non-negative least squares with one Gram matrix.

    Active sets as in Lawson & Hanson (1974), all columns at once and solved together where they have the same set (Van Benthem & Keenan
    2004, Journal of Chemometrics 18, 441).

    Parameters
    ----------
    gram : float array (r, r)
        A'A, symmetric, positive semi-definite. Directions that it does not see are left at zero.
    moment : float array (r, n)
        A'x of every column.

    Returns
    -------
    float array (r, n)
    """
    gram, moment = np.asarray(gram, float), np.asarray(moment, float)
    rank, count = moment.shape
    result = np.zeros((rank, count))
    size = np.sqrt(np.maximum(np.diag(gram), 0.0))
    usable = size > 1e-12 * max(float(size.max(initial=0.0)), np.finfo(float).tiny)
    if not usable.any() or not count:
        return result
    # columns of unit norm: one tolerance for all
    scale = np.where(usable, size, 1.0)
    g = (gram / np.outer(scale, scale))[np.ix_(usable, usable)]
    m = (moment / scale[:, None])[usable]
    tolerance = 1e-11 * np.maximum(np.abs(m).max(axis=0), np.finfo(float).tiny)
    x, free = np.zeros_like(m), np.zeros(m.shape, bool)
    open_columns = np.arange(count)
    for _ in range(30 * len(g) + 30):
        gradient = np.where(free[:, open_columns], -np.inf, m[:, open_columns] - g @ x[:, open_columns])
        best = gradient.argmax(axis=0)
        going = gradient[best, np.arange(len(open_columns))] > tolerance[open_columns]
        open_columns, best = open_columns[going], best[going]
        if not len(open_columns):
            break
        free[best, open_columns] = True
        _descend(g, m, x, free, open_columns)
    result[usable] = x
    return np.asarray(result / scale[:, None])


def _descend(g: Array, m: Array, x: Array, free: Array, columns: Array) -> None:
    """Move every column to the minimum over its free entries, dropping those that would become negative."""
    while len(columns):
        target = np.zeros((len(g), len(columns)))
        patterns, which = np.unique(free[:, columns], axis=1, return_inverse=True)
        for number in range(patterns.shape[1]):
            rows = np.flatnonzero(patterns[:, number])
            here = np.flatnonzero(which.ravel() == number)
            if len(rows):
                solution = np.linalg.lstsq(g[np.ix_(rows, rows)], m[np.ix_(rows, columns[here])], rcond=1e-12)[0]
                target[np.ix_(rows, here)] = solution
        now = x[:, columns]
        bad = free[:, columns] & (target <= 0)
        blocked = bad.any(axis=0)
        x[:, columns[~blocked]] = target[:, ~blocked]
        columns, target, now, bad = columns[blocked], target[:, blocked], now[:, blocked], bad[:, blocked]
        if not len(columns):
            return
        step = np.where(bad, now / np.where(now - target > 0, now - target, 1.0), np.inf)
        least = step.min(axis=0)
        moved = now + least * (target - now)
        gone = bad & (step <= least)
        x[:, columns] = np.where(gone, 0.0, np.maximum(moved, 0.0))
        free[:, columns] &= ~gone


@dataclass(frozen=True, eq=False)
class _Sums:
    """What least squares needs of some rows: A'A, A'X (component, observed sample) and ||X||^2."""

    gram: Array
    moment: Array
    norm: float


def _known_rows(affinity: Any, components: Components, block: Any) -> tuple[Array, Array, int]:
    """Pair factors, weight included, of every row of a block: (sign, row, component); neurons of the rows; rows not known."""
    weighted = components.pair.values * components.weight.values
    index = {key: i for i, key in enumerate(pair_keys(components))}
    names = [str(n) for n in affinity.neurons]
    pairs = np.asarray(affinity.pairs, int)[np.asarray(block.rows)]
    factors = np.full((len(affinity.signs), len(pairs), components.rank), np.nan)
    for layer, sign in enumerate(affinity.signs):
        for row, (a, b) in enumerate(pairs):
            first, second = sorted((names[a], names[b]))
            at = index.get((first, second, str(sign)))
            if at is not None:
                factors[layer, row] = weighted[at]
    missing = int((~np.isfinite(factors).all(axis=2)).all(axis=0).sum())
    return factors, pairs, missing


def _common_course(affinity: Any, components: Components, worm: str, observed: Array) -> Array | None:
    """Unit time factors (component, observed sample), NaN for components with their own clock; None if all have."""
    if "common" not in components.clocks:
        return None
    clock = np.asarray(components.time["time"].values, float)
    own = None if affinity.time_s is None else np.asarray(affinity.time_s, float)
    if own is None or len(own) != len(clock) or not np.allclose(own, clock):
        raise InputError(
            "it is not on the clock of the components", where=worm, fix="Make the affinities of all worms together."
        )
    common = np.nan_to_num(components.time.values.T[:, observed])
    common[[clock == "own" for clock in components.clocks]] = np.nan
    return np.asarray(common)


def _shared(common: Array | None, rank: int) -> Array:
    """Bool (component,): components with a common course."""
    return np.zeros(rank, bool) if common is None else np.isfinite(common).all(axis=1)


def _halves(pairs: Array, splits: int, seed: int) -> list[tuple[Array, Array]]:
    """Rows whose two neurons lie in the one and in the other random half of the worm's neurons."""
    neurons = np.unique(pairs)
    if len(neurons) < 4:
        return []
    rng = np.random.default_rng([seed, 7])
    found = []
    for _ in range(splits):
        first = np.isin(pairs, rng.permutation(neurons)[: len(neurons) // 2])
        found.append((np.asarray(first.all(axis=1)), np.asarray((~first).all(axis=1))))
    return found


def _sums(
    block: Any, factors: Array, parts: list[Array], observed: Array, cancel: CancelCallback | None
) -> list[_Sums]:
    """Gram matrices, moments and norms of several sets of rows, in one pass over the affinities."""
    signs, n_rows, rank = factors.shape
    known = np.isfinite(factors).all(axis=2)
    moment = np.zeros((len(parts) * rank, int(observed.sum())))
    norms, grams = np.zeros(len(parts)), np.zeros((len(parts), rank, rank))
    step = 512
    for layer in range(signs):
        for row0 in range(0, n_rows, step):
            check_cancel(cancel)
            row1 = min(row0 + step, n_rows)
            values = np.asarray(block.tile(row0, row1, 0, len(observed), layer), np.float64)[:, observed]
            squares = np.einsum("pt,pt->p", values, values)
            own = np.nan_to_num(factors[layer, row0:row1])
            masks = np.stack([p[row0:row1] & known[layer, row0:row1] for p in parts])
            wide = (masks[:, :, None] * own).transpose(0, 2, 1)
            moment += wide.reshape(len(parts) * rank, -1) @ values
            norms += masks @ squares
            grams += wide @ wide.transpose(0, 2, 1)
    split = moment.reshape(len(parts), rank, -1)
    return [_Sums(grams[k], split[k], float(norms[k])) for k in range(len(parts))]


def _solve(sums: _Sums, common: Array | None, use: Array | None = None) -> Array:
    """Courses (component, sample), loading included; components not in `use` are zero."""
    rank = len(sums.gram)
    found = np.zeros_like(sums.moment)
    use = np.arange(rank) if use is None else use
    shared = _shared(common, rank)
    own, shared = use[~shared[use]], use[shared[use]]
    if not len(shared) or common is None:
        found[own] = nnls_columns(sums.gram[np.ix_(own, own)], sums.moment[own])
        return found
    course = common[shared]
    gram = sums.gram[np.ix_(shared, shared)] * (course @ course.T)
    before = np.full(len(shared), np.inf)
    for _ in range(ROUNDS):
        rest = sums.moment[shared] - sums.gram[np.ix_(shared, own)] @ found[own]
        loading = nnls_columns(gram, (rest * course).sum(axis=1)[:, None])[:, 0]
        found[shared] = loading[:, None] * course
        if not len(own):
            break
        rest = sums.moment[own] - sums.gram[np.ix_(own, shared)] @ found[shared]
        found[own] = nnls_columns(sums.gram[np.ix_(own, own)], rest)
        if np.abs(loading - before).max() <= SETTLED * max(float(loading.max()), np.finfo(float).tiny):
            break
        before = loading
    return found


def _rest(sums: _Sums, course: Array) -> float:
    """Squared error of some courses on some rows."""
    return float(
        sums.norm - 2 * np.einsum("rt,rt->", sums.moment, course) + np.einsum("rs,rs->", sums.gram, course @ course.T)
    )


def _cross(halves: list[_Sums], common: Array | None, use: Array, cancel: CancelCallback | None) -> float:
    """Relative error on one half's rows of courses found from the other half's, over all halves."""
    rest = norm = 0.0
    for first, second in zip(halves[::2], halves[1::2], strict=True):
        check_cancel(cancel)
        if not (first.norm > 0 and second.norm > 0):
            continue
        rest += _rest(second, _solve(first, common, use)) + _rest(first, _solve(second, common, use))
        norm += first.norm + second.norm
    return float(np.sqrt(max(rest, 0.0) / norm)) if norm > 0 else float("nan")


def own_courses(
    affinity: Any, components: Components, *, cancel: CancelCallback | None = None
) -> dict[str, xr.DataArray]:
    """Every recording's own time course of every component, also where the components have one course for all.

    For known pair factors, solved sample by sample as in `project_worm` for `unaligned` components; what a worm did at a moment then does
    not depend on what the others did. Our definition.

    Parameters
    ----------
    affinity : AffinitySpec
        That the components were made from. Windows around events of one recording are put together in order.
    components : Components

    Returns
    -------
    dict of str to xarray.DataArray
        Recording -> (time, component), time in seconds of the recording, weight included; recordings that share no pair with the components
        are left out.
    """
    found: dict[str, list[tuple[Array, Array]]] = {}
    for block in affinity.blocks:
        check_cancel(cancel)
        observed = np.asarray(block.observed, bool)
        factors, rows, _ = _known_rows(affinity, components, block)
        if not np.isfinite(factors).all(axis=2).any() or not observed.any():
            continue
        (sums,) = _sums(block, factors, [np.ones(len(rows), bool)], observed, cancel)
        times = np.asarray(getattr(block, "source_time_s", block.time_s), float)[observed]
        found.setdefault(str(getattr(block, "source", block.worm)), []).append(
            (times, _solve(sums, None).T * components.weight.values)
        )
    result = {}
    for worm, parts in found.items():
        times, first = np.unique(np.concatenate([t for t, _ in parts]), return_index=True)
        values = np.concatenate([v for _, v in parts])[first]
        result[worm] = xr.DataArray(
            values,
            dims=("time", "component"),
            coords={"time": times, "component": components.weight["component"].values},
            name=f"time courses of {worm}",
        )
    return result
