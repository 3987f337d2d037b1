"""What NWB asks for and traces do not tell: from attributes of the worms, or said at export."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from napari_dynamic_connectome import Recording, Session, save_session, with_attributes
from napari_dynamic_connectome.cli import main
from napari_dynamic_connectome.io.formats.nwb_write import checked_about, write_recording
from napari_dynamic_connectome.model.errors import InputError

pynwb = pytest.importorskip("pynwb")
KNOWN = {
    "strain": "OH16230",
    "session_start": "2026-05-01T14:30",
    "experimenter": "A. Person",
    "lab": "Worm Lab",
    "batch": "7",
}


def worm(name: str = "w", **attributes: str) -> Recording:
    made = Recording.from_arrays(np.random.default_rng(0).random((20, 2)), name=name, rate_hz=2, names=["AVAL", "RIS"])
    return with_attributes(made, attributes)


def read(path: Path) -> dict[str, object]:
    with pynwb.NWBHDF5IO(path, "r") as io:
        file = io.read()
        subject = file.subject
        return {
            "strain": subject.strain, "sex": subject.sex, "age": subject.age, "genotype": subject.genotype,
            "session_start": file.session_start_time, "experimenter": file.experimenter, "lab": file.lab,
            "institution": file.institution,
        }  # fmt: skip


def test_attributes_of_the_worm_are_written_and_others_are_not(tmp_path: Path) -> None:
    found = read(write_recording(worm(**KNOWN), tmp_path / "w.nwb"))
    assert found["strain"] == "OH16230" and found["lab"] == "Worm Lab" and found["experimenter"] == ("A. Person",)
    assert found["session_start"] == datetime(2026, 5, 1, 14, 30, tzinfo=UTC)
    assert (found["sex"], found["age"], found["institution"]) == ("XX", "P2D", "not stated")


@pytest.mark.parametrize(
    ("about", "usual"),
    [({}, True), ({"sex": "XX"}, True), ({"age": "P2D"}, True), ({"sex": "XX", "age": "P2D"}, False)],
)
def test_what_nobody_measured_is_called_usual(tmp_path: Path, about: dict[str, str], usual: bool) -> None:
    path = write_recording(worm(), tmp_path / "w.nwb", about=about)
    with pynwb.NWBHDF5IO(path, "r") as io:
        description = io.read().subject.description
    assert description == (
        "Young adult hermaphrodite; age, sex and stage are the usual ones, not measured" if usual else "C. elegans"
    )


def test_what_is_said_goes_before_attributes(tmp_path: Path) -> None:
    path = write_recording(worm(**KNOWN), tmp_path / "w.nwb", about={"strain": "N2", "age": "PT60H"})
    found = read(path)
    assert found["strain"] == "N2" and found["age"] == "PT60H" and found["lab"] == "Worm Lab"
    assert read(write_recording(worm(**KNOWN), tmp_path / "v.nwb", strain="CB4088"))["strain"] == "CB4088"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"session_start": "yesterday"}, "no date"),
        ({"sex": "boy"}, "none of NWB"),
        ({"age": "2 days"}, "no duration"),
        ({"age": "P"}, "no duration"),
        ({"age": "PT"}, "no duration"),
        ({"age": "P2D/4"}, "no duration"),
        ({"colour": "red"}, "nothing that NWB asks for"),
    ],
)
def test_what_nwb_does_not_know_is_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        checked_about(given, "here")


def test_words_for_the_sex_are_understood() -> None:
    said = [checked_about({"sex": x}, "here")["sex"] for x in ("Hermaphrodite", "male", "m", "xx", "U")]
    assert said == ["XX", "XO", "M", "XX", "U"]


@pytest.mark.parametrize("age", ["P2D", "PT60H", "P1W", "P2DT12H", "P2D/P4D", "P2D/"])
def test_ages_and_ranges_of_ages_are_taken(age) -> None:
    assert checked_about({"age": age}, "here") == {"age": age}


def test_time_zones_are_kept_and_empty_texts_left_out() -> None:
    said = checked_about({"session_start": "2026-05-01T14:30+02:00", "strain": " "}, "here")
    assert said["session_start"].utcoffset().total_seconds() == 7200 and "strain" not in said


def test_the_command_says_it_of_all_worms_before_anything_is_written(tmp_path: Path, capsys) -> None:
    session = Session()
    session.add(worm("a"))
    session.add(worm("b", strain="N2"))
    saved = save_session(session, tmp_path / "session.zarr")
    command = ["export", str(saved), "-o", str(tmp_path / "out"), "--nwb", "-q"]
    assert main([*command, "--about", "sex=blue"]) == 2 and not (tmp_path / "out").exists()
    assert main([*command, "--about", "strain"]) == 2
    assert main(["export", str(saved), "--tables", "--about", "strain=N2"]) == 2
    said = capsys.readouterr().err
    assert "none of NWB" in said and "NAME=VALUE" in said and "--about needs --nwb" in said
    assert main([*command, "--about", "lab=Worm Lab"]) == 0
    found = [read(tmp_path / "out" / "nwb" / f"{name}.nwb") for name in "ab"]
    assert [one["lab"] for one in found] == ["Worm Lab", "Worm Lab"]
    assert [one["strain"] for one in found] == ["not stated", "N2"]
