"""The command `report`: tables, figures and report of a session, written again."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .outputs import print_older, write_outputs
from .sessions import add_networks, comparison_of, opened


def add(commands: Any) -> None:
    """Add the command to the parser."""
    report = commands.add_parser("report", help="write tables, figures and the report of a session again")
    report.add_argument("session", help="session.zarr, or the output folder of a run")
    report.add_argument("-o", "--output", help="folder (default: the folder that holds the session)")
    report.add_argument("--no-screenshot", action="store_true", help="skip the picture of the napari window")
    add_networks(report)
    report.set_defaults(action=execute)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ..io.ownership import OurFiles, claim_folder
    from ..model.errors import InputError
    from ..pipeline.run import SESSION_NAME
    from ..session.save_load import load_session, save_session

    session, path = opened(options.session)
    comparison = comparison_of(options, session)
    output = Path(options.output) if options.output else path.parent
    if options.output:
        claim_folder(output, make=False)
        held = output / SESSION_NAME
        if held.exists() and held.resolve() != path.resolve() and load_session(held).uid != session.uid:
            raise InputError(
                "the folder holds another session", where=str(output), fix="Choose another folder for this report."
            )
        claim_folder(output)
        if not held.exists():
            save_session(session, held)
    OurFiles(output).path("report.html")
    title = str(session.settings.get("title", "Dynamic functional connectome"))
    write_outputs(session, output, screenshot=not options.no_screenshot, title=title, comparison=comparison)
    print_older(session)
    print(f"wrote {output / 'report.html'}")
