"""Take the linear effect of behaviour or movement out of traces, before anything is computed from them.

Goes in: recordings with behaviour channels (or the movement of every neuron). Comes out: recordings whose traces no longer follow them.
Ordinary least squares for every neuron by itself; how far this removes what the worm does, and not what the brain does, no regression can
say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..affinity.sampling import pieces
from ..model.cohort import Cohort
from ..model.errors import InputError
from ..model.progress import CancelCallback, check_cancel
from ..model.recording import Recording
from .settings import ConfoundSettings

Array = np.ndarray
OPERATION = "partial out"
SAMPLES_A_REGRESSOR = 5
"""Fewer samples than this for each regressor are too few to tell it from chance."""
MOVEMENT = ("track_z", "track_y", "track_x", "reference")
"""Coordinates of the traces, (time, neuron), that describe a neuron's own movement."""


@dataclass(frozen=True, eq=False)
class Regression:
    """What one recording's traces owe to the confounds.

    Parameters
    ----------
    residual : float array (time, neuron)
        Traces without it, at their own level; NaN where the trace or a regressor is missing.
    explained : float array (neuron,)
        Share of the variance within the pieces that the regressors explain; NaN where there was nothing to fit.
    samples : int array (neuron,)
        Samples that were used.
    regressors : int
        Columns, not counting the intercept of every piece.
    """

    residual: Array
    explained: Array
    samples: Array
    regressors: int


def partial_out(
    item: Recording,
    settings: ConfoundSettings | dict[str, Any] | None = None,
    *,
    cancel: CancelCallback | None = None,
    **options: Any,
) -> Recording:
    """Recording whose traces are residuals of a regression on lagged behaviour (and movement).

    x(t) = b_piece + sum_c sum_l beta_cl c(t - l) + residual, by ordinary least squares for every neuron by itself, over the samples
    where trace and all regressors are there. Lags end at breaks and gaps; every piece between them has an intercept of its own, and the
    residual keeps each piece's level. Our definition.

    Parameters
    ----------
    item : Recording
    settings : ConfoundSettings or dict, optional
    cancel : callable, optional
    **options
        Fields of the settings.

    Returns
    -------
    Recording
        What was done is the last entry of `provenance["history"]`. The recording itself, if nothing is to be partialled out or the
        same was done before.

    Raises
    ------
    InputError
        No such channel, no movement, or too few samples.
    """
    chosen = ConfoundSettings.parse(settings, where="confounds", **options)
    if not chosen.active or _done(item) == chosen.model_dump(mode="json"):
        return item
    found = regress(item, chosen, cancel=cancel)
    left_out = int((~np.isfinite(found.explained)).sum())
    entry: dict[str, Any] = {
        "operation": OPERATION,
        "settings": chosen.model_dump(mode="json"),
        "regressors": found.regressors,
        "explained_median": float(np.nanmedian(found.explained)),
    }
    if left_out:
        entry["neurons_left_out"] = left_out
    traces = item.traces.copy(data=found.residual.astype(item.traces.dtype))
    history = [*item.provenance.get("history", []), entry]
    return item.replace(traces=traces, provenance=dict(item.provenance) | {"history": history})


def partial_out_cohort(
    cohort: Cohort,
    settings: ConfoundSettings | dict[str, Any] | None = None,
    *,
    cancel: CancelCallback | None = None,
    **options: Any,
) -> Cohort:
    """`partial_out` for every worm; the cohort itself if nothing is to be done.

    Raises
    ------
    InputError
        Some worms lack a channel: all of them are named.
    """
    chosen = ConfoundSettings.parse(settings, where="confounds", **options)
    if not chosen.active:
        return cohort
    for channel in chosen.channels:
        absent = [r.name for r in cohort.recordings if channel not in r.behaviour]
        if absent:
            known = sorted({str(c) for r in cohort.recordings for c in r.behaviour.data_vars})
            some = ", ".join(absent[:5]) + (f" and {len(absent) - 5} more" if len(absent) > 5 else "")
            raise InputError(
                f"'{channel}' was not measured in {len(absent)} of {len(cohort.worms)} worms ({some})",
                where="confounds",
                fix=f"Leave these worms out, or choose other channels. Known: {', '.join(known) or 'none'}.",
            )
    changed = [partial_out(r, chosen, cancel=cancel) for r in cohort.recordings]
    if all(a is b for a, b in zip(changed, cohort.recordings, strict=True)):
        return cohort
    return Cohort(changed, cohort.settings)


def confound_report(
    cohort: Cohort,
    settings: ConfoundSettings | dict[str, Any] | None = None,
    *,
    shifts: int = 20,
    seed: int = 0,
    **options: Any,
) -> pd.DataFrame:
    """How much of every neuron the confounds explain, beside what the same confounds explain if they are shifted in time.

    Returns
    -------
    pandas.DataFrame
        worm, neuron, samples, explained (share of the variance), by_chance (mean over circular shifts of the behaviour by at least ten
        seconds, or a fifth of the recording), sorted by explained within each worm.
    """
    chosen = ConfoundSettings.parse(settings, where="confounds", **options)
    parts = []
    for index, recording in enumerate(cohort.recordings):
        found = regress(recording, chosen)
        rng = np.random.default_rng([seed, index])
        null = [regress(recording, chosen, shift=_shift(recording, rng)).explained for _ in range(shifts)]
        parts.append(
            pd.DataFrame(
                {
                    "worm": recording.name,
                    "neuron": [str(n) for n in recording.traces["neuron"].values],
                    "samples": found.samples,
                    "explained": found.explained,
                    "by_chance": np.mean(null, axis=0) if null else np.nan,
                }
            ).sort_values("explained", ascending=False, kind="stable")
        )
    return pd.concat(parts, ignore_index=True)


