"""From raw factors of the best start to labelled `Components`: normalised, sorted, named, with what is known about the fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..model.results import Components
from .parallel import Workers
from .prepare import Prepared
from .problem import Problem
from .solver import Factors, Solver
from .starts import Starts

Array = np.ndarray


def build_components(
    prepared: Prepared,
    fits: Starts,
    pool: Workers,
    *,
    provenance: Mapping[str, Any],
    sort: bool = True,
    extra: Mapping[str, Any] | None = None,
) -> Components:
    """Label the best start's factors and measure its error entry by entry.

    Parameters
    ----------
    sort : bool
        Number the components by falling weight; False keeps their order (fixed or given factors).
    extra : mapping, optional
        More diagnostics.
    """
    problem = prepared.problem
    best = fits.factors.take([fits.best])
    worm_error, error = exact_errors(prepared, best, pool)
    time, worm, pair = best.time[0], best.worm[0], best.pair[0]
    weight, time, worm, pair = _unit(problem.model, time, worm, pair)
    if problem.model == "unaligned":
        worm = np.stack([np.linalg.norm(time[:, w.times], axis=1) for w in problem.worms], axis=1)
    dropped = explained_shares(prepared, best, pool)
    order = np.argsort(-weight, kind="stable") if sort else np.arange(len(weight))
    weight, time, worm, pair = weight[order], time[order], worm[order], pair[order]
    dropped = dropped[order]
    pair = np.asarray(np.where(problem.seen_slots[None, :], pair, np.nan))
    if problem.model == "aligned":
        time = np.asarray(np.where(problem.seen_times[None, :], time, np.nan))
    similarity = fits.similarity(prepared)
    others = np.delete(similarity, fits.best)
    diagnostics: dict[str, Any] = {
        "start_errors": [float(e) for e in fits.errors],
        "start_sweeps": list(fits.sweeps),
        "start_converged": [bool(c) for c in fits.converged],
        "best_start": fits.best,
        "history": [float(e) for e in fits.histories[fits.best]],
        "restart_similarity": [float(s) for s in similarity],
        "similarity": float(np.median(others)) if len(others) else float("nan"),
        "explained": [float(s) for s in dropped],
        "worm_errors": dict(zip([w.name for w in problem.worms], worm_error, strict=True)),
        "n_entries": problem.n_entries,
        "model_reason": str(getattr(problem.affinity, "model_reason", "")),
        "compressed_size": prepared.size,
        "storage": prepared.exact.storage,
        "notes": list(problem.notes),
        **(extra or {}),
    }
    return _label(prepared, weight, time, worm, pair, float(error), diagnostics, provenance)


def _unit(model: str, time: Array, worm: Array, pair: Array) -> tuple[Array, Array, Array, Array]:
    weight = np.ones(len(pair))
    scaled = []
    for name, factor in (("time", time), ("worm", worm), ("pair", pair)):
        if name == "worm" and model == "unaligned":
            scaled.append(factor)
            continue
        norm = np.linalg.norm(factor, axis=1)
        weight = weight * norm
        scaled.append(factor / np.where(norm > 0, norm, 1.0)[:, None])
    return weight, scaled[0], scaled[1], scaled[2]


def exact_errors(prepared: Prepared, factors: Factors, pool: Workers) -> tuple[list[float], float]:
    """Relative error of each worm and of all, from the residual of every observed entry; no weights."""
    problem, exact = prepared.problem, prepared.exact

    def one(w: int) -> float:
        item = problem.worms[w]
        rows = factors.pair[0][:, item.slots].astype(np.float32)
        time = (factors.time[0][:, item.times] * factors.worm[0][:, w : w + 1]).astype(np.float32)
        return exact.residual(w, rows, time)

    rests = pool.map(one, range(len(problem.worms)))
    norms = [float(n.sum()) for n in exact.row_norms]
    each = [float(np.sqrt(r / n)) if n > 0 else float("nan") for r, n in zip(rests, norms, strict=True)]
    return each, float(np.sqrt(sum(rests) / sum(norms)))


def explained_shares(prepared: Prepared, factors: Factors, pool: Workers) -> Array:
    """How much the squared error would grow without each component, as a share of the data's squared norm."""
    source = prepared.compressed or prepared.exact
    solver = Solver(prepared.problem, source, prepared.settings, pool)
    rank = factors.shape[1]
    products = pool.map(lambda w: solver._right(w, factors), range(len(prepared.problem.worms)))
    grown = np.zeros(rank)
    for worm, (moment, gram) in zip(prepared.problem.worms, products, strict=True):
        pair = factors.pair[0][:, worm.slots]
        joint = gram[0] * (pair @ pair.T)
        cross = np.einsum("pr,rp->r", moment, pair, dtype=np.float64)
        grown += 2 * cross - 2 * joint.sum(axis=1) + np.diag(joint)
    norm = sum(float(n.sum()) for n in prepared.exact.row_norms)
    return np.asarray(grown / norm)


