"""Whole frames at once: percentiles of all voxels, medians of regions and of what is around them, box by box."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from napari_dynamic_connectome.extraction import gather, regions
from napari_dynamic_connectome.extraction.blocks import Block
from napari_dynamic_connectome.extraction.settings import ExtractionSettings
from napari_dynamic_connectome.extraction.sources import VoxelSource
from napari_dynamic_connectome.model.errors import Cancelled, InputError

NAN = float("nan")
SHAPE = (3, 2, 6, 8)
BOXES = (
    (slice(0, 2), slice(0, 4), slice(0, 8)),
    (slice(0, 2), slice(4, 6), slice(0, 5)),
    (slice(0, 2), slice(4, 6), slice(5, 8)),
)


def task(
    volume: np.ndarray,
    labels: np.ndarray | None,
    *,
    reference: np.ndarray | None = None,
    missing: float = NAN,
    **options: object,
) -> SimpleNamespace:
    settings = ExtractionSettings(**options)
    made = SimpleNamespace(
        volume=VoxelSource(volume, "volume"), reference=None if reference is None else VoxelSource(reference, "reference"), labels=None, settings=settings, saturation=8.0, missing=missing,
        voxel_size_um=(1.0, 1.0, 1.0), ids=None, neurons=None, annuli=None,
    )  # fmt: skip
    if labels is not None and labels.ndim == 4:
        made.labels = VoxelSource(labels, "labels x")
    elif labels is not None:
        made.ids = np.unique(labels[labels > 0]).astype(np.int64)
        flat = labels.ravel()
        parts = [np.flatnonzero(flat == i) for i in made.ids]
        sets = regions.VoxelSets(
            labels.shape, np.concatenate(parts), np.repeat(np.arange(len(parts)), [len(p) for p in parts]), len(parts)
        )
        made.neurons = sets.in_boxes(BOXES)
        if settings.background == "annulus":
            made.annuli = regions.find_annuli(labels, made.ids, made.voxel_size_um, settings).in_boxes(BOXES)
    return made


def image(kind: str, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.integers(-3 if kind in ("i1", "i2", "f4") else 0, 10, SHAPE).astype(kind)
    if kind in ("f4", "f8"):
        values[rng.random(SHAPE) < 0.1] = np.nan
    return values


def good(values: np.ndarray, missing: float) -> np.ndarray:
    values = values.astype(float)
    return values[np.isfinite(values) & (values != missing)]


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "f4", "f8", "?"])
@pytest.mark.parametrize("missing", [NAN, 0.0, 3.0, -3.0, 2.5, 1e6])
@pytest.mark.parametrize("q", [0.0, 10.0, 50.0, 99.0, 100.0])
def test_percentiles_of_a_frame_are_those_of_numpy(kind: str, missing: float, q: float) -> None:
    values = image(kind) if kind != "?" else image("u1") > 4
    job = task(values, None, missing=missing, background="frame percentile", background_percentile=q)
    whole = gather._Percentile(job, job.volume, 3)
    for part in (slice(0, 40), slice(40, 96)):
        whole.add(job.volume.read((slice(0, 3), slice(0, 2), slice(0, 6), slice(0, 8))).reshape(3, -1)[:, part])
    expected = [np.percentile(v, q) if len(v := good(frame, missing)) else NAN for frame in values.astype(float)]
    np.testing.assert_allclose(whole.result(), expected)


def test_frames_without_a_voxel_that_counts_have_no_percentile() -> None:
    for values in (np.full(SHAPE, 3, np.uint8), np.full(SHAPE, np.nan, np.float32)):
        job = task(values, None, missing=3.0, background="frame percentile")
        whole = gather._Percentile(job, job.volume, 3)
        whole.add(values.reshape(3, -1))
        assert np.isnan(whole.result()).all() and len(whole.result()) == 3


@pytest.mark.parametrize(
    ("kind", "kept"), [("?", "u1"), ("f2", "f4"), ("f4", "f4"), (">f8", "f8"), (">u2", "u2"), ("i4", "i4")]
)
def test_the_type_in_which_voxels_are_kept_is_that_in_which_they_are_read(kind: str, kept: str) -> None:
    source = VoxelSource(np.zeros(SHAPE, kind), "x")
    assert (
        gather._kept_type(source)
        == np.dtype(kept)
        == source.read((slice(0, 1), slice(0, 2), slice(0, 6), slice(0, 8))).dtype
    )


LABELS = np.zeros(SHAPE[1:], np.uint16)
LABELS[0, 0:2, 0:3], LABELS[1, 3:6, 4:7], LABELS[0, 5, 7] = 4, 7, 9


def reduced(values: np.ndarray, settings: ExtractionSettings, prefix: str, missing: float) -> float:
    values = good(values, missing)
    if not len(values):
        return NAN
    kind = "mean" if prefix and settings.statistic == "sum" else settings.statistic
    cut = int(settings.trim * len(values)) if kind == "trimmed mean" else 0
    values = np.sort(values)[cut : len(values) - cut]
    return {"mean": np.mean, "median": np.median, "trimmed mean": np.mean, "sum": np.sum}[kind](values)


@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize("statistic", ["mean", "median", "trimmed mean", "sum"])
@pytest.mark.parametrize("background", ["none", "annulus", "frame percentile"])
def test_regions_and_backgrounds_of_whole_frames(moving: bool, statistic: str, background: str) -> None:
    values, reference = image("f4"), image("u2", 1)
    labels = np.stack([LABELS, np.roll(LABELS, 1, axis=2), np.where(LABELS == 9, 0, LABELS)]) if moving else LABELS
    options = {
        "statistic": statistic,
        "background": background,
        "annulus_inner_um": 1.0,
        "annulus_outer_um": 2.0,
        "annulus_gap_um": 1.0,
    }
    job = task(values, labels, reference=reference, missing=3.0, **options)
    block = Block(0, 0, 3, BOXES, 0)
    part = gather.gather_moving(job, block, None) if moving else gather.gather_static(job, block, None)
    assert part.ids.tolist() == [4, 7, 9] and (part.start, part.stop) == (0, 3)
    for prefix, data in (("", values), ("reference_", reference)):
        for t in range(3):
            frame = labels[t] if moving else labels
            around = regions.find_annuli(frame, part.ids, (1.0, 1.0, 1.0), job.settings)
            for k, label in enumerate(part.ids):
                mine = data[t][frame == label]
                np.testing.assert_allclose(
                    part.values[f"{prefix}trace"][t, k], reduced(mine, job.settings, prefix, 3.0), rtol=1e-6
                )
                assert part.sums[f"{prefix}count"][t, k] == len(good(mine, 3.0))
                if background == "annulus":
                    ring = good(data[t].ravel()[around.voxels[around.region == k]], 3.0)
                    expected = (
                        NAN
                        if not len(ring)
                        else {"mean": np.mean, "median": np.median}[job.settings.background_statistic](ring)
                    )
                    np.testing.assert_allclose(part.values[f"{prefix}background"][t, k], expected, rtol=1e-6)
                if not prefix:
                    assert (
                        part.sums["voxels"][t, k] == (frame == label).sum()
                        and part.sums["saturated"][t, k] == (good(mine, 3.0) >= 8).sum()
                    )
                    if moving:
                        for axis, places in zip("zyx", np.nonzero(frame == label), strict=True):
                            assert part.sums[axis][t, k] == places.sum()
            if background == "frame percentile":
                expected = np.percentile(good(data[t], 3.0), job.settings.background_percentile)
                assert part.values[f"{prefix}background"][t] == pytest.approx(expected)
    with pytest.raises(Cancelled):
        (gather.gather_moving if moving else gather.gather_static)(job, block, lambda: True)


def test_labels_below_zero_too_many_and_none_at_all() -> None:
    block = Block(0, 0, 3, ((slice(0, 2), slice(0, 6), slice(0, 8)),), 0)
    values = image("u2")
    negative = np.zeros(SHAPE, np.int16)
    negative[1, 0, 0, 0] = -1
    with pytest.raises(InputError, match="labels x: there are negative labels"):
        gather.gather_moving(task(values, negative), block, None)
    many = np.zeros(SHAPE, np.int16)
    many[0, 0, 0, :3] = [1, 2, 3]
    assert len(gather.gather_moving(task(values, many, max_neurons=3), block, None).ids) == 3
    with pytest.raises(InputError, match="there are 3 labels"):
        gather.gather_moving(task(values, many, max_neurons=2), block, None)
    none = gather.gather_moving(task(values, np.zeros(SHAPE, np.int16)), block, None)
    assert not len(none.ids) and none.sums == none.values == {}
