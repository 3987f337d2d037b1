"""Whether a window can be opened here: one message where Qt or a screen is missing, in place of a traceback or a crash."""

from __future__ import annotations

import os
import sys

from ...model.errors import InputError, MissingExtraError


def require_qt() -> None:
    """Raise `MissingExtraError` where no Qt for Python is installed."""
    try:
        import qtpy  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("PyQt6 or PySide6", "pyqt6", "The window") from error


def require_screen() -> None:
    """Raise `InputError` where there is no screen; Qt itself would end the process."""
    if sys.platform in ("darwin", "win32") or os.environ.get("QT_QPA_PLATFORM"):
        return
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise InputError(
            "no screen was found (neither DISPLAY nor WAYLAND_DISPLAY is set), so no window can be opened",
            fix="Everything but the window runs without one: dynamic-connectome --help. "
            "A virtual screen: xvfb-run -a python -m napari_dynamic_connectome.widgets.app",
        )
