"""Permutation tests of two matrices over the same neurons, which respect that pairs share neurons.

* `mantel_test`: correlation of two matrices; chance = the neurons of one of them exchange places (Mantel 1967; quadratic
  assignment, Hubert & Schultz 1976).
* `degree_test`: the same correlation; chance = networks in which every neuron keeps its number of links.

`regression.matrix_regression` takes several matrices at once.

Pairs that were not measured are NaN and take no part. Two matrices of which one is symmetric are compared without direction.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..model.errors import InputError
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, report
from ..model.summary import Summary
from .matrix_kernels import permuted_correlations, permuted_products, rewired_block_products, rewired_products
from .pairs import (
    BLOCK,
    FEWEST,
    Measure,
    Orders,
    check_varies,
    checked_sides,
    complete,
    dyadic_error,
    enough,
    is_symmetric,
    orders_of,
    places,
    same_shape,
    scaled,
    square,
    two_sided,
    without_direction,
)

Array = np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class MatrixTest(Summary):
    """Agreement of two matrices.

    Parameters
    ----------
    r : float
        Correlation over the pairs that are known in both.
    low, high : float
        Its 95 % interval, which allows for pairs that share a neuron; NaN for fewer than 10 neurons.
    p_value : float
        Two-sided.
    null : numpy.ndarray
        r of every permutation or rewired network.
    n_neurons, n_pairs : int
    measure : {"spearman", "pearson"}
    directed : bool
        Ordered pairs were compared.
    exact : bool
        `null` holds every permutation there is, the identity included.
    chance : str
        What the null is, in words.
    """

    r: float
    low: float
    high: float
    p_value: float
    null: Array
    n_neurons: int
    n_pairs: int
    measure: Measure
    directed: bool
    exact: bool = False
    chance: str = "permutations of the neurons"

    @property
    def z(self) -> float:
        """Value of r less the mean of the null, in its standard deviations."""
        usable = self.null[np.isfinite(self.null)]
        spread = float(usable.std()) if len(usable) else 0.0
        return (self.r - float(usable.mean())) / spread if spread > 0 else float("nan")

    def table(self) -> pd.DataFrame:
        """One row: r, low, high, p_value, z, null_mean, null_sd, n_neurons, n_pairs, permutations, measure, directed."""
        usable = self.null[np.isfinite(self.null)]
        row = {
            "r": self.r,
            "low": self.low,
            "high": self.high,
            "p_value": self.p_value,
            "z": self.z,
            "null_mean": float(usable.mean()) if len(usable) else float("nan"),
            "null_sd": float(usable.std()) if len(usable) else float("nan"),
            "n_neurons": self.n_neurons,
            "n_pairs": self.n_pairs,
            "permutations": len(usable),
            "measure": self.measure,
            "directed": self.directed,
        }
        return pd.DataFrame([row])

    def sentence(self) -> str:
        """p, effect and n in one sentence."""
        name = "rank correlation" if self.measure == "spearman" else "correlation"
        verdict = "agree" if self.p_value <= 0.05 and self.r > 0 else "do not agree beyond chance"
        if self.p_value <= 0.05 and self.r < 0:
            verdict = "are opposed"
        pairs = "ordered pairs" if self.directed else "pairs"
        return (
            f"The two matrices {verdict}: {name} {interval(self.r, self.low, self.high)}, {p_text(self.p_value)} against "
            f"{int(np.isfinite(self.null).sum()):,} {self.chance}, {self.n_neurons} neurons, {self.n_pairs:,} {pairs}."
        )


def interval(value: float, low: float, high: float) -> str:
    """Write a value with its interval where there is one."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return f"{value:.2f}"
    return f"{value:.2f} (95 % interval {low:.2f} to {high:.2f})"


def p_text(p_value: float) -> str:
    """Write a p value."""
    if not math.isfinite(p_value):
        return "p not known"
    return f"p = {p_value:.2g}"


