"""Compiled loops of the `mixed` model over a worm's samples: courses of both clocks, and coordinate updates of a worm's own.

Layout and updates are those of `kernels`; the columns of the time factor are looked up here, so that no copies of moments are made.
"""

from __future__ import annotations

import numba as nb
import numpy as np

Array = np.ndarray
CHUNK = 256


@nb.njit(cache=True, nogil=True)
def fill_courses(time: Array, loading: Array, columns: Array, own_columns: Array, out: Array) -> None:
    """Course of every component in one worm, as float32.

    out[k, r, i] = time[k, r, columns[i]] loading[k, r] + time[k, r, own_columns[i]], without the last term where the model has no
    clocks of their own.

    Parameters
    ----------
    time : float64 (start, component, column)
    loading : float64 (start, component)
    columns : int array (sample,)
    own_columns : int array (sample,) or (0,)
    out : float32 (start, component, sample)
        Filled.
    """
    starts, rank, _ = time.shape
    count = columns.shape[0]
    both = own_columns.shape[0] > 0
    for k in range(starts):
        for r in range(rank):
            row, filled, scale = time[k, r], out[k, r], loading[k, r]
            if both:
                for i in range(count):
                    filled[i] = row[columns[i]] * scale + row[own_columns[i]]
            else:
                for i in range(count):
                    filled[i] = row[columns[i]] * scale


@nb.njit(cache=True, nogil=True)
def without_own(moment: Array, gram: Array, time: Array, own: Array, own_columns: Array, out: Array) -> None:
    """What the components with clocks of their own leave of a worm's moments to those with the common one.

    out[k, r, i] = moment[k, r, i] - sum over own s of gram[k, r, s] time[k, s, own_columns[i]] where r is not own; else 0.

    Parameters
    ----------
    moment, out : float64 (start, component, sample)
        `out` is filled.
    gram : float64 (start, component, component)
    time : float64 (start, component, column)
    own : bool (start, component)
    own_columns : int array (sample,)
    """
    starts, rank, count = moment.shape
    for k in range(starts):
        for r in range(rank):
            filled, given = out[k, r], moment[k, r]
            if own[k, r]:
                for i in range(count):
                    filled[i] = 0.0
                continue
            for i in range(count):
                filled[i] = given[i]
            for s in range(rank):
                weight = gram[k, r, s]
                if own[k, s] and weight != 0.0:
                    row = time[k, s]
                    for i in range(count):
                        filled[i] -= weight * row[own_columns[i]]


@nb.njit(cache=True, nogil=True)
def update_own_courses(
    time: Array,
    moment: Array,
    gram: Array,
    loading: Array,
    own: Array,
    columns: Array,
    own_columns: Array,
    weight: float,
    inner: int,
    l1: float,
) -> None:
    """Coordinate updates of the courses that components have in one worm alone, in place.

    Minimises, for every sample x of the own components, weight (x G x / 2 - n x) + l1 sum(x) over x >= 0, where n is what the
    components with the common clock leave of the moments.

    Parameters
    ----------
    time : float64 (start, component, column)
        Changed at `own_columns` for components that are `own`.
    moment : float64 (start, component, sample)
    gram : float64 (start, component, component)
    loading : float64 (start, component)
        Of this worm.
    own : bool (start, component)
    columns, own_columns : int array (sample,)
    weight : float
    inner : int
    l1 : float
    """
    starts, rank, count = moment.shape
    wanted, value, part = np.empty((rank, CHUNK)), np.empty((rank, CHUNK)), np.empty(CHUNK)
    mine = np.empty(rank, np.int64)
    for k in range(starts):
        number = 0
        for r in range(rank):
            if own[k, r] and weight * gram[k, r, r] > 0.0:
                mine[number] = r
                number += 1
        for c0 in range(0, count if number else 0, CHUNK):
            n = min(CHUNK, count - c0)
            for a in range(number):
                r = mine[a]
                row, target, old = moment[k, r], wanted[a], value[a]
                for i in range(n):
                    target[i] = weight * row[c0 + i] - l1
                    old[i] = time[k, r, own_columns[c0 + i]]
                for s in range(rank):
                    factor = weight * gram[k, r, s] * loading[k, s]
                    if not own[k, s] and factor != 0.0:
                        other = time[k, s]
                        for i in range(n):
                            target[i] -= factor * other[columns[c0 + i]]
            for _ in range(inner):
                for a in range(number):
                    target = wanted[a]
                    for i in range(n):
                        part[i] = target[i]
                    for b in range(number):
                        factor = weight * gram[k, mine[a], mine[b]]
                        if b != a and factor != 0.0:
                            other = value[b]
                            for i in range(n):
                                part[i] -= factor * other[i]
                    scale = 1.0 / (weight * gram[k, mine[a], mine[a]])
                    new = value[a]
                    for i in range(n):
                        new[i] = max(part[i] * scale, 0.0)
            for a in range(number):
                new = value[a]
                for i in range(n):
                    time[k, mine[a], own_columns[c0 + i]] = new[i]


@nb.njit(cache=True, nogil=True)
def add_moments(total: Array, moment: Array, scale: Array, place: Array) -> None:
    """total[k, r, i] += scale[k, r] moment[k, r, place[i]].

    Parameters
    ----------
    total : float64 (start, component, sample of the group)
    moment : float64 (start, component, sample of the worm)
    scale : float64 (start, component)
        Loadings of the worm times its weight.
    place : int array (sample of the group,)
        Where the group's samples lie in the worm.
    """
    starts, rank, count = total.shape
    for k in range(starts):
        for r in range(rank):
            factor = scale[k, r]
            if factor == 0.0:
                continue
            row, given = total[k, r], moment[k, r]
            for i in range(count):
                row[i] += factor * given[place[i]]


@nb.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def loading_moments(time: Array, moment: Array, columns: Array, cross: Array, square: Array) -> None:
    """What the loadings of one worm are fitted to: courses times moments, and courses times courses, on the common clock.

    cross[k, r, 0] = sum_i moment[k, r, i] time[k, r, columns[i]]; square[k, r, s] = sum_i time[k, r, columns[i]]
    time[k, s, columns[i]].

    Parameters
    ----------
    time : float64 (start, component, column)
    moment : float64 (start, component, sample)
    columns : int array (sample,)
    cross : float64 (start, component, 1)
        Filled.
    square : float64 (start, component, component)
        Filled.
    """
    starts, rank, _ = time.shape
    count = columns.shape[0]
    part = np.empty((rank, CHUNK))
    for k in range(starts):
        cross[k], square[k] = 0.0, 0.0
        for c0 in range(0, count, CHUNK):
            n = min(CHUNK, count - c0)
            for r in range(rank):
                here, row, given = part[r], time[k, r], moment[k, r]
                total = 0.0
                for i in range(n):
                    here[i] = row[columns[c0 + i]]
                    total += here[i] * given[c0 + i]
                cross[k, r, 0] += total
            for r in range(rank):
                one = part[r]
                for s in range(r, rank):
                    other, total = part[s], 0.0
                    for i in range(n):
                        total += one[i] * other[i]
                    square[k, r, s] += total
        for r in range(rank):
            for s in range(r):
                square[k, r, s] = square[k, s, r]
