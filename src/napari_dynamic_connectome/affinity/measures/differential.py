"""Common rises and falls: neurons that change at the same time, and keep the direction together for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..features import CODED, LongRunFeatures, RunFeatures
from ..sampling import Sampling, still

if TYPE_CHECKING:
    from ..settings import AffinitySettings

Array = np.ndarray
PEAK = 99.0
"""Percentile of a neuron's slopes that counts as full strength where `scale` is "peak"."""
MEANS = 3.0
"""Full strength in units of the neuron's mean slope where `scale` is "mean"."""
FLOOR = 3.0
"""Full strength is at least this many standard deviations of the slope's noise, so that noise never saturates."""


def features(
    sampling: Sampling, neurons: Array, times: Array, usable: Array, settings: AffinitySettings
) -> RunFeatures | LongRunFeatures:
    """Features of one worm; see `affinity.measures`."""
    value = np.where(usable, strengths(sampling, settings)[neurons], 0.0).astype(np.float32)
    min_run = max(1, int(np.ceil(settings.min_run_s * sampling.rate_hz - 1e-6)))
    return run_features(value, np.ascontiguousarray(sampling.neuron_breaks[neurons]), min_run)


def strengths(sampling: Sampling, settings: AffinitySettings) -> Array:
    """Signed strength of change r_i(t) of every neuron, float64 (n, T), -1 to 1 (our definition).

    1. d_i: slope by a local linear fit with Gaussian weights of width `sigma_s` (inside a piece, the trace convolved with the
       derivative of a Gaussian).
    2. u_i: d_i, soft threshold at `kappa` standard deviations of its noise.
    3. r_i = min(|u_i| / s_i, 1) ** exponent with the sign of u_i, where s_i is three times the mean of |u_i| (or its 99th
       percentile), and at least three standard deviations of the noise of d_i.
    """
    slope, gain = sampling.fit(settings.sigma_s, 1)
    slope[still(sampling)] = 0.0
    noise = sampling.noise()[:, None] * gain
    size = np.maximum(np.abs(slope) - settings.kappa * noise, 0.0)
    out = np.zeros(slope.shape)
    for neuron, ok in enumerate(sampling.valid):
        if not ok.any():
            continue
        mine = size[neuron, ok]
        full = float(np.percentile(mine, PEAK)) if settings.scale == "peak" else MEANS * float(mine.mean())
        full = max(full, FLOOR * float(np.median(noise[neuron, ok])))
        if full > 0:
            out[neuron, ok] = np.sign(slope[neuron, ok]) * np.minimum(mine / full, 1.0) ** settings.exponent
    return out


def run_features(value: Array, breaks: Array, min_run: int) -> RunFeatures | LongRunFeatures:
    """Features of the differential affinity.

    Parameters
    ----------
    value : float32 array (n, T)
        Strength of change with its sign.
    breaks : bool array (n, T)
        Where a neuron's sample does not follow its predecessor.
    min_run : int
        Samples that a joint run must last.
    """
    from ..kernels import run_codes, run_lengths

    dtype = np.uint8 if min_run < 128 else np.uint16 if min_run < 32_768 else np.uint32
    ahead, behind = np.empty(value.shape, dtype), np.empty(value.shape, dtype)
    run_lengths(value, breaks, min_run, ahead, behind)
    if min_run > CODED:
        return LongRunFeatures(value, ahead, behind, min_run)
    code = np.empty(value.shape, np.min_scalar_type(2 ** (2 * min_run) - 1))
    run_codes(value, ahead, behind, min_run, code)
    return RunFeatures(np.abs(value), code, min_run)
