"""Scale on which a recording's names are rated: 0 to 1, or 0 to 5 or 100 as some data sets do."""

from __future__ import annotations

import numpy as np
import pandas as pd

SCALES = (1.0, 5.0, 100.0)
LOW = 0.5
"""Names below this share of the scale are shown as doubtful."""


def scale_of(neurons: pd.DataFrame) -> float:
    """Return the largest confidence that can be given, by the largest that was.

    Examples
    --------
    >>> scale_of(pd.DataFrame({"confidence": [np.nan, 0.4]})), scale_of(pd.DataFrame({"confidence": [3.0, 4.0]}))
    (1.0, 5.0)
    """
    values = neurons["confidence"].to_numpy(float)
    top = float(np.nanmax(values)) if np.isfinite(values).any() else 1.0
    return next((s for s in SCALES if top <= s), top)


def doubtful(neurons: pd.DataFrame) -> np.ndarray:
    """Return which named neurons (neuron,) have a name that was given with little confidence."""
    named = (neurons["name"] != "").to_numpy()
    return np.asarray(named & (neurons["confidence"].to_numpy(float) < LOW * scale_of(neurons)))
