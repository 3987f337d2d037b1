"""Settings that the docks remember between starts: one small JSON file in the user's configuration folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ...model.errors import InputError
from ...model.system import config_folder, replace

RECENT, MOST_RECENT = "recent sessions", 8


def settings_path() -> Path:
    """Path of the file; its folder can be set by the environment variable DYNAMIC_CONNECTOME_CONFIG."""
    return config_folder() / "widgets.json"


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


def recent_sessions(values: dict[str, Any]) -> list[Path]:
    """Sessions that were saved or opened last, the last one first; whether they are still there is seen on opening."""
    return [Path(path) for path in values.get(RECENT, ())]


def note_session(values: dict[str, Any], path: str | Path) -> None:
    """Put a session first among those that were saved or opened last."""
    path = str(Path(path).absolute())
    values[RECENT] = [path, *(p for p in values.get(RECENT, ()) if p != path)][:MOST_RECENT]
    save(values)
