"""Neurons: naming them. The table and the 3D view are one; everything can be done from the keyboard."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFrame,
    QLineEdit,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from ...model.errors import InputError
from ...model.neurons import info, mirror, normalize
from ...model.recording import Recording
from ...naming.confidence import doubtful, scale_of
from ...naming.name_completion import completions
from ...session.groups import members_here
from ..qt.controls import Fold, button, label, row
from ..qt.notify import show_failure, show_info
from ..views.colour_by import ColourBy
from ..views.column_limits import ColumnLimits
from ..views.history import HistoryList
from ..views.map_plot import MapPlot
from ..views.name_completion_list import CompletionList
from ..views.neuron_table import SHOWN, Namers, NeuronTable, neuron_rows, row_notes, swatches
from ..workspace.hover import watch_table
from .atlas_names import AtlasNames
from .base import Dock
from .groups_panel import GroupsPanel

ORDER = 30


class NeuronsDock(Dock):
    """Names, confidence, notes; undo and redo without limit."""

    title = "Neurons"
    edits = True

    def build(self, layout: QVBoxLayout) -> None:
        self.empty = label("No neurons yet. Extract traces in the Recording dock, or open a recording.", "empty")
        layout.addWidget(self.empty, 1)
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

        inner.addWidget(self._build_card())

        self._build_table(inner)
        self._build_folds(inner)
        self._mode = SHOWN[0]
        self._conflict: str | None = None
        self._rows: list[dict[str, Any]] = []
        self._who = Namers()
        self._missing_of: tuple[set[str], Any] | None = None

    def _build_card(self) -> QFrame:
        """The chosen neuron: its name, confidence and note, and what is done with it."""
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
        self.options = CompletionList(self.assign)
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
        # Qt 6.7 takes it for narrower than its text; where a style sheet says a width, only a style sheet changes it
        wide = self.confidence.fontMetrics().horizontalAdvance("confidence 5.00") + 20
        self.confidence.setStyleSheet(f"QAbstractSpinBox {{ min-width: {wide}px; }}")
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
            "Change the name to that of the other side; swaps the two if both are named (Ctrl+B).",
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
        return card

    def _build_table(self, inner: QVBoxLayout) -> None:
        """All neurons, and which of them are shown."""
        self.filters = [
            button(t, partial(self._filter, t), f"Show {t.lower()} neurons.", checkable=True) for t in SHOWN
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
        self.colour_by = ColourBy(self.work)
        self.table = NeuronTable()
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._table_chosen())
        self.table.doubleClicked.connect(lambda *_: self._fly())
        self.table.installEventFilter(self)
        watch_table(self.work.hover, self.table, lambda r: (r["id"], "", row_notes(r)))
        inner.addWidget(self.table, 1)

    def _build_folds(self, inner: QVBoxLayout) -> None:
        """Colours, map, groups, atlas, what is still to find, history."""
        self.card_check = QCheckBox("card")
        self.card_check.setToolTip(
            "Card of the neuron under the mouse, in the 3D view, heatmap, matrix and tables; it is marked in all of them. Default: yes."
        )
        self.card_check.setAccessibleName("card of the neuron under the mouse")
        self.card_check.setChecked(self.work.hover.on)
        self.card_check.toggled.connect(self.work.hover.switch)
        colour_row = row(label("Colour", "head"), self.colour_by, spacing=6)
        colour_row.addWidget(self.card_check)
        inner.addLayout(colour_row)
        self.limits = ColumnLimits(self.work)
        inner.addWidget(self.limits)
        self.map = MapPlot(self._map_chosen)
        self.map_fold = Fold("Map", self.map, summary="choose several with a lasso or a box")
        inner.addWidget(self.map_fold)
        self.groups = GroupsPanel(self.work)
        self.groups_fold = Fold("Groups", self.groups)
        inner.addWidget(self.groups_fold)
        self.atlas = AtlasNames(self.work)
        self.atlas.found.connect(lambda: self.mark("selection"))
        inner.addWidget(self.atlas)
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
        self.history = HistoryList(self._go_to)
        self.history_fold = Fold("History", self.history)
        inner.addWidget(self.history_fold)

    # --- showing ----------------------------------------------------------------------------------------------------

    def refresh(self, topics: set[str]) -> None:
        recording = self.session.recording
        self.empty.setVisible(recording is None)
        self.body.setVisible(recording is not None)
        self.options.painter.colours = self.colours
        if recording is None:
            return
        if topics - {"time", "history", "jobs"}:
            self.colour_by.fill()
            self.limits.show_column(self.colours)
        if topics & {"current", "recordings"}:
            self.atlas.forget()
        if topics & {"current", "recordings", "neurons"}:
            self.atlas.suggest_soon()
        if topics & {"selection", "current", "recordings"} and self._confidence_timer.isActive():
            self._confidence_timer.stop()
        if topics - {"time", "history", "jobs", "view", "sweep", "cohort"}:
            self._show_table(recording)
            self._show_card(recording)
            drawn = self.work.scene.drawn
            fills = drawn.base if drawn is not None and len(drawn.ids) == recording.n_neurons else None
            self.map.show_recording(recording, set(self.session.selection.neurons), fills, self.colours)
        if topics - {"time", "jobs"}:
            self.groups_fold.summary.setText(self.groups.show_groups())
        self.history_fold.summary.setText(self.history.show_history(self.session))
        for one, edits, key, word in (
            (self.undo_button, self.session.done, "Ctrl+Z", "Take back"),
            (self.redo_button, self.session.undone, "Ctrl+Shift+Z", "Do again"),
        ):
            one.setEnabled(bool(edits))
            one.setToolTip(f"{word}: {edits[-1].text} ({key})." if edits else f"{word}: nothing to do ({key}).")

    def _show_table(self, recording: Recording) -> None:
        table = recording.neurons
        named = (table["name"] != "").to_numpy()
        unsure = doubtful(table)
        self.count.setText(f"{int(named.sum())} of {len(table)} named")
        parts = [f"{int(unsure.sum())} low confidence"] if unsure.any() else []
        parts.append(f"{int((~named).sum())} unnamed")
        self.count_more.setText("  ·  ".join(parts))
        if (self.share.maximum(), self.share.value()) != (len(table), int(named.sum())):  # Qt paints it at once
            self.share.setRange(0, len(table))
            self.share.setValue(int(named.sum()))
        self._rows = neuron_rows(
            recording,
            shown=self._mode,
            text=self.search.text(),
            chosen=set(self.session.selection.neurons),
            named_by=self._who.of(self.session.history),
            icons=swatches(recording, self.work.scene.drawn, self.colours.dark),
        )
        self.table.set_colours(self.colours)
        self.table.rows_model.set_rows(self._rows)
        self.table.choose([i for i, r in enumerate(self._rows) if r["chosen"]])
        self._show_missing(recording)

    def _show_missing(self, recording: Recording) -> None:
        from ...model.neurons import CANONICAL, HEAD_GANGLIA

        present = set(recording.neurons["name"].tolist())
        if self._missing_of == (present, self.colours):
            return
        self._missing_of = (present, self.colours)
        ganglia = {e.ganglion for e in map(info, present) if e} or set(HEAD_GANGLIA)
        wanted = [n for n in CANONICAL if (e := info(n)) and e.ganglion in ganglia and n not in present]
        mirrored = [n for n in wanted if mirror(n) in present]
        others = [n for n in wanted if mirror(n) not in present]
        self.find_fold.summary.setText(f"{len(wanted)} in these ganglia  ·  {len(mirrored)} with mirror")
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
        probability = {s.name: s.probability for s in self.atlas.names.get(current[0], [])}
        found = completions(typed, holders, int(current[1]["label"]), probability)
        self.options.show_completions(found, typed, highlight=bool(typed))

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
                if key == Qt.Key.Key_B:
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
                name = highlighted or typed
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
        if recording is not None and self._conflict is not None:
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
        recording = self.session.recording
        if recording is not None:
            table = recording.neurons
            self.session.select(neurons=(str(table.index[table["label"] == following][0]),))

    def reject(self) -> None:
        """Mark the chosen neurons as no neurons, or take the mark back."""
        recording = self.session.recording
        if recording is None:
            return
        chosen = [n for n in self.session.selection.neurons if n in recording.neurons.index]
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

    def _go_to(self, what: int | str) -> None:
        """Go to a neuron by its label, or choose a group by its name."""
        recording = self.session.recording
        if recording is None:
            return
        if isinstance(what, str):
            self.session.select(neurons=members_here(self.session, what, recording))
            return
        found = recording.neurons.index[recording.neurons["label"] == what]
        if len(found):
            self.session.select(neurons=(str(found[0]),))
            self.work.scene.fly_to(str(found[0]))

    def _missing_chosen(self, name: str) -> None:
        """Offer a name that is still to find: for the chosen neuron, or where the atlas puts it."""
        if self._current() is None:
            chance = {n: s.probability for n, found in self.atlas.names.items() for s in found if s.name == name}
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
        current = self.session.current
        if current is not None:
            self._try(lambda: self.session.edit(current, changes))

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


def _link(name: str, colour: str) -> str:
    return f'<a href="{name}" style="color:{colour}; text-decoration:none">{name}</a>'
