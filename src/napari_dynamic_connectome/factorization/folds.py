"""Folds of (pair, worm) fibres that are held out, so that every one of them can be predicted from what is left."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from .problem import Problem, Worm

Array = np.ndarray
BLOCKS_OF_ONE_WORM = 5


def draw_folds(problem: Problem, folds: int, share: float, seed: int) -> list[list[Array]]:
    """Rows that are fitted in each fold, as one bool mask (n_rows,) a worm; the others are held out.

    A fibre is held out only if another worm still shows its pair, whose factor then predicts it. Folds are disjoint. All sign
    layers of a fibre are held out together.

    Parameters
    ----------
    folds : int
        Number of folds.
    share : float
        Share of the fibres held out in each fold, at most 1 / folds.

    Returns
    -------
    list of list of bool array
        Empty if no fibre can be held out (one worm, or no pair seen twice).
    """
    pairs = len(problem.affinity.pairs)
    rng = np.random.default_rng([seed, 1])
    sees = problem.sees[:pairs]
    fold_of = np.full(sees.shape, -1, np.int8)
    share = min(share, 1.0 / folds)
    for pair in np.flatnonzero(sees.sum(axis=1) > 1):
        worms = np.flatnonzero(sees[pair])
        draw = np.where(rng.random(len(worms)) < share * folds, rng.integers(folds, size=len(worms)), -1)
        if len(set(draw)) == 1 and draw[0] >= 0:
            # every worm's fibre fell into the same fold: give one of them back
            draw[rng.integers(len(worms))] = -1
        fold_of[pair, worms] = draw
    result = []
    for fold in range(folds):
        masks = [fold_of[w.slots % pairs, i] != fold for i, w in enumerate(problem.worms)]
        if all(m.all() for m in masks):
            return []
        result.append(masks)
    return result


@dataclass(frozen=True, eq=False)
class TimeSlice:
    """A stretch of one worm's block, standing in for a worm of its own."""

    worm: str
    rows: Array
    observed: Array
    time_s: Array
    block: object
    start: int

    def tile(self, row0: int, row1: int, t0: int, t1: int, sign: int = 0, out: Array | None = None) -> Array:
        """Affinities of the stretch."""
        values = self.block.tile(row0, row1, t0 + self.start, t1 + self.start, sign)  # type: ignore[attr-defined]
        if out is None:
            return np.asarray(values)
        out[:] = values
        return out


def split_one_worm(problem: Problem, blocks: int = BLOCKS_OF_ONE_WORM) -> Problem:
    """Cut the only worm's time into stretches that take the worms' place, so that (pair, stretch) fibres can be held out.

    In the `unaligned` model this changes nothing but what can be held out: every stretch has its own time course anyway.
    """
    worm = problem.worms[0]
    edges = np.linspace(0, worm.n_times, blocks + 1).astype(int)
    pieces = []
    for number, (a, b) in enumerate(pairwise(edges.tolist())):
        samples = worm.samples[a:b]
        start, stop = int(samples[0]), int(samples[-1]) + 1
        piece = TimeSlice(
            f"{worm.name} part {number + 1}",
            np.asarray(worm.block.rows),
            np.asarray(worm.block.observed)[start:stop],
            np.asarray(worm.block.time_s)[start:stop],
            worm.block,
            start,
        )
        pieces.append(Worm(piece.worm, piece, worm.kept, worm.slots, samples - start, np.arange(a, b), worm.weight))
    sees = np.repeat(problem.sees, blocks, axis=1)
    groups = tuple((p.times, np.array([i])) for i, p in enumerate(pieces))
    return replace(problem, model="unaligned", worms=tuple(pieces), n_times=worm.n_times, sees=sees, groups=groups)
