"""Start card: what can be done in a window in which nothing is open."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from ..qt.controls import button, label
from ..workspace.analysis import try_sample
from ..workspace.open_files import open_paths
from ..workspace.preferences import recent_sessions

if TYPE_CHECKING:
    from ..workspace.workspace import Workspace

MOST = 4


class StartCard(QWidget):
    """Sample, own files, and the sessions that were open last: one click each.

    Parameters
    ----------
    work : Workspace
    """

    def __init__(self, work: Workspace) -> None:
        super().__init__()
        self._work = work
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 8)
        layout.setSpacing(6)
        layout.addWidget(label("Start", "head"))
        self.sample = button(
            "Try the sample",
            lambda: try_sample(work),
            "Eight simulated worms with known communities, analyzed with the present settings; the result is shown in 3D.",
            main=True,
        )
        self.traces = button(
            "Open traces…", self._open_traces, "Recordings: CSV, npz, mat, HDF5, NWB, Parquet; several at once."
        )
        self.volume = button(
            "Open volume and labels…",
            self._open_volume,
            "A volume (TIFF, OME-TIFF, HDF5) and the labels of its neurons: choose both files.",
        )
        self.session = button(
            "Open session or folder…", self._open_folder, "A saved session, a folder of results, an OME-Zarr image."
        )
        for one in (self.sample, self.traces, self.volume, self.session):
            layout.addWidget(one)
        self.recent_head = label("Open again", "head")
        layout.addWidget(self.recent_head)
        self.recent = [button("", partial(self._open_recent, place), "Open a session again.") for place in range(MOST)]
        for one in self.recent:
            one.setObjectName("tight")
            layout.addWidget(one)
        self._paths: list[Path] = []
        self.fill()

    def fill(self) -> None:
        """Show the sessions that were open last and are still there."""
        self._paths = recent_sessions(self._work.remembered)[:MOST]
        self.recent_head.setVisible(bool(self._paths))
        for place, one in enumerate(self.recent):
            one.setVisible(place < len(self._paths))
            if place < len(self._paths):
                path = self._paths[place]
                one.setText(f"{path.parent.name}/{path.name}"[-44:])
                one.setToolTip(f"Open {path}.")

    def _open_recent(self, place: int) -> None:
        open_paths(self._work, [self._paths[place]])

    def _open_traces(self) -> None:
        self._open(QFileDialog.getOpenFileNames(self, "Open recordings")[0])

    def _open_volume(self) -> None:
        self._open(QFileDialog.getOpenFileNames(self, "Open a volume and its labels")[0])

    def _open_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Open a session, results or an OME-Zarr image")
        self._open([path] if path else [])

    def _open(self, paths: list[str]) -> None:
        if paths:
            open_paths(self._work, [Path(p) for p in paths])
