"""Messages to the user: napari notifications; failures have a "details" button with the traceback."""

from __future__ import annotations

import logging
from typing import Any

from napari.utils.notifications import Notification, NotificationSeverity, notification_manager, show_info, show_warning

from ...model.errors import DynamicConnectomeError
from ...model.memory import explained

log = logging.getLogger("napari_dynamic_connectome")

__all__ = ["show_actions", "show_failure", "show_info", "show_warning"]


def show_actions(message: str, actions: tuple[tuple[str, Any], ...]) -> None:
    """Show a warning with buttons: (text, function)."""
    log.info("%s", message)
    called = tuple((text, lambda *_, function=function: function()) for text, function in actions)
    notification_manager.dispatch(Notification(message, NotificationSeverity.WARNING, actions=called))


def show_failure(viewer: Any, doing: str, error: BaseException, details: str = "") -> None:
    """Show one sentence about a failure, with the traceback behind "Details"."""
    error = explained(error, doing) or error
    expected = isinstance(error, DynamicConnectomeError)
    message = str(error) if expected else f"{doing}: {type(error).__name__}: {error}"
    log.log(logging.INFO if expected else logging.ERROR, "%s\n%s", message, details)
    notification = Notification(
        message,
        NotificationSeverity.WARNING if expected else NotificationSeverity.ERROR,
        actions=(("Details", lambda *_: show_details(viewer, message, details)),),
    )
    notification_manager.dispatch(notification)


def show_details(viewer: Any, message: str, details: str) -> Any:
    """Open a small window with the whole text, which can be copied."""
    from qtpy.QtWidgets import QDialog, QDialogButtonBox, QLabel, QPlainTextEdit, QVBoxLayout

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
    dialog.setModal(False)
    dialog.show()
    _open.append(dialog)
    dialog.finished.connect(lambda *_: _open.remove(dialog))
    return dialog


def report_problem(viewer: Any, text: str = "") -> Any:
    """Open the dialog that collects what helps to find a problem."""
    from ..workspace.recovery_dialogs import ProblemDialog, show

    return show(ProblemDialog(viewer, text))


_open: list[Any] = []
