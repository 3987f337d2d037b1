"""Commands that need the window of napari: run beside this process, on a virtual screen where there is none."""

from __future__ import annotations

import os
import shutil
import sys

from ..model.errors import InputError


def has_screen() -> bool:
    """True where a window can be opened."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def window_command(module: str, arguments: list[str], *, width: int, height: int) -> list[str]:
    """Return the command that runs a module of `widgets.app`.

    Raises
    ------
    InputError
        There is neither a screen nor xvfb-run.
    """
    command = [sys.executable, "-m", f"napari_dynamic_connectome.widgets.app.{module}", *arguments]
    if has_screen():
        return command
    if shutil.which("xvfb-run") is None:
        raise InputError("there is no screen and no xvfb-run", fix="Install it: apt-get install xvfb xauth.")
    return ["xvfb-run", "-a", "-s", f"-screen 0 {width}x{height}x24 +extension GLX", *command]
