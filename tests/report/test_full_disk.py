"""Every export on a full disk: one message, what was there before stays, nothing half-written; never the end of the program."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource")

EXPORT = """
import json, resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from session_sample import make_session
from napari_dynamic_connectome import save_session, write_recording
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.report.graphml import write_graphml
from napari_dynamic_connectome.report.html import write_figures, write_report
from napari_dynamic_connectome.report.tables import write_tables

session, kind = make_session(), sys.argv[2]
session.sweep = None
write = {
    "recording": lambda path: write_recording(session.recordings["worm 1"], path),
    "session": lambda path: save_session(session, path, overwrite=True),
    "graph": lambda path: write_graphml(path, session.components, 1),
    "figures": lambda path: write_figures(session, path),
    "tables": lambda path: write_tables(session, path),
    "report": lambda path: write_report(session, path),
}[kind]
unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
for path in map(Path, sys.argv[3:]):
    write(path)
    before = {p: p.read_bytes() for p in path.parent.rglob("*") if p.is_file()}
    for room in (0, 700):
        # no file can be longer from here on, as on a disk that is full
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, unlimited[1]))
        said = ["not refused"]
        try:
            write(path)
        except InputError as error:
            said = ["refused: " + " ".join(str(error).split())]
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
        after = {p: p.read_bytes() for p in path.parent.rglob("*") if p.is_file()}
        said.append("same" if before == after else f"differs: {sorted(str(p) for p in before.keys() ^ after.keys())}")
        print(json.dumps([path.name, room, *said]))
"""


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("recording", ("a.npz", "a.csv", "a.parquet")),
        ("recording", ("a.nwb",)),
        ("session", ("s.zarr", "s.zip")),
        ("graph", ("g.graphml",)),
        ("figures", ("figures",)),
        ("tables", ("tables",)),
        ("report", ("report.html",)),
    ],
)
def test_an_export_on_a_full_disk(tmp_path: Path, kind: str, names: tuple[str, ...]) -> None:
    """With no room at all, and with some; one process a kind, which takes longer to start than to write."""
    if "a.nwb" in names:
        pytest.importorskip("pynwb")
    sample = Path(__file__).parents[1] / "session"
    paths = [tmp_path / Path(name).suffix.lstrip(".") / name for name in names]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-c", EXPORT, str(sample), kind, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert [(name, room) for name, room, *_ in said] == [(name, room) for name in names for room in (0, 700)]
    for _, _, message, after in said:
        assert after == "same", done.stdout
        assert message.startswith("refused: ") and "What was there before is unchanged" in message, done.stdout