def _label(
    prepared: Prepared,
    weight: Array,
    time: Array,
    worm: Array,
    pair: Array,
    error: float,
    diagnostics: dict[str, Any],
    provenance: Mapping[str, Any],
) -> Components:
    problem = prepared.problem
    affinity = problem.affinity
    component = np.arange(1, len(weight) + 1)
    names = np.asarray(affinity.neurons, dtype=object)
    pairs = np.asarray(affinity.pairs, int)
    count = len(affinity.signs)
    along = {
        "neuron_a": ("pair", np.tile(names[pairs[:, 0]], count)),
        "neuron_b": ("pair", np.tile(names[pairs[:, 1]], count)),
        "sign": ("pair", np.repeat(np.asarray(affinity.signs, dtype=object), len(pairs))),
    }
    dims: tuple[str, str]
    coords: dict[str, Any]
    if problem.model == "aligned":
        dims, coords = ("time", "component"), {"time": problem.sample_time_s}
        stimuli = getattr(affinity, "stimuli", None)
    else:
        dims = ("sample", "component")
        coords = {"worm": ("sample", problem.sample_worm), "time": ("sample", problem.sample_time_s)}
        stimuli = None
    time_array = xr.DataArray(time.T, dims=dims, coords={**coords, "component": component}, name="time factor")
    time_array["time"].attrs["units"] = "s"
    worm_names = np.asarray([w.name for w in problem.worms], dtype=object)
    return Components(
        model="aligned" if problem.model == "aligned" else "unaligned",
        time=time_array,
        worm=xr.DataArray(
            worm.T, dims=("worm", "component"), coords={"worm": worm_names, "component": component}, name="worm factor"
        ),
        pair=xr.DataArray(
            pair.T, dims=("pair", "component"), coords={**along, "component": component}, name="pair factor"
        ),
        weight=xr.DataArray(weight, dims=("component",), coords={"component": component}, name="weight"),
        neurons=tuple(str(n) for n in affinity.neurons),
        pair_worms=xr.DataArray(
            problem.sees.sum(axis=1).astype(np.int64), dims=("pair",), coords=along, name="worms that observed the pair"
        ),
        error=error,
        diagnostics=diagnostics,
        stimuli=stimuli if isinstance(stimuli, pd.DataFrame) else pd.DataFrame(columns=["name", "onset", "offset"]),
        provenance=dict(provenance),
        worm_time=_worm_time(problem) if problem.model == "aligned" else None,
    )


def _worm_time(problem: Problem) -> xr.DataArray | None:
    """Return each worm's own time at the samples of the common clock, where the affinity tells it."""
    blocks = {b.worm: b for b in problem.affinity.blocks}
    chosen = [blocks[w.name] for w in problem.worms]
    if any(getattr(b, "source_time_s", None) is None for b in chosen):
        return None
    return xr.DataArray(
        np.stack([np.asarray(b.source_time_s, float) for b in chosen]),
        dims=("worm", "time"),
        coords={
            "worm": np.asarray([w.name for w in problem.worms], dtype=object),
            "source": ("worm", np.asarray([b.source for b in chosen], dtype=object)),
            "time": problem.sample_time_s,
        },
        name="time in the recording",
        attrs={"units": "s"},
    )
