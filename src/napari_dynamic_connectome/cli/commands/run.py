"""The command `run`: all steps that a settings file describes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..as_json import add_json, print_json, run_of
from ..cluster import add_cluster, client_of
from ..outputs import print_summary, run_and_write
from ..reading import add_reading, with_reading

ORDER = 40


def add(commands: Any) -> None:
    """Add the command to the parser."""
    run = commands.add_parser("run", help="run all steps that a settings file describes")
    run.add_argument("settings", help="TOML file; write one with: dynamic-connectome settings > settings.toml")
    run.add_argument("-o", "--output", help="folder for everything (default: <settings file>-output)")
    run.add_argument(
        "--set", action="append", default=[], metavar="TABLE.FIELD=VALUE", help="override a setting; repeatable"
    )
    run.add_argument("--fresh", action="store_true", help="do not use the finished stages of an earlier run")
    run.add_argument(
        "--replace",
        action="store_true",
        help="replace a session in the output folder that no run made or that cannot be read; a backup is kept",
    )
    run.add_argument("--no-screenshot", action="store_true", help="skip the picture of the napari window")
    add_cluster(run)
    add_json(run)
    add_reading(run)
    run.set_defaults(action=execute)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ...pipeline.settings import PipelineSettings
    from ...pipeline.toml import parse_overrides, read_toml

    path = Path(options.settings)
    overrides = with_reading(parse_overrides(options.set), options, read_toml(path))
    settings = PipelineSettings.from_file(path, overrides)
    output = Path(options.output) if options.output else path.with_name(f"{path.stem}-output")
    client = client_of(options)
    try:
        session = run_and_write(
            settings,
            output,
            screenshot=not options.no_screenshot,
            resume=not options.fresh,
            replace=options.replace,
            take_over=options.take_over,
            client=client,
        )
    finally:
        if client is not None:
            client.close()
    if options.json:
        print_json(run_of(session, output))
    else:
        print_summary(session, output)
