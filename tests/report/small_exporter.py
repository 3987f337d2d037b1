"""An exporter in one file, as somebody would add it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from napari_dynamic_connectome.report import exporters

TEXT = """
from napari_dynamic_connectome.report.exporter import Exporter, Option

ORDER = 45
EXPORTER = Exporter(
    title="Write names", flag="names", help="names of the worms", options=(Option("prefix", "TEXT", "before each"),),
    button="Names…", words="names of the worms", tip="A line for each worm.", asks="Folder for the names",
)


def write(session, folder, *, prefix="", progress=None, cancel=None):
    folder.mkdir(exist_ok=True)
    (folder / "worms.txt").write_text("\\n".join(prefix + name for name in session.recordings))
    return [folder / "worms.txt"]
"""


@contextmanager
def add_exporter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the exporter "names" in this block."""
    place = folder / "exporters"
    place.mkdir()
    (place / "names.py").write_text(TEXT)
    with monkeypatch.context() as patch:
        patch.setattr(exporters, "__path__", [*exporters.__path__, str(place)])
        exporters.all_exporters.cache_clear()
        try:
            yield
        finally:
            sys.modules.pop("napari_dynamic_connectome.report.exporters.names", None)
    exporters.all_exporters.cache_clear()
