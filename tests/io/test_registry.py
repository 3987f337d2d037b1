"""Formats are told by content, and what does not fit is refused."""

from __future__ import annotations

import pytest
from tests.io.formats.samples import make

from napari_dynamic_connectome.io.ownership import MARKER
from napari_dynamic_connectome.io.registry import identify, read_recording, read_recordings, write_recording
from napari_dynamic_connectome.model.errors import FormatError, InputError


def test_unknown_ending_and_option(tmp_path) -> None:
    with pytest.raises(InputError, match=r"\.npz"):
        write_recording(make(), tmp_path / "a.xlsx")
    path = write_recording(make(), tmp_path / "a.npz")
    with pytest.raises(InputError, match="does not apply"):
        read_recordings(path, sheet=1)
    assert [p.name for p in tmp_path.iterdir() if p.name != MARKER] == ["a.npz"]


def test_image_is_no_recording(tmp_path) -> None:
    from napari_dynamic_connectome.io.volumes import omezarr_write

    omezarr_write.create_volume(tmp_path / "a.zarr", (2, 2, 4, 4))
    with pytest.raises(InputError, match="Extract its traces first"):
        read_recording(tmp_path / "a.zarr")


def test_xml_of_other_programs_is_called_what_it_is(tmp_path) -> None:
    (tmp_path / "a.xml").write_text('<?xml version="1.0" ?>\n<TrackMate version="7.11.1"><Model/></TrackMate>')
    with pytest.raises(FormatError, match=r"tracks of TrackMate.*CSV .* or GEFF"):
        identify(tmp_path / "a.xml")
    (tmp_path / "b.xml").write_text('<?xml version="1.0" ?>\n<!-- a page -->\n<html><body/></html>')
    with pytest.raises(FormatError, match="XML or HTML, not data"):
        identify(tmp_path / "b.xml")
    (tmp_path / "c.xml").write_text(
        '<?xml version="1.0" ?>\n<g:graphml xmlns:g="http://graphml.graphdrawing.org/xmlns"/>'
    )
    assert identify(tmp_path / "c.xml").key == "graphml"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("README.md", "# Data\n\nFive worms, recorded at 4 Hz, and\nwhat else is known of them.\n"),
        ("run.log", "12:00 started\n12:05 done, with 2 warnings\n"),
        ("analyze.py", "import numpy as np\n\nprint(np.zeros(3), 'a, b')\n"),
    ],
)
def test_texts_that_are_no_tables_are_called_so(tmp_path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(FormatError, match="this is text, and no table"):
        identify(tmp_path / name)


@pytest.mark.parametrize("text", ["time_s,AVAL\n0,1\n1,2\n", "t\tAVAL\tAVAR\n0\t1\t2\n", "t;AVAL\n0,5;1,5\n"])
def test_tables_of_any_ending_are_tables(tmp_path, text: str) -> None:
    (tmp_path / "worm.traces").write_text(text)
    assert identify(tmp_path / "worm.traces").key == "csv"
