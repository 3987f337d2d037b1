"""Compiled loops over voxels against plain ones: sums, positions, medians, histograms and annuli, with what is left out."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dynamic_connectome.extraction import kernels

NAN = float("nan")


def counted(values: np.ndarray, saturation: float, missing: float) -> tuple[float, int, int]:
    """Sum, number and saturated number of the voxels that count."""
    good = [float(v) for v in values if np.isfinite(v) and v != missing]
    return sum(good), len(good), sum(v >= saturation for v in good)


def voxels(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Whole numbers as floats, with NaN and infinity."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 12, shape).astype(np.float32)
    values[rng.random(shape) < 0.1] = np.nan
    values[rng.random(shape) < 0.05] = np.inf
    return values


@pytest.mark.parametrize(("saturation", "missing"), [(10.0, 3.0), (NAN, NAN), (11.0, 0.0)])
def test_sums_over_fixed_runs_leave_out_what_is_no_voxel(saturation: float, missing: float) -> None:
    starts, lengths, offsets = np.array([2, 9, 5, 0]), np.array([3, 1, 4, 2]), np.array([0, 2, 2, 4])
    frames = voxels(0, (3, 12))
    whole = np.random.default_rng(1).integers(0, 12, (3, 12)).astype(np.uint16)
    for values, plain in ((frames, False), (whole, True), (whole, False)):
        left_out = NAN if plain else missing
        sums, counts, high = kernels.sum_runs(values, starts, lengths, offsets, plain, saturation, left_out)
        for t in range(3):
            for r in range(3):
                picked = [
                    values[t, s : s + n]
                    for s, n in zip(
                        starts[offsets[r] : offsets[r + 1]], lengths[offsets[r] : offsets[r + 1]], strict=True
                    )
                ]
                expected = counted(np.concatenate([[], *picked]), saturation, left_out)
                assert (sums[t, r], counts[t, r], high[t, r]) == expected


@pytest.mark.parametrize("n", [1, 15, 16, 17, 31, 32, 40, 67])
def test_every_place_that_is_not_zero_is_found(n: int) -> None:
    rng = np.random.default_rng(n)
    for share in (0.0, 0.05, 0.5, 1.0):
        line = (rng.integers(1, 9, n) * (rng.random(n) < share)).astype(np.uint8)
        found = np.full(n, -1)
        count = kernels.find_labels(line, found)
        np.testing.assert_array_equal(found[:count], np.flatnonzero(line))
        assert kernels.any_label(line) == bool(line.any())


@pytest.mark.parametrize("words", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_one_pass_sums_every_label_of_every_frame(words: bool, seed: int, monkeypatch) -> None:
    rng = np.random.default_rng(seed)
    n_z, n_y, n_x = 3, 4, 8
    labels = np.repeat(rng.integers(0, 5, (2, n_z * n_y * n_x // 2)), 2, axis=1).astype(np.uint16)
    labels[rng.random(labels.shape) < 0.5] = 0
    labels[0, :5] = 4  # begins at the first voxel, and one run goes over the end of a row
    labels[1, -20:] = 3
    frames = voxels(seed, labels.shape)
    view = labels.view(np.uint64) if words else np.zeros((2, 0), np.uint64)
    saturation, missing = (10.0, 3.0) if seed % 2 else (NAN, NAN)
    status, real, whole = kernels.sum_labels(frames, labels, view, n_x, n_y, 5, saturation, missing)
    assert status == 0 and real.shape == (2, 5, 1) and whole.shape == (2, 5, 6)
    for t in range(2):
        for label in range(5):
            where = np.flatnonzero(labels[t] == label) if label else np.zeros(0, int)
            z, y, x = np.unravel_index(where, (n_z, n_y, n_x))
            total, count, high = counted(frames[t][where], saturation, missing)
            assert real[t, label, 0] == total
            assert whole[t, label].tolist() == [count, len(where), high, z.sum(), y.sum(), x.sum()]
    status, _, part = kernels.sum_labels(frames, labels, view, n_x, n_y, 3, saturation, missing)
    assert status == labels.max()  # what does not fit is told, and the others are summed all the same
    np.testing.assert_array_equal(part, whole[:, :3])


def test_labels_below_zero_are_told_and_long_lines_are_read_piece_by_piece() -> None:
    labels = np.zeros((1, 32), np.int16)
    labels[0, 9], labels[0, 20] = 2, -1
    frames = np.ones((1, 32), np.float32)
    assert kernels.sum_labels(frames, labels, labels.view(np.uint64), 8, 4, 5, NAN, NAN)[0] == kernels.NEGATIVE
    n = 3 * kernels.PIECE + 16
    long = np.zeros((1, n), np.uint16)
    long[0, [0, kernels.PIECE - 1, kernels.PIECE, n - 1]] = 1
    long[0, kernels.PIECE * 2 - 3 : kernels.PIECE * 2 + 5] = 2
    frames = np.ones((1, n), np.float32)
    for view in (long.view(np.uint64), np.zeros((1, 0), np.uint64)):
        status, real, whole = kernels.sum_labels(frames, long, view, n, 1, 3, NAN, NAN)
        assert status == 0 and real[0, :, 0].tolist() == [0, 4, 8]
        assert (
            whole[0, 1, 5] == 2 * kernels.PIECE - 1 + n - 1
            and whole[0, 2, 5] == np.arange(kernels.PIECE * 2 - 3, kernels.PIECE * 2 + 5).sum()
        )


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 17, 33, 2), (1, 16, 1, 1)])
def test_turned_voxels_are_those_of_numpy(shape: tuple[int, ...]) -> None:
    stored = np.random.default_rng(0).integers(0, 99, shape).astype(np.uint16)
    got = kernels.turn(stored)
    np.testing.assert_array_equal(got, stored.transpose(0, 3, 2, 1))
    assert got.flags.c_contiguous


@pytest.mark.parametrize("kind", [0, 1, 2, 3])
@pytest.mark.parametrize(("saturation", "missing", "trim"), [(10.0, 3.0, 0.1), (NAN, NAN, 0.25), (11.0, 0.0, 0.4)])
def test_regions_are_reduced_as_numpy_and_scipy_do(kind: int, saturation: float, missing: float, trim: float) -> None:
    from scipy.stats import trim_mean

    frames, offsets = voxels(5, (4, 40)), np.array([0, 0, 1, 3, 8, 18, 40])
    frames[0, 3:8] = np.nan
    results, counts, high = kernels.reduce_regions(frames, offsets, kind, trim, saturation, missing)
    for t in range(4):
        for r in range(6):
            values = frames[t, offsets[r] : offsets[r + 1]].astype(float)
            good = values[np.isfinite(values) & (values != missing)]
            total, n, over = counted(values, saturation, missing)
            assert (counts[t, r], high[t, r]) == (n, over)
            if n == 0:
                assert np.isnan(results[t, r])
                continue
            expected = (total / n, np.median(good), trim_mean(good, trim), total)[kind]
            assert results[t, r] == pytest.approx(expected)


def test_histograms_are_added_up() -> None:
    frames = np.array([[-2, 0, 3, 3], [1, 1, 1, -3]], np.int16)
    counts = np.ones((2, 7), np.int64)
    kernels.count_values(frames, -3, counts)
    np.testing.assert_array_equal(counts - 1, [[0, 1, 0, 1, 0, 0, 2], [1, 0, 0, 0, 3, 0, 0]])


@pytest.mark.parametrize("seed", range(6))
def test_annuli_are_free_voxels_between_two_distances_away_from_others(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (4, 7, 8)
    numbers = (rng.integers(1, 4, shape) * (rng.random(shape) < 0.06)).astype(np.int64)
    numbers[numbers == 2] = 0 if seed % 2 else 2  # a number without a voxel
    numbers[0, 0, 0] = 1
    size = np.array([(1.0, 1.0, 1.0), (2.0, 0.5, 0.5), (0.4, 1.0, 0.7)][seed % 3])
    inner, outer, gap = ((1.0, 2.0, 1.0), (0.0, 1.5, 0.5), (0.5, 3.0, 0.0))[seed % 3]
    found, sizes = kernels.annulus_voxels(numbers, 3, size, inner, outer, gap)
    grid = np.indices(shape).reshape(3, -1).T * size
    flat, at = numbers.ravel(), 0
    for number in (1, 2, 3):
        own, others = grid[flat == number], grid[(flat != 0) & (flat != number)]
        expected = []
        for k in range(flat.size if len(own) else 0):
            near = np.linalg.norm(own - grid[k], axis=1).min()
            far = np.linalg.norm(others - grid[k], axis=1).min() if len(others) else np.inf
            if flat[k] == 0 and inner + 1e-6 < near <= outer + 1e-6 and far >= gap - 1e-6:
                expected.append(k)
        assert sizes[number - 1] == len(expected)
        np.testing.assert_array_equal(found[at : at + len(expected)], expected)
        at += len(expected)
    assert at == len(found)


def test_an_annulus_of_many_voxels_is_whole() -> None:
    numbers = np.zeros((15, 15, 15), np.int64)
    numbers[7, 7, 7] = 1
    found, sizes = kernels.annulus_voxels(numbers, 1, np.ones(3), 1.0, 7.0, 0.0)
    far = np.linalg.norm(np.indices(numbers.shape).reshape(3, -1).T - 7, axis=1)
    np.testing.assert_array_equal(found, np.flatnonzero((far > 1) & (far <= 7)))
    assert sizes.tolist() == [len(found)] and len(found) > 1024
