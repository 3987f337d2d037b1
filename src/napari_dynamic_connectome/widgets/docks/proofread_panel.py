"""Proofreading the segmentation where it is seen: delete, merge, split, grow, shrink, next suspicious, undo and redo."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QCheckBox, QLabel

from ...extraction import proofread
from ...extraction.proofread import Patch
from ...model.errors import InputError
from ..qt.controls import Panel, button, label, row
from ..qt.notify import show_failure
from ..viewer.camera import stays
from ..viewer.label_errors import frame_at
from ..viewer.layers import NEURONS

ASK = "Choose a neuron (a click in the worm or in a table), then what is wrong with its label."
NO_LABELS = "The worm that is shown has no labels open."
WAITS = {
    "merge": "Click the label that is the same neuron as {label}.",
    "split": "Click in label {label} where one neuron is, then where the other one is. Split once more, or Escape: leave it.",
    "split again": "And now where the other neuron is; the cross marks the first. Escape: leave it.",
}


class ProofreadPanel(Panel):
    """Corrects the labels of the worm that is shown, and extracts those that were touched again.

    Parameters
    ----------
    work : Workspace
    """

    def __init__(self, work: Any) -> None:
        super().__init__(work)
        self.what: QLabel = label(ASK, "secondary", wrap=True)
        self.buttons = {
            name: button(text, slot, tip)
            for name, text, slot, tip in (
                ("delete", "Delete", self.delete, "Remove the labels of the chosen neurons."),
                (
                    "merge",
                    "Merge",
                    self.merge,
                    "Two labels of one neuron become one. With two neurons chosen these two, the first keeps its number; else the next "
                    "click says which other one.",
                ),
                (
                    "split",
                    "Split",
                    self.split,
                    "One label of two neurons is cut where it is thinnest between two clicks, in 2D or 3D (the label is shown alone there); the "
                    "first click's part keeps the number. A cross marks the first click. Pressed once more, or Escape: no split.",
                ),
                ("grow", "Grow", self.grow, "Give the label the free voxels around it: one in the plane."),
                ("shrink", "Shrink", self.shrink, "Take the voxels at the label's edge: one in the plane."),
                ("undo", "Undo", self.undo, "Take the last change of the labels back."),
                ("redo", "Redo", self.redo, "Do it again."),
                (
                    "next",
                    "Next suspicious",
                    self.next,
                    "Go to the next neuron whose quality or size is unusual, the worst first.",
                ),
            )
        }
        for one in self.buttons.values():
            one.setObjectName("tight")
        self.at_once = QCheckBox("new traces at once")
        self.at_once.setToolTip(
            "Extract the labels that were touched again after each change, they alone. Without it their traces stay as they are and say "
            "so. Default: yes."
        )
        self.at_once.setChecked(True)
        self.waiting = ""
        """What the next click in the canvas is for: a key of `WAITS`; "": nothing."""
        self._label = 0
        self._first: tuple[int, int, int] = (0, 0, 0)
        self._listening: list[weakref.ref[QObject]] = []
        self._put_aside: tuple[Any, dict[str, Any], Any] | None = None
        """While one label is shown alone in 3D: its layer, how that was shown, and the neurons that were hidden."""
        self._seen = -1
        first = [self.buttons[n] for n in ("delete", "merge", "split", "grow", "shrink")]
        second = [self.buttons[n] for n in ("undo", "redo", "next")]
        self.stack(self.what, row(*first, None, spacing=2), row(*second, self.at_once, None, spacing=2), self.bar)
        self._watch_clicks()

    # --- what is there ----------------------------------------------------------------------------------------------

    @property
    def layer(self) -> Any | None:
        """Labels of the worm that is shown."""
        scene = self.work.scene
        found = scene.labels.get(self.work.session.current or "")
        viewer = self.work.viewer
        return found if viewer is not None and found in viewer.layers else None

    def show_state(self) -> None:
        """Say what can be done now."""
        layer, chosen = self.layer, self._chosen()
        for name, one in self.buttons.items():
            one.setEnabled(layer is not None and (bool(chosen) or name in ("undo", "redo", "next")))
        if layer is None:
            self.stop()
            self.what.setText(NO_LABELS)
        elif self.waiting:
            self.what.setText(WAITS[self.waiting].format(label=self._label))
        elif not chosen:
            self.what.setText(ASK)
        elif self.what.text() in (ASK, NO_LABELS):
            self.what.setText(
                f"Label{'s' if len(chosen) > 1 else ''} {', '.join(map(str, chosen[:6]))}: what is wrong?"
            )

    def _chosen(self) -> list[int]:
        """Labels of the chosen neurons; without any, the label that is chosen for painting."""
        session, layer = self.work.session, self.layer
        recording = session.recording
        if recording is None or layer is None:
            return []
        table = recording.neurons
        found = [int(table.loc[n, "label"]) for n in session.selection.neurons if n in table.index]
        return found or ([int(layer.selected_label)] if int(layer.selected_label) > 0 else [])

    def _voxels(self, layer: Any) -> np.ndarray:
        """Labels of the frame that is shown, as they can be changed in place."""
        if layer.multiscale:
            raise InputError("labels of several resolutions cannot be edited", where=layer.name)
        if not isinstance(layer.data, np.ndarray):
            if layer.ndim > 3:
                raise InputError(
                    "labels of every frame lie in a file, which is not changed here",
                    where=layer.name,
                    fix="Open them in memory (numpy), correct them, and save them under another name.",
                )
            layer.data = np.asarray(layer.data)
        frame = frame_at(self.work.viewer, layer)
        data = layer.data[frame] if layer.ndim == 4 else layer.data
        return np.asarray(data) if data.ndim == 3 else np.asarray(data)[None]

    def _size(self, layer: Any) -> tuple[float, float, float]:
        scale = [1.0, *(float(s) for s in layer.scale)][-3:]
        return scale[0], scale[1], scale[2]

    # --- changes ----------------------------------------------------------------------------------------------------

    def _change(self, doing: str, make: Callable[[np.ndarray, Any], Patch]) -> bool:
        """Make a patch of the labels and apply it through napari, whose undo then knows it."""
        layer = self.layer
        if layer is None:
            return False
        self.bar.clear()
        try:
            patch = make(self._voxels(layer), layer)
        except InputError as error:
            self.bar.fail(show_failure(self.work.viewer, doing, error))
            return False
        places = patch.voxels[-layer.ndim :] if layer.ndim < 4 else patch.voxels
        if layer.ndim == 4:
            frame = np.full(len(patch.old), frame_at(self.work.viewer, layer))
            places = (frame, *patch.voxels)
        layer.data_setitem(tuple(places), int(patch.new[0]))
        self._done(patch.text)
        return True

    def _done(self, text: str) -> None:
        """Say what was done, and extract what was touched again if that is wanted and known how."""
        self.stop()
        self.what.setText(text[:1].upper() + text[1:] + ".")
        session = self.work.session
        edits = self.work.scene.edits.get(session.current or "")
        if edits is None:
            return
        edits.look()  # now: otherwise when the painting rests
        if self.at_once.isChecked():
            job = self.work.up_to_date.extract_edited()
            if job is not None and self.bar.job is not job:
                self.bar.watch(job)

    def delete(self) -> None:
        """Remove the labels of the chosen neurons."""
        chosen = self._chosen()
        self._change("Delete label", lambda labels, _: proofread.delete(labels, chosen))

    def merge(self) -> None:
        """Make two chosen labels one, or wait for a click on the other one."""
        chosen = self._chosen()
        if len(chosen) == 2:
            self._change("Merge labels", lambda labels, _: proofread.merge(labels, *chosen))
        elif chosen:
            self._wait("merge", chosen[0])

    def split(self) -> None:
        """Wait for two clicks in the chosen label; the button pressed while it waits ends that."""
        chosen = self._chosen()
        if self.waiting.startswith("split"):
            self.leave()
        elif chosen:
            self._wait("split", chosen[0])

    def grow(self) -> None:
        """Give the chosen label the free voxels around it."""
        chosen = self._chosen()
        if chosen:
            self._change("Grow label", lambda labels, x: proofread.grow(labels, chosen[0], self._size(x)))

    def shrink(self) -> None:
        """Take the voxels at the edge of the chosen label."""
        chosen = self._chosen()
        if chosen:
            self._change("Shrink label", lambda labels, x: proofread.shrink(labels, chosen[0], self._size(x)))

    def undo(self) -> None:
        """Take the last change of the labels back, painted ones too."""
        if self.layer is not None:
            self.layer.undo()
            self._done("taken back")

    def redo(self) -> None:
        """Do what was taken back again."""
        if self.layer is not None:
            self.layer.redo()
            self._done("done again")

    def next(self) -> None:
        """Choose the next suspicious neuron and go there."""
        session = self.work.session
        recording = session.recording
        if recording is None:
            return
        listed = proofread.suspicious(recording)
        if not listed:
            self.what.setText("No neuron looks suspicious.")
            return
        self._seen = (self._seen + 1) % len(listed)
        number, reason = listed[self._seen]
        neuron = str(recording.neurons.index[recording.neurons["label"] == number][0])
        self.stop()
        session.select(neurons=(neuron,))
        self.work.scene.fly_to(neuron)
        if self.layer is not None:
            self.layer.selected_label = number
        self.what.setText(f"{self._seen + 1} of {len(listed)}: label {number}, {reason}.")

    # --- clicks -----------------------------------------------------------------------------------------------------

    def _wait(self, what: str, number: int) -> None:
        self.waiting, self._label = what, number
        self.bar.clear()
        self._look()
        self._mark()
        self._listen_to_escape()
        self.show_state()

    def stop(self) -> None:
        """Wait for no click any more."""
        self.waiting = ""
        self._look()
        self._mark()
        for one in self._listening:
            watched = one()
            if watched is not None and isalive(watched):
                watched.removeEventFilter(self)
        self._listening = []

    def leave(self) -> None:
        """Do not do what was waited for."""
        self.stop()
        self.what.setText(ASK)
        self.show_state()

    def _listen_to_escape(self) -> None:
        """Escape leaves it, on the canvas and where nothing else takes the key; only while a click is waited for."""
        if self._listening:
            return
        shown = getattr(getattr(self.work.viewer, "window", None), "_qt_viewer", None)
        places = [self.window(), *([shown.canvas.native] if shown is not None else [])]
        for one in places:
            one.installEventFilter(self)
        self._listening = [weakref.ref(one) for one in places]

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if self.waiting and event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Escape:
            self.leave()
            return True
        return False

    def _mark(self) -> None:
        """Mark the first of two clicks on the canvas until the second."""
        layer = self.layer
        place = None
        if self.waiting == "split again" and layer is not None:
            start = [0.0] * (layer.ndim - 3) if layer.ndim > 3 else []
            voxel = [*start, *(float(v) for v in self._first[-min(layer.ndim, 3) :])]
            place = np.asarray(layer.data_to_world(voxel), float)[-3:]
            place = np.pad(place, (3 - len(place), 0))
        self.work.scene.set_mark(place)

    def _look(self) -> None:
        """Clicks are for what waits for them; in 3D a label that is to be split is shown alone, without the neurons that cover it."""
        scene, viewer = self.work.scene, self.work.viewer
        scene.picks = not self.waiting
        layer = self.layer
        alone = self.waiting.startswith("split") and viewer is not None and viewer.dims.ndisplay == 3
        if alone and layer is not None and self._put_aside is None:
            before = {name: getattr(layer, name) for name in ("visible", "show_selected_label", "selected_label")}
            neurons = scene.layers.get(NEURONS)
            if neurons is not None and not neurons.visible:
                neurons = None
            self._put_aside = (layer, before, neurons)
            layer.selected_label = self._label
            layer.show_selected_label = layer.visible = True
            if neurons is not None:
                neurons.visible = False
        elif not alone and self._put_aside is not None:
            (layer, before, neurons), self._put_aside = self._put_aside, None
            for name, value in before.items():
                setattr(layer, name, value)
            if neurons is not None:
                neurons.visible = True

    def _watch_clicks(self) -> None:
        me, viewer = weakref.ref(self), self.work.viewer

        def click(viewer: Any, event: Any) -> Any:
            panel = me()
            if panel is None or not isalive(panel) or not panel.waiting or event.button != 1:
                return
            if not (yield from stays(event)):
                return
            panel.clicked(event)

        def turned(event: Any = None) -> None:
            panel = me()
            if panel is not None and isalive(panel) and panel.waiting:
                panel._look()

        viewer.mouse_drag_callbacks.insert(0, click)
        viewer.dims.events.ndisplay.connect(turned)
        callbacks = weakref.ref(viewer)

        def gone() -> None:
            found = callbacks()
            if found is not None and click in found.mouse_drag_callbacks:
                found.mouse_drag_callbacks.remove(click)
            if found is not None:
                found.dims.events.ndisplay.disconnect(turned)

        self.destroyed.connect(gone)

    def clicked(self, event: Any) -> None:
        """Take a click in the canvas for what is waited for."""
        layer = self.layer
        if layer is None:
            return
        wanted = self._label if self.waiting.startswith("split") else None
        try:
            place = voxel_at(layer, self._voxels(layer), event, wanted)
        except InputError as error:
            self.bar.fail(show_failure(self.work.viewer, "Proofreading", error))
            return
        if place is None:
            where = f"label {wanted}" if wanted is not None else "a label"
            self.what.setText(f"That click was beside {where}. " + WAITS[self.waiting].format(label=self._label))
        elif self.waiting == "merge":
            other = int(self._voxels(layer)[place])
            self._change("Merge labels", lambda labels, _: proofread.merge(labels, self._label, other))
        elif self.waiting == "split":
            self._first = place
            self._wait("split again", self._label)
        else:
            first, number = self._first, self._label
            self._change(
                "Split label",
                lambda labels, x: proofread.split(labels, number, first, place, voxel_size_um=self._size(x)),
            )


def voxel_at(layer: Any, labels: np.ndarray, event: Any, wanted: int | None) -> tuple[int, int, int] | None:
    """Voxel (z, y, x) of a label under a click; in 3D the first one along the line of sight.

    Parameters
    ----------
    layer : napari Labels layer
    labels : array (z, y, x)
        Of the frame that is shown.
    event
        Of napari's mouse callbacks.
    wanted : int or None
        The label it must be; None: any.
    """
    shown = list(event.dims_displayed)
    if len(shown) == 3:
        own = layer.ndim  # the viewer may have a time that these labels lack
        near, far = layer.get_ray_intersections(
            position=np.asarray(event.position, float)[-own:],
            view_direction=np.asarray(event.view_direction, float)[-own:],
            dims_displayed=[own - 3, own - 2, own - 1],
            world=True,
        )
        if near is None or far is None:
            return None
        near, far = np.asarray(near, float)[-3:], np.asarray(far, float)[-3:]
        steps = int(np.ceil(np.abs(far - near).max() * 2)) + 1
        places = near + np.linspace(0, 1, steps)[:, None] * (far - near)
    else:
        places = np.asarray(layer.world_to_data(event.position), float)[None, -3:]
        if places.shape[1] < 3:
            places = np.pad(places, ((0, 0), (3 - places.shape[1], 0)))
    voxels = np.round(places).astype(int)
    voxels = voxels[((voxels >= 0) & (voxels < labels.shape)).all(axis=1)]
    found = labels[tuple(voxels.T)]
    hit = np.flatnonzero(found == wanted if wanted is not None else found > 0)
    if not len(hit):
        return None
    z, y, x = (int(v) for v in voxels[hit[0]])
    return z, y, x
