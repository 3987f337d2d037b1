"""Segmentation: labels corrected where they are seen, and compared with a reference, the errors coloured where they are."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

from qtpy.compat import isalive
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFileDialog, QGridLayout, QVBoxLayout, QWidget

from ...comparison.segmentation import LabelComparison, LabelSettings
from ...model.errors import DynamicConnectomeError, InputError
from ..qt.controls import Choice, Fold, button, label, part_of, row, run_key
from ..qt.forms import SettingsForm
from ..qt.notify import show_info
from ..qt.theme import swatch
from ..viewer.label_errors import COLOURS, ERRORS, MEANS, MISSED, ErrorLayers, fly_to_voxel
from ..views.label_tables import ExtraTable, NeuronQuality, ScoreCurve, TrackTable
from .base import Dock
from .proofread_panel import ProofreadPanel

ORDER = 20
FIELDS = ("match", "share")


class SegmentationDock(Dock):
    """Quality of a segmentation."""

    title = "Segmentation"
    shows_results = True
    only_traces = True

    def build(self, layout: QVBoxLayout) -> None:
        self.proofread = ProofreadPanel(self.work)
        layout.addWidget(Fold("Proofread", self.proofread, is_open=True))
        layout.addWidget(label("Compare with a reference", "head"))
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(4)
        self.tested = _box(
            "Labels to judge: a volume, or a series of them (time, z, y, x). Default: the first labels layer.", "labels"
        )
        self.reference = _box(
            "Labels that are held to be right, of the same image. Default: the second labels layer.", "reference"
        )
        for place, (text, box) in enumerate((("Labels", self.tested), ("Reference", self.reference))):
            grid.addWidget(label(text), place, 0)
            grid.addWidget(box, place, 1)
            box.activated.connect(lambda *_: self._chosen())
        grid.setColumnMinimumWidth(0, 76)
        grid.setColumnStretch(1, 1)
        layout.addLayout(grid)
        self.run_button = button(
            "Compare", self.compare, "Compare the labels with the reference, frame by frame (Ctrl+Enter).", main=True
        )
        run_key(self, self.run_button)
        self.state = label("", "secondary")
        layout.addLayout(row(self.run_button, self.state))
        self.form = SettingsForm(LabelSettings, fields=FIELDS)
        self.restore(self.form, "labels")
        self.fold = Fold("Settings", self.form, summary=self.form.summary())
        self.form.edited.connect(self._edited)
        layout.addWidget(self.fold)
        self._build_results(layout)
        self.found: LabelComparison | None = None
        self.layers: tuple[Any, Any] | None = None
        """The compared layers, weakly held: labels and reference."""
        self.errors = ErrorLayers(self.viewer)
        self._follow_viewer()

    def _build_results(self, layout: QVBoxLayout) -> None:
        """What is shown of a comparison, and what there is before one."""
        self.empty = label(
            "Open two Labels layers of the same image: yours, and one that was corrected by hand or made in another way.",
            "empty",
        )
        layout.addWidget(self.empty, 1)
        self.body, inner = part_of(layout)
        self.answer = label("", "", wrap=True)
        inner.addWidget(self.answer)
        self.curve = ScoreCurve()
        inner.addWidget(self.curve)
        self.colour_button = button(
            "Colour errors",
            self._colour,
            "Splits, merges, labels too many and missed neurons in colours of their own, in two layers above the others. "
            "Default: yes.",
            checkable=True,
        )
        self.colour_button.setChecked(True)
        self.save_button = button("Save tables…", self._ask_folder, "Scores, neurons, errors and tracks as CSV tables.")
        inner.addLayout(row(self.colour_button, None, self.save_button))
        inner.addWidget(self._build_key())
        self.table, self.tracks, self.extra = NeuronQuality(), TrackTable(), ExtraTable()
        inner.addWidget(self.table, 1)
        self.folds = {
            "tracks": Fold("Tracks", self.tracks),
            "extra": Fold("Labels without a neuron", self.extra),
        }
        for fold in self.folds.values():
            inner.addWidget(fold)
        for table, go in ((self.table, self._to_neuron), (self.tracks, self._to_switch), (self.extra, self._to_extra)):
            table.selectionModel().selectionChanged.connect(lambda *_, table=table, go=go: _go(table, go))

    def _build_key(self) -> QWidget:
        """Colours of the errors, with their number in the shown frame."""
        self.key = QWidget()
        keys = QGridLayout(self.key)
        keys.setContentsMargins(0, 0, 0, 0)
        keys.setHorizontalSpacing(6)
        keys.setVerticalSpacing(1)
        self.key_icons, self.key_texts = {}, {}
        for place, kind in enumerate(("split", "merge", "missed", "extra")):
            icon, text = label(""), label("", "secondary")
            icon.setFixedWidth(16)
            text.setToolTip(f"{kind}: {MEANS[kind]}; number in the shown frame.")
            keys.addWidget(icon, place // 2, 2 * (place % 2))
            keys.addWidget(text, place // 2, 2 * (place % 2) + 1)
            self.key_icons[kind], self.key_texts[kind] = icon, text
        for column in (0, 2):
            keys.setColumnMinimumWidth(column, 16)
            keys.setColumnStretch(column + 1, 1)
        return self.key

    # --- following the viewer ---------------------------------------------------------------------------------------

    def _follow_viewer(self) -> None:
        me = weakref.ref(self)

        def follow(event: Any = None) -> None:
            found = me()
            if found is not None and isalive(found):
                found.mark("layers")

        def step(event: Any = None) -> None:
            found = me()
            if found is not None and isalive(found) and found.errors.shown:
                found.errors.show_frame()
                found.mark("time")

        events = [getattr(self.viewer.layers.events, name) for name in ("inserted", "removed", "reordered")]
        for event in events:
            event.connect(follow)
        current = self.viewer.dims.events.current_step
        current.connect(step)

        def gone() -> None:
            for event in events:
                event.disconnect(follow)
            current.disconnect(step)

        self.destroyed.connect(gone)

    def _fill(self) -> None:
        """List the Labels layers; what is chosen stays chosen."""
        from napari.layers import Labels

        names = [x.name for x in self.viewer.layers if isinstance(x, Labels) and x.name not in (ERRORS, MISSED)]
        for place, box in enumerate((self.tested, self.reference)):
            old = box.currentText()
            if [box.itemText(i) for i in range(box.count())] != names:
                box.clear()
                box.addItems(names)
                other = names[place] if place < len(names) else ""
                box.setCurrentText(old if old in names else other)
                if not (old in names or other):
                    box.setCurrentIndex(-1)

    def _layer(self, box: QComboBox) -> Any | None:
        name = box.currentText()
        return next((x for x in self.viewer.layers if x.name == name), None)

    # --- showing ----------------------------------------------------------------------------------------------------

    def refresh(self, topics: set[str]) -> None:
        self._fill()
        self.proofread.show_state()
        one, two = self._layer(self.tested), self._layer(self.reference)
        ready = one is not None and two is not None and one is not two
        self.run_button.setEnabled(ready and self.bar.job is None)
        self.empty.setVisible(self.found is None and not ready)
        self.body.setVisible(self.found is not None)
        if one is not None and one is two:
            self.state.setText("choose two layers")
        elif self.found is None:
            self.state.setText("")
        if self.found is not None:
            if "theme" in topics:
                self._show(self.found)
                self._paint_errors()
            self._show_key()

    def _show(self, found: LabelComparison) -> None:
        c = self.colours
        self.answer.setText(found.sentence())
        self.curve.show_scores(found, c)
        for table in (self.table, self.tracks, self.extra):
            table.set_colours(c)
        self.table.rows_model.set_rows(found.objects.to_dict("records"))
        tracks = found.tracks
        if len(tracks):
            tracks = tracks[(tracks["switches"] > 0) | (tracks["gaps"] > 0)]
        self.tracks.rows_model.set_rows(tracks.to_dict("records"))
        self.folds["tracks"].setVisible(int(found.summary["n_frames"]) > 1)
        self.folds["tracks"].summary.setText(
            f"{int(found.summary['identity_switches'])} identity switches, {int(found.summary['gaps'])} gaps"
        )
        lone = found.errors.loc[found.errors["kind"] == "extra", "label"]  # parts of splits and merges have a neuron
        extra = found.extra[found.extra["label"].isin(lone)]
        self.extra.rows_model.set_rows(extra.to_dict("records"))
        self.folds["extra"].summary.setText(str(len(extra)))

    def _show_key(self) -> None:
        counts = self.errors.counts() if self.errors.shown else {}
        self.key.setVisible(bool(counts))
        for kind, text in self.key_texts.items():
            self.key_icons[kind].setPixmap(swatch(COLOURS[kind][self.colours.dark], self.colours.dark).pixmap(11, 11))
            text.setText(f"{kind} {counts.get(kind, 0)}")

    def _paint_errors(self) -> None:
        """Show or hide the coloured layers, as the button says."""
        held = [ref() for ref in self.layers or ()]
        there = len(held) == 2 and all(x is not None and x in self.viewer.layers for x in held)
        if self.found is None or not self.colour_button.isChecked() or not there:
            self.errors.hide()
            return
        tested, reference = held
        self.errors.show(tested, reference, self.found.errors, self.colours.dark)

    # --- actions ----------------------------------------------------------------------------------------------------

    def _chosen(self) -> None:
        self.mark("layers")

    def _edited(self) -> None:
        self.fold.summary.setText(self.form.summary())
        try:
            value = self.form.value()
        except InputError:
            return
        self.remember(
            "labels", {k: getattr(value, k) for k in FIELDS if getattr(value, k) != getattr(LabelSettings(), k)}
        )

    def _colour(self) -> None:
        self._paint_errors()
        self._show_key()

    def names(self, reference: Any) -> dict[int, str]:
        """Names of the reference's objects, where its layer belongs to a recording or brings names."""
        for worm, layer in self.work.scene.labels.items():
            recording = self.session.recordings.get(worm)
            if layer is reference and recording is not None:
                table = recording.neurons
                cells = zip(table["label"], table["name"].astype(str), strict=True)
                return {int(number): name for number, name in cells if name}
        held = reference.metadata.get("dynamic_connectome", {}).get("names", {})
        return {int(k): str(v) for k, v in held.items()} if isinstance(held, dict) else {}

    def compare(self) -> Any | None:
        """Compare the chosen layers in the background."""
        one, two = self._layer(self.tested), self._layer(self.reference)
        if one is None or two is None or one is two or self.bar.job is not None:
            return None
        try:
            settings = self.form.value()
        except InputError as error:
            self.failed("Compare labels", error)
            return None
        first, second = (x.data[0] if x.multiscale else x.data for x in (one, two))
        names = self.names(two)

        def run(progress: Any, cancel: Any) -> Any:
            from ...comparison.segmentation import compare_labels

            return compare_labels(first, second, settings, names=names, progress=progress, cancel=cancel)

        def done(found: LabelComparison) -> None:
            self.found, self.layers = found, (weakref.ref(one), weakref.ref(two))
            self.state.setText(f"{one.name} beside {two.name}")
            self._show(found)
            self._paint_errors()
            self.mark("layers")

        job = self.work.jobs.start("Compare labels", run, done, layers=(one, two))
        self.bar.watch(job)
        self.run_button.setEnabled(False)
        job.ended.connect(lambda: self.mark("jobs"))
        return job

    def _fly(self, which: int, frame: int, place: tuple[float, float, float], ids: tuple[int, int]) -> None:
        """Go to a place of the compared labels and choose what is there: label and reference object, -1 for none."""
        held = [ref() for ref in self.layers or ()]
        if len(held) != 2 or held[which] is None or held[which] not in self.viewer.layers:
            show_info("The compared layers were closed.")
            return
        fly_to_voxel(self.viewer, held[which], frame, place)
        for layer, number in zip(held, ids, strict=True):
            if layer is None or number < 0:
                continue
            layer.selected_label = number
            if self.work.scene.labels.get(self.session.current or "") is layer:
                neuron = self.work.scene.neuron_of_label(number)
                if neuron is not None:
                    self.session.select(neurons=(neuron,))

    def _to_neuron(self, r: dict[str, Any]) -> None:
        self._fly(1, r["worst_frame"], (r["z"], r["y"], r["x"]), (int(r["label"]), int(r["reference"])))

    def _to_switch(self, r: dict[str, Any]) -> None:
        if r["first_switch"] >= 0:
            self._fly(1, r["first_switch"], (r["z"], r["y"], r["x"]), (-1, int(r["reference"])))

    def _to_extra(self, r: dict[str, Any]) -> None:
        self._fly(0, r["first_frame"], (r["z"], r["y"], r["x"]), (int(r["label"]), -1))

    def _ask_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder for the tables")
        if folder:
            self.save(Path(folder))

    def save(self, folder: Path) -> None:
        """Write the tables."""
        from ...report.label_tables import write_label_tables

        if self.found is None:
            return
        try:
            paths = write_label_tables(self.found, folder)
        except (DynamicConnectomeError, OSError) as error:
            self.failed("Save tables", error)
            return
        show_info(f"{len(paths)} tables in {folder}")


def _go(table: Any, go: Any) -> None:
    rows = table.chosen()
    if rows and not table.quiet:
        go(rows[0])


def _box(tip: str, name: str) -> QComboBox:
    box = Choice()
    box.setToolTip(tip)
    box.setAccessibleName(name)
    box.setPlaceholderText("no labels layer open")
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(6)
    box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return box
