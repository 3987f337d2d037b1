"""Semi-non-negative factorization: pair loadings of either sign, non-negative time courses; beside the non-negative model.

Goes in: a `signed` affinity, whose layers `same` and `opposite` become one net affinity, same - opposite, between -1 and 1. Comes out:
`Components` whose pair factor may be negative (moving opposite ways), every worm with its own time course.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..model.errors import InputError
from ..model.execution import Workers, workers
from ..model.memory import check_fits
from ..model.opinions import SignedComparison
from ..model.progress import CancelCallback, ProgressCallback, part, report
from ..model.provenance import record_of
from ..model.results import Components
from .factorize import factorize, inputs_of
from .match import factor_match

Array = np.ndarray
INNER = 3
RIDGE = 1e-9


@dataclass(frozen=True, eq=False)
class _Worm:
    """Net affinities (pair, observed time) of one worm, and where they belong."""

    name: str
    rows: Array
    net: Array
    time_s: Array


def factorize_signed(
    affinity: Any,
    rank: int,
    *,
    starts: int = 10,
    seed: int = 0,
    sweeps: int = 300,
    tolerance: float = 1e-6,
    threads: int = 0,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> Components:
    """Factorize net affinities with signed pair loadings (semi-NMF; Ding, Li & Jordan 2010).

    min sum_w ||X_w - P T_w'||^2 over observed entries, X_w = same - opposite, T_w >= 0, P free. Pairs that a worm does not observe
    are left out of its sum (our definition); P is updated by exact least squares, T_w by hierarchical alternating least squares.

    Parameters
    ----------
    affinity : AffinitySpec or ArrayAffinity
        With the signs "same" and "opposite".
    rank : int
    starts : int
        Random starts; the one with the lowest error is returned.
    seed : int
    sweeps : int
        At most this many passes.
    tolerance : float
        Stop when the relative error falls by less.
    threads : int
        0: one a core. The result does not depend on it.
    progress, cancel : callable, optional

    Returns
    -------
    Components
        `signs` is ("net",); unaligned; `error` is the relative error of the net affinities over observed entries.

    Raises
    ------
    InputError
        Affinities without signs, or all zero; not enough memory.
    """
    if tuple(affinity.signs) != ("same", "opposite"):
        raise InputError(
            f"the affinity has the signs {', '.join(affinity.signs)}, not same and opposite",
            where="factorize_signed",
            fix="Compute it with sign='signed'.",
        )
    if int(rank) != rank or rank < 1 or starts < 1:
        raise InputError(f"rank {rank!r} and starts {starts!r} must be 1 or more", where="factorize_signed")
    data = _read(affinity)
    n = len(affinity.pairs)
    norm = sum(float((w.net.astype(np.float64) ** 2).sum()) for w in data)
    if norm == 0:
        raise InputError("all net affinities are zero", where="factorize_signed", fix="Check the affinity's settings.")
    with workers(threads, cancel) as pool:
        fits = []
        for number, fit in pool.stream(
            lambda k: _start(data, n, int(rank), [seed, k], sweeps, tolerance, norm, pool), range(starts)
        ):
            fits.append(fit)
            report(progress, (number + 1) / starts, f"start {number + 1} of {starts}")
    best = int(np.argmin([f[2] for f in fits]))
    said = {"rank": int(rank), "starts": starts}
    made = record_of(said, seed, inputs_of(affinity), step="factorize signed")
    return _label(affinity, data, fits, best, made)


def _read(affinity: Any) -> list[_Worm]:
    need = sum(4.0 * len(b.rows) * int(np.sum(b.observed)) for b in affinity.blocks) / 1e6
    check_fits(2 * need + 50, "the net affinities", where="factorize_signed", fix="Use fewer worms or neurons.")
    found = []
    for block in affinity.blocks:
        seen = np.asarray(block.observed, bool)
        if not seen.any() or not len(block.rows):
            continue
        layers = [block.tile(0, len(block.rows), 0, len(seen), s).copy() for s in (0, 1)]
        net = np.ascontiguousarray((layers[0] - layers[1])[:, seen])
        found.append(_Worm(str(block.worm), np.asarray(block.rows), net, np.asarray(block.time_s, float)[seen]))
    if not found:
        raise InputError("nothing is observed", where="factorize_signed")
    return found


def _patterns(data: list[_Worm], n: int) -> list[tuple[Array, list[int]]]:
    """Pairs that the same worms observe, with those worms."""
    sees = np.zeros((n, len(data)), bool)
    for w, worm in enumerate(data):
        sees[worm.rows, w] = True
    kinds, which = np.unique(sees, axis=0, return_inverse=True)
    which = which.ravel()
    return [(np.flatnonzero(which == k), np.flatnonzero(kind).tolist()) for k, kind in enumerate(kinds) if kind.any()]


def _start(
    data: list[_Worm], n: int, rank: int, seed: list[int], sweeps: int, tolerance: float, norm: float, pool: Workers
) -> tuple[Array, list[Array], float, int]:
    """Pair factor, time factors, relative error and passes of one start."""
    rng = np.random.default_rng(seed)
    times = [rng.random((w.net.shape[1], rank)) ** 2 for w in data]
    patterns, pair = _patterns(data, n), np.zeros((n, rank))
    before, done = np.inf, 0
    for _ in range(sweeps):
        if pool.stop.is_set():
            break
        done += 1
        moment = np.zeros((n, rank))
        grams = []
        for worm, time in zip(data, times, strict=True):
            moment[worm.rows] += worm.net @ time.astype(np.float32)
            grams.append(time.T @ time)
        for rows, worms in patterns:
            gram = np.sum([grams[w] for w in worms], axis=0)
            gram += RIDGE * max(np.trace(gram), 1e-300) * np.eye(rank)
            pair[rows] = np.linalg.solve(gram, moment[rows].T).T
        size = np.linalg.norm(pair, axis=0)
        scale = np.where(size > 0, size, 1.0)
        pair /= scale
        rest = norm
        for w, worm in enumerate(data):
            own = pair[worm.rows]
            cross, gram = (worm.net.T @ own.astype(np.float32)).astype(np.float64), own.T @ own
            times[w] = _non_negative(times[w] * scale, cross, gram)
            rest += float(((times[w] @ gram) * times[w]).sum() - 2 * (times[w] * cross).sum())
        error = float(np.sqrt(max(rest, 0.0) / norm))
        if before - error < tolerance:
            break
        before = error
    return pair, times, error, done


def _non_negative(time: Array, cross: Array, gram: Array) -> Array:
    """A few rounds of HALS for min ||X - time pair'||, time >= 0."""
    for _ in range(INNER):
        for r in range(time.shape[1]):
            if gram[r, r] > 0:
                time[:, r] = np.maximum(time[:, r] + (cross[:, r] - time @ gram[:, r]) / gram[r, r], 0.0)
    return time


