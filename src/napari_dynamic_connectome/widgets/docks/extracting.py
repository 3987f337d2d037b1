"""Extraction that the Recording dock starts: what it reads is fixed on the GUI thread, the rest runs in a worker."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from threading import Thread
from typing import Any

import numpy as np
from xarray import Dataset

from ...extraction.correct import OPERATIONS
from ...extraction.settings import CorrectionSettings, ExtractionSettings, QualitySettings
from ...model.progress import CancelCallback, ProgressCallback
from ...model.recording import Recording, VolumeReference
from ...model.text import counted
from ..qt.notify import show_info
from ..viewer.label_edits import kept_copy
from ..workspace.checkpoints import extraction_checkpoint, extraction_inputs
from ..workspace.open_files import layer_voxels
from ..workspace.raw_traces import keep_edits, raw_of

EXTRACTED, COLOURED = 0.95, 0.97
"""Shares of the progress bar."""


@dataclass
class Extraction:
    """Everything that an extraction needs; nothing of it is a layer or a widget.

    volume, labels : arrays, (t, z, y, x) and ([t,] z, y, x). channels : NeuroPAL channels by colour. references : where volume
    and labels came from, None for what is in no file. correction : None leaves the traces as they are. inputs : what the
    blocks that are finished are recognised by; None: they are not kept. options : for `extract_recording`. before, touched :
    uncorrected traces of which only some labels are extracted again; None: all of them. judged : the worm with its quality before
    that.
    """

    volume: Any
    labels: Any
    channels: dict[str, Any]
    references: tuple[VolumeReference | None, VolumeReference | None]
    correction: CorrectionSettings | None
    quality: QualitySettings
    inputs: list[dict[str, Any]] | None
    options: dict[str, Any]
    before: Recording | None = None
    touched: frozenset[int] = frozenset()
    judged: Recording | None = None
    _checkpoints: list[Any] = field(default_factory=list)

    def run(self, progress: ProgressCallback, cancel: CancelCallback) -> tuple[Recording, Any]:
        """Extract, correct and judge; return the recording and its uncorrected traces. Runs in a worker."""
        from ...extraction.again import extract_again
        from ...extraction.colours import mean_colours
        from ...extraction.correct import correct_traces
        from ...extraction.extract import extract_recording
        from ...extraction.quality import assess_quality
        from ...model.progress import check_cancel, part, report

        options = dict(self.options)
        if self.inputs is not None:
            self._checkpoints.append(extraction_checkpoint(self.inputs, cancel))
            options["checkpoint"] = self._checkpoints[0]
        step = part(progress, 0, EXTRACTED)
        if self.before is None:
            recording = extract_recording(self.volume, self.labels, progress=step, cancel=cancel, **options)
        else:
            del options["name"]
            recording = extract_again(
                self.before, self.volume, self.labels, self.touched, progress=step, cancel=cancel, **options
            )
        check_cancel(cancel)
        if self.channels:
            report(progress, EXTRACTED, "measuring colours")
            numbers = recording.neurons["label"].to_numpy()
            found = mean_colours(self.labels, self.channels, numbers, cancel=cancel)
            table = recording.neurons.copy()
            for colour in found:
                table[colour] = found[colour].to_numpy()
            recording = recording.replace(neurons=table)
        volume, labels = self.references
        recording = recording.replace(volume=recording.volume or volume, labels=recording.labels or labels)
        raw = recording.traces
        report(progress, COLOURED, "judging the neurons")
        if self.correction is not None:
            recording = correct_traces(recording, self.correction, cancel=cancel)
        return assess_quality(recording, self.quality, judged=self.judged, cancel=cancel), raw

    def forget_blocks(self) -> None:
        """Remove the finished blocks that were kept, in the background."""
        for one in self._checkpoints:
            Thread(target=one.remove).start()


@dataclass(frozen=True, eq=False)
class ChosenLayers:
    """Layers of napari that an extraction reads.

    Parameters
    ----------
    image, labels : layers
    reference : layer, optional
        Channel that does not depend on calcium.
    colours : mapping of colour to layer or None
        Channels of NeuroPAL.
    """

    image: Any
    labels: Any
    reference: Any | None = None
    colours: Mapping[str, Any | None] = field(default_factory=dict)


def extraction_of(
    layers: ChosenLayers,
    parent: Any,
    *,
    name: str,
    stimuli: Any,
    voxel_size_um: tuple[float, float, float],
    rate_hz: float,
    settings: ExtractionSettings,
    correction: CorrectionSettings | None,
    quality: QualitySettings,
) -> Extraction:
    """Take from layers what an extraction needs; what their axes do not say is asked.

    Parameters
    ----------
    layers : ChosenLayers
    parent : QWidget
        Of the dialogs.

    Raises
    ------
    InputError
        Voxels cannot be read as they must be, or a question was not answered.
    """
    image, labels, reference = layers.image, layers.labels, layers.reference
    about = image.metadata.get("dynamic_connectome", {})
    about_labels = labels.metadata.get("dynamic_connectome", {})
    volume, mask = layer_voxels(image, parent), layer_voxels(labels, parent)
    channels = {colour: layer_voxels(one, parent) for colour, one in layers.colours.items() if one is not None}
    times = None if about.get("time_s") is None else np.asarray(about["time_s"], float)
    options: dict[str, Any] = {
        "name": name,
        "names": about.get("names") or about_labels.get("names"),
        "stimuli": stimuli,
        "settings": settings,
        "voxel_size_um": voxel_size_um,
        "frame_rate_hz": rate_hz if times is None else None,
        "time_s": times,
    }
    if reference is not None:
        options["reference"] = layer_voxels(reference, parent)
    return Extraction(
        volume,
        mask,
        channels,
        (
            _reference(about.get("path"), volume, voxel_size_um, rate_hz),
            _reference(about_labels.get("path"), mask, voxel_size_um, rate_hz),
        ),
        correction,
        quality,
        extraction_inputs(image, labels, reference),
        options,
    )


def again_of(work: Any, name: str, step: Extraction, layers: tuple[Any, Any, Any | None]) -> Callable[[], Any]:
    """What extracts again, as before, the labels of a worm that were edited since.

    Parameters
    ----------
    work : Workspace
    name : str
        Of the recording.
    step : Extraction
        How it was done; its voxels are not kept.
    layers : napari layers
        Volume, labels and reference, which are not kept alive either.

    Returns
    -------
    callable
        Starts it and returns the job; None if a layer is gone.
    """
    kept = [None if layer is None else weakref.ref(layer) for layer in layers]
    options = {k: v for k, v in step.options.items() if k != "reference"}
    plain = replace(step, volume=None, labels=None, channels={}, inputs=None, options=options)
    work_ref = weakref.ref(work)

    def start() -> Any | None:
        found = work_ref()
        present = [None if ref is None else ref() for ref in kept]
        recording = None if found is None else found.session.recordings.get(name)
        if found is None or recording is None:
            return None
        viewer = found.viewer
        if viewer is None:
            return None
        there = list(viewer.layers)
        if any(ref is not None and layer not in there for ref, layer in zip(kept, present, strict=True)):
            show_info(f"Open the volume and the labels of {name}, and extract it again in the Recording dock.")
            return None
        image: Any
        image, labels, reference = present
        notes = found.session.touched.get(name, {})
        own: dict[str, Any] = dict(options)
        about: dict[str, Any] = {}
        if "voxel size" in notes:
            own["voxel_size_um"] = about["voxel_size_um"] = tuple(float(s) for s in image.scale[-3:])
        if "rate" in notes:
            own["frame_rate_hz"] = about["frame_rate_hz"] = 1.0 / float(image.scale[-4])
        of_volume, of_labels = (None if one is None else replace(one, **about) for one in step.references)
        if reference is not None:
            own["reference"] = layer_voxels(reference)
        known = raw_of(found, recording)
        some = known is not None and not {"voxel size", "rate"} & set(notes)
        again = replace(
            plain,
            volume=layer_voxels(image),
            labels=layer_voxels(labels),
            references=(of_volume, of_labels),
            options=own,
            before=_uncorrected(recording, known) if some else None,
            touched=frozenset(notes.get("labels", ())),
        )
        fixed = kept_copy(again.labels)  # what is painted meanwhile is not half in the traces
        if fixed is not None:
            again = replace(again, labels=fixed)
        if some:
            again = replace(again, judged=recording)
        count = len(again.touched) if some else recording.n_neurons

        def done(result: tuple[Recording, Any]) -> None:
            new, raw = result
            old = found.session.recordings.get(name)
            if old is None:
                return
            new = keep_edits(new.replace(stimuli=old.stimuli), old)
            if len(old.behaviour.data_vars) and np.array_equal(old.time_s, new.time_s):
                new = new.replace(behaviour=old.behaviour)
            made = f"extract {counted(count, 'neuron')} of {name} again"
            found.session.add(new, replace=True, make_current=False, made=made, raw=raw)
            same = fixed is not None and labels is not None and labels.data.shape == fixed.shape
            found.scene.attach(name, [image], labels, fixed if same else None)

        return found.jobs.start("Extract again", again.run, done, layers=(image, labels))

    return start


def recall_of(work: Any) -> Callable[[str], Callable[[], Any] | None]:
    """Return `known_extraction` for a workspace, which it does not keep alive.

    Parameters
    ----------
    work : Workspace
    """
    me = weakref.ref(work)

    def recall(name: str) -> Callable[[], Any] | None:
        found = me()
        return None if found is None else known_extraction(found, name)

    return recall


NO_CORRECTION = {"reference": "none", "bleaching": "none", "baseline": "none", "smoothing": "none"}


def known_extraction(work: Any, name: str) -> Callable[[], Any] | None:
    """What extracts a worm of a session again that was saved and opened: its history says how it was done.

    Parameters
    ----------
    work : Workspace
    name : str
        Of the recording.

    Returns
    -------
    callable
        See `again_of`. None if its images are not open, or a reference channel was used, whose layer is not known.
    """
    recording = work.session.recordings.get(name)
    images, labels = work.scene.images.get(name), work.scene.labels.get(name)
    if recording is None or not images or labels is None or recording.volume is None:
        return None
    history = [h for h in recording.provenance.get("history", ()) if isinstance(h, Mapping)]
    done = [h for h in history if h.get("operation") == "extract"]
    if not done or "reference" in recording.traces.coords:
        return None
    steps = [h for h in history if h is not done[-1] and h.get("operation") in OPERATIONS]
    corrected: dict[str, Any] = dict(NO_CORRECTION)
    for one in steps:
        corrected |= one.get("settings") or {}
    if any(h["operation"] == "z-score" for h in steps):
        corrected["zscore"] = True
    step = extraction_of(
        ChosenLayers(images[0], labels), None,
        name=name,
        stimuli=recording.stimuli,
        voxel_size_um=recording.volume.voxel_size_um,
        rate_hz=recording.volume.frame_rate_hz,
        settings=ExtractionSettings.parse(done[-1].get("settings") or {}, where=f"history of {name}"),
        correction=CorrectionSettings.parse(corrected, where=f"history of {name}") if steps else None,
        quality=QualitySettings(),
    )  # fmt: skip
    return again_of(work, name, step, (images[0], labels, None))


def _uncorrected(recording: Recording, raw: Any) -> Recording:
    """Recording as it was extracted."""
    history = [h for h in recording.provenance.get("history", ()) if h.get("operation") == "extract"]
    provenance = {**recording.provenance, "history": history}
    return recording.replace(traces=raw, quality=None, behaviour=Dataset(), provenance=provenance)


def _reference(
    path: str | None, data: Any, size_um: tuple[float, float, float], rate_hz: float
) -> VolumeReference | None:
    """Where the voxels came from, so that a saved session can open them again."""
    if not path:
        return None
    shape = tuple(int(n) for n in data.shape)
    return VolumeReference(str(path), shape, "tzyx"[-len(shape) :], size_um, rate_hz)
