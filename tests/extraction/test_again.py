"""Some labels extracted again give what an extraction of all gives; the others are not read again."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dynamic_connectome.extraction.again import extract_again, only_labels
from napari_dynamic_connectome.extraction.extract import extract_recording

OPTIONS = {"voxel_size_um": (2.0, 0.5, 0.5), "frame_rate_hz": 2.0}


@pytest.fixture
def images() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.zeros((4, 12, 30), np.uint16)
    for number in range(4):
        labels[1:3, 3:7, 2 + 7 * number : 6 + 7 * number] = number + 1
    return rng.random((20, 4, 12, 30)).astype(np.float32), labels


def edited(labels: np.ndarray) -> np.ndarray:
    new = labels.copy()
    new[..., 2:6, 2:12] = np.where(new[..., 2:6, 2:12] == 1, 1, new[..., 2:6, 2:12])
    new[..., 1, 3:5] = 1  # 1 grows
    new[new == 3] = 0  # 3 is erased
    new[..., 9:11, 20:24] = 9  # 9 is new
    return new


@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize("settings", [{}, {"statistic": "median"}, {"background": "annulus"}])
def test_the_same_as_an_extraction_of_all(images, settings, moving: bool) -> None:
    volume, labels = images
    new = edited(labels)
    if moving:
        labels, new = (np.stack([one] * len(volume)) for one in (labels, new))
    names = {1: "AVAL", 2: "AVAR", 3: "RIML"}
    before = extract_recording(volume, labels, name="w", names=names, settings=settings, **OPTIONS)
    whole = extract_recording(volume, new, name="w", settings=settings, **OPTIONS)
    again = extract_again(before, volume, new, {1, 3, 9}, settings=settings, **OPTIONS)
    assert again.neurons["label"].tolist() == whole.neurons["label"].tolist() == [1, 2, 4, 9]
    np.testing.assert_array_equal(again.traces.values, whole.traces.values)
    for coord in set(whole.traces.coords) - {"neuron"}:
        np.testing.assert_array_equal(again.traces[coord].values, whole.traces[coord].values)
    np.testing.assert_array_equal(again.positions_um, whole.positions_um)
    if settings.get("background") != "annulus":
        assert again.neurons["name"].tolist() == ["AVAL", "AVAR", "", ""]


def test_other_neurons_are_not_read_again(images) -> None:
    volume, labels = images
    before = extract_recording(volume, labels, name="w", **OPTIONS)
    changed = volume.copy()
    changed[:, labels == 2] += 5
    changed[:, labels == 4] += 5
    again = extract_again(before, changed, labels, {2}, **OPTIONS)
    np.testing.assert_allclose(again.traces.sel(neuron="#2"), before.traces.sel(neuron="#2") + 5, rtol=1e-5)
    np.testing.assert_array_equal(again.traces.sel(neuron="#4"), before.traces.sel(neuron="#4"))


def test_labels_of_every_frame_stay_lazy(images) -> None:
    _, labels = images
    frames = np.stack([labels] * 3)
    lazy = only_labels(frames, [2])
    assert not isinstance(lazy, np.ndarray)
    np.testing.assert_array_equal(np.unique(np.asarray(lazy)), [0, 2])


class Counted:
    """An array in a file that says which of its voxels were read."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.shape, self.dtype, self.ndim = array, array.shape, array.dtype, array.ndim
        self.read = np.zeros(array.shape[1:], int)

    def __getitem__(self, box):
        self.read[tuple(box[1:])] += 1
        return self.array[box]


@pytest.mark.parametrize("many", [False, True])
def test_only_the_boxes_of_touched_labels_are_read(images, monkeypatch, many) -> None:
    volume, labels = images
    before = extract_recording(volume, labels, name="w", **OPTIONS)
    new = edited(labels)
    if many:
        monkeypatch.setattr("napari_dynamic_connectome.extraction.again.MOST_BOXES", 1)
    counted = Counted(volume)
    again = extract_again(before, counted, new, {1, 3, 9}, **OPTIONS)
    whole = extract_recording(volume, new, name="w", **OPTIONS)
    np.testing.assert_array_equal(again.traces.values, whole.traces.values)
    np.testing.assert_allclose(again.positions_um, whole.positions_um)
    where = np.argwhere(np.isin(new, [1, 9]))
    if many:  # one box that holds them all
        inside = tuple(slice(a, b + 1) for a, b in zip(where.min(axis=0), where.max(axis=0), strict=True))
        assert counted.read[inside].all()
    assert counted.read.sum() < (0.7 if many else 0.2) * counted.read.size
    assert counted.read[np.isin(new, [1, 9])].all()
    gone = extract_again(before, counted, np.where(labels == 2, 0, labels), {2}, **OPTIONS)
    assert gone.neurons["label"].tolist() == [1, 3, 4]


