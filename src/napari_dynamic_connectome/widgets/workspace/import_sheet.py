"""The import sheet: what dropped or chosen files of traces are, and what they leave open, asked for all of them at once.

Shown only where there is something to ask. A question has its control beside it; the answer is tried at once, so that the
sheet says what was read before anything is imported. What was read goes into the session with one button.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from magicgui.widgets import create_widget
from qtpy.QtCore import Qt
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

from ...io.choice import ChoiceNeeded
from ...model.errors import DynamicConnectomeError, InputError
from ...model.recording import Recording
from ...pipeline.settings import ReadingSettings
from ..qt.controls import Fold
from ..qt.forms import NumberEdit, SettingsForm, TextEdit, words
from ..qt.table_view import Column, Table
from ..qt.theme import NAME, colours_of, style_sheet

MORE = ("rate_hz", "names", "time_unit", "signal", "dataset", "axes", "worm", "labeled_only", "column", "voxel_size_um")
"""Options that can be set without being asked for."""
UNCHOSEN = "choose…"
Read = Callable[..., list[Recording]]


@dataclass
class Entry:
    """One file: what was answered, and what came of it."""

    path: Path
    options: dict[str, Any] = field(default_factory=dict)
    recordings: list[Recording] = field(default_factory=list)
    question: ChoiceNeeded | None = None
    refusal: str = ""

    def read(self, read: Read) -> None:
        """Read the file with the answers given so far."""
        self.recordings, self.question, self.refusal = [], None, ""
        try:
            self.recordings = read(self.path, **self.options)
        except ChoiceNeeded as error:
            if error.option in ReadingSettings.model_fields and error.option not in self.options:
                self.question = error
            else:
                self.refusal = in_words(f"{error.what}. {error.fix}".strip())
        except InputError as error:
            self.refusal = in_words(f"{error.what}. {error.fix}".strip())
        except (DynamicConnectomeError, OSError) as error:
            self.refusal = str(error)

    @property
    def kind(self) -> str:
        """What the file is, in a few words."""
        from ...io.registry import identify

        try:
            title = identify(self.path).title
        except DynamicConnectomeError:
            return "unknown"
        many = f", {len(self.recordings)} worms" if len(self.recordings) > 1 else ""
        return f"traces, {title}{many}"

    @property
    def neurons(self) -> str:
        """How many neurons, and how many have a name."""
        return "; ".join(f"{r.n_neurons} ({len(r.named)} named)" for r in self.recordings[:2]) or "?"

    @property
    def frames(self) -> str:
        """How many samples."""
        return "; ".join(str(r.n_times) for r in self.recordings[:2]) or "?"

    @property
    def rate(self) -> str:
        """Samples a second."""
        return "; ".join(f"{r.rate_hz:.4g} Hz" for r in self.recordings[:2]) or "?"

    @property
    def says(self) -> str:
        """The question, the refusal, or what was made of the file."""
        if self.question is not None:
            return f"{words(self.question.option)}? {self.question.what}"
        if self.refusal:
            return f"cannot be read: {self.refusal}"
        return "; ".join(line for r in self.recordings for line in r.remarks) or "ready"


def in_words(text: str) -> str:
    """Return a message in which options of Python are called as their fields in the sheet."""
    import re

    def named(match: re.Match[str]) -> str:
        option = match[1]
        if option not in ReadingSettings.model_fields:
            return match[0]
        value = match[2].strip('"')
        return f"“{words(option)}” {value}".rstrip()

    text = re.sub(r"\b(P|p)ass (?=[a-z_]+=)", lambda m: "Give " if m[1] == "P" else "give ", text)
    return re.sub(r"\b([a-z_]+)=(\"[^\"]*\"|\([^)]*\)|\{[^}]*\}|(?=[\s.,;:)]|$))", named, text)


class ImportSheet(QDialog):
    """Files of traces, what they ask, and one button.

    Parameters
    ----------
    paths : sequence of Path
    read : callable
        `io.registry.read_recordings`, or what does the same.
    parent : QWidget, optional
    viewer : napari.Viewer, optional
        Whose colours it takes.
    known : mapping of path to recordings, optional
        What was read already.
    """

    def __init__(
        self, paths: Sequence[Path], read: Read, parent: QWidget | None = None, viewer: Any = None, known: Any = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName(NAME)
        self.setWindowTitle("Import traces")
        if viewer is not None:
            self.setStyleSheet(style_sheet(colours_of(viewer)))
        self._read = read
        self.entries = [Entry(Path(p)) for p in paths]
        for entry in self.entries:
            held = (known or {}).get(entry.path)
            if held is None:
                entry.read(read)
            else:
                entry.recordings = list(held)
        self.table = Table(
            [
                Column("file", lambda e: e.path.name, 170, tip="The file"),
                Column("what it is", lambda e: e.kind, 120),
                Column("neurons", lambda e: e.neurons, 110, tip="Headers that name no neuron stay unnamed"),
                Column("frames", lambda e: e.frames, 60, right=True),
                Column("rate", lambda e: e.rate, 70, right=True),
                Column("what is asked, or said", lambda e: e.says),
            ]
        )
        self.table.setAccessibleName("files to import")
        self.table.model().row_tip = lambda e: f"{e.path}\n{e.says}"
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
        self.more = SettingsForm(ReadingSettings, fields=MORE)
        self.fields = TextEdit(label="fields")
        self.fields.native.setPlaceholderText("none, or traces=F, names=IDs")
        self.fields.native.setToolTip(
            "npz, mat, HDF5: our name of a field (traces, names, t, fs) = its name in the file."
        )
        self.fields.native.setAccessibleName("fields")
        assert self.more.controls  # made now: a row is added below them
        layout = self.more.layout()
        assert isinstance(layout, QFormLayout)
        layout.addRow(QLabel("fields"), self.fields.native)
        self.fold = Fold("How files are read", self.more)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.import_button = self.buttons.addButton("Import", QDialogButtonBox.ButtonRole.AcceptRole)
        self.import_button.setDefault(True)
        self.import_button.setToolTip("Take what was read into the session. Files that cannot be read are left out.")
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        box = QVBoxLayout(self)
        for one in (self.table, self.text, self.answer_row, self.same, self.fold, self.buttons):
            box.addWidget(one)
        box.setStretch(0, 1)
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._show())
        self.more.edited.connect(self._set)
        self.fields.native.editingFinished.connect(self._set)
        self.resize(900, 420)
        self._filling = False
        self._fill()
        self._next_question()

    # --- what is shown ----------------------------------------------------------------------------------------------

    @property
    def current(self) -> Entry:
        """The file that is chosen in the table."""
        rows = self.table.selectionModel().selectedRows()
        return self.entries[rows[0].row() if rows else 0]

    @property
    def ready(self) -> list[Entry]:
        """Files that were read."""
        return [e for e in self.entries if e.recordings]

    def _fill(self) -> None:
        self.table.model().set_rows(self.entries)
        ready = len(self.ready)
        self.import_button.setText("Import" if ready == len(self.entries) else f"Import {ready} of {len(self.entries)}")
        self.import_button.setEnabled(ready > 0)

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

    def _show(self) -> None:
        """Show the question of the chosen file, and its options."""
        entry = self.current
        row = self.answer_row.layout()
        assert row is not None
        while row.count():
            item = row.takeAt(0)
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
            row.addWidget(caption)
            row.addWidget(self.answer.native, 1)
            self._listen(self.answer)
        self.answer_row.setVisible(question is not None)
        self._filling = True
        plain = {k: v for k, v in entry.options.items() if k != "fields"}
        self.more.set_value(ReadingSettings.parse(plain))
        self.fields.value = ", ".join(f"{k}={v}" for k, v in entry.options.get("fields", {}).items())
        self._filling = False
        self.fold.summary.setText(self.more.summary())

    def _listen(self, control: Any) -> None:
        native = control.native
        if isinstance(native, QComboBox):
            native.activated.connect(lambda *_: self._answered())
        else:
            native.editingFinished.connect(self._answered)

    # --- answers ----------------------------------------------------------------------------------------------------

    def _answered(self) -> None:
        """Try the answer for this file, and for the others that ask the same."""
        entry, control = self.current, self.answer
        if entry.question is None or control is None:
            return
        option, value = entry.question.option, control.value
        if isinstance(control, NumberEdit) and not value > 0:
            return
        if isinstance(value, str):
            value = value.strip()
            if not value or value == UNCHOSEN:
                return
        if option == "fields":
            value = {"names" if entry.question.fix.find('"names"') >= 0 else "t": value}
        self._try([(e, {option: value}) for e in self._alike(entry)])

    def _alike(self, entry: Entry) -> list[Entry]:
        if not self.same.isChecked():
            return [entry]
        option = entry.question.option if entry.question is not None else ""
        alike = [e for e in self.entries if e.question is not None and e.question.option == option]
        return [entry, *(e for e in alike if e is not entry and _offers(e, entry))]

    def _try(self, changes: list[tuple[Entry, dict[str, Any]]]) -> None:
        QApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
        try:
            for entry, change in changes:
                entry.options |= change
                entry.read(self._read)
        finally:
            QApplication.restoreOverrideCursor()
        self._fill()
        self._next_question()

    def _set(self) -> None:
        """Take what was set under "How files are read"."""
        if self._filling:
            return
        entry = self.current
        try:
            held = self.more.value().options()
            pairs = [part.partition("=") for part in str(self.fields.value or "").split(",") if part.strip()]
            if pairs:
                held["fields"] = {ours.strip(): theirs.strip() for ours, _, theirs in pairs}
            ReadingSettings.parse(held, where="this form")
        except InputError as error:
            self.text.setText(str(error))
            return
        changed = {k: v for k, v in held.items() if entry.options.get(k) != v}
        gone = [k for k in entry.options if k not in held]
        if not changed and not gone:
            return
        targets = self.entries if self.same.isChecked() else [entry]
        for one in targets:
            for key in gone:
                one.options.pop(key, None)
        chosen = self.current
        self._try([(one, dict(changed)) for one in targets])
        if chosen.question is None:
            self.choose(chosen)


def _offers(other: Entry, entry: Entry) -> bool:
    """Whether two questions have the same choices."""
    assert other.question is not None and entry.question is not None
    return set(other.question.choices) == set(entry.question.choices)


def _control(question: ChoiceNeeded) -> Any:
    """Return the control of a question; nothing is chosen in it."""
    name = question.option
    if name == "rate_hz":
        control = create_widget(
            value=0.0, name=name, widget_type=NumberEdit, options={"min": 0.0, "max": 1e6, "step": 0.1, "suffix": " Hz"}
        )
        control.native.setSpecialValueText("samples per second")
    elif question.choices:
        choices = [UNCHOSEN, *question.choices]
        control = create_widget(value=UNCHOSEN, name=name, annotation=str, options={"choices": choices})
    else:
        control = create_widget(value="", name=name, widget_type=TextEdit, options={"hint": question.example})
    control.native.setAccessibleName(words(name))
    control.native.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return control


def asks_about_traces(path: str | Path, error: ChoiceNeeded) -> bool:
    """Whether a question is about traces, not about an image.

    Parameters
    ----------
    path : str or Path
    error : ChoiceNeeded
    """
    from ...io.registry import identify

    if error.option in ("rate_hz", "time_unit", "signal", "fields", "time_column") or "tn" in error.choices:
        return True
    return identify(path).key in ("csv", "parquet", "mat", "suite2p")


def import_traces(
    paths: Sequence[Path], *, parent: QWidget | None = None, viewer: Any = None
) -> dict[Path, list[Recording]] | None:
    """Show the sheet until it is closed.

    Parameters
    ----------
    paths : sequence of Path
        Files of traces, at least one of which asks something.
    parent : QWidget, optional
    viewer : napari.Viewer, optional

    Returns
    -------
    dict of Path to list of Recording
        What was read, of the files that could be; None if the user gave up.
    """
    from ...io.registry import read_recordings

    sheet = ImportSheet(paths, read_recordings, parent or QApplication.activeWindow(), viewer)
    accepted = sheet.exec() == QDialog.DialogCode.Accepted
    found = {e.path: list(e.recordings) for e in sheet.ready} if accepted else None
    sheet.deleteLater()
    return found
