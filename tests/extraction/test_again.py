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
