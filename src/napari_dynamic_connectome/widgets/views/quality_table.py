"""The table of a recording's quality: the worst neurons first, with the reasons in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...model.recording import Recording
from ..qt.table_view import Column, Table

MEASURES = (
    ("snr", "SNR {:.2f}"),
    ("bleaching", "{:.0%} of the fluorescence lost"),
    ("saturated", "{:.2%} of the voxels saturated"),
    ("missing", "{:.1%} of the frames missing"),
    ("motion", "correlation with its own motion {:.2f}"),
    ("contamination", "correlation with a near neighbour {:.2f}"),
    ("jumps", "{:.0f} suspicious jumps"),
)
FULL_BAR = 10.0
"""SNR at which the bar is full."""


class QualityTable(Table):
    """Neurons with SNR, voxels and reasons."""

    def __init__(self) -> None:
        super().__init__(
            [
                Column("neuron", lambda r: r["id"], 70),
                Column(
                    "SNR",
                    lambda r: _short(r["snr"]),
                    84,
                    bar=lambda r: min(r["snr"] / FULL_BAR, 1.0),
                    tip="Standard deviation of the signal over that of the noise.",
                ),
                Column("voxels", lambda r: _short(r["voxels"], 0), 50, right=True, tip="Median number of voxels."),
                Column("why", lambda r: r["why"], 0, muted=True, tip="What is beyond its limit."),
            ]
        )
        self.setMinimumHeight(120)
        self.setToolTip("The worst neurons first. A click (or Up and Down) flies to the neuron.")
        self.rows_model.row_tip = lambda r: r["tip"]

    def show_recording(self, recording: Recording) -> str:
        """Show a recording's neurons; return in words how many are flagged."""
        if not is_measured(recording):
            self.rows_model.set_rows([])
            return "not measured yet"
        rows = quality_rows(recording)
        self.rows_model.set_rows(rows)
        return f"{sum(r['flagged'] for r in rows)} of {len(rows)} neurons flagged, worst first"


def is_measured(recording: Recording) -> bool:
    """Whether the quality was measured."""
    return recording.quality is not None and "snr" in recording.quality


def quality_rows(recording: Recording) -> list[dict[str, Any]]:
    """Return the rows of the table, flagged neurons and low ranks first."""
    table = recording.quality
    if table is None:
        return []
    flags = table["flagged"].to_numpy(bool) if "flagged" in table else np.zeros(len(table), bool)
    reasons = table["reason"].astype(str).tolist() if "reason" in table else [""] * len(table)
    snr = table["snr"].to_numpy(float)
    rank = table["rank"].to_numpy(float) if "rank" in table else np.nan_to_num(snr, nan=-1)
    voxels = recording.traces.coords.get("n_voxels")
    counts = np.full(len(table), np.nan) if voxels is None else np.asarray(voxels.values, float)
    order = sorted(range(len(table)), key=lambda i: (not flags[i], rank[i]))
    return [
        {
            "id": str(table.index[i]),
            "flagged": bool(flags[i]),
            "snr": float(snr[i]),
            "voxels": float(counts[i]),
            "why": reasons[i] or ("low SNR" if flags[i] else ""),
            "tip": _measures(table.iloc[i], counts[i], reasons[i]),
        }
        for i in order
    ]


def _short(value: float, digits: int = 1) -> str:
    return "–" if value != value else f"{value:.{digits}f}"


def _measures(row: Any, voxels: float, reason: str) -> str:
    """All measures of a neuron in words, for the tooltip of its row."""
    words = [reason] if reason else []
    for column, text in MEASURES:
        value = float(row[column]) if column in row else float("nan")
        if value == value:
            words.append(text.format(value))
    if voxels == voxels:
        words.append(f"{voxels:.0f} voxels")
    return "\n".join(words)
