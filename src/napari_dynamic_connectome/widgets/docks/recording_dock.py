"""Recording: volume and labels (or files), extraction and correction of traces, quality of the neurons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ...extraction.settings import CorrectionSettings, ExtractionSettings, QualitySettings
from ...model.errors import InputError
from ...model.recording import Recording
from ..qt.controls import Choice, Fold, button, label, row, run_key
from ..qt.forms import SettingsForm
from ..qt.notify import show_info
from ..viewer.track_layers import centres_of_tracks
from ..views.before_after import BeforeAfter
from ..views.quality_table import QualityTable, is_measured
from ..views.start_card import StartCard
from ..views.stimulus_table import StimuliTable
from ..workspace.hover import watch_table
from ..workspace.open_files import layer_voxels
from ..workspace.raw_traces import keep_edits, same_source, uncorrected
from ..workspace.recording_names import unique
from .base import Dock
from .extracting import ChosenLayers, Extraction, again_of, extraction_of, recall_of
from .layer_choice import LayerChoice, number

ORDER = 10
TRACES = ("Extract", "Correct", "Measure")
"""Beginnings of the titles of jobs that make traces: one at a time."""


def _product(size: Sequence[float]) -> str:
    return " × ".join(f"{s:.4g}" for s in size)


class RecordingDock(Dock):
    """Layers or files in, a recording with traces out."""

    title = "Recording"
    shows_results = True
    only_traces = True
    edits = True
    follows = ("Open", "Sample", "Analyze", *TRACES)

    def build(self, layout: QVBoxLayout) -> None:
        self.start = StartCard(self.work)
        layout.addWidget(self.start)
        self.worm = Choice()
        self.worm.setToolTip("The recording that is shown; all docks follow it. Default: the one opened last.")
        self.worm.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.worm.setMinimumContentsLength(6)
        self.worm.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.worm.setPlaceholderText("none open")
        self.worm.activated.connect(self._worm_chosen)
        self.open_button = button("Open…", self.open_files, "Open a recording, an image or a session from a file.")
        self.open_folder_button = button(
            "Folder…", self.open_folder, "Open an OME-Zarr image or a session that is a folder."
        )
        self.worm_row = QWidget()
        self.worm_row.setLayout(row(label("Worm", "head"), self.worm, self.open_button, self.open_folder_button))
        layout.addWidget(self.worm_row)

        layout.addWidget(label("Extract traces", "head"))
        self.choice = LayerChoice(self.work)
        self.choice.chosen.connect(self._image_chosen)
        self.choice.corrected.connect(self._size_corrected)
        self.image, self.labels, self.reference = self.choice.image, self.choice.labels, self.choice.reference
        self.colour_boxes, self.voxel = self.choice.colour_boxes, self.choice.voxel
        self.rate, self.name = self.choice.rate, self.choice.name
        self.work.up_to_date.recall = recall_of(self.work)
        self.choice.centres_asked.connect(lambda: self.open_centres())
        layout.addWidget(self.choice)

        self.stimuli = StimuliTable()
        self.stimuli.edited.connect(self._stimuli_edited)
        self.stimuli.loading.connect(self.load_table)
        self.stimuli_fold = Fold("Stimuli", self.stimuli, summary="none")
        layout.addWidget(self.stimuli_fold)
        self._stimuli_of: str | None = None  # the recording whose stimuli the table shows; None: the next extraction's

        self._build_centres(layout)
        self._build_settings(layout)

        self.preview = BeforeAfter()
        layout.addWidget(self.preview)
        self._preview_timer = QTimer(self)
        self._preview_timer.setSingleShot(True)
        self._preview_timer.setInterval(120)
        self._preview_timer.timeout.connect(self._show_preview)
        self._trying = False  # corrections were edited and not applied yet

        self.quality_head = label("Quality", "head")
        self.quality_text = label("", "secondary")
        self.measure_button = button(
            "Measure", self.measure_quality, "Judge the neurons of a worm that came without a quality table."
        )
        self.measure_button.setObjectName("tight")
        layout.addLayout(row(self.quality_head, self.quality_text, self.measure_button))
        self.quality = QualityTable()
        self.quality.selectionModel().selectionChanged.connect(lambda *_: self._quality_chosen())
        watch_table(self.work.hover, self.quality, lambda r: (r["id"], "", tuple(r["tip"].splitlines())))
        layout.addWidget(self.quality, 1)

        self.choice.layers_changed.connect(lambda: self.mark("view"))
        self.choice.watch()

    def _build_centres(self, layout: QVBoxLayout) -> None:
        """Size and unit of tracked centres."""
        self.radius = number(
            "Radius of a neuron of a table of tracked centres, in micrometres. Default: 2 µm.", 0.01, 100, " µm"
        )
        self.radius.setValue(float(self.remembered("radius_um", 2.0)))
        self.centre_unit = QComboBox()
        self.centre_unit.addItem("in voxels", "voxel")
        self.centre_unit.addItem("in µm", "um")
        self.centre_unit.setToolTip("What z, y and x of tracked centres are given in. Default: voxels.")
        self.centre_unit.setCurrentIndex(max(self.centre_unit.findData(self.remembered("centre_unit", "voxel")), 0))
        centres = QWidget()
        centres.setLayout(row(label("Radius"), self.radius, self.centre_unit))
        self.centres_fold = Fold("Tracked centres", centres)
        self.radius.valueChanged.connect(lambda *_: self._centres_edited())
        self.centre_unit.currentIndexChanged.connect(lambda *_: self._centres_edited())
        layout.addWidget(self.centres_fold)
        self._centres_edited()

    def _build_settings(self, layout: QVBoxLayout) -> None:
        """Settings of the extraction, correction and quality, and the buttons that use them."""
        self.extraction = SettingsForm(ExtractionSettings)
        self.correction = SettingsForm(CorrectionSettings)
        self.quality_form = SettingsForm(QualitySettings)
        self.extraction_fold = Fold("Extraction", self.extraction)
        self.correct_check = QCheckBox("correct traces")
        self.correct_check.setToolTip(
            "Bleaching, dF/F0 and so on, as set below. Default: yes. The raw traces are kept."
        )
        self.correct_check.setChecked(bool(self.remembered("correct", True)))
        self.correction_fold = Fold("Correction", self.correction)
        self.quality_fold = Fold("Quality limits", self.quality_form)
        for key, form, fold in (
            ("extraction", self.extraction, self.extraction_fold),
            ("correction", self.correction, self.correction_fold),
            ("quality", self.quality_form, self.quality_fold),
        ):
            self.restore(form, key)
            form.edited.connect(lambda key=key, form=form, fold=fold: self._edited(key, form, fold))
            fold.summary.setText(form.summary())
            layout.addWidget(fold)
        self.extract_button = button(
            "Extract traces", self.extract, "Reduce every labelled neuron to one trace (Ctrl+Enter).", main=True
        )
        run_key(self, self.extract_button)
        self.correct_button = button(
            "Correct all",
            self.correct_again,
            "Apply the corrections above to all neurons of this worm, starting from the raw traces.",
        )
        self.foot.addLayout(row(self.correct_check, None, self.correct_button, self.extract_button))

    # --- showing ----------------------------------------------------------------------------------------------------

    def refresh(self, topics: set[str]) -> None:
        recording = self.session.recording
        if topics & {"recordings", "current"}:
            self.worm.clear()
            self.worm.addItems(list(self.session.recordings))
            if self.session.current is not None:
                self.worm.setCurrentText(self.session.current)
        self.choice.fill()
        has_images = self.image.count() > 0
        nothing = not has_images and recording is None
        self.start.setVisible(nothing)
        if nothing and topics & {"recordings", "view"}:
            self.start.fill()
        busy = self.is_running(*TRACES)
        self.extract_button.setEnabled(has_images and self.labels.count() > 0 and not busy)
        self.correct_button.setEnabled(recording is not None and not busy)
        for widget in (self.preview, self.quality, self.quality_head, self.quality_text):
            widget.setVisible(recording is not None)
        self.measure_button.setVisible(recording is not None and not is_measured(recording))
        if recording is not None and topics & {"recordings", "current", "neurons", "theme"}:
            self._show_quality(recording)
        if recording is not None and topics & {"current", "recordings"}:
            self._trying = False
            self._show_stimuli(recording.stimuli, recording.name)
        if recording is not None and topics & {"recordings", "current", "neurons", "theme", "chosen"}:
            self._show_preview()

    def _show_quality(self, recording: Recording) -> None:
        self.quality.set_colours(self.colours)
        self.quality_text.setText(self.quality.show_recording(recording))
        chosen = self.session.selection.neurons
        self.quality.choose([i for i, r in enumerate(self.quality.rows_model.rows) if r["id"] in chosen], scroll=False)

    def _show_preview(self) -> None:
        recording = self.session.recording
        if recording is None:
            return
        settings = None
        if self._trying:
            try:
                settings = self.correction.value()
            except InputError as error:
                self.preview.text.setText(str(error))
                return
        self.preview.show_neuron(self.work, recording, settings, self.colours)

    def _show_stimuli(self, stimuli: Any, of: str | None) -> None:
        self._stimuli_of = of
        self.stimuli.set_value(stimuli)
        self._summarize_stimuli()

    def _summarize_stimuli(self) -> None:
        names = self.stimuli.value()["name"].tolist()
        text = f"{len(names)}: {', '.join(dict.fromkeys(names))}" if names else "none"
        self.stimuli_fold.summary.setText(text if self._stimuli_of else f"{text} (for the next extraction)")

    def _image_chosen(self) -> None:
        """Show the stimuli that came with the image, unless those of the open worm are shown."""
        layer = self.choice.image_layer
        if layer is None:
            return
        if self.session.recording is None or self.session.recording.name != self.name.text():
            self._show_stimuli(layer.metadata.get("dynamic_connectome", {}).get("stimuli"), None)

    # --- actions ----------------------------------------------------------------------------------------------------

    def _edited(self, key: str, form: SettingsForm, fold: Fold) -> None:
        fold.summary.setText(form.summary())
        try:
            value = form.value()
        except InputError:
            return
        default = form.model()
        self.remember(key, {k: v for k, v in value.model_dump(mode="json").items() if v != getattr(default, k)})
        if key == "correction":
            self._trying = True
            self._preview_timer.start()

    def _size_corrected(self) -> None:
        """Note that the traces of the worm that this image shows are older than its voxel size and rate."""
        image, labels, recording = self.choice.image_layer, self.choice.labels_layer, self.session.recording
        if recording is None or image is None or image not in self.work.scene.images.get(recording.name, ()):
            return
        raw = self.work.raw.get(recording.name, recording.traces)
        size, rate = self.choice.voxel_size_um, self.rate.value()
        then = raw.attrs.get("voxel_size_um")
        notes: dict[str, str | None] = {}
        if then is not None and min(size) > 0:
            told = f"{_product(then)}, now {_product(size)} µm"
            notes["voxel_size"] = None if np.allclose(then, size) else told
        before = 1.0 / float(np.median(np.diff(raw["time"].values))) if raw.sizes["time"] > 1 else rate
        if rate > 0 and image.metadata.get("dynamic_connectome", {}).get("time_s") is None:
            told = f"{before:.4g} Hz, now {rate:.4g} Hz"
            notes["rate"] = None if np.isclose(before, rate, rtol=1e-4) else told
        self.session.touch(recording.name, **notes)
        self.choice.scale_layers(image, *([] if labels is None else [labels]))

    def _stimuli_edited(self) -> None:
        """Give the open worm its new stimuli; without one they wait for the extraction."""
        recording = self.session.recordings.get(self._stimuli_of or "")
        self._summarize_stimuli()
        if recording is not None:
            # It does not announce "recordings": the table that is being edited must not be filled again.
            self.session.amend(recording.replace(stimuli=self.stimuli.value()), "edit stimuli")

    def load_table(self, what: str, path: str | Path | None = None) -> None:
        """Load stimuli or behaviour from a file (asked for if it is not given)."""
        from ...io.formats.side_tables import read_behaviour, read_stimuli

        if path is None:
            path, _ = QFileDialog.getOpenFileName(self, f"Load {what}", filter="Tables (*.csv *.tsv *.txt *.parquet)")
        if not path:
            return
        try:
            if what == "stimuli":
                self.stimuli.set_value(read_stimuli(path))
                self._stimuli_edited()
                return
            recording = self.session.recording
            if recording is None:
                raise InputError("no worm is open", fix="Extract or open one first, then load its behaviour.")
            self.session.add(
                recording.replace(behaviour=read_behaviour(path, recording.time_s)),
                replace=True,
                make_current=False,
                made=f"load behaviour from {Path(path).name}",
            )
        except (InputError, OSError) as error:
            self.failed(f"Load {what}", error)

    def _centres_edited(self) -> None:
        self.remember("radius_um", self.radius.value())
        self.remember("centre_unit", self.centre_unit.currentData())
        self.centres_fold.summary.setText(f"radius {self.radius.value():g} µm, {self.centre_unit.currentText()}")

    def open_centres(self, path: str | Path | None = None, *, tracks: Any = None) -> Any | None:
        """Open tracked centres, a file or a Tracks layer, as a labels layer of the chosen volume; returns the running job."""
        image = self.choice.image_layer
        if image is None or image.ndim < 4:
            show_info("Choose the volume (time, z, y, x) first: a table of centres does not say how large it is.")
            return None
        if path is None and tracks is None:
            path, tracks = self._which_centres()
        if not path and tracks is None:
            return None
        source: Any
        shape = tuple(int(n) for n in layer_voxels(image, self).shape)
        options: dict[str, Any] = {
            "radius_um": self.radius.value(),
            "voxel_size_um": tuple(s.value() for s in self.voxel),
            "frame_rate_hz": self.rate.value() or None,
        }
        if tracks is not None:
            try:
                table = centres_of_tracks(tracks, image)
            except InputError as error:
                self.failed("Open centres", error)
                return None
            source, title = table, f"{tracks.name} centres"
        else:
            source = Path(path or "")
            title = f"{source.stem} centres"
            if not source.is_dir():  # a folder of tracks says its units
                options["units"] = self.centre_unit.currentData()

        def run(progress: Any, cancel: Any) -> Any:
            from ...io.formats.centres import labels_of_table, open_labels
            from ...io.layer_data import labels_layer

            make = open_labels if isinstance(source, Path) else labels_of_table
            return labels_layer(make(source, shape=shape, **options), title)

        def done(layer: Any) -> None:
            data, keywords, _ = layer
            added = self.viewer.add_labels(data, **keywords)
            self.choice.fill()
            self.labels.setCurrentText(added.name)

        job = self.work.jobs.start("Open centres", run, done, layers=(image,))
        self.bar.watch(job)
        return job

    def _which_centres(self) -> tuple[str, Any]:
        """Ask for a file, or for one of the layers of tracks or of centres that were opened, where there are some."""
        from magicgui.widgets import request_values

        opened = {one.name: held for one in self.viewer.layers if (held := _opened_centres(one))}
        layers = [one for one in self.viewer.layers if type(one).__name__ == "Tracks"]
        if layers or opened:
            choices = [*opened, *(one.name for one in layers), "a file…"]
            asked = {"label": "centres from", "annotation": str, "options": {"choices": choices}, "value": choices[0]}
            answer = request_values(source=asked, title="Tracked centres", parent=self)
            if answer is None:
                return "", None
            if answer["source"] in opened:
                self._take_centres(opened[answer["source"]])
                return str(opened[answer["source"]]["centres"]), None
            if answer["source"] in self.viewer.layers:
                return "", self.viewer.layers[answer["source"]]
        path, _ = QFileDialog.getOpenFileName(self, "Tracked centres", filter="Tables (*.csv *.parquet)")
        return path, None

    def _take_centres(self, held: dict[str, Any]) -> None:
        """Take the radius and the unit that were given when the centres were opened."""
        if held.get("radius_um"):
            self.radius.setValue(float(held["radius_um"]))
        place = self.centre_unit.findData(held.get("units"))
        if place < 0 and held.get("units") == "voxel":
            place = self.centre_unit.findData("voxels")
        if place >= 0:
            self.centre_unit.setCurrentIndex(place)

    def extract(self) -> Any | None:
        """Start the extraction; returns the running job."""
        image, labels = self.choice.image_layer, self.choice.labels_layer
        if image is None or labels is None:
            show_info("Choose an image layer and a labels layer first.")
            return None
        try:
            step = self._extraction(image, labels)
        except InputError as error:
            self.failed("Extract traces", error)
            return None
        self.remember("correct", step.correction is not None)

        def done(result: tuple[Recording, Any]) -> None:
            recording, raw = result
            recording = keep_edits(recording, self.session.recordings.get(recording.name))
            self._trying = False
            text = f"extract{' and correct' if step.correction is not None else ''} traces of {recording.name}"
            self.session.add(recording, replace=True, made=text, raw=raw)
            step.forget_blocks()  # now the traces are in the journal
            self.work.scene.attach(recording.name, [image], labels)
            again = again_of(self.work, recording.name, step, (image, labels, self.choice.layer(self.reference)))
            self.work.up_to_date.extractors[recording.name] = again
            show_info(f"{recording.name}: {recording.n_neurons} neurons, {len(recording.named)} named.")

        job = self.work.jobs.start("Extract traces", step.run, done, layers=(image, labels))
        self.bar.watch(job)
        self.extract_button.setEnabled(False)
        job.ended.connect(lambda: self.mark("jobs"))
        return job

    def _extraction(self, image: Any, labels: Any) -> Extraction:
        """What is to be extracted, as the controls say."""
        settings, correction, quality = self.extraction.value(), self.correction.value(), self.quality_form.value()
        about = image.metadata.get("dynamic_connectome", {})
        stimuli = self.stimuli.value()
        if self._stimuli_of and self._stimuli_of != self.name.text().strip():
            stimuli = about.get("stimuli")
        if self.rate.value() <= 0 and not about.get("time_s"):
            raise InputError("the frame rate is not known", where=image.name, fix="Set the rate in volumes per second.")
        self.choice.scale_layers(image, labels)
        colours = {colour: self.choice.layer(box) for colour, box in self.colour_boxes.items()}
        return extraction_of(
            ChosenLayers(image, labels, self.choice.layer(self.reference), colours),
            self,
            name=self._own_name(image, about.get("path")),
            stimuli=stimuli,
            voxel_size_um=self.choice.voxel_size_um,
            rate_hz=self.rate.value(),
            settings=settings,
            correction=correction if self.correct_check.isChecked() else None,
            quality=quality,
        )

    def _own_name(self, image: Any, path: str | None) -> str:
        """Name of the recording; a worm from another file that has this name already is not written over."""
        name = self.name.text().strip() or image.name
        old = self.session.recordings.get(name)
        return name if old is None or same_source(old, path) else unique(name, self.session.recordings)

    def correct_again(self) -> Any | None:
        """Correct the raw traces of the current recording with the present settings."""
        recording = self.session.recording
        if recording is None or self.is_running(*TRACES):
            return None
        try:
            settings, quality = self.correction.value(), self.quality_form.value()
        except InputError as error:
            self.failed("Correct traces", error)
            return None
        source, name = uncorrected(self.work, recording), recording.name

        def run(progress: Any, cancel: Any) -> Recording:
            from ...extraction.correct import correct_traces
            from ...extraction.quality import assess_quality
            from ...model.progress import report

            report(progress, 0.1, "correcting")
            new = correct_traces(source, settings, cancel=cancel)
            report(progress, 0.6, "judging the neurons")
            return assess_quality(new, quality, cancel=cancel)

        def done(new: Recording) -> None:
            self._trying = False
            # Names may have been given in the meantime.
            new = keep_edits(new, self.session.recordings.get(name))
            self.session.add(new, replace=True, make_current=False, made=f"correct traces of {name}")

        job = self.work.jobs.start("Correct traces", run, done)
        self.bar.watch(job)
        self.correct_button.setEnabled(False)
        job.ended.connect(lambda: self.mark("jobs"))
        return job

    def measure_quality(self) -> Any | None:
        """Measure the quality of the current recording as it is; returns the running job."""
        recording = self.session.recording
        if recording is None or self.is_running(*TRACES):
            return None
        try:
            quality = self.quality_form.value()
        except InputError as error:
            self.failed("Measure quality", error)
            return None
        name = recording.name

        def run(progress: Any, cancel: Any) -> Recording:
            from ...extraction.quality import assess_quality

            return assess_quality(recording, quality, cancel=cancel)

        def done(new: Recording) -> None:
            new = keep_edits(new, self.session.recordings.get(name))
            self.session.add(new, replace=True, make_current=False, made=f"measure the quality of {name}")

        job = self.work.jobs.start("Measure quality", run, done)
        self.bar.watch(job)
        return job

    def open_files(self) -> None:
        """Ask for files and open them."""
        paths, _ = QFileDialog.getOpenFileNames(self, "Open recordings, images or a session")
        if paths:
            self.load([Path(p) for p in paths])

    def open_folder(self) -> None:
        """Ask for a folder (OME-Zarr, session) and open it."""
        path = QFileDialog.getExistingDirectory(self, "Open an OME-Zarr image or a session")
        if path:
            self.load([Path(path)])

    def load(self, paths: list[Path]) -> None:
        """Open files: images become layers, recordings and sessions go into the session."""
        from ..workspace.open_files import open_paths

        open_paths(self.work, paths)

    def _worm_chosen(self, *_: Any) -> None:
        name = self.worm.currentText()
        if name in self.session.recordings and name != self.session.current:
            self.session.set_current(name)

    def _quality_chosen(self) -> None:
        rows = self.quality.chosen()
        if rows and not self.quality.quiet:
            self.session.select(neurons=(rows[0]["id"],))
            self.work.scene.fly_to(rows[0]["id"])


def _opened_centres(layer: Any) -> dict[str, Any]:
    """Return what is known of the file of a layer of centres; nothing for other layers."""
    held: dict[str, Any] = layer.metadata.get("dynamic_connectome", {})
    return held if type(layer).__name__ == "Points" and held.get("centres") else {}
