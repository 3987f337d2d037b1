"""Messages to the user: napari notifications, which are not printed; failures have a "details" button with the traceback."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari.utils.notifications import (
    Notification,
    NotificationSeverity,
    notification_manager,
    show_console_notification,
)
from qtpy.QtWidgets import QFileDialog, QPlainTextEdit

from ...model.errors import DynamicConnectomeError
from ...model.memory import explained
from .dialogs import TableDialog, real_viewer, show

log = logging.getLogger("napari_dynamic_connectome")

__all__ = ["show_actions", "show_failure", "show_info", "show_warning"]


def show_info(message: str) -> None:
    """Say something in the window's corner."""
    _dispatch(Notification(message, NotificationSeverity.INFO))


def show_warning(message: str) -> None:
    """Warn in the window's corner."""
    _dispatch(Notification(message, NotificationSeverity.WARNING))


def _dispatch(notification: Notification) -> None:
    """Hand a message to napari, which shows it; it prints messages, too, but ours stand in the window and in the log."""
    with notification_manager.notification_ready.blocker(show_console_notification):
        notification_manager.dispatch(notification)


def show_actions(message: str, actions: tuple[tuple[str, Any], ...]) -> None:
    """Show a warning with buttons: (text, function)."""
    log.info("%s", message)
    called = tuple((text, lambda *_, function=function: function()) for text, function in actions)
    _dispatch(Notification(message, NotificationSeverity.WARNING, actions=called))


def show_failure(viewer: Any, doing: str, error: BaseException, details: str = "") -> str:
    """Show one sentence about a failure, with the traceback behind "Details"; returns the sentence."""
    error = explained(error, doing) or error
    expected = isinstance(error, DynamicConnectomeError)
    message = str(error) if expected else f"{doing}: {type(error).__name__}: {error}"
    log.log(logging.INFO if expected else logging.ERROR, "%s\n%s", message, details)
    notification = Notification(
        message,
        NotificationSeverity.WARNING if expected else NotificationSeverity.ERROR,
        actions=(("Details", lambda *_: show_details(viewer, message, details)),),
    )
    _dispatch(notification)
    return message


def show_details(viewer: Any, message: str, details: str) -> Any:
    """Open a small window with the whole text, which can be copied."""
    from qtpy.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout

    dialog = QDialog()
    dialog.setWindowTitle("Details")
    dialog.resize(760, 420)
    layout = QVBoxLayout(dialog)
    label = QLabel(message)
    label.setWordWrap(True)
    text = QPlainTextEdit(details or message)
    text.setReadOnly(True)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    problem = buttons.addButton("Report a problem…", QDialogButtonBox.ButtonRole.ActionRole)
    problem.setToolTip("Collect log, versions and settings into one file, private paths removed. Nothing is sent.")
    problem.clicked.connect(lambda *_: report_problem(viewer, message))
    for widget in (label, text, buttons):
        layout.addWidget(widget)
    return show(dialog)


_settings: weakref.WeakKeyDictionary[Any, Callable[[], dict[str, Any]]] = weakref.WeakKeyDictionary()


def describe_with(viewer: Any, settings: Callable[[], dict[str, Any]]) -> None:
    """Say what gives the settings of a viewer's workspace, for reports of problems; it must not hold the viewer."""
    _settings[viewer] = settings


def report_problem(viewer: Any, text: str = "") -> Any:
    """Open the dialog that collects what helps to find a problem."""
    return show(ProblemDialog(viewer, text))


class ProblemDialog(TableDialog):
    """Collects what helps to find a problem into one file."""

    def __init__(self, viewer: Any, text: str = "") -> None:
        super().__init__(
            viewer,
            "Report a problem",
            "What did you do, and what happened? Log, versions and settings are put into one file, without folders, login name "
            "and name of this computer. Nothing is sent: look into the file, then attach it to a message.",
        )
        self._viewer = weakref.ref(real_viewer(viewer)) if viewer is not None else lambda: None
        self.words = QPlainTextEdit(text)
        self.save_button = self.add("Save…", "Choose where to write the file.", self.save)
        self.add("Close", "Close this window.", self.close)
        self.fill(self.words)

    def save(self, path: str | Path | None = None) -> Path | None:
        """Write the file."""
        from ...io.files import atomic_file
        from ...model.log import problem_report

        if path is None:
            start = str(Path.home() / "dynamic-connectome-problem.zip")
            path = QFileDialog.getSaveFileName(self, "Report a problem", start, "Zip (*.zip)")[0]
        if not path:
            return None
        viewer = self._viewer()
        describe = _settings.get(viewer) if viewer is not None else None
        settings = describe() if describe is not None else {}
        try:
            data = problem_report(text=self.words.toPlainText(), settings=settings)
            with atomic_file(path) as temporary:
                temporary.write_bytes(data)
        except (DynamicConnectomeError, OSError) as error:
            show_failure(viewer, "Report a problem", error)
            return None
        show_info(f"Wrote {path}.")
        self.close()
        return Path(path)
