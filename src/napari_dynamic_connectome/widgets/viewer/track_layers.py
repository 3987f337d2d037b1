"""Tracks layers of other plugins as centres of neurons, in frames and voxels of the volume they lie over."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...model.errors import InputError


def centres_of_tracks(tracks: Any, image: Any) -> pd.DataFrame:
    """Return frame, id, z, y, x of a Tracks layer, as it is seen over an image.

    Parameters
    ----------
    tracks : napari.layers.Tracks
        Rows (track, t, z, y, x), or (track, t, y, x) where it is flat.
    image : napari.layers.Image
        The volume (t, z, y, x).

    Raises
    ------
    InputError
        Its times are no frames of the image, or a track divides.
    """
    rows = np.asarray(tracks.data, float)
    spot = f"layer '{tracks.name}'"
    if len(rows) == 0:
        raise InputError("the layer has no tracks", where=spot, fix="Track first.")
    if rows.shape[1] not in (4, 5):
        raise InputError(f"tracks of {rows.shape[1] - 1} axes", where=spot, fix="Needed: time, z, y, x.")
    divided = [int(k) for k, parents in dict(tracks.graph).items() if np.size(parents)]
    if divided:
        raise InputError(
            f"track {divided[0]} comes from another one: it divides or merges, which neurons do not",
            where=spot,
            fix="Track without divisions, or cut the track there.",
        )
    world = rows[:, 1:] * np.asarray(tracks.scale) + np.asarray(tracks.translate)
    if world.shape[1] == 3:
        world = np.insert(world, 1, np.asarray(image.translate)[-3], axis=1)
    places = (world - np.asarray(image.translate)[-4:]) / np.asarray(image.scale)[-4:]
    frames = np.round(places[:, 0])
    if np.abs(places[:, 0] - frames).max() > 0.1 or frames.min() < 0:
        raise InputError(
            "the times of the tracks are no frames of the image",
            where=spot,
            fix="Give the tracks the scale of the image along time (layer controls, or layer.scale).",
        )
    ids = rows[:, 0].astype(np.int64)
    table = pd.DataFrame({"frame": frames.astype(np.int64), "id": ids + (1 if ids.min() == 0 else 0)})
    for at, axis in enumerate("zyx", start=1):
        table[axis] = places[:, at]
    if table.duplicated(["frame", "id"]).any():
        raise InputError("a track is at two places in one frame", where=spot, fix="Keep one of them.")
    table["name"] = ""
    return table
