"""Mean colours of neurons against the plain mean over their voxels."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dynamic_connectome.extraction.colours import mean_colours
from napari_dynamic_connectome.model.errors import Cancelled, InputError

IDS = np.array([7, 2, 9, 4])  # 9 has no voxels; 5 is in the labels, not among the neurons


def moving_labels(frames: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.choice([0, 0, 0, 2, 4, 5, 7], size=(frames, 2, 5, 6)).astype(np.uint16)


@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize("filming", [False, True])
def test_colours_are_means_over_all_voxels_of_a_few_frames(moving: bool, filming: bool) -> None:
    labels = moving_labels(9)
    rng = np.random.default_rng(1)
    red = rng.uniform(0, 100, (7, 2, 5, 6))
    green = red[0] * 3 + 1
    chosen = [0, 1, 3, 4, 6] if filming else [0, 2, 4, 6, 8]  # of the shortest: the first, the last, and between
    if not (moving or filming):
        chosen = [0]
    got = mean_colours(labels if moving else labels[0], {"red": red if filming else red[0], "green": green}, IDS)
    assert got.index.tolist() == IDS.tolist() and got.columns.tolist() == ["red", "green"]
    for label in IDS:
        values: dict[str, list[float]] = {"red": [], "green": []}
        for frame in chosen:
            inside = labels[frame if moving else 0] == label
            values["red"] += (red[frame] if filming else red[0])[inside].tolist()
            values["green"] += green[inside].tolist()
        for colour, found in values.items():
            expected = np.mean(found) if found else np.nan
            np.testing.assert_allclose(got.loc[label, colour], expected)


def test_voxels_without_a_value_count_as_dark_and_no_neuron_is_a_table_without_rows() -> None:
    labels = np.array([[[2, 2, 4]]])
    got = mean_colours(labels, {"blue": np.array([[[np.nan, 6.0, 5.0]]])}, np.array([2, 4]))
    assert got["blue"].tolist() == [3.0, 5.0]


@pytest.mark.parametrize("shape", [(1, 1, 4), (3,), (1, 1, 1, 2, 3), (2, 1, 3)])
def test_images_with_other_voxels_are_refused(shape: tuple[int, ...]) -> None:
    labels = np.ones((1, 1, 3), int)
    with pytest.raises(InputError, match=r"the red channel has shape.*\(1, 1, 3\).*same z, y and x"):
        mean_colours(labels, {"red": np.zeros(shape)}, np.array([1]))


def test_it_can_be_cancelled() -> None:
    with pytest.raises(Cancelled):
        mean_colours(np.ones((1, 1, 3), int), {"red": np.zeros((1, 1, 3))}, np.array([1]), cancel=lambda: True)
