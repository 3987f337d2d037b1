"""Dock 2: name neurons. The table and the 3D view are one; everything can be done from the keyboard."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFrame,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ..model.errors import InputError
from ..model.neurons import complete, info, mirror, normalize
from ..model.recording import Recording
from ..overlay.atlas import Suggestion
from ..overlay.scene import LOW_CONFIDENCE
from .base import Dock, Fold, button, label, row
from .notify import show_failure, show_info
from .tables import Column, Table
from .theme import swatch

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
        from qtpy.QtWidgets import QProgressBar

        self.share = QProgressBar()
        self.share.setTextVisible(False)
        inner.addWidget(self.share)

        card = QFrame()
        card.setObjectName("card")
        box = QVBoxLayout(card)
        box.setContentsMargins(8, 6, 8, 6)
        box.setSpacing(5)
        self.head = label("", "head")
        self.about = label("", "secondary")
        self.about.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        box.addLayout(row(self.head, self.about))
        self.edit = QLineEdit()
        self.edit.setPlaceholderText("type a name: aval, ava l, AVA …")
        self.edit.setClearButtonEnabled(True)
        self.edit.setToolTip(
            "Name of the chosen neuron. Type a part of it; Up and Down choose, Enter assigns and goes on.\nDefault: no name."
        )
        self.edit.setAccessibleName("name of the neuron")
        self.edit.textEdited.connect(lambda *_: self._suggest())
        self.edit.installEventFilter(self)
        box.addWidget(self.edit)
        self.options = QListWidget()
        self.options.setFixedHeight(86)
        self.options.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.options.itemClicked.connect(lambda item: self.assign(item.data(Qt.ItemDataRole.UserRole)))
        self.options.setToolTip("Names that fit. Struck out: another neuron has this name already.")
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
        self.confidence.setToolTip("How sure you are of the name, 0 to 1. Default: 1. Below 0.5 it is shown in amber.")
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
                spacing=4,
            )
        )
        self.note = QLineEdit()
        self.note.setPlaceholderText("note")
        self.note.setToolTip("A remark on this neuron; Enter keeps it. Default: empty.")
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
        self.search.setMaximumWidth(120)
        self.search.textChanged.connect(lambda *_: self.mark("neurons"))
        inner.addLayout(row(*self.filters, None, self.search, spacing=4))
        self.table = Table(
            [
                Column("neuron", lambda r: str(r["label"]), 50, right=True, tip="Label in the image."),
                Column("name", lambda r: r["name"] or "–", 84, icon=lambda r: r["icon"], bold=lambda r: r["chosen"]),
                Column("class", lambda r: r["class"], 48, muted=True),
                Column("confidence", lambda r: _number(r["confidence"]), 98, bar=lambda r: r["confidence"]),
                Column("named by", lambda r: r["by"], 0, muted=True),
            ],
            multi=True,
        )
        self.table.setMinimumHeight(140)
        self.table.rows_model.row_tip = _row_tip
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._table_chosen())
        self.table.doubleClicked.connect(lambda *_: self._fly())
        self.table.installEventFilter(self)
        inner.addWidget(self.table, 1)

        self.atlas_text = label("", "secondary")
        self.atlas_button = button(
            "Load atlas…",
            self.load_atlas,
            "CSV with columns name, x, y, z (any unit): names are then suggested by position. Nothing is applied by itself.",
        )
        inner.addLayout(row(self.atlas_text, self.atlas_button))
        self.missing = label("", "secondary", wrap=True)
        self.missing.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.find_fold = Fold("Still to find", self.missing, is_open=True)
        inner.addWidget(self.find_fold)
        self._mode = SHOWN[0]
        self._conflict: str | None = None
        self._atlas: dict[str, list[Suggestion]] = {}
        self._rows: list[dict[str, Any]] = []

    # --- showing ----------------------------------------------------------------------------------------------------

    def refresh(self, topics: set[str]) -> None:
        recording = self.session.recording
        self.empty.setVisible(recording is None)
        self.body.setVisible(recording is not None)
        if recording is None:
            return
        if topics & {"current", "recordings"}:
            self._atlas = {}
        if topics - {"time", "history", "jobs", "view", "sweep", "cohort"}:
            self._show_table(recording)
            self._show_card(recording)
        if topics & {"history"}:
            pass
        self.undo_button.setEnabled(bool(self.session.done))
        self.redo_button.setEnabled(bool(self.session.undone))
        self.undo_button.setToolTip(
            f"Take back: {self.session.done[-1].text} (Ctrl+Z)." if self.session.done else "Nothing to take back."
        )

    def _show_table(self, recording: Recording) -> None:
        table = recording.neurons
        named = (table["name"] != "").to_numpy()
        doubtful = named & (table["confidence"] < LOW_CONFIDENCE).to_numpy()
        self.count.setText(f"{int(named.sum())} of {len(table)} named")
        parts = [f"{int(doubtful.sum())} low confidence"] if doubtful.any() else []
        parts.append(f"{int((~named).sum())} unnamed")
        self.count_more.setText("  ·  ".join(parts))
        self.share.setRange(0, len(table))
        self.share.setValue(int(named.sum()))
        chosen = set(self.session.selection.neurons)
        who = {(e.recording, c[0]): e for e in self.session.trail for c in e.changes if c[1] == "name"}
        text = self.search.text().strip().lower()
        swatches = self._swatches(recording)
        rows = []
        for place, (neuron, item) in enumerate(table.iterrows()):
            name = str(item["name"])
            if self._mode == "Unnamed" and name:
                continue
            if self._mode == "Low confidence" and not doubtful[place]:
                continue
            entry = info(name) if name else None
            if (
                text
                and text
                not in f"{name} {entry.neuron_class if entry else ''} {entry.ganglion if entry else ''} {item['label']}".lower()
            ):
                continue
            edit = who.get((recording.name, int(item["label"])))
            rows.append(
                {
                    "id": str(neuron),
                    "label": int(item["label"]),
                    "name": name,
                    "class": entry.neuron_class if entry else "",
                    "ganglion": entry.ganglion if entry else "",
                    "confidence": float(item["confidence"]),
                    "by": f"{edit.who}, {edit.when[:10]}" if edit and name else ("imported" if name else ""),
                    "rejected": bool(item["rejected"]),
                    "note": str(item["note"]),
                    "chosen": str(neuron) in chosen,
                    "icon": swatches[place],
                }
            )
        self._rows = rows
        self.table.set_colours(self.colours)
        self.table.rows_model.set_rows(rows)
        self.table.choose([i for i, r in enumerate(rows) if r["chosen"]])
        self._show_missing(recording)

    def _swatches(self, recording: Recording) -> list[Any]:
        """The neuron's own mean colour where colour channels are known (NeuroPAL), else the colour that it has in 3D."""
        table = recording.neurons
        dark = self.colours.dark
        if {"red", "green", "blue"} <= set(table.columns):
            values = table[["red", "green", "blue"]].to_numpy(float)
            top = np.nanmax(values, axis=0)
            values = np.nan_to_num(values / np.where(top > 0, top, 1))
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
        first = f'<span style="color:{self.colours.accent}">{" ".join(mirrored)}</span>' if mirrored else ""
        self.missing.setTextFormat(Qt.TextFormat.RichText)
        self.missing.setText(f"{first} {' '.join(others[:60])}{' …' if len(others) > 60 else ''}")

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
        self.head.setText(f"neuron {item['label']}" + (f"  {item['name']}" if item["name"] else ""))
        where = "  ".join(f"{a} {item[a]:.1f}" for a in "xyz") if np.isfinite(item["x"]) else "no position"
        snr = ""
        if recording.quality is not None and "snr" in recording.quality:
            snr = f" µm  ·  SNR {recording.quality.loc[neuron, 'snr']:.1f}"
        self.about.setText(where + (snr or " µm"))
        if not self.edit.hasFocus() or not self.edit.isModified():
            self.edit.setText(str(item["name"]))
        self.reject_button.setChecked(bool(item["rejected"]))
        self.swap_button.setEnabled(bool(item["name"]) and mirror(str(item["name"])) is not None)
        self.note.setText(str(item["note"]))
        if np.isfinite(item["confidence"]):
            self.confidence.setValue(float(item["confidence"]))
        else:
            self.confidence.setValue(1.0)
        self._suggest()

    # --- typing -----------------------------------------------------------------------------------------------------

    def _suggest(self) -> None:
        """List names for what was typed, or what the atlas suggests."""
        recording, current = self.session.recording, self._current()
        self.options.clear()
        self.refusal_row.hide()
        if recording is None or current is None:
            return
        holder = {
            str(n): int(i) for n, i in zip(recording.neurons["name"], recording.neurons["label"], strict=True) if n
        }
        typed = self.edit.text().strip() if self.edit.isModified() else ""
        suggested = self._atlas.get(current[0], [])
        probability = {s.name: s.probability for s in suggested}
        names = complete(typed, 12) if typed else [s.name for s in suggested[:6]]
        exact = normalize(typed) if typed else None
        if exact and exact in names:
            names.remove(exact)
        if exact:
            names.insert(0, exact)
        if probability:
            names.sort(key=lambda n: (n != exact, -probability.get(n, 0.0)))
        for name in names[:8]:
            entry = info(name)
            taken = name in holder and holder[name] != int(current[1]["label"])
            words = [name]
            if name in probability:
                words.append(f"{probability[name]:.2f} by position")
            if taken:
                words.append(f"already neuron {holder[name]}")
            elif mirror(name) in holder:
                words.append(f"mirror of {mirror(name)}")
            elif entry:
                words.append(f"{entry.ganglion} ganglion")
            item = QListWidgetItem("     ".join(words))
            item.setData(Qt.ItemDataRole.UserRole, name)
            font = item.font()
            font.setStrikeOut(taken)
            item.setFont(font)
            self.options.addItem(item)
        self.options.setVisible(self.options.count() > 0)
        if self.options.count():
            self.options.setFixedHeight(min(self.options.count(), 5) * self.options.sizeHintForRow(0) + 4)
            self.options.setCurrentRow(0)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress:
            key, control = event.key(), event.modifiers() & Qt.KeyboardModifier.ControlModifier
            if watched is self.edit:
                if key in (Qt.Key.Key_Down, Qt.Key.Key_Up) and self.options.count():
                    step = 1 if key == Qt.Key.Key_Down else -1
                    self.options.setCurrentRow((self.options.currentRow() + step) % self.options.count())
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
            item = self.options.currentItem()
            if typed and not self.edit.isModified():
                name = typed
            elif not typed:
                name = ""
            else:
                name = normalize(typed) or (item.data(Qt.ItemDataRole.UserRole) if item is not None else typed)
        label_id = int(current[1]["label"])
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

    def load_atlas(self, path: str | None = None) -> None:
        """Ask for an atlas of positions and suggest names by it."""
        recording = self.session.recording
        if recording is None:
            return
        if path is None:
            from qtpy.QtWidgets import QFileDialog

            path, _ = QFileDialog.getOpenFileName(self, "Atlas of positions", filter="CSV (*.csv)")
        if not path:
            return
        source = path

        def run(progress: Any, cancel: Any) -> dict[str, list[Suggestion]]:
            from ..overlay.atlas import read_atlas, suggest

            return suggest(recording, read_atlas(source), cancel=cancel)

        def done(found: dict[str, list[Suggestion]]) -> None:
            self._atlas = found
            self.atlas_text.setText(f"suggestions for {len(found)} neurons; choose one and look at its list")
            self.mark("selection")

        self.work.jobs.start("Suggest names", run, done)


def _number(value: float) -> str:
    return "" if value != value else f"{value:.2f}"


def _row_tip(row: dict[str, Any]) -> str:
    parts = [row["name"] or "unnamed"]
    if row["ganglion"]:
        parts.append(f"class {row['class']}, {row['ganglion']} ganglion")
    if row["rejected"]:
        parts.append("rejected: left out of the analysis")
    if row["note"]:
        parts.append(row["note"])
    return "\n".join(parts)
