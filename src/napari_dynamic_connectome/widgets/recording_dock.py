"""Dock 1: choose volume and labels (or files), extract and correct traces, judge the neurons."""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QGridLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ..extraction.colours import COLOURS
from ..extraction.settings import CorrectionSettings, ExtractionSettings, QualitySettings
from ..model.errors import InputError
from ..model.recording import Recording, VolumeReference
from .base import Dock, Fold, JobBar, button, label, row, run_key
from .before_after import BeforeAfter
from .drop import layer_voxels
from .forms import Number, SettingsForm
from .kept import extraction_inputs, kept_extraction
from .notify import show_failure, show_info
from .raw_traces import keep_edits, same_source, uncorrected
from .recording_names import unique
from .stimuli import StimuliTable
from .tables import Column, Table


class RecordingDock(Dock):
    """Layers or files in, a recording with traces out."""

    title = "Recording"
    edits = True

    def build(self, layout: QVBoxLayout) -> None:
        self.empty = label("", "empty")
        layout.addWidget(self.empty)
        self.worm = QComboBox()
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
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(4)
        self.grid_labels: list[QLabel] = []
        self.image, self.labels, self.reference = QComboBox(), QComboBox(), QComboBox()
        tips = (
            "Image layer with time first: (time, z, y, x). Default: the first image layer.",
            "Labels layer: one for all frames (z, y, x), or one per frame (time, z, y, x). 0 is background. Default: the "
            "first labels layer.",
            "Second channel that does not respond to calcium, for ratios. Default: none.",
        )
        for place, (name, box) in enumerate(
            (("Volume", self.image), ("Labels", self.labels), ("Reference", self.reference))
        ):
            box.setToolTip(tips[place])
            box.setAccessibleName(name.lower())
            box.setPlaceholderText("no image layer open" if box is self.image else "no labels layer open")
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(6)
            box.setMinimumWidth(60)
            grid.addWidget(self._caption(name), place, 0)
            grid.addWidget(box, place, 1, 1, 2 if box is self.labels else 3)
        self.centres_button = button(
            "Centres…",
            self.open_centres,
            "Tracked centres instead of labels: a CSV with frame, id, z, y, x. They become a labels layer of balls, drawn frame "
            "by frame; radius and unit are set below.",
        )
        self.centres_button.setObjectName("tight")
        grid.addWidget(self.centres_button, 1, 3)
        grid.addWidget(self._caption("Colours"), 3, 0)
        self.colour_boxes: dict[str, QComboBox] = {}
        for place, colour in enumerate(COLOURS):
            box = QComboBox()
            box.setToolTip(
                f"Image layer with the {colour} channel of NeuroPAL, in the same voxels as the labels: the mean colour of every "
                "neuron is then shown in the Neurons table. Default: none."
            )
            box.setAccessibleName(f"{colour} channel")
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(2)
            box.setMinimumWidth(60)
            self.colour_boxes[colour] = box
            grid.addWidget(box, 3, 1 + place)
        self.image.currentIndexChanged.connect(lambda *_: self._image_chosen())
        self.voxel: list[QDoubleSpinBox] = []
        for place, axis in enumerate("zyx"):
            spin = _number(f"Size of a voxel along {axis} in micrometres. Default: from the file.", 0.0, 1000, " µm")
            spin.setPrefix(f"{axis} ")
            spin.setSpecialValueText(f"{axis} ?")
            self.voxel.append(spin)
            grid.addWidget(spin, 4, 1 + place)
        grid.addWidget(self._caption("Voxel"), 4, 0)
        self.rate = _number("Volumes per second. Default: from the file.", 0.0, 10000, " Hz")
        self.rate.setSpecialValueText("not known")
        self.name = QLineEdit()
        self.name.setPlaceholderText("name of this worm")
        self.name.setToolTip("Name of the recording; it must be unique among the open ones. Default: the layer's name.")
        grid.addWidget(self._caption("Rate"), 5, 0)
        grid.addWidget(self.rate, 5, 1)
        grid.addWidget(self.name, 5, 2, 1, 2)
        grid.setColumnStretch(0, 0)
        for column in (1, 2, 3):
            grid.setColumnStretch(column, 1)
        # The widest caption, whatever the font: captions themselves ask for no room.
        grid.setColumnMinimumWidth(0, max(72, *(w.sizeHint().width() for w in self.grid_labels)))
        layout.addLayout(grid)

        self.stimuli = StimuliTable()
        self.stimuli.edited.connect(self._stimuli_edited)
        self.stimuli.loading.connect(self.load_table)
        self.stimuli_fold = Fold("Stimuli", self.stimuli, summary="none")
        layout.addWidget(self.stimuli_fold)
        self._stimuli_of: str | None = None  # the recording whose stimuli the table shows; None: the next extraction's

        self.radius = _number(
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
            try:
                form.set_value(form.model.parse(self.remembered(key, {})))
            except InputError:
                form.set_value(form.model())
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
        layout.addLayout(row(self.correct_check, None, self.correct_button, self.extract_button))
        self.bar = JobBar()
        layout.addWidget(self.bar)

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
        self.quality = Table(
            [
                Column("neuron", lambda r: r["id"], 70),
                Column(
                    "SNR",
                    lambda r: _short(r["snr"]),
                    84,
                    bar=lambda r: min(r["snr"] / 10, 1.0),
                    tip="Standard deviation of the signal over that of the noise.",
                ),
                Column("voxels", lambda r: _short(r["voxels"], 0), 50, right=True, tip="Median number of voxels."),
                Column("why", lambda r: r["why"], 0, muted=True, tip="What is beyond its limit."),
            ]
        )
        self.quality.setMinimumHeight(120)
        self.quality.setToolTip("The worst neurons first. A click (or Up and Down) flies to the neuron.")
        self.quality.rows_model.row_tip = lambda r: r["tip"]
        self.quality.selectionModel().selectionChanged.connect(lambda *_: self._quality_chosen())
        layout.addWidget(self.quality, 1)

        viewer = self.viewer
        self._layers_callback = _weak(self, "_layers_changed")
        for name in ("inserted", "removed", "reordered"):
            getattr(viewer.layers.events, name).connect(self._layers_callback)
        self._fill_layers()

    def _caption(self, text: str) -> QLabel:
        self.grid_labels.append(label(text))
        return self.grid_labels[-1]

    # --- showing ----------------------------------------------------------------------------------------------------

    def refresh(self, topics: set[str]) -> None:
        recording = self.session.recording
        if topics & {"recordings", "current"}:
            self.worm.clear()
            self.worm.addItems(list(self.session.recordings))
            if self.session.current is not None:
                self.worm.setCurrentText(self.session.current)
        self._fill_layers()
        has_images = self.image.count() > 0
        self.empty.setVisible(not has_images and recording is None)
        self.empty.setText(
            "Open a volume and its labels (drag them into the window), a recording file, or\n"
            "File > Open Sample > Dynamic connectome > Simulated worm."
        )
        self.extract_button.setEnabled(has_images and self.labels.count() > 0 and self.bar.job is None)
        self.correct_button.setEnabled(recording is not None and self.bar.job is None)
        for widget in (self.preview, self.quality, self.quality_head, self.quality_text, self.measure_button):
            widget.setVisible(recording is not None)
        if recording is not None and topics & {"recordings", "current", "neurons", "theme"}:
            self._show_quality(recording)
        if recording is not None and topics & {"current", "recordings"}:
            self._trying = False
            self._show_stimuli(recording.stimuli, recording.name)
        if recording is not None and topics - {"time", "history", "jobs", "view", "cohort", "sweep", "components"}:
            self._show_preview()

    def _show_quality(self, recording: Recording) -> None:
        table = recording.quality
        self.quality.set_colours(self.colours)
        self.measure_button.setVisible(table is None or "snr" not in table)
        if table is None or "snr" not in table:
            self.quality_text.setText("not measured yet")
            self.quality.rows_model.set_rows([])
            return
        flags = table["flagged"].to_numpy(bool) if "flagged" in table else np.zeros(len(table), bool)
        reasons = table["reason"].astype(str).tolist() if "reason" in table else [""] * len(table)
        snr = table["snr"].to_numpy(float)
        rank = table["rank"].to_numpy(float) if "rank" in table else np.nan_to_num(snr, nan=-1)
        voxels = recording.traces.coords.get("n_voxels")
        counts = np.full(len(table), np.nan) if voxels is None else np.asarray(voxels.values, float)
        order = sorted(range(len(table)), key=lambda i: (not flags[i], rank[i]))
        rows = [
            {
                "id": str(table.index[i]),
                "snr": float(snr[i]),
                "voxels": float(counts[i]),
                "why": reasons[i] or ("low SNR" if flags[i] else ""),
                "tip": _measures(table.iloc[i], counts[i], reasons[i]),
            }
            for i in order
        ]
        self.quality_text.setText(f"{int(flags.sum())} of {len(table)} neurons flagged, worst first")
        self.quality.rows_model.set_rows(rows)
        self.quality.choose([i for i, r in enumerate(rows) if r["id"] in self.session.selection.neurons], scroll=False)

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

    # --- layers -----------------------------------------------------------------------------------------------------

    def _layers_changed(self, *_: Any) -> None:
        self._fill_layers()
        self.mark("view")

    def _fill_layers(self) -> None:
        from napari.layers import Image, Labels

        ours = set(map(id, self.work.scene.layers.values()))
        images = [one for one in self.viewer.layers if isinstance(one, Image) and id(one) not in ours and one.ndim >= 3]
        masks = [one for one in self.viewer.layers if isinstance(one, Labels)]
        changed = _fill(self.image, [one.name for one in images])
        _fill(self.labels, [one.name for one in masks])
        _fill(self.reference, ["none", *[one.name for one in images]])
        for box in self.colour_boxes.values():
            _fill(box, ["none", *[one.name for one in images]])
        if changed:
            self._image_chosen()

    def _layer(self, box: QComboBox) -> Any | None:
        name = box.currentText()
        return self.viewer.layers[name] if name in [one.name for one in self.viewer.layers] else None

    def _image_chosen(self) -> None:
        layer = self._layer(self.image)
        if layer is None:
            return
        about = layer.metadata.get("dynamic_connectome", {})
        size = about.get("voxel_size_um") or tuple(layer.scale[-3:])
        for spin, value in zip(self.voxel, size, strict=True):
            spin.setValue(float(value))
        rate = about.get("frame_rate_hz")
        if rate is None and layer.ndim >= 4:
            step = float(layer.scale[-4])
            seconds = str(layer.units[-4]) in ("s", "second", "1 second")
            rate = 1.0 / step if step > 0 and (seconds or step != 1.0) else 0.0
        self.rate.setValue(float(rate) if rate and np.isfinite(rate) else 0.0)
        self.name.setText(str(about.get("name") or layer.name.split(".")[0]))
        if self.session.recording is None or self.session.recording.name != self.name.text():
            self._show_stimuli(about.get("stimuli"), None)

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

    def _stimuli_edited(self) -> None:
        """Give the open worm its new stimuli; without one they wait for the extraction."""
        recording = self.session.recordings.get(self._stimuli_of or "")
        self._summarize_stimuli()
        if recording is not None:
            # It does not announce "recordings": the table that is being edited must not be filled again.
            self.session.amend(recording.replace(stimuli=self.stimuli.value()), "edit stimuli")

    def load_table(self, what: str, path: str | Path | None = None) -> None:
        """Load stimuli or behaviour from a file (asked for if it is not given)."""
        from ..io.tables import read_behaviour, read_stimuli

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
            show_failure(self.viewer, f"Load {what}", error)

    def _centres_edited(self) -> None:
        self.remember("radius_um", self.radius.value())
        self.remember("centre_unit", self.centre_unit.currentData())
        self.centres_fold.summary.setText(f"radius {self.radius.value():g} µm, {self.centre_unit.currentText()}")

    def open_centres(self, path: str | Path | None = None) -> Any | None:
        """Open a table of tracked centres as a labels layer of the chosen volume; returns the running job."""
        image = self._layer(self.image)
        if image is None or image.ndim < 4:
            show_info("Choose the volume (time, z, y, x) first: a table of centres does not say how large it is.")
            return None
        if path is None:
            path, _ = QFileDialog.getOpenFileName(self, "Tracked centres", filter="Tables (*.csv *.parquet)")
        if not path:
            return None
        source, shape = Path(path), tuple(int(n) for n in layer_voxels(image, self).shape)
        options = {
            "radius_um": self.radius.value(),
            "units": self.centre_unit.currentData(),
            "voxel_size_um": tuple(s.value() for s in self.voxel),
            "frame_rate_hz": self.rate.value() or None,
        }

        def run(progress: Any, cancel: Any) -> Any:
            from ..io.centres import open_labels
            from ..io.layers import labels_layer

            return labels_layer(open_labels(source, shape=shape, **options), f"{source.stem} centres")

        def done(layer: Any) -> None:
            data, keywords, _ = layer
            added = self.viewer.add_labels(data, **keywords)
            self._fill_layers()
            self.labels.setCurrentText(added.name)

        job = self.work.jobs.start("Open centres", run, done, layers=(image,))
        self.bar.watch(job)
        return job

    def extract(self) -> Any | None:
        """Start the extraction; returns the running job."""
        image, labels = self._layer(self.image), self._layer(self.labels)
        if image is None or labels is None:
            show_info("Choose an image layer and a labels layer first.")
            return None
        try:
            extraction, correction, quality = (
                self.extraction.value(),
                self.correction.value(),
                self.quality_form.value(),
            )
            stimuli = self.stimuli.value()
            if self._stimuli_of and self._stimuli_of != self.name.text().strip():
                stimuli = image.metadata.get("dynamic_connectome", {}).get("stimuli")
            if self.rate.value() <= 0 and not image.metadata.get("dynamic_connectome", {}).get("time_s"):
                raise InputError(
                    "the frame rate is not known", where=image.name, fix="Set the rate in volumes per second."
                )
        except InputError as error:
            show_failure(self.viewer, "Extract traces", error)
            return None
        correct = self.correct_check.isChecked()
        self.remember("correct", correct)
        size = tuple(s.value() for s in self.voxel)
        rate = self.rate.value()
        self._apply_scale(image, labels, size, rate)
        about = image.metadata.get("dynamic_connectome", {})
        names = about.get("names") or labels.metadata.get("dynamic_connectome", {}).get("names")
        reference = self._layer(self.reference)
        try:
            volume, mask = layer_voxels(image, self), layer_voxels(labels, self)
            channels = {
                c: layer_voxels(one, self)
                for c, box in self.colour_boxes.items()
                if (one := self._layer(box)) is not None
            }
            second = layer_voxels(reference, self) if reference is not None else None
        except InputError as error:
            show_failure(self.viewer, "Extract traces", error)
            return None
        if about.get("time_s") is not None:
            times = np.asarray(about["time_s"], float)
        else:
            times = None
        volume_path = about.get("path")
        labels_path = labels.metadata.get("dynamic_connectome", {}).get("path")
        options: dict[str, Any] = {
            "name": self._own_name(image, volume_path),
            "names": names,
            "stimuli": stimuli,
            "settings": extraction,
            "voxel_size_um": size,
            "frame_rate_hz": rate if times is None else None,
            "time_s": times,
        }
        if second is not None:
            options["reference"] = second

        inputs = extraction_inputs(image, labels, reference)
        kept: list[Any] = []

        def run(progress: Any, cancel: Any) -> tuple[Recording, Any]:
            from ..extraction.colours import mean_colours
            from ..extraction.correct import correct_traces
            from ..extraction.extract import extract_recording
            from ..extraction.quality import assess_quality
            from ..model.progress import check_cancel, part, report

            if inputs is not None:
                kept.append(kept_extraction(inputs, cancel))
                options["checkpoint"] = kept[0]
            recording = extract_recording(volume, mask, progress=part(progress, 0, 0.95), cancel=cancel, **options)
            check_cancel(cancel)
            if channels:
                report(progress, 0.95, "measuring colours")
                found = mean_colours(mask, channels, recording.neurons["label"].to_numpy(), cancel=cancel)
                table = recording.neurons.copy()
                for colour in found:
                    table[colour] = found[colour].to_numpy()
                recording = recording.replace(neurons=table)
            recording = recording.replace(
                volume=recording.volume or _reference(volume_path, volume, size, rate),
                labels=recording.labels or _reference(labels_path, mask, size, rate),
            )
            raw = recording.traces
            report(progress, 0.97, "judging the neurons")
            if correct:
                recording = correct_traces(recording, correction, cancel=cancel)
            return assess_quality(recording, quality, cancel=cancel), raw

        def done(result: tuple[Recording, Any]) -> None:
            recording, raw = result
            recording = keep_edits(recording, self.session.recordings.get(recording.name))
            self._trying = False
            text = f"extract{' and correct' if correct else ''} traces of {recording.name}"
            self.session.add(recording, replace=True, made=text, raw=raw)
            for one in kept:  # now the traces are in the journal
                Thread(target=one.remove).start()
            self.work.scene.attach(recording.name, [image], labels)
            show_info(f"{recording.name}: {recording.n_neurons} neurons, {len(recording.named)} named.")

        job = self.work.jobs.start("Extract traces", run, done, layers=(image, labels))
        self.bar.watch(job)
        self.extract_button.setEnabled(False)
        job.ended.connect(lambda: self.mark("jobs"))
        return job

    def _own_name(self, image: Any, path: str | None) -> str:
        """Name of the recording; a worm from another file that has this name already is not written over."""
        name = self.name.text().strip() or image.name
        old = self.session.recordings.get(name)
        return name if old is None or same_source(old, path) else unique(name, self.session.recordings)

    def _apply_scale(self, image: Any, labels: Any, size: tuple[float, ...], rate: float) -> None:
        """Show the layers in micrometres and seconds, as they will be measured."""
        for layer in (image, labels):
            named = "".join(a for a in map(str, layer.axis_labels) if not a.lstrip("-").isdigit()).lower()
            if named not in ("", "tzyx", "zyx"):
                continue  # its axes stand in another order
            units = ("s", "um", "um", "um") if layer.ndim >= 4 else ("um", "um", "um")
            scale = ((1.0 / rate,) if layer.ndim >= 4 and rate > 0 else ()) + tuple(size)
            if len(scale) == layer.ndim and not np.allclose(layer.scale, scale):
                layer.scale = scale
            if tuple(map(str, layer.units)) != units and len(units) == layer.ndim:
                layer.units = units

    def correct_again(self) -> Any | None:
        """Correct the raw traces of the current recording with the present settings."""
        recording = self.session.recording
        if recording is None or self.bar.job is not None:
            return None
        try:
            settings, quality = self.correction.value(), self.quality_form.value()
        except InputError as error:
            show_failure(self.viewer, "Correct traces", error)
            return None
        source, name = uncorrected(self.work, recording), recording.name

        def run(progress: Any, cancel: Any) -> Recording:
            from ..extraction.correct import correct_traces
            from ..extraction.quality import assess_quality
            from ..model.progress import report

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
        if recording is None or self.bar.job is not None:
            return None
        try:
            quality = self.quality_form.value()
        except InputError as error:
            show_failure(self.viewer, "Measure quality", error)
            return None
        name = recording.name

        def run(progress: Any, cancel: Any) -> Recording:
            from ..extraction.quality import assess_quality

            return assess_quality(recording, quality, cancel=cancel)

        def done(new: Recording) -> None:
            self.session.add(keep_edits(new, self.session.recordings.get(name)), replace=True, make_current=False)

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
        from .opening import open_paths

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


def _reference(path: str | None, data: Any, size: tuple[float, ...], rate: float) -> VolumeReference | None:
    """Where the voxels came from, so that a saved session can open them again."""
    if not path:
        return None
    shape = tuple(int(n) for n in data.shape)
    return VolumeReference(str(path), shape, "tzyx"[-len(shape) :], (size[0], size[1], size[2]), rate)


def _number(tip: str, low: float, high: float, suffix: str) -> QDoubleSpinBox:
    spin = Number()
    spin.setDecimals(4)
    spin.setRange(low, high)
    spin.setSuffix(suffix)
    spin.setToolTip(tip)
    spin.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
    spin.setMinimumWidth(60)
    spin.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
    return spin


def _fill(box: QComboBox, names: list[str]) -> bool:
    """Fill a combo box, keeping what is chosen; True if the choice changed."""
    if [box.itemText(i) for i in range(box.count())] == names:
        return False
    old = box.currentText()
    box.blockSignals(True)
    box.clear()
    box.addItems(names)
    # a box with a placeholder would show that until something is chosen
    box.setCurrentIndex(names.index(old) if old in names else 0 if names else -1)
    box.blockSignals(False)
    return box.currentText() != old


def _short(value: float, digits: int = 1) -> str:
    return "–" if value != value else f"{value:.{digits}f}"


def _measures(row: Any, voxels: float, reason: str) -> str:
    """All measures of a neuron in words, for the tooltip of its row."""
    words = [reason] if reason else []
    for column, text in (
        ("snr", "SNR {:.2f}"),
        ("bleaching", "{:.0%} of the fluorescence lost"),
        ("saturated", "{:.2%} of the voxels saturated"),
        ("missing", "{:.1%} of the frames missing"),
        ("motion", "correlation with its own motion {:.2f}"),
        ("contamination", "correlation with a near neighbour {:.2f}"),
        ("jumps", "{:.0f} suspicious jumps"),
    ):
        value = float(row[column]) if column in row else float("nan")
        if value == value:
            words.append(text.format(value))
    if voxels == voxels:
        words.append(f"{voxels:.0f} voxels")
    return "\n".join(words)


def _weak(dock: Any, method: str) -> Any:
    import weakref

    from qtpy.compat import isalive

    me = weakref.ref(dock)

    def call(event: Any = None) -> None:
        found = me()
        if found is not None and isalive(found):
            getattr(found, method)(event)

    return call
