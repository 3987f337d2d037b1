"""The command `demo`: simulated worms, a whole run, pictures and a report."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from .. import progress as shown
from ..as_json import add_json, print_json, rows_of, run_of
from ..numbers import seed_of
from ..outputs import print_summary, run_and_write
from ..told import tell
from ..window import has_screen
from .simulate import write_simulation

if TYPE_CHECKING:
    from ...session.session import Session

ORDER = 10
SIMULATED_GB = 2.7
"""What the simulated worms take on the disk, nearly all of it for the one that is drawn as a 4D volume."""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    demo = commands.add_parser("demo", help="simulate worms, run everything, write pictures and a report")
    demo.add_argument("-o", "--output", default="demo-output", help="folder for everything (default: %(default)s)")
    demo.add_argument("--worms", type=int, default=10, help="number of simulated worms (default: %(default)s)")
    demo.add_argument("--seed", type=seed_of, default=0)
    demo.add_argument(
        "--no-viewer", action="store_true", help="do not open napari at the end, even where there is a screen"
    )
    add_json(demo)
    demo.set_defaults(action=execute)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ...io.ownership import claim_folder, read_marker, remove_folder, write_marker
    from ...model.errors import InputError
    from ...model.system import peak_memory_mb
    from ...pipeline.run import check_output
    from ...pipeline.settings import PipelineSettings

    start = time.monotonic()
    output = check_output(options.output)
    data = claim_folder(output / "data", make=False)
    settings_file = data / "settings.toml"
    asked = {"worms": options.worms, "seed": options.seed}
    if settings_file.is_file():
        if {k: read_marker(data).get(k) for k in asked} != asked:
            raise InputError(
                "the folder holds worms that were simulated with another number or seed",
                where=str(data),
                fix="Choose another output folder.",
            )
    else:
        remove_folder(data)  # what an interrupted simulation left
        claim_folder(output)
        write_marker(data, {"made": True, **asked})
        if not shown.QUIET:
            tell(
                f"the simulated worms take about {SIMULATED_GB} GB in {data}; the first run on a machine compiles, too"
            )
        with shown.progress_bar("simulate") as progress:
            write_simulation(data, worms=options.worms, render=1, seed=options.seed, progress=progress)
    settings = PipelineSettings.from_file(settings_file)
    session = run_and_write(settings, output)
    peak, seconds = peak_memory_mb(), time.monotonic() - start
    if options.json:
        recovery = {heading: rows_of(table) for heading, table in _demo_scores(session).items()}
        print_json({**run_of(session, output), "recovery": recovery, "seconds": seconds, "peak_mib": peak})
    else:
        print_summary(session, output)
        for heading, table in _demo_scores(session).items():
            print(f"{heading}:\n{table.to_string(index=False, float_format=lambda v: f'{v:.2f}')}")
        memory = f", {peak:.0f} MiB at most in this process" if peak == peak else ""
        print(f"done in {seconds:.0f} s{memory}")
    if not options.no_viewer and has_screen() and not os.environ.get("CI"):
        tell("opening napari ...")
        subprocess.run(
            [sys.executable, "-m", "napari_dynamic_connectome.widgets.app", str(output / "session.zarr")],
            check=False,
        )


def _demo_scores(session: Session) -> dict[str, Any]:
    from ...pipeline.run import scores

    return {k: v for k, v in scores(session).items() if k.startswith("Recovery")}
