"""What a file leaves open can be said in the settings file, where the message says it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_dynamic_connectome import ChoiceNeeded, InputError, PipelineSettings
from napari_dynamic_connectome.cli import main
from napari_dynamic_connectome.pipeline.run import find_inputs, load_recordings


def frames(path: Path, names: str = "AVAL,AVAR") -> Path:
    rng = np.random.default_rng(0)
    rows = [",".join([str(i), *(f"{v:.4f}" for v in rng.random(len(names.split(","))))]) for i in range(30)]
    path.write_text("\n".join([f"frame,{names}", *rows]) + "\n")
    return path


def settings(folder: Path, text: str) -> PipelineSettings:
    (folder / "s.toml").write_text(text)
    return PipelineSettings.from_file(folder / "s.toml")


def test_the_rate_of_a_table_of_frames_is_given_in_the_settings(tmp_path) -> None:
    frames(tmp_path / "a.csv")
    plain = settings(tmp_path, '[input]\nrecordings = ["a.csv"]\n')
    with pytest.raises(ChoiceNeeded, match=r'\[\[input\.reading\]\] files = "a\.csv", rate_hz = '):
        load_recordings(plain)
    said = settings(tmp_path, '[input]\nrecordings = ["a.csv"]\n[[input.reading]]\nrate_hz = 2.5\n')
    (worm,) = load_recordings(said)
    assert worm.rate_hz == pytest.approx(2.5)


def test_files_are_told_apart_by_patterns_and_the_last_one_wins(tmp_path) -> None:
    frames(tmp_path / "lab_a.csv", "n1,AVAR")
    frames(tmp_path / "lab_b.csv", "n1,AVAR")
    said = settings(
        tmp_path,
        '[input]\nrecordings = ["*.csv"]\n[[input.reading]]\nrate_hz = 2\n'
        '[[input.reading]]\nfiles = "lab_b*"\nrate_hz = 4\nnames = "as written"\n',
    )
    a, b = load_recordings(said)
    assert (a.rate_hz, b.rate_hz) == (pytest.approx(2), pytest.approx(4))
    assert a.named == ["AVAR"] and b.named == ["n1", "AVAR"]


def test_a_folder_of_csv_files_is_a_cohort(tmp_path) -> None:
    worms = tmp_path / "worms"
    worms.mkdir()
    frames(worms / "a.csv")
    frames(worms / "b.csv")
    (worms / "b_stimuli.csv").write_text("name,onset,offset\nodour,1,2\n")
    said = settings(tmp_path, '[input]\nrecordings = ["worms"]\n[[input.reading]]\nrate_hz = 2\n')
    assert [p.name for p in find_inputs(said)[0]] == ["a.csv", "b.csv"]
    assert [len(r.stimuli) for r in load_recordings(said)] == [0, 1]


def test_an_unknown_field_of_reading_is_refused(tmp_path) -> None:
    frames(tmp_path / "a.csv")
    with pytest.raises(InputError, match="speed"):
        settings(tmp_path, '[input]\nrecordings = ["a.csv"]\n[[input.reading]]\nspeed = 2\n')


def test_validate_says_what_a_file_is(tmp_path, capsys) -> None:
    frames(tmp_path / "a.csv", "n1,AVAR")
    assert main(["validate", str(tmp_path / "a.csv"), "--set", "rate_hz=2"]) == 0
    out = capsys.readouterr().out
    assert "2 neurons (1 named)" in out and "1 of 2 headers name no neuron" in out
    (tmp_path / "c.csv").write_text("pre,post,type,synapses\nAVAL,AVAR,chemical,3\n")
    assert main(["validate", str(tmp_path / "c.csv")]) == 0
    assert "a connectome; 1 connections between 2 cells" in capsys.readouterr().out
    np.save(tmp_path / "v.npy", np.zeros((2, 3, 4, 5), "u2"))
    assert main(["validate", str(tmp_path / "v.npy"), "--set", "axes=tzyx"]) == 0
    assert "image of shape (2, 3, 4, 5)" in capsys.readouterr().out
