"""Cohort: which worms take part, which neurons they have, and the analysis of all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QFileDialog, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from ...affinity.settings import AffinitySettings
from ...communities.settings import CommunitySettings
from ...display.highlights import selected_worms
from ...display.scene import shown_styles
from ...display.short_names import short_names
from ...factorization.settings import FactorizationSettings
from ...io.formats.parquet import is_collection
from ...model.cohort import Cohort, CohortSettings
from ...model.errors import InputError
from ...pipeline.chance_settings import ChanceSettings
from ...pipeline.settings import PipelineSettings, RankSettings
from ..qt import plots
from ..qt.controls import Fold, button, label, row, run_key
from ..qt.forms import SettingsForm
from ..qt.theme import swatch
from ..views.worm_list import BETWEEN, NAME_GAP, WormDelegate
from ..workspace.analysis import start_analysis, start_sample
from .base import Dock
from .collection_panel import CollectionPanel

FORMS: tuple[tuple[str, str, type[Any]], ...] = (
    ("cohort", "Worms and neurons", CohortSettings),
    ("affinity", "Affinity", AffinitySettings),
    ("rank", "Rank", RankSettings),
    ("factorization", "Factorization", FactorizationSettings),
    ("communities", "Communities", CommunitySettings),
    ("chance", "Chance", ChanceSettings),
)

ORDER = 50
PLAIN = Qt.ItemDataRole.UserRole + 1
"""Name, rest of the text and tooltip of a worm in the list, without marks."""
NAME_LETTERS = 12
LIST_ROWS = 6
"""Worms that the list shows at least, where there are so many."""


class CohortDock(Dock):
    """Collect worms and run the analysis."""

    title = "Cohort"
    shows_results = True
    edits = True
    follows = ("Sample cohort", "Analyze", "Redo")

    def build(self, layout: QVBoxLayout) -> None:
        self.add_sample = button("Add sample cohort", self.load_sample, "Eight simulated worms with known communities.")
        self.add_files = button("Load files…", self.load_files, "Recordings: npz, mat, NWB, CSV, Parquet.")
        self.add_folder = button("Folder…", self.load_folder, "A saved session or a recording that is a folder.")
        layout.addLayout(row(self.add_sample, self.add_files, self.add_folder, None))
        self.collection = CollectionPanel(self.work)
        self.collection_fold = Fold("Homogenized worms", self.collection, summary="browse before loading")
        self.collection.changed = self._collection_changed
        layout.addWidget(self.collection_fold)
        self.empty = label(
            "No worms yet. Press “Add sample cohort”, load your own recordings, or extract one in the Recording dock.",
            "empty",
        )
        layout.addWidget(self.empty, 1)
        self.body = QWidget()
        inner = QVBoxLayout(self.body)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(6)
        layout.addWidget(self.body, 1)
        self.summary = label("", "secondary")
        inner.addLayout(row(label("Worms", "head"), self.summary))
        self.list = QListWidget()
        self.list.setToolTip(
            "Worms that take part. Double click or Enter shows one in the viewer; Space switches the tick. Default: all."
        )
        self.list.setAccessibleName("worms")
        self.list.setMinimumHeight(70)
        self.list.setMaximumHeight(150)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setItemDelegate(WormDelegate(self.list))
        self.list.itemActivated.connect(lambda item: self.show_worm(item.data(Qt.ItemDataRole.UserRole)))
        self.list.itemChanged.connect(lambda *_: self._changed())
        inner.addWidget(self.list)
        self.all_button = button("All", lambda: self._tick(True), "Tick all worms.")
        self.none_button = button("None", lambda: self._tick(False), "Untick all worms.")
        self.show_button = button("Show", self._show_chosen, "Show the chosen worm in the viewer (Enter).")
        self.close_button = button(
            "Close worm",
            self._close_chosen,
            "Take the chosen worm out of the session; its file stays. Names not saved are lost.",
        )
        for one in (self.all_button, self.none_button, self.show_button, self.close_button):
            one.setObjectName("tight")
        inner.addLayout(row(self.all_button, self.none_button, None, self.show_button, self.close_button, spacing=4))
        self.presence_text = label("", "secondary")
        inner.addLayout(row(label("Neurons by worm", "head"), self.presence_text))
        self.plot = plots.plot_widget()
        self.plot.setMinimumHeight(80)
        self.plot.setToolTip(
            "Worms in rows, neurons in columns, most often seen first. Bright: present, in colour: the worm in the viewer. Missing "
            "is never filled in. Double click shows a worm and chooses the neuron; the wheel zooms."
        )
        self.image = pg.ImageItem()
        self.plot.addItem(self.image)
        self.plot.setMouseEnabled(True, False)
        self.plot.getPlotItem().invertY(True)
        self._worm_names = plots.RowNames(self.plot.getPlotItem())
        self.plot.scene().sigMouseMoved.connect(self._hover)
        self.plot.scene().sigMouseClicked.connect(self._clicked)
        inner.addWidget(self.plot, 1)
        self.forms: dict[str, SettingsForm] = {}
        self.folds: dict[str, Fold] = {}
        for key, title, model in FORMS:
            form = SettingsForm(model)
            self.restore(form, key)
            fold = Fold(title, form, summary=form.summary(), is_open=key == "cohort")
            form.edited.connect(lambda key=key: self._edited(key))
            self.forms[key], self.folds[key] = form, fold
            inner.addWidget(fold)
        if self.work.view.affinity is None:
            self.work.view.set(affinity=self.forms["affinity"].value())
        else:
            self._take_affinity()
        self.run_button = button(
            "Analyze",
            self.analyze,
            "Affinities, components and communities of the ticked worms (Ctrl+Enter).",
            main=True,
        )
        run_key(self, self.run_button)
        self.model_text = label("", "secondary")
        self.run_row = QWidget()
        self.run_row.setLayout(row(self.model_text, self.run_button))
        self.foot.addWidget(self.run_row)
        self._presence: Any = None

    # --- showing ----------------------------------------------------------------------------------------------------

    def refresh(self, topics: set[str]) -> None:
        recordings = self.session.recordings
        if "theme" in topics:
            self.collection.table.set_colours(self.colours)
        self.empty.setVisible(not recordings)
        self.body.setVisible(bool(recordings))
        self.run_row.setVisible(bool(recordings))
        self.run_button.setEnabled(bool(recordings) and not self.is_running("Analyze", "Redo"))
        if "view" in topics:
            self._take_affinity()
        if topics & {"recordings", "current", "neurons", "theme", "cohort"} and recordings:
            self._show_list()
            self._show_presence()
        if topics & {"recordings", "current", "neurons", "theme", "cohort", "selection", "components", "communities"}:
            self._mark_worms()
        components = self.session.components
        if components is not None:
            reason = str(self.session.provenance.get("model_reason", ""))
            self.model_text.setText(f"{components.model}: {reason}" if reason else components.model)
            self.model_text.setToolTip(reason)

    def _mark_worms(self) -> None:
        """Put the colour of the chosen community before the worms that have half of its members, and the count behind all."""
        highlights = {h.worm: h for h in selected_worms(self.session)}
        chosen = self.session.selection.community
        style = None if chosen is None else shown_styles(self.session, self.colours.dark).get(chosen)
        self.list.blockSignals(True)
        for place in range(self.list.count()):
            item = self.list.item(place)
            name, text, tip = item.data(PLAIN)
            highlight = highlights.get(item.data(Qt.ItemDataRole.UserRole))
            item.setIcon(
                swatch(style.color, self.colours.dark)
                if highlight is not None and highlight.takes_part and style
                else QIcon()
            )
            if highlight is not None:
                text = f"{highlight.present} of {highlight.members} members{BETWEEN}{text}"
                tip += (
                    f"\nChosen community: {highlight.present} of {highlight.members} members are named in this worm; the component is "
                    f"{highlight.loading:.0%} as strong as in the strongest worm."
                )
            item.setText(f"{name}{NAME_GAP}{text}")
            item.setToolTip(tip)
        self.list.blockSignals(False)

    def _show_list(self) -> None:
        self.list.blockSignals(True)
        chosen = self._chosen_name()
        self.list.clear()
        for name, recording in self.session.recordings.items():
            named = len(recording.named)
            minutes = (recording.time_s[-1] - recording.time_s[0]) / 60
            text = f"{named} of {recording.n_neurons}{BETWEEN}{minutes:.1f} min{BETWEEN}{recording.rate_hz:.3g} Hz"
            tip = (
                f"{name}: {named} of {recording.n_neurons} neurons named, {minutes:.1f} min at {recording.rate_hz:.3g} Hz, "
                f"{len(recording.stimuli)} stimuli. Double click shows it."
            )
            item = QListWidgetItem(f"{name}{NAME_GAP}{text}")
            item.setToolTip(tip)
            item.setData(Qt.ItemDataRole.UserRole, name)
            item.setData(PLAIN, (name, text, tip))
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Unchecked if name in self.session.left_out else Qt.CheckState.Checked)
            if name == self.session.current:
                font = item.font()
                font.setBold(True)
                item.setFont(font)
            self.list.addItem(item)
            if name == (chosen or self.session.current):
                self.list.setCurrentItem(item)
        rows = min(self.list.count(), LIST_ROWS)
        self.list.setMinimumHeight(max(rows * self.list.sizeHintForRow(0) + 2 * self.list.frameWidth(), 70))
        self.list.blockSignals(False)

    def _changed(self) -> None:
        items = [self.list.item(i) for i in range(self.list.count())]
        out = {i.data(Qt.ItemDataRole.UserRole) for i in items if i.checkState() != Qt.CheckState.Checked}
        try:
            for name in out ^ self.session.left_out:
                self.session.leave_out(name, name in out)
        except InputError as error:
            self.failed("Leave a worm out", error)
            self.mark("neurons")

    def _tick(self, on: bool) -> None:
        self.list.blockSignals(True)
        for i in range(self.list.count()):
            self.list.item(i).setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
        self.list.blockSignals(False)
        self._changed()

    def show_worm(self, name: str) -> None:
        """Show a worm in the viewer; all docks follow."""
        if name in self.session.recordings:
            self.session.set_current(name)

    def _chosen_name(self) -> str | None:
        item = self.list.currentItem()
        return None if item is None else str(item.data(Qt.ItemDataRole.UserRole))

    def _show_chosen(self) -> None:
        name = self._chosen_name()
        if name is not None:
            self.show_worm(name)

    def _close_chosen(self) -> None:
        name = self._chosen_name()
        if name is not None:
            self.work.raw.pop(name, None)
            self.session.remove(name, made=f"close {name}")

    def chosen(self) -> list[Any]:
        """Recordings that take part."""
        return [r for n, r in self.session.recordings.items() if n not in self.session.left_out]

    def cohort(self) -> Cohort:
        """Cohort of the ticked worms with the present settings."""
        recordings = self.chosen()
        if not recordings:
            raise InputError("no worm is ticked", where="cohort", fix="Tick at least one.")
        return Cohort(recordings, self.forms["cohort"].value())

    def _show_presence(self) -> None:
        c = self.colours
        self.plot.setBackground(c.well)
        plots.paint_axes(self.plot.getPlotItem(), c)
        try:
            cohort = self.cohort()
        except InputError as error:
            self.summary.setText(f"{len(self.chosen())} of {len(self.session.recordings)}")
            self.presence_text.setText(str(error))
            self.image.clear()
            self._presence = None
            return
        seen = cohort.coverage().to_numpy()
        order = np.lexsort((np.arange(len(seen)), -seen))
        presence = cohort.presence.values[:, order]
        self._presence = (presence, [cohort.neurons[i] for i in order], cohort.worms)
        ramp, bright = c.ramp(), c.ramp(c.accent)
        image = np.where(presence[..., None], ramp[190], ramp[0]).astype(np.uint8)
        if self.session.current in cohort.worms:
            place = cohort.worms.index(self.session.current)
            image[place] = np.where(presence[place, :, None], bright[230], bright[30])
        self.image.setImage(image)
        self.image.setRect(QRectF(0, 0, presence.shape[1], presence.shape[0]))
        view = self.plot.getViewBox()
        view.setLimits(xMin=0, xMax=presence.shape[1], yMin=0, yMax=presence.shape[0])
        self.plot.setXRange(0, presence.shape[1], padding=0)
        self.plot.setYRange(0, presence.shape[0], padding=0)
        self._worm_names.show([(i + 0.5, w) for i, w in enumerate(short_names(cohort.worms, NAME_LETTERS))])
        self.plot.getAxis("bottom").setTicks([[]])
        self.plot.getAxis("bottom").setHeight(6)
        common = cohort.common_stimuli
        self.summary.setText(
            f"{len(cohort.worms)} of {len(self.session.recordings)}  ·  "
            + (f"all have {', '.join(common)}" if common else "no stimuli in common: every worm keeps its own clock")
        )
        everywhere = int((seen == len(cohort.worms)).sum())
        self._presence_line = f"{len(cohort.neurons)} neurons, {everywhere} in every worm"
        self.presence_text.setToolTip("\n".join(cohort.notes))
        if cohort.notes:
            self._presence_line += f" (not {cohort.settings.min_worms} worms: there are {cohort.least_worms})"
        self.presence_text.setText(self._presence_line)

    def _hover(self, position: Any) -> None:
        if self._presence is None:
            return
        point = self.plot.getViewBox().mapSceneToView(position)
        presence, neurons, worms = self._presence
        x, y = int(np.floor(point.x())), int(np.floor(point.y()))
        if 0 <= x < len(neurons) and 0 <= y < len(worms):
            state = "present" if presence[y, x] else "missing"
            self.presence_text.setText(f"{neurons[x]} in {worms[y]}: {state} ({int(presence[:, x].sum())} worms)")
        else:
            self.presence_text.setText(self._presence_line)

    def _clicked(self, event: Any) -> None:
        """Double click: show the worm of that row and choose the neuron of that column."""
        if self._presence is None or not event.double():
            return
        point = self.plot.getViewBox().mapSceneToView(event.scenePos())
        presence, neurons, worms = self._presence
        x, y = int(np.floor(point.x())), int(np.floor(point.y()))
        if 0 <= x < len(neurons) and 0 <= y < len(worms):
            self.show_worm(worms[y])
            recording = self.session.recording
            if presence[y, x] and recording is not None:
                partners = {neurons[x], f"{neurons[x]}L", f"{neurons[x]}R"}  # left and right may be merged
                found = [str(n) for n in recording.neurons.index if n in partners]
                if found:
                    self.session.select(neurons=tuple(found))

    # --- actions ----------------------------------------------------------------------------------------------------

    def _take_affinity(self) -> None:
        """Take the affinity settings that were tried out in the Components dock's preview."""
        wanted, form = self.work.view.affinity, self.forms["affinity"]
        try:
            same = wanted is None or wanted == form.value()
        except InputError:
            return  # something half typed stands in the form
        if not same:
            form.set_value(wanted)
            self._edited("affinity")

    def _edited(self, key: str) -> None:
        form = self.forms[key]
        self.folds[key].summary.setText(form.summary())
        try:
            value = form.value()
        except InputError:
            return
        default = form.model()
        self.work.up_to_date.want(key, value.model_dump(mode="json"))
        self.remember(key, {k: v for k, v in value.model_dump(mode="json").items() if v != getattr(default, k)})
        if key == "cohort":
            self._show_presence()
        if key == "affinity":
            self.work.view.set(affinity=value)

    def load_sample(self) -> Any:
        """Add the sample cohort."""
        job = start_sample(self.work)
        self.bar.watch(job)
        return job

    def load_files(self) -> None:
        """Ask for recordings and add them."""
        paths, _ = QFileDialog.getOpenFileNames(self, "Load recordings")
        if len(paths) == 1 and is_collection(paths[0]):
            self.browse(Path(paths[0]))
        elif paths:
            from ..workspace.open_files import open_paths

            open_paths(self.work, [Path(p) for p in paths])

    def browse(self, path: Path) -> Any | None:
        """List the worms of a homogenized collection, to choose from before anything is loaded."""
        self.collection_fold.head.setChecked(True)
        return self.collection.open(path)

    def _collection_changed(self) -> None:
        panel = self.collection
        self.collection_fold.summary.setText(
            panel.summary.text() if panel.path is not None else "browse before loading"
        )

    def load_folder(self) -> None:
        """Ask for a folder and open it."""
        path = QFileDialog.getExistingDirectory(self, "Load a session or recording")
        if path:
            from ..workspace.open_files import open_paths

            open_paths(self.work, [Path(path)])

    def settings(self) -> PipelineSettings:
        """Settings of all steps, as the forms say."""
        return PipelineSettings(**{key: form.value() for key, form in self.forms.items()})

    def analyze(self) -> Any | None:
        """Run the analysis in the background; results appear as they are made."""
        try:
            settings, cohort = self.settings(), self.cohort()
        except InputError as error:
            self.failed("Analyze", error)
            return None
        job = start_analysis(self.work, cohort, settings)
        self.bar.watch(job)
        self.run_button.setEnabled(False)
        job.ended.connect(lambda: self.mark("jobs"))
        return job
