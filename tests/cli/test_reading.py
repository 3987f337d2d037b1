"""Options that say how files are read: one flag a field of the settings, on every command that reads traces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_dynamic_connectome.cli import main
from napari_dynamic_connectome.cli.command_line import build_parser
from napari_dynamic_connectome.cli.reading import flag_of, in_flags
from napari_dynamic_connectome.pipeline.settings import PipelineSettings, ReadingSettings

READS = ("run", "validate", "project", "robustness", "contrasts", "suggest-names")


def flags(command: str) -> set[str]:
    commands = next(a for a in build_parser()._actions if a.dest == "COMMAND" or (a.choices and command in a.choices))
    return set(commands.choices[command]._option_string_actions)


@pytest.mark.parametrize("command", READS)
def test_every_option_of_a_reader_is_a_flag_of_every_command_that_reads(command) -> None:
    wanted = {flag_of(name) for name in ReadingSettings.model_fields if name != "files"}
    assert wanted <= flags(command)


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
