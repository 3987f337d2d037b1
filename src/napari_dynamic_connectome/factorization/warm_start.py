"""Factors to start from, or to keep fixed, taken from earlier components by the names of neurons and worms."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..model.errors import InputError
from ..model.results import Components
from .match import pair_keys
from .problem import Problem
from .solver import Factors, random_factors

Array = np.ndarray


def known_pairs(affinity: Any, components: Components) -> Array:
    """Bool (pair,): pairs of the affinity for which the components have a factor in every sign layer."""
    index = _index(components)
    names = [str(n) for n in affinity.neurons]
    known = np.array(
        [all(_key(names[int(a)], names[int(b)], str(s)) in index for s in affinity.signs) for a, b in affinity.pairs]
    )
    if not known.any():
        raise InputError(
            "no pair of neurons of this cohort is known to the components",
            where="init",
            fix="Neurons are matched by name; signed components need a signed affinity.",
        )
    return known


def initial_factors(problem: Problem, components: Components, seed: int) -> Factors:
    """One start: what the components know, random where they know nothing (new pairs, worms or times).

    The components' weights go into the time factor.
    """
    affinity, rank = problem.affinity, components.rank
    start = random_factors(problem, rank, [0], seed)
    time, worm, pair = start.time[0], start.worm[0], start.pair[0]
    weight = components.weight.values
    index = _index(components)
    names = [str(n) for n in affinity.neurons]
    known = components.pair.values
    scale = np.nanmean(known)
    pair *= 2 * scale
    for layer, sign in enumerate(affinity.signs):
        base = layer * len(affinity.pairs)
        for p, (a, b) in enumerate(affinity.pairs):
            row = index.get(_key(names[int(a)], names[int(b)], str(sign)))
            if row is not None and problem.sees[base + p].any():
                pair[:, base + p] = known[row]
    if problem.model == "mixed":
        start.own[0] = [clock == "own" for clock in components.clocks]
        _fill_mixed(problem, components, start)
    elif problem.model == "aligned":
        _fill_aligned(problem, components, time, worm, weight)
    else:
        _fill_unaligned(problem, components, time, weight)
    return start


def _fill_mixed(problem: Problem, components: Components, start: Factors) -> None:
    """Clocks as they were; courses where times and worms are the same, else random."""
    length, own, weight = problem.n_common, start.own[0], components.weight.values
    rng = np.random.default_rng(0)
    time, worm = start.time[0], start.worm[0]
    time[~own] = 0.0
    time[~own, :length] = rng.random((int((~own).sum()), length)) * problem.seen_times[:length]
    worm[~own] = rng.random((int((~own).sum()), len(problem.worms)))
    common = Factors(time[None, :, :length], worm[None], start.pair)
    _fill_aligned(problem, components, common.time[0], common.worm[0], weight)
    time[own, :length] = 0.0
    worm[own] = 1.0
    time[:, length:] *= weight[:, None] / np.sqrt(problem.n_times)
    names = [str(w) for w in components.worm["worm"].values]
    for r in np.flatnonzero(own):
        for item in problem.worms:
            if item.name in names:
                course = components.time_course(int(r) + 1, item.name)
                known = np.isfinite(course.values)
                seconds = problem.sample_time_s[item.own]
                if known.sum() == len(seconds) and np.allclose(course["time"].values[known], seconds):
                    time[r, item.own] = course.values[known]


def _fill_aligned(problem: Problem, components: Components, time: Array, worm: Array, weight: Array) -> None:
    old = list(components.worm["worm"].values)
    for w, item in enumerate(problem.worms):
        if components.has_common_clock and item.name in old:
            worm[:, w] = components.worm.values[old.index(item.name)]
    same = components.has_common_clock and components.time.shape[0] == problem.n_common
    if same and np.allclose(components.time["time"].values, problem.sample_time_s[: problem.n_common]):
        known = np.array([clock == "common" for clock in components.clocks])
        time[known] = np.nan_to_num(components.time.values.T)[known] * weight[known, None]
        time[~known] *= weight[~known, None] / np.sqrt(problem.n_times)
    else:
        time *= weight[:, None] / np.sqrt(problem.n_times)


def _fill_unaligned(problem: Problem, components: Components, time: Array, weight: Array) -> None:
    time *= weight[:, None] / np.sqrt(problem.n_times)
    if components.model != "unaligned":
        return
    times, worms = components.time["time"].values, components.time["worm"].values
    for item in problem.worms:
        mine = np.flatnonzero(worms == item.name)
        if len(mine) == item.n_times and np.allclose(times[mine], problem.sample_time_s[item.times]):
            time[:, item.times] = components.time.values[mine].T * weight[:, None]


def _index(components: Components) -> dict[tuple[str, str, str], int]:
    finite = np.isfinite(components.pair.values).all(axis=1)
    return {key: row for row, key in enumerate(pair_keys(components)) if finite[row]}


def _key(a: str, b: str, sign: str) -> tuple[str, str, str]:
    return (a, b, sign) if a < b else (b, a, sign)
