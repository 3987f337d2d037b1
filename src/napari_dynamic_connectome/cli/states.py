"""The command `states`: switching states of the worms of a session, kept in it, with tables, a figure and a section in its report."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from .numbers import seed_of
from .progress import progress_bar
from .sessions import comparison_of_run, opened, place_for

if TYPE_CHECKING:
    from ..pipeline.states_settings import StatesStepSettings
    from ..session.session import Session


def add(commands: Any) -> None:
    """Add the command to the parser."""
    states = commands.add_parser("states", help="explain the worms of a session by a few switching states")
    states.add_argument("session", help="session.zarr, or the output folder of a run")
    states.add_argument("-o", "--output", help="folder (default: the folder that holds the session)")
    states.add_argument("--connectome", metavar="FILE", help="CSV or GraphML of synapses for the prior")
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
    states.set_defaults(action=execute)


def settings_for(options: argparse.Namespace, session: Session) -> StatesStepSettings:
    """Settings of the session's run, and what the command line says instead."""
    from pathlib import Path

    from ..pipeline.settings import absolute
    from ..pipeline.states_settings import StatesStepSettings
    from ..pipeline.toml import parse_overrides

    held: Any = session.settings.get("states")
    values = dict(held) if isinstance(held, dict) else {}
    if session.path and values.get("connectome"):  # paths of a run are relative to its output folder
        values["connectome"] = absolute(values["connectome"], Path(session.path).resolve().parent)
    values |= parse_overrides(options.set)
    for name in ("connectome", "held_out", "folds"):
        if getattr(options, name) is not None:
            values[name] = getattr(options, name)
    return StatesStepSettings.parse(values, where="states settings")


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ..communities.settings import CommunitySettings
    from ..comparison.sources import read_networks
    from ..io.ownership import OurFiles, claim_folder
    from ..model.cohort import Cohort
    from ..model.errors import InputError
    from ..pipeline.run import SESSION_NAME
    from ..pipeline.states import find_states
    from ..session.lock import busy_elsewhere
    from ..session.save_load import save_session
    from .outputs import write_outputs

    session, path = opened(options.session)
    if not session.recordings:
        raise InputError("the session holds no recording", where=str(path), fix="Run the pipeline first.")
    settings = settings_for(options, session)
    output = place_for(session, path, options.output)
    target = output / SESSION_NAME if options.output else path
    other = busy_elsewhere(target, None) if target.exists() else ""
    if other:
        raise InputError(
            f"the session is open in another window ({other})",
            where=str(target),
            fix="Close it there, or give -o FOLDER.",
        )
    OurFiles(output).path("report.html")
    comparison = comparison_of_run(session)
    networks = read_networks(comparison) if comparison.wanted else []
    worms = [r for name, r in session.recordings.items() if name not in session.left_out]
    cohort = session.cohort or Cohort(worms)
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
    if options.output:
        claim_folder(output)
    save_session(session, target)
    title = str(session.settings.get("title", "Dynamic functional connectome"))
    write_outputs(session, output, screenshot=False, title=title, comparison=comparison, networks=networks)
    for row in found.table().itertuples():
        print(
            f"  state {row.state}: {row.share:.0%} of the time, {row.visits} visits in {row.worms} worms; {row.neurons}"
        )
    for note in found.notes:
        print(f"note: {note}")
    print(found.verdict())
    print(f"report: {output / 'report.html'}")
