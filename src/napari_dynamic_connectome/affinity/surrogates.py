"""Surrogate cohorts for null models: what a pair's affinity would be if neurons knew nothing of each other.

Goes in: a cohort and a seed. Comes out: a cohort of the same shape, names and missing values in which every neuron keeps its own
dynamics but its timing against the others is destroyed.
"""

from __future__ import annotations

import itertools
from typing import Literal

import numpy as np

from ..model.cohort import Cohort
from ..model.errors import InputError
from ..model.recording import Recording

Array = np.ndarray
Method = Literal["circular shift", "phase randomisation"]


def surrogate_cohort(
    cohort: Cohort,
    method: Method = "circular shift",
    *,
    seed: int = 0,
    min_shift_s: float = 5.0,
    cut_at_stimuli: bool = True,
) -> Cohort:
    """Break the timing between neurons and keep everything else.

    Parameters
    ----------
    cohort : Cohort
    method : {"circular shift", "phase randomisation"}
        `circular shift`: every neuron is shifted by its own amount inside every block, around the block's end.
        `phase randomisation`: every neuron keeps its power spectrum in every block and gets random phases (Theiler et al. 1992);
        its distribution of values changes.
    seed : int
    min_shift_s : float
        Shifts are at least this long in either direction, and a quarter of the block in shorter blocks.
    cut_at_stimuli : bool
        Blocks lie between breaks and stimulus onsets, so that responses stay with their stimulus; otherwise between breaks.

    Returns
    -------
    Cohort
        Missing samples stay where they are.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_dynamic_connectome import Cohort, Recording
    >>> worm = Recording.from_arrays(np.random.default_rng(0).random((80, 2)), name="w", rate_hz=4, names=["AVAL", "AVAR"])
    >>> other = surrogate_cohort(Cohort([worm]), seed=1)
    >>> bool(np.allclose(np.sort(other.recordings[0].traces, axis=0), np.sort(worm.traces, axis=0)))
    True
    """
    if method not in ("circular shift", "phase randomisation"):
        raise InputError(
            f"there is no surrogate '{method}'", where="surrogates", fix="Known: circular shift, phase randomisation."
        )
    streams = np.random.default_rng(seed).spawn(len(cohort.recordings))
    changed = [
        _surrogate(recording, method, rng, min_shift_s, cut_at_stimuli)
        for recording, rng in zip(cohort.recordings, streams, strict=True)
    ]
    return Cohort(changed, cohort.settings)


def _surrogate(
    recording: Recording, method: Method, rng: np.random.Generator, min_shift_s: float, cut_at_stimuli: bool
) -> Recording:
    time = recording.time_s
    cuts = list(recording.breaks) + (recording.stimuli["onset"].tolist() if cut_at_stimuli else [])
    edges = np.unique(np.concatenate([[0], np.searchsorted(time, sorted(cuts)), [len(time)]])).astype(int)
    values = recording.traces.values.copy()
    rate = 1.0 / float(np.median(np.diff(time))) if len(time) > 1 else 1.0
    for first, last in itertools.pairwise(edges):
        for neuron in range(values.shape[1]):
            block = values[first:last, neuron]
            seen = np.isfinite(block)
            # Measured samples move among the measured places: gaps stay where they are.
            if method == "circular shift":
                block[seen] = _shift(block[seen], round(min_shift_s * rate), rng)
            else:
                block[seen] = phase_randomised(block[seen], rng)
    return recording.replace(traces=recording.traces.copy(data=values))


def _shift(values: Array, least: int, rng: np.random.Generator) -> Array:
    n = len(values)
    least = min(max(1, least), n // 4)
    if n < 2:
        return values
    return np.roll(values, int(rng.integers(least, n - least + 1)))


def phase_randomised(values: Array, rng: np.random.Generator) -> Array:
    """Series with the same mean and power spectrum and random phases, shape (n,)."""
    n = len(values)
    if n < 3:
        return values
    spectrum = np.fft.rfft(values.astype(float))
    # The mean, and with an even length the highest frequency, are real and have no phase.
    free = slice(1, len(spectrum) - 1 if n % 2 == 0 else len(spectrum))
    spectrum[free] *= np.exp(2j * np.pi * rng.random(len(spectrum[free])))
    return np.asarray(np.fft.irfft(spectrum, n).astype(values.dtype))
