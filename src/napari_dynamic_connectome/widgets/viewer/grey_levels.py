"""Grey levels of a volume: where its empty part ends and its brightest nuclei begin."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ...model.voxels import read_voxels

LEVELS = "dynamic_connectome_levels"
"""Key of a layer's metadata under which the levels are kept: on the GUI thread, reading a frame would take too long."""
PERCENTILES = (97.0, 99.95)


def empty_and_bright(data: Any) -> tuple[float, float]:
    """Percentiles of the frame in the middle.

    Parameters
    ----------
    data : array or sequence of arrays
        ([time,] z, y, x), maybe lazy; of a pyramid, the finest level is read.
    """
    values = _frame(data, 0.5)
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, PERCENTILES)
    return float(low), float(high)


def with_levels(item: tuple[Any, dict[str, Any], str]) -> tuple[Any, dict[str, Any], str]:
    """Layer data of an image with its levels and contrast, which napari would else read on the GUI thread."""
    data, options, kind = item
    if kind != "image" or options.get("rgb") or options.get("channel_axis") is not None:
        return item
    try:
        levels = empty_and_bright(data)
        values = [one for one in map(partial(_frame, data), (0.0, 0.5, 1.0)) if one.size]
        low, high = (
            min((float(np.nanmin(v)) for v in values), default=0.0),
            max((float(np.nanmax(v)) for v in values), default=0.0),
        )
    except Exception:  # what is wrong with a frame is said when it is shown; the others may be fine
        return item
    options = {**options, "metadata": {**options.get("metadata", {}), LEVELS: levels}}
    if values and values[0].dtype != np.uint8 and "contrast_limits" not in options and high > low:
        options["contrast_limits"] = (low, high)
    return data, options, kind


def _frame(data: Any, share: float) -> np.ndarray:
    """Every third row and column of a frame: 0 the first, 1 the last one. Without time, of the volume."""
    data = data[0] if isinstance(data, (list, tuple)) or type(data).__name__ == "MultiScaleData" else data
    frame = data[round(share * (data.shape[0] - 1))] if data.ndim == 4 else data
    return read_voxels(frame[..., ::3, ::3])