def regress(
    recording: Recording, settings: ConfoundSettings, *, shift: int = 0, cancel: CancelCallback | None = None
) -> Regression:
    """Regress every trace on the lagged confounds; `shift` moves behaviour circularly by so many samples first."""
    where = f"recording '{recording.name}'"
    time, values = recording.time_s, recording.traces.values.astype(float)
    limit = max(settings.gap_s, 2.5 * float(np.median(np.diff(time)))) if len(time) > 1 else np.inf
    parts = pieces(time, recording.breaks, limit)
    shared = _lagged(recording, settings, parts, shift, where)
    planes = _planes(recording, settings, shift, where)
    regressors = shared.shape[1] + len(planes)
    usable = np.isfinite(shared).all(axis=1)
    if usable.sum() < SAMPLES_A_REGRESSOR * regressors:
        raise InputError(
            f"{int(usable.sum())} samples are too few for {regressors} regressors",
            where=where,
            fix="Take fewer channels or lags, or leave this worm out.",
        )
    piece = np.full(len(time), -1)
    for number, (first, last) in enumerate(parts):
        piece[first:last] = number
    residual = np.full(values.shape, np.nan)
    explained, samples = np.full(values.shape[1], np.nan), np.zeros(values.shape[1], int)
    for neuron in range(values.shape[1]):
        if neuron % 32 == 0:
            check_cancel(cancel)
        columns = np.column_stack([shared, *[p[:, neuron] for p in planes]])
        keep = np.isfinite(values[:, neuron]) & np.isfinite(columns).all(axis=1)
        samples[neuron] = keep.sum()
        if keep.sum() < SAMPLES_A_REGRESSOR * regressors:
            continue
        x, design = values[keep, neuron], columns[keep]
        x_level, design = _levels(x[:, None], piece[keep])[:, 0], design - _levels(design, piece[keep])
        inside = x - x_level
        scale = np.linalg.norm(design, axis=0)
        beta = np.linalg.lstsq(design / np.where(scale > 0, scale, 1.0), inside, rcond=1e-10)[0]
        rest = inside - design / np.where(scale > 0, scale, 1.0) @ beta
        residual[keep, neuron] = rest + x_level
        total = float(inside @ inside)
        explained[neuron] = 1 - float(rest @ rest) / total if total > 0 else 0.0
    return Regression(residual, explained, samples, regressors)


def _levels(columns: Array, piece: Array) -> Array:
    """Mean of every column within each piece, repeated for its samples."""
    _, index = np.unique(piece, return_inverse=True)
    sums = np.zeros((index.max() + 1, columns.shape[1]))
    np.add.at(sums, index, columns)
    return np.asarray((sums / np.bincount(index)[:, None])[index])


def _lagged(
    recording: Recording, settings: ConfoundSettings, parts: list[tuple[int, int]], shift: int, where: str
) -> Array:
    """Behaviour channels at every lag, (time, channel x lag); NaN where a lag leaves the piece or meets a missing sample."""
    time = recording.time_s
    count = int(np.floor((settings.last_lag_s - settings.first_lag_s) / settings.lag_step_s + 1e-9)) + 1
    lags = settings.first_lag_s + settings.lag_step_s * np.arange(count)
    columns = []
    for channel in settings.channels:
        if channel not in recording.behaviour:
            known = ", ".join(map(str, recording.behaviour.data_vars)) or "none"
            raise InputError(f"there is no behaviour '{channel}'", where=where, fix=f"Known: {known}.")
        series = np.roll(np.asarray(recording.behaviour[channel].values, float), shift)
        if not np.isfinite(series).any():
            raise InputError(f"behaviour '{channel}' was never measured", where=where, fix="Choose another channel.")
        for lag in lags:
            column = np.full(len(time), np.nan)
            for first, last in parts:
                own = time[first:last]
                wanted = own - lag
                inside = (wanted >= own[0] - 1e-9) & (wanted <= own[-1] + 1e-9)
                column[first:last][inside] = _between(wanted[inside], own, series[first:last])
            columns.append(column)
    return np.column_stack(columns) if columns else np.empty((len(time), 0))


def _between(wanted: Array, time: Array, series: Array) -> Array:
    """Series at some times: its samples where they fall on one, else linear between two; NaN next to a missing one."""
    found = np.interp(wanted, time, series)
    at = np.abs(wanted[:, None] - time[np.clip(np.searchsorted(time, wanted)[:, None] + [-1, 0], 0, len(time) - 1)])
    nearest = np.clip(np.searchsorted(time, wanted) - 1 + at.argmin(axis=1), 0, len(time) - 1)
    exact = at.min(axis=1) < 1e-6 * (time[-1] - time[0] + 1e-12)
    found[exact] = series[nearest[exact]]
    return np.asarray(found)


def _planes(recording: Recording, settings: ConfoundSettings, shift: int, where: str) -> list[Array]:
    if not settings.motion:
        return []
    found = [
        np.roll(np.asarray(recording.traces[n].values, float), shift, axis=0)
        for n in MOVEMENT
        if n in recording.traces.coords
    ]
    if not found:
        raise InputError(
            "the movement of its neurons is not known",
            where=where,
            fix="Extract the traces with labels of every frame or a reference channel, or set confounds.motion = false.",
        )
    return found


def _done(recording: Recording) -> Any:
    """Settings of the last operation, if that was to partial out."""
    history = list(recording.provenance.get("history", []))
    last = history[-1] if history and isinstance(history[-1], dict) else {}
    return last.get("settings") if last.get("operation") == OPERATION else None


def _shift(recording: Recording, rng: np.random.Generator) -> int:
    n = recording.n_times
    least = min(int(np.ceil(10.0 * recording.rate_hz)), n // 5)
    return int(rng.integers(least, max(n - least, least + 1)))
