"""Regression on several matrices at once: which of them goes with a matrix beyond what the others explain."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..model.errors import InputError
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, report
from .matrix_kernels import permuted_t, permuted_t_complete
from .pairs import (
    FEWEST,
    Measure,
    Orders,
    check_varies,
    complete,
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
REGRESSION_COLUMNS = ("predictor", "coefficient", "partial_r", "t", "p_value", "n_neurons", "n_pairs", "permutations")


def matrix_regression(
    response: Any,
    predictors: Mapping[str, Any],
    *,
    tested: tuple[str, ...] | None = None,
    measure: Measure = "spearman",
    directed: bool | None = None,
    permutations: int = 10_000,
    seed: int = 0,
    sides: Array | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> pd.DataFrame:
    """Regress a matrix on several others and test each for what the rest do not explain.

    Double semi-partialling: the residuals of a predictor, regressed on the others, are permuted (rows and columns together), and
    the t value of the permuted residuals beside the other predictors is compared with the observed t.

    Parameters
    ----------
    response : array (neuron, neuron)
    predictors : dict of name -> array (neuron, neuron)
        In the same order of neurons. Pairs that are not known in the response and in all predictors are left out.
    tested : tuple of str, optional
        Predictors to test; all by default. The others are covariates and get no p value.
    measure : {"spearman", "pearson"}
        Spearman: all matrices are ranked first.
    directed : bool, optional
        By default if the response is not symmetric, nor are all predictors.
    permutations, seed, sides
        As in `mantel_test`.

    Returns
    -------
    pandas.DataFrame
        One row a predictor: predictor, coefficient (of standardised matrices), partial_r (the correlation of what the other
        predictors leave of both), t, p_value (two-sided), n_neurons, n_pairs, permutations.

    Raises
    ------
    InputError
        As in `mantel_test`; also a predictor that is a combination of the others.

    References
    ----------
    Dekker, D., Krackhardt, D. & Snijders, T. A. B. Psychometrika 72, 563-581 (2007).
    """
    if not predictors:
        raise InputError("there is no predictor", where="matrix regression", fix="Give one matrix or more.")
    wanted = tuple(predictors) if tested is None else tested
    for name in wanted:
        if name not in predictors:
            raise InputError(f"there is no predictor '{name}'", fix=f"Known: {', '.join(predictors)}.")
    x = square(response, "the response")
    held = {name: square(m, f"'{name}'") for name, m in predictors.items()}
    for name, matrix in held.items():
        same_shape(x, matrix, name)
    if directed is None:
        directed = not is_symmetric(x) and not all(is_symmetric(m) for m in held.values())
    if not directed:
        x, held = without_direction(x), {name: without_direction(m) for name, m in held.items()}
    known = np.isfinite(x)
    for matrix in held.values():
        known &= np.isfinite(matrix)
    rows, columns = places(known, directed)
    enough(rows, columns, len(x), FEWEST + len(held))
    y = _standardized(x, rows, columns, measure, "the response")
    standard = {name: _standardized(m, rows, columns, measure, f"predictor '{name}'") for name, m in held.items()}
    used = len(np.unique(np.r_[rows, columns]))
    out = []
    for number, name in enumerate(held):
        others = [m for k, m in standard.items() if k != name]
        rest, coefficient, t = _own_part(standard[name], others, y, rows, columns, name)
        p, drawn = float("nan"), 0
        if name in wanted:
            orders = orders_of(len(x), permutations, seed, sides)
            null = _t_values(rest, others, y, directed, orders, progress, cancel, (number, len(held)))
            p = two_sided(t, null, orders.exact)
            drawn = int(np.isfinite(null).sum())
        partial = t / math.sqrt(t * t + len(rows) - len(others) - 2)
        out.append((name, coefficient, partial, t, p, used, len(rows), drawn))
    return pd.DataFrame(out, columns=list(REGRESSION_COLUMNS))


def _own_part(
    predictor: Array, others: list[Array], response: Array, rows: Array, columns: Array, name: str
) -> tuple[Array, float, float]:
    """What the other predictors leave of one (a matrix, NaN where predictors are not known), its coefficient and its t."""
    design = np.column_stack([np.ones(len(rows)), *(m[rows, columns] for m in others)])
    own, y = predictor[rows, columns], response[rows, columns]
    fit = np.linalg.lstsq(design, own, rcond=None)[0]
    rest = own - design @ fit
    size = float(rest @ rest)
    if size <= 1e-9 * float(own @ own):
        raise InputError(
            f"the predictor '{name}' is a combination of the others",
            where="matrix regression",
            fix="Leave one of them out.",
        )
    left = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    coefficient = float(rest @ left / size)
    error = float(((left - coefficient * rest) ** 2).sum())
    free = len(rows) - design.shape[1] - 1
    # also where only the response is not known: a permutation can bring such pairs to where it is
    matrix = predictor - fit[0] - sum(f * m for f, m in zip(fit[1:], others, strict=True))
    return matrix, coefficient, coefficient / math.sqrt(max(error, 1e-300) / free / size)


def _t_values(
    rest: Array,
    others: list[Array],
    response: Array,
    directed: bool,
    orders: Orders,
    progress: ProgressCallback | None,
    cancel: CancelCallback | None,
    turn: tuple[int, int],
) -> Array:
    """Value of t of the permuted residuals, over the pairs that response, other predictors and permuted residuals have."""
    known = np.isfinite(response)
    for matrix in others:
        known &= np.isfinite(matrix)
    rows, columns = places(known, directed)
    design = np.column_stack([np.ones(len(rows)), *(m[rows, columns] for m in others)])
    y = response[rows, columns]
    moving = rest if directed else np.where(np.isfinite(rest), rest, rest.T)
    everywhere = complete(moving)
    table = np.column_stack([design, np.zeros(len(design)), y])
    products = np.tril(table.T @ table)
    parts = []
    done = 0
    for block in orders.blocks():
        check_cancel(cancel)
        out = np.empty(len(block))
        if everywhere:
            permuted_t_complete(rows, columns, design, y, moving, products, block, out)
        else:
            permuted_t(rows, columns, design, y, moving, block, out)
        parts.append(out)
        done += len(block)
        report(progress, (turn[0] + done / orders.count) / turn[1], "permutations")
    return np.concatenate(parts)


def _standardized(matrix: Array, rows: Array, columns: Array, measure: Measure, what: str) -> Array:
    """Copy of a matrix, ranked or not, with mean 0 and deviation 1 over some pairs; NaN kept."""
    values = scaled(matrix, rows, columns, measure)
    inside = values[rows, columns]
    check_varies(inside, what)
    return np.asarray((values - inside.mean()) / inside.std())
