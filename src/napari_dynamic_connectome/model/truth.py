"""Truth that a simulation planted, which recovery is measured against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from .summary import Summary


@dataclass(frozen=True, eq=False, repr=False)
class Truth(Summary):
    """Planted motifs of a simulated cohort.

    Parameters
    ----------
    motifs : pandas.DataFrame
        motif (from 1), kind ("spontaneous" or "stimulus"), stimulus ("" unless locked to one).
    members : pandas.DataFrame
        motif, neuron, sign (+1 or -1), loading (0 to 1).
    windows : pandas.DataFrame
        motif, worm, onset, offset (s): when the motif is driven in which worm.
    extra : dict
        Whatever else a test may want, such as noise-free activity.
    """

    motifs: pd.DataFrame
    members: pd.DataFrame
    windows: pd.DataFrame
    extra: Mapping[str, Any] = field(default_factory=dict)
