"""The table of a worm's neurons: names, classes, confidence, who named them, and their colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...display.palette import hex_color
from ...model.neurons import info, mirror
from ...model.recording import Recording
from ...naming.confidence import doubtful, scale_of
from ..qt.table_view import Column, Table
from ..qt.theme import swatch
from .history import local

SHOWN = ("All", "Unnamed", "Low confidence")
NONE = float("nan")
"""No confidence: always the same, so that rows that differ in nothing are equal."""


class NeuronTable(Table):
    """Neurons, several of which can be chosen."""

    def __init__(self) -> None:
        super().__init__(
            [
                Column("neuron", lambda r: str(r["label"]), 50, right=True, tip="Label in the image."),
                Column(
                    "name",
                    lambda r: r["name"] or "–",
                    78,
                    icon=lambda r: r["icon"],
                    bold=lambda r: r["chosen"],
                    strike=lambda r: r["rejected"],
                    tip="Swatch: the neuron's own mean colour where colour channels were measured, else its colour in 3D.",
                ),
                Column("class", lambda r: r["class"], 48, muted=True),
                Column("confidence", lambda r: _number(r["confidence"]), 78, bar=lambda r: r["sure"]),
                Column("named by", lambda r: r["by"], 0, muted=True, tip="Who gave the name, and when."),
            ],
            multi=True,
        )
        self.setMinimumHeight(140)
        self.rows_model.row_tip = _row_tip
        self.setToolTip("Neurons of the open worm. Shift or Ctrl and click choose several; typing begins a name.")


class Namers:
    """Who named which neuron last."""

    def __init__(self) -> None:
        self._edits = -1
        self._named_by: dict[tuple[str, int], Any] = {}

    def of(self, history: Sequence[Any]) -> Mapping[tuple[str, int], Any]:
        """Return the last edit of every neuron's name, by recording and label; made again only when there are new edits."""
        if self._edits != len(history):
            self._edits = len(history)
            self._named_by = {(e.recording, c[0]): e for e in history for c in e.changes if c[1] == "name"}
        return self._named_by


def neuron_rows(
    recording: Recording,
    *,
    shown: str,
    text: str,
    chosen: set[str],
    named_by: Mapping[tuple[str, int], Any],
    icons: Sequence[Any],
) -> list[dict[str, Any]]:
    """Return the rows of the table.

    Parameters
    ----------
    recording : Recording
    shown : str
        One of `SHOWN`.
    text : str
        Part of what is looked for in name, class, ganglion, label and note; empty: all.
    chosen : set of str
    named_by : mapping
        See `Namers`.
    icons : sequence
        Swatch or None for every neuron.
    """
    table = recording.neurons
    unsure, scale, text = doubtful(table), scale_of(table), text.strip().lower()
    rows = []
    columns = [table[c].tolist() for c in ("name", "label", "confidence", "rejected", "note")]
    for place, (neuron, name, number, confidence, rejected, note) in enumerate(
        zip(table.index.tolist(), *columns, strict=True)
    ):
        if (shown == "Unnamed" and name) or (shown == "Low confidence" and not unsure[place]):
            continue
        entry = info(name) if name else None
        neuron_class, ganglion = (entry.neuron_class, entry.ganglion) if entry else ("", "")
        if text and text not in f"{name} {neuron_class} {ganglion} {number} {note}".lower():
            continue
        edit = named_by.get((recording.name, number))
        rows.append(
            {
                "id": str(neuron),
                "label": number,
                "name": name,
                "class": neuron_class,
                "ganglion": ganglion,
                "mirror": mirror(name) or "" if name else "",
                "confidence": confidence if confidence == confidence else NONE,
                "sure": confidence / scale if confidence == confidence else NONE,
                "by": f"{edit.who}, {local(edit.when)[:10]}" if edit and name else ("imported" if name else ""),
                "rejected": rejected,
                "note": note,
                "chosen": str(neuron) in chosen,
                "icon": icons[place],
            }
        )
    return rows


def swatches(recording: Recording, drawn: Any, dark: bool) -> list[Any]:
    """The neuron's own mean colour where colour channels are known (NeuroPAL), else the colour that it has in 3D."""
    table = recording.neurons
    if {"red", "green", "blue"} <= set(table.columns):
        colours = mixed_colours(table[["red", "green", "blue"]].to_numpy(float))
    elif drawn is not None and len(drawn.ids) == len(table):
        colours = np.clip(drawn.base, 0, 1)
    else:
        return [None] * len(table)
    made: dict[tuple[int, ...], Any] = {}
    icons = []
    for row, key in enumerate(map(tuple, np.round(colours * 255).astype(int).tolist())):
        if key not in made:
            made[key] = swatch(hex_color(colours[row]), dark)
        icons.append(made[key])
    return icons


def mixed_colours(values: np.ndarray) -> np.ndarray:
    """Colours (neuron, 3) from 0 to 1 out of mean intensities: each channel from its 5th percentile to its 99th."""
    if not np.isfinite(values).any():
        return np.zeros(values.shape)
    low, high = np.nanpercentile(values, 5, axis=0), np.nanpercentile(values, 99, axis=0)
    return np.asarray(np.nan_to_num(np.clip((values - low) / np.where(high > low, high - low, 1), 0, 1)))


def _number(value: float) -> str:
    return "" if value != value else f"{value:.2f}"


def row_notes(row: dict[str, Any]) -> tuple[str, ...]:
    """What the card of a neuron says beside the rest: its mirror, who named it, its note."""
    parts = [f"mirror {row['mirror']}"] if row["mirror"] else []
    if row["by"]:
        parts.append(f"named by {row['by']}")
    return (*([", ".join(parts)] if parts else []), *([row["note"]] if row["note"] else []))


def _row_tip(row: dict[str, Any]) -> str:
    parts = [row["name"] or "unnamed"]
    if row["ganglion"]:
        parts.append(
            f"class {row['class']}, {row['ganglion']} ganglion" + (f", mirror {row['mirror']}" if row["mirror"] else "")
        )
    if row["by"]:
        parts.append(f"named by {row['by']}")
    if row["rejected"]:
        parts.append("rejected: left out of the analysis")
    if row["note"]:
        parts.append(row["note"])
    return "\n".join(parts)
