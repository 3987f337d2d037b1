"""The command `states`: switching states of the worms of a session, kept in it, with tables, a figure and a section in its report."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..numbers import seed_of
from ..progress import progress_bar
from ..sessions import add_layout, kept_in_session, report_of

if TYPE_CHECKING:
    from ...pipeline.states_settings import StatesStepSettings
    from ...session.session import Session

ORDER = 130


def add(commands: Any) -> None:
    """Add the command to the parser."""
    states = commands.add_parser("states", help="explain the worms of a session by a few switching states")
    states.add_argument("session", help="session.zarr, or the output folder of a run")
    states.add_argument("-o", "--output", help="folder (default: the folder that holds the session)")
    states.add_argument("--connectome", metavar="FILE", help="CSV or GraphML of synapses for the prior")
    add_layout(states)
    states.add_argument(
        "--held-out",
        choices=("no", "blocks", "worms"),
        help="score against one state, no prior and shifted traces on held-out blocks of time or worms (default: blocks)",
    )
    states.add_argument("--folds", type=int, help="parts that are held out in turn (default: 4)")
    states.add_argument("--seed", type=seed_of, default=0)
    states.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="a setting of the states, e.g. states=3; repeatable (default: the table [states] of the session's run)",
    )
    states.set_defaults(action=execute, beside_session=True)


def settings_for(options: argparse.Namespace, session: Session) -> StatesStepSettings:
    """Settings of the session's run, and what the command line says instead."""
    from pathlib import Path

    from ...pipeline.settings import absolute
    from ...pipeline.states_settings import StatesStepSettings
    from ...pipeline.toml import parse_overrides

    held: Any = session.settings.get("states")
    values = dict(held) if isinstance(held, dict) else {}
    if session.path and values.get("connectome"):  # paths of a run are relative to its output folder
        values["connectome"] = absolute(values["connectome"], Path(session.path).resolve().parent)
    values |= parse_overrides(options.set)
    for name in ("connectome", "weight", "rows", "held_out", "folds"):
        if getattr(options, name) is not None:
            values[name] = getattr(options, name)
    return StatesStepSettings.parse(values, where="states settings")


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ...communities.settings import CommunitySettings
    from ...pipeline.states import find_states

    with kept_in_session(options.session, options.output, take_over=options.take_over) as (session, cohort):
        settings = settings_for(options, session)
        with progress_bar("states") as progress:
            found = find_states(
                cohort,
                settings,
                components=session.components,
                communities=CommunitySettings.parse(session.settings.get("communities"), where="communities"),
                seed=options.seed,
                progress=progress,
            )
        session.set_states(found, cohort)
        output = report_of(session, options.output)
    for row in found.table().itertuples():
        print(
            f"  state {row.state}: {row.share:.0%} of the time, {row.visits} visits in {row.worms} worms; {row.neurons}"
        )
    for note in found.notes:
        print(f"note: {note}")
    print(found.verdict())
    print(f"report: {output}")
