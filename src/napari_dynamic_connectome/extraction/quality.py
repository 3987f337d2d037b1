"""Quality of every neuron: signal to noise so far."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..model.recording import Recording
from .settings import QualitySettings


def assess_quality(
    recording: Recording, settings: QualitySettings | dict[str, Any] | None = None, **options: Any
) -> Recording:
    """Return the recording with its `quality` table filled."""
    parsed = QualitySettings.parse(settings, where="quality", **options)
    values = recording.traces.values.astype(float)
    with np.errstate(invalid="ignore"):
        second = np.diff(values, n=2, axis=0)
        noise = 1.4826 / np.sqrt(6) * np.array([_mad(c) for c in second.T])
        variance = np.array([np.nanvar(c) if np.isfinite(c).any() else np.nan for c in values.T])
        snr = np.sqrt(np.maximum(variance - noise**2, 0)) / noise
    table = pd.DataFrame({"snr": snr}, index=recording.neurons.index)
    table["flagged"] = table["snr"] < parsed.min_snr
    return recording.replace(quality=table)


def _mad(values: np.ndarray) -> float:
    good = values[np.isfinite(values)]
    return float(np.median(np.abs(good - np.median(good)))) if len(good) else float("nan")
