"""Dock 2: name neurons. The table and the 3D view are one; everything can be done from the keyboard."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFrame,
    QLineEdit,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from ..model.errors import InputError
from ..model.neurons import info, mirror, normalize
from ..model.recording import Recording
from ..overlay.atlas import LANDMARKS, Suggestion
from ..overlay.confidence import doubtful, scale_of
from ..overlay.typing_ahead import offers
from .base import Dock, Fold, button, label, row
from .map_plot import MapPlot
from .notify import show_failure, show_info
from .offers import OfferList
from .tables import Column, Table
from .theme import swatch
from .trail import TrailList, local

SHOWN = ("All", "Unnamed", "Low confidence")


class NeuronsDock(Dock):
    """Names, confidence, notes; undo and redo without limit."""

    title = "Neurons"
    edits = True

    def build(self, layout: QVBoxLayout) -> None:
        self.empty = label("No neurons yet. Extract traces in the Recording dock, or open a recording.", "empty")
        layout.addWidget(self.empty)
        self.body = QWidget()
        layout.addWidget(self.body, 1)
        inner = QVBoxLayout(self.body)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(6)
        self.count = label("", "head")
        self.count_more = label("", "warning")
        self.count_more.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        inner.addLayout(row(self.count, self.count_more))
        self.share = QProgressBar()
        self.share.setTextVisible(False)
        inner.addWidget(self.share)

        card = QFrame()
        card.setObjectName("card")
        box = QVBoxLayout(card)
        box.setContentsMargins(6, 6, 6, 6)
        box.setSpacing(5)
        self.head = label("", "head")
        self.about = label("", "secondary")
        self.about.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        box.addLayout(row(self.head, self.about))
        self.edit = QLineEdit()
        self.edit.setPlaceholderText("type a name: aval, ava l, AVA …")
        self.edit.setClearButtonEnabled(True)
        self.edit.setToolTip(
            "Name of the chosen neuron. Type a part of it (aval, ava l, AVA); Enter assigns the highlighted name and goes on, a "
            "digit takes that name at once, Up and Down choose.\nEmpty and Enter takes the name away. Default: no name."
        )
        self.edit.setAccessibleName("name of the neuron")
        self.edit.textEdited.connect(lambda *_: self._suggest())
        self.edit.installEventFilter(self)
        box.addWidget(self.edit)
        self.options = OfferList(self.assign)
        box.addWidget(self.options)
        self.refusal = label("", "warning", wrap=True)
        self.jump = button("Go there", self._jump, "Show the neuron that has this name.")
        self.refusal_row = QWidget()
        self.refusal_row.setLayout(row(self.refusal, self.jump))
        box.addWidget(self.refusal_row)
        self.confidence = QDoubleSpinBox()
        self.confidence.setRange(0, 1)
        self.confidence.setSingleStep(0.1)
        self.confidence.setValue(1.0)
        self.confidence.setPrefix("confidence ")
        self.confidence.setToolTip(
            "How sure you are of the name, 0 to 1 (no unit); 0 to 5 or 100 where the recording's names are rated so. Default: the "
            "most. Below half it is shown in amber. Changing it changes the chosen neurons that have a name."
        )
        self.confidence.setAccessibleName("confidence")
        self._confidence_timer = QTimer(self)
        self._confidence_timer.setSingleShot(True)
        self._confidence_timer.setInterval(500)
        self._confidence_timer.timeout.connect(self._confidence_done)
        self.confidence.valueChanged.connect(lambda *_: self._confidence_timer.start())
        self.confidence.editingFinished.connect(self._confidence_done)
        self.assign_button = button("Assign", lambda: self.assign(), "Give this name (Enter).", main=True)
        self.reject_button = button(
            "Not a neuron", self.reject, "Mark as no neuron; it is left out of the analysis (Ctrl+K).", checkable=True
        )
        self.swap_button = button(
            "Swap L/R",
            self.swap,
            "Change the name to that of the other side; swaps the two if both are named (Ctrl+M).",
        )
        self.undo_button = button("Undo", self.undo, "Take the last change back (Ctrl+Z).")
        self.redo_button = button("Redo", self.redo, "Do it again (Ctrl+Shift+Z).")
        for one in (self.reject_button, self.swap_button, self.undo_button, self.redo_button):
            one.setObjectName("tight")
        box.addLayout(
            row(
                self.assign_button,
                self.reject_button,
                self.swap_button,
                None,
                self.undo_button,
                self.redo_button,
                spacing=2,
            )
        )
        self.note = QLineEdit()
        self.note.setPlaceholderText("note")
        self.note.setToolTip("A remark on the chosen neuron; Enter keeps it. Default: empty.")
        self.note.editingFinished.connect(self._note_done)
        box.addLayout(row(self.confidence, self.note))
        inner.addWidget(card)

        self.filters = [
            button(t, lambda t=t: self._filter(t), f"Show {t.lower()} neurons.", checkable=True) for t in SHOWN
        ]
        self.filters[0].setChecked(True)
        self.search = QLineEdit()
        self.search.setPlaceholderText("filter")
        self.search.setToolTip("Show neurons whose name, class or ganglion contains this. Default: all.")
        self.search.setMinimumWidth(50)
        self.search.setMaximumWidth(120)
        for one in self.filters:
            one.setObjectName("tight")
        self.search.textChanged.connect(lambda *_: self.mark("neurons"))
        inner.addLayout(row(*self.filters, None, self.search, spacing=4))
        self.table = Table(
            [
                Column("neuron", lambda r: str(r["label"]), 50, right=True, tip="Label in the image."),
                Column(
                    "name",
                    lambda r: r["name"] or "–",
                    84,
                    icon=lambda r: r["icon"],
                    bold=lambda r: r["chosen"],
                    strike=lambda r: r["rejected"],
                    tip="Swatch: the neuron's own mean colour where colour channels were measured, else its colour in 3D.",
                ),
                Column("class", lambda r: r["class"], 48, muted=True),
                Column("confidence", lambda r: _number(r["confidence"]), 92, bar=lambda r: r["sure"]),
                Column("named by", lambda r: r["by"], 0, muted=True, tip="Who gave the name, and when."),
            ],
            multi=True,
        )
        self.table.setMinimumHeight(140)
        self.table.rows_model.row_tip = _row_tip
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._table_chosen())
        self.table.doubleClicked.connect(lambda *_: self._fly())
        self.table.installEventFilter(self)
        inner.addWidget(self.table, 1)

        self.table.setToolTip("Neurons of the open worm. Shift or Ctrl and click choose several; typing begins a name.")
        self.map = MapPlot(self._map_chosen)
        self.map_fold = Fold("Map", self.map, summary="choose several with a lasso or a box")
        inner.addWidget(self.map_fold)
        self.atlas_text = label("no atlas: names are not suggested", "secondary")
        self.atlas_button = button(
            "Load atlas…",
            self.load_atlas,
            "CSV with columns name, x, y, z in µm (or x_um …, and sd_x … if known): names are then suggested by position, with "
            "their probability. Nothing is applied by itself. Default: none.",
        )
        inner.addLayout(row(self.atlas_text, self.atlas_button))
        self.missing = label("", "secondary", wrap=True)
        self.missing.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.LinksAccessibleByMouse
            | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        )
        self.missing.setToolTip(
            "Names of these ganglia that no neuron has yet; in colour those whose partner on the other side is named. A click "
            "offers the name for the chosen neuron; with an atlas and no neuron chosen, it goes to the likeliest one."
        )
        self.missing.linkActivated.connect(self._missing_chosen)
        self.find_fold = Fold("Still to find", self.missing, is_open=True)
        inner.addWidget(self.find_fold)
        self.trail = TrailList(self._go_to_label)
        self.trail_fold = Fold("History", self.trail)
        inner.addWidget(self.trail_fold)
        self._atlas_table: Any = None
        self._atlas_for: Any = None
        self._atlas_job: Any = None
        self._atlas_timer = QTimer(self)
        self._atlas_timer.setSingleShot(True)
        self._atlas_timer.setInterval(400)
        self._atlas_timer.timeout.connect(self._suggest_again)
        self._mode = SHOWN[0]
        self._conflict: str | None = None
        self._atlas: dict[str, list[Suggestion]] = {}
        self._rows: list[dict[str, Any]] = []
        self._known_edits = -1
        self._named_by: dict[tuple[str, int], Any] = {}

    # --- showing ----------------------------------------------------------------------------------------------------

    def refresh(self, topics: set[str]) -> None:
        recording = self.session.recording
        self.empty.setVisible(recording is None)
        self.body.setVisible(recording is not None)
        self.options.painter.colours = self.colours
        if recording is None:
            return
        if topics & {"current", "recordings"}:
            self._atlas = {}
        if topics & {"current", "recordings", "neurons"} and self._atlas_table is not None:
            self._atlas_timer.start()
        if topics & {"selection", "current", "recordings"} and self._confidence_timer.isActive():
            self._confidence_timer.stop()
        if topics - {"time", "history", "jobs", "view", "sweep", "cohort"}:
            self._show_table(recording)
            self._show_card(recording)
            drawn = self.work.scene.drawn
            fills = drawn.base if drawn is not None and len(drawn.ids) == recording.n_neurons else None
            self.map.show_recording(recording, set(self.session.selection.neurons), fills, self.colours)
        self.trail_fold.summary.setText(self.trail.show_trail(self.session))
        for one, edits, key, word in (
            (self.undo_button, self.session.done, "Ctrl+Z", "Take back"),
            (self.redo_button, self.session.undone, "Ctrl+Shift+Z", "Do again"),
        ):
            one.setEnabled(bool(edits))
            one.setToolTip(f"{word}: {edits[-1].text} ({key})." if edits else f"{word}: nothing to do ({key}).")

    def _show_table(self, recording: Recording) -> None:
        table = recording.neurons
        named = (table["name"] != "").to_numpy()
        unsure, scale = doubtful(table), scale_of(table)
        self.count.setText(f"{int(named.sum())} of {len(table)} named")
        parts = [f"{int(unsure.sum())} low confidence"] if unsure.any() else []
        parts.append(f"{int((~named).sum())} unnamed")
        self.count_more.setText("  ·  ".join(parts))
        self.share.setRange(0, len(table))
        self.share.setValue(int(named.sum()))
        chosen = set(self.session.selection.neurons)
        who = self._who()
        text = self.search.text().strip().lower()
        swatches = self._swatches(recording)
        rows = []
        columns = [table[c].tolist() for c in ("name", "label", "confidence", "rejected", "note")]
        for place, (neuron, name, number, confidence, rejected, note) in enumerate(
            zip(table.index.tolist(), *columns, strict=True)
        ):
            if self._mode == "Unnamed" and name:
                continue
            if self._mode == "Low confidence" and not unsure[place]:
                continue
            entry = info(name) if name else None
            neuron_class, ganglion = (entry.neuron_class, entry.ganglion) if entry else ("", "")
            if text and text not in f"{name} {neuron_class} {ganglion} {number} {note}".lower():
                continue
            edit = who.get((recording.name, number))
            rows.append(
                {
                    "id": str(neuron),
                    "label": number,
                    "name": name,
                    "class": neuron_class,
                    "ganglion": ganglion,
                    "mirror": mirror(name) or "" if name else "",
                    "confidence": confidence,
                    "sure": confidence / scale,
                    "by": f"{edit.who}, {local(edit.when)[:10]}" if edit and name else ("imported" if name else ""),
                    "rejected": rejected,
                    "note": note,
                    "chosen": str(neuron) in chosen,
                    "icon": swatches[place],
                }
            )
        self._rows = rows
        self.table.set_colours(self.colours)
        self.table.rows_model.set_rows(rows)
        self.table.choose([i for i, r in enumerate(rows) if r["chosen"]])
        self._show_missing(recording)

    def _who(self) -> dict[tuple[str, int], Any]:
        """Return the last edit of every neuron's name; made anew only when there are new edits."""
        trail = self.session.trail
        if self._known_edits != len(trail):
            self._known_edits = len(trail)
            self._named_by = {(e.recording, c[0]): e for e in trail for c in e.changes if c[1] == "name"}
        return self._named_by

    def _swatches(self, recording: Recording) -> list[Any]:
        """The neuron's own mean colour where colour channels are known (NeuroPAL), else the colour that it has in 3D."""
        table = recording.neurons
        dark = self.colours.dark
        if {"red", "green", "blue"} <= set(table.columns):
            values = mixed_colours(table[["red", "green", "blue"]].to_numpy(float))
            return [swatch("#" + "".join(f"{round(v * 255):02x}" for v in one), dark) for one in values]
        drawn = self.work.scene.drawn
        if drawn is None or len(drawn.ids) != len(table):
            return [None] * len(table)
        cache: dict[str, Any] = {}
        icons = []
        for colour in drawn.base:
            text = "#" + "".join(f"{round(v * 255):02x}" for v in np.clip(colour, 0, 1))
            icons.append(cache.setdefault(text, swatch(text, dark)))
        return icons

    def _show_missing(self, recording: Recording) -> None:
        from ..model.neurons import CANONICAL, HEAD_GANGLIA

        present = set(recording.neurons["name"])
        ganglia = {e.ganglion for e in map(info, present) if e} or set(HEAD_GANGLIA)
        wanted = [n for n in CANONICAL if (e := info(n)) and e.ganglion in ganglia and n not in present]
        mirrored = [n for n in wanted if mirror(n) in present]
        others = [n for n in wanted if mirror(n) not in present]
        self.find_fold.summary.setText(f"{len(wanted)} in these ganglia  ·  {len(mirrored)} whose mirror is named")
        self.missing.setTextFormat(Qt.TextFormat.RichText)
        links = [_link(n, self.colours.accent) for n in mirrored] + [
            _link(n, self.colours.secondary) for n in others[:60]
        ]
        self.missing.setText(" ".join(links) + (" …" if len(others) > 60 else ""))

    def _current(self) -> tuple[str, Any] | None:
        recording = self.session.recording
        if recording is None:
            return None
        chosen = [n for n in self.session.selection.neurons if n in recording.neurons.index]
        return (chosen[0], recording.neurons.loc[chosen[0]]) if chosen else None

    def _show_card(self, recording: Recording) -> None:
        current = self._current()
        self.refusal_row.hide()
        for widget in (self.edit, self.assign_button, self.reject_button, self.swap_button, self.note, self.confidence):
            widget.setEnabled(current is not None)
        if current is None:
            self.head.setText("Choose a neuron")
            self.about.setText("in the table or in the 3D view")
            self.options.clear()
            self.options.hide()
            return
        neuron, item = current
        several = len([n for n in self.session.selection.neurons if n in recording.neurons.index])
        self.head.setText(
            (f"{several} neurons, first: {item['label']}" if several > 1 else f"neuron {item['label']}")
            + (f"  {item['name']}" if item["name"] else "")
        )
        where = "  ".join(f"{a} {item[a]:.1f}" for a in "xyz") if np.isfinite(item["x"]) else "no position"
        snr = ""
        if recording.quality is not None and "snr" in recording.quality:
            snr = f" µm  ·  SNR {recording.quality.loc[neuron, 'snr']:.1f}"
        self.about.setText(where + (snr or " µm"))
        if not self.edit.hasFocus() or not self.edit.isModified():
            self.edit.setText(str(item["name"]))
        self.reject_button.setChecked(bool(item["rejected"]))
        self.swap_button.setEnabled(bool(item["name"]) and mirror(str(item["name"])) is not None)
        if not self.note.hasFocus() or not self.note.isModified():
            self.note.setText(str(item["note"]))
        self.confidence.blockSignals(True)
        scale = scale_of(recording.neurons)
        self.confidence.setRange(0, scale)
        self.confidence.setSingleStep(0.1 if scale == 1 else scale / 5)
        self.confidence.setValue(float(item["confidence"]) if np.isfinite(item["confidence"]) else scale)
        self.confidence.blockSignals(False)
        self._suggest()

    # --- typing -----------------------------------------------------------------------------------------------------

    def _suggest(self) -> None:
        """List names for what was typed, or what the atlas suggests."""
        recording, current = self.session.recording, self._current()
        self.refusal_row.hide()
        if recording is None or current is None:
            self.options.clear()
            return
        names, labels = recording.neurons["name"].tolist(), recording.neurons["label"].tolist()
        holders = {n: int(i) for n, i in zip(names, labels, strict=True) if n}
        typed = self.edit.text().strip() if self.edit.isModified() else ""
        probability = {s.name: s.probability for s in self._atlas.get(current[0], [])}
        found = offers(typed, holders, int(current[1]["label"]), probability)
        self.options.show_offers(found, typed, highlight=bool(typed))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress:
            key, control = event.key(), event.modifiers() & Qt.KeyboardModifier.ControlModifier
            if watched is self.edit:
                if key in (Qt.Key.Key_Down, Qt.Key.Key_Up) and self.options.count():
                    self.options.step(1 if key == Qt.Key.Key_Down else -1)
                    return True
                if not control and event.text().isdigit() and event.text() in "12345678":
                    before = self.edit.text() if self.edit.isModified() else ""
                    name = self.options.by_digit(before, event.text())
                    if name is not None:
                        self.assign(name)
                        return True
                if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                    self.assign()
                    return True
                if key == Qt.Key.Key_Escape:
                    self.edit.setModified(False)
                    self.mark("selection")
                    self.table.setFocus()
                    return True
            if watched is self.table and not control and key not in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                text = event.text()
                if text.isalnum():
                    # Typing in the table starts a name: no mouse is needed.
                    self.edit.setFocus()
                    self.edit.setText(text)
                    self.edit.setModified(True)
                    self._suggest()
                    return True
            if watched is self.table and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self.edit.setFocus()
                self.edit.selectAll()
                return True
            if control and watched in (self.table, self.edit):
                if key == Qt.Key.Key_Z:
                    self.redo() if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else self.undo()
                    return True
                if key == Qt.Key.Key_M:
                    self.swap()
                    return True
                if key == Qt.Key.Key_K:
                    self.reject()
                    return True
        return super().eventFilter(watched, event)

    # --- actions ----------------------------------------------------------------------------------------------------

    def assign(self, name: str | None = None) -> None:
        """Give the chosen neuron a name: the one given, the highlighted one, or what was typed; then go on to the next."""
        current = self._current()
        if current is None:
            return
        typed = self.edit.text().strip()
        if name is None:
            highlighted = (self.options.currentRow() >= 0 and self.options.current_name()) or None
            if not self.edit.isModified():
                name = highlighted or typed
            elif not typed:
                name = ""
            elif self.options.currentRow() > 0:
                name = highlighted
            else:
                name = normalize(typed) or highlighted or typed
        label_id = int(current[1]["label"])
        self._confidence_timer.stop()
        try:
            confidence = self.confidence.value() if name else float("nan")
            self.session.name_neuron(label_id, name, confidence=confidence)
        except InputError as error:
            self._refuse(name, error)
            return
        self.edit.setModified(False)
        self._next_after(label_id)
        self.flush()

    def _refuse(self, name: str, error: InputError) -> None:
        recording = self.session.recording
        self._conflict = str(name) if recording is not None and name in recording.neurons.index else None
        if self._conflict is not None:
            other = int(recording.neurons.loc[name, "label"])
            self.refusal.setText(f"Neuron {other} is {name} already; a name can be given once.")
        else:
            self.refusal.setText(str(error))
        self.jump.setVisible(self._conflict is not None)
        self.refusal_row.show()

    def _jump(self) -> None:
        if self._conflict is not None:
            self.session.select(neurons=(self._conflict,))
            self.work.scene.fly_to(self._conflict)

    def _next_after(self, label_id: int) -> None:
        """Go to the next neuron in the table, so that many can be named without the mouse."""
        places = [i for i, r in enumerate(self._rows) if r["label"] == label_id]
        if not places or places[0] + 1 >= len(self._rows):
            return
        following = self._rows[places[0] + 1]["label"]
        table = self.session.recording.neurons
        self.session.select(neurons=(str(table.index[table["label"] == following][0]),))

    def reject(self) -> None:
        """Mark the chosen neurons as no neurons, or take the mark back."""
        recording = self.session.recording
        chosen = [n for n in self.session.selection.neurons if recording is not None and n in recording.neurons.index]
        if not chosen:
            return
        state = not bool(recording.neurons.loc[chosen[0], "rejected"])
        changes = {int(recording.neurons.loc[n, "label"]): {"rejected": state} for n in chosen}
        self._edit(changes)

    def swap(self) -> None:
        """Change the name to that of the other side; if the other side is named too, the two names are exchanged."""
        recording, current = self.session.recording, self._current()
        if recording is None or current is None or not current[1]["name"]:
            return
        other = mirror(str(current[1]["name"]))
        if other is None:
            show_info(f"{current[1]['name']} has no partner on the other side.")
            return
        changes = {int(current[1]["label"]): {"name": other}}
        if other in recording.neurons.index:
            changes[int(recording.neurons.loc[other, "label"])] = {"name": str(current[1]["name"])}
        self._edit(changes)

    def _note_done(self) -> None:
        current = self._current()
        if current is not None and self.note.text() != current[1]["note"]:
            self._edit({int(current[1]["label"]): {"note": self.note.text()}})

    def _confidence_done(self) -> None:
        """Give the chosen neurons that have a name the confidence that is shown."""
        recording = self.session.recording
        self._confidence_timer.stop()
        if recording is None:
            return
        value = round(self.confidence.value(), 4)
        table = recording.neurons
        chosen = [n for n in self.session.selection.neurons if n in table.index and table.loc[n, "name"]]
        scale = scale_of(table)
        known = [c if np.isfinite(c := float(table.loc[n, "confidence"])) else scale for n in chosen]
        if any(abs(c - value) > 0.005 for c in known):  # the field shows two digits
            self._edit({int(table.loc[n, "label"]): {"confidence": value} for n in chosen})

    def _map_chosen(self, neurons: list[str], more: bool) -> None:
        self.session.select(neurons=(*self.session.selection.neurons, *neurons) if more else tuple(neurons))

    def _go_to_label(self, number: int) -> None:
        recording = self.session.recording
        if recording is None:
            return
        found = recording.neurons.index[recording.neurons["label"] == number]
        if len(found):
            self.session.select(neurons=(str(found[0]),))
            self.work.scene.fly_to(str(found[0]))

    def _missing_chosen(self, name: str) -> None:
        """Offer a name that is still to find: for the chosen neuron, or where the atlas puts it."""
        if self._current() is None:
            chance = {n: s.probability for n, found in self._atlas.items() for s in found if s.name == name}
            if not chance:
                show_info("Choose a neuron first, in the table or in the 3D view.")
                return
            best = max(chance, key=lambda n: chance[n])
            self.session.select(neurons=(best,))
            self.work.scene.fly_to(best)
            self.flush()
        self.edit.setFocus()
        self.edit.setText(name)
        self.edit.setModified(True)
        self._suggest()

    def _edit(self, changes: dict[int, dict[str, Any]]) -> None:
        self._try(lambda: self.session.edit(self.session.current, changes))

    def _try(self, change: Any) -> None:
        try:
            change()
        except InputError as error:
            show_failure(self.viewer, "Edit", error)

    def undo(self) -> None:
        """Take the last change back."""
        self.edit.setModified(False)
        self._try(self.session.undo)

    def redo(self) -> None:
        """Do the last undone change again."""
        self.edit.setModified(False)
        self._try(self.session.redo)

    def _filter(self, which: str) -> None:
        self._mode = which
        for one in self.filters:
            one.setChecked(one.text() == which)
        self.mark("neurons")

    def _table_chosen(self) -> None:
        if self.table.quiet:
            return
        rows = self.table.chosen()
        if rows:
            self.edit.setModified(False)
            self.session.select(neurons=tuple(r["id"] for r in rows))

    def _fly(self) -> None:
        if self.session.selection.neurons:
            self.work.scene.fly_to(self.session.selection.neurons[0])

    # --- atlas ------------------------------------------------------------------------------------------------------

    def load_atlas(self, path: str | None = None) -> Any | None:
        """Ask for an atlas of positions and suggest names by it."""
        recording = self.session.recording
        if recording is None:
            return None
        if path is None:
            from qtpy.QtWidgets import QFileDialog

            path, _ = QFileDialog.getOpenFileName(self, "Atlas of positions", filter="CSV (*.csv)")
        if not path:
            return None
        source = path

        def run(progress: Any, cancel: Any) -> tuple[Any, dict[str, list[Suggestion]]]:
            from ..overlay.atlas import read_atlas, suggest

            atlas = read_atlas(source)
            return atlas, suggest(recording, atlas, progress=progress, cancel=cancel)

        def done(result: tuple[Any, dict[str, list[Suggestion]]]) -> None:
            self._atlas_table = result[0]
            self._suggested(recording, result[1])

        return self.work.jobs.start("Suggest names", run, done)

    def _suggest_again(self) -> None:
        """Lay the neurons over the atlas again: every new name makes it fit better."""
        recording, atlas = self.session.recording, self._atlas_table
        if recording is None or atlas is None or not self.isVisible():
            return
        key = (recording.name, tuple(recording.neurons["name"]), tuple(recording.neurons["rejected"]))
        if key == self._atlas_for:
            return

        def run(progress: Any, cancel: Any) -> dict[str, list[Suggestion]]:
            from ..overlay.atlas import suggest

            return suggest(recording, atlas, progress=progress, cancel=cancel)

        if self._atlas_job is not None and self._atlas_job.running:
            self._atlas_job.cancel()  # it was for fewer names
        self._atlas_job = self.work.jobs.start("Suggest names", run, lambda found: self._suggested(recording, found))

    def _suggested(self, recording: Recording, found: dict[str, list[Suggestion]]) -> None:
        current = self.session.recording
        if current is None or current.name != recording.name:
            return
        self._atlas_for = (recording.name, tuple(recording.neurons["name"]), tuple(recording.neurons["rejected"]))
        now = dict(zip(recording.neurons["label"], current.neurons.index, strict=False))
        labels = dict(zip(recording.neurons.index, recording.neurons["label"], strict=True))
        self._atlas = {str(now.get(labels[n], n)): s for n, s in found.items()}
        named = len(set(recording.neurons["name"]) & set(self._atlas_table.index))
        self.atlas_text.setText(
            f"atlas laid over {named} names"
            if named >= LANDMARKS
            else f"atlas laid without names: a guess; name {LANDMARKS} or more first"
        )
        self.atlas_text.setToolTip(
            "Names are suggested in the list of the chosen neuron, with their probability. Every name you give improves the fit."
        )
        self.mark("selection")


def mixed_colours(values: np.ndarray) -> np.ndarray:
    """Colours (neuron, 3) from 0 to 1 out of mean intensities: each channel from its 5th percentile to its 99th."""
    if not np.isfinite(values).any():
        return np.zeros(values.shape)
    low, high = np.nanpercentile(values, 5, axis=0), np.nanpercentile(values, 99, axis=0)
    return np.asarray(np.nan_to_num(np.clip((values - low) / np.where(high > low, high - low, 1), 0, 1)))


def _link(name: str, colour: str) -> str:
    return f'<a href="{name}" style="color:{colour}; text-decoration:none">{name}</a>'


def _number(value: float) -> str:
    return "" if value != value else f"{value:.2f}"


def _row_tip(row: dict[str, Any]) -> str:
    parts = [row["name"] or "unnamed"]
    if row["ganglion"]:
        parts.append(
            f"class {row['class']}, {row['ganglion']} ganglion" + (f", mirror {row['mirror']}" if row["mirror"] else "")
        )
    if row["by"]:
        parts.append(f"named by {row['by']}")
    if row["rejected"]:
        parts.append("rejected: left out of the analysis")
    if row["note"]:
        parts.append(row["note"])
    return "\n".join(parts)
