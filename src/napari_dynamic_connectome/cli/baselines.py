"""The command `baselines`: static methods beside the communities and components of a run, and how far they agree."""

from __future__ import annotations

import argparse
from typing import Any

from .numbers import seed_of
from .progress import progress_bar
from .saved import open_run


def add(commands: Any) -> None:
    """Add the command to the parser."""
    baselines = commands.add_parser("baselines", help="group the neurons of a run by static methods and compare")
    baselines.add_argument("session", help="session.zarr, or the output folder of a run")
    baselines.add_argument("-o", "--output", help="folder (default: the folder that holds the session)")
    baselines.add_argument("--seed", type=seed_of, default=0)
    baselines.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="a setting of the baselines, e.g. groups=5; repeatable",
    )
    baselines.add_argument("--json", action="store_true", help="print the agreement as JSON")
    baselines.set_defaults(action=execute)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ..baselines.panel import main_results, static_baselines
    from ..io.atomic import writing
    from ..io.formats.text_tables import write_csv
    from ..pipeline.toml import parse_overrides
    from ..report.baseline_figures import plot_baselines
    from ..report.figure_style import save_figure

    session, cohort, output = open_run(options.session, options.output)
    main = main_results(session.components, session.communities)
    with progress_bar("baselines") as progress:
        panel = static_baselines(cohort, main, parse_overrides(options.set), seed=options.seed, progress=progress)
    for folder in ("tables", "figures"):
        (output / folder).mkdir(parents=True, exist_ok=True)
    write_csv(panel.partitions, output / "tables" / "baselines_partitions.csv", index=True)
    for measure in ("ari", "ami"):
        write_csv(panel.agreement(measure), output / "tables" / f"baselines_{measure}.csv", index=True)
    with writing(output / "figures" / "baselines.png") as temporary:
        save_figure(plot_baselines(panel), temporary, "png")
    if options.json:
        print(panel.agreement("ari").to_json(indent=1, force_ascii=False))
        return
    print(panel.agreement("ari").round(2).to_string())
    for note in panel.notes:
        print(note)
    print(f"figure: {output / 'figures' / 'baselines.png'}")
