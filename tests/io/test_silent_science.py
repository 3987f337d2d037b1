"""What would change a result without a word: times in another unit, chunks that are not there, labels that are none."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome import InputError, Recording, read_recording, write_recording
from napari_dynamic_connectome.io.choice import ChoiceNeeded
from napari_dynamic_connectome.io.volumes.omezarr import open_volume
from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.errors import SettingsError
from napari_dynamic_connectome.pipeline.images import extract_files
from napari_dynamic_connectome.pipeline.run import find_inputs, read_as_said
from napari_dynamic_connectome.pipeline.settings import PipelineSettings, RankSettings, VolumeInput

NAMES = ["AVAL", "AVAR", "RIML", "RIMR"]


def worm(step: float = 0.5, **more: object) -> Recording:
    values = np.random.default_rng(0).normal(size=(60, 4))
    return Recording.from_arrays(values, name="w", time_s=10 + np.arange(60) * step, names=NAMES, **more)


# --- times --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["w.csv", "w.npz", "w.nwb", "w.parquet"])
@pytest.mark.parametrize(("unit", "factor"), [("ms", 1e3), ("us", 1e6), ("h", 1 / 3600)])
def test_times_in_another_unit_are_asked_about(tmp_path: Path, name: str, unit: str, factor: float) -> None:
    pytest.importorskip("pynwb" if name == "w.nwb" else "pyarrow" if name == "w.parquet" else "numpy")
    true = worm(0.5)
    stimuli = pd.DataFrame({"name": ["salt"], "onset": [20.0 * factor], "offset": [25.0 * factor]})
    wrong = true.replace(
        traces=true.traces.assign_coords(time=np.asarray(true.time_s) * factor),
        breaks=(15.2 * factor,),
        stimuli=stimuli,
    )
    path = write_recording(wrong, tmp_path / name)
    with pytest.raises(ChoiceNeeded, match="which no recording has") as caught:
        read_recording(path)
    assert caught.value.option == "time_unit"
    assert unit in caught.value.choices and caught.value.choices[0] == (unit if factor > 1 else "min")
    again = read_recording(path, time_unit=unit)
    np.testing.assert_allclose(again.time_s, true.time_s, rtol=1e-6)
    assert any(f"times were in {unit}" in line for line in again.remarks)
    if len(again.breaks):
        np.testing.assert_allclose(again.breaks, [15.2], rtol=1e-6)
    if len(again.stimuli) and factor > 1:
        np.testing.assert_allclose(again.stimuli[["onset", "offset"]], [[20, 25]], rtol=1e-6)
    kept = read_recording(path, time_unit="s")
    np.testing.assert_allclose(kept.time_s, wrong.time_s)
    with pytest.raises(InputError, match="no unit of time"):
        read_recording(path, time_unit="fortnights")


@pytest.mark.parametrize("step", [0.01, 0.3, 2.0, 10.0, 45.0])
def test_rates_that_recordings_have_are_not_questioned(tmp_path: Path, step: float) -> None:
    assert read_recording(write_recording(worm(step), tmp_path / "w.npz")).n_times == 60


def clock(n: int, step: float, path: Path, header: str = "time", stimulus: float | None = None) -> Path:
    """A recording of n samples, so far apart, as another program writes it."""
    values = np.random.default_rng(0).normal(size=(n, 2))
    if path.suffix == ".csv":
        pd.DataFrame({header: np.arange(n) * step, "AVAL": values[:, 0], "AVAR": values[:, 1]}).to_csv(
            path, index=False
        )
        if stimulus is not None:
            path.with_name(f"{path.stem}_stimuli.csv").write_text(
                f"name,onset,offset\nsalt,{stimulus},{stimulus + 1}\n"
            )
    elif path.suffix == ".npz":
        np.savez(path, **{header: np.arange(n) * step}, traces=values, names=["AVAL", "AVAR"])
    else:
        import h5py

        with h5py.File(path, "w") as file:
            file.attrs["nwb_version"] = "2.5"
            series = file.create_group("processing/ophys/Fluorescence/calcium")
            series.attrs["neurodata_type"] = "RoiResponseSeries"
            series["data"], series["timestamps"], series["rois"] = values, np.arange(n) * step, np.arange(2)
            series["timestamps"].attrs["unit"] = "seconds"
    return path


@pytest.mark.parametrize("name", ["w.csv", "w.npz", "w.nwb"])
@pytest.mark.parametrize(
    ("rate", "minutes"), [(3.0, 10), (0.4, 20), (10.0, 2), (1.0, 70), (29.0, 1.1), (0.11, 15.2)], ids=str
)
def test_times_in_minutes_that_read_as_a_rate_are_asked_about(
    tmp_path: Path, name: str, rate: float, minutes: float
) -> None:
    path = clock(round(rate * minutes * 60) + 2, 1 / rate / 60, tmp_path / name, "t" if name == "w.npz" else "time")
    with pytest.raises(ChoiceNeeded, match="are they in min") as caught:
        read_recording(path)
    assert (caught.value.option, caught.value.choices[:2]) == ("time_unit", ("min", "s"))
    assert read_recording(path, time_unit="min").rate_hz == pytest.approx(rate)
    assert read_recording(path, time_unit="s").rate_hz == pytest.approx(60 * rate)


@pytest.mark.parametrize(("rate", "days"), [(30.0, 0.01), (50.0, 0.007), (199.0, 0.005)])
def test_milliseconds_that_read_as_days_are_asked_about(tmp_path: Path, rate: float, days: float) -> None:
    path = clock(round(rate * days * 86_400), 1e3 / rate, tmp_path / "w.csv")
    with pytest.raises(ChoiceNeeded, match=r"takes .* days; are they in ms") as caught:
        read_recording(path)
    assert caught.value.choices[0] == "ms"


@pytest.mark.parametrize(
    ("n", "step"),
    [
        (3000, 0.05),  # 20 Hz over 150 s
        (1801, 1 / 30),  # 30 Hz over 60 s
        (1800, 20.0),  # a sample in 20 s over 10 hours
        (99, 0.05),  # a moment, whatever its unit
        (100, 0.5),
        (60_000, 0.01),  # 100 Hz over 10 minutes: in minutes, it would be 10 hours
    ],
)
def test_what_fits_seconds_is_not_questioned(tmp_path: Path, n: int, step: float) -> None:
    assert read_recording(clock(n, step, tmp_path / "w.csv")).rate_hz == pytest.approx(1 / step)


@pytest.mark.parametrize(
    ("name", "header"),
    [("w.csv", "time_s"), ("w.csv", "Time (sec)"), ("w.npz", "time_s"), ("w.npz", "timeVectorSeconds")],
)
def test_a_header_that_says_seconds_is_believed(tmp_path: Path, name: str, header: str) -> None:
    path = clock(1800, 1 / 180, tmp_path / name, header)
    found = read_recording(path)
    assert found.rate_hz == pytest.approx(180) and "unit of time said" not in found.provenance
    again = read_recording(write_recording(found, tmp_path / "ours.npz"))  # and so is what we wrote
    assert again.rate_hz == pytest.approx(180) and "unit of time said" not in again.provenance
    np.savez(tmp_path / "rate.npz", t=np.arange(1800) / 180, fs=180.0, traces=np.ones((1800, 2)) * np.arange(2))
    assert read_recording(tmp_path / "rate.npz").rate_hz == pytest.approx(180)


@pytest.mark.parametrize(("stimulus", "asked"), [(580.0, True), (61.0, False), (4000.0, False)])
def test_a_stimulus_after_the_end_of_the_times_says_that_they_are_minutes(
    tmp_path: Path, stimulus: float, asked: bool
) -> None:
    path = clock(1300, 0.05, tmp_path / "w.csv", stimulus=stimulus)  # 20 Hz over 65 s, or .33 Hz over 65 min
    if asked:
        with pytest.raises(ChoiceNeeded, match=r"end at 65 s, and a stimulus begins at 580 s; are they in min"):
            read_recording(path)
        assert read_recording(path, time_unit="min").stimuli["onset"].tolist() == [stimulus]
    else:
        assert read_recording(path).rate_hz == pytest.approx(20)


def test_a_column_that_is_named_as_the_time_says_no_unit(tmp_path: Path) -> None:
    path = clock(1800, 1 / 180, tmp_path / "w.csv", "elapsed")
    with pytest.raises(ChoiceNeeded, match="are they in min"):
        read_recording(path, time_column="elapsed")


def test_the_settings_file_answers(tmp_path: Path) -> None:
    path = write_recording(worm(500.0), tmp_path / "w.npz")
    with pytest.raises(ChoiceNeeded, match=r'time_unit = "ms"'):
        read_as_said(path, PipelineSettings())
    said = PipelineSettings.parse({"input": {"reading": [{"files": "w.npz", "time_unit": "ms"}]}})
    assert read_as_said(path, said)[0].rate_hz == pytest.approx(2.0)


# --- chunks -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def image(tmp_path: Path) -> Path:
    zarr = pytest.importorskip("zarr")
    root = zarr.open_group(tmp_path / "i.zarr", mode="w", zarr_format=2)
    data = np.random.default_rng(0).integers(50, 200, (6, 4, 16, 20)).astype(np.uint16)
    array = root.create_array("0", shape=data.shape, chunks=(2, 4, 8, 20), dtype=data.dtype)
    array[:] = data
    labels = np.zeros(data.shape[1:], np.uint16)
    labels[1:3, 2:6, 2:6], labels[1:3, 10:14, 10:14] = 1, 2
    below = root.create_group("labels/cells")
    below.create_array("0", shape=labels.shape, chunks=(4, 8, 8), dtype=labels.dtype)[:] = labels
    axes = [{"name": n, "type": "time" if n == "t" else "space"} for n in "tzyx"]
    scale = [{"type": "scale", "scale": [0.5, 2, 0.5, 0.5]}]
    root.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}]
    scale = [{"type": "scale", "scale": [2, 0.5, 0.5]}]
    below.attrs["multiscales"] = [{"axes": axes[1:], "datasets": [{"path": "0", "coordinateTransformations": scale}]}]
    below.attrs["image-label"] = {}
    root["labels"].attrs["labels"] = ["cells"]
    return tmp_path / "i.zarr"


def chunk(image: Path, *place: int) -> Path:
    found = [p for p in (image / "0").rglob("*") if p.is_file() and p.relative_to(image / "0").as_posix() in
             ("/".join(map(str, place)), ".".join(map(str, place)))]  # fmt: skip
    return found[0]


def test_a_chunk_that_is_not_there_is_counted_and_nan(image: Path) -> None:
    whole = open_volume(image)
    assert whole.remark == "" and whole.dtype == np.uint16
    expected = np.asarray(whole.data).astype(np.float32)
    chunk(image, 1, 0, 1, 0).unlink()
    expected[2:4, :, 8:] = np.nan
    torn = open_volume(image)
    assert torn.remark == "1 of 6 chunks are not there: their voxels are missing (NaN), not 0"
    np.testing.assert_array_equal(np.asarray(torn.data), expected)
    array = pickle.loads(pickle.dumps(torn.array))
    for box in ((3,), (slice(1, 6, 2), 2), (slice(None), slice(None), 9, -1), (..., 3), (2, 1, 12, 5), (0,)):
        np.testing.assert_array_equal(np.asarray(array[box]), expected[box])


def test_traces_are_missing_where_the_voxels_are(image: Path) -> None:
    whole = extract_files(VolumeInput(volume=str(image), voxel_size_um=(2, 0.5, 0.5), frame_rate_hz=2))
    chunk(image, 1, 0, 1, 0).unlink()
    torn = extract_files(VolumeInput(volume=str(image), voxel_size_um=(2, 0.5, 0.5), frame_rate_hz=2))
    lost = np.zeros((6, 2), bool)
    lost[2:4, 1] = True
    np.testing.assert_array_equal(np.isnan(torn.traces.values), lost)
    np.testing.assert_allclose(torn.traces.values[~lost], whole.traces.values[~lost], rtol=1e-5)
    assert any("1 of 6 chunks" in line for line in torn.remarks)


def test_labels_without_a_chunk_of_background_are_whole(image: Path) -> None:
    from napari_dynamic_connectome.io.volumes.omezarr import open_labels

    assert open_labels(image).dtype.kind in "iu" and open_labels(image).remark == ""


def test_an_image_of_which_nothing_is_left_is_missing_as_a_whole(image: Path) -> None:
    for item in (image / "0").iterdir():
        if item.name != ".zarray":
            shutil.rmtree(item) if item.is_dir() else item.unlink()
    empty = open_volume(image)
    assert empty.remark.startswith("6 of 6 chunks") and np.isnan(np.asarray(empty.data)).all()


# --- labels, settings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "said"),
    [([1, 2, 3, 1.5], "1.5 is no whole number"), ([1, 2, 2, 4], "2 is there twice"), ([1, 2, 3, np.nan], "nan is no")],
)
def test_labels_that_are_none_are_refused(tmp_path: Path, labels: list[float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        worm(labels=labels)
    path = write_recording(worm(), tmp_path / "w.npz")
    with np.load(path) as held:
        fields = {k: held[k] for k in held.files}
    np.savez(path, **{**fields, "labels": np.asarray(labels)})
    with pytest.raises(InputError, match=said):
        read_recording(path)
    table = pd.DataFrame(
        {"time_s": np.repeat([0.0, 0.5, 1.0], 4), "neuron": NAMES * 3, "value": 1.0, "label": labels * 3}
    )
    table["value"] = np.arange(12.0)
    table.to_csv(tmp_path / "w.csv", index=False)
    if np.isfinite(labels).all():  # an empty cell of a table means that no labels are given
        with pytest.raises(InputError, match=said):
            read_recording(tmp_path / "w.csv")


def test_true_is_not_a_number(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"'rank' = True.*true and false are not among its values"):
        RankSettings.parse({"rank": True})
    with pytest.raises(SettingsError, match="seed"):
        PipelineSettings.parse({"seed": False})
    path = tmp_path / "s.toml"
    path.write_text("[rank]\nlargest = true\n")
    with pytest.raises(SettingsError, match="largest"):
        PipelineSettings.from_file(path)
    assert PipelineSettings.parse({"cohort": {"merge_left_right": True}}).cohort.merge_left_right


def test_fewer_worms_than_asked_for_are_said() -> None:
    one, two = worm(), worm().replace(name="v")
    assert Cohort([one, two], min_worms=2).notes == ()
    cohort = Cohort([one, two], min_worms=3)
    assert cohort.least_worms == 2
    assert cohort.notes == (
        "Neurons were to be seen in 3 worms, but there are only 2: those that are seen in both take part.",
    )


def test_brackets_in_a_name_are_a_name(tmp_path: Path) -> None:
    folder = tmp_path / "day [1]"
    folder.mkdir()
    for name in ("a[1].npz", "a1.npz", "b[2].npz"):
        write_recording(worm(), folder / name)

    def found(pattern: str) -> list[str]:
        settings = PipelineSettings.parse({"input": {"recordings": [str(folder / pattern)]}})
        return [p.name for p in find_inputs(settings)[0]]

    assert found("a[1].npz") == ["a[1].npz"]
    assert found("*.npz") == ["a1.npz", "a[1].npz", "b[2].npz"]
    assert found("?[2].npz") == ["b[2].npz"]


# --- numbers that a file says in other units ----------------------------------------------------------------------------


def test_nwb_values_are_data_times_conversion_plus_offset(tmp_path: Path) -> None:
    import h5py

    data = np.random.default_rng(0).normal(size=(40, 3))
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        file.attrs["nwb_version"] = "2.5"
        series = file.create_group("processing/ophys/Fluorescence/calcium")
        series.attrs["neurodata_type"] = "RoiResponseSeries"
        series["data"], series["timestamps"], series["rois"] = data, np.arange(40) / 2, np.arange(3)
        series["data"].attrs["conversion"] = 2.5
        series["data"].attrs["offset"] = -7.0
    read = read_recording(tmp_path / "a.nwb")
    np.testing.assert_allclose(read.traces.values, 2.5 * data - 7.0)


@pytest.mark.parametrize(
    ("ending", "factor"), [("_s", 1), ("_ms", 1e-3), ("_min", 60), (" (min)", 60), (" (s)", 1), (" (ms)", 1e-3)]
)
def test_stimuli_are_read_in_the_unit_of_their_header(tmp_path: Path, ending: str, factor: float) -> None:
    from napari_dynamic_connectome.io.formats.side_tables import read_stimuli

    (tmp_path / "s.csv").write_text(f"name,onset{ending},offset{ending}\nsalt,1.5,2\n")
    read = read_stimuli(tmp_path / "s.csv")
    np.testing.assert_allclose(read[["onset", "offset"]].to_numpy(float), [[1.5 * factor, 2 * factor]])


def test_x_and_y_of_an_imagej_file_keep_their_own_sizes(tmp_path: Path) -> None:
    import tifffile

    from napari_dynamic_connectome.io.registry import open_volume as open_any

    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((2, 3, 8, 16), np.uint16), imagej=True, resolution=(1 / 0.2, 1 / 0.5),
        metadata={"axes": "TZYX", "unit": "um", "spacing": 2.0, "finterval": 0.25},
    )  # fmt: skip
    volume = open_any(tmp_path / "a.tif")
    np.testing.assert_allclose(volume.voxel_size_um, (2.0, 0.5, 0.2), rtol=1e-6)
    assert volume.frame_rate_hz == pytest.approx(4.0)


# --- two things that do not say the same ---------------------------------------------------------------------------------


def arrays(**more: object) -> dict[str, object]:
    values = np.random.default_rng(0).normal(size=(30, 4))
    return {"traces": values, "t": np.arange(30) * 0.4, "names": np.array(NAMES)} | more


@pytest.mark.parametrize(
    ("more", "option", "said"),
    [
        ({"time_s": np.arange(30) * 0.8}, "fields", "'t' and 'time_s' do not say the same"),
        ({"dff": np.ones((30, 4))}, "fields", "'traces' and 'dff' do not say the same"),
        ({"fs": 25.0}, "", "the times say 2.5 Hz, and the rate in the file is 25"),
        ({"t": None, "fs": np.array([2.5, 3.5])}, "", "2 rates that differ"),
        ({"labels": np.array([-1, 1, 2, 3])}, "", "label -1 is below zero"),
    ],
)
def test_fields_that_contradict_each_other_are_asked_about_or_refused(
    tmp_path: Path, more: dict[str, object], option: str, said: str
) -> None:
    held = {k: v for k, v in arrays(**more).items() if v is not None}
    np.savez(tmp_path / "w.npz", **held)
    with pytest.raises(InputError, match=said) as caught:
        read_recording(tmp_path / "w.npz")
    assert getattr(caught.value, "option", "") == option
    if option:
        key, other = ("t", "time_s") if "time_s" in more else ("traces", "dff")
        read = read_recording(tmp_path / "w.npz", fields={key: other})
        got = read.time_s if key == "t" else read.traces.values
        np.testing.assert_allclose(got, held[other])
    elif "labels" not in more:
        assert read_recording(tmp_path / "w.npz", rate_hz=5.0).rate_hz == pytest.approx(5.0)


@pytest.mark.parametrize("more", [{"time_s": 7 + np.arange(30) * 0.4}, {"fs": 2.4}, {"fs": np.array([2.5, 2.5])}])
def test_fields_that_agree_are_no_question(tmp_path: Path, more: dict[str, object]) -> None:
    np.savez(tmp_path / "w.npz", **arrays(**more))
    np.testing.assert_allclose(read_recording(tmp_path / "w.npz").time_s, np.arange(30) * 0.4)


def test_datasets_of_an_hdf5_file_that_are_not_read_are_named(tmp_path: Path) -> None:
    import h5py

    held = arrays(labels=np.arange(4)) | {"names": np.array(NAMES, "S")}
    with h5py.File(tmp_path / "w.h5", "w") as file:
        for key, value in held.items():
            file[key] = value
    assert "datasets that are not read: labels" in " ".join(read_recording(tmp_path / "w.h5").remarks)
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        file["fps"] = 25.0
    with pytest.raises(InputError, match="the rate in the file is 25"):
        read_recording(tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5", "r+") as file:
        del file["fps"], file["names"]
        file["names"] = np.array(NAMES[:3], "S")
    with pytest.raises(InputError, match="'names' has 3 names"):
        read_recording(tmp_path / "w.h5")


def test_a_row_that_is_too_short_is_said_and_a_column_without_a_name_is_no_index(tmp_path: Path) -> None:
    rows = ["time_s,AVAL,AVAR", *(f"{i * 0.4:.1f},{i % 3}.5,{i % 5}.5" for i in range(9))]
    (tmp_path / "short.csv").write_text("\n".join([*rows, "3.6,1.5"]) + "\n")
    read = read_recording(tmp_path / "short.csv")
    assert "row 11 has fewer cells than the header" in " ".join(read.remarks)
    assert np.isnan(read.traces.values).sum() == 1 and np.isnan(read.traces.values[9, 1])
    index = "\n".join(f"{'' if i == 0 else i - 1},{row}" for i, row in enumerate(rows))
    (tmp_path / "index.csv").write_text(index)
    assert len(read_recording(tmp_path / "index.csv").neurons) == 2
    (tmp_path / "blank.csv").write_text(
        "\n".join(f"{row},{'' if i == 0 else f'{i % 4}.5'}" for i, row in enumerate(rows))
    )
    with pytest.raises(InputError, match="column 3 of the neurons has no name"):
        read_recording(tmp_path / "blank.csv")


def test_a_rate_of_an_image_that_no_recording_has_is_asked_about(tmp_path: Path) -> None:
    from napari_dynamic_connectome.extraction.extract import extract_traces
    from napari_dynamic_connectome.io.registry import open_volume as open_any
    from napari_dynamic_connectome.io.volumes.omezarr_write import create_volume

    voxels = np.random.default_rng(0).integers(1, 90, (4, 2, 6, 6)).astype(np.uint16)
    labels = np.zeros((2, 6, 6), np.uint16)
    labels[:, 1:3, 1:3] = 1
    path = tmp_path / "i.ome.zarr"
    create_volume(path, voxels.shape, voxel_size_um=(1, 1, 1), frame_rate_hz=0.0025)[...] = voxels
    with pytest.raises(ChoiceNeeded, match="no recording has") as caught:
        extract_traces(open_any(path), labels)
    assert caught.value.option == "frame_rate_hz"
    np.testing.assert_allclose(extract_traces(open_any(path), labels, frame_rate_hz=2.5)["time"], np.arange(4) / 2.5)


def test_stimuli_that_fit_a_recording_in_another_unit_are_left_alone(tmp_path: Path) -> None:
    one = worm(0.5, stimuli=pd.DataFrame({"name": ["salt"], "onset": [20.0], "offset": [25.0]}))
    late = one.replace(traces=one.traces.assign_coords(time=np.asarray(one.time_s) * 1e3))
    read = read_recording(write_recording(late, tmp_path / "w.npz"), time_unit="ms")
    np.testing.assert_allclose(read.stimuli[["onset", "offset"]].to_numpy(float), [[20, 25]])
    assert any("stimuli were taken as seconds" in line for line in read.remarks)