@pytest.mark.parametrize("kind", ["map", "tiff", "h5", "dask"])
def test_a_box_of_stored_voxels_is_what_it_is_in_all_of_them(images, kind, tmp_path) -> None:
    import dask.array as da
    import h5py
    import tifffile

    from napari_dynamic_connectome.extraction.sources import open_source
    from napari_dynamic_connectome.io.registry import open_volume

    volume = (images[0] * 1000).astype(np.uint16)
    tifffile.imwrite(tmp_path / "v.tif", volume, ome=True, metadata={"axes": "TZYX"})
    if kind == "map":
        np.save(tmp_path / "v.npy", volume)
        stored = np.load(tmp_path / "v.npy", mmap_mode="r")
    elif kind == "h5":
        with h5py.File(tmp_path / "v.h5", "w") as file:
            file.create_dataset("v", data=volume, chunks=(5, 2, 6, 30))
        stored = h5py.File(tmp_path / "v.h5")["v"]
    else:
        stored = open_volume(tmp_path / "v.tif").data if kind == "tiff" else da.from_array(volume, chunks=(3, 2, 6, 10))
    source = open_source(stored, "volume")
    assert source.is_dask is (kind == "dask")  # what lies behind a layer of ours is read without dask
    box = (slice(1, 3), slice(2, 7), slice(20, 29))
    part = source.cut(box)
    np.testing.assert_array_equal(part.read(tuple(slice(0, n) for n in part.shape)), volume[(slice(None), *box)])
    np.testing.assert_array_equal(
        part.read((slice(2, 4), slice(1, 2), slice(0, 3), slice(4, 9))), volume[2:4, 2:3, 2:5, 24:29]
    )


def test_what_counts_as_few_voxels_between_the_ends() -> None:
    from napari_dynamic_connectome.io.mapping import is_sparse

    shape = (10, 4, 100, 100)
    assert is_sparse(shape, (slice(0, 10), slice(1, 3), slice(10, 20), slice(10, 20)))
    assert not is_sparse(shape, (slice(0, 10), slice(0, 4), slice(0, 100), slice(0, 100)))
    assert not is_sparse(shape, (slice(3, 4), slice(1, 2), slice(10, 20), slice(0, 100)))
    assert not is_sparse(shape, (slice(0, 0),) * 4) and not is_sparse(shape, (3,))


@pytest.mark.parametrize("corrected", [False, True])
def test_known_neurons_are_judged_as_if_all_were_judged_again(corrected) -> None:
    import pandas as pd

    from napari_dynamic_connectome.extraction import quality as module
    from napari_dynamic_connectome.extraction.correct import correct_traces
    from napari_dynamic_connectome.model.recording import Recording

    rng = np.random.default_rng(1)
    time = np.arange(300) / 3.0
    values = 500 * np.exp(-time / 80)[:, None] * (1 + 0.2 * rng.random((300, 6))) + rng.normal(0, 2, (300, 6))
    other = values.copy()
    other[:, 2] = 300 * np.exp(-time / 30) + rng.normal(0, 2, 300)
    places = rng.random((6, 3)) * 10
    worms = [
        Recording.from_arrays(v.astype(np.float32), name="w", time_s=time, positions_um=places) for v in (values, other)
    ]
    if corrected:
        worms = [correct_traces(w, bleaching="single exponential") for w in worms]
    before, whole = (module.assess_quality(w) for w in worms)
    fitted = []
    plain = module.fit_bleaching

    def counted(data, *args, **options):
        fitted.append(data.shape[1])
        return plain(data, *args, **options)

    module.fit_bleaching = counted
    try:
        again = module.assess_quality(worms[1], judged=before)
        assert module.assess_quality(worms[0], judged=before).quality.equals(before.quality)
    finally:
        module.fit_bleaching = plain
    assert fitted == [1]
    pd.testing.assert_frame_equal(again.quality, whole.quality, rtol=1e-9)
