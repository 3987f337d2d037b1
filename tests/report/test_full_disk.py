"""Every export on a full disk: one message, what was there before stays, nothing half-written; never the end of the program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource")

EXPORT = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from session_sample import make_session
from napari_dynamic_connectome import save_session, write_recording
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.report.graphml import write_graphml
from napari_dynamic_connectome.report.html import write_figures, write_report
from napari_dynamic_connectome.report.tables import write_tables

session, path, kind = make_session(), Path(sys.argv[2]), sys.argv[3]
session.sweep = None
write = {
    "recording": lambda: write_recording(session.recordings["worm 1"], path),
    "session": lambda: save_session(session, path, overwrite=True),
    "graph": lambda: write_graphml(path, session.components, 1),
    "figures": lambda: write_figures(session, path),
    "tables": lambda: write_tables(session, path),
    "report": lambda: write_report(session, path),
}[kind]
write()
before = {p: p.read_bytes() for p in path.parent.rglob("*") if p.is_file()}
# no file can be longer from here on, as on a disk that is full
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]),) * 2)
try:
    write()
except InputError as error:
    print("refused:", error)
after = {p: p.read_bytes() for p in path.parent.rglob("*") if p.is_file()}
print("same" if before == after else f"differs: {sorted(str(p) for p in before.keys() ^ after.keys())}")
"""


@pytest.mark.parametrize("room", [0, 700])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.npz", "recording"),
        ("a.csv", "recording"),
        ("a.parquet", "recording"),
        ("a.nwb", "recording"),
        ("s.zarr", "session"),
        ("s.zip", "session"),
        ("g.graphml", "graph"),
        ("figures", "figures"),
        ("tables", "tables"),
        ("report.html", "report"),
    ],
)
def test_an_export_on_a_full_disk(tmp_path: Path, name: str, kind: str, room: int) -> None:
    if name == "a.nwb":
        pytest.importorskip("pynwb")
    sample = Path(__file__).parents[1] / "session"
    command = [sys.executable, "-c", EXPORT, str(sample), str(tmp_path / "out" / name), kind, str(room)]
    (tmp_path / "out").mkdir()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    said = done.stdout.splitlines()
    assert said[-1] == "same", done.stdout
    assert said[0].startswith("refused: ") and "What was there before is unchanged" in said[0]
