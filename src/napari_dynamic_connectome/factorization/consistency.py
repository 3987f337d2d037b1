"""Core consistency of an aligned fit (Bro & Kiers 2003), with unobserved entries filled in by the model itself."""

from __future__ import annotations

import numpy as np

from ..model.execution import Workers
from ..model.results import Components
from .prepare import Prepared
from .sources import left_product


def core_consistency(prepared: Prepared, components: Components, pool: Workers) -> float:
    """Percentage by which the least-squares Tucker core of the data is the superdiagonal core of the model.

    Parameters
    ----------
    prepared : Prepared
    components : Components
        A fit of the same problem.

    Returns
    -------
    float
        At most 100; NaN where a component has its own clock in every worm (and so no third mode), and for a single worm.

    Notes
    -----
    With E the residual on observed entries and 0 elsewhere, the core is I + E x1 T+ x2 W+ x3 A+, so two matrix products over
    the data are enough. With missing entries this is the core of the model-filled tensor, the usual choice.
    """
    problem = prepared.problem
    if components.model != "aligned" or len(problem.worms) < 2:
        return float("nan")
    weight = components.weight.values
    if not (weight > 0).all():
        return float("nan")
    time = np.nan_to_num(components.time.values) * weight
    worm, pair = components.worm.values, np.nan_to_num(components.pair.values)
    inverse_time, inverse_worm, inverse_pair = (np.linalg.pinv(f) for f in (time, worm, pair))
    source = prepared.compressed or prepared.exact

    def one(w: int) -> np.ndarray:
        item = problem.worms[w]
        own = inverse_pair[:, item.slots]
        seen = left_product(source, w, own.astype(np.float32))
        model = (own @ (pair[item.slots] * worm[w])) @ time[item.times].T
        return np.asarray((seen - model) @ inverse_time[:, item.times].T)

    rank = len(weight)
    core = np.zeros((rank, rank, rank))
    for w, part in enumerate(pool.map(one, range(len(problem.worms)))):
        core += inverse_worm[:, w][None, :, None] * part[:, None, :]
    return float(100.0 * (1.0 - (core**2).sum() / rank))
