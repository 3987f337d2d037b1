"""Formats are told by content, and what does not fit is refused."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from tests.io.formats.samples import make

from napari_dynamic_connectome.io import formats, layer_data, registry, volumes
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


JSON_TRACES = """
import json

from napari_dynamic_connectome.io.format import Format, is_json
from napari_dynamic_connectome.model.recording import Recording

ORDER = 65
FORMAT = Format(
    key="json", title="JSON", patterns=("*.json",), holds=("recording",), writes=("recording",), endings=(".json",),
    note="Traces by neuron.", knows=is_json,
)


def read_recordings(path):
    held = json.loads(path.read_text())
    return [Recording.from_arrays(list(zip(*held["traces"])), names=held["names"], rate_hz=2.0, name=path.stem)]


def write_recording(recording, path):
    path.write_text(json.dumps({"names": recording.named, "traces": recording.traces.values.T.tolist()}))
"""
VOXELS = """
import numpy as np

from napari_dynamic_connectome.io.format import Format
from napari_dynamic_connectome.io.volumes.volume import Stored, build_volume

ORDER = 35
FORMAT = Format(
    key="raw", title="Raw", patterns=("*.raw",), holds=("volume", "labels"), note="Bytes.", starts=(b"RAW1",)
)


def open_volume(path, *, labels=False, **options):
    held = np.frombuffer(path.read_bytes()[4:], "u2").reshape(2, 3, 4, 5)
    return build_volume(Stored(held, list("tzyx")), str(path), labels=labels, **options)
"""


@pytest.fixture
def added(tmp_path: Path, monkeypatch) -> Iterator[Callable[[ModuleType, str, str], None]]:
    """Add a file to a folder of formats."""
    names: list[str] = []

    def add(package: ModuleType, name: str, text: str) -> None:
        folder = tmp_path / package.__name__
        folder.mkdir()
        (folder / f"{name}.py").write_text(text)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
        names.append(f"{package.__name__}.{name}")
        registry.modules.cache_clear()

    yield add
    for name in names:
        sys.modules.pop(name, None)
    monkeypatch.undo()
    registry.modules.cache_clear()


def test_one_file_is_a_format_of_recordings(tmp_path: Path, added) -> None:
    (tmp_path / "worm.json").write_text('{"names": ["AVAL", "AVAR"], "traces": [[1, 2, 4], [0, 1, 0]]}')
    with pytest.raises(FormatError, match="JSON file, which has no agreed layout"):
        identify(tmp_path / "worm.json")
    added(formats, "added_in_a_test", JSON_TRACES)
    assert [f.key for f in registry.all_formats()][5:8] == ["npz", "json", "mat"]
    ((_, keywords, kind),) = layer_data.read_layers(tmp_path / "worm.json")
    assert kind == "points" and keywords["name"] == "worm"
    written = write_recording(read_recording(tmp_path / "worm.json"), tmp_path / "again.json")
    assert read_recording(written).traces.values.tolist() == [[1, 0], [2, 1], [4, 0]]
    assert "*.json" in layer_data.patterns() and ".json" in registry.endings()


def test_one_file_is_a_reader_of_volumes(tmp_path: Path, added) -> None:
    voxels = np.arange(120, dtype="u2").reshape(2, 3, 4, 5)
    (tmp_path / "worm.raw").write_bytes(b"RAW1" + voxels.tobytes())
    with pytest.raises(FormatError, match="no reader knows this file"):
        identify(tmp_path / "worm.raw")
    added(volumes, "raw_voxels", VOXELS)
    ((data, _, kind),) = layer_data.read_layers(tmp_path / "worm.raw", voxel_size_um=(1, 1, 1), frame_rate_hz=2)
    assert kind == "image"
    np.testing.assert_array_equal(np.asarray(data), voxels)


@pytest.mark.parametrize("worms", [1, 2, 3])
def test_of_several_worms_one_must_be_chosen(tmp_path, worms: int) -> None:
    rows = [f"{w},{t / 2},AVAL,{t + 10 * w}" for w in range(worms) for t in range(4)]
    (tmp_path / "w.csv").write_text("worm,time_s,neuron,value\n" + "\n".join(rows) + "\n")
    last = read_recording(tmp_path / "w.csv", worm=str(worms - 1))
    assert last.traces.values[:, 0].tolist() == [10 * (worms - 1) + t for t in range(4)]
    if worms == 1:
        assert read_recording(tmp_path / "w.csv").n_times == 4
        return
    with pytest.raises(
        InputError, match=rf"the file holds {worms} worms\. Pass worm= one of: {', '.join(map(str, range(worms)))}\."
    ):
        read_recording(tmp_path / "w.csv")
