"""Labels beside a reference: counts against scikit-image, pairs against brute force, splits, merges and tracks by hand."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import tifffile
from skimage.metrics import contingency_table

from napari_dynamic_connectome.comparison.overlap import Overlap, best_pairs
from napari_dynamic_connectome.comparison.overlap_kernels import count_overlaps
from napari_dynamic_connectome.comparison.segmentation import compare_labels
from napari_dynamic_connectome.model.errors import Cancelled, InputError


def blobs(seed: int, shape: tuple[int, ...] = (4, 20, 70), n: int = 9, top: int = 9) -> np.ndarray:
    """Boxes at random places, later ones over earlier ones."""
    rng = np.random.default_rng(seed)
    volume = np.zeros(shape, np.uint16)
    for label in rng.choice(np.arange(1, top + 1), n, replace=False):
        low = [int(rng.integers(0, s - 1)) for s in shape]
        volume[tuple(slice(a, a + int(rng.integers(2, 12))) for a in low)] = label
    return volume


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int32", "uint32", "int64", ">u2"])
def test_counts_are_those_of_scikit_image_for_every_type_of_labels(kind: str) -> None:
    one, two = blobs(0).astype(kind), blobs(1, top=200).astype(kind)
    overlap = Overlap.of(one, two)
    table = contingency_table(two.astype(int), one.astype(int)).toarray()
    mine = np.zeros_like(table)
    mine[overlap.reference[overlap.row], overlap.label[overlap.column]] = overlap.shared
    np.testing.assert_array_equal(mine[1:, 1:], table[1:, 1:])
    np.testing.assert_array_equal(overlap.reference_size, table.sum(axis=1)[overlap.reference])
    np.testing.assert_array_equal(overlap.label_size, table.sum(axis=0)[overlap.label])


def test_many_labels_with_huge_numbers_and_lone_voxels_are_counted() -> None:
    rng = np.random.default_rng(2)
    one = rng.integers(0, 60, (3, 30, 41)) * 71_234_567_891
    two = rng.integers(0, 60, (3, 30, 41)).astype(np.uint16)
    first, second, count, place = count_overlaps(one, two)
    found = {(a, b): c for a, b, c in zip(first.tolist(), second.tolist(), count.tolist(), strict=True)}
    pairs, expected = np.unique(np.stack([one.ravel(), two.ravel()]), axis=1, return_counts=True)
    brute = {(int(a), int(b)): int(c) for (a, b), c in zip(pairs.T, expected, strict=True) if a or b}
    assert len(brute) > 2000 and found == brute
    k = next(i for i, c in enumerate(count) if c > 1)
    voxels = np.argwhere((one == first[k]) & (two == second[k]))
    np.testing.assert_allclose(place[k], voxels.sum(axis=0))


def test_pairs_have_the_largest_sum_of_iou_of_all_ways_to_pair() -> None:
    rng = np.random.default_rng(3)
    for _ in range(30):
        table = rng.random((5, 5)) * (rng.random((5, 5)) < 0.5)
        row, column = np.nonzero(table)
        best = max(sum(table[i, o[i]] for i in range(5)) for o in permutations(range(5)))
        rows, columns, value = best_pairs(row, column, table[row, column], 5, 5)
        assert value.sum() == pytest.approx(best)
        assert len(set(rows)) == len(rows) and len(set(columns)) == len(columns)


def test_scores_are_those_of_brute_force() -> None:
    one, two = blobs(4), blobs(4)
    two = np.roll(two, 2, axis=2)
    found = compare_labels(one, two, {"thresholds": (0.0, 0.3, 0.6)})
    refs, labs = np.unique(two)[1:], np.unique(one)[1:]
    iou = np.array([[((two == r) & (one == k)).sum() / ((two == r) | (one == k)).sum() for k in labs] for r in refs])
    best: tuple[float, list[float]] = (-1.0, [])
    for order in permutations(range(len(labs)), min(len(labs), len(refs))):
        values = [iou[i, j] for i, j in enumerate(order)]
        best = max(best, (sum(values), values))
    for _, row in found.scores.iterrows():
        hits = sum(v > row["threshold"] for v in best[1])
        assert row["matched"] == hits
        assert row["f1"] == pytest.approx(2 * hits / (len(refs) + len(labs)))
        assert row["average_precision"] == pytest.approx(hits / (len(refs) + len(labs) - hits))
    covered = []
    for i, r in enumerate(refs):
        own = [
            k
            for k in labs
            if (k == one[two == r]).any() and max(refs, key=lambda q: ((one == k) & (two == q)).sum()) == r
        ]
        covered.append(np.isin(one[two == r], own).mean())
        assert iou[i].max() <= 1
    assert found.summary["coverage"] == pytest.approx(np.mean(covered))


def test_a_perfect_segmentation_is_perfect_whatever_its_numbers() -> None:
    reference = blobs(5)
    found = compare_labels((reference * 7).astype(np.int64), reference)
    assert (found.scores["f1"] == 1).all() and found.summary["score"] == 1.0
    assert found.summary["false_splits"] == found.summary["false_merges"] == 0 and len(found.extra) == 0
    assert (found.table()["iou"] == 1).all()
    assert "average F1 1.00" in found.sentence()


def boxes(*spans: tuple[int, int, int]) -> np.ndarray:
    line = np.zeros((1, 1, 100), np.uint16)
    for start, stop, label in spans:
        line[0, 0, start:stop] = label
    return line


def test_splits_and_merges_are_counted_and_attributed() -> None:
    reference = boxes((0, 20, 1), (20, 40, 2), (50, 70, 3), (80, 90, 4))
    #            1 is whole, 2 is in two parts, 3 and 4 are in one label, 9 lies on nothing
    labels = boxes((0, 20, 5), (20, 32, 6), (32, 40, 7), (50, 90, 8), (95, 100, 9))
    found = compare_labels(labels, reference, names={2: "AVAL"})
    assert (found.summary["false_splits"], found.summary["false_merges"]) == (1, 1)
    table = found.table().set_index("reference")
    assert table.loc[2, "splits"] == 1 and table.loc[1, "splits"] == 0 and table.loc[2, "name"] == "AVAL"
    assert table.loc[3, "merges"] == 1 and table.loc[4, "merges"] == 1 and table.loc[1, "merges"] == 0
    assert table.loc[2, "score"] == pytest.approx(12 / 20) and table.loc[2, "coverage"] == 1.0
    assert table.loc[4, "score"] == 0.0 and table.loc[4, "coverage"] == 0.0, (
        "label 8 belongs to 3, which holds more of it"
    )
    assert found.table()["reference"].tolist()[0] == 4, "the worst first"
    assert found.extra["label"].tolist() == [7, 9] or set(found.extra["label"]) == {7, 8, 9}
    assert table.loc[1, ["z", "y", "x"]].tolist() == [0, 0, 9.5]


def test_a_neighbour_that_laps_over_is_no_split() -> None:
    reference = boxes((0, 20, 1), (20, 40, 2))
    labels = boxes((0, 16, 1), (16, 40, 2))
    assert compare_labels(labels, reference).summary["false_splits"] == 0


def series() -> tuple[np.ndarray, np.ndarray]:
    """Neuron 1: labels 5 5 6 6 5; neuron 2: label 7 in frames 0, 1 and 4 only; neuron 3 vanishes after frame 1."""
    reference = np.stack([boxes((0, 10, 1), (20, 30, 2), *([(40, 50, 3)] if t < 2 else [])) for t in range(5)])
    labels = np.stack(
        [
            boxes((0, 10, one), *([(20, 30, 7)] if t in (0, 1, 4) else []), *([(40, 50, 8)] if t < 2 else []))
            for t, one in enumerate((5, 5, 6, 6, 5))
        ]
    )
    return labels, reference


def test_switches_and_gaps_of_tracks_are_counted() -> None:
    labels, reference = series()
    found = compare_labels(labels, reference)
    tracks = found.tracks.set_index("reference")
    assert tracks.loc[1, ["switches", "gaps", "labels", "first_switch"]].tolist() == [2, 0, 2, 2]
    assert tracks.loc[2, ["switches", "gaps", "gap_frames", "matched_frames"]].tolist() == [0, 1, 2, 3]
    assert tracks.loc[3, ["switches", "gaps", "frames"]].tolist() == [0, 0, 2], "that it leaves is no gap"
    assert found.tracks["reference"].tolist()[0] == 1
    assert (found.summary["identity_switches"], found.summary["gaps"]) == (2, 1)
    assert "2 identity switches, 1 gaps" in found.sentence() and "5 frames" in found.sentence()
    objects = found.table().set_index("reference")
    assert objects.loc[2, "matched"] == 3 / 5 and objects.loc[2, "worst_frame"] == 2 and objects.loc[1, "label"] == 5


def test_frames_without_objects_count_for_nothing() -> None:
    labels, reference = series()
    empty = np.zeros_like(labels[:1])
    found = compare_labels(np.concatenate([labels, empty]), np.concatenate([reference, empty]))
    assert found.summary["n_reference"] == 12 and found.summary["n_frames"] == 6
    nothing = compare_labels(np.zeros_like(labels), reference)
    assert (nothing.scores["f1"] == 0).all() and nothing.summary["coverage"] == 0 and len(nothing.extra) == 0
    assert "nan" in nothing.sentence()


def test_a_series_gives_the_sum_of_its_frames_from_files_as_from_arrays(tmp_path: Path) -> None:
    one = np.stack([blobs(s, (3, 16, 40)) for s in range(4)])
    two = np.roll(one, 1, axis=3)
    whole = compare_labels(one, two)
    single = [compare_labels(a, b) for a, b in zip(one, two, strict=True)]
    assert whole.scores["matched"].tolist() == np.sum([s.scores["matched"] for s in single], axis=0).tolist()
    for name, data in (("a", one), ("b", two)):
        tifffile.imwrite(tmp_path / f"{name}.ome.tif", data, metadata={"axes": "TZYX"}, photometric="minisblack")
    files = compare_labels(tmp_path / "a.ome.tif", tmp_path / "b.ome.tif")
    assert files.scores.equals(whole.scores) and files.table().drop(columns="name").equals(
        whole.table().drop(columns="name")
    )


def test_chunks_of_several_frames_are_read_once() -> None:
    class Stored:
        """Counts the reads of an array that is stored two frames a chunk."""

        def __init__(self, data: np.ndarray) -> None:
            self.data, self.shape, self.dtype, self.chunks, self.reads = (
                data,
                data.shape,
                data.dtype,
                (2, 1, 1, 100),
                [],
            )

        def __getitem__(self, key: slice) -> np.ndarray:
            self.reads.append((key.start, key.stop))
            return self.data[key]

    labels, reference = series()
    stored = Stored(labels)
    found = compare_labels(stored, reference)
    assert stored.reads == [(0, 2), (2, 4), (4, 5)]
    assert found.scores.equals(compare_labels(labels, reference).scores)


@pytest.mark.parametrize(
    ("labels", "reference", "said"),
    [
        (np.ones((2, 3, 4), int), np.ones((2, 3, 5), int), r"\(2, 3, 4\) voxels .* \(2, 3, 5\)"),
        (np.ones((5, 2, 3, 4), int), np.ones((2, 3, 4), int), "is a series of 5 frames, the reference is one frame"),
        (np.ones((5, 2, 3, 4), int), np.ones((4, 2, 3, 4), int), "5 frames in the labels, 4 in the reference"),
        (np.ones((2, 3, 4)), np.ones((2, 3, 4), int), "float64, not whole numbers"),
        (np.ones((2, 3, 4), int), np.ones((2, 3, 4), bool), "a mask, not labels"),
        (-np.ones((2, 3, 4), int), np.ones((2, 3, 4), int), "negative labels"),
        (np.ones((2, 3, 4), int), np.zeros((2, 3, 4), int), "no object in any frame"),
        (np.ones(4, int), np.ones(4, int), "shape"),
    ],
)
def test_labels_that_cannot_be_compared_are_refused(labels: np.ndarray, reference: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        compare_labels(labels, reference)


def test_settings_are_checked_and_the_step_can_be_stopped() -> None:
    one = np.ones((2, 3, 4), int)
    with pytest.raises(InputError, match="thresholds"):
        compare_labels(one, one, {"thresholds": (0.5, 1.2)})
    with pytest.raises(InputError, match="unknown setting"):
        compare_labels(one, one, {"treshold": 0.5})
    with pytest.raises(Cancelled):
        compare_labels(one, one, cancel=lambda: True)


@pytest.mark.data
def test_real_embryo_labels_beside_themselves_and_with_two_nuclei_exchanged(shared_data: Path) -> None:
    with np.load(shared_data / "volumes" / "tgmm_mini_labels.npz") as file:
        reference = np.asarray(file[file.files[0]])
    assert compare_labels(reference, reference).summary["score"] == 1.0
    staying = set(np.unique(reference[0])) - {0}
    for frame in reference[1:]:
        staying &= set(np.unique(frame))
    both = sorted(int(i) for i in staying)[:2]
    labels = reference.copy()
    half = labels[len(labels) // 2 :]
    one, two = half == both[0], half == both[1]
    half[one], half[two] = both[1], both[0]
    found = compare_labels(labels, reference)
    assert found.summary["score"] == 1.0 and found.summary["identity_switches"] == 2 and found.summary["gaps"] == 0
    assert sorted(found.tracks["reference"][:2]) == sorted(both)


@pytest.mark.data
def test_real_nuclei_with_one_cut_in_two_and_two_joined(shared_data: Path) -> None:
    reference = tifffile.imread(shared_data / "volumes" / "cells3d_nuclei_label.tif")
    labels = reference.astype(np.int32)
    sizes = np.bincount(reference.ravel())
    big = int(np.argmax(sizes[1:]) + 1)
    rows = np.argwhere(reference == big)
    middle = int(np.median(rows[:, 2]))
    cut = (reference == big) & (np.arange(reference.shape[2]) > middle)
    labels[cut] = labels.max() + 1
    others = [int(i) for i in np.unique(reference) if i not in (0, big)]
    labels[labels == others[0]] = others[1]
    found = compare_labels(labels, reference)
    assert (found.summary["false_splits"], found.summary["false_merges"]) == (1, 1)
    assert found.summary["n_reference"] == len(others) + 1


def test_every_error_is_listed_with_its_frame() -> None:
    reference = np.zeros((2, 1, 10, 40), np.uint8)
    reference[:, 0, 2:8, 0:6], reference[:, 0, 2:8, 8:14], reference[:, 0, 2:8, 14:20] = 1, 2, 3
    labels = np.zeros_like(reference)
    labels[1] = reference[1]
    labels[1, 0, 2:8, 30:34] = 9  # too many
    labels[0, 0, 2:5, 0:6], labels[0, 0, 5:8, 0:6] = 1, 4  # a split
    labels[0, 0, 2:8, 8:20] = 2  # a merge
    errors = compare_labels(labels, reference).errors
    rows = {tuple(r) for r in errors.itertuples(index=False, name=None)}
    assert {r for r in rows if r[1] == "split"} == {(0, "split", 1, 1), (0, "split", 1, 4)}
    assert {r for r in rows if r[1] == "merge"} == {(0, "merge", 2, 2), (0, "merge", 3, 2)}
    assert {r for r in rows if r[1] == "extra"} == {(1, "extra", -1, 9)}
    # halves of the same size have IoU .5, which is not above .5
    assert {r[2] for r in rows if r[1] == "missed" and r[0] == 0} == {1, 2, 3}
    assert not [r for r in rows if r[1] == "missed" and r[0] == 1]
    assert not len(compare_labels(reference, reference).errors)


def test_a_switch_is_listed_with_its_place() -> None:
    reference = np.zeros((3, 1, 10, 12), np.uint8)
    reference[:, 0, 2:5, 4:9] = 1
    labels = reference.copy()
    labels[2] *= 7
    row = compare_labels(labels, reference).tracks.iloc[0]
    assert (row["switches"], row["first_switch"]) == (1, 2)
    np.testing.assert_allclose([row["z"], row["y"], row["x"]], [0, 3, 6])
