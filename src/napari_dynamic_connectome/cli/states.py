"""The command `states`: switching states of the worms of a run, with tables, a figure and a section in its report."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from .numbers import seed_of
from .progress import progress_bar
from .saved import open_run


def add(commands: Any) -> None:
    """Add the command to the parser."""
    states = commands.add_parser("states", help="explain the worms of a run by a few switching states")
    states.add_argument("session", help="session.zarr, or the output folder of a run")
    states.add_argument("-o", "--output", help="folder (default: the folder that holds the session)")
    states.add_argument("--connectome", metavar="FILE", help="CSV or GraphML of synapses for the prior")
    states.add_argument(
        "--held-out",
        choices=("no", "blocks", "worms"),
        default="blocks",
        help="score against one state, no prior and shifted traces on held-out blocks of time or worms (default: %(default)s)",
    )
    states.add_argument("--folds", type=int, default=4, help="parts that are held out in turn (default: %(default)s)")
    states.add_argument("--seed", type=seed_of, default=0)
    states.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="a setting of the states, e.g. states=3; repeatable",
    )
    states.set_defaults(action=execute)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ..io.atomic import writing
    from ..io.formats.connectome import read_connectome
    from ..model.progress import part
    from ..pipeline.toml import parse_overrides
    from ..report.figure_style import save_figure
    from ..report.html import write_report
    from ..report.state_figures import plot_states
    from ..report.state_tables import write_state_tables
    from ..states.agreement import state_agreement
    from ..states.fit import fit_states
    from ..states.held_out import compare_held_out

    session, cohort, output = open_run(options.session, options.output)
    structure = read_connectome(options.connectome) if options.connectome else None
    chosen = parse_overrides(options.set)
    with progress_bar("states") as progress:
        found = fit_states(cohort, chosen, structure=structure, seed=options.seed, progress=part(progress, 0.0, 0.4))
        if options.held_out != "no":
            table = compare_held_out(
                cohort,
                chosen,
                structure=structure,
                hold=options.held_out,
                folds=options.folds,
                seed=options.seed,
                progress=part(progress, 0.4, 0.9),
            )
            found = replace(found, held_out=table)
        found = replace(found, agreement=state_agreement(found, cohort, session.components, seed=options.seed))
        progress(0.92, "tables and figure")
        write_state_tables(found, output / "tables")
        picture = output / "figures" / "states.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        figure = plot_states(found, cohort)
        with writing(picture) as temporary:
            save_figure(figure, temporary, "png")
        progress(0.96, "report")
        title = str(session.settings.get("title", "Dynamic functional connectome"))
        write_report(session, output / "report.html", title=title, states=found)
    for row in found.table().itertuples():
        print(
            f"  state {row.state}: {row.share:.0%} of the time, {row.visits} visits in {row.worms} worms; {row.neurons}"
        )
    print(found.verdict())
    print(f"report: {output / 'report.html'}")
