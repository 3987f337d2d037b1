"""Components to TensorLy's CPTensor and back (`aligned` model)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..model.errors import InputError
from ..model.results import Components

Array = np.ndarray


def to_cp_tensor(components: Components) -> Any:
    """CP tensor (worm, time, pair) of aligned components.

    Returns
    -------
    tensorly.cp_tensor.CPTensor
        Weights and factors; rows that were never observed are zero.

    Raises
    ------
    InputError
        A component has a clock of its own in every worm (`unaligned`, `mixed`), which a CP tensor cannot hold.
    """
    from tensorly.cp_tensor import CPTensor

    if components.model != "aligned":
        own = [c for c, clock in enumerate(components.clocks, start=1) if clock == "own"]
        which = (
            f"component{'s' if len(own) > 1 else ''} {', '.join(map(str, own))}"
            if components.model == "mixed"
            else "all"
        )
        raise InputError(
            f"components of the {components.model} model are no CP tensor: every worm has its own time course ({which})",
            where="components",
            fix="Fit with model='aligned'." if components.has_common_clock else "Align the cohort, then fit again.",
        )
    factors = [components.worm.values, np.nan_to_num(components.time.values), np.nan_to_num(components.pair.values)]
    return CPTensor((components.weight.values.copy(), [f.copy() for f in factors]))


def from_cp_tensor(
    cp_tensor: Any,
    *,
    neurons: Sequence[str],
    pairs: Array,
    worms: Sequence[str],
    time_s: Array,
    error: float = float("nan"),
) -> Components:
    """Label a non-negative CP tensor (worm, time, pair), from TensorLy or elsewhere.

    Parameters
    ----------
    cp_tensor : CPTensor, (weights, factors), or KTensor
        Of TensorLy, TLViz or tensortools. Normalised by TensorLy; components are sorted by falling weight. The KTensor of
        tensortools has no weights; they are in its factors.
    neurons : sequence of str
    pairs : int array (pair, 2)
        Indices into `neurons`.
    worms : sequence of str
    time_s : array (time,)
    error : float
        Relative error of the fit, if known.
    """
    from tensorly.cp_tensor import cp_normalize

    if not isinstance(cp_tensor, tuple) and not hasattr(cp_tensor, "weights") and hasattr(cp_tensor, "factors"):
        cp_tensor = (None, [np.asarray(one, float) for one in cp_tensor.factors])
    weights, factors = cp_normalize(cp_tensor)
    if len(factors) != 3:
        raise InputError(f"the CP tensor has {len(factors)} modes, not 3", fix="Its modes are worm, time, pair.")
    for what, factor, length in zip(
        ("worm", "time", "pair"), factors, (len(worms), len(time_s), len(pairs)), strict=True
    ):
        if len(factor) != length:
            raise InputError(f"the {what} factor has {len(factor)} rows for {length} names", where="CP tensor")
        if not np.isfinite(factor).all() or (np.asarray(factor) < 0).any():
            raise InputError(f"the {what} factor has negative or missing values", where="CP tensor")
    order = np.argsort(-np.asarray(weights), kind="stable")
    worm, time, pair = (np.asarray(f, float)[:, order] for f in factors)
    component = np.arange(1, len(order) + 1)
    names, index = np.asarray(neurons, dtype=object), np.asarray(pairs, int)
    along = {
        "neuron_a": ("pair", names[index[:, 0]]),
        "neuron_b": ("pair", names[index[:, 1]]),
        "sign": ("pair", np.full(len(index), "any", dtype=object)),
    }
    times = xr.DataArray(
        time, dims=("time", "component"), coords={"time": np.asarray(time_s, float), "component": component}
    )
    times["time"].attrs["units"] = "s"
    return Components(
        model="aligned",
        time=times,
        worm=xr.DataArray(
            worm, dims=("worm", "component"), coords={"worm": np.asarray(worms, dtype=object), "component": component}
        ),
        pair=xr.DataArray(pair, dims=("pair", "component"), coords={**along, "component": component}),
        weight=xr.DataArray(np.asarray(weights, float)[order], dims=("component",), coords={"component": component}),
        neurons=tuple(str(n) for n in neurons),
        pair_worms=xr.DataArray(np.full(len(index), len(worms)), dims=("pair",), coords=along),
        error=float(error),
        stimuli=pd.DataFrame(columns=["name", "onset", "offset"]),
        provenance={"step": "from_cp_tensor"},
    )
