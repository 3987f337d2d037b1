"""The command `report`: tables, figures and report of a session, written again."""

from __future__ import annotations

import argparse
from typing import Any

from ..outputs import print_older, write_outputs
from ..sessions import add_networks, comparison_of, opened, place_for

ORDER = 100


def add(commands: Any) -> None:
    """Add the command to the parser."""
    report = commands.add_parser("report", help="write tables, figures and the report of a session again")
    report.add_argument("session", help="session.zarr, or the output folder of a run")
    report.add_argument("-o", "--output", help="folder (default: the folder that holds the session)")
    report.add_argument("--no-screenshot", action="store_true", help="skip the picture of the napari window")
    add_networks(report)
    report.set_defaults(action=execute, beside_session=True)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ...io.ownership import OurFiles, claim_folder
    from ...pipeline.run import SESSION_NAME
    from ...session.save_load import save_session

    session, path = opened(options.session)
    comparison = comparison_of(options, session)
    output = place_for(session, path, options.output)
    if options.output:
        claim_folder(output)
        if not (output / SESSION_NAME).exists():
            save_session(session, output / SESSION_NAME)
    OurFiles(output).path("report.html")
    title = str(session.settings.get("title", "Dynamic functional connectome"))
    write_outputs(session, output, screenshot=not options.no_screenshot, title=title, comparison=comparison)
    print_older(session)
    print(f"wrote {output / 'report.html'}")
