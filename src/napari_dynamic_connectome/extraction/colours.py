"""Mean colour of every neuron in separate colour channels (NeuroPAL).

In: labels and one image a colour, in the same voxels. Out: one number a neuron and colour, in the image's own units.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..model.errors import InputError
from ..model.progress import CancelCallback, check_cancel
from ..model.voxels import read_voxels

COLOURS = ("red", "green", "blue")
FRAMES = 5
"""Frames that are averaged where images or labels change over time: the colours of a neuron do not."""


def mean_colours(
    labels: Any, channels: Mapping[str, Any], label_ids: np.ndarray, *, cancel: CancelCallback | None = None
) -> pd.DataFrame:
    """Average each colour channel over the voxels of each neuron.

    Parameters
    ----------
    labels : array (z, y, x) or (t, z, y, x)
    channels : mapping of str to array (z, y, x) or (t, z, y, x)
        "red", "green" and "blue", or some of them. Where images or labels have frames, a few of them are averaged.
    label_ids : array of int (neuron,)
    cancel : callable, optional

    Returns
    -------
    pandas.DataFrame
        One row a label id, in their order; one column a channel; NaN where a neuron has no voxel.

    Raises
    ------
    InputError
        An image whose voxels are not those of the labels.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.zeros((1, 2, 2), int)
    >>> labels[0, 0] = 3
    >>> float(mean_colours(labels, {"red": labels * 10.0}, np.array([3]))["red"].iloc[0])
    30.0
    """
    spatial = tuple(int(n) for n in labels.shape[-3:])
    for colour, image in channels.items():
        if image.ndim not in (3, 4) or tuple(int(n) for n in image.shape[-3:]) != spatial:
            raise InputError(
                f"the {colour} channel has shape {tuple(image.shape)}, the labels {tuple(labels.shape)}",
                fix="Colour channels need the same z, y and x as the labels.",
            )
    order = np.argsort(label_ids)
    lengths = [int(a.shape[0]) for a in (labels, *channels.values()) if a.ndim == 4]
    n_frames = min(lengths, default=1)
    frames = np.unique(np.linspace(0, n_frames - 1, FRAMES).astype(int))
    total = {colour: np.zeros(len(label_ids)) for colour in channels}
    count = np.zeros(len(label_ids))
    for frame in frames:
        check_cancel(cancel)
        flat = read_voxels(labels[frame] if labels.ndim == 4 else labels).reshape(-1)
        inside = np.flatnonzero(flat)
        place = np.searchsorted(label_ids, flat[inside], sorter=order)
        place = order[np.minimum(place, len(order) - 1)]
        known = label_ids[place] == flat[inside]
        inside, place = inside[known], place[known]
        count += np.bincount(place, minlength=len(label_ids))
        for colour, image in channels.items():
            values = np.asarray(image[frame] if image.ndim == 4 else image).reshape(-1)[inside].astype(float)
            total[colour] += np.bincount(place, np.nan_to_num(values), minlength=len(label_ids))
    with np.errstate(invalid="ignore", divide="ignore"):
        return pd.DataFrame({c: np.where(count > 0, t / count, np.nan) for c, t in total.items()}, index=label_ids)
