"""A homogenized collection of recordings: its worms are listed and filtered before any trace is read; chosen ones are loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from qtpy.QtWidgets import QCheckBox, QComboBox, QFileDialog, QLineEdit, QVBoxLayout, QWidget

from ...model.errors import DynamicConnectomeError, InputError
from ...model.recording import Recording
from ...model.text import counted
from ..qt.controls import JobBar, button, label, row
from ..qt.forms import Number
from ..qt.notify import show_failure, show_info
from ..qt.table_view import Column, Table
from ..workspace.recording_names import unique

FILES = "Collections (*.parquet *.pq);;All files (*)"
EVERY = "all sources"


class WormTable(Table):
    """One row a worm of the collection."""

    def __init__(self) -> None:
        super().__init__(
            [
                Column("source", lambda r: str(r["source_dataset"]), 0),
                Column("worm", lambda r: str(r["worm"]), 66),
                Column("named", lambda r: str(r["named"]), 48, right=True, tip="Neurons with a name."),
                Column("neurons", lambda r: str(r["neurons"]), 56, right=True),
                Column("length", lambda r: _minutes(r["duration_s"]), 56, right=True, tip="Minutes and seconds."),
            ],
            multi=True,
        )
        self.setMinimumHeight(150)
        self.setAccessibleName("worms of the collection")
        self.setToolTip("Choose worms with a click, a drag, Shift or Control; none chosen means all that are listed.")


class CollectionPanel(QWidget):
    """Lists, filters and loads.

    Parameters
    ----------
    work : Workspace
    """

    def __init__(self, work: Any) -> None:
        super().__init__()
        self.work = work
        self.path: Path | None = None
        self.listed = pd.DataFrame()
        self.changed: Callable[[], None] = lambda: None
        """Called when something else is listed."""
        self.file_button = button(
            "Open…", self.ask_file, "A Parquet file of the homogenized collection (Simeon et al. 2024)."
        )
        self.folder_button = button("Folder…", self.ask_folder, "A folder with such files.")
        self.summary = label("no collection open", "secondary")
        self.source = QComboBox()
        self.source.setAccessibleName("source")
        self.source.setToolTip("Only worms of this source. Default: all.")
        self.source.setMinimumContentsLength(8)
        self.source.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.source.currentIndexChanged.connect(lambda *_: self.show_fitting())
        self.name = QLineEdit()
        self.name.setPlaceholderText("worm")
        self.name.setAccessibleName("worm")
        self.name.setToolTip("Only worms whose name contains this. Default: all.")
        self.name.textChanged.connect(lambda *_: self.show_fitting())
        self.min_named = _number("named from ", "", "Worms with fewer named neurons are left out. Default: 0.")
        self.min_neurons = _number("neurons from ", "", "Worms with fewer neurons are left out. Default: 0.")
        self.min_minutes = _number(
            "length from ", " min", "Shorter recordings are left out. Default: 0 min.", decimals=1
        )
        for spin in (self.min_named, self.min_neurons, self.min_minutes):
            spin.valueChanged.connect(lambda *_: self.show_fitting())
        self.only_named = QCheckBox("named neurons only")
        self.only_named.setToolTip("Leave out the neurons without a name. Default: no.")
        self.table = WormTable()
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._count())
        self.load_button = button("Load", self.load, "Read the traces of the chosen worms into the session.", main=True)
        self.bar = JobBar()
        self.filters = QWidget()
        inner = QVBoxLayout(self.filters)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(4)
        inner.addLayout(row(self.source, self.name))
        inner.addLayout(row(self.min_named, self.min_neurons))
        inner.addLayout(row(self.min_minutes, self.only_named))
        inner.addWidget(self.table)
        inner.addLayout(row(None, self.load_button))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row(self.file_button, self.folder_button, self.summary))
        layout.addWidget(self.filters)
        layout.addWidget(self.bar)
        self.filters.hide()

    # --- opening ----------------------------------------------------------------------------------------------------

    def ask_file(self) -> None:
        """Ask for a file."""
        path, _ = QFileDialog.getOpenFileName(self, "Homogenized collection", "", FILES)
        if path:
            self.open(Path(path))

    def ask_folder(self) -> None:
        """Ask for a folder."""
        path = QFileDialog.getExistingDirectory(self, "Homogenized collection")
        if path:
            self.open(Path(path))

    def open(self, path: Path) -> Any | None:
        """List the worms of a collection in the background; no trace is read."""
        if self.bar.job is not None:
            return None

        def run(progress: Any, cancel: Any) -> pd.DataFrame:
            from ...io.formats.parquet import is_collection, list_worms

            if not is_collection(path):
                raise InputError(
                    "this is no homogenized collection",
                    where=str(path),
                    fix="Open a Parquet file or folder with source_dataset, worm, neuron and traces as columns.",
                )
            return list_worms(path, lengths=True)

        def done(listed: pd.DataFrame) -> None:
            self.path, self.listed = path, listed
            self.source.blockSignals(True)
            self.source.clear()
            self.source.addItems([EVERY, *map(str, dict.fromkeys(listed["source_dataset"]))])
            self.source.blockSignals(False)
            self.filters.show()
            self.show_fitting()

        job = self.work.jobs.start(f"List {path.name}", run, done)
        self.bar.watch(job)
        return job

    def fitting(self) -> pd.DataFrame:
        """Worms that the filters leave."""
        found = self.listed
        if not len(found):
            return found
        if self.source.currentIndex() > 0:
            found = found[found["source_dataset"].astype(str) == self.source.currentText()]
        text = self.name.text().strip().lower()
        if text:
            found = found[found["worm"].astype(str).str.lower().str.contains(text, regex=False)]
        found = found[(found["named"] >= self.min_named.value()) & (found["neurons"] >= self.min_neurons.value())]
        least = self.min_minutes.value() * 60
        return found[found["duration_s"] >= least] if least > 0 else found

    def show_fitting(self) -> None:
        """List the worms that the filters leave."""
        self.table.clearSelection()
        self.table.rows_model.set_rows(self.fitting().to_dict("records"))
        self._count()
        self.changed()

    def chosen(self) -> list[dict[str, Any]]:
        """Return the chosen worms; all that are listed where none is chosen."""
        return self.table.chosen() or list(self.table.rows_model.rows)

    def _count(self) -> None:
        rows = self.chosen()
        hours = pd.Series([r["duration_s"] for r in rows], dtype=float).sum() / 3600
        total = len(self.listed)
        self.summary.setText(f"{len(self.table.rows_model.rows)} of {total} worms")
        self.load_button.setText(f"Load {counted(len(rows), 'worm')}")
        self.load_button.setToolTip(
            f"Read the traces of these worms into the session: {hours:.1f} h, {sum(r['neurons'] for r in rows):,} traces."
        )
        self.load_button.setEnabled(bool(rows))

    # --- loading ----------------------------------------------------------------------------------------------------

    def load(self) -> Any | None:
        """Read the chosen worms in the background; they come into the session together, or not at all."""
        rows, path = self.chosen(), self.path
        if not rows or path is None or self.bar.job is not None:
            return None
        wanted = [(str(r["source_dataset"]), str(r["worm"])) for r in rows]
        only_named = self.only_named.isChecked()

        def run(progress: Any, cancel: Any) -> list[Recording]:
            from ...io.formats.parquet import iterate_collection

            return list(
                iterate_collection(path, only=wanted, labeled_only=only_named, progress=progress, cancel=cancel)
            )

        def done(found: list[Recording]) -> Iterator[None]:
            session = self.work.session
            for recording in found:
                name = unique(recording.name, session.recordings)
                own = recording.replace(name=name) if name != recording.name else recording
                try:
                    session.add(own, make_current=False, made=f"open {name}", action="open")
                except DynamicConnectomeError as error:
                    show_failure(self.work.viewer, "Load worms", error)
                    return
                yield
            left = len(wanted) - len(found)
            show_info(f"{len(found)} worms of {path.name}." + (f" {left} have no named neuron." if left else ""))

        job = self.work.jobs.start(f"Load {len(wanted)} worms", run, done)
        self.bar.watch(job)
        return job


def _number(prefix: str, suffix: str, tip: str, *, decimals: int = 0) -> Number:
    spin = Number()
    spin.setDecimals(decimals)
    spin.setRange(0, 100_000)
    spin.setPrefix(prefix)
    spin.setSuffix(suffix)
    spin.setToolTip(tip)
    spin.setAccessibleName(prefix.strip())
    spin.setMinimumWidth(60)
    return spin


def _minutes(seconds: float) -> str:
    return "–" if seconds != seconds else f"{int(seconds // 60)}:{int(seconds % 60):02d}"
