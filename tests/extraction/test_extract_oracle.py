"""Extracted traces equal what scipy, scikit-image and brute force give."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats
from skimage.measure import regionprops_table

from napari_dynamic_connectome.extraction.extract import extract_traces
from napari_dynamic_connectome.extraction.regions import find_annuli
from napari_dynamic_connectome.extraction.settings import ExtractionSettings
from napari_dynamic_connectome.extraction.sources import native

SIZE = (1.0, 0.5, 0.25)
UNITS = {"voxel_size_um": SIZE, "frame_rate_hz": 2.0}
SHAPE = (7, 5, 22, 27)


def static_labels() -> np.ndarray:
    labels = np.zeros(SHAPE[1:], np.uint16)
    labels[1:4, 2:7, 3:9] = 5
    labels[1:3, 7:10, 3:9] = 6  # touches neuron 5
    labels[0:2, 12:17, 12:20] = 9
    labels[4, 19:, 23:] = 300  # in a corner
    return labels


def moving_labels() -> np.ndarray:
    labels = np.stack([np.roll(static_labels(), (t % 2, t % 3), (1, 2)) for t in range(SHAPE[0])])
    labels[3][labels[3] == 9] = 0
    labels[:5][labels[:5] == 300] = 0
    labels[6] = 0
    return labels


def image(dtype: str = "uint16", seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).gamma(2.0, 900.0, SHAPE)
    return np.clip(values, 0, 250 if dtype == "uint8" else 60_000).astype(dtype)


def by_hand(volume: np.ndarray, labels: np.ndarray, reduce) -> np.ndarray:
    """(time, id) with NaN where a label is absent."""
    labels = np.broadcast_to(labels, volume.shape)
    ids = np.unique(labels[labels > 0])
    result = np.full((len(volume), len(ids)), np.nan)
    for t in range(len(volume)):
        for i, label in enumerate(ids):
            values = volume[t][labels[t] == label].astype(float)
            if len(values):
                result[t, i] = reduce(values)
    return result


REDUCTIONS = {
    "mean": np.mean,
    "median": np.median,
    "trimmed mean": lambda v: stats.trim_mean(v, 0.1),
    "sum": np.sum,
}


@pytest.mark.parametrize("labels", [static_labels, moving_labels])
@pytest.mark.parametrize("statistic", list(REDUCTIONS))
@pytest.mark.parametrize("chunked", [False, True])
def test_statistics_equal_brute_force(labels, statistic, chunked):
    volume, label_image = image(), labels()
    expected = by_hand(volume, label_image, REDUCTIONS[statistic])
    source = da.from_array(volume, chunks=(3, 2, 9, 10)) if chunked else volume
    traces = extract_traces(source, label_image, statistic=statistic, block_mb=1e-5, **UNITS)
    np.testing.assert_allclose(traces.values, expected, rtol=3e-7)
    assert list(traces["label"].values) == [5, 6, 9, 300]
    assert list(traces["neuron"].values) == ["#5", "#6", "#9", "#300"]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32", "float64", "float16", ">u2", ">f4"])
def test_mean_equals_scipy_and_skimage_for_every_type(dtype):
    volume, labels = image("uint8").astype(dtype), static_labels()
    ids = np.unique(labels[labels > 0])
    traces = extract_traces(volume, labels, **UNITS)
    for t in range(len(volume)):
        plain = volume[t].astype(dtype.lstrip(">"))
        np.testing.assert_allclose(traces.values[t], ndimage.mean(plain.astype(float), labels, ids), rtol=3e-7)
        table = regionprops_table(labels, plain.astype(float), properties=("label", "intensity_mean"))
        np.testing.assert_allclose(traces.values[t], table["intensity_mean"], rtol=3e-7)


def test_positions_are_the_centroids_of_regionprops_in_micrometres():
    volume, labels = image(), static_labels()
    table = regionprops_table(labels, properties=("centroid", "area"), spacing=SIZE)
    traces = extract_traces(volume, labels, **UNITS)
    for axis, name in enumerate("zyx"):
        np.testing.assert_allclose(traces[name].values, table[f"centroid-{axis}"], rtol=1e-12)
    np.testing.assert_array_equal(traces["n_voxels"].values, [(labels == i).sum() for i in (5, 6, 9, 300)])


@pytest.mark.parametrize("chunks", [None, (3, 2, 9, 10)])
def test_tracks_follow_the_labels_of_every_frame(chunks):
    volume, labels = image(), moving_labels()
    given_labels = labels if chunks is None else da.from_array(labels, chunks=chunks)
    given_volume = volume if chunks is None else da.from_array(volume, chunks=chunks)
    traces = extract_traces(given_volume, given_labels, block_mb=1e-5, **UNITS)
    for t in range(len(labels)):
        for i, label in enumerate((5, 6, 9, 300)):
            at = np.argwhere(labels[t] == label)
            for axis, name in enumerate("zyx"):
                found = float(traces[f"track_{name}"].values[t, i])
                if len(at):
                    assert found == pytest.approx(at[:, axis].mean() * SIZE[axis], rel=1e-6)
                else:
                    assert np.isnan(found)
    np.testing.assert_allclose(traces["y"].values, np.nanmedian(traces["track_y"].values, axis=0), rtol=1e-6)


def test_a_neuron_absent_from_a_frame_is_missing_and_not_zero():
    traces = extract_traces(image(), moving_labels(), **UNITS)
    assert np.isnan(traces.sel(neuron="#9").values[3])
    assert np.isfinite(traces.sel(neuron="#9").values[2])
    assert np.isnan(traces.values[6]).all()


@pytest.mark.parametrize("background", ["annulus", "frame percentile"])
@pytest.mark.parametrize("labels", [static_labels, moving_labels])
def test_background_does_not_depend_on_how_the_series_is_stored(background, labels):
    volume, label_image = image(), labels()
    more = {"statistic": "median", "background": background, "reference": volume[:, ::-1].copy(), **UNITS}
    whole = extract_traces(volume, label_image, **more)
    parts = extract_traces(da.from_array(volume, chunks=(2, 2, 7, 11)), label_image, block_mb=1e-5, **more)
    for name in (None, "background", "reference", "saturated", "missing", "voxels"):
        one, other = (whole, parts) if name is None else (whole[name], parts[name])
        np.testing.assert_array_equal(one.values, other.values)


def annulus_by_scipy(labels: np.ndarray, label: int, inner: float, outer: float, gap: float) -> np.ndarray:
    mine = ndimage.distance_transform_edt(labels != label, sampling=SIZE)
    other = (labels != label) & (labels != 0)
    away = ndimage.distance_transform_edt(~other, sampling=SIZE) if other.any() else np.full(labels.shape, np.inf)
    return (labels == 0) & (mine > inner + 1e-9) & (mine <= outer + 1e-9) & (away >= gap - 1e-9)


@pytest.mark.parametrize(("inner", "outer", "gap"), [(0.0, 1.0, 0.0), (0.5, 2.0, 0.5), (1.0, 3.0, 1.5)])
def test_annuli_equal_scipys_distance_transform(inner, outer, gap):
    labels = static_labels()
    asked = ExtractionSettings(annulus_inner_um=inner, annulus_outer_um=outer, annulus_gap_um=gap)
    ids = np.unique(labels[labels > 0]).astype(np.int64)
    sets = find_annuli(labels, ids, SIZE, asked)
    for i, label in enumerate(ids):
        expected = np.flatnonzero(annulus_by_scipy(labels, label, inner, outer, gap))
        assert len(expected)
        np.testing.assert_array_equal(np.sort(sets.voxels[sets.region == i]), expected)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1.2), st.floats(0.1, 2.0), st.floats(0, 1.5))
def test_annuli_of_random_labels_equal_scipys(seed, inner, more, gap):
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random((4, 9, 12)) < 0.05, rng.integers(1, 5, (4, 9, 12)), 0).astype(np.uint16)
    ids = np.unique(labels[labels > 0]).astype(np.int64)
    asked = ExtractionSettings(annulus_inner_um=inner, annulus_outer_um=inner + more, annulus_gap_um=gap)
    sets = find_annuli(labels, ids, SIZE, asked)
    for i, label in enumerate(ids):
        expected = np.flatnonzero(annulus_by_scipy(labels, label, inner, inner + more, gap))
        np.testing.assert_array_equal(np.sort(sets.voxels[sets.region == i]), expected)


def test_annulus_background_is_subtracted():
    volume, labels = image(), static_labels()
    traces = extract_traces(volume, labels, background="annulus", **UNITS)
    around = annulus_by_scipy(labels, 5, 1.0, 3.0, 0.5)
    for t in range(len(volume)):
        below = np.median(volume[t][around])
        assert float(traces["background"].values[t, 0]) == pytest.approx(below)
        assert float(traces.values[t, 0]) == pytest.approx(volume[t][labels == 5].mean() - below, rel=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32"])
@pytest.mark.parametrize("q", [0.0, 10.0, 33.3, 100.0])
def test_frame_percentile_equals_numpy(dtype, q):
    volume = image("uint8").astype(dtype) - (np.array(100, dtype) if dtype == "int16" else np.array(0, dtype))
    source = da.from_array(volume, chunks=(4, 2, 10, 10))
    traces = extract_traces(source, static_labels(), background="frame percentile", background_percentile=q, **UNITS)
    expected = np.percentile(volume.reshape(len(volume), -1).astype(float), q, axis=1)
    np.testing.assert_allclose(traces["background"].values[:, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("labels", [static_labels, moving_labels])
@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_ratio_divides_by_the_reference_channel(labels, statistic):
    volume, other = image(seed=1), image(seed=2) + 100
    expected = by_hand(volume, labels(), REDUCTIONS[statistic]) / by_hand(other, labels(), REDUCTIONS[statistic])
    traces = extract_traces(volume, labels(), statistic=statistic, reference=other, reference_use="ratio", **UNITS)
    np.testing.assert_allclose(traces.values, expected, rtol=3e-7)
    assert traces.attrs["units"] == "ratio"


@pytest.mark.parametrize("labels", [static_labels, moving_labels])
@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_saturated_and_missing_voxels_are_counted_and_missing_ones_left_out(labels, statistic):
    volume, label_image = image("float32"), labels()
    rng = np.random.default_rng(3)
    volume[rng.random(SHAPE) < 0.1] = np.nan
    volume[rng.random(SHAPE) < 0.02] = np.inf
    volume[rng.random(SHAPE) < 0.05] = 0.0
    traces = extract_traces(volume, label_image, statistic=statistic, saturation_value=2000, missing_value=0, **UNITS)

    def good(values):
        return values[np.isfinite(values) & (values != 0)]

    reduce = REDUCTIONS[statistic]
    np.testing.assert_allclose(traces.values, by_hand(volume, label_image, lambda v: reduce(good(v))), rtol=3e-7)
    saturated = by_hand(volume, label_image, lambda v: (good(v) >= 2000).mean())
    missing = by_hand(volume, label_image, lambda v: 1 - len(good(v)) / len(v))
    np.testing.assert_allclose(traces["saturated"].values, saturated, atol=1e-6)
    np.testing.assert_allclose(traces["missing"].values, missing, atol=1e-6)


def test_integer_images_saturate_at_their_largest_value():
    volume, labels = image("uint16"), static_labels()
    volume[2][labels == 9] = 65535
    traces = extract_traces(volume, labels, **UNITS)
    np.testing.assert_array_equal(traces["saturated"].sel(neuron="#9").values, np.arange(SHAPE[0]) == 2)


def test_a_neuron_with_only_missing_voxels_has_no_value():
    volume, labels = image("float32"), static_labels()
    volume[1][labels == 5] = np.nan
    traces = extract_traces(volume, labels, **UNITS)
    assert np.isnan(traces.values[1, 0])
    assert float(traces["missing"].values[1, 0]) == 1.0


def test_labels_may_be_large_numbers_in_rows_of_any_length():
    labels = moving_labels().astype(np.int64)
    huge = np.where(labels == 300, 2**40, np.where(labels == 5, 200_001, labels))
    for cut in (27, 26, 24):
        small = extract_traces(image()[..., :cut], labels[..., :cut], **UNITS)
        large = extract_traces(image()[..., :cut], huge[..., :cut], **UNITS)
        order = [
            int(np.flatnonzero(large["label"].values == i)[0]) for i in (200_001, 6, 9, 2**40) if i in large["label"]
        ]
        np.testing.assert_array_equal(large.values[:, order], small.values)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["uint8", "uint16", "uint32", "int32"]), st.integers(1, 40))
def test_random_labels_of_every_frame_equal_bincount(seed, dtype, n_x):
    rng = np.random.default_rng(seed)
    shape = (3, 2, 4, n_x)
    labels = np.where(rng.random(shape) < 0.3, rng.integers(1, 60, shape), 0).astype(dtype)
    labels[0, 0, 0, 0] = 1
    volume = rng.integers(0, 1000, shape).astype(np.uint16)
    traces = extract_traces(volume, labels, **UNITS)
    for t in range(3):
        count = np.bincount(labels[t].ravel(), minlength=64)
        total = np.bincount(labels[t].ravel(), weights=volume[t].ravel(), minlength=64)
        with np.errstate(invalid="ignore"):
            expected = (total / count)[traces["label"].values]
        np.testing.assert_allclose(traces.values[t], expected, rtol=3e-7)


@pytest.mark.parametrize("order", ["tzyx", "txyz", "tyxz", "tzxy", "xyzt"])
@pytest.mark.parametrize("labels", [static_labels, moving_labels])
@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_the_order_in_which_axes_are_stored_does_not_matter(order, labels, statistic):
    volume, other = image(), image(seed=5)
    more = {"statistic": statistic, "reference_use": "ratio", **UNITS}
    expected = extract_traces(volume, labels(), reference=other, **more)
    there = ["tzyx".index(a) for a in order]
    back = [order.index(a) for a in "tzyx"]

    def stored(array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(array.transpose(there)).transpose(back)

    given = stored(labels()) if labels is moving_labels else labels()
    found = extract_traces(stored(volume), given, reference=stored(other), **more)
    np.testing.assert_array_equal(found.values, expected.values)
    for name in ("saturated", "missing", "voxels", "reference"):
        np.testing.assert_array_equal(found[name].values, expected[name].values)


def test_large_frames_are_turned_as_numpy_does():
    array = np.random.default_rng(0).integers(0, 9000, (2, 70, 41, 37), dtype=np.uint16).transpose(0, 3, 2, 1)
    found = native(array)
    assert array.size > 1 << 16 and found.flags.c_contiguous
    np.testing.assert_array_equal(found, array)


def test_zarr_memory_maps_and_dask_give_the_same(tmp_path):
    volume, labels = image(), static_labels()
    stored = zarr.create_array(tmp_path / "v.zarr", shape=SHAPE, chunks=(3, 2, 9, 10), dtype="uint16")
    stored[:] = volume
    volume.tofile(tmp_path / "v.raw")
    mapped = np.memmap(tmp_path / "v.raw", dtype="uint16", mode="r", shape=SHAPE)
    expected = extract_traces(volume, labels, **UNITS)
    for source in (stored, mapped, mapped[1:], da.from_zarr(stored)):
        found = extract_traces(source, labels, **UNITS)
        np.testing.assert_array_equal(found.values, expected.values[-len(found.values) :])


def test_threads_do_not_change_the_result():
    volume = image("float32")
    source = da.from_array(volume, chunks=(1, 1, 5, 6))
    one = extract_traces(source, moving_labels(), threads=1, block_mb=1e-6, **UNITS)
    many = extract_traces(source, moving_labels(), threads=7, block_mb=1e-6, **UNITS)
    np.testing.assert_array_equal(one.values, many.values)
