"""Options that say how files are read: one flag a field of the settings, on every command that reads traces."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from ome_zarr.writer import write_image, write_labels

from napari_dynamic_connectome.cli import main
from napari_dynamic_connectome.cli.command_line import build_parser
from napari_dynamic_connectome.cli.reading import flag_of, in_flags
from napari_dynamic_connectome.comparison.settings import StructureSettings
from napari_dynamic_connectome.io import registry
from napari_dynamic_connectome.io.formats.centres import open_labels as open_centres
from napari_dynamic_connectome.io.layer_data import fitting
from napari_dynamic_connectome.io.volumes.volume import build_volume
from napari_dynamic_connectome.pipeline.settings import PipelineSettings, ReadingSettings, VolumeInput
from napari_dynamic_connectome.pipeline.states_settings import StatesStepSettings

READS = ("run", "validate", "project", "robustness", "contrasts", "suggest-names", "open")
IN_PYTHON_ONLY = {
    "name",  # of the worm: as the file is called
    "level",  # a coarser picture, for scripts that look around
    "shape", "like", "radius_voxels",  # of a table of centres: the image that it belongs to says them
    "min_named", "min_neurons", "min_duration_s",  # which worms of a collection: [input.collection], and the command worms
}  # fmt: skip
INSIDE = {"path", "options", "labels", "more", "group", "array", "series", "progress", "cancel"}
"""No options: the file itself, who is told meanwhile, and what `dataset` is called inside of some readers."""


def flags(command: str) -> set[str]:
    commands = next(a for a in build_parser()._actions if a.dest == "COMMAND" or (a.choices and command in a.choices))
    return set(commands.choices[command]._option_string_actions)


@pytest.mark.parametrize("command", READS)
def test_every_option_of_a_reader_is_a_flag_of_every_command_that_reads(command) -> None:
    wanted = {flag_of(name) for name in ReadingSettings.model_fields if name != "files"}
    assert wanted <= flags(command)


def parameters(function: str) -> set[str]:
    """Return the options of a function of every format."""
    found: set[str] = set()
    for module in registry.modules().values():
        if hasattr(module, function):
            found |= set(inspect.signature(getattr(module, function)).parameters)
    return found - INSIDE - IN_PYTHON_ONLY


@pytest.mark.gui
def test_every_option_of_every_reader_is_a_setting_a_flag_and_a_field_of_the_sheet() -> None:
    from napari_dynamic_connectome.widgets.workspace import import_sheet

    of_traces = parameters("read_recordings")
    of_traces |= set(inspect.signature(registry.read_recordings).parameters) - INSIDE
    assert {"rate_hz", "signal", "dataset", "worm", "column", "fields", "time_column"} <= of_traces
    assert of_traces == set(ReadingSettings.model_fields) - {"files"}
    assert of_traces == {*import_sheet.TRACE_OPTIONS, "fields"}
    of_images = parameters("open_volume") | {
        name
        for name in inspect.signature(build_volume).parameters
        if name in ("axes", "channel", "voxel_size_um", "frame_rate_hz")
    }
    assert of_images <= {*import_sheet.IMAGE_OPTIONS} <= set(VolumeInput.model_fields)
    assert {flag_of(n) if n != "frame_rate_hz" else "--rate" for n in import_sheet.IMAGE_OPTIONS} <= flags("extract")
    assert {flag_of(n) if n != "frame_rate_hz" else "--rate" for n in import_sheet.IMAGE_OPTIONS} <= flags("open")
    of_labels = parameters("open_labels") | (set(inspect.signature(open_centres).parameters) - INSIDE - IN_PYTHON_ONLY)
    known = {n.removeprefix("label_") for n in VolumeInput.model_fields} | {"name"}  # name: dataset, of an OME-Zarr
    assert of_labels <= known
    assert {"--label-axes", "--label-dataset", "--label-channel", "--radius", "--units"} <= flags("extract")


@pytest.mark.gui
def test_every_question_of_a_reader_can_be_answered_in_every_interface() -> None:
    from napari_dynamic_connectome.widgets.workspace import import_sheet

    asked: set[str] = set()
    for path in (Path(registry.__file__).parent).rglob("*.py"):
        asked |= set(re.findall(r"option=\"(\w+)\"", path.read_text(encoding="utf-8")))
    about_tables_of_connections = {"weight", "rows"}
    for settings in (StructureSettings, StatesStepSettings):
        assert about_tables_of_connections <= set(settings.model_fields)
    assert {"rate_hz", "axes", "channel", "dataset", "fields", "signal", "time_unit", "time_column"} <= asked
    of_files = {*import_sheet.IMAGE_OPTIONS, *import_sheet.CENTRE_OPTIONS}
    assert asked - about_tables_of_connections <= set(ReadingSettings.model_fields) | of_files
    assert {"--units", "--radius"} <= flags("open") & flags("extract")


def test_centres_are_called_what_they_are_and_their_flags_reach_the_window(tmp_path, capsys) -> None:
    from napari_dynamic_connectome.io.layer_data import fitting

    (tmp_path / "c.csv").write_text("frame,id,z,y,x\n0,3,2,2,4\n1,3,2,2,5\n")
    assert main(["validate", str(tmp_path / "c.csv"), "--units", "um"]) == 0
    assert "centres of 1 neurons in 2 frames, z, y, x in um" in capsys.readouterr().out
    given = {"units": "um", "radius_um": 1.5, "rate_hz": 2.0}
    assert fitting(tmp_path / "c.csv", given) == {"units": "um", "radius_um": 1.5}


@pytest.mark.parametrize("command", ["extract", "compare-labels"])
def test_labels_have_flags_of_their_own(command) -> None:
    assert {"--label-axes", "--label-dataset", "--label-channel"} <= flags(command)


@pytest.fixture
def frames(tmp_path) -> Path:
    rows = "".join(f"{i},{i % 3},{i % 4}\n" for i in range(40))
    (tmp_path / "w.csv").write_text(f"frame,AVAL,n7\n{rows}")
    return tmp_path / "w.csv"


def test_the_message_names_the_flag_and_the_flag_settles_it(frames, capsys) -> None:
    assert main(["validate", str(frames)]) == 2
    assert "pass --rate." in capsys.readouterr().err
    assert main(["validate", str(frames), "--rate", "2.5"]) == 0
    assert "2 neurons (1 named), 40 time points, 2.5 Hz" in capsys.readouterr().out
    assert main(["validate", str(frames), "--rate", "2.5", "--names", "as written"]) == 0
    assert "(2 named)" in capsys.readouterr().out
    assert main(["validate", str(frames), "--rate", "2.5", "--labeled-only"]) == 0
    assert "1 neurons (1 named)" in capsys.readouterr().out


def test_fields_are_mapped_by_a_flag(tmp_path, capsys) -> None:
    np.savez(tmp_path / "a.npz", F=np.random.default_rng(0).random((30, 2)), fs=2.0, who=np.array(["AVAL", "AVAR"]))
    assert main(["validate", str(tmp_path / "a.npz"), "--field", "traces=F"]) == 2
    assert "--field names=who" in capsys.readouterr().err
    assert main(["validate", str(tmp_path / "a.npz"), "--field", "traces=F", "--field", "names=who"]) == 0
    assert "2 named" in capsys.readouterr().out
    assert main(["validate", str(tmp_path / "a.npz"), "--field", "traces"]) == 2
    assert "OURS=THEIRS" in capsys.readouterr().err


def test_flags_come_after_the_tables_of_a_settings_file(frames, capsys) -> None:
    settings = frames.with_name("s.toml")
    settings.write_text('[input]\nrecordings = ["w.csv"]\n[[input.reading]]\nnames = "as written"\n')
    assert main(["validate", str(settings)]) == 2
    said = capsys.readouterr().err
    assert "pass --rate." in said and '[[input.reading]] files = "w.csv", rate_hz = 2.5' in said
    assert main(["validate", str(settings), "--rate", "4"]) == 0
    assert "(2 named), 40 time points, 4 Hz" in capsys.readouterr().out


def test_labels_with_channels_are_asked_for_in_the_words_of_the_command(tmp_path, capsys) -> None:
    image = np.random.default_rng(0).integers(0, 99, (4, 3, 8, 10)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "v.tif", image, photometric="minisblack", metadata={"axes": "TZYX"})
    labels = np.zeros((3, 2, 8, 10), np.uint16)
    labels[:, 0, 2:4, 2:4], labels[:, 1, 5:7, 5:8] = 7, 9
    tifffile.imwrite(tmp_path / "l.tif", labels, imagej=True, metadata={"axes": "ZCYX"})
    call = ["extract", str(tmp_path / "v.tif"), str(tmp_path / "l.tif"), "-o", str(tmp_path / "o.csv")]
    call += ["--rate", "2", "--voxel-size", "1", "1", "1"]
    assert main(call) == 2
    said = capsys.readouterr().err
    assert "--label-channel" in said and " channel=" not in said
    assert main([*call, "--label-channel", "1"]) == 0
    assert "1 neurons" in capsys.readouterr().out
    (tmp_path / "s.toml").write_text(
        '[[input.volumes]]\nvolume = "v.tif"\nlabels = "l.tif"\nframe_rate_hz = 2\nvoxel_size_um = [1, 1, 1]\n'
    )
    assert main(["run", str(tmp_path / "s.toml"), "--no-screenshot"]) == 2
    assert "[[input.volumes]] label_channel" in capsys.readouterr().err


def test_an_option_that_a_command_has_not_stays_as_it_is() -> None:
    assert in_flags("Pass label_axes= or rate_hz=.", {"--rate"}) == "Pass label_axes= or --rate."


def test_names_of_another_program_become_a_table_of_names(tmp_path, capsys) -> None:
    (tmp_path / "w.csv").write_text("time_s,#1,#2\n" + "".join(f"{i / 2},{i % 3},{i % 4}\n" for i in range(9)))
    (tmp_path / "c.csv").write_text("label,name,probability\n1,AVAL,0.9\n1,AVEL,0.05\n2,AVAL,0.6\n2,AVAR,0.3\n")
    call = ["suggest-names", str(tmp_path / "w.csv"), "--candidates", str(tmp_path / "c.csv")]
    assert main([*call, "-o", str(tmp_path / "names.csv")]) == 0
    said = capsys.readouterr().out
    assert "#2: AVAL 0.60, AVAR 0.30" in said and "1 of 2 neurons" in said
    assert (tmp_path / "names.csv").read_text() == "label,name,confidence\n1,AVAL,0.9\n"


def test_readings_of_a_settings_file_take_every_option() -> None:
    given = {"files": "*", "rate_hz": 2.0, "worm": "a", "labeled_only": True, "voxel_size_um": (1.0, 1.0, 1.0)}
    settings = PipelineSettings.parse({"input": {"reading": [given]}})
    assert settings.input.reading[0].options() == {k: v for k, v in given.items() if k != "files"}


def test_flags_for_several_files_go_to_those_that_they_concern(frames, tmp_path) -> None:
    np.save(tmp_path / "v.npy", np.zeros((3, 4, 8, 8), np.uint8))
    np.save(tmp_path / "t.npy", np.zeros((30, 4)))
    (tmp_path / "stimuli.csv").write_text("name,onset,offset\nNaCl,1,2\n")
    given = {"rate_hz": 2.5, "axes": "tzyx", "names": "as written", "voxel_size_um": (2.0, 1.0, 1.0)}
    image = {"axes": "tzyx", "frame_rate_hz": 2.5, "voxel_size_um": (2.0, 1.0, 1.0)}
    traces = {"rate_hz": 2.5, "names": "as written"}
    assert fitting(tmp_path / "v.npy", given) == image
    assert fitting(frames, given) == fitting(tmp_path / "t.npy", given) == traces
    assert fitting(tmp_path / "t.npy", {"axes": "nt"}) == {"axes": "nt"} and fitting(frames, {"channel": 1}) == {}
    assert fitting(tmp_path / "stimuli.csv", given) == {}


def test_flags_of_images_settle_what_validate_asks(tmp_path, capsys) -> None:
    np.save(tmp_path / "v.npy", np.zeros((3, 4, 8, 8), np.uint8))
    assert main(["validate", str(tmp_path / "v.npy")]) == 2
    assert "--axes tzyx" in capsys.readouterr().err
    call = ["validate", str(tmp_path / "v.npy"), "--axes", "tzyx", "--voxel-size", "2", "1", "1", "--rate", "4"]
    assert main(call) == 0
    assert "image of shape (3, 4, 8, 8)" in capsys.readouterr().out


def test_several_labels_of_an_ome_zarr_are_asked_for_by_a_flag_that_is_there(tmp_path, capsys) -> None:
    write_image(np.ones((4, 3, 8, 8), "u2"), str(tmp_path / "w.zarr"), axes="tzyx", scale_factors=[])
    group = zarr.open_group(tmp_path / "w.zarr", mode="a")
    for name, label in (("cells", 1), ("nuclei", 2)):
        write_labels(np.full((3, 8, 8), label, "i4"), group, name=name, axes="zyx", scale_factors=[])
    call = ["extract", str(tmp_path / "w.zarr"), "-o", str(tmp_path / "o.npz"), "--rate", "2"]
    call += ["--voxel-size", "1", "1", "1"]
    assert main(call) == 2
    assert "--label-dataset one of: cells, nuclei" in capsys.readouterr().err.replace("'", "")
    assert main([*call, "--label-dataset", "nuclei"]) == 0
    assert registry.read_recordings(tmp_path / "o.npz")[0].neurons["label"].tolist() == [2]


def test_an_ome_zarr_of_labels_alone_is_taken_where_it_is_said_so(tmp_path, capsys) -> None:
    image = np.random.default_rng(0).integers(0, 99, (4, 3, 8, 8)).astype("u2")
    write_image(image, str(tmp_path / "v.zarr"), axes="tzyx", scale_factors=[])
    write_image((image[0] > 50).astype("u2"), str(tmp_path / "cells.zarr"), axes="zyx", scale_factors=[])
    call = [
        "extract",
        str(tmp_path / "v.zarr"),
        str(tmp_path / "cells.zarr"),
        "-o",
        str(tmp_path / "o.npz"),
        "--rate",
        "2",
    ]
    call += ["--voxel-size", "1", "1", "1"]
    assert main(call) == 2
    assert "pass --label-dataset ." in capsys.readouterr().err
    assert main([*call, "--label-dataset", "."]) == 0
    assert registry.read_recordings(tmp_path / "o.npz")[0].neurons["label"].tolist() == [1]
