"""Search for the nested partition of lowest description length: agglomeration, hierarchy, rounds of moves, several starts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..model.progress import CancelCallback, ProgressCallback, check_cancel, report
from .state import Problem, State, build_state, read_levels

Array = np.ndarray[Any, Any]
SINGLETON_LIMIT = 160
SHRINK = 1.5
KICKS = 3
AGAIN = 8


@dataclass(frozen=True)
class Fit:
    """A nested partition: `levels` as in `description_length`, ending with one group; `cost` in nats (scaled weights)."""

    levels: tuple[Array, ...]
    cost: float
    problem: Problem
    degree_corrected: bool = False

    @property
    def n_groups(self) -> int:
        """Groups at the finest level."""
        return int(self.levels[0].max()) + 1


def state_cost(problem: Problem, state: State) -> float:
    """Description length of a state, recomputed from its labels (no drift)."""
    from .kernels import fill_state, total_cost

    fill_state(problem, state)
    return float(total_cost(problem, state))


def flat(labels: Array) -> list[Array]:
    """Levels of a partition without a hierarchy: the groups, and one group of all of them."""
    _, labels = np.unique(labels, return_inverse=True)
    labels = labels.astype(np.int64).reshape(-1)
    groups = int(labels.max()) + 1
    return [labels] if groups == 1 else [labels, np.zeros(groups, dtype=np.int64)]


def agglomerate(
    problem: Problem, n: int, slots: int, seed: int, initial: int = 0, cancel: CancelCallback | None = None
) -> tuple[Array, float]:
    """Best flat partition on the way from many groups (`initial`, 0: as many as sensible) to one; labels and cost."""
    from .moves import merge_down, settle

    rng = np.random.default_rng(seed)
    if initial == 0 and n <= min(SINGLETON_LIMIT, slots):
        labels = np.arange(n)
    else:
        labels = rng.permutation(np.arange(n) % min(slots, initial or 60))
    state = build_state(problem, flat(labels), slots=slots, seed=seed)
    groups = int(labels.max()) + 1
    best, best_cost = labels, math.inf
    if groups < n:
        settle(problem, state, 0, 4)
    while True:
        cost = state_cost(problem, state)
        if cost < best_cost - 1e-9:
            best, best_cost = read_levels(state)[0], cost
        if groups == 1:
            return best, best_cost
        check_cancel(cancel)
        groups = min(groups - 1, int(groups / (SHRINK if groups > 8 else 1.2)))
        merge_down(problem, state, 0, groups)
        settle(problem, state, 0, 3 if groups > 24 else 8)


def build_hierarchy(problem: Problem, labels: Array, slots: int, seed: int) -> list[Array]:
    """Levels above a partition, added greedily while they lower the description length."""
    from .moves import merge_down, settle

    levels = flat(labels)
    if len(levels) == 1:
        return levels
    while True:
        groups = int(levels[-2].max()) + 1
        if groups < 3:
            return levels
        state = build_state(problem, levels, slots=slots, seed=seed)
        cost = state_cost(problem, state)
        top = len(levels) - 1
        trial = [*levels[:-1], np.arange(groups, dtype=np.int64), np.zeros(groups, dtype=np.int64)]
        state = build_state(problem, trial, slots=slots, seed=seed)
        best = None
        for target in range(groups - 1, 1, -1):
            merge_down(problem, state, top, target)
            settle(problem, state, top, 4)
            now = state_cost(problem, state)
            if now < cost - 1e-9:
                cost, best = now, read_levels(state)
        if best is None:
            return levels
        levels = best


def refine(
    problem: Problem,
    labels: Array,
    slots: int,
    rounds: int,
    seed: int,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> Fit:
    """Rounds of moves at all levels and of rebuilding the hierarchy, until two rounds in a row change nothing."""
    from .moves import improve

    slots = max(slots, int(labels.max()) + 1)
    levels = build_hierarchy(problem, labels, slots, seed)
    state = build_state(problem, levels, slots=slots, seed=seed)
    best = Fit(tuple(levels), state_cost(problem, state), problem)
    quiet = 0
    for number in range(rounds):
        check_cancel(cancel)
        report(progress, number / max(rounds, 1))
        state = build_state(problem, best.levels, slots=slots, seed=seed + 1 + number)
        for level in range(max(len(best.levels) - 1, 1)):
            improve(problem, state, level, 2)
            check_cancel(cancel)
        found = read_levels(state)
        if len(found) == 1 and found[0].max() > 0:
            found = flat(found[0])
        candidates: list[Sequence[Array]] = [trim(found)]
        rebuilt = build_hierarchy(problem, found[0], slots, seed + number)
        candidates.append(rebuilt)
        before = best.cost
        for candidate in candidates:
            cost = state_cost(problem, build_state(problem, candidate, slots=slots))
            if cost < best.cost - 1e-9:
                best = Fit(tuple(candidate), cost, problem)
        quiet = 0 if best.cost < before - 1e-6 else quiet + 1
        if quiet == 2:
            break
    return best


def trim(levels: Sequence[Array]) -> list[Array]:
    """Drop levels that repeat the one below, and all after the first with one group."""
    out = [np.asarray(levels[0])]
    for labels in levels[1:]:
        if out[-1].max() == 0:
            break
        groups = int(labels.max()) + 1
        if groups == len(labels) and groups > 1:
            continue
        out.append(np.asarray(labels))
    if out[-1].max() > 0:
        out.append(np.zeros(int(out[-1].max()) + 1, dtype=np.int64))
    return out


def one_group(problem: Problem) -> Fit:
    """All nodes in one group."""
    levels = flat(np.zeros(len(problem.degree), dtype=np.int64))
    return Fit(tuple(levels), state_cost(problem, build_state(problem, levels, slots=2)), problem)


def kick(labels: Array, rng: np.random.Generator, most: int) -> Array:
    """Disturb a partition: a quarter of the nodes go to random groups, of which there may be a few more."""
    out = labels.copy()
    groups = min(int(labels.max()) + 1 + int(rng.integers(0, 4)), most)
    chosen = rng.random(len(out)) < 0.25
    out[chosen] = rng.integers(0, groups, int(chosen.sum()))
    return np.unique(out, return_inverse=True)[1].reshape(-1)


def search(
    problem: Problem,
    *,
    starts: int,
    rounds: int,
    max_groups: int,
    seed: int,
    first: int = 0,
    initial: int = 0,
    best: Fit | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> Fit:
    """Fit of lowest description length over several starts, and never worse than one group.

    The first start, and every `AGAIN`th, agglomerates from the beginning; the others disturb the best fit so far `KICKS` times, which finds
    more than as many agglomerations and takes less time.

    Parameters
    ----------
    problem : Problem
        From `build_problem` with `slots` of at least max(max_groups, min(N, 160)).
    first : int
        Number of the first start, to go on from `best`.
    initial : int
        Groups to begin with (0: as many as sensible).
    """
    n = len(problem.degree)
    best = one_group(problem) if best is None else best
    if n < 3 or len(problem.neighbour) == 0 or max_groups == 1:
        return best
    slots = n if n <= SINGLETON_LIMIT else max_groups
    tried: set[bytes] = set()
    for start in range(first, first + starts):
        report(progress, (start - first) / max(starts, 1), f"start {start + 1}")
        from_scratch = start % AGAIN == 0 or best.n_groups == 1
        for number in range(1 if from_scratch else KICKS):
            check_cancel(cancel)
            own = seed + 1009 * start + 101 * number
            if from_scratch:
                labels, _ = agglomerate(problem, n, slots, own, initial, cancel)
            else:
                labels = kick(best.levels[0], np.random.default_rng(own), min(max_groups, n))
            key = labels.tobytes()
            if key in tried:
                continue
            tried.add(key)
            groups = int(labels.max()) + 1
            room = min(max(max_groups, groups + 2), n, 4 * groups + 16)
            fit = refine(problem, labels, room, rounds, own, None, cancel)
            if fit.cost < best.cost - 1e-9:
                best = fit
    return best
