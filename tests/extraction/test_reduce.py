"""Sums of a block, box by box, against NumPy over the whole frames: labels that stay, labels of every frame, large labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_dynamic_connectome.extraction import reduce, regions
from napari_dynamic_connectome.extraction.blocks import Block
from napari_dynamic_connectome.extraction.job import ExtractionJob
from napari_dynamic_connectome.extraction.settings import ExtractionSettings
from napari_dynamic_connectome.extraction.sources import VoxelSource
from napari_dynamic_connectome.model.errors import Cancelled, InputError

NAN = float("nan")
SHAPE = (5, 2, 6, 8)
FIRST, LAST = 1, 4  # frames of the block
BOXES = (
    (slice(0, 2), slice(0, 4), slice(0, 8)),
    (slice(0, 1), slice(4, 6), slice(0, 8)),
    (slice(1, 2), slice(4, 6), slice(0, 5)),
    (slice(1, 2), slice(4, 6), slice(5, 8)),
)
LABELS = np.zeros(SHAPE[1:], np.uint16)
LABELS[0, 0:2, 0:3], LABELS[:, 3:6, 4:7], LABELS[0, 5, 7], LABELS[1, 0, 0] = 4, 7, 9, 300


class Counted(VoxelSource):
    """A source that counts how often it is read."""

    reads = 0

    def read(self, box: Any) -> np.ndarray:
        self.reads += 1
        return super().read(box)

    def read_rows(self, box: Any) -> Any:
        self.reads += 1
        return super().read_rows(box)


def task(volume: np.ndarray, labels: np.ndarray, reference: np.ndarray | None = None, **options: Any) -> ExtractionJob:
    saturation = options.pop("saturation", 8.0)
    made: dict[str, Any] = {"labels": Counted(labels, "labels of w") if labels.ndim == 4 else None}
    if labels.ndim == 3:
        ids = np.unique(labels[labels > 0]).astype(np.int64)
        parts = [np.flatnonzero(labels.ravel() == i) for i in ids]
        places = np.repeat(np.arange(len(ids)), [len(p) for p in parts])
        sets = regions.VoxelSets(labels.shape, np.concatenate(parts), places, len(ids))
        made |= {"ids": ids, "neurons": sets.in_boxes(BOXES)}
    held = None if reference is None else Counted(reference, "reference")
    settings = ExtractionSettings(**options)
    return ExtractionJob(Counted(volume, "volume"), reference=held, settings=settings, saturation=saturation, **made)


def image(kind: str, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.integers(-3 if kind[0] in "if" else 0, 10, SHAPE).astype(kind)
    if kind in ("f4", "f8"):
        values[rng.random(SHAPE) < 0.1] = np.nan
        values[rng.random(SHAPE) < 0.02] = np.inf
    return values


def expected(
    values: np.ndarray, labels: np.ndarray, ids: list[int], saturation: float, missing: float
) -> dict[str, Any]:
    """Sums by frame and label, plainly."""
    values = values.astype(float)
    good = np.isfinite(values) & (values != missing)
    place = np.indices(SHAPE[1:])
    out: dict[str, Any] = {
        k: np.zeros((LAST - FIRST, len(ids))) for k in ("sum", "count", "saturated", "voxels", *"zyx")
    }
    for t in range(FIRST, LAST):
        for i, label in enumerate(ids):
            own = (labels[t] if labels.ndim == 4 else labels) == label
            out["sum"][t - FIRST, i] = values[t][own & good[t]].sum()
            out["count"][t - FIRST, i] = (own & good[t]).sum()
            out["saturated"][t - FIRST, i] = (own & good[t] & (values[t] >= saturation)).sum()
            out["voxels"][t - FIRST, i] = own.sum()
            for axis, name in enumerate("zyx"):
                out[name][t - FIRST, i] = place[axis][own].sum()
    return out


def moving_labels() -> np.ndarray:
    first = np.where(LABELS == 9, 0, LABELS)  # in the first frame only, and before the block
    return np.stack([LABELS, first, np.roll(first, 1, axis=2), np.roll(first, 2, axis=1), LABELS])


@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "u8", "i2", "f4", "f8"])
@pytest.mark.parametrize("missing", [None, 0.0, 3.0])
@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize("reference", [False, True])
def test_sums_are_those_of_numpy_box_by_box(kind: str, missing: float | None, moving: bool, reference: bool) -> None:
    values, other = image(kind), image("u2", 1)
    labels = moving_labels() if moving else LABELS
    job = task(values, labels, other if reference else None, missing_value=missing)
    got = reduce.run_block(job, Block(3, FIRST, LAST, BOXES, 1))
    ids = [4, 7, 300] if moving else [4, 7, 9, 300]
    assert (got.start, got.stop, got.ids.tolist(), got.ids.dtype) == (FIRST, LAST, ids, np.int64) and got.values == {}
    want = expected(values, labels, ids, 8.0, job.missing)
    names = {"sum", "count", "saturated", "voxels", *("zyx" if moving else "")}
    if reference:
        more = expected(other, labels, ids, NAN, job.missing)
        want |= {"reference_sum": more["sum"], "reference_count": more["count"]}
        names |= {"reference_sum", "reference_count"}
    assert set(got.sums) == names
    for name in names:
        np.testing.assert_allclose(got.sums[name], want[name], err_msg=name)
        assert (got.sums[name].dtype.kind == "f") == name.endswith("sum"), name


def test_nothing_is_read_where_no_neuron_is() -> None:
    labels = np.where(LABELS == 4, LABELS, 0)  # in the first box only
    other = image("u2", 1)
    job = task(image("u2"), labels, other)
    reduce.run_block(job, Block(0, 0, 5, BOXES, 0))
    assert job.volume.reads == job.reference.reads == 1
    moved = task(image("u2"), np.stack([labels] * 5), other)
    reduce.run_block(moved, Block(0, 0, 5, BOXES, 0))
    assert (moved.labels.reads, moved.volume.reads, moved.reference.reads) == (4, 1, 1)


def test_a_block_without_neurons_has_zeros_or_nobody() -> None:
    job = task(image("u2"), LABELS, image("u2", 1))
    got = reduce.run_block(job, Block(0, 2, 4, BOXES[3:4], 0))  # of the neurons, only 7 has voxels there
    absent = [0, 2, 3]
    for values in got.sums.values():
        assert values.shape == (2, 4) and (values[:, absent] == 0).all()
    empty = reduce.run_block(
        task(image("u2"), np.where(LABELS == 4, 4, 0).astype("u2"), image("u2", 1)), Block(0, 2, 4, BOXES[3:], 0)
    )
    kinds = {"sum": "f", "count": "i", "saturated": "i", "voxels": "i", "reference_sum": "f", "reference_count": "i"}
    assert {k: v.dtype.kind for k, v in empty.sums.items()} == kinds
    assert all(v.shape == (2, 1) and (v == 0).all() for v in empty.sums.values())
    nobody = reduce.run_block(task(image("u2"), np.zeros(SHAPE, "u2")), Block(0, 2, 4, BOXES, 0))
    assert (nobody.start, nobody.stop, nobody.ids.shape, nobody.ids.dtype, nobody.sums) == (2, 4, (0,), np.int64, {})


@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize("reference", [False, True])
def test_it_stops_before_any_read_when_asked(moving: bool, reference: bool) -> None:
    labels = np.stack([LABELS] * 5) if moving else LABELS
    job = task(image("u2"), labels, image("u2", 1) if reference else None)
    asked = 4 * (1 + reference)  # before each of the four boxes, and before its reference

    class Stop:
        def __init__(self, at: int) -> None:
            self.at, self.times = at, 0

        def __call__(self) -> bool:
            self.times += 1
            return self.times == self.at

    for at in range(1, asked + 1):
        stop = Stop(at)
        with pytest.raises(Cancelled):
            reduce.run_block(job, Block(0, 0, 5, BOXES, 0), stop)
        assert stop.times == at
    stop = Stop(asked + 1)
    reduce.run_block(job, Block(0, 0, 5, BOXES, 0), stop)
    assert stop.times == asked


@pytest.mark.parametrize("largest", [1022, 1023, 1024, 1025, 1500, 2**17 - 2, 2**17 - 1, 2**17, 2**17 + 1, 2**31 + 5])
@pytest.mark.parametrize("kind", ["u4", "i8", "u8"])
def test_labels_of_any_size_keep_their_number(largest: int, kind: str) -> None:
    labels = np.zeros(SHAPE, kind)
    labels[:, 0, 0, 0:2], labels[:, 1, 5, 7], labels[2, 0, 3, 3] = 1, largest, largest - 3
    values = image("u2")
    got = reduce.run_block(task(values, labels), Block(0, FIRST, LAST, BOXES, 0))
    ids = [1, largest - 3, largest]
    assert got.ids.tolist() == ids
    want = expected(values, labels.astype(float), ids, 8.0, NAN)
    for name, sums in got.sums.items():
        np.testing.assert_allclose(sums, want[name], err_msg=name)


def test_labels_that_are_none_are_refused_by_name() -> None:
    negative = np.stack([LABELS] * 5).astype(np.int16)
    negative[2, 0, 0, 0] = -1
    with pytest.raises(InputError, match="negative labels") as raised:
        reduce.run_block(task(image("u2"), negative), Block(0, 0, 5, BOXES, 0))
    assert "labels of w" in str(raised.value)
    for step in (1, 2**17):  # counted in a table, and renumbered
        many = np.zeros(SHAPE, np.uint32)
        many[:, 0, 0, :5] = 1 + step * np.arange(5)
        assert len(reduce.run_block(task(image("u2"), many, max_neurons=5), Block(0, 0, 5, BOXES, 0)).ids) == 5
        with pytest.raises(InputError, match="there are 5 labels") as raised:
            reduce.run_block(task(image("u2"), many, max_neurons=4), Block(0, 0, 5, BOXES, 0))
        assert "labels of w" in str(raised.value)


@pytest.mark.parametrize("moving", [False, True])
def test_what_needs_whole_frames_gets_them(moving: bool) -> None:
    labels = np.stack([LABELS] * 5) if moving else LABELS
    values, block = image("u2"), Block(0, FIRST, LAST, BOXES, 0)
    got = reduce.run_block(task(values, labels, statistic="median"), block)
    middle = [
        [np.median(values[t][labels[t] == i if moving else labels == i]) for i in (4, 7, 9, 300)] for t in (1, 2, 3)
    ]
    np.testing.assert_allclose(got.values["trace"], middle)
    below = reduce.run_block(task(values, labels, background="frame percentile", background_percentile=50.0), block)
    np.testing.assert_allclose(below.values["background"], [np.median(values[t]) for t in (1, 2, 3)])
