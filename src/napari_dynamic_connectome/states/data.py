"""Data that the model of states is fitted to: every worm's present frames, and the past frames that predict them.

A neuron that a worm lacks is nowhere in that worm's arrays: neither predicted nor predicting. Nothing reaches across a break or gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..affinity.sampling import complete_part, natural_rate, sample_worm
from ..model.cohort import Cohort
from ..model.errors import InputError
from ..model.progress import CancelCallback, check_cancel
from .settings import StatesSettings

Array = np.ndarray
LEAST_FRAMES = 20


@dataclass(frozen=True, eq=False)
class WormFrames:
    """One worm on an even clock.

    Parameters
    ----------
    name : str
    neurons : int array (n,)
        Its neurons, as indices into the cohort's.
    columns : int array (n * lags + 1,)
        Its predictors, as indices into the cohort's: lag-major, the constant last.
    present : float64 array (F, n)
        Frames that can be predicted, standardised in this worm.
    past : float64 array (F, n * lags + 1)
        What predicts them.
    frames : int array (F,)
        Where these frames lie on the clock.
    begins : bool array (T,)
        Clock times at which a chain of states begins.
    time_s : float array (T,)
    fitted : bool array (F,)
        Frames that the fit may see.
    """

    name: str
    neurons: Array
    columns: Array
    present: Array
    past: Array
    frames: Array
    begins: Array
    time_s: Array
    fitted: Array

    @property
    def n_times(self) -> int:
        """Length of the clock."""
        return len(self.time_s)


@dataclass(frozen=True, eq=False)
class StateData:
    """All worms.

    Parameters
    ----------
    worms : tuple of WormFrames
    neurons : tuple of str
    lags : int
    rate_hz : float
    notes : tuple of str
        What was left out and why.
    """

    worms: tuple[WormFrames, ...]
    neurons: tuple[str, ...]
    lags: int
    rate_hz: float
    notes: tuple[str, ...] = ()

    @property
    def n_columns(self) -> int:
        """Predictors of all neurons, and the constant."""
        return len(self.neurons) * self.lags + 1

    @property
    def n_values(self) -> int:
        """Observed values that the fit sees."""
        return sum(int(w.fitted.sum()) * len(w.neurons) for w in self.worms)

    def known(self) -> Array:
        """Which weights some worm can tell: bool (N, predictors)."""
        seen = np.zeros((len(self.neurons), self.n_columns), bool)
        for worm in self.worms:
            if worm.fitted.any():
                seen[np.ix_(worm.neurons, worm.columns)] = True
        return seen

    def hide(self, hidden: Sequence[Array]) -> StateData:
        """The same data with some frames (bool (F,) a worm) kept from the fit."""
        worms = tuple(replace(w, fitted=w.fitted & ~h) for w, h in zip(self.worms, hidden, strict=True))
        return replace(self, worms=worms)


def read_frames(cohort: Cohort, settings: StatesSettings, cancel: CancelCallback | None = None) -> StateData:
    """Lay every worm on the common clock and collect its frames.

    Raises
    ------
    InputError
        A worm is too short, no neuron is shared, nothing is left.
    """
    rate = settings.rate_hz or min(natural_rate(r.time_s) for r in cohort.recordings if r.n_times > 2)
    worms, notes = [], []
    for number in range(len(cohort.worms)):
        check_cancel(cancel)
        worm, said = _read_worm(cohort, number, rate, settings)
        worms.append(worm)
        notes += said
    _check_shared(cohort, worms)
    return StateData(tuple(worms), cohort.neurons, settings.lags, rate, tuple(notes))


def _read_worm(cohort: Cohort, number: int, rate: float, settings: StatesSettings) -> tuple[WormFrames, list[str]]:
    recording, traces = cohort.recordings[number], cohort.traces_of(number)
    where = f"recording '{recording.name}'"
    if recording.n_times < LEAST_FRAMES:
        raise InputError(
            f"{recording.n_times} frames are too few to tell states apart",
            where=where,
            fix=f"Leave this worm out; {LEAST_FRAMES} is the least.",
        )
    sampling = sample_worm(recording.time_s, traces.values, recording.breaks, rate, settings.gap_s)
    names = [str(n) for n in traces["neuron"].values]
    values = np.where(sampling.valid, sampling.levels(), np.nan)
    with np.errstate(invalid="ignore"):
        spread = np.array([np.ptp(v[np.isfinite(v)]) if np.isfinite(v).any() else 0.0 for v in values])
    changing = spread > 0
    keep, times = complete_part(sampling.valid & changing[:, None])
    notes = _left_out(recording.name, names, keep, changing)
    if keep.sum() < 2:
        raise InputError(
            f"{'only 1 neuron was' if keep.any() else 'no neuron was'} measured in the time that is used, and changes there",
            where=where,
            fix="Leave this worm out, or check its traces for gaps and constant values.",
        )
    level = values[keep].T
    level = (level - level[times].mean(axis=0)) / level[times].std(axis=0)
    level[~times] = 0.0
    frames = _predictable(times, sampling.breaks, settings.lags)
    if len(frames) < LEAST_FRAMES:
        raise InputError(
            f"{len(frames)} frames follow {settings.lags} measured ones without a break or gap",
            where=where,
            fix=f"Leave this worm out, or use fewer lags; {LEAST_FRAMES} is the least.",
        )
    index = {n: i for i, n in enumerate(cohort.neurons)}
    neurons = np.array([index[n] for n, k in zip(names, keep, strict=True) if k], dtype=np.int64)
    total = len(cohort.neurons)
    past = np.concatenate(
        [level[frames - lag] for lag in range(1, settings.lags + 1)] + [np.ones((len(frames), 1))], axis=1
    )
    columns = np.concatenate([neurons + lag * total for lag in range(settings.lags)] + [[total * settings.lags]])
    begins = sampling.breaks.copy()
    begins[0] = True
    worm = WormFrames(
        recording.name,
        neurons,
        columns,
        np.ascontiguousarray(level[frames]),
        past,
        frames,
        begins,
        sampling.time_s,
        np.ones(len(frames), bool),
    )
    return worm, notes


def _predictable(times: Array, breaks: Array, lags: int) -> Array:
    """Frames that were measured, as were the `lags` before them, without a break in between."""
    usable = times.copy()
    usable[:lags] = False
    for lag in range(1, lags + 1):
        usable[lag:] &= times[:-lag]
    for back in range(lags):
        usable[back:] &= ~breaks[: len(breaks) - back]
    return np.flatnonzero(usable)


def _left_out(worm: str, names: list[str], keep: Array, changing: Array) -> list[str]:
    notes = []
    for why, which in (("never change", ~changing), ("not measured for part of the time", ~keep & changing)):
        out = [n for n, k in zip(names, which, strict=True) if k]
        if out:
            some = ", ".join(out[:5]) + (f" and {len(out) - 5} more" if len(out) > 5 else "")
            notes.append(f"{worm}: {some} left out ({why})")
    return notes


def _check_shared(cohort: Cohort, worms: list[WormFrames]) -> None:
    """Worms must hang together: by at least two neurons that each new worm shares with one already reached."""
    reached, waiting = [0], list(range(1, len(worms)))
    while waiting:
        found = [
            w for w in waiting if any(len(np.intersect1d(worms[w].neurons, worms[r].neurons)) >= 2 for r in reached)
        ]
        if not found:
            raise InputError(
                f"'{worms[waiting[0]].name}' shares fewer than two neurons with the other worms, so they cannot share states",
                where="states",
                fix="Name more neurons in it, or fit it alone.",
            )
        reached += found
        waiting = [w for w in waiting if w not in found]
