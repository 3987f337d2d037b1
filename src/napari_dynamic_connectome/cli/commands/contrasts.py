"""The command `contrasts`: confounds, averages around events, differences between groups of worms."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ...model.errors import InputError
from ..progress import progress_bar
from ..reading import add_reading, with_reading

ORDER = 90


def add(commands: Any) -> None:
    """Add the command to the parser."""
    contrasts = commands.add_parser(
        "contrasts", help="averages around stimuli and behaviour, differences between two groups of worms"
    )
    contrasts.add_argument(
        "settings", help="TOML file, as for run; its tables [contrasts] and [confounds] say what is done"
    )
    contrasts.add_argument("-o", "--output", help="folder of the run (default: <settings file>-output)")
    contrasts.add_argument(
        "--event", action="append", default=[], help="stimulus or binary behaviour channel; repeatable"
    )
    contrasts.add_argument("--column", help="attribute of the worms that says which group they are in")
    contrasts.add_argument("--groups", nargs=2, metavar=("A", "B"), help="the two values of the column to compare")
    contrasts.add_argument(
        "--set", action="append", default=[], metavar="TABLE.FIELD=VALUE", help="override a setting; repeatable"
    )
    add_reading(contrasts)
    contrasts.set_defaults(action=execute)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ...io.ownership import OurFiles, claim_folder
    from ...pipeline.contrasts import contrasts
    from ...pipeline.run import check_output
    from ...pipeline.settings import PipelineSettings
    from ...pipeline.toml import merge, parse_overrides, read_toml
    from ...report.contrasts import write_contrasts
    from ...robustness.files import earlier_analysis

    path = Path(options.settings)
    given: dict[str, Any] = {"events": options.event, "column": options.column, "groups": options.groups}
    overrides = merge(parse_overrides(options.set), {"contrasts": {k: v for k, v in given.items() if v}})
    settings = PipelineSettings.from_file(path, with_reading(overrides, options, read_toml(path)))
    if not (settings.contrasts.events or settings.contrasts.column or settings.confounds.active):
        raise InputError(
            "nothing is asked for", where="contrasts", fix="Name an --event, a --column, or confounds.channels."
        )
    output = claim_folder(check_output(options.output or path.with_name(f"{path.stem}-output")))
    OurFiles(output / "contrasts").path("contrasts.html")  # what cannot be written is said before the work
    with progress_bar("contrasts") as progress:
        known = earlier_analysis(settings, output, progress=progress)
        result = contrasts(
            known.cohort, settings, components=known.components, communities=known.communities, progress=progress
        )
    write_contrasts(result, output / "contrasts", title=f"{settings.title}: contrasts")
    if known.components is None:
        print("note: no run with these settings lies in the folder, so neurons and pairs are shown, no components")
    for line in result.sentences():
        print(line)
    print(f"report: {output / 'contrasts' / 'contrasts.html'}")
