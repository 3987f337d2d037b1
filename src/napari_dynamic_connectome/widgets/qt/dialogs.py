"""Dialogs that do not stop the program: text, a table, buttons, in the colours of the viewer."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from .table_view import Column, Table
from .theme import NAME, colours_of, style_sheet

open_dialogs: list[Any] = []
"""Those that are shown: nothing else holds them."""


def real_viewer(viewer: Any) -> Any:
    """Return the viewer behind the proxy that plugins are given."""
    return getattr(viewer, "__wrapped__", viewer)


def show(dialog: QDialog) -> QDialog:
    """Show a dialog without stopping the program, and keep it until it is closed."""
    dialog.setModal(False)
    dialog.show()
    open_dialogs.append(dialog)

    def gone(*_: Any) -> None:
        if dialog in open_dialogs:
            open_dialogs.remove(dialog)

    dialog.finished.connect(gone)
    dialog.destroyed.connect(gone)  # with its window, without being finished
    return dialog


class TableDialog(QDialog):
    """Text, a table, buttons; in the colours of the viewer."""

    def __init__(self, viewer: Any, title: str, text: str) -> None:
        super().__init__(_window(viewer))
        self.setObjectName(NAME)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.colours = colours_of(real_viewer(viewer))
        self.setStyleSheet(style_sheet(self.colours))
        self.text = QLabel(text)
        self.text.setWordWrap(True)
        self.buttons = QDialogButtonBox()
        self.box = QVBoxLayout(self)
        self.box.addWidget(self.text)

    def fill(self, *widgets: QWidget) -> None:
        for widget in widgets:
            self.box.addWidget(widget)
        self.box.addWidget(self.buttons)
        self.resize(720, 380)

    def table(self, *columns: Column, rows: Any) -> Table:
        table = Table(list(columns))
        table.set_colours(self.colours)
        table.rows_model.set_rows(list(rows))
        return table

    def add(self, text: str, tip: str, slot: Any) -> Any:
        button = self.buttons.addButton(text, QDialogButtonBox.ButtonRole.ActionRole)
        button.setToolTip(tip)
        button.clicked.connect(lambda *_: slot())
        return button


def _window(viewer: Any) -> QWidget | None:
    try:
        return real_viewer(viewer).window._qt_window
    except (AttributeError, RuntimeError):
        return None