def _label(affinity: Any, data: list[_Worm], fits: list[Any], best: int, made: dict[str, Any]) -> Components:
    from tensorly.cp_tensor import cp_normalize

    pair, times, error, _ = fits[best]
    stacked = np.concatenate(times)
    size, (courses, _) = cp_normalize((None, [stacked, pair]))  # pairs have unit norm already
    order = np.argsort(-size, kind="stable")
    component = np.arange(1, len(order) + 1)
    courses = courses[:, order]
    seen = np.zeros(len(pair), np.int64)
    for worm in data:
        seen[worm.rows] += 1
    names, pairs = np.asarray(affinity.neurons, dtype=object), np.asarray(affinity.pairs, int)
    along = {
        "neuron_a": ("pair", names[pairs[:, 0]]),
        "neuron_b": ("pair", names[pairs[:, 1]]),
        "sign": ("pair", np.full(len(pairs), "net", dtype=object)),
    }
    of = np.repeat(np.asarray([w.name for w in data], dtype=object), [w.net.shape[1] for w in data])
    when = np.concatenate([w.time_s for w in data])
    loads = np.stack([np.linalg.norm(courses[of == w.name], axis=0) for w in data])
    agree = [factor_match([stacked.T, pair.T], [np.concatenate(f[1]).T, f[0].T])[0] for f in fits]
    time = xr.DataArray(
        courses,
        dims=("sample", "component"),
        coords={"worm": ("sample", of), "time": ("sample", when), "component": component},
        name="time factor",
    )
    return Components(
        model="unaligned",
        time=time,
        worm=xr.DataArray(
            loads,
            dims=("worm", "component"),
            coords={"worm": [w.name for w in data], "component": component},
            name="worm factor",
        ),
        pair=xr.DataArray(
            np.where(seen[:, None] > 0, pair[:, order], np.nan),
            dims=("pair", "component"),
            coords={**along, "component": component},
            name="pair factor",
        ),
        weight=xr.DataArray(size[order], dims=("component",), coords={"component": component}, name="weight"),
        neurons=tuple(str(n) for n in affinity.neurons),
        pair_worms=xr.DataArray(seen, dims=("pair",), coords=along, name="worms that observed the pair"),
        error=error,
        diagnostics={
            "signed": True,
            "start_errors": [f[2] for f in fits],
            "start_sweeps": [f[3] for f in fits],
            "best_start": best,
            "restart_similarity": [float(a) for a in agree],
            "notes": [],
        },
        stimuli=pd.DataFrame(columns=["name", "onset", "offset"]),
        provenance=made,
    )


def compare_signed(
    affinity: Any,
    rank: int,
    *,
    starts: int = 5,
    seed: int = 0,
    threads: int = 0,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> SignedComparison:
    """Fit both models of one rank to a `signed` affinity and say what non-negativity loses.

    Parameters
    ----------
    affinity : AffinitySpec or ArrayAffinity
        With the signs "same" and "opposite".
    rank, starts, seed, threads : int
    progress, cancel : callable, optional
    """
    net = factorize_signed(
        affinity, rank, starts=starts, seed=seed, threads=threads, progress=part(progress, 0.0, 0.5), cancel=cancel
    )
    apart = factorize(
        affinity,
        rank,
        starts=starts,
        seed=seed,
        progress=part(progress, 0.5, 1.0),
        cancel=cancel,
        model="unaligned",
        threads=threads,
        ridge=0.0,
    )
    data = _read(affinity)
    norm = rest = 0.0
    factor = apart.pair.values * apart.weight.values
    signs = apart.pair["sign"].values
    difference = np.nan_to_num(factor[signs == "same"]) - np.nan_to_num(factor[signs == "opposite"])
    for worm in data:
        time = apart.time.values[apart.time["worm"].values == worm.name]
        when = apart.time["time"].values[apart.time["worm"].values == worm.name]
        time = time[np.searchsorted(when, worm.time_s - 1e-9)]
        rest += float(((worm.net - difference[worm.rows] @ time.T) ** 2).sum(dtype=np.float64))
        norm += float((worm.net**2).sum(dtype=np.float64))
    return SignedComparison(net, apart, 1 - net.error**2, 1 - rest / norm)
