"""Tables of a segmentation beside a reference: neurons worst first, tracks, labels without a neuron; and the curve of F1."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg

from ...comparison.segmentation import LabelComparison
from ..qt import plots
from ..qt.table_view import Column, Table
from ..qt.theme import Colours


class NeuronQuality(Table):
    """One row a reference neuron, worst first."""

    def __init__(self) -> None:
        super().__init__(
            [
                Column("neuron", called, 0),
                Column(
                    "IoU",
                    lambda r: f"{r['score']:.2f}",
                    92,
                    bar=lambda r: r["score"],
                    tip="Mean over its frames of the voxels that it shares with its label over those of either; 0 where it has none.",
                ),
                Column(
                    "label", lambda r: "–" if r["label"] < 0 else str(r["label"]), 48, right=True, tip="Most frequent."
                ),
                Column(
                    "splits",
                    lambda r: _number(r["splits"]),
                    44,
                    right=True,
                    tip="Labels beyond the first, mean a frame.",
                ),
                Column("merges", lambda r: _number(r["merges"]), 48, right=True, tip="Other neurons in its label."),
                Column(
                    "frame", lambda r: str(r["worst_frame"]), 44, right=True, tip="Its worst frame, counted from 0."
                ),
            ]
        )
        self.setMinimumHeight(120)
        self.setToolTip("The worst neurons first. A click (or Up and Down) flies to the neuron in its worst frame.")
        self.rows_model.row_tip = lambda r: (
            f"{called(r)}: matched in {r['matched']:.0%} of {r['frames']} frames, coverage {r['coverage']:.2f}, "
            f"{r['voxels']:.0f} voxels"
        )


class TrackTable(Table):
    """One row a reference neuron whose label changes or is missing, most switches first."""

    def __init__(self) -> None:
        super().__init__(
            [
                Column("neuron", called, 0),
                Column("switches", lambda r: str(r["switches"]), 58, right=True, tip="How often its label changes."),
                Column("gaps", lambda r: str(r["gaps"]), 40, right=True, tip="Stretches without a label in between."),
                Column("frames", lambda r: str(r["gap_frames"]), 48, right=True, tip="Frames in gaps."),
                Column("first", lambda r: "–" if r["first_switch"] < 0 else str(r["first_switch"]), 44, right=True),
            ]
        )
        self.setMinimumHeight(100)
        self.setToolTip("A click flies to the neuron where its label changes first.")


class ExtraTable(Table):
    """One row a label that matches no neuron in any frame."""

    def __init__(self) -> None:
        super().__init__(
            [
                Column("label", lambda r: str(r["label"]), 0),
                Column("frames", lambda r: str(r["frames"]), 52, right=True),
                Column("voxels", lambda r: str(r["voxels"]), 60, right=True, tip="In all frames together."),
            ]
        )
        self.setMinimumHeight(80)
        self.setToolTip("A click flies to the label in its first frame.")


class ScoreCurve(pg.PlotWidget):
    """F1 and average precision over the threshold of IoU."""

    def __init__(self) -> None:
        super().__init__()
        plots.quiet(self.getPlotItem())
        self.setFrameShape(self.Shape.NoFrame)
        self.setFixedHeight(120)
        self.setMouseEnabled(False, False)
        self.setXRange(0, 1, padding=0)
        self.setYRange(0, 1.1, padding=0)
        self.setToolTip("F1 (bold) and average precision over the least overlap (IoU) that counts as a match.")
        self.curves: list[Any] = []

    def show_scores(self, found: LabelComparison, colours: Colours) -> None:
        """Draw both curves."""
        for curve in self.curves:
            self.removeItem(curve)
        self.setBackground(colours.background)
        plots.paint_axes(self.getPlotItem(), colours)
        scores = found.scores
        looks = (("f1", colours.text, 2.0), ("average_precision", colours.secondary, 1.0))
        self.curves = [
            pg.PlotDataItem(
                scores["threshold"].to_numpy(),
                scores[name].to_numpy(),
                pen=pg.mkPen(colour, width=width),
                symbol="o",
                symbolSize=4,
                symbolBrush=colour,
                symbolPen=None,
            )
            for name, colour, width in looks
        ]
        for curve in self.curves:
            self.addItem(curve)
        for name, text in (("bottom", "IoU above which a pair counts"), ("left", "F1, precision")):
            self.getAxis(name).setLabel(text, color=colours.secondary, **{"font-size": "8pt"})


def called(row: dict[str, Any]) -> str:
    """Name and id of a reference object."""
    return f"{row['name']} ({row['reference']})" if row.get("name") else str(row["reference"])


def _number(value: float) -> str:
    return "" if not value else f"{value:.0f}" if value == round(value) else f"{value:.2f}"
