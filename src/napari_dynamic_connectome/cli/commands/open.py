"""The command `open`: napari with the docks, on files or a session."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from ..reading import add_reading, reading_of

ORDER = 50


def add(commands: Any) -> None:
    """Add the command to the parser."""
    opener = commands.add_parser("open", help="open napari with all docks, on files or a session")
    opener.add_argument(
        "files", nargs="*", help="a session or the output folder of a run; recordings, images, labels, tables"
    )
    opener.add_argument("--theme", choices=("dark", "light"))
    add_reading(opener, images=True)
    opener.set_defaults(action=execute)


def execute(options: argparse.Namespace) -> int:
    """Run the command; the exit code is that of the window."""
    from ...io.files import existing
    from ...model.errors import InputError
    from ...session.save_load import find_session, is_session

    files = [existing(name) for name in options.files]
    sessions = [path for path in files if is_session(find_session(path))]
    if len(sessions) > 1:
        raise InputError(
            "one window shows one session", where=str(sessions[1]), fix="Open the others in windows of their own."
        )
    command = [sys.executable, "-m", "napari_dynamic_connectome.widgets.app", *map(_argument, files)]
    if options.theme:
        command += ["--theme", options.theme]
    if given := reading_of(options):
        command += ["--reading", json.dumps(given)]
    return subprocess.run(command, check=False).returncode


def _argument(path: Path) -> str:
    text = str(path)
    return f"./{text}" if text.startswith("-") else text
