"""Dock 1: choose volume and labels (or files), extract and correct traces, judge the neurons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QGridLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from ..extraction.settings import CorrectionSettings, ExtractionSettings, QualitySettings
from ..model.errors import InputError
from ..model.recording import Recording, VolumeReference
from . import plots
from .base import Dock, Fold, JobBar, button, label, row
from .forms import Number, SettingsForm
from .notify import show_failure, show_info
from .tables import Column, Table


class RecordingDock(Dock):
    """Layers or files in, a recording with traces out."""

    title = "Recording"

    def build(self, layout: QVBoxLayout) -> None:
        self.empty = label("", "empty")
        layout.addWidget(self.empty)
        self.worm = QComboBox()
        self.worm.setToolTip("The recording that is shown. All docks follow it.")
        self.worm.activated.connect(self._worm_chosen)
        self.open_button = button("Open…", self.open_files, "Open a recording, an image or a session from a file.")
        self.open_folder_button = button(
            "Folder…", self.open_folder, "Open an OME-Zarr image or a session that is a folder."
        )
        self.worm_row = QWidget()
        self.worm_row.setLayout(row(label("Worm", "head"), self.worm, None, self.open_button, self.open_folder_button))
        layout.addWidget(self.worm_row)

        layout.addWidget(label("Extract traces", "head"))
        grid = QGridLayout()
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(4)
        self.image, self.labels, self.reference = QComboBox(), QComboBox(), QComboBox()
        tips = (
            "Image layer with time first: (time, z, y, x).",
            "Labels layer: one for all frames (z, y, x), or one per frame (time, z, y, x). 0 is background.",
            "Second channel that does not respond to calcium, for ratios. Default: none.",
        )
        for place, (name, box) in enumerate(
            (("Volume", self.image), ("Labels", self.labels), ("Reference", self.reference))
        ):
            box.setToolTip(tips[place])
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(8)
            grid.addWidget(label(name), place, 0)
            grid.addWidget(box, place, 1, 1, 3)
        self.image.currentIndexChanged.connect(lambda *_: self._image_chosen())
        self.voxel: list[QDoubleSpinBox] = []
        for place, axis in enumerate("zyx"):
            spin = _number(f"Size of a voxel along {axis} in micrometres. Default: from the file.", 0.0, 1000, " µm")
            spin.setPrefix(f"{axis} ")
            spin.setSpecialValueText(f"{axis} ?")
            self.voxel.append(spin)
            grid.addWidget(spin, 3, 1 + place)
        grid.addWidget(label("Voxel"), 3, 0)
        self.rate = _number("Volumes per second. Default: from the file.", 0.0, 10000, " Hz")
        self.rate.setSpecialValueText("not known")
        self.name = QLineEdit()
        self.name.setPlaceholderText("name of this worm")
        self.name.setToolTip("Name of the recording; it must be unique among the open ones. Default: the layer's name.")
        grid.addWidget(label("Rate"), 4, 0)
        grid.addWidget(self.rate, 4, 1)
        grid.addWidget(self.name, 4, 2, 1, 2)
        grid.setColumnStretch(0, 0)
        for column in (1, 2, 3):
            grid.setColumnStretch(column, 1)
        grid.setColumnMinimumWidth(0, 70)
        layout.addLayout(grid)

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
            "Extract traces", self.extract, "Reduce every labelled neuron to one trace (Ctrl+E).", main=True
        )
        self.correct_button = button(
            "Correct again", self.correct_again, "Apply the corrections above to the raw traces of this worm."
        )
        layout.addLayout(row(self.correct_check, None, self.correct_button, self.extract_button))
        self.bar = JobBar()
        layout.addWidget(self.bar)

        self.preview_text = label("", "secondary")
        self.preview = plots.plot_widget()
        self.preview.setFixedHeight(96)
        self.preview_box = QWidget()
        box = QVBoxLayout(self.preview_box)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(2)
        box.addLayout(row(label("Before and after", "head"), self.preview_text))
        box.addWidget(self.preview)
        layout.addWidget(self.preview_box)

        self.quality_head = label("Quality", "head")
        self.quality_text = label("", "secondary")
        layout.addLayout(row(self.quality_head, self.quality_text))
        self.quality = Table(
            [
                Column("neuron", lambda r: r["id"], 78),
                Column(
                    "SNR",
                    lambda r: _short(r["snr"]),
                    92,
                    bar=lambda r: min(r["snr"] / 10, 1.0),
                    tip="Signal over noise.",
                ),
                Column("reason", lambda r: r["why"], 0, muted=True),
            ]
        )
        self.quality.setMinimumHeight(120)
        self.quality.setToolTip("The worst neurons first. A click flies to the neuron.")
        self.quality.selectionModel().selectionChanged.connect(lambda *_: self._quality_chosen())
        layout.addWidget(self.quality, 1)

        viewer = self.viewer
        self._layers_callback = _weak(self, "_layers_changed")
        for name in ("inserted", "removed", "reordered"):
            getattr(viewer.layers.events, name).connect(self._layers_callback)
        self._fill_layers()

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
        self.correct_button.setEnabled(recording is not None and recording.name in self.work.raw)
        for widget in (self.preview_box, self.quality, self.quality_head, self.quality_text):
            widget.setVisible(recording is not None)
        if recording is not None and topics & {"recordings", "current", "neurons", "theme"}:
            self._show_quality(recording)
        if recording is not None and topics - {"time", "history", "jobs"}:
            self._show_preview(recording)

    def _show_quality(self, recording: Recording) -> None:
        table = recording.quality
        self.quality.set_colours(self.colours)
        if table is None or "snr" not in table:
            self.quality_text.setText("not measured yet")
            self.quality.rows_model.set_rows([])
            return
        flags = table["flagged"].to_numpy(bool) if "flagged" in table else np.zeros(len(table), bool)
        snr = table["snr"].to_numpy(float)
        reasons = table["reason"].astype(str).tolist() if "reason" in table else [""] * len(table)
        if "reasons" in table:
            reasons = table["reasons"].astype(str).tolist()
        order = sorted(range(len(table)), key=lambda i: (not flags[i], np.nan_to_num(snr[i], nan=-1)))
        rows = [
            {"id": str(table.index[i]), "snr": float(snr[i]), "why": reasons[i] or ("low SNR" if flags[i] else "")}
            for i in order
        ]
        self.quality_text.setText(f"{int(flags.sum())} of {len(table)} neurons flagged, worst first")
        self.quality.rows_model.set_rows(rows)

    def _show_preview(self, recording: Recording) -> None:
        item = self.preview.getPlotItem()
        item.clear()
        plots.paint_axes(item, self.colours)
        self.preview.setBackground(self.colours.well)
        chosen = [n for n in self.session.selection.neurons if n in recording.neurons.index]
        neuron = chosen[0] if chosen else str(recording.neurons.index[0])
        place = list(recording.neurons.index).index(neuron)
        after = recording.traces.values[:, place].astype(float)
        raw = self.work.raw.get(recording.name)
        self.preview_text.setText(
            f"{neuron}  ·  raw grey, corrected bright" if raw is not None else f"{neuron}  ·  as read"
        )
        if raw is not None and raw.shape[1] == recording.n_neurons:
            item.plot(
                np.asarray(raw["time"].values),
                _unit(raw.values[:, place]),
                pen=plots.pg.mkPen(self.colours.secondary, width=1),
            )
        item.plot(
            recording.time_s,
            _unit(after),
            pen=plots.pg.mkPen(self.colours.text, width=1.2),
        )
        item.getAxis("left").setTicks([])
        item.getAxis("left").setWidth(6)
        plots.shade(item, plots.stimulus_spans(recording), self.colours.track)

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

    # --- actions ----------------------------------------------------------------------------------------------------

    def _edited(self, key: str, form: SettingsForm, fold: Fold) -> None:
        fold.summary.setText(form.summary())
        try:
            value = form.value()
        except InputError:
            return
        default = form.model()
        self.remember(key, {k: v for k, v in value.model_dump(mode="json").items() if v != getattr(default, k)})

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
        volume, mask = _data(image), _data(labels)
        if about.get("time_s") is not None:
            times = np.asarray(about["time_s"], float)
        else:
            times = None
        volume_path = about.get("path")
        labels_path = labels.metadata.get("dynamic_connectome", {}).get("path")
        reference = self._layer(self.reference)
        options: dict[str, Any] = {
            "name": self.name.text().strip() or image.name,
            "names": names,
            "stimuli": about.get("stimuli"),
            "settings": extraction,
            "voxel_size_um": size,
            "frame_rate_hz": rate if times is None else None,
            "time_s": times,
        }
        if reference is not None:
            options["reference"] = _data(reference)

        def run(progress: Any, cancel: Any) -> tuple[Recording, Any]:
            from ..extraction.correct import correct_traces
            from ..extraction.extract import extract_recording
            from ..extraction.quality import assess_quality
            from ..model.progress import check_cancel, part

            recording = extract_recording(volume, mask, progress=part(progress, 0, 0.95), cancel=cancel, **options)
            check_cancel(cancel)
            recording = assess_quality(recording, quality)
            recording = recording.replace(
                volume=recording.volume or _reference(volume_path, volume, size, rate),
                labels=recording.labels or _reference(labels_path, mask, size, rate),
            )
            raw = recording.traces
            return (correct_traces(recording, correction) if correct else recording), raw

        def done(result: tuple[Recording, Any]) -> None:
            recording, raw = result
            self.work.raw[recording.name] = raw
            self.session.add(recording, replace=True)
            self.work.scene.attach(recording.name, [image], labels)
            show_info(f"{recording.name}: {recording.n_neurons} neurons, {len(recording.named)} named.")

        job = self.work.jobs.start("Extract traces", run, done, layers=(image, labels))
        self.bar.watch(job)
        self.extract_button.setEnabled(False)
        job.ended.connect(lambda: self.mark("jobs"))
        return job

    def _apply_scale(self, image: Any, labels: Any, size: tuple[float, ...], rate: float) -> None:
        """Show the layers in micrometres and seconds, as they will be measured."""
        for layer in (image, labels):
            units = ("s", "um", "um", "um") if layer.ndim >= 4 else ("um", "um", "um")
            scale = ((1.0 / rate,) if layer.ndim >= 4 and rate > 0 else ()) + tuple(size)
            if len(scale) == layer.ndim and not np.allclose(layer.scale, scale):
                layer.scale = scale
            if tuple(map(str, layer.units)) != units and len(units) == layer.ndim:
                layer.units = units

    def correct_again(self) -> None:
        """Correct the raw traces of the current recording with the present settings."""
        recording = self.session.recording
        if recording is None or recording.name not in self.work.raw:
            return
        raw = self.work.raw[recording.name]
        try:
            settings = self.correction.value()
        except InputError as error:
            show_failure(self.viewer, "Correct traces", error)
            return
        source = recording.replace(traces=raw.assign_coords(neuron=list(recording.neurons.index)))

        def run(progress: Any, cancel: Any) -> Recording:
            from ..extraction.correct import correct_traces

            return correct_traces(source, settings)

        job = self.work.jobs.start("Correct traces", run, lambda new: self.session.add(new, replace=True))
        self.bar.watch(job)

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


def _data(layer: Any) -> Any:
    """Array of a layer at full resolution: multiscale layers hold several."""
    return layer.data[0] if getattr(layer, "multiscale", False) else layer.data


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
    if old in names:
        box.setCurrentText(old)
    box.blockSignals(False)
    return box.currentText() != old


def _unit(values: np.ndarray) -> np.ndarray:
    """Scale to 0..1 for comparing shapes."""
    values = np.asarray(values, float)
    finite = values[np.isfinite(values)]
    if not len(finite) or finite.max() == finite.min():
        return values * 0
    return (values - finite.min()) / (finite.max() - finite.min())


def _short(value: float) -> str:
    return "–" if value != value else f"{value:.1f}"


def _weak(dock: Any, method: str) -> Any:
    import weakref

    from qtpy.compat import isalive

    me = weakref.ref(dock)

    def call(event: Any = None) -> None:
        found = me()
        if found is not None and isalive(found):
            getattr(found, method)(event)

    return call
