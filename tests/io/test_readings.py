"""Healthy files with two plausible readings: the right one is taken for a reason, or it is asked; never the first in silence."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr
from ome_zarr.writer import write_image, write_label_metadata, write_labels
from scipy.io import savemat

from napari_dynamic_connectome import (
    ChoiceNeeded,
    Cohort,
    FormatError,
    InputError,
    open_labels,
    open_volume,
    read_centres,
    read_recording,
)
from napari_dynamic_connectome.io.formats.side_tables import read_behaviour
from napari_dynamic_connectome.io.sniffing import table_kind

N_TIMES, N_NEURONS = 40, 4
TRACES = np.random.default_rng(0).normal(size=(N_TIMES, N_NEURONS)).cumsum(0)


def table(path: Path, header: str, rows: list[str]) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


# --- names -----------------------------------------------------------------------------------------------------------


def test_two_labs_spellings_are_one_neuron_in_csv_npz_and_mat(tmp_path) -> None:
    rows = [f"{i / 2},{i % 3},{i % 4},{i % 5}" for i in range(N_TIMES)]
    worms = [read_recording(table(tmp_path / "a.csv", "time_s,VB01,DB02,AVAL", rows))]
    names = np.array(["VB1", "DB02", "aval", ""])
    np.savez(tmp_path / "b.npz", traces=TRACES, fs=2.0, names=names)
    worms.append(read_recording(tmp_path / "b.npz"))
    savemat(
        tmp_path / "c.mat", {"traces": TRACES, "fs": 2.0, "names": np.array(["vb01", "DB2", "AVAL", ""], dtype=object)}
    )
    worms.append(read_recording(tmp_path / "c.mat"))
    cohort = Cohort(worms, min_worms=3)
    assert cohort.neurons == ("AVAL", "DB2", "VB1")
    assert worms[0].neurons.loc["VB1", "note"] == 'written "VB01"'


def test_headers_that_name_no_neuron_are_never_matched_across_worms(tmp_path, caplog) -> None:
    rows = [f"{i / 2},{i % 3},{i % 4},{i % 5}" for i in range(N_TIMES)]
    worms = [
        read_recording(table(tmp_path / f"{w}.csv", f"time_s,{header}", rows))
        for w, header in (("a", "n12,AVAL,7"), ("b", "n12,AVAR,7"))
    ]
    assert worms[0].named == ["AVAL"]
    assert any("2 of 3 headers name no neuron and stay unnamed (n12, 7)" in r.getMessage() for r in caplog.records)
    with pytest.raises(InputError, match="no neuron is seen in 2 worms"):
        Cohort(worms, min_worms=2)
    as_names = [read_recording(tmp_path / f"{w}.csv", names="as written") for w in "ab"]
    assert Cohort(as_names, min_worms=2).neurons == ("7", "n12")


def test_an_unsure_name_is_kept_as_a_note_and_comes_back_so(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", traces=TRACES, fs=2.0, names=np.array(["AVAL?", "RIML (?)", "AWCOF", "RMED"]))
    worm = read_recording(tmp_path / "a.npz")
    assert worm.named == ["AWCOFF", "RMED"]
    assert worm.neurons["note"].tolist()[:2] == ['written "AVAL?" (unsure)', 'written "RIML (?)" (unsure)']


def test_names_that_say_no_side_are_counted(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", traces=TRACES, fs=2.0, names=np.array(["AWCON", "AWC-OFF", "AVAL", "RIS"]))
    worm = read_recording(tmp_path / "a.npz")
    assert worm.named == ["AWCON", "AWCOFF", "AVAL", "RIS"]
    assert [line for line in worm.remarks if "side" in line and line.startswith("2 ")] != []


# --- tables ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "second"),
    [
        ("Time (sec)", 1.0),
        ("time [ms]", 1e-3),
        ("timestamps", 1.0),
        ("Elapsed time / min", 60.0),
        ("Seconds", 1.0),
        ("t(s)", 1.0),
        ("Zeit [ms]", 1e-3),
        ("Temps (min)", 60.0),
        ("Tiempo", 1.0),
        ("Zeit / Sek.", 1.0),
    ],
)
def test_a_time_column_is_known_however_it_is_spelled(tmp_path, header, second) -> None:
    rows = [f"{0.6 * i / second},{i % 3},{i % 4}" for i in range(10)]
    worm = read_recording(table(tmp_path / "a.csv", f"{header},AVAL,AVAR", rows))
    assert list(worm.neurons.index) == ["AVAL", "AVAR"]
    np.testing.assert_allclose(worm.time_s, 0.6 * np.arange(10))


def test_a_rate_that_contradicts_the_times_is_refused(tmp_path) -> None:
    path = table(tmp_path / "a.csv", "time_s,AVAL,AVAR", [f"{0.6 * i},{i % 3},{i % 4}" for i in range(10)])
    assert read_recording(path, rate_hz=1.667).n_neurons == 2
    with pytest.raises(InputError, match=r"says 1\.667 Hz, but rate_hz is 5"):
        read_recording(path, rate_hz=5)


def test_an_index_of_seconds_is_no_index_of_frames(tmp_path) -> None:
    path = table(tmp_path / "a.csv", ",AVAL,AVAR", [f"{i * 0.6:.1f},{i % 3},{i % 4}" for i in range(10)])
    worm = read_recording(path, rate_hz=1.6667)
    np.testing.assert_allclose(worm.time_s[:3], [0, 0.6, 1.2])
    assert any("fractions" in line for line in worm.remarks)
    frames = table(tmp_path / "b.csv", ",AVAL,AVAR", [f"{i},{i % 3},{i % 4}" for i in range(10)])
    np.testing.assert_allclose(read_recording(frames, rate_hz=2).time_s[:3], [0, 0.5, 1])


def test_a_first_line_of_numbers_is_a_sample(tmp_path) -> None:
    values = np.random.default_rng(1).random((10, 2)).round(3)
    path = tmp_path / "a.csv"
    path.write_text("".join(f"{a},{b}\n" for a, b in values))
    worm = read_recording(path, rate_hz=2)
    np.testing.assert_allclose(worm.traces.values, values)
    assert worm.named == []
    counted = table(tmp_path / "b.csv", "1,2", [f"{a},{b}" for a, b in values])
    assert read_recording(counted, rate_hz=2).n_times == 10


def test_a_column_that_counts_like_a_clock_is_asked_about(tmp_path) -> None:
    rows = [f"{3.5 * i},{i % 3},{i % 4}" for i in range(10)]
    with pytest.raises(ChoiceNeeded, match="'Uhr' rises by the same step"):
        read_recording(table(tmp_path / "a.csv", "Uhr,AVAL,AVAR", rows), rate_hz=2)


def test_which_column_is_the_time_can_be_said(tmp_path) -> None:
    rows = [f"{i / 2},{500 * i + 9},{i % 3}" for i in range(8)]
    two = table(tmp_path / "a.csv", "Time (s),timestamps [ms],AVAL", rows)
    with pytest.raises(
        ChoiceNeeded, match=r"a.csv: 2 columns .* Pass time_column= one of: Time \(s\), timestamps \[ms\]"
    ):
        read_recording(two)
    worm = read_recording(two, time_column="timestamps [ms]")
    np.testing.assert_allclose(worm.time_s, 0.5 * np.arange(8) + 0.009)
    assert (
        worm.named == ["AVAL"] and "Time (s)" in worm.remarks[0]
    )  # the other one is no neuron, and not lost in silence
    clock = table(tmp_path / "b.csv", "X,AVAL,AVAR", [f"{i},{i % 3},{i % 4}" for i in range(8)])
    np.testing.assert_allclose(read_recording(clock, rate_hz=4, time_column="X").time_s, np.arange(8) / 4)
    np.testing.assert_allclose(read_recording(clock, time_column="x").time_s, np.arange(8.0))
    with pytest.raises(InputError, match=r"no column 'Y'. The table has: X, AVAL, AVAR"):
        read_recording(clock, time_column="Y")


def test_fields_of_two_axes_are_asked_for_where_none_is_called_traces(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", F=TRACES, other=TRACES, fs=2.0)
    savemat(tmp_path / "a.mat", {"worm": {"F": TRACES, "fs": 2.0}})
    with pytest.raises(ChoiceNeeded, match="F, other") as caught:
        read_recording(tmp_path / "a.npz")
    assert caught.value.choices == ("F", "other")
    for name in ("a.npz", "a.mat"):  # inside of a struct, too
        np.testing.assert_array_equal(read_recording(tmp_path / name, fields={"traces": "F"}).traces, TRACES)


def test_in_a_table_of_tracks_the_track_is_the_neuron_not_the_point(tmp_path) -> None:
    rows = [f"{k},{t},2,{5 * k},{5 + t},{1000 * t + k}" for k in (1, 2) for t in range(3)]
    found = read_centres(table(tmp_path / "a.csv", "track_id,t,z,y,x,id", rows))
    assert sorted(set(found["id"])) == [1, 2]
    rows = [f"{k},{t},2,{5 * k},{5 + t},{1 + (k + t) % 2}" for k in (1, 2) for t in range(3)]
    with pytest.raises(InputError, match="both 'label' and 'id' could say"):
        read_centres(table(tmp_path / "b.csv", "label,t,z,y,x,id", rows))


# --- NWB -------------------------------------------------------------------------------------------------------------


def nwb(
    path: Path, series: tuple[str, ...], *, iscell: str = "", spacing: float = 0.27, unit: str = "um", invalid=None
) -> Path:
    pytest.importorskip("pynwb")
    from pynwb import NWBHDF5IO, NWBFile
    from pynwb.ophys import Fluorescence, ImageSegmentation, OpticalChannel

    file = NWBFile("s", "id", datetime(2024, 1, 1, tzinfo=UTC))
    plane = file.create_imaging_plane(
        name="plane", optical_channel=OpticalChannel("o", "d", 520.0), description="d", device=file.create_device("d"),
        excitation_lambda=488.0, indicator="i", location="l", imaging_rate=4.0, grid_spacing=[spacing] * 3, grid_spacing_unit=unit,
    )  # fmt: skip
    module = file.create_processing_module("ophys", "o")
    segmentation = ImageSegmentation()
    module.add(segmentation)
    regions = segmentation.create_plane_segmentation(name="Plane", description="d", imaging_plane=plane)
    for i in range(N_NEURONS):
        regions.add_roi(voxel_mask=[(10 + i, 20, 5, 1.0)])
    if iscell:
        cells = np.array([[1, 0.9], [0, 0.1], [1, 0.8], [1, 0.7]])
        named = {
            "iscell": cells,
            "is_accepted": cells[:, 0] > 0,
            "Accepted": cells[:, 0],
            "is_rejected": cells[:, 0] == 0,
        }
        regions.add_column(iscell, "cell, probability", data=named[iscell])
    rows = regions.create_roi_table_region(region=list(range(N_NEURONS)), description="all")
    for k, name in enumerate(series):
        box = Fluorescence(name=name)
        module.add(box)
        box.create_roi_response_series(name="Series", data=TRACES + 1000 * k, rois=rows, unit="a", rate=4.0)
    if invalid:
        file.add_invalid_time_interval(start_time=invalid[0], stop_time=invalid[1])
    with NWBHDF5IO(path, "w") as stream:
        stream.write(file)
    return path


def test_several_signals_of_an_nwb_are_asked_for_and_each_can_be_had(tmp_path) -> None:
    path = nwb(tmp_path / "a.nwb", ("Fluorescence", "Neuropil", "Deconvolved"))
    with pytest.raises(ChoiceNeeded, match="3 sets of traces") as caught:
        read_recording(path)
    assert caught.value.option == "signal" and len(caught.value.choices) == 3
    for k, name in enumerate(("Fluorescence", "Neuropil", "Deconvolved")):
        np.testing.assert_allclose(read_recording(path, signal=name).traces, TRACES + 1000 * k)


@pytest.mark.parametrize("column", ["iscell", "is_accepted", "Accepted", "is_rejected"])
def test_regions_that_are_no_cells_are_rejected(tmp_path, column) -> None:
    worm = read_recording(nwb(tmp_path / "a.nwb", ("Fluorescence",), iscell=column))
    assert worm.neurons["rejected"].tolist() == [False, True, False, False]
    assert any(f"1 of 4 regions are rejected by column '{column}'" in line for line in worm.remarks)


@pytest.mark.parametrize(
    ("spacing", "unit"), [(0.27, "um"), (270.0, "nanometers"), (0.00027, "millimeters"), (2.7e-7, "meters")]
)
def test_units_of_an_nwb_grid_go_through_the_one_table_of_units(tmp_path, spacing, unit) -> None:
    worm = read_recording(nwb(tmp_path / "a.nwb", ("Fluorescence",), spacing=spacing, unit=unit))
    np.testing.assert_allclose(worm.positions_um[1], [1.35, 5.4, 2.97], rtol=1e-6)


@pytest.mark.parametrize("factor", [0.0, np.nan])
def test_a_conversion_that_leaves_nothing_is_refused(tmp_path, factor) -> None:
    path = nwb(tmp_path / "a.nwb", ("Fluorescence",))
    with h5py.File(path, "a") as file:
        file["processing/ophys/Fluorescence/Series/data"].attrs["conversion"] = factor
    with pytest.raises(InputError, match="conversion"):
        read_recording(path)


def test_invalid_times_are_missing_and_interrupt(tmp_path) -> None:
    worm = read_recording(nwb(tmp_path / "a.nwb", ("Fluorescence",), invalid=(2.0, 3.0)))
    inside = (worm.time_s >= 2) & (worm.time_s <= 3)
    assert np.isnan(worm.traces.values[inside]).all() and np.isfinite(worm.traces.values[~inside]).all()
    assert any("marks as invalid" in line for line in worm.remarks)


# --- arrays ----------------------------------------------------------------------------------------------------------


def test_a_bare_npy_asks_for_its_axes_and_rate(tmp_path) -> None:
    np.save(tmp_path / "a.npy", TRACES.T)
    with pytest.raises(ChoiceNeeded, match="does not say which axis is time"):
        read_recording(tmp_path / "a.npy", rate_hz=10)
    with pytest.raises(ChoiceNeeded, match="sampling rate"):
        read_recording(tmp_path / "a.npy", axes="nt")
    worm = read_recording(tmp_path / "a.npy", axes="nt", rate_hz=10)
    np.testing.assert_allclose(worm.traces, TRACES)
    assert worm.rate_hz == pytest.approx(10)


def test_traces_of_an_hdf5_file_find_their_clock_or_ask(tmp_path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["gcamp/traces"] = TRACES.T
        file["timing/timestamp"] = np.arange(N_TIMES) * 0.6
        file["gcamp/names"] = np.array([b"AVAL", b"AVAR", b"n3", b"RIML"])
    worm = read_recording(tmp_path / "a.h5")
    np.testing.assert_allclose(worm.traces, TRACES)
    np.testing.assert_allclose(worm.time_s, np.arange(N_TIMES) * 0.6)
    assert worm.named == ["AVAL", "AVAR", "RIML"]
    with h5py.File(tmp_path / "clocks.h5", "w") as file:
        file["traces"], file["time"], file["timing/timestamp"] = TRACES, np.arange(N_TIMES), np.arange(N_TIMES) * 0.6
    with pytest.raises(ChoiceNeeded, match="2 datasets could be the clock") as caught:
        read_recording(tmp_path / "clocks.h5")
    assert sorted(caught.value.choices) == ["time", "timing/timestamp"]
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["rfp/traces"] = TRACES.T
    with pytest.raises(ChoiceNeeded, match="2 arrays of two axes"):
        read_recording(tmp_path / "a.h5")
    assert read_recording(tmp_path / "a.h5", dataset="rfp/traces").n_times == N_TIMES


def test_results_of_caiman_give_accepted_components_and_rate(tmp_path) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["estimates/C"] = TRACES.T
        file["estimates/F_dff"] = TRACES.T + 1
        file["estimates/idx_components"] = np.array([0, 2, 3])
        file["params/data/fr"] = 4.0
    worm = read_recording(tmp_path / "a.hdf5")
    np.testing.assert_allclose(worm.traces, TRACES + 1)
    assert worm.neurons["rejected"].tolist() == [False, True, False, False]
    assert worm.rate_hz == pytest.approx(4)


def test_signals_of_caiman_are_named_and_its_own_rate_is_said(tmp_path) -> None:
    with h5py.File(
        tmp_path / "a.hdf5", "w"
    ) as file:  # as caiman.utils.utils.save_dict_to_hdf5 writes it, version 1.12.1
        for key, value in {"C": TRACES.T, "YrA": TRACES.T / 10, "S": 2 * TRACES.T, "f": TRACES.T[:1]}.items():
            file[f"estimates/{key}"] = value
        for key in ("F_dff", "idx_components", "R", "W"):
            file[f"estimates/{key}"] = "NoneType"
        file["estimates/discarded_components/C"] = TRACES.T[:1]
        file["params/data/fr"] = 30
    worm = read_recording(tmp_path / "a.hdf5")
    np.testing.assert_allclose(worm.traces, TRACES)
    assert not worm.neurons["rejected"].any()
    assert any("C of CaImAn read; not read: C + YrA, S" in line for line in worm.remarks)
    assert any("30 frames per second, which CaImAn writes where nobody says" in line for line in worm.remarks)
    both = read_recording(tmp_path / "a.hdf5", signal="C + YrA", rate_hz=4)
    np.testing.assert_allclose(both.traces, 1.1 * TRACES, rtol=1e-6)
    assert both.rate_hz == pytest.approx(4) and not any("CaImAn" in line for line in both.remarks)
    np.testing.assert_allclose(read_recording(tmp_path / "a.hdf5", signal="S").traces, 2 * TRACES)
    with pytest.raises(InputError, match=r"no signal 'F_dff'.*C, C \+ YrA, S"):
        read_recording(tmp_path / "a.hdf5", signal="F_dff")


def test_names_under_another_field_are_found_or_asked_for(tmp_path) -> None:
    names = np.array(["AVAL", "AVAR", "", "RIML"], dtype=object)
    held = {"traces": TRACES, "timeVectorSeconds": np.arange(N_TIMES)[:, None] * 0.6, "IDs": names}
    savemat(tmp_path / "a.mat", held)
    worm = read_recording(tmp_path / "a.mat")
    assert worm.neurons["name"].tolist() == ["AVAL", "AVAR", "", "RIML"]
    np.testing.assert_allclose(worm.time_s[:2], [0, 0.6])
    np.savez(tmp_path / "b.npz", traces=TRACES, fs=2.0, who=names.astype(str))
    with pytest.raises(ChoiceNeeded, match="'who' holds a text for each of the 4 neurons"):
        read_recording(tmp_path / "b.npz")
    assert read_recording(tmp_path / "b.npz", fields={"names": "who"}).named == ["AVAL", "AVAR", "RIML"]


@pytest.mark.parametrize("name", ["book.xlsx", "worm.json"])
def test_a_file_of_another_program_is_called_what_it_is(tmp_path, name) -> None:
    path = tmp_path / name
    if name == "book.xlsx":
        import zipfile

        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("[Content_Types].xml", "<Types/>")
            archive.writestr("xl/workbook.xml", "<workbook/>")
    else:
        path.write_text('{"uid": "x", "trace_array": [[1, 2]]}')
    with pytest.raises(FormatError, match="Excel" if name == "book.xlsx" else "JSON"):
        read_recording(path)


# --- images ----------------------------------------------------------------------------------------------------------


def test_a_recording_written_frame_by_frame_is_all_frames(tmp_path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for t in range(6):
            writer.write(np.full((5, 8, 8), t + 1, "u2"), photometric="minisblack")
    for axes in ("zyx", "tzyx"):
        volume = open_volume(tmp_path / "a.tif", axes=axes)
        assert volume.shape == (6, 5, 8, 8)
        np.testing.assert_array_equal(np.asarray(volume.data)[:, 2, 3, 3], np.arange(1, 7))
    with pytest.raises(ChoiceNeeded, match="6 images of shape"):
        open_volume(tmp_path / "a.tif")
    one = open_volume(tmp_path / "a.tif", dataset="2", axes="zyx")
    assert one.shape == (1, 5, 8, 8) and int(np.asarray(one.data).max()) == 3


def test_images_of_other_shapes_are_to_be_chosen_from(tmp_path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(np.zeros((5, 8, 8), "u2"), photometric="minisblack")
        writer.write(np.zeros((4, 4), "u2"), photometric="minisblack")
    with pytest.raises(ChoiceNeeded, match="2 images") as caught:
        open_volume(tmp_path / "a.tif", axes="zyx")
    assert caught.value.option == "dataset"


def test_an_absent_file_of_an_ome_tiff_is_named_not_read_as_zeros(tmp_path) -> None:
    blocks = "".join(
        f'<TiffData FirstT="{t}" FirstZ="0" IFD="0" PlaneCount="3"><UUID FileName="m{t}.ome.tif">urn:uuid:a{t:031d}</UUID></TiffData>'
        for t in range(2)
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:a0">'
        '<Image ID="Image:0"><Pixels DimensionOrder="XYZCT" ID="Pixels:0" SizeC="1" SizeT="2" SizeX="8" SizeY="8" SizeZ="3" '
        f'Type="uint16"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>{blocks}</Pixels></Image></OME>'
    )
    tifffile.imwrite(
        tmp_path / "m0.ome.tif",
        np.full((3, 8, 8), 100, "u2"),
        description=text.encode(),
        metadata=None,
        photometric="minisblack",
    )
    with pytest.raises(FormatError, match=r"not there: m1\.ome\.tif"):
        open_volume(tmp_path / "m0.ome.tif")


def test_planes_called_ch_are_asked_about_when_there_are_many(tmp_path) -> None:
    for z in range(30):
        tifffile.imwrite(tmp_path / f"ch{z:05d}.tif", np.full((8, 10), z, "u2"))
    with pytest.raises(ChoiceNeeded, match="count 30 channels"):
        open_volume(tmp_path)
    assert open_volume(tmp_path, axes="zyx").shape == (1, 30, 8, 10)


def test_labels_that_are_listed_twice_are_there_once(tmp_path) -> None:
    write_image(np.zeros((5, 16, 16), "u2"), str(tmp_path / "w.zarr"), axes="zyx", scale_factors=[])
    group = zarr.open_group(tmp_path / "w.zarr", mode="a")
    write_labels(np.ones((5, 16, 16), "i4"), group, name="neurons", axes="zyx", scale_factors=[])
    write_label_metadata(group["labels"], "neurons", properties=[{"label-value": 1, "name": "AVAL"}])
    assert open_labels(tmp_path / "w.zarr").shape == (5, 16, 16)


def test_labels_with_channels_or_samples_are_asked_about(tmp_path) -> None:
    labels = np.zeros((3, 2, 8, 10), "u2")
    labels[:, 0, 2:4, 2:4] = 7
    labels[:, 1, 5:7, 5:8] = 9
    tifffile.imwrite(tmp_path / "a.tif", labels, imagej=True, metadata={"axes": "ZCYX"})
    with pytest.raises(ChoiceNeeded, match="2 channels") as caught:
        open_labels(tmp_path / "a.tif")
    assert caught.value.option == "channel"
    assert np.unique(np.asarray(open_labels(tmp_path / "a.tif", channel=1).data)).tolist() == [0, 9]
    planes = np.zeros((3, 16, 16), "i4")
    planes[1, 3:5, 3:5] = 2
    tifffile.imwrite(tmp_path / "b.tif", planes)
    with pytest.raises(ChoiceNeeded, match="samples of a colour"):
        open_labels(tmp_path / "b.tif")
    assert open_labels(tmp_path / "b.tif", axes="zyx").shape == (3, 16, 16)


LAYOUTS = ("fixed", "table")


def stored(frame: pd.DataFrame, path: Path, layout: str, key: str = "df", **more) -> Path:
    frame.to_hdf(path, key=key, format=layout, **more)
    return path


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_table_of_pandas_in_hdf5_is_read_like_its_csv(tmp_path, layout) -> None:
    pytest.importorskip("tables")
    frame = pd.DataFrame(TRACES, columns=["AVAL", "AVAR", "VB01", "n12"], index=np.arange(N_TIMES) * 0.6)
    np.testing.assert_allclose(read_recording(stored(frame, tmp_path / "a.h5", layout), rate_hz=1 / 0.6).traces, TRACES)
    frame.index.name = "time_s"  # a name that says what it is needs no rate
    worm = read_recording(stored(frame, tmp_path / "b.h5", layout, key="lab/traces"))
    frame.to_csv(tmp_path / "b.csv")
    like = read_recording(tmp_path / "b.csv")
    # pandas 2.2 does not write the shortest text that gives the same number
    np.testing.assert_allclose(worm.traces, like.traces, rtol=1e-12)
    np.testing.assert_allclose(worm.time_s, like.time_s, rtol=1e-12)
    assert list(worm.neurons.index) == list(like.neurons.index) == ["AVAL", "AVAR", "VB1", "#4"]
    plain = frame.reset_index(drop=True)
    with pytest.raises(ChoiceNeeded, match="rate_hz"):
        read_recording(stored(plain, tmp_path / "c.h5", layout))
    stored(plain, tmp_path / "c.h5", layout, key="second")
    with pytest.raises(ChoiceNeeded, match="dataset= one of: df, second"):
        read_recording(tmp_path / "c.h5")
    assert read_recording(tmp_path / "c.h5", dataset="second", rate_hz=2).traces.shape == TRACES.shape


@pytest.mark.parametrize("layout", LAYOUTS)
def test_dates_and_durations_of_pandas_are_seconds(tmp_path, layout) -> None:
    pytest.importorskip("tables")
    for name, index in (
        ("dates", pd.date_range("2024-01-01", periods=N_TIMES, freq="600ms")),
        ("durations", pd.to_timedelta(np.arange(N_TIMES) * 0.6, unit="s")),
    ):
        frame = pd.DataFrame(TRACES, columns=["AVAL", "AVAR", "RIML", "RIMR"], index=index)
        np.testing.assert_allclose(
            read_recording(stored(frame, tmp_path / f"{name}.h5", layout)).time_s, np.arange(N_TIMES) * 0.6
        )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_long_and_categorical_tables_of_pandas(tmp_path, layout) -> None:
    pytest.importorskip("tables")
    wide = pd.DataFrame(TRACES[:, :2], columns=["AVAL", "AVAR"]).assign(time_s=np.arange(N_TIMES) * 0.6)
    long = wide.melt(id_vars="time_s", var_name="neuron", value_name="value")
    if layout == "table":
        long["neuron"] = long["neuron"].astype("category")
    np.testing.assert_array_equal(read_recording(stored(long, tmp_path / "a.h5", layout)).traces, TRACES[:, :2])


def test_columns_of_several_levels_in_hdf5_ask_for_a_signal_and_points_are_behaviour(tmp_path) -> None:
    pytest.importorskip("tables")
    two = levels(["AVAL", "AVAR", "RIML"], ["raw", "dff"])
    for layout in LAYOUTS:
        path = stored(two, tmp_path / f"{layout}.h5", layout)
        with pytest.raises(ChoiceNeeded, match="raw, dff"):
            read_recording(path)
        np.testing.assert_array_equal(read_recording(path, signal="dff").traces, two.to_numpy()[:, 1::2])
    names = ["scorer", "bodyparts", "coords"]
    columns = pd.MultiIndex.from_product([["model"], ["nose", "tail"], ["x", "y", "likelihood"]], names=names)
    points = pd.DataFrame(np.random.default_rng(0).random((20, 6)), columns=columns)
    path = stored(points, tmp_path / "pose.h5", "table", key="df_with_missing")
    assert table_kind(path) == "behaviour"
    assert "nose x" in read_behaviour(path, np.arange(20) * 0.5)
    with pytest.raises(InputError, match="DeepLabCut"):
        read_recording(path)


def test_a_table_of_pandas_runs_no_code(tmp_path) -> None:
    pytest.importorskip("tables")
    path = stored(pd.DataFrame(TRACES, columns=list("abcd")), tmp_path / "a.h5", "table")
    with h5py.File(path, "a") as file:
        file["df"].attrs["non_index_axes"] = np.bytes_(b"cos\nsystem\n(S'touch " + bytes(tmp_path / "ran") + b"'\ntR.")
    with pytest.raises(FormatError, match="run programs"):
        read_recording(path, rate_hz=2)
    assert not (tmp_path / "ran").exists()


# --- headers of several rows -----------------------------------------------------------------------------------------


def levels(*parts: list[str]) -> pd.DataFrame:
    names = ["neuron", "signal", "more"][: len(parts)]
    columns = pd.MultiIndex.from_product(parts, names=names)
    values = np.random.default_rng(0).normal(size=(20, len(columns)))
    return pd.DataFrame(values, columns=columns, index=pd.Index(np.arange(20) * 0.5, name="time_s"))


@pytest.mark.parametrize(
    ("word", "called"), [("frame", "frame"), ("Frames", "Frames"), ("time_s", "time_s"), ("signal", "")]
)
def test_the_index_of_a_header_of_several_rows_is_a_word_of_time(word, called) -> None:
    from napari_dynamic_connectome.io.formats.text_tables import header_levels

    found = header_levels([",AVAL,AVAL,AVAR,AVAR", f"{word},raw,dff,raw,dff", "0,1,2,3,4", "1,2,3,4,5"], ",")
    assert found is not None and (found.n_rows, found.index) == (2, called)
    assert found.rows == (("AVAL", "AVAL", "AVAR", "AVAR"), ("raw", "dff", "raw", "dff"))


def test_of_several_signals_in_a_header_of_two_rows_one_is_asked_for(tmp_path) -> None:
    held = levels(["AVAL", "RIML"], ["raw", "dff"])
    for name, frame in (("a", held), ("b", held.swaplevel(axis=1)), ("c", held.rename_axis(index=None))):
        frame.to_csv(tmp_path / f"{name}.csv")
        more = {"rate_hz": 2} if name == "c" else {}
        with pytest.raises(ChoiceNeeded, match=r"2 signals") as asked:
            read_recording(tmp_path / f"{name}.csv", **more)
        assert (asked.value.option, asked.value.choices) == ("signal", ("raw", "dff"))
        worm = read_recording(tmp_path / f"{name}.csv", signal="dff", **more)
        assert worm.named == ["AVAL", "RIML"] and "raw not" in worm.remarks[0]
        np.testing.assert_allclose(worm.traces.values, held.xs("dff", axis=1, level="signal").values)
        np.testing.assert_allclose(worm.time_s, held.index)
    with pytest.raises(InputError, match="no signal 'spikes'"):
        read_recording(tmp_path / "a.csv", signal="spikes")


def test_rows_of_a_header_that_say_one_thing_are_no_question(tmp_path) -> None:
    levels(["AVAL", "RIML"], ["raw"]).to_csv(tmp_path / "a.csv")
    assert read_recording(tmp_path / "a.csv").named == ["AVAL", "RIML"]
    (tmp_path / "b.csv").write_text(
        ",AVAL,,RIML,\ntime,raw,dff,raw,dff\n" + "".join(f"{i},{i % 3},{i % 4},{i % 5},1\n" for i in range(9))
    )
    assert read_recording(tmp_path / "b.csv", signal="raw").named == ["AVAL", "RIML"]  # cells that were merged
    (tmp_path / "c.csv").write_text("time_s,AVAL,AVAL\n0,1,2\n1,2,3\n")
    with pytest.raises(InputError, match="twice"):
        read_recording(tmp_path / "c.csv")


def test_points_of_deeplabcut_are_behaviour_not_neurons(tmp_path) -> None:
    parts = [["DLC_net"], ["nose", "tail"], ["x", "y", "likelihood"]]
    columns = pd.MultiIndex.from_product(parts, names=["scorer", "bodyparts", "coords"])
    pd.DataFrame(np.arange(120.0).reshape(20, 6), columns=columns).to_csv(tmp_path / "pose.csv")
    assert table_kind(tmp_path / "pose.csv") == "behaviour"
    with pytest.raises(InputError, match="tracked points of the body"):
        read_recording(tmp_path / "pose.csv")
    held = read_behaviour(tmp_path / "pose.csv", np.arange(20) * 0.5)
    assert list(held.data_vars)[:3] == ["nose x", "nose y", "nose likelihood"] and held["tail y"].values[1] == 10
    with pytest.raises(InputError, match="20 frames for 7 samples"):
        read_behaviour(tmp_path / "pose.csv", np.arange(7.0))


@pytest.mark.parametrize("ending", ["csv", "h5"])
def test_what_deeplabcut_writes_beside_its_points_is_called_what_it_is(tmp_path, ending) -> None:
    if ending == "h5":
        pytest.importorskip("tables")

    def saved(name: str, columns: pd.MultiIndex, values: np.ndarray, index=None, **layout):
        frame, path = pd.DataFrame(values, columns=columns, index=index), tmp_path / f"{name}.{ending}"
        frame.to_csv(path) if ending == "csv" else frame.to_hdf(path, key="df_with_missing", **layout)
        return path

    # several animals, one of them not seen in a frame (stitch.py, create_df_from_prediction)
    names = ["scorer", "individuals", "bodyparts", "coords"]
    columns = pd.MultiIndex.from_product([["DLC"], ["w1", "w2"], ["nose"], ["x", "y", "likelihood"]], names=names)
    values = np.arange(120.0).reshape(20, 6)
    values[3, 3:] = np.nan
    held = read_behaviour(saved("two", columns, values, format="table"), np.arange(20.0))
    np.testing.assert_allclose(np.stack([held[k] for k in held.data_vars], axis=1), values)
    # lines between points (analyze_skeleton.py)
    columns = pd.MultiIndex.from_product([["nose_tail"], ["length", "orientation", "likelihood"]])
    path = saved("skeleton", columns, values[:, :3], format="table")
    assert table_kind(path) == "behaviour"
    with pytest.raises(InputError, match="tracked points of the body"):
        read_recording(path, rate_hz=2)
    assert list(read_behaviour(path, np.arange(20.0)).data_vars) == ["length", "orientation", "likelihood"]
    # labelled pictures (trainingsetmanipulation.py)
    columns = pd.MultiIndex.from_product([["me"], ["nose"], ["x", "y"]], names=["scorer", "bodyparts", "coords"])
    index = pd.MultiIndex.from_tuples([("labeled-data", "video", f"img{i}.png") for i in range(20)])
    path = saved("labelled", columns, values[:, :2], index)
    with pytest.raises(InputError, match="labelled pictures that DeepLabCut was trained on"):
        read_behaviour(path, np.arange(20.0))


# --- worms and names of any file -------------------------------------------------------------------------------------


def test_worm_and_labelled_only_apply_to_every_format(tmp_path) -> None:
    rows = [f"{w},{i / 2},{n},{i % 3}" for w in ("a", "b") for n in ("AVAL", "n7") for i in range(9)]
    path = table(tmp_path / "two.csv", "worm,time_s,neuron,value", rows)
    from napari_dynamic_connectome import read_recordings

    assert [r.name for r in read_recordings(path, worm="b")] == ["b"]
    with pytest.raises(InputError, match="no worm 'c'"):
        read_recordings(path, worm="c")
    worm = read_recording(path, worm="a", labeled_only=True)
    assert list(worm.traces["neuron"].values) == ["AVAL"] and "1 neurons without a name left out" in worm.remarks[0]
    pd.DataFrame({"time_s": np.arange(9.0), "AVAL": np.arange(9) % 4}).to_parquet(tmp_path / "p.parquet")
    with pytest.raises(InputError, match="column= does not apply"):
        read_recording(tmp_path / "p.parquet", column="x")
