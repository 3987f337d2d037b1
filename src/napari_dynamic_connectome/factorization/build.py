"""Labelled `Components` from raw factors of the best start: normalised, sorted, named, with what is known about the fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..model.execution import Workers
from ..model.results import Components, Model
from .clocks import worm_courses
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
    time, worm, pair, own = best.time[0], best.worm[0], best.pair[0], best.own[0]
    weight, time, worm, pair = _unit(time, worm, pair, own if problem.model != "aligned" else np.zeros_like(own))
    for w, item in enumerate(problem.worms if problem.model != "aligned" else ()):
        mine = item.own if problem.model == "mixed" else item.times
        worm[own, w] = np.linalg.norm(time[own][:, mine], axis=1)
    dropped = explained_shares(prepared, best, pool)
    order = np.argsort(-weight, kind="stable") if sort else np.arange(len(weight))
    weight, time, worm, pair, own = weight[order], time[order], worm[order], pair[order], own[order]
    dropped = dropped[order]
    pair = np.asarray(np.where(problem.seen_slots[None, :], pair, np.nan))
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
        "model_reason": _reason(problem, own),
        "compressed_size": prepared.size,
        "storage": prepared.exact.storage,
        "notes": list(problem.notes),
        **({"predicted": [float(p) for p in fits.predicted[fits.best][order]]} if problem.model == "mixed" else {}),
        **(extra or {}),
    }
    return _label(prepared, weight, time, worm, pair, own, float(error), diagnostics, provenance)


def _unit(time: Array, worm: Array, pair: Array, own: Array) -> tuple[Array, Array, Array, Array]:
    """Weights and unit factors; the worm factor of components with their own clock is left as it is."""
    from tensorly.cp_tensor import cp_normalize

    loads = np.where(own[:, None], np.eye(1, worm.shape[1]), worm)  # a unit vector has no weight
    weight, (times, loads, pairs) = cp_normalize((None, [time.T, loads.T, pair.T]))
    return weight, times.T, np.where(own[:, None], worm, loads.T), pairs.T


def exact_errors(prepared: Prepared, factors: Factors, pool: Workers) -> tuple[list[float], float]:
    """Relative error of each worm and of all, from the residual of every observed entry; no weights."""
    problem, exact = prepared.problem, prepared.exact

    def one(w: int) -> float:
        item = problem.worms[w]
        rows = factors.pair[0][:, item.slots].astype(np.float32)
        time = worm_courses(problem, factors, w)[0].astype(np.float32)
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
    products = pool.map(lambda w: solver.right(w, factors), range(len(prepared.problem.worms)))
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
    own: Array,
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
    worm_names = np.asarray([w.name for w in problem.worms], dtype=object)
    stimuli = getattr(affinity, "stimuli", None) if problem.model != "unaligned" else None
    courses, own_time = _courses(problem, time, own, component)
    return Components(
        model=_model(problem, own),
        time=courses,
        worm=xr.DataArray(
            worm.T, dims=("worm", "component"), coords={"worm": worm_names, "component": component}, name="worm factor"
        ),
        # coordinates that are given with the values are copied name by name
        pair=xr.DataArray(pair.T, dims=("pair", "component"), name="pair factor").assign_coords(
            {**along, "component": component}
        ),
        weight=xr.DataArray(weight, dims=("component",), coords={"component": component}, name="weight"),
        neurons=tuple(str(n) for n in affinity.neurons),
        pair_worms=xr.DataArray(
            problem.sees.sum(axis=1).astype(np.int64), dims=("pair",), name="worms that observed the pair"
        ).assign_coords(along),
        error=error,
        diagnostics=diagnostics,
        stimuli=stimuli if isinstance(stimuli, pd.DataFrame) else pd.DataFrame(columns=["name", "onset", "offset"]),
        provenance=dict(provenance),
        worm_time=_worm_time(problem) if problem.model != "unaligned" else None,
        own_time=own_time,
    )


def _model(problem: Problem, own: Array) -> Model:
    """What came out: a `mixed` fit in which every clock is common is an `aligned` one."""
    if problem.model == "unaligned":
        return "unaligned"
    return "mixed" if problem.model == "mixed" and own.any() else "aligned"


def _reason(problem: Problem, own: Array) -> str:
    """Why the components have the clocks that they have, in words."""
    why = str(getattr(problem.affinity, "model_reason", ""))
    if problem.model != "mixed":
        return why
    found = "left-out worms are predicted by the others, so every component has a common course"
    if own.any():
        others = "" if own.all() else ", the others a common one"
        found = f"{int(own.sum())} of {len(own)} components have a course of their own in every worm{others}"
    return f"{why}; {found}" if why else found


def _courses(problem: Problem, time: Array, own: Array, component: Array) -> tuple[xr.DataArray, xr.DataArray | None]:
    """Time factor on the common clock (or worm after worm), and the worms' own courses on that clock (`mixed`)."""
    if problem.model == "unaligned":
        along = {"worm": ("sample", problem.sample_worm), "time": ("sample", problem.sample_time_s)}
        found = xr.DataArray(time.T, dims=("sample", "component"), coords={**along, "component": component})
    else:
        length = problem.n_common
        seen = problem.seen_times[:length]
        common = np.where(seen[:, None], time[:, :length].T, np.nan)
        if problem.model == "mixed":
            common[:, own] = np.nan
        clock = {"time": problem.sample_time_s[:length]}
        found = xr.DataArray(common, dims=("time", "component"), coords={**clock, "component": component})
    found.name = "time factor"
    found["time"].attrs["units"] = "s"
    if problem.model != "mixed" or not own.any():
        return found, None
    each = np.full((len(problem.worms), length, int(own.sum())), np.nan)
    for w, item in enumerate(problem.worms):
        each[w, item.times] = time[own][:, item.own].T
    names = np.asarray([w.name for w in problem.worms], dtype=object)
    coords = {"worm": names, "time": found["time"], "component": component[own]}
    return found, xr.DataArray(each, dims=("worm", "time", "component"), coords=coords, name="own time factor")


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
            "time": problem.sample_time_s[: problem.n_common],
        },
        name="time in the recording",
        attrs={"units": "s"},
    )
