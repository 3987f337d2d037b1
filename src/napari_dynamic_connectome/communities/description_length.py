r"""Description length of a nested weighted stochastic block model, term by term, in plain numpy.

In: the links of a graph, their weights and the labels of every level. Out: nats. This is the definition that the compiled
search (`kernels.py`) is tested against; it is written to be read, not to be fast.

Notation: N nodes, E links, B groups of sizes n_r; e_rs links between groups (e_rr: *twice* the links inside r), e_r their
row sums, k_i degrees; c_rs weighted links between groups and x_rs the sum of their weights.

References
----------
.. [1] Peixoto, Phys. Rev. X 4, 011047 (2014): the hierarchy.
.. [2] Peixoto, Phys. Rev. E 95, 012317 (2017): microcanonical likelihoods and priors.
.. [3] Peixoto, Phys. Rev. E 97, 012306 (2018): weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from scipy.special import gammaln, spence

Array = np.ndarray[Any, Any]
WeightModel = Literal["exponential", "normal", "none"]

NORMAL_PRIOR = (0.0, 0.25, 2.0, 1.0)
"""(mean, kappa, alpha, beta) of the normal-inverse-gamma prior on standardised weights (our choice: weak, proper)."""


def log_factorial(n: Any) -> Any:
    """Ln n!."""
    return gammaln(np.asarray(n, dtype=float) + 1.0)


def log_binomial(n: Any, k: Any) -> Any:
    """Ln of the binomial coefficient; 0 where k = 0 or k = n."""
    return log_factorial(n) - log_factorial(k) - log_factorial(np.asarray(n) - np.asarray(k))


@lru_cache(maxsize=4)
def log_partition_table(total: int, parts: int) -> Array:
    """Table of ln q(m, n), m up to `total`, n up to `parts`.

    q(m, n) is the number of ways to write m as a sum of at most n positive integers: q(m, n) = q(m, n - 1) + q(m - n, n).

    Returns
    -------
    ndarray
        (total + 1, parts + 1), float64. Entries with n > m hold q(m, m), as the definition says.
    """
    table = np.full((total + 1, parts + 1), -np.inf)
    table[0, :] = 0.0
    for n in range(1, parts + 1):
        column = table[:, n - 1].copy()
        for first in range(n, total + 1, n):
            stop = min(first + n, total + 1)
            column[first:stop] = np.logaddexp(table[first:stop, n - 1], column[first - n : stop - n])
        table[:, n] = column
    table.setflags(write=False)
    return table


def log_partition_curve(points: int = 4096) -> Array:
    """Ln f and g of u = n / sqrt(m), for q(m, n) ~ f(u) / m exp(sqrt(m) g(u)) (Szekeres; ref. 2, appendix).

    Returns
    -------
    ndarray
        (3, points): ln u, ln f, g; for tables that would be too large (error below 1 % of a nat at m > 1000).
    """
    u = np.exp(np.linspace(np.log(1e-3), np.log(1e3), points))
    v = u * np.sqrt(np.pi**2 / 6)
    for _ in range(200):
        v = u * np.sqrt(spence(np.exp(-v)))
    g = 2 * v / u - u * np.log1p(-np.exp(-v))
    shape = -np.expm1(-v) - 0.5 * u**2 * np.exp(-v)
    f = np.log(v) - np.log(2**1.5 * np.pi * u) - 0.5 * np.log(np.maximum(shape, 1e-300))
    return np.stack([np.log(u), f, g])


def partition_terms(labels: Array) -> float:
    """Cost of a partition: ln C(N - 1, B - 1) + ln N! - sum_r ln n_r! + ln N (ref. 2, eq. 8)."""
    sizes = np.bincount(labels)
    sizes = sizes[sizes > 0]
    n, groups = len(labels), len(sizes)
    return float(log_binomial(n - 1, groups - 1) + log_factorial(n) - log_factorial(sizes).sum() + np.log(n))


def block_matrix(edges: Array, values: Array, labels: Array, groups: int) -> Array:
    """Sum of `values` over the links between every two groups (symmetric; the diagonal counts every link once)."""
    a, b = labels[edges[:, 0]], labels[edges[:, 1]]
    out = np.zeros((groups, groups))
    np.add.at(out, (np.minimum(a, b), np.maximum(a, b)), values)
    return np.triu(out) + np.triu(out, 1).T


def adjacency_terms(
    counts: Array, sizes: Array, degrees: Array | None = None, unobserved: Array | None = None
) -> float:
    """Cost of where the links are, given their number between groups (ref. 2, eqs. 3 and 24).

    Parameters
    ----------
    counts : ndarray of int
        (B, B) links between groups, the diagonal counted once.
    sizes : ndarray of int
        (B,) n_r.
    degrees : ndarray of int, optional
        (N,) k_i: degree-corrected. Without: not degree-corrected.
    unobserved : ndarray of int, optional
        (B, B) pairs that were never observed, the diagonal counted once: they cannot hold a link, so the n_r n_s positions
        become n_r n_s minus the unobserved ones (our extension; exact without degree correction).
    """
    upper = np.triu_indices(len(counts), 1)
    inside = np.diag(counts)
    ends = counts.sum(axis=1) + inside
    total = -log_factorial(counts[upper]).sum() - (log_factorial(inside) + inside * np.log(2)).sum()
    if degrees is None:
        total += (ends * np.log(np.maximum(sizes, 1))).sum()
    else:
        total += log_factorial(ends).sum() - log_factorial(degrees).sum()
    if unobserved is not None:
        for r in range(len(counts)):
            for s in range(r, len(counts)):
                if counts[r, s] > 0 and unobserved[r, s] > 0:
                    share = (2.0 if r == s else 1.0) * unobserved[r, s] / (sizes[r] * sizes[s])
                    total += counts[r, s] * np.log1p(-share)
    return float(total)


def degree_terms(degrees: Array, labels: Array) -> float:
    """Cost of the degrees, distributed prior: sum_r [ln q(e_r, n_r) + ln n_r! - sum_k ln eta_k^r!] (ref. 2, eq. 30)."""
    total = 0.0
    groups = [degrees[labels == r] for r in np.unique(labels)]
    table = log_partition_table(max(int(k.sum()) for k in groups), max(len(k) for k in groups))
    for k in groups:
        total += table[int(k.sum()), len(k)] + log_factorial(len(k)) - log_factorial(np.bincount(k)).sum()
    return float(total)


def edge_count_terms(counts: Array, sizes: Array) -> float:
    """Cost of the link counts between the nodes of a higher level (ref. 2, eq. 21).

    sum_{r<s} ln C(n_r n_s + e_rs - 1, e_rs) + sum_r ln C(n_r (n_r + 1) / 2 + e_rr / 2 - 1, e_rr / 2).
    """
    total = 0.0
    for r in range(len(counts)):
        for s in range(r, len(counts)):
            places = sizes[r] * (sizes[r] + 1) // 2 if r == s else sizes[r] * sizes[s]
            if counts[r, s] > 0:
                total += float(log_binomial(places + counts[r, s] - 1, counts[r, s]))
    return total


def exponential_terms(number: Array, total: Array) -> float:
    """Cost of weights given their sum, exponential: (c - 1) ln x - ln Gamma(c) where c > 1 (ref. 3, microcanonical)."""
    r, s = np.triu_indices(len(number))
    c, x = number[r, s], total[r, s]
    keep = (c > 1) & (x > 0)
    return float(((c[keep] - 1) * np.log(x[keep]) - gammaln(c[keep])).sum())


def normal_terms(number: Array, total: Array, squares: Array) -> float:
    """Cost of standardised weights, normal with unknown mean and variance integrated over `NORMAL_PRIOR` (ref. 3)."""
    mean0, kappa0, alpha0, beta0 = NORMAL_PRIOR
    r, s = np.triu_indices(len(number))
    keep = number[r, s] > 0
    c, x, x2 = (matrix[r, s][keep] for matrix in (number, total, squares))
    kappa, alpha = kappa0 + c, alpha0 + c / 2
    beta = beta0 + 0.5 * (x2 - x**2 / c) + 0.5 * kappa0 * c * (x / c - mean0) ** 2 / kappa
    evidence = (
        gammaln(alpha)
        - gammaln(alpha0)
        + alpha0 * np.log(beta0)
        - alpha * np.log(beta)
        + 0.5 * np.log(kappa0 / kappa)
        - 0.5 * c * np.log(2 * np.pi)
    )
    return float(-evidence.sum())


def description_length(
    edges: Array,
    weights: Array,
    levels: Sequence[Array],
    *,
    n_nodes: int | None = None,
    counts: bool = True,
    degree_corrected: bool = False,
    weight_model: WeightModel = "exponential",
    unobserved: Array | None = None,
) -> dict[str, float]:
    """Description length of a graph and a nested partition, in nats, term by term.

    Parameters
    ----------
    edges : ndarray of int
        (E, 2), every link once, no self-loops.
    weights : ndarray of float
        (E,), positive. For `normal`: standardised values.
    levels : sequence of ndarray of int
        levels[0] (N,) group of every node; levels[l] group of every group of the level below. The last one is all zeros.
    counts : bool
        Explain where links are; else only their weights.
    degree_corrected : bool
    weight_model : {"exponential", "normal", "none"}
    unobserved : ndarray of int, optional
        (U, 2) pairs that were never observed.

    Returns
    -------
    dict of float
        Keys `partition`, `adjacency`, `degrees`, `edge_counts`, `weights`, and `total`.
    """
    first = np.asarray(levels[0])
    n_nodes = len(first) if n_nodes is None else n_nodes
    groups = int(first.max()) + 1
    number = block_matrix(edges, np.ones(len(edges)), first, groups)
    sums = block_matrix(edges, weights, first, groups)
    terms = {"partition": partition_terms(first), "adjacency": 0.0, "degrees": 0.0, "edge_counts": 0.0, "weights": 0.0}
    if counts:
        degrees = np.bincount(np.asarray(edges).ravel(), minlength=n_nodes)
        hidden = None if unobserved is None else block_matrix(unobserved, np.ones(len(unobserved)), first, groups)
        sizes = np.bincount(first, minlength=groups)
        terms["adjacency"] = adjacency_terms(number, sizes, degrees if degree_corrected else None, hidden)
        if degree_corrected:
            terms["degrees"] = degree_terms(degrees, first)
    if weight_model == "exponential":
        terms["weights"] += exponential_terms(number, sums)
    elif weight_model == "normal":
        terms["weights"] += normal_terms(number, sums, block_matrix(edges, weights**2, first, groups))
    below, below_sums = number, sums
    for labels in levels[1:]:
        labels = np.asarray(labels)
        groups = int(labels.max()) + 1
        pairs = np.stack(np.triu_indices(len(labels)), axis=1)
        values, value_sums = below[pairs[:, 0], pairs[:, 1]], below_sums[pairs[:, 0], pairs[:, 1]]
        terms["partition"] += partition_terms(labels)
        above = block_matrix(pairs, values, labels, groups)
        above_sums = block_matrix(pairs, value_sums, labels, groups)
        if counts:
            terms["edge_counts"] += edge_count_terms(above, np.bincount(labels, minlength=groups))
        if weight_model == "exponential":
            terms["weights"] += exponential_terms(block_matrix(pairs, (values > 0) * 1.0, labels, groups), above_sums)
        below, below_sums = above, above_sums
    terms["total"] = sum(terms.values())
    return terms