def mantel_test(
    x: Any,
    y: Any,
    *,
    measure: Measure = "spearman",
    directed: bool | None = None,
    permutations: int = 10_000,
    seed: int = 0,
    sides: Array | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> MatrixTest:
    """Correlate two matrices over the same neurons and compare with permutations of the neurons of the second.

    Parameters
    ----------
    x, y : array (neuron, neuron)
        In the same order of neurons; NaN = not measured. The diagonals are ignored.
    measure : {"spearman", "pearson"}
        Spearman ranks each matrix once, over the pairs that are known in both, ties getting their mean rank; pairs that take no
        part there but are brought in by a permutation get the rank that their value would have.
    directed : bool, optional
        Compare ordered pairs; by default if neither matrix is symmetric.
    permutations : int
        If there are no more orders of the neurons than that, all of them are used and p is exact.
    seed : int
    sides : array of int (pair, 2), optional
        Places of the left and right neuron of pairs that change places together, left with left (`pairs.side_pairs` finds them by
        name). The two sides of a pair are alike in wiring and in activity: where neurons move one by one, chance looks narrower than
        it is, and p is too small.

    Returns
    -------
    MatrixTest
        p is two-sided: the share of permutations with abs(r) at least as large, the observed one counted in.

    Raises
    ------
    InputError
        Different shapes, fewer than 4 neurons, no variation.

    References
    ----------
    Mantel, N. Cancer Research 27, 209-220 (1967). Interval: Fisher's z, with the error of `pairs.dyadic_error`.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.abs(np.subtract.outer(np.arange(6.0), np.arange(6.0)))
    >>> mantel_test(x, x, permutations=1000).p_value  # 2 of the 720 orders (as it is, and reversed) give r = 1
    0.002777777777777778
    """
    pairs = _Pairs.of(x, y, directed)
    a, moving = pairs.values(measure)
    order_source = orders_of(pairs.n, permutations, seed, sides)
    observed, null = _correlations(pairs, measure, order_source, progress, cancel)
    exact = order_source.exact
    p = two_sided(observed, null, exact)
    low, high = _interval(pairs, a, moving[pairs.rows, pairs.columns], observed)
    used = _n_neurons(pairs)
    return MatrixTest(observed, low, high, p, null, used, len(a), measure, pairs.directed, exact)


def degree_test(
    x: Any,
    y: Any,
    *,
    measure: Measure = "spearman",
    directed: bool | None = None,
    networks: int = 1000,
    rounds: float | None = None,
    seed: int = 0,
    sides: Array | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> MatrixTest:
    """Correlate a matrix with a network and compare with rewired networks that keep every neuron's number of links.

    A permutation of neurons also moves hubs; this asks whether it matters who is linked to whom beyond how many links each has.

    Parameters
    ----------
    x : array (neuron, neuron)
        Values; NaN = not measured.
    y : array (neuron, neuron)
        The network: 0 = no link, NaN = not measured. Only pairs that are known in both are rewired. Weights travel with links:
        a neuron's number of links stays exactly, its summed weight only about.
    measure, directed, seed
        As in `mantel_test`.
    networks : int
        Rewired networks.
    rounds : float, optional
        Swaps that are tried: by default 10 per link. With `sides`, where fewer are possible, 20 per block of links from one network
        to the next, and 100 before the first: networks follow each other in chains, 200 in each.
    sides : array of int (pair, 2), optional
        Places of the left and right neuron of pairs, as in `mantel_test`. All links between two pairs then move as one block, left with
        left, and the links between the two sides of a pair stay: chance is as alike on both sides as the network is.

    Returns
    -------
    MatrixTest

    Raises
    ------
    InputError
        As in `mantel_test`; also a network in which all pairs, or none, are linked.

    References
    ----------
    Maslov, S. & Sneppen, K. Science 296, 910-913 (2002). Blocks of both sides: ours.
    """
    pairs = _Pairs.of(x, y, directed)
    link = pairs.y[pairs.rows, pairs.columns] != 0
    if not link.any() or link.all():
        raise InputError(
            "every pair of this network is linked" if link.any() else "this network has no link between these neurons",
            where="degree-preserving null",
            fix="Give a network with linked and unlinked pairs, such as one that is cut at a threshold.",
        )
    a, moving = pairs.values(measure)
    b = moving[pairs.rows, pairs.columns]
    # rank (or value) of an unlinked pair is the same for all of them, so that only the links have to be summed
    zero = float(b[~link][0])
    n = len(a)
    spread = float(np.sqrt(((a - a.mean()) ** 2).sum() * ((b - b.mean()) ** 2).sum()))
    sums = np.empty(networks)
    rewire = _rewiring(pairs, a, b - zero, link, sides)
    for start in range(0, networks, BLOCK):
        check_cancel(cancel)
        part = sums[start : start + BLOCK]
        rewire(rounds or (10.0 if sides is None or not len(sides) else 20.0), seed, start, part)
        report(progress, (start + len(part)) / networks, "rewired networks")
    null = (sums + zero * a.sum() - n * a.mean() * b.mean()) / spread
    observed = float(((a - a.mean()) * (b - b.mean())).sum() / spread)
    low, high = _interval(pairs, a, b, observed)
    p = two_sided(observed - float(null.mean()), null - null.mean(), False)
    used = _n_neurons(pairs)
    chance = "networks with the same number of links of every neuron"
    return MatrixTest(observed, low, high, p, null, used, n, measure, pairs.directed, chance=chance)


def _rewiring(
    pairs: _Pairs, values: Array, weights: Array, link: Array, sides: Array | None
) -> Callable[[float, int, int, Array], None]:
    """Return what fills an array with sums of (weight x value) over the links of rewired networks."""
    value = np.zeros((pairs.n, pairs.n))
    value[pairs.rows, pairs.columns] = values
    allowed = np.zeros((pairs.n, pairs.n), bool)
    allowed[pairs.rows, pairs.columns] = True
    if not pairs.directed:
        value[pairs.columns, pairs.rows] = values
        allowed |= allowed.T
    source, target, weight = pairs.rows[link], pairs.columns[link], weights[link]
    if sides is None or not len(sides):

        def links(rounds: float, seed: int, start: int, out: Array) -> None:
            rewired_products(source, target, weight, value, allowed, pairs.directed, rounds, seed, start, out)

        return links
    members, unit, side = _units(pairs.n, checked_sides(sides, pairs.n))
    inside = unit[source] == unit[target]
    fixed = float((weight[inside] * value[source[inside], target[inside]]).sum())
    first, second, mask, block = _blocks(source[~inside], target[~inside], weight[~inside], unit, side, pairs.directed)

    def blocks(rounds: float, seed: int, start: int, out: Array) -> None:
        how = (pairs.directed, rounds, seed, start, out)
        rewired_block_products(members, first, second, mask, block, value, allowed, *how)
        out += fixed

    return blocks


def _units(n: int, sides: Array) -> tuple[Array, Array, Array]:
    """Neurons of every unit (unit, 2), -1 for none; unit of every neuron, and which of its members it is."""
    alone = np.setdiff1d(np.arange(n), sides)
    members = np.concatenate([sides, np.column_stack([alone, np.full(len(alone), -1)])]).astype(np.int64)
    unit, side = np.empty(n, np.int64), np.zeros(n, np.int64)
    for place in (0, 1):
        here = members[:, place] >= 0
        unit[members[here, place]] = np.flatnonzero(here)
        side[members[here, place]] = place
    return members, unit, side


def _blocks(
    source: Array, target: Array, weight: Array, unit: Array, side: Array, directed: bool
) -> tuple[Array, Array, Array, Array]:
    """Units (block,), links and weights (block, 2, 2) of the blocks that hold a link."""
    turn = np.zeros(len(source), bool) if directed else unit[source] > unit[target]
    source, target = np.where(turn, target, source), np.where(turn, source, target)
    count = int(unit.max()) + 1
    keys, which = np.unique(unit[source] * count + unit[target], return_inverse=True)
    mask, block = np.zeros((len(keys), 2, 2), bool), np.zeros((len(keys), 2, 2))
    at = (which.ravel(), side[source], side[target])
    mask[at], block[at] = True, weight
    return keys // count, keys % count, mask, block


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Two matrices and the places of the pairs that are known in both."""

    x: Array
    y: Array
    rows: Array
    columns: Array
    directed: bool

    @classmethod
    def of(cls, x: Any, y: Any, directed: bool | None) -> _Pairs:
        one, two = square(x, "the first matrix"), square(y, "the second matrix")
        same_shape(one, two, "the second matrix")
        if directed is None:
            directed = not is_symmetric(one) and not is_symmetric(two)
        if not directed:
            one, two = without_direction(one), without_direction(two)
        rows, columns = places(np.isfinite(one) & np.isfinite(two), directed)
        enough(rows, columns, len(one), FEWEST)
        return cls(one, two, rows, columns, directed)

    @property
    def n(self) -> int:
        return len(self.x)

    def values(self, measure: Measure) -> tuple[Array, Array]:
        """Centred values of the pairs that are known in both, in x, and the centred matrix y with NaN kept."""
        still, moving = self.matrices(measure)
        a = still[self.rows, self.columns]
        check_varies(a, "the first matrix")
        check_varies(moving[self.rows, self.columns], "the second matrix")
        return a, moving

    def matrices(self, measure: Measure) -> tuple[Array, Array]:
        """Both matrices, ranked or not, centred over the pairs that are known in both; NaN kept."""
        x, y = (scaled(m, self.rows, self.columns, measure) for m in (self.x, self.y))
        return x - x[self.rows, self.columns].mean(), y - y[self.rows, self.columns].mean()


def _correlations(
    pairs: _Pairs,
    measure: Measure,
    orders: Orders,
    progress: ProgressCallback | None,
    cancel: CancelCallback | None,
) -> tuple[float, Array]:
    """Observed r, and r of every order, each over the pairs that are known in both then."""
    still, moving = pairs.matrices(measure)
    rows, columns = places(np.isfinite(still), pairs.directed)
    fixed = still[rows, columns]
    first = np.empty(1)
    permuted_correlations(rows, columns, fixed, moving, np.arange(pairs.n)[None], first)
    everywhere = complete(moving) and len(fixed) == pairs.n * (pairs.n - 1) // (1 + (not pairs.directed))
    spread = float(np.sqrt((fixed @ fixed) * (moving[pairs.rows, pairs.columns] ** 2).sum()))
    parts = []
    done = 0
    for block in orders.blocks():
        check_cancel(cancel)
        out = np.empty(len(block))
        if everywhere:
            permuted_products(rows, columns, fixed, moving, block, out)
            out /= spread
        else:
            permuted_correlations(rows, columns, fixed, moving, block, out)
        parts.append(out)
        done += len(block)
        report(progress, done / orders.count, "permutations")
    return float(first[0]), np.concatenate(parts)


def _interval(pairs: _Pairs, a: Array, b: Array, r: float) -> tuple[float, float]:
    """95 % interval of r, by Fisher's z with an error that allows for pairs that share a neuron."""
    if not math.isfinite(r) or abs(r) >= 1:
        return float("nan"), float("nan")
    x, y = (a - a.mean()) / a.std(), (b - b.mean()) / b.std()
    influence = (x * y - r * (x * x + y * y) / 2) / len(a)
    error = dyadic_error(pairs.rows, pairs.columns, influence, pairs.n) / (1 - r * r)
    middle = math.atanh(r)
    return math.tanh(middle - 1.96 * error), math.tanh(middle + 1.96 * error)


def _n_neurons(pairs: _Pairs) -> int:
    return len(np.unique(np.r_[pairs.rows, pairs.columns]))
