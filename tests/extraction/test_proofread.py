"""Corrections of labels against plain voxel-by-voxel versions of what they are said to do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
