"""Choice of the layers that an extraction reads, how large their voxels are, and how fast they were recorded."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from qtpy.compat import isalive
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QGridLayout, QLabel, QLineEdit, QWidget

from ...extraction.colours import COLOURS
from ..qt.controls import Choice, button, label
from ..qt.forms import Number

NONE = "none"
BOXES = (
    (
        "Volume",
        "no image layer open",
        "Image layer with time first: (time, z, y, x). Default: the first image layer.",
    ),
    (
        "Labels",
        "no labels layer open",
        "Labels layer: one for all frames (z, y, x), or one per frame (time, z, y, x). 0 is background. Default: the "
        "first labels layer.",
    ),
    (
        "Reference",
        "",
        "Second channel that does not respond to calcium, for ratios. Default: none.",
    ),
)


class LayerChoice(QWidget):
    """Boxes with the viewer's layers, and what is known about the chosen ones.

    Parameters
    ----------
    work : Workspace
    """

    chosen = Signal()
    """Another image was chosen; what its file says is filled in already."""
    corrected = Signal()
    """Somebody typed another voxel size or rate."""
    centres_asked = Signal()
    layers_changed = Signal()

    def __init__(self, work: Any) -> None:
        super().__init__()
        self.work = work
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(4)
        self._captions: list[QLabel] = []
        self.image, self.labels, self.reference = (_layer_box(*about) for about in BOXES)
        for place, box in enumerate((self.image, self.labels, self.reference)):
            grid.addWidget(self._caption(BOXES[place][0]), place, 0)
            grid.addWidget(box, place, 1, 1, 2 if box is self.labels else 3)
        self.centres_button = button(
            "Centres…",
            self.centres_asked.emit,
            "Tracked centres instead of labels: a CSV with frame, id, z, y, x, or a Tracks layer of another plugin. They become a "
            "labels layer of balls, drawn frame by frame; radius and unit are set below.",
        )
        self.centres_button.setObjectName("tight")
        grid.addWidget(self.centres_button, 1, 3)
        grid.addWidget(self._caption("Colours"), 3, 0)
        self.colour_boxes: dict[str, QComboBox] = {}
        for place, colour in enumerate(COLOURS):
            box = _layer_box(
                f"{colour} channel",
                "",
                f"Image layer with the {colour} channel of NeuroPAL, in the same voxels as the labels: the mean colour of every "
                "neuron is then shown in the Neurons table. Default: none.",
                letters=2,
            )
            self.colour_boxes[colour] = box
            grid.addWidget(box, 3, 1 + place)
        self.voxel: list[QDoubleSpinBox] = []
        for place, axis in enumerate("zyx"):
            spin = number(f"Size of a voxel along {axis} in micrometres. Default: from the file.", 0.0, 1000, " µm")
            spin.setPrefix(f"{axis} ")
            spin.setSpecialValueText(f"{axis} ?")
            self.voxel.append(spin)
            grid.addWidget(spin, 4, 1 + place)
        grid.addWidget(self._caption("Voxel"), 4, 0)
        self.rate = number("Volumes per second. Default: from the file.", 0.0, 10000, " Hz")
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
        grid.setColumnMinimumWidth(0, max(72, *(w.sizeHint().width() for w in self._captions)))
        self._filling = False
        for spin in (*self.voxel, self.rate):
            spin.valueChanged.connect(lambda *_: None if self._filling else self.corrected.emit())
        self.image.currentIndexChanged.connect(lambda *_: self._image_chosen())

    def _caption(self, text: str) -> QLabel:
        self._captions.append(label(text))
        return self._captions[-1]

    def watch(self) -> None:
        """Follow the viewer's layers from now on."""
        me = weakref.ref(self)

        def follow(event: Any = None) -> None:
            found = me()
            if found is not None and isalive(found):
                found.fill()
                found.layers_changed.emit()

        events = [getattr(self.work.viewer.layers.events, name) for name in ("inserted", "removed", "reordered")]
        for event in events:
            event.connect(follow)

        def gone() -> None:
            for event in events:
                event.disconnect(follow)

        self.destroyed.connect(gone)
        self.fill()

    def fill(self) -> None:
        """List the layers that are there; what is chosen stays chosen."""
        from napari.layers import Image, Labels

        ours = set(map(id, self.work.scene.layers.values()))
        layers = self.work.viewer.layers
        images = [one.name for one in layers if isinstance(one, Image) and id(one) not in ours and one.ndim >= 3]
        changed = _fill(self.image, images)
        _fill(self.labels, [one.name for one in layers if isinstance(one, Labels)])
        for box in (self.reference, *self.colour_boxes.values()):
            _fill(box, [NONE, *images])
        if changed:
            self._image_chosen()

    def layer(self, box: QComboBox) -> Any | None:
        """Layer that a box shows, if it is there."""
        name = box.currentText()
        layers = self.work.viewer.layers
        return layers[name] if name in [one.name for one in layers] else None

    @property
    def image_layer(self) -> Any | None:
        """The volume."""
        return self.layer(self.image)

    @property
    def labels_layer(self) -> Any | None:
        """The labels."""
        return self.layer(self.labels)

    @property
    def voxel_size_um(self) -> tuple[float, float, float]:
        """Size of a voxel (z, y, x), 0 where it is not known."""
        z, y, x = (spin.value() for spin in self.voxel)
        return z, y, x

    def _image_chosen(self) -> None:
        layer = self.image_layer
        if layer is None:
            return
        about = layer.metadata.get("dynamic_connectome", {})
        size = about.get("voxel_size_um") or tuple(layer.scale[-3:])
        self._filling = True
        for spin, value in zip(self.voxel, size, strict=True):
            spin.setValue(float(value))
        rate = about.get("frame_rate_hz")
        if rate is None and layer.ndim >= 4:
            step = float(layer.scale[-4])
            seconds = str(layer.units[-4]) in ("s", "second", "1 second")
            rate = 1.0 / step if step > 0 and (seconds or step != 1.0) else 0.0
        self.rate.setValue(float(rate) if rate and np.isfinite(rate) else 0.0)
        self._filling = False
        self.name.setText(str(about.get("name") or layer.name.split(".")[0]))
        self.chosen.emit()

    def scale_layers(self, *layers: Any) -> None:
        """Show layers in micrometres and seconds, as they will be measured."""
        rate = self.rate.value()
        for layer in layers:
            named = "".join(a for a in map(str, layer.axis_labels) if not a.lstrip("-").isdigit()).lower()
            if named not in ("", "tzyx", "zyx"):
                continue  # its axes stand in another order
            units = ("s", "um", "um", "um") if layer.ndim >= 4 else ("um", "um", "um")
            scale = ((1.0 / rate,) if layer.ndim >= 4 and rate > 0 else ()) + self.voxel_size_um
            if len(scale) == layer.ndim and not np.allclose(layer.scale, scale):
                layer.scale = scale
            if tuple(map(str, layer.units)) != units and len(units) == layer.ndim:
                layer.units = units


def number(tip: str, low: float, high: float, suffix: str) -> QDoubleSpinBox:
    """Return a field for a number with a unit."""
    spin = Number()
    spin.setDecimals(6)
    spin.setSingleStep(0.01)
    spin.setRange(low, high)
    spin.setSuffix(suffix)
    spin.setToolTip(tip)
    spin.setMinimumWidth(60)
    spin.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
    return spin


def _layer_box(name: str, placeholder: str, tip: str, *, letters: int = 6) -> QComboBox:
    box = Choice()
    box.setToolTip(tip)
    box.setAccessibleName(name.lower())
    if placeholder:
        box.setPlaceholderText(placeholder)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(letters)
    box.setMinimumWidth(60)
    return box


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
    return bool(box.currentText() != old)
