"""Bad input gives one clear error; good input keeps names, stimuli and where it came from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from napari_dynamic_connectome.extraction.extract import extract_recording, extract_traces
from napari_dynamic_connectome.model.errors import InputError, SettingsError

UNITS = {"voxel_size_um": (1.0, 0.5, 0.5), "frame_rate_hz": 4.0}


def volume() -> np.ndarray:
    return np.arange(5 * 2 * 6 * 8, dtype=np.uint16).reshape(5, 2, 6, 8)


def labels() -> np.ndarray:
    result = np.zeros((2, 6, 8), np.uint16)
    result[0, 1:3, 1:3] = 3
    result[1, 4:, 4:] = 8
    return result


def every_frame(array: np.ndarray) -> np.ndarray:
    return np.broadcast_to(array, (5, *array.shape)).copy()


NEGATIVE = labels().astype(np.int16) - np.int16(3) * (labels() == 8).astype(np.int16) * 4


@pytest.mark.parametrize(
    ("image", "label_image", "message"),
    [
        (volume(), labels()[:, :5], "labels have shape"),
        (volume(), every_frame(labels())[:4], "labels have shape"),
        (volume(), labels().astype(float), "not whole numbers"),
        (volume(), labels() > 0, "a mask, not labels"),
        (volume(), labels().astype(complex), "not whole numbers"),
        (volume(), NEGATIVE, "negative labels"),
        (volume(), every_frame(NEGATIVE), "negative labels"),
        (volume(), np.zeros_like(labels()), "no label"),
        (volume(), every_frame(np.zeros_like(labels())), "no label"),
        (volume()[0], labels(), "3 axes, not 4"),
        (volume()[None], labels(), "5 axes, not 4"),
        (volume().astype(complex), labels(), "not real numbers"),
        (volume()[:0], labels(), "empty"),
        (np.array(["a"]), labels(), "axes"),
    ],
)
@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_bad_arrays_are_refused_with_one_clear_error(image, label_image, message, statistic):
    with pytest.raises(InputError, match=message):
        extract_traces(image, label_image, statistic=statistic, **UNITS)


@pytest.mark.parametrize("image", [labels(), every_frame(labels())])
def test_more_labels_than_neurons_are_refused(image):
    with pytest.raises(InputError, match="2 labels"):
        extract_traces(volume(), image, max_neurons=1, **UNITS)


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ({"frame_rate_hz": 4.0}, "voxel size is not known"),
        ({"voxel_size_um": (1, 1, 1)}, "frame rate is not known"),
        ({"voxel_size_um": (1, 0, 1), "frame_rate_hz": 4.0}, "not possible"),
        ({"voxel_size_um": (1, float("nan"), 1), "frame_rate_hz": 4.0}, "not possible"),
        ({"voxel_size_um": (1, 1, 1), "frame_rate_hz": -1.0}, "not possible"),
        ({"voxel_size_um": (1, 1, 1), "time_s": [0, 1, 2]}, "3 times for 5 frames"),
        ({"voxel_size_um": (1, 1, 1), "time_s": [0, 1, 3, 2, 4]}, "does not increase at frame 4"),
        ({"voxel_size_um": (1, 1, 1), "time_s": [0, 1, np.nan, 3, 4]}, "not finite"),
    ],
)
def test_units_are_never_guessed(units, message):
    with pytest.raises(InputError, match=message):
        extract_traces(volume(), labels(), **units)


def test_settings_are_checked():
    with pytest.raises(SettingsError, match="annulus_outer_um"):
        extract_traces(volume(), labels(), annulus_outer_um=0.5, **UNITS)
    with pytest.raises(SettingsError, match="unknown setting 'colour'"):
        extract_traces(volume(), labels(), colour="red", **UNITS)


def test_a_reference_channel_of_another_shape_is_refused():
    with pytest.raises(InputError, match="reference channel has shape"):
        extract_traces(volume(), labels(), reference=volume()[:4], **UNITS)


def test_xarray_axes_are_taken_by_name():
    array = xr.DataArray(volume().transpose(3, 1, 0, 2), dims=("x", "z", "time", "y"))
    np.testing.assert_array_equal(
        extract_traces(array, labels(), **UNITS).values, extract_traces(volume(), labels(), **UNITS).values
    )
    with pytest.raises(InputError, match="axes"):
        extract_traces(xr.DataArray(volume(), dims=("a", "z", "y", "x")), labels(), **UNITS)


def test_a_recording_keeps_names_stimuli_and_times():
    times = np.array([0.0, 0.3, 0.5, 0.9, 1.4])
    stimuli = pd.DataFrame({"name": ["NaCl"], "onset": [0.2], "offset": [0.7]})
    recording = extract_recording(
        volume(), labels(), name="worm 1", names={8: "AVAL"}, stimuli=stimuli, voxel_size_um=(1, 0.5, 0.5), time_s=times
    )
    assert list(recording.neurons.index) == ["#3", "AVAL"]
    assert recording.named == ["AVAL"]
    np.testing.assert_array_equal(recording.time_s, times)
    np.testing.assert_allclose(recording.positions_um[1], [1.0, 4.5 * 0.5, 5.5 * 0.5])
    assert recording.stimuli["name"].tolist() == ["NaCl"]
    assert recording.provenance["history"][0]["operation"] == "extract"
    assert recording.with_names({3: "RIML"}).traces["voxels"].shape == (5, 2)


def test_names_of_labels_that_are_not_there_are_refused():
    with pytest.raises(InputError, match="no voxel has the label 77"):
        extract_recording(volume(), labels(), name="w", names={77: "AVAL"}, **UNITS)


def test_one_name_for_two_labels_is_refused():
    with pytest.raises(InputError, match="given twice"):
        extract_recording(volume(), labels(), name="w", names={3: "AVAL", 8: "AVAL"}, **UNITS)
