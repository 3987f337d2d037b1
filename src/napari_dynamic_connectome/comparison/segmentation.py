"""Quality of a segmentation: labels, or a series of them, beside a reference: `compare_labels`.

One frame of both is in memory at a time. Measures follow FISBe (Mais et al. 2024) with whole objects in place of centre lines.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..io.volumes.volume import Volume, check_label_type, check_label_values
from ..model.errors import InputError
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, report
from ..model.settings import StepSettings, setting
from ..model.summary import Summary
from ..model.voxels import read_voxels
from .overlap import Overlap
from .tracks import track_table

Array = np.ndarray

SCORE_COLUMNS = ("threshold", "matched", "missed", "extra", "precision", "recall", "f1", "average_precision")
OBJECT_COLUMNS = (
    "reference", "name", "score", "frames", "matched", "iou", "coverage", "splits", "merges", "label", "voxels", "worst_frame",
    "z", "y", "x",
)  # fmt: skip
EXTRA_COLUMNS = ("label", "frames", "voxels", "first_frame", "z", "y", "x")
ERROR_COLUMNS = ("frame", "kind", "reference", "label")
ERROR_KINDS = ("split", "merge", "missed", "extra")
BLOCK_BYTES = 1 << 28


class LabelSettings(StepSettings):
    """How labels are compared with a reference."""

    thresholds: tuple[float, ...] = setting(
        (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9), "IoU above which a pair counts as matched, for the scores."
    )
    match: float = setting(
        0.5, "IoU above which a pair counts as matched, for the list of neurons and for tracks.", ge=0, lt=1
    )
    share: float = setting(
        0.1, "A label counts as a part of an object, for splits and merges, from this share on.", gt=0, le=1
    )


@dataclass(frozen=True, eq=False, repr=False)
class LabelComparison(Summary):
    """A segmentation beside a reference.

    Parameters
    ----------
    scores : pandas.DataFrame
        One row a threshold of IoU: threshold, matched, missed (reference objects), extra (labels), precision, recall, f1
        (2 matched / (2 matched + missed + extra)), average_precision (matched / (matched + missed + extra)); over all frames.
    objects : pandas.DataFrame
        One row a reference object, worst first: reference (its id), name, score (mean over its frames of the IoU with its label, 0
        where it has none), frames in which it is there, matched (share of them with IoU above the setting), iou (mean over matched
        frames), coverage, splits, merges (mean number of labels beyond one, and of other objects in its label), label (most
        frequent), voxels (mean), worst_frame and the centre (z, y, x, in voxels) there.
    extra : pandas.DataFrame
        Labels that are matched in no frame: label, frames, voxels, first_frame and its centre there.
    errors : pandas.DataFrame
        One row an error in a frame: frame, kind, reference and label (-1 where there is none). split: the label is one of several parts
        of the object; merge: the label holds the largest part of this object and of others; missed: the object has no label with IoU
        above the setting; extra: the label has no such object, and is neither of the first two.
    tracks : pandas.DataFrame
        Series only; see `tracks.track_table`.
    summary : dict
        average_f1 (mean over thresholds), mean_average_precision, coverage, score ((average_f1 + coverage) / 2), matched_iou,
        false_splits, false_merges, identity_switches, gaps, n_reference, n_labels (objects, counted in every frame), n_frames.
    voxel_size_um : tuple of float
        (z, y, x); NaN if not known.
    provenance : dict
    """

    scores: pd.DataFrame
    objects: pd.DataFrame
    extra: pd.DataFrame
    errors: pd.DataFrame
    tracks: pd.DataFrame
    summary: Mapping[str, float]
    voxel_size_um: tuple[float, float, float] = (math.nan,) * 3
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def table(self) -> pd.DataFrame:
        """One row a reference object, worst first; see `objects`."""
        return self.objects.copy()

    def sentence(self) -> str:
        """Scores and numbers in one sentence."""
        s = self.summary
        series = int(s["n_frames"]) > 1
        where = f" in {int(s['n_frames'])} frames" if series else ""
        text = (
            f"{int(s['n_reference']):,} reference objects and {int(s['n_labels']):,} labels{where}: average F1 "
            f"{s['average_f1']:.2f}, coverage {s['coverage']:.2f}, mean IoU of matched pairs {s['matched_iou']:.2f}, "
            f"{int(s['false_splits'])} false splits, {int(s['false_merges'])} false merges"
        )
        if series:
            text += f", {int(s['identity_switches'])} identity switches, {int(s['gaps'])} gaps"
        return text + "."


def compare_labels(
    labels: Any,
    reference: Any,
    settings: LabelSettings | dict[str, Any] | None = None,
    *,
    names: Mapping[int, str] | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> LabelComparison:
    """Compare labels, or a series of them, with a reference.

    Parameters
    ----------
    labels, reference : path, Volume or array of int
        (z, y, x) or (t, z, y, x); 2D arrays are one plane. 0 = background. Files are opened as by `open_labels`; frames are read
        one after the other.
    settings : LabelSettings or dict, optional
    names : dict of int -> str, optional
        Of the reference objects; by default those in its file.
    progress, cancel : callable, optional

    Returns
    -------
    LabelComparison

    Notes
    -----
    Objects are paired one to one in every frame so that the sum of IoU is as large as possible; a pair counts as matched above a
    threshold. Coverage: every label belongs to the reference object that holds most of it; the share of a reference object that its
    labels cover, mean over objects. False splits: labels beyond the first that belong to one object (each with at least `share` of
    itself in it). False merges: objects beyond the first of which the largest part lies in one label (each with at least `share` of
    itself in it). Coverage and the averages are those of FISBe, taken over voxels of whole objects; splits and merges are our
    simpler definition.

    Raises
    ------
    InputError
        Other shapes, labels that are no whole numbers, negative labels, a series beside a single frame, nothing in the reference.

    References
    ----------
    Mais, L. et al. FISBe: a real-world benchmark dataset for instance segmentation of long-range thin filamentous structures.
    CVPR (2024).
    """
    chosen = LabelSettings.parse(settings)
    if any(not 0 <= t < 1 for t in chosen.thresholds) or not chosen.thresholds:
        raise InputError(f"thresholds {chosen.thresholds}", where="compare_labels", fix="Give IoU from 0 to below 1.")
    one, two = _opened(labels, "the labels"), _opened(reference, "the reference")
    _same_frames(one, two)
    held = dict(names if names is not None else two.names)
    tally = _Tally(chosen)
    for t, a, b in _frames(one, two):
        check_cancel(cancel)
        tally.add(t, Overlap.of(a, b))
        report(progress, (t + 1) / one.n_frames, f"frame {t + 1} of {one.n_frames}")
    return tally.result(held, two, one.n_frames)


@dataclass(frozen=True)
class _Opened:
    """Something with frames."""

    data: Any
    series: bool
    where: str
    names: Mapping[int, str]
    voxel_size_um: tuple[float, float, float]

    @property
    def n_frames(self) -> int:
        return int(self.data.shape[0]) if self.series else 1

    @property
    def frame_shape(self) -> tuple[int, ...]:
        shape = tuple(int(n) for n in self.data.shape)
        shape = shape[1:] if self.series else shape
        return (1,) * (3 - len(shape)) + shape

    @property
    def step(self) -> int:
        """Frames that are stored together."""
        chunks = getattr(self.data, "chunks", None)
        if not self.series or not chunks:
            return 1
        return int(chunks[0] if isinstance(chunks[0], int) else chunks[0][0])

    def read(self, start: int, stop: int) -> Array:
        """Frames (t, z, y, x)."""
        block = read_voxels(self.data[start:stop] if self.series else self.data[...])
        check_label_values(block, self.where)
        return block.reshape((stop - start, *self.frame_shape))


def _opened(labels: Any, what: str) -> _Opened:
    unknown = (math.nan,) * 3
    if isinstance(labels, (str, Path)):
        from ..io.registry import open_labels

        labels = open_labels(labels)
    if isinstance(labels, Volume):
        data = labels.array if labels.array is not None else labels.data
        if tuple(data.shape) != labels.shape:
            data = labels.data
        found = _Opened(data, len(labels.shape) == 4, labels.reference.path, labels.names, labels.voxel_size_um)
    else:
        data = labels if hasattr(labels, "dtype") and hasattr(labels, "shape") else np.asarray(labels)
        if not 2 <= len(data.shape) <= 4:
            raise InputError(
                f"{what} have the shape {tuple(data.shape)}",
                where="compare_labels",
                fix="Give (z, y, x), (t, z, y, x) or one plane (y, x).",
            )
        found = _Opened(data, len(data.shape) == 4, what, {}, unknown)
    check_label_type(found.data.dtype, found.where)
    return found


def _same_frames(one: _Opened, two: _Opened) -> None:
    if one.series != two.series and max(one.n_frames, two.n_frames) > 1:
        series, single = (one, two) if one.series else (two, one)
        raise InputError(
            f"{series.where} is a series of {series.n_frames} frames, {single.where} is one frame",
            where="compare_labels",
            fix="Give a reference of every frame, or compare one frame with one.",
        )
    if one.frame_shape != two.frame_shape:
        raise InputError(
            f"a frame has {one.frame_shape} voxels (z, y, x) in {one.where}, {two.frame_shape} in {two.where}",
            where="compare_labels",
            fix="Compare labels of the same image at the same resolution; crop or resample one of them.",
        )
    if one.n_frames != two.n_frames:
        raise InputError(
            f"{one.n_frames} frames in {one.where}, {two.n_frames} in {two.where}",
            where="compare_labels",
            fix="Give both the same frames.",
        )


def _frames(one: _Opened, two: _Opened) -> Iterator[tuple[int, Array, Array]]:
    frame = math.prod(one.frame_shape) * (one.data.dtype.itemsize + two.data.dtype.itemsize)
    step = max(1, min(max(one.step, two.step), BLOCK_BYTES // max(frame, 1)))
    for start in range(0, one.n_frames, step):
        stop = min(start + step, one.n_frames)
        a, b = one.read(start, stop), two.read(start, stop)
        for k in range(stop - start):
            yield start + k, a[k], b[k]


class _Tally:
    """Adds up frames."""

    def __init__(self, settings: LabelSettings) -> None:
        self.settings = settings
        self.matched = np.zeros(len(settings.thresholds), np.int64)
        self.n_reference = self.n_labels = self.splits = self.merges = 0
        self.rows: list[Array] = []
        self.found: dict[int, list[Any]] = {}
        self.used: set[int] = set()
        self.errors: list[pd.DataFrame] = []

    def add(self, frame: int, overlap: Overlap) -> None:
        settings = self.settings
        row, column, iou = overlap.matches()
        self.matched += (iou[None] > np.asarray(settings.thresholds)[:, None]).sum(axis=1)
        n, m = len(overlap.reference), len(overlap.label)
        self.n_reference += n
        self.n_labels += m
        parent = overlap.owner_of_label(0.0)
        mine = parent[overlap.column] == overlap.row
        covered = np.bincount(overlap.row[mine], overlap.shared[mine], n) / np.maximum(overlap.reference_size, 1)
        part = overlap.owner_of_label(settings.share)
        parts = np.bincount(part[part >= 0], minlength=n)
        whole = overlap.owner_of_reference(settings.share)
        inside = np.bincount(whole[whole >= 0], minlength=m)
        merged = np.where(whole >= 0, inside[whole] - 1 if m else 0, 0)
        self.splits += int(np.maximum(parts - 1, 0).sum())
        self.merges += int(np.maximum(inside - 1, 0).sum())
        label, value = np.full(n, -1, np.int64), np.zeros(n)
        good = iou > settings.match
        label[row[good]], value[row] = overlap.label[column[good]], iou
        self.used.update(overlap.label[column[good]].tolist())
        cut, joined = np.flatnonzero(part >= 0), np.flatnonzero(whole >= 0)
        cut, joined = cut[parts[part[cut]] > 1], joined[inside[whole[joined]] > 1]
        lone = np.ones(m, bool)
        lone[column[good]] = lone[cut] = lone[whole[joined]] = False
        self._note(frame, "split", overlap.reference[part[cut]], overlap.label[cut])
        self._note(frame, "merge", overlap.reference[joined], overlap.label[whole[joined]])
        self._note(frame, "missed", overlap.reference[label < 0], -1)
        self._note(frame, "extra", -1, overlap.label[lone])
        for k, one in enumerate(overlap.label.tolist()):
            known = self.found.get(one)
            if known is None:
                self.found[one] = [1, int(overlap.label_size[k]), frame, *overlap.label_centre[k]]
            else:
                known[0] += 1
                known[1] += int(overlap.label_size[k])
        self.rows.append(
            np.column_stack(
                [
                    np.full(n, frame), overlap.reference, label, value, covered, np.maximum(parts - 1, 0), merged,
                    overlap.reference_size, overlap.reference_centre,
                ]
            )
        )  # fmt: skip

    def _note(self, frame: int, kind: str, reference: Array | int, label: Array | int) -> None:
        """Add errors of one kind in a frame."""
        one, two = np.broadcast_arrays(np.asarray(reference, np.int64), np.asarray(label, np.int64))
        if len(one):
            self.errors.append(pd.DataFrame({"frame": frame, "kind": kind, "reference": one, "label": two}))

    def result(self, names: Mapping[int, str], reference: _Opened, n_frames: int) -> LabelComparison:
        columns = ["frame", "reference", "label", "iou", "coverage", "splits", "merges", "voxels", "z", "y", "x"]
        rows = pd.DataFrame(np.concatenate(self.rows), columns=columns)
        if not len(rows):
            raise InputError(
                "the reference holds no object in any frame",
                where=reference.where,
                fix="Check that labels and reference were not exchanged, and the dataset or channel that was read.",
            )
        rows = rows.astype({"frame": int, "reference": np.int64, "label": np.int64, "voxels": np.int64})
        scores = _scores(self.settings.thresholds, self.matched, self.n_reference, self.n_labels)
        extra = [(label, *about) for label, about in self.found.items() if label not in self.used]
        tracks = track_table(rows, names) if n_frames > 1 else pd.DataFrame()
        good = rows["label"] >= 0
        average, coverage = float(scores["f1"].mean()), float(rows["coverage"].mean())
        summary = {
            "average_f1": average,
            "mean_average_precision": float(scores["average_precision"].mean()),
            "coverage": coverage,
            "score": (average + coverage) / 2,
            "matched_iou": float(rows.loc[good, "iou"].mean()) if good.any() else float("nan"),
            "false_splits": self.splits,
            "false_merges": self.merges,
            "identity_switches": int(tracks["switches"].sum()) if len(tracks) else 0,
            "gaps": int(tracks["gaps"].sum()) if len(tracks) else 0,
            "n_reference": self.n_reference,
            "n_labels": self.n_labels,
            "n_frames": n_frames,
        }
        return LabelComparison(
            scores,
            _objects(rows, names),
            pd.DataFrame(extra, columns=list(EXTRA_COLUMNS)),
            pd.concat(self.errors, ignore_index=True) if self.errors else pd.DataFrame(columns=list(ERROR_COLUMNS)),
            tracks,
            summary,
            reference.voxel_size_um,
            {"settings": self.settings.model_dump()},
        )


def _scores(thresholds: tuple[float, ...], matched: Array, n_reference: int, n_labels: int) -> pd.DataFrame:
    rows = []
    for threshold, hits in zip(thresholds, matched.tolist(), strict=True):
        missed, extra = n_reference - hits, n_labels - hits
        rows.append(
            (
                threshold, hits, missed, extra, _ratio(hits, hits + extra), _ratio(hits, hits + missed),
                _ratio(2 * hits, 2 * hits + missed + extra), _ratio(hits, hits + missed + extra),
            )
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _objects(rows: pd.DataFrame, names: Mapping[int, str]) -> pd.DataFrame:
    """One row a reference object, worst first, from one row a frame and object."""
    rows = rows.sort_values(["reference", "frame"], kind="stable")
    column = {name: rows[name].to_numpy() for name in rows.columns}
    reference, start, frames = np.unique(column["reference"], return_index=True, return_counts=True)
    good = column["label"] >= 0
    n_good = np.add.reduceat(good.astype(int), start)

    def mean(name: str, weight: Array | None = None) -> Array:
        values = column[name] if weight is None else np.where(weight, column[name], 0.0)
        total = np.add.reduceat(values.astype(float), start)
        with np.errstate(invalid="ignore"):
            return np.asarray(total / (frames if weight is None else n_good))

    worst = start + [int(column["iou"][i : i + n].argmin()) for i, n in zip(start, frames, strict=True)]
    table = pd.DataFrame(
        {
            "reference": reference,
            "name": [names.get(int(r), "") for r in reference],
            "score": mean("iou"),
            "frames": frames,
            "matched": n_good / frames,
            "iou": mean("iou", good),
            "coverage": mean("coverage"),
            "splits": mean("splits"),
            "merges": mean("merges"),
            "label": [_most_frequent(column["label"][i : i + n]) for i, n in zip(start, frames, strict=True)],
            "voxels": mean("voxels"),
            "worst_frame": column["frame"][worst],
            "z": column["z"][worst],
            "y": column["y"][worst],
            "x": column["x"][worst],
        },
        columns=list(OBJECT_COLUMNS),
    )
    return table.sort_values(["score", "reference"], kind="stable").reset_index(drop=True)


def _most_frequent(labels: Array) -> int:
    """Label that is there most often, the lowest of several; -1 if there is none."""
    found, count = np.unique(labels[labels >= 0], return_counts=True)
    return int(found[count.argmax()]) if len(found) else -1
