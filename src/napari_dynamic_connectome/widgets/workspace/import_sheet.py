"""The import sheet: what dropped or chosen files are, and what they leave open, asked for all of them at once.

Shown only where there is something to ask, for traces, images, labels and connectomes alike. A question has its control beside
it; the answer is tried at once, so that the sheet says and shows what was read before anything is imported. Answers are kept
for files that ask the same later, shown, and forgotten on request (`io.answers`). What was read goes into the session and the viewer with one button.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from magicgui.widgets import create_widget
from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ...io.answers import Answer, Answers, Asked
from ...io.choice import ChoiceNeeded
from ...io.layer_data import CENTRE_OPTIONS, IMAGE_OPTIONS, about, is_centres
from ...model.errors import DynamicConnectomeError, InputError
from ...model.recording import Recording
from ...pipeline.settings import ReadingSettings, VolumeInput
from ..qt.controls import Fold, button, row
from ..qt.forms import NumberEdit, SettingsForm, TextEdit, words
from ..qt.reading_preview import ReadingPreview
from ..qt.table_view import Column, Table
from ..qt.theme import NAME, colours_of, style_sheet

TRACE_OPTIONS = tuple(name for name in ReadingSettings.model_fields if name not in ("files", "fields"))
"""Options of traces that can be set without being asked for; `fields` has a line of its own."""
NAMED = {*ReadingSettings.model_fields, *IMAGE_OPTIONS, *CENTRE_OPTIONS}
UNCHOSEN = "choose…"
NUMBERS = {
    "rate_hz": (" Hz", "samples per second"),
    "frame_rate_hz": (" Hz", "samples per second"),
    "radius_um": (" µm", "radius of a neuron"),
}
"""Questions that are answered by a number: its unit, and what stands there before."""
KINDS = {"traces": (*TRACE_OPTIONS, "fields"), "image": IMAGE_OPTIONS, "centres": CENTRE_OPTIONS}
"""What options a file of a kind can have."""
MOST_ANSWERS = 8
"""Answers that are taken from earlier imports for one file: a question leads to the next."""

Item = tuple[str, Any]
Read = Callable[..., Sequence[Any]]


@dataclass
class Entry:
    """One file: what was answered, and what came of it."""

    path: Path
    options: dict[str, Any] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    question: ChoiceNeeded | None = None
    refusal: str = ""
    answered: dict[Asked, Any] = field(default_factory=dict)
    """What was asked -> the answer."""
    remembered: dict[str, Answer] = field(default_factory=dict)
    """Options that were answered for another file before -> that answer."""
    title: str = ""
    """What it is, where it is no file."""

    def read(self, read: Read) -> None:
        """Read the file with the answers given so far."""
        self.items, self.question, self.refusal = [], None, ""
        try:
            found = read(self.path, **self.options)
            self.items = [("recording", one) if isinstance(one, Recording) else one for one in found]
        except ChoiceNeeded as error:
            open_still = error.option == "fields" or error.option not in self.options
            if error.option and open_still and _key(self, error) not in self.answered:
                self.question = error
            else:
                self.refusal = in_words(f"{error.what}. {error.fix}".strip())
        except InputError as error:
            self.refusal = in_words(f"{error.what}. {error.fix}".strip())
        except (DynamicConnectomeError, OSError) as error:
            self.refusal = str(error)

    def answer(self, value: Any) -> None:
        """Take an answer to the present question."""
        assert self.question is not None
        self.answered[_key(self, self.question)] = value
        if self.question.option == "fields":
            value = {**self.options.get("fields", {}), _field_of(self.question): value}
        self.options[self.question.option] = value

    def recall(self, read: Read, answers: Answers) -> None:
        """Read the file, with the answers of earlier imports where it asks the same."""
        self.read(read)
        for _ in range(MOST_ANSWERS):
            held = None if self.question is None else answers.get(_key(self, self.question))
            if self.question is None or held is None:
                return
            self.remembered[self.question.option] = held
            self.answer(held.value)
            self.read(read)

    @property
    def recordings(self) -> list[Recording]:
        """Recordings that were read."""
        return [item for kind, item in self.items if kind == "recording"]

    @property
    def layers(self) -> list[tuple[Any, dict[str, Any], str]]:
        """Layer data that were read."""
        return [layer for kind, item in self.items if kind == "layers" for layer in item]

    @property
    def reads(self) -> str:
        """Whose options concern it: those of "traces", of an "image", or of "centres"."""
        if self.title:
            return "image"
        try:
            if is_centres(self.path):
                return "centres"
        except (DynamicConnectomeError, OSError):
            pass
        return "image" if self._is_image() else "traces"

    def _is_image(self) -> bool:
        if self.layers:
            return True
        if self.recordings:
            return False
        try:
            what = about(self.path)
        except ChoiceNeeded:
            return True
        except DynamicConnectomeError:
            return False
        asked = self.question.option if self.question is not None else ""
        return what == "image" or (what == "both" and asked in ("channel", "frame_rate_hz"))

    @property
    def kind(self) -> str:
        """What the file is, in a few words."""
        from ...io.registry import identify

        if self.title:
            return self.title
        try:
            form = identify(self.path).title
        except DynamicConnectomeError:
            return "unknown"
        kinds = dict.fromkeys("traces" if kind == "recording" else str(kind) for kind, _ in self.items)
        if "layers" in kinds:
            drawn = ["centres"] if self.reads == "centres" else [one[2] for one in self.layers]
            kinds = dict.fromkeys([*(k for k in kinds if k != "layers"), *drawn])
        first = ", ".join(kinds) or self.reads
        many = f", {len(self.recordings)} worms" if len(self.recordings) > 1 else ""
        return f"{first}, {form}{many}"

    @property
    def neurons(self) -> str:
        """How many neurons, and how many have a name; of an image, its size."""
        if self.layers and self.reads == "centres":
            return str(self.layers[0][1]["features"]["id"].nunique())
        if self.layers and not self.recordings:
            return "; ".join(" × ".join(str(n) for n in _shape(one)[-3:]) for one in self.layers[:2])
        return "; ".join(f"{r.n_neurons} ({len(r.named)} named)" for r in self.recordings[:2]) or "?"

    @property
    def frames(self) -> str:
        """How many samples."""
        if self.layers and self.reads == "centres":
            return str(int(self.layers[0][0][:, 0].max()) + 1)
        if self.layers and not self.recordings:
            return "; ".join(str(_shape(one)[0]) if len(_shape(one)) > 3 else "still" for one in self.layers[:2])
        return "; ".join(str(r.n_times) for r in self.recordings[:2]) or "?"

    @property
    def rate(self) -> str:
        """Samples a second."""
        if self.layers and self.reads == "centres":
            return "frames"
        if self.layers and not self.recordings:
            return "; ".join(_rate(one) for one in self.layers[:2])
        return "; ".join(f"{r.rate_hz:.4g} Hz" for r in self.recordings[:2]) or "?"

    @property
    def says(self) -> str:
        """The question, the refusal, or what was made of the file."""
        if self.question is not None:
            return f"{words(self.question.option)}? {self.question.what}"
        if self.refusal:
            return f"cannot be read: {self.refusal}"
        lines = [
            f"{words(option)} {self.options[option]}, {answer.said}"
            for option, answer in self.remembered.items()
            if option in self.options
        ]
        return "; ".join([*lines, *(line for r in self.recordings for line in r.remarks)]) or "ready"


def _shape(layer: Any) -> tuple[int, ...]:
    data = layer[0][0] if isinstance(layer[0], (list, tuple)) else layer[0]
    return tuple(int(n) for n in getattr(data, "shape", ()))


def _rate(layer: Any) -> str:
    held = layer[1].get("metadata", {}).get("dynamic_connectome", {}).get("frame_rate_hz")
    return "not said" if held is None else f"{held:.4g} Hz"


def _key(entry: Entry, question: ChoiceNeeded) -> Asked:
    """Say what is asked: files of one kind that ask this with the same choices have the same answer."""
    from ...io.registry import identify

    try:
        form = entry.title or identify(entry.path).key
    except DynamicConnectomeError:
        form = ""
    part = _field_of(question) if question.option == "fields" else ""
    return Asked(form, question.option, part, tuple(question.choices), question.example)


def _field_of(question: ChoiceNeeded) -> str:
    """Return which of our fields a question about fields is about."""
    found = re.search(r"fields=\{\"(\w+)\"", question.fix)
    return found[1] if found else "traces"


def in_words(text: str) -> str:
    """Return a message in which options of Python are called as their fields in the sheet."""

    def named(match: re.Match[str]) -> str:
        option = match[1]
        if option not in NAMED:
            return match[0]
        value = match[2].strip("\"'")
        return f"“{words(option)}” {value}".rstrip()

    text = re.sub(r"\b(P|p)ass (?=[a-z_]+=)", lambda m: "Give " if m[1] == "P" else "give ", text)
    return re.sub(r"\b([a-z_]+)=(\"[^\"]*\"|'[^']*'|\([^)]*\)|\{[^}]*\}|(?=[\s.,;:)]|$))", named, text)


class ImportSheet(QDialog):
    """Files, what they ask, what is read of them, and one button.

    Parameters
    ----------
    paths : sequence of Path
    read : callable
        `open_files.read_items`, or what does the same; one that returns recordings does, too.
    parent : QWidget, optional
    viewer : napari.Viewer, optional
        Whose colours it takes.
    answers : Answers, optional
        Answers of earlier imports; those that are given here are added when it is accepted.
    given : mapping of path to options, optional
        What was said before the file was read.
    title : str
        What it is, if it is no file.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        read: Read,
        parent: QWidget | None = None,
        viewer: Any = None,
        *,
        answers: Answers | None = None,
        given: Mapping[Path, Mapping[str, Any]] | None = None,
        title: str = "",
    ) -> None:
        super().__init__(parent)
        self.setObjectName(NAME)
        self.setWindowTitle("Import")
        colours = None
        if viewer is not None:
            colours = colours_of(viewer)
            self.setStyleSheet(style_sheet(colours))
        self._read = read
        self._answers = Answers() if answers is None else answers
        self.entries = [Entry(Path(p), dict((given or {}).get(Path(p), {})), title=title) for p in paths]
        for entry in self.entries:
            entry.recall(read, self._answers)
        self.table = self._file_table()
        self.preview = ReadingPreview(colours)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.answer_row = QWidget()
        QHBoxLayout(self.answer_row).setContentsMargins(0, 0, 0, 0)
        self.answer: Any = None
        """Control of the question of the chosen file, or None."""
        self.same = QCheckBox("the same for all files here")
        self.same.setChecked(True)
        self.same.setToolTip(
            "An answer is taken for every file that asks the same, and what is set below for every file. Default: yes."
        )
        self.same.setVisible(len(self.entries) > 1)
        self.fold = Fold("How files are read", self._reading_forms())
        self.kept = KeptAnswers(self._answers)
        self.kept.forgotten.connect(self._forgotten)
        self.kept_fold = Fold("Answers of earlier imports", self.kept)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.import_button = self.buttons.addButton("Import", QDialogButtonBox.ButtonRole.AcceptRole)
        self.import_button.setDefault(True)
        self.import_button.setToolTip("Take what was read. Files that cannot be read are left out.")
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        box = QVBoxLayout(self)
        for one in (
            self.table,
            self.text,
            self.answer_row,
            self.same,
            self.preview,
            self.fold,
            self.kept_fold,
            self.buttons,
        ):
            box.addWidget(one)
        box.setStretch(0, 1)
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._show())
        self.more.edited.connect(self._set)
        self.images.edited.connect(self._set)
        self.centres.edited.connect(self._set)
        self.fields.native.editingFinished.connect(self._set)
        self.resize(900, 560)
        self._filling = False
        self._fill()
        self._next_question()

    def _file_table(self) -> Table:
        """A row a file: what it is, what it asks."""
        table = Table(
            [
                Column("file", lambda e: e.path.name, 150, tip="The file"),
                Column("what it is", lambda e: e.kind, 130),
                Column("neurons, voxels", lambda e: e.neurons, 110, tip="Headers that name no neuron stay unnamed"),
                Column("frames", lambda e: e.frames, 60, right=True),
                Column("rate", lambda e: e.rate, 70, right=True),
                Column("what is asked, or said", lambda e: e.says),
            ]
        )
        table.setAccessibleName("files to import")
        table.model().row_tip = lambda e: f"{e.path}\n{e.says}"
        return table

    def _reading_forms(self) -> QWidget:
        """Options of traces, images and centres, below one another."""
        self.more = SettingsForm(ReadingSettings, fields=TRACE_OPTIONS)
        self.images = SettingsForm(VolumeInput, fields=IMAGE_OPTIONS)
        self.fields = TextEdit(label="fields")
        self.fields.native.setPlaceholderText("none, or traces=F, names=IDs")
        self.fields.native.setToolTip(
            "npz, mat, HDF5: our name of a field (traces, names, t, fs) = its name in the file."
        )
        self.fields.native.setAccessibleName("fields")
        self.centres = SettingsForm(VolumeInput, fields=CENTRE_OPTIONS)
        assert (
            self.more.controls and self.images.controls and self.centres.controls
        )  # made now: a row is added below them
        layout = self.more.layout()
        assert isinstance(layout, QFormLayout)
        layout.addRow(QLabel("fields"), self.fields.native)
        both = QWidget()
        forms = QVBoxLayout(both)
        forms.setContentsMargins(0, 0, 0, 0)
        forms.addWidget(self.more)
        forms.addWidget(self.images)
        forms.addWidget(self.centres)
        return both

    # --- what is shown ----------------------------------------------------------------------------------------------

    @property
    def current(self) -> Entry:
        """The file that is chosen in the table."""
        rows = self.table.selectionModel().selectedRows()
        return self.entries[rows[0].row() if rows else 0]

    @property
    def ready(self) -> list[Entry]:
        """Files that were read."""
        return [e for e in self.entries if e.items]

    def _fill(self) -> None:
        self.table.model().set_rows(self.entries)
        ready = len(self.ready)
        self.import_button.setText("Import" if ready == len(self.entries) else f"Import {ready} of {len(self.entries)}")
        self.import_button.setEnabled(ready > 0)
        self.kept_fold.setVisible(len(self._answers) > 0)
        self.kept_fold.summary.setText(f"{len(self._answers)}")

    def choose(self, entry: Entry) -> None:
        """Choose a file."""
        self.table.selectRow(self.entries.index(entry))

    def _next_question(self) -> None:
        """Go to the first file that asks; where none does, to the button."""
        asking = next((e for e in self.entries if e.question is not None), None)
        self.choose(asking or self.current)
        self._show()
        if asking is None:
            self.import_button.setFocus()
        elif self.answer is not None:
            self.answer.native.setFocus()
            if hasattr(self.answer.native, "selectAll"):
                self.answer.native.selectAll()

    def keyPressEvent(self, event: Any) -> None:
        """Enter in a field takes what was typed and goes on; only on the button does it import."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not self.import_button.hasFocus():
            event.accept()
            return
        super().keyPressEvent(event)

    def accept(self) -> None:
        """Keep the answers for the next import, and close."""
        for entry in self.ready:  # what came from an earlier import stays as it was kept
            known = {a.option for a in entry.answered if a.option in entry.remembered}
            self._answers.keep({k: v for k, v in entry.answered.items() if k.option not in known}, entry.path.name)
        super().accept()

    def _forgotten(self) -> None:
        """Ask again what was answered by what is forgotten now."""
        again = []
        for entry in self.entries:
            lost = [a for a in entry.answered if a.option in entry.remembered and self._answers.get(a) is None]
            for asked in lost:
                entry.answered.pop(asked)
                entry.remembered.pop(asked.option, None)
                entry.options.pop(asked.option, None)
            again += [entry] if lost else []
        if again:
            self._try(again)
        else:
            self._fill()

    def _show(self) -> None:
        """Show the question of the chosen file, what was read of it, and its options."""
        entry = self.current
        line = self.answer_row.layout()
        assert line is not None
        while line.count():
            item = line.takeAt(0)
            widget = None if item is None else item.widget()
            if widget is not None:
                widget.hide()
                widget.setParent(None)
                widget.deleteLater()
        self.answer = None
        question = entry.question
        if question is None:
            self.text.setText(f"{entry.path.name}: {entry.says}")
        else:
            self.text.setText(f"{entry.path.name}: {in_words(f'{question.what}. {question.fix}')}")
            self.answer = _control(question)
            caption = QLabel(words(question.option))
            caption.setBuddy(self.answer.native)
            line.addWidget(caption)
            line.addWidget(self.answer.native, 1)
            self._listen(self.answer)
        self.answer_row.setVisible(question is not None)
        self.preview.show_read(entry.recordings, entry.layers)
        self._show_options(entry)

    def _show_options(self, entry: Entry) -> None:
        self._filling = True
        what = entry.reads
        forms = {"traces": self.more, "image": self.images, "centres": self.centres}
        for kind, form in forms.items():
            form.setVisible(kind == what)
        plain = {k: v for k, v in entry.options.items() if k in KINDS[what] and k != "fields"}
        forms[what].set_value((ReadingSettings if what == "traces" else VolumeInput).parse(plain))
        if what == "traces":
            self.fields.value = ", ".join(f"{k}={v}" for k, v in entry.options.get("fields", {}).items())
        self.fold.summary.setText(forms[what].summary())
        self.fold.setVisible(not entry.title)
        self._filling = False

    def _listen(self, control: Any) -> None:
        native = control.native
        if isinstance(native, QComboBox):
            self._keys = _Keys(native)
            self._keys.entered.connect(self._answered)
            native.activated.connect(lambda *_: None if self._keys.stepping else self._answered())
        else:
            native.editingFinished.connect(self._answered)

    # --- answers ----------------------------------------------------------------------------------------------------

    def _answered(self) -> None:
        """Try the answer for this file, and for the others that ask the same."""
        entry, control = self.current, self.answer
        if entry.question is None or control is None:
            return
        value = control.value
        if isinstance(control, NumberEdit) and not value > 0:
            return
        if isinstance(value, str):
            value = value.strip()
            if not value or value == UNCHOSEN:
                return
        alike = self._alike(entry)
        for one in alike:
            one.answer(value)
        self._try(alike)

    def _alike(self, entry: Entry) -> list[Entry]:
        if not self.same.isChecked():
            return [entry]
        option = entry.question.option if entry.question is not None else ""
        alike = [e for e in self.entries if e.question is not None and e.question.option == option]
        return [entry, *(e for e in alike if e is not entry and _offers(e, entry))]

    def _try(self, entries: list[Entry]) -> None:
        QApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
        try:
            for entry in entries:
                entry.read(self._read)
        finally:
            QApplication.restoreOverrideCursor()
        self._fill()
        self._next_question()

    def _set(self) -> None:
        """Take what was set under "How files are read"."""
        if self._filling:
            return
        chosen = self.current
        what = chosen.reads
        try:
            held = self._options_set(what)
        except InputError as error:
            self.text.setText(str(error))
            return
        known = KINDS[what]
        changed = {k: v for k, v in held.items() if chosen.options.get(k) != v}
        gone = [k for k in chosen.options if k in known and k not in held]
        if not changed and not gone:
            return
        targets = [e for e in self.entries if e.reads == what] if self.same.isChecked() else [chosen]
        for one in targets:
            for key in gone:
                one.options.pop(key, None)
            one.options |= changed
            one.remembered = {k: v for k, v in one.remembered.items() if k not in changed and k not in gone}
            one.answered = {k: v for k, v in one.answered.items() if k.option not in (*changed, *gone)}
        self._try(targets)
        if chosen.question is None:
            self.choose(chosen)

    def _options_set(self, what: str) -> dict[str, Any]:
        """Return the options that differ from their defaults in the form of traces, images or centres."""
        if what != "traces":
            value = (self.images if what == "image" else self.centres).value()
            return {k: found for k in KINDS[what] if (found := getattr(value, k)) not in ("", None)}
        held: dict[str, Any] = self.more.value().options()
        pairs = [part.partition("=") for part in str(self.fields.value or "").split(",") if part.strip()]
        if pairs:
            held["fields"] = {ours.strip(): theirs.strip() for ours, _, theirs in pairs}
        ReadingSettings.parse(held, where="this form")
        return held


class KeptAnswers(QWidget):
    """Answers that are kept, and what forgets them.

    Parameters
    ----------
    answers : Answers
    """

    forgotten = Signal()

    def __init__(self, answers: Answers) -> None:
        super().__init__()
        self._answers = answers
        self.table = Table(
            [
                Column("what was asked", lambda r: f"{words(r[0].option)} {r[0].part}".strip(), 150),
                Column("format", lambda r: r[0].form, 80),
                Column("answer", lambda r: str(r[1].value), 140),
                Column("given for", lambda r: r[1].file),
                Column("on", lambda r: r[1].day, 90),
            ],
            multi=True,
        )
        self.table.setAccessibleName("answers of earlier imports")
        self.table.setMaximumHeight(120)
        self.forget = button(
            "Forget", self._forget, "Forget the chosen answers: files ask again. Delete does the same."
        )
        self.forget_all = button("Forget all", self._forget_all, "Forget all answers: files ask again.")
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.table)
        box.addLayout(row(self.forget, self.forget_all, None))
        self.fill()

    def fill(self) -> None:
        """Show what is kept."""
        self.table.model().set_rows(list(reversed(self._answers.held.items())))

    def keyPressEvent(self, event: Any) -> None:
        """Delete forgets what is chosen."""
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self._forget()
            return
        super().keyPressEvent(event)

    def _forget(self) -> None:
        for asked, _ in self.table.chosen():
            self._answers.forget(asked)
        self._told()

    def _forget_all(self) -> None:
        self._answers.forget()
        self._told()

    def _told(self) -> None:
        self.fill()
        self.forgotten.emit()


def _offers(other: Entry, entry: Entry) -> bool:
    """Whether two questions have the same choices, and the same likely answer."""
    assert other.question is not None and entry.question is not None
    same = set(other.question.choices) == set(entry.question.choices)
    return same and other.question.example == entry.question.example


def _control(question: ChoiceNeeded) -> Any:
    """Return the control of a question; nothing is chosen in it."""
    name = question.option
    if name in NUMBERS:
        unit, hint = NUMBERS[name]
        control = create_widget(
            value=0.0, name=name, widget_type=NumberEdit, options={"min": 0.0, "max": 1e6, "step": 0.1, "suffix": unit}
        )
        control.native.setSpecialValueText(hint)
    elif question.choices:
        choices = [UNCHOSEN, *question.choices]
        control = create_widget(value=UNCHOSEN, name=name, annotation=str, options={"choices": choices})
    else:
        control = create_widget(value="", name=name, widget_type=TextEdit, options={"hint": question.example})
        if name == "axes":
            control.native.setToolTip("One letter each: t time, c channel, z, y, x.")
    control.native.setAccessibleName(words(name))
    control.native.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return control


class _Keys(QObject):
    """Keys in a closed list go through its choices; Enter takes the one that stands there, as a click in the open list does.

    Parameters
    ----------
    box : QComboBox
    """

    entered = Signal()

    def __init__(self, box: QComboBox) -> None:
        super().__init__(box)
        self.stepping = False
        """A key that chooses another item is down."""
        box.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self.stepping = False
                self.entered.emit()
                return True
            opens = (
                event.key() in (Qt.Key.Key_Space, Qt.Key.Key_F4) or event.modifiers() & Qt.KeyboardModifier.AltModifier
            )
            self.stepping = not opens
        elif event.type() in (QEvent.Type.KeyRelease, QEvent.Type.MouseButtonPress):
            self.stepping = False
        return False


def import_files(
    paths: Sequence[Path],
    read: Read,
    *,
    parent: QWidget | None = None,
    viewer: Any = None,
    answers: Answers | None = None,
    given: Mapping[Path, Mapping[str, Any]] | None = None,
    title: str = "",
) -> list[Entry] | None:
    """Show the sheet until it is closed.

    Parameters
    ----------
    paths : sequence of Path
        Files, at least one of which asks something.
    read, parent, viewer, answers, given, title
        See `ImportSheet`.

    Returns
    -------
    list of Entry
        Those that could be read; None if the user gave up.
    """
    sheet = ImportSheet(
        paths, read, parent or QApplication.activeWindow(), viewer, answers=answers, given=given, title=title
    )
    accepted = sheet.exec() == QDialog.DialogCode.Accepted
    found = sheet.ready if accepted else None
    sheet.deleteLater()
    return found
