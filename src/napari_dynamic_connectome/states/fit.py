"""Recordings in, switching states out: the entry point, its starts and how they are put together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..model.cohort import Cohort
from ..model.execution import Workers, workers
from ..model.memory import check_fits, check_room
from ..model.progress import CancelCallback, ProgressCallback, report
from ..model.provenance import record_of
from ..model.state_results import StatesResult
from .data import StateData, read_frames
from .em import ALIKE, Fit, certainty, one_state, run
from .kernels import best_path
from .model import emissions, expect, on_clock
from .priors import TYPES, OneHotPrior
from .settings import StatesSettings
from .structure import structure_matrix

Array = np.ndarray
ROUGH = 10.0
FINISHED = 2
"""Starts first stop at a rougher tolerance; this many of the best go on to the end."""


def fit_states(
    cohort: Cohort,
    settings: StatesSettings | dict[str, Any] | None = None,
    *,
    structure: Any = None,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
    **options: Any,
) -> StatesResult:
    """Explain recordings by a few states that switch, each with its own functional network.

    A hidden Markov model over Gaussian GLMs: in state z, the present of every neuron is predicted from the past of all neurons that
    the worm has, by weights W_z that all worms share; each worm has its own sequence of states. The model and its two connectome
    priors follow Li et al. (2023), who had spikes; traces, missing neurons, several worms and the solver are our definition.

    Parameters
    ----------
    cohort : Cohort
    settings : StatesSettings or dict, optional
    structure : pandas.DataFrame or xarray.DataArray, optional
        Connectome for the prior: the table of `read_connectome`, or a square matrix of synapse numbers (post, pre) labelled
        with neuron names.
    seed : int
        Same seed, same result, whatever the number of threads.
    progress, cancel : callable, optional
    **options
        Fields of `StatesSettings`.

    Returns
    -------
    StatesResult

    Raises
    ------
    InputError
        One state, a worm that is too short, worms without shared neurons, a connectome of other names.
    Cancelled
        Within a second of `cancel()` returning True.

    References
    ----------
    .. [1] Li, Kim, Rodgers, Choi & Wu (2023), arXiv 2310.15263 (one-hot HMM-GLM).
    .. [2] Rabiner (1989), Proc. IEEE 77, 257 (hidden Markov models).

    Examples
    --------
    >>> import numpy as np
    >>> from napari_dynamic_connectome import Cohort, Recording
    >>> rng = np.random.default_rng(0)
    >>> state = np.arange(400) // 50 % 2
    >>> x = np.zeros((400, 6))
    >>> for t in range(1, 400):
    ...     x[t] = (0.9 if state[t] else -0.9) * x[t - 1][::-1] + rng.standard_normal(6)
    >>> worm = Recording.from_arrays(x, name="w", rate_hz=2, names=["AVAL", "AVAR", "RIBL", "RIBR", "AIYL", "AIYR"])
    >>> found = fit_states(Cohort([worm]), states=2, starts=4, state_sd=0.5)
    >>> agree = np.mean((found.sequence.values == 1) == (state == 1))
    >>> bool(max(agree, 1 - agree) > 0.95)
    True
    """
    chosen = StatesSettings.parse(settings, where="states settings", **options)
    check_room("a fit of states")
    matrix = structure_matrix(structure, cohort.neurons, chosen, merged=cohort.settings.merge_left_right)
    report(progress, 0.0, "reading the traces")
    data = read_frames(cohort, chosen, cancel)
    check_fits(need_mb(data, chosen), f"{chosen.states} states of {len(data.neurons)} neurons", where="states")
    with workers(chosen.threads, cancel) as pool:
        fits, _ = fit_starts(data, chosen.states, chosen, matrix, seed, pool, progress)
    result = _result(data, fits, chosen, _provenance(cohort, chosen, matrix, seed))
    report(progress, 1.0, f"{chosen.states} states, {result.log_likelihood:.4f} nats a value")
    return result


def need_mb(data: StateData, settings: StatesSettings) -> float:
    """Memory that a fit takes, roughly."""
    frames = sum(w.past.nbytes + w.present.nbytes for w in data.worms)
    sums = max(w.past.shape[1] for w in data.worms) ** 2 * len(data.worms) * settings.states * 8 * 3
    weights = settings.states * len(data.neurons) * data.n_columns * 8 * 12
    threads = settings.threads or 4
    return float((frames * (1 + 0.5 * threads) + (sums + weights) * threads) / 1e6)


def fit_starts(
    data: StateData,
    k: int,
    settings: StatesSettings,
    structure: Array | None,
    seed: int,
    pool: Workers,
    progress: ProgressCallback | None = None,
    starts: int | None = None,
) -> tuple[list[Fit], Fit]:
    """Fit from all starts, the best of them to the end; best first, in order of the start otherwise.

    Returns
    -------
    fits : list of Fit
    one : Fit
        The fit of one state, where all of them begin.
    """
    one = one_state(data, settings, structure, stopped=pool.stop.is_set)
    if k == 1:
        return [one], one
    count = settings.starts if starts is None else starts
    rough = settings.model_copy(update={"tolerance": min(settings.tolerance * ROUGH, 0.5)})

    def start(number: int) -> Fit:
        rng = np.random.default_rng([seed, number])
        return run(data, k, rough, structure, rng, one, number=number, stopped=pool.stop.is_set)

    fits = []
    for number, found in pool.stream(start, range(count)):
        fits.append(found)
        report(progress, 0.05 + 0.75 * (number + 1) / count, f"start {number + 1} of {count}")
    order = sorted(range(count), key=lambda n: (-fits[n].history[-1], n))

    def finish(number: int) -> Fit:
        return run(
            data, k, settings, structure, np.random.default_rng(0), one, begin=fits[number], stopped=pool.stop.is_set
        )

    leading = order[:FINISHED]
    for number, fit in zip(leading, pool.map(finish, leading), strict=True):
        fits[number] = fit
    return sorted(fits, key=lambda f: (-f.history[-1], f.number)), one


def paths(data: StateData, fit: Fit) -> list[Array]:
    """Most probable path (T,) of every worm."""
    found = []
    for number, worm in enumerate(data.worms):
        seen = on_clock(worm, emissions(worm, number, fit.parameters), np.ones(len(worm.frames), bool))
        path = np.empty(worm.n_times, np.int64)
        best_path(seen, worm.begins, fit.parameters.log_initial, fit.parameters.log_transition, path)
        found.append(path)
    return found


def _result(data: StateData, fits: list[Fit], settings: StatesSettings, provenance: dict[str, Any]) -> StatesResult:
    from sklearn.metrics import adjusted_rand_score

    best, k, n = fits[0], settings.states, len(data.neurons)
    every = [np.concatenate(paths(data, fit)) for fit in fits]
    order = np.argsort(-np.bincount(every[0], minlength=k), kind="stable")
    sequence = np.argsort(order)[every[0]] + 1
    posterior = np.concatenate(expect(data, best.parameters).states)[:, order]
    starts = pd.DataFrame(
        {
            "start": [f.number for f in fits],
            "log_posterior": [f.history[-1] for f in fits],
            "iterations": [f.iterations for f in fits],
            "converged": [f.converged for f in fits],
            "agreement": [float(adjusted_rand_score(every[0], e)) for e in every],
        }
    )
    known = data.known()
    weights = np.where(known, best.parameters.weights[order], np.nan)
    shared = np.where(known, best.prior.shared(best.parameters.weights), np.nan)
    noise = np.full((k, len(data.worms), n), np.nan)
    for number, worm in enumerate(data.worms):
        noise[:, number, worm.neurons] = np.sqrt(best.parameters.noise[order][:, number, worm.neurons])
    notes = list(data.notes)
    if certainty([posterior]) < ALIKE:
        notes.append(
            f"the {k} states are alike: at no time is one much more probable than the others, so nothing is seen to switch. "
            f"Fewer states, or states that may differ more (state_sd is {settings.state_sd:g}), can show whether that is the data."
        )
    names, states = np.asarray(data.neurons, dtype=object), np.arange(1, k + 1)
    pairs = {"neuron": names, "neuron_from": names, "lag": np.arange(1, data.lags + 1)}
    sample = {
        "worm": ("sample", np.repeat([w.name for w in data.worms], [w.n_times for w in data.worms]).astype(object)),
        "time": ("sample", np.concatenate([w.time_s for w in data.worms])),
    }

    def by_lag(values: Array) -> Array:
        shape = (*values.shape[:-1], data.lags, n)
        return np.moveaxis(values[..., :-1].reshape(shape), -1, -2)

    types = None
    if isinstance(best.prior, OneHotPrior):
        shown = np.stack([by_lag(np.where(known, best.prior.types[..., c], np.nan)) for c in range(3)], axis=-1)
        types = xr.DataArray(shown, dims=(*pairs, "type"), coords={**pairs, "type": list(TYPES)})
    return StatesResult(
        sequence=xr.DataArray(sequence, dims=("sample",), coords=sample, name="state"),
        posterior=xr.DataArray(posterior, dims=("sample", "state"), coords={**sample, "state": states}),
        transition=xr.DataArray(
            np.exp(best.parameters.log_transition)[np.ix_(order, order)],
            dims=("state", "state_to"),
            coords={"state": states, "state_to": states},
        ),
        weights=xr.DataArray(by_lag(weights), dims=("state", *pairs), coords={"state": states, **pairs}, name="weight"),
        shared=xr.DataArray(by_lag(shared), dims=tuple(pairs), coords=pairs, name="shared weight"),
        level=xr.DataArray(weights[..., -1], dims=("state", "neuron"), coords={"state": states, "neuron": names}),
        noise=xr.DataArray(
            noise,
            dims=("state", "worm", "neuron"),
            coords={"state": states, "worm": [w.name for w in data.worms], "neuron": names},
        ),
        rate_hz=data.rate_hz,
        log_likelihood=best.log_likelihood / data.n_values,
        starts=starts,
        types=types,
        notes=tuple(notes),
        provenance=provenance,
    )


def _provenance(cohort: Cohort, settings: StatesSettings, structure: Array | None, seed: int) -> dict[str, Any]:
    linked = None if structure is None else {"linked pairs": int((structure > 0).sum())}
    return record_of(settings, seed, cohort.recordings, step="states", worms=list(cohort.worms), connectome=linked)
