"""Product of z-scored derivatives (edge time series)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..features import ProductFeatures
from ..sampling import Sampling, still

if TYPE_CHECKING:
    from ..settings import AffinitySettings

Array = np.ndarray


def features(
    sampling: Sampling, neurons: Array, times: Array, usable: Array, settings: AffinitySettings
) -> ProductFeatures:
    """Features of one worm; see `affinity.measures`."""
    slope = sampling.fit(settings.sigma_s, 1)[0]
    slope[still(sampling)] = 0.0
    value = np.zeros(usable.shape, np.float32)
    for row, neuron in enumerate(neurons):
        ok = usable[row]
        spread = float(slope[neuron, ok].std()) if ok.any() else 0.0
        if spread > 0:
            z = (slope[neuron, ok] - slope[neuron, ok].mean()) / spread
            value[row, ok] = np.clip(z / settings.z_limit, -1.0, 1.0)
    return ProductFeatures(value)
