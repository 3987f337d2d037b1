"""Corrections of labels against plain voxel-by-voxel versions of what they are said to do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_dynamic_connectome.extraction import proofread
from napari_dynamic_connectome.extraction.proofread import (
    delete,
    free_label,
    grow,
    label_box,
    merge,
    shrink,
    split,
    suspicious,
)
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.recording import Recording

SIZE = (2.0, 0.5, 0.5)


def scene(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    labels = np.zeros((6, 20, 24), np.uint16)
    for number in range(1, 5):
        z, y, x = rng.integers(0, 4), rng.integers(0, 14), rng.integers(0, 18)
        labels[z : z + 3, y : y + 6, x : x + 6] = number
    return labels


def near(labels: np.ndarray, place, mask: np.ndarray, step: float) -> bool:
    """Whether a voxel has one of a mask within a distance (um), by looking at all of them."""
    gaps = (np.argwhere(mask) - np.asarray(place)) * SIZE
    return len(gaps) > 0 and bool((np.linalg.norm(gaps, axis=1) <= step + 1e-6).any())


def applied(labels: np.ndarray, patch) -> np.ndarray:
    new = labels.copy()
    patch.apply(new)
    back = new.copy()
    patch.inverse().apply(back)
    np.testing.assert_array_equal(back, labels)
    changed = np.unique([*labels[new != labels], *new[new != labels]])
    assert patch.touched == set(changed.tolist()) - {0}
    return new


def test_delete_and_merge() -> None:
    labels = scene()
    np.testing.assert_array_equal(applied(labels, delete(labels, [2, 4])), np.where(np.isin(labels, [2, 4]), 0, labels))
    np.testing.assert_array_equal(applied(labels, merge(labels, 3, 1)), np.where(labels == 1, 3, labels))
    for wrong in (lambda: delete(labels, [99]), lambda: merge(labels, 1, 1), lambda: merge(labels, 99, 1)):
        with pytest.raises(InputError, match=r"99|itself"):
            wrong()


@pytest.mark.parametrize("step", [None, 0.75, 2.0])
@pytest.mark.parametrize("seed", [0, 3])
def test_grow_and_shrink_look_at_every_voxel(step, seed) -> None:
    labels, reach = scene(seed), 0.5 if step is None else step
    grown, shrunk = applied(labels, grow(labels, 2, SIZE, step)), None
    for place in np.ndindex(labels.shape):
        takes = labels[place] == 0 and near(labels, place, labels == 2, reach)
        assert grown[place] == (2 if takes else labels[place])
    try:
        shrunk = applied(labels, shrink(labels, 2, SIZE, step))
    except InputError:
        assert step == 2.0  # nothing would be left
        return
    for place in np.argwhere(labels == 2):
        assert shrunk[tuple(place)] == (0 if near(labels, place, labels != 2, reach) else 2)


def dumbbell() -> tuple[np.ndarray, np.ndarray]:
    """Two balls that touch, as one label and as two."""
    z, y, x = np.indices((12, 30, 60))
    far = [((z - 6) * 2.0) ** 2 + ((y - 15) * 0.5) ** 2 + ((x - at) * 0.5) ** 2 for at in (22, 37)]
    truth = np.where(far[0] <= far[1], 1, 2) * (np.minimum(*far) <= 16.5)
    return np.where(truth > 0, 7, 0).astype(np.uint16), truth


def test_split_cuts_at_the_neck_wherever_one_clicks() -> None:
    labels, truth = dumbbell()
    labels[0, 0, 0] = 9
    for first, second in (((6, 15, 22), (6, 15, 37)), ((5, 12, 24), (7, 18, 40)), ((6, 15, 28), (6, 15, 31))):
        new = applied(labels, split(labels, 7, first, second, voxel_size_um=SIZE))
        parts = np.where(new == 7, 1, np.where(new == 10, 2, 0))
        assert ((parts > 0) == (truth > 0)).all()
        assert (parts != truth).sum() < 0.02 * (truth > 0).sum()
        assert new[first] == 7 and new[second] == 10


def test_split_without_a_neck_goes_by_the_nearer_click() -> None:
    labels = np.zeros((3, 9, 30), np.uint8)
    labels[:, 2:7, 4:26] = 5
    new = applied(labels, split(labels, 5, (1, 4, 8), (1, 4, 18), voxel_size_um=(1, 1, 1), new=8))
    x = np.indices(labels.shape)[2]
    np.testing.assert_array_equal(new == 8, (labels == 5) & (x > 13))


def test_a_body_with_one_summit_is_cut_between_the_clicks_and_not_through_its_depth() -> None:
    z, y, x = np.indices((9, 21, 41))
    labels = np.where(((z - 4) / 3.5) ** 2 + ((y - 10) / 8) ** 2 + ((x - 20) / 16) ** 2 < 1, 5, 0).astype(np.uint8)
    new = applied(labels, split(labels, 5, (4, 10, 8), (4, 10, 24), voxel_size_um=(1, 1, 1), new=8))
    np.testing.assert_array_equal(new == 8, (labels == 5) & (x > 16))


def test_split_says_what_is_wrong_with_the_clicks() -> None:
    labels, _ = dumbbell()
    for places, word in ((((0, 0, 0), (6, 15, 37)), "not in label 7"), (((6, 15, 22), (6, 15, 22)), "same voxel")):
        with pytest.raises(InputError, match=word):
            split(labels, 7, *places)


@given(st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_boxes_hold_all_of_a_label(seed) -> None:
    labels = scene(seed)
    for number in range(1, 6):
        box, where = label_box(labels, number), np.argwhere(labels == number)
        if not len(where):
            assert box is None
            continue
        assert [s.start for s in box] == where.min(axis=0).tolist()
        assert [s.stop for s in box] == (where.max(axis=0) + 1).tolist()


def test_numbers_that_run_out() -> None:
    labels = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
    with pytest.raises(InputError, match="no number is free"):
        free_label(labels)
    labels[labels == 17] = 0
    assert free_label(labels) == 17
    assert free_label(np.zeros((2, 2, 2), np.uint8)) == 1


def test_the_worst_come_first_and_odd_sizes_after_them() -> None:
    import pandas as pd

    rng = np.random.default_rng(0)
    worm = Recording.from_arrays(rng.random((30, 6)), name="w", rate_hz=2.0)
    sizes = np.array([100, 100, 350, 20, 100, 100.0])
    worm = worm.replace(traces=worm.traces.assign_coords(n_voxels=("neuron", sizes)))
    assert suspicious(worm) == [(4, "20% of the usual size"), (3, "3.5 x the usual size")]
    quality = pd.DataFrame(
        {
            "flagged": [False, True, False, False, True, True],
            "rank": [6, 2, 5, 4, 1, 3],
            "reason": ["", "b", "", "", "a", "c"],
        },
        index=worm.neurons.index,
    )
    neurons = worm.neurons.copy()
    neurons.loc[neurons.index[5], "rejected"] = True
    found = suspicious(worm.replace(quality=quality, neurons=neurons))
    assert found == [(5, "a"), (2, "b"), (4, "20% of the usual size"), (3, "3.5 x the usual size")]


def random_labels(
    seed: int, shape: tuple[int, int, int] = (4, 5, 6), most: int = 3, kind: type = np.uint8
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.integers(1, most + 1, shape) * (rng.random(shape) < 0.45)).astype(kind)


def near_any(places: np.ndarray, voxel: tuple[int, ...], size: tuple[float, ...], step: float) -> bool:
    """Whether the centre of a voxel is at most a step (um) from one of the places."""
    return any(
        sum(((a - b) * s) ** 2 for a, b, s in zip(voxel, p, size, strict=True)) <= step**2 * (1 + 1e-6) for p in places
    )


def changed(labels: np.ndarray, patch: proofread.Patch) -> np.ndarray:
    """Labels after a patch; its inverse must give back what was there."""
    after = labels.copy()
    patch.apply(after)
    back = after.copy()
    patch.inverse().apply(back)
    np.testing.assert_array_equal(back, labels)
    np.testing.assert_array_equal(labels[patch.voxels], patch.old)
    touched = set(np.unique(labels[after != labels])) | set(np.unique(after[after != labels]))
    assert {i for i in touched if i} <= patch.touched and 0 not in patch.touched
    assert patch.new.dtype == labels.dtype and patch.inverse().text == f"undo: {patch.text}"
    return after


SIZES = ((1.0, 1.0, 1.0), (2.0, 0.5, 0.5), (0.4, 1.0, 0.7))


@pytest.mark.parametrize("seed", range(6))
def test_growing_takes_free_voxels_up_to_a_step_and_shrinking_those_as_near_to_the_outside(seed: int) -> None:
    labels, size = random_labels(seed, (3, 4, 5)), SIZES[seed % 3]
    for by in (None, 1.0, 0.5, 1.42):
        step = min(size) if by is None else by
        for label in np.unique(labels[labels > 0]):
            own, free = np.argwhere(labels == label), np.argwhere(labels == 0)
            expected = labels.copy()
            for voxel in free:
                if near_any(own, tuple(voxel), size, step):
                    expected[tuple(voxel)] = label
            if (expected == labels).all():
                with pytest.raises(InputError, match=f"label {label} has no free voxel around it"):
                    proofread.grow(labels, int(label), size, by)
            else:
                patch = proofread.grow(labels, int(label), size, by)
                np.testing.assert_array_equal(changed(labels, patch), expected)
                assert patch.text == f"grow label {label}"
            grown = np.where(expected == label, label, 0)
            expected = grown.copy()
            for voxel in np.argwhere(grown == label):
                if near_any(np.argwhere(grown != label), tuple(voxel), size, step):
                    expected[tuple(voxel)] = 0
            if not expected.any():
                with pytest.raises(InputError, match=f"nothing would be left of label {label}"):
                    proofread.shrink(grown, int(label), size, by)
            elif (grown == label).all():
                with pytest.raises(InputError, match="fills the image"):
                    proofread.shrink(grown, int(label), size, by)
            else:
                np.testing.assert_array_equal(changed(grown, proofread.shrink(grown, int(label), size, by)), expected)


def test_what_fills_the_image_or_has_no_room_is_said() -> None:
    full = np.ones((3, 3, 3), np.uint8)
    with pytest.raises(InputError, match="fills the image"):
        proofread.shrink(full, 1)
    full[1, 1, 1] = 0
    np.testing.assert_array_equal(np.argwhere(changed(full, proofread.shrink(full, 1)) == 1).shape, (20, 3))
    for step in (0.0, -1.0, np.nan):
        with pytest.raises(InputError, match="is not possible"):
            proofread.grow(full, 1, by_um=step)


@pytest.mark.parametrize("seed", range(10))
def test_deleting_merging_and_boxes_are_those_of_the_voxels(seed: int) -> None:
    labels = random_labels(seed, most=9) * (np.random.default_rng(seed).random((4, 5, 6)) < 0.4)
    there = [int(i) for i in np.unique(labels[labels > 0])]
    for label in range(-1, 12):
        box = proofread.label_box(labels, label)
        if label not in there:
            assert box is None
            continue
        where = np.argwhere(labels == label)
        assert box == tuple(slice(a, b + 1) for a, b in zip(where.min(0), where.max(0), strict=True))
    one, other = there[:2]
    patch = proofread.delete(labels, [one, other, one])
    np.testing.assert_array_equal(changed(labels, patch), np.where(np.isin(labels, [one, other]), 0, labels))
    assert (
        patch.text == f"delete labels {one}, {other}" and proofread.delete(labels, [one]).text == f"delete label {one}"
    )
    patch = proofread.merge(labels, one, other)
    np.testing.assert_array_equal(changed(labels, patch), np.where(labels == other, one, labels))
    assert patch.text == f"merge label {other} into {one}" and patch.touched == {one, other}
    for wrong, words in (
        (lambda: proofread.delete(labels, [one, 11]), "there is no label 11 here"),
        (lambda: proofread.delete(labels, []), "no label was chosen"),
        (lambda: proofread.merge(labels, one, 11), "there is no label 11"),
        (lambda: proofread.merge(labels, 11, one), "there is no label 11"),
        (lambda: proofread.merge(labels, one, one), "cannot be merged with itself"),
    ):
        with pytest.raises(InputError, match=words):
            wrong()


@pytest.mark.parametrize(
    ("used", "kind", "free"),
    [([], np.uint8, 1), ([3], np.uint8, 4), ([254], np.uint8, 255), ([1, 2, 255], np.uint8, 3), ([255], np.uint8, 1),
     (range(1, 255), np.uint8, 255), ([*range(1, 126), 127], np.int8, 126), (range(1, 256), np.uint8, None), (range(1, 128), np.int8, None)],
)  # fmt: skip
def test_a_free_number_is_after_all_others_or_in_a_gap(used, kind, free) -> None:
    labels = np.zeros((1, 16, 16), kind)
    labels.flat[: len(used)] = list(used)
    if free is None:
        with pytest.raises(InputError, match=f"no number is free: {np.dtype(kind)} ends at {np.iinfo(kind).max}"):
            proofread.free_label(labels)
    else:
        assert proofread.free_label(labels) == free
    with pytest.raises(InputError, match="no number is free"):
        proofread.free_label(np.arange(256, dtype=np.uint8).reshape(1, 16, 16))


@pytest.mark.parametrize("size", SIZES)
def test_two_balls_that_touch_are_split_at_their_neck(size: tuple[float, float, float]) -> None:
    grid = np.indices((9, 12, 24)).transpose(1, 2, 3, 0) * np.asarray(size)
    centres = [np.array([4, 5, 6]) * size, np.array([4, 6, 17]) * size]
    radius = 0.52 * np.linalg.norm(centres[1] - centres[0])
    near = [np.linalg.norm(grid - c, axis=-1) for c in centres]
    labels = np.where((near[0] < radius) | (near[1] < radius), 4, 0).astype(np.uint16)
    labels[0, 0, 0] = 9
    for first, second, new in (((4, 5, 6), (4, 6, 17), 0), ((4, 4, 9), (4, 6, 15), 7)):
        patch = proofread.split(labels, 4, first, second, voxel_size_um=size, new=new)
        after = changed(labels, patch)
        number = new or 10
        assert patch.text == f"split label 4 into 4 and {number}" and set(np.unique(after)) == {0, 4, 9, number}
        assert after[first] == 4 and after[second] == number
        clear = (labels == 4) & (np.abs(near[0] - near[1]) > 0.15 * radius)
        expected = np.where(near[0] < near[1], 4, number)
        np.testing.assert_array_equal(after[clear], expected[clear])


@pytest.mark.parametrize("size", SIZES)
def test_a_label_without_a_neck_is_split_halfway(size: tuple[float, float, float]) -> None:
    labels = np.zeros((3, 4, 9), np.uint8)
    labels[:, :, :8] = 2
    first, second = (1, 1, 1), (1, 2, 6)
    after = changed(labels, proofread.split(labels, 2, first, second, voxel_size_um=size))
    for voxel in np.argwhere(labels == 2):
        far = [np.linalg.norm((voxel - np.array(p)) * size) for p in (first, second)]
        assert after[tuple(voxel)] == (3 if far[1] < far[0] else 2)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ((0, 0, 9), (0, 0, 1), r"the place \(0, 0, 9\) is not in label 2"), ((0, 0, 1), (0, 0, -5), r"\(0, 0, -5\) is not in label 2"),
        ((0, 0, 1), (0, 0, 3), r"\(0, 0, 3\) is not in label 2"), ((0, 0, 1), (0, 0, 1), "both clicks are on the same voxel"),
        ((0, 0, 4), (0, 0, 1), r"\(0, 0, 4\) is not in label 2"),
    ],
)  # fmt: skip
def test_both_places_of_a_split_are_in_the_label(first, second, words) -> None:
    labels = np.zeros((2, 3, 8), np.uint8)
    labels[0, 0, :3], labels[0, 0, 3] = 2, 1
    with pytest.raises(InputError, match=words):
        proofread.split(labels, 2, first, second)
    after = changed(labels, proofread.split(labels, 2, (0, 0, 0), (0, 0, 2)))
    assert after[0, 0, :4].tolist() == [2, 2, 3, 1]


def judged(**quality: list) -> Recording:
    made = Recording.from_arrays(np.ones((3, 5)), name="w", rate_hz=1, labels=[11, 12, 13, 14, 15])
    made = made.replace(neurons=made.neurons.assign(rejected=[False, False, False, False, True]))
    return made.replace(quality=pd.DataFrame(quality, index=made.neurons.index)) if quality else made


def test_what_is_worth_a_look_comes_in_order_with_its_reasons() -> None:
    flags = {"flagged": [True, False, True, True, True]}
    assert proofread.suspicious(judged()) == [] and proofread.suspicious(judged(snr=[1] * 5)) == []
    assert proofread.suspicious(judged(**flags)) == [(11, "flagged"), (13, "flagged"), (14, "flagged")]
    ranked = judged(**flags, rank=[3, 1, 2, 1, 0], reason=["a", "b", "", "d", "e"])
    assert proofread.suspicious(ranked) == [(14, "d"), (13, "flagged"), (11, "a")]
    sizes = ranked.traces.assign_coords(n_voxels=("neuron", [61.0, 60.0, 20.0, 19.0, 1.0]))
    found = proofread.suspicious(ranked.replace(traces=sizes))  # the median is 20
    assert found == [(14, "d"), (13, "flagged"), (11, "a, 3.0 x the usual size")]
    alone = judged().traces.assign_coords(n_voxels=("neuron", [300.0, 100.0, 34.0, 33.0, 301.0]))
    assert proofread.suspicious(judged().replace(traces=alone)) == [(14, "33% of the usual size")]
    both = judged().traces.assign_coords(n_voxels=("neuron", [100.0, 320.0, 10.0, np.nan, 100.0]))
    assert proofread.suspicious(judged().replace(traces=both)) == [
        (13, "10% of the usual size"),
        (12, "3.2 x the usual size"),
    ]
    for nothing in ([np.nan] * 5, [0.0] * 5):
        empty = judged().traces.assign_coords(n_voxels=("neuron", nothing))
        assert proofread.suspicious(judged().replace(traces=empty)) == []
