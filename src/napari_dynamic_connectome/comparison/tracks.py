"""Tracks of labels over a series: identity switches and gaps of every reference object."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

COLUMNS = (
    "reference",
    "name",
    "frames",
    "matched_frames",
    "switches",
    "gaps",
    "gap_frames",
    "labels",
    "first_switch",
    "z",
    "y",
    "x",
)


def track_table(matches: pd.DataFrame, names: Mapping[int, str] | None = None) -> pd.DataFrame:
    """Follow the label of every reference object from frame to frame.

    Parameters
    ----------
    matches : pandas.DataFrame
        One row a frame and reference object: frame, reference, label (-1 = not matched).
    names : dict of int -> str, optional

    Returns
    -------
    pandas.DataFrame
        One row a reference object, most switches first: frames in which it is there, matched_frames; switches: how often its label
        differs from the one it had when it was last matched (Bernardin & Stiefelhagen 2008); gaps: stretches without a match
        between two matched frames, and their frames in all; labels: how many different ones; first_switch: frame, -1 if none, with its centre (z, y, x) there
        where `matches` has them, else NaN.
    """
    rows = []
    ordered = matches.sort_values(["reference", "frame"], kind="stable")
    identity, start = np.unique(ordered["reference"].to_numpy(), return_index=True)
    labels = np.split(ordered["label"].to_numpy(), start[1:])
    frames = np.split(ordered["frame"].to_numpy(), start[1:])
    placed = {"z", "y", "x"} <= set(ordered.columns)
    centres = ordered[["z", "y", "x"]].to_numpy(float) if placed else np.full((len(ordered), 3), np.nan)
    places = np.split(centres, start[1:])
    for reference, label, frame, place in zip(identity.tolist(), labels, frames, places, strict=True):
        seen = np.flatnonzero(label >= 0)
        change = np.flatnonzero(np.diff(label[seen]) != 0)
        between = np.diff(seen) - 1
        rows.append(
            (
                reference,
                (names or {}).get(reference, ""),
                len(label),
                len(seen),
                len(change),
                int((between > 0).sum()),
                int(between.sum()),
                len(np.unique(label[seen])),
                int(frame[seen[change[0] + 1]]) if len(change) else -1,
                *(place[seen[change[0] + 1]].tolist() if len(change) else (float("nan"),) * 3),
            )
        )
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.sort_values(["switches", "gap_frames"], ascending=False, kind="stable").reset_index(drop=True)
