"""Settings that the docks remember between starts: one small JSON file in the user's configuration folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ...model.errors import InputError
from ...model.system import replace

FOLDER_VARIABLE = "DYNAMIC_CONNECTOME_CONFIG"


def settings_path() -> Path:
    """Path of the file; its folder can be set by the environment variable DYNAMIC_CONNECTOME_CONFIG."""
    asked = os.environ.get(FOLDER_VARIABLE)
    if asked:
        return Path(asked) / "widgets.json"
    from platformdirs import user_config_path

    return user_config_path("napari-dynamic-connectome", appauthor=False) / "widgets.json"


def load() -> dict[str, Any]:
    """Return what was remembered; nothing if there is no file or it cannot be read."""
    try:
        data = json.loads(settings_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def save(values: dict[str, Any]) -> None:
    """Remember; a folder that cannot be written is no reason to bother the user."""
    path = settings_path()
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(values, indent=1), encoding="utf-8")
        replace(temporary, path)
    except (OSError, InputError):
        temporary.unlink(missing_ok=True)
