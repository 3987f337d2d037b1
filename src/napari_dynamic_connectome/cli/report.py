"""The command `report`: tables, figures and report of a session, written again."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .outputs import write_outputs


def add(commands: Any) -> None:
    """Add the command to the parser."""
    report = commands.add_parser("report", help="write tables, figures and the report of a session again")
    report.add_argument("session", help="session.zarr, or the output folder of a run")
    report.add_argument("-o", "--output", help="folder (default: the folder that holds the session)")
    report.add_argument("--no-screenshot", action="store_true", help="skip the picture of the napari window")
    report.set_defaults(action=execute)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ..pipeline.run import SESSION_NAME
    from ..session.save_load import load_session

    path = Path(options.session)
    if path.is_dir() and (path / SESSION_NAME).exists():
        path = path / SESSION_NAME
    session = load_session(path)
    output = Path(options.output) if options.output else path.parent
    output.mkdir(parents=True, exist_ok=True)
    title = str(session.settings.get("title", "Dynamic functional connectome"))
    from ..session.save_load import save_session

    if not (output / SESSION_NAME).exists():
        save_session(session, output / SESSION_NAME)
    write_outputs(session, output, screenshot=not options.no_screenshot, title=title)
    print(f"wrote {output / 'report.html'}")
