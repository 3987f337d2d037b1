"""Corrections of traces: placeholder order is that of `CorrectionSettings`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..model.errors import InputError
from ..model.recording import Recording
from .settings import CorrectionSettings


def correct_traces(
    recording: Recording, settings: CorrectionSettings | dict[str, Any] | None = None, **options: Any
) -> Recording:
    """Return the recording with dF/F0 traces."""
    parsed = CorrectionSettings.parse(settings, where="correction", **options)
    values = recording.traces.values.astype(float)
    if parsed.baseline == "none":
        return recording
    if not np.isfinite(values).any():
        raise InputError("all traces are missing", where=f"recording '{recording.name}'")
    import pandas as pd

    window = max(round(parsed.baseline_window_s * recording.rate_hz) | 1, 3)
    base = (
        pd.DataFrame(values)
        .rolling(window, center=True, min_periods=1)
        .quantile(parsed.baseline_percentile / 100)
        .to_numpy()
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = np.where(base > 0, (values - base) / base, np.nan).astype(np.float32)
    history = [*recording.provenance.get("history", []), {"operation": "correct", "settings": parsed.model_dump()}]
    traces = recording.traces.copy(data=relative)
    traces.attrs["units"] = "dF/F0"
    return recording.replace(traces=traces, provenance=dict(recording.provenance) | {"history": history})
