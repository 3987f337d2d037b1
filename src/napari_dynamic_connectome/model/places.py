"""Folders of the package on this machine: for what can be made again, for what must stay, for the log."""

from __future__ import annotations

import os
from pathlib import Path

APP = "napari-dynamic-connectome"
VARIABLE = "DYNAMIC_CONNECTOME_CACHE"
"""Environment variable that puts all of them into one folder."""


def cache_folder() -> Path:
    """Folder for what can be made again (samples, downloads)."""
    import platformdirs

    return Path(os.environ.get(VARIABLE) or platformdirs.user_cache_dir(APP, appauthor=False))


def state_folder() -> Path:
    """Folder for what must stay until it was used: journals of sessions that were never saved."""
    import platformdirs

    return Path(os.environ.get(VARIABLE) or platformdirs.user_state_dir(APP))


def log_folder() -> Path:
    """Folder of the log."""
    import platformdirs

    asked = os.environ.get(VARIABLE)
    return Path(asked) / "log" if asked else Path(platformdirs.user_log_dir(APP))
