"""Common parts of the tests of matrices: which pairs are compared, ranks, orders of the neurons, two-sided p values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations as every_order
from typing import Any, Literal

import numpy as np

from ..model.errors import InputError
from ..model.neurons import left_right_pairs
from ..model.text import counted

Array = np.ndarray
Measure = Literal["spearman", "pearson"]
BLOCK = 200
FEWEST = 4
TOLERANCE = 1e-12


@dataclass(frozen=True)
class Orders:
    """Orders of the neurons: all of them, or drawn ones; pairs of `sides` (left, right) move together, left to left."""

    n: int
    count: int
    seed: int
    exact: bool
    sides: Array

    def blocks(self) -> Iterator[Array]:
        """Yield them, some rows at a time."""
        alone = np.setdiff1d(np.arange(self.n), self.sides)
        if self.exact:
            pairs = list(every_order(range(len(self.sides))))
            rest = list(every_order(range(len(alone))))
            first = np.array([p for p in pairs for _ in rest], dtype=np.int64).reshape(len(pairs) * len(rest), -1)
            second = np.array([r for _ in pairs for r in rest], dtype=np.int64).reshape(len(pairs) * len(rest), -1)
            everything = self._placed(first, second, alone)
            for start in range(0, len(everything), BLOCK):
                yield everything[start : start + BLOCK]
            return
        rng = np.random.default_rng(self.seed)
        for start in range(0, self.count, BLOCK):
            size = min(BLOCK, self.count - start)
            second = rng.permuted(np.tile(np.arange(len(alone)), (size, 1)), axis=1)
            first = rng.permuted(np.tile(np.arange(len(self.sides)), (size, 1)), axis=1)
            yield self._placed(first, second, alone)

    def _placed(self, pairs: Array, rest: Array, alone: Array) -> Array:
        """Orders of all neurons from orders of the pairs and of those without a partner."""
        order = np.empty((len(rest), self.n), np.int64)
        order[:, alone] = alone[rest]
        for side in (0, 1):
            order[:, self.sides[:, side]] = self.sides[pairs, side]
        return order


def checked_sides(sides: Any, n: int) -> Array:
    """Places (pair, 2) of left and right neurons among n; anything else is refused, nothing is no pair."""
    held = np.empty((0, 2), np.int64) if sides is None else np.asarray(sides)
    if held.size == 0:
        held = np.empty((0, 2), np.int64)
    if held.ndim != 2 or held.shape[1] != 2 or held.dtype.kind not in "iu":
        raise InputError(
            f"sides has the shape {held.shape} and the type {held.dtype}",
            where="permutations",
            fix="Give (pair, 2) whole numbers.",
        )
    if len(held) and (held.min() < 0 or held.max() >= n or len(np.unique(held)) < held.size):
        raise InputError(
            "sides names neurons that are not there, or one neuron twice",
            where="permutations",
            fix="Give places of neurons.",
        )
    return held


def orders_of(n: int, permutations: int, seed: int, sides: Array | None = None) -> Orders:
    """All orders of n neurons if there are no more than that many, else that many drawn ones; `sides` as in `mantel_test`."""
    if permutations < 1:
        raise InputError(f"{permutations} permutations", fix="Give 1 or more.")
    held = checked_sides(sides, n)
    pairs, alone = len(held), n - held.size
    most = math.factorial(min(pairs, 20)) * math.factorial(min(alone, 20))
    exact = alone <= 10 and pairs <= 10 and most <= permutations
    return Orders(n, most if exact else permutations, seed, exact, held)


def side_pairs(names: Sequence[str]) -> Array:
    """Return the places (pair, 2) of the left and right neuron of every pair of which both are there."""
    place = {name: i for i, name in enumerate(names)}
    found = [(place[a], place[b]) for a, b in left_right_pairs(tuple(names))]
    return np.array(found, np.int64).reshape(-1, 2)


def two_sided(observed: float, null: Array, exact: bool) -> float:
    """Share of the null with a magnitude at least as large; the observed value is counted in where orders were drawn."""
    usable = np.abs(null[np.isfinite(null)])
    if not math.isfinite(observed) or not len(usable):
        return float("nan")
    hits = int((usable >= abs(observed) - TOLERANCE - 1e-9 * abs(observed)).sum())
    return hits / len(usable) if exact else (1 + hits) / (1 + len(usable))


def complete(matrix: Array) -> bool:
    """Whether every pair is known."""
    return bool(np.isfinite(matrix[~np.eye(len(matrix), dtype=bool)]).all())


def square(matrix: Any, what: str) -> Array:
    """Copy a matrix (neuron, neuron) with an empty diagonal; other shapes and infinite values are refused."""
    values = np.array(matrix, dtype=float)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise InputError(
            f"{what} has the shape {values.shape}", where="comparison of matrices", fix="Give (neuron, neuron)."
        )
    if np.isinf(values).any():
        raise InputError(f"{what} holds infinite values", where="comparison of matrices", fix="Use NaN for unknown.")
    np.fill_diagonal(values, np.nan)
    return values


def same_shape(x: Array, y: Array, what: str) -> None:
    """Refuse two matrices over different numbers of neurons."""
    if x.shape != y.shape:
        raise InputError(
            f"{what} has {len(y)} neurons, the first matrix has {len(x)}",
            where="comparison of matrices",
            fix="Bring both to the same neurons in the same order.",
        )


def is_symmetric(matrix: Array) -> bool:
    """Whether a matrix has no direction; NaN must stand in the same places."""
    return bool(np.allclose(matrix, matrix.T, equal_nan=True))


def without_direction(matrix: Array) -> Array:
    """Mean of both directions; of one where the other is not known."""
    if is_symmetric(matrix):
        return matrix
    both = np.stack([matrix, matrix.T])
    known = np.isfinite(both)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, both, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def places(known: Array, directed: bool) -> tuple[Array, Array]:
    """Rows and columns of the pairs that are known; each unordered pair once."""
    here = known & ~np.eye(len(known), dtype=bool)
    rows, columns = np.nonzero(here if directed else np.triu(here))
    return rows, columns


def enough(rows: Array, columns: Array, n: int, fewest: int) -> None:
    """Refuse a comparison of fewer than four neurons or of too few pairs."""
    used = len(np.unique(np.r_[rows, columns]))
    if used < FEWEST or len(rows) < fewest + 2:
        raise InputError(
            f"only {used} of {n} neurons have pairs that are known in both ({counted(len(rows), 'pair')})",
            where="comparison of matrices",
            fix=f"At least {FEWEST} neurons are needed; check that the names are canonical.",
        )


def scaled(matrix: Array, rows: Array, columns: Array, measure: Measure) -> Array:
    """Copy of a matrix, for Spearman as mid-ranks among some pairs; other pairs get the rank that their value would have."""
    if measure == "pearson":
        values = matrix.astype(float)
    elif measure == "spearman":
        ordered = np.sort(matrix[rows, columns])
        below, up_to = (np.searchsorted(ordered, matrix, side) for side in ("left", "right"))
        values = np.where(np.isfinite(matrix), (below + up_to) / 2.0, np.nan)
    else:
        raise InputError(f"there is no measure '{measure}'", fix="Choose spearman or pearson.")
    np.fill_diagonal(values, np.nan)
    return values


def check_varies(values: Array, what: str) -> None:
    """Refuse values without variation."""
    spread = float(values.std())
    if spread <= 1e-12 * max(1.0, float(np.abs(values).max(initial=0.0))):
        raise InputError(
            f"{what} is the same for all pairs that are compared",
            where="comparison of matrices",
            fix="There is nothing to compare; check the neurons, or leave it out.",
        )


def dyadic_error(rows: Array, columns: Array, influence: Array, n: int) -> float:
    """Standard error of a statistic of pairs, where pairs that share a neuron are not independent.

    Parameters
    ----------
    rows, columns : array of int (pair,)
    influence : array (pair,)
        What each pair adds to the statistic, to first order; sums to zero.
    n : int
        Number of neurons.

    Returns
    -------
    float
        Root of the sum of products of influences over all two pairs that share a neuron (each with itself among them); NaN for
        fewer than 10 neurons.

    References
    ----------
    Fafchamps, M. & Gubert, F. J. Development Economics 83, 326-350 (2007). Aronow, P. M., Samii, C. & Assenova, V. A. Political
    Analysis 23, 564-577 (2015).
    """
    used = len(np.unique(np.r_[rows, columns]))
    if used < 10:
        return float("nan")
    own = np.bincount(rows, influence, n) + np.bincount(columns, influence, n)
    # both directions of a pair share two neurons and would count twice
    low, high = np.minimum(rows, columns), np.maximum(rows, columns)
    _, dyad = np.unique(low * n + high, return_inverse=True)
    alone = float((np.bincount(dyad, influence) ** 2).sum())
    variance = float((own**2).sum()) * used / (used - 2) - alone
    # in small samples the products of different pairs can outweigh the rest: never less than for independent pairs
    return math.sqrt(max(variance, alone))
