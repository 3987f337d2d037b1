"""The command `robustness`: what stays when worms, seeds and settings change."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..cluster import add_cluster, client_of
from ..progress import progress_bar
from ..reading import add_reading, with_reading

ORDER = 80


def add(commands: Any) -> None:
    """Add the command to the parser."""
    robustness = commands.add_parser(
        "robustness", help="bootstrap over worms, leave worms out, other seeds and settings: what stays"
    )
    robustness.add_argument("settings", help="TOML file, as for run; its table [robustness] says what is done")
    robustness.add_argument("-o", "--output", help="folder of the run (default: <settings file>-output)")
    robustness.add_argument(
        "--set", action="append", default=[], metavar="TABLE.FIELD=VALUE", help="override a setting; repeatable"
    )
    robustness.add_argument("--fresh", action="store_true", help="do not go on from an interrupted run")
    add_cluster(robustness)
    add_reading(robustness)
    robustness.set_defaults(action=execute)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ...io.ownership import OurFiles, claim_folder
    from ...pipeline.run import check_output
    from ...pipeline.settings import PipelineSettings
    from ...pipeline.toml import parse_overrides, read_toml
    from ...report.robustness import write_robustness
    from ...robustness.files import robustness_of_files

    path = Path(options.settings)
    overrides = with_reading(parse_overrides(options.set), options, read_toml(path))
    settings = PipelineSettings.from_file(path, overrides)
    output = claim_folder(check_output(options.output or path.with_name(f"{path.stem}-output")))
    OurFiles(output / "robustness").path("robustness.html")  # what cannot be written is said before the work
    client = client_of(options)
    try:
        with progress_bar("robustness") as progress:
            result = robustness_of_files(settings, output, fresh=options.fresh, client=client, progress=progress)
    finally:
        if client is not None:
            client.close()
    write_robustness(result, output / "robustness", title=f"{settings.title}: robustness")
    for line in (*result.sentences(), *(f"note: {n}" for n in result.notes)):
        print(line)
    print(f"report: {output / 'robustness' / 'robustness.html'}")
